/*
 * trace.c - `vastrace PROGRAM` and `vastrace -p PID`: from the command line to
 * a session and its exit status.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "cli/cli.h"
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
};

static const struct cli_option options[] = {
    {'o', "output", "FILE",
     "where the timeline goes, the format from the name; - is standard output"},
    {'F', "format", "NAME", "the format of the -o before it, or of the output: text, jsonl, vas"},
    {'p', "pid", "PID", "attach to a running process with all its threads (may be repeated)"},
    {'k', "stacks", "[=DEPTH]",
     "with every change its call stack, at most DEPTH frames (128 if not given)"},
    {'e', "events", "LIST", "show only these causes: call names, exec, fork, fault, exit, ..."},
    {OPTION_KINDS, "kinds", "LIST",
     "show only changes of these kinds: heap, stack, text, anon, ..."},
    {OPTION_ALL_SYSCALLS, "all-syscalls", NULL,
     "stop at every system call, to follow the stack pointer"},
    {OPTION_VERIFY, "verify", NULL, "compare the model with the kernel's map at every stop"},
    {OPTION_NO_ASLR, "no-aslr", NULL, "launch without address space randomisation"},
    {OPTION_NO_FOLLOW, "no-follow", NULL, "leave the events of child processes out"},
    {OPTION_DURATION, "duration", "S",
     "end the trace after S seconds and leave the program running"},
    {OPTION_COLOR, "color", "WHEN", "auto, always or never (NO_COLOR is honoured)"},
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
    char **events; /* null-terminated, owned, with the text they point into */
    char *event_text;
    uint32_t kinds;
    enum vt_color color;
    bool quiet;
    struct vt_session_config config;
};

/* ---- lists ---------------------------------------------------------------------- */

static bool parse_events(struct arguments *a, const char *list)
{
    size_t count = 2;
    for (const char *p = list; *p; p++)
        count += *p == ',';
    free(a->events);
    free(a->event_text);
    a->event_text = strdup(list);
    a->events = calloc(count, sizeof(*a->events));
    if (!a->events || !a->event_text) {
        cli_error("out of memory");
        return false;
    }
    size_t n = 0;
    for (char *save, *word = strtok_r(a->event_text, ",", &save); word;
         word = strtok_r(NULL, ",", &save))
        a->events[n++] = word;
    for (size_t i = 0; i < n; i++) {
        if (!vt_session_knows_event(a->events[i])) {
            cli_error(
                "--events: %s is neither a system call nor one of exec attach fork thread fault "
                "exit detach resync signal",
                a->events[i]);
            return false;
        }
    }
    if (!n)
        cli_error("--events needs a list of causes, as in --events mmap,munmap,brk,fault");
    return n > 0;
}

static bool parse_kinds(struct arguments *a, const char *list)
{
    while (*list) {
        size_t length = strcspn(list, ",");
        int kind = vt_kind_parse(list, length);
        if (kind < 0) {
            char names[512] = "";
            for (int k = 0; k < VT_KIND_COUNT; k++) {
                strcat(names, k ? " " : "");
                strcat(names, vt_kind_name((uint8_t)k));
            }
            cli_error("--kinds: there is no kind %.*s; the kinds are: %s", (int)length, list,
                      names);
            return false;
        }
        a->kinds |= UINT32_C(1) << kind;
        list += length + (list[length] == ',');
    }
    return true;
}

static bool parse_duration(struct arguments *a, const char *text)
{
    char *end;
    errno = 0;
    double seconds = strtod(text, &end);
    if (end != text && !strcmp(end, "ms"))
        seconds /= 1000;
    else if (end == text || (*end && strcmp(end, "s")))
        seconds = -1;
    if (errno || !(seconds > 0) || seconds > 1e9) {
        cli_error("--duration %s: not a time; give seconds as in 2.5, or 300ms", text);
        return false;
    }
    a->config.duration_ns = (int64_t)(seconds * 1e9);
    return true;
}

static bool parse_color(struct arguments *a, const char *text)
{
    static const char *const names[] = {
        [VT_COLOR_AUTO] = "auto", [VT_COLOR_ALWAYS] = "always", [VT_COLOR_NEVER] = "never"};
    for (size_t i = 0; i < VT_COUNTOF(names); i++) {
        if (!strcmp(text, names[i])) {
            a->color = (enum vt_color)i;
            return true;
        }
    }
    cli_error("--color %s: give auto, always or never", text);
    return false;
}

static bool parse_option(struct arguments *a, int id)
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
    case 'e':
        return parse_events(a, optarg);
    case OPTION_KINDS:
        return parse_kinds(a, optarg);
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
        return parse_duration(a, optarg);
    case OPTION_COLOR:
        return parse_color(a, optarg);
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
        if (!parse_option(a, id))
            return false;
    a->config.command = optind < argc ? argv + optind : NULL;
    if (a->config.command && a->pid_count) {
        cli_error("-p attaches to a running process: leave the program's name out, or the -p");
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
    free(a.event_text);
    return status;
}

const struct cli_command cli_trace = {
    .usage = "[OPTION...] [--] PROGRAM [ARG...]\n[OPTION...] -p PID [-p PID...]",
    .summary =
        "Trace a program's virtual address space: every change of its map, who made it, exactly.",
    .options = options,
    .run = run,
};
