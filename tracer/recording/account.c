/*
 * account.c - hides how an event's mark is found. Invariant: marks ascend by seq.
 */
#include "recording/account.h"

/* Events are numbered without gaps unless a filter left some out. */
const struct vt_mark *vt_account_mark(const struct vt_account *a, uint64_t seq)
{
    size_t low = 0, high = a->mark_count;
    if (seq && seq <= a->mark_count && a->marks[seq - 1].seq == seq)
        return &a->marks[seq - 1];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (a->marks[middle].seq < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low < a->mark_count && a->marks[low].seq == seq ? &a->marks[low] : NULL;
}
