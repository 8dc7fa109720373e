/*
 * turns.c - hides the queue of those who wait for their turn.
 *
 * Invariants: at most one call is under way in order, and none while there are
 * some without order; a thread is in the queue or in a call, never in both.
 */
#include "session/turns.h"

void vt_turns_init(struct vt_turns *turns)
{
    *turns = (struct vt_turns){0};
    turns->queue_end = &turns->queue;
}

void vt_turns_queue(struct vt_turns *turns, struct vt_turn *turn)
{
    turn->next = NULL;
    turn->queued = true;
    *turns->queue_end = turn;
    turns->queue_end = &turn->next;
}

bool vt_turns_drop(struct vt_turns *turns, struct vt_turn *turn)
{
    if (!turn->queued)
        return false;
    struct vt_turn **at = &turns->queue;
    while (*at != turn)
        at = &(*at)->next;
    *at = turn->next;
    if (turns->queue_end == &turn->next)
        turns->queue_end = at;
    turn->queued = false;
    return true;
}

struct vt_turn *vt_turns_next(struct vt_turns *turns)
{
    struct vt_turn *next = turns->loose || !turns->current ? turns->queue : NULL;
    if (next)
        vt_turns_drop(turns, next);
    return next;
}

void vt_turns_begin(struct vt_turns *turns, struct vt_turn *turn, int64_t now_ns)
{
    if (turns->loose) {
        turns->loose_calls++;
        turn->loose = true;
    } else {
        turns->current = turn;
        turns->since_ns = now_ns;
    }
}

bool vt_turns_end(struct vt_turns *turns, struct vt_turn *turn)
{
    if (!turn->loose) {
        if (turns->current == turn)
            turns->current = NULL;
        return true;
    }
    turn->loose = false;
    if (!--turns->loose_calls)
        turns->loose = false; /* order rules again */
    return false;
}

void vt_turns_loosen(struct vt_turns *turns)
{
    turns->loose = true;
    turns->loose_calls = 1;
    turns->current->loose = true;
    turns->current = NULL;
}
