/*
 * escape.c - hides what is dangerous in a name and how each destination says it.
 *
 * Invariants: whatever the bytes, what vt_escape_terminal() gives is valid
 * UTF-8 without control or format characters, on one line, and can be turned
 * back; what vt_escape_json() gives is one valid JSON string that is as safe on
 * a terminal.
 */
#include "base/escape.h"

#include "base/base.h"

/*
 * Characters that have no glyph and change what is seen around them: they could
 * make one name look like another, or a line read in another order.
 */
static const struct {
    uint32_t first;
    uint32_t last;
} unsafe_ranges[] = {
    {0x0000, 0x001f},   /* C0 */
    {0x007f, 0x009f},   /* DEL and C1: CSI and OSC in one character */
    {0x00ad, 0x00ad},   /* soft hyphen */
    {0x061c, 0x061c},   /* Arabic letter mark (bidi) */
    {0x115f, 0x1160},   /* Hangul fillers, seen as nothing */
    {0x180b, 0x180e},   /* Mongolian variation selectors, vowel separator */
    {0x200b, 0x200f},   /* zero-width space and joiners, LRM, RLM */
    {0x2028, 0x202e},   /* line and paragraph separator, bidi embeddings and overrides */
    {0x2060, 0x206f},   /* word joiner, invisible operators, bidi isolates */
    {0x3164, 0x3164},   /* Hangul filler */
    {0xfeff, 0xfeff},   /* zero-width no-break space, the byte order mark */
    {0xfff0, 0xfffb},   /* unassigned ignorables, interlinear annotation */
    {0xfffe, 0xffff},   /* not characters */
    {0x1d173, 0x1d17a}, /* musical format controls */
    {0xe0000, 0xe0fff}, /* tags and more variation selectors */
};

static bool is_unsafe(uint32_t point)
{
    for (size_t i = 0; i < VT_COUNTOF(unsafe_ranges); i++) {
        if (point < unsafe_ranges[i].first)
            return false;
        if (point <= unsafe_ranges[i].last)
            return true;
    }
    return false;
}

/*
 * The code point at bytes, and how many bytes it takes; 0 if they are not valid
 * UTF-8: a stray or missing continuation, an overlong form, a surrogate, or
 * above U+10FFFF.
 */
static size_t decode(const unsigned char *bytes, size_t length, uint32_t *point)
{
    unsigned char lead = bytes[0];
    size_t size;
    uint32_t value, least;

    if (lead < 0x80) {
        *point = lead;
        return 1;
    } else if ((lead & 0xe0) == 0xc0) {
        size = 2, value = lead & 0x1f, least = 0x80;
    } else if ((lead & 0xf0) == 0xe0) {
        size = 3, value = lead & 0x0f, least = 0x800;
    } else if ((lead & 0xf8) == 0xf0) {
        size = 4, value = lead & 0x07, least = 0x10000;
    } else {
        return 0;
    }
    if (size > length)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (bytes[i] & 0x3f);
    }
    if (value < least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *point = value;
    return size;
}

/* How many leading bytes are printable ASCII other than `a` and `b`: the usual name, whole. */
static size_t plain_run(const unsigned char *bytes, size_t length, char a, char b)
{
    size_t i = 0;

    while (i < length && bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != (unsigned char)a &&
           bytes[i] != (unsigned char)b)
        i++;
    return i;
}

void vt_escape_terminal(struct vt_buf *out, const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes;

    while (length > 0) {
        size_t size = plain_run(at, length, '\\', '\\');
        uint32_t point;
        if (size > 0) {
            vt_buf_add(out, at, size);
        } else if ((size = decode(at, length, &point)) == 0) {
            vt_buf_str(out, "\\x");
            vt_buf_hex(out, at[0], 2);
            size = 1;
        } else if (point == '\\') {
            vt_buf_str(out, "\\\\");
        } else if (point == '\n') {
            vt_buf_str(out, "\\n");
        } else if (point == '\t') {
            vt_buf_str(out, "\\t");
        } else if (!is_unsafe(point)) {
            vt_buf_add(out, at, size);
        } else if (size == 1) {
            vt_buf_str(out, "\\x");
            vt_buf_hex(out, point, 2);
        } else {
            vt_buf_str(out, "\\u{");
            vt_buf_hex(out, point, 4);
            vt_buf_char(out, '}');
        }
        at += size;
        length -= size;
    }
}

/* \uHHHH, as a surrogate pair above the basic plane. */
static void json_point(struct vt_buf *out, uint32_t point)
{
    if (point > 0xffff) {
        vt_buf_str(out, "\\u");
        vt_buf_hex(out, 0xd800 + ((point - 0x10000) >> 10), 4);
        point = 0xdc00 + ((point - 0x10000) & 0x3ff);
    }
    vt_buf_str(out, "\\u");
    vt_buf_hex(out, point, 4);
}

void vt_escape_json(struct vt_buf *out, const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes;

    vt_buf_char(out, '"');
    while (length > 0) {
        size_t size = plain_run(at, length, '\\', '"');
        uint32_t point;
        if (size > 0) {
            vt_buf_add(out, at, size);
        } else if ((size = decode(at, length, &point)) == 0) {
            vt_buf_str(out, "\xef\xbf\xbd"); /* U+FFFD */
            vt_buf_hex(out, at[0], 2);
            size = 1;
        } else if (point == '\\' || point == '"') {
            vt_buf_char(out, '\\');
            vt_buf_char(out, (char)point);
        } else if (point == '\n') {
            vt_buf_str(out, "\\n");
        } else if (point == '\t') {
            vt_buf_str(out, "\\t");
        } else if (is_unsafe(point)) {
            json_point(out, point);
        } else {
            vt_buf_add(out, at, size);
        }
        at += size;
        length -= size;
    }
    vt_buf_char(out, '"');
}

void vt_human_size(struct vt_buf *out, uint64_t bytes)
{
    static const char units[] = "BKMGTPE";
    unsigned unit = 0;

    if (bytes < 1024) {
        vt_buf_dec(out, bytes);
        if (bytes)
            vt_buf_char(out, 'B');
        return;
    }

    while (bytes >> (10 * unit) >= 1024)
        unit++;
    unsigned shift = 10 * unit;
    uint64_t half = UINT64_C(1) << (shift - 1);
    uint64_t whole = bytes >> shift;
    uint64_t rest = bytes & ((UINT64_C(1) << shift) - 1);
    uint64_t tenths = (rest * 10 + half) >> shift; /* below 2^60 * 10.5: no overflow */

    if (tenths == 10) {
        tenths = 0;
        whole++;
    }
    if (whole >= 1000) { /* four digits leave no room for a tenth */
        whole = (bytes >> shift) + (rest >= half);
        if (whole == 1024) { /* rounded up into the next unit */
            whole = 1;
            unit++;
            tenths = 0;
        } else {
            vt_buf_dec(out, whole);
            vt_buf_char(out, units[unit]);
            return;
        }
    }
    vt_buf_dec(out, whole);
    vt_buf_char(out, '.');
    vt_buf_char(out, (char)('0' + tenths));
    vt_buf_char(out, units[unit]);
}
