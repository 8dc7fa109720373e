/*
 * events.c - hides how stored events become events again: unpacking changes,
 * and the tables that rare events are spread over.
 */
#include "recording/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "recording/words.h"

/* An event being put together. */
struct replayed {
    struct vt_recording *recording;
    vt_recorded_event_fn *each;
    void *context;
    struct vt_error *err;
    struct vt_event event;
    struct vt_call call;
    struct vt_exec_info exec;
    struct vt_exit_info exit;
    struct vt_fault_info fault;
    struct vt_change *changes;
    size_t change_capacity;
    struct vt_detail *details;
    size_t detail_capacity;
    sqlite3_stmt *program; /* prepared when first needed */
    sqlite3_stmt *fault_row;
    sqlite3_stmt *fault_regions;
};

static int take_changes(struct replayed *to, const struct vt_event_row *e, struct vt_error *err)
{
    struct vt_recording *r = to->recording;
    const uint8_t *at = e->changes;
    size_t left = e->changes_length, count = 0;
    struct vt_packed packed;
    int rc;
    while (!(rc = vt_unpack(&at, &left, &packed))) {
        if (vt_reserve((void **)&to->changes, &to->change_capacity, count + 1,
                       sizeof(*to->changes)) ||
            vt_reserve((void **)&to->details, &to->detail_capacity, count + 1,
                       sizeof(*to->details)))
            return vt_source_no_memory(&r->source, err);
        struct vt_detail *detail = &to->details[count];
        bool bad = vt_walk_change(r, &packed, &to->changes[count]);
        *detail = (struct vt_detail){0};
        if (packed.has_image) {
            const struct vt_change *change = &to->changes[count];
            const struct vt_region *region = change->op == VT_CHANGE_GONE ? &change->before
                                                                          : &change->after;
            detail->image = vt_reader_object(r, packed.image, &bad);
            detail->bias = packed.bias;
            vt_reader_parts(r, packed.image, region->start - packed.bias, region->end - packed.bias,
                            &detail->parts, &detail->part_count);
        }
        if (bad) {
            rc = -EINVAL;
            break;
        }
        count++;
    }
    to->event.changes = to->changes;
    to->event.details = to->details;
    to->event.change_count = count;
    return rc < 0 ? vt_source_damaged(&r->source, "changes of an event", err) : 0;
}

/* The row of a table that belongs to the event; 0 there is none. */
static int row_of_event(struct replayed *to, sqlite3_stmt **statement, const char *sql,
                        struct vt_error *err)
{
    if (!*statement) {
        int rc = vt_source_query(&to->recording->source, sql, statement, err);
        if (rc)
            return rc;
    }
    sqlite3_reset(*statement);
    vt_db_bind(*statement, 1, to->event.seq);
    return vt_source_step(&to->recording->source, *statement, err);
}

static int take_program(struct replayed *to, struct vt_error *err)
{
    int rc = row_of_event(to, &to->program,
                          "SELECT path, type, class_bits, images, regions, left_space "
                          "FROM programs WHERE event = ?",
                          err);
    if (rc <= 0)
        return rc;
    struct vt_row row = {.text = &to->recording->source.text, .statement = to->program};
    const char *path = vt_row_word(&row, 0), *type = vt_row_word(&row, 1);
    to->exec = (struct vt_exec_info){
        .path = path ? path : "", /* not known; nor does the schema forbid it */
        .class_bits = (unsigned)vt_row_uint(&row, 2, 64),
        .images = vt_row_uint(&row, 3, INT64_MAX),
        .regions = vt_row_uint(&row, 4, INT64_MAX),
        .left_space = (uint32_t)vt_row_uint(&row, 5, UINT32_MAX),
    };
    if (type)
        to->exec.type = vt_word_program_parse(type);
    to->event.exec = &to->exec;
    return row.bad ? vt_source_damaged(&to->recording->source, "table programs", err) : 0;
}

static void take_exit(struct replayed *to, const struct vt_recorded_process *p)
{
    to->exit = (struct vt_exit_info){
        .wait_status = p->wait_status,
        .lifetime_ns = p->lifetime_ns,
        .name = p->name,
        .totals = p->has_totals ? &p->totals : NULL,
        .exactness = p->exactness,
        .stacks = p->stacks,
        .stack_count = p->stack_count,
        .root = p->root,
    };
    to->event.exit = &to->exit;
}

static int take_fault_regions(struct replayed *to, struct vt_error *err)
{
    struct vt_recording *r = to->recording;
    struct vt_fault_info *fault = &to->fault;
    int rc = row_of_event(to, &to->fault_regions,
                          "SELECT role, start, end, perm, kind, flags, object, offset "
                          "FROM fault_regions WHERE event = ?",
                          err);
    for (; rc > 0; rc = vt_source_step(&r->source, to->fault_regions, err)) {
        struct vt_row row = {.text = &r->source.text, .statement = to->fault_regions};
        struct vt_region region = {0};
        const char *role = vt_row_word(&row, 0);
        vt_row_range(&row, 1, &region.start, &region.end);
        vt_row_perm(&row, 3, &region.prot, &region.flags);
        region.kind = vt_row_kind(&row, 4);
        region.flags |= (uint8_t)vt_row_uint(&row, 5, 31);
        region.object = vt_reader_row_object(r, &row, 6);
        region.offset = vt_row_bits(&row, 7);
        if (row.bad || !role)
            return vt_source_damaged(&r->source, "table fault_regions", err);
        struct vt_region *place = !strcmp(role, "here")    ? &fault->here
                                  : !strcmp(role, "below") ? &fault->below
                                  : !strcmp(role, "above") ? &fault->above
                                                           : &fault->past.before;
        *place = region;
    }
    return rc;
}

static int take_fault(struct replayed *to, struct vt_error *err)
{
    struct vt_recording *r = to->recording;
    int rc = row_of_event(to, &to->fault_row,
                          "SELECT signal, code, sender, address, verdict, from_start, stack_limit, "
                          "file_size, past_event, past_time, past_pid, past_tid, past_cause, "
                          "past_op, past_perm FROM faults WHERE event = ?",
                          err);
    if (rc <= 0)
        return rc;
    struct vt_row row = {.text = &r->source.text, .statement = to->fault_row};
    struct vt_fault_info *fault = &to->fault;
    const char *verdict = vt_row_word(&row, 4), *op = vt_row_word(&row, 13);
    *fault = (struct vt_fault_info){
        .signal = (int)vt_row_int(&row, 0, 0, INT32_MAX),
        .code = (int)vt_row_int(&row, 1, INT32_MIN, INT32_MAX),
        .sender = (pid_t)vt_row_int(&row, 2, 0, INT32_MAX),
        .has_addr = !vt_row_null(&row, 3),
        .addr = vt_row_bits(&row, 3),
        .from_start = vt_row_uint(&row, 5, 1),
        .stack_limit = vt_row_bits(&row, 6),
        .file_size = vt_row_bits(&row, 7),
        .has_past = !vt_row_null(&row, 8),
    };
    for (int i = 0; verdict && i < VT_FAULT_COUNT; i++)
        if (!strcmp(verdict, vt_fault_verdict_name((enum vt_fault_verdict)i)))
            fault->verdict = (enum vt_fault_verdict)i;
    if (fault->has_past) {
        fault->past = (struct vt_past){
            .seq = vt_row_uint(&row, 8, INT64_MAX),
            .time_ns = vt_row_int(&row, 9, 0, VT_TIME_MOST),
            .pid = (pid_t)vt_row_int(&row, 10, 0, INT32_MAX),
            .tid = (pid_t)vt_row_int(&row, 11, 0, INT32_MAX),
            .cause = vt_row_word(&row, 12),
            .op = op && strchr("+-~>", *op) && *op ? (enum vt_change_op) * op : VT_CHANGE_GONE,
            .prot_after = (uint8_t)vt_row_uint(&row, 14, 7),
        };
        row.bad |= !fault->past.cause;
    }
    if (row.bad)
        return vt_source_damaged(&r->source, "table faults", err);
    to->event.fault = fault;
    return take_fault_regions(to, err);
}

/* The cause by its word; a call's name means that the call itself is it. */
static enum vt_cause cause_of(const struct vt_event_row *e, const struct vt_call_row *call)
{
    if (call && !strcmp(e->cause, call->call.name))
        return VT_CAUSE_CALL;
    for (int i = 1; i < VT_CAUSE_COUNT; i++)
        if (!strcmp(e->cause, vt_cause_name((enum vt_cause)i)))
            return (enum vt_cause)i;
    return VT_CAUSE_CALL;
}

/* Columns behind those of every walk, as VT_EVENT_REST has them. */
enum column {
    CALL = VT_EVENT_COLUMNS,
    ERROR,
    RESULT,
    ARGUMENTS,
    UNCERTAIN = ARGUMENTS + 6,
    SP,
    SP_ON,
    IP,
    MAPPED,
    HEAP,
    PARENT,
    SHARES,
    NOTE
};

static void take_call(struct replayed *to, struct vt_row *row, const struct vt_call_row *call)
{
    to->call = call->call;
    to->call.arg_names = call->names[0] ? call->names : NULL;
    to->call.failed = !vt_row_null(row, ERROR);
    to->call.error = (int)vt_row_int(row, ERROR, INT32_MIN, INT32_MAX);
    to->call.result = to->call.failed ? -1 : (int64_t)vt_row_bits(row, RESULT);
    for (int i = 0; i < 6; i++)
        to->call.args[i] = vt_row_bits(row, ARGUMENTS + i);
    to->event.call = &to->call;
}

static int take_event(void *context, const struct vt_event_row *e)
{
    struct replayed *to = context;
    struct vt_recording *r = to->recording;
    const struct vt_recorded_process *process = &r->processes[e->process];
    const struct vt_call_row *call = NULL;
    struct vt_row *row = e->row;
    uint64_t id;
    if (vt_row_known(row, CALL, r->call_count, &id) && id)
        call = &r->calls[id - 1];
    to->event = (struct vt_event){
        .seq = e->seq,
        .time_ns = e->time_ns,
        .pid = process->pid,
        .tid = r->threads[e->thread].tid,
        .space = e->space,
        .cause = cause_of(e, call),
        .uncertain = vt_row_uint(row, UNCERTAIN, 1),
        .sp = vt_row_bits(row, SP),
        .sp_place = (enum vt_sp_place)vt_row_uint(row, SP_ON, VT_SP_OTHER),
        .ip = vt_row_bits(row, IP),
        .stack = e->stack,
        .mapped_bytes = vt_row_bits(row, MAPPED),
        .heap_bytes = vt_row_bits(row, HEAP),
        .parent = (pid_t)vt_row_int(row, PARENT, 0, INT32_MAX),
        .shares_space = vt_row_uint(row, SHARES, 1),
        .note = vt_row_word(row, NOTE),
    };
    if (call)
        take_call(to, row, call);
    if (row->bad)
        return vt_source_damaged(&r->source, "table events", to->err);
    int rc = take_changes(to, e, to->err);
    if (!rc && (to->event.cause == VT_CAUSE_EXEC || to->event.cause == VT_CAUSE_ATTACH ||
                to->event.cause == VT_CAUSE_FORK))
        rc = take_program(to, to->err);
    if (!rc && to->event.cause == VT_CAUSE_SIGNAL)
        rc = take_fault(to, to->err);
    if (!rc && process->end_event == e->seq)
        take_exit(to, process);
    return rc ? rc : to->each(to->context, &to->event);
}

int vt_recording_replay(struct vt_recording *r, vt_recorded_event_fn *each, void *context,
                        struct vt_error *err)
{
    struct replayed to = {.recording = r, .each = each, .context = context, .err = err};
    int rc = vt_walk_events(r, VT_EVENTS_WHOLE, take_event, &to, err);
    sqlite3_finalize(to.program);
    sqlite3_finalize(to.fault_row);
    sqlite3_finalize(to.fault_regions);
    free(to.changes);
    free(to.details);
    return rc;
}
