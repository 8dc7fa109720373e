/*
 * load.c - the programs that are measured: one kind of call, many times.
 *
 *     load mmap N | brk N | mprotect N | getppid N | deep N | regions COUNT N | threads COUNT N
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

static void *map(size_t size)
{
    void *p = mmap(NULL, size, RW, ANON, -1, 0);

    if (p == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return p;
}

static void map_and_unmap(long count)
{
    for (long i = 0; i < count; i++)
        munmap(map(8192), 8192);
}

static void move_break(long count)
{
    for (long i = 0; i < count; i++)
        if (sbrk(i % 2 ? -8192 : 8192) == (void *)-1)
            exit(1);
}

static void split(long count)
{
    char *p = map(16 * 4096);

    for (long i = 0; i < count; i++)
        mprotect(p + 4096 * (i % 8 * 2), 4096, i % 16 < 8 ? PROT_READ : RW);
}

static void call(long count)
{
    for (long i = 0; i < count; i++)
        syscall(SYS_getppid);
}

/* Sixteen frames that the compiler can neither join nor leave out. */
static __attribute__((noinline)) long frame(int levels, long count)
{
    volatile long keep = count;

    if (levels == 0)
        map_and_unmap(count);
    else
        keep += frame(levels - 1, count);
    return keep;
}

static void *worker(void *count)
{
    map_and_unmap(*(long *)count);
    return NULL;
}

static void threads(long workers, long count)
{
    pthread_t *ids = calloc((size_t)workers, sizeof(*ids));
    long each = count / workers;

    for (long i = 0; ids && i < workers; i++)
        if (pthread_create(&ids[i], NULL, worker, &each))
            exit(1);
    for (long i = 0; ids && i < workers; i++)
        pthread_join(ids[i], NULL);
    free(ids);
}

/* Regions that cannot become one, then calls beside them. */
static void regions(long wanted, long count)
{
    char *p = map((size_t)wanted * 4096);

    for (long i = 0; i < wanted; i += 2)
        mprotect(p + i * 4096, 4096, PROT_READ);
    map_and_unmap(count);
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    long first = argc > 2 ? atol(argv[2]) : 0, second = argc > 3 ? atol(argv[3]) : 0;

    if (!strcmp(what, "mmap"))
        map_and_unmap(first);
    else if (!strcmp(what, "brk"))
        move_break(first);
    else if (!strcmp(what, "mprotect"))
        split(first);
    else if (!strcmp(what, "getppid"))
        call(first);
    else if (!strcmp(what, "deep"))
        frame(16, first);
    else if (!strcmp(what, "regions") && second)
        regions(first, second);
    else if (!strcmp(what, "threads") && second)
        threads(first, second);
    else
        return fprintf(stderr, "usage: load WHAT N [M]\n"), 125;
    return 0;
}
