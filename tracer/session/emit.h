/*
 * emit.h - events on their way out: collected while a thread is stopped,
 * given to the sinks, by way of the filter, when it runs again.
 */
#ifndef SESSION_EMIT_H
#define SESSION_EMIT_H

#include <vastrace/session.h>

#include "session/stacks.h"

struct vt_emitter {
    const struct vt_session_config *config;
    struct vt_stacks *stacks; /* null: none are taken */
    int64_t start_ns;         /* CLOCK_MONOTONIC at time 0 */
    uint64_t seq;
    struct vt_changes changes; /* of all pending events, one after the other */
    struct vt_detail *details; /* as many */
    size_t detail_capacity;
    struct vt_pending *pending;
    size_t pending_head; /* those before it are out */
    size_t pending_count;
    size_t pending_capacity;
    struct vt_changes shown; /* scratch of the filter */
    struct vt_detail *shown_details;
    size_t shown_capacity;
    bool sink_gone[16]; /* failed and given up */
    bool sink_failed;
    bool dirty; /* something may be buffered in a sink */
    int64_t flushed_ns;
};

#define VT_SINKS_MAX VT_COUNTOF(((struct vt_emitter *)0)->sink_gone)

void vt_emitter_init(struct vt_emitter *emitter, const struct vt_session_config *config);
void vt_emitter_deinit(struct vt_emitter *emitter);

void vt_emit_begin(struct vt_emitter *emitter, const struct vt_run *run);

/* Will the event, whose changes are those from `from` on, be shown at all? */
bool vt_emit_wants(const struct vt_emitter *emitter, const struct vt_event *event, size_t from);

/*
 * Queue an event whose changes are those at the end of emitter->changes, from
 * index `from` on, with their details set. What *event points to is copied,
 * apart from static strings. Returns false if there is no memory for it (it is counted by the caller).
 */
bool vt_emit_queue(struct vt_emitter *emitter, const struct vt_event *event, size_t from);

/* Make room for the details of all changes so far. */
bool vt_emit_reserve_details(struct vt_emitter *emitter);

/*
 * Give queued events to the sinks, in order, as far as their stacks have
 * names by now. No index into emitter->changes is valid after it.
 */
void vt_emit_pending(struct vt_emitter *emitter);

/* As vt_emit_pending, and wait for the names: nothing is queued after it. */
void vt_emit_all(struct vt_emitter *emitter);

/* Write out what sinks have buffered. */
void vt_emit_flush(struct vt_emitter *emitter, int64_t now_ns);

/* The last words, after all that is queued. */
void vt_emit_end(struct vt_emitter *emitter, const struct vt_summary *summary);

#endif
