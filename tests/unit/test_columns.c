/*
 * test_columns.c - the room that text takes on a terminal: what is wide, what takes none, and
 * where a line is cut or folded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* after what it needs */

#include "base/buf.h"
#include "sinks/columns.h"

static void test_columns(void **state)
{
    (void)state;
    assert_int_equal(vt_columns(""), 0);
    assert_int_equal(vt_columns("heap"), 4);
    assert_int_equal(vt_columns("hé…"), 3);
    assert_int_equal(vt_columns("漢字.so"), 7);
    assert_int_equal(vt_columns("e\u0301"), 1); /* a combining accent */
    assert_int_equal(vt_columns("\033[1;35mheap\033[0m"), 4);
}

static void check_fitted(const char *text, unsigned columns, bool keep_end, const char *expected)
{
    struct vt_buf out = {0};

    assert_int_equal(vt_add_fitted(&out, text, columns, keep_end, "~"), vt_columns(expected));
    assert_string_equal(vt_buf_cstr(&out), expected);
    vt_buf_deinit(&out);
}

static void test_fitted(void **state)
{
    (void)state;
    check_fitted("libc.so.6", 9, false, "libc.so.6");
    check_fitted("libc.so.6", 8, false, "libc.so~");
    check_fitted("/usr/lib/libc.so.6", 8, true, "~bc.so.6");
    check_fitted("漢字漢字", 4, false, "漢~"); /* a wide one is not halved */
    check_fitted("漢字漢字", 4, true, "~字");
    check_fitted("anything", 1, false, "~");
    check_fitted("anything", 0, false, "");
}

static void check_fold(const char *line, unsigned width, unsigned indent, const char *expected)
{
    struct vt_buf out = {0};

    vt_buf_str(&out, "before\n");
    vt_buf_str(&out, line);
    vt_fold_line(&out, strlen("before\n"), width, indent);
    assert_memory_equal(vt_buf_cstr(&out), "before\n", 7);
    assert_string_equal(vt_buf_cstr(&out) + 7, expected);
    vt_buf_deinit(&out);
}

static void test_fold(void **state)
{
    (void)state;
    check_fold("one two three", 13, 2, "one two three");
    check_fold("one two three", 12, 2, "one two\n  three");
    check_fold("one two three four", 7, 2, "one two\n  three\n  four");
    check_fold("a", 1, 4, "a");
    /* A word that no line can take stays whole. */
    check_fold("any incomprehensible word", 8, 2, "any\n  incomprehensible\n  word");
    /* A clause goes on as a whole where it fits, once half of the line is used. */
    check_fold("brk  + heap  was anon rw-p", 20, 2, "brk  + heap\n  was anon rw-p");
    check_fold("brk  was anon rw-p there", 20, 2, "brk  was anon rw-p\n  there");
    /* The margin is kept, unless it leaves no room. */
    check_fold("    one two three", 12, 6, "    one two\n      three");
    check_fold("          above it", 12, 2, "  above it");
    /* Colours take no room, and end with each line. */
    check_fold("\033[35mone two\033[0m three", 13, 2, "\033[35mone two\033[0m three");
    check_fold("\033[35mone two three\033[0m four", 7, 2,
               "\033[35mone two\033[0m\n  \033[35mthree\033[0m\n  four");
}

/* Whatever the width, the words are those of the line. */
static void test_fold_loses_nothing(void **state)
{
    (void)state;
    static const char line[] =
        "  0.000123  exec      漢字: position-independent,  2 images, \033[2m12 "
        "regions\033[0m and more";
    struct vt_buf out = {0};

    for (unsigned width = 0; width < 100; width++) {
        for (unsigned indent = 0; indent < 30; indent += 7) {
            vt_buf_clear(&out);
            vt_buf_str(&out, line);
            vt_fold_line(&out, 0, width, indent);
            const char *at = line;
            for (const char *c = vt_buf_cstr(&out); *c; c++) {
                if (*c == ' ' || *c == '\n')
                    continue;
                if (*c == '\033') {
                    c += strcspn(c, "m");
                    continue;
                }
                while (*at == ' ' || *at == '\033')
                    at += *at == ' ' ? 1 : strcspn(at, "m") + 1;
                assert_int_equal(*c, *at);
                at++;
            }
            at += *at == '\033' ? strcspn(at, "m") + 1 : 0;
            assert_int_equal(*at, '\0');
        }
    }
    vt_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_fitted),
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_fold_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
