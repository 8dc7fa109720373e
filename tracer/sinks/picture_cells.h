/*
 * picture_cells.h - what there is to draw: the user half of an address space as regions and the
 * holes between them.
 */
#ifndef SINKS_PICTURE_CELLS_H
#define SINKS_PICTURE_CELLS_H

#include "sinks/picture_facts.h"

/* What a cell belongs to. From the program on, regions are drawn as boxes of their own. */
enum vt_pic_section { VT_PIC_FREE, VT_PIC_MAPPED, VT_PIC_PROGRAM, VT_PIC_HEAP, VT_PIC_STACK };

/* A region or a hole of the user half. */
struct vt_pic_cell {
    struct vt_region region; /* of a hole only start and end */
    struct vt_detail detail;
    enum vt_pic_section section;
};

/* The cells tile the user half, ascending; a hole is cut where an address has a meaning. */
struct vt_pic_cells {
    const struct vt_picture_input *input;
    struct vt_pic_facts facts;
    struct vt_pic_cell *items;
    size_t count, capacity;

    /* Of the mapped area, for its title: the largest run that nothing else interrupts. */
    vt_addr area_start, area_end;
    uint64_t area_regions, area_bytes;
    bool bottom_up;   /* the legacy layout: new mappings go upwards */
    size_t next_hole; /* the hole that new mappings go to; `count`: not known */
};

/* 0 or -ENOMEM; deinit in either case. */
int vt_pic_cells_init(struct vt_pic_cells *cells, const struct vt_picture_input *input);
void vt_pic_cells_deinit(struct vt_pic_cells *cells);

/* False beyond the last cell. */
bool vt_pic_is_hole(const struct vt_pic_cells *cells, size_t index);

uint64_t vt_pic_size(const struct vt_pic_cell *cell);

/* Large for its address space: a hole gets a box of its own, a region is not folded with others. */
bool vt_pic_is_big(const struct vt_pic_cells *cells, const struct vt_pic_cell *cell);

#endif
