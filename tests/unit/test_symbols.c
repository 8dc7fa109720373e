/*
 * test_symbols.c - names and source lines of addresses: from a file's own
 * symbols, from separate debug files by build ID and by .gnu_debuglink, from what
 * these share, from a server, and none where there are none. What a file says of
 * others may be anything: a FIFO there would be waited for without end.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h> /* after what it needs */

#include "base/base.h"
#include "image/demangle.h"
#include "image/symbols.h"

#define PROGRAM FIXTURE_DIR "/stacks"

static char directory[] = "/tmp/vastrace-symbols.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int clean_up(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int shell(const char *format, ...)
{
    char command[8192];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    return system(command);
}

/* The address of a symbol, as nm tells it; 0 if it cannot be had. */
static vt_addr address_in(const char *program, const char *symbol)
{
    char command[512];
    unsigned long long address = 0;

    snprintf(command, sizeof(command), "nm %s 2>/dev/null | grep ' [tTdD] %s$'", program, symbol);
    FILE *out = popen(command, "r");
    if (!out || fscanf(out, "%llx", &address) != 1)
        address = 0;
    if (out)
        pclose(out);
    return address;
}

static vt_addr address_of(const char *symbol)
{
    return address_in(PROGRAM, symbol);
}

/* What is known of an address. The frame's strings are to be freed. */
static void look_into(const char *path, const char *debug_directory, bool debug_files,
                      vt_addr address, bool interrupted, struct vt_frame *frame)
{
    struct vt_symbols *symbols;
    struct vt_elf *elf;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *frame = (struct vt_frame){.address = address, .interrupted = interrupted};
    assert_true(fd >= 0);
    assert_int_equal(vt_elf_read(fd, &elf, NULL), 0);
    symbols = vt_symbols_create(fd, elf, path, debug_directory, debug_files);
    close(fd); /* it has its own */
    assert_non_null(symbols);
    assert_int_equal(vt_symbols_find(symbols, frame), 0);
    vt_symbols_destroy(symbols);
    vt_elf_destroy(elf);
}

static void look(const char *path, const char *debug_directory, vt_addr address, bool interrupted,
                 struct vt_frame *frame)
{
    look_into(path, debug_directory, true, address, interrupted, frame);
}

static void assert_is(const struct vt_frame *frame, const char *function, uint64_t offset)
{
    assert_non_null(frame->function);
    assert_string_equal(frame->function, function);
    assert_int_equal(frame->offset, offset);
}

static void test_own_symbols(void **state)
{
    vt_addr f16 = address_of("f16"), f15 = address_of("f15");
    struct vt_frame frame;

    (void)state;
    if (!f16 || !f15)
        skip();
    look(PROGRAM, directory, f16, true, &frame);
    assert_is(&frame, "f16", 0);
    assert_non_null(frame.file);
    assert_non_null(strstr(frame.file, "/stacks.c"));
    assert_true(frame.line > 0);
    vt_frame_clear(&frame);
    assert_null(frame.function);

    look(PROGRAM, directory, f15 + 5, false, &frame);
    assert_is(&frame, "f15", 5);
    vt_frame_clear(&frame);

    /* A return address at the start of a function belongs to the one before, if to any. */
    look(PROGRAM, directory, f16, false, &frame);
    assert_true(!frame.function || strcmp(frame.function, "f16") != 0);
    vt_frame_clear(&frame);

    look(PROGRAM, directory, 0, true, &frame);
    assert_null(frame.function);
    look(PROGRAM, directory, UINT64_MAX, true, &frame);
    assert_null(frame.function);
}

static void test_separate(void **state)
{
    vt_addr f16 = address_of("f16");
    char program[128], id[128] = "";
    struct vt_frame frame;

    (void)state;
    snprintf(program, sizeof(program), "%s/program", directory);
    if (!f16 || shell("objcopy --only-keep-debug " PROGRAM " %s/program.debug 2>/dev/null && "
                      "strip -o %s " PROGRAM " 2>/dev/null",
                      directory, program))
        skip();

    /* Nothing is known of it by itself. */
    look(program, "/nonexistent", f16, true, &frame);
    assert_null(frame.function);
    assert_null(frame.file);

    /* By .gnu_debuglink: the directory of the program, below the debug directory. */
    assert_int_equal(shell("mkdir -p %s%s && cp %s/program.debug %s%s/ && "
                           "objcopy --remove-section=.note.gnu.build-id "
                           "--add-gnu-debuglink=%s/program.debug %s %s/linked",
                           directory, directory, directory, directory, directory, directory,
                           program, directory),
                     0);
    char linked[128];
    snprintf(linked, sizeof(linked), "%s/linked", directory);
    look(linked, directory, f16, true, &frame);
    assert_is(&frame, "f16", 0);
    assert_non_null(frame.file);
    vt_frame_clear(&frame);

    /* By build ID. */
    FILE *out = popen("readelf -n " PROGRAM " 2>/dev/null | sed -n 's/.*Build ID: //p'", "r");
    if (!out || !fgets(id, sizeof(id), out) || strlen(id) < 8)
        id[0] = '\0';
    if (out)
        pclose(out);
    if (!id[0])
        skip(); /* this linker gives none */
    id[strcspn(id, "\n")] = '\0';
    assert_int_equal(shell("mkdir -p %s/debug/.build-id/%.2s && "
                           "cp %s/program.debug %s/debug/.build-id/%.2s/%s.debug",
                           directory, id, directory, directory, id, id + 2),
                     0);
    char debug[128];
    snprintf(debug, sizeof(debug), "%s/debug", directory);
    look(program, debug, f16, true, &frame);
    assert_is(&frame, "f16", 0);
    assert_non_null(frame.file);
    vt_frame_clear(&frame);

    /* Only names, unless more was asked for. */
    look_into(program, debug, false, f16, true, &frame);
    assert_is(&frame, "f16", 0);
    assert_null(frame.file);
    vt_frame_clear(&frame);
}

/* ---- what is no debug file --------------------------------------------------------- */

/*
 * Each makes something else of what is at the place of the debug file, which before and after
 * all of them is the right one. %1$s: the directory, in which "program" is linked to
 * "program.debug"; %2$s: that one's path.
 */
static const struct {
    const char *command;
    bool found;
} places[] = {
    {"cp right %2$s", true},
    {"cp right %2$s && printf junk >>%2$s", false}, /* the checksum is another one */
    {"rm -f %2$s && mkfifo %2$s", false},
    {"rm -f %2$s && mkdir %2$s", false},
    {"rmdir %2$s && ln -s program.debug %2$s", false}, /* a circle */
    {"ln -sf /dev/zero %2$s", false},
    {"ln -sf %1$s/pipe %2$s && mkfifo pipe", false},
    {"ln -sf %1$s/right %2$s", true},
    {"rm -f %2$s && cp %1$s/right %2$s", true},
};

static void test_hostile_places(void **state)
{
    static const char *const where[] = {"/program.debug", "/.debug/program.debug", NULL};
    vt_addr f16 = address_of("f16");
    char program[128];

    (void)state;
    if (!f16 || shell("mkdir -p %1$s/hostile/.debug && cd %1$s/hostile && "
                      "objcopy --only-keep-debug " PROGRAM " program.debug 2>/dev/null && "
                      "objcopy --strip-all -R .note.gnu.build-id "
                      "--add-gnu-debuglink=program.debug " PROGRAM " program && "
                      "mv program.debug right && mkdir -p debug%1$s/hostile",
                      directory))
        skip();
    snprintf(program, sizeof(program), "%s/hostile/program", directory);
    for (size_t i = 0; i < VT_COUNTOF(where) * VT_COUNTOF(places); i++) {
        const char *name = where[i / VT_COUNTOF(places)];
        char here[64], debug[80], path[256], command[1024];
        struct vt_frame frame;
        snprintf(here, sizeof(here), "%s/hostile", directory);
        snprintf(debug, sizeof(debug), "%s/hostile/debug", directory);
        snprintf(path, sizeof(path), "%s%s%s", name ? "" : debug, here,
                 name ? name : "/program.debug");
        snprintf(command, sizeof(command), places[i % VT_COUNTOF(places)].command, here, path);
        assert_int_equal(shell("cd %s && rm -f pipe && %s", here, command), 0);
        look(program, debug, f16, true, &frame);
        if (!!frame.function != places[i % VT_COUNTOF(places)].found)
            fail_msg("%s: %s", command, frame.function ? frame.function : "nothing found");
        assert_true(!frame.function == !frame.file);
        vt_frame_clear(&frame);
        if (i % VT_COUNTOF(places) == VT_COUNTOF(places) - 1)
            assert_int_equal(shell("rm %s", path), 0);
    }
}

/* Links whose names are none of files beside the program, each in front of the right checksum. */
static void test_hostile_links(void **state)
{
    static const struct {
        const char *make; /* prints the name and what fills it up to the checksum */
        bool found;
    } links[] = {
        {"printf 'program.debug\\0\\0\\0'", true},
        {"printf '../other/program.debug\\0\\0'", false},
        {"printf '/%s/links/program.debug\\0'", false},
        {"printf '../../../../../../../../etc/passwd\\0\\0'", false},
        {"printf '..\\0\\0'", false},
        {"printf '.\\0\\0\\0'", false},
        {"printf '\\0\\0\\0\\0'", false},
        {"head -c 1000000 /dev/zero | tr '\\0' a", false},                /* huge */
        {"{ head -c 251 /dev/zero | tr '\\0' a; printf '\\0'; }", false}, /* no such file */
        {"{ head -c 100003 /dev/zero | tr '\\0' /; printf '\\0'; }", false},
        {"printf 'program.debug'", false}, /* not ended; the checksum is taken for its end */
        {":", false},
    };
    vt_addr f16 = address_of("f16");
    char program[128];

    (void)state;
    if (!f16 || shell("mkdir -p %1$s/links %1$s/other && cd %1$s/links && "
                      "objcopy --only-keep-debug " PROGRAM " program.debug 2>/dev/null && "
                      "cp program.debug ../other && "
                      "objcopy --strip-all -R .note.gnu.build-id " PROGRAM " bare && "
                      "objcopy --add-gnu-debuglink=program.debug bare linked && "
                      "objcopy -O binary --set-section-flags .gnu_debuglink=alloc "
                      "-j .gnu_debuglink linked link && tail -c 4 link >checksum",
                      directory))
        skip();
    snprintf(program, sizeof(program), "%s/links/program", directory);
    for (size_t i = 0; i < VT_COUNTOF(links); i++) {
        char make[256];
        struct vt_frame frame;
        snprintf(make, sizeof(make), links[i].make, directory);
        assert_int_equal(shell("cd %s/links && { %s; cat checksum; } >link && "
                               "objcopy --add-section .gnu_debuglink=link bare program",
                               directory, make),
                         0);
        look(program, "/nonexistent", f16, true, &frame);
        if (!!frame.function != links[i].found)
            fail_msg("%s: %s", make, frame.function ? frame.function : "nothing found");
        vt_frame_clear(&frame);
    }
}

/* ---- what debug files share, and what they leave to others ---------------------------- */

#ifdef __x86_64__
/* An inlined function whose name is in another file: at offset 12 of its .debug_info. */
#define SHARING                                                                                    \
    ".text\n"                                                                                      \
    ".globl main, outer\n"                                                                         \
    "main:\n"                                                                                      \
    "outer: nop\n"                                                                                 \
    "inner: nop\n"                                                                                 \
    "inner_end: xor %%%%eax, %%%%eax\n"                                                            \
    "ret\n"                                                                                        \
    "outer_end:\n"                                                                                 \
    ".section .debug_abbrev,\"\",@progbits\n"                                                      \
    ".byte 1, 0x11, 1, 0x11, 1, 0x12, 7, 0, 0\n"       /* unit: low_pc, high_pc as data8 */        \
    ".byte 2, 0x2e, 1, 3, 8, 0x11, 1, 0x12, 7, 0, 0\n" /* subprogram: name, ... */                 \
    ".byte 3, 0x1d, 0, 0x31\n.uleb128 0x1f20\n"        /* inlined: origin as GNU_ref_alt, */       \
    ".byte 0x11, 1, 0x12, 7, 0x59, 0x0b, 0, 0\n"       /* ..., call_line as data1 */               \
    ".byte 4, 0x3d, 0, 0x18\n.uleb128 0x1f20\n.byte 0, 0, 0\n" /* imported unit, alike */          \
    ".section .debug_info,\"\",@progbits\n"                                                        \
    ".long info_end - info\n"                                                                      \
    "info: .2byte 4\n"                                                                             \
    ".long 0\n"                                                                                    \
    ".byte 8, 1\n"                                                                                 \
    ".quad outer, outer_end - outer\n"                                                             \
    ".byte 4\n"                                                                                    \
    ".long 11\n"                                                                                   \
    ".byte 2\n"                                                                                    \
    ".asciz \"outer\"\n"                                                                           \
    ".quad outer, outer_end - outer\n"                                                             \
    ".byte 3\n"                                                                                    \
    ".long 12\n"                                                                                   \
    ".quad inner, inner_end - inner\n"                                                             \
    ".byte 42, 0, 0\n"                                                                             \
    "info_end:\n"                                                                                  \
    ".section .note.GNU-stack,\"\",@progbits\n"
#define SHARED                                                                                     \
    ".section .debug_abbrev,\"\",@progbits\n"                                                      \
    ".byte 1, 0x3c, 1, 0, 0, 2, 0x2e, 0, 3, 8, 0, 0, 0\n"                                          \
    ".section .debug_info,\"\",@progbits\n"                                                        \
    ".long info_end - info\n"                                                                      \
    "info: .2byte 4\n"                                                                             \
    ".long 0\n"                                                                                    \
    ".byte 8, 1, 2\n"                                                                              \
    ".asciz \"from_shared\"\n"                                                                     \
    ".byte 0\n"                                                                                    \
    "info_end:\n"                                                                                  \
    ".section .note.GNU-stack,\"\",@progbits\n"

static const struct {
    const char *name;  /* as the link has it; %1$s is the directory */
    const char *place; /* where something is, and what */
    const char *make;
    bool found;
} shared_files[] = {
    {"%1$s/shared/debug/.dwz/one", "debug/.dwz/one", "cp right", true},
    {"debug/.dwz/one", "debug/.dwz/one", "cp right", true}, /* counts from the program */
    {"debug/x/../.dwz/./one", "debug/.dwz/one", "cp right", true},
    {"nowhere", "debug/.build-id/01/02030405060708.debug", "cp right", true},
    {"nowhere", "debug/.build-id/01/02030405060708.debug", "cp wrong", false},
    {"nowhere", "debug/.build-id/01/02030405060708.debug", "mkfifo", false},
    {"%1$s/shared/debug/.dwz/one", "debug/.dwz/one", "cp wrong", false},
    {"%1$s/shared/debug/.dwz/one", "debug/.dwz/one", "mkfifo", false},
    {"%1$s/shared/debug/.dwz/one", "debug/.dwz/one", "mkdir", false},
    {"%1$s/shared/debug/.dwz/one", "debug/.dwz/one", "ln -s one", false}, /* a circle */
    /* Not in the directory for debug files. */
    {"%1$s/shared/one", "one", "cp right", false},
    {"one", "one", "cp right", false},
    {"%1$s/shared/one", "one", "mkfifo", false},
    {"one", "one", "mkfifo", false},
    {"%1$s/shared/debug/../one", "one", "mkfifo", false},
    {"debug/../one", "one", "cp right", false},
    {"%1$s/shared/debugger/one", "debugger/one", "cp right", false},
    {"", "debug/.dwz/one", "cp right", false},
    {"..", "debug/.dwz/one", "cp right", false},
    {"/", "debug/.dwz/one", "cp right", false},
};

static void test_shared(void **state)
{
    char program[128], debug[128];

    (void)state;
    if (shell("mkdir %1$s/shared && cd %1$s/shared && "
              "printf '" SHARING "' >a.s && printf '" SHARED "' >b.s && "
              "cc -no-pie -o bare a.s 2>/dev/null && "
              "cc -shared -nostdlib -Wl,--build-id=0x0102030405060708 -o right b.s && "
              "cc -shared -nostdlib -Wl,--build-id=0x0102030405060709 -o wrong b.s",
              directory))
        skip(); /* no assembler */
    snprintf(program, sizeof(program), "%s/shared/program", directory);
    snprintf(debug, sizeof(debug), "%s/shared/debug", directory);
    for (size_t i = 0; i < VT_COUNTOF(shared_files); i++) {
        struct vt_frame frame;
        char name[256];
        snprintf(name, sizeof(name), shared_files[i].name, directory);
        assert_int_equal(
            shell("cd %1$s/shared && rm -rf debug one debugger && "
                  "mkdir -p debug/.build-id/01 debug/.dwz debug/x debugger && %2$s %3$s && "
                  "printf '%4$s\\0\\1\\2\\3\\4\\5\\6\\7\\10' >link && "
                  "objcopy --add-section .gnu_debugaltlink=link bare program",
                  directory, shared_files[i].make, shared_files[i].place, name),
            0);
        vt_addr inner = address_in(program, "inner");
        assert_true(inner > 0);
        look(program, debug, inner, true, &frame);
        assert_non_null(frame.function);
        const char *inlined = frame.inlined_count ? frame.inlined[0].function : "nothing";
        if (!strcmp(inlined, "from_shared") != shared_files[i].found)
            fail_msg("%s, %s %s: %s", name, shared_files[i].make, shared_files[i].place, inlined);
        vt_frame_clear(&frame);
    }
}

/* An inlined function in blocks, in a function, in a namespace; "BLOCKS" is how many. */
#define NESTED                                                                                     \
    ".byte 2, 3\n"                                                                                 \
    ".asciz \"outer\"\n"                                                                           \
    ".quad outer, outer_end - outer\n"                                                             \
    ".rept BLOCKS\n"                                                                               \
    ".byte 4\n"                                                                                    \
    ".quad outer, outer_end - outer\n"                                                             \
    ".endr\n"                                                                                      \
    ".byte 5\n"                                                                                    \
    ".long 28\n"                                                                                   \
    ".quad inner, inner_end - inner\n"                                                             \
    ".zero BLOCKS + 2\n"

/* Entries of debug information that are nested without measure, or go in a circle. */
static void test_entries(void **state)
{
    static const struct {
        const char *entries;
        const char *blocks;
        bool found;
    } rows[] = {
        {NESTED, "0", true},
        {NESTED, "100", true},
        {NESTED, "100000", false},
        {".byte 7\n.long 28\n.byte 0\n" NESTED, "0", false}, /* its next one is in front of it */
        {".byte 7\n.long 33\n.byte 0\n" NESTED, "0", false}, /* and in itself */
    };
    char program[128];

    (void)state;
    snprintf(program, sizeof(program), "%s/entries/program", directory);
    for (size_t i = 0; i < VT_COUNTOF(rows); i++) {
        struct vt_frame frame;
        if (shell("mkdir -p %1$s/entries && cd %1$s/entries && "
                  "printf '.text\n.globl main, outer\nmain:\nouter: nop\ninner: nop\n"
                  "inner_end: xor %%%%eax, %%%%eax\nret\nouter_end:\n"
                  ".section .debug_abbrev,\"\",@progbits\n"
                  ".byte 1, 0x11, 1, 0x11, 1, 0x12, 7, 0, 0\n"       /* unit */
                  ".byte 2, 0x39, 1, 0, 0\n"                         /* namespace */
                  ".byte 3, 0x2e, 1, 3, 8, 0x11, 1, 0x12, 7, 0, 0\n" /* function */
                  ".byte 4, 0x0b, 1, 0x11, 1, 0x12, 7, 0, 0\n"       /* block */
                  ".byte 5, 0x1d, 0, 0x31, 0x13, 0x11, 1, 0x12, 7, 0, 0\n"
                  ".byte 6, 0x2e, 0, 3, 8, 0, 0\n"       /* what is inlined: its name */
                  ".byte 7, 0x39, 1, 1, 0x13, 0, 0, 0\n" /* namespace that tells the next entry */
                  ".section .debug_info,\"\",@progbits\n"
                  ".long info_end - info\n"
                  "info: .2byte 4\n.long 0\n.byte 8, 1\n"
                  ".quad outer, outer_end - outer\n"
                  ".byte 6\n.asciz \"in\"\n" /* at offset 28; the next one at 32 */
                  "%2$s.byte 0\ninfo_end:\n"
                  ".section .note.GNU-stack,\"\",@progbits\n' | sed 's/BLOCKS/%3$s/' >a.s && "
                  "cc -no-pie -o program a.s 2>/dev/null",
                  directory, rows[i].entries, rows[i].blocks))
            skip(); /* no assembler */
        vt_addr inner = address_in(program, "inner");
        assert_true(inner > 0);
        look(program, "/nonexistent", inner, true, &frame);
        if ((frame.inlined_count == 1 && !strcmp(frame.inlined[0].function, "in")) != rows[i].found)
            fail_msg("row %zu: %zu inlined", i, frame.inlined_count);
        vt_frame_clear(&frame);
    }
}

#define NAME ".byte 5\n.asciz \"in\"\n"
#define LONG ".rept 3000\n.byte 4\n.quad 0\n.endr\n"

/* Units on pages of their own, where an entry leads from one to another or is longer than a page. */
static void test_far_units(void **state)
{
    static const struct {
        const char *what;
        const char *text;  /* in the first entry of the unit with the code, before its addresses */
        const char *first; /* in the unit without code */
        const char *second;
        const char *form; /* of the inlined function's origin, */
        const char *at;   /* and where that is */
    } rows[] = {
        {"near", "", "", "name: " NAME, "0x13", ".long name - unit\n"},
        {"another unit", "", "name: " NAME, "", "0x10", ".long name - info\n"},
        {"another unit, told late", "", "name: " NAME, "", "0x16",
         ".byte 0x10\n.long name - info\n"},
        {"a long first entry", ".rept 6000\n.byte 120\n.endr\n", "", "name: " NAME, "0x13",
         ".long name - unit\n"},
        {"a long unit", "", "", "name: " NAME LONG, "0x13", ".long name - unit\n"},
    };
    char program[128];

    (void)state;
    snprintf(program, sizeof(program), "%s/far/program", directory);
    for (size_t i = 0; i < 2 * VT_COUNTOF(rows); i++) {
        struct vt_frame frame;
        if (shell("mkdir -p %1$s/far && cd %1$s/far && "
                  "printf '.text\n.globl main, outer\nmain:\nouter: nop\ninner: nop\n"
                  "inner_end: xor %%%%eax, %%%%eax\nret\nouter_end:\n"
                  ".section .debug_abbrev,\"\",@progbits\n"
                  ".byte 1, 0x11, 1, 3, 8, 0x11, 1, 0x12, 7, 0, 0\n" /* unit: name, its code */
                  ".byte 2, 0x2e, 1, 3, 8, 0x11, 1, 0x12, 7, 0, 0\n" /* function, likewise */
                  ".byte 3, 0x1d, 0, 0x31, %6$s, 0x11, 1, 0x12, 7, 0, 0\n"
                  ".byte 4, 0x34, 0, 0x1c, 7, 0, 0\n" /* a variable with a value */
                  ".byte 5, 0x2e, 0, 3, 8, 0, 0\n"    /* what is inlined: its name */
                  ".byte 6, 0x11, 1, 0, 0, 0\n"       /* unit without code */
                  ".section .debug_info,\"\",@progbits\n"
                  "info: .long first_end - first\n"
                  "first: .2byte 4\n.long 0\n.byte 8, 6\n.zero 9000\n%4$s.zero 9000\nfirst_end:\n"
                  "unit: .long unit_end - unit - 4\n"
                  ".2byte 4\n.long 0\n.byte 8, 1\n%3$s.byte 0\n.quad outer, outer_end - outer\n"
                  "%5$s"
                  ".byte 2\n.asciz \"outer\"\n.quad outer, outer_end - outer\n"
                  ".byte 3\n%7$s.quad inner, inner_end - inner\n.byte 0, 0\nunit_end:\n"
                  ".section .debug_aranges,\"\",@progbits\n"
                  ".long 44\n.2byte 2\n.long unit - info\n.byte 8, 0\n.long 0\n"
                  ".quad outer, outer_end - outer, 0, 0\n"
                  ".section .note.GNU-stack,\"\",@progbits\n' >a.s && "
                  "cc -no-pie -o program a.s 2>/dev/null && %2$s program",
                  directory, i % 2 ? ":" : "objcopy -R .debug_aranges", rows[i / 2].text,
                  rows[i / 2].first, rows[i / 2].second, rows[i / 2].form, rows[i / 2].at))
            skip(); /* no assembler */
        vt_addr inner = address_in(program, "inner");
        assert_true(inner > 0);
        look(program, "/nonexistent", inner, true, &frame);
        if (frame.inlined_count != 1 || strcmp(frame.inlined[0].function, "in") != 0)
            fail_msg("%s: %zu inlined", rows[i / 2].what, frame.inlined_count);
        vt_frame_clear(&frame);
    }
}
#endif

/* Lines of functions all over large units, of which only those are read that are asked for. */
static void test_large(void **state)
{
    static const char *const ways[] = {
        "-o program",
        "-o program && objcopy -R .debug_aranges program",
        "-gdwarf-4 -o program",
        "-gz -o program",
    };
    static const struct {
        const char *function, *file;
        unsigned line;
    } spots[] = {
        {"a700", "/large/a.c", 700}, {"b1", "/large/b.c", 1}, {"b1999", "/large/b.c", 1999},
        {"c9", "/large/c.c", 9},     {"a1", "/large/a.c", 1}, {"a1500", "/large/a.c", 1500},
    };
    char program[128];

    (void)state;
    snprintf(program, sizeof(program), "%s/large/program", directory);
    for (size_t i = 0; i < VT_COUNTOF(ways); i++) {
        if (shell("mkdir -p %1$s/large && cd %1$s/large && for unit in a b c; do "
                  "seq 2000 | sed \"s/.*/int $unit&(int x) { return x + &; }/\" >$unit.c; done && "
                  "echo 'int main(void) { return 0; }' >>c.c && "
                  "cc -g -O0 a.c b.c c.c %2$s 2>/dev/null",
                  directory, ways[i]))
            skip(); /* no compiler */
        for (size_t k = 0; k < VT_COUNTOF(spots); k++) {
            struct vt_frame frame;
            look(program, "/nonexistent", address_in(program, spots[k].function), true, &frame);
            assert_is(&frame, spots[k].function, 0);
            if (!frame.file || !strstr(frame.file, spots[k].file) || frame.line != spots[k].line)
                fail_msg("cc ... %s, %s: %s:%u", ways[i], spots[k].function,
                         frame.file ? frame.file : "?", frame.line);
            vt_frame_clear(&frame);
        }
    }
}

/* Lines of a function that the linker left out are not those of what lies where it never was. */
static void test_left_out(void **state)
{
    static const char *const linkers[] = {"bfd", "gold", "lld"};
    char program[128];
    bool any = false;

    (void)state;
    snprintf(program, sizeof(program), "%s/left/program", directory);
    for (size_t i = 0; i < VT_COUNTOF(linkers); i++) {
        struct vt_frame frame;
        if (shell("mkdir -p %1$s/left && cd %1$s/left && { echo 'int unused(int x) {'; "
                  "seq 4000 | sed 's/.*/x = x * 3 + &;/'; echo 'return x; }'; } >big.c && "
                  "printf 'int used(int x) { return x; }\nint main(void) { return used(0); }\n' "
                  ">m.c && "
                  "cc -g -O0 -ffunction-sections -Wl,--gc-sections -fuse-ld=%2$s big.c m.c "
                  "-o program 2>/dev/null && ! nm program | grep -q unused",
                  directory, linkers[i]))
            continue;
        look(program, "/nonexistent", address_in(program, "used"), true, &frame);
        assert_is(&frame, "used", 0);
        assert_non_null(frame.file);
        assert_non_null(strstr(frame.file, "/m.c"));
        assert_int_equal(frame.line, 1);
        vt_frame_clear(&frame);
        any = true;
    }
    if (!any)
        skip(); /* no compiler, or no such linker */
}

/* A function within another one has code of its own, which is not the other's. */
static void test_nested(void **state)
{
    char program[128];
    struct vt_frame frame;

    (void)state;
    snprintf(program, sizeof(program), "%s/within/program", directory);
    if (shell("mkdir -p %1$s/within && cd %1$s/within && printf '"
              "static inline __attribute__((always_inline)) int in(int x) { return x + 1; }\n"
              "int outer(int x)\n{\n"
              "    __attribute__((noinline)) int inner(int y) { return in(y) * x; }\n"
              "    return inner(x) + inner(2);\n}\n"
              "int main(void) { return outer(0); }\n' >a.c && "
              "cc -g -O0 a.c -o program 2>/dev/null",
              directory))
        skip(); /* this compiler does not nest */
    vt_addr inner = 0;
    for (char name[] = "inner.0"; !inner && name[6] <= '9'; name[6]++)
        inner = address_in(program, name);
    if (!inner)
        skip();
    bool found = false;
    for (vt_addr at = inner; !found && at < inner + 64; at++) {
        look(program, "/nonexistent", at, true, &frame);
        found = frame.inlined_count == 1 && !strcmp(frame.inlined[0].function, "in");
        vt_frame_clear(&frame);
    }
    assert_true(found);
}

/* Units whose contents are in files of their own: lines are known, and those are not opened. */
static void test_split(void **state)
{
    static const char *const versions[] = {"-gdwarf-4", "-gdwarf-5"};
    char program[128];

    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(versions); i++) {
        struct vt_frame frame;
        if (shell("rm -rf %1$s/split && mkdir %1$s/split && cd %1$s/split && "
                  "printf 'int main(void)\\n{\\n    return 0;\\n}\\n' >a.c && "
                  "cc -O0 %2$s -gsplit-dwarf -c a.c -o a.o 2>/dev/null && rm a.dwo && "
                  "mkfifo a.dwo && cc a.o -o program && mkfifo program.dwp",
                  directory, versions[i]))
            skip(); /* this compiler does not split */
        snprintf(program, sizeof(program), "%s/split/program", directory);
        vt_addr address = address_in(program, "main");
        assert_true(address > 0);
        look(program, "/nonexistent", address, true, &frame);
        assert_is(&frame, "main", 0);
        assert_non_null(frame.file);
        assert_non_null(strstr(frame.file, "split/a.c"));
        assert_int_equal(frame.line, 2);
        vt_frame_clear(&frame);
    }
}

/* Asked for one debug file it gives the one that is there, whatever its name says. */
#define SERVER                                                                                     \
    "import http.server, sys\n"                                                                    \
    "class Handler(http.server.BaseHTTPRequestHandler):\n"                                         \
    "    def do_GET(self):\n"                                                                      \
    "        data = open(sys.argv[1], 'rb').read()\n"                                              \
    "        self.send_response(200)\n"                                                            \
    "        self.send_header('Content-Length', str(len(data)))\n"                                 \
    "        self.end_headers()\n"                                                                 \
    "        self.wfile.write(data)\n"                                                             \
    "        print(self.path, file=sys.stderr, flush=True)\n"                                      \
    "server = http.server.HTTPServer(('127.0.0.1', 0), Handler)\n"                                 \
    "print(server.server_port, flush=True)\n"                                                      \
    "server.serve_forever()\n"

static bool was_asked(void)
{
    return shell("grep -q /buildid/ %s/server/log", directory) == 0;
}

/* A server is asked only if the user named one, and what it gives is looked at as all else is. */
static void test_server(void **state)
{
    vt_addr f16 = address_of("f16");
    char program[128], log[128], given[128];
    struct vt_frame frame;
    int port = 0, pipes[2];

    (void)state;
    void *client = dlopen("libdebuginfod.so.1", RTLD_LAZY);
    if (!client || !f16 || pipe(pipes) ||
        shell("mkdir %1$s/server && cd %1$s/server && touch log && "
              "objcopy --only-keep-debug " PROGRAM " right 2>/dev/null && "
              "objcopy --strip-all " PROGRAM
              " program && readelf -n program | grep -q 'Build ID' && "
              "cp right given",
              directory))
        skip(); /* the client of debuginfod is not installed, or no build IDs are made */
    snprintf(program, sizeof(program), "%s/server/program", directory);
    snprintf(log, sizeof(log), "%s/server/log", directory);
    snprintf(given, sizeof(given), "%s/server/given", directory);
    pid_t server = fork();
    assert_true(server >= 0);
    if (server == 0) {
        dup2(pipes[1], 1);
        dup2(open(log, O_WRONLY | O_APPEND), 2);
        execlp(PYTHON3, PYTHON3, "-c", SERVER, given, NULL);
        _exit(127);
    }
    close(pipes[1]);
    FILE *told = fdopen(pipes[0], "r");
    if (!told || fscanf(told, "%d", &port) != 1)
        port = 0;

    unsetenv("DEBUGINFOD_URLS");
    look(program, "/nonexistent", f16, true, &frame);
    assert_null(frame.function);
    setenv("DEBUGINFOD_URLS", "", 1);
    look(program, "/nonexistent", f16, true, &frame);
    assert_null(frame.function);
    assert_false(was_asked());

    char url[64], cache[128];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
    setenv("DEBUGINFOD_URLS", url, 1);
    snprintf(cache, sizeof(cache), "%s/server/cache1", directory);
    setenv("DEBUGINFOD_CACHE_PATH", cache, 1);
    look_into(program, "/nonexistent", false, f16, true, &frame);
    bool unasked = !was_asked() && !frame.function;
    look(program, "/nonexistent", f16, true, &frame);
    bool asked = was_asked(), found = frame.function && !strcmp(frame.function, "f16") &&
                                      frame.file && strstr(frame.file, "/stacks.c");
    vt_frame_clear(&frame);

    /* The file of another program. */
    cache[strlen(cache) - 1] = '2';
    setenv("DEBUGINFOD_CACHE_PATH", cache, 1);
    assert_int_equal(shell("cp " PROGRAM " %1$s/server/right && cd %1$s/server && "
                           "objcopy -R .note.gnu.build-id right given && : >log",
                           directory),
                     0);
    look(program, "/nonexistent", f16, true, &frame);
    bool asked_again = was_asked(), refused = !frame.function && !frame.file;
    vt_frame_clear(&frame);

    unsetenv("DEBUGINFOD_URLS");
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    fclose(told);
    if (!port)
        skip(); /* no Python, or no network here */
    assert_true(unasked);
    assert_true(asked && found);
    assert_true(asked_again && refused);
}

/* Stripped, with its symbols packed in a section: as some distributions ship all programs. */
static void test_mini_debug_info(void **state)
{
    vt_addr f16 = address_of("f16"), chain = address_of("chain");
    char program[128];
    struct vt_frame frame;

    (void)state;
    if (!f16 || !chain ||
        shell("cd %s && objcopy --only-keep-debug " PROGRAM " mini 2>/dev/null && "
              "strip --strip-debug mini && xz -f mini && strip -o bare " PROGRAM " && "
              "objcopy --add-section .gnu_debugdata=mini.xz bare packed",
              directory))
        skip(); /* no binutils, or no xz */
    snprintf(program, sizeof(program), "%s/bare", directory);
    look(program, "/nonexistent", f16, true, &frame);
    assert_null(frame.function);
    snprintf(program, sizeof(program), "%s/packed", directory);
    look(program, "/nonexistent", f16, true, &frame);
    assert_is(&frame, "f16", 0);
    assert_null(frame.file); /* there are no lines in it */
    vt_frame_clear(&frame);
    look(program, "/nonexistent", chain + 3, true, &frame);
    assert_is(&frame, "chain", 3); /* a static function, in no dynamic symbol table */
    vt_frame_clear(&frame);
}

static void test_demangle(void **state)
{
    static const struct {
        const char *mangled, *readable; /* null: not mangled */
    } names[] = {
        {"main", NULL},
        {"_start", NULL},
        {"", NULL},
        {"_Z", NULL},
        {"_ZN3foo3barEi", "foo::bar"},
        {"_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector<int, std::allocator<int> >::push_back"},
        {"_RNvCskwGfYPst2Cb_3foo3bar", "foo::bar"},
    };
    char *text = vt_demangle("_ZN3foo3barEi");

    (void)state;
    if (!text)
        skip(); /* built without a demangler */
    free(text);
    for (size_t i = 0; i < VT_COUNTOF(names); i++) {
        text = vt_demangle(names[i].mangled);
        if (names[i].readable) {
            assert_non_null(text);
            assert_string_equal(text, names[i].readable);
        } else {
            assert_null(text);
        }
        free(text);
    }
    /* What could take forever is left as it is. */
    char endless[10000] = "_Z1fI";
    memset(endless + 5, 'S', sizeof(endless) - 6);
    assert_null(vt_demangle(endless));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_symbols),    cmocka_unit_test(test_separate),
        cmocka_unit_test(test_hostile_places), cmocka_unit_test(test_hostile_links),
#ifdef __x86_64__
        cmocka_unit_test(test_shared),         cmocka_unit_test(test_entries),
        cmocka_unit_test(test_far_units),
#endif
        cmocka_unit_test(test_large),          cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_nested),         cmocka_unit_test(test_split),
        cmocka_unit_test(test_server),         cmocka_unit_test(test_mini_debug_info),
        cmocka_unit_test(test_demangle),
    };

    return cmocka_run_group_tests(tests, set_up, clean_up);
}
