/*
 * spaces.c - hides how changes become pieces that come and go, and how the
 * program that a space belongs to is known.
 *
 * Memory is in proportion to what is mapped, to the threads that ever were and
 * to the distinct names.
 *
 * Invariants: each tile was told to take(), and is told to drop() once, before it
 * is taken out. What a filter left out is missing, and is no error: memory that
 * was never told to be mapped begins with the first event that tells of it.
 */
#include "sinks/spaces.h"
#include "sinks/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* What a thread runs. */
struct vt_runner {
    pid_t tid; /* 0: a free slot */
    uint32_t program;
};

/* ---- threads --------------------------------------------------------------------- */

static struct vt_runner *runner_of(const struct vt_spaces *spaces, pid_t tid)
{
    size_t mask = spaces->runner_capacity - 1;
    size_t at = (uint32_t)tid * 0x9e3779b1u & mask;
    while (spaces->runners[at].tid && spaces->runners[at].tid != tid)
        at = (at + 1) & mask;
    return &spaces->runners[at];
}

static int grow_runners(struct vt_spaces *spaces)
{
    struct vt_spaces larger = {
        .runner_capacity = spaces->runner_capacity ? spaces->runner_capacity * 2 : 64};
    larger.runners = calloc(larger.runner_capacity, sizeof(*larger.runners));
    if (!larger.runners)
        return -ENOMEM;
    for (size_t i = 0; i < spaces->runner_capacity; i++)
        if (spaces->runners[i].tid)
            *runner_of(&larger, spaces->runners[i].tid) = spaces->runners[i];
    free(spaces->runners);
    spaces->runners = larger.runners;
    spaces->runner_capacity = larger.runner_capacity;
    return 0;
}

static int note_runner(struct vt_spaces *spaces, pid_t tid, uint32_t program)
{
    if (spaces->runner_count * 2 >= spaces->runner_capacity && grow_runners(spaces))
        return -ENOMEM;
    struct vt_runner *runner = runner_of(spaces, tid);
    spaces->runner_count += !runner->tid;
    *runner = (struct vt_runner){tid, program};
    return 0;
}

/* ---- spaces ---------------------------------------------------------------------- */

static struct vt_mapped **place_of(struct vt_spaces *spaces, uint32_t id)
{
    struct vt_mapped **at = &spaces->buckets[id % VT_SPACE_BUCKETS];
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

struct vt_mapped *vt_spaces_find(const struct vt_spaces *spaces, uint32_t id)
{
    struct vt_mapped *space = spaces->buckets[id % VT_SPACE_BUCKETS];
    while (space && space->id != id)
        space = space->next;
    return space;
}

static void free_space(struct vt_spaces *spaces, struct vt_mapped *space)
{
    if (spaces->watcher->leave)
        spaces->watcher->leave(spaces->context, space);
    vt_tiles_deinit(&space->tiles);
    free(space);
}

/* What a new space's process runs. Returns false when out of memory. */
static bool find_program(struct vt_spaces *spaces, const struct vt_event *event, uint32_t *program)
{
    *program = 0;
    if (event->exec) {
        const char *name = vt_base_name(event->exec->path);
        return !*name || (*program = vt_names_add(&spaces->names, name));
    }
    if (event->parent && spaces->runner_capacity)
        *program = runner_of(spaces, event->parent)->program;
    return true;
}

static struct vt_mapped *want_space(struct vt_spaces *spaces, const struct vt_event *event)
{
    struct vt_mapped **at = place_of(spaces, event->space);
    uint32_t program;
    if (*at)
        return *at;
    if (!find_program(spaces, event, &program))
        return NULL;
    struct vt_mapped *space = calloc(1, sizeof(*space));
    if (!space)
        return NULL;
    space->id = event->space;
    space->pid = event->pid;
    space->program = program;
    vt_tiles_init(&space->tiles);
    if (!spaces->first_pid)
        spaces->first_pid = event->pid;
    spaces->several |= event->pid != spaces->first_pid;
    return *at = space;
}

/* A space whose last process ended, or replaced it, is over when nothing is left in it. */
static void leave_space(struct vt_spaces *spaces, uint32_t id)
{
    struct vt_mapped **at = place_of(spaces, id), *space = *at;
    if (!space || space->tiles.count)
        return;
    *at = space->next;
    free_space(spaces, space);
}

void vt_spaces_deinit(struct vt_spaces *spaces)
{
    for (size_t i = 0; i < VT_SPACE_BUCKETS; i++) {
        for (struct vt_mapped *next, *space = spaces->buckets[i]; space; space = next) {
            next = space->next;
            free_space(spaces, space);
        }
        spaces->buckets[i] = NULL;
    }
    free(spaces->runners);
    spaces->runners = NULL;
    vt_names_deinit(&spaces->names);
}

/* ---- pieces ---------------------------------------------------------------------- */

static void drop(struct vt_spaces *spaces, struct vt_mapped *space, struct vt_tile *tile)
{
    spaces->watcher->drop(spaces->context, space, tile);
    vt_tiles_remove(&space->tiles, tile);
}

static int cut(struct vt_mapped *space, vt_addr start, vt_addr end)
{
    int rc = vt_tiles_cut(&space->tiles, start);
    return rc ? rc : vt_tiles_cut(&space->tiles, end);
}

static int clear_range(struct vt_spaces *spaces, struct vt_mapped *space, vt_addr start,
                       vt_addr end)
{
    int rc = cut(space, start, end);
    if (rc)
        return rc;
    struct vt_tile *next, *tile = vt_tiles_at_or_above(&space->tiles, start);
    for (; tile && tile->start < end; tile = next) {
        next = vt_tiles_next(tile);
        drop(spaces, space, tile);
    }
    return 0;
}

/* [start, end) is as `state` says, which begins at state->start. */
static int put(struct vt_spaces *spaces, struct vt_mapped *space, const struct vt_region *state,
               vt_addr start, vt_addr end, const struct vt_tile *was, enum vt_arrival arrival)
{
    const struct vt_object *object = state->object;
    struct vt_tile tile = {
        .start = start,
        .end = end,
        .prot = state->prot,
        .flags = state->flags,
        .kind = state->kind,
        .is_file = object && object->type == VT_OBJECT_FILE,
    };
    if (object && !(tile.object = vt_names_add(&spaces->names, object->name)))
        return -ENOMEM;
    if (tile.is_file)
        tile.offset = state->offset + (start - state->start);
    if (was) {
        tile.row = was->row;
        tile.origin_event = was->origin_event;
    }
    int rc = spaces->watcher->take(spaces->context, space, &tile, arrival);
    if (rc)
        return rc;
    return vt_tiles_add(&space->tiles, &tile) ? 0 : -ENOMEM;
}

/* What lay in before's range lies at after's, in another state, with all that it is known by. */
static int carry(struct vt_spaces *spaces, struct vt_mapped *space, const struct vt_change *change)
{
    bool moved = change->op == VT_CHANGE_MOVED, stays = moved && change->source_stays;
    vt_addr at = moved ? change->before.start : change->start;
    vt_addr end = at + (change->end - change->start), shift = change->start - at;
    struct vt_region after = change->after;
    after.start = change->start;
    int rc = cut(space, at, end);
    if (!rc && moved)
        rc = clear_range(spaces, space, change->start, change->end);
    while (at < end && !rc) {
        struct vt_tile *old = vt_tiles_at_or_above(&space->tiles, at);
        vt_addr stop = !old || old->start >= end ? end : old->start > at ? old->start : old->end;
        bool known = old && old->start <= at;
        struct vt_tile was;
        if (known)
            was = *old;
        if (known && !stays)
            drop(spaces, space, old);
        rc = put(spaces, space, &after, at + shift, stop + shift, known ? &was : NULL,
                 !known  ? VT_ARRIVED_NEW
                 : stays ? VT_ARRIVED_COPIED
                         : VT_ARRIVED_KEPT);
        at = stop;
    }
    return rc;
}

static int apply(struct vt_spaces *spaces, struct vt_mapped *space, struct vt_mapped *left,
                 const struct vt_change *change)
{
    int rc;
    if (change->start >= change->end)
        return 0;
    switch (change->op) {
    case VT_CHANGE_MADE:
        rc = clear_range(spaces, space, change->start, change->end);
        return rc ? rc
                  : put(spaces, space, &change->after, change->start, change->end, NULL,
                        VT_ARRIVED_NEW);
    case VT_CHANGE_GONE:
        return left ? clear_range(spaces, left, change->start, change->end) : 0;
    case VT_CHANGE_ALTERED:
    case VT_CHANGE_MOVED:
        return carry(spaces, space, change);
    }
    return 0;
}

int vt_spaces_event(struct vt_spaces *spaces, const struct vt_event *event)
{
    bool born = event->exec || event->cause == VT_CAUSE_FORK || event->cause == VT_CAUSE_THREAD;
    uint32_t left_id = event->exec && event->exec->left_space ? event->exec->left_space
                                                              : event->space;
    struct vt_mapped *space = event->change_count || born ? want_space(spaces, event) : NULL;
    if (!space && (event->change_count || born))
        return -ENOMEM;
    if (space && (born || event->tid != spaces->last_tid)) {
        int rc = note_runner(spaces, event->tid, space->program);
        if (rc)
            return rc;
        spaces->last_tid = event->tid;
    }
    struct vt_mapped *left = vt_spaces_find(spaces, left_id);
    for (size_t i = 0; i < event->change_count; i++) {
        int rc = apply(spaces, space, left, &event->changes[i]);
        if (rc)
            return rc;
    }
    if (event->exit || left_id != event->space)
        leave_space(spaces, left_id);
    return 0;
}
