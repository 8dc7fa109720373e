/*
 * row.c - hides how values are checked, and where their texts are kept.
 *
 * Invariant: whatever a row returns is in the range that was asked for, or the
 * row is bad. Texts are bytes: whoever prints them escapes them.
 */
#include "recording/row.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "recording/words.h"

#define NAME_MOST (64 * 1024)

/* ---- texts -------------------------------------------------------------------- */

struct vt_text_block {
    struct vt_text_block *next;
    size_t size;
    char bytes[];
};

void vt_text_deinit(struct vt_text *text)
{
    while (text->blocks) {
        struct vt_text_block *next = text->blocks->next;
        free(text->blocks);
        text->blocks = next;
    }
    free(text->slots);
    *text = (struct vt_text){0};
}

/* Null when out of memory. */
static const char *keep(struct vt_text *text, const char *bytes, size_t length)
{
    struct vt_text_block *block = text->blocks;
    if (!block || block->size - text->used <= length) {
        size_t room = vt_max(length + 1, 64 * 1024);
        block = malloc(sizeof(*block) + room);
        if (!block)
            return NULL;
        block->next = text->blocks;
        block->size = room;
        text->blocks = block;
        text->used = 0;
    }
    char *copy = block->bytes + text->used;
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    text->used += length + 1;
    return copy;
}

static size_t hash(const char *bytes, size_t length)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)bytes[i]) * 1099511628211u;
    return (size_t)(h ^ h >> 32);
}

/* The slot of a word, or the free one where it belongs. */
static const char **slot_of(const struct vt_text *text, const char *bytes, size_t length)
{
    size_t at = hash(bytes, length) & (text->capacity - 1);
    while (text->slots[at] && (strncmp(text->slots[at], bytes, length) || text->slots[at][length]))
        at = (at + 1) & (text->capacity - 1);
    return &text->slots[at];
}

static bool grow(struct vt_text *text)
{
    struct vt_text larger = {.capacity = text->capacity ? text->capacity * 2 : 256};
    larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < text->capacity; i++)
        if (text->slots[i])
            *slot_of(&larger, text->slots[i], strlen(text->slots[i])) = text->slots[i];
    free(text->slots);
    text->slots = larger.slots;
    text->capacity = larger.capacity;
    return true;
}

/* Null when out of memory. */
static const char *keep_word(struct vt_text *text, const char *bytes, size_t length)
{
    if (text->count * 2 >= text->capacity && !grow(text))
        return NULL;
    const char **slot = slot_of(text, bytes, length);
    if (!*slot && (*slot = keep(text, bytes, length)))
        text->count++;
    return *slot;
}

/* ---- numbers ------------------------------------------------------------------- */

/*
 * A column's value, fetched once: the functions of SQLite that take a column
 * find it anew each time. (No other thread has the connection.)
 */
static sqlite3_value *value_of(const struct vt_row *row, int column)
{
    return row->values ? row->values[column] : sqlite3_column_value(row->statement, column);
}

bool vt_row_null(const struct vt_row *row, int column)
{
    return sqlite3_value_type(value_of(row, column)) == SQLITE_NULL;
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
    *number = 0;
    if (type == SQLITE_NULL)
        return false;
    sqlite3_int64 found = type == SQLITE_INTEGER ? sqlite3_value_int64(value) : -1;
    *number = (uint64_t)found;
    row->bad |= found < 0 || (uint64_t)found > most;
    return !row->bad;
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

/* ---- texts and words ---------------------------------------------------------------- */

const void *vt_row_blob(struct vt_row *row, int column, size_t *length)
{
    sqlite3_value *value = value_of(row, column);
    const void *bytes = sqlite3_value_blob(value); /* of TEXT its bytes; null for none of them */
    *length = (size_t)sqlite3_value_bytes(value);
    return bytes;
}

size_t vt_row_bytes(struct vt_row *row, int column, void *to, size_t most)
{
    size_t length = 0;
    bool blob = sqlite3_value_type(value_of(row, column)) == SQLITE_BLOB;
    const void *bytes = blob ? vt_row_blob(row, column, &length) : NULL;
    if (!bytes || !length || length > most) {
        row->bad = true;
        return 0;
    }
    memcpy(to, bytes, length);
    return length;
}

/* The bytes of a text or blob, not NUL-terminated; null for NULL and for what is neither. */
static const char *bytes_of(struct vt_row *row, int column, size_t *length)
{
    int type = sqlite3_value_type(value_of(row, column));
    *length = 0;
    if (type == SQLITE_NULL)
        return NULL;
    const char *bytes = vt_row_blob(row, column, length);
    if ((type != SQLITE_TEXT && type != SQLITE_BLOB) || *length > NAME_MOST ||
        (*length && (!bytes || memchr(bytes, 0, *length)))) {
        row->bad = true;
        return NULL;
    }
    return *length ? bytes : "";
}

/* Up to eight bytes as one number; 0 where there are more, or none. */
static uint64_t key_of(const char *bytes, size_t length)
{
    uint64_t key = 0;
    if (length <= sizeof(key))
        memcpy(&key, bytes, length);
    return key;
}

const char *vt_row_word(struct vt_row *row, int column)
{
    size_t length;
    const char *bytes = bytes_of(row, column, &length);
    if (!bytes)
        return NULL;
    uint64_t key = key_of(bytes, length);
    for (size_t i = 0; key && i < VT_COUNTOF(row->last_words); i++)
        if (row->last_words[i].key == key)
            return row->last_words[i].word;
    const char *word = keep_word(row->text, bytes, length);
    row->bad |= !word;
    if (key && word)
        row->last_words[row->words++ % VT_COUNTOF(row->last_words)] =
            (struct vt_row_memory){key, word};
    return word;
}

const char *vt_row_name(struct vt_row *row, int column)
{
    size_t length;
    const char *bytes = bytes_of(row, column, &length);
    const char *name = bytes ? keep(row->text, bytes, length) : NULL;
    row->bad |= bytes && !name;
    return name;
}

/* ---- regions ---------------------------------------------------------------------------- */

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
    uint64_t key = text ? key_of(text, length) : 0;
    if (key && key == row->last_kind_key)
        return row->last_kind;
    int kind = text ? vt_kind_parse(text, length) : -1;
    row->bad |= kind < 0;
    row->last_kind_key = kind < 0 ? 0 : key;
    return row->last_kind = kind < 0 ? VT_KIND_OTHER : (uint8_t)kind;
}

enum vt_change_op vt_row_op(struct vt_row *row, int column)
{
    size_t length;
    const char *text = bytes_of(row, column, &length);
    if (!text)
        return 0;
    row->bad |= length != 1 || !vt_word_op_parse(*text);
    return (enum vt_change_op) * text;
}
