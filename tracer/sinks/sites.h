/*
 * sites.h - who made the memory that is mapped: bytes by the program, the call
 * and the call stack that brought them there, over a timeline.
 *
 * Memory is attributed to the event that mapped it, and stays so when its
 * permissions change or it is moved. A vfork child that edits its parent's
 * space does so on the parent's account.
 */
#ifndef SINKS_SITES_H
#define SINKS_SITES_H

#include <vastrace/sink.h>

#include "sinks/spaces.h"

/* A program, a cause and a stack: the event that mapped memory, as far as it matters. */
struct vt_origin {
    pid_t pid;
    uint32_t program;             /* of the names */
    uint32_t cause;               /* of the names */
    const struct vt_stack *stack; /* null: none was taken */
    uint32_t users;               /* sites; 0: a free slot */
    uint32_t next_free;
};

/* Memory of one origin that is one kind now. */
struct vt_site {
    uint32_t origin;
    uint32_t object; /* of the names, the full name; 0: none, or there is a stack that tells */
    uint8_t kind;
    uint64_t live;    /* bytes mapped now */
    uint64_t made;    /* bytes ever mapped, of the kind they were when mapped */
    uint64_t at_peak; /* vt_site_bytes() */
    uint64_t epoch;
};

struct vt_sites {
    struct vt_spaces spaces;
    const struct vt_event *event; /* that is being followed */
    uint32_t cause;               /* its, if it was needed; else 0 */
    bool keep_all; /* also sites that have nothing live and had nothing at the peak */

    struct vt_origin *origins;
    size_t origin_count;
    size_t origin_capacity;
    uint32_t free_origin; /* index + 1 */
    uint32_t *origin_slots;
    size_t origin_slot_count;
    size_t origins_used;

    struct vt_site *sites;
    size_t count;
    size_t capacity;
    uint32_t *slots;
    size_t slot_count;

    uint64_t live; /* bytes mapped now, of all spaces together */
    uint64_t peak; /* the most that was mapped after an event */
    uint64_t peak_seq;
    int64_t peak_time_ns;
    uint64_t epoch; /* one more at each new peak */
};

/* With keep_all, MADE can be asked for. */
void vt_sites_init(struct vt_sites *sites, bool keep_all);
void vt_sites_deinit(struct vt_sites *sites);

/* Follow an event. 0 or -ENOMEM (then do not go on). */
int vt_sites_event(struct vt_sites *sites, const struct vt_event *event);

/* Of sites->sites[0..count): live now, at the peak, or ever made. */
uint64_t vt_site_bytes(const struct vt_sites *sites, const struct vt_site *site,
                       enum vt_measure measure);

static inline const struct vt_origin *vt_site_origin(const struct vt_sites *sites,
                                                     const struct vt_site *site)
{
    return &sites->origins[site->origin];
}

static inline const char *vt_sites_name(const struct vt_sites *sites, uint32_t id)
{
    return vt_names_text(&sites->spaces.names, id);
}

#endif
