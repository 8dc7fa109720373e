/*
 * demangle.c - hides libiberty, and keeps what it is given within bounds.
 */
#include "image/demangle.h"

#include <stddef.h>
#include <string.h>
#ifdef VASTRACE_DEMANGLE
#include <libiberty/demangle.h>
#endif

/* Longer names stay as they are: what they stand for can be endless. */
#define MANGLED_MAX 4096

char *vt_demangle(const char *name)
{
#ifdef VASTRACE_DEMANGLE
    if (name[0] == '_' && strlen(name) <= MANGLED_MAX)
        return cplus_demangle(name, DMGL_AUTO);
#else
    (void)name;
#endif
    return NULL;
}
