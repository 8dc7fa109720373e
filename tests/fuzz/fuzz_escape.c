/*
 * fuzz_escape.c - hostile bytes made safe: what is written holds nothing that a
 * terminal or a JSON parser would act upon, and different names stay different.
 */
#include <string.h>

#include "base/escape.h"
#include "fuzz.h"

/* The next character of UTF-8 text, which must be well-formed. */
static uint32_t character(const unsigned char **at, const unsigned char *end)
{
    unsigned lead = *(*at)++;
    unsigned follow = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    uint32_t value = follow ? lead & (0x3f >> follow) : lead;
    FUZZ_CHECK((lead < 0x80 || lead >= 0xc2) && lead < 0xf5);
    for (unsigned i = 0; i < follow; i++) {
        FUZZ_CHECK(*at < end && (**at & 0xc0) == 0x80);
        value = value << 6 | (*(*at)++ & 0x3f);
    }
    FUZZ_CHECK(value >= least[follow] && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff));
    return value;
}

static bool acts_on_a_terminal(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static unsigned digit(char c)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, c | 0x20);
    FUZZ_CHECK(c && at);
    return (unsigned)(at - digits);
}

static void add_character(struct vt_buf *out, uint32_t c)
{
    static const uint32_t leads[] = {0, 0xc0, 0xe0, 0xf0};
    unsigned follow = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    vt_buf_char(out, (char)(leads[follow] | c >> (6 * follow)));
    while (follow--)
        vt_buf_char(out, (char)(0x80 | (c >> (6 * follow) & 0x3f)));
}

/* Undo the escapes of a terminal's text: \\ \n \t \xHH \u{HHHH}. */
static void undo(struct vt_buf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '\\') {
            vt_buf_char(out, text[i]);
            continue;
        }
        FUZZ_CHECK(++i < length);
        if (text[i] == 'x') {
            FUZZ_CHECK(i + 2 < length);
            vt_buf_char(out, (char)(digit(text[i + 1]) << 4 | digit(text[i + 2])));
            i += 2;
        } else if (text[i] == 'u') {
            uint32_t c = 0;
            FUZZ_CHECK(i + 1 < length && text[i + 1] == '{');
            for (i += 2; i < length && text[i] != '}'; i++)
                c = c << 4 | digit(text[i]);
            FUZZ_CHECK(i < length);
            add_character(out, c);
        } else {
            FUZZ_CHECK(strchr("\\nt", text[i]));
            vt_buf_char(out, text[i] == 'n' ? '\n' : text[i] == 't' ? '\t' : '\\');
        }
    }
}

static void check_characters(const struct vt_buf *text)
{
    const unsigned char *at = (const unsigned char *)text->data;
    const unsigned char *end = text->length ? at + text->length : at;
    while (at < end)
        FUZZ_CHECK(!acts_on_a_terminal(character(&at, end)));
}

/* One JSON string: a quote at both ends and none between but behind a backslash. */
static void check_json(const struct vt_buf *json)
{
    FUZZ_CHECK(json->length >= 2 && json->data[0] == '"' && json->data[json->length - 1] == '"');
    for (size_t i = 1; i < json->length - 1; i++) {
        FUZZ_CHECK(json->data[i] != '"');
        if (json->data[i] != '\\')
            continue;
        FUZZ_CHECK(++i < json->length - 1 && strchr("\\\"ntu", json->data[i]));
        for (int n = 0; json->data[i] == 'u' && n < 4; n++)
            digit(i + 4 < json->length ? json->data[i + 1 + (size_t)n] : 'x');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_buf text = {0}, back = {0}, json = {0}, human = {0};
    struct fuzz_bytes bytes = {data, size};

    vt_escape_terminal(&text, (const char *)data, size);
    check_characters(&text);
    undo(&back, text.data, text.length);
    FUZZ_CHECK(back.length == size && (!size || !memcmp(back.data, data, size)));

    vt_escape_json(&json, (const char *)data, size);
    check_characters(&json);
    check_json(&json);

    vt_human_size(&human, fuzz_take(&bytes, 8));
    FUZZ_CHECK(human.length >= 1 && human.length <= 6);

    vt_buf_deinit(&text);
    vt_buf_deinit(&back);
    vt_buf_deinit(&json);
    vt_buf_deinit(&human);
    return 0;
}
