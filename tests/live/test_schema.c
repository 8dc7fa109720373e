/*
 * test_schema.c - real timelines against contrib/schema, by a real validator.
 */
#include "live.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define SCHEMA    SOURCE_DIR "/contrib/schema/timeline.schema.json"
#define VALIDATOR SOURCE_DIR "/tests/validate.py"

/* An interpreter that has the validator's module; null if none has. */
static const char *validator_python(void)
{
    static const char *const candidates[] = {PYTHON3, "/usr/bin/python3", "python3"};

    for (size_t i = 0; i < LIVE_COUNT(candidates); i++) {
        struct live_result result;
        bool works;

        live_run_untraced(&result, NULL,
                          (const char *const[]){candidates[i], "-c", "import jsonschema", NULL});
        works = WIFEXITED(result.status) && WEXITSTATUS(result.status) == 0;
        live_free(&result);
        if (works)
            return candidates[i];
    }
    return NULL;
}

static const struct {
    const char *program;
    const char *arguments[3];
} rows[] = {
    {"fixture", {"exit"}},
    {"fixture", {"mmap-refused"}},
    {"fixture", {"mremap-fixed-over"}},
    {"fixture", {"mremap-dontunmap"}},
    {"fixture", {"dlopen"}},
    {"fixture", {"names"}},
    {"fixture", {"exec-hostile"}},
    {"fixture", {"exec-chain", "2"}},
    {"fixture", {"fork"}},
    {"fixture", {"vfork"}},
    {"fixture", {"threads-map", "3", "50"}},
    {"fixture", {"shmat"}},
    {"fixture", {"aio"}},
    {"fixture", {"stack-deep"}},
    {"fixture", {"kill", "11"}},
    {"fixture", {"fault", "guard"}},
    {"fixture", {"vdso-move"}},
    {"fixture", {"mmap-hugetlb"}},
    {"fixture-static", {"brk"}},
    {"fixture-m32", {"shmat"}},
    {"fixture-stripped", {"exit"}},
};

static void validate(const char *python, struct live_result *traced)
{
    struct live_result result;

    live_run_untraced(
        &result, NULL,
        (const char *const[]){python, VALIDATOR, SCHEMA, traced->timeline_path, NULL});
    if (!WIFEXITED(result.status) || WEXITSTATUS(result.status) != 0)
        live_fail(&result, "the timeline of %s is not valid", traced->title);
    live_free(&result);
}

static void check_fixtures(void **state)
{
    const char *python = validator_python();

    (void)state;
    if (!python)
        live_skip("no Python with the module jsonschema");
    for (size_t i = 0; i < LIVE_COUNT(rows); i++) {
        struct live_result traced;
        char path[512];

        snprintf(path, sizeof path, "%s/%s", FIXTURE_DIR, rows[i].program);
        if (!live_exists(path))
            continue;
        live_run(&traced, NULL, path, rows[i].arguments[0], rows[i].arguments[1],
                 rows[i].arguments[1] ? rows[i].arguments[2] : NULL);
        validate(python, &traced);
        live_free(&traced);
    }
}

static void check_programs(void **state)
{
    static const char *const programs[][4] = {
        {"/bin/sh", "-c", "ls / | sort | head -1; exit 3"},
        {"/usr/bin/python3", "-c", "import json"},
    };
    static const char *const all[] = {"--all-syscalls", NULL};
    const struct live_options options[] = {{0}, {.options = all}};
    const char *python = validator_python();

    (void)state;
    if (!python)
        live_skip("no Python with the module jsonschema");
    for (size_t i = 0; i < LIVE_COUNT(programs); i++) {
        for (size_t o = 0; o < LIVE_COUNT(options); o++) {
            struct live_result traced;

            if (!live_exists(programs[i][0]))
                continue;
            live_run_program(VASTRACE_PROGRAM, &traced, &options[o], programs[i]);
            validate(python, &traced);
            live_free(&traced);
        }
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_fixtures),
        cmocka_unit_test(check_programs),
    };

    return live_main("schema", tests, LIVE_COUNT(tests), argc, argv);
}
