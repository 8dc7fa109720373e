/*
 * lines.h - source lines of recorded call stacks, looked up afterwards: in the
 * files with the code as they are there now, and in their debug files.
 */
#ifndef SESSION_LINES_H
#define SESSION_LINES_H

#include <vastrace/stack.h>

#include "base/buf.h"

struct vt_lines;

/* Null when out of memory. Raises RLIMIT_NOFILE's soft limit: a file takes up to four descriptors. */
struct vt_lines *vt_lines_create(void);
void vt_lines_destroy(struct vt_lines *lines);

/*
 * Fill file, line, inlined functions and, where it is not known, the function
 * of a frame without source lines, if the file that its object names is still
 * the one with the frame's build ID. Else the frame stays as it is. What is
 * filled in lives as long as `lines`, and so must the frame's object. Returns
 * 0 or -ENOMEM.
 */
int vt_lines_find(struct vt_lines *lines, struct vt_frame *frame);

/* Why nothing was looked up in a file. */
enum vt_lines_miss {
    VT_LINES_OTHER,    /* it is gone, cannot be read, or is another one by now */
    VT_LINES_UNPROVEN, /* it has no build ID by which it could be known again */
    VT_LINES_MISSES
};

/*
 * How many files with frames without source lines that is so of. Appends the
 * names of the first ones, without directories, raw bytes: "libfoo.so, a.out
 * and 2 others".
 */
size_t vt_lines_missed(const struct vt_lines *lines, enum vt_lines_miss why, struct vt_buf *names);

#endif
