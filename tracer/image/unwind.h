/*
 * unwind.h - from a stopped thread's registers to the return addresses of its
 * active functions.
 *
 * One unwinder an address space. It asks its caller for everything it needs to know of the
 * thread: memory, in bulk, and what lies at an address. The cost of a stack seen
 * before is one read of the stack's top: what the unwinding depended on is
 * compared, word by word, and where all of it is the same so is the outcome.
 * It is exact as long as vt_unwinder_code_changed() is called as it says.
 */
#ifndef IMAGE_UNWIND_H
#define IMAGE_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <vastrace/stack.h>

#include "image/unwind_tables.h"
#include "model/registers.h"

/* What lies at a code address. */
enum vt_code {
    VT_CODE_IMAGE,   /* an image with unwind tables */
    VT_CODE_BARE,    /* an image without */
    VT_CODE_MISSING, /* an image whose file could not be read, or is another one by now */
    VT_CODE_UNKNOWN, /* executable, and of no image */
    VT_CODE_NOWHERE, /* nothing executable */
};

struct vt_code_place {
    const struct vt_unwind_tables *tables; /* IMAGE: valid until code is said to be removed */
    uint64_t bias;                         /* IMAGE: run-time address less the file's */
    bool framed; /* IMAGE: functions without an entry keep a frame pointer */
};

/* Where an unwinder gets its answers. */
struct vt_unwind_source {
    void *context;
    /* Copy memory of the thread; returns how many bytes, from the first on, could be read. */
    size_t (*read)(void *context, vt_addr addr, void *to, size_t length);
    enum vt_code (*find)(void *context, vt_addr ip, struct vt_code_place *place);
    /* The stack pointer with which the program began: a frame there has no caller. 0: not known */
    vt_addr outermost_sp;
};

/* A return address. */
struct vt_unwound_frame {
    vt_addr ip;
    bool interrupted; /* as in struct vt_frame */
};

struct vt_unwound {
    size_t count; /* at least 1 */
    const struct vt_unwound_frame *frames;
    enum vt_stack_end end;
    /*
     * The caller's, for what it makes of this stack: null where the stack was
     * unwound anew, else what was stored the last time. Null itself: the stack is not kept.
     */
    void **note;
};

struct vt_unwinder;

/* Null when out of memory. `depth`: the most frames, 1..VT_STACK_MAX. */
struct vt_unwinder *vt_unwinder_create(unsigned depth);
void vt_unwinder_destroy(struct vt_unwinder *unwinder); /* null is allowed */

/* Unwind. *unwound is valid until the next call with this unwinder. */
void vt_unwind(struct vt_unwinder *unwinder, const struct vt_unwind_source *source,
               const struct vt_registers *registers, struct vt_unwound *unwound);

/*
 * Executable memory came, went or became something else since the last call.
 * `removed`: some that was there is not there any more as it was.
 */
void vt_unwinder_code_changed(struct vt_unwinder *unwinder, bool removed);

/* How many unwindings were answered from what was kept, and how many were made. For tests. */
struct vt_unwind_counts {
    uint64_t kept;
    uint64_t made;
};
struct vt_unwind_counts vt_unwinder_counts(const struct vt_unwinder *unwinder);

#endif
