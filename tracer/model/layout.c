/*
 * layout.c - hides the interval map: a treap of regions ordered by address,
 * with nodes from a pool.
 *
 * Every edit takes the same way (see edit()): collect the pieces that lie in
 * the range, compute the pieces that shall lie there, tell the difference,
 * then exchange them. Memory is reserved before the first node is touched, so
 * that a failure leaves the layout as it was; in the steady state nothing is
 * allocated.
 *
 * Invariants: regions ascend, do not overlap and are not empty; no two
 * neighbours could be joined (see joins()); the sums are those of the regions.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "model/maps.h"
#include <vastrace/layout.h>

struct node {
    struct vt_region region;
    struct node *left;
    struct node *right; /* in the pool: the next free node */
    uint32_t priority;  /* a heap: no child's is larger */
};

/* Nodes are allocated in blocks and never given back before the layout is. */
struct block {
    struct block *next;
    struct node nodes[];
};

struct vt_layout {
    struct node *root;
    struct node *pool;
    size_t pool_count;
    struct block *blocks;
    uint32_t random;
    vt_classify_fn *classify;
    void *context;
    struct vt_layout_marks marks;
    struct vt_layout_sums sums;
    struct vt_regions old;   /* scratch of the edit under way */
    struct vt_regions fresh; /* likewise */
    size_t told;             /* changes of earlier edits: never touched by this one */
};

/* How the difference between old and new pieces is told. */
enum difference {
    REPLACED, /* all that was there is gone, all that is there was made */
    ALTERED,  /* the same memory where backing and offset are the same */
};

void vt_changes_deinit(struct vt_changes *changes)
{
    free(changes->items);
    *changes = (struct vt_changes){0};
}

static uint8_t classify_plain(const struct vt_layout *layout, const struct vt_region *region,
                              vt_addr *end)
{
    uint8_t kind;
    if (!layout->classify)
        return vt_kind_plain(&layout->marks, region, end);
    *end = layout->classify(layout->context, region, &kind);
    return kind;
}

struct vt_layout *vt_layout_create(vt_classify_fn *classify, void *context)
{
    struct vt_layout *layout = calloc(1, sizeof(*layout));
    if (layout) {
        layout->random = 2463534242u;
        layout->classify = classify;
        layout->context = context;
    }
    return layout;
}

void vt_layout_destroy(struct vt_layout *layout)
{
    if (!layout)
        return;
    while (layout->blocks) {
        struct block *next = layout->blocks->next;
        free(layout->blocks);
        layout->blocks = next;
    }
    vt_regions_deinit(&layout->old);
    vt_regions_deinit(&layout->fresh);
    free(layout);
}

void vt_layout_set_marks(struct vt_layout *layout, const struct vt_layout_marks *marks)
{
    layout->marks = *marks;
}

const struct vt_layout_marks *vt_layout_marks(const struct vt_layout *layout)
{
    return &layout->marks;
}

const struct vt_layout_sums *vt_layout_sums(const struct vt_layout *layout)
{
    return &layout->sums;
}

/* ---- regions ---------------------------------------------------------- */

static bool has_offset(const struct vt_region *r)
{
    return r->object && r->object->type == VT_OBJECT_FILE;
}

/* Same memory at the same place in its file, where both cover addr. */
static bool same_backing(const struct vt_region *a, const struct vt_region *b, vt_addr addr)
{
    return vt_object_same(a->object, b->object) && !((a->flags ^ b->flags) & VT_REGION_SHARED) &&
           (!has_offset(a) || a->offset + (addr - a->start) == b->offset + (addr - b->start));
}

bool vt_layout_same_cover(const struct vt_region *a, const struct vt_region *b)
{
    return a->end == b->start && a->prot == b->prot && same_backing(a, b, b->start);
}

/* True if b continues a in everything that is stored. */
static bool joins(const struct vt_region *a, const struct vt_region *b)
{
    return vt_layout_same_cover(a, b) && a->object == b->object && a->flags == b->flags &&
           a->kind == b->kind;
}

/* The part of *r within [start, end); the caller knows that they overlap. */
static struct vt_region clip(const struct vt_region *r, vt_addr start, vt_addr end)
{
    struct vt_region part = *r;
    if (part.start < start) {
        if (has_offset(r))
            part.offset += start - part.start;
        part.start = start;
    }
    if (part.end > end)
        part.end = end;
    return part;
}

/* ---- nodes ------------------------------------------------------------ */

/* Make sure that `need` nodes are in the pool. */
static int reserve_nodes(struct vt_layout *layout, size_t need)
{
    if (layout->pool_count >= need)
        return 0;
    size_t count = vt_max(need - layout->pool_count, 128);
    struct block *block = malloc(sizeof(*block) + count * sizeof(block->nodes[0]));
    if (!block)
        return -ENOMEM;
    block->next = layout->blocks;
    layout->blocks = block;
    for (size_t i = 0; i < count; i++) {
        block->nodes[i].right = layout->pool;
        layout->pool = &block->nodes[i];
    }
    layout->pool_count += count;
    return 0;
}

static void count_node(struct vt_layout *layout, const struct vt_region *r, bool in)
{
    struct vt_layout_sums *sums = &layout->sums;
    uint64_t bytes = in ? r->end - r->start : r->start - r->end; /* modulo 2^64 */
    uint64_t one = in ? 1 : UINT64_MAX;
    sums->bytes[r->kind] += bytes;
    sums->regions[r->kind] += one;
    sums->total_bytes += bytes;
    sums->total_regions += one;
}

static struct node *take_node(struct vt_layout *layout, const struct vt_region *r)
{
    struct node *node = layout->pool;
    layout->pool = node->right;
    layout->pool_count--;
    layout->random ^= layout->random << 13; /* xorshift32: balance must not depend on the input */
    layout->random ^= layout->random >> 17;
    layout->random ^= layout->random << 5;
    *node = (struct node){.region = *r, .priority = layout->random};
    count_node(layout, r, true);
    return node;
}

static void give_back(struct vt_layout *layout, struct node *node)
{
    count_node(layout, &node->region, false);
    node->right = layout->pool;
    layout->pool = node;
    layout->pool_count++;
}

static void give_back_tree(struct vt_layout *layout, struct node *tree)
{
    while (tree) {
        struct node *right = tree->right;
        give_back_tree(layout, tree->left);
        give_back(layout, tree);
        tree = right;
    }
}

/* Regions that start below addr go to *below, the others to *rest. */
static void split(struct node *tree, vt_addr addr, struct node **below, struct node **rest)
{
    while (tree) {
        if (tree->region.start < addr) {
            *below = tree;
            below = &tree->right;
            tree = tree->right;
        } else {
            *rest = tree;
            rest = &tree->left;
            tree = tree->left;
        }
    }
    *below = *rest = NULL;
}

/* All of a lies below all of b. */
static struct node *merge(struct node *a, struct node *b)
{
    struct node *root = NULL;
    struct node **at = &root;
    while (a && b) {
        if (a->priority > b->priority) {
            *at = a;
            at = &a->right;
            a = a->right;
        } else {
            *at = b;
            at = &b->left;
            b = b->left;
        }
    }
    *at = a ? a : b;
    return root;
}

static struct node *node_below(const struct vt_layout *layout, vt_addr addr)
{
    struct node *found = NULL;
    for (struct node *node = layout->root; node;) {
        if (node->region.start < addr) {
            found = node;
            node = node->right;
        } else {
            node = node->left;
        }
    }
    return found;
}

/* Make addr a boundary: no region lies across it afterwards. Takes one node at most. */
static void cut(struct vt_layout *layout, vt_addr addr)
{
    struct node *node = node_below(layout, addr);
    if (!node || node->region.end <= addr)
        return;
    struct vt_region tail = clip(&node->region, addr, node->region.end);
    count_node(layout, &node->region, false);
    node->region.end = addr;
    count_node(layout, &node->region, true);
    struct node *below, *rest;
    split(layout->root, addr, &below, &rest);
    layout->root = merge(merge(below, take_node(layout, &tail)), rest);
}

/* Neighbours on both sides that the outermost pieces continue leave the tree and join them. */
static void absorb_neighbours(struct vt_layout *layout, struct node **below, struct node **above,
                              struct vt_region *pieces, size_t count)
{
    struct node **at = below;
    while (*at && (*at)->right)
        at = &(*at)->right;
    if (*at && joins(&(*at)->region, &pieces[0])) {
        struct node *node = *at;
        *at = node->left;
        pieces[0].offset = node->region.offset;
        pieces[0].start = node->region.start;
        give_back(layout, node);
    }
    at = above;
    while (*at && (*at)->left)
        at = &(*at)->left;
    if (*at && joins(&pieces[count - 1], &(*at)->region)) {
        struct node *node = *at;
        *at = node->right;
        pieces[count - 1].end = node->region.end;
        give_back(layout, node);
    }
}

/* Exchange what lies in [start, end) for the pieces; the nodes were reserved. */
static void exchange(struct vt_layout *layout, vt_addr start, vt_addr end, struct vt_region *pieces,
                     size_t count)
{
    struct node *below, *middle, *above;
    cut(layout, start);
    cut(layout, end);
    split(layout->root, start, &below, &above);
    split(above, end, &middle, &above);
    give_back_tree(layout, middle);
    if (count)
        absorb_neighbours(layout, &below, &above, pieces, count);
    for (size_t i = 0; i < count; i++)
        below = merge(below, take_node(layout, &pieces[i]));
    layout->root = merge(below, above);
}

/* ---- differences ------------------------------------------------------- */

static bool continues(const struct vt_change *last, const struct vt_change *next)
{
    if (last->op != next->op || last->end != next->start ||
        last->source_stays != next->source_stays)
        return false;
    bool before = next->op != VT_CHANGE_MADE, after = next->op != VT_CHANGE_GONE;
    return (!before || joins(&last->before, &next->before)) &&
           (!after || joins(&last->after, &next->after));
}

static int add_change(const struct vt_layout *layout, struct vt_changes *changes,
                      const struct vt_change *change)
{
    struct vt_change *last = changes->count > layout->told ? &changes->items[changes->count - 1]
                                                           : NULL;
    if (last && continues(last, change)) {
        last->end = change->end;
        last->before.end = change->before.end;
        last->after.end = change->after.end;
        return 0;
    }
    int rc = vt_reserve((void **)&changes->items, &changes->capacity, changes->count + 1,
                        sizeof(*change));
    if (!rc)
        changes->items[changes->count++] = *change;
    return rc;
}

static int add_gone(const struct vt_layout *layout, struct vt_changes *changes,
                    const struct vt_region *r)
{
    return add_change(
        layout, changes,
        &(struct vt_change){.op = VT_CHANGE_GONE, .start = r->start, .end = r->end, .before = *r});
}

static int add_made(const struct vt_layout *layout, struct vt_changes *changes,
                    const struct vt_region *r)
{
    return add_change(
        layout, changes,
        &(struct vt_change){.op = VT_CHANGE_MADE, .start = r->start, .end = r->end, .after = *r});
}

static int tell_replaced(const struct vt_layout *layout, struct vt_changes *changes)
{
    const struct vt_regions *old = &layout->old, *fresh = &layout->fresh;
    int rc = 0;
    for (size_t i = 0; i < old->count && !rc; i++)
        rc = add_gone(layout, changes, &old->items[i]);
    for (size_t i = 0; i < fresh->count && !rc; i++)
        rc = add_made(layout, changes, &fresh->items[i]);
    return rc;
}

/* One stretch in which both sides are the same all along; either may be null. */
static int tell_stretch(const struct vt_layout *layout, struct vt_changes *changes, vt_addr start,
                        vt_addr end, const struct vt_region *old, const struct vt_region *fresh)
{
    struct vt_region before = old ? clip(old, start, end) : (struct vt_region){0};
    struct vt_region after = fresh ? clip(fresh, start, end) : (struct vt_region){0};
    if (old && fresh && same_backing(&before, &after, start)) {
        if (before.prot == after.prot && before.kind == after.kind)
            return 0; /* flags and a file's name alone are nothing to tell */
        return add_change(layout, changes,
                          &(struct vt_change){.op = VT_CHANGE_ALTERED,
                                              .start = start,
                                              .end = end,
                                              .before = before,
                                              .after = after});
    }
    int rc = old ? add_gone(layout, changes, &before) : 0;
    return rc || !fresh ? rc : add_made(layout, changes, &after);
}

static int tell_altered(const struct vt_layout *layout, struct vt_changes *changes, vt_addr start,
                        vt_addr end)
{
    const struct vt_regions *old = &layout->old, *fresh = &layout->fresh;
    size_t i = 0, j = 0;
    int rc = 0;
    for (vt_addr at = start; at < end && !rc;) {
        while (i < old->count && old->items[i].end <= at)
            i++;
        while (j < fresh->count && fresh->items[j].end <= at)
            j++;
        const struct vt_region *o = i < old->count ? &old->items[i] : NULL;
        const struct vt_region *f = j < fresh->count ? &fresh->items[j] : NULL;
        vt_addr next = end;
        if (o)
            next = vt_min(next, o->start > at ? o->start : o->end);
        if (f)
            next = vt_min(next, f->start > at ? f->start : f->end);
        rc = tell_stretch(layout, changes, at, next, o && o->start <= at ? o : NULL,
                          f && f->start <= at ? f : NULL);
        at = next;
    }
    return rc;
}

/* ---- edits ------------------------------------------------------------- */

static int collect(const struct vt_layout *layout, vt_addr start, vt_addr end,
                   struct vt_regions *out)
{
    out->count = 0;
    const struct vt_region *r = vt_layout_at_or_above(layout, start);
    for (; r && r->start < end; r = vt_layout_at_or_above(layout, r->end)) {
        struct vt_region part = clip(r, start, end);
        int rc = vt_regions_add(out, &part);
        if (rc)
            return rc;
    }
    return 0;
}

/* Append a piece to the list, joined to the last one if it can be. */
static int add_joined(struct vt_regions *list, const struct vt_region *r)
{
    struct vt_region *last = list->count ? &list->items[list->count - 1] : NULL;
    if (last && joins(last, r)) {
        last->end = r->end;
        return 0;
    }
    return vt_regions_add(list, r);
}

/* Append a piece to `fresh`, divided by kind. */
static int add_fresh(struct vt_layout *layout, const struct vt_region *region)
{
    struct vt_region rest = *region;
    int rc = 0;
    while (rest.start < rest.end && !rc) {
        vt_addr end = rest.end;
        rest.kind = classify_plain(layout, &rest, &end);
        if (end <= rest.start || end > rest.end)
            end = rest.end;
        struct vt_region part = clip(&rest, rest.start, end);
        rc = add_joined(&layout->fresh, &part);
        if (end < rest.end)
            rest = clip(&rest, end, rest.end);
        else
            rest.start = rest.end;
    }
    return rc;
}

/* Exchange [start, end), whose pieces are in `old`, for those in `fresh`, and tell it. */
static int edit(struct vt_layout *layout, vt_addr start, vt_addr end, enum difference difference,
                struct vt_changes *changes)
{
    layout->told = changes ? changes->count : 0;
    int rc = reserve_nodes(layout, layout->fresh.count + 4);
    if (!rc && changes)
        rc = difference == REPLACED ? tell_replaced(layout, changes)
                                    : tell_altered(layout, changes, start, end);
    if (rc) {
        if (changes)
            changes->count = layout->told;
        return rc;
    }
    exchange(layout, start, end, layout->fresh.items, layout->fresh.count);
    return 0;
}

/* Start an edit: the pieces of the range are in `old`, `fresh` is empty. */
static int begin(struct vt_layout *layout, vt_addr start, vt_addr end)
{
    layout->fresh.count = 0;
    return collect(layout, start, end, &layout->old);
}

int vt_layout_map(struct vt_layout *layout, const struct vt_region *region,
                  struct vt_changes *changes)
{
    if (region->start >= region->end)
        return 0;
    int rc = begin(layout, region->start, region->end);
    if (!rc)
        rc = add_fresh(layout, region);
    return rc ? rc : edit(layout, region->start, region->end, REPLACED, changes);
}

int vt_layout_unmap(struct vt_layout *layout, vt_addr start, vt_addr end,
                    struct vt_changes *changes)
{
    if (start >= end)
        return 0;
    int rc = begin(layout, start, end);
    if (rc || !layout->old.count)
        return rc;
    return edit(layout, start, end, REPLACED, changes);
}

/* Alter each piece of a range: set permissions (prot >= 0), set and clear flags. */
static int alter(struct vt_layout *layout, vt_addr start, vt_addr end, int prot, uint8_t set,
                 uint8_t clear, struct vt_changes *changes)
{
    if (start >= end)
        return 0;
    int rc = begin(layout, start, end);
    for (size_t i = 0; i < layout->old.count && !rc; i++) {
        struct vt_region piece = layout->old.items[i];
        if (prot >= 0)
            piece.prot = (uint8_t)prot;
        piece.flags = (uint8_t)((piece.flags | set) & ~clear);
        rc = add_fresh(layout, &piece);
    }
    return rc ? rc : edit(layout, start, end, ALTERED, changes);
}

int vt_layout_protect(struct vt_layout *layout, vt_addr start, vt_addr end, uint8_t prot,
                      struct vt_changes *changes)
{
    return alter(layout, start, end, prot, 0, 0, changes);
}

int vt_layout_flag(struct vt_layout *layout, vt_addr start, vt_addr end, uint8_t set, uint8_t clear,
                   struct vt_changes *changes)
{
    return alter(layout, start, end, -1, set, clear, changes);
}

int vt_layout_reclassify(struct vt_layout *layout, vt_addr start, vt_addr end,
                         struct vt_changes *changes)
{
    return alter(layout, start, end, -1, 0, 0, changes);
}

/* Move one piece; its changes are already reserved for by the caller's rollback. */
static int move_piece(struct vt_layout *layout, const struct vt_region *piece, vt_addr to,
                      bool keep_source, struct vt_changes *changes)
{
    struct vt_region target = *piece;
    target.start = to;
    target.end = to + (piece->end - piece->start);
    int rc = begin(layout, target.start, target.end);
    if (!rc)
        rc = add_fresh(layout, &target);
    for (size_t i = 0; i < layout->old.count && !rc && changes; i++)
        rc = add_gone(layout, changes, &layout->old.items[i]);
    for (size_t i = 0; i < layout->fresh.count && !rc && changes; i++) {
        struct vt_region after = layout->fresh.items[i];
        struct vt_region before =
            clip(piece, piece->start + (after.start - to), piece->start + (after.end - to));
        rc = add_change(layout, changes,
                        &(struct vt_change){.op = VT_CHANGE_MOVED,
                                            .source_stays = keep_source,
                                            .start = after.start,
                                            .end = after.end,
                                            .before = before,
                                            .after = after});
    }
    if (!rc)
        rc = reserve_nodes(layout, layout->fresh.count + 8);
    if (rc)
        return rc;
    exchange(layout, target.start, target.end, layout->fresh.items, layout->fresh.count);
    if (!keep_source)
        exchange(layout, piece->start, piece->end, NULL, 0);
    return 0;
}

int vt_layout_move(struct vt_layout *layout, vt_addr from, vt_addr to, uint64_t length,
                   bool keep_source, struct vt_changes *changes)
{
    struct vt_regions source = {0};
    layout->told = changes ? changes->count : 0;
    if (!length)
        return 0;
    int rc = collect(layout, from, from + length, &source);
    for (size_t i = 0; i < source.count && !rc; i++)
        rc = move_piece(layout, &source.items[i], to + (source.items[i].start - from), keep_source,
                        changes);
    if (rc && changes)
        changes->count = layout->told;
    vt_regions_deinit(&source);
    return rc;
}

/* Append what the kernel says of a range, with the flags that only we know. */
static int add_told(struct vt_layout *layout, const struct vt_region *told, size_t *hint)
{
    const struct vt_regions *old = &layout->old;
    int rc = 0;
    for (vt_addr at = told->start; at < told->end && !rc;) {
        while (*hint < old->count && old->items[*hint].end <= at)
            ++*hint;
        const struct vt_region *o = *hint < old->count ? &old->items[*hint] : NULL;
        vt_addr next = told->end;
        if (o)
            next = vt_min(next, o->start > at ? o->start : o->end);
        struct vt_region part = clip(told, at, next);
        if (o && o->start <= at && vt_object_same(o->object, part.object))
            part.flags |= o->flags & VT_REGION_HIDDEN;
        rc = add_fresh(layout, &part);
        at = next;
    }
    return rc;
}

int vt_layout_assign(struct vt_layout *layout, vt_addr start, vt_addr end,
                     const struct vt_region *regions, size_t count, struct vt_changes *changes)
{
    if (start >= end)
        return 0;
    size_t hint = 0;
    int rc = begin(layout, start, end);
    for (size_t i = 0; i < count && !rc; i++) {
        if (regions[i].end <= start || regions[i].start >= end)
            continue;
        struct vt_region part = clip(&regions[i], start, end);
        rc = add_told(layout, &part, &hint);
    }
    return rc ? rc : edit(layout, start, end, ALTERED, changes);
}

int vt_layout_copy(struct vt_layout *to, const struct vt_layout *from)
{
    int rc = collect(from, 0, UINT64_MAX, &to->fresh);
    if (!rc)
        rc = reserve_nodes(to, to->fresh.count + 4);
    if (rc)
        return rc;
    to->marks = from->marks;
    exchange(to, 0, UINT64_MAX, to->fresh.items, to->fresh.count);
    return 0;
}

/* ---- questions ---------------------------------------------------------- */

const struct vt_region *vt_layout_at_or_above(const struct vt_layout *layout, vt_addr addr)
{
    const struct vt_region *found = NULL;
    for (const struct node *node = layout->root; node;) {
        if (node->region.end > addr) {
            found = &node->region;
            node = node->left;
        } else {
            node = node->right;
        }
    }
    return found;
}

const struct vt_region *vt_layout_find(const struct vt_layout *layout, vt_addr addr)
{
    const struct vt_region *r = vt_layout_at_or_above(layout, addr);
    return r && r->start <= addr ? r : NULL;
}

const struct vt_region *vt_layout_below(const struct vt_layout *layout, vt_addr addr)
{
    const struct node *node = node_below(layout, addr);
    return node ? &node->region : NULL;
}

/* The next region of coverage of ours: several stored ones that differ in kind only. */
static bool next_ours(const struct vt_layout *layout, vt_addr *at, struct vt_region *merged)
{
    const struct vt_region *r = vt_layout_at_or_above(layout, *at);
    if (!r)
        return false;
    *merged = *r;
    while ((r = vt_layout_at_or_above(layout, merged->end)) && vt_layout_same_cover(merged, r))
        merged->end = r->end;
    *at = merged->end;
    return true;
}

static bool next_theirs(const struct vt_region *regions, size_t count, size_t *i,
                        struct vt_region *merged)
{
    if (*i >= count)
        return false;
    *merged = regions[(*i)++];
    while (*i < count && vt_layout_same_cover(merged, &regions[*i]))
        merged->end = regions[(*i)++].end;
    return true;
}

bool vt_layout_agrees(const struct vt_layout *layout, const struct vt_region *regions, size_t count,
                      struct vt_region *ours, struct vt_region *kernels)
{
    vt_addr at = 0;
    size_t i = 0;
    for (;;) {
        *ours = *kernels = (struct vt_region){0};
        bool have_ours = next_ours(layout, &at, ours);
        bool have_theirs = next_theirs(regions, count, &i, kernels);
        if (!have_ours || !have_theirs)
            return !have_ours && !have_theirs;
        if (ours->start != kernels->start || ours->end != kernels->end ||
            ours->prot != kernels->prot || !same_backing(ours, kernels, ours->start))
            return false;
    }
}
