/*
 * fuzz_cells.c - a sound recording in which cells have been changed, rows
 * removed and rows doubled, as the input says: what a hostile author would
 * write, and no bit flips would arrive at.
 *
 * The input is a list of edits: table, column, row (each by its number, modulo
 * how many there are), what to do, and a value. The constraints that the schema
 * has are taken off first; a hostile author would do so, too.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "fuzz.h"

#define EDITS_MOST  12
#define TABLES_MOST 64

static struct table {
    char *name;
    char *columns[48];
    size_t column_count;
    sqlite3_int64 rows;
} tables[TABLES_MOST];
static size_t table_count;

static uint8_t *base;
static sqlite3_int64 base_size;

static int note_table(void *unused, int columns, char **values, char **names)
{
    (void)unused, (void)columns, (void)names;
    FUZZ_CHECK(table_count < TABLES_MOST);
    tables[table_count++].name = strdup(values[0]);
    return 0;
}

static int note_column(void *table, int columns, char **values, char **names)
{
    struct table *t = table;
    (void)columns, (void)names;
    FUZZ_CHECK(t->column_count < sizeof(t->columns) / sizeof(t->columns[0]));
    t->columns[t->column_count++] = strdup(values[0]);
    return 0;
}

static int note_rows(void *table, int columns, char **values, char **names)
{
    (void)columns, (void)names;
    ((struct table *)table)->rows = strtoll(values[0], NULL, 10);
    return 0;
}

/* Run one statement made by printf; whether it succeeds is not always of interest. */
static int run(sqlite3 *db, int (*each)(void *, int, char **, char **), void *context,
               const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *sql = sqlite3_vmprintf(format, args);
    va_end(args);
    int rc = sqlite3_exec(db, sql, each, context, NULL);
    sqlite3_free(sql);
    return rc;
}

/* The corpus's recording without the schema's constraints, as bytes; and what tables it has. */
static void prepare(void)
{
    sqlite3 *db, *copy;
    FUZZ_CHECK(!sqlite3_open_v2(FUZZ_BASE, &db, SQLITE_OPEN_READONLY, NULL));
    FUZZ_CHECK(!sqlite3_open(":memory:", &copy));
    sqlite3_backup *backup = sqlite3_backup_init(copy, "main", db, "main");
    FUZZ_CHECK(backup && sqlite3_backup_step(backup, -1) == SQLITE_DONE);
    sqlite3_backup_finish(backup);
    sqlite3_close(db);

    sqlite3_db_config(copy, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    FUZZ_CHECK(!run(copy, NULL, NULL, "PRAGMA writable_schema = ON"));
    FUZZ_CHECK(!run(copy, NULL, NULL,
                    "UPDATE sqlite_master SET sql = replace(sql, 'STRICT', '') "
                    "WHERE type = 'table' AND sql NOT LIKE '%%WITHOUT%%'"));
    base = sqlite3_serialize(copy, "main", &base_size, 0);
    FUZZ_CHECK(base);
    sqlite3_close(copy);

    FUZZ_CHECK(!sqlite3_open_v2(FUZZ_BASE, &db, SQLITE_OPEN_READONLY, NULL));
    FUZZ_CHECK(!run(db, note_table, NULL,
                    "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"));
    for (size_t i = 0; i < table_count; i++) {
        struct table *t = &tables[i];
        FUZZ_CHECK(!run(db, note_column, t, "SELECT name FROM pragma_table_info(%Q)", t->name));
        FUZZ_CHECK(!run(db, note_rows, t, "SELECT count(*) FROM \"%w\"", t->name));
    }
    sqlite3_close(db);
    FUZZ_CHECK(table_count > 5);
}

/* A value as SQL text; free it with sqlite3_free(). */
static char *value_of(struct fuzz_bytes *bytes, const char *column)
{
    static const long long edges[] = {
        0, 1, -1, 2, 255, 256, 65536, INT32_MAX, INT32_MIN, UINT32_MAX, INT64_MAX, INT64_MIN, 4096};
    uint64_t kind = fuzz_take(bytes, 1);
    switch (kind % 8) {
    case 0:
        return sqlite3_mprintf("%lld",
                               edges[fuzz_take(bytes, 1) % (sizeof(edges) / sizeof(edges[0]))]);
    case 1:
        return sqlite3_mprintf("%lld", (long long)fuzz_take(bytes, 8));
    case 2:
        return sqlite3_mprintf("\"%w\" + %lld", column, (long long)(int8_t)fuzz_take(bytes, 1));
    case 3:
        return sqlite3_mprintf("NULL");
    case 4:
        return sqlite3_mprintf("%f", (double)(int64_t)fuzz_take(bytes, 8) / 3);
    case 5: { /* bytes, which a change is packed into */
        char hex[129];
        size_t length = fuzz_take(bytes, 1) % 64;
        for (size_t i = 0; i < length; i++)
            snprintf(hex + 2 * i, 3, "%02x", (unsigned)fuzz_take(bytes, 1));
        hex[2 * length] = '\0';
        return sqlite3_mprintf("x'%s'", hex);
    }
    case 6: { /* one byte of what is there */
        unsigned at = (unsigned)fuzz_take(bytes, 1), byte = (unsigned)fuzz_take(bytes, 1);
        return sqlite3_mprintf("CAST(substr(CAST(\"%w\" AS BLOB), 1, %u) || x'%02x' || "
                               "substr(CAST(\"%w\" AS BLOB), %u) AS BLOB)",
                               column, at, byte, column, at + 2);
    }
    default:
        return sqlite3_mprintf("char(%u, %u)", (unsigned)fuzz_take(bytes, 2) % 0xd800,
                               (unsigned)fuzz_take(bytes, 1));
    }
}

static void edit(sqlite3 *db, struct fuzz_bytes *bytes)
{
    const struct table *t = &tables[fuzz_take(bytes, 1) % table_count];
    const char *column = t->columns[fuzz_take(bytes, 1) % t->column_count];
    sqlite3_int64 row = (sqlite3_int64)fuzz_take(bytes, 2) % (t->rows ? t->rows : 1);
    uint64_t what = fuzz_take(bytes, 1);
    if (what % 8 == 0) {
        run(db, NULL, NULL,
            "DELETE FROM \"%w\" WHERE rowid IN (SELECT rowid FROM \"%w\" LIMIT 1 OFFSET %lld)",
            t->name, t->name, row);
        return;
    }
    char *value = value_of(bytes, column);
    if (what % 8 == 1) /* in every row */
        run(db, NULL, NULL, "UPDATE OR IGNORE \"%w\" SET \"%w\" = %s", t->name, column, value);
    else /* tables without rowid are taken by their first column */
        run(db, NULL, NULL,
            "UPDATE OR IGNORE \"%w\" SET \"%w\" = %s WHERE \"%w\" IN "
            "(SELECT \"%w\" FROM \"%w\" LIMIT 1 OFFSET %lld)",
            t->name, column, value, t->columns[0], t->columns[0], t->name, row);
    sqlite3_free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes bytes = {data, size};
    sqlite3 *db;
    if (!base)
        prepare();
    uint8_t *copy = sqlite3_malloc64((sqlite3_uint64)base_size + 65536);
    FUZZ_CHECK(copy && !sqlite3_open(":memory:", &db));
    memcpy(copy, base, (size_t)base_size);
    FUZZ_CHECK(
        !sqlite3_deserialize(db, "main", copy, base_size, base_size + 65536,
                             SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE));
    run(db, NULL, NULL, "PRAGMA ignore_check_constraints = ON");
    for (int i = 0; i < EDITS_MOST && bytes.left; i++)
        edit(db, &bytes);

    sqlite3_int64 length;
    unsigned char *file = sqlite3_serialize(db, "main", &length, SQLITE_SERIALIZE_NOCOPY);
    FUZZ_CHECK(file);
    int fd = open(fuzz_path(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0 && write(fd, file, (size_t)length) == (ssize_t)length);
    close(fd);
    sqlite3_close(db);
    fuzz_ask_recording(fuzz_path());
    return 0;
}
