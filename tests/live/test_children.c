/*
 * test_children.c - processes and threads: copied, shared, replaced and left
 * behind; each address space is exact, and no child meets a call that fails
 * because it is traced.
 */
#include "live.h"

#include <stdlib.h>
#include <string.h>

struct row {
    const char *name;
    const char *arguments[5]; /* of the fixture */
    int status;
    const char *line;  /* one that the fixture prints; may be null */
    const char *cause; /* of events that there must be; may be null */
    size_t causes;     /* at least so many of them */
    unsigned allowances;
    const char *program; /* null: the usual one */
};

/*
 * Where a process ends or execs while its threads map memory, they are killed in
 * the midst of calls: what those did, only the kernel can say.
 */
enum { AT_ONCE = LIVE_MAY_BE_UNCERTAIN | LIVE_MAY_RESYNC };

/* clang-format off */
static const struct row rows[] = {
    {"fork", {"fork"}, 0, "child=exited 7", "fork", 1, 0, NULL},
    {"fork, static", {"fork"}, 0, "child=exited 7", "fork", 1, 0, "fixture-static"},
    {"fork, 32-bit", {"fork"}, 0, "child=exited 7", "fork", 1, 0, "fixture-m32"},
    {"fork from a thread", {"fork"}, 0, "child=exited 7", "fork", 1, 0, "fixture-threaded"},
    {"fork from a stack that has grown", {"fork-deep"}, 0, "child=exited 7", "fault", 2, 0, NULL},
    {"fork from a stack that has grown, 32-bit", {"fork-deep"}, 0, "child=exited 7", "fault", 2, 0,
     "fixture-m32"},
    {"fork, both busy", {"fork-both", "300"}, 0, "child=exited 0", "fork", 1, 0, NULL},
    {"many children", {"fork-many", "100"}, 0, "children=100", "fork", 100, 0, NULL},
    {"a tree of children", {"fork-tree", "5"}, 5, NULL, "fork", 5, 0, NULL},
    {"MADV_DONTFORK", {"madvise-fork"}, 0, "child=exited 0", "fork", 1, 0, NULL},
    {"vfork and exec", {"vfork"}, 0, "child=exited 9", "thread", 1, 0, NULL},
    {"vfork and exec, 32-bit", {"vfork"}, 0, "child=exited 9", "thread", 1, 0, "fixture-m32"},
    {"vfork and map", {"vfork-map"}, 0, "child=exited 8", "thread", 1, 0, NULL},
    {"posix_spawn", {"spawn"}, 0, "child=exited 6", "exec", 2, 0, NULL},
    {"system(3)", {"shell"}, 0, "system=1280", "exec", 2, 0, NULL},
    {"CLONE_UNTRACED", {"clone-untraced"}, 0, "child=exited 0", "fork", 1, 0, NULL},
    {"CLONE_UNTRACED, clone3", {"clone3-untraced"}, 0, "child=exited 0", "fork", 1, 0, NULL},
    {"CLONE_UNTRACED, 32-bit", {"clone-untraced"}, 0, "child=exited 0", "fork", 1, 0,
     "fixture-m32"},
    {"CLONE_VM without CLONE_THREAD", {"clone-shared"}, 0, "child=exited 11", "thread", 1, 0, NULL},
    {"a child outlives its parent", {"orphan"}, 2, NULL, "exit", 2, 0, NULL},
    {"children that are killed", {"child-killed"}, 0, "child=signal 15", "exit", 5, 0, NULL},
    {"a stopped child", {"stopped-child"}, 0, "child=exited 13", "fork", 1, 0, NULL},
    {"a script", {"exec-script"}, 0, "script=exited 0", "exec", 2, 0, NULL},
    {"a program with a hostile name", {"exec-hostile"}, 0, "hostile=exited 0", "exec", 2, 0, NULL},

    {"one thread", {"threads-map", "1", "500"}, 0, "operations=500", "thread", 1, 0, NULL},
    {"4 threads that map", {"threads-map", "4", "500"}, 0, "operations=2000", "thread", 4, 0, NULL},
    {"16 threads that map", {"threads-map", "16", "250"}, 0, "operations=4000", "thread", 16, 0,
     NULL},
    {"4 threads that map, static", {"threads-map", "4", "300"}, 0, "operations=1200", "thread", 4,
     0, "fixture-static"},
    {"4 threads that map, 32-bit", {"threads-map", "4", "300"}, 0, "operations=1200", "thread", 4,
     0, "fixture-m32"},
    {"threads that come and go", {"threads-churn", "30", "8"}, 0, "threads=240", "thread", 240, 0,
     NULL},
    {"fork while threads map", {"thread-fork"}, 0, "child=exited 0", "fork", 1, 0, NULL},
    {"fork, and both move the break", {"fork-break"}, 0, "children=100", "fork", 100, 0, NULL},
    {"fork while the break moves", {"thread-fork-break"}, 0, "children=300", "fork", 300, 0, NULL},
    {"fork while what grows is mapped", {"thread-fork-grows"}, 0, "children=300", "fork", 300, 0,
     NULL},
    {"exec by a thread", {"thread-exec", "1"}, 12, NULL, "exec", 2, 0, NULL},
    {"exec by a thread while others map", {"thread-exec", "6"}, 12, NULL, "exec", 2, AT_ONCE, NULL},
    {"exit while threads map", {"thread-exit", "6"}, 14, NULL, "thread", 6, AT_ONCE, NULL},
    {"the leader ends first", {"leader-exit"}, 0, NULL, "thread", 2, 0, NULL},
    {"a call that blocks", {"blocked", "20"}, 0, NULL, "thread", 1,
     LIVE_MAY_BE_UNCERTAIN | LIVE_MAY_RESYNC, NULL},
};
/* clang-format on */

static void check_row(void **state)
{
    const struct row *row = *state;
    struct live_result result;
    const char *argv[8];
    char path[512];
    size_t count = 0;

    snprintf(path, sizeof path, "%s/%s", FIXTURE_DIR, row->program ? row->program : "fixture");
    if (!live_exists(path))
        live_skip("%s could not be built", row->program);
    argv[count++] = path;
    for (size_t i = 0; row->arguments[i]; i++)
        argv[count++] = row->arguments[i];
    argv[count] = NULL;
    live_run_program(VASTRACE_PROGRAM, &result, NULL, argv);
    live_assert_exited(&result, row->status);
    live_assert_proven(&result, row->allowances);
    live_skip_if_said(&result);
    if (row->line && live_count_lines(&result, row->line) == 0)
        live_fail(&result, "the fixture did not say %s", row->line);
    if (row->cause && live_count_cause(&result, row->cause) < row->causes)
        live_fail(&result, "%zu events of cause %s, expected at least %zu",
                  live_count_cause(&result, row->cause), row->cause, row->causes);
    live_free(&result);
}

/* A copy of a space without the ranges that are not to be copied. */
static void check_dontfork(void **state)
{
    struct live_result result;
    const struct json *record;
    size_t cursor = 0;
    uint64_t lowest = UINT64_MAX, bytes = 0;

    (void)state;
    live_run(&result, NULL, FIXTURE_DIR "/fixture", "madvise-fork");
    while ((record = live_next(&result, &cursor))) {
        if (strcmp(json_text(record, "cause"), "fork") != 0)
            continue;
        json_for_each(change, json_get(record, "changes")) {
            uint64_t start = json_number(change, "start");

            if (start < 0x200000000000 || start >= 0x200001000000)
                continue;
            lowest = start < lowest ? start : lowest;
            bytes += json_number(change, "end") - start;
        }
    }
    /* Nine pages, less one not to be copied, one unmapped and two around the hole. */
    assert_int_equal(lowest, 0x200000000000);
    assert_int_equal(bytes, 5 * 4096);
    live_free(&result);
}

/* --no-follow leaves the children's events out, and they run on unharmed. */
static void check_no_follow(void **state)
{
    static const char *const more[] = {"--no-follow", NULL};
    const struct live_options options = {.options = more};
    struct live_result result;
    const struct json *record;
    size_t cursor = 0;
    uint64_t pid = 0;

    (void)state;
    live_run(&result, &options, FIXTURE_DIR "/fixture", "fork-many", "20");
    live_assert_exited(&result, 0);
    assert_int_equal(live_count_lines(&result, "children=20"), 1);
    while ((record = live_next(&result, &cursor))) {
        if (strcmp(json_text(record, "type"), "event") != 0)
            continue;
        if (pid == 0)
            pid = json_number(record, "pid");
        if (json_number(record, "pid") != pid)
            live_fail(&result, "an event of another process, #%s", json_get(record, "seq")->text);
    }
    live_free(&result);
}

/* Threads share their space; a forked child has one of its own. */
static void check_spaces(void **state)
{
    struct live_result result;
    const struct json *record;
    size_t cursor = 0;
    uint64_t root = 0, copies = 0;

    (void)state;
    live_run(&result, NULL, FIXTURE_DIR "/fixture", "thread-fork");
    while ((record = live_next(&result, &cursor))) {
        const char *cause = json_text(record, "cause");
        uint64_t space = json_number(record, "space");

        if (strcmp(json_text(record, "type"), "event") != 0)
            continue;
        if (root == 0)
            root = space;
        if (strcmp(cause, "thread") == 0)
            assert_int_equal(space, root);
        if (strcmp(cause, "fork") == 0) {
            assert_int_not_equal(space, root);
            copies++;
        }
    }
    assert_int_equal(copies, 1);
    live_free(&result);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(check_dontfork),
        cmocka_unit_test(check_no_follow),
        cmocka_unit_test(check_spaces),
    };
    struct CMUnitTest tests[LIVE_COUNT(rows) + LIVE_COUNT(others)];

    for (size_t i = 0; i < LIVE_COUNT(rows); i++)
        tests[i] =
            (struct CMUnitTest){rows[i].name, check_row, NULL, NULL, (void *)(uintptr_t)&rows[i]};
    memcpy(tests + LIVE_COUNT(rows), others, sizeof others);
    return live_main("children", tests, LIVE_COUNT(tests), argc, argv);
}
