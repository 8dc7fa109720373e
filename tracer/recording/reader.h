/*
 * reader.h - inside the reading half: the open recording, and the tables of it
 * that are in memory.
 */
#ifndef RECORDING_READER_H
#define RECORDING_READER_H

#include <vastrace/recording.h>

#include "recording/source.h"

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

struct vt_build_id_row {
    uint32_t object;
    struct vt_build_id id;
};

struct vt_thread_row {
    uint32_t process;
    pid_t tid;
};

struct vt_recording {
    struct vt_source source;
    struct vt_recording_info info;

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

    struct vt_build_id_row *build_ids; /* by object */
    size_t build_id_count;
    struct vt_frame *frames; /* by id, ascending, not all numbers need be there */
    size_t frame_count;
    struct vt_inlined *inlined; /* by frame and position */
    size_t inlined_count;
    struct vt_stack *stacks; /* by id, likewise */
    size_t stack_count;
    const struct vt_frame **stack_frames; /* by stack and position */
    size_t stack_frame_count;
};

/* ---- tables.c ---- */

/* Load all tables but events and regions; what is there afterwards vt_reader_unload() frees. */
int vt_reader_load(struct vt_recording *r, struct vt_error *err);
void vt_reader_unload(struct vt_recording *r);

/* The object of this id, null for 0; an unknown one is bad. */
const struct vt_object *vt_reader_object(const struct vt_recording *r, uint32_t id, bool *bad);

/* The object that a column names; null where it is NULL. */
const struct vt_object *vt_reader_row_object(const struct vt_recording *r, struct vt_row *row,
                                             int column);

/* The stack of this id, or null. */
const struct vt_stack *vt_reader_stack(const struct vt_recording *r, uint64_t id);

/* The space of a process after an event; 0: none. */
uint32_t vt_reader_space_at(const struct vt_recording *r, uint32_t process, uint64_t event);

/* The parts of an image's file that overlap [start, end) of its own addresses. */
void vt_reader_parts(const struct vt_recording *r, uint32_t object, vt_addr start, vt_addr end,
                     const struct vt_part **parts, size_t *count);

/* ---- moment.c ---- */

/* Set a moment's text for eyes, from what was asked for and its event and time. */
void vt_reader_describe(const struct vt_when *when, struct vt_moment *moment);

#endif
