/*
 * memop.h - memory operations: what a system call asks of the map, free of
 * the architecture's numbers, and what it does to a layout when it is done.
 * Pure: what only the kernel knows is asked for through the answers below.
 */
#ifndef MODEL_MEMOP_H
#define MODEL_MEMOP_H

#include <vastrace/layout.h>

enum vt_memop_type {
    VT_MEMOP_NONE,        /* cannot change a map */
    VT_MEMOP_MAP,         /* mmap(addr, length, prot, flags, fd, offset) */
    VT_MEMOP_UNMAP,       /* munmap(addr, length) */
    VT_MEMOP_PROTECT,     /* mprotect, pkey_mprotect(addr, length, prot) */
    VT_MEMOP_REMAP,       /* mremap(addr, length, new_length, flags, new_addr) */
    VT_MEMOP_BRK,         /* brk(addr) */
    VT_MEMOP_SHM_ATTACH,  /* shmat(fd = id, addr, flags) */
    VT_MEMOP_SHM_DETACH,  /* shmdt(addr) */
    VT_MEMOP_RANGE,       /* may change [addr, addr + length) and no more */
    VT_MEMOP_ADVISE,      /* changes nothing that maps shows, and is still worth an event */
    VT_MEMOP_ANYWHERE,    /* may change any part of the map, or the break */
    VT_MEMOP_PERSONALITY, /* changes what later calls do; fd is the new persona */
    VT_MEMOP_SIGSTACK,    /* sigaltstack(addr): nothing of the map, but a stack of its thread */
    VT_MEMOP_EXEC,        /* replaces the address space */
    VT_MEMOP_CLONE,       /* with CLONE_UNTRACED: the flag is to be taken out */
    VT_MEMOP_LISTEN,      /* a filter with a listener: see vt_engine_stop_at_all() */
};

/* A decoded call. Which fields are meant: see the types above. */
struct vt_memop {
    enum vt_memop_type type;
    vt_addr addr;
    uint64_t length;
    uint64_t new_length;
    vt_addr new_addr;
    uint32_t prot;
    uint32_t flags;
    int64_t fd;
    uint64_t offset; /* bytes */
};

/* The kernel's word on one address: the VMA that holds it. */
struct vt_told {
    struct vt_region vma; /* its kind and hidden flags are not set */
    uint64_t page_size;   /* of its pages, 0 not known */
};

/* How the call ended, and what the layout alone does not tell. */
struct vt_outcome {
    bool failed;
    uint64_t result;            /* the return value where it did not fail */
    const struct vt_told *told; /* of the address vt_memop_asks_first() named, or null */
    bool read_implies_exec;     /* the personality has READ_IMPLIES_EXEC */
    bool break_known;           /* the marks' heap_end is the kernel's brk */
    uint64_t page;              /* base page size */
};

/*
 * The address that the kernel must be asked about before the operation can be
 * applied (the new mapping's), in *addr. False if there is none.
 */
bool vt_memop_asks_first(const struct vt_memop *op, const struct vt_outcome *outcome,
                         vt_addr *addr);

/* A range about which only the kernel can say what became of it; empty if start == end. */
struct vt_doubt {
    vt_addr start;
    vt_addr end;
};

/*
 * Apply a finished call to a layout. Up to two ranges remain in doubt: the
 * caller makes them what the kernel says, and counts the difference as the
 * call's own changes. Returns 0, or -ENOMEM (then all is in doubt).
 */
int vt_memop_apply(struct vt_layout *layout, const struct vt_memop *op,
                   const struct vt_outcome *outcome, struct vt_changes *changes,
                   struct vt_doubt doubts[2]);

#endif
