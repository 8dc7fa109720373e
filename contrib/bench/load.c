/*
 * load.c - the programs that are measured: one kind of call, CALLS times.
 *
 *     load mmap CALLS | brk CALLS | mprotect CALLS | getppid CALLS | deep CALLS
 *     load regions COUNT CALLS | threads COUNT CALLS | processes COUNT CALLS
 *     load crew COUNT CALLS | herd COUNT CALLS
 *
 * A crew are threads and a herd are processes that are all there before the first call and until
 * after the last one.
 *
 * Its preparations and its end are no part of what is measured. When it is ready, and the tracer
 * has come to rest, it reads a byte of standard input (or its end); it prints a line of this form
 * then, and one that begins with "end" when the calls are made and the tracer has come to rest
 * after them:
 *
 *     begin NS CPU PARENT CPU
 *
 * the monotonic time (of the last call, not of the rest), the processor time in nanoseconds that
 * the load and its children have used, its parent's process id, and what that has used. The parent
 * is the tracer, where there is one.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
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

/* Until this clock of a process's work stands still: what it had to do by then is done. */
static void await_rest(clockid_t clock)
{
    const struct timespec moment = {0, 60 * 1000 * 1000};
    long long before, after = now(clock);

    do {
        before = after;
        nanosleep(&moment, NULL);
        after = now(clock);
    } while (after - before > 1000 * 1000);
}

/* What this process has used, and its children: those that have ended and those that live. */
static long long used(const pid_t *living, long count)
{
    struct rusage ended;
    long long sum = now(CLOCK_PROCESS_CPUTIME_ID);
    clockid_t clock;

    getrusage(RUSAGE_CHILDREN, &ended);
    sum += (ended.ru_utime.tv_sec + ended.ru_stime.tv_sec) * 1000000000LL +
           (ended.ru_utime.tv_usec + ended.ru_stime.tv_usec) * 1000LL;
    for (long i = 0; i < count; i++)
        if (!clock_getcpuclockid(living[i], &clock))
            sum += now(clock);
    return sum;
}

static void say(const char *what, const pid_t *living, long count)
{
    long long time = now(CLOCK_MONOTONIC), mine;
    pid_t parent = getppid();
    clockid_t clock;
    char byte;

    if (clock_getcpuclockid(parent, &clock))
        fail("clock_getcpuclockid");
    mine = used(living, count);
    if (!strcmp(what, "begin")) /* what a tracer reads at its first events only: names of frames */
        map_and_unmap(2);
    await_rest(clock);
    if (!strcmp(what, "begin")) {
        if (read(STDIN_FILENO, &byte, 1) < 0)
            fail("read");
        time = now(CLOCK_MONOTONIC);
        mine = used(living, count);
    }
    dprintf(STDOUT_FILENO, "%s %lld %lld %d %lld\n", what, time, mine, (int)parent, now(clock));
}

static void begin(void)
{
    say("begin", NULL, 0);
}

static void end(void)
{
    say("end", NULL, 0);
}

static void tight_loop(long count, long calls)
{
    (void)count;
    begin();
    map_and_unmap(calls);
    end();
}

static void move_break(long count, long calls)
{
    (void)count;
    sbrk(0);
    begin();
    for (long i = 0; i < calls; i++)
        if (sbrk(i % 2 ? -2L * PAGE : 2L * PAGE) == (void *)-1)
            fail("sbrk");
    end();
}

/* Eight pages of sixteen are split off one after the other, and then made part of it again. */
static void split(long count, long calls)
{
    char *at = map(16L * PAGE);

    (void)count;
    begin();
    for (long i = 0; i < calls; i++)
        if (mprotect(at + PAGE * (i % 8 * 2), PAGE, i % 16 < 8 ? PROT_READ : RW))
            fail("mprotect");
    end();
}

static void no_memory_call(long count, long calls)
{
    (void)count;
    begin();
    for (long i = 0; i < calls; i++)
        syscall(SYS_getppid);
    end();
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

static void deep(long count, long calls)
{
    (void)count;
    begin();
    frame(16, calls);
    end();
}

/* Beside regions that cannot become one. */
static void beside_regions(long count, long calls)
{
    char *p = map((size_t)count * PAGE);

    for (long i = 0; i < count; i += 2)
        if (mprotect(p + i * PAGE, PAGE, PROT_READ))
            fail("mprotect");
    begin();
    map_and_unmap(calls);
    end();
}

struct gang {
    long calls;  /* of each */
    int ready;   /* read as ended when all may make their calls; -1: at once */
    int over;    /* read as ended when all may end; or -1 */
    int reports; /* where each says that its calls are made, if it does not end then */
};

static void await(int gate)
{
    char byte;

    if (gate >= 0 && read(gate, &byte, 1) < 0)
        fail("read");
}

static void *work(void *opaque)
{
    const struct gang *gang = opaque;

    await(gang->ready);
    map_and_unmap(gang->calls);
    if (gang->over >= 0 && write(gang->reports, "", 1) != 1)
        fail("write");
    await(gang->over);
    return NULL;
}

static void start_threads(pthread_t *ids, long count, struct gang *gang)
{
    for (long i = 0; i < count; i++)
        if ((errno = pthread_create(&ids[i], NULL, work, gang)))
            fail("pthread_create");
}

static void start_processes(pid_t *ids, long count, struct gang *gang, int lock, int last_lock)
{
    for (long i = 0; i < count; i++) {
        ids[i] = fork();
        if (ids[i] < 0)
            fail("fork");
        if (ids[i] == 0) {
            close(lock);
            close(last_lock);
            work(gang);
            _exit(0);
        }
    }
}

/* So many threads or processes share the calls; all are there before, and until after, or not. */
static void share(long count, long calls, bool processes, bool together)
{
    pthread_t *threads = calloc((size_t)count, sizeof(*threads));
    pid_t *children = calloc((size_t)count, sizeof(*children));
    long living = processes ? count : 0;
    int ready[2], over[2], reports[2];
    char byte;

    if (!threads || !children || pipe(ready) || pipe(over) || pipe(reports))
        fail("pipe");
    struct gang gang = {calls / count, -1, -1, reports[1]};
    if (together) {
        gang.ready = ready[0];
        gang.over = over[0];
    } else {
        begin();
    }
    if (processes)
        start_processes(children, count, &gang, ready[1], over[1]);
    else
        start_threads(threads, count, &gang);
    if (together) {
        say("begin", children, living);
        close(ready[1]);
        for (long i = 0; i < count; i++)
            if (read(reports[0], &byte, 1) != 1)
                fail("read");
        say("end", children, living);
        close(over[1]);
    }
    for (long i = 0; i < count; i++)
        if (processes ? wait(NULL) < 0 : pthread_join(threads[i], NULL))
            fail("wait");
    if (!together)
        end();
    free(threads);
    free(children);
}

static void threads(long count, long calls)
{
    share(count, calls, false, false);
}

static void crew(long count, long calls)
{
    share(count, calls, false, true);
}

static void processes(long count, long calls)
{
    share(count, calls, true, false);
}

static void herd(long count, long calls)
{
    share(count, calls, true, true);
}

static const struct {
    const char *name;
    bool counted; /* a COUNT comes before the CALLS */
    void (*run)(long count, long calls);
} loads[] = {
    {"mmap", false, tight_loop},    {"brk", false, move_break},
    {"mprotect", false, split},     {"getppid", false, no_memory_call},
    {"deep", false, deep},          {"regions", true, beside_regions},
    {"threads", true, threads},     {"crew", true, crew},
    {"processes", true, processes}, {"herd", true, herd},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 2 && i < sizeof(loads) / sizeof(loads[0]); i++) {
        if (strcmp(argv[1], loads[i].name) || argc != 3 + loads[i].counted)
            continue;
        long count = loads[i].counted ? strtol(argv[2], NULL, 10) : 1;
        if (count < 1)
            break;
        loads[i].run(count, strtol(argv[argc - 1], NULL, 10));
        return 0;
    }
    fprintf(stderr, "usage: load WHAT [COUNT] CALLS\n");
    return 125;
}
