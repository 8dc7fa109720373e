/*
 * perfetto.c - the timeline as a Perfetto trace, for ui.perfetto.dev and
 * trace_processor: a sequence of TracePackets, as protos/perfetto/trace/ of
 * that project describes them.
 *
 * A process is a process track. Below it are: a counter of all that is mapped,
 * and one of each kind; a track for each thread, with an instant for each
 * event; and the lifetimes of memory, as slices. A slice is a range as long as
 * it is in one state: what is cut, altered or moved ends, and what is left of it
 * begins, at the same moment. Slices of one track have to nest, and lifetimes
 * overlap as they please, so each goes on a track of which no slice is open; the
 * viewer shows tracks of one name as one.
 *
 * Times are nanoseconds since the start, on the trace's clock. A packet is never
 * earlier than the one before it: two threads' events may be told out of their
 * order by a little, and would break the nesting.
 *
 * Invariants: what a packet refers to (a track, an interned string) stands in an
 * earlier one. Memory is in proportion to what is mapped and to distinct names,
 * threads and processes.
 */
#include "sinks/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/escape.h"
#include "sinks/protobuf.h"
#include "sinks/spaces.h"
#include "sinks/words.h"

#define SEQUENCE      1
#define CHANGES_SHOWN 64 /* of one event; the slices tell of all */

/* Fields, by message. */
enum { TRACE_PACKET = 1 };
enum {
    PACKET_CLOCK_SNAPSHOT = 6,
    PACKET_TIMESTAMP = 8,
    PACKET_SEQUENCE = 10,
    PACKET_TRACK_EVENT = 11,
    PACKET_INTERNED_DATA = 12,
    PACKET_FLAGS = 13,
    PACKET_TRACK = 60,
    PACKET_FIRST = 87,
};
enum { FLAG_CLEARED = 1, FLAG_NEEDS_STATE = 2 };
enum { SNAPSHOT_CLOCK = 1, CLOCK_ID = 1, CLOCK_TIME = 2 };
enum { CLOCK_OF_REAL_TIME = 1, CLOCK_OF_BOOT = 6 }; /* the latter is the default */
enum {
    TRACK_UUID = 1,
    TRACK_NAME = 2,
    TRACK_PROCESS = 3,
    TRACK_THREAD = 4,
    TRACK_PARENT = 5,
    TRACK_COUNTER = 8
};
enum { PROCESS_PID = 1, PROCESS_CMDLINE = 2, PROCESS_NAME = 6 };
enum { THREAD_PID = 1, THREAD_TID = 2 };
enum { COUNTER_UNIT = 3, UNIT_BYTES = 3 };
enum {
    EVENT_CATEGORY_IID = 3,
    EVENT_ANNOTATION = 4,
    EVENT_TYPE = 9,
    EVENT_NAME_IID = 10,
    EVENT_TRACK = 11,
    EVENT_COUNTER = 30
};
enum { TYPE_BEGIN = 1, TYPE_END = 2, TYPE_INSTANT = 3, TYPE_COUNTER = 4 };
enum {
    ANNOTATION_NAME_IID = 1,
    ANNOTATION_BOOL = 2,
    ANNOTATION_UINT = 3,
    ANNOTATION_INT = 4,
    ANNOTATION_POINTER = 7,
    ANNOTATION_DICT = 11,
    ANNOTATION_ARRAY = 12,
    ANNOTATION_STRING_IID = 17
};
enum {
    INTERNED_CATEGORY = 1,
    INTERNED_EVENT_NAME = 2,
    INTERNED_ANNOTATION_NAME = 3,
    INTERNED_STRING = 29
};
enum { ENTRY_IID = 1, ENTRY_TEXT = 2 };

/* Stacks are interned strings too, with numbers of their own. */
#define STACK_IID(id) ((UINT64_C(1) << 40) + (id))

/* Categories, and names of annotations: interned as a whole in the first packet, from 1. */
enum category { CATEGORY_EVENT = 1, CATEGORY_MEMORY };
static const char *const categories[] = {"event", "memory"};

/* clang-format off */
#define ANNOTATIONS(X)                                                                             \
    X(seq) X(result) X(error) X(uncertain) X(note) X(stack) X(changes) X(changes_left_out) X(op)   \
    X(start) X(end) X(size) X(perm) X(was) X(kind) X(was_kind) X(object) X(offset) X(from)         \
    X(source_stays)
/* clang-format on */
#define ANNOTATION_ID(name)   A_##name,
#define ANNOTATION_NAME(name) #name,
enum annotation { A_NONE, ANNOTATIONS(ANNOTATION_ID) };
static const char *const annotation_names[] = {ANNOTATIONS(ANNOTATION_NAME)};

/* A process; spaces that it had and it itself hold it. */
struct process {
    pid_t pid;
    unsigned holders;
    bool named;
    uint64_t track;
    uint64_t mapped_track; /* counters; 0: none yet */
    uint64_t kind_tracks[VT_KIND_COUNT];
    uint64_t mapped; /* as they were told last */
    uint64_t told[VT_KIND_COUNT];
    uint64_t now[VT_KIND_COUNT];
    /* Tracks of lifetimes without an open slice, by kind. */
    struct lanes {
        uint64_t *tracks;
        size_t count;
        size_t capacity;
    } lanes[VT_KIND_COUNT];
    struct process *next;
};

struct thread {
    pid_t pid;
    pid_t tid;
    uint64_t process_track;
    uint64_t track;
    struct thread *next;
};

#define BUCKETS 1024

struct perfetto {
    struct vt_sink *sink;
    struct vt_spaces spaces;
    struct vt_names event_names;
    struct vt_names strings;
    uint64_t stacks_told; /* ids ascend in the order of telling */
    uint64_t tracks;      /* the last uuid */
    uint64_t now;         /* the last timestamp */
    const struct vt_event *event;
    struct vt_buf command; /* fields of the first process that is named */
    struct process *processes[BUCKETS];
    struct thread *threads[BUCKETS];
    struct vt_buf text;
    bool failed; /* out of memory where that cannot be returned */
};

/* ---- packets --------------------------------------------------------------------- */

static size_t begin_packet(struct perfetto *p, unsigned flags)
{
    struct vt_buf *out = &p->sink->out;
    size_t begun = vt_pb_begin(out, TRACE_PACKET);
    vt_pb_number(out, PACKET_TIMESTAMP, p->now);
    vt_pb_number(out, PACKET_SEQUENCE, SEQUENCE);
    vt_pb_number(out, PACKET_FLAGS, flags);
    return begun;
}

static void end_packet(struct perfetto *p, size_t begun)
{
    vt_pb_end(&p->sink->out, begun);
}

static void put_entry(struct vt_buf *out, unsigned field, uint64_t iid, const char *text,
                      size_t length)
{
    size_t entry = vt_pb_begin(out, field);
    vt_pb_number(out, ENTRY_IID, iid);
    vt_pb_bytes(out, ENTRY_TEXT, text, length);
    vt_pb_end(out, entry);
}

/* A raw string as UTF-8 without control characters, until the next one. */
static const char *clean(struct perfetto *p, const char *raw)
{
    vt_buf_clear(&p->text);
    vt_escape_terminal(&p->text, raw, strlen(raw));
    const char *text = vt_buf_cstr(&p->text);
    p->failed |= p->text.failed;
    return text;
}

static void tell_entry(struct perfetto *p, unsigned field, uint64_t iid, const char *text)
{
    struct vt_buf *out = &p->sink->out;
    size_t packet = begin_packet(p, FLAG_NEEDS_STATE);
    size_t data = vt_pb_begin(out, PACKET_INTERNED_DATA);
    put_entry(out, field, iid, text, strlen(text));
    vt_pb_end(out, data);
    end_packet(p, packet);
}

/* The iid of a string, which is told if it is new. */
static uint64_t intern(struct perfetto *p, struct vt_names *names, unsigned field, const char *raw)
{
    size_t had = names->count;
    uint32_t iid = vt_names_add(names, raw);
    p->failed |= !iid;
    if (names->count > had)
        tell_entry(p, field, iid, clean(p, raw));
    return iid;
}

static uint64_t event_name(struct perfetto *p, const char *raw)
{
    return intern(p, &p->event_names, INTERNED_EVENT_NAME, raw);
}

static uint64_t string(struct perfetto *p, const char *raw)
{
    return intern(p, &p->strings, INTERNED_STRING, raw);
}

/* "mmap < _dl_map_segment (rtld.c:12) < main": innermost first. */
static uint64_t stack_string(struct perfetto *p, const struct vt_stack *stack)
{
    if (stack->id <= p->stacks_told)
        return STACK_IID(stack->id);
    p->stacks_told = stack->id;
    struct vt_buf raw = {0};
    for (size_t i = 0; i < stack->frame_count; i++) {
        const struct vt_frame *frame = stack->frames[i];
        for (size_t j = 0; j < frame->inlined_count; j++)
            vt_buf_printf(&raw, "%s%s", raw.length ? " < " : "", frame->inlined[j].function);
        vt_buf_str(&raw, raw.length ? " < " : "");
        if (frame->function)
            vt_buf_str(&raw, frame->function);
        else
            vt_buf_printf(&raw, "%s+0x%llx", frame->object ? frame->object->name : "",
                          (unsigned long long)frame->address);
    }
    if (stack->end != VT_STACK_COMPLETE)
        vt_buf_printf(&raw, " < (%s)", vt_stack_end_name(stack->end));
    const char *text = clean(p, vt_buf_cstr(&raw));
    p->failed |= raw.failed;
    tell_entry(p, INTERNED_STRING, STACK_IID(stack->id), text);
    vt_buf_deinit(&raw);
    return STACK_IID(stack->id);
}

/* ---- annotations: what stands beside an event ------------------------------------- */

static void annotate(struct vt_buf *out, unsigned field, enum annotation name, unsigned type,
                     uint64_t value)
{
    size_t begun = vt_pb_begin(out, field);
    vt_pb_number(out, ANNOTATION_NAME_IID, name);
    vt_pb_number(out, type, value);
    vt_pb_end(out, begun);
}

/* A change as a dictionary; strings are interned before, as packets must not be nested. */
struct told_change {
    const struct vt_change *change;
    uint64_t op, perm, was, kind, was_kind, object;
};

static struct told_change intern_change(struct perfetto *p, const struct vt_change *change)
{
    char text[5], op[2] = {(char)change->op, '\0'};
    struct told_change told = {.change = change};
    const struct vt_region *before = change->op != VT_CHANGE_MADE ? &change->before : NULL;
    const struct vt_region *after = change->op != VT_CHANGE_GONE ? &change->after : NULL;
    const struct vt_object *object = (after ? after : before)->object;
    told.op = string(p, op);
    if (after) {
        told.perm = string(p, vt_prot_text(after->prot, after->flags, text));
        told.kind = string(p, vt_kind_name(after->kind));
    }
    if (before) {
        told.was = string(p, vt_prot_text(before->prot, before->flags, text));
        told.was_kind = string(p, vt_kind_name(before->kind));
    }
    if (object)
        told.object = string(p, object->name);
    return told;
}

static void put_change(struct vt_buf *out, const struct told_change *told)
{
    const struct vt_change *change = told->change;
    const struct vt_region *region = change->op != VT_CHANGE_GONE ? &change->after
                                                                  : &change->before;
    const struct {
        enum annotation name;
        uint64_t iid;
    } strings[] = {{A_op, told->op},     {A_perm, told->perm},         {A_was, told->was},
                   {A_kind, told->kind}, {A_was_kind, told->was_kind}, {A_object, told->object}};
    size_t value = vt_pb_begin(out, ANNOTATION_ARRAY);
    for (size_t i = 0; i < VT_COUNTOF(strings); i++)
        if (strings[i].iid)
            annotate(out, ANNOTATION_DICT, strings[i].name, ANNOTATION_STRING_IID, strings[i].iid);
    annotate(out, ANNOTATION_DICT, A_start, ANNOTATION_POINTER, change->start);
    annotate(out, ANNOTATION_DICT, A_end, ANNOTATION_POINTER, change->end);
    annotate(out, ANNOTATION_DICT, A_size, ANNOTATION_UINT, change->end - change->start);
    if (region->object && region->object->type == VT_OBJECT_FILE)
        annotate(out, ANNOTATION_DICT, A_offset, ANNOTATION_UINT, region->offset);
    if (change->op == VT_CHANGE_MOVED) {
        annotate(out, ANNOTATION_DICT, A_from, ANNOTATION_POINTER, change->before.start);
        annotate(out, ANNOTATION_DICT, A_source_stays, ANNOTATION_BOOL, change->source_stays);
    }
    vt_pb_end(out, value);
}

/* ---- tracks ---------------------------------------------------------------------- */

static struct process **place_of(struct perfetto *p, pid_t pid)
{
    struct process **at = &p->processes[(unsigned)pid % BUCKETS];
    while (*at && (*at)->pid != pid)
        at = &(*at)->next;
    return at;
}

static void let_go(struct process *process)
{
    if (--process->holders)
        return;
    for (size_t i = 0; i < VT_COUNTOF(process->lanes); i++)
        free(process->lanes[i].tracks);
    free(process);
}

/* The descriptor of a process track, for the first time, or when the name is known. */
static void tell_process(struct perfetto *p, const struct process *process, const char *name)
{
    struct vt_buf *out = &p->sink->out;
    size_t packet = begin_packet(p, FLAG_NEEDS_STATE);
    size_t track = vt_pb_begin(out, PACKET_TRACK);
    vt_pb_number(out, TRACK_UUID, process->track);
    size_t inner = vt_pb_begin(out, TRACK_PROCESS);
    vt_pb_number(out, PROCESS_PID, (uint64_t)process->pid);
    if (name) {
        vt_buf_add(out, p->command.data, p->command.length);
        vt_buf_clear(&p->command);
        vt_pb_string(out, PROCESS_NAME, clean(p, name));
    }
    vt_pb_end(out, inner);
    vt_pb_end(out, track);
    end_packet(p, packet);
}

static struct process *want_process(struct perfetto *p, pid_t pid)
{
    struct process **at = place_of(p, pid);
    if (*at)
        return *at;
    struct process *process = calloc(1, sizeof(*process));
    if (!process)
        return NULL;
    process->pid = pid;
    process->holders = 1;
    process->track = ++p->tracks;
    tell_process(p, process, NULL);
    return *at = process;
}

/* A track below a process: a counter's or a lifetime's. */
static uint64_t new_track(struct perfetto *p, const struct process *process, const char *name,
                          bool counter)
{
    struct vt_buf *out = &p->sink->out;
    size_t packet = begin_packet(p, FLAG_NEEDS_STATE);
    size_t track = vt_pb_begin(out, PACKET_TRACK);
    vt_pb_number(out, TRACK_UUID, ++p->tracks);
    vt_pb_number(out, TRACK_PARENT, process->track);
    vt_pb_string(out, TRACK_NAME, name);
    if (counter) {
        size_t inner = vt_pb_begin(out, TRACK_COUNTER);
        vt_pb_number(out, COUNTER_UNIT, UNIT_BYTES);
        vt_pb_end(out, inner);
    }
    vt_pb_end(out, track);
    end_packet(p, packet);
    return p->tracks;
}

/* The thread's track; 0: out of memory. A thread id that was another process's is a new thread. */
static uint64_t want_thread(struct perfetto *p, const struct process *process, pid_t tid)
{
    struct thread **at = &p->threads[(unsigned)tid % BUCKETS];
    while (*at && ((*at)->tid != tid || (*at)->pid != process->pid))
        at = &(*at)->next;
    if (*at && (*at)->process_track == process->track)
        return (*at)->track;
    if (!*at && !(*at = calloc(1, sizeof(**at))))
        return 0;
    struct thread *thread = *at;
    thread->pid = process->pid;
    thread->tid = tid;
    thread->process_track = process->track;
    thread->track = ++p->tracks;

    struct vt_buf *out = &p->sink->out;
    size_t packet = begin_packet(p, FLAG_NEEDS_STATE);
    size_t track = vt_pb_begin(out, PACKET_TRACK);
    vt_pb_number(out, TRACK_UUID, thread->track);
    vt_pb_number(out, TRACK_PARENT, process->track);
    size_t inner = vt_pb_begin(out, TRACK_THREAD);
    vt_pb_number(out, THREAD_PID, (uint64_t)process->pid);
    vt_pb_number(out, THREAD_TID, (uint64_t)tid);
    vt_pb_end(out, inner);
    vt_pb_end(out, track);
    end_packet(p, packet);
    return thread->track;
}

/* ---- counters -------------------------------------------------------------------- */

static void tell_counter(struct perfetto *p, const struct process *process, uint64_t *track,
                         const char *name, uint64_t *told, uint64_t value)
{
    struct vt_buf *out = &p->sink->out;
    if (*track ? *told == value : !value)
        return;
    if (!*track)
        *track = new_track(p, process, name, true);
    *told = value;
    size_t packet = begin_packet(p, FLAG_NEEDS_STATE);
    size_t event = vt_pb_begin(out, PACKET_TRACK_EVENT);
    vt_pb_number(out, EVENT_TYPE, TYPE_COUNTER);
    vt_pb_number(out, EVENT_TRACK, *track);
    vt_pb_number(out, EVENT_COUNTER, value);
    vt_pb_end(out, event);
    end_packet(p, packet);
}

static void tell_counters(struct perfetto *p, struct process *process, uint64_t mapped)
{
    tell_counter(p, process, &process->mapped_track, "mapped", &process->mapped, mapped);
    for (unsigned kind = 0; kind < VT_KIND_COUNT; kind++) {
        char name[40] = "mapped: ";
        strcat(name, vt_kind_name(kind)); /* the longest is "thread-stack" */
        tell_counter(p, process, &process->kind_tracks[kind], name, &process->told[kind],
                     process->now[kind]);
    }
}

/* ---- lifetimes ------------------------------------------------------------------- */

static struct process *owner_of(struct perfetto *p, struct vt_mapped *space)
{
    if (space->own)
        return space->own;
    struct process *process = want_process(p, space->pid);
    if (process)
        process->holders++;
    return space->own = process;
}

static void begin_slice(struct perfetto *p, struct process *process, struct vt_tile *tile)
{
    struct lanes *lanes = &process->lanes[tile->kind];
    struct vt_buf *out = &p->sink->out;
    const char *object = vt_names_text(&p->spaces.names, tile->object);
    char text[5];
    uint64_t name = event_name(p, *object ? vt_file_name(object) : vt_kind_name(tile->kind));
    uint64_t perm = string(p, vt_prot_text(tile->prot, tile->flags, text));
    uint64_t path = *object ? string(p, object) : 0;
    tile->row = (int64_t)(lanes->count ? lanes->tracks[--lanes->count]
                                       : new_track(p, process, vt_kind_name(tile->kind), false));
    size_t packet = begin_packet(p, FLAG_NEEDS_STATE);
    size_t event = vt_pb_begin(out, PACKET_TRACK_EVENT);
    vt_pb_number(out, EVENT_TYPE, TYPE_BEGIN);
    vt_pb_number(out, EVENT_TRACK, (uint64_t)tile->row);
    vt_pb_number(out, EVENT_CATEGORY_IID, CATEGORY_MEMORY);
    vt_pb_number(out, EVENT_NAME_IID, name);
    annotate(out, EVENT_ANNOTATION, A_start, ANNOTATION_POINTER, tile->start);
    annotate(out, EVENT_ANNOTATION, A_end, ANNOTATION_POINTER, tile->end);
    annotate(out, EVENT_ANNOTATION, A_size, ANNOTATION_UINT, tile->end - tile->start);
    annotate(out, EVENT_ANNOTATION, A_perm, ANNOTATION_STRING_IID, perm);
    if (path)
        annotate(out, EVENT_ANNOTATION, A_object, ANNOTATION_STRING_IID, path);
    if (tile->is_file)
        annotate(out, EVENT_ANNOTATION, A_offset, ANNOTATION_UINT, tile->offset);
    annotate(out, EVENT_ANNOTATION, A_seq, ANNOTATION_UINT, p->event->seq);
    vt_pb_end(out, event);
    end_packet(p, packet);
}

static void end_slice(struct perfetto *p, struct process *process, uint8_t kind, uint64_t track)
{
    struct lanes *lanes = &process->lanes[kind];
    struct vt_buf *out = &p->sink->out;
    size_t packet = begin_packet(p, FLAG_NEEDS_STATE);
    size_t event = vt_pb_begin(out, PACKET_TRACK_EVENT);
    vt_pb_number(out, EVENT_TYPE, TYPE_END);
    vt_pb_number(out, EVENT_TRACK, track);
    vt_pb_end(out, event);
    end_packet(p, packet);
    if (vt_reserve((void **)&lanes->tracks, &lanes->capacity, lanes->count + 1,
                   sizeof(*lanes->tracks)))
        p->failed = true;
    else
        lanes->tracks[lanes->count++] = track;
}

static int take(void *context, struct vt_mapped *space, struct vt_tile *tile,
                enum vt_arrival arrival)
{
    struct process *process = owner_of(context, space);
    (void)arrival;
    if (!process)
        return -ENOMEM;
    process->now[tile->kind] += tile->end - tile->start;
    tile->row = 0; /* its slice is to begin */
    return 0;
}

static void drop(void *context, struct vt_mapped *space, const struct vt_tile *tile)
{
    struct process *process = space->own;
    process->now[tile->kind] -= tile->end - tile->start;
    if (tile->row)
        end_slice(context, process, tile->kind, (uint64_t)tile->row);
}

static void leave(void *context, struct vt_mapped *space)
{
    (void)context;
    if (space->own)
        let_go(space->own);
}

/* Begin the slices of what is there since this event, and begin anew those of what was cut. */
static void tell_lifetimes(struct perfetto *p, struct vt_mapped *space)
{
    struct vt_tile *tile;
    while (space && (tile = space->tiles.stale)) {
        if (tile->row)
            end_slice(p, space->own, tile->kind, (uint64_t)tile->row);
        begin_slice(p, space->own, tile);
        vt_tiles_mark_stored(&space->tiles, tile);
    }
}

/* ---- events ---------------------------------------------------------------------- */

static void tell_event(struct perfetto *p, const struct vt_event *event, uint64_t track)
{
    struct told_change told[CHANGES_SHOWN];
    struct vt_buf *out = &p->sink->out;
    size_t shown = vt_min(event->change_count, CHANGES_SHOWN);
    const struct vt_call *call = event->call;
    uint64_t name = event_name(p, vt_event_cause_name(event)), error = 0;
    uint64_t note = event->note ? string(p, event->note) : 0;
    uint64_t stack = event->stack ? stack_string(p, event->stack) : 0;
    for (size_t i = 0; i < shown; i++)
        told[i] = intern_change(p, &event->changes[i]);
    if (call && call->failed) {
        struct vt_buf word = {0};
        vt_add_errno(&word, call->error);
        error = string(p, vt_buf_cstr(&word));
        p->failed |= word.failed;
        vt_buf_deinit(&word);
    }

    size_t packet = begin_packet(p, FLAG_NEEDS_STATE);
    size_t begun = vt_pb_begin(out, PACKET_TRACK_EVENT);
    vt_pb_number(out, EVENT_TYPE, TYPE_INSTANT);
    vt_pb_number(out, EVENT_TRACK, track);
    vt_pb_number(out, EVENT_CATEGORY_IID, CATEGORY_EVENT);
    vt_pb_number(out, EVENT_NAME_IID, name);
    annotate(out, EVENT_ANNOTATION, A_seq, ANNOTATION_UINT, event->seq);
    if (error)
        annotate(out, EVENT_ANNOTATION, A_error, ANNOTATION_STRING_IID, error);
    else if (call)
        annotate(out, EVENT_ANNOTATION, A_result, ANNOTATION_INT, (uint64_t)call->result);
    if (event->uncertain)
        annotate(out, EVENT_ANNOTATION, A_uncertain, ANNOTATION_BOOL, 1);
    if (note)
        annotate(out, EVENT_ANNOTATION, A_note, ANNOTATION_STRING_IID, note);
    if (stack)
        annotate(out, EVENT_ANNOTATION, A_stack, ANNOTATION_STRING_IID, stack);
    if (shown) {
        size_t changes = vt_pb_begin(out, EVENT_ANNOTATION);
        vt_pb_number(out, ANNOTATION_NAME_IID, A_changes);
        for (size_t i = 0; i < shown; i++)
            put_change(out, &told[i]);
        vt_pb_end(out, changes);
    }
    if (shown < event->change_count)
        annotate(out, EVENT_ANNOTATION, A_changes_left_out, ANNOTATION_UINT,
                 event->change_count - shown);
    vt_pb_end(out, begun);
    end_packet(p, packet);
}

/* Name a process as soon as it is known what it runs. */
static void name_process(struct perfetto *p, struct process *process, const struct vt_event *event)
{
    const char *path = event->exec ? event->exec->path : event->exit ? event->exit->name : NULL;
    if (!path || !*path || process->named)
        return;
    process->named = true;
    tell_process(p, process, vt_base_name(path));
}

static void forget_process(struct perfetto *p, pid_t pid)
{
    struct process **at = place_of(p, pid), *process = *at;
    if (!process)
        return;
    *at = process->next;
    let_go(process);
}

/* ---- the sink -------------------------------------------------------------------- */

static int fail(const struct vt_sink *sink, struct vt_error *err)
{
    return vt_error_errno(err, ENOMEM, "cannot write %s", sink->target);
}

static void put_clock(struct vt_buf *out, uint64_t id, uint64_t time)
{
    size_t clock = vt_pb_begin(out, SNAPSHOT_CLOCK);
    vt_pb_number(out, CLOCK_ID, id);
    vt_pb_number(out, CLOCK_TIME, time);
    vt_pb_end(out, clock);
}

static int perfetto_begin(struct vt_sink *sink, const struct vt_run *run, struct vt_error *err)
{
    static const struct vt_watcher watcher = {.take = take, .drop = drop, .leave = leave};
    struct perfetto *p = sink->state;
    struct vt_buf *out = &sink->out;
    (void)err;
    p->sink = sink;
    p->spaces.watcher = &watcher;
    p->spaces.context = p;
    for (char *const *arg = run->command; arg && *arg; arg++)
        vt_pb_string(&p->command, PROCESS_CMDLINE, clean(p, *arg));
    p->failed |= p->command.failed;

    size_t packet = begin_packet(p, FLAG_CLEARED);
    vt_pb_number(out, PACKET_FIRST, 1);
    size_t snapshot = vt_pb_begin(out, PACKET_CLOCK_SNAPSHOT);
    put_clock(out, CLOCK_OF_BOOT, 0);
    put_clock(out, CLOCK_OF_REAL_TIME, (uint64_t)run->start_unix_ns);
    vt_pb_end(out, snapshot);
    size_t data = vt_pb_begin(out, PACKET_INTERNED_DATA);
    for (size_t i = 0; i < VT_COUNTOF(categories); i++)
        put_entry(out, INTERNED_CATEGORY, i + 1, categories[i], strlen(categories[i]));
    for (size_t i = 0; i < VT_COUNTOF(annotation_names); i++)
        put_entry(out, INTERNED_ANNOTATION_NAME, i + 1, annotation_names[i],
                  strlen(annotation_names[i]));
    vt_pb_end(out, data);
    end_packet(p, packet);
    return 0;
}

static int perfetto_event(struct vt_sink *sink, const struct vt_event *event, struct vt_error *err)
{
    struct perfetto *p = sink->state;
    uint32_t left = event->exec ? event->exec->left_space : 0;
    p->event = event;
    if (event->time_ns > 0)
        p->now = vt_max(p->now, (uint64_t)event->time_ns);
    struct process *process = want_process(p, event->pid);
    if (!process)
        return fail(sink, err);
    name_process(p, process, event);
    uint64_t track = want_thread(p, process, event->tid);
    if (!track)
        return fail(sink, err);
    tell_event(p, event, track);

    /* Whose memory it is: an exit may end the space. */
    struct vt_mapped *space = vt_spaces_find(&p->spaces, event->space);
    struct process *owner = space && space->own ? space->own : NULL;
    if (owner)
        owner->holders++;
    int rc = vt_spaces_event(&p->spaces, event);
    if (!rc) {
        space = vt_spaces_find(&p->spaces, event->space);
        tell_lifetimes(p, space);
        tell_lifetimes(p, left ? vt_spaces_find(&p->spaces, left) : NULL);
        struct process *of = space && space->own ? space->own : owner;
        if (of)
            tell_counters(p, of, event->mapped_bytes);
    }
    if (owner)
        let_go(owner);
    if (event->exit)
        forget_process(p, event->pid);
    return rc || p->failed ? fail(sink, err) : 0;
}

/* What is still mapped lasts to the end. */
static int perfetto_end(struct vt_sink *sink, const struct vt_summary *summary,
                        struct vt_error *err)
{
    struct perfetto *p = sink->state;
    if (summary->duration_ns > 0)
        p->now = vt_max(p->now, (uint64_t)summary->duration_ns);
    for (size_t i = 0; i < VT_SPACE_BUCKETS; i++)
        for (struct vt_mapped *space = p->spaces.buckets[i]; space; space = space->next)
            for (struct vt_tile *tile = vt_tiles_at_or_above(&space->tiles, 0); tile;
                 tile = vt_tiles_next(tile))
                end_slice(p, space->own, tile->kind, (uint64_t)tile->row);
    return p->failed ? fail(sink, err) : 0;
}

static void perfetto_destroy(struct vt_sink *sink)
{
    struct perfetto *p = sink->state;
    if (p->spaces.watcher)
        vt_spaces_deinit(&p->spaces);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct process *next, *process = p->processes[i]; process; process = next) {
            next = process->next;
            let_go(process);
        }
        for (struct thread *next, *thread = p->threads[i]; thread; thread = next) {
            next = thread->next;
            free(thread);
        }
    }
    vt_names_deinit(&p->event_names);
    vt_names_deinit(&p->strings);
    vt_buf_deinit(&p->text);
    vt_buf_deinit(&p->command);
}

const struct vt_sink_ops vt_perfetto_ops = {
    .endings = (const char *const[]){".pftrace", ".perfetto-trace", NULL},
    .state_size = sizeof(struct perfetto),
    .begin = perfetto_begin,
    .event = perfetto_event,
    .end = perfetto_end,
    .destroy = perfetto_destroy,
};
