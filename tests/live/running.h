/*
 * running.h - programs that run beside the test, and tracers that come and go.
 *
 * Whatever is waited for is a fact (a line, a state in /proc, a pipe's end) with
 * a bound on the time it may take; nothing here sleeps and hopes.
 */
#ifndef LIVE_RUNNING_H
#define LIVE_RUNNING_H

#include "live.h"

/* A program whose standard input and output are the test's. */
struct running {
    pid_t pid;
    int in;           /* to it */
    int out;          /* from it */
    char text[16384]; /* what it has said and await_line() has not taken */
    size_t length;
};

/* Start a program; argv is null-terminated. `before`, if not null, runs in the child first. */
void running_start(struct running *running, const char *const *argv, void (*before)(void));

/* Start the fixture of this name and wait for its ready= line. */
#define running_fixture(running, name, ...)                                                        \
    running_fixture_list((running), (name), (const char *const[]){__VA_ARGS__, NULL})
void running_fixture_list(struct running *running, const char *name, const char *const *arguments);

/* Give it an order (text is written as it is). */
void running_order(struct running *running, const char *text);

/* Wait for the next line that begins so; the rest of it, valid until the next call. */
const char *running_await(struct running *running, const char *beginning);

/* Close its input and wait for its end; the wait status. Lines are read meanwhile. */
int running_end(struct running *running);

/* Wait for a child's end, `seconds` at most; the wait status. */
int await_end(pid_t pid, int seconds);

/* A tracer of running processes. */
struct tracing {
    pid_t pid;
    struct live_result result; /* timeline, err, title: after tracing_end() */
};

/*
 * Start `vastrace --verify -q -o TIMELINE OPTIONS -p PID...`: options are
 * null-terminated, pids end with 0. Returns once each process is attached.
 */
void tracing_start(struct tracing *tracing, const char *const *options, const pid_t *pids);

/* The same, without waiting for anything. */
void tracing_begin(struct tracing *tracing, const char *const *options, const pid_t *pids);

/* Wait until the timeline has an event of this cause of this process. */
void tracing_await(struct tracing *tracing, const char *cause, pid_t pid);

/* Send a signal (0: none), wait for the end, collect what it wrote. The wait status. */
int tracing_end(struct tracing *tracing, int signal);
void tracing_free(struct tracing *tracing);

/* --- what /proc says --- */

/* A number of /proc/TID/status by its key ("TracerPid:"), in this base; -1 if it is gone. */
long status_number(pid_t tid, const char *key, int base);

/* The state letter of a thread; 0 if it is gone. */
char state_of(pid_t tid);

/* The ids of all threads; how many. */
size_t threads_of(pid_t pid, pid_t *tids, size_t most);

/* Wait until a thread is in one of these states. */
void await_state(pid_t tid, const char *states);

/*
 * No thread of it has a tracer, is stopped (unless that is said) or has a stop
 * pending. Fails the test with `when` otherwise.
 */
void assert_left_alone(pid_t pid, bool stopped, const char *when);

/* The text of /proc/PID/maps, to be freed. */
char *maps_of(pid_t pid);

/*
 * Replay the whole timeline; what it says of this process's space at its end is
 * what the text of its map says.
 */
void assert_replayed(struct live_result *result, pid_t pid, const char *maps);

int64_t now_ms(void);

/* The whole of a file, NUL-terminated, to be freed; empty if it cannot be read. */
char *read_file(const char *path, size_t *length);

#endif
