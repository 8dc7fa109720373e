/*
 * test_kernel_half.c - the kernel half, from files made here: what they tell is believed, what
 * they leave out is as documented, and nonsense tells nothing.
 */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/base.h"
#include "session/kernel_half.h"

static const struct vt_kernel_files no_files;

/* A temporary file with these bytes; the name is the caller's to unlink and free. */
static char *file_of(const void *bytes, size_t length)
{
    char *path = strdup("/tmp/vastrace-kernel-XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    close(fd);
    return path;
}

static char *file_of_text(const char *text)
{
    return file_of(text, strlen(text));
}

static void drop(char *path)
{
    unlink(path);
    free(path);
}

static const struct vt_kernel_range *find(const struct vt_kernel_half *half,
                                          enum vt_kernel_role role)
{
    for (size_t i = 0; i < half->count; i++) {
        if (half->ranges[i].role == role)
            return &half->ranges[i];
    }
    return NULL;
}

static void assert_range(const struct vt_kernel_half *half, enum vt_kernel_role role, vt_addr start,
                         vt_addr last, const char *source)
{
    const struct vt_kernel_range *range = find(half, role);

    if (!range)
        fail_msg("no %s", vt_kernel_role_name(role));
    assert_int_equal(range->start, start);
    assert_int_equal(range->last, last);
    if (source)
        assert_string_equal(range->source, source);
    else
        assert_null(range->source);
}

/* Ascending, not overlapping, of known roles. */
static void assert_sound(const struct vt_kernel_half *half)
{
    assert_true(half->count <= VT_KERNEL_RANGES);
    assert_true(half->source[0] != '\0');
    for (size_t i = 0; i < half->count; i++) {
        assert_true(half->ranges[i].start <= half->ranges[i].last);
        assert_true(half->ranges[i].role < VT_KERNEL_ROLE_COUNT);
        if (i)
            assert_true(half->ranges[i].start > half->ranges[i - 1].last);
    }
}

static void test_documented(void **state)
{
    (void)state;
    struct vt_kernel_half half;

    vt_kernel_half_read(&no_files, false, &half);
    assert_sound(&half);
    assert_int_equal(half.count, 13);
    assert_range(&half, VT_KERNEL_DIRECT, 0xffff888000000000, 0xffffc87fffffffff, NULL);
    assert_range(&half, VT_KERNEL_MODULES, 0xffffffffa0000000, 0xfffffffffeffffff, NULL);
    assert_range(&half, VT_KERNEL_VSYSCALL, 0xffffffffff600000, 0xffffffffff600fff, NULL);
    assert_string_equal(half.source, "documented split; this kernel does not tell its own");

    vt_kernel_half_read(&no_files, true, &half);
    assert_sound(&half);
    assert_range(&half, VT_KERNEL_DIRECT, 0xff11000000000000, 0xff90ffffffffffff, NULL);
    assert_range(&half, VT_KERNEL_VMALLOC, 0xffa0000000000000, 0xffd1ffffffffffff, NULL);
}

static void test_image_by_symbols(void **state)
{
    (void)state;
    char *kallsyms = file_of_text("0000000000000000 A fixed_percpu_data\n"
                                  "ffffffff9a000000 T _stext\n"
                                  "ffffffff9a000000 T _text\n"
                                  "ffffffff9b200000 T _etext\n"
                                  "ffffffff9cc58000 B _end\n"
                                  "ffffffffc0201000 t _end\t[some_module]\n");
    struct vt_kernel_files files = {.kallsyms = kallsyms};
    struct vt_kernel_half half;

    vt_kernel_half_read(&files, false, &half);
    assert_sound(&half);
    assert_range(&half, VT_KERNEL_IMAGE, 0xffffffff9a000000, 0xffffffff9cc57fff, "kallsyms");
    assert_non_null(strstr(half.source, "kallsyms"));
    assert_non_null(strstr(half.source, "KASLR"));
    /* The documented place of the image is what is left around it. */
    assert_range(&half, VT_KERNEL_TEXT_MAPPING, 0xffffffff80000000, 0xffffffff99ffffff, NULL);
    drop(kallsyms);
}

static void test_image_by_iomem(void **state)
{
    (void)state;
    char *kallsyms = file_of_text("ffffffff81000000 T _text\nffffffff8220bb08 T _etext\n");
    char *iomem = file_of_text("00000000-00000fff : Reserved\n"
                               "00100000-bfffffff : System RAM\n"
                               "  01000000-0220bb07 : Kernel code\n"
                               "  02400000-02e09fff : Kernel rodata\n"
                               "  03000000-0327c13f : Kernel data\n"
                               "  03b34000-03c57fff : Kernel bss\n");
    struct vt_kernel_files files = {.kallsyms = kallsyms, .iomem = iomem};
    struct vt_kernel_half half;

    vt_kernel_half_read(&files, false, &half);
    assert_sound(&half);
    assert_range(&half, VT_KERNEL_TEXT, 0xffffffff81000000, 0xffffffff8220bb07, "kallsyms");
    assert_range(&half, VT_KERNEL_RODATA, 0xffffffff82400000, 0xffffffff82e09fff, "iomem");
    assert_range(&half, VT_KERNEL_BSS, 0xffffffff83b34000, 0xffffffff83c57fff, "iomem");
    drop(iomem);

    /* Without privilege all its addresses are zero: the symbols must do. */
    files.iomem = iomem = file_of_text("  00000000-00000000 : Kernel code\n"
                                       "  00000000-00000000 : Kernel bss\n");
    vt_kernel_half_read(&files, false, &half);
    assert_sound(&half);
    assert_range(&half, VT_KERNEL_TEXT, 0xffffffff81000000, 0xffffffff8220bb07, "kallsyms");
    assert_null(find(&half, VT_KERNEL_BSS));
    drop(iomem);
    drop(kallsyms);
}

static void test_kcore(void **state)
{
    (void)state;
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr phdrs[8];
    } core = {0};
    const struct {
        vt_addr start;
        uint64_t size, physical;
    } segments[8] = {
        {0xffffa18000000000, UINT64_C(32) << 40, UINT64_MAX}, /* vmalloc, moved by KASLR */
        {0xffffffff9a000000, 0x2c58000, 0x1a000000},          /* the image */
        {0xffffffffc0000000, 0x3f000000, UINT64_MAX},         /* modules */
        {0xffffffffff600000, 0x1000, UINT64_MAX},             /* vsyscall */
        {0xffff8ac000001000, 0x9e000, 0x1000},                /* RAM */
        {0xffff8ac000100000, 0xbff00000, 0x100000},           /* RAM */
        {0xffffe6c000000000, 0x3000000, UINT64_MAX},          /* vmemmap */
        {0x0000000000400000, 0x1000, UINT64_MAX},             /* nonsense */
    };

    memcpy(core.header.e_ident, ELFMAG, SELFMAG);
    core.header.e_ident[EI_CLASS] = ELFCLASS64;
    core.header.e_phentsize = sizeof(Elf64_Phdr);
    core.header.e_phoff = offsetof(__typeof__(core), phdrs);
    core.header.e_phnum = 8;
    for (size_t i = 0; i < 8; i++)
        core.phdrs[i] = (Elf64_Phdr){.p_type = PT_LOAD,
                                     .p_vaddr = segments[i].start,
                                     .p_memsz = segments[i].size,
                                     .p_paddr = segments[i].physical};
    char *kcore = file_of(&core, sizeof(core));
    struct vt_kernel_files files = {.kcore = kcore};
    struct vt_kernel_half half;

    vt_kernel_half_read(&files, false, &half);
    assert_sound(&half);
    assert_range(&half, VT_KERNEL_DIRECT, 0xffff8ac000000000, 0xffff8ac0bfffffff, "kcore");
    assert_range(&half, VT_KERNEL_VMALLOC, 0xffffa18000000000, 0xffffc17fffffffff, "kcore");
    assert_range(&half, VT_KERNEL_VMEMMAP, 0xffffe6c000000000, 0xffffe6c002ffffff, "kcore");
    assert_range(&half, VT_KERNEL_IMAGE, 0xffffffff9a000000, 0xffffffff9cc57fff, "kcore");
    assert_range(&half, VT_KERNEL_MODULES, 0xffffffffc0000000, 0xfffffffffeffffff, "kcore");
    assert_range(&half, VT_KERNEL_VSYSCALL, 0xffffffffff600000, 0xffffffffff600fff, "kcore");
    assert_null(strstr(half.source, "KASLR"));

    /* Cut short at every length: never a crash, always sound. */
    for (size_t length = 0; length < sizeof(core); length += 7) {
        char *cut = file_of(&core, length);
        files.kcore = cut;
        vt_kernel_half_read(&files, length % 2, &half);
        assert_sound(&half);
        drop(cut);
    }
    drop(kcore);
}

static void test_modules(void **state)
{
    (void)state;
    char *modules = file_of_text("ext4 1064960 2 - Live 0xffffffffc0a00000\n"
                                 "crc16 12288 1 ext4, Live 0xffffffffc0400000 (E)\n"
                                 "hidden 4096 0 - Live 0x0000000000000000\n");
    struct vt_kernel_files files = {.modules = modules};
    struct vt_kernel_half half;

    vt_kernel_half_read(&files, false, &half);
    assert_sound(&half);
    assert_range(&half, VT_KERNEL_LOADED_MODULES, 0xffffffffc0400000, 0xffffffffc0b03fff,
                 "modules");
    drop(modules);
}

static void test_nonsense(void **state)
{
    (void)state;
    uint64_t seed = 12345;

    for (int round = 0; round < 200; round++) {
        uint64_t noise[64];
        struct vt_kernel_half half;
        for (size_t i = 0; i < VT_COUNTOF(noise); i++)
            noise[i] = seed = seed * 6364136223846793005 + 1442695040888963407;
        if (round % 2) { /* a core header with segments of noise */
            Elf64_Ehdr header = {
                .e_phentsize = sizeof(Elf64_Phdr), .e_phoff = sizeof(header), .e_phnum = 7};
            memcpy(header.e_ident, ELFMAG, SELFMAG);
            header.e_ident[EI_CLASS] = ELFCLASS64;
            memcpy(noise, &header, sizeof(header));
            for (size_t i = 0; i < 7; i++) {
                Elf64_Phdr *phdr = (Elf64_Phdr *)((char *)noise + sizeof(header)) + i;
                phdr->p_type = PT_LOAD;
                phdr->p_vaddr |= 0xff00000000000000 << (round % 9);
                phdr->p_memsz >>= round % 60;
                phdr->p_paddr = round % 3 ? phdr->p_vaddr & 0xffffffffff : UINT64_MAX;
                if ((char *)(phdr + 2) > (char *)(noise + VT_COUNTOF(noise)))
                    break;
            }
        }
        char *path = file_of(noise, sizeof(noise));
        struct vt_kernel_files files = {path, path, path, path};
        vt_kernel_half_read(&files, round % 4 > 1, &half);
        assert_sound(&half);
        drop(path);
    }
    struct vt_kernel_files absent = {"/nowhere", "/nowhere", "/", "/"};
    struct vt_kernel_half half;
    vt_kernel_half_read(&absent, false, &half);
    assert_sound(&half);
    assert_int_equal(half.count, 13);
}

static void test_this_machine(void **state)
{
    (void)state;
    struct vt_machine machine;
    struct vt_kernel_half half;

    vt_machine_read(&machine);
    assert_true(machine.mmap_rnd_bits <= 64);
    assert_true(machine.mmap_min_addr < 1u << 30);
    vt_kernel_half_read(&vt_kernel_proc_files, machine.la57, &half);
    assert_sound(&half);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documented),     cmocka_unit_test(test_image_by_symbols),
        cmocka_unit_test(test_image_by_iomem), cmocka_unit_test(test_kcore),
        cmocka_unit_test(test_modules),        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
