/*
 * pack.h - the changes of one event as bytes: the column events.changes, whose
 * form contrib/schema/recording.sql documents.
 */
#ifndef RECORDING_PACK_H
#define RECORDING_PACK_H

#include <vastrace/event.h>

#include "base/buf.h"

/* One side of a change, with its object by number. */
struct vt_packed_state {
    uint64_t offset;
    uint32_t object; /* objects.id; 0: none */
    uint8_t prot;
    uint8_t flags;
    uint8_t kind;
};

/* A change as a recording has it. */
struct vt_packed {
    enum vt_change_op op;
    bool source_stays;
    bool has_image;
    vt_addr start;
    vt_addr end;
    vt_addr from; /* MOVED: where the pages were, else `start` */
    struct vt_packed_state before;
    struct vt_packed_state after;
    uint32_t image; /* objects.id of the image's file */
    uint64_t bias;
};

/* Append a change and what its image says of it. */
void vt_pack(struct vt_buf *out, const struct vt_change *change, const struct vt_detail *detail);

/*
 * Take the next change off the front of *bytes. Returns 0; 1 at the end; or
 * -EINVAL where the bytes are no change: every value is checked, so that what
 * is returned is a range that is not empty, with kinds, permissions and flags
 * that exist. Numbers of objects are as they are: the caller looks them up.
 */
int vt_unpack(const uint8_t **bytes, size_t *length, struct vt_packed *change);

#endif
