/*
 * cast.h - who is there while a recording is written: processes, their threads,
 * and the address spaces that they are in. For the writing half.
 *
 * Failures are remembered by the rows; what could not be made is null.
 */
#ifndef RECORDING_CAST_H
#define RECORDING_CAST_H

#include <vastrace/event.h>

#include "recording/catalog.h"
#include "recording/rows.h"
#include "recording/tiles.h"

#define VT_CAST_BUCKETS 1024

/* An address space that some process has. */
struct vt_cast_space {
    uint32_t id;
    struct vt_tiles tiles;
    struct vt_catalog_images images;
    size_t users; /* processes that have it now */
    struct vt_cast_space *next;
};

struct vt_cast_process {
    pid_t pid;
    uint32_t id; /* processes.id */
    uint64_t first_event;
    struct vt_cast_space *space; /* null: none known */
    uint64_t space_from;         /* the event since which it has it */
    struct vt_cast_thread *threads;
    struct vt_cast_process *next;
};

struct vt_cast_thread {
    pid_t tid;
    uint32_t id; /* threads.id */
    struct vt_cast_process *process;
    struct vt_cast_thread *sibling; /* of the same process */
    struct vt_cast_thread *next;
};

struct vt_cast {
    struct vt_rows *rows;
    struct vt_cast_process *processes[VT_CAST_BUCKETS];
    struct vt_cast_thread *threads[VT_CAST_BUCKETS];
    struct vt_cast_space *spaces[VT_CAST_BUCKETS];
    struct vt_cast_thread *last; /* found last; most events are of the same */
};

void vt_cast_init(struct vt_cast *cast, struct vt_rows *rows);
void vt_cast_deinit(struct vt_cast *cast);

/* The event's thread and process; new ones where an id is used again. */
struct vt_cast_thread *vt_cast_thread(struct vt_cast *cast, const struct vt_event *event);

/*
 * Give the process the space that the event says. The one it had before is
 * returned and still counts it: vt_cast_leave() when the event is dealt with.
 */
struct vt_cast_space *vt_cast_enter(struct vt_cast *cast, struct vt_cast_process *process,
                                    const struct vt_event *event);

/* One process fewer has the space; without any it is over, and what is open stays open. */
void vt_cast_leave(struct vt_cast *cast, struct vt_cast_space *space);

/*
 * The process is over, or left, by an event that has `exit`: store what is known
 * of it now, and forget it, its threads, and its space if no other has it.
 */
void vt_cast_end(struct vt_cast *cast, struct vt_cast_process *process,
                 const struct vt_event *event);

/* Make rows of all rectangles that are open in any space. */
void vt_cast_store(struct vt_cast *cast);

#endif
