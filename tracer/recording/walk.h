/*
 * walk.h - going through the two large tables: events as they are stored, and
 * regions as rectangles.
 *
 * Each function calls `each` row by row, in order; a return other than 0 ends
 * the walk and is returned.
 */
#ifndef RECORDING_WALK_H
#define RECORDING_WALK_H

#include "recording/pack.h"
#include "recording/reader.h"

/* An event with what every question needs. */
struct vt_event_row {
    uint64_t seq;
    int64_t time_ns;
    uint32_t process; /* index: processes.id - 1 */
    uint32_t thread;  /* index: threads.id - 1; 0 where it was not asked for */
    uint32_t space;
    uint32_t old_space; /* where regions are GONE */
    const char *cause;
    bool is_exec;
    uint64_t regions;
    const struct vt_stack *stack; /* null: none */
    const uint8_t *changes;       /* valid during the call */
    size_t changes_length;
    struct vt_row *row; /* for VT_EVENTS_WHOLE: the columns from VT_EVENT_COLUMNS on */
};
typedef int vt_event_row_fn(void *context, const struct vt_event_row *event);

/* How much of events is wanted: the less, the faster. */
enum vt_event_depth {
    VT_EVENTS_LEAN,   /* no threads */
    VT_EVENTS_THREAD, /* with threads */
    VT_EVENTS_WHOLE,  /* all columns: those of VT_EVENT_REST follow */
    VT_EVENT_DEPTHS
};
#define VT_EVENT_COLUMNS 9
#define VT_EVENT_REST                                                                              \
    "call, error, result, arg1, arg2, arg3, arg4, arg5, arg6, uncertain, sp, sp_on, ip, mapped, "  \
    "heap, parent, shares, note"

int vt_walk_events(struct vt_recording *r, enum vt_event_depth depth, vt_event_row_fn *each,
                   void *context, struct vt_error *err);

/* A packed change with its objects found. -EINVAL if there are none of these numbers. */
int vt_walk_change(const struct vt_recording *r, const struct vt_packed *packed,
                   struct vt_change *change);

/*
 * As vt_recording_rectangles(), without images, flags and where pieces were moved
 * from, and only those that are there after some event of first..last.
 */
int vt_walk_rectangles_lean(struct vt_recording *r, uint64_t first, uint64_t last,
                            vt_rectangle_fn *each, void *context, struct vt_error *err);

/* As vt_recording_rectangles(), but only those that are there at a moment. */
int vt_walk_live(struct vt_recording *r, const struct vt_moment *moment, vt_rectangle_fn *each,
                 void *context, struct vt_error *err);

#endif
