/*
 * unwind_tables.h - what one ELF file says about leaving each of its functions:
 * .eh_frame, and .debug_frame for what that does not cover, be it in the file
 * or in its separate debug file.
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

#include "image/cursor.h"
#include "image/debug_file.h"

struct vt_unwind_tables;

/* One frame description entry. */
struct vt_unwind_entry {
    vt_addr start; /* the code that it is for */
    vt_addr end;
    vt_addr at;        /* where the entry itself lies, for vt_unwind_tables_word() */
    bool signal_frame; /* a signal handler returns to this code: its caller was interrupted */
};

/*
 * Read the tables of an open file, which stays the caller's. Where they leave much of
 * its code out, those of its separate debug file are looked for, unless `search` is null.
 * Returns 0, a negative failure, or 1 if there are none; *tables is then null.
 */
int vt_unwind_tables_read(int fd, const struct vt_debug_search *search,
                          struct vt_unwind_tables **tables, struct vt_error *err);
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

/*
 * What an entry says, still as instructions (DWARF 5, 6.4.2). They lie in the
 * tables, and end somewhere: nothing else of them has been checked.
 */
struct vt_unwind_program {
    struct vt_cursor common; /* what holds at the start of each function of this kind */
    struct vt_cursor own;    /* what changes on the way through this one */
    vt_addr start;           /* of the code, where both begin */
    uint64_t code_alignment;
    int64_t data_alignment;
    uint64_t return_register; /* the column of the return address */

    /* for vt_unwind_program_address() */
    unsigned char encoding;
    unsigned address_size;
    const unsigned char *bytes;
    vt_addr bytes_at;
};

/* The program of an entry of these tables. Returns false if it is malformed. */
bool vt_unwind_tables_program(const struct vt_unwind_tables *tables,
                              const struct vt_unwind_entry *entry,
                              struct vt_unwind_program *program);

/* Take an address of code out of the program's instructions (DW_CFA_set_loc). */
bool vt_unwind_program_address(const struct vt_unwind_program *program, struct vt_cursor *c,
                               vt_addr *address);

/* How many entries there are. */
size_t vt_unwind_tables_count(const struct vt_unwind_tables *tables);

#endif
