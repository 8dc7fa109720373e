/*
 * text.h - inside the text format: its state, and how a line is put together.
 * text.c tells the timeline: text_cause.c what causes say, text_change.c what
 * changes do, text_stack.c who made them, all in the columns of text_columns.c.
 * text_summary.c has what is said at the end; text_line.c is what all write
 * lines with.
 */
#ifndef SINKS_TEXT_H
#define SINKS_TEXT_H

#include "sinks/sink.h"
#include "sinks/style.h"

/* How many launched or attached processes get a table, and how many others a line. */
#define VT_TEXT_ROOTS  4
#define VT_TEXT_OTHERS 8

/* What the summary keeps of a process that ended or was left. */
struct vt_text_process {
    char name[VT_PROGRAM_NAME]; /* raw bytes */
    pid_t pid;
    bool detached;
    int wait_status;
    int64_t lifetime_ns;
    struct vt_process_totals totals;
    struct vt_stack_use stacks[VT_STACK_USES];
    size_t stack_count;
};

/* A stack as it was written last: most are told again and again. */
struct vt_text_stack {
    uint64_t id;  /* 0: none */
    size_t shift; /* of its columns */
    struct vt_buf lines;
};
#define VT_TEXT_STACKS 256 /* kept, by the lowest bits of their ids */

struct vt_text {
    /* the line being written: what its columns are counted by */
    size_t line_start; /* offset in sink->out */
    size_t hidden;     /* bytes of it that take no column: colours */
    bool painted;      /* a colour is on */
    unsigned fold_at;  /* where it goes on if the terminal is too narrow; 0: it is left alone */

    /* columns */
    const struct vt_text_columns *at; /* text_columns.c's */
    bool titled;                      /* the titles have been printed */
    bool said;                        /* the last column of the line has begun */
    bool show_pid;
    bool show_tid;
    pid_t first_pid; /* 0: no event yet */

    struct vt_text_stack stacks[VT_TEXT_STACKS];

    /* for the summary */
    bool verify;
    struct vt_buf command; /* the launched program's, quoted for a shell; empty when attached */
    pid_t left;            /* a root process that was left running; 0 none */
    size_t root_count;
    struct vt_text_process roots[VT_TEXT_ROOTS];
    uint64_t other_count;
    struct vt_text_process others[VT_TEXT_OTHERS]; /* largest peaks first */
};

/* Where lines go on that stand in no columns. */
#define VT_TEXT_FOLD 2

/* A line, and on a narrow terminal the lines that it is folded into. */
void vt_text_line_begin(struct vt_sink *sink);
void vt_text_line_end(struct vt_sink *sink);

/* Paint what follows, until the next vt_text_plain(). Nothing without colour or with "". */
void vt_text_paint(struct vt_sink *sink, const char *style);
void vt_text_plain(struct vt_sink *sink);

/* Spaces up to this column; where the line is there or beyond already, one, to keep words apart. */
void vt_text_pad(struct vt_sink *sink, size_t column);

/* Text of `length` bytes that ends at this column, as vt_text_pad() puts it. */
void vt_text_right(struct vt_sink *sink, size_t column, const char *text, size_t length);

/* A size or number that ends at this column. */
void vt_text_size_at(struct vt_sink *sink, size_t column, uint64_t bytes);
void vt_text_number_at(struct vt_sink *sink, size_t column, uint64_t number);

/* "1 region", "2 regions" */
void vt_text_count(struct vt_sink *sink, uint64_t count, const char *word);

/* A size in running text: "132K" rather than "132.0K". */
void vt_text_size(struct vt_sink *sink, uint64_t bytes);

/* A tracee's string, escaped; null gives nothing. */
void vt_text_name(struct vt_sink *sink, const char *raw);

/*
 * "exited 0 after 12.3 ms", "killed by SIGSEGV (core dumped) after 3.20 s",
 * "detached after 2.50 s, left running"
 */
void vt_text_ending(struct vt_sink *sink, bool detached, int wait_status, int64_t lifetime_ns);

/* ---- text_columns.c ---- */

void vt_text_columns_begin(struct vt_sink *sink, bool show_pid);

/* How far the columns behind the ids are shifted. */
size_t vt_text_shift(const struct vt_text *text);

/* Where the kind of a change stands, and what hangs on it. */
size_t vt_text_kind_at(const struct vt_text *text);

/* Make a column appear for an id that is not the only one any more. */
void vt_text_learn_ids(struct vt_sink *sink, const struct vt_event *event);

/* Time, ids, mark and cause; the line goes on at the op. */
void vt_text_lead(struct vt_sink *sink, const struct vt_event *event);
void vt_text_at_op(struct vt_sink *sink);

/* In the cause's place where a region lies that no change is of; the line goes on at the op. */
void vt_text_beside(struct vt_sink *sink, const char *where);

/* From the op on: the columns of a region up to its permissions. Clauses may follow. */
void vt_text_region(struct vt_sink *sink, char op, const struct vt_region *region,
                    const char *range_style);

/* What follows is a clause of the "what" column: two spaces stand between them. */
void vt_text_clause(struct vt_sink *sink);

void vt_text_range(struct vt_buf *out, vt_addr start, vt_addr end);

/* A region's object: its name, and how far into the file, and its pages if they are large. */
void vt_text_object(struct vt_sink *sink, const struct vt_region *region);

/* ---- text_change.c ---- */

/* By how much a change makes the heap of its space larger; its size before an event's first one. */
int64_t vt_text_heap_growth(const struct vt_change *change);
uint64_t vt_text_heap_before(const struct vt_event *event);

/*
 * A loader that lays an image's part over the place it held for it: what went
 * and what came are of the same file. Then the coming alone is worth a line.
 * (Anything else that is mapped over is told in lines of its own.)
 */
bool vt_text_is_overlay(const struct vt_event *event);

/* One change's line, which stands at the op; `first`: it is the event's first line. */
void vt_text_change(struct vt_sink *sink, const struct vt_event *event, size_t index, uint64_t heap,
                    bool first);

/* ---- text_cause.c ---- */

/* Which changes get a line; the others are in the sums above. */
enum vt_text_lines { VT_TEXT_NO_LINES, VT_TEXT_LINES_BUT_GONE, VT_TEXT_ALL_LINES };

/*
 * What a cause says of itself in front of its changes. It is written at the op and leaves the line
 * open; false: it says nothing, and the first change's line is the event's first.
 */
bool vt_text_say(struct vt_sink *sink, const struct vt_event *event, enum vt_text_lines *lines);

/* "heapy exited 0 after 12.3 ms: 61 events, every stop agreed with the kernel" */
void vt_text_closing(struct vt_sink *sink, const struct vt_event *event, bool with_pid);

/* ---- text_stack.c ---- */

/* The stack's lines, below the event's own: one function a line, innermost first. */
void vt_text_stack_lines(struct vt_sink *sink, const struct vt_stack *stack);
void vt_text_forget_stacks(struct vt_sink *sink);

/* ---- text_summary.c ---- */
void vt_text_summary_begin(struct vt_sink *sink, const struct vt_run *run);
void vt_text_summary_exit(struct vt_sink *sink, const struct vt_event *event);
void vt_text_summary_end(struct vt_sink *sink, const struct vt_summary *summary);

#endif
