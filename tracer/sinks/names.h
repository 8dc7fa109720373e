/*
 * names.h - strings kept once each, by number, for sinks that remember what they were told.
 */
#ifndef SINKS_NAMES_H
#define SINKS_NAMES_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is empty. */
struct vt_names {
    char **texts; /* texts[id - 1]; owned */
    size_t count;
    size_t text_capacity;
    uint32_t *slots; /* a hash table of ids */
    size_t slot_count;
};

void vt_names_deinit(struct vt_names *names);

/* The number of this string, 1 or above; equal strings have the same. 0: out of memory. */
uint32_t vt_names_add(struct vt_names *names, const char *text);

/* The string of a number; "" for 0. Valid until vt_names_deinit(). */
static inline const char *vt_names_text(const struct vt_names *names, uint32_t id)
{
    return id ? names->texts[id - 1] : "";
}

#endif
