/*
 * layout_text.h - regions, layouts and changes as short text, so that a test
 * states what it expects as it would be drawn:
 *
 *     1000-3000 rw-p anon
 *     3000-4000 r--p file /lib/a+2000       with an object: its name and the offset
 *     7000-8000 rw-p thread-stack grows stack
 *
 * A change is its sign and the region; '~' and '>' have "before => after", and
 * '>' ends in "stays" where the source stays. Needs cmocka.h in front of it.
 */
#ifndef UNIT_LAYOUT_TEXT_H
#define UNIT_LAYOUT_TEXT_H

#include <inttypes.h>

#include "base/buf.h"
#include <vastrace/layout.h>

static inline void text_region(struct vt_buf *buf, const struct vt_region *r)
{
    char perm[5];
    vt_buf_printf(buf, "%" PRIx64 "-%" PRIx64 " %s %s", r->start, r->end,
                  vt_prot_text(r->prot, r->flags, perm), vt_kind_name(r->kind));
    if (r->object)
        vt_buf_printf(buf, " %s", r->object->name);
    if (r->object && r->object->type == VT_OBJECT_FILE)
        vt_buf_printf(buf, "+%" PRIx64, r->offset);
    if (r->flags & VT_REGION_GROWSDOWN)
        vt_buf_str(buf, " grows");
    if (r->flags & VT_REGION_STACK)
        vt_buf_str(buf, " stack");
}

static inline void text_change(struct vt_buf *buf, const struct vt_change *c)
{
    vt_buf_printf(buf, "%c ", c->op);
    if (c->op != VT_CHANGE_MADE)
        text_region(buf, &c->before);
    if (c->op == VT_CHANGE_ALTERED || c->op == VT_CHANGE_MOVED)
        vt_buf_str(buf, " => ");
    if (c->op != VT_CHANGE_GONE)
        text_region(buf, &c->after);
    if (c->source_stays)
        vt_buf_str(buf, " stays");
}

/* Compare line by line with text in which each line ends in '\n'. */
static inline void text_assert_layout(const struct vt_layout *layout, const char *expected,
                                      const char *file, int line)
{
    struct vt_buf buf = {0};
    vt_layout_for_each(r, layout) {
        text_region(&buf, r);
        vt_buf_char(&buf, '\n');
    }
    _assert_string_equal(vt_buf_cstr(&buf), expected, file, line);
    vt_buf_deinit(&buf);
}

/* The list is emptied afterwards. */
static inline void text_assert_changes(struct vt_changes *changes, const char *expected,
                                       const char *file, int line)
{
    struct vt_buf buf = {0};
    for (size_t i = 0; i < changes->count; i++) {
        text_change(&buf, &changes->items[i]);
        vt_buf_char(&buf, '\n');
    }
    _assert_string_equal(vt_buf_cstr(&buf), expected, file, line);
    vt_buf_deinit(&buf);
    changes->count = 0;
}

#define assert_layout(layout, expected)   text_assert_layout(layout, expected, __FILE__, __LINE__)
#define assert_changes(changes, expected) text_assert_changes(changes, expected, __FILE__, __LINE__)

#endif
