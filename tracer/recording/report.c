/*
 * report.c - hides how one process's account is drawn up: see account.h for its
 * parts. Here is what is there at the end, and one walk over all rectangles:
 * lifetimes, what remains, what sites made.
 *
 * Invariant: the live pieces ascend by address and are of one space.
 */
#include "recording/account.h"

#include <errno.h>
#include <stdlib.h>

#include "base/base.h"

#define REMAINING_MOST 32

/*
 * The spaces whose account this is: those that the process had first. A vfork
 * child looks into its parent's for a moment; that is the parent's account,
 * unless the child never had one of its own.
 */
static int find_spaces(struct vt_account *a)
{
    const struct vt_recording *r = a->recording;
    a->spaces = calloc(r->tenure_count + 1, sizeof(*a->spaces));
    if (!a->spaces)
        return -ENOMEM;
    for (int all = 0; all < 2 && !a->space_count; all++) {
        for (size_t i = 0; i < r->tenure_count; i++) {
            const struct vt_tenure *t = &r->tenures[i];
            bool first = t->process == a->process->id;
            for (size_t j = 0; j < r->tenure_count && first && !all; j++)
                first = r->tenures[j].space != t->space ||
                        r->tenures[j].from_event >= t->from_event;
            if (first)
                a->spaces[a->space_count++] = t->space;
        }
    }
    return 0;
}

/* ---- the end ------------------------------------------------------------------------------ */

static int keep_live(void *context, const struct vt_rectangle *r)
{
    struct vt_account *a = context;
    if (vt_reserve((void **)&a->live, &a->live_capacity, a->live_count + 1, sizeof(*a->live)))
        return -ENOMEM;
    a->live[a->live_count++] = *r;
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
    uint64_t p = vt_region_size(&x->region), q = vt_region_size(&y->region);
    return p > q ? -1 : p < q;
}

static void measure_gaps(struct vt_account *a)
{
    struct vt_report *report = a->report;
    vt_addr at = 0;
    for (size_t i = 0; i < a->live_count; i++) {
        const struct vt_region *r = &a->live[i].region;
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

static int look_at_end(struct vt_account *a)
{
    struct vt_report *report = a->report;
    int rc = vt_walk_live(a->recording, &report->end, keep_live, a, a->err);
    if (rc)
        return rc == -ENOMEM ? vt_source_no_memory(&a->recording->source, a->err) : rc;
    if (a->live_count)
        qsort(a->live, a->live_count, sizeof(*a->live), by_start);
    for (size_t i = 0; i < a->live_count; i++) {
        const struct vt_region *r = &a->live[i].region;
        struct vt_ledger *k = &report->kinds[r->kind];
        const struct vt_region *before = i ? &a->live[i - 1].region : NULL;
        k->closing_bytes += vt_region_size(r);
        k->closing_regions += !(before && vt_layout_same_cover(before, r) &&
                                before->kind == r->kind && before->flags == r->flags);
    }
    report->balanced = true;
    for (int kind = 0; kind < VT_KIND_COUNT; kind++) {
        const struct vt_ledger *k = &report->kinds[kind];
        report->balanced &= k->opening_bytes + k->made_bytes - k->gone_bytes == k->closing_bytes;
    }
    measure_gaps(a);
    return 0;
}

/* ---- rectangles ---------------------------------------------------------------------------- */

static void note_lifetime(struct vt_account *a, const struct vt_rectangle *r,
                          const struct vt_mark *from, const struct vt_mark *to)
{
    int64_t lived = to->time_ns - from->time_ns;
    for (size_t i = 0; i < VT_LIFETIMES; i++) {
        struct vt_lifetimes *l = &a->report->lifetimes[i];
        if (lived >= l->limit_ns && i + 1 < VT_LIFETIMES)
            continue;
        l->count++;
        l->bytes += vt_region_size(&r->region);
        return;
    }
}

static int note_remaining(struct vt_account *a, const struct vt_rectangle *r)
{
    struct vt_report *report = a->report;
    if (r->origin_event <= report->start.event)
        return 0;
    report->remaining_total++;
    report->remaining_bytes += vt_region_size(&r->region);
    /* The largest of a doubled list are kept each time that it is full. */
    if (vt_reserve((void **)&report->remaining, &a->remaining_capacity, report->remaining_count + 1,
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
    struct vt_account *a = context;
    if (!vt_account_owns(a, r->space))
        return 0;
    const struct vt_mark *from = vt_account_mark(a, r->origin_event);
    const struct vt_mark *to = r->ended_event ? vt_account_mark(a, r->ended_event) : NULL;
    struct vt_site *site = vt_account_site(a, from);
    uint64_t size = vt_region_size(&r->region);
    bool live = vt_account_is_live(a, r);
    if (site && r->made_by == VT_CHANGE_MADE) {
        site->made_count++;
        site->made_bytes += size;
    }
    if (site && live) {
        site->live_count++;
        site->live_bytes += size;
    }
    if (site && to && r->ended_by == VT_CHANGE_GONE && !live && !to->is_exit)
        note_lifetime(a, r, from, to);
    int rc = live ? note_remaining(a, r) : 0;
    return rc ? rc : vt_findings_rectangle(a, r);
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

static int walk_rectangles(struct vt_account *a)
{
    struct vt_report *report = a->report;
    int rc = vt_findings_begin(a);
    if (!rc)
        rc = vt_walk_rectangles_lean(a->recording, 0, INT64_MAX, take_rectangle, a, a->err);
    if (!rc)
        rc = vt_findings_choose(a);
    if (rc == -ENOMEM)
        return vt_source_no_memory(&a->recording->source, a->err);
    if (report->remaining_count)
        qsort(report->remaining, report->remaining_count, sizeof(*report->remaining), by_size);
    report->remaining_count = vt_min(report->remaining_count, REMAINING_MOST);
    if (report->site_count) /* marks refer to sites by number no longer */
        qsort(report->sites, report->site_count, sizeof(*report->sites), by_live);
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int find_moments(struct vt_account *a)
{
    static const struct vt_when start = {.type = VT_WHEN_START}, end = {.type = VT_WHEN_END};
    int rc = vt_recording_moment(a->recording, a->process, &start, &a->report->start, a->err);
    if (!rc)
        rc = vt_recording_moment(a->recording, a->process, &end, &a->report->end, a->err);
    a->report->peak = a->report->start; /* until the walk finds it */
    return rc;
}

int vt_recording_report(struct vt_recording *r, const struct vt_recorded_process *process,
                        struct vt_report *report, struct vt_error *err)
{
    static const int64_t limits[VT_LIFETIMES] = {100000,     1000000,     10000000, 100000000,
                                                 1000000000, 10000000000, INT64_MAX};
    struct vt_account a = {.recording = r, .process = process, .report = report, .err = err};
    *report = (struct vt_report){.process = process};
    for (size_t i = 0; i < VT_LIFETIMES; i++)
        report->lifetimes[i].limit_ns = limits[i];
    int rc = find_spaces(&a) ? vt_source_no_memory(&r->source, err) : find_moments(&a);
    if (!rc)
        rc = vt_ledger_draw_up(&a);
    vt_reader_describe(&(struct vt_when){.type = VT_WHEN_PEAK}, &report->peak);
    if (!rc)
        rc = look_at_end(&a);
    if (!rc)
        rc = walk_rectangles(&a);
    free(a.spaces);
    free(a.marks);
    vt_pairs_deinit(&a.site_numbers);
    free(a.live);
    vt_findings_deinit(&a.suspicions);
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
