/*
 * load.c - the programs that are measured: one kind of call, CALLS times.
 *
 *     load mmap CALLS | brk CALLS | mprotect CALLS | getppid CALLS | deep CALLS
 *     load regions COUNT CALLS | threads COUNT CALLS | processes COUNT CALLS
 *
 * Its preparations are no part of what is measured: when they are done it reads a byte of standard
 * input (or its end), and then prints
 *
 *     begin NS SELF PARENT CPU
 *
 * the monotonic time, the processor time that it has used itself, its parent's process id and what
 * that has used, in nanoseconds. The parent is the tracer, where there is one.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static long long now(clockid_t clock)
{
    struct timespec t = {0, 0};

    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void begin(void)
{
    clockid_t parent;
    char byte;

    if (read(STDIN_FILENO, &byte, 1) < 0)
        fail("read");
    if (clock_getcpuclockid(getppid(), &parent))
        fail("clock_getcpuclockid");
    printf("begin %lld %lld %d %lld\n", now(CLOCK_MONOTONIC), now(CLOCK_PROCESS_CPUTIME_ID),
           (int)getppid(), now(parent));
    fflush(stdout);
}

static char *map(size_t size)
{
    void *p = mmap(NULL, size, RW, ANON, -1, 0);

    if (p == MAP_FAILED)
        fail("mmap");
    return p;
}

static void map_and_unmap(long calls)
{
    for (long i = 0; i < calls; i += 2)
        munmap(map(2L * PAGE), 2L * PAGE);
}

static void move_break(long calls)
{
    for (long i = 0; i < calls; i++)
        if (sbrk(i % 2 ? -2L * PAGE : 2L * PAGE) == (void *)-1)
            fail("sbrk");
}

/* Eight pages of sixteen are split off one after the other, and then made part of it again. */
static void split(char *at, long calls)
{
    for (long i = 0; i < calls; i++)
        if (mprotect(at + PAGE * (i % 8 * 2), PAGE, i % 16 < 8 ? PROT_READ : RW))
            fail("mprotect");
}

static void call(long calls)
{
    for (long i = 0; i < calls; i++)
        syscall(SYS_getppid);
}

/* Frames that the compiler can neither join nor leave out. */
static __attribute__((noinline)) long frame(int levels, long calls)
{
    volatile long keep = calls;

    if (levels == 0)
        map_and_unmap(calls);
    else
        keep += frame(levels - 1, calls);
    return keep;
}

/* Regions that cannot become one. */
static void make_regions(long wanted)
{
    char *p = map((size_t)wanted * PAGE);

    for (long i = 0; i < wanted; i += 2)
        if (mprotect(p + i * PAGE, PAGE, PROT_READ))
            fail("mprotect");
}

static void *worker(void *calls)
{
    map_and_unmap(*(long *)calls);
    return NULL;
}

static void threads(long workers, long calls)
{
    pthread_t *ids = calloc((size_t)workers, sizeof(*ids));
    long each = calls / workers;

    for (long i = 0; ids && i < workers; i++)
        if (pthread_create(&ids[i], NULL, worker, &each))
            fail("pthread_create");
    for (long i = 0; ids && i < workers; i++)
        pthread_join(ids[i], NULL);
    free(ids);
}

static void processes(long workers, long calls)
{
    for (long i = 0; i < workers; i++) {
        pid_t child = fork();

        if (child < 0)
            fail("fork");
        if (child == 0) {
            map_and_unmap(calls / workers);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        ;
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    long count = argc > 3 ? strtol(argv[2], NULL, 10) : 0;
    long calls = argc > 2 ? strtol(argv[argc - 1], NULL, 10) : 0;

    if (!strcmp(what, "mmap"))
        begin(), map_and_unmap(calls);
    else if (!strcmp(what, "brk"))
        sbrk(0), begin(), move_break(calls);
    else if (!strcmp(what, "mprotect")) {
        char *at = map(16L * PAGE);
        begin(), split(at, calls);
    } else if (!strcmp(what, "getppid"))
        begin(), call(calls);
    else if (!strcmp(what, "deep"))
        begin(), frame(16, calls);
    else if (!strcmp(what, "regions") && count > 0)
        make_regions(count), begin(), map_and_unmap(calls);
    else if (!strcmp(what, "threads") && count > 0)
        begin(), threads(count, calls);
    else if (!strcmp(what, "processes") && count > 0)
        begin(), processes(count, calls);
    else
        return fprintf(stderr, "usage: load WHAT [COUNT] CALLS\n"), 125;
    return 0;
}
