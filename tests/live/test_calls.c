/*
 * test_calls.c - every call that can change a map, in every kind of program:
 * the timeline has the changes that the fixture says it made, replays to the
 * map that the kernel shows, and the model agreed at every stop.
 */
#include "live.h"

#include <stdlib.h>
#include <string.h>

static const char *const programs[] = {
    "fixture",     "fixture-nopie",    "fixture-static",   "fixture-static-pie",
    "fixture-m32", "fixture-threaded", "fixture-stripped",
};

/* Scenarios of fixtures/, by table. */
/* clang-format off */
static const char *const scenarios[] = {
    "mmap-fixed-holes", "mmap-fixed-part", "mmap-fixed-whole", "mmap-noreplace",
    "mmap-shared-anon", "mmap-dev-zero", "mmap-file", "mmap-odd", "mmap-growsdown", "mmap-flags",
    "mmap-place", "mmap-hugetlb", "mmap-memfd", "mmap-memfd-hugetlb", "mmap-secret",
    "mmap-refused", "mmap-many",

    "munmap-whole", "munmap-parts", "munmap-across", "munmap-refused", "munmap-sealed",
    "mprotect-parts", "mprotect-hole", "mprotect-sealed", "mprotect-file", "mprotect-growsdown",
    "mprotect-stack", "pkey-mprotect", "madvise", "madvise-hole", "madvise-fork", "madvise-guard",
    "madvise-process", "mlock", "mlockall", "limit-as",

    "mremap-shrink", "mremap-shrink-across", "mremap-grow", "mremap-grow-part",
    "mremap-grow-move", "mremap-fixed", "mremap-fixed-over", "mremap-fixed-resize", "mremap-part",
    "mremap-file", "mremap-several", "mremap-duplicate", "mremap-dontunmap", "mremap-hole",
    "mremap-grow-across", "mremap-refused", "mremap-sealed", "mremap-odd", "remap-file-pages",

    "brk", "brk-unaligned", "brk-refused", "brk-limit", "brk-holes", "brk-neighbour",
    "read-implies-exec", "prctl-name", "prctl-break", "prctl-stack", "stack-deep", "stack-wall",

    "shmat", "shmat-remap", "shmat-cut", "aio", "vdso-unmap", "vdso-move", "vdso-again", "names",
    "renamed", "int80", "old-mmap", "kvm",
};
/* clang-format on */

struct row {
    const char *program;
    const char *scenario;
    char name[80];
};

static void check_scenario(void **state)
{
    const struct row *row = *state;
    struct live_result result;
    char path[512];

    snprintf(path, sizeof path, "%s/%s", FIXTURE_DIR, row->program);
    if (!live_exists(path))
        live_skip("%s could not be built", row->program);
    live_run(&result, NULL, path, row->scenario);
    live_assert_exited(&result, 0);
    live_assert_exact(&result, 0);
    assert_true(live_assert_replay(&result) > 0);
    live_assert_expected(&result);
    live_skip_if_said(&result);
    live_free(&result);
}

/* Scenarios that only one kind of program has. */
static bool has(const char *program, const char *scenario)
{
    return strcmp(scenario, "old-mmap") != 0 || strcmp(program, "fixture-m32") == 0;
}

int main(int argc, char **argv)
{
    size_t most = LIVE_COUNT(programs) * LIVE_COUNT(scenarios), count = 0;
    struct row *rows = calloc(most, sizeof *rows);
    struct CMUnitTest *tests = calloc(most, sizeof *tests);
    int status;

    if (!rows || !tests)
        return 1;
    for (size_t p = 0; p < LIVE_COUNT(programs); p++) {
        for (size_t s = 0; s < LIVE_COUNT(scenarios); s++) {
            struct row *row = &rows[count];

            if (!has(programs[p], scenarios[s]))
                continue;
            row->program = programs[p];
            row->scenario = scenarios[s];
            snprintf(row->name, sizeof row->name, "%s:%s", programs[p], scenarios[s]);
            tests[count++] = (struct CMUnitTest){row->name, check_scenario, NULL, NULL, row};
        }
    }
    status = live_main("calls", tests, count, argc, argv);
    free(rows);
    free(tests);
    return status;
}
