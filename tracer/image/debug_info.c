/*
 * debug_info.c - hides how libdw is kept from opening files, and what of a file is read when.
 *
 * libdw follows what a file says of others by itself: .gnu_debugaltlink, the .dwo files of
 * split units. A traced program chooses what stands there; it may be a FIFO, which would
 * be waited for, or anybody's file. Its own way of reading is no better: it maps a file,
 * and one that is cut short afterwards would end the tracer (SIGBUS). So
 * the sections are read here, into an ELF image in memory that has no others.
 *
 * The image has room for whole sections, but the pages of the large ones are read when a unit on
 * them is asked for; memory that was never written to costs nothing. What libdw looks at by itself,
 * on its way from unit to unit, is there from the beginning: their headers and first entries.
 *
 * Invariant: a page of a section that is not there holds zeros, which libdw takes for padding.
 */
#include "image/debug_info.h"

#include <dwarf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "image/cursor.h"

/* A limit against files made to use up memory; those of the largest browsers are near to it. */
#define IMAGE_BYTES_MAX (UINT64_C(2) << 30)

/* Names without the dot, as .debug_NAME and (compressed in the old way) .zdebug_NAME. */
static const char *const wanted[] = {
    "info", "types",   "abbrev", "line",     "line_str",    "str",
    "addr", "aranges", "ranges", "rnglists", "str_offsets",
};
enum { INFO, TYPES, ABBREV, LINE }; /* where these are in it */
enum {
    WANTED = VT_COUNTOF(wanted),
    PREFIX = sizeof(".debug_") - 1,
    NAME_ROOM = PREFIX + sizeof("str_offsets"),
    HEADERS = WANTED + 2, /* the first, which is empty, and the names' */
};

enum {
    PAGE = 4096,
    UNIT_HEAD = 1024, /* of a unit, what is there from the beginning: mostly 100 bytes are used */
};

/* A section in the image. */
struct part {
    unsigned char *bytes; /* null: there is none */
    size_t size;
    uint64_t offset;      /* in the file */
    unsigned char *there; /* a bit a page: has it been read? Null: all have */
};

struct vt_debug_info {
    struct vt_elf_file file; /* with a descriptor of its own */
    unsigned char *image;
    struct part parts[WANTED];
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

/*
 * Lay the image out and read the sections; those that are read by and by, where `whole` does not
 * forbid it, are only given their place.
 */
static bool read_image(struct vt_debug_info *info, bool whole, size_t *size)
{
    char names[HEADERS * NAME_ROOM] = "";
    GElf_Shdr found[WANTED], sections[HEADERS] = {0};
    uint64_t lengths[WANTED], end = 4096; /* the headers are in front, the names behind them */
    size_t named = 1;

    _Static_assert(sizeof(Elf64_Ehdr) + HEADERS * sizeof(Elf64_Shdr) + sizeof(names) <= 4096,
                   "room for what is in front of the contents");
    find_sections(&info->file, found, lengths);
    if (!lengths[INFO])
        return false;
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
    info->image = calloc(1, (size_t)end);
    if (!info->image)
        return false;
    memcpy(info->image + 4096 - sizeof(names), names, sizeof(names));
    for (size_t i = 0; i < WANTED; i++) {
        GElf_Shdr *section = &sections[i + 1];
        struct part *part = &info->parts[i];
        if (!section->sh_size)
            continue;
        *part = (struct part){.bytes = info->image + section->sh_offset,
                              .size = (size_t)section->sh_size,
                              .offset = found[i].sh_offset};
        if (!whole && (i == INFO || i == TYPES || i == LINE) &&
            vt_section_is_plain(&info->file, &found[i]))
            part->there = calloc(1, part->size / PAGE / 8 + 1);
        if (!part->there && !vt_section_read(&info->file, &found[i], part->bytes, part->size)) {
            *section = (GElf_Shdr){0};
            *part = (struct part){0};
        }
    }
    if (info->file.wide)
        write_headers_64(info->image, &info->file.header, sections);
    else
        write_headers_32(info->image, &info->file.header, sections);
    *size = (size_t)end;
    return true;
}

/* ---- by and by ----------------------------------------------------------------------- */

static bool is_there(const struct part *part, size_t page)
{
    return part->there[page / 8] >> page % 8 & 1;
}

/* Read the pages that hold [from, from + length) of the section, if they are not there. */
static void need(struct vt_debug_info *info, struct part *part, uint64_t from, uint64_t length)
{
    if (!part->there || from >= part->size || !length)
        return;
    size_t page = (size_t)from / PAGE;
    size_t behind = ((size_t)(from + vt_min(length, part->size - from)) - 1) / PAGE + 1;
    while (page < behind) {
        size_t first = page;
        for (; page < behind && !is_there(part, page); page++)
            part->there[page / 8] |= (unsigned char)(1 << page % 8);
        size_t begin = first * PAGE, end = (size_t)vt_min(page * PAGE, part->size);
        /* What cannot be read any more stays zeros. */
        if (page > first)
            vt_elf_file_bytes(&info->file, part->offset + begin, part->bytes + begin, end - begin);
        else
            page++;
    }
}

/* What is in front of a unit's entries. */
struct head {
    uint64_t end;    /* of the unit, in its section */
    uint64_t abbrev; /* where its abbreviations are, in theirs */
};

/* Make the length here what it would be if it and what follows it were of `size` bytes. */
static void write_length(unsigned char *bytes, size_t size)
{
    bool wide = !memcmp(bytes, "\xff\xff\xff\xff", 4);
    uint64_t length = size - (wide ? 12 : 4);

    for (size_t i = 0; i < (wide ? 8 : 4); i++)
        bytes[(wide ? 4 : 0) + i] = (unsigned char)(length >> 8 * i);
}

static struct vt_cursor cursor_at(const struct part *part, uint64_t offset)
{
    if (!part->bytes)
        return (struct vt_cursor){.bad = true};
    return (struct vt_cursor){part->bytes + vt_min(offset, part->size), part->bytes + part->size,
                              false};
}

/* The unit at this offset of .debug_info. False if there is none that makes sense. */
static bool read_head(struct vt_debug_info *info, uint64_t offset, struct head *head)
{
    struct part *part = &info->parts[INFO];
    struct vt_cursor c;
    size_t word;

    need(info, part, offset, UNIT_HEAD);
    c = cursor_at(part, offset);
    uint64_t length = vt_take_length(&c, &word);
    uint64_t behind = (uint64_t)(c.at - part->bytes);
    if (vt_take(&c, 2) >= 5)
        vt_skip(&c, 2); /* the unit's type, an address's size */
    head->abbrev = vt_take(&c, word);
    head->end = behind + length;
    return !c.bad && length <= part->size - behind;
}

/* libdw goes from unit to unit to find one. */
static void read_heads(struct vt_debug_info *info)
{
    struct head head;

    for (uint64_t at = 0; info->parts[INFO].there && read_head(info, at, &head); at = head.end)
        ;
}

/* May an entry that these abbreviations describe lead to one of another unit? */
static bool leads_outside(const struct vt_debug_info *info, uint64_t abbrev)
{
    struct vt_cursor c = cursor_at(&info->parts[ABBREV], abbrev);

    while (vt_take_leb(&c)) {
        vt_take_leb(&c); /* its tag */
        vt_take(&c, 1);  /* whether there are entries within */
        for (;;) {
            uint64_t name = vt_take_leb(&c), form = vt_take_leb(&c);
            if (!name && !form)
                break;
            if (form == DW_FORM_implicit_const)
                vt_take_signed_leb(&c);
            if (form == DW_FORM_ref_addr || form == DW_FORM_ref_sig8 || form == DW_FORM_indirect)
                return true;
        }
    }
    return c.bad;
}

/* The unit's line number program, read; empty if there is none. */
static struct vt_cursor find_program(struct vt_debug_info *info, Dwarf_Die *unit)
{
    struct part *part = &info->parts[LINE];
    Dwarf_Attribute attribute;
    Dwarf_Word offset;
    size_t word;

    if (dwarf_formudata(dwarf_attr(unit, DW_AT_stmt_list, &attribute), &offset) != 0)
        return (struct vt_cursor){.bad = true};
    need(info, part, offset, 12);
    struct vt_cursor program = cursor_at(part, offset), c = program;
    uint64_t length = vt_take_length(&c, &word);
    need(info, part, (uint64_t)(c.at - part->bytes), length);
    vt_skip(&c, length);
    program.end = c.at;
    program.bad = c.bad;
    return program;
}

void vt_debug_info_load_first(struct vt_debug_info *info, Dwarf_Die *unit)
{
    Dwarf_Die child;

    /*
     * Where it ends is where its child begins. A text in it that is not there as a whole seems to
     * end with what is there, so that the child begins behind that.
     */
    if (info->parts[INFO].there &&
        (dwarf_child(unit, &child) != 0 || dwarf_cuoffset(&child) > UNIT_HEAD))
        vt_debug_info_load(info, unit);
}

void vt_debug_info_load(struct vt_debug_info *info, Dwarf_Die *unit)
{
    uint64_t start = dwarf_dieoffset(unit) - dwarf_cuoffset(unit);
    struct head head;

    if (info->parts[INFO].there && read_head(info, start, &head)) {
        if (leads_outside(info, head.abbrev)) {
            need(info, &info->parts[INFO], 0, UINT64_MAX);
            need(info, &info->parts[TYPES], 0, UINT64_MAX);
        }
        need(info, &info->parts[INFO], start, head.end - start);
    }
}

bool vt_debug_info_lines(struct vt_debug_info *info, Dwarf_Die *unit, struct vt_line_rows *rows,
                         size_t most, Dwarf_Files **files)
{
    struct vt_cursor program = find_program(info, unit);
    unsigned char *bytes = (unsigned char *)program.at, whole[12]; /* in the image */
    size_t size = (size_t)(program.end - program.at), count;

    if (program.bad || !bytes)
        return false;
    size_t head = vt_line_rows_read(rows, bytes, size, most);
    if (!head)
        return false;
    memcpy(whole, bytes, sizeof(whole));
    write_length(bytes, head);
    bool found = dwarf_getsrcfiles(unit, files, &count) == 0;
    memcpy(bytes, whole, sizeof(whole));
    return found;
}

/* ---- libdw's view ------------------------------------------------------------------ */

/* `whole`: read all of it at once. */
static struct vt_debug_info *read_one(const struct vt_elf_file *file, bool whole)
{
    struct vt_debug_info *info = calloc(1, sizeof(*info));
    size_t size;

    if (!info)
        return NULL;
    info->file = *file;
    info->file.fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 3);
    if (info->file.fd >= 0 && read_image(info, whole, &size)) {
        read_heads(info);
        info->elf = elf_memory((char *)info->image, size);
        info->dwarf = info->elf ? dwarf_begin_elf(info->elf, DWARF_C_READ, NULL) : NULL;
    }
    if (info->dwarf)
        return info;
    vt_debug_info_destroy(info);
    return NULL;
}

/* Who asks for a unit does not see which entries of the shared file it leads to. */
static struct vt_debug_info *read_shared(const struct vt_elf_file *file, const char *directory)
{
    struct vt_debug_info *info = NULL;
    struct vt_elf_file shared;
    int fd = vt_debug_file_open_shared(file, directory);

    if (fd < 0)
        return NULL;
    if (vt_elf_file_init(&shared, fd, NULL) == 0 && shared.encode == ELFDATA2LSB)
        info = read_one(&shared, true);
    close(fd);
    return info;
}

struct vt_debug_info *vt_debug_info_read(int fd, const char *directory)
{
    struct vt_elf_file file;

    if (vt_elf_file_init(&file, fd, NULL) != 0 || file.encode != ELFDATA2LSB)
        return NULL;
    struct vt_debug_info *info = read_one(&file, false);
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
    for (size_t i = 0; i < WANTED; i++)
        free(info->parts[i].there);
    free(info->image);
    if (info->file.fd >= 0)
        close(info->file.fd);
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
