/*
 * test_picture.c - the layout's formats: golden pictures of made-up address spaces, and what must
 * hold for any picture: borders descend, columns align, no line is too wide, nothing unescaped.
 *
 * With VASTRACE_UPDATE_GOLDEN set, the golden files are written instead of compared.
 */
#include <inttypes.h>
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
#include "base/buf.h"
#include "model/maps.h"
#include "sinks/picture.h"
#include "unit/nomem.h"

/* ---- made-up address spaces ---- */

/* One region: what maps would show, and what the session would know. Null names: none. */
struct spec {
    vt_addr start, end;
    const char *perm;
    uint64_t offset;
    const char *object;
    uint8_t kind;
    const char *image;
};

struct space {
    struct vt_objects *objects;
    struct vt_layout *layout;
    const struct spec *specs;
    size_t count;
    const struct vt_part *parts; /* for every region of an image, to be clipped */
    size_t part_count;
    uint64_t bias;
};

static const struct vt_object *intern(struct space *space, const char *name)
{
    struct vt_object like = {.name = name};

    if (!name)
        return NULL;
    like.type = name[0] == '[' ? VT_OBJECT_SPECIAL : VT_OBJECT_FILE;
    if (like.type == VT_OBJECT_FILE) {
        like.dev_major = 0xfe;
        for (const char *c = name; *c; c++)
            like.inode = like.inode * 31 % 1000003 + (unsigned char)*c;
    }
    const struct vt_object *object = vt_objects_intern(space->objects, &like);
    assert_non_null(object);
    return object;
}

static const struct spec *spec_at(const struct space *space, vt_addr addr)
{
    for (size_t i = 0; i < space->count; i++) {
        if (addr >= space->specs[i].start && addr < space->specs[i].end)
            return &space->specs[i];
    }
    return NULL;
}

static vt_addr classify(void *context, const struct vt_region *region, uint8_t *kind)
{
    const struct spec *spec = spec_at(context, region->start);

    assert_non_null(spec);
    *kind = spec->kind;
    return vt_min(spec->end, region->end);
}

static void detail(void *context, const struct vt_region *region, struct vt_detail *out)
{
    struct space *space = context;
    const struct spec *spec = spec_at(space, region->start);

    memset(out, 0, sizeof(*out));
    if (!spec || !spec->image)
        return;
    out->image = intern(space, spec->image);
    out->bias = space->bias;
    for (size_t i = 0; i < space->part_count; i++) {
        const struct vt_part *part = &space->parts[i];
        if (part->end + space->bias <= region->start || part->start + space->bias >= region->end)
            continue;
        out->parts = out->parts ? out->parts : part;
        out->part_count = (size_t)(part - out->parts) + 1;
    }
}

static void space_init(struct space *space, const struct spec *specs, size_t count,
                       const struct vt_layout_marks *marks)
{
    *space = (struct space){.specs = specs, .count = count};
    space->objects = vt_objects_create();
    space->layout = vt_layout_create(classify, space);
    assert_non_null(space->objects);
    assert_non_null(space->layout);
    if (marks)
        vt_layout_set_marks(space->layout, marks);
    for (size_t i = 0; i < count; i++) {
        const struct spec *spec = &specs[i];
        struct vt_region region = {.start = spec->start,
                                   .end = spec->end,
                                   .offset = spec->offset,
                                   .object = intern(space, spec->object)};
        region.prot = (uint8_t)((spec->perm[0] == 'r' ? VT_PROT_READ : 0) |
                                (spec->perm[1] == 'w' ? VT_PROT_WRITE : 0) |
                                (spec->perm[2] == 'x' ? VT_PROT_EXEC : 0));
        region.flags = spec->perm[3] == 's'   ? VT_REGION_SHARED
                       : spec->perm[3] == 'a' ? VT_REGION_ARENA /* an arena's heap */
                                              : 0;
        assert_int_equal(vt_layout_map(space->layout, &region, NULL), 0);
    }
}

static void space_deinit(struct space *space)
{
    vt_layout_destroy(space->layout);
    vt_objects_destroy(space->objects);
}

#define PROGRAM "/opt/demo/tiny"
#define LIBC    "/usr/lib/x86_64-linux-gnu/libc.so.6"
#define LOADER  "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
#define LOCALE  "/usr/lib/locale/C.utf8/LC_CTYPE"

/* A position-independent program as the kernel and the loader lay it out. */
static const struct spec pie_specs[] = {
    {0x555555554000, 0x555555555000, "r--p", 0, PROGRAM, VT_KIND_RODATA, PROGRAM},
    {0x555555555000, 0x5555555d5000, "r-xp", 0x1000, PROGRAM, VT_KIND_TEXT, PROGRAM},
    {0x5555555d5000, 0x5555555f0000, "r--p", 0x81000, PROGRAM, VT_KIND_RODATA, PROGRAM},
    {0x5555555f0000, 0x5555555f2000, "r--p", 0x9b000, PROGRAM, VT_KIND_RELRO, PROGRAM},
    {0x5555555f2000, 0x5555555f4000, "rw-p", 0x9d000, PROGRAM, VT_KIND_DATA, PROGRAM},
    {0x5555555f4000, 0x555555700000, "rw-p", 0, NULL, VT_KIND_BSS, PROGRAM},
    {0x555555800000, 0x555555821000, "rw-p", 0, NULL, VT_KIND_HEAP, NULL},
    {0x7ffff6000000, 0x7ffff6021000, "rw-p", 0, NULL, VT_KIND_ANON, NULL},
    {0x7ffff6021000, 0x7ffffa000000, "---p", 0, NULL, VT_KIND_RESERVE, NULL},
    {0x7ffffa000000, 0x7ffffa001000, "---p", 0, NULL, VT_KIND_GUARD, NULL},
    {0x7ffffa001000, 0x7ffffa801000, "rw-p", 0, NULL, VT_KIND_THREAD_STACK, NULL},
    {0x7ffffb000000, 0x7ffffb057000, "r--p", 0, LOCALE, VT_KIND_FILE, NULL},
    {0x7ffffb060000, 0x7ffffb061000, "rw-s", 0, "/dev/shm/ring", VT_KIND_SHM, NULL},
    {0x7ffffbd00000, 0x7ffffbd26000, "r--p", 0, LIBC, VT_KIND_RODATA, LIBC},
    {0x7ffffbd26000, 0x7ffffbe7c000, "r-xp", 0x26000, LIBC, VT_KIND_TEXT, LIBC},
    {0x7ffffbe7c000, 0x7ffffbecf000, "r--p", 0x17c000, LIBC, VT_KIND_RODATA, LIBC},
    {0x7ffffbecf000, 0x7ffffbed3000, "r--p", 0x1cf000, LIBC, VT_KIND_RELRO, LIBC},
    {0x7ffffbed3000, 0x7ffffbed5000, "rw-p", 0x1d3000, LIBC, VT_KIND_DATA, LIBC},
    {0x7ffffbed5000, 0x7ffffbee2000, "rw-p", 0, NULL, VT_KIND_BSS, LIBC},
    {0x7ffffbfc1000, 0x7ffffbfc5000, "r--p", 0, "[vvar]", VT_KIND_VVAR, NULL},
    {0x7ffffbfc5000, 0x7ffffbfc7000, "r-xp", 0, "[vdso]", VT_KIND_VDSO, NULL},
    {0x7ffffbfc7000, 0x7ffffbfc8000, "r--p", 0, LOADER, VT_KIND_RODATA, LOADER},
    {0x7ffffbfc8000, 0x7ffffbfee000, "r-xp", 0x1000, LOADER, VT_KIND_TEXT, LOADER},
    {0x7ffffffde000, 0x7fffffff7000, "rw-p", 0, NULL, VT_KIND_STACK, NULL},
    {0xffffffffff600000, 0xffffffffff601000, "--xp", 0, "[vsyscall]", VT_KIND_VSYSCALL, NULL},
};

static const struct vt_layout_marks pie_marks = {0x555555800000, 0x555555820f00, 0x7fffffff6e80};

/* Parts of PROGRAM, as in its file: data and the head of bss share a page. */
static const struct vt_part pie_parts[] = {
    {0x0000, 0x1000, VT_KIND_RODATA},   {0x1000, 0x80f00, VT_KIND_TEXT},
    {0x81000, 0x9bf00, VT_KIND_RODATA}, {0x9c000, 0x9c020, VT_KIND_TLS},
    {0x9c020, 0x9e000, VT_KIND_RELRO},  {0x9e000, 0x9f340, VT_KIND_DATA},
    {0x9f340, 0x1ac000, VT_KIND_BSS},
};

static const struct vt_kernel_half documented = {
    .ranges =
        {
            {0xffff888000000000, 0xffffc87fffffffff, VT_KERNEL_DIRECT, NULL},
            {0xffffc90000000000, 0xffffe8ffffffffff, VT_KERNEL_VMALLOC, NULL},
            {0xffffffff80000000, 0xffffffff80ffffff, VT_KERNEL_TEXT_MAPPING, NULL},
            {0xffffffff81000000, 0xffffffff821fffff, VT_KERNEL_TEXT, "kallsyms"},
            {0xffffffff82200000, 0xffffffff823fffff, VT_KERNEL_TEXT_MAPPING, NULL},
            {0xffffffff82400000, 0xffffffff82dfffff, VT_KERNEL_RODATA, "iomem"},
            {0xffffffff82e00000, 0xffffffff9fffffff, VT_KERNEL_TEXT_MAPPING, NULL},
            {0xffffffffa0000000, 0xfffffffffeffffff, VT_KERNEL_MODULES, NULL},
            {0xffffffffff600000, 0xffffffffff600fff, VT_KERNEL_VSYSCALL, NULL},
        },
    .count = 9,
    .source = "this kernel's kallsyms, iomem; the rest as documented",
};

static struct vt_picture_input pie_input(struct space *space)
{
    space_init(space, pie_specs, VT_COUNTOF(pie_specs), &pie_marks);
    space->parts = pie_parts;
    space->part_count = VT_COUNTOF(pie_parts);
    space->bias = 0x555555554000;
    return (struct vt_picture_input){
        .layout = space->layout,
        .detail = detail,
        .detail_context = space,
        .pid = 4242,
        .path = PROGRAM,
        .type = VT_PROGRAM_PIE,
        .class_bits = 64,
        .sp = 0x7fffffff6a10,
        .stack_limit = 8 << 20,
        .aslr = 2,
        .mmap_min_addr = 0x10000,
        .mmap_rnd_bits = 28,
        .kernel = &documented,
        .utf8 = true,
    };
}

/* A static program at fixed addresses, ASLR off, that has not asked for a heap yet. */
static const struct spec static_specs[] = {
    {0x400000, 0x401000, "r--p", 0, PROGRAM, VT_KIND_RODATA, PROGRAM},
    {0x401000, 0x479000, "r-xp", 0x1000, PROGRAM, VT_KIND_TEXT, PROGRAM},
    {0x479000, 0x4a0000, "r--p", 0x79000, PROGRAM, VT_KIND_RODATA, PROGRAM},
    {0x4a4000, 0x4a8000, "rw-p", 0xa3000, PROGRAM, VT_KIND_DATA, PROGRAM},
    {0x7ffff7ff9000, 0x7ffff7ffd000, "r--p", 0, "[vvar]", VT_KIND_VVAR, NULL},
    {0x7ffff7ffd000, 0x7ffff7fff000, "r-xp", 0, "[vdso]", VT_KIND_VDSO, NULL},
    {0x7ffffffde000, 0x7ffffffff000, "rw-p", 0, NULL, VT_KIND_STACK, NULL},
};
static const struct vt_layout_marks static_marks = {0x4a8000, 0x4a8000, 0x7fffffffe2f0};

static struct vt_picture_input static_input(struct space *space)
{
    space_init(space, static_specs, VT_COUNTOF(static_specs), &static_marks);
    return (struct vt_picture_input){
        .layout = space->layout,
        .detail = detail,
        .detail_context = space,
        .path = PROGRAM,
        .type = VT_PROGRAM_STATIC,
        .class_bits = 64,
        .stack_limit = UINT64_MAX,
        .aslr = 2,
        .aslr_disabled = true,
        .moment = "at 1.25 s",
        .mmap_min_addr = 0x10000,
        .utf8 = true,
    };
}

/* A 32-bit program whose mapped area grows upwards, as in the legacy layout. */
static const struct spec compat_specs[] = {
    {0x08048000, 0x080a0000, "r-xp", 0, PROGRAM, VT_KIND_TEXT, PROGRAM},
    {0x080a0000, 0x080a8000, "rw-p", 0x58000, PROGRAM, VT_KIND_DATA, PROGRAM},
    {0x09000000, 0x09022000, "rw-p", 0, NULL, VT_KIND_HEAP, NULL},
    {0x55555000, 0x55580000, "r-xp", 0, "/lib/ld-linux.so.2", VT_KIND_TEXT, "/lib/ld-linux.so.2"},
    {0x55580000, 0x55582000, "rw-p", 0x2b000, "/lib/ld-linux.so.2", VT_KIND_DATA,
     "/lib/ld-linux.so.2"},
    {0xfffdd000, 0xffffe000, "rw-p", 0, NULL, VT_KIND_STACK, NULL},
};
static const struct vt_layout_marks compat_marks = {0x09000000, 0x09022000, 0xffffd2f0};

static struct vt_picture_input compat_input(struct space *space)
{
    space_init(space, compat_specs, VT_COUNTOF(compat_specs), &compat_marks);
    return (struct vt_picture_input){
        .layout = space->layout,
        .detail = detail,
        .detail_context = space,
        .pid = 99,
        .path = PROGRAM,
        .type = VT_PROGRAM_DYNAMIC,
        .class_bits = 32,
        .sp = 0xffffd000,
        .aslr = 0,
        .mmap_min_addr = 0x10000,
        .kernel = &documented, /* must not show */
        .utf8 = true,
    };
}

/* 5-level page tables, and a program that asked for an address beyond 47 bits. */
static const struct spec la57_specs[] = {
    {0x555555554000, 0x555555555000, "r-xp", 0, PROGRAM, VT_KIND_TEXT, PROGRAM},
    {0x7ffff7d00000, 0x7ffff7d01000, "rw-p", 0, NULL, VT_KIND_ANON, NULL},
    {0x7ffffffde000, 0x7ffffffff000, "rw-p", 0, NULL, VT_KIND_STACK, NULL},
    {0xffff0000000000, 0xffff4000000000, "rw-p", 0, NULL, VT_KIND_ANON, NULL},
};

static struct vt_picture_input la57_input(struct space *space)
{
    space_init(space, la57_specs, VT_COUNTOF(la57_specs), NULL);
    return (struct vt_picture_input){
        .layout = space->layout,
        .detail = detail,
        .detail_context = space,
        .path = PROGRAM,
        .type = VT_PROGRAM_STATIC_PIE,
        .aslr = 1,
        .la57 = true,
        .utf8 = true,
    };
}

/* malloc's arenas, threads, reserves far larger than memory, and mappings at chosen addresses. */
static const struct spec reserves_specs[] = {
    {0x100000000, 0x200000000, "---p", 0, NULL, VT_KIND_RESERVE, NULL},
    {0x0a0000000000, 0x0a0000100000, "rw-p", 0, NULL, VT_KIND_ANON, NULL},
    {0x0a0000100000, 0x0b0000000000, "---p", 0, NULL, VT_KIND_RESERVE, NULL},
    {0x200000000000, 0x200000001000, "rw-p", 0, NULL, VT_KIND_ANON, NULL},
    {0x555555554000, 0x555555555000, "r-xp", 0, PROGRAM, VT_KIND_TEXT, PROGRAM},
    {0x555555800000, 0x555555821000, "rw-p", 0, NULL, VT_KIND_HEAP, NULL},
    {0x555580000000, 0x5555a0000000, "rwxp", 0, NULL, VT_KIND_ANON, NULL},
    {0x7fffe4000000, 0x7fffe4021000, "rw-a", 0, NULL, VT_KIND_HEAP, NULL},
    {0x7fffe4021000, 0x7fffe8000000, "---p", 0, NULL, VT_KIND_RESERVE, NULL},
    {0x7fffe8000000, 0x7fffe8321000, "rw-a", 0, NULL, VT_KIND_HEAP, NULL},
    {0x7fffe8321000, 0x7fffec000000, "---p", 0, NULL, VT_KIND_RESERVE, NULL},
    {0x7fffec000000, 0x7fffec001000, "---p", 0, NULL, VT_KIND_GUARD, NULL},
    {0x7fffec001000, 0x7fffec801000, "rw-p", 0, NULL, VT_KIND_THREAD_STACK, NULL},
    {0x7fffec801000, 0x7fffec802000, "---p", 0, NULL, VT_KIND_GUARD, NULL},
    {0x7fffec802000, 0x7fffed002000, "rw-p", 0, NULL, VT_KIND_THREAD_STACK, NULL},
    {0x7fffed002000, 0x7fffed010000, "rw-p", 0, NULL, VT_KIND_ANON, NULL},
    {0x7ffff7fc7000, 0x7ffff7fc8000, "r--p", 0, LOADER, VT_KIND_RODATA, LOADER},
    {0x7ffff7fc8000, 0x7ffff7fee000, "r-xp", 0x1000, LOADER, VT_KIND_TEXT, LOADER},
    {0x7ffffffde000, 0x7fffffff7000, "rw-p", 0, NULL, VT_KIND_STACK, NULL},
};
static const struct vt_layout_marks reserves_marks = {0x555555800000, 0x555555821000, 0};

static struct vt_picture_input reserves_input(struct space *space)
{
    space_init(space, reserves_specs, VT_COUNTOF(reserves_specs), &reserves_marks);
    return (struct vt_picture_input){
        .layout = space->layout,
        .detail = detail,
        .detail_context = space,
        .path = PROGRAM,
        .type = VT_PROGRAM_PIE,
        .aslr = 2,
        .mmap_min_addr = 0x1000,
        .utf8 = true,
    };
}

/* ---- golden files ---- */

static void compare_golden(const char *name, const struct vt_picture_input *input,
                           const char *format)
{
    struct vt_error err;
    struct vt_buf out = {0};
    char path[512];

    snprintf(path, sizeof(path), "%s/tests/golden/picture-%s", SOURCE_DIR, name);
    assert_int_equal(vt_picture_format_find(format)->render(input, &out, &err), 0);
    if (getenv("VASTRACE_UPDATE_GOLDEN")) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(out.data, 1, out.length, file), out.length);
        assert_int_equal(fclose(file), 0);
    }
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("no golden file %s", path);
    char *expected = calloc(1, out.length + 65536);
    assert_non_null(expected);
    size_t length = fread(expected, 1, out.length + 65535, file);
    fclose(file);
    if (length != out.length || memcmp(expected, out.data, length) != 0) {
        size_t at = 0, line = 1;
        while (at < length && at < out.length && expected[at] == out.data[at])
            line += expected[at++] == '\n';
        vt_buf_cstr(&out);
        fprintf(stderr, "%s", out.data);
        fail_msg("%s differs in line %zu", path, line);
    }
    free(expected);
    vt_buf_deinit(&out);
}

static void test_golden_pie(void **state)
{
    (void)state;
    struct space space;
    struct vt_picture_input input = pie_input(&space);

    compare_golden("pie.txt", &input, "picture");
    input.color = true;
    compare_golden("pie-color.txt", &input, "picture");
    input.color = false;
    input.width = 160;
    compare_golden("pie-wide.txt", &input, "picture");
    input.width = 100;
    input.utf8 = false;
    input.all = true;
    compare_golden("pie-ascii-all.txt", &input, "picture");
    compare_golden("pie.maps", &input, "maps");
    compare_golden("pie.json", &input, "json");
    space_deinit(&space);
}

static void test_golden_others(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct vt_picture_input (*make)(struct space *);
        unsigned width;
    } cases[] = {
        {"static.txt", static_input, 80},
        {"32bit.txt", compat_input, 80},
        {"la57.txt", la57_input, 120},
    };

    for (size_t i = 0; i < VT_COUNTOF(cases); i++) {
        struct space space;
        struct vt_picture_input input = cases[i].make(&space);
        input.width = cases[i].width;
        compare_golden(cases[i].name, &input, "picture");
        space_deinit(&space);
    }
}

/* ---- what holds for every picture ---- */

/* Columns of a line, each code point one (no test name is wider), SGR sequences none. */
static unsigned line_columns(const char *line, size_t length)
{
    unsigned columns = 0;

    for (size_t i = 0; i < length; i++) {
        if (line[i] == '\033') {
            while (i < length && line[i] != 'm')
                i++;
        } else {
            assert_true((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
            columns += ((unsigned char)line[i] & 0xc0) != 0x80;
        }
    }
    return columns;
}

/* True if the line has a number and a border right of it: no text above or below the drawing. */
static bool border_column(const char *line)
{
    const char *border = strchr(line, '+');
    return border && border > line && border[-1] == ' ' && border - line <= 17 &&
           (border[1] == '-' || border[1] == '.');
}

/* Checks the drawing of `input` in ASCII and in Unicode; returns the number of its lines. */
static unsigned check_picture(struct vt_picture_input input)
{
    unsigned lines[2] = {0};
    bool color = input.color; /* only with Unicode: borders are looked for in plain ASCII */

    for (int utf8 = 0; utf8 < 2; utf8++) {
        struct vt_error err;
        struct vt_buf out = {0};
        input.utf8 = utf8;
        input.color = color && utf8;
        assert_int_equal(vt_picture_render(&input, &out, &err), 0);

        bool any = false, ended = false;
        uint64_t last = 0;
        unsigned width = input.width ? (unsigned)vt_max(input.width, 60) : 80;
        for (const char *line = vt_buf_cstr(&out); *line; lines[utf8]++) {
            size_t length = strcspn(line, "\n");
            if (line_columns(line, length) > width)
                fail_msg("too wide for %u: %.*s", width, (int)length, line);
            if (!utf8)
                for (size_t i = 0; i < length; i++)
                    assert_true((unsigned char)line[i] < 0x80);
            assert_true(length == 0 || line[length - 1] != ' ');
            /* "ADDRESS +---" is a border in ASCII: they descend to 0, which is the last. */
            char copy[512], border = 0;
            uint64_t addr = 0;
            snprintf(copy, sizeof(copy), "%.*s", (int)length, line);
            bool top = sscanf(copy, " 2^64 %c", &border) == 1;
            bool is_border = !utf8 && border_column(copy) &&
                             (top || sscanf(copy, "%" SCNx64 " %c", &addr, &border) == 2) &&
                             border == '+';
            if (is_border) {
                assert_false(ended);
                assert_true(!top || !any);
                if (any && last && addr >= last)
                    fail_msg("borders do not descend: %s", copy);
                last = addr;
                any = true;
                ended = !top && addr == 0;
            }
            line += length + (line[length] == '\n');
        }
        if (!utf8 && !ended)
            fail_msg("the lowest border is not at 0:\n%s", vt_buf_cstr(&out));
        vt_buf_deinit(&out);
    }
    assert_int_equal(lines[0], lines[1]);
    return lines[0];
}

/* Arenas belong to the mapped area; new mappings go below it, wherever the program mapped more. */
static void test_reserves(void **state)
{
    (void)state;
    struct space space;
    struct vt_picture_input input = reserves_input(&space);
    struct vt_error err;

    compare_golden("reserves.txt", &input, "picture");
    for (unsigned lines = 200; lines > 0; lines -= 5) {
        struct vt_buf out = {0};
        input.lines = lines;
        assert_int_equal(vt_picture_render(&input, &out, &err), 0);
        const char *text = vt_buf_cstr(&out);
        const char *arrow = strstr(text, "new mappings");
        assert_non_null(arrow);
        assert_null(strstr(arrow + 1, "new mappings"));
        while (arrow[-1] != '\n')
            arrow--;
        const char *above = arrow - 1;
        while (above[-1] != '\n')
            above--;
        assert_memory_equal(above, "    7fffe4000000 ", 17);
        const char *brk = strstr(text, "program break");
        assert_true(brk && brk > arrow && !strstr(brk + 1, "program break"));
        vt_buf_deinit(&out);
    }
    input.lines = 60;
    compare_golden("reserves-folded.txt", &input, "picture");
    space_deinit(&space);
}

static void test_invariants(void **state)
{
    (void)state;
    static struct vt_picture_input (*const makes[])(struct space *) = {
        pie_input, static_input, compat_input, la57_input, reserves_input};

    for (size_t i = 0; i < VT_COUNTOF(makes); i++) {
        struct space space;
        struct vt_picture_input input = makes[i](&space);
        for (input.width = 0; input.width < 220; input.width += 13)
            check_picture(input);
        for (input.lines = 1; input.lines < 150; input.lines += 7)
            check_picture(input);
        space_deinit(&space);
    }
}

static void test_empty_layout(void **state)
{
    (void)state;
    struct vt_layout *layout = vt_layout_create(NULL, NULL);
    struct vt_picture_input input = {.layout = layout, .aslr = -1};
    struct vt_buf out = {0};

    check_picture(input);
    input.class_bits = 32;
    check_picture(input);
    assert_int_equal(vt_picture_render_maps(&input, &out, NULL), 0);
    assert_int_equal(out.length, 0);
    vt_buf_deinit(&out);
    vt_layout_destroy(layout);
}

/* Thousands of regions still make a picture of one page, unless all are asked for. */
static void test_folding(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct spec *specs = calloc(COUNT + 1, sizeof(*specs));
    static char names[COUNT][32];
    struct space space;

    assert_non_null(specs);
    for (size_t i = 0; i < COUNT; i++) {
        vt_addr start = 0x7f0000000000 + i * 0x40000;
        snprintf(names[i], sizeof(names[i]), "/usr/lib/lib%zu.so", i / 5);
        specs[i] = (struct spec){start,  start + 0x1000 * (1 + i % 40),
                                 "r--p", 0,
                                 NULL,   (uint8_t)(i % 3 ? VT_KIND_ANON : VT_KIND_SHM),
                                 NULL};
        specs[i].perm = i % 2 ? "rw-p" : "r--p";
        if (i % 2) {
            specs[i].object = specs[i].image = names[i];
            specs[i].kind = VT_KIND_RODATA;
        }
    }
    specs[COUNT] =
        (struct spec){0x7ffffffde000, 0x7ffffffff000, "rw-p", 0, NULL, VT_KIND_STACK, NULL};
    space_init(&space, specs, COUNT + 1, NULL);
    struct vt_picture_input input = {
        .layout = space.layout, .detail = detail, .detail_context = &space, .aslr = 2};
    unsigned folded = check_picture(input);
    assert_in_range(folded, 20, 155);
    input.all = true;
    assert_true(check_picture(input) > COUNT);
    space_deinit(&space);
    free(specs);
}

/* A program that protects each page of its own otherwise must not fill the picture either. */
static void test_folding_of_sections(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {VT_KIND_RODATA, VT_KIND_HEAP, VT_KIND_STACK};

    for (size_t k = 0; k < VT_COUNTOF(kinds); k++) {
        enum { COUNT = 500 };
        struct spec *specs = calloc(COUNT, sizeof(*specs));
        struct space space;
        assert_non_null(specs);
        for (size_t i = 0; i < COUNT; i++)
            specs[i] = (struct spec){0x400000 + i * 4096,
                                     0x401000 + i * 4096,
                                     i % 2 ? "rw-p" : "r--p",
                                     i * 4096,
                                     kinds[k] == VT_KIND_RODATA ? PROGRAM : NULL,
                                     kinds[k],
                                     kinds[k] == VT_KIND_RODATA ? PROGRAM : NULL};
        space_init(&space, specs, COUNT, NULL);
        struct vt_picture_input input = {
            .layout = space.layout, .detail = detail, .detail_context = &space, .path = PROGRAM};
        assert_in_range(check_picture(input), 10, 140);
        space_deinit(&space);
        free(specs);
    }
}

/* Layouts that no kernel makes, at random: drawn all the same, and with the same guarantees. */
static void test_random_layouts(void **state)
{
    (void)state;
    uint64_t seed = 0x9e3779b97f4a7c15;

    for (int round = 0; round < 150; round++) {
        struct spec specs[60];
        static const char *const perms[] = {"---p", "r--p", "rw-p", "r-xp", "rwxs"};
        static const char *const files[] = {NULL, PROGRAM, LIBC, LOADER, LOCALE, "[vdso]"};
        struct vt_layout_marks marks;
        size_t count = 0;
        vt_addr at = 0;
        bool compat = round % 5 == 0;
        unsigned step = compat ? 21 : 40;
        for (size_t i = 0; i < VT_COUNTOF(specs); i++) {
            seed = seed * 6364136223846793005 + 1442695040888963407;
            uint64_t r = seed >> 20;
            at += r % 3 ? 4096 * (r % (UINT64_C(1) << (r % step) % 30)) : 0;
            uint64_t size = 4096 + 4096 * (r % 997 % (1u << (r % 10)));
            if (at + size > (compat ? 0xffffe000 : 0x7ffffffff000))
                break;
            specs[count++] = (struct spec){at,
                                           at + size,
                                           perms[r % 5],
                                           4096 * (r % 11),
                                           files[r / 7 % 6],
                                           (uint8_t)(r / 3 % VT_KIND_COUNT),
                                           r / 5 % 3 ? files[r / 7 % 5] : NULL};
            at += size;
        }
        marks = (struct vt_layout_marks){at / 2, at / 2 + (seed >> 40) % 100000, at - 8};
        struct space space;
        space_init(&space, specs, count, &marks);
        space.parts = pie_parts;
        space.part_count = VT_COUNTOF(pie_parts);
        space.bias = count ? specs[0].start : 0;
        struct vt_picture_input input = {.layout = space.layout,
                                         .detail = detail,
                                         .detail_context = &space,
                                         .class_bits = compat ? 32 : 64,
                                         .path = round % 2 ? PROGRAM : NULL,
                                         .sp = at / 2 + 16,
                                         .aslr = round % 4 - 1,
                                         .mmap_min_addr = round % 3 ? 0x10000 : 0,
                                         .la57 = round % 7 == 0,
                                         .kernel = round % 2 ? &documented : NULL,
                                         .width = 60 + (unsigned)round,
                                         .all = round % 11 == 0,
                                         .color = round % 2};
        check_picture(input);
        struct vt_buf out = {0};
        assert_int_equal(vt_picture_render_json(&input, &out, NULL), 0);
        vt_buf_deinit(&out);
        space_deinit(&space);
    }
}

/* ---- names ---- */

static void test_hostile_names(void **state)
{
    (void)state;
    static const struct spec specs[] = {
        {0x10000, 0x11000, "r-xp", 0, "/a\nb\033[2Jc/x\033]0;t\007y", VT_KIND_TEXT,
         "/a\nb\033[2Jc/x\033]0;t\007y"},
        {0x11000, 0x12000, "r--p", 0, "/\xff\xfe\x80", VT_KIND_FILE, NULL},
        {0x12000, 0x13000, "r--p", 0, "/\xe2\x80\xaegpj.exe", VT_KIND_FILE, NULL}, /* U+202E */
        {0x13000, 0x14000, "r--p", 0, "/na\xc3\xafve", VT_KIND_FILE, NULL},
        {0x14000, 0x15000, "rw-p", 0, "[anon:a|b%n]", VT_KIND_ANON, NULL},
    };
    struct space space;
    struct vt_buf out = {0};

    space_init(&space, specs, VT_COUNTOF(specs), NULL);
    struct vt_picture_input input = {.layout = space.layout,
                                     .detail = detail,
                                     .detail_context = &space,
                                     .path = "/a\nb\033[2Jc/x\033]0;t\007y",
                                     .moment = "at\n1",
                                     .width = 160};
    check_picture(input); /* has checked: no control character in any line */
    assert_int_equal(vt_picture_render(&input, &out, NULL), 0);
    assert_non_null(strstr(vt_buf_cstr(&out), "na\\u{00ef}ve"));
    assert_non_null(strstr(vt_buf_cstr(&out), "x\\x1b]0;t\\x07y"));
    vt_buf_clear(&out);
    input.utf8 = true;
    assert_int_equal(vt_picture_render(&input, &out, NULL), 0);
    assert_non_null(strstr(vt_buf_cstr(&out), "na\xc3\xafve"));
    assert_null(strstr(vt_buf_cstr(&out), "\xe2\x80\xae"));
    vt_buf_clear(&out);
    assert_int_equal(vt_picture_render_maps(&input, &out, NULL), 0);
    assert_non_null(strstr(vt_buf_cstr(&out), "/a\\012b\033[2Jc/x")); /* as the kernel does */
    vt_buf_deinit(&out);
    space_deinit(&space);
}

/* ---- maps ---- */

static char *read_all(const char *path)
{
    size_t length = 0, capacity = 1 << 20;
    char *text = malloc(capacity);
    FILE *file = fopen(path, "r");

    assert_non_null(text);
    assert_non_null(file);
    length = fread(text, 1, capacity - 1, file);
    fclose(file);
    text[length] = '\0';
    return text;
}

/* Our lines for this very process: each is one of the kernel's, or stands for several. */
static void test_maps_as_the_kernel_writes_them(void **state)
{
    (void)state;
    struct vt_error err;
    struct vt_regions regions = {0};
    struct vt_objects *objects = vt_objects_create();
    struct vt_layout *layout = vt_layout_create(NULL, NULL);
    struct vt_layout_marks marks = {0};
    struct vt_buf out = {0};
    size_t same = 0, lines = 0;

    free(malloc(100000)); /* there is a heap */
    char *stat = read_all("/proc/self/stat");
    char *field = strrchr(stat, ')');
    for (int i = 2; i < 47; i++) {
        field = strchr(field, ' ') + 1;
        if (i == 27)
            marks.stack_start = strtoull(field, NULL, 10);
        if (i == 46)
            marks.heap_start = strtoull(field, NULL, 10);
    }
    free(stat);
    char *text = read_all("/proc/self/maps");
    marks.heap_end = (vt_addr)(uintptr_t)sbrk(0);
    assert_int_equal(vt_maps_parse(text, strlen(text), objects, &regions, &err), 0);
    vt_layout_set_marks(layout, &marks);
    for (size_t i = 0; i < regions.count; i++)
        assert_int_equal(vt_layout_map(layout, &regions.items[i], NULL), 0);
    struct vt_picture_input input = {.layout = layout};
    assert_int_equal(vt_picture_render_maps(&input, &out, &err), 0);

    for (char *save, *line = strtok_r(out.data ? (vt_buf_cstr(&out), out.data) : NULL, "\n", &save);
         line; line = strtok_r(NULL, "\n", &save), lines++) {
        size_t range = strcspn(line, " ");
        for (const char *k = text; k; k = strchr(k, '\n') ? strchr(k, '\n') + 1 : NULL) {
            if (strncmp(k, line, range + 1) != 0)
                continue;
            size_t length = strcspn(k, "\n");
            if (length != strlen(line) || memcmp(k, line, length) != 0)
                fail_msg("ours:\n%s\nthe kernel's:\n%.*s", line, (int)length, k);
            same++;
        }
    }
    assert_true(same >= 10);
    assert_true(same <= lines && lines <= regions.count);
    vt_buf_deinit(&out);
    free(text);
    vt_layout_destroy(layout);
    vt_regions_deinit(&regions);
    vt_objects_destroy(objects);
}

/* ---- json ---- */

static void test_json_is_valid(void **state)
{
    (void)state;
    static struct vt_picture_input (*const makes[])(struct space *) = {
        pie_input, static_input, compat_input, la57_input, reserves_input};
    static const char script[] = "import json,sys\n"
                                 "try: import jsonschema\n"
                                 "except ImportError: sys.exit(77)\n"
                                 "schema = json.load(open(sys.argv[1]))\n"
                                 "jsonschema.Draft202012Validator.check_schema(schema)\n"
                                 "doc = json.load(open(sys.argv[2]))\n"
                                 "jsonschema.Draft202012Validator(schema).validate(doc)\n"
                                 "for r in doc['regions']:\n"
                                 "  assert r['size'] == int(r['end'], 16) - int(r['start'], 16)\n";

    for (size_t i = 0; i < VT_COUNTOF(makes); i++) {
        char path[] = "/tmp/vastrace-json-XXXXXX", command[4096];
        struct space space;
        struct vt_picture_input input = makes[i](&space);
        struct vt_buf out = {0};
        assert_int_equal(vt_picture_render_json(&input, &out, NULL), 0);
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, out.data, out.length), (ssize_t)out.length);
        close(fd);
        snprintf(command, sizeof(command), "%s -c \"%s\" %s/contrib/schema/layout.schema.json %s",
                 PYTHON3, script, SOURCE_DIR, path);
        int status = system(command);
        unlink(path);
        vt_buf_deinit(&out);
        space_deinit(&space);
        if (status == 77 << 8)
            skip(); /* no python3-jsonschema */
        assert_int_equal(status, 0);
    }
}

/* ---- the table of formats ---- */

/* Whichever allocation is refused: the picture is whole, or the renderer says that it is not. */
static void test_without_memory(void **state)
{
    (void)state;
    struct space space;
    struct vt_picture_input input = pie_input(&space);

    input.color = true;
    input.lines = 60;
    for (const struct vt_picture_format *f = vt_picture_formats(); f->name; f++) {
        struct vt_buf whole = {0};
        struct vt_error err;
        size_t refused = 1;
        assert_int_equal(f->render(&input, &whole, &err), 0);
        for (size_t granted = 0; refused; granted += granted < 300 ? 1 : 41) {
            struct vt_buf out = {0};
            nomem_at(granted);
            int result = f->render(&input, &out, &err);
            refused = nomem_never();
            if (result < 0) {
                assert_int_equal(result, -ENOMEM);
                assert_string_equal(err.text, "cannot draw the layout: out of memory");
                assert_true(refused);
            } else {
                assert_int_equal(out.length, whole.length);
                assert_memory_equal(out.data, whole.data, whole.length);
            }
            vt_buf_deinit(&out);
        }
        vt_buf_deinit(&whole);
    }
    space_deinit(&space);
}

static void test_formats(void **state)
{
    (void)state;
    assert_ptr_equal(vt_picture_format_find("picture"), vt_picture_formats());
    assert_ptr_equal(vt_picture_format_find("maps")->render, vt_picture_render_maps);
    assert_ptr_equal(vt_picture_format_find("json")->render, vt_picture_render_json);
    assert_null(vt_picture_format_find("pic"));
    assert_null(vt_picture_format_find(""));
    for (unsigned role = 0; role < VT_KERNEL_ROLE_COUNT; role++)
        assert_true(strlen(vt_kernel_role_name(role)) <= 24); /* fits the narrowest box */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_pie),
        cmocka_unit_test(test_golden_others),
        cmocka_unit_test(test_reserves),
        cmocka_unit_test(test_invariants),
        cmocka_unit_test(test_empty_layout),
        cmocka_unit_test(test_folding),
        cmocka_unit_test(test_folding_of_sections),
        cmocka_unit_test(test_random_layouts),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_maps_as_the_kernel_writes_them),
        cmocka_unit_test(test_json_is_valid),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
