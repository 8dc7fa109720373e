/*
 * picture_area.c - hides which regions of the mapped area form a box, and what is folded when there
 * are too many.
 *
 * Invariant: the rows of one box tile it; a folded row begins and ends with something mapped.
 */
#include "sinks/picture_area.h"

#include <inttypes.h>
#include <string.h>

#include "sinks/picture_parts.h"
#include "sinks/picture_words.h"
#include "sinks/words.h"

/* Cells [low, high) as one unit: an image's regions, a run of one kind, or a single cell. */
struct unit {
    size_t low, high;
    bool image;
};

static bool is_big_hole(const struct vt_pic_sketch *s, size_t index)
{
    return vt_pic_is_hole(s->cells, index) && vt_pic_is_big(s->cells, &s->cells->items[index]);
}

static uint8_t kind_class(uint8_t kind)
{
    return kind == VT_KIND_GUARD ? VT_KIND_THREAD_STACK : kind; /* they come in pairs */
}

/* Two regions with no other between them: are they of one unit? */
static bool belongs_to(const struct vt_pic_sketch *s, const struct vt_pic_cell *top,
                       const struct vt_pic_cell *cell, enum vt_pic_folding level)
{
    if (top->detail.image || cell->detail.image)
        return top->detail.image && cell->detail.image &&
               vt_object_same(top->detail.image, cell->detail.image);
    if (level == VT_PIC_FOLD_MIXED)
        return !vt_pic_is_big(s->cells, top) && !vt_pic_is_big(s->cells, cell);
    return kind_class(top->region.kind) == kind_class(cell->region.kind);
}

/* The unit whose topmost cell is high - 1, not reaching below `low`. */
static struct unit unit_below(const struct vt_pic_sketch *s, size_t low, size_t high,
                              enum vt_pic_folding level)
{
    const struct vt_pic_cell *top = &s->cells->items[high - 1];
    struct unit unit = {high - 1, high, top->detail.image != NULL};
    size_t regions = 1;

    if (top->section == VT_PIC_FREE || (!unit.image && level == VT_PIC_FOLD_NOTHING))
        return unit;
    for (size_t i = high - 1; i-- > low;) {
        const struct vt_pic_cell *cell = &s->cells->items[i];
        if (cell->section == VT_PIC_FREE) {
            if (vt_pic_is_big(s->cells, cell))
                break;
            continue; /* joins if what follows does */
        }
        if (!belongs_to(s, top, cell, level))
            break;
        unit.low = i;
        regions++;
    }
    if (!unit.image && regions < (level == VT_PIC_FOLD_MIXED ? 2 : 4))
        unit.low = high - 1;
    return unit;
}

/* One row for cells [low, high), of which the lowest and the highest are regions. */
static void add_folded_row(struct vt_pic_sketch *s, size_t low, size_t high, bool image)
{
    const struct vt_pic_cell *first = &s->cells->items[low];
    uint64_t bytes = 0, regions = 0;
    bool same_perm = true, same_kind = true;
    char perm[5], other[5];

    vt_prot_text(first->region.prot, first->region.flags, perm);
    for (size_t i = low; i < high; i++) {
        if (s->cells->items[i].section == VT_PIC_FREE)
            continue;
        bytes += vt_pic_size(&s->cells->items[i]);
        regions++;
        vt_prot_text(s->cells->items[i].region.prot, s->cells->items[i].region.flags, other);
        same_perm = same_perm && strcmp(perm, other) == 0;
        same_kind = same_kind && s->cells->items[i].region.kind == first->region.kind;
    }
    vt_pic_text name = 0, note = 0;
    if (image) {
        name = vt_pic_escaped(s, "", vt_base_name(first->detail.image->name));
        note = s->wide ? vt_pic_counts(s, low, high, s->note_width)
                       : vt_pic_format(s, "%" PRIu64 " regions", regions);
    } else if (same_kind) {
        name =
            vt_pic_format(s, "%" PRIu64 " %s regions", regions, vt_kind_name(first->region.kind));
        note = s->wide ? vt_pic_files(s, low, high) : 0;
    } else if (!(name = vt_pic_all_counts(s, low, high, same_perm))) {
        name = vt_pic_format(s, "%" PRIu64 " regions", regions);
        note = vt_pic_counts(s, low, high, s->note_width);
    }
    struct vt_pic_row *row = vt_pic_add_row(s, first->region.start, bytes);
    row->kind = image ? VT_KIND_TEXT : first->region.kind;
    if (same_perm)
        memcpy(row->perm, perm, sizeof(perm));
    row->name = name;
    row->note = note;
    struct vt_pic_row inside = *row;
    vt_pic_add_stack_pointer(s, first->region.start, s->cells->items[high - 1].region.end, &inside);
}

/* One row for one region or hole. */
static void add_cell_row(struct vt_pic_sketch *s, const struct vt_pic_cell *cell)
{
    const struct vt_region *region = &cell->region;
    bool hole = cell->section == VT_PIC_FREE;
    vt_pic_text name = hole ? vt_pic_format(s, "free") : vt_pic_region_name(s, region);
    vt_pic_text note = hole ? 0 : vt_pic_region_note(s, region);
    struct vt_pic_row *row = vt_pic_add_row(s, region->start, region->end - region->start);

    row->name = name;
    row->note = note;
    row->hole = hole;
    if (hole)
        return;
    vt_pic_set_region(row, region);
    struct vt_pic_row inside = *row;
    vt_pic_add_stack_pointer(s, region->start, region->end, &inside);
}

static void add_unit_row(struct vt_pic_sketch *s, const struct unit *unit)
{
    if (unit->high - unit->low == 1)
        add_cell_row(s, &s->cells->items[unit->low]);
    else
        add_folded_row(s, unit->low, unit->high, unit->image);
}

static uint64_t unit_size(const struct vt_pic_sketch *s, const struct unit *unit)
{
    return s->cells->items[unit->high - 1].region.end - s->cells->items[unit->low].region.start;
}

/*
 * Rows of cells [low, high) with what is small folded into runs. A run never begins or ends
 * with a hole: that is a row of its own, so that bounds stay those of something mapped.
 */
static void add_small_folded(struct vt_pic_sketch *s, size_t low, size_t high, uint64_t threshold)
{
    size_t run_low = 0, run_high = 0; /* cells of the run so far; equal: none */
    size_t units = 0;

    for (size_t i = high; i > low;) {
        struct unit unit = unit_below(s, low, i, VT_PIC_FOLD_SMALL);
        bool hole = s->cells->items[unit.low].section == VT_PIC_FREE;
        bool is_small = unit_size(s, &unit) < threshold;
        if (is_small && !hole) {
            run_high = units++ ? run_high : unit.high;
            run_low = unit.low;
        }
        bool at_end = unit.low == low;
        if ((!is_small || at_end) && units) {
            struct unit run = {run_low, run_high, false};
            if (units == 1)
                run = unit_below(s, run_low, run_high, VT_PIC_FOLD_SMALL);
            add_unit_row(s, &run);
            /* Holes between the run and what ended it. */
            for (size_t h = run_low; h-- > (is_small ? unit.low : unit.high);)
                add_cell_row(s, &s->cells->items[h]);
            units = 0;
        } else if (is_small && hole && !units) {
            add_cell_row(s, &s->cells->items[unit.low]);
        }
        if (!is_small)
            add_unit_row(s, &unit);
        i = unit.low;
    }
}

/*
 * The title of the mapped area. It comes before the area's highest box, as a box without rows;
 * so that box can have a border and a title of its own.
 */
static void add_area_title(struct vt_pic_sketch *s)
{
    struct vt_pic_box *box = vt_pic_add_box(s, s->cells->area_end);

    box->title = vt_pic_format(s, "mapped area");
    box->title_size = vt_pic_format(s, "%s", vt_pic_size_text(s->cells->area_bytes).text);
    box->title_note = vt_pic_aslr_note(s, VT_PIC_MAPPED);
}

/* An image's box: its name in the border, a row a region (or a stretch of it). */
static void add_image_box(struct vt_pic_sketch *s, const struct unit *unit)
{
    const struct vt_object *image = s->cells->items[unit->low].detail.image;
    struct vt_pic_box *box = vt_pic_add_box(s, s->cells->items[unit->low].region.start);
    uint64_t bytes = 0;

    for (size_t i = unit->high; i-- > unit->low;) {
        if (s->cells->items[i].section == VT_PIC_FREE) {
            add_cell_row(s, &s->cells->items[i]);
            continue;
        }
        bytes += s->cells->items[i].region.end - s->cells->items[i].region.start;
        vt_pic_add_image_rows(s, &s->cells->items[i]);
    }
    box->title = vt_pic_escaped(s, "", vt_base_name(image->name));
    box->title_size = vt_pic_format(s, "%s", vt_pic_size_text(bytes).text);
    if (s->wide)
        box->title_note = vt_pic_escaped(s, "", image->name);
    box->inner = true;
    vt_pic_close_box(s, box, 0);
}

/* A box of rows that may still grow downwards. */
static struct vt_pic_box *open_rows(struct vt_pic_sketch *s)
{
    struct vt_pic_box *box = vt_pic_add_box(s, 0);

    box->inner = true;
    return box;
}

/* Rows of cells [low, high), where a run never reaches over a large hole. */
static void add_folded_boxes(struct vt_pic_sketch *s, size_t low, size_t high, uint64_t threshold)
{
    struct vt_pic_box *rows = NULL;

    for (size_t end = high, begin; end > low; end = begin) {
        for (begin = end; begin > low && !is_big_hole(s, begin - 1);)
            begin--;
        if (begin == end && --begin == s->cells->next_hole) {
            if (rows)
                vt_pic_close_box(s, rows, 0);
            rows = NULL;
            vt_pic_add_hole_box(s, begin);
            continue;
        }
        rows = rows ? rows : open_rows(s);
        rows->start = s->cells->items[begin].region.start;
        if (is_big_hole(s, begin))
            add_cell_row(s, &s->cells->items[begin]);
        else
            add_small_folded(s, begin, end, threshold);
    }
    if (rows)
        vt_pic_close_box(s, rows, 0);
}

void vt_pic_add_area(struct vt_pic_sketch *s, size_t low, size_t high,
                     const struct vt_pic_fold *fold)
{
    struct vt_pic_box *open = NULL;

    if (s->cells->area_regions && s->cells->items[high - 1].region.end == s->cells->area_end)
        add_area_title(s);
    if (fold->level == VT_PIC_FOLD_SMALL) {
        add_folded_boxes(s, low, high, fold->threshold);
        return;
    }
    for (size_t i = high; i > low;) {
        struct unit unit = unit_below(s, low, i, fold->level);
        bool hole = s->cells->items[unit.low].section == VT_PIC_FREE;
        bool own_box = hole ? is_big_hole(s, unit.low)
                            : unit.image && fold->level < VT_PIC_FOLD_IMAGES &&
                                  unit.high - unit.low > 1;
        if (own_box && open) {
            vt_pic_close_box(s, open, 0);
            open = NULL;
        }
        if (own_box && hole) {
            vt_pic_add_hole_box(s, unit.low);
        } else if (own_box) {
            add_image_box(s, &unit);
        } else {
            open = open ? open : open_rows(s);
            open->start = s->cells->items[unit.low].region.start;
            add_unit_row(s, &unit);
        }
        i = unit.low;
    }
    if (open)
        vt_pic_close_box(s, open, 0);
}
