/*
 * pairs.c - hides a hash table. Invariant: at most half of its slots are taken.
 */
#include "recording/pairs.h"

#include <stdlib.h>

struct vt_pair {
    uint64_t a;
    uint64_t b;
    uint32_t number; /* 0: a free slot */
};

void vt_pairs_deinit(struct vt_pairs *pairs)
{
    free(pairs->slots);
    *pairs = (struct vt_pairs){0};
}

static size_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a * 0x9e3779b97f4a7c15u) ^ (b + 0x9e3779b97f4a7c15u + (a << 6));
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return (size_t)(h ^ h >> 32);
}

static struct vt_pair *slot_of(const struct vt_pairs *pairs, uint64_t a, uint64_t b)
{
    size_t at = mix(a, b) & (pairs->capacity - 1);
    while (pairs->slots[at].number && (pairs->slots[at].a != a || pairs->slots[at].b != b))
        at = (at + 1) & (pairs->capacity - 1);
    return &pairs->slots[at];
}

uint32_t *vt_pairs_want(struct vt_pairs *pairs, uint64_t a, uint64_t b)
{
    if (pairs->count * 2 >= pairs->capacity) {
        struct vt_pairs larger = {.capacity = pairs->capacity ? pairs->capacity * 2 : 256};
        larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
        if (!larger.slots)
            return NULL;
        for (size_t i = 0; i < pairs->capacity; i++)
            if (pairs->slots[i].number)
                *slot_of(&larger, pairs->slots[i].a, pairs->slots[i].b) = pairs->slots[i];
        free(pairs->slots);
        pairs->slots = larger.slots;
        pairs->capacity = larger.capacity;
    }
    struct vt_pair *slot = slot_of(pairs, a, b);
    if (!slot->number) {
        slot->a = a;
        slot->b = b;
        pairs->count++; /* the caller is about to take it */
    }
    return &slot->number;
}
