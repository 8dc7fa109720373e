/*
 * json.c - hides JSON's syntax: no number is given in floating point, addresses are strings.
 */
#include "sinks/json.h"

#include <string.h>

#include "base/escape.h"

void vt_json_int(struct vt_buf *out, int64_t value)
{
    if (value < 0)
        vt_buf_char(out, '-');
    vt_buf_dec(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void vt_json_bool(struct vt_buf *out, bool value)
{
    vt_buf_str(out, value ? "true" : "false");
}

void vt_json_hex(struct vt_buf *out, uint64_t value)
{
    vt_buf_str(out, "\"0x");
    vt_buf_hex(out, value, 0);
    vt_buf_char(out, '"');
}

void vt_json_hex_or_null(struct vt_buf *out, uint64_t value)
{
    if (value)
        vt_json_hex(out, value);
    else
        vt_buf_str(out, "null");
}

void vt_json_word(struct vt_buf *out, const char *word)
{
    vt_buf_char(out, '"');
    vt_buf_str(out, word);
    vt_buf_char(out, '"');
}

void vt_json_text(struct vt_buf *out, const char *bytes)
{
    if (bytes)
        vt_escape_json(out, bytes, strlen(bytes));
    else
        vt_buf_str(out, "null");
}

void vt_json_exactness(struct vt_buf *out, const struct vt_exactness *exact)
{
    VT_JSON_FIRST(out, "stops");
    vt_buf_dec(out, exact->stops);
    VT_JSON_NAME(out, "compared");
    vt_buf_dec(out, exact->compared);
    VT_JSON_NAME(out, "agreed");
    vt_buf_dec(out, exact->agreed);
    VT_JSON_NAME(out, "resyncs");
    vt_buf_dec(out, exact->resyncs);
    VT_JSON_NAME(out, "uncertain");
    vt_buf_dec(out, exact->uncertain);
    VT_JSON_NAME(out, "lost");
    vt_buf_dec(out, exact->lost);
    vt_buf_char(out, '}');
}
