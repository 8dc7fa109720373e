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

/* `depth`: the most frames of a stack, cut to 1..VT_STACK_MAX. Null when out of memory. */
struct vt_stacks *vt_stacks_create(unsigned depth);
void vt_stacks_destroy(struct vt_stacks *stacks); /* null is allowed */

/*
 * The stack of a stopped thread of `space`. Valid until destroy; its ids and
 * what is known of its frames by name are there once vt_stacks_named() has said so.
 * Null if there is no memory, or the thread is dying.
 */
const struct vt_stack *vt_stacks_take(struct vt_stacks *stacks, const struct vt_space *space,
                                      const struct vt_tracee *tracee);

/* To be called after these changes of the space's map, and before its next stack is taken. */
void vt_stacks_changed(struct vt_stacks *stacks, const struct vt_space *space,
                       const struct vt_change *changes, size_t count);

/* The space is about to be destroyed. */
void vt_stacks_forget(struct vt_stacks *stacks, const struct vt_space *space);

/*
 * Has the stack its id, and have its frames theirs with symbols and source
 * lines? Finding these takes up to a second for a file seen the first time, and is
 * done beside the caller. With `wait` it is always true in the end. Ids are in the
 * order in which this became true.
 */
bool vt_stacks_named(struct vt_stacks *stacks, const struct vt_stack *stack, bool wait);

#endif
