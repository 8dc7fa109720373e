/*
 * decode.h - the bytes of one ELF file, read in bounded pieces and converted by
 * libelf to 64-bit records in this machine's byte order, whatever the file's
 * own class and byte order are.
 *
 * Only the image layer includes this; it is where libelf's types may be seen.
 */
#ifndef IMAGE_DECODE_H
#define IMAGE_DECODE_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <vastrace/error.h>

/* The most records that one call of a vt_elf_file_ reader converts. */
#define VT_ELF_FILE_CHUNK 64

struct vt_elf_file {
    int fd;          /* the caller's; read with pread(2), its position is not used */
    bool wide;       /* ELFCLASS64 */
    unsigned encode; /* ELFDATA2LSB or ELFDATA2MSB */
    GElf_Ehdr header;
};

/*
 * Read and check the file's header; owns nothing, so there is no deinit.
 * Returns 0, a negative failure, or 1: not an ELF file of a known class and
 * byte order, not for loading (ET_EXEC and ET_DYN are), or cut short.
 */
int vt_elf_file_init(struct vt_elf_file *file, int fd, struct vt_error *err);

/* Bytes at `offset`: how many there were, below `length` only at the end of the file; or -errno. */
ssize_t vt_elf_file_bytes(const struct vt_elf_file *file, uint64_t offset, void *bytes,
                          size_t length);

/*
 * Convert `count` (1..VT_ELF_FILE_CHUNK) records that lie at `offset`, one
 * after the other. Returns 0, -errno, or 1 if the file ends before they do.
 */
int vt_elf_file_phdrs(const struct vt_elf_file *file, uint64_t offset, size_t count,
                      GElf_Phdr *phdrs);
int vt_elf_file_shdrs(const struct vt_elf_file *file, uint64_t offset, size_t count,
                      GElf_Shdr *shdrs);
int vt_elf_file_dyns(const struct vt_elf_file *file, uint64_t offset, size_t count, GElf_Dyn *dyns);

/*
 * The headers of the sections that bear these names (shorter than 24 bytes) and have
 * contents in the file; found[i] is for names[i], all 0 if there is none. How many there are.
 */
size_t vt_elf_file_sections(const struct vt_elf_file *file, const char *const *names, size_t count,
                            GElf_Shdr *found);

/* The size of one record in the file. */
size_t vt_elf_file_phdr_size(const struct vt_elf_file *file);
size_t vt_elf_file_shdr_size(const struct vt_elf_file *file);
size_t vt_elf_file_dyn_size(const struct vt_elf_file *file);

/* A 4-byte word of the file's byte order, as in notes. */
uint32_t vt_elf_file_word(const struct vt_elf_file *file, const unsigned char bytes[4]);

#endif
