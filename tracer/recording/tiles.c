/*
 * tiles.c - hides an ordered set: a skip list, since walking to the next tile
 * is what is done most.
 *
 * Invariants: tiles ascend, do not overlap and are not empty; bytes, count and
 * joints are those of the tiles; a tile is on the list of stale ones if and
 * only if its `stale` is set.
 */
#include "recording/tiles.h"

#include <errno.h>
#include <stdlib.h>

void vt_tiles_init(struct vt_tiles *tiles)
{
    *tiles = (struct vt_tiles){.random = 2463534242u};
}

void vt_tiles_deinit(struct vt_tiles *tiles)
{
    struct vt_tile *next;
    for (struct vt_tile *t = tiles->heads[0]; t; t = next) {
        next = t->next[0];
        free(t);
    }
    for (size_t i = 0; i <= VT_TILE_LEVELS; i++) {
        for (struct vt_tile *t = tiles->pool[i]; t; t = next) {
            next = t->next[0];
            free(t);
        }
    }
    vt_tiles_init(tiles);
}

/* The links that a tile starting at addr would be reached by, level by level. */
static void find_links(struct vt_tiles *tiles, vt_addr addr, struct vt_tile **links[VT_TILE_LEVELS])
{
    struct vt_tile **row = tiles->heads;
    for (int level = VT_TILE_LEVELS - 1; level >= 0; level--) {
        while (row[level] && row[level]->start < addr)
            row = row[level]->next;
        links[level] = &row[level];
    }
}

/* The last tile that starts below addr, or null. */
static struct vt_tile *below(const struct vt_tiles *tiles, vt_addr addr)
{
    struct vt_tile *const *row = tiles->heads;
    struct vt_tile *found = NULL;
    for (int level = VT_TILE_LEVELS - 1; level >= 0; level--) {
        while (row[level] && row[level]->start < addr) {
            found = row[level];
            row = found->next;
        }
    }
    return found;
}

struct vt_tile *vt_tiles_at_or_above(const struct vt_tiles *tiles, vt_addr addr)
{
    struct vt_tile *tile = addr == UINT64_MAX ? NULL : below(tiles, addr + 1);
    if (!tile)
        return tiles->heads[0];
    return tile->end > addr ? tile : tile->next[0];
}

/* True if a layout would have both as one region. */
static bool joins(const struct vt_tile *a, const struct vt_tile *b)
{
    return a && b && a->end == b->start && a->prot == b->prot && a->flags == b->flags &&
           a->kind == b->kind && a->object == b->object &&
           (!a->is_file || a->offset + (a->end - a->start) == b->offset);
}

static void mark_stale(struct vt_tiles *tiles, struct vt_tile *tile)
{
    if (tile->stale)
        return;
    tile->stale = true;
    tile->stale_before = NULL;
    tile->stale_after = tiles->stale;
    if (tiles->stale)
        tiles->stale->stale_before = tile;
    tiles->stale = tile;
}

void vt_tiles_mark_stored(struct vt_tiles *tiles, struct vt_tile *tile)
{
    if (!tile->stale)
        return;
    tile->stale = false;
    if (tile->stale_before)
        tile->stale_before->stale_after = tile->stale_after;
    else
        tiles->stale = tile->stale_after;
    if (tile->stale_after)
        tile->stale_after->stale_before = tile->stale_before;
}

/* One more level with a chance of one in four. */
static uint8_t draw_levels(struct vt_tiles *tiles)
{
    tiles->random ^= tiles->random << 13; /* xorshift32: balance must not depend on the input */
    tiles->random ^= tiles->random >> 17;
    tiles->random ^= tiles->random << 5;
    unsigned levels = 1;
    for (uint32_t bits = tiles->random; levels < VT_TILE_LEVELS && !(bits & 3); bits >>= 2)
        levels++;
    return (uint8_t)levels;
}

struct vt_tile *vt_tiles_add(struct vt_tiles *tiles, const struct vt_tile *like)
{
    struct vt_tile **links[VT_TILE_LEVELS];
    uint8_t levels = draw_levels(tiles);
    struct vt_tile *tile = tiles->pool[levels];
    if (tile)
        tiles->pool[levels] = tile->next[0];
    else if (!(tile = malloc(sizeof(*tile) + levels * sizeof(tile->next[0]))))
        return NULL;
    *tile = *like;
    tile->levels = levels;
    tile->stale = false;
    find_links(tiles, tile->start, links);
    for (unsigned i = 0; i < levels; i++) {
        tile->next[i] = *links[i];
        *links[i] = tile;
    }
    struct vt_tile *left = below(tiles, tile->start), *right = tile->next[0];
    tiles->joints += (uint64_t)joins(left, tile) + joins(tile, right) - joins(left, right);
    tiles->count++;
    tiles->bytes += tile->end - tile->start;
    mark_stale(tiles, tile);
    return tile;
}

void vt_tiles_remove(struct vt_tiles *tiles, struct vt_tile *tile)
{
    struct vt_tile **links[VT_TILE_LEVELS];
    find_links(tiles, tile->start, links);
    for (unsigned i = 0; i < tile->levels; i++)
        *links[i] = tile->next[i];
    struct vt_tile *left = below(tiles, tile->start), *right = tile->next[0];
    tiles->joints -= (uint64_t)joins(left, tile) + joins(tile, right) - joins(left, right);
    tiles->count--;
    tiles->bytes -= tile->end - tile->start;
    vt_tiles_mark_stored(tiles, tile);
    tile->next[0] = tiles->pool[tile->levels];
    tiles->pool[tile->levels] = tile;
}

int vt_tiles_cut(struct vt_tiles *tiles, vt_addr addr)
{
    struct vt_tile *tile = below(tiles, addr);
    if (!tile || tile->end <= addr)
        return 0;
    struct vt_tile upper = *tile;
    upper.start = addr;
    upper.row = 0;
    if (tile->is_file)
        upper.offset += addr - tile->start;
    if (tile->made_by == VT_CHANGE_MOVED)
        upper.moved_from += addr - tile->start;
    /* The right neighbour's joint is the upper part's from here on, as vt_tiles_add() counts. */
    tiles->joints -= joins(tile, tile->next[0]);
    vt_addr end = tile->end;
    tile->end = addr;
    tiles->bytes -= end - addr;
    if (!vt_tiles_add(tiles, &upper)) {
        tile->end = end;
        tiles->bytes += end - addr;
        tiles->joints += joins(tile, tile->next[0]);
        return -ENOMEM;
    }
    mark_stale(tiles, tile);
    return 0;
}
