/*
 * memop.c - the kernel's rules for each call that changes a map.
 *
 * Each rule either brings the layout to exactly what the kernel made of it, or
 * says which range is in doubt; nothing is guessed. A failed call may have
 * changed a part of its range before it failed (mprotect, mremap, ...), so its
 * range is in doubt, too. Sources: mm/mmap.c, mm/vma.c, mm/mprotect.c,
 * mm/mremap.c, ipc/shm.c of Linux 6.x, and the manual pages of the calls.
 */
#include "model/memop.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/base.h"

#ifndef MAP_GROWSDOWN
#define MAP_GROWSDOWN 0x100
#endif
#define PROT_GROWS_DOWN  0x01000000u /* PROT_GROWSDOWN, mprotect(2) */
#define REMAP_DONT_UNMAP 4u          /* MREMAP_DONTUNMAP, Linux 5.7 */
#define LARGEST_PAGE     (UINT64_C(1) << 30)

/* What every rule works on. */
struct work {
    struct vt_layout *layout;
    const struct vt_memop *op;
    const struct vt_outcome *outcome;
    struct vt_changes *changes;
    struct vt_doubt *doubts;
};

static void doubt(struct work *w, int which, vt_addr start, uint64_t length)
{
    vt_addr low = vt_round_down(start, w->outcome->page);
    vt_addr high = length > UINT64_MAX - start ? UINT64_MAX : start + length;
    w->doubts[which] = (struct vt_doubt){low, vt_round_up(high, w->outcome->page)};
}

static void doubt_all(struct work *w)
{
    w->doubts[0] = (struct vt_doubt){0, UINT64_MAX};
    w->doubts[1] = (struct vt_doubt){0, 0};
}

static uint8_t effective_prot(const struct work *w, uint32_t prot)
{
    uint8_t bits = prot & (VT_PROT_READ | VT_PROT_WRITE | VT_PROT_EXEC);
    if (w->outcome->read_implies_exec && (bits & VT_PROT_READ))
        bits |= VT_PROT_EXEC;
    return bits;
}

/* Anonymous private memory of base pages: all that the kernel would say is known. */
static bool is_plain_map(const struct vt_memop *op)
{
    return (op->flags & MAP_ANONYMOUS) && !(op->flags & MAP_HUGETLB) &&
           (op->flags & MAP_TYPE) == MAP_PRIVATE;
}

static int rule_map(struct work *w)
{
    const struct vt_memop *op = w->op;
    uint64_t page = w->outcome->page;
    if (w->outcome->failed) {
        /*
         * MAP_FIXED may have removed what lay there before the driver refused, in pages of the file's
         * own: it may be hugetlb's, whatever the flags say.
         */
        if ((op->flags & MAP_FIXED) && is_plain_map(op))
            doubt(w, 0, op->addr, op->length);
        else if (op->flags & MAP_FIXED)
            doubt(w, 0, op->addr, vt_max(op->length, vt_round_up(op->length, LARGEST_PAGE)));
        return 0;
    }
    struct vt_region region = {
        .start = w->outcome->result,
        .prot = effective_prot(w, op->prot),
    };
    if (!is_plain_map(op)) {
        const struct vt_told *told = w->outcome->told;
        if (!told) {
            doubt_all(w);
            return 0;
        }
        /* The VMA may be joined with its neighbours; only its attributes are taken from it. */
        page = vt_max(page, told->page_size);
        region.prot = told->vma.prot;
        region.flags = told->vma.flags & VT_REGION_SHARED;
        region.object = told->vma.object;
        region.offset = told->vma.offset;
        if (region.object && region.object->type == VT_OBJECT_FILE)
            region.offset += region.start - told->vma.start;
    }
    region.end = region.start + vt_round_up(op->length, page);
    if (region.object && !w->outcome->told->page_size) /* huge pages cannot be ruled out */
        doubt(w, 0, region.start, w->outcome->told->vma.end - region.start);
    if (op->flags & MAP_GROWSDOWN)
        region.flags |= VT_REGION_GROWSDOWN | VT_REGION_STACK;
    if (op->flags & MAP_STACK)
        region.flags |= VT_REGION_STACK;
    return vt_layout_map(w->layout, &region, w->changes);
}

static int rule_unmap(struct work *w)
{
    uint64_t length = vt_round_up(w->op->length, w->outcome->page);
    if (w->outcome->failed) {
        doubt(w, 0, w->op->addr, w->op->length);
        return 0;
    }
    return vt_layout_unmap(w->layout, w->op->addr, w->op->addr + length, w->changes);
}

static int rule_protect(struct work *w)
{
    const struct vt_memop *op = w->op;
    vt_addr end = op->addr + vt_round_up(op->length, w->outcome->page);
    if (op->prot & PROT_GROWS_DOWN) {
        /* From the start of the VMA, which coverage does not know, or not at all. */
        const struct vt_region *r = vt_layout_find(w->layout, op->addr);
        vt_addr start = op->addr;
        while (r && (r->flags & VT_REGION_GROWSDOWN)) {
            start = r->start;
            const struct vt_region *below = vt_layout_below(w->layout, r->start);
            r = below && below->end == r->start ? below : NULL;
        }
        doubt(w, 0, start, end > start ? end - start : 0);
        return 0;
    }
    if (w->outcome->failed) {
        doubt(w, 0, op->addr, op->length);
        return 0;
    }
    /* A file on a noexec mount is spared by READ_IMPLIES_EXEC; only the kernel knows which. */
    if (w->outcome->read_implies_exec && (op->prot & VT_PROT_READ))
        doubt(w, 0, op->addr, op->length);
    return vt_layout_protect(w->layout, op->addr, end, effective_prot(w, op->prot), w->changes);
}

/* The tail that a growing mremap adds behind the old contents, at `at`. */
static int extend(struct work *w, const struct vt_region *last, vt_addr at, uint64_t length)
{
    struct vt_region tail = *last;
    if (tail.object && tail.object->type == VT_OBJECT_FILE)
        tail.offset += last->end - last->start;
    tail.start = at;
    tail.end = at + length;
    return vt_layout_map(w->layout, &tail, w->changes);
}

static int rule_remap(struct work *w)
{
    const struct vt_memop *op = w->op;
    const struct vt_region *first = vt_layout_find(w->layout, op->addr);
    uint64_t page = w->outcome->page;
    if (first && first->object)
        page = vt_max(page, first->object->page_size); /* hugetlb counts in its own pages */
    uint64_t old_length = vt_round_up(op->length, page);
    uint64_t new_length = vt_round_up(op->new_length, page);
    vt_addr to = w->outcome->result;

    if (w->outcome->failed || !first) {
        doubt(w, 0, op->addr, old_length);
        if (!w->outcome->failed)
            doubt(w, 1, to, new_length);
        else if (op->flags & MREMAP_FIXED)
            doubt(w, 1, op->new_addr, new_length);
        return 0;
    }
    if (!op->length) { /* a second mapping of the same shared pages */
        struct vt_region copy = *first;
        if (copy.object && copy.object->type == VT_OBJECT_FILE)
            copy.offset += op->addr - first->start;
        copy.start = to;
        copy.end = to + new_length;
        return vt_layout_map(w->layout, &copy, w->changes);
    }
    uint64_t kept = vt_min(old_length, new_length);
    /* Over several regions the move may have ended early, or left holes (Linux 6.17). */
    bool several = first->end < op->addr + kept;
    /* Anonymous to the kernel, though its file shows: its offset goes with the address. */
    bool dev_zero = first->object && !(first->flags & VT_REGION_SHARED) &&
                    !strncmp(first->object->name, "/dev/zero", 9);
    struct vt_region last = *vt_layout_below(w->layout, op->addr + kept);
    if (last.end > op->addr + kept)
        last.end = op->addr + kept;
    int rc = 0;
    if (to == op->addr) {
        rc = vt_layout_unmap(w->layout, op->addr + kept, op->addr + old_length, w->changes);
        if (!rc && new_length > kept)
            rc = extend(w, &last, op->addr + kept, new_length - kept);
        return rc;
    }
    if (old_length > kept)
        rc = vt_layout_unmap(w->layout, op->addr + kept, op->addr + old_length, w->changes);
    if (!rc)
        rc =
            vt_layout_move(w->layout, op->addr, to, kept, op->flags & REMAP_DONT_UNMAP, w->changes);
    if (!rc && new_length > kept)
        rc = extend(w, &last, to + kept, new_length - kept);
    if (several || dev_zero)
        doubt(w, 0, to, new_length);
    return rc;
}

static int rule_brk(struct work *w)
{
    struct vt_layout_marks marks = *vt_layout_marks(w->layout);
    vt_addr brk = w->outcome->result;
    if (w->outcome->failed)
        return 0; /* never: a refusal returns the old break */
    if (!w->outcome->break_known || !marks.heap_start) {
        /* It may have come down from anywhere, and crossed holes. */
        marks.heap_end = brk;
        vt_layout_set_marks(w->layout, &marks);
        doubt_all(w);
        return 0;
    }
    vt_addr from = vt_round_up(marks.heap_end, w->outcome->page);
    vt_addr to = vt_round_up(brk, w->outcome->page);
    if (to < from) { /* told before the mark moves, so that what goes is still heap */
        int rc = vt_layout_unmap(w->layout, to, from, w->changes);
        marks.heap_end = brk;
        vt_layout_set_marks(w->layout, &marks);
        return rc;
    }
    marks.heap_end = brk;
    vt_layout_set_marks(w->layout, &marks);
    struct vt_region grown = {
        .start = from,
        .end = to,
        .prot = effective_prot(w, VT_PROT_READ | VT_PROT_WRITE),
    };
    return vt_layout_map(w->layout, &grown, w->changes);
}

static int rule_shm_attach(struct work *w)
{
    const struct vt_told *told = w->outcome->told;
    if (w->outcome->failed)
        return 0;
    if (!told || told->vma.start != w->outcome->result) {
        doubt_all(w);
        return 0;
    }
    /* A segment's VMAs never join (they have a close operation): this one is the attach. */
    return vt_layout_map(w->layout, &told->vma, w->changes);
}

/*
 * What still belongs to the attach at addr: the pieces of the segment of the
 * first region at or above addr whose offset fits an attach there (ksys_shmdt).
 * Which of them went is the kernel's to say: it compares attaches, which maps
 * does not show, and mremap can lay a piece of another one where it fits.
 */
static int rule_shm_detach(struct work *w)
{
    if (w->outcome->failed)
        return 0;
    const struct vt_object *segment = NULL;
    vt_addr addr = w->op->addr;
    const struct vt_region *r = vt_layout_at_or_above(w->layout, addr);
    int rc = 0;
    while (r && !rc) {
        vt_addr start = r->start, end = r->end;
        bool fits = r->object && (r->flags & VT_REGION_SHARED) &&
                    !strncmp(r->object->name, "/SYSV", 5) && start - addr == r->offset &&
                    (!segment || vt_object_same(segment, r->object));
        if (fits) {
            doubt(w, 0, addr, end - addr);
            segment = r->object;
            rc = vt_layout_unmap(w->layout, start, end, w->changes);
        }
        r = vt_layout_at_or_above(w->layout, end);
    }
    return rc;
}

static int rule_range(struct work *w)
{
    doubt(w, 0, w->op->addr, w->op->length);
    return 0;
}

static int rule_anywhere(struct work *w)
{
    doubt_all(w);
    return 0;
}

static int rule_none(struct work *w)
{
    (void)w;
    return 0;
}

static int (*const rules[])(struct work *) = {
    [VT_MEMOP_NONE] = rule_none,
    [VT_MEMOP_MAP] = rule_map,
    [VT_MEMOP_UNMAP] = rule_unmap,
    [VT_MEMOP_PROTECT] = rule_protect,
    [VT_MEMOP_REMAP] = rule_remap,
    [VT_MEMOP_BRK] = rule_brk,
    [VT_MEMOP_SHM_ATTACH] = rule_shm_attach,
    [VT_MEMOP_SHM_DETACH] = rule_shm_detach,
    [VT_MEMOP_RANGE] = rule_range,
    [VT_MEMOP_ADVISE] = rule_none,
    [VT_MEMOP_ANYWHERE] = rule_anywhere,
    [VT_MEMOP_PERSONALITY] = rule_none,
    [VT_MEMOP_SIGSTACK] = rule_none,
    [VT_MEMOP_EXEC] = rule_none, /* a failed one; a good one is a stop of its own */
    [VT_MEMOP_CLONE] = rule_none,
    [VT_MEMOP_LISTEN] = rule_none,
};

bool vt_memop_asks_first(const struct vt_memop *op, const struct vt_outcome *outcome, vt_addr *addr)
{
    *addr = outcome->result;
    if (outcome->failed)
        return false;
    return (op->type == VT_MEMOP_MAP && !is_plain_map(op)) || op->type == VT_MEMOP_SHM_ATTACH;
}

int vt_memop_apply(struct vt_layout *layout, const struct vt_memop *op,
                   const struct vt_outcome *outcome, struct vt_changes *changes,
                   struct vt_doubt doubts[2])
{
    struct work w = {layout, op, outcome, changes, doubts};
    doubts[0] = doubts[1] = (struct vt_doubt){0, 0};
    int rc = rules[op->type](&w);
    if (rc)
        doubt_all(&w);
    return rc;
}
