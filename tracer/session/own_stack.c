/*
 * own_stack.c - hides how a stack pointer is told to be on a thread's own
 * stack, on its alternate signal stack, or on one that the program switched to
 * (makecontext(3), coroutines).
 */
#include "session/own_stack.h"

#include <sys/resource.h>

#include "base/base.h"

/* The main stack as it is now. */
static const struct vt_region *main_stack(const struct vt_space *space)
{
    const struct vt_region *r =
        vt_layout_find(space->layout, vt_layout_marks(space->layout)->stack_start);
    return r && r->kind == VT_KIND_STACK ? r : NULL;
}

void vt_own_stack_begin(struct vt_own_stack *stack, const struct vt_space *space, bool main,
                        vt_addr sp)
{
    *stack = (struct vt_own_stack){.main = main};
    /* A new thread's pointer may stand at the very end of its stack. */
    const struct vt_region *r = sp && !main ? vt_layout_find(space->layout, sp - 1) : NULL;
    if (r && r->kind == VT_KIND_THREAD_STACK) {
        stack->low = r->start;
        stack->high = r->end;
    }
    vt_own_stack_note(stack, space, sp);
}

static bool is_own(const struct vt_own_stack *stack, const struct vt_space *space, vt_addr sp)
{
    if (!stack->main)
        return sp >= stack->low && sp <= stack->high && stack->low < stack->high;
    const struct vt_region *r = main_stack(space);
    const struct vt_region *at = vt_layout_find(space->layout, sp);
    /* Just below it the stack will grow with the next page fault. */
    return r && sp < r->end && (at ? at->kind == VT_KIND_STACK : r->start - sp < 65536);
}

enum vt_sp_place vt_own_stack_note(struct vt_own_stack *stack, const struct vt_space *space,
                                   vt_addr sp)
{
    if (!sp)
        return VT_SP_UNKNOWN;
    if (stack->alternate_size && sp - stack->alternate <= stack->alternate_size)
        return VT_SP_ALTERNATE;
    if (!stack->main && stack->low == stack->high)
        return VT_SP_UNKNOWN;
    if (!is_own(stack, space, sp))
        return VT_SP_OTHER;
    if (!stack->sp_lowest || sp < stack->sp_lowest)
        stack->sp_lowest = sp;
    return VT_SP_OWN;
}

bool vt_own_stack_use(const struct vt_own_stack *stack, const struct vt_space *space, pid_t tid,
                      struct vt_stack_use *use)
{
    struct rlimit limit;
    *use = (struct vt_stack_use){
        .tid = tid,
        .main = stack->main,
        .low = stack->low,
        .high = stack->high,
        .floor = stack->low,
        .sp_lowest = stack->sp_lowest,
    };
    if (stack->main) {
        const struct vt_region *r = main_stack(space);
        if (!r)
            return false;
        use->low = r->start;
        use->high = r->end;
        use->floor = 0;
        if (!prlimit(tid, RLIMIT_STACK, NULL, &limit) && limit.rlim_cur < r->end)
            use->floor = r->end - limit.rlim_cur;
    }
    return use->low < use->high && use->sp_lowest;
}
