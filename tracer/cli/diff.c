/*
 * diff.c - `vastrace diff RUN WHEN WHEN` and `vastrace diff RUN RUN`: what is
 * different between two moments of a process, or between two runs of a program.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "cli/page.h"
#include "cli/progress.h"

enum { OPTION_PID = 256, OPTION_DEBUG_FILES, OPTION_COLOR, OPTION_ALL, OPTION_AT };

/* As many lines are read by eyes; the largest are shown. */
#define ITEMS_MOST 100
#define SITES_MOST 12

/* Where columns end or begin: on a terminal of 80 columns all but the last stand in one line. */
enum {
    KIND_AT = 10,
    SIZE_END = 29,
    RANGE_AT = 31,
    PERM_AT = 57,
    EVENT_END = 70,
    CAUSE_AT = 72,
    WHAT_AT = 82,
    WHAT_OF_RUNS_AT = 63 /* where there are neither events nor causes */
};

static const struct cli_option options[] = {
    {OPTION_PID, "pid", "PID", "the process, if not the launched one"},
    {OPTION_AT, "at", "WHEN", "of two runs: the moment that is compared; end if not given"},
    {OPTION_ALL, "all", NULL, "every difference, however many there are"},
    {OPTION_DEBUG_FILES, "debug-files", NULL, CLI_DEBUG_FILES_HELP},
    {OPTION_COLOR, "color", "auto|always|never", "auto heeds NO_COLOR and TERM=dumb"},
    {0},
};

static const struct {
    const char *word;
    const char *style;
} ops[] = {
    [VT_DIFFERENCE_MADE] = {"+ made", CLI_GOOD},   [VT_DIFFERENCE_GONE] = {"- gone", "31"},
    [VT_DIFFERENCE_ALTERED] = {"~ altered", "33"}, [VT_DIFFERENCE_OTHER] = {"! other", "33"},
    [VT_DIFFERENCE_GROWN] = {"+ grown", CLI_GOOD}, [VT_DIFFERENCE_SHRUNK] = {"- shrunk", "31"},
};

static uint64_t size_of(const struct vt_region *r)
{
    return r->end - r->start;
}

/* ---- sums ------------------------------------------------------------------------ */

static void delta_at(struct cli_page *p, size_t column, uint64_t before, uint64_t after)
{
    struct cli_page text = {0};
    if (before == after) {
        cli_right(p, column, "=");
        return;
    }
    cli_text(&text, "%c", after > before ? '+' : '-');
    cli_size(&text, after > before ? after - before : before - after);
    cli_paint(p, after > before ? CLI_GOOD : "31");
    cli_right(p, column, "%s", vt_buf_cstr(&text.out));
    cli_plain(p);
    vt_buf_deinit(&text.out);
}

static void sums(struct cli_page *p, const struct vt_differences *d)
{
    uint64_t before = 0, after = 0;
    cli_paint(p, CLI_TITLE);
    cli_text(p, "kind");
    cli_right(p, 24, "before");
    cli_right(p, 34, "after");
    cli_right(p, 44, "change");
    cli_line(p);
    for (unsigned kind = 0; kind < VT_KIND_COUNT; kind++) {
        before += d->before[kind];
        after += d->after[kind];
        if (!d->before[kind] && !d->after[kind])
            continue;
        cli_text(p, "%s", vt_kind_name((uint8_t)kind));
        cli_size_at(p, 24, d->before[kind]);
        cli_size_at(p, 34, d->after[kind]);
        delta_at(p, 44, d->before[kind], d->after[kind]);
        cli_line(p);
    }
    cli_paint(p, CLI_STRONG);
    cli_text(p, "all");
    cli_plain(p);
    cli_size_at(p, 24, before);
    cli_size_at(p, 34, after);
    delta_at(p, 44, before, after);
    cli_line(p);
}

/* Bytes made and gone by one cause and stack. */
struct site {
    const char *cause;
    const struct vt_stack *stack;
    uint64_t made;
    uint64_t gone;
    uint64_t altered;
};

static int by_weight(const void *a, const void *b)
{
    const struct site *x = a, *y = b;
    uint64_t p = x->made + x->gone + x->altered, q = y->made + y->gone + y->altered;
    return p > q ? -1 : p < q;
}

static int by_place(const void *a, const void *b)
{
    const struct vt_difference *const *x = a, *const *y = b;
    if ((*x)->cause != (*y)->cause)
        return (uintptr_t)(*x)->cause < (uintptr_t)(*y)->cause ? -1 : 1;
    return (uintptr_t)(*x)->stack < (uintptr_t)(*y)->stack
               ? -1
               : (uintptr_t)(*x)->stack > (uintptr_t)(*y)->stack;
}

/* Sum up by site: equal ones stand together after sorting. */
static size_t collect_sites(const struct vt_differences *d, struct site *list)
{
    struct vt_difference **order = malloc((d->count + 1) * sizeof(struct vt_difference *));
    size_t count = 0;
    for (size_t i = 0; order && i < d->count; i++)
        order[i] = &d->items[i];
    if (order)
        qsort(order, d->count, sizeof(struct vt_difference *), by_place);
    for (size_t i = 0; order && i < d->count; i++) {
        const struct vt_difference *item = order[i];
        struct site *site = count ? &list[count - 1] : NULL;
        if (!site || site->cause != item->cause || site->stack != item->stack) {
            site = &list[count++];
            *site = (struct site){.cause = item->cause, .stack = item->stack};
        }
        if (item->op == VT_DIFFERENCE_ALTERED)
            site->altered += size_of(&item->after);
        else
            site->made += size_of(&item->after);
        if (item->op != VT_DIFFERENCE_ALTERED)
            site->gone += size_of(&item->before);
    }
    free(order);
    qsort(list, count, sizeof(*list), by_weight);
    return count;
}

static void sites(struct cli_page *p, const struct vt_differences *d)
{
    struct site *list = malloc((d->count + 1) * sizeof(*list));
    size_t count = list ? collect_sites(d, list) : 0;
    cli_line(p);
    cli_paint(p, CLI_TITLE);
    cli_text(p, "by");
    cli_right(p, 24, "made");
    cli_right(p, 34, "gone");
    cli_right(p, 44, "altered");
    cli_line(p);
    for (size_t i = 0; i < count && i < SITES_MOST; i++) {
        cli_text(p, "%s", *list[i].cause ? list[i].cause : "(not known)");
        cli_size_at(p, 24, list[i].made);
        cli_size_at(p, 34, list[i].gone);
        cli_size_at(p, 44, list[i].altered);
        cli_line(p);
        cli_stack_line(p, 4, list[i].stack, 6);
    }
    if (count > SITES_MOST) {
        cli_text(p, "and %zu more", count - SITES_MOST);
        cli_line(p);
    }
    free(list);
}

/* ---- items ------------------------------------------------------------------------- */

static void titles(struct cli_page *p, bool events)
{
    cli_line(p);
    cli_paint(p, CLI_TITLE);
    cli_text(p, "change");
    cli_pad(p, KIND_AT);
    cli_text(p, "kind");
    cli_right(p, SIZE_END, "size");
    cli_pad(p, RANGE_AT);
    cli_text(p, "range");
    cli_pad(p, PERM_AT);
    cli_text(p, "perm");
    if (events) {
        cli_right(p, EVENT_END, "event");
        cli_pad(p, CAUSE_AT);
        cli_text(p, "cause");
    }
    cli_pad(p, events ? WHAT_AT : WHAT_OF_RUNS_AT);
    cli_text(p, "what");
    cli_line(p);
}

static void item_line(struct cli_page *p, const struct vt_difference *item, bool events)
{
    bool after = item->after.start < item->after.end;
    const struct vt_region *r = after ? &item->after : &item->before;
    bool both = after && item->before.start < item->before.end;
    char perm[5], was[5];
    cli_paint(p, ops[item->op].style);
    cli_text(p, "%s", ops[item->op].word);
    cli_plain(p);
    cli_pad(p, KIND_AT);
    cli_text(p, "%s", vt_kind_name(r->kind));
    cli_size_at(p, SIZE_END, size_of(r));
    cli_pad(p, RANGE_AT);
    cli_range(p, r->start, r->end);
    cli_pad(p, PERM_AT);
    cli_text(p, "%s", vt_prot_text(r->prot, r->flags, perm));
    if (events) {
        cli_right(p, EVENT_END, "%s#%llu", item->events > 1 ? ".." : "",
                  (unsigned long long)item->event);
        cli_pad(p, CAUSE_AT);
        cli_text(p, "%s", item->cause);
    }
    cli_pad(p, events ? WHAT_AT : WHAT_OF_RUNS_AT);
    cli_object(p, r);
    if (item->events > 1)
        cli_text(p, "%sby %llu events", r->object ? "  " : "", (unsigned long long)item->events);
    if (both) {
        const char *separator = r->object || item->events > 1 ? "  was" : "was";
        vt_prot_text(item->before.prot, item->before.flags, was);
        if (strcmp(was, perm)) {
            cli_text(p, "%s %s", separator, was);
            separator = "";
        }
        if (item->before.kind != item->after.kind) {
            cli_text(p, "%s %s", separator, vt_kind_name(item->before.kind));
            separator = "";
        }
        if (size_of(&item->before) != size_of(&item->after)) {
            cli_text(p, "%s ", separator);
            cli_size(p, size_of(&item->before));
        }
        if (item->op == VT_DIFFERENCE_OTHER && item->before.object &&
            item->before.object != item->after.object) {
            cli_text(p, "%s ", separator);
            cli_object(p, &item->before);
        }
    }
    cli_line(p);
}

static uint64_t weight(const struct vt_difference *item)
{
    return vt_max(size_of(&item->before), size_of(&item->after));
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = weight(a), y = weight(b);
    return x > y ? -1 : x < y;
}

static void items(struct cli_page *p, struct vt_differences *d, bool events, bool all)
{
    size_t count = all ? d->count : vt_min(d->count, ITEMS_MOST);
    if (!d->count) {
        cli_line(p);
        cli_text(p, "no difference");
        cli_line(p);
        return;
    }
    if (count < d->count) /* the largest */
        qsort(d->items, d->count, sizeof(*d->items), by_size);
    p->fold_at = KIND_AT;
    titles(p, events);
    for (size_t i = 0; i < count; i++)
        item_line(p, &d->items[i], events);
    p->fold_at = 0;
    if (count < d->count) {
        cli_text(p, "and %zu smaller ones; --all shows all, in order of addresses",
                 d->count - count);
        cli_line(p);
    }
}

/* ---- the command ---------------------------------------------------------------------- */

struct arguments {
    long pid;
    const char *at;
    bool all;
};

static int diff_moments(struct cli_page *p, const struct arguments *a, char **words)
{
    struct vt_recording *recording = cli_open_run(words[0]);
    struct vt_differences d = {0};
    struct cli_progress progress;
    struct vt_moment from, to;
    struct vt_error err = {0};
    if (!recording)
        return EXIT_OURS;
    cli_note_gaps(recording, words[0]);
    const struct vt_recorded_process *process = cli_process(recording, a->pid);
    int status = EXIT_OURS;
    bool found = process && cli_moment(recording, process, words[1], &from) &&
                 cli_moment(recording, process, words[2], &to);
    cli_progress_begin(&progress, recording, words[0]);
    int rc = found ? vt_recording_diff(recording, &from, &to, &d, &err) : -1;
    cli_progress_end(&progress);
    if (rc) {
        if (found)
            cli_error("%s", err.text);
    } else {
        p->program = process->path;
        cli_paint(p, CLI_STRONG);
        cli_name(p, process->name);
        cli_plain(p);
        cli_text(p, " (pid %d): first %s, then %s", (int)process->pid, from.text, to.text);
        cli_line(p);
        if (from.space != to.space) {
            cli_text(p, "between them it executed a program: everything is another's");
            cli_line(p);
        }
        sums(p, &d);
        if (d.count)
            sites(p, &d);
        items(p, &d, true, a->all);
        status = cli_page_end(p);
    }
    vt_differences_deinit(&d);
    vt_recording_close(recording);
    return status;
}

/* One side of a comparison of two runs. */
struct side {
    struct vt_recording *recording;
    const struct vt_recorded_process *process;
    struct vt_moment moment;
    struct vt_recorded_layout *layout;
};

static bool open_side(struct side *side, const struct arguments *a, const char *path)
{
    struct cli_progress progress;
    struct vt_error err = {0};
    side->recording = cli_open_run(path);
    if (!side->recording)
        return false;
    cli_note_gaps(side->recording, path);
    side->process = cli_process(side->recording, a->pid);
    if (!side->process || !cli_moment(side->recording, side->process, a->at, &side->moment))
        return false;
    cli_progress_begin(&progress, side->recording, path);
    int rc = vt_recording_layout(side->recording, &side->moment, &side->layout, &err);
    cli_progress_end(&progress);
    if (rc)
        cli_error("%s", err.text);
    return !rc;
}

static void close_side(struct side *side)
{
    vt_recorded_layout_destroy(side->layout);
    vt_recording_close(side->recording);
}

static int diff_runs(struct cli_page *p, const struct arguments *a, char **words)
{
    struct side sides[2] = {0};
    struct vt_differences d = {0};
    struct vt_error err = {0};
    int status = EXIT_OURS;
    if (open_side(&sides[0], a, words[0]) && open_side(&sides[1], a, words[1])) {
        if (vt_recording_diff_runs(sides[0].layout, sides[1].layout, &d, &err)) {
            cli_error("%s", err.text);
        } else {
            for (int i = 0; i < 2; i++) {
                cli_paint(p, CLI_STRONG);
                cli_text(p, "%s ", i ? "after: " : "before:");
                cli_plain(p);
                cli_name(p, words[i]);
                cli_text(p, ", ");
                cli_name(p, sides[i].process->name);
                cli_text(p, " (pid %d) %s", (int)sides[i].process->pid, sides[i].moment.text);
                cli_line(p);
            }
            cli_text(p, "regions are matched by what they are; their addresses do not count");
            cli_line(p);
            sums(p, &d);
            items(p, &d, false, a->all);
            status = cli_page_end(p);
        }
    }
    vt_differences_deinit(&d);
    close_side(&sides[0]);
    close_side(&sides[1]);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct cli_page page = {0};
    struct arguments a = {.at = "end"};
    const char *color = "auto";
    int id;
    while ((id = cli_next_option(command, argc, argv)) != -1) {
        if (id == OPTION_COLOR)
            color = optarg;
        else if (id == OPTION_DEBUG_FILES)
            page.debug_files = true;
        else if (id == OPTION_ALL)
            a.all = true;
        else if (id == OPTION_AT)
            a.at = optarg;
        else if (id != OPTION_PID || !cli_pid(optarg, &a.pid))
            return EXIT_OURS;
    }
    if (!cli_color(color, &page.color))
        return EXIT_OURS;
    if (argc - optind == 3)
        return diff_moments(&page, &a, argv + optind);
    if (page.debug_files) {
        cli_error(
            "diff --debug-files: of two recordings no stacks are told; it is for two moments of "
            "one");
        return EXIT_OURS;
    }
    if (argc - optind == 2)
        return diff_runs(&page, &a, argv + optind);
    cli_error("diff: name a recording and two moments, or two recordings, as in: vastrace diff "
              "run.vas start end");
    return EXIT_OURS;
}

const struct cli_command cli_diff = {
    .name = "diff",
    .usage = "RUN [--pid PID] [--debug-files] WHEN WHEN\nRUN RUN [--at WHEN]",
    .summary = "Tell what changed between two moments of a run, or what differs between two runs.",
    .options = options,
    .run = run,
    .mixed = true,
};
