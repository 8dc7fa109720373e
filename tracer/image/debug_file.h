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
 * Ask the servers that the user's DEBUGINFOD_URLS names, if any, for the debug file with the
 * build ID of `elf`. May take as long as the network does. -1 if there is none.
 */
int vt_debug_file_ask(const struct vt_elf *elf);

/*
 * Open the file that a debug file shares contents of with others, as its .gnu_debugaltlink
 * names it: in `directory` only, and only one with the build ID that is told there. -1 if
 * there is none.
 */
int vt_debug_file_open_shared(const struct vt_elf_file *file, const char *directory);

/*
 * The contents of a section, decompressed if they are compressed; free() them. Null if they
 * are larger than `limit`, malformed, of an unknown compression or not there, or there is no
 * memory.
 */
unsigned char *vt_section_load(const struct vt_elf_file *file, const GElf_Shdr *section,
                               uint64_t limit, size_t *length);

/* How long the contents are, decompressed. 0 if they are malformed, unreadable or not there. */
uint64_t vt_section_length(const struct vt_elf_file *file, const GElf_Shdr *section);

/* Are they as they stand in the file: readable, and not compressed? */
bool vt_section_is_plain(const struct vt_elf_file *file, const GElf_Shdr *section);

/*
 * Put them, decompressed, to where there is room for exactly as many as vt_section_length()
 * told. Returns false if they cannot be had; what is at `to` then is undefined.
 */
bool vt_section_read(const struct vt_elf_file *file, const GElf_Shdr *section, unsigned char *to,
                     size_t length);

#endif
