/*
 * buf.h - a growable byte buffer. Failure to grow is remembered, not returned:
 * the caller checks vt_buf_failed() once, after a run of appends.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vt_buf {
    char *data; /* not NUL-terminated; use vt_buf_cstr() */
    size_t length;
    size_t capacity;
    bool failed; /* out of memory: what was appended since is lost */
};

void vt_buf_deinit(struct vt_buf *buf);
static inline void vt_buf_clear(struct vt_buf *buf)
{
    buf->length = 0;
}

void vt_buf_add(struct vt_buf *buf, const void *bytes, size_t length);
void vt_buf_str(struct vt_buf *buf, const char *text);
void vt_buf_char(struct vt_buf *buf, char c);
void vt_buf_printf(struct vt_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Lower-case hexadecimal without a prefix, padded with zeros to at least `width` digits. */
void vt_buf_hex(struct vt_buf *buf, uint64_t value, unsigned width);
void vt_buf_dec(struct vt_buf *buf, uint64_t value);

/* LEB128, as protobuf's varint: seven bits a byte, the lowest first. Returns how many bytes. */
#define VT_VARINT_MOST 10
size_t vt_varint(uint8_t to[VT_VARINT_MOST], uint64_t value);
void vt_buf_varint(struct vt_buf *buf, uint64_t value);

/* Make room for `length` more bytes and return where they go, or null. Then add to buf->length. */
char *vt_buf_room(struct vt_buf *buf, size_t length);

/* The text, NUL-terminated behind its end; valid until the next append. "" when out of memory. */
const char *vt_buf_cstr(struct vt_buf *buf);

#endif
