/*
 * massif.c - mapped bytes over time in the format of valgrind's massif, for
 * ms_print(1) and massif-visualizer. The format is described by what reads it:
 * lines of `name=value` in a fixed order for each snapshot, then a tree of
 * `nCHILDREN: BYTES LABEL`, a space deeper for each level; what follows a # is
 * a comment to ms_print.
 *
 * All that is mapped counts as heap, as with massif's --pages-as-heap. A tree
 * goes from the call and kind inwards to outwards: who called, who called that.
 * Times are milliseconds with a fraction.
 *
 * However long the run, there are at most SNAPSHOTS_MOST snapshots and the peak:
 * when they are full, those are left out that are closest to their neighbours,
 * and from then on fewer are taken. Trees are kept as text without what is below
 * the threshold, so each is bounded as well. The peak is exact: what every site
 * had at it is known from sites.h at the end.
 *
 * Invariant: a snapshot is of what was mapped between two events, and bears the
 * time of the first of them; so a long pause after a change is not missed.
 */
#include "sinks/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/escape.h"
#include "sinks/sites.h"

#define SNAPSHOTS_MOST 96 /* with the peak, below massif's own 100 */
#define DETAILED_EVERY 8
#define DEPTH_MOST     30 /* frames, as massif's --depth */

struct snapshot {
    int64_t time_ns;
    uint64_t seq; /* of the event after which */
    uint64_t bytes;
    char *tree; /* null: not detailed */
    size_t tree_length;
};

struct massif {
    struct vt_sites sites;
    struct snapshot snapshots[SNAPSHOTS_MOST];
    size_t count;
    uint64_t taken;
    int64_t interval_ns; /* between the last snapshot and the event that makes the next one taken */
    struct snapshot now; /* after the last event */
    bool pending;        /* `now` is not among the snapshots */
    int64_t first_ns;

    /* for a tree; kept to be used again */
    const struct vt_site **order;
    size_t order_capacity;
    struct vt_buf label;
};

/* ---- trees ----------------------------------------------------------------------- */

/* What is the same in all of one tree. */
struct tree {
    const struct vt_sites *sites;
    enum vt_measure measure;
    const struct vt_site **order; /* by their paths */
    uint64_t threshold;           /* below it sites are not told apart: 1% */
    struct vt_buf *out;
    struct vt_buf *label;
};

/* What the n-th step of a site's path is. */
enum step { STEP_CALL, STEP_FRAME, STEP_OBJECT, STEP_PROCESS, STEP_END };

static enum step step_of(const struct vt_sites *sites, const struct vt_site *site, size_t depth)
{
    const struct vt_stack *stack = vt_site_origin(sites, site)->stack;
    size_t frames = stack ? vt_min(stack->frame_count, DEPTH_MOST) : 0;
    if (!depth)
        return STEP_CALL;
    if (depth <= frames)
        return STEP_FRAME;
    depth -= frames;
    if (site->object && depth-- == 1)
        return STEP_OBJECT;
    return sites->spaces.several && depth == 1 ? STEP_PROCESS : STEP_END;
}

/* Paths are alike as far as these numbers are. */
static uint64_t key_of(const struct vt_sites *sites, const struct vt_site *site, size_t depth,
                       enum step step)
{
    const struct vt_origin *origin = vt_site_origin(sites, site);
    switch (step) {
    case STEP_CALL:
        return (uint64_t)origin->cause << 8 | site->kind;
    case STEP_FRAME:
        return origin->stack->frames[depth - 1]->id;
    case STEP_OBJECT:
        return site->object;
    case STEP_PROCESS:
        return (uint64_t)origin->pid << 32 | origin->program;
    case STEP_END:
        break;
    }
    return 0;
}

/* 0: the same step. Ends come first. */
static int compare_at(const struct vt_sites *sites, const struct vt_site *a,
                      const struct vt_site *b, size_t depth, enum step *step)
{
    enum step x = step_of(sites, a, depth), y = step_of(sites, b, depth);
    *step = x;
    if (x != y)
        return x == STEP_END ? -1 : y == STEP_END ? 1 : (int)x - (int)y;
    uint64_t p = key_of(sites, a, depth, x), q = key_of(sites, b, depth, y);
    return (p > q) - (p < q);
}

static int by_path(const void *a, const void *b, void *context)
{
    const struct vt_site *const *x = a, *const *y = b;
    enum step step = STEP_CALL;
    int order = 0;
    for (size_t depth = 0; !order && step != STEP_END; depth++)
        order = compare_at(context, *x, *y, depth, &step);
    return order;
}

/* Text from elsewhere: no control characters, and nothing that is a comment to ms_print. */
static void put_text(struct vt_buf *out, struct vt_buf *scratch, const char *raw)
{
    vt_buf_clear(scratch);
    vt_escape_terminal(scratch, raw, strlen(raw));
    out->failed |= scratch->failed;
    for (const char *at = scratch->data, *end = at ? at + scratch->length : at; at < end;) {
        const char *mark = memchr(at, '#', (size_t)(end - at));
        const char *stop = mark ? mark : end;
        vt_buf_add(out, at, (size_t)(stop - at));
        if (mark)
            vt_buf_str(out, "\\x23");
        at = mark ? mark + 1 : end;
    }
}

static void begin_line(struct vt_buf *out, size_t depth, size_t children, uint64_t bytes)
{
    for (; depth; depth--)
        vt_buf_char(out, ' ');
    vt_buf_char(out, 'n');
    vt_buf_dec(out, children);
    vt_buf_str(out, ": ");
    vt_buf_dec(out, bytes);
    vt_buf_char(out, ' ');
}

/* "0x1234: function (file.c:12)", "0x1234: ??? (in /usr/lib/libc.so.6)" */
static void put_place(struct tree *tree, const struct vt_frame *frame, const char *function,
                      const char *file, unsigned line)
{
    struct vt_buf *out = tree->out;
    vt_buf_printf(out, "0x%llX: ", (unsigned long long)frame->address);
    put_text(out, tree->label, function && *function ? function : "???");
    if (file) {
        vt_buf_str(out, " (");
        put_text(out, tree->label, file);
        if (line)
            vt_buf_printf(out, ":%u", line);
        vt_buf_char(out, ')');
    } else if (frame->object) {
        vt_buf_str(out, " (in ");
        put_text(out, tree->label, frame->object->name);
        vt_buf_char(out, ')');
    }
}

/*
 * The lines of one step: one, and one more for each function that was inlined
 * there. Returns how much deeper the step's children are.
 */
static size_t put_step(struct tree *tree, const struct vt_site *site, size_t path_depth,
                       size_t depth, size_t children, uint64_t bytes)
{
    const struct vt_sites *sites = tree->sites;
    const struct vt_origin *origin = vt_site_origin(sites, site);
    struct vt_buf *out = tree->out;
    enum step step = step_of(sites, site, path_depth);
    if (step == STEP_FRAME) {
        const struct vt_frame *frame = origin->stack->frames[path_depth - 1];
        for (size_t i = 0; i < frame->inlined_count; i++) {
            const struct vt_inlined *inlined = &frame->inlined[i];
            begin_line(out, depth + i, 1, bytes);
            put_place(tree, frame, inlined->function, inlined->file, inlined->line);
            vt_buf_char(out, '\n');
        }
        begin_line(out, depth + frame->inlined_count, children, bytes);
        put_place(tree, frame, frame->function, frame->file, frame->line);
        vt_buf_char(out, '\n');
        return frame->inlined_count + 1;
    }
    begin_line(out, depth, children, bytes);
    if (step == STEP_CALL) {
        /* massif-visualizer's legend leaves out what is in parentheses. */
        put_text(out, tree->label, vt_kind_name(site->kind));
        vt_buf_str(out, " (");
        put_text(out, tree->label, vt_sites_name(sites, origin->cause));
        vt_buf_char(out, ')');
    } else if (step == STEP_OBJECT) {
        put_text(out, tree->label, vt_sites_name(sites, site->object));
    } else {
        put_text(out, tree->label, origin->program ? vt_sites_name(sites, origin->program) : "?");
        vt_buf_printf(out, "-%d", (int)origin->pid);
    }
    vt_buf_char(out, '\n');
    return 1;
}

/* Sites with the same next step. */
struct group {
    size_t from;
    size_t to;
    uint64_t bytes;
};

static int by_bytes(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return (x->from > y->from) - (x->from < y->from);
}

/* The steps at path_depth of order[from..to), which are alike before it, and what is below them. */
static void put_children(struct tree *tree, const struct vt_site *parent, size_t from, size_t to,
                         size_t path_depth, size_t depth, uint64_t bytes)
{
    const struct vt_sites *sites = tree->sites;
    struct group groups[101], group; /* each is at least a hundredth of all */
    size_t count = 0, small = 0;
    uint64_t small_bytes = 0;
    while (from < to && step_of(sites, tree->order[from], path_depth) == STEP_END)
        from++; /* nothing more to tell of these */
    for (group.from = from; group.from < to; group.from = group.to) {
        enum step step;
        group.bytes = 0;
        for (group.to = group.from;
             group.to < to &&
             !compare_at(sites, tree->order[group.from], tree->order[group.to], path_depth, &step);
             group.to++)
            group.bytes += vt_site_bytes(sites, tree->order[group.to], tree->measure);
        if (group.bytes >= tree->threshold && count < VT_COUNTOF(groups)) {
            groups[count++] = group;
        } else {
            small++;
            small_bytes += group.bytes;
        }
    }
    if (count)
        qsort(groups, count, sizeof(*groups), by_bytes);
    if (parent) {
        depth += put_step(tree, parent, path_depth - 1, depth, count + (small > 0), bytes);
    } else {
        begin_line(tree->out, 0, count + (small > 0), bytes);
        vt_buf_str(tree->out, "(page allocation syscalls) mmap/mremap/brk, --alloc-fns, etc.\n");
        depth = 1;
    }
    for (size_t i = 0; i < count; i++)
        put_children(tree, tree->order[groups[i].from], groups[i].from, groups[i].to,
                     path_depth + 1, depth, groups[i].bytes);
    if (!small)
        return;
    begin_line(tree->out, depth, 0, small_bytes);
    vt_buf_printf(tree->out, "in %llu place%s, %sbelow massif's threshold (1.00%%)\n",
                  (unsigned long long)small, small == 1 ? "" : "s", small == 1 ? "" : "all ");
}

static int put_tree(struct massif *massif, struct vt_buf *out, enum vt_measure measure)
{
    const struct vt_sites *sites = &massif->sites;
    uint64_t total = 0;
    size_t count = 0;
    if (vt_reserve((void **)&massif->order, &massif->order_capacity, sites->count + 1,
                   sizeof(*massif->order)))
        return -ENOMEM;
    for (size_t i = 0; i < sites->count; i++) {
        uint64_t bytes = vt_site_bytes(sites, &sites->sites[i], measure);
        if (bytes)
            massif->order[count++] = &sites->sites[i];
        total += bytes;
    }
    if (count)
        qsort_r(massif->order, count, sizeof(*massif->order), by_path, (void *)sites);
    struct tree tree = {
        .sites = sites,
        .measure = measure,
        .order = massif->order,
        .threshold = total / 100 + (total % 100 > 0),
        .out = out,
        .label = &massif->label,
    };
    put_children(&tree, NULL, 0, count, 0, 0, total);
    return out->failed ? -ENOMEM : 0;
}

/* ---- snapshots ------------------------------------------------------------------- */

/* Leave out half of the snapshots, those that are closest to their neighbours. */
static void thin_out(struct massif *massif)
{
    while (massif->count > SNAPSHOTS_MOST / 2) {
        size_t closest = 1;
        for (size_t i = 2; i + 1 < massif->count; i++) {
            const struct snapshot *s = &massif->snapshots[i], *c = &massif->snapshots[closest];
            if (s[1].time_ns - s[-1].time_ns < c[1].time_ns - c[-1].time_ns)
                closest = i;
        }
        free(massif->snapshots[closest].tree);
        massif->count--;
        memmove(&massif->snapshots[closest], &massif->snapshots[closest + 1],
                (massif->count - closest) * sizeof(massif->snapshots[0]));
    }
    massif->interval_ns = (massif->now.time_ns - massif->first_ns) / SNAPSHOTS_MOST;
}

/* Keep what is mapped now. */
static int keep(struct massif *massif)
{
    struct snapshot snapshot = massif->now;
    if (massif->count == SNAPSHOTS_MOST)
        thin_out(massif);
    if (massif->taken++ % DETAILED_EVERY == 0) {
        struct vt_buf tree = {0};
        if (put_tree(massif, &tree, VT_MEASURE_LIVE)) {
            vt_buf_deinit(&tree);
            return -ENOMEM;
        }
        snapshot.tree = tree.data;
        snapshot.tree_length = tree.length;
    }
    massif->snapshots[massif->count++] = snapshot;
    massif->pending = false;
    return 0;
}

static void put_snapshot(struct vt_buf *out, size_t number, const struct snapshot *snapshot,
                         const char *tree)
{
    uint64_t us = (uint64_t)(snapshot->time_ns < 0 ? 0 : snapshot->time_ns) / 1000;
    vt_buf_printf(out,
                  "#-----------\nsnapshot=%zu\n#-----------\ntime=%llu.%03u\nmem_heap_B=%llu\n"
                  "mem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=%s\n",
                  number, (unsigned long long)(us / 1000), (unsigned)(us % 1000),
                  (unsigned long long)snapshot->bytes, tree);
    vt_buf_add(out, snapshot->tree, snapshot->tree_length);
}

/* ---- the sink -------------------------------------------------------------------- */

static int fail(const struct vt_sink *sink, struct vt_error *err)
{
    return vt_error_errno(err, ENOMEM, "cannot write %s", sink->target);
}

static int massif_begin(struct vt_sink *sink, const struct vt_run *run, struct vt_error *err)
{
    struct massif *massif = sink->state;
    struct vt_buf *out = &sink->out;
    (void)err;
    vt_sites_init(&massif->sites, false);
    vt_buf_str(out, "desc: vastrace ");
    put_text(out, &massif->label, run->version);
    vt_buf_str(out, ": all that is mapped, by who mapped it\ncmd: ");
    for (char *const *arg = run->command; arg && *arg; arg++) {
        vt_buf_str(out, arg != run->command ? " " : "");
        put_text(out, &massif->label, *arg);
    }
    vt_buf_str(out, run->command ? "\ntime_unit: ms\n" : "(attached)\ntime_unit: ms\n");
    return 0;
}

static int massif_event(struct vt_sink *sink, const struct vt_event *event, struct vt_error *err)
{
    struct massif *massif = sink->state;
    const struct snapshot *last = massif->count ? &massif->snapshots[massif->count - 1] : NULL;
    if (!event->change_count && !event->exit)
        return vt_sites_event(&massif->sites, event) ? fail(sink, err) : 0;
    bool due = !last || event->time_ns - last->time_ns >= massif->interval_ns;
    if (massif->pending && due && event->time_ns > massif->now.time_ns && keep(massif))
        return fail(sink, err);
    if (!massif->now.seq)
        massif->first_ns = event->time_ns;
    if (vt_sites_event(&massif->sites, event))
        return fail(sink, err);
    massif->now = (struct snapshot){
        .time_ns = vt_max((uint64_t)massif->now.time_ns, (uint64_t)event->time_ns),
        .seq = event->seq,
        .bytes = massif->sites.live,
    };
    massif->pending = true;
    return 0;
}

static int massif_end(struct vt_sink *sink, const struct vt_summary *summary, struct vt_error *err)
{
    struct massif *massif = sink->state;
    struct vt_buf *out = &sink->out, tree = {0};
    (void)summary;
    if ((massif->pending || !massif->count) && keep(massif))
        return fail(sink, err);
    struct snapshot peak = {
        .time_ns = massif->sites.peak_time_ns,
        .seq = massif->sites.peak_seq,
        .bytes = massif->sites.peak,
    };
    int rc = put_tree(massif, &tree, VT_MEASURE_PEAK);
    peak.tree = tree.data;
    peak.tree_length = tree.length;
    bool peaked = !peak.seq; /* nothing was ever mapped: no peak */
    size_t number = 0;
    for (size_t i = 0; i < massif->count && !rc; i++) {
        const struct snapshot *s = &massif->snapshots[i];
        if (!peaked && s->seq >= peak.seq) {
            put_snapshot(out, number++, &peak, "peak");
            peaked = true;
            if (s->seq == peak.seq)
                continue;
        }
        put_snapshot(out, number++, s, s->tree ? "detailed" : "empty");
    }
    vt_buf_deinit(&tree);
    return rc ? fail(sink, err) : 0;
}

static void massif_destroy(struct vt_sink *sink)
{
    struct massif *massif = sink->state;
    for (size_t i = 0; i < massif->count; i++)
        free(massif->snapshots[i].tree);
    vt_sites_deinit(&massif->sites);
    free(massif->order);
    vt_buf_deinit(&massif->label);
}

const struct vt_sink_ops vt_massif_ops = {
    .endings = (const char *const[]){".massif", NULL},
    .state_size = sizeof(struct massif),
    .begin = massif_begin,
    .event = massif_event,
    .end = massif_end,
    .destroy = massif_destroy,
};
