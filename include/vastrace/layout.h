/*
 * layout.h - one virtual address space: which ranges are mapped, how, and from what.
 *
 * A layout is an ordered set of regions that never overlap. It is a map of
 * *coverage*: neighbours alike in everything that is stored here are one
 * region, whether or not the kernel keeps them as one VMA (that depends on
 * state which no system call reveals; see vt_layout_same_cover()).
 *
 * Every operation takes a list of changes to append to: what it removed, added
 * or altered, in ascending order of address.
 */
#ifndef VASTRACE_LAYOUT_H
#define VASTRACE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An address in the tracee; never dereferenced here. */
typedef uint64_t vt_addr;

/* What a region is for. The names are printed by vt_kind_name(). */
enum vt_kind {
    VT_KIND_TEXT,         /* machine code of an ELF image (executable segment) */
    VT_KIND_RODATA,       /* read-only data of an ELF image */
    VT_KIND_DATA,         /* initialised data of an ELF image */
    VT_KIND_BSS,          /* zero-initialised data of an ELF image */
    VT_KIND_RELRO,        /* data that is read-only after relocation (PT_GNU_RELRO) */
    VT_KIND_TLS,          /* the initial image of thread-local data (PT_TLS) */
    VT_KIND_HEAP,         /* between start_brk and the program break, or in a malloc arena */
    VT_KIND_STACK,        /* the stack that the kernel made for the main thread */
    VT_KIND_THREAD_STACK, /* mapped to be a stack: MAP_STACK, or a thread started on it */
    VT_KIND_ANON,         /* private anonymous memory */
    VT_KIND_FILE,         /* a file that is not (part of) an ELF image */
    VT_KIND_SHM,          /* shared memory: MAP_SHARED|MAP_ANONYMOUS, memfd, SysV, /dev/shm */
    VT_KIND_GUARD,        /* PROT_NONE that belongs to a stack */
    VT_KIND_RESERVE,      /* other PROT_NONE */
    VT_KIND_VDSO,         /* [vdso] */
    VT_KIND_VVAR,         /* [vvar], [vvar_vclock] */
    VT_KIND_VSYSCALL,     /* [vsyscall] */
    VT_KIND_OTHER,        /* device memory, aio rings and what else the kernel names */
    VT_KIND_COUNT
};

/* Permissions, with the values of PROT_* (mman.h). */
enum vt_prot { VT_PROT_NONE = 0, VT_PROT_READ = 1, VT_PROT_WRITE = 2, VT_PROT_EXEC = 4 };

enum vt_region_flag {
    VT_REGION_SHARED = 1,    /* MAP_SHARED: 's' in /proc/PID/maps */
    VT_REGION_GROWSDOWN = 2, /* the kernel extends it downwards on a fault */
    VT_REGION_STACK = 4,     /* made with MAP_STACK, or found to be a thread's stack */
    VT_REGION_ARENA = 8,     /* inferred: a heap of one of glibc malloc's arenas */
    /* Those that /proc/PID/maps does not show. */
    VT_REGION_HIDDEN = VT_REGION_GROWSDOWN | VT_REGION_STACK | VT_REGION_ARENA,
};

/* What lies behind a region. */
enum vt_object_type {
    VT_OBJECT_FILE,    /* has a device and an inode; the name is a path */
    VT_OBJECT_SPECIAL, /* the name alone: [vdso], [anon:NAME], ... */
};

/*
 * An interned backing object; see vt_objects_intern(). Two regions with the
 * same object have the same pointer, but one file may have several objects
 * (it was renamed between two mappings): compare with vt_object_same().
 * Plain private anonymous memory has no object (a null pointer).
 */
struct vt_object {
    enum vt_object_type type;
    uint32_t id;        /* 1, 2, ... in order of first appearance */
    uint32_t dev_major; /* as in /proc/PID/maps; on btrfs and overlayfs not stat(2)'s */
    uint32_t dev_minor;
    uint64_t inode;     /* 0 where the kernel shows 0 */
    uint64_t page_size; /* bytes; above the base page size for hugetlbfs, 0 if not known */
    const char *name;   /* raw bytes, unescaped, as last told by the kernel at interning */
};

/* The table of a session's objects. It owns them; pointers stay valid until deinit. */
struct vt_objects;
struct vt_objects *vt_objects_create(void); /* null when out of memory */
void vt_objects_destroy(struct vt_objects *objects);

/* The one object with these attributes; null when out of memory. */
const struct vt_object *vt_objects_intern(struct vt_objects *objects, const struct vt_object *like);

/* True if both are the same file (device and inode) or the same special name, or both null. */
bool vt_object_same(const struct vt_object *a, const struct vt_object *b);

/* A half-open range [start, end), page-aligned, and what is the same in all of it. */
struct vt_region {
    vt_addr start;
    vt_addr end;
    uint64_t offset;                /* bytes into the file at start; 0 where there is no file */
    const struct vt_object *object; /* null: plain anonymous memory */
    uint8_t prot;                   /* enum vt_prot, or'ed */
    uint8_t flags;                  /* enum vt_region_flag, or'ed */
    uint8_t kind;                   /* enum vt_kind */
};

/* What became of a range. */
enum vt_change_op {
    VT_CHANGE_MADE = '+',    /* was free, is `after` */
    VT_CHANGE_GONE = '-',    /* was `before`, is free (or is about to be made anew) */
    VT_CHANGE_ALTERED = '~', /* was `before`, is `after`: same memory, other permissions or kind */
    VT_CHANGE_MOVED = '>',   /* the pages of before.start..before.end lie at start..end now */
};

/*
 * One range that went from one state to another. `before` is meaningful for
 * GONE, ALTERED and MOVED, `after` for MADE, ALTERED and MOVED; both have the
 * bounds of the change, but for MOVED, where before has the source's.
 * A MOVED says by itself that the source range is free now, unless
 * `source_stays` (MREMAP_DONTUNMAP: it stays mapped, emptied).
 */
struct vt_change {
    enum vt_change_op op;
    bool source_stays;
    vt_addr start;
    vt_addr end;
    struct vt_region before;
    struct vt_region after;
};

/* A growable list of changes; zero-initialised is empty. Reused without freeing. */
struct vt_changes {
    struct vt_change *items;
    size_t count;
    size_t capacity;
};
void vt_changes_deinit(struct vt_changes *changes);

/*
 * Decides the kind of a region about to be stored. Returns the end of the
 * leading part of *region that has one kind and sets *kind for that part
 * (region->kind is not yet meaningful). The layout asks again for the rest.
 */
typedef vt_addr vt_classify_fn(void *context, const struct vt_region *region, uint8_t *kind);

struct vt_layout;

/* An empty layout; null when out of memory. `classify` may be null: vt_kind_plain() decides. */
struct vt_layout *vt_layout_create(vt_classify_fn *classify, void *context);
void vt_layout_destroy(struct vt_layout *layout);

/* Make `to` (which must be empty) equal to `from`; kinds are copied as they are. 0 or -ENOMEM. */
int vt_layout_copy(struct vt_layout *to, const struct vt_layout *from);

/*
 * The bounds that names derive from: [heap] is what overlaps
 * [heap_start, heap_end), [stack] is what holds stack_start.
 * 0 where not known. They are stored, not interpreted, apart from
 * classification. (fs/proc/task_mmu.c, get_vma_name)
 */
struct vt_layout_marks {
    vt_addr heap_start;  /* start_brk */
    vt_addr heap_end;    /* the program break, exact, not page-rounded */
    vt_addr stack_start; /* start_stack of /proc/PID/stat */
};
void vt_layout_set_marks(struct vt_layout *layout, const struct vt_layout_marks *marks);
const struct vt_layout_marks *vt_layout_marks(const struct vt_layout *layout);

/*
 * The edits. Bounds are page-aligned and start < end; an edit of an empty
 * range is no edit. All return 0 or -ENOMEM, and on -ENOMEM the layout is as
 * it was. `changes` may be null.
 */

/* A new mapping at region's range: whatever lay there goes (GONE), the new one is MADE. */
int vt_layout_map(struct vt_layout *layout, const struct vt_region *region,
                  struct vt_changes *changes);

/* Free a range; holes in it are allowed. */
int vt_layout_unmap(struct vt_layout *layout, vt_addr start, vt_addr end,
                    struct vt_changes *changes);

/* Give a range other permissions; holes in it stay holes. */
int vt_layout_protect(struct vt_layout *layout, vt_addr start, vt_addr end, uint8_t prot,
                      struct vt_changes *changes);

/* Set and clear flags (enum vt_region_flag) over a range. */
int vt_layout_flag(struct vt_layout *layout, vt_addr start, vt_addr end, uint8_t set, uint8_t clear,
                   struct vt_changes *changes);

/*
 * Move [from, from+length) to `to`, replacing what lay there, as mremap(2)
 * does; holes in the source leave what lies at their target. The ranges do not
 * overlap. With keep_source the source stays mapped. This one edit may be half
 * done on -ENOMEM: ask the kernel about both ranges then.
 */
int vt_layout_move(struct vt_layout *layout, vt_addr from, vt_addr to, uint64_t length,
                   bool keep_source, struct vt_changes *changes);

/* Ask the classifier again about a range, after what it goes by has changed. */
int vt_layout_reclassify(struct vt_layout *layout, vt_addr start, vt_addr end,
                         struct vt_changes *changes);

/*
 * Make [start, end) equal to what the kernel says: `regions` ascending, not
 * overlapping, clipped here to the range. Only differences become changes.
 * Flags the kernel's map does not show (VT_REGION_HIDDEN) are kept from what
 * lies there already.
 */
int vt_layout_assign(struct vt_layout *layout, vt_addr start, vt_addr end,
                     const struct vt_region *regions, size_t count, struct vt_changes *changes);

/* The region that holds addr, else the first one above it, else null. Valid until the next edit. */
const struct vt_region *vt_layout_at_or_above(const struct vt_layout *layout, vt_addr addr);

/* The region that holds addr, or null. Valid until the next edit. */
const struct vt_region *vt_layout_find(const struct vt_layout *layout, vt_addr addr);

/* The last region that starts below addr, or null. Valid until the next edit. */
const struct vt_region *vt_layout_below(const struct vt_layout *layout, vt_addr addr);

/* Iterate: vt_layout_at_or_above(layout, 0), then this with the last one's end. */
#define vt_layout_for_each(r, layout)                                                              \
    for (const struct vt_region *r = vt_layout_at_or_above((layout), 0); r;                        \
         r = vt_layout_at_or_above((layout), r->end))

/* Sums over the whole layout, kept up to date; indexed by enum vt_kind. */
struct vt_layout_sums {
    uint64_t bytes[VT_KIND_COUNT];
    uint64_t regions[VT_KIND_COUNT];
    uint64_t total_bytes;
    uint64_t total_regions;
};
const struct vt_layout_sums *vt_layout_sums(const struct vt_layout *layout);

/*
 * True if b continues a as one region of coverage in the kernel's terms: b
 * begins where a ends, with the same permissions, sharing and backing object
 * and a running offset. Kinds and the flags that maps does not show are not
 * compared, nor is a file's path (it can be renamed without a call of the
 * tracee); its device and inode are.
 */
bool vt_layout_same_cover(const struct vt_region *a, const struct vt_region *b);

/*
 * Compare the layout with the kernel's regions after merging both sides by
 * vt_layout_same_cover(). Returns true if they agree; else *ours and *kernels
 * are the first regions that differ (start == end where one side has none).
 */
bool vt_layout_agrees(const struct vt_layout *layout, const struct vt_region *regions, size_t count,
                      struct vt_region *ours, struct vt_region *kernels);

/* The kind as far as the region and the marks tell, without knowledge of ELF images. */
uint8_t vt_kind_plain(const struct vt_layout_marks *marks, const struct vt_region *region,
                      vt_addr *end);

/* "text", "thread-stack", ... ; never null. */
const char *vt_kind_name(uint8_t kind);

/* The kind of this name: 0..VT_KIND_COUNT-1, or -1. */
int vt_kind_parse(const char *name, size_t length);

/* "rwxp" as in /proc/PID/maps, into a buffer of at least 5 bytes, which is returned. */
const char *vt_prot_text(uint8_t prot, uint8_t flags, char text[5]);

#endif
