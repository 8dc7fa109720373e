/*
 * picture_kernel.h - the kernel half of a picture.
 */
#ifndef SINKS_PICTURE_KERNEL_H
#define SINKS_PICTURE_KERNEL_H

#include "sinks/picture_sketch.h"

/* One box, with a row for each part that the input knows of. */
void vt_pic_add_kernel_box(struct vt_pic_sketch *s);

#endif
