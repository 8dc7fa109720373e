/*
 * inject.h - orders to inject.c, which makes calls of a program fail: a file
 * that the test and the program map together.
 *
 * The program is the one that is shipped; inject.c comes before the C library
 * by LD_PRELOAD, and so it also sees the calls of SQLite, libelf and libdw.
 * What the program starts is not touched: the variables are taken out of its
 * environment.
 */
#ifndef INJECT_H
#define INJECT_H

#include <stdint.h>

/* Kinds of calls that are counted together. */
#define INJECT_CLASSES(X)                                                                          \
    X(SEIZE, "PTRACE_SEIZE")                                                                       \
    X(INTERRUPT, "PTRACE_INTERRUPT")                                                               \
    X(RESUME, "PTRACE_CONT, PTRACE_SYSCALL, PTRACE_LISTEN")                                        \
    X(DETACH, "PTRACE_DETACH")                                                                     \
    X(MESSAGE, "PTRACE_GETEVENTMSG")                                                               \
    X(CALL, "PTRACE_GET_SYSCALL_INFO")                                                             \
    X(REGISTERS, "PTRACE_GETREGSET, PTRACE_GETSIGINFO")                                            \
    X(POKE, "PTRACE_POKEDATA, PTRACE_POKEUSER")                                                    \
    X(WAIT, "waitpid")                                                                             \
    X(MEMORY, "malloc, calloc, realloc")                                                           \
    X(MAP, "mmap, mremap")                                                                         \
    X(OPEN, "open, openat, opendir, fopen, memfd_create")                                          \
    X(READ, "read, pread, readlink, readdir")                                                      \
    X(PEEK, "process_vm_readv")                                                                    \
    X(WRITE, "write, pwrite, ftruncate")                                                           \
    X(SYNC, "fsync, fdatasync, close")                                                             \
    X(STAT, "stat, lstat, fstat, fstatfs, access, lseek")                                          \
    X(IOCTL, "ioctl")                                                                              \
    X(PROCESS, "fork, pipe2, pthread_create, kill")                                                \
    X(DESCRIPTOR, "fcntl, prlimit, timer_create, poll, sched_setaffinity")                         \
    X(SYSCALL, "syscall (kcmp, seccomp), prctl, personality")

enum inject_class {
#define INJECT_NAME(name, text) INJECT_##name,
    INJECT_CLASSES(INJECT_NAME)
#undef INJECT_NAME
        INJECT_COUNT
};

/* Where the program finds its orders. */
#define INJECT_VARIABLE "VASTRACE_TEST_INJECT"

struct inject {
    int32_t class;                 /* which calls fail; negative: none, they are only counted */
    uint32_t first;                /* the first of them that fails, from 1 */
    uint32_t last;                 /* the last one */
    int32_t error;                 /* with this errno; 0: they write half of what they should */
    uint32_t failed;               /* how many did */
    uint32_t counts[INJECT_COUNT]; /* calls made so far, those that failed included */
};

#endif
