/*
 * text.c - the timeline for eyes: one line a change, in aligned columns.
 *
 * Hides the columns, what each cause says beside its changes, and what is
 * worth saying of a change (the "what" column).
 *
 * Invariants: an event's first line bears its time, ids and cause, the
 * following ones blanks in their place. Columns only ever appear; when one
 * does, the titles are printed anew. Strings from the tracee are escaped. A
 * figure that the events seen so far do not determine is left out.
 */
#include "sinks/text.h"

#include <string.h>

#include "base/base.h"
#include "base/escape.h"
#include "sinks/fault.h"
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

/* How far the columns behind the ids are shifted. */
static size_t shift(const struct vt_text *text)
{
    size_t ids = (size_t)text->show_pid + text->show_tid;

    return text->at->id_width * (text->at->one_id && ids ? 1 : ids);
}

/* Where the kind of a change stands, and what hangs on it. */
static size_t kind_at(const struct vt_text *text)
{
    return text->at->op_at + 2 + shift(text);
}

static size_t what_at(const struct vt_text *text)
{
    return text->at->what_at + shift(text);
}

/* Where a change's line goes on when it is folded. */
static unsigned fold_what_at(const struct vt_sink *sink)
{
    const struct vt_text *text = sink->state;

    return (unsigned)(sink->width >= what_at(text) + WHAT_ROOM ? what_at(text) : kind_at(text));
}

static void titles(struct vt_sink *sink)
{
    struct vt_text *text = sink->state;
    const struct vt_text_columns *at = text->at;
    size_t by = shift(text);

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

/* Make a column appear for an id that is not the only one any more. */
static void learn_ids(struct vt_sink *sink, const struct vt_event *event)
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

/* Time, ids, mark and cause; the line goes on at the op. */
static void lead(struct vt_sink *sink, const struct vt_event *event)
{
    struct vt_text *text = sink->state;
    const struct vt_text_columns *at = text->at;
    size_t by = shift(text);
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

static void add_range(struct vt_buf *out, vt_addr start, vt_addr end)
{
    vt_buf_hex(out, start, 0);
    vt_buf_char(out, '-');
    vt_buf_hex(out, end, 0);
}

/* By how much a change makes the heap of its space larger. */
static int64_t heap_growth(const struct vt_change *change)
{
    int64_t size = (int64_t)(change->end - change->start);
    bool was = change->op != VT_CHANGE_MADE && change->before.kind == VT_KIND_HEAP &&
               !change->source_stays;
    bool is = change->op != VT_CHANGE_GONE && change->after.kind == VT_KIND_HEAP;

    return is == was ? 0 : is ? size : -size;
}

/* The size of the heap before the event's first change. */
static uint64_t heap_before(const struct vt_event *event)
{
    uint64_t bytes = event->heap_bytes;

    for (size_t i = 0; i < event->change_count; i++)
        bytes -= (uint64_t)heap_growth(&event->changes[i]);
    return bytes;
}

/* The part of a path that tells the file: all of it where the directory is half the name. */
static const char *file_name(const char *path)
{
    static const char memfd[] = "/memfd:";

    if (strncmp(path, memfd, sizeof(memfd) - 1) == 0)
        return path + 1; /* the name behind it is the program's and may hold slashes */
    return strncmp(path, "/dev/", 5) == 0 ? path : vt_base_name(path);
}

static void add_object(struct vt_sink *sink, const struct vt_region *region)
{
    const struct vt_object *object = region->object;

    vt_text_name(sink, object->type == VT_OBJECT_FILE ? file_name(object->name) : object->name);
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

/* The "what" column: clauses with two spaces between them. */
struct what {
    struct vt_sink *sink;
    bool begun;
};

static void clause(struct what *what)
{
    if (what->begun)
        vt_buf_str(&what->sink->out, "  ");
    else
        vt_text_pad(what->sink, what_at(what->sink->state));
    what->begun = true;
}

/* How an altered range was before, as far as that differs: "was rw-p", "was anon". */
static void what_it_was(struct what *what, const struct vt_change *change)
{
    struct vt_buf *out = &what->sink->out;
    char before[5], after[5];

    vt_prot_text(change->before.prot, change->before.flags, before);
    vt_prot_text(change->after.prot, change->after.flags, after);
    bool perm = strcmp(before, after) != 0;
    bool kind = change->before.kind != change->after.kind;
    bool object = !vt_object_same(change->before.object, change->after.object);
    if (!perm && !kind && !(object && change->before.object))
        return;
    clause(what);
    vt_buf_str(out, "was");
    if (perm) {
        vt_buf_char(out, ' ');
        vt_buf_str(out, before);
    }
    if (kind) {
        vt_buf_char(out, ' ');
        vt_buf_str(out, vt_kind_name(change->before.kind));
    }
    if (object && change->before.object) {
        vt_buf_char(out, ' ');
        add_object(what->sink, &change->before);
    }
}

enum { STRETCHES = 8 }; /* more than these help nobody */

/*
 * Which part is which, where a change holds several kinds: "relro, data from
 * X, bss from Y". Where each begins says it all; bytes between two parts are
 * padding and count as the first's. (JSON has both bounds of every part.)
 */
static void what_parts(struct what *what, const struct vt_change *change,
                       const struct vt_detail *detail)
{
    struct vt_buf *out = &what->sink->out;
    struct {
        vt_addr start;
        uint8_t kind;
    } found[STRETCHES];
    uint8_t last_kind = VT_KIND_COUNT;
    size_t count = 0;

    for (size_t i = 0; i < detail->part_count; i++) {
        const struct vt_part *part = &detail->parts[i];
        vt_addr start = vt_max(part->start + detail->bias, change->start);
        vt_addr end = vt_min(part->end + detail->bias, change->end);
        if (start >= end || part->kind == last_kind)
            continue;
        if (count < STRETCHES) {
            found[count].start = start;
            found[count].kind = part->kind;
        }
        last_kind = part->kind;
        count++;
    }
    if (count < 2)
        return;

    clause(what);
    /* A loader's first mapping holds the place for all parts, before they come in their own ways. */
    bool place_only = change->op == VT_CHANGE_MADE && change->after.prot == VT_PROT_READ;
    if (place_only)
        vt_buf_str(out, "place for ");
    for (size_t i = 0; i < count && i < STRETCHES; i++) {
        if (i)
            vt_buf_str(out, ", ");
        vt_buf_str(out, vt_kind_name(found[i].kind));
        if (i && !place_only) {
            vt_buf_str(out, " from ");
            vt_buf_hex(out, found[i].start, 0);
        }
    }
    if (count > STRETCHES)
        vt_buf_printf(out, ", and %zu more", count - STRETCHES);
}

/* Size of the heap before and after, where this call made it another. */
static void what_heap(struct what *what, const struct vt_event *event,
                      const struct vt_change *change, uint64_t before)
{
    struct vt_buf *out = &what->sink->out;
    int64_t growth = heap_growth(change);
    bool altered = change->op == VT_CHANGE_ALTERED || change->op == VT_CHANGE_MOVED;

    const struct vt_region *region = change->op == VT_CHANGE_GONE ? &change->before
                                                                  : &change->after;
    if (region->flags & VT_REGION_ARENA && region->kind == VT_KIND_HEAP) {
        clause(what);
        vt_buf_str(out, "malloc arena (inferred)");
        return;
    }
    if (!event->call || strcmp(event->call->name, "brk") != 0 || !growth || altered)
        return;
    clause(what);
    vt_buf_str(out, "heap ");
    vt_text_size(what->sink, before);
    vt_buf_str(out, " -> ");
    vt_text_size(what->sink, before + (uint64_t)growth);
}

/* The image's file that a change is of, or null. */
static const struct vt_object *image_of(const struct vt_event *event, size_t i)
{
    return event->details ? event->details[i].image : NULL;
}

/*
 * A loader that lays an image's part over the place it held for it: what went
 * and what came are of the same file. Then the coming alone is worth a line.
 * (Anything else that is mapped over is told in lines of its own.)
 */
static bool is_overlay(const struct vt_event *event)
{
    const struct vt_object *image = NULL;
    bool gone = false;

    if (event->cause != VT_CAUSE_CALL || (event->call && event->call->failed))
        return false;
    for (size_t i = 0; i < event->change_count; i++) {
        if (event->changes[i].op == VT_CHANGE_MADE)
            image = image_of(event, i);
        gone = gone || event->changes[i].op == VT_CHANGE_GONE;
    }
    for (size_t i = 0; i < event->change_count; i++)
        if (!image_of(event, i) || image_of(event, i) != image ||
            (event->changes[i].op != VT_CHANGE_GONE && event->changes[i].op != VT_CHANGE_MADE))
            return false;
    return gone && image;
}

static void what_note(struct what *what, const struct vt_event *event)
{
    if (!event->note)
        return;
    clause(what);
    vt_text_name(what->sink, event->note);
}

/* One change's line, which stands at the op; `first`: it is the event's first line. */
static void change_line(struct vt_sink *sink, const struct vt_event *event, size_t index,
                        uint64_t heap, bool first)
{
    static const struct vt_detail none;
    const struct vt_change *change = &event->changes[index];
    const struct vt_detail *detail = event->details ? &event->details[index] : &none;
    const struct vt_region *region = change->op == VT_CHANGE_GONE ? &change->before
                                                                  : &change->after;
    struct vt_buf *out = &sink->out;
    struct vt_text *text = sink->state;
    const struct vt_text_columns *at = text->at;
    size_t by = shift(text);
    struct what what = {.sink = sink};
    char perm[5];

    text->fold_at = fold_what_at(sink);
    vt_text_paint(sink, vt_kind_style(region->kind));
    vt_buf_char(out, (char)change->op);
    vt_buf_char(out, ' ');
    vt_buf_str(out, vt_kind_name(region->kind));
    vt_text_plain(sink);
    vt_text_size_at(sink, at->size_end + by, change->end - change->start);
    vt_text_pad(sink, at->range_at + by);
    vt_text_paint(sink,
                  change->op == VT_CHANGE_GONE ? VT_STYLE_FAINT : vt_kind_style(region->kind));
    add_range(out, change->start, change->end);
    vt_text_plain(sink);
    vt_text_pad(sink, at->perm_at + by);
    vt_buf_str(out, vt_prot_text(region->prot, region->flags, perm));

    if (change->op == VT_CHANGE_ALTERED || change->op == VT_CHANGE_MOVED)
        what_it_was(&what, change);
    if (change->op == VT_CHANGE_MOVED) {
        clause(&what);
        vt_buf_str(out, "from ");
        add_range(out, change->before.start, change->before.end);
        if (change->source_stays)
            vt_buf_str(out, ", which stays, emptied");
    }
    what_heap(&what, event, change, heap);
    if (region->object) {
        clause(&what);
        add_object(sink, region);
    } else if (detail->image) {
        clause(&what);
        vt_text_name(sink, file_name(detail->image->name));
        vt_buf_printf(out, " (%s)", vt_kind_name(region->kind));
    }
    if (change->op != VT_CHANGE_GONE)
        what_parts(&what, change, detail);
    if (first && event->cause == VT_CAUSE_FAULT && event->sp) {
        clause(&what);
        vt_buf_str(out, "sp ");
        vt_buf_hex(out, event->sp, 0);
    }
    if (first)
        what_note(&what, event);
    vt_text_line_end(sink);
}

/* "21 regions, 2.1M": what changes of this operation add up to. */
static void add_sum(struct vt_sink *sink, const struct vt_event *event, enum vt_change_op op)
{
    uint64_t count = 0, bytes = 0;

    for (size_t i = 0; i < event->change_count; i++) {
        if (event->changes[i].op != op)
            continue;
        count++;
        bytes += event->changes[i].end - event->changes[i].start;
    }
    vt_text_count(sink, count, "region");
    vt_buf_str(&sink->out, ", ");
    vt_text_size(sink, bytes);
}

static bool has_change(const struct vt_event *event, enum vt_change_op op)
{
    for (size_t i = 0; i < event->change_count; i++)
        if (event->changes[i].op == op)
            return true;
    return false;
}

/* Path and kind of program: "/usr/bin/true: position-independent, 32-bit". */
static void add_program(struct vt_sink *sink, const struct vt_exec_info *exec)
{
    vt_text_paint(sink, VT_STYLE_STRONG);
    if (exec->path && *exec->path)
        vt_text_name(sink, exec->path);
    else
        vt_buf_str(&sink->out, "(unknown program)");
    vt_text_plain(sink);
    vt_buf_str(&sink->out, ": ");
    if (exec->type != VT_PROGRAM_UNKNOWN) {
        vt_buf_str(&sink->out, vt_program_type_text(exec->type));
        vt_buf_str(&sink->out, ", ");
    }
    if (exec->class_bits == 32)
        vt_buf_str(&sink->out, "32-bit, ");
    vt_text_count(sink, exec->images, "image");
    vt_buf_str(&sink->out, ", ");
    vt_text_count(sink, exec->regions, "region");
}

/*
 * What a cause says of itself in front of its changes. Each writes at the op
 * and leaves the line open, or writes nothing and returns false: then the
 * first change's line is the event's first.
 */
static bool say_call(struct vt_sink *sink, const struct vt_event *event)
{
    const struct vt_call *call = event->call;
    struct vt_buf *out = &sink->out;

    if (!call)
        return false;
    /* No memory call: told for its stack pointer (--all-syscalls). */
    if (!call->arg_count && !call->arg_names && event->sp && !event->change_count) {
        vt_buf_str(out, "  sp ");
        vt_buf_hex(out, event->sp, 0);
        vt_buf_str(out, "  = ");
        if (call->failed)
            vt_buf_str(out, vt_errno_name(call->error) ? vt_errno_name(call->error) : "error");
        else
            vt_add_result(out, call->result);
        return true;
    }
    if (call->failed) {
        const char *name = vt_errno_name(call->error);
        const char *meaning = vt_errno_meaning(call->error);
        vt_text_paint(sink, VT_STYLE_BAD);
        vt_buf_str(out, "failed: ");
        if (name)
            vt_buf_str(out, name);
        else
            vt_buf_printf(out, "error %d", call->error);
        vt_text_plain(sink);
        if (meaning)
            vt_buf_printf(out, " (%s)", meaning);
        vt_buf_str(out, ": ");
        vt_add_call(out, call);
        return true;
    }
    if (event->change_count > 0)
        return false;
    vt_add_call(out, call);
    vt_buf_str(out, " = ");
    vt_add_result(out, call->result);
    return true;
}

static bool say_exec(struct vt_sink *sink, const struct vt_event *event)
{
    if (!event->exec)
        return false;
    add_program(sink, event->exec);
    if (has_change(event, VT_CHANGE_GONE)) {
        vt_buf_str(&sink->out, ", replaced ");
        add_sum(sink, event, VT_CHANGE_GONE);
    }
    return true;
}

static bool say_attach(struct vt_sink *sink, const struct vt_event *event)
{
    if (!event->exec)
        return false;
    add_program(sink, event->exec);
    vt_buf_str(&sink->out, " of unknown origin");
    return true;
}

static bool say_fork(struct vt_sink *sink, const struct vt_event *event)
{
    if (event->parent) {
        vt_buf_str(&sink->out, "copy of ");
        vt_buf_dec(&sink->out, (uint64_t)event->parent);
    } else {
        vt_buf_str(&sink->out, "copy of its parent");
    }
    vt_buf_str(&sink->out, ": ");
    add_sum(sink, event, VT_CHANGE_MADE);
    return true;
}

static bool say_thread(struct vt_sink *sink, const struct vt_event *event)
{
    struct vt_buf *out = &sink->out;

    /* Its own id stands in its column. */
    vt_buf_str(out, event->shares_space ? "process made" : "made");
    if (event->parent) {
        vt_buf_str(out, " by ");
        vt_buf_dec(out, (uint64_t)event->parent);
    }
    if (event->shares_space)
        vt_buf_str(out, ", sharing its memory");
    return true;
}

/* "heapy exited 0 after 12.3 ms: 61 events, every stop agreed with the kernel" */
static void add_ending(struct vt_sink *sink, const struct vt_event *event, bool with_pid)
{
    struct vt_text *text = sink->state;
    const struct vt_exit_info *info = event->exit;
    const struct vt_exactness *exact = &info->exactness;
    struct vt_buf *out = &sink->out;

    vt_text_name(sink, info->name);
    if (with_pid)
        vt_buf_printf(out, " (pid %d)", (int)event->pid);
    vt_buf_char(out, ' ');
    vt_text_ending(sink, event->cause == VT_CAUSE_DETACH, info->wait_status, info->lifetime_ns);
    if (info->totals) {
        vt_buf_str(out, ": ");
        vt_text_count(sink, info->totals->events, "event");
    }
    if (!text->verify || exact->stops == 0)
        return;
    vt_buf_str(out, ", ");
    if (exact->agreed < exact->compared) {
        vt_text_paint(sink, VT_STYLE_BAD);
        vt_buf_dec(out, exact->compared - exact->agreed);
        vt_buf_str(out, " of ");
        vt_buf_dec(out, exact->compared);
        vt_buf_str(out, " stops DISAGREED with the kernel");
        vt_text_plain(sink);
    } else if (exact->compared == 0) {
        vt_buf_str(out, "no stop could be compared with the kernel");
    } else if (exact->compared < exact->stops) {
        vt_buf_printf(out, "%llu of %llu stops compared, all agreed with the kernel",
                      (unsigned long long)exact->compared, (unsigned long long)exact->stops);
    } else {
        vt_buf_str(out, "every stop agreed with the kernel");
    }
}

static bool say_exit(struct vt_sink *sink, const struct vt_event *event)
{
    if (!event->exit)
        return false;
    add_ending(sink, event, false);
    if (has_change(event, VT_CHANGE_GONE)) {
        vt_buf_str(&sink->out, ", freed ");
        add_sum(sink, event, VT_CHANGE_GONE);
    }
    return true;
}

static bool say_resync(struct vt_sink *sink, const struct vt_event *event)
{
    vt_text_paint(sink, VT_STYLE_DOUBT);
    vt_buf_str(&sink->out, "model set right: ");
    vt_text_count(sink, event->change_count, "change");
    vt_text_plain(sink);
    return true;
}

/* A region at or beside a bad address: "above  anon  64.0K  7f..-7f..  rw-p  4.0K above it". */
static void neighbour_line(struct vt_sink *sink, const char *where, const struct vt_region *r,
                           vt_addr addr)
{
    struct vt_buf *out = &sink->out;
    struct vt_text *text = sink->state;
    const struct vt_text_columns *at = text->at;
    size_t by = shift(text);
    char perm[5];

    if (r->start >= r->end)
        return;
    vt_text_line_end(sink);
    text->fold_at = fold_what_at(sink);
    vt_text_line_begin(sink);
    vt_text_pad(sink, at->cause_at + by);
    vt_text_paint(sink, VT_STYLE_FAINT);
    vt_buf_str(out, where);
    vt_text_plain(sink);
    vt_text_pad(sink, at->op_at + by);
    vt_text_paint(sink, vt_kind_style(r->kind));
    vt_buf_str(out, "  ");
    vt_buf_str(out, vt_kind_name(r->kind));
    vt_text_plain(sink);
    vt_text_size_at(sink, at->size_end + by, r->end - r->start);
    vt_text_pad(sink, at->range_at + by);
    add_range(out, r->start, r->end);
    vt_text_pad(sink, at->perm_at + by);
    vt_buf_str(out, vt_prot_text(r->prot, r->flags, perm));
    struct what what = {.sink = sink};
    if (r->object) {
        clause(&what);
        add_object(sink, r);
    }
    clause(&what);
    if (addr >= r->start && addr < r->end) {
        vt_text_size(sink, addr - r->start);
        vt_buf_str(out, " into it");
    } else if (r->start > addr) {
        vt_text_size(sink, r->start - addr);
        vt_buf_str(out, " above the address");
    } else if (r->end == addr) {
        vt_buf_str(out, "ends right there");
    } else {
        vt_text_size(sink, addr - r->end);
        vt_buf_str(out, " below the address");
    }
}

static bool say_signal(struct vt_sink *sink, const struct vt_event *event)
{
    const struct vt_fault_info *fault = event->fault;
    struct vt_buf sentence = {0};

    if (!fault)
        return false;
    vt_add_fault(&sentence, event);
    vt_text_paint(sink, VT_STYLE_BAD);
    vt_text_name(sink, vt_buf_cstr(&sentence));
    vt_text_plain(sink);
    sink->out.failed |= sentence.failed;
    vt_buf_deinit(&sentence);
    if (fault->has_addr) {
        neighbour_line(sink, "above", &fault->above, fault->addr);
        neighbour_line(sink, "here", &fault->here, fault->addr);
        neighbour_line(sink, "below", &fault->below, fault->addr);
    }
    return true;
}

static bool say_nothing(struct vt_sink *sink, const struct vt_event *event)
{
    (void)sink;
    (void)event;
    return false;
}

/* Which changes get a line; the others are in the sums above. */
enum lines { NO_LINES, LINES_BUT_GONE, ALL_LINES };

/* clang-format off */
static const struct {
    bool (*say)(struct vt_sink *sink, const struct vt_event *event);
    enum lines lines;
} causes[VT_CAUSE_COUNT] = {
    [VT_CAUSE_CALL] = {say_call, ALL_LINES},
    [VT_CAUSE_EXEC] = {say_exec, LINES_BUT_GONE},
    [VT_CAUSE_ATTACH] = {say_attach, LINES_BUT_GONE},
    [VT_CAUSE_FORK] = {say_fork, NO_LINES},
    [VT_CAUSE_THREAD] = {say_thread, ALL_LINES},
    [VT_CAUSE_FAULT] = {say_nothing, ALL_LINES},
    [VT_CAUSE_EXIT] = {say_exit, NO_LINES},
    [VT_CAUSE_DETACH] = {say_exit, NO_LINES},
    [VT_CAUSE_RESYNC] = {say_resync, ALL_LINES},
    [VT_CAUSE_SIGNAL] = {say_signal, ALL_LINES},
};
/* clang-format on */

/* ---- stacks ---------------------------------------------------------------------- */

static void add_source(struct vt_sink *sink, const char *file, unsigned line)
{
    if (!file)
        return;
    vt_buf_str(&sink->out, "  ");
    vt_text_name(sink, file_name(file));
    if (line)
        vt_buf_printf(&sink->out, ":%u", line);
}

static void begin_frame(struct vt_sink *sink)
{
    struct vt_text *text = sink->state;

    text->fold_at = (unsigned)kind_at(text) + 2;
    vt_text_line_begin(sink);
    vt_text_pad(sink, kind_at(text));
    vt_text_paint(sink, VT_STYLE_FAINT);
}

static void end_frame(struct vt_sink *sink)
{
    vt_text_plain(sink);
    vt_text_line_end(sink);
}

/* One function a line, innermost first. */
static void write_stack(struct vt_sink *sink, const struct vt_stack *stack)
{
    struct vt_buf *out = &sink->out;
    const char *end = vt_stack_end_text(stack->end);

    for (size_t i = 0; i < stack->frame_count; i++) {
        const struct vt_frame *frame = stack->frames[i];
        for (size_t k = 0; k < frame->inlined_count; k++) {
            begin_frame(sink);
            vt_text_name(sink, frame->inlined[k].function);
            vt_buf_str(out, " (inlined)");
            add_source(sink, frame->inlined[k].file, frame->inlined[k].line);
            end_frame(sink);
        }
        begin_frame(sink);
        if (frame->function)
            vt_text_name(sink, frame->function);
        vt_buf_str(out, frame->function ? "+0x" : "0x");
        vt_buf_hex(out, frame->function ? frame->offset : frame->address, 0);
        if (frame->object) {
            vt_buf_str(out, " (");
            vt_text_name(sink, file_name(frame->object->name));
            vt_buf_char(out, ')');
        }
        add_source(sink, frame->file, frame->line);
        end_frame(sink);
    }
    if (end) {
        begin_frame(sink);
        vt_buf_printf(out, "... %s", end);
        end_frame(sink);
    }
}

/* The stack's lines, below the event's own. */
static void stack_lines(struct vt_sink *sink, const struct vt_stack *stack)
{
    struct vt_text *text = sink->state;
    struct vt_text_stack *kept = &text->stacks[stack->id % VT_TEXT_STACKS];

    if (kept->id == stack->id && kept->shift == shift(text) && !kept->lines.failed) {
        vt_buf_add(&sink->out, kept->lines.data, kept->lines.length);
        vt_text_line_begin(sink);
        return;
    }
    size_t begin = sink->out.length;
    write_stack(sink, stack);
    kept->id = stack->id;
    kept->shift = shift(text);
    vt_buf_clear(&kept->lines);
    if (!sink->out.failed)
        vt_buf_add(&kept->lines, sink->out.data + begin, sink->out.length - begin);
}

static int text_begin(struct vt_sink *sink, const struct vt_run *run, struct vt_error *err)
{
    struct vt_text *text = sink->state;

    (void)err;
    text->at = sink->width && sink->width < USUAL_WIDTH ? &narrow_columns : &usual_columns;
    text->show_pid = run->multiple;
    text->verify = run->verify;
    vt_text_summary_begin(sink, run);
    return 0;
}

static int text_event(struct vt_sink *sink, const struct vt_event *event, struct vt_error *err)
{
    struct vt_text *text = sink->state;
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
            add_ending(sink, event, true);
            vt_text_line_end(sink);
        }
        return 0;
    }

    learn_ids(sink, event);
    text->fold_at = (unsigned)kind_at(text);
    vt_text_line_begin(sink);
    lead(sink, event);

    uint64_t heap = heap_before(event);
    size_t before = sink->out.length;
    vt_text_pad(sink, text->at->op_at + shift(text));
    bool first = true;
    if (causes[event->cause].say(sink, event)) {
        if (event->note) {
            vt_buf_str(&sink->out, "  ");
            vt_text_name(sink, event->note);
        }
        vt_text_line_end(sink);
        first = false;
    }
    bool overlay = is_overlay(event);
    for (size_t i = 0; i < event->change_count; i++) {
        const struct vt_change *change = &event->changes[i];
        enum lines lines = causes[event->cause].lines;
        /* What an exec drops belongs to another space than the event's. */
        bool folded = change->op == VT_CHANGE_GONE && (overlay || lines == LINES_BUT_GONE);
        if (folded || lines == NO_LINES)
            continue;
        if (!first)
            vt_text_pad(sink, text->at->op_at + shift(text));
        change_line(sink, event, i, heap, first);
        heap += (uint64_t)heap_growth(change);
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
        stack_lines(sink, event->stack);
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
    for (size_t i = 0; i < VT_COUNTOF(text->stacks); i++)
        vt_buf_deinit(&text->stacks[i].lines);
}

const struct vt_sink_ops vt_text_ops = {
    .state_size = sizeof(struct vt_text),
    .begin = text_begin,
    .event = text_event,
    .end = text_end,
    .destroy = text_destroy,
};
