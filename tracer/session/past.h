/*
 * past.h - the session's memory of what was taken from maps: the last changes
 * that removed memory or permissions, to explain a fault by.
 */
#ifndef SESSION_PAST_H
#define SESSION_PAST_H

#include <vastrace/event.h>

struct vt_memory; /* of a bounded number of changes, all spaces together */

struct vt_memory *vt_memory_create(void); /* null when out of memory (ENOMEM) */
void vt_memory_destroy(struct vt_memory *memory);

/* Remember those changes of an event that took something away; what memory holds is bounded. */
void vt_memory_note(struct vt_memory *memory, const struct vt_event *event,
                    const struct vt_change *changes, size_t count);

/*
 * The last change noted for an address of a space, up to event `until`.
 * `permission`: only changes of permissions, else only removals. False if
 * there is none, or it is forgotten.
 */
bool vt_memory_find(const struct vt_memory *memory, uint32_t space, vt_addr addr, uint64_t until,
                    bool permission, struct vt_past *past);

/*
 * How many notes, the oldest ones, had to be forgotten; 0 if all of them were of
 * events up to number `since`, so that nothing that came later is missing.
 */
uint64_t vt_memory_forgotten(const struct vt_memory *memory, uint64_t since);

#endif
