/*
 * entropy.c - hides the arithmetic behind entropy.h: tails of the binomial, of
 * the range of even draws, and of two tests of evenness, each inverted where an
 * interval is wanted.
 *
 * Invariants: every tail function is monotone in what it is solved for, so that
 * bisection finds the one bound; nothing here is simulated or asymptotic but
 * the tests of evenness, which only choose among exact intervals.
 */
#include "model/entropy.h"

#include <math.h>
#include <stdlib.h>

#include "base/base.h"

/* Each end of a two-sided interval may miss with half of what is left. */
#define TAIL ((1 - VT_ENTROPY_CONFIDENCE) / 2)

enum { BISECTIONS = 56 }; /* to the last bits of a double */

const char *vt_entropy_method_name(enum vt_entropy_method method)
{
    static const char *const names[] = {
        [VT_ENTROPY_NONE] = "none",     [VT_ENTROPY_FIXED] = "fixed",
        [VT_ENTROPY_RANGE] = "range",   [VT_ENTROPY_COLLISIONS] = "collisions",
        [VT_ENTROPY_BOUNDS] = "bounds",
    };
    return names[method];
}

/* ---- the binomial ------------------------------------------------------------ */

/*
 * The regularised incomplete beta function I_x(a, b), for x left of the mean:
 * x^a (1-x)^b / (a B(a,b)) times the continued fraction 1/(1 + d1/(1 + d2/(1 + ...))),
 * taken from its far end. It has converged after some multiple of sqrt(max(a, b)).
 */
static double beta_left(double x, double a, double b)
{
    int ignored;
    double log_front = a * log(x) + b * log1p(-x) + lgamma_r(a + b, &ignored) -
                       lgamma_r(a, &ignored) - lgamma_r(b, &ignored) - log(a);
    double rest = 0;
    for (int i = 24 + (int)(3 * sqrt(fmax(a, b))); i > 0; i--) {
        double m = i;
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m - 1) * (a + b + m - 1) * x / ((a + 2 * m - 2) * (a + 2 * m - 1));
        rest = odd / (1 + even / (1 + rest));
    }
    return exp(log_front) / (1 + rest);
}

static double beta(double x, double a, double b)
{
    if (x <= 0)
        return 0;
    if (x >= 1)
        return 1;
    return x < (a + 1) / (a + b + 2) ? beta_left(x, a, b) : 1 - beta_left(1 - x, b, a);
}

/* The largest p with which at most k of n successes have a chance of `tail`. */
static double chance_at_most(size_t k, size_t n, double tail)
{
    double low = 0, high = 1;
    if (k >= n)
        return 1;
    for (int i = 0; i < BISECTIONS; i++) {
        double p = (low + high) / 2;
        if (beta(1 - p, (double)(n - k), (double)k + 1) >= tail)
            low = p;
        else
            high = p;
    }
    return high;
}

/* The smallest p with which at least k of n successes have a chance of `tail`. */
static double chance_at_least(size_t k, size_t n, double tail)
{
    double low = 0, high = 1;
    if (!k)
        return 0;
    for (int i = 0; i < BISECTIONS; i++) {
        double p = (low + high) / 2;
        if (beta(p, (double)k, (double)(n - k) + 1) >= tail)
            high = p;
        else
            low = p;
    }
    return low;
}

/* ---- the range ----------------------------------------------------------------- */

/*
 * The chance that n even draws from `places` places in a row lie within `span`
 * steps: of the (places - span) windows of span + 1 places, each holds all
 * draws with ((span + 1) / places)^n; what two neighbours hold in common is
 * counted once. Falls as `places` grows.
 */
static double chance_within(double n, double span, double places)
{
    if (places <= span + 1)
        return 1;
    if (span < 0)
        return 0;
    if (span < 1)
        return exp((1 - n) * log(places));
    double common = exp(n * log1p((span - places) / places)); /* (span / places)^n */
    return common * ((places - span) * expm1(n * log1p(1 / span)) + 1);
}

/*
 * How many places make the chance to be within `span`, or halfway between this
 * and to be nearer still (middle), fall to `tail`; INFINITY where 2^64 do not.
 */
static double places_for(double n, double span, bool middle, double tail)
{
    double low = fmax(0, log2(span + 1)), high = 64; /* of the number's log2 */
    for (int i = 0; i < BISECTIONS; i++) {
        double bits = (low + high) / 2, places = exp2(bits);
        double chance = chance_within(n, span, places);
        if (middle)
            chance = (chance + chance_within(n, span - 1, places)) / 2;
        if (chance >= tail)
            low = bits;
        else
            high = bits;
    }
    return low > 63.999 ? INFINITY : exp2(low);
}

/* How many steps a value is above the lowest. */
static double steps_to(const struct vt_entropy *e, uint64_t value)
{
    uint64_t steps = e->step ? (value - e->lowest) / e->step : 0;
    return (double)steps;
}

static void judge_range(struct vt_entropy *e)
{
    double n = (double)e->count;
    double span = steps_to(e, e->highest);
    double least = span + 1;
    double high = floor(places_for(n, span, false, TAIL) * (1 + 1e-12));
    /* At least this near: all but the chance to be nearer. */
    double low = ceil(places_for(n, span - 1, false, 1 - TAIL) * (1 - 1e-12));
    double middle = places_for(n, span, true, 0.5);
    e->range.low = log2(fmax(low, least));
    e->range.high = log2(fmax(high, least));
    e->range.estimate = fmin(fmax(log2(fmax(middle, least)), e->range.low), e->range.high);
}

/* ---- is it even? ------------------------------------------------------------------ */

/*
 * Kolmogorov's and Smirnov's test. Given the two ends, even draws between them
 * are even again: so the ends are left out, and the rest is compared with even
 * places from end to end.
 */
static double judge_spread(const struct vt_entropy *e, const uint64_t *sorted)
{
    if (e->count < 7 || !e->step)
        return 1;
    double n = (double)e->count - 2, distance = 0;
    double places = steps_to(e, e->highest) + 1;
    for (size_t i = 1; i + 1 < e->count; i++) {
        double place = steps_to(e, sorted[i]);
        bool first = i == 1 || sorted[i] != sorted[i - 1];
        bool last = i + 2 == e->count || sorted[i] != sorted[i + 1];
        if (first)
            distance = fmax(distance, fabs((double)(i - 1) / n - place / places));
        if (last)
            distance = fmax(distance, fabs((double)i / n - (place + 1) / places));
    }
    double root = sqrt(n), x = (root + 0.12 + 0.11 / root) * distance, chance = 0;
    if (x < 0.3) /* the sum below converges slowly there, to 1 */
        return 1;
    for (int j = 1; j <= 20; j++)
        chance += (j % 2 ? 2 : -2) * exp(-2.0 * j * j * x * x);
    return fmin(fmax(chance, 0), 1);
}

/* The chance that a standard normal variable is above z. */
static double normal_above(double z)
{
    return erfc(z / sqrt(2)) / 2;
}

/*
 * The chance of so many equal pairs or more, in the least number of places that
 * the range allows. With few places this is the chi-squared test (by the cube
 * root of Wilson and Hilferty); with more places than draws the pairs are as
 * good as independent and rare, and Poisson's.
 */
static double judge_collisions(const struct vt_entropy *e)
{
    double places = exp2(e->range.low), n = (double)e->count, seen = (double)e->equal_pairs;
    double expected = (double)e->pairs / places;
    if (seen <= expected)
        return 1;
    if (places <= n || expected > 200) {
        double free = places - 1, part = 2 / (9 * free);
        double squared = places * (2 * seen + n) / n - n;
        return normal_above((cbrt(squared / free) - (1 - part)) / sqrt(part));
    }
    if (seen > 1000) /* at most 200 were to be expected */
        return 0;
    double term = exp(-expected), below = 0;
    for (uint64_t k = 0; k < e->equal_pairs; k++) {
        below += term;
        term *= expected / (double)(k + 1);
    }
    return fmax(1 - below, 0);
}

/*
 * In an even sample the low bits are fair coins. How high that holds depends on
 * the span: a bit whose pattern repeats often enough in it differs from a coin by
 * less than what n draws can show. This finds places that are not a step apart
 * but mostly several: then the low bits of few draws are set.
 */
static void judge_bits(struct vt_entropy *e)
{
    double span = (double)(e->highest - e->lowest), n = (double)e->count, tested = 0, p[64];
    for (unsigned bit = 0; bit < 64; bit++) {
        p[bit] = 1;
        if (!(e->moved >> bit & 1) || exp2(bit + 1.0) * 4 * sqrt(n) > span)
            continue;
        double rarer = fmin((double)e->set[bit], n - (double)e->set[bit]);
        p[bit] = fmin(1, 2 * beta(0.5, n - rarer, rarer + 1));
        tested++;
    }
    for (unsigned bit = 0; bit < 64; bit++) { /* the more are tested, the odder one must be */
        if (p[bit] < 1)
            e->even_bits = fmin(e->even_bits, p[bit] * tested);
        if (p[bit] < 1 && p[bit] * tested < VT_ENTROPY_ODD)
            e->odd_bits |= UINT64_C(1) << bit;
    }
}

/* ---- all of it -------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* In the order of drawing: the independent pairs, and the bits. */
static size_t count_in_order(struct vt_entropy *e, const uint64_t *draws)
{
    size_t equal = 0;
    for (size_t i = 0; i < e->count; i++) {
        e->moved |= draws[i] ^ draws[0];
        for (unsigned bit = 0; bit < 64; bit++)
            e->set[bit] += draws[i] >> bit & 1;
        equal += i % 2 && draws[i] == draws[i - 1];
    }
    e->step = e->moved & -e->moved;
    return equal;
}

static void count_sorted(struct vt_entropy *e, const uint64_t *sorted)
{
    e->lowest = sorted[0];
    e->highest = sorted[e->count - 1];
    e->pairs = (uint64_t)e->count * (e->count - 1) / 2;
    for (size_t i = 0, end; i < e->count; i = end) {
        for (end = i; end < e->count && sorted[end] == sorted[i]; end++)
            ;
        size_t times = end - i;
        e->distinct++;
        e->equal_pairs += (uint64_t)times * (times - 1) / 2;
        if (times > e->most_often)
            e->most_often = times;
    }
}

/* Minus log2, without a minus zero. */
static double bits_of(double chance)
{
    return chance > 0 ? fmax(-log2(chance), 0) + 0.0 : INFINITY;
}

static void choose(struct vt_entropy *e)
{
    if (!e->moved) {
        e->method = VT_ENTROPY_FIXED;
        e->bits = (struct vt_entropy_interval){0, 0, e->collisions.high};
    } else if (e->even) {
        e->method = VT_ENTROPY_RANGE;
        e->bits = e->range;
    } else if (e->equal_pairs) {
        e->method = VT_ENTROPY_COLLISIONS;
        e->bits = e->collisions;
    } else {
        /* No distribution over these places has more than an even one. */
        e->method = VT_ENTROPY_BOUNDS;
        e->bits = (struct vt_entropy_interval){NAN, e->guess, e->range.high};
    }
}

void vt_entropy_judge(uint64_t *draws, size_t count, struct vt_entropy *e)
{
    *e = (struct vt_entropy){.count = count, .guess_chance = 1, .even = true};
    e->even_spread = e->even_collisions = e->even_bits = 1;
    e->range = e->collisions = e->bits = (struct vt_entropy_interval){NAN, 0, INFINITY};
    if (count)
        e->lowest = e->highest = draws[0], e->distinct = e->most_often = 1;
    if (count < 2)
        return;

    size_t apart = count / 2, equal = count_in_order(e, draws);
    qsort(draws, count, sizeof(*draws), compare);
    e->distinct = e->most_often = 0;
    count_sorted(e, draws);

    e->guess_chance = chance_at_most(e->most_often, count, 1 - VT_ENTROPY_CONFIDENCE);
    e->guess = bits_of(e->guess_chance);

    /* Both agree nearly always; where they do not, the interval is made to hold the estimate. */
    double like = (double)e->equal_pairs / (double)e->pairs;
    e->collisions.estimate = e->equal_pairs ? bits_of(like) : NAN;
    e->collisions.low = bits_of(fmax(chance_at_most(equal, apart, TAIL), like));
    e->collisions.high = bits_of(fmin(chance_at_least(equal, apart, TAIL), like));

    judge_range(e);
    e->even_spread = judge_spread(e, draws);
    e->even_collisions = e->moved ? judge_collisions(e) : 1;
    judge_bits(e);
    e->even = e->even_spread >= VT_ENTROPY_ODD && e->even_collisions >= VT_ENTROPY_ODD &&
              !e->odd_bits;
    choose(e);
}
