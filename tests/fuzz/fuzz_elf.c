/*
 * fuzz_elf.c - an ELF file that a tracee maps: what is said of it ascends, does not
 * overlap, and lies within what it is said to be part of.
 */
#include "fuzz.h"
#include "image/elf.h"

#define PAGE UINT64_C(4096)

static void check_facts(const struct vt_elf *elf)
{
    FUZZ_CHECK(elf->class_bits == 32 || elf->class_bits == 64);
    FUZZ_CHECK(elf->segment_count && elf->load_start < elf->load_end);
    FUZZ_CHECK(elf->load_start % PAGE == 0 && elf->load_end % PAGE == 0);
    FUZZ_CHECK(elf->relro_start <= elf->relro_end && elf->tls_start <= elf->tls_end);
    FUZZ_CHECK(elf->build_id.length <= sizeof(elf->build_id.bytes));
    for (size_t i = 0; i < elf->segment_count; i++) {
        const struct vt_elf_segment *s = &elf->segments[i];
        FUZZ_CHECK(s->vaddr + s->memsz >= s->vaddr && s->filesz <= s->memsz);
        FUZZ_CHECK(elf->load_start <= s->vaddr && s->vaddr + s->memsz <= elf->load_end);
        FUZZ_CHECK(!i || s[-1].vaddr + s[-1].memsz <= s->vaddr);
    }
    for (size_t i = 0; i < elf->part_count; i++) {
        const struct vt_part *p = &elf->parts[i];
        FUZZ_CHECK(p->start < p->end && p->kind < VT_KIND_COUNT);
        FUZZ_CHECK(!i || p[-1].end <= p->start);
    }
}

/* Ask about the pages around an address, of mappings of every sort. */
static void ask_at(const struct vt_elf *elf, vt_addr address, uint64_t offset)
{
    vt_addr page = address & -PAGE;
    for (uint8_t prot = 0; prot < 8; prot++) {
        for (int file_backed = 0; file_backed < 2; file_backed++) {
            vt_addr end = 0;
            uint8_t kind = vt_elf_kind_at(elf, page, file_backed, offset & -PAGE, prot, &end);
            FUZZ_CHECK(kind < VT_KIND_COUNT && (end > page || page == -PAGE));
        }
        uint64_t bias = 1;
        vt_addr start = page + UINT64_C(0x7f0000000000);
        if (vt_elf_is_load(elf, start, PAGE, offset & -PAGE, prot, &bias))
            FUZZ_CHECK(bias % PAGE == 0);
    }
    const struct vt_part *parts;
    size_t count;
    vt_addr past = address + 4 * PAGE < address ? UINT64_MAX : address + 4 * PAGE;
    vt_elf_parts(elf, address, past, &parts, &count);
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(parts[i].start < past && parts[i].end > address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_elf *elf;
    struct vt_error err = {0};
    int rc = vt_elf_read(fuzz_fd(data, size), &elf, &err);
    FUZZ_CHECK(!elf == (rc != 0));
    if (rc < 0)
        fuzz_check_failure(rc, &err);
    if (rc)
        return 0;
    check_facts(elf);
    for (size_t i = 0; i < elf->segment_count && i < 16; i++) {
        const struct vt_elf_segment *s = &elf->segments[i];
        ask_at(elf, s->vaddr, s->offset);
        ask_at(elf, s->vaddr + s->filesz, s->offset + s->filesz);
        ask_at(elf, s->vaddr + s->memsz, s->offset + s->memsz);
    }
    for (size_t i = 0; i < elf->part_count && i < 64; i++)
        ask_at(elf, elf->parts[i].start, elf->parts[i].start);
    ask_at(elf, 0, 0);
    ask_at(elf, elf->relro_start, elf->relro_end);
    vt_elf_destroy(elf);
    return 0;
}
