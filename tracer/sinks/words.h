/*
 * words.h - names of what the kernel numbers, and quantities for eyes; shared
 * by the formats. All names are static storage.
 */
#ifndef SINKS_WORDS_H
#define SINKS_WORDS_H

#include "base/buf.h"

#include <vastrace/event.h>

/*
 * "ENOMEM" for 12, also for the kernel's own codes that only a tracer sees
 * ("ERESTARTSYS"). Null for a number without a name.
 */
const char *vt_errno_name(int error);

/* "Cannot allocate memory"; null for a number without a name. */
const char *vt_errno_meaning(int error);

/* The name as it is, or "E531" for an error that has none: for programs. */
void vt_add_errno(struct vt_buf *out, int error);

/* The last part of a path; all of it where that is empty. */
const char *vt_base_name(const char *path);

/*
 * The part of an object's name that tells it: the last of a path; all of it where the directory is
 * half the name: /dev/shm/x. "memfd:x" for "/memfd:x".
 */
const char *vt_file_name(const char *path);

/* "SIGSEGV", "SIGRTMIN+3", "signal 99" */
void vt_add_signal(struct vt_buf *out, int number);

/* "850 us", "12.3 ms", "1.24 s", "3 min 12 s", "2 h 5 min" */
void vt_add_duration(struct vt_buf *out, int64_t ns);

/*
 * "mprotect(addr=7ffff7fb2000, length=16K, prot=r--)": addresses as the range
 * column has them, sizes exact (1536K, 4097), permissions and common flags by
 * name, the rest as numbers.
 */
void vt_add_call(struct vt_buf *out, const struct vt_call *call);

/*
 * The names above as one JSON object, for a reader that puts calls into words by itself:
 * {"mmap": {"32": "MAP_ANONYMOUS", ...}, "mapType": ..., "mremap": ..., "advice": ..., "prctl": ...,
 * "errors": {"12": "ENOMEM", ...}}.
 */
void vt_add_words_json(struct vt_buf *out);

/* The result of a call that did not fail: small numbers in decimal, others as 0x... */
void vt_add_result(struct vt_buf *out, int64_t result);

#endif
