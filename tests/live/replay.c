/*
 * replay.c - the naive model: a sorted array of runs, moved about with memmove.
 */
#include "replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct replay_space *space_of(struct replay *replay, uint32_t id)
{
    for (size_t i = 0; i < replay->count; i++)
        if (replay->spaces[i].id == id)
            return &replay->spaces[i];
    replay->spaces = realloc(replay->spaces, (replay->count + 1) * sizeof *replay->spaces);
    if (!replay->spaces)
        abort();
    replay->spaces[replay->count] = (struct replay_space){.id = id};
    return &replay->spaces[replay->count++];
}

/* The index of the first run that ends above addr. */
static size_t first_above(const struct replay_space *space, uint64_t addr)
{
    size_t low = 0, high = space->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (space->runs[middle].end > addr)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void insert(struct replay_space *space, size_t at, const struct replay_run *run)
{
    if (space->count == space->capacity) {
        space->capacity = space->capacity ? space->capacity * 2 : 64;
        space->runs = realloc(space->runs, space->capacity * sizeof *space->runs);
        if (!space->runs)
            abort();
    }
    memmove(&space->runs[at + 1], &space->runs[at], (space->count - at) * sizeof *space->runs);
    space->runs[at] = *run;
    space->count++;
}

/* Make addr a boundary between runs. */
static void cut(struct replay_space *space, uint64_t addr)
{
    size_t at = first_above(space, addr);
    struct replay_run tail;

    if (at == space->count || space->runs[at].start >= addr)
        return;
    tail = space->runs[at];
    if (tail.inode)
        tail.offset += addr - tail.start;
    tail.start = addr;
    space->runs[at].end = addr;
    insert(space, at + 1, &tail);
}

static bool is_free(const struct replay_space *space, uint64_t start, uint64_t end)
{
    size_t at = first_above(space, start);

    return at == space->count || space->runs[at].start >= end;
}

/*
 * Cut the range out of the runs around it; the runs within are *from up to *to.
 * False if the range is not mapped throughout.
 */
static bool select_range(struct replay_space *space, uint64_t start, uint64_t end, size_t *from,
                         size_t *to)
{
    uint64_t reached = start;
    size_t at;

    cut(space, start);
    cut(space, end);
    *from = at = first_above(space, start);
    while (at < space->count && space->runs[at].start == reached && reached < end)
        reached = space->runs[at++].end;
    *to = at;
    return reached == end;
}

static void drop(struct replay_space *space, size_t from, size_t to)
{
    memmove(&space->runs[from], &space->runs[to], (space->count - to) * sizeof *space->runs);
    space->count -= to - from;
}

static bool all_have(const struct replay_space *space, size_t from, size_t to, const char *perm)
{
    for (size_t i = from; i < to; i++)
        if (strcmp(space->runs[i].perm, perm) != 0)
            return false;
    return true;
}

/* The name that tells special regions apart: those the kernel derives from elsewhere are none. */
static void special_name(char name[28], const char *from)
{
    bool kept = from[0] == '[' && strcmp(from, "[heap]") != 0 && strcmp(from, "[stack]") != 0;

    snprintf(name, 28, "%.27s", kept ? from : "");
}

static struct replay_run run_of(const struct json *change)
{
    const struct json *object = json_get(change, "object");
    struct replay_run run = {
        .start = json_number(change, "start"),
        .end = json_number(change, "end"),
        .inode = json_number(object, "inode"),
    };

    run.offset = run.inode ? json_number(change, "offset") : 0;
    snprintf(run.perm, sizeof run.perm, "%.4s", json_text(change, "perm"));
    special_name(run.name, run.inode ? "" : json_text(object, "name"));
    return run;
}

static bool made(struct replay_space *space, const struct json *change, const char **why)
{
    struct replay_run run = run_of(change);

    *why = "lands on what is mapped";
    if (!is_free(space, run.start, run.end))
        return false;
    insert(space, first_above(space, run.start), &run);
    return true;
}

static bool gone(struct replay_space *space, const struct json *change, const char **why)
{
    size_t from, to;

    *why = "is not mapped throughout";
    if (!select_range(space, json_number(change, "start"), json_number(change, "end"), &from, &to))
        return false;
    *why = "had other permissions";
    if (!all_have(space, from, to, json_text(change, "was")))
        return false;
    drop(space, from, to);
    return true;
}

static bool altered(struct replay_space *space, const struct json *change, const char **why)
{
    struct replay_run run = run_of(change);
    size_t from, to;

    *why = "is not mapped throughout";
    if (!select_range(space, run.start, run.end, &from, &to))
        return false;
    *why = "had other permissions";
    if (!all_have(space, from, to, json_text(change, "was")))
        return false;
    for (size_t i = from; i < to; i++) {
        memcpy(space->runs[i].perm, run.perm, sizeof run.perm);
        memcpy(space->runs[i].name, run.name, sizeof run.name); /* PR_SET_VMA_ANON_NAME */
    }
    return true;
}

static bool moved(struct replay_space *space, const struct json *change, const char **why)
{
    const struct json *source = json_get(change, "from");
    uint64_t start = json_number(change, "start");
    uint64_t source_start = source && source->first ? json_value(source->first) : 0;
    uint64_t source_end = source && source->first ? json_value(source->first->next) : 0;
    uint64_t end = json_number(change, "end");
    struct replay_run *held;
    size_t from, to;

    *why = "has another size than its source";
    if (source_end - source_start != end - start)
        return false;
    *why = "comes from what is not mapped throughout";
    if (!select_range(space, source_start, source_end, &from, &to))
        return false;
    *why = "had other permissions";
    if (!all_have(space, from, to, json_text(change, "was")))
        return false;
    held = calloc(to - from, sizeof *held);
    if (!held)
        abort();
    memcpy(held, &space->runs[from], (to - from) * sizeof *held);
    if (!json_true(change, "source_stays"))
        drop(space, from, to);
    *why = "lands on what is mapped";
    if (!is_free(space, start, end)) {
        free(held);
        return false;
    }
    for (size_t i = 0; i < to - from; i++) {
        held[i].start += start - source_start;
        held[i].end += start - source_start;
        snprintf(held[i].perm, sizeof held[i].perm, "%.4s", json_text(change, "perm"));
        insert(space, first_above(space, held[i].start), &held[i]);
    }
    free(held);
    return true;
}

static const struct {
    char op;
    bool (*apply)(struct replay_space *space, const struct json *change, const char **why);
} operations[] = {{'+', made}, {'-', gone}, {'~', altered}, {'>', moved}};

bool replay_event(struct replay *replay, const struct json *event, char *text, size_t size)
{
    uint32_t id = (uint32_t)json_number(event, "space");
    const struct json *exec = json_get(event, "exec");
    /* What goes in an exec is of the space before. */
    uint32_t left = exec && json_get(exec, "left_space") ? (uint32_t)json_number(exec, "left_space")
                                                         : id;

    json_for_each(change, json_get(event, "changes")) {
        char op = json_text(change, "op")[0];
        struct replay_space *space = space_of(replay, op == '-' ? left : id);
        const char *why = "is no operation";
        bool fits = false;

        for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
            if (operations[i].op == op)
                fits = operations[i].apply(space, change, &why);
        if (!fits) {
            snprintf(text, size, "#%s %s: %c %s-%s %s", json_get(event, "seq")->text,
                     json_text(event, "cause"), op, json_text(change, "start"),
                     json_text(change, "end"), why);
            return false;
        }
    }
    return true;
}

/* True if b goes on where a ends. */
static bool continues(const struct replay_run *a, const struct replay_run *b)
{
    return a->end == b->start && a->inode == b->inode && strcmp(a->perm, b->perm) == 0 &&
           strcmp(a->name, b->name) == 0 &&
           (a->inode == 0 || a->offset + (a->end - a->start) == b->offset);
}

static void append(struct replay_space *space, const struct replay_run *run)
{
    if (space->count > 0 && continues(&space->runs[space->count - 1], run))
        space->runs[space->count - 1].end = run->end;
    else
        insert(space, space->count, run);
}

static bool parse_line(const char *line, size_t length, struct replay_run *run)
{
    char copy[512];
    char perm[8];
    int name_at = 0;

    snprintf(copy, sizeof copy, "%.*s", (int)(length < 500 ? length : 500), line);
    *run = (struct replay_run){0};
    if (sscanf(copy, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*x:%*x %" SCNu64 " %n", &run->start,
               &run->end, perm, &run->offset, &run->inode, &name_at) < 5)
        return false;
    snprintf(run->perm, sizeof run->perm, "%.4s", perm);
    if (run->inode == 0) {
        run->offset = 0;
        special_name(run->name, name_at ? copy + name_at : "");
    }
    return true;
}

static int print_run(char *text, size_t size, const char *whose, const struct replay_run *run)
{
    return snprintf(text, size, "%s: %" PRIx64 "-%" PRIx64 " %s %" PRIx64 " inode %" PRIu64 " %s\n",
                    whose, run->start, run->end, run->perm, run->offset, run->inode, run->name);
}

static bool same(const struct replay_run *a, const struct replay_run *b)
{
    return a->start == b->start && a->end == b->end && a->offset == b->offset &&
           a->inode == b->inode && strcmp(a->perm, b->perm) == 0 && strcmp(a->name, b->name) == 0;
}

bool replay_agrees(const struct replay *replay, uint32_t space, const char *maps, size_t length,
                   char *text, size_t size)
{
    static const struct replay_run none;
    struct replay_space ours = {0}, theirs = {0};
    struct replay_run run;
    bool agree = true;

    for (size_t i = 0; i < replay->count; i++)
        for (size_t r = 0; replay->spaces[i].id == space && r < replay->spaces[i].count; r++)
            append(&ours, &replay->spaces[i].runs[r]);
    for (const char *line = maps; line < maps + length;) {
        const char *stop = memchr(line, '\n', (size_t)(maps + length - line));

        if (!stop)
            stop = maps + length;
        if (parse_line(line, (size_t)(stop - line), &run))
            append(&theirs, &run);
        line = stop + 1;
    }
    for (size_t i = 0; agree && (i < ours.count || i < theirs.count); i++) {
        const struct replay_run *a = i < ours.count ? &ours.runs[i] : &none;
        const struct replay_run *b = i < theirs.count ? &theirs.runs[i] : &none;

        if (same(a, b))
            continue;
        agree = false;
        if (size > 0) {
            int used = print_run(text, size, "replayed", a);

            if (used > 0 && (size_t)used < size)
                print_run(text + used, size - (size_t)used, "kernel's", b);
        }
    }
    free(ours.runs);
    free(theirs.runs);
    return agree;
}

void replay_deinit(struct replay *replay)
{
    for (size_t i = 0; i < replay->count; i++)
        free(replay->spaces[i].runs);
    free(replay->spaces);
    *replay = (struct replay){0};
}
