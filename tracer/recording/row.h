/*
 * row.h - a row of an untrusted database: every value is checked where it is
 * fetched, and the row remembers whether all of them made sense.
 */
#ifndef RECORDING_ROW_H
#define RECORDING_ROW_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vastrace/layout.h>

/* No time of a recording is later: sums and products of a few stay in 64 bits. */
#define VT_TIME_MOST (INT64_MAX / 4)

/* Texts of rows, which live as long as this. Zero-initialised is empty. */
struct vt_text {
    struct vt_text_block *blocks;
    size_t used; /* of the first block */
    /* Words that occur often, each once: what is equal is the same pointer. */
    const char **slots; /* a hash table, open addressing */
    size_t capacity;    /* a power of two, or 0 */
    size_t count;
};
void vt_text_deinit(struct vt_text *text);

/* A short text as bytes, seen before and likely to come again. */
struct vt_row_memory {
    uint64_t key;
    const char *word;
};

struct vt_row {
    struct vt_text *text;
    sqlite3_stmt *statement; /* null: there are */
    sqlite3_value **values;
    bool bad;
    unsigned words; /* how many were looked up */
    struct vt_row_memory last_words[4];
    uint64_t last_kind_key;
    uint8_t last_kind;
};

uint64_t vt_row_uint(struct vt_row *row, int column, uint64_t most); /* 0..most, not NULL */
uint64_t vt_row_bits(struct vt_row *row, int column);                /* any 64 bits; NULL is 0 */
int64_t vt_row_int(struct vt_row *row, int column, int64_t least, int64_t most); /* NULL is 0 */
bool vt_row_null(const struct vt_row *row, int column);

/* True with a number of 0..most; false where it is NULL. */
bool vt_row_known(struct vt_row *row, int column, uint64_t most, uint64_t *number);

/* Text of up to 64 KiB without NULs, once for each; NULL gives null. */
const char *vt_row_word(struct vt_row *row, int column);

/* The same for what hardly ever occurs twice: not looked for among the words. */
const char *vt_row_name(struct vt_row *row, int column);

/* Any bytes, valid until the next row; null for none. */
const void *vt_row_blob(struct vt_row *row, int column, size_t *length);

/* Copy a blob of 1..most bytes to where there is room for them; returns how many. */
size_t vt_row_bytes(struct vt_row *row, int column, void *to, size_t most);

/* The range, permissions, kind of a region from their columns; '+', '-', '~', '>' or 0 for NULL. */
void vt_row_range(struct vt_row *row, int start_column, vt_addr *start, vt_addr *end);
void vt_row_perm(struct vt_row *row, int column, uint8_t *prot, uint8_t *flags);
uint8_t vt_row_kind(struct vt_row *row, int column);
enum vt_change_op vt_row_op(struct vt_row *row, int column);

#endif
