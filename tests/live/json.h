/*
 * json.h - a small strict reader of JSON, for the tests: it shares nothing with
 * the program's writer, so that one checks the other.
 */
#ifndef LIVE_JSON_H
#define LIVE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* One value. Members and elements are a list. */
struct json {
    enum json_type type;
    const char *key;    /* of a member; else null */
    const char *text;   /* STRING: unescaped, NUL-terminated; NUMBER: as written */
    size_t length;      /* STRING: of text */
    size_t count;       /* ARRAY, OBJECT: how many there are */
    struct json *first; /* ARRAY, OBJECT */
    struct json *next;
};

/* Memory of values that end together; zero-initialised is empty. */
struct json_arena {
    struct json_block *blocks;
    size_t used;
};
void json_arena_reset(struct json_arena *arena); /* forget the values, keep the memory */
void json_arena_deinit(struct json_arena *arena);

/* The one value in the text; null if it is not strict JSON, then *where is the offending byte. */
const struct json *json_parse(struct json_arena *arena, const char *text, size_t length,
                              const char **where);

/* The member with this key; null if there is none, or no object. */
const struct json *json_get(const struct json *object, const char *key);

/* A member as a string; "" if there is none or it is no string. */
const char *json_text(const struct json *object, const char *key);

/* A value as an integer: a number, or a string "0x..."; otherwise 0. Null is allowed. */
uint64_t json_value(const struct json *value);

/* json_value() of a member. */
uint64_t json_number(const struct json *object, const char *key);

/* True if a member is there and true. */
bool json_true(const struct json *object, const char *key);

/* True if a member is there and neither null nor false. */
bool json_has(const struct json *object, const char *key);

#define json_for_each(item, array)                                                                 \
    for (const struct json *item = (array) ? (array)->first : NULL; item; item = item->next)

#endif
