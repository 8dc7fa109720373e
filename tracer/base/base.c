/*
 * base.c - hides which clock is read and how arrays grow.
 */
#include "base/base.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

int64_t vt_clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists, the pointer is good */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int vt_reserve(void **items, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return 0;

    /* Doubling keeps appends cheap; a first allocation spares the steps 1, 2, 4. */
    size_t wanted = *capacity > SIZE_MAX / 2 ? need : *capacity * 2;
    if (wanted < need)
        wanted = need;
    if (wanted < 8)
        wanted = 8;

    size_t bytes;
    if (__builtin_mul_overflow(wanted, size, &bytes))
        return -ENOMEM;
    void *grown = realloc(*items, bytes);
    if (!grown)
        return -ENOMEM;
    *items = grown;
    *capacity = wanted;
    return 0;
}

void vt_raise_file_limit(struct rlimit *before)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (before)
        *before = limit;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}
