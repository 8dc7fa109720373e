/*
 * space.c - hides how the model of a space is kept equal to the kernel's map:
 * which questions are asked when, how ELF images are found in what is mapped,
 * and how they name regions.
 *
 * Invariants: images ascend and are those whose file is mapped at this moment
 * (until the next prune); growers are the low ends of all regions with
 * GROWSDOWN that have nothing of the like below them.
 */
#include "session/space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/base.h"
#include "engine/proc.h"

/* ---- images ------------------------------------------------------------------ */

/* The number of images that start at or below addr. */
static size_t images_up_to(const struct vt_space *space, vt_addr addr)
{
    size_t low = 0, high = space->image_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (space->images[middle].start <= addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct vt_placed *vt_space_image_at(const struct vt_space *space, vt_addr addr)
{
    /* Spans may overlap where one image was mapped over another's tail: the nearest start wins. */
    for (size_t i = images_up_to(space, addr); i-- > 0;)
        if (addr < space->images[i].end)
            return &space->images[i];
    return NULL;
}

static bool is_file(const struct vt_region *region)
{
    return region->object && region->object->type == VT_OBJECT_FILE;
}

static vt_addr classify(void *context, const struct vt_region *region, uint8_t *kind)
{
    const struct vt_space *space = context;
    vt_addr end = region->end;
    const struct vt_placed *image = NULL;
    bool plain = !region->object;

    if (!(region->flags & VT_REGION_SHARED) && (plain || is_file(region))) {
        image = vt_space_image_at(space, region->start);
        if (image && !plain && !vt_object_same(image->object, region->object))
            image = NULL;
        size_t next = images_up_to(space, region->start);
        if (next < space->image_count)
            end = vt_min(end, space->images[next].start);
    }
    if (image) {
        vt_addr stop;
        *kind = vt_elf_kind_at(image->elf, region->start - image->bias, !plain, region->offset,
                               region->prot, &stop);
        if (stop + image->bias > region->start)
            end = vt_min(end, stop + image->bias);
        return vt_min(end, image->end);
    }
    struct vt_region part = *region;
    part.end = end;
    *kind = vt_kind_plain(vt_layout_marks(space->layout), &part, &end);
    return end;
}

/* Is this mapping a part of an ELF image that a loader places? Then remember the image. */
static void consider(struct vt_space *space, pid_t tid, const struct vt_region *region)
{
    uint64_t bias;
    vt_addr end;
    /* What the kernel calls a file and is none (/dev/zero, memfd, SysV) is not worth opening. */
    if (!is_file(region) ||
        vt_kind_plain(vt_layout_marks(space->layout), region, &end) != VT_KIND_FILE ||
        (region->flags & VT_REGION_SHARED) ||
        !((region->prot & VT_PROT_EXEC) || region->offset == 0))
        return;
    const struct vt_elf *elf =
        vt_image_cache_get(space->world->images, tid, region, &space->world->unreadable);
    if (!elf || !vt_elf_is_load(elf, region->start, region->end - region->start, region->offset,
                                region->prot, &bias))
        return;
    struct vt_placed placed = {
        .start = elf->load_start + bias,
        .end = elf->load_end + bias,
        .bias = bias,
        .elf = elf,
        .object = region->object,
    };
    size_t at = images_up_to(space, placed.start);
    for (size_t i = at; i-- > 0 && space->images[i].start == placed.start;)
        if (space->images[i].elf == elf)
            return;
    if (placed.start >= placed.end)
        return;
    if (vt_reserve((void **)&space->images, &space->image_capacity, space->image_count + 1,
                   sizeof(placed))) {
        space->world->unreadable++;
        return;
    }
    memmove(&space->images[at + 1], &space->images[at], (space->image_count - at) * sizeof(placed));
    space->images[at] = placed;
    space->image_count++;
}

/* True if anything of the image's file is mapped in its span. */
static bool is_mapped(const struct vt_space *space, const struct vt_placed *image)
{
    const struct vt_region *r = vt_layout_at_or_above(space->layout, image->start);
    for (; r && r->start < image->end; r = vt_layout_at_or_above(space->layout, r->end))
        if (vt_object_same(r->object, image->object))
            return true;
    return false;
}

void vt_space_prune(struct vt_space *space, const struct vt_change *changes, size_t count)
{
    bool suspect = false;
    for (size_t i = 0; i < count && !suspect; i++)
        suspect = (changes[i].op == VT_CHANGE_GONE || changes[i].op == VT_CHANGE_MOVED) &&
                  changes[i].before.object;
    size_t kept = 0;
    for (size_t i = 0; i < space->image_count && suspect; i++)
        if (is_mapped(space, &space->images[i]))
            space->images[kept++] = space->images[i];
    if (suspect)
        space->image_count = kept;
}

void vt_space_details(const struct vt_space *space, const struct vt_change *changes, size_t count,
                      struct vt_detail *details)
{
    for (size_t i = 0; i < count; i++) {
        const struct vt_change *change = &changes[i];
        const struct vt_region *r = change->op == VT_CHANGE_GONE ? &change->before : &change->after;
        const struct vt_placed *image = vt_space_image_at(space, r->start);
        details[i] = (struct vt_detail){0};
        if (!image || (r->flags & VT_REGION_SHARED) || (r->object && !is_file(r)) ||
            (r->object && !vt_object_same(r->object, image->object)))
            continue;
        details[i].image = image->object;
        details[i].bias = image->bias;
        vt_elf_parts(image->elf, r->start - image->bias, r->end - image->bias, &details[i].parts,
                     &details[i].part_count);
    }
}

/* ---- what grows by itself ------------------------------------------------------ */

static int find_growers(struct vt_space *space)
{
    vt_addr below_end = 0;
    bool below_grows = false;
    space->grower_count = 0;
    vt_layout_for_each(r, space->layout) {
        bool grows = r->flags & VT_REGION_GROWSDOWN;
        if (grows && !(below_grows && below_end == r->start)) {
            int rc = vt_reserve((void **)&space->growers, &space->grower_capacity,
                                space->grower_count + 1, sizeof(vt_addr));
            if (rc)
                return rc;
            space->growers[space->grower_count++] = r->start;
        }
        below_grows = grows;
        below_end = r->end;
    }
    return 0;
}

/* Look for growers again if any change touched one. */
static int watch_growers(struct vt_space *space, const struct vt_changes *changes, size_t from)
{
    for (size_t i = from; changes && i < changes->count; i++)
        if ((changes->items[i].before.flags | changes->items[i].after.flags) & VT_REGION_GROWSDOWN)
            return find_growers(space);
    return 0;
}

/* A grower's region begins at `low` now, by the kernel's word. */
static int extend_down(struct vt_space *space, size_t i, vt_addr low, struct vt_changes *changes)
{
    const struct vt_region *r = vt_layout_find(space->layout, space->growers[i]);
    if (!r || low >= r->start)
        return 0;
    struct vt_region grown = *r;
    grown.start = low;
    grown.end = r->start;
    int rc = vt_layout_map(space->layout, &grown, changes);
    if (!rc)
        space->growers[i] = low;
    return rc;
}

int vt_space_grow(struct vt_space *space, pid_t tid, struct vt_changes *changes)
{
    space->kernel.standby = tid;
    for (size_t i = 0; i < space->grower_count; i++) {
        struct vt_told told;
        vt_addr low = space->growers[i];
        if (vt_layout_find(space->layout, low - 1)) /* no room: it cannot have grown */
            continue;
        int rc = vt_procmap_query(&space->kernel, space->world->objects, low - 1, false, &told);
        if (rc < 0)
            return rc == -ESRCH ? 1 : rc;
        if (!rc && told.vma.end > low) /* and nothing that was mapped close below it */
            rc = extend_down(space, i, told.vma.start, changes);
        if (rc < 0)
            return rc;
    }
    return 0;
}

bool vt_space_may_undo_growth(const struct vt_space *space, const struct vt_memop *op)
{
    vt_addr end = op->addr + op->length;
    switch (op->type) {
    case VT_MEMOP_BRK:
    case VT_MEMOP_ADVISE:
        return false;
    case VT_MEMOP_MAP: /* the kernel itself chooses no place close below a stack */
        if (!(op->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)))
            return false;
        break;
    case VT_MEMOP_UNMAP:
    case VT_MEMOP_PROTECT:
    case VT_MEMOP_RANGE:
        break;
    default:
        return true;
    }
    for (size_t i = 0; i < space->grower_count; i++) {
        vt_addr low = space->growers[i];
        const struct vt_region *below = vt_layout_below(space->layout, low);
        const struct vt_region *r = vt_layout_find(space->layout, low);
        if (end < op->addr || (op->addr < (r ? r->end : low) && end > (below ? below->end : 0)))
            return true;
    }
    return false;
}

/* As vt_space_grow(), from a map, or a part of one, that has been read already. */
static int grow_from_told(struct vt_space *space, struct vt_changes *changes)
{
    size_t at = 0;
    for (size_t i = 0; i < space->grower_count; i++) {
        vt_addr low = space->growers[i];
        if (vt_layout_find(space->layout, low - 1))
            continue;
        while (at < space->told.count && space->told.items[at].end <= low)
            at++;
        if (at < space->told.count && space->told.items[at].start < low) {
            int rc = extend_down(space, i, space->told.items[at].start, changes);
            if (rc)
                return rc;
        }
    }
    return 0;
}

/* ---- life ------------------------------------------------------------------------ */

struct vt_space *vt_space_create(struct vt_world *world, uint32_t id)
{
    struct vt_space *space = calloc(1, sizeof(*space));
    if (!space)
        return NULL;
    space->world = world;
    space->id = id;
    vt_procmap_init(&space->kernel);
    space->layout = vt_layout_create(classify, space);
    if (!space->layout) {
        vt_space_destroy(space);
        return NULL;
    }
    return space;
}

void vt_space_destroy(struct vt_space *space)
{
    if (!space)
        return;
    vt_layout_destroy(space->layout);
    vt_procmap_deinit(&space->kernel);
    vt_regions_deinit(&space->told);
    vt_regions_deinit(&space->rooms);
    free(space->images);
    free(space->growers);
    free(space);
}

/* What could not be read of a process that lives is a loss. */
static int read_marks(struct vt_space *space, pid_t tid, vt_addr *start_brk, vt_addr *start_stack)
{
    int rc = vt_proc_marks(tid, start_brk, start_stack);
    vt_world_note_unread(space->world, rc);
    return rc;
}

/* Make [start, end) what the kernel says it is. `flags`: of what is new there. */
static int assign(struct vt_space *space, pid_t tid, vt_addr start, vt_addr end, uint8_t flags,
                  struct vt_changes *changes, struct vt_error *err)
{
    struct vt_error why;
    space->kernel.standby = tid;
    int rc =
        vt_procmap_range(&space->kernel, space->world->objects, start, end, &space->told, &why);
    if (rc == -ESRCH)
        return 1;
    if (rc) {
        if (err)
            *err = why;
        return rc;
    }
    for (size_t i = 0; i < space->told.count; i++)
        consider(space, tid, &space->told.items[i]);
    size_t from = changes ? changes->count : 0;
    /* What a stack grew by since it was looked at last is a part of it, and grows on. */
    rc = grow_from_told(space, changes);
    if (rc)
        return vt_error_errno(err, -rc, "cannot store a memory map");
    for (size_t i = 0; i < space->told.count && flags; i++) {
        struct vt_region *r = &space->told.items[i];
        if (!vt_layout_find(space->layout, vt_max(r->start, start)))
            r->flags |= flags;
    }
    /* [vsyscall] is told only by the whole map, and cannot be changed: see procmap.h. */
    if (end < UINT64_MAX || start)
        end = vt_min(end, (vt_addr)1 << 63);
    rc = vt_layout_assign(space->layout, start, end, space->told.items, space->told.count, changes);
    if (!rc)
        rc = changes ? watch_growers(space, changes, from) : find_growers(space);
    return rc ? vt_error_errno(err, -rc, "cannot store a memory map") : 0;
}

/* The kernel's own stack for the main thread may grow: the region that holds start_stack. */
static int mark_stack(struct vt_space *space)
{
    vt_addr at = vt_layout_marks(space->layout)->stack_start;
    const struct vt_region *r = at ? vt_layout_find(space->layout, at) : NULL;
    if (!r || r->object || (r->flags & VT_REGION_SHARED))
        return 0;
    return vt_layout_flag(space->layout, r->start, r->end, VT_REGION_GROWSDOWN, 0, NULL);
}

static int open_error(pid_t tid, int error, struct vt_error *err)
{
    if (error == EACCES || error == EPERM)
        return vt_error_set(err, error,
                            "cannot see the memory map of process %d, which is left out: this user "
                            "may run its program but not read it (root may)",
                            (int)tid);
    return vt_error_errno(err, error, "cannot open the memory map of process %d", (int)tid);
}

/*
 * Which VMAs grow, by the kernel's word, with the flags for each: the main thread's stack, with what
 * was cut off from it (by an mprotect), and what else was mapped so (MAP_GROWSDOWN), which are stacks
 * as well, of something. None where the kernel does not tell.
 */
static int read_growing(struct vt_space *space, vt_addr stack_start, struct vt_regions *growing)
{
    int rc = vt_procmap_growing(&space->kernel, growing);
    size_t main = 0;
    if (rc == -ENOMEM)
        return rc;
    if (rc) {
        growing->count = 0;
        if (rc != -ENOENT) /* a kernel without smaps */
            vt_world_note_unread(space->world, rc);
    }
    for (size_t i = 0; i < growing->count; i++)
        growing->items[i].flags = VT_REGION_GROWSDOWN | VT_REGION_STACK;
    while (main < growing->count && growing->items[main].end <= stack_start)
        main++;
    if (main == growing->count || growing->items[main].start > stack_start)
        return 0;
    size_t first = main, last = main;
    while (first && growing->items[first - 1].end == growing->items[first].start)
        first--;
    while (last + 1 < growing->count && growing->items[last].end == growing->items[last + 1].start)
        last++;
    for (size_t i = first; i <= last; i++)
        growing->items[i].flags = VT_REGION_GROWSDOWN;
    return 0;
}

/* Mark what grows in what was told of a program that somebody else started. */
static int mark_growing(struct vt_space *space, vt_addr stack_start)
{
    struct vt_regions growing = {0};
    int rc = read_growing(space, stack_start, &growing);
    for (size_t i = 0, at = 0; i < space->told.count && !rc; i++) {
        struct vt_region *r = &space->told.items[i];
        while (at < growing.count && growing.items[at].end < r->end)
            at++;
        /* By its end, which stays: the start may have moved since. */
        if (at < growing.count && growing.items[at].end == r->end && !r->object)
            r->flags |= growing.items[at].flags;
    }
    vt_regions_deinit(&growing);
    return rc;
}

/* As mark_growing(), of what is in the layout already. */
static int correct_growing(struct vt_space *space)
{
    struct vt_regions growing = {0};
    int rc = read_growing(space, vt_layout_marks(space->layout)->stack_start, &growing);
    if (!rc && growing.count)
        rc = vt_layout_flag(space->layout, 0, UINT64_MAX, 0, VT_REGION_GROWSDOWN, NULL);
    for (size_t i = 0; i < growing.count && !rc; i++)
        rc = vt_layout_flag(space->layout, growing.items[i].start, growing.items[i].end,
                            growing.items[i].flags, 0, NULL);
    vt_regions_deinit(&growing);
    return rc ? rc : find_growers(space);
}

int vt_space_seed(struct vt_space *space, pid_t tid, bool fresh, struct vt_changes *changes,
                  struct vt_error *err)
{
    struct vt_layout_marks marks = {0};
    int rc = vt_procmap_open(&space->kernel, tid);
    if (rc)
        return rc == -ESRCH ? 1 : open_error(tid, -rc, err);
    read_marks(space, tid, &marks.heap_start, &marks.stack_start);
    marks.heap_end = marks.heap_start;
    space->from_start = fresh;
    space->break_known = fresh && marks.heap_start;
    struct vt_error why = {0};
    /* Files with large pages: the text does not tell, and objects are made with what is known first. */
    if (!fresh)
        vt_procmap_range(&space->kernel, space->world->objects, 0, (vt_addr)1 << 63, &space->told,
                         NULL);
    rc = vt_procmap_read(&space->kernel, space->world->objects, &space->told, &why);
    if (rc == -ESRCH)
        return 1;
    if (rc) {
        if (err)
            *err = why;
        return rc;
    }
    if (!fresh && marks.heap_start) {
        /* The break itself is not told; the heap's mapping is the best that is known of it. */
        for (size_t i = 0; i < space->told.count; i++) {
            const struct vt_region *r = &space->told.items[i];
            if (!r->object && r->start <= vt_round_up(marks.heap_start, space->world->page) &&
                r->end > marks.heap_start && !(r->flags & VT_REGION_SHARED))
                marks.heap_end = r->end;
        }
    }
    vt_layout_set_marks(space->layout, &marks);
    for (size_t i = 0; i < space->told.count; i++)
        consider(space, tid, &space->told.items[i]);
    /* Which region is the stack must be known before regions are given kinds. */
    rc = fresh ? 0 : mark_growing(space, marks.stack_start);
    for (size_t i = 0; i < space->told.count; i++) {
        struct vt_region *r = &space->told.items[i];
        if (marks.stack_start && r->start <= marks.stack_start && marks.stack_start < r->end &&
            !r->object && !(r->flags & VT_REGION_SHARED))
            r->flags |= VT_REGION_GROWSDOWN;
    }
    if (!rc)
        rc = vt_layout_assign(space->layout, 0, UINT64_MAX, space->told.items, space->told.count,
                              changes);
    if (!rc)
        rc = find_growers(space);
    return rc ? vt_error_errno(err, -rc, "cannot store the memory map of process %d", (int)tid) : 0;
}

/*
 * What makes a child's map of a copy of its parent's: has anything changed but that stacks have
 * grown? Then what maps does not show of the copy may be of another time than the child, too.
 */
static bool is_of_another_time(const struct vt_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct vt_change *change = &changes->items[i];
        if (change->op != VT_CHANGE_MADE || !(change->after.flags & VT_REGION_GROWSDOWN))
            return true;
    }
    return false;
}

int vt_space_fork(struct vt_space *child, const struct vt_space *parent, pid_t tid,
                  struct vt_error *err)
{
    vt_addr start_brk, start_stack;
    const struct vt_layout_marks *marks = vt_layout_marks(parent->layout);
    int rc = read_marks(child, tid, &start_brk, &start_stack);
    if (!rc && (start_brk != marks->heap_start || start_stack != marks->stack_start)) {
        rc = vt_space_seed(child, tid, false, NULL, err);
        return rc ? rc : 2;
    }
    rc = vt_layout_copy(child->layout, parent->layout);
    if (!rc)
        rc = vt_reserve((void **)&child->images, &child->image_capacity, parent->image_count + 1,
                        sizeof(*child->images));
    if (rc)
        return vt_error_errno(err, -rc, "cannot copy the memory map for process %d", (int)tid);
    if (parent->image_count)
        memcpy(child->images, parent->images, parent->image_count * sizeof(*child->images));
    child->image_count = parent->image_count;
    child->break_known = parent->break_known && !parent->crowd;
    child->from_start = parent->from_start;
    rc = vt_procmap_open(&child->kernel, tid);
    if (rc)
        return rc == -ESRCH ? 1 : open_error(tid, -rc, err);
    rc = find_growers(child);
    if (rc)
        return vt_error_errno(err, -rc, "cannot copy the memory map for process %d", (int)tid);
    /* What the child did not inherit (MADV_DONTFORK), and what its parent did since. */
    struct vt_changes changes = {0};
    rc = assign(child, tid, 0, UINT64_MAX, 0, &changes, err);
    if (!rc && is_of_another_time(&changes)) {
        child->break_known = false; /* the next brk tells */
        rc = correct_growing(child);
        if (rc)
            vt_error_errno(err, -rc, "cannot copy the memory map for process %d", (int)tid);
    }
    vt_changes_deinit(&changes);
    return rc;
}

int vt_space_resync(struct vt_space *space, pid_t tid, struct vt_changes *changes,
                    struct vt_error *err)
{
    vt_addr start_brk, start_stack;
    if (!read_marks(space, tid, &start_brk, &start_stack) && start_brk) {
        struct vt_layout_marks marks = *vt_layout_marks(space->layout);
        if (marks.heap_start != start_brk || marks.stack_start != start_stack) {
            marks.heap_start = start_brk;
            marks.heap_end = vt_max(marks.heap_end, start_brk);
            marks.stack_start = start_stack;
            vt_layout_set_marks(space->layout, &marks);
        }
    }
    space->break_known = false; /* the next brk tells */
    int rc = assign(space, tid, 0, UINT64_MAX, 0, changes, err);
    return rc ? rc : mark_stack(space);
}

uint64_t vt_space_heap_bytes(const struct vt_space *space)
{
    const struct vt_layout_marks *marks = vt_layout_marks(space->layout);
    uint64_t low = vt_round_up(marks->heap_start, space->world->page);
    uint64_t high = vt_round_up(marks->heap_end, space->world->page);
    return high > low ? high - low : 0;
}

/* ---- arenas -------------------------------------------------------------------- */

/*
 * Inferred: glibc's malloc reserves HEAP_MAX_SIZE bytes, aligned to their size, for each further
 * heap of an arena and then makes it usable from its beginning on, by mprotect (malloc/arena.c).
 */
static void notice_arena(struct vt_space *space, const struct vt_memop *op,
                         const struct vt_outcome *outcome)
{
    const struct vt_region *r = vt_layout_find(space->layout, op->addr);
    bool is_32_bit = space->image_count && space->images[0].elf->class_bits == 32;
    uint64_t size = is_32_bit ? VT_ARENA_HEAP_32 : VT_ARENA_HEAP;

    if (op->type != VT_MEMOP_PROTECT || outcome->failed || op->addr % size || !r || r->object ||
        (op->prot & (VT_PROT_READ | VT_PROT_WRITE)) != (VT_PROT_READ | VT_PROT_WRITE) ||
        r->prot != VT_PROT_NONE || (r->flags & (VT_REGION_SHARED | VT_REGION_HIDDEN)) ||
        r->start > op->addr || r->end < op->addr + size || op->length >= size)
        return;
    if (vt_layout_flag(space->layout, op->addr, op->addr + size, VT_REGION_ARENA, 0, NULL))
        space->world->unreadable++;
}

/* ---- calls ------------------------------------------------------------------------- */

/*
 * Where other threads run, a stack can have grown after it was asked about and before the call was
 * done. Of such growth the call may have cut off a part, which then is not the stack's any more,
 * and grows by itself. So the rooms below stacks that a call may reach are noted before, with the
 * flags of what grows into them, and looked into after it.
 */
static int note_rooms(struct vt_space *space, const struct vt_memop *op)
{
    int rc = 0;
    space->rooms.count = 0;
    if (!space->crowd || !vt_space_may_undo_growth(space, op))
        return 0;
    for (size_t i = 0; i < space->grower_count && !rc; i++) {
        vt_addr low = space->growers[i];
        const struct vt_region *below = vt_layout_below(space->layout, low);
        const struct vt_region *r = vt_layout_find(space->layout, low);
        struct vt_region room = {.start = below ? below->end : 0, .end = low};
        if (!r || room.start == room.end)
            continue;
        room.flags = r->flags;
        rc = vt_regions_add(&space->rooms, &room);
    }
    return rc;
}

static int look_into_rooms(struct vt_space *space, pid_t tid, struct vt_changes *changes,
                           struct vt_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < space->rooms.count && !rc; i++) {
        const struct vt_region *room = &space->rooms.items[i];
        rc = assign(space, tid, room->start, room->end, room->flags, changes, err);
    }
    return rc;
}

int vt_space_apply(struct vt_space *space, pid_t tid, const struct vt_memop *op,
                   struct vt_outcome *outcome, struct vt_changes *changes, struct vt_error *err)
{
    struct vt_doubt doubts[2];
    struct vt_told told;
    vt_addr addr;
    size_t from = changes->count;
    int rc;

    space->kernel.standby = tid;
    outcome->page = space->world->page;
    outcome->break_known = space->break_known;
    outcome->told = NULL;
    if (vt_memop_asks_first(op, outcome, &addr)) {
        rc = vt_procmap_query(&space->kernel, space->world->objects, addr, false, &told);
        if (rc == -ESRCH)
            return 1;
        if (rc < 0)
            return vt_error_errno(err, -rc, "cannot ask the kernel about a memory map");
        if (rc == 0) {
            outcome->told = &told;
            struct vt_region mapped = told.vma;
            mapped.start = addr;
            if (is_file(&mapped))
                mapped.offset += addr - told.vma.start;
            mapped.end = vt_min(
                mapped.end, addr + vt_round_up(op->length, vt_max(outcome->page, told.page_size)));
            if (op->type == VT_MEMOP_MAP)
                consider(space, tid, &mapped);
        }
    }
    notice_arena(space, op, outcome);
    rc = note_rooms(space, op);
    if (rc)
        return vt_error_errno(err, -rc, "cannot store a change of the memory map");
    rc = vt_memop_apply(space->layout, op, outcome, changes, doubts);
    outcome->told = NULL; /* it is not the caller's */
    if (rc)
        return vt_error_errno(err, -rc, "cannot store a change of the memory map");
    if (op->type == VT_MEMOP_BRK && !outcome->failed)
        space->break_known = vt_layout_marks(space->layout)->heap_start != 0;
    rc = watch_growers(space, changes, from);
    for (size_t i = 0; i < VT_COUNTOF(doubts) && !rc; i++) {
        if (op->type == VT_MEMOP_ANYWHERE && !i)
            rc = vt_space_resync(space, tid, changes, err);
        else if (doubts[i].start < doubts[i].end)
            rc = assign(space, tid, doubts[i].start, doubts[i].end, 0, changes, err);
    }
    return rc ? rc : look_into_rooms(space, tid, changes, err);
}

/*
 * What the kernel has put there by itself, and no call asked for: the page in which instructions run
 * that somebody probes (uprobes) comes when the first probe is hit, or a child of such a process runs.
 * Only the whole map tells, so it is found where that is read.
 */
static int find_probes(struct vt_space *space, struct vt_changes *changes)
{
    int rc = 0;
    for (size_t i = 0; i < space->told.count && !rc; i++) {
        const struct vt_region *r = &space->told.items[i];
        if (r->object && r->object->type == VT_OBJECT_SPECIAL &&
            !strncmp(r->object->name, "[uprobes", 8) && !vt_layout_find(space->layout, r->start))
            rc = vt_layout_map(space->layout, r, changes);
    }
    return rc;
}

int vt_space_verify(struct vt_space *space, pid_t tid, struct vt_changes *changes,
                    struct vt_region *ours, struct vt_region *kernels, struct vt_error *err)
{
    struct vt_error why;
    space->kernel.standby = tid;
    int rc = vt_procmap_read(&space->kernel, space->world->objects, &space->told, &why);
    if (rc == -ESRCH)
        return 2;
    if (rc) {
        if (err)
            *err = why;
        return rc;
    }
    rc = grow_from_told(space, changes);
    if (!rc)
        rc = find_probes(space, changes);
    if (rc)
        return vt_error_errno(err, -rc, "cannot store a change of the memory map");
    return !vt_layout_agrees(space->layout, space->told.items, space->told.count, ours, kernels);
}

int vt_space_note_stack(struct vt_space *space, vt_addr sp, struct vt_changes *changes)
{
    const struct vt_region *r = sp ? vt_layout_find(space->layout, sp - 1) : NULL;
    if (!r || r->kind != VT_KIND_ANON || !(r->prot & VT_PROT_WRITE))
        return 0;
    const struct vt_region *below = vt_layout_below(space->layout, r->start);
    bool guarded = below && below->end == r->start && below->prot == VT_PROT_NONE &&
                   !below->object && below->end - below->start <= 1024 * 1024;
    /* Without a guard only a stack pointer at the very top says that the region is one stack. */
    if (!guarded && r->end - sp > 64 * 1024)
        return 0;
    vt_addr start = guarded ? below->start : r->start;
    return vt_layout_flag(space->layout, start, r->end, VT_REGION_STACK, 0, changes);
}
