/*
 * placement.c - hides sched_setaffinity(2). A thread that wakes another one on the same processor
 * hands over to it at once; on another one it must first be woken out of its idle state, which
 * takes several times as long as the stop itself on some machines, virtual ones above all.
 *
 * Invariant: nothing is changed unless a processor was chosen.
 */
#include "session/placement.h"

#include <errno.h>

int vt_placement_begin(struct vt_placement *placement, unsigned cpu, struct vt_error *err)
{
    cpu_set_t one;
    *placement = (struct vt_placement){.cpu = cpu};
    if (sched_getaffinity(0, sizeof(placement->before), &placement->before))
        return vt_error_errno(err, errno, "cannot tell which processors may be used");
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (!CPU_ISSET(cpu, &placement->before) || sched_setaffinity(0, sizeof(one), &one))
        return vt_error_set(err, EPERM,
                            "cannot run on processor %u (--cpu): it is none of those that may be "
                            "used here; see taskset -pc $$",
                            cpu);
    placement->chosen = true;
    return 0;
}

void vt_placement_beside(const struct vt_placement *placement)
{
    cpu_set_t others = placement->before;
    if (!placement->chosen)
        return;
    CPU_CLR(placement->cpu, &others);
    sched_setaffinity(0, sizeof(others), CPU_COUNT(&others) ? &others : &placement->before);
}

void vt_placement_end(const struct vt_placement *placement)
{
    if (placement->chosen)
        sched_setaffinity(0, sizeof(placement->before), &placement->before);
}
