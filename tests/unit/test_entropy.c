/*
 * test_entropy.c - the statistics of ASLR: by hand where the answer is known,
 * and by simulation of many samples, where every interval must cover the truth
 * as often as it says. The simulations are seeded: a run is like any other.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base.h"
#include "model/entropy.h"

enum { MOST_DRAWS = 1000, ROUNDS = 1000 };

static void assert_near(double a, double b, double within)
{
    if (!(fabs(a - b) <= within))
        fail_msg("%.9f is not %.9f (within %g)", a, b, within);
}

/* --- by hand --- */

static void check_nothing(void **state)
{
    struct vt_entropy e;
    uint64_t one = 0x7fff0000;

    (void)state;
    vt_entropy_judge(NULL, 0, &e);
    assert_int_equal(e.method, VT_ENTROPY_NONE);
    assert_int_equal(e.distinct, 0);
    vt_entropy_judge(&one, 1, &e);
    assert_int_equal(e.method, VT_ENTROPY_NONE);
    assert_int_equal(e.lowest, one);
    assert_int_equal(e.highest, one);
    assert_int_equal(e.moved, 0);
    assert_true(isnan(e.bits.estimate));
    assert_true(e.bits.low == 0 && isinf(e.bits.high));
    assert_true(e.guess == 0 && e.guess_chance == 1);
}

static void check_fixed(void **state)
{
    struct vt_entropy e;
    uint64_t draws[200];

    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(draws); i++)
        draws[i] = 0x400000;
    vt_entropy_judge(draws, VT_COUNTOF(draws), &e);
    assert_int_equal(e.method, VT_ENTROPY_FIXED);
    assert_int_equal(e.moved, 0);
    assert_int_equal(e.step, 0);
    assert_int_equal(e.distinct, 1);
    assert_int_equal(e.most_often, 200);
    assert_true(e.bits.estimate == 0 && e.bits.low == 0);
    /* 100 of 100 pairs alike: at least 0.025^(1/100) of them are. */
    assert_near(e.bits.high, -log2(pow(0.025, 0.01)), 1e-9);
    assert_true(e.guess == 0 && e.guess_chance == 1);
    assert_true(e.even);
}

static void check_two(void **state)
{
    struct vt_entropy e;
    uint64_t draws[] = {0x3000, 0x1000};

    (void)state;
    vt_entropy_judge(draws, 2, &e);
    assert_int_equal(e.lowest, 0x1000);
    assert_int_equal(e.highest, 0x3000);
    assert_int_equal(e.moved, 0x2000);
    assert_int_equal(e.step, 0x2000);
    assert_int_equal(e.pairs, 1);
    assert_int_equal(e.set[12], 2);
    assert_int_equal(e.set[13], 1);
    /* No more often than twice, of two: 1 - p^2 >= 5 % */
    assert_near(e.guess_chance, sqrt(0.95), 1e-9);
    assert_true(e.bits.low <= 1 && e.bits.high > 5); /* two draws tell next to nothing */
}

/* The mask, the step and the counts of bits, of a known sequence. */
static void check_bits(void **state)
{
    struct vt_entropy e;
    uint64_t draws[128];

    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(draws); i++)
        draws[i] = 0x7f0000000000 + ((i * 37 % 128) << 12);
    vt_entropy_judge(draws, VT_COUNTOF(draws), &e);
    assert_int_equal(e.moved, 0x7f000);
    assert_int_equal(e.step, 0x1000);
    assert_int_equal(e.distinct, 128);
    assert_int_equal(e.equal_pairs, 0);
    for (unsigned bit = 0; bit < 64; bit++) {
        bool fixed_set = bit >= 40 && bit <= 46;
        bool moving = bit >= 12 && bit <= 18;
        assert_int_equal(e.set[bit], moving ? 64 : fixed_set ? 128 : 0);
    }
    assert_int_equal(e.odd_bits, 0);
    assert_int_equal(e.method, VT_ENTROPY_RANGE);
    assert_true(e.bits.low <= 7 && 7 <= e.bits.high);
    for (size_t i = 1; i < VT_COUNTOF(draws); i++) /* sorted on return */
        assert_true(draws[i - 1] < draws[i]);
}

/* Bounds that can be worked out with pencil and paper. */
static void check_bounds(void **state)
{
    struct vt_entropy e;
    uint64_t draws[200];

    (void)state;
    for (size_t i = 0; i < 200; i++)
        draws[i] = i << 12;
    vt_entropy_judge(draws, 200, &e);
    /* At most one of 200: (1-p)^200 + 200 p (1-p)^199 = 5 % */
    double p = e.guess_chance;
    assert_near(pow(1 - p, 200) + 200 * p * pow(1 - p, 199), 0.05, 1e-9);
    assert_near(e.guess, log2(200) - 2.2, 0.1); /* as entropy.h says */
    /* None of 100 pairs: (1-p)^100 = 2.5 % */
    assert_near(e.collisions.low, -log2(1 - pow(0.025, 0.01)), 1e-9);
    assert_true(isinf(e.collisions.high) && isnan(e.collisions.estimate));
    /* 200 draws that cover 200 places: from 200 upwards. */
    assert_near(e.range.low, log2(200), 1e-9);
    assert_true(e.range.high < log2(207));
}

/* A sample that spans all 64 bits, and one of addresses at the very top. */
static void check_extremes(void **state)
{
    struct vt_entropy e;
    uint64_t wide[20], top[20];

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        wide[i] = i * (UINT64_MAX / 19);
        top[i] = UINT64_MAX - i;
    }
    vt_entropy_judge(wide, 20, &e);
    assert_int_equal(e.step, 1);
    assert_true(e.range.low > 63 && e.range.estimate >= e.range.low);
    vt_entropy_judge(top, 20, &e);
    assert_true(e.range.low <= log2(20) + 1e-9 && e.range.high < 6);
}

static void check_names(void **state)
{
    (void)state;
    assert_string_equal(vt_entropy_method_name(VT_ENTROPY_NONE), "none");
    assert_string_equal(vt_entropy_method_name(VT_ENTROPY_FIXED), "fixed");
    assert_string_equal(vt_entropy_method_name(VT_ENTROPY_RANGE), "range");
    assert_string_equal(vt_entropy_method_name(VT_ENTROPY_COLLISIONS), "collisions");
    assert_string_equal(vt_entropy_method_name(VT_ENTROPY_BOUNDS), "bounds");
}

/* --- by simulation --- */

/* A generator of our own, so that every C library gives the same samples (xorshift64*). */
static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(0x2545f4914f6cdd1d);
}

static double fraction(uint64_t *seed)
{
    return (double)(next(seed) >> 11) / 0x1p53;
}

struct distribution {
    const char *name;
    uint64_t (*draw)(uint64_t *seed, double parameter);
    double parameter;
    double places;   /* 0: not even */
    double likeness; /* chance that two draws agree */
    double favourite;
};

static uint64_t draw_even(uint64_t *seed, double places)
{
    return (uint64_t)(fraction(seed) * places) * 4096 + 0x555555554000;
}

/* One favourite place, and else one of very many. */
static uint64_t draw_favourite(uint64_t *seed, double chance)
{
    return fraction(seed) < chance ? 0x1000 : (next(seed) >> 20) << 12;
}

/* Place k with a chance of r^k (1 - r). */
static uint64_t draw_geometric(uint64_t *seed, double r)
{
    return (uint64_t)(log(fraction(seed) + 0x1p-60) / log(r)) << 12;
}

static uint64_t draw_two(uint64_t *seed, double chance)
{
    return fraction(seed) < chance ? 0x1000 : 0x2000;
}

#define EVEN(n)                                                                                    \
    {                                                                                              \
        "even", draw_even, n, n, 1.0 / (n), 1.0 / (n)                                              \
    }
#define FAVOURITE(p)                                                                               \
    {                                                                                              \
        "favourite", draw_favourite, p, 0, (p) * (p), p                                            \
    }
#define GEOMETRIC(r)                                                                               \
    {                                                                                              \
        "geometric", draw_geometric, r, 0, (1 - (r)) / (1 + (r)), 1 - (r)                          \
    }
#define TWO(p)                                                                                     \
    {                                                                                              \
        "two", draw_two, p, 0, (p) * (p) + (1 - (p)) * (1 - (p)), p                                \
    }

static const struct distribution distributions[] = {
    EVEN(2),         EVEN(3),        EVEN(8),        EVEN(100),        EVEN(256),
    EVEN(2048),      EVEN(0x1p19),   EVEN(0x1p28),   FAVOURITE(0.005), FAVOURITE(0.02),
    FAVOURITE(0.05), FAVOURITE(0.3), GEOMETRIC(0.5), GEOMETRIC(0.9),   GEOMETRIC(0.99),
    TWO(0.5),        TWO(0.9),       TWO(0.99),
};
static const size_t sizes[] = {12, 40, 200};

/* So many of ROUNDS must be covered: the stated rate, less four deviations of chance. */
static size_t enough(double rate)
{
    return (size_t)(ROUNDS * rate - 4 * sqrt(ROUNDS * rate * (1 - rate)));
}

static bool covers(const struct vt_entropy_interval *interval, double bits)
{
    return interval->low <= bits + 1e-9 && bits - 1e-9 <= interval->high;
}

static void simulate(const struct distribution *d, size_t n, uint64_t *seed)
{
    size_t range = 0, collisions = 0, guess = 0, ordered = 0, odd = 0;
    double sum = 0;

    for (size_t round = 0; round < ROUNDS; round++) {
        uint64_t draws[MOST_DRAWS];
        struct vt_entropy e;

        for (size_t i = 0; i < n; i++)
            draws[i] = d->draw(seed, d->parameter);
        vt_entropy_judge(draws, n, &e);
        range += d->places && covers(&e.range, log2(d->places));
        collisions += covers(&e.collisions, -log2(d->likeness));
        guess += e.guess <= -log2(d->favourite) + 1e-9;
        ordered += !(e.bits.estimate < e.bits.low) && !(e.bits.estimate > e.bits.high) &&
                   e.guess <= log2((double)e.distinct) + 1e-9;
        odd += !e.even;
        sum += e.range.estimate;
    }
    if (d->places && range < enough(VT_ENTROPY_CONFIDENCE))
        fail_msg("range: %s %g, %zu draws: %zu of %d covered", d->name, d->parameter, n, range,
                 ROUNDS);
    if (collisions < enough(VT_ENTROPY_CONFIDENCE))
        fail_msg("collisions: %s %g, %zu draws: %zu of %d covered", d->name, d->parameter, n,
                 collisions, ROUNDS);
    if (guess < enough(VT_ENTROPY_CONFIDENCE))
        fail_msg("guess: %s %g, %zu draws: %zu of %d covered", d->name, d->parameter, n, guess,
                 ROUNDS);
    assert_int_equal(ordered, ROUNDS);
    /* Three tests, each of which may call even draws odd once in a thousand times. */
    if (d->places && odd > 11)
        fail_msg("even: %s %g, %zu draws: %zu of %d called uneven", d->name, d->parameter, n, odd,
                 ROUNDS);
    /* Where there are very many places, an exact interval is not wider than need be. */
    if (d->places > 0x1p18 && range > ROUNDS - (ROUNDS - enough(VT_ENTROPY_CONFIDENCE)) / 3)
        fail_msg("range: %s %g, %zu draws: %zu of %d covered is too many", d->name, d->parameter, n,
                 range, ROUNDS);
    if (d->places > 0x1p18)
        assert_near(sum / ROUNDS, log2(d->places), 0.3 / sqrt((double)n));
}

static void check_coverage(void **state)
{
    uint64_t seed = 20240229;

    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(distributions); i++)
        for (size_t j = 0; j < VT_COUNTOF(sizes); j++)
            simulate(&distributions[i], sizes[j], &seed);
}

/* What is clearly uneven is seen to be, and what is said then is true. */
static void check_uneven(void **state)
{
    static const struct distribution clear[] = {FAVOURITE(0.3), GEOMETRIC(0.9), GEOMETRIC(0.99),
                                                TWO(0.9)};
    uint64_t seed = 7;

    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(clear); i++) {
        const struct distribution *d = &clear[i];
        size_t found = 0, told = 0;

        for (size_t round = 0; round < 200; round++) {
            uint64_t draws[1000];
            struct vt_entropy e;

            for (size_t k = 0; k < 1000; k++)
                draws[k] = d->draw(&seed, d->parameter);
            vt_entropy_judge(draws, 1000, &e);
            found += e.method == VT_ENTROPY_COLLISIONS;
            told += covers(&e.bits, -log2(d->likeness));
        }
        if (found < 195 || told < 180)
            fail_msg("%s %g: %zu of 200 found uneven, %zu told right", d->name, d->parameter, found,
                     told);
    }
}

/* Mostly multiples of 512 steps, and a few that are not: the step is found, and not believed. */
static void check_lattice(void **state)
{
    struct vt_entropy e;
    uint64_t draws[200], seed = 5;

    (void)state;
    for (size_t i = 0; i < 200; i++) {
        uint64_t place = next(&seed) >> 36;
        draws[i] = (i % 30 ? place & ~UINT64_C(0x1ff) : place) << 12;
    }
    vt_entropy_judge(draws, 200, &e);
    assert_int_equal(e.step, 0x1000);
    assert_int_equal(e.odd_bits, 0x1ff000);
    assert_true(e.even_bits < VT_ENTROPY_ODD && e.even_spread > VT_ENTROPY_ODD);
    assert_int_equal(e.method, VT_ENTROPY_BOUNDS);
}

/* Uneven, with no two draws alike: there is no estimate, and the bounds are wide. */
static void check_no_estimate(void **state)
{
    struct vt_entropy e;
    uint64_t draws[200], seed = 99;

    (void)state;
    for (size_t i = 0; i < 200; i++)
        draws[i] = (uint64_t)(pow(fraction(&seed), 4) * 0x1p40) << 12;
    vt_entropy_judge(draws, 200, &e);
    assert_int_equal(e.equal_pairs, 0);
    assert_int_equal(e.method, VT_ENTROPY_BOUNDS);
    assert_true(isnan(e.bits.estimate));
    assert_true(e.bits.low == e.guess && e.bits.high == e.range.high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_nothing),     cmocka_unit_test(check_fixed),
        cmocka_unit_test(check_two),         cmocka_unit_test(check_bits),
        cmocka_unit_test(check_bounds),      cmocka_unit_test(check_extremes),
        cmocka_unit_test(check_names),       cmocka_unit_test(check_coverage),
        cmocka_unit_test(check_uneven),      cmocka_unit_test(check_lattice),
        cmocka_unit_test(check_no_estimate),
    };
    return cmocka_run_group_tests_name("entropy", tests, NULL, NULL);
}
