/*
 * protobuf.c - hides tags, and that a message's length stands before
 * it: one byte is left for it, and the message is moved on if that is too short.
 */
#include "sinks/protobuf.h"

#include <string.h>

enum wire { VARINT = 0, LENGTH_DELIMITED = 2 };

static void put_tag(struct vt_buf *out, unsigned field, enum wire wire)
{
    vt_buf_varint(out, (uint64_t)field << 3 | wire);
}

void vt_pb_number(struct vt_buf *out, unsigned field, uint64_t value)
{
    put_tag(out, field, VARINT);
    vt_buf_varint(out, value);
}

void vt_pb_bytes(struct vt_buf *out, unsigned field, const void *bytes, size_t length)
{
    put_tag(out, field, LENGTH_DELIMITED);
    vt_buf_varint(out, length);
    vt_buf_add(out, bytes, length);
}

void vt_pb_string(struct vt_buf *out, unsigned field, const char *text)
{
    vt_pb_bytes(out, field, text, strlen(text));
}

size_t vt_pb_begin(struct vt_buf *out, unsigned field)
{
    put_tag(out, field, LENGTH_DELIMITED);
    vt_buf_char(out, 0);
    return out->length;
}

void vt_pb_end(struct vt_buf *out, size_t begun)
{
    uint8_t length[VT_VARINT_MOST];
    if (out->failed) /* `begun` need not be there */
        return;
    size_t size = out->length - begun, digits = vt_varint(length, size);
    if (digits > 1) {
        if (!vt_buf_room(out, digits - 1))
            return;
        memmove(out->data + begun + digits - 1, out->data + begun, size);
        out->length += digits - 1;
    }
    memcpy(out->data + begun - 1, length, digits);
}
