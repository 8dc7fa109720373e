/*
 * text_line.c - hides how columns stay aligned although colours take bytes and
 * no room, and how small phrases are worded.
 *
 * Invariant: a column is counted in bytes that are not colours, which is right
 * for the ASCII that stands before the last column.
 */
#include "sinks/text.h"

#include <string.h>
#include <sys/wait.h>

#include "base/base.h"
#include "base/escape.h"
#include "sinks/columns.h"
#include "sinks/words.h"

void vt_text_line_begin(struct vt_sink *sink)
{
    struct vt_text *text = sink->state;

    text->line_start = sink->out.length;
    text->hidden = 0;
}

void vt_text_line_end(struct vt_sink *sink)
{
    const struct vt_text *text = sink->state;

    if (sink->width && text->fold_at)
        vt_fold_line(&sink->out, text->line_start, sink->width, text->fold_at);
    vt_buf_char(&sink->out, '\n');
    vt_text_line_begin(sink);
}

static void escape_sequence(struct vt_sink *sink, const char *style)
{
    struct vt_text *text = sink->state;
    size_t before = sink->out.length;

    vt_buf_str(&sink->out, "\033[");
    vt_buf_str(&sink->out, style);
    vt_buf_char(&sink->out, 'm');
    text->hidden += sink->out.length - before;
}

void vt_text_paint(struct vt_sink *sink, const char *style)
{
    struct vt_text *text = sink->state;

    if (!sink->color || !*style)
        return;
    escape_sequence(sink, style);
    text->painted = true;
}

void vt_text_plain(struct vt_sink *sink)
{
    struct vt_text *text = sink->state;

    if (!text->painted)
        return;
    escape_sequence(sink, "0");
    text->painted = false;
}

void vt_text_pad(struct vt_sink *sink, size_t column)
{
    static const char spaces[] = "                                                                ";
    const struct vt_text *text = sink->state;
    size_t at = sink->out.length - text->line_start - text->hidden;
    size_t need = at < column ? column - at : at > 0;

    while (need > 0) {
        size_t part = (size_t)vt_min(need, sizeof(spaces) - 1);
        vt_buf_add(&sink->out, spaces, part);
        need -= part;
    }
}

void vt_text_right(struct vt_sink *sink, size_t column, const char *bytes, size_t length)
{
    vt_text_pad(sink, column > length ? column - length : 0);
    vt_buf_add(&sink->out, bytes, length);
}

/* Sizes and numbers are made in a corner of the stack; they never need more. */
struct corner {
    char bytes[32];
    struct vt_buf buf;
};

static struct vt_buf *corner_buf(struct corner *corner)
{
    corner->buf = (struct vt_buf){.data = corner->bytes, .capacity = sizeof(corner->bytes)};
    return &corner->buf;
}

void vt_text_size_at(struct vt_sink *sink, size_t column, uint64_t bytes)
{
    struct corner corner;
    struct vt_buf *buf = corner_buf(&corner);

    vt_human_size(buf, bytes);
    vt_text_right(sink, column, buf->data, buf->length);
}

void vt_text_number_at(struct vt_sink *sink, size_t column, uint64_t number)
{
    struct corner corner;
    struct vt_buf *buf = corner_buf(&corner);

    vt_buf_dec(buf, number);
    vt_text_right(sink, column, buf->data, buf->length);
}

void vt_text_count(struct vt_sink *sink, uint64_t count, const char *word)
{
    vt_buf_dec(&sink->out, count);
    vt_buf_char(&sink->out, ' ');
    vt_buf_str(&sink->out, word);
    if (count != 1)
        vt_buf_char(&sink->out, 's');
}

void vt_text_size(struct vt_sink *sink, uint64_t bytes)
{
    struct corner corner;
    struct vt_buf *buf = corner_buf(&corner);

    vt_human_size(buf, bytes);
    size_t length = buf->length;
    if (length > 3 && memcmp(buf->data + length - 3, ".0", 2) == 0) {
        buf->data[length - 3] = buf->data[length - 1];
        length -= 2;
    }
    vt_buf_add(&sink->out, buf->data, length);
}

void vt_text_name(struct vt_sink *sink, const char *raw)
{
    if (raw)
        vt_escape_terminal(&sink->out, raw, strlen(raw));
}

void vt_text_ending(struct vt_sink *sink, bool detached, int wait_status, int64_t lifetime_ns)
{
    struct vt_buf *out = &sink->out;

    if (detached) {
        vt_buf_str(out, "detached");
    } else if (WIFSIGNALED(wait_status)) {
        vt_text_paint(sink, VT_STYLE_BAD);
        vt_buf_str(out, "killed by ");
        vt_add_signal(out, WTERMSIG(wait_status));
        if (WCOREDUMP(wait_status))
            vt_buf_str(out, " (core dumped)");
        vt_text_plain(sink);
    } else {
        vt_buf_str(out, "exited ");
        vt_buf_dec(out, (uint64_t)WEXITSTATUS(wait_status));
    }
    vt_buf_str(out, " after ");
    vt_add_duration(out, lifetime_ns);
    if (detached)
        vt_buf_str(out, ", left running");
}
