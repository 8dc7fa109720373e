/*
 * db.h - SQLite as this folder uses it: the schema and its tables, errors in our
 * own words, names that may not be text.
 */
#ifndef RECORDING_DB_H
#define RECORDING_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <vastrace/error.h>

#include "base/buf.h"

/* PRAGMA application_id and the newest PRAGMA user_version there is; see recording.sql. */
#define VT_RECORDING_APPLICATION 0x76617372
#define VT_RECORDING_VERSION     2

/* contrib/schema/recording.sql, NUL-terminated. */
extern const char vt_recording_schema[];

/* The tables of recording.sql. */
enum vt_table {
    VT_TABLE_RUN,
    VT_TABLE_COMMAND,
    VT_TABLE_KINDS,
    VT_TABLE_PROCESSES,
    VT_TABLE_KIND_TOTALS,
    VT_TABLE_STACK_USES,
    VT_TABLE_THREADS,
    VT_TABLE_SPACES,
    VT_TABLE_PROCESS_SPACES,
    VT_TABLE_PROGRAMS,
    VT_TABLE_CALLS,
    VT_TABLE_EVENTS,
    VT_TABLE_FAULTS,
    VT_TABLE_FAULT_REGIONS,
    VT_TABLE_OBJECTS,
    VT_TABLE_IMAGES,
    VT_TABLE_PARTS,
    VT_TABLE_STACKS,
    VT_TABLE_STACK_FRAMES,
    VT_TABLE_FRAMES,
    VT_TABLE_BUILD_IDS,
    VT_TABLE_INLINED,
    VT_TABLE_REGIONS,
    VT_TABLE_COUNT
};
extern const struct vt_table_words {
    const char *name;
    const char *on_conflict; /* a second row of one key: REPLACE the first, IGNORE it, or ABORT */
} vt_tables[VT_TABLE_COUNT];

/*
 * Describe what SQLite says of its last failure: "cannot WHAT NAME: why". `what`
 * is "read" or "write". Returns a negative errno.
 */
int vt_db_error(sqlite3 *db, int code, const char *what, const char *name, struct vt_error *err);

/* A name from a tracee is TEXT where it is UTF-8, otherwise BLOB. */
bool vt_db_is_text(const char *name);

/* Bind such a name; null gives NULL. */
int vt_db_bind_name(sqlite3_stmt *statement, int column, const char *name);

/* Bind an address or another 64-bit number as SQLite's signed one with the same bits. */
static inline int vt_db_bind(sqlite3_stmt *statement, int column, uint64_t value)
{
    return sqlite3_bind_int64(statement, column, (sqlite3_int64)value);
}

#endif
