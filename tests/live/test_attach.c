/*
 * test_attach.c - a running program that is attached to and left notices
 * nothing: no call fails, no thread is left behind, nothing stays stopped; and
 * the timeline is whole and agrees with the kernel.
 */
#include "running.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIXTURE FIXTURE_DIR "/fixture"

/* Calls under way at the attach may make the model be set right; that is told. */
enum { IN_MIDST = LIVE_MAY_BE_UNCERTAIN };

static void assert_progress(struct running *running)
{
    running_order(running, "p");
    running_await(running, "progress=");
}

static void assert_no_errors(struct running *running)
{
    running_order(running, "e");
    if (strcmp(running_await(running, "errors="), "0") != 0)
        fail_msg("calls of process %d failed, or came back too early", (int)running->pid);
}

static void assert_ended_well(struct running *running)
{
    int status = running_end(running);

    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the program ended with wait status %x", (unsigned)status);
}

static void assert_tracer_ended_well(struct tracing *tracing, int signal)
{
    tracing_end(tracing, signal);
    live_assert_exited(&tracing->result, 0);
}

/* --- asleep, and ends of every kind --- */

/* Attach, leave in every way, and the sleepers sleep on. */
static void check_asleep(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    static const char *const programs[] = {"fixture", "fixture-m32", "fixture-static"};

    (void)state;
    for (size_t p = 0; p < LIVE_COUNT(programs); p++) {
        struct running running;
        char path[512];

        snprintf(path, sizeof path, "%s/%s", FIXTURE_DIR, programs[p]);
        if (!live_exists(path))
            continue;
        running_fixture(&running, programs[p], "asleep");
        for (size_t i = 0; i < LIVE_COUNT(signals); i++) {
            const pid_t pids[] = {running.pid, 0};
            struct tracing tracing;

            tracing_start(&tracing, NULL, pids);
            assert_progress(&running);
            assert_int_equal(status_number(running.pid, "TracerPid:", 10), tracing.pid);
            running_order(&running, "m");
            running_await(&running, "mapped=");
            assert_tracer_ended_well(&tracing, signals[i]);
            assert_left_alone(running.pid, false, "after the detach");
            assert_progress(&running);
            assert_no_errors(&running);
            live_assert_exact(&tracing.result, 0);
            assert_int_equal(live_count_cause(&tracing.result, "attach"), 1);
            assert_int_equal(live_count_cause(&tracing.result, "detach"), 1);
            assert_int_equal(live_count_cause(&tracing.result, "thread"), 7);
            assert_int_equal(live_count_cause(&tracing.result, "mprotect"), 1);
            tracing_free(&tracing);
        }
        assert_ended_well(&running);
    }
}

/* What the timeline says at its end is what the program, left running, has. */
static void check_replay(void **state)
{
    static const char *const programs[] = {"fixture", "fixture-m32", "fixture-static-pie"};

    (void)state;
    for (size_t p = 0; p < LIVE_COUNT(programs); p++) {
        struct running running;
        char path[512];

        snprintf(path, sizeof path, "%s/%s", FIXTURE_DIR, programs[p]);
        if (!live_exists(path))
            continue;
        running_fixture(&running, programs[p], "busy");
        for (int i = 0; i < 3; i++) {
            const pid_t pids[] = {running.pid, 0};
            struct tracing tracing;
            char *maps;

            tracing_start(&tracing, NULL, pids);
            for (int n = 0; n < 4; n++) {
                running_order(&running, "m");
                running_await(&running, "mapped=");
            }
            assert_tracer_ended_well(&tracing, SIGINT);
            maps = maps_of(running.pid);
            live_assert_exact(&tracing.result, 0);
            assert_replayed(&tracing.result, running.pid, maps);
            free(maps);
            tracing_free(&tracing);
        }
        assert_ended_well(&running);
    }
}

/* What could grow before the tracer came grows on, and it is known that no call asked for it. */
static void check_grows(void **state)
{
    static const char *const programs[] = {"fixture", "fixture-m32"};

    (void)state;
    for (size_t p = 0; p < LIVE_COUNT(programs); p++) {
        struct running running;
        struct tracing tracing;
        char path[512], *maps;

        snprintf(path, sizeof path, "%s/%s", FIXTURE_DIR, programs[p]);
        if (!live_exists(path))
            continue;
        running_fixture(&running, programs[p], "grows");
        tracing_start(&tracing, NULL, (const pid_t[]){running.pid, 0});
        for (int n = 0; n < 3; n++) {
            running_order(&running, "g");
            running_await(&running, "grown=");
            running_order(&running, "m");
            running_await(&running, "mapped=");
        }
        assert_tracer_ended_well(&tracing, SIGINT);
        maps = maps_of(running.pid);
        live_assert_exact(&tracing.result, 0);
        assert_true(live_count_cause(&tracing.result, "fault") >= 3);
        assert_replayed(&tracing.result, running.pid, maps);
        free(maps);
        tracing_free(&tracing);
        assert_ended_well(&running);
    }
}

static void check_duration(void **state)
{
    static const char *const more[] = {"--duration", "300ms", NULL};
    struct running running;
    struct tracing tracing;

    (void)state;
    running_fixture(&running, "fixture", "busy", "map", "2", "run", "1");
    tracing_start(&tracing, more, (const pid_t[]){running.pid, 0});
    assert_tracer_ended_well(&tracing, 0);
    assert_left_alone(running.pid, false, "after the duration");
    assert_progress(&running);
    live_assert_exact(&tracing.result, IN_MIDST);
    assert_int_equal(live_count_cause(&tracing.result, "detach"), 1);
    tracing_free(&tracing);
    assert_ended_well(&running);
}

/* The program's own end, by itself or by a signal, ends the trace. */
static void check_program_ends(void **state)
{
    static const int signals[] = {0, SIGTERM, SIGKILL, SIGSEGV};

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(signals); i++) {
        struct running running;
        struct tracing tracing;
        int status;

        running_fixture(&running, "fixture", "busy", "map", "2");
        tracing_start(&tracing, NULL, (const pid_t[]){running.pid, 0});
        if (signals[i])
            kill(running.pid, signals[i]);
        status = running_end(&running);
        assert_int_equal(WIFSIGNALED(status) ? WTERMSIG(status) : 0, signals[i]);
        assert_tracer_ended_well(&tracing, 0);
        /* What a call had done whose thread was killed in it is told as a resync. */
        live_assert_exact(&tracing.result, IN_MIDST | (signals[i] ? LIVE_MAY_RESYNC : 0));
        assert_int_equal(live_count_cause(&tracing.result, "exit"), 1);
        assert_int_equal(live_count_cause(&tracing.result, "detach"), 0);
        tracing_free(&tracing);
    }
}

/* --- stopped, in vfork --- */

static void check_stopped(void **state)
{
    struct running running;

    (void)state;
    running_fixture(&running, "fixture", "asleep");
    for (int i = 0; i < 5; i++) {
        struct tracing tracing;

        kill(running.pid, SIGSTOP);
        await_state(running.pid, "T");
        tracing_start(&tracing, NULL, (const pid_t[]){running.pid, 0});
        if (i % 2) { /* continued, and stopped again, while it is traced */
            kill(running.pid, SIGCONT);
            assert_progress(&running);
            kill(running.pid, SIGSTOP);
            await_state(running.pid, "tT");
        }
        assert_tracer_ended_well(&tracing, SIGINT);
        assert_left_alone(running.pid, true, "stopped before the attach");
        live_assert_exact(&tracing.result, LIVE_MAY_BE_UNCOMPARED);
        assert_int_equal(live_count_cause(&tracing.result, "thread"), 7);
        tracing_free(&tracing);
        kill(running.pid, SIGCONT);
        assert_progress(&running);
        assert_left_alone(running.pid, false, "continued");
    }
    assert_no_errors(&running);
    assert_ended_well(&running);
}

/* A parent in vfork cannot stop before its child execs; nothing waits for it. */
static void check_vfork(void **state)
{
    struct running running;
    struct tracing tracing;

    (void)state;
    running_fixture(&running, "fixture", "vfork-wait");
    await_state(running.pid, "D");
    /* Left again while it is still there. */
    tracing_begin(&tracing, (const char *const[]){"--duration", "200ms", NULL},
                  (const pid_t[]){running.pid, 0});
    tracing_end(&tracing, 0);
    live_assert_exited(&tracing.result, 0);
    assert_int_equal(status_number(running.pid, "TracerPid:", 10), 0);
    live_assert_exact(&tracing.result, LIVE_MAY_BE_UNCOMPARED);
    tracing_free(&tracing);
    /* And followed when it comes out. */
    tracing_begin(&tracing, NULL, (const pid_t[]){running.pid, 0});
    while (status_number(running.pid, "TracerPid:", 10) != tracing.pid)
        poll(NULL, 0, 1);
    running_order(&running, "\n");
    tracing_await(&tracing, "attach", running.pid);
    assert_string_equal(running_await(&running, "child="), "exited 9");
    running_await(&running, "ready=");
    running_order(&running, "m");
    running_await(&running, "mapped=");
    assert_tracer_ended_well(&tracing, SIGINT);
    live_assert_exact(&tracing.result, 0);
    assert_int_equal(live_count_cause(&tracing.result, "mprotect"), 1);
    tracing_free(&tracing);
    assert_left_alone(running.pid, false, "after vfork");
    assert_ended_well(&running);
}

static pid_t first_child(pid_t pid)
{
    char path[64];
    int child = 0;
    FILE *stream;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    stream = fopen(path, "r");
    if (stream && fscanf(stream, "%d", &child) != 1)
        child = 0;
    if (stream)
        fclose(stream);
    return child;
}

/* Launched for a while only: what cannot stop at that moment lives on, too. */
static void check_launched_for_a_while(void **state)
{
    static const char *const argv[] = {VASTRACE_PROGRAM, "--verify",   "-q",    "-o",
                                       "/dev/null",      "--duration", "200ms", "--",
                                       FIXTURE,          "vfork-wait", NULL};
    struct running running;
    pid_t program, child;
    int status;

    (void)state;
    running_start(&running, argv, NULL);
    program = (pid_t)atoi(running_await(&running, "ready="));
    await_state(program, "D");
    while ((child = first_child(program)) && status_number(child, "TracerPid:", 10) != 0)
        poll(NULL, 0, 1);
    /* Its child has been left. The tracer waits for a second for the parent, then otherwise. */
    poll(NULL, 0, 1200);
    running_order(&running, "\n");
    assert_string_equal(running_await(&running, "child="), "exited 9");
    running_await(&running, "ready=");
    running_order(&running, "m");
    running_await(&running, "mapped=");
    status = running_end(&running);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- launched, and ended before what it started --- */

/*
 * Trace a shell, with this option, that starts the fixture in the background and ends with 7; back
 * when the timeline tells of its end. The fixture.
 */
static pid_t start_left_behind(struct running *running, struct tracing *tracing, const char *option,
                               const char *scenario)
{
    static const char script[] = "exec 3<&0; \"$0\" $1 <&3 & echo shell=$$; exit 7";
    struct live_result *result = &tracing->result;
    char error[96];
    pid_t shell, left;

    *tracing = (struct tracing){0};
    snprintf(result->directory, sizeof result->directory, "/tmp/vastrace-live-XXXXXX");
    assert_non_null(mkdtemp(result->directory));
    snprintf(result->timeline_path, sizeof result->timeline_path, "%s/t.jsonl", result->directory);
    snprintf(result->title, sizeof result->title, "vastrace %s -- sh, left behind", option);
    snprintf(error, sizeof error, "%s/err", result->directory);
    const char *const argv[] = {"/bin/sh",
                                "-c",
                                "exec \"$@\" 2>\"$0\"",
                                error,
                                VASTRACE_PROGRAM,
                                "--verify",
                                "-q",
                                "-o",
                                result->timeline_path,
                                option,
                                "--",
                                "sh",
                                "-c",
                                script,
                                FIXTURE,
                                scenario,
                                NULL};
    running_start(running, argv, NULL);
    tracing->pid = running->pid;
    shell = (pid_t)atoi(running_await(running, "shell="));
    left = (pid_t)atoi(running_await(running, "ready="));
    tracing_await(tracing, "exit", shell);
    assert_int_equal(status_number(left, "TracerPid:", 10), tracing->pid);
    return left;
}

/* It still works as it should, traced or not. */
static void assert_undisturbed(struct running *running)
{
    assert_progress(running);
    running_order(running, "m");
    running_await(running, "mapped=");
    assert_no_errors(running);
}

/* The last record of the timeline, which says how the trace ended. */
static void assert_end_says(struct live_result *result, const char *interrupted)
{
    const struct json *record;
    size_t cursor = 0;
    char text[64] = "";

    while ((record = live_next(result, &cursor)))
        snprintf(text, sizeof text, "%s", json_text(record, "interrupted"));
    if (strcmp(text, interrupted) != 0)
        live_fail(result, "its end says \"%s\"", text);
}

/* Without a filter it is left as an attached one is, and the status is the shell's. */
static void check_left_behind(void **state)
{
    static const struct {
        int signal;
        const char *option, *says;
    } rows[] = {{SIGTERM, "--duration=1000", "told to end by a signal"},
                {SIGINT, "--duration=1000", "interrupted"},
                {SIGHUP, "--all-syscalls", "told to end by a signal"}};

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(rows); i++) {
        struct running running;
        struct tracing tracing;
        pid_t left = start_left_behind(&running, &tracing, rows[i].option, "busy map 2");

        tracing_end(&tracing, rows[i].signal);
        live_assert_exited(&tracing.result, 7);
        live_assert_exact(&tracing.result, 0);
        assert_end_says(&tracing.result, rows[i].says);
        assert_int_equal(live_count_cause(&tracing.result, "detach"), 1);
        assert_int_equal(status_number(left, "Seccomp:", 10), 0);
        assert_left_alone(left, false, "after the end of what started it");
        assert_undisturbed(&running);
        running_end(&running);
        tracing_free(&tracing);
    }
}

/* The same of one that cannot stop at that moment: it must not end with the tracer. */
static void check_stuck_left_behind(void **state)
{
    struct running running;
    struct tracing tracing;
    pid_t left, child;

    (void)state;
    left = start_left_behind(&running, &tracing, "--duration=1000", "vfork-wait");
    await_state(left, "D");
    kill(tracing.pid, SIGTERM);
    while ((child = first_child(left)) && status_number(child, "TracerPid:", 10) != 0)
        poll(NULL, 0, 1);
    poll(NULL, 0, 1200); /* as in check_launched_for_a_while() */
    running_order(&running, "\n");
    tracing_end(&tracing, 0);
    live_assert_exited(&tracing.result, 7);
    assert_string_equal(running_await(&running, "child="), "exited 9");
    running_await(&running, "ready=");
    running_order(&running, "m");
    running_await(&running, "mapped=");
    running_end(&running);
    tracing_free(&tracing);
}

/* Wait for vastrace's word on what it cannot leave; it names the process. */
static void await_warning(const struct tracing *tracing, pid_t left)
{
    int64_t deadline = now_ms() + LIVE_PATIENCE * 1000;
    char path[96], which[32];
    bool said = false;

    snprintf(path, sizeof path, "%s/err", tracing->result.directory);
    snprintf(which, sizeof which, "(pid %d)", (int)left);
    while (!said) {
        size_t length;
        char *text = read_file(path, &length);

        said = strstr(text, which);
        free(text);
        if (now_ms() > deadline)
            fail_msg("there is no word of process %d", (int)left);
        poll(NULL, 0, 1);
    }
}

/* Under the filter it cannot be left: that is said, and only a signal after that kills it. */
static void check_filtered_left_behind(void **state)
{
    (void)state;
    for (int kills = 0; kills < 2; kills++) {
        struct running running;
        struct tracing tracing;
        pid_t left = start_left_behind(&running, &tracing, "--color=never", "busy map 2");

        /* As timeout(1) does: two signals at once, which are looked at together. */
        kill(tracing.pid, SIGSTOP);
        await_state(tracing.pid, "T");
        kill(tracing.pid, SIGTERM);
        kill(tracing.pid, SIGHUP);
        kill(tracing.pid, SIGCONT);
        await_warning(&tracing, left);
        assert_undisturbed(&running);
        assert_int_equal(status_number(left, "TracerPid:", 10), tracing.pid);
        /* Until it has been long enough; not any more when it ends, and signals are as usual. */
        while (kills && status_number(left, "TracerPid:", 10) == tracing.pid) {
            kill(tracing.pid, SIGTERM);
            poll(NULL, 0, 50);
        }
        if (!kills)
            running_order(&running, "q");
        tracing_end(&tracing, 0);
        live_assert_exited(&tracing.result, 7);
        live_assert_exact(&tracing.result, 0);
        assert_end_says(&tracing.result, kills ? "told to end by a signal" : "");
        assert_int_equal(live_count_cause(&tracing.result, "detach"), 0);
        assert_int_equal(live_count_cause(&tracing.result, "exit"), 2);
        assert_true(status_number(left, "TracerPid:", 10) <= 0);
        running_end(&running);
        tracing_free(&tracing);
    }
}

/* The leader is a zombie, its threads live on. */
static void check_leaderless(void **state)
{
    struct running running;
    struct tracing tracing;
    char *maps;

    (void)state;
    running_fixture(&running, "fixture", "leaderless");
    await_state(running.pid, "Z");
    tracing_start(&tracing, NULL, (const pid_t[]){running.pid, 0});
    running_order(&running, "m");
    running_await(&running, "mapped=");
    assert_tracer_ended_well(&tracing, SIGINT);
    live_assert_exact(&tracing.result, 0);
    assert_int_equal(live_count_cause(&tracing.result, "mprotect"), 1);
    maps = maps_of(running.pid);
    free(maps);
    tracing_free(&tracing);
    assert_left_alone(running.pid, false, "without its leader");
    assert_ended_well(&running);
}

/* --- busy --- */

static const struct {
    const char *name;
    const char *arguments[8];
    const char *cause; /* that the timeline must have */
} activities[] = {
    {"threads come and go", {"busy", "threads", "3", "map", "2"}, "thread"},
    {"forks", {"busy", "forks", "2", "map", "1"}, "fork"},
    {"vforks", {"busy", "vforks", "2", "map", "1"}, "thread"},
    {"spawns", {"busy", "spawns", "2", "map", "1"}, "exec"},
    {"all", {"busy", "map", "3", "threads", "2", "forks", "1"}, "munmap"},
};

static void check_activity(size_t a, const char *program)
{
    struct running running;

    running_fixture_list(&running, program, activities[a].arguments);
    for (int i = 0; i < 4; i++) {
        struct tracing tracing;

        tracing_start(&tracing, NULL, (const pid_t[]){running.pid, 0});
        assert_progress(&running);
        assert_progress(&running);
        assert_tracer_ended_well(&tracing, i % 2 ? SIGTERM : SIGINT);
        assert_left_alone(running.pid, false, activities[a].name);
        live_assert_exact(&tracing.result, IN_MIDST);
        if (live_count_cause(&tracing.result, activities[a].cause) == 0)
            live_fail(&tracing.result, "no event %s", activities[a].cause);
        assert_progress(&running);
        tracing_free(&tracing);
    }
    assert_no_errors(&running);
    assert_ended_well(&running);
}

static void check_activities(void **state)
{
    (void)state;
    for (size_t a = 0; a < LIVE_COUNT(activities); a++)
        check_activity(a, "fixture");
    if (live_exists(FIXTURE_DIR "/fixture-m32"))
        check_activity(LIVE_COUNT(activities) - 1, "fixture-m32");
}

/* A hundred times in a row, 64 busy threads. */
static void check_hundred_times(void **state)
{
    struct running running;
    int64_t before = now_ms();

    (void)state;
    running_fixture(&running, "fixture", "busy", "map", "60", "run", "2", "threads", "2");
    for (int i = 0; i < 100; i++) {
        struct tracing tracing;

        tracing_start(&tracing, NULL, (const pid_t[]){running.pid, 0});
        assert_tracer_ended_well(&tracing, SIGINT);
        if (i % 10 == 0) {
            assert_left_alone(running.pid, false, "in a row");
            /* Told to end at once, it may have left before a call came to its end. */
            live_assert_exact(&tracing.result, IN_MIDST | LIVE_MAY_BE_UNCOMPARED);
        }
        tracing_free(&tracing);
    }
    assert_left_alone(running.pid, false, "after a hundred times");
    assert_progress(&running);
    assert_no_errors(&running);
    assert_ended_well(&running);
    if (now_ms() - before > 120000)
        fail_msg("a hundred times took %ld ms", (long)(now_ms() - before));
}

/* --- several processes --- */

static void check_several(void **state)
{
    struct running running[3];
    struct tracing tracing;
    pid_t pids[4] = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        running_fixture(&running[i], "fixture", "busy", "map", i == 0 ? "2" : "0");
        pids[i] = running[i].pid;
    }
    tracing_start(&tracing, NULL, pids);
    for (size_t i = 0; i < 3; i++) {
        running_order(&running[i], "m");
        running_await(&running[i], "mapped=");
    }
    /* One ends, the trace goes on with the others. */
    assert_ended_well(&running[0]);
    tracing_await(&tracing, "exit", pids[0]);
    running_order(&running[1], "m");
    running_await(&running[1], "mapped=");
    assert_tracer_ended_well(&tracing, SIGINT);
    live_assert_exact(&tracing.result, IN_MIDST);
    assert_int_equal(live_count_cause(&tracing.result, "attach"), 3);
    assert_int_equal(live_count_cause(&tracing.result, "exit"), 1);
    assert_int_equal(live_count_cause(&tracing.result, "detach"), 2);
    for (size_t i = 1; i < 3; i++) {
        char *maps = maps_of(pids[i]);

        assert_replayed(&tracing.result, pids[i], maps);
        free(maps);
        assert_left_alone(pids[i], false, "one of several");
        assert_ended_well(&running[i]);
    }
    tracing_free(&tracing);
}

/* Start the fixture in a scenario that has a child; the child, when both are ready. */
static pid_t start_with_child(struct running *running, const char *scenario)
{
    const char *argv[] = {FIXTURE, scenario, NULL};
    pid_t child;

    running_start(running, argv, NULL);
    child = (pid_t)atoi(running_await(running, "child="));
    running_await(running, "ready=");
    return child;
}

/* A process and its child, both by name, in either order. */
static void check_parent_and_child(void **state)
{
    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        struct running running;
        struct tracing tracing;
        pid_t child = start_with_child(&running, "with-child");

        tracing_start(&tracing, NULL,
                      turn ? (const pid_t[]){child, running.pid, 0}
                           : (const pid_t[]){running.pid, child, 0});
        running_order(&running, "m");
        running_await(&running, "mapped=");
        running_order(&running, "q");
        assert_string_equal(running_await(&running, "ended="), "exited 7");
        assert_int_equal(running_end(&running), 0);
        assert_tracer_ended_well(&tracing, 0);
        live_assert_exact(&tracing.result, 0);
        assert_int_equal(live_count_cause(&tracing.result, "attach"), 2);
        assert_int_equal(live_count_cause(&tracing.result, "exit"), 2);
        assert_int_equal(live_count_cause(&tracing.result, "mprotect"), 2);
        tracing_free(&tracing);
    }
}

/* Whoever has the same memory and is not traced can change it unseen: that is said, and counted. */
static void check_sharer(void **state)
{
    (void)state;
    for (int both = 0; both < 2; both++) {
        struct running running;
        struct tracing tracing;
        pid_t child = start_with_child(&running, "with-sharer");

        tracing_start(&tracing, NULL,
                      both ? (const pid_t[]){running.pid, child, 0}
                           : (const pid_t[]){running.pid, 0});
        running_order(&running, "m");
        running_await(&running, "mapped=");
        if (both) {
            running_order(&running, "q");
            assert_string_equal(running_await(&running, "ended="), "exited 7");
            assert_int_equal(running_end(&running), 0);
            assert_tracer_ended_well(&tracing, 0);
            live_assert_exact(&tracing.result, 0);
        } else {
            assert_tracer_ended_well(&tracing, SIGINT);
            running_order(&running, "q");
            assert_int_equal(running_end(&running), 0);
            live_assert_exact(&tracing.result, LIVE_MAY_LOSE);
        }
        assert_int_equal(
            strstr(tracing.result.err, "which is not traced, shares the memory") == NULL, both);
        tracing_free(&tracing);
    }
}

/* --- what cannot be attached to: one line, that says why --- */

static void expect_refusal(pid_t pid, void (*before)(void), const char *words)
{
    struct tracing tracing;
    char *stop;

    if (before) {
        pid_t helper = fork();

        assert_true(helper >= 0);
        if (helper == 0) {
            before();
            tracing_begin(&tracing, NULL, (const pid_t[]){pid, 0});
            tracing_end(&tracing, 0);
            _exit(WIFEXITED(tracing.result.status) && WEXITSTATUS(tracing.result.status) == 125 &&
                          strstr(tracing.result.err, words)
                      ? 0
                      : (fprintf(stderr, "expected '%s', got %x: %s", words,
                                 (unsigned)tracing.result.status, tracing.result.err),
                         1));
        }
        assert_int_equal(await_end(helper, 30), 0);
        return;
    }
    tracing_begin(&tracing, NULL, (const pid_t[]){pid, 0});
    tracing_end(&tracing, 0);
    live_assert_exited(&tracing.result, 125);
    stop = strchr(tracing.result.err, '\n');
    if (!stop || stop[1])
        live_fail(&tracing.result, "not one line");
    if (!strstr(tracing.result.err, words))
        live_fail(&tracing.result, "it does not say '%s'", words);
    tracing_free(&tracing);
}

static void become_nobody(void)
{
    if (setgid(65534) < 0 || setuid(65534) < 0)
        _exit(99);
}

static pid_t highest_pid(void)
{
    FILE *stream = fopen("/proc/sys/kernel/pid_max", "r");
    int most = 32768;

    if (stream) {
        if (fscanf(stream, "%d", &most) != 1)
            most = 32768;
        fclose(stream);
    }
    return most - 1;
}

static void check_refusals(void **state)
{
    struct running running;
    struct tracing tracing;
    pid_t tids[16];
    char words[64];

    (void)state;
    expect_refusal(highest_pid(), NULL, "no such process");
    running_fixture(&running, "fixture", "asleep");
    /* A thread is not a process. */
    assert_true(threads_of(running.pid, tids, LIVE_COUNT(tids)) > 1);
    snprintf(words, sizeof words, "thread of process %d", (int)running.pid);
    expect_refusal(tids[1] == running.pid ? tids[0] : tids[1], NULL, words);
    /* Who traces it, by name and number; and that one is not disturbed. */
    tracing_start(&tracing, NULL, (const pid_t[]){running.pid, 0});
    snprintf(words, sizeof words, "process %d (vastrace) traces it already", (int)tracing.pid);
    expect_refusal(running.pid, NULL, words);
    assert_progress(&running);
    assert_tracer_ended_well(&tracing, SIGINT);
    live_assert_exact(&tracing.result, LIVE_MAY_BE_UNCOMPARED);
    tracing_free(&tracing);
    assert_left_alone(running.pid, false, "after refusals");
    assert_no_errors(&running);
    assert_ended_well(&running);
}

/* One that can be attached to and one that cannot: nothing is done to either. */
static void check_half_refused(void **state)
{
    struct running running;
    struct tracing tracing;

    (void)state;
    running_fixture(&running, "fixture", "asleep");
    tracing_begin(&tracing, NULL, (const pid_t[]){running.pid, highest_pid(), 0});
    tracing_end(&tracing, 0);
    live_assert_exited(&tracing.result, 125);
    tracing_free(&tracing);
    assert_left_alone(running.pid, false, "after half a refusal");
    assert_progress(&running);
    assert_no_errors(&running);
    assert_ended_well(&running);
}

static void check_itself(void **state)
{
    const char *const argv[] = {"/bin/sh", "-c", "exec " VASTRACE_PROGRAM " -p $$", NULL};
    struct live_result result;

    (void)state;
    live_run_untraced(&result, NULL, argv);
    live_assert_exited(&result, 125);
    if (!strstr(result.err, "this very process"))
        live_fail(&result, "it does not say what it is");
    live_free(&result);
}

static void check_other_user(void **state)
{
    struct running running;

    (void)state;
    if (geteuid() != 0)
        live_skip("needs root, to have two users");
    running_fixture(&running, "fixture", "busy");
    expect_refusal(running.pid, become_nobody, "it belongs to user 0");
    assert_left_alone(running.pid, false, "after another user's try");
    assert_ended_well(&running);
}

static void check_yama(void **state)
{
    FILE *stream = fopen("/proc/sys/kernel/yama/ptrace_scope", "r");
    int scope = 0;

    (void)state;
    if (!stream)
        live_skip("this kernel has no yama");
    if (fscanf(stream, "%d", &scope) != 1)
        scope = 0;
    fclose(stream);
    if (scope == 0 || scope == 3)
        live_skip("yama's ptrace_scope is %d", scope);
    if (geteuid() != 0)
        live_skip("needs root, to become another user");
    pid_t target = fork();

    assert_true(target >= 0);
    if (target == 0) {
        become_nobody();
        for (;;)
            pause();
    }
    expect_refusal(target, become_nobody, "ptrace_scope");
    kill(target, SIGKILL);
    await_end(target, 10);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_asleep),
        cmocka_unit_test(check_replay),
        cmocka_unit_test(check_grows),
        cmocka_unit_test(check_duration),
        cmocka_unit_test(check_program_ends),
        cmocka_unit_test(check_stopped),
        cmocka_unit_test(check_vfork),
        cmocka_unit_test(check_leaderless),
        cmocka_unit_test(check_launched_for_a_while),
        cmocka_unit_test(check_left_behind),
        cmocka_unit_test(check_stuck_left_behind),
        cmocka_unit_test(check_filtered_left_behind),
        cmocka_unit_test(check_activities),
        cmocka_unit_test(check_hundred_times),
        cmocka_unit_test(check_several),
        cmocka_unit_test(check_parent_and_child),
        cmocka_unit_test(check_refusals),
        cmocka_unit_test(check_half_refused),
        cmocka_unit_test(check_itself),
        cmocka_unit_test(check_other_user),
        cmocka_unit_test(check_yama),
        cmocka_unit_test(check_sharer),
    };
    const struct rlimit no_core = {0, 0};

    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGPIPE, SIG_IGN);
    return live_main("attach", tests, LIVE_COUNT(tests), argc, argv);
}
