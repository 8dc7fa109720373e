/*
 * test_image.c - ELF files read as facts: made ones (well formed, odd, broken,
 * and broken at random), the system's own (against readelf), and the ones that
 * this very process has mapped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "elf_maker.h"
#include "image/cache.h"
#include "image/elf.h"
#include "model/maps.h"

#define RW (VT_PROT_READ | VT_PROT_WRITE)
#define RX (VT_PROT_READ | VT_PROT_EXEC)

/* ---- helpers ---- */

static struct vt_elf *read_made(const struct elf_made *made, size_t length, int expected)
{
    struct vt_elf *elf = NULL;
    struct vt_error err = {0};
    int fd = elf_made_fd(made, length);
    int r;

    assert_true(fd >= 0);
    r = vt_elf_read(fd, &elf, &err);
    close(fd);
    if (r != expected)
        fail_msg("vt_elf_read gave %d (%s) instead of %d", r, err.text, expected);
    assert_true((r == 0) == (elf != NULL));
    return elf;
}

static struct vt_elf *read_spec(const struct elf_spec *spec)
{
    struct elf_made made = elf_make(spec);
    struct vt_elf *elf = read_made(&made, made.length, 0);

    elf_made_deinit(&made);
    return elf;
}

/* What holds for every struct vt_elf, however the file looks. */
static void check_invariants(const struct vt_elf *elf)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    vt_addr at = elf->load_start;

    assert_true(elf->class_bits == 32 || elf->class_bits == 64);
    assert_true(elf->segment_count > 0);
    assert_true(elf->load_start < elf->load_end);
    assert_true(elf->load_start % page == 0 && elf->load_end % page == 0);
    for (size_t i = 0; i < elf->segment_count; i++) {
        const struct vt_elf_segment *segment = &elf->segments[i];

        assert_true(segment->vaddr >= at);
        assert_true(segment->memsz > 0 && segment->filesz <= segment->memsz);
        assert_true(segment->memsz <= elf->load_end - segment->vaddr);
        assert_true(segment->offset + segment->filesz >= segment->offset);
        at = segment->vaddr + segment->memsz;
    }
    at = elf->load_start;
    assert_true(elf->part_count > 0);
    for (size_t i = 0; i < elf->part_count; i++) {
        assert_true(elf->parts[i].start >= at);
        assert_true(elf->parts[i].start < elf->parts[i].end);
        assert_true(elf->parts[i].end <= elf->load_end);
        assert_true(elf->parts[i].kind <= VT_KIND_TLS);
        at = elf->parts[i].end;
    }
    assert_true(elf->relro_start <= elf->relro_end && elf->relro_end <= elf->load_end);
    assert_true(elf->tls_start <= elf->tls_end && elf->tls_end <= elf->load_end);
    assert_true(elf->build_id.length <= sizeof(elf->build_id.bytes));
}

struct expected_part {
    vt_addr start, end;
    uint8_t kind;
};

static void check_parts(const struct vt_elf *elf, const struct expected_part *parts, size_t count)
{
    for (size_t i = 0; i < count || i < elf->part_count; i++) {
        if (i >= count || i >= elf->part_count || elf->parts[i].start != parts[i].start ||
            elf->parts[i].end != parts[i].end || elf->parts[i].kind != parts[i].kind)
            fail_msg("part %zu of %zu is %" PRIx64 "-%" PRIx64 " %s, not %" PRIx64 "-%" PRIx64
                     " %s",
                     i, elf->part_count, i < elf->part_count ? elf->parts[i].start : 0,
                     i < elf->part_count ? elf->parts[i].end : 0,
                     i < elf->part_count ? vt_kind_name(elf->parts[i].kind) : "absent",
                     i < count ? parts[i].start : 0, i < count ? parts[i].end : 0,
                     i < count ? vt_kind_name(parts[i].kind) : "absent");
    }
}
#define CHECK_PARTS(elf, parts) check_parts((elf), (parts), VT_COUNTOF(parts))

static void check_kind(const struct vt_elf *elf, vt_addr vaddr, bool file_backed, uint64_t offset,
                       uint8_t prot, uint8_t kind, vt_addr end)
{
    vt_addr found_end = 0;
    uint8_t found = vt_elf_kind_at(elf, vaddr, file_backed, offset, prot, &found_end);

    if (found != kind || found_end != end)
        fail_msg("at %" PRIx64 ": %s up to %" PRIx64 ", not %s up to %" PRIx64, vaddr,
                 vt_kind_name(found), found_end, vt_kind_name(kind), end);
}

/* ---- a position-independent program as today's linkers lay it out ---- */

static const struct elf_phdr_spec pie_phdrs[] = {
    {PT_PHDR, PF_R, 0x40, 0x40, 0x1f8, 0x1f8, 8},
    {PT_INTERP, PF_R, 0x400, 0x400, 0x1c, 0x1c, 1},
    {PT_LOAD, PF_R, 0, 0, 0x800, 0x800, 0x1000},
    {PT_LOAD, PF_R | PF_X, 0x1000, 0x1000, 0x1234, 0x1234, 0x1000},
    {PT_LOAD, PF_R, 0x3000, 0x3000, 0x500, 0x500, 0x1000},
    {PT_LOAD, PF_R | PF_W, 0x3e00, 0x4e00, 0x600, 0x2600, 0x1000},
    {PT_DYNAMIC, PF_R | PF_W, 0x3e80, 0x4e80, 0x100, 0x100, 8},
    {PT_NOTE, PF_R, 0x500, 0x500, 0x24, 0x24, 4},
    {PT_TLS, PF_R, 0x3e00, 0x4e00, 0x40, 0x80, 8},
    {PT_GNU_RELRO, PF_R, 0x3e00, 0x4e00, 0x200, 0x200, 1},
};
enum {
    PIE_FIRST_LOAD = 2,
    PIE_TEXT_LOAD = 3,
    PIE_DATA_LOAD = 5,
    PIE_DYNAMIC = 6,
    PIE_NOTE = 7,
    PIE_TLS = 8,
    PIE_RELRO = 9
};

static const struct elf_shdr_spec pie_shdrs[] = {
    {".interp", SHT_PROGBITS, SHF_ALLOC, 0x400, 0x400, 0x1c},
    {".note.gnu.build-id", SHT_NOTE, SHF_ALLOC, 0x500, 0x500, 0x24},
    {".rela.dyn", SHT_RELA, SHF_ALLOC, 0x528, 0x528, 0x2d8},
    {".init", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0x1000, 0x1000, 0x1b},
    {".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0x1040, 0x1040, 0x11f4},
    {".rodata", SHT_PROGBITS, SHF_ALLOC, 0x3000, 0x3000, 0x300},
    {".eh_frame", SHT_PROGBITS, SHF_ALLOC, 0x3308, 0x3308, 0x1f8},
    {".tdata", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE | SHF_TLS, 0x4e00, 0x3e00, 0x40},
    {".tbss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE | SHF_TLS, 0x4e40, 0x3e40, 0x40},
    {".init_array", SHT_INIT_ARRAY, SHF_ALLOC | SHF_WRITE, 0x4e40, 0x3e40, 0x40},
    {".dynamic", SHT_DYNAMIC, SHF_ALLOC | SHF_WRITE, 0x4e80, 0x3e80, 0x100},
    {".got", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 0x4f80, 0x3f80, 0xa0},
    {".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 0x5020, 0x4020, 0x3e0},
    {".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, 0x5400, 0x4400, 0x2000},
    {".comment", SHT_PROGBITS, 0, 0, 0x4400, 0x10},
};
enum { PIE_TEXT_SECTION = 5, PIE_RODATA_SECTION = 6, PIE_DATA_SECTION = 13, PIE_BSS_SECTION = 14 };

static const unsigned char pie_build_id[20] = "build-id-of-20-bytes";

static const struct elf_spec pie_spec = {
    .bits = 64,
    .type = ET_DYN,
    .machine = EM_X86_64,
    .entry = 0x1040,
    .phdrs = pie_phdrs,
    .phdr_count = VT_COUNTOF(pie_phdrs),
    .shdrs = pie_shdrs,
    .shdr_count = VT_COUNTOF(pie_shdrs),
    .flags_1 = DF_1_PIE | DF_1_NOW,
    .build_id = pie_build_id,
    .build_id_length = sizeof(pie_build_id),
};

/* .got straddles the end of relro, as .got.plt does with lazy binding: it is cut there. */
static const struct expected_part pie_parts[] = {
    {0, 0x800, VT_KIND_RODATA}, /* with the ELF header and program headers */
    {0x1000, 0x2234, VT_KIND_TEXT}, {0x3000, 0x3500, VT_KIND_RODATA},
    {0x4e00, 0x4e40, VT_KIND_TLS},  {0x4e40, 0x5000, VT_KIND_RELRO},
    {0x5000, 0x5400, VT_KIND_DATA}, {0x5400, 0x7400, VT_KIND_BSS},
};

static void test_pie_in_each_class_and_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct elf_spec spec = pie_spec;
        struct vt_elf *elf;

        spec.bits = i & 1 ? 32 : 64;
        spec.big_endian = i & 2;
        spec.machine = spec.big_endian ? EM_PPC64 : EM_X86_64;
        elf = read_spec(&spec);
        check_invariants(elf);
        assert_int_equal(elf->class_bits, spec.bits);
        assert_int_equal(elf->type, ET_DYN);
        assert_int_equal(elf->machine, spec.machine);
        assert_int_equal(elf->entry, 0x1040);
        assert_int_equal(elf->phdr_vaddr, 0x40);
        assert_true(elf->has_interpreter);
        assert_true(elf->has_sections);
        assert_int_equal(elf->program_type, VT_PROGRAM_PIE);
        assert_int_equal(elf->segment_count, 4);
        assert_int_equal(elf->segments[3].vaddr, 0x4e00);
        assert_int_equal(elf->segments[3].memsz, 0x2600);
        assert_int_equal(elf->segments[3].offset, 0x3e00);
        assert_int_equal(elf->segments[3].filesz, 0x600);
        assert_int_equal(elf->segments[3].prot, RW);
        assert_int_equal(elf->segments[1].prot, RX);
        assert_int_equal(elf->load_start, 0);
        assert_int_equal(elf->load_end, 0x8000);
        assert_int_equal(elf->relro_start, 0x4e00);
        assert_int_equal(elf->relro_end, 0x5000);
        assert_int_equal(elf->tls_start, 0x4e00);
        assert_int_equal(elf->tls_end, 0x4e40);
        assert_int_equal(elf->build_id.length, sizeof(pie_build_id));
        assert_memory_equal(elf->build_id.bytes, pie_build_id, sizeof(pie_build_id));
        assert_null(elf->soname);
        CHECK_PARTS(elf, pie_parts);
        vt_elf_destroy(elf);
    }
}

static void test_stripped_of_sections(void **state)
{
    struct elf_spec spec = pie_spec;
    struct vt_elf *elf;

    (void)state;
    spec.shdr_count = 0;
    elf = read_spec(&spec);
    check_invariants(elf);
    assert_false(elf->has_sections);
    CHECK_PARTS(elf, pie_parts); /* here the segments tell as much */
    vt_elf_destroy(elf);
}

static void test_kinds_of_pages(void **state)
{
    struct vt_elf *elf = read_spec(&pie_spec);
    uint64_t shift = 0x1000; /* of the writable segment: vaddr minus offset */

    (void)state;
    if (sysconf(_SC_PAGESIZE) != 4096)
        skip();
    check_kind(elf, 0, true, 0, VT_PROT_READ, VT_KIND_RODATA, 0x8000);
    check_kind(elf, 0x1000, true, 0x1000, RX, VT_KIND_TEXT, 0x8000);
    check_kind(elf, 0x1000, true, 0x1000, VT_PROT_NONE, VT_KIND_RESERVE, 0x8000);
    /* The writable segment, before and after relro is protected. */
    check_kind(elf, 0x4000, true, 0x4000 - shift, RW, VT_KIND_RELRO, 0x5000);
    check_kind(elf, 0x4000, true, 0x4000 - shift, VT_PROT_READ, VT_KIND_RELRO, 0x5000);
    check_kind(elf, 0x5000, true, 0x5000 - shift, RW, VT_KIND_DATA, 0x6000);
    check_kind(elf, 0x6000, false, 0, RW, VT_KIND_BSS, 0x8000);
    check_kind(elf, 0x6000, false, 0, VT_PROT_READ, VT_KIND_BSS, 0x8000);
    check_kind(elf, 0x6000, true, 0x6000 - shift, RW, VT_KIND_BSS, 0x8000);
    /* What a loader's first mapping has there, before the segment itself comes. */
    check_kind(elf, 0x4000, true, 0x4000, VT_PROT_READ, VT_KIND_RODATA, 0x8000);
    /* Anonymous memory laid over it. */
    check_kind(elf, 0x4000, false, 0, RW, VT_KIND_RELRO, 0x5000);
    check_kind(elf, 0x1000, false, 0, RW, VT_KIND_BSS, 0x4000);
    check_kind(elf, 0x1000, false, 0, VT_PROT_READ, VT_KIND_RODATA, 0x4000);
    /* Outside. */
    check_kind(elf, 0x8000, true, 0x7000, VT_PROT_READ, VT_KIND_FILE, UINT64_MAX - 0xfff);
    check_kind(elf, 0x9000, false, 0, RW, VT_KIND_ANON, UINT64_MAX - 0xfff);
    vt_elf_destroy(elf);
}

/* Data, .tdata and bss that fill whole pages, without relro. */
static void test_kinds_of_tls_and_bss_pages(void **state)
{
    static const struct elf_phdr_spec phdrs[] = {
        {PT_LOAD, PF_R | PF_X, 0, 0x400000, 0x1000, 0x1000, 0x1000},
        {PT_LOAD, PF_R | PF_W, 0x1000, 0x401000, 0x4100, 0x8000, 0x1000},
        {PT_TLS, PF_R, 0x1000, 0x401000, 0x2800, 0x3000, 8},
    };
    static const struct elf_shdr_spec shdrs[] = {
        {".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0x400200, 0x200, 0xe00},
        {".tdata", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE | SHF_TLS, 0x401000, 0x1000, 0x2800},
        {".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 0x403800, 0x3800, 0x1000},
        /* 0x404800-0x405100 is padding in the file, the rest up to .bss in memory only. */
        {".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, 0x407000, 0x5100, 0x2000},
    };
    struct elf_spec spec = {.bits = 64,
                            .type = ET_EXEC,
                            .machine = EM_X86_64,
                            .phdrs = phdrs,
                            .phdr_count = VT_COUNTOF(phdrs),
                            .shdrs = shdrs,
                            .shdr_count = VT_COUNTOF(shdrs)};
    static const struct expected_part parts[] = {
        {0x400000, 0x4000e8, VT_KIND_RODATA}, {0x400200, 0x401000, VT_KIND_TEXT},
        {0x401000, 0x403800, VT_KIND_TLS},    {0x403800, 0x404800, VT_KIND_DATA},
        {0x407000, 0x409000, VT_KIND_BSS},
    };
    struct vt_elf *elf = read_spec(&spec);

    (void)state;
    if (sysconf(_SC_PAGESIZE) != 4096)
        skip();
    CHECK_PARTS(elf, parts);
    assert_int_equal(elf->program_type, VT_PROGRAM_STATIC);
    check_kind(elf, 0x401000, true, 0x1000, RW, VT_KIND_TLS, 0x403000);
    check_kind(elf, 0x403000, true, 0x3000, RW, VT_KIND_DATA, 0x406000);
    check_kind(elf, 0x406000, true, 0x6000, RW, VT_KIND_BSS, 0x409000);
    check_kind(elf, 0x406000, false, 0, RW, VT_KIND_BSS, 0x409000);
    vt_elf_destroy(elf);
}

/* Two segments, headers in front of the code, data and bss in one page (-z noseparate-code). */
static const struct elf_phdr_spec compact_phdrs[] = {
    {PT_LOAD, PF_R | PF_X, 0, 0, 0xf34, 0xf34, 0x1000},
    {PT_LOAD, PF_R | PF_W, 0xf38, 0x1f38, 0x148, 0x300, 0x1000},
    {PT_DYNAMIC, PF_R | PF_W, 0xf40, 0x1f40, 0x80, 0x80, 8},
};
static const struct elf_shdr_spec compact_shdrs[] = {
    {".dynsym", SHT_DYNSYM, SHF_ALLOC, 0x100, 0x100, 0x80},
    {".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0x180, 0x180, 0xc00},
    {".rodata", SHT_PROGBITS, SHF_ALLOC, 0xd80, 0xd80, 0x1b4},
    {".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 0x1f38, 0xf38, 0x148},
    {".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, 0x2080, 0x1080, 0x1b8},
};
static const struct elf_spec compact_spec = {
    .bits = 64,
    .type = ET_DYN,
    .machine = EM_X86_64,
    .phdrs = compact_phdrs,
    .phdr_count = VT_COUNTOF(compact_phdrs),
    .shdrs = compact_shdrs,
    .shdr_count = VT_COUNTOF(compact_shdrs),
    .soname = "libcompact.so.1",
};

static void test_segments_that_share_pages(void **state)
{
    static const struct expected_part parts[] = {
        {0, 0x180, VT_KIND_RODATA},     {0x180, 0xd80, VT_KIND_TEXT},
        {0xd80, 0xf34, VT_KIND_RODATA}, {0x1f38, 0x2080, VT_KIND_DATA},
        {0x2080, 0x2238, VT_KIND_BSS},
    };
    static const struct expected_part bare[] = {
        {0, 0xf34, VT_KIND_TEXT},
        {0x1f38, 0x2080, VT_KIND_DATA},
        {0x2080, 0x2238, VT_KIND_BSS},
    };
    struct elf_spec stripped = compact_spec;
    struct vt_elf *elf = read_spec(&compact_spec);
    const struct vt_part *slice;
    size_t count;

    (void)state;
    if (sysconf(_SC_PAGESIZE) != 4096)
        skip();
    check_invariants(elf);
    CHECK_PARTS(elf, parts);
    assert_string_equal(elf->soname, "libcompact.so.1");
    assert_int_equal(elf->program_type, VT_PROGRAM_UNKNOWN);
    assert_int_equal(elf->phdr_vaddr, 0x40);
    check_kind(elf, 0, true, 0, RX, VT_KIND_TEXT, 0x3000);
    check_kind(elf, 0x1000, true, 0, RW, VT_KIND_DATA, 0x3000);
    check_kind(elf, 0x2000, true, 0x1000, RW, VT_KIND_DATA, 0x3000);

    vt_elf_parts(elf, 0x2000, 0x3000, &slice, &count);
    assert_int_equal(count, 2);
    assert_ptr_equal(slice, &elf->parts[3]);
    vt_elf_parts(elf, 0x180, 0xd80, &slice, &count);
    assert_int_equal(count, 1);
    assert_ptr_equal(slice, &elf->parts[1]);
    vt_elf_parts(elf, 0x1000, 0x1f38, &slice, &count);
    assert_int_equal(count, 0);
    vt_elf_parts(elf, 0, UINT64_MAX, &slice, &count);
    assert_int_equal(count, 5);
    vt_elf_parts(elf, 0x2238, UINT64_MAX, &slice, &count);
    assert_int_equal(count, 0);
    vt_elf_parts(elf, 0x2000, 0x2000, &slice, &count);
    assert_int_equal(count, 0);
    vt_elf_destroy(elf);

    stripped.shdr_count = 0;
    elf = read_spec(&stripped);
    CHECK_PARTS(elf, bare);
    vt_elf_destroy(elf);
}

static void test_program_types(void **state)
{
    static const struct {
        uint16_t type;
        bool interpreter;
        uint64_t flags_1;
        const char *soname;
        enum vt_program_type expected;
    } cases[] = {
        {ET_EXEC, false, 0, NULL, VT_PROGRAM_STATIC},
        {ET_EXEC, true, 0, NULL, VT_PROGRAM_DYNAMIC},
        {ET_DYN, true, DF_1_PIE, NULL, VT_PROGRAM_PIE},
        {ET_DYN, true, 0, NULL, VT_PROGRAM_PIE}, /* linkers before DF_1_PIE */
        {ET_DYN, false, DF_1_PIE, NULL, VT_PROGRAM_STATIC_PIE},
        {ET_DYN, false, 0, "libx.so.1", VT_PROGRAM_UNKNOWN},
        {ET_DYN, false, 0, NULL, VT_PROGRAM_UNKNOWN},
        {ET_DYN, true, 0, "libc.so.6", VT_PROGRAM_UNKNOWN}, /* a library that can be run */
    };

    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(cases); i++) {
        struct elf_phdr_spec phdrs[VT_COUNTOF(pie_phdrs)];
        struct elf_spec spec = pie_spec;
        struct vt_elf *elf;

        memcpy(phdrs, pie_phdrs, sizeof(phdrs));
        if (!cases[i].interpreter)
            phdrs[1].type = PT_NULL;
        spec.type = cases[i].type;
        spec.phdrs = phdrs;
        spec.flags_1 = cases[i].flags_1;
        spec.soname = cases[i].soname;
        elf = read_spec(&spec);
        assert_int_equal(elf->program_type, cases[i].expected);
        if (cases[i].soname)
            assert_string_equal(elf->soname, cases[i].soname);
        else
            assert_null(elf->soname);
        vt_elf_destroy(elf);
    }
}

static void test_is_load(void **state)
{
    struct vt_elf *elf = read_spec(&pie_spec);
    uint64_t bias = 1, base = 0x7f0000000000;
    struct elf_spec fixed = compact_spec;

    (void)state;
    if (sysconf(_SC_PAGESIZE) != 4096)
        skip();
    /* The code, whole, and a page of its middle. */
    assert_true(vt_elf_is_load(elf, base + 0x1000, 0x2000, 0x1000, RX, &bias));
    assert_true(bias == base);
    assert_true(vt_elf_is_load(elf, base + 0x2000, 0x1000, 0x2000, RX, &bias));
    assert_true(bias == base);
    /* The mapping that reserves the whole span. */
    assert_true(vt_elf_is_load(elf, base, 0x8000, 0, VT_PROT_READ, &bias));
    assert_true(bias == base);
    /* Someone who reads the file, or maps other bytes of it, or with other permissions. */
    assert_false(vt_elf_is_load(elf, base, 0x5000, 0, VT_PROT_READ, &bias));
    assert_false(vt_elf_is_load(elf, base, 0x1000, 0, RX, &bias));
    assert_false(vt_elf_is_load(elf, base, 0x1000, 0x3000, RX, &bias));
    assert_false(vt_elf_is_load(elf, base, 0x2000, 0x1000, VT_PROT_READ, &bias));
    assert_false(vt_elf_is_load(elf, base, 0x2000, 0x1000, RX | VT_PROT_WRITE, &bias));
    vt_elf_destroy(elf);

    /* Fixed addresses are not moved. */
    fixed.type = ET_EXEC;
    elf = read_spec(&fixed);
    assert_true(vt_elf_is_load(elf, 0, 0x1000, 0, RX, &bias));
    assert_true(bias == 0);
    assert_false(vt_elf_is_load(elf, base, 0x1000, 0, RX, &bias));
    vt_elf_destroy(elf);
}

/* Two executable segments that share a page of the file, each moved by another amount. */
static void test_is_load_with_a_shared_file_page(void **state)
{
    static const struct elf_phdr_spec phdrs[] = {
        {PT_LOAD, PF_R | PF_X, 0x0, 0x10000, 0x1800, 0x1800, 0x1000},
        {PT_LOAD, PF_R | PF_X, 0x1800, 0x12800, 0x1000, 0x1000, 0x1000},
        {PT_LOAD, PF_R | PF_X, 0x2900, 0x20a00, 0x1000, 0x1000, 0x1000}, /* no loader can */
    };
    struct elf_spec spec = {
        .bits = 64, .type = ET_DYN, .phdrs = phdrs, .phdr_count = VT_COUNTOF(phdrs)};
    struct vt_elf *elf = read_spec(&spec);
    uint64_t bias, base = 0x555555000000;

    (void)state;
    if (sysconf(_SC_PAGESIZE) != 4096)
        skip();
    assert_true(vt_elf_is_load(elf, base + 0x10000, 0x2000, 0, RX, &bias));
    assert_true(bias == base);
    assert_true(vt_elf_is_load(elf, base + 0x12000, 0x2000, 0x1000, RX, &bias));
    assert_true(bias == base);
    assert_false(vt_elf_is_load(elf, base + 0x20000, 0x1000, 0x3000, RX, &bias));
    vt_elf_destroy(elf);
}

/* ---- files that are broken on purpose ---- */

static void test_not_for_loading(void **state)
{
    struct elf_made made = elf_make(&pie_spec);
    size_t table_end = made.phoff + VT_COUNTOF(pie_phdrs) * sizeof(Elf64_Phdr);

    (void)state;
    for (size_t length = 0; length < table_end; length++)
        read_made(&made, length, 1);
    vt_elf_destroy(read_made(&made, table_end, 0));
    made.bytes[0] = '#';
    read_made(&made, made.length, 1);
    made.bytes[0] = ELFMAG0;
    for (unsigned i = 0; i < 256; i++) {
        made.bytes[EI_CLASS] = (unsigned char)i;
        if (i != ELFCLASS32 && i != ELFCLASS64)
            read_made(&made, made.length, 1);
    }
    made.bytes[EI_CLASS] = ELFCLASS64;
    made.bytes[EI_DATA] = 3;
    read_made(&made, made.length, 1);
    elf_made_deinit(&made);
}

/* One field with a value that it should not have, and what the file then is. */
struct breakage {
    const char *what;
    enum elf_field field;
    size_t index;
    uint64_t value;
    int result;
    size_t segments; /* how many are left, where result is 0 */
};

static const struct breakage breakages[] = {
    {"a relocatable", ELF_E_TYPE, 0, ET_REL, 1, 0},
    {"a core file", ELF_E_TYPE, 0, ET_CORE, 1, 0},
    {"no program headers", ELF_E_PHNUM, 0, 0, 1, 0},
    {"too many program headers", ELF_E_PHNUM, 0, 0xffff, 1, 0},
    {"odd program headers", ELF_E_PHENTSIZE, 0, 1, 1, 0},
    {"program headers of size 0", ELF_E_PHENTSIZE, 0, 0, 1, 0},
    {"program headers behind the end", ELF_E_PHOFF, 0, 1 << 30, 1, 0},
    {"program headers at -1", ELF_E_PHOFF, 0, UINT64_MAX, 1, 0},
    {"program headers at the last offset", ELF_E_PHOFF, 0, INT64_MAX, 1, 0},
    {"section headers behind the end", ELF_E_SHOFF, 0, 1 << 30, 0, 4},
    {"section headers at -1", ELF_E_SHOFF, 0, UINT64_MAX, 0, 4},
    {"section headers at the last offset", ELF_E_SHOFF, 0, INT64_MAX, 0, 4},
    {"odd section headers", ELF_E_SHENTSIZE, 0, 63, 0, 4},
    {"too many section headers", ELF_E_SHNUM, 0, 0xfeff, 0, 4},
    {"one section header too many", ELF_E_SHNUM, 0, 18, 0, 4},
    {"no names", ELF_E_SHSTRNDX, 0, 0xffff, 0, 4},
    {"a segment of nothing", ELF_P_MEMSZ, PIE_TEXT_LOAD, 0, 0, 3},
    {"a segment that wraps", ELF_P_MEMSZ, PIE_TEXT_LOAD, UINT64_MAX, 0, 3},
    {"a segment up to the top", ELF_P_MEMSZ, PIE_TEXT_LOAD, UINT64_MAX - 0x1fff, 0, 2},
    {"a segment at the top", ELF_P_VADDR, PIE_TEXT_LOAD, UINT64_MAX, 0, 3},
    {"a segment in the last page", ELF_P_VADDR, PIE_TEXT_LOAD, UINT64_MAX - 0x1233, 0, 3},
    {"a huge segment", ELF_P_MEMSZ, PIE_DATA_LOAD, UINT64_C(1) << 62, 0, 4},
    {"more bytes than memory", ELF_P_FILESZ, PIE_TEXT_LOAD, 0x100000, 0, 4},
    {"all bytes there can be", ELF_P_FILESZ, PIE_TEXT_LOAD, UINT64_MAX, 0, 4},
    {"bytes at a negative offset", ELF_P_OFFSET, PIE_TEXT_LOAD, UINT64_MAX - 0xfff, 0, 3},
    {"bytes behind the end", ELF_P_OFFSET, PIE_TEXT_LOAD, 1 << 30, 0, 4},
    {"a segment over another", ELF_P_VADDR, PIE_TEXT_LOAD, 0x100, 0, 3},
    {"a segment over its followers", ELF_P_MEMSZ, PIE_FIRST_LOAD, 0x4000, 0, 2},
    {"segments in the wrong order", ELF_P_VADDR, PIE_TEXT_LOAD, 0x9000, 0, 4},
    {"the dynamic section behind the end", ELF_P_OFFSET, PIE_DYNAMIC, 1 << 30, 0, 4},
    {"the dynamic section at -1", ELF_P_OFFSET, PIE_DYNAMIC, UINT64_MAX, 0, 4},
    {"a huge dynamic section", ELF_P_FILESZ, PIE_DYNAMIC, UINT64_MAX, 0, 4},
    {"notes at -1", ELF_P_OFFSET, PIE_NOTE, UINT64_MAX, 0, 4},
    {"huge notes", ELF_P_FILESZ, PIE_NOTE, UINT64_MAX, 0, 4},
    {"tls outside", ELF_P_VADDR, PIE_TLS, 0x100000, 0, 4},
    {"huge tls", ELF_P_FILESZ, PIE_TLS, UINT64_MAX, 0, 4},
    {"relro outside", ELF_P_VADDR, PIE_RELRO, 0x100000, 0, 4},
    {"huge relro", ELF_P_MEMSZ, PIE_RELRO, UINT64_MAX, 0, 4},
    {"relro at the top", ELF_P_VADDR, PIE_RELRO, UINT64_MAX, 0, 4},
    {"a section over all", ELF_SH_SIZE, PIE_TEXT_SECTION, UINT64_MAX, 0, 4},
    {"bss without end", ELF_SH_SIZE, PIE_BSS_SECTION, UINT64_MAX, 0, 4},
    {"a section outside", ELF_SH_ADDR, PIE_RODATA_SECTION, 0x100000, 0, 4},
    {"a section between segments", ELF_SH_ADDR, PIE_RODATA_SECTION, 0x900, 0, 4},
    {"a section at the top", ELF_SH_ADDR, PIE_RODATA_SECTION, UINT64_MAX, 0, 4},
    {"a section from elsewhere", ELF_SH_OFFSET, PIE_DATA_SECTION, 0, 0, 4},
    {"a bogus name", ELF_SH_NAME, PIE_DATA_SECTION, UINT32_MAX, 0, 4},
    {"sections of all kinds", ELF_SH_FLAGS, PIE_DATA_SECTION, UINT64_MAX, 0, 4},
    {"an unknown type", ELF_SH_TYPE, PIE_DATA_SECTION, UINT32_MAX, 0, 4},
};

static void test_breakages(void **state)
{
    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(breakages); i++) {
        struct elf_made made = elf_make(&pie_spec);
        struct vt_elf *elf;

        elf_patch(&made, breakages[i].field, breakages[i].index, breakages[i].value);
        elf = read_made(&made, made.length, breakages[i].result);
        if (elf) {
            check_invariants(elf);
            if (elf->segment_count != breakages[i].segments)
                fail_msg("%s: %zu segments are left, not %zu", breakages[i].what,
                         elf->segment_count, breakages[i].segments);
        }
        vt_elf_destroy(elf);
        elf_made_deinit(&made);
    }
}

/* Most of the lengths that a file can be cut to behind its program headers. */
static void test_cut_short_anywhere(void **state)
{
    struct elf_made made = elf_make(&pie_spec);
    size_t table_end = made.phoff + VT_COUNTOF(pie_phdrs) * sizeof(Elf64_Phdr);

    (void)state;
    for (size_t length = table_end; length < made.length; length += length < 0x600 ? 1 : 37) {
        struct vt_elf *elf = read_made(&made, length, 0);

        check_invariants(elf);
        /* Section headers lie at the end: a file cut short has none, or not all of them. */
        assert_false(elf->has_sections);
        assert_int_equal(elf->segment_count, 4);
        vt_elf_destroy(elf);
    }
    elf_made_deinit(&made);
}

/* Sections that lie over one another: each byte is told once, the first section's way. */
static void test_overlapping_sections(void **state)
{
    static const struct elf_phdr_spec phdrs[] = {
        {PT_LOAD, PF_R | PF_W, 0, 0x1000, 0x1000, 0x1000, 0x1000},
        {PT_LOAD, PF_R, 0x1000, 0x3000, 0x1000, 0x1000, 0x1000},
    };
    static const struct elf_shdr_spec shdrs[] = {
        {"c", SHT_PROGBITS, SHF_ALLOC, 0x1300, 0x300, 0x500},
        {"a", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 0x1100, 0x100, 0x300},
        {"b", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0x1200, 0x200, 0x100},
        {"d", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0x1f00, 0xf00, 0x7000},
    };
    static const struct expected_part parts[] = {
        {0x1000, 0x10b0, VT_KIND_RODATA}, /* headers */
        {0x1100, 0x1400, VT_KIND_DATA},   {0x1400, 0x1800, VT_KIND_RODATA},
        {0x1f00, 0x2000, VT_KIND_TEXT},   {0x3000, 0x4000, VT_KIND_RODATA}, /* no section */
    };
    struct elf_spec spec = {.bits = 64,
                            .type = ET_EXEC,
                            .phdrs = phdrs,
                            .phdr_count = VT_COUNTOF(phdrs),
                            .shdrs = shdrs,
                            .shdr_count = VT_COUNTOF(shdrs)};
    struct vt_elf *elf = read_spec(&spec);

    (void)state;
    check_invariants(elf);
    CHECK_PARTS(elf, parts);
    vt_elf_destroy(elf);
}

/* A number of sections above 16 bits is in the null section; a bogus one there is no trap. */
static void test_extended_section_count(void **state)
{
    struct elf_made made = elf_make(&pie_spec);
    struct vt_elf *elf;
    static const uint64_t bogus[] = {0, 18, 1 << 18, (1 << 18) + 1, UINT32_MAX, UINT64_MAX};

    (void)state;
    elf_patch(&made, ELF_E_SHNUM, 0, 0);
    elf_patch(&made, ELF_SH_SIZE, 0, made.shdr_count);
    elf = read_made(&made, made.length, 0);
    assert_true(elf->has_sections);
    CHECK_PARTS(elf, pie_parts);
    vt_elf_destroy(elf);
    for (size_t i = 0; i < VT_COUNTOF(bogus); i++) {
        elf_patch(&made, ELF_SH_SIZE, 0, bogus[i]);
        elf = read_made(&made, made.length, 0);
        assert_false(elf->has_sections);
        check_invariants(elf);
        vt_elf_destroy(elf);
    }
    elf_made_deinit(&made);
}

/* A segment of 2^62 bytes with one small section: its kinds are told without counting its pages. */
static void test_huge_segment_is_quick(void **state)
{
    struct elf_made made = elf_make(&pie_spec);
    struct vt_elf *elf;
    vt_addr end;

    (void)state;
    if (sysconf(_SC_PAGESIZE) != 4096)
        skip();
    elf_patch(&made, ELF_P_MEMSZ, PIE_DATA_LOAD, UINT64_C(1) << 62);
    elf = read_made(&made, made.length, 0);
    assert_int_equal(vt_elf_kind_at(elf, 0x5000, true, 0x4000, RW, &end), VT_KIND_DATA);
    assert_true(end == 0x6000);
    assert_int_equal(vt_elf_kind_at(elf, end, true, 0x5000, RW, &end), VT_KIND_BSS);
    assert_true(end == elf->load_end);
    vt_elf_destroy(elf);
    elf_made_deinit(&made);
}

/* A large file costs no more than its headers: it is sparse here, and absurd to read whole. */
static void test_large_file(void **state)
{
    struct elf_made made = elf_make(&pie_spec);
    struct vt_elf *elf = NULL;
    int fd = elf_made_fd(&made, made.length);

    (void)state;
    assert_true(fd >= 0);
    if (ftruncate(fd, INT64_C(1) << 42) < 0)
        skip();
    assert_int_equal(vt_elf_read(fd, &elf, NULL), 0);
    CHECK_PARTS(elf, pie_parts);
    vt_elf_destroy(elf);

    /* All zero behind the header, with as many program headers and sections as it can claim. */
    elf_patch(&made, ELF_E_PHNUM, 0, 0xffff);
    elf_patch(&made, ELF_E_SHNUM, 0, 0);
    elf_patch(&made, ELF_SH_SIZE, 0, 1 << 18);
    assert_int_equal(pwrite(fd, made.bytes, made.length, 0), made.length);
    assert_int_equal(vt_elf_read(fd, &elf, NULL), 0);
    check_invariants(elf);
    vt_elf_destroy(elf);
    close(fd);
    elf_made_deinit(&made);
}

static void test_what_is_no_file(void **state)
{
    struct vt_error err = {0};
    struct vt_elf *elf;
    int ends[2], fd = open("/", O_RDONLY | O_DIRECTORY);

    (void)state;
    assert_int_equal(vt_elf_read(fd, &elf, &err), 1);
    close(fd);
    assert_int_equal(vt_elf_read(-1, &elf, &err), -EBADF);
    assert_null(elf);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(vt_elf_read(ends[0], &elf, &err), -ESPIPE);
    assert_non_null(strstr(err.text, "cannot read"));
    close(ends[0]);
    close(ends[1]);
}

/* ---- files broken at random ---- */

enum { FUZZ_ROUNDS = 20000 };

/* A fixed sequence (an xorshift generator), so that a failure can be repeated. */
static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* Ask everything about every page range, each answer in bounds. */
static void ask_everything(const struct vt_elf *elf, uint64_t *random)
{
    static const uint8_t prots[] = {VT_PROT_NONE, VT_PROT_READ, RW, RX};
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), bias;
    const struct vt_elf_segment *segment = &elf->segments[next_random(random) % elf->segment_count];
    const struct vt_part *parts;
    size_t count;

    for (unsigned backed = 0; backed < 2; backed++) {
        vt_addr at = elf->load_start, end;
        uint8_t prot = prots[next_random(random) % VT_COUNTOF(prots)];

        for (unsigned rounds = 0; at < elf->load_end; rounds++) {
            uint64_t offset = segment->offset - segment->vaddr + at;
            uint8_t kind = vt_elf_kind_at(elf, at, backed, offset, prot, &end);

            assert_true(kind < VT_KIND_COUNT);
            assert_true(end > at && end % page == 0);
            assert_true(rounds <= 2 * (elf->part_count + elf->segment_count) + 8);
            at = end;
        }
    }
    if (vt_elf_is_load(elf, next_random(random) & ~(page - 1), page,
                       vt_round_down(segment->offset, page), segment->prot, &bias))
        assert_true(bias % page == 0);
    vt_elf_parts(elf, next_random(random), next_random(random), &parts, &count);
    assert_true(count <= elf->part_count);
    vt_elf_parts(elf, segment->vaddr, segment->vaddr + segment->memsz, &parts, &count);
    for (size_t i = 0; i < count; i++)
        assert_true(parts[i].end > segment->vaddr &&
                    parts[i].start < segment->vaddr + segment->memsz);
}

static void break_and_read(const struct elf_made *whole)
{
    static const uint64_t odd_values[] = {
        0,          1,          0xfff,     0x1000,     0x7fffffff,
        0x80000000, 0xffffffff, INT64_MAX, UINT64_MAX, UINT64_MAX - 0xfff,
    };
    uint64_t random = 0x5eed5eed5eed5eed;
    int fd = elf_made_fd(whole, whole->length);
    size_t read = 0;

    assert_true(fd >= 0);
    for (unsigned round = 0; round < FUZZ_ROUNDS; round++) {
        unsigned damages = 1 + next_random(&random) % 6;
        struct vt_elf *elf = NULL;
        int r;

        for (unsigned i = 0; i < damages; i++) {
            uint64_t kind = next_random(&random), value = next_random(&random);
            uint64_t at = next_random(&random) % whole->length, length = 1;

            /* Most of them where the structure is: the headers in front and at the end. */
            if (kind % 4 == 1)
                at = at % 0x300;
            else if (kind % 4 == 2)
                at = whole->shoff + at % (whole->length - whole->shoff);
            if (kind & 16) {
                at = vt_round_down(at, kind & 32 ? 8 : 4);
                length = kind & 32 ? 8 : 4;
                value = odd_values[value % VT_COUNTOF(odd_values)];
            }
            length = vt_min(length, whole->length - at);
            assert_int_equal(pwrite(fd, &value, length, (off_t)at), length);
        }
        if (round % 16 == 0)
            assert_int_equal(ftruncate(fd, (off_t)(next_random(&random) % whole->length)), 0);

        r = vt_elf_read(fd, &elf, NULL);
        assert_true(r == 0 || r == 1);
        if (r == 0) {
            check_invariants(elf);
            ask_everything(elf, &random);
            read++;
        }
        vt_elf_destroy(elf);
        assert_int_equal(pwrite(fd, whole->bytes, whole->length, 0), whole->length);
    }
    /* Else the damage is so coarse that nothing behind the first checks is tried. */
    assert_true(read > FUZZ_ROUNDS / 4);
    close(fd);
}

static void test_random_damage_made(void **state)
{
    struct elf_made made = elf_make(&pie_spec);

    (void)state;
    break_and_read(&made);
    elf_made_deinit(&made);
}

static void test_random_damage_system(void **state)
{
    static const char *const paths[] = {"/bin/true", "/usr/bin/true"};
    struct elf_made whole = {.length = 0};
    struct stat st;
    Elf64_Ehdr header;
    int fd = -1;

    (void)state;
    for (size_t i = 0; fd < 0 && i < VT_COUNTOF(paths); i++)
        fd = open(paths[i], O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size > 1 << 20)
        skip();
    whole.length = (size_t)st.st_size;
    whole.bytes = malloc(whole.length);
    assert_non_null(whole.bytes);
    assert_int_equal(pread(fd, whole.bytes, whole.length, 0), whole.length);
    close(fd);
    memcpy(&header, whole.bytes, sizeof(header));
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_shoff >= whole.length)
        header.e_shoff = 0;
    whole.shoff = header.e_shoff;
    break_and_read(&whole);
    free(whole.bytes);
}

/* ---- the system's own files, against readelf ---- */

enum { LISTED_MAX = 256, COMPARED = 40 };

struct listed_segment {
    char type[32];
    uint64_t offset, vaddr, filesz, memsz;
    uint8_t prot;
};

struct listed_section {
    char name[64];
    char type[32];
    uint64_t addr, offset, size;
    char flags[16];
};

struct listing {
    struct listed_segment segments[LISTED_MAX];
    size_t segment_count;
    struct listed_section sections[LISTED_MAX];
    size_t section_count;
    char build_id[160];
};

static void list_line(struct listing *listing, const char *line)
{
    struct listed_segment *segment = &listing->segments[listing->segment_count];
    struct listed_section *section = &listing->sections[listing->section_count];
    const char *bracket = strchr(line, ']');
    uint64_t physical;
    int used = 0;

    if (strncmp(line, "  [", 3) == 0 && bracket && listing->section_count < LISTED_MAX) {
        char rest[16] = "";

        *section = (struct listed_section){.name = ""};
        if (sscanf(bracket + 1, " %63s %31s %" SCNx64 " %" SCNx64 " %" SCNx64 " %*x %15s",
                   section->name, section->type, &section->addr, &section->offset, &section->size,
                   rest) < 6)
            return;
        /* The column of flags can be empty: then the number of the next one stands there. */
        if (!isdigit((unsigned char)rest[0]))
            memcpy(section->flags, rest, sizeof(rest));
        listing->section_count++;
    } else if (sscanf(line,
                      " %31s 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64
                      "%n",
                      segment->type, &segment->offset, &segment->vaddr, &physical, &segment->filesz,
                      &segment->memsz, &used) == 6 &&
               used > 0 && listing->segment_count < LISTED_MAX) {
        segment->prot = 0;
        for (const char *c = line + used; *c && *c != '0'; c++)
            segment->prot |= *c == 'R'   ? VT_PROT_READ
                             : *c == 'W' ? VT_PROT_WRITE
                             : *c == 'E' ? VT_PROT_EXEC
                                         : 0;
        listing->segment_count++;
    } else {
        const char *build_id = strstr(line, "Build ID: ");

        if (build_id && listing->build_id[0] == '\0')
            sscanf(build_id, "Build ID: %159s", listing->build_id);
    }
}

/* What readelf says of a file; false if it is not installed or fails. */
static bool list_file(const char *path, struct listing *listing)
{
    char command[640], line[1024];
    FILE *output;

    memset(listing, 0, sizeof(*listing));
    snprintf(command, sizeof(command), "LC_ALL=C readelf -lSnW '%s' 2>/dev/null", path);
    output = popen(command, "r");
    assert_non_null(output);
    while (fgets(line, sizeof(line), output))
        list_line(listing, line);
    return pclose(output) == 0;
}

static void expect_covered(const char *path, const char *section, const struct vt_elf *elf,
                           vt_addr start, vt_addr end, uint8_t kind)
{
    const struct vt_part *parts;
    size_t count;

    vt_elf_parts(elf, start, end, &parts, &count);
    for (size_t i = 0; i < count && start < end; i++) {
        if (parts[i].start > start || parts[i].kind != kind)
            break;
        start = parts[i].end;
    }
    if (start < end)
        fail_msg("%s: %s is not %s at %" PRIx64, path, section, vt_kind_name(kind), start);
}

static void compare_section(const char *path, const struct vt_elf *elf,
                            const struct listed_section *section)
{
    vt_addr end = section->addr + section->size;
    vt_addr relro_start = vt_max(section->addr, elf->relro_start);
    vt_addr relro_end = vt_min(end, elf->relro_end);
    bool nobits = strcmp(section->type, "NOBITS") == 0;
    uint8_t kind;

    if (!strchr(section->flags, 'A') || section->size == 0)
        return;
    if (strchr(section->flags, 'T')) {
        if (!nobits)
            expect_covered(path, section->name, elf, section->addr, end, VT_KIND_TLS);
        return;
    }
    if (strchr(section->flags, 'X')) {
        expect_covered(path, section->name, elf, section->addr, end, VT_KIND_TEXT);
        return;
    }
    kind = !strchr(section->flags, 'W') ? VT_KIND_RODATA : nobits ? VT_KIND_BSS : VT_KIND_DATA;
    if (relro_start >= relro_end)
        relro_start = relro_end = end;
    expect_covered(path, section->name, elf, section->addr, relro_start, kind);
    expect_covered(path, section->name, elf, relro_start, relro_end, VT_KIND_RELRO);
    expect_covered(path, section->name, elf, relro_end, end, kind);
}

static void compare_segments_with(const char *path, const struct vt_elf *elf,
                                  const struct listing *listing)
{
    size_t loads = 0;
    bool relro = false, tls = false;

    for (size_t i = 0; i < listing->segment_count; i++) {
        const struct listed_segment *theirs = &listing->segments[i];
        const struct vt_elf_segment *ours = &elf->segments[loads];

        if (strcmp(theirs->type, "LOAD") == 0 && theirs->memsz > 0) {
            if (loads++ >= elf->segment_count || ours->vaddr != theirs->vaddr ||
                ours->memsz != theirs->memsz || ours->offset != theirs->offset ||
                ours->filesz != theirs->filesz || ours->prot != theirs->prot)
                fail_msg("%s: segment %zu differs from readelf's", path, loads - 1);
        } else if (strcmp(theirs->type, "GNU_RELRO") == 0) {
            relro = true;
            assert_int_equal(elf->relro_start, theirs->vaddr);
            assert_int_equal(elf->relro_end, theirs->vaddr + theirs->memsz);
        } else if (strcmp(theirs->type, "TLS") == 0 && theirs->filesz > 0) {
            tls = true;
            assert_int_equal(elf->tls_start, theirs->vaddr);
            assert_int_equal(elf->tls_end, theirs->vaddr + theirs->filesz);
        } else if (strcmp(theirs->type, "INTERP") == 0) {
            assert_true(elf->has_interpreter);
        }
    }
    assert_int_equal(loads, elf->segment_count);
    assert_true(relro || elf->relro_start == elf->relro_end);
    assert_true(tls || elf->tls_start == elf->tls_end);
}

/* True if the file was one to compare. */
static bool compare_file(const char *path, struct listing *listing)
{
    char build_id[2 * VT_BUILD_ID_MOST + 1] = "";
    struct vt_elf *elf = NULL;
    size_t loads = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    char magic[SELFMAG] = "";
    int r;

    if (fd < 0)
        return false;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        pread(fd, magic, sizeof(magic), 0) != sizeof(magic) ||
        memcmp(magic, ELFMAG, SELFMAG) != 0 || !list_file(path, listing)) {
        close(fd);
        return false;
    }
    r = vt_elf_read(fd, &elf, NULL);
    close(fd);
    for (size_t i = 0; i < listing->segment_count; i++)
        loads += strcmp(listing->segments[i].type, "LOAD") == 0 && listing->segments[i].memsz > 0;
    if (r != (loads == 0))
        fail_msg("%s: vt_elf_read gave %d for %zu segments", path, r, loads);
    if (r != 0)
        return false;

    check_invariants(elf);
    compare_segments_with(path, elf, listing);
    for (size_t i = 0; i < listing->section_count && elf->has_sections; i++)
        compare_section(path, elf, &listing->sections[i]);
    assert_true(elf->has_sections == (listing->section_count > 0));
    for (size_t i = 0; i < elf->build_id.length; i++)
        sprintf(build_id + 2 * i, "%02x", elf->build_id.bytes[i]);
    assert_string_equal(build_id, listing->build_id);
    vt_elf_destroy(elf);
    return true;
}

/* Every so many-th of a directory's files, so that all sorts of them are met. */
static size_t compare_directory(const char *directory, size_t wanted, struct listing *listing)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, NULL, alphasort);
    size_t compared = 0, stride = count > 0 ? (size_t)count / (3 * wanted) + 1 : 1;

    for (int i = 0; i < count; i++) {
        char path[512];
        const char *name = entries[i]->d_name;

        /* What needs no quoting in a shell; there are enough of them. */
        if ((size_t)i % stride == 0 && compared < wanted &&
            name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789._+-")] == '\0') {
            snprintf(path, sizeof(path), "%s/%s", directory, name);
            compared += compare_file(path, listing);
        }
        free(entries[i]);
    }
    free(entries);
    return compared;
}

static void test_against_readelf(void **state)
{
    static const char *const directories[] = {
        "/usr/bin", "/usr/sbin",  "/usr/lib/x86_64-linux-gnu", "/usr/lib64",
        "/usr/lib", "/usr/lib32", "/lib/i386-linux-gnu",
    };
    struct listing *listing = malloc(sizeof(*listing));
    size_t compared = 0;

    (void)state;
    assert_non_null(listing);
    if (system("readelf --version >/dev/null 2>&1") != 0) {
        free(listing);
        skip();
    }
    for (size_t i = 0; i < VT_COUNTOF(directories); i++)
        compared += compare_directory(directories[i], COMPARED / 2, listing);
    free(listing);
    print_message("%zu files agree with readelf\n", compared);
    assert_true(compared > 0);
}

/* ---- this process's own mappings ---- */

struct own_maps {
    struct vt_objects *objects;
    struct vt_regions regions;
};

static void read_own_maps(struct own_maps *maps)
{
    static char text[1 << 20];
    struct vt_error err = {0};
    size_t length = 0;
    ssize_t n;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    while ((n = read(fd, text + length, sizeof(text) - length)) > 0)
        length += (size_t)n;
    close(fd);
    maps->objects = vt_objects_create();
    assert_non_null(maps->objects);
    maps->regions = (struct vt_regions){0};
    if (vt_maps_parse(text, length, maps->objects, &maps->regions, &err) < 0)
        fail_msg("%s", err.text);
}

static void free_own_maps(struct own_maps *maps)
{
    vt_regions_deinit(&maps->regions);
    vt_objects_destroy(maps->objects);
}

/* The region of this process that begins at, or holds, an address. */
static const struct vt_region *own_region(const struct own_maps *maps, const void *address)
{
    for (size_t i = 0; i < maps->regions.count; i++)
        if (maps->regions.items[i].start <= (uintptr_t)address &&
            (uintptr_t)address < maps->regions.items[i].end)
            return &maps->regions.items[i];
    fail_msg("no region holds %p", address);
    return NULL;
}

struct library {
    vt_addr address; /* sought: something in it */
    uint64_t bias;   /* found */
    bool found;
};

static int find_library(struct dl_phdr_info *info, size_t size, void *context)
{
    struct library *library = context;

    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
        vt_addr start = info->dlpi_addr + phdr->p_vaddr;

        if (phdr->p_type == PT_LOAD && library->address >= vt_round_down(start, 4096) &&
            library->address < start + phdr->p_memsz) {
            library->bias = info->dlpi_addr;
            library->found = true;
        }
    }
    return library->found;
}

static void test_own_libraries(void **state)
{
    struct vt_image_cache *cache;
    struct own_maps maps;
    uint64_t unreadable = 0;
    const char *preloaded = getenv("LD_PRELOAD");
    size_t loads = 0;

    (void)state;
    if (preloaded && strstr(preloaded, "vgpreload"))
        skip(); /* valgrind itself is mapped here, by no loader */
    cache = vt_image_cache_create();
    assert_non_null(cache);
    read_own_maps(&maps);
    for (size_t i = 0; i < maps.regions.count; i++) {
        const struct vt_region *region = &maps.regions.items[i];
        struct library library = {.address = region->start};
        const struct vt_elf *elf = vt_image_cache_get(cache, getpid(), region, &unreadable);
        uint64_t bias = 1;
        vt_addr end;
        uint8_t kind;

        if (!elf)
            continue;
        dl_iterate_phdr(find_library, &library);
        if (region->prot & VT_PROT_EXEC) {
            if (!vt_elf_is_load(elf, region->start, region->end - region->start, region->offset,
                                region->prot, &bias))
                fail_msg("%s is mapped by no loader", region->object->name);
            assert_true(library.found);
            assert_true(bias == library.bias);
            loads++;
        }
        if (!library.found)
            continue;
        kind = vt_elf_kind_at(elf, region->start - library.bias, true, region->offset, region->prot,
                              &end);
        assert_true(end > region->start - library.bias);
        if (region->prot & VT_PROT_EXEC)
            assert_int_equal(kind, VT_KIND_TEXT);
        else if (region->prot & VT_PROT_WRITE)
            assert_true(kind == VT_KIND_DATA || kind == VT_KIND_BSS);
        else
            assert_true(kind == VT_KIND_RODATA || kind == VT_KIND_RELRO);
    }
    /* At least this program, the C library, cmocka and the loader. */
    assert_true(loads >= 4);
    assert_int_equal(unreadable, 0);
    free_own_maps(&maps);
    vt_image_cache_destroy(cache);
}

/* ---- opening the file behind a mapping ---- */

/* A directory of our own, a file in it, and that file's mapping of two pages. */
struct mapped_file {
    char directory[64];
    char path[96];
    void *memory;
    ino_t inode;
    struct own_maps maps;
    const struct vt_region *region; /* its bounds are those of a VMA */
    struct vt_region inexact;       /* its second page alone: map_files does not know it */
};

static void write_file(const char *path, const void *bytes, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    close(fd);
}

static int set_up_mapped_file(void **state)
{
    struct mapped_file *file = calloc(1, sizeof(*file));
    struct elf_made made = elf_make(&pie_spec);
    struct stat st;
    int fd;

    assert_non_null(file);
    snprintf(file->directory, sizeof(file->directory), "/tmp/vastrace-image-XXXXXX");
    assert_non_null(mkdtemp(file->directory));
    snprintf(file->path, sizeof(file->path), "%s/file", file->directory);
    write_file(file->path, made.bytes, made.length);
    elf_made_deinit(&made);
    fd = open(file->path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    file->inode = st.st_ino;
    file->memory = mmap(NULL, 2 * (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_PRIVATE, fd, 0);
    assert_true(file->memory != MAP_FAILED);
    close(fd);
    read_own_maps(&file->maps);
    file->region = own_region(&file->maps, file->memory);
    file->inexact = *file->region;
    file->inexact.start += (uint64_t)sysconf(_SC_PAGESIZE);
    file->inexact.offset += (uint64_t)sysconf(_SC_PAGESIZE);
    *state = file;
    return 0;
}

static int tear_down_mapped_file(void **state)
{
    struct mapped_file *file = *state;
    char other[96];

    munmap(file->memory, 2 * (size_t)sysconf(_SC_PAGESIZE));
    unlink(file->path);
    snprintf(other, sizeof(other), "%s/other", file->directory);
    unlink(other);
    snprintf(other, sizeof(other), "%s/link", file->directory);
    unlink(other);
    rmdir(file->directory);
    free_own_maps(&file->maps);
    free(file);
    return 0;
}

/* Whether this process may use map_files, and so finds a file whatever became of its name. */
static bool sees_map_files(const struct vt_region *region)
{
    char path[96];
    int fd;

    snprintf(path, sizeof(path), "/proc/self/map_files/%" PRIx64 "-%" PRIx64, region->start,
             region->end);
    fd = open(path, O_PATH | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void expect_opened(const struct mapped_file *file, pid_t pid, const struct vt_region *region)
{
    struct vt_error err = {0};
    struct stat st;
    int fd = vt_image_open(pid, region, &err);

    if (fd < 0)
        fail_msg("%s", err.text);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_ino, file->inode);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    close(fd);
}

static void expect_refused(pid_t pid, const struct vt_region *region, int errnum)
{
    struct vt_error err = {0};
    int fd;

    alarm(300); /* a FIFO would be waited for without end */
    fd = vt_image_open(pid, region, &err);
    alarm(0);
    assert_int_equal(fd, -errnum);
    assert_int_equal(err.errnum, errnum);
    assert_non_null(strstr(err.text, region->object->name));
}

/* With map_files the file itself, else a refusal: never what has taken its name. */
static void expect_not_fooled(const struct mapped_file *file, int errnum)
{
    expect_refused(getpid(), &file->inexact, errnum);
    if (sees_map_files(file->region))
        expect_opened(file, getpid(), file->region);
    else
        expect_refused(getpid(), file->region, errnum);
}

static void test_open_mapped_file(void **state)
{
    const struct mapped_file *file = *state;

    expect_opened(file, getpid(), file->region);
    expect_opened(file, getpid(), &file->inexact);
}

static void test_open_replaced_file(void **state)
{
    const struct mapped_file *file = *state;
    char other[96];

    snprintf(other, sizeof(other), "%s/other", file->directory);
    write_file(other, "other", 5);
    assert_int_equal(rename(other, file->path), 0);
    expect_not_fooled(file, ESTALE);
}

static void test_open_replaced_by_fifo(void **state)
{
    const struct mapped_file *file = *state;

    assert_int_equal(unlink(file->path), 0);
    assert_int_equal(mkfifo(file->path, 0600), 0);
    expect_not_fooled(file, ESTALE);
}

static void test_open_replaced_by_symlink(void **state)
{
    const struct mapped_file *file = *state;

    assert_int_equal(unlink(file->path), 0);
    assert_int_equal(symlink("/etc/passwd", file->path), 0);
    expect_not_fooled(file, ESTALE);
    /* Not even a link is followed into /proc, where opening can act. */
    assert_int_equal(unlink(file->path), 0);
    assert_int_equal(symlink("/proc/self/fd/0", file->path), 0);
    expect_not_fooled(file, ESTALE);
}

static void test_open_deleted_file(void **state)
{
    struct mapped_file *file = *state;
    struct vt_object deleted = *file->region->object;
    struct vt_region region = *file->region;
    char name[128];

    snprintf(name, sizeof(name), "%s (deleted)", file->path);
    deleted.name = name;
    region.object = &deleted;
    file->inexact.object = &deleted;
    /* A file that has that name is not meant, even with the same inode. */
    assert_int_equal(rename(file->path, name), 0);
    expect_refused(getpid(), &file->inexact, ENOENT);
    assert_int_equal(unlink(name), 0);
    if (sees_map_files(&region))
        expect_opened(file, getpid(), &region);
    else
        expect_refused(getpid(), &region, EPERM);
}

static void test_open_device(void **state)
{
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    struct own_maps maps;
    void *memory;
    uint64_t unreadable = 0;
    struct vt_image_cache *cache = vt_image_cache_create();

    (void)state;
    assert_non_null(cache);
    if (fd < 0)
        skip();
    memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (memory == MAP_FAILED)
        skip();
    read_own_maps(&maps);
    expect_refused(getpid(), own_region(&maps, memory), EINVAL);
    assert_null(vt_image_cache_get(cache, getpid(), own_region(&maps, memory), &unreadable));
    assert_int_equal(unreadable, 0);
    free_own_maps(&maps);
    munmap(memory, 4096);
    vt_image_cache_destroy(cache);
}

/* By a name alone, whoever chose it: a regular file with contents, and nothing else is touched. */
static void test_open_path(void **state)
{
    const struct mapped_file *file = *state;
    char other[96];
    struct stat st;
    int fd = vt_image_open_path(file->path);

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_ino, file->inode);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    snprintf(other, sizeof(other), "%s/other", file->directory);
    assert_int_equal(vt_image_open_path(other), -ENOENT);
    assert_int_equal(mkfifo(other, 0600), 0);
    alarm(300); /* a FIFO would be waited for without end */
    assert_int_equal(vt_image_open_path(other), -EINVAL);
    alarm(0);
    assert_int_equal(vt_image_open_path(file->directory), -EINVAL);
    assert_int_equal(vt_image_open_path("/dev/zero"), -EINVAL);
    assert_int_equal(vt_image_open_path("/proc/self/maps"), -EINVAL);
}

static void test_open_of_ended_process(void **state)
{
    struct mapped_file *file = *state;
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    /* The name alone still leads to it. */
    expect_opened(file, pid, file->region);
    assert_int_equal(unlink(file->path), 0);
    expect_refused(pid, file->region, ESRCH);
}

/* Without openat2(2) the absolute links of another root lead nowhere, which is safe. */
static bool has_openat2(void)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    long fd = syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof(how));

    if (fd >= 0)
        close((int)fd);
    return fd >= 0;
}

/* In a process with a root of its own, an absolute symbolic link must not lead out of that root. */
static void test_open_in_another_root(void **state)
{
    struct mapped_file *file = *state;
    struct vt_object inside = *file->region->object;
    char link[96], name[128];
    int ready[2], quit[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(quit), 0);
    pid = fork();
    if (pid == 0) {
        close(quit[1]);
        byte = chroot(file->directory) == 0 && chdir("/") == 0 ? 'y' : 'n';
        _exit(write(ready[1], &byte, 1) == 1 && read(quit[0], &byte, 1) == 0 ? 0 : 1);
    }
    assert_true(pid > 0);
    close(ready[1]);
    close(quit[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);

    if (byte == 'y') {
        /* link -> /file: in the tracer's root there is none. */
        snprintf(link, sizeof(link), "%s/link", file->directory);
        assert_int_equal(symlink("/file", link), 0);
        inside.name = "/link";
        file->inexact.object = &inside;
        if (has_openat2())
            expect_opened(file, pid, &file->inexact);
        inside.name = "/file";
        expect_opened(file, pid, &file->inexact);
        inside.name = "/../../file";
        if (has_openat2())
            expect_opened(file, pid, &file->inexact);
        /* And as the kernel spells the name for a reader outside. */
        inside.name = file->path;
        expect_opened(file, pid, &file->inexact);
        /* Leads to a file in the tracer's root only. */
        snprintf(name, sizeof(name), "%s/other", file->directory);
        assert_int_equal(symlink("/etc/passwd", name), 0);
        inside.name = "/other";
        expect_refused(pid, &file->inexact, has_openat2() ? ENOENT : ESTALE);
    }
    close(quit[1]);
    close(ready[0]);
    waitpid(pid, NULL, 0);
    if (byte != 'y')
        skip();
}

/* ---- the cache ---- */

static void test_cache(void **state)
{
    struct mapped_file *file = *state;
    struct vt_image_cache *cache = vt_image_cache_create();
    struct vt_object again = *file->region->object;
    struct vt_object special = {.type = VT_OBJECT_SPECIAL, .name = "[vdso]"};
    struct vt_region region = *file->region;
    uint64_t unreadable = 0;
    const struct vt_elf *elf;

    assert_non_null(cache);
    elf = vt_image_cache_get(cache, getpid(), file->region, &unreadable);
    assert_non_null(elf);
    CHECK_PARTS(elf, pie_parts);

    /* The same file as another object: found by what it is. */
    region.object = &again;
    assert_ptr_equal(vt_image_cache_get(cache, getpid(), &region, &unreadable), elf);
    /* A known object: no process is asked. */
    assert_int_equal(unlink(file->path), 0);
    assert_ptr_equal(vt_image_cache_get(cache, -1, file->region, &unreadable), elf);
    assert_ptr_equal(vt_image_cache_get(cache, -1, &region, NULL), elf);
    assert_int_equal(unreadable, 0);

    region.object = NULL;
    assert_null(vt_image_cache_get(cache, getpid(), &region, &unreadable));
    region.object = &special;
    assert_null(vt_image_cache_get(cache, getpid(), &region, &unreadable));
    assert_int_equal(unreadable, 0);
    vt_image_cache_destroy(cache);
    vt_image_cache_destroy(NULL);
}

static void test_cache_remembers_failures(void **state)
{
    struct mapped_file *file = *state;
    struct vt_image_cache *cache = vt_image_cache_create();
    struct vt_object gone = *file->region->object;
    uint64_t unreadable = 0;
    pid_t pid;

    assert_non_null(cache);
    gone.name = "/nonexistent/file";
    file->inexact.object = &gone;
    /* That of a process which has ended is no answer for the next one. */
    pid = fork();
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_null(vt_image_cache_get(cache, pid, &file->inexact, &unreadable));
    assert_null(vt_image_cache_get(cache, pid, &file->inexact, &unreadable));
    assert_int_equal(unreadable, 2);

    assert_null(vt_image_cache_get(cache, getpid(), &file->inexact, &unreadable));
    assert_int_equal(unreadable, 3);
    gone.name = file->path; /* would be found now */
    assert_null(vt_image_cache_get(cache, getpid(), &file->inexact, &unreadable));
    assert_int_equal(unreadable, 3);

    /* What is read and is no ELF file is no loss. */
    assert_int_equal(truncate(file->path, 3), 0);
    assert_null(vt_image_cache_get(cache, getpid(), file->region, &unreadable));
    assert_int_equal(unreadable, 3);
    vt_image_cache_destroy(cache);
}

/* More files than the table begins with. */
static void test_cache_grows(void **state)
{
    enum { OBJECTS = 500 };
    struct mapped_file *file = *state;
    struct vt_image_cache *cache = vt_image_cache_create();
    struct vt_object *objects = calloc(OBJECTS, sizeof(*objects));
    const struct vt_elf *elf = NULL;

    assert_non_null(cache);
    assert_non_null(objects);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < OBJECTS; i++) {
            struct vt_region region = *file->region;
            const struct vt_elf *answer;

            objects[i] = *file->region->object;
            region.object = &objects[i];
            answer = vt_image_cache_get(cache, round == 0 ? getpid() : -1, &region, NULL);
            assert_non_null(answer);
            assert_true(!elf || elf == answer);
            elf = answer;
        }
    }
    free(objects);
    vt_image_cache_destroy(cache);
}

#define WITH_FILE(test)                                                                            \
    cmocka_unit_test_setup_teardown(test, set_up_mapped_file, tear_down_mapped_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pie_in_each_class_and_order),
        cmocka_unit_test(test_stripped_of_sections),
        cmocka_unit_test(test_kinds_of_pages),
        cmocka_unit_test(test_kinds_of_tls_and_bss_pages),
        cmocka_unit_test(test_segments_that_share_pages),
        cmocka_unit_test(test_program_types),
        cmocka_unit_test(test_is_load),
        cmocka_unit_test(test_is_load_with_a_shared_file_page),
        cmocka_unit_test(test_not_for_loading),
        cmocka_unit_test(test_breakages),
        cmocka_unit_test(test_cut_short_anywhere),
        cmocka_unit_test(test_overlapping_sections),
        cmocka_unit_test(test_extended_section_count),
        cmocka_unit_test(test_huge_segment_is_quick),
        cmocka_unit_test(test_large_file),
        cmocka_unit_test(test_what_is_no_file),
        cmocka_unit_test(test_random_damage_made),
        cmocka_unit_test(test_random_damage_system),
        cmocka_unit_test(test_against_readelf),
        cmocka_unit_test(test_own_libraries),
        WITH_FILE(test_open_mapped_file),
        WITH_FILE(test_open_replaced_file),
        WITH_FILE(test_open_replaced_by_fifo),
        WITH_FILE(test_open_replaced_by_symlink),
        WITH_FILE(test_open_deleted_file),
        cmocka_unit_test(test_open_device),
        WITH_FILE(test_open_path),
        WITH_FILE(test_open_of_ended_process),
        WITH_FILE(test_open_in_another_root),
        WITH_FILE(test_cache),
        WITH_FILE(test_cache_remembers_failures),
        WITH_FILE(test_cache_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
