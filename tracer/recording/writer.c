/*
 * writer.c - hides how a recording is written: what is interned, how open
 * rectangles become rows, and that all common work is done by a thread of its
 * own, so that neither a stop nor a slow disk waits for SQLite.
 *
 * An event is staged (copied into the batch at the front), and batches are
 * drained: by the worker, or, where there can be none, by the caller. What is
 * rare (a new process, file, image, program; an end) is written at once, after
 * waiting for the worker to be idle.
 *
 * Journal: WAL, so that readers and the writer do not wait for each other, and
 * a killed writer leaves what was committed. At the end the log is folded into
 * the one file. synchronous is OFF: a killed tracer leaves what it wrote to the
 * kernel, and against a power cut a timeline is not worth the stalls.
 *
 * Invariants: the database, the tiles and everything that rows are numbered by
 * belong to the worker from submit() until wait_idle(), otherwise to the
 * caller; but tables that both only read meanwhile may be read by both. A
 * transaction is always open between begin and end. Each tile that is not
 * stale is in the database as it is.
 */
#include "recording/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "recording/db.h"
#include "recording/pack.h"
#include "recording/tiles.h"

/* A batch is handed over at the latest when it holds this much. */
#define BATCH_EVENTS 4096
#define BATCH_BYTES  ((size_t)512 * 1024)
#define BUCKETS      1024

enum statement {
    ADD_RUN,
    ADD_ARGUMENT,
    ADD_KIND,
    ADD_PROCESS,
    END_PROCESS,
    ADD_KIND_TOTALS,
    ADD_STACK_USE,
    ADD_THREAD,
    ADD_SPACE,
    ENTER_SPACE,
    LEAVE_SPACE,
    ADD_PROGRAM,
    ADD_CALL,
    ADD_EVENT,
    ADD_FAULT,
    ADD_FAULT_REGION,
    ADD_OBJECT,
    ADD_IMAGE,
    ADD_PART,
    ADD_STACK,
    ADD_STACK_FRAME,
    ADD_FRAME,
    ADD_INLINED,
    ADD_REGION,
    UPDATE_REGION,
    MARK_PARTIAL,
    END_RUN,
    STATEMENT_COUNT
};

/* The order of values is that of the columns in recording.sql. */
static const char *const statements[STATEMENT_COUNT] = {
    [ADD_RUN] = "INSERT INTO run (id, version, kernel, machine, page_size, aslr, aslr_disabled, "
                "max_map_count, start_unix_ns, launched, verify, multiple, partial, complete) "
                "VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0)",
    [ADD_ARGUMENT] = "INSERT INTO command VALUES (?, ?)",
    [ADD_KIND] = "INSERT INTO kinds VALUES (?, ?)",
    [ADD_PROCESS] = "INSERT INTO processes (id, pid, first_event) VALUES (?, ?, ?)",
    [END_PROCESS] =
        "UPDATE processes SET end_event = ?2, ended = ?3, wait_status = ?4, lifetime = ?5, "
        "name = ?6, root = ?7, bytes = ?8, peak_bytes = ?9, usable_peak_bytes = ?10, events = ?11, "
        "sp_first = ?12, sp_lowest = ?13, stack_low = ?14, stack_high = ?15, stops = ?16, "
        "compared = ?17, agreed = ?18, resyncs = ?19, uncertain = ?20, lost = ?21 WHERE id = ?1",
    [ADD_KIND_TOTALS] = "INSERT OR REPLACE INTO kind_totals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [ADD_STACK_USE] = "INSERT OR REPLACE INTO stack_uses VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    [ADD_THREAD] = "INSERT INTO threads VALUES (?, ?, ?, ?)",
    [ADD_SPACE] = "INSERT OR IGNORE INTO spaces VALUES (?, ?)",
    [ENTER_SPACE] = "INSERT OR REPLACE INTO process_spaces VALUES (?, ?, ?, NULL)",
    [LEAVE_SPACE] =
        "UPDATE process_spaces SET to_event = ?2 WHERE process = ?1 AND to_event IS NULL",
    [ADD_PROGRAM] = "INSERT INTO programs VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    [ADD_CALL] = "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [ADD_EVENT] =
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [ADD_FAULT] = "INSERT INTO faults VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [ADD_FAULT_REGION] = "INSERT INTO fault_regions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [ADD_OBJECT] = "INSERT OR IGNORE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)",
    [ADD_IMAGE] = "INSERT INTO images VALUES (?, ?, ?, ?, ?)",
    [ADD_PART] = "INSERT OR IGNORE INTO parts VALUES (?, ?, ?, ?)",
    [ADD_STACK] = "INSERT INTO stacks VALUES (?, ?)",
    [ADD_STACK_FRAME] = "INSERT INTO stack_frames VALUES (?, ?, ?)",
    [ADD_FRAME] = "INSERT INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    [ADD_INLINED] = "INSERT INTO inlined VALUES (?, ?, ?, ?, ?)",
    [ADD_REGION] = "INSERT INTO regions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [UPDATE_REGION] = "UPDATE regions SET start = ?2, end = ?3, offset = ?4, moved_from = ?5, "
                      "ended_event = ?6, ended_by = ?7 WHERE id = ?1",
    [MARK_PARTIAL] = "UPDATE run SET partial = 1",
    [END_RUN] = "UPDATE run SET complete = 1, duration = ?, events = ?, left_out = ?, "
                "processes = ?, threads = ?, stops = ?, compared = ?, agreed = ?, resyncs = ?, "
                "uncertain = ?, lost = ?, interrupted = ?",
};

enum object_type { IS_UNKNOWN, IS_SPECIAL, IS_FILE };

/* An ELF image in a space. */
struct image {
    uint32_t id; /* images.id */
    uint32_t object;
    uint64_t bias;
};

struct space {
    uint32_t id;
    struct space *next;
    size_t users; /* processes that have it now */
    struct vt_tiles tiles;
    struct image *images;
    size_t image_count;
    size_t image_capacity;
};

struct thread {
    pid_t tid;
    uint32_t id; /* threads.id */
    struct thread *next;
    struct thread *sibling; /* of the same process */
    struct process *process;
};

struct process {
    pid_t pid;
    uint32_t id; /* processes.id */
    struct process *next;
    struct space *space;
    struct thread *threads;
};

/* A call whose row there is. */
struct call {
    const char *name;
    uint64_t number;
    enum vt_abi abi;
    unsigned arg_count;
    uint32_t id;
    struct call *next;
};

/* An event between its being told and its being stored. */
struct staged {
    uint64_t seq;
    int64_t time_ns;
    const char *cause;       /* static */
    struct space *space;     /* null: none */
    struct space *old_space; /* where regions are GONE at an exec; else the same */
    uint64_t args[6];
    int64_t result;
    vt_addr sp;
    vt_addr ip;
    uint64_t mapped_bytes;
    uint64_t heap_bytes;
    uint64_t stack; /* stacks.id; 0: none */
    size_t changes; /* offset in the batch's bytes */
    size_t changes_length;
    size_t note_length; /* the note lies behind the changes; SIZE_MAX: none */
    uint32_t process;
    uint32_t thread;
    uint32_t space_id;
    uint32_t call; /* 0: none */
    int error;
    pid_t parent;
    uint8_t arg_count;
    bool failed;
    bool uncertain;
    bool shares;
    uint8_t sp_place;
};

struct batch {
    struct staged *items; /* BATCH_EVENTS of them */
    size_t count;
    struct vt_buf bytes;
    bool commit; /* when it is drained */
};

struct vt_recorder {
    char *path; /* absolute: the tracer may change its folder, and SQLite opens files later on */
    char *name; /* the path as it was given, for messages */
    sqlite3 *db;
    sqlite3_stmt *prepared[STATEMENT_COUNT];
    uint64_t page_size;

    /* What rows are numbered by. */
    uint32_t process_count;
    uint32_t thread_count;
    uint32_t call_count;
    uint32_t image_count;
    int64_t region_count;
    uint64_t last_seq;
    uint64_t left_out;
    uint64_t last_stack; /* ids of stacks and frames ascend: what is above is new */
    uint64_t last_frame;
    bool partial;

    /* What is interned. */
    struct process *processes[BUCKETS];
    struct thread *threads[BUCKETS];
    struct space *spaces[BUCKETS];
    struct call *calls[64];
    uint8_t *objects; /* enum object_type by id */
    size_t object_capacity;
    struct thread *last_thread; /* found last; most events are of the same */

    /* The worker. */
    struct batch batches[2];
    struct batch *front;
    pthread_t worker;
    bool have_worker;
    bool no_worker; /* it could not be started */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct batch *at_work; /* null: idle */
    bool quit;
    int failure; /* negative, with its text: nothing is written any more */
    struct vt_error why;
};

/* ---- statements ------------------------------------------------------------------- */

/* Remember the first failure. All later work is skipped. */
static int fail(struct vt_recorder *r, int code)
{
    if (!r->failure)
        r->failure = vt_db_error(r->db, code, "write the recording", r->name, &r->why);
    return r->failure;
}

static int fail_memory(struct vt_recorder *r)
{
    return fail(r, SQLITE_NOMEM);
}

static int run_sql(struct vt_recorder *r, const char *sql)
{
    int code = sqlite3_exec(r->db, sql, NULL, NULL, NULL);
    return code ? fail(r, code) : 0;
}

/* The statement, ready to be bound; null after a failure. */
static sqlite3_stmt *get(struct vt_recorder *r, enum statement which)
{
    if (r->failure)
        return NULL;
    if (!r->prepared[which]) {
        int code = sqlite3_prepare_v3(r->db, statements[which], -1, SQLITE_PREPARE_PERSISTENT,
                                      &r->prepared[which], NULL);
        if (code) {
            fail(r, code);
            return NULL;
        }
    }
    return r->prepared[which];
}

/* Run a bound statement. Failures of binding (no memory) show as NULLs or here. */
static int step(struct vt_recorder *r, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    if (code != SQLITE_DONE)
        fail(r, code == SQLITE_ROW ? SQLITE_MISMATCH : code);
    sqlite3_reset(statement);
    return r->failure;
}

static void bind_word(sqlite3_stmt *s, int column, const char *word)
{
    sqlite3_bind_text(s, column, word, -1, SQLITE_STATIC);
}

static void bind_or_null(sqlite3_stmt *s, int column, bool known, uint64_t value)
{
    if (known)
        vt_db_bind(s, column, value);
    else
        sqlite3_bind_null(s, column);
}

/* ---- rectangles --------------------------------------------------------------------- */

/* perm as /proc/PID/maps has it, from storage that stays. */
static const char *perm_text(uint8_t prot, uint8_t flags)
{
    static const char texts[16][5] = {
        "---p", "r--p", "-w-p", "rw-p", "--xp", "r-xp", "-wxp", "rwxp",
        "---s", "r--s", "-w-s", "rw-s", "--xs", "r-xs", "-wxs", "rwxs",
    };
    return texts[(prot & 7) | (flags & VT_REGION_SHARED ? 8 : 0)];
}

static const char *op_text(uint8_t op)
{
    return op == VT_CHANGE_MADE    ? "+"
           : op == VT_CHANGE_GONE  ? "-"
           : op == VT_CHANGE_MOVED ? ">"
                                   : "~";
}

/* Write a tile as it is, or as it was when `ended` ended it (0: it goes on). */
static int store_tile(struct vt_recorder *r, uint32_t space, struct vt_tile *tile, uint64_t ended,
                      uint8_t ended_by)
{
    sqlite3_stmt *s = get(r, tile->row ? UPDATE_REGION : ADD_REGION);
    bool moved = tile->made_by == VT_CHANGE_MOVED;
    if (!s)
        return r->failure;
    if (tile->row) {
        sqlite3_bind_int64(s, 1, tile->row);
        vt_db_bind(s, 2, tile->start);
        vt_db_bind(s, 3, tile->end);
        vt_db_bind(s, 4, tile->offset);
        bind_or_null(s, 5, moved, tile->moved_from);
        bind_or_null(s, 6, ended, ended);
        bind_word(s, 7, ended ? op_text(ended_by) : NULL);
        return step(r, s);
    }
    tile->row = ++r->region_count;
    sqlite3_bind_int64(s, 1, tile->row);
    vt_db_bind(s, 2, space);
    vt_db_bind(s, 3, tile->start);
    vt_db_bind(s, 4, tile->end);
    bind_word(s, 5, perm_text(tile->prot, tile->flags));
    bind_word(s, 6, vt_kind_name(tile->kind));
    vt_db_bind(s, 7, tile->flags & ~(unsigned)VT_REGION_SHARED);
    bind_or_null(s, 8, tile->object, tile->object);
    vt_db_bind(s, 9, tile->offset);
    bind_or_null(s, 10, tile->image, tile->image);
    vt_db_bind(s, 11, tile->made_event);
    bind_word(s, 12, op_text(tile->made_by));
    vt_db_bind(s, 13, tile->origin_event);
    bind_or_null(s, 14, moved, tile->moved_from);
    bind_or_null(s, 15, ended, ended);
    bind_word(s, 16, ended ? op_text(ended_by) : NULL);
    return step(r, s);
}

/*
 * End a tile at this event. One that began at it was never there between two
 * events, and has no row of its own.
 */
static int close_tile(struct vt_recorder *r, struct space *space, struct vt_tile *tile,
                      uint64_t event, uint8_t by)
{
    int rc = tile->made_event == event && !tile->row ? 0
                                                     : store_tile(r, space->id, tile, event, by);
    vt_tiles_remove(&space->tiles, tile);
    return rc;
}

static int cut(struct vt_recorder *r, struct space *space, vt_addr start, vt_addr end)
{
    if (vt_tiles_cut(&space->tiles, start) || vt_tiles_cut(&space->tiles, end))
        return fail_memory(r);
    return 0;
}

/* End whatever lies in [start, end). */
static int clear_range(struct vt_recorder *r, struct space *space, vt_addr start, vt_addr end,
                       uint64_t event)
{
    int rc = cut(r, space, start, end);
    struct vt_tile *next, *tile = rc ? NULL : vt_tiles_at_or_above(&space->tiles, start);
    for (; tile && tile->start < end && !rc; tile = next) {
        next = vt_tiles_next(tile);
        rc = close_tile(r, space, tile, event, VT_CHANGE_GONE);
    }
    return rc;
}

static uint32_t image_id(const struct space *space, const struct vt_packed *change)
{
    for (size_t i = space->image_count; change->has_image && i-- > 0;)
        if (space->images[i].object == change->image && space->images[i].bias == change->bias)
            return space->images[i].id;
    return 0;
}

static enum object_type object_type(const struct vt_recorder *r, uint32_t id)
{
    return id < r->object_capacity ? r->objects[id] : IS_UNKNOWN;
}

/* What a change leaves at [start, end), which lies in it. */
static struct vt_tile tile_of(const struct vt_recorder *r, const struct space *space,
                              const struct vt_packed *change, vt_addr start, vt_addr end,
                              uint64_t event)
{
    const struct vt_packed_state *state = &change->after;
    struct vt_tile tile = {
        .start = start,
        .end = end,
        .offset = state->offset,
        .made_event = event,
        .origin_event = event,
        .object = state->object,
        .image = image_id(space, change),
        .prot = state->prot,
        .flags = state->flags,
        .kind = state->kind,
        .made_by = (uint8_t)change->op,
        .is_file = object_type(r, state->object) == IS_FILE,
    };
    if (tile.is_file)
        tile.offset += start - change->start;
    return tile;
}

static int add_tile(struct vt_recorder *r, struct space *space, const struct vt_tile *tile)
{
    return vt_tiles_add(&space->tiles, tile) ? 0 : fail_memory(r);
}

/*
 * Memory in [from, from + size) is in another state now, at `to`: take its
 * pieces out and put them back as `change` says, each with its own origin.
 * What was not known to be there begins with this event.
 */
static int carry(struct vt_recorder *r, struct space *space, const struct vt_packed *change,
                 uint64_t event)
{
    vt_addr at = change->from, end = change->from + (change->end - change->start);
    vt_addr shift = change->start - change->from;
    bool stays = change->op == VT_CHANGE_MOVED && change->source_stays;
    int rc = cut(r, space, at, end);
    if (!rc && change->op == VT_CHANGE_MOVED)
        rc = clear_range(r, space, change->start, change->end, event);
    while (at < end && !rc) {
        struct vt_tile *old = vt_tiles_at_or_above(&space->tiles, at);
        vt_addr stop = !old || old->start >= end ? end : old->start > at ? old->start : old->end;
        bool known = old && old->start <= at;
        struct vt_tile tile = tile_of(r, space, change, at + shift, stop + shift, event);
        tile.moved_from = at;
        if (known) {
            tile.origin_event = old->origin_event;
            if (old->made_event == event && !old->row && !stays) {
                /* Made and altered by one event: as if made so. */
                tile.made_by = old->made_by;
                tile.moved_from = old->moved_from;
            }
            if (!stays)
                rc = close_tile(r, space, old, event, (uint8_t)change->op);
        }
        if (!rc)
            rc = add_tile(r, space, &tile);
        at = stop;
    }
    return rc;
}

static int apply(struct vt_recorder *r, const struct staged *e, const struct vt_packed *change)
{
    struct space *space = change->op == VT_CHANGE_GONE ? e->old_space : e->space;
    int rc;
    if (!space)
        return 0;
    switch (change->op) {
    case VT_CHANGE_MADE:
        rc = clear_range(r, space, change->start, change->end, e->seq);
        if (!rc) {
            struct vt_tile tile = tile_of(r, space, change, change->start, change->end, e->seq);
            rc = add_tile(r, space, &tile);
        }
        return rc;
    case VT_CHANGE_GONE:
        return clear_range(r, space, change->start, change->end, e->seq);
    case VT_CHANGE_ALTERED:
    case VT_CHANGE_MOVED:
        return carry(r, space, change, e->seq);
    }
    return 0;
}

static int store_stale(struct vt_recorder *r, struct space *space)
{
    struct vt_tile *tile;
    while (!r->failure && (tile = space->tiles.stale)) {
        store_tile(r, space->id, tile, 0, 0);
        vt_tiles_mark_stored(&space->tiles, tile);
    }
    return r->failure;
}

/* ---- draining ---------------------------------------------------------------------------- */

static int store_event(struct vt_recorder *r, const struct staged *e, const char *bytes)
{
    sqlite3_stmt *s = get(r, ADD_EVENT);
    if (!s)
        return r->failure;
    vt_db_bind(s, 1, e->seq);
    sqlite3_bind_int64(s, 2, e->time_ns);
    vt_db_bind(s, 3, e->process);
    vt_db_bind(s, 4, e->thread);
    vt_db_bind(s, 5, e->space_id);
    bind_word(s, 6, e->cause);
    sqlite3_bind_int(s, 7, e->uncertain);
    bind_or_null(s, 8, e->call, e->call);
    for (int i = 0; i < 6; i++)
        bind_or_null(s, 9 + i, i < e->arg_count, e->args[i]);
    bind_or_null(s, 15, e->call && !e->failed, (uint64_t)e->result);
    bind_or_null(s, 16, e->failed, (uint64_t)e->error);
    bind_or_null(s, 17, e->sp, e->sp);
    sqlite3_bind_int(s, 18, e->sp_place);
    bind_or_null(s, 19, e->ip, e->ip);
    bind_or_null(s, 20, e->stack, e->stack);
    vt_db_bind(s, 21, e->mapped_bytes);
    vt_db_bind(s, 22, e->heap_bytes);
    bind_or_null(s, 23, e->space, e->space ? e->space->tiles.count - e->space->tiles.joints : 0);
    bind_or_null(s, 24, e->parent, (uint64_t)e->parent);
    sqlite3_bind_int(s, 25, e->shares);
    if (e->note_length != SIZE_MAX)
        sqlite3_bind_text(s, 26, bytes + e->changes + e->changes_length, (int)e->note_length,
                          SQLITE_STATIC);
    else
        sqlite3_bind_null(s, 26);
    if (e->changes_length)
        sqlite3_bind_blob64(s, 27, bytes + e->changes, e->changes_length, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, 27);
    return step(r, s);
}

/*
 * Without a WAL a reader can be in the way: then the transaction goes on, and
 * the next commit stores what this one could not.
 */
static void commit(struct vt_recorder *r)
{
    int code = sqlite3_exec(r->db, "COMMIT", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(r->db, "BEGIN", NULL, NULL, NULL);
    if (code && (code & 0xff) != SQLITE_BUSY)
        fail(r, code);
}

static void drain(struct vt_recorder *r, struct batch *batch)
{
    for (size_t i = 0; i < batch->count && !r->failure; i++) {
        const struct staged *e = &batch->items[i];
        const uint8_t *at = (const uint8_t *)batch->bytes.data + e->changes;
        size_t left = e->changes_length;
        struct vt_packed change;
        int rc = 0;
        while (!r->failure && !(rc = vt_unpack(&at, &left, &change)))
            apply(r, e, &change);
        if (rc < 0)
            fail(r, SQLITE_MISMATCH); /* what pack.c wrote it cannot read: see pack.h */
        if (e->space && e->space->tiles.bytes != e->mapped_bytes && !r->partial) {
            sqlite3_stmt *s = get(r, MARK_PARTIAL);
            r->partial = true;
            if (s)
                step(r, s);
        }
        store_event(r, e, batch->bytes.data);
    }
    batch->count = 0;
    vt_buf_clear(&batch->bytes);
    if (!batch->commit)
        return;
    batch->commit = false;
    for (size_t i = 0; i < BUCKETS && !r->failure; i++)
        for (struct space *space = r->spaces[i]; space && !r->failure; space = space->next)
            store_stale(r, space);
    if (!r->failure)
        commit(r);
}

static void *work(void *context)
{
    struct vt_recorder *r = context;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (!r->at_work && !r->quit)
            pthread_cond_wait(&r->changed, &r->lock);
        if (!r->at_work)
            break;
        struct batch *batch = r->at_work;
        pthread_mutex_unlock(&r->lock);
        drain(r, batch);
        pthread_mutex_lock(&r->lock);
        r->at_work = NULL;
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/*
 * The worker must take none of our signals: their handlers interrupt waits of
 * the thread that traces. Where no thread can be had, the work is done in place.
 */
static void start_worker(struct vt_recorder *r)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    r->have_worker = !pthread_create(&r->worker, NULL, work, r);
    r->no_worker = !r->have_worker;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void wait_idle(struct vt_recorder *r)
{
    if (!r->have_worker)
        return;
    pthread_mutex_lock(&r->lock);
    while (r->at_work)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

/* Hand the front batch over, when the one before is done; returns what became of that one. */
static int submit(struct vt_recorder *r, bool commit)
{
    struct batch *batch = r->front;
    if (!r->have_worker && !r->no_worker)
        start_worker(r);
    wait_idle(r);
    batch->commit |= commit;
    if (batch->bytes.failed)
        fail_memory(r);
    if (r->failure || !r->have_worker) {
        drain(r, batch);
        return r->failure;
    }
    pthread_mutex_lock(&r->lock);
    r->front = batch == &r->batches[0] ? &r->batches[1] : &r->batches[0];
    r->at_work = batch;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return 0;
}

/* Everything told so far is in the database, and the database is the caller's. */
static int settle(struct vt_recorder *r, bool commit)
{
    if (r->front->count || commit)
        submit(r, commit);
    wait_idle(r);
    return r->failure;
}

static int report(struct vt_recorder *r, struct vt_error *err)
{
    if (r->failure && err)
        *err = r->why;
    return r->failure;
}

/* ---- interning: each of these has the database to itself ---------------------------------- */

static int add_object(struct vt_recorder *r, const struct vt_object *object)
{
    size_t had = r->object_capacity;
    wait_idle(r);
    if (r->failure)
        return r->failure;
    if (vt_reserve((void **)&r->objects, &r->object_capacity, (size_t)object->id + 1, 1))
        return fail_memory(r);
    memset(r->objects + had, IS_UNKNOWN, r->object_capacity - had);
    r->objects[object->id] = object->type == VT_OBJECT_FILE ? IS_FILE : IS_SPECIAL;
    sqlite3_stmt *s = get(r, ADD_OBJECT);
    if (!s)
        return r->failure;
    vt_db_bind(s, 1, object->id);
    bind_word(s, 2, object->type == VT_OBJECT_FILE ? "file" : "special");
    vt_db_bind(s, 3, object->dev_major);
    vt_db_bind(s, 4, object->dev_minor);
    vt_db_bind(s, 5, object->inode);
    vt_db_bind(s, 6, object->page_size);
    vt_db_bind_name(s, 7, object->name);
    return step(r, s);
}

static int want_object(struct vt_recorder *r, const struct vt_object *object)
{
    return !object || object_type(r, object->id) ? 0 : add_object(r, object);
}

static struct space **find_space(struct vt_recorder *r, uint32_t id)
{
    struct space **at = &r->spaces[id % BUCKETS];
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static struct space *add_space(struct vt_recorder *r, uint32_t id, uint64_t event)
{
    struct space *space = calloc(1, sizeof(*space));
    if (!space) {
        fail_memory(r);
        return NULL;
    }
    space->id = id;
    vt_tiles_init(&space->tiles);
    struct space **at = find_space(r, id);
    space->next = *at;
    *at = space;
    sqlite3_stmt *s = get(r, ADD_SPACE);
    if (s) {
        vt_db_bind(s, 1, id);
        vt_db_bind(s, 2, event);
        step(r, s);
    }
    return space;
}

static void free_space(struct space *space)
{
    vt_tiles_deinit(&space->tiles);
    free(space->images);
    free(space);
}

/* One process fewer has the space; without any it is over, and what is open stays open. */
static void leave_space(struct vt_recorder *r, struct space *space)
{
    if (!space || --space->users)
        return;
    store_stale(r, space);
    *find_space(r, space->id) = space->next;
    free_space(space);
}

/* The process has this space from this event on. The database is the caller's. */
static int enter_space(struct vt_recorder *r, struct process *process, uint32_t id, uint64_t event)
{
    struct space *space = id ? *find_space(r, id) : NULL;
    sqlite3_stmt *s;
    if (id && !space && !(space = add_space(r, id, event)))
        return r->failure;
    if (process->space && (s = get(r, LEAVE_SPACE))) {
        vt_db_bind(s, 1, process->id);
        vt_db_bind(s, 2, event);
        step(r, s);
    }
    if (space && (s = get(r, ENTER_SPACE))) {
        vt_db_bind(s, 1, process->id);
        vt_db_bind(s, 2, id);
        vt_db_bind(s, 3, event);
        step(r, s);
    }
    if (space)
        space->users++;
    process->space = space;
    return r->failure;
}

static struct process **find_process(struct vt_recorder *r, pid_t pid)
{
    struct process **at = &r->processes[(unsigned)pid % BUCKETS];
    while (*at && (*at)->pid != pid)
        at = &(*at)->next;
    return at;
}

static struct thread **find_thread(struct vt_recorder *r, pid_t pid, pid_t tid)
{
    struct thread **at = &r->threads[(unsigned)tid % BUCKETS];
    while (*at && ((*at)->tid != tid || (*at)->process->pid != pid))
        at = &(*at)->next;
    return at;
}

static void forget_thread(struct vt_recorder *r, struct thread *thread)
{
    struct thread **at = find_thread(r, thread->process->pid, thread->tid);
    *at = thread->next;
    if (r->last_thread == thread)
        r->last_thread = NULL;
    free(thread);
}

static struct process *add_process(struct vt_recorder *r, const struct vt_event *event)
{
    struct process *process = calloc(1, sizeof(*process));
    sqlite3_stmt *s = get(r, ADD_PROCESS);
    if (!process || !s) {
        free(process);
        fail_memory(r);
        return NULL;
    }
    struct process **at = find_process(r, event->pid);
    process->pid = event->pid;
    process->id = ++r->process_count;
    process->next = *at;
    *at = process;
    vt_db_bind(s, 1, process->id);
    sqlite3_bind_int64(s, 2, event->pid);
    vt_db_bind(s, 3, event->seq);
    step(r, s);
    return process;
}

static struct thread *add_thread(struct vt_recorder *r, const struct vt_event *event)
{
    wait_idle(r);
    struct process *process = *find_process(r, event->pid);
    if (!process && !(process = add_process(r, event)))
        return NULL;
    struct thread *thread = calloc(1, sizeof(*thread));
    sqlite3_stmt *s = get(r, ADD_THREAD);
    if (!thread || !s) {
        free(thread);
        fail_memory(r);
        return NULL;
    }
    struct thread **at = find_thread(r, event->pid, event->tid);
    thread->tid = event->tid;
    thread->id = ++r->thread_count;
    thread->process = process;
    thread->next = *at;
    *at = thread;
    thread->sibling = process->threads;
    process->threads = thread;
    vt_db_bind(s, 1, thread->id);
    vt_db_bind(s, 2, process->id);
    sqlite3_bind_int64(s, 3, event->tid);
    vt_db_bind(s, 4, event->seq);
    step(r, s);
    return thread;
}

/* The event's thread; a new one where a thread id is used again. Null after a failure. */
static struct thread *want_thread(struct vt_recorder *r, const struct vt_event *event)
{
    struct thread *thread = r->last_thread;
    bool fresh = event->cause == VT_CAUSE_THREAD || event->cause == VT_CAUSE_FORK;
    if (fresh || !thread || thread->tid != event->tid || thread->process->pid != event->pid) {
        thread = *find_thread(r, event->pid, event->tid);
        if (thread && fresh) { /* the one of before has ended unseen */
            struct thread **at = &thread->process->threads;
            while (*at != thread)
                at = &(*at)->sibling;
            *at = thread->sibling;
            forget_thread(r, thread);
            thread = NULL;
        }
        if (!thread)
            thread = add_thread(r, event);
        r->last_thread = thread;
    }
    return thread;
}

static int add_call(struct vt_recorder *r, const struct vt_call *call, struct call **made)
{
    struct call *row = calloc(1, sizeof(*row));
    wait_idle(r);
    sqlite3_stmt *s = get(r, ADD_CALL);
    if (!row || !s) {
        free(row);
        return fail_memory(r);
    }
    struct call **at = &r->calls[call->number % VT_COUNTOF(r->calls)];
    *row = (struct call){.name = call->name,
                         .number = call->number,
                         .abi = call->abi,
                         .arg_count = call->arg_count,
                         .id = ++r->call_count,
                         .next = *at};
    *at = *made = row;
    vt_db_bind(s, 1, row->id);
    bind_word(s, 2, call->name);
    bind_word(s, 3, vt_abi_name(call->abi));
    vt_db_bind(s, 4, call->number);
    vt_db_bind(s, 5, call->arg_count);
    for (unsigned i = 0; i < 6; i++)
        bind_word(s, 6 + (int)i,
                  call->arg_names && i < call->arg_count ? call->arg_names[i] : NULL);
    return step(r, s);
}

static int want_call(struct vt_recorder *r, const struct vt_call *call, uint32_t *id)
{
    struct call *row = call ? r->calls[call->number % VT_COUNTOF(r->calls)] : NULL;
    *id = 0;
    if (!call)
        return 0;
    while (row && (row->number != call->number || row->abi != call->abi ||
                   row->arg_count != call->arg_count ||
                   (row->name != call->name && strcmp(row->name, call->name) != 0)))
        row = row->next;
    if (!row && add_call(r, call, &row))
        return r->failure;
    *id = row->id;
    return 0;
}

static int add_image(struct vt_recorder *r, struct space *space, const struct vt_detail *detail,
                     uint64_t event)
{
    wait_idle(r);
    if (vt_reserve((void **)&space->images, &space->image_capacity, space->image_count + 1,
                   sizeof(*space->images)))
        return fail_memory(r);
    sqlite3_stmt *s = get(r, ADD_IMAGE);
    if (!s)
        return r->failure;
    space->images[space->image_count++] =
        (struct image){.id = ++r->image_count, .object = detail->image->id, .bias = detail->bias};
    vt_db_bind(s, 1, r->image_count);
    vt_db_bind(s, 2, space->id);
    vt_db_bind(s, 3, detail->image->id);
    vt_db_bind(s, 4, detail->bias);
    vt_db_bind(s, 5, event);
    return step(r, s);
}

static int add_parts(struct vt_recorder *r, const struct vt_detail *detail)
{
    wait_idle(r);
    for (size_t i = 0; i < detail->part_count; i++) {
        sqlite3_stmt *s = get(r, ADD_PART);
        if (!s)
            break;
        vt_db_bind(s, 1, detail->image->id);
        vt_db_bind(s, 2, detail->parts[i].start);
        vt_db_bind(s, 3, detail->parts[i].end);
        bind_word(s, 4, vt_kind_name(detail->parts[i].kind));
        step(r, s);
    }
    return r->failure;
}

static int want_image(struct vt_recorder *r, struct space *space, const struct vt_detail *detail,
                      uint64_t event)
{
    if (!detail->image || want_object(r, detail->image))
        return r->failure;
    bool known = !space;
    for (size_t i = space ? space->image_count : 0; i-- > 0 && !known;)
        known = space->images[i].object == detail->image->id &&
                space->images[i].bias == detail->bias;
    if (!known && add_image(r, space, detail, event))
        return r->failure;
    return detail->part_count ? add_parts(r, detail) : 0;
}

static int add_frame(struct vt_recorder *r, const struct vt_frame *frame)
{
    sqlite3_stmt *s;
    r->last_frame = frame->id;
    if (want_object(r, frame->object) || !(s = get(r, ADD_FRAME)))
        return r->failure;
    vt_db_bind(s, 1, frame->id);
    bind_or_null(s, 2, frame->object, frame->object ? frame->object->id : 0);
    vt_db_bind(s, 3, frame->address);
    sqlite3_bind_int(s, 4, frame->interrupted);
    vt_db_bind_name(s, 5, frame->function);
    vt_db_bind(s, 6, frame->offset);
    vt_db_bind_name(s, 7, frame->file);
    vt_db_bind(s, 8, frame->line);
    step(r, s);
    for (size_t i = 0; i < frame->inlined_count && (s = get(r, ADD_INLINED)); i++) {
        vt_db_bind(s, 1, frame->id);
        vt_db_bind(s, 2, i);
        vt_db_bind_name(s, 3, frame->inlined[i].function);
        vt_db_bind_name(s, 4, frame->inlined[i].file);
        vt_db_bind(s, 5, frame->inlined[i].line);
        step(r, s);
    }
    return r->failure;
}

static int want_stack(struct vt_recorder *r, const struct vt_stack *stack)
{
    sqlite3_stmt *s;
    if (!stack || stack->id <= r->last_stack)
        return 0;
    r->last_stack = stack->id;
    wait_idle(r);
    if (!(s = get(r, ADD_STACK)))
        return r->failure;
    vt_db_bind(s, 1, stack->id);
    bind_word(s, 2, vt_stack_end_name(stack->end));
    step(r, s);
    for (size_t i = 0; i < stack->frame_count; i++) {
        if (stack->frames[i]->id > r->last_frame && add_frame(r, stack->frames[i]))
            return r->failure;
        if (!(s = get(r, ADD_STACK_FRAME)))
            return r->failure;
        vt_db_bind(s, 1, stack->id);
        vt_db_bind(s, 2, i);
        vt_db_bind(s, 3, stack->frames[i]->id);
        step(r, s);
    }
    return r->failure;
}

/* ---- what has tables of its own -------------------------------------------------------------- */

static const char *const program_types[] = {
    [VT_PROGRAM_UNKNOWN] = "unknown",
    [VT_PROGRAM_STATIC] = "static",
    [VT_PROGRAM_STATIC_PIE] = "static-pie",
    [VT_PROGRAM_DYNAMIC] = "dynamic",
    [VT_PROGRAM_PIE] = "pie",
};

static int store_program(struct vt_recorder *r, const struct vt_event *event, uint32_t process)
{
    const struct vt_exec_info *info = event->exec;
    sqlite3_stmt *s = get(r, ADD_PROGRAM);
    if (!s)
        return r->failure;
    vt_db_bind(s, 1, event->seq);
    vt_db_bind(s, 2, process);
    vt_db_bind_name(s, 3, info->path);
    bind_word(s, 4,
              (size_t)info->type < VT_COUNTOF(program_types) ? program_types[info->type]
                                                             : program_types[0]);
    vt_db_bind(s, 5, info->class_bits);
    vt_db_bind(s, 6, info->images);
    vt_db_bind(s, 7, info->regions);
    vt_db_bind(s, 8, info->left_space);
    return step(r, s);
}

static void bind_exactness(sqlite3_stmt *s, int column, const struct vt_exactness *exact)
{
    vt_db_bind(s, column, exact->stops);
    vt_db_bind(s, column + 1, exact->compared);
    vt_db_bind(s, column + 2, exact->agreed);
    vt_db_bind(s, column + 3, exact->resyncs);
    vt_db_bind(s, column + 4, exact->uncertain);
    vt_db_bind(s, column + 5, exact->lost);
}

static int store_kind_totals(struct vt_recorder *r, uint32_t process,
                             const struct vt_process_totals *totals)
{
    for (unsigned i = 0; i < VT_KIND_COUNT; i++) {
        const struct vt_kind_totals *k = &totals->kinds[i];
        sqlite3_stmt *s;
        if (!k->regions && !k->bytes && !k->made_count && !k->gone_count)
            continue;
        if (!(s = get(r, ADD_KIND_TOTALS)))
            break;
        vt_db_bind(s, 1, process);
        bind_word(s, 2, vt_kind_name((uint8_t)i));
        vt_db_bind(s, 3, k->regions);
        vt_db_bind(s, 4, k->bytes);
        vt_db_bind(s, 5, k->peak_bytes);
        vt_db_bind(s, 6, k->made_count);
        vt_db_bind(s, 7, k->made_bytes);
        vt_db_bind(s, 8, k->gone_count);
        vt_db_bind(s, 9, k->gone_bytes);
        step(r, s);
    }
    return r->failure;
}

static int store_exit(struct vt_recorder *r, const struct vt_event *event, uint32_t process)
{
    static const struct vt_process_totals none;
    const struct vt_exit_info *info = event->exit;
    const struct vt_process_totals *totals = info->totals ? info->totals : &none;
    sqlite3_stmt *s = get(r, END_PROCESS);
    if (!s)
        return r->failure;
    vt_db_bind(s, 1, process);
    vt_db_bind(s, 2, event->seq);
    bind_word(s, 3, vt_cause_name(event->cause));
    sqlite3_bind_int(s, 4, info->wait_status);
    sqlite3_bind_int64(s, 5, info->lifetime_ns);
    vt_db_bind_name(s, 6, info->name);
    sqlite3_bind_int(s, 7, info->root);
    bind_or_null(s, 8, info->totals, totals->bytes);
    vt_db_bind(s, 9, totals->peak_bytes);
    vt_db_bind(s, 10, totals->usable_peak_bytes);
    vt_db_bind(s, 11, totals->events);
    vt_db_bind(s, 12, totals->sp_first);
    vt_db_bind(s, 13, totals->sp_lowest);
    vt_db_bind(s, 14, totals->stack_low);
    vt_db_bind(s, 15, totals->stack_high);
    bind_exactness(s, 16, &info->exactness);
    if (step(r, s))
        return r->failure;
    for (size_t i = 0; i < info->stack_count && (s = get(r, ADD_STACK_USE)); i++) {
        vt_db_bind(s, 1, process);
        vt_db_bind(s, 2, i);
        sqlite3_bind_int64(s, 3, info->stacks[i].tid);
        sqlite3_bind_int(s, 4, info->stacks[i].main);
        vt_db_bind(s, 5, info->stacks[i].low);
        vt_db_bind(s, 6, info->stacks[i].high);
        vt_db_bind(s, 7, info->stacks[i].floor);
        vt_db_bind(s, 8, info->stacks[i].sp_lowest);
        step(r, s);
    }
    return store_kind_totals(r, process, totals);
}

static int store_fault_region(struct vt_recorder *r, uint64_t event, const char *role,
                              const struct vt_region *region)
{
    sqlite3_stmt *s;
    if (region->start >= region->end)
        return 0;
    if (want_object(r, region->object) || !(s = get(r, ADD_FAULT_REGION)))
        return r->failure;
    vt_db_bind(s, 1, event);
    bind_word(s, 2, role);
    vt_db_bind(s, 3, region->start);
    vt_db_bind(s, 4, region->end);
    bind_word(s, 5, perm_text(region->prot, region->flags));
    bind_word(s, 6, vt_kind_name(region->kind));
    vt_db_bind(s, 7, region->flags & ~(unsigned)VT_REGION_SHARED);
    bind_or_null(s, 8, region->object, region->object ? region->object->id : 0);
    vt_db_bind(s, 9, region->offset);
    return step(r, s);
}

static int store_fault(struct vt_recorder *r, const struct vt_event *event)
{
    const struct vt_fault_info *fault = event->fault;
    const struct vt_past *past = &fault->past;
    sqlite3_stmt *s = get(r, ADD_FAULT);
    if (!s)
        return r->failure;
    vt_db_bind(s, 1, event->seq);
    sqlite3_bind_int(s, 2, fault->signal);
    sqlite3_bind_int(s, 3, fault->code);
    sqlite3_bind_int(s, 4, fault->sender);
    bind_or_null(s, 5, fault->has_addr, fault->addr);
    bind_word(s, 6, vt_fault_verdict_name(fault->verdict));
    sqlite3_bind_int(s, 7, fault->from_start);
    vt_db_bind(s, 8, fault->stack_limit);
    vt_db_bind(s, 9, fault->file_size);
    bind_or_null(s, 10, fault->has_past, past->seq);
    bind_or_null(s, 11, fault->has_past, (uint64_t)past->time_ns);
    bind_or_null(s, 12, fault->has_past, (uint64_t)past->pid);
    bind_or_null(s, 13, fault->has_past, (uint64_t)past->tid);
    bind_word(s, 14, fault->has_past ? past->cause : NULL);
    bind_word(s, 15, fault->has_past ? op_text((uint8_t)past->op) : NULL);
    bind_or_null(s, 16, fault->has_past, past->prot_after);
    if (step(r, s) || store_fault_region(r, event->seq, "here", &fault->here) ||
        store_fault_region(r, event->seq, "below", &fault->below) ||
        store_fault_region(r, event->seq, "above", &fault->above) ||
        (fault->has_past && store_fault_region(r, event->seq, "past", &past->before)))
        return r->failure;
    return 0;
}

/* ---- events ------------------------------------------------------------------------------------ */

/* Put the event into the front batch. */
static void stage(struct vt_recorder *r, const struct vt_event *event, const struct thread *thread,
                  struct space *space, struct space *old_space, uint32_t call)
{
    struct batch *batch = r->front;
    struct staged *e = &batch->items[batch->count++];
    size_t from = batch->bytes.length;
    for (size_t i = 0; i < event->change_count; i++)
        if (event->changes[i].start < event->changes[i].end)
            vt_pack(&batch->bytes, &event->changes[i], event->details ? &event->details[i] : NULL);
    *e = (struct staged){
        .seq = event->seq,
        .time_ns = event->time_ns,
        .cause = vt_event_cause_name(event),
        .space = space,
        .old_space = old_space,
        .sp = event->sp,
        .ip = event->ip,
        .mapped_bytes = event->mapped_bytes,
        .heap_bytes = event->heap_bytes,
        .stack = event->stack ? event->stack->id : 0,
        .changes = from,
        .changes_length = batch->bytes.length - from,
        .note_length = SIZE_MAX,
        .process = thread->process->id,
        .thread = thread->id,
        .space_id = event->space,
        .call = call,
        .parent = event->parent,
        .uncertain = event->uncertain,
        .shares = event->shares_space,
        .sp_place = (uint8_t)event->sp_place,
    };
    if (event->call) {
        e->arg_count = (uint8_t)vt_min(event->call->arg_count, 6);
        memcpy(e->args, event->call->args, sizeof(e->args));
        e->result = event->call->result;
        e->error = event->call->error;
        e->failed = event->call->failed;
    }
    if (event->note) {
        e->note_length = strlen(event->note);
        vt_buf_add(&batch->bytes, event->note, e->note_length);
    }
}

/* Which space the process has: a new one at an exec, at its first event, or unseen before. */
static int want_space(struct vt_recorder *r, struct process *process, const struct vt_event *event)
{
    uint32_t had = process->space ? process->space->id : 0;
    if (event->space == had || (event->exit && !event->space))
        return 0;
    if (settle(r, false))
        return r->failure;
    return enter_space(r, process, event->space, event->seq);
}

/* The process is over, or left: forget it, and its space if no other has it. */
static int end_process(struct vt_recorder *r, struct process *process)
{
    if (settle(r, false))
        return r->failure;
    leave_space(r, process->space);
    while (process->threads) {
        struct thread *thread = process->threads;
        process->threads = thread->sibling;
        forget_thread(r, thread);
    }
    *find_process(r, process->pid) = process->next;
    free(process);
    return r->failure;
}

int vt_recorder_event(struct vt_recorder *r, const struct vt_event *event, struct vt_error *err)
{
    struct thread *thread = want_thread(r, event);
    uint32_t call;
    if (!thread)
        return report(r, err);
    struct process *process = thread->process;
    struct space *had = process->space;
    if (event->seq > r->last_seq + 1)
        r->left_out += event->seq - r->last_seq - 1;
    r->last_seq = event->seq;

    if (want_space(r, process, event) || want_call(r, event->call, &call) ||
        want_stack(r, event->stack))
        return report(r, err);
    struct space *space = process->space;
    struct space *old_space = event->cause == VT_CAUSE_EXEC && had ? had : space;
    for (size_t i = 0; i < event->change_count; i++) {
        const struct vt_change *change = &event->changes[i];
        if ((change->op != VT_CHANGE_MADE && want_object(r, change->before.object)) ||
            (change->op != VT_CHANGE_GONE && want_object(r, change->after.object)) ||
            (event->details && event->details[i].image &&
             want_image(r, change->op == VT_CHANGE_GONE ? old_space : space, &event->details[i],
                        event->seq)))
            return report(r, err);
    }
    stage(r, event, thread, space, old_space, call);
    if (event->exec || event->exit || event->fault) {
        wait_idle(r);
        if ((event->exec && store_program(r, event, process->id)) ||
            (event->exit && store_exit(r, event, process->id)) ||
            (event->fault && store_fault(r, event)))
            return report(r, err);
    }
    if (had != space) {
        if (settle(r, false))
            return report(r, err);
        leave_space(r, had);
    }
    if (event->exit && end_process(r, process))
        return report(r, err);
    bool full = r->front->count >= BATCH_EVENTS || r->front->bytes.length >= BATCH_BYTES;
    return full && submit(r, true) ? report(r, err) : 0;
}

int vt_recorder_flush(struct vt_recorder *r, struct vt_error *err)
{
    return submit(r, true) ? report(r, err) : 0;
}

/* ---- begin and end --------------------------------------------------------------------------------- */

static int64_t read_max_map_count(void)
{
    long value = -1;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file) {
        if (fscanf(file, "%ld", &value) != 1)
            value = -1;
        fclose(file);
    }
    return value;
}

int vt_recorder_begin(struct vt_recorder *r, const struct vt_run *run, struct vt_error *err)
{
    sqlite3_stmt *s = get(r, ADD_RUN);
    int64_t most = read_max_map_count();
    if (s) {
        vt_db_bind_name(s, 1, run->version ? run->version : "");
        vt_db_bind_name(s, 2, run->kernel ? run->kernel : "");
        vt_db_bind_name(s, 3, run->machine ? run->machine : "");
        vt_db_bind(s, 4, run->page_size);
        bind_or_null(s, 5, run->aslr >= 0, (uint64_t)run->aslr);
        sqlite3_bind_int(s, 6, run->aslr_disabled);
        bind_or_null(s, 7, most >= 0, (uint64_t)most);
        sqlite3_bind_int64(s, 8, run->start_unix_ns);
        sqlite3_bind_int(s, 9, run->command != NULL);
        sqlite3_bind_int(s, 10, run->verify);
        sqlite3_bind_int(s, 11, run->multiple);
        step(r, s);
    }
    for (int i = 0; run->command && run->command[i] && (s = get(r, ADD_ARGUMENT)); i++) {
        sqlite3_bind_int(s, 1, i);
        vt_db_bind_name(s, 2, run->command[i]);
        step(r, s);
    }
    for (int i = 0; i < VT_KIND_COUNT && (s = get(r, ADD_KIND)); i++) {
        sqlite3_bind_int(s, 1, i);
        bind_word(s, 2, vt_kind_name((uint8_t)i));
        step(r, s);
    }
    if (!r->failure)
        run_sql(r, "COMMIT; BEGIN"); /* from here on it is a recording */
    return report(r, err);
}

int vt_recorder_end(struct vt_recorder *r, const struct vt_summary *summary, struct vt_error *err)
{
    sqlite3_stmt *s;
    if (settle(r, true) || !(s = get(r, END_RUN)))
        return report(r, err);
    sqlite3_bind_int64(s, 1, summary->duration_ns);
    vt_db_bind(s, 2, summary->events);
    vt_db_bind(s, 3,
               r->left_out + (summary->events > r->last_seq ? summary->events - r->last_seq : 0));
    vt_db_bind(s, 4, summary->processes);
    vt_db_bind(s, 5, summary->threads);
    bind_exactness(s, 6, &summary->exactness);
    vt_db_bind_name(s, 12, summary->interrupted);
    sqlite3_busy_timeout(r->db, 10000);
    if (step(r, s) || run_sql(r, "COMMIT"))
        return report(r, err);
    sqlite3_busy_timeout(r->db, 0);
    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(r->prepared[i]);
        r->prepared[i] = NULL;
    }
    /* One file in the end. While a reader has it open this does not come off, and need not. */
    sqlite3_exec(r->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    int code = sqlite3_close(r->db);
    r->db = NULL;
    if (code)
        fail(r, code);
    return report(r, err);
}

/* Make sure that there is an empty regular file, and nothing left of an older recording. */
static int make_file(const char *path, struct vt_error *err)
{
    static const char *const tails[] = {"-wal", "-shm", "-journal"};
    struct stat info;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    if (fd < 0)
        return vt_error_errno(err, errno, "cannot open \"%s\" for writing", path);
    bool regular = !fstat(fd, &info) && S_ISREG(info.st_mode);
    int failed;
    do
        failed = regular && ftruncate(fd, 0) ? errno : 0;
    while (failed == EINTR);
    close(fd);
    if (failed)
        return vt_error_errno(err, failed, "cannot empty \"%s\"", path);
    if (!regular)
        return vt_error_set(err, EINVAL,
                            "cannot record to \"%s\": a recording needs a regular file", path);
    for (size_t i = 0; i < VT_COUNTOF(tails); i++) {
        char *name;
        if (asprintf(&name, "%s%s", path, tails[i]) < 0)
            return vt_error_errno(err, ENOMEM, "cannot record to \"%s\"", path);
        unlink(name);
        free(name);
    }
    return 0;
}

static int open_database(struct vt_recorder *r)
{
    int code = sqlite3_open_v2(r->path, &r->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_EXRESCODE,
                               NULL);
    if (code)
        return fail(r, code);
    sqlite3_busy_timeout(r->db, 100);
    /* Where there can be no WAL (some network file systems) the answer is another journal. */
    if (run_sql(r, "PRAGMA synchronous = OFF; PRAGMA cache_size = -4096; "
                   "PRAGMA journal_mode = WAL; BEGIN"))
        return r->failure;
    return run_sql(r, vt_recording_schema);
}

int vt_recorder_create(const char *path, struct vt_recorder **recorder, struct vt_error *err)
{
    *recorder = NULL;
    int rc = make_file(path, err);
    if (rc)
        return rc;
    struct vt_recorder *r = calloc(1, sizeof(*r));
    if (!r)
        return vt_error_errno(err, ENOMEM, "cannot record to \"%s\"", path);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    r->front = &r->batches[0];
    r->path = realpath(path, NULL);
    r->name = strdup(path);
    for (size_t i = 0; i < VT_COUNTOF(r->batches); i++)
        r->batches[i].items = malloc(BATCH_EVENTS * sizeof(r->batches[i].items[0]));
    if (!r->path || !r->name || !r->batches[0].items || !r->batches[1].items)
        rc = vt_error_errno(err, ENOMEM, "cannot record to \"%s\"", path);
    else if (open_database(r))
        rc = report(r, err);
    if (rc) {
        vt_recorder_destroy(r);
        return rc;
    }
    *recorder = r;
    return 0;
}

static void free_interned(struct vt_recorder *r)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (r->processes[i]) {
            struct process *process = r->processes[i];
            r->processes[i] = process->next;
            free(process);
        }
        while (r->threads[i]) {
            struct thread *thread = r->threads[i];
            r->threads[i] = thread->next;
            free(thread);
        }
        while (r->spaces[i]) {
            struct space *space = r->spaces[i];
            r->spaces[i] = space->next;
            free_space(space);
        }
    }
    for (size_t i = 0; i < VT_COUNTOF(r->calls); i++) {
        while (r->calls[i]) {
            struct call *call = r->calls[i];
            r->calls[i] = call->next;
            free(call);
        }
    }
    free(r->objects);
}

void vt_recorder_destroy(struct vt_recorder *r)
{
    if (!r)
        return;
    if (r->have_worker) {
        wait_idle(r);
        pthread_mutex_lock(&r->lock);
        r->quit = true;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->worker, NULL);
    }
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(r->prepared[i]);
    sqlite3_close(r->db);
    free_interned(r);
    for (size_t i = 0; i < VT_COUNTOF(r->batches); i++) {
        vt_buf_deinit(&r->batches[i].bytes);
        free(r->batches[i].items);
    }
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r->path);
    free(r->name);
    free(r);
}
