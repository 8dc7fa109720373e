/*
 * cli.h - what the subcommands share: the table of them, exit statuses, and
 * the tables of options that parsing, help and completions are made from.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <vastrace/error.h>

/* Statuses of our own; else the traced program's (env(1) and timeout(1) use the same). */
enum {
    EXIT_OURS = 125,       /* vastrace itself failed, or --verify found a difference */
    EXIT_CANNOT_RUN = 126, /* the program was found and cannot be run */
    EXIT_NOT_FOUND = 127,  /* no such program */
};

/* One option. The id is returned by cli_next_option(). */
struct cli_option {
    int id;            /* a short option's character, or a number above 255 */
    const char *name;  /* long name without dashes */
    const char *value; /* null: takes none; "[=X]": may take one; else its placeholder: values.h */
    const char *help;  /* one clause */
};

/* What every command has beside its own: --help, --version. Ended by id 0. */
extern const struct cli_option cli_common_options[];

/* A subcommand, a row of the table in commands.c. */
struct cli_command {
    const char *name;  /* null: the trace itself, named by nothing */
    const char *usage; /* its arguments, for help, by line; the words outside brackets are
                          placeholders of values.h, from which completions know what to offer */
    const char *summary;
    const struct cli_option *options; /* ended by id 0 */
    int (*run)(const struct cli_command *command, int argc, char **argv);
    bool mixed; /* options may stand behind other words, which are no program with its own */
};

extern const struct cli_command cli_trace;
extern const struct cli_command cli_layout;
extern const struct cli_command cli_aslr;
extern const struct cli_command cli_report;
extern const struct cli_command cli_history;
extern const struct cli_command cli_diff;
extern const struct cli_command cli_export;

/* All commands, ended by a null pointer; the trace first. */
extern const struct cli_command *const cli_commands[];

/* `vastrace: ` and the text on standard error, control characters escaped. */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Say why a program could not be launched; rc is the launch's. Returns the exit status for it. */
int cli_cannot_run(int rc, const struct vt_error *err);

/* The help of one command (all of them for the trace), on standard output. */
void cli_help(const struct cli_command *command);

/*
 * The next option's id, by the command's table; its value is in optarg.
 * -1 at the first word that is no option (optind), '?' after a message.
 * --help and --version are handled here and end the program.
 */
int cli_next_option(const struct cli_command *command, int argc, char **argv);

/* The value of --color for standard output: auto, always or never; false after a message. */
bool cli_color(const char *when, bool *color);

/* Columns of the terminal that standard output is, else COLUMNS, else 80. */
unsigned cli_terminal_width(void);

/* A whole number without anything behind it, in [low, high]; false otherwise. */
bool cli_number(const char *text, long low, long high, long *value);

#endif
