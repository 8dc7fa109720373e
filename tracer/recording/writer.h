/*
 * writer.h - a recording being made: events in, an SQLite file out.
 *
 * The database always holds a consistent state; at a flush it holds all that
 * was told. A tracer killed at any moment leaves a file whose run.complete is
 * 0 and that is whole up to its last flush.
 *
 * Ownership: a recorder copies what it needs from what it is given, but for
 * the static names of calls and causes.
 */
#ifndef RECORDING_WRITER_H
#define RECORDING_WRITER_H

#include <vastrace/error.h>
#include <vastrace/event.h>

struct vt_recorder;

/*
 * Create the file, or empty the one that is there, and put the schema into it.
 * Fails with -EINVAL if what is there is no regular file.
 */
int vt_recorder_create(const char *path, struct vt_recorder **recorder, struct vt_error *err);

/* Closes the file as it stands; what has not been flushed is lost. Null is allowed. */
void vt_recorder_destroy(struct vt_recorder *recorder);

/*
 * As those of a sink (<vastrace/sink.h>). After a failure only destroy may
 * follow. A failure may come from an earlier event: writing is done behind.
 */
int vt_recorder_begin(struct vt_recorder *recorder, const struct vt_run *run, struct vt_error *err);
int vt_recorder_event(struct vt_recorder *recorder, const struct vt_event *event,
                      struct vt_error *err);
int vt_recorder_flush(struct vt_recorder *recorder, struct vt_error *err);
int vt_recorder_end(struct vt_recorder *recorder, const struct vt_summary *summary,
                    struct vt_error *err);

#endif
