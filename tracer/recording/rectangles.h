/*
 * rectangles.h - changes of one address space, event by event, to rows of the
 * table regions: address range x lifetime. For the writing half.
 */
#ifndef RECORDING_RECTANGLES_H
#define RECORDING_RECTANGLES_H

#include <vastrace/event.h>

#include "recording/rows.h"
#include "recording/tiles.h"

/*
 * A change came about at an event. `image` is images.id of what lies there
 * afterwards, 0: none. Rectangles that it ends become rows; those that it
 * begins stay in `tiles` until they end or vt_rectangles_store() is called.
 */
void vt_rectangles_apply(struct vt_rows *rows, uint32_t space, struct vt_tiles *tiles,
                         const struct vt_change *change, uint32_t image, uint64_t event);

/* Make rows of those that are still open, too. */
void vt_rectangles_store(struct vt_rows *rows, uint32_t space, struct vt_tiles *tiles);

#endif
