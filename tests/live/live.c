/*
 * live.c - running vastrace, and the proofs over what it wrote.
 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay.h"

/* The helper library is this one file to the build. */
#include "json.c"
#include "replay.c"

enum { MOST_ARGUMENTS = 64, TEXT = 1024 };

/* --- running --- */

static char *read_whole(const char *path, size_t *length)
{
    FILE *stream = fopen(path, "rb");
    char *text = NULL;
    size_t capacity = 0;

    *length = 0;
    for (;;) {
        size_t n;

        if (*length + 65536 + 1 > capacity) {
            capacity = capacity ? capacity * 2 : 1 << 17;
            text = realloc(text, capacity);
            if (!text)
                abort();
        }
        n = stream ? fread(text + *length, 1, 65536, stream) : 0;
        if (n == 0)
            break;
        *length += n;
    }
    text[*length] = '\0';
    if (stream)
        fclose(stream);
    return text;
}

void live_write_file(const char *path, const void *contents, size_t length, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    if (fd < 0 || write(fd, contents, length) != (ssize_t)length)
        fail_msg("cannot write %s: %s", path, strerror(errno));
    fchmod(fd, mode);
    close(fd);
}

/* In the child: put the standard streams where the run collects them, and go. */
static _Noreturn void become(const char *directory, const struct live_options *options,
                             const char *const *argv)
{
    static const struct {
        const char *name;
        int flags;
    } streams[] = {
        {"in", O_RDONLY},
        {"out", O_WRONLY | O_CREAT | O_TRUNC},
        {"err", O_WRONLY | O_CREAT | O_TRUNC},
    };
    char path[128];

    for (int i = 0; i < 3; i++) {
        int fd;

        snprintf(path, sizeof path, "%s/%s", directory, streams[i].name);
        fd = open(path, streams[i].flags, 0600);
        if (fd < 0 || dup2(fd, i) < 0)
            _exit(124);
        if (fd > 2)
            close(fd);
    }
    if (options->unset)
        unsetenv(options->unset);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(124);
}

/* Wait for the one child, but not for ever: a stuck one is killed and the test fails. */
static int await(pid_t pid, const struct live_result *result, int seconds)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0u);
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    int status = 0;
    int ready;

    do
        ready = fd < 0 ? 1 : poll(&ended, 1, seconds * 1000);
    while (ready < 0 && errno == EINTR);
    if (ready == 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (fd >= 0)
        close(fd);
    if (ready == 0)
        fail_msg("stuck for %d seconds: %s (left in %s)", seconds, result->title,
                 result->directory);
    return status;
}

static void run(struct live_result *result, const struct live_options *options,
                const char *const *argv)
{
    static const struct live_options usual;
    char path[128];
    size_t used = 0;
    pid_t pid;

    if (!options)
        options = &usual;
    for (size_t i = 0; argv[i] && used < sizeof result->title; i++)
        used += (size_t)snprintf(result->title + used, sizeof result->title - used, "%s%s",
                                 i ? " " : "", argv[i]);
    snprintf(path, sizeof path, "%s/in", result->directory);
    live_write_file(path, options->input ? options->input : "",
                    options->input ? strlen(options->input) : 0, 0600);
    pid = fork();
    if (pid < 0)
        fail_msg("fork: %s", strerror(errno));
    if (pid == 0)
        become(result->directory, options, argv);
    result->status = await(pid, result, options->seconds ? options->seconds : LIVE_PATIENCE);
    snprintf(path, sizeof path, "%s/out", result->directory);
    result->out = read_whole(path, &result->out_length);
    snprintf(path, sizeof path, "%s/err", result->directory);
    result->err = read_whole(path, &result->err_length);
    result->timeline = read_whole(result->timeline_path, &result->timeline_length);
}

/*
 * Tests run one after the other in one thread, and are left by a jump where they
 * are skipped or fail: what must outlive that is the only state of a test program.
 */
static size_t skipped;
static char (*directories)[64];
static size_t directory_count;

static void prepare(struct live_result *result)
{
    const char *parent = getenv("TMPDIR");

    *result = (struct live_result){0};
    snprintf(result->directory, sizeof result->directory, "%.40s/vastrace-live-XXXXXX",
             parent && strlen(parent) < 40 ? parent : "/tmp");
    if (!mkdtemp(result->directory))
        fail_msg("mkdtemp: %s", strerror(errno));
    snprintf(result->timeline_path, sizeof result->timeline_path, "%s/t.jsonl", result->directory);
    directories = realloc(directories, (directory_count + 1) * sizeof *directories);
    if (!directories)
        abort();
    memcpy(directories[directory_count++], result->directory, sizeof *directories);
}

void live_run_program(const char *program, struct live_result *result,
                      const struct live_options *options, const char *const *argv)
{
    const char *whole[MOST_ARGUMENTS];
    size_t count = 0;

    prepare(result);
    whole[count++] = program;
    if (!options || !options->bare) {
        whole[count++] = "--verify";
        whole[count++] = "-q";
        whole[count++] = "-o";
        whole[count++] = result->timeline_path;
    }
    for (size_t i = 0; options && options->options && options->options[i]; i++)
        whole[count++] = options->options[i];
    if (argv[0])
        whole[count++] = "--";
    for (size_t i = 0; argv[i]; i++) {
        assert_true(count < MOST_ARGUMENTS - 1);
        whole[count++] = argv[i];
    }
    whole[count] = NULL;
    run(result, options, whole);
}

void live_run_untraced(struct live_result *result, const struct live_options *options,
                       const char *const *argv)
{
    prepare(result);
    run(result, options, argv);
}

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *walk)
{
    (void)info, (void)flag, (void)walk;
    remove(path);
    return 0;
}

static void remove_tree(const char *directory)
{
    nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void live_free(struct live_result *result)
{
    remove_tree(result->directory);
    json_arena_deinit(&result->arena);
    free(result->out);
    free(result->err);
    free(result->timeline);
    *result = (struct live_result){0};
}

const struct json *live_next(struct live_result *result, size_t *cursor)
{
    const char *line = result->timeline + *cursor;
    const char *stop, *where;
    const struct json *record;

    if (*cursor >= result->timeline_length)
        return NULL;
    stop = memchr(line, '\n', result->timeline_length - *cursor);
    if (!stop)
        live_fail(result, "the timeline's last line is not whole: %.200s", line);
    json_arena_reset(&result->arena);
    record = json_parse(&result->arena, line, (size_t)(stop - line), &where);
    if (!record)
        live_fail(result, "no JSON, at byte %zu of: %.*s", (size_t)(where - line),
                  (int)(stop - line), line);
    *cursor += (size_t)(stop - line) + 1;
    return record;
}

/* --- telling --- */

static void print_tail(const char *title, const char *text, size_t length, size_t most)
{
    size_t from = length > most ? length - most : 0;

    if (length > 0)
        fprintf(stderr, "--- %s%s\n%s%s", title, from ? " (its end)" : "", text + from,
                text[length - 1] == '\n' ? "" : "\n");
}

void live_fail(const struct live_result *result, const char *format, ...)
{
    char text[2 * TEXT];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "=== %s\n", result->title);
    print_tail("standard error", result->err, result->err_length, 2000);
    print_tail("standard output", result->out, result->out_length, 1500);
    print_tail("timeline", result->timeline, result->timeline_length, 3000);
    fail_msg("%s: %s", result->title, text);
    abort(); /* not reached */
}

void live_skip(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "skipped: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    skipped++;
    skip();
    abort(); /* not reached */
}

/* --- what must hold --- */

void live_assert_exited(const struct live_result *result, int status)
{
    if (!WIFEXITED(result->status))
        live_fail(result, "ended by signal %d, expected status %d", WTERMSIG(result->status),
                  status);
    if (WEXITSTATUS(result->status) != status)
        live_fail(result, "exited %d, expected %d", WEXITSTATUS(result->status), status);
}

void live_assert_signaled(const struct live_result *result, int signal)
{
    if (!WIFSIGNALED(result->status))
        live_fail(result, "exited %d, expected signal %d", WEXITSTATUS(result->status), signal);
    if (WTERMSIG(result->status) != signal)
        live_fail(result, "ended by signal %d, expected %d", WTERMSIG(result->status), signal);
}

void live_assert_exact(struct live_result *result, unsigned allowances)
{
    static const struct {
        const char *name;
        unsigned allowance;
    } zeros[] = {
        {"resyncs", LIVE_MAY_RESYNC},
        {"uncertain", LIVE_MAY_BE_UNCERTAIN},
        {"lost", LIVE_MAY_LOSE},
    };
    size_t cursor = 0, records = 0;
    uint64_t seq = 0;
    bool ended = false;
    const struct json *record;

    while ((record = live_next(result, &cursor))) {
        const char *type = json_text(record, "type");

        if ((records++ == 0) != (strcmp(type, "header") == 0))
            live_fail(result, "record %zu is of type '%s'", records, type);
        if (ended)
            live_fail(result, "a record of type '%s' after the end", type);
        if (strcmp(type, "event") == 0 && json_number(record, "seq") != ++seq)
            live_fail(result, "event %" PRIu64 " where %" PRIu64 " should be",
                      json_number(record, "seq"), seq);
        if (strcmp(type, "end") == 0) {
            const struct json *exactness = json_get(record, "exactness");
            uint64_t compared = json_number(exactness, "compared");
            uint64_t agreed = json_number(exactness, "agreed");

            ended = true;
            if (!exactness)
                live_fail(result, "the end says nothing of exactness");
            if (compared == 0 && !(allowances & LIVE_MAY_BE_UNCOMPARED))
                live_fail(result, "nothing was compared");
            if (agreed != compared)
                live_fail(result, "%" PRIu64 " of %" PRIu64 " comparisons agreed", agreed,
                          compared);
            for (size_t i = 0; i < LIVE_COUNT(zeros); i++)
                if (!(allowances & zeros[i].allowance) &&
                    json_number(exactness, zeros[i].name) != 0)
                    live_fail(result, "%s: %" PRIu64, zeros[i].name,
                              json_number(exactness, zeros[i].name));
            if (json_number(record, "events") != seq)
                live_fail(result, "%" PRIu64 " events, and the end says %" PRIu64, seq,
                          json_number(record, "events"));
        }
    }
    if (!ended)
        live_fail(result, "the timeline has no end");
}

/* --- replay --- */

/* A map that the program printed. */
struct snapshot {
    uint64_t pid, marker;
    const char *text;
    size_t length;
    bool used;
};

static size_t find_snapshots(const struct live_result *result, struct snapshot *snapshots,
                             size_t most)
{
    size_t count = 0;
    const char *line = result->out;

    while (line && count < most) {
        struct snapshot *s = &snapshots[count];

        if (sscanf(line, "maps=%" SCNu64 " %" SCNu64, &s->pid, &s->marker) == 2) {
            const char *stop;

            s->text = strchr(line, '\n') + 1;
            stop = strstr(s->text, "\nmaps=end\n");
            if (!stop)
                live_fail(result, "a map without its end");
            s->length = (size_t)(stop - s->text) + 1;
            s->used = false;
            count++;
            line = stop + 1;
        }
        line = strchr(line, '\n');
        line = line && line[1] ? line + 1 : NULL;
    }
    return count;
}

/* The map that belongs to this event, if the event is a mark. */
static struct snapshot *marked(struct snapshot *snapshots, size_t count, const struct json *event)
{
    if (strcmp(json_text(event, "cause"), "munmap") != 0 || live_argument(event, 0) != 1)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (!snapshots[i].used && snapshots[i].pid == json_number(event, "pid") &&
            snapshots[i].marker == live_argument(event, 1))
            return &snapshots[i];
    return NULL;
}

size_t live_assert_replay(struct live_result *result)
{
    struct snapshot snapshots[256];
    size_t count = find_snapshots(result, snapshots, LIVE_COUNT(snapshots));
    size_t cursor = 0, compared = 0;
    struct replay replay = {0};
    const struct json *record;
    char text[TEXT];

    while ((record = live_next(result, &cursor))) {
        const char *cause = json_text(record, "cause");
        struct snapshot *snapshot;

        /* What lay there at the end of a process is not counted as removed. */
        if (strcmp(json_text(record, "type"), "event") != 0 || strcmp(cause, "exit") == 0)
            continue;
        if (!replay_event(&replay, record, text, sizeof text))
            live_fail(result, "replay: %s", text);
        snapshot = marked(snapshots, count, record);
        if (!snapshot)
            continue;
        snapshot->used = true;
        compared++;
        if (!replay_agrees(&replay, (uint32_t)json_number(record, "space"), snapshot->text,
                           snapshot->length, text, sizeof text))
            live_fail(result, "replayed to #%" PRIu64 ", the map of %" PRIu64 " differs:\n%s",
                      json_number(record, "seq"), snapshot->pid, text);
    }
    replay_deinit(&replay);
    for (size_t i = 0; i < count; i++)
        if (!snapshots[i].used)
            live_fail(result, "the mark %" PRIu64 " of %" PRIu64 " is not in the timeline",
                      snapshots[i].marker, snapshots[i].pid);
    return compared;
}

/* --- what the fixture says it did --- */

enum { MOST_CHANGES = 16 };

struct expected_change {
    char op;
    uint64_t start, end, from;
    char perm[8], kind[24], was[8];
    bool has_from, stays;
};

struct expected_call {
    char name[32], error[16];
    struct expected_change changes[MOST_CHANGES];
    size_t count;
    char text[TEXT]; /* as printed, for messages */
};

/* A call has another name in another ABI. */
static const struct {
    const char *said, *told;
} aliases[] = {
    {"mmap", "mmap2"},
    {"mmap", "old_mmap"},
    {"shmat", "ipc"},
    {"shmdt", "ipc"},
};

static bool same_cause(const char *said, const char *told)
{
    if (strcmp(said, told) == 0)
        return true;
    for (size_t i = 0; i < LIVE_COUNT(aliases); i++)
        if (strcmp(aliases[i].said, said) == 0 && strcmp(aliases[i].told, told) == 0)
            return true;
    return false;
}

static bool fits_word(const char *expected, const char *actual)
{
    return strcmp(expected, "*") == 0 || strcmp(expected, actual) == 0;
}

/* How many bytes of an expected change this one covers; 0 too where it contradicts it. */
static uint64_t covers(const struct expected_change *expected, const struct json *change)
{
    char op = json_text(change, "op")[0];
    uint64_t start = json_number(change, "start"), end = json_number(change, "end");
    uint64_t low = start > expected->start ? start : expected->start;
    uint64_t high = end < expected->end ? end : expected->end;

    if (low >= high)
        return 0;
    if (expected->op == '*')
        return high - low;
    if (op != expected->op)
        return 0;
    if (!fits_word(expected->perm, json_text(change, op == '-' ? "was" : "perm")))
        return 0;
    if (!fits_word(expected->kind, json_text(change, "kind")))
        return 0;
    if (op == '~' && expected->was[0] && !fits_word(expected->was, json_text(change, "was")))
        return 0;
    if (expected->has_from) {
        const struct json *from = json_get(change, "from");

        if (!from || json_value(from->first) - start != expected->from - expected->start)
            return 0;
        if (json_true(change, "source_stays") != expected->stays)
            return 0;
    }
    return high - low;
}

static bool call_fits(const struct expected_call *expected, const struct json *event)
{
    static const char ops[] = "+-~>";
    const struct json *changes = json_get(event, "changes");
    uint64_t wanted[4] = {0}, found[4] = {0};
    bool anything = false;

    if (!same_cause(expected->name, json_text(event, "cause")))
        return false;
    if (strcmp(expected->name, "fault") != 0 &&
        !live_call_error(event, expected->error[0] ? expected->error : NULL))
        return false;
    for (size_t i = 0; i < expected->count; i++) {
        const struct expected_change *e = &expected->changes[i];
        uint64_t covered = 0;

        json_for_each(change, changes)
            covered += covers(e, change);
        if (e->op == '*')
            anything = true;
        else if (covered != e->end - e->start)
            return false;
        else
            wanted[strchr(ops, e->op) - ops] += covered;
    }
    /* And nothing more than that: but for a change of kind alone. */
    json_for_each(change, changes) {
        const char *op = strchr(ops, json_text(change, "op")[0]);

        if (!op || !*op)
            return false;
        if (*op == '~' && strcmp(json_text(change, "perm"), json_text(change, "was")) == 0)
            continue;
        found[op - ops] += json_number(change, "end") - json_number(change, "start");
    }
    return anything || memcmp(wanted, found, sizeof wanted) == 0;
}

/* Parse the call= line here and the change= lines after it; the line after those. */
static const char *parse_call(const struct live_result *result, const char *line,
                              struct expected_call *call)
{
    *call = (struct expected_call){0};
    sscanf(line, "call=%31s error=%15s", call->name, call->error);
    for (;;) {
        struct expected_change *c = &call->changes[call->count];
        const char *stop = strchr(line, '\n');
        size_t used = strlen(call->text);
        char rest[128];

        if (!stop)
            return NULL;
        snprintf(call->text + used, sizeof call->text - used, "%.*s\n", (int)(stop - line), line);
        line = stop + 1;
        if (strncmp(line, "change=", 7) != 0)
            return line;
        rest[0] = '\0';
        if (call->count + 1 >= MOST_CHANGES ||
            sscanf(line, "change=%c %" SCNx64 "-%" SCNx64 " %7s %23s%127[^\n]", &c->op, &c->start,
                   &c->end, c->perm, c->kind, rest) < 5)
            live_fail(result, "not understood: %.100s", line);
        sscanf(rest, " was=%7s", c->was);
        c->has_from = sscanf(rest, " from=%" SCNx64, &c->from) == 1;
        c->stays = strstr(rest, " stays") != NULL;
        call->count++;
    }
}

size_t live_assert_expected(struct live_result *result)
{
    const char *line = result->out;
    size_t cursor = 0, count = 0;
    struct expected_call call;

    while (line && *line) {
        size_t look = cursor;
        const struct json *event;

        if (strncmp(line, "call=", 5) != 0) {
            line = strchr(line, '\n');
            line = line ? line + 1 : NULL;
            continue;
        }
        line = parse_call(result, line, &call);
        while ((event = live_next(result, &look)))
            if (strcmp(json_text(event, "type"), "event") == 0 && call_fits(&call, event))
                break;
        if (!event)
            live_fail(result, "not in the timeline as the fixture did it (after its byte %zu):\n%s",
                      cursor, call.text);
        cursor = look;
        count++;
    }
    return count;
}

void live_assert_proven(struct live_result *result, unsigned allowances)
{
    live_assert_exact(result, allowances);
    live_assert_replay(result);
    live_assert_expected(result);
}

/* --- what a fixture printed --- */

bool live_fact(const struct live_result *result, const char *key, char *text, size_t size)
{
    size_t length = strlen(key);

    for (const char *line = result->out; line && *line;) {
        const char *stop = strchr(line, '\n');

        if (!stop)
            stop = line + strlen(line);
        if (strncmp(line, key, length) == 0 && line[length] == '=') {
            snprintf(text, size, "%.*s", (int)(stop - line - (ptrdiff_t)length - 1),
                     line + length + 1);
            return true;
        }
        line = *stop ? stop + 1 : NULL;
    }
    return false;
}

uint64_t live_fact_number(const struct live_result *result, const char *key, int base)
{
    char text[128];

    if (!live_fact(result, key, text, sizeof text))
        live_fail(result, "the fixture did not say %s=", key);
    return strtoull(text, NULL, base);
}

size_t live_count_lines(const struct live_result *result, const char *line)
{
    size_t length = strlen(line), count = 0;

    for (const char *at = result->out; at && *at;) {
        if (strncmp(at, line, length) == 0 && (at[length] == '\n' || !at[length]))
            count++;
        at = strchr(at, '\n');
        at = at ? at + 1 : NULL;
    }
    return count;
}

void live_skip_if_said(struct live_result *result)
{
    char text[256], title[sizeof result->title];

    if (!live_fact(result, "skip", text, sizeof text))
        return;
    memcpy(title, result->title, sizeof title);
    live_free(result); /* skipping does not return */
    live_skip("%s: %s", title, text);
}

/* --- what the timeline tells --- */

size_t live_count_cause(struct live_result *result, const char *cause)
{
    const struct json *record;
    size_t cursor = 0, count = 0;

    while ((record = live_next(result, &cursor)))
        if (strcmp(json_text(record, "cause"), cause) == 0)
            count++;
    return count;
}

bool live_call_error(const struct json *event, const char *error)
{
    const char *told = json_text(json_get(event, "call"), "error");

    return strcmp(told, error ? error : "") == 0;
}

uint64_t live_argument(const struct json *event, size_t n)
{
    json_for_each(argument, json_get(json_get(event, "call"), "args"))
        if (n-- == 0)
            return json_value(argument);
    return 0;
}

/* --- around it --- */

bool live_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool live_capture(const char *const *argv, char *text, size_t size)
{
    struct live_result result;
    bool done;

    live_run_untraced(&result, NULL, argv);
    done = WIFEXITED(result.status) && WEXITSTATUS(result.status) == 0;
    snprintf(text, size, "%s", result.out);
    live_free(&result);
    return done;
}

int live_main(const char *group, const struct CMUnitTest *tests, size_t count, int argc,
              char **argv)
{
    int failures;

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    failures = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
    /* What a failed test leaves is kept, to be looked at. */
    for (size_t i = 0; failures == 0 && i < directory_count; i++)
        remove_tree(directories[i]);
    free(directories);
    if (failures == 0 && skipped == count)
        return 77;
    return failures > 100 ? 100 : failures;
}
