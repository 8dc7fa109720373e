/*
 * page.c - hides how columns stay aligned although colours take bytes and no
 * room, and what of a recording is said in the same words by all commands.
 */
#include "cli/page.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/escape.h"
#include "sinks/columns.h"
#include "sinks/words.h"

/* ---- recordings -------------------------------------------------------------- */

struct vt_recording *cli_open_run(const char *path)
{
    struct vt_recording *recording;
    struct vt_error err = {0};
    if (!vt_recording_open(path, &recording, &err))
        return recording;
    cli_error("%s", err.text);
    return NULL;
}

void cli_note_gaps(const struct vt_recording *recording, const char *path)
{
    const struct vt_recording_info *info = vt_recording_info(recording);
    if (!info->complete)
        cli_error("\"%s\" was cut short or is still being written: it goes as far as %.6f s, #%llu",
                  path, (double)info->summary.duration_ns / 1e9,
                  (unsigned long long)info->summary.events);
    if (info->partial)
        cli_error("\"%s\" was made with a filter (--events, --kinds): what it left out is missing "
                  "here",
                  path);
}

const struct vt_recorded_process *cli_process(const struct vt_recording *recording, long pid)
{
    const struct vt_recorded_process *process;
    struct vt_error err = {0};
    if (!vt_recording_process(recording, (pid_t)pid, &process, &err))
        return process;
    cli_error("%s", err.text);
    return NULL;
}

bool cli_moment(struct vt_recording *recording, const struct vt_recorded_process *process,
                const char *text, struct vt_moment *moment)
{
    struct vt_error err = {0};
    struct vt_when when;
    if (!vt_when_parse(text, &when)) {
        cli_error("%s is no moment; give start, end, peak, a time as in 1.25 or 350ms, or an event "
                  "as in '#812'",
                  text);
        return false;
    }
    if (!vt_recording_moment(recording, process, &when, moment, &err))
        return true;
    cli_error("%s", err.text);
    return false;
}

bool cli_pid(const char *text, long *pid)
{
    if (cli_number(text, 1, INT32_MAX, pid))
        return true;
    cli_error("--pid %s: not a process id", text);
    return false;
}

void cli_lines_end(struct vt_lines *lines)
{
    static const char *const reasons[VT_LINES_MISSES] = {
        [VT_LINES_OTHER] = "the file is gone or cannot be read, or is not the one that ran",
        [VT_LINES_UNPROVEN] = "the recording has no build ID to know the file by",
    };
    for (int why = 0; lines && why < VT_LINES_MISSES; why++) {
        struct vt_buf names = {0};
        if (vt_lines_missed(lines, (enum vt_lines_miss)why, &names))
            cli_error("cannot look up source lines of %s: %s", vt_buf_cstr(&names), reasons[why]);
        vt_buf_deinit(&names);
    }
    vt_lines_destroy(lines);
}

/* ---- lines ----------------------------------------------------------------------- */

unsigned cli_width(struct cli_page *page)
{
    if (!page->measured)
        page->width = vt_terminal_width(STDOUT_FILENO);
    page->measured = true;
    return page->width;
}

static void sequence(struct cli_page *page, const char *style)
{
    size_t before = page->out.length;
    vt_buf_str(&page->out, "\033[");
    vt_buf_str(&page->out, style);
    vt_buf_char(&page->out, 'm');
    page->hidden += page->out.length - before;
}

void cli_paint(struct cli_page *page, const char *style)
{
    if (!page->color || !*style)
        return;
    sequence(page, style);
    page->painted = true;
}

void cli_plain(struct cli_page *page)
{
    if (page->painted)
        sequence(page, "0");
    page->painted = false;
}

void cli_pad(struct cli_page *page, size_t column)
{
    size_t at = page->out.length - page->line_start - page->hidden;
    size_t need = at < column ? column - at : at > 0;
    for (; need; need--)
        vt_buf_char(&page->out, ' ');
}

static void add_text(struct cli_page *page, bool right, size_t column, const char *format,
                     va_list args)
{
    char text[512];
    int length = vsnprintf(text, sizeof(text), format, args);
    size_t size = length < 0 ? 0 : vt_min((uint64_t)length, sizeof(text) - 1);
    if (right)
        cli_pad(page, column > size ? column - size : 0);
    vt_buf_add(&page->out, text, size);
}

void cli_text(struct cli_page *page, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_text(page, false, 0, format, args);
    va_end(args);
}

void cli_right(struct cli_page *page, size_t column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_text(page, true, column, format, args);
    va_end(args);
}

void cli_size_at(struct cli_page *page, size_t column, uint64_t bytes)
{
    struct vt_buf text = {0};
    vt_human_size(&text, bytes);
    cli_right(page, column, "%s", vt_buf_cstr(&text));
    page->out.failed |= text.failed;
    vt_buf_deinit(&text);
}

void cli_size(struct cli_page *page, uint64_t bytes)
{
    struct vt_buf text = {0};
    vt_human_size(&text, bytes);
    const char *tail = vt_buf_cstr(&text);
    size_t length = strlen(tail);
    if (length > 3 && !memcmp(tail + length - 3, ".0", 2))
        cli_text(page, "%.*s%c", (int)length - 3, tail, tail[length - 1]);
    else
        cli_text(page, "%s", tail);
    page->out.failed |= text.failed;
    vt_buf_deinit(&text);
}

void cli_range(struct cli_page *page, vt_addr start, vt_addr end)
{
    cli_text(page, "%llx-%llx", (unsigned long long)start, (unsigned long long)end);
}

void cli_name(struct cli_page *page, const char *raw)
{
    if (raw)
        vt_escape_terminal(&page->out, raw, strlen(raw));
}

void cli_duration(struct cli_page *page, int64_t ns)
{
    vt_add_duration(&page->out, ns);
}

void cli_seconds_at(struct cli_page *page, size_t column, int64_t ns)
{
    int64_t us = (ns + 500) / 1000;
    cli_right(page, column, "%lld.%06lld", (long long)(us / 1000000), (long long)(us % 1000000));
}

void cli_object(struct cli_page *page, const struct vt_region *region)
{
    const struct vt_object *object = region->object;
    bool file = object && object->type == VT_OBJECT_FILE;
    if (!object)
        return;
    cli_name(page, file ? vt_file_name(object->name) : object->name);
    if (file && region->offset)
        cli_text(page, " +0x%llx", (unsigned long long)region->offset);
}

void cli_line(struct cli_page *page)
{
    cli_plain(page);
    while (page->out.length > page->line_start && page->out.data[page->out.length - 1] == ' ')
        page->out.length--;
    unsigned width = cli_width(page);
    if (width && !page->out.failed) {
        bool columns = strstr(vt_buf_cstr(&page->out) + page->line_start, "  ");
        vt_fold_line(&page->out, page->line_start, width,
                     page->fold_at && columns ? page->fold_at : CLI_FOLD);
    }
    vt_buf_char(&page->out, '\n');
    page->line_start = page->out.length;
    page->hidden = 0;
}

int cli_page_end(struct cli_page *page)
{
    struct vt_buf *out = &page->out;
    int status = 0;
    if (out->failed) {
        cli_error("out of memory");
        status = EXIT_OURS;
    } else if (fwrite(out->data, 1, out->length, stdout) != out->length || fflush(stdout)) {
        if (errno != EPIPE) /* a reader that has seen enough is no failure */
            cli_error("cannot write to standard output: %m");
        status = errno == EPIPE ? 0 : EXIT_OURS;
    }
    vt_buf_deinit(out);
    cli_lines_end(page->lines);
    page->lines = NULL;
    return status;
}
