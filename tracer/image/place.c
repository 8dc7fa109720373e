/*
 * place.c - hides how an image is laid over memory: which mapping of its file
 * is a loader's work, and what a page of it is for.
 *
 * Pure: works on what elf.c established (see its invariants) and asks nothing.
 */
#include <unistd.h>

#include "base/base.h"
#include "image/elf.h"
#include "image/parts.h"

/* ---- is a mapping a load of this image? ---- */

/* The bias that puts the segment's file byte `offset` (page-aligned) at `start`. */
static bool bias_of(const struct vt_elf *elf, const struct vt_elf_segment *segment, vt_addr start,
                    uint64_t offset, uint64_t page, uint64_t *bias)
{
    /* May wrap below zero (a prelinked image moved down): arithmetic is modulo 2^64. */
    uint64_t at = start - (segment->vaddr + (offset - segment->offset));

    /* Loaders move an image by whole pages, and one with fixed addresses not at all. */
    if (at % page != 0 || (elf->type == ET_EXEC && at != 0))
        return false;
    *bias = at;
    return true;
}

bool vt_elf_is_load(const struct vt_elf *elf, vt_addr start, uint64_t length, uint64_t offset,
                    uint8_t prot, uint64_t *bias)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    const struct vt_elf_segment *first = &elf->segments[0];
    uint64_t found = 0;
    bool holds = false;

    if (prot & VT_PROT_EXEC) {
        for (size_t i = 0; i < elf->segment_count; i++) {
            const struct vt_elf_segment *segment = &elf->segments[i];
            uint64_t low = vt_round_down(segment->offset, page);
            uint64_t high = vt_round_up(segment->offset + segment->filesz, page);

            if (segment->prot != prot || segment->filesz == 0 || offset < low || offset >= high)
                continue;
            /* Two segments can share a page of the file: the one that begins there is meant. */
            if (!holds || offset == low)
                holds = bias_of(elf, segment, start, offset, page, &found) || holds;
        }
        if (holds) {
            *bias = found;
            return true;
        }
    }
    if (offset == vt_round_down(first->offset, page) &&
        vt_round_up(length, page) == elf->load_end - elf->load_start)
        return bias_of(elf, first, start, offset, page, bias);
    return false;
}

/* ---- what is a page for? ---- */

/* The question of vt_elf_kind_at(), and what is the same for all of its pages. */
struct query {
    const struct vt_elf *elf;
    bool file_backed;
    uint64_t offset_minus_vaddr;
    uint8_t prot;
    uint64_t page;
    vt_addr relro_start; /* PT_GNU_RELRO's whole pages: what a loader can protect */
    vt_addr relro_end;
};

/*
 * The writable segment that has memory in the page at `at` and, for a page of
 * the file, has the page's offset there. Null if there is none; then *end is
 * where the next writable segment may begin, at the latest the load span's end.
 */
static const struct vt_elf_segment *writable_segment(const struct query *query, vt_addr at,
                                                     vt_addr *end)
{
    const struct vt_elf *elf = query->elf;

    *end = elf->load_end;
    for (size_t i = vt_elf_segment_above(elf, at); i < elf->segment_count; i++) {
        const struct vt_elf_segment *segment = &elf->segments[i];

        if (segment->vaddr - at >= query->page && segment->vaddr > at) {
            *end = vt_round_down(segment->vaddr, query->page);
            return NULL;
        }
        if (segment->prot & VT_PROT_WRITE &&
            (!query->file_backed ||
             query->offset_minus_vaddr == segment->offset - segment->vaddr)) {
            *end = vt_round_up(segment->vaddr + segment->memsz, query->page);
            return segment;
        }
    }
    return NULL;
}

/* TLS, DATA or BSS by the parts in the page at `at`; *end is at most what it was. */
static uint8_t kind_by_parts(const struct query *query, const struct vt_elf_segment *segment,
                             vt_addr at, vt_addr *end)
{
    const struct vt_elf *elf = query->elf;
    size_t first = vt_elf_part_above(elf, at);
    bool tls = false, bss = false, other = false;
    size_t i;

    for (i = first; i < elf->part_count && elf->parts[i].start < at + query->page; i++) {
        tls = tls || elf->parts[i].kind == VT_KIND_TLS;
        bss = bss || elf->parts[i].kind == VT_KIND_BSS;
        other = other || (elf->parts[i].kind != VT_KIND_TLS && elf->parts[i].kind != VT_KIND_BSS);
    }
    if (i == first) {
        /* No part: padding up to the next one, which is the file's up to filesz. */
        vt_addr file_end = vt_round_up(segment->vaddr + segment->filesz, query->page);

        if (first < elf->part_count)
            *end = vt_min(*end, vt_round_down(elf->parts[first].start, query->page));
        if (at >= file_end)
            return VT_KIND_BSS;
        *end = vt_min(*end, file_end);
        return VT_KIND_DATA;
    }
    /* The whole pages of one part are alike; a page with several is looked at alone. */
    if (i == first + 1)
        *end = vt_min(*end,
                      vt_max(at + query->page, vt_round_down(elf->parts[first].end, query->page)));
    else
        *end = vt_min(*end, at + query->page);
    return other || (tls && bss) ? VT_KIND_DATA : tls ? VT_KIND_TLS : VT_KIND_BSS;
}

/* The kind of the page at `at`, in the load span, and how far it goes at least. */
static uint8_t kind_of_page(const struct query *query, vt_addr at, vt_addr *end)
{
    const struct vt_elf_segment *segment = writable_segment(query, at, end);

    /* READ_IMPLIES_EXEC (personality(2)) makes data executable; it is no text for that. */
    if ((query->prot & VT_PROT_EXEC) && (!segment || (segment->prot & VT_PROT_EXEC)))
        return VT_KIND_TEXT;

    if (!segment && (query->file_backed || !(query->prot & VT_PROT_WRITE)))
        return VT_KIND_RODATA;
    if (at >= query->relro_start && at < query->relro_end) {
        *end = vt_min(*end, query->relro_end);
        return VT_KIND_RELRO;
    }
    if (at < query->relro_start)
        *end = vt_min(*end, query->relro_start);
    return query->file_backed ? kind_by_parts(query, segment, at, end) : VT_KIND_BSS;
}

uint8_t vt_elf_kind_at(const struct vt_elf *elf, vt_addr vaddr, bool file_backed, uint64_t offset,
                       uint8_t prot, vt_addr *end)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct query query = {
        .elf = elf,
        .file_backed = file_backed,
        .offset_minus_vaddr = offset - vaddr,
        .prot = prot,
        .page = page,
        .relro_start = vt_round_down(elf->relro_start, page),
        .relro_end = vt_round_down(elf->relro_end, page),
    };
    bool inside = vaddr >= elf->load_start && vaddr < elf->load_end;
    uint8_t kind;

    *end = inside                    ? elf->load_end
           : vaddr < elf->load_start ? elf->load_start
                                     : vt_round_down(UINT64_MAX, page);
    if (prot == VT_PROT_NONE)
        return VT_KIND_RESERVE;
    if (!inside)
        return prot & VT_PROT_EXEC ? VT_KIND_TEXT : file_backed ? VT_KIND_FILE : VT_KIND_ANON;

    kind = kind_of_page(&query, vaddr, end);
    while (*end < elf->load_end) {
        vt_addr next;

        if (kind_of_page(&query, *end, &next) != kind)
            break;
        *end = next;
    }
    return kind;
}

void vt_elf_parts(const struct vt_elf *elf, vt_addr start, vt_addr end,
                  const struct vt_part **parts, size_t *count)
{
    size_t first = vt_elf_part_above(elf, start), low = first, high = elf->part_count;

    /* The first part that begins at or above `end`. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (elf->parts[middle].start < end)
            low = middle + 1;
        else
            high = middle;
    }
    *count = start < end ? low - first : 0;
    *parts = *count > 0 ? &elf->parts[first] : NULL;
}
