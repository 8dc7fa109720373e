/*
 * generate.c - makes a shell's completions from the command line's own tables:
 * `generate TEMPLATE` writes the template to standard output, with the table
 * below in place of a line @TABLE@, or, as part of a text in single quotes as
 * fish reads it, of @QUOTED_TABLE@.
 *
 * What commands, options and values there are is known to cli/commands.c and
 * cli/values.c alone; how a shell completes, to its template. Lines are
 *
 *     command:NAME::::SUMMARY                    of the trace itself NAME is empty
 *     option:-s:--long:PLACEHOLDER:OFFER:HELP    of the command before it; -s may be empty
 *     place:NUMBER:-:PLACEHOLDER:OFFER:          what its NUMBERth word may be, one line each
 *
 * where OFFER is empty of an option without a value, `optional` of one whose
 * value can only be attached, else nothing, file, run, pid, program,
 * `word TEXT...` (one of these) or `list TEXT...` (some of these, with commas).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/buf.h"
#include "cli/values.h"

static const char *const offer_names[] = {
    [CLI_OFFER_NOTHING] = "nothing", [CLI_OFFER_WORD] = "word", [CLI_OFFER_LIST] = "list",
    [CLI_OFFER_FILE] = "file",       [CLI_OFFER_RUN] = "run",   [CLI_OFFER_PID] = "pid",
    [CLI_OFFER_PROGRAM] = "program",
};

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "generate: %s: %s\n", what, why);
    exit(1);
}

/* "FILE:file:" and the like. A PID of a recording is no running process: nothing is offered. */
static void add_offer(struct vt_buf *out, const char *placeholder, bool recorded)
{
    struct vt_buf words = {0};
    enum cli_offer offer = cli_offer(placeholder, &words);
    if (offer == CLI_OFFER_UNKNOWN)
        fail(placeholder, "tracer/cli/values.c has no row for this placeholder");
    if (recorded && offer == CLI_OFFER_PID)
        offer = CLI_OFFER_NOTHING;
    const char *name = placeholder + strspn(placeholder, "[=");
    vt_buf_add(out, name, strcspn(name, ",[]"));
    vt_buf_printf(out, ":%s", *placeholder == '[' ? "optional" : offer_names[offer]);
    if (words.length)
        vt_buf_printf(out, " %s", vt_buf_cstr(&words));
    vt_buf_char(out, ':');
    vt_buf_deinit(&words);
}

static void add_options(struct vt_buf *out, const struct cli_option *options, bool recorded)
{
    for (const struct cli_option *o = options; o->id; o++) {
        vt_buf_str(out, "option:");
        if (o->id < 256)
            vt_buf_printf(out, "-%c", o->id);
        vt_buf_printf(out, ":--%s:", o->name);
        if (o->value)
            add_offer(out, o->value, recorded);
        else
            vt_buf_str(out, "::");
        vt_buf_printf(out, "%s\n", o->help);
    }
}

/* Does this option of the command, as usage writes it, take the next word as its value? */
static bool takes_word(const struct cli_command *command, const char *text)
{
    for (const struct cli_option *o = command->options; o->id; o++)
        if (text[1] == '-' ? !strcmp(text + 2, o->name) : text[1] == o->id && !text[2])
            return o->value && *o->value != '[';
    return false;
}

/*
 * A line of usage, as "RUN --to FORMAT [--pid PID] WHEN", is split in place:
 * its places are the words outside brackets but for options and their values.
 */
static void add_places(struct vt_buf *out, const struct cli_command *command, char *line)
{
    int depth = 0, place = 0;
    bool is_value = false;
    for (char *save, *word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        bool inside = depth || *word == '[';
        for (const char *p = word; *p; p++)
            depth += (*p == '[') - (*p == ']');
        if (!inside && !is_value && *word != '-') {
            vt_buf_printf(out, "place:%d:-:", ++place);
            add_offer(out, word, false);
            vt_buf_char(out, '\n');
        }
        is_value = !inside && *word == '-' && takes_word(command, word);
    }
}

static void add_command(struct vt_buf *out, const struct cli_command *command)
{
    vt_buf_printf(out, "command:%s::::", command->name ? command->name : "");
    for (const char *p = command->summary; *p; p++)
        if (p[0] != '.' || p[1])
            vt_buf_char(out, *p == '\n' ? ' ' : *p);
    vt_buf_char(out, '\n');
    add_options(out, command->options, !strncmp(command->usage, "RUN ", 4));
    add_options(out, cli_common_options, false);

    char *usage = strdup(command->usage);
    if (!usage)
        fail(command->usage, "out of memory");
    for (char *save, *line = strtok_r(usage, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        add_places(out, command, line);
    free(usage);
}

static void write_quoted(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
}

int main(int argc, char **argv)
{
    struct vt_buf table = {0};
    char line[1024];
    FILE *template = argc == 2 ? fopen(argv[1], "re") : NULL;
    if (!template)
        fail(argc == 2 ? argv[1] : "usage", argc == 2 ? "cannot be read" : "generate TEMPLATE");
    for (size_t i = 0; cli_commands[i]; i++)
        add_command(&table, cli_commands[i]);
    if (table.failed)
        fail("table", "out of memory");
    while (fgets(line, sizeof(line), template)) {
        if (!strcmp(line, "@TABLE@\n"))
            fputs(vt_buf_cstr(&table), stdout);
        else if (!strcmp(line, "@QUOTED_TABLE@\n"))
            write_quoted(vt_buf_cstr(&table));
        else
            fputs(line, stdout);
    }
    bool failed = ferror(template) | fflush(stdout);
    fclose(template);
    vt_buf_deinit(&table);
    if (failed)
        fail(argv[1], "cannot read it, or cannot write to standard output");
    return 0;
}
