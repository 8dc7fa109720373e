/*
 * emit.c - hides the queue between a stop and the sinks, the filter, and what
 * happens to an output that fails.
 *
 * An event whose stack has no names yet waits here, and all that come after it
 * (stacks.c names them meanwhile), so that reading symbols does not hold up the traced program.
 *
 * Invariants: sequence numbers have no gaps before the filter; an output that
 * failed once is told of once and never written again; the traced program
 * never suffers from it.
 */
#include "session/emit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "engine/arch.h"

/* The most events that wait for the names of stacks: then the traced program waits too. */
#define HELD_MAX 4096

/* An event and copies of what it points to. */
struct vt_pending {
    struct vt_event event;
    size_t from;
    struct vt_call call;
    struct vt_exec_info exec;
    struct vt_exit_info exit;
    struct vt_process_totals totals;
    struct vt_fault_info fault;
    struct vt_stack_use stacks[VT_STACK_USES]; /* of exit */
    char *text;                                /* the path of exec or the name of exit, owned */
};

void vt_emitter_init(struct vt_emitter *emitter, const struct vt_session_config *config)
{
    *emitter = (struct vt_emitter){.config = config};
}

void vt_emitter_deinit(struct vt_emitter *emitter)
{
    for (size_t i = 0; i < emitter->pending_count; i++)
        free(emitter->pending[i].text);
    vt_changes_deinit(&emitter->changes);
    vt_changes_deinit(&emitter->shown);
    free(emitter->details);
    free(emitter->shown_details);
    free(emitter->pending);
}

static void emit_some(struct vt_emitter *emitter, bool wait, size_t held);

/* ---- sinks ---------------------------------------------------------------------- */

static void give_up(struct vt_emitter *emitter, size_t i, int rc, const struct vt_error *err)
{
    emitter->sink_gone[i] = true;
    /* A reader that has seen enough (`| head`) is no failure of ours. */
    if (rc == -EPIPE)
        return;
    emitter->sink_failed = true;
    if (emitter->config->warn)
        emitter->config->warn(emitter->config->warn_context, err->text);
}

/* Do something with each sink that is still there. */
#define FOR_EACH_SINK(emitter, call)                                                               \
    for (size_t i_ = 0; i_ < (emitter)->config->sink_count; i_++) {                                \
        struct vt_error err = {0};                                                                 \
        struct vt_sink *sink = (emitter)->config->sinks[i_];                                       \
        if ((emitter)->sink_gone[i_])                                                              \
            continue;                                                                              \
        int rc = (call);                                                                           \
        if (rc < 0)                                                                                \
            give_up((emitter), i_, rc, &err);                                                      \
    }

void vt_emit_begin(struct vt_emitter *emitter, const struct vt_run *run)
{
    FOR_EACH_SINK(emitter, vt_sink_begin(sink, run, &err))
        ;
    emitter->dirty = true;
}

void vt_emit_flush(struct vt_emitter *emitter, int64_t now_ns)
{
    emit_some(emitter, false, 0);
    FOR_EACH_SINK(emitter, vt_sink_flush(sink, &err))
        ;
    emitter->dirty = emitter->pending_count > 0;
    emitter->flushed_ns = now_ns;
}

void vt_emit_end(struct vt_emitter *emitter, const struct vt_summary *summary)
{
    vt_emit_all(emitter);
    FOR_EACH_SINK(emitter, vt_sink_end(sink, summary, &err))
        ;
}

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
           call->type != VT_MEMOP_EXEC;
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

/* ---- the filter ------------------------------------------------------------------- */

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
static bool filter_kinds(struct vt_emitter *emitter, struct vt_event *event)
{
    uint32_t mask = emitter->config->kind_mask;
    if (!mask || event->exit || event->fault)
        return true;
    emitter->shown.count = 0;
    if (vt_reserve((void **)&emitter->shown.items, &emitter->shown.capacity, event->change_count,
                   sizeof(*emitter->shown.items)) ||
        vt_reserve((void **)&emitter->shown_details, &emitter->shown_capacity, event->change_count,
                   sizeof(*emitter->shown_details)))
        return true; /* better too much than too little */
    for (size_t i = 0; i < event->change_count; i++) {
        if (!of_shown_kind(&event->changes[i], mask))
            continue;
        emitter->shown_details[emitter->shown.count] = event->details[i];
        emitter->shown.items[emitter->shown.count++] = event->changes[i];
    }
    event->changes = emitter->shown.items;
    event->details = emitter->shown_details;
    event->change_count = emitter->shown.count;
    return event->change_count > 0;
}

bool vt_emit_wants(const struct vt_emitter *emitter, const struct vt_event *event, size_t from)
{
    uint32_t mask = emitter->config->kind_mask;

    if (emitter->config->event_names && !is_named(emitter, vt_event_cause_name(event)))
        return false;
    for (size_t i = from; mask && i < emitter->changes.count; i++)
        if (of_shown_kind(&emitter->changes.items[i], mask))
            return true;
    return !mask;
}

/* ---- the queue --------------------------------------------------------------------- */

bool vt_emit_reserve_details(struct vt_emitter *emitter)
{
    return !vt_reserve((void **)&emitter->details, &emitter->detail_capacity,
                       emitter->changes.count + 1, sizeof(*emitter->details));
}

bool vt_emit_queue(struct vt_emitter *emitter, const struct vt_event *event, size_t from)
{
    if (vt_reserve((void **)&emitter->pending, &emitter->pending_capacity,
                   emitter->pending_count + 1, sizeof(*emitter->pending)))
        return false;
    const char *text = event->exec ? event->exec->path : event->exit ? event->exit->name : NULL;
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        return false;
    struct vt_pending *p = &emitter->pending[emitter->pending_count++];
    p->text = copy;
    p->event = *event;
    p->event.seq = ++emitter->seq;
    p->event.time_ns -= emitter->start_ns;
    p->event.change_count = emitter->changes.count - from;
    p->from = from;
    if (event->call)
        p->call = *event->call;
    if (event->exec)
        p->exec = *event->exec;
    if (event->fault)
        p->fault = *event->fault;
    if (event->exit) {
        p->exit = *event->exit;
        p->totals = *event->exit->totals;
        if (p->exit.stack_count)
            memcpy(p->stacks, event->exit->stacks, p->exit.stack_count * sizeof(p->stacks[0]));
    }
    return true;
}

static void emit(struct vt_emitter *emitter, struct vt_pending *p)
{
    struct vt_event *event = &p->event;
    /* Pointers are set only now: the arrays may have moved while events were queued. */
    event->changes = emitter->changes.items + p->from;
    event->details = emitter->details + p->from;
    if (event->call)
        event->call = &p->call;
    if (event->fault)
        event->fault = &p->fault;
    if (event->exec) {
        event->exec = &p->exec;
        p->exec.path = p->text;
    }
    if (event->exit) {
        event->exit = &p->exit;
        p->exit.name = p->text;
        p->exit.totals = &p->totals;
        p->exit.stacks = p->stacks;
    }
    if (emitter->config->event_names && !is_named(emitter, vt_event_cause_name(event)))
        return;
    if (!filter_kinds(emitter, event))
        return;
    FOR_EACH_SINK(emitter, vt_sink_event(sink, event, &err))
        ;
    emitter->dirty = true;
}

/* Everything before `head` is out: forget it. */
static void compact(struct vt_emitter *emitter, size_t head)
{
    size_t left = emitter->pending_count - head;
    size_t from = left ? emitter->pending[head].from : emitter->changes.count;

    emitter->changes.count -= from;
    emitter->pending_count = left;
    emitter->pending_head = 0;
    if (!left)
        return;
    memmove(emitter->pending, emitter->pending + head, left * sizeof(*emitter->pending));
    if (emitter->changes.count) {
        memmove(emitter->changes.items, emitter->changes.items + from,
                emitter->changes.count * sizeof(*emitter->changes.items));
        memmove(emitter->details, emitter->details + from,
                emitter->changes.count * sizeof(*emitter->details));
    }
    for (size_t i = 0; i < left; i++)
        emitter->pending[i].from -= from;
}

/* Give to the sinks what can be given; with `wait` all but `held` events. */
static void emit_some(struct vt_emitter *emitter, bool wait, size_t held)
{
    size_t head = emitter->pending_head;

    for (; head < emitter->pending_count; head++) {
        struct vt_pending *p = &emitter->pending[head];
        bool insist = wait && emitter->pending_count - head > held;
        if (p->event.stack && !vt_stacks_named(emitter->stacks, p->event.stack, insist))
            break;
        emit(emitter, p);
        free(p->text);
        p->text = NULL;
    }
    emitter->pending_head = head;
    if (head == emitter->pending_count || head >= HELD_MAX)
        compact(emitter, head);
    if (emitter->pending_count)
        emitter->dirty = true;
}

void vt_emit_pending(struct vt_emitter *emitter)
{
    emit_some(emitter, true, HELD_MAX);
}

void vt_emit_all(struct vt_emitter *emitter)
{
    emit_some(emitter, true, 0);
}
