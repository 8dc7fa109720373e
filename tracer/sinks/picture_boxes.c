/*
 * picture_boxes.c - hides the textbook's order: the kernel half, what no program may use, and the
 * user half with stack, mapped area, heap and program as they lie.
 *
 * Invariants: boxes tile the address space, so each border has exactly one address, the end of
 * the box below it and the start of the one above; rows tile their box likewise.
 */
#include "sinks/picture_boxes.h"

#include "base/base.h"
#include "sinks/picture_area.h"
#include "sinks/picture_kernel.h"
#include "sinks/picture_parts.h"
#include "sinks/picture_words.h"
#include "sinks/words.h"

/* ---- boxes: the program, its heap and its stack, one a region ---- */

static void add_section_box(struct vt_pic_sketch *s, size_t index, bool first)
{
    const struct vt_pic_cell *cell = &s->cells->items[index];
    const struct vt_region *region = &cell->region;
    const struct vt_layout_marks *marks = &s->cells->facts.marks;
    struct vt_pic_box *box = vt_pic_add_box(s, region->start);
    uint64_t size = region->end - region->start;
    struct vt_pic_row row = {.start = region->start, .size = size};
    bool has_break = cell->section == VT_PIC_HEAP && marks->heap_end > region->start &&
                     marks->heap_end <= region->end;

    if (first)
        box->title_note = vt_pic_aslr_note(s, cell->section);
    if (first && cell->section == VT_PIC_PROGRAM)
        box->title = vt_pic_escaped(s, "program ", vt_base_name(cell->detail.image->name));
    if (has_break && marks->heap_end == region->end)
        box->title = vt_pic_format(s, "program break");

    if (cell->section == VT_PIC_PROGRAM) {
        vt_pic_add_image_rows(s, cell);
        vt_pic_close_box(s, box, size);
        return;
    }
    vt_pic_set_region(&row, region);
    row.name = vt_pic_format(s, "%s", cell->section == VT_PIC_HEAP ? "heap" : "stack");
    if (has_break && marks->heap_end != region->end)
        vt_pic_add_pointer(s, marks->heap_end, &row, vt_pic_format(s, "program break"));
    if (cell->section == VT_PIC_STACK && s->cells->input->stack_limit)
        row.note = s->cells->input->stack_limit == UINT64_MAX
                       ? vt_pic_format(s, "may grow, no limit")
                       : vt_pic_format(s, "may grow to %s",
                                       vt_pic_size_text(s->cells->input->stack_limit).text);
    *vt_pic_add_row(s, row.start, row.size) = row;
    if (cell->section == VT_PIC_STACK && marks->stack_start >= region->start &&
        marks->stack_start < region->end && marks->stack_start != s->cells->input->sp)
        vt_pic_add_pointer(s, marks->stack_start, &row,
                           vt_pic_format(s, "argc; above: argv, envp, auxv"));
    vt_pic_add_stack_pointer(s, region->start, region->end, &row);
    if (cell->section == VT_PIC_HEAP && marks->heap_start > region->start &&
        marks->heap_start < region->end)
        vt_pic_add_pointer(s, marks->heap_start, &row, vt_pic_format(s, "start of the heap"));
    vt_pic_close_box(s, box, size);
    box->height =
        (unsigned)vt_max(box->height, vt_min(box->row_count + vt_pic_height(size) - 1, 7));
}

/* A box with open sides and one row that says all. */
static void add_plain_hole(struct vt_pic_sketch *s, vt_addr start, uint64_t size, const char *name,
                           const char *note)
{
    struct vt_pic_box *box = vt_pic_add_box(s, start);
    vt_pic_text name_ref = vt_pic_format(s, "%s", name);
    vt_pic_text note_ref = vt_pic_format(s, "%s", note);
    struct vt_pic_row *row = vt_pic_add_row(s, start, size);

    row->name = name_ref;
    row->note = note_ref;
    row->hole = true;
    box->hole = true;
    vt_pic_close_box(s, box, size);
}

static void add_upper_boxes(struct vt_pic_sketch *s)
{
    const struct vt_pic_facts *f = &s->cells->facts;
    uint64_t rest = f->canonical_end - f->user_end;

    if (!f->compat) {
        vt_pic_add_kernel_box(s);
        add_plain_hole(
            s, f->canonical_end, f->kernel_start - f->canonical_end, "non-canonical addresses",
            s->wide ? s->cells->input->la57 ? "bits 63 to 56 are not all alike: any use faults"
                                            : "bits 63 to 47 are not all alike: any use faults"
                    : "any use faults");
    }
    if (f->user_end >= f->canonical_end)
        return;
    if (f->compat)
        add_plain_hole(s, f->user_end, rest, "never mapped",
                       rest > (1u << 20) ? "limited to 3 GiB" : "end of 32 bits");
    else
        add_plain_hole(s, f->user_end, rest, rest == f->page_size ? "guard page" : "never mapped",
                       "never mapped");
}

/* ---- boxes: all of them ---- */

static void build(struct vt_pic_sketch *s, const struct vt_pic_fold *fold)
{
    enum vt_pic_section last = VT_PIC_FREE; /* the section drawn last, for titles */

    vt_pic_clear(s);
    add_upper_boxes(s);
    size_t upper = s->box_count;
    for (size_t i = s->cells->count; i > 0;) {
        enum vt_pic_section section = s->cells->items[i - 1].section;
        if (section == VT_PIC_MAPPED) {
            size_t low = i - 1;
            for (size_t k = low; k-- > 0 && (vt_pic_is_hole(s->cells, k) ||
                                             s->cells->items[k].section == section);) {
                if (s->cells->items[k].section == section)
                    low = k;
            }
            vt_pic_add_area(s, low, i, fold);
            i = low;
        } else if (section == VT_PIC_FREE) {
            vt_pic_add_hole_box(s, --i);
        } else {
            add_section_box(s, --i, section != last);
        }
        if (section != VT_PIC_FREE)
            last = section;
    }
    /* The user half begins with its guard page, where there is one. */
    if (!s->cells->facts.compat && s->box_count > 0 && !s->failed) {
        struct vt_pic_box *box = &s->boxes[upper > 2 ? 2 : upper < s->box_count ? upper : 0];
        vt_pic_text size =
            vt_pic_format(s, "%s", vt_pic_size_text(s->cells->facts.canonical_end).text);
        if (!box->title) {
            box->title = vt_pic_format(s, "user half");
            box->title_size = size;
        }
    }
}

void vt_pic_build(struct vt_pic_sketch *s)
{
    uint64_t limit = s->cells->input->lines ? s->cells->input->lines : 140;
    struct vt_pic_fold fold = {VT_PIC_FOLD_NOTHING, 0};
    unsigned low = 13, high = 63; /* powers of two to try as threshold */

    for (; fold.level < VT_PIC_FOLD_SMALL; fold.level++) {
        build(s, &fold);
        if (s->cells->input->all || vt_pic_lines(s) <= limit)
            return;
    }
    while (low < high) {
        unsigned middle = (low + high) / 2;
        fold.threshold = UINT64_C(1) << middle;
        build(s, &fold);
        if (vt_pic_lines(s) <= limit)
            high = middle;
        else
            low = middle + 1;
    }
    fold.threshold = UINT64_C(1) << low;
    build(s, &fold);
}
