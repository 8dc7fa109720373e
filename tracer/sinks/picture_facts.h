/*
 * picture_facts.h - what all formats of `vastrace layout` share: facts that follow from the input.
 */
#ifndef SINKS_PICTURE_FACTS_H
#define SINKS_PICTURE_FACTS_H

#include "sinks/picture.h"

#define VT_PIC_USER_END_47 0x7ffffffff000u /* TASK_SIZE with 4-level page tables */

struct vt_pic_facts {
    bool compat; /* a 32-bit program */
    uint64_t page_size;
    vt_addr user_end;      /* what the process may map lies below */
    vt_addr canonical_end; /* end of the lower half; 32-bit: of its 4 GiB */
    vt_addr kernel_start;  /* of the upper half; 0 for a 32-bit program */
    struct vt_layout_marks marks;
};

void vt_pic_find_facts(const struct vt_picture_input *input, struct vt_pic_facts *facts);

/* Is this the region that the kernel names [heap] or [stack]? */
bool vt_pic_is_heap(const struct vt_region *region, const struct vt_layout_marks *marks);
bool vt_pic_is_stack(const struct vt_region *region, const struct vt_layout_marks *marks);

/* The input's detail of a region, empty where it has none. */
void vt_pic_detail(const struct vt_picture_input *input, const struct vt_region *region,
                   struct vt_detail *detail);

/* Ends a renderer: a buffer that could not grow is its only failure. */
int vt_pic_finish(const struct vt_buf *out, struct vt_error *err);

#endif
