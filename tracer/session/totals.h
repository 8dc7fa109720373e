/*
 * totals.h - the account of a process: what was made and gone, kind by kind, and
 * what was the most. Made less gone is what is mapped.
 */
#ifndef SESSION_TOTALS_H
#define SESSION_TOTALS_H

#include <vastrace/event.h>

/* Enter changes of the process's space. */
void vt_totals_enter(struct vt_process_totals *totals, const struct vt_change *changes,
                     size_t count);

/*
 * Note what is mapped now, which may be the most so far. The changes are those since the last time;
 * `all` says that there may have been others.
 */
void vt_totals_note(struct vt_process_totals *totals, const struct vt_layout *layout,
                    const struct vt_change *changes, size_t count, bool all);

/* Keep a stack's use if it is among the deepest VT_STACK_USES; they stay sorted. */
void vt_totals_keep_stack(struct vt_stack_use *uses, size_t *count, const struct vt_stack_use *use);

#endif
