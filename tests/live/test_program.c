/*
 * test_program.c - the traced program notices nothing: how it ends, its
 * signals, its standard streams, its environment and descriptors, its calls,
 * and its terminal's job control.
 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define FIXTURE FIXTURE_DIR "/fixture"

/* --- how it ends --- */

static const struct {
    const char *arguments[3];
    int status, signal;
    const char *line; /* that it prints; may be null */
} ends[] = {
    {{"exit", "0"}, 0, 0, NULL},
    {{"exit", "1"}, 1, 0, NULL},
    {{"exit", "77"}, 77, 0, NULL},
    {{"exit", "125"}, 125, 0, NULL},
    {{"exit", "255"}, 255, 0, NULL},
    {{"kill", "15"}, 0, SIGTERM, NULL},
    {{"kill", "9"}, 0, SIGKILL, NULL},
    {{"kill", "11"}, 0, SIGSEGV, NULL},
    {{"kill", "6"}, 0, SIGABRT, NULL},
    {{"kill", "2"}, 0, SIGINT, NULL},
    {{"kill", "1"}, 0, SIGHUP, NULL},
    {{"kill", "3"}, 0, SIGQUIT, NULL},
    {{"kill", "10"}, 0, SIGUSR1, NULL},
    {{"kill", "40"}, 0, 40, NULL},
    {{"stack-overflow"}, 0, SIGSEGV, NULL},
    {{"fault", "never"}, 0, SIGSEGV, NULL},
    {{"fault", "unmapped"}, 0, SIGSEGV, NULL},
    {{"fault", "protected"}, 0, SIGSEGV, NULL},
    {{"fault", "guard"}, 0, SIGSEGV, NULL},
    {{"fault", "beyond"}, 0, SIGBUS, NULL},
    {{"handle", "50"}, 0, 0, "handled=50"},
    {{"handle-fault"}, 0, 0, NULL},
    {{"alternate-stack"}, 0, 0, "handled=1"},
    {{"stopped-child"}, 0, 0, "continued=1"},
    {{"stop-self"}, 0, 0, "child=exited 0"},
    {{"filtered"}, 0, 0, "refused=1"},
    {{"filtered-probe"}, 0, 0, "stopped=0"},
    {{"traces"}, 0, 0, "child=exited 1"},
};

static void check_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(ends); i++) {
        struct live_result result;

        live_run(&result, NULL, FIXTURE, ends[i].arguments[0], ends[i].arguments[1]);
        if (ends[i].signal)
            live_assert_signaled(&result, ends[i].signal);
        else
            live_assert_exited(&result, ends[i].status);
        live_assert_proven(&result, 0);
        if (ends[i].line && live_count_lines(&result, ends[i].line) == 0)
            live_fail(&result, "the fixture did not say %s", ends[i].line);
        assert_int_equal(live_count_cause(&result, "exit") > 0, 1);
        live_free(&result);
    }
}

/* A signal from outside reaches the program, and its end is vastrace's end. */
static void check_signal_from_outside(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(signals); i++) {
        int in[2], out[2], status;
        char text[256];
        ssize_t n;
        pid_t pid;
        int target;

        assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            dup2(in[0], 0);
            dup2(out[1], 1);
            execl(VASTRACE_PROGRAM, "vastrace", "--verify", "-q", "-o", "/dev/null", "--", FIXTURE,
                  "wait-input", (char *)NULL);
            _exit(124);
        }
        close(out[1]);
        n = read(out[0], text, sizeof text - 1);
        assert_true(n > 0);
        text[n] = '\0';
        assert_int_equal(sscanf(text, "ready=%d", &target), 1);
        assert_int_equal(kill(target, signals[i]), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), signals[i]);
        close(in[0]);
        close(in[1]);
        close(out[0]);
    }
}

/* --- its surroundings --- */

static void check_streams(void **state)
{
    static const char text[] = "one line\n\x01\x02 and no newline at the end";
    const struct live_options options = {.input = text};
    struct live_result result;

    (void)state;
    live_run(&result, &options, FIXTURE, "cat");
    live_assert_exited(&result, 0);
    live_assert_exact(&result, 0);
    assert_string_equal(result.out, text);
    assert_string_equal(result.err, "to standard error\n");
    live_free(&result);
}

/* Traced and untraced, the scenario prints the same lines before its map. */
static void check_same_output(void **state)
{
    static const char *const scenarios[] = {"environment", "descriptors", "arguments"};
    static const char *const odd[] = {"a b", "", "--verify", "-o", "\n\033[31m", "\xff"};

    (void)state;
    setenv("VASTRACE_TEST_VARIABLE", "a value\twith a tab", 1);
    for (size_t i = 0; i < LIVE_COUNT(scenarios); i++) {
        const char *argv[] = {FIXTURE, scenarios[i], odd[0], odd[1], odd[2],
                              odd[3],  odd[4],       odd[5], NULL};
        struct live_result traced, untraced;
        char *map_at;

        live_run_untraced(&untraced, NULL, argv);
        live_run_program(VASTRACE_PROGRAM, &traced, NULL, argv);
        live_assert_exited(&traced, 0);
        map_at = strstr(traced.out, "maps=");
        assert_non_null(map_at);
        *map_at = '\0';
        map_at = strstr(untraced.out, "maps=");
        assert_non_null(map_at);
        *map_at = '\0';
        assert_string_equal(traced.out, untraced.out);
        live_free(&traced);
        live_free(&untraced);
    }
}

/* Calls that cannot change the map make no event, and none is missing from those that can. */
static void check_loops(void **state)
{
    struct live_result result;

    (void)state;
    live_run(&result, NULL, FIXTURE, "loop-getppid", "100000");
    live_assert_exited(&result, 0);
    live_assert_proven(&result, 0);
    assert_int_equal(live_count_cause(&result, "getppid"), 0);
    live_free(&result);
    live_run(&result, NULL, FIXTURE, "loop-mmap", "2000");
    live_assert_exited(&result, 0);
    live_assert_proven(&result, 0);
    assert_true(live_count_cause(&result, "mmap") >= 2000);
    assert_true(live_count_cause(&result, "munmap") >= 2000);
    live_free(&result);
}

/* --all-syscalls gives the same map. */
static void check_all_syscalls(void **state)
{
    static const char *const more[] = {"--all-syscalls", NULL};
    const struct live_options options = {.options = more};
    static const char *const scenarios[] = {"mremap-fixed-over", "fork", "threads-map",
                                            "stack-deep", "vfork"};

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(scenarios); i++) {
        struct live_result result;

        live_run(&result, &options, FIXTURE, scenarios[i]);
        live_assert_exited(&result, 0);
        live_assert_proven(&result, 0);
        live_free(&result);
    }
}

/* --no-aslr: the same addresses twice. */
static void check_no_aslr(void **state)
{
    static const char *const more[] = {"--no-aslr", NULL};
    const struct live_options options = {.options = more};
    struct live_result first, second;

    (void)state;
    live_run(&first, &options, FIXTURE, "auxv");
    live_run(&second, &options, FIXTURE, "auxv");
    live_assert_exited(&first, 0);
    assert_int_equal(live_fact_number(&first, "phdr", 16), live_fact_number(&second, "phdr", 16));
    assert_int_equal(live_fact_number(&first, "base", 16), live_fact_number(&second, "base", 16));
    live_assert_proven(&first, 0);
    live_free(&first);
    live_free(&second);
}

/* --cpu: the program has that processor alone, and the trace is as exact as any. */
static void check_cpu(void **state)
{
    char number[16], says[16];
    const char *const more[] = {"--cpu", number, NULL};
    const struct live_options options = {.options = more};
    struct live_result result;
    cpu_set_t allowed;
    int last = CPU_SETSIZE - 1;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    while (!CPU_ISSET(last, &allowed))
        last--;
    snprintf(number, sizeof number, "%d", last);
    snprintf(says, sizeof says, "%d\n", last);
    live_run(&result, &options, "sh", "-c",
             "while read -r key value; do"
             " [ \"$key\" != Cpus_allowed_list: ] || echo \"$value\"; done < /proc/self/status");
    live_assert_exited(&result, 0);
    live_assert_exact(&result, 0);
    assert_string_equal(result.out, says);
    live_free(&result);
    live_run(&result, &options, FIXTURE, "threads-map");
    live_assert_exited(&result, 0);
    live_assert_proven(&result, 0);
    live_free(&result);
}

/* The stack pointer is told, and lies in the stack. */
static void check_stack_pointer(void **state)
{
    struct live_result result;
    const struct json *record;
    size_t cursor = 0, told = 0;
    char text[64];
    uint64_t low, high;

    (void)state;
    live_run(&result, NULL, FIXTURE, "stack-deep", "2000000");
    live_assert_exited(&result, 0);
    live_assert_proven(&result, 0);
    assert_true(live_fact(&result, "stack", text, sizeof text));
    assert_int_equal(sscanf(text, "%lx-%lx", (unsigned long *)&low, (unsigned long *)&high), 2);
    assert_true(high - low >= 2000000);
    while ((record = live_next(&result, &cursor))) {
        const struct json *totals = json_get(json_get(record, "exit"), "totals");
        uint64_t sp = json_number(record, "sp");

        if (sp != 0 && strcmp(json_text(record, "cause"), "exit") != 0) {
            if (sp < low || sp >= high)
                live_fail(&result, "sp %lx is not in the stack", (unsigned long)sp);
            told++;
        }
        if (totals)
            assert_int_equal(json_number(totals, "stack_low"), low);
    }
    assert_true(told > 10);
    live_free(&result);
}

/* --- at a terminal --- */

/* vastrace as the foreground job of a terminal, under a shell of a few lines. */
struct terminal {
    int master;
    int news; /* from the shell: 's' stopped, 'c' continued, 'x' and a byte: ended */
    pid_t shell;
    char seen[8192]; /* what came out of the terminal since the last await_text() */
    size_t length;
};

static void shell_says(int news, char what, unsigned char detail)
{
    char pair[2] = {what, (char)detail};

    if (write(news, pair, 2) != 2)
        _exit(1);
}

/* The shell: runs the job in the foreground, and as soon as it has stopped, waits for 'f' (fg). */
static _Noreturn void be_shell(int slave, int news, int orders, const char *const *argv)
{
    pid_t job;
    int status;

    setsid();
    ioctl(slave, TIOCSCTTY, 0);
    signal(SIGTTOU, SIG_IGN);
    signal(SIGTSTP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    job = fork();
    if (job == 0) {
        setpgid(0, 0);
        tcsetpgrp(slave, getpid());
        signal(SIGTTOU, SIG_DFL);
        signal(SIGTSTP, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        signal(SIGQUIT, SIG_DFL);
        for (int i = 0; i < 3; i++)
            dup2(slave, i);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(124);
    }
    setpgid(job, job);
    tcsetpgrp(slave, job);
    for (;;) {
        char order;

        if (waitpid(job, &status, WUNTRACED) < 0)
            _exit(1);
        if (!WIFSTOPPED(status))
            break;
        tcsetpgrp(slave, getpgrp());
        shell_says(news, 's', (unsigned char)WSTOPSIG(status));
        if (read(orders, &order, 1) != 1)
            break;
        tcsetpgrp(slave, job);
        kill(-job, SIGCONT);
        shell_says(news, 'c', 0);
    }
    shell_says(news, WIFSIGNALED(status) ? 'k' : 'x',
               (unsigned char)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
    _exit(0);
}

static void open_terminal(struct terminal *terminal, int *orders, const char *const *argv)
{
    int news[2], order_pipe[2], slave;
    char name[64];

    *terminal = (struct terminal){.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    if (terminal->master < 0 || grantpt(terminal->master) < 0 || unlockpt(terminal->master) < 0 ||
        ptsname_r(terminal->master, name, sizeof name) != 0)
        live_skip("no pseudo-terminal: %s", strerror(errno));
    slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        live_skip("no pseudo-terminal: %s", strerror(errno));
    assert_int_equal(pipe2(news, O_CLOEXEC) | pipe2(order_pipe, O_CLOEXEC), 0);
    terminal->shell = fork();
    assert_true(terminal->shell >= 0);
    if (terminal->shell == 0)
        be_shell(slave, news[1], order_pipe[0], argv);
    close(slave);
    close(news[1]);
    close(order_pipe[0]);
    terminal->news = news[0];
    *orders = order_pipe[1];
}

static void type_keys(const struct terminal *terminal, const char *keys)
{
    assert_int_equal(write(terminal->master, keys, strlen(keys)), strlen(keys));
}

static int milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int)(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

/* Read the terminal until this text has come. */
static void await_text(struct terminal *terminal, const char *text)
{
    int deadline = milliseconds() + LIVE_PATIENCE * 1000;

    for (;;) {
        struct pollfd ready = {.fd = terminal->master, .events = POLLIN};
        char *found = strstr(terminal->seen, text);
        ssize_t n;

        if (found) {
            terminal->length = 0;
            terminal->seen[0] = '\0';
            return;
        }
        if (milliseconds() > deadline)
            fail_msg("'%s' did not come; the terminal shows: %s", text, terminal->seen);
        if (poll(&ready, 1, 1000) <= 0)
            continue;
        n = read(terminal->master, terminal->seen + terminal->length,
                 sizeof terminal->seen - 1 - terminal->length);
        if (n <= 0)
            fail_msg("the terminal ended; it shows: %s", terminal->seen);
        terminal->length += (size_t)n;
        terminal->seen[terminal->length] = '\0';
    }
}

/* The shell's next word. What the terminal shows is read meanwhile. */
static void await_news(struct terminal *terminal, char what, int detail)
{
    int deadline = milliseconds() + LIVE_PATIENCE * 1000;
    char pair[2];

    for (;;) {
        struct pollfd ready[2] = {{.fd = terminal->news, .events = POLLIN},
                                  {.fd = terminal->master, .events = POLLIN}};

        if (milliseconds() > deadline)
            fail_msg("the shell has no news; the terminal shows: %s", terminal->seen);
        if (poll(ready, 2, 1000) <= 0)
            continue;
        if (ready[1].revents & POLLIN && terminal->length < sizeof terminal->seen - 1) {
            ssize_t n = read(terminal->master, terminal->seen + terminal->length,
                             sizeof terminal->seen - 1 - terminal->length);

            terminal->length += n > 0 ? (size_t)n : 0;
            terminal->seen[terminal->length] = '\0';
        }
        if (ready[0].revents)
            break;
    }
    assert_int_equal(read(terminal->news, pair, 2), 2);
    if (pair[0] != what || (unsigned char)pair[1] != detail)
        fail_msg("the shell says '%c' %d, expected '%c' %d; the terminal shows: %s", pair[0],
                 (unsigned char)pair[1], what, detail, terminal->seen);
}

static void close_terminal(struct terminal *terminal, int orders)
{
    close(orders);
    close(terminal->master);
    close(terminal->news);
    waitpid(terminal->shell, NULL, 0);
}

static const char *const at_terminal[] = {
    VASTRACE_PROGRAM, "--verify", "-q", "-o", "/dev/null", "--", FIXTURE, "terminal", NULL};

static void check_interrupt(void **state)
{
    static const struct {
        const char *key;
        int signal;
    } keys[] = {{"\003", SIGINT}, {"\034", SIGQUIT}};

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(keys); i++) {
        struct terminal terminal;
        int orders;

        open_terminal(&terminal, &orders, at_terminal);
        await_text(&terminal, "ready=");
        type_keys(&terminal, "m\n");
        await_text(&terminal, "line=1");
        type_keys(&terminal, keys[i].key);
        await_news(&terminal, 'k', keys[i].signal);
        close_terminal(&terminal, orders);
    }
}

static void check_suspend(void **state)
{
    struct terminal terminal;
    int orders;

    (void)state;
    open_terminal(&terminal, &orders, at_terminal);
    await_text(&terminal, "ready=");
    for (int i = 0; i < 3; i++) {
        type_keys(&terminal, "\032");
        await_news(&terminal, 's', SIGTSTP);
        assert_int_equal(write(orders, "f", 1), 1);
        await_news(&terminal, 'c', 0);
        type_keys(&terminal, "m\n");
        await_text(&terminal, "line=1");
    }
    type_keys(&terminal, "q\n");
    await_news(&terminal, 'x', 21);
    close_terminal(&terminal, orders);
}

/* The end of input at the terminal is the program's to see. */
static void check_end_of_input(void **state)
{
    struct terminal terminal;
    int orders;

    (void)state;
    open_terminal(&terminal, &orders, at_terminal);
    await_text(&terminal, "ready=");
    type_keys(&terminal, "\004");
    await_news(&terminal, 'x', 21);
    close_terminal(&terminal, orders);
}

/* --- the tracer's own death --- */

/* A launched program dies with its tracer: none of its calls must ever fail for want of one. */
static void check_tracer_killed(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        int out[2], status;
        char text[256];
        ssize_t n;
        pid_t pid;

        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            dup2(out[1], 1);
            execl(VASTRACE_PROGRAM, "vastrace", "-q", "-o", "/dev/null", "--", FIXTURE, "loop-mmap",
                  "100000000", (char *)NULL);
            _exit(124);
        }
        close(out[1]);
        /* At one moment or another. */
        poll(NULL, 0, i * 7);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        /* The pipe ends when the program is gone: it holds the other end. */
        n = read(out[0], text, sizeof text - 1);
        assert_true(n >= 0);
        text[n] = '\0';
        assert_null(strstr(text, "failed="));
        close(out[0]);
    }
}

int main(int argc, char **argv)
{
    const struct rlimit no_core = {0, 0};
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_ends),          cmocka_unit_test(check_signal_from_outside),
        cmocka_unit_test(check_streams),       cmocka_unit_test(check_same_output),
        cmocka_unit_test(check_loops),         cmocka_unit_test(check_all_syscalls),
        cmocka_unit_test(check_no_aslr),       cmocka_unit_test(check_stack_pointer),
        cmocka_unit_test(check_cpu),           cmocka_unit_test(check_interrupt),
        cmocka_unit_test(check_suspend),       cmocka_unit_test(check_end_of_input),
        cmocka_unit_test(check_tracer_killed),
    };

    setrlimit(RLIMIT_CORE, &no_core);
    return live_main("program", tests, LIVE_COUNT(tests), argc, argv);
}
