/*
 * test_aslr_view.c - what is concluded from made-up launches, and how it is drawn:
 * the cases that this machine's kernel does not offer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "sinks/aslr.h"

enum { RUNS = 100 };

/* Launches of which a test fills in what matters. */
struct launches {
    struct vt_aslr aslr;
    uint64_t addresses[VT_ASLR_PART_COUNT][RUNS];
    char *command[2];
    uint64_t seed;
    bool wide; /* has addresses above 2^48 */
};

static struct launches *make(void)
{
    struct launches *l = calloc(1, sizeof(*l));
    assert_non_null(l);
    l->command[0] = (char *)"program";
    l->seed = 42;
    l->aslr = (struct vt_aslr){
        .command = l->command,
        .path = (char *)"/bin/program",
        .type = VT_PROGRAM_PIE,
        .class_bits = 64,
        .page_size = 4096,
        .settings = {2, 28, 8, 0, 0, false},
        .asked = RUNS,
        .made = RUNS,
    };
    return l;
}

/* 40 bits that look random. */
static uint64_t noise(struct launches *l)
{
    l->seed = l->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return l->seed >> 24;
}

static uint64_t *part(struct launches *l, enum vt_aslr_part which)
{
    return l->aslr.addresses[which] = l->addresses[which];
}

static const char *text_of(const struct launches *l, struct vt_aslr_analysis *analysis,
                           struct vt_buf *out)
{
    struct vt_aslr_input input = {.analysis = analysis};
    assert_int_equal(vt_aslr_analyse(&l->aslr, analysis, NULL), 0);
    vt_aslr_render_text(&input, out);
    const char *text = vt_buf_cstr(out);
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        if (length > (l->wide ? 84 : 80))
            fail_msg("%zu columns: %.*s", length, (int)length, line);
        line += length + (line[length] == '\n');
    }
    return text;
}

static void assert_says(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("it does not say \"%s\":\n%s", words, text);
}

/* Three parts of which two move as one, and one that moves with little of its own. */
static void check_relations(void **state)
{
    struct launches *l = make();
    static struct vt_aslr_analysis a;
    struct vt_buf out = {0};
    uint64_t *mmap = part(l, VT_ASLR_MMAP), *vdso = part(l, VT_ASLR_VDSO);
    uint64_t *heap = part(l, VT_ASLR_HEAP), *program = part(l, VT_ASLR_PROGRAM);

    (void)state;
    for (size_t i = 0; i < RUNS; i++) {
        mmap[i] = 0x7f0000000000 + ((noise(l) & 0xfffffff) << 12);
        vdso[i] = mmap[i] - 0x5000;
        program[i] = 0x550000000000 + ((noise(l) & 0xfffffff) << 12);
        heap[i] = program[i] + 0x10000 + ((noise(l) & 0x3ff) << 12);
    }
    const char *text = text_of(l, &a, &out);
    assert_false(a.present[VT_ASLR_STACK]);
    assert_int_equal(a.leader[VT_ASLR_VDSO], VT_ASLR_MMAP);
    assert_int_equal(a.leader[VT_ASLR_HEAP], VT_ASLR_HEAP);
    assert_int_equal(a.distance_count, 3);
    for (size_t i = 0; i < a.distance_count; i++) {
        bool heaps = a.distances[i].from == VT_ASLR_HEAP && a.distances[i].to == VT_ASLR_PROGRAM;
        assert_int_equal(vt_aslr_is_telling(&a, &a.distances[i]), heaps);
        assert_true(!heaps ||
                    (a.distances[i].highest < 0 && a.distances[i].entropy.bits.low < 10.1));
    }
    assert_says(text, "  mmap top = vdso + 5000\n");
    assert_says(text, "\nheap - program ");
    assert_says(text,
                "mmap_rnd_bits promises 28 bits to vdso and program; what was measured agrees.");
    assert_null(strstr(text, "looks uneven"));
    vt_buf_deinit(&out);
    free(l);
}

/* Less than was promised is said; so are places that are not equally likely. */
static void check_doubts(void **state)
{
    struct launches *l = make();
    static struct vt_aslr_analysis a;
    struct vt_buf out = {0};
    uint64_t *interpreter = part(l, VT_ASLR_INTERPRETER), *stack = part(l, VT_ASLR_STACK);

    (void)state;
    for (size_t i = 0; i < RUNS; i++) {
        interpreter[i] = 0x7f0000000000 + ((noise(l) & 0x7ffff) << 21);
        stack[i] = i % 3 ? 0x7ffffffff000 : 0x7ff000000000 + ((noise(l) & 0xffffff) << 12);
    }
    l->aslr.interrupted = "interrupted";
    l->aslr.asked = 500;
    const char *text = text_of(l, &a, &out);
    assert_says(text, "what was measured differs.");
    assert_says(text, "interrupted: 100 of 500 launches");
    assert_int_equal(a.parts[VT_ASLR_STACK].method, VT_ENTROPY_COLLISIONS);
    assert_says(text, "looks uneven");
    vt_buf_deinit(&out);
    free(l);
}

/* 57-bit addresses are drawn in full, 32-bit ones in 32 bits. */
static void check_widths(void **state)
{
    static const struct {
        uint64_t base;
        unsigned class_bits;
        const char *title;
    } rows[] = {
        {0xff000000000000, 64, "bit          55       47 "},
        {0x7f0000000000, 64, "bit          47       39 "},
        {0xf7000000, 32, "bit          31       23 "},
    };
    static struct vt_aslr_analysis a;

    (void)state;
    for (size_t row = 0; row < VT_COUNTOF(rows); row++) {
        struct launches *l = make();
        struct vt_buf out = {0};
        uint64_t *mmap = part(l, VT_ASLR_MMAP);

        for (size_t i = 0; i < RUNS; i++)
            mmap[i] = rows[row].base + ((noise(l) & 0xff) << 12);
        l->aslr.class_bits = rows[row].class_bits;
        l->wide = rows[row].base >> 48;
        assert_says(text_of(l, &a, &out), rows[row].title);
        assert_int_equal(a.promised, rows[row].class_bits == 32 ? 8 : 28);
        vt_buf_deinit(&out);
        free(l);
    }
}

/* What cannot be read, what is off, and what makes the kernel lay things out upwards. */
static void check_settings(void **state)
{
    static const struct {
        struct vt_aslr_settings settings;
        bool no_aslr, off;
        int promised;
        const char *words;
    } rows[] = {
        {{2, 28, 8, 0, 0, false}, false, false, 28, "leaves randomisation on\n"},
        {{1, 28, 8, 0, 0, false}, false, false, 28, "PIE; not the heap\n"},
        {{0, 28, 8, 0, 0, false}, false, true, 0, "nothing is randomised\n"},
        {{2, 28, 8, 0, VT_ASLR_OFF, false}, true, true, 0, "(--no-aslr)\n"},
        {{2, 28, 8, 0, VT_ASLR_OFF, false}, false, true, 0, "(inherited)\n"},
        {{2, 28, 8, 0, VT_ASLR_COMPAT_LAYOUT, false}, false, false, 28, "mmap goes upwards\n"},
        {{2, 28, 8, 1, 0, false}, false, false, 28, "legacy_va_layout         1  mmap goes"},
        {{2, 28, 8, 0, 0, true}, false, false, 28, "unlimited: mmap goes upwards\n"},
        {{-1, -1, -1, -1, -1, false}, false, false, -1, " ?  not readable here\n"},
    };
    static struct vt_aslr_analysis a;

    (void)state;
    for (size_t row = 0; row < VT_COUNTOF(rows); row++) {
        struct launches *l = make();
        struct vt_buf out = {0};

        for (size_t i = 0; i < RUNS; i++)
            part(l, VT_ASLR_PROGRAM)[i] = 0x555555554000;
        l->aslr.settings = rows[row].settings;
        l->aslr.no_aslr = rows[row].no_aslr;
        assert_says(text_of(l, &a, &out), rows[row].words);
        assert_int_equal(vt_aslr_is_off(&l->aslr), rows[row].off);
        assert_int_equal(a.promised, rows[row].promised);
        vt_buf_deinit(&out);
        free(l);
    }
}

/* One launch, and two: neither says more than it knows. */
static void check_few(void **state)
{
    static struct vt_aslr_analysis a;
    struct launches *l = make();
    struct vt_buf out = {0};

    (void)state;
    part(l, VT_ASLR_STACK)[0] = 0x7ffffffff000;
    part(l, VT_ASLR_STACK)[1] = 0x7fff0ffff000;
    l->aslr.made = 1;
    const char *text = text_of(l, &a, &out);
    assert_says(text, "one launch");
    assert_null(strstr(text, "never moved"));
    vt_buf_clear(&out);
    l->aslr.made = 2;
    assert_says(text_of(l, &a, &out), "of so few launches is a guess");
    vt_buf_deinit(&out);
    free(l);
}

static void check_formats(void **state)
{
    (void)state;
    assert_ptr_equal(vt_aslr_render_find("text"), vt_aslr_render_text);
    assert_ptr_equal(vt_aslr_render_find("json"), vt_aslr_render_json);
    assert_null(vt_aslr_render_find("tex"));
    assert_null(vt_aslr_render_find(""));
    for (int which = 0; which < VT_ASLR_PART_COUNT; which++) {
        assert_true(strlen(vt_aslr_part_name((enum vt_aslr_part)which)) < 12);
        assert_non_null(vt_aslr_part_words((enum vt_aslr_part)which));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_relations), cmocka_unit_test(check_doubts),
        cmocka_unit_test(check_widths),    cmocka_unit_test(check_settings),
        cmocka_unit_test(check_few),       cmocka_unit_test(check_formats),
    };
    return cmocka_run_group_tests_name("aslr_view", tests, NULL, NULL);
}
