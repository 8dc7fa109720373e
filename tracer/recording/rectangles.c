/*
 * rectangles.c - hides how changes cut memory into pieces that each have one
 * birth, one end and one state between them.
 *
 * Invariant: a tile that is not stale has a row that is as the tile is.
 */
#include "recording/rectangles.h"

#include "base/base.h"
#include "recording/words.h"

/* Where tiles are, and the event at hand. */
struct edit {
    struct vt_rows *rows;
    uint32_t space;
    struct vt_tiles *tiles;
    const struct vt_change *change;
    uint32_t image;
    uint64_t event;
};

/* Write a tile as it is, or as it was when `ended` ended it (0: it goes on). */
static void store(struct vt_rows *rows, uint32_t space, struct vt_tile *tile, uint64_t ended,
                  enum vt_change_op ended_by)
{
    if (!tile->row)
        tile->row = vt_rows_number(rows, VT_TABLE_REGIONS);
    VT_ADD_ROW(rows, VT_TABLE_REGIONS, vt_cell_number((uint64_t)tile->row), vt_cell_number(space),
               vt_cell_number(tile->start), vt_cell_number(tile->end),
               vt_cell_word(vt_word_perm(tile->prot, tile->flags)),
               vt_cell_word(vt_kind_name(tile->kind)),
               vt_cell_number(tile->flags & ~(unsigned)VT_REGION_SHARED),
               vt_cell_known(tile->object, tile->object), vt_cell_number(tile->offset),
               vt_cell_known(tile->image, tile->image), vt_cell_number(tile->made_event),
               vt_cell_word(vt_word_op(tile->made_by)), vt_cell_number(tile->origin_event),
               vt_cell_known(tile->made_by == VT_CHANGE_MOVED, tile->moved_from),
               vt_cell_known(ended, ended), vt_cell_word(ended ? vt_word_op(ended_by) : NULL));
}

/*
 * End a tile at this event. One that began at it was never there between two
 * events, and has no row of its own.
 */
static void close_tile(const struct edit *e, struct vt_tile *tile, enum vt_change_op by)
{
    if (tile->made_event != e->event || tile->row)
        store(e->rows, e->space, tile, e->event, by);
    vt_tiles_remove(e->tiles, tile);
}

static bool cut(const struct edit *e, vt_addr start, vt_addr end)
{
    bool failed = vt_tiles_cut(e->tiles, start) || vt_tiles_cut(e->tiles, end);
    if (failed)
        vt_rows_no_memory(e->rows);
    return !failed;
}

/* End whatever lies in [start, end). */
static void clear_range(const struct edit *e, vt_addr start, vt_addr end)
{
    if (!cut(e, start, end))
        return;
    struct vt_tile *next, *tile = vt_tiles_at_or_above(e->tiles, start);
    for (; tile && tile->start < end; tile = next) {
        next = vt_tiles_next(tile);
        close_tile(e, tile, VT_CHANGE_GONE);
    }
}

/* What the change leaves at [start, end), which lies in it. */
static struct vt_tile tile_of(const struct edit *e, vt_addr start, vt_addr end)
{
    const struct vt_region *after = &e->change->after;
    bool is_file = after->object && after->object->type == VT_OBJECT_FILE;
    return (struct vt_tile){
        .start = start,
        .end = end,
        .offset = after->offset + (is_file ? start - e->change->start : 0),
        .made_event = e->event,
        .origin_event = e->event,
        .object = after->object ? after->object->id : 0,
        .image = e->image,
        .prot = after->prot,
        .flags = after->flags,
        .kind = after->kind,
        .made_by = (uint8_t)e->change->op,
        .is_file = is_file,
    };
}

static void add_tile(const struct edit *e, const struct vt_tile *tile)
{
    if (!vt_tiles_add(e->tiles, tile))
        vt_rows_no_memory(e->rows);
}

/*
 * Memory in [from, from + size) is in another state now, at `to`: take its
 * pieces out and put them back as the change says, each with its own origin.
 * What was not known to be there begins with this event.
 */
static void carry(const struct edit *e)
{
    const struct vt_change *change = e->change;
    bool moved = change->op == VT_CHANGE_MOVED, stays = moved && change->source_stays;
    vt_addr from = moved ? change->before.start : change->start, shift = change->start - from;
    vt_addr at = from, end = from + (change->end - change->start);
    if (!cut(e, at, end))
        return;
    if (moved)
        clear_range(e, change->start, change->end);
    while (at < end) {
        struct vt_tile *old = vt_tiles_at_or_above(e->tiles, at);
        vt_addr stop = !old || old->start >= end ? end : old->start > at ? old->start : old->end;
        bool known = old && old->start <= at;
        struct vt_tile tile = tile_of(e, at + shift, stop + shift);
        tile.moved_from = at;
        if (known) {
            tile.origin_event = old->origin_event;
            if (old->made_event == e->event && !old->row && !stays) {
                /* Made and altered by one event: as if made so. */
                tile.made_by = old->made_by;
                tile.moved_from = old->moved_from;
            }
            if (!stays)
                close_tile(e, old, change->op);
        }
        add_tile(e, &tile);
        at = stop;
    }
}

void vt_rectangles_apply(struct vt_rows *rows, uint32_t space, struct vt_tiles *tiles,
                         const struct vt_change *change, uint32_t image, uint64_t event)
{
    const struct edit e = {rows, space, tiles, change, image, event};
    if (vt_rows_failure(rows, NULL))
        return;
    if (change->op == VT_CHANGE_ALTERED || change->op == VT_CHANGE_MOVED) {
        carry(&e);
        return;
    }
    clear_range(&e, change->start, change->end);
    if (change->op == VT_CHANGE_MADE) {
        struct vt_tile tile = tile_of(&e, change->start, change->end);
        add_tile(&e, &tile);
    }
}

void vt_rectangles_store(struct vt_rows *rows, uint32_t space, struct vt_tiles *tiles)
{
    struct vt_tile *tile;
    while ((tile = tiles->stale)) {
        store(rows, space, tile, 0, VT_CHANGE_GONE);
        vt_tiles_mark_stored(tiles, tile);
    }
}
