/*
 * tables.c - hides how all tables but events and regions are kept in memory,
 * where they refer to each other by pointers.
 *
 * Invariants: what is numbered without holes is found by its number; objects,
 * frames and stacks ascend by id; nothing moves once all is loaded.
 */
#include "recording/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "recording/words.h"

/* By id among items that ascend by it. */
static void *find(const void *items, size_t count, size_t size, uint64_t id,
                  uint64_t (*id_of)(const void *item))
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (id_of((const char *)items + middle * size) < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count)
        return NULL;
    const char *found = (const char *)items + low * size;
    return id_of(found) == id ? (void *)found : NULL;
}

static uint64_t object_id(const void *object)
{
    return ((const struct vt_object *)object)->id;
}

static uint64_t frame_id(const void *frame)
{
    return ((const struct vt_frame *)frame)->id;
}

static uint64_t stack_id(const void *stack)
{
    return ((const struct vt_stack *)stack)->id;
}

static uint64_t build_id_object(const void *row)
{
    return ((const struct vt_build_id_row *)row)->object;
}

const struct vt_object *vt_reader_object(const struct vt_recording *r, uint32_t id, bool *bad)
{
    if (!id)
        return NULL;
    if (id <= r->object_count && r->objects[id - 1].id == id)
        return &r->objects[id - 1]; /* as it is where nothing was left out */
    const struct vt_object *object =
        find(r->objects, r->object_count, sizeof(*r->objects), id, object_id);
    *bad |= !object;
    return object;
}

const struct vt_object *vt_reader_row_object(const struct vt_recording *r, struct vt_row *row,
                                             int column)
{
    uint64_t id;
    if (!vt_row_known(row, column, INT32_MAX, &id))
        return NULL;
    const struct vt_object *object = vt_reader_object(r, (uint32_t)id, &row->bad);
    row->bad |= !object;
    return object;
}

/* ---- the small tables -------------------------------------------------------------- */

/*
 * Make room for one more row at the end of an array, zeroed. Its capacity is
 * the power of two at or above the count, 16 at least.
 */
static void *add_row(struct vt_row *row, void **items, size_t *count, size_t size)
{
    if (!*count || (*count >= 16 && !(*count & (*count - 1)))) {
        void *grown = realloc(*items, (*count ? *count * 2 : 16) * size);
        if (!grown) {
            row->bad = true;
            return NULL;
        }
        *items = grown;
    }
    return memset((char *)*items + (*count)++ * size, 0, size);
}

/* The same for a table whose ids count from 1 without holes: column 0 must be the next. */
static void *add_numbered(struct vt_row *row, void **items, size_t *count, size_t size)
{
    uint64_t id = vt_row_uint(row, 0, INT32_MAX);
    row->bad |= id != *count + 1;
    return row->bad ? NULL : add_row(row, items, count, size);
}

static void load_argument(struct vt_recording *r, struct vt_row *row)
{
    size_t count = 0;
    uint64_t position = vt_row_uint(row, 0, INT32_MAX);
    while (r->info.run.command && r->info.run.command[count])
        count++;
    const char *text = vt_row_name(row, 1);
    char **grown = row->bad || position != count || !text
                       ? NULL
                       : realloc((void *)r->info.run.command, (count + 2) * sizeof(char *));
    if (!grown) {
        row->bad = true;
        return;
    }
    grown[count] = (char *)text;
    grown[count + 1] = NULL;
    r->info.run.command = grown;
}

static void load_run(struct vt_recording *r, struct vt_row *row)
{
    struct vt_recording_info *info = &r->info;
    struct vt_summary *summary = &info->summary;
    info->run.version = vt_row_name(row, 0);
    info->run.kernel = vt_row_name(row, 1);
    info->run.machine = vt_row_name(row, 2);
    info->run.page_size = vt_row_uint(row, 3, UINT64_C(1) << 30);
    info->run.aslr = vt_row_null(row, 4) ? -1 : (int)vt_row_int(row, 4, 0, 100);
    info->run.aslr_disabled = vt_row_uint(row, 5, 1);
    info->max_map_count = vt_row_null(row, 6) ? -1 : vt_row_int(row, 6, 0, INT64_MAX);
    info->run.start_unix_ns = (int64_t)vt_row_bits(row, 7);
    info->run.verify = vt_row_uint(row, 8, 1);
    info->run.multiple = vt_row_uint(row, 9, 1);
    info->partial = vt_row_uint(row, 10, 1);
    info->complete = vt_row_uint(row, 11, 1);
    row->bad |= !info->run.version || !info->run.kernel || !info->run.machine ||
                !info->run.page_size || (info->run.page_size & (info->run.page_size - 1));
    if (!info->complete)
        return;
    summary->duration_ns = (int64_t)vt_row_uint(row, 12, VT_TIME_MOST);
    summary->events = vt_row_uint(row, 13, INT64_MAX);
    info->left_out = vt_row_uint(row, 14, INT64_MAX);
    summary->processes = vt_row_uint(row, 15, INT64_MAX);
    summary->threads = vt_row_uint(row, 16, INT64_MAX);
    summary->exactness = (struct vt_exactness){
        .stops = vt_row_uint(row, 17, INT64_MAX),
        .compared = vt_row_uint(row, 18, INT64_MAX),
        .agreed = vt_row_uint(row, 19, INT64_MAX),
        .resyncs = vt_row_uint(row, 20, INT64_MAX),
        .uncertain = vt_row_uint(row, 21, INT64_MAX),
        .lost = vt_row_uint(row, 22, INT64_MAX),
    };
    summary->interrupted = vt_row_name(row, 23);
}

static void load_object(struct vt_recording *r, struct vt_row *row)
{
    uint64_t id = vt_row_uint(row, 0, INT32_MAX);
    row->bad |= !id || (r->object_count && id <= r->objects[r->object_count - 1].id);
    struct vt_object *object =
        row->bad ? NULL : add_row(row, (void **)&r->objects, &r->object_count, sizeof(*r->objects));
    if (!object)
        return;
    const char *type = vt_row_word(row, 1);
    object->id = (uint32_t)id;
    object->type = type && !strcmp(type, "file") ? VT_OBJECT_FILE : VT_OBJECT_SPECIAL;
    object->dev_major = (uint32_t)vt_row_uint(row, 2, UINT32_MAX);
    object->dev_minor = (uint32_t)vt_row_uint(row, 3, UINT32_MAX);
    object->inode = vt_row_bits(row, 4);
    object->page_size = vt_row_uint(row, 5, INT64_MAX);
    object->name = vt_row_name(row, 6);
    row->bad |= !object->name || !type || (strcmp(type, "file") && strcmp(type, "special"));
}

static void load_call(struct vt_recording *r, struct vt_row *row)
{
    struct vt_call_row *call =
        add_numbered(row, (void **)&r->calls, &r->call_count, sizeof(*r->calls));
    if (!call)
        return;
    const char *abi = vt_row_word(row, 2);
    call->call.name = vt_row_word(row, 1);
    call->call.abi = VT_ABI_COUNT;
    for (int i = 0; abi && i < VT_ABI_COUNT; i++)
        if (!strcmp(abi, vt_abi_name((enum vt_abi)i)))
            call->call.abi = (enum vt_abi)i;
    call->call.number = vt_row_bits(row, 3);
    call->call.arg_count = (unsigned)vt_row_uint(row, 4, 6);
    for (int i = 0; i < 6; i++)
        call->names[i] = vt_row_word(row, 5 + i);
    row->bad |= !call->call.name || call->call.abi == VT_ABI_COUNT;
}

static void load_image(struct vt_recording *r, struct vt_row *row)
{
    struct vt_image_row *image =
        add_numbered(row, (void **)&r->images, &r->image_count, sizeof(*r->images));
    if (!image)
        return;
    image->space = (uint32_t)vt_row_uint(row, 1, UINT32_MAX);
    image->object = (uint32_t)vt_row_uint(row, 2, INT32_MAX);
    image->bias = vt_row_bits(row, 3);
    row->bad |= !vt_reader_object(r, image->object, &row->bad);
}

static void load_thread(struct vt_recording *r, struct vt_row *row)
{
    struct vt_thread_row *thread =
        add_numbered(row, (void **)&r->threads, &r->thread_count, sizeof(*r->threads));
    if (!thread)
        return;
    thread->process = (uint32_t)vt_row_uint(row, 1, INT32_MAX);
    thread->tid = (pid_t)vt_row_uint(row, 2, INT32_MAX);
    row->bad |= !thread->process || thread->process > r->process_count;
}

static void load_process(struct vt_recording *r, struct vt_row *row)
{
    struct vt_recorded_process *p =
        add_numbered(row, (void **)&r->processes, &r->process_count, sizeof(*r->processes));
    if (!p)
        return;
    p->id = (uint32_t)r->process_count;
    p->pid = (pid_t)vt_row_uint(row, 1, INT32_MAX);
    p->first_event = vt_row_uint(row, 2, INT64_MAX);
    p->name = p->path = "";
    if (vt_row_null(row, 3))
        return;
    p->end_event = vt_row_uint(row, 3, INT64_MAX);
    const char *ended = vt_row_word(row, 4);
    p->detached = ended && !strcmp(ended, "detach");
    p->wait_status = (int)vt_row_int(row, 5, INT32_MIN, INT32_MAX);
    p->lifetime_ns = vt_row_int(row, 6, 0, VT_TIME_MOST);
    const char *name = vt_row_name(row, 7);
    p->name = name ? name : "";
    p->root = vt_row_uint(row, 8, 1);
    p->has_totals = !vt_row_null(row, 9);
    struct vt_process_totals *t = &p->totals;
    t->bytes = vt_row_bits(row, 9);
    t->peak_bytes = vt_row_bits(row, 10);
    t->usable_peak_bytes = vt_row_bits(row, 11);
    t->events = vt_row_bits(row, 12);
    t->sp_first = vt_row_bits(row, 13);
    t->sp_lowest = vt_row_bits(row, 14);
    t->stack_low = vt_row_bits(row, 15);
    t->stack_high = vt_row_bits(row, 16);
    p->exactness = (struct vt_exactness){
        .stops = vt_row_bits(row, 17),
        .compared = vt_row_bits(row, 18),
        .agreed = vt_row_bits(row, 19),
        .resyncs = vt_row_bits(row, 20),
        .uncertain = vt_row_bits(row, 21),
        .lost = vt_row_bits(row, 22),
    };
}

static struct vt_recorded_process *process_of(struct vt_recording *r, struct vt_row *row,
                                              int column)
{
    uint64_t id = vt_row_uint(row, column, INT32_MAX);
    if (!id || id > r->process_count) {
        row->bad = true;
        return NULL;
    }
    return &r->processes[id - 1];
}

static void load_totals(struct vt_recording *r, struct vt_row *row)
{
    struct vt_recorded_process *p = process_of(r, row, 0);
    uint8_t kind = vt_row_kind(row, 1);
    if (row->bad)
        return;
    p->totals.kinds[kind] = (struct vt_kind_totals){
        .regions = vt_row_bits(row, 2),
        .bytes = vt_row_bits(row, 3),
        .peak_bytes = vt_row_bits(row, 4),
        .made_count = vt_row_bits(row, 5),
        .made_bytes = vt_row_bits(row, 6),
        .gone_count = vt_row_bits(row, 7),
        .gone_bytes = vt_row_bits(row, 8),
    };
}

static void load_stack_use(struct vt_recording *r, struct vt_row *row)
{
    struct vt_recorded_process *p = process_of(r, row, 0);
    if (!p || vt_row_uint(row, 1, VT_STACK_USES - 1) != p->stack_count)
        row->bad = true;
    if (row->bad)
        return;
    p->stacks[p->stack_count++] = (struct vt_stack_use){
        .tid = (pid_t)vt_row_uint(row, 2, INT32_MAX),
        .main = vt_row_uint(row, 3, 1),
        .low = vt_row_bits(row, 4),
        .high = vt_row_bits(row, 5),
        .floor = vt_row_bits(row, 6),
        .sp_lowest = vt_row_bits(row, 7),
    };
}

static void load_program(struct vt_recording *r, struct vt_row *row)
{
    struct vt_recorded_process *p = process_of(r, row, 0);
    const char *path = vt_row_name(row, 1), *type = vt_row_word(row, 2);
    if (row->bad || !type)
        return;
    const char *slash = path ? strrchr(path, '/') : NULL;
    p->path = path ? path : "";
    if (!p->end_event) /* the exit would have told its name */
        p->name = slash ? slash + 1 : p->path;
    p->type = vt_word_program_parse(type);
    p->class_bits = (unsigned)vt_row_uint(row, 3, 64);
}

static void load_tenure(struct vt_recording *r, struct vt_row *row)
{
    struct vt_tenure tenure = {
        .process = (uint32_t)vt_row_uint(row, 0, INT32_MAX),
        .space = (uint32_t)vt_row_uint(row, 1, UINT32_MAX),
        .from_event = vt_row_uint(row, 2, INT64_MAX),
        .to_event = vt_row_null(row, 3) ? UINT64_MAX : vt_row_uint(row, 3, INT64_MAX),
    };
    struct vt_tenure *added =
        row->bad ? NULL : add_row(row, (void **)&r->tenures, &r->tenure_count, sizeof(*r->tenures));
    if (added)
        *added = tenure;
}

static void load_part(struct vt_recording *r, struct vt_row *row)
{
    struct vt_part part;
    uint32_t object = (uint32_t)vt_row_uint(row, 0, INT32_MAX);
    size_t had = r->part_count;
    struct vt_part *added;
    uint32_t *owner;
    part.start = vt_row_bits(row, 1);
    part.end = vt_row_bits(row, 2);
    part.kind = vt_row_kind(row, 3);
    if (row->bad ||
        !(added = add_row(row, (void **)&r->parts, &r->part_count, sizeof(*r->parts))) ||
        !(owner = add_row(row, (void **)&r->part_objects, &had, sizeof(*r->part_objects))))
        return;
    *added = part;
    *owner = object;
}

static void load_build_id(struct vt_recording *r, struct vt_row *row)
{
    struct vt_build_id_row made = {.object = (uint32_t)vt_row_uint(row, 0, INT32_MAX)};
    made.id.length = vt_row_bytes(row, 1, made.id.bytes, sizeof(made.id.bytes));
    row->bad |= !vt_reader_object(r, made.object, &row->bad) ||
                (r->build_id_count && made.object <= r->build_ids[r->build_id_count - 1].object);
    struct vt_build_id_row *added =
        row->bad ? NULL
                 : add_row(row, (void **)&r->build_ids, &r->build_id_count, sizeof(*r->build_ids));
    if (added)
        *added = made;
}

/* Of an object that may be null. */
static const struct vt_build_id *build_id_of(const struct vt_recording *r,
                                             const struct vt_object *object)
{
    if (!object)
        return NULL;
    const struct vt_build_id_row *row =
        find(r->build_ids, r->build_id_count, sizeof(*r->build_ids), object->id, build_id_object);
    return row ? &row->id : NULL;
}

static void load_frame(struct vt_recording *r, struct vt_row *row)
{
    uint64_t id = vt_row_uint(row, 0, INT64_MAX);
    row->bad |= !id || (r->frame_count && id <= r->frames[r->frame_count - 1].id);
    struct vt_frame *frame =
        row->bad ? NULL : add_row(row, (void **)&r->frames, &r->frame_count, sizeof(*r->frames));
    if (!frame)
        return;
    frame->id = id;
    frame->object = vt_reader_row_object(r, row, 1);
    frame->address = vt_row_bits(row, 2);
    frame->interrupted = vt_row_uint(row, 3, 1);
    frame->function = vt_row_word(row, 4);
    frame->offset = vt_row_bits(row, 5);
    frame->file = vt_row_word(row, 6);
    frame->line = (unsigned)vt_row_uint(row, 7, UINT32_MAX);
    frame->build_id = build_id_of(r, frame->object);
}

static struct vt_frame *find_frame(const struct vt_recording *r, uint64_t id)
{
    return find(r->frames, r->frame_count, sizeof(*r->frames), id, frame_id);
}

static struct vt_stack *find_stack(const struct vt_recording *r, uint64_t id)
{
    return find(r->stacks, r->stack_count, sizeof(*r->stacks), id, stack_id);
}

/*
 * Rows of a frame or stack follow each other, and the array that they are in
 * may still move: until all are there, `inlined` and `frames` are not set, only
 * counted. See join_stacks().
 */
static void load_inlined(struct vt_recording *r, struct vt_row *row)
{
    struct vt_frame *frame = find_frame(r, vt_row_uint(row, 0, INT64_MAX));
    row->bad |= !frame || vt_row_uint(row, 1, INT32_MAX) != (frame ? frame->inlined_count : 0);
    struct vt_inlined *inlined =
        row->bad ? NULL
                 : add_row(row, (void **)&r->inlined, &r->inlined_count, sizeof(*r->inlined));
    if (!inlined)
        return;
    inlined->function = vt_row_word(row, 2);
    inlined->file = vt_row_word(row, 3);
    inlined->line = (unsigned)vt_row_uint(row, 4, UINT32_MAX);
    frame->inlined_count++;
}

static void load_stack(struct vt_recording *r, struct vt_row *row)
{
    uint64_t id = vt_row_uint(row, 0, INT64_MAX);
    const char *end = vt_row_word(row, 1);
    row->bad |= !id || !end || (r->stack_count && id <= r->stacks[r->stack_count - 1].id);
    struct vt_stack *stack =
        row->bad ? NULL : add_row(row, (void **)&r->stacks, &r->stack_count, sizeof(*r->stacks));
    if (!stack)
        return;
    stack->id = id;
    stack->end = VT_STACK_UNSUPPORTED;
    for (int i = 0; i < VT_STACK_END_COUNT; i++)
        if (!strcmp(end, vt_stack_end_name((enum vt_stack_end)i)))
            stack->end = (enum vt_stack_end)i;
}

const struct vt_stack *vt_reader_stack(const struct vt_recording *r, uint64_t id)
{
    return find_stack(r, id);
}

static void load_stack_frame(struct vt_recording *r, struct vt_row *row)
{
    struct vt_stack *stack = find_stack(r, vt_row_uint(row, 0, INT64_MAX));
    const struct vt_frame *frame = find_frame(r, vt_row_uint(row, 2, INT64_MAX));
    row->bad |= !stack || !frame ||
                vt_row_uint(row, 1, VT_STACK_MAX) != (stack ? stack->frame_count : 0);
    const struct vt_frame **added =
        row->bad ? NULL
                 : add_row(row, (void **)&r->stack_frames, &r->stack_frame_count, sizeof(*added));
    if (!added)
        return;
    *added = frame;
    stack->frame_count++;
}

/* Rows came by stack and by frame, so that each has its own behind each other. */
static void join_stacks(struct vt_recording *r)
{
    size_t at = 0;
    for (size_t i = 0; i < r->frame_count; at += r->frames[i++].inlined_count)
        r->frames[i].inlined = r->inlined ? r->inlined + at : NULL;
    at = 0;
    for (size_t i = 0; i < r->stack_count; at += r->stacks[i++].frame_count)
        r->stacks[i].frames = r->stack_frames ? r->stack_frames + at : NULL;
}

/* Counting takes a walk through all pages; the end of a whole recording tells it. */
static void load_last(struct vt_recording *r, struct vt_row *row)
{
    struct vt_recording_info *info = &r->info;
    uint64_t last;
    if (info->complete) {
        info->events = info->summary.events - vt_min(info->left_out, info->summary.events);
        return;
    }
    info->events = vt_row_uint(row, 0, INT64_MAX);
    if (!vt_row_known(row, 1, INT64_MAX, &last))
        return;
    info->summary.events = last;
    info->summary.duration_ns = vt_row_int(row, 2, 0, VT_TIME_MOST);
}

/* What is loaded at once, in this order: later ones refer to earlier ones. */
static const struct {
    unsigned since; /* the schema version that brought it */
    const char *table;
    const char *sql;
    void (*load)(struct vt_recording *r, struct vt_row *row);
} small_tables[] = {
    {1, "run",
     "SELECT version, kernel, machine, page_size, aslr, aslr_disabled, max_map_count, "
     "start_unix_ns, verify, multiple, partial, complete, duration, events, left_out, processes, "
     "threads, stops, compared, agreed, resyncs, uncertain, lost, interrupted FROM run LIMIT 1",
     load_run},
    {1, "command", "SELECT position, argument FROM command ORDER BY position", load_argument},
    {1, "events",
     "SELECT count(*), max(seq), (SELECT time FROM events ORDER BY seq DESC LIMIT 1) "
     "FROM events",
     load_last},
    {1, "processes",
     "SELECT id, pid, first_event, end_event, ended, wait_status, lifetime, name, root, bytes, "
     "peak_bytes, usable_peak_bytes, events, sp_first, sp_lowest, stack_low, stack_high, stops, "
     "compared, agreed, resyncs, uncertain, lost FROM processes ORDER BY id",
     load_process},
    {1, "kind_totals",
     "SELECT process, kind, regions, bytes, peak_bytes, made_count, made_bytes, gone_count, "
     "gone_bytes FROM kind_totals",
     load_totals},
    {1, "stack_uses",
     "SELECT process, position, tid, main, low, high, floor, sp_lowest FROM stack_uses "
     "ORDER BY process, position",
     load_stack_use},
    {1, "programs", "SELECT process, path, type, class_bits FROM programs ORDER BY event",
     load_program},
    {1, "process_spaces",
     "SELECT process, space, from_event, to_event FROM process_spaces ORDER BY process, from_event",
     load_tenure},
    {1, "threads", "SELECT id, process, tid FROM threads ORDER BY id", load_thread},
    {1, "calls",
     "SELECT id, name, abi, number, arg_count, arg1, arg2, arg3, arg4, arg5, arg6 FROM calls "
     "ORDER BY id",
     load_call},
    {1, "objects",
     "SELECT id, type, dev_major, dev_minor, inode, page_size, name FROM objects ORDER BY id",
     load_object},
    {1, "images", "SELECT id, space, object, bias FROM images ORDER BY id", load_image},
    {1, "parts",
     "SELECT object, start, end, kind FROM parts ORDER BY object, start < 0, start, end, kind",
     load_part},
    {2, "build_ids", "SELECT object, build_id FROM build_ids ORDER BY object", load_build_id},
    {1, "frames",
     "SELECT id, object, address, interrupted, function, offset, file, line FROM frames "
     "ORDER BY id",
     load_frame},
    {1, "inlined",
     "SELECT frame, position, function, file, line FROM inlined ORDER BY frame, position",
     load_inlined},
    {1, "stacks", "SELECT id, end FROM stacks ORDER BY id", load_stack},
    {1, "stack_frames", "SELECT stack, position, frame FROM stack_frames ORDER BY stack, position",
     load_stack_frame},
};

static int load_table(struct vt_recording *r, size_t which, struct vt_error *err)
{
    struct vt_row row = {.text = &r->source.text};
    int rc = vt_source_query(&r->source, small_tables[which].sql, &row.statement, err);
    if (rc)
        return rc;
    while ((rc = vt_source_step(&r->source, row.statement, err)) > 0) {
        small_tables[which].load(r, &row);
        if (row.bad) {
            char where[64];
            sqlite3_snprintf(sizeof(where), where, "table %s", small_tables[which].table);
            rc = vt_source_damaged(&r->source, where, err);
            break;
        }
    }
    sqlite3_finalize(row.statement);
    return rc;
}

int vt_reader_load(struct vt_recording *r, struct vt_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < VT_COUNTOF(small_tables) && !rc; i++)
        if (small_tables[i].since <= r->info.schema)
            rc = load_table(r, i, err);
    if (!rc && !r->info.run.version)
        rc = vt_source_damaged(&r->source, "table run is empty", err);
    if (rc)
        return rc;
    join_stacks(r);
    if (!r->info.complete) {
        r->info.summary.processes = r->process_count;
        r->info.summary.threads = r->thread_count;
    }
    return 0;
}

void vt_reader_unload(struct vt_recording *r)
{
    free((void *)r->info.run.command);
    free(r->objects);
    free(r->calls);
    free(r->images);
    free(r->threads);
    free(r->processes);
    free(r->tenures);
    free(r->parts);
    free(r->part_objects);
    free(r->build_ids);
    free(r->frames);
    free(r->inlined);
    free(r->stacks);
    free(r->stack_frames);
}

/* ---- looking things up ----------------------------------------------------------------- */

uint32_t vt_reader_space_at(const struct vt_recording *r, uint32_t process, uint64_t event)
{
    for (size_t i = 0; i < r->tenure_count; i++) {
        const struct vt_tenure *t = &r->tenures[i];
        if (t->process == process && t->from_event <= event && event < t->to_event)
            return t->space;
    }
    return 0;
}

void vt_reader_parts(const struct vt_recording *r, uint32_t object, vt_addr start, vt_addr end,
                     const struct vt_part **parts, size_t *count)
{
    size_t low = 0, high = r->part_count;
    *parts = NULL;
    *count = 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->part_objects[middle] < object)
            low = middle + 1;
        else
            high = middle;
    }
    /* Parts ascend by their start; those that overlap a range need not follow each other. */
    for (; low < r->part_count && r->part_objects[low] == object; low++) {
        const struct vt_part *part = &r->parts[low];
        if (part->start >= end)
            break;
        if (part->end <= start && !*count)
            continue;
        if (!*count)
            *parts = part;
        *count = (size_t)(part - *parts) + 1;
    }
}
