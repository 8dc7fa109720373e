/*
 * escape.h - hostile bytes (names from a tracee, ELF files, recordings) made
 * safe for where they are printed. One function a destination.
 */
#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

#include "base/buf.h"

/*
 * For a terminal: control characters (C0, DEL, C1), invalid UTF-8, bidirectional
 * and other format controls become \n, \t, \xHH or \u{HHHH}; a backslash is doubled.
 */
void vt_escape_terminal(struct vt_buf *out, const char *bytes, size_t length);

/*
 * A JSON string with its quotes (RFC 8259). Bytes that are not valid UTF-8
 * become U+FFFD followed by two hex digits of the byte, so that no two
 * different names give the same text in practice and the line stays valid.
 */
void vt_escape_json(struct vt_buf *out, const char *bytes, size_t length);

/* Bytes as "4.0K", "132.0K", "1.5M", "20.0G", "16.0E": at most 6 columns, below 1024 units. */
void vt_human_size(struct vt_buf *out, uint64_t bytes);

#endif
