/*
 * session.h - trace programs: an engine, their images and the model, to sinks.
 */
#ifndef VASTRACE_SESSION_H
#define VASTRACE_SESSION_H

#include <vastrace/error.h>
#include <vastrace/sink.h>

#define VASTRACE_VERSION "0.1.0"

/* What to trace and how. Borrowed until vt_session_run() returns. */
struct vt_session_config {
    char *const *command; /* null-terminated argv to launch, or null */
    const pid_t *pids;    /* processes to attach to, where command is null */
    size_t pid_count;
    bool all_syscalls;    /* stop at every call, not only at those that can change the map */
    unsigned stack_depth; /* take call stacks of at most this many frames; 0: none */
    bool debug_files;     /* stacks: read source lines also from debug files apart from the mapped
                             ones (in /usr/lib/debug, or from servers that DEBUGINFOD_URLS names) */
    bool verify;          /* compare the model with the kernel's map at every stop */
    bool no_aslr;         /* launch with personality(ADDR_NO_RANDOMIZE) */
    bool no_follow;       /* leave the events of children out (they run on unharmed) */
    bool one_cpu;         /* launch on, and trace from, processor `cpu` alone; the program inherits
                            that affinity and can see it (sched_setaffinity(2)) */
    unsigned cpu;
    int64_t duration_ns;            /* end the trace after this long; 0: when the program ends */
    const char *const *event_names; /* null-terminated causes and call names to show; null: all */
    uint32_t kind_mask;             /* bit (1 << enum vt_kind) of the kinds to show; 0: all */
    struct vt_sink **sinks;         /* not owned */
    size_t sink_count;
    void (*warn)(void *context, const char *text); /* one line for the user; may be null */
    void *warn_context;
};

/* How it ended. */
struct vt_session_result {
    bool ran;        /* the program was started, or every process was attached to */
    int wait_status; /* of the launched program, as of wait(2); valid if `exited` */
    bool exited;     /* the launched program ended (false: attached, or left running) */
    struct vt_exactness exactness;
    bool sink_failed; /* an output could not be written to its end */
};

/* Is this a word that event_names may hold: a cause, or the name of a system call? */
bool vt_session_knows_event(const char *name);

/*
 * The words of event_names that tell something without all_syscalls: the causes, and the calls that
 * can change a map. By index from 0; null behind the last.
 */
const char *vt_session_event_name(size_t index);

/*
 * Run one session to its end. Handles SIGINT, SIGTERM, SIGHUP and SIGQUIT
 * for its duration and restores their dispositions. They are passed on to a
 * launched program; where none is left, they end the session. Only what then
 * still runs under the filter of a launched program keeps it going: that is
 * warned of, and killed by a signal that comes a second or more later.
 *
 * Fails with -ENOENT or another errno of execve(2) if the program cannot be
 * run (result->ran is false), of ptrace(2) if it cannot be traced. A program
 * that was killed while the kernel loaded it has `exited`, by that signal.
 */
int vt_session_run(const struct vt_session_config *config, struct vt_session_result *result,
                   struct vt_error *err);

/*
 * The map of a live process without tracing it: read from /proc/PID/maps,
 * with ELF images found and kinds given. The layout and its objects belong to
 * the snapshot.
 */
struct vt_snapshot;
int vt_snapshot_take(pid_t pid, struct vt_snapshot **snapshot, struct vt_error *err);
void vt_snapshot_destroy(struct vt_snapshot *snapshot);
const struct vt_layout *vt_snapshot_layout(const struct vt_snapshot *snapshot);

/* The image of the region, as vt_event's details have it; parts clipped to none when there is none. */
void vt_snapshot_detail(const struct vt_snapshot *snapshot, const struct vt_region *region,
                        struct vt_detail *detail);

/* Facts about the process beside its map. Strings live as long as the snapshot. */
struct vt_snapshot_info {
    pid_t pid;
    const char *path; /* /proc/PID/exe's target, raw bytes; "" if unreadable */
    enum vt_program_type type;
    unsigned class_bits;
    vt_addr sp;         /* of the main thread, 0 where not to be had (/proc/PID/syscall) */
    int aslr;           /* randomize_va_space; -1 not known */
    bool aslr_disabled; /* the process's personality has ADDR_NO_RANDOMIZE */
};
const struct vt_snapshot_info *vt_snapshot_info(const struct vt_snapshot *snapshot);

#endif
