/*
 * error.c - hides how a failure's text is put together and cut to fit.
 *
 * Invariants: the text is formatted aside and then copied, so that a caller may
 * pass err->text itself as an argument; a text too long is cut with "...", and
 * the meaning of an errno is never what gets cut.
 */
#include <vastrace/error.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The text of fmt, then suffix, in err; what does not fit is lost in front of the suffix. */
static int set(struct vt_error *err, int errnum, const char *suffix, const char *fmt, va_list args)
    __attribute__((format(printf, 4, 0)));

static int set(struct vt_error *err, int errnum, const char *suffix, const char *fmt, va_list args)
{
    static const char cut[] = "...";

    if (errnum < 0)
        errnum = -errnum;
    if (errnum == 0) /* a failure is a failure, also when its cause got lost */
        errnum = EIO;
    if (!err)
        return -errnum;

    char text[sizeof(err->text)];
    size_t tail = strlen(suffix);
    size_t room = sizeof(text) - tail;
    int wanted = vsnprintf(text, room, fmt, args);
    size_t length = wanted < 0 ? 0 : (size_t)wanted;
    if (length >= room) {
        length = room - 1;
        memcpy(text + length - (sizeof(cut) - 1), cut, sizeof(cut) - 1);
    }
    memcpy(text + length, suffix, tail + 1);

    err->errnum = errnum;
    memcpy(err->text, text, length + tail + 1);
    return -errnum;
}

int vt_error_set(struct vt_error *err, int errnum, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int result = set(err, errnum, "", fmt, args);
    va_end(args);
    return result;
}

int vt_error_errno(struct vt_error *err, int errnum, const char *fmt, ...)
{
    char suffix[128];
    int positive = errnum < 0 ? -errnum : errnum;
    const char *meaning = strerrordesc_np(positive ? positive : EIO);
    va_list args;

    if (meaning)
        snprintf(suffix, sizeof(suffix), ": %s", meaning);
    else
        snprintf(suffix, sizeof(suffix), ": error %d", positive);
    va_start(args, fmt);
    int result = set(err, errnum, suffix, fmt, args);
    va_end(args);
    return result;
}
