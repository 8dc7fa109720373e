/*
 * test_failures.c - whatever call of the tracer fails, at whatever moment: it
 * ends, the program it traces is not left stopped, traced or behind, and what
 * it tells is what it tells otherwise, or it says that something is missing.
 *
 * A first run of each scenario counts the calls of each class; then one run
 * after another makes one of them fail, or all from there on. A sample of them,
 * spread evenly; with VASTRACE_LONG=1 each.
 */
#include "inject/inject.h"
#include "running.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAMPLE = 3, SECONDS = 20 };

/* What becomes of a run in which a call fails. */
enum outcome {
    TOLD,     /* nothing is missing, or it is said */
    HARMLESS, /* the run is what it is without */
    CUT,      /* what is written may end early, and nothing says so: nobody reads it any more */
};

/* How a class of calls fails. */
static const struct way {
    enum inject_class class;
    int error;
    bool lasting; /* that call and all after it, else only that one */
    enum outcome outcome;
} ways[] = {
    {INJECT_SEIZE, EPERM, false, TOLD},       {INJECT_INTERRUPT, EIO, false, TOLD},
    {INJECT_RESUME, EIO, false, TOLD},        {INJECT_RESUME, EPERM, true, TOLD},
    {INJECT_DETACH, EIO, false, TOLD},        {INJECT_MESSAGE, EIO, false, TOLD},
    {INJECT_CALL, EIO, false, TOLD},          {INJECT_CALL, EIO, true, TOLD},
    {INJECT_REGISTERS, EIO, false, TOLD},     {INJECT_POKE, EIO, false, TOLD},
    {INJECT_WAIT, EINTR, false, HARMLESS},    {INJECT_WAIT, ECHILD, false, TOLD},
    {INJECT_MEMORY, ENOMEM, false, TOLD},     {INJECT_MEMORY, ENOMEM, true, TOLD},
    {INJECT_MAP, ENOMEM, false, TOLD},        {INJECT_OPEN, EMFILE, false, TOLD},
    {INJECT_OPEN, EACCES, true, TOLD},        {INJECT_READ, EIO, false, TOLD},
    {INJECT_READ, EIO, true, TOLD},           {INJECT_PEEK, EFAULT, false, TOLD},
    {INJECT_WRITE, EINTR, false, HARMLESS},   {INJECT_WRITE, ENOSPC, false, TOLD},
    {INJECT_WRITE, EIO, true, TOLD},          {INJECT_WRITE, 0, true, HARMLESS},
    {INJECT_WRITE, EPIPE, true, CUT},         {INJECT_SYNC, EIO, false, TOLD},
    {INJECT_STAT, EACCES, false, TOLD},       {INJECT_IOCTL, EIO, false, TOLD},
    {INJECT_IOCTL, ENOTTY, true, HARMLESS},   {INJECT_PROCESS, EAGAIN, false, TOLD},
    {INJECT_DESCRIPTOR, EMFILE, false, TOLD}, {INJECT_SYSCALL, ENOSYS, false, TOLD},
};

static const char *const class_names[] = {
#define CLASS_TEXT(name, text) text,
    INJECT_CLASSES(CLASS_TEXT)
#undef CLASS_TEXT
};

enum flag {
    DIFFERS = 1, /* from run to run */
    OUTPUTS = 2, /* only what outputs do is made to fail */
};

/* What is traced, and how. */
static const struct scenario {
    const char *name;
    const char *options[6];
    const char *file;         /* a second output, beside the JSON Lines */
    const char *arguments[8]; /* of the fixture; it is attached to if it is to be `busy` */
    unsigned flags;
} scenarios[] = {
    {"maps, text", {NULL}, "t.txt", {"mprotect-parts", NULL}, 0},
    {"maps, verified", {"--verify", NULL}, NULL, {"mremap-several", NULL}, 0},
    {"all calls", {"--all-syscalls", "-e", "mmap,brk,exit", NULL}, NULL, {"brk", NULL}, 0},
    {"libraries, recording", {NULL}, "r.vas", {"dlopen", "2", NULL}, 0},
    {"stacks, recording", {"-k16", NULL}, "r.vas", {"dlopen", "1", NULL}, 0},
    {"threads", {"--verify", NULL}, "t.txt", {"threads-churn", "2", "2", NULL}, DIFFERS},
    {"processes", {"--verify", NULL}, "r.vas", {"fork-tree", "2", NULL}, 0},
    {"programs", {"-k4", NULL}, NULL, {"exec-chain", "1", NULL}, 0},
    {"shared spaces", {NULL}, NULL, {"clone-untraced", NULL}, 0},
    {"a crash", {"-k8", NULL}, "t.txt", {"strike", "inherited", NULL}, 0},
    {"attached, text", {NULL}, "t.txt", {"busy", "map", "2", "run", "1", NULL}, DIFFERS},
    {"attached, stacks", {"-k8", NULL}, "r.vas", {"busy", "map", "1", "forks", "1", NULL}, DIFFERS},
    {"CSV", {NULL}, "t.csv", {"mmap-many", "400", NULL}, OUTPUTS},
    {"HTML", {"-k4", NULL}, "t.html", {"mmap-many", "400", NULL}, OUTPUTS},
    {"folded", {"-k4", NULL}, "t.folded", {"mmap-many", "400", NULL}, OUTPUTS},
    {"massif", {NULL}, "t.massif", {"mmap-many", "400", NULL}, OUTPUTS},
    {"Perfetto", {NULL}, "t.pftrace", {"mmap-many", "400", NULL}, OUTPUTS},
    {"text", {NULL}, "t.txt", {"mmap-many", "400", NULL}, OUTPUTS},
    {"a recording", {NULL}, "r.vas", {"mmap-many", "400", NULL}, OUTPUTS},
};

/* What outputs are made with. */
static bool is_of_outputs(enum inject_class class)
{
    return class == INJECT_OPEN || class == INJECT_WRITE || class == INJECT_SYNC ||
           class == INJECT_MEMORY || class == INJECT_MAP || class == INJECT_STAT;
}

static bool is_attached(const struct scenario *scenario)
{
    return strcmp(scenario->arguments[0], "busy") == 0;
}

/* --- a run --- */

/* What is told, in words that do not depend on the time of the day. */
struct story {
    char **lines; /* sorted: threads have no order among them */
    size_t count;
    bool whole;     /* from header to end, without a gap */
    bool admits;    /* that something is missing or was set right */
    bool disagrees; /* with the kernel, although it was compared */
    size_t cut;     /* stacks that say that they are not complete */
};

struct run {
    struct live_result result;
    struct story story;
    struct inject *orders; /* shared */
    int left_behind;       /* its program goes on without it */
    bool stuck;
    char last_words[16]; /* of the program */
};

static void add_line(struct story *story, const char *line)
{
    story->lines = realloc(story->lines, (story->count + 1) * sizeof *story->lines);
    if (!story->lines || !(story->lines[story->count++] = strdup(line)))
        abort();
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void tell_event(struct story *story, const struct json *event)
{
    const struct json *call = json_get(event, "call"), *fault = json_get(event, "fault");
    char line[16384];
    size_t used;

    used = (size_t)snprintf(
        line, sizeof line, "%s %s %s %lx%s%s", json_text(event, "cause"), json_text(call, "error"),
        json_text(fault, "verdict"), (unsigned long)json_number(event, "mapped"),
        json_has(event, "sp") ? "" : " no sp", json_has(event, "stack") ? " with its stack" : "");
    json_for_each(change, json_get(event, "changes"))
        if (used < sizeof line)
            used += (size_t)snprintf(
                line + used, sizeof line - used, ", %s %lx-%lx %s %s %s %s %s",
                json_text(change, "op"), (unsigned long)json_number(change, "start"),
                (unsigned long)json_number(change, "end"), json_text(change, "perm"),
                json_text(change, "was"), json_text(change, "kind"),
                json_text(json_get(change, "object"), "name"), json_text(change, "image"));
    add_line(story, line);
}

static void read_story(struct run *run)
{
    struct story *story = &run->story;
    struct live_result *result = &run->result;
    const char *at = result->timeline, *stop;
    bool begun = false, ended = false, gap = false;
    uint64_t seq = 0;

    for (; (stop = strchr(at, '\n')); at = stop + 1) {
        const char *where;
        const struct json *record = json_parse(&result->arena, at, (size_t)(stop - at), &where);
        const char *type = json_text(record, "type");
        const struct json *exactness = json_get(record, "exactness");
        char line[512];

        if (!record)
            live_fail(result, "a line of the timeline is no JSON: %.*s", (int)(stop - at), at);
        begun |= strcmp(type, "header") == 0;
        if (strcmp(type, "event") == 0) {
            gap |= json_number(record, "seq") < ++seq;
            seq = json_number(record, "seq");
            tell_event(story, record);
        } else if (strcmp(type, "stack") == 0) {
            story->cut += strcmp(json_text(record, "end"), "complete") != 0 &&
                          strcmp(json_text(record, "end"), "depth") != 0;
            snprintf(line, sizeof line, "stack of %zu frames, %s",
                     json_get(record, "frames") ? json_get(record, "frames")->count : 0,
                     json_text(record, "end"));
            add_line(story, line);
        } else if (strcmp(type, "frame") == 0) {
            snprintf(line, sizeof line, "frame %s+%lx",
                     json_text(json_get(record, "object"), "name"),
                     (unsigned long)json_number(record, "address"));
            add_line(story, line);
        } else if (strcmp(type, "end") == 0) {
            ended = true;
            story->admits = json_number(exactness, "lost") || json_number(exactness, "resyncs") ||
                            json_number(exactness, "uncertain");
            story->disagrees = json_number(exactness, "agreed") !=
                               json_number(exactness, "compared");
            snprintf(line, sizeof line, "processes %lu, threads %lu",
                     (unsigned long)json_number(record, "processes"),
                     (unsigned long)json_number(record, "threads"));
            add_line(story, line);
        }
        json_arena_reset(&result->arena);
    }
    story->whole = begun && ended && !gap && *at == '\0';
    if (story->count)
        qsort(story->lines, story->count, sizeof *story->lines, compare_lines);
}

/* The first line of one story that the other has not, or null. */
static const char *difference(const struct story *a, const struct story *b)
{
    for (size_t i = 0, j = 0; i < a->count; i++, j++) {
        while (j < b->count && strcmp(b->lines[j], a->lines[i]) < 0)
            j++;
        if (j == b->count || strcmp(a->lines[i], b->lines[j]) != 0)
            return a->lines[i];
    }
    return NULL;
}

static _Noreturn void become_tracer(const struct run *run, const char *const *argv, int out)
{
    char path[128], options[512];
    const char *asan = getenv("ASAN_OPTIONS");
    int fd;

    snprintf(path, sizeof path, "%s/err", run->result.directory);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || dup2(fd, 2) < 0 || dup2(out, 1) < 0)
        _exit(123);
    /* The sanitizer wants to come first; it does, for all that matters to it. */
    snprintf(options, sizeof options, "%s:verify_asan_link_order=0", asan ? asan : "");
    setenv("ASAN_OPTIONS", options, 1);
    snprintf(path, sizeof path, "%s/inject", run->result.directory);
    setenv(INJECT_VARIABLE, path, 1);
    setenv("LD_PRELOAD", INJECT_LIBRARY, 1);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(123);
}

/* Read what comes, until the end or the deadline; true at the end. The last words are kept. */
static bool read_off(struct run *run, int fd, int pidfd, int64_t deadline)
{
    const size_t most = sizeof run->last_words - 1;
    char text[65536 + sizeof run->last_words];

    for (;;) {
        struct pollfd events[] = {{.fd = fd, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
        int64_t left = deadline - now_ms();
        size_t kept = strlen(run->last_words);
        ssize_t n = -1;

        if (left <= 0 || poll(events, pidfd < 0 ? 1 : 2, (int)left) == 0)
            return false;
        if (events[0].revents) {
            memcpy(text, run->last_words, kept);
            n = read(fd, text + kept, sizeof text - sizeof run->last_words);
            kept += n > 0 ? (size_t)n : 0;
            snprintf(run->last_words, sizeof run->last_words, "%.*s", (int)most,
                     text + (kept > most ? kept - most : 0));
        }
        if (events[0].revents && n <= 0 && pidfd < 0)
            return true;
        if (pidfd >= 0 && events[1].revents)
            return true;
    }
}

/* A directory of the run's own, with its orders in it. */
static void prepare(struct run *run, const struct inject *orders)
{
    struct live_result *result = &run->result;
    char path[128];
    int fd;

    *run = (struct run){0};
    snprintf(result->directory, sizeof result->directory, "/tmp/vastrace-live-XXXXXX");
    if (!mkdtemp(result->directory))
        fail_msg("mkdtemp: %s", strerror(errno));
    snprintf(result->timeline_path, sizeof result->timeline_path, "%s/t.jsonl", result->directory);
    snprintf(path, sizeof path, "%s/inject", result->directory);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof *orders), 0);
    run->orders = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(run->orders != MAP_FAILED);
    close(fd);
    *run->orders = *orders;
}

/* Run it to its end, and read what it wrote. */
static void run_prepared(struct run *run, const char *name, const char *const *argv)
{
    struct live_result *result = &run->result;
    const struct inject orders = *run->orders;
    char path[128];
    int out[2], pidfd;
    pid_t pid;

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        become_tracer(run, argv, out[1]);
    close(out[1]);
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0u);
    assert_true(pidfd >= 0);
    run->stuck = !read_off(run, out[0], pidfd, now_ms() + SECONDS * 1000);
    if (run->stuck)
        kill(pid, SIGKILL);
    while (waitpid(pid, &result->status, 0) < 0 && errno == EINTR)
        ;
    /* The pipe ends when all that hold it are gone: the program and its children. */
    run->left_behind = !read_off(run, out[0], -1, now_ms() + 10000);
    close(pidfd);
    close(out[0]);
    if (orders.class < 0)
        snprintf(result->title, sizeof result->title, "%s, nothing fails", name);
    else
        snprintf(result->title, sizeof result->title, "%s: %s number %u%s fails with %s", name,
                 class_names[orders.class], orders.first,
                 orders.last > orders.first ? " and on" : "",
                 orders.error ? strerrorname_np(orders.error) : "half of it");
    snprintf(path, sizeof path, "%s/err", result->directory);
    result->err = read_file(path, &result->err_length);
    result->out = calloc(1, 1);
    result->timeline = read_file(result->timeline_path, &result->timeline_length);
}

static void run_with(struct run *run, const struct scenario *scenario, pid_t attached,
                     const struct inject *orders)
{
    struct live_result *result = &run->result;
    const char *argv[32];
    char second[128], number[16];
    size_t count = 0;

    prepare(run, orders);
    argv[count++] = VASTRACE_PROGRAM;
    argv[count++] = "-q";
    for (size_t i = 0; scenario->options[i]; i++)
        argv[count++] = scenario->options[i];
    argv[count++] = "-o";
    argv[count++] = result->timeline_path;
    if (scenario->file) {
        snprintf(second, sizeof second, "%s/%s", result->directory, scenario->file);
        argv[count++] = "-o";
        argv[count++] = second;
    }
    if (attached) {
        snprintf(number, sizeof number, "%d", (int)attached);
        argv[count++] = "--duration";
        argv[count++] = "0.02";
        argv[count++] = "-p";
        argv[count++] = number;
    } else {
        argv[count++] = "--no-aslr";
        argv[count++] = "--";
        argv[count++] = FIXTURE_DIR "/fixture";
        for (size_t i = 0; scenario->arguments[i]; i++)
            argv[count++] = scenario->arguments[i];
    }
    argv[count] = NULL;
    run_prepared(run, scenario->name, argv);
    read_story(run);
}

static void run_free(struct run *run)
{
    munmap(run->orders, sizeof *run->orders);
    for (size_t i = 0; i < run->story.count; i++)
        free(run->story.lines[i]);
    free(run->story.lines);
    live_free(&run->result);
}

/* --- what must hold --- */

/* Null, or what does not hold. */
static const char *check_run(struct run *run, const struct run *normal, const struct way *way)
{
    struct live_result *result = &run->result;
    const struct story *story = &run->story;
    bool failed = WIFEXITED(result->status) && WEXITSTATUS(result->status) == 125;
    bool by_signal = WIFSIGNALED(result->status) && WTERMSIG(result->status) != SIGKILL;

    if (run->stuck)
        return "it is stuck";
    if (by_signal || strstr(result->err, "Sanitizer") || strstr(result->err, "runtime error"))
        return "it crashed";
    if (run->left_behind)
        return "its program is left behind";
    if ((failed || result->status != normal->result.status) && result->err_length == 0)
        return "it failed without a word";
    if (strstr(result->err, "vastrace: \n"))
        return "it failed without a word but its name";
    if ((way->class == INJECT_WRITE || way->class == INJECT_SYNC) && run->orders->first > 1 &&
        normal->story.count && strcmp(run->last_words, normal->last_words) != 0)
        return "the program did not come to its end";
    if (way->outcome == CUT)
        return NULL;
    if (story->disagrees && !story->admits)
        return "the model was wrong, and that was all";
    if (way->outcome == HARMLESS &&
        (result->err_length > 0 || result->status != normal->result.status))
        return "it was not harmless";
    if (way->outcome != HARMLESS && (result->err_length > 0 || story->admits))
        return NULL; /* it was said */
    if (!story->whole)
        return "the timeline is not whole, and nothing says so";
    if (normal->story.count == 0 || story->cut > normal->story.cut)
        return NULL;
    if (difference(&normal->story, story))
        return difference(&normal->story, story);
    return difference(story, &normal->story);
}

/* The program that was attached to goes on as if nothing had been. */
static void check_attached(struct running *running, const struct run *run)
{
    int64_t deadline = now_ms() + LIVE_PATIENCE * 1000;

    while (status_number(running->pid, "TracerPid:", 10) > 0 && now_ms() < deadline)
        poll(NULL, 0, 1);
    assert_left_alone(running->pid, false, run->result.title);
    running_order(running, "p");
    running_await(running, "progress=");
}

static void check_scenario(void **state)
{
    const struct scenario *scenario = *state;
    const struct inject none = {.class = -1};
    const char *only = getenv("VASTRACE_INJECT"); /* a class's number, for whoever debugs this */
    bool all = getenv("VASTRACE_LONG");
    struct running running = {0};
    struct run normal, again;
    size_t runs = 0, failures = 0, failed = 0;

    if (is_attached(scenario))
        running_fixture_list(&running, "fixture", scenario->arguments);
    run_with(&normal, scenario, running.pid, &none);
    run_with(&again, scenario, running.pid, &none);
    if (!normal.story.whole || normal.story.admits || normal.result.err_length)
        live_fail(&normal.result, "the program cannot be traced at all");
    for (size_t i = 0; scenario->flags & DIFFERS && i < normal.story.count; i++)
        free(normal.story.lines[i]);
    if (scenario->flags & DIFFERS)
        normal.story.count = 0;
    if (normal.story.count && difference(&normal.story, &again.story))
        live_fail(&normal.result, "two runs differ: %s", difference(&normal.story, &again.story));

    for (size_t w = 0; w < LIVE_COUNT(ways); w++) {
        const struct way *way = &ways[w];
        uint32_t calls = normal.orders->counts[way->class];
        uint32_t sample = all || calls < SAMPLE ? calls : SAMPLE;

        if (only && atoi(only) != (int)way->class)
            continue;
        if (scenario->flags & OUTPUTS ? !is_of_outputs(way->class) : way->outcome == CUT)
            continue;
        for (uint32_t i = 0; i < sample; i++) {
            /* Evenly, and in no two ways the same ones. */
            uint32_t at =
                1 + (way->outcome == CUT) + /* the first write lets the program go */
                (uint32_t)(((uint64_t)i * calls + (w * 7 % sample) * calls / sample / 4) / sample);
            struct inject orders = {.class = (int32_t)way->class,
                                    .first = at > calls ? calls : at,
                                    .last = way->lasting ? UINT32_MAX : at,
                                    .error = way->error};
            const char *wrong;
            struct run run;

            if (orders.last < orders.first)
                orders.last = orders.first;
            run_with(&run, scenario, running.pid, &orders);
            if (running.pid)
                check_attached(&running, &run);
            wrong = check_run(&run, &normal, way);
            if (wrong) {
                print_error("%s: %s\n    status %x, %s", run.result.title, wrong,
                            (unsigned)run.result.status,
                            run.result.err_length ? run.result.err : "\n");
                failures++;
            }
            failed += run.orders->failed;
            run_free(&run);
            runs++;
        }
    }
    if (running.pid) {
        running_order(&running, "e");
        if (strcmp(running_await(&running, "errors="), "0") != 0)
            fail_msg("%s: calls of the program failed", scenario->name);
        assert_int_equal(running_end(&running), 0);
    }
    print_message("%s: %zu runs, %zu calls failed in them\n", scenario->name, runs, failed);
    if (failed < runs / 2)
        fail_msg("%s: hardly a call was made to fail", scenario->name);
    run_free(&normal);
    run_free(&again);
    if (failures)
        fail_msg("%s: %zu of %zu runs", scenario->name, failures, runs);
}

/* --- formats, byte by byte --- */

static void export_to(struct run *run, const char *recording, const char *format,
                      const struct inject *orders)
{
    prepare(run, orders);
    run_prepared(run, format,
                 (const char *const[]){VASTRACE_PROGRAM, "export", recording, "--to", format, "-o",
                                       run->result.timeline_path, NULL});
    if (run->stuck || run->left_behind || WIFSIGNALED(run->result.status))
        live_fail(&run->result, "it is stuck, or crashed");
}

/*
 * Written in pieces an export is what it is at once; interrupted, too. Where it cannot be written
 * that is said, wherever it comes.
 */
static void check_exports(void **state)
{
    static const char *const formats[] = {"text",   "jsonl",    "csv", "folded",
                                          "massif", "perfetto", "html"};
    const struct scenario scenario = {
        "a recording", {"-k4", NULL}, "r.vas", {"mmap-many", "400", NULL}, 0};
    const struct inject none = {.class = -1};
    struct run recorded;
    char recording[128];

    (void)state;
    run_with(&recorded, &scenario, 0, &none);
    live_assert_exited(&recorded.result, 0);
    snprintf(recording, sizeof recording, "%s/r.vas", recorded.result.directory);
    for (size_t f = 0; f < LIVE_COUNT(formats); f++) {
        struct run normal;
        uint32_t writes;

        export_to(&normal, recording, formats[f], &none);
        live_assert_exited(&normal.result, 0);
        writes = normal.orders->counts[INJECT_WRITE];
        assert_true(normal.result.timeline_length > 0 && writes > 0);
        for (uint32_t at = 1; at <= writes; at += 1 + writes / 8) {
            const struct inject harmless[] = {
                {.class = INJECT_WRITE, .first = at, .last = UINT32_MAX, .error = 0},
                {.class = INJECT_WRITE, .first = at, .last = at, .error = EINTR},
            };
            const struct inject failing[] = {
                {.class = INJECT_WRITE, .first = at, .last = at, .error = ENOSPC},
                {.class = INJECT_WRITE, .first = at, .last = UINT32_MAX, .error = EIO},
                {.class = INJECT_SYNC, .first = at, .last = UINT32_MAX, .error = EDQUOT},
            };
            struct run run;

            for (size_t i = 0; i < LIVE_COUNT(harmless); i++) {
                export_to(&run, recording, formats[f], &harmless[i]);
                live_assert_exited(&run.result, 0);
                if (!run.orders->failed || run.result.err_length ||
                    run.result.timeline_length != normal.result.timeline_length ||
                    memcmp(run.result.timeline, normal.result.timeline,
                           normal.result.timeline_length) != 0)
                    live_fail(&run.result, "it is not what it is in one piece");
                run_free(&run);
            }
            for (size_t i = 0; i < LIVE_COUNT(failing); i++) {
                export_to(&run, recording, formats[f], &failing[i]);
                if (run.orders->failed && !WEXITSTATUS(run.result.status) &&
                    failing[i].class == INJECT_WRITE)
                    live_fail(&run.result, "it was not written, and that is no failure");
                if (WEXITSTATUS(run.result.status) && !strstr(run.result.err, "cannot write"))
                    live_fail(&run.result, "it does not say what failed");
                run_free(&run);
            }
        }
        run_free(&normal);
    }
    run_free(&recorded);
}

int main(int argc, char **argv)
{
    struct CMUnitTest tests[LIVE_COUNT(scenarios) + 1];
    const struct rlimit no_core = {0, 0};

#ifdef __SANITIZE_ADDRESS__
    fprintf(stderr, "skipped: the sanitizer's own threads and checks fail with the calls that are "
                    "refused; run it in a build without\n");
    return 77;
#endif
    setrlimit(RLIMIT_CORE, &no_core);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < LIVE_COUNT(scenarios); i++)
        tests[i] = (struct CMUnitTest){scenarios[i].name, check_scenario, NULL, NULL,
                                       (void *)(uintptr_t)&scenarios[i]};
    tests[LIVE_COUNT(scenarios)] = (struct CMUnitTest)cmocka_unit_test(check_exports);
    return live_main("failures", tests, LIVE_COUNT(tests), argc, argv);
}
