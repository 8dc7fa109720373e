/*
 * test_unwind.c - unwind tables of files, sound and malformed; and the unwinder
 * on this very process, whose frames libgcc's unwinder knows as well.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <cmocka.h> /* after what it needs */

#include "base/base.h"
#include "image/unwind.h"

#if __has_attribute(noclone) /* clang makes no such copies */
#define FUNCTION __attribute__((noinline, noclone))
#else
#define FUNCTION __attribute__((noinline))
#endif
#define KEEP() __asm__ volatile("" ::: "memory")

extern const char __executable_start; /* the linker's */

static struct vt_unwind_tables *tables_of(const char *path, int expected)
{
    struct vt_unwind_tables *tables;
    struct vt_error err = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    assert_int_equal(vt_unwind_tables_read(fd, NULL, &tables, &err), expected);
    assert_int_equal(!tables, expected != 0);
    close(fd);
    return tables;
}

/* ---- tables ---------------------------------------------------------------------- */

static void test_tables(void **state)
{
    uint64_t word;

    (void)state;
    struct vt_unwind_tables *tables = tables_of("/proc/self/exe", 0);
    assert_true(vt_unwind_tables_count(tables) > 10);
    assert_null(vt_unwind_tables_find(tables, 0));
    assert_null(vt_unwind_tables_find(tables, UINT64_MAX));
    assert_false(vt_unwind_tables_word(tables, 0, &word));
    assert_false(vt_unwind_tables_word(tables, UINT64_MAX - 7, &word));
    vt_unwind_tables_destroy(tables);
    vt_unwind_tables_destroy(NULL);
    tables_of("/etc/passwd", 1);
    tables_of("/dev/null", 1);
}

/* What has .debug_frame only has entries for the same code as its brother with .eh_frame. */
static void test_debug_frame(void **state)
{
    (void)state;
    struct vt_unwind_tables *tables = tables_of(FIXTURE_DIR "/stacks-debug-frame", 0);
    if (!tables)
        skip();
    assert_true(vt_unwind_tables_count(tables) > 30);
    vt_unwind_tables_destroy(tables);
}

/* Bytes changed, and files cut short, anywhere: fewer entries, and nothing worse. */
static void damage(const char *path, int rounds)
{
    static unsigned seed = 1;
    int in = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (in < 0)
        return;
    assert_int_equal(fstat(in, &st), 0);
    unsigned char *bytes = malloc((size_t)st.st_size);
    assert_non_null(bytes);
    assert_int_equal(read(in, bytes, (size_t)st.st_size), st.st_size);
    close(in);
    for (int round = 0; round < rounds; round++) {
        struct vt_unwind_tables *tables;
        size_t length = (size_t)st.st_size;
        int fd = memfd_create("malformed", MFD_CLOEXEC);
        assert_true(fd >= 0);
        if (round % 5 == 0)
            length = (size_t)rand_r(&seed) % length;
        assert_int_equal(write(fd, bytes, length), (ssize_t)length);
        for (int i = 0; i < 1 << round % 12; i++) {
            unsigned char byte = (unsigned char)rand_r(&seed);
            off_t at = round % 3 ? rand_r(&seed) % st.st_size : rand_r(&seed) % 4096;
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        }
        if (vt_unwind_tables_read(fd, NULL, &tables, NULL) == 0) {
            for (int i = 0; i < 1000; i++) {
                vt_addr at = (vt_addr)rand_r(&seed) % (vt_addr)st.st_size;
                const struct vt_unwind_entry *e = vt_unwind_tables_find(tables, at);
                struct vt_unwind_program program;
                uint64_t word;
                assert_true(!e || (e->start <= at && at < e->end));
                assert_true(!e || !vt_unwind_tables_program(tables, e, &program) ||
                            program.own.at <= program.own.end);
                (void)vt_unwind_tables_word(tables, at & ~7u, &word);
            }
            vt_unwind_tables_destroy(tables);
        }
        close(fd);
    }
    free(bytes);
}

static void test_malformed(void **state)
{
    static const char *const paths[] = {
        "/proc/self/exe", FIXTURE_DIR "/stacks-debug-frame", FIXTURE_DIR "/stacks-no-sections",
        FIXTURE_DIR "/stacks-m32-debug-frame", FIXTURE_DIR "/.debug/stacks-separate.debug"};

    (void)state;
    for (size_t p = 0; p < VT_COUNTOF(paths); p++)
        damage(paths[p], 150);
}

/* A return address in a column that no architecture has: libunwind would take it for an index. */
static void test_wild_return_column(void **state)
{
    /* Version 1, "zR", alignments 1 and -8, the return column, one byte: PC-relative, 4 bytes. */
    static const unsigned char usual[] = {1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b};
    enum { COLUMN = 6, WILD = 230 };
    struct vt_unwind_tables *tables = NULL;
    int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), changed = 0;
    struct stat st;

    (void)state;
    assert_int_equal(fstat(in, &st), 0);
    unsigned char *bytes = malloc((size_t)st.st_size), *end = bytes + st.st_size;
    assert_non_null(bytes);
    assert_int_equal(read(in, bytes, (size_t)st.st_size), st.st_size);
    close(in);
    for (unsigned char *at = bytes;
         (at = memmem(at, (size_t)(end - at), usual, sizeof(usual))) != NULL; changed++)
        at[COLUMN] = WILD;
    assert_true(changed > 0);
    int fd = memfd_create("wild", MFD_CLOEXEC);
    assert_int_equal(write(fd, bytes, (size_t)st.st_size), st.st_size);
    free(bytes);
    assert_in_range(vt_unwind_tables_read(fd, NULL, &tables, NULL), 0, 1);
    assert_true(!tables || !vt_unwind_tables_find(tables, (vt_addr)test_wild_return_column -
                                                              (vt_addr)&__executable_start));
    vt_unwind_tables_destroy(tables);
    close(fd);
}

static char directory[] = "/tmp/vastrace-unwind.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int clean_up(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

/* Run a command in which %1$s is the directory and %2$s a name. Returns its status. */
static int shell(const char *format, const char *name)
{
    char command[2048];

    snprintf(command, sizeof(command), format, directory, name);
    return system(command);
}

/* Both have entries for the same code. */
static void assert_alike(const struct vt_unwind_tables *a, const struct vt_unwind_tables *b,
                         const char *what)
{
    if (!a || !b || vt_unwind_tables_count(a) != vt_unwind_tables_count(b))
        fail_msg("%s: %zu entries of %zu", what, b ? vt_unwind_tables_count(b) : 0,
                 a ? vt_unwind_tables_count(a) : 0);
    for (vt_addr at = 0; at < 0x8000; at++) {
        const struct vt_unwind_entry *x = vt_unwind_tables_find(a, at),
                                     *y = vt_unwind_tables_find(b, at);
        assert_int_equal(!x, !y);
        assert_true(!x || (x->start == y->start && x->end == y->end));
    }
}

static const char *const debug_frames[] = {"stacks-debug-frame", "stacks-m32-debug-frame"};

/* .debug_frame in each way in which sections can be compressed. */
static void test_compressed(void **state)
{
    static const char *const ways[] = {"zlib-gabi", "zlib-gnu", "zstd"};
    size_t made = 0;

    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(debug_frames) * VT_COUNTOF(ways); i++) {
        const char *name = debug_frames[i / VT_COUNTOF(ways)], *way = ways[i % VT_COUNTOF(ways)];
        char path[256], command[256];
        snprintf(path, sizeof(path), "%s/%s", FIXTURE_DIR, name);
        struct vt_unwind_tables *plain = tables_of(path, 0);
#ifndef VASTRACE_ZSTD
        if (!strcmp(way, "zstd")) {
            vt_unwind_tables_destroy(plain);
            continue;
        }
#endif
        snprintf(command, sizeof(command),
                 "objcopy --compress-debug-sections=%s " FIXTURE_DIR "/%%2$s %%1$s/packed "
                 "2>/dev/null && readelf -SW %%1$s/packed | grep -qE 'zdebug_frame|frame.* C '",
                 way);
        if (plain && shell(command, name) == 0) {
            snprintf(path, sizeof(path), "%s/packed", directory);
            struct vt_unwind_tables *packed = tables_of(path, 0);
            assert_alike(plain, packed, way);
            damage(path, 50);
            vt_unwind_tables_destroy(packed);
            made++;
        }
        vt_unwind_tables_destroy(plain);
    }
    print_message("%zu files\n", made);
    if (!made)
        skip(); /* this objcopy does not compress .debug_frame */
}

/* The tables of a stripped file, whose debug file is looked for in the directory. */
static struct vt_unwind_tables *separate_tables(const char *name)
{
    struct vt_unwind_tables *tables;
    struct vt_elf *elf;
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(vt_elf_read(fd, &elf, NULL), 0);
    const struct vt_debug_search search = {elf, path, directory};
    assert_int_equal(vt_unwind_tables_read(fd, &search, &tables, NULL), 0);
    vt_elf_destroy(elf);
    close(fd);
    return tables;
}

/* .debug_frame in a file of its own: by build ID, and by a link with its checksum. */
static void test_separate(void **state)
{
    static const struct {
        const char *command; /* from "stripped" and "debug" to "program" and its debug file */
        bool found;
    } ways[] = {
        {"cd %1$s && cp stripped program", false},
        {"cd %1$s && id=$(readelf -n stripped | sed -n 's/.*Build ID: //p') && "
         "rest=${id#??} && mkdir -p .build-id/${id%%$rest} && "
         "cp debug .build-id/${id%%$rest}/$rest.debug",
         true},
        {"cd %1$s && printf junk >> $(echo .build-id/*/*.debug)", true}, /* its build ID counts */
        {"cd %1$s && cp /bin/true $(echo .build-id/*/*.debug)", false},
        {"cd %1$s && rm -r .build-id && cp debug linked.debug && "
         "objcopy -R .note.gnu.build-id --add-gnu-debuglink=linked.debug stripped program",
         true},
        {"cd %1$s && mkdir .debug && mv linked.debug .debug", true},
        {"cd %1$s && mkdir -p .%1$s && mv .debug/linked.debug .%1$s && rmdir .debug", true},
        {"cd %1$s && mv .%1$s/linked.debug . && printf junk >> linked.debug", false},
        {"cd %1$s && rm linked.debug && mkfifo linked.debug", false}, /* is not waited for */
        {"cd %1$s && rm -r linked.debug && mkdir linked.debug", false},
        {"cd %1$s && rmdir linked.debug && ln -s linked.debug linked.debug", false},
        {"cd %1$s && rm -r linked.debug tmp", false},
    };

    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(debug_frames); i++) {
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", FIXTURE_DIR, debug_frames[i]);
        struct vt_unwind_tables *whole = tables_of(path, 0);
        if (!whole)
            continue;
        if (shell("objcopy --only-keep-debug " FIXTURE_DIR "/%2$s %1$s/debug 2>/dev/null && "
                  "strip -o %1$s/stripped " FIXTURE_DIR "/%2$s 2>/dev/null",
                  debug_frames[i]))
            skip(); /* no binutils */
        for (size_t k = 0; k < VT_COUNTOF(ways); k++) {
            if (shell(ways[k].command, ""))
                fail_msg("%s", ways[k].command);
            struct vt_unwind_tables *tables = separate_tables("program");
            if (ways[k].found)
                assert_alike(whole, tables, ways[k].command);
            else
                assert_true(vt_unwind_tables_count(tables) < 10);
            vt_unwind_tables_destroy(tables);
        }
        vt_unwind_tables_destroy(whole);
    }
}

/* Without section headers the same entries are found by the program header. */
static void test_no_sections(void **state)
{
    (void)state;
    struct vt_unwind_tables *whole = tables_of(FIXTURE_DIR "/stacks", 0);
    struct vt_unwind_tables *bare = tables_of(FIXTURE_DIR "/stacks-no-sections", 0);
    if (!whole || !bare)
        skip();
    assert_int_equal(vt_unwind_tables_count(whole), vt_unwind_tables_count(bare));
    vt_unwind_tables_destroy(whole);
    vt_unwind_tables_destroy(bare);
}

/* ---- this process --------------------------------------------------------------------- */

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)

struct own_image {
    char path[256];
    vt_addr start, end, bias;
    struct vt_unwind_tables *tables;
};

struct own {
    struct own_image images[16];
    size_t count;
    size_t reads;
};

static int note_image(struct dl_phdr_info *info, size_t size, void *context)
{
    struct own *own = context;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum && own->count < VT_COUNTOF(own->images); i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
            continue;
        struct own_image *image = &own->images[own->count++];
        snprintf(image->path, sizeof(image->path), "%s",
                 *info->dlpi_name ? info->dlpi_name : "/proc/self/exe");
        image->bias = info->dlpi_addr;
        image->start = info->dlpi_addr + p->p_vaddr;
        image->end = image->start + p->p_memsz;
        int fd = open(image->path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            vt_unwind_tables_read(fd, NULL, &image->tables, NULL);
            close(fd);
        }
    }
    return 0;
}

static size_t read_own(void *context, vt_addr addr, void *to, size_t length)
{
    struct own *own = context;

    own->reads++;
    /* Up to the end of the stack: what lies behind may not be mapped. */
    int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    ssize_t n = pread(fd, to, length, (off_t)addr);
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

static enum vt_code find_own(void *context, vt_addr ip, struct vt_code_place *place)
{
    struct own *own = context;

    for (size_t i = 0; i < own->count; i++) {
        struct own_image *image = &own->images[i];
        if (ip < image->start || ip >= image->end)
            continue;
        place->tables = image->tables;
        place->bias = image->bias;
        return image->tables ? VT_CODE_IMAGE : VT_CODE_BARE;
    }
    return VT_CODE_NOWHERE;
}

static struct own own;
static struct vt_unwinder *unwinder;

struct seen {
    struct vt_unwound_frame frames[64];
    size_t count;
    enum vt_stack_end end;
    void **note;
    vt_addr libgcc[64];
    size_t libgcc_count;
};

/*
 * As backtrace(3) finds them, into which sanitizers put a frame of theirs. libunwind, which is
 * linked here, has functions of the same names.
 */
static struct {
    _Unwind_Reason_Code (*backtrace)(_Unwind_Trace_Fn, void *);
    _Unwind_Ptr (*ip_of)(struct _Unwind_Context *);
} libgcc;

static void find_libgcc(void)
{
    void *library = dlopen("libgcc_s.so.1", RTLD_NOW);

    if (!library)
        skip();
    *(void **)&libgcc.backtrace = dlsym(library, "_Unwind_Backtrace");
    *(void **)&libgcc.ip_of = dlsym(library, "_Unwind_GetIP");
    assert_true(libgcc.backtrace && libgcc.ip_of);
}

/* A frame as libgcc tells it. */
static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *argument)
{
    struct seen *seen = argument;
    vt_addr ip = libgcc.ip_of(context);

    if (ip && seen->libgcc_count < VT_COUNTOF(seen->libgcc)) /* 0: past the last one */
        seen->libgcc[seen->libgcc_count++] = ip;
    return _URC_NO_REASON;
}

/* Both views of the stack from here. */
static FUNCTION void look(struct seen *seen)
{
    const struct vt_unwind_source source = {&own, read_own, find_own, 0};
    struct vt_registers registers = {.machine = VT_MACHINE_X86_64};
    struct vt_unwound unwound;
    ucontext_t context;
    static const int order[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};

    seen->libgcc_count = 0;
    libgcc.backtrace(note_frame, seen);
    getcontext(&context);
    for (size_t i = 0; i < VT_COUNTOF(order); i++)
        registers.values[i] = (uint64_t)context.uc_mcontext.gregs[order[i]];
    vt_unwind(unwinder, &source, &registers, &unwound);
    seen->count = unwound.count;
    seen->end = unwound.end;
    seen->note = unwound.note;
    memcpy(seen->frames, unwound.frames, vt_min(unwound.count, 64) * sizeof(*unwound.frames));
    KEEP();
}

static FUNCTION void down(struct seen *seen, int levels)
{
    if (levels)
        down(seen, levels - 1);
    else
        look(seen);
    KEEP();
}

static FUNCTION void other_way(struct seen *seen)
{
    down(seen, 2);
    KEEP();
}

static void compare(const struct seen *seen)
{
    assert_int_equal(seen->end, VT_STACK_COMPLETE);
    assert_int_equal(seen->count, seen->libgcc_count);
    for (size_t i = 1; i < seen->count; i++) /* the first is within look() */
        assert_true(seen->frames[i].ip == seen->libgcc[i]);
    assert_true(seen->frames[0].interrupted);
    assert_false(seen->frames[1].interrupted);
}

/* From one place: a loop could be made several of them. */
static FUNCTION void again(int round)
{
    struct seen seen;

    own.reads = 0;
    down(&seen, 3);
    compare(&seen);
    assert_non_null(seen.note);
    if (round)
        assert_ptr_equal(*seen.note, &own);
    assert_true(!round || own.reads == 1);
    *seen.note = &own;
}

static void test_own_stack(void **state)
{
    struct seen seen;

    (void)state;
    find_libgcc();
    dl_iterate_phdr(note_image, &own);
    unwinder = vt_unwinder_create(64);
    assert_non_null(unwinder);

    /* Unwound; then kept, with the caller's note, at the price of one read. */
    for (volatile int i = 0; i < 3; i++)
        again(i);
    assert_int_equal(vt_unwinder_counts(unwinder).made, 1);
    assert_int_equal(vt_unwinder_counts(unwinder).kept, 2);

    /* Of the same depth, but from elsewhere: not taken for the same. */
    down(&seen, 2);
    compare(&seen);
    other_way(&seen);
    compare(&seen);
    down(&seen, 2);
    compare(&seen);

    /* Code came, code went: it is made again, and the same. */
    uint64_t made = vt_unwinder_counts(unwinder).made;
    vt_unwinder_code_changed(unwinder, false);
    down(&seen, 3);
    compare(&seen);
    vt_unwinder_code_changed(unwinder, true);
    down(&seen, 3);
    compare(&seen);
    assert_true(vt_unwinder_counts(unwinder).made == made + 2);

    /* A limit. */
    vt_unwinder_destroy(unwinder);
    unwinder = vt_unwinder_create(4);
    down(&seen, 10);
    assert_int_equal(seen.count, 4);
    assert_int_equal(seen.end, VT_STACK_DEPTH);
    vt_unwinder_destroy(unwinder);
    for (size_t i = 0; i < own.count; i++)
        vt_unwind_tables_destroy(own.images[i].tables);
}

#else
static void test_own_stack(void **state)
{
    (void)state;
    skip(); /* the sanitizer's frames and another architecture's registers are not looked at */
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_debug_frame),
        cmocka_unit_test(test_no_sections),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_compressed),
        cmocka_unit_test(test_separate),
        cmocka_unit_test(test_wild_return_column),
        cmocka_unit_test(test_own_stack),
    };

    return cmocka_run_group_tests(tests, set_up, clean_up);
}
