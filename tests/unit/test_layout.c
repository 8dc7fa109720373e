/*
 * test_layout.c - the interval map does what an array of pages would do: after
 * each of many thousand random edits its pages, joins, sums, lookups and told
 * changes are those of a naive model. Besides, the edges as exact text, the
 * comparison with the kernel's view, a million regions, and every allocation
 * failing in turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* after what it needs */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "unit/layout_text.h"
#include "unit/nomem.h"

#define R   VT_PROT_READ
#define RW  (VT_PROT_READ | VT_PROT_WRITE)
#define RX  (VT_PROT_READ | VT_PROT_EXEC)
#define RWX (VT_PROT_READ | VT_PROT_WRITE | VT_PROT_EXEC)

#define SHARED VT_REGION_SHARED
#define GROWS  VT_REGION_GROWSDOWN
#define STACK  VT_REGION_STACK

#define PAGE UINT64_C(4096)

/* ---- a page array, which is too simple to be wrong ------------------------ */

enum { PAGES = 256 };

struct page {
    const struct vt_object *object;
    uint64_t offset;
    bool mapped;
    uint8_t prot;
    uint8_t flags;
    uint8_t kind;
};

enum { OBJECTS = 8 };

struct world {
    struct vt_layout *layout;
    struct vt_objects *table;
    const struct vt_object *objects[OBJECTS]; /* [0] is null */
    struct vt_changes changes;
    struct page pages[PAGES]; /* what the layout should be */
    struct page told[PAGES];  /* what the pages were when `changes` was last empty */
    vt_addr base;
    bool plain;           /* no classifier of ours: vt_kind_plain() decides */
    uint8_t kinds[PAGES]; /* what our classifier goes by */
    uint64_t random;
    unsigned seed;
    unsigned step;
};

/* Say which of the thousand steps it was. */
#define check(w, condition)                                                                        \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("seed %u, step %u: %s does not hold", (w)->seed, (w)->step, #condition);      \
    } while (0)

static uint64_t draw(struct world *w) /* splitmix64 */
{
    uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static unsigned below(struct world *w, unsigned limit)
{
    return (unsigned)(draw(w) % limit);
}

static vt_addr address(const struct world *w, unsigned page)
{
    return w->base + page * PAGE;
}

static unsigned page_of(const struct world *w, vt_addr addr)
{
    return (unsigned)((addr - w->base) / PAGE);
}

static bool is_file(const struct vt_object *object)
{
    return object && object->type == VT_OBJECT_FILE;
}

/* What any one page of the region is. */
static struct page page_in(const struct vt_region *r, vt_addr addr)
{
    return (struct page){.object = r->object,
                         .offset = r->offset + (is_file(r->object) ? addr - r->start : 0),
                         .mapped = true,
                         .prot = r->prot,
                         .flags = r->flags,
                         .kind = r->kind};
}

static bool same_memory(const struct page *a, const struct page *b)
{
    return vt_object_same(a->object, b->object) && a->offset == b->offset &&
           (a->flags & SHARED) == (b->flags & SHARED);
}

/* As far as changes tell: a file's path and the flags that maps does not show are left out. */
static bool same_told(const struct page *a, const struct page *b)
{
    return a->mapped == b->mapped &&
           (!a->mapped || (same_memory(a, b) && a->prot == b->prot && a->kind == b->kind));
}

static bool same_all(const struct page *a, const struct page *b)
{
    return a->mapped == b->mapped &&
           (!a->mapped || (a->object == b->object && a->offset == b->offset && a->prot == b->prot &&
                           a->flags == b->flags && a->kind == b->kind));
}

/* b, one page above a, belongs to the same region. */
static bool continues_page(const struct page *a, const struct page *b)
{
    struct page next = *a;
    if (is_file(a->object))
        next.offset += PAGE;
    return a->mapped && same_all(&next, b);
}

/* ---- classification -------------------------------------------------------- */

static uint8_t kind_by_table(const struct world *w, unsigned page, const struct vt_region *r)
{
    return r->prot == VT_PROT_NONE ? VT_KIND_RESERVE : w->kinds[page];
}

/* The end of the leading part of one kind; sometimes less than that, which must not show. */
static vt_addr classify(void *context, const struct vt_region *region, uint8_t *kind)
{
    struct world *w = context;
    unsigned first = page_of(w, region->start), last = page_of(w, region->end);
    unsigned at = first + 1;

    *kind = kind_by_table(w, first, region);
    while (at < last && kind_by_table(w, at, region) == *kind)
        at++;
    if (below(w, 4) == 0)
        at = first + 1 + below(w, at - first);
    return address(w, at);
}

static uint8_t naive_kind(struct world *w, unsigned page, const struct page *p)
{
    struct vt_region r = {.start = address(w, page),
                          .end = address(w, page + 1),
                          .offset = p->offset,
                          .object = p->object,
                          .prot = p->prot,
                          .flags = p->flags};
    vt_addr end;
    return w->plain ? vt_kind_plain(vt_layout_marks(w->layout), &r, &end)
                    : kind_by_table(w, page, &r);
}

/* ---- checks ---------------------------------------------------------------- */

static void check_regions(struct world *w)
{
    struct vt_layout_sums sums = {0};
    unsigned next = 0; /* first page not yet compared */
    const struct vt_region *r;

    for (vt_addr at = 0; (r = vt_layout_at_or_above(w->layout, at)); at = r->end) {
        check(w, r->start >= at && r->start < r->end);
        check(w, r->start >= w->base && r->end <= address(w, PAGES));
        check(w, (r->start - w->base) % PAGE == 0 && (r->end - w->base) % PAGE == 0);
        check(w, is_file(r->object) || r->offset == 0);
        unsigned first = page_of(w, r->start), last = page_of(w, r->end);
        while (next < first)
            check(w, !w->pages[next++].mapped);
        check(w, !first || !continues_page(&w->pages[first - 1], &w->pages[first]));
        for (; next < last; next++) {
            struct page p = page_in(r, address(w, next));
            check(w, same_all(&p, &w->pages[next]));
        }
        sums.bytes[r->kind] += r->end - r->start;
        sums.regions[r->kind]++;
        sums.total_bytes += r->end - r->start;
        sums.total_regions++;
    }
    while (next < PAGES)
        check(w, !w->pages[next++].mapped);
    check(w, !memcmp(&sums, vt_layout_sums(w->layout), sizeof(sums)));
}

static void check_lookups(struct world *w, unsigned page)
{
    vt_addr low = address(w, page);
    vt_addr probes[] = {low, low + 1, low + PAGE - 1};
    unsigned above = page, under;

    for (size_t i = 0; i < VT_COUNTOF(probes); i++) {
        vt_addr probe = probes[i];
        const struct vt_region *r = vt_layout_find(w->layout, probe);
        check(w, (r != NULL) == w->pages[page].mapped);
        check(w, !r || (r->start <= probe && probe < r->end));

        for (above = page; above < PAGES && !w->pages[above].mapped; above++)
            ;
        r = vt_layout_at_or_above(w->layout, probe);
        check(w, (r != NULL) == (above < PAGES));
        check(w, !r || (above == page ? r == vt_layout_find(w->layout, probe)
                                      : r->start == address(w, above)));

        /* The last page that begins below the probe and is the first of a region. */
        for (under = probe > low ? page + 1 : page; under > 0; under--)
            if (w->pages[under - 1].mapped &&
                (under == 1 || !continues_page(&w->pages[under - 2], &w->pages[under - 1])))
                break;
        r = vt_layout_below(w->layout, probe);
        check(w, (r != NULL) == (under > 0));
        check(w, !r || r->start == address(w, under - 1));
    }
}

static void check_side(struct world *w, const struct vt_region *side, const struct vt_change *c)
{
    check(w, side->end - side->start == c->end - c->start);
    check(w, side->start < side->end && side->start >= w->base && side->end <= address(w, PAGES));
    check(w, (side->start - w->base) % PAGE == 0 && (side->end - w->base) % PAGE == 0);
}

/* Two changes of one edit that should have been told as one. */
static bool should_be_one(const struct vt_change *a, const struct vt_change *b)
{
    if (a->op != b->op || a->end != b->start || a->source_stays != b->source_stays)
        return false;
    struct page last, first;
    if (a->op != VT_CHANGE_MADE) {
        last = page_in(&a->before, a->before.end - PAGE);
        first = page_in(&b->before, b->before.start);
        if (a->before.end != b->before.start || !continues_page(&last, &first))
            return false;
    }
    if (a->op != VT_CHANGE_GONE) {
        last = page_in(&a->after, a->after.end - PAGE);
        first = page_in(&b->after, b->after.start);
        if (!continues_page(&last, &first))
            return false;
    }
    return true;
}

/*
 * Play the changes on the pages as they were: each must fit what it finds, and
 * the pages as they are must come out. `single`: they are of one edit, so that
 * what a change says of before is exact in all, and the list is as short as
 * it can be. `steps` gets the signs at each page: "-+", "~", ... ('<' where a
 * move took from).
 */
static void check_changes(struct world *w, bool single, char steps[PAGES][8])
{
    struct page pages[PAGES];
    bool (*const same)(const struct page *, const struct page *) = single ? same_all : same_told;

    memcpy(pages, w->told, sizeof(pages));
    memset(steps, 0, PAGES * sizeof(steps[0]));
    for (size_t i = 0; i < w->changes.count; i++) {
        const struct vt_change *c = &w->changes.items[i];
        bool before = c->op != VT_CHANGE_MADE, after = c->op != VT_CHANGE_GONE;
        if (before)
            check_side(w, &c->before, c);
        if (after)
            check_side(w, &c->after, c);
        check(w, !after || (c->after.start == c->start && c->after.end == c->end));
        check(w, !before || c->op == VT_CHANGE_MOVED ||
                     (c->before.start == c->start && c->before.end == c->end));
        check(w, c->op == VT_CHANGE_MOVED || !c->source_stays);
        if (single && i)
            check(w, !should_be_one(c - 1, c));
        for (const struct vt_change *k = w->changes.items; single && k < c; k++)
            check(w, k->op != c->op || k->end <= c->start);

        for (vt_addr at = 0; at < c->end - c->start; at += PAGE) {
            unsigned here = page_of(w, c->start + at);
            unsigned there = before ? page_of(w, c->before.start + at) : 0;
            struct page was = before ? page_in(&c->before, c->before.start + at) : (struct page){0};
            struct page is = after ? page_in(&c->after, c->start + at) : (struct page){0};
            size_t length = strlen(steps[here]);
            if (single) {
                check(w, length < 2);
                steps[here][length] = (char)c->op;
            }
            switch (c->op) {
            case VT_CHANGE_MADE:
                check(w, !pages[here].mapped);
                break;
            case VT_CHANGE_GONE:
                check(w, same(&pages[here], &was));
                break;
            case VT_CHANGE_ALTERED:
                check(w, same(&pages[here], &was));
                check(w, same_memory(&was, &is) && !same_told(&was, &is));
                break;
            case VT_CHANGE_MOVED:
                check(w, same(&pages[there], &was) && !pages[here].mapped);
                check(w, same_memory(&was, &is) && was.prot == is.prot && was.flags == is.flags &&
                             was.object == is.object);
                if (!c->source_stays)
                    pages[there] = (struct page){0};
                if (single) {
                    check(w, !*steps[there]);
                    steps[there][0] = '<';
                }
                break;
            default:
                check(w, !"a sign that is none");
            }
            pages[here] = is;
        }
    }
    for (unsigned i = 0; i < PAGES; i++) {
        check(w, same_told(&pages[i], &w->pages[i]));
        if (*steps[i])
            check(w, same_all(&pages[i], &w->pages[i]));
    }
}

/* ---- random edits ------------------------------------------------------------- */

static struct page draw_page(struct world *w)
{
    static const uint8_t prots[] = {0, R, RW, RW, RX, RWX};
    struct page p = {.mapped = true};
    p.prot = prots[below(w, VT_COUNTOF(prots))];
    p.object = below(w, 2) ? NULL : w->objects[below(w, OBJECTS)];
    if (is_file(p.object))
        p.offset = below(w, 8) * PAGE;
    if (below(w, 4) == 0)
        p.flags |= SHARED;
    if (below(w, 6) == 0)
        p.flags |= STACK;
    if (below(w, 8) == 0)
        p.flags |= GROWS;
    return p;
}

static void draw_range(struct world *w, unsigned *first, unsigned *count)
{
    unsigned limit = below(w, 8) == 0 ? PAGES : 24;
    *first = below(w, PAGES);
    *count = 1 + below(w, (unsigned)vt_min(limit, PAGES - *first));
}

static void step_map(struct world *w, unsigned first, unsigned count, struct vt_changes *changes,
                     char expected[PAGES][8])
{
    struct page p = draw_page(w);
    /* Often what continues a neighbour, so that joins happen. */
    if (first && w->pages[first - 1].mapped && below(w, 2)) {
        p = w->pages[first - 1];
        p.offset += is_file(p.object) ? PAGE : 0;
    }
    struct vt_region r = {.start = address(w, first),
                          .end = address(w, first + count),
                          .offset = p.offset,
                          .object = p.object,
                          .prot = p.prot,
                          .flags = p.flags,
                          .kind = 77}; /* not asked for */
    check(w, vt_layout_map(w->layout, &r, changes) == 0);
    for (unsigned i = first; i < first + count; i++) {
        strcpy(expected[i], w->pages[i].mapped ? "-+" : "+");
        w->pages[i] = page_in(&r, address(w, i));
        w->pages[i].kind = naive_kind(w, i, &w->pages[i]);
    }
}

static void step_unmap(struct world *w, unsigned first, unsigned count, struct vt_changes *changes,
                       char expected[PAGES][8])
{
    check(w,
          vt_layout_unmap(w->layout, address(w, first), address(w, first + count), changes) == 0);
    for (unsigned i = first; i < first + count; i++) {
        strcpy(expected[i], w->pages[i].mapped ? "-" : "");
        w->pages[i] = (struct page){0};
    }
}

/* What the change of one page by anything but map, unmap and move is told as. */
static const char *sign_of(const struct page *was, const struct page *is)
{
    if (same_told(was, is))
        return "";
    if (!was->mapped || !is->mapped)
        return is->mapped ? "+" : "-";
    return same_memory(was, is) ? "~" : "-+";
}

static void alter_pages(struct world *w, unsigned first, unsigned count, int prot, uint8_t set,
                        uint8_t clear, char expected[PAGES][8])
{
    for (unsigned i = first; i < first + count; i++) {
        struct page *p = &w->pages[i], was = *p;
        if (!p->mapped)
            continue;
        if (prot >= 0)
            p->prot = (uint8_t)prot;
        p->flags = (uint8_t)((p->flags | set) & ~clear);
        p->kind = naive_kind(w, i, p);
        strcpy(expected[i], sign_of(&was, p));
    }
}

static void step_protect(struct world *w, unsigned first, unsigned count,
                         struct vt_changes *changes, char expected[PAGES][8])
{
    uint8_t prot = (uint8_t)below(w, 8);
    check(w, vt_layout_protect(w->layout, address(w, first), address(w, first + count), prot,
                               changes) == 0);
    alter_pages(w, first, count, prot, 0, 0, expected);
}

static void step_flag(struct world *w, unsigned first, unsigned count, struct vt_changes *changes,
                      char expected[PAGES][8])
{
    static const uint8_t choices[] = {0, STACK, GROWS, STACK | GROWS, SHARED};
    uint8_t set = choices[below(w, VT_COUNTOF(choices))];
    uint8_t clear = choices[below(w, VT_COUNTOF(choices))];
    check(w, vt_layout_flag(w->layout, address(w, first), address(w, first + count), set, clear,
                            changes) == 0);
    alter_pages(w, first, count, -1, set, clear, expected);
}

static void step_reclassify(struct world *w, unsigned first, unsigned count,
                            struct vt_changes *changes, char expected[PAGES][8])
{
    for (unsigned i = first; i < first + count; i++)
        if (below(w, 6) == 0)
            memset(&w->kinds[i], (int)below(w, 4), vt_min(PAGES - i, 1 + below(w, 9)));
    if (w->plain)
        vt_layout_set_marks(
            w->layout, &(struct vt_layout_marks){.heap_start = address(w, first) + below(w, 4096),
                                                 .heap_end = address(w, below(w, PAGES)) + 5});
    check(w, vt_layout_reclassify(w->layout, address(w, first), address(w, first + count),
                                  changes) == 0);
    alter_pages(w, first, count, -1, 0, 0, expected);
}

static void step_move(struct world *w, unsigned first, unsigned count, struct vt_changes *changes,
                      char expected[PAGES][8])
{
    bool keep = below(w, 3) == 0;
    unsigned to;

    count = (unsigned)vt_min(count, PAGES / 3);
    do {
        to = below(w, PAGES - count + 1);
        if (below(w, 4) == 0) /* right beside the source */
            to = below(w, 2) && first + 2 * count <= PAGES ? first + count
                 : first >= count                          ? first - count
                                                           : to;
    } while (to < first + count && first < to + count);
    check(w, vt_layout_move(w->layout, address(w, first), address(w, to), count * PAGE, keep,
                            changes) == 0);
    for (unsigned i = 0; i < count; i++) {
        struct page *source = &w->pages[first + i], *target = &w->pages[to + i];
        if (!source->mapped)
            continue;
        strcpy(expected[first + i], "<");
        strcpy(expected[to + i], target->mapped ? "->" : ">");
        *target = *source;
        target->kind = naive_kind(w, to + i, target);
        if (!keep)
            *source = (struct page){0};
    }
}

/* A list as the kernel would give it: split anywhere, without our flags and kinds. */
static size_t list_pages(struct world *w, const struct page pages[PAGES], unsigned first,
                         unsigned last, struct vt_region list[PAGES])
{
    size_t count = 0;
    for (unsigned i = first; i < last; i++) {
        if (!pages[i].mapped)
            continue;
        struct vt_region *r = count ? &list[count - 1] : NULL;
        if (r && r->end == address(w, i) && below(w, 5) &&
            continues_page(&pages[i - 1], &pages[i])) {
            r->end += PAGE;
            continue;
        }
        list[count++] = (struct vt_region){.start = address(w, i),
                                           .end = address(w, i + 1),
                                           .offset = pages[i].offset,
                                           .object = pages[i].object,
                                           .prot = pages[i].prot,
                                           .flags = pages[i].flags,
                                           .kind = 99};
    }
    return count;
}

static void step_assign(struct world *w, unsigned first, unsigned count, struct vt_changes *changes,
                        char expected[PAGES][8])
{
    struct page kernel[PAGES];
    struct vt_region list[PAGES];

    memcpy(kernel, w->pages, sizeof(kernel));
    for (unsigned edits = below(w, 6); edits > 0; edits--) {
        unsigned at, length, how = below(w, 4);
        struct page p = draw_page(w);
        draw_range(w, &at, &length);
        for (unsigned i = at; i < at + length; i++) {
            if (how == 0) {
                kernel[i] = (struct page){0};
            } else if (how == 1 && kernel[i].mapped) {
                kernel[i].prot = p.prot;
            } else if (how == 2 && kernel[i].object == w->objects[1]) {
                kernel[i].object = w->objects[2]; /* the file was renamed */
            } else if (how == 3) {
                kernel[i] = p;
                if (is_file(p.object))
                    kernel[i].offset += (i - at) * PAGE;
            }
        }
    }
    for (unsigned i = 0; i < PAGES; i++) {
        kernel[i].flags &= SHARED;
        kernel[i].kind = 0;
    }
    /* More than the range is told: it is clipped. */
    unsigned low = first - below(w, first + 1);
    unsigned high = first + count + below(w, PAGES - first - count + 1);
    size_t told = list_pages(w, kernel, low, high, list);
    check(w, vt_layout_assign(w->layout, address(w, first), address(w, first + count), list, told,
                              changes) == 0);
    for (unsigned i = first; i < first + count; i++) {
        struct page was = w->pages[i];
        if (was.mapped && kernel[i].mapped && vt_object_same(was.object, kernel[i].object))
            kernel[i].flags |= was.flags & (STACK | GROWS);
        w->pages[i] = kernel[i];
        if (kernel[i].mapped)
            w->pages[i].kind = naive_kind(w, i, &kernel[i]);
        strcpy(expected[i], sign_of(&was, &w->pages[i]));
    }
}

/* Go on with a copy; the kinds are copied, not asked for again. */
static void step_copy(struct world *w)
{
    struct vt_layout *copy = vt_layout_create(w->plain ? NULL : classify, w);
    struct vt_layout_marks marks = *vt_layout_marks(w->layout);

    check(w, copy != NULL);
    check(w, vt_layout_copy(copy, w->layout) == 0);
    check(w, !memcmp(&marks, vt_layout_marks(copy), sizeof(marks)));
    check(w, vt_layout_unmap(w->layout, address(w, 0), address(w, PAGES), NULL) == 0);
    vt_layout_destroy(w->layout);
    w->layout = copy;
}

static void world_init(struct world *w, unsigned seed, vt_addr base, bool plain)
{
    static const struct vt_object likes[OBJECTS] = {
        [1] = {.type = VT_OBJECT_FILE, .dev_major = 8, .dev_minor = 1, .inode = 10, .name = "/a"},
        [2] = {.type = VT_OBJECT_FILE, .dev_major = 8, .dev_minor = 1, .inode = 10, .name = "/b"},
        [3] = {.type = VT_OBJECT_FILE, .dev_major = 8, .dev_minor = 1, .inode = 11, .name = "/a"},
        [4] = {.type = VT_OBJECT_FILE, .dev_minor = 1, .inode = 3, .name = "/memfd:x (deleted)"},
        [5] = {.type = VT_OBJECT_SPECIAL, .name = "[vdso]"},
        [6] = {.type = VT_OBJECT_SPECIAL, .name = "[anon:one]"},
        [7] = {.type = VT_OBJECT_SPECIAL, .name = "[anon:two]"},
    };

    *w = (struct world){.base = base, .plain = plain, .seed = seed};
    w->random = seed;
    w->table = vt_objects_create();
    assert_non_null(w->table);
    for (size_t i = 1; i < OBJECTS; i++) {
        w->objects[i] = vt_objects_intern(w->table, &likes[i]);
        assert_non_null(w->objects[i]);
    }
    w->layout = vt_layout_create(plain ? NULL : classify, w);
    assert_non_null(w->layout);
    for (unsigned i = 0; i < PAGES; i++)
        w->kinds[i] = (uint8_t)(i / 16 % 3);
}

static void world_deinit(struct world *w)
{
    vt_layout_destroy(w->layout);
    vt_objects_destroy(w->table);
    vt_changes_deinit(&w->changes);
}

typedef void step_fn(struct world *, unsigned, unsigned, struct vt_changes *, char[PAGES][8]);

static void one_step(struct world *w, struct vt_changes *changes, char expected[PAGES][8])
{
    static step_fn *const steps[] = {
        step_map,     step_map,  step_map,  step_map,        step_unmap, step_unmap,  step_protect,
        step_protect, step_move, step_move, step_reclassify, step_flag,  step_assign,
    };
    unsigned first, count;

    draw_range(w, &first, &count);
    if (below(w, 50) == 0)
        step_copy(w);
    steps[below(w, VT_COUNTOF(steps))](w, first, count, changes, expected);
    check_regions(w);
}

/* Low addresses, the middle, and the page under the top, where [vsyscall] lies. */
static const vt_addr bases[] = {0, UINT64_C(0x7ffff7a00000), UINT64_C(0xffffffffffeff000)};

enum { SEEDS = 120, STEPS = 300 };

static void test_random_edits(void **state)
{
    (void)state;
    static char steps[PAGES][8], expected[PAGES][8];
    struct world w;

    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        world_init(&w, seed, bases[seed % VT_COUNTOF(bases)], seed / 3 % 2);
        for (w.step = 0; w.step < STEPS; w.step++) {
            bool quiet = below(&w, 20) == 0;
            w.changes.count = 0;
            memcpy(w.told, w.pages, sizeof(w.told));
            memset(expected, 0, sizeof(expected));
            one_step(&w, quiet ? NULL : &w.changes, expected);
            if (!quiet) {
                check_changes(&w, true, steps);
                for (unsigned i = 0; i < PAGES; i++)
                    check(&w, !strcmp(steps[i], expected[i]));
            }
            for (unsigned i = 0; i < 6; i++)
                check_lookups(&w, below(&w, PAGES));
        }
        for (unsigned i = 0; i < PAGES; i++)
            check_lookups(&w, i);
        world_deinit(&w);
    }
}

/* Many edits append to one list: played as a whole it still tells what became of the pages. */
static void test_random_edits_in_one_list(void **state)
{
    (void)state;
    static char steps[PAGES][8], expected[PAGES][8];
    struct world w;

    for (unsigned seed = 1001; seed <= 1000 + SEEDS; seed++) {
        world_init(&w, seed, bases[seed % VT_COUNTOF(bases)], seed / 3 % 2);
        for (w.step = 0; w.step < STEPS; w.step++) {
            if (w.step % 15 == 0) {
                w.changes.count = 0;
                memcpy(w.told, w.pages, sizeof(w.told));
            }
            one_step(&w, &w.changes, expected);
            if (w.step % 15 == 14)
                check_changes(&w, false, steps);
        }
        world_deinit(&w);
    }
}

/* ---- edges ---------------------------------------------------------------------- */

struct edges {
    struct vt_layout *layout;
    struct vt_objects *table;
    struct vt_changes changes;
    const struct vt_object *file;
};

static int edges_setup(void **state)
{
    struct edges *e = calloc(1, sizeof(*e));
    if (!e)
        return -1;
    e->table = vt_objects_create();
    e->layout = vt_layout_create(NULL, NULL);
    e->file = vt_objects_intern(
        e->table,
        &(struct vt_object){
            .type = VT_OBJECT_FILE, .dev_major = 8, .dev_minor = 1, .inode = 5, .name = "/f"});
    *state = e;
    return !e->layout || !e->file;
}

static int edges_teardown(void **state)
{
    struct edges *e = *state;
    vt_layout_destroy(e->layout);
    vt_objects_destroy(e->table);
    vt_changes_deinit(&e->changes);
    free(e);
    return 0;
}

static void map_anon(struct edges *e, vt_addr start, vt_addr end, uint8_t prot)
{
    struct vt_region r = {.start = start, .end = end, .prot = prot};
    assert_int_equal(vt_layout_map(e->layout, &r, &e->changes), 0);
}

static void map_file(struct edges *e, vt_addr start, vt_addr end, uint8_t prot, uint64_t offset)
{
    struct vt_region r = {
        .start = start, .end = end, .prot = prot, .object = e->file, .offset = offset};
    assert_int_equal(vt_layout_map(e->layout, &r, &e->changes), 0);
}

static void test_empty(void **state)
{
    struct edges *e = *state;
    assert_null(vt_layout_at_or_above(e->layout, 0));
    assert_null(vt_layout_find(e->layout, 0));
    assert_null(vt_layout_below(e->layout, UINT64_MAX));
    assert_int_equal(vt_layout_sums(e->layout)->total_regions, 0);
    assert_layout(e->layout, "");
    vt_layout_destroy(NULL);
}

static void test_joins_across_three(void **state)
{
    struct edges *e = *state;
    map_anon(e, 0x1000, 0x2000, RW);
    map_anon(e, 0x3000, 0x4000, RW);
    assert_changes(&e->changes, "+ 1000-2000 rw-p anon\n"
                                "+ 3000-4000 rw-p anon\n");
    map_anon(e, 0x2000, 0x3000, RW);
    assert_changes(&e->changes, "+ 2000-3000 rw-p anon\n");
    assert_layout(e->layout, "1000-4000 rw-p anon\n");
    assert_int_equal(vt_layout_sums(e->layout)->regions[VT_KIND_ANON], 1);
    assert_int_equal(vt_layout_sums(e->layout)->bytes[VT_KIND_ANON], 0x3000);
}

static void test_cuts_in_two(void **state)
{
    struct edges *e = *state;
    map_file(e, 0x10000, 0x18000, R, 0x3000);
    e->changes.count = 0;
    assert_int_equal(vt_layout_unmap(e->layout, 0x12000, 0x13000, &e->changes), 0);
    assert_changes(&e->changes, "- 12000-13000 r--p file /f+5000\n");
    assert_layout(e->layout, "10000-12000 r--p file /f+3000\n"
                             "13000-18000 r--p file /f+6000\n");
    assert_int_equal(vt_layout_protect(e->layout, 0x14000, 0x15000, RW, &e->changes), 0);
    assert_changes(&e->changes,
                   "~ 14000-15000 r--p file /f+7000 => 14000-15000 rw-p file /f+7000\n");
    assert_layout(e->layout, "10000-12000 r--p file /f+3000\n"
                             "13000-14000 r--p file /f+6000\n"
                             "14000-15000 rw-p file /f+7000\n"
                             "15000-18000 r--p file /f+8000\n");
    assert_int_equal(vt_layout_protect(e->layout, 0x14000, 0x15000, R, NULL), 0);
    map_file(e, 0x12000, 0x13000, R, 0x5000);
    assert_layout(e->layout, "10000-18000 r--p file /f+3000\n");
}

/* Neighbours in memory that are not neighbours in the file stay two; so do two inodes. */
static void test_running_offset(void **state)
{
    struct edges *e = *state;
    map_file(e, 0x1000, 0x3000, R, 0);
    map_file(e, 0x3000, 0x4000, R, 0x3000);
    map_file(e, 0x4000, 0x5000, R, 0x4000);
    assert_layout(e->layout, "1000-3000 r--p file /f+0\n"
                             "3000-5000 r--p file /f+3000\n");
    /* An offset that the kernel would give to a mapping at the file's far end. */
    map_file(e, 0x7000, 0x9000, R, UINT64_C(0x7ffffffffffff000));
    assert_int_equal(vt_layout_unmap(e->layout, 0x7000, 0x8000, NULL), 0);
    assert_int_equal(vt_layout_find(e->layout, 0x8000)->offset, UINT64_C(0x8000000000000000));
}

static void test_empty_edits(void **state)
{
    struct edges *e = *state;
    const char *all = "1000-5000 rw-p anon\n";
    map_anon(e, 0x1000, 0x5000, RW);
    e->changes.count = 0;
    map_anon(e, 0x2000, 0x2000, R);
    map_anon(e, 0x3000, 0x2000, R);
    assert_int_equal(vt_layout_unmap(e->layout, 0x2000, 0x2000, &e->changes), 0);
    assert_int_equal(vt_layout_unmap(e->layout, 0x3000, 0x2000, &e->changes), 0);
    assert_int_equal(vt_layout_protect(e->layout, 0x2000, 0x2000, R, &e->changes), 0);
    assert_int_equal(vt_layout_flag(e->layout, 0x2000, 0x2000, STACK, 0, &e->changes), 0);
    assert_int_equal(vt_layout_reclassify(e->layout, 0x2000, 0x2000, &e->changes), 0);
    assert_int_equal(vt_layout_assign(e->layout, 0x2000, 0x2000, NULL, 0, &e->changes), 0);
    /* Nor do edits of nothing but holes change anything. */
    assert_int_equal(vt_layout_unmap(e->layout, 0x6000, 0x9000, &e->changes), 0);
    assert_int_equal(vt_layout_protect(e->layout, 0x6000, 0x9000, R, &e->changes), 0);
    assert_int_equal(vt_layout_assign(e->layout, 0x6000, 0x9000, NULL, 0, &e->changes), 0);
    assert_int_equal(vt_layout_move(e->layout, 0x6000, 0x1000, 0x2000, false, &e->changes), 0);
    /* What it is already: */
    assert_int_equal(vt_layout_protect(e->layout, 0x2000, 0x3000, RW, &e->changes), 0);
    assert_changes(&e->changes, "");
    assert_layout(e->layout, all);
    assert_int_equal(vt_layout_sums(e->layout)->total_regions, 1);
}

static void test_empty_move(void **state)
{
    struct edges *e = *state;
    map_anon(e, 0x1000, 0x5000, RW);
    map_anon(e, 0x8000, 0xc000, RW);
    e->changes.count = 0;
    assert_int_equal(vt_layout_move(e->layout, 0x2000, 0x9000, 0, false, &e->changes), 0);
    assert_changes(&e->changes, "");
    assert_layout(e->layout, "1000-5000 rw-p anon\n"
                             "8000-c000 rw-p anon\n");
}

static void test_replaces_the_same(void **state)
{
    struct edges *e = *state;
    map_anon(e, 0x1000, 0x3000, RW);
    e->changes.count = 0;
    map_anon(e, 0x1000, 0x3000, RW);
    assert_changes(&e->changes, "- 1000-3000 rw-p anon\n"
                                "+ 1000-3000 rw-p anon\n");
    map_anon(e, 0x2000, 0x3000, RW);
    assert_changes(&e->changes, "- 2000-3000 rw-p anon\n"
                                "+ 2000-3000 rw-p anon\n");
    assert_layout(e->layout, "1000-3000 rw-p anon\n");
}

static void test_replaces_many(void **state)
{
    struct edges *e = *state;
    map_anon(e, 0x1000, 0x3000, RW);
    map_file(e, 0x4000, 0x6000, R, 0);
    map_anon(e, 0x6000, 0x8000, 0);
    e->changes.count = 0;
    map_anon(e, 0x2000, 0x7000, RX);
    assert_changes(&e->changes, "- 2000-3000 rw-p anon\n"
                                "- 4000-6000 r--p file /f+0\n"
                                "- 6000-7000 ---p reserve\n"
                                "+ 2000-7000 r-xp anon\n");
    assert_layout(e->layout, "1000-2000 rw-p anon\n"
                             "2000-7000 r-xp anon\n"
                             "7000-8000 ---p reserve\n");
}

static void test_top_of_the_address_space(void **state)
{
    struct edges *e = *state;
    const vt_addr vsyscall = UINT64_C(0xffffffffff600000);
    struct vt_object like = {.type = VT_OBJECT_SPECIAL, .name = "[vsyscall]"};
    struct vt_region r = {.start = vsyscall,
                          .end = vsyscall + PAGE,
                          .prot = VT_PROT_EXEC,
                          .object = vt_objects_intern(e->table, &like)};
    struct vt_region last = {.start = UINT64_MAX - 2 * PAGE + 1, .end = UINT64_MAX - PAGE + 1};

    assert_int_equal(vt_layout_map(e->layout, &r, &e->changes), 0);
    assert_int_equal(vt_layout_map(e->layout, &last, &e->changes), 0);
    assert_changes(&e->changes, "+ ffffffffff600000-ffffffffff601000 --xp vsyscall [vsyscall]\n"
                                "+ ffffffffffffe000-fffffffffffff000 ---p reserve\n");
    assert_non_null(vt_layout_find(e->layout, vsyscall));
    assert_null(vt_layout_find(e->layout, vsyscall - 1));
    assert_null(vt_layout_find(e->layout, UINT64_MAX));
    assert_null(vt_layout_at_or_above(e->layout, UINT64_MAX - PAGE + 1));
    assert_ptr_equal(vt_layout_below(e->layout, UINT64_MAX), vt_layout_find(e->layout, last.start));
    assert_int_equal(vt_layout_assign(e->layout, 0, UINT64_MAX, &r, 1, &e->changes), 0);
    assert_changes(&e->changes, "- ffffffffffffe000-fffffffffffff000 ---p reserve\n");
    assert_int_equal(vt_layout_unmap(e->layout, 0, UINT64_MAX, &e->changes), 0);
    assert_changes(&e->changes, "- ffffffffff600000-ffffffffff601000 --xp vsyscall [vsyscall]\n");
}

static void test_moves(void **state)
{
    struct edges *e = *state;
    map_file(e, 0x1000, 0x3000, R, 0x1000);
    map_anon(e, 0x4000, 0x5000, RW);
    map_anon(e, 0x11000, 0x14000, RX);
    e->changes.count = 0;
    assert_int_equal(vt_layout_move(e->layout, 0x2000, 0x10000, 0x4000, false, &e->changes), 0);
    /* 3000-4000 and 5000-6000 are holes: 11000-12000 and 13000-14000 stay. */
    assert_changes(&e->changes, "> 2000-3000 r--p file /f+2000 => 10000-11000 r--p file /f+2000\n"
                                "- 12000-13000 r-xp anon\n"
                                "> 4000-5000 rw-p anon => 12000-13000 rw-p anon\n");
    assert_layout(e->layout, "1000-2000 r--p file /f+1000\n"
                             "10000-11000 r--p file /f+2000\n"
                             "11000-12000 r-xp anon\n"
                             "12000-13000 rw-p anon\n"
                             "13000-14000 r-xp anon\n");
    assert_int_equal(vt_layout_move(e->layout, 0x12000, 0x13000, 0x1000, true, &e->changes), 0);
    assert_changes(&e->changes, "- 13000-14000 r-xp anon\n"
                                "> 12000-13000 rw-p anon => 13000-14000 rw-p anon stays\n");
    assert_layout(e->layout, "1000-2000 r--p file /f+1000\n"
                             "10000-11000 r--p file /f+2000\n"
                             "11000-12000 r-xp anon\n"
                             "12000-14000 rw-p anon\n");
}

/* What two edits did stays two changes: as one, a chain of moves would say something else. */
static void test_edits_are_told_apart(void **state)
{
    struct edges *e = *state;
    map_anon(e, 0x1000, 0x2000, RW);
    map_anon(e, 0x2000, 0x3000, RW);
    assert_changes(&e->changes, "+ 1000-2000 rw-p anon\n"
                                "+ 2000-3000 rw-p anon\n");
    assert_int_equal(vt_layout_move(e->layout, 0x1000, 0x3000, 0x2000, false, &e->changes), 0);
    assert_int_equal(vt_layout_move(e->layout, 0x3000, 0x5000, 0x2000, false, &e->changes), 0);
    assert_layout(e->layout, "5000-7000 rw-p anon\n");
    assert_changes(&e->changes, "> 1000-3000 rw-p anon => 3000-5000 rw-p anon\n"
                                "> 3000-5000 rw-p anon => 5000-7000 rw-p anon\n");
    assert_int_equal(vt_layout_move(e->layout, 0x5000, 0x11000, 0x1000, true, &e->changes), 0);
    assert_int_equal(vt_layout_move(e->layout, 0x6000, 0x12000, 0x1000, false, &e->changes), 0);
    assert_changes(&e->changes, "> 5000-6000 rw-p anon => 11000-12000 rw-p anon stays\n"
                                "> 6000-7000 rw-p anon => 12000-13000 rw-p anon\n");
}

static void test_flags_tell_nothing(void **state)
{
    struct edges *e = *state;
    struct vt_object like = *e->file;
    struct vt_region told = {.start = 0x1000, .end = 0x3000, .prot = R, .offset = 0};

    map_file(e, 0x1000, 0x3000, R, 0);
    e->changes.count = 0;
    assert_int_equal(vt_layout_flag(e->layout, 0x1000, 0x2000, STACK, 0, &e->changes), 0);
    assert_changes(&e->changes, "");
    assert_layout(e->layout, "1000-2000 r--p file /f+0 stack\n"
                             "2000-3000 r--p file /f+1000\n");
    like.name = "/f (deleted)";
    told.object = vt_objects_intern(e->table, &like);
    assert_int_equal(vt_layout_assign(e->layout, 0, UINT64_MAX, &told, 1, &e->changes), 0);
    assert_changes(&e->changes, "");
    assert_layout(e->layout, "1000-2000 r--p file /f (deleted)+0 stack\n"
                             "2000-3000 r--p file /f (deleted)+1000\n");
}

/* A classifier may say any end: what is not inside the region counts as all of it. */
static vt_addr classify_oddly(void *context, const struct vt_region *region, uint8_t *kind)
{
    (void)region;
    *kind = VT_KIND_TLS;
    return *(vt_addr *)context;
}

static void test_odd_classifier(void **state)
{
    (void)state;
    static const vt_addr ends[] = {0, 0x1000, 0x2000, 0x3000, 0x4000, UINT64_MAX};
    for (size_t i = 0; i < VT_COUNTOF(ends); i++) {
        vt_addr end = ends[i];
        struct vt_region r = {.start = 0x1000, .end = 0x3000, .prot = RW};
        struct vt_layout *layout = vt_layout_create(classify_oddly, &end);
        assert_non_null(layout);
        assert_int_equal(vt_layout_map(layout, &r, NULL), 0);
        assert_layout(layout, "1000-3000 rw-p tls\n");
        vt_layout_destroy(layout);
    }
}

/* ---- kinds without knowledge of images --------------------------------------------- */

static void test_plain_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *name; /* null: no object */
        uint8_t prot, flags, kind;
    } cases[] = {
        {NULL, RW, 0, VT_KIND_ANON},
        {NULL, 0, 0, VT_KIND_RESERVE},
        {NULL, RW, GROWS, VT_KIND_STACK},
        {NULL, RW, STACK, VT_KIND_THREAD_STACK},
        {NULL, RW, STACK | GROWS, VT_KIND_THREAD_STACK},
        {NULL, 0, STACK, VT_KIND_GUARD},
        {NULL, 0, GROWS, VT_KIND_GUARD},
        {"[vdso]", RX, 0, VT_KIND_VDSO},
        {"[vvar]", R, 0, VT_KIND_VVAR},
        {"[vvar_vclock]", R, 0, VT_KIND_VVAR},
        {"[vsyscall]", VT_PROT_EXEC, 0, VT_KIND_VSYSCALL},
        {"[uprobes]", RX, 0, VT_KIND_OTHER},
        {"[anon:glibc: malloc]", RW, 0, VT_KIND_ANON},
        {"[anon:arena]", 0, 0, VT_KIND_RESERVE},
        {"[anon:stack]", RW, STACK, VT_KIND_THREAD_STACK},
        {"[anon_shmem:x]", RW, SHARED, VT_KIND_SHM},
        {"/dev/zero (deleted)", RW, SHARED, VT_KIND_SHM},
        {"/dev/zero", RW, 0, VT_KIND_ANON},
        {"/anon_hugepage (deleted)", RW, 0, VT_KIND_ANON},
        {"/anon_hugepage (deleted)", RW, SHARED, VT_KIND_SHM},
        {"/memfd:x (deleted)", RW, 0, VT_KIND_SHM},
        {"/SYSV00000000 (deleted)", RW, SHARED, VT_KIND_SHM},
        {"/dev/shm/x", RW, SHARED, VT_KIND_SHM},
        {"/dev/shm/x", RW, 0, VT_KIND_FILE},
        {"/dev/dri/card0", RW, SHARED, VT_KIND_OTHER},
        {"/[aio] (deleted)", RW, SHARED, VT_KIND_OTHER},
        {"anon_inode:[perf_event]", RW, SHARED, VT_KIND_OTHER},
        {"/usr/share/x", R, 0, VT_KIND_FILE},
        {"/usr/share/x", 0, 0, VT_KIND_FILE},
        {"", R, 0, VT_KIND_FILE},
    };
    struct vt_layout_marks marks = {0};

    for (size_t i = 0; i < VT_COUNTOF(cases); i++) {
        struct vt_object object = {.type = VT_OBJECT_FILE, .inode = 1, .name = cases[i].name};
        struct vt_region r = {.start = 0x1000,
                              .end = 0x2000,
                              .object = cases[i].name ? &object : NULL,
                              .prot = cases[i].prot,
                              .flags = cases[i].flags};
        vt_addr end = 0;
        assert_string_equal(vt_kind_name(vt_kind_plain(&marks, &r, &end)),
                            vt_kind_name(cases[i].kind));
        assert_int_equal(end, r.end);
    }
}

static void test_plain_heap(void **state)
{
    struct edges *e = *state;
    vt_layout_set_marks(e->layout,
                        &(struct vt_layout_marks){.heap_start = 0x5123, .heap_end = 0x8001});
    map_anon(e, 0x3000, 0xb000, RW);
    assert_changes(&e->changes, "+ 3000-5000 rw-p anon\n"
                                "+ 5000-9000 rw-p heap\n"
                                "+ 9000-b000 rw-p anon\n");
    map_anon(e, 0x6000, 0x7000, 0);
    e->changes.count = 0;
    assert_layout(e->layout, "3000-5000 rw-p anon\n"
                             "5000-6000 rw-p heap\n"
                             "6000-7000 ---p heap\n"
                             "7000-9000 rw-p heap\n"
                             "9000-b000 rw-p anon\n");
    /* A break that has moved shows only where it is asked about again. */
    vt_layout_set_marks(e->layout,
                        &(struct vt_layout_marks){.heap_start = 0x5123, .heap_end = 0x5123});
    assert_int_equal(vt_layout_reclassify(e->layout, 0x6000, 0x8000, &e->changes), 0);
    assert_changes(&e->changes, "~ 6000-7000 ---p heap => 6000-7000 ---p reserve\n"
                                "~ 7000-8000 rw-p heap => 7000-8000 rw-p anon\n");
    assert_int_equal(vt_layout_reclassify(e->layout, 0, UINT64_MAX, NULL), 0);
    assert_layout(e->layout, "3000-6000 rw-p anon\n"
                             "6000-7000 ---p reserve\n"
                             "7000-b000 rw-p anon\n");
}

static void test_names(void **state)
{
    (void)state;
    char text[5];

    for (int kind = 0; kind < VT_KIND_COUNT; kind++) {
        const char *name = vt_kind_name((uint8_t)kind);
        assert_int_equal(vt_kind_parse(name, strlen(name)), kind);
        assert_int_equal(vt_kind_parse(name, strlen(name) - 1), -1);
    }
    assert_string_equal(vt_kind_name(VT_KIND_THREAD_STACK), "thread-stack");
    assert_string_equal(vt_kind_name(VT_KIND_COUNT), "?");
    assert_int_equal(vt_kind_parse("", 0), -1);
    assert_int_equal(vt_kind_parse("textual", 4), VT_KIND_TEXT);
    assert_string_equal(vt_prot_text(0, 0, text), "---p");
    assert_string_equal(vt_prot_text(RWX, SHARED, text), "rwxs");
    assert_string_equal(vt_prot_text(VT_PROT_WRITE, STACK, text), "-w-p");
}

/* ---- agreement with the kernel's view ---------------------------------------------- */

static void test_same_cover(void **state)
{
    struct edges *e = *state;
    struct vt_object renamed = *e->file;
    struct vt_object other = *e->file;
    struct vt_region a = {.start = 0x1000, .end = 0x3000, .prot = R, .object = e->file};
    struct vt_region b = {
        .start = 0x3000, .end = 0x4000, .prot = R, .object = e->file, .offset = 0x2000};
    struct vt_region c;

    renamed.name = "/g";
    other.inode++;
    assert_true(vt_layout_same_cover(&a, &b));
    assert_false(vt_layout_same_cover(&b, &a));
    c = b, c.object = &renamed;
    assert_true(vt_layout_same_cover(&a, &c));
    c = b, c.kind = VT_KIND_TLS;
    assert_true(vt_layout_same_cover(&a, &c));
    c = b, c.flags = STACK | GROWS;
    assert_true(vt_layout_same_cover(&a, &c));
    c = b, c.object = &other;
    assert_false(vt_layout_same_cover(&a, &c));
    c = b, c.object = NULL;
    assert_false(vt_layout_same_cover(&a, &c));
    c = b, c.flags = SHARED;
    assert_false(vt_layout_same_cover(&a, &c));
    c = b, c.prot = RW;
    assert_false(vt_layout_same_cover(&a, &c));
    c = b, c.offset = 0x1000;
    assert_false(vt_layout_same_cover(&a, &c));
    c = b, c.start = 0x3800;
    assert_false(vt_layout_same_cover(&a, &c));
}

static void test_agrees(void **state)
{
    struct edges *e = *state;
    struct vt_region ours, theirs;
    /* Alike in what the kernel shows, but three of ours and, cut elsewhere, three of theirs. */
    struct vt_region good[] = {
        {.start = 0x1000, .end = 0x2000, .prot = RW},
        {.start = 0x2000, .end = 0x6000, .prot = RW},
        {.start = 0x6000, .end = 0x9000, .prot = RW},
        {.start = 0xa000, .end = 0xb000, .prot = R, .object = e->file, .offset = 0x1000},
        {.start = 0xb000, .end = 0xd000, .prot = R, .object = e->file, .offset = 0x2000},
    };
    const size_t count = VT_COUNTOF(good);

    assert_true(vt_layout_agrees(e->layout, NULL, 0, &ours, &theirs));
    assert_false(vt_layout_agrees(e->layout, good, count, &ours, &theirs));
    assert_true(ours.start == ours.end);
    assert_true(theirs.start == 0x1000 && theirs.end == 0x9000);

    vt_layout_set_marks(e->layout,
                        &(struct vt_layout_marks){.heap_start = 0x4000, .heap_end = 0x5000});
    map_anon(e, 0x1000, 0x9000, RW);
    map_file(e, 0xa000, 0xd000, R, 0x1000);
    assert_layout(e->layout, "1000-4000 rw-p anon\n"
                             "4000-5000 rw-p heap\n"
                             "5000-9000 rw-p anon\n"
                             "a000-d000 r--p file /f+1000\n");
    assert_true(vt_layout_agrees(e->layout, good, count, &ours, &theirs));

    assert_false(vt_layout_agrees(e->layout, good, 3, &ours, &theirs)); /* one less */
    assert_true(ours.start == 0xa000 && ours.end == 0xd000);
    assert_true(theirs.start == theirs.end);
    assert_false(vt_layout_agrees(e->layout, good + 1, count - 1, &ours, &theirs));
    assert_true(ours.start == 0x1000 && ours.end == 0x9000);
    assert_true(theirs.start == 0x2000 && theirs.end == 0x9000);

    static const struct {
        size_t index;
        struct vt_region now;
    } spoilt[] = {
        {2, {.start = 0x6000, .end = 0x8000, .prot = RW}},
        {2, {.start = 0x6000, .end = 0x9000, .prot = R}},
        {2, {.start = 0x6000, .end = 0x9000, .prot = RW, .flags = SHARED}},
        {4, {.start = 0xb000, .end = 0xd000, .prot = R}},
    };
    for (size_t i = 0; i < VT_COUNTOF(spoilt); i++) {
        struct vt_region bad[VT_COUNTOF(good)];
        memcpy(bad, good, sizeof(bad));
        bad[spoilt[i].index] = spoilt[i].now;
        assert_false(vt_layout_agrees(e->layout, bad, count, &ours, &theirs));
        assert_true(ours.start == (spoilt[i].index == 2 ? 0x1000 : 0xa000));
        assert_true(theirs.start == ours.start && theirs.end != ours.end);
    }
    good[3].prot = good[4].prot = RX; /* same bounds, other permissions */
    assert_false(vt_layout_agrees(e->layout, good, count, &ours, &theirs));
    assert_true(ours.start == 0xa000 && ours.prot == R);
    assert_true(theirs.start == 0xa000 && theirs.end == 0xd000 && theirs.prot == RX);
    good[3].prot = good[4].prot = R;
    good[3].offset += PAGE; /* the whole file shifted: same bounds, other pages */
    good[4].offset += PAGE;
    assert_false(vt_layout_agrees(e->layout, good, count, &ours, &theirs));
    assert_true(ours.start == 0xa000 && theirs.start == 0xa000 && theirs.offset == 0x2000);
}

/* ---- size ---------------------------------------------------------------------------- */

/* A quadratic map would take hours over this; the time limit of the test is what sees it. */
static void test_a_million_regions(void **state)
{
    struct edges *e = *state;
    const uint64_t count = 1000000;
    const struct vt_region *r;

    for (uint64_t i = 0; i < count; i++) {
        /* In an order that is neither ascending nor random: 7 steps through the space. */
        uint64_t at = i % 2 ? i : i * 7 % count;
        struct vt_region region = {
            .start = (2 * at + 1) * PAGE, .end = (2 * at + 2) * PAGE, .prot = RW};
        assert_int_equal(vt_layout_map(e->layout, &region, NULL), 0);
    }
    assert_int_equal(vt_layout_sums(e->layout)->total_regions, count);
    assert_int_equal(vt_layout_sums(e->layout)->total_bytes, count * PAGE);
    for (uint64_t i = 0; i < count; i++) {
        vt_addr start = (2 * i + 1) * PAGE;
        r = vt_layout_find(e->layout, start + 5);
        assert_true(r && r->start == start && r->end == start + PAGE);
        r = vt_layout_at_or_above(e->layout, start - 1);
        assert_true(r && r->start == start);
        r = vt_layout_below(e->layout, start);
        assert_true(i ? r && r->end == start - PAGE : !r);
    }
    /* Fill every second hole: pairs join, and none else. */
    for (uint64_t i = 0; i < count; i += 2) {
        struct vt_region region = {
            .start = (2 * i + 2) * PAGE, .end = (2 * i + 3) * PAGE, .prot = RW};
        assert_int_equal(vt_layout_map(e->layout, &region, NULL), 0);
    }
    assert_int_equal(vt_layout_sums(e->layout)->total_regions, count / 2);
    /* Edits over all of it. */
    assert_int_equal(vt_layout_protect(e->layout, 0, count * 2 * PAGE, R, &e->changes), 0);
    assert_int_equal(e->changes.count, count / 2);
    e->changes.count = 0;
    assert_int_equal(vt_layout_unmap(e->layout, PAGE, (count - 1) * 2 * PAGE, &e->changes), 0);
    assert_int_equal(e->changes.count, count / 2);
    assert_int_equal(vt_layout_sums(e->layout)->total_regions, 1);
}

/* ---- out of memory --------------------------------------------------------------------- */

/* Every page is a kind of its own: a single region makes as many nodes as it has pages. */
static vt_addr classify_each_page(void *context, const struct vt_region *region, uint8_t *kind)
{
    (void)context;
    *kind = region->start / PAGE % 2 ? VT_KIND_DATA : VT_KIND_BSS;
    return region->start + PAGE;
}

static vt_addr classify_one(void *context, const struct vt_region *region, uint8_t *kind)
{
    (void)context;
    *kind = VT_KIND_DATA;
    return region->end;
}

/* The edit number `which`; all need more nodes, scratch space and changes than there are. */
static int starved_edit(struct vt_layout *layout, int which, struct vt_changes *changes)
{
    const vt_addr end = 0x1000 + 200 * PAGE;
    struct vt_region all = {.start = 0x1000, .end = end, .prot = RX};
    switch (which) {
    case 0:
        return vt_layout_map(layout, &all, changes);
    case 1:
        return vt_layout_unmap(layout, 0x1000, end, changes);
    case 2:
        return vt_layout_protect(layout, 0x1000, end, R, changes);
    case 3:
        return vt_layout_flag(layout, 0x1000, end, SHARED, 0, changes);
    case 4:
        return vt_layout_reclassify(layout, 0x1000, end, changes);
    default:
        return vt_layout_assign(layout, 0x1000, end, &all, 1, changes);
    }
}

enum { STARVED_EDITS = 6 };

static char *print_layout(const struct vt_layout *layout)
{
    struct vt_buf buf = {0};
    char *text;

    vt_layout_for_each(r, layout) {
        text_region(&buf, r);
        vt_buf_char(&buf, '\n');
    }
    text = strdup(vt_buf_cstr(&buf));
    vt_buf_deinit(&buf);
    assert_non_null(text);
    return text;
}

/*
 * A layout whose spare nodes and scratch space are used up: a copy, which
 * takes what it needs and little more. 100 regions are of one kind; under the
 * classifier of the copy each will be two.
 */
static struct vt_layout *starved_layout(void)
{
    struct vt_layout *wide = vt_layout_create(classify_one, NULL);
    struct vt_layout *layout = vt_layout_create(classify_each_page, NULL);

    assert_non_null(wide);
    assert_non_null(layout);
    for (unsigned i = 0; i < 150; i++) {
        struct vt_region r = {.start = 0x1000 + 2 * i * PAGE, .prot = i % 2 ? RW : RX};
        r.end = r.start + 2 * PAGE;
        assert_int_equal(vt_layout_map(wide, &r, NULL), 0);
    }
    assert_int_equal(vt_layout_copy(layout, wide), 0);
    vt_layout_destroy(wide);
    return layout;
}

/* A list that holds one change already, which the edit's first one continues. */
static void first_change(struct vt_changes *changes)
{
    struct vt_region made = {.start = 0, .end = 0x1000, .prot = RX, .kind = VT_KIND_BSS};
    struct vt_change gone = {.op = VT_CHANGE_GONE, .start = 0, .end = 0x1000, .before = made};

    gone.before.kind = VT_KIND_DATA;
    changes->items = malloc(sizeof(gone));
    assert_non_null(changes->items);
    changes->items[0] = gone;
    changes->count = changes->capacity = 1;
}

static void out_of_memory(void (*refuse)(size_t granted))
{
    for (int which = 0; which < STARVED_EDITS; which++) {
        struct vt_layout *layout = starved_layout();
        assert_int_equal(starved_edit(layout, which, NULL), 0);
        char *result = print_layout(layout);
        vt_layout_destroy(layout);

        size_t failures = 0;
        for (size_t granted = 0;; granted++) {
            struct vt_changes changes = {0};
            layout = starved_layout();
            first_change(&changes);
            struct vt_change before = changes.items[0];
            char *was = print_layout(layout);
            struct vt_layout_sums sums = *vt_layout_sums(layout);

            refuse(granted);
            int rc = starved_edit(layout, which, &changes);
            size_t refused = nomem_never();
            assert_int_equal(rc, refused ? -ENOMEM : 0);
            if (refused) {
                failures++;
                char *now = print_layout(layout);
                assert_string_equal(now, was);
                free(now);
                assert_memory_equal(&sums, vt_layout_sums(layout), sizeof(sums));
                assert_int_equal(changes.count, 1);
                if (changes.items[0].end != before.end)
                    fail_msg("edit %d, allocation %zu refused: a change told before was altered",
                             which, granted);
                assert_int_equal(starved_edit(layout, which, &changes), 0);
            }
            char *now = print_layout(layout);
            assert_string_equal(now, result);
            free(now);
            free(was);
            vt_changes_deinit(&changes);
            vt_layout_destroy(layout);
            if (!refused)
                break;
        }
        assert_true(failures >= 2); /* the scratch space and the changes, at least */
        free(result);
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    out_of_memory(nomem_after);
}

/* A single failure is not covered up by the next allocation's success. */
static void test_out_of_memory_once(void **state)
{
    (void)state;
    out_of_memory(nomem_at);
}

/* A move may be half done, but what is there is in order, and nothing is told of it. */
static void test_out_of_memory_in_a_move(void **state)
{
    (void)state;
    size_t failures = 0;

    for (size_t granted = 0;; granted++) {
        struct vt_changes changes = {0};
        struct vt_layout *layout = starved_layout();
        nomem_at(granted);
        int rc = vt_layout_move(layout, 0x1000, 0x1000000, 300 * PAGE, granted % 2, &changes);
        bool refused = nomem_never();
        assert_int_equal(rc, refused ? -ENOMEM : 0);
        uint64_t bytes = 0, regions = 0;
        vt_addr at = 0;
        vt_layout_for_each(r, layout) {
            assert_true(r->start >= at && r->start < r->end);
            at = r->end;
            bytes += r->end - r->start;
            regions++;
        }
        assert_int_equal(vt_layout_sums(layout)->total_bytes, bytes);
        assert_int_equal(vt_layout_sums(layout)->total_regions, regions);
        assert_true(refused ? changes.count == 0 : changes.count > 0);
        vt_changes_deinit(&changes);
        vt_layout_destroy(layout);
        if (!refused)
            break;
        failures++;
    }
    assert_true(failures >= 3);
}

static void test_out_of_memory_in_a_copy(void **state)
{
    (void)state;
    struct vt_layout *from = starved_layout();
    char *wanted = print_layout(from);
    size_t failures = 0;

    for (;; failures++) {
        struct vt_layout *to = vt_layout_create(NULL, NULL);
        assert_non_null(to);
        nomem_after(failures);
        int rc = vt_layout_copy(to, from);
        bool refused = nomem_never();
        assert_int_equal(rc, refused ? -ENOMEM : 0);
        if (refused) {
            assert_layout(to, "");
            assert_int_equal(vt_layout_copy(to, from), 0);
        }
        char *text = print_layout(to);
        assert_string_equal(text, wanted);
        free(text);
        vt_layout_destroy(to);
        if (!refused)
            break;
    }
    assert_true(failures >= 2);
    nomem_after(0);
    struct vt_layout *none = vt_layout_create(NULL, NULL);
    nomem_never();
    assert_null(none);
    free(wanted);
    vt_layout_destroy(from);
}

#define edge_test(function) cmocka_unit_test_setup_teardown(function, edges_setup, edges_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_edits),
        cmocka_unit_test(test_random_edits_in_one_list),
        edge_test(test_empty),
        edge_test(test_joins_across_three),
        edge_test(test_cuts_in_two),
        edge_test(test_running_offset),
        edge_test(test_empty_edits),
        edge_test(test_empty_move),
        edge_test(test_replaces_the_same),
        edge_test(test_replaces_many),
        edge_test(test_top_of_the_address_space),
        edge_test(test_moves),
        edge_test(test_edits_are_told_apart),
        edge_test(test_flags_tell_nothing),
        cmocka_unit_test(test_odd_classifier),
        cmocka_unit_test(test_plain_kinds),
        edge_test(test_plain_heap),
        cmocka_unit_test(test_names),
        edge_test(test_same_cover),
        edge_test(test_agrees),
        edge_test(test_a_million_regions),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_out_of_memory_once),
        cmocka_unit_test(test_out_of_memory_in_a_move),
        cmocka_unit_test(test_out_of_memory_in_a_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
