/*
 * search.h - which of many things an address is in, where they ascend by their first address.
 */
#ifndef IMAGE_SEARCH_H
#define IMAGE_SEARCH_H

#include <stddef.h>
#include <string.h>
#include <vastrace/layout.h>

/* How many of them begin at the address or below it. Each is of `size` bytes and begins with a vt_addr. */
static inline size_t vt_begun_at(const void *items, size_t count, size_t size, vt_addr address)
{
    size_t low = 0;

    for (size_t high = count; low < high;) {
        size_t middle = low + (high - low) / 2;
        vt_addr start;
        memcpy(&start, (const char *)items + middle * size, sizeof(start));
        if (start > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

#endif
