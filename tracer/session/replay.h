/*
 * replay.h - a session without a tracee: a recording told to sinks, as if it
 * were happening.
 */
#ifndef SESSION_REPLAY_H
#define SESSION_REPLAY_H

#include <vastrace/recording.h>
#include <vastrace/sink.h>

#include "session/lines.h"

/* What of a recording is told. Zero-initialised: all of it, and nothing else. */
struct vt_replay_part {
    /*
     * Its events alone, from its first to its last, and those of others in an
     * address space that it made: a vfork child edits its parent's map.
     */
    const struct vt_recorded_process *process;
    uint64_t last_event; /* nothing after this one; 0: to the end */
    /* Frames without source lines get those that it finds; null: all stay as recorded. */
    struct vt_lines *lines;
};

/*
 * Begin, every event, and end, to one sink. A recording that was cut short ends
 * with a summary that says so. `part` may be null. Fails as the recording or
 * the sink does; the sink is finished either way as far as it goes.
 */
int vt_session_replay(struct vt_recording *recording, const struct vt_replay_part *part,
                      struct vt_sink *sink, struct vt_error *err);

#endif
