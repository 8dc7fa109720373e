/*
 * symbols.h - from an address in an ELF file to function, source line and
 * inlined functions, through elfutils' libdw.
 *
 * Slow (a file's symbols and debug information are read when they are first
 * asked for): never while a tracee is stopped, and once an address. Debug files are those that
 * vt_debug_file_open() finds, or vt_debug_file_ask(); libdw finds none by itself. Their symbols
 * cost little. Their debug information is compressed, as a rule, and has to be unpacked as a
 * whole before the first address is found in it: tens of milliseconds for a C library's.
 */
#ifndef IMAGE_SYMBOLS_H
#define IMAGE_SYMBOLS_H

#include <vastrace/error.h>
#include <vastrace/stack.h>

#include "image/elf.h"

struct vt_symbols;

/*
 * The symbols of an open ELF file, of which the descriptor is duplicated and whose facts,
 * `elf`, stay there until the last vt_symbols_find().
 * path: its name, by which a debug file may be found; debug_directory:
 * absolute. debug_files: also source lines and inlined functions are taken from a debug file, where
 * the file has none itself, and servers are asked; else only names of functions. Null when out of
 * memory or descriptors. What the file holds is not looked at yet.
 */
struct vt_symbols *vt_symbols_create(int fd, const struct vt_elf *elf, const char *path,
                                     const char *debug_directory, bool debug_files);
void vt_symbols_destroy(struct vt_symbols *symbols); /* null is allowed */

/*
 * Fill function, offset, file, line and inlined of a frame whose address and
 * `interrupted` are set. What is not known stays as it is (zero). The strings are the
 * frame's own: vt_frame_clear(). Returns 0 or -ENOMEM.
 */
int vt_symbols_find(struct vt_symbols *symbols, struct vt_frame *frame);

/* Free what vt_symbols_find() gave the frame. */
void vt_frame_clear(struct vt_frame *frame);

#endif
