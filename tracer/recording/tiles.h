/*
 * tiles.h - the rectangles of one address space that are still open: what is
 * mapped now, in pieces, each with the event that put it there.
 *
 * Unlike a layout, neighbours alike are not joined: they have different births.
 */
#ifndef RECORDING_TILES_H
#define RECORDING_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vastrace/layout.h>

struct vt_tile {
    vt_addr start;
    vt_addr end;
    uint64_t offset; /* of start in the object's file */
    uint64_t made_event;
    uint64_t origin_event;
    vt_addr moved_from; /* where made_by is MOVED */
    int64_t row;        /* regions.id; 0: not in the database yet */
    uint32_t object;    /* objects.id; 0: none */
    uint32_t image;     /* images.id; 0: none */
    uint8_t prot;
    uint8_t flags;
    uint8_t kind;
    uint8_t made_by; /* enum vt_change_op */
    bool is_file;    /* the object has offsets that run */

    /* The set's own. */
    bool stale; /* on the list of those that the database does not have as they are */
    uint8_t levels;
    struct vt_tile *stale_before, *stale_after;
    struct vt_tile *next[];
};

#define VT_TILE_LEVELS 16

struct vt_tiles {
    struct vt_tile *heads[VT_TILE_LEVELS];
    struct vt_tile *pool[VT_TILE_LEVELS + 1]; /* freed ones by number of levels */
    struct vt_tile *stale;
    uint32_t random;
    uint64_t count;
    uint64_t bytes;
    uint64_t joints; /* neighbours that a layout would join; count - joints is its number */
};

void vt_tiles_init(struct vt_tiles *tiles);
void vt_tiles_deinit(struct vt_tiles *tiles);

/* The tile that holds addr, else the first one above, else null. */
struct vt_tile *vt_tiles_at_or_above(const struct vt_tiles *tiles, vt_addr addr);
static inline struct vt_tile *vt_tiles_next(const struct vt_tile *tile)
{
    return tile->next[0];
}

/* Add a copy of *like (which overlaps nothing), marked stale. Null when out of memory. */
struct vt_tile *vt_tiles_add(struct vt_tiles *tiles, const struct vt_tile *like);

/* Take a tile out and free it. */
void vt_tiles_remove(struct vt_tiles *tiles, struct vt_tile *tile);

/*
 * Make addr a boundary: a tile that lies across it becomes two. Both are stale
 * then; the lower one keeps its row. 0 or -ENOMEM.
 */
int vt_tiles_cut(struct vt_tiles *tiles, vt_addr addr);

/* The database has the tile as it is. */
void vt_tiles_mark_stored(struct vt_tiles *tiles, struct vt_tile *tile);

#endif
