/*
 * replay.c - hides which events are of one process, and what is said at the end
 * of a recording that has none.
 */
#include "session/replay.h"

#define STOP 1

struct replay {
    const struct vt_replay_part *part;
    struct vt_sink *sink;
    struct vt_error *err;
    uint32_t space; /* that the process made and has now; 0: none */
};

/* Is the event the process's own, or of its address space? */
static bool is_of(struct replay *replay, const struct vt_recorded_process *process,
                  const struct vt_event *event)
{
    bool over = process->end_event && event->seq > process->end_event;
    if (event->seq < process->first_event || over)
        return false;
    if (event->pid != process->pid)
        return replay->space && event->space == replay->space;
    /* A vfork child begins in another's space, which stays the other's. */
    if (event->seq == process->first_event || event->cause == VT_CAUSE_EXEC)
        replay->space = event->shares_space ? 0 : event->space;
    return true;
}

static int tell(void *context, const struct vt_event *event)
{
    struct replay *replay = context;
    const struct vt_replay_part *part = replay->part;
    if (part->last_event && event->seq > part->last_event)
        return STOP;
    if (part->process && !is_of(replay, part->process, event))
        return 0;
    return vt_sink_event(replay->sink, event, replay->err);
}

int vt_session_replay(struct vt_recording *recording, const struct vt_replay_part *part,
                      struct vt_sink *sink, struct vt_error *err)
{
    static const struct vt_replay_part all;
    const struct vt_recording_info *info = vt_recording_info(recording);
    struct replay replay = {.part = part ? part : &all, .sink = sink, .err = err};
    struct vt_summary summary = info->summary;
    if (!info->complete)
        summary.interrupted = "the recording was cut short";
    int rc = vt_sink_begin(sink, &info->run, err);
    if (!rc)
        rc = vt_recording_replay(recording, tell, &replay, err);
    if (!rc || rc == STOP)
        rc = vt_sink_end(sink, &summary, err);
    return rc;
}
