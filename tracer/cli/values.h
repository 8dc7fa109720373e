/*
 * values.h - the small languages of the command line: what each placeholder of
 * help ("PID", "WHEN") stands for, and their parsers. Help, completions and
 * parsers take their words from the same tables.
 */
#ifndef CLI_VALUES_H
#define CLI_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "cli/cli.h"
#include <vastrace/layout.h>

/* What can be offered where a value is to be typed. */
enum cli_offer {
    CLI_OFFER_UNKNOWN, /* no such placeholder: values.c needs a row for it */
    CLI_OFFER_NOTHING, /* numbers and the like */
    CLI_OFFER_WORD,    /* one of some words */
    CLI_OFFER_LIST,    /* some of them, with commas */
    CLI_OFFER_FILE,    /* any file */
    CLI_OFFER_RUN,     /* a recording */
    CLI_OFFER_PID,     /* a running process */
    CLI_OFFER_PROGRAM, /* a program, and behind it what that takes itself */
};

/*
 * What a placeholder, as in struct cli_option's value or in a command's usage,
 * stands for. A placeholder in small letters is its words: "text|json". WORD
 * and LIST append the words to `words`, a space between them.
 */
enum cli_offer cli_offer(const char *placeholder, struct vt_buf *words);

/* Which of the words of a command's option, whose value is "text|json" or alike; -1 after a message. */
int cli_choice(const struct cli_command *command, int id, const char *text);

/* A time as in 2.5, 2.5s or 300ms, above 0 and below 1e9 seconds, or false after a message. */
bool cli_duration_ns(const char *option, const char *text, int64_t *ns);

/* "7ffff7a00000", with or without 0x, or two of these with a dash between; false after a message. */
bool cli_addresses(const char *text, vt_addr *start, vt_addr *end);

/* Add a list of kinds to a mask of bits (1 << enum vt_kind), or false after a message. */
bool cli_kinds(const char *list, uint32_t *mask);

/*
 * A list of causes as null-terminated words. Null after a message. The words
 * belong to the array: one free() frees all.
 */
char **cli_causes(const char *list);

#endif
