/*
 * columns.h - how much room text takes on a terminal, and how it is made to fit.
 * Texts are escaped already (base/escape.h): valid UTF-8, without controls.
 */
#ifndef SINKS_COLUMNS_H
#define SINKS_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The code point at `text`, and its length in bytes. */
size_t vt_next_point(const char *text, uint32_t *point);

/* Columns of a text; colours (SGR sequences) in it take none. */
unsigned vt_columns(const char *text);

/*
 * Append what fits of a text into so many columns; what does not is cut with `ellipsis`, which is
 * one column wide: its end, or with `keep_end` its beginning. Returns the columns used.
 */
unsigned vt_add_fitted(struct vt_buf *out, const char *text, unsigned columns, bool keep_end,
                       const char *ellipsis);

/*
 * Fold the line that begins at this offset of `out` and is not ended yet into lines of at most
 * `width` columns, each with its colours whole, the following ones indented. It is broken at
 * blanks; where two or more stand a new clause begins, which goes to the next line as a whole if
 * it fits there and this one is half full. A word that is longer than a line is not broken.
 */
void vt_fold_line(struct vt_buf *out, size_t start, unsigned width, unsigned indent);

/* Columns of the terminal behind a descriptor; 0: it is no terminal, or does not say. */
unsigned vt_terminal_width(int fd);

#endif
