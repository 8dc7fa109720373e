/*
 * test_hostile.c - programs that want vastrace to open, write or tell what it should not: files
 * that are not what they were when they were mapped, roots made for the purpose, links where
 * outputs are written, secrets. What tracer/README.md says of safety is tested here,
 * by tests/unit/test_image.c and test_symbols.c, and by check_unprivileged in
 * test_concurrency.c.
 */
#include "running.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIXTURE FIXTURE_DIR "/fixture-static"

/* Of the test at hand; children read it, too. */
static char directory[] = "/tmp/vastrace-hostile-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    strcpy(strrchr(directory, '-'), "-XXXXXX");
    return mkdtemp(directory) ? chmod(directory, 0755) : -1;
}

static int clean_up(void **state)
{
    (void)state;
    return live_capture((const char *const[]){"rm", "-rf", directory, NULL}, NULL, 0) ? 0 : -1;
}

/* Run a script in the directory, $1 being vastrace and $2 what is given; false if it fails. */
static bool script(const char *text, const char *argument, char *said, size_t size)
{
    char command[8192];

    snprintf(command, sizeof(command), "cd %s && { %s\n} 2>&1", directory, text);
    return live_capture((const char *const[]){"/bin/sh", "-ec", command, "sh", VASTRACE_PROGRAM,
                                              argument ? argument : "", NULL},
                        said, size);
}

/* ---- files that are not what they were ------------------------------------------------ */

/*
 * Watch a process without the privilege to open what it maps by the kernel's own links, so
 * that its names are all there is, and without waiting for more than a moment.
 */
#define WATCH                                                                                      \
    "setpriv --bounding-set=-sys_admin,-checkpoint_restore "                                       \
    "\"$1\" --verify -k --duration 0.3 -F jsonl -o out.jsonl -p $2\n"

/* Is the program's own file known by its parts, and was something said to be lost? */
static void read_outcome(bool *known, bool *lost)
{
    char said[16];

    *known = script("grep -q '\"kind\":\"rodata\"' out.jsonl", NULL, said, sizeof(said));
    *lost = script("grep '\"type\":\"end\"' out.jsonl | grep -qv '\"lost\":0'", NULL, said,
                   sizeof(said));
}

/* Where nobody else sees the program. */
static void in_own_mounts(void)
{
    char root[64];

    snprintf(root, sizeof(root), "%s/root", directory);
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", root, "tmpfs", 0, "") || chdir(root) || system("cp " FIXTURE " program"))
        _exit(77);
}

static void in_own_root(void)
{
    char root[64];

    snprintf(root, sizeof(root), "%s/root", directory);
    if (chroot(root) || chdir("/"))
        _exit(77);
}

static void need_privilege(void)
{
    char said[256];

    if (!live_exists(FIXTURE))
        live_skip("a static program could not be built");
    if (!script("unshare -m true && nsenter --version && "
                "setpriv --bounding-set=-sys_admin,-checkpoint_restore true",
                NULL, said, sizeof(said)))
        live_skip("needs root, with the right to mount, and util-linux");
}

static void watch(const char *prepare, void (*before)(void), const char *meanwhile, bool known)
{
    static const char *const argv[] = {"./program", "busy", "map", "1", NULL};
    char said[4096], pid[16];
    struct running running;
    bool is_known, is_lost;

    if (!script(prepare, FIXTURE, said, sizeof(said)))
        fail_msg("%s: %s", prepare, said);
    running_start(&running, argv, before);
    running_await(&running, "ready=");
    snprintf(pid, sizeof(pid), "%d", (int)running.pid);
    if (!script(meanwhile, pid, said, sizeof(said)))
        fail_msg("%s: %s", meanwhile, said);
    if (!script(WATCH, pid, said, sizeof(said)))
        fail_msg("%s: %s", meanwhile, said);
    read_outcome(&is_known, &is_lost);
    if (is_known != known || is_lost == known)
        fail_msg("%s: the program's file is %sknown, %s", meanwhile, is_known ? "" : "not ",
                 is_lost ? "and something lost" : "and nothing lost");
    running_order(&running, "e");
    running_await(&running, "errors=");
    assert_int_equal(running_end(&running), 0);
}

/* Something else is mounted over a file that is mapped: it is not opened, and that is said. */
static void check_mounted_over(void **state)
{
    static const struct {
        const char *make;
        bool known;
    } overs[] = {
        {"true", true},
        {"mkfifo over", false},
        {"mknod over c 1 5", false},
        {"cp /etc/passwd over", false},
        {"cp /bin/sh over", false},
    };

    (void)state;
    need_privilege();
    for (size_t i = 0; i < LIVE_COUNT(overs); i++) {
        char meanwhile[256];
        snprintf(meanwhile, sizeof(meanwhile),
                 "rm -f over && %s && if [ -e over ]; then nsenter -t $2 -m mount --bind "
                 "%s/over %s/root/program; fi",
                 overs[i].make, directory, directory);
        watch("mkdir -p root", in_own_mounts, meanwhile, overs[i].known);
    }
}

/* A root in which the names that the kernel tells lead elsewhere. */
static void check_crafted_root(void **state)
{
    static const char *const ways[] = {
        "mkdir -p root$PWD/root && mkfifo root$PWD/root/program",
        "mkdir -p root$PWD/root && ln -s program root$PWD/root/program",
        "mkdir -p root$PWD/root && ln -s /etc/passwd root$PWD/root/program",
        "mkdir -p root$PWD/root && ln -s /proc/self/fd/0 root$PWD/root/program",
        "mkdir -p root$PWD/root && cp /bin/sh root$PWD/root/program",
        "ln -s tmp root/tmp",
        "ln -s / root/tmp",
        "ln -s ../../../.. root/tmp",
    };

    (void)state;
    need_privilege();
    for (size_t i = 0; i < LIVE_COUNT(ways); i++)
        watch("rm -rf root && mkdir root && cp $2 root/program", in_own_root, ways[i], true);
}

/* ---- where outputs go ------------------------------------------------------------------- */

/* The program puts links where vastrace writes, or might: what they lead to stays as it is. */
static void check_planted(void **state)
{
    char said[4096];

    (void)state;
    if (!script("printf precious >victim\n"
                "cat >plant <<'END'\n"
                "for name in run.vas run.jsonl run.html; do\n"
                "    for tail in -wal -shm -journal ''; do\n"
                "        rm -f $name$tail\n"
                "        ln -s victim $name$tail\n"
                "    done\n"
                "done\n"
                "for i in 1 2 3 4 5 6 7 8 9 10; do (:) | cat; done\n"
                "END\n"
                "\"$1\" -q -o run.vas -o run.jsonl -o run.html -- /bin/sh plant || true\n"
                "[ -L run.jsonl ] && [ -L run.html ]\n" /* it did as it was told */
                "cat victim\n",
                NULL, said, sizeof(said)))
        fail_msg("%s", said);
    const char *end = strrchr(said, '\n'); /* in front of it may be what went wrong otherwise */
    assert_string_equal(end ? end + 1 : said, "precious");
}

/* ---- what outputs hold ------------------------------------------------------------------ */

/* Of the program's environment and memory nothing, of its arguments the command line. */
static void check_secrets(void **state)
{
    char said[4096];

    (void)state;
    if (!script("printf 'of%smemory' - >secret\n"
                "outputs='run.vas run.jsonl run.csv run.txt run.html run.pftrace run.folded "
                "run.massif'\n"
                "options=\n"
                "for name in $outputs; do options=\"$options -o $name\"; done\n"
                "OF_ENVIRONMENT=of-environment \"$1\" -k $options -- /bin/sh -c "
                "'read -r text <secret; set -- \"$text$text\"; : of-arguments'\n"
                "\"$1\" export run.vas --to text >exported\n"
                "grep -q of-arguments run.vas\n"
                "grep -q of-arguments run.jsonl\n"
                "! grep -lE 'of-(memory|environment)' $outputs exported\n",
                NULL, said, sizeof(said)))
        fail_msg("%s", said);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(check_mounted_over, set_up, clean_up),
        cmocka_unit_test_setup_teardown(check_crafted_root, set_up, clean_up),
        cmocka_unit_test_setup_teardown(check_planted, set_up, clean_up),
        cmocka_unit_test_setup_teardown(check_secrets, set_up, clean_up),
    };

    signal(SIGPIPE, SIG_IGN);
    return live_main("hostile", tests, LIVE_COUNT(tests), argc, argv);
}
