/*
 * account.h - inside the report: what its three parts know of each other.
 *
 *     ledger.c    one walk over events: the account by kinds, peaks, sites, marks
 *     report.c    what is there at the end; one walk over rectangles: lifetimes, what remains
 *     findings.c  what is worth a look, from both walks
 *
 * The two walks do not know of each other's figures, so that the ledger's
 * balance proves something: its closing side comes from rectangles, the rest
 * from events.
 */
#ifndef RECORDING_ACCOUNT_H
#define RECORDING_ACCOUNT_H

#include "recording/pairs.h"
#include "recording/walk.h"

/* What is kept of each event. */
struct vt_mark {
    uint64_t seq;
    int64_t time_ns;
    uint32_t site; /* index; UINT32_MAX: not of this process */
    bool is_munmap;
    bool is_exit;
};

/* Findings before the largest are chosen, and what may become one. */
struct vt_suspicions {
    struct vt_finding *found;
    size_t count;
    size_t capacity;
    struct vt_pairs merged; /* type and cause, stack: index in `found` + 1 */

    struct vt_finding *loops; /* pieces made and unmapped at once, however few */
    size_t loop_count;
    size_t loop_capacity;
    struct vt_pairs loop_numbers; /* site, size: index + 1 */

    struct vt_reserved *reserves;
    size_t reserve_count;
    size_t reserve_capacity;
    struct vt_pairs reserve_numbers; /* origin: index + 1 */

    struct vt_growth *growth; /* of each site */
};

struct vt_account {
    struct vt_recording *recording;
    const struct vt_recorded_process *process;
    struct vt_report *report;
    struct vt_error *err;

    uint32_t *spaces; /* the process's own */
    size_t space_count;

    struct vt_mark *marks; /* ascending by seq */
    size_t mark_count;
    size_t mark_capacity;
    struct vt_pairs site_numbers; /* cause, stack: index + 1 */
    size_t site_capacity;

    struct vt_rectangle *live; /* at the end, ascending by start */
    size_t live_count;
    size_t live_capacity;
    size_t remaining_capacity;
    struct vt_suspicions suspicions;
};

/* ---- what all ask ---- */

static inline uint64_t vt_region_size(const struct vt_region *r)
{
    return r->end - r->start;
}

static inline bool vt_account_owns(const struct vt_account *a, uint32_t space)
{
    for (size_t i = 0; i < a->space_count; i++)
        if (a->spaces[i] == space)
            return true;
    return false;
}

static inline struct vt_site *vt_account_site(const struct vt_account *a, const struct vt_mark *m)
{
    return m && m->site != UINT32_MAX ? &a->report->sites[m->site] : NULL;
}

/* What is kept of an event; null: it is not there. */
const struct vt_mark *vt_account_mark(const struct vt_account *a, uint64_t seq);

/* Is the rectangle there at the end? */
static inline bool vt_account_is_live(const struct vt_account *a, const struct vt_rectangle *r)
{
    uint64_t end = a->report->end.event;
    return r->space == a->report->end.space && r->made_event <= end &&
           (!r->ended_event || r->ended_event > end);
}

/* ---- ledger.c: negative with its text in a->err on failure ---- */

/* Walk through all events. */
int vt_ledger_draw_up(struct vt_account *a);

/* ---- findings.c: 0 or -ENOMEM ---- */

/* A fixed mapping `made` took the place of `gone`, by one event. */
int vt_findings_replaced(struct vt_account *a, const struct vt_event_row *e,
                         const struct vt_packed *gone, const struct vt_packed *made);

/* Before the walk over rectangles, for each of them, and behind it. */
int vt_findings_begin(struct vt_account *a);
int vt_findings_rectangle(struct vt_account *a, const struct vt_rectangle *r);
int vt_findings_choose(struct vt_account *a);

void vt_findings_deinit(struct vt_suspicions *s);

#endif
