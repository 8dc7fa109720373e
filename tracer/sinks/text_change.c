/*
 * text_change.c - hides what is worth saying of a change: the "what" column.
 */
#include "sinks/text.h"
#include "sinks/words.h"

#include <string.h>

#include "base/base.h"

int64_t vt_text_heap_growth(const struct vt_change *change)
{
    int64_t size = (int64_t)(change->end - change->start);
    bool was = change->op != VT_CHANGE_MADE && change->before.kind == VT_KIND_HEAP &&
               !change->source_stays;
    bool is = change->op != VT_CHANGE_GONE && change->after.kind == VT_KIND_HEAP;

    return is == was ? 0 : is ? size : -size;
}

uint64_t vt_text_heap_before(const struct vt_event *event)
{
    uint64_t bytes = event->heap_bytes;

    for (size_t i = 0; i < event->change_count; i++)
        bytes -= (uint64_t)vt_text_heap_growth(&event->changes[i]);
    return bytes;
}

/* How an altered range was before, as far as that differs: "was rw-p", "was anon". */
static void what_it_was(struct vt_sink *sink, const struct vt_change *change)
{
    struct vt_buf *out = &sink->out;
    char before[5], after[5];

    vt_prot_text(change->before.prot, change->before.flags, before);
    vt_prot_text(change->after.prot, change->after.flags, after);
    bool perm = strcmp(before, after) != 0;
    bool kind = change->before.kind != change->after.kind;
    bool object = !vt_object_same(change->before.object, change->after.object);
    if (!perm && !kind && !(object && change->before.object))
        return;
    vt_text_clause(sink);
    vt_buf_str(out, "was");
    if (perm) {
        vt_buf_char(out, ' ');
        vt_buf_str(out, before);
    }
    if (kind) {
        vt_buf_char(out, ' ');
        vt_buf_str(out, vt_kind_name(change->before.kind));
    }
    if (object && change->before.object) {
        vt_buf_char(out, ' ');
        vt_text_object(sink, &change->before);
    }
}

enum { STRETCHES = 8 }; /* more than these help nobody */

/*
 * Which part is which, where a change holds several kinds: "relro, data from
 * X, bss from Y". Where each begins says it all; bytes between two parts are
 * padding and count as the first's. (JSON has both bounds of every part.)
 */
static void what_parts(struct vt_sink *sink, const struct vt_change *change,
                       const struct vt_detail *detail)
{
    struct vt_buf *out = &sink->out;
    struct {
        vt_addr start;
        uint8_t kind;
    } found[STRETCHES];
    uint8_t last_kind = VT_KIND_COUNT;
    size_t count = 0;

    for (size_t i = 0; i < detail->part_count; i++) {
        const struct vt_part *part = &detail->parts[i];
        vt_addr start = vt_max(part->start + detail->bias, change->start);
        vt_addr end = vt_min(part->end + detail->bias, change->end);
        if (start >= end || part->kind == last_kind)
            continue;
        if (count < STRETCHES) {
            found[count].start = start;
            found[count].kind = part->kind;
        }
        last_kind = part->kind;
        count++;
    }
    if (count < 2)
        return;

    vt_text_clause(sink);
    /* A loader's first mapping holds the place for all parts, before they come in their own ways. */
    bool place_only = change->op == VT_CHANGE_MADE && change->after.prot == VT_PROT_READ;
    if (place_only)
        vt_buf_str(out, "place for ");
    for (size_t i = 0; i < count && i < STRETCHES; i++) {
        if (i)
            vt_buf_str(out, ", ");
        vt_buf_str(out, vt_kind_name(found[i].kind));
        if (i && !place_only) {
            vt_buf_str(out, " from ");
            vt_buf_hex(out, found[i].start, 0);
        }
    }
    if (count > STRETCHES)
        vt_buf_printf(out, ", and %zu more", count - STRETCHES);
}

/* Size of the heap before and after, where this call made it another. */
static void what_heap(struct vt_sink *sink, const struct vt_event *event,
                      const struct vt_change *change, uint64_t before)
{
    struct vt_buf *out = &sink->out;
    int64_t growth = vt_text_heap_growth(change);
    bool altered = change->op == VT_CHANGE_ALTERED || change->op == VT_CHANGE_MOVED;

    const struct vt_region *region = change->op == VT_CHANGE_GONE ? &change->before
                                                                  : &change->after;
    if (region->flags & VT_REGION_ARENA && region->kind == VT_KIND_HEAP) {
        vt_text_clause(sink);
        vt_buf_str(out, "malloc arena (inferred)");
        return;
    }
    if (!event->call || strcmp(event->call->name, "brk") != 0 || !growth || altered)
        return;
    vt_text_clause(sink);
    vt_buf_str(out, "heap ");
    vt_text_size(sink, before);
    vt_buf_str(out, " -> ");
    vt_text_size(sink, before + (uint64_t)growth);
}

/* The image's file that a change is of, or null. */
static const struct vt_object *image_of(const struct vt_event *event, size_t i)
{
    return event->details ? event->details[i].image : NULL;
}

bool vt_text_is_overlay(const struct vt_event *event)
{
    const struct vt_object *image = NULL;
    bool gone = false;

    if (event->cause != VT_CAUSE_CALL || (event->call && event->call->failed))
        return false;
    for (size_t i = 0; i < event->change_count; i++) {
        if (event->changes[i].op == VT_CHANGE_MADE)
            image = image_of(event, i);
        gone = gone || event->changes[i].op == VT_CHANGE_GONE;
    }
    for (size_t i = 0; i < event->change_count; i++)
        if (!image_of(event, i) || image_of(event, i) != image ||
            (event->changes[i].op != VT_CHANGE_GONE && event->changes[i].op != VT_CHANGE_MADE))
            return false;
    return gone && image;
}

static void what_note(struct vt_sink *sink, const struct vt_event *event)
{
    if (!event->note)
        return;
    vt_text_clause(sink);
    vt_text_name(sink, event->note);
}

void vt_text_change(struct vt_sink *sink, const struct vt_event *event, size_t index, uint64_t heap,
                    bool first)
{
    static const struct vt_detail none;
    const struct vt_change *change = &event->changes[index];
    const struct vt_detail *detail = event->details ? &event->details[index] : &none;
    const struct vt_region *region = change->op == VT_CHANGE_GONE ? &change->before
                                                                  : &change->after;
    struct vt_buf *out = &sink->out;

    vt_text_region(sink, (char)change->op, region,
                   change->op == VT_CHANGE_GONE ? VT_STYLE_FAINT : vt_kind_style(region->kind));
    if (change->op == VT_CHANGE_ALTERED || change->op == VT_CHANGE_MOVED)
        what_it_was(sink, change);
    if (change->op == VT_CHANGE_MOVED) {
        vt_text_clause(sink);
        vt_buf_str(out, "from ");
        vt_text_range(out, change->before.start, change->before.end);
        if (change->source_stays)
            vt_buf_str(out, ", which stays, emptied");
    }
    what_heap(sink, event, change, heap);
    if (region->object) {
        vt_text_clause(sink);
        vt_text_object(sink, region);
    } else if (detail->image) {
        vt_text_clause(sink);
        vt_text_name(sink, vt_file_name(detail->image->name));
        vt_buf_printf(out, " (%s)", vt_kind_name(region->kind));
    }
    if (change->op != VT_CHANGE_GONE)
        what_parts(sink, change, detail);
    if (first && event->cause == VT_CAUSE_FAULT && event->sp) {
        vt_text_clause(sink);
        vt_buf_str(out, "sp ");
        vt_buf_hex(out, event->sp, 0);
    }
    if (first)
        what_note(sink, event);
    vt_text_line_end(sink);
}
