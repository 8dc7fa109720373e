/*
 * rows.c - hides how rows come into SQLite: a queue for each table, which one
 * statement empties, reading the queue as a table (`queued`). A statement a row
 * costs half as much again and more: it binds, and looks for the table's end anew.
 *
 * Journal: WAL, so that readers and the writer do not wait for each other, and
 * a killed writer leaves what was committed. At the end the log is folded into
 * the one file. synchronous is OFF: a killed tracer leaves what it wrote to the
 * kernel, and against a power cut a timeline is not worth the stalls.
 *
 * Invariants: a transaction is open from creation to the end, so that others
 * see either all of a commit or nothing; the rows of a queue are as wide as its
 * table; after a failure nothing reaches the file any more.
 */
#include "recording/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* Queues are emptied when they hold this much: more would not stay in the processor's cache. */
#define QUEUED_ROWS  256
#define QUEUED_BYTES ((size_t)64 * 1024)
#define COLUMNS_MOST 32

/* Rows that wait to be stored. */
struct queue {
    struct vt_cell *cells; /* row after row */
    size_t capacity;
    size_t count; /* rows */
    size_t width; /* cells of a row; 0: there was none yet */
    sqlite3_stmt *insert;
    uint32_t last_number;
};

struct vt_rows {
    sqlite3 *db;
    const char *name; /* for messages */
    struct queue queues[VT_TABLE_COUNT];
    struct queue *at_work; /* what the table `queued` shows */
    struct vt_buf bytes;   /* copies that cells of all queues refer to */
    size_t queued;
    uint64_t pending;
    int failure; /* negative, with its text */
    struct vt_error why;
};

struct vt_cell vt_cell_word(const char *word)
{
    return word ? (struct vt_cell){VT_CELL_WORD, (uint32_t)strlen(word), {.bytes = word}}
                : vt_cell_null();
}

struct vt_cell vt_cell_name(const char *name)
{
    return name ? (struct vt_cell){VT_CELL_NAME,
                                   (uint32_t)strnlen(name, INT32_MAX / 2),
                                   {.bytes = name}}
                : vt_cell_null();
}

struct vt_cell vt_cell_blob(const void *bytes, size_t length)
{
    return (struct vt_cell){VT_CELL_BLOB, (uint32_t)length, {.bytes = bytes}};
}

/* ---- failures ------------------------------------------------------------------------ */

static void fail(struct vt_rows *rows, int code)
{
    if (!rows->failure)
        rows->failure = vt_db_error(rows->db, code, "write the recording", rows->name, &rows->why);
}

void vt_rows_no_memory(struct vt_rows *rows)
{
    fail(rows, SQLITE_NOMEM);
}

int vt_rows_failure(const struct vt_rows *rows, struct vt_error *err)
{
    if (rows->failure && err)
        *err = rows->why;
    return rows->failure;
}

static void run_sql(struct vt_rows *rows, const char *sql)
{
    int code = rows->failure ? 0 : sqlite3_exec(rows->db, sql, NULL, NULL, NULL);
    if (code)
        fail(rows, code);
}

/* ---- a queue as a table ---------------------------------------------------------------- */

struct queue_table {
    sqlite3_vtab base;
    struct vt_rows *rows;
};

struct queue_cursor {
    sqlite3_vtab_cursor base;
    const struct queue *queue;
    const char *bytes;
    size_t row;
};

static int table_connect(sqlite3 *db, void *context, int argc, const char *const *argv,
                         sqlite3_vtab **made, char **error)
{
    (void)argc, (void)argv, (void)error;
    struct vt_buf sql = {0};
    vt_buf_str(&sql, "CREATE TABLE queued (c0");
    for (int i = 1; i < COLUMNS_MOST; i++)
        vt_buf_printf(&sql, ", c%d", i);
    vt_buf_str(&sql, ")");
    int code = sqlite3_declare_vtab(db, vt_buf_cstr(&sql));
    struct queue_table *table = calloc(1, sizeof(*table));
    if (!table || sql.failed)
        code = SQLITE_NOMEM;
    vt_buf_deinit(&sql);
    if (code) {
        free(table);
        return code;
    }
    table->rows = context;
    *made = &table->base;
    return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *table)
{
    free(table);
    return SQLITE_OK;
}

static int table_plan(sqlite3_vtab *table, sqlite3_index_info *plan)
{
    (void)table;
    plan->estimatedCost = QUEUED_ROWS;
    return SQLITE_OK;
}

static int cursor_open(sqlite3_vtab *table, sqlite3_vtab_cursor **made)
{
    (void)table;
    struct queue_cursor *cursor = calloc(1, sizeof(*cursor));
    if (!cursor)
        return SQLITE_NOMEM;
    *made = &cursor->base;
    return SQLITE_OK;
}

static int cursor_close(sqlite3_vtab_cursor *cursor)
{
    free(cursor);
    return SQLITE_OK;
}

static int cursor_begin(sqlite3_vtab_cursor *base, int number, const char *text, int argc,
                        sqlite3_value **argv)
{
    (void)number, (void)text, (void)argc, (void)argv;
    struct queue_cursor *cursor = (struct queue_cursor *)base;
    const struct vt_rows *rows = ((const struct queue_table *)base->pVtab)->rows;
    cursor->queue = rows->at_work;
    cursor->bytes = rows->bytes.data;
    cursor->row = 0;
    return SQLITE_OK;
}

static int cursor_next(sqlite3_vtab_cursor *cursor)
{
    ((struct queue_cursor *)cursor)->row++;
    return SQLITE_OK;
}

static int cursor_is_at_end(sqlite3_vtab_cursor *base)
{
    const struct queue_cursor *cursor = (const struct queue_cursor *)base;
    return cursor->row >= cursor->queue->count;
}

static int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *result, int column)
{
    const struct queue_cursor *cursor = (const struct queue_cursor *)base;
    const struct queue *queue = cursor->queue;
    const struct vt_cell *cell = &queue->cells[cursor->row * queue->width + (size_t)column];
    switch (cell->type) {
    case VT_CELL_NULL:
        break;
    case VT_CELL_NUMBER:
        sqlite3_result_int64(result, cell->number);
        break;
    case VT_CELL_WORD:
        sqlite3_result_text(result, cell->bytes, (int)cell->length, SQLITE_STATIC);
        break;
    case VT_CELL_NAME:
        sqlite3_result_text(result, cursor->bytes + cell->at, (int)cell->length, SQLITE_STATIC);
        break;
    case VT_CELL_BLOB:
        sqlite3_result_blob(result, cursor->bytes + cell->at, (int)cell->length, SQLITE_STATIC);
        break;
    }
    return SQLITE_OK;
}

static int cursor_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
    *rowid = (sqlite3_int64)((struct queue_cursor *)cursor)->row;
    return SQLITE_OK;
}

/* Without xCreate it is there by its name alone, and leaves no trace in the schema. */
static const sqlite3_module queue_module = {
    .xConnect = table_connect,
    .xDisconnect = table_disconnect,
    .xBestIndex = table_plan,
    .xOpen = cursor_open,
    .xClose = cursor_close,
    .xFilter = cursor_begin,
    .xNext = cursor_next,
    .xEof = cursor_is_at_end,
    .xColumn = cursor_column,
    .xRowid = cursor_rowid,
};

/* ---- storing --------------------------------------------------------------------------- */

static void prepare_insert(struct vt_rows *rows, enum vt_table table)
{
    struct queue *queue = &rows->queues[table];
    struct vt_buf sql = {0};
    vt_buf_printf(&sql, "INSERT OR %s INTO %s SELECT c0", vt_tables[table].on_conflict,
                  vt_tables[table].name);
    for (size_t i = 1; i < queue->width; i++)
        vt_buf_printf(&sql, ", c%zu", i);
    vt_buf_str(&sql, " FROM queued");
    int code = sqlite3_prepare_v3(rows->db, vt_buf_cstr(&sql), -1, SQLITE_PREPARE_PERSISTENT,
                                  &queue->insert, NULL);
    if (code || sql.failed)
        fail(rows, code ? code : SQLITE_NOMEM);
    vt_buf_deinit(&sql);
}

static void step(struct vt_rows *rows, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    if (code != SQLITE_DONE)
        fail(rows, code == SQLITE_ROW ? SQLITE_MISMATCH : code);
    sqlite3_reset(statement);
}

static void empty_queues(struct vt_rows *rows)
{
    if (rows->bytes.failed)
        vt_rows_no_memory(rows);
    for (int table = 0; table < VT_TABLE_COUNT; table++) {
        struct queue *queue = &rows->queues[table];
        if (queue->count && !queue->insert && !rows->failure)
            prepare_insert(rows, (enum vt_table)table);
        rows->at_work = queue;
        if (queue->count && !rows->failure)
            step(rows, queue->insert);
        queue->count = 0;
    }
    rows->queued = 0;
    vt_buf_clear(&rows->bytes);
}

void vt_rows_add(struct vt_rows *rows, enum vt_table table, const struct vt_cell *cells,
                 size_t count)
{
    struct queue *queue = &rows->queues[table];
    if (rows->failure)
        return;
    if (vt_reserve((void **)&queue->cells, &queue->capacity, (queue->count + 1) * count,
                   sizeof(*cells))) {
        vt_rows_no_memory(rows);
        return;
    }
    struct vt_cell *row = &queue->cells[queue->count * count];
    for (size_t i = 0; i < count; i++) {
        row[i] = cells[i];
        if (cells[i].type < VT_CELL_NAME)
            continue;
        if (cells[i].type == VT_CELL_NAME && !vt_db_is_text(cells[i].bytes))
            row[i].type = VT_CELL_BLOB;
        row[i].at = rows->bytes.length;
        vt_buf_add(&rows->bytes, cells[i].bytes, cells[i].length);
    }
    queue->width = count;
    queue->count++;
    rows->pending++;
    if (++rows->queued >= QUEUED_ROWS || rows->bytes.length >= QUEUED_BYTES)
        empty_queues(rows);
}

void vt_rows_update(struct vt_rows *rows, const char *sql, const struct vt_cell *cells,
                    size_t count)
{
    sqlite3_stmt *statement;
    if (rows->failure)
        return;
    int code = sqlite3_prepare_v2(rows->db, sql, -1, &statement, NULL);
    if (code) {
        fail(rows, code);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        int at = (int)i + 1;
        if (cells[i].type == VT_CELL_NUMBER)
            sqlite3_bind_int64(statement, at, cells[i].number);
        else if (cells[i].type == VT_CELL_WORD || cells[i].type == VT_CELL_NAME)
            vt_db_bind_name(statement, at, cells[i].bytes);
    }
    step(rows, statement);
    sqlite3_finalize(statement);
}

uint32_t vt_rows_number(struct vt_rows *rows, enum vt_table table)
{
    return ++rows->queues[table].last_number;
}

uint64_t vt_rows_pending(const struct vt_rows *rows)
{
    return rows->pending;
}

void vt_rows_commit(struct vt_rows *rows)
{
    empty_queues(rows);
    if (rows->failure)
        return;
    int code = sqlite3_exec(rows->db, "COMMIT", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(rows->db, "BEGIN", NULL, NULL, NULL);
    if (code && (code & 0xff) != SQLITE_BUSY)
        fail(rows, code);
    rows->pending = 0;
}

/* ---- opening and closing ----------------------------------------------------------------- */

static void open_database(struct vt_rows *rows, const char *path)
{
    int code = sqlite3_open_v2(path, &rows->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_EXRESCODE,
                               NULL);
    if (!code)
        code = sqlite3_create_module(rows->db, "queued", &queue_module, rows);
    if (code) {
        fail(rows, code);
        return;
    }
    sqlite3_busy_timeout(rows->db, 100);
    /* Where there can be no WAL (some network file systems) the answer is another journal. */
    run_sql(rows, "PRAGMA synchronous = OFF; PRAGMA cache_size = -4096; "
                  "PRAGMA temp_store = MEMORY; PRAGMA journal_mode = WAL; BEGIN");
    run_sql(rows, vt_recording_schema);
}

int vt_rows_create(const char *path, const char *name, struct vt_rows **made, struct vt_error *err)
{
    struct vt_rows *rows = calloc(1, sizeof(*rows));
    *made = NULL;
    if (!rows)
        return vt_error_errno(err, ENOMEM, "cannot write the recording \"%s\"", name);
    rows->name = name;
    open_database(rows, path);
    int rc = vt_rows_failure(rows, err);
    if (rc)
        vt_rows_destroy(rows);
    else
        *made = rows;
    return rc;
}

static void finalize(struct vt_rows *rows)
{
    for (size_t i = 0; i < VT_TABLE_COUNT; i++) {
        sqlite3_finalize(rows->queues[i].insert);
        rows->queues[i].insert = NULL;
    }
}

void vt_rows_close(struct vt_rows *rows)
{
    empty_queues(rows);
    if (rows->failure)
        return;
    sqlite3_busy_timeout(rows->db, 10000);
    run_sql(rows, "COMMIT");
    sqlite3_busy_timeout(rows->db, 0);
    finalize(rows);
    if (rows->failure)
        return;
    /* While a reader has it open this does not come off, and need not. */
    sqlite3_exec(rows->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    int code = sqlite3_close(rows->db);
    rows->db = NULL;
    if (code)
        fail(rows, code);
}

void vt_rows_destroy(struct vt_rows *rows)
{
    if (!rows)
        return;
    finalize(rows);
    sqlite3_close(rows->db);
    for (size_t i = 0; i < VT_TABLE_COUNT; i++)
        free(rows->queues[i].cells);
    vt_buf_deinit(&rows->bytes);
    free(rows);
}
