/*
 * test_recordings.c - recordings of real programs: the layouts asked of them are
 * those that the programs themselves read in /proc/self/maps, a replay is the
 * trace, and neither a killed tracer nor a full disk spoils them or the program.
 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/maps.h"
#include "session/replay.h"
#include <vastrace/recording.h>

#define KILLS 200

/* A path in a directory of this run's own, which is made when first asked for. */
static const char *in_directory(const char *name)
{
    static char directory[] = "/tmp/vastrace-recordings.XXXXXX";
    static char paths[8][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % LIVE_COUNT(paths)];
    if (next == 1)
        assert_non_null(mkdtemp(directory));
    snprintf(path, PATH_MAX, "%s/%s", directory, name);
    return path;
}

static struct vt_recording *open_recording(const char *path)
{
    struct vt_recording *recording;
    struct vt_error err;
    if (vt_recording_open(path, &recording, &err))
        fail_msg("%s", err.text);
    return recording;
}

/* ---- layouts ------------------------------------------------------------------------ */

/* The event that a program marked before it printed its map: munmap(1, marker), which fails. */
struct search {
    pid_t pid;
    uint64_t marker;
    uint64_t found;
};

static int find_mark(void *context, const struct vt_event *event)
{
    struct search *search = context;
    if (event->pid == search->pid && event->call && event->call->args[0] == 1 &&
        event->call->args[1] == search->marker && !strcmp(event->call->name, "munmap"))
        search->found = event->seq;
    return 0;
}

/* Compare what `vastrace layout` prints with the lines that the program printed. */
static void compare_layout(const char *path, pid_t pid, const char *at, const char *maps,
                           size_t length)
{
    struct vt_objects *objects = vt_objects_create();
    struct vt_layout *ours = vt_layout_create(NULL, NULL);
    struct vt_regions recorded = {0}, printed = {0};
    struct vt_region a, b;
    struct vt_error err;
    static char text[8 << 20];
    char number[16];
    snprintf(number, sizeof number, "%d", (int)pid);
    const char *const command[] = {VASTRACE_PROGRAM, "layout", path,       "--pid", number,
                                   "--at",           at,       "--format", "maps",  NULL};
    assert_true(live_capture(command, text, sizeof text));
    if (vt_maps_parse(text, strlen(text), objects, &recorded, &err) ||
        vt_maps_parse(maps, length, objects, &printed, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < recorded.count; i++)
        assert_int_equal(vt_layout_map(ours, &recorded.items[i], NULL), 0);
    if (!vt_layout_agrees(ours, printed.items, printed.count, &a, &b))
        fail_msg("%s: process %d at %s: %llx-%llx recorded, %llx-%llx printed by the program", path,
                 (int)pid, at, (unsigned long long)a.start, (unsigned long long)a.end,
                 (unsigned long long)b.start, (unsigned long long)b.end);
    vt_regions_deinit(&recorded);
    vt_regions_deinit(&printed);
    vt_layout_destroy(ours);
    vt_objects_destroy(objects);
}

/* Every map that the run printed against the recording at that moment. Returns how many. */
static unsigned compare_maps(const struct live_result *result, const char *path)
{
    struct vt_recording *recording = open_recording(path);
    unsigned compared = 0;
    assert_true(vt_recording_info(recording)->complete);
    assert_false(vt_recording_info(recording)->partial);
    for (const char *at = result->out; (at = strstr(at, "maps="));) {
        struct search search = {0};
        struct vt_error err;
        long long pid, marker;
        char moment[32];
        bool is_first = at == result->out || at[-1] == '\n';
        const char *line = strchr(at, '\n');
        int fields = sscanf(at, "maps=%lld %lld\n", &pid, &marker);
        at += 5;
        if (!is_first || fields != 2 || !line)
            continue;
        const char *stop = strstr(line, "\nmaps=end\n");
        assert_non_null(stop);
        search = (struct search){.pid = (pid_t)pid, .marker = (uint64_t)marker};
        if (vt_recording_replay(recording, find_mark, &search, &err))
            fail_msg("%s", err.text);
        assert_true(search.found);
        snprintf(moment, sizeof moment, "#%llu", (unsigned long long)search.found);
        compare_layout(path, search.pid, moment, line + 1, (size_t)(stop - line));
        /* A program's last words are its map: nothing happened after it. */
        const struct vt_recorded_process *process;
        assert_int_equal(vt_recording_process(recording, search.pid, &process, &err), 0);
        if (process->end_event == search.found + 1)
            compare_layout(path, search.pid, "end", line + 1, (size_t)(stop - line));
        compared++;
        at = stop;
    }
    vt_recording_close(recording);
    return compared;
}

static void record(struct live_result *result, const char *path, const char *program,
                   const char *scenario)
{
    const char *const options[] = {"-o", path, NULL};
    const struct live_options how = {.options = options};
    char file[PATH_MAX];
    snprintf(file, sizeof file, "%s/%s", FIXTURE_DIR, program);
    if (!live_exists(file))
        live_skip("%s could not be built", program);
    live_run(result, &how, file, scenario);
}

static void check_accounts(const char *path)
{
    struct vt_recording *recording = open_recording(path);
    size_t count;
    const struct vt_recorded_process *processes = vt_recording_processes(recording, &count);
    for (size_t i = 0; i < count; i++) {
        struct vt_report report;
        struct vt_error err;
        if (vt_recording_report(recording, &processes[i], &report, &err))
            fail_msg("%s", err.text);
        if (!report.balanced)
            fail_msg("%s: the account of process %d is not balanced", path, (int)processes[i].pid);
        /* What the session counted while it ran, and what the recording adds up to. */
        for (int kind = 0; processes[i].totals.bytes && kind < VT_KIND_COUNT; kind++)
            if (report.events)
                assert_true(report.kinds[kind].closing_bytes ==
                            processes[i].totals.kinds[kind].bytes);
        vt_report_deinit(&report);
    }
    vt_recording_close(recording);
}

static void test_layouts(void **state)
{
    static const struct {
        const char *program;
        const char *scenario;
    } runs[] = {
        {"fixture", "mmap-fixed-holes"},
        {"fixture", "munmap-across"},
        {"fixture", "mprotect-sealed"},
        {"fixture", "mremap-several"},
        {"fixture", "mremap-dontunmap"},
        {"fixture", "brk-holes"},
        {"fixture", "stack-deep"},
        {"fixture", "mmap-file"},
        {"fixture", "names"},
        {"fixture", "mmap-many"},
        {"fixture-static", "mmap-fixed-part"},
        {"fixture-nopie", "brk"},
        {"fixture-threaded", "munmap-parts"},
        {"fixture", "fork"},
        {"fixture", "vfork-map"},
        {"fixture", "exec-chain"},
        {"fixture", "fork-tree"},
    };
    unsigned compared = 0;
    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(runs); i++) {
        struct live_result result;
        const char *path = in_directory("layouts.vas");
        record(&result, path, runs[i].program, runs[i].scenario);
        if (result.status == 0) {
            compared += compare_maps(&result, path);
            check_accounts(path);
        }
        live_free(&result);
    }
    print_message("%u maps compared\n", compared);
    assert_true(compared >= 15);
}

/* The timeline of a replay is the timeline of the trace, byte for byte. */
static void test_replay(void **state)
{
    static const char *const commands[][5] = {
        {"/bin/sh", "-c", "ls -l / | cat; true", NULL},
        {FIXTURE_DIR "/fixture", "mremap-several", NULL},
        {FIXTURE_DIR "/fixture", "mmap-file", NULL},
    };
    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(commands); i++) {
        const char *path = in_directory("replay.vas"), *copy = in_directory("replay.jsonl");
        const char *const options[] = {"-o", path, "-k", NULL};
        const struct live_options how = {.options = options};
        struct live_result result;
        struct vt_sink_config config = {.path = copy};
        struct vt_sink *sink;
        struct vt_error err;
        static char text[8 << 20];
        live_run_program(VASTRACE_PROGRAM, &result, &how, commands[i]);
        live_assert_exited(&result, 0);
        struct vt_recording *recording = open_recording(path);
        assert_int_equal(vt_sink_create(&config, &sink, &err), 0);
        if (vt_session_replay(recording, NULL, sink, &err))
            fail_msg("%s", err.text);
        vt_sink_destroy(sink);
        vt_recording_close(recording);
        const char *const cat[] = {"cat", copy, NULL};
        assert_true(live_capture(cat, text, sizeof text));
        assert_string_equal(text, result.timeline);
        live_free(&result);
    }
}

/* ---- the worst that can happen to a tracer ----------------------------------------------- */

static pid_t start(const char *path, const char *program, const char *scenario, const char *count)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid)
        return pid;
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execl(VASTRACE_PROGRAM, VASTRACE_PROGRAM, "-o", path, "--", program, scenario, count, NULL);
    _exit(124);
}

static int take_any(void *context, const struct vt_event *event)
{
    *(uint64_t *)context = event->seq;
    return 0;
}

/* Killed at any moment, the tracer leaves what can be read whole and says that it was cut short. */
static void test_killed(void **state)
{
    unsigned readable = 0, early = 0;
    uint32_t seed = 88172645;
    (void)state;
    for (unsigned i = 0; i < KILLS; i++) {
        const char *path = in_directory("killed.vas");
        const struct vt_recorded_process *process;
        struct vt_recording *recording;
        struct vt_report report;
        struct vt_error err;
        uint64_t last = 0;
        pid_t pid = start(path, FIXTURE_DIR "/fixture", "mmap-many", "20000");
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        usleep(i % 8 ? 10000 + seed % 150000 : seed % 15000);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        if (vt_recording_open(path, &recording, &err)) {
            /* Before the trace began there is nothing to read, and that is said. */
            assert_true(strstr(err.text, "is empty") || strstr(err.text, "cannot open"));
            early++;
        } else {
            const struct vt_recording_info *info = vt_recording_info(recording);
            assert_false(info->complete);
            if (vt_recording_replay(recording, take_any, &last, &err))
                fail_msg("%s", err.text);
            assert_int_equal(last, info->events);
            if (info->events && (vt_recording_process(recording, 0, &process, &err) ||
                                 vt_recording_report(recording, process, &report, &err)))
                fail_msg("%s", err.text);
            if (info->events) {
                assert_true(report.balanced);
                vt_report_deinit(&report);
            }
            vt_recording_close(recording);
            readable++;
        }
        unlink(path);
        unlink(in_directory("killed.vas-wal"));
        unlink(in_directory("killed.vas-shm"));
    }
    print_message("%u recordings readable, %u killed before they began\n", readable, early);
    assert_true(readable > KILLS / 4);
}

/* Ask a recording while the trace is under way. */
static void test_read_while_written(void **state)
{
    const char *path = in_directory("growing.vas");
    uint64_t seen = 0;
    unsigned reads = 0;
    int status;
    (void)state;
    pid_t pid = start(path, FIXTURE_DIR "/fixture", "mmap-many", "30000");
    while (waitpid(pid, &status, WNOHANG) == 0) {
        struct vt_recording *recording;
        struct vt_error err;
        usleep(20000);
        if (vt_recording_open(path, &recording, &err))
            continue; /* not begun yet */
        const struct vt_recorded_process *process;
        struct vt_report report;
        assert_true(vt_recording_info(recording)->events >= seen);
        seen = vt_recording_info(recording)->events;
        if (seen && !vt_recording_process(recording, 0, &process, &err)) {
            if (vt_recording_report(recording, process, &report, &err))
                fail_msg("%s", err.text);
            assert_true(report.balanced);
            vt_report_deinit(&report);
        }
        reads += seen > 0;
        vt_recording_close(recording);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(reads > 1);
    struct vt_recording *recording = open_recording(path);
    assert_true(vt_recording_info(recording)->complete);
    vt_recording_close(recording);
}

/* A program whose recording cannot be written on runs to its end; one line tells of it. */
static void check_starved(const struct live_result *result)
{
    const char *first = strstr(result->err, "cannot write the recording");
    if (!first || strstr(first + 1, "cannot write the recording"))
        live_fail(result, "the failure should be told once");
    live_assert_exited(result, 125);
    if (!strstr(result->out, "maps=end"))
        live_fail(result, "the program did not run to its end");
}

static void starve(struct live_result *result, const char *path)
{
    const char *const options[] = {"-q", "-o", path, NULL};
    const struct live_options how = {.options = options, .bare = true};
    live_run(result, &how, FIXTURE_DIR "/fixture", "mmap-many", "20000");
}

static void test_file_size_limit(void **state)
{
    struct rlimit before, low;
    struct live_result result;
    const char *path = in_directory("limited.vas");
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = before;
    /* The program's own output goes to a file too, and is larger than this. */
    low.rlim_cur = 2 << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    const char *const options[] = {"-q", "-o", path, NULL};
    const struct live_options how = {.options = options, .bare = true};
    live_run(&result, &how, FIXTURE_DIR "/fixture", "mmap-many", "20000");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    if (!strstr(result.err, "cannot write the recording"))
        live_fail(&result, "no word of the failure");
    struct vt_recording *recording = open_recording(path);
    assert_false(vt_recording_info(recording)->complete);
    vt_recording_close(recording);
    live_free(&result);
}

static void test_full_disk(void **state)
{
    struct live_result result;
    const char *disk = in_directory("disk");
    (void)state;
    assert_int_equal(mkdir(disk, 0700), 0);
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", disk, "tmpfs", 0, "size=2m"))
        live_skip("no small file system can be mounted here: %s", strerror(errno));
    starve(&result, in_directory("disk/run.vas"));
    check_starved(&result);
    struct vt_recording *recording = open_recording(in_directory("disk/run.vas"));
    assert_false(vt_recording_info(recording)->complete);
    assert_true(vt_recording_info(recording)->events > 0);
    vt_recording_close(recording);
    live_free(&result);
}

static int tear_down(void **state)
{
    char command[PATH_MAX + 16];
    (void)state;
    umount(in_directory("disk"));
    snprintf(command, sizeof command, "rm -rf '%s'", in_directory(""));
    return system(command);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_read_while_written),
        cmocka_unit_test(test_file_size_limit),
        cmocka_unit_test_teardown(test_full_disk, tear_down), /* the last one */
    };
    return live_main("recording", tests, LIVE_COUNT(tests), argc, argv);
}
