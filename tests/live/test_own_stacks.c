/*
 * test_own_stacks.c - each thread's own stack is known as such: where it lies,
 * how deep it was seen, and which calls were made from another one; malloc's
 * arenas are heap, and said to be inferred.
 */
#include "live.h"

#include <stdlib.h>
#include <string.h>

static const char *const programs[] = {"fixture", "fixture-static", "fixture-nopie", "fixture-m32"};

#define MOST_PATH 512

static bool find_program(const char *name, char path[MOST_PATH])
{
    snprintf(path, MOST_PATH, "%s/%s", FIXTURE_DIR, name);
    return live_exists(path);
}

/* The stack that the mmap of so many pages was made from: "own", "other", ...; "" where none. */
static const char *stack_of_mmap(struct live_result *result, unsigned pages)
{
    const struct json *record;
    size_t cursor = 0;

    while ((record = live_next(result, &cursor))) {
        const struct json *change = json_get(record, "changes");
        const char *cause = json_text(record, "cause");

        if ((strcmp(cause, "mmap") != 0 && strcmp(cause, "mmap2") != 0) || !change ||
            !change->first)
            continue;
        change = change->first;
        if (json_number(change, "end") - json_number(change, "start") == 4096ul * pages)
            return json_text(record, "sp_on");
    }
    return "";
}

static void check_places(const char *scenario, const char *expected)
{
    for (size_t i = 0; i < LIVE_COUNT(programs); i++) {
        struct live_result result;
        char path[MOST_PATH];

        if (!find_program(programs[i], path))
            continue;
        live_run(&result, NULL, path, scenario);
        live_assert_exited(&result, 0);
        live_assert_proven(&result, 0);
        assert_string_equal(stack_of_mmap(&result, 10), "own");
        assert_string_equal(stack_of_mmap(&result, 11), expected);
        assert_string_equal(stack_of_mmap(&result, 12), "own");
        live_free(&result);
    }
}

static void check_alternate(void **state)
{
    (void)state;
    check_places("on-alternate", "alternate");
}

static void check_coroutine(void **state)
{
    (void)state;
    check_places("on-coroutine", "other");
}

/* The entry of the exit event's list of stacks for a thread; null if there is none. */
static const struct json *stack_use(struct live_result *result, uint64_t tid)
{
    const struct json *record;
    size_t cursor = 0;

    while ((record = live_next(result, &cursor))) {
        const struct json *ends = json_get(record, "exit");

        if (!ends)
            continue;
        json_for_each(use, json_get(ends, "stacks"))
            if (json_number(use, "tid") == tid)
                return use;
    }
    return NULL;
}

static void check_depth(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(programs); i++) {
        struct live_result result;
        char path[MOST_PATH], key[16];

        if (!find_program(programs[i], path))
            continue;
        live_run(&result, NULL, path, "deep-threads");
        live_assert_exited(&result, 0);
        live_assert_proven(&result, 0);
        for (unsigned t = 0; t < 3; t++) {
            uint64_t tid, low, high, depth = live_fact_number(&result, "depth", 10);
            const struct json *use;

            snprintf(key, sizeof key, "tid%u", t);
            tid = live_fact_number(&result, key, 10);
            snprintf(key, sizeof key, "low%u", t);
            low = live_fact_number(&result, key, 16);
            snprintf(key, sizeof key, "high%u", t);
            high = live_fact_number(&result, key, 16);
            use = stack_use(&result, tid);
            assert_non_null(use);
            assert_false(json_true(use, "main"));
            assert_int_equal(json_number(use, "low"), low);
            assert_int_equal(json_number(use, "high"), high);
            assert_int_equal(json_number(use, "floor"), low);
            assert_true(json_number(use, "sp_lowest") >= low);
            assert_true(high - json_number(use, "sp_lowest") >= depth);
            assert_true(high - json_number(use, "sp_lowest") < depth + 8 * 4096);
        }
        live_free(&result);
    }
}

/* The kind of the last change that covers an address, and whether it is said to be inferred. */
static const char *kind_at(struct live_result *result, uint64_t addr, bool *inferred)
{
    const struct json *record;
    static char kind[32];
    size_t cursor = 0;

    kind[0] = '\0';
    while ((record = live_next(result, &cursor))) {
        if (json_get(record, "exit"))
            break;
        json_for_each(change, json_get(record, "changes")) {
            if (json_number(change, "start") > addr || addr >= json_number(change, "end"))
                continue;
            snprintf(kind, sizeof kind, "%s", json_text(change, "kind"));
            *inferred = strcmp(json_text(change, "inferred"), "arena") == 0;
        }
    }
    return kind;
}

static void check_arena(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(programs); i++) {
        struct live_result result;
        char path[MOST_PATH];
        bool inferred = false;
        uint64_t addr;

        if (!find_program(programs[i], path))
            continue;
        live_run(&result, NULL, path, "arena");
        live_assert_exited(&result, 0);
        live_assert_proven(&result, 0);
        addr = live_fact_number(&result, "allocated", 16);
        assert_string_equal(kind_at(&result, addr, &inferred), "heap");
        assert_true(inferred);
        live_free(&result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_alternate),
        cmocka_unit_test(check_coroutine),
        cmocka_unit_test(check_depth),
        cmocka_unit_test(check_arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
