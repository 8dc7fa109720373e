/*
 * words.h - what stands in the database as a word, both ways.
 */
#ifndef RECORDING_WORDS_H
#define RECORDING_WORDS_H

#include <vastrace/event.h>

/* As /proc/PID/maps has it; storage that stays. */
const char *vt_word_perm(uint8_t prot, uint8_t flags);
bool vt_word_perm_parse(const char text[4], uint8_t *prot, uint8_t *flags);

/* "+", "-", "~" or ">". */
const char *vt_word_op(enum vt_change_op op);
bool vt_word_op_parse(char op); /* its value is the enum's */

/* vt_program_type_name() the other way; what is none of them gives VT_PROGRAM_UNKNOWN. */
enum vt_program_type vt_word_program_parse(const char *word);

#endif
