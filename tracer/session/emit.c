/*
 * emit.c - hides the way of an event from a stop to the sinks: copied into a
 * batch while its thread is stopped, handed over when the batch is worth it,
 * then given names, filtered and written by a thread of its own. So neither
 * formatting nor storage nor the reading of symbols holds up the traced program.
 *
 * Invariants: there are two batches; the front one is the tracer's, the back
 * one the writer's while it is `busy`. What their events point to besides never
 * changes while the session lives (objects, parts of ELF files, stacks but for
 * their names, which are the writer's). Sequence numbers have no gaps before
 * the filter. An output that failed once is told of once and never written
 * again; the traced program never suffers from it.
 */
#include "session/emit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "engine/arch.h"

/* Events that are worth waking the writer for. */
#define BATCH 256
/* The most events that may wait for it: then the traced program waits, too. */
#define BATCH_MAX 16384

/* What few events have. */
struct rare {
    struct vt_exec_info exec;
    struct vt_exit_info exit;
    struct vt_process_totals totals;
    struct vt_fault_info fault;
    struct vt_stack_use stacks[VT_STACK_USES]; /* of exit */
    char text[];                               /* the path of exec or the name of exit */
};

/* An event and copies of what it points to; its pointers are set when it is told. */
struct pending {
    struct vt_event event;
    size_t from; /* its first change */
    struct vt_call call;
    struct rare *rare; /* owned; null: it has nothing of that */
};

struct vt_batch {
    struct vt_changes changes; /* of all its events, one after the other */
    struct vt_detail *details; /* as many */
    size_t detail_capacity;
    struct pending *events;
    size_t count;
    size_t capacity;
    bool flush; /* write out what the sinks have buffered, afterwards */
};

struct vt_outlet {
    struct vt_batch batches[2];
    struct vt_batch *back;
    struct vt_changes shown; /* scratch of the filter */
    struct vt_detail *shown_details;
    size_t shown_capacity;
    bool sink_gone[VT_SINKS_MAX]; /* failed and given up */
    bool sink_failed;

    pthread_t thread;
    bool running; /* there is a thread; without one the tracer does its work */
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t idle;
    bool busy; /* the back batch is not done; under the lock, as is: */
    bool stop;
};

/* ---- sinks ---------------------------------------------------------------------- */

static void give_up(struct vt_emitter *emitter, size_t i, int rc, const struct vt_error *err)
{
    emitter->outlet->sink_gone[i] = true;
    /* A reader that has seen enough (`| head`) is no failure of ours. */
    if (rc == -EPIPE)
        return;
    emitter->outlet->sink_failed = true;
    if (emitter->config->warn)
        emitter->config->warn(emitter->config->warn_context, err->text);
}

/* Do something with each sink that is still there. */
#define FOR_EACH_SINK(emitter, call)                                                               \
    for (size_t i_ = 0; i_ < (emitter)->config->sink_count; i_++) {                                \
        struct vt_error err;                                                                       \
        vt_error_clear(&err);                                                                      \
        struct vt_sink *sink = (emitter)->config->sinks[i_];                                       \
        if ((emitter)->outlet->sink_gone[i_])                                                      \
            continue;                                                                              \
        int rc = (call);                                                                           \
        if (rc < 0)                                                                                \
            give_up((emitter), i_, rc, &err);                                                      \
    }

/* ---- the filter ------------------------------------------------------------------- */

bool vt_session_knows_event(const char *name)
{
    for (int cause = 0; cause < VT_CAUSE_COUNT; cause++)
        if (cause != VT_CAUSE_CALL && !strcmp(name, vt_cause_name((enum vt_cause)cause)))
            return true;
    for (int abi = 0; abi < VT_ABI_COUNT; abi++)
        if (vt_arch_knows_name((enum vt_abi)abi, name))
            return true;
    return false;
}

/* Calls that stop the tracee for our own bookkeeping and are told only among all calls. */
static bool is_told(const struct vt_syscall *call)
{
    return call->type != VT_MEMOP_SIGSTACK && call->type != VT_MEMOP_CLONE &&
           call->type != VT_MEMOP_EXEC && call->type != VT_MEMOP_LISTEN;
}

const char *vt_session_event_name(size_t index)
{
    for (int cause = 0; cause < VT_CAUSE_COUNT; cause++)
        if (cause != VT_CAUSE_CALL && !index--)
            return vt_cause_name((enum vt_cause)cause);
    const struct vt_syscall *call;
    for (size_t row = 0; (call = vt_arch_syscall_row(row)); row++)
        if (is_told(call) && !index--)
            return call->name;
    return NULL;
}

static bool is_named(const struct vt_emitter *emitter, const char *name)
{
    const char *const *names = emitter->config->event_names;
    for (; *names; names++)
        if (!strcmp(*names, name))
            return true;
    return false;
}

static bool of_shown_kind(const struct vt_change *change, uint32_t mask)
{
    uint32_t kinds = 0;
    if (change->op != VT_CHANGE_GONE)
        kinds |= UINT32_C(1) << change->after.kind;
    if (change->op != VT_CHANGE_MADE)
        kinds |= UINT32_C(1) << change->before.kind;
    return kinds & mask;
}

/* Leave out the changes of other kinds. Returns false if nothing is left to show. */
static bool filter_kinds(const struct vt_emitter *emitter, struct vt_event *event)
{
    struct vt_outlet *outlet = emitter->outlet;
    uint32_t mask = emitter->config->kind_mask;
    if (!mask || event->exit || event->fault)
        return true;
    outlet->shown.count = 0;
    if (vt_reserve((void **)&outlet->shown.items, &outlet->shown.capacity, event->change_count,
                   sizeof(*outlet->shown.items)) ||
        vt_reserve((void **)&outlet->shown_details, &outlet->shown_capacity, event->change_count,
                   sizeof(*outlet->shown_details)))
        return true; /* better too much than too little */
    for (size_t i = 0; i < event->change_count; i++) {
        if (!of_shown_kind(&event->changes[i], mask))
            continue;
        outlet->shown_details[outlet->shown.count] = event->details[i];
        outlet->shown.items[outlet->shown.count++] = event->changes[i];
    }
    event->changes = outlet->shown.items;
    event->details = outlet->shown_details;
    event->change_count = outlet->shown.count;
    return event->change_count > 0;
}

bool vt_emit_wants(const struct vt_emitter *emitter, const struct vt_event *event, size_t from)
{
    const struct vt_changes *changes = &emitter->front->changes;
    uint32_t mask = emitter->config->kind_mask;

    if (emitter->config->event_names && !is_named(emitter, vt_event_cause_name(event)))
        return false;
    for (size_t i = from; mask && i < changes->count; i++)
        if (of_shown_kind(&changes->items[i], mask))
            return true;
    return !mask;
}

/* ---- the writer's side --------------------------------------------------------------- */

static void tell(struct vt_emitter *emitter, const struct vt_batch *batch, struct pending *p)
{
    struct vt_event *event = &p->event;
    event->changes = batch->changes.items + p->from;
    event->details = batch->details + p->from;
    if (event->call)
        event->call = &p->call;
    if (event->fault)
        event->fault = &p->rare->fault;
    if (event->exec) {
        event->exec = &p->rare->exec;
        p->rare->exec.path = p->rare->text;
    }
    if (event->exit) {
        event->exit = &p->rare->exit;
        p->rare->exit.name = p->rare->text;
        p->rare->exit.totals = &p->rare->totals;
        p->rare->exit.stacks = p->rare->stacks;
    }
    if (emitter->config->event_names && !is_named(emitter, vt_event_cause_name(event)))
        return;
    if (!filter_kinds(emitter, event))
        return;
    if (event->stack)
        vt_stacks_name(emitter->stacks, event->stack);
    FOR_EACH_SINK(emitter, vt_sink_event(sink, event, &err))
        ;
}

static void clear(struct vt_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        free(batch->events[i].rare);
    batch->count = batch->changes.count = 0;
    batch->flush = false;
}

static void tell_back(struct vt_emitter *emitter)
{
    struct vt_batch *batch = emitter->outlet->back;
    for (size_t i = 0; i < batch->count; i++)
        tell(emitter, batch, &batch->events[i]);
    if (batch->flush)
        FOR_EACH_SINK(emitter, vt_sink_flush(sink, &err))
            ;
    clear(batch);
}

static void *write_batches(void *argument)
{
    struct vt_emitter *emitter = argument;
    struct vt_outlet *outlet = emitter->outlet;

    pthread_setname_np(pthread_self(), "vastrace-writer"); /* for top -H and perf */
    vt_placement_beside(emitter->placement);
    pthread_mutex_lock(&outlet->lock);
    while (!outlet->stop || outlet->busy) {
        if (!outlet->busy) {
            pthread_cond_wait(&outlet->work, &outlet->lock);
            continue;
        }
        pthread_mutex_unlock(&outlet->lock);
        tell_back(emitter);
        pthread_mutex_lock(&outlet->lock);
        outlet->busy = false;
        pthread_cond_signal(&outlet->idle);
    }
    pthread_mutex_unlock(&outlet->lock);
    return NULL;
}

static void stop_writer(struct vt_outlet *outlet)
{
    if (!outlet->running)
        return;
    pthread_mutex_lock(&outlet->lock);
    outlet->stop = true;
    pthread_cond_signal(&outlet->work);
    pthread_mutex_unlock(&outlet->lock);
    pthread_join(outlet->thread, NULL);
    outlet->running = false;
}

/* ---- the tracer's side ----------------------------------------------------------------- */

struct vt_changes *vt_emit_changes(struct vt_emitter *emitter)
{
    return &emitter->front->changes;
}

struct vt_detail *vt_emit_details(struct vt_emitter *emitter, size_t from)
{
    struct vt_batch *front = emitter->front;
    if (vt_reserve((void **)&front->details, &front->detail_capacity, front->changes.count + 1,
                   sizeof(*front->details)))
        return NULL;
    return front->details + from;
}

static struct rare *copy_rare(const struct vt_event *event)
{
    const char *text = event->exec ? event->exec->path : event->exit ? event->exit->name : "";
    size_t length = strlen(text) + 1;
    struct rare *rare = malloc(sizeof(*rare) + length);
    if (!rare)
        return NULL;
    memcpy(rare->text, text, length);
    if (event->exec)
        rare->exec = *event->exec;
    if (event->fault)
        rare->fault = *event->fault;
    if (event->exit) {
        rare->exit = *event->exit;
        rare->totals = *event->exit->totals;
        if (rare->exit.stack_count)
            memcpy(rare->stacks, event->exit->stacks,
                   rare->exit.stack_count * sizeof(rare->stacks[0]));
    }
    return rare;
}

bool vt_emit_queue(struct vt_emitter *emitter, const struct vt_event *event, size_t from)
{
    struct vt_batch *front = emitter->front;
    struct rare *rare = NULL;
    if (vt_reserve((void **)&front->events, &front->capacity, front->count + 1,
                   sizeof(*front->events)))
        return false;
    if ((event->exec || event->exit || event->fault) && !(rare = copy_rare(event)))
        return false;
    struct pending *p = &front->events[front->count++];
    p->event = *event;
    p->event.seq = ++emitter->seq;
    p->event.change_count = front->changes.count - from;
    p->from = from;
    p->rare = rare;
    if (event->call)
        p->call = *event->call;
    emitter->dirty = true;
    return true;
}

/* Exchange the batches. Returns false if the writer is not done with its own. */
static bool hand_over(struct vt_emitter *emitter, bool flush, bool wait)
{
    struct vt_outlet *outlet = emitter->outlet;
    struct vt_batch *full = emitter->front;

    pthread_mutex_lock(&outlet->lock);
    while (outlet->busy && wait)
        pthread_cond_wait(&outlet->idle, &outlet->lock);
    bool possible = !outlet->busy;
    if (possible) {
        full->flush = flush;
        emitter->front = outlet->back;
        outlet->back = full;
        outlet->busy = outlet->running;
        pthread_cond_signal(&outlet->work);
    }
    pthread_mutex_unlock(&outlet->lock);
    if (possible && !outlet->running)
        tell_back(emitter);
    return possible;
}

void vt_emit_pending(struct vt_emitter *emitter)
{
    size_t count = emitter->front->count;
    if (count >= BATCH)
        hand_over(emitter, false, count >= BATCH_MAX);
}

void vt_emit_flush(struct vt_emitter *emitter, int64_t now_ns)
{
    if (hand_over(emitter, true, false))
        emitter->dirty = false;
    emitter->flushed_ns = now_ns; /* or else later, when the writer has come so far */
}

void vt_emit_all(struct vt_emitter *emitter)
{
    struct vt_outlet *outlet = emitter->outlet;
    hand_over(emitter, true, true);
    pthread_mutex_lock(&outlet->lock);
    while (outlet->busy)
        pthread_cond_wait(&outlet->idle, &outlet->lock);
    pthread_mutex_unlock(&outlet->lock);
    emitter->dirty = false;
}

/* ---- begin and end ----------------------------------------------------------------------- */

int vt_emitter_init(struct vt_emitter *emitter, const struct vt_session_config *config)
{
    struct vt_outlet *outlet = calloc(1, sizeof(*outlet));
    *emitter = (struct vt_emitter){.config = config, .outlet = outlet};
    if (!outlet)
        return -ENOMEM;
    pthread_mutex_init(&outlet->lock, NULL);
    pthread_cond_init(&outlet->work, NULL);
    pthread_cond_init(&outlet->idle, NULL);
    emitter->front = &outlet->batches[0];
    outlet->back = &outlet->batches[1];
    /* Room from the start: an event without changes, too, points to where they would be. */
    int rc = 0;
    for (size_t i = 0; i < VT_COUNTOF(outlet->batches) && !rc; i++) {
        struct vt_batch *batch = &outlet->batches[i];
        rc = vt_reserve((void **)&batch->changes.items, &batch->changes.capacity, BATCH,
                        sizeof(*batch->changes.items));
        if (!rc)
            rc = vt_reserve((void **)&batch->details, &batch->detail_capacity, BATCH,
                            sizeof(*batch->details));
    }
    return rc;
}

void vt_emitter_deinit(struct vt_emitter *emitter)
{
    struct vt_outlet *outlet = emitter->outlet;
    if (!outlet)
        return;
    stop_writer(outlet);
    for (size_t i = 0; i < VT_COUNTOF(outlet->batches); i++) {
        struct vt_batch *batch = &outlet->batches[i];
        clear(batch);
        vt_changes_deinit(&batch->changes);
        free(batch->details);
        free(batch->events);
    }
    vt_changes_deinit(&outlet->shown);
    free(outlet->shown_details);
    pthread_mutex_destroy(&outlet->lock);
    pthread_cond_destroy(&outlet->work);
    pthread_cond_destroy(&outlet->idle);
    free(outlet);
    emitter->outlet = NULL;
}

void vt_emit_begin(struct vt_emitter *emitter, const struct vt_run *run)
{
    sigset_t all, before;

    FOR_EACH_SINK(emitter, vt_sink_begin(sink, run, &err))
        ;
    sigfillset(&all); /* signals are for the thread that traces */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    emitter->outlet->running =
        pthread_create(&emitter->outlet->thread, NULL, write_batches, emitter) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    emitter->dirty = true;
}

bool vt_emit_end(struct vt_emitter *emitter, const struct vt_summary *summary)
{
    vt_emit_all(emitter);
    stop_writer(emitter->outlet);
    FOR_EACH_SINK(emitter, vt_sink_end(sink, summary, &err))
        ;
    return !emitter->outlet->sink_failed;
}
