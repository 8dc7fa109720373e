/*
 * debug_file.c - hides where separate debug files are, how one is known to be
 * the right one, and how sections are compressed.
 *
 * The name of the stripped file and the links in it are the tracee's to choose:
 * what they lead to is opened for reading only if it is a regular file, and read no
 * further than its headers unless it is an ELF file.
 */
#include "image/debug_file.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#ifdef VASTRACE_DEFLATE
#include <libdeflate.h>
#endif
#ifdef VASTRACE_ZSTD
#include <zstd.h>
#endif

#include "base/base.h"
#include "image/cache.h"

#ifndef ELFCOMPRESS_ZSTD
#define ELFCOMPRESS_ZSTD 2
#endif

/* A limit against files made to keep the tracer busy: a larger one is not read for its checksum. */
#define CHECKED_BYTES_MAX (INT64_C(4) << 30)

/* ---- finding ----------------------------------------------------------------------- */

/* What a file is told from others by, wherever it stands. */
struct build_id {
    const unsigned char *bytes;
    size_t length;
};

/*
 * Does the file bear this build ID? Asked of its sections: a file with nothing but debug
 * information may have no segments.
 */
static bool has_build_id(int fd, struct build_id wanted)
{
    static const char *const names[] = {".note.gnu.build-id"};
    /* The sizes of name and contents, the type; name; contents. */
    unsigned char note[16 + VT_BUILD_ID_MOST];
    struct vt_elf_file file;
    GElf_Shdr section;

    if (!wanted.length || wanted.length > sizeof(note) - 16 ||
        vt_elf_file_init(&file, fd, NULL) != 0 || !vt_elf_file_sections(&file, names, 1, &section))
        return false;
    ssize_t length = vt_elf_file_bytes(&file, section.sh_offset, note,
                                       vt_min(section.sh_size, 16 + wanted.length));
    return length == (ssize_t)(16 + wanted.length) && vt_elf_file_word(&file, note) == 4 &&
           vt_elf_file_word(&file, note + 4) == wanted.length &&
           vt_elf_file_word(&file, note + 8) == NT_GNU_BUILD_ID && !memcmp(note + 12, "GNU", 4) &&
           !memcmp(note + 16, wanted.bytes, wanted.length);
}

/* Is it an ELF file with this checksum? Of another one no more is read than its head. */
static bool has_checksum(int fd, uint32_t wanted)
{
    unsigned char bytes[32768];
    uLong checksum = crc32(0, NULL, 0);
    struct vt_elf_file file;
    struct stat st;
    ssize_t n;

    if (vt_elf_file_init(&file, fd, NULL) != 0 || fstat(fd, &st) < 0 ||
        st.st_size > CHECKED_BYTES_MAX)
        return false;
    while ((n = read(fd, bytes, sizeof(bytes))) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            checksum = crc32(checksum, bytes, (uInt)n);
    return n == 0 && checksum == wanted;
}

/* The descriptor if what it is of has the build ID, else -1. */
static int only_with_build_id(int fd, struct build_id id)
{
    if (fd >= 0 && has_build_id(fd, id))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int open_by_build_id(const char *directory, struct build_id id)
{
    char hex[2 * VT_BUILD_ID_MOST + 1], *path;

    if (id.length < 2 || 2 * id.length >= sizeof(hex))
        return -1;
    for (size_t i = 0; i < id.length; i++)
        sprintf(hex + 2 * i, "%02x", id.bytes[i]);
    if (asprintf(&path, "%s/.build-id/%.2s/%s.debug", directory, hex, hex + 2) < 0)
        return -1;
    int fd = vt_image_open_path(path);
    free(path);
    return only_with_build_id(fd, id);
}

static struct build_id build_id_of(const struct vt_elf *elf)
{
    return (struct build_id){elf->build_id.bytes, elf->build_id.length};
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
        int fd = strcmp(path, search->path) ? vt_image_open_path(path) : -1;
        free(path);
        if (fd >= 0 && (has_build_id(fd, build_id_of(search->elf)) || has_checksum(fd, checksum)))
            return fd;
        if (fd >= 0)
            close(fd);
    }
    return -1;
}

int vt_debug_file_open(const struct vt_elf_file *file, const struct vt_debug_search *search)
{
    int fd = open_by_build_id(search->directory, build_id_of(search->elf));

    return fd >= 0 ? fd : open_by_link(file, search);
}

static int find_nothing(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
                        char **file_name, Elf **elf)
{
    (void)module, (void)user, (void)name, (void)base, (void)file_name, (void)elf;
    return -1;
}

/*
 * The servers' client is a part of what libdwfl searches files with. It is given nothing to
 * look for but a build ID, and no directory to look in.
 */
int vt_debug_file_ask(const struct vt_elf *elf)
{
    static char nowhere[] = "", *path = nowhere;
    static const Dwfl_Callbacks callbacks = {.find_elf = find_nothing,
                                             .find_debuginfo = dwfl_standard_find_debuginfo,
                                             .debuginfo_path = &path};
    const char *servers = getenv("DEBUGINFOD_URLS");
    char *name = NULL;
    int fd = -1;

    if (!servers || !*servers || !elf->build_id.length)
        return -1;
    Dwfl *dwfl = dwfl_begin(&callbacks);
    if (!dwfl)
        return -1;
    dwfl_report_begin(dwfl);
    Dwfl_Module *module = dwfl_report_module(dwfl, "", 0, 1);
    if (module &&
        dwfl_module_report_build_id(module, elf->build_id.bytes, elf->build_id.length, 0) == 0)
        fd = dwfl_standard_find_debuginfo(module, NULL, NULL, 0, NULL, NULL, 0, &name);
    dwfl_end(dwfl);
    free(name);
    return only_with_build_id(fd, build_id_of(elf));
}

/* The directory that an open file lies in, as the kernel tells it; false if it does not. */
static bool directory_of(int fd, char *path, size_t size)
{
    char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, size - 1);
    if (n <= 0 || path[0] != '/')
        return false;
    path[n] = '\0';
    *strrchr(path, '/') = '\0';
    return true;
}

/* Take "." and ".." out of an absolute path, by its words only. */
static void normalize(char *path)
{
    char *end = path;

    for (const char *at = path; *at;) {
        size_t length = strcspn(at + 1, "/");
        if (length == 2 && !memcmp(at + 1, "..", 2)) {
            while (end > path && *--end != '/')
                ;
        } else if (length && (length != 1 || at[1] != '.')) {
            memmove(end, at, length + 1);
            end += length + 1;
        }
        at += length + 1;
    }
    *end = '\0';
}

static bool is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);

    return !strncmp(path, directory, length) && path[length] == '/';
}

int vt_debug_file_open_shared(const struct vt_elf_file *file, const char *directory)
{
    static const char *const name_of_link[] = {".gnu_debugaltlink"};
    unsigned char link[PATH_MAX + 64]; /* a name, its NUL, the build ID */
    char path[2 * PATH_MAX] = "";
    GElf_Shdr section;

    if (!vt_elf_file_sections(file, name_of_link, 1, &section) || section.sh_size > sizeof(link) ||
        vt_elf_file_bytes(file, section.sh_offset, link, (size_t)section.sh_size) !=
            (ssize_t)section.sh_size)
        return -1;
    const unsigned char *nul = memchr(link, 0, (size_t)section.sh_size);
    if (!nul || nul == link || (size_t)(nul - link) >= PATH_MAX)
        return -1;
    struct build_id id = {nul + 1, (size_t)section.sh_size - (size_t)(nul + 1 - link)};
    int fd = open_by_build_id(directory, id);
    if (fd >= 0)
        return fd;
    /* Its name counts from where the debug file is. */
    if (link[0] != '/' && !directory_of(file->fd, path, PATH_MAX))
        return -1;
    size_t length = strlen(path);
    snprintf(path + length, sizeof(path) - length, "%s%s", link[0] == '/' ? "" : "/",
             (const char *)link);
    normalize(path);
    return is_below(path, directory) ? only_with_build_id(vt_image_open_path(path), id) : -1;
}

/* A limit against files made to use up memory: real contents shrink to a fifth or so. */
#define PACKED_FACTOR_MAX 1032

/* ---- compressed sections ----------------------------------------------------------------- */

static bool inflate_zlib(const unsigned char *from, size_t length, unsigned char *to, size_t size)
{
#ifdef VASTRACE_DEFLATE
    struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
    bool done = inflater && libdeflate_zlib_decompress(inflater, from, length, to, size, NULL) ==
                                LIBDEFLATE_SUCCESS;

    libdeflate_free_decompressor(inflater);
    return done;
#else
    uLongf made = size;

    return uncompress(to, &made, from, length) == Z_OK && made == size;
#endif
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

/* Does the file reach to the end of the section? Nothing is made room for that is not there. */
static bool is_there(const struct vt_elf_file *file, const GElf_Shdr *section)
{
    struct stat st;

    return section->sh_size && fstat(file->fd, &st) == 0 && st.st_size > 0 &&
           section->sh_offset < (uint64_t)st.st_size &&
           section->sh_size <= (uint64_t)st.st_size - section->sh_offset;
}

/* Fill *compression from what is in front of the contents. Returns false if it is in no known way. */
static bool read_compression(const struct vt_elf_file *file, const GElf_Shdr *section,
                             struct compression *compression)
{
    unsigned char head[sizeof(Elf64_Chdr)];
    ssize_t n = vt_elf_file_bytes(file, section->sh_offset, head,
                                  (size_t)vt_min(section->sh_size, sizeof(head)));

    return n > 0 && find_compression(file, section, head, (size_t)n, compression);
}

bool vt_section_is_plain(const struct vt_elf_file *file, const GElf_Shdr *section)
{
    struct compression compression;

    return read_compression(file, section, &compression) && !compression.inflate;
}

uint64_t vt_section_length(const struct vt_elf_file *file, const GElf_Shdr *section)
{
    struct compression compression;

    if (!is_there(file, section) || !read_compression(file, section, &compression))
        return 0;
    if (compression.inflate && compression.size / PACKED_FACTOR_MAX > section->sh_size)
        return 0;
    return compression.inflate ? compression.size : section->sh_size;
}

bool vt_section_read(const struct vt_elf_file *file, const GElf_Shdr *section, unsigned char *to,
                     size_t length)
{
    struct compression compression;
    size_t packed = (size_t)section->sh_size;

    if (!read_compression(file, section, &compression))
        return false;
    if (!compression.inflate)
        return length == packed &&
               vt_elf_file_bytes(file, section->sh_offset, to, length) == (ssize_t)length;
    if (length != compression.size)
        return false;
    unsigned char *bytes = malloc(packed);
    bool done =
        bytes && vt_elf_file_bytes(file, section->sh_offset, bytes, packed) == (ssize_t)packed &&
        compression.inflate(bytes + compression.header, packed - compression.header, to, length);
    free(bytes);
    return done;
}

unsigned char *vt_section_load(const struct vt_elf_file *file, const GElf_Shdr *section,
                               uint64_t limit, size_t *length)
{
    uint64_t size = vt_section_length(file, section);
    unsigned char *bytes = size && size <= limit ? malloc((size_t)size) : NULL;

    *length = (size_t)size;
    if (!bytes || vt_section_read(file, section, bytes, (size_t)size))
        return bytes;
    free(bytes);
    return NULL;
}
