/*
 * text.c - the timeline for eyes: one line a change, in aligned columns.
 *
 * Hides in which order an event is told: its cause, its changes, its stack.
 *
 * Invariants: an event's first line bears its time, ids and cause, the
 * following ones blanks in their place. Strings from the tracee are escaped.
 */
#include "sinks/text.h"

static int text_begin(struct vt_sink *sink, const struct vt_run *run, struct vt_error *err)
{
    struct vt_text *text = sink->state;

    (void)err;
    vt_text_columns_begin(sink, run->multiple);
    text->verify = run->verify;
    vt_text_summary_begin(sink, run);
    return 0;
}

static int text_event(struct vt_sink *sink, const struct vt_event *event, struct vt_error *err)
{
    struct vt_text *text = sink->state;
    enum vt_text_lines lines;
    bool ends = event->cause == VT_CAUSE_EXIT || event->cause == VT_CAUSE_DETACH;

    (void)err;
    if (event->cause >= VT_CAUSE_COUNT)
        return 0;
    if (ends && event->exit)
        vt_text_summary_exit(sink, event);
    if (ends && event->exit && event->exit->root) {
        /* The closing line stands out of the columns: it is about the whole. */
        if (!sink->quiet) {
            text->fold_at = VT_TEXT_FOLD;
            vt_text_line_begin(sink);
            vt_text_closing(sink, event, true);
            vt_text_line_end(sink);
        }
        return 0;
    }

    vt_text_learn_ids(sink, event);
    text->fold_at = (unsigned)vt_text_kind_at(text);
    vt_text_line_begin(sink);
    vt_text_lead(sink, event);

    uint64_t heap = vt_text_heap_before(event);
    size_t before = sink->out.length;
    vt_text_at_op(sink);
    bool first = true;
    if (vt_text_say(sink, event, &lines)) {
        if (event->note) {
            vt_buf_str(&sink->out, "  ");
            vt_text_name(sink, event->note);
        }
        vt_text_line_end(sink);
        first = false;
    }
    bool overlay = vt_text_is_overlay(event);
    for (size_t i = 0; i < event->change_count; i++) {
        const struct vt_change *change = &event->changes[i];
        /* What an exec drops belongs to another space than the event's. */
        bool folded = change->op == VT_CHANGE_GONE && (overlay || lines == VT_TEXT_LINES_BUT_GONE);
        if (folded || lines == VT_TEXT_NO_LINES)
            continue;
        if (!first)
            vt_text_at_op(sink);
        vt_text_change(sink, event, i, heap, first);
        heap += (uint64_t)vt_text_heap_growth(change);
        first = false;
    }
    if (first) { /* nothing said, nothing changed: the cause is the line */
        if (event->note)
            vt_text_name(sink, event->note);
        else
            sink->out.length = before;
        vt_text_line_end(sink);
    }
    if (event->stack)
        vt_text_stack_lines(sink, event->stack);
    return 0;
}

static int text_end(struct vt_sink *sink, const struct vt_summary *summary, struct vt_error *err)
{
    (void)err;
    if (!sink->quiet)
        vt_text_summary_end(sink, summary);
    return 0;
}

static void text_destroy(struct vt_sink *sink)
{
    struct vt_text *text = sink->state;

    vt_buf_deinit(&text->command);
    vt_text_forget_stacks(sink);
}

const struct vt_sink_ops vt_text_ops = {
    .state_size = sizeof(struct vt_text),
    .begin = text_begin,
    .event = text_event,
    .end = text_end,
    .destroy = text_destroy,
};
