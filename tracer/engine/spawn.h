/*
 * spawn.h - a new process, held before its execve until it is traced.
 */
#ifndef ENGINE_SPAWN_H
#define ENGINE_SPAWN_H

#include <sys/types.h>

#include "engine/engine.h"
#include <vastrace/error.h>

struct vt_spawn {
    pid_t pid;
    int go;      /* a byte written here lets it run */
    int failure; /* read end: what went wrong before the program ran; empty when it runs */
    const char *name;
    char *path; /* of the file to run, owned */
};

/*
 * Find the program as execvp(3) does and fork. On success the child waits.
 * Fails with -ENOENT, -EACCES, -EISDIR, ... and a text that says what to do.
 */
int vt_spawn_begin(struct vt_spawn *spawn, const struct vt_launch *launch, struct vt_error *err);

/* Let it go on: install the filter, execve. 0 or -errno; what is held stays. */
int vt_spawn_release(struct vt_spawn *spawn, struct vt_error *err);

/* It runs the program: free what is held. */
void vt_spawn_done(struct vt_spawn *spawn);

/* It ended before the program ran: say why, free what is held. Returns -errno. */
int vt_spawn_failure(struct vt_spawn *spawn, int wait_status, struct vt_error *err);

/* Kill and reap it, free what is held. */
void vt_spawn_abort(struct vt_spawn *spawn);

#endif
