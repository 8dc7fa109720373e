/*
 * options.c - hides getopt: options are parsed by, and help is printed from,
 * the commands' tables alone.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "cli/cli.h"
#include "cli/values.h"
#include "sinks/columns.h"
#include <vastrace/session.h>

#define OPTIONS_MAX 40
#define HELP_WIDTH  80

enum { OPTION_HELP = 1000, OPTION_VERSION };

const struct cli_option cli_common_options[] = {
    {OPTION_HELP, "help", NULL, "this text"},
    {OPTION_VERSION, "version", NULL, "the version"},
    {0},
};

/* An option as help writes it, "  -o, --output FILE". Returns how long that is. */
static int option_text(const struct cli_option *option, char text[64])
{
    int length = option->id < 256 ? snprintf(text, 64, "  -%c, --%s", option->id, option->name)
                                  : snprintf(text, 64, "      --%s", option->name);
    if (option->value)
        length += snprintf(text + length, 64 - (size_t)length,
                           option->value[0] == '[' ? "%s" : " %s", option->value);
    return length;
}

static void help_line(unsigned indent, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A line of help, folded where it is too long for a usual terminal. */
static void help_line(unsigned indent, const char *format, ...)
{
    struct vt_buf line = {0};
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) >= 0) {
        vt_buf_str(&line, text);
        vt_fold_line(&line, 0, HELP_WIDTH, indent);
        puts(vt_buf_cstr(&line));
        free(text);
    }
    va_end(args);
    vt_buf_deinit(&line);
}

static void help_options(const struct cli_option *options)
{
    const struct cli_option *const tables[] = {options, cli_common_options};
    char text[64];
    int width = 0;
    for (const struct cli_option *o = options; o->id; o++) {
        int length = option_text(o, text);
        width = length > width ? length : width;
    }
    for (size_t i = 0; i < VT_COUNTOF(tables); i++) {
        for (const struct cli_option *o = tables[i]; o->id; o++) {
            option_text(o, text);
            help_line((unsigned)width + 2, "%-*s  %s", width, text, o->help);
        }
    }
}

/* The words that options' values may be, where their placeholders do not show them themselves. */
static void help_words(const struct cli_option *options)
{
    for (const struct cli_option *o = options; o->id; o++) {
        struct vt_buf words = {0};
        enum cli_offer offer = o->value ? cli_offer(o->value, &words) : CLI_OFFER_NOTHING;
        if ((offer == CLI_OFFER_WORD || offer == CLI_OFFER_LIST) && !strchr(o->value, '|')) {
            putchar('\n');
            help_line(4, "%.*s: %s", (int)strcspn(o->value, ","), o->value, vt_buf_cstr(&words));
        }
        vt_buf_deinit(&words);
    }
}

static void help_command(const struct cli_command *command)
{
    for (const char *at = command->usage; *at;) {
        size_t length = strcspn(at, "\n");
        help_line(8, "  vastrace%s%s %.*s", command->name ? " " : "",
                  command->name ? command->name : "", (int)length, at);
        at += length + (at[length] == '\n');
    }
}

void cli_help(const struct cli_command *command)
{
    bool all = !command->name;
    printf("Usage:\n");
    for (size_t i = 0; cli_commands[i]; i++)
        if (all || cli_commands[i] == command)
            help_command(cli_commands[i]);
    putchar('\n');
    help_line(0, "%s", command->summary);
    putchar('\n');
    help_options(command->options);
    help_words(command->options);
    if (all) {
        putchar('\n');
        help_line(0,
                  "The status is the traced program's own (128 + N if signal N ended it); 125 if "
                  "vastrace failed or --verify found a difference, 126 if the program cannot be "
                  "run, 127 if it was not found.");
    }
}

int cli_next_option(const struct cli_command *command, int argc, char **argv)
{
    struct option longs[OPTIONS_MAX];
    char shorts[2 * OPTIONS_MAX + 2];
    size_t count = 0, at = 0;
    if (!command->mixed)
        shorts[at++] = '+'; /* options end at the program's name: what follows is its own */
    for (const struct cli_option *o = command->options; o->id && count < OPTIONS_MAX - 3; o++) {
        int takes = !o->value            ? no_argument
                    : o->value[0] == '[' ? optional_argument
                                         : required_argument;
        longs[count++] = (struct option){o->name, takes, NULL, o->id};
        if (o->id < 256) {
            shorts[at++] = (char)o->id;
            for (int i = 0; i < takes; i++) /* ":" or "::" */
                shorts[at++] = ':';
        }
    }
    for (const struct cli_option *o = cli_common_options; o->id; o++)
        longs[count++] = (struct option){o->name, no_argument, NULL, o->id};
    longs[count] = (struct option){0};
    shorts[at] = '\0';
    opterr = 0; /* getopt's messages would bear argv[0], and are not escaped */

    int id = getopt_long(argc, argv, shorts, longs, NULL);
    if (id == OPTION_HELP) {
        cli_help(command);
        exit(fflush(stdout) ? EXIT_OURS : 0);
    }
    if (id == OPTION_VERSION) {
        printf("vastrace %s\n", VASTRACE_VERSION);
        exit(fflush(stdout) ? EXIT_OURS : 0);
    }
    if (id == '?') {
        const char *word = argv[optind - 1];
        bool misses_value = optopt && optind == argc && strcmp(word, "--");
        if (misses_value)
            for (const struct cli_option *o = command->options; o->id; o++)
                if (o->id == optopt && o->value) {
                    cli_error("option %s needs a value: %s", word, o->value);
                    return '?';
                }
        if (optopt > 0 && optopt < 256)
            cli_error("there is no option -%c; see vastrace --help", optopt);
        else
            cli_error("there is no option %s, or it is used wrongly; see vastrace --help", word);
    }
    return id;
}

bool cli_color(const char *when, bool *color)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    bool sensible = isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
    const struct {
        const char *name;
        bool color;
    } choices[] = {{"auto", sensible}, {"always", true}, {"never", false}};

    for (size_t i = 0; i < VT_COUNTOF(choices); i++) {
        if (!strcmp(when, choices[i].name)) {
            *color = choices[i].color;
            return true;
        }
    }
    cli_error("--color %s: give auto, always or never", when);
    return false;
}

unsigned cli_terminal_width(void)
{
    unsigned width = vt_terminal_width(STDOUT_FILENO);
    const char *columns = getenv("COLUMNS");
    long number;
    if (width)
        return width;
    return columns && cli_number(columns, 20, 10000, &number) ? (unsigned)number : 80;
}
