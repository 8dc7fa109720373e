/*
 * replay.c - hides nothing but the order of calls, and what is said at the end
 * of a recording that has none.
 */
#include "session/replay.h"

struct replay {
    struct vt_sink *sink;
    struct vt_error *err;
};

static int tell(void *context, const struct vt_event *event)
{
    struct replay *replay = context;
    return vt_sink_event(replay->sink, event, replay->err);
}

int vt_session_replay(struct vt_recording *recording, struct vt_sink *sink, struct vt_error *err)
{
    const struct vt_recording_info *info = vt_recording_info(recording);
    struct replay replay = {sink, err};
    struct vt_summary summary = info->summary;
    if (!info->complete)
        summary.interrupted = "the recording was cut short";
    int rc = vt_sink_begin(sink, &info->run, err);
    if (!rc)
        rc = vt_recording_replay(recording, tell, &replay, err);
    if (!rc)
        rc = vt_sink_end(sink, &summary, err);
    return rc;
}
