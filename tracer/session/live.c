/*
 * live.c - a session over an engine: what each stop means for the processes,
 * threads and spaces (tasks.h), whose turn it is (turns.h), and the events that
 * come of it.
 *
 * Invariants: a thread that waits for its turn is stopped at the entry of a call;
 * every other one is resumed when its stop has been handled.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/escape.h"
#include "engine/engine.h"
#include "engine/proc.h"
#include "engine/signals.h"
#include "session/emit.h"
#include "session/fault.h"
#include "session/totals.h"
#include "session/placement.h"
#include "session/stacks.h"
#include "session/tasks.h"

/* How long a memory call may keep the others of its space waiting. */
#define PATIENCE_NS (100 * 1000 * 1000)
/* While threads wait for their turn: after how long to look around, and every 10 ms from then on. */
#define BRIEF_NS (2 * 1000 * 1000)
/* How long output may stay in a buffer while the program runs. */
#define FLUSH_NS (50 * 1000 * 1000)
/* A signal again this long after a word that it will kill is meant so; some come twice at once. */
#define RETHINK_NS (1000 * 1000 * 1000)

struct live {
    const struct vt_session_config *config;
    struct vt_session_result *result;
    struct vt_engine *engine;
    struct vt_world world;
    struct vt_emitter emitter;
    struct vt_placement placement;
    struct vt_stacks *stacks; /* null: none are taken */
    struct vt_memory *memory;
    struct vt_tasks tasks;
    size_t waiting;    /* threads that wait for their turn */
    pid_t root;        /* launched, else 0 */
    bool filter;       /* what is traced cannot be left: it ends with the trace */
    bool stop;         /* leave what is traced and end */
    int64_t warned_ns; /* when it was said that a signal kills what cannot be left; 0: not yet */
    const char *interrupted;
    bool tstp;        /* a terminal stop reached us as well */
    int64_t start_ns; /* CLOCK_MONOTONIC at time 0 */
    int64_t now_ns;   /* of the stop at hand */
    int64_t end_ns;   /* --duration; 0: none */
    int64_t brief_ns; /* when to look around while threads wait for their turn */
    unsigned warned;
    struct rlimit files; /* RLIMIT_NOFILE as it was found */
    struct vt_error fatal;
    int failure; /* negative: the session cannot go on; the text is in fatal */
};

/* All changes that are on their way out, those of the event being made last. */
static struct vt_changes *changes_of(struct live *live)
{
    return vt_emit_changes(&live->emitter);
}

static size_t mark(struct live *live)
{
    return changes_of(live)->count;
}

/* ---- words to the user ---------------------------------------------------------- */

static void warn(struct live *live, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void warn(struct live *live, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    if (!live->config->warn)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    live->config->warn(live->config->warn_context, text);
}

/* Of what is counted only the first ones are said one by one; true if this is one of them. */
static bool is_among_first(struct live *live)
{
    const unsigned most = 10;
    if (live->warned++ == most)
        warn(live, "the others of this kind are only counted: the last record tells how many");
    return live->warned <= most;
}

/* A failure that cannot be attributed to the traced program: counted, and said. */
static void lose(struct live *live, struct vt_process *process, const struct vt_error *err)
{
    live->result->exactness.lost++;
    if (process)
        process->exactness.lost++;
    if (is_among_first(live))
        warn(live, "%s", err->text);
}

/* As lose(), of something there was no memory for, or that could not be read. */
static void lose_to(struct live *live, struct vt_process *process, int rc, const char *what)
{
    struct vt_error err;
    vt_error_errno(&err, rc, "%s", what);
    lose(live, process, &err);
}

/* ---- accounts ---------------------------------------------------------------------- */

static void note_sp(struct vt_thread *thread, vt_addr sp)
{
    struct vt_process_totals *totals = &thread->process->totals;
    thread->sp = sp;
    if (!sp || !thread->shared)
        return;
    thread->sp_place = vt_own_stack_note(&thread->stack, thread->shared->space, sp);
    if (thread->sp_place != VT_SP_OWN || !thread->stack.main)
        return;
    if (!totals->sp_first)
        totals->sp_first = sp;
    totals->sp_lowest = thread->stack.sp_lowest;
}

static void begin_stack(struct vt_thread *thread, vt_addr sp)
{
    bool leader = thread->tracee->tid == thread->process->pid;
    vt_own_stack_begin(&thread->stack, thread->shared->space, leader, sp);
    note_sp(thread, sp);
}

static void keep_stack(struct vt_thread *thread, struct vt_stack_use *uses, size_t *count)
{
    struct vt_stack_use use;
    if (thread->shared && !thread->leaving_exec &&
        vt_own_stack_use(&thread->stack, thread->shared->space, thread->tracee->tid, &use))
        vt_totals_keep_stack(uses, count, &use);
}

/* ---- events ------------------------------------------------------------------------- */

/* The stack of an event whose changes are those from `from` on, if one is to be told. */
static void take_stack(struct live *live, struct vt_thread *thread, struct vt_event *event,
                       size_t from)
{
    const struct vt_space *space = thread->shared->space;
    const struct vt_changes *changes = changes_of(live);
    bool somebody_did_it = event->cause == VT_CAUSE_CALL || event->cause == VT_CAUSE_FAULT;

    if (!live->stacks)
        return;
    vt_stacks_changed(live->stacks, space, changes->items + from, changes->count - from);
    if (((somebody_did_it && changes->count > from) || event->cause == VT_CAUSE_SIGNAL) &&
        !thread->process->silent && vt_emit_wants(&live->emitter, event, from)) {
        int rc = vt_stacks_take(live->stacks, space, thread->tracee, &event->stack);
        if (rc && rc != -ESRCH)
            lose_to(live, thread->process, rc, "a call stack is lost");
    }
}

/* Complete an event whose changes are those from `from` on, and queue it. */
static void tell(struct live *live, struct vt_thread *thread, struct vt_event *event, size_t from)
{
    struct vt_shared *shared = thread->shared;
    struct vt_process *process = thread->process;
    struct vt_changes *changes = changes_of(live);

    event->seq = live->emitter.seq + !process->silent;
    event->time_ns = live->now_ns - live->start_ns;
    event->pid = process->pid;
    event->tid = thread->tracee->tid;
    event->sp_place = event->sp ? thread->sp_place : VT_SP_UNKNOWN;
    if (shared) {
        event->space = shared->space->id;
        event->mapped_bytes = vt_layout_sums(shared->space->layout)->total_bytes;
        event->heap_bytes = vt_space_heap_bytes(shared->space);
        struct vt_detail *details = vt_emit_details(&live->emitter, from);
        if (details)
            vt_space_details(shared->space, changes->items + from, changes->count - from, details);
        else {
            lose_to(live, process, -ENOMEM, "changes of an event are lost");
            changes->count = from;
        }
        vt_space_prune(shared->space, changes->items + from, changes->count - from);
        take_stack(live, thread, event, from);
        if (event->cause != VT_CAUSE_EXIT && shared->ledger) {
            bool by_program = event->cause == VT_CAUSE_CALL || event->cause == VT_CAUSE_FAULT;
            struct vt_process_totals *totals = &shared->ledger->totals;
            const struct vt_change *fresh = changes->items + from;
            vt_totals_enter(totals, fresh, changes->count - from);
            vt_totals_note(totals, shared->space->layout, fresh, changes->count - from,
                           !by_program);
        }
    }
    process->totals.events++;
    if (shared)
        vt_memory_note(live->memory, event, changes->items + from, changes->count - from);
    if (process->silent)
        changes->count = from;
    else if (!vt_emit_queue(&live->emitter, event, from))
        lose(live, process, &(struct vt_error){.text = "out of memory: an event is lost"});
}

/* As tell(), if there is a change to tell of. */
static void tell_changes(struct live *live, struct vt_thread *thread, enum vt_cause cause,
                         vt_addr sp, size_t from)
{
    struct vt_event event = {.cause = cause, .sp = sp};
    if (changes_of(live)->count > from)
        tell(live, thread, &event, from);
}

/* ---- exactness ----------------------------------------------------------------------- */

static void describe(const struct vt_region *r, char *text, size_t size)
{
    char prot[5];
    if (r->start == r->end)
        snprintf(text, size, "nothing");
    else
        snprintf(text, size, "%llx-%llx %s", (unsigned long long)r->start,
                 (unsigned long long)r->end, vt_prot_text(r->prot, r->flags, prot));
}

/* Make the model right, and say what was wrong with it; something was if it is `sure`. */
static void resync(struct live *live, struct vt_thread *thread, const char *note, bool sure)
{
    struct vt_error err = {0};
    size_t from = mark(live);
    int rc = vt_space_resync(thread->shared->space, thread->tracee->tid, changes_of(live), &err);
    if (rc < 0)
        lose(live, thread->process, &err);
    if (rc || (!sure && mark(live) == from))
        return;
    live->result->exactness.resyncs++;
    thread->process->exactness.resyncs++;
    struct vt_event event = {.cause = VT_CAUSE_RESYNC, .note = note};
    tell(live, thread, &event, from);
}

/* Compare with the kernel's map; what stacks grew by since `from` is told before. */
static void verify(struct live *live, struct vt_thread *thread, vt_addr sp, size_t from,
                   const char *after)
{
    struct vt_region ours, kernels;
    struct vt_error err = {0};
    int rc = vt_space_verify(thread->shared->space, thread->tracee->tid, changes_of(live), &ours,
                             &kernels, &err);
    tell_changes(live, thread, VT_CAUSE_FAULT, sp, from);
    if (rc < 0)
        lose(live, thread->process, &err);
    if (rc < 0 || rc == 2)
        return;
    thread->process->exactness.compared++;
    live->result->exactness.compared++;
    if (!rc) {
        thread->process->exactness.agreed++;
        live->result->exactness.agreed++;
        return;
    }
    char a[64], b[64];
    describe(&ours, a, sizeof(a));
    describe(&kernels, b, sizeof(b));
    if (is_among_first(live))
        warn(live,
             "the model differs from the kernel's map of process %d after %s: %s here, %s there",
             (int)thread->process->pid, after, a, b);
    resync(live, thread, "the model differed from the kernel's map", true);
}

/* At a stop of a space in which no memory call is under way: stacks may have grown; compare. */
static void settle(struct live *live, struct vt_thread *thread, vt_addr sp, const char *after)
{
    struct vt_shared *shared = thread->shared;
    if (shared->suspect) {
        const char *why = shared->suspect;
        shared->suspect = NULL;
        resync(live, thread, why, false);
    }
    size_t from = mark(live);
    int rc = vt_space_grow(shared->space, thread->tracee->tid, changes_of(live));
    if (rc < 0)
        lose_to(live, thread->process, rc, "growth of a stack is lost");
    if (rc) /* the space is gone */
        return;
    thread->process->exactness.stops++;
    live->result->exactness.stops++;
    if (live->config->verify)
        verify(live, thread, sp, from, after);
    else
        tell_changes(live, thread, VT_CAUSE_FAULT, sp, from);
}

/* ---- order among memory calls ---------------------------------------------------------- */

/* Nothing is under way that could change the map behind our back. */
static bool is_settled(const struct live *live, const struct vt_shared *shared)
{
    return shared && vt_turns_idle(&shared->turns) &&
           !(shared->attached && vt_engine_missed(live->engine, shared->attached));
}

/*
 * Must the thread be held for as long as its stop is worked on? Its stack is
 * read and the whole map compared only while nothing moves. All else may be done while the
 * thread runs on: until the work is done no other stop is looked at, so that no call can
 * change the map meanwhile.
 */
static bool is_held(const struct live *live)
{
    return live->config->verify || live->stacks;
}

static void start_call(struct live *live, struct vt_thread *thread)
{
    struct vt_shared *shared = thread->shared;
    bool settled = is_settled(live, shared);
    /* In the kernel, a thread makes no stack grow: what has grown was so before the call. */
    bool hold = is_held(live) || shared->suspect ||
                vt_space_may_undo_growth(shared->space, &thread->call.op);
    if (settled && hold)
        settle(live, thread, thread->sp, "the entry of a call");
    vt_turns_begin(&shared->turns, &thread->turn, live->now_ns);
    vt_engine_resume(live->engine, thread->tracee, VT_RESUME_TO_RETURN);
    if (settled && !hold)
        settle(live, thread, thread->sp, "the entry of a call");
}

/* Let those run whose turn it is. */
static void serve_queue(struct live *live, struct vt_shared *shared)
{
    for (struct vt_turn *next; (next = vt_turns_next(&shared->turns));) {
        live->waiting--;
        start_call(live, next->owner);
    }
}

/* A call is about to change the map: now, or when those before it are done. */
static void enter_call(struct live *live, struct vt_thread *thread)
{
    struct vt_shared *shared = thread->shared;
    if (vt_turns_idle(&shared->turns)) {
        start_call(live, thread);
        return;
    }
    vt_turns_queue(&shared->turns, &thread->turn);
    live->waiting++;
    serve_queue(live, shared);
}

/* The thread's call is over, or will never begin. Returns true if its effect is known in order. */
static bool leave_call(struct live *live, struct vt_thread *thread)
{
    if (!thread->shared)
        return true;
    live->waiting -= vt_turns_drop(&thread->shared->turns, &thread->turn);
    return vt_turns_end(&thread->shared->turns, &thread->turn);
}

/* Calls that block for too long (FUSE, userfaultfd, a populate) must not stop the others. */
static void lose_patience(struct live *live, int64_t now)
{
    for (struct vt_shared *s = live->tasks.spaces; s && live->waiting; s = s->next) {
        struct vt_turns *turns = &s->turns;
        if (!turns->queue || !turns->current || now - turns->since_ns < PATIENCE_NS)
            continue;
        const struct vt_thread *blocked = turns->current->owner;
        char state = vt_proc_state(blocked->tracee->tid);
        if (state != 'S' && state != 'D') { /* slow, not blocked */
            turns->since_ns = now;
            continue;
        }
        vt_turns_loosen(turns);
        serve_queue(live, s);
    }
}

/* ---- stops: the life of threads ----------------------------------------------------------- */

static void fail(struct live *live, int rc, const struct vt_error *err)
{
    if (!live->failure) {
        live->failure = rc;
        live->fatal = *err;
    }
    live->stop = true;
}

/* A process that was not there before, named by one of its threads. */
static struct vt_process *add_process(struct live *live, pid_t pid, pid_t tid)
{
    struct vt_process *process = vt_tasks_add_process(&live->tasks, pid, live->now_ns);
    if (process)
        vt_tasks_name(&live->tasks, process, tid);
    return process;
}

/* Facts about the program that a space holds, for an EXEC or ATTACH event. */
static void describe_program(struct live *live, struct vt_thread *thread, char *path, size_t size,
                             struct vt_exec_info *info)
{
    const struct vt_space *space = thread->shared->space;
    uint64_t phdr = 0;
    vt_world_note_unread(&live->world, vt_proc_exe(thread->tracee->tid, path, size));
    *info = (struct vt_exec_info){
        .path = path,
        .images = space->image_count,
        .regions = vt_layout_sums(space->layout)->total_regions,
    };
    /* A 32-bit program's vector has 32-bit words; its first key would be nonsense in 64. */
    int rc = vt_proc_auxv(thread->tracee->tid, AT_PHDR, 8, &phdr);
    if (rc == 1)
        rc = vt_proc_auxv(thread->tracee->tid, AT_PHDR, 4, &phdr);
    vt_world_note_unread(&live->world, rc);
    const struct vt_placed *image = vt_space_image_at(space, phdr);
    if (image) {
        info->type = image->elf->program_type;
        info->class_bits = image->elf->class_bits;
    }
}

static void seed(struct live *live, struct vt_thread *thread, enum vt_cause cause, bool fresh,
                 const struct vt_call *call, vt_addr sp, uint32_t left_space, size_t from)
{
    static const struct vt_exec_info no_info;
    char path[4096] = "";
    struct vt_exec_info info = no_info;
    struct vt_error err = {0};
    struct vt_shared *shared = thread->shared;
    int rc = vt_space_seed(shared->space, thread->tracee->tid, fresh, changes_of(live), &err);
    if (rc < 0)
        lose(live, thread->process, &err);
    if (rc > 0) /* other threads may hold the space for a moment yet */
        shared->suspect = "the thread died by which the map was to be read";
    describe_program(live, thread, path, sizeof(path), &info);
    info.left_space = left_space;
    struct vt_event event = {.cause = cause, .call = call, .sp = sp, .exec = &info};
    tell(live, thread, &event, from);
}

static bool is_named(const struct live *live, pid_t pid)
{
    for (size_t i = 0; i < live->config->pid_count && !live->root; i++)
        if (live->config->pids[i] == pid)
            return true;
    return false;
}

/*
 * Does a process that nobody traces share the memory of one that is attached to? What that maps is
 * not seen when it does. A vfork child, which shares it for a moment, is none: its parent does not
 * come to a stop in time, unless by its death.
 */
static void look_for_sharers(struct live *live, const struct vt_tracee *tracee)
{
    pid_t *pids;
    size_t count;
    if (vt_engine_missed(live->engine, tracee->pid) || vt_proc_processes(&pids, &count))
        return;
    for (size_t i = 0; i < count; i++) {
        struct vt_error err;
        if (pids[i] == tracee->pid || is_named(live, pids[i]) ||
            vt_engine_same_space(tracee->tid, pids[i]) != 1 || vt_proc_tracer(pids[i]) == getpid())
            continue;
        vt_error_set(&err, EPERM,
                     "process %d, which is not traced, shares the memory of process %d: what it "
                     "changes is not seen (attach to both: -p %d -p %d)",
                     (int)pids[i], (int)tracee->pid, (int)tracee->pid, (int)pids[i]);
        lose(live, vt_tasks_find(&live->tasks, tracee->pid), &err);
    }
    free(pids);
}

static void on_start(struct live *live, const struct vt_stop *stop)
{
    struct vt_tracee *tracee = stop->tracee;
    struct vt_process *process = vt_tasks_find(&live->tasks, tracee->pid);
    bool fresh_process = !process;

    if (fresh_process && !(process = add_process(live, tracee->pid, tracee->tid))) {
        lose(live, NULL, &(struct vt_error){.text = "out of memory: a process is not followed"});
        return;
    }
    struct vt_thread *thread = vt_tasks_add_thread(&live->tasks, process, tracee);
    if (!thread) {
        lose(live, process, &(struct vt_error){.text = "out of memory: a thread is not followed"});
        return;
    }
    size_t from = mark(live);
    if (!fresh_process) {
        vt_tasks_hold(thread, process->shared);
        if (!thread->shared)
            return;
        if (stop->missed)
            thread->shared->suspect = "a thread ran on while the others were attached to";
        /* Kinds only: right whatever call is under way elsewhere. */
        int rc = vt_space_note_stack(thread->shared->space, stop->sp, changes_of(live));
        if (rc) {
            lose_to(live, process, rc, "a thread's stack is not marked as one");
            changes_of(live)->count = from;
        }
        begin_stack(thread, stop->sp);
        struct vt_event event = {.cause = VT_CAUSE_THREAD, .sp = stop->sp, .parent = tracee->pid};
        tell(live, thread, &event, from);
        return;
    }
    bool named = is_named(live, tracee->pid);
    struct vt_process *parent = vt_tasks_find(&live->tasks, tracee->parent);
    struct vt_shared *shared;
    int rc = vt_tasks_find_space(&live->tasks, tracee->tid, parent, &shared);
    if (rc)
        lose_to(live, parent, rc,
                "cannot tell whether a process shares its parent's memory (kcmp)");
    if (named) /* its map is of unknown origin, whatever its parent has */
        parent = NULL;
    process->root = named;
    process->silent = !named && live->config->no_follow;
    if (shared) {
        process->shared = shared;
        shared->processes++;
        vt_tasks_hold(thread, shared);
        begin_stack(thread, stop->sp);
        if (named) { /* its vfork child came before it */
            char path[4096];
            struct vt_exec_info info;
            shared->attached = process->pid;
            describe_program(live, thread, path, sizeof(path), &info);
            struct vt_event attached = {.cause = VT_CAUSE_ATTACH, .sp = stop->sp, .exec = &info};
            tell(live, thread, &attached, from);
            return;
        }
        struct vt_event event = {.cause = VT_CAUSE_THREAD,
                                 .sp = stop->sp,
                                 .parent = tracee->parent,
                                 .shares_space = true};
        tell(live, thread, &event, from);
        return;
    }
    if (process->silent)
        return; /* a space of its own that nobody asked about */
    if (!(shared = vt_tasks_add_space(&live->tasks, parent ? parent->shared : NULL,
                                      live->emitter.seq))) {
        lose(live, process, &(struct vt_error){.text = "out of memory: a process is not followed"});
        return;
    }
    process->shared = shared;
    shared->processes = 1;
    shared->ledger = process;
    shared->attached = named ? process->pid : 0;
    vt_tasks_hold(thread, shared);
    if (!parent || !parent->shared) {
        seed(live, thread, named ? VT_CAUSE_ATTACH : VT_CAUSE_FORK, false, NULL, stop->sp, 0, from);
        begin_stack(thread, stop->sp);
        if (named && !stop->missed && !stop->dying)
            look_for_sharers(live, tracee);
        return;
    }
    struct vt_error err = {0};
    rc = vt_space_fork(shared->space, parent->shared->space, tracee->tid, &err);
    if (rc < 0)
        lose(live, process, &err);
    if (rc == 2) /* CLONE_PARENT, or an orphan by now: who created it is not known */
        shared->lineage->parent = NULL;
    vt_layout_for_each(r, shared->space->layout) {
        struct vt_changes *changes = changes_of(live);
        if (vt_reserve((void **)&changes->items, &changes->capacity, changes->count + 1,
                       sizeof(*changes->items))) {
            lose_to(live, process, -ENOMEM, "what a new process begins with is lost");
            break;
        }
        changes->items[changes->count++] =
            (struct vt_change){.op = VT_CHANGE_MADE, .start = r->start, .end = r->end, .after = *r};
    }
    struct vt_event event = {
        .cause = VT_CAUSE_FORK, .sp = stop->sp, .parent = rc == 2 ? 0 : tracee->parent};
    begin_stack(thread, stop->sp);
    tell(live, thread, &event, from);
    settle(live, thread, stop->sp, "a fork");
}

/* The space is no process's any more: everything in it is gone. */
static void clear_space(struct live *live, struct vt_shared *shared)
{
    int rc = vt_layout_unmap(shared->space->layout, 0, UINT64_MAX, changes_of(live));
    if (rc)
        lose_to(live, NULL, rc, "what a process leaves is lost");
}

/* Free a thread that no longer exists. */
static void remove_thread(struct live *live, struct vt_thread *thread)
{
    struct vt_shared *shared = thread->shared;
    if (shared && vt_turns_under_way(&shared->turns, &thread->turn))
        shared->suspect = "a thread ended in the midst of a call";
    leave_call(live, thread);
    if (shared && shared->threads > 1)
        serve_queue(live, shared);
    vt_tasks_remove_thread(&live->tasks, thread);
}

static void on_exec(struct live *live, const struct vt_stop *stop)
{
    struct vt_thread *thread = stop->tracee->user;
    if (stop->replaced) {
        struct vt_thread *leader = stop->replaced;
        remove_thread(live, leader);
    }
    if (!thread) { /* the launched program's first */
        struct vt_process *launched = vt_tasks_find(&live->tasks, stop->tracee->pid);
        thread = launched ? vt_tasks_add_thread(&live->tasks, launched, stop->tracee) : NULL;
    }
    if (!thread) {
        lose(live, NULL, &(struct vt_error){.text = "out of memory: a program is not followed"});
        return;
    }
    thread->tracee = stop->tracee; /* another record if it was not the leader */
    struct vt_process *process = thread->process;
    struct vt_shared *old = thread->shared;
    size_t from = mark(live);
    struct vt_call call;
    bool have_call = thread->call.row && thread->call.row->type == VT_MEMOP_EXEC;
    if (have_call)
        call = vt_memcall_describe(&thread->call, &(struct vt_stop){0});
    thread->call.row = NULL;
    leave_call(live, thread);
    /* The other threads are dead or dying, and have nothing to say about the new space. */
    for (struct vt_thread *t = process->threads; t; t = t->next)
        t->leaving_exec = t != thread;
    bool ends = vt_tasks_drop_space(&live->tasks, process);
    uint32_t left_space = old && ends ? old->space->id : 0;
    if (left_space)
        clear_space(live, old);
    vt_tasks_read_persona(&live->tasks, thread);
    vt_tasks_name(&live->tasks, process, stop->tracee->tid);

    struct vt_shared *shared =
        process->silent ? NULL : vt_tasks_add_space(&live->tasks, NULL, live->emitter.seq);
    if (old && !ends)
        serve_queue(live, old);
    thread->shared = NULL;
    vt_tasks_release(&live->tasks, old);
    process->shared = shared;
    vt_tasks_hold(thread, shared);
    if (!shared) {
        if (!process->silent)
            lose_to(live, process, -ENOMEM, "a program is not followed");
        changes_of(live)->count = from;
        return;
    }
    shared->processes = 1;
    shared->ledger = process;
    process->totals.sp_first = process->totals.sp_lowest = 0;
    process->stack_count = 0;
    seed(live, thread, VT_CAUSE_EXEC, true, have_call ? &call : NULL, stop->sp, left_space, from);
    begin_stack(thread, stop->sp);
    settle(live, thread, stop->sp, "an exec");
}

/* ---- stops: calls ----------------------------------------------------------------------------- */

static void on_entry(struct live *live, const struct vt_stop *stop)
{
    struct vt_thread *thread = stop->tracee->user;
    enum vt_resume otherwise = live->config->all_syscalls ? VT_RESUME_TO_RETURN : VT_RESUME_RUN;

    if (!thread || stop->abi < 0) {
        vt_engine_resume(live->engine, stop->tracee, VT_RESUME_RUN);
        return;
    }
    struct vt_memcall *call = &thread->call;
    vt_memcall_enter(call, stop);
    if (call->row && call->row->type == VT_MEMOP_CLONE) {
        call->row = NULL; /* the child's own first stop tells of it */
        bool kept = vt_engine_keep_child(live->engine, stop);
        vt_engine_resume(live->engine, stop->tracee, kept ? VT_RESUME_TO_RETURN : otherwise);
        return;
    }
    if (call->row && call->row->type == VT_MEMOP_LISTEN) {
        /* A program that only asks whether there are listeners gives no filter: libseccomp does. */
        bool may_listen = stop->args[0] == SECCOMP_SET_MODE_FILTER && stop->args[2];
        call->row = NULL;
        if (may_listen)
            vt_engine_stop_at_all(live->engine, stop->tracee->pid);
    }
    note_sp(thread, stop->sp);
    if (!call->row || !thread->shared || thread->leaving_exec) {
        vt_engine_resume(live->engine, stop->tracee, thread->shared ? otherwise : VT_RESUME_RUN);
        return;
    }
    vt_memcall_decode(call, stop->tracee);
    switch (call->op.type) {
    case VT_MEMOP_NONE:
        vt_engine_resume(live->engine, stop->tracee, otherwise);
        break;
    case VT_MEMOP_SIGSTACK:
    case VT_MEMOP_ADVISE: /* these do not touch the map, and need no turn */
    case VT_MEMOP_PERSONALITY:
        vt_engine_resume(live->engine, stop->tracee, VT_RESUME_TO_RETURN);
        break;
    default:
        enter_call(live, thread);
        break;
    }
}

static void on_return(struct live *live, const struct vt_stop *stop)
{
    struct vt_thread *thread = stop->tracee->user;
    struct vt_call call;
    size_t from = mark(live);

    if (!thread || !thread->shared)
        return;
    note_sp(thread, stop->sp);
    call = vt_memcall_describe(&thread->call, stop);
    struct vt_event event = {.cause = VT_CAUSE_CALL, .call = &call, .sp = stop->sp, .ip = stop->ip};
    const struct vt_memop *op = &thread->call.op;
    if (!thread->call.row) { /* --all-syscalls, or a clone whose child was kept */
        if (live->config->all_syscalls) {
            tell(live, thread, &event, from);
            if (is_settled(live, thread->shared))
                settle(live, thread, stop->sp, call.name);
        }
        return;
    }
    if (op->type == VT_MEMOP_SIGSTACK) {
        if (!stop->failed) {
            thread->stack.alternate = op->addr;
            thread->stack.alternate_size = op->length;
        }
        if (live->config->all_syscalls)
            tell(live, thread, &event, from);
        thread->call.row = NULL;
        return;
    }
    struct vt_shared *shared = thread->shared;
    bool ordered = leave_call(live, thread);
    struct vt_outcome outcome = vt_memcall_outcome(&thread->call, stop);
    outcome.read_implies_exec = thread->persona & READ_IMPLIES_EXEC;
    struct vt_error err;
    vt_error_clear(&err);
    int rc = 0;
    bool hold = is_held(live) || !ordered;
    if (!hold)
        vt_engine_resume(live->engine, stop->tracee, VT_RESUME_RUN);
    if (ordered) {
        rc = vt_space_apply(shared->space, stop->tracee->tid, op, &outcome, changes_of(live), &err);
    } else {
        /* Others were under way: what the kernel shows now is all that can be said. */
        rc = vt_space_resync(shared->space, stop->tracee->tid, changes_of(live), &err);
        event.uncertain = true;
        live->result->exactness.uncertain++;
        thread->process->exactness.uncertain++;
    }
    if (rc < 0) {
        lose(live, thread->process, &err);
        shared->suspect = "the effect of a call could not be followed";
    }
    if (op->type == VT_MEMOP_PERSONALITY && !stop->failed)
        thread->persona = (unsigned long)op->fd;
    bool refused = vt_memcall_refused(&thread->call, stop);
    if (refused)
        event.note = "refused: the break stays";
    bool question = op->type == VT_MEMOP_BRK && mark(live) == from && !refused;
    if (!question)
        tell(live, thread, &event, from);
    if (hold && is_settled(live, shared)) /* else the next call's entry will do */
        settle(live, thread, stop->sp, call.name);
    serve_queue(live, shared);
    thread->call.row = NULL;
}

/* The attach came in the midst of this call: what it did is not known. */
static void on_late(struct live *live, const struct vt_stop *stop)
{
    struct vt_thread *thread = stop->tracee->user;
    struct vt_error err = {0};
    if (!thread || !thread->shared)
        return;
    if (!is_settled(live, thread->shared)) {
        thread->shared->suspect = "a call that was under way at the attach has returned";
        return;
    }
    size_t from = mark(live);
    int rc = vt_space_resync(thread->shared->space, stop->tracee->tid, changes_of(live), &err);
    if (rc < 0)
        lose(live, thread->process, &err);
    if (mark(live) == from)
        return;
    live->result->exactness.resyncs++;
    thread->process->exactness.resyncs++;
    struct vt_event event = {.cause = VT_CAUSE_RESYNC,
                             .note = "a call that was under way at the attach has returned"};
    tell(live, thread, &event, from);
}

/* ---- stops: ends --------------------------------------------------------------------------------- */

static void on_dying(struct live *live, const struct vt_stop *stop)
{
    struct vt_thread *thread = stop->tracee->user;
    if (!thread)
        return;
    struct vt_shared *shared = thread->shared;
    bool in_midst = shared && vt_turns_under_way(&shared->turns, &thread->turn);
    leave_call(live, thread);
    note_sp(thread, stop->sp);
    if (shared && !thread->leaving_exec && is_settled(live, shared)) {
        if (in_midst) { /* killed in a call: it may have done its work */
            size_t from = mark(live);
            struct vt_error err = {0};
            const struct vt_stop interrupted = {.failed = true, .result = -EINTR};
            int rc = vt_space_resync(shared->space, stop->tracee->tid, changes_of(live), &err);
            if (rc < 0)
                lose(live, thread->process, &err);
            struct vt_call call = vt_memcall_describe(&thread->call, &interrupted);
            struct vt_event event = {.cause = VT_CAUSE_CALL,
                                     .call = &call,
                                     .sp = stop->sp,
                                     .note = "the thread was killed in this call"};
            if (thread->call.row && mark(live) > from)
                tell(live, thread, &event, from);
        }
        settle(live, thread, stop->sp, "its end");
    }
    if (shared)
        serve_queue(live, shared);
    thread->dying = true;
    keep_stack(thread, thread->process->stacks, &thread->process->stack_count);
    thread->stack_kept = true;
}

static void end_process(struct live *live, struct vt_thread *last, enum vt_cause cause)
{
    struct vt_process *process = last->process;
    size_t from = mark(live);
    struct vt_shared *shared = process->shared;
    struct vt_stack_use stacks[VT_STACK_USES];
    size_t stack_count = process->stack_count;
    memcpy(stacks, process->stacks, sizeof(stacks));
    for (struct vt_thread *t = process->threads; t; t = t->next)
        if (!t->stack_kept)
            keep_stack(t, stacks, &stack_count);
    struct vt_exit_info info = {
        .stacks = stacks,
        .stack_count = stack_count,
        .wait_status = process->wait_status,
        .lifetime_ns = live->now_ns - process->since_ns,
        .name = process->name,
        .totals = &process->totals,
        .exactness = process->exactness,
        .root = process->root,
    };
    if (cause == VT_CAUSE_EXIT && vt_tasks_drop_space(&live->tasks, process))
        clear_space(live, shared);
    struct vt_event event = {.cause = cause, .exit = &info};
    tell(live, last, &event, from);
}

static void on_gone(struct live *live, const struct vt_stop *stop)
{
    struct vt_thread *thread = stop->tracee->user;
    if (stop->replaced) /* killed in its exec, before that was seen */
        remove_thread(live, stop->replaced);
    if (stop->unseen) /* that is all there is to know of it */
        live->tasks.thread_count++;
    if (stop->no_process)
        lose(live, NULL,
             &(struct vt_error){.text = "a process was killed before it could be looked at"});
    if (!thread)
        return;
    thread->tracee = stop->tracee; /* another record if it was replaced */
    struct vt_process *process = thread->process;
    process->wait_status = stop->wait_status; /* the leader's, where it is traced, comes last */
    if (process->pid == live->root && stop->tracee->tid == process->pid) {
        live->result->exited = true;
        live->result->wait_status = stop->wait_status;
    }
    bool last = process->threads == thread && !thread->next;
    if (last)
        end_process(live, thread, VT_CAUSE_EXIT);
    remove_thread(live, thread);
    if (last)
        vt_tasks_remove_process(&live->tasks, process);
}

/* A signal that says something about the map. */
static void on_signal(struct live *live, const struct vt_stop *stop)
{
    struct vt_thread *thread = stop->tracee->user;
    siginfo_t info;
    struct vt_fault_info fault;
    if ((stop->signal != SIGSEGV && stop->signal != SIGBUS) || !thread || !thread->shared)
        return;
    int rc = vt_engine_siginfo(stop->tracee, &info);
    if (rc && rc != -ESRCH)
        lose_to(live, thread->process, rc, "a fault is not explained");
    if (rc)
        return;
    struct vt_shared *shared = thread->shared;
    if (is_settled(live, shared))
        settle(live, thread, stop->sp, "a signal");
    size_t from = mark(live);
    uint64_t forgotten = vt_fault_explain(shared->space, stop->tracee->tid, &info, live->memory,
                                          shared->lineage, &fault);
    if (forgotten) {
        struct vt_error err;
        vt_error_set(&err, ENOSPC,
                     "what was mapped at %llx is not known: the oldest %llu removals are forgotten",
                     (unsigned long long)fault.addr, (unsigned long long)forgotten);
        lose(live, thread->process, &err);
    }
    struct vt_event event = {
        .cause = VT_CAUSE_SIGNAL, .sp = stop->sp, .ip = stop->ip, .fault = &fault};
    tell(live, thread, &event, from);
}

/* ---- the tracer's own signals ------------------------------------------------------------------------ */

/* The ids of what is traced: "1234, 1235", the first few of them. */
static void name_processes(const struct live *live, char *text, size_t size)
{
    const size_t most = 8;
    size_t count = 0, length = 0;
    vt_tasks_for_each(p, &live->tasks)
        if (p->threads && count++ < most)
            length += (size_t)snprintf(text + length, size - length, "%s%d", count > 1 ? ", " : "",
                                       (int)p->pid);
    snprintf(text + length, size - length, "%s", count > most ? ", ..." : "");
}

/*
 * With nobody to pass a signal on to it is about the trace. What was attached to, or runs without
 * the filter, is left. What a program under the filter has left behind cannot be left, and must not
 * be killed by mistake: the first signal says so, and one that comes after that was read does it.
 */
static void on_told_to_end(struct live *live, int signal)
{
    int64_t now = vt_clock_ns();
    if (live->filter && !live->warned_ns) {
        char which[128];
        name_processes(live, which, sizeof(which));
        warn(live,
             "the program has ended, but processes that it started run on (pid %s), and without a "
             "tracer their calls would fail: the trace ends with them; another signal kills them",
             which);
        live->warned_ns = now;
    } else if (!live->filter || now - live->warned_ns >= RETHINK_NS) {
        live->stop = true;
        live->interrupted = signal == SIGINT ? "interrupted" : "told to end by a signal";
    }
}

/*
 * A launched program has the terminal: what the terminal sends reaches it by
 * itself, and what was sent to us alone is passed on while it is there.
 */
static void take_signals(struct live *live)
{
    bool from_user;
    for (int signal; (signal = vt_signals_take(&from_user));) {
        bool job_control = signal == SIGTSTP || signal == SIGTTIN;
        if (job_control) {
            live->tstp = true;
        } else if (!live->root || live->result->exited) { /* its id may be another's */
            on_told_to_end(live, signal);
        } else if (from_user && kill(live->root, signal) < 0 && errno == ESRCH) {
            on_told_to_end(live, signal); /* it has ended, and its end is to be told yet */
        }
    }
}

/* The program was stopped from the terminal, and so were we: the shell must see it. */
static void on_group_stop(struct live *live, const struct vt_stop *stop)
{
    bool by_terminal = stop->signal == SIGTTOU || live->tstp;
    take_signals(live);
    by_terminal |= live->tstp;
    live->tstp = false;
    if (stop->tracee->pid != live->root || stop->signal == SIGSTOP || !by_terminal ||
        getpgid(live->root) != getpgrp())
        return;
    vt_emit_all(&live->emitter);
    vt_signals_stop(stop->signal);
    live->tstp = false;
}

/* ---- the loop -------------------------------------------------------------------------------------------- */

static void handle(struct live *live, const struct vt_stop *stop)
{
    live->now_ns = stop->time_ns;
    switch (stop->type) {
    case VT_STOP_START:
        if (stop->replaced)
            remove_thread(live, stop->replaced);
        on_start(live, stop);
        if (stop->dying)
            on_dying(live, stop);
        vt_engine_resume(live->engine, stop->tracee, VT_RESUME_RUN);
        break;
    case VT_STOP_ENTRY:
        on_entry(live, stop); /* resumes, or queues */
        break;
    case VT_STOP_RETURN:
        on_return(live, stop);
        vt_engine_resume(live->engine, stop->tracee, VT_RESUME_RUN);
        break;
    case VT_STOP_LATE:
        on_late(live, stop);
        vt_engine_resume(live->engine, stop->tracee, VT_RESUME_RUN);
        break;
    case VT_STOP_EXEC:
        on_exec(live, stop);
        vt_engine_resume(live->engine, stop->tracee, VT_RESUME_RUN);
        break;
    case VT_STOP_DYING:
        on_dying(live, stop);
        vt_engine_resume(live->engine, stop->tracee, VT_RESUME_RUN);
        break;
    case VT_STOP_SIGNAL:
        on_signal(live, stop);
        vt_engine_resume(live->engine, stop->tracee, VT_RESUME_RUN);
        break;
    case VT_STOP_GROUP:
        vt_engine_resume(live->engine, stop->tracee, VT_RESUME_RUN);
        on_group_stop(live, stop);
        break;
    case VT_STOP_GONE:
        on_gone(live, stop);
        break;
    }
    vt_emit_pending(&live->emitter);
}

static int64_t earlier(int64_t a, int64_t b) /* 0: never */
{
    return !a || (b && b < a) ? b : a;
}

/* When the loop must run even if no thread stops. */
static void set_alarm(struct live *live)
{
    int64_t when = live->end_ns;
    if (live->emitter.dirty)
        when = earlier(when, live->emitter.flushed_ns + FLUSH_NS);
    if (live->waiting) { /* not at each call: setting it is one, too */
        if (live->brief_ns <= live->now_ns)
            live->brief_ns = live->now_ns + BRIEF_NS;
        when = earlier(when, live->brief_ns);
    }
    vt_signals_alarm(when);
}

static void loop(struct live *live)
{
    while (!live->stop) {
        struct vt_stop stop;
        struct vt_error err;
        vt_error_clear(&err);
        set_alarm(live);
        int rc = vt_engine_wait(live->engine, live->waiting, &stop, &err);
        if (rc < 0) {
            fail(live, rc, &err);
            live->interrupted = "the trace failed";
        }
        if (rc < 0 || rc == 2)
            return;
        if (rc == 0)
            handle(live, &stop);
        int64_t now = rc == 0 ? live->now_ns : vt_clock_ns();
        if (rc == 1 || vt_signals_pending()) /* busy tracees leave no wait to interrupt */
            take_signals(live);
        if (live->waiting)
            lose_patience(live, now);
        if (live->emitter.dirty && now - live->emitter.flushed_ns >= FLUSH_NS)
            vt_emit_flush(&live->emitter, now);
        if (live->end_ns && now >= live->end_ns) {
            live->stop = true;
            live->interrupted = "the given duration is over";
        }
    }
}

/* ---- begin and end ------------------------------------------------------------------------------------------ */

static void begin_output(struct live *live)
{
    struct utsname names;
    struct timespec wall;
    uname(&names);
    clock_gettime(CLOCK_REALTIME, &wall);
    live->start_ns = live->emitter.flushed_ns = vt_clock_ns();
    struct vt_run run = {
        .version = VASTRACE_VERSION,
        .command = live->config->command,
        .kernel = names.release,
        .machine = names.machine,
        .page_size = live->world.page,
        .aslr = (int)vt_proc_number("/proc/sys/kernel/randomize_va_space"),
        .aslr_disabled = live->config->no_aslr,
        .start_unix_ns = (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec,
        .verify = live->config->verify,
        .multiple = live->config->pid_count > 1,
    };
    vt_emit_begin(&live->emitter, &run);
}

static int start(struct live *live, struct vt_error *err)
{
    const struct vt_session_config *config = live->config;
    if (config->command) {
        /* A filter cannot be taken back: a program that will be left runs without one. */
        struct vt_launch launch = {
            .argv = config->command,
            .no_aslr = config->no_aslr,
            .filter = !config->duration_ns && !config->all_syscalls,
            .files = live->files,
        };
        int status;
        live->filter = launch.filter;
        int rc = vt_engine_launch(live->engine, &launch, &live->root, &status, err);
        if (rc) {
            live->result->exited = WIFSIGNALED(status);
            live->result->wait_status = status;
            return rc;
        }
        live->now_ns = vt_clock_ns();
        struct vt_process *process = add_process(live, live->root, live->root);
        if (!process)
            return vt_error_errno(err, ENOMEM, "cannot trace %s", config->command[0]);
        process->root = true;
        return 0;
    }
    for (size_t i = 0; i < config->pid_count; i++) {
        int rc = vt_engine_attach(live->engine, config->pids[i], err);
        if (rc)
            return rc;
    }
    return 0;
}

/* No tracee is left; every process should have had its end. */
static void miss_ends(struct live *live)
{
    vt_tasks_for_each(p, &live->tasks)
        if (p->threads)
            lose(live, p, &(struct vt_error){.text = "the end of a process was missed"});
    if (live->root && !live->result->exited)
        fail(live, -ECHILD,
             &(struct vt_error){.errnum = ECHILD, .text = "the end of the program was missed"});
}

/* A stack may have grown since the last stop of a process that is to be left. */
static void last_growth(struct live *live, struct vt_process *process)
{
    struct vt_thread *thread = vt_tasks_living_thread(process);
    size_t from = mark(live);
    if (!thread || thread->shared != process->shared || !is_settled(live, process->shared))
        return;
    if (!vt_space_grow(process->shared->space, thread->tracee->tid, changes_of(live)))
        tell_changes(live, thread, VT_CAUSE_FAULT, 0, from);
}

/* Leave every process as it is, and say so. Where that cannot be, the engine kills it. */
static void leave(struct live *live)
{
    struct vt_error err = {0};
    live->now_ns = vt_clock_ns();
    if (live->filter)
        warn(live, "what is traced is killed: without a tracer its calls would fail");
    vt_tasks_for_each(p, &live->tasks)
        if (p->threads && p->shared) {
            last_growth(live, p);
            p->wait_status = live->filter ? SIGKILL : 0;
            end_process(live, p->threads, live->filter ? VT_CAUSE_EXIT : VT_CAUSE_DETACH);
        }
    vt_engine_detach(live->engine); /* no tracee is valid after this */
    int rc = vt_engine_refused(live->engine, &err);
    if (rc)
        fail(live, rc, &err);
    vt_emit_pending(&live->emitter);
}

/*
 * A launched program that was left goes on as our child: its end is ours. After it, what could not
 * be left at once still has to be, or it would be killed with our end.
 */
static void await_root(struct live *live)
{
    struct vt_session_result *result = live->result;
    bool warned = false;
    int rc;
    vt_signals_alarm(0);
    do {
        result->exited = vt_engine_ended(live->engine, &result->wait_status);
        if (result->exited && !warned && vt_engine_count(live->engine)) {
            warn(live, "waiting for what is in the midst of a vfork, to leave it: the end of "
                       "vastrace would kill it");
            warned = true;
        }
        take_signals(live);
        rc = vt_engine_await(live->engine);
    } while (rc == 1);
    result->exited = vt_engine_ended(live->engine, &result->wait_status);
    if (rc)
        fail(live, rc,
             &(struct vt_error){.errnum = -rc, .text = "the end of the program was missed"});
}

static void free_all(struct live *live)
{
    vt_tasks_deinit(&live->tasks);
    vt_memory_destroy(live->memory);
    vt_emitter_deinit(&live->emitter);
    vt_stacks_destroy(live->stacks);
    vt_image_cache_destroy(live->world.images);
    vt_objects_destroy(live->world.objects);
    vt_engine_destroy(live->engine);
}

int vt_session_run(const struct vt_session_config *config, struct vt_session_result *result,
                   struct vt_error *err)
{
    struct live *live = calloc(1, sizeof(*live));
    *result = (struct vt_session_result){0};
    if (!live)
        return vt_error_errno(err, ENOMEM, "cannot start a trace");
    live->config = config;
    live->result = result;
    live->engine = vt_engine_create();
    live->world.objects = vt_objects_create();
    live->world.images = vt_image_cache_create();
    live->memory = vt_memory_create();
    live->tasks.world = &live->world;
    live->world.page = (uint64_t)sysconf(_SC_PAGESIZE);
    int rc = vt_emitter_init(&live->emitter, config);
    if (config->stack_depth)
        live->stacks = live->emitter.stacks = live->tasks.stacks =
            vt_stacks_create(config->stack_depth, config->debug_files);
    if (rc || (config->stack_depth && !live->stacks) || !live->engine || !live->world.objects ||
        !live->world.images || !live->memory) {
        free_all(live);
        free(live);
        return vt_error_errno(err, ENOMEM, "cannot start a trace");
    }
    rc = vt_signals_begin();
    if (rc)
        vt_error_errno(err, rc, "cannot start a trace: no timer");
    vt_raise_file_limit(&live->files); /* every address space takes a descriptor */
    live->emitter.placement = &live->placement;
    if (!rc && config->one_cpu)
        rc = vt_placement_begin(&live->placement, config->cpu, err);
    if (!rc)
        rc = start(live, err);
    if (!rc) {
        result->ran = true;
        begin_output(live);
        if (config->duration_ns)
            live->end_ns = live->start_ns + config->duration_ns;
        loop(live);
        if (live->stop)
            leave(live);
        else
            miss_ends(live);
        result->exactness.lost += live->world.unreadable;
        struct vt_summary summary = {
            .duration_ns = vt_clock_ns() - live->start_ns,
            .events = live->emitter.seq,
            .processes = live->tasks.process_count,
            .threads = live->tasks.thread_count,
            .exactness = result->exactness,
            .interrupted = live->interrupted,
        };
        result->sink_failed = !vt_emit_end(&live->emitter, &summary);
        if (live->stop && live->root && (!result->exited || !live->filter))
            await_root(live);
        if (live->failure) {
            rc = live->failure;
            if (err)
                *err = live->fatal;
        }
    } else {
        vt_engine_detach(live->engine);
    }
    vt_signals_end();
    vt_placement_end(&live->placement);
    setrlimit(RLIMIT_NOFILE, &live->files);
    free_all(live);
    free(live);
    return rc;
}
