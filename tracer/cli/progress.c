/*
 * progress.c - hides when a line of progress is worth its place, and how it goes
 * away without a trace: it is overwritten in place, by spaces at last.
 */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/escape.h"

#define FIRST_NS INT64_C(500000000) /* what is faster needs no words */
#define AGAIN_NS INT64_C(100000000)

static void say(struct cli_progress *progress, const char *what, uint64_t done, uint64_t all)
{
    const char *slash = strrchr(progress->path, '/');
    const char *name = slash && slash[1] ? slash + 1 : progress->path;
    struct vt_buf escaped = {0};
    char line[80]; /* never wraps on a terminal that is worth the name */
    vt_escape_terminal(&escaped, name, strlen(name));
    int width = snprintf(line, sizeof(line), "reading %.40s", vt_buf_cstr(&escaped));
    if (all)
        width += snprintf(line + width, sizeof(line) - (size_t)width, ": %s %3u%%", what,
                          (unsigned)(vt_min(done, all) * 100 / all));
    int left = progress->width > width ? progress->width - width : 0; /* of the line before */
    fprintf(stderr, "\r%s%*s", line, left, "");
    fflush(stderr);
    progress->width = width;
    vt_buf_deinit(&escaped);
}

static void watch(void *context, const char *what, uint64_t done, uint64_t all)
{
    struct cli_progress *progress = context;
    int64_t now = vt_clock_ns();
    if (now - (progress->said_ns ? progress->said_ns : progress->began_ns) <
        (progress->said_ns ? AGAIN_NS : FIRST_NS))
        return;
    progress->said_ns = now;
    say(progress, what, done, all);
}

void cli_progress_begin(struct cli_progress *progress, struct vt_recording *recording,
                        const char *path)
{
    *progress = (struct cli_progress){0};
    if (!isatty(STDERR_FILENO))
        return;
    progress->recording = recording;
    progress->path = path;
    progress->began_ns = vt_clock_ns();
    vt_recording_watch(recording, watch, progress);
}

void cli_progress_end(struct cli_progress *progress)
{
    if (!progress->recording)
        return;
    vt_recording_watch(progress->recording, NULL, NULL);
    if (progress->width)
        fprintf(stderr, "\r%*s\r", progress->width, "");
    *progress = (struct cli_progress){0};
}
