/*
 * vas.c - the timeline as a recording, an SQLite database that can be asked
 * afterwards: hands everything to recording/writer.h, which keeps the file.
 *
 * Invariant: nothing is ever put into sink->out.
 */
#include "recording/writer.h"
#include "sinks/sink.h"

#include <errno.h>
#include <string.h>

struct vas {
    struct vt_recorder *recorder;
};

static int vas_open(struct vt_sink *sink, const char *path, struct vt_error *err)
{
    struct vas *vas = sink->state;

    if (!path || strcmp(path, "-") == 0)
        return vt_error_set(err, EINVAL,
                            "a recording cannot be written to a stream: name a file, as in "
                            "-o run.vas");
    return vt_recorder_create(path, &vas->recorder, err);
}

static int vas_begin(struct vt_sink *sink, const struct vt_run *run, struct vt_error *err)
{
    struct vas *vas = sink->state;
    return vt_recorder_begin(vas->recorder, run, err);
}

static int vas_event(struct vt_sink *sink, const struct vt_event *event, struct vt_error *err)
{
    struct vas *vas = sink->state;
    return vt_recorder_event(vas->recorder, event, err);
}

static int vas_end(struct vt_sink *sink, const struct vt_summary *summary, struct vt_error *err)
{
    struct vas *vas = sink->state;
    return vt_recorder_end(vas->recorder, summary, err);
}

static int vas_flush(struct vt_sink *sink, struct vt_error *err)
{
    struct vas *vas = sink->state;
    return vt_recorder_flush(vas->recorder, err);
}

static void vas_destroy(struct vt_sink *sink)
{
    struct vas *vas = sink->state;
    vt_recorder_destroy(vas->recorder);
}

const struct vt_sink_ops vt_vas_ops = {
    .endings = (const char *const[]){".vas", NULL},
    .state_size = sizeof(struct vas),
    .open = vas_open,
    .begin = vas_begin,
    .event = vas_event,
    .end = vas_end,
    .flush = vas_flush,
    .destroy = vas_destroy,
};
