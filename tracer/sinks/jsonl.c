/*
 * jsonl.c - the timeline for programs: JSON Lines, one record a line, as
 * contrib/schema/timeline.schema.json describes them.
 *
 * Hides the JSON syntax. Invariants: each record begins with its type, so that
 * every further member follows a comma; names of members are literals without
 * anything to escape; a member that is not known is absent or null as the
 * schema says, never a made-up value. A change of what is written here is a
 * change of the schema, and of SCHEMA_VERSION where old readers would err.
 */
#include "sinks/sink.h"

#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/base.h"
#include "sinks/fault.h"
#include "sinks/json.h"
#include "sinks/words.h"

#define SCHEMA_VERSION 1

/* What the sink has told: ids ascend in the order of telling, so that the largest says it all. */
struct told {
    uint64_t stack;
    uint64_t frame;
    uint64_t page_size; /* the run's */
};

/* RFC 3339 in UTC with nanoseconds. */
static void put_time(struct vt_buf *out, int64_t unix_ns)
{
    int64_t ns = unix_ns % 1000000000;
    time_t seconds = (time_t)(unix_ns / 1000000000);
    struct tm parts = {0};
    char text[32];

    if (ns < 0) {
        ns += 1000000000;
        seconds--;
    }
    gmtime_r(&seconds, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
    vt_buf_printf(out, "\"%s.%09dZ\"", text, (int)ns);
}

static void put_call(struct vt_buf *out, const struct vt_call *call)
{
    const char *separator = "";

    vt_buf_str(out, "{\"name\":");
    vt_json_text(out, call->name);
    VT_JSON_NAME(out, "abi");
    vt_json_word(out, vt_abi_name(call->abi));
    VT_JSON_NAME(out, "nr");
    vt_buf_dec(out, call->number);
    VT_JSON_NAME(out, "args");
    vt_buf_char(out, '{');
    for (unsigned i = 0; i < call->arg_count && i < VT_COUNTOF(call->args); i++) {
        vt_buf_str(out, separator);
        if (call->arg_names && call->arg_names[i])
            vt_json_word(out, call->arg_names[i]);
        else
            vt_buf_printf(out, "\"arg%u\"", i);
        vt_buf_char(out, ':');
        vt_json_hex(out, call->args[i]);
        separator = ",";
    }
    vt_buf_char(out, '}');
    VT_JSON_NAME(out, "result");
    if (call->failed)
        vt_buf_str(out, "null");
    else
        vt_json_hex(out, (uint64_t)call->result);
    VT_JSON_NAME(out, "error");
    if (call->failed) {
        vt_buf_char(out, '"');
        vt_add_errno(out, call->error);
        vt_buf_char(out, '"');
    } else {
        vt_buf_str(out, "null");
    }
    vt_buf_char(out, '}');
}

static void put_object(struct vt_buf *out, const struct told *told, const struct vt_object *object)
{
    if (!object) {
        vt_buf_str(out, "null");
        return;
    }
    if (object->type == VT_OBJECT_SPECIAL) {
        vt_buf_str(out, "{\"type\":\"special\",\"name\":");
        vt_json_text(out, object->name);
        vt_buf_char(out, '}');
        return;
    }
    vt_buf_str(out, "{\"type\":\"file\",\"name\":");
    vt_json_text(out, object->name);
    VT_JSON_NAME(out, "dev");
    vt_buf_char(out, '"');
    vt_buf_hex(out, object->dev_major, 2);
    vt_buf_char(out, ':');
    vt_buf_hex(out, object->dev_minor, 2);
    vt_buf_char(out, '"');
    VT_JSON_NAME(out, "inode");
    vt_buf_dec(out, object->inode);
    /* The usual size may be learned late, or never: telling it would depend on when. */
    if (object->page_size > told->page_size) {
        VT_JSON_NAME(out, "page_size");
        vt_buf_dec(out, object->page_size);
    }
    vt_buf_char(out, '}');
}

/* The image's parts that lie in the change, at run-time addresses. */
static void put_parts(struct vt_buf *out, const struct vt_change *change,
                      const struct vt_detail *detail)
{
    bool any = false;

    for (size_t i = 0; i < detail->part_count; i++) {
        const struct vt_part *part = &detail->parts[i];
        vt_addr start = vt_max(part->start + detail->bias, change->start);
        vt_addr end = vt_min(part->end + detail->bias, change->end);
        if (start >= end)
            continue;
        if (any)
            vt_buf_char(out, ',');
        else
            vt_buf_str(out, ",\"parts\":[");
        any = true;
        vt_buf_str(out, "{\"kind\":");
        vt_json_word(out, vt_kind_name(part->kind));
        VT_JSON_NAME(out, "start");
        vt_json_hex(out, start);
        VT_JSON_NAME(out, "end");
        vt_json_hex(out, end);
        vt_buf_char(out, '}');
    }
    if (any)
        vt_buf_char(out, ']');
}

static void put_change(struct vt_buf *out, const struct told *told, const struct vt_change *change,
                       const struct vt_detail *detail)
{
    bool has_before = change->op != VT_CHANGE_MADE;
    bool has_after = change->op != VT_CHANGE_GONE;
    const struct vt_region *region = has_after ? &change->after : &change->before;
    char op[2] = {(char)change->op, '\0'};
    char perm[5];

    vt_buf_str(out, "{\"op\":");
    vt_json_word(out, op);
    VT_JSON_NAME(out, "start");
    vt_json_hex(out, change->start);
    VT_JSON_NAME(out, "end");
    vt_json_hex(out, change->end);
    if (has_after) {
        VT_JSON_NAME(out, "perm");
        vt_json_word(out, vt_prot_text(change->after.prot, change->after.flags, perm));
    }
    if (has_before) {
        VT_JSON_NAME(out, "was");
        vt_json_word(out, vt_prot_text(change->before.prot, change->before.flags, perm));
    }
    VT_JSON_NAME(out, "kind");
    vt_json_word(out, vt_kind_name(region->kind));
    if (has_before && has_after) {
        VT_JSON_NAME(out, "was_kind");
        vt_json_word(out, vt_kind_name(change->before.kind));
    }
    VT_JSON_NAME(out, "object");
    put_object(out, told, region->object);
    if (region->object && region->object->type == VT_OBJECT_FILE) {
        VT_JSON_NAME(out, "offset");
        vt_json_hex(out, region->offset);
    }
    if (region->flags & VT_REGION_ARENA) {
        VT_JSON_NAME(out, "inferred");
        vt_json_word(out, "arena");
    }
    if (change->op == VT_CHANGE_MOVED) {
        VT_JSON_NAME(out, "from");
        vt_buf_char(out, '[');
        vt_json_hex(out, change->before.start);
        vt_buf_char(out, ',');
        vt_json_hex(out, change->before.end);
        vt_buf_char(out, ']');
        VT_JSON_NAME(out, "source_stays");
        vt_json_bool(out, change->source_stays);
    }
    if (detail->image) {
        VT_JSON_NAME(out, "image");
        vt_json_text(out, detail->image->name);
    }
    put_parts(out, change, detail);
    vt_buf_char(out, '}');
}

static void put_source(struct vt_buf *out, const char *file, unsigned line)
{
    if (!file)
        return;
    VT_JSON_NAME(out, "file");
    vt_json_text(out, file);
    if (line) {
        VT_JSON_NAME(out, "line");
        vt_buf_dec(out, line);
    }
}

static void put_frame(struct vt_buf *out, const struct told *told, const struct vt_frame *frame)
{
    vt_buf_str(out, "{\"type\":\"frame\"");
    VT_JSON_NAME(out, "id");
    vt_buf_dec(out, frame->id);
    VT_JSON_NAME(out, "object");
    put_object(out, told, frame->object);
    if (frame->build_id) {
        VT_JSON_NAME(out, "build_id");
        vt_buf_char(out, '"');
        for (size_t i = 0; i < frame->build_id->length; i++)
            vt_buf_hex(out, frame->build_id->bytes[i], 2);
        vt_buf_char(out, '"');
    }
    VT_JSON_NAME(out, "address");
    vt_json_hex(out, frame->address);
    if (frame->interrupted) {
        VT_JSON_NAME(out, "interrupted");
        vt_json_bool(out, true);
    }
    VT_JSON_NAME(out, "function");
    vt_json_text(out, frame->function);
    if (frame->function) {
        VT_JSON_NAME(out, "offset");
        vt_json_hex(out, frame->offset);
    }
    put_source(out, frame->file, frame->line);
    if (frame->inlined_count) {
        VT_JSON_NAME(out, "inlined");
        for (size_t i = 0; i < frame->inlined_count; i++) {
            vt_buf_str(out, i ? ",{\"function\":" : "[{\"function\":");
            vt_json_text(out, frame->inlined[i].function);
            put_source(out, frame->inlined[i].file, frame->inlined[i].line);
            vt_buf_char(out, '}');
        }
        vt_buf_char(out, ']');
    }
    vt_buf_str(out, "}\n");
}

/* Records of a stack and its frames, those that were not told before. */
static void put_stack(struct vt_buf *out, struct told *told, const struct vt_stack *stack)
{
    if (stack->id <= told->stack)
        return;
    told->stack = stack->id;
    for (size_t i = 0; i < stack->frame_count; i++) {
        if (stack->frames[i]->id <= told->frame)
            continue;
        told->frame = stack->frames[i]->id;
        put_frame(out, told, stack->frames[i]);
    }
    vt_buf_str(out, "{\"type\":\"stack\"");
    VT_JSON_NAME(out, "id");
    vt_buf_dec(out, stack->id);
    VT_JSON_NAME(out, "frames");
    for (size_t i = 0; i < stack->frame_count; i++) {
        vt_buf_char(out, i ? ',' : '[');
        vt_buf_dec(out, stack->frames[i]->id);
    }
    vt_buf_char(out, ']');
    VT_JSON_NAME(out, "end");
    vt_json_word(out, vt_stack_end_name(stack->end));
    vt_buf_str(out, "}\n");
}

static void put_exec(struct vt_buf *out, const struct vt_exec_info *exec)
{
    vt_buf_str(out, "{\"path\":");
    vt_json_text(out, exec->path);
    VT_JSON_NAME(out, "program");
    vt_json_word(out, vt_program_type_name(exec->type));
    VT_JSON_NAME(out, "class_bits");
    if (exec->class_bits)
        vt_buf_dec(out, exec->class_bits);
    else
        vt_buf_str(out, "null");
    VT_JSON_NAME(out, "images");
    vt_buf_dec(out, exec->images);
    VT_JSON_NAME(out, "regions");
    vt_buf_dec(out, exec->regions);
    if (exec->left_space) {
        VT_JSON_NAME(out, "left_space");
        vt_buf_dec(out, exec->left_space);
    }
    vt_buf_char(out, '}');
}

static void put_totals(struct vt_buf *out, const struct vt_process_totals *totals)
{
    const char *separator = "";

    vt_buf_str(out, "{\"bytes\":");
    vt_buf_dec(out, totals->bytes);
    VT_JSON_NAME(out, "peak_bytes");
    vt_buf_dec(out, totals->peak_bytes);
    VT_JSON_NAME(out, "usable_peak_bytes");
    vt_buf_dec(out, totals->usable_peak_bytes);
    VT_JSON_NAME(out, "events");
    vt_buf_dec(out, totals->events);
    VT_JSON_NAME(out, "sp_first");
    vt_json_hex_or_null(out, totals->sp_first);
    VT_JSON_NAME(out, "sp_lowest");
    vt_json_hex_or_null(out, totals->sp_lowest);
    VT_JSON_NAME(out, "stack_low");
    vt_json_hex_or_null(out, totals->stack_low);
    VT_JSON_NAME(out, "stack_high");
    vt_json_hex_or_null(out, totals->stack_high);
    VT_JSON_NAME(out, "kinds");
    vt_buf_char(out, '{');
    for (unsigned i = 0; i < VT_KIND_COUNT; i++) {
        const struct vt_kind_totals *kind = &totals->kinds[i];
        if (!kind->regions && !kind->made_count && !kind->gone_count)
            continue;
        vt_buf_str(out, separator);
        vt_json_word(out, vt_kind_name((uint8_t)i));
        vt_buf_str(out, ":{\"regions\":");
        vt_buf_dec(out, kind->regions);
        VT_JSON_NAME(out, "bytes");
        vt_buf_dec(out, kind->bytes);
        VT_JSON_NAME(out, "peak_bytes");
        vt_buf_dec(out, kind->peak_bytes);
        VT_JSON_NAME(out, "made_count");
        vt_buf_dec(out, kind->made_count);
        VT_JSON_NAME(out, "made_bytes");
        vt_buf_dec(out, kind->made_bytes);
        VT_JSON_NAME(out, "gone_count");
        vt_buf_dec(out, kind->gone_count);
        VT_JSON_NAME(out, "gone_bytes");
        vt_buf_dec(out, kind->gone_bytes);
        vt_buf_char(out, '}');
        separator = ",";
    }
    vt_buf_str(out, "}}");
}

static void put_stack_uses(struct vt_buf *out, const struct vt_stack_use *uses, size_t count)
{
    vt_buf_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        vt_buf_str(out, i ? ",{\"tid\":" : "{\"tid\":");
        vt_json_int(out, uses[i].tid);
        VT_JSON_NAME(out, "main");
        vt_json_bool(out, uses[i].main);
        VT_JSON_NAME(out, "low");
        vt_json_hex(out, uses[i].low);
        VT_JSON_NAME(out, "high");
        vt_json_hex(out, uses[i].high);
        VT_JSON_NAME(out, "floor");
        vt_json_hex_or_null(out, uses[i].floor);
        VT_JSON_NAME(out, "sp_lowest");
        vt_json_hex(out, uses[i].sp_lowest);
        vt_buf_char(out, '}');
    }
    vt_buf_char(out, ']');
}

static void put_exit(struct vt_buf *out, const struct vt_exit_info *info, bool detached)
{
    int status = info->wait_status;

    vt_buf_str(out, "{\"how\":");
    if (detached) {
        vt_buf_str(out, "\"detached\"");
    } else if (WIFSIGNALED(status)) {
        vt_buf_str(out, "\"killed\",\"signal\":\"");
        vt_add_signal(out, WTERMSIG(status));
        vt_buf_str(out, "\",\"core_dumped\":");
        vt_json_bool(out, WCOREDUMP(status));
    } else {
        vt_buf_str(out, "\"exited\",\"status\":");
        vt_buf_dec(out, (uint64_t)WEXITSTATUS(status));
    }
    VT_JSON_NAME(out, "name");
    vt_json_text(out, info->name);
    VT_JSON_NAME(out, "root");
    vt_json_bool(out, info->root);
    VT_JSON_NAME(out, "lifetime");
    vt_json_int(out, info->lifetime_ns);
    VT_JSON_NAME(out, "exactness");
    vt_json_exactness(out, &info->exactness);
    if (info->totals) {
        VT_JSON_NAME(out, "totals");
        put_totals(out, info->totals);
    }
    if (info->stack_count) {
        VT_JSON_NAME(out, "stacks");
        put_stack_uses(out, info->stacks, info->stack_count);
    }
    vt_buf_char(out, '}');
}

static int jsonl_begin(struct vt_sink *sink, const struct vt_run *run, struct vt_error *err)
{
    struct told *told = sink->state;
    struct vt_buf *out = &sink->out;

    (void)err;
    told->page_size = run->page_size;
    vt_buf_str(out, "{\"type\":\"header\"");
    VT_JSON_NAME(out, "schema");
    vt_buf_dec(out, SCHEMA_VERSION);
    VT_JSON_NAME(out, "version");
    vt_json_text(out, run->version);
    VT_JSON_NAME(out, "command");
    if (run->command) {
        vt_buf_char(out, '[');
        for (char *const *arg = run->command; *arg; arg++) {
            if (arg != run->command)
                vt_buf_char(out, ',');
            vt_json_text(out, *arg);
        }
        vt_buf_char(out, ']');
    } else {
        vt_buf_str(out, "null");
    }
    VT_JSON_NAME(out, "kernel");
    vt_json_text(out, run->kernel);
    VT_JSON_NAME(out, "machine");
    vt_json_text(out, run->machine);
    VT_JSON_NAME(out, "arch");
    vt_json_word(out, vt_abi_name(VT_ABI_X86_64)); /* the one there is an architecture table for */
    VT_JSON_NAME(out, "page_size");
    vt_buf_dec(out, run->page_size);
    VT_JSON_NAME(out, "aslr");
    vt_buf_str(out, "{\"randomize_va_space\":");
    if (run->aslr >= 0)
        vt_json_int(out, run->aslr);
    else
        vt_buf_str(out, "null");
    VT_JSON_NAME(out, "disabled");
    vt_json_bool(out, run->aslr_disabled);
    vt_buf_char(out, '}');
    VT_JSON_NAME(out, "start");
    put_time(out, run->start_unix_ns);
    VT_JSON_NAME(out, "verify");
    vt_json_bool(out, run->verify);
    vt_buf_str(out, "}\n");
    return 0;
}

static void put_region(struct vt_buf *out, const struct told *told, const struct vt_region *region)
{
    char perm[5];

    if (region->start >= region->end) {
        vt_buf_str(out, "null");
        return;
    }
    vt_buf_str(out, "{\"start\":");
    vt_json_hex(out, region->start);
    VT_JSON_NAME(out, "end");
    vt_json_hex(out, region->end);
    VT_JSON_NAME(out, "perm");
    vt_json_word(out, vt_prot_text(region->prot, region->flags, perm));
    VT_JSON_NAME(out, "kind");
    vt_json_word(out, vt_kind_name(region->kind));
    VT_JSON_NAME(out, "object");
    put_object(out, told, region->object);
    if (region->object && region->object->type == VT_OBJECT_FILE) {
        VT_JSON_NAME(out, "offset");
        vt_json_hex(out, region->offset);
    }
    vt_buf_char(out, '}');
}

static void put_past(struct vt_buf *out, const struct told *told, const struct vt_past *past)
{
    char op[2] = {(char)past->op, '\0'};

    vt_buf_str(out, "{\"seq\":");
    vt_buf_dec(out, past->seq);
    VT_JSON_NAME(out, "t");
    vt_json_int(out, past->time_ns);
    VT_JSON_NAME(out, "pid");
    vt_json_int(out, past->pid);
    VT_JSON_NAME(out, "tid");
    vt_json_int(out, past->tid);
    VT_JSON_NAME(out, "cause");
    vt_json_text(out, past->cause);
    VT_JSON_NAME(out, "op");
    vt_json_word(out, op);
    VT_JSON_NAME(out, "region");
    put_region(out, told, &past->before);
    vt_buf_char(out, '}');
}

static void put_fault(struct vt_buf *out, const struct told *told, const struct vt_event *event)
{
    const struct vt_fault_info *fault = event->fault;
    struct vt_buf text = {0};

    vt_buf_str(out, "{\"signal\":");
    vt_add_signal(&text, fault->signal);
    vt_json_text(out, vt_buf_cstr(&text));
    VT_JSON_NAME(out, "code");
    vt_json_int(out, fault->code);
    VT_JSON_NAME(out, "verdict");
    vt_json_word(out, vt_fault_verdict_name(fault->verdict));
    vt_buf_clear(&text);
    vt_add_fault(&text, event);
    VT_JSON_NAME(out, "explanation");
    vt_json_text(out, vt_buf_cstr(&text));
    out->failed |= text.failed;
    vt_buf_deinit(&text);
    if (fault->sender) {
        VT_JSON_NAME(out, "sender");
        vt_json_int(out, fault->sender);
    }
    if (fault->has_addr) {
        VT_JSON_NAME(out, "addr");
        vt_json_hex(out, fault->addr);
        VT_JSON_NAME(out, "here");
        put_region(out, told, &fault->here);
        VT_JSON_NAME(out, "below");
        put_region(out, told, &fault->below);
        VT_JSON_NAME(out, "above");
        put_region(out, told, &fault->above);
    }
    if (fault->has_past) {
        VT_JSON_NAME(out, "past");
        put_past(out, told, &fault->past);
    }
    vt_buf_char(out, '}');
}

static int jsonl_event(struct vt_sink *sink, const struct vt_event *event, struct vt_error *err)
{
    static const struct vt_detail no_detail;
    struct told *told = sink->state;
    struct vt_buf *out = &sink->out;

    (void)err;
    if (event->stack)
        put_stack(out, told, event->stack);
    vt_buf_str(out, "{\"type\":\"event\"");
    VT_JSON_NAME(out, "seq");
    vt_buf_dec(out, event->seq);
    VT_JSON_NAME(out, "t");
    vt_json_int(out, event->time_ns);
    VT_JSON_NAME(out, "pid");
    vt_json_int(out, event->pid);
    VT_JSON_NAME(out, "tid");
    vt_json_int(out, event->tid);
    VT_JSON_NAME(out, "space");
    vt_buf_dec(out, event->space);
    VT_JSON_NAME(out, "cause");
    vt_json_text(out, vt_event_cause_name(event));
    if (event->call) {
        VT_JSON_NAME(out, "call");
        put_call(out, event->call);
    }
    if (event->sp) {
        VT_JSON_NAME(out, "sp");
        vt_json_hex(out, event->sp);
        if (event->sp_place != VT_SP_UNKNOWN) {
            static const char *const places[] = {
                [VT_SP_OWN] = "own", [VT_SP_ALTERNATE] = "alternate", [VT_SP_OTHER] = "other"};
            VT_JSON_NAME(out, "sp_on");
            vt_json_word(out, places[event->sp_place]);
        }
    }
    if (event->ip) {
        VT_JSON_NAME(out, "ip");
        vt_json_hex(out, event->ip);
    }
    if (event->stack) {
        VT_JSON_NAME(out, "stack");
        vt_buf_dec(out, event->stack->id);
    }
    VT_JSON_NAME(out, "changes");
    vt_buf_char(out, '[');
    for (size_t i = 0; i < event->change_count; i++) {
        if (i)
            vt_buf_char(out, ',');
        put_change(out, told, &event->changes[i], event->details ? &event->details[i] : &no_detail);
    }
    vt_buf_char(out, ']');
    VT_JSON_NAME(out, "mapped");
    vt_buf_dec(out, event->mapped_bytes);
    if (event->uncertain) {
        VT_JSON_NAME(out, "uncertain");
        vt_json_bool(out, true);
    }
    if (event->parent) {
        VT_JSON_NAME(out, "parent");
        vt_json_int(out, event->parent);
    }
    if (event->cause == VT_CAUSE_THREAD) {
        VT_JSON_NAME(out, "shares_space");
        vt_json_bool(out, event->shares_space);
    }
    if (event->note) {
        VT_JSON_NAME(out, "note");
        vt_json_text(out, event->note);
    }
    if (event->exec) {
        VT_JSON_NAME(out, "exec");
        put_exec(out, event->exec);
    }
    if (event->exit) {
        VT_JSON_NAME(out, "exit");
        put_exit(out, event->exit, event->cause == VT_CAUSE_DETACH);
    }
    if (event->fault) {
        VT_JSON_NAME(out, "fault");
        put_fault(out, told, event);
    }
    vt_buf_str(out, "}\n");
    return 0;
}

static int jsonl_end(struct vt_sink *sink, const struct vt_summary *summary, struct vt_error *err)
{
    struct vt_buf *out = &sink->out;

    (void)err;
    vt_buf_str(out, "{\"type\":\"end\"");
    VT_JSON_NAME(out, "t");
    vt_json_int(out, summary->duration_ns);
    VT_JSON_NAME(out, "events");
    vt_buf_dec(out, summary->events);
    VT_JSON_NAME(out, "processes");
    vt_buf_dec(out, summary->processes);
    VT_JSON_NAME(out, "threads");
    vt_buf_dec(out, summary->threads);
    VT_JSON_NAME(out, "exactness");
    vt_json_exactness(out, &summary->exactness);
    VT_JSON_NAME(out, "interrupted");
    vt_json_text(out, summary->interrupted);
    vt_buf_str(out, "}\n");
    return 0;
}

const struct vt_sink_ops vt_jsonl_ops = {
    .endings = (const char *const[]){".jsonl", ".ndjson", NULL},
    .state_size = sizeof(struct told),
    .begin = jsonl_begin,
    .event = jsonl_event,
    .end = jsonl_end,
};
