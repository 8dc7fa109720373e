/*
 * sink.h - where a timeline goes. One sink is one output in one format.
 */
#ifndef VASTRACE_SINK_H
#define VASTRACE_SINK_H

#include <vastrace/error.h>
#include <vastrace/event.h>

struct vt_sink;

enum vt_color { VT_COLOR_AUTO, VT_COLOR_ALWAYS, VT_COLOR_NEVER };

/* Which bytes a format that adds them up adds up: folded. */
enum vt_measure {
    VT_MEASURE_PEAK, /* mapped when most was, in all processes together */
    VT_MEASURE_LIVE, /* mapped after the last event that is told */
    VT_MEASURE_MADE, /* ever mapped */
};

/* What to make. All strings are borrowed for the call only. */
struct vt_sink_config {
    const char *path;   /* a file to create or truncate; "-" standard output; null standard error */
    const char *format; /* of vt_sink_format_names(); null: by the path's ending, else text */
    enum vt_color color;     /* AUTO: a terminal, and no NO_COLOR in the environment */
    bool quiet;              /* text: no summary */
    enum vt_measure measure; /* folded */
};

/*
 * Open an output and make its sink. Fails with -EINVAL for an unknown format
 * (the text lists those there are) and with the errno of open(2). The file
 * descriptor is close-on-exec and never one of 0, 1, 2 (for "-" a duplicate).
 */
int vt_sink_create(const struct vt_sink_config *config, struct vt_sink **sink,
                   struct vt_error *err);

/* Flushes nothing and reports nothing: call vt_sink_end() first. Null is allowed. */
void vt_sink_destroy(struct vt_sink *sink);

/*
 * In this order: begin once, event for each event, end once. A negative return
 * is a failed write: the caller reports it once, drops the sink and goes on
 * (the traced program is never ended for it). -EPIPE is a reader that left.
 */
int vt_sink_begin(struct vt_sink *sink, const struct vt_run *run, struct vt_error *err);
int vt_sink_event(struct vt_sink *sink, const struct vt_event *event, struct vt_error *err);
int vt_sink_end(struct vt_sink *sink, const struct vt_summary *summary, struct vt_error *err);

/* Write out what is buffered; called when the tracer is about to wait for the program. */
int vt_sink_flush(struct vt_sink *sink, struct vt_error *err);

/* "text", "jsonl", ..., null-terminated, static. */
const char *const *vt_sink_format_names(void);

#endif
