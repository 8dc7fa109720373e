/*
 * rows.h - rows on their way into a database, for the writing half: told one by
 * one in any order, stored many at a time.
 *
 * A failure is remembered, not returned: after it nothing is written any more,
 * and vt_rows_failure() tells the first one.
 */
#ifndef RECORDING_ROWS_H
#define RECORDING_ROWS_H

#include <vastrace/error.h>

#include "recording/db.h"

/* One value of a row. */
struct vt_cell {
    enum vt_cell_type {
        VT_CELL_NULL,
        VT_CELL_NUMBER,
        VT_CELL_WORD, /* text that stays */
        VT_CELL_NAME, /* text that is copied; a blob where it is not UTF-8 */
        VT_CELL_BLOB, /* bytes that are copied */
    } type;
    uint32_t length; /* WORD, NAME, BLOB */
    union {
        int64_t number;
        const void *bytes;
        size_t at; /* inside rows.c: where the copy is */
    };
};

static inline struct vt_cell vt_cell_null(void)
{
    return (struct vt_cell){.type = VT_CELL_NULL};
}

/* A signed number; an address or another one of 64 bits is the signed one with the same bits. */
static inline struct vt_cell vt_cell_number(uint64_t number)
{
    return (struct vt_cell){.type = VT_CELL_NUMBER, .number = (int64_t)number};
}

/* The same, or NULL. */
static inline struct vt_cell vt_cell_known(bool known, uint64_t number)
{
    return known ? vt_cell_number(number) : vt_cell_null();
}

struct vt_cell vt_cell_word(const char *word); /* of ours; null gives NULL */
struct vt_cell vt_cell_name(const char *name); /* a tracee's; null gives NULL */
struct vt_cell vt_cell_blob(const void *bytes, size_t length);

struct vt_rows;

/* Make a database of an empty file at `path`; errors call it `name` (which stays). */
int vt_rows_create(const char *path, const char *name, struct vt_rows **rows, struct vt_error *err);
void vt_rows_destroy(struct vt_rows *rows); /* what was not committed is lost */

/* Add a row: a cell a column, in the order of recording.sql. db.c says what a second one does. */
#define VT_ADD_ROW(rows, table, ...)                                                               \
    vt_rows_add((rows), (table), (const struct vt_cell[]){__VA_ARGS__},                            \
                sizeof((const struct vt_cell[]){__VA_ARGS__}) / sizeof(struct vt_cell))
void vt_rows_add(struct vt_rows *rows, enum vt_table table, const struct vt_cell *cells,
                 size_t count);

/* Do at once what no row can say, with a cell a parameter. */
void vt_rows_update(struct vt_rows *rows, const char *sql, const struct vt_cell *cells,
                    size_t count);

/* The next number of a table whose ids count from 1. */
uint32_t vt_rows_number(struct vt_rows *rows, enum vt_table table);

/* Rows added since the last commit. */
uint64_t vt_rows_pending(const struct vt_rows *rows);

/*
 * Make what was added visible to others. Without a WAL a reader may be in the
 * way: then a later one does it.
 */
void vt_rows_commit(struct vt_rows *rows);

/* Commit for good and make it one file, as far as readers let us. */
void vt_rows_close(struct vt_rows *rows);

void vt_rows_no_memory(struct vt_rows *rows); /* a failure of the caller's */

/* 0, or the first failure with its text. */
int vt_rows_failure(const struct vt_rows *rows, struct vt_error *err);

#endif
