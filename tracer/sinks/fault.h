/*
 * fault.h - a bad address explained in one sentence, for eyes and for JSON's
 * "explanation" alike.
 */
#ifndef SINKS_FAULT_H
#define SINKS_FAULT_H

#include "base/buf.h"
#include <vastrace/event.h>

/* "SIGSEGV at 7f...: unmapped 1.2 ms before by munmap of thread 42 (#812), was 64K anon rw-p". */
void vt_add_fault(struct vt_buf *out, const struct vt_event *event);

#endif
