/*
 * text_cause.c - hides what each cause says of itself in front of its changes. A figure that the
 * events seen so far do not determine is left out.
 */
#include "sinks/text.h"

#include "sinks/fault.h"
#include "sinks/words.h"

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

void vt_text_closing(struct vt_sink *sink, const struct vt_event *event, bool with_pid)
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
    vt_text_closing(sink, event, false);
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

    if (r->start >= r->end)
        return;
    vt_text_line_end(sink);
    vt_text_beside(sink, where);
    vt_text_region(sink, ' ', r, VT_STYLE_NONE);
    if (r->object) {
        vt_text_clause(sink);
        vt_text_object(sink, r);
    }
    vt_text_clause(sink);
    if (addr == r->start) {
        vt_buf_str(out, "begins right there");
    } else if (addr >= r->start && addr < r->end) {
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

/* clang-format off */
static const struct {
    bool (*say)(struct vt_sink *sink, const struct vt_event *event);
    enum vt_text_lines lines;
} causes[VT_CAUSE_COUNT] = {
    [VT_CAUSE_CALL] = {say_call, VT_TEXT_ALL_LINES},
    [VT_CAUSE_EXEC] = {say_exec, VT_TEXT_LINES_BUT_GONE},
    [VT_CAUSE_ATTACH] = {say_attach, VT_TEXT_LINES_BUT_GONE},
    [VT_CAUSE_FORK] = {say_fork, VT_TEXT_NO_LINES},
    [VT_CAUSE_THREAD] = {say_thread, VT_TEXT_ALL_LINES},
    [VT_CAUSE_FAULT] = {say_nothing, VT_TEXT_ALL_LINES},
    [VT_CAUSE_EXIT] = {say_exit, VT_TEXT_NO_LINES},
    [VT_CAUSE_DETACH] = {say_exit, VT_TEXT_NO_LINES},
    [VT_CAUSE_RESYNC] = {say_resync, VT_TEXT_ALL_LINES},
    [VT_CAUSE_SIGNAL] = {say_signal, VT_TEXT_ALL_LINES},
};
/* clang-format on */

bool vt_text_say(struct vt_sink *sink, const struct vt_event *event, enum vt_text_lines *lines)
{
    *lines = causes[event->cause].lines;
    return causes[event->cause].say(sink, event);
}
