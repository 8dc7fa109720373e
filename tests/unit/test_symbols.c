/*
 * test_symbols.c - names and source lines of addresses: from a file's own
 * symbols, from separate debug files by build ID and by .gnu_debuglink, and
 * none where there are none.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* after what it needs */

#include "base/base.h"
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
    char command[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    return system(command);
}

/* The address of a symbol of the fixture, as nm tells it; 0 if it cannot be had. */
static vt_addr address_of(const char *symbol)
{
    char command[512];
    unsigned long long address = 0;

    snprintf(command, sizeof(command), "nm " PROGRAM " 2>/dev/null | grep ' [tTdD] %s$'", symbol);
    FILE *out = popen(command, "r");
    if (!out || fscanf(out, "%llx", &address) != 1)
        address = 0;
    if (out)
        pclose(out);
    return address;
}

/* What is known of an address. The frame's strings are to be freed. */
static void look(const char *path, const char *debug_directory, vt_addr address, bool interrupted,
                 struct vt_frame *frame)
{
    struct vt_symbols *symbols;
    struct vt_elf *elf;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *frame = (struct vt_frame){.address = address, .interrupted = interrupted};
    assert_true(fd >= 0);
    assert_int_equal(vt_elf_read(fd, &elf, NULL), 0);
    symbols = vt_symbols_create(fd, elf, path, debug_directory);
    close(fd); /* it has its own */
    assert_non_null(symbols);
    assert_int_equal(vt_symbols_find(symbols, frame), 0);
    vt_symbols_destroy(symbols);
    vt_elf_destroy(elf);
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
        cmocka_unit_test(test_own_symbols),
        cmocka_unit_test(test_separate),
        cmocka_unit_test(test_mini_debug_info),
        cmocka_unit_test(test_demangle),
    };

    return cmocka_run_group_tests(tests, set_up, clean_up);
}
