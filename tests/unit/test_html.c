/*
 * test_html.c - the HTML sink without memory, and how much of it many events take. What it writes
 * is compared with the JSON Lines of the same events in test_sinks.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* after what it needs */

#include "sinks/sink.h"
#include "unit/nomem.h"
#include <vastrace/sink.h>

#define MAP UINT64_C(0x7ffff7a00000)

static const struct vt_object object = {VT_OBJECT_FILE, 7, 8, 1, 99, 0, "/tmp/</script>\xff"};
static char *command[] = {"a", "</script>", NULL};
static const struct vt_run run = {
    .version = "0", .command = command, .kernel = "6", .machine = "x86_64", .aslr = 2};

/* An event of each sort that needs memory of its own. */
static int tell_some(struct vt_sink *sink, uint64_t round, struct vt_error *err)
{
    static const char *const names[] = {"addr", "length"};
    static const struct vt_call call = {
        .name = "munmap", .number = 11, .arg_count = 2, .arg_names = names, .args = {MAP, 4096}};
    static const struct vt_frame frame = {.id = 1,
                                          .object = &object,
                                          .address = 0x1234,
                                          .function = "main",
                                          .file = "m.c",
                                          .line = 3};
    static const struct vt_frame *const frames[] = {&frame};
    static const struct vt_stack stack = {.id = 1, .frames = frames, .frame_count = 1};
    static const struct vt_process_totals totals;
    static const struct vt_exec_info exec = {.path = "/bin/a", .class_bits = 64};
    static const struct vt_exit_info exit_info = {
        .name = "a", .totals = &totals, .wait_status = 11};
    static const struct vt_fault_info fault = {
        .signal = SIGSEGV, .verdict = VT_FAULT_NULL, .has_addr = true};
    const struct vt_region region = {MAP, MAP + 4096, 0, &object, 1, 0, VT_KIND_FILE};
    const struct vt_change made = {VT_CHANGE_MADE, false, MAP, MAP + 4096, {0}, region};
    const struct vt_change gone = {VT_CHANGE_GONE, false, MAP, MAP + 4096, region, {0}};
    const struct vt_event events[] = {
        {.cause = VT_CAUSE_EXEC,
         .exec = &exec,
         .changes = &made,
         .change_count = 1,
         .mapped_bytes = 4096},
        {.cause = VT_CAUSE_CALL,
         .call = &call,
         .changes = &gone,
         .change_count = 1,
         .stack = &stack,
         .sp = 0x7ffe0000,
         .note = "a note"},
        {.cause = VT_CAUSE_SIGNAL, .fault = &fault},
        {.cause = VT_CAUSE_EXIT, .exit = &exit_info},
    };
    int result = 0;

    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        struct vt_event event = events[i];
        event.seq = round * 4 + i + 1;
        event.time_ns = (int64_t)event.seq * 1000;
        event.pid = event.tid = 42;
        event.space = 1;
        int rc = vt_sink_event(sink, &event, err);
        result = result ? result : rc;
    }
    return result;
}

static struct vt_sink *create(void)
{
    const struct vt_sink_config config = {.path = "/dev/null", .format = "html"};
    struct vt_sink *sink = NULL;
    struct vt_error err;

    assert_int_equal(vt_sink_create(&config, &sink, &err), 0);
    return sink;
}

/* Whichever allocation fails, it is told once, and nothing is written as if it were whole. */
static void without_memory(void (*arm)(size_t))
{
    size_t granted = 0, refused;

    do {
        struct vt_sink *sink = create();
        struct vt_error err = {0};
        struct vt_summary summary = {.events = 4};
        int failures = 0;
        arm(granted++);
        failures += vt_sink_begin(sink, &run, &err) == -ENOMEM;
        failures += tell_some(sink, 0, &err) == -ENOMEM;
        failures += vt_sink_flush(sink, &err) == -ENOMEM;
        failures += vt_sink_end(sink, &summary, &err) == -ENOMEM;
        refused = nomem_never();
        assert_int_equal(failures, refused > 0);
        vt_sink_destroy(sink);
    } while (refused);
    assert_true(granted > 20); /* there was something to refuse */
}

static void test_no_memory_from_here(void **state)
{
    (void)state;
    without_memory(nomem_after);
}

static void test_one_allocation_fails(void **state)
{
    (void)state;
    without_memory(nomem_at);
}

/* In the steady state there is no allocation that stays: memory does not grow with events. */
static void test_memory_is_bounded(void **state)
{
    (void)state;
    struct vt_sink *sink = create();
    struct vt_error err;
    size_t capacity = 0;

    assert_int_equal(vt_sink_begin(sink, &run, &err), 0);
    for (uint64_t round = 0; round < 20000; round++) {
        assert_int_equal(tell_some(sink, round, &err), 0);
        if (round == 4000)
            capacity = sink->out.capacity;
    }
    assert_int_equal(sink->out.capacity, capacity);
    assert_true(capacity < (size_t)1 << 20);
    vt_sink_destroy(sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory_from_here),
        cmocka_unit_test(test_one_allocation_fails),
        cmocka_unit_test(test_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
