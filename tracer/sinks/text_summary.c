/*
 * text_summary.c - what is said at the end: a table of kinds for each root
 * process, a line each for the largest others, how exact the trace was, and
 * the next command worth typing.
 *
 * Hides what is kept of processes that ended, which is bounded: VT_TEXT_ROOTS
 * tables and VT_TEXT_OTHERS lines, the rest counted.
 *
 * Invariant: `others` is sorted by peak, largest first, and holds
 * min(other_count, VT_TEXT_OTHERS) entries. A printed command can be pasted
 * into a shell whatever the arguments hold.
 */
#include "sinks/text.h"

#include <string.h>

#include "base/base.h"
#include "sinks/words.h"

/* Where the table's columns end. "1.5M in 12": the size ends here, the count behind " in ". */
struct columns {
    size_t regions_end;
    size_t mapped_end;
    size_t peak_end;
    size_t made_end;
    size_t gone_end;
};

static const struct columns usual_columns = {20, 30, 40, 50, 70};

/* For terminals below this width: 60 wide with counts of two digits. */
static const struct columns narrow_columns = {19, 26, 33, 40, 53};
#define USUAL_WIDTH 80

/* How many threads' stacks get a line. */
#define SHOWN_STACKS 4

/* A longer command would hide the advice: nobody reads or pastes it. */
#define COMMAND_MOST 200

/* One argument as a word for a shell; with control or non-ASCII bytes as $'\NNN' (POSIX 2024). */
static void quote(struct vt_buf *out, const char *word)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "_@%+=:,./-";
    size_t length = strlen(word);

    if (length > 0 && strspn(word, safe) == length) {
        vt_buf_add(out, word, length);
        return;
    }

    bool printable = true;
    for (size_t i = 0; i < length; i++)
        printable &= word[i] >= 0x20 && word[i] < 0x7f;
    vt_buf_str(out, printable ? "'" : "$'");
    for (size_t i = 0; i < length; i++) {
        char c = word[i];
        if (c == '\'') {
            vt_buf_str(out, printable ? "'\\''" : "\\'");
        } else if (!printable && c == '\\') {
            vt_buf_str(out, "\\\\");
        } else if (c >= 0x20 && c < 0x7f) {
            vt_buf_char(out, c);
        } else {
            vt_buf_printf(out, "\\%03o", (unsigned char)c);
        }
    }
    vt_buf_char(out, '\'');
}

void vt_text_summary_begin(struct vt_sink *sink, const struct vt_run *run)
{
    struct vt_text *text = sink->state;

    for (char *const *arg = run->command; arg && *arg; arg++) {
        if (arg != run->command)
            vt_buf_char(&text->command, ' ');
        quote(&text->command, *arg);
        if (text->command.length > COMMAND_MOST)
            break;
    }
}

static void keep(struct vt_text_process *process, const struct vt_event *event)
{
    const struct vt_exit_info *info = event->exit;
    const char *name = info->name ? info->name : "";
    size_t length = strnlen(name, sizeof(process->name) - 1);

    *process = (struct vt_text_process){
        .pid = event->pid,
        .detached = event->cause == VT_CAUSE_DETACH,
        .wait_status = info->wait_status,
        .lifetime_ns = info->lifetime_ns,
    };
    memcpy(process->name, name, length);
    if (info->totals)
        process->totals = *info->totals;
    process->stack_count = vt_min(info->stack_count, VT_STACK_USES);
    if (process->stack_count)
        memcpy(process->stacks, info->stacks, process->stack_count * sizeof(process->stacks[0]));
}

void vt_text_summary_exit(struct vt_sink *sink, const struct vt_event *event)
{
    struct vt_text *text = sink->state;

    if (event->exit->root && event->cause == VT_CAUSE_DETACH && !text->left)
        text->left = event->pid;
    if (event->exit->root && text->root_count < VT_TEXT_ROOTS) {
        keep(&text->roots[text->root_count++], event);
        return;
    }

    uint64_t peak = event->exit->totals ? event->exit->totals->peak_bytes : 0;
    size_t held = (size_t)vt_min(text->other_count, VT_TEXT_OTHERS);
    size_t at = 0;
    text->other_count++;
    while (at < held && text->others[at].totals.peak_bytes >= peak)
        at++;
    if (at == VT_TEXT_OTHERS)
        return;
    size_t behind = vt_min(held, VT_TEXT_OTHERS - 1) - at;
    memmove(&text->others[at + 1], &text->others[at], behind * sizeof(text->others[0]));
    keep(&text->others[at], event);
}

static const struct columns *columns_of(const struct vt_sink *sink)
{
    return sink->width && sink->width < USUAL_WIDTH ? &narrow_columns : &usual_columns;
}

static void titles(struct vt_sink *sink)
{
    const struct columns *at = columns_of(sink);

    vt_text_line_begin(sink);
    vt_text_paint(sink, VT_STYLE_TITLE);
    vt_buf_str(&sink->out, "kind");
    vt_text_right(sink, at->regions_end, "regions", 7);
    vt_text_right(sink, at->mapped_end, "mapped", 6);
    vt_text_right(sink, at->peak_end, "peak", 4);
    vt_text_right(sink, at->made_end, "made", 4);
    vt_text_right(sink, at->gone_end, "gone", 4);
    vt_text_plain(sink);
    vt_text_line_end(sink);
}

/* "1.5M in 12": bytes over all changes, and how many there were. */
static void flow(struct vt_sink *sink, size_t size_end, uint64_t bytes, uint64_t count)
{
    vt_text_size_at(sink, size_end, bytes);
    if (!count)
        return;
    vt_buf_str(&sink->out, " in ");
    vt_buf_dec(&sink->out, count);
}

static void row(struct vt_sink *sink, const char *name, const char *style,
                const struct vt_kind_totals *kind)
{
    const struct columns *at = columns_of(sink);

    vt_text_line_begin(sink);
    vt_text_paint(sink, style);
    vt_buf_str(&sink->out, name);
    vt_text_plain(sink);
    vt_text_number_at(sink, at->regions_end, kind->regions);
    vt_text_size_at(sink, at->mapped_end, kind->bytes);
    vt_text_size_at(sink, at->peak_end, kind->peak_bytes);
    flow(sink, at->made_end, kind->made_bytes, kind->made_count);
    flow(sink, at->gone_end, kind->gone_bytes, kind->gone_count);
    vt_text_line_end(sink);
}

/* Memory that can be used, apart from address space that is only held. */
static void usable_line(struct vt_sink *sink, const struct vt_process_totals *totals)
{
    const struct vt_kind_totals *guard = &totals->kinds[VT_KIND_GUARD];
    const struct vt_kind_totals *reserve = &totals->kinds[VT_KIND_RESERVE];

    vt_text_line_begin(sink);
    vt_buf_str(&sink->out, "usable: ");
    vt_text_size(sink, totals->bytes - guard->bytes - reserve->bytes);
    vt_buf_str(&sink->out, " at the end, ");
    vt_text_size(sink, totals->usable_peak_bytes);
    vt_buf_str(&sink->out, " at most; PROT_NONE apart: ");
    vt_text_size(sink, guard->bytes);
    vt_buf_str(&sink->out, " guard, ");
    vt_text_size(sink, reserve->bytes);
    vt_buf_str(&sink->out, " reserve");
    vt_text_line_end(sink);
}

static void stack_line(struct vt_sink *sink, const struct vt_process_totals *totals)
{
    struct vt_buf *out = &sink->out;
    bool region = totals->stack_high > totals->stack_low;

    if (!totals->sp_lowest && !region)
        return;
    vt_text_line_begin(sink);
    vt_buf_str(out, "stack: ");
    if (totals->sp_lowest) {
        vt_buf_str(out, "lowest sp seen ");
        vt_buf_hex(out, totals->sp_lowest, 0);
        if (totals->sp_first >= totals->sp_lowest) {
            vt_buf_str(out, ", ");
            vt_text_size(sink, totals->sp_first - totals->sp_lowest);
            vt_buf_str(out, " below its start");
        }
        vt_buf_str(out, region ? "; " : "");
    }
    if (region) {
        vt_buf_str(out, "the kernel's region is ");
        vt_text_size(sink, totals->stack_high - totals->stack_low);
    }
    vt_text_line_end(sink);
}

/* The other threads' stacks, those that were used most, and how many more are known of. */
static void thread_stack_lines(struct vt_sink *sink, const struct vt_text_process *process)
{
    struct vt_buf *out = &sink->out;
    size_t known = 0;

    for (size_t i = 0; i < process->stack_count; i++) {
        const struct vt_stack_use *use = &process->stacks[i];
        if (use->main || known++ >= SHOWN_STACKS)
            continue;
        vt_text_line_begin(sink);
        vt_buf_printf(out, "stack of thread %d: ", (int)use->tid);
        vt_text_size(sink, use->high - use->sp_lowest);
        vt_buf_str(out, " deep at a stop, ");
        vt_text_size(sink, use->sp_lowest > use->floor ? use->sp_lowest - use->floor : 0);
        vt_buf_str(out, " left of ");
        vt_text_size(sink, use->high - use->low);
        vt_text_line_end(sink);
    }
    if (known > SHOWN_STACKS) {
        vt_text_line_begin(sink);
        vt_buf_str(out, "and of ");
        vt_buf_str(out, process->stack_count == VT_STACK_USES ? "at least " : "");
        vt_text_count(sink, known - SHOWN_STACKS, "thread");
        vt_buf_str(out, " more, less deep");
        vt_text_line_end(sink);
    }
}

static void table(struct vt_sink *sink, const struct vt_text_process *process, bool titled)
{
    const struct vt_process_totals *totals = &process->totals;
    struct vt_kind_totals all = {
        .bytes = totals->bytes,
        .peak_bytes = totals->peak_bytes,
    };

    if (titled) {
        vt_text_line_begin(sink);
        vt_text_paint(sink, VT_STYLE_STRONG);
        vt_text_name(sink, process->name);
        vt_text_plain(sink);
        vt_buf_printf(&sink->out, " (pid %d)", (int)process->pid);
        vt_text_line_end(sink);
    }
    titles(sink);
    for (unsigned i = 0; i < VT_KIND_COUNT; i++) {
        const struct vt_kind_totals *kind = &totals->kinds[i];
        all.regions += kind->regions;
        all.made_count += kind->made_count;
        all.made_bytes += kind->made_bytes;
        all.gone_count += kind->gone_count;
        all.gone_bytes += kind->gone_bytes;
        if (kind->regions || kind->made_count || kind->gone_count)
            row(sink, vt_kind_name((uint8_t)i), vt_kind_style((uint8_t)i), kind);
    }
    row(sink, "all", VT_STYLE_STRONG, &all);
    usable_line(sink, totals);
    stack_line(sink, totals);
    thread_stack_lines(sink, process);
}

static void others(struct vt_sink *sink, const struct vt_text *text)
{
    size_t held = (size_t)vt_min(text->other_count, VT_TEXT_OTHERS);
    struct vt_buf *out = &sink->out;

    if (!held)
        return;
    vt_text_line_begin(sink);
    vt_text_paint(sink, VT_STYLE_TITLE);
    vt_text_right(sink, 7, "pid", 3);
    vt_text_right(sink, 17, "peak", 4);
    vt_text_right(sink, 27, "events", 6);
    vt_buf_str(out, "  other processes");
    vt_text_plain(sink);
    vt_text_line_end(sink);
    for (size_t i = 0; i < held; i++) {
        const struct vt_text_process *process = &text->others[i];
        vt_text_number_at(sink, 7, (uint64_t)process->pid);
        vt_text_size_at(sink, 17, process->totals.peak_bytes);
        vt_text_number_at(sink, 27, process->totals.events);
        vt_buf_str(out, "  ");
        vt_text_name(sink, process->name);
        vt_buf_char(out, ' ');
        vt_text_ending(sink, process->detached, process->wait_status, process->lifetime_ns);
        vt_text_line_end(sink);
    }
    if (text->other_count > held) {
        vt_text_pad(sink, 29);
        vt_buf_printf(out, "and %llu more, with smaller peaks",
                      (unsigned long long)(text->other_count - held));
        vt_text_line_end(sink);
    }
}

/* What the trace does not know, where there is such a thing. */
static void losses(struct vt_sink *sink, const struct vt_exactness *exact)
{
    struct vt_buf *out = &sink->out;
    const char *separator = "";

    if (!exact->resyncs && !exact->uncertain && !exact->lost)
        return;
    vt_text_paint(sink, VT_STYLE_DOUBT);
    vt_buf_str(out, "not exact: ");
    vt_text_plain(sink);
    if (exact->resyncs) {
        vt_buf_printf(out, "the model was set right %llu time%s",
                      (unsigned long long)exact->resyncs, exact->resyncs == 1 ? "" : "s");
        separator = "; ";
    }
    if (exact->uncertain) {
        vt_buf_str(out, separator);
        vt_text_count(sink, exact->uncertain, "event");
        vt_buf_str(out, " marked ? may have another cause");
        separator = "; ";
    }
    if (exact->lost) {
        vt_buf_str(out, separator);
        vt_text_count(sink, exact->lost, "thing");
        vt_buf_str(out, " could not be read");
    }
    vt_text_line_end(sink);
}

static void verified(struct vt_sink *sink, const struct vt_exactness *exact)
{
    bool good = exact->agreed == exact->compared && exact->compared > 0;

    vt_buf_str(&sink->out, "verify: ");
    vt_text_paint(sink, good ? VT_STYLE_GOOD : VT_STYLE_BAD);
    vt_buf_dec(&sink->out, exact->agreed);
    vt_buf_str(&sink->out, " of ");
    vt_text_count(sink, exact->compared, "stop");
    vt_buf_str(&sink->out, " agreed with the kernel");
    vt_text_plain(sink);
    if (exact->compared < exact->stops)
        vt_buf_printf(&sink->out, "; %llu more could not be compared",
                      (unsigned long long)(exact->stops - exact->compared));
    vt_text_line_end(sink);
}

/* What this run makes one want to do, and the exact words for it. */
static void next(struct vt_sink *sink, struct vt_text *text)
{
    struct vt_buf *out = &sink->out;

    text->fold_at = 0; /* what is copied from here stays in one piece */
    if (text->left) {
        vt_buf_printf(out, "next: vastrace layout %d", (int)text->left);
        vt_text_line_end(sink);
    } else if (!sink->named && text->command.length > 0 && text->command.length <= COMMAND_MOST) {
        vt_buf_str(out, "next: vastrace -o run.vas -- ");
        vt_buf_add(out, text->command.data, text->command.length);
        vt_text_line_end(sink);
    }
}

void vt_text_summary_end(struct vt_sink *sink, const struct vt_summary *summary)
{
    struct vt_text *text = sink->state;
    const struct vt_exactness *exact = &summary->exactness;
    struct vt_buf *out = &sink->out;

    text->fold_at = VT_TEXT_FOLD;
    vt_text_line_begin(sink);
    /* With one process its closing line stands right above, and names it. */
    bool named = text->root_count + text->other_count > 1;
    for (size_t i = 0; i < text->root_count; i++) {
        vt_text_line_end(sink);
        table(sink, &text->roots[i], named);
    }
    if (text->other_count) {
        vt_text_line_end(sink);
        others(sink, text);
    }
    bool tables = text->root_count || text->other_count;
    if (tables)
        vt_text_line_end(sink);
    size_t tail = out->length;

    if (summary->interrupted) {
        vt_text_paint(sink, VT_STYLE_DOUBT);
        vt_buf_str(out, "interrupted: ");
        vt_text_plain(sink);
        vt_text_name(sink, summary->interrupted);
        vt_text_line_end(sink);
    }
    if (summary->processes > 1 || summary->threads > summary->processes) {
        vt_buf_str(out, "run: ");
        vt_buf_dec(out, summary->processes);
        vt_buf_str(out, summary->processes == 1 ? " process, " : " processes, ");
        vt_text_count(sink, summary->threads, "thread");
        vt_buf_str(out, ", ");
        vt_text_count(sink, summary->events, "event");
        vt_buf_str(out, " in ");
        vt_add_duration(out, summary->duration_ns);
        vt_text_line_end(sink);
    }
    losses(sink, exact);
    if (text->verify)
        verified(sink, exact);
    next(sink, text);
    if (tables && out->length == tail && tail > 0) /* nothing follows: no blank line at the end */
        out->length--;
}
