/*
 * debug_file.h - the file that holds what was stripped from another one, and
 * contents of sections that are compressed.
 */
#ifndef IMAGE_DEBUG_FILE_H
#define IMAGE_DEBUG_FILE_H

#include "image/decode.h"
#include "image/elf.h"

/* Where Debian and others put separate debug files. */
#define VT_DEBUG_DIRECTORY "/usr/lib/debug"

/* What a debug file is found by. */
struct vt_debug_search {
    const struct vt_elf *elf; /* the facts of the file that was stripped */
    const char *path;         /* its name */
    const char *directory;    /* VT_DEBUG_DIRECTORY */
};

/*
 * Open the debug file of `file`: by its build ID, else by its .gnu_debuglink. Only one that
 * is proven to be the right one, by its build ID or checksum. Returns -1 if there is none.
 */
int vt_debug_file_open(const struct vt_elf_file *file, const struct vt_debug_search *search);

/*
 * The contents of a section, decompressed if they are compressed; free() them. Null if they
 * are larger than `limit`, malformed, of an unknown compression or not there, or there is no
 * memory.
 */
unsigned char *vt_section_load(const struct vt_elf_file *file, const GElf_Shdr *section,
                               uint64_t limit, size_t *length);

#endif
