/*
 * nomem.h - makes a chosen allocation of the test program fail. Include it in
 * the one source file of a test: it defines malloc, calloc and realloc for the
 * whole program, in front of the C library's (or the sanitizer's) own.
 *
 *     nomem_after(3);     the fourth allocation from here fails, and all after it
 *     nomem_at(3);        or that one alone
 *     ... call ...
 *     nomem_never();
 */
#ifndef UNIT_NOMEM_H
#define UNIT_NOMEM_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

static bool nomem_armed;
static bool nomem_once;      /* one refusal is enough */
static size_t nomem_left;    /* allocations that are still granted */
static size_t nomem_refused; /* since nomem_after() */

static inline void nomem_after(size_t granted)
{
    nomem_left = granted;
    nomem_refused = 0;
    nomem_once = false;
    nomem_armed = true;
}

static inline void nomem_at(size_t granted)
{
    nomem_after(granted);
    nomem_once = true;
}

/* Returns how many allocations were refused. */
static inline size_t nomem_never(void)
{
    nomem_armed = false;
    return nomem_refused;
}

/* These run before a sanitizer is ready: their own accesses must not be checked. */
#define NOMEM_UNCHECKED __attribute__((no_sanitize("address", "undefined")))

NOMEM_UNCHECKED static bool nomem_refuses(void)
{
    if (!nomem_armed)
        return false;
    if (nomem_left) {
        nomem_left--;
        return false;
    }
    nomem_refused++;
    nomem_armed = !nomem_once;
    errno = ENOMEM;
    return true;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NOMEM_BEHIND(name) __interceptor_##name
#endif
#endif
#if !defined(NOMEM_BEHIND) && defined(__SANITIZE_ADDRESS__)
#define NOMEM_BEHIND(name) __interceptor_##name
#endif
#ifndef NOMEM_BEHIND
#define NOMEM_BEHIND(name) __libc_##name /* glibc exports these for such uses */
#endif

void *NOMEM_BEHIND(malloc)(size_t size);
void *NOMEM_BEHIND(calloc)(size_t count, size_t size);
void *NOMEM_BEHIND(realloc)(void *old, size_t size);

NOMEM_UNCHECKED void *malloc(size_t size)
{
    return nomem_refuses() ? NULL : NOMEM_BEHIND(malloc)(size);
}

NOMEM_UNCHECKED void *calloc(size_t count, size_t size)
{
    return nomem_refuses() ? NULL : NOMEM_BEHIND(calloc)(count, size);
}

NOMEM_UNCHECKED void *realloc(void *old, size_t size)
{
    return nomem_refuses() ? NULL : NOMEM_BEHIND(realloc)(old, size);
}

#endif
