/*
 * parts.c - hides how sections, segments, PT_GNU_RELRO and PT_TLS together
 * say which bytes of an image are what.
 *
 * In two steps: collect pieces from the section headers (hostile: any order,
 * overlapping, outside), then walk the segments in ascending order and write
 * each one's parts, from its pieces or, where it has none, from its bounds.
 *
 * Invariant of the list that is written: parts are not empty, ascend, do not
 * overlap, and each lies within one segment (so within the load span).
 */
#include "image/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"

/* More section headers than this are not looked at: they would only cost time. */
#define SECTIONS_MAX (1u << 18)

/* What a section says, cut to the segment that holds its first byte. */
struct piece {
    vt_addr start;
    vt_addr end;
    uint8_t kind;
};

struct builder {
    struct vt_elf *elf;
    struct piece *pieces;
    size_t piece_count;
    size_t piece_capacity;
    size_t part_capacity;
    size_t segment_first; /* index of the current segment's first part: none before it is merged */
    uint64_t page;
};

size_t vt_elf_segment_above(const struct vt_elf *elf, vt_addr vaddr)
{
    size_t low = 0, high = elf->segment_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (elf->segments[middle].vaddr + elf->segments[middle].memsz > vaddr)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

size_t vt_elf_part_above(const struct vt_elf *elf, vt_addr vaddr)
{
    size_t low = 0, high = elf->part_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (elf->parts[middle].end > vaddr)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* ---- pieces ---- */

static int add_piece(struct builder *builder, vt_addr start, vt_addr end, uint8_t kind)
{
    int r = vt_reserve((void **)&builder->pieces, &builder->piece_capacity,
                       builder->piece_count + 1, sizeof(*builder->pieces));

    if (r < 0)
        return r;
    builder->pieces[builder->piece_count++] = (struct piece){start, end, kind};
    return 0;
}

static uint8_t section_kind(const GElf_Shdr *section)
{
    if (section->sh_flags & SHF_EXECINSTR)
        return VT_KIND_TEXT;
    if (section->sh_flags & SHF_TLS)
        return VT_KIND_TLS;
    if (!(section->sh_flags & SHF_WRITE))
        return VT_KIND_RODATA;
    return section->sh_type == SHT_NOBITS ? VT_KIND_BSS : VT_KIND_DATA;
}

static int add_section(struct builder *builder, const GElf_Shdr *section)
{
    const struct vt_elf *elf = builder->elf;
    bool in_file = section->sh_type != SHT_NOBITS;
    const struct vt_elf_segment *segment;
    uint64_t room;
    size_t i;

    if (!(section->sh_flags & SHF_ALLOC) || section->sh_type == SHT_NULL || section->sh_size == 0)
        return 0;
    /* .tbss only says how much each thread gets: its addresses are those of what follows it. */
    if (!in_file && section->sh_flags & SHF_TLS)
        return 0;
    i = vt_elf_segment_above(elf, section->sh_addr);
    if (i == elf->segment_count || section->sh_addr < elf->segments[i].vaddr)
        return 0;
    segment = &elf->segments[i];
    /* What is in the file must be loaded to that address from that very place. */
    if (in_file && section->sh_offset - segment->offset != section->sh_addr - segment->vaddr)
        return 0;
    room = in_file ? segment->filesz : segment->memsz;
    if (section->sh_addr - segment->vaddr >= room)
        return 0;
    room -= section->sh_addr - segment->vaddr;
    return add_piece(builder, section->sh_addr, section->sh_addr + vt_min(section->sh_size, room),
                     section_kind(section));
}

/* How many section headers there are; 0 if the table is absent or not plausible. */
static int count_sections(const struct vt_elf_file *file, uint64_t *count)
{
    const GElf_Ehdr *header = &file->header;
    GElf_Shdr first;
    int r;

    *count = 0;
    if (header->e_shoff == 0 || header->e_shentsize != vt_elf_file_shdr_size(file) ||
        header->e_shoff > INT64_MAX - (uint64_t)SECTIONS_MAX * header->e_shentsize)
        return 0;
    *count = header->e_shnum;
    if (*count == 0) {
        /* Too many for the header's 16 bits: the first section, which is none, has the count. */
        r = vt_elf_file_shdrs(file, header->e_shoff, 1, &first);
        if (r < 0)
            return r;
        *count = r == 0 ? first.sh_size : 0;
    }
    if (*count > SECTIONS_MAX)
        *count = 0;
    return 0;
}

static int collect_sections(struct builder *builder, const struct vt_elf_file *file)
{
    GElf_Shdr sections[VT_ELF_FILE_CHUNK];
    uint64_t total;
    int r = count_sections(file, &total);

    for (uint64_t i = 0; r == 0 && i < total; i += VT_ELF_FILE_CHUNK) {
        size_t count = vt_min(total - i, VT_ELF_FILE_CHUNK);

        r = vt_elf_file_shdrs(file, file->header.e_shoff + i * file->header.e_shentsize, count,
                              sections);
        for (size_t k = 0; r == 0 && k < count; k++)
            r = add_section(builder, &sections[k]);
    }
    if (r > 0) {
        /* A table that is cut short would leave holes: better none than half of it. */
        builder->piece_count = 0;
        return 0;
    }
    return r;
}

/* No section holds the file's own headers, but the segment with the file's first byte does. */
static int collect_headers(struct builder *builder, const struct vt_elf_file *file)
{
    const GElf_Ehdr *header = &file->header;
    struct {
        uint64_t offset, length;
    } tables[] = {
        {0, file->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)},
        {header->e_phoff, (uint64_t)header->e_phnum * header->e_phentsize},
    };

    for (size_t i = 0; i < builder->elf->segment_count; i++) {
        const struct vt_elf_segment *segment = &builder->elf->segments[i];

        if (segment->offset != 0)
            continue;
        for (size_t k = 0; k < VT_COUNTOF(tables); k++) {
            vt_addr start = segment->vaddr + tables[k].offset;
            int r;

            if (tables[k].length == 0 || tables[k].offset >= segment->filesz ||
                tables[k].length > segment->filesz - tables[k].offset)
                continue;
            r = add_piece(builder, start, start + tables[k].length, VT_KIND_RODATA);
            if (r < 0)
                return r;
        }
        return 0;
    }
    return 0;
}

static int compare_pieces(const void *left, const void *right)
{
    const struct piece *a = left, *b = right;

    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    if (a->end != b->end)
        return a->end < b->end ? -1 : 1;
    return (int)a->kind - (int)b->kind;
}

/* ---- parts ---- */

/* Append a part, or extend the last one: alignment between sections of a kind is no border. */
static int add_part(struct builder *builder, vt_addr start, vt_addr end, uint8_t kind)
{
    struct vt_elf *elf = builder->elf;
    int r;

    if (elf->part_count > builder->segment_first) {
        struct vt_part *last = &elf->parts[elf->part_count - 1];

        if (last->kind == kind && start - last->end < builder->page) {
            last->end = end;
            return 0;
        }
    }
    r = vt_reserve((void **)&elf->parts, &builder->part_capacity, elf->part_count + 1,
                   sizeof(*elf->parts));
    if (r < 0)
        return r;
    elf->parts[elf->part_count++] = (struct vt_part){.start = start, .end = end, .kind = kind};
    return 0;
}

/*
 * Append a range whose kind is `kind`, save where PT_TLS or PT_GNU_RELRO say
 * otherwise (in this order: .tdata lies in both).
 */
static int add_range(struct builder *builder, vt_addr start, vt_addr end, uint8_t kind,
                     bool heed_tls, bool heed_relro)
{
    const struct vt_elf *elf = builder->elf;
    const struct {
        bool heed;
        vt_addr start, end;
        uint8_t kind;
    } overlays[] = {
        {heed_tls, elf->tls_start, elf->tls_end, VT_KIND_TLS},
        {heed_relro, elf->relro_start, elf->relro_end, VT_KIND_RELRO},
    };

    while (start < end) {
        vt_addr next = end;
        uint8_t here = kind;
        int r;

        for (size_t i = 0; i < VT_COUNTOF(overlays); i++) {
            if (!overlays[i].heed || overlays[i].end <= start)
                continue;
            if (overlays[i].start <= start) {
                here = overlays[i].kind;
                next = vt_min(next, overlays[i].end);
                break;
            }
            next = vt_min(next, overlays[i].start);
        }
        r = add_part(builder, start, next, here);
        if (r < 0)
            return r;
        start = next;
    }
    return 0;
}

static int add_bare_segment(struct builder *builder, const struct vt_elf_segment *segment)
{
    vt_addr file_end = segment->vaddr + segment->filesz;
    vt_addr end = segment->vaddr + segment->memsz;
    bool writable = segment->prot & VT_PROT_WRITE;
    uint8_t kind = segment->prot & VT_PROT_EXEC ? VT_KIND_TEXT
                   : writable                   ? VT_KIND_DATA
                                                : VT_KIND_RODATA;
    bool heed = kind != VT_KIND_TEXT;
    int r = add_range(builder, segment->vaddr, file_end, kind, heed, heed);

    if (r < 0)
        return r;
    return add_range(builder, file_end, end, writable ? VT_KIND_BSS : kind, heed, heed);
}

static int write_parts(struct builder *builder)
{
    const struct vt_elf *elf = builder->elf;
    size_t next = 0;

    for (size_t i = 0; i < elf->segment_count; i++) {
        const struct vt_elf_segment *segment = &elf->segments[i];
        vt_addr end = segment->vaddr + segment->memsz;
        vt_addr at = segment->vaddr;
        size_t first = next;
        int r = 0;

        builder->segment_first = elf->part_count;
        for (; r == 0 && next < builder->piece_count && builder->pieces[next].start < end; next++) {
            const struct piece *piece = &builder->pieces[next];
            bool heed_relro = piece->kind != VT_KIND_TEXT && piece->kind != VT_KIND_TLS;

            r = add_range(builder, vt_max(at, piece->start), piece->end, piece->kind, false,
                          heed_relro);
            at = vt_max(at, piece->end);
        }
        if (r == 0 && next == first)
            r = add_bare_segment(builder, segment);
        if (r < 0)
            return r;
    }
    return 0;
}

int vt_elf_make_parts(struct vt_elf *elf, const struct vt_elf_file *file)
{
    struct builder builder = {.elf = elf, .page = (uint64_t)sysconf(_SC_PAGESIZE)};
    int r = collect_sections(&builder, file);

    elf->has_sections = builder.piece_count > 0;
    if (r == 0 && elf->has_sections) {
        r = collect_headers(&builder, file);
        qsort(builder.pieces, builder.piece_count, sizeof(*builder.pieces), compare_pieces);
    }
    if (r == 0)
        r = write_parts(&builder);
    free(builder.pieces);
    return r;
}
