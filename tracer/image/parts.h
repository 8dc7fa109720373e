/*
 * parts.h - divides an ELF image into its parts.
 */
#ifndef IMAGE_PARTS_H
#define IMAGE_PARTS_H

#include "image/decode.h"
#include "image/elf.h"

/*
 * Fill elf->parts and elf->has_sections from the file's section headers and
 * from what elf has already: segments, load span, relro, tls. Sections that
 * are not plausible count as not there. Returns 0 or -errno.
 */
int vt_elf_make_parts(struct vt_elf *elf, const struct vt_elf_file *file);

/* The first segment that ends above vaddr; elf->segment_count if none does. */
size_t vt_elf_segment_above(const struct vt_elf *elf, vt_addr vaddr);

/* The first part that ends above vaddr; elf->part_count if none does. */
size_t vt_elf_part_above(const struct vt_elf *elf, vt_addr vaddr);

#endif
