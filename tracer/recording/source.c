/*
 * source.c - hides how an untrusted database is opened and kept from harm.
 *
 * What a hostile file could try, and what stands against it: tables that are
 * views or virtual tables or have generated columns (refused: they could run
 * code of the file's own, without an end); trees whose pages lead in circles
 * (rows must come in ascending order, and a statement may not take more steps
 * than the file's size allows); values out of range (row.c checks every one
 * where it is read, and a row with a bad one is damage); ids that would make
 * huge tables (tables grow by the rows that there are); bytes in names (they
 * stay bytes, and whoever prints them escapes them).
 *
 * Invariant: all questions see one state of the file, that of the opening,
 * whatever is written meanwhile.
 */
#include "recording/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

#define PROGRESS_STEP 10000

/* A scan under way: see vt_source_scan(). */
struct vt_scan {
    struct vt_row row;
    vt_row_fn *each;
    void *context;
    int rc; /* what `each` returned last */
};

/* ---- errors -------------------------------------------------------------------- */

int vt_source_damaged(const struct vt_source *source, const char *where, struct vt_error *err)
{
    return vt_error_set(err, EINVAL, "cannot read \"%s\": the file is damaged (%s)", source->name,
                        where);
}

int vt_source_no_memory(const struct vt_source *source, struct vt_error *err)
{
    return vt_error_errno(err, ENOMEM, "cannot read \"%s\"", source->name);
}

/* ---- statements ------------------------------------------------------------------ */

static int watch_progress(void *context)
{
    struct vt_source *source = context;
    if (source->watch)
        source->watch(source->watch_context, source->pass, source->pass_done, source->pass_all);
    return ++source->spent > source->budget;
}

int vt_source_query(struct vt_source *source, const char *sql, sqlite3_stmt **statement,
                    struct vt_error *err)
{
    int code = sqlite3_prepare_v2(source->db, sql, -1, statement, NULL);
    source->spent = 0;
    if (!code)
        return 0;
    *statement = NULL;
    if ((code & 0xff) == SQLITE_ERROR) { /* a table or column is not there */
        char where[256];
        sqlite3_snprintf(sizeof(where), where, "%s", sqlite3_errmsg(source->db));
        return vt_source_damaged(source, where, err);
    }
    return vt_db_error(source->db, code, "read", source->name, err);
}

int vt_source_step(struct vt_source *source, sqlite3_stmt *statement, struct vt_error *err)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return 1;
    return code == SQLITE_DONE ? 0 : vt_db_error(source->db, code, "read", source->name, err);
}

/* ---- scans ------------------------------------------------------------------------- */

/*
 * The aggregate function each_row(): a statement that is handed out row by row
 * leaves SQLite's machine and enters it again for each, and looks every column
 * up from outside; an argument is there already.
 */
static void take_row(sqlite3_context *function, int count, sqlite3_value **values)
{
    struct vt_source *source = sqlite3_user_data(function);
    struct vt_scan *scan = source->scan;
    (void)count;
    scan->row.values = values;
    scan->rc = scan->each(scan->context, &scan->row);
    if (scan->rc)
        sqlite3_result_error_code(function, SQLITE_ABORT);
}

static void end_rows(sqlite3_context *function)
{
    sqlite3_result_null(function);
}

int vt_source_scan(struct vt_source *source, enum vt_table table, const char *columns,
                   const char *where, const uint64_t *numbers, vt_row_fn *each, void *context,
                   struct vt_error *err)
{
    struct vt_scan scan = {.row = {.text = &source->text}, .each = each, .context = context};
    struct vt_scan *outer = source->scan;
    sqlite3_stmt *statement;
    struct vt_buf sql = {0};
    /* An index that somebody made would bring another order. */
    vt_buf_printf(&sql, "SELECT each_row(%s) FROM %s NOT INDEXED WHERE %s", columns,
                  vt_tables[table].name, where ? where : "1");
    int rc = sql.failed ? vt_source_no_memory(source, err)
                        : vt_source_query(source, vt_buf_cstr(&sql), &statement, err);
    vt_buf_deinit(&sql);
    if (rc)
        return rc;
    /* NOLINTNEXTLINE(*CallAndMessage): 0 says that there is one */
    for (int i = 0; i < sqlite3_bind_parameter_count(statement); i++)
        vt_db_bind(statement, i + 1, numbers[i]);
    source->scan = &scan;
    int code = sqlite3_step(statement);
    source->scan = outer;
    if (scan.rc)
        rc = scan.rc;
    else if (code != SQLITE_ROW)
        rc = vt_db_error(source->db, code, "read", source->name, err);
    sqlite3_finalize(statement);
    return rc;
}

/* ---- opening ------------------------------------------------------------------------- */

/* One number that a statement tells. Positive if it tells none. */
static int ask(struct vt_source *source, const char *sql, int64_t *value, struct vt_error *err)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(source->db, sql, -1, &statement, NULL);
    if (code)
        return vt_db_error(source->db, code, "read", source->name, err);
    source->spent = 0;
    int rc = vt_source_step(source, statement, err);
    if (rc > 0)
        *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return rc < 0 ? rc : !rc;
}

/* Tables must be tables: see the top of this file. */
static int check_tables(struct vt_source *source, struct vt_error *err)
{
    struct vt_buf sql = {0};
    int64_t odd = 0;
    vt_buf_str(&sql, "SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'view') AND "
                     "(type <> 'table' OR sql IS NULL OR sql NOT LIKE 'CREATE TABLE %') AND name "
                     "IN (''");
    for (size_t i = 0; i < VT_TABLE_COUNT; i++)
        vt_buf_printf(&sql, ", '%s'", vt_tables[i].name);
    vt_buf_char(&sql, ')');
    int rc = sql.failed ? vt_source_no_memory(source, err)
                        : ask(source, vt_buf_cstr(&sql), &odd, err);
    vt_buf_deinit(&sql);
    if (rc < 0)
        return rc;
    if (!odd)
        rc = ask(source,
                 "SELECT count(*) FROM sqlite_schema AS s, pragma_table_xinfo(s.name) AS x "
                 "WHERE s.type = 'table' AND x.hidden <> 0",
                 &odd, err);
    if (rc < 0)
        return rc;
    return odd ? vt_source_damaged(source, "a table is not what it should be", err) : 0;
}

static int check_version(struct vt_source *source, unsigned *schema, struct vt_error *err)
{
    int64_t application = 0, version = 0, tables = 0;
    int rc = ask(source, "PRAGMA application_id", &application, err);
    if (rc >= 0)
        rc = ask(source, "PRAGMA user_version", &version, err);
    if (rc >= 0)
        rc = ask(source, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (rc < 0)
        return rc;
    if (!application && !version && !tables)
        return vt_error_set(err, EINVAL,
                            "cannot read \"%s\": it is empty; the trace that should have filled it "
                            "never began",
                            source->name);
    if (application != VT_RECORDING_APPLICATION)
        return vt_error_set(err, EINVAL,
                            "cannot read \"%s\": it is an SQLite database, but no recording of "
                            "vastrace",
                            source->name);
    if (version > VT_RECORDING_VERSION)
        return vt_error_set(err, EPROTO,
                            "cannot read \"%s\": a newer vastrace wrote it (schema version %lld, "
                            "this one reads up to %d)",
                            source->name, (long long)version, VT_RECORDING_VERSION);
    if (version < 1)
        return vt_source_damaged(source, "it has no schema version", err);
    *schema = (unsigned)version;
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

static int connect_to(struct vt_source *source, const char *path, int flags, struct vt_error *err)
{
    sqlite3_close(source->db);
    source->db = NULL;
    int code = sqlite3_open_v2(
        path, &source->db,
        SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | flags, NULL);
    if (code)
        return vt_db_error(source->db, code, "read", source->name, err);
    sqlite3_busy_timeout(source->db, 5000);
    sqlite3_db_config(source->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(source->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_progress_handler(source->db, PROGRESS_STEP, watch_progress, source);
    code = sqlite3_create_function(source->db, "each_row", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                   source, NULL, take_row, end_rows);
    if (code)
        return vt_db_error(source->db, code, "read", source->name, err);
    /* One state for all questions, whatever is being written meanwhile. */
    code = sqlite3_exec(source->db,
                        "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; BEGIN; "
                        "SELECT count(*) FROM sqlite_schema",
                        NULL, NULL, NULL);
    return code ? vt_db_error(source->db, code, "read", source->name, err) : 0;
}

/* Errors of the file itself are said as open(2) says them; SQLite is less clear. */
static int look_at_file(struct vt_source *source, struct vt_error *err)
{
    struct stat info;
    int fd = open(source->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return vt_error_errno(err, errno, "cannot open \"%s\"", source->name);
    bool regular = !fstat(fd, &info) && S_ISREG(info.st_mode);
    close(fd);
    if (!regular)
        return vt_error_set(err, EINVAL, "cannot read \"%s\": it is no regular file", source->name);
    /*
     * How long a statement may take: a row has 10 bytes or more and takes a few hundred steps
     * at most. What is in the -wal file can be as much again, and more.
     */
    char *wal;
    struct stat more = {0};
    if (asprintf(&wal, "%s-wal", source->name) >= 0) {
        if (stat(wal, &more))
            more.st_size = 0;
        free(wal);
    }
    source->budget = 10000 + (uint64_t)(info.st_size + more.st_size) * 50 / PROGRESS_STEP;
    return 0;
}

static int open_database(struct vt_source *source, struct vt_error *err)
{
    int rc = look_at_file(source, err);
    if (!rc)
        rc = connect_to(source, source->name, 0, err);
    int code = source->db ? sqlite3_errcode(source->db) & 0xff : 0;
    if (rc && (code == SQLITE_CANTOPEN || code == SQLITE_READONLY)) {
        /* A folder without room for SQLite's own files: fine if nothing else holds contents. */
        char *wal, *uri = NULL;
        struct stat info;
        if (asprintf(&wal, "%s-wal", source->name) < 0)
            return rc;
        if ((stat(wal, &info) || !info.st_size) && (uri = immutable_uri(source->name)))
            rc = connect_to(source, uri, SQLITE_OPEN_URI, err);
        else if (code == SQLITE_CANTOPEN)
            rc = vt_db_error(source->db, SQLITE_READONLY, "read", source->name, err);
        free(uri);
        free(wal);
    }
    return rc;
}

int vt_source_open(struct vt_source *source, const char *path, unsigned *schema,
                   struct vt_error *err)
{
    if (!(source->name = strdup(path)))
        return vt_error_errno(err, ENOMEM, "cannot read \"%s\"", path);
    int rc = open_database(source, err);
    if (!rc)
        rc = check_version(source, schema, err);
    if (!rc)
        rc = check_tables(source, err);
    return rc;
}

void vt_source_close(struct vt_source *source)
{
    sqlite3_close(source->db);
    vt_text_deinit(&source->text);
    free(source->name);
}
