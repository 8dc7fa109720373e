/*
 * sink.h - what a format has to do to be a sink, and what every sink has.
 *
 * A format is one file here and one row in sink.c's table. It turns what it is
 * given into bytes in sink->out and never writes or opens anything itself:
 * sink.c does, so that every format copes alike with full disks, closed pipes
 * and interrupted writes.
 */
#ifndef SINKS_SINK_H
#define SINKS_SINK_H

#include <vastrace/sink.h>

#include "base/buf.h"

/* One output format: its name is its row in sink.c's table. */
struct vt_sink_ops {
    const char *const *endings; /* null-terminated file name endings with their dot; may be null */
    size_t state_size;          /* bytes of sink->state, zeroed; 0: it has none */

    /*
     * Open the output itself, by its path as in struct vt_sink_config; sink->fd stays -1.
     * Null: sink.c opens it and writes sink->out to it.
     */
    int (*open)(struct vt_sink *sink, const char *path, struct vt_error *err);

    /*
     * As in <vastrace/sink.h>. They append whole lines to sink->out; 0 or a
     * negative errno with its text. Running out of memory in sink->out needs
     * no check, sink.c looks.
     */
    int (*begin)(struct vt_sink *sink, const struct vt_run *run, struct vt_error *err);
    int (*event)(struct vt_sink *sink, const struct vt_event *event, struct vt_error *err);
    int (*end)(struct vt_sink *sink, const struct vt_summary *summary, struct vt_error *err);

    /* Move what the format itself holds back to sink->out. Null: it holds nothing back. */
    int (*flush)(struct vt_sink *sink, struct vt_error *err);

    /* Free what the state owns. Null: it owns nothing. */
    void (*destroy)(struct vt_sink *sink);
};

struct vt_sink {
    const struct vt_sink_ops *ops;
    void *state;             /* the format's own, ops->state_size bytes */
    struct vt_buf out;       /* formatted and not yet written */
    int fd;                  /* never 0, 1, 2; -1 once closed, or where the format opened its own */
    char *target;            /* for errors: `"out.txt"`, `to standard output` */
    bool named;              /* the output is a file that was asked for by name */
    bool color;              /* decided: paint it */
    unsigned width;          /* columns of the terminal that it goes to; 0: none, or not known */
    bool quiet;              /* as configured */
    enum vt_measure measure; /* as configured */
    bool failed;             /* a failure was reported; the sink takes no more and says no more */
};

extern const struct vt_sink_ops vt_text_ops;     /* text.c */
extern const struct vt_sink_ops vt_jsonl_ops;    /* jsonl.c */
extern const struct vt_sink_ops vt_csv_ops;      /* csv.c */
extern const struct vt_sink_ops vt_folded_ops;   /* folded.c */
extern const struct vt_sink_ops vt_massif_ops;   /* massif.c */
extern const struct vt_sink_ops vt_perfetto_ops; /* perfetto.c */
extern const struct vt_sink_ops vt_vas_ops;      /* vas.c */
extern const struct vt_sink_ops vt_html_ops;     /* html.c */

#endif
