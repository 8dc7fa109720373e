/*
 * inject.c - a library that is loaded before the C library and makes chosen
 * calls of a program fail, as inject.h's orders say.
 *
 * Invariants: a call that fails has done nothing, but for close(2), which has
 * closed, and for writes that are to be short; without orders every call is passed on. An allocation is passed on to
 * a sanitizer's function, where the program has one.
 *
 * libdw's own allocations do not fail: it ends the program by an assertion then
 * (elfutils' dynamicsizehash_concurrent.c), which is not ours to test.
 */
#include "inject.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static struct inject *orders;

static bool fails(enum inject_class class)
{
    if (!orders)
        return false;
    uint32_t number = __atomic_add_fetch(&orders->counts[class], 1, __ATOMIC_RELAXED);
    if (orders->class != (int32_t) class || number < orders->first || number > orders->last ||
        !orders->error)
        return false;
    __atomic_add_fetch(&orders->failed, 1, __ATOMIC_RELAXED);
    errno = orders->error;
    return true;
}

/* How much of `length` a write may write, where writes are to be short. */
static size_t cut(size_t length)
{
    if (!orders || orders->error || orders->class != INJECT_WRITE || length < 2 ||
        orders->counts[INJECT_WRITE] < orders->first)
        return length;
    __atomic_add_fetch(&orders->failed, 1, __ATOMIC_RELAXED);
    return length / 2;
}

/* ---- allocations ------------------------------------------------------------------ */

static uintptr_t spared_start, spared_end; /* libdw's code and data */

static int find_spared(struct dl_phdr_info *library, size_t size, void *context)
{
    (void)size, (void)context;
    if (!strstr(library->dlpi_name, "/libdw.so") && !strstr(library->dlpi_name, "/libdw-"))
        return 0;
    spared_start = library->dlpi_addr;
    for (int i = 0; i < library->dlpi_phnum; i++) {
        uintptr_t end = spared_start + library->dlpi_phdr[i].p_vaddr +
                        library->dlpi_phdr[i].p_memsz;
        if (library->dlpi_phdr[i].p_type == PT_LOAD && end > spared_end)
            spared_end = end;
    }
    return 1;
}

static bool is_spared(const void *caller)
{
    return (uintptr_t)caller >= spared_start && (uintptr_t)caller < spared_end;
}

/* Looked up by the loader, since dlsym(3) allocates. Only one of two is there. */
#define ALLOCATOR(type, name, parameters, arguments)                                               \
    __attribute__((weak)) type __interceptor_##name parameters;                                    \
    type __libc_##name parameters;                                                                 \
    type name parameters                                                                           \
    {                                                                                              \
        if (!is_spared(__builtin_return_address(0)) && fails(INJECT_MEMORY))                       \
            return NULL;                                                                           \
        return __interceptor_##name ? __interceptor_##name arguments : __libc_##name arguments;    \
    }

ALLOCATOR(void *, malloc, (size_t size), (size))
ALLOCATOR(void *, calloc, (size_t count, size_t size), (count, size))
ALLOCATOR(void *, realloc, (void *old, size_t size), (old, size))

/* ---- calls -------------------------------------------------------------------------- */

/* One call: `type name(parameters)`, which returns `failure` if it fails. */
#define CALLS(X)                                                                                   \
    X(WAIT, pid_t, waitpid, -1, (pid_t a, int *b, int c), (a, b, c))                               \
    X(MAP, void *, mmap, MAP_FAILED, (void *a, size_t b, int c, int d, int e, off_t f),            \
      (a, b, c, d, e, f))                                                                          \
    X(MAP, void *, mmap64, MAP_FAILED, (void *a, size_t b, int c, int d, int e, off64_t f),        \
      (a, b, c, d, e, f))                                                                          \
    X(OPEN, DIR *, opendir, NULL, (const char *a), (a))                                            \
    X(OPEN, int, memfd_create, -1, (const char *a, unsigned b), (a, b))                            \
    X(OPEN, FILE *, fopen, NULL, (const char *a, const char *b), (a, b))                           \
    X(DESCRIPTOR, int, sched_setaffinity, -1, (pid_t a, size_t b, const void *c), (a, b, c))       \
    X(READ, ssize_t, read, -1, (int a, void *b, size_t c), (a, b, c))                              \
    X(READ, ssize_t, pread, -1, (int a, void *b, size_t c, off_t d), (a, b, c, d))                 \
    X(READ, ssize_t, pread64, -1, (int a, void *b, size_t c, off64_t d), (a, b, c, d))             \
    X(READ, ssize_t, readlink, -1, (const char *a, char *b, size_t c), (a, b, c))                  \
    X(READ, struct dirent *, readdir, NULL, (DIR * a), (a))                                        \
    X(PEEK, ssize_t, process_vm_readv, -1,                                                         \
      (pid_t a, const struct iovec *b, unsigned long c, const struct iovec *d, unsigned long e,    \
       unsigned long f),                                                                           \
      (a, b, c, d, e, f))                                                                          \
    X(WRITE, ssize_t, write, -1, (int a, const void *b, size_t c), (a, b, cut(c)))                 \
    X(WRITE, ssize_t, pwrite, -1, (int a, const void *b, size_t c, off_t d), (a, b, cut(c), d))    \
    X(WRITE, ssize_t, pwrite64, -1, (int a, const void *b, size_t c, off64_t d),                   \
      (a, b, cut(c), d))                                                                           \
    X(WRITE, int, ftruncate, -1, (int a, off_t b), (a, b))                                         \
    X(WRITE, int, ftruncate64, -1, (int a, off64_t b), (a, b))                                     \
    X(SYNC, int, fsync, -1, (int a), (a))                                                          \
    X(SYNC, int, fdatasync, -1, (int a), (a))                                                      \
    X(STAT, int, stat, -1, (const char *a, void *b), (a, b))                                       \
    X(STAT, int, stat64, -1, (const char *a, void *b), (a, b))                                     \
    X(STAT, int, lstat64, -1, (const char *a, void *b), (a, b))                                    \
    X(STAT, int, fstat, -1, (int a, void *b), (a, b))                                              \
    X(STAT, int, fstat64, -1, (int a, void *b), (a, b))                                            \
    X(STAT, int, fstatfs, -1, (int a, void *b), (a, b))                                            \
    X(STAT, int, access, -1, (const char *a, int b), (a, b))                                       \
    X(STAT, off_t, lseek, -1, (int a, off_t b, int c), (a, b, c))                                  \
    X(PROCESS, pid_t, fork, -1, (void), ())                                                        \
    X(PROCESS, int, pipe2, -1, (int *a, int b), (a, b))                                            \
    X(PROCESS, int, kill, -1, (pid_t a, int b), (a, b))                                            \
    X(PROCESS, int, pthread_create, orders->error,                                                 \
      (pthread_t * a, const pthread_attr_t *b, void *(*c)(void *), void *d), (a, b, c, d))         \
    X(DESCRIPTOR, int, prlimit, -1, (pid_t a, int b, const struct rlimit *c, struct rlimit *d),    \
      (a, b, c, d))                                                                                \
    X(DESCRIPTOR, int, timer_create, -1, (clockid_t a, struct sigevent * b, timer_t * c),          \
      (a, b, c))                                                                                   \
    X(DESCRIPTOR, int, poll, -1, (struct pollfd * a, nfds_t b, int c), (a, b, c))                  \
    X(SYSCALL, int, personality, -1, (unsigned long a), (a))

/* Calls of which the last arguments are there or not: all are passed on, the rest is noise. */
#define VARIADIC_CALLS(X)                                                                          \
    X(OPEN, int, open, const char *)                                                               \
    X(OPEN, int, open64, const char *)                                                             \
    X(OPEN, int, openat, int)                                                                      \
    X(IOCTL, int, ioctl, int)                                                                      \
    X(DESCRIPTOR, int, fcntl, int)                                                                 \
    X(DESCRIPTOR, int, fcntl64, int)                                                               \
    X(MAP, void *, mremap, void *)                                                                 \
    X(SYSCALL, int, prctl, int)                                                                    \
    X(SYSCALL, long, syscall, long)

/* Under other names to the compiler, so that they need not look as in the headers. */
#define DECLARE(class, type, name, failure, parameters, arguments)                                 \
    type our_##name parameters __asm__(#name);                                                     \
    static type(*real_##name) parameters;
#define DECLARE_VARIADIC(class, type, name, first)                                                 \
    type our_##name(first a, long b, long c, long d, long e, long f, long g) __asm__(#name);       \
    static type (*real_##name)(first, long, long, long, long, long, long);
CALLS(DECLARE)
VARIADIC_CALLS(DECLARE_VARIADIC)
int our_close(int fd) __asm__("close");
static int (*real_close)(int);
long our_ptrace(int a, long b, long c, long d) __asm__("ptrace");
static long (*real_ptrace)(int, long, long, long);

static void find(void *function, const char *name)
{
    void **at = function, *found = *at ? *at : dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    *at = found;
}

#define DEFINE(class, type, name, failure, parameters, arguments)                                  \
    type our_##name parameters                                                                     \
    {                                                                                              \
        if (fails(INJECT_##class))                                                                 \
            return failure;                                                                        \
        find(&real_##name, #name);                                                                 \
        return real_##name arguments;                                                              \
    }
CALLS(DEFINE)

#define DEFINE_VARIADIC(class, type, name, first)                                                  \
    type our_##name(first a, long b, long c, long d, long e, long f, long g)                       \
    {                                                                                              \
        if (fails(INJECT_##class))                                                                 \
            return (type)-1;                                                                       \
        find(&real_##name, #name);                                                                 \
        return real_##name(a, b, c, d, e, f, g);                                                   \
    }
VARIADIC_CALLS(DEFINE_VARIADIC)

/* Requests of the tracer by class; others pass. */
long our_ptrace(int a, long b, long c, long d)
{
    static const struct {
        int request;
        enum inject_class class;
    } requests[] = {
        {PTRACE_SEIZE, INJECT_SEIZE},         {PTRACE_INTERRUPT, INJECT_INTERRUPT},
        {PTRACE_CONT, INJECT_RESUME},         {PTRACE_SYSCALL, INJECT_RESUME},
        {PTRACE_LISTEN, INJECT_RESUME},       {PTRACE_DETACH, INJECT_DETACH},
        {PTRACE_GETEVENTMSG, INJECT_MESSAGE}, {PTRACE_GET_SYSCALL_INFO, INJECT_CALL},
        {PTRACE_GETREGSET, INJECT_REGISTERS}, {PTRACE_GETSIGINFO, INJECT_REGISTERS},
        {PTRACE_POKEDATA, INJECT_POKE},       {PTRACE_POKEUSER, INJECT_POKE},
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
        if (requests[i].request == a && fails(requests[i].class))
            return -1;
    find(&real_ptrace, "ptrace");
    return real_ptrace(a, b, c, d);
}

/* As on a network file system: closed, but what was written before has been lost. */
int our_close(int fd)
{
    find(&real_close, "close");
    bool failed = fails(INJECT_SYNC);
    int result = real_close(fd);
    if (failed)
        errno = orders->error;
    return failed ? -1 : result;
}

/* ---- orders ---------------------------------------------------------------------------- */

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv(INJECT_VARIABLE);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *shared = MAP_FAILED;

#define FIND(class, type, name, failure, parameters, arguments) find(&real_##name, #name);
#define FIND_VARIADIC(class, type, name, first)                 find(&real_##name, #name);
    CALLS(FIND)
    VARIADIC_CALLS(FIND_VARIADIC)
    find(&real_close, "close");
    find(&real_ptrace, "ptrace");
    dl_iterate_phdr(find_spared, NULL);
    unsetenv("LD_PRELOAD");
    unsetenv(INJECT_VARIABLE);
    if (fd >= 0)
        shared = mmap(NULL, sizeof(*orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    if (shared == MAP_FAILED)
        abort(); /* a test that could not fail */
    orders = shared;
}
