/*
 * json.c - the strict reader of JSON.
 */
#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 1 << 18, DEEPEST = 64 };

struct json_block {
    struct json_block *next;
    size_t size;
    _Alignas(16) char bytes[];
};

void json_arena_reset(struct json_arena *arena)
{
    /* Keep one block: the newest, which is the largest that was needed. */
    while (arena->blocks && arena->blocks->next) {
        struct json_block *gone = arena->blocks->next;

        arena->blocks->next = gone->next;
        free(gone);
    }
    arena->used = 0;
}

void json_arena_deinit(struct json_arena *arena)
{
    json_arena_reset(arena);
    free(arena->blocks);
    arena->blocks = NULL;
}

static void *take(struct json_arena *arena, size_t size)
{
    void *got;

    size = (size + 15) & ~(size_t)15;
    if (!arena->blocks || arena->used + size > arena->blocks->size) {
        size_t bytes = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        struct json_block *block = malloc(sizeof *block + bytes);

        if (!block)
            abort();
        block->next = arena->blocks;
        block->size = bytes;
        arena->blocks = block;
        arena->used = 0;
    }
    got = arena->blocks->bytes + arena->used;
    arena->used += size;
    return got;
}

struct parser {
    struct json_arena *arena;
    const char *at;
    const char *end;
    int depth;
};

static struct json *parse_value(struct parser *p);

static void blanks(struct parser *p)
{
    while (p->at < p->end && memchr(" \t\r\n", *p->at, 4))
        p->at++;
}

static bool take_word(struct parser *p, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length) != 0)
        return false;
    p->at += length;
    return true;
}

static bool take_byte(struct parser *p, char byte)
{
    if (p->at >= p->end || *p->at != byte)
        return false;
    p->at++;
    return true;
}

static struct json *new_value(struct parser *p, enum json_type type)
{
    struct json *value = take(p->arena, sizeof *value);

    *value = (struct json){.type = type};
    return value;
}

static bool digits(struct parser *p)
{
    const char *start = p->at;

    while (p->at < p->end && *p->at >= '0' && *p->at <= '9')
        p->at++;
    return p->at > start;
}

static struct json *parse_number(struct parser *p)
{
    const char *start = p->at;
    struct json *value;
    char *text;

    take_byte(p, '-');
    if (!take_byte(p, '0') && !digits(p))
        return NULL;
    if (take_byte(p, '.') && !digits(p))
        return NULL;
    if (take_byte(p, 'e') || take_byte(p, 'E')) {
        if (!take_byte(p, '+'))
            take_byte(p, '-');
        if (!digits(p))
            return NULL;
    }
    value = new_value(p, JSON_NUMBER);
    value->length = (size_t)(p->at - start);
    text = take(p->arena, value->length + 1);
    memcpy(text, start, value->length);
    text[value->length] = '\0';
    value->text = text;
    return value;
}

static bool hex4(struct parser *p, unsigned *code)
{
    *code = 0;
    if (p->end - p->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        static const char digits_of[] = "0123456789abcdefABCDEF";
        const char *found = strchr(digits_of, *p->at);

        if (!found || !*p->at)
            return false;
        *code = *code * 16 +
                (unsigned)(found - digits_of > 15 ? found - digits_of - 6 : found - digits_of);
        p->at++;
    }
    return true;
}

static char *put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

/* The length of the valid UTF-8 sequence here; 0 if it is none. */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    size_t length = at[0] < 0x80   ? 1
                    : at[0] < 0xc2 ? 0
                    : at[0] < 0xe0 ? 2
                    : at[0] < 0xf0 ? 3
                    : at[0] < 0xf5 ? 4
                                   : 0;

    if (length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return length;
}

static bool parse_escape(struct parser *p, char **out)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meaning[] = "\"\\/\b\f\n\r\t";
    unsigned code, low;
    const char *found;

    if (p->at >= p->end)
        return false;
    if (*p->at != 'u') {
        found = strchr(letters, *p->at);
        if (!found || !*p->at)
            return false;
        *(*out)++ = meaning[found - letters];
        p->at++;
        return true;
    }
    p->at++;
    if (!hex4(p, &code))
        return false;
    if (code >= 0xdc00 && code < 0xe000)
        return false;
    if (code >= 0xd800 && code < 0xdc00) {
        if (!take_word(p, "\\u") || !hex4(p, &low) || low < 0xdc00 || low >= 0xe000)
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *out = put_utf8(*out, code);
    return true;
}

/* A string without its opening quote, unescaped into the arena. */
static bool parse_string(struct parser *p, const char **text, size_t *length)
{
    const char *stop = p->at;
    char *out, *start;

    while (stop < p->end && *stop != '"')
        stop += *stop == '\\' && stop + 1 < p->end ? 2 : 1;
    out = start = take(p->arena, (size_t)(stop - p->at) + 8);
    while (p->at < p->end && *p->at != '"') {
        size_t n;

        if ((unsigned char)*p->at < 0x20)
            return false;
        if (*p->at == '\\') {
            p->at++;
            if (!parse_escape(p, &out))
                return false;
            continue;
        }
        n = utf8_length((const unsigned char *)p->at, (size_t)(p->end - p->at));
        if (n == 0)
            return false;
        memcpy(out, p->at, n);
        out += n;
        p->at += n;
    }
    if (!take_byte(p, '"'))
        return false;
    *out = '\0';
    *text = start;
    *length = (size_t)(out - start);
    return true;
}

/* An array or an object, without its opening bracket. */
static struct json *parse_members(struct parser *p, enum json_type type)
{
    char close = type == JSON_ARRAY ? ']' : '}';
    struct json *value = new_value(p, type);
    struct json **link = &value->first;

    if (++p->depth > DEEPEST)
        return NULL;
    blanks(p);
    if (take_byte(p, close)) {
        p->depth--;
        return value;
    }
    for (;;) {
        const char *key = NULL;
        size_t length;

        if (type == JSON_OBJECT) {
            blanks(p);
            if (!take_byte(p, '"') || !parse_string(p, &key, &length))
                return NULL;
            if (json_get(value, key))
                return NULL; /* twice the same key */
            blanks(p);
            if (!take_byte(p, ':'))
                return NULL;
        }
        *link = parse_value(p);
        if (!*link)
            return NULL;
        (*link)->key = key;
        link = &(*link)->next;
        value->count++;
        blanks(p);
        if (take_byte(p, close)) {
            p->depth--;
            return value;
        }
        if (!take_byte(p, ','))
            return NULL;
    }
}

static struct json *parse_value(struct parser *p)
{
    struct json *value;

    blanks(p);
    if (take_byte(p, '{'))
        return parse_members(p, JSON_OBJECT);
    if (take_byte(p, '['))
        return parse_members(p, JSON_ARRAY);
    if (take_byte(p, '"')) {
        value = new_value(p, JSON_STRING);
        return parse_string(p, &value->text, &value->length) ? value : NULL;
    }
    if (take_word(p, "true"))
        return new_value(p, JSON_TRUE);
    if (take_word(p, "false"))
        return new_value(p, JSON_FALSE);
    if (take_word(p, "null"))
        return new_value(p, JSON_NULL);
    return parse_number(p);
}

const struct json *json_parse(struct json_arena *arena, const char *text, size_t length,
                              const char **where)
{
    struct parser p = {arena, text, text + length, 0};
    struct json *value = parse_value(&p);

    if (value)
        blanks(&p);
    *where = p.at;
    return value && p.at == p.end ? value : NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    for (const struct json *member = object->first; member; member = member->next)
        if (strcmp(member->key, key) == 0)
            return member;
    return NULL;
}

const char *json_text(const struct json *object, const char *key)
{
    const struct json *value = json_get(object, key);

    return value && value->type == JSON_STRING ? value->text : "";
}

uint64_t json_value(const struct json *value)
{
    if (!value || (value->type != JSON_NUMBER && value->type != JSON_STRING))
        return 0;
    if (value->text[0] == '-')
        return (uint64_t)strtoll(value->text, NULL, 10);
    return strtoull(value->text, NULL, value->type == JSON_STRING ? 0 : 10);
}

uint64_t json_number(const struct json *object, const char *key)
{
    return json_value(json_get(object, key));
}

bool json_true(const struct json *object, const char *key)
{
    const struct json *value = json_get(object, key);

    return value && value->type == JSON_TRUE;
}

bool json_has(const struct json *object, const char *key)
{
    const struct json *value = json_get(object, key);

    return value && value->type != JSON_NULL && value->type != JSON_FALSE;
}
