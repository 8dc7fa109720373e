/*
 * walk.c - hides the columns of events and regions, and that rows may be damage.
 *
 * Invariants: numbers ascend strictly, so that a walk in a damaged tree ends;
 * what a caller gets refers to what is there.
 */
#include "recording/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* ---- events ---------------------------------------------------------------------------- */

struct event_walk {
    struct vt_recording *recording;
    enum vt_event_depth depth;
    vt_event_row_fn *each;
    void *context;
    struct vt_error *err;
    uint64_t last_seq;
    uint32_t *spaces; /* of each process, as of the last event */
};

static void begin_pass(struct vt_source *source, const char *what, uint64_t all)
{
    source->pass = what;
    source->pass_done = 0;
    source->pass_all = all;
}

static int take_event(void *context, struct vt_row *row)
{
    struct event_walk *walk = context;
    struct vt_recording *r = walk->recording;
    uint64_t stack, thread = 1;
    struct vt_event_row e = {
        .seq = vt_row_uint(row, 0, INT64_MAX),
        .time_ns = (int64_t)vt_row_uint(row, 1, VT_TIME_MOST),
        .process = (uint32_t)vt_row_uint(row, 2, INT32_MAX) - 1,
        .space = (uint32_t)vt_row_uint(row, 3, UINT32_MAX),
        .cause = vt_row_word(row, 4),
        .regions = vt_row_bits(row, 5),
        .row = row,
    };
    if (vt_row_known(row, 6, INT64_MAX, &stack)) {
        e.stack = vt_reader_stack(r, stack);
        row->bad |= !e.stack;
    }
    e.changes = vt_row_blob(row, 7, &e.changes_length);
    if (walk->depth >= VT_EVENTS_THREAD)
        thread = vt_row_uint(row, 8, r->thread_count);
    e.thread = (uint32_t)thread - 1;
    if (row->bad || e.seq <= walk->last_seq || e.process >= r->process_count || !thread || !e.cause)
        return vt_source_damaged(&r->source, "table events", walk->err);
    walk->last_seq = r->source.pass_done = e.seq;
    e.is_exec = e.cause[0] == 'e' && !strcmp(e.cause, "exec");
    uint32_t had = walk->spaces[e.process];
    e.old_space = e.is_exec && had ? had : e.space;
    walk->spaces[e.process] = e.space;
    return walk->each(walk->context, &e);
}

int vt_walk_events(struct vt_recording *r, enum vt_event_depth depth, vt_event_row_fn *each,
                   void *context, struct vt_error *err)
{
#define LEAN "seq, time, process, space, cause, regions, stack, changes"
    static const char *const columns[VT_EVENT_DEPTHS] = {
        [VT_EVENTS_LEAN] = LEAN,
        [VT_EVENTS_THREAD] = LEAN ", thread",
        [VT_EVENTS_WHOLE] = LEAN ", thread, " VT_EVENT_REST,
    };
#undef LEAN
    struct event_walk walk = {
        .recording = r, .depth = depth, .each = each, .context = context, .err = err};
    walk.spaces = calloc(r->process_count + 1, sizeof(*walk.spaces));
    if (!walk.spaces)
        return vt_source_no_memory(&r->source, err);
    begin_pass(&r->source, "events", r->info.summary.events);
    int rc = vt_source_scan(&r->source, VT_TABLE_EVENTS, columns[depth], NULL, NULL, take_event,
                            &walk, err);
    begin_pass(&r->source, NULL, 0);
    free(walk.spaces);
    return rc;
}

static int region_of(const struct vt_recording *r, const struct vt_packed_state *state,
                     vt_addr start, uint64_t size, struct vt_region *region)
{
    bool bad = false;
    *region = (struct vt_region){
        .start = start,
        .end = start + size,
        .offset = state->offset,
        .object = vt_reader_object(r, state->object, &bad),
        .prot = state->prot,
        .flags = state->flags,
        .kind = state->kind,
    };
    return bad ? -EINVAL : 0;
}

int vt_walk_change(const struct vt_recording *r, const struct vt_packed *packed,
                   struct vt_change *change)
{
    uint64_t size = packed->end - packed->start;
    *change = (struct vt_change){
        .op = packed->op,
        .source_stays = packed->source_stays,
        .start = packed->start,
        .end = packed->end,
    };
    int rc = 0;
    if (packed->op != VT_CHANGE_MADE)
        rc = region_of(r, &packed->before, packed->from, size, &change->before);
    if (packed->op != VT_CHANGE_GONE && !rc)
        rc = region_of(r, &packed->after, packed->start, size, &change->after);
    return rc;
}

/* ---- rectangles -------------------------------------------------------------------------- */

struct rectangle_walk {
    struct vt_recording *recording;
    bool lean;
    vt_rectangle_fn *each;
    void *context;
    struct vt_error *err;
    uint64_t last_id;
};

static int take_rectangle(void *context, struct vt_row *row)
{
    struct rectangle_walk *walk = context;
    struct vt_recording *recording = walk->recording;
    struct vt_rectangle r = {.space = (uint32_t)vt_row_uint(row, 1, UINT32_MAX)};
    uint64_t id = vt_row_uint(row, 0, INT64_MAX), number;
    vt_row_range(row, 2, &r.region.start, &r.region.end);
    vt_row_perm(row, 4, &r.region.prot, &r.region.flags);
    r.region.kind = vt_row_kind(row, 5);
    r.region.object = vt_reader_row_object(recording, row, 6);
    r.region.offset = vt_row_bits(row, 7);
    r.made_event = vt_row_uint(row, 8, INT64_MAX);
    r.made_by = vt_row_op(row, 9);
    r.origin_event = vt_row_uint(row, 10, INT64_MAX);
    if (vt_row_known(row, 11, INT64_MAX, &number)) {
        r.ended_event = number;
        r.ended_by = vt_row_op(row, 12);
        row->bad |= r.ended_event <= r.made_event || !r.ended_by;
    }
    if (!walk->lean) {
        r.region.flags |= (uint8_t)vt_row_uint(row, 13, 31);
        if (vt_row_known(row, 14, recording->image_count, &number))
            r.image = (uint32_t)number;
        r.moved_from = vt_row_bits(row, 15);
    }
    if (row->bad || id <= walk->last_id || r.origin_event > r.made_event || !r.made_by)
        return vt_source_damaged(&recording->source, "table regions", walk->err);
    walk->last_id = recording->source.pass_done = id;
    return walk->each(walk->context, &r);
}

/* The last region's number, for those who watch; 0 not known. */
static uint64_t last_rectangle(struct vt_source *source)
{
    sqlite3_stmt *s;
    uint64_t last = 0;
    struct vt_error err;
    if (!source->watch || vt_source_query(source, "SELECT max(id) FROM regions", &s, &err))
        return 0;
    if (vt_source_step(source, s, &err) > 0)
        last = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return last;
}

static int walk_rectangles(struct vt_recording *r, bool lean, const char *where,
                           const uint64_t *numbers, vt_rectangle_fn *each, void *context,
                           struct vt_error *err)
{
#define LEAN                                                                                       \
    "id, space, start, end, perm, kind, object, offset, made_event, made_by, origin_event, "       \
    "ended_event, ended_by"
    struct rectangle_walk walk = {
        .recording = r, .lean = lean, .each = each, .context = context, .err = err};
    begin_pass(&r->source, "regions", last_rectangle(&r->source));
    int rc = vt_source_scan(&r->source, VT_TABLE_REGIONS,
                            lean ? LEAN : LEAN ", flags, image, moved_from", where, numbers,
                            take_rectangle, &walk, err);
#undef LEAN
    begin_pass(&r->source, NULL, 0);
    return rc;
}

int vt_recording_rectangles(struct vt_recording *r, vt_rectangle_fn *each, void *context,
                            struct vt_error *err)
{
    return walk_rectangles(r, false, NULL, NULL, each, context, err);
}

int vt_walk_rectangles_lean(struct vt_recording *r, uint64_t first, uint64_t last,
                            vt_rectangle_fn *each, void *context, struct vt_error *err)
{
    const uint64_t numbers[] = {first, vt_min(last, INT64_MAX)};
    bool all = !first && numbers[1] == INT64_MAX;
    return walk_rectangles(
        r, true, all ? NULL : "made_event <= ?2 AND (ended_event IS NULL OR ended_event > ?1)",
        numbers, each, context, err);
}

int vt_walk_live(struct vt_recording *r, const struct vt_moment *moment, vt_rectangle_fn *each,
                 void *context, struct vt_error *err)
{
    const uint64_t numbers[] = {moment->space, moment->event};
    return walk_rectangles(r, false,
                           "space = ?1 AND made_event <= ?2 AND "
                           "(ended_event IS NULL OR ended_event > ?2)",
                           numbers, each, context, err);
}
