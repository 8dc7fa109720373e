/*
 * base.h - small things that every layer needs and that know nothing of tracing.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VT_COUNTOF(array) (sizeof(array) / sizeof((array)[0]))

static inline uint64_t vt_round_down(uint64_t value, uint64_t unit) /* unit: a power of two */
{
    return value & ~(unit - 1);
}

/* Rounds up; a value too near 2^64 gives the largest multiple of unit, not 0. */
static inline uint64_t vt_round_up(uint64_t value, uint64_t unit)
{
    return value > UINT64_MAX - (unit - 1) ? vt_round_down(UINT64_MAX, unit)
                                           : vt_round_down(value + unit - 1, unit);
}

static inline uint64_t vt_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t vt_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t vt_clock_ns(void);

/*
 * Let this process have as many descriptors as it may: RLIMIT_NOFILE's soft limit becomes the hard
 * one. *before: what they were, to be set again; may be null.
 */
struct rlimit;
void vt_raise_file_limit(struct rlimit *before);

/*
 * Grow an array so that it holds at least `need` items of `size` bytes;
 * *capacity is in items. Returns 0 or -ENOMEM (then nothing has changed).
 */
int vt_reserve(void **items, size_t *capacity, size_t need, size_t size);

#endif
