/*
 * commands.c - the table of subcommands: a new one is a file beside this one
 * and a row here. Apart from main.c, so that the generator of completions and
 * the tests can be linked with it.
 */
#include "cli/cli.h"

const struct cli_command *const cli_commands[] = {
    &cli_trace, &cli_report, &cli_layout, &cli_history, &cli_diff, &cli_export, &cli_aslr, NULL};
