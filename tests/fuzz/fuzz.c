/*
 * fuzz.c - what fuzz targets share: files made of the input, and its bytes as numbers.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fuzz_check_failure(int rc, const struct vt_error *err)
{
    FUZZ_CHECK(rc < 0 && rc > -4096);
    FUZZ_CHECK(*err->text && !strchr(err->text, '\n'));
}

uint64_t fuzz_take(struct fuzz_bytes *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count && bytes->left; i++, bytes->at++, bytes->left--)
        value |= (uint64_t)*bytes->at << (8 * i);
    return value;
}

int fuzz_fd(const uint8_t *data, size_t size)
{
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("input", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && !ftruncate(fd, 0));
    FUZZ_CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
    return fd;
}

static char folder[] = "/tmp/vastrace-fuzz.XXXXXX";

static void remove_folder(void)
{
    unlink(fuzz_path());
    rmdir(folder);
}

const char *fuzz_path(void)
{
    static char path[sizeof(folder) + 16];
    if (!*path) {
        FUZZ_CHECK(mkdtemp(folder));
        snprintf(path, sizeof(path), "%s/run.vas", folder);
        atexit(remove_folder);
    }
    return path;
}
