/*
 * demangle.h - names as programmers wrote them, from those that linkers see.
 */
#ifndef IMAGE_DEMANGLE_H
#define IMAGE_DEMANGLE_H

/*
 * A name of C++, Rust or D as it is written there, without parameters; null if it is none (or
 * this build has no demangler). free() it.
 */
char *vt_demangle(const char *name);

#endif
