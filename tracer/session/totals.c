/*
 * totals.c - hides how changes are turned into sums.
 *
 * Invariant: what totals say was made less what they say is gone is what is
 * mapped, for each kind; memory that becomes of another kind is gone from the
 * one and made of the other.
 */
#include "session/totals.h"

#include <string.h>

#include "base/base.h"

void vt_totals_enter(struct vt_process_totals *totals, const struct vt_change *changes,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct vt_change *c = &changes[i];
        uint64_t bytes = c->end - c->start;
        struct vt_kind_totals *before = &totals->kinds[c->before.kind];
        struct vt_kind_totals *after = &totals->kinds[c->after.kind];
        bool made = c->op == VT_CHANGE_MADE, gone = c->op == VT_CHANGE_GONE;
        if (c->op == VT_CHANGE_MOVED && c->source_stays)
            made = true;
        else if (!made && !gone && c->before.kind != c->after.kind)
            made = gone = true;
        if (made) {
            after->made_count++;
            after->made_bytes += bytes;
        }
        if (gone) {
            before->gone_count++;
            before->gone_bytes += bytes;
        }
    }
}

static void note_kind(struct vt_process_totals *totals, const struct vt_layout_sums *sums,
                      unsigned kind)
{
    struct vt_kind_totals *k = &totals->kinds[kind];
    k->regions = sums->regions[kind];
    k->bytes = sums->bytes[kind];
    k->peak_bytes = vt_max(k->peak_bytes, k->bytes);
}

void vt_totals_note(struct vt_process_totals *totals, const struct vt_layout *layout,
                    const struct vt_change *changes, size_t count, bool all)
{
    const struct vt_layout_sums *sums = vt_layout_sums(layout);
    uint64_t usable = sums->total_bytes - sums->bytes[VT_KIND_GUARD] - sums->bytes[VT_KIND_RESERVE];
    all |= count >= VT_KIND_COUNT / 2; /* then it is also the shorter way */
    for (unsigned kind = 0; kind < VT_KIND_COUNT && all; kind++)
        note_kind(totals, sums, kind);
    for (size_t i = 0; i < count && !all; i++) {
        note_kind(totals, sums, changes[i].before.kind);
        note_kind(totals, sums, changes[i].after.kind);
    }
    totals->bytes = sums->total_bytes;
    totals->peak_bytes = vt_max(totals->peak_bytes, sums->total_bytes);
    totals->usable_peak_bytes = vt_max(totals->usable_peak_bytes, usable);
    const struct vt_region *stack = vt_layout_find(layout, vt_layout_marks(layout)->stack_start);
    if (stack) {
        totals->stack_low = stack->start;
        totals->stack_high = stack->end;
    }
}

static uint64_t depth(const struct vt_stack_use *use)
{
    return use->high - use->sp_lowest;
}

void vt_totals_keep_stack(struct vt_stack_use *uses, size_t *count, const struct vt_stack_use *use)
{
    size_t at = *count;
    while (at && depth(&uses[at - 1]) < depth(use))
        at--;
    if (at == VT_STACK_USES)
        return;
    *count = vt_min(*count + 1, VT_STACK_USES);
    memmove(&uses[at + 1], &uses[at], (*count - at - 1) * sizeof(*uses));
    uses[at] = *use;
}
