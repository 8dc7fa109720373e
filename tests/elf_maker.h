/*
 * elf_maker.h - ELF files made in memory, well formed or not, without libelf
 * (which is part of what the tests test).
 *
 * Describe a file as an elf_spec, elf_make() it, break it with elf_patch() if
 * it is to be broken, and hand elf_made_fd() to what reads it. Nothing is
 * checked: what the spec says is what the file says.
 */
#ifndef TESTS_ELF_MAKER_H
#define TESTS_ELF_MAKER_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct elf_phdr_spec {
    uint32_t type;
    uint32_t flags;
    uint64_t offset, vaddr, filesz, memsz, align;
};

struct elf_shdr_spec {
    const char *name;
    uint32_t type;
    uint64_t flags, addr, offset, size;
};

struct elf_spec {
    unsigned bits; /* 32 or 64 */
    bool big_endian;
    uint16_t type;
    uint16_t machine;
    uint64_t entry;
    const struct elf_phdr_spec *phdrs; /* the table follows the ELF header */
    size_t phdr_count;
    /* Follow the null section; .shstrtab is added at their end. None: no section headers. */
    const struct elf_shdr_spec *shdrs;
    size_t shdr_count;
    /* Written where a PT_DYNAMIC header says that the dynamic section is. */
    const char *soname; /* DT_SONAME, or null; its string table lies behind the entries */
    uint64_t flags_1;   /* DT_FLAGS_1, 0: none */
    /* Written where the first PT_NOTE says that notes are. */
    const void *build_id;
    size_t build_id_length;
};

struct elf_made {
    unsigned char *bytes;
    size_t length;
    unsigned bits;
    bool big_endian;
    uint64_t phoff;
    uint64_t shoff;
    size_t shdr_count; /* with the null section and .shstrtab */
};

/* Fields that tests patch, by what holds them: the file's header, a program or a section header. */
enum elf_field {
    ELF_E_TYPE,
    ELF_E_PHOFF,
    ELF_E_SHOFF,
    ELF_E_PHENTSIZE,
    ELF_E_PHNUM,
    ELF_E_SHENTSIZE,
    ELF_E_SHNUM,
    ELF_E_SHSTRNDX,
    ELF_P_TYPE,
    ELF_P_FLAGS,
    ELF_P_OFFSET,
    ELF_P_VADDR,
    ELF_P_FILESZ,
    ELF_P_MEMSZ,
    ELF_SH_NAME,
    ELF_SH_TYPE,
    ELF_SH_FLAGS,
    ELF_SH_ADDR,
    ELF_SH_OFFSET,
    ELF_SH_SIZE,
};

struct elf_field_place {
    char holder; /* 'e', 'p' or 's' */
    uint8_t offset32, width32;
    uint8_t offset64, width64;
};

#define ELF_PLACE(holder, struct32, struct64, field)                                               \
    {                                                                                              \
        holder, offsetof(struct32, field), sizeof(((struct32 *)0)->field),                         \
            offsetof(struct64, field), sizeof(((struct64 *)0)->field)                              \
    }

static const struct elf_field_place elf_field_places[] = {
    [ELF_E_TYPE] = ELF_PLACE('e', Elf32_Ehdr, Elf64_Ehdr, e_type),
    [ELF_E_PHOFF] = ELF_PLACE('e', Elf32_Ehdr, Elf64_Ehdr, e_phoff),
    [ELF_E_SHOFF] = ELF_PLACE('e', Elf32_Ehdr, Elf64_Ehdr, e_shoff),
    [ELF_E_PHENTSIZE] = ELF_PLACE('e', Elf32_Ehdr, Elf64_Ehdr, e_phentsize),
    [ELF_E_PHNUM] = ELF_PLACE('e', Elf32_Ehdr, Elf64_Ehdr, e_phnum),
    [ELF_E_SHENTSIZE] = ELF_PLACE('e', Elf32_Ehdr, Elf64_Ehdr, e_shentsize),
    [ELF_E_SHNUM] = ELF_PLACE('e', Elf32_Ehdr, Elf64_Ehdr, e_shnum),
    [ELF_E_SHSTRNDX] = ELF_PLACE('e', Elf32_Ehdr, Elf64_Ehdr, e_shstrndx),
    [ELF_P_TYPE] = ELF_PLACE('p', Elf32_Phdr, Elf64_Phdr, p_type),
    [ELF_P_FLAGS] = ELF_PLACE('p', Elf32_Phdr, Elf64_Phdr, p_flags),
    [ELF_P_OFFSET] = ELF_PLACE('p', Elf32_Phdr, Elf64_Phdr, p_offset),
    [ELF_P_VADDR] = ELF_PLACE('p', Elf32_Phdr, Elf64_Phdr, p_vaddr),
    [ELF_P_FILESZ] = ELF_PLACE('p', Elf32_Phdr, Elf64_Phdr, p_filesz),
    [ELF_P_MEMSZ] = ELF_PLACE('p', Elf32_Phdr, Elf64_Phdr, p_memsz),
    [ELF_SH_NAME] = ELF_PLACE('s', Elf32_Shdr, Elf64_Shdr, sh_name),
    [ELF_SH_TYPE] = ELF_PLACE('s', Elf32_Shdr, Elf64_Shdr, sh_type),
    [ELF_SH_FLAGS] = ELF_PLACE('s', Elf32_Shdr, Elf64_Shdr, sh_flags),
    [ELF_SH_ADDR] = ELF_PLACE('s', Elf32_Shdr, Elf64_Shdr, sh_addr),
    [ELF_SH_OFFSET] = ELF_PLACE('s', Elf32_Shdr, Elf64_Shdr, sh_offset),
    [ELF_SH_SIZE] = ELF_PLACE('s', Elf32_Shdr, Elf64_Shdr, sh_size),
};

/* Write a number of `width` bytes in the file's byte order; what lies outside is dropped. */
static inline void elf_put(struct elf_made *made, uint64_t offset, unsigned width, uint64_t value)
{
    for (unsigned i = 0; i < width; i++) {
        unsigned shift = 8 * (made->big_endian ? width - 1 - i : i);

        if (offset + i < made->length)
            made->bytes[offset + i] = (unsigned char)(value >> shift);
    }
}

static inline void elf_put_bytes(struct elf_made *made, uint64_t offset, const void *bytes,
                                 size_t length)
{
    if (length > 0 && offset <= made->length && length <= made->length - offset)
        memcpy(made->bytes + offset, bytes, length);
}

static inline size_t elf_record_size(const struct elf_made *made, char holder)
{
    bool wide = made->bits == 64;

    switch (holder) {
    case 'e':
        return wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
    case 'p':
        return wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    default:
        return wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
    }
}

/* Give a field another value. `index` counts program or section headers (0 is the null section). */
static inline void elf_patch(struct elf_made *made, enum elf_field field, size_t index,
                             uint64_t value)
{
    const struct elf_field_place *place = &elf_field_places[field];
    uint64_t table = place->holder == 'p' ? made->phoff : place->holder == 's' ? made->shoff : 0;
    uint64_t record = table + index * elf_record_size(made, place->holder);

    if (made->bits == 64)
        elf_put(made, record + place->offset64, place->width64, value);
    else
        elf_put(made, record + place->offset32, place->width32, value);
}

static inline void elf_make_header(struct elf_made *made, const struct elf_spec *spec)
{
    unsigned word = spec->bits / 8;
    uint64_t at = EI_NIDENT;
    const unsigned char ident[EI_NIDENT] = {
        ELFMAG0,
        ELFMAG1,
        ELFMAG2,
        ELFMAG3,
        spec->bits == 64 ? ELFCLASS64 : ELFCLASS32,
        spec->big_endian ? ELFDATA2MSB : ELFDATA2LSB,
        EV_CURRENT,
    };
    const struct {
        unsigned width;
        uint64_t value;
    } fields[] = {
        {2, spec->type},
        {2, spec->machine},
        {4, EV_CURRENT},
        {word, spec->entry},
        {word, spec->phdr_count > 0 ? made->phoff : 0},
        {word, made->shoff},
        {4, 0},
        {2, elf_record_size(made, 'e')},
        {2, elf_record_size(made, 'p')},
        {2, spec->phdr_count},
        {2, elf_record_size(made, 's')},
        {2, made->shdr_count},
        {2, made->shdr_count > 0 ? made->shdr_count - 1 : 0},
    };

    elf_put_bytes(made, 0, ident, sizeof(ident));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        elf_put(made, at, fields[i].width, fields[i].value);
        at += fields[i].width;
    }
}

static inline void elf_make_phdr(struct elf_made *made, size_t index,
                                 const struct elf_phdr_spec *phdr)
{
    elf_patch(made, ELF_P_TYPE, index, phdr->type);
    elf_patch(made, ELF_P_FLAGS, index, phdr->flags);
    elf_patch(made, ELF_P_OFFSET, index, phdr->offset);
    elf_patch(made, ELF_P_VADDR, index, phdr->vaddr);
    elf_patch(made, ELF_P_FILESZ, index, phdr->filesz);
    elf_patch(made, ELF_P_MEMSZ, index, phdr->memsz);
}

static inline void elf_make_shdr(struct elf_made *made, size_t index,
                                 const struct elf_shdr_spec *shdr, uint64_t name)
{
    elf_patch(made, ELF_SH_NAME, index, name);
    elf_patch(made, ELF_SH_TYPE, index, shdr->type);
    elf_patch(made, ELF_SH_FLAGS, index, shdr->flags);
    elf_patch(made, ELF_SH_ADDR, index, shdr->addr);
    elf_patch(made, ELF_SH_OFFSET, index, shdr->offset);
    elf_patch(made, ELF_SH_SIZE, index, shdr->size);
}

static inline void elf_make_dynamic(struct elf_made *made, const struct elf_spec *spec,
                                    const struct elf_phdr_spec *phdr)
{
    unsigned word = spec->bits / 8;
    /* As many entries as there are here, each a tag and a value. */
    uint64_t strings = 2 * word * 5;
    size_t length = spec->soname ? strlen(spec->soname) : 0;
    const struct {
        uint64_t tag, value;
    } entries[] = {
        {DT_STRTAB, phdr->vaddr + strings},
        {DT_STRSZ, length + 2},
        {spec->soname ? DT_SONAME : DT_DEBUG, 1},
        {DT_FLAGS_1, spec->flags_1},
        {DT_NULL, 0},
    };

    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        elf_put(made, phdr->offset + 2 * word * i, word, entries[i].tag);
        elf_put(made, phdr->offset + 2 * word * i + word, word, entries[i].value);
    }
    elf_put_bytes(made, phdr->offset + strings + 1, spec->soname, length);
}

static inline void elf_make_note(struct elf_made *made, const struct elf_spec *spec,
                                 const struct elf_phdr_spec *phdr)
{
    elf_put(made, phdr->offset, 4, sizeof("GNU"));
    elf_put(made, phdr->offset + 4, 4, spec->build_id_length);
    elf_put(made, phdr->offset + 8, 4, NT_GNU_BUILD_ID);
    elf_put_bytes(made, phdr->offset + 12, "GNU", sizeof("GNU"));
    elf_put_bytes(made, phdr->offset + 16, spec->build_id, spec->build_id_length);
}

/* Make the file. The bytes are zero where the spec says nothing. Free with elf_made_deinit(). */
static inline struct elf_made elf_make(const struct elf_spec *spec)
{
    struct elf_made made = {.bits = spec->bits, .big_endian = spec->big_endian};
    struct elf_shdr_spec names = {".shstrtab", SHT_STRTAB, 0, 0, 0, 1};
    bool noted = false;

    made.phoff = elf_record_size(&made, 'e');
    made.length = made.phoff + spec->phdr_count * elf_record_size(&made, 'p');
    for (size_t i = 0; i < spec->phdr_count; i++) {
        uint64_t end = spec->phdrs[i].offset + spec->phdrs[i].filesz;

        /* A bogus size makes no large file. */
        if (end > made.length && end < 1 << 20)
            made.length = end;
    }
    if (spec->shdr_count > 0) {
        made.shdr_count = spec->shdr_count + 2;
        names.offset = made.length;
        names.size += sizeof(".shstrtab");
        for (size_t i = 0; i < spec->shdr_count; i++)
            names.size += strlen(spec->shdrs[i].name) + 1;
        made.shoff = (names.offset + names.size + 7) & ~UINT64_C(7);
        made.length = made.shoff + made.shdr_count * elf_record_size(&made, 's');
    }
    made.bytes = calloc(1, made.length);
    if (!made.bytes)
        abort();

    elf_make_header(&made, spec);
    for (size_t i = 0; i < spec->phdr_count; i++) {
        elf_make_phdr(&made, i, &spec->phdrs[i]);
        if (spec->phdrs[i].type == PT_DYNAMIC)
            elf_make_dynamic(&made, spec, &spec->phdrs[i]);
        if (spec->phdrs[i].type == PT_NOTE && spec->build_id && !noted) {
            elf_make_note(&made, spec, &spec->phdrs[i]);
            noted = true;
        }
    }
    for (size_t i = 0, name = 1; spec->shdr_count > 0 && i <= spec->shdr_count; i++) {
        const struct elf_shdr_spec *shdr = i < spec->shdr_count ? &spec->shdrs[i] : &names;

        elf_make_shdr(&made, i + 1, shdr, name);
        elf_put_bytes(&made, names.offset + name, shdr->name, strlen(shdr->name));
        name += strlen(shdr->name) + 1;
    }
    return made;
}

static inline void elf_made_deinit(struct elf_made *made)
{
    free(made->bytes);
    *made = (struct elf_made){0};
}

/* The first `length` bytes as an open file without a name; -1 if there can be none. */
static inline int elf_made_fd(const struct elf_made *made, size_t length)
{
    int fd = memfd_create("elf", MFD_CLOEXEC);

    if (fd >= 0 && write(fd, made->bytes, length) != (ssize_t)length) {
        close(fd);
        fd = -1;
    }
    return fd;
}

#endif
