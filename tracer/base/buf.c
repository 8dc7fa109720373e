/*
 * buf.c - hides how a byte buffer grows and how numbers become digits.
 *
 * Invariants: length <= capacity; data is null only while capacity is 0. Once
 * growing has failed, every append does nothing, so that what the buffer holds
 * is whole up to the failure.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void vt_buf_deinit(struct vt_buf *buf)
{
    free(buf->data);
    *buf = (struct vt_buf){0};
}

/* The slow path of vt_buf_room(): more memory, at least doubled. */
static bool grow(struct vt_buf *buf, size_t length)
{
    if (buf->failed || length > SIZE_MAX - buf->length)
        goto fail;

    size_t need = buf->length + length;
    size_t wanted = buf->capacity > SIZE_MAX / 2 ? need : buf->capacity * 2;
    if (wanted < need)
        wanted = need;
    if (wanted < 256)
        wanted = 256;
    char *grown = realloc(buf->data, wanted);
    if (!grown)
        goto fail;
    buf->data = grown;
    buf->capacity = wanted;
    return true;

fail:
    buf->failed = true;
    return false;
}

char *vt_buf_room(struct vt_buf *buf, size_t length)
{
    if (buf->failed || (length > buf->capacity - buf->length && !grow(buf, length)))
        return NULL;
    return buf->data + buf->length;
}

void vt_buf_add(struct vt_buf *buf, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    char *to = vt_buf_room(buf, length);
    if (!to)
        return;
    memcpy(to, bytes, length);
    buf->length += length;
}

void vt_buf_str(struct vt_buf *buf, const char *text)
{
    vt_buf_add(buf, text, strlen(text));
}

void vt_buf_char(struct vt_buf *buf, char c)
{
    char *to = vt_buf_room(buf, 1);
    if (!to)
        return;
    *to = c;
    buf->length++;
}

void vt_buf_printf(struct vt_buf *buf, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int wanted = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (wanted < 0) {
        buf->failed = true;
        return;
    }

    /* vsnprintf() writes a NUL behind the text: room for it, but no part of the length. */
    char *to = vt_buf_room(buf, (size_t)wanted + 1);
    if (!to)
        return;
    va_start(args, fmt);
    vsnprintf(to, (size_t)wanted + 1, fmt, args);
    va_end(args);
    buf->length += (size_t)wanted;
}

size_t vt_varint(uint8_t to[VT_VARINT_MOST], uint64_t value)
{
    size_t length = 0;
    for (; value >= 0x80; value >>= 7)
        to[length++] = (uint8_t)(value | 0x80);
    to[length++] = (uint8_t)value;
    return length;
}

void vt_buf_varint(struct vt_buf *buf, uint64_t value)
{
    uint8_t bytes[VT_VARINT_MOST];
    vt_buf_add(buf, bytes, vt_varint(bytes, value));
}

void vt_buf_hex(struct vt_buf *buf, uint64_t value, unsigned width)
{
    unsigned digits = value ? (67 - (unsigned)__builtin_clzll(value)) / 4 : 1;
    if (digits < width)
        digits = width;

    char *to = vt_buf_room(buf, digits);
    if (!to)
        return;
    for (unsigned i = digits; i-- > 0; value >>= 4)
        to[i] = "0123456789abcdef"[value & 15];
    buf->length += digits;
}

void vt_buf_dec(struct vt_buf *buf, uint64_t value)
{
    char digits[20]; /* 2^64 - 1 has 20 */
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    vt_buf_add(buf, digits + at, sizeof(digits) - at);
}

const char *vt_buf_cstr(struct vt_buf *buf)
{
    char *end = vt_buf_room(buf, 1);
    if (!end)
        return "";
    *end = '\0';
    return buf->data;
}
