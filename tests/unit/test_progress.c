/*
 * test_progress.c - the line of progress on a terminal of the test's own: it
 * comes after a while, says how far it is, and goes away whole; on anything else
 * nothing is said.
 */
#include <pty.h>
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
#include "cli/progress.h"
#include <vastrace/sink.h>

#define EVENTS 60000
#define NS     INT64_C(1000000000)

static char path[] = "/tmp/vastrace-progress.XXXXXX";

/* A recording that is large enough for SQLite to have work with. */
static int record(void **state)
{
    static char *const command[] = {"made", NULL};
    const struct vt_run run = {
        .version = "0", .command = command, .kernel = "6", .machine = "x86_64", .page_size = 4096};
    const struct vt_summary summary = {.duration_ns = EVENTS, .events = EVENTS};
    const struct vt_sink_config config = {.path = path, .format = "vas"};
    struct vt_sink *sink;
    struct vt_error err;
    int fd = mkstemp(path);
    (void)state;
    if (fd < 0 || close(fd) || vt_sink_create(&config, &sink, &err) ||
        vt_sink_begin(sink, &run, &err))
        return -1;
    for (uint64_t i = 0; i < EVENTS; i++) {
        const struct vt_call call = {.name = i % 2 ? "munmap" : "mmap"};
        struct vt_region region = {.start = 0x10000, .end = 0x12000, .kind = VT_KIND_ANON};
        const struct vt_change change = {.op = i % 2 ? VT_CHANGE_GONE : VT_CHANGE_MADE,
                                         .start = region.start,
                                         .end = region.end,
                                         .before = region,
                                         .after = region};
        const struct vt_event event = {.seq = i + 1,
                                       .time_ns = (int64_t)i,
                                       .pid = 7,
                                       .tid = 7,
                                       .space = 1,
                                       .call = &call,
                                       .changes = &change,
                                       .change_count = 1};
        if (vt_sink_event(sink, &event, &err))
            return -1;
    }
    int rc = vt_sink_end(sink, &summary, &err);
    vt_sink_destroy(sink);
    return rc;
}

static int forget(void **state)
{
    (void)state;
    return unlink(path);
}

/* Half a second passes at the first event, and a good tenth now and then. */
static int take_time(void *context, const struct vt_event *event)
{
    int64_t until = vt_clock_ns() + (event->seq == 1 ? NS * 6 / 10 : NS * 11 / 100);
    (void)context;
    while (event->seq % 10000 == 1 && vt_clock_ns() < until)
        ;
    return 0;
}

/* What stands on the line of a terminal that is written this. */
static void show(const char *text, size_t length, char line[128])
{
    size_t at = 0;
    memset(line, ' ', 127);
    line[127] = '\0';
    for (size_t i = 0; i < length; i++) {
        assert_true(text[i] == '\r' || (text[i] >= ' ' && text[i] < 0x7f));
        if (text[i] == '\r') {
            at = 0;
        } else {
            assert_true(at < 79); /* it does not wrap */
            line[at++] = text[i];
        }
    }
}

/* Replay with standard error there, and read what came, to its end: a terminal hands on what is
 * written to it by and by. Closes both. */
static size_t replay(int to, int from, char *said, size_t size)
{
    struct cli_progress progress;
    struct vt_recording *recording;
    struct vt_error err;
    int kept = dup(STDERR_FILENO);
    assert_int_equal(vt_recording_open(path, &recording, &err), 0);
    dup2(to, STDERR_FILENO);
    cli_progress_begin(&progress, recording, path);
    int rc = vt_recording_replay(recording, take_time, NULL, &err);
    cli_progress_end(&progress);
    dup2(kept, STDERR_FILENO);
    close(kept);
    assert_int_equal(rc, 0);
    vt_recording_close(recording);
    close(to);
    size_t length = 0;
    for (ssize_t got; (got = read(from, said + length, size - length)) > 0;)
        length += (size_t)got;
    close(from);
    return length;
}

static void test_terminal(void **state)
{
    char said[65536], line[128];
    int master, slave;
    (void)state;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    size_t length = replay(slave, master, said, sizeof(said));
    /* Up to the last carriage return but two: the line as it stood last. */
    size_t end = length;
    for (int returns = 0; end > 0; end--)
        if (said[end - 1] == '\r' && ++returns == 2)
            break;
    assert_true(end > 0);
    show(said, end, line);
    unsigned percent = 0;
    assert_non_null(strstr(line, "reading vastrace-progress."));
    assert_int_equal(sscanf(strstr(line, ": events"), ": events %u%%", &percent), 1);
    assert_in_range(percent, 50, 100);
    /* And at the end nothing is left. */
    show(said, length, line);
    assert_int_equal(strspn(line, " "), 127);
    assert_int_equal(said[length - 1], '\r');
}

static void test_pipe(void **state)
{
    char said[16];
    int ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(replay(ends[1], ends[0], said, sizeof(said)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_pipe),
    };
    return cmocka_run_group_tests_name("progress", tests, record, forget);
}
