/*
 * test_stack_sinks.c - call stacks through the formats, compared with
 * tests/golden/stacks.*: first and repeated stacks, inlined functions, unknown
 * ones, hostile names, each way to end.
 *
 * To accept what the sinks write now:  VASTRACE_UPDATE_GOLDEN=1 ctest -R stack_sinks
 */
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
#include <vastrace/sink.h>

static const struct vt_object libc = {
    VT_OBJECT_FILE, 1, 0xfe, 0, 99, 0, "/usr/lib/x86_64-linux-gnu/libc.so.6"};
static const struct vt_object heapy = {VT_OBJECT_FILE, 2, 0xfe, 0, 1234, 0, "/home/u/heapy"};
static const struct vt_object hostile = {
    VT_OBJECT_FILE, 3, 0xfe, 0, 5, 0, "/tmp/\033]0;title\007\n\"\\ \xff.so"};
static const struct vt_object vdso = {VT_OBJECT_SPECIAL, 4, 0, 0, 0, 0, "[vdso]"};

static const struct vt_inlined inlined[] = {
    {"innermost", "/src/list.h", 12},
    {"middle", NULL, 0},
};

static const struct vt_build_id build_id = {
    20, {0xc0, 0x07, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xff}};

static const struct vt_frame frames[] = {
    {.id = 1,
     .object = &libc,
     .address = 0x1019b3,
     .interrupted = true,
     .function = "mmap",
     .offset = 0x13,
     .file = "./misc/mmap64.c",
     .line = 58},
    {.id = 2,
     .object = &heapy,
     .address = 0x1234,
     .function = "std::vector<int>::grow",
     .offset = 0x2f,
     .file = "/src/heapy.cc",
     .line = 7,
     .inlined = inlined,
     .inlined_count = 2,
     .build_id = &build_id},
    {.id = 3, .object = &heapy, .address = 0x1300, .build_id = &build_id},
    {.id = 4,
     .object = &hostile,
     .address = 0x99,
     .function = "evil\033[2J\n",
     .offset = 0,
     .file = "a\nb",
     .line = 1},
    {.id = 5, .object = NULL, .address = 0x7f0000001000},
    {.id = 6, .object = &vdso, .address = 0x800, .function = "clock_gettime", .offset = 0x20},
};

static const struct vt_frame *const chains[][5] = {
    {&frames[0], &frames[1], &frames[2]},
    {&frames[0], &frames[3], &frames[4]},
    {&frames[0], &frames[5], &frames[1]},
};

static const struct vt_stack stacks[] = {
    {1, chains[0], 3, VT_STACK_COMPLETE},  {2, chains[1], 3, VT_STACK_UNKNOWN_CODE},
    {3, chains[2], 3, VT_STACK_DEPTH},     {4, chains[0], 1, VT_STACK_NO_TABLES},
    {5, chains[0], 2, VT_STACK_NO_IMAGE},  {6, chains[0], 1, VT_STACK_UNREADABLE},
    {7, chains[1], 2, VT_STACK_CORRUPT},   {8, chains[0], 1, VT_STACK_UNSUPPORTED},
    {9, chains[0], 1, VT_STACK_NO_MEMORY},
};

/* Each stack in the order of its id, with earlier ones in between. */
static const unsigned order[] = {0, 0, 1, 0, 2, 3, 4, 5, 6, 7, 8, 1};

static const struct vt_call call = {.name = "mmap", .number = 9, .result = 0x7f0000000000};

static void tell(struct vt_sink *sink)
{
    static char *const command[] = {"heapy", NULL};
    const struct vt_run run = {.version = "0",
                               .command = command,
                               .kernel = "6.1",
                               .machine = "x86_64",
                               .page_size = 4096,
                               .aslr = 2};
    const struct vt_summary summary = {.duration_ns = 1000, .events = VT_COUNTOF(order)};
    const struct vt_detail none = {0};

    assert_int_equal(vt_sink_begin(sink, &run, NULL), 0);
    for (size_t i = 0; i < VT_COUNTOF(order); i++) {
        struct vt_region region = {
            .start = 0x7f0000000000 + i * 0x10000, .prot = VT_PROT_READ, .kind = VT_KIND_ANON};
        region.end = region.start + 0x4000;
        const struct vt_change change = {
            .op = VT_CHANGE_MADE, .start = region.start, .end = region.end, .after = region};
        const struct vt_event event = {
            .seq = i + 1,
            .time_ns = (int64_t)i * 1000,
            .pid = i < VT_COUNTOF(order) - 1 ? 10 : 11, /* the columns move at last */
            .tid = i < VT_COUNTOF(order) - 1 ? 10 : 11,
            .space = 1,
            .cause = VT_CAUSE_CALL,
            .call = &call,
            .changes = &change,
            .details = &none,
            .change_count = 1,
            .mapped_bytes = 0x4000 * (i + 1),
            .stack = &stacks[order[i]]};
        assert_int_equal(vt_sink_event(sink, &event, NULL), 0);
    }
    assert_int_equal(vt_sink_end(sink, &summary, NULL), 0);
}

static void check(const char *golden, enum vt_color color)
{
    char path[] = "/tmp/vastrace-stack-sinks.XXXXXX", command[8192];
    const char *format = strstr(golden, ".jsonl") ? "jsonl" : "text";
    const char *update = getenv("VASTRACE_UPDATE_GOLDEN");
    struct vt_sink *sink;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    struct vt_sink_config config = {.path = path, .format = format, .color = color, .quiet = true};
    assert_int_equal(vt_sink_create(&config, &sink, NULL), 0);
    tell(sink);
    vt_sink_destroy(sink);
    if (update && *update) {
        snprintf(command, sizeof(command), "cp %s %s/tests/golden/%s", path, SOURCE_DIR, golden);
        assert_int_equal(system(command), 0);
    }
    snprintf(command, sizeof(command),
             "diff -u %s/tests/golden/%s %s | cat -v >&2; "
             "cmp -s %s/tests/golden/%s %s",
             SOURCE_DIR, golden, path, SOURCE_DIR, golden, path);
    if (system(command) != 0)
        fail_msg("not as tests/golden/%s; VASTRACE_UPDATE_GOLDEN=1 accepts it", golden);
    unlink(path);
}

static void test_text(void **state)
{
    (void)state;
    check("stacks.txt", VT_COLOR_NEVER);
}

static void test_text_color(void **state)
{
    (void)state;
    check("stacks-color.txt", VT_COLOR_ALWAYS);
}

static void test_jsonl(void **state)
{
    (void)state;
    check("stacks.jsonl", VT_COLOR_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_color),
        cmocka_unit_test(test_jsonl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
