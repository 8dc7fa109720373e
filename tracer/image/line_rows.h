/*
 * line_rows.h - which source line an address has, from a DWARF line number program: a table of
 * rows, as a small machine's instructions make it (DWARF 5, section 6.2; versions 2 to 5).
 *
 * libdw reads such programs, too, but keeps each row in a block of memory of its own and sorts
 * them all: that was two thirds of what it took to find the lines of a large program's stacks. It
 * still reads the names of the files, which are in the program's head.
 */
#ifndef IMAGE_LINE_ROWS_H
#define IMAGE_LINE_ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <vastrace/layout.h>

/* From this address on up to the next row's. */
struct vt_line_row {
    vt_addr address;
    uint32_t file; /* its number, as the program counts; VT_LINE_NONE: no code */
    uint32_t line; /* 0: of none */
};
#define VT_LINE_NONE UINT32_MAX

/* Zero-initialised is empty. */
struct vt_line_rows {
    struct vt_line_row *items; /* ascending by address */
    size_t count;
    size_t capacity;
};
void vt_line_rows_deinit(struct vt_line_rows *rows);

/*
 * Run the program that is in these bytes, from its length on, to its end. Returns how long its head
 * is, with its length; 0 if it is malformed, of an unknown version, makes more rows than `most`, or
 * there is no memory: then what could be read may be there.
 */
size_t vt_line_rows_read(struct vt_line_rows *rows, const unsigned char *program, size_t size,
                         size_t most);

/* The row that holds the address; null if none does. */
const struct vt_line_row *vt_line_rows_at(const struct vt_line_rows *rows, vt_addr address);

#endif
