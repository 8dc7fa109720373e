/*
 * picture_area.h - the mapped area: what is drawn as rows because there is too much of it for
 * boxes, and what of it is folded into one row.
 */
#ifndef SINKS_PICTURE_AREA_H
#define SINKS_PICTURE_AREA_H

#include "sinks/picture_sketch.h"

/* How much is folded: each level when the one before leaves too many lines. */
enum vt_pic_folding {
    VT_PIC_FOLD_NOTHING, /* a box an image, a row a region */
    VT_PIC_FOLD_RUNS,    /* a box an image, a row a run of regions of one kind */
    VT_PIC_FOLD_IMAGES,  /* a row an image, too */
    VT_PIC_FOLD_MIXED,   /* a row a run of regions between images, of whatever kinds */
    VT_PIC_FOLD_SMALL,   /* a row a run of whatever is smaller than a threshold, images too */
};

struct vt_pic_fold {
    enum vt_pic_folding level;
    uint64_t threshold; /* VT_PIC_FOLD_SMALL: bytes */
};

/* Boxes of cells [low, high): mapped ones, with the holes between them. */
void vt_pic_add_area(struct vt_pic_sketch *s, size_t low, size_t high,
                     const struct vt_pic_fold *fold);

#endif
