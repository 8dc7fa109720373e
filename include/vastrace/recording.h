/*
 * recording.h - a recording (`-o run.vas`) asked afterwards: what lay where at
 * a moment, who owned an address, what changed, what the run amounted to.
 *
 * A recording may still be being written, may have been cut short, and may be
 * hostile: all that is read is checked. What does not fit is reported as
 * -EINVAL with the word "damaged", and never a crash.
 *
 * Everything returned belongs to the recording (or to the object that says so)
 * and lives as long. A recording is read as it stood when it was opened. It is
 * not to be used by two threads at once.
 */
#ifndef VASTRACE_RECORDING_H
#define VASTRACE_RECORDING_H

#include <vastrace/error.h>
#include <vastrace/event.h>
#include <vastrace/layout.h>

struct vt_recording;

/*
 * Open a recording for reading. Fails with the errno of open(2), with -EINVAL
 * if it is no recording or is damaged, with -EPROTO if a newer vastrace wrote it.
 */
int vt_recording_open(const char *path, struct vt_recording **recording, struct vt_error *err);
void vt_recording_close(struct vt_recording *recording); /* null is allowed */

/*
 * Have `watch` called again and again (every millisecond or so of work) while
 * questions to the recording are answered: `what` is read ("events",
 * "regions"), `done` of `all` so far; all is 0 where that is not known.
 */
typedef void vt_recording_watch_fn(void *context, const char *what, uint64_t done, uint64_t all);
void vt_recording_watch(struct vt_recording *recording, vt_recording_watch_fn *watch,
                        void *context); /* null: no more */

/* The run as a whole. */
struct vt_recording_info {
    struct vt_run run;
    unsigned schema;           /* PRAGMA user_version */
    bool complete;             /* false: cut short, or still being written */
    bool partial;              /* a filter left changes out: layouts lack something */
    int64_t max_map_count;     /* of the machine it was made on; -1 not known */
    uint64_t left_out;         /* events a filter left out; known if complete */
    struct vt_summary summary; /* if not complete: its duration and events are the last event's */
    uint64_t events;           /* that the recording holds */
};
const struct vt_recording_info *vt_recording_info(const struct vt_recording *recording);

/* A process of the run. */
struct vt_recorded_process {
    uint32_t id; /* processes.id */
    pid_t pid;
    uint64_t first_event;
    uint64_t end_event; /* 0: the recording ends before the process */
    bool detached;      /* it was left, and went on */
    int wait_status;
    int64_t lifetime_ns;
    const char *name; /* the program's last, without directories, raw bytes */
    const char *path; /* as it was executed or attached to; "" not known */
    enum vt_program_type type;
    unsigned class_bits;
    bool root;
    bool has_totals;
    struct vt_process_totals totals;
    struct vt_exactness exactness;
    struct vt_stack_use stacks[VT_STACK_USES]; /* deepest first */
    size_t stack_count;
};
const struct vt_recorded_process *vt_recording_processes(const struct vt_recording *recording,
                                                         size_t *count);

/*
 * The process meant by --pid, or by its absence (0): the launched one, the
 * first named by -p, else the first. Of several that had this pid, the last.
 * Fails with -ESRCH; the text lists those there are.
 */
int vt_recording_process(const struct vt_recording *recording, pid_t pid,
                         const struct vt_recorded_process **process, struct vt_error *err);

/* What a user types for a moment. */
enum vt_when_type { VT_WHEN_START, VT_WHEN_END, VT_WHEN_PEAK, VT_WHEN_TIME, VT_WHEN_EVENT };
struct vt_when {
    enum vt_when_type type;
    uint64_t value; /* TIME: nanoseconds; EVENT: its sequence number */
};

/* Parse start, end, peak, 1.25, 350ms, 20us, #812. False if it is none of these. */
bool vt_when_parse(const char *text, struct vt_when *when);

/* The words among these, by index from 0; null behind the last. */
const char *vt_when_word(size_t index);

/* A moment in the life of one process: right after an event. */
struct vt_moment {
    const struct vt_recorded_process *process;
    uint64_t event;  /* the last one that had happened, of any process */
    int64_t time_ns; /* the moment asked for, or that of the event */
    uint32_t space;  /* the process's at that moment */
    char text[64];   /* for eyes: "at the end (1.25 s, #812)" */
};

/*
 * Find a moment. `end` is the last one before the process exits or is left;
 * `peak` the first at which most was mapped. Fails with -ERANGE if the process
 * is not there at that moment.
 */
int vt_recording_moment(struct vt_recording *recording, const struct vt_recorded_process *process,
                        const struct vt_when *when, struct vt_moment *moment, struct vt_error *err);

/* A piece of memory and its lifetime: a row of the table regions. */
struct vt_rectangle {
    struct vt_region region;
    uint32_t space;
    uint32_t image; /* images.id, 0: none */
    enum vt_change_op made_by;
    enum vt_change_op ended_by; /* GONE, ALTERED or MOVED; meaningful if ended_event */
    uint64_t made_event;
    uint64_t origin_event; /* that first mapped this memory */
    uint64_t ended_event;  /* 0: never */
    vt_addr moved_from;    /* where made_by is MOVED */
};

/*
 * Call `each` for all rectangles, in the order in which they were stored. A
 * return other than 0 ends it and is returned.
 */
typedef int vt_rectangle_fn(void *context, const struct vt_rectangle *rectangle);
int vt_recording_rectangles(struct vt_recording *recording, vt_rectangle_fn *each, void *context,
                            struct vt_error *err);

/*
 * Call `each` for all events, as the session told them: order, changes, details
 * and all. A return other than 0 ends it and is returned.
 */
typedef int vt_recorded_event_fn(void *context, const struct vt_event *event);
int vt_recording_replay(struct vt_recording *recording, vt_recorded_event_fn *each, void *context,
                        struct vt_error *err);

/* ---- layout at a moment ------------------------------------------------------- */

/* An address space as it lay at a moment. */
struct vt_recorded_layout;
int vt_recording_layout(struct vt_recording *recording, const struct vt_moment *moment,
                        struct vt_recorded_layout **layout, struct vt_error *err);
void vt_recorded_layout_destroy(struct vt_recorded_layout *layout);
const struct vt_layout *vt_recorded_layout_map(const struct vt_recorded_layout *layout);

/* The image of a region, as vt_event's details have it. */
void vt_recorded_layout_detail(const struct vt_recorded_layout *layout,
                               const struct vt_region *region, struct vt_detail *detail);

/* The main thread's stack pointer when it was last seen before the moment; 0 not known. */
int vt_recording_sp(struct vt_recording *recording, const struct vt_moment *moment, vt_addr *sp,
                    struct vt_error *err);

/* ---- the biography of an address ------------------------------------------------ */

enum vt_history_op {
    VT_HISTORY_MADE,    /* something was mapped there */
    VT_HISTORY_GROWN,   /* the region there became larger: more of the same was mapped beside it */
    VT_HISTORY_CUT,     /* the region there became smaller, or two */
    VT_HISTORY_ALTERED, /* permissions or kind changed */
    VT_HISTORY_MOVED_HERE,
    VT_HISTORY_MOVED_AWAY,
    VT_HISTORY_GONE,
};

/* One thing that happened to an address, or to a region that held it. */
struct vt_history_entry {
    enum vt_history_op op;
    uint64_t event;
    int64_t time_ns;
    pid_t pid;
    pid_t tid;
    uint32_t space;
    const char *cause;            /* as vt_event_cause_name() */
    const struct vt_stack *stack; /* null: none was taken */
    struct vt_region before;      /* the region at the address before; start == end: none */
    struct vt_region after;       /* likewise after it */
    vt_addr elsewhere;            /* MOVED_*: where the bytes came from or went */
    struct vt_region below;       /* MADE, MOVED_HERE: the neighbours then; start == end: none */
    struct vt_region above;
    uint64_t skipped; /* entries just before this one that did the same, and are not there */
};

struct vt_history {
    struct vt_history_entry *entries; /* in order of events */
    size_t count;
    size_t capacity;
    uint64_t left_out; /* entries between the first and the last half of those that are there */
};

/*
 * What happened to [start, end) in all spaces that a process ever had. For a
 * range of one byte (an address) the region that holds it is followed, with
 * what it grows by and is cut by; for a larger one what overlaps it is told as
 * it is. At most `most` entries are kept (0: all), the first and the last ones,
 * and of many in a row that do the same (a heap grows) the first and the last.
 */
int vt_recording_history(struct vt_recording *recording, const struct vt_recorded_process *process,
                         vt_addr start, vt_addr end, size_t most, struct vt_history *history,
                         struct vt_error *err);
void vt_history_deinit(struct vt_history *history);

/* ---- what changed between two moments ---------------------------------------------- */

enum vt_difference_op {
    VT_DIFFERENCE_MADE,
    VT_DIFFERENCE_GONE,
    VT_DIFFERENCE_ALTERED, /* same memory, other permissions or kind */
    VT_DIFFERENCE_OTHER,   /* something else lies there now */
    VT_DIFFERENCE_GROWN,   /* made, and continues what lay beside it before */
    VT_DIFFERENCE_SHRUNK,  /* gone, and what is left of it lies beside */
};

/* One range that differs. */
struct vt_difference {
    enum vt_difference_op op;
    struct vt_region before; /* start == end: nothing */
    struct vt_region after;
    uint64_t event;               /* that made what is there now, or ended what was; 0 not known */
    uint64_t events;              /* one cause's events in a row that touched: how many; else 1 */
    const char *cause;            /* of that event; "" not known */
    const struct vt_stack *stack; /* likewise; null not known */
};

struct vt_differences {
    struct vt_difference *items; /* ascending by address; in a diff of two runs, by role */
    size_t count;
    size_t capacity;
    uint64_t before[VT_KIND_COUNT]; /* bytes by kind at both moments */
    uint64_t after[VT_KIND_COUNT];
};
void vt_differences_deinit(struct vt_differences *differences);

/* The difference between two moments of one process. */
int vt_recording_diff(struct vt_recording *recording, const struct vt_moment *from,
                      const struct vt_moment *to, struct vt_differences *differences,
                      struct vt_error *err);

/*
 * The difference between two runs' layouts without their addresses: regions are
 * matched by what they are (the file and offset, the special name, the role) and
 * in the order in which they lie. Items that changed size have op GROWN or
 * SHRUNK, permissions ALTERED. Events and causes are not told.
 */
int vt_recording_diff_runs(const struct vt_recorded_layout *from,
                           const struct vt_recorded_layout *to, struct vt_differences *differences,
                           struct vt_error *err);

/* ---- what the run amounted to ---------------------------------------------------------- */

/* One kind's account over the life of a process: opening + made - gone = closing. */
struct vt_ledger {
    uint64_t opening_bytes; /* by the process's first event */
    uint64_t made_count;    /* changes that made such memory (or turned other memory into it) */
    uint64_t made_bytes;
    uint64_t gone_count; /* likewise that removed it; the process's end does not count */
    uint64_t gone_bytes;
    uint64_t closing_bytes; /* at the end, from the regions there, not from the figures above */
    uint64_t closing_regions;
    uint64_t peak_bytes;    /* the most of this kind at one moment */
    uint64_t at_peak_bytes; /* at the moment when most was mapped in all */
};

/* A place that maps memory: a cause and, where they were taken, a call stack. */
struct vt_site {
    const char *cause;
    const struct vt_stack *stack; /* null: none was taken */
    uint64_t events;
    uint64_t made_count; /* pieces newly mapped */
    uint64_t made_bytes;
    uint64_t live_count; /* of these, there at the end */
    uint64_t live_bytes;
    uint64_t first_event;
    uint64_t last_event;
    int64_t region_change; /* by how many regions its events raised the number of regions */
};

/* How long memory lived that was unmapped: pieces whose life was below the limit. */
struct vt_lifetimes {
    int64_t limit_ns; /* INT64_MAX in the last one */
    uint64_t count;
    uint64_t bytes;
};
#define VT_LIFETIMES 7

enum vt_finding_type {
    VT_FINDING_TAIL,       /* an munmap that left a tail mapped */
    VT_FINDING_DESTROYED,  /* a fixed mapping that replaced accessible memory of another mapping */
    VT_FINDING_WRITE_EXEC, /* memory that was writable and executable at once */
    VT_FINDING_LOOP,       /* memory mapped and unmapped again at once, many times */
    VT_FINDING_RESERVE,    /* address space reserved and never used */
    VT_FINDING_GROWTH,     /* a site whose live memory grew all along */
    VT_FINDING_LIMIT,      /* the number of regions came near vm.max_map_count */
    VT_FINDING_COUNT
};
const char *vt_finding_name(enum vt_finding_type type); /* "tail", "destroyed", ... */
#define VT_FINDINGS_MOST 8

/* Something worth a look, with its evidence: like ones of one site are one. */
struct vt_finding {
    enum vt_finding_type type;
    uint64_t count;          /* how many such there were */
    uint64_t bytes;          /* of all of them */
    uint64_t event;          /* the first: the event that did it ... */
    uint64_t origin_event;   /* ... and the one that had made the memory; 0 not known */
    uint64_t last_event;     /* of the last; LOOP: which unmapped it */
    struct vt_region region; /* of the first: the memory it is about */
    const char *cause;       /* of `event` */
    const struct vt_stack *stack;
    uint64_t slices[8]; /* GROWTH: bytes live at the end of each eighth of its time */
};

struct vt_report {
    const struct vt_recorded_process *process;
    struct vt_moment start;
    struct vt_moment peak;
    struct vt_moment end;
    uint64_t events; /* of this process's spaces */
    struct vt_ledger kinds[VT_KIND_COUNT];
    bool balanced; /* every kind's account */
    uint64_t peak_bytes;
    uint64_t usable_peak_bytes; /* PROT_NONE not counted */
    struct vt_site *sites;      /* largest live_bytes first, then made_bytes */
    size_t site_count;
    struct vt_lifetimes lifetimes[VT_LIFETIMES];
    struct vt_rectangle *remaining; /* made after the start and never unmapped; largest first */
    size_t remaining_count;         /* of these, at most 32 are in `remaining` */
    size_t remaining_total;
    uint64_t remaining_bytes;
    vt_addr low; /* of the program's half: its lowest and highest mapped address */
    vt_addr high;
    uint64_t free_bytes; /* between these */
    uint64_t gaps;
    vt_addr largest_gap_start;
    vt_addr largest_gap_end;
    uint64_t regions_end; /* regions, neighbours alike in permissions and backing as one */
    uint64_t regions_peak;
    uint64_t regions_peak_event;
    struct vt_finding *findings; /* by type, largest first; at most VT_FINDINGS_MOST of each */
    size_t finding_count;
    size_t finding_totals[VT_FINDING_COUNT]; /* how many there are of each type */
};

/* The account of one process. */
int vt_recording_report(struct vt_recording *recording, const struct vt_recorded_process *process,
                        struct vt_report *report, struct vt_error *err);
void vt_report_deinit(struct vt_report *report);

#endif
