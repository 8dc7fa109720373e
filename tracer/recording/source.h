/*
 * source.h - an untrusted database, for the reading half: opened, checked for
 * what could run code of its own, and asked.
 */
#ifndef RECORDING_SOURCE_H
#define RECORDING_SOURCE_H

#include <vastrace/recording.h>

#include "recording/db.h"
#include "recording/row.h"

struct vt_source {
    sqlite3 *db;
    char *name; /* the path as given, for messages */
    struct vt_text text;
    uint64_t spent; /* steps of SQLite's machine in this statement, in units of a thousand or so */
    uint64_t budget;
    struct vt_scan *scan; /* what is under way; null: nothing */

    /* Who watches progress, what is gone through, and how far it is. */
    vt_recording_watch_fn *watch; /* may be null */
    void *watch_context;
    const char *pass;
    uint64_t pass_done;
    uint64_t pass_all; /* 0: nothing is, just now */
};

/*
 * Open a zero-initialised source. `schema` becomes PRAGMA user_version. On
 * failure vt_source_close() is still due.
 */
int vt_source_open(struct vt_source *source, const char *path, unsigned *schema,
                   struct vt_error *err);
void vt_source_close(struct vt_source *source);

/* Prepare a query; no statement on failure. */
int vt_source_query(struct vt_source *source, const char *sql, sqlite3_stmt **statement,
                    struct vt_error *err);

/* 1 where there is a row, 0 at the end, negative on failure. */
int vt_source_step(struct vt_source *source, sqlite3_stmt *statement, struct vt_error *err);

/*
 * Call `each` for all rows of a table, in the order of its key: `columns` of
 * those of which `where` is true (null: all; ?1, ?2, ... are `numbers`). A
 * return other than 0 ends it and is returned. It takes two thirds of what
 * stepping from row to row takes; other statements may run meanwhile.
 */
typedef int vt_row_fn(void *context, struct vt_row *row);
int vt_source_scan(struct vt_source *source, enum vt_table table, const char *columns,
                   const char *where, const uint64_t *numbers, vt_row_fn *each, void *context,
                   struct vt_error *err);

/* "cannot read NAME: the file is damaged (WHERE)" */
int vt_source_damaged(const struct vt_source *source, const char *where, struct vt_error *err);
int vt_source_no_memory(const struct vt_source *source, struct vt_error *err);

#endif
