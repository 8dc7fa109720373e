/*
 * test_concurrency.c - many threads and processes at once: every stop agrees
 * with the kernel; and whoever is killed, at whatever moment, the others are
 * what they would have been.
 */
#include "running.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIXTURE FIXTURE_DIR "/fixture"

enum { AT_ONCE = LIVE_MAY_BE_UNCERTAIN };

/* --- at full speed --- */

struct row {
    const char *name;
    const char *arguments[5];
    const char *line; /* that the fixture prints */
    unsigned allowances;
    const char *program;
};

/* VASTRACE_LONG=1 makes the first a million operations. */
static const struct row rows[] = {
    {"16 threads", {"threads-map", "16", "1500"}, "operations=24000", 0, "fixture"},
    {"16 threads, 32-bit", {"threads-map", "16", "300"}, "operations=4800", 0, "fixture-m32"},
    {"threads that come and go", {"threads-churn", "40", "16"}, "threads=640", 0, "fixture"},
    {"1,000 threads", {"threads-churn", "1", "1000"}, "threads=1000", AT_ONCE, "fixture"},
    {"2,000 processes", {"fork-many", "2000"}, "children=2000", 0, "fixture"},
    {"exec storm", {"exec-storm", "60", "6"}, NULL, 0, "fixture"},
    {"exec storm, 32-bit", {"exec-storm", "20", "4"}, NULL, 0, "fixture-m32"},
    {"CLONE_PARENT", {"clone-parent"}, "sibling=exited 11", 0, "fixture"},
    {"CLONE_PARENT, 32-bit", {"clone-parent"}, "sibling=exited 11", 0, "fixture-m32"},
    {"a blocked io_setup", {"blocked-aio", "20"}, NULL, AT_ONCE, "fixture"},
    {"a blocked io_setup, 32-bit", {"blocked-aio", "20"}, NULL, AT_ONCE, "fixture-m32"},
    {"tries to trace", {"attaches"}, "seize=1", 0, "fixture"},
    {"refuses itself an mmap", {"filtered-mmap"}, "refused=1", 0, "fixture"},
    {"calls at random", {"random", "1", "4000"}, "operations=4000", 0, "fixture"},
    {"calls at random, 32-bit", {"random", "2", "4000"}, "operations=4000", 0, "fixture-m32"},
    {"calls at random by 4 threads", {"random", "3", "1000", "4"}, "operations=4000", 0, "fixture"},
    {"calls at random by 4 threads, 32-bit",
     {"random", "4", "1000", "4"},
     "operations=4000",
     0,
     "fixture-m32"},
    {"has a listener", {"filtered-listener"}, "mapped=4", 0, "fixture"},
    {"has one for all threads", {"filtered-listener", "all"}, "mapped=4", 0, "fixture"},
    {"has one for all threads later", {"filtered-listener", "later"}, "mapped=4", 0, "fixture"},
    {"asks for a tracer", {"filtered-trace"}, "refused=38", 0, "fixture"},
    {"is probed", {"probed"}, "probed=3", 0, "fixture"},
    {"raises SIGSYS", {"filtered-trap"}, "trapped=3", 0, "fixture"},
    {"exec by a thread, 32-bit", {"thread-exec", "6"}, NULL, AT_ONCE, "fixture-m32"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct live_options options = {0};
    struct live_result result;
    const char *argv[8];
    char path[512];
    size_t count = 0;
    bool million = row == &rows[0] && getenv("VASTRACE_LONG");

    snprintf(path, sizeof path, "%s/%s", FIXTURE_DIR, row->program);
    if (!live_exists(path))
        live_skip("%s could not be built", row->program);
    argv[count++] = path;
    for (size_t i = 0; row->arguments[i]; i++)
        argv[count++] = row->arguments[i];
    if (million) {
        argv[3] = "62500";
        options.seconds = 1800;
    }
    argv[count] = NULL;
    live_run_program(VASTRACE_PROGRAM, &result, &options, argv);
    live_skip_if_said(&result);
    live_assert_exited(&result, strcmp(row->arguments[0], "thread-exec") == 0 ? 12 : 0);
    live_assert_proven(&result, row->allowances);
    if (row->line && live_count_lines(&result, million ? "operations=1000000" : row->line) == 0)
        live_fail(&result, "the fixture did not say %s", row->line);
    if (strcmp(row->arguments[0], "blocked-aio") == 0) {
        const struct json *record;
        size_t cursor = 0;
        uint64_t last_uncertain = 0, io_setup = 0;

        while ((record = live_next(&result, &cursor))) {
            if (json_true(record, "uncertain"))
                last_uncertain = json_number(record, "seq");
            if (strcmp(json_text(record, "cause"), "io_setup") == 0)
                io_setup = json_number(record, "seq");
        }
        /* What came while it was blocked is a guess, what came after it is not. */
        if (last_uncertain == 0 || io_setup == 0 || last_uncertain > io_setup)
            live_fail(&result, "io_setup #%lu, last uncertain #%lu", (unsigned long)io_setup,
                      (unsigned long)last_uncertain);
    }
    live_free(&result);
}

/* --- killed --- */

/* A moment that differs from turn to turn, and from run to run. */
static void some_moment(int turn)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    poll(NULL, 0, (int)(((unsigned)turn * 7 + (unsigned)(now.tv_nsec >> 10) % 13) % 60));
}

static const char *const victims[][8] = {
    {"threads-map", "6", "1000000", NULL}, {"exec-storm", "100000", "4", NULL},
    {"fork-many", "100000", NULL},         {"threads-churn", "100000", "6", NULL},
    {"loop-mmap", "100000000", NULL},
};

/* The tracer dies: what it launched dies with it, and not one call of it fails. */
static void check_tracer_killed(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        const char *const *victim = victims[(size_t)i % LIVE_COUNT(victims)];
        const char *argv[16] = {VASTRACE_PROGRAM, "-q", "-o", "/dev/null", "--", FIXTURE};
        struct pollfd end;
        int out[2], status;
        char text[4096];
        size_t length = 0;
        pid_t pid;

        for (size_t a = 0; victim[a]; a++)
            argv[6 + a] = victim[a];
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            dup2(out[1], 1);
            execv(argv[0], (char *const *)(uintptr_t)argv);
            _exit(124);
        }
        close(out[1]);
        some_moment(i);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        /* The pipe ends when all that hold it are gone: the program and its children. */
        for (;;) {
            ssize_t n;

            end = (struct pollfd){.fd = out[0], .events = POLLIN};
            if (poll(&end, 1, 20000) <= 0)
                fail_msg("%s outlives its tracer", victim[0]);
            n = read(out[0], text + length, sizeof text - 1 - length);
            if (n <= 0)
                break;
            length += (size_t)n;
        }
        text[length] = '\0';
        if (strstr(text, "failed="))
            fail_msg("a call of %s failed: %s", victim[0], text);
        close(out[0]);
    }
}

/* The tracer dies: what it was attached to lives on, unharmed. */
static void check_attached_tracer_killed(void **state)
{
    static const char *const modes[][9] = {
        {"busy", "map", "6", "run", "1", NULL},
        {"busy", "threads", "2", "map", "2", NULL},
        {"busy", "forks", "2", "vforks", "1", NULL},
        {"asleep", NULL},
    };

    (void)state;
    for (size_t m = 0; m < LIVE_COUNT(modes); m++) {
        struct running running;

        running_fixture_list(&running, "fixture", modes[m]);
        for (int i = 0; i < 12; i++) {
            struct tracing tracing;
            int64_t deadline;

            tracing_begin(&tracing, NULL, (const pid_t[]){running.pid, 0});
            some_moment(i);
            tracing_end(&tracing, SIGKILL);
            /* The kernel detaches when the tracer is reaped, or right after. */
            deadline = now_ms() + LIVE_PATIENCE * 1000;
            while (status_number(running.pid, "TracerPid:", 10) > 0 && now_ms() < deadline)
                poll(NULL, 0, 1);
            running_order(&running, "p");
            running_await(&running, "progress=");
            assert_left_alone(running.pid, false, "its tracer was killed");
            tracing_free(&tracing);
        }
        running_order(&running, "e");
        if (strcmp(running_await(&running, "errors="), "0") != 0)
            fail_msg("calls of '%s' failed", modes[m][0]);
        assert_int_equal(running_end(&running), 0);
    }
}

/* The traced program is killed: the trace ends with its signal, and whole. */
static void check_tracee_killed(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        const char *const *victim = victims[(size_t)i % LIVE_COUNT(victims)];
        char directory[] = "/tmp/vastrace-live-XXXXXX", path[64];
        const char *argv[16] = {VASTRACE_PROGRAM, "--verify", "-q", "-o", path, "--", FIXTURE};
        struct live_result result = {0};
        char command[64];
        size_t length;
        FILE *stream;
        pid_t pid, program = 0;

        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof path, "%s/t.jsonl", directory);
        for (size_t a = 0; victim[a]; a++)
            argv[7 + a] = victim[a];
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            int null = open("/dev/null", O_WRONLY);

            dup2(null, 1);
            execv(argv[0], (char *const *)(uintptr_t)argv);
            _exit(124);
        }
        snprintf(command, sizeof command, "/proc/%d/task/%d/children", (int)pid, (int)pid);
        while (!program) {
            stream = fopen(command, "r");
            if (!stream || fscanf(stream, "%d", &program) != 1)
                program = 0;
            if (stream)
                fclose(stream);
        }
        /* Not while it is not yet the program: its end is another one then. */
        while (status_number(program, "TracerPid:", 10) != pid)
            poll(NULL, 0, 1);
        some_moment(i);
        kill(program, SIGKILL);
        result.status = await_end(pid, 40);
        snprintf(result.title, sizeof result.title, "%s, killed", victim[0]);
        snprintf(result.directory, sizeof result.directory, "%s", directory);
        stream = fopen(path, "r");
        result.timeline = calloc(1, 64 << 20);
        length = stream ? fread(result.timeline, 1, (64 << 20) - 1, stream) : 0;
        result.timeline_length = length;
        result.out = calloc(1, 1);
        result.err = calloc(1, 1);
        if (stream)
            fclose(stream);
        live_assert_signaled(&result, SIGKILL);
        if (length > 0) /* else it was killed before its first instruction */
            live_assert_exact(&result, AT_ONCE | LIVE_MAY_RESYNC | LIVE_MAY_BE_UNCOMPARED);
        live_free(&result);
    }
}

/* An attached one, as well. */
static void check_attached_killed(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        struct running running;
        struct tracing tracing;
        int status;

        running_fixture(&running, "fixture", "busy", "map", i % 2 ? "4" : "1", "forks", "1");
        tracing_start(&tracing, NULL, (const pid_t[]){running.pid, 0});
        some_moment(i);
        kill(running.pid, SIGKILL);
        status = running_end(&running);
        assert_true(WIFSIGNALED(status));
        tracing_end(&tracing, 0);
        live_assert_exited(&tracing.result, 0);
        live_assert_exact(&tracing.result, AT_ONCE | LIVE_MAY_RESYNC);
        tracing_free(&tracing);
    }
}

/* --- without privilege --- */

static void become_nobody(void)
{
    if (setgid(65534) < 0 || setuid(65534) < 0)
        _exit(99);
}

/* A set-user-ID program runs without its privilege; an unreadable one is told of in one line. */
static void check_unprivileged(void **state)
{
    static const struct {
        mode_t mode;
        const char *line;
    } turns[] = {{04755, "euid=65534"}, {0711, "may run its program but not read it"}};
    char directory[] = "/tmp/vastrace-live-XXXXXX", command[2048];

    (void)state;
    if (geteuid() != 0)
        live_skip("needs root, to become another user");
    assert_non_null(mkdtemp(directory));
    chmod(directory, 0755);
    for (size_t i = 0; i < LIVE_COUNT(turns); i++) {
        const char *argv[] = {"/bin/sh", "-c", command, NULL};
        struct running running;
        const char *line;
        bool told = false;

        /* The build may lie where nobody else can go. */
        snprintf(command, sizeof command,
                 "cp %s %s/vastrace && cp %s %s/program && chmod %o %s/program", VASTRACE_PROGRAM,
                 directory, FIXTURE, directory, (unsigned)turns[i].mode, directory);
        assert_int_equal(system(command), 0);
        snprintf(command, sizeof command,
                 "exec %s/vastrace --verify -q -o /dev/null -- %s/program ids 2>&1", directory,
                 directory);
        running_start(&running, argv, become_nobody);
        for (;;) {
            line = running_await(&running, "");
            if (strncmp(line, "vastrace: cannot run", 20) == 0)
                live_skip("%s", line);
            told = told || strstr(line, turns[i].line);
            if (strcmp(line, "euid=0") == 0)
                fail_msg("it has the privilege of its owner");
            if (strcmp(line, "maps=end") == 0)
                break;
        }
        if (!told)
            fail_msg("nothing says '%s'", turns[i].line);
        assert_int_equal(running_end(&running), 0);
    }
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(check_unprivileged),           cmocka_unit_test(check_tracer_killed),
        cmocka_unit_test(check_attached_tracer_killed), cmocka_unit_test(check_tracee_killed),
        cmocka_unit_test(check_attached_killed),
    };
    struct CMUnitTest tests[LIVE_COUNT(rows) + LIVE_COUNT(others)];
    const struct rlimit no_core = {0, 0};

    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < LIVE_COUNT(rows); i++)
        tests[i] =
            (struct CMUnitTest){rows[i].name, check_row, NULL, NULL, (void *)(uintptr_t)&rows[i]};
    memcpy(tests + LIVE_COUNT(rows), others, sizeof others);
    return live_main("concurrency", tests, LIVE_COUNT(tests), argc, argv);
}
