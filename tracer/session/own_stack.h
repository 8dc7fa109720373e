/*
 * own_stack.h - one thread's stack: where it lies, how deep the stack pointer
 * was seen in it, and which other stacks the thread runs on.
 */
#ifndef SESSION_OWN_STACK_H
#define SESSION_OWN_STACK_H

#include "session/space.h"

struct vt_own_stack {
    bool main;   /* the kernel's own: it grows, and the layout says how far it has */
    vt_addr low; /* not main: its bounds; equal where they are not known */
    vt_addr high;
    vt_addr sp_lowest; /* seen at stops, on this stack; 0 none */
    vt_addr alternate; /* of sigaltstack(2), as far as it was seen to be set; 0 none */
    uint64_t alternate_size;
};

/* At a thread's first stop, or the first of a new program: its stack is the one at sp. */
void vt_own_stack_begin(struct vt_own_stack *stack, const struct vt_space *space, bool main,
                        vt_addr sp);

/* The stack pointer at a stop: which stack it is on; the depth is noted where it is the own one. */
enum vt_sp_place vt_own_stack_note(struct vt_own_stack *stack, const struct vt_space *space,
                                   vt_addr sp);

/* What is known at the end, or now. Returns false if nothing is. */
bool vt_own_stack_use(const struct vt_own_stack *stack, const struct vt_space *space, pid_t tid,
                      struct vt_stack_use *use);

#endif
