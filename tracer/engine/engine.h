/*
 * engine.h - stops of traced threads, one at a time. The only layer that knows
 * ptrace(2); what is above sees stops, reads memory and resumes.
 *
 * A stop holds its thread until it is resumed. The engine resumes by itself
 * what nobody above needs to see (a parent's fork event, a group-stop, an
 * interrupt), and follows every child and thread.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "engine/arch.h"
#include "model/registers.h"
#include <vastrace/error.h>

struct vt_engine;

/* One traced thread. Valid until the first wait after its GONE stop. */
struct vt_tracee {
    pid_t tid;
    pid_t pid;    /* thread group */
    pid_t parent; /* of the process, when it was first seen; 0 not known */
    void *user;   /* the caller's, null at first */
};

enum vt_stop_type {
    VT_STOP_START,  /* the first stop of a thread that has not run yet, or was attached to */
    VT_STOP_ENTRY,  /* before a system call */
    VT_STOP_RETURN, /* after one whose entry was resumed with VT_RESUME_TO_RETURN */
    VT_STOP_LATE,   /* after one whose entry was not seen (the attach came in its midst) */
    VT_STOP_EXEC,   /* a new address space is complete, nothing has run in it; the thread may
                       have another tracee record than before, with its `user` */
    VT_STOP_SIGNAL, /* a signal is about to be delivered; resuming delivers it */
    VT_STOP_GROUP,  /* stopped by a job-control signal; resuming leaves it so */
    VT_STOP_DYING,  /* about to exit; its memory is still there */
    VT_STOP_GONE,   /* ended and reaped: not to be resumed */
};

struct vt_stop {
    enum vt_stop_type type;
    struct vt_tracee *tracee;
    int64_t time_ns;  /* CLOCK_MONOTONIC, when the stop was noticed */
    int abi;          /* ENTRY: enum vt_abi, or -1 for an unknown architecture */
    uint64_t number;  /* ENTRY */
    uint64_t args[6]; /* ENTRY */
    int64_t result;   /* RETURN, LATE: the value, or -errno where `failed` */
    bool failed;
    vt_addr ip; /* 0 where not known */
    vt_addr sp;
    int signal;      /* SIGNAL, GROUP */
    int wait_status; /* GONE */
    bool missed;     /* START: the attach did not wait for it, so it may have changed the map */
    bool dying;      /* START: it is DYING as well; that will not be told */
    bool unseen;     /* GONE: there was no stop of it before; its pid may be 0, not known */
    bool no_process; /* GONE, unseen: nor of any thread of its process, and it is the last one */
    void *replaced;  /* EXEC, START, GONE: `user` of a record that another thread took, or null */
};

enum vt_resume {
    VT_RESUME_RUN,       /* to whatever comes next */
    VT_RESUME_TO_RETURN, /* from ENTRY: also stop when this call returns */
};

struct vt_launch {
    char *const *argv; /* null-terminated */
    bool no_aslr;
    bool filter;         /* stop only at the calls of the table, by a seccomp filter, which the
                            program cannot be detached from; else stop at every call */
    struct rlimit files; /* the program's RLIMIT_NOFILE; the tracer may have raised its own */
};

/* An engine without tracees. */
struct vt_engine *vt_engine_create(void); /* null when out of memory */
void vt_engine_destroy(struct vt_engine *engine);

/*
 * Start a program; its first stop will be EXEC. Fails with execve's errno if
 * it cannot be run (nothing is left behind), -EPERM if it cannot be traced. If
 * it was killed while the kernel loaded it, *wait_status says by which signal;
 * else that is 0.
 */
int vt_engine_launch(struct vt_engine *engine, const struct vt_launch *launch, pid_t *pid,
                     int *wait_status, struct vt_error *err);

/*
 * Seize a process with all its threads and bring them to a stop, as far as
 * they can be within a moment (a thread in the kernel may come later). Each
 * will have a START stop.
 */
int vt_engine_attach(struct vt_engine *engine, pid_t pid, struct vt_error *err);

/* Is there a thread of this process that ran on while the attach stopped the others? */
bool vt_engine_missed(const struct vt_engine *engine, pid_t pid);

/*
 * Wait for the next stop. Returns 0; 1 if a signal interrupted the wait (look
 * at what it was, and call again); 2 if no tracee is left; negative on failure:
 * then the tracees can only be left.
 *
 * `brief`: a signal will interrupt the wait within a moment, and threads wait for the return of a
 * call. Then a crowd of tracees is not all looked at each time, and what a stopped one of another
 * process does (it can only be killed) may be told that moment later.
 */
int vt_engine_wait(struct vt_engine *engine, bool brief, struct vt_stop *stop,
                   struct vt_error *err);

/* Let a thread go on from its stop. A thread that died meanwhile is no failure. */
void vt_engine_resume(struct vt_engine *engine, struct vt_tracee *tracee, enum vt_resume how);

/*
 * Leave all tracees, running or stopped as they would be without us. What is
 * not out of the kernel within a second or so is left to the end of the tracer
 * (the kernel then detaches by itself). A program with a filter is killed: without
 * a tracer its calls would fail.
 */
void vt_engine_detach(struct vt_engine *engine);

/*
 * Has the kernel ever refused what tracing cannot do without? Then vt_engine_wait()
 * fails with it, and this does, which is for after vt_engine_detach(). Else 0.
 */
int vt_engine_refused(const struct vt_engine *engine, struct vt_error *err);

/*
 * After vt_engine_detach(): wait for the end of the launched program, and leave
 * what could not be left before. 0; 1 if a signal interrupted
 * the wait, or the program has just ended and others are still to be left (call
 * again); negative if there is nothing to wait for.
 */
int vt_engine_await(struct vt_engine *engine);

/* Has the launched program ended, and how? It is reaped then, and its id may be another's. */
bool vt_engine_ended(const struct vt_engine *engine, int *wait_status);

/* The number of tracees. */
size_t vt_engine_count(const struct vt_engine *engine);

/* Copy memory of the tracee. Returns 0, or -errno if any byte could not be read. */
int vt_engine_read(const struct vt_tracee *tracee, vt_addr addr, void *to, size_t length);

/* What is to be delivered at a SIGNAL stop. 0 or -errno. */
int vt_engine_siginfo(const struct vt_tracee *tracee, siginfo_t *info);

/* As vt_engine_read, but as much as there is: how many bytes, from the first on, were read. */
size_t vt_engine_read_some(const struct vt_tracee *tracee, vt_addr addr, void *to, size_t length);

/* The registers of a thread at a stop. 0, or -errno (-ESRCH: it is dying). */
int vt_engine_registers(const struct vt_tracee *tracee, struct vt_registers *registers);

/*
 * At the ENTRY of clone or clone3: take CLONE_UNTRACED out of its flags, so
 * that the child cannot escape with a filter and without a tracer. What was
 * changed in the tracee is put back when the call returns, in parent and child.
 * Returns true if there was something to take out: then resume TO_RETURN.
 */
bool vt_engine_keep_child(struct vt_engine *engine, const struct vt_stop *stop);

/*
 * At the ENTRY of a seccomp(2) that may bring a filter with a listener: from now on stop at every
 * call. What such a filter hands to its listener, and that lets through, never comes to our own
 * filter's word. The other threads of process `pid` do so at once, though they run: this call, or a
 * later one with SECCOMP_FILTER_FLAG_TSYNC, may bring them under that filter.
 */
void vt_engine_stop_at_all(struct vt_engine *engine, pid_t pid);

/* Do two threads share their address space? 1 yes, 0 no, -errno: not to be known. */
int vt_engine_same_space(pid_t a, pid_t b);

#endif
