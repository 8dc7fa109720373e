/*
 * picture_facts.c - hides the bounds of address spaces, and which regions the kernel names.
 */
#include "sinks/picture_facts.h"

#include <errno.h>
#include <string.h>

#define COMPAT_USER_END  0xffffe000u       /* IA32_PAGE_OFFSET of a 64-bit kernel */
#define USER_END_56      0xfffffffffff000u /* with 5-level page tables, for who asks */
#define CANONICAL_END_47 0x800000000000u   /* end of the lower canonical half */
#define CANONICAL_END_56 0x100000000000000u
#define KERNEL_START_47  0xffff800000000000u
#define KERNEL_START_56  0xff00000000000000u

void vt_pic_find_facts(const struct vt_picture_input *input, struct vt_pic_facts *facts)
{
    *facts = (struct vt_pic_facts){.compat = input->class_bits == 32};
    facts->page_size = input->page_size ? input->page_size : 4096;
    facts->marks = *vt_layout_marks(input->layout);
    if (facts->compat) {
        facts->user_end = COMPAT_USER_END;
        facts->canonical_end = UINT64_C(1) << 32;
    } else {
        facts->user_end = input->la57 ? USER_END_56 : VT_PIC_USER_END_47;
        facts->canonical_end = input->la57 ? CANONICAL_END_56 : CANONICAL_END_47;
        facts->kernel_start = input->la57 ? KERNEL_START_56 : KERNEL_START_47;
    }
    if (input->user_end)
        facts->user_end = input->user_end;
}

/* True if the kernel would name this region [heap] or [stack] (see vt_layout_marks). */
static bool is_named_by_marks(const struct vt_region *region)
{
    return !region->object || (region->object->type == VT_OBJECT_SPECIAL &&
                               strncmp(region->object->name, "[anon:", 6) == 0);
}

bool vt_pic_is_heap(const struct vt_region *region, const struct vt_layout_marks *marks)
{
    return is_named_by_marks(region) && marks->heap_end > 0 && region->start < marks->heap_end &&
           region->end > marks->heap_start;
}

/* The kernel takes the end as inside: a stack pointer at the very top belongs to it. */
bool vt_pic_is_stack(const struct vt_region *region, const struct vt_layout_marks *marks)
{
    return is_named_by_marks(region) && marks->stack_start > 0 &&
           region->start <= marks->stack_start && region->end >= marks->stack_start;
}

void vt_pic_detail(const struct vt_picture_input *input, const struct vt_region *region,
                   struct vt_detail *detail)
{
    *detail = (struct vt_detail){0};
    if (input->detail)
        input->detail(input->detail_context, region, detail);
    if (!detail->parts)
        detail->part_count = 0;
}

int vt_pic_finish(const struct vt_buf *out, struct vt_error *err)
{
    return out->failed ? vt_error_set(err, ENOMEM, "cannot draw the layout: out of memory") : 0;
}
