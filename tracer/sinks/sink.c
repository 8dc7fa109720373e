/*
 * sink.c - hides how a timeline's bytes reach their destination: choosing the
 * format, opening the output, buffering, and writing in the face of partial
 * writes, interruptions, full disks and readers that left.
 *
 * Invariants: the table `formats` is the only place that knows which formats
 * there are. A sink reports at most one failure; after it every call does
 * nothing and succeeds. The bytes of one event go into the buffer together,
 * and only whole events are written.
 */
#include "sinks/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "sinks/columns.h"

/* Written out at the latest when this much is pending: a few hundred events a write(2). */
#define FLUSH_AT ((size_t)64 * 1024)

/* Every format by its name, which is also that of its ops. The first is the default. */
#define FORMATS(X)                                                                                 \
    X(text)                                                                                        \
    X(jsonl)                                                                                       \
    X(csv)                                                                                         \
    X(folded)                                                                                      \
    X(massif)                                                                                      \
    X(perfetto)                                                                                    \
    X(vas)                                                                                         \
    X(html)

#define FORMAT_OPS(name)  &vt_##name##_ops,
#define FORMAT_NAME(name) #name,
static const struct vt_sink_ops *const formats[] = {FORMATS(FORMAT_OPS)};
static const char *const format_names[] = {FORMATS(FORMAT_NAME) NULL};

const char *const *vt_sink_format_names(void)
{
    return format_names;
}

static const struct vt_sink_ops *format_of_name(const char *name)
{
    for (size_t i = 0; i < VT_COUNTOF(formats); i++)
        if (strcmp(format_names[i], name) == 0)
            return formats[i];
    return NULL;
}

static const struct vt_sink_ops *format_of_path(const char *path)
{
    size_t length = path ? strlen(path) : 0;

    for (size_t i = 0; path && i < VT_COUNTOF(formats); i++) {
        for (const char *const *e = formats[i]->endings; e && *e; e++) {
            size_t size = strlen(*e);
            if (length >= size && strcmp(path + length - size, *e) == 0)
                return formats[i];
        }
    }
    return formats[0];
}

static int unknown_format(const char *name, struct vt_error *err)
{
    struct vt_buf known = {0};

    for (size_t i = 0; i < VT_COUNTOF(formats); i++) {
        vt_buf_str(&known, i ? ", " : "");
        vt_buf_str(&known, format_names[i]);
    }
    vt_error_set(err, EINVAL, "unknown format \"%s\"; known are: %s", name, vt_buf_cstr(&known));
    vt_buf_deinit(&known);
    return -EINVAL;
}

/*
 * Open the output of this path (see struct vt_sink_config) above the standard
 * descriptors: a tracee started with one of them closed must not meet ours
 * there. Returns the descriptor or -errno.
 */
static int open_output(const char *path)
{
    int source;

    if (!path)
        source = STDERR_FILENO;
    else if (strcmp(path, "-") == 0)
        source = STDOUT_FILENO;
    else
        source = -1;
    if (source >= 0) {
        int fd = fcntl(source, F_DUPFD_CLOEXEC, 3);
        return fd < 0 ? -errno : fd;
    }

    int fd;
    do
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
    while (fd < 0 && errno == EINTR); /* a FIFO waits for its reader */
    if (fd < 0)
        return -errno;
    if (fd > 2)
        return fd;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int result = high < 0 ? -errno : high;
    close(fd);
    return result;
}

/* What the output is called in an error, allocated; null when out of memory. */
static char *target_name(const char *path)
{
    if (!path)
        return strdup("to standard error");
    if (strcmp(path, "-") == 0)
        return strdup("to standard output");
    char *name;
    return asprintf(&name, "\"%s\"", path) < 0 ? NULL : name;
}

static bool wants_color(enum vt_color color, int fd)
{
    if (color != VT_COLOR_AUTO)
        return color == VT_COLOR_ALWAYS;

    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return isatty(fd) && !(no_color && *no_color) && terminal && *terminal &&
           strcmp(terminal, "dumb") != 0;
}

int vt_sink_create(const struct vt_sink_config *config, struct vt_sink **sink, struct vt_error *err)
{
    const struct vt_sink_ops *ops = config->format ? format_of_name(config->format)
                                                   : format_of_path(config->path);

    if (!ops) /* before the output is opened, which would empty a file */
        return unknown_format(config->format, err);

    struct vt_sink *made = calloc(1, sizeof(*made));
    int result = -ENOMEM;
    if (!made)
        goto no_memory;
    made->fd = -1;
    made->ops = ops;
    made->state = calloc(1, ops->state_size + 1); /* never of size 0 */
    made->target = target_name(config->path);
    if (!made->state || !made->target)
        goto no_memory;

    if (ops->open) {
        result = ops->open(made, config->path, err);
        if (result < 0)
            goto fail;
    } else if ((made->fd = open_output(config->path)) < 0) {
        result = vt_error_errno(err, -made->fd, "cannot open %s for writing",
                                config->path && strcmp(config->path, "-") != 0
                                    ? made->target
                                    : made->target + strlen("to "));
        made->fd = -1;
        goto fail;
    }
    made->named = config->path && strcmp(config->path, "-") != 0;
    made->color = wants_color(config->color, made->fd);
    made->width = vt_terminal_width(made->fd);
    made->quiet = config->quiet;
    made->measure = config->measure;
    *sink = made;
    return 0;

no_memory:
    vt_error_errno(err, ENOMEM, "cannot set up the output");
fail:
    vt_sink_destroy(made);
    return result;
}

void vt_sink_destroy(struct vt_sink *sink)
{
    if (!sink)
        return;
    if (sink->state && sink->ops->destroy)
        sink->ops->destroy(sink);
    if (sink->fd >= 0)
        close(sink->fd);
    vt_buf_deinit(&sink->out);
    free(sink->target);
    free(sink->state);
    free(sink);
}

/* Write all of out and empty it. */
static int write_out(struct vt_sink *sink, struct vt_error *err)
{
    const char *at = sink->out.data;
    size_t left = sink->out.length;

    while (left > 0) {
        ssize_t written = write(sink->fd, at, left);
        if (written > 0) {
            at += written;
            left -= (size_t)written;
            continue;
        }
        int why = written < 0 ? errno : EIO;
        if (why == EINTR)
            continue;
        if (why == EAGAIN) {
            /* Someone who shares the pipe or terminal made it non-blocking: wait for room. */
            struct pollfd room = {.fd = sink->fd, .events = POLLOUT};
            poll(&room, 1, -1);
            continue;
        }
        return vt_error_errno(err, why, "cannot write %s", sink->target);
    }
    vt_buf_clear(&sink->out);
    return 0;
}

/* What follows every call of a format: its result, or what became of the buffer. */
static int finish(struct vt_sink *sink, int result, size_t flush_at, struct vt_error *err)
{
    if (result >= 0 && sink->out.failed)
        result = vt_error_errno(err, ENOMEM, "cannot write %s", sink->target);
    if (result >= 0 && sink->out.length >= flush_at)
        result = write_out(sink, err);
    if (result < 0) {
        sink->failed = true;
        vt_buf_deinit(&sink->out);
        return result;
    }
    return 0;
}

int vt_sink_begin(struct vt_sink *sink, const struct vt_run *run, struct vt_error *err)
{
    if (sink->failed)
        return 0;
    return finish(sink, sink->ops->begin(sink, run, err), FLUSH_AT, err);
}

int vt_sink_event(struct vt_sink *sink, const struct vt_event *event, struct vt_error *err)
{
    if (sink->failed)
        return 0;
    return finish(sink, sink->ops->event(sink, event, err), FLUSH_AT, err);
}

int vt_sink_flush(struct vt_sink *sink, struct vt_error *err)
{
    if (sink->failed)
        return 0;
    return finish(sink, sink->ops->flush ? sink->ops->flush(sink, err) : 0, 1, err);
}

int vt_sink_end(struct vt_sink *sink, const struct vt_summary *summary, struct vt_error *err)
{
    if (sink->failed)
        return 0;

    int result = finish(sink, sink->ops->end(sink, summary, err), 1, err);
    if (result < 0)
        return result;

    /* Network file systems and quotas may tell only now. */
    int fd = sink->fd;
    sink->fd = -1;
    if (fd >= 0 && close(fd) < 0 && errno != EINTR) {
        sink->failed = true;
        return vt_error_errno(err, errno, "cannot write %s", sink->target);
    }
    return 0;
}
