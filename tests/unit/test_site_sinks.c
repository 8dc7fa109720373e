/*
 * test_site_sinks.c - who made the memory that is mapped: sinks/sites.c against a
 * naive table of pages over random stories of processes; the formats that stand
 * on it, read by checkers that know them by their descriptions; protocol buffers
 * byte by byte; and no memory, at every allocation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h> /* after what it needs */

#include "base/base.h"
#include "nomem.h"
#include "sinks/protobuf.h"
#include "sinks/sites.h"

#define PAGE      UINT64_C(4096)
#define BASE      UINT64_C(0x7f0000000000)
#define PAGES     48
#define PROCESSES 4

/* ---- what there is --------------------------------------------------------------- */

#define HOSTILE "/tmp/a;b c\n#d 12\033[2J\"q\",\\ \xff\xc2\x9b\xe2\x80\xae"

static const struct vt_object objects[] = {
    {VT_OBJECT_FILE, 1, 8, 1, 77, 0, "/usr/lib/libc.so.6"},
    {VT_OBJECT_FILE, 2, 8, 1, 78, 0, HOSTILE},
    {VT_OBJECT_SPECIAL, 3, 0, 0, 0, 0, "[anon: x;y 3]"},
};

static const struct vt_inlined inlined[] = {{"inner; most 1", "/src/#1.h", 3}};
static const struct vt_frame frames[] = {
    {.id = 1, .object = &objects[0], .address = 0x1000, .function = "mmap", .interrupted = true},
    {.id = 2,
     .object = &objects[1],
     .address = 0x2000,
     .function = "operator new(unsigned long) " HOSTILE,
     .file = "/src/#file.cc",
     .line = 9,
     .inlined = inlined,
     .inlined_count = 1},
    {.id = 3, .object = &objects[1], .address = 0x3000},
    {.id = 4, .address = 0x4000},
};
static const struct vt_frame *const chain_a[] = {&frames[0], &frames[1], &frames[2]};
static const struct vt_frame *const chain_b[] = {&frames[0], &frames[3]};
static const struct vt_stack stacks[] = {{1, chain_a, 3, VT_STACK_COMPLETE},
                                         {2, chain_b, 2, VT_STACK_NO_TABLES}};

static const char *const causes[] = {"mmap", "brk", "mremap", "shmat;1"};
static const char *const programs[] = {"/bin/sh", "/opt/my; prog 7\n", "cat"};

/* ---- the naive side --------------------------------------------------------------- */

struct page {
    bool mapped;
    uint8_t prot;
    uint8_t kind;
    int object; /* index, -1 none */
    uint64_t offset;
    pid_t pid; /* who made it */
    const char *program;
    const char *cause;
    const struct vt_stack *stack;
};

struct process {
    pid_t pid; /* 0: none */
    uint32_t space;
    const char *program; /* without directories */
    struct page pages[PAGES];
};

struct story {
    struct process processes[PROCESSES];
    uint32_t random;
    uint64_t seq;
    pid_t last_pid;
    uint32_t last_space;
    uint64_t made; /* bytes */
    struct vt_changes changes;
    bool with_stacks;
    uint32_t stacks_told; /* they are numbered in the order in which they are told */
};

static uint32_t draw(struct story *story, uint32_t below)
{
    story->random ^= story->random << 13;
    story->random ^= story->random >> 17;
    story->random ^= story->random << 5;
    return story->random % below;
}

static void add_change(struct story *story, struct vt_change change)
{
    assert_int_equal(vt_reserve((void **)&story->changes.items, &story->changes.capacity,
                                story->changes.count + 1, sizeof(change)),
                     0);
    story->changes.items[story->changes.count++] = change;
}

static struct vt_region region_of(const struct page *page, size_t from, size_t to)
{
    return (struct vt_region){
        .start = BASE + from * PAGE,
        .end = BASE + to * PAGE,
        .offset = page->offset,
        .object = page->object < 0 ? NULL : &objects[page->object],
        .prot = page->prot,
        .kind = page->kind,
    };
}

static bool alike(const struct page *a, const struct page *b)
{
    return a->mapped == b->mapped && a->prot == b->prot && a->kind == b->kind &&
           a->object == b->object;
}

/* The end of the run of pages that are alike, from `from`. */
static size_t run_end(const struct page *pages, size_t from, size_t to)
{
    size_t end = from + 1;
    while (end < to && alike(&pages[from], &pages[end]))
        end++;
    return end;
}

static void clear(struct story *story, struct process *process, size_t from, size_t to)
{
    for (size_t end; from < to; from = end) {
        end = run_end(process->pages, from, to);
        if (!process->pages[from].mapped)
            continue;
        struct vt_region before = region_of(&process->pages[from], from, end);
        add_change(story, (struct vt_change){.op = VT_CHANGE_GONE,
                                             .start = before.start,
                                             .end = before.end,
                                             .before = before});
        for (size_t i = from; i < end; i++)
            process->pages[i].mapped = false;
    }
}

static void made(struct story *story, const struct vt_region *after)
{
    add_change(story, (struct vt_change){.op = VT_CHANGE_MADE,
                                         .start = after->start,
                                         .end = after->end,
                                         .after = *after});
    story->made += after->end - after->start;
}

static void map(struct story *story, struct process *process, const struct vt_event *event,
                size_t from, size_t to)
{
    static const uint8_t kinds[] = {VT_KIND_ANON, VT_KIND_HEAP, VT_KIND_FILE, VT_KIND_RESERVE};
    struct page page = {
        .mapped = true,
        .kind = kinds[draw(story, 4)],
        .object = -1,
        .pid = process->pid,
        .program = process->program,
        .cause = vt_event_cause_name(event),
        .stack = event->stack,
    };
    page.prot = page.kind == VT_KIND_RESERVE ? 0 : VT_PROT_READ | VT_PROT_WRITE;
    if (page.kind == VT_KIND_FILE)
        page.object = (int)draw(story, VT_COUNTOF(objects));
    clear(story, process, from, to);
    struct vt_region after = region_of(&page, from, to);
    made(story, &after);
    for (size_t i = from; i < to; i++)
        process->pages[i] = page;
}

/* PROT_NONE becomes usable and the other way round, by pieces. */
static void protect(struct story *story, struct process *process, size_t from, size_t to)
{
    for (size_t end; from < to; from = end) {
        end = run_end(process->pages, from, to);
        if (!process->pages[from].mapped)
            continue;
        struct page after = process->pages[from];
        after.prot = after.prot ? 0 : VT_PROT_READ;
        after.kind = after.prot ? VT_KIND_ANON : VT_KIND_RESERVE;
        add_change(story, (struct vt_change){.op = VT_CHANGE_ALTERED,
                                             .start = BASE + from * PAGE,
                                             .end = BASE + end * PAGE,
                                             .before = region_of(&process->pages[from], from, end),
                                             .after = region_of(&after, from, end)});
        for (size_t i = from; i < end; i++) {
            process->pages[i].prot = after.prot;
            process->pages[i].kind = after.kind;
        }
    }
}

static void move(struct story *story, struct process *process, bool stays)
{
    size_t from = draw(story, PAGES / 2 - 4);
    size_t end = run_end(process->pages, from, vt_min(from + 1 + draw(story, 4), PAGES / 2));
    size_t to = PAGES / 2 + draw(story, PAGES / 2 - 8);
    if (!process->pages[from].mapped)
        return;
    clear(story, process, to, to + (end - from));
    struct vt_change change = {
        .op = VT_CHANGE_MOVED,
        .source_stays = stays,
        .start = BASE + to * PAGE,
        .end = BASE + (to + end - from) * PAGE,
        .before = region_of(&process->pages[from], from, end),
        .after = region_of(&process->pages[from], to, to + end - from),
    };
    add_change(story, change);
    story->made += stays ? change.end - change.start : 0;
    for (size_t i = from; i < end; i++, to++) {
        process->pages[to] = process->pages[i];
        process->pages[i].mapped = stays;
    }
}

static uint64_t mapped_bytes(const struct process *process)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < PAGES; i++)
        bytes += process->pages[i].mapped ? PAGE : 0;
    return bytes;
}

/* ---- the story -------------------------------------------------------------------- */

typedef void tell_fn(void *context, const struct vt_event *event, const struct story *story);

static void tell(struct story *story, struct vt_event *event, const struct process *process,
                 tell_fn *each, void *context)
{
    static struct vt_detail details[4 * PAGES];
    assert_true(story->changes.count <= VT_COUNTOF(details));
    event->seq = ++story->seq;
    event->time_ns = (int64_t)story->seq * 1000000;
    event->pid = event->tid = process->pid;
    event->space = process->space;
    event->changes = story->changes.items;
    event->change_count = story->changes.count;
    event->details = details;
    event->mapped_bytes = event->exit ? 0 : mapped_bytes(process);
    each(context, event, story);
    story->changes.count = 0;
}

static void begin_process(struct story *story, struct process *process,
                          const struct process *parent, tell_fn *each, void *context)
{
    struct vt_event event = {.cause = parent ? VT_CAUSE_FORK : VT_CAUSE_ATTACH};
    const char *path = programs[draw(story, VT_COUNTOF(programs))];
    const char *slash = strrchr(path, '/');
    struct vt_exec_info info = {.path = path};
    *process = (struct process){
        .pid = ++story->last_pid,
        .space = ++story->last_space,
        .program = parent  ? parent->program
                   : slash ? slash + 1
                           : path,
    };
    event.parent = parent ? parent->pid : 0;
    event.exec = parent ? NULL : &info;
    if (parent) {
        for (size_t i = 0; i < PAGES; i++) {
            struct page page = parent->pages[i];
            page.pid = process->pid;
            page.cause = "fork";
            page.stack = NULL;
            process->pages[i] = page;
        }
        for (size_t i = 0, end; i < PAGES; i = end) {
            end = run_end(process->pages, i, PAGES);
            struct vt_region after = region_of(&process->pages[i], i, end);
            if (process->pages[i].mapped)
                made(story, &after);
        }
    } else {
        event.pid = process->pid;
        map(story, process, &event, 0, 3);
    }
    tell(story, &event, process, each, context);
}

static void replace(struct story *story, struct process *process, tell_fn *each, void *context)
{
    const char *path = programs[draw(story, VT_COUNTOF(programs))];
    const char *slash = strrchr(path, '/');
    struct vt_exec_info info = {.path = path, .left_space = process->space};
    struct vt_event event = {.cause = VT_CAUSE_EXEC, .exec = &info};
    clear(story, process, 0, PAGES);
    process->space = ++story->last_space;
    process->program = slash ? slash + 1 : path;
    map(story, process, &event, 5, 9);
    map(story, process, &event, 9, 10);
    tell(story, &event, process, each, context);
}

static void end_process(struct story *story, struct process *process, tell_fn *each, void *context)
{
    static const struct vt_process_totals totals;
    struct vt_exit_info info = {.name = process->program, .totals = &totals};
    struct vt_event event = {.cause = VT_CAUSE_EXIT, .exit = &info};
    clear(story, process, 0, PAGES);
    tell(story, &event, process, each, context);
    process->pid = 0;
}

static void do_call(struct story *story, struct process *process, tell_fn *each, void *context)
{
    struct vt_call call = {.name = causes[draw(story, VT_COUNTOF(causes))], .result = -1};
    struct vt_event event = {.call = &call};
    size_t from = draw(story, PAGES - 8), to = from + 1 + draw(story, 8);
    uint32_t stack = draw(story, 1 + (uint32_t)vt_min(story->stacks_told + 1, VT_COUNTOF(stacks)));
    if (story->with_stacks && stack) {
        event.stack = &stacks[stack - 1];
        story->stacks_told = stack > story->stacks_told ? stack : story->stacks_told;
    }
    switch (draw(story, 6)) {
    case 0:
    case 1:
        map(story, process, &event, from, to);
        break;
    case 2:
        clear(story, process, from, to);
        break;
    case 3:
        protect(story, process, from, to);
        break;
    case 4:
        move(story, process, false);
        break;
    case 5:
        move(story, process, true);
        break;
    }
    tell(story, &event, process, each, context);
}

static void play(struct story *story, unsigned events, tell_fn *each, void *context)
{
    while (story->seq < events) {
        struct process *process = &story->processes[draw(story, PROCESSES)];
        struct process *other = &story->processes[draw(story, PROCESSES)];
        uint32_t what = draw(story, 100);
        if (!process->pid)
            begin_process(story, process, other->pid ? other : NULL, each, context);
        else if (what < 3)
            end_process(story, process, each, context);
        else if (what < 6)
            replace(story, process, each, context);
        else
            do_call(story, process, each, context);
    }
    vt_changes_deinit(&story->changes);
}

/* ---- sites against pages ------------------------------------------------------------ */

struct comparison {
    struct vt_sites sites;
    struct process peak[PROCESSES];
    uint64_t peak_bytes;
    uint64_t peak_seq;
    size_t largest; /* number of sites */
};

static bool is_of(const struct vt_sites *sites, const struct vt_site *site, const struct page *page)
{
    const struct vt_origin *origin = vt_site_origin(sites, site);
    const char *object = page->object < 0 || page->stack ? "" : objects[page->object].name;
    return page->mapped && page->kind == site->kind && page->pid == origin->pid &&
           page->stack == origin->stack &&
           !strcmp(page->program, vt_sites_name(sites, origin->program)) &&
           !strcmp(page->cause, vt_sites_name(sites, origin->cause)) &&
           !strcmp(object, vt_sites_name(sites, site->object));
}

/* Every site has what its pages have, and all pages have a site. Returns the sum. */
static uint64_t compare(const struct vt_sites *sites, const struct process *processes,
                        enum vt_measure measure)
{
    uint64_t sum = 0, all = 0;
    for (size_t i = 0; i < sites->count; i++) {
        uint64_t bytes = 0;
        for (size_t p = 0; p < PROCESSES; p++)
            for (size_t j = 0; processes[p].pid && j < PAGES; j++)
                bytes += is_of(sites, &sites->sites[i], &processes[p].pages[j]) ? PAGE : 0;
        assert_true(vt_site_bytes(sites, &sites->sites[i], measure) == bytes);
        sum += bytes;
    }
    for (size_t p = 0; p < PROCESSES; p++)
        all += processes[p].pid ? mapped_bytes(&processes[p]) : 0;
    assert_true(sum == all);
    return sum;
}

static void follow(void *context, const struct vt_event *event, const struct story *story)
{
    struct comparison *c = context;
    assert_int_equal(vt_sites_event(&c->sites, event), 0);
    struct process now[PROCESSES];
    memcpy(now, story->processes, sizeof(now));
    for (size_t p = 0; event->exit && p < PROCESSES; p++)
        if (now[p].pid == event->pid)
            now[p].pid = 0;
    uint64_t live = compare(&c->sites, now, VT_MEASURE_LIVE);
    assert_true(live == c->sites.live);
    if (live > c->peak_bytes) {
        c->peak_bytes = live;
        c->peak_seq = event->seq;
        memcpy(c->peak, now, sizeof(now));
    }
    c->largest = c->sites.count > c->largest ? c->sites.count : c->largest;
}

static void test_sites(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 6; seed++) {
        struct story story = {.random = seed * 2654435761u, .with_stacks = seed % 2};
        struct comparison c = {0};
        vt_sites_init(&c.sites, seed % 3 == 0);
        play(&story, 2000, follow, &c);
        assert_true(c.sites.peak == c.peak_bytes);
        assert_true(c.sites.peak_seq == c.peak_seq);
        assert_true(compare(&c.sites, c.peak, VT_MEASURE_PEAK) == c.peak_bytes);
        uint64_t sum = 0;
        for (size_t i = 0; i < c.sites.count; i++)
            sum += vt_site_bytes(&c.sites, &c.sites.sites[i], VT_MEASURE_MADE);
        if (seed % 3 == 0)
            assert_true(sum == story.made);
        else /* hundreds of processes came and went: what is over is forgotten */
            assert_true(c.largest <= 512 && story.last_pid > 50);
        vt_sites_deinit(&c.sites);
    }
}

/* ---- formats ------------------------------------------------------------------------- */

static const char *const formats[] = {"jsonl", "csv", "folded", "massif", "perfetto"};
static char directory[] = "/tmp/vastrace-site-sinks.XXXXXX";

struct outputs {
    struct vt_sink *sinks[VT_COUNTOF(formats)];
    size_t count;
    int rc; /* the first failure */
};

static const char *path_of(const char *format)
{
    static char paths[8][128];
    static unsigned next;
    char *path = paths[next++ % VT_COUNTOF(paths)];
    snprintf(path, sizeof(paths[0]), "%s/x.%s", directory, format);
    return path;
}

static void to_sinks(void *context, const struct vt_event *event, const struct story *story)
{
    struct outputs *outputs = context;
    struct vt_error err;
    (void)story;
    for (size_t i = 0; i < outputs->count; i++) {
        int rc = vt_sink_event(outputs->sinks[i], event, &err);
        outputs->rc = outputs->rc ? outputs->rc : rc;
    }
}

static struct vt_sink *create(const char *format, const char *path)
{
    struct vt_sink_config config = {.path = path, .format = format};
    struct vt_sink *sink;
    struct vt_error err;
    assert_int_equal(vt_sink_create(&config, &sink, &err), 0);
    return sink;
}

static char *const command[] = {"./a b", "#; \n", NULL};
static const struct vt_run run = {.version = "0",
                                  .command = command,
                                  .kernel = "6.1",
                                  .machine = "x86_64",
                                  .page_size = PAGE,
                                  .aslr = 2,
                                  .start_unix_ns = INT64_C(1700000000000000000)};

static int check(const char *checker, const char *first, const char *second)
{
    char line[1024];
    snprintf(line, sizeof(line), "'%s' '%s/tests/%s' '%s' '%s'", PYTHON3, SOURCE_DIR, checker,
             path_of(first), path_of(second));
    int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Every format of the same story, checked against the timeline and each other. */
static void test_formats(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 3; seed++) {
        struct story story = {.random = seed * 40503u, .with_stacks = seed != 2};
        struct outputs outputs = {.count = VT_COUNTOF(formats)};
        struct vt_summary summary = {.duration_ns = INT64_C(5) * 1000000000};
        for (size_t i = 0; i < outputs.count; i++) {
            outputs.sinks[i] = create(formats[i], path_of(formats[i]));
            assert_int_equal(vt_sink_begin(outputs.sinks[i], &run, NULL), 0);
        }
        play(&story, 1500, to_sinks, &outputs);
        for (size_t i = 0; i < outputs.count; i++) {
            assert_int_equal(vt_sink_end(outputs.sinks[i], &summary, NULL), 0);
            vt_sink_destroy(outputs.sinks[i]);
        }
        assert_int_equal(outputs.rc, 0);
        assert_int_equal(check("check_csv.py", "csv", "jsonl"), 0);
        assert_int_equal(check("check_massif.py", "massif", "folded"), 0);
        int rc = check("check_perfetto.py", "perfetto", "jsonl");
        assert_true(rc == 0 || rc == 77); /* live.exports says why */
        char grammar[1024];
        snprintf(grammar, sizeof(grammar),
                 "LC_ALL=C; ! grep -qvE '^[^; ]+(;[^; ]+){2,} [0-9]+$' '%s' && test -s '%s'",
                 path_of("folded"), path_of("folded"));
        assert_int_equal(system(grammar), 0);
    }
}

/* Without memory, from any allocation on, a sink fails once, says so, and is freed. */
static void test_no_memory(void **state)
{
    (void)state;
    for (size_t f = 0; f < VT_COUNTOF(formats); f++) {
        size_t refused = 1, failures = 0;
        for (size_t granted = 0; refused; granted += 1 + granted / 8) {
            struct story story = {.random = 77, .with_stacks = true};
            struct outputs outputs = {.count = 1};
            struct vt_summary summary = {0};
            struct vt_error err = {0};
            assert_int_equal(vt_reserve((void **)&story.changes.items, &story.changes.capacity,
                                        4 * PAGES, sizeof(struct vt_change)),
                             0);
            outputs.sinks[0] = create(formats[f], "/dev/null");
            nomem_after(granted);
            outputs.rc = vt_sink_begin(outputs.sinks[0], &run, &err);
            play(&story, 300, to_sinks, &outputs);
            int rc = vt_sink_end(outputs.sinks[0], &summary, &err);
            refused = nomem_never();
            rc = outputs.rc ? outputs.rc : rc;
            assert_true(rc == 0 || rc == -ENOMEM);
            assert_true(rc == 0 || refused); /* a failure has its reason */
            failures += rc != 0;
            vt_sink_destroy(outputs.sinks[0]);
        }
        assert_true(failures > 3);
    }
}

/* ---- protocol buffers ------------------------------------------------------------------ */

static void assert_bytes(struct vt_buf *out, const char *bytes, size_t length)
{
    assert_int_equal(out->length, length);
    assert_memory_equal(out->data, bytes, length);
    vt_buf_clear(out);
}

static void test_protobuf(void **state)
{
    struct vt_buf out = {0};
    (void)state;
    vt_pb_number(&out, 1, 150); /* the documentation's own example */
    assert_bytes(&out, "\x08\x96\x01", 3);
    vt_pb_number(&out, 1, 0);
    assert_bytes(&out, "\x08\x00", 2);
    vt_pb_number(&out, 16, 127);
    assert_bytes(&out, "\x80\x01\x7f", 3);
    vt_pb_number(&out, 2, (uint64_t)-2);
    assert_bytes(&out, "\x10\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
    vt_pb_string(&out, 2, "testing");
    assert_bytes(&out, "\x12\x07testing", 9);
    vt_pb_end(&out, vt_pb_begin(&out, 3));
    assert_bytes(&out, "\x1a\x00", 2);
    /* Lengths of messages in messages, around those where the varint grows. */
    for (size_t size = 100; size < 17000;
         size += size < 140 || (size > 16300 && size < 16400) ? 1 : 160) {
        static char text[17000];
        memset(text, 'x', size);
        size_t outer = vt_pb_begin(&out, 1), inner = vt_pb_begin(&out, 2);
        vt_pb_bytes(&out, 3, text, size);
        vt_pb_end(&out, inner);
        vt_pb_end(&out, outer);
        size_t at = 0;
        for (unsigned field = 1; field <= 3; field++) {
            size_t length = 0;
            assert_int_equal((uint8_t)out.data[at++], field << 3 | 2);
            for (unsigned shift = 0;; shift += 7) {
                uint8_t byte = (uint8_t)out.data[at++];
                length |= (size_t)(byte & 127) << shift;
                if (!(byte & 128))
                    break;
            }
            assert_int_equal(length, out.length - at);
        }
        assert_int_equal(out.length - at, size);
        vt_buf_clear(&out);
    }
    vt_buf_deinit(&out);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int clean_up(void **state)
{
    char line[128];
    (void)state;
    snprintf(line, sizeof(line), "rm -rf %s", directory);
    return system(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sites),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_protobuf),
    };
    return cmocka_run_group_tests_name("site_sinks", tests, set_up, clean_up);
}
