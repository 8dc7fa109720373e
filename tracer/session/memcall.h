/*
 * memcall.h - a thread's system call from its entry to its return: what it asks
 * for, as far as it is about memory, with the arguments that lie in memory.
 */
#ifndef SESSION_MEMCALL_H
#define SESSION_MEMCALL_H

#include "engine/engine.h"
#include "model/memop.h"

struct vt_memcall {
    const struct vt_syscall *row; /* null: not one that is about memory, or it is over */
    int abi;                      /* enum vt_abi */
    uint64_t number;
    uint64_t args[6];
    struct vt_memop op; /* VT_MEMOP_NONE for what does nothing to a map after all */
};

/* At an ENTRY stop of a known architecture. */
void vt_memcall_enter(struct vt_memcall *call, const struct vt_stop *stop);

/* Then, where `row` is set: decode it, reading the tracee's memory where that is needed. */
void vt_memcall_decode(struct vt_memcall *call, const struct vt_tracee *tracee);

/* At its RETURN stop: what came of it, but for `read_implies_exec`. */
struct vt_outcome vt_memcall_outcome(const struct vt_memcall *call, const struct vt_stop *stop);

/* As an event has it; names are static. `stop`: its RETURN, or one with a made-up result. */
struct vt_call vt_memcall_describe(const struct vt_memcall *call, const struct vt_stop *stop);

/* A break that stayed where it was although it was asked to move? */
bool vt_memcall_refused(const struct vt_memcall *call, const struct vt_stop *stop);

#endif
