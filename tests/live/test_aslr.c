/*
 * test_aslr.c - `vastrace aslr`: where it says that parts lie is where programs find
 * them, nothing of a program ever runs, and what it concludes fits the kernel's settings.
 */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define FIXTURE FIXTURE_DIR "/fixture"
#define SCHEMA  SOURCE_DIR "/contrib/schema/aslr.schema.json"

enum { RUNS = 60 };

/* The ways in which the fixture is linked. */
static const struct {
    const char *program;
    const char *type;
    unsigned class_bits;
    bool interpreter;
} rows[] = {
    {FIXTURE, "pie", 64, true},
    {FIXTURE_DIR "/fixture-nopie", "dynamic", 64, true},
    {FIXTURE_DIR "/fixture-static", "static", 64, false},
    {FIXTURE_DIR "/fixture-static-pie", "static-pie", 64, false},
    {FIXTURE_DIR "/fixture-m32", "pie", 32, true},
};

/* --- running it --- */

/* `vastrace aslr OPTIONS -- argv`; the document, which lives as long as the result. */
static const struct json *run_aslr(struct live_result *result, const char *const *options,
                                   const char *const *argv)
{
    const char *whole[16] = {"aslr", "--format", "json"};
    const struct live_options how = {.options = whole, .bare = true};
    const struct json *document;
    const char *where;
    size_t count = 3;

    for (size_t i = 0; options && options[i]; i++)
        whole[count++] = options[i];
    live_run_program(VASTRACE_PROGRAM, result, &how, argv);
    live_assert_exited(result, 0);
    if (result->err_length) /* no terminal: no progress */
        live_fail(result, "something on standard error");
    document = json_parse(&result->arena, result->out, result->out_length, &where);
    if (!document)
        live_fail(result, "no JSON at byte %zu", (size_t)(where - result->out));
    return document;
}

#define OPTIONS(...)                                                                               \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static const struct json *part_of(const struct json *document, const char *name)
{
    json_for_each(part, json_get(document, "parts"))
        if (strcmp(json_text(part, "name"), name) == 0)
            return part;
    return NULL;
}

static uint64_t address_of(const struct live_result *result, const struct json *document,
                           const char *name)
{
    const struct json *part = part_of(document, name);

    if (!part)
        live_fail(result, "no part %s", name);
    return json_number(part, "lowest");
}

static double real(const struct json *object, const char *key)
{
    const struct json *value = json_get(object, key);

    return value && value->type == JSON_NUMBER ? strtod(value->text, NULL) : NAN;
}

/* A number of the kernel's, -1 if it cannot be read. */
static long kernel_number(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    if (read(fd, text, sizeof text - 1) <= 0)
        strcpy(text, "-1");
    close(fd);
    return strtol(text, NULL, 10);
}

static bool randomised(void)
{
    int persona = personality(0xffffffff);

    return kernel_number("/proc/sys/kernel/randomize_va_space") == 2 && persona >= 0 &&
           !(persona & ADDR_NO_RANDOMIZE);
}

/* --- where parts lie --- */

/* What a program's own map says of its parts; 0 where there is none. */
struct own_map {
    uint64_t stack, mmap, interpreter, vdso, vvar, heap, program, lowest;
};

static void read_own_map(const struct live_result *result, const char *program, struct own_map *map)
{
    const char *text = strstr(result->out, "\nmaps=");

    *map = (struct own_map){0};
    if (!text)
        live_fail(result, "it printed no map");
    for (text = strchr(text + 1, '\n') + 1; strncmp(text, "maps=end", 8) != 0;
         text = strchr(text, '\n') + 1) {
        uint64_t start, end;
        char name[512] = "";

        sscanf(text, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %*s %511[^\n]", &start, &end, name);
        if (strstr(name, "[vsyscall]"))
            continue;
        if (!map->lowest && !strstr(name, "[heap]")) /* that is made only later */
            map->lowest = start;
        if (!map->program && strstr(name, program))
            map->program = start;
        if (!map->interpreter && strstr(name, "/ld-"))
            map->interpreter = start;
        if (strstr(name, "[vdso]"))
            map->vdso = start;
        if (strstr(name, "[vvar]"))
            map->vvar = start;
        if (strstr(name, "[heap]"))
            map->heap = start;
        if (strstr(name, "[stack]"))
            map->stack = end;
        else
            map->mmap = end;
    }
}

/* What the tests were started with; check_places() changes it for its children. */
static int restore_personality(void **state)
{
    const int *persona = *state;

    personality((unsigned long)*persona);
    return 0;
}

static void check_places(void **state)
{
    const int *persona = *state;

    if (*persona < 0 || personality((unsigned long)*persona | ADDR_NO_RANDOMIZE) < 0)
        live_skip("personality is refused here");
    for (size_t i = 0; i < LIVE_COUNT(rows); i++) {
        struct live_result own, seen;
        struct own_map map;
        const struct json *document;

        if (!live_exists(rows[i].program))
            continue;
        live_run_untraced(&own, NULL, OPTIONS(rows[i].program, "brk"));
        read_own_map(&own, rows[i].program, &map);
        document =
            run_aslr(&seen, OPTIONS("--no-aslr", "-n", "3"), OPTIONS(rows[i].program, "brk"));
        assert_string_equal(json_text(json_get(document, "program"), "type"), rows[i].type);
        assert_int_equal(json_number(json_get(document, "program"), "class_bits"),
                         rows[i].class_bits);
        assert_true(map.stack && map.program && map.lowest);
        assert_int_equal(address_of(&seen, document, "stack"), map.stack);
        assert_int_equal(address_of(&seen, document, "program"), map.program);
        assert_int_equal(address_of(&seen, document, "lowest"), map.lowest);
        assert_int_equal(!map.interpreter, !part_of(document, "interpreter"));
        assert_int_equal(!map.interpreter, !rows[i].interpreter);
        if (map.interpreter)
            assert_int_equal(address_of(&seen, document, "interpreter"), map.interpreter);
        if (map.vdso)
            assert_int_equal(address_of(&seen, document, "vdso"), map.vdso);
        if (map.vvar)
            assert_int_equal(address_of(&seen, document, "vvar"), map.vvar);
        if (map.mmap && part_of(document, "mmap top"))
            assert_int_equal(address_of(&seen, document, "mmap top"), map.mmap);
        /* A dynamic program's heap is gone at its end; where it began it said before. */
        uint64_t page = json_number(document, "page_size");
        uint64_t heap = address_of(&seen, document, "heap");
        const char *made = strstr(own.out, "change=+ ");
        if (!map.heap && made)
            map.heap = strtoull(made + strlen("change=+ "), NULL, 16);
        assert_int_equal((heap + page - 1) / page * page, (map.heap + page - 1) / page * page);
        /* The stack pointer is in the stack, and aligned as the ABI wants it. */
        uint64_t sp = address_of(&seen, document, "sp");
        assert_true(sp < map.stack && sp > map.stack - 0x20000);
        assert_int_equal(sp % 16, 0);
        live_free(&own);
        live_free(&seen);
    }
}

/* --- how they move --- */

static void check_fixed(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(rows); i++) {
        struct live_result result;
        const struct json *document;
        size_t count = 0;

        if (!live_exists(rows[i].program))
            continue;
        document = run_aslr(&result, OPTIONS("--no-aslr", "-n", "20"), OPTIONS(rows[i].program));
        json_for_each(part, json_get(document, "parts")) {
            assert_int_equal(json_number(part, "moved_mask"), 0);
            assert_int_equal(json_number(part, "distinct"), 1);
            assert_int_equal(json_number(part, "lowest"), json_number(part, "highest"));
            assert_string_equal(json_text(part, "method"), "fixed");
            assert_true(real(json_get(part, "entropy"), "bits") == 0);
            count++;
        }
        assert_true(count >= 6);
        assert_int_equal(json_get(document, "fixed_distances")->count, count - 1);
        assert_true(json_true(json_get(document, "settings"), "off"));
        assert_true(json_true(json_get(document, "settings"), "no_aslr"));
        live_free(&result);
    }
}

/* The document's figures follow from its own addresses. */
static void check_figures(const struct live_result *result, const struct json *part)
{
    uint64_t lowest = UINT64_MAX, highest = 0, moved = 0, first = 0, mask = 0;
    size_t count = 0;

    json_for_each(address, json_get(part, "addresses")) {
        uint64_t value = json_value(address);

        first = count++ ? first : value;
        moved |= value ^ first;
        lowest = value < lowest ? value : lowest;
        highest = value > highest ? value : highest;
    }
    if (count != RUNS || lowest != json_number(part, "lowest") ||
        highest != json_number(part, "highest") || moved != json_number(part, "moved_mask"))
        live_fail(result, "%s: its figures do not fit its addresses", json_text(part, "name"));
    json_for_each(bit, json_get(part, "moved_bits")) {
        size_t set = 0;

        json_for_each(address, json_get(part, "addresses"))
            set += json_value(address) >> json_number(bit, "bit") & 1;
        assert_int_equal(set, json_number(bit, "set"));
        mask |= UINT64_C(1) << json_number(bit, "bit");
    }
    assert_int_equal(mask, moved);
}

/* The interval is where the truth is, give or take a tenth and one bad day in a hundred. */
static void assert_bits(const struct live_result *result, const struct json *document,
                        const char *name, double bits)
{
    const struct json *entropy = json_get(part_of(document, name), "entropy");

    if (!(real(entropy, "low") - 0.3 <= bits && bits <= real(entropy, "high") + 0.3))
        live_fail(result, "%s: %g to %g bits, expected %g", name, real(entropy, "low"),
                  real(entropy, "high"), bits);
}

static void check_moving(void **state)
{
    long bits = kernel_number("/proc/sys/vm/mmap_rnd_bits");
    long compat_bits = kernel_number("/proc/sys/vm/mmap_rnd_compat_bits");

    (void)state;
    if (!randomised())
        live_skip("address space randomisation is off here");
    for (size_t i = 0; i < LIVE_COUNT(rows); i++) {
        struct live_result result;
        const struct json *document, *settings;
        long promised = rows[i].class_bits == 32 ? compat_bits : bits;
        char runs[16];

        if (!live_exists(rows[i].program))
            continue;
        snprintf(runs, sizeof runs, "%d", RUNS);
        document = run_aslr(&result, OPTIONS("-n", runs), OPTIONS(rows[i].program));
        assert_int_equal(json_number(json_get(document, "launches"), "made"), RUNS);
        settings = json_get(document, "settings");
        assert_int_equal(json_number(settings, "randomize_va_space"), 2);
        assert_false(json_true(settings, "off"));
        if (bits >= 0)
            assert_int_equal(json_number(settings, "mmap_rnd_bits"), bits);
        json_for_each(part, json_get(document, "parts"))
            check_figures(&result, part);
        bool pie = !strcmp(rows[i].type, "pie");
        bool fixed = !strcmp(rows[i].type, "dynamic") || !strcmp(rows[i].type, "static");
        assert_int_equal(!json_number(part_of(document, "program"), "moved_mask"), fixed);
        assert_true(json_number(part_of(document, "stack"), "moved_mask"));
        assert_true(json_number(part_of(document, "heap"), "moved_mask"));
        if (promised > 0 && rows[i].interpreter)
            assert_bits(&result, document, "interpreter", (double)promised);
        if (promised > 0 && pie)
            assert_bits(&result, document, "program", (double)promised);
        live_free(&result);
    }
}

/* The interpreter and the vdso move as one where the kernel places them so: by the addresses. */
static void check_distances(void **state)
{
    struct live_result result;
    const struct json *document = run_aslr(&result, OPTIONS("-n", "30"), OPTIONS(FIXTURE));
    size_t named = 0;

    (void)state;
    json_for_each(distance, json_get(document, "fixed_distances")) {
        const struct json *from = part_of(document, json_text(distance, "from"));
        const struct json *to = part_of(document, json_text(distance, "to"));
        const struct json *x = json_get(from, "addresses")->first;
        const struct json *y = json_get(to, "addresses")->first;

        for (; x && y; x = x->next, y = y->next)
            assert_int_equal(json_value(y) - json_value(x),
                             (uint64_t)strtoll(json_get(distance, "bytes")->text, NULL, 10));
        assert_string_equal(json_text(to, "moves_with"), json_text(distance, "from"));
        named++;
    }
    json_for_each(part, json_get(document, "parts"))
        named += strcmp(json_text(part, "moves_with"), json_text(part, "name")) == 0;
    assert_int_equal(named, json_get(document, "parts")->count);
    live_free(&result);
}

/* --- what runs --- */

static void check_nothing_runs(void **state)
{
    struct live_result result;
    const struct json *document;
    char directory[] = "/tmp/vastrace-aslr-XXXXXX", marker[64], script[64], text[160];
    char command[128];

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(marker, sizeof marker, "%s/ran", directory);
    snprintf(script, sizeof script, "%s/script", directory);
    snprintf(text, sizeof text, "#!/bin/sh\n: > %s\n", marker);
    snprintf(command, sizeof command, ": > %s", marker);
    live_write_file(script, text, strlen(text), 0755);
    /* Orphans would become ours. */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);

    document = run_aslr(&result, OPTIONS("-n", "10"), OPTIONS(script));
    assert_true(strstr(json_text(json_get(document, "program"), "path"), "/script") == NULL);
    assert_string_equal(json_get(document, "command")->first->text, script);
    live_free(&result);
    run_aslr(&result, OPTIONS("-n", "10"), OPTIONS("sh", "-c", command));
    live_free(&result);

    assert_false(live_exists(marker));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    unlink(script);
    rmdir(directory);
}

/* --- how it ends --- */

/* The same words and statuses as the trace has. */
static void check_refusals(void **state)
{
    static const struct {
        const char *program;
        int status;
    } refused[] = {
        {"/nonexistent/program", 127}, {"no-such-program-anywhere", 127},   {"/etc", 126},
        {"/etc/passwd", 126},          {SOURCE_DIR "/CMakeLists.txt", 126},
    };

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(refused); i++) {
        const struct live_options bare = {.bare = true};
        const struct live_options aslr = {.bare = true, .options = OPTIONS("aslr")};
        struct live_result traced, launched;

        live_run(&traced, &bare, refused[i].program);
        live_run(&launched, &aslr, refused[i].program);
        live_assert_exited(&launched, refused[i].status);
        assert_int_equal(traced.status, launched.status);
        assert_string_equal(traced.err, launched.err);
        assert_int_equal(launched.out_length, 0);
        live_free(&traced);
        live_free(&launched);
    }
}

static void check_bad_options(void **state)
{
    static const char *const bad[][4] = {
        {"aslr", "-n", "0"},         {"aslr", "-n", "many"},      {"aslr", "--format", "xml"},
        {"aslr", "--color", "blue"}, {"aslr", "--no-such-thing"},
    };

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(bad); i++) {
        const struct live_options how = {.bare = true, .options = bad[i]};
        struct live_result result;

        live_run(&result, &how, "ls");
        live_assert_exited(&result, 125);
        assert_true(result.err_length > 0 && result.out_length == 0);
        live_free(&result);
    }
    const struct live_options nothing = {.bare = true, .options = OPTIONS("aslr")};
    struct live_result result;
    live_run_program(VASTRACE_PROGRAM, &result, &nothing, (const char *const[]){NULL});
    live_assert_exited(&result, 125);
    live_free(&result);
}

/* Read a pipe or terminal to its end. */
static size_t read_all(int fd, char *text, size_t size)
{
    size_t used = 0;
    ssize_t n;

    while (used < size - 1 && (n = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    return used;
}

/* Told to end, it shows what it has. */
static void check_interrupted(void **state)
{
    static const struct {
        int signal;
        const char *word;
    } signals[] = {{SIGINT, "interrupted"}, {SIGTERM, "told to end by a signal"}};
    static char text[1 << 24];

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(signals); i++) {
        struct json_arena arena = {0};
        const struct json *document, *launches;
        const char *where;
        int out[2], status;

        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            dup2(out[1], 1);
            execl(VASTRACE_PROGRAM, "vastrace", "aslr", "-n", "1000000", "--format", "json",
                  FIXTURE, (char *)NULL);
            _exit(124);
        }
        close(out[1]);
        usleep(300 * 1000);
        assert_int_equal(kill(pid, signals[i].signal), 0);
        size_t length = read_all(out[0], text, sizeof text);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        close(out[0]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        document = json_parse(&arena, text, length, &where);
        assert_non_null(document);
        launches = json_get(document, "launches");
        assert_string_equal(json_text(launches, "interrupted"), signals[i].word);
        assert_int_equal(json_number(launches, "asked"), 1000000);
        size_t made = json_number(launches, "made");
        assert_true(made >= 1 && made < 1000000);
        assert_int_equal(json_get(part_of(document, "stack"), "addresses")->count, made);
        json_arena_deinit(&arena);
    }
}

/* On a terminal its progress is shown, and taken back. */
static void check_progress(void **state)
{
    static char text[1 << 16];
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), status;

    (void)state;
    if (terminal < 0 || grantpt(terminal) || unlockpt(terminal))
        live_skip("no pseudo-terminal");
    int side = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(side >= 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(open("/dev/null", O_WRONLY), 1);
        dup2(side, 2);
        execl(VASTRACE_PROGRAM, "vastrace", "aslr", "-n", "1500", FIXTURE, (char *)NULL);
        _exit(124);
    }
    close(side);
    size_t length = read_all(terminal, text, sizeof text);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_non_null(strstr(text, " of 1500 launches"));
    assert_true(length > 4 && !strcmp(text + length - 4, "\r\033[K"));
    close(terminal);
}

/* --- what is printed --- */

static void check_text(void **state)
{
    const struct live_options plain = {.bare = true,
                                       .options = OPTIONS("aslr", "-n", "20", "--no-aslr")};
    const struct live_options colored = {
        .bare = true, .options = OPTIONS("aslr", "-n", "20", "--color", "always")};
    struct live_result result;

    (void)state;
    live_run(&result, &plain, FIXTURE);
    live_assert_exited(&result, 0);
    assert_null(strchr(result.out, '\033'));
    assert_non_null(strstr(result.out, "(--no-aslr)"));
    assert_non_null(strstr(result.out, "never moved"));
    assert_null(strstr(result.out, "Bits that moved"));
    for (const char *line = result.out; *line;) { /* only paths may be long */
        size_t length = strcspn(line, "\n");
        if (length > 80 && !memchr(line, '/', length))
            live_fail(&result, "a line of %zu columns: %.*s", length, (int)length, line);
        line += length + (line[length] == '\n');
    }
    live_free(&result);
    live_run(&result, &colored, FIXTURE);
    live_assert_exited(&result, 0);
    assert_non_null(strchr(result.out, '\033'));
    live_free(&result);
}

/* A program's name cannot write to the terminal, nor break the JSON. */
static void check_hostile_name(void **state)
{
    const struct live_options text = {.bare = true, .options = OPTIONS("aslr", "-n", "2")};
    struct live_result result;
    char directory[] = "/tmp/vastrace-aslr-XXXXXX", path[96];

    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/\033[31m\"\\\xff", directory);
    if (link(FIXTURE, path)) { /* another file system */
        rmdir(directory);
        live_skip("cannot link the fixture");
    }
    live_run(&result, &text, path);
    live_assert_exited(&result, 0);
    assert_null(strchr(result.out, '\033'));
    live_free(&result);
    run_aslr(&result, OPTIONS("-n", "2"), OPTIONS(path));
    live_free(&result);
    unlink(path);
    rmdir(directory);
}

static void check_schema(void **state)
{
    static const char script[] = "import json,sys,jsonschema\n"
                                 "s=json.load(open(sys.argv[1]))\n"
                                 "v=jsonschema.Draft202012Validator\n"
                                 "v.check_schema(s)\n"
                                 "e=[str(list(e.absolute_path))+': '+e.message[:200]\n"
                                 "   for e in v(s).iter_errors(json.load(open(sys.argv[2])))]\n"
                                 "print('\\n'.join(e))\n"
                                 "sys.exit(bool(e))\n";
    static const char *const options[][4] = {
        {"-n", "1"}, {"-n", "2"}, {"-n", "50"}, {"-n", "5", "--no-aslr"}};
    char said[4096];

    (void)state;
    if (!live_capture(OPTIONS(PYTHON3, "-c", "import jsonschema"), said, sizeof said))
        live_skip("no Python with the module jsonschema");
    for (size_t i = 0; i < LIVE_COUNT(rows); i++) {
        for (size_t j = 0; j < LIVE_COUNT(options); j++) {
            const char *given[5] = {options[j][0], options[j][1], options[j][2], options[j][3]};
            struct live_result result;
            char path[128];

            if (!live_exists(rows[i].program))
                continue;
            run_aslr(&result, given, OPTIONS(rows[i].program));
            snprintf(path, sizeof path, "%s/out", result.directory);
            if (!live_capture(OPTIONS(PYTHON3, "-c", script, SCHEMA, path), said, sizeof said))
                live_fail(&result, "not valid: %s", said);
            live_free(&result);
        }
    }
}

int main(int argc, char **argv)
{
    int persona = personality(0xffffffff);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate_setup_teardown(check_places, NULL, restore_personality, &persona),
        cmocka_unit_test(check_fixed),
        cmocka_unit_test(check_moving),
        cmocka_unit_test(check_distances),
        cmocka_unit_test(check_nothing_runs),
        cmocka_unit_test(check_refusals),
        cmocka_unit_test(check_bad_options),
        cmocka_unit_test(check_interrupted),
        cmocka_unit_test(check_progress),
        cmocka_unit_test(check_text),
        cmocka_unit_test(check_hostile_name),
        cmocka_unit_test(check_schema),
    };
    return live_main("aslr", tests, LIVE_COUNT(tests), argc, argv);
}
