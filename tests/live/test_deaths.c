/*
 * test_deaths.c - whatever is killed under the tracer, in whatever state and at
 * whatever moment: the tracer ends by itself and as the program did, nothing it
 * traced is left behind, and what it tells is whole and agrees with the kernel.
 *
 * The moments are random, the states are not: where a death is to come in a
 * stop of ptrace(2), the tracer itself is stopped first, and the death waits
 * until the kernel shows one of the threads there. Nothing depends on how long
 * anything takes.
 *
 * VASTRACE_LONG=1 makes it ten thousand deaths; VASTRACE_SEED=N draws the same
 * moments again.
 */
#include "running.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <vastrace/recording.h>

enum { FEW = 6, MANY = 10000, PATIENCE_MS = 120000, MOST_THREADS = 512 };

enum how {
    LAUNCHED,  /* by the tracer */
    ATTACHED,  /* the tracer has attached to it */
    ATTACHING, /* the tracer has begun to */
};

enum flag {
    EARLY = 1,     /* its time counts from its beginning, and not from the word that it is ready */
    IN_A_STOP = 2, /* the tracer is stopped, and a thread waits for it in a stop of ptrace's */
    STOPPED = 4,   /* by SIGSTOP */
    A_CHILD = 8,   /* not the program dies, but a child of it */
    ENDS = 16,     /* it may end before it is killed, with `status` */
};

static const struct scenario {
    const char *name;
    enum how how;
    unsigned flags;
    const char *options; /* of the tracer */
    const char *program; /* the fixture's arguments */
    unsigned span_us;    /* it dies within this time */
    int status;
    char state; /* one of its threads is in this state; 0: whichever */
    int signal; /* that the tracer gets at the same time; 0: none */
} scenarios[] = {
    {"the loader", LAUNCHED, EARLY, "", "busy map 1", .span_us = 8000},
    {"the loader, in a stop", LAUNCHED, EARLY | IN_A_STOP, "", "busy map 1", .span_us = 8000},
    {"running", LAUNCHED, 0, "", "busy run 2 map 1", .span_us = 3000},
    {"memory calls", LAUNCHED, 0, "", "busy map 8", .span_us = 5000},
    {"memory calls, in a stop", LAUNCHED, IN_A_STOP, "", "busy map 2", .span_us = 5000},
    {"call stacks", LAUNCHED, 0, "-k16", "busy map 2", .span_us = 5000},
    {"call stacks, in a stop", LAUNCHED, IN_A_STOP, "-k16", "busy map 2", .span_us = 5000},
    {"many threads", LAUNCHED, 0, "", "busy map 48", .span_us = 9000},
    {"asleep", LAUNCHED, 0, "", "asleep", .span_us = 3000, .state = 'S'},
    {"all calls, in a stop", LAUNCHED, IN_A_STOP, "--all-syscalls", "asleep", .span_us = 5000},
    {"a blocked call", LAUNCHED, EARLY, "", "blocked-aio 100000000", .span_us = 250000},
    {"stopped", LAUNCHED, STOPPED, "", "busy map 1 run 1", .span_us = 2000},
    {"in vfork", LAUNCHED, 0, "", "vfork-wait", .span_us = 2000, .state = 'D'},
    {"vforks and spawns", LAUNCHED, 0, "", "busy vforks 1 spawns 1", .span_us = 9000},
    {"vforks and spawns, in a stop", LAUNCHED, IN_A_STOP, "", "busy vforks 1 spawns 1",
     .span_us = 9000},
    {"execs", LAUNCHED, EARLY | ENDS, "", "exec-chain 60", .span_us = 60000, .status = 0},
    {"execs, in a stop", LAUNCHED, EARLY | IN_A_STOP | ENDS, "", "exec-chain 60", .span_us = 60000,
     .status = 0},
    {"execs by a thread", LAUNCHED, EARLY | ENDS, "", "thread-exec 4 8", .span_us = 60000,
     .status = 12},
    {"execs by a thread, in a stop", LAUNCHED, EARLY | IN_A_STOP | ENDS, "-k4", "thread-exec 4 8",
     .span_us = 60000, .status = 12},
    {"clones", LAUNCHED, 0, "", "busy threads 2 forks 2", .span_us = 9000},
    {"clones, in a stop", LAUNCHED, IN_A_STOP, "", "busy threads 2 forks 2", .span_us = 9000},
    {"exit_group", LAUNCHED, EARLY | ENDS, "", "thread-exit 6", .span_us = 30000, .status = 14},
    {"exit_group, in a stop", LAUNCHED, EARLY | IN_A_STOP | ENDS, "", "thread-exit 6",
     .span_us = 30000, .status = 14},
    {"without a leader", LAUNCHED, 0, "", "leaderless", .span_us = 2000},
    {"children", LAUNCHED, A_CHILD, "", "busy forks 1 spawns 1", .span_us = 5000},
    {"children, in a stop", LAUNCHED, A_CHILD | IN_A_STOP, "", "busy forks 2 spawns 1",
     .span_us = 5000},
    {"told to end", LAUNCHED, 0, "", "busy map 3", .span_us = 2000, .signal = SIGTERM},
    {"left after a while", LAUNCHED, 0, "--duration 30ms", "busy map 2 forks 1", .span_us = 60000},
    {"left after a while, in a stop", LAUNCHED, IN_A_STOP, "--duration 30ms", "busy map 2",
     .span_us = 25000},
    {"being attached to", ATTACHING, 0, "", "busy map 4 threads 1", .span_us = 15000},
    {"being attached to, many threads", ATTACHING, 0, "-k8", "busy map 16 run 16 forks 1",
     .span_us = 30000},
    {"attached to", ATTACHED, 0, "", "busy map 2 run 1", .span_us = 3000},
    {"attached to, in a stop", ATTACHED, IN_A_STOP, "-k8", "busy map 2", .span_us = 3000},
    {"attached to, stopped", ATTACHED, STOPPED, "", "busy map 2", .span_us = 2000},
    {"attached to, children", ATTACHED, A_CHILD, "", "busy forks 1 vforks 1", .span_us = 3000},
    {"being left", ATTACHED, 0, "", "busy map 8 threads 1", .span_us = 3000, .signal = SIGINT},
    {"being left, children", ATTACHED, 0, "", "busy forks 2 spawns 1", .span_us = 5000,
     .signal = SIGTERM},
    {"being left, in vfork", ATTACHED, 0, "", "vfork-wait", .span_us = 3000, .state = 'D',
     .signal = SIGINT},
};

/* One run of a scenario. */
struct run {
    const struct scenario *scenario;
    struct tracing tracing;
    struct running running; /* the program's input and output; LAUNCHED: its pid is the tracer's */
    pid_t program;          /* 0: it ended before it was seen */
    char recording[128];
};

/* The state of a test program lives as long as it; see live.c. */
static uint64_t random_state;
static char recordings[] = "/tmp/vastrace-deaths-XXXXXX";
static int error_output = -1; /* of what is started next */

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* --- what runs, and what is said of it --- */

/* The processes that a process has created and that have not been waited for. */
static size_t children_of(pid_t pid, pid_t *pids, size_t most)
{
    pid_t tids[MOST_THREADS];
    size_t threads = threads_of(pid, tids, LIVE_COUNT(tids)), count = 0;

    for (size_t i = 0; i < threads; i++) {
        char path[64], *text, *at, *stop;
        size_t length;

        snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)tids[i]);
        at = text = read_file(path, &length);
        for (long child; count < most && (child = strtol(at, &stop, 10)) > 0 && stop > at;
             at = stop)
            pids[count++] = (pid_t)child;
        free(text);
    }
    return count;
}

static bool has_ended(pid_t pid)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* True if one of a process's threads is in this state, or none lives. */
static bool is_in_state(pid_t pid, char wanted)
{
    pid_t tids[MOST_THREADS];
    size_t count = threads_of(pid, tids, LIVE_COUNT(tids)), alive = 0;

    for (size_t i = 0; i < count; i++) {
        char state = state_of(tids[i]);

        if (state == wanted)
            return true;
        alive += state && !strchr("ZX", state);
    }
    return alive == 0;
}

/* The same of a process and its children. */
static bool is_one_in_state(pid_t pid, char wanted)
{
    pid_t children[64];
    size_t count = children_of(pid, children, LIVE_COUNT(children));

    if (is_in_state(pid, wanted))
        return true;
    for (size_t i = 0; i < count; i++)
        if (is_in_state(children[i], wanted))
            return true;
    return false;
}

/* It is not traced, or not yet the program that is to be. */
static bool is_out_of_trace(const struct run *run)
{
    char path[64], target[512];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/exe", (int)run->program);
    n = readlink(path, target, sizeof target - 1);
    target[n < 0 ? 0 : n] = '\0';
    return strcmp(target, VASTRACE_PROGRAM) == 0 ||
           status_number(run->program, "TracerPid:", 10) != run->tracing.pid;
}

/* What each of the tracer's tracees does; for whoever finds it stuck. */
static void describe_stuck(const struct run *run)
{
    char command[512];

    snprintf(command, sizeof command,
             "for p in $(grep -l '^TracerPid:.%d$' /proc/[0-9]*/task/*/status) /proc/%d/status; do "
             "d=${p%%/status}; echo \"$d $(grep State $p) $(cat $d/wchan) $(cut -c-60 $d/syscall)\""
             "; done >&2",
             (int)run->tracing.pid, (int)run->tracing.pid);
    if (system(command))
        fprintf(stderr, "(and no more is known of it)\n");
}

/* End the test, and all that it started. */
static _Noreturn void stuck(struct run *run, const char *what)
{
    fprintf(stderr, "=== %s\n", run->tracing.result.title);
    describe_stuck(run);
    kill(run->tracing.pid, SIGKILL);
    if (run->scenario->how != LAUNCHED)
        kill(run->running.pid, SIGKILL);
    fail_msg("%s: %s (left in %s)", run->scenario->name, what, run->tracing.result.directory);
    abort(); /* not reached */
}

#define AWAIT(run, fact, what)                                                                     \
    for (int64_t deadline_ = now_ms() + PATIENCE_MS; !(fact); poll(NULL, 0, 1))                    \
        if (now_ms() > deadline_)                                                                  \
    stuck((run), (what))

/* --- a run --- */

/* The words of a text, which is cut up for that; a null behind the last. Returns how many. */
static size_t split(char *text, const char **words)
{
    size_t count = 0;

    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        words[count++] = word;
    words[count] = NULL;
    return count;
}

static void redirect_errors(void)
{
    dup2(error_output, 2);
}

static void launch(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    struct live_result *result = &run->tracing.result;
    const char *argv[32] = {VASTRACE_PROGRAM, "--verify", "-q"};
    char path[128], options[64], program[64];
    size_t count = 3, used = 0;
    pid_t child = 0;

    snprintf(options, sizeof options, "%s", scenario->options);
    snprintf(program, sizeof program, "%s", scenario->program);
    run->tracing = (struct tracing){0};
    snprintf(result->directory, sizeof result->directory, "/tmp/vastrace-live-XXXXXX");
    if (!mkdtemp(result->directory))
        fail_msg("mkdtemp: %s", strerror(errno));
    snprintf(result->timeline_path, sizeof result->timeline_path, "%s/t.jsonl", result->directory);
    snprintf(path, sizeof path, "%s/err", result->directory);
    argv[count++] = "-o";
    argv[count++] = result->timeline_path;
    argv[count++] = "-o";
    argv[count++] = run->recording;
    count += split(options, argv + count);
    argv[count++] = "--";
    argv[count++] = FIXTURE_DIR "/fixture";
    count += split(program, argv + count);
    for (size_t i = 0; i < count && used < sizeof result->title; i++)
        used += (size_t)snprintf(result->title + used, sizeof result->title - used, "%s%s",
                                 i ? " " : "", argv[i]);
    error_output = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(error_output >= 0);
    running_start(&run->running, argv, redirect_errors);
    close(error_output);
    run->tracing.pid = run->running.pid;
    while (children_of(run->tracing.pid, &child, 1) == 0 && !has_ended(run->tracing.pid))
        sched_yield();
    run->program = child;
    if (!(scenario->flags & EARLY))
        running_await(&run->running, "ready=");
}

static void attach(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    const char *more[8] = {"-o", run->recording}, *arguments[16];
    char options[64], program[64];

    snprintf(options, sizeof options, "%s", scenario->options);
    snprintf(program, sizeof program, "%s", scenario->program);
    split(options, more + 2);
    split(program, arguments);
    running_fixture_list(&run->running, "fixture", arguments);
    run->program = run->running.pid;
    tracing_begin(&run->tracing, more, (const pid_t[]){run->program, 0});
    if (scenario->how == ATTACHED && scenario->state != 'D')
        tracing_await(&run->tracing, "attach", run->program);
    else if (scenario->how == ATTACHED) /* it cannot be stopped, only seized */
        AWAIT(run, status_number(run->program, "TracerPid:", 10) == run->tracing.pid, "no attach");
}

/* SIGKILL to a process, and to none that took its id meanwhile; false if it was gone. */
static bool kill_child_of(pid_t parent, pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0u);
    bool done = fd >= 0 && status_number(pid, "PPid:", 10) == parent &&
                syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0u) == 0;

    if (fd >= 0)
        close(fd);
    return done;
}

static pid_t parent_of_program(const struct run *run)
{
    return run->scenario->how == LAUNCHED ? run->tracing.pid : getpid();
}

static void pause_for(unsigned most_us)
{
    long us = most_us ? (long)(next_random() % most_us) : 0;
    const struct timespec time = {.tv_nsec = us * 1000};

    nanosleep(&time, NULL);
}

/* The tracer stops, and then one of the threads does, in a stop of ptrace's. */
static void stop_tracer(struct run *run)
{
    pid_t tracer = run->tracing.pid;

    kill(tracer, SIGSTOP);
    AWAIT(run, has_ended(tracer) || state_of(tracer) == 'T', "the tracer does not stop");
    AWAIT(run, is_one_in_state(run->program, 't') || is_out_of_trace(run), "no thread waits");
}

/* False: it was gone, or there is none. */
static bool kill_victim(const struct run *run)
{
    pid_t children[64];
    size_t count, traced = 0;

    if (!(run->scenario->flags & A_CHILD))
        return kill_child_of(parent_of_program(run), run->program);
    count = children_of(run->program, children, LIVE_COUNT(children));
    for (size_t i = 0; i < count; i++) /* one from before the attach is not */
        if (status_number(children[i], "TracerPid:", 10) == run->tracing.pid)
            children[traced++] = children[i];
    return traced > 0 && kill_child_of(run->program, children[next_random() % traced]);
}

/* Bring it into the state, then let it die. */
static void let_die(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    pid_t tracer = run->tracing.pid;
    bool signal_first = next_random() % 2, done = false;

    if (scenario->state)
        AWAIT(run, is_in_state(run->program, scenario->state), "it never comes into its state");
    if (scenario->flags & STOPPED) {
        kill(run->program, SIGSTOP);
        AWAIT(run, is_in_state(run->program, 't') || is_in_state(run->program, 'T'), "no stop");
    }
    pause_for(scenario->span_us);
    if (scenario->signal && signal_first) {
        kill(tracer, scenario->signal);
        pause_for(scenario->span_us / 4);
    }
    while (!done) {
        if (scenario->flags & IN_A_STOP)
            stop_tracer(run);
        done = kill_victim(run) || !(scenario->flags & A_CHILD); /* else there will be one yet */
        if (scenario->flags & IN_A_STOP)
            kill(tracer, SIGCONT);
    }
    if (scenario->signal && !signal_first)
        kill(tracer, scenario->signal);
}

/* Read what the program says until nobody can say anything: all that had its output are gone. */
static void read_to_end(struct run *run)
{
    struct running *running = &run->running;
    int64_t deadline = now_ms() + PATIENCE_MS;
    struct pollfd ready = {.fd = running->out, .events = POLLIN};
    ssize_t n;

    close(running->in);
    for (;;) {
        if (poll(&ready, 1, 1000) > 0) {
            size_t room = sizeof running->text - 1 - running->length;

            if (!room)
                running->length = 0;
            n = read(running->out, running->text + running->length,
                     room ? room : sizeof running->text - 1);
            if (n <= 0)
                break;
            running->length += (size_t)n;
        } else if (now_ms() > deadline) {
            stuck(run, "something is left behind");
        }
    }
    running->text[running->length] = '\0';
    close(running->out);
}

/* --- what must hold --- */

/* How the program may have ended, if it was the program that was killed. */
static void check_end(struct run *run, int status)
{
    const struct scenario *scenario = run->scenario;
    const struct live_result *result = &run->tracing.result;

    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return;
    if (WIFSIGNALED(status) && scenario->how == LAUNCHED && scenario->signal &&
        WTERMSIG(status) == scenario->signal)
        return;
    if (WIFEXITED(status) && scenario->flags & ENDS && WEXITSTATUS(status) == scenario->status)
        return;
    live_fail(result, "the program was killed, and its end is told as wait status %x",
              (unsigned)status);
}

/* How many children the program says to have missed: those that were killed. */
static unsigned long told_errors(const struct run *run)
{
    const char *at = run->running.text, *last = NULL;

    while ((at = strstr(at, "errors=")))
        last = at += 7;
    if (!last)
        live_fail(&run->tracing.result, "the program did not come to its end: %s",
                  run->running.text);
    return strtoul(last, NULL, 10);
}

/* Every process of the timeline has one end, and the program that of its wait status. */
static void check_ends(struct run *run, int status)
{
    struct live_result *result = &run->tracing.result;
    const struct json *record;
    uint64_t ends = 0, roots = 0, killed = 0, processes = 0;
    size_t cursor = 0;

    while ((record = live_next(result, &cursor))) {
        const struct json *end = json_get(record, "exit");
        bool is_killed = strcmp(json_text(end, "signal"), "SIGKILL") == 0;

        if (strcmp(json_text(record, "type"), "end") == 0)
            processes = json_number(record, "processes");
        if (!end)
            continue;
        ends++;
        killed += is_killed && !json_true(end, "root");
        if (!json_true(end, "root"))
            continue;
        roots++;
        if (run->program && json_number(record, "pid") != (uint64_t)run->program)
            live_fail(result, "the program is %d, and the end is told of %" PRIu64,
                      (int)run->program, json_number(record, "pid"));
        if (strcmp(json_text(end, "how"), "detached") == 0) {
            if (!run->scenario->signal && !strstr(run->scenario->options, "--duration"))
                live_fail(result, "the program was left, although nothing asked for it");
        } else if (is_killed != (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)) {
            live_fail(result, "the program ended with wait status %x, and is told to have been %s",
                      (unsigned)status, json_text(end, "how"));
        }
    }
    if (roots != 1)
        live_fail(result, "%" PRIu64 " ends of the program", roots);
    if (ends != processes)
        live_fail(result, "%" PRIu64 " ends of %" PRIu64 " processes", ends, processes);
    if (run->scenario->flags & A_CHILD && killed != told_errors(run))
        live_fail(result, "%" PRIu64 " children were killed, and the program counts %lu", killed,
                  told_errors(run));
}

/* The recording is whole, and its accounts balance. */
static void check_recording(struct run *run)
{
    const struct live_result *result = &run->tracing.result;
    const struct vt_recorded_process *process;
    struct vt_recording *recording;
    struct vt_report report;
    struct vt_error err = {0};

    if (vt_recording_open(run->recording, &recording, &err))
        live_fail(result, "%s", err.text);
    if (!vt_recording_info(recording)->complete)
        live_fail(result, "the recording says that it was cut short");
    if (vt_recording_info(recording)->summary.exactness.lost)
        live_fail(result, "the recording lacks something");
    if (vt_recording_process(recording, run->program, &process, &err) ||
        vt_recording_report(recording, process, &report, &err))
        live_fail(result, "%s", err.text);
    if (!report.balanced)
        live_fail(result, "the recording's ledger does not balance");
    vt_report_deinit(&report);
    vt_recording_close(recording);
}

/*
 * It was killed before the trace began. Either there is no trace then, or it holds nothing; the
 * one line that there is says so.
 */
static bool never_began(struct run *run)
{
    static const char unseen[] = "vastrace: a process was killed before it could be looked at\n";
    const enum how how = run->scenario->how;
    struct live_result *result = &run->tracing.result;
    const char *why = how == LAUNCHED ? "vastrace: cannot run" : "vastrace: cannot attach";

    if (how != LAUNCHED && strcmp(result->err, unseen) == 0) {
        live_assert_exited(result, 0);
        live_assert_exact(result, LIVE_MAY_BE_UNCOMPARED | LIVE_MAY_LOSE);
        if (live_count_cause(result, "") != 2 || strstr(result->timeline, "\"lost\":0"))
            live_fail(result, "nothing is known of it, and the timeline does not say so");
        return true;
    }
    if (result->timeline_length > 0)
        return false;
    if (strncmp(result->err, why, strlen(why)) != 0 ||
        strchr(result->err, '\n') != result->err + result->err_length - 1)
        live_fail(result, "there is no timeline, and no one line that says why");
    if (how != LAUNCHED)
        live_assert_exited(result, 125);
    return true;
}

/* Returns true if it was killed before the trace began. */
static bool run_once(struct run *run, size_t *by_itself)
{
    const struct scenario *scenario = run->scenario;
    struct live_result *result = &run->tracing.result;
    int status = 0;
    bool early;

    if (scenario->how == LAUNCHED)
        launch(run);
    else
        attach(run);
    if (run->program)
        let_die(run);
    read_to_end(run);
    if (scenario->how != LAUNCHED) {
        AWAIT(run, has_ended(run->running.pid), "the program is not let go");
        status = await_end(run->running.pid, 1);
    }
    AWAIT(run, has_ended(run->tracing.pid), "the tracer does not end");
    tracing_end(&run->tracing, 0);
    if (scenario->how == LAUNCHED)
        status = result->status;

    if (strstr(run->running.text, "skip=")) {
        live_free(result); /* skipping does not return */
        live_skip("%s", run->running.text);
    }
    if (scenario->flags & A_CHILD)
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
    else
        check_end(run, status);
    *by_itself += WIFEXITED(status);
    early = never_began(run);
    if (!early) {
        if (scenario->how != LAUNCHED)
            live_assert_exited(result, 0);
        if (result->err_length)
            live_fail(result, "it had something to say");
        /* What a thread had done that was killed in a call is found by looking. */
        live_assert_exact(result, LIVE_MAY_RESYNC | LIVE_MAY_BE_UNCERTAIN | LIVE_MAY_BE_UNCOMPARED);
        live_assert_replay(result);
        check_ends(run, status);
        check_recording(run);
    }
    unlink(run->recording);
    live_free(result);
    return early;
}

static void check_scenario(void **state)
{
    const struct scenario *scenario = *state;
    size_t all = (MANY + LIVE_COUNT(scenarios) - 1) / LIVE_COUNT(scenarios);
    size_t count = getenv("VASTRACE_LONG") ? all : FEW, early = 0, by_itself = 0;

    for (size_t i = 0; i < count; i++) {
        struct run run = {.scenario = scenario};

        snprintf(run.recording, sizeof run.recording, "%s/r.vas", recordings);
        early += run_once(&run, &by_itself);
    }
    print_message("%s: %zu deaths, %zu before the trace began, %zu programs ended by themselves\n",
                  scenario->name, count, early, by_itself);
}

int main(int argc, char **argv)
{
    const char *seed = getenv("VASTRACE_SEED");
    struct CMUnitTest tests[LIVE_COUNT(scenarios)];
    int failures;

    signal(SIGPIPE, SIG_IGN);
    random_state = seed ? strtoull(seed, NULL, 10) : (uint64_t)now_ms() * 2 + 1;
    printf("VASTRACE_SEED=%" PRIu64 "\n", random_state);
    if (!random_state || !mkdtemp(recordings)) {
        perror("test_deaths");
        return 1;
    }
    for (size_t i = 0; i < LIVE_COUNT(scenarios); i++)
        tests[i] = (struct CMUnitTest){scenarios[i].name, check_scenario, NULL, NULL,
                                       (void *)(uintptr_t)&scenarios[i]};
    failures = live_main("deaths", tests, LIVE_COUNT(tests), argc, argv);
    rmdir(recordings);
    return failures;
}
