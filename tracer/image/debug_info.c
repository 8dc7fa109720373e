/*
 * debug_info.c - hides how libdw is kept from opening files.
 *
 * libdw follows what a file says of others by itself: .gnu_debugaltlink, the .dwo files of
 * split units. A traced program chooses what stands there; it may be a FIFO, which would
 * be waited for, or anybody's file. Its own way of reading is no better: it maps a file,
 * and one that is cut short afterwards would end the tracer (SIGBUS). So
 * the sections are read here, into an ELF image in memory that has no others.
 * That also leaves out those that are never needed, which for a compressed file is most
 * of what reading it costs.
 */
#include "image/debug_info.h"

#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

/* A limit against files made to use up memory; those of the largest browsers are near to it. */
#define IMAGE_BYTES_MAX (UINT64_C(2) << 30)

/* Names without the dot, as .debug_NAME and (compressed in the old way) .zdebug_NAME. */
static const char *const wanted[] = {
    "info", "types",   "abbrev", "line",     "line_str",    "str",
    "addr", "aranges", "ranges", "rnglists", "str_offsets",
};
enum {
    WANTED = VT_COUNTOF(wanted),
    PREFIX = sizeof(".debug_") - 1,
    NAME_ROOM = PREFIX + sizeof("str_offsets"),
    HEADERS = WANTED + 2, /* the first, which is empty, and the names' */
};

struct vt_debug_info {
    unsigned char *image;
    Elf *elf;
    Dwarf *dwarf;
    struct vt_debug_info *shared; /* null: with nobody */
};

/* ---- an image -------------------------------------------------------------------- */

/* The sections of the file, in the order of `wanted`: all 0 if there is none, and its length. */
static void find_sections(const struct vt_elf_file *file, GElf_Shdr *found, uint64_t *lengths)
{
    char names[2 * WANTED][NAME_ROOM + 1];
    const char *pointers[2 * WANTED];
    GElf_Shdr both[2 * WANTED];

    for (size_t i = 0; i < VT_COUNTOF(both); i++) {
        snprintf(names[i], sizeof(names[i]), ".%sdebug_%s", i < WANTED ? "" : "z",
                 wanted[i % WANTED]);
        pointers[i] = names[i];
    }
    vt_elf_file_sections(file, pointers, VT_COUNTOF(both), both);
    for (size_t i = 0; i < WANTED; i++) {
        found[i] = both[i].sh_size ? both[i] : both[WANTED + i];
        lengths[i] = found[i].sh_size ? vt_section_length(file, &found[i]) : 0;
    }
}

/* One format of headers; both are of this machine's byte order. */
#define WRITE_HEADERS(bits)                                                                        \
    static void write_headers_##bits(unsigned char *image, const GElf_Ehdr *like,                  \
                                     const GElf_Shdr *sections)                                    \
    {                                                                                              \
        Elf##bits##_Ehdr head = {                                                                  \
            .e_type = like->e_type,                                                                \
            .e_machine = like->e_machine,                                                          \
            .e_version = EV_CURRENT,                                                               \
            .e_shoff = sizeof(head),                                                               \
            .e_ehsize = sizeof(head),                                                              \
            .e_shentsize = sizeof(Elf##bits##_Shdr),                                               \
            .e_shnum = HEADERS,                                                                    \
            .e_shstrndx = HEADERS - 1,                                                             \
        };                                                                                         \
        memcpy(head.e_ident, like->e_ident, EI_NIDENT);                                            \
        memcpy(image, &head, sizeof(head));                                                        \
        for (size_t i = 0; i < HEADERS; i++) {                                                     \
            const Elf##bits##_Shdr section = {                                                     \
                .sh_name = sections[i].sh_name,                                                    \
                .sh_type = sections[i].sh_type,                                                    \
                .sh_offset = (Elf##bits##_Off)sections[i].sh_offset,                               \
                .sh_size = (Elf##bits##_Word)sections[i].sh_size,                                  \
                .sh_addralign = 1,                                                                 \
            };                                                                                     \
            memcpy(image + sizeof(head) + i * sizeof(section), &section, sizeof(section));         \
        }                                                                                          \
    }

WRITE_HEADERS(32)
WRITE_HEADERS(64)

static unsigned char *read_image(const struct vt_elf_file *file, size_t *size)
{
    char names[HEADERS * NAME_ROOM] = "";
    GElf_Shdr found[WANTED], sections[HEADERS] = {0};
    uint64_t lengths[WANTED], end = 4096; /* the headers are in front, the names behind them */
    size_t named = 1;

    _Static_assert(sizeof(Elf64_Ehdr) + HEADERS * sizeof(Elf64_Shdr) + sizeof(names) <= 4096,
                   "room for what is in front of the contents");
    find_sections(file, found, lengths);
    if (!lengths[0]) /* .debug_info */
        return NULL;
    for (size_t i = 0; i < WANTED; i++) {
        if (!lengths[i] || lengths[i] >= IMAGE_BYTES_MAX - end)
            continue;
        sections[i + 1] = (GElf_Shdr){.sh_name = (GElf_Word)named,
                                      .sh_type = SHT_PROGBITS,
                                      .sh_offset = end,
                                      .sh_size = lengths[i]};
        named += (size_t)snprintf(names + named, sizeof(names) - named, ".debug_%s", wanted[i]) + 1;
        /* With a 0 behind it: libdw reads strings up to one, come what may. */
        end = vt_round_up(end + lengths[i] + 1, 8);
    }
    sections[HEADERS - 1] = (GElf_Shdr){
        .sh_type = SHT_STRTAB, .sh_offset = 4096 - sizeof(names), .sh_size = sizeof(names)};
    unsigned char *image = calloc(1, (size_t)end);
    if (!image)
        return NULL;
    memcpy(image + 4096 - sizeof(names), names, sizeof(names));
    for (size_t i = 0; i < WANTED; i++) {
        GElf_Shdr *section = &sections[i + 1];
        if (section->sh_size &&
            !vt_section_read(file, &found[i], image + section->sh_offset, (size_t)section->sh_size))
            *section = (GElf_Shdr){0};
    }
    if (file->wide)
        write_headers_64(image, &file->header, sections);
    else
        write_headers_32(image, &file->header, sections);
    *size = (size_t)end;
    return image;
}

/* ---- libdw's view ------------------------------------------------------------------ */

static struct vt_debug_info *read_one(const struct vt_elf_file *file)
{
    struct vt_debug_info *info = calloc(1, sizeof(*info));
    size_t size;

    if (!info)
        return NULL;
    info->image = read_image(file, &size);
    info->elf = info->image ? elf_memory((char *)info->image, size) : NULL;
    info->dwarf = info->elf ? dwarf_begin_elf(info->elf, DWARF_C_READ, NULL) : NULL;
    if (info->dwarf)
        return info;
    vt_debug_info_destroy(info);
    return NULL;
}

static struct vt_debug_info *read_shared(const struct vt_elf_file *file, const char *directory)
{
    struct vt_debug_info *info = NULL;
    struct vt_elf_file shared;
    int fd = vt_debug_file_open_shared(file, directory);

    if (fd < 0)
        return NULL;
    if (vt_elf_file_init(&shared, fd, NULL) == 0 && shared.encode == ELFDATA2LSB)
        info = read_one(&shared);
    close(fd);
    return info;
}

struct vt_debug_info *vt_debug_info_read(int fd, const char *directory)
{
    struct vt_elf_file file;

    if (vt_elf_file_init(&file, fd, NULL) != 0 || file.encode != ELFDATA2LSB)
        return NULL;
    struct vt_debug_info *info = read_one(&file);
    if (!info)
        return NULL;
    info->shared = read_shared(&file, directory);
    if (info->shared)
        dwarf_setalt(info->dwarf, info->shared->dwarf);
    return info;
}

void vt_debug_info_destroy(struct vt_debug_info *info)
{
    if (!info)
        return;
    if (info->dwarf)
        dwarf_end(info->dwarf);
    if (info->elf)
        elf_end(info->elf);
    vt_debug_info_destroy(info->shared);
    free(info->image);
    free(info);
}

Dwarf *vt_debug_info_dwarf(const struct vt_debug_info *info)
{
    return info->dwarf;
}

bool vt_debug_info_is_split(Dwarf_Die *unit)
{
    return dwarf_hasattr(unit, DW_AT_dwo_name) || dwarf_hasattr(unit, DW_AT_GNU_dwo_name);
}
