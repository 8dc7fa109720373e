/*
 * picture_paint.h - a sketch as lines on a terminal: in UTF-8 or ASCII, with colours or without.
 */
#ifndef SINKS_PICTURE_PAINT_H
#define SINKS_PICTURE_PAINT_H

#include "sinks/picture_sketch.h"

/* Where columns begin and end, by the width of the terminal. */
struct vt_pic_columns {
    unsigned width; /* of everything */
    unsigned addr, box, fill, note;
    unsigned name; /* of a row that has permissions */
};

struct vt_pic_columns vt_pic_columns(const struct vt_picture_input *input);

/* Append the picture: what is said of the process, the boxes, and how they are meant. */
void vt_pic_paint(const struct vt_pic_sketch *s, const struct vt_pic_columns *columns,
                  struct vt_buf *out);

#endif
