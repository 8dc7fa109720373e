/*
 * report_text.c - hides how an account is laid out for eyes: a ledger, facts,
 * and lists of which the largest items are shown and the rest is counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/base.h"
#include "cli/report.h"
#include "sinks/words.h"

#define SITES_MOST     12
#define REMAINING_MOST 10
#define DEPTHS_MOST    5
#define FRAMES_SHOWN   6
#define OTHERS_MOST    16
#define SPLITTERS_MOST 3

typedef unsigned long long ull;

static uint64_t size_of(const struct vt_region *r)
{
    return r->end - r->start;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- the account ------------------------------------------------------------ */

static void section(struct cli_page *p, const char *title)
{
    cli_line(p);
    cli_paint(p, CLI_STRONG);
    cli_text(p, "%s", title);
    cli_line(p);
}

static void ending(struct cli_page *p, const struct vt_recorded_process *process)
{
    int status = process->wait_status;
    if (!process->end_event)
        cli_text(p, "is still there where the recording ends");
    else if (process->detached)
        cli_text(p, "was left running");
    else if (WIFSIGNALED(status)) {
        cli_paint(p, CLI_BAD);
        cli_text(p, "was killed by ");
        vt_add_signal(&p->out, WTERMSIG(status));
        cli_plain(p);
    } else
        cli_text(p, "exited %d", WEXITSTATUS(status));
    if (process->end_event) {
        cli_text(p, " after ");
        cli_duration(p, process->lifetime_ns);
    }
}

static void headline(struct cli_page *p, const struct vt_recording_info *info,
                     const struct vt_report *r)
{
    cli_paint(p, CLI_STRONG);
    cli_name(p, *r->process->name ? r->process->name : "process");
    cli_plain(p);
    cli_text(p, " (pid %d) ", (int)r->process->pid);
    ending(p, r->process);
    cli_text(p, ": %llu event%s", (ull)r->events, plural(r->events));
    cli_line(p);
    if (info->run.command) {
        cli_text(p, "command: ");
        for (char *const *arg = info->run.command; *arg; arg++) {
            cli_text(p, "%s", arg == info->run.command ? "" : " ");
            cli_name(p, *arg);
        }
        cli_line(p);
    }
    cli_text(p, "recorded by vastrace ");
    cli_name(p, info->run.version);
    cli_text(p, " on Linux ");
    cli_name(p, info->run.kernel);
    cli_text(p, " ");
    cli_name(p, info->run.machine);
    if (info->run.aslr_disabled || info->run.aslr == 0)
        cli_text(p, ", without ASLR");
    cli_line(p);
    if (!info->complete) {
        cli_paint(p, CLI_DOUBT);
        cli_text(p, "cut short, or still being written: ");
        cli_plain(p);
        cli_text(p, "this goes as far as %.6f s, #%llu", (double)info->summary.duration_ns / 1e9,
                 (ull)info->summary.events);
        cli_line(p);
    }
    if (info->partial) {
        cli_paint(p, CLI_DOUBT);
        cli_text(p, "partial: ");
        cli_plain(p);
        cli_text(p, "a filter (--events, --kinds) left changes out; figures lack them");
        cli_line(p);
    }
}

/* Where the ledger's columns end; a count follows what it counts. */
enum {
    OPENING_END = 20,
    MADE_END = 28,
    MADE_COUNT_END = 33,
    GONE_END = 41,
    GONE_COUNT_END = 46,
    CLOSING_END = 54,
    REGIONS_END = 59,
    PEAK_END = 68,
    AT_PEAK_END = 78
};

/* Bytes, and in how many pieces if there are any. */
static void flow(struct cli_page *p, size_t column, uint64_t bytes, size_t count_column,
                 uint64_t count)
{
    cli_size_at(p, column, bytes);
    if (count)
        cli_right(p, count_column, "%llu", (ull)count);
}

/* The ledger in one table, or on a terminal that is too narrow for it in two. */
enum table { FLOWS = 1, PEAKS = 2, WHOLE = FLOWS | PEAKS };

/* The columns of peaks stand where the others of their table leave them. */
static size_t peak_column(enum table table, size_t column)
{
    return table & FLOWS ? column : column - PEAK_END + OPENING_END;
}

static void ledger_title(struct cli_page *p, enum table table)
{
    cli_line(p);
    cli_paint(p, CLI_TITLE);
    cli_text(p, "kind");
    if (table & FLOWS) {
        cli_right(p, OPENING_END, "opening");
        cli_right(p, MADE_END, "+ made");
        cli_right(p, MADE_COUNT_END, "in");
        cli_right(p, GONE_END, "- gone");
        cli_right(p, GONE_COUNT_END, "in");
        cli_right(p, CLOSING_END, "= end");
        cli_right(p, REGIONS_END, "in");
    }
    if (table & PEAKS) {
        cli_right(p, peak_column(table, PEAK_END), "peak");
        cli_right(p, peak_column(table, AT_PEAK_END), "at peak");
    }
    cli_line(p);
}

static void ledger_row(struct cli_page *p, enum table table, const char *name,
                       const struct vt_ledger *k)
{
    cli_text(p, "%s", name);
    cli_plain(p);
    if (table & FLOWS) {
        cli_size_at(p, OPENING_END, k->opening_bytes);
        flow(p, MADE_END, k->made_bytes, MADE_COUNT_END, k->made_count);
        flow(p, GONE_END, k->gone_bytes, GONE_COUNT_END, k->gone_count);
        flow(p, CLOSING_END, k->closing_bytes, REGIONS_END, k->closing_regions);
    }
    if (table & PEAKS) {
        cli_size_at(p, peak_column(table, PEAK_END), k->peak_bytes);
        cli_size_at(p, peak_column(table, AT_PEAK_END), k->at_peak_bytes);
    }
    cli_line(p);
}

static void ledger_table(struct cli_page *p, enum table table, const struct vt_report *r)
{
    struct vt_ledger all = {.peak_bytes = r->peak_bytes};
    ledger_title(p, table);
    for (unsigned kind = 0; kind < VT_KIND_COUNT; kind++) {
        const struct vt_ledger *k = &r->kinds[kind];
        all.opening_bytes += k->opening_bytes;
        all.made_bytes += k->made_bytes;
        all.made_count += k->made_count;
        all.gone_bytes += k->gone_bytes;
        all.gone_count += k->gone_count;
        all.closing_bytes += k->closing_bytes;
        all.closing_regions += k->closing_regions;
        all.at_peak_bytes += k->at_peak_bytes;
        if (k->opening_bytes || k->made_count || k->gone_count || k->closing_bytes)
            ledger_row(p, table, vt_kind_name((uint8_t)kind), k);
    }
    cli_paint(p, CLI_STRONG);
    ledger_row(p, table, "all", &all);
}

static void ledger(struct cli_page *p, const struct vt_report *r)
{
    bool narrow = cli_width(p) && cli_width(p) < AT_PEAK_END;
    ledger_table(p, narrow ? FLOWS : WHOLE, r);
    if (r->balanced) {
        cli_text(p, "balanced: opening + made - gone = end, kind by kind");
    } else {
        cli_paint(p, CLI_BAD);
        cli_text(p, "not balanced: ");
        cli_plain(p);
        cli_text(p, "the end's regions are not what the events left");
    }
    cli_line(p);
    if (narrow)
        ledger_table(p, PEAKS, r);
}

/* The deepest stacks: what was used of them, by the stack pointers seen, and what may be. */
static void depths(struct cli_page *p, const struct vt_recorded_process *process)
{
    for (size_t i = 0; i < process->stack_count && i < DEPTHS_MOST; i++) {
        const struct vt_stack_use *s = &process->stacks[i];
        cli_text(p, "%s", i ? "       " : "stacks:");
        cli_text(p, " thread %d%s ", (int)s->tid, s->main ? " (main)" : "");
        cli_size(p, s->high - s->sp_lowest);
        cli_text(p, " deep, lowest sp seen %llx, ", (ull)s->sp_lowest);
        cli_size(p, s->high - s->low);
        cli_text(p, " mapped");
        if (s->floor && s->floor < s->high) {
            cli_text(p, ", ");
            cli_size(p, s->high - s->floor);
            cli_text(p, " allowed");
        }
        cli_line(p);
    }
    if (process->stack_count > DEPTHS_MOST) {
        cli_text(p, "        and %s%zu more",
                 process->stack_count == VT_STACK_USES ? "at least " : "",
                 process->stack_count - DEPTHS_MOST);
        cli_line(p);
    }
}

/* The sites whose events raised the number of regions most: who splits them. */
static void splitters(struct cli_page *p, const struct vt_report *r)
{
    const struct vt_site *last = NULL;
    for (int shown = 0; shown < SPLITTERS_MOST; shown++) {
        const struct vt_site *most = NULL;
        for (size_t i = 0; i < r->site_count; i++) {
            const struct vt_site *s = &r->sites[i];
            /* Of equal ones the first; none that was shown. */
            bool shown_already = last && (s->region_change > last->region_change ||
                                          (s->region_change == last->region_change && s <= last));
            if (s->region_change > 0 && !shown_already &&
                (!most || s->region_change > most->region_change))
                most = s;
        }
        if (!most)
            break;
        cli_text(p, "%s %s +%lld", last ? "," : "         raised most by", most->cause,
                 (long long)most->region_change);
        if (most->stack) {
            cli_text(p, " (");
            cli_stack(p, most->stack, 3);
            cli_text(p, ")");
        }
        last = most;
    }
    if (last)
        cli_line(p);
}

static void facts(struct cli_page *p, const struct vt_recording_info *info,
                  const struct vt_report *r)
{
    cli_line(p);
    cli_text(p, "peak: ");
    cli_size(p, r->peak_bytes);
    cli_text(p, " %s, ", r->peak.text + (strncmp(r->peak.text, "at the peak", 11) ? 0 : 12));
    cli_size(p, r->usable_peak_bytes);
    cli_text(p, " usable at most (PROT_NONE apart)");
    cli_line(p);
    if (r->gaps && !info->partial) {
        cli_text(p, "free: ");
        cli_size(p, r->free_bytes);
        cli_text(p, " in %llu gap%s between %llx and %llx; the largest ", (ull)r->gaps,
                 plural(r->gaps), (ull)r->low, (ull)r->high);
        cli_size(p, r->largest_gap_end - r->largest_gap_start);
        cli_text(p, " at ");
        cli_range(p, r->largest_gap_start, r->largest_gap_end);
        cli_line(p);
    }
    cli_text(p, "regions: %llu at the end, %llu at most (#%llu)", (ull)r->regions_end,
             (ull)r->regions_peak, (ull)r->regions_peak_event);
    if (info->max_map_count > 0)
        cli_text(p, ", vm.max_map_count is %lld", (long long)info->max_map_count);
    cli_text(p, "; the kernel may count more, it keeps apart what is alike here");
    cli_line(p);
    splitters(p, r);
    depths(p, r->process);
}

/* ---- who, how long, what remains ------------------------------------------------- */

/* Where the columns of call sites end. */
enum {
    LIVE_END = 20,
    LIVE_COUNT_END = 26,
    SITE_MADE_END = 34,
    SITE_MADE_COUNT_END = 40,
    EVENTS_END = 48,
    CHANGE_END = 57,
    BETWEEN_END = 78
};

static void sites(struct cli_page *p, const struct vt_report *r)
{
    section(p, "who mapped it (by what is there at the end)");
    cli_paint(p, CLI_TITLE);
    cli_text(p, "cause");
    cli_right(p, LIVE_END, "at end");
    cli_right(p, LIVE_COUNT_END, "in");
    cli_right(p, SITE_MADE_END, "made");
    cli_right(p, SITE_MADE_COUNT_END, "in");
    cli_right(p, EVENTS_END, "events");
    cli_right(p, CHANGE_END, "regions");
    cli_right(p, BETWEEN_END, "first, last");
    cli_line(p);
    for (size_t i = 0; i < r->site_count && i < SITES_MOST; i++) {
        const struct vt_site *s = &r->sites[i];
        cli_text(p, "%s", s->cause);
        flow(p, LIVE_END, s->live_bytes, LIVE_COUNT_END, s->live_count);
        flow(p, SITE_MADE_END, s->made_bytes, SITE_MADE_COUNT_END, s->made_count);
        cli_right(p, EVENTS_END, "%llu", (ull)s->events);
        if (s->region_change)
            cli_right(p, CHANGE_END, "%+lld", (long long)s->region_change);
        cli_right(p, BETWEEN_END, "#%llu, #%llu", (ull)s->first_event, (ull)s->last_event);
        cli_line(p);
        cli_stack_line(p, 4, s->stack, FRAMES_SHOWN);
    }
    if (r->site_count > SITES_MOST) {
        cli_text(p, "and %zu more", r->site_count - SITES_MOST);
        cli_line(p);
    }
}

static void lifetimes(struct cli_page *p, const struct vt_report *r)
{
    const unsigned bar_at = 50, bar_most = 30;
    unsigned width = cli_width(p);
    uint64_t room = width && width < bar_at + bar_most ? vt_max(width, bar_at + 1) - bar_at
                                                       : bar_most;
    uint64_t most = 0, total = 0;
    for (size_t i = 0; i < VT_LIFETIMES; i++) {
        most = vt_max(most, r->lifetimes[i].count);
        total += r->lifetimes[i].count;
    }
    if (!total)
        return;
    section(p, "how long unmapped memory had lived");
    for (size_t i = 0; i < VT_LIFETIMES; i++) {
        const struct vt_lifetimes *l = &r->lifetimes[i];
        if (!l->count)
            continue;
        bool last = i + 1 == VT_LIFETIMES;
        cli_text(p, last ? "longer than " : "below ");
        cli_pad(p, 7);
        cli_duration(p, last ? r->lifetimes[i - 1].limit_ns : l->limit_ns);
        cli_right(p, 30, "%llu", (ull)l->count);
        cli_text(p, " piece%s", plural(l->count));
        cli_size_at(p, bar_at - 2, l->bytes);
        cli_pad(p, bar_at);
        for (uint64_t bar = (l->count * room + most - 1) / most; bar; bar--)
            cli_text(p, "#");
        cli_line(p);
    }
}

static void remaining(struct cli_page *p, const struct vt_report *r)
{
    size_t count = vt_min(r->remaining_count, REMAINING_MOST), kinds = 0, events = 0;
    char perm[5];
    if (!r->remaining_total)
        return;
    section(p, "mapped after the start and never unmapped");
    for (size_t i = 0; i < count; i++) {
        const struct vt_rectangle *m = &r->remaining[i];
        int digits = snprintf(NULL, 0, "#%llu", (ull)m->origin_event);
        kinds = vt_max(kinds, strlen(vt_kind_name(m->region.kind)));
        events = vt_max(events, (size_t)digits);
    }
    p->fold_at = 10; /* below the range */
    for (size_t i = 0; i < count; i++) {
        const struct vt_rectangle *m = &r->remaining[i];
        cli_size_at(p, 8, size_of(&m->region));
        cli_text(p, "  ");
        cli_range(p, m->region.start, m->region.end);
        cli_pad(p, 37);
        cli_text(p, "%s  %s", vt_prot_text(m->region.prot, m->region.flags, perm),
                 vt_kind_name(m->region.kind));
        cli_right(p, 43 + kinds + 2 + events, "#%llu", (ull)m->origin_event);
        cli_text(p, "  ");
        cli_object(p, &m->region);
        cli_line(p);
    }
    p->fold_at = 0;
    cli_text(p, "in all ");
    cli_size(p, r->remaining_bytes);
    cli_text(p, " in %zu piece%s", r->remaining_total, plural(r->remaining_total));
    if (r->remaining_total > REMAINING_MOST)
        cli_text(p, "; the largest are shown");
    cli_line(p);
}

/* ---- findings ---------------------------------------------------------------------- */

static const char *const headlines[VT_FINDING_COUNT] = {
    [VT_FINDING_TAIL] = "munmap left a tail mapped",
    [VT_FINDING_DESTROYED] = "a fixed mapping replaced memory in use",
    [VT_FINDING_WRITE_EXEC] = "memory both writable and executable",
    [VT_FINDING_LOOP] = "mapped and unmapped again at once, over and over",
    [VT_FINDING_RESERVE] = "reserved and never used",
    [VT_FINDING_GROWTH] = "grew all along and was never given back",
    [VT_FINDING_LIMIT] = "the number of regions came near its limit",
};

/* "64K of anon at 7f..." */
static void what(struct cli_page *p, const struct vt_region *region)
{
    cli_size(p, size_of(region));
    cli_text(p, " of %s", vt_kind_name(region->kind));
    if (region->object) {
        cli_text(p, " ");
        cli_object(p, region);
    }
    cli_text(p, " at ");
    cli_range(p, region->start, region->end);
}

static void evidence(struct cli_page *p, const struct vt_finding *f)
{
    switch (f->type) {
    case VT_FINDING_TAIL:
        cli_size(p, size_of(&f->region));
        cli_text(p, " at ");
        cli_range(p, f->region.start, f->region.end);
        cli_text(p, ", mapped by #%llu, the rest of it unmapped by #%llu", (ull)f->origin_event,
                 (ull)f->event);
        break;
    case VT_FINDING_DESTROYED:
        what(p, &f->region);
        cli_text(p, " went with #%llu", (ull)f->event);
        break;
    case VT_FINDING_WRITE_EXEC:
        what(p, &f->region);
        cli_text(p, " since #%llu", (ull)f->event);
        break;
    case VT_FINDING_LOOP:
        cli_text(p, "%llu times ", (ull)f->count);
        cli_size(p, size_of(&f->region));
        cli_text(p, ", from #%llu to #%llu, ", (ull)f->event, (ull)f->last_event);
        cli_size(p, f->bytes);
        cli_text(p, " in all");
        break;
    case VT_FINDING_RESERVE:
        cli_size(p, size_of(&f->region));
        cli_text(p, " at ");
        cli_range(p, f->region.start, f->region.end);
        cli_text(p, " since #%llu", (ull)f->event);
        break;
    case VT_FINDING_GROWTH:
        cli_size(p, f->bytes);
        cli_text(p, " at the end, in %llu pieces; by eighths of its time: ", (ull)f->count);
        for (size_t i = 0; i < VT_COUNTOF(f->slices); i++) {
            cli_text(p, "%s", i ? " " : "");
            cli_size(p, f->slices[i]);
        }
        break;
    case VT_FINDING_LIMIT:
        cli_text(p, "%llu of %llu (vm.max_map_count) at #%llu", (ull)f->count, (ull)f->bytes,
                 (ull)f->event);
        break;
    case VT_FINDING_COUNT:
        break;
    }
    bool single = f->count == 1 || f->type == VT_FINDING_LOOP || f->type == VT_FINDING_GROWTH ||
                  f->type == VT_FINDING_LIMIT;
    if (!single) {
        cli_text(p, "; %llu such, ", (ull)f->count);
        cli_size(p, f->bytes);
        cli_text(p, " in all, the last by #%llu", (ull)f->last_event);
    }
}

static void findings(struct cli_page *p, const struct vt_report *r)
{
    section(p, "findings");
    if (!r->finding_count) {
        cli_text(p, "none");
        cli_line(p);
    }
    for (size_t i = 0; i < r->finding_count; i++) {
        const struct vt_finding *f = &r->findings[i];
        if (!i || f->type != r->findings[i - 1].type) {
            size_t total = r->finding_totals[f->type];
            cli_paint(p, CLI_DOUBT);
            cli_text(p, "%s", headlines[f->type]);
            if (total > VT_FINDINGS_MOST)
                cli_text(p, " (the largest %d of %zu)", VT_FINDINGS_MOST, total);
            cli_line(p);
        }
        cli_text(p, "  %s: ", f->cause);
        evidence(p, f);
        cli_line(p);
        cli_stack_line(p, 6, f->stack, FRAMES_SHOWN);
    }
}

/* The next command worth typing. */
static void next_step(struct cli_page *p, const struct vt_recording *recording,
                      const struct vt_report *r, const char *path)
{
    const struct vt_region *about =
        r->finding_count && r->findings[0].region.end ? &r->findings[0].region : NULL;
    const struct vt_recorded_process *usual;
    cli_line(p);
    cli_text(p, "next: vastrace %s ", about ? "history" : "layout");
    cli_name(p, path);
    if (about)
        cli_text(p, " %llx", (ull)about->start);
    else
        cli_text(p, " --at peak");
    if (!vt_recording_process(recording, 0, &usual, NULL) && usual != r->process)
        cli_text(p, " --pid %d", (int)r->process->pid);
    cli_line(p);
}

static int by_peak(const void *a, const void *b)
{
    const struct vt_recorded_process *const *x = a, *const *y = b;
    uint64_t p = (*x)->totals.peak_bytes, q = (*y)->totals.peak_bytes;
    return p != q ? (p > q ? -1 : 1) : (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

static void others(struct cli_page *p, const struct vt_recording *recording,
                   const struct vt_report *r)
{
    size_t count, shown = 0;
    const struct vt_recorded_process *all = vt_recording_processes(recording, &count);
    const struct vt_recorded_process **list = malloc(count * sizeof(*list));
    for (size_t i = 0; list && i < count; i++)
        if (&all[i] != r->process)
            list[shown++] = &all[i];
    if (shown) {
        qsort(list, shown, sizeof(*list), by_peak);
        section(p, "other processes, by their peak (--pid)");
    }
    for (size_t i = 0; i < shown && i < OTHERS_MOST; i++) {
        cli_right(p, 8, "%d", (int)list[i]->pid);
        cli_text(p, "  ");
        cli_name(p, *list[i]->name ? list[i]->name : "process");
        cli_text(p, " ");
        ending(p, list[i]);
        if (list[i]->has_totals) {
            cli_text(p, ", peak ");
            cli_size(p, list[i]->totals.peak_bytes);
        }
        cli_line(p);
    }
    if (shown > OTHERS_MOST) {
        cli_text(p, "and %zu more", shown - OTHERS_MOST);
        cli_line(p);
    }
    free(list);
}

void cli_report_text(struct cli_page *p, const struct vt_recording *recording,
                     const struct vt_report *r, const char *path)
{
    const struct vt_recording_info *info = vt_recording_info(recording);
    p->program = r->process->path;
    headline(p, info, r);
    ledger(p, r);
    facts(p, info, r);
    sites(p, r);
    lifetimes(p, r);
    remaining(p, r);
    findings(p, r);
    others(p, recording, r);
    next_step(p, recording, r, path);
}
