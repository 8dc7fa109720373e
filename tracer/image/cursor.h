/*
 * cursor.h - reading little-endian numbers, one after the other, from bytes
 * that nobody vouches for.
 *
 * A cursor that has been asked for more than there is turns bad, and all that is
 * taken from then on is 0: whoever reads checks once, at the end.
 */
#ifndef IMAGE_CURSOR_H
#define IMAGE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct vt_cursor {
    const unsigned char *at;
    const unsigned char *end;
    bool bad;
};

/* `bytes`: 1..8 */
static inline uint64_t vt_take(struct vt_cursor *c, size_t bytes)
{
    uint64_t value = 0;

    if (c->bad || (size_t)(c->end - c->at) < bytes) {
        c->bad = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)c->at[i] << (8 * i);
    c->at += bytes;
    return value;
}

static inline int64_t vt_take_signed(struct vt_cursor *c, size_t bytes)
{
    unsigned shift = (unsigned)(64 - 8 * bytes);

    return (int64_t)(vt_take(c, bytes) << shift) >> shift;
}

/* DWARF's numbers of any length (LEB128); what does not fit into 64 bits is cut off. */
static inline uint64_t vt_take_leb(struct vt_cursor *c)
{
    uint64_t value = 0;

    for (unsigned shift = 0;; shift += 7) {
        uint64_t byte = vt_take(c, 1);
        if (shift < 64)
            value |= (byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
}

static inline int64_t vt_take_signed_leb(struct vt_cursor *c)
{
    uint64_t value = 0;

    for (unsigned shift = 0;; shift += 7) {
        uint64_t byte = vt_take(c, 1);
        if (shift < 64)
            value |= (byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        if (byte & 0x40 && shift + 7 < 64)
            value |= UINT64_MAX << (shift + 7);
        return (int64_t)value;
    }
}

/*
 * A length in DWARF's way, of 4 bytes or, behind 4 that say so, of 8. *word: how many bytes its
 * offsets have then.
 */
static inline uint64_t vt_take_length(struct vt_cursor *c, size_t *word)
{
    uint64_t length = vt_take(c, 4);

    *word = length == UINT32_MAX ? 8 : 4;
    return *word == 8 ? vt_take(c, 8) : length;
}

static inline void vt_skip(struct vt_cursor *c, uint64_t bytes)
{
    if (c->bad || bytes > (uint64_t)(c->end - c->at))
        c->bad = true;
    else
        c->at += bytes;
}

/* The next bytes as a cursor of their own; an empty bad one if there are not so many. */
static inline struct vt_cursor vt_take_part(struct vt_cursor *c, uint64_t bytes)
{
    const unsigned char *begin = c->at;

    vt_skip(c, bytes);
    return c->bad ? (struct vt_cursor){begin, begin, true}
                  : (struct vt_cursor){begin, c->at, false};
}

/* A string up to its NUL, which must be there; else "". */
static inline const char *vt_take_string(struct vt_cursor *c)
{
    const unsigned char *begin = c->at;
    const unsigned char *nul = c->bad ? NULL : memchr(begin, 0, (size_t)(c->end - begin));

    if (!nul) {
        c->bad = true;
        return "";
    }
    c->at = nul + 1;
    return (const char *)begin;
}

#endif
