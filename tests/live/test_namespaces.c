/*
 * test_namespaces.c - processes in other mount and PID namespaces: their files
 * are found, and their ids are those that the tracer sees.
 */
#include "running.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIXTURE FIXTURE_DIR "/fixture-static"
#define HIDDEN  "/tmp/vastrace-namespace"

static bool copy_program(const char *from, const char *to)
{
    struct stat st;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    bool done = in >= 0 && out >= 0 && fstat(in, &st) == 0;

    for (off_t left = done ? st.st_size : 0; left > 0;) {
        ssize_t n = sendfile(out, in, NULL, (size_t)left);

        if (n <= 0)
            return false;
        left -= n;
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return done;
}

/* In a child: a namespace in which the program lies where nobody else sees it. */
static void enter_namespaces(void)
{
    pid_t init;
    int status;

    if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", HIDDEN, "tmpfs", 0, "") < 0 || !copy_program(FIXTURE, HIDDEN "/hidden"))
        _exit(77);
    close_range(3, ~0U, 0); /* the other ends of the pipes */
    init = fork();          /* the first process of the new namespace */
    if (init == 0)
        return;
    close(0);
    close(1);
    while (waitpid(init, &status, 0) < 0 && errno == EINTR)
        ;
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
}

static bool can_enter(void)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        bool may = unshare(CLONE_NEWNS | CLONE_NEWPID) == 0 &&
                   mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;

        _exit(may ? 0 : 1);
    }
    return waitpid(child, &status, 0) == child && status == 0;
}

static void prepare(void)
{
    if (!live_exists(FIXTURE))
        live_skip("a static program could not be built");
    if (!can_enter())
        live_skip("new namespaces need privilege here");
    mkdir(HIDDEN, 0755);
}

/* The process inside: the child of the one that was started. */
static pid_t inner(pid_t outer)
{
    char path[64];
    int child = 0;
    FILE *stream;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)outer, (int)outer);
    stream = fopen(path, "r");
    if (stream && fscanf(stream, "%d", &child) != 1)
        child = 0;
    if (stream)
        fclose(stream);
    assert_true(child > 0);
    return child;
}

/* Every region of the image that exists only there is known by its sections. */
static void assert_image_known(struct live_result *result, pid_t pid)
{
    static const char *const kinds[] = {"text", "rodata", "data"};
    size_t found[LIVE_COUNT(kinds)] = {0};
    const struct json *record;
    size_t cursor = 0;

    while ((record = live_next(result, &cursor))) {
        if (json_number(record, "pid") != (uint64_t)pid)
            continue;
        json_for_each(change, json_get(record, "changes")) {
            const char *image = json_text(change, "image");

            if (strcmp(json_text(change, "kind"), "file") == 0 &&
                strstr(json_text(json_get(change, "object"), "name"), "hidden"))
                live_fail(result, "a part of the hidden image is not known");
            for (size_t k = 0; k < LIVE_COUNT(kinds); k++)
                found[k] += strcmp(json_text(change, "kind"), kinds[k]) == 0 &&
                            strstr(image, "hidden") != NULL;
        }
    }
    for (size_t k = 0; k < LIVE_COUNT(kinds); k++)
        if (found[k] == 0)
            live_fail(result, "no %s of the hidden image", kinds[k]);
}

static void check_attach(void **state)
{
    static const char *const argv[] = {HIDDEN "/hidden", "busy", "forks", "1", NULL};
    struct running running;
    struct tracing tracing;
    const struct json *record;
    size_t cursor = 0, children = 0;
    pid_t pid;

    (void)state;
    prepare();
    running_start(&running, argv, enter_namespaces);
    /* It is the first process of its own namespace, and another one in ours. */
    assert_string_equal(running_await(&running, "ready="), "1");
    pid = inner(running.pid);
    assert_false(live_exists(HIDDEN "/hidden"));
    tracing_start(&tracing, NULL, (const pid_t[]){pid, 0});
    running_order(&running, "m");
    running_await(&running, "mapped=");
    running_order(&running, "p");
    running_await(&running, "progress=");
    tracing_end(&tracing, SIGINT);
    live_assert_exited(&tracing.result, 0);
    live_assert_exact(&tracing.result, LIVE_MAY_BE_UNCERTAIN);
    assert_image_known(&tracing.result, pid);
    while ((record = live_next(&tracing.result, &cursor))) {
        if (strcmp(json_text(record, "cause"), "fork") != 0)
            continue;
        children++;
        if (json_number(record, "parent") != (uint64_t)pid)
            live_fail(&tracing.result, "a child of %s", json_get(record, "parent")->text);
        if (json_number(record, "pid") < 100 && pid > 1000)
            live_fail(&tracing.result, "a child's id is that of its own namespace");
    }
    assert_true(children > 0);
    assert_left_alone(pid, false, "in its namespace");
    running_order(&running, "e");
    assert_string_equal(running_await(&running, "errors="), "0");
    tracing_free(&tracing);
    assert_int_equal(running_end(&running), 0);
    rmdir(HIDDEN);
}

/* Launched into them by another program. */
static void check_launch(void **state)
{
    struct live_result result;
    char command[1024];
    const struct json *record;
    size_t cursor = 0;
    pid_t pid = 0;

    (void)state;
    prepare();
    if (!live_exists("/usr/bin/unshare"))
        live_skip("no unshare(1)");
    snprintf(command, sizeof command,
             "mount -t tmpfs none %s && cp %s %s/hidden && exec %s/hidden exec-storm 3", HIDDEN,
             FIXTURE, HIDDEN, HIDDEN);
    live_run(&result, NULL, "/usr/bin/unshare", "-m", "-p", "--fork", "sh", "-c", command);
    live_assert_exited(&result, 0);
    live_assert_exact(&result, 0);
    while ((record = live_next(&result, &cursor)))
        if (strcmp(json_text(record, "cause"), "exec") == 0 &&
            strstr(json_text(json_get(record, "exec"), "path"), "hidden") && !pid)
            pid = (pid_t)json_number(record, "pid");
    if (!pid)
        live_fail(&result, "the hidden program is not in the timeline");
    if (strstr(result.out, "ready=1\n") == NULL)
        live_fail(&result, "it is not the first process of its namespace");
    assert_true(pid > 1);
    assert_image_known(&result, pid);
    live_free(&result);
    rmdir(HIDDEN);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_attach),
        cmocka_unit_test(check_launch),
    };

    signal(SIGPIPE, SIG_IGN);
    return live_main("namespaces", tests, LIVE_COUNT(tests), argc, argv);
}
