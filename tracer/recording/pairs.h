/*
 * pairs.h - numbers of things that two 64-bit numbers identify.
 */
#ifndef RECORDING_PAIRS_H
#define RECORDING_PAIRS_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialised is empty. */
struct vt_pairs {
    struct vt_pair *slots; /* a hash table, open addressing */
    size_t capacity;       /* a power of two, or 0 */
    size_t count;
};
void vt_pairs_deinit(struct vt_pairs *pairs);

/*
 * Where the number of a pair stands, until the next call; 0 where it is new:
 * then set it. Null when out of memory.
 */
uint32_t *vt_pairs_want(struct vt_pairs *pairs, uint64_t a, uint64_t b);

#endif
