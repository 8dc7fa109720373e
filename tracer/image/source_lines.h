/*
 * source_lines.h - from an address in an ELF file to the source line, and to the functions that
 * the compiler put there, by the file's debug information.
 */
#ifndef IMAGE_SOURCE_LINES_H
#define IMAGE_SOURCE_LINES_H

#include <vastrace/stack.h>

struct vt_source_lines;

/* What an open file holds; the arguments are vt_debug_info_read()'s. Null: nothing, or no memory. */
struct vt_source_lines *vt_source_lines_read(int fd, const char *directory);
void vt_source_lines_destroy(struct vt_source_lines *lines); /* null is allowed */

/*
 * Set file, line and inlined of the frame for the address, and its function if it has none. What
 * is not known stays as it is. The strings are the frame's own. Returns 0 or -ENOMEM.
 */
int vt_source_lines_find(struct vt_source_lines *lines, vt_addr at, struct vt_frame *frame);

#endif
