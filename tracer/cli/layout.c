/*
 * layout.c - `vastrace layout PID` and `vastrace layout RUN`: the map of a live
 * process, or of a recorded one at any moment, drawn or in words.
 */
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/page.h"
#include "cli/progress.h"
#include "session/kernel_half.h"
#include "sinks/picture.h"
#include <vastrace/session.h>

enum { OPTION_FORMAT = 256, OPTION_COLOR, OPTION_WIDTH, OPTION_ALL, OPTION_PID, OPTION_AT };

static const struct cli_option options[] = {
    {OPTION_PID, "pid", "PID", "of a recording: the process, if not the launched one"},
    {OPTION_AT, "at", "WHEN",
     "of a recording: start, end (if not given), peak, 1.25, 350ms, '#812'"},
    {OPTION_FORMAT, "format", "picture|maps|json", "picture if not given"},
    {OPTION_ALL, "all", NULL, "picture: every region, none folded"},
    {OPTION_WIDTH, "width", "N", "picture: columns, if not the terminal's"},
    {OPTION_COLOR, "color", "auto|always|never", "auto heeds NO_COLOR and TERM=dumb"},
    {0},
};

static void detail_of(void *context, const struct vt_region *region, struct vt_detail *detail)
{
    vt_snapshot_detail(context, region, detail);
}

static int render(const struct vt_picture_format *format, const struct vt_picture_input *input)
{
    struct vt_buf out = {0};
    struct vt_error err = {0};
    int rc = format->render(input, &out, &err);
    if (rc)
        cli_error("%s", *err.text ? err.text : "cannot draw the layout: out of memory");
    else if (fwrite(out.data, 1, out.length, stdout) != out.length || fflush(stdout)) {
        cli_error("cannot write the layout to standard output: %m");
        rc = -1;
    }
    vt_buf_deinit(&out);
    return rc ? EXIT_OURS : 0;
}

static int draw(struct vt_snapshot *snapshot, const struct vt_picture_format *format,
                struct vt_picture_input *input)
{
    static struct vt_kernel_half half; /* large, and used once */
    struct vt_machine machine;
    struct rlimit limit;
    const struct vt_snapshot_info *info = vt_snapshot_info(snapshot);

    vt_machine_read(&machine);
    vt_kernel_half_read(&vt_kernel_proc_files, machine.la57, &half);
    input->layout = vt_snapshot_layout(snapshot);
    input->detail = detail_of;
    input->detail_context = snapshot;
    input->pid = info->pid;
    input->path = info->path;
    input->type = info->type;
    input->class_bits = info->class_bits;
    input->sp = info->sp;
    if (!prlimit(info->pid, RLIMIT_STACK, NULL, &limit))
        input->stack_limit = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
    input->aslr = info->aslr;
    input->aslr_disabled = info->aslr_disabled;
    input->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    input->mmap_min_addr = machine.mmap_min_addr;
    input->mmap_rnd_bits = info->class_bits == 32 ? machine.mmap_rnd_compat_bits
                                                  : machine.mmap_rnd_bits;
    input->la57 = machine.la57;
    input->kernel = info->class_bits == 32 ? NULL : &half;
    return render(format, input);
}

static void recorded_detail(void *context, const struct vt_region *region, struct vt_detail *detail)
{
    vt_recorded_layout_detail(context, region, detail);
}

/* The machine's own facts are left out: the recording may be from another one. */
static int draw_recorded(struct vt_recording *recording, const char *path,
                         const struct vt_moment *moment, const struct vt_picture_format *format,
                         struct vt_picture_input *input)
{
    const struct vt_recording_info *info = vt_recording_info(recording);
    struct cli_progress progress;
    struct vt_recorded_layout *layout;
    struct vt_error err = {0};
    cli_progress_begin(&progress, recording, path);
    int rc = vt_recording_layout(recording, moment, &layout, &err);
    if (!rc)
        rc = vt_recording_sp(recording, moment, &input->sp, &err);
    cli_progress_end(&progress);
    if (rc) {
        cli_error("%s", err.text);
        return EXIT_OURS;
    }
    input->layout = vt_recorded_layout_map(layout);
    input->detail = recorded_detail;
    input->detail_context = layout;
    input->pid = moment->process->pid;
    input->path = moment->process->path;
    input->type = moment->process->type;
    input->class_bits = moment->process->class_bits;
    input->aslr = info->run.aslr;
    input->aslr_disabled = info->run.aslr_disabled;
    input->moment = moment->text;
    input->page_size = info->run.page_size;
    vt_layout_for_each(r, input->layout)
        input->la57 |= r->end > UINT64_C(1) << 47 && !(r->start >> 63);
    int status = render(format, input);
    vt_recorded_layout_destroy(layout);
    return status;
}

static int draw_run(const char *path, long pid, const char *at,
                    const struct vt_picture_format *format, struct vt_picture_input *input)
{
    struct vt_recording *recording = cli_open_run(path);
    struct vt_moment moment;
    if (!recording)
        return EXIT_OURS;
    cli_note_gaps(recording, path);
    const struct vt_recorded_process *process = cli_process(recording, pid);
    int status = EXIT_OURS;
    if (process && cli_moment(recording, process, at, &moment))
        status = draw_recorded(recording, path, &moment, format, input);
    vt_recording_close(recording);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct vt_picture_input input = {0};
    const struct vt_picture_format *format = vt_picture_formats();
    const char *color = "auto", *at = NULL;
    long number, pid = 0;
    int id;

    setlocale(LC_CTYPE, "");
    while ((id = cli_next_option(command, argc, argv)) != -1) {
        switch (id) {
        case OPTION_FORMAT:
            if (!(format = vt_picture_format_find(optarg))) {
                cli_error("--format %s: give picture, maps or json", optarg);
                return EXIT_OURS;
            }
            break;
        case OPTION_ALL:
            input.all = true;
            break;
        case OPTION_WIDTH:
            if (!cli_number(optarg, 20, 10000, &number)) {
                cli_error("--width %s: give a number of columns", optarg);
                return EXIT_OURS;
            }
            input.width = (unsigned)number;
            break;
        case OPTION_COLOR:
            color = optarg;
            break;
        case OPTION_PID:
            if (!cli_pid(optarg, &pid))
                return EXIT_OURS;
            break;
        case OPTION_AT:
            at = optarg;
            break;
        default:
            return EXIT_OURS;
        }
    }
    if (optind != argc - 1) {
        cli_error("layout: name one recording or one process by its id, as in: vastrace layout "
                  "run.vas, or: vastrace layout 4242");
        return EXIT_OURS;
    }
    /* A number is a process, unless there is a file of this name. */
    const char *word = argv[optind];
    bool live = cli_number(word, 1, INT32_MAX, &number) && access(word, F_OK);
    if (live && (at || pid)) {
        cli_error("layout: %s belongs to a recording, and %s is a running process",
                  at ? "--at" : "--pid", word);
        return EXIT_OURS;
    }
    if (!input.width)
        input.width = cli_terminal_width();
    if (!cli_color(color, &input.color))
        return EXIT_OURS;
    input.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");

    if (!live)
        return draw_run(word, pid, at ? at : "end", format, &input);

    struct vt_snapshot *snapshot;
    struct vt_error err = {0};
    if (vt_snapshot_take((pid_t)number, &snapshot, &err)) {
        cli_error("%s", err.text);
        return EXIT_OURS;
    }
    int status = draw(snapshot, format, &input);
    vt_snapshot_destroy(snapshot);
    return status;
}

const struct cli_command cli_layout = {
    .name = "layout",
    .usage = "RUN [--pid PID] [--at WHEN] [--format picture|maps|json]\n"
             "PID [--format picture|maps|json]",
    .summary = "Draw an address space: of a recording at any moment, or of a running process.",
    .options = options,
    .run = run,
    .mixed = true,
};
