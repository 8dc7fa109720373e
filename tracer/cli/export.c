/*
 * export.c - `vastrace export RUN --to FORMAT`: a recording in another format,
 * as the trace itself would have written it, or would have with --debug-files.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "cli/page.h"
#include "cli/progress.h"
#include "cli/values.h"
#include "session/replay.h"

enum { OPTION_TO = 256, OPTION_PID, OPTION_OF, OPTION_AT, OPTION_DEBUG_FILES };

static const struct cli_option options[] = {
    {OPTION_TO, "to", "FORMAT", "what to write, any but vas; if not given, by the name of -o"},
    {'o', "output", "FILE", "where to; standard output if not given"},
    {OPTION_PID, "pid", "PID", "this process alone"},
    {OPTION_DEBUG_FILES, "debug-files", NULL, CLI_DEBUG_FILES_HELP},
    {OPTION_OF, "of", "peak|live|made",
     "folded: bytes at the peak, at a moment, or ever mapped; peak if not given"},
    {OPTION_AT, "at", "WHEN", "folded: at, or up to, this moment; end if not given"},
    {0},
};

struct arguments {
    const char *run;
    struct vt_sink_config output;
    bool folds; /* --of was given */
    bool debug_files;
    const char *at; /* --at, or null */
    long pid;
};

/* Would writing there destroy what is read? */
static bool is_same_file(const char *a, const char *b)
{
    struct stat one, other;
    return !stat(a, &one) && !stat(b, &other) && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

static bool ends_with(const char *text, const char *ending)
{
    /* NOLINTNEXTLINE(*NonNullParamChecker): an option that takes a word has one */
    size_t length = strlen(text), size = strlen(ending);
    return length >= size && !strcmp(text + length - size, ending);
}

static bool parse(struct arguments *a, const struct cli_command *command, int argc, char **argv)
{
    struct vt_sink_config *output = &a->output;
    int id;
    output->path = "-";
    while ((id = cli_next_option(command, argc, argv)) != -1) {
        if (id == OPTION_TO)
            output->format = optarg;
        else if (id == 'o')
            output->path = optarg;
        else if (id == OPTION_AT)
            a->at = optarg;
        else if (id == OPTION_DEBUG_FILES)
            a->debug_files = true;
        else if (id == OPTION_OF) {
            int measure = cli_choice(command, id, optarg); /* the words stand in its order */
            if (measure < 0)
                return false;
            output->measure = (enum vt_measure)measure;
            a->folds = true;
        } else if (id != OPTION_PID || !cli_pid(optarg, &a->pid))
            return false;
    }
    if (argc - optind != 1) {
        cli_error("export: name one recording, as in: vastrace export run.vas --to csv");
        return false;
    }
    a->run = argv[optind];
    if (output->format ? !strcmp(output->format, "vas") : ends_with(output->path, ".vas")) {
        cli_error("export: \"%s\" is a recording already; copy it, or choose another format",
                  a->run);
        return false;
    }
    bool folded = output->format ? !strcmp(output->format, "folded")
                                 : ends_with(output->path, ".folded");
    if ((a->folds || a->at) && !folded) {
        cli_error("export: --%s belongs to --to folded", a->folds ? "of" : "at");
        return false;
    }
    if (output->measure == VT_MEASURE_LIVE && !a->at)
        a->at = "end"; /* after the last event nothing is mapped */
    /* NOLINTNEXTLINE(*NonNullParamChecker): as above */
    if (strcmp(output->path, "-") != 0 && is_same_file(a->run, output->path)) {
        cli_error("export: \"%s\" is the recording itself, which would be lost; name another "
                  "file with -o",
                  output->path);
        return false;
    }
    return true;
}

/* What is to be told, or false after a message. */
static bool choose(const struct arguments *a, struct vt_recording *recording,
                   struct vt_replay_part *part)
{
    struct vt_moment moment;
    const struct vt_recorded_process *process = NULL;
    if ((a->pid || a->at) && !(process = cli_process(recording, a->pid)))
        return false;
    if (a->pid)
        part->process = process;
    if (!a->at)
        return true;
    if (!cli_moment(recording, process, a->at, &moment))
        return false;
    part->last_event = moment.event;
    return true;
}

static int export(const struct arguments *a, struct vt_recording *recording)
{
    struct vt_replay_part part = {0};
    struct cli_progress progress = {0};
    struct vt_sink *sink;
    struct vt_error err = {0};
    cli_note_gaps(recording, a->run);
    if (!choose(a, recording, &part))
        return EXIT_OURS;
    if (a->debug_files && !(part.lines = vt_lines_create())) {
        cli_error("out of memory");
        return EXIT_OURS;
    }
    int rc = vt_sink_create(&a->output, &sink, &err);
    if (!rc) {
        signal(SIGPIPE, SIG_IGN); /* told by write(2), and by name */
        signal(SIGXFSZ, SIG_IGN);
        if (strcmp(a->output.path, "-") != 0 || !isatty(STDOUT_FILENO))
            cli_progress_begin(&progress, recording, a->run);
        rc = vt_session_replay(recording, &part, sink, &err);
        cli_progress_end(&progress);
        vt_sink_destroy(sink);
    }
    cli_lines_end(part.lines);
    if (!rc || rc == -EPIPE) /* a reader that has seen enough is no failure */
        return 0;
    cli_error("%s", err.text);
    return EXIT_OURS;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments a = {0};
    if (!parse(&a, command, argc, argv))
        return EXIT_OURS;
    struct vt_recording *recording = cli_open_run(a.run);
    if (!recording)
        return EXIT_OURS;
    int status = export(&a, recording);
    vt_recording_close(recording);
    return status;
}

const struct cli_command cli_export = {
    .name = "export",
    .usage = "RUN --to FORMAT [-o FILE] [--pid PID] [--debug-files]\n"
             "RUN --to folded [--of peak|live|made] [--at WHEN] [-o FILE] [--pid PID]",
    .summary = "Write a recording in another format, for other tools.",
    .options = options,
    .run = run,
    .mixed = true,
};
