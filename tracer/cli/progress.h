/*
 * progress.h - a line on the terminal that says how far a long question to a
 * recording is.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdint.h>
#include <vastrace/recording.h>

/* Zero-initialised says nothing. */
struct cli_progress {
    struct vt_recording *recording; /* null: nothing is to be said */
    const char *path;
    int64_t began_ns;
    int64_t said_ns; /* 0: nothing yet */
    int width;       /* columns of the line that stands on the terminal */
};

/*
 * From here on, and once it has taken half a second, a line on standard error
 * says how far the recording of this path is read; if that is a terminal, else
 * nothing. The line goes away with cli_progress_end(), which is to be called
 * before anything else is written. The path is borrowed until then.
 */
void cli_progress_begin(struct cli_progress *progress, struct vt_recording *recording,
                        const char *path);
void cli_progress_end(struct cli_progress *progress);

#endif
