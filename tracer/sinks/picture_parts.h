/*
 * picture_parts.h - what both the boxes of a picture and its mapped area are made of.
 */
#ifndef SINKS_PICTURE_PARTS_H
#define SINKS_PICTURE_PARTS_H

#include "sinks/picture_sketch.h"

/* Rows of one region of an image, top-down: one, or one a stretch of data of one kind. */
void vt_pic_add_image_rows(struct vt_pic_sketch *s, const struct vt_pic_cell *cell);

/* The box of a hole, by its index, with what grows into it. */
void vt_pic_add_hole_box(struct vt_pic_sketch *s, size_t index);

#endif
