/*
 * turns.h - one memory call at a time in an address space. Returns of calls are
 * reported in another order than the kernel changed the map, so a thread that is
 * at the entry of such a call waits until the one before it has returned.
 */
#ifndef SESSION_TURNS_H
#define SESSION_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One thread's part in it. Zero: it has none. Lies in its owner, who outlives it. */
struct vt_turn {
    void *owner; /* whose it is, for the caller */
    struct vt_turn *next;
    bool queued; /* stopped at the entry of a call */
    bool loose;  /* in a call without order */
};

/* Those of one space. */
struct vt_turns {
    struct vt_turn *current; /* whose call is under way in order, or null */
    int64_t since_ns;        /* when that began */
    bool loose;              /* a call blocked: no order is kept until all are out */
    size_t loose_calls;      /* under way without order */
    struct vt_turn *queue;   /* first come first */
    struct vt_turn **queue_end;
};

void vt_turns_init(struct vt_turns *turns);

/* No call is under way that could change the map. */
static inline bool vt_turns_idle(const struct vt_turns *turns)
{
    return !turns->current && !turns->loose_calls;
}

/* Is a call of this thread's under way? */
static inline bool vt_turns_under_way(const struct vt_turns *turns, const struct vt_turn *turn)
{
    return turns->current == turn || turn->loose;
}

void vt_turns_queue(struct vt_turns *turns, struct vt_turn *turn);

/* Take the next out of the queue whose turn it is; null if it is nobody's. */
struct vt_turn *vt_turns_next(struct vt_turns *turns);

/* Leave the queue. Returns whether it was in it. */
bool vt_turns_drop(struct vt_turns *turns, struct vt_turn *turn);

/* Its call begins. */
void vt_turns_begin(struct vt_turns *turns, struct vt_turn *turn, int64_t now_ns);

/*
 * Its call is over, or it is dying in its midst (or it had none). Returns true if it was alone, so
 * that its effect is known in order. vt_turns_next() then says who may go on.
 */
bool vt_turns_end(struct vt_turns *turns, struct vt_turn *turn);

/* The call under way blocks: let the others go, whatever the order. */
void vt_turns_loosen(struct vt_turns *turns);

#endif
