/*
 * text_columns.c - hides where the timeline's columns stand: the usual ones, and closer ones for a
 * narrow terminal.
 *
 * Invariant: columns only ever appear; when one does, the titles are printed anew.
 */
#include "sinks/text.h"

#include <string.h>

#include "sinks/words.h"

/* Where the columns end or begin, without ids. */
struct vt_text_columns {
    size_t time_end;
    size_t id_width; /* each id shifts what follows; seven digits have the largest pids */
    bool one_id;     /* a thread's id stands in the process's column: it says both */
    size_t cause_at; /* the "?" of an uncertain event stands before it */
    size_t op_at;
    size_t size_end; /* "thread-stack" at op_at + 2 and a size of six leave one space */
    size_t range_at;
    size_t perm_at; /* 25 is a range below 2^47 */
    size_t what_at;
};

static const struct vt_text_columns usual_columns = {10, 9, false, 12, 22, 43, 45, 72, 78};

/* For a terminal: with an id and all but the last column it is 80 wide. */
static const struct vt_text_columns narrow_columns = {10, 8, true, 11, 20, 41, 42, 68, 74};

/* From this width on the last column has room behind the usual ones, both ids included. */
#define USUAL_WIDTH 128

/* What is folded goes on in its own column, if that leaves as much room as this. */
#define WHAT_ROOM 40

void vt_text_columns_begin(struct vt_sink *sink, bool show_pid)
{
    struct vt_text *text = sink->state;

    text->at = sink->width && sink->width < USUAL_WIDTH ? &narrow_columns : &usual_columns;
    text->show_pid = show_pid;
}

size_t vt_text_shift(const struct vt_text *text)
{
    size_t ids = (size_t)text->show_pid + text->show_tid;

    return text->at->id_width * (text->at->one_id && ids ? 1 : ids);
}

size_t vt_text_kind_at(const struct vt_text *text)
{
    return text->at->op_at + 2 + vt_text_shift(text);
}

static size_t what_at(const struct vt_text *text)
{
    return text->at->what_at + vt_text_shift(text);
}

/* Where a change's line goes on when it is folded. */
static unsigned fold_what_at(const struct vt_sink *sink)
{
    const struct vt_text *text = sink->state;

    return (unsigned)(sink->width >= what_at(text) + WHAT_ROOM ? what_at(text)
                                                               : vt_text_kind_at(text));
}

static void titles(struct vt_sink *sink)
{
    struct vt_text *text = sink->state;
    const struct vt_text_columns *at = text->at;
    size_t by = vt_text_shift(text);

    vt_text_line_begin(sink);
    vt_text_paint(sink, VT_STYLE_TITLE);
    vt_text_right(sink, at->time_end, "time", 4);
    if (text->show_pid && !(at->one_id && text->show_tid))
        vt_text_right(sink, at->time_end + at->id_width, "pid", 3);
    if (text->show_tid)
        vt_text_right(sink, at->time_end + by, "tid", 3);
    vt_text_pad(sink, at->cause_at + by);
    vt_buf_str(&sink->out, "cause");
    vt_text_pad(sink, at->op_at + by);
    vt_buf_str(&sink->out, "change");
    vt_text_right(sink, at->size_end + by, "size", 4);
    vt_text_pad(sink, at->range_at + by);
    vt_buf_str(&sink->out, "range");
    vt_text_pad(sink, at->perm_at + by);
    vt_buf_str(&sink->out, "perm");
    if (!at->one_id) { /* in a narrow terminal it goes on below */
        vt_text_pad(sink, at->what_at + by);
        vt_buf_str(&sink->out, "what");
    }
    vt_text_plain(sink);
    vt_text_line_end(sink);
    text->titled = true;
}

void vt_text_learn_ids(struct vt_sink *sink, const struct vt_event *event)
{
    struct vt_text *text = sink->state;

    if (text->first_pid == 0)
        text->first_pid = event->pid;
    if (!text->show_pid && event->pid != text->first_pid) {
        text->show_pid = true;
        text->titled = false;
    }
    if (!text->show_tid && event->tid != event->pid) {
        text->show_tid = true;
        text->titled = false;
    }
    if (!text->titled)
        titles(sink);
}

void vt_text_lead(struct vt_sink *sink, const struct vt_event *event)
{
    struct vt_text *text = sink->state;
    const struct vt_text_columns *at = text->at;
    size_t by = vt_text_shift(text);
    uint64_t us = event->time_ns > 0 ? ((uint64_t)event->time_ns + 500) / 1000 : 0;
    char bytes[32];
    struct vt_buf time = {.data = bytes, .capacity = sizeof(bytes)};

    vt_buf_dec(&time, us / 1000000);
    vt_buf_char(&time, '.');
    for (uint64_t unit = 100000; unit > 0; unit /= 10)
        vt_buf_char(&time, (char)('0' + us / unit % 10));
    vt_text_right(sink, at->time_end, time.data, time.length);
    if (text->show_pid && !(at->one_id && text->show_tid))
        vt_text_number_at(sink, at->time_end + at->id_width, (uint64_t)event->pid);
    if (text->show_tid)
        vt_text_number_at(sink, at->time_end + by, (uint64_t)event->tid);
    if (event->uncertain) {
        if (at->cause_at - at->time_end > 1)
            vt_text_pad(sink, at->cause_at - 1 + by);
        vt_text_paint(sink, VT_STYLE_DOUBT);
        vt_buf_char(&sink->out, '?');
        vt_text_plain(sink);
    } else {
        vt_text_pad(sink, at->cause_at + by);
    }
    vt_buf_str(&sink->out, vt_event_cause_name(event));
}

void vt_text_range(struct vt_buf *out, vt_addr start, vt_addr end)
{
    vt_buf_hex(out, start, 0);
    vt_buf_char(out, '-');
    vt_buf_hex(out, end, 0);
}

void vt_text_at_op(struct vt_sink *sink)
{
    const struct vt_text *text = sink->state;

    vt_text_pad(sink, text->at->op_at + vt_text_shift(text));
}

void vt_text_region(struct vt_sink *sink, char op, const struct vt_region *region,
                    const char *range_style)
{
    struct vt_text *text = sink->state;
    const struct vt_text_columns *at = text->at;
    struct vt_buf *out = &sink->out;
    size_t by = vt_text_shift(text);
    char perm[5];

    text->fold_at = fold_what_at(sink);
    text->said = false;
    vt_text_paint(sink, vt_kind_style(region->kind));
    vt_buf_char(out, op);
    vt_buf_char(out, ' ');
    vt_buf_str(out, vt_kind_name(region->kind));
    vt_text_plain(sink);
    vt_text_size_at(sink, at->size_end + by, region->end - region->start);
    vt_text_pad(sink, at->range_at + by);
    vt_text_paint(sink, range_style);
    vt_text_range(out, region->start, region->end);
    vt_text_plain(sink);
    vt_text_pad(sink, at->perm_at + by);
    vt_buf_str(out, vt_prot_text(region->prot, region->flags, perm));
}

void vt_text_beside(struct vt_sink *sink, const char *where)
{
    const struct vt_text *text = sink->state;

    vt_text_pad(sink, text->at->cause_at + vt_text_shift(text));
    vt_text_paint(sink, VT_STYLE_FAINT);
    vt_buf_str(&sink->out, where);
    vt_text_plain(sink);
    vt_text_at_op(sink);
}

void vt_text_clause(struct vt_sink *sink)
{
    struct vt_text *text = sink->state;

    if (text->said)
        vt_buf_str(&sink->out, "  ");
    else
        vt_text_pad(sink, what_at(text));
    text->said = true;
}

void vt_text_object(struct vt_sink *sink, const struct vt_region *region)
{
    const struct vt_object *object = region->object;

    vt_text_name(sink, object->type == VT_OBJECT_FILE ? vt_file_name(object->name) : object->name);
    if (object->type == VT_OBJECT_FILE && region->offset &&
        (region->kind == VT_KIND_FILE || region->kind == VT_KIND_SHM)) {
        vt_buf_str(&sink->out, " +0x");
        vt_buf_hex(&sink->out, region->offset, 0);
    }
    if (object->page_size > 4096) {
        vt_buf_str(&sink->out, " (");
        vt_text_size(sink, object->page_size);
        vt_buf_str(&sink->out, " pages)");
    }
}
