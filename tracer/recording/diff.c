/*
 * diff.c - hides how two layouts are compared: piece by piece where addresses
 * mean something (two moments of one process), by role where they do not (two
 * runs).
 */
#include "recording/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

void vt_differences_deinit(struct vt_differences *differences)
{
    free(differences->items);
    *differences = (struct vt_differences){0};
}

static int add(struct vt_differences *d, const struct vt_difference *item)
{
    if (vt_reserve((void **)&d->items, &d->capacity, d->count + 1, sizeof(*d->items)))
        return -ENOMEM;
    d->items[d->count++] = *item;
    return 0;
}

/* ---- two moments --------------------------------------------------------------- */

/* Rectangles that were there at one moment. */
struct pieces {
    const struct vt_moment *moment;
    struct vt_rectangle *items;
    size_t count;
    size_t capacity;
};

struct both {
    struct pieces from;
    struct pieces to;
};

static int keep(void *context, const struct vt_rectangle *r)
{
    struct pieces *pieces = context;
    if (vt_reserve((void **)&pieces->items, &pieces->capacity, pieces->count + 1,
                   sizeof(*pieces->items)))
        return -ENOMEM;
    pieces->items[pieces->count++] = *r;
    return 0;
}

static int by_start(const void *a, const void *b)
{
    const struct vt_rectangle *x = a, *y = b;
    return (x->region.start > y->region.start) - (x->region.start < y->region.start);
}

static struct vt_region clip(const struct vt_region *r, vt_addr start, vt_addr end)
{
    struct vt_region part = *r;
    if (part.object && part.object->type == VT_OBJECT_FILE)
        part.offset += start - part.start;
    part.start = start;
    part.end = end;
    return part;
}

static bool alike(const struct vt_region *a, const struct vt_region *b)
{
    return a->prot == b->prot && a->kind == b->kind && a->flags == b->flags &&
           vt_object_same(a->object, b->object) && a->offset == b->offset;
}

static bool joins(const struct vt_region *a, const struct vt_region *b)
{
    return vt_layout_same_cover(a, b) && a->kind == b->kind && a->flags == b->flags;
}

/* One stretch in which both sides are the same all along; either may be null. */
static int compare(struct vt_differences *d, vt_addr start, vt_addr end,
                   const struct vt_rectangle *from, const struct vt_rectangle *to)
{
    struct vt_difference item = {.cause = "", .events = 1};
    if (from) {
        item.before = clip(&from->region, start, end);
        d->before[item.before.kind] += end - start;
    }
    if (to) {
        item.after = clip(&to->region, start, end);
        d->after[item.after.kind] += end - start;
    }
    if (from && to) {
        /* A file's own page is the same again, even mapped anew, as a loader does. */
        bool file = item.after.object && vt_object_same(item.before.object, item.after.object) &&
                    item.before.offset == item.after.offset;
        bool same = from->space == to->space && (from->origin_event == to->origin_event || file);
        if (same && alike(&item.before, &item.after) &&
            (from->made_event == to->made_event || to->made_by != VT_CHANGE_MOVED))
            return 0;
        item.op = same ? VT_DIFFERENCE_ALTERED : VT_DIFFERENCE_OTHER;
    } else {
        item.op = to ? VT_DIFFERENCE_MADE : VT_DIFFERENCE_GONE;
    }
    item.event = to ? to->made_event : from->ended_event;
    struct vt_difference *last = d->count ? &d->items[d->count - 1] : NULL;
    if (last && last->op == item.op && last->event == item.event &&
        (!from || joins(&last->before, &item.before)) &&
        (!to || joins(&last->after, &item.after))) {
        last->before.end = from ? end : 0;
        last->after.end = to ? end : 0;
        return 0;
    }
    return add(d, &item);
}

/* The first piece, from *next on, that ends above addr; null: none. */
static const struct vt_rectangle *piece_above(const struct pieces *pieces, size_t *next,
                                              vt_addr addr)
{
    while (*next < pieces->count && pieces->items[*next].region.end <= addr)
        ++*next;
    return *next < pieces->count ? &pieces->items[*next] : NULL;
}

static int sweep(struct vt_differences *d, const struct both *both)
{
    size_t a_next = 0, b_next = 0;
    vt_addr at = 0;
    for (;;) {
        const struct vt_rectangle *a = piece_above(&both->from, &a_next, at);
        const struct vt_rectangle *b = piece_above(&both->to, &b_next, at);
        if (!a && !b)
            return 0;
        /* Overlaps on one side can only be damage; what is behind `at` counts. */
        const struct vt_rectangle *from = a && a->region.start <= at ? a : NULL;
        const struct vt_rectangle *to = b && b->region.start <= at ? b : NULL;
        vt_addr stop = UINT64_MAX;
        if (a)
            stop = vt_min(stop, from ? a->region.end : a->region.start);
        if (b)
            stop = vt_min(stop, to ? b->region.end : b->region.start);
        int rc = from || to ? compare(d, at, stop, from, to) : 0;
        if (rc)
            return rc;
        at = stop;
    }
}

/* The piece that starts at addr (or, with `ends`, ends there), or null. */
static const struct vt_rectangle *piece_at(const struct pieces *pieces, vt_addr addr, bool ends)
{
    size_t low = 0, high = pieces->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct vt_region *r = &pieces->items[middle].region;
        if ((ends ? r->end : r->start) < addr)
            low = middle + 1;
        else
            high = middle;
    }
    const struct vt_rectangle *found = low < pieces->count ? &pieces->items[low] : NULL;
    return found && (ends ? found->region.end : found->region.start) == addr ? found : NULL;
}

static bool was_there(const struct vt_rectangle *r, const struct vt_moment *moment)
{
    return r->space == moment->space && r->made_event <= moment->event &&
           (!r->ended_event || r->ended_event > moment->event);
}

/* What was made beside something alike that was there already has grown it; likewise what is gone. */
static void name_growth(struct vt_differences *d, const struct both *both)
{
    for (size_t i = 0; i < d->count; i++) {
        struct vt_difference *item = &d->items[i];
        bool made = item->op == VT_DIFFERENCE_MADE;
        if (!made && item->op != VT_DIFFERENCE_GONE)
            continue;
        const struct pieces *side = made ? &both->to : &both->from;
        const struct vt_moment *other = made ? both->from.moment : both->to.moment;
        const struct vt_region *region = made ? &item->after : &item->before;
        const struct vt_rectangle *below = piece_at(side, region->start, true);
        const struct vt_rectangle *above = piece_at(side, region->end, false);
        if ((below && joins(&below->region, region) && was_there(below, other)) ||
            (above && joins(region, &above->region) && was_there(above, other)))
            item->op = made ? VT_DIFFERENCE_GROWN : VT_DIFFERENCE_SHRUNK;
    }
}

/* Causes and stacks of the items' events. */
static int name_causes(struct vt_recording *r, struct vt_differences *d, struct vt_error *err)
{
    struct vt_row row = {.text = &r->source.text};
    int rc = vt_source_query(&r->source, "SELECT cause, stack FROM events WHERE seq = ?",
                             &row.statement, err);
    for (size_t i = 0; i < d->count && rc >= 0; i++) {
        struct vt_difference *item = &d->items[i];
        uint64_t stack;
        sqlite3_reset(row.statement);
        vt_db_bind(row.statement, 1, item->event);
        rc = vt_source_step(&r->source, row.statement, err);
        if (rc <= 0)
            continue;
        const char *cause = vt_row_word(&row, 0);
        item->cause = cause ? cause : "";
        if (vt_row_known(&row, 1, INT64_MAX, &stack))
            item->stack = vt_reader_stack(r, stack);
        if (row.bad)
            rc = vt_source_damaged(&r->source, "table events", err);
    }
    sqlite3_finalize(row.statement);
    return rc < 0 ? rc : 0;
}

/* What touches, is alike and came about in the same way is one item, whose event is the last. */
static void coalesce(struct vt_differences *d)
{
    size_t kept = 0;
    for (size_t i = 0; i < d->count; i++) {
        const struct vt_difference *item = &d->items[i];
        struct vt_difference *last = kept ? &d->items[kept - 1] : NULL;
        bool before = item->before.start < item->before.end;
        bool after = item->after.start < item->after.end;
        if (last && last->op == item->op && last->cause == item->cause &&
            last->stack == item->stack && (!before || joins(&last->before, &item->before)) &&
            (!after || joins(&last->after, &item->after))) {
            last->before.end = before ? item->before.end : last->before.end;
            last->after.end = after ? item->after.end : last->after.end;
            last->event = vt_max(last->event, item->event);
            last->events++;
        } else {
            d->items[kept++] = *item;
        }
    }
    d->count = kept;
}

/* The pieces at a moment, in order of addresses. */
static int collect_pieces(struct vt_recording *r, struct pieces *pieces, struct vt_error *err)
{
    int rc = vt_walk_live(r, pieces->moment, keep, pieces, err);
    if (pieces->count)
        qsort(pieces->items, pieces->count, sizeof(*pieces->items), by_start);
    return rc;
}

int vt_recording_diff(struct vt_recording *r, const struct vt_moment *from,
                      const struct vt_moment *to, struct vt_differences *differences,
                      struct vt_error *err)
{
    struct both both = {.from = {.moment = from}, .to = {.moment = to}};
    *differences = (struct vt_differences){0};
    int rc = collect_pieces(r, &both.from, err);
    if (!rc)
        rc = collect_pieces(r, &both.to, err);
    if (!rc)
        rc = sweep(differences, &both);
    if (rc == -ENOMEM)
        vt_source_no_memory(&r->source, err);
    if (!rc) {
        name_growth(differences, &both);
        rc = name_causes(r, differences, err);
        coalesce(differences);
    }
    free(both.from.items);
    free(both.to.items);
    if (rc)
        vt_differences_deinit(differences);
    return rc;
}

/* ---- two runs ---------------------------------------------------------------------- */

/* A region by what it is, whatever its address. */
struct role {
    struct vt_region region;
    const char *name; /* of the file, image or special object; "" for plain memory */
    uint64_t place; /* offset in the file; of what has none its kind, and whether it is an arena */
    size_t order;
    bool matched;
};

struct roles {
    struct role *items;
    size_t count;
};

static int collect(const struct vt_recorded_layout *layout, struct roles *roles,
                   uint64_t bytes[VT_KIND_COUNT])
{
    const struct vt_layout *map = vt_recorded_layout_map(layout);
    roles->items = calloc(vt_layout_sums(map)->total_regions + 1, sizeof(*roles->items));
    if (!roles->items)
        return -ENOMEM;
    vt_layout_for_each(r, map) {
        struct vt_detail detail;
        vt_recorded_layout_detail(layout, r, &detail);
        const struct vt_object *object = r->object ? r->object : detail.image;
        bool file = r->object && r->object->type == VT_OBJECT_FILE;
        roles->items[roles->count] = (struct role){
            .region = *r,
            .name = object ? object->name : "",
            .place = file ? r->offset : r->kind | (uint64_t)(r->flags & VT_REGION_ARENA) << 8,
            .order = roles->count,
        };
        roles->count++;
        bytes[r->kind] += r->end - r->start;
    }
    return 0;
}

static int compare_keys(const struct role *x, const struct role *y)
{
    int names = strcmp(x->name, y->name);
    if (names)
        return names;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return (int)x->region.kind - (int)y->region.kind;
}

static uint64_t size_of(const struct role *role)
{
    return role->region.end - role->region.start;
}

/* By what it is, then size and permissions, so that equal ones stand in step. */
static int by_key(const void *a, const void *b)
{
    const struct role *x = a, *y = b;
    int key = compare_keys(x, y);
    if (key)
        return key;
    if (size_of(x) != size_of(y))
        return size_of(x) < size_of(y) ? -1 : 1;
    if (x->region.prot != y->region.prot)
        return x->region.prot < y->region.prot ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Pair off what is the same on both sides, in two sorted lists. */
static void match_equal(struct roles *a, struct roles *b)
{
    size_t i = 0, j = 0;
    while (i < a->count && j < b->count) {
        struct role *x = &a->items[i], *y = &b->items[j];
        int key = compare_keys(x, y);
        if (!key && size_of(x) != size_of(y))
            key = size_of(x) < size_of(y) ? -1 : 1;
        if (!key)
            key = (int)x->region.prot - (int)y->region.prot;
        if (!key)
            x->matched = y->matched = true;
        i += key <= 0;
        j += key >= 0;
    }
}

static int tell_pair(struct vt_differences *d, const struct role *x, const struct role *y)
{
    struct vt_difference item = {.cause = "", .events = 1};
    if (x)
        item.before = x->region;
    if (y)
        item.after = y->region;
    item.op = !x                        ? VT_DIFFERENCE_MADE
              : !y                      ? VT_DIFFERENCE_GONE
              : size_of(x) < size_of(y) ? VT_DIFFERENCE_GROWN
              : size_of(x) > size_of(y) ? VT_DIFFERENCE_SHRUNK
                                        : VT_DIFFERENCE_ALTERED;
    return add(d, &item);
}

/* The rest: of one key the first with the first and so on, then what one side alone has. */
static int match_rest(struct vt_differences *d, struct roles *a, struct roles *b)
{
    size_t i = 0, j = 0;
    int rc = 0;
    for (;;) {
        while (i < a->count && a->items[i].matched)
            i++;
        while (j < b->count && b->items[j].matched)
            j++;
        const struct role *x = i < a->count ? &a->items[i] : NULL;
        const struct role *y = j < b->count ? &b->items[j] : NULL;
        if ((!x && !y) || rc)
            return rc;
        int key = !x ? 1 : !y ? -1 : compare_keys(x, y);
        rc = tell_pair(d, key <= 0 ? x : NULL, key >= 0 ? y : NULL);
        i += key <= 0;
        j += key >= 0;
    }
}

int vt_recording_diff_runs(const struct vt_recorded_layout *from,
                           const struct vt_recorded_layout *to, struct vt_differences *differences,
                           struct vt_error *err)
{
    struct roles a = {0}, b = {0};
    *differences = (struct vt_differences){0};
    int rc = collect(from, &a, differences->before);
    if (!rc)
        rc = collect(to, &b, differences->after);
    if (!rc) {
        qsort(a.items, a.count, sizeof(*a.items), by_key);
        qsort(b.items, b.count, sizeof(*b.items), by_key);
        match_equal(&a, &b);
        rc = match_rest(differences, &a, &b);
    }
    if (rc) {
        vt_error_errno(err, -rc, "cannot compare two layouts");
        vt_differences_deinit(differences);
    }
    free(a.items);
    free(b.items);
    return rc;
}
