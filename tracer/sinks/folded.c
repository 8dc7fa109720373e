/*
 * folded.c - mapped bytes by who made them, for flame graph tools: one line a
 * site, `frame;frame;...;leaf BYTES`, written at the end, sorted.
 *
 * The frames: the program (with its process id, as in sh-4242, where there are
 * several processes), the call stack from the outermost function inwards where
 * one was taken (behind a word in brackets if it is not whole), the call or
 * other cause, the kind that the memory is, and, without a stack, the file or
 * special object.
 *
 * Which bytes is vt_measure; the peak is that of all processes together.
 *
 * What holds the grammar: names are escaped as on a terminal; then a semicolon
 * becomes a colon and a space an underscore, so that neither ends a frame or
 * looks like a count. Lines that become equal by it are one, with the sum.
 */
#include "sinks/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/escape.h"
#include "sinks/sites.h"
#include "sinks/words.h"

struct folded {
    struct vt_sites sites;
};

/* A line without its count. */
struct line {
    size_t at; /* in the text */
    size_t length;
    uint64_t bytes;
    const char *text; /* set when the text is complete */
};

static void put_frame(struct vt_buf *out, const char *name)
{
    size_t from = out->length;
    if (!name || !*name)
        name = "[unknown]";
    vt_escape_terminal(out, name, strlen(name));
    for (size_t i = from; i < out->length && !out->failed; i++) {
        char *c = &out->data[i];
        *c = *c == ';' ? ':' : *c == ' ' ? '_' : *c;
    }
    vt_buf_char(out, ';');
}

static void put_stack(struct vt_buf *out, const struct vt_stack *stack)
{
    if (stack->end != VT_STACK_COMPLETE) /* why it does not begin where others do */
        vt_buf_printf(out, "[%s];", vt_stack_end_name(stack->end));
    for (size_t i = stack->frame_count; i-- > 0;) {
        const struct vt_frame *frame = stack->frames[i];
        struct vt_buf name = {0};
        if (!frame->function) {
            if (frame->object)
                vt_buf_printf(&name, "%s+", vt_base_name(frame->object->name));
            vt_buf_printf(&name, "0x%llx", (unsigned long long)frame->address);
        }
        put_frame(out, frame->function ? frame->function : vt_buf_cstr(&name));
        out->failed |= name.failed;
        vt_buf_deinit(&name);
        for (size_t j = frame->inlined_count; j-- > 0;)
            put_frame(out, frame->inlined[j].function);
    }
}

static void put_site(struct vt_buf *out, const struct vt_sites *sites, const struct vt_site *site)
{
    const struct vt_origin *origin = vt_site_origin(sites, site);
    put_frame(out, vt_sites_name(sites, origin->program));
    if (sites->spaces.several) {
        out->length -= !out->failed; /* the semicolon */
        vt_buf_printf(out, "-%d;", (int)origin->pid);
    }
    if (origin->stack)
        put_stack(out, origin->stack);
    put_frame(out, vt_sites_name(sites, origin->cause));
    put_frame(out, vt_kind_name(site->kind));
    if (site->object)
        put_frame(out, vt_base_name(vt_sites_name(sites, site->object)));
    out->length -= !out->failed;
}

static int by_text(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = memcmp(x->text, y->text, vt_min(x->length, y->length));
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

static void put_lines(struct vt_buf *out, struct line *lines, size_t count)
{
    if (count)
        qsort(lines, count, sizeof(*lines), by_text);
    for (size_t i = 0, next; i < count; i = next) {
        uint64_t bytes = 0;
        for (next = i; next < count && !by_text(&lines[i], &lines[next]); next++)
            bytes += lines[next].bytes;
        vt_buf_add(out, lines[i].text, lines[i].length);
        vt_buf_char(out, ' ');
        vt_buf_dec(out, bytes);
        vt_buf_char(out, '\n');
    }
}

static int fail(const struct vt_sink *sink, struct vt_error *err)
{
    return vt_error_errno(err, ENOMEM, "cannot write %s", sink->target);
}

static int folded_begin(struct vt_sink *sink, const struct vt_run *run, struct vt_error *err)
{
    struct folded *folded = sink->state;
    (void)run;
    (void)err;
    vt_sites_init(&folded->sites, sink->measure == VT_MEASURE_MADE);
    return 0;
}

static int folded_event(struct vt_sink *sink, const struct vt_event *event, struct vt_error *err)
{
    struct folded *folded = sink->state;
    return vt_sites_event(&folded->sites, event) ? fail(sink, err) : 0;
}

static int folded_end(struct vt_sink *sink, const struct vt_summary *summary, struct vt_error *err)
{
    struct folded *folded = sink->state;
    const struct vt_sites *sites = &folded->sites;
    struct line *lines = calloc(sites->count + 1, sizeof(*lines));
    struct vt_buf text = {0};
    size_t count = 0;
    (void)summary;
    for (size_t i = 0; lines && i < sites->count; i++) {
        uint64_t bytes = vt_site_bytes(sites, &sites->sites[i], sink->measure);
        size_t at = text.length;
        if (!bytes)
            continue;
        put_site(&text, sites, &sites->sites[i]);
        lines[count++] = (struct line){.at = at, .length = text.length - at, .bytes = bytes};
    }
    bool failed = !lines || text.failed;
    for (size_t i = 0; i < count; i++)
        lines[i].text = text.data + lines[i].at;
    if (!failed)
        put_lines(&sink->out, lines, count);
    free(lines);
    vt_buf_deinit(&text);
    return failed ? fail(sink, err) : 0;
}

static void folded_destroy(struct vt_sink *sink)
{
    struct folded *folded = sink->state;
    vt_sites_deinit(&folded->sites);
}

const struct vt_sink_ops vt_folded_ops = {
    .endings = (const char *const[]){".folded", NULL},
    .state_size = sizeof(struct folded),
    .begin = folded_begin,
    .event = folded_event,
    .end = folded_end,
    .destroy = folded_destroy,
};
