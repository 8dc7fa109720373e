/*
 * running.c - programs that run beside the test, and tracers that come and go.
 */
#include "running.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "replay.h"

enum { PATIENCE_MS = LIVE_PATIENCE * 1000 };

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Between two looks at a fact that nothing announces. */
static void pause_a_little(void)
{
    poll(NULL, 0, 1);
}

/* --- programs --- */

void running_start(struct running *running, const char *const *argv, void (*before)(void))
{
    int in[2], out[2];

    *running = (struct running){0};
    assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
    running->pid = fork();
    assert_true(running->pid >= 0);
    if (running->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        if (before)
            before();
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(124);
    }
    close(in[0]);
    close(out[1]);
    running->in = in[1];
    running->out = out[0];
}

void running_fixture_list(struct running *running, const char *name, const char *const *arguments)
{
    const char *argv[16];
    char path[512];
    size_t count = 0;

    snprintf(path, sizeof path, "%s/%s", FIXTURE_DIR, name);
    if (!live_exists(path))
        live_skip("%s could not be built", name);
    argv[count++] = path;
    for (size_t i = 0; arguments[i]; i++)
        argv[count++] = arguments[i];
    argv[count] = NULL;
    running_start(running, argv, NULL);
    running_await(running, "ready=");
}

void running_order(struct running *running, const char *text)
{
    size_t length = strlen(text);

    assert_int_equal(write(running->in, text, length), length);
}

/* Read more; false at the end of its output. */
static bool read_more(struct running *running, int milliseconds, const char *what)
{
    struct pollfd ready = {.fd = running->out, .events = POLLIN};
    ssize_t n;

    if (poll(&ready, 1, milliseconds) <= 0)
        fail_msg("process %d does not say %s (state %c)", (int)running->pid, what,
                 state_of(running->pid));
    if (running->length == sizeof running->text - 1)
        running->length = 0; /* nobody waits for a line of this length */
    n = read(running->out, running->text + running->length,
             sizeof running->text - 1 - running->length);
    if (n <= 0)
        return false;
    running->length += (size_t)n;
    running->text[running->length] = '\0';
    return true;
}

const char *running_await(struct running *running, const char *beginning)
{
    static char line[sizeof running->text];
    int64_t deadline = now_ms() + PATIENCE_MS;
    size_t length = strlen(beginning);

    for (;;) {
        char *stop = memchr(running->text, '\n', running->length);

        if (!stop) {
            int64_t left = deadline - now_ms();

            if (!read_more(running, left > 0 ? (int)left : 0, beginning))
                fail_msg("process %d ended before it said %s", (int)running->pid, beginning);
            continue;
        }
        *stop = '\0';
        snprintf(line, sizeof line, "%s", running->text);
        running->length -= (size_t)(stop + 1 - running->text);
        memmove(running->text, stop + 1, running->length);
        if (strncmp(line, "failed=", 7) == 0)
            fail_msg("process %d says %s", (int)running->pid, line);
        if (strncmp(line, beginning, length) == 0)
            return line + length;
    }
}

int await_end(pid_t pid, int seconds)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0u);
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    int status = 0;
    int ready = fd < 0 ? 1 : poll(&ended, 1, seconds * 1000);

    if (fd >= 0)
        close(fd);
    if (ready == 0) {
        char state = state_of(pid);

        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        fail_msg("process %d did not end within %d seconds (state %c)", (int)pid, seconds, state);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

int running_end(struct running *running)
{
    close(running->in);
    while (read_more(running, PATIENCE_MS, "that it ends"))
        running->length = 0;
    close(running->out);
    return await_end(running->pid, PATIENCE_MS / 1000);
}

/* --- tracers --- */

void tracing_begin(struct tracing *tracing, const char *const *options, const pid_t *pids)
{
    struct live_result *result = &tracing->result;
    const char *argv[64];
    char numbers[16][16];
    size_t count = 0, used = 0;

    *tracing = (struct tracing){0};
    snprintf(result->directory, sizeof result->directory, "/tmp/vastrace-live-XXXXXX");
    if (!mkdtemp(result->directory))
        fail_msg("mkdtemp: %s", strerror(errno));
    snprintf(result->timeline_path, sizeof result->timeline_path, "%s/t.jsonl", result->directory);
    argv[count++] = VASTRACE_PROGRAM;
    argv[count++] = "--verify";
    argv[count++] = "-q";
    argv[count++] = "-o";
    argv[count++] = result->timeline_path;
    for (size_t i = 0; options && options[i]; i++)
        argv[count++] = options[i];
    for (size_t i = 0; pids[i]; i++) {
        snprintf(numbers[i], sizeof numbers[i], "%d", (int)pids[i]);
        argv[count++] = "-p";
        argv[count++] = numbers[i];
    }
    argv[count] = NULL;
    for (size_t i = 0; i < count && used < sizeof result->title; i++)
        used += (size_t)snprintf(result->title + used, sizeof result->title - used, "%s%s",
                                 i ? " " : "", argv[i]);
    tracing->pid = fork();
    assert_true(tracing->pid >= 0);
    if (tracing->pid == 0) {
        char path[96];
        int fd;

        snprintf(path, sizeof path, "%s/err", result->directory);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (fd < 0 || dup2(fd, 2) < 0)
            _exit(123);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(123);
    }
}

char *read_file(const char *path, size_t *length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t capacity = 1 << 16;
    char *text = malloc(capacity);
    ssize_t n = 0;

    *length = 0;
    while (text && fd >= 0 && (n = read(fd, text + *length, capacity - 1 - *length)) > 0) {
        *length += (size_t)n;
        if (capacity - *length < 4096)
            text = realloc(text, capacity *= 2);
    }
    if (!text)
        abort();
    text[*length] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

static bool has_ended(pid_t pid)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* True if the timeline has such an event, in a line that is whole. */
static bool has_event(const char *text, const char *cause, pid_t pid)
{
    char of_cause[64], of_pid[32];

    snprintf(of_cause, sizeof of_cause, "\"cause\":\"%s\"", cause);
    snprintf(of_pid, sizeof of_pid, "\"pid\":%d,", (int)pid);
    for (const char *line = text; line && *line;) {
        const char *stop = strchr(line, '\n');
        const char *at = strstr(line, of_cause);

        if (!stop)
            return false;
        if (at && at < stop && (at = strstr(line, of_pid)) && at < stop)
            return true;
        line = stop + 1;
    }
    return false;
}

void tracing_await(struct tracing *tracing, const char *cause, pid_t pid)
{
    int64_t deadline = now_ms() + PATIENCE_MS;

    for (;;) {
        size_t length;
        bool ended = has_ended(tracing->pid);
        char *text = read_file(tracing->result.timeline_path, &length);
        bool there = has_event(text, cause, pid);

        free(text);
        if (there)
            return;
        if (ended || now_ms() > deadline) {
            tracing_end(tracing, SIGKILL);
            live_fail(&tracing->result, "%s before there was an event '%s' of %d",
                      ended ? "it ended" : "too long went by", cause, (int)pid);
        }
        pause_a_little();
    }
}

void tracing_start(struct tracing *tracing, const char *const *options, const pid_t *pids)
{
    tracing_begin(tracing, options, pids);
    for (size_t i = 0; pids[i]; i++)
        tracing_await(tracing, "attach", pids[i]);
}

int tracing_end(struct tracing *tracing, int signal)
{
    struct live_result *result = &tracing->result;
    char path[96];

    if (signal)
        kill(tracing->pid, signal);
    result->status = await_end(tracing->pid, PATIENCE_MS / 1000);
    snprintf(path, sizeof path, "%s/err", result->directory);
    result->err = read_file(path, &result->err_length);
    result->out = calloc(1, 1);
    result->timeline = read_file(result->timeline_path, &result->timeline_length);
    return result->status;
}

void tracing_free(struct tracing *tracing)
{
    live_free(&tracing->result);
}

/* --- what /proc says --- */

long status_number(pid_t tid, const char *key, int base)
{
    char path[64];
    size_t length;
    char *text, *at;
    long value = -1;

    snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
    text = read_file(path, &length);
    at = strstr(text, key);
    if (at)
        value = (long)strtoul(at + strlen(key), NULL, base);
    free(text);
    return value;
}

char state_of(pid_t tid)
{
    char path[64];
    size_t length;
    char *text, *at;
    char state = 0;

    snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
    text = read_file(path, &length);
    at = strstr(text, "State:");
    if (at)
        state = at[7];
    free(text);
    return state;
}

size_t threads_of(pid_t pid, pid_t *tids, size_t most)
{
    char path[64];
    size_t count = 0;
    DIR *directory;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    directory = opendir(path);
    for (struct dirent *entry; directory && count < most && (entry = readdir(directory));)
        if (entry->d_name[0] != '.')
            tids[count++] = (pid_t)atoi(entry->d_name);
    if (directory)
        closedir(directory);
    return count;
}

void await_state(pid_t tid, const char *states)
{
    int64_t deadline = now_ms() + PATIENCE_MS;

    for (;;) {
        char state = state_of(tid);

        if (state && strchr(states, state))
            return;
        if (now_ms() > deadline)
            fail_msg("thread %d is in state %c, not in one of %s", (int)tid, state, states);
        pause_a_little();
    }
}

void assert_left_alone(pid_t pid, bool stopped, const char *when)
{
    const long stops = 1L << (SIGSTOP - 1) | 1L << (SIGTRAP - 1);
    pid_t tids[2048];
    size_t count = threads_of(pid, tids, LIVE_COUNT(tids));

    if (count == 0)
        fail_msg("%s: process %d is gone", when, (int)pid);
    for (size_t i = 0; i < count; i++) {
        long tracer = status_number(tids[i], "TracerPid:", 10);
        long pending = status_number(tids[i], "SigPnd:", 16);
        long shared = status_number(tids[i], "ShdPnd:", 16);
        char state = state_of(tids[i]);

        if (tracer < 0 || !state || strchr("ZX", state))
            continue; /* it ended meanwhile */
        if (tracer != 0)
            fail_msg("%s: thread %d is traced by %ld", when, (int)tids[i], tracer);
        if (pending & stops || shared & stops)
            fail_msg("%s: thread %d has a stop pending (%lx, %lx)", when, (int)tids[i], pending,
                     shared);
        if (stopped)
            await_state(tids[i], "T");
        else if (strchr("Tt", state))
            fail_msg("%s: thread %d is stopped", when, (int)tids[i]);
    }
}

char *maps_of(pid_t pid)
{
    char path[64];
    size_t length;

    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    return read_file(path, &length);
}

void assert_replayed(struct live_result *result, pid_t pid, const char *maps)
{
    struct replay replay = {0};
    const struct json *record;
    size_t cursor = 0;
    uint32_t space = 0;
    char text[1024];

    while ((record = live_next(result, &cursor))) {
        if (strcmp(json_text(record, "type"), "event") != 0 ||
            strcmp(json_text(record, "cause"), "exit") == 0)
            continue;
        if (!replay_event(&replay, record, text, sizeof text))
            live_fail(result, "replay: %s", text);
        if (json_number(record, "pid") == (uint64_t)pid)
            space = (uint32_t)json_number(record, "space");
    }
    if (!space)
        live_fail(result, "no event of process %d", (int)pid);
    if (!replay_agrees(&replay, space, maps, strlen(maps), text, sizeof text))
        live_fail(result, "replayed to its end, the map of %d differs:\n%s", (int)pid, text);
    replay_deinit(&replay);
}
