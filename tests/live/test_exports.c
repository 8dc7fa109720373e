/*
 * test_exports.c - recordings of real programs exported to every format: what an
 * export gives is what the trace itself would have written, byte for byte, and
 * other tools and checkers that know the format by its own description read it.
 */
#include "live.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vastrace/sink.h>

/* Runs that are traced once each, to all formats at once. */
static const struct {
    const char *name;
    const char *const command[5];
    bool stacks;
} runs[] = {
    {"remap", {FIXTURE_DIR "/fixture", "mremap-several"}, false},
    {"remap-stacks", {FIXTURE_DIR "/fixture", "mremap-dontunmap"}, true},
    {"names", {FIXTURE_DIR "/fixture", "names"}, false},
    {"split", {FIXTURE_DIR "/fixture", "munmap-parts"}, true},
    {"many", {FIXTURE_DIR "/fixture", "mmap-many", "2000"}, false},
    {"threads", {FIXTURE_DIR "/fixture-threaded", "threads-map", "3", "50"}, false},
    {"exec", {FIXTURE_DIR "/fixture", "exec-hostile"}, true},
    {"children", {"/bin/sh", "-c", "ls / | sort | cat; true"}, true},
    {"vfork", {FIXTURE_DIR "/fixture", "vfork-map"}, true},
};

static char directory[] = "/tmp/vastrace-exports.XXXXXX";

/* The file of a run in a format, in one of some buffers that are used in turn. */
static const char *path_of(const char *run, const char *format)
{
    static char paths[8][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % LIVE_COUNT(paths)];
    snprintf(path, PATH_MAX, "%s/%s.%s", directory, run, format);
    return path;
}

/* Runs a shell's command line; its status. */
static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *format, ...)
{
    char line[4 * PATH_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool is_recording(const char *format)
{
    return !strcmp(format, "vas");
}

/* Trace every run to every format: -o FILE -F NAME for each. */
static int record_all(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    for (size_t i = 0; i < LIVE_COUNT(runs); i++) {
        const char *options[64];
        size_t count = 0;
        char *owned[16] = {0};
        size_t made = 0;
        for (const char *const *f = vt_sink_format_names(); *f; f++) {
            owned[made] = strdup(path_of(runs[i].name, *f));
            options[count++] = "-o";
            options[count++] = owned[made++];
            options[count++] = "-F";
            options[count++] = *f;
        }
        if (runs[i].stacks)
            options[count++] = "-k";
        options[count] = NULL;
        const struct live_options how = {.options = options, .bare = true};
        struct live_result result;
        live_run_program(VASTRACE_PROGRAM, &result, &how, runs[i].command);
        if (!WIFEXITED(result.status) || WEXITSTATUS(result.status) != 0) {
            fprintf(stderr, "%s: %s\n", result.title, result.err);
            return -1;
        }
        live_free(&result);
        while (made)
            free(owned[--made]);
    }
    return 0;
}

static int remove_all(void **state)
{
    (void)state;
    return shell("rm -rf '%s'", directory);
}

/*
 * Does the export say what the trace wrote? Byte for byte; the HTML page is filled up to whole
 * groups of bytes whenever a trace waits, so what is packed in it is compared.
 */
static bool is_same(const char *run, const char *format, const char *again)
{
    if (!strcmp(format, "html"))
        return !shell("'%s' '%s/tests/browser/unpack.py' '%s' '%s' >/dev/null", PYTHON3, SOURCE_DIR,
                      again, path_of(run, "jsonl"));
    return !shell("cmp '%s' '%s'", path_of(run, format), again);
}

/* A recording and a live trace give the same output. */
static void check_same(void **state)
{
    unsigned compared = 0;
    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(runs); i++) {
        for (const char *const *f = vt_sink_format_names(); *f; f++) {
            if (is_recording(*f))
                continue;
            const char *run = path_of(runs[i].name, "vas"), *again = path_of("again", *f);
            struct stat facts;
            assert_int_equal(
                shell("'%s' export '%s' --to %s -o '%s'", VASTRACE_PROGRAM, run, *f, again), 0);
            if (!is_same(runs[i].name, *f, again))
                fail_msg("%s: the export to %s is not what the trace wrote", runs[i].name, *f);
            assert_int_equal(stat(again, &facts), 0);
            assert_true(facts.st_size > 0);
            compared++;
        }
    }
    print_message("%u files compared\n", compared);
}

/* Run a checker, tests/NAME ARGUMENT..., on the files of every run in these two formats. */
static void check_all(const char *checker, const char *first, const char *second)
{
    for (size_t i = 0; i < LIVE_COUNT(runs); i++)
        if (shell("'%s' '%s/tests/%s' '%s' '%s'", PYTHON3, SOURCE_DIR, checker,
                  path_of(runs[i].name, first), path_of(runs[i].name, second)))
            fail_msg("%s: %s does not pass", runs[i].name, checker);
}

static void check_folded(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(runs); i++)
        if (shell("'%s' '%s/tests/check_folded.py' '%s' '%s' '%s' '%s'", PYTHON3, SOURCE_DIR,
                  VASTRACE_PROGRAM, path_of(runs[i].name, "vas"), path_of(runs[i].name, "folded"),
                  path_of(runs[i].name, "jsonl")))
            fail_msg("%s: check_folded.py does not pass", runs[i].name);
}

static void check_massif(void **state)
{
    (void)state;
    check_all("check_massif.py", "massif", "folded");
}

static void check_perfetto(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(runs); i++) {
        int rc = shell("'%s' '%s/tests/check_perfetto.py' '%s' '%s'", PYTHON3, SOURCE_DIR,
                       path_of(runs[i].name, "perfetto"), path_of(runs[i].name, "jsonl"));
        if (rc == 77)
            live_skip("no protoc, or no Python module protobuf");
        if (rc)
            fail_msg("%s: check_perfetto.py does not pass", runs[i].name);
    }
}

static void check_csv(void **state)
{
    (void)state;
    check_all("check_csv.py", "csv", "jsonl");
}

/* gnuplot reads times and sizes by their columns' names, as they are in the file. */
static void check_gnuplot(void **state)
{
    (void)state;
    if (shell("command -v gnuplot >/dev/null"))
        live_skip("gnuplot is not installed");
    const char *table = path_of("many", "csv"), *plotted = path_of("many", "plotted");
    assert_int_equal(
        shell("gnuplot -e \"set datafile separator comma; set table '%s'; "
              "plot '%s' using (column('time')):(column('mapped')) with points\" && "
              "'%s' -c 'import csv, sys\n"
              "rows = [(float(r[\"time\"]), int(r[\"mapped\"])) for r in "
              "csv.DictReader(open(sys.argv[1], newline=\"\"))]\n"
              "read = [l.split() for l in open(sys.argv[2]) if l.strip() and l[0] != \"#\"]\n"
              "assert len(read) == len(rows) > 1000, (len(read), len(rows))\n"
              "for (x, y, *_), (t, m) in zip(read, rows):\n"
              "    assert abs(float(x) - t) <= 1e-4 * t and abs(float(y) - m) <= 1e-4 * m\n"
              "' '%s' '%s'",
              plotted, table, PYTHON3, table, plotted),
        0);
}

/* ---- the command -------------------------------------------------------------------- */

/* Runs vastrace with this, on a recording; its status and what it said. */
static int complain(char *said, size_t size, const char *arguments)
{
    char line[4 * PATH_MAX];
    snprintf(line, sizeof line, "'%s' export '%s' 2>&1 %s", VASTRACE_PROGRAM,
             path_of("names", "vas"), arguments);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    said[fread(said, 1, size - 1, pipe)] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_usage(void **state)
{
    static const struct {
        const char *arguments;
        const char *says;
    } rows[] = {
        {"--to nonsense", "unknown format \"nonsense\"; known are: text, "},
        {"--to vas -o x", "is a recording already"},
        {"-o x.vas", "is a recording already"},
        {"--to csv --pid 1", "no process 1"},
        {"--to csv --pid x", "not a process id"},
        {"--to csv more", "name one recording"},
        {"--to csv --of live", "--of belongs to --to folded"},
        {"--to csv --at end", "--at belongs to --to folded"},
        {"--to folded --of all", "give peak, live or made"},
        {"--to folded --at noon", "noon is no moment"},
        {"--to", "needs a value"},
        {"--to csv -o /nonexistent/x", "cannot open \"/nonexistent/x\""},
        {"--to csv >/dev/full", "No space left on device"},
    };
    char said[8192], same[PATH_MAX + 32];
    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(rows); i++) {
        assert_int_equal(complain(said, sizeof said, rows[i].arguments), 125);
        if (strncmp(said, "vastrace: ", 10) != 0 || !strstr(said, rows[i].says) ||
            strchr(said, '\n') != said + strlen(said) - 1)
            fail_msg("%s: said '%s', expected '%s' in one line", rows[i].arguments, said,
                     rows[i].says);
    }
    /* The recording itself is not overwritten, whatever it is called. */
    snprintf(same, sizeof same, "--to text -o '%s/./names.vas'", directory);
    assert_int_equal(complain(said, sizeof said, same), 125);
    assert_non_null(strstr(said, "the recording itself"));
    assert_int_equal(complain(said, sizeof said, "--to csv -o /dev/null"), 0);
    assert_string_equal(said, "");
}

/* A reader that has seen enough is no failure, and no reason to write on. */
static void check_closed_pipe(void **state)
{
    (void)state;
    for (const char *const *f = vt_sink_format_names(); *f; f++)
        if (!is_recording(*f))
            assert_int_equal(shell("{ '%s' export '%s' --to %s 2>&3; echo $? >&3; } 3>'%s' | "
                                   "head -c 1 >/dev/null; test \"$(cat '%s')\" = 0",
                                   VASTRACE_PROGRAM, path_of("many", "vas"), *f,
                                   path_of("said", *f), path_of("said", *f)),
                             0);
}

/* One process of several: its own events and no others, all of them, in a valid timeline. */
static void check_pid(void **state)
{
    (void)state;
    assert_int_equal(shell("'%s' '%s/tests/check_pids.py' '%s' '%s' '%s'", PYTHON3, SOURCE_DIR,
                           VASTRACE_PROGRAM, path_of("children", "vas"),
                           path_of("children", "jsonl")),
                     0);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_same),     cmocka_unit_test(check_csv),
        cmocka_unit_test(check_folded),   cmocka_unit_test(check_massif),
        cmocka_unit_test(check_perfetto), cmocka_unit_test(check_gnuplot),
        cmocka_unit_test(check_usage),    cmocka_unit_test(check_closed_pipe),
        cmocka_unit_test(check_pid),
    };
    (void)argc;
    (void)argv;
    return cmocka_run_group_tests_name("exports", tests, record_all, remove_all);
}
