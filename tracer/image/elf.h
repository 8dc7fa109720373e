/*
 * elf.h - what one ELF file says about the memory it is loaded into.
 *
 * The file is untrusted: every bound is checked, and a malformed one gives
 * fewer facts, never wrong memory accesses. Sections refine segments where
 * they are there and plausible; a stripped file has segments only.
 * Nothing of libelf shows here.
 */
#ifndef IMAGE_ELF_H
#define IMAGE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vastrace/error.h>
#include <vastrace/event.h>
#include <vastrace/layout.h>

/* A PT_LOAD program header; exact bytes, ascending by vaddr. */
struct vt_elf_segment {
    vt_addr vaddr;
    uint64_t memsz;
    uint64_t offset;
    uint64_t filesz;
    uint8_t prot; /* enum vt_prot from p_flags */
};

struct vt_elf {
    unsigned class_bits; /* 32 or 64 */
    uint16_t type;       /* ET_EXEC, ET_DYN, ... */
    uint16_t machine;    /* EM_X86_64, ... */
    vt_addr entry;
    vt_addr phdr_vaddr; /* of the program headers: PT_PHDR's, else by offset; 0 unknown */
    bool has_interpreter;
    bool has_sections; /* section headers were there and plausible */
    /* By type, interpreter, DF_1_PIE and soname; a library and an interpreter are UNKNOWN. */
    enum vt_program_type program_type;

    struct vt_elf_segment *segments; /* PT_LOAD, ascending, not overlapping */
    size_t segment_count;
    vt_addr load_start; /* page-rounded span of all segments */
    vt_addr load_end;

    vt_addr relro_start; /* PT_GNU_RELRO, exact; equal where there is none */
    vt_addr relro_end;
    vt_addr tls_start; /* PT_TLS's initial image (p_filesz), exact; equal where there is none */
    vt_addr tls_end;

    /*
     * The image by section bounds (a segment without sections: by its own), ascending, not
     * overlapping. Padding between parts of different kinds belongs to none.
     */
    struct vt_part *parts;
    size_t part_count;

    struct vt_build_id build_id;
    char *soname; /* DT_SONAME, or null */
};

/*
 * Parse an open file. The descriptor stays the caller's and is not kept.
 * Returns 0, a negative failure (-ENOMEM, -EIO, ...), or 1 if this is no ELF
 * file for loading (no magic, a relocatable, no PT_LOAD, cut short before its
 * program headers); *elf is then null.
 */
int vt_elf_read(int fd, struct vt_elf **elf, struct vt_error *err);
void vt_elf_destroy(struct vt_elf *elf); /* null is allowed */

/*
 * Is a mapping of file bytes [offset, offset + length) at address `start` the
 * work of a program loader, and with which load bias? True if one of these
 * holds, and then *bias is set:
 *  - the page-rounded file range of a PT_LOAD holds `offset` and prot is what
 *    that segment asks for, executable (the kernel's ELF loader, ld.so);
 *  - the mapping begins at the first segment's file page and is as long as the
 *    load span (ld.so's first mapping, which reserves all).
 * In both the bias must be whole pages, and 0 for an ET_EXEC. That the mapping
 * is private is the caller's to know.
 */
bool vt_elf_is_load(const struct vt_elf *elf, vt_addr start, uint64_t length, uint64_t offset,
                    uint8_t prot, uint64_t *bias);

/*
 * The kind of the page at file address `vaddr` (page-aligned, without bias)
 * of a mapping: file_backed with the file's byte `offset` there, or anonymous.
 * *end receives where that kind ends at the latest (page-aligned file
 * address; above vaddr, but for the last page of all, above which there is none).
 * The rules:
 *   PROT_NONE is RESERVE;
 *   executable, and not in a segment that is writable and not executable, is TEXT;
 *   file-backed, in a writable segment and with the offset that this segment
 *     has there: RELRO if the page lies in PT_GNU_RELRO's whole pages, TLS if
 *     all of the page's bytes that the image uses are .tdata, BSS if all are
 *     bss, else DATA;
 *   anonymous and writable, or in a writable segment: as above for RELRO, else BSS;
 *   otherwise, in the load span: RODATA;
 *   outside of it: FILE if file-backed, else ANON.
 */
uint8_t vt_elf_kind_at(const struct vt_elf *elf, vt_addr vaddr, bool file_backed, uint64_t offset,
                       uint8_t prot, vt_addr *end);

/* The parts that overlap [start, end) (file addresses, no bias): a slice of elf->parts. */
void vt_elf_parts(const struct vt_elf *elf, vt_addr start, vt_addr end,
                  const struct vt_part **parts, size_t *count);

#endif
