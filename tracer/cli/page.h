/*
 * page.h - what the commands over recordings share: opening one, naming a
 * process and moments, and aligned, coloured lines on standard output.
 */
#ifndef CLI_PAGE_H
#define CLI_PAGE_H

#include "base/buf.h"
#include "cli/cli.h"
#include "session/lines.h"
#include "sinks/style.h"
#include <vastrace/recording.h>

/* ---- recordings ------------------------------------------------------------ */

/* Open, or say why not. Null then. */
struct vt_recording *cli_open_run(const char *path);

/* On standard error, if so: the recording was cut short, or a filter left something out. */
void cli_note_gaps(const struct vt_recording *recording, const char *path);

/* The process of --pid (0: not given), or null after a message. */
const struct vt_recorded_process *cli_process(const struct vt_recording *recording, long pid);

/* A moment from its words, or false after a message. */
bool cli_moment(struct vt_recording *recording, const struct vt_recorded_process *process,
                const char *text, struct vt_moment *moment);

/* --pid's value, or false after a message. */
bool cli_pid(const char *text, long *pid);

/* What --debug-files says, in the commands that tell stacks. */
#define CLI_DEBUG_FILES_HELP                                                                       \
    "take source lines of call stacks from the files and debug files that are there now"

/* Say on standard error of which files no lines could be looked up, and destroy; null is allowed. */
void cli_lines_end(struct vt_lines *lines);

/* ---- lines ------------------------------------------------------------------- */

/*
 * What is written, and where on its line. Zero-initialised is an empty page without colour. On a
 * terminal that is too narrow for a line, the line is folded.
 */
struct cli_page {
    struct vt_buf out;
    size_t line_start;
    size_t hidden; /* bytes of the line that take no column: colours */
    bool color;
    bool painted;
    unsigned fold_at; /* where a folded line with columns goes on; 0: as others do, at CLI_FOLD */
    bool measured;    /* the width is known */
    unsigned width;   /* of standard output's terminal; 0: none */
    const char *program;    /* whose stacks are told: its path; null: not known */
    bool debug_files;       /* look their source lines up */
    struct vt_lines *lines; /* where; null: not yet */
};
#define CLI_FOLD 4

/* Columns of standard output's terminal; 0: there is none. */
unsigned cli_width(struct cli_page *page);

/* Styles, as SGR parameters. */
#define CLI_TITLE  VT_STYLE_TITLE
#define CLI_FAINT  VT_STYLE_FAINT
#define CLI_STRONG VT_STYLE_STRONG
#define CLI_BAD    VT_STYLE_BAD
#define CLI_DOUBT  VT_STYLE_DOUBT
#define CLI_GOOD   VT_STYLE_GOOD

void cli_paint(struct cli_page *page, const char *style);
void cli_plain(struct cli_page *page);

/* Spaces up to a column; at least one where the line is there already. */
void cli_pad(struct cli_page *page, size_t column);

/* Text from here on, or ending at a column. Not escaped: words of ours. */
void cli_text(struct cli_page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_right(struct cli_page *page, size_t column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "1.5M" ending at a column; in running text "1.5M", and "132K" for "132.0K". */
void cli_size_at(struct cli_page *page, size_t column, uint64_t bytes);
void cli_size(struct cli_page *page, uint64_t bytes);

void cli_range(struct cli_page *page, vt_addr start, vt_addr end);
void cli_name(struct cli_page *page, const char *raw);                 /* escaped */
void cli_duration(struct cli_page *page, int64_t ns);                  /* "12.3 ms" */
void cli_seconds_at(struct cli_page *page, size_t column, int64_t ns); /* "0.001200" */

/* What a region is, for a "what" column: its file's or object's name, else nothing. */
void cli_object(struct cli_page *page, const struct vt_region *region);

/* A recorded frame, with what is known of its source. */
struct vt_frame cli_frame(struct cli_page *page, const struct vt_frame *recorded);

/*
 * A call stack in one line, at most so many functions of it: "brk .. malloc < main (a.c:12) < ...";
 * `..` stands for functions of a library that was called. Nothing for null.
 */
void cli_stack(struct cli_page *page, const struct vt_stack *stack, size_t most);

/* The same as a line of its own, from a column on; nothing for null. */
void cli_stack_line(struct cli_page *page, size_t column, const struct vt_stack *stack,
                    size_t most);

void cli_line(struct cli_page *page); /* ends it */

/* Write all to standard output and free the page. Returns the exit status. */
int cli_page_end(struct cli_page *page);

#endif
