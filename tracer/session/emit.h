/*
 * emit.h - events on their way out: collected while a thread is stopped,
 * given to the sinks, by way of the filter, beside the traced program.
 */
#ifndef SESSION_EMIT_H
#define SESSION_EMIT_H

#include <vastrace/session.h>

#include "session/placement.h"
#include "session/stacks.h"

struct vt_emitter {
    const struct vt_session_config *config;
    struct vt_stacks *stacks;             /* null: none are taken */
    const struct vt_placement *placement; /* where the writer is not to run */
    uint64_t seq;                         /* of the last event queued */
    struct vt_batch *front;               /* being filled */
    struct vt_outlet *outlet;             /* the other side */
    bool dirty; /* there is something that was not written out yet, or may be */
    int64_t flushed_ns;
};

/* How many outputs a session may have. */
#define VT_SINKS_MAX 16

/* 0 or -ENOMEM (deinit is allowed then, too). */
int vt_emitter_init(struct vt_emitter *emitter, const struct vt_session_config *config);

/* What is queued and was not told is dropped. */
void vt_emitter_deinit(struct vt_emitter *emitter);

/* Not before the program is started: a process with threads must not fork. */
void vt_emit_begin(struct vt_emitter *emitter, const struct vt_run *run);

/* The changes of all events queued and of the one being made, at the end of which to add. */
struct vt_changes *vt_emit_changes(struct vt_emitter *emitter);

/* Will the event, whose changes are those from `from` on, be shown at all? */
bool vt_emit_wants(const struct vt_emitter *emitter, const struct vt_event *event, size_t from);

/* As many details as there are changes so far, those from `from` on to be filled in; null when
   out of memory. */
struct vt_detail *vt_emit_details(struct vt_emitter *emitter, size_t from);

/*
 * Queue an event whose changes are those at the end of vt_emit_changes(), from
 * index `from` on, with their details set. It gets the next sequence number. What *event points
 * to is copied, apart from static strings. Returns false if there is no memory for it (it is counted by the caller).
 */
bool vt_emit_queue(struct vt_emitter *emitter, const struct vt_event *event, size_t from);

/*
 * Hand over what is queued if that is worth it; waits only if far too much is
 * queued. No index into vt_emit_changes() is valid after it, or after those below.
 */
void vt_emit_pending(struct vt_emitter *emitter);

/* Have all that is queued told and written out soon. */
void vt_emit_flush(struct vt_emitter *emitter, int64_t now_ns);

/* As vt_emit_flush, and wait until it is done. */
void vt_emit_all(struct vt_emitter *emitter);

/* The last words, after all that is queued. Returns false if an output failed on the way. */
bool vt_emit_end(struct vt_emitter *emitter, const struct vt_summary *summary);

#endif
