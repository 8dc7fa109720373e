/*
 * debug_file.c - hides where separate debug files are, how one is known to be
 * the right one, and how sections are compressed.
 *
 * The name of the stripped file and its .gnu_debuglink are the tracee's to
 * choose: what they lead to is opened only if it is a regular file.
 */
#include "image/debug_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#ifdef VASTRACE_ZSTD
#include <zstd.h>
#endif

#include "base/base.h"

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif

/* ---- finding ----------------------------------------------------------------------- */

static int open_regular(const char *path)
{
    char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
    struct stat st;
    int fd = -1, path_fd = open(path, O_PATH | O_CLOEXEC);

    if (path_fd < 0)
        return -1;
    if (fstat(path_fd, &st) == 0 && S_ISREG(st.st_mode)) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
        fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    }
    close(path_fd);
    return fd;
}

static bool has_build_id(int fd, const struct vt_elf *elf)
{
    struct vt_elf *found;

    if (vt_elf_read(fd, &found, NULL) != 0)
        return false;
    bool same = elf->build_id_length && found->build_id_length == elf->build_id_length &&
                !memcmp(found->build_id, elf->build_id, elf->build_id_length);
    vt_elf_destroy(found);
    return same;
}

static bool has_checksum(int fd, uint32_t wanted)
{
    unsigned char bytes[32768];
    uLong checksum = crc32(0, NULL, 0);
    ssize_t n;

    while ((n = read(fd, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            checksum = crc32(checksum, bytes, (uInt)n);
    return n == 0 && checksum == wanted;
}

static int open_by_build_id(const struct vt_debug_search *search)
{
    const struct vt_elf *elf = search->elf;
    char hex[2 * sizeof(elf->build_id) + 1], *path;

    if (elf->build_id_length < 2)
        return -1;
    for (size_t i = 0; i < elf->build_id_length; i++)
        sprintf(hex + 2 * i, "%02x", elf->build_id[i]);
    if (asprintf(&path, "%s/.build-id/%.2s/%s.debug", search->directory, hex, hex + 2) < 0)
        return -1;
    int fd = open_regular(path);
    free(path);
    if (fd >= 0 && !has_build_id(fd, elf)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int open_by_link(const struct vt_elf_file *file, const struct vt_debug_search *search)
{
    static const char *const name_of_link[] = {".gnu_debuglink"};
    const char *slash = strrchr(search->path, '/');
    char link[256];
    GElf_Shdr section;

    if (search->path[0] != '/' || !vt_elf_file_sections(file, name_of_link, 1, &section))
        return -1;
    ssize_t n =
        vt_elf_file_bytes(file, section.sh_offset, link, vt_min(section.sh_size, sizeof(link)));
    /* A name, its NUL, up to 3 bytes of padding, the checksum. */
    size_t length = n > 0 ? strnlen(link, (size_t)n) : 0;
    size_t at = (size_t)vt_round_up(length + 1, 4);
    if (!length || (size_t)n < at + 4 || memchr(link, '/', length))
        return -1;
    uint32_t checksum = vt_elf_file_word(file, (unsigned char *)link + at);
    const struct {
        const char *above, *below;
    } places[] = {{"", ""}, {"", "/.debug"}, {search->directory, ""}};
    for (size_t i = 0; i < VT_COUNTOF(places); i++) {
        char *path;
        if (asprintf(&path, "%s%.*s%s/%s", places[i].above, (int)(slash - search->path),
                     search->path, places[i].below, link) < 0)
            return -1;
        int fd = strcmp(path, search->path) ? open_regular(path) : -1;
        free(path);
        if (fd >= 0 && (has_build_id(fd, search->elf) || has_checksum(fd, checksum)))
            return fd;
        if (fd >= 0)
            close(fd);
    }
    return -1;
}

int vt_debug_file_open(const struct vt_elf_file *file, const struct vt_debug_search *search)
{
    int fd = open_by_build_id(search);

    return fd >= 0 ? fd : open_by_link(file, search);
}

/* ---- compressed sections ----------------------------------------------------------------- */

static bool inflate_zlib(const unsigned char *from, size_t length, unsigned char *to, size_t size)
{
    uLongf made = size;

    return uncompress(to, &made, from, length) == Z_OK && made == size;
}

static bool inflate_zstd(const unsigned char *from, size_t length, unsigned char *to, size_t size)
{
#ifdef VASTRACE_ZSTD
    return ZSTD_decompress(to, size, from, length) == size;
#else
    (void)from, (void)length, (void)to, (void)size;
    return false;
#endif
}

/* What stands in front of compressed contents. */
struct compression {
    size_t header; /* its length */
    uint64_t size; /* of what was compressed */
    bool (*inflate)(const unsigned char *from, size_t length, unsigned char *to, size_t size);
};

static uint64_t number(const struct vt_elf_file *file, const unsigned char *at, bool wide)
{
    uint64_t first = vt_elf_file_word(file, at), second;

    if (!wide)
        return first;
    second = vt_elf_file_word(file, at + 4);
    return file->encode == ELFDATA2LSB ? second << 32 | first : first << 32 | second;
}

/* Fill *compression if the contents are compressed. Returns false if they are in an unknown way. */
static bool find_compression(const struct vt_elf_file *file, const GElf_Shdr *section,
                             const unsigned char *bytes, size_t length,
                             struct compression *compression)
{
    *compression = (struct compression){0};
    if (section->sh_flags & SHF_COMPRESSED) {
        size_t header = file->wide ? sizeof(Elf64_Chdr) : sizeof(Elf32_Chdr);
        if (length < header)
            return false;
        uint32_t type = vt_elf_file_word(file, bytes);
        compression->header = header;
        compression->size = number(file, bytes + (file->wide ? 8 : 4), file->wide);
        compression->inflate = type == ELFCOMPRESS_ZLIB   ? inflate_zlib
                               : type == ELFCOMPRESS_ZSTD ? inflate_zstd
                                                          : NULL;
        return compression->inflate;
    }
    if (length >= 12 &&
        !memcmp(bytes, "ZLIB", 4)) { /* .zdebug_*; the size has the highest byte first */
        compression->header = 12;
        for (size_t i = 4; i < 12; i++)
            compression->size = compression->size << 8 | bytes[i];
        compression->inflate = inflate_zlib;
    }
    return true;
}

unsigned char *vt_section_load(const struct vt_elf_file *file, const GElf_Shdr *section,
                               uint64_t limit, size_t *length)
{
    struct compression compression;
    unsigned char *plain = NULL;

    if (section->sh_size > limit)
        return NULL;
    unsigned char *bytes = malloc((size_t)section->sh_size);
    ssize_t n = bytes ? vt_elf_file_bytes(file, section->sh_offset, bytes, (size_t)section->sh_size)
                      : -1;
    if (n <= 0 || !find_compression(file, section, bytes, (size_t)n, &compression)) {
        free(bytes);
        return NULL;
    }
    *length = (size_t)n;
    if (!compression.inflate)
        return bytes;
    if (compression.size && compression.size <= limit &&
        (plain = malloc((size_t)compression.size)) &&
        !compression.inflate(bytes + compression.header, *length - compression.header, plain,
                             (size_t)compression.size)) {
        free(plain);
        plain = NULL;
    }
    *length = (size_t)compression.size;
    free(bytes);
    return plain;
}
