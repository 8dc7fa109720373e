/*
 * replay.c - hides which events are of one process, and what is said at the end
 * of a recording that has none.
 *
 * Stacks and their frames are numbered in the order in which they are told, and
 * sinks rely on it; of one process they appear in another order than in the
 * whole, so they are numbered anew. Frames that source lines are looked up for
 * are copies as well, and of the whole have the numbers that they had.
 */
#include "session/replay.h"

#include <errno.h>
#include <stdlib.h>

#include "base/base.h"

#define STOP 1

/* Copies with numbers of our own, found by their old ones. */
struct renumbered {
    void **slots; /* a hash table of pointers to what begins with its old number */
    size_t slot_count;
    size_t count;
};

struct new_frame {
    uint64_t old;
    struct vt_frame frame;
};

struct new_stack {
    uint64_t old;
    struct vt_stack stack;
    const struct vt_frame *frames[];
};

struct replay {
    const struct vt_replay_part *part;
    struct vt_sink *sink;
    struct vt_error *err;
    uint32_t space; /* that the process made and has now; 0: none */
    struct renumbered stacks;
    struct renumbered frames;
};

/* ---- numbers --------------------------------------------------------------------- */

/* The slot of an old number, or the free one where it belongs. */
static void **slot_of(const struct renumbered *all, uint64_t old)
{
    size_t at = (old * 0x9e3779b97f4a7c15u >> 20) & (all->slot_count - 1);
    while (all->slots[at] && *(const uint64_t *)all->slots[at] != old)
        at = (at + 1) & (all->slot_count - 1);
    return &all->slots[at];
}

/* The same, with room for one more. Null when out of memory. */
static void **want_slot(struct renumbered *all, uint64_t old)
{
    if (all->count * 2 >= all->slot_count) {
        struct renumbered larger = {.slot_count = all->slot_count ? all->slot_count * 2 : 64};
        larger.slots = calloc(larger.slot_count, sizeof(*larger.slots));
        if (!larger.slots)
            return NULL;
        for (size_t i = 0; i < all->slot_count; i++)
            if (all->slots[i])
                *slot_of(&larger, *(const uint64_t *)all->slots[i]) = all->slots[i];
        free(all->slots);
        all->slots = larger.slots;
        all->slot_count = larger.slot_count;
    }
    return slot_of(all, old);
}

static void free_all(struct renumbered *all)
{
    for (size_t i = 0; i < all->slot_count; i++)
        free(all->slots[i]);
    free(all->slots);
}

/* Null when out of memory. */
static const struct vt_frame *copy_frame(struct replay *replay, const struct vt_frame *frame)
{
    void **slot = want_slot(&replay->frames, frame->id);
    struct new_frame *made = slot ? *slot : NULL;
    if (made || !slot)
        return made ? &made->frame : NULL;
    if (!(made = malloc(sizeof(*made))))
        return NULL;
    *made = (struct new_frame){frame->id, *frame};
    if (replay->part->lines && vt_lines_find(replay->part->lines, &made->frame)) {
        free(made);
        return NULL;
    }
    made->frame.id = ++replay->frames.count;
    *slot = made;
    return &made->frame;
}

/* Null when out of memory. */
static const struct vt_stack *copy_stack(struct replay *replay, const struct vt_stack *stack)
{
    void **slot = want_slot(&replay->stacks, stack->id);
    struct new_stack *made = slot ? *slot : NULL;
    if (made || !slot)
        return made ? &made->stack : NULL;
    if (!(made = malloc(sizeof(*made) + stack->frame_count * sizeof(made->frames[0]))))
        return NULL;
    made->old = stack->id;
    made->stack = *stack;
    made->stack.frames = made->frames;
    for (size_t i = 0; i < stack->frame_count; i++) {
        if (!(made->frames[i] = copy_frame(replay, stack->frames[i]))) {
            free(made);
            return NULL;
        }
    }
    made->stack.id = ++replay->stacks.count;
    *slot = made;
    return &made->stack;
}

/* ---- events ---------------------------------------------------------------------- */

/* Is the event the process's own, or of its address space? */
static bool is_of(struct replay *replay, const struct vt_recorded_process *process,
                  const struct vt_event *event)
{
    bool over = process->end_event && event->seq > process->end_event;
    if (event->seq < process->first_event || over)
        return false;
    if (event->pid != process->pid)
        return replay->space && event->space == replay->space;
    /* A vfork child begins in another's space, which stays the other's. */
    if (event->seq == process->first_event || event->cause == VT_CAUSE_EXEC)
        replay->space = event->shares_space ? 0 : event->space;
    return true;
}

static int tell(void *context, const struct vt_event *event)
{
    struct replay *replay = context;
    const struct vt_replay_part *part = replay->part;
    if (part->last_event && event->seq > part->last_event)
        return STOP;
    if (part->process && !is_of(replay, part->process, event))
        return 0;
    if (!event->stack || (!part->process && !part->lines))
        return vt_sink_event(replay->sink, event, replay->err);
    struct vt_event own = *event;
    if (!(own.stack = copy_stack(replay, own.stack)))
        return vt_error_errno(replay->err, ENOMEM, "cannot replay the recording");
    return vt_sink_event(replay->sink, &own, replay->err);
}

int vt_session_replay(struct vt_recording *recording, const struct vt_replay_part *part,
                      struct vt_sink *sink, struct vt_error *err)
{
    static const struct vt_replay_part all;
    const struct vt_recording_info *info = vt_recording_info(recording);
    struct replay replay = {.part = part ? part : &all, .sink = sink, .err = err};
    struct vt_summary summary = info->summary;
    if (!info->complete)
        summary.interrupted = "the recording was cut short";
    int rc = vt_sink_begin(sink, &info->run, err);
    if (!rc)
        rc = vt_recording_replay(recording, tell, &replay, err);
    if (!rc || rc == STOP)
        rc = vt_sink_end(sink, &summary, err);
    free_all(&replay.stacks);
    free_all(&replay.frames);
    return rc;
}
