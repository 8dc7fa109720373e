/*
 * text_stack.c - hides how a call stack is written, and that most are written again and again: the
 * lines of those that were written last are kept.
 */
#include "sinks/text.h"
#include "sinks/words.h"

#include "base/base.h"

static void add_source(struct vt_sink *sink, const char *file, unsigned line)
{
    if (!file)
        return;
    vt_buf_str(&sink->out, "  ");
    vt_text_name(sink, vt_file_name(file));
    if (line)
        vt_buf_printf(&sink->out, ":%u", line);
}

static void begin_frame(struct vt_sink *sink)
{
    struct vt_text *text = sink->state;

    text->fold_at = (unsigned)vt_text_kind_at(text) + 2;
    vt_text_line_begin(sink);
    vt_text_pad(sink, vt_text_kind_at(text));
    vt_text_paint(sink, VT_STYLE_FAINT);
}

static void end_frame(struct vt_sink *sink)
{
    vt_text_plain(sink);
    vt_text_line_end(sink);
}

/* One function a line, innermost first. */
static void write_stack(struct vt_sink *sink, const struct vt_stack *stack)
{
    struct vt_buf *out = &sink->out;
    const char *end = vt_stack_end_text(stack->end);

    for (size_t i = 0; i < stack->frame_count; i++) {
        const struct vt_frame *frame = stack->frames[i];
        for (size_t k = 0; k < frame->inlined_count; k++) {
            begin_frame(sink);
            vt_text_name(sink, frame->inlined[k].function);
            vt_buf_str(out, " (inlined)");
            add_source(sink, frame->inlined[k].file, frame->inlined[k].line);
            end_frame(sink);
        }
        begin_frame(sink);
        if (frame->function)
            vt_text_name(sink, frame->function);
        vt_buf_str(out, frame->function ? "+0x" : "0x");
        vt_buf_hex(out, frame->function ? frame->offset : frame->address, 0);
        if (frame->object) {
            vt_buf_str(out, " (");
            vt_text_name(sink, vt_file_name(frame->object->name));
            vt_buf_char(out, ')');
        }
        add_source(sink, frame->file, frame->line);
        end_frame(sink);
    }
    if (end) {
        begin_frame(sink);
        vt_buf_printf(out, "... %s", end);
        end_frame(sink);
    }
}

void vt_text_stack_lines(struct vt_sink *sink, const struct vt_stack *stack)
{
    struct vt_text *text = sink->state;
    struct vt_text_stack *kept = &text->stacks[stack->id % VT_TEXT_STACKS];

    if (kept->id == stack->id && kept->shift == vt_text_shift(text) && !kept->lines.failed) {
        vt_buf_add(&sink->out, kept->lines.data, kept->lines.length);
        vt_text_line_begin(sink);
        return;
    }
    size_t begin = sink->out.length;
    write_stack(sink, stack);
    kept->id = stack->id;
    kept->shift = vt_text_shift(text);
    vt_buf_clear(&kept->lines);
    if (!sink->out.failed)
        vt_buf_add(&kept->lines, sink->out.data + begin, sink->out.length - begin);
}

void vt_text_forget_stacks(struct vt_sink *sink)
{
    struct vt_text *text = sink->state;

    for (size_t i = 0; i < VT_COUNTOF(text->stacks); i++)
        vt_buf_deinit(&text->stacks[i].lines);
}
