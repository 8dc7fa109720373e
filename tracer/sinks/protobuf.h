/*
 * protobuf.h - fields of protocol buffer messages as bytes: what is needed to
 * write them, and no more. (protobuf.dev, "Encoding")
 */
#ifndef SINKS_PROTOBUF_H
#define SINKS_PROTOBUF_H

#include "base/buf.h"

/* uint32, uint64, bool, an enum; int64 as its two's complement. */
void vt_pb_number(struct vt_buf *out, unsigned field, uint64_t value);

/* string, bytes */
void vt_pb_bytes(struct vt_buf *out, unsigned field, const void *bytes, size_t length);
void vt_pb_string(struct vt_buf *out, unsigned field, const char *text);

/* A message as a field: what is appended between begin and end is in it. They nest. */
size_t vt_pb_begin(struct vt_buf *out, unsigned field);
void vt_pb_end(struct vt_buf *out, size_t begun);

#endif
