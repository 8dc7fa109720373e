/*
 * test_stacks.c - call stacks: of fixtures whose chains are known, of programs
 * that are hard to unwind, and of system programs as gdb sees them.
 */
#include "live.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARK      (37 * 4096)
#define FRAMES    256
#define NAME_SIZE 64

/* One frame as the timeline has it. */
struct frame {
    uint64_t id;
    uint64_t address;
    char function[NAME_SIZE]; /* "?" if it is not known */
    char object[128];         /* base name */
    bool interrupted;
    unsigned line;
};

struct frames {
    struct frame *items; /* by id, from 1 */
    size_t count;
};

struct stack {
    struct frame frames[FRAMES];
    size_t count;
    char end[32];
};

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void keep_frame(struct frames *frames, const struct json *record)
{
    const struct json *function = json_get(record, "function");

    assert_int_equal(json_number(record, "id"), frames->count + 1);
    frames->items = realloc(frames->items, (frames->count + 1) * sizeof(*frames->items));
    assert_non_null(frames->items);
    struct frame *f = &frames->items[frames->count++];
    *f = (struct frame){.id = json_number(record, "id"),
                        .address = json_number(record, "address"),
                        .interrupted = json_true(record, "interrupted"),
                        .line = (unsigned)json_number(record, "line")};
    copy_text(f->function, sizeof(f->function),
              function && function->type == JSON_STRING ? function->text : "?");
    copy_text(f->object, sizeof(f->object),
              base_name(json_text(json_get(record, "object"), "name")));
}

/*
 * The stack of the event with this sequence number, or of the first mmap of
 * MARK bytes if that is 0. Also checks that ids are told before they are used,
 * and once. False if there is no such event or it has no stack.
 */
static bool find_stack(struct live_result *result, uint64_t seq, struct stack *stack)
{
    struct frames frames = {0};
    struct stack *stacks = NULL;
    size_t count = 0;
    bool found = false;

    for (size_t cursor = 0; !found;) {
        const struct json *record = live_next(result, &cursor);
        if (!record)
            break;
        const char *type = json_text(record, "type");
        if (!strcmp(type, "frame")) {
            keep_frame(&frames, record);
        } else if (!strcmp(type, "stack")) {
            assert_int_equal(json_number(record, "id"), count + 1);
            stacks = realloc(stacks, (count + 1) * sizeof(*stacks));
            assert_non_null(stacks);
            struct stack *s = &stacks[count++];
            s->count = 0;
            copy_text(s->end, sizeof(s->end), json_text(record, "end"));
            json_for_each(id, json_get(record, "frames")) {
                uint64_t n = json_value(id);
                assert_in_range(n, 1, frames.count);
                if (s->count < FRAMES)
                    s->frames[s->count++] = frames.items[n - 1];
            }
        } else if (!strcmp(type, "event")) {
            uint64_t id = json_number(record, "stack");
            assert_true(id <= count);
            bool marked = !strncmp(json_text(record, "cause"), "mmap", 4) &&
                          live_argument(record, 1) == MARK && !live_call_error(record, "EINVAL");
            if (id && (seq ? json_number(record, "seq") == seq : marked)) {
                *stack = stacks[id - 1];
                found = true;
            }
        }
    }
    free(frames.items);
    free(stacks);
    return found;
}

static void print_stack(const struct stack *stack)
{
    for (size_t i = 0; i < stack->count; i++)
        print_message("  %-30s %s %llx%s\n", stack->frames[i].function, stack->frames[i].object,
                      (unsigned long long)stack->frames[i].address,
                      stack->frames[i].interrupted ? " interrupted" : "");
    print_message("  end: %s\n", stack->end);
}

/*
 * Are these the stack's functions from frame `at` on, innermost first? "..." stands
 * for any number, "?" for one without a name.
 */
static bool matches(const struct stack *stack, size_t at, const char *chain)
{
    size_t length = strcspn(chain, " ");
    const char *rest = chain + length + strspn(chain + length, " ");

    if (!length)
        return at == stack->count;
    if (length == 3 && !strncmp(chain, "...", 3)) {
        for (; at <= stack->count; at++)
            if (matches(stack, at, rest))
                return true;
        return false;
    }
    return at < stack->count && strlen(stack->frames[at].function) == length &&
           !strncmp(stack->frames[at].function, chain, length) && matches(stack, at + 1, rest);
}

/* ---- known chains ---------------------------------------------------------------- */

struct program {
    const char *name;
    bool all; /* also the scenarios that are alike however the program is linked */
    bool m32;
};

static const struct program programs[] = {
    {"stacks", true, false},
    {"stacks-nopie", false, false},
    {"stacks-debug-frame", false, false},
    {"stacks-static", false, false},
    {"stacks-static-pie", false, false},
    {"stacks-m32", true, true},
    {"stacks-m32-nopie", false, true},
    {"stacks-m32-static", false, true},
    {"stacks-m32-debug-frame", false, true},
};

/* "LIBRARY" as an argument is the library of the program's kind. */
#define LIBRARY "LIBRARY"

static const struct {
    const char *scenario;
    const char *argument;
    bool alone; /* with the programs for all scenarios only */
} scenarios[] = {
    {"chain", NULL, false},
    {"large", NULL, false},
    {"callback", NULL, false},
    {"thread", NULL, false},
    {"library", LIBRARY, false},
    {"signal", NULL, false},
    {"fault", NULL, false},
    {"alternate", NULL, false},
    {"vdso", NULL, false},
    {"swapped", NULL, false},
    {"made-code", NULL, false},
    {"assembly", NULL, false},
    {"corrupt", "41", false},
    {"corrupt", "4141414141414141", false},
    {"corrupt", "0", false},
    {"no-stack", NULL, false},
    {"trampoline", NULL, false},
    {"trampoline-info", NULL, false},
    /* The way through the library is lost, or not, but never the way to it. */
    {"deleted", LIBRARY, true},
    {"replaced", LIBRARY, true},
    {"overwritten", LIBRARY, true},
    {"cut", LIBRARY, true},
};

static const char *const with_stacks[] = {"-k", NULL};
static const struct live_options stacks_on = {.options = with_stacks};
static const char *const with_debug_files[] = {"-k", "--debug-files", NULL};
static const struct live_options debug_files_on = {.options = with_debug_files};

static void check_one(const struct program *program, const char *scenario, const char *argument)
{
    char path[256], chain[512], wanted[544], end[32];
    struct live_result result;
    struct stack stack;

    snprintf(path, sizeof(path), "%s/%s", FIXTURE_DIR, program->name);
    if (argument && !strcmp(argument, LIBRARY))
        argument = program->m32 ? FIXTURE_DIR "/libstacks-m32.so" : FIXTURE_DIR "/libstacks.so";
    live_run(&result, &stacks_on, path, scenario, argument);
    live_assert_exited(&result, 0);
    live_assert_exact(&result, 0);
    if (live_fact(&result, "skip", chain, sizeof(chain))) {
        live_free(&result);
        return;
    }
    if (!find_stack(&result, 0, &stack))
        live_fail(&result, "the call of interest has no stack");
    if (live_fact(&result, "chain", chain, sizeof(chain))) {
        /* Programs for 32 bits enter the kernel through the vdso. */
        snprintf(wanted, sizeof(wanted), "%smmap %s", program->m32 ? "... " : "", chain);
        if (!matches(&stack, 0, wanted)) {
            print_stack(&stack);
            live_fail(&result, "the stack is not %s", wanted);
        }
    }
    if (live_fact(&result, "end", end, sizeof(end)) && strcmp(stack.end, end)) {
        print_stack(&stack);
        live_fail(&result, "the stack ends as %s, not %s", stack.end, end);
    }
    live_free(&result);
}

static void check_programs(bool m32)
{
    size_t count = 0;

    for (size_t p = 0; p < LIVE_COUNT(programs); p++) {
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", FIXTURE_DIR, programs[p].name);
        if (programs[p].m32 != m32 || !live_exists(path))
            continue;
        count++;
        for (size_t s = 0; s < LIVE_COUNT(scenarios); s++)
            if (programs[p].all || !scenarios[s].alone)
                check_one(&programs[p], scenarios[s].scenario, scenarios[s].argument);
    }
    if (!count)
        live_skip("this compiler makes no such programs");
}

static void check_chains(void **state)
{
    (void)state;
    check_programs(false);
}

static void check_chains_32(void **state)
{
    (void)state;
    check_programs(true);
}

/*
 * The 32-bit vdso's functions have frame pointers instead of tables, and not on their
 * first and last instructions. A stack through one is right, or ends there and says so.
 */
static void check_vdso_32(void **state)
{
    const char *program = FIXTURE_DIR "/stacks-m32";
    bool complete = false;

    (void)state;
    if (!live_exists(program))
        live_skip("this compiler makes no such programs");
    for (int run = 0; run < 30 && !complete; run++) {
        struct live_result result;
        struct stack stack;
        live_run(&result, &stacks_on, program, "vdso");
        live_assert_exited(&result, 0);
        live_skip_if_said(&result);
        assert_true(find_stack(&result, 0, &stack));
        complete = !strcmp(stack.end, "complete");
        if (complete
                ? !matches(&stack, 0, "... f16 f15 f14 handler_in_vdso ... ask_time ... main ...")
                : strcmp(stack.end, "no-tables")) {
            print_stack(&stack);
            live_fail(&result, "this is not the stack");
        }
        live_free(&result);
    }
    assert_true(complete);
}

/*
 * Without symbols, without sections, and with tables in a file of their own the frames are the
 * same; of a program without symbols only addresses are known. Lines that are in a file of their
 * own are told if they are asked for.
 */
static void check_stripped(void **state)
{
    static const struct {
        const char *bare, *whole;
        bool named;
        const struct live_options *options;
    } pairs[] = {
        {"stacks-stripped", "stacks", false, &debug_files_on},
        {"stacks-no-sections", "stacks", false, &debug_files_on},
        {"stacks-separate", "stacks-debug-frame", true, &debug_files_on},
        {"stacks-separate", "stacks-debug-frame", true, &stacks_on},
        {"stacks-m32-separate", "stacks-m32-debug-frame", true, &debug_files_on},
    };
    static const char *const ways[] = {"chain", "callback", "signal", "thread"};

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(pairs) * LIVE_COUNT(ways); i++) {
        const char *whole_name = pairs[i / LIVE_COUNT(ways)].whole;
        const struct live_options *options = pairs[i / LIVE_COUNT(ways)].options;
        const char *way = ways[i % LIVE_COUNT(ways)];
        struct live_result result;
        struct stack whole, bare;
        char path[256];

        snprintf(path, sizeof(path), "%s/%s", FIXTURE_DIR, whole_name);
        if (!live_exists(path))
            continue;
        live_run(&result, &stacks_on, path, way);
        assert_true(find_stack(&result, 0, &whole));
        live_free(&result);
        snprintf(path, sizeof(path), "%s/%s", FIXTURE_DIR, pairs[i / LIVE_COUNT(ways)].bare);
        live_run(&result, options, path, way);
        live_assert_exited(&result, 0);
        assert_true(find_stack(&result, 0, &bare));
        assert_int_equal(bare.count, whole.count);
        assert_string_equal(bare.end, whole.end);
        for (size_t k = 0; k < bare.count; k++) {
            assert_true(bare.frames[k].address == whole.frames[k].address);
            bool named = pairs[i / LIVE_COUNT(ways)].named;
            bool lines = named && options == &debug_files_on;
            if (!strcmp(whole.frames[k].object, whole_name)) {
                assert_string_equal(bare.frames[k].function,
                                    named ? whole.frames[k].function : "?");
                assert_int_equal(bare.frames[k].line, lines ? whole.frames[k].line : 0);
            }
        }
        live_free(&result);
    }
}

/* ---- source lines afterwards --------------------------------------------------------- */

#define RECORDED "stacks-separate"

/* Let the shell do something in a directory. */
static void shell(const char *directory, const char *what)
{
    char command[1024];

    snprintf(command, sizeof(command), "cd '%s' && %s", directory, what);
    assert_int_equal(system(command), 0);
}

/* The stack of interest in an export of DIRECTORY/run.vas; *said becomes standard error. */
static void export_stack(const char *directory, const char *option, struct stack *stack, char *said,
                         size_t size)
{
    const char *const options[] = {"export", "--to", "jsonl", option, NULL};
    const struct live_options bare = {.options = options, .bare = true};
    struct live_result result;
    char path[128];

    snprintf(path, sizeof(path), "%s/run.vas", directory);
    live_run(&result, &bare, path);
    live_assert_exited(&result, 0);
    free(result.timeline);
    result.timeline = result.out;
    result.timeline_length = result.out_length;
    result.out = NULL;
    copy_text(said, size, result.err);
    assert_true(find_stack(&result, 0, stack));
    live_free(&result);
}

/* All as in the other, but for lines of the recorded program if it has none. */
static void assert_like(const struct stack *stack, const struct stack *other, bool lines)
{
    size_t own = 0;

    assert_int_equal(stack->count, other->count);
    assert_string_equal(stack->end, other->end);
    for (size_t i = 0; i < stack->count; i++) {
        const struct frame *f = &stack->frames[i], *o = &other->frames[i];
        bool is_own = !strcmp(f->object, RECORDED);
        assert_true(f->address == o->address && f->id == o->id);
        assert_string_equal(f->object, o->object);
        assert_string_equal(f->function, o->function);
        if (is_own || lines)
            assert_int_equal(f->line, lines ? o->line : 0);
        own += is_own && o->line;
    }
    assert_true(own > 16);
}

/* Change the contents of the note with the build ID, and nothing else. */
static void change_build_id(const char *directory)
{
    static const char note[] = "\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU";
    static char bytes[1 << 20];
    char path[128];

    snprintf(path, sizeof(path), "%s/" RECORDED, directory);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    size_t length = fread(bytes, 1, sizeof(bytes), file);
    char *at = memmem(bytes, length, note, sizeof(note));
    assert_non_null(at);
    at[sizeof(note)] ^= 1;
    rewind(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

/*
 * A recording made without debug files is exported with the lines that the trace would have told
 * with them, as long as the file that ran is there; else without them, and that is said.
 */
static void check_afterwards(void **state)
{
    static const char *const others[] = {
        NULL, /* the same but for its build ID */
        "cp '" FIXTURE_DIR "/stacks' " RECORDED,
        "echo no ELF file > " RECORDED,
        "rm " RECORDED " && mkfifo " RECORDED,
        "rm " RECORDED " && mkdir " RECORDED,
        "rmdir " RECORDED,
    };
    struct live_result direct, recorded;
    struct stack wanted, found;
    char program[128], run[128], said[1024];

    (void)state;
    live_run(&direct, &debug_files_on, FIXTURE_DIR "/" RECORDED, "chain");
    live_assert_exited(&direct, 0);
    assert_true(find_stack(&direct, 0, &wanted));
    shell(direct.directory, "mkdir .debug && cp '" FIXTURE_DIR "/" RECORDED "' . && "
                            "cp '" FIXTURE_DIR "/.debug/" RECORDED ".debug' .debug");
    snprintf(program, sizeof(program), "%s/" RECORDED, direct.directory);
    snprintf(run, sizeof(run), "%s/run.vas", direct.directory);
    const char *const options[] = {"-k", "-o", run, NULL};
    const struct live_options recording = {.options = options};
    live_run(&recorded, &recording, program, "chain");
    live_assert_exited(&recorded, 0);
    live_free(&recorded);

    export_stack(direct.directory, NULL, &found, said, sizeof(said));
    assert_like(&found, &wanted, false);
    export_stack(direct.directory, "--debug-files", &found, said, sizeof(said));
    assert_like(&found, &wanted, true);
    assert_null(strstr(said, RECORDED));
    shell(direct.directory, "'" VASTRACE_PROGRAM "' report run.vas >without && "
                            "! grep -q '(stacks.c:' without && "
                            "'" VASTRACE_PROGRAM "' report --debug-files run.vas >with && "
                            "grep -q '(stacks.c:' with");
    shell(direct.directory, "'" VASTRACE_PROGRAM "' report --format json --debug-files run.vas | "
                            "grep -q 'stacks.c\",\"line\":'");
    for (size_t i = 0; i < LIVE_COUNT(others); i++) {
        if (i)
            shell(direct.directory, others[i]);
        else
            change_build_id(direct.directory);
        export_stack(direct.directory, "--debug-files", &found, said, sizeof(said));
        assert_like(&found, &wanted, false);
        assert_non_null(strstr(said, "lines of " RECORDED ": the file is gone"));
    }
    live_free(&direct);
}

/* ---- limits ------------------------------------------------------------------------- */

static void check_depth(void **state)
{
    static const struct {
        const char *option;
        const char *levels;
        size_t count;
        const char *end;
    } rows[] = {
        {"-k", "1000", 128, "depth"},
        {"-k1", "10", 1, "depth"},
        {"-k5", "10", 5, "depth"},
        {"--stacks=1024", "100000", 1024, "depth"},
        {"--stacks=200", "100", 107, "complete"}, /* mmap f16 101 deeper main 2 of libc _start */
    };

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(rows); i++) {
        const char *const options[] = {rows[i].option, NULL};
        const struct live_options with = {.options = options};
        struct live_result result;
        char text[64];
        size_t frames = 0;

        live_run(&result, &with, FIXTURE_DIR "/stacks", "deep", rows[i].levels);
        live_assert_exited(&result, 0);
        /* FRAMES is less than some of them: counted here. */
        uint64_t last = 0;
        for (size_t cursor = 0;;) {
            const struct json *record = live_next(&result, &cursor);
            if (!record)
                break;
            if (!strcmp(json_text(record, "type"), "stack")) {
                frames = json_get(record, "frames")->count;
                copy_text(text, sizeof(text), json_text(record, "end"));
            }
            if (live_argument(record, 1) == MARK) {
                last = json_number(record, "stack");
                break;
            }
        }
        assert_true(last > 0);
        if (strcmp(rows[i].end, "complete") || frames < 100)
            assert_int_equal(frames, rows[i].count);
        assert_string_equal(text, rows[i].end);
        live_free(&result);
    }
}

static const char *const both[] = {FIXTURE_DIR "/stacks", FIXTURE_DIR "/stacks-m32"};

/* A stack that goes in a circle of return addresses ends. */
static void check_circle(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(both); i++) {
        struct live_result result;
        struct stack stack;
        if (!live_exists(both[i]))
            continue;
        live_run(&result, &stacks_on, both[i], "circle");
        live_assert_exited(&result, 0);
        assert_true(find_stack(&result, 0, &stack));
        assert_true(stack.count <= 128);
        live_free(&result);
    }
}

/* ---- what is told, and when ------------------------------------------------------------ */

/* Equal stacks have one id. */
static void check_repeated(const char *program)
{
    struct live_result result;
    uint64_t first = 0, last = 0, ids = 0;
    size_t marked = 0;

    live_run(&result, &stacks_on, program, "repeat", "100");
    live_assert_exited(&result, 0);
    live_assert_exact(&result, 0);
    for (size_t cursor = 0;;) {
        const struct json *record = live_next(&result, &cursor);
        if (!record)
            break;
        if (!strcmp(json_text(record, "type"), "stack"))
            ids = json_number(record, "id");
        if (live_argument(record, 1) != MARK || strncmp(json_text(record, "cause"), "mmap", 4))
            continue;
        if (!marked++)
            first = json_number(record, "stack");
        last = json_number(record, "stack");
    }
    assert_int_equal(marked, 100);
    assert_true(first > 0);
    assert_int_equal(first, last);
    assert_true(ids < 60);
    live_free(&result);
}

/* What is equal is told once; events without changes have no stacks; without -k there are none. */
static void check_once(void **state)
{
    struct live_result result;

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(both); i++)
        if (live_exists(both[i]))
            check_repeated(both[i]);

    live_run(&result, NULL, FIXTURE_DIR "/stacks", "chain");
    for (size_t cursor = 0;;) {
        const struct json *record = live_next(&result, &cursor);
        if (!record)
            break;
        assert_string_not_equal(json_text(record, "type"), "stack");
        assert_false(json_has(record, "stack"));
    }
    live_free(&result);
}

/* Events that are not shown cost no stack: the ids that are told are those of shown ones. */
static void check_filtered(void **state)
{
    static const char *const options[] = {"-k", "-e", "mmap", "--kinds", "anon", NULL};
    const struct live_options with = {.options = options};
    struct live_result result;
    struct stack stack;

    (void)state;
    live_run(&result, &with, FIXTURE_DIR "/stacks", "chain");
    live_assert_exited(&result, 0);
    assert_true(find_stack(&result, 0, &stack));
    for (size_t cursor = 0;;) {
        const struct json *record = live_next(&result, &cursor);
        if (!record)
            break;
        if (!strcmp(json_text(record, "type"), "event"))
            assert_true(json_number(record, "stack") > 0 || !json_get(record, "changes")->count ||
                        json_has(record, "exit") || json_has(record, "exec"));
    }
    live_free(&result);
}

/* What is written fits the schema. */
static void check_schema(void **state)
{
    static const char *const ways[][2] = {
        {"signal", NULL}, {"made-code", NULL}, {"library", FIXTURE_DIR "/libstacks.so"}};
    char text[256];

    (void)state;
    if (!live_capture((const char *const[]){PYTHON3, "-c", "import jsonschema", NULL}, text,
                      sizeof(text)))
        live_skip("no Python with the module jsonschema");
    for (size_t i = 0; i < LIVE_COUNT(ways); i++) {
        struct live_result result;
        live_run(&result, &stacks_on, FIXTURE_DIR "/stacks", ways[i][0], ways[i][1]);
        if (!live_capture((const char *const[]){PYTHON3, SOURCE_DIR "/tests/validate.py",
                                                SOURCE_DIR "/contrib/schema/timeline.schema.json",
                                                result.timeline_path, NULL},
                          text, sizeof(text)))
            live_fail(&result, "not as the schema says: %s", text);
        live_free(&result);
    }
}

/* ---- as gdb sees it ----------------------------------------------------------------------- */

#define GDB_SCRIPT                                                                                 \
    "import gdb\n"                                                                                 \
    "for c in ('pagination off', 'backtrace past-main on',\n"                                      \
    "          'debuginfod enabled off', 'width 0',\n"                                             \
    "          'auto-load off', 'confirm off'):\n"                                                 \
    "    try: gdb.execute('set ' + c)\n"                                                           \
    "    except gdb.error: pass\n"                                                                 \
    "gdb.execute('handle SIGUSR1 SIGILL nostop noprint pass', to_string=True)\n"                   \
    "gdb.execute('unset environment LINES')\n"                                                     \
    "gdb.execute('unset environment COLUMNS')\n"                                                   \
    "wide = 'x86-64' in gdb.selected_inferior().architecture().name()\n"                           \
    "gdb.execute('catch syscall munmap mprotect ' + ('mmap' if wide else 'mmap2'),\n"              \
    "            to_string=True)\n"                                                                \
    "gdb.execute('run', to_string=True)\n"                                                         \
    "virtual = (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME)\n"                                           \
    "entry = True\n"                                                                               \
    "while gdb.selected_inferior().pid:\n"                                                         \
    "    if entry:\n"                                                                              \
    "        frame, pcs = gdb.newest_frame(), []\n"                                                \
    "        while frame:\n"                                                                       \
    "            if frame.type() not in virtual: pcs.append('%x' % frame.pc())\n"                  \
    "            try: frame = frame.older()\n"                                                     \
    "            except gdb.error: frame = None\n"                                                 \
    "        print('stack ' + ' '.join(pcs), flush=True)\n"                                        \
    "    entry = not entry\n"                                                                      \
    "    try: gdb.execute('continue', to_string=True)\n"                                           \
    "    except gdb.error: break\n"

/* Load biases by base name of the file, from the mappings of its first page. */
struct bias {
    char object[128];
    uint64_t bias;
};

static size_t note_biases(const struct json *record, struct bias *biases, size_t count, size_t room)
{
    const struct json *exec = json_get(record, "exec");

    if (exec && count < room &&
        (!strcmp(json_text(exec, "program"), "dynamic") ||
         !strcmp(json_text(exec, "program"), "static"))) {
        biases[count].bias = 0; /* linked to fixed addresses */
        copy_text(biases[count++].object, sizeof(biases[0].object),
                  base_name(json_text(exec, "path")));
    }
    json_for_each(change, json_get(record, "changes")) {
        const struct json *object = json_get(change, "object");
        bool vdso = !strcmp(json_text(change, "kind"), "vdso");
        const char *name = vdso ? "[vdso]" : base_name(json_text(object, "name"));
        if (strcmp(json_text(change, "op"), "+") || count == room || !*name ||
            (!vdso && (!json_get(change, "offset") || json_number(change, "offset"))))
            continue;
        size_t i = 0;
        while (i < count && strcmp(biases[i].object, name))
            i++;
        if (i < count)
            continue;
        copy_text(biases[count].object, sizeof(biases[count].object), name);
        biases[count++].bias = json_number(change, "start");
    }
    return count;
}

/* Our stacks in gdb's words: a line for each call that changed something. */
static size_t our_stacks(struct live_result *result, char **lines, size_t room)
{
    struct frames frames = {0};
    struct bias biases[64];
    struct stack *stacks = calloc(1000, sizeof(*stacks));
    size_t bias_count = 0, stack_count = 0, count = 0;
    uint64_t pid = 0;

    assert_non_null(stacks);
    for (size_t cursor = 0;;) {
        const struct json *record = live_next(result, &cursor);
        if (!record)
            break;
        const char *type = json_text(record, "type"), *cause = json_text(record, "cause");
        if (!strcmp(type, "frame"))
            keep_frame(&frames, record);
        if (!strcmp(type, "stack") && stack_count < 1000) {
            struct stack *s = &stacks[stack_count++];
            json_for_each(id, json_get(record, "frames"))
                if (s->count < FRAMES)
                    s->frames[s->count++] = frames.items[json_value(id) - 1];
        }
        if (strcmp(type, "event"))
            continue;
        pid = pid ? pid : json_number(record, "pid");
        if (json_number(record, "pid") != pid)
            continue; /* gdb stays with the parent */
        bias_count = note_biases(record, biases, bias_count, 64);
        if ((strncmp(cause, "mmap", 4) && strcmp(cause, "munmap") && strcmp(cause, "mprotect")) ||
            count == room)
            continue;
        uint64_t id = json_number(record, "stack");
        char *line = calloc(1, 16 * FRAMES + 8), *at = line;
        assert_non_null(line);
        const struct stack *s = id ? &stacks[id - 1] : NULL;
        for (size_t i = 0; s && i < s->count; i++) {
            uint64_t address = s->frames[i].address;
            for (size_t b = 0; b < bias_count; b++)
                if (!strcmp(biases[b].object, s->frames[i].object))
                    address += biases[b].bias;
            at += sprintf(at, "%s%llx", i ? " " : "", (unsigned long long)address);
        }
        lines[count++] = line;
    }
    free(frames.items);
    free(stacks);
    return count;
}

static const struct command {
    const char *words[5];
    bool repeats; /* two runs do the same; else some stacks have other allocations in them */
} commands[] = {
    {{"/bin/true"}, true},
    {{"/bin/ls", "/"}, true},
    {{"/usr/bin/sort", "-R", "/etc/passwd"}, true},
    {{"/usr/bin/python3", "-c", "import json"}, false},
    {{"/usr/bin/perl", "-e", "my @a = (1) x 1000000;"}, true},
    {{"/bin/bash", "-c", "x=${PATH//s/t}; :"}, true},
    {{FIXTURE_DIR "/stacks-m32", "chain"}, true},
    {{FIXTURE_DIR "/stacks-m32", "callback"}, true},
    {{FIXTURE_DIR "/stacks-m32", "signal"}, true},
    {{FIXTURE_DIR "/stacks-m32", "alternate"}, true},
    {{FIXTURE_DIR "/stacks-m32", "library", FIXTURE_DIR "/libstacks-m32.so"}, true},
    {{FIXTURE_DIR "/stacks-m32-nopie", "signal"}, true},
    {{FIXTURE_DIR "/stacks-m32-static", "signal"}, true},
};

/*
 * Where we see the outermost frame gdb may go on, since the dynamic linker's first function
 * has no tables: with what lies on the initial stack (argc, argv[0], 0), which is no code.
 */
static bool is_no_code(const char *rest)
{
    for (char *end; *rest; rest = end) {
        uint64_t pc = strtoull(rest, &end, 16);
        if (end == rest || (pc >= 0x10000 && pc < UINT64_C(0x7ffffff00000)))
            return false;
    }
    return true;
}

static void compare_with_gdb(const struct command *row)
{
    static const char *const options[] = {"-k256", "--no-aslr", NULL};
    const struct live_options with = {.options = options};
    const char *argv[16] = {"gdb", "-nx", "-q", "-batch", "-x", "SCRIPT", "--args"};
    struct live_result result;
    char *ours[1000], script[96];
    static char theirs[1 << 22];
    const char *const *command = row->words;
    size_t n = 7, line = 0, alike = 0;

    live_run_program(VASTRACE_PROGRAM, &result, &with, command);
    live_assert_exited(&result, 0);
    size_t count = our_stacks(&result, ours, LIVE_COUNT(ours));
    snprintf(script, sizeof(script), "%s/gdb.py", result.directory);
    live_write_file(script, GDB_SCRIPT, strlen(GDB_SCRIPT), 0600);
    argv[5] = script;
    for (size_t i = 0; command[i]; i++)
        argv[n++] = command[i];
    argv[n] = NULL;
    live_capture(argv, theirs, sizeof(theirs));
    for (char *save, *text = strtok_r(theirs, "\n", &save); text;
         text = strtok_r(NULL, "\n", &save)) {
        if (strncmp(text, "stack ", 6))
            continue;
        text += 6;
        size_t length = line < count ? strlen(ours[line]) : 0;
        bool same = !length || (!strncmp(ours[line], text, length) && is_no_code(text + length));
        if (!same && row->repeats)
            live_fail(&result, "%s: stack %zu\ngdb:  %s\nours: %s", command[0], line, text,
                      ours[line]);
        alike += same;
        line++;
    }
    unlink(script);
    if (!line)
        live_skip("gdb cannot trace here");
    /* Calls that changed nothing are no events with stacks, and stand for themselves. */
    print_message("%s: %zu stacks of %zu as gdb's (%zu events)\n", command[0], alike, line, count);
    assert_true(row->repeats ? alike == line : 3 * alike > line);
    if (row->repeats)
        assert_true(line >= count ? line - count < 3 : count - line < 3);
    for (size_t i = 0; i < count; i++)
        free(ours[i]);
    live_free(&result);
}

static void check_gdb(void **state)
{
    char version[64];

    (void)state;
    if (!live_capture((const char *const[]){"gdb", "--version", NULL}, version, sizeof(version)))
        live_skip("gdb is not installed");
    /* They shall do the same each time. */
    clearenv();
    setenv("PATH", "/usr/bin:/bin", 1);
    setenv("SHELL", "/bin/sh", 1); /* which gdb starts programs with */
    setenv("PYTHONHASHSEED", "0", 1);
    setenv("PERL_HASH_SEED", "0", 1);
    for (size_t i = 0; i < LIVE_COUNT(commands); i++)
        if (live_exists(commands[i].words[0]))
            compare_with_gdb(&commands[i]);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_chains),     cmocka_unit_test(check_chains_32),
        cmocka_unit_test(check_vdso_32),    cmocka_unit_test(check_stripped),
        cmocka_unit_test(check_afterwards), cmocka_unit_test(check_depth),
        cmocka_unit_test(check_circle),     cmocka_unit_test(check_once),
        cmocka_unit_test(check_filtered),   cmocka_unit_test(check_schema),
        cmocka_unit_test(check_gdb),
    };

    return live_main("stacks", tests, LIVE_COUNT(tests), argc, argv);
}
