/*
 * test_recording.c - recordings written from made-up events and read again:
 * nothing is lost, rectangles are right (against a naive model), a file that
 * was cut short says so, and no hostile file does harm.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h> /* after what it needs */

#include <sqlite3.h>

#include "base/base.h"
#include "base/buf.h"
#include "recording/db.h"
#include "recording/pack.h"
#include "recording/tiles.h"
#include "session/replay.h"
#include "sinks/picture.h"
#include <vastrace/recording.h>
#include <vastrace/sink.h>

#define R VT_PROT_READ
#define W VT_PROT_WRITE
#define X VT_PROT_EXEC

static char directory[] = "/tmp/vastrace-recording.XXXXXX";

static const char *in_directory(const char *name)
{
    static char paths[16][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % VT_COUNTOF(paths)];
    snprintf(path, PATH_MAX, "%s/%s", directory, name);
    return path;
}

/* ---- a made-up run ---------------------------------------------------------------- */

static const struct vt_object program = {VT_OBJECT_FILE, 1, 0xfe, 0, 1234, 0, "/home/u/heapy"};
static const struct vt_object vsyscall = {VT_OBJECT_SPECIAL, 2, 0, 0, 0, 0, "[vsyscall]"};
static const struct vt_object hostile = {
    VT_OBJECT_FILE, 7, 0xfe, 1, UINT64_MAX, 0, "/tmp/new\nline \033[31m\"q\" \\ \xff\xc0\xaf"};

#define BASE     UINT64_C(0x555555554000)
#define STACK    UINT64_C(0x7ffffffde000)
#define VSYSCALL UINT64_C(0xffffffffff600000)

static struct vt_region region(vt_addr start, uint64_t size, uint8_t prot, uint8_t kind,
                               const struct vt_object *object, uint64_t offset)
{
    return (struct vt_region){start, start + size, offset, object, prot, 0, kind};
}

static struct vt_change made(struct vt_region after)
{
    return (struct vt_change){
        .op = VT_CHANGE_MADE, .start = after.start, .end = after.end, .after = after};
}

static struct vt_change gone(struct vt_region before)
{
    return (struct vt_change){
        .op = VT_CHANGE_GONE, .start = before.start, .end = before.end, .before = before};
}

static vt_addr page_addr(unsigned page)
{
    return BASE + (uint64_t)page * 4096;
}

struct teller {
    struct vt_sink *sinks[2];
    size_t sink_count;
    struct vt_error err;
    uint64_t seq;
    uint64_t mapped;
};

static void open_sink(struct teller *t, const char *path)
{
    struct vt_sink_config config = {.path = path};
    assert_int_equal(vt_sink_create(&config, &t->sinks[t->sink_count], &t->err), 0);
    t->sink_count++;
}

static void begin(struct teller *t)
{
    static char *const command[] = {"./heapy", "an argument\xff", NULL};
    struct vt_run run = {.version = "0.1.0",
                         .command = command,
                         .kernel = "6.18.0",
                         .machine = "x86_64",
                         .page_size = 4096,
                         .aslr = 2,
                         .start_unix_ns = INT64_C(1700000000123456789),
                         .verify = true};
    for (size_t i = 0; i < t->sink_count; i++)
        assert_int_equal(vt_sink_begin(t->sinks[i], &run, &t->err), 0);
}

static void end(struct teller *t)
{
    struct vt_summary summary = {.duration_ns = 987654321,
                                 .events = t->seq,
                                 .processes = 2,
                                 .threads = 3,
                                 .exactness = {9, 8, 7, 6, 5, 4},
                                 .interrupted = "told to"};
    for (size_t i = 0; i < t->sink_count; i++) {
        assert_int_equal(vt_sink_end(t->sinks[i], &summary, &t->err), 0);
        vt_sink_destroy(t->sinks[i]);
    }
}

static void tell(struct teller *t, struct vt_event event, const struct vt_change *changes,
                 size_t count)
{
    static const struct vt_detail none[512];
    assert_true(count <= VT_COUNTOF(none));
    event.seq = ++t->seq;
    event.time_ns = (int64_t)t->seq * 1000;
    event.pid = event.pid ? event.pid : 100;
    event.tid = event.tid ? event.tid : event.pid;
    event.space = event.space ? event.space : 1;
    event.changes = changes;
    event.change_count = count;
    event.details = event.details ? event.details : none;
    for (size_t i = 0; i < count; i++) {
        uint64_t size = changes[i].end - changes[i].start;
        bool copied = changes[i].op == VT_CHANGE_MOVED && changes[i].source_stays;
        t->mapped += changes[i].op == VT_CHANGE_MADE || copied ? size : 0;
        t->mapped -= changes[i].op == VT_CHANGE_GONE ? size : 0;
    }
    event.mapped_bytes = t->mapped;
    for (size_t i = 0; i < t->sink_count; i++)
        if (vt_sink_event(t->sinks[i], &event, &t->err))
            fail_msg("%s", t->err.text);
}

#define TELL(t, event, ...)                                                                        \
    tell(t, (struct vt_event)event, (const struct vt_change[]){__VA_ARGS__},                       \
         sizeof((const struct vt_change[]){__VA_ARGS__}) / sizeof(struct vt_change))
#define EVENT(...)                                                                                 \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static const char *const mmap_args[] = {"addr", "length", "prot", "flags", "fd", "offset"};
static const char *const munmap_args[] = {"addr", "length"};
static const struct vt_call mmap_call = {.name = "mmap",
                                         .number = 9,
                                         .arg_count = 6,
                                         .arg_names = mmap_args,
                                         .args = {0, 65536, R | W, 0x22, UINT64_MAX, 0},
                                         .result = 0x7ffff7a00000};
static const struct vt_call mmap_failed = {.name = "mmap",
                                           .number = 9,
                                           .arg_count = 6,
                                           .arg_names = mmap_args,
                                           .args = {0, UINT64_MAX, R, 0x22, UINT64_MAX, 0},
                                           .result = -1,
                                           .failed = true,
                                           .error = ENOMEM};
static const struct vt_call munmap_call = {
    .name = "munmap", .number = 11, .arg_count = 2, .arg_names = munmap_args, .args = {1, 2}};
static const struct vt_call odd_call = {.name = "mystery", .number = 77, .abi = VT_ABI_I386};

/* Everything that an event can say, once. */
static void tell_all(struct teller *t)
{
    static const struct vt_part parts[] = {{0x0, 0x800, VT_KIND_RODATA},
                                           {0x800, 0x1000, VT_KIND_TEXT},
                                           {0x1000, 0x1400, VT_KIND_DATA}};
    const struct vt_detail details[] = {
        {parts, 2, BASE, &program}, {&parts[2], 1, BASE, &program}, {0}, {0}};
    const struct vt_exec_info exec = {.path = "/home/u/heapy",
                                      .type = VT_PROGRAM_PIE,
                                      .class_bits = 64,
                                      .images = 2,
                                      .regions = 4};
    struct vt_region stack = region(STACK, 0x21000, R | W, VT_KIND_STACK, NULL, 0);
    struct vt_region anon = region(0x7ffff7a00000, 65536, R | W, VT_KIND_ANON, NULL, 0);
    static const struct vt_inlined inlined[] = {{"small", "a.c", 7}, {"other\xfe", NULL, 0}};
    static const struct vt_build_id build_id = {5, {0x00, 0x9a, 0xff, 0x00, 0x27}};
    static const struct vt_frame frames[] = {
        {1, &program, 0x804, true, "mmap", 4, "mmap.c", 9, NULL, 0, &build_id},
        {2, &program, 0x900, false, "main", 16, NULL, 0, inlined, 2, &build_id},
        {3, NULL, 0x7f0000000000, false, NULL, 0, NULL, 0, NULL, 0, NULL}};
    const struct vt_frame *first[] = {&frames[0], &frames[1]}, *second[] = {&frames[0], &frames[2]};
    const struct vt_stack stacks[] = {{1, first, 2, VT_STACK_COMPLETE},
                                      {2, second, 2, VT_STACK_UNKNOWN_CODE}};
    stack.flags = VT_REGION_GROWSDOWN;

    TELL(t, EVENT(.cause = VT_CAUSE_EXEC, .exec = &exec, .details = details, .sp = STACK + 0x20000),
         made(region(BASE, 0x1000, R | X, VT_KIND_TEXT, &program, 0)),
         made(region(BASE + 0x1000, 0x1000, R | W, VT_KIND_DATA, &program, 0x1000)), made(stack),
         made(region(VSYSCALL, 0x1000, X, VT_KIND_VSYSCALL, &vsyscall, 0)));
    TELL(t,
         EVENT(.cause = VT_CAUSE_CALL, .call = &mmap_call, .stack = &stacks[0],
               .sp = STACK + 0x10000, .sp_place = VT_SP_OWN, .ip = BASE + 0x804),
         made(anon));
    tell(
        t,
        (struct vt_event){
            .cause = VT_CAUSE_CALL, .call = &mmap_failed, .uncertain = true, .note = "a note \xff"},
        NULL, 0);
    tell(t,
         (struct vt_event){.cause = VT_CAUSE_CALL,
                           .call = &odd_call,
                           .stack = &stacks[1],
                           .sp = 5,
                           .sp_place = VT_SP_OTHER},
         NULL, 0);
    tell(t, (struct vt_event){.cause = VT_CAUSE_THREAD, .tid = 101, .parent = 100}, NULL, 0);
    struct vt_region half = anon;
    half.end -= 32768;
    half.prot = R;
    struct vt_change altered = {.op = VT_CHANGE_ALTERED,
                                .start = half.start,
                                .end = half.end,
                                .before = half,
                                .after = half};
    altered.before.prot = R | W;
    TELL(t, EVENT(.cause = VT_CAUSE_RESYNC, .tid = 101, .note = "set right"), altered);
    struct vt_region there = half;
    there.start += 0x100000;
    there.end += 0x100000;
    struct vt_change moved = {.op = VT_CHANGE_MOVED,
                              .start = there.start,
                              .end = there.end,
                              .before = half,
                              .after = there};
    TELL(t, EVENT(.cause = VT_CAUSE_CALL, .call = &odd_call), moved);
    there.start += 0x100000;
    there.end += 0x100000;
    struct vt_change copied = {.op = VT_CHANGE_MOVED,
                               .source_stays = true,
                               .start = there.start,
                               .end = there.end,
                               .before = moved.after,
                               .after = there};
    TELL(t, EVENT(.cause = VT_CAUSE_CALL, .call = &odd_call), copied);
    TELL(t, EVENT(.cause = VT_CAUSE_CALL, .call = &munmap_call), gone(there));
    struct vt_region odd = region(0x10000, 0x2000, 0, VT_KIND_SHM, &hostile, 0x5000);
    odd.flags = VT_REGION_SHARED;
    TELL(t, EVENT(.cause = VT_CAUSE_CALL, .call = &mmap_call), made(odd));
    struct vt_fault_info fault = {.signal = 11,
                                  .code = 1,
                                  .has_addr = true,
                                  .addr = there.start,
                                  .verdict = VT_FAULT_UNMAPPED,
                                  .below = odd,
                                  .above = stack,
                                  .has_past = true,
                                  .from_start = true,
                                  .stack_limit = 8 << 20,
                                  .past = {.seq = 9,
                                           .time_ns = 9000,
                                           .pid = 100,
                                           .tid = 100,
                                           .cause = "munmap",
                                           .op = VT_CHANGE_GONE,
                                           .before = there}};
    tell(t, (struct vt_event){.cause = VT_CAUSE_SIGNAL, .fault = &fault, .sp = 1}, NULL, 0);

    struct vt_process_totals totals = {.bytes = 5,
                                       .peak_bytes = 6,
                                       .usable_peak_bytes = 7,
                                       .events = 8,
                                       .sp_first = 9,
                                       .sp_lowest = 10,
                                       .stack_low = 11,
                                       .stack_high = 12};
    totals.kinds[VT_KIND_ANON] = (struct vt_kind_totals){1, 2, 3, 4, 5, 6, 7};
    struct vt_stack_use uses[] = {{100, true, STACK, STACK + 0x21000, 0, STACK + 8},
                                  {101, false, 4096, 8192, 4096, 5000}};
    struct vt_exit_info info = {.wait_status = 3 << 8,
                                .lifetime_ns = 12345,
                                .name = "heapy",
                                .totals = &totals,
                                .exactness = {1, 2, 3, 4, 5, 6},
                                .stacks = uses,
                                .stack_count = 2,
                                .root = true};
    struct vt_region rest = anon;
    rest.start += 32768;
    TELL(t, EVENT(.cause = VT_CAUSE_EXIT, .exit = &info), gone(odd),
         gone(region(BASE, 0x1000, R | X, VT_KIND_TEXT, &program, 0)),
         gone(region(BASE + 0x1000, 0x1000, R | W, VT_KIND_DATA, &program, 0x1000)), gone(rest),
         gone(moved.after), gone(stack),
         gone(region(VSYSCALL, 0x1000, X, VT_KIND_VSYSCALL, &vsyscall, 0)));
}

static void record_all(const char *path)
{
    struct teller t = {0};
    open_sink(&t, path);
    begin(&t);
    tell_all(&t);
    end(&t);
}

/* ---- asking everything ------------------------------------------------------------------- */

static int ignore_rectangle(void *context, const struct vt_rectangle *rectangle)
{
    *(uint64_t *)context += rectangle->region.end;
    return 0;
}

static void look_at(const struct vt_recorded_layout *layout)
{
    vt_layout_for_each(r, vt_recorded_layout_map(layout)) {
        struct vt_detail detail;
        vt_recorded_layout_detail(layout, r, &detail);
    }
}

static int ask_process(struct vt_recording *recording, const struct vt_recorded_process *process,
                       struct vt_error *err)
{
    static const char *const words[] = {"start", "end", "peak",
                                        "5us",   "#3",  "#9223372036854775807"};
    struct vt_moment moments[VT_COUNTOF(words)];
    int worst = 0;
    for (size_t i = 0; i < VT_COUNTOF(words); i++) {
        struct vt_recorded_layout *layout = NULL;
        struct vt_when when;
        assert_true(vt_when_parse(words[i], &when));
        int rc = vt_recording_moment(recording, process, &when, &moments[i], err);
        if (!rc)
            rc = vt_recording_layout(recording, &moments[i], &layout, err);
        if (!rc)
            look_at(layout);
        if (!rc && i == 1) {
            struct vt_differences d;
            rc = vt_recording_diff(recording, &moments[0], &moments[1], &d, err);
            vt_differences_deinit(&d);
            if (!rc)
                rc = vt_recording_diff_runs(layout, layout, &d, err);
            vt_differences_deinit(&d);
        }
        vt_recorded_layout_destroy(layout);
        worst = rc && rc != -ERANGE ? rc : worst;
    }
    struct vt_history history;
    int rc =
        vt_recording_history(recording, process, 0x7ffff7a00000, 0x7ffff7a00001, 4, &history, err);
    vt_history_deinit(&history);
    worst = rc ? rc : worst;
    rc = vt_recording_history(recording, process, 0, UINT64_MAX, 0, &history, err);
    vt_history_deinit(&history);
    worst = rc ? rc : worst;
    struct vt_report report;
    rc = vt_recording_report(recording, process, &report, err);
    vt_report_deinit(&report);
    return rc && rc != -ERANGE ? rc : worst;
}

/* Put every question to a file. 0, or one of the errors; a crash or a hang is the failure. */
static int ask_everything(const char *path, struct vt_error *err)
{
    struct vt_recording *recording;
    size_t count;
    uint64_t sum = 0;
    *err = (struct vt_error){0};
    int worst = vt_recording_open(path, &recording, err);
    if (worst)
        return worst;
    const struct vt_recorded_process *processes = vt_recording_processes(recording, &count);
    for (size_t i = 0; i < count && i < 4; i++) {
        int rc = ask_process(recording, &processes[i], err);
        worst = rc ? rc : worst;
    }
    int rc = vt_recording_rectangles(recording, ignore_rectangle, &sum, err);
    worst = rc ? rc : worst;
    struct vt_sink_config config = {.path = in_directory("replayed.jsonl")};
    struct vt_sink *sink;
    struct vt_error other;
    assert_int_equal(vt_sink_create(&config, &sink, &other), 0);
    rc = vt_session_replay(recording, NULL, sink, err);
    vt_sink_destroy(sink);
    vt_recording_close(recording);
    return rc ? rc : worst;
}

/* ---- what comes back ------------------------------------------------------------------------ */

static void read_file(const char *path, struct vt_buf *contents)
{
    FILE *file = fopen(path, "r");
    char bytes[4096];
    size_t length;
    assert_non_null(file);
    while ((length = fread(bytes, 1, sizeof(bytes), file)) > 0)
        vt_buf_add(contents, bytes, length);
    fclose(file);
}

static void write_file(const char *path, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

/* The same JSON Lines come from the events and from their recording. */
static void test_lossless(void **state)
{
    struct teller t = {0};
    struct vt_buf direct = {0}, replayed = {0};
    struct vt_error err;
    (void)state;
    const char *path = in_directory("lossless.vas");
    open_sink(&t, path);
    open_sink(&t, in_directory("direct.jsonl"));
    begin(&t);
    tell_all(&t);
    end(&t);
    if (ask_everything(path, &err))
        fail_msg("%s", err.text);
    read_file(in_directory("direct.jsonl"), &direct);
    read_file(in_directory("replayed.jsonl"), &replayed);
    assert_string_equal(vt_buf_cstr(&replayed), vt_buf_cstr(&direct));
    vt_buf_deinit(&direct);
    vt_buf_deinit(&replayed);
}

/* Edit a recording. */
static void attack(const char *path, const char *sql)
{
    sqlite3 *db;
    char *why = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) && !strstr(sql, "fts5"))
        fail_msg("%s: %s", sql, why);
    sqlite3_free(why);
    sqlite3_close(db);
}

static int count_rows(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

static void test_schema(void **state)
{
    static const char *const views[] = {"timeline", "lifetimes", "changes", "callers", "remaining"};
    (void)state;
    const char *path = in_directory("schema.vas");
    record_all(path);
    assert_int_equal(count_rows(path, "PRAGMA application_id"), VT_RECORDING_APPLICATION);
    assert_int_equal(count_rows(path, "PRAGMA user_version"), VT_RECORDING_VERSION);
    assert_int_equal(count_rows(path, "SELECT complete FROM run"), 1);
    assert_int_equal(count_rows(path, "SELECT partial FROM run"), 0);
    for (size_t i = 0; i < VT_COUNTOF(views); i++) {
        char sql[64];
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", views[i]);
        assert_true(count_rows(path, sql) > 0);
    }
    /* Addresses: as they are below 2^63, and printed rightly above. */
    assert_int_equal(count_rows(path,
                                "SELECT count(*) FROM lifetimes WHERE range = "
                                "'ffffffffff600000-ffffffffff601000' AND object = '[vsyscall]'"),
                     1);
    assert_int_equal(count_rows(path, "SELECT count(*) FROM regions WHERE start <= 0x555555554800 "
                                      "AND 0x555555554800 < end"),
                     1);
}

static int count_build_ids(void *context, const struct vt_event *event)
{
    for (size_t i = 0; event->stack && i < event->stack->frame_count; i++)
        *(size_t *)context += event->stack->frames[i]->build_id != NULL;
    return 0;
}

/* A recording of the first version is read as ever; what it does not have is not told. */
static void test_version_1(void **state)
{
    const char *path = in_directory("version1.vas");
    struct vt_recording *recording;
    struct vt_buf newer = {0}, older = {0};
    struct vt_error err;
    size_t count = 0;
    (void)state;
    record_all(path);
    assert_int_equal(ask_everything(path, &err), 0);
    read_file(in_directory("replayed.jsonl"), &newer);
    attack(path, "DROP TABLE build_ids; PRAGMA user_version = 1");
    if (ask_everything(path, &err))
        fail_msg("%s", err.text);
    read_file(in_directory("replayed.jsonl"), &older);
    assert_int_equal(vt_recording_open(path, &recording, &err), 0);
    assert_int_equal(vt_recording_info(recording)->schema, 1);
    assert_int_equal(vt_recording_replay(recording, count_build_ids, &count, &err), 0);
    assert_int_equal(count, 0);
    vt_recording_close(recording);
    /* All else is the same. */
    static const char member[] = ",\"build_id\":\"009aff0027\"";
    char *from = (char *)vt_buf_cstr(&newer), *to = from;
    for (const char *at; (at = strstr(from, member)); from = (char *)at + sizeof(member) - 1) {
        memmove(to, from, (size_t)(at - from));
        to += at - from;
        count++;
    }
    memmove(to, from, strlen(from) + 1);
    assert_int_equal(count, 2);
    assert_string_equal(vt_buf_cstr(&older), vt_buf_cstr(&newer));
    vt_buf_deinit(&newer);
    vt_buf_deinit(&older);
}

/* Where no lines are to be had frames stay as they are, and it is said why. */
static void test_lines(void **state)
{
    static const struct vt_build_id id = {2, {1, 2}};
    const char *fifo = in_directory("fifo"), *text = in_directory("text\n");
    const struct {
        const char *name;
        enum vt_object_type type;
        const struct vt_build_id *id;
    } rows[] = {
        {fifo, VT_OBJECT_FILE, &id},
        {fifo, VT_OBJECT_FILE, NULL},
        {text, VT_OBJECT_FILE, &id},
        {directory, VT_OBJECT_FILE, &id},
        {in_directory("nothing"), VT_OBJECT_FILE, &id},
        {"", VT_OBJECT_FILE, &id},
        {"proc/self/exe", VT_OBJECT_FILE, &id},
        {"/proc/self/exe", VT_OBJECT_FILE, &id},
        {"/proc/self/exe", VT_OBJECT_FILE, NULL},
        {"[vdso]", VT_OBJECT_SPECIAL, &id},
    };
    struct vt_object objects[VT_COUNTOF(rows)];
    struct vt_lines *lines = vt_lines_create();
    struct vt_buf names = {0};
    (void)state;
    assert_non_null(lines);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    write_file(text, "text", 4);
    for (unsigned i = 0; i < 3 * VT_COUNTOF(rows); i++) { /* each more than once */
        size_t at = i % VT_COUNTOF(rows);
        objects[at] = (struct vt_object){
            .type = rows[at].type, .id = (uint32_t)at + 1, .name = rows[at].name};
        struct vt_frame frame = {.object = &objects[at], .address = i, .build_id = rows[at].id};
        struct vt_frame before = frame;
        assert_int_equal(vt_lines_find(lines, &frame), 0);
        assert_memory_equal(&frame, &before, sizeof(frame));
    }
    struct vt_frame known = {.object = &program, .file = "a.c", .build_id = &id}, none = {.id = 1};
    assert_int_equal(vt_lines_find(lines, &known), 0);
    assert_int_equal(vt_lines_find(lines, &none), 0);
    assert_int_equal(vt_lines_missed(lines, VT_LINES_OTHER, &names), 7);
    assert_ptr_equal(strstr(vt_buf_cstr(&names), "fifo, text\n, vastrace-recording."), names.data);
    assert_non_null(strstr(vt_buf_cstr(&names), ", nothing and 3 others"));
    names.length = 0;
    assert_int_equal(vt_lines_missed(lines, VT_LINES_UNPROVEN, &names), 2);
    assert_string_equal(vt_buf_cstr(&names), "fifo, exe");
    vt_buf_deinit(&names);
    vt_lines_destroy(lines);
    vt_lines_destroy(NULL);
    unlink(fifo);
    unlink(text);
}

static void test_when(void **state)
{
    static const struct {
        const char *text;
        bool good;
        enum vt_when_type type;
        uint64_t value;
    } cases[] = {
        {"start", true, VT_WHEN_START, 0},
        {"end", true, VT_WHEN_END, 0},
        {"peak", true, VT_WHEN_PEAK, 0},
        {"1.25", true, VT_WHEN_TIME, 1250000000},
        {"350ms", true, VT_WHEN_TIME, 350000000},
        {"2s", true, VT_WHEN_TIME, 2000000000},
        {".5us", true, VT_WHEN_TIME, 500},
        {"#812", true, VT_WHEN_EVENT, 812},
        {"0", true, VT_WHEN_TIME, 0},
        {"", false, 0, 0},
        {"#", false, 0, 0},
        {"#-1", false, 0, 0},
        {"-1", false, 0, 0},
        {"1.2.3", false, 0, 0},
        {"nan", false, 0, 0},
        {"inf", false, 0, 0},
        {"1e30", false, 0, 0},
        {"5 ms", false, 0, 0},
        {"ended", false, 0, 0},
        {".", false, 0, 0},
        {"#99999999999999999999", false, 0, 0},
        {"0x10", false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(cases); i++) {
        struct vt_when when;
        bool good = vt_when_parse(cases[i].text, &when);
        if (good != cases[i].good && !strcmp(cases[i].text, "0x10"))
            continue; /* strtod knows hexadecimal, and so may we */
        if (good != cases[i].good)
            fail_msg("\"%s\" parsed as %d", cases[i].text, good);
        if (good) {
            assert_int_equal(when.type, cases[i].type);
            assert_true(when.value == cases[i].value);
        }
    }
}

static struct vt_recording *open_good(const char *path)
{
    struct vt_recording *recording;
    struct vt_error err;
    if (vt_recording_open(path, &recording, &err))
        fail_msg("%s", err.text);
    return recording;
}

static void test_questions(void **state)
{
    (void)state;
    const char *path = in_directory("questions.vas");
    record_all(path);
    struct vt_recording *recording = open_good(path);
    const struct vt_recorded_process *process;
    struct vt_error err;
    assert_int_equal(vt_recording_process(recording, 0, &process, &err), 0);
    assert_int_equal(process->pid, 100);
    assert_int_equal(vt_recording_process(recording, 5, &process, &err), -ESRCH);
    assert_non_null(strstr(err.text, "no process 5; it holds 100"));
    assert_int_equal(vt_recording_process(recording, 100, &process, &err), 0);
    assert_string_equal(process->path, "/home/u/heapy");
    assert_string_equal(process->name, "heapy");

    struct vt_history h;
    assert_int_equal(
        vt_recording_history(recording, process, 0x7ffff7a00010, 0x7ffff7a00011, 0, &h, &err), 0);
    static const enum vt_history_op wanted[] = {VT_HISTORY_MADE, VT_HISTORY_ALTERED,
                                                VT_HISTORY_MOVED_AWAY};
    assert_int_equal(h.count, VT_COUNTOF(wanted));
    for (size_t i = 0; i < h.count; i++)
        assert_int_equal(h.entries[i].op, wanted[i]);
    assert_int_equal(h.entries[0].event, 2);
    assert_string_equal(h.entries[0].cause, "mmap");
    assert_non_null(h.entries[0].stack);
    assert_true(h.entries[0].below.start == BASE + 0x1000);
    assert_true(h.entries[0].above.start == STACK);
    assert_int_equal(h.entries[1].tid, 101);
    assert_true(h.entries[2].elsewhere == 0x7ffff7b00010);
    vt_history_deinit(&h);
    /* The other half was cut off, and ends with the process. */
    assert_int_equal(
        vt_recording_history(recording, process, 0x7ffff7a08000, 0x7ffff7a08001, 0, &h, &err), 0);
    assert_int_equal(h.count, 3);
    assert_int_equal(h.entries[1].op, VT_HISTORY_CUT);
    assert_true(h.entries[1].after.end - h.entries[1].after.start == 32768);
    vt_history_deinit(&h);

    struct vt_report report;
    assert_int_equal(vt_recording_report(recording, process, &report, &err), 0);
    assert_true(report.balanced);
    assert_int_equal(report.end.event, 11);
    assert_true(report.kinds[VT_KIND_ANON].made_bytes == 65536 + 32768);
    assert_true(report.kinds[VT_KIND_ANON].closing_bytes == 65536);
    vt_report_deinit(&report);
    vt_recording_close(recording);
}

/* A recording of an exec, then of what `more` tells, then of the end of the process. */
static struct vt_recording *record(const char *name, void (*more)(struct teller *t),
                                   const struct vt_recorded_process **process)
{
    const char *path = in_directory(name);
    const struct vt_exec_info exec = {.path = "/home/u/heapy"};
    const struct vt_exit_info exit = {.name = "heapy", .root = true};
    struct teller t = {0};
    struct vt_error err;
    open_sink(&t, path);
    begin(&t);
    TELL(&t, EVENT(.cause = VT_CAUSE_EXEC, .exec = &exec),
         made(region(BASE, 0x1000, R | X, VT_KIND_TEXT, &program, 0)));
    more(&t);
    TELL(&t, EVENT(.cause = VT_CAUSE_EXIT, .exit = &exit),
         gone(region(BASE, 0x1000, R | X, VT_KIND_TEXT, &program, 0)));
    end(&t);
    struct vt_recording *recording = open_good(path);
    assert_int_equal(vt_recording_process(recording, 0, process, &err), 0);
    return recording;
}

#define STEPS 500

static void tell_growth(struct teller *t)
{
    static const struct vt_call brk = {.name = "brk", .number = 12};
    for (unsigned i = 0; i < STEPS; i++)
        TELL(t, EVENT(.cause = VT_CAUSE_CALL, .call = &brk),
             made(region(page_addr(i + 16), 4096, R | W, VT_KIND_HEAP, NULL, 0)));
    for (unsigned i = STEPS; i-- > 1;)
        TELL(t, EVENT(.cause = VT_CAUSE_CALL, .call = &brk),
             gone(region(page_addr(i + 16), 4096, R | W, VT_KIND_HEAP, NULL, 0)));
}

/* What goes on alike does not push out of a biography what happened before and after it. */
static void test_runs(void **state)
{
    static const struct {
        enum vt_history_op op;
        uint64_t skipped;
        uint64_t pages; /* of the region afterwards */
    } wanted[] = {
        {VT_HISTORY_MADE, 0, 1},
        {VT_HISTORY_GROWN, 0, 2},
        {VT_HISTORY_GROWN, STEPS - 3, STEPS},
        {VT_HISTORY_CUT, 0, STEPS - 1},
        {VT_HISTORY_CUT, STEPS - 3, 1},
    };
    const struct vt_recorded_process *process;
    struct vt_recording *recording = record("runs.vas", tell_growth, &process);
    struct vt_history h;
    struct vt_error err;
    (void)state;
    assert_int_equal(
        vt_recording_history(recording, process, page_addr(16), page_addr(16) + 1, 8, &h, &err), 0);
    assert_int_equal(h.count, VT_COUNTOF(wanted));
    assert_int_equal(h.left_out, 0);
    for (size_t i = 0; i < h.count; i++) {
        const struct vt_region *after = &h.entries[i].after;
        assert_int_equal(h.entries[i].op, wanted[i].op);
        assert_true(h.entries[i].skipped == wanted[i].skipped);
        assert_true(after->end - after->start == wanted[i].pages * 4096);
    }
    vt_history_deinit(&h);
    assert_int_equal(
        vt_recording_history(recording, process, page_addr(16), page_addr(16) + 1, 0, &h, &err), 0);
    assert_int_equal(h.count, 2 * STEPS - 1); /* all that were asked for are there */
    vt_history_deinit(&h);
    vt_recording_close(recording);
}

#define CALLERS (VT_FINDINGS_MOST + 3)

static void tell_writable_code(struct teller *t)
{
    static const char *const names[CALLERS] = {"a", "b", "c", "d", "e", "f",
                                               "g", "h", "i", "j", "k"};
    for (unsigned i = 0; i < CALLERS; i++) {
        struct vt_call call = {.name = names[i], .number = i + 1000};
        TELL(
            t, EVENT(.cause = VT_CAUSE_CALL, .call = &call),
            made(region(page_addr(64 * i + 64), 4096 * (i + 1), R | W | X, VT_KIND_ANON, NULL, 0)));
    }
}

/* The largest findings of a type are told, and how many there are; none merges with another's. */
static void test_many_findings(void **state)
{
    const struct vt_recorded_process *process;
    struct vt_recording *recording = record("findings.vas", tell_writable_code, &process);
    struct vt_report report;
    struct vt_error err;
    (void)state;
    assert_int_equal(vt_recording_report(recording, process, &report, &err), 0);
    assert_int_equal(report.finding_count, VT_FINDINGS_MOST);
    for (int type = 0; type < VT_FINDING_COUNT; type++)
        assert_int_equal(report.finding_totals[type], type == VT_FINDING_WRITE_EXEC ? CALLERS : 0);
    for (size_t i = 0; i < report.finding_count; i++) {
        assert_int_equal(report.findings[i].type, VT_FINDING_WRITE_EXEC);
        assert_true(report.findings[i].bytes == (CALLERS - i) * 4096);
        assert_int_equal(report.findings[i].count, 1);
    }
    vt_report_deinit(&report);
    vt_recording_close(recording);
}

static void tell_heaps(struct teller *t, uint64_t heap, uint64_t arena)
{
    struct vt_region mapped = region(0x7f0000000000, arena, R | W, VT_KIND_HEAP, NULL, 0);
    mapped.flags = VT_REGION_ARENA;
    if (heap)
        TELL(t, EVENT(.cause = VT_CAUSE_FAULT),
             made(region(page_addr(64), heap, R | W, VT_KIND_HEAP, NULL, 0)));
    TELL(t, EVENT(.cause = VT_CAUSE_FAULT), made(mapped));
}

static void tell_heap_and_arena(struct teller *t)
{
    tell_heaps(t, 0x10000, 0x20000);
}

static void tell_arena(struct teller *t)
{
    tell_heaps(t, 0, 0x30000);
}

/* Of two runs a heap is compared with a heap, and an arena of malloc's with an arena. */
static void test_roles(void **state)
{
    static const struct vt_when at_end = {.type = VT_WHEN_END};
    void (*const tell_run[2])(struct teller *) = {tell_heap_and_arena, tell_arena};
    static const char *const names[2] = {"before.vas", "after.vas"};
    struct vt_recording *recordings[2];
    struct vt_recorded_layout *layouts[2];
    struct vt_differences d;
    struct vt_error err;
    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct vt_recorded_process *process;
        struct vt_moment moment;
        recordings[i] = record(names[i], tell_run[i], &process);
        assert_int_equal(vt_recording_moment(recordings[i], process, &at_end, &moment, &err), 0);
        assert_int_equal(vt_recording_layout(recordings[i], &moment, &layouts[i], &err), 0);
    }
    assert_int_equal(vt_recording_diff_runs(layouts[0], layouts[1], &d, &err), 0);
    assert_int_equal(d.count, 2);
    assert_int_equal(d.items[0].op, VT_DIFFERENCE_GONE);
    assert_true(d.items[0].before.start == page_addr(64));
    assert_int_equal(d.items[1].op, VT_DIFFERENCE_GROWN);
    assert_true(d.items[1].after.flags & VT_REGION_ARENA);
    vt_differences_deinit(&d);
    for (int i = 0; i < 2; i++) {
        vt_recorded_layout_destroy(layouts[i]);
        vt_recording_close(recordings[i]);
    }
}

/* ---- rectangles against a naive model --------------------------------------------------------- */

#define PAGES  48
#define EVENTS 400

struct page {
    uint8_t prot;   /* 0xff: free */
    uint8_t object; /* index + 1 */
    uint64_t offset;
    uint64_t origin;
};

struct naive {
    struct page pages[PAGES];
};

static const struct vt_object files[] = {{VT_OBJECT_FILE, 1, 1, 1, 10, 0, "/a"},
                                         {VT_OBJECT_FILE, 2, 1, 1, 11, 0, "/b"}};

static uint32_t random_below(uint32_t *seed, uint32_t limit)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed % limit;
}

static vt_addr anon_kind(void *context, const struct vt_region *r, uint8_t *kind)
{
    (void)context;
    *kind = r->object ? VT_KIND_FILE : r->prot ? VT_KIND_ANON : VT_KIND_RESERVE;
    return r->end;
}

/* One random edit, on both; the layout's changes are what is told. */
static void edit(struct vt_layout *layout, struct naive *naive, uint64_t seq, uint32_t *seed,
                 struct vt_changes *changes)
{
    unsigned from = random_below(seed, PAGES), count = 1 + random_below(seed, PAGES - from);
    unsigned what = random_below(seed, 6), file = random_below(seed, 3);
    uint8_t prot = (uint8_t)random_below(seed, 8);
    changes->count = 0;
    if (what < 2) {
        struct vt_region r = region(page_addr(from), (uint64_t)count * 4096, prot, 0,
                                    file ? &files[file - 1] : NULL, file ? from * 4096u : 0);
        assert_int_equal(vt_layout_map(layout, &r, changes), 0);
        for (unsigned i = 0; i < count; i++)
            naive->pages[from + i] =
                (struct page){prot, (uint8_t)file, file ? (from + i) * 4096u : 0, seq};
    } else if (what == 2) {
        assert_int_equal(vt_layout_unmap(layout, page_addr(from), page_addr(from + count), changes),
                         0);
        for (unsigned i = 0; i < count; i++)
            naive->pages[from + i].prot = 0xff;
    } else if (what < 5) {
        assert_int_equal(
            vt_layout_protect(layout, page_addr(from), page_addr(from + count), prot, changes), 0);
        for (unsigned i = 0; i < count; i++)
            if (naive->pages[from + i].prot != 0xff)
                naive->pages[from + i].prot = prot;
    } else {
        unsigned size = 1 + random_below(seed, PAGES / 2), to = PAGES / 2;
        bool stays = random_below(seed, 3) == 0;
        from = random_below(seed, PAGES / 2 - size + 1);
        to += random_below(seed, PAGES / 2 - size + 1);
        assert_int_equal(vt_layout_move(layout, page_addr(from), page_addr(to),
                                        (uint64_t)size * 4096, stays, changes),
                         0);
        for (unsigned i = 0; i < size; i++) {
            if (naive->pages[from + i].prot == 0xff)
                continue; /* a hole leaves what lies at its target */
            naive->pages[to + i] = naive->pages[from + i];
            if (!stays)
                naive->pages[from + i].prot = 0xff;
        }
    }
}

struct coverage {
    struct page pages[PAGES];
    uint64_t event;
};

static int cover(void *context, const struct vt_rectangle *r)
{
    struct coverage *c = context;
    assert_true(!r->ended_event || r->ended_event > r->made_event);
    if (r->made_event > c->event || (r->ended_event && r->ended_event <= c->event))
        return 0;
    for (vt_addr at = r->region.start; at < r->region.end; at += 4096) {
        struct page *page = &c->pages[(at - BASE) / 4096];
        assert_int_equal(page->prot, 0xff); /* nothing there twice */
        *page = (struct page){
            r->region.prot, (uint8_t)(r->region.object ? r->region.object->id : 0),
            r->region.object ? r->region.offset + (at - r->region.start) : 0, r->origin_event};
    }
    return 0;
}

static void compare(struct vt_recording *recording, const struct naive *naive, uint64_t event)
{
    struct coverage c = {.event = event};
    struct vt_error err;
    for (unsigned i = 0; i < PAGES; i++)
        c.pages[i].prot = 0xff;
    assert_int_equal(vt_recording_rectangles(recording, cover, &c, &err), 0);
    for (unsigned i = 0; i < PAGES; i++) {
        const struct page *a = &naive->pages[i], *b = &c.pages[i];
        bool same = a->prot == b->prot &&
                    (a->prot == 0xff || (a->object == b->object && a->origin == b->origin &&
                                         (!a->object || a->offset == b->offset)));
        if (!same)
            fail_msg("page %u after #%llu: prot %u object %u origin %llu, recorded prot %u object "
                     "%u origin %llu",
                     i, (unsigned long long)event, a->prot, a->object,
                     (unsigned long long)a->origin, b->prot, b->object,
                     (unsigned long long)b->origin);
    }
}

/* The layout that is asked for must be the one there was, as one set of regions. */
static void compare_layout(struct vt_recording *recording, const struct vt_layout *layout)
{
    static const struct vt_when at_end = {.type = VT_WHEN_END};
    const struct vt_recorded_process *process;
    struct vt_recorded_layout *recorded;
    struct vt_moment moment;
    struct vt_error err;
    assert_int_equal(vt_recording_process(recording, 0, &process, &err), 0);
    assert_int_equal(vt_recording_moment(recording, process, &at_end, &moment, &err), 0);
    assert_int_equal(vt_recording_layout(recording, &moment, &recorded, &err), 0);
    const struct vt_layout *map = vt_recorded_layout_map(recorded);
    const struct vt_region *b = vt_layout_at_or_above(map, 0);
    vt_layout_for_each(a, layout) {
        assert_non_null(b);
        assert_true(a->start == b->start && a->end == b->end && a->prot == b->prot &&
                    a->kind == b->kind && vt_object_same(a->object, b->object));
        b = vt_layout_at_or_above(map, b->end);
    }
    assert_null(b);
    vt_recorded_layout_destroy(recorded);
}

static void test_rectangles(void **state)
{
    static struct naive naives[EVENTS + 1];
    (void)state;
    for (uint32_t round = 1; round <= 6; round++) {
        uint32_t seed = round * 2654435761u;
        struct teller t = {0};
        struct vt_changes changes = {0};
        struct vt_layout *layout = vt_layout_create(anon_kind, NULL);
        const char *path = in_directory("rectangles.vas");
        open_sink(&t, path);
        begin(&t);
        memset(naives, 0xff, sizeof(naives));
        for (uint64_t seq = 1; seq <= EVENTS; seq++) {
            naives[seq] = naives[seq - 1];
            edit(layout, &naives[seq], seq, &seed, &changes);
            tell(&t, (struct vt_event){.cause = VT_CAUSE_CALL, .call = &mmap_call}, changes.items,
                 changes.count);
            if (random_below(&seed, 16) == 0) /* rows are then updated rather than made */
                assert_int_equal(vt_sink_flush(t.sinks[0], &t.err), 0);
        }
        end(&t);
        struct vt_recording *recording = open_good(path);
        assert_false(vt_recording_info(recording)->partial);
        for (uint64_t seq = 1; seq <= EVENTS; seq += 1 + random_below(&seed, 9))
            compare(recording, &naives[seq], seq);
        compare(recording, &naives[EVENTS], EVENTS);
        compare_layout(recording, layout);
        vt_recording_close(recording);
        /* The number of regions that is told is the layout's. */
        assert_int_equal(count_rows(path, "SELECT regions FROM events ORDER BY seq DESC LIMIT 1"),
                         vt_layout_sums(layout)->total_regions);
        vt_changes_deinit(&changes);
        vt_layout_destroy(layout);
    }
}

/* ---- cut short, and while being written ----------------------------------------------------------- */

static void add_events(struct teller *t, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        TELL(t, EVENT(.cause = VT_CAUSE_CALL, .call = &mmap_call),
             made(region(BASE + t->seq * 8192, 4096, R, VT_KIND_ANON, NULL, 0)));
    /* The second flush waits for the first. */
    assert_int_equal(vt_sink_flush(t->sinks[0], &t->err), 0);
    assert_int_equal(vt_sink_flush(t->sinks[0], &t->err), 0);
}

static void test_while_written(void **state)
{
    struct teller t = {0};
    struct vt_error err;
    (void)state;
    const char *path = in_directory("live.vas"), *wal = in_directory("live.vas-wal");
    open_sink(&t, path);
    begin(&t);
    add_events(&t, 100);
    struct vt_recording *early = open_good(path);
    assert_false(vt_recording_info(early)->complete);
    assert_int_equal(vt_recording_info(early)->events, 100);

    add_events(&t, 5000); /* more than a batch */
    struct vt_recording *late = open_good(path);
    assert_int_equal(vt_recording_info(late)->events, 5100);
    vt_recording_close(late);
    uint64_t sum = 0; /* the early reader still sees what it saw */
    assert_int_equal(vt_recording_info(early)->events, 100);
    assert_int_equal(vt_recording_rectangles(early, ignore_rectangle, &sum, &err), 0);
    vt_recording_close(early);

    /* As a killed tracer leaves it: the file and its log. */
    struct vt_buf file = {0}, log = {0};
    read_file(path, &file);
    read_file(wal, &log);
    write_file(in_directory("killed.vas"), file.data, file.length);
    write_file(in_directory("killed.vas-wal"), log.data, log.length);
    struct vt_recording *killed = open_good(in_directory("killed.vas"));
    assert_false(vt_recording_info(killed)->complete);
    assert_int_equal(vt_recording_info(killed)->events, 5100);
    vt_recording_close(killed);
    vt_buf_deinit(&file);
    vt_buf_deinit(&log);

    end(&t);
    assert_int_equal(access(wal, F_OK), -1); /* one file in the end */
    struct vt_recording *whole = open_good(path);
    assert_true(vt_recording_info(whole)->complete);
    assert_string_equal(vt_recording_info(whole)->summary.interrupted, "told to");
    vt_recording_close(whole);
}

/* A sink that is dropped before its end leaves a recording that says so. */
static void test_dropped(void **state)
{
    struct teller t = {0};
    (void)state;
    const char *path = in_directory("dropped.vas");
    open_sink(&t, path);
    begin(&t);
    add_events(&t, 10);
    vt_sink_destroy(t.sinks[0]);
    struct vt_recording *recording = open_good(path);
    assert_false(vt_recording_info(recording)->complete);
    assert_int_equal(vt_recording_info(recording)->events, 10);
    vt_recording_close(recording);
}

/* A filter that hides changes makes a recording that says so. */
static void test_partial(void **state)
{
    struct teller t = {0};
    (void)state;
    const char *path = in_directory("partial.vas");
    open_sink(&t, path);
    begin(&t);
    add_events(&t, 3);
    t.seq += 4;
    t.mapped += 4096;
    add_events(&t, 1);
    end(&t);
    struct vt_recording *recording = open_good(path);
    assert_true(vt_recording_info(recording)->partial);
    assert_int_equal(vt_recording_info(recording)->left_out, 4);
    vt_recording_close(recording);
}

static void test_outputs(void **state)
{
    static const struct {
        const char *path;
        const char *text;
    } cases[] = {
        {"-", "a recording cannot be written to a stream: name a file, as in -o run.vas"},
        {NULL, "a recording cannot be written to a stream: name a file, as in -o run.vas"},
        {"/dev/null", "cannot record to \"/dev/null\": a recording needs a regular file"},
        {"/nowhere/run.vas",
         "cannot open \"/nowhere/run.vas\" for writing: No such file or directory"},
    };
    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(cases); i++) {
        struct vt_sink_config config = {.path = cases[i].path, .format = "vas"};
        struct vt_sink *sink = NULL;
        struct vt_error err;
        assert_true(vt_sink_create(&config, &sink, &err) < 0);
        assert_string_equal(err.text, cases[i].text);
        assert_null(sink);
    }
}

/* ---- hostile files ------------------------------------------------------------------------------------ */

static void test_foreign(void **state)
{
    struct vt_error err;
    (void)state;
    const char *path = in_directory("foreign.vas");
    write_file(path, "", 0);
    assert_int_equal(ask_everything(path, &err), -EINVAL);
    assert_non_null(strstr(err.text, "it is empty"));
    write_file(path, "hello, this is no database at all, but long enough to be one........", 60);
    assert_int_equal(ask_everything(path, &err), -EINVAL);
    assert_non_null(strstr(err.text, "it is not a recording"));
    assert_int_equal(ask_everything(directory, &err), -EINVAL);
    assert_non_null(strstr(err.text, "no regular file"));
    assert_int_equal(ask_everything(in_directory("nothing.vas"), &err), -ENOENT);

    sqlite3 *db;
    unlink(path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t(a)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(ask_everything(path, &err), -EINVAL);
    assert_non_null(strstr(err.text, "no recording of vastrace"));
}

/* Each makes a good recording a bad one; which error it is does not matter, that there is one does. */
static const char *const attacks[] = {
    "PRAGMA user_version = 3",
    "PRAGMA user_version = 0",
    "PRAGMA application_id = 1",
    "DELETE FROM run",
    "UPDATE run SET page_size = 3",
    "UPDATE run SET complete = 7",
    "UPDATE run SET version = x'6100'",
    "UPDATE run SET duration = -1",
    "UPDATE command SET position = position + 1000000",
    "UPDATE events SET process = 99999",
    "UPDATE events SET process = 0",
    "UPDATE events SET thread = -1",
    "UPDATE events SET time = -5",
    "UPDATE events SET time = 'soon'",
    "UPDATE events SET call = 12345 WHERE call",
    "UPDATE events SET stack = 12345 WHERE stack",
    "UPDATE events SET cause = x'00616263'",
    "UPDATE events SET cause = zeroblob(100000)",
    "UPDATE events SET changes = x'2b00ffffff'",
    "UPDATE events SET changes = x'2b0000000000'",
    "UPDATE events SET changes = x'2b00ffffffffffffffffff7f01000000'",
    "UPDATE events SET changes = x'2b00801080200763ffffffff0f00'",
    "UPDATE events SET changes = x'2b008010802007ff0000'",
    "UPDATE events SET changes = x'58'",
    "UPDATE events SET changes = zeroblob(1000)",
    "UPDATE regions SET start = end",
    "UPDATE regions SET end = start - 1",
    "UPDATE regions SET perm = 'zzzz'",
    "UPDATE regions SET kind = 'nonsense'",
    "UPDATE regions SET object = 4242",
    "UPDATE regions SET image = 4242",
    "UPDATE regions SET flags = 1000",
    "UPDATE regions SET made_by = '*'",
    "UPDATE regions SET ended_event = 0",
    "UPDATE regions SET origin_event = 1 << 40",
    "UPDATE objects SET name = NULL",
    "UPDATE objects SET type = 'dragon'",
    "UPDATE objects SET id = id + 5000000000",
    "UPDATE threads SET process = 77",
    "UPDATE threads SET id = id + 10",
    "UPDATE images SET object = 5555",
    "UPDATE calls SET arg_count = 7",
    "UPDATE calls SET abi = 'pdp11'",
    "UPDATE parts SET kind = 'x'",
    "UPDATE processes SET id = id + 1",
    "UPDATE processes SET pid = -1",
    "UPDATE kind_totals SET process = 9",
    "UPDATE stack_frames SET frame = 99",
    "UPDATE stack_frames SET stack = stack + 99",
    "UPDATE stack_frames SET position = position + 7",
    "UPDATE build_ids SET build_id = zeroblob(65)",
    "UPDATE build_ids SET build_id = x''",
    "UPDATE build_ids SET build_id = 'word'",
    "UPDATE build_ids SET build_id = 7",
    "UPDATE build_ids SET object = 4242",
    "DROP TABLE build_ids",
    "UPDATE inlined SET frame = 1, position = 5 + position",
    "UPDATE stack_uses SET position = position + 20",
    "UPDATE fault_regions SET perm = ''",
    "UPDATE faults SET signal = -3",
    "DROP TABLE events",
    "DROP TABLE regions; CREATE VIEW regions AS SELECT 1 AS id",
    "DROP TABLE events; CREATE VIEW events AS WITH RECURSIVE n(seq) AS (SELECT 1 UNION ALL SELECT "
    "seq + 1 FROM n) SELECT seq, 1 AS time FROM n",
    "ALTER TABLE calls ADD COLUMN evil AS (hex(zeroblob(1 << 29)))",
    "CREATE VIRTUAL TABLE other USING fts5(a); DROP TABLE parts; "
    "CREATE VIRTUAL TABLE parts USING fts5(object, start, end, kind)",
};

static void test_absurd(void **state)
{
    struct vt_buf good = {0};
    struct vt_error err;
    (void)state;
    record_all(in_directory("good.vas"));
    read_file(in_directory("good.vas"), &good);
    for (size_t i = 0; i < VT_COUNTOF(attacks); i++) {
        const char *path = in_directory("absurd.vas");
        write_file(path, good.data, good.length);
        attack(path, attacks[i]);
        int rc = ask_everything(path, &err);
        if (!rc && !strstr(attacks[i], "fts5"))
            fail_msg("not refused: %s", attacks[i]);
        if (rc && !*err.text)
            fail_msg("no words for: %s", attacks[i]);
    }
    vt_buf_deinit(&good);
}

/* Absurd and yet possible: nothing to refuse, and nothing to trip over. */
static void test_odd_but_legal(void **state)
{
    static const char *const odd[] = {
        "DELETE FROM events",
        "DELETE FROM regions",
        "DELETE FROM process_spaces",
        "DELETE FROM events WHERE seq % 2",
        "UPDATE regions SET space = 77",
        "UPDATE events SET mapped = -1",
        "UPDATE regions SET start = 0x7000000000000000 + start, end = 0x7000000000000000 + end "
        "WHERE start > 0 AND start < 0x0fffffffffffffff",
        "UPDATE process_spaces SET from_event = 0",
        "UPDATE processes SET end_event = 0",
        "UPDATE processes SET first_event = 1 << 60",
        "UPDATE events SET time = 1 << 60",
        "INSERT INTO regions SELECT id + 1000, space, start, end, perm, kind, flags, object, "
        "offset, image, made_event, made_by, origin_event, moved_from, NULL, NULL FROM regions",
    };
    struct vt_buf good = {0};
    struct vt_error err;
    (void)state;
    record_all(in_directory("good.vas"));
    read_file(in_directory("good.vas"), &good);
    for (size_t i = 0; i < VT_COUNTOF(odd); i++) {
        const char *path = in_directory("odd.vas");
        write_file(path, good.data, good.length);
        attack(path, odd[i]);
        ask_everything(path, &err);
    }
    vt_buf_deinit(&good);
}

/* Bytes changed and files cut at random, always the same ones. */
static void test_damaged(void **state)
{
    struct vt_buf good = {0};
    struct vt_error err;
    unsigned refused = 0;
    uint32_t seed = 20240229;
    (void)state;
    record_all(in_directory("good.vas"));
    read_file(in_directory("good.vas"), &good);
    char *bytes = malloc(good.length);
    assert_non_null(bytes);
    for (unsigned round = 0; round < 600; round++) {
        const char *path = in_directory("damaged.vas");
        size_t length = good.length;
        memcpy(bytes, good.data, length);
        if (round % 4 == 0)
            length = random_below(&seed, (uint32_t)length);
        for (unsigned i = random_below(&seed, 20); i && length; i--)
            bytes[random_below(&seed, (uint32_t)length)] = (char)random_below(&seed, 256);
        if (round % 4 == 1) { /* a page becomes another one: trees that lead in circles */
            size_t page = 4096, pages = length / page;
            memcpy(bytes + page * random_below(&seed, (uint32_t)pages),
                   bytes + page * random_below(&seed, (uint32_t)pages), page);
        }
        write_file(path, bytes, length);
        int rc = ask_everything(path, &err);
        refused += rc != 0;
        assert_true(rc <= 0);
        if (rc)
            assert_true(*err.text);
    }
    assert_true(refused > 100); /* else it did not reach what it is about */
    free(bytes);
    vt_buf_deinit(&good);
}

/* ---- packing ---------------------------------------------------------------------------------------------- */

static void test_pack(void **state)
{
    struct vt_change change = {.op = VT_CHANGE_MOVED,
                               .source_stays = true,
                               .start = UINT64_C(0xffffffffff600000),
                               .end = UINT64_C(0xffffffffff601000)};
    struct vt_detail detail = {.image = &program, .bias = UINT64_MAX};
    struct vt_buf bytes = {0};
    struct vt_packed packed;
    (void)state;
    change.before = region(0x1000, 0x1000, R | W | X, VT_KIND_COUNT - 1, &hostile, UINT64_MAX);
    change.after = region(change.start, 0x1000, 0, 0, NULL, 0);
    change.after.flags = VT_REGION_SHARED | VT_REGION_STACK | VT_REGION_ARENA;
    vt_pack(&bytes, &change, &detail);
    const uint8_t *at = (const uint8_t *)bytes.data;
    size_t left = bytes.length;
    assert_int_equal(vt_unpack(&at, &left, &packed), 0);
    assert_int_equal(left, 0);
    assert_int_equal(vt_unpack(&at, &left, &packed), 1);
    assert_true(packed.start == change.start && packed.end == change.end && packed.from == 0x1000);
    assert_true(packed.source_stays && packed.has_image && packed.bias == UINT64_MAX);
    assert_int_equal(packed.image, program.id);
    assert_int_equal(packed.before.object, hostile.id);
    assert_true(packed.before.offset == UINT64_MAX);
    assert_int_equal(packed.before.prot, R | W | X);
    assert_int_equal(packed.after.flags, change.after.flags);
    /* Every prefix of it is refused. */
    for (size_t length = 1; length < bytes.length; length++) {
        at = (const uint8_t *)bytes.data;
        left = length;
        assert_int_equal(vt_unpack(&at, &left, &packed), -EINVAL);
    }
    vt_buf_deinit(&bytes);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[PATH_MAX + 16];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack),          cmocka_unit_test(test_lossless),
        cmocka_unit_test(test_schema),        cmocka_unit_test(test_when),
        cmocka_unit_test(test_version_1),     cmocka_unit_test(test_lines),
        cmocka_unit_test(test_questions),     cmocka_unit_test(test_runs),
        cmocka_unit_test(test_many_findings), cmocka_unit_test(test_roles),
        cmocka_unit_test(test_rectangles),    cmocka_unit_test(test_while_written),
        cmocka_unit_test(test_dropped),       cmocka_unit_test(test_partial),
        cmocka_unit_test(test_outputs),       cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_absurd),        cmocka_unit_test(test_odd_but_legal),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests_name("recording", tests, set_up, tear_down);
}
