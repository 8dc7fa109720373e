/*
 * decode.c - hides pread(2), the two classes and the two byte orders.
 *
 * libelf's own reader (elf_begin) is not used: it trusts the file's counts for
 * what it allocates and reads at once, it maps or reads whole files where it
 * can, and a file that shrinks under its mapping ends the tracer with SIGBUS.
 * So the bytes are read here, into buffers whose size no file decides, and
 * libelf converts them (elf32_xlatetom, elf64_xlatetom).
 *
 * Invariant: nothing here allocates, and no offset is used unchecked.
 */
#include "image/decode.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A limit against files made to keep the tracer busy; real ones stay far below. */
#define SECTIONS_MAX 65536

/* ---- one row a record type: its sizes, and how a 32-bit one becomes a 64-bit one ---- */

static void widen_ehdr(void *to, const void *from)
{
    GElf_Ehdr *wide = to;
    const Elf32_Ehdr *narrow = from;

    memcpy(wide->e_ident, narrow->e_ident, EI_NIDENT);
    wide->e_type = narrow->e_type;
    wide->e_machine = narrow->e_machine;
    wide->e_version = narrow->e_version;
    wide->e_entry = narrow->e_entry;
    wide->e_phoff = narrow->e_phoff;
    wide->e_shoff = narrow->e_shoff;
    wide->e_flags = narrow->e_flags;
    wide->e_ehsize = narrow->e_ehsize;
    wide->e_phentsize = narrow->e_phentsize;
    wide->e_phnum = narrow->e_phnum;
    wide->e_shentsize = narrow->e_shentsize;
    wide->e_shnum = narrow->e_shnum;
    wide->e_shstrndx = narrow->e_shstrndx;
}

static void widen_phdr(void *to, const void *from)
{
    GElf_Phdr *wide = to;
    const Elf32_Phdr *narrow = from;

    wide->p_type = narrow->p_type;
    wide->p_flags = narrow->p_flags;
    wide->p_offset = narrow->p_offset;
    wide->p_vaddr = narrow->p_vaddr;
    wide->p_paddr = narrow->p_paddr;
    wide->p_filesz = narrow->p_filesz;
    wide->p_memsz = narrow->p_memsz;
    wide->p_align = narrow->p_align;
}

static void widen_shdr(void *to, const void *from)
{
    GElf_Shdr *wide = to;
    const Elf32_Shdr *narrow = from;

    wide->sh_name = narrow->sh_name;
    wide->sh_type = narrow->sh_type;
    wide->sh_flags = narrow->sh_flags;
    wide->sh_addr = narrow->sh_addr;
    wide->sh_offset = narrow->sh_offset;
    wide->sh_size = narrow->sh_size;
    wide->sh_link = narrow->sh_link;
    wide->sh_info = narrow->sh_info;
    wide->sh_addralign = narrow->sh_addralign;
    wide->sh_entsize = narrow->sh_entsize;
}

static void widen_dyn(void *to, const void *from)
{
    GElf_Dyn *wide = to;
    const Elf32_Dyn *narrow = from;

    wide->d_tag = narrow->d_tag;
    wide->d_un.d_val = narrow->d_un.d_val;
}

struct record_type {
    Elf_Type type;
    size_t narrow_size;
    size_t wide_size;
    void (*widen)(void *to, const void *from);
};

static const struct record_type ehdr_type = {ELF_T_EHDR, sizeof(Elf32_Ehdr), sizeof(GElf_Ehdr),
                                             widen_ehdr};
static const struct record_type phdr_type = {ELF_T_PHDR, sizeof(Elf32_Phdr), sizeof(GElf_Phdr),
                                             widen_phdr};
static const struct record_type shdr_type = {ELF_T_SHDR, sizeof(Elf32_Shdr), sizeof(GElf_Shdr),
                                             widen_shdr};
static const struct record_type dyn_type = {ELF_T_DYN, sizeof(Elf32_Dyn), sizeof(GElf_Dyn),
                                            widen_dyn};

static size_t size_in_file(const struct vt_elf_file *file, const struct record_type *record)
{
    return file->wide ? record->wide_size : record->narrow_size;
}

ssize_t vt_elf_file_bytes(const struct vt_elf_file *file, uint64_t offset, void *bytes,
                          size_t length)
{
    size_t done = 0;

    /* An offset that off_t cannot hold lies behind the end of any file. */
    while (done < length && offset <= INT64_MAX - done) {
        ssize_t n = pread(file->fd, (char *)bytes + done, length - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        /*
         * Next to the largest offset the kernel refuses the range instead of
         * saying that the file ends before it; a directory is no ELF file either.
         */
        if (n < 0 && (errno == EINVAL || errno == EOVERFLOW || errno == EISDIR))
            break;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static int read_records(const struct vt_elf_file *file, const struct record_type *record,
                        uint64_t offset, size_t count, void *records)
{
    /* As large as a chunk of the largest record, and aligned for each of them. */
    union {
        GElf_Ehdr ehdr;
        GElf_Phdr phdrs[VT_ELF_FILE_CHUNK];
        GElf_Shdr shdrs[VT_ELF_FILE_CHUNK];
        GElf_Dyn dyns[VT_ELF_FILE_CHUNK];
        unsigned char bytes[1];
    } raw;
    size_t length = count * size_in_file(file, record);
    ssize_t n;

    if (length > sizeof(raw))
        return -EINVAL;
    n = vt_elf_file_bytes(file, offset, raw.bytes, length);
    if (n < 0)
        return (int)n;
    if ((size_t)n < length)
        return 1;

    Elf_Data from = {
        .d_buf = raw.bytes, .d_type = record->type, .d_version = EV_CURRENT, .d_size = length};
    Elf_Data to = from;
    if (file->wide) {
        to.d_buf = records;
        return elf64_xlatetom(&to, &from, file->encode) ? 0 : 1;
    }
    /* In place: a record has the same size on both sides of the conversion. */
    if (!elf32_xlatetom(&to, &from, file->encode))
        return 1;
    for (size_t i = 0; i < count; i++)
        record->widen((char *)records + i * record->wide_size, raw.bytes + i * record->narrow_size);
    return 0;
}

int vt_elf_file_phdrs(const struct vt_elf_file *file, uint64_t offset, size_t count,
                      GElf_Phdr *phdrs)
{
    return read_records(file, &phdr_type, offset, count, phdrs);
}

int vt_elf_file_shdrs(const struct vt_elf_file *file, uint64_t offset, size_t count,
                      GElf_Shdr *shdrs)
{
    return read_records(file, &shdr_type, offset, count, shdrs);
}

int vt_elf_file_dyns(const struct vt_elf_file *file, uint64_t offset, size_t count, GElf_Dyn *dyns)
{
    return read_records(file, &dyn_type, offset, count, dyns);
}

static bool is_named(const struct vt_elf_file *file, const GElf_Shdr *names, uint64_t name,
                     const char *wanted)
{
    char text[24] = "";
    size_t length = strlen(wanted) + 1;

    return name < names->sh_size && names->sh_size - name >= length && length <= sizeof(text) &&
           vt_elf_file_bytes(file, names->sh_offset + name, text, length) == (ssize_t)length &&
           memcmp(text, wanted, length) == 0;
}

size_t vt_elf_file_sections(const struct vt_elf_file *file, const char *const *names, size_t count,
                            GElf_Shdr *found)
{
    size_t size = vt_elf_file_shdr_size(file), n, hits = 0;
    uint64_t at = file->header.e_shoff;
    GElf_Shdr first, strings, chunk[VT_ELF_FILE_CHUNK];

    memset(found, 0, count * sizeof(*found));
    if (!at || file->header.e_shentsize != size || vt_elf_file_shdrs(file, at, 1, &first) != 0)
        return 0;
    uint64_t sections = file->header.e_shnum ? file->header.e_shnum : first.sh_size;
    uint64_t index = file->header.e_shstrndx == SHN_XINDEX ? first.sh_link
                                                           : file->header.e_shstrndx;
    if (sections > SECTIONS_MAX || index >= sections ||
        vt_elf_file_shdrs(file, at + index * size, 1, &strings) != 0)
        return 0;
    for (uint64_t i = 0; i < sections; i += n) {
        n = sections - i < VT_ELF_FILE_CHUNK ? (size_t)(sections - i) : VT_ELF_FILE_CHUNK;
        if (vt_elf_file_shdrs(file, at + i * size, n, chunk) != 0)
            break;
        for (size_t k = 0; k < n * count; k++) {
            const GElf_Shdr *s = &chunk[k / count];
            if (s->sh_type == SHT_NOBITS || s->sh_size == 0 ||
                !is_named(file, &strings, s->sh_name, names[k % count]))
                continue;
            hits += found[k % count].sh_size == 0;
            found[k % count] = *s;
        }
    }
    return hits;
}

size_t vt_elf_file_phdr_size(const struct vt_elf_file *file)
{
    return size_in_file(file, &phdr_type);
}

size_t vt_elf_file_shdr_size(const struct vt_elf_file *file)
{
    return size_in_file(file, &shdr_type);
}

size_t vt_elf_file_dyn_size(const struct vt_elf_file *file)
{
    return size_in_file(file, &dyn_type);
}

uint32_t vt_elf_file_word(const struct vt_elf_file *file, const unsigned char bytes[4])
{
    if (file->encode == ELFDATA2LSB)
        return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
               (uint32_t)bytes[3] << 24;
    return bytes[3] | (uint32_t)bytes[2] << 8 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[0] << 24;
}

int vt_elf_file_init(struct vt_elf_file *file, int fd, struct vt_error *err)
{
    unsigned char ident[EI_NIDENT];
    ssize_t n;
    int r;

    *file = (struct vt_elf_file){.fd = fd};
    if (elf_version(EV_CURRENT) == EV_NONE)
        return vt_error_set(err, ENOSYS,
                            "cannot read ELF files: libelf does not know version %d of the "
                            "format; install elfutils' libelf",
                            EV_CURRENT);

    n = vt_elf_file_bytes(file, 0, ident, sizeof(ident));
    if (n < 0)
        return vt_error_errno(err, (int)-n, "cannot read the header of a mapped file");
    if ((size_t)n < sizeof(ident) || memcmp(ident, ELFMAG, SELFMAG) != 0)
        return 1;
    if (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64)
        return 1;
    if (ident[EI_DATA] != ELFDATA2LSB && ident[EI_DATA] != ELFDATA2MSB)
        return 1;
    file->wide = ident[EI_CLASS] == ELFCLASS64;
    file->encode = ident[EI_DATA];

    r = read_records(file, &ehdr_type, 0, 1, &file->header);
    if (r < 0)
        return vt_error_errno(err, -r, "cannot read the header of an ELF file");
    if (r > 0)
        return 1;
    return file->header.e_type == ET_EXEC || file->header.e_type == ET_DYN ? 0 : 1;
}
