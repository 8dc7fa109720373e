/*
 * test_faults.c - a fault is explained: each verdict by a program that earns it,
 * with the address, what lies there and around it, and what became of it.
 */
#include "running.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define FIXTURE FIXTURE_DIR "/fixture"

enum { NO_ADDRESS = 1, FROM_THREAD = 2, HANDLED = 4 };

static const struct row {
    const char *arguments[3];
    const char *verdict;
    int signal;
    const char *here;  /* kind of the region that holds the address; null: there is none */
    const char *past;  /* cause of the change that took it away; null: there is none */
    const char *words; /* in the explanation */
    unsigned flags;
} rows[] = {
    {{"strike", "null"}, "null", SIGSEGV, NULL, NULL, "a null pointer, and 24 bytes", 0},
    {{"strike", "kernel-half"}, "kernel-half", SIGSEGV, NULL, NULL, "kernel's half", 0},
    {{"strike", "non-canonical"}, "non-canonical", 0, NULL, NULL, "non-canonical", NO_ADDRESS},
    {{"strike", "alignment"}, "alignment", SIGBUS, NULL, NULL, "not aligned", NO_ADDRESS},
    {{"fault", "never"}, "never-mapped", SIGSEGV, NULL, NULL, "nothing was ever mapped", 0},
    {{"fault", "unmapped"}, "unmapped", SIGSEGV, NULL, "munmap", "unmapped", 0},
    {{"strike", "unmapped-elsewhere"},
     "unmapped",
     SIGSEGV,
     NULL,
     "munmap",
     "by munmap in thread",
     FROM_THREAD},
    {{"strike", "moved"}, "unmapped", SIGSEGV, NULL, "mremap", "moved away", 0},
    {{"strike", "inherited"}, "unmapped", SIGSEGV, NULL, "munmap", "by munmap", HANDLED},
    {{"strike", "stack-limit"}, "stack-limit", SIGSEGV, NULL, NULL, "the stack is full", 0},
    {{"stack-overflow"}, "stack-limit", SIGSEGV, NULL, NULL, "the stack is full", 0},
    {{"strike", "stack-below"}, "stack-below", SIGSEGV, NULL, NULL, "could not grow there", 0},
    {{"fault", "guard"}, "guard", SIGSEGV, "*", NULL, "guard", 0},
    {{"strike", "thread-guard"}, "guard", SIGSEGV, "guard", NULL, "8B below the stack", 0},
    {{"strike", "reserve"}, "reserve", SIGSEGV, "reserve", NULL, "PROT_NONE", 0},
    {{"fault", "beyond"}, "beyond-file", SIGBUS, "file", NULL, "beyond the end of", 0},
    {{"strike", "beyond-private"}, "beyond-file", SIGBUS, "file", NULL, "byte 8192 of 4196", 0},
    {{"fault", "protected"}, "permission-lost", SIGSEGV, "anon", "mprotect", "mprotect", 0},
    {{"strike", "permission"}, "permission", SIGSEGV, "rodata", NULL, "does not permit", 0},
    {{"strike", "execute"}, "permission", SIGSEGV, "anon", NULL, "does not permit", 0},
    {{"kill", "11"}, "sent", SIGSEGV, NULL, NULL, "no fault: sent", NO_ADDRESS},
    {{"kill", "7"}, "sent", SIGBUS, NULL, NULL, "no fault: sent", NO_ADDRESS},
    {{"strike", "pkey"}, "unknown", SIGSEGV, "anon", NULL, "protection key", 0},
};

static bool is_in(const struct json *region, uint64_t address)
{
    return region && json_number(region, "start") <= address &&
           address < json_number(region, "end");
}

static const char *kind_of(const struct json *region)
{
    return region ? json_text(region, "kind") : "";
}

/* The neighbours lie where neighbours lie, and are what the replayed map has there. */
static void check_neighbours(struct live_result *result, const struct json *fault, uint64_t address)
{
    const struct json *above = json_get(fault, "above"), *below = json_get(fault, "below");

    if (above && json_number(above, "start") <= address)
        live_fail(result, "what is above is not above");
    if (below && json_number(below, "end") > address && !is_in(json_get(fault, "here"), address))
        live_fail(result, "what is below is not below");
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct live_result result;
    const struct json *record;
    size_t cursor = 0, told = 0;

    live_run(&result, NULL, FIXTURE, row->arguments[0], row->arguments[1]);
    live_skip_if_said(&result);
    live_assert_exact(&result, 0);
    live_assert_replay(&result);
    if (row->flags & HANDLED)
        live_assert_exited(&result, 0);
    else if (row->signal)
        live_assert_signaled(&result, row->signal);
    else
        assert_true(WIFSIGNALED(result.status));
    while ((record = live_next(&result, &cursor))) {
        const struct json *fault = json_get(record, "fault");
        const struct json *past = json_get(fault, "past");
        uint64_t address;

        if (strcmp(json_text(record, "cause"), "signal") != 0)
            continue;
        told++;
        if (strcmp(json_text(fault, "verdict"), row->verdict) != 0)
            live_fail(&result, "the verdict is %s, not %s", json_text(fault, "verdict"),
                      row->verdict);
        if (!strstr(json_text(fault, "explanation"), row->words))
            live_fail(&result, "'%s' does not say '%s'", json_text(fault, "explanation"),
                      row->words);
        if (json_has(fault, "addr") == ((row->flags & NO_ADDRESS) != 0))
            live_fail(&result, "it has an address, or has none");
        if (json_has(fault, "past") != (row->past != NULL))
            live_fail(&result, "it has a past, or has none");
        if (row->past && strcmp(json_text(past, "cause"), row->past) != 0)
            live_fail(&result, "it was %s, not %s", json_text(past, "cause"), row->past);
        if (row->past && (json_number(past, "seq") == 0 ||
                          json_number(past, "seq") >= json_number(record, "seq")))
            live_fail(&result, "its past is not in the past");
        if (row->flags & FROM_THREAD)
            assert_int_equal(json_number(past, "tid"), live_fact_number(&result, "by", 10));
        if (row->flags & NO_ADDRESS)
            continue;
        address = json_number(fault, "addr");
        if (strcmp(row->arguments[0], "stack-overflow") != 0)
            assert_int_equal(address, live_fact_number(&result, "fault", 16));
        if (strcmp(row->here ? row->here : "", "*") != 0 &&
            strcmp(kind_of(json_get(fault, "here")), row->here ? row->here : "") != 0)
            live_fail(&result, "what is there is '%s'", kind_of(json_get(fault, "here")));
        if (row->here && !is_in(json_get(fault, "here"), address))
            live_fail(&result, "what is there does not hold the address");
        if (row->past && !is_in(json_get(past, "region"), address))
            live_fail(&result, "its past was elsewhere");
        check_neighbours(&result, fault, address);
    }
    if (told != 1)
        live_fail(&result, "%zu signals are told", told);
    live_free(&result);
}

/* A handler that repairs what was wrong: each fault is told, and the program goes on. */
static void check_often(void **state)
{
    struct live_result result;
    const struct json *record;
    size_t cursor = 0;

    (void)state;
    live_run(&result, NULL, FIXTURE, "strike-often", "50");
    live_assert_exited(&result, 0);
    live_assert_proven(&result, 0);
    assert_int_equal(live_count_cause(&result, "signal"), 50);
    while ((record = live_next(&result, &cursor)))
        if (strcmp(json_text(record, "cause"), "signal") == 0)
            assert_string_equal(json_text(json_get(record, "fault"), "verdict"), "permission-lost");
    live_free(&result);
}

/* Of what lay there before the attach nothing is claimed. */
static void check_attached(void **state)
{
    struct running running;
    struct tracing tracing;
    const struct json *record;
    size_t cursor = 0, told = 0;

    (void)state;
    running_fixture(&running, "fixture", "strike-later", "never");
    tracing_start(&tracing, NULL, (const pid_t[]){running.pid, 0});
    running_order(&running, "\n");
    assert_true(WIFSIGNALED(running_end(&running)));
    tracing_end(&tracing, 0);
    live_assert_exited(&tracing.result, 0);
    live_assert_exact(&tracing.result, 0);
    while ((record = live_next(&tracing.result, &cursor))) {
        const struct json *fault = json_get(record, "fault");

        if (!fault)
            continue;
        told++;
        assert_string_equal(json_text(fault, "verdict"), "not-mapped");
        assert_non_null(strstr(json_text(fault, "explanation"), "is not known"));
    }
    assert_int_equal(told, 1);
    tracing_free(&tracing);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest others[] = {cmocka_unit_test(check_often),
                                               cmocka_unit_test(check_attached)};
    struct CMUnitTest tests[LIVE_COUNT(rows) + LIVE_COUNT(others)];
    static char names[LIVE_COUNT(rows)][64];
    const struct rlimit no_core = {0, 0};

    setrlimit(RLIMIT_CORE, &no_core);
    for (size_t i = 0; i < LIVE_COUNT(rows); i++) {
        snprintf(names[i], sizeof names[i], "%s %s", rows[i].arguments[0],
                 rows[i].arguments[1] ? rows[i].arguments[1] : "");
        tests[i] =
            (struct CMUnitTest){names[i], check_row, NULL, NULL, (void *)(uintptr_t)&rows[i]};
    }
    memcpy(tests + LIVE_COUNT(rows), others, sizeof others);
    return live_main("faults", tests, LIVE_COUNT(tests), argc, argv);
}
