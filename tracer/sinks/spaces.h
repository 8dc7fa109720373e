/*
 * spaces.h - address spaces as events tell them: which pieces of memory are
 * mapped, each from the event that brought it there to the one that takes it
 * away, whatever happens to its permissions and address meanwhile.
 */
#ifndef SINKS_SPACES_H
#define SINKS_SPACES_H

#include <vastrace/event.h>

#include "recording/tiles.h"
#include "sinks/names.h"

/*
 * One address space. Its tiles have no rows, images and events: `object` is a
 * number of vt_spaces.names (the full name), and `row` and `origin_event` are
 * the watcher's own (a tile that is cut keeps them in the lower part; in the
 * upper one row is 0).
 */
struct vt_mapped {
    uint32_t id;
    pid_t pid;        /* the process that it was made for */
    uint32_t program; /* of names: what that runs, without directories; 0 not known */
    struct vt_tiles tiles;
    void *own; /* the watcher's; null at first */
    struct vt_mapped *next;
};

/* How memory came to a tile. */
enum vt_arrival {
    VT_ARRIVED_NEW,    /* mapped by this event */
    VT_ARRIVED_KEPT,   /* was there before, in another state or at another address */
    VT_ARRIVED_COPIED, /* a move that leaves its source mapped */
};

/* Who wants to know. `context` is vt_spaces.context. */
struct vt_watcher {
    /*
     * A tile is about to be mapped, and its `row` and `origin_event` may be set. NEW ones have
     * 0; the others have those of what they were, of which drop() was told if it is KEPT.
     * Returns 0 or -ENOMEM.
     */
    int (*take)(void *context, struct vt_mapped *space, struct vt_tile *tile,
                enum vt_arrival arrival);
    /* A tile is unmapped, or is about to be KEPT in another state. */
    void (*drop)(void *context, struct vt_mapped *space, const struct vt_tile *tile);
    /* The space is over: what it has of its own is to be freed. May be null. */
    void (*leave)(void *context, struct vt_mapped *space);
};

#define VT_SPACE_BUCKETS 256

/* Zero-initialised but for watcher and context is empty. */
struct vt_spaces {
    const struct vt_watcher *watcher;
    void *context;
    struct vt_names names;
    struct vt_mapped *buckets[VT_SPACE_BUCKETS];
    struct vt_runner *runners; /* a hash table: what each thread runs, for its children */
    size_t runner_count;
    size_t runner_capacity;
    pid_t last_tid;
    pid_t first_pid; /* 0: no space yet */
    bool several;    /* spaces were made for more than one process */
};

void vt_spaces_deinit(struct vt_spaces *spaces);

/* Follow an event's changes. 0 or -ENOMEM (then do not go on). */
int vt_spaces_event(struct vt_spaces *spaces, const struct vt_event *event);

/* The space of this number, or null: nothing was mapped there, or it is over. */
struct vt_mapped *vt_spaces_find(const struct vt_spaces *spaces, uint32_t id);

#endif
