/*
 * report.c - hides how one process's account is drawn up: one walk over events
 * (the ledger, peaks, sites, what a mapping replaced), one over what is there
 * at the end, one over all rectangles (lifetimes, what remains, findings).
 *
 * The two walks do not know of each other's figures, so that the ledger's
 * balance proves something: its closing side comes from rectangles, the rest
 * from events.
 *
 * Memory is in proportion to the number of events (24 bytes each), sites and
 * regions at the end.
 */
#include "recording/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define REMAINING_MOST 32
#define FINDINGS_MOST  8   /* of one type */
#define NEAR_EVENTS    8   /* unmapped at once: within so many events */
#define LOOP_LEAST     100 /* times that make a loop worth telling */
#define RESERVE_LEAST  (64 * 1024)
#define GROWTH_LEAST   (1024 * 1024)
#define GROWTH_PIECES  32
#define MAP_FIXED_BIT  0x10 /* linux/mman.h; the same on all architectures we know */

/* What is kept of each event. */
struct mark {
    uint64_t seq;
    int64_t time_ns;
    uint32_t site; /* index; UINT32_MAX: not of this process */
    bool is_munmap;
    bool is_exit;
};

/* Pieces made and unmapped at once, by site and size. */
struct loop {
    uint32_t site;
    uint64_t size;
    struct vt_finding finding;
};

/* Address space that was reserved, and what became of it. */
struct reserve {
    uint64_t origin;
    bool used;
    struct vt_rectangle piece;
};

/* What each eighth of a site's time added to its live bytes of memory of no file. */
struct growth {
    int64_t slices[8];
};

struct work {
    struct vt_recording *recording;
    const struct vt_recorded_process *process;
    struct vt_report *report;
    struct vt_error *err;

    uint32_t *spaces; /* the process's own */
    size_t space_count;

    struct mark *marks; /* ascending by seq */
    size_t mark_count;
    size_t mark_capacity;

    uint32_t *site_slots; /* a hash table of indices + 1 */
    size_t slot_capacity;
    size_t site_capacity;
    struct growth *growth; /* of each site */

    struct vt_rectangle *live; /* at the end, ascending by space and start */
    size_t live_count;
    size_t live_capacity;

    struct loop *loops;
    size_t loop_count;
    size_t loop_capacity;
    uint32_t *loop_slots;
    size_t loop_slot_capacity;

    struct reserve *reserves;
    size_t reserve_count;
    size_t reserve_capacity;

    struct vt_finding *found; /* before the largest are chosen */
    size_t found_count;
    size_t found_capacity;
    size_t remaining_capacity;
};

static const char *const finding_names[VT_FINDING_COUNT] = {
    [VT_FINDING_TAIL] = "tail",
    [VT_FINDING_DESTROYED] = "destroyed",
    [VT_FINDING_WRITE_EXEC] = "write-exec",
    [VT_FINDING_LOOP] = "loop",
    [VT_FINDING_RESERVE] = "reserve",
    [VT_FINDING_GROWTH] = "growth",
    [VT_FINDING_LIMIT] = "limit",
};

const char *vt_finding_name(enum vt_finding_type type)
{
    return (unsigned)type < VT_FINDING_COUNT ? finding_names[type] : "?";
}

/* ---- small helpers ------------------------------------------------------------------ */

static bool is_own(const struct work *w, uint32_t space)
{
    for (size_t i = 0; i < w->space_count; i++)
        if (w->spaces[i] == space)
            return true;
    return false;
}

/*
 * The spaces whose account this is: those that the process had first. A vfork
 * child looks into its parent's for a moment; that is the parent's account,
 * unless the child never had one of its own.
 */
static int find_spaces(struct work *w)
{
    const struct vt_recording *r = w->recording;
    w->spaces = calloc(r->tenure_count + 1, sizeof(*w->spaces));
    if (!w->spaces)
        return -ENOMEM;
    for (int all = 0; all < 2 && !w->space_count; all++) {
        for (size_t i = 0; i < r->tenure_count; i++) {
            const struct vt_tenure *t = &r->tenures[i];
            bool first = t->process == w->process->id;
            for (size_t j = 0; j < r->tenure_count && first && !all; j++)
                first = r->tenures[j].space != t->space ||
                        r->tenures[j].from_event >= t->from_event;
            if (first)
                w->spaces[w->space_count++] = t->space;
        }
    }
    return 0;
}

static uint64_t size_of(const struct vt_region *r)
{
    return r->end - r->start;
}

static bool is_usable(uint8_t kind)
{
    return kind != VT_KIND_GUARD && kind != VT_KIND_RESERVE;
}

/* Events are numbered without gaps unless a filter left some out. */
static const struct mark *mark_of(const struct work *w, uint64_t seq)
{
    size_t low = 0, high = w->mark_count;
    if (seq && seq <= w->mark_count && w->marks[seq - 1].seq == seq)
        return &w->marks[seq - 1];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (w->marks[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < w->mark_count && w->marks[low].seq == seq ? &w->marks[low] : NULL;
}

static struct vt_site *site_of(const struct work *w, const struct mark *mark)
{
    return mark && mark->site != UINT32_MAX ? &w->report->sites[mark->site] : NULL;
}

/* Which eighth of a site's time, from its first event to its last, an event lies in. */
static unsigned slice_of(const struct vt_site *site, const struct mark *mark)
{
    uint64_t since = mark->seq - site->first_event;
    uint64_t span = (site->last_event - site->first_event) / 8 + 1;
    return (unsigned)vt_min(since / span, 7);
}

static bool can_grow(const struct vt_region *r)
{
    return !r->object && (r->kind == VT_KIND_HEAP || r->kind == VT_KIND_ANON);
}

static size_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a * 0x9e3779b97f4a7c15u) ^ (b + 0x9e3779b97f4a7c15u + (a << 6));
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return (size_t)(h ^ h >> 32);
}

static struct vt_finding *add_finding(struct work *w, const struct vt_finding *like)
{
    if (vt_reserve((void **)&w->found, &w->found_capacity, w->found_count + 1, sizeof(*w->found)))
        return NULL;
    w->found[w->found_count] = *like;
    return &w->found[w->found_count++];
}

/* Count a finding in with those of the same type and site. */
static int merge_finding(struct work *w, const struct vt_finding *one)
{
    for (size_t i = 0; i < w->found_count; i++) {
        struct vt_finding *f = &w->found[i];
        if (f->type != one->type || f->cause != one->cause || f->stack != one->stack)
            continue;
        f->count += one->count;
        f->bytes += one->bytes;
        f->last_event = vt_max(f->last_event, one->last_event);
        return 0;
    }
    return add_finding(w, one) ? 0 : -ENOMEM;
}

/* ---- sites ----------------------------------------------------------------------------- */

static int grow_slots(struct work *w)
{
    size_t capacity = w->slot_capacity ? w->slot_capacity * 2 : 256;
    uint32_t *slots = calloc(capacity, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < w->report->site_count; i++) {
        const struct vt_site *s = &w->report->sites[i];
        size_t at = mix((uintptr_t)s->cause, (uintptr_t)s->stack) & (capacity - 1);
        while (slots[at])
            at = (at + 1) & (capacity - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(w->site_slots);
    w->site_slots = slots;
    w->slot_capacity = capacity;
    return 0;
}

/* Words and stacks are the same pointer where they are equal. UINT32_MAX: out of memory. */
static uint32_t want_site(struct work *w, const struct vt_event_row *e)
{
    struct vt_report *report = w->report;
    if (report->site_count * 2 >= w->slot_capacity && grow_slots(w))
        return UINT32_MAX;
    size_t at = mix((uintptr_t)e->cause, (uintptr_t)e->stack) & (w->slot_capacity - 1);
    for (; w->site_slots[at]; at = (at + 1) & (w->slot_capacity - 1)) {
        const struct vt_site *s = &report->sites[w->site_slots[at] - 1];
        if (s->cause == e->cause && s->stack == e->stack)
            return w->site_slots[at] - 1;
    }
    if (vt_reserve((void **)&report->sites, &w->site_capacity, report->site_count + 1,
                   sizeof(*report->sites)))
        return UINT32_MAX;
    report->sites[report->site_count] =
        (struct vt_site){.cause = e->cause, .stack = e->stack, .first_event = e->seq};
    w->site_slots[at] = (uint32_t)++report->site_count;
    return (uint32_t)report->site_count - 1;
}

/* ---- events: the ledger -------------------------------------------------------------------- */

/* Figures that run along with the walk. */
struct running {
    uint64_t kinds[VT_KIND_COUNT];
    uint64_t total;
    uint64_t usable;
    uint64_t regions;
    uint32_t space;
    bool opened;
};

static void make(struct work *w, struct running *now, uint8_t kind, uint64_t bytes)
{
    struct vt_ledger *k = &w->report->kinds[kind];
    if (now->opened) {
        k->made_count++;
        k->made_bytes += bytes;
    } else {
        k->opening_bytes += bytes;
    }
    now->kinds[kind] += bytes;
    now->total += bytes;
    now->usable += is_usable(kind) ? bytes : 0;
}

static void unmake(struct work *w, struct running *now, uint8_t kind, uint64_t bytes)
{
    struct vt_ledger *k = &w->report->kinds[kind];
    if (now->opened) {
        k->gone_count++;
        k->gone_bytes += bytes;
    } else {
        k->opening_bytes -= bytes;
    }
    now->kinds[kind] -= bytes;
    now->total -= bytes;
    now->usable -= is_usable(kind) ? bytes : 0;
}

static void account(struct work *w, struct running *now, const struct vt_packed *c)
{
    uint64_t bytes = c->end - c->start;
    bool moved_copy = c->op == VT_CHANGE_MOVED && c->source_stays;
    if (c->op == VT_CHANGE_MADE || moved_copy) {
        make(w, now, c->after.kind, bytes);
    } else if (c->op == VT_CHANGE_GONE) {
        unmake(w, now, c->before.kind, bytes);
    } else if (c->before.kind != c->after.kind) {
        unmake(w, now, c->before.kind, bytes);
        make(w, now, c->after.kind, bytes);
    }
}

static void note_peaks(struct work *w, const struct running *now, const struct vt_event_row *e)
{
    struct vt_report *report = w->report;
    bool most = now->total > report->peak_bytes;
    if (most) {
        report->peak.event = e->seq;
        report->peak.time_ns = e->time_ns;
        report->peak.space = e->space;
    }
    for (int kind = 0; kind < VT_KIND_COUNT; kind++) {
        struct vt_ledger *k = &report->kinds[kind];
        k->peak_bytes = vt_max(k->peak_bytes, now->kinds[kind]);
        if (most)
            k->at_peak_bytes = now->kinds[kind];
    }
    report->peak_bytes = vt_max(report->peak_bytes, now->total);
    report->usable_peak_bytes = vt_max(report->usable_peak_bytes, now->usable);
}

/* Accessible memory of another mapping that a fixed one replaced. */
static int note_replaced(struct work *w, const struct vt_event_row *e, const struct vt_packed *gone,
                         const struct vt_packed *made)
{
    bool overlay = made && ((gone->has_image && made->has_image && gone->image == made->image) ||
                            (gone->before.object && gone->before.object == made->after.object));
    if (overlay || !gone->before.prot)
        return 0;
    bool bad = false;
    struct vt_finding one = {
        .type = VT_FINDING_DESTROYED,
        .count = 1,
        .bytes = gone->end - gone->start,
        .event = e->seq,
        .last_event = e->seq,
        .region = {gone->start, gone->end, gone->before.offset,
                   vt_reader_object(w->recording, gone->before.object, &bad), gone->before.prot,
                   gone->before.flags, gone->before.kind},
        .cause = e->cause,
        .stack = e->stack,
    };
    return merge_finding(w, &one);
}

static int take_changes(struct work *w, struct running *now, const struct vt_event_row *e)
{
    const uint8_t *at = e->changes;
    size_t left = e->changes_length;
    bool over = e->seq > w->report->end.event;
    bool maps = strncmp(e->cause, "mmap", 4) == 0; /* one that failed makes nothing */
    struct vt_packed change;
    int rc;
    /* The last one made is what an mmap maps; to know it takes a walk of its own. */
    struct vt_packed made = {0};
    bool has_made = false;
    while (!(rc = vt_unpack(&at, &left, &change))) {
        uint32_t space = change.op == VT_CHANGE_GONE ? e->old_space : e->space;
        if (over || !is_own(w, space))
            continue;
        account(w, now, &change);
        if (maps && change.op == VT_CHANGE_MADE) {
            made = change;
            has_made = true;
        }
    }
    if (rc < 0)
        return vt_reader_damaged(w->recording, "changes of an event", w->err);
    if (!has_made || e->changes[0] == VT_CHANGE_MADE)
        return 0;
    at = e->changes;
    left = e->changes_length;
    while (!vt_unpack(&at, &left, &change))
        if (change.op == VT_CHANGE_GONE && note_replaced(w, e, &change, &made))
            return vt_reader_no_memory(w->recording, w->err);
    return 0;
}

static void note_regions(struct work *w, struct running *now, const struct vt_event_row *e,
                         struct vt_site *site)
{
    struct vt_report *report = w->report;
    if (now->space == e->space)
        site->region_change += (int64_t)(e->regions - now->regions);
    now->space = e->space;
    now->regions = e->regions;
    if (e->regions > report->regions_peak) {
        report->regions_peak = e->regions;
        report->regions_peak_event = e->seq;
    }
}

static int take_event(struct work *w, struct running *now, const struct vt_event_row *e)
{
    if (vt_reserve((void **)&w->marks, &w->mark_capacity, w->mark_count + 1, sizeof(*w->marks)))
        return vt_reader_no_memory(w->recording, w->err);
    /*
     * A vfork child's account opens with what its parent's space held; what others do there
     * when it is gone is theirs.
     */
    bool early = e->seq<w->process->first_event, late = e->seq> w->process->end_event;
    bool own = is_own(w, e->space) && !early && !(late && w->process->end_event);
    struct mark *mark = &w->marks[w->mark_count++];
    *mark = (struct mark){
        .seq = e->seq,
        .time_ns = e->time_ns,
        .site = UINT32_MAX,
        .is_munmap = !strcmp(e->cause, "munmap"),
        .is_exit = e->seq == w->process->end_event && !w->process->detached,
    };
    if (early && is_own(w, e->space))
        return take_changes(w, now, e);
    if (!own)
        return 0;
    mark->site = want_site(w, e);
    if (mark->site == UINT32_MAX)
        return vt_reader_no_memory(w->recording, w->err);
    struct vt_site *site = &w->report->sites[mark->site];
    site->events++;
    site->last_event = e->seq;
    w->report->events++;
    int rc = take_changes(w, now, e);
    if (e->seq <= w->report->end.event) {
        note_regions(w, now, e, site);
        note_peaks(w, now, e);
    }
    now->opened = true;
    return rc;
}

static int walk_events(struct work *w)
{
    struct vt_recording *r = w->recording;
    struct running now = {0};
    struct vt_event_walk walk;
    struct vt_event_row e;
    int rc = vt_walk_begin(r, &walk, VT_WALK_SELECT_LEAN " FROM events ORDER BY seq", w->err);
    if (!rc) {
        while ((rc = vt_walk_next(r, &walk, &e, w->err)) > 0 && !(rc = take_event(w, &now, &e)))
            ;
        vt_walk_end(&walk);
    }
    w->report->regions_end = now.regions;
    return rc;
}

/* ---- the end ------------------------------------------------------------------------------------ */

static bool is_live(const struct work *w, const struct vt_rectangle *r)
{
    uint64_t end = w->report->end.event;
    return r->space == w->report->end.space && r->made_event <= end &&
           (!r->ended_event || r->ended_event > end);
}

static int keep_live(void *context, const struct vt_rectangle *r)
{
    struct work *w = context;
    if (vt_reserve((void **)&w->live, &w->live_capacity, w->live_count + 1, sizeof(*w->live)))
        return -ENOMEM;
    w->live[w->live_count++] = *r;
    return 0;
}

static int by_start(const void *a, const void *b)
{
    const struct vt_rectangle *x = a, *y = b;
    return (x->region.start > y->region.start) - (x->region.start < y->region.start);
}

static int by_size(const void *a, const void *b)
{
    const struct vt_rectangle *x = a, *y = b;
    uint64_t p = size_of(&x->region), q = size_of(&y->region);
    return p > q ? -1 : p < q;
}

static void measure_gaps(struct work *w)
{
    struct vt_report *report = w->report;
    vt_addr at = 0;
    for (size_t i = 0; i < w->live_count; i++) {
        const struct vt_region *r = &w->live[i].region;
        if (r->start >> 63) /* [vsyscall]: the kernel's half */
            break;
        if (!at)
            report->low = r->start;
        if (at && r->start > at) {
            report->gaps++;
            report->free_bytes += r->start - at;
            if (r->start - at > report->largest_gap_end - report->largest_gap_start) {
                report->largest_gap_start = at;
                report->largest_gap_end = r->start;
            }
        }
        at = vt_max(at, r->end);
        report->high = at;
    }
}

static int look_at_end(struct work *w)
{
    struct vt_report *report = w->report;
    int rc = vt_reader_live(w->recording, &report->end, keep_live, w, w->err);
    if (rc)
        return rc == -ENOMEM ? vt_reader_no_memory(w->recording, w->err) : rc;
    if (w->live_count)
        qsort(w->live, w->live_count, sizeof(*w->live), by_start);
    for (size_t i = 0; i < w->live_count; i++) {
        const struct vt_region *r = &w->live[i].region;
        struct vt_ledger *k = &report->kinds[r->kind];
        const struct vt_region *before = i ? &w->live[i - 1].region : NULL;
        k->closing_bytes += size_of(r);
        k->closing_regions += !(before && vt_layout_same_cover(before, r) &&
                                before->kind == r->kind && before->flags == r->flags);
    }
    report->balanced = true;
    for (int kind = 0; kind < VT_KIND_COUNT; kind++) {
        const struct vt_ledger *k = &report->kinds[kind];
        report->balanced &= k->opening_bytes + k->made_bytes - k->gone_bytes == k->closing_bytes;
    }
    measure_gaps(w);
    return 0;
}

/* ---- rectangles ----------------------------------------------------------------------------------- */

static void note_lifetime(struct work *w, const struct vt_rectangle *r, const struct mark *from,
                          const struct mark *to)
{
    int64_t lived = to->time_ns - from->time_ns;
    for (size_t i = 0; i < VT_LIFETIMES; i++) {
        struct vt_lifetimes *l = &w->report->lifetimes[i];
        if (lived >= l->limit_ns && i + 1 < VT_LIFETIMES)
            continue;
        l->count++;
        l->bytes += size_of(&r->region);
        return;
    }
}

static int grow_loops(struct work *w)
{
    size_t capacity = w->loop_slot_capacity ? w->loop_slot_capacity * 2 : 256;
    uint32_t *slots = calloc(capacity, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < w->loop_count; i++) {
        size_t at = mix(w->loops[i].site, w->loops[i].size) & (capacity - 1);
        while (slots[at])
            at = (at + 1) & (capacity - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(w->loop_slots);
    w->loop_slots = slots;
    w->loop_slot_capacity = capacity;
    return 0;
}

static int note_loop(struct work *w, const struct vt_rectangle *r, const struct mark *from)
{
    uint64_t size = size_of(&r->region);
    if (w->loop_count * 2 >= w->loop_slot_capacity && grow_loops(w))
        return -ENOMEM;
    size_t at = mix(from->site, size) & (w->loop_slot_capacity - 1);
    struct loop *loop = NULL;
    for (; w->loop_slots[at] && !loop; at = (at + 1) & (w->loop_slot_capacity - 1)) {
        struct loop *l = &w->loops[w->loop_slots[at] - 1];
        if (l->site == from->site && l->size == size)
            loop = l;
    }
    if (!loop) {
        const struct vt_site *site = site_of(w, from);
        if (vt_reserve((void **)&w->loops, &w->loop_capacity, w->loop_count + 1, sizeof(*w->loops)))
            return -ENOMEM;
        loop = &w->loops[w->loop_count++];
        w->loop_slots[at] = (uint32_t)w->loop_count;
        *loop = (struct loop){.site = from->site,
                              .size = size,
                              .finding = {.type = VT_FINDING_LOOP,
                                          .event = r->origin_event,
                                          .origin_event = r->origin_event,
                                          .region = r->region,
                                          .cause = site ? site->cause : "",
                                          .stack = site ? site->stack : NULL}};
    }
    loop->finding.count++;
    loop->finding.bytes += size;
    loop->finding.last_event = r->ended_event;
    return 0;
}

/* Was this the head of a mapping whose tail is still there, and smaller? */
static int note_tail(struct work *w, const struct vt_rectangle *r, const struct mark *to)
{
    size_t low = 0, high = w->live_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (w->live[middle].region.start < r->region.end)
            low = middle + 1;
        else
            high = middle;
    }
    const struct vt_rectangle *tail = low < w->live_count ? &w->live[low] : NULL;
    if (!tail || tail->region.start != r->region.end || tail->origin_event != r->origin_event ||
        tail->made_event != r->made_event || tail->space != r->space ||
        size_of(&tail->region) >= size_of(&r->region))
        return 0;
    const struct vt_site *site = site_of(w, to);
    struct vt_finding one = {
        .type = VT_FINDING_TAIL,
        .count = 1,
        .bytes = size_of(&tail->region),
        .event = r->ended_event,
        .last_event = r->ended_event,
        .origin_event = r->origin_event,
        .region = tail->region,
        .cause = site ? site->cause : "",
        .stack = site ? site->stack : NULL,
    };
    return merge_finding(w, &one);
}

static int note_reserve(struct work *w, const struct vt_rectangle *r, const struct mark *to)
{
    bool held = !r->region.prot && r->region.kind == VT_KIND_RESERVE && !r->region.object;
    bool fresh = r->made_by == VT_CHANGE_MADE;
    if (!held && fresh)
        return 0;
    /* Another mapping over it is a use; so is whatever it was turned into. */
    bool used = !held || !fresh || (to && !to->is_munmap && !to->is_exit);
    if (vt_reserve((void **)&w->reserves, &w->reserve_capacity, w->reserve_count + 1,
                   sizeof(*w->reserves)))
        return -ENOMEM;
    w->reserves[w->reserve_count++] = (struct reserve){r->origin_event, used, *r};
    return 0;
}

static int note_write_exec(struct work *w, const struct vt_rectangle *r)
{
    const struct vt_site *site = site_of(w, mark_of(w, r->made_event));
    struct vt_finding one = {
        .type = VT_FINDING_WRITE_EXEC,
        .count = 1,
        .bytes = size_of(&r->region),
        .event = r->made_event,
        .last_event = r->made_event,
        .origin_event = r->origin_event,
        .region = r->region,
        .cause = site ? site->cause : "",
        .stack = site ? site->stack : NULL,
    };
    return merge_finding(w, &one);
}

static int note_remaining(struct work *w, const struct vt_rectangle *r)
{
    struct vt_report *report = w->report;
    if (r->origin_event <= report->start.event)
        return 0;
    report->remaining_total++;
    report->remaining_bytes += size_of(&r->region);
    /* The largest of a doubled list are kept each time that it is full. */
    if (vt_reserve((void **)&report->remaining, &w->remaining_capacity, report->remaining_count + 1,
                   sizeof(*report->remaining)))
        return -ENOMEM;
    report->remaining[report->remaining_count++] = *r;
    if (report->remaining_count == 2 * REMAINING_MOST) {
        qsort(report->remaining, report->remaining_count, sizeof(*report->remaining), by_size);
        report->remaining_count = REMAINING_MOST;
    }
    return 0;
}

static int take_rectangle(void *context, const struct vt_rectangle *r)
{
    struct work *w = context;
    const uint8_t both = VT_PROT_WRITE | VT_PROT_EXEC;
    if (!is_own(w, r->space))
        return 0;
    const struct mark *made = mark_of(w, r->made_event);
    const struct mark *from = mark_of(w, r->origin_event);
    const struct mark *to = r->ended_event ? mark_of(w, r->ended_event) : NULL;
    struct vt_site *site = site_of(w, from);
    uint64_t size = size_of(&r->region);
    bool live = is_live(w, r);
    bool unmapped = to && r->ended_by == VT_CHANGE_GONE && !live && !to->is_exit;
    int rc = 0;

    if (site && r->made_by == VT_CHANGE_MADE) {
        site->made_count++;
        site->made_bytes += size;
        if (made && can_grow(&r->region))
            w->growth[from->site].slices[slice_of(site, made)] += (int64_t)size;
    }
    if (site && live) {
        site->live_count++;
        site->live_bytes += size;
    }
    if (site && unmapped) {
        if (can_grow(&r->region))
            w->growth[from->site].slices[slice_of(site, to)] -= (int64_t)size;
        note_lifetime(w, r, from, to);
        if (r->ended_event - r->origin_event <= NEAR_EVENTS &&
            r->origin_event > w->report->start.event)
            rc = note_loop(w, r, from);
        if (!rc && to->is_munmap)
            rc = note_tail(w, r, to);
    }
    if (!rc && live)
        rc = note_remaining(w, r);
    if (!rc)
        rc = note_reserve(w, r, to);
    if (!rc && (r->region.prot & both) == both && r->region.kind != VT_KIND_VSYSCALL)
        rc = note_write_exec(w, r);
    return rc;
}

/* ---- findings ------------------------------------------------------------------------------------------ */

static int by_origin(const void *a, const void *b)
{
    const struct reserve *x = a, *y = b;
    return (x->origin > y->origin) - (x->origin < y->origin);
}

static int judge_reserves(struct work *w)
{
    int rc = 0;
    if (w->reserve_count)
        qsort(w->reserves, w->reserve_count, sizeof(*w->reserves), by_origin);
    for (size_t i = 0, next; i < w->reserve_count && !rc; i = next) {
        const struct reserve *first = &w->reserves[i];
        struct vt_finding one = {.type = VT_FINDING_RESERVE, .count = 1};
        bool used = first->origin <= w->report->start.event;
        for (next = i; next < w->reserve_count && w->reserves[next].origin == first->origin;
             next++) {
            const struct reserve *r = &w->reserves[next];
            used |= r->used;
            if (!is_live(w, &r->piece))
                continue;
            if (!one.bytes)
                one.region = r->piece.region;
            one.bytes += size_of(&r->piece.region);
        }
        if (used || one.bytes < RESERVE_LEAST)
            continue;
        const struct vt_site *site = site_of(w, mark_of(w, first->origin));
        one.event = one.origin_event = one.last_event = first->origin;
        one.cause = site ? site->cause : "";
        one.stack = site ? site->stack : NULL;
        rc = merge_finding(w, &one);
    }
    return rc;
}

static int judge_growth(struct work *w)
{
    for (size_t i = 0; i < w->report->site_count; i++) {
        const struct vt_site *site = &w->report->sites[i];
        struct vt_finding one = {.type = VT_FINDING_GROWTH,
                                 .count = site->made_count,
                                 .bytes = site->live_bytes,
                                 .event = site->first_event,
                                 .last_event = site->last_event,
                                 .cause = site->cause,
                                 .stack = site->stack};
        int64_t live = 0;
        unsigned rises = 0;
        for (unsigned slice = 0; slice < 8; slice++) {
            rises += w->growth[i].slices[slice] > 0;
            live += w->growth[i].slices[slice];
            one.slices[slice] = live > 0 ? (uint64_t)live : 0;
        }
        bool grows = rises >= 7 && site->made_count >= GROWTH_PIECES && live >= GROWTH_LEAST &&
                     (uint64_t)live >= site->made_bytes / 2;
        one.bytes = (uint64_t)live;
        if (grows && !add_finding(w, &one))
            return -ENOMEM;
    }
    return 0;
}

static int judge_limit(struct work *w)
{
    const struct vt_report *report = w->report;
    int64_t most = w->recording->info.max_map_count;
    if (most <= 0 || report->regions_peak < (uint64_t)most / 2)
        return 0;
    const struct vt_site *site = site_of(w, mark_of(w, report->regions_peak_event));
    struct vt_finding one = {.type = VT_FINDING_LIMIT,
                             .count = report->regions_peak,
                             .bytes = (uint64_t)most,
                             .event = report->regions_peak_event,
                             .last_event = report->regions_peak_event,
                             .cause = site ? site->cause : "",
                             .stack = site ? site->stack : NULL};
    return add_finding(w, &one) ? 0 : -ENOMEM;
}

static int by_weight(const void *a, const void *b)
{
    const struct vt_finding *x = a, *y = b;
    if (x->type != y->type)
        return (int)x->type - (int)y->type;
    return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

static int choose_findings(struct work *w)
{
    int rc = judge_reserves(w);
    if (!rc)
        rc = judge_growth(w);
    if (!rc)
        rc = judge_limit(w);
    for (size_t i = 0; i < w->loop_count && !rc; i++)
        if (w->loops[i].finding.count >= LOOP_LEAST && !add_finding(w, &w->loops[i].finding))
            rc = -ENOMEM;
    if (rc || !w->found_count)
        return rc;
    qsort(w->found, w->found_count, sizeof(*w->found), by_weight);
    size_t kept = 0, of_type = 0;
    for (size_t i = 0; i < w->found_count; i++) {
        of_type = i && w->found[i].type == w->found[i - 1].type ? of_type + 1 : 0;
        if (of_type < FINDINGS_MOST)
            w->found[kept++] = w->found[i];
    }
    w->report->findings = w->found;
    w->report->finding_count = kept;
    w->found = NULL;
    return 0;
}

static int by_live(const void *a, const void *b)
{
    const struct vt_site *x = a, *y = b;
    if (x->live_bytes != y->live_bytes)
        return x->live_bytes > y->live_bytes ? -1 : 1;
    if (x->made_bytes != y->made_bytes)
        return x->made_bytes > y->made_bytes ? -1 : 1;
    return x->first_event < y->first_event ? -1 : x->first_event > y->first_event;
}

static int walk_rectangles(struct work *w)
{
    struct vt_report *report = w->report;
    w->growth = calloc(report->site_count + 1, sizeof(*w->growth));
    if (!w->growth)
        return vt_reader_no_memory(w->recording, w->err);
    int rc = vt_reader_rectangles_lean(w->recording, take_rectangle, w, w->err);
    if (!rc)
        rc = choose_findings(w);
    if (rc == -ENOMEM)
        return vt_reader_no_memory(w->recording, w->err);
    if (report->remaining_count)
        qsort(report->remaining, report->remaining_count, sizeof(*report->remaining), by_size);
    report->remaining_count = vt_min(report->remaining_count, REMAINING_MOST);
    if (report->site_count) /* marks refer to sites by number no longer */
        qsort(report->sites, report->site_count, sizeof(*report->sites), by_live);
    return rc;
}

static int find_moments(struct work *w)
{
    static const struct vt_when start = {.type = VT_WHEN_START}, end = {.type = VT_WHEN_END};
    int rc = vt_recording_moment(w->recording, w->process, &start, &w->report->start, w->err);
    if (!rc)
        rc = vt_recording_moment(w->recording, w->process, &end, &w->report->end, w->err);
    w->report->peak = w->report->start; /* until the walk finds it */
    return rc;
}

int vt_recording_report(struct vt_recording *r, const struct vt_recorded_process *process,
                        struct vt_report *report, struct vt_error *err)
{
    static const int64_t limits[VT_LIFETIMES] = {100000,     1000000,     10000000, 100000000,
                                                 1000000000, 10000000000, INT64_MAX};
    struct work w = {.recording = r, .process = process, .report = report, .err = err};
    *report = (struct vt_report){.process = process};
    for (size_t i = 0; i < VT_LIFETIMES; i++)
        report->lifetimes[i].limit_ns = limits[i];
    int rc = find_spaces(&w) ? vt_reader_no_memory(r, err) : find_moments(&w);
    if (!rc)
        rc = walk_events(&w);
    vt_reader_describe(&(struct vt_when){.type = VT_WHEN_PEAK}, &report->peak);
    if (!rc)
        rc = look_at_end(&w);
    if (!rc)
        rc = walk_rectangles(&w);
    free(w.spaces);
    free(w.marks);
    free(w.site_slots);
    free(w.growth);
    free(w.live);
    free(w.loops);
    free(w.loop_slots);
    free(w.reserves);
    free(w.found);
    if (rc)
        vt_report_deinit(report);
    return rc;
}

void vt_report_deinit(struct vt_report *report)
{
    free(report->sites);
    free(report->remaining);
    free(report->findings);
    *report = (struct vt_report){0};
}
