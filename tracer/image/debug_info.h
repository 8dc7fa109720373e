/*
 * debug_info.h - the debug information of one ELF file, as libdw reads it, but out of
 * memory of ours: libdw is given no file, no name of one and nothing that leads to one.
 *
 * Only what names, lines and inlined functions need is taken, and of the large sections, where
 * they are not compressed, only those units that are asked for: a program may have gigabytes.
 */
#ifndef IMAGE_DEBUG_INFO_H
#define IMAGE_DEBUG_INFO_H

#include <elfutils/libdw.h>

#include "image/debug_file.h"
#include "image/line_rows.h"

struct vt_debug_info;

/*
 * Read what is in an open file, and in the one that it shares contents of with others:
 * that one is searched for in `directory`. The descriptor is duplicated. Null if there is none,
 * or no memory.
 */
struct vt_debug_info *vt_debug_info_read(int fd, const char *directory);
void vt_debug_info_destroy(struct vt_debug_info *info); /* null is allowed */

/*
 * libdw's view of it. Of a unit's entries only the beginning of the first is there before
 * vt_debug_info_load() or vt_debug_info_load_first(); what is not is zeros. A unit of it whose
 * contents are in a file of its own (see vt_debug_info_is_split()) may be asked for lines only:
 * libdw would open that file.
 */
Dwarf *vt_debug_info_dwarf(const struct vt_debug_info *info);

/* Have all of this first entry of a unit there, however long it is. */
void vt_debug_info_load_first(struct vt_debug_info *info, Dwarf_Die *unit);

/* Have all there that libdw reads of the entries of the unit with this first one. */
void vt_debug_info_load(struct vt_debug_info *info, Dwarf_Die *unit);

/*
 * The names of the source files that a loaded unit is from, in the order in which its line number
 * program counts them. libdw would keep all of the program's rows with them, which take much more
 * than names do, and is shown its head alone: its own functions for lines know none from then on.
 * rows: the program is run into them (vt_line_rows_read(), `most` included). False if there is none
 * that makes sense.
 */
bool vt_debug_info_lines(struct vt_debug_info *info, Dwarf_Die *unit, struct vt_line_rows *rows,
                         size_t most, Dwarf_Files **files);

/* Is the unit with this entry only what is left where its contents went to a .dwo file? */
bool vt_debug_info_is_split(Dwarf_Die *unit);

#endif
