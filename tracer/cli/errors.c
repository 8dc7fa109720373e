/*
 * errors.c - hides how a message to the user is made safe to show, and which exit
 * status a failure has.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/escape.h"
#include "cli/cli.h"

void cli_error(const char *fmt, ...)
{
    char text[2048];
    struct vt_buf out = {0};
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    vt_escape_terminal(&out, text, strlen(text));
    for (char *c = text; out.failed && *c; c++) /* no memory to escape with: only what is safe */
        if (*c < ' ' || *c > '~')
            *c = '?';
    fprintf(stderr, "vastrace: %s\n", out.failed ? text : vt_buf_cstr(&out));
    vt_buf_deinit(&out);
}

int cli_cannot_run(int rc, const struct vt_error *err)
{
    cli_error("%s", err->text);
    if (rc == -ENOMEM || rc == -EPERM)
        return EXIT_OURS;
    return rc == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
