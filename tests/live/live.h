/*
 * live.h - run vastrace on a program and prove its timeline.
 *
 * A run is always made with --verify and a JSON Lines timeline. Three things
 * are then compared, none of which knows of the others:
 *   - what the program itself says it did (fixtures/fixture.h: call=, change=, maps=),
 *   - what the timeline says (read with json.h, replayed by replay.c),
 *   - what vastrace says of its own comparison with the kernel.
 *
 * Failures end the test with cmocka's fail(), after printing what led to them.
 * Test programs include this after cmocka's own headers are brought in here.
 */
#ifndef LIVE_H
#define LIVE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <cmocka.h>

#include "json.h"

#define LIVE_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What takes longer than this many seconds is stuck; on a loaded machine all takes long. */
enum { LIVE_PATIENCE = 300 };

/* How to run. Zero-initialised is the usual way. */
struct live_options {
    const char *const *options; /* more options of vastrace, null-terminated; may be null */
    const char *input;          /* standard input; null: empty */
    const char *unset;          /* an environment variable to leave out; may be null */
    bool bare;                  /* no options but those in `options`; no timeline */
    int seconds;                /* until the run counts as stuck; 0: LIVE_PATIENCE */
};

/* What came of a run. */
struct live_result {
    int status; /* vastrace's own, as of wait(2) */
    char *out;  /* standard output, NUL-terminated */
    size_t out_length;
    char *err; /* standard error, NUL-terminated */
    size_t err_length;
    char *timeline; /* the JSON Lines */
    size_t timeline_length;
    char directory[64]; /* a temporary directory of the run's own, removed by live_free() */
    char timeline_path[96];
    char title[256];         /* the command, for messages */
    struct json_arena arena; /* of live_next()'s record */
};

/* Run `program OPTIONS -- argv`; fails the test if it is stuck. */
void live_run_program(const char *program, struct live_result *result,
                      const struct live_options *options, const char *const *argv);
void live_free(struct live_result *result);

#define live_run(result, options, ...)                                                             \
    live_run_program(VASTRACE_PROGRAM, (result), (options),                                        \
                     (const char *const[]){__VA_ARGS__, NULL})

/* Run a program untraced, the same way: for comparison. */
void live_run_untraced(struct live_result *result, const struct live_options *options,
                       const char *const *argv);

/* Next record of the timeline: start with a cursor of 0. Null at the end. Valid until the next. */
const struct json *live_next(struct live_result *result, size_t *cursor);

/* End the test with a message and what the run said. */
_Noreturn void live_fail(const struct live_result *result, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Skip the test, after saying why. */
_Noreturn void live_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- what must hold --- */

void live_assert_exited(const struct live_result *result, int status);
void live_assert_signaled(const struct live_result *result, int signal);

enum live_allowance {
    LIVE_MAY_RESYNC = 1,        /* the model may have been set right */
    LIVE_MAY_BE_UNCERTAIN = 2,  /* the order of some calls need not be known */
    LIVE_MAY_LOSE = 4,          /* something may have been unreadable */
    LIVE_MAY_BE_UNCOMPARED = 8, /* there need not have been a stop to compare at */
};

/*
 * The timeline is whole (header, gapless sequence, end) and says that every
 * comparison agreed, and that nothing was set right, uncertain or lost, but for
 * what is allowed.
 */
void live_assert_exact(struct live_result *result, unsigned allowances);

/*
 * Replay the timeline on a naive model: each change must fit what is there, and
 * wherever the program printed its own map the two are alike. Returns how many
 * maps were compared.
 */
size_t live_assert_replay(struct live_result *result);

/* Every call= and change= that the fixture printed is in the timeline, in this order. */
size_t live_assert_expected(struct live_result *result);

/* All three. */
void live_assert_proven(struct live_result *result, unsigned allowances);

/* --- what a fixture printed --- */

/* The value of the first `key=` line, into text; false if there is none. */
bool live_fact(const struct live_result *result, const char *key, char *text, size_t size);

/* The same as a number, base 16 or 10; fails the test if there is none. */
uint64_t live_fact_number(const struct live_result *result, const char *key, int base);

/* How many lines are exactly this. */
size_t live_count_lines(const struct live_result *result, const char *line);

/* Skip if the fixture said skip=; to be called before any assertion on what it did. */
void live_skip_if_said(struct live_result *result); /* frees it if it skips */

/* --- what the timeline tells --- */

/* How many events have this cause. */
size_t live_count_cause(struct live_result *result, const char *cause);

/* True if this says that the event's call failed with the named errno; null: that it worked. */
bool live_call_error(const struct json *event, const char *error);

/* The n-th argument of the event's call, 0 if it has none. */
uint64_t live_argument(const struct json *event, size_t n);

/* --- around it --- */

/* True if there is such a file; tests of what cannot be built skip without it. */
bool live_exists(const char *path);

/* A file of the run's directory (or another), with these contents and mode. */
void live_write_file(const char *path, const void *contents, size_t length, mode_t mode);

/* What a command prints, at most size - 1 bytes; false if it did not exit with 0. */
bool live_capture(const char *const *argv, char *text, size_t size);

/*
 * Run the tests of one program: cmocka's count of failures, or 77 if every test
 * was skipped. An argument is a pattern of names to run (cmocka's, with *).
 */
int live_main(const char *group, const struct CMUnitTest *tests, size_t count, int argc,
              char **argv);

#endif
