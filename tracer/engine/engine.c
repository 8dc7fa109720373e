/*
 * engine.c - hides ptrace(2) and wait(2): how statuses become stops, and how
 * each kind of stop is resumed.
 *
 * Invariants: every tracee is in the table from its first status to its GONE;
 * a wait status is interpreted in classify() and nowhere else; a request that
 * finds its tracee dead (ESRCH) is no failure, since the report of the death
 * follows; a tracee that is `stopped` waits for vt_engine_resume().
 */
#include "engine/engine.h"

#include <elf.h>
#include <errno.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "engine/proc.h"
#include "engine/spawn.h"

/* What was changed in a tracee for the length of one call. */
struct patch {
    bool active;
    bool in_memory; /* else in the register of the first argument */
    unsigned long where;
    unsigned long original;
    unsigned long patched;
};

struct entry {
    struct vt_tracee tracee; /* first, so that a tracee is its entry */
    struct entry *next;      /* in its bucket */
    struct entry *next_running;
    struct entry **running_at; /* where that list points to it; null: stopped */
    bool started;              /* its START has been told */
    bool child;                /* it came with its creator, and was not attached to */
    bool known;                /* a thread of its process has started, now or before */
    bool stopped;              /* changed by set_stopped() alone */
    bool in_call;              /* resumed TO_RETURN; its RETURN is to come */
    bool entered;              /* its ENTRY came before its filter was asked */
    bool drop_return;          /* the next return is of no interest (of the exec that was told) */
    bool fresh_attach;         /* attached, and no call has been seen from its entry on */
    bool missed;               /* attached, and not stopped when the others of its process were */
    bool group_stopped;        /* to be left stopped by the next resume (PTRACE_LISTEN) */
    int signal;                /* to be delivered by the next resume */
    struct patch patch;
};

struct ready {
    pid_t tid;
    int status;
};

/*
 * The kernel looks for a status from the same end of its list each time, and passes over those that
 * are stopped by taking a lock of each. So the ones at that end, if they are busy, keep the others
 * waiting unless all that are ready are now and then taken before any is let go; and doing so each
 * time would cost the square of their number. This many waits a tracee lie between.
 */
#define FAIR 16

/* From so many tracees on a look at all of them costs more than one at each of a few. */
#define CROWD 16
#define FEW   4

#define BUCKETS 4096 /* more tracees than this merely share buckets */

struct vt_engine {
    struct entry *buckets[BUCKETS];
    size_t count;
    struct entry *running; /* as far as is known: those that are not stopped */
    size_t running_count;
    bool look_at_all; /* the next wait is for all tracees, not for a few */
    size_t waits;     /* since all that were ready were taken */
    size_t missed;
    size_t patched;
    bool filter;    /* there is a seccomp filter, which the program cannot live without us with */
    bool listeners; /* there may be filters by which calls never come to that one's word */
    pid_t launched; /* or 0 */
    bool ended;     /* the launched program; and how: */
    int end_status;
    struct ready *queue; /* statuses taken from the kernel and not told yet */
    size_t queue_head;
    size_t queue_count;
    size_t queue_capacity;
    struct entry *gone;      /* out of the table, valid until the next wait */
    bool held;               /* a thread could not be let go; the end of the tracer will do it */
    struct vt_error refused; /* the first request that failed though its thread lives; or empty */
};

#define TRACE_OPTIONS                                                                              \
    (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |       \
     PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT)

static long request(int what, pid_t tid, unsigned long addr, unsigned long data)
{
    return ptrace(what, tid, (void *)addr, (void *)data);
}

static const char *request_name(int what)
{
    switch (what) {
    case PTRACE_CONT:
        return "PTRACE_CONT";
    case PTRACE_SYSCALL:
        return "PTRACE_SYSCALL";
    case PTRACE_LISTEN:
        return "PTRACE_LISTEN";
    case PTRACE_INTERRUPT:
        return "PTRACE_INTERRUPT";
    case PTRACE_DETACH:
        return "PTRACE_DETACH";
    case PTRACE_GETEVENTMSG:
        return "PTRACE_GETEVENTMSG";
    case PTRACE_GET_SYSCALL_INFO:
        return "PTRACE_GET_SYSCALL_INFO, of Linux 5.3";
    default:
        return "PTRACE_POKE";
    }
}

/*
 * A request that fails only because its thread has died. Any other failure would leave a thread
 * stopped, or a stop untold: it is noted, and the next wait fails with it.
 */
static long insist(struct vt_engine *engine, int what, pid_t tid, unsigned long addr,
                   unsigned long data)
{
    long result = request(what, tid, addr, data);
    if (result >= 0)
        return result;
    int error = errno;
    if (error != ESRCH && !*engine->refused.text)
        vt_error_errno(&engine->refused, error,
                       "the kernel refuses to go on tracing thread %d (%s)", (int)tid,
                       request_name(what));
    errno = error;
    return result;
}

/* The next status of any tracee. This thread traces them all: the others need not be asked. */
static pid_t wait_any(int *status, int flags)
{
    return waitpid(-1, status, __WALL | __WNOTHREAD | flags);
}

/* ---- the table ----------------------------------------------------------- */

static struct entry **find(struct vt_engine *engine, pid_t tid)
{
    struct entry **at = &engine->buckets[(unsigned)tid % BUCKETS];
    while (*at && (*at)->tracee.tid != tid)
        at = &(*at)->next;
    return at;
}

static void set_stopped(struct vt_engine *engine, struct entry *e, bool stopped)
{
    e->stopped = stopped;
    if (stopped == !e->running_at)
        return;
    if (stopped) {
        *e->running_at = e->next_running;
        if (e->next_running)
            e->next_running->running_at = e->running_at;
        e->running_at = NULL;
        engine->running_count--;
    } else {
        e->next_running = engine->running;
        if (e->next_running)
            e->next_running->running_at = &e->next_running;
        e->running_at = &engine->running;
        engine->running = e;
        engine->running_count++;
    }
}

/* The launched program's end, at whatever time it comes. */
static void note_end(struct vt_engine *engine, pid_t tid, int status)
{
    if (engine->ended || tid != engine->launched || WIFSTOPPED(status))
        return;
    engine->ended = true;
    engine->end_status = status;
}

static struct entry *add(struct vt_engine *engine, pid_t tid)
{
    struct entry *e = calloc(1, sizeof(*e));
    if (!e)
        return NULL;
    e->tracee.tid = tid;
    struct entry **at = find(engine, tid);
    e->next = *at;
    *at = e;
    set_stopped(engine, e, false);
    engine->count++;
    return e;
}

/* Take a record out of the table; it is the caller's then. */
static void take_out(struct vt_engine *engine, struct entry *e)
{
    struct entry **at = find(engine, e->tracee.tid);
    *at = e->next;
    set_stopped(engine, e, true);
    engine->count--;
    engine->missed -= e->missed;
    engine->patched -= e->patch.active;
}

static void forget(struct vt_engine *engine, struct entry *e)
{
    take_out(engine, e);
    free(e);
}

struct vt_engine *vt_engine_create(void)
{
    return calloc(1, sizeof(struct vt_engine));
}

void vt_engine_destroy(struct vt_engine *engine)
{
    if (!engine)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (engine->buckets[i]) {
            struct entry *next = engine->buckets[i]->next;
            free(engine->buckets[i]);
            engine->buckets[i] = next;
        }
    }
    free(engine->gone);
    free(engine->queue);
    free(engine);
}

size_t vt_engine_count(const struct vt_engine *engine)
{
    return engine->count;
}

/* ---- memory and relations ------------------------------------------------ */

int vt_engine_read(const struct vt_tracee *tracee, vt_addr addr, void *to, size_t length)
{
    struct iovec local = {to, length};
    struct iovec remote = {(void *)(uintptr_t)addr, length};
    ssize_t n = process_vm_readv(tracee->tid, &local, 1, &remote, 1, 0);
    if (n < 0)
        return -errno;
    return (size_t)n == length ? 0 : -EFAULT;
}

int vt_engine_siginfo(const struct vt_tracee *tracee, siginfo_t *info)
{
    return request(PTRACE_GETSIGINFO, tracee->tid, 0, (unsigned long)info) ? -errno : 0;
}

size_t vt_engine_read_some(const struct vt_tracee *tracee, vt_addr addr, void *to, size_t length)
{
    struct iovec local = {to, length};
    struct iovec remote = {(void *)(uintptr_t)addr, length};
    ssize_t n = process_vm_readv(tracee->tid, &local, 1, &remote, 1, 0);
    return n > 0 ? (size_t)n : 0;
}

int vt_engine_registers(const struct vt_tracee *tracee, struct vt_registers *registers)
{
    uint64_t words[32]; /* more than any architecture's set here */
    struct iovec set = {words, sizeof(words)};
    if (request(PTRACE_GETREGSET, tracee->tid, NT_PRSTATUS, (unsigned long)&set))
        return -errno;
    return vt_arch_registers(words, set.iov_len, registers) ? 0 : -ENOTSUP;
}

int vt_engine_same_space(pid_t a, pid_t b)
{
    long rc = syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0);
    return rc < 0 ? -errno : rc == 0;
}

static void write_patch(struct vt_engine *engine, pid_t tid, const struct patch *patch,
                        unsigned long value)
{
    if (patch->in_memory && value == patch->original) /* another thread may have unmapped it */
        request(PTRACE_POKEDATA, tid, patch->where, value);
    else
        insist(engine, patch->in_memory ? PTRACE_POKEDATA : PTRACE_POKEUSER, tid, patch->where,
               value);
}

bool vt_engine_keep_child(struct vt_engine *engine, const struct vt_stop *stop)
{
    struct entry *e = (struct entry *)stop->tracee;
    const struct vt_syscall *call = vt_arch_syscall((enum vt_abi)stop->abi, stop->number);
    struct patch patch = {.in_memory = !strcmp(call->name, "clone3")};
    uint64_t flags = stop->args[0];

    if (patch.in_memory && vt_engine_read(stop->tracee, stop->args[0], &flags, sizeof(flags)))
        return false; /* clone3 will fail with EFAULT by itself */
    if (!(flags & CLONE_UNTRACED))
        return false;
    patch.where = patch.in_memory ? stop->args[0]
                                  : vt_arch_first_arg_offset((enum vt_abi)stop->abi);
    patch.original = flags;
    patch.patched = flags & ~(uint64_t)CLONE_UNTRACED;
    patch.active = true;
    write_patch(engine, e->tracee.tid, &patch, patch.patched);
    engine->patched += !e->patch.active;
    e->patch = patch;
    return true;
}

/* Put back what was changed for a call, in the caller itself. */
static void undo_patch(struct vt_engine *engine, struct entry *e)
{
    if (!e->patch.active)
        return;
    write_patch(engine, e->tracee.tid, &e->patch, e->patch.original);
    e->patch.active = false;
    engine->patched--;
}

/* Do stops come at every call, and not from the filter alone? */
static bool stops_at_all(const struct vt_engine *engine)
{
    return !engine->filter || engine->listeners;
}

void vt_engine_stop_at_all(struct vt_engine *engine, pid_t pid)
{
    engine->listeners = true;
    for (const struct entry *e = engine->running; e; e = e->next_running)
        if (e->tracee.pid == pid)
            request(PTRACE_INTERRUPT, e->tracee.tid, 0, 0);
}

/* A child begins with a copy of what was changed in its creator. */
static void undo_inherited_patch(struct vt_engine *engine, const struct entry *child)
{
    for (size_t i = 0; i < BUCKETS && engine->patched; i++) {
        for (struct entry *e = engine->buckets[i]; e; e = e->next) {
            if (!e->patch.active ||
                (e->tracee.pid != child->tracee.pid && e->tracee.pid != child->tracee.parent))
                continue;
            write_patch(engine, child->tracee.tid, &e->patch, e->patch.original);
            return;
        }
    }
}

/* ---- starting and attaching ---------------------------------------------- */

int vt_engine_launch(struct vt_engine *engine, const struct vt_launch *launch, pid_t *pid,
                     int *wait_status, struct vt_error *err)
{
    *wait_status = 0;
    struct vt_spawn spawn;
    int rc = vt_proc_check(err);
    if (rc)
        return rc;
    rc = vt_spawn_begin(&spawn, launch, err);
    if (rc)
        return rc;
    engine->filter = launch->filter;
    /* A filter outlives its tracer and then makes calls fail: such a program dies with us. */
    unsigned long options = TRACE_OPTIONS | PTRACE_O_EXITKILL;
    if (engine->filter)
        options |= PTRACE_O_TRACESECCOMP;
    if (request(PTRACE_SEIZE, spawn.pid, 0, options)) {
        int error = errno, status;
        if (waitpid(spawn.pid, &status, __WALL | WNOHANG) == spawn.pid) { /* killed already */
            *wait_status = WIFSIGNALED(status) ? status : 0;
            return vt_spawn_failure(&spawn, status, err);
        }
        vt_spawn_abort(&spawn);
        return vt_error_errno(err, error,
                              "cannot trace the new process (is ptrace forbidden here, "
                              "as in some containers?)");
    }
    struct entry *e = add(engine, spawn.pid);
    if (!e) {
        vt_spawn_abort(&spawn);
        return vt_error_errno(err, ENOMEM, "cannot start %s", launch->argv[0]);
    }
    e->tracee.pid = spawn.pid;
    e->tracee.parent = getpid();
    e->started = true;
    rc = vt_reserve((void **)&engine->queue, &engine->queue_capacity, 1, sizeof(*engine->queue));
    if (rc) {
        forget(engine, e);
        vt_spawn_abort(&spawn);
        return vt_error_errno(err, ENOMEM, "cannot start %s", launch->argv[0]);
    }
    rc = vt_spawn_release(&spawn, err);
    if (rc) {
        forget(engine, e);
        vt_spawn_abort(&spawn);
        return rc;
    }

    /* Run it through its own preparations; they are ours, not the program's. */
    for (;;) {
        int status = 0;
        pid_t got = waitpid(spawn.pid, &status, __WALL);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int error = errno;
            forget(engine, e);
            vt_spawn_abort(&spawn);
            return vt_error_errno(err, error, "cannot wait for %s", launch->argv[0]);
        }
        if (!WIFSTOPPED(status)) {
            forget(engine, e);
            *wait_status = WIFSIGNALED(status) ? status : 0;
            return vt_spawn_failure(&spawn, status, err);
        }
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
            engine->queue[0] = (struct ready){spawn.pid, status};
            engine->queue_head = 0;
            engine->queue_count = 1;
            vt_spawn_done(&spawn);
            *pid = engine->launched = spawn.pid;
            return 0;
        }
        int event = status >> 16;
        int signal = event ? 0 : WSTOPSIG(status);
        if (insist(engine, PTRACE_CONT, spawn.pid, 0, (unsigned long)signal) && errno != ESRCH) {
            forget(engine, e);
            vt_spawn_abort(&spawn);
            return vt_engine_refused(engine, err);
        }
    }
}

static int seize_error(pid_t pid, int error, struct vt_error *err)
{
    char why[256];
    vt_proc_why_not(pid, error, why, sizeof(why));
    return vt_error_set(err, error, "cannot attach to process %d: %s", (int)pid, why);
}

/* Seize the threads of pid that are not yet ours. Returns how many there were, or -errno. */
static int seize_new_threads(struct vt_engine *engine, pid_t pid, struct vt_error *err)
{
    pid_t *tids = NULL;
    size_t count = 0;
    int fresh = 0;
    int rc = vt_proc_threads(pid, &tids, &count);
    if (rc)
        return seize_error(pid, -rc, err);
    for (size_t i = 0; i < count; i++) {
        if (*find(engine, tids[i]))
            continue;
        if (request(PTRACE_SEIZE, tids[i], 0, TRACE_OPTIONS)) {
            /*
             * A thread that ended meanwhile, or a new one that came with its creator's option;
             * or a leader that has ended before its threads.
             */
            if (errno == ESRCH || (errno == EPERM && (tids[i] != pid || vt_proc_state(pid) == 'Z')))
                continue;
            rc = seize_error(pid, errno, err);
            break;
        }
        struct entry *e = add(engine, tids[i]);
        if (!e) {
            rc = vt_error_errno(err, ENOMEM, "cannot attach to process %d", (int)pid);
            break;
        }
        e->tracee.pid = pid;
        e->tracee.parent = vt_proc_parent(pid);
        e->fresh_attach = true;
        insist(engine, PTRACE_INTERRUPT, tids[i], 0, 0);
        fresh++;
    }
    free(tids);
    return rc ? rc : fresh;
}

/* Take what the kernel has ready, as far as there is room for it: the rest stays with the kernel. */
static size_t drain(struct vt_engine *engine)
{
    size_t taken = 0;
    if (engine->queue_head && engine->queue_head == engine->queue_count)
        engine->queue_head = engine->queue_count = 0;
    while (!vt_reserve((void **)&engine->queue, &engine->queue_capacity, engine->queue_count + 1,
                       sizeof(*engine->queue))) {
        struct ready *next = &engine->queue[engine->queue_count];
        next->tid = wait_any(&next->status, WNOHANG);
        if (next->tid <= 0)
            break;
        engine->queue_count++;
        taken++;
    }
    return taken;
}

/* Has it reported something that was not told yet? */
static bool is_queued(const struct vt_engine *engine, pid_t tid)
{
    for (size_t i = engine->queue_head; i < engine->queue_count; i++)
        if (engine->queue[i].tid == tid)
            return true;
    return false;
}

/* A thread of pid that is a tracee and is not `but`; null: there is none. */
static struct entry *other_thread(const struct vt_engine *engine, pid_t pid,
                                  const struct entry *but)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry *e = engine->buckets[i]; e; e = e->next)
            if (e->tracee.pid == pid && e != but)
                return e;
    return NULL;
}

static bool is_traced(const struct vt_engine *engine, pid_t pid)
{
    return other_thread(engine, pid, NULL);
}

/* The nearest thread of pid, from `e` on in its bucket, that has not reported its first stop. */
static struct entry *awaited(struct vt_engine *engine, struct entry *e, pid_t pid)
{
    while (e && (e->tracee.pid != pid || e->started || is_queued(engine, e->tracee.tid)))
        e = e->next;
    return e;
}

/* Threads of pid that have not reported their first stop, or only those that could run. */
static size_t outstanding(struct vt_engine *engine, pid_t pid, bool runnable)
{
    size_t count = 0;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct entry *e = awaited(engine, engine->buckets[i], pid); e;
             e = awaited(engine, e->next, pid))
            count += !runnable || vt_proc_state(e->tracee.tid) == 'R';
    return count;
}

/*
 * Until the threads of pid have stopped. One that is deep in the kernel (a
 * vfork parent) may not come for long: where nothing has moved for a while and
 * no thread waits for a processor, the rest comes later.
 */
static void await_threads(struct vt_engine *engine, pid_t pid)
{
    const int64_t while_ns = 100 * 1000 * 1000, most_ns = INT64_C(10) * 1000 * 1000 * 1000;
    int64_t begun = vt_clock_ns(), moved = begun;
    while (outstanding(engine, pid, false)) {
        int64_t now = vt_clock_ns();
        if (drain(engine) || (now - moved > while_ns && outstanding(engine, pid, true)))
            moved = now;
        else if (now - moved > while_ns)
            break;
        else
            usleep(200);
        if (now - begun > most_ns)
            break;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *e = awaited(engine, engine->buckets[i], pid); e;
             e = awaited(engine, e->next, pid)) {
            engine->missed += !e->missed;
            e->missed = true;
        }
    }
}

/*
 * What the process's own threads have to say is told before what its children
 * have: a vfork child that stopped first would pass for the owner of the space.
 */
static void tell_first(struct vt_engine *engine, pid_t pid)
{
    size_t to = engine->queue_head;
    for (size_t i = to; i < engine->queue_count; i++) {
        struct ready ready = engine->queue[i];
        const struct entry *e = *find(engine, ready.tid);
        if (!e || e->tracee.pid != pid)
            continue;
        memmove(&engine->queue[to + 1], &engine->queue[to], (i - to) * sizeof(ready));
        engine->queue[to++] = ready;
    }
}

bool vt_engine_missed(const struct vt_engine *engine, pid_t pid)
{
    for (size_t i = 0; i < BUCKETS && engine->missed; i++)
        for (const struct entry *e = engine->buckets[i]; e; e = e->next)
            if (e->missed && e->tracee.pid == pid)
                return true;
    return false;
}

int vt_engine_attach(struct vt_engine *engine, pid_t pid, struct vt_error *err)
{
    int fresh;
    int rc = vt_proc_check(err);
    if (rc)
        return rc;
    pid_t tgid = vt_proc_thread_group(pid);
    if (tgid > 0 && tgid != pid)
        return vt_error_set(err, EINVAL,
                            "cannot attach to %d: it is a thread of process %d, give that",
                            (int)pid, (int)tgid);
    if (is_traced(engine, pid))
        return vt_error_set(err, EINVAL, "cannot attach to process %d twice", (int)pid);
    /* New threads of seized ones are traced by the option; only then is the list complete. */
    do {
        fresh = seize_new_threads(engine, pid, err);
        if (fresh < 0)
            return fresh;
    } while (fresh);
    if (!is_traced(engine, pid))
        return seize_error(pid, ESRCH, err);
    await_threads(engine, pid);
    tell_first(engine, pid);
    return 0;
}

/* ---- stops --------------------------------------------------------------- */

/* A group-stop is over when SIGKILL comes: the thread's last stop is to be told yet. */
static bool has_left_group_stop(pid_t tid)
{
    siginfo_t info;
    return !request(PTRACE_GETSIGINFO, tid, 0, (unsigned long)&info) &&
           info.si_code >> 8 != PTRACE_EVENT_STOP;
}

static void cont(struct vt_engine *engine, struct entry *e)
{
    bool to_return = e->in_call || e->drop_return || stops_at_all(engine);
    int signal = e->signal;
    e->signal = 0;
    set_stopped(engine, e, false);
    int how = to_return ? PTRACE_SYSCALL : PTRACE_CONT;
    if (e->group_stopped) { /* stays stopped, and its going on will be reported */
        e->group_stopped = false;
        how = PTRACE_LISTEN;
        signal = 0;
        if (!request(how, e->tracee.tid, 0, 0) || has_left_group_stop(e->tracee.tid))
            return;
    }
    if (insist(engine, how, e->tracee.tid, 0, (unsigned long)signal) && errno != ESRCH) {
        set_stopped(engine, e, true); /* as it was, to be left so */
        e->signal = signal;
    }
}

void vt_engine_resume(struct vt_engine *engine, struct vt_tracee *tracee, enum vt_resume how)
{
    struct entry *e = (struct entry *)tracee;
    if (!e->stopped)
        return;
    if (how == VT_RESUME_TO_RETURN)
        e->in_call = true;
    cont(engine, e);
}

/* Registers at a stop of any kind; nothing is changed where they are not to be had. */
static void read_registers(struct vt_engine *engine, struct vt_stop *stop)
{
    struct __ptrace_syscall_info info;
    if (insist(engine, PTRACE_GET_SYSCALL_INFO, stop->tracee->tid, sizeof(info),
               (unsigned long)&info) > 0) {
        stop->ip = info.instruction_pointer;
        stop->sp = info.stack_pointer;
    }
}

/* A stop at a system call, by seccomp or PTRACE_SYSCALL. Returns false if it is not to be told. */
static bool classify_call(struct vt_engine *engine, struct entry *e, struct vt_stop *stop)
{
    struct __ptrace_syscall_info info;
    if (insist(engine, PTRACE_GET_SYSCALL_INFO, e->tracee.tid, sizeof(info),
               (unsigned long)&info) <= 0)
        return false;
    stop->ip = info.instruction_pointer;
    stop->sp = info.stack_pointer;
    if (info.op == PTRACE_SYSCALL_INFO_SECCOMP && info.seccomp.ret_data != VT_FILTER_MARK) {
        /* A filter of the program's own, for a tracer that it has not: the kernel says ENOSYS then. */
        insist(engine, PTRACE_POKEUSER, e->tracee.tid, vt_arch_number_offset(), -1UL);
        return false;
    }
    if (info.op == PTRACE_SYSCALL_INFO_SECCOMP && e->entered)
        return false; /* told already */
    e->entered = info.op == PTRACE_SYSCALL_INFO_ENTRY;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY || info.op == PTRACE_SYSCALL_INFO_SECCOMP) {
        /* Both begin with the number and the arguments. */
        stop->type = VT_STOP_ENTRY;
        stop->number = info.entry.nr;
        memcpy(stop->args, info.entry.args, sizeof(stop->args));
        stop->abi = vt_arch_abi(info.arch, stop->number);
        e->fresh_attach = e->in_call = e->drop_return = false;
        return true;
    }
    if (info.op != PTRACE_SYSCALL_INFO_EXIT) {
        /* Killed meanwhile: it is in its last stop, which is to be told yet. */
        set_stopped(engine, e, false);
        return false;
    }
    bool wanted = e->in_call;
    bool late = e->fresh_attach;
    e->in_call = e->fresh_attach = e->drop_return = false;
    undo_patch(engine, e);
    if (!wanted && !late)
        return false;
    stop->type = wanted ? VT_STOP_RETURN : VT_STOP_LATE;
    stop->result = info.exit.rval;
    stop->failed = info.exit.is_error;
    return true;
}

/* The thread `former` has become the leader: its record takes the leader's place. */
static void take_over(struct vt_engine *engine, struct entry **leader, pid_t former,
                      struct vt_stop *stop)
{
    struct entry *old = *leader, *thread = *find(engine, former);
    /* NOLINTNEXTLINE(*NullDereference): the leader stands in the table, as find() has it */
    if (!thread || former == old->tracee.tid)
        return;
    stop->replaced = old->tracee.user;
    void *user = thread->tracee.user;
    forget(engine, thread);
    /* The old leader's record goes on under its id, with the thread's state. */
    old->tracee.user = user;
    old->in_call = old->drop_return = old->entered = false;
    old->signal = 0;
}

/* Whose thread it is; false if that cannot be told. */
static bool identify(struct vt_engine *engine, struct entry *e)
{
    if (e->tracee.pid)
        return true;
    pid_t pid = vt_proc_thread_group(e->tracee.tid);
    if (pid < 0) {
        if (pid != -ESRCH && !*engine->refused.text)
            vt_error_errno(&engine->refused, pid, "cannot tell whose thread %d is",
                           (int)e->tracee.tid);
        return false;
    }
    e->tracee.pid = pid;
    e->tracee.parent = vt_proc_parent(e->tracee.tid);
    e->child = true;
    e->known = pid != e->tracee.tid; /* its creator has */
    return true;
}

/* The first of the threads that were attached to together speaks for all of them. */
static void know_process(struct vt_engine *engine, const struct entry *first)
{
    for (size_t i = 0; i < BUCKETS && !first->known; i++)
        for (struct entry *e = engine->buckets[i]; e; e = e->next)
            e->known |= e != first && e->tracee.pid == first->tracee.pid;
}

/* First word of a tracee. Returns false if it is not to be told. */
static bool begin(struct vt_engine *engine, struct entry *e, struct vt_stop *stop)
{
    if (!identify(engine, e))
        return false;
    if (e->child)
        undo_inherited_patch(engine, e);
    else
        know_process(engine, e);
    e->started = e->known = true;
    stop->missed = e->missed;
    engine->missed -= e->missed;
    e->missed = false;
    stop->type = VT_STOP_START;
    read_registers(engine, stop);
    return true;
}

/*
 * At a parent's event: its child is there from now on, before its first stop.
 * (Else the parent's end could leave no tracee, and the child would be left
 * behind.) It may have come and gone already, and its id may be another's.
 */
static void announce(struct vt_engine *engine, pid_t parent)
{
    unsigned long child = 0;
    struct entry *e;
    if (!insist(engine, PTRACE_GETEVENTMSG, parent, 0, (unsigned long)&child) && child &&
        !*find(engine, (pid_t)child) && vt_proc_tracer((pid_t)child) == getpid() &&
        (e = add(engine, (pid_t)child)))
        identify(engine, e); /* while it can be: it may be killed before it stops */
}

/*
 * What a wait status means. Returns true if it is a stop to be told; otherwise
 * the tracee has been resumed here, or is gone.
 */
static bool classify(struct vt_engine *engine, pid_t tid, int status, struct vt_stop *stop)
{
    struct entry **at = find(engine, tid);
    struct entry *e = *at;

    note_end(engine, tid, status);
    if (!WIFSTOPPED(status)) {             /* ended: there is nothing to resume */
        if (!e && !(e = add(engine, tid))) /* before its creator's word of it */
            return false;
        /* A leader is the last to go, unless it was another thread, killed in its exec. */
        struct entry *former = e->tracee.pid == tid ? other_thread(engine, tid, e) : NULL;
        if (former)
            take_over(engine, at, former->tracee.tid, stop);
        take_out(engine, e);
        free(engine->gone);
        engine->gone = e;
        stop->type = VT_STOP_GONE;
        stop->wait_status = status;
        stop->tracee = &e->tracee;
        stop->unseen = !e->started;
        stop->no_process = stop->unseen && !e->known &&
                           (!e->tracee.pid || !is_traced(engine, e->tracee.pid));
        return true;
    }
    if (!e && !(e = add(engine, tid))) {
        if (!*engine->refused.text)
            vt_error_errno(&engine->refused, ENOMEM, "cannot follow thread %d", (int)tid);
        return false;
    }
    stop->tracee = &e->tracee;
    set_stopped(engine, e, true);
    int event = status >> 16;
    int signal = WSTOPSIG(status);
    bool tell = false;

    bool group_stop = event == PTRACE_EVENT_STOP && signal != SIGTRAP;

    e->group_stopped = group_stop;
    if (!e->started) {
        /* The first word of it, whatever it is; mostly a PTRACE_EVENT_STOP. */
        unsigned long former = 0;
        if (event == PTRACE_EVENT_EXEC &&
            !insist(engine, PTRACE_GETEVENTMSG, tid, 0, (unsigned long)&former)) {
            take_over(engine, at, (pid_t)former, stop);
            stop->replaced = e->tracee.user;
            e->tracee.user = NULL;
        }
        if (!event && signal != (SIGTRAP | 0x80))
            e->signal = signal;
        tell = begin(engine, e, stop);
        stop->dying = event == PTRACE_EVENT_EXIT; /* killed before it had run */
    } else if (event == PTRACE_EVENT_SECCOMP || (!event && signal == (SIGTRAP | 0x80))) {
        /* Resumed by CONT, or by SYSCALL to reach the return. */
        tell = classify_call(engine, e, stop);
    } else if (event == PTRACE_EVENT_EXEC) {
        /* Inside execve: resumed on to its return. */
        unsigned long former = 0;
        insist(engine, PTRACE_GETEVENTMSG, tid, 0, (unsigned long)&former);
        take_over(engine, at, (pid_t)former, stop);
        e->in_call = false;
        e->drop_return = stops_at_all(engine);
        stop->type = VT_STOP_EXEC;
        read_registers(engine, stop);
        tell = true;
    } else if (event == PTRACE_EVENT_EXIT) {
        /* The last stop; resumed with CONT, no signal. */
        e->in_call = e->drop_return = false;
        stop->type = VT_STOP_DYING;
        read_registers(engine, stop);
        tell = true;
    } else if (group_stop) {
        /* Stopped by job control: resumed with LISTEN, which leaves it so. */
        stop->type = VT_STOP_GROUP;
        stop->signal = signal;
        tell = true;
    } else if (!event) {
        /* Signal delivery: resumed with that signal. */
        e->signal = signal;
        stop->type = VT_STOP_SIGNAL;
        stop->signal = signal;
        read_registers(engine, stop);
        tell = true;
    } else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
               event == PTRACE_EVENT_CLONE) {
        /* In the midst of the call: resumed as it was. */
        announce(engine, tid);
    } /* else an interrupt, a vfork's end, the end of a group-stop: just go on */
    if (!tell && e->stopped)
        cont(engine, e);
    return tell;
}

/*
 * In a crowd of which only a few threads of one process run: a status of one of these, without a look
 * at the others. Waits for the one that is in a call, since it is that on which the others depend.
 * 0: there is none to be had so. The death of one that is stopped is not noticed meanwhile.
 */
static pid_t wait_few(struct vt_engine *engine, int *status)
{
    const struct entry *caller = NULL;
    pid_t pid = engine->running ? engine->running->tracee.pid : 0;
    if (engine->count < CROWD || engine->running_count > FEW || engine->look_at_all)
        return 0;
    for (const struct entry *e = engine->running; e; e = e->next_running)
        if (e->tracee.pid != pid)
            return 0;
    for (const struct entry *e = engine->running; e; e = e->next_running) {
        if (e->in_call && !caller) {
            caller = e;
            continue;
        }
        pid_t tid = waitpid(e->tracee.tid, status, __WALL | WNOHANG);
        if (tid > 0)
            return tid;
        if (e->in_call) /* two of them: either may be the first */
            return 0;
    }
    return caller ? waitpid(caller->tracee.tid, status, __WALL) : 0;
}

int vt_engine_wait(struct vt_engine *engine, bool brief, struct vt_stop *stop, struct vt_error *err)
{
    for (;;) {
        struct ready next;
        int refused = vt_engine_refused(engine, err);
        if (refused)
            return refused;
        if (engine->queue_head < engine->queue_count) {
            next = engine->queue[engine->queue_head++];
        } else {
            if (!engine->count)
                return 2;
            next.tid = brief ? wait_few(engine, &next.status) : 0;
            engine->look_at_all = next.tid < 0;
            if (!next.tid || (next.tid < 0 && errno == ECHILD))
                next.tid = wait_any(&next.status, 0);
            if (next.tid < 0 && errno == EINTR)
                return 1;
            if (next.tid < 0 && errno == ECHILD)
                return 2;
            if (next.tid < 0)
                return vt_error_errno(err, errno, "cannot wait for the traced threads");
            engine->queue_head = engine->queue_count = 0;
            if (++engine->waits > FAIR * engine->count) {
                engine->waits = 0;
                drain(engine);
            }
        }
        *stop = (struct vt_stop){.time_ns = vt_clock_ns()};
        if (classify(engine, next.tid, next.status, stop))
            return 0;
    }
}

/* ---- leaving --------------------------------------------------------------- */

/* Leave a tracee that is in a stop. */
static void leave(struct vt_engine *engine, struct entry *e, int signal)
{
    undo_patch(engine, e);
    if (insist(engine, PTRACE_DETACH, e->tracee.tid, 0, (unsigned long)signal) && errno != ESRCH)
        engine->held = true;
    forget(engine, e);
}

/* A status that came while leaving: every stop is as good as any other. */
static void leave_at(struct vt_engine *engine, pid_t tid, int status)
{
    struct entry *e = *find(engine, tid);
    note_end(engine, tid, status);
    if (!WIFSTOPPED(status)) {
        if (e)
            forget(engine, e);
        return;
    }
    /* A child that came while we were leaving. */
    if (!e && !(e = add(engine, tid))) {
        request(PTRACE_DETACH, tid, 0, 0);
        return;
    }
    /* Only a signal that was about to be delivered is delivered: the rest is ptrace's own. */
    bool delivery = !(status >> 16) && WSTOPSIG(status) != (SIGTRAP | 0x80);
    leave(engine, e, delivery ? WSTOPSIG(status) : 0);
}

void vt_engine_detach(struct vt_engine *engine)
{
    /* Without a tracer its filter would make its calls fail. */
    for (size_t i = 0; i < BUCKETS && engine->filter; i++)
        for (const struct entry *e = engine->buckets[i]; e; e = e->next)
            kill(e->tracee.tid, SIGKILL);
    while (engine->queue_head < engine->queue_count) {
        struct ready next = engine->queue[engine->queue_head++];
        leave_at(engine, next.tid, next.status);
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *e = engine->buckets[i], *next; e; e = next) {
            next = e->next;
            if (e->stopped)
                leave(engine, e, e->signal);
            else
                request(PTRACE_INTERRUPT, e->tracee.tid, 0, 0);
        }
    }
    int64_t patience = vt_clock_ns() + 1000 * 1000 * 1000;
    while (engine->count) {
        int status;
        pid_t tid = wait_any(&status, WNOHANG);
        if (tid > 0)
            leave_at(engine, tid, status);
        else if (tid < 0 || vt_clock_ns() > patience)
            break;
        else
            usleep(100);
    }
}

int vt_engine_refused(const struct vt_engine *engine, struct vt_error *err)
{
    if (!*engine->refused.text)
        return 0;
    if (err)
        *err = engine->refused;
    return -engine->refused.errnum;
}

int vt_engine_await(struct vt_engine *engine)
{
    /* The end of the tracer would kill what is not left by then: see vt_engine_launch(). */
    while (!engine->held && (!engine->ended || engine->count)) {
        int status;
        pid_t tid = wait_any(&status, 0);
        if (tid < 0 && errno == EINTR)
            return 1;
        if (tid < 0)
            break;
        bool had_ended = engine->ended;
        leave_at(engine, tid, status);
        if (engine->ended && !had_ended && engine->count)
            return 1;
    }
    return engine->ended ? 0 : -ECHILD;
}

bool vt_engine_ended(const struct vt_engine *engine, int *wait_status)
{
    *wait_status = engine->end_status;
    return engine->ended;
}
