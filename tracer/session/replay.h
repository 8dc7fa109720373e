/*
 * replay.h - a session without a tracee: a recording told to sinks, as if it
 * were happening.
 */
#ifndef SESSION_REPLAY_H
#define SESSION_REPLAY_H

#include <vastrace/recording.h>
#include <vastrace/sink.h>

/*
 * Begin, every event, and end, to one sink. A recording that was cut short ends
 * with a summary that says so. Fails as the recording or the sink does; the
 * sink is finished either way as far as it goes.
 */
int vt_session_replay(struct vt_recording *recording, struct vt_sink *sink, struct vt_error *err);

#endif
