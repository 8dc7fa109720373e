/*
 * picture_parts.c - hides how an image's region is divided by the image's parts, and what is said
 * of a hole.
 */
#include "sinks/picture_parts.h"

#include <inttypes.h>

/* ---- a region of an image ---- */

#define MAX_STRETCHES 6

/* Where a region changes from one kind of data to another, by the image's sections. */
struct stretch {
    vt_addr start;
    uint8_t kind;
};

/*
 * Divide a region of writable data by its image's parts: ascending stretches that tile it.
 * Returns their number; one where there is nothing to tell apart. Only data is divided: what
 * shares a page with code or constants is padding, and the loader's doing.
 */
static size_t divide(const struct vt_pic_cell *cell, struct stretch stretches[MAX_STRETCHES])
{
    const struct vt_region *region = &cell->region;
    const uint32_t data_kinds = 1u << VT_KIND_DATA | 1u << VT_KIND_BSS | 1u << VT_KIND_RELRO |
                                1u << VT_KIND_TLS;
    size_t count = 0;

    stretches[0] = (struct stretch){region->start, region->kind};
    if (!(data_kinds >> region->kind & 1))
        return 1;
    for (size_t i = 0; i < cell->detail.part_count; i++) {
        const struct vt_part *part = &cell->detail.parts[i];
        vt_addr start = part->start + cell->detail.bias;
        vt_addr end = part->end + cell->detail.bias;
        if (end <= region->start || start >= region->end || end <= start ||
            !(data_kinds >> part->kind & 1))
            continue;
        if (count && stretches[count - 1].kind == part->kind)
            continue;
        if (count == MAX_STRETCHES) {
            count = 0;
            break;
        }
        if (count && start <= stretches[count - 1].start) {
            count = 0;
            break; /* parts out of order: say less rather than draw nonsense */
        }
        /* What lies below the first part is padding, and counts with it. */
        stretches[count] = (struct stretch){count ? start : region->start, part->kind};
        count++;
    }
    if (count < 2) {
        stretches[0] = (struct stretch){region->start, region->kind};
        return 1;
    }
    return count;
}

void vt_pic_add_image_rows(struct vt_pic_sketch *s, const struct vt_pic_cell *cell)
{
    const struct vt_region *region = &cell->region;
    struct stretch stretches[MAX_STRETCHES];
    size_t count = divide(cell, stretches);
    vt_addr end = region->end;

    for (size_t i = count; i-- > 0; end = stretches[i].start) {
        vt_pic_text name = vt_pic_format(s, "%s", vt_kind_name(stretches[i].kind));
        vt_pic_text note = 0;
        if (i == 0 && s->wide) {
            if (region->object && region->object->type == VT_OBJECT_FILE)
                note = vt_pic_format(s, "file offset %" PRIx64, region->offset);
            else
                note = vt_pic_format(s, "anonymous: beyond the file's data");
        }
        struct vt_pic_row *row = vt_pic_add_row(s, stretches[i].start, end - stretches[i].start);
        vt_pic_set_region(row, region);
        row->kind = stretches[i].kind;
        row->name = name;
        row->note = note;
        struct vt_pic_row inside = *row;
        vt_pic_add_stack_pointer(s, stretches[i].start, end, &inside);
    }
}

void vt_pic_add_hole_box(struct vt_pic_sketch *s, size_t index)
{
    const struct vt_region *hole = &s->cells->items[index].region;
    const struct vt_layout_marks *marks = &s->cells->facts.marks;
    const struct vt_pic_cell *above = index + 1 < s->cells->count ? &s->cells->items[index + 1]
                                                                  : NULL;
    const struct vt_pic_cell *below = index > 0 ? &s->cells->items[index - 1] : NULL;
    struct vt_pic_box *box = vt_pic_add_box(s, hole->start);
    const char *name = "free";
    vt_pic_text note = 0;

    box->hole = true;
    if (hole->start == 0 && hole->end <= s->cells->input->mmap_min_addr) {
        name = "null pointers fault here";
        note =
            vt_pic_format(s, s->wide ? "never mapped: below vm.mmap_min_addr" : "vm.mmap_min_addr");
    } else if (hole->start >= VT_PIC_USER_END_47) {
        note = vt_pic_format(s, s->wide ? "for mmap with an address hint beyond 47 bits"
                                        : "only on request");
    }
    if (above && above->section == VT_PIC_STACK)
        box->above = vt_pic_format(s, "stack grows down");
    else if (index == s->cells->next_hole && !s->cells->bottom_up)
        box->above = vt_pic_format(s, "new mappings");

    bool break_here = marks->heap_start && marks->heap_end <= marks->heap_start &&
                      marks->heap_start >= hole->start && marks->heap_start < hole->end;
    if (break_here || (below && below->section == VT_PIC_HEAP))
        box->below = vt_pic_format(s, "heap grows up");
    else if (index == s->cells->next_hole && s->cells->bottom_up)
        box->below = vt_pic_format(s, "new mappings");

    vt_pic_text name_ref = vt_pic_format(s, "%s", name);
    struct vt_pic_row *row = vt_pic_add_row(s, hole->start, vt_pic_size(&s->cells->items[index]));
    row->name = name_ref;
    row->note = note;
    row->hole = true;
    vt_pic_close_box(s, box, row->size);
    if (break_here) {
        struct vt_pic_row inside = *row;
        vt_pic_add_pointer(s, marks->heap_start, &inside,
                           vt_pic_format(s, "program break: the heap is empty"));
        box->row_count++;
        box->height++;
    }
}
