/*
 * fuzz.h - what fuzz targets share. A target is fuzz_NAME.c: one function that
 * takes hostile bytes and aborts where something is claimed of them that is not
 * so; crashes and undefined behaviour are found by the sanitizers. Linked with
 * libFuzzer it searches; linked with replay.c it goes through the corpus, as an
 * ordinary test.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <vastrace/error.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Must hold whatever the input is; also in builds without assert(3). */
#define FUZZ_CHECK(claim)                                                                          \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);                    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A failure is a negative errno and bears its reason, in one line. */
void fuzz_check_failure(int rc, const struct vt_error *err);

/* The input taken apart from its front; zeros behind its end. */
struct fuzz_bytes {
    const uint8_t *at;
    size_t left;
};
uint64_t fuzz_take(struct fuzz_bytes *bytes, size_t count); /* 1..8, little endian */

/* An open file that holds the input; the same descriptor each time, not to be closed. */
int fuzz_fd(const uint8_t *data, size_t size);

/* A file's name in a folder of this process's own, which goes when it ends. Static. */
const char *fuzz_path(void);

/* Ask a recording everything that it can be asked, and write it in every format to nowhere. */
void fuzz_ask_recording(const char *path);

#endif
