/*
 * csv.c - the timeline as a table: CSV as RFC 4180 has it, for gnuplot, R,
 * pandas and spreadsheets. One row a change; an event that changed nothing has
 * one row of its own, with an empty `op`, so that no event is missing.
 *
 * Invariants: every row has all columns, in the order of `columns`; a cell that
 * does not apply is empty, never a made-up value. Names are escaped as on a
 * terminal, which can be undone: no cell has a control character or a byte that
 * is not UTF-8, and no row is broken over lines.
 *
 * The address space of a row is the one that its change is in: when an exec
 * ends the old space, the rows of what went say the old one, which has nothing
 * mapped then.
 */
#include "sinks/sink.h"

#include <string.h>

#include "base/escape.h"
#include "sinks/words.h"

static const char columns[] = "seq,time,pid,tid,space,cause,uncertain,result,op,start,end,size,"
                              "perm_before,perm,kind_before,kind,offset,device,inode,name,from,sp,"
                              "mapped,break,stack,source_stays\r\n";

/* What all rows of one event have in common, formatted once, and room for names. */
struct csv {
    struct vt_buf head;   /* seq to tid, each with its comma */
    struct vt_buf middle; /* cause to result */
    struct vt_buf name;
};

static void put_int(struct vt_buf *out, int64_t value)
{
    if (value < 0)
        vt_buf_char(out, '-');
    vt_buf_dec(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static void put_hex(struct vt_buf *out, uint64_t value)
{
    vt_buf_add(out, "0x", 2);
    vt_buf_hex(out, value, 0);
}

/* Seconds with nine digits behind the point. */
static void put_seconds(struct vt_buf *out, int64_t ns)
{
    uint64_t size = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    char digits[10] = ".";

    if (ns < 0)
        vt_buf_char(out, '-');
    vt_buf_dec(out, size / 1000000000);
    uint64_t rest = size % 1000000000;
    for (unsigned i = 9; i > 0; i--, rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    vt_buf_add(out, digits, sizeof(digits));
}

/* A text from elsewhere as one cell. */
static void put_name(struct vt_buf *out, struct vt_buf *text, const char *raw)
{
    vt_buf_clear(text);
    vt_escape_terminal(text, raw, strlen(raw));
    out->failed |= text->failed;
    if (!text->length ||
        (!memchr(text->data, ',', text->length) && !memchr(text->data, '"', text->length))) {
        vt_buf_add(out, text->data, text->length);
        return;
    }
    vt_buf_char(out, '"');
    for (const char *at = text->data, *end = at + text->length; at < end;) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        const char *stop = quote ? quote + 1 : end;
        vt_buf_add(out, at, (size_t)(stop - at));
        if (quote)
            vt_buf_char(out, '"');
        at = stop;
    }
    vt_buf_char(out, '"');
}

static void put_result(struct vt_buf *out, const struct vt_call *call)
{
    if (!call->failed) {
        put_int(out, call->result);
        return;
    }
    vt_buf_char(out, '-');
    vt_add_errno(out, call->error);
}

/* A state's permissions or kind; nothing where there is no such state. Each with its comma. */
static void put_perm(struct vt_buf *out, const struct vt_region *state)
{
    char perm[5];
    if (state)
        vt_buf_str(out, vt_prot_text(state->prot, state->flags, perm));
    vt_buf_char(out, ',');
}

static void put_kind(struct vt_buf *out, const struct vt_region *state)
{
    if (state)
        vt_buf_str(out, vt_kind_name(state->kind));
    vt_buf_char(out, ',');
}

/* offset, device, inode, name */
static void put_object(struct csv *csv, struct vt_buf *out, const struct vt_region *state)
{
    const struct vt_object *object = state->object;

    if (object && object->type == VT_OBJECT_FILE) {
        vt_buf_dec(out, state->offset);
        vt_buf_char(out, ',');
        vt_buf_dec(out, object->dev_major);
        vt_buf_char(out, ':');
        vt_buf_dec(out, object->dev_minor);
        vt_buf_char(out, ',');
        vt_buf_dec(out, object->inode);
        vt_buf_char(out, ',');
    } else {
        vt_buf_add(out, ",,,", 3);
    }
    if (object)
        put_name(out, &csv->name, object->name);
    vt_buf_char(out, ',');
}

/* op to from */
static void put_change(struct csv *csv, struct vt_buf *out, const struct vt_change *change)
{
    const struct vt_region *before = change->op != VT_CHANGE_MADE ? &change->before : NULL;
    const struct vt_region *after = change->op != VT_CHANGE_GONE ? &change->after : NULL;

    vt_buf_char(out, (char)change->op);
    vt_buf_char(out, ',');
    put_hex(out, change->start);
    vt_buf_char(out, ',');
    put_hex(out, change->end);
    vt_buf_char(out, ',');
    vt_buf_dec(out, change->end - change->start);
    vt_buf_char(out, ',');
    put_perm(out, before);
    put_perm(out, after);
    put_kind(out, before);
    put_kind(out, after);
    put_object(csv, out, after ? after : before);
    if (change->op == VT_CHANGE_MOVED)
        put_hex(out, change->before.start);
    vt_buf_char(out, ',');
}

/* A row; change is null where the event changed nothing. */
static void put_row(struct csv *csv, struct vt_buf *out, const struct vt_event *event,
                    const struct vt_change *change)
{
    bool left = event->exec && event->exec->left_space && change && change->op == VT_CHANGE_GONE;

    vt_buf_add(out, csv->head.data, csv->head.length);
    vt_buf_dec(out, left ? event->exec->left_space : event->space);
    vt_buf_add(out, csv->middle.data, csv->middle.length);
    if (change)
        put_change(csv, out, change);
    else
        vt_buf_str(out, ",,,,,,,,,,,,,"); /* op to from */
    if (event->sp)
        put_hex(out, event->sp);
    vt_buf_char(out, ',');
    vt_buf_dec(out, left ? 0 : event->mapped_bytes);
    vt_buf_char(out, ',');
    vt_buf_dec(out, left ? 0 : event->heap_bytes);
    vt_buf_char(out, ',');
    if (event->stack)
        vt_buf_dec(out, event->stack->id);
    vt_buf_char(out, ',');
    if (change && change->op == VT_CHANGE_MOVED)
        vt_buf_char(out, change->source_stays ? '1' : '0');
    vt_buf_add(out, "\r\n", 2);
}

static int csv_begin(struct vt_sink *sink, const struct vt_run *run, struct vt_error *err)
{
    (void)run;
    (void)err;
    vt_buf_str(&sink->out, columns);
    return 0;
}

static int csv_event(struct vt_sink *sink, const struct vt_event *event, struct vt_error *err)
{
    struct csv *csv = sink->state;
    struct vt_buf *head = &csv->head, *middle = &csv->middle, *out = &sink->out;

    (void)err;
    vt_buf_clear(head);
    vt_buf_dec(head, event->seq);
    vt_buf_char(head, ',');
    put_seconds(head, event->time_ns);
    vt_buf_char(head, ',');
    put_int(head, event->pid);
    vt_buf_char(head, ',');
    put_int(head, event->tid);
    vt_buf_char(head, ',');

    vt_buf_clear(middle);
    vt_buf_char(middle, ',');
    put_name(middle, &csv->name, vt_event_cause_name(event));
    vt_buf_add(middle, event->uncertain ? ",1," : ",0,", 3);
    if (event->call)
        put_result(middle, event->call);
    vt_buf_char(middle, ',');

    for (size_t i = 0; i < event->change_count; i++)
        put_row(csv, out, event, &event->changes[i]);
    if (!event->change_count)
        put_row(csv, out, event, NULL);
    out->failed |= head->failed || middle->failed;
    return 0;
}

static int csv_end(struct vt_sink *sink, const struct vt_summary *summary, struct vt_error *err)
{
    (void)sink;
    (void)summary;
    (void)err;
    return 0;
}

static void csv_destroy(struct vt_sink *sink)
{
    struct csv *csv = sink->state;
    vt_buf_deinit(&csv->head);
    vt_buf_deinit(&csv->middle);
    vt_buf_deinit(&csv->name);
}

const struct vt_sink_ops vt_csv_ops = {
    .endings = (const char *const[]){".csv", NULL},
    .state_size = sizeof(struct csv),
    .begin = csv_begin,
    .event = csv_event,
    .end = csv_end,
    .destroy = csv_destroy,
};
