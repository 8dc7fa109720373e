/*
 * test_stack_line.c - a call stack as one line of report, history and diff.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/page.h"

static const struct vt_object libc = {.type = VT_OBJECT_FILE, .name = "/lib/libc.so.6"};
static const struct vt_object program = {.type = VT_OBJECT_FILE, .name = "/opt/prog"};

static const struct vt_inlined grab[] = {{"grab", "/home/a/b.c", 4},
                                         {"allocate", "/usr/include/c++/12/allocator.h", 137},
                                         {"unknown", NULL, 0}};

static const struct vt_frame mmap_frame = {.object = &libc, .function = "mmap"};
static const struct vt_frame sysmalloc = {
    .object = &libc, .function = "sysmalloc", .file = "malloc.c", .line = 1};
static const struct vt_frame malloc_frame = {
    .object = &libc, .function = "malloc", .inlined = grab, .inlined_count = 3};
static const struct vt_frame deep = {.object = &program,
                                     .function = "deep",
                                     .file = "/home/a/b.c",
                                     .line = 6,
                                     .inlined = grab,
                                     .inlined_count = 3};
static const struct vt_frame nameless = {.object = &program, .address = 0x1234};
static const struct vt_frame jit = {.address = 0x7f00};
static const struct vt_frame start = {.object = &libc, .function = "__libc_start_main"};
static const struct vt_frame control = {.object = &program, .function = "\033[2J"};

static void test_lines(void **state)
{
    static const struct {
        const struct vt_frame *frames[8];
        size_t most;
        const char *program;
        const char *line;
    } rows[] = {
        {{&mmap_frame, &deep, &start},
         8,
         NULL,
         "mmap < grab (b.c:4) < deep (b.c:6) < __libc_start_main"},
        {{&mmap_frame, &malloc_frame, &nameless}, 8, NULL, "mmap < malloc < prog+0x1234"},
        {{&mmap_frame, &sysmalloc, &malloc_frame, &nameless},
         8,
         NULL,
         "mmap .. malloc < prog+0x1234"},
        {{&mmap_frame, &sysmalloc, &sysmalloc, &malloc_frame, &jit},
         8,
         NULL,
         "mmap .. malloc < +0x7f00"},
        /* Nobody else is known to have called it. */
        {{&mmap_frame, &sysmalloc, &malloc_frame},
         8,
         NULL,
         "mmap < sysmalloc (malloc.c:1) < grab (b.c:4) < malloc"},
        /* The program's own functions are what is asked for. */
        {{&nameless, &nameless, &nameless, &start},
         8,
         "/opt/prog",
         "prog+0x1234 < prog+0x1234 < prog+0x1234 < __libc_start_main"},
        {{&nameless, &nameless, &nameless, &start},
         8,
         "/opt/other",
         "prog+0x1234 .. prog+0x1234 < __libc_start_main"},
        {{&mmap_frame, &nameless, &start}, 2, NULL, "mmap < prog+0x1234 < ..."},
        {{&mmap_frame, &deep, &start}, 2, NULL, "mmap < grab (b.c:4) < ..."},
        {{&mmap_frame, &sysmalloc, &malloc_frame, &jit}, 2, NULL, "mmap .. malloc < ..."},
        {{&mmap_frame, &sysmalloc, &malloc_frame, &jit}, 1, NULL, "mmap < ..."},
        {{&mmap_frame, &nameless}, 2, NULL, "mmap < prog+0x1234"},
        {{&control}, 2, NULL, "\\x1b[2J"},
        {{NULL}, 2, NULL, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cli_page page = {.program = rows[i].program};
        struct vt_stack stack = {.frames = rows[i].frames};
        while (rows[i].frames[stack.frame_count])
            stack.frame_count++;
        cli_stack(&page, &stack, rows[i].most);
        assert_string_equal(vt_buf_cstr(&page.out), rows[i].line);
        vt_buf_deinit(&page.out);
    }
}

static void test_none(void **state)
{
    struct cli_page page = {0};

    (void)state;
    cli_stack(&page, NULL, 8);
    assert_int_equal(page.out.length, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines),
                                              cmocka_unit_test(test_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
