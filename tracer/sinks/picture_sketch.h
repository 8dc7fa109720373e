/*
 * picture_sketch.h - a picture before it is drawn: boxes with their rows and texts, top-down.
 * Whoever builds one knows nothing of glyphs, colours and columns, but how much room names have.
 *
 * Memory that runs out is remembered, as in a buffer: the functions always return something to
 * write to, and `failed` tells in the end.
 */
#ifndef SINKS_PICTURE_SKETCH_H
#define SINKS_PICTURE_SKETCH_H

#include "sinks/picture_cells.h"

/* A text of the sketch; 0 is the empty one. */
typedef size_t vt_pic_text;

/* One stretch of a box. It begins at `start` and ends where the row above it begins. */
struct vt_pic_row {
    vt_addr start;
    uint64_t size; /* what the size column says: bytes mapped, of a hole its length */
    uint8_t kind;  /* for the colour; VT_KIND_COUNT: dim */
    bool hole;
    char perm[5]; /* empty: none, or several */
    vt_pic_text name;
    vt_pic_text note; /* beside the box, where there is room */
    bool pointer;     /* no stretch but a mark at this address: name and note alone */
};

struct vt_pic_box {
    vt_addr start; /* its end is the start of the box above */
    size_t first_row;
    size_t row_count;
    unsigned height;        /* lines for rows, at least row_count */
    bool hole;              /* drawn with open sides */
    bool inner;             /* belongs with what is above it: its border is dashed */
    vt_pic_text title;      /* in the upper border */
    vt_pic_text title_size; /* at the right end of the upper border */
    vt_pic_text title_note;
    vt_pic_text above; /* on the first line inside, with an arrow: what grows down into it */
    vt_pic_text below; /* on the last line inside: what grows up into it */
};

struct vt_pic_sketch {
    const struct vt_pic_cells *cells;
    bool utf8;           /* texts may hold more than ASCII */
    bool wide;           /* there is room for whole sentences beside the boxes */
    unsigned note_width; /* columns for notes */
    unsigned name_width; /* columns for the name of a row; with no permissions there are more: */
#define VT_PIC_PERM_WIDTH 6

    struct vt_pic_row *rows;
    size_t row_count, row_capacity;
    struct vt_pic_box *boxes;
    size_t box_count, box_capacity;
    struct vt_buf texts;         /* NUL-terminated */
    bool failed;                 /* out of memory */
    struct vt_pic_row spare_row; /* written to once memory has run out; never drawn */
    struct vt_pic_box spare_box;
};

/* Forget all boxes, rows and texts, to build anew. */
void vt_pic_clear(struct vt_pic_sketch *s);
void vt_pic_sketch_deinit(struct vt_pic_sketch *s);

/* The text, valid until the next one is made. */
const char *vt_pic_text_at(const struct vt_pic_sketch *s, vt_pic_text text);

/* A text that holds nothing that needs escaping. */
vt_pic_text vt_pic_format(struct vt_pic_sketch *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* `prefix`, then hostile bytes made safe. */
vt_pic_text vt_pic_escaped(struct vt_pic_sketch *s, const char *prefix, const char *bytes);

/* A text in parts: what is appended to s->texts from s->texts.length on, ended here. */
vt_pic_text vt_pic_text_end(struct vt_pic_sketch *s, vt_pic_text start);

/* Hostile bytes as they may stand in a picture: for a terminal, and in ASCII where it has no other. */
void vt_pic_add_escaped(struct vt_buf *to, const char *bytes, bool utf8);

/* A box that begins at `start`, and its rows from here on, top-down. Each may move the others. */
struct vt_pic_box *vt_pic_add_box(struct vt_pic_sketch *s, vt_addr start);
struct vt_pic_row *vt_pic_add_row(struct vt_pic_sketch *s, vt_addr start, uint64_t size);

/* A mark inside a stretch like `inside`: where a pointer of the process points to. */
void vt_pic_add_pointer(struct vt_pic_sketch *s, vt_addr at, const struct vt_pic_row *inside,
                        vt_pic_text name);

/* The main thread's stack pointer, if it points between these. */
void vt_pic_add_stack_pointer(struct vt_pic_sketch *s, vt_addr start, vt_addr end,
                              const struct vt_pic_row *inside);

/* The row's kind and permissions. */
void vt_pic_set_region(struct vt_pic_row *row, const struct vt_region *region);

/* End a box: its height follows from its rows, and of one row or a hole from its size. */
void vt_pic_close_box(struct vt_pic_sketch *s, struct vt_pic_box *box, uint64_t size);

/*
 * Lines for so many bytes: one below 64K, two below 32M, and one more for each further factor of
 * 512, up to five. So a page, some code, a large heap and an empty half are told apart, and fit.
 */
unsigned vt_pic_height(uint64_t size);

/* Lines of the whole, borders included. */
uint64_t vt_pic_lines(const struct vt_pic_sketch *s);

/* "4.0K" */
struct vt_pic_size_text {
    char text[16];
};
struct vt_pic_size_text vt_pic_size_text(uint64_t bytes);

#endif
