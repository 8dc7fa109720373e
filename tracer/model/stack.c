/*
 * stack.c - the words for why a call stack ends where it does.
 */
#include <vastrace/stack.h>

/* clang-format off */
static const struct {
    const char *name; /* for programs; in the schema of the timeline */
    const char *text; /* for eyes */
} ends[VT_STACK_END_COUNT] = {
    [VT_STACK_COMPLETE] = {"complete", 0},
    [VT_STACK_DEPTH] = {"depth", "more frames were not asked for (--stacks=DEPTH)"},
    [VT_STACK_UNKNOWN_CODE] = {"unknown-code", "code of no file: made by the program itself"},
    [VT_STACK_NO_TABLES] = {"no-tables", "no unwind tables for this code"},
    [VT_STACK_NO_IMAGE] = {"no-image", "its file is gone, replaced or unreadable"},
    [VT_STACK_UNREADABLE] = {"unreadable", "the stack's memory could not be read"},
    [VT_STACK_CORRUPT] = {"corrupt", "the stack leads nowhere from here: overwritten, or no stack"},
    [VT_STACK_UNSUPPORTED] = {"unsupported", "stacks of this architecture are not unwound"},
    [VT_STACK_NO_MEMORY] = {"no-memory", "out of memory"},
};
/* clang-format on */

const char *vt_stack_end_name(enum vt_stack_end end)
{
    return (unsigned)end < VT_STACK_END_COUNT ? ends[end].name : "?";
}

const char *vt_stack_end_text(enum vt_stack_end end)
{
    return (unsigned)end < VT_STACK_END_COUNT ? ends[end].text : "?";
}
