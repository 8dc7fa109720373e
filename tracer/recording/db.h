/*
 * db.h - SQLite as this folder uses it: statements by table, errors in our own
 * words, names that may not be text.
 */
#ifndef RECORDING_DB_H
#define RECORDING_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <vastrace/error.h>

#include "base/buf.h"

/* PRAGMA application_id and the newest PRAGMA user_version there is; see recording.sql. */
#define VT_RECORDING_APPLICATION 0x76617372
#define VT_RECORDING_VERSION     1

/* contrib/schema/recording.sql, NUL-terminated. */
extern const char vt_recording_schema[];

/*
 * Describe what SQLite says of its last failure: "cannot WHAT NAME: why". `what`
 * is "read" or "write". Returns a negative errno.
 */
int vt_db_error(sqlite3 *db, int code, const char *what, const char *name, struct vt_error *err);

/* Bind a name from a tracee: TEXT where it is UTF-8, otherwise BLOB; null gives NULL. */
int vt_db_bind_name(sqlite3_stmt *statement, int column, const char *name);

/* Bind an address or another 64-bit number as SQLite's signed one with the same bits. */
static inline int vt_db_bind(sqlite3_stmt *statement, int column, uint64_t value)
{
    return sqlite3_bind_int64(statement, column, (sqlite3_int64)value);
}

static inline uint64_t vt_db_uint(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

#endif
