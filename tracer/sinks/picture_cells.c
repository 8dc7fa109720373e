/*
 * picture_cells.c - hides how an address space is divided into what a textbook tells apart:
 * program, heap, mapped area, stack, and what is free between them.
 */
#include "sinks/picture_cells.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

uint64_t vt_pic_size(const struct vt_pic_cell *cell)
{
    return cell->region.end - cell->region.start;
}

bool vt_pic_is_hole(const struct vt_pic_cells *cells, size_t index)
{
    return index < cells->count && cells->items[index].section == VT_PIC_FREE;
}

bool vt_pic_is_big(const struct vt_pic_cells *cells, const struct vt_pic_cell *cell)
{
    return vt_pic_size(cell) >= (cells->facts.compat ? UINT64_C(64) << 20 : UINT64_C(4) << 30);
}

static int add_cell(struct vt_pic_cells *c, const struct vt_pic_cell *cell)
{
    if (vt_reserve((void **)&c->items, &c->capacity, c->count + 1, sizeof(*c->items)) < 0)
        return -ENOMEM;
    c->items[c->count++] = *cell;
    return 0;
}

/* A hole, cut where an address has a meaning of its own. */
static int add_hole(struct vt_pic_cells *c, vt_addr start, vt_addr end)
{
    const vt_addr cuts[] = {c->input->mmap_min_addr, c->facts.compat ? 0 : VT_PIC_USER_END_47};

    for (size_t i = 0; i < VT_COUNTOF(cuts); i++) {
        if (start < cuts[i] && cuts[i] < end) {
            if (add_hole(c, start, cuts[i]) < 0)
                return -ENOMEM;
            start = cuts[i];
        }
    }
    struct vt_pic_cell cell = {.region = {.start = start, .end = end}, .section = VT_PIC_FREE};
    return add_cell(c, &cell);
}

/* Sections that would fill the picture with boxes are drawn as rows, as the mapped area is. */
static void demote_long_sections(struct vt_pic_cells *c)
{
    static const size_t limits[] = {[VT_PIC_PROGRAM] = 14, [VT_PIC_HEAP] = 6, [VT_PIC_STACK] = 4};
    size_t counts[VT_COUNTOF(limits)] = {0};

    for (size_t i = 0; i < c->count; i++)
        counts[c->items[i].section]++;
    for (size_t i = 0; i < c->count; i++) {
        enum vt_pic_section section = c->items[i].section;
        if (section >= VT_PIC_PROGRAM && counts[section] > limits[section])
            c->items[i].section = VT_PIC_MAPPED;
    }
}

/* The object whose image is the program: the one of its name, else the lowest image there is. */
static const struct vt_object *find_program(const struct vt_pic_cells *c)
{
    const struct vt_object *lowest = NULL;

    for (size_t i = 0; i < c->count; i++) {
        const struct vt_object *image = c->items[i].detail.image;
        if (!image)
            continue;
        if (c->input->path && strcmp(image->name, c->input->path) == 0)
            return image;
        if (!lowest)
            lowest = image;
    }
    return lowest;
}

/* The largest run of mapped cells that no stack, heap or program interrupts. */
static void find_mapped_area(struct vt_pic_cells *c)
{
    vt_addr start = 0, end = 0;
    uint64_t regions = 0, bytes = 0;

    for (size_t i = 0; i <= c->count; i++) {
        const struct vt_pic_cell *cell = i < c->count ? &c->items[i] : NULL;
        if (cell && cell->section == VT_PIC_MAPPED) {
            start = regions ? start : cell->region.start;
            end = cell->region.end;
            regions++;
            bytes += vt_pic_size(cell);
        } else if (!cell || cell->section != VT_PIC_FREE) {
            if (regions > c->area_regions) {
                c->area_start = start;
                c->area_end = end;
                c->area_regions = regions;
                c->area_bytes = bytes;
            }
            regions = bytes = 0;
        }
    }
    vt_addr top = c->facts.compat ? c->facts.user_end
                                  : vt_min(c->facts.user_end, VT_PIC_USER_END_47);
    c->bottom_up = c->area_end < top / 2;
}

/*
 * Where the next mapping of any size will be: the first large hole, from the end of the area where
 * the kernel begins to look. (What a program mapped at addresses of its own choice is no end of it.)
 */
static void find_next_hole(struct vt_pic_cells *c)
{
    size_t low = 0, high = c->count; /* of the area's cells */

    c->next_hole = c->count;
    if (!c->area_regions)
        return;
    while (c->items[low].region.start < c->area_start)
        low++;
    while (c->items[high - 1].region.end > c->area_end)
        high--;
    for (size_t k = 0; k < high - low; k++) {
        size_t i = c->bottom_up ? low + k : high - 1 - k;
        if (vt_pic_is_hole(c, i) && vt_pic_is_big(c, &c->items[i])) {
            c->next_hole = i;
            return;
        }
    }
    if (c->bottom_up ? vt_pic_is_hole(c, high) : low > 0 && vt_pic_is_hole(c, low - 1))
        c->next_hole = c->bottom_up ? high : low - 1;
}

/* Regions, and the holes up to the end of the user half. */
static int collect(struct vt_pic_cells *c)
{
    vt_addr position = 0;

    vt_layout_for_each(region, c->input->layout) {
        if (region->start >= c->facts.canonical_end)
            break; /* the vsyscall page: part of the kernel half */
        if (region->start > position && add_hole(c, position, region->start) < 0)
            return -ENOMEM;
        struct vt_pic_cell cell = {.region = *region, .section = VT_PIC_MAPPED};
        vt_pic_detail(c->input, region, &cell.detail);
        if (add_cell(c, &cell) < 0)
            return -ENOMEM;
        position = region->end;
    }
    if (position < c->facts.user_end)
        return add_hole(c, position, c->facts.user_end);
    c->facts.user_end = position;
    return 0;
}

static enum vt_pic_section section_of(const struct vt_pic_cells *c, const struct vt_pic_cell *cell,
                                      const struct vt_object *program)
{
    if (cell->section == VT_PIC_FREE)
        return VT_PIC_FREE;
    if (cell->region.kind == VT_KIND_STACK || vt_pic_is_stack(&cell->region, &c->facts.marks))
        return VT_PIC_STACK;
    if (cell->region.kind == VT_KIND_HEAP && !(cell->region.flags & VT_REGION_ARENA))
        return VT_PIC_HEAP; /* the program break's: malloc's arenas lie in the mapped area */
    if (program && cell->detail.image && vt_object_same(cell->detail.image, program))
        return VT_PIC_PROGRAM;
    return VT_PIC_MAPPED;
}

int vt_pic_cells_init(struct vt_pic_cells *cells, const struct vt_picture_input *input)
{
    *cells = (struct vt_pic_cells){.input = input};
    vt_pic_find_facts(input, &cells->facts);
    if (collect(cells) < 0)
        return -ENOMEM;
    const struct vt_object *program = find_program(cells);
    for (size_t i = 0; i < cells->count; i++)
        cells->items[i].section = section_of(cells, &cells->items[i], program);
    demote_long_sections(cells);
    find_mapped_area(cells);
    find_next_hole(cells);
    return 0;
}

void vt_pic_cells_deinit(struct vt_pic_cells *cells)
{
    free(cells->items);
    *cells = (struct vt_pic_cells){0};
}
