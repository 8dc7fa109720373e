/*
 * test_base.c - errors, buffers, escaping and sizes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after what it needs */

#include "base/base.h"
#include "base/buf.h"
#include "base/escape.h"
#include <vastrace/error.h>

static void test_error_text(void **state)
{
    (void)state;
    struct vt_error err;

    assert_int_equal(vt_error_set(&err, ENOENT, "no %s here", "thing"), -ENOENT);
    assert_int_equal(err.errnum, ENOENT);
    assert_string_equal(err.text, "no thing here");
    assert_int_equal(vt_error_errno(&err, EACCES, "cannot open \"%s\"", "x"), -EACCES);
    assert_string_equal(err.text, "cannot open \"x\": Permission denied");
    assert_int_equal(vt_error_errno(&err, 4000, "odd"), -4000);
    assert_string_equal(err.text, "odd: error 4000");
}

static void test_error_forgives(void **state)
{
    (void)state;
    struct vt_error err;

    assert_int_equal(vt_error_set(NULL, EPERM, "dropped"), -EPERM);
    assert_int_equal(vt_error_errno(NULL, EPERM, "dropped"), -EPERM);
    assert_int_equal(vt_error_set(&err, -EPERM, "sign"), -EPERM);
    assert_int_equal(err.errnum, EPERM);
    assert_int_equal(vt_error_set(&err, 0, "lost cause"), -EIO);
    assert_int_equal(err.errnum, EIO);
}

/* A failure is often told again with more around it. */
static void test_error_wraps_itself(void **state)
{
    (void)state;
    struct vt_error err;

    vt_error_set(&err, EPERM, "inner");
    vt_error_set(&err, EPERM, "outer: %s (outer)", err.text);
    assert_string_equal(err.text, "outer: inner (outer)");
}

static void test_error_cuts_in_front_of_meaning(void **state)
{
    (void)state;
    struct vt_error err;
    char path[5000];

    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    vt_error_errno(&err, ENOENT, "cannot open \"%s\"", path);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_non_null(strstr(err.text, "ppp...: No such file or directory"));
    vt_error_set(&err, ENOENT, "cannot open \"%s\"", path);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_string_equal(err.text + strlen(err.text) - 4, "p...");
}

static void test_buf_grows(void **state)
{
    (void)state;
    struct vt_buf buf = {0};

    assert_string_equal(vt_buf_cstr(&buf), "");
    for (int i = 0; i < 10000; i++)
        vt_buf_str(&buf, "0123456789");
    assert_int_equal(buf.length, 100000);
    assert_false(buf.failed);
    assert_memory_equal(buf.data + 99990, "0123456789", 10);
    vt_buf_clear(&buf);
    vt_buf_printf(&buf, "%s-%d", "a", 7);
    vt_buf_char(&buf, '!');
    assert_string_equal(vt_buf_cstr(&buf), "a-7!");
    assert_int_equal(buf.length, 4);
    vt_buf_deinit(&buf);
    assert_null(buf.data);
}

static void test_buf_numbers(void **state)
{
    (void)state;
    struct vt_buf buf = {0};

    static const struct {
        uint64_t value;
        unsigned width;
        const char *hex;
        const char *dec;
    } cases[] = {
        {0, 0, "0", "0"},
        {0, 4, "0000", "0"},
        {0xf, 1, "f", "15"},
        {0x10, 0, "10", "16"},
        {0x10, 4, "0010", "16"},
        {0xabcdef, 2, "abcdef", "11259375"},
        {UINT64_MAX, 0, "ffffffffffffffff", "18446744073709551615"},
        {UINT64_C(1) << 63, 0, "8000000000000000", "9223372036854775808"},
    };
    for (size_t i = 0; i < VT_COUNTOF(cases); i++) {
        vt_buf_clear(&buf);
        vt_buf_hex(&buf, cases[i].value, cases[i].width);
        assert_string_equal(vt_buf_cstr(&buf), cases[i].hex);
        vt_buf_clear(&buf);
        vt_buf_dec(&buf, cases[i].value);
        assert_string_equal(vt_buf_cstr(&buf), cases[i].dec);
    }
    vt_buf_deinit(&buf);
}

/* A request that no machine can meet: remembered, and the content stays as it was. */
static void test_buf_remembers_failure(void **state)
{
    (void)state;
    struct vt_buf buf = {0};

    vt_buf_str(&buf, "kept");
    assert_null(vt_buf_room(&buf, SIZE_MAX - 2));
    assert_true(buf.failed);
    vt_buf_str(&buf, " lost");
    vt_buf_char(&buf, 'x');
    vt_buf_dec(&buf, 1);
    assert_int_equal(buf.length, 4);
    assert_memory_equal(buf.data, "kept", 4);
    assert_string_equal(vt_buf_cstr(&buf), "");
    vt_buf_deinit(&buf);
    assert_false(buf.failed);
}

static void test_reserve(void **state)
{
    (void)state;
    void *items = NULL;
    size_t capacity = 0;

    assert_int_equal(vt_reserve(&items, &capacity, 0, 8), 0);
    assert_null(items);
    assert_int_equal(vt_reserve(&items, &capacity, 3, 8), 0);
    assert_true(capacity >= 3);
    size_t before = capacity;
    assert_int_equal(vt_reserve(&items, &capacity, before, 8), 0);
    assert_int_equal(capacity, before);
    assert_int_equal(vt_reserve(&items, &capacity, before + 1, 8), 0);
    assert_true(capacity >= before + 1);
    before = capacity;
    assert_int_equal(vt_reserve(&items, &capacity, SIZE_MAX / 4, 8), -ENOMEM);
    assert_int_equal(capacity, before);
    free(items);
}

static void test_rounding(void **state)
{
    (void)state;
    assert_int_equal(vt_round_up(1, 4096), 4096);
    assert_int_equal(vt_round_up(4096, 4096), 4096);
    assert_int_equal(vt_round_up(0, 4096), 0);
    assert_int_equal(vt_round_down(4095, 4096), 0);
    assert_true(vt_round_up(UINT64_MAX, 4096) == UINT64_MAX - 4095);
}

static void test_clock_goes_on(void **state)
{
    (void)state;
    int64_t first = vt_clock_ns();

    assert_true(first > 0);
    assert_true(vt_clock_ns() >= first);
}

struct escape_case {
    const char *bytes;
    size_t length;
    const char *terminal;
    const char *json; /* without quotes; null: not compared */
};

#define BYTES(literal) literal, sizeof(literal) - 1

/* clang-format off */
static const struct escape_case escapes[] = {
    {BYTES(""), "", ""},
    {BYTES("/usr/lib/libc.so.6"), "/usr/lib/libc.so.6", "/usr/lib/libc.so.6"},
    {BYTES("a b"), "a b", "a b"},
    {BYTES("back\\slash"), "back\\\\slash", "back\\\\slash"},
    {BYTES("quo\"te"), "quo\"te", "quo\\\"te"},
    {BYTES("\n\t\r"), "\\n\\t\\x0d", "\\n\\t\\u000d"},
    {BYTES("a\0b"), "a\\x00b", "a\\u0000b"},
    {BYTES("\033[31mred"), "\\x1b[31mred", "\\u001b[31mred"},
    {BYTES("\x7f"), "\\x7f", "\\u007f"},
    /* C1 as UTF-8: a CSI in one character; as raw bytes: not UTF-8 at all */
    {BYTES("\xc2\x9b" "31m"), "\\u{009b}31m", "\\u009b31m"},
    {BYTES("\xc2\x80\xc2\x9f"), "\\u{0080}\\u{009f}", "\\u0080\\u009f"},
    {BYTES("\x9b" "31m"), "\\x9b31m", "\xef\xbf\xbd" "9b31m"},
    /* first and last well-formed of each length, as they are */
    {BYTES("\xc2\xa0\xc3\xa9"), "\xc2\xa0\xc3\xa9", "\xc2\xa0\xc3\xa9"},
    {BYTES("\xdf\xbf"), "\xdf\xbf", "\xdf\xbf"},
    {BYTES("\xe0\xa0\x80"), "\xe0\xa0\x80", "\xe0\xa0\x80"},
    {BYTES("\xed\x9f\xbf\xee\x80\x80"), "\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80"},
    {BYTES("\xf0\x90\x80\x80"), "\xf0\x90\x80\x80", "\xf0\x90\x80\x80"},
    {BYTES("\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
    {BYTES("\xef\xbf\xbd"), "\xef\xbf\xbd", "\xef\xbf\xbd"}, /* U+FFFD itself */
    /* overlong forms of "/" and of U+FFFF */
    {BYTES("\xc0\xaf"), "\\xc0\\xaf", "\xef\xbf\xbd" "c0\xef\xbf\xbd" "af"},
    {BYTES("\xc1\xbf"), "\\xc1\\xbf", "\xef\xbf\xbd" "c1\xef\xbf\xbd" "bf"},
    {BYTES("\xe0\x80\xaf"), "\\xe0\\x80\\xaf", "\xef\xbf\xbd" "e0\xef\xbf\xbd" "80\xef\xbf\xbd" "af"},
    {BYTES("\xe0\x9f\xbf"), "\\xe0\\x9f\\xbf", NULL},
    {BYTES("\xf0\x8f\xbf\xbf"), "\\xf0\\x8f\\xbf\\xbf", NULL},
    /* surrogates, above U+10FFFF, five-byte forms */
    {BYTES("\xed\xa0\x80"), "\\xed\\xa0\\x80", NULL},
    {BYTES("\xed\xbf\xbf"), "\\xed\\xbf\\xbf", NULL},
    {BYTES("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80", NULL},
    {BYTES("\xf8\x88\x80\x80\x80"), "\\xf8\\x88\\x80\\x80\\x80", NULL},
    {BYTES("\xff\xfe"), "\\xff\\xfe", "\xef\xbf\xbd" "ff\xef\xbf\xbd" "fe"},
    /* cut short, and a lead byte followed by ASCII that must not be swallowed */
    {BYTES("\xe2\x82"), "\\xe2\\x82", NULL},
    {BYTES("\xe2\x82" "A"), "\\xe2\\x82A", NULL},
    {BYTES("\xc3\"\n"), "\\xc3\"\\n", "\xef\xbf\xbd" "c3\\\"\\n"},
    {BYTES("\xf0\x9f\x98"), "\\xf0\\x9f\\x98", NULL},
    /* characters that reorder or hide */
    {BYTES("\xe2\x80\xaa\xe2\x80\xae"), "\\u{202a}\\u{202e}", "\\u202a\\u202e"},
    {BYTES("\xe2\x81\xa6\xe2\x81\xa9"), "\\u{2066}\\u{2069}", "\\u2066\\u2069"},
    {BYTES("\xe2\x80\x8e\xe2\x80\x8f"), "\\u{200e}\\u{200f}", "\\u200e\\u200f"},
    {BYTES("\xd8\x9c"), "\\u{061c}", "\\u061c"},
    {BYTES("\xe2\x80\xa8\xe2\x80\xa9"), "\\u{2028}\\u{2029}", "\\u2028\\u2029"},
    {BYTES("\xe2\x80\x8b\xe2\x80\x8c\xe2\x80\x8d"), "\\u{200b}\\u{200c}\\u{200d}",
     "\\u200b\\u200c\\u200d"},
    {BYTES("\xe2\x81\xa0\xef\xbb\xbf\xc2\xad"), "\\u{2060}\\u{feff}\\u{00ad}",
     "\\u2060\\ufeff\\u00ad"},
    {BYTES("\xef\xbf\xbf"), "\\u{ffff}", "\\uffff"},
    {BYTES("\xf3\xa0\x81\x81"), "\\u{e0041}", "\\udb40\\udc41"}, /* a tag: a pair in JSON */
    {BYTES("\xe2\x80\xa7\xe2\x80\xaf"), "\xe2\x80\xa7\xe2\x80\xaf", NULL}, /* the neighbours */
    {BYTES("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
};
/* clang-format on */

static void test_escapes(void **state)
{
    (void)state;
    struct vt_buf buf = {0};
    struct vt_buf want = {0};

    for (size_t i = 0; i < VT_COUNTOF(escapes); i++) {
        vt_buf_clear(&buf);
        vt_escape_terminal(&buf, escapes[i].bytes, escapes[i].length);
        assert_string_equal(vt_buf_cstr(&buf), escapes[i].terminal);
        if (!escapes[i].json)
            continue;
        vt_buf_clear(&buf);
        vt_escape_json(&buf, escapes[i].bytes, escapes[i].length);
        vt_buf_clear(&want);
        vt_buf_printf(&want, "\"%s\"", escapes[i].json);
        assert_string_equal(vt_buf_cstr(&buf), vt_buf_cstr(&want));
    }
    vt_buf_deinit(&want);
    vt_buf_deinit(&buf);
}

/* True if the bytes hold nothing that a terminal would act upon. */
static int is_tame(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < 0x20 || c == 0x7f)
            return 0;
        if (c == 0xc2 && i + 1 < length && (unsigned char)bytes[i + 1] < 0xa0)
            return 0;
    }
    return 1;
}

/* Every one, two and (by steps) three bytes: tame, and what was escaped is as tame again. */
static void test_escape_all_short_strings(void **state)
{
    (void)state;
    struct vt_buf once = {0}, twice = {0}, json = {0};

    for (uint32_t i = 0; i < 0x1000000; i += i < 0x10000 ? 1 : 251) {
        char bytes[3] = {(char)(i >> 16), (char)(i >> 8), (char)i};
        vt_buf_clear(&once);
        vt_escape_terminal(&once, bytes, 3);
        assert_true(is_tame(once.data, once.length));
        vt_buf_clear(&twice);
        vt_escape_terminal(&twice, once.data, once.length);
        size_t backslashes = 0;
        for (size_t k = 0; k < once.length; k++)
            backslashes += once.data[k] == '\\';
        assert_int_equal(twice.length, once.length + backslashes);
        vt_buf_clear(&json);
        vt_escape_json(&json, bytes, 3);
        assert_true(is_tame(json.data, json.length));
    }
    vt_buf_deinit(&json);
    vt_buf_deinit(&twice);
    vt_buf_deinit(&once);
}

static void test_human_size(void **state)
{
    (void)state;
    struct vt_buf buf = {0};
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "0"},
        {1, "1B"},
        {1023, "1023B"},
        {1024, "1.0K"},
        {4096, "4.0K"},
        {135168, "132.0K"},
        {1536, "1.5K"},
        {1024 * 1023, "1023K"},
        {1023 * 1024 - 20, "1023K"},
        {1024 * 1000 - 20, "1000K"}, /* 999.98K */
        {1024 * 1000 - 512, "999.5K"},
        {1024 * 1024 - 1, "1.0M"}, /* rounds up into the next unit */
        {1024 * 1024 - 512, "1.0M"},
        {1024 * 1024 - 513, "1023K"},
        {1572864, "1.5M"},
        {UINT64_C(20) << 30, "20.0G"},
        {UINT64_C(1) << 47, "128.0T"},
        {UINT64_C(1) << 60, "1.0E"},
        {UINT64_MAX, "16.0E"},
    };

    for (size_t i = 0; i < VT_COUNTOF(cases); i++) {
        vt_buf_clear(&buf);
        vt_human_size(&buf, cases[i].bytes);
        assert_string_equal(vt_buf_cstr(&buf), cases[i].text);
    }
    for (uint64_t bytes = 1; bytes < UINT64_MAX / 3; bytes += bytes / 2 + 1) {
        vt_buf_clear(&buf);
        vt_human_size(&buf, bytes);
        assert_true(buf.length <= 6);
    }
    vt_buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_text),
        cmocka_unit_test(test_error_forgives),
        cmocka_unit_test(test_error_wraps_itself),
        cmocka_unit_test(test_error_cuts_in_front_of_meaning),
        cmocka_unit_test(test_buf_grows),
        cmocka_unit_test(test_buf_numbers),
        cmocka_unit_test(test_buf_remembers_failure),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_clock_goes_on),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_escape_all_short_strings),
        cmocka_unit_test(test_human_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
