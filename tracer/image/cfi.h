/*
 * cfi.h - one step up a stack by call frame information (DWARF 5, 6.4): from
 * a function's registers to its caller's.
 *
 * A frame says where its registers' values are, not what they are: a value is read only if
 * the way up depends on it. So what has been read is all that the stack depends on.
 */
#ifndef IMAGE_CFI_H
#define IMAGE_CFI_H

#include <stdbool.h>
#include <stdint.h>
#include <vastrace/layout.h>

#include "image/unwind_tables.h"
#include "model/registers.h"

/* What has to be known of a machine. */
struct vt_cfi_machine {
    unsigned word;    /* bytes of a register, and of an address: 4 or 8 */
    unsigned columns; /* registers are numbered from 0 to below this; at most VT_REGISTERS_MAX */
    unsigned sp;
    unsigned ip;
};

/* Where the thread's registers and memory are had from. */
struct vt_cfi_source {
    const struct vt_cfi_machine *machine;
    void *context;
    uint64_t (*own)(void *context, unsigned number);              /* a register of the thread now */
    bool (*read)(void *context, vt_addr address, uint64_t *word); /* a word of its memory */
};

struct vt_cfi_place {
    enum vt_cfi_where {
        VT_CFI_LOST,   /* the value was not kept */
        VT_CFI_OWN,    /* what the thread has now in register number `at` */
        VT_CFI_MEMORY, /* at the address `at` */
        VT_CFI_VALUE,  /* `at` itself */
    } where;
    uint64_t at;
};

struct vt_cfi_frame {
    struct vt_cfi_place registers[VT_REGISTERS_MAX];
};

/* The innermost frame: each register is where it is. */
void vt_cfi_begin(struct vt_cfi_frame *frame);

/* A register's value in the frame. Returns false if it is lost or cannot be read. */
bool vt_cfi_value(const struct vt_cfi_source *source, struct vt_cfi_frame *frame, uint64_t number,
                  uint64_t *value);

enum vt_cfi_outcome {
    VT_CFI_CALLER,     /* the frame is the caller's now */
    VT_CFI_OUTERMOST,  /* the function has none */
    VT_CFI_MALFORMED,  /* what the program says makes no sense, or too much work */
    VT_CFI_UNREADABLE, /* a value that is needed is lost or cannot be read */
};

/*
 * Leave the function. `at`: the place in its code, in the file's addresses as
 * the program's are. The program may be hostile: time and memory are bounded.
 */
enum vt_cfi_outcome vt_cfi_step(const struct vt_cfi_source *source,
                                const struct vt_unwind_program *program, vt_addr at,
                                struct vt_cfi_frame *frame);

#endif
