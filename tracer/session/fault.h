/*
 * fault.h - why an address was bad: a SIGSEGV or SIGBUS held against the map
 * and its history.
 */
#ifndef SESSION_FAULT_H
#define SESSION_FAULT_H

#include <signal.h>

#include "session/past.h"
#include "session/space.h"

/* Spaces whose history an address has: its own, then those it was forked from. */
struct vt_lineage {
    uint32_t space;
    uint64_t since; /* the last event before it began: the parent's counts so far */
    const struct vt_lineage *parent; /* null: none */
};

/*
 * Fill *fault from the signal's siginfo. The space's stacks have been brought up to date. Returns
 * how many forgotten changes stand in the way of a verdict; 0 if none do.
 */
uint64_t vt_fault_explain(const struct vt_space *space, pid_t tid, const siginfo_t *signal,
                          const struct vt_memory *memory, const struct vt_lineage *lineage,
                          struct vt_fault_info *fault);

#endif
