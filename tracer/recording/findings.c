/*
 * findings.c - hides what makes a rectangle or a site suspicious, and which of
 * like findings are told: those of one type, cause and stack are one, and of a
 * type the largest are kept.
 */
#include "recording/account.h"

#include <errno.h>
#include <stdlib.h>

#include "base/base.h"

#define NEAR_EVENTS   8   /* unmapped at once: within so many events */
#define LOOP_LEAST    100 /* times that make a loop worth telling */
#define RESERVE_LEAST (64 * 1024)
#define GROWTH_LEAST  (1024 * 1024)
#define GROWTH_PIECES 32

/* What became of memory that one event mapped and that was a reserve, or changed its state. */
struct vt_reserved {
    uint64_t origin;
    bool used;
    uint64_t bytes;          /* of it, there at the end and as it was made */
    struct vt_region region; /* the first piece of these */
};

/* What each eighth of a site's time added to its live bytes of memory of no file. */
struct vt_growth {
    int64_t slices[8];
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

/* Which eighth of a site's time, from its first event to its last, an event lies in. */
static unsigned slice_of(const struct vt_site *site, const struct vt_mark *mark)
{
    uint64_t since = mark->seq - site->first_event;
    uint64_t span = (site->last_event - site->first_event) / 8 + 1;
    return (unsigned)vt_min(since / span, 7);
}

static bool can_grow(const struct vt_region *r)
{
    return !r->object && (r->kind == VT_KIND_HEAP || r->kind == VT_KIND_ANON);
}

static struct vt_finding *add(struct vt_suspicions *s, const struct vt_finding *like)
{
    if (vt_reserve((void **)&s->found, &s->capacity, s->count + 1, sizeof(*s->found)))
        return NULL;
    s->found[s->count] = *like;
    return &s->found[s->count++];
}

/* Count a finding in with those of the same type and site. */
static int merge(struct vt_account *a, const struct vt_finding *one)
{
    struct vt_suspicions *s = &a->suspicions;
    uint64_t what = (uint64_t)(uintptr_t)one->cause * VT_FINDING_COUNT + one->type;
    uint32_t *number = vt_pairs_want(&s->merged, what, (uintptr_t)one->stack);
    if (!number)
        return -ENOMEM;
    if (!*number) {
        *number = (uint32_t)s->count + 1;
        return add(s, one) ? 0 : -ENOMEM;
    }
    struct vt_finding *f = &s->found[*number - 1];
    f->count += one->count;
    f->bytes += one->bytes;
    f->last_event = vt_max(f->last_event, one->last_event);
    return 0;
}

/* A finding about one region, by the event that did it. */
static struct vt_finding finding_of(const struct vt_account *a, enum vt_finding_type type,
                                    uint64_t event, const struct vt_rectangle *r)
{
    const struct vt_site *site = vt_account_site(a, vt_account_mark(a, event));
    return (struct vt_finding){
        .type = type,
        .count = 1,
        .bytes = r ? vt_region_size(&r->region) : 0,
        .event = event,
        .last_event = event,
        .origin_event = r ? r->origin_event : 0,
        .region = r ? r->region : (struct vt_region){0},
        .cause = site ? site->cause : "",
        .stack = site ? site->stack : NULL,
    };
}

/* ---- while walking ---------------------------------------------------------------------- */

/* Accessible memory of another mapping that a fixed one replaced. */
int vt_findings_replaced(struct vt_account *a, const struct vt_event_row *e,
                         const struct vt_packed *gone, const struct vt_packed *made)
{
    bool overlay = (gone->has_image && made->has_image && gone->image == made->image) ||
                   (gone->before.object && gone->before.object == made->after.object);
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
                   vt_reader_object(a->recording, gone->before.object, &bad), gone->before.prot,
                   gone->before.flags, gone->before.kind},
        .cause = e->cause,
        .stack = e->stack,
    };
    return merge(a, &one);
}

static int note_loop(struct vt_account *a, const struct vt_rectangle *r, const struct vt_mark *from)
{
    struct vt_suspicions *s = &a->suspicions;
    uint64_t size = vt_region_size(&r->region);
    uint32_t *number = vt_pairs_want(&s->loop_numbers, from->site, size);
    if (!number ||
        vt_reserve((void **)&s->loops, &s->loop_capacity, s->loop_count + 1, sizeof(*s->loops)))
        return -ENOMEM;
    if (!*number) {
        struct vt_finding *first = &s->loops[s->loop_count];
        *first = finding_of(a, VT_FINDING_LOOP, r->origin_event, r);
        first->count = first->bytes = 0;
        *number = (uint32_t)++s->loop_count;
    }
    struct vt_finding *loop = &s->loops[*number - 1];
    loop->count++;
    loop->bytes += size;
    loop->last_event = r->ended_event;
    return 0;
}

/* Was this the head of a mapping whose tail is still there, and smaller? */
static int note_tail(struct vt_account *a, const struct vt_rectangle *r)
{
    size_t low = 0, high = a->live_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (a->live[middle].region.start < r->region.end)
            low = middle + 1;
        else
            high = middle;
    }
    const struct vt_rectangle *tail = low < a->live_count ? &a->live[low] : NULL;
    if (!tail || tail->region.start != r->region.end || tail->origin_event != r->origin_event ||
        tail->made_event != r->made_event || tail->space != r->space ||
        vt_region_size(&tail->region) >= vt_region_size(&r->region))
        return 0;
    struct vt_finding one = finding_of(a, VT_FINDING_TAIL, r->ended_event, tail);
    return merge(a, &one);
}

static int note_reserve(struct vt_account *a, const struct vt_rectangle *r,
                        const struct vt_mark *to)
{
    struct vt_suspicions *s = &a->suspicions;
    bool held = !r->region.prot && r->region.kind == VT_KIND_RESERVE && !r->region.object;
    bool fresh = r->made_by == VT_CHANGE_MADE;
    if (!held && fresh)
        return 0;
    uint32_t *number = vt_pairs_want(&s->reserve_numbers, r->origin_event, 0);
    if (!number || vt_reserve((void **)&s->reserves, &s->reserve_capacity, s->reserve_count + 1,
                              sizeof(*s->reserves)))
        return -ENOMEM;
    if (!*number) {
        s->reserves[s->reserve_count] = (struct vt_reserved){.origin = r->origin_event};
        *number = (uint32_t)++s->reserve_count;
    }
    struct vt_reserved *reserved = &s->reserves[*number - 1];
    /* Another mapping over it is a use; so is whatever it was turned into. */
    reserved->used |= !held || !fresh || (to && !to->is_munmap && !to->is_exit);
    if (vt_account_is_live(a, r)) {
        if (!reserved->bytes)
            reserved->region = r->region;
        reserved->bytes += vt_region_size(&r->region);
    }
    return 0;
}

int vt_findings_begin(struct vt_account *a)
{
    a->suspicions.growth = calloc(a->report->site_count + 1, sizeof(*a->suspicions.growth));
    return a->suspicions.growth ? 0 : -ENOMEM;
}

int vt_findings_rectangle(struct vt_account *a, const struct vt_rectangle *r)
{
    const uint8_t both = VT_PROT_WRITE | VT_PROT_EXEC;
    const struct vt_mark *made = vt_account_mark(a, r->made_event);
    const struct vt_mark *from = vt_account_mark(a, r->origin_event);
    const struct vt_mark *to = r->ended_event ? vt_account_mark(a, r->ended_event) : NULL;
    const struct vt_site *site = vt_account_site(a, from);
    struct vt_growth *growth = site && can_grow(&r->region) ? &a->suspicions.growth[from->site]
                                                            : NULL;
    int64_t size = (int64_t)vt_region_size(&r->region);
    bool unmapped = to && r->ended_by == VT_CHANGE_GONE && !vt_account_is_live(a, r) &&
                    !to->is_exit;
    int rc = 0;
    if (growth && made && r->made_by == VT_CHANGE_MADE)
        growth->slices[slice_of(site, made)] += size;
    if (growth && unmapped)
        growth->slices[slice_of(site, to)] -= size;
    if (site && unmapped && r->ended_event - r->origin_event <= NEAR_EVENTS &&
        r->origin_event > a->report->start.event)
        rc = note_loop(a, r, from);
    if (!rc && site && unmapped && to->is_munmap)
        rc = note_tail(a, r);
    if (!rc)
        rc = note_reserve(a, r, to);
    if (!rc && (r->region.prot & both) == both && r->region.kind != VT_KIND_VSYSCALL) {
        struct vt_finding one = finding_of(a, VT_FINDING_WRITE_EXEC, r->made_event, r);
        rc = merge(a, &one);
    }
    return rc;
}

/* ---- behind the walk ---------------------------------------------------------------------- */

static int by_origin(const void *a, const void *b)
{
    const struct vt_reserved *x = a, *y = b;
    return (x->origin > y->origin) - (x->origin < y->origin);
}

static int judge_reserves(struct vt_account *a)
{
    struct vt_suspicions *s = &a->suspicions;
    int rc = 0;
    if (s->reserve_count)
        qsort(s->reserves, s->reserve_count, sizeof(*s->reserves), by_origin);
    for (size_t i = 0; i < s->reserve_count && !rc; i++) {
        const struct vt_reserved *r = &s->reserves[i];
        struct vt_finding one = finding_of(a, VT_FINDING_RESERVE, r->origin, NULL);
        if (r->used || r->bytes < RESERVE_LEAST || r->origin <= a->report->start.event)
            continue;
        one.origin_event = r->origin;
        one.bytes = r->bytes;
        one.region = r->region;
        rc = merge(a, &one);
    }
    return rc;
}

static int judge_growth(struct vt_account *a)
{
    for (size_t i = 0; i < a->report->site_count; i++) {
        const struct vt_site *site = &a->report->sites[i];
        struct vt_finding one = {.type = VT_FINDING_GROWTH,
                                 .count = site->made_count,
                                 .event = site->first_event,
                                 .last_event = site->last_event,
                                 .cause = site->cause,
                                 .stack = site->stack};
        int64_t live = 0;
        unsigned rises = 0;
        for (unsigned slice = 0; slice < 8; slice++) {
            rises += a->suspicions.growth[i].slices[slice] > 0;
            live += a->suspicions.growth[i].slices[slice];
            one.slices[slice] = live > 0 ? (uint64_t)live : 0;
        }
        bool grows = rises >= 7 && site->made_count >= GROWTH_PIECES && live >= GROWTH_LEAST &&
                     (uint64_t)live >= site->made_bytes / 2;
        one.bytes = (uint64_t)live;
        if (grows && !add(&a->suspicions, &one))
            return -ENOMEM;
    }
    return 0;
}

static int judge_limit(struct vt_account *a)
{
    const struct vt_report *report = a->report;
    int64_t most = a->recording->info.max_map_count;
    if (most <= 0 || report->regions_peak < (uint64_t)most / 2)
        return 0;
    struct vt_finding one = finding_of(a, VT_FINDING_LIMIT, report->regions_peak_event, NULL);
    one.count = report->regions_peak;
    one.bytes = (uint64_t)most;
    return add(&a->suspicions, &one) ? 0 : -ENOMEM;
}

static int by_weight(const void *a, const void *b)
{
    const struct vt_finding *x = a, *y = b;
    if (x->type != y->type)
        return (int)x->type - (int)y->type;
    return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

int vt_findings_choose(struct vt_account *a)
{
    struct vt_suspicions *s = &a->suspicions;
    struct vt_report *report = a->report;
    int rc = judge_reserves(a);
    if (!rc)
        rc = judge_growth(a);
    if (!rc)
        rc = judge_limit(a);
    for (size_t i = 0; i < s->loop_count && !rc; i++)
        if (s->loops[i].count >= LOOP_LEAST && !add(s, &s->loops[i]))
            rc = -ENOMEM;
    if (rc || !s->count)
        return rc;
    qsort(s->found, s->count, sizeof(*s->found), by_weight);
    for (size_t i = 0; i < s->count; i++) {
        const struct vt_finding *f = &s->found[i];
        if (report->finding_totals[f->type]++ < VT_FINDINGS_MOST)
            s->found[report->finding_count++] = *f;
    }
    report->findings = s->found;
    s->found = NULL;
    return 0;
}

void vt_findings_deinit(struct vt_suspicions *s)
{
    free(s->found);
    vt_pairs_deinit(&s->merged);
    free(s->loops);
    vt_pairs_deinit(&s->loop_numbers);
    free(s->reserves);
    vt_pairs_deinit(&s->reserve_numbers);
    free(s->growth);
}
