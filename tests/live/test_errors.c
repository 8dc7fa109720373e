/*
 * test_errors.c - bad input: one clear line, the documented status, and the
 * traced program unharmed.
 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIXTURE FIXTURE_DIR "/fixture"

/* One line on standard error, from vastrace, safe for a terminal. */
static void assert_one_line(const struct live_result *result)
{
    size_t lines = 0;

    for (const char *at = result->err; (at = strchr(at, '\n')); at++)
        lines++;
    if (lines != 1 || strncmp(result->err, "vastrace: ", 10) != 0)
        live_fail(result, "%zu lines on standard error, expected one that begins 'vastrace: '",
                  lines);
    for (size_t i = 0; i < result->err_length; i++)
        if ((unsigned char)result->err[i] < 0x20 && result->err[i] != '\n')
            live_fail(result, "a control character on standard error");
}

static void assert_says(const struct live_result *result, const char *what)
{
    if (!strstr(result->err, what))
        live_fail(result, "standard error does not say '%s'", what);
}

/* --- /proc --- */

/* Without the right /proc nothing is known of a map, or that of others is: no trace at all. */
static void check_proc(void **state)
{
    static const struct {
        const char *flag, *before, *says;
    } rows[] = {
        {"--pid", ":", "/proc is that of another PID namespace"},
#ifndef __SANITIZE_ADDRESS__ /* which cannot do without /proc either */
        {"--mount", "umount -l /proc", "cannot trace without /proc"},
#endif
    };

    (void)state;
    if (!live_exists("/usr/bin/unshare"))
        live_skip("no unshare(1)");
    for (size_t i = 0; i < LIVE_COUNT(rows); i++) {
        char command[1024];
        struct live_result result;

        snprintf(command, sizeof command, "%s && exec %s --verify -- %s exit 0", rows[i].before,
                 VASTRACE_PROGRAM, FIXTURE);
        live_run_untraced(&result, NULL,
                          (const char *const[]){"/usr/bin/unshare", rows[i].flag, "--fork", "sh",
                                                "-c", command, NULL});
        if (strstr(result.err, "unshare failed"))
            live_skip("new namespaces need privilege here");
        live_assert_exited(&result, 125);
        assert_one_line(&result);
        assert_says(&result, rows[i].says);
        live_free(&result);
    }
}

/* --- programs that cannot run --- */

/* Make a directory with odd things to run. */
static void make_oddities(char directory[64])
{
    static const char interpreter[] = "#!/nonexistent/interpreter\n";
    static const char plain[] = "no program\n";
    char path[128];

    snprintf(directory, 64, "/tmp/vastrace-odd-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/script", directory);
    live_write_file(path, interpreter, sizeof interpreter - 1, 0755);
    snprintf(path, sizeof path, "%s/plain", directory);
    live_write_file(path, plain, sizeof plain - 1, 0755);
    snprintf(path, sizeof path, "%s/forbidden", directory);
    live_write_file(path, plain, sizeof plain - 1, 0644);
    snprintf(path, sizeof path, "%s/cut", directory);
    live_write_file(path, "\177ELF\002\001\001", 7, 0755);
}

static void remove_oddities(const char *directory)
{
    static const char *const names[] = {"script", "plain", "forbidden", "cut"};
    char path[128];

    for (size_t i = 0; i < LIVE_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
}

static void check_cannot_run(void **state)
{
    static const struct {
        const char *name; /* in the directory; or absolute */
        int status;
    } rows[] = {
        {"/nonexistent/program", 127},
        {"vastrace-no-such-program", 127},
        {"", 127},
        {"/tmp", 126},
        {"/etc/passwd/x", 126},
        {"/dev/null", 126},
        {"forbidden", 126},
        {"cut", 126},
        {"plain", 126},
        {"script", 127},
    };
    char directory[64];

    (void)state;
    /* A directory of PATH that may not be searched would make "not found" a refusal. */
    setenv("PATH", "/usr/bin:/bin", 1);
    make_oddities(directory);
    for (size_t i = 0; i < LIVE_COUNT(rows); i++) {
        struct live_result result;
        char path[128];

        if (rows[i].name[0] == '/' || i < 3)
            snprintf(path, sizeof path, "%s", rows[i].name);
        else
            snprintf(path, sizeof path, "%s/%s", directory, rows[i].name);
        live_run(&result, NULL, path);
        live_assert_exited(&result, rows[i].status);
        assert_one_line(&result);
        if (path[0])
            assert_says(&result, path);
        live_free(&result);
    }
    remove_oddities(directory);
}

/* ELF files that lie: what cannot run gives 126 or 127, and what runs is traced exactly. */
static void check_malformed_kind(const char *directory, const char *kind, bool fails)
{
    struct live_result result, untraced;
    char path[256], nothing[8];

    snprintf(path, sizeof path, "%s/%s", directory, kind);
    assert_true(
        live_capture((const char *const[]){FIXTURE_DIR "/elfmaker", kind, FIXTURE, path, NULL},
                     nothing, sizeof nothing));
    /* The kernel decides what runs. The fixture says with 98 that its exec failed. */
    live_run_untraced(&untraced, NULL,
                      (const char *const[]){FIXTURE, "exec-program", path, "brk", NULL});
    live_run(&result, NULL, path, "brk");
    if (WIFSIGNALED(untraced.status)) {
        live_assert_signaled(&result, WTERMSIG(untraced.status));
    } else if (WEXITSTATUS(untraced.status) == 98) {
        live_assert_exited(&result, strstr(untraced.out, "ENOENT") ? 127 : 126);
        assert_one_line(&result);
    } else {
        live_assert_exited(&result, WEXITSTATUS(untraced.status));
        live_assert_proven(&result, 0);
        if (fails)
            live_fail(&untraced, "was expected to fail");
    }
    unlink(path);
    live_free(&result);
    live_free(&untraced);
}

static void check_malformed(void **state)
{
    char list[4096], directory[] = "/tmp/vastrace-elf-XXXXXX", *left = list, *line;

    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_true(live_capture((const char *const[]){FIXTURE_DIR "/elfmaker", "list", NULL}, list,
                             sizeof list));
    while ((line = strsep(&left, "\n")) && *line) {
        char kind[64], expected[16];

        assert_int_equal(sscanf(line, "%63s %15s", kind, expected), 2);
        check_malformed_kind(directory, kind, strcmp(expected, "fails") == 0);
    }
    rmdir(directory);
}

/* A hostile name in a message does not reach the terminal as it is. */
static void check_hostile_message(void **state)
{
    struct live_result result;

    (void)state;
    live_run(&result, NULL, "/nonexistent/\033[31mred\nline");
    live_assert_exited(&result, 127);
    assert_one_line(&result);
    live_free(&result);
}

/* --- the command line --- */

static void check_usage(void **state)
{
    static const char *const rows[][5] = {
        {NULL},
        {"--no-such-option", "true"},
        {"-F", "no-such-format", "true"},
        {"-o"},
        {"--kinds", "no-such-kind", "true"},
        {"--duration", "soon", "true"},
        {"--color", "purple", "true"},
        {"-p", "nobody"},
        {"--cpu", "x", "true"},
        {"--cpu", "0", "-p", "1"},
        {"--cpu", "1023", "true"},
        {"layout", "999999999"},
    };

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(rows); i++) {
        const struct live_options options = {.options = rows[i], .bare = true};
        struct live_result result;

        live_run_program(VASTRACE_PROGRAM, &result, &options, (const char *const[]){NULL});
        live_assert_exited(&result, 125);
        if (strncmp(result.err, "vastrace: ", 10) != 0)
            live_fail(&result, "standard error does not begin 'vastrace: '");
        assert_int_equal(result.out_length, 0);
        live_free(&result);
    }
}

/* --- outputs that cannot be written --- */

static void check_cannot_open(void **state)
{
    static const char *const outputs[] = {"/nonexistent/t.jsonl", "/tmp", "/proc/t.jsonl"};

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(outputs); i++) {
        const char *const more[] = {"-o", outputs[i], NULL};
        const struct live_options options = {.options = more, .bare = true};
        struct live_result result;

        live_run(&result, &options, FIXTURE, "arguments", "it-ran");
        live_assert_exited(&result, 125);
        assert_one_line(&result);
        assert_says(&result, outputs[i]);
        /* Nothing was started for an output that is not to be had. */
        assert_int_equal(live_count_lines(&result, "argument=it-ran"), 0);
        live_free(&result);
    }
}

/* The program went on to its end, and the failed output was told of once. */
static void assert_unharmed(const struct live_result *result, int status)
{
    live_assert_exited(result, status);
    if (!strstr(result->out, "maps=end\n"))
        live_fail(result, "the program did not go on to its end");
}

static void check_full_device(void **state)
{
    static const char *const more[] = {"-q", "-o", "/dev/full", NULL};
    const struct live_options options = {.options = more, .bare = true};
    struct live_result result;

    (void)state;
    if (!live_exists("/dev/full"))
        live_skip("no /dev/full");
    live_run(&result, &options, FIXTURE, "loop-mmap", "3000");
    assert_unharmed(&result, 125);
    assert_one_line(&result);
    assert_says(&result, "/dev/full");
    live_free(&result);
}

static void check_full_disk(void **state)
{
    static const char *const formats[] = {"t.jsonl", "t.txt"};
    char directory[] = "/tmp/vastrace-disk-XXXXXX";
    struct live_result results[LIVE_COUNT(formats)];
    char path[128];

    (void)state;
    assert_non_null(mkdtemp(directory));
    if (mount("none", directory, "tmpfs", 0, "size=64k") < 0) {
        rmdir(directory);
        live_skip("a file system cannot be mounted: %s", strerror(errno));
    }
    for (size_t i = 0; i < LIVE_COUNT(formats); i++) {
        const char *const more[] = {"-q", "-o", path, NULL};
        const struct live_options options = {.options = more, .bare = true};

        snprintf(path, sizeof path, "%s/%s", directory, formats[i]);
        live_run(&results[i], &options, FIXTURE, "loop-mmap", "3000");
        unlink(path);
    }
    umount(directory);
    rmdir(directory);
    for (size_t i = 0; i < LIVE_COUNT(formats); i++) {
        assert_unharmed(&results[i], 125);
        assert_one_line(&results[i]);
        live_free(&results[i]);
    }
}

/* One output fails, the other is whole. */
static void check_one_of_two(void **state)
{
    static const char *const more[] = {"-o", "/dev/full", NULL};
    const struct live_options options = {.options = more};
    struct live_result result;

    (void)state;
    if (!live_exists("/dev/full"))
        live_skip("no /dev/full");
    live_run(&result, &options, FIXTURE, "loop-mmap", "500");
    assert_unharmed(&result, 125);
    live_assert_proven(&result, 0);
    live_free(&result);
}

/* A reader that leaves (`vastrace ... | head`): the program goes on to its end. */
static void check_closed_pipe(void **state)
{
    char directory[] = "/tmp/vastrace-pipe-XXXXXX", path[64];
    const char *const more[] = {"-q", "-F", "jsonl", "-o", path, NULL};
    const struct live_options options = {.options = more, .bare = true};
    struct live_result result;
    pid_t reader;

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/pipe", directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    reader = fork();
    assert_true(reader >= 0);
    if (reader == 0) {
        int fd = open(path, O_RDONLY);
        char byte;

        /* One byte, and away. */
        _exit(fd >= 0 && read(fd, &byte, 1) == 1 ? 0 : 1);
    }
    live_run(&result, &options, FIXTURE, "loop-mmap", "3000");
    waitpid(reader, NULL, 0);
    unlink(path);
    rmdir(directory);
    assert_true(WIFEXITED(result.status));
    assert_unharmed(&result, WEXITSTATUS(result.status));
    if (WEXITSTATUS(result.status) != 0 && WEXITSTATUS(result.status) != 125)
        live_fail(&result, "exited %d, expected 0 or 125", WEXITSTATUS(result.status));
    live_free(&result);
}

/* Standard streams that are closed from the start. */
static void check_closed_streams(void **state)
{
    struct live_result result;
    char command[PATH_MAX * 2];

    (void)state;
    snprintf(command, sizeof command, "exec %s -q -o /dev/null -- %s exit 5 <&- >&- 2>&-",
             VASTRACE_PROGRAM, FIXTURE);
    live_run_untraced(&result, NULL, (const char *const[]){"sh", "-c", command, NULL});
    /* The fixture itself cannot print, and says so with 99. */
    live_assert_exited(&result, 99);
    live_free(&result);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_proc),           cmocka_unit_test(check_cannot_run),
        cmocka_unit_test(check_malformed),      cmocka_unit_test(check_hostile_message),
        cmocka_unit_test(check_usage),          cmocka_unit_test(check_cannot_open),
        cmocka_unit_test(check_full_device),    cmocka_unit_test(check_full_disk),
        cmocka_unit_test(check_one_of_two),     cmocka_unit_test(check_closed_pipe),
        cmocka_unit_test(check_closed_streams),
    };

    return live_main("errors", tests, LIVE_COUNT(tests), argc, argv);
}
