/*
 * entropy.h - how unpredictable is an address, judged by a sample of it: what a
 * statistician may conclude from n independent draws, and no more. Pure.
 *
 * Three questions, each with its own answer, all at a confidence of 95 %:
 *
 *   range       If every place between two ends, a step apart, is equally
 *               likely: how many places are there? The spread of the sample
 *               tells, and very exactly, but only under that "if". Whether the
 *               sample looks like it is tested (`even`).
 *   collisions  How likely do two draws agree? Minus its log2 is the collision
 *               entropy. The estimate compares all pairs; the interval takes the
 *               pairs (1st, 2nd), (3rd, 4th), ... which are independent, and so
 *               holds for every distribution.
 *   guess       How often can the best single guess be right? That is the
 *               min-entropy, the least of all entropies. The most frequent value
 *               bounds it from below, for every distribution; but with n draws
 *               the bound cannot exceed about log2(n) - 2.2 bits, whatever they
 *               are: who sees few launches cannot exclude a favourite place.
 *
 * All intervals are exact in the sense of Clopper and Pearson: they cover the
 * truth at least as often as stated, at every sample size.
 */
#ifndef MODEL_ENTROPY_H
#define MODEL_ENTROPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The rate at which intervals and bounds cover the truth. */
#define VT_ENTROPY_CONFIDENCE 0.95

/* A sample is called uneven if even draws would look as odd less often than this. */
#define VT_ENTROPY_ODD 0.001

/* How the headline estimate was come by. Names: vt_entropy_method_name(). */
enum vt_entropy_method {
    VT_ENTROPY_NONE,       /* fewer than two draws: nothing is known */
    VT_ENTROPY_FIXED,      /* all draws are alike */
    VT_ENTROPY_RANGE,      /* even, as far as can be seen: the number of places */
    VT_ENTROPY_COLLISIONS, /* uneven, and some draws agree: the collision entropy */
    VT_ENTROPY_BOUNDS,     /* uneven, and no two draws agree: bounds alone, no estimate */
};
const char *vt_entropy_method_name(enum vt_entropy_method method); /* "range", ... */

/* In bits. high is INFINITY where the sample sets no limit. */
struct vt_entropy_interval {
    double estimate; /* NAN where there is none */
    double low;
    double high;
};

/* What one sample tells. */
struct vt_entropy {
    size_t count;    /* draws */
    uint64_t lowest; /* 0 without draws, as are all that follow */
    uint64_t highest;
    size_t distinct;   /* different values; so many places there are, for certain */
    size_t most_often; /* how often the most frequent value came */
    uint64_t moved;    /* the bits that were not alike in all draws */
    uint64_t step;     /* the value of the lowest of these; 0 where nothing moved */
    size_t set[64];    /* how many draws had bit i set */

    uint64_t pairs;       /* count * (count - 1) / 2 */
    uint64_t equal_pairs; /* of these, alike */

    struct vt_entropy_interval range;      /* log2 of the number of places */
    struct vt_entropy_interval collisions; /* collision entropy */
    double guess;                          /* lower bound of the min-entropy */
    double guess_chance;                   /* the same as a chance: 2^-guess, at most 1 */

    bool even;              /* none of the tests below calls the sample odd */
    double even_spread;     /* chance of an even sample to be spread at least as unevenly */
    double even_collisions; /* to collide at least as often */
    double even_bits;       /* to have a bit that is as unlike a fair coin */
    uint64_t odd_bits;      /* bits that should be fair coins in an even sample, and are not */

    enum vt_entropy_method method;
    struct vt_entropy_interval bits; /* the headline, by that method */
};

/*
 * Judge `count` draws, in the order in which they were made; they are sorted
 * on return.
 */
void vt_entropy_judge(uint64_t *draws, size_t count, struct vt_entropy *entropy);

#endif
