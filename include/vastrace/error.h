/*
 * error.h - how every function of the library reports a failure.
 *
 * Convention for all functions that return int:
 *   negative  a failure, -errno; the text in *err says what was tried, why it
 *             failed and what to do. The caller forwards it or prints it.
 *   0         done
 *   positive  a condition, documented at the function, that its direct caller
 *             must handle; *err is untouched.
 *
 * The library never prints and never exits.
 */
#ifndef VASTRACE_ERROR_H
#define VASTRACE_ERROR_H

#include <stdarg.h>

/* The message of one failure. Lives in the caller's frame; owns nothing. */
struct vt_error {
    int errnum;     /* positive errno value, never 0 once set */
    char text[768]; /* one line, NUL-terminated, safe for a terminal once escaped */
};

/* As good as zeroed, at each of many calls: clearing all of the text would cost more than they do. */
static inline void vt_error_clear(struct vt_error *err)
{
    err->errnum = 0;
    err->text[0] = '\0';
}

/*
 * Describe a failure: errnum is a positive errno value, fmt a complete clause
 * without a final newline. A null err is allowed and drops the text.
 * Returns -errnum, so that a caller can write `return vt_error_set(...)`.
 */
int vt_error_set(struct vt_error *err, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * As vt_error_set, and appends ": " and what errnum means (strerror(3)).
 */
int vt_error_errno(struct vt_error *err, int errnum, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
