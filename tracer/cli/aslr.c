/*
 * aslr.c - `vastrace aslr PROGRAM`: from the command line to many launches and
 * what they tell. The program itself never runs, so the status is ours alone.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "cli/cli.h"
#include "sinks/aslr.h"
#include <vastrace/aslr.h>

enum { OPTION_NO_ASLR = 256, OPTION_FORMAT, OPTION_WIDTH, OPTION_COLOR };

enum { RUNS = 200, RUNS_MOST = 10000000, PROGRESS_NS = 100 * 1000 * 1000 };

static const struct cli_option options[] = {
    {'n', "runs", "RUNS", "how many launches; 200 if not given"},
    {OPTION_NO_ASLR, "no-aslr", NULL, "launch without address space randomisation"},
    {OPTION_FORMAT, "format", "text|json", "text if not given"},
    {OPTION_WIDTH, "width", "N", "text: columns, if not the terminal's"},
    {OPTION_COLOR, "color", "auto|always|never", "auto heeds NO_COLOR and TERM=dumb"},
    {0},
};

struct arguments {
    struct vt_aslr_config config;
    struct vt_aslr_input view;
    vt_aslr_render_fn *render;
};

/* ---- the terminal ------------------------------------------------------------ */

/* When the count of launches was last shown on a terminal; 0: not yet. */
struct progress {
    int64_t shown_ns;
};

static void show_progress(void *context, size_t made, size_t asked)
{
    struct progress *progress = context;
    int64_t now = vt_clock_ns();
    if (!progress->shown_ns)
        progress->shown_ns = now; /* what is done within a moment needs no progress */
    if (now - progress->shown_ns < PROGRESS_NS)
        return;
    progress->shown_ns = now;
    fprintf(stderr, "\r%zu of %zu launches", made, asked);
    fflush(stderr);
}

static void end_progress(void)
{
    fputs("\r\033[K", stderr);
    fflush(stderr);
}

/* ---- the command line ---------------------------------------------------------- */

static bool parse_option(struct arguments *a, int id)
{
    long number;
    switch (id) {
    case 'n':
        if (!cli_number(optarg, 1, RUNS_MOST, &number)) {
            cli_error("-n %s: give a number of launches, from 1 to %d", optarg, RUNS_MOST);
            return false;
        }
        a->config.runs = (size_t)number;
        return true;
    case OPTION_NO_ASLR:
        a->config.no_aslr = true;
        return true;
    case OPTION_FORMAT:
        a->render = vt_aslr_render_find(optarg);
        if (!a->render)
            cli_error("--format %s: give text or json", optarg);
        return a->render;
    case OPTION_WIDTH:
        if (!cli_number(optarg, 20, 10000, &number)) {
            cli_error("--width %s: give a number of columns", optarg);
            return false;
        }
        a->view.width = (unsigned)number;
        return true;
    case OPTION_COLOR:
        return cli_color(optarg, &a->view.color);
    default:
        return false;
    }
}

static bool parse(struct arguments *a, const struct cli_command *command, int argc, char **argv)
{
    int id;
    *a = (struct arguments){
        .config.runs = RUNS,
        .render = vt_aslr_render_text,
    };
    cli_color("auto", &a->view.color);
    while ((id = cli_next_option(command, argc, argv)) != -1)
        if (!parse_option(a, id))
            return false;
    if (optind >= argc) {
        cli_error("aslr: name a program to launch, as in: vastrace aslr ls");
        return false;
    }
    a->config.command = argv + optind;
    if (!a->view.width)
        a->view.width = cli_terminal_width();
    return true;
}

/* ---- running -------------------------------------------------------------------- */

static int show(struct arguments *a, const struct vt_aslr *aslr)
{
    struct vt_aslr_analysis analysis;
    struct vt_error err = {0};
    struct vt_buf out = {0};
    if (vt_aslr_analyse(aslr, &analysis, &err)) {
        cli_error("%s", err.text);
        return EXIT_OURS;
    }
    a->view.analysis = &analysis;
    a->render(&a->view, &out);
    int status = 0;
    if (out.failed) {
        cli_error("cannot show the launches: out of memory");
        status = EXIT_OURS;
    } else if (fwrite(out.data, 1, out.length, stdout) != out.length || fflush(stdout)) {
        cli_error("cannot write to standard output: %m");
        status = EXIT_OURS;
    }
    vt_buf_deinit(&out);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a;
    struct progress progress = {0};
    struct vt_aslr *aslr;
    struct vt_error err = {0};
    bool live = isatty(STDERR_FILENO);

    if (!parse(&a, command, argc, argv))
        return EXIT_OURS;
    if (live) {
        a.config.progress = show_progress;
        a.config.context = &progress;
    }
    int rc = vt_aslr_gather(&a.config, &aslr, &err);
    if (live)
        end_progress();
    if (rc)
        return cli_cannot_run(rc, &err);
    int status;
    if (aslr->made) {
        status = show(&a, aslr);
    } else {
        cli_error("%s before the first launch was done: there is nothing to show",
                  aslr->interrupted ? aslr->interrupted : "ended");
        status = EXIT_OURS;
    }
    vt_aslr_destroy(aslr);
    return status;
}

const struct cli_command cli_aslr = {
    .name = "aslr",
    .usage = "[-n RUNS] [--no-aslr] [--format text|json] [--] PROGRAM [ARG...]",
    .summary = "Launch a program many times, each up to its first instruction only, and show "
               "where\naddress space randomisation puts its parts.",
    .options = options,
    .run = run,
};
