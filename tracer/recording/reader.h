/*
 * reader.h - inside the reading half: the open recording, rows with their
 * values checked, events as they are stored.
 */
#ifndef RECORDING_READER_H
#define RECORDING_READER_H

#include <vastrace/recording.h>

#include "recording/db.h"
#include "recording/pack.h"

/* Bytes that live as long as the recording. */
struct vt_arena {
    struct vt_arena_block *blocks;
    size_t used; /* of the first block */
};
void *vt_arena_take(struct vt_arena *arena, size_t size); /* zeroed; null when out of memory */
void vt_arena_deinit(struct vt_arena *arena);

/* Words that occur often, each once: what is equal is the same pointer. */
struct vt_words {
    const char **slots; /* a hash table, open addressing */
    size_t capacity;    /* a power of two, or 0 */
    size_t count;
};

/* A row of `calls`; `names` are what call.arg_names points to. */
struct vt_call_row {
    struct vt_call call;
    const char *names[6];
};

struct vt_tenure { /* a row of process_spaces */
    uint32_t process;
    uint32_t space;
    uint64_t from_event;
    uint64_t to_event; /* UINT64_MAX: none */
};

struct vt_image_row {
    uint32_t space;
    uint32_t object;
    uint64_t bias;
};

struct vt_thread_row {
    uint32_t process;
    pid_t tid;
};

struct vt_recording {
    sqlite3 *db;
    char *name; /* the path as given, for messages */
    struct vt_arena arena;
    struct vt_words words;
    struct vt_recording_info info;
    uint64_t spent; /* steps of SQLite's machine in this statement, in units of PROGRESS_STEP */
    uint64_t budget;
    vt_recording_watch_fn *watch; /* may be null */
    void *watch_context;
    const char *pass; /* what is gone through, and how far */
    uint64_t pass_done;
    uint64_t pass_all; /* 0: nothing is, just now */

    struct vt_object *objects; /* by id, ascending, not all numbers are there */
    size_t object_count;
    /* These are numbered without holes: items[id - 1]. */
    struct vt_call_row *calls;
    size_t call_count;
    struct vt_image_row *images;
    size_t image_count;
    struct vt_thread_row *threads;
    size_t thread_count;
    struct vt_recorded_process *processes;
    size_t process_count;

    struct vt_tenure *tenures; /* by process and from_event */
    size_t tenure_count;
    struct vt_part *parts; /* by object and start */
    uint32_t *part_objects;
    size_t part_count;

    struct vt_frame *frames; /* by id, ascending, not all numbers need be there */
    size_t frame_count;
    struct vt_inlined *inlined; /* by frame and position */
    size_t inlined_count;
    struct vt_stack *stacks; /* by id, likewise */
    size_t stack_count;
    const struct vt_frame **stack_frames; /* by stack and position */
    size_t stack_frame_count;
};

/* ---- statements ---- */

/* Prepare a query; no statement on failure. */
int vt_reader_query(struct vt_recording *r, const char *sql, sqlite3_stmt **statement,
                    struct vt_error *err);

/* 1 where there is a row, 0 at the end, negative on failure. */
int vt_reader_step(struct vt_recording *r, sqlite3_stmt *statement, struct vt_error *err);

/* "cannot read NAME: the file is damaged (WHERE)" */
int vt_reader_damaged(const struct vt_recording *r, const char *where, struct vt_error *err);
int vt_reader_no_memory(const struct vt_recording *r, struct vt_error *err);

/* Values of a row that remembers whether all of them made sense. */
struct vt_row {
    struct vt_recording *recording;
    sqlite3_stmt *statement;
    bool bad;
    uint8_t last_kind;         /* of a row before, and its like is likely to come again */
    unsigned words;            /* how many were looked up */
    const char *last_words[4]; /* the last of them; null: none yet */
};

uint64_t vt_row_uint(struct vt_row *row, int column, uint64_t most); /* 0..most, not NULL */
uint64_t vt_row_bits(struct vt_row *row, int column);                /* any 64 bits; NULL is 0 */
int64_t vt_row_int(struct vt_row *row, int column, int64_t least, int64_t most); /* NULL is 0 */
bool vt_row_null(const struct vt_row *row, int column);

/* True with a number of 0..most; false where it is NULL. */
bool vt_row_known(struct vt_row *row, int column, uint64_t most, uint64_t *number);

/* Text of up to 64 KiB without NULs, once for each; NULL gives null. */
const char *vt_row_word(struct vt_row *row, int column);

/* The same for what hardly ever occurs twice: not looked for among the words. */
const char *vt_row_name(struct vt_row *row, int column);

/* The range, and permissions, kind and flags of a region from their columns. */
void vt_row_range(struct vt_row *row, int start_column, vt_addr *start, vt_addr *end);
void vt_row_perm(struct vt_row *row, int column, uint8_t *prot, uint8_t *flags);
uint8_t vt_row_kind(struct vt_row *row, int column);
const struct vt_object *vt_row_object(struct vt_row *row, int column);

/* The object of this id, null for 0; an unknown one marks the row bad. */
const struct vt_object *vt_reader_object(const struct vt_recording *r, uint32_t id, bool *bad);

/* The stack of this id, or null. */
const struct vt_stack *vt_reader_stack(const struct vt_recording *r, uint64_t id);

/* ---- events ---- */

/* An event with what every question needs. */
struct vt_event_row {
    uint64_t seq;
    int64_t time_ns;
    uint32_t process; /* index: processes.id - 1 */
    uint32_t thread;  /* index: threads.id - 1 */
    uint32_t space;
    uint32_t old_space; /* where regions are GONE */
    const char *cause;
    bool is_exec;
    bool failed;
    const struct vt_call_row *call; /* null: none */
    uint64_t regions;
    const struct vt_stack *stack; /* null: none */
    const uint8_t *changes;       /* valid until the next step */
    size_t changes_length;
};

/* Walking through all events, in order. Zero-initialised before the first. */
struct vt_event_walk {
    sqlite3_stmt *statement;
    uint64_t last_seq;
    uint32_t *spaces; /* of each process, as of the last event */
    struct vt_row row;
};

/* The columns that vt_walk_next() reads; others may follow from column VT_WALK_COLUMNS on. */
#define VT_WALK_SELECT                                                                             \
    "SELECT seq, time, process, thread, space, cause, call, error, regions, stack, changes"
#define VT_WALK_COLUMNS 11

/* The same without threads and calls, for those who go through all events and need neither. */
#define VT_WALK_SELECT_LEAN                                                                        \
    "SELECT seq, time, process, 1, space, cause, NULL, NULL, regions, stack, changes"

/* Begin, with VT_WALK_SELECT and what shall follow it. */
int vt_walk_begin(struct vt_recording *r, struct vt_event_walk *walk, const char *sql,
                  struct vt_error *err);
/* 1 and an event, 0 at the end, negative. */
int vt_walk_next(struct vt_recording *r, struct vt_event_walk *walk, struct vt_event_row *event,
                 struct vt_error *err);
void vt_walk_end(struct vt_event_walk *walk);

/* A packed change with its objects found. -EINVAL if there are none of these numbers. */
int vt_reader_change(const struct vt_recording *r, const struct vt_packed *packed,
                     struct vt_change *change);

/* Set a moment's text for eyes, from what was asked for and its event and time. */
void vt_reader_describe(const struct vt_when *when, struct vt_moment *moment);

/* ---- rectangles ---- */

/* As vt_recording_rectangles(), without images, flags and where pieces were moved from. */
int vt_reader_rectangles_lean(struct vt_recording *r, vt_rectangle_fn *each, void *context,
                              struct vt_error *err);

/* As vt_recording_rectangles(), but only those that are there at a moment. */
int vt_reader_live(struct vt_recording *r, const struct vt_moment *moment, vt_rectangle_fn *each,
                   void *context, struct vt_error *err);

/* ---- tenures ---- */

/* The space of a process after an event; 0: none. */
uint32_t vt_reader_space_at(const struct vt_recording *r, uint32_t process, uint64_t event);

/* True if the process ever had this space. */
bool vt_reader_had_space(const struct vt_recording *r, uint32_t process, uint32_t space);

/* The parts of an image's file that overlap [start, end) of its own addresses. */
void vt_reader_parts(const struct vt_recording *r, uint32_t object, vt_addr start, vt_addr end,
                     const struct vt_part **parts, size_t *count);

#endif
