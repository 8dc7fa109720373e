/*
 * fuzz_recording.c - a recording as raw bytes: the database's own structure.
 * fuzz_cells.c goes deeper.
 */
#include <fcntl.h>
#include <unistd.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = open(fuzz_path(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
    fuzz_ask_recording(fuzz_path());
    return 0;
}
