/*
 * picture_sketch.c - hides where the parts of a sketch are kept, and how many lines a size is worth.
 */
#include "sinks/picture_sketch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/escape.h"
#include "sinks/columns.h"

void vt_pic_clear(struct vt_pic_sketch *s)
{
    s->box_count = s->row_count = 0;
    vt_buf_clear(&s->texts);
    vt_buf_char(&s->texts, '\0'); /* the empty text */
}

void vt_pic_sketch_deinit(struct vt_pic_sketch *s)
{
    free(s->rows);
    free(s->boxes);
    vt_buf_deinit(&s->texts);
}

const char *vt_pic_text_at(const struct vt_pic_sketch *s, vt_pic_text text)
{
    return s->texts.data && text < s->texts.length ? s->texts.data + text : "";
}

vt_pic_text vt_pic_text_end(struct vt_pic_sketch *s, vt_pic_text start)
{
    vt_buf_char(&s->texts, '\0');
    return s->texts.failed ? 0 : start;
}

vt_pic_text vt_pic_format(struct vt_pic_sketch *s, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    vt_pic_text start = s->texts.length;
    vt_buf_str(&s->texts, text);
    return vt_pic_text_end(s, start);
}

/* Outside characters a picture in ASCII cannot show are escaped as the terminal's controls are. */
void vt_pic_add_escaped(struct vt_buf *to, const char *bytes, bool utf8)
{
    struct vt_buf escaped = {0};
    uint32_t point;

    vt_escape_terminal(&escaped, bytes, strlen(bytes));
    for (const char *c = vt_buf_cstr(&escaped); *c;) {
        size_t length = vt_next_point(c, &point);
        if (point >= 0x80 && !utf8)
            vt_buf_printf(to, "\\u{%04" PRIx32 "}", point);
        else
            vt_buf_add(to, c, length);
        c += length;
    }
    to->failed = to->failed || escaped.failed;
    vt_buf_deinit(&escaped);
}

vt_pic_text vt_pic_escaped(struct vt_pic_sketch *s, const char *prefix, const char *bytes)
{
    vt_pic_text start = s->texts.length;

    vt_buf_str(&s->texts, prefix);
    vt_pic_add_escaped(&s->texts, bytes, s->utf8);
    return vt_pic_text_end(s, start);
}

struct vt_pic_size_text vt_pic_size_text(uint64_t bytes)
{
    struct vt_pic_size_text size = {0};
    struct vt_buf buf = {.data = size.text, .capacity = sizeof(size.text) - 1};

    vt_human_size(&buf, bytes); /* at most six columns: it never needs more */
    return size;
}

struct vt_pic_row *vt_pic_add_row(struct vt_pic_sketch *s, vt_addr start, uint64_t size)
{
    if (vt_reserve((void **)&s->rows, &s->row_capacity, s->row_count + 1, sizeof(*s->rows)) < 0) {
        s->failed = true;
        return &s->spare_row;
    }
    struct vt_pic_row *row = &s->rows[s->row_count++];
    *row = (struct vt_pic_row){.start = start, .size = size, .kind = VT_KIND_COUNT};
    return row;
}

struct vt_pic_box *vt_pic_add_box(struct vt_pic_sketch *s, vt_addr start)
{
    if (vt_reserve((void **)&s->boxes, &s->box_capacity, s->box_count + 1, sizeof(*s->boxes)) < 0) {
        s->failed = true;
        return &s->spare_box;
    }
    struct vt_pic_box *box = &s->boxes[s->box_count++];
    *box = (struct vt_pic_box){.start = start, .first_row = s->row_count};
    return box;
}

void vt_pic_add_pointer(struct vt_pic_sketch *s, vt_addr at, const struct vt_pic_row *inside,
                        vt_pic_text name)
{
    struct vt_pic_row copy = *inside; /* adding may move the rows */
    struct vt_pic_row *row = vt_pic_add_row(s, at, 0);

    *row = copy;
    row->start = at;
    row->pointer = true;
    row->perm[0] = copy.perm[0];
    row->name = name;
    row->note = 0;
}

void vt_pic_add_stack_pointer(struct vt_pic_sketch *s, vt_addr start, vt_addr end,
                              const struct vt_pic_row *inside)
{
    if (s->cells->input->sp && s->cells->input->sp >= start && s->cells->input->sp < end)
        vt_pic_add_pointer(s, s->cells->input->sp, inside, vt_pic_format(s, "stack pointer"));
}

void vt_pic_set_region(struct vt_pic_row *row, const struct vt_region *region)
{
    row->kind = region->kind;
    vt_prot_text(region->prot, region->flags, row->perm);
}

unsigned vt_pic_height(uint64_t size)
{
    unsigned log = 0;

    while (log < 63 && size >> (log + 1))
        log++;
    return log < 16 ? 1 : (unsigned)vt_min(2 + (log - 16) / 9, 5);
}

void vt_pic_close_box(struct vt_pic_sketch *s, struct vt_pic_box *box, uint64_t size)
{
    unsigned lines = 1;

    box->row_count = s->row_count - box->first_row;
    if (box->row_count == 1 || box->hole)
        lines = vt_pic_height(size);
    box->height =
        (unsigned)vt_max(lines, box->row_count + (box->above ? 1u : 0u) + (box->below ? 1u : 0u));
}

uint64_t vt_pic_lines(const struct vt_pic_sketch *s)
{
    uint64_t lines = 0;

    for (size_t i = 0; i < s->box_count; i++)
        lines += 1 + s->boxes[i].height;
    return lines;
}
