/*
 * pack.c - hides the byte form of changes. Both directions stand side by side:
 * what one writes the other reads.
 */
#include "recording/pack.h"

#include <errno.h>

#include "base/base.h"

enum { BIT_SOURCE_STAYS = 1, BIT_IMAGE = 2, BITS_ALL = 3 };

#define PROT_BITS  7
#define FLAG_SHIFT 3
#define FLAG_BITS  31 /* enum vt_region_flag, and room for one more */

static void put_state(struct vt_buf *out, const struct vt_region *r)
{
    vt_buf_char(out, (char)((r->prot & PROT_BITS) | (r->flags & FLAG_BITS) << FLAG_SHIFT));
    vt_buf_char(out, (char)r->kind);
    vt_buf_varint(out, r->object ? r->object->id : 0);
    vt_buf_varint(out, r->offset);
}

void vt_pack(struct vt_buf *out, const struct vt_change *change, const struct vt_detail *detail)
{
    bool image = detail && detail->image;
    vt_buf_char(out, (char)change->op);
    vt_buf_char(out,
                (char)((change->source_stays ? BIT_SOURCE_STAYS : 0) | (image ? BIT_IMAGE : 0)));
    vt_buf_varint(out, change->start);
    vt_buf_varint(out, change->end - change->start);
    if (change->op != VT_CHANGE_MADE) {
        if (change->op == VT_CHANGE_MOVED)
            vt_buf_varint(out, change->before.start);
        put_state(out, &change->before);
    }
    if (change->op != VT_CHANGE_GONE)
        put_state(out, &change->after);
    if (image) {
        vt_buf_varint(out, detail->image->id);
        vt_buf_varint(out, detail->bias);
    }
}

struct cursor {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static uint8_t take_byte(struct cursor *cursor)
{
    if (!cursor->left) {
        cursor->bad = true;
        return 0;
    }
    cursor->left--;
    return *cursor->at++;
}

static uint64_t take(struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = take_byte(cursor);
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    cursor->bad = true;
    return 0;
}

static uint32_t take_id(struct cursor *cursor)
{
    uint64_t value = take(cursor);
    cursor->bad |= value > INT32_MAX;
    return (uint32_t)value;
}

static void take_state(struct cursor *cursor, struct vt_packed_state *state)
{
    uint8_t bits = take_byte(cursor);
    state->prot = bits & PROT_BITS;
    state->flags = bits >> FLAG_SHIFT;
    state->kind = take_byte(cursor);
    state->object = take_id(cursor);
    state->offset = take(cursor);
    cursor->bad |= state->kind >= VT_KIND_COUNT;
}

int vt_unpack(const uint8_t **bytes, size_t *length, struct vt_packed *change)
{
    struct cursor cursor = {*bytes, *length, false};
    if (!cursor.left)
        return 1;
    *change = (struct vt_packed){.op = (enum vt_change_op)take_byte(&cursor)};
    uint8_t bits = take_byte(&cursor);
    change->start = take(&cursor);
    uint64_t size = take(&cursor);
    change->end = change->start + size;
    change->from = change->start;
    change->source_stays = bits & BIT_SOURCE_STAYS;
    change->has_image = bits & BIT_IMAGE;
    switch (change->op) {
    case VT_CHANGE_MADE:
        break;
    case VT_CHANGE_MOVED:
        change->from = take(&cursor);
        cursor.bad |= change->from + size < change->from;
        take_state(&cursor, &change->before);
        break;
    case VT_CHANGE_GONE:
    case VT_CHANGE_ALTERED:
        take_state(&cursor, &change->before);
        break;
    default:
        return -EINVAL;
    }
    if (change->op != VT_CHANGE_GONE)
        take_state(&cursor, &change->after);
    if (change->has_image) {
        change->image = take_id(&cursor);
        change->bias = take(&cursor);
    }
    if (cursor.bad || (bits & ~BITS_ALL) || change->end <= change->start)
        return -EINVAL;
    *bytes = cursor.at;
    *length = cursor.left;
    return 0;
}
