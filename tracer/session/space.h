/*
 * space.h - one kernel address space: its model, the ELF images found in it,
 * and the kernel's word on it. Does not know how stops come about.
 */
#ifndef SESSION_SPACE_H
#define SESSION_SPACE_H

#include <errno.h>

#include <sys/types.h>

#include "engine/procmap.h"
#include "image/cache.h"
#include "model/memop.h"
#include <vastrace/event.h>
#include <vastrace/layout.h>

/* What all spaces of a session share. */
struct vt_world {
    struct vt_objects *objects;
    struct vt_image_cache *images;
    uint64_t page;
    uint64_t unreadable; /* files that should have been read and remembered, and could not be */
};

/* A file of /proc could not be read, by this result; it is no loss if the process has ended. */
static inline void vt_world_note_unread(struct vt_world *world, long rc)
{
    world->unreadable += rc < 0 && rc != -ESRCH;
}

/* An ELF image where it was loaded. */
struct vt_placed {
    vt_addr start; /* the load span */
    vt_addr end;
    uint64_t bias;
    const struct vt_elf *elf; /* the cache's */
    const struct vt_object *object;
};

struct vt_space {
    struct vt_world *world;
    uint32_t id;
    struct vt_layout *layout;
    struct vt_procmap kernel;
    struct vt_placed *images; /* ascending by start */
    size_t image_count;
    size_t image_capacity;
    vt_addr *growers; /* lowest addresses of what grows downwards, ascending */
    size_t grower_count;
    size_t grower_capacity;
    bool from_start;         /* followed since the program was executed, also before a fork */
    bool break_known;        /* the marks' heap_end is exact */
    bool crowd;              /* several threads have held it at once */
    struct vt_regions told;  /* scratch: what the kernel said last */
    struct vt_regions rooms; /* scratch: see vt_space_apply() */
};

/* A new, empty space; null when out of memory. */
struct vt_space *vt_space_create(struct vt_world *world, uint32_t id);
void vt_space_destroy(struct vt_space *space);

/*
 * Make it the map of thread tid, from the kernel: the opening layout of a
 * program that was just executed (fresh: the break stands at its start), of an
 * attached process, or of a new child. The differences go to `changes`.
 * 0; 1 if the process is gone; negative on failure.
 */
int vt_space_seed(struct vt_space *space, pid_t tid, bool fresh, struct vt_changes *changes,
                  struct vt_error *err);

/*
 * Make an empty space a copy of its parent's, as fork does, then set it to what
 * the kernel says the child has. 0; 1 if the child is gone; 2 if it is no copy
 * of this parent's (another process created it), and was seeded from the
 * kernel alone; negative on failure.
 * Of a crowd other threads than the one that forked may have moved the parent's break meanwhile. The
 * child's is unknown then: the kernel copies it before the map, and not under its lock (dup_mm()).
 * It is, too, where the maps differ: the parent may have gone on before the child's first stop.
 */
int vt_space_fork(struct vt_space *child, const struct vt_space *parent, pid_t tid,
                  struct vt_error *err);

/*
 * Apply a finished call. The kernel is asked about what the call's rule does
 * not tell; the outcome's `told`, `break_known` and `page` are set here.
 * 0; 1 if the space is gone (the changes are those that could be known).
 */
int vt_space_apply(struct vt_space *space, pid_t tid, const struct vt_memop *op,
                   struct vt_outcome *outcome, struct vt_changes *changes, struct vt_error *err);

/*
 * Ask the kernel whether any region has grown downwards by faults; the growth goes to changes.
 * 0; 1 if the space is gone; negative on failure.
 */
int vt_space_grow(struct vt_space *space, pid_t tid, struct vt_changes *changes);

/*
 * May the call, once it has been done, hide what vt_space_grow() would have found before
 * it: does it reach a region that grows, or where that may have grown to?
 */
bool vt_space_may_undo_growth(const struct vt_space *space, const struct vt_memop *op);

/*
 * Compare with the kernel's map. 0 they agree; 1 they do not, and *ours and
 * *kernels are where they first differ; 2 the space is gone; negative on
 * failure. Growth that happened since vt_space_grow() goes to `changes`.
 */
int vt_space_verify(struct vt_space *space, pid_t tid, struct vt_changes *changes,
                    struct vt_region *ours, struct vt_region *kernels, struct vt_error *err);

/* Set the model right from the kernel's map. 0, 1 if the space is gone, negative. */
int vt_space_resync(struct vt_space *space, pid_t tid, struct vt_changes *changes,
                    struct vt_error *err);

/* A thread was found to run on the stack at sp: name its region and its guard. */
int vt_space_note_stack(struct vt_space *space, vt_addr sp, struct vt_changes *changes);

/* What the images say about `count` changes. */
void vt_space_details(const struct vt_space *space, const struct vt_change *changes, size_t count,
                      struct vt_detail *details);

/* From start_brk to the program break, in whole pages, as far as they are known. */
uint64_t vt_space_heap_bytes(const struct vt_space *space);

/* The image that covers addr, or null. */
const struct vt_placed *vt_space_image_at(const struct vt_space *space, vt_addr addr);

/* After the details of the last changes were taken: forget images that have been unmapped. */
void vt_space_prune(struct vt_space *space, const struct vt_change *changes, size_t count);

#endif
