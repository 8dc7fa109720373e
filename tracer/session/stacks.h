/*
 * stacks.h - the call stacks of a session: taken while a thread is stopped,
 * each different one stored once, named when one is first told of.
 */
#ifndef SESSION_STACKS_H
#define SESSION_STACKS_H

#include <vastrace/stack.h>

#include "engine/engine.h"
#include "session/space.h"

struct vt_stacks;

/*
 * depth: the most frames of a stack, cut to 1..VT_STACK_MAX; debug_files: as vt_symbols_create()
 * has it. Null when out of memory.
 */
struct vt_stacks *vt_stacks_create(unsigned depth, bool debug_files);
void vt_stacks_destroy(struct vt_stacks *stacks); /* null is allowed */

/*
 * The stack of a stopped thread of `space`. Valid until destroy; its ids and
 * what is known of its frames by name are there after vt_stacks_name().
 * 0, or -errno: -ENOMEM, or why its registers cannot be read (-ESRCH: it is dying).
 */
int vt_stacks_take(struct vt_stacks *stacks, const struct vt_space *space,
                   const struct vt_tracee *tracee, const struct vt_stack **stack);

/* To be called after these changes of the space's map, and before its next stack is taken. */
void vt_stacks_changed(struct vt_stacks *stacks, const struct vt_space *space,
                       const struct vt_change *changes, size_t count);

/* The space is about to be destroyed. */
void vt_stacks_forget(struct vt_stacks *stacks, const struct vt_space *space);

/*
 * Give a stack its id, and its frames theirs with symbols and source lines, if
 * they do not have them yet. Finding these takes up to a second for a file seen the
 * first time: it may be done by a thread of its own, beside all of the above. Ids are
 * in the order of these calls.
 */
void vt_stacks_name(struct vt_stacks *stacks, const struct vt_stack *stack);

#endif
