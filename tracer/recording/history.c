/*
 * history.c - hides how the biography of an address is told from changes: which
 * region holds it is followed through every event of the process's spaces.
 *
 * Invariant: the first half of the entries that may be kept are the oldest, the
 * second half a ring of the newest.
 */
#include "recording/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* The region at the address, space by space. */
struct holder {
    uint32_t space;
    struct vt_region region; /* start == end: none */
};

struct search {
    struct vt_recording *recording;
    const struct vt_recorded_process *process;
    vt_addr start;
    vt_addr end;
    size_t most;
    struct vt_history *history;
    uint64_t found;
    size_t last;  /* the index of the latest entry; meaningful if something was found */
    bool goes_on; /* it does what the one before it did */
    struct holder *holders;
    size_t holder_count;
    struct vt_error *err;
    const struct vt_event_row *event;
    uint32_t space; /* that the change at hand is of */
};

void vt_history_deinit(struct vt_history *history)
{
    free(history->entries);
    *history = (struct vt_history){0};
}

static bool same_state(const struct vt_region *a, const struct vt_region *b)
{
    return a->prot == b->prot && a->kind == b->kind && a->object == b->object;
}

/* Does an entry do what the one before it did, as when a heap grows? */
static bool does_the_same(const struct vt_history_entry *last, const struct vt_history_entry *e)
{
    if (e->op != last->op || e->cause != last->cause || e->space != last->space ||
        e->stack != last->stack || e->tid != last->tid)
        return false;
    if (e->op == VT_HISTORY_ALTERED)
        return e->after.start == last->after.end && same_state(&e->before, &last->before) &&
               same_state(&e->after, &last->after);
    return e->op == VT_HISTORY_GROWN || e->op == VT_HISTORY_CUT;
}

static int add(struct search *s, enum vt_history_op op, const struct vt_region *before,
               const struct vt_region *after, vt_addr elsewhere)
{
    struct vt_history *h = s->history;
    const struct vt_recording *r = s->recording;
    const struct vt_event_row *e = s->event;
    const struct vt_history_entry entry = {
        .op = op,
        .event = e->seq,
        .time_ns = e->time_ns,
        .pid = r->processes[e->process].pid,
        .tid = r->threads[e->thread].tid,
        .space = s->space,
        .cause = e->cause,
        .stack = e->stack,
        .before = before ? *before : (struct vt_region){0},
        .after = after ? *after : (struct vt_region){0},
        .elsewhere = elsewhere,
    };
    struct vt_history_entry *last = s->most && s->found ? &h->entries[s->last] : NULL;
    bool same = last && does_the_same(last, &entry);
    if (same && s->goes_on) {
        uint64_t skipped = last->skipped + 1;
        *last = entry;
        last->skipped = skipped;
        return 0;
    }
    size_t at = h->count;
    if (s->most && h->count == s->most) {
        size_t head = s->most / 2, ring = s->most - head;
        at = head + (size_t)((s->found - head) % ring);
    } else {
        if (vt_reserve((void **)&h->entries, &h->capacity, h->count + 1, sizeof(*h->entries)))
            return -ENOMEM;
        h->count++;
    }
    /* NOLINTNEXTLINE(*NullDereference): there was room for more than none */
    h->entries[at] = entry;
    s->found++;
    s->last = at;
    s->goes_on = same;
    return 0;
}

/* The ring's oldest entry first. */
static int unroll(struct search *s)
{
    struct vt_history *h = s->history;
    size_t head = s->most / 2, ring = s->most - head;
    if (!s->most || s->found <= s->most)
        return 0;
    size_t first = (size_t)((s->found - head) % ring);
    struct vt_history_entry *copy = malloc(ring * sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    for (size_t i = 0; i < ring; i++)
        copy[i] = h->entries[head + (first + i) % ring];
    memcpy(h->entries + head, copy, ring * sizeof(*copy));
    free(copy);
    h->left_out = s->found - s->most;
    return 0;
}

static struct vt_region *held_in(struct search *s)
{
    for (size_t i = 0; i < s->holder_count; i++)
        if (s->holders[i].space == s->space)
            return &s->holders[i].region;
    return NULL;
}

static bool overlaps(const struct search *s, vt_addr start, vt_addr end)
{
    return start < s->end && s->start < end;
}

/* A layout would join them. */
static bool continues(const struct vt_region *a, const struct vt_region *b)
{
    return vt_layout_same_cover(a, b) && a->kind == b->kind && a->flags == b->flags;
}

/* Something beside the address, in or next to the region that holds it. */
static int beside(struct search *s, struct vt_region *held, const struct vt_change *change)
{
    struct vt_region before = *held;
    bool moved = change->op == VT_CHANGE_MOVED;
    vt_addr from = moved ? change->before.start : change->start;
    vt_addr to = moved ? change->before.end : change->end;
    bool takes = change->op != VT_CHANGE_MADE && !(moved && change->source_stays);
    bool brings = change->op != VT_CHANGE_GONE;
    if (takes && from < held->end && held->start < to) {
        if (from <= s->start) { /* ends below the address: the head was cut off */
            if (held->object && held->object->type == VT_OBJECT_FILE)
                held->offset += to - held->start;
            held->start = to;
        } else {
            held->end = from;
        }
        return add(s, VT_HISTORY_CUT, &before, held, 0);
    }
    if (brings && continues(&change->after, held))
        *held = (struct vt_region){change->after.start, held->end,  change->after.offset,
                                   held->object,        held->prot, held->flags,
                                   held->kind};
    else if (brings && continues(held, &change->after))
        held->end = change->after.end;
    else
        return 0;
    return add(s, VT_HISTORY_GROWN, &before, held, 0);
}

static int follow(struct search *s, const struct vt_change *change)
{
    static const struct vt_region none;
    bool single = s->end - s->start == 1;
    struct vt_region *held = single ? held_in(s) : NULL;
    bool had = held && held->start < held->end;
    const struct vt_region *before = had ? held : &change->before;
    bool moved = change->op == VT_CHANGE_MOVED;
    int rc = 0;

    if (moved && overlaps(s, change->before.start, change->before.end) && !change->source_stays) {
        rc = add(s, VT_HISTORY_MOVED_AWAY, before, NULL,
                 change->start + (s->start - change->before.start));
        if (held)
            *held = none;
        if (rc || !overlaps(s, change->start, change->end))
            return rc;
    }
    if (!overlaps(s, change->start, change->end))
        return had ? beside(s, held, change) : 0;
    switch (change->op) {
    case VT_CHANGE_MADE:
        rc = add(s, VT_HISTORY_MADE, NULL, &change->after, 0);
        break;
    case VT_CHANGE_GONE:
        rc = add(s, VT_HISTORY_GONE, before, NULL, 0);
        break;
    case VT_CHANGE_ALTERED:
        rc = add(s, VT_HISTORY_ALTERED, before, &change->after, 0);
        break;
    case VT_CHANGE_MOVED:
        rc = add(s, VT_HISTORY_MOVED_HERE, NULL, &change->after,
                 change->before.start + (s->start - change->start));
        break;
    }
    if (held)
        *held = change->op == VT_CHANGE_GONE ? none : change->after;
    return rc;
}

/* Spaces of the process, and nothing at the address in any of them. */
static int find_spaces(struct search *s)
{
    const struct vt_recording *r = s->recording;
    s->holders = calloc(r->tenure_count + 1, sizeof(*s->holders));
    if (!s->holders)
        return -ENOMEM;
    for (size_t i = 0; i < r->tenure_count; i++)
        if (r->tenures[i].process == s->process->id)
            s->holders[s->holder_count++].space = r->tenures[i].space;
    return 0;
}

static int take_event(void *context, const struct vt_event_row *event)
{
    struct search *s = context;
    struct vt_error *err = s->err;
    s->event = event;
    const uint8_t *at = s->event->changes;
    size_t left = s->event->changes_length;
    struct vt_packed packed;
    struct vt_change change;
    int rc;
    while (!(rc = vt_unpack(&at, &left, &packed))) {
        s->space = packed.op == VT_CHANGE_GONE ? s->event->old_space : s->event->space;
        /* Most changes are far away: no need to know their objects. */
        const struct vt_region *held = held_in(s);
        if (!held)
            continue;
        bool near_range = overlaps(s, packed.start, packed.end) ||
                          overlaps(s, packed.from, packed.from + (packed.end - packed.start));
        bool near_held = held->start < held->end &&
                         ((packed.start <= held->end && held->start <= packed.end) ||
                          (packed.from <= held->end &&
                           held->start <= packed.from + (packed.end - packed.start)));
        if (!near_range && !near_held)
            continue;
        if (vt_walk_change(s->recording, &packed, &change))
            return vt_source_damaged(&s->recording->source, "changes of an event", err);
        rc = follow(s, &change);
        if (rc)
            return vt_source_no_memory(&s->recording->source, err);
    }
    return rc < 0 ? vt_source_damaged(&s->recording->source, "changes of an event", err) : 0;
}

/* Is what lies beside it told? */
static bool has_neighbours(const struct vt_history_entry *e)
{
    return e->op == VT_HISTORY_MADE || e->op == VT_HISTORY_MOVED_HERE;
}

/* Entries are in order of events: find those that a rectangle was there at. */
static int look_beside(void *context, const struct vt_rectangle *rectangle)
{
    const struct search *s = context;
    struct vt_history *h = s->history;
    size_t low = 0, high = h->count;
    uint64_t ended = rectangle->ended_event ? rectangle->ended_event : UINT64_MAX;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (h->entries[middle].event < rectangle->made_event)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < h->count && h->entries[low].event < ended; low++) {
        struct vt_history_entry *e = &h->entries[low];
        const struct vt_region *r = &rectangle->region;
        if (e->space != rectangle->space || !has_neighbours(e))
            continue;
        if (r->end <= e->after.start && r->end > e->below.end)
            e->below = *r;
        if (r->start >= e->after.end && (!e->above.end || r->start < e->above.start))
            e->above = *r;
    }
    return 0;
}

static int find_neighbours(struct search *s)
{
    const struct vt_history *h = s->history;
    uint64_t first = 0, last = 0;
    for (size_t i = 0; i < h->count; i++) {
        if (!has_neighbours(&h->entries[i]))
            continue;
        first = first ? first : h->entries[i].event;
        last = h->entries[i].event;
    }
    return last ? vt_walk_rectangles_lean(s->recording, first, last, look_beside, s, s->err) : 0;
}

int vt_recording_history(struct vt_recording *r, const struct vt_recorded_process *process,
                         vt_addr start, vt_addr end, size_t most, struct vt_history *history,
                         struct vt_error *err)
{
    struct search s = {.recording = r,
                       .process = process,
                       .start = start,
                       .end = end,
                       .most = most > 1 ? most : 0,
                       .history = history,
                       .err = err};
    *history = (struct vt_history){0};
    if (find_spaces(&s))
        return vt_source_no_memory(&r->source, err);
    int rc = vt_walk_events(r, VT_EVENTS_THREAD, take_event, &s, err);
    if (!rc && unroll(&s))
        rc = vt_source_no_memory(&r->source, err);
    if (!rc)
        rc = find_neighbours(&s);
    free(s.holders);
    if (rc)
        vt_history_deinit(history);
    return rc;
}
