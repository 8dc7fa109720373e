/*
 * unwind_tables.h - what one ELF file says about leaving each of its functions:
 * .eh_frame, and .debug_frame for what that does not cover.
 *
 * Read once, into memory of our own: a file that is changed or cut short
 * afterwards changes nothing here. All addresses are the file's own (no load
 * bias). The file is untrusted: what is malformed is left out.
 */
#ifndef IMAGE_UNWIND_TABLES_H
#define IMAGE_UNWIND_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vastrace/error.h>
#include <vastrace/layout.h>

struct vt_unwind_tables;

/* One frame description entry. */
struct vt_unwind_entry {
    vt_addr start; /* the code that it is for */
    vt_addr end;
    vt_addr at;        /* where the entry itself lies, for vt_unwind_tables_word() */
    bool signal_frame; /* a signal handler returns to this code: its caller was interrupted */
};

/*
 * Read the tables of an open file, which stays the caller's. Returns 0, a
 * negative failure, or 1 if there are none; *tables is then null.
 */
int vt_unwind_tables_read(int fd, struct vt_unwind_tables **tables, struct vt_error *err);
void vt_unwind_tables_destroy(struct vt_unwind_tables *tables); /* null is allowed */

/* The entry for the code at `address`; null if there is none. */
const struct vt_unwind_entry *vt_unwind_tables_find(const struct vt_unwind_tables *tables,
                                                    vt_addr address);

/*
 * The 8 bytes of the tables at an address that is a multiple of 8, in the
 * file's byte order (little endian); bytes outside of the tables read 0.
 * Returns false if all 8 are outside.
 */
bool vt_unwind_tables_word(const struct vt_unwind_tables *tables, vt_addr address, uint64_t *word);

/* How many entries there are. */
size_t vt_unwind_tables_count(const struct vt_unwind_tables *tables);

#endif
