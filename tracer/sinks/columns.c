/*
 * columns.c - hides which code points are wide, that colours take bytes but no columns, and where
 * a line may be broken.
 */
#include "sinks/columns.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/base.h"

static unsigned point_columns(uint32_t point)
{
    static const struct {
        uint32_t first, last;
        unsigned columns;
    } ranges[] = {
        {0x0300, 0x036f, 0},   {0x1100, 0x115f, 2},   {0x20d0, 0x20ff, 0}, {0x2e80, 0x303e, 2},
        {0x3041, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2}, {0xfe00, 0xfe0f, 0},
        {0xfe20, 0xfe2f, 0},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2}, {0xffe0, 0xffe6, 2},
        {0x1f300, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
    };

    for (size_t i = 0; i < VT_COUNTOF(ranges); i++) {
        if (point >= ranges[i].first && point <= ranges[i].last)
            return ranges[i].columns;
    }
    return 1;
}

size_t vt_next_point(const char *text, uint32_t *point)
{
    unsigned char c = (unsigned char)text[0];
    size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    *point = length == 1 ? c : c & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80) /* not reached for escaped text */
            return i;
        *point = *point << 6 | ((unsigned char)text[i] & 0x3f);
    }
    return length;
}

/* Of the first `length` bytes. */
static unsigned columns_of(const char *text, size_t length)
{
    const char *end = text + length;
    unsigned columns = 0;
    uint32_t point;

    while (text < end) {
        if (*text == '\033') { /* a colour of ours: up to its 'm' */
            text += strcspn(text, "m");
            text += *text == 'm';
            continue;
        }
        text += vt_next_point(text, &point);
        columns += point_columns(point);
    }
    return columns;
}

unsigned vt_columns(const char *text)
{
    return columns_of(text, strlen(text));
}

unsigned vt_add_fitted(struct vt_buf *out, const char *text, unsigned columns, bool keep_end,
                       const char *ellipsis)
{
    unsigned width = vt_columns(text), used = 0;
    uint32_t point;

    if (width <= columns) {
        vt_buf_str(out, text);
        return width;
    }
    if (columns == 0)
        return 0;
    if (keep_end) {
        while (width > columns - 1) {
            text += vt_next_point(text, &point);
            width -= point_columns(point);
        }
        vt_buf_str(out, ellipsis);
        vt_buf_str(out, text);
        return width + 1;
    }
    for (;;) {
        size_t length = vt_next_point(text, &point);
        if (used + point_columns(point) > columns - 1)
            break;
        vt_buf_add(out, text, length);
        used += point_columns(point);
        text += length;
    }
    vt_buf_str(out, ellipsis);
    return used + 1;
}

/* Columns up to the next two blanks, or to the end. */
static unsigned clause_columns(const char *text)
{
    const char *end = strstr(text, "  ");

    return columns_of(text, end ? (size_t)(end - text) : strlen(text));
}

/* The last colour that is on after this word, or null; `on` was on before it. */
static const char *color_after(const char *text, size_t length, const char *on)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\033')
            on = text[i + 1] == '[' && text[i + 2] == '0' && text[i + 3] == 'm' ? NULL : text + i;
    return on;
}

void vt_fold_line(struct vt_buf *out, size_t start, unsigned width, unsigned indent)
{
    const char *color = NULL; /* one that is on, in `line` */
    unsigned at = 0;

    if (out->failed || out->length - start <= width ||
        vt_columns(vt_buf_cstr(out) + start) <= width)
        return;
    char *line = strdup(vt_buf_cstr(out) + start);
    if (!line) {
        out->failed = true;
        return;
    }
    out->length = start;
    for (const char *text = line; *text;) {
        unsigned blanks = (unsigned)strspn(text, " ");
        text += blanks;
        size_t length = strcspn(text, " ");
        unsigned columns = columns_of(text, length), clause = clause_columns(text);
        bool begins = blanks > 1 && at + blanks + clause > width && indent + clause <= width &&
                      at >= width / 2;
        if (text - blanks == line && blanks > indent && blanks + clause > width)
            blanks = indent; /* the margin alone would fill the line */
        if (at > indent && (begins || at + blanks + columns > width)) {
            /* Pagers forget colours at a line's end. */
            vt_buf_str(out, color ? "\033[0m\n" : "\n");
            blanks = indent;
            at = 0;
        }
        for (unsigned i = 0; i < blanks; i++)
            vt_buf_char(out, ' ');
        if (color && at == 0)
            vt_buf_add(out, color, strcspn(color, "m") + 1);
        vt_buf_add(out, text, length);
        color = color_after(text, length, color);
        at += blanks + columns;
        text += length;
    }
    free(line);
}

unsigned vt_terminal_width(int fd)
{
    struct winsize size;

    return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
