/*
 * ledger.c - hides how one walk over all events gives a process's account by
 * kinds, its peaks, and the sites of its events.
 *
 * Memory is in proportion to the number of events (24 bytes each) and of sites.
 */
#include "recording/account.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"

/* Figures that run along with the walk. */
struct running {
    struct vt_account *account;
    uint64_t kinds[VT_KIND_COUNT];
    uint32_t touched; /* kinds that the event at hand changed, as bits */
    uint64_t total;
    uint64_t usable;
    uint64_t regions;
    uint32_t space;
    bool opened;
};

static bool is_usable(uint8_t kind)
{
    return kind != VT_KIND_GUARD && kind != VT_KIND_RESERVE;
}

/* ---- the account by kinds --------------------------------------------------------------- */

static void make(struct running *now, uint8_t kind, uint64_t bytes)
{
    struct vt_ledger *k = &now->account->report->kinds[kind];
    if (now->opened) {
        k->made_count++;
        k->made_bytes += bytes;
    } else {
        k->opening_bytes += bytes;
    }
    now->touched |= UINT32_C(1) << kind;
    now->kinds[kind] += bytes;
    now->total += bytes;
    now->usable += is_usable(kind) ? bytes : 0;
}

static void unmake(struct running *now, uint8_t kind, uint64_t bytes)
{
    struct vt_ledger *k = &now->account->report->kinds[kind];
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

static void enter(struct running *now, const struct vt_packed *c)
{
    uint64_t bytes = c->end - c->start;
    bool moved_copy = c->op == VT_CHANGE_MOVED && c->source_stays;
    if (c->op == VT_CHANGE_MADE || moved_copy) {
        make(now, c->after.kind, bytes);
    } else if (c->op == VT_CHANGE_GONE) {
        unmake(now, c->before.kind, bytes);
    } else if (c->before.kind != c->after.kind) {
        unmake(now, c->before.kind, bytes);
        make(now, c->after.kind, bytes);
    }
}

/* Only what was made can be at a peak. */
static void note_peaks(struct running *now, const struct vt_event_row *e)
{
    struct vt_report *report = now->account->report;
    for (unsigned kind = 0; now->touched >> kind; kind++) {
        struct vt_ledger *k = &report->kinds[kind];
        if (now->touched >> kind & 1)
            k->peak_bytes = vt_max(k->peak_bytes, now->kinds[kind]);
    }
    now->touched = 0;
    report->usable_peak_bytes = vt_max(report->usable_peak_bytes, now->usable);
    if (now->total <= report->peak_bytes)
        return;
    report->peak_bytes = now->total;
    report->peak.event = e->seq;
    report->peak.time_ns = e->time_ns;
    report->peak.space = e->space;
    for (int kind = 0; kind < VT_KIND_COUNT; kind++)
        report->kinds[kind].at_peak_bytes = now->kinds[kind];
}

/* What an mmap took away for the sake of what it made. */
static int look_for_replaced(struct vt_account *a, const struct vt_event_row *e,
                             const struct vt_packed *made)
{
    const uint8_t *at = e->changes;
    size_t left = e->changes_length;
    struct vt_packed change;
    while (!vt_unpack(&at, &left, &change))
        if (change.op == VT_CHANGE_GONE && vt_findings_replaced(a, e, &change, made))
            return vt_source_no_memory(&a->recording->source, a->err);
    return 0;
}

static int take_changes(struct running *now, const struct vt_event_row *e)
{
    struct vt_account *a = now->account;
    const uint8_t *at = e->changes;
    size_t left = e->changes_length;
    bool over = e->seq > a->report->end.event;
    bool maps = strncmp(e->cause, "mmap", 4) == 0; /* one that failed makes nothing */
    struct vt_packed change, made = {0};           /* the last one made is what an mmap maps */
    bool has_made = false;
    int rc;
    while (!(rc = vt_unpack(&at, &left, &change))) {
        uint32_t space = change.op == VT_CHANGE_GONE ? e->old_space : e->space;
        if (over || !vt_account_owns(a, space))
            continue;
        enter(now, &change);
        if (maps && change.op == VT_CHANGE_MADE) {
            made = change;
            has_made = true;
        }
    }
    if (rc < 0)
        return vt_source_damaged(&a->recording->source, "changes of an event", a->err);
    return has_made && e->changes[0] != VT_CHANGE_MADE ? look_for_replaced(a, e, &made) : 0;
}

/* ---- sites and marks ---------------------------------------------------------------------- */

/* Words and stacks are the same pointer where they are equal. UINT32_MAX: out of memory. */
static uint32_t want_site(struct vt_account *a, const struct vt_event_row *e)
{
    struct vt_report *report = a->report;
    uint32_t *number = vt_pairs_want(&a->site_numbers, (uintptr_t)e->cause, (uintptr_t)e->stack);
    if (!number)
        return UINT32_MAX;
    if (*number)
        return *number - 1;
    if (vt_reserve((void **)&report->sites, &a->site_capacity, report->site_count + 1,
                   sizeof(*report->sites)))
        return UINT32_MAX;
    report->sites[report->site_count] =
        (struct vt_site){.cause = e->cause, .stack = e->stack, .first_event = e->seq};
    *number = (uint32_t)++report->site_count;
    return *number - 1;
}

static void note_regions(struct running *now, const struct vt_event_row *e, struct vt_site *site)
{
    struct vt_report *report = now->account->report;
    if (now->space == e->space)
        site->region_change += (int64_t)(e->regions - now->regions);
    now->space = e->space;
    now->regions = e->regions;
    if (e->regions > report->regions_peak) {
        report->regions_peak = e->regions;
        report->regions_peak_event = e->seq;
    }
}

static int take_event(void *context, const struct vt_event_row *e)
{
    struct running *now = context;
    struct vt_account *a = now->account;
    const struct vt_recorded_process *process = a->process;
    if (vt_reserve((void **)&a->marks, &a->mark_capacity, a->mark_count + 1, sizeof(*a->marks)))
        return vt_source_no_memory(&a->recording->source, a->err);
    /*
     * A vfork child's account opens with what its parent's space held; what others do there
     * when it is gone is theirs.
     */
    bool early = e->seq < process->first_event;
    bool late = process->end_event && e->seq > process->end_event;
    bool ours = vt_account_owns(a, e->space);
    struct vt_mark *mark = &a->marks[a->mark_count++];
    *mark = (struct vt_mark){
        .seq = e->seq,
        .time_ns = e->time_ns,
        .site = UINT32_MAX,
        .is_munmap = !strcmp(e->cause, "munmap"),
        .is_exit = e->seq == process->end_event && !process->detached,
    };
    if (early && ours)
        return take_changes(now, e);
    if (!ours || late)
        return 0;
    mark->site = want_site(a, e);
    if (mark->site == UINT32_MAX)
        return vt_source_no_memory(&a->recording->source, a->err);
    struct vt_site *site = &a->report->sites[mark->site];
    site->events++;
    site->last_event = e->seq;
    a->report->events++;
    int rc = take_changes(now, e);
    if (e->seq <= a->report->end.event) {
        note_regions(now, e, site);
        note_peaks(now, e);
    }
    now->opened = true;
    return rc;
}

int vt_ledger_draw_up(struct vt_account *a)
{
    struct running now = {.account = a};
    int rc = vt_walk_events(a->recording, VT_EVENTS_LEAN, take_event, &now, a->err);
    a->report->regions_end = now.regions;
    return rc;
}
