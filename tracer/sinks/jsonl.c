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
#include "base/escape.h"
#include "sinks/fault.h"
#include "sinks/words.h"

#define SCHEMA_VERSION 1

/* The members, each with its comma: name is a literal. */
#define NAME(out, name) vt_buf_add(out, ",\"" name "\":", sizeof(",\"" name "\":") - 1)

/* Names of enum vt_program_type that stay as they are; vt_program_type_text() is for eyes. */
static const char *const program_types[] = {
    [VT_PROGRAM_UNKNOWN] = "unknown",
    [VT_PROGRAM_STATIC] = "static",
    [VT_PROGRAM_STATIC_PIE] = "static-pie",
    [VT_PROGRAM_DYNAMIC] = "dynamic",
    [VT_PROGRAM_PIE] = "pie",
};

/* What the sink has told: ids ascend in the order of telling, so that the largest says it all. */
struct told {
    uint64_t stack;
    uint64_t frame;
    uint64_t page_size; /* the run's */
};

static void put_int(struct vt_buf *out, int64_t value)
{
    if (value < 0)
        vt_buf_char(out, '-');
    vt_buf_dec(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static void put_hex(struct vt_buf *out, uint64_t value)
{
    vt_buf_str(out, "\"0x");
    vt_buf_hex(out, value, 0);
    vt_buf_char(out, '"');
}

static void put_bool(struct vt_buf *out, bool value)
{
    vt_buf_str(out, value ? "true" : "false");
}

static void put_string(struct vt_buf *out, const char *bytes)
{
    if (bytes)
        vt_escape_json(out, bytes, strlen(bytes));
    else
        vt_buf_str(out, "null");
}

/* A name of ours, which needs no escaping. */
static void put_word(struct vt_buf *out, const char *word)
{
    vt_buf_char(out, '"');
    vt_buf_str(out, word);
    vt_buf_char(out, '"');
}

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

static void put_exactness(struct vt_buf *out, const struct vt_exactness *exact)
{
    vt_buf_str(out, "{\"stops\":");
    vt_buf_dec(out, exact->stops);
    NAME(out, "compared");
    vt_buf_dec(out, exact->compared);
    NAME(out, "agreed");
    vt_buf_dec(out, exact->agreed);
    NAME(out, "resyncs");
    vt_buf_dec(out, exact->resyncs);
    NAME(out, "uncertain");
    vt_buf_dec(out, exact->uncertain);
    NAME(out, "lost");
    vt_buf_dec(out, exact->lost);
    vt_buf_char(out, '}');
}

static void put_errno(struct vt_buf *out, int error)
{
    const char *name = vt_errno_name(error);

    if (name)
        put_word(out, name);
    else
        vt_buf_printf(out, "\"E%d\"", error);
}

static void put_call(struct vt_buf *out, const struct vt_call *call)
{
    const char *separator = "";

    vt_buf_str(out, "{\"name\":");
    put_string(out, call->name);
    NAME(out, "abi");
    put_word(out, vt_abi_name(call->abi));
    NAME(out, "nr");
    vt_buf_dec(out, call->number);
    NAME(out, "args");
    vt_buf_char(out, '{');
    for (unsigned i = 0; i < call->arg_count && i < VT_COUNTOF(call->args); i++) {
        vt_buf_str(out, separator);
        if (call->arg_names && call->arg_names[i])
            put_word(out, call->arg_names[i]);
        else
            vt_buf_printf(out, "\"arg%u\"", i);
        vt_buf_char(out, ':');
        put_hex(out, call->args[i]);
        separator = ",";
    }
    vt_buf_char(out, '}');
    NAME(out, "result");
    if (call->failed)
        vt_buf_str(out, "null");
    else
        put_hex(out, (uint64_t)call->result);
    NAME(out, "error");
    if (call->failed)
        put_errno(out, call->error);
    else
        vt_buf_str(out, "null");
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
        put_string(out, object->name);
        vt_buf_char(out, '}');
        return;
    }
    vt_buf_str(out, "{\"type\":\"file\",\"name\":");
    put_string(out, object->name);
    NAME(out, "dev");
    vt_buf_char(out, '"');
    vt_buf_hex(out, object->dev_major, 2);
    vt_buf_char(out, ':');
    vt_buf_hex(out, object->dev_minor, 2);
    vt_buf_char(out, '"');
    NAME(out, "inode");
    vt_buf_dec(out, object->inode);
    /* The usual size may be learned late, or never: telling it would depend on when. */
    if (object->page_size > told->page_size) {
        NAME(out, "page_size");
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
        put_word(out, vt_kind_name(part->kind));
        NAME(out, "start");
        put_hex(out, start);
        NAME(out, "end");
        put_hex(out, end);
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
    put_word(out, op);
    NAME(out, "start");
    put_hex(out, change->start);
    NAME(out, "end");
    put_hex(out, change->end);
    if (has_after) {
        NAME(out, "perm");
        put_word(out, vt_prot_text(change->after.prot, change->after.flags, perm));
    }
    if (has_before) {
        NAME(out, "was");
        put_word(out, vt_prot_text(change->before.prot, change->before.flags, perm));
    }
    NAME(out, "kind");
    put_word(out, vt_kind_name(region->kind));
    if (has_before && has_after) {
        NAME(out, "was_kind");
        put_word(out, vt_kind_name(change->before.kind));
    }
    NAME(out, "object");
    put_object(out, told, region->object);
    if (region->object && region->object->type == VT_OBJECT_FILE) {
        NAME(out, "offset");
        put_hex(out, region->offset);
    }
    if (region->flags & VT_REGION_ARENA) {
        NAME(out, "inferred");
        put_word(out, "arena");
    }
    if (change->op == VT_CHANGE_MOVED) {
        NAME(out, "from");
        vt_buf_char(out, '[');
        put_hex(out, change->before.start);
        vt_buf_char(out, ',');
        put_hex(out, change->before.end);
        vt_buf_char(out, ']');
        NAME(out, "source_stays");
        put_bool(out, change->source_stays);
    }
    if (detail->image) {
        NAME(out, "image");
        put_string(out, detail->image->name);
    }
    put_parts(out, change, detail);
    vt_buf_char(out, '}');
}

static void put_source(struct vt_buf *out, const char *file, unsigned line)
{
    if (!file)
        return;
    NAME(out, "file");
    put_string(out, file);
    if (line) {
        NAME(out, "line");
        vt_buf_dec(out, line);
    }
}

static void put_frame(struct vt_buf *out, const struct told *told, const struct vt_frame *frame)
{
    vt_buf_str(out, "{\"type\":\"frame\"");
    NAME(out, "id");
    vt_buf_dec(out, frame->id);
    NAME(out, "object");
    put_object(out, told, frame->object);
    NAME(out, "address");
    put_hex(out, frame->address);
    if (frame->interrupted) {
        NAME(out, "interrupted");
        put_bool(out, true);
    }
    NAME(out, "function");
    put_string(out, frame->function);
    if (frame->function) {
        NAME(out, "offset");
        put_hex(out, frame->offset);
    }
    put_source(out, frame->file, frame->line);
    if (frame->inlined_count) {
        NAME(out, "inlined");
        for (size_t i = 0; i < frame->inlined_count; i++) {
            vt_buf_str(out, i ? ",{\"function\":" : "[{\"function\":");
            put_string(out, frame->inlined[i].function);
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
    NAME(out, "id");
    vt_buf_dec(out, stack->id);
    NAME(out, "frames");
    for (size_t i = 0; i < stack->frame_count; i++) {
        vt_buf_char(out, i ? ',' : '[');
        vt_buf_dec(out, stack->frames[i]->id);
    }
    vt_buf_char(out, ']');
    NAME(out, "end");
    put_word(out, vt_stack_end_name(stack->end));
    vt_buf_str(out, "}\n");
}

static void put_exec(struct vt_buf *out, const struct vt_exec_info *exec)
{
    vt_buf_str(out, "{\"path\":");
    put_string(out, exec->path);
    NAME(out, "program");
    put_word(out, (size_t)exec->type < VT_COUNTOF(program_types)
                      ? program_types[exec->type]
                      : program_types[VT_PROGRAM_UNKNOWN]);
    NAME(out, "class_bits");
    if (exec->class_bits)
        vt_buf_dec(out, exec->class_bits);
    else
        vt_buf_str(out, "null");
    NAME(out, "images");
    vt_buf_dec(out, exec->images);
    NAME(out, "regions");
    vt_buf_dec(out, exec->regions);
    if (exec->left_space) {
        NAME(out, "left_space");
        vt_buf_dec(out, exec->left_space);
    }
    vt_buf_char(out, '}');
}

static void put_address_or_null(struct vt_buf *out, vt_addr address)
{
    if (address)
        put_hex(out, address);
    else
        vt_buf_str(out, "null");
}

static void put_totals(struct vt_buf *out, const struct vt_process_totals *totals)
{
    const char *separator = "";

    vt_buf_str(out, "{\"bytes\":");
    vt_buf_dec(out, totals->bytes);
    NAME(out, "peak_bytes");
    vt_buf_dec(out, totals->peak_bytes);
    NAME(out, "usable_peak_bytes");
    vt_buf_dec(out, totals->usable_peak_bytes);
    NAME(out, "events");
    vt_buf_dec(out, totals->events);
    NAME(out, "sp_first");
    put_address_or_null(out, totals->sp_first);
    NAME(out, "sp_lowest");
    put_address_or_null(out, totals->sp_lowest);
    NAME(out, "stack_low");
    put_address_or_null(out, totals->stack_low);
    NAME(out, "stack_high");
    put_address_or_null(out, totals->stack_high);
    NAME(out, "kinds");
    vt_buf_char(out, '{');
    for (unsigned i = 0; i < VT_KIND_COUNT; i++) {
        const struct vt_kind_totals *kind = &totals->kinds[i];
        if (!kind->regions && !kind->made_count && !kind->gone_count)
            continue;
        vt_buf_str(out, separator);
        put_word(out, vt_kind_name((uint8_t)i));
        vt_buf_str(out, ":{\"regions\":");
        vt_buf_dec(out, kind->regions);
        NAME(out, "bytes");
        vt_buf_dec(out, kind->bytes);
        NAME(out, "peak_bytes");
        vt_buf_dec(out, kind->peak_bytes);
        NAME(out, "made_count");
        vt_buf_dec(out, kind->made_count);
        NAME(out, "made_bytes");
        vt_buf_dec(out, kind->made_bytes);
        NAME(out, "gone_count");
        vt_buf_dec(out, kind->gone_count);
        NAME(out, "gone_bytes");
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
        put_int(out, uses[i].tid);
        NAME(out, "main");
        put_bool(out, uses[i].main);
        NAME(out, "low");
        put_hex(out, uses[i].low);
        NAME(out, "high");
        put_hex(out, uses[i].high);
        NAME(out, "floor");
        put_address_or_null(out, uses[i].floor);
        NAME(out, "sp_lowest");
        put_hex(out, uses[i].sp_lowest);
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
        put_bool(out, WCOREDUMP(status));
    } else {
        vt_buf_str(out, "\"exited\",\"status\":");
        vt_buf_dec(out, (uint64_t)WEXITSTATUS(status));
    }
    NAME(out, "name");
    put_string(out, info->name);
    NAME(out, "root");
    put_bool(out, info->root);
    NAME(out, "lifetime");
    put_int(out, info->lifetime_ns);
    NAME(out, "exactness");
    put_exactness(out, &info->exactness);
    if (info->totals) {
        NAME(out, "totals");
        put_totals(out, info->totals);
    }
    if (info->stack_count) {
        NAME(out, "stacks");
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
    NAME(out, "schema");
    vt_buf_dec(out, SCHEMA_VERSION);
    NAME(out, "version");
    put_string(out, run->version);
    NAME(out, "command");
    if (run->command) {
        vt_buf_char(out, '[');
        for (char *const *arg = run->command; *arg; arg++) {
            if (arg != run->command)
                vt_buf_char(out, ',');
            put_string(out, *arg);
        }
        vt_buf_char(out, ']');
    } else {
        vt_buf_str(out, "null");
    }
    NAME(out, "kernel");
    put_string(out, run->kernel);
    NAME(out, "machine");
    put_string(out, run->machine);
    NAME(out, "arch");
    put_word(out, vt_abi_name(VT_ABI_X86_64)); /* the one there is an architecture table for */
    NAME(out, "page_size");
    vt_buf_dec(out, run->page_size);
    NAME(out, "aslr");
    vt_buf_str(out, "{\"randomize_va_space\":");
    if (run->aslr >= 0)
        put_int(out, run->aslr);
    else
        vt_buf_str(out, "null");
    NAME(out, "disabled");
    put_bool(out, run->aslr_disabled);
    vt_buf_char(out, '}');
    NAME(out, "start");
    put_time(out, run->start_unix_ns);
    NAME(out, "verify");
    put_bool(out, run->verify);
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
    put_hex(out, region->start);
    NAME(out, "end");
    put_hex(out, region->end);
    NAME(out, "perm");
    put_word(out, vt_prot_text(region->prot, region->flags, perm));
    NAME(out, "kind");
    put_word(out, vt_kind_name(region->kind));
    NAME(out, "object");
    put_object(out, told, region->object);
    if (region->object && region->object->type == VT_OBJECT_FILE) {
        NAME(out, "offset");
        put_hex(out, region->offset);
    }
    vt_buf_char(out, '}');
}

static void put_past(struct vt_buf *out, const struct told *told, const struct vt_past *past)
{
    char op[2] = {(char)past->op, '\0'};

    vt_buf_str(out, "{\"seq\":");
    vt_buf_dec(out, past->seq);
    NAME(out, "t");
    put_int(out, past->time_ns);
    NAME(out, "pid");
    put_int(out, past->pid);
    NAME(out, "tid");
    put_int(out, past->tid);
    NAME(out, "cause");
    put_string(out, past->cause);
    NAME(out, "op");
    put_word(out, op);
    NAME(out, "region");
    put_region(out, told, &past->before);
    vt_buf_char(out, '}');
}

static void put_fault(struct vt_buf *out, const struct told *told, const struct vt_event *event)
{
    const struct vt_fault_info *fault = event->fault;
    struct vt_buf text = {0};

    vt_buf_str(out, "{\"signal\":");
    vt_add_signal(&text, fault->signal);
    put_string(out, vt_buf_cstr(&text));
    NAME(out, "code");
    put_int(out, fault->code);
    NAME(out, "verdict");
    put_word(out, vt_fault_verdict_name(fault->verdict));
    vt_buf_clear(&text);
    vt_add_fault(&text, event);
    NAME(out, "explanation");
    put_string(out, vt_buf_cstr(&text));
    vt_buf_deinit(&text);
    if (fault->sender) {
        NAME(out, "sender");
        put_int(out, fault->sender);
    }
    if (fault->has_addr) {
        NAME(out, "addr");
        put_hex(out, fault->addr);
        NAME(out, "here");
        put_region(out, told, &fault->here);
        NAME(out, "below");
        put_region(out, told, &fault->below);
        NAME(out, "above");
        put_region(out, told, &fault->above);
    }
    if (fault->has_past) {
        NAME(out, "past");
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
    NAME(out, "seq");
    vt_buf_dec(out, event->seq);
    NAME(out, "t");
    put_int(out, event->time_ns);
    NAME(out, "pid");
    put_int(out, event->pid);
    NAME(out, "tid");
    put_int(out, event->tid);
    NAME(out, "space");
    vt_buf_dec(out, event->space);
    NAME(out, "cause");
    put_string(out, vt_event_cause_name(event));
    if (event->call) {
        NAME(out, "call");
        put_call(out, event->call);
    }
    if (event->sp) {
        NAME(out, "sp");
        put_hex(out, event->sp);
        if (event->sp_place != VT_SP_UNKNOWN) {
            static const char *const places[] = {
                [VT_SP_OWN] = "own", [VT_SP_ALTERNATE] = "alternate", [VT_SP_OTHER] = "other"};
            NAME(out, "sp_on");
            put_word(out, places[event->sp_place]);
        }
    }
    if (event->ip) {
        NAME(out, "ip");
        put_hex(out, event->ip);
    }
    if (event->stack) {
        NAME(out, "stack");
        vt_buf_dec(out, event->stack->id);
    }
    NAME(out, "changes");
    vt_buf_char(out, '[');
    for (size_t i = 0; i < event->change_count; i++) {
        if (i)
            vt_buf_char(out, ',');
        put_change(out, told, &event->changes[i], event->details ? &event->details[i] : &no_detail);
    }
    vt_buf_char(out, ']');
    NAME(out, "mapped");
    vt_buf_dec(out, event->mapped_bytes);
    if (event->uncertain) {
        NAME(out, "uncertain");
        put_bool(out, true);
    }
    if (event->parent) {
        NAME(out, "parent");
        put_int(out, event->parent);
    }
    if (event->cause == VT_CAUSE_THREAD) {
        NAME(out, "shares_space");
        put_bool(out, event->shares_space);
    }
    if (event->note) {
        NAME(out, "note");
        put_string(out, event->note);
    }
    if (event->exec) {
        NAME(out, "exec");
        put_exec(out, event->exec);
    }
    if (event->exit) {
        NAME(out, "exit");
        put_exit(out, event->exit, event->cause == VT_CAUSE_DETACH);
    }
    if (event->fault) {
        NAME(out, "fault");
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
    NAME(out, "t");
    put_int(out, summary->duration_ns);
    NAME(out, "events");
    vt_buf_dec(out, summary->events);
    NAME(out, "processes");
    vt_buf_dec(out, summary->processes);
    NAME(out, "threads");
    vt_buf_dec(out, summary->threads);
    NAME(out, "exactness");
    put_exactness(out, &summary->exactness);
    NAME(out, "interrupted");
    put_string(out, summary->interrupted);
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
