/*
 * picture_boxes.h - which boxes a picture is made of, and in which order.
 */
#ifndef SINKS_PICTURE_BOXES_H
#define SINKS_PICTURE_BOXES_H

#include "sinks/picture_sketch.h"

/* Sketch all of the address space with as little folding as the input's line limit allows. */
void vt_pic_build(struct vt_pic_sketch *s);

#endif
