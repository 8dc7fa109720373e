/*
 * trace.c - `vastrace PROGRAM` and `vastrace -p PID`: from the command line to
 * a session and its exit status.
 */
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "cli/cli.h"
#include "cli/values.h"
#include <vastrace/session.h>

#define OUTPUTS_MAX 8
#define PIDS_MAX    256

enum {
    OPTION_KINDS = 256,
    OPTION_ALL_SYSCALLS,
    OPTION_VERIFY,
    OPTION_NO_ASLR,
    OPTION_NO_FOLLOW,
    OPTION_DURATION,
    OPTION_COLOR,
    OPTION_CPU,
    OPTION_DEBUG_FILES,
};

static const struct cli_option options[] = {
    {'o', "output", "FILE",
     "where the timeline goes, the format from the name; - is standard output"},
    {'F', "format", "FORMAT", "the format of the -o before it, or of the output"},
    {'p', "pid", "PID", "attach to a running process with all its threads (may be repeated)"},
    {'k', "stacks", "[=DEPTH]",
     "with every change its call stack, at most DEPTH frames (128 if not given)"},
    {OPTION_DEBUG_FILES, "debug-files", NULL,
     "with -k, take source lines from separate debug files too"},
    {'e', "events", "CAUSE,...", "show only these: names of system calls, exec, fork, fault, ..."},
    {OPTION_KINDS, "kinds", "KIND,...", "show only changes of these kinds"},
    {OPTION_ALL_SYSCALLS, "all-syscalls", NULL,
     "stop at every system call, to follow the stack pointer"},
    {OPTION_VERIFY, "verify", NULL, "compare the model with the kernel's map at every stop"},
    {OPTION_NO_ASLR, "no-aslr", NULL, "launch without address space randomisation"},
    {OPTION_NO_FOLLOW, "no-follow", NULL, "leave the events of child processes out"},
    {OPTION_DURATION, "duration", "TIME",
     "end the trace after 2.5 (seconds), 300ms, ... and leave the program running"},
    {OPTION_CPU, "cpu", "N",
     "run the program and the tracer on processor N: faster, and to be seen"},
    {OPTION_COLOR, "color", "auto|always|never", "auto heeds NO_COLOR and TERM=dumb"},
    {'q', "quiet", NULL, "no summary"},
    {0},
};

/* One -o. */
struct output {
    const char *path;
    const char *format;
};

struct arguments {
    struct output outputs[OUTPUTS_MAX];
    size_t output_count;
    const char *format; /* a -F before any -o */
    pid_t pids[PIDS_MAX];
    size_t pid_count;
    char **events; /* null-terminated, owned */
    uint32_t kinds;
    enum vt_color color;
    bool quiet;
    struct vt_session_config config;
};

/* ---- the command line --------------------------------------------------------------- */

static bool parse_option(struct arguments *a, const struct cli_command *command, int id)
{
    long number;
    switch (id) {
    case 'o':
        if (a->output_count == OUTPUTS_MAX) {
            cli_error("more than %d outputs", OUTPUTS_MAX);
            return false;
        }
        a->outputs[a->output_count++] = (struct output){optarg, NULL};
        return true;
    case 'F':
        if (a->output_count && !a->outputs[a->output_count - 1].format)
            a->outputs[a->output_count - 1].format = optarg;
        else
            a->format = optarg;
        return true;
    case 'p':
        if (!cli_number(optarg, 1, INT32_MAX, &number)) {
            cli_error("-p %s: not a process id", optarg);
            return false;
        }
        if (a->pid_count == PIDS_MAX) {
            cli_error("more than %d processes", PIDS_MAX);
            return false;
        }
        a->pids[a->pid_count++] = (pid_t)number;
        return true;
    case 'k':
        number = VT_DEPTH_USUAL;
        if (optarg && !cli_number(optarg, 1, VT_STACK_MAX, &number)) {
            cli_error("-k%s: give the most frames of a stack, 1 to %d, as in -k64 or --stacks=64",
                      optarg, VT_STACK_MAX);
            return false;
        }
        a->config.stack_depth = (unsigned)number;
        return true;
    case OPTION_DEBUG_FILES:
        a->config.debug_files = true;
        return true;
    case 'e':
        free(a->events);
        a->events = cli_causes(optarg);
        return a->events;
    case OPTION_KINDS:
        return cli_kinds(optarg, &a->kinds);
    case OPTION_ALL_SYSCALLS:
        a->config.all_syscalls = true;
        return true;
    case OPTION_VERIFY:
        a->config.verify = true;
        return true;
    case OPTION_NO_ASLR:
        a->config.no_aslr = true;
        return true;
    case OPTION_NO_FOLLOW:
        a->config.no_follow = true;
        return true;
    case OPTION_DURATION:
        return cli_duration_ns("--duration", optarg, &a->config.duration_ns);
    case OPTION_CPU:
        if (!cli_number(optarg, 0, CPU_SETSIZE - 1, &number)) {
            cli_error("--cpu %s: give the number of a processor, as in --cpu 0", optarg);
            return false;
        }
        a->config.one_cpu = true;
        a->config.cpu = (unsigned)number;
        return true;
    case OPTION_COLOR:
        number = cli_choice(command, id, optarg);
        a->color = (enum vt_color)number; /* the words stand in its order */
        return number >= 0;
    case 'q':
        a->quiet = true;
        return true;
    default:
        return false;
    }
}

static bool parse(struct arguments *a, const struct cli_command *command, int argc, char **argv)
{
    int id;
    while ((id = cli_next_option(command, argc, argv)) != -1)
        if (!parse_option(a, command, id))
            return false;
    a->config.command = optind < argc ? argv + optind : NULL;
    if (a->config.command && a->pid_count) {
        cli_error("-p attaches to a running process: leave the program's name out, or the -p");
        return false;
    }
    if (a->config.one_cpu && a->pid_count) {
        cli_error("--cpu is for programs that vastrace starts; one that runs can be placed by "
                  "taskset -acp N PID");
        return false;
    }
    if (a->config.debug_files && !a->config.stack_depth) {
        cli_error("--debug-files is about the source lines of call stacks: give -k, too");
        return false;
    }
    if (!a->config.command && !a->pid_count) {
        cli_error("name a program to trace, or -p PID; see vastrace --help");
        return false;
    }
    if (!a->output_count) { /* text on standard error */
        a->outputs[a->output_count++] = (struct output){NULL, NULL};
    }
    if (a->format && !a->outputs[0].format)
        a->outputs[0].format = a->format;
    a->config.pids = a->pids;
    a->config.pid_count = a->pid_count;
    a->config.event_names = (const char *const *)a->events;
    a->config.kind_mask = a->kinds;
    return true;
}

/* ---- running --------------------------------------------------------------------- */

static void warn(void *context, const char *text)
{
    (void)context;
    cli_error("%s", text);
}

/* The program's status as our own; a fatal signal ends us in the same way. */
static int status_of(int wait_status)
{
    if (WIFEXITED(wait_status))
        return WEXITSTATUS(wait_status);
    int number = WTERMSIG(wait_status);
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none); /* the core that matters is the program's */
    signal(number, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
    return 128 + number;
}

static int cannot_start(const struct arguments *a, int rc, const struct vt_error *err)
{
    if (a->config.command)
        return cli_cannot_run(rc, err);
    cli_error("%s", err->text);
    return EXIT_OURS;
}

static int run_session(struct arguments *a)
{
    struct vt_session_result result;
    struct vt_error err = {0};
    a->config.warn = warn;
    int rc = vt_session_run(&a->config, &result, &err);
    if (rc && !result.ran && !result.exited)
        return cannot_start(a, rc, &err);
    if (rc)
        cli_error("%s", err.text);
    if (!result.ran)
        return status_of(result.wait_status);
    if (a->config.verify && result.exactness.agreed != result.exactness.compared)
        return EXIT_OURS;
    if (rc || (a->config.command && !result.exited) || result.sink_failed)
        return EXIT_OURS;
    return a->config.command ? status_of(result.wait_status) : 0;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {0};
    struct vt_sink *sinks[OUTPUTS_MAX] = {0};
    struct vt_error err = {0};
    int status = EXIT_OURS;

    if (parse(&a, command, argc, argv)) {
        size_t made = 0;
        for (int rc = 0; made < a.output_count && !rc; made += !rc) {
            struct vt_sink_config config = {
                .path = a.outputs[made].path,
                .format = a.outputs[made].format,
                .color = a.color,
                .quiet = a.quiet,
            };
            rc = vt_sink_create(&config, &sinks[made], &err);
            if (rc)
                cli_error("%s", err.text);
            if (rc)
                break;
        }
        a.config.sinks = sinks;
        a.config.sink_count = made;
        if (made == a.output_count)
            status = run_session(&a);
        for (size_t i = 0; i < made; i++)
            vt_sink_destroy(sinks[i]);
    }
    free(a.events);
    return status;
}

const struct cli_command cli_trace = {
    .usage = "[OPTION...] [--] PROGRAM [ARG...]\n[OPTION...] -p PID [-p PID...]",
    .summary =
        "Trace a program's virtual address space: every change of its map, who made it, exactly.",
    .options = options,
    .run = run,
};
