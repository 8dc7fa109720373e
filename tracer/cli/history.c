/*
 * history.c - `vastrace history RUN ADDR[-ADDR]`: who ever owned an address.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "cli/page.h"
#include "cli/progress.h"
#include "cli/values.h"

enum { OPTION_PID = 256, OPTION_DEBUG_FILES, OPTION_COLOR, OPTION_ALL };

/* As many lines are read by eyes; --all is for the rest. */
#define ENTRIES_MOST 200

/* Where columns end or begin: on a terminal of 80 columns all but the last stand in one line. */
enum {
    TIME_END = 10,
    EVENT_AT = 12,
    EVENT_END = 18,
    CAUSE_AT = 20,
    OP_AT = 29,
    SIZE_END = 48,
    RANGE_AT = 50,
    PERM_AT = 76,
    WHAT_AT = 82
};

static const struct cli_option options[] = {
    {OPTION_PID, "pid", "PID", "the process, if not the launched one"},
    {OPTION_ALL, "all", NULL, "every entry, however many there are"},
    {OPTION_DEBUG_FILES, "debug-files", NULL, CLI_DEBUG_FILES_HELP},
    {OPTION_COLOR, "color", "auto|always|never", "auto heeds NO_COLOR and TERM=dumb"},
    {0},
};

static const struct {
    char mark;
    const char *word;
} ops[] = {
    [VT_HISTORY_MADE] = {'+', "made"},
    [VT_HISTORY_GROWN] = {'+', "grown"},
    [VT_HISTORY_CUT] = {'-', "cut"},
    [VT_HISTORY_ALTERED] = {'~', "altered"},
    [VT_HISTORY_MOVED_HERE] = {'>', "moved here"},
    [VT_HISTORY_MOVED_AWAY] = {'>', "moved away"},
    [VT_HISTORY_GONE] = {'-', "gone"},
};

static void titles(struct cli_page *p)
{
    cli_paint(p, CLI_TITLE);
    cli_right(p, TIME_END, "time");
    cli_right(p, EVENT_END, "event");
    cli_pad(p, CAUSE_AT);
    cli_text(p, "cause");
    cli_pad(p, OP_AT);
    cli_text(p, "change");
    cli_right(p, SIZE_END, "size");
    cli_pad(p, RANGE_AT);
    cli_text(p, "range");
    cli_pad(p, PERM_AT);
    cli_text(p, "perm");
    cli_pad(p, WHAT_AT);
    cli_text(p, "what");
    cli_line(p);
}

static void neighbour(struct cli_page *p, const char *side, const struct vt_region *region,
                      uint64_t distance)
{
    if (region->start == region->end)
        return;
    cli_pad(p, WHAT_AT);
    cli_paint(p, CLI_FAINT);
    cli_text(p, "%s: %s", side, vt_kind_name(region->kind));
    if (region->object) {
        cli_text(p, " ");
        cli_object(p, region);
    }
    cli_text(p, " ");
    cli_range(p, region->start, region->end);
    if (distance) {
        cli_text(p, ", ");
        cli_size(p, distance);
        cli_text(p, " away");
    }
    cli_line(p);
}

static void entry(struct cli_page *p, const struct vt_history_entry *e, bool many_spaces,
                  bool many_threads)
{
    bool after = e->after.start < e->after.end;
    const struct vt_region *r = after ? &e->after : &e->before;
    char perm[5], was[5];
    cli_seconds_at(p, TIME_END, e->time_ns);
    cli_right(p, EVENT_END, "#%llu", (unsigned long long)e->event);
    cli_pad(p, CAUSE_AT);
    cli_text(p, "%s", e->cause);
    cli_pad(p, OP_AT);
    cli_text(p, "%c %s", ops[e->op].mark, ops[e->op].word);
    cli_size_at(p, SIZE_END, r->end - r->start);
    cli_pad(p, RANGE_AT);
    cli_range(p, r->start, r->end);
    cli_pad(p, PERM_AT);
    cli_text(p, "%s", vt_prot_text(r->prot, r->flags, perm));
    cli_pad(p, WHAT_AT);
    cli_text(p, "%s", vt_kind_name(r->kind));
    if (r->object) {
        cli_text(p, " ");
        cli_object(p, r);
    }
    if (e->op == VT_HISTORY_ALTERED) {
        vt_prot_text(e->before.prot, e->before.flags, was);
        if (strcmp(was, perm))
            cli_text(p, "  was %s", was);
        if (e->before.kind != e->after.kind)
            cli_text(p, "  was %s", vt_kind_name(e->before.kind));
    }
    if (e->op == VT_HISTORY_CUT || e->op == VT_HISTORY_GROWN) {
        cli_text(p, "  was ");
        cli_size(p, e->before.end - e->before.start);
    }
    if (e->elsewhere)
        cli_text(p, "  %s %llx", e->op == VT_HISTORY_MOVED_HERE ? "from" : "to",
                 (unsigned long long)e->elsewhere);
    if (many_threads)
        cli_text(p, "  by thread %d", (int)e->tid);
    if (many_spaces)
        cli_text(p, "  space %u", (unsigned)e->space);
    cli_line(p);
    cli_stack_line(p, OP_AT, e->stack, 8);
    neighbour(p, "above", &e->above, e->above.start - r->end);
    neighbour(p, "below", &e->below, r->start - e->below.end);
}

static void headline(struct cli_page *p, const struct vt_recorded_process *process,
                     const struct vt_history *h, vt_addr start, vt_addr end)
{
    uint64_t owners = 0;
    for (size_t i = 0; i < h->count; i++)
        owners += h->entries[i].op == VT_HISTORY_MADE || h->entries[i].op == VT_HISTORY_MOVED_HERE;
    cli_paint(p, CLI_STRONG);
    if (end - start == 1)
        cli_text(p, "address %llx", (unsigned long long)start);
    else
        cli_range(p, start, end);
    cli_plain(p);
    cli_text(p, " in ");
    cli_name(p, process->name);
    cli_text(p, " (pid %d): ", (int)process->pid);
    if (!h->count)
        cli_text(p, "nothing was ever mapped there");
    else if (h->left_out)
        cli_text(p, "%llu entries; the first and last %d are shown, --all shows all",
                 (unsigned long long)(h->left_out + h->count), ENTRIES_MOST / 2);
    else
        cli_text(p, "mapped %llu time%s", (unsigned long long)owners, owners == 1 ? "" : "s");
    cli_line(p);
}

static int show(struct cli_page *p, struct vt_recording *recording, const char *path,
                const struct vt_recorded_process *process, vt_addr start, vt_addr end, bool all)
{
    struct cli_progress progress;
    struct vt_history h;
    struct vt_error err = {0};
    cli_progress_begin(&progress, recording, path);
    int rc = vt_recording_history(recording, process, start, end, all ? 0 : ENTRIES_MOST, &h, &err);
    cli_progress_end(&progress);
    if (rc) {
        cli_error("%s", err.text);
        return EXIT_OURS;
    }
    p->program = process->path;
    bool many_spaces = false, many_threads = false;
    for (size_t i = 1; i < h.count; i++) {
        many_spaces |= h.entries[i].space != h.entries[0].space;
        many_threads |= h.entries[i].tid != h.entries[0].tid;
    }
    headline(p, process, &h, start, end);
    p->fold_at = cli_width(p) < PERM_AT + 4 ? EVENT_AT : CAUSE_AT;
    if (h.count)
        titles(p);
    for (size_t i = 0; i < h.count; i++) {
        if (h.left_out && i == ENTRIES_MOST / 2) {
            cli_pad(p, OP_AT);
            cli_text(p, "... %llu more ...", (unsigned long long)h.left_out);
            cli_line(p);
        }
        if (h.entries[i].skipped) {
            cli_pad(p, OP_AT);
            cli_text(p, "... %llu more such ...", (unsigned long long)h.entries[i].skipped);
            cli_line(p);
        }
        entry(p, &h.entries[i], many_spaces, many_threads);
    }
    vt_history_deinit(&h);
    return cli_page_end(p);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct cli_page page = {0};
    const char *color = "auto";
    vt_addr start, end;
    long pid = 0;
    bool all = false;
    int id;
    while ((id = cli_next_option(command, argc, argv)) != -1) {
        if (id == OPTION_COLOR)
            color = optarg;
        else if (id == OPTION_DEBUG_FILES)
            page.debug_files = true;
        else if (id == OPTION_ALL)
            all = true;
        else if (id != OPTION_PID || !cli_pid(optarg, &pid))
            return EXIT_OURS;
    }
    if (!cli_color(color, &page.color))
        return EXIT_OURS;
    if (argc - optind != 2) {
        cli_error("history: name a recording and an address, as in: vastrace history run.vas "
                  "7ffff7a00000");
        return EXIT_OURS;
    }
    if (!cli_addresses(argv[optind + 1], &start, &end))
        return EXIT_OURS;
    struct vt_recording *recording = cli_open_run(argv[optind]);
    if (!recording)
        return EXIT_OURS;
    cli_note_gaps(recording, argv[optind]);
    const struct vt_recorded_process *process = cli_process(recording, pid);
    int status = process ? show(&page, recording, argv[optind], process, start, end, all)
                         : EXIT_OURS;
    vt_recording_close(recording);
    return status;
}

const struct cli_command cli_history = {
    .name = "history",
    .usage = "RUN ADDRESS[-ADDRESS] [--pid PID] [--debug-files]",
    .summary = "Tell the biography of an address: each owner it ever had, and what lay beside it.",
    .options = options,
    .run = run,
    .mixed = true,
};
