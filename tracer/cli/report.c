/*
 * report.c - `vastrace report RUN`: what a run amounted to, for eyes or as JSON.
 */
#include <getopt.h>

#include "cli/progress.h"
#include "cli/report.h"
#include "cli/values.h"

enum { OPTION_PID = 256, OPTION_FORMAT, OPTION_DEBUG_FILES, OPTION_COLOR };

static const struct cli_option options[] = {
    {OPTION_PID, "pid", "PID", "the process, if not the launched one"},
    {OPTION_FORMAT, "format", "text|json", "text if not given"},
    {OPTION_DEBUG_FILES, "debug-files", NULL, CLI_DEBUG_FILES_HELP},
    {OPTION_COLOR, "color", "auto|always|never", "auto heeds NO_COLOR and TERM=dumb"},
    {0},
};

static int show(struct cli_page *page, struct vt_recording *recording, const char *path, long pid,
                bool json)
{
    const struct vt_recorded_process *process = cli_process(recording, pid);
    struct cli_progress progress;
    struct vt_report report;
    struct vt_error err = {0};
    if (!process)
        return EXIT_OURS;
    cli_progress_begin(&progress, recording, path);
    int rc = vt_recording_report(recording, process, &report, &err);
    cli_progress_end(&progress);
    if (rc) {
        cli_error("%s", err.text);
        return EXIT_OURS;
    }
    if (json)
        cli_report_json(page, recording, &report);
    else
        cli_report_text(page, recording, &report, path);
    vt_report_deinit(&report);
    return cli_page_end(page);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct cli_page page = {0};
    const char *color = "auto";
    long pid = 0;
    int id, format = 0;
    while ((id = cli_next_option(command, argc, argv)) != -1) {
        if (id == OPTION_COLOR)
            color = optarg;
        else if (id == OPTION_DEBUG_FILES)
            page.debug_files = true;
        else if (id == OPTION_FORMAT)
            format = cli_choice(command, id, optarg);
        else if (id != OPTION_PID || !cli_pid(optarg, &pid))
            return EXIT_OURS;
    }
    if (format < 0 || !cli_color(color, &page.color))
        return EXIT_OURS;
    bool json = format == 1;
    if (argc - optind != 1) {
        cli_error("report: name one recording, as in: vastrace report run.vas");
        return EXIT_OURS;
    }
    struct vt_recording *recording = cli_open_run(argv[optind]);
    if (!recording)
        return EXIT_OURS;
    int status = show(&page, recording, argv[optind], pid, json);
    vt_recording_close(recording);
    return status;
}

const struct cli_command cli_report = {
    .name = "report",
    .usage = "RUN [--pid PID] [--format text|json] [--debug-files]",
    .summary = "Tell what a run amounted to: totals, the ledger, who mapped what, findings.",
    .options = options,
    .run = run,
    .mixed = true,
};
