/*
 * stack.c - hides how a call stack becomes one line: who did it, and who had them do it.
 *
 * The innermost functions are, as a rule, several of the C library's, which nobody asks for, and
 * who called them would not be in the line any more. So of a library that was called, the function
 * that did it and the one that was called are told: "brk .. malloc < grow (table.c:88) < main",
 * and no lines of theirs.
 * Of inlined functions those of a toolchain's own sources are not: they alone would fill the line.
 */
#include <string.h>

#include "base/base.h"
#include "cli/page.h"
#include "sinks/words.h"

/*
 * How many of the innermost frames are of one library, where the others are not: else 0, as for
 * the program itself.
 */
static size_t library_run(const struct vt_stack *stack, const char *program)
{
    const struct vt_object *object = stack->frame_count ? stack->frames[0]->object : NULL;
    size_t run = 0;

    if (!object || (program && !strcmp(object->name, program)))
        return 0;
    while (run < stack->frame_count && stack->frames[run]->object == object)
        run++;
    return run < stack->frame_count ? run : 0;
}

/* Is it a header of the system's, or a source of a toolchain's own libraries? */
static bool is_toolchains(const char *file)
{
    static const char *const directories[] = {"/usr/include/", "/usr/lib/", "/usr/lib64/",
                                              "/rustc/"};

    for (size_t i = 0; i < VT_COUNTOF(directories); i++)
        if (!strncmp(file, directories[i], strlen(directories[i])))
            return true;
    return false;
}

static void source(struct cli_page *page, const char *file, unsigned line)
{
    if (!file)
        return;
    cli_text(page, " (");
    cli_name(page, vt_base_name(file));
    if (line)
        cli_text(page, ":%u", line);
    cli_text(page, ")");
}

static void function(struct cli_page *page, const struct vt_frame *frame)
{
    if (frame->function) {
        cli_name(page, frame->function);
        return;
    }
    if (frame->object)
        cli_name(page, vt_file_name(frame->object->name));
    cli_text(page, "+0x%llx", (unsigned long long)frame->address);
}

/* A line under construction. */
struct line {
    struct cli_page *page;
    size_t told;
    size_t most;
};

/* Before one more function; false if there is room for no more, which is said. */
static bool next(struct line *line, const char *separator)
{
    if (line->told == line->most) {
        cli_text(line->page, " < ...");
        return false;
    }
    cli_text(line->page, "%s", line->told++ ? separator : "");
    return true;
}

static bool tell_inlined(struct line *line, const struct vt_frame *frame)
{
    for (size_t i = 0; i < frame->inlined_count; i++) {
        const struct vt_inlined *inlined = &frame->inlined[i];
        if (!inlined->file || is_toolchains(inlined->file))
            continue;
        if (!next(line, " < "))
            return false;
        cli_name(line->page, inlined->function);
        source(line->page, inlined->file, inlined->line);
    }
    return true;
}

struct vt_frame cli_frame(struct cli_page *page, const struct vt_frame *recorded)
{
    struct vt_frame frame = *recorded;

    if (!page->debug_files)
        return frame;
    if (!page->lines)
        page->lines = vt_lines_create();
    page->out.failed |= !page->lines || vt_lines_find(page->lines, &frame);
    return frame;
}

void cli_stack(struct cli_page *page, const struct vt_stack *stack, size_t most)
{
    size_t run = stack ? library_run(stack, page->program) : 0;
    struct line line = {page, 0, most};

    for (size_t i = 0; stack && i < stack->frame_count; i++) {
        bool inside = i < run;
        if (inside && i && i < run - 1)
            continue;
        const struct vt_frame frame = cli_frame(page, stack->frames[i]);
        if ((!inside && !tell_inlined(&line, &frame)) ||
            !next(&line, inside && run > 2 ? " .. " : " < "))
            return;
        function(page, &frame);
        if (!inside)
            source(page, frame.file, frame.line);
    }
}

void cli_stack_line(struct cli_page *page, size_t column, const struct vt_stack *stack, size_t most)
{
    if (!stack)
        return;
    cli_pad(page, column);
    cli_paint(page, CLI_FAINT);
    cli_stack(page, stack, most);
    cli_line(page);
}
