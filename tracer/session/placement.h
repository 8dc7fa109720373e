/*
 * placement.h - which processors the tracer's threads run on (--cpu).
 */
#ifndef SESSION_PLACEMENT_H
#define SESSION_PLACEMENT_H

#include <sched.h>
#include <stdbool.h>

#include <vastrace/error.h>

struct vt_placement {
    bool chosen;
    unsigned cpu;
    cpu_set_t before; /* the calling thread's, if `chosen` */
};

/*
 * Put the calling thread, and what it starts from now on, on one processor. -EPERM with a text if
 * that is not one of those it may run on.
 */
int vt_placement_begin(struct vt_placement *placement, unsigned cpu, struct vt_error *err);

/* Let the calling thread run on all that it may but the chosen one; on that, too, if there is no other. */
void vt_placement_beside(const struct vt_placement *placement);

/* Back to what was before. */
void vt_placement_end(const struct vt_placement *placement);

#endif
