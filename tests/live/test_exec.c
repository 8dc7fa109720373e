/*
 * test_exec.c - programs and their ELF images: how each was linked, where each
 * part of it lies, and what dlopen and dlclose bring and take; checked against
 * readelf, the auxiliary vector and the fixture, over programs not built here.
 */
#include "live.h"

#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* --- the end state, with kinds: changes are laid over each other --- */

struct painted {
    uint64_t start, end;
    uint64_t offset; /* of the file at start */
    char kind[16];
    char perm[8];
    char object[256]; /* the file's name; "" if there is none */
    bool part;        /* a section's bounds within a change */
};

struct canvas {
    struct painted *items;
    size_t count, capacity;
};

static struct painted *canvas_add(struct canvas *canvas)
{
    if (canvas->count == canvas->capacity) {
        canvas->capacity = canvas->capacity ? canvas->capacity * 2 : 256;
        canvas->items = realloc(canvas->items, canvas->capacity * sizeof *canvas->items);
        if (!canvas->items)
            abort();
    }
    canvas->items[canvas->count] = (struct painted){0};
    return &canvas->items[canvas->count++];
}

static void paint(struct canvas *canvas, const struct json *change)
{
    bool gone = json_text(change, "op")[0] == '-';
    struct painted *p = canvas_add(canvas);

    p->start = json_number(change, "start");
    p->end = json_number(change, "end");
    p->offset = json_number(change, "offset");
    snprintf(p->kind, sizeof p->kind, "%s", gone ? "" : json_text(change, "kind"));
    snprintf(p->perm, sizeof p->perm, "%s", gone ? "" : json_text(change, "perm"));
    snprintf(p->object, sizeof p->object, "%s", json_text(json_get(change, "object"), "name"));
    json_for_each(part, gone ? NULL : json_get(change, "parts")) {
        struct painted *q = canvas_add(canvas);

        q->start = json_number(part, "start");
        q->end = json_number(part, "end");
        q->part = true;
        snprintf(q->kind, sizeof q->kind, "%s", json_text(part, "kind"));
    }
}

/* The changes of the first process, up to its mark of this number; 0: to its end. */
static struct canvas paint_run(struct live_result *result, uint64_t marks)
{
    struct canvas canvas = {0};
    const struct json *record;
    size_t cursor = 0;
    uint64_t pid = 0;

    while ((record = live_next(result, &cursor))) {
        const char *cause = json_text(record, "cause");

        if (strcmp(json_text(record, "type"), "event") != 0)
            continue;
        if (pid == 0)
            pid = json_number(record, "pid");
        if (json_number(record, "pid") != pid || strcmp(cause, "exit") == 0)
            continue;
        json_for_each(change, json_get(record, "changes"))
            paint(&canvas, change);
        if (marks && strcmp(cause, "munmap") == 0 && live_argument(record, 0) == 1 &&
            live_argument(record, 1) == marks)
            break;
    }
    return canvas;
}

/* The kind at an address: the last change there, or its part that holds it. "" is free. */
static const char *kind_at(const struct canvas *canvas, uint64_t addr)
{
    for (size_t i = canvas->count; i-- > 0;)
        if (addr >= canvas->items[i].start && addr < canvas->items[i].end)
            return canvas->items[i].kind;
    return "";
}

/* --- what readelf says --- */

enum { MOST_SEGMENTS = 64, MOST_SECTIONS = 256 };

struct elf_file {
    struct {
        char type[24];
        uint64_t offset, vaddr, filesz, memsz;
        bool r, w, x;
    } segments[MOST_SEGMENTS];
    size_t segment_count;
    struct {
        char name[64], type[24], flags[16];
        uint64_t addr, offset, size;
    } sections[MOST_SECTIONS];
    size_t section_count;
    bool executable; /* ET_EXEC */
};

static void parse_section(struct elf_file *elf, char *line)
{
    char *rest = strchr(line, ']');
    size_t at = elf->section_count;

    if (!rest || at == MOST_SECTIONS)
        return;
    elf->sections[at].flags[0] = '\0';
    if (sscanf(rest + 1, " %63s %23s %" SCNx64 " %" SCNx64 " %" SCNx64 " %*x %15s",
               elf->sections[at].name, elf->sections[at].type, &elf->sections[at].addr,
               &elf->sections[at].offset, &elf->sections[at].size, elf->sections[at].flags) >= 5)
        elf->section_count++;
}

static void parse_segment(struct elf_file *elf, const char *line)
{
    size_t at = elf->segment_count;
    char flags[8];

    if (at == MOST_SEGMENTS ||
        sscanf(line,
               " %23[A-Z_] 0x%" SCNx64 " 0x%" SCNx64 " 0x%*x 0x%" SCNx64 " 0x%" SCNx64 " %7[RWE ]",
               elf->segments[at].type, &elf->segments[at].offset, &elf->segments[at].vaddr,
               &elf->segments[at].filesz, &elf->segments[at].memsz, flags) != 6)
        return;
    elf->segments[at].r = strchr(flags, 'R');
    elf->segments[at].w = strchr(flags, 'W');
    elf->segments[at].x = strchr(flags, 'E');
    elf->segment_count++;
}

static void read_elf(const char *path, struct elf_file *elf)
{
    static char text[1 << 20];
    bool in_sections = false;

    *elf = (struct elf_file){0};
    if (!live_capture((const char *const[]){"env", "LC_ALL=C", "readelf", "-hlSW", path, NULL},
                      text, sizeof text))
        live_skip("no readelf, or it does not understand %s", path);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (strstr(line, "Section Headers:"))
            in_sections = true;
        else if (strstr(line, "Program Headers:"))
            in_sections = false;
        else if (strstr(line, "EXEC (Executable file)"))
            elf->executable = true;
        else if (in_sections && strstr(line, "["))
            parse_section(elf, line);
        else if (!in_sections)
            parse_segment(elf, line);
    }
}

/* True if a segment of this type holds the range. */
static bool within(const struct elf_file *elf, const char *type, uint64_t addr, uint64_t size)
{
    for (size_t i = 0; i < elf->segment_count; i++)
        if (strcmp(elf->segments[i].type, type) == 0 && addr >= elf->segments[i].vaddr &&
            addr + size <= elf->segments[i].vaddr + elf->segments[i].memsz)
            return true;
    return false;
}

/* What a section is at an address of the file, by its flags and by PT_GNU_RELRO. */
static const char *section_kind(const struct elf_file *elf, size_t i, uint64_t addr)
{
    const char *flags = elf->sections[i].flags;

    if (strchr(flags, 'X'))
        return "text";
    if (strchr(flags, 'T'))
        return "tls";
    if (within(elf, "GNU_RELRO", addr, 1))
        return "relro";
    if (!strchr(flags, 'W'))
        return "rodata";
    return strcmp(elf->sections[i].type, "NOBITS") == 0 ? "bss" : "data";
}

/* Every section in memory is where readelf puts it, and of that kind. Returns how many. */
static size_t check_sections(const struct live_result *result, const struct canvas *canvas,
                             const struct elf_file *elf, uint64_t bias, const char *path)
{
    size_t checked = 0;

    for (size_t i = 0; i < elf->section_count; i++) {
        uint64_t start = elf->sections[i].addr + bias, size = elf->sections[i].size;
        const char *flags = elf->sections[i].flags;
        uint64_t places[] = {start, start + size / 2, start + size - 1};

        if (!strchr(flags, 'A') || size == 0 || !within(elf, "LOAD", elf->sections[i].addr, size))
            continue;
        if (strchr(flags, 'T') && strcmp(elf->sections[i].type, "NOBITS") == 0)
            continue; /* .tbss takes no place of its own */
        for (size_t p = 0; p < LIVE_COUNT(places); p++) {
            const char *kind = section_kind(elf, i, places[p] - bias);

            if (strcmp(kind_at(canvas, places[p]), kind) != 0)
                live_fail(result, "%s %s at %" PRIx64 " is '%s', expected '%s' (bias %" PRIx64 ")",
                          path, elf->sections[i].name, places[p], kind_at(canvas, places[p]), kind,
                          bias);
        }
        checked++;
    }
    return checked;
}

/* Every loadable segment is mapped throughout, and what lies just beside the image is not it. */
static void check_segments(const struct live_result *result, const struct canvas *canvas,
                           const struct elf_file *elf, uint64_t bias, const char *path)
{
    for (size_t i = 0; i < elf->segment_count; i++) {
        uint64_t start = (elf->segments[i].vaddr + bias) & ~(uint64_t)4095;
        uint64_t end = elf->segments[i].vaddr + bias + elf->segments[i].memsz;

        if (strcmp(elf->segments[i].type, "LOAD") != 0)
            continue;
        for (uint64_t at = start; at < end; at += 4096)
            if (!kind_at(canvas, at)[0])
                live_fail(result, "%s: nothing at %" PRIx64 " (segment %zu, bias %" PRIx64 ")",
                          path, at, i, bias);
    }
}

/* The load bias of an image in the end state, by a piece of its text; false if it has none. */
static bool find_bias(const struct canvas *canvas, const struct elf_file *elf, const char *path,
                      uint64_t *bias)
{
    for (size_t i = 0; i < canvas->count; i++) {
        const struct painted *p = &canvas->items[i];

        if (strcmp(p->object, path) != 0 || strcmp(p->kind, "text") != 0 || p->part ||
            !strchr(p->perm, 'x') || !kind_at(canvas, p->start)[0])
            continue;
        for (size_t s = 0; s < elf->segment_count; s++) {
            if (strcmp(elf->segments[s].type, "LOAD") != 0 || !elf->segments[s].x ||
                p->offset != (elf->segments[s].offset & ~(uint64_t)4095))
                continue;
            *bias = p->start - (elf->segments[s].vaddr & ~(uint64_t)4095);
            return true;
        }
    }
    return false;
}

/* --- the tests --- */

static const struct {
    const char *program;
    const char *type;
    uint64_t bits;
} types[] = {
    {"fixture", "pie", 64},           {"fixture-nopie", "dynamic", 64},
    {"fixture-static", "static", 64}, {"fixture-static-pie", "static-pie", 64},
    {"fixture-m32", "pie", 32},       {"fixture-threaded", "pie", 64},
    {"fixture-stripped", "pie", 64},
};

static void check_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(types); i++) {
        struct live_result result;
        const struct json *record;
        size_t cursor = 0, execs = 0;
        char path[512];

        snprintf(path, sizeof path, "%s/%s", FIXTURE_DIR, types[i].program);
        if (!live_exists(path))
            continue;
        live_run(&result, NULL, path, "exit", "3");
        live_assert_exited(&result, 3);
        live_assert_proven(&result, 0);
        while ((record = live_next(&result, &cursor))) {
            const struct json *exec = json_get(record, "exec");

            if (!exec)
                continue;
            execs++;
            if (strcmp(json_text(exec, "program"), types[i].type) != 0)
                live_fail(&result, "said to be '%s', is '%s'", json_text(exec, "program"),
                          types[i].type);
            assert_int_equal(json_number(exec, "class_bits"), types[i].bits);
            assert_string_equal(json_text(exec, "path"), path);
        }
        assert_int_equal(execs, 1);
        live_free(&result);
    }
}

/* The program's own parts, its bias from the auxiliary vector that it prints. */
static void check_own_parts(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(types); i++) {
        struct live_result result;
        struct canvas canvas;
        struct elf_file elf;
        uint64_t bias = 0;
        char path[512];

        snprintf(path, sizeof path, "%s/%s", FIXTURE_DIR, types[i].program);
        if (!live_exists(path) || strcmp(types[i].program, "fixture-stripped") == 0)
            continue;
        live_run(&result, NULL, path, "auxv");
        live_assert_exited(&result, 0);
        live_assert_proven(&result, 0);
        read_elf(path, &elf);
        canvas = paint_run(&result, 1);
        /* AT_PHDR is the header's offset, 64 or 52 bytes, into the first segment. */
        for (size_t s = 0; s < elf.segment_count; s++)
            if (strcmp(elf.segments[s].type, "LOAD") == 0 && elf.segments[s].offset == 0)
                bias = live_fact_number(&result, "phdr", 16) - (types[i].bits == 64 ? 64 : 52) -
                       elf.segments[s].vaddr;
        check_segments(&result, &canvas, &elf, bias, path);
        assert_true(check_sections(&result, &canvas, &elf, bias, path) > 10);
        assert_string_equal(kind_at(&canvas, live_fact_number(&result, "entry", 16)), "text");
        assert_string_equal(kind_at(&canvas, live_fact_number(&result, "sp", 16)),
                            strcmp(types[i].program, "fixture-threaded") == 0 ? "thread-stack"
                                                                              : "stack");
        assert_string_equal(kind_at(&canvas, live_fact_number(&result, "sysinfo_ehdr", 16)),
                            "vdso");
        free(canvas.items);
        live_free(&result);
    }
}

/* Segments alone must do: text, data and bss of a program without section headers. */
static void check_stripped(void **state)
{
    struct live_result result;
    struct canvas canvas;
    struct elf_file elf;
    uint64_t bias;

    (void)state;
    live_run(&result, NULL, FIXTURE_DIR "/fixture-stripped", "auxv");
    live_assert_exited(&result, 0);
    live_assert_proven(&result, 0);
    /* The same program with its sections tells where they were. */
    read_elf(FIXTURE_DIR "/fixture", &elf);
    canvas = paint_run(&result, 1);
    bias = live_fact_number(&result, "phdr", 16) - 64;
    for (size_t i = 0; i < elf.section_count; i++) {
        const char *name = elf.sections[i].name;
        const char *kind = strcmp(name, ".text") == 0   ? "text"
                           : strcmp(name, ".data") == 0 ? "data"
                           : strcmp(name, ".bss") == 0  ? "bss"
                                                        : NULL;

        if (!kind)
            continue;
        const char *found =
            kind_at(&canvas, bias + elf.sections[i].addr + elf.sections[i].size / 2);

        if (strcmp(found, kind) != 0)
            live_fail(&result, "%s is %s, expected %s", name, found, kind);
    }
    free(canvas.items);
    live_free(&result);
}

static const char *const system_programs[][4] = {
    {"/bin/true"},
    {"/bin/ls", "/"},
    {"/usr/bin/env"},
    {"/bin/bash", "-c", ":"},
    {"/bin/dash", "-c", ":"},
    {"/usr/bin/perl", "-e", "1"},
    {"/usr/bin/python3", "-c", "import json"},
    {"/usr/bin/git", "--version"},
    {"/usr/bin/xz", "--version"},
    {"/usr/bin/openssl", "version"},
    {"/usr/bin/gcc", "--version"},
    {"/usr/bin/busybox", "true"},
};

/* Every image of a program of the system, at its end, is where readelf puts it. */
static void check_system_program(void **state)
{
    const char *const *argv = *state;
    struct live_result result;
    struct canvas canvas;
    size_t images = 0;

    if (!live_exists(argv[0]))
        live_skip("no %s here", argv[0]);
    live_run_program(VASTRACE_PROGRAM, &result, NULL, argv);
    live_assert_exited(&result, 0);
    live_assert_proven(&result, 0);
    canvas = paint_run(&result, 0);
    for (size_t i = 0; i < canvas.count; i++) {
        const char *path = canvas.items[i].object;
        struct elf_file elf;
        uint64_t bias;
        bool seen = false;

        if (strcmp(canvas.items[i].kind, "text") != 0 || path[0] != '/' || !live_exists(path))
            continue;
        for (size_t k = 0; k < i && !seen; k++)
            seen = strcmp(canvas.items[k].object, path) == 0 &&
                   strcmp(canvas.items[k].kind, "text") == 0;
        if (seen)
            continue;
        read_elf(path, &elf);
        if (!find_bias(&canvas, &elf, path, &bias))
            continue; /* unloaded before the end */
        if (elf.executable)
            assert_int_equal(bias, 0);
        check_segments(&result, &canvas, &elf, bias, path);
        if (check_sections(&result, &canvas, &elf, bias, path) > 0)
            images++;
    }
    if (images == 0)
        live_fail(&result, "no image was found");
    free(canvas.items);
    live_free(&result);
}

/* What the loader itself says of the program and of its interpreter. */
static void check_auxiliary_vector(void **state)
{
    const char *const argv[] = {"/bin/true", NULL};
    struct live_result result;
    struct canvas canvas;
    uint64_t phdr = 0, base = 0, entry = 0, vdso = 0;
    static const char *const keys[] = {"AT_PHDR:", "AT_BASE:", "AT_ENTRY:", "AT_SYSINFO_EHDR:"};
    uint64_t *const values[] = {&phdr, &base, &entry, &vdso};

    (void)state;
    if (!live_exists(argv[0]))
        live_skip("no %s here", argv[0]);
    setenv("LD_SHOW_AUXV", "1", 1);
    live_run_program(VASTRACE_PROGRAM, &result, NULL, argv);
    unsetenv("LD_SHOW_AUXV");
    live_assert_exited(&result, 0);
    for (size_t i = 0; i < LIVE_COUNT(keys); i++) {
        /* The loader of vastrace itself has shown its own before: the last one is the program's. */
        for (const char *found = result.out; (found = strstr(found, keys[i])); found++)
            *values[i] = strtoull(found + strlen(keys[i]), NULL, 16);
    }
    if (!phdr || !base)
        live_skip("this loader does not show the auxiliary vector");
    canvas = paint_run(&result, 0);
    assert_string_equal(kind_at(&canvas, entry), "text");
    assert_string_equal(kind_at(&canvas, phdr), "rodata");
    assert_string_equal(kind_at(&canvas, base), "rodata");
    assert_string_equal(kind_at(&canvas, vdso), "vdso");
    free(canvas.items);
    live_free(&result);
}

static void check_dlopen(void **state)
{
    static const struct {
        const char *symbol;
        const char *kind;
    } symbols[] = {
        {"library_text", "text"}, {"library_rodata", "rodata"}, {"library_data", "data"},
        {"library_bss", "bss"},   {"library_relro", "relro"},
    };
    struct live_result result;
    struct elf_file elf;
    char path[512];

    (void)state;
    snprintf(path, sizeof path, "%s/libfixture.so", FIXTURE_DIR);
    live_run(&result, NULL, FIXTURE_DIR "/fixture", "dlopen", "1");
    live_assert_exited(&result, 0);
    live_assert_proven(&result, 0);
    live_skip_if_said(&result);
    read_elf(path, &elf);
    for (uint64_t marks = 1; marks <= 2; marks++) {
        struct canvas canvas = paint_run(&result, marks);
        uint64_t bias;

        for (size_t i = 0; i < LIVE_COUNT(symbols); i++) {
            uint64_t addr = live_fact_number(&result, symbols[i].symbol, 16);
            const char *kind = marks == 1 ? symbols[i].kind : "";

            if (strcmp(kind_at(&canvas, addr), kind) != 0)
                live_fail(&result, "%s after %s: '%s'", symbols[i].symbol,
                          marks == 1 ? "dlopen" : "dlclose", kind_at(&canvas, addr));
        }
        if (marks == 1) {
            assert_true(find_bias(&canvas, &elf, path, &bias));
            check_segments(&result, &canvas, &elf, bias, path);
            assert_true(check_sections(&result, &canvas, &elf, bias, path) > 5);
        }
        free(canvas.items);
    }
    live_free(&result);
}

static void check_dlopen_again(void **state)
{
    static const char *const programs[] = {"fixture", "fixture-nopie", "fixture-threaded",
                                           "fixture-stripped"};

    (void)state;
    for (size_t i = 0; i < LIVE_COUNT(programs); i++) {
        struct live_result result;
        char path[512];

        snprintf(path, sizeof path, "%s/%s", FIXTURE_DIR, programs[i]);
        live_run(&result, NULL, path, "dlopen", "5");
        live_assert_exited(&result, 0);
        live_assert_proven(&result, 0);
        live_free(&result);
    }
}

static const struct {
    const char *arguments[3];
    int status;
    size_t execs;
} execs[] = {
    {{"exec"}, 3, 2},
    {{"exec-chain", "5"}, 0, 6},
    {{"exec-descriptor"}, 4, 2},
    {{"exec-script"}, 0, 2},
    {{"exec-fail"}, 0, 1},
    {{"exec-large"}, 0, 2},
    {{"exec-program", "/bin/true"}, 0, 2},
};

static void check_execs(void **state)
{
    (void)state;
    for (size_t p = 0; p < LIVE_COUNT(types); p++) {
        for (size_t i = 0; i < LIVE_COUNT(execs); i++) {
            struct live_result result;
            char path[512];

            snprintf(path, sizeof path, "%s/%s", FIXTURE_DIR, types[p].program);
            if (!live_exists(path))
                continue;
            live_run(&result, NULL, path, execs[i].arguments[0], execs[i].arguments[1]);
            live_assert_exited(&result, execs[i].status);
            live_assert_proven(&result, 0);
            if (live_count_cause(&result, "exec") != execs[i].execs)
                live_fail(&result, "%zu exec events, expected %zu",
                          live_count_cause(&result, "exec"), execs[i].execs);
            live_free(&result);
        }
    }
}

static void check_big_bss(void **state)
{
    struct live_result result;
    struct canvas canvas;
    uint64_t start, end;
    char text[64];

    (void)state;
    if (!live_exists(FIXTURE_DIR "/bigbss"))
        live_skip("a large bss could not be built");
    live_run(&result, NULL, FIXTURE_DIR "/bigbss");
    live_assert_exited(&result, 0);
    live_assert_proven(&result, 0);
    assert_true(live_fact(&result, "bss", text, sizeof text));
    assert_int_equal(sscanf(text, "%" SCNx64 "-%" SCNx64, &start, &end), 2);
    canvas = paint_run(&result, 0);
    for (uint64_t at = start; at < end; at += 1 << 24)
        if (strcmp(kind_at(&canvas, at), "bss") != 0)
            live_fail(&result, "at %" PRIx64 " is '%s'", at, kind_at(&canvas, at));
    assert_string_equal(kind_at(&canvas, end - 1), "bss");
    free(canvas.items);
    live_free(&result);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest fixed[] = {
        cmocka_unit_test(check_types),    cmocka_unit_test(check_own_parts),
        cmocka_unit_test(check_stripped), cmocka_unit_test(check_auxiliary_vector),
        cmocka_unit_test(check_dlopen),   cmocka_unit_test(check_dlopen_again),
        cmocka_unit_test(check_execs),    cmocka_unit_test(check_big_bss),
    };
    enum { FIXED = LIVE_COUNT(fixed), ALL = FIXED + LIVE_COUNT(system_programs) };
    struct CMUnitTest tests[ALL];

    memcpy(tests, fixed, sizeof fixed);
    for (size_t i = 0; i < LIVE_COUNT(system_programs); i++)
        tests[FIXED + i] = (struct CMUnitTest){system_programs[i][0], check_system_program, NULL,
                                               NULL, (void *)(uintptr_t)system_programs[i]};
    return live_main("exec", tests, LIVE_COUNT(tests), argc, argv);
}
