/*
 * stack.h - who did it: the functions that were active when a map changed,
 * innermost first. Equal stacks are one object and have one id.
 */
#ifndef VASTRACE_STACK_H
#define VASTRACE_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <vastrace/layout.h>

/* The most frames that a stack can have, whatever is asked for. */
#define VT_STACK_MAX 1024

/* The most frames of a stack where nothing else is asked for. */
#define VT_DEPTH_USUAL 128

/* Why a stack has no more frames. The words: vt_stack_end_name(). */
enum vt_stack_end {
    VT_STACK_COMPLETE,     /* the outermost frame was reached */
    VT_STACK_DEPTH,        /* there are more, and no more were asked for */
    VT_STACK_UNKNOWN_CODE, /* the last frame is in code of no ELF image: made by the program itself */
    VT_STACK_NO_TABLES,    /* the last frame's image says nothing about unwinding it */
    VT_STACK_NO_IMAGE,     /* the last frame's file could not be read, or is not the mapped one */
    VT_STACK_UNREADABLE,   /* the memory of the next frame could not be read */
    VT_STACK_CORRUPT,      /* the next frame would be in no code at all, or an earlier one again */
    VT_STACK_UNSUPPORTED, /* such programs cannot be unwound: the only frame is the innermost */
    VT_STACK_NO_MEMORY,   /* the tracer's own memory is used up */
    VT_STACK_END_COUNT
};

/* "complete", "depth", "unknown-code", ...: for programs. Never null. */
const char *vt_stack_end_name(enum vt_stack_end end);

/* A clause for eyes: "more frames were not asked for". Null for a complete stack. */
const char *vt_stack_end_text(enum vt_stack_end end);

/* A function whose body the compiler put into its caller. Strings are raw bytes. */
struct vt_inlined {
    const char *function;
    const char *file; /* where execution was in it; null: not known */
    unsigned line;    /* 0: not known */
};

/* The most bytes that a build ID can have; linkers make 20 or 16. */
#define VT_BUILD_ID_MOST 64

/* What tells an ELF file from all others: the contents of its note NT_GNU_BUILD_ID. */
struct vt_build_id {
    size_t length; /* 0: none */
    uint8_t bytes[VT_BUILD_ID_MOST];
};

/* Are they of one file? False where there is none. */
static inline bool vt_build_id_same(const struct vt_build_id *a, const struct vt_build_id *b)
{
    return a->length && a->length == b->length && !memcmp(a->bytes, b->bytes, a->length);
}

/*
 * One place in code that was active. Unlike an address it is the same in every
 * process that runs the same file.
 */
struct vt_frame {
    uint64_t id;                    /* 1, 2, ... in the order in which they are told */
    const struct vt_object *object; /* the image's file, or [vdso]; null: anonymous memory */
    /*
     * The return address (in the innermost frame and above a signal's: the
     * next instruction): in an image as the file counts (load bias taken off), else as it is.
     */
    vt_addr address;
    bool interrupted;     /* execution is at `address` itself: a signal came there, or a call into
                             the kernel; else in the call before it, and so are file and line */
    const char *function; /* the symbol that holds it, demangled, raw bytes; null: not known */
    uint64_t offset;      /* of address in the function */
    const char *file;     /* of the source, raw bytes; null: not known */
    unsigned line;        /* 0: not known */
    const struct vt_inlined *inlined; /* inlined functions that were active here, innermost first */
    size_t inlined_count;
    const struct vt_build_id *build_id; /* of the object's file; null: not known, or it has none */
};

struct vt_stack {
    uint64_t id;                          /* 1, 2, ... in the order in which they are told */
    const struct vt_frame *const *frames; /* innermost first */
    size_t frame_count;
    enum vt_stack_end end;
};

#endif
