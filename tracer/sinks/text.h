/*
 * text.h - inside the text format: its state, and how a line is put together.
 * text.c tells the timeline, text_summary.c what is said at the end,
 * text_line.c is what both write lines with.
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
    char name[256]; /* raw bytes, cut to fit */
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
    const struct vt_text_columns *at; /* text.c's */
    bool titled;                      /* the titles have been printed */
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

/* text_summary.c */
void vt_text_summary_begin(struct vt_sink *sink, const struct vt_run *run);
void vt_text_summary_exit(struct vt_sink *sink, const struct vt_event *event);
void vt_text_summary_end(struct vt_sink *sink, const struct vt_summary *summary);

#endif
