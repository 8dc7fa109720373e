/*
 * reader.c - hides how an untrusted database is opened and its values are
 * checked; keeps the small tables in memory.
 *
 * What a hostile file could try, and what stands against it: tables that are
 * views or virtual tables or have generated columns (refused: they could run
 * code of the file's own, without an end); trees whose pages lead in circles
 * (rows must come in ascending order, and a statement may not take more steps
 * than the file's size allows); values out of range (every one is checked
 * where it is read, and a row with a bad one is damage); ids that would make
 * huge tables (tables grow by the rows that there are); bytes in names (they
 * stay bytes, and whoever prints them escapes them).
 */
#include "recording/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "recording/words.h"

#define NAME_MOST     (64 * 1024)
#define PROGRESS_STEP 10000
#define TIME_MOST     (INT64_MAX / 4)

/* ---- memory ------------------------------------------------------------------- */

struct vt_arena_block {
    struct vt_arena_block *next;
    size_t size;
    max_align_t bytes[];
};

void *vt_arena_take(struct vt_arena *arena, size_t size)
{
    struct vt_arena_block *block = arena->blocks;
    size = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
    if (!block || block->size - arena->used < size) {
        size_t room = vt_max(size, 64 * 1024);
        block = calloc(1, sizeof(*block) + room);
        if (!block)
            return NULL;
        block->next = arena->blocks;
        block->size = room;
        arena->blocks = block;
        arena->used = 0;
    }
    void *taken = (char *)block->bytes + arena->used;
    arena->used += size;
    return taken;
}

void vt_arena_deinit(struct vt_arena *arena)
{
    while (arena->blocks) {
        struct vt_arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    arena->used = 0;
}

static const char *keep_text(struct vt_recording *r, const char *text, size_t length)
{
    char *copy = vt_arena_take(&r->arena, length + 1);
    return copy ? memcpy(copy, text, length) : NULL;
}

static size_t hash(const char *text, size_t length)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    return (size_t)(h ^ h >> 32);
}

static bool grow_words(struct vt_words *words)
{
    size_t capacity = words->capacity ? words->capacity * 2 : 256;
    const char **slots = calloc(capacity, sizeof(*slots));
    if (!slots)
        return false;
    for (size_t i = 0; i < words->capacity; i++) {
        const char *word = words->slots[i];
        if (!word)
            continue;
        size_t at = hash(word, strlen(word)) & (capacity - 1);
        while (slots[at])
            at = (at + 1) & (capacity - 1);
        slots[at] = word;
    }
    free(words->slots);
    words->slots = slots;
    words->capacity = capacity;
    return true;
}

static const char *keep_word(struct vt_recording *r, const char *text, size_t length)
{
    struct vt_words *words = &r->words;
    if (words->count * 2 >= words->capacity && !grow_words(words))
        return NULL;
    size_t at = hash(text, length) & (words->capacity - 1);
    for (; words->slots[at]; at = (at + 1) & (words->capacity - 1))
        if (!strncmp(words->slots[at], text, length) && !words->slots[at][length])
            return words->slots[at];
    const char *word = keep_text(r, text, length);
    if (word) {
        words->slots[at] = word;
        words->count++;
    }
    return word;
}

/* ---- errors -------------------------------------------------------------------- */

int vt_reader_damaged(const struct vt_recording *r, const char *where, struct vt_error *err)
{
    return vt_error_set(err, EINVAL, "cannot read \"%s\": the file is damaged (%s)", r->name,
                        where);
}

int vt_reader_no_memory(const struct vt_recording *r, struct vt_error *err)
{
    return vt_error_errno(err, ENOMEM, "cannot read \"%s\"", r->name);
}

/* ---- statements ------------------------------------------------------------------ */

static int watch_progress(void *context)
{
    struct vt_recording *r = context;
    if (r->watch)
        r->watch(r->watch_context, r->pass, r->pass_done, r->pass_all);
    return ++r->spent > r->budget;
}

void vt_recording_watch(struct vt_recording *r, vt_recording_watch_fn *watch, void *context)
{
    r->watch = watch;
    r->watch_context = context;
}

int vt_reader_query(struct vt_recording *r, const char *sql, sqlite3_stmt **statement,
                    struct vt_error *err)
{
    int code = sqlite3_prepare_v2(r->db, sql, -1, statement, NULL);
    r->spent = 0;
    if (!code)
        return 0;
    *statement = NULL;
    if ((code & 0xff) == SQLITE_ERROR) { /* a table or column is not there */
        char where[256];
        sqlite3_snprintf(sizeof(where), where, "%s", sqlite3_errmsg(r->db));
        return vt_reader_damaged(r, where, err);
    }
    return vt_db_error(r->db, code, "read", r->name, err);
}

int vt_reader_step(struct vt_recording *r, sqlite3_stmt *statement, struct vt_error *err)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return 1;
    return code == SQLITE_DONE ? 0 : vt_db_error(r->db, code, "read", r->name, err);
}

/*
 * A column's value, fetched once: the functions of SQLite that take a column
 * find it anew each time. (No other thread has the connection.)
 */
static sqlite3_value *value_of(const struct vt_row *row, int column)
{
    return sqlite3_column_value(row->statement, column);
}

bool vt_row_null(const struct vt_row *row, int column)
{
    return sqlite3_column_type(row->statement, column) == SQLITE_NULL;
}

uint64_t vt_row_uint(struct vt_row *row, int column, uint64_t most)
{
    sqlite3_value *value = value_of(row, column);
    sqlite3_int64 number = sqlite3_value_int64(value);
    if (sqlite3_value_type(value) != SQLITE_INTEGER || number < 0 || (uint64_t)number > most) {
        row->bad = true;
        return 0;
    }
    return (uint64_t)number;
}

bool vt_row_known(struct vt_row *row, int column, uint64_t most, uint64_t *number)
{
    sqlite3_value *value = value_of(row, column);
    int type = sqlite3_value_type(value);
    sqlite3_int64 found = type == SQLITE_INTEGER ? sqlite3_value_int64(value) : 0;
    *number = (uint64_t)found;
    row->bad |= (type != SQLITE_INTEGER && type != SQLITE_NULL) || found < 0 ||
                (uint64_t)found > most;
    return type != SQLITE_NULL && !row->bad;
}

uint64_t vt_row_bits(struct vt_row *row, int column)
{
    sqlite3_value *value = value_of(row, column);
    int type = sqlite3_value_type(value);
    row->bad |= type != SQLITE_INTEGER && type != SQLITE_NULL;
    return (uint64_t)sqlite3_value_int64(value);
}

int64_t vt_row_int(struct vt_row *row, int column, int64_t least, int64_t most)
{
    int64_t number = (int64_t)vt_row_bits(row, column);
    if (!number && vt_row_null(row, column))
        return 0;
    row->bad |= number < least || number > most;
    return row->bad ? 0 : number;
}

/* The bytes of a text or blob, not NUL-terminated; null for NULL and for what is neither. */
static const char *bytes_of(struct vt_row *row, int column, size_t *length)
{
    sqlite3_value *value = value_of(row, column);
    int type = sqlite3_value_type(value);
    *length = 0;
    if (type == SQLITE_NULL)
        return NULL;
    const char *bytes = sqlite3_value_blob(value); /* of TEXT its bytes; null for none of them */
    *length = (size_t)sqlite3_value_bytes(value);
    if ((type != SQLITE_TEXT && type != SQLITE_BLOB) || *length > NAME_MOST ||
        (*length && (!bytes || memchr(bytes, 0, *length)))) {
        row->bad = true;
        return NULL;
    }
    return *length ? bytes : "";
}

const char *vt_row_word(struct vt_row *row, int column)
{
    size_t length;
    const char *bytes = bytes_of(row, column, &length);
    if (!bytes)
        return NULL;
    for (size_t i = 0; i < VT_COUNTOF(row->last_words); i++) {
        const char *last = row->last_words[i];
        if (last && !strncmp(last, bytes, length) && !last[length])
            return last;
    }
    const char *word = keep_word(row->recording, bytes, length);
    row->bad |= !word;
    return row->last_words[row->words++ % VT_COUNTOF(row->last_words)] = word;
}

const char *vt_row_name(struct vt_row *row, int column)
{
    size_t length;
    const char *bytes = bytes_of(row, column, &length);
    const char *name = bytes ? keep_text(row->recording, bytes, length) : NULL;
    row->bad |= bytes && !name;
    return name;
}

void vt_row_range(struct vt_row *row, int column, vt_addr *start, vt_addr *end)
{
    *start = vt_row_bits(row, column);
    *end = vt_row_bits(row, column + 1);
    row->bad |= *start >= *end;
}

void vt_row_perm(struct vt_row *row, int column, uint8_t *prot, uint8_t *flags)
{
    size_t length;
    const char *text = bytes_of(row, column, &length);
    row->bad |= !text || length != 4 || !vt_word_perm_parse(text, prot, flags);
}

uint8_t vt_row_kind(struct vt_row *row, int column)
{
    size_t length;
    const char *text = bytes_of(row, column, &length);
    const char *last = vt_kind_name(row->last_kind);
    if (!text) {
        row->bad = true;
        return VT_KIND_OTHER;
    }
    if (!strncmp(last, text, length) && !last[length])
        return row->last_kind;
    int kind = vt_kind_parse(text, length);
    row->bad |= kind < 0;
    return row->last_kind = kind < 0 ? VT_KIND_OTHER : (uint8_t)kind;
}

const struct vt_object *vt_reader_object(const struct vt_recording *r, uint32_t id, bool *bad)
{
    size_t low = 0, high = r->object_count;
    if (!id)
        return NULL;
    if (id <= r->object_count && r->objects[id - 1].id == id)
        return &r->objects[id - 1]; /* as it is where nothing was left out */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->objects[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < r->object_count && r->objects[low].id == id)
        return &r->objects[low];
    *bad = true;
    return NULL;
}

const struct vt_object *vt_row_object(struct vt_row *row, int column)
{
    uint64_t id;
    if (!vt_row_known(row, column, INT32_MAX, &id))
        return NULL;
    const struct vt_object *object = vt_reader_object(row->recording, (uint32_t)id, &row->bad);
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

static void load_argument(struct vt_row *row)
{
    struct vt_recording *r = row->recording;
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

static void load_run(struct vt_row *row)
{
    struct vt_recording_info *info = &row->recording->info;
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
    summary->duration_ns = (int64_t)vt_row_uint(row, 12, TIME_MOST);
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

static void load_object(struct vt_row *row)
{
    struct vt_recording *r = row->recording;
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

static void load_call(struct vt_row *row)
{
    struct vt_recording *r = row->recording;
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

static void load_image(struct vt_row *row)
{
    struct vt_recording *r = row->recording;
    struct vt_image_row *image =
        add_numbered(row, (void **)&r->images, &r->image_count, sizeof(*r->images));
    if (!image)
        return;
    image->space = (uint32_t)vt_row_uint(row, 1, UINT32_MAX);
    image->object = (uint32_t)vt_row_uint(row, 2, INT32_MAX);
    image->bias = vt_row_bits(row, 3);
    row->bad |= !vt_reader_object(r, image->object, &row->bad);
}

static void load_thread(struct vt_row *row)
{
    struct vt_recording *r = row->recording;
    struct vt_thread_row *thread =
        add_numbered(row, (void **)&r->threads, &r->thread_count, sizeof(*r->threads));
    if (!thread)
        return;
    thread->process = (uint32_t)vt_row_uint(row, 1, INT32_MAX);
    thread->tid = (pid_t)vt_row_uint(row, 2, INT32_MAX);
    row->bad |= !thread->process || thread->process > r->process_count;
}

static void load_process(struct vt_row *row)
{
    struct vt_recording *r = row->recording;
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
    p->lifetime_ns = vt_row_int(row, 6, 0, TIME_MOST);
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

static struct vt_recorded_process *process_of(struct vt_row *row, int column)
{
    struct vt_recording *r = row->recording;
    uint64_t id = vt_row_uint(row, column, INT32_MAX);
    if (!id || id > r->process_count) {
        row->bad = true;
        return NULL;
    }
    return &r->processes[id - 1];
}

static void load_totals(struct vt_row *row)
{
    struct vt_recorded_process *p = process_of(row, 0);
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

static void load_stack_use(struct vt_row *row)
{
    struct vt_recorded_process *p = process_of(row, 0);
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

static void load_program(struct vt_row *row)
{
    struct vt_recorded_process *p = process_of(row, 0);
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

static void load_tenure(struct vt_row *row)
{
    struct vt_recording *r = row->recording;
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

static void load_part(struct vt_row *row)
{
    struct vt_recording *r = row->recording;
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

static void load_frame(struct vt_row *row)
{
    struct vt_recording *r = row->recording;
    uint64_t id = vt_row_uint(row, 0, INT64_MAX);
    row->bad |= !id || (r->frame_count && id <= r->frames[r->frame_count - 1].id);
    struct vt_frame *frame =
        row->bad ? NULL : add_row(row, (void **)&r->frames, &r->frame_count, sizeof(*r->frames));
    if (!frame)
        return;
    frame->id = id;
    frame->object = vt_row_object(row, 1);
    frame->address = vt_row_bits(row, 2);
    frame->interrupted = vt_row_uint(row, 3, 1);
    frame->function = vt_row_word(row, 4);
    frame->offset = vt_row_bits(row, 5);
    frame->file = vt_row_word(row, 6);
    frame->line = (unsigned)vt_row_uint(row, 7, UINT32_MAX);
}

static struct vt_frame *find_frame(const struct vt_recording *r, uint64_t id)
{
    size_t low = 0, high = r->frame_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->frames[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < r->frame_count && r->frames[low].id == id ? &r->frames[low] : NULL;
}

/*
 * Rows of a frame or stack follow each other, and the array that they are in
 * may still move: until all are there, `inlined` and `frames` are not set, only
 * counted. See join_stacks().
 */
static void load_inlined(struct vt_row *row)
{
    struct vt_recording *r = row->recording;
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

static void load_stack(struct vt_row *row)
{
    struct vt_recording *r = row->recording;
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
    size_t low = 0, high = r->stack_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (r->stacks[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < r->stack_count && r->stacks[low].id == id ? &r->stacks[low] : NULL;
}

static void load_stack_frame(struct vt_row *row)
{
    struct vt_recording *r = row->recording;
    struct vt_stack *stack = (struct vt_stack *)vt_reader_stack(r, vt_row_uint(row, 0, INT64_MAX));
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
static void load_last(struct vt_row *row)
{
    struct vt_recording_info *info = &row->recording->info;
    uint64_t last;
    if (info->complete) {
        info->events = info->summary.events - vt_min(info->left_out, info->summary.events);
        return;
    }
    info->events = vt_row_uint(row, 0, INT64_MAX);
    if (!vt_row_known(row, 1, INT64_MAX, &last))
        return;
    info->summary.events = last;
    info->summary.duration_ns = vt_row_int(row, 2, 0, TIME_MOST);
}

/* What is loaded at once, in this order: later ones refer to earlier ones. */
static const struct {
    const char *table;
    const char *sql;
    void (*load)(struct vt_row *row);
} small_tables[] = {
    {"run",
     "SELECT version, kernel, machine, page_size, aslr, aslr_disabled, max_map_count, "
     "start_unix_ns, verify, multiple, partial, complete, duration, events, left_out, processes, "
     "threads, stops, compared, agreed, resyncs, uncertain, lost, interrupted FROM run LIMIT 1",
     load_run},
    {"command", "SELECT position, argument FROM command ORDER BY position", load_argument},
    {"events",
     "SELECT count(*), max(seq), (SELECT time FROM events ORDER BY seq DESC LIMIT 1) "
     "FROM events",
     load_last},
    {"processes",
     "SELECT id, pid, first_event, end_event, ended, wait_status, lifetime, name, root, bytes, "
     "peak_bytes, usable_peak_bytes, events, sp_first, sp_lowest, stack_low, stack_high, stops, "
     "compared, agreed, resyncs, uncertain, lost FROM processes ORDER BY id",
     load_process},
    {"kind_totals",
     "SELECT process, kind, regions, bytes, peak_bytes, made_count, made_bytes, gone_count, "
     "gone_bytes FROM kind_totals",
     load_totals},
    {"stack_uses",
     "SELECT process, position, tid, main, low, high, floor, sp_lowest FROM stack_uses "
     "ORDER BY process, position",
     load_stack_use},
    {"programs", "SELECT process, path, type, class_bits FROM programs ORDER BY event",
     load_program},
    {"process_spaces",
     "SELECT process, space, from_event, to_event FROM process_spaces ORDER BY process, from_event",
     load_tenure},
    {"threads", "SELECT id, process, tid FROM threads ORDER BY id", load_thread},
    {"calls",
     "SELECT id, name, abi, number, arg_count, arg1, arg2, arg3, arg4, arg5, arg6 FROM calls "
     "ORDER BY id",
     load_call},
    {"objects",
     "SELECT id, type, dev_major, dev_minor, inode, page_size, name FROM objects ORDER BY id",
     load_object},
    {"images", "SELECT id, space, object, bias FROM images ORDER BY id", load_image},
    {"parts",
     "SELECT object, start, end, kind FROM parts ORDER BY object, start < 0, start, end, kind",
     load_part},
    {"frames",
     "SELECT id, object, address, interrupted, function, offset, file, line FROM frames "
     "ORDER BY id",
     load_frame},
    {"inlined",
     "SELECT frame, position, function, file, line FROM inlined ORDER BY frame, position",
     load_inlined},
    {"stacks", "SELECT id, end FROM stacks ORDER BY id", load_stack},
    {"stack_frames", "SELECT stack, position, frame FROM stack_frames ORDER BY stack, position",
     load_stack_frame},
};

static int load_table(struct vt_recording *r, size_t which, struct vt_error *err)
{
    struct vt_row row = {.recording = r};
    int rc = vt_reader_query(r, small_tables[which].sql, &row.statement, err);
    if (rc)
        return rc;
    while ((rc = vt_reader_step(r, row.statement, err)) > 0) {
        small_tables[which].load(&row);
        if (row.bad) {
            char where[64];
            sqlite3_snprintf(sizeof(where), where, "table %s", small_tables[which].table);
            rc = vt_reader_damaged(r, where, err);
            break;
        }
    }
    sqlite3_finalize(row.statement);
    return rc;
}

/* ---- opening ------------------------------------------------------------------------- */

/* One number that a statement tells. Positive if it tells none. */
static int ask(struct vt_recording *r, const char *sql, int64_t *value, struct vt_error *err)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(r->db, sql, -1, &statement, NULL);
    if (code)
        return vt_db_error(r->db, code, "read", r->name, err);
    r->spent = 0;
    int rc = vt_reader_step(r, statement, err);
    if (rc > 0)
        *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return rc < 0 ? rc : !rc;
}

/* Tables must be tables: see the top of this file. */
static int check_tables(struct vt_recording *r, struct vt_error *err)
{
    int64_t odd = 0;
    int rc = ask(r,
                 "SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'view') AND name IN "
                 "('run', 'command', 'kinds', 'processes', 'kind_totals', 'stack_uses', 'threads', "
                 "'spaces', "
                 "'process_spaces', 'programs', 'calls', 'events', 'faults', 'fault_regions', "
                 "'objects', 'images', 'parts', 'stacks', 'stack_frames', 'frames', 'inlined', "
                 "'regions') AND "
                 "(type <> 'table' OR sql IS NULL OR sql NOT LIKE 'CREATE TABLE %')",
                 &odd, err);
    if (rc < 0)
        return rc;
    if (!odd)
        rc = ask(r,
                 "SELECT count(*) FROM sqlite_schema AS s, pragma_table_xinfo(s.name) AS x "
                 "WHERE s.type = 'table' AND x.hidden <> 0",
                 &odd, err);
    if (rc < 0)
        return rc;
    return odd ? vt_reader_damaged(r, "a table is not what it should be", err) : 0;
}

static int check_version(struct vt_recording *r, struct vt_error *err)
{
    int64_t application = 0, version = 0, tables = 0;
    int rc = ask(r, "PRAGMA application_id", &application, err);
    if (rc >= 0)
        rc = ask(r, "PRAGMA user_version", &version, err);
    if (rc >= 0)
        rc = ask(r, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (rc < 0)
        return rc;
    if (!application && !version && !tables)
        return vt_error_set(err, EINVAL,
                            "cannot read \"%s\": it is empty; the trace that should have filled it "
                            "never began",
                            r->name);
    if (application != VT_RECORDING_APPLICATION)
        return vt_error_set(err, EINVAL,
                            "cannot read \"%s\": it is an SQLite database, but no recording of "
                            "vastrace",
                            r->name);
    if (version > VT_RECORDING_VERSION)
        return vt_error_set(err, EPROTO,
                            "cannot read \"%s\": a newer vastrace wrote it (schema version %lld, "
                            "this one reads up to %d)",
                            r->name, (long long)version, VT_RECORDING_VERSION);
    if (version < 1)
        return vt_reader_damaged(r, "it has no schema version", err);
    r->info.schema = (unsigned)version;
    return 0;
}

/* The path as a URI that says the file will not change, for folders that cannot be written to. */
static char *immutable_uri(const char *path)
{
    static const char hex[] = "0123456789abcdef";
    struct vt_buf uri = {0};
    vt_buf_str(&uri, "file:");
    for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
        if (strchr("?#%", *p) || *p < 0x20 || *p > 0x7e) {
            char code[3] = {'%', hex[*p >> 4], hex[*p & 15]};
            vt_buf_add(&uri, code, sizeof(code));
        } else {
            vt_buf_char(&uri, (char)*p);
        }
    }
    vt_buf_str(&uri, "?immutable=1");
    vt_buf_char(&uri, '\0');
    if (uri.failed) {
        vt_buf_deinit(&uri);
        return NULL;
    }
    return uri.data;
}

static int connect_to(struct vt_recording *r, const char *path, int flags, struct vt_error *err)
{
    sqlite3_close(r->db);
    r->db = NULL;
    int code = sqlite3_open_v2(
        path, &r->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | flags,
        NULL);
    if (code)
        return vt_db_error(r->db, code, "read", r->name, err);
    sqlite3_busy_timeout(r->db, 5000);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_progress_handler(r->db, PROGRESS_STEP, watch_progress, r);
    /* One state for all questions, whatever is being written meanwhile. */
    code = sqlite3_exec(r->db,
                        "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; BEGIN; "
                        "SELECT count(*) FROM sqlite_schema",
                        NULL, NULL, NULL);
    return code ? vt_db_error(r->db, code, "read", r->name, err) : 0;
}

/* Errors of the file itself are said as open(2) says them; SQLite is less clear. */
static int look_at_file(struct vt_recording *r, struct vt_error *err)
{
    struct stat info;
    int fd = open(r->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return vt_error_errno(err, errno, "cannot open \"%s\"", r->name);
    bool regular = !fstat(fd, &info) && S_ISREG(info.st_mode);
    close(fd);
    if (!regular)
        return vt_error_set(err, EINVAL, "cannot read \"%s\": it is no regular file", r->name);
    /*
     * How long a statement may take: a row has 10 bytes or more and takes a few hundred steps
     * at most. What is in the -wal file can be as much again, and more.
     */
    char *wal;
    struct stat more = {0};
    if (asprintf(&wal, "%s-wal", r->name) >= 0) {
        if (stat(wal, &more))
            more.st_size = 0;
        free(wal);
    }
    r->budget = 10000 + (uint64_t)(info.st_size + more.st_size) * 50 / PROGRESS_STEP;
    return 0;
}

static int open_database(struct vt_recording *r, struct vt_error *err)
{
    int rc = look_at_file(r, err);
    if (!rc)
        rc = connect_to(r, r->name, 0, err);
    int code = r->db ? sqlite3_errcode(r->db) & 0xff : 0;
    if (rc && (code == SQLITE_CANTOPEN || code == SQLITE_READONLY)) {
        /* A folder without room for SQLite's own files: fine if nothing else holds contents. */
        char *wal, *uri = NULL;
        struct stat info;
        if (asprintf(&wal, "%s-wal", r->name) < 0)
            return rc;
        if ((stat(wal, &info) || !info.st_size) && (uri = immutable_uri(r->name)))
            rc = connect_to(r, uri, SQLITE_OPEN_URI, err);
        else if (code == SQLITE_CANTOPEN)
            rc = vt_db_error(r->db, SQLITE_READONLY, "read", r->name, err);
        free(uri);
        free(wal);
    }
    return rc;
}

int vt_recording_open(const char *path, struct vt_recording **recording, struct vt_error *err)
{
    struct vt_recording *r = calloc(1, sizeof(*r));
    *recording = NULL;
    if (!r || !(r->name = strdup(path))) {
        free(r);
        return vt_error_errno(err, ENOMEM, "cannot read \"%s\"", path);
    }
    int rc = open_database(r, err);
    if (!rc)
        rc = check_version(r, err);
    if (!rc)
        rc = check_tables(r, err);
    for (size_t i = 0; i < VT_COUNTOF(small_tables) && !rc; i++)
        rc = load_table(r, i, err);
    join_stacks(r);
    if (!rc && !r->info.run.version)
        rc = vt_reader_damaged(r, "table run is empty", err);
    if (!rc && !r->info.complete) {
        r->info.summary.processes = r->process_count;
        r->info.summary.threads = r->thread_count;
    }
    if (rc) {
        vt_recording_close(r);
        return rc;
    }
    *recording = r;
    return 0;
}

void vt_recording_close(struct vt_recording *r)
{
    if (!r)
        return;
    sqlite3_close(r->db);
    vt_arena_deinit(&r->arena);
    free(r->words.slots);
    free((void *)r->info.run.command);
    free(r->objects);
    free(r->calls);
    free(r->images);
    free(r->threads);
    free(r->processes);
    free(r->tenures);
    free(r->parts);
    free(r->part_objects);
    free(r->frames);
    free(r->inlined);
    free(r->stacks);
    free(r->stack_frames);
    free(r->name);
    free(r);
}

/* ---- what is in memory ----------------------------------------------------------------- */

const struct vt_recording_info *vt_recording_info(const struct vt_recording *r)
{
    return &r->info;
}

const struct vt_recorded_process *vt_recording_processes(const struct vt_recording *r,
                                                         size_t *count)
{
    *count = r->process_count;
    return r->processes;
}

int vt_recording_process(const struct vt_recording *r, pid_t pid,
                         const struct vt_recorded_process **process, struct vt_error *err)
{
    *process = NULL;
    for (size_t i = 0; i < r->process_count; i++) {
        const struct vt_recorded_process *p = &r->processes[i];
        if (pid ? p->pid == pid : p->root && !*process)
            *process = p;
    }
    if (!*process && !pid && r->process_count)
        *process = &r->processes[0]; /* the launched one, where its end is not recorded */
    if (*process)
        return 0;
    if (!r->process_count)
        return vt_error_set(err, ESRCH, "\"%s\" holds no process%s", r->name,
                            r->info.complete ? "" : ": it was cut short before the first event");
    struct vt_buf pids = {0};
    for (size_t i = 0; i < r->process_count && i < 16; i++)
        vt_buf_printf(&pids, "%s%d", i ? ", " : "", (int)r->processes[i].pid);
    if (r->process_count > 16)
        vt_buf_printf(&pids, " and %zu more", r->process_count - 16);
    vt_error_set(err, ESRCH, "\"%s\" holds no process %d; it holds %s", r->name, (int)pid,
                 vt_buf_cstr(&pids));
    vt_buf_deinit(&pids);
    return -ESRCH;
}

uint32_t vt_reader_space_at(const struct vt_recording *r, uint32_t process, uint64_t event)
{
    for (size_t i = 0; i < r->tenure_count; i++) {
        const struct vt_tenure *t = &r->tenures[i];
        if (t->process == process && t->from_event <= event && event < t->to_event)
            return t->space;
    }
    return 0;
}

bool vt_reader_had_space(const struct vt_recording *r, uint32_t process, uint32_t space)
{
    for (size_t i = 0; i < r->tenure_count; i++)
        if (r->tenures[i].process == process && r->tenures[i].space == space)
            return true;
    return false;
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
