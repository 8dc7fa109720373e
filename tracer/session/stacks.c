/*
 * stacks.c - hides which unwinder serves which space, what is read of the
 * files with the code, and the tables that make equal stacks one.
 *
 * A frame is known by its file and the address in it, so that it is the same
 * in each process that runs this file: what is stored grows with the code that
 * was seen in stacks, not with events or processes.
 *
 * Stacks are taken by the thread that traces and named by the one that tells:
 * names, ids and the symbols of files are the latter's, all else is the former's, and
 * neither reads what the other writes.
 *
 * Invariants: a file is looked at once, also where that failed; its unwind
 * tables live as long as the session, so that unwinders may keep pointers to
 * them; frames and stacks never move.
 */
#include "session/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"
#include "image/symbols.h"
#include "image/unwind.h"

#define SPACE_BUCKETS  256
#define VDSO_BYTES_MAX (UINT64_C(1) << 20)
#define POOL_MAX       8 /* unwinders without a space that are kept for the next one */

/* A file with code. */
struct file {
    struct file *next;
    const struct vt_elf *elf;        /* as the image cache has it: what it is found by */
    struct vt_elf *own_elf;          /* of a vdso, which is in no cache; else null */
    struct vt_unwind_tables *tables; /* null: none */
    struct vt_symbols *symbols;      /* the teller's */
    int fd;                          /* of the very file that is mapped; -1: not to be had */
};

/* A space in which a stack was taken. */
struct place {
    struct place *next; /* in its bucket */
    uint32_t id;
    struct vt_unwinder *unwinder;
    struct file *vdso;
    bool vdso_read;
};

/* A frame and what is needed to name it. */
struct frame {
    struct vt_frame frame; /* first, so that a vt_frame is one */
    struct file *file;     /* null: in no image */
    uint64_t hash;
    bool named; /* the teller's */
};

struct stack {
    struct vt_stack stack; /* first */
    uint64_t hash;
    struct frame *frames[];
};

/* Open addressing, linear probing; the size is a power of two, at most half of it used. */
struct table {
    void **slots;
    size_t size;
    size_t used;
};

struct vt_stacks {
    unsigned depth;
    bool debug_files;
    struct file *files; /* the last found first */
    struct place *places[SPACE_BUCKETS];
    struct vt_unwinder *pool[POOL_MAX];
    size_t pool_count;
    struct table frames;
    struct table stacks;
    struct frame **scratch; /* VT_STACK_MAX */
    uint64_t frame_ids;     /* the teller's */
    uint64_t stack_ids;
};

/* ---- equal things once ------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static bool grow(struct table *table, uint64_t (*hash_of)(const void *))
{
    struct table larger = {.size = table->size ? table->size * 2 : 256, .used = table->used};

    if (2 * (table->used + 1) <= table->size)
        return true;
    larger.slots = calloc(larger.size, sizeof(*larger.slots));
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < table->size; i++) {
        if (!table->slots[i])
            continue;
        size_t at = hash_of(table->slots[i]) & (larger.size - 1);
        while (larger.slots[at])
            at = (at + 1) & (larger.size - 1);
        larger.slots[at] = table->slots[i];
    }
    free(table->slots);
    *table = larger;
    return true;
}

static uint64_t hash_of_frame(const void *frame)
{
    return ((const struct frame *)frame)->hash;
}

static uint64_t hash_of_stack(const void *stack)
{
    return ((const struct stack *)stack)->hash;
}

/* The one frame with this object, address and state; null when out of memory. */
static struct frame *intern_frame(struct vt_stacks *stacks, const struct vt_frame *like,
                                  struct file *file)
{
    uint64_t hash = mix(mix((uintptr_t)like->object, like->address), like->interrupted);

    if (!grow(&stacks->frames, hash_of_frame))
        return NULL;
    size_t at = hash & (stacks->frames.size - 1);
    for (struct frame *f; (f = stacks->frames.slots[at]); at = (at + 1) & (stacks->frames.size - 1))
        if (f->frame.object == like->object && f->frame.address == like->address &&
            f->frame.interrupted == like->interrupted)
            return f;
    struct frame *frame = malloc(sizeof(*frame));
    if (!frame)
        return NULL;
    *frame = (struct frame){.frame = *like, .file = file, .hash = hash};
    stacks->frames.slots[at] = frame;
    stacks->frames.used++;
    return frame;
}

/* The one stack with these frames and this end; null when out of memory. */
static struct stack *intern_stack(struct vt_stacks *stacks, struct frame *const *frames,
                                  size_t count, enum vt_stack_end end)
{
    uint64_t hash = end;

    for (size_t i = 0; i < count; i++)
        hash = mix(hash, (uintptr_t)frames[i]);
    if (!grow(&stacks->stacks, hash_of_stack))
        return NULL;
    size_t at = hash & (stacks->stacks.size - 1);
    for (struct stack *s; (s = stacks->stacks.slots[at]); at = (at + 1) & (stacks->stacks.size - 1))
        if (s->hash == hash && s->stack.end == end && s->stack.frame_count == count &&
            !memcmp(s->frames, frames, count * sizeof(*frames)))
            return s;
    struct stack *stack = malloc(sizeof(*stack) + count * sizeof(*frames));
    if (!stack)
        return NULL;
    memcpy(stack->frames, frames, count * sizeof(*frames));
    stack->hash = hash;
    stack->stack = (struct vt_stack){
        .frames = (const struct vt_frame *const *)stack->frames, .frame_count = count, .end = end};
    stacks->stacks.slots[at] = stack;
    stacks->stacks.used++;
    return stack;
}

/* ---- files ----------------------------------------------------------------------------- */

/* `path`: the file's name; null for one that is nowhere. */
static struct file *add_file(struct vt_stacks *stacks, const struct vt_elf *elf, int fd,
                             const char *path)
{
    const struct vt_debug_search search = {elf, path, VT_DEBUG_DIRECTORY};
    struct file *file = calloc(1, sizeof(*file));

    if (!file)
        return NULL;
    file->elf = elf;
    file->fd = fd;
    file->next = stacks->files;
    stacks->files = file;
    if (fd >= 0)
        vt_unwind_tables_read(fd, path ? &search : NULL, &file->tables, NULL);
    return file;
}

static bool same_segment(const struct vt_elf_segment *a, const struct vt_elf_segment *b)
{
    return a->vaddr == b->vaddr && a->memsz == b->memsz && a->offset == b->offset &&
           a->filesz == b->filesz && a->prot == b->prot;
}

/* Is the open file still the one whose facts were read? It may have been written to since. */
static bool is_unchanged(int fd, const struct vt_elf *elf)
{
    struct vt_elf *now;
    bool same;

    if (vt_elf_read(fd, &now, NULL) != 0)
        return false;
    same = now->build_id.length == elf->build_id.length &&
           !memcmp(now->build_id.bytes, elf->build_id.bytes, elf->build_id.length) &&
           now->segment_count == elf->segment_count;
    for (size_t i = 0; same && i < elf->segment_count; i++)
        same = same_segment(&now->segments[i], &elf->segments[i]);
    vt_elf_destroy(now);
    return same;
}

/* The file with the facts `elf`, opened now if it was not yet. Null when out of memory. */
static struct file *find_file(struct vt_stacks *stacks, const struct vt_elf *elf, pid_t tid,
                              const struct vt_region *region)
{
    for (struct file **at = &stacks->files; *at; at = &(*at)->next) {
        struct file *file = *at;
        if (file->elf != elf)
            continue;
        *at = file->next; /* it is wanted again soon */
        file->next = stacks->files;
        stacks->files = file;
        return file;
    }
    int fd = vt_image_open(tid, region, NULL);
    if (fd >= 0 && !is_unchanged(fd, elf)) {
        close(fd);
        fd = -1;
    }
    struct file *file = add_file(stacks, elf, fd, region->object->name);
    if (!file && fd >= 0)
        close(fd);
    return file;
}

/* ---- the unwinder's questions ------------------------------------------------------------- */

/* Whose stack is being taken. */
struct subject {
    struct vt_stacks *stacks;
    struct place *place;
    const struct vt_space *space;
    const struct vt_tracee *tracee;
};

/* The vdso is an ELF file in the program's memory; a copy in a file of ours serves as one. */
static struct file *read_vdso(const struct subject *s, const struct vt_region *region)
{
    uint64_t size = region->end - region->start;
    struct vt_elf *elf = NULL;
    struct file *file = NULL;
    int fd = -1;

    if (size > VDSO_BYTES_MAX)
        return NULL;
    char *bytes = malloc((size_t)size);
    if (bytes && !vt_engine_read(s->tracee, region->start, bytes, (size_t)size))
        fd = memfd_create("vdso", MFD_CLOEXEC);
    if (fd >= 0 && pwrite(fd, bytes, (size_t)size, 0) == (ssize_t)size &&
        vt_elf_read(fd, &elf, NULL) == 0) {
        /* All processes have the same, mostly. */
        for (file = s->stacks->files; file; file = file->next)
            if (file->own_elf && vt_build_id_same(&file->own_elf->build_id, &elf->build_id))
                break;
        if (!file && (file = add_file(s->stacks, elf, fd, NULL))) {
            file->own_elf = elf;
            elf = NULL;
            fd = -1;
        }
    }
    vt_elf_destroy(elf);
    if (fd >= 0)
        close(fd);
    free(bytes);
    return file;
}

/* Of a file that is known to be the mapped one; a vdso's is of no use, it has no name. */
static const struct vt_build_id *build_id_of(const struct file *file)
{
    bool known = file && !file->own_elf && file->fd >= 0 && file->elf->build_id.length;
    return known ? &file->elf->build_id : NULL;
}

static const struct vt_object *object_of(const struct vt_region *region)
{
    return region ? region->object : NULL;
}

/* The file that holds the code at ip, and the region; what there is instead, otherwise. */
static enum vt_code find_code(const struct subject *s, vt_addr ip, struct file **file,
                              uint64_t *bias, const struct vt_region **region_out)
{
    const struct vt_region *region = vt_layout_find(s->space->layout, ip);

    *file = NULL;
    *bias = 0;
    *region_out = region;
    if (!region || !(region->prot & VT_PROT_EXEC))
        return VT_CODE_NOWHERE;
    if (region->kind == VT_KIND_VDSO) {
        if (!s->place->vdso_read) {
            s->place->vdso = read_vdso(s, region);
            s->place->vdso_read = true;
        }
        *file = s->place->vdso;
        *bias = region->start - (*file ? (*file)->elf->load_start : 0);
    } else {
        const struct vt_placed *image = vt_space_image_at(s->space, ip);
        if (!image || !region->object || !vt_object_same(image->object, region->object))
            return VT_CODE_UNKNOWN;
        *file = find_file(s->stacks, image->elf, s->tracee->tid, region);
        *bias = image->bias;
    }
    if (!*file || (*file)->fd < 0)
        return VT_CODE_MISSING;
    return (*file)->tables ? VT_CODE_IMAGE : VT_CODE_BARE;
}

static enum vt_code find(void *context, vt_addr ip, struct vt_code_place *place)
{
    const struct vt_region *region;
    struct file *file;
    enum vt_code code = find_code(context, ip, &file, &place->bias, &region);

    place->tables = file ? file->tables : NULL;
    place->framed = region && region->kind == VT_KIND_VDSO;
    return code;
}

static size_t read_memory(void *context, vt_addr addr, void *to, size_t length)
{
    const struct subject *s = context;

    return vt_engine_read_some(s->tracee, addr, to, length);
}

/* ---- taking -------------------------------------------------------------------------------- */

static struct place **find_place(struct vt_stacks *stacks, uint32_t id)
{
    struct place **at = &stacks->places[id % SPACE_BUCKETS];

    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static struct place *add_place(struct vt_stacks *stacks, uint32_t id)
{
    struct place *place = calloc(1, sizeof(*place));

    if (!place)
        return NULL;
    place->id = id;
    place->unwinder = stacks->pool_count ? stacks->pool[--stacks->pool_count]
                                         : vt_unwinder_create(stacks->depth);
    if (!place->unwinder) {
        free(place);
        return NULL;
    }
    place->next = stacks->places[id % SPACE_BUCKETS];
    stacks->places[id % SPACE_BUCKETS] = place;
    return place;
}

int vt_stacks_take(struct vt_stacks *stacks, const struct vt_space *space,
                   const struct vt_tracee *tracee, const struct vt_stack **ret)
{
    struct subject subject = {stacks, *find_place(stacks, space->id), space, tracee};
    struct vt_unwind_source source = {&subject, read_memory, find,
                                      vt_layout_marks(space->layout)->stack_start};
    struct vt_registers registers;
    struct vt_unwound unwound;

    if (!subject.place && !(subject.place = add_place(stacks, space->id)))
        return -ENOMEM;
    int rc = vt_engine_registers(tracee, &registers);
    if (rc)
        return rc;
    vt_unwind(subject.place->unwinder, &source, &registers, &unwound);
    if (unwound.note && *unwound.note) {
        *ret = *unwound.note;
        return 0;
    }
    for (size_t i = 0; i < unwound.count; i++) {
        const struct vt_region *region;
        struct file *file;
        uint64_t bias;
        vt_addr ip = unwound.frames[i].ip;
        find_code(&subject, unwound.frames[i].interrupted ? ip : ip - 1, &file, &bias, &region);
        struct vt_frame like = {.object = object_of(region),
                                .address = ip - bias,
                                .interrupted = unwound.frames[i].interrupted,
                                .build_id = build_id_of(file)};
        stacks->scratch[i] = intern_frame(stacks, &like, file);
        if (!stacks->scratch[i])
            return -ENOMEM;
    }
    struct stack *stack = intern_stack(stacks, stacks->scratch, unwound.count, unwound.end);
    if (!stack)
        return -ENOMEM;
    if (unwound.note)
        *unwound.note = stack;
    *ret = &stack->stack;
    return 0;
}

void vt_stacks_changed(struct vt_stacks *stacks, const struct vt_space *space,
                       const struct vt_change *changes, size_t count)
{
    bool came = false, went = false;
    struct place *place = *find_place(stacks, space->id);

    if (!place)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct vt_change *c = &changes[i];
        came |= c->op != VT_CHANGE_GONE && c->after.prot & VT_PROT_EXEC;
        went |= c->op != VT_CHANGE_MADE && c->before.prot & VT_PROT_EXEC;
    }
    if (came || went)
        vt_unwinder_code_changed(place->unwinder, went);
    if (went)
        place->vdso_read = false; /* it can be moved */
}

void vt_stacks_forget(struct vt_stacks *stacks, const struct vt_space *space)
{
    struct place **at = find_place(stacks, space->id);
    struct place *place = *at;

    if (!place)
        return;
    *at = place->next;
    if (stacks->pool_count < POOL_MAX) {
        vt_unwinder_code_changed(place->unwinder, true);
        stacks->pool[stacks->pool_count++] = place->unwinder;
    } else {
        vt_unwinder_destroy(place->unwinder);
    }
    free(place);
}

/* ---- naming ------------------------------------------------------------------------- */

static void name_frame(struct vt_stacks *stacks, struct frame *frame)
{
    struct file *file = frame->file;

    if (frame->named || !file || file->fd < 0)
        return;
    if (!file->symbols)
        file->symbols = vt_symbols_create(file->fd, file->elf, frame->frame.object->name,
                                          VT_DEBUG_DIRECTORY, stacks->debug_files);
    if (file->symbols) /* out of memory: a frame without names */
        vt_symbols_find(file->symbols, &frame->frame);
    frame->named = true;
}

void vt_stacks_name(struct vt_stacks *stacks, const struct vt_stack *nameless)
{
    struct stack *stack = (struct stack *)nameless;

    if (stack->stack.id)
        return;
    stack->stack.id = ++stacks->stack_ids;
    for (size_t i = 0; i < stack->stack.frame_count; i++) {
        name_frame(stacks, stack->frames[i]);
        if (!stack->frames[i]->frame.id)
            stack->frames[i]->frame.id = ++stacks->frame_ids;
    }
}

/* ---- begin and end ----------------------------------------------------------------------------- */

struct vt_stacks *vt_stacks_create(unsigned depth, bool debug_files)
{
    struct vt_stacks *stacks = calloc(1, sizeof(*stacks));

    if (!stacks)
        return NULL;
    stacks->depth = depth;
    stacks->debug_files = debug_files;
    stacks->scratch = malloc(VT_STACK_MAX * sizeof(*stacks->scratch));
    if (!stacks->scratch) {
        free(stacks);
        return NULL;
    }
    return stacks;
}

void vt_stacks_destroy(struct vt_stacks *stacks)
{
    if (!stacks)
        return;
    for (size_t i = 0; i < SPACE_BUCKETS; i++) {
        for (struct place *place = stacks->places[i], *next; place; place = next) {
            next = place->next;
            vt_unwinder_destroy(place->unwinder);
            free(place);
        }
    }
    for (size_t i = 0; i < stacks->pool_count; i++)
        vt_unwinder_destroy(stacks->pool[i]);
    for (struct file *file = stacks->files, *next; file; file = next) {
        next = file->next;
        vt_symbols_destroy(file->symbols);
        vt_unwind_tables_destroy(file->tables);
        vt_elf_destroy(file->own_elf);
        if (file->fd >= 0)
            close(file->fd);
        free(file);
    }
    for (size_t i = 0; i < stacks->frames.size; i++) {
        struct frame *frame = stacks->frames.slots[i];
        if (frame)
            vt_frame_clear(&frame->frame);
        free(frame);
    }
    for (size_t i = 0; i < stacks->stacks.size; i++)
        free(stacks->stacks.slots[i]);
    free(stacks->frames.slots);
    free(stacks->stacks.slots);
    free(stacks->scratch);
    free(stacks);
}
