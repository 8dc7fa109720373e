/*
 * style.h - what things are painted with on a terminal, as SGR parameters: attributes, and colours
 * that are readable on black and on white.
 */
#ifndef SINKS_STYLE_H
#define SINKS_STYLE_H

#include <stdint.h>

#define VT_STYLE_NONE   ""
#define VT_STYLE_TITLE  "2" /* of columns */
#define VT_STYLE_FAINT  "2"
#define VT_STYLE_STRONG "1"
#define VT_STYLE_BAD    "1;31" /* failures and disagreement */
#define VT_STYLE_DOUBT  "33"   /* guesses and losses */
#define VT_STYLE_GOOD   "32"

/* Of a kind of memory, also beyond the last one; "" for none. */
const char *vt_kind_style(uint8_t kind);

#endif
