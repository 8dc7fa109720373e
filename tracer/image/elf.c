/*
 * elf.c - hides how the facts of struct vt_elf are found in a file: program
 * headers, the dynamic section and the notes. parts.c adds the parts,
 * place.c answers questions about them.
 *
 * The file is hostile. Invariants that the rest of the layer builds on, and
 * that keep_segment() and sort_segments() establish:
 *  - segments ascend, do not overlap, are not empty, and filesz <= memsz;
 *  - vaddr + memsz, rounded up to a page, and offset + filesz do not wrap;
 *  - relro and tls lie in the load span, or are empty.
 * What breaks one of these is dropped or cut to fit.
 */
#include "image/elf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "image/decode.h"
#include "image/parts.h"

/* Limits against files made to keep the tracer busy; real files stay far below. */
enum {
    DYNAMIC_MAX = 65536, /* entries of PT_DYNAMIC */
    SONAME_MAX = 4096,   /* bytes with the final NUL, as of a path */
    NOTE_SEGMENTS_MAX = 16,
    NOTE_BYTES_MAX = 8192, /* of one PT_NOTE; the build ID is among the first notes */
};

/* A program header that is of use only while the file is read. */
struct extent {
    vt_addr vaddr;
    uint64_t offset;
    uint64_t filesz;
    uint64_t memsz;
    uint64_t align;
};

struct reader {
    struct vt_elf_file file;
    struct vt_elf *elf; /* what is filled */
    size_t segment_capacity;
    struct extent relro; /* the last of its type wins, as in dynamic loaders; memsz 0: none */
    struct extent tls;
    struct extent dynamic;
    struct extent phdr;
    struct extent notes[NOTE_SEGMENTS_MAX];
    size_t note_count;
    bool marked_pie; /* DF_1_PIE */
};

static uint64_t page_size(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- program headers ---- */

static uint8_t prot_of(uint32_t p_flags)
{
    return (uint8_t)((p_flags & PF_R ? VT_PROT_READ : 0) | (p_flags & PF_W ? VT_PROT_WRITE : 0) |
                     (p_flags & PF_X ? VT_PROT_EXEC : 0));
}

/* Store a PT_LOAD, cut to what is possible; one that no loader could map is left out. */
static int keep_segment(struct reader *reader, const GElf_Phdr *phdr)
{
    struct vt_elf *elf = reader->elf;
    struct vt_elf_segment segment = {
        .vaddr = phdr->p_vaddr,
        .memsz = phdr->p_memsz,
        .offset = phdr->p_offset,
        .filesz = vt_min(phdr->p_filesz, phdr->p_memsz),
        .prot = prot_of(phdr->p_flags),
    };
    /* The last page of the address space is no place for a segment: its end must be sayable. */
    uint64_t top = reader->file.wide ? vt_round_down(UINT64_MAX, page_size()) : UINT32_MAX;
    int r;

    if (segment.memsz == 0 || segment.vaddr > top || segment.memsz > top - segment.vaddr)
        return 0;
    if (segment.offset > INT64_MAX || segment.filesz > INT64_MAX - segment.offset)
        return 0;
    r = vt_reserve((void **)&elf->segments, &reader->segment_capacity, elf->segment_count + 1,
                   sizeof(*elf->segments));
    if (r < 0)
        return r;
    elf->segments[elf->segment_count++] = segment;
    return 0;
}

static int keep_phdr(struct reader *reader, const GElf_Phdr *phdr)
{
    struct extent extent = {
        .vaddr = phdr->p_vaddr,
        .offset = phdr->p_offset,
        .filesz = phdr->p_filesz,
        .memsz = phdr->p_memsz,
        .align = phdr->p_align,
    };

    switch (phdr->p_type) {
    case PT_LOAD:
        return keep_segment(reader, phdr);
    case PT_INTERP:
        reader->elf->has_interpreter = true;
        return 0;
    case PT_PHDR:
        reader->phdr = extent;
        return 0;
    case PT_DYNAMIC:
        reader->dynamic = extent;
        return 0;
    case PT_TLS:
        reader->tls = extent;
        return 0;
    case PT_GNU_RELRO:
        reader->relro = extent;
        return 0;
    case PT_NOTE:
        if (reader->note_count < NOTE_SEGMENTS_MAX)
            reader->notes[reader->note_count++] = extent;
        return 0;
    default:
        return 0;
    }
}

/* 0, -errno, or 1: no program headers, or cut short. */
static int read_phdrs(struct reader *reader)
{
    const GElf_Ehdr *header = &reader->file.header;
    size_t size = vt_elf_file_phdr_size(&reader->file);
    GElf_Phdr phdrs[VT_ELF_FILE_CHUNK];

    /* PN_XNUM (more than 65534 headers) is for core files: the loaders take the count as it is. */
    if (header->e_phnum == 0 || header->e_phentsize != size ||
        header->e_phoff > INT64_MAX - header->e_phnum * size)
        return 1;
    for (size_t i = 0; i < header->e_phnum; i += VT_ELF_FILE_CHUNK) {
        size_t count = vt_min(header->e_phnum - i, VT_ELF_FILE_CHUNK);
        int r = vt_elf_file_phdrs(&reader->file, header->e_phoff + i * size, count, phdrs);

        for (size_t k = 0; r == 0 && k < count; k++)
            r = keep_phdr(reader, &phdrs[k]);
        if (r != 0)
            return r;
    }
    return 0;
}

static int compare_segments(const void *left, const void *right)
{
    const struct vt_elf_segment *a = left, *b = right;

    if (a->vaddr != b->vaddr)
        return a->vaddr < b->vaddr ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return a->memsz < b->memsz ? -1 : a->memsz > b->memsz;
}

static void sort_segments(struct vt_elf *elf)
{
    size_t kept = 0;

    if (elf->segment_count > 1)
        qsort(elf->segments, elf->segment_count, sizeof(*elf->segments), compare_segments);
    for (size_t i = 0; i < elf->segment_count; i++) {
        const struct vt_elf_segment *last = kept > 0 ? &elf->segments[kept - 1] : NULL;

        if (!last || elf->segments[i].vaddr >= last->vaddr + last->memsz)
            elf->segments[kept++] = elf->segments[i];
    }
    elf->segment_count = kept;
}

/* [vaddr, vaddr + size) cut to the load span; empty if it begins outside. */
static void cut_to_span(const struct vt_elf *elf, vt_addr vaddr, uint64_t size, vt_addr *start,
                        vt_addr *end)
{
    if (vaddr < elf->load_start || vaddr >= elf->load_end)
        size = 0;
    *start = size > 0 ? vaddr : 0;
    *end = size > 0 ? vaddr + vt_min(size, elf->load_end - vaddr) : 0;
}

/* Where a range of the file lies in memory; 0 if no segment holds all of it. */
static vt_addr address_of(const struct vt_elf *elf, uint64_t offset, uint64_t length)
{
    for (size_t i = 0; i < elf->segment_count; i++) {
        const struct vt_elf_segment *segment = &elf->segments[i];

        if (offset >= segment->offset && offset - segment->offset < segment->filesz &&
            length <= segment->filesz - (offset - segment->offset))
            return segment->vaddr + (offset - segment->offset);
    }
    return 0;
}

static void place_extents(struct reader *reader)
{
    struct vt_elf *elf = reader->elf;
    const struct vt_elf_segment *last = &elf->segments[elf->segment_count - 1];
    const GElf_Ehdr *header = &reader->file.header;

    elf->load_start = vt_round_down(elf->segments[0].vaddr, page_size());
    elf->load_end = vt_round_up(last->vaddr + last->memsz, page_size());
    cut_to_span(elf, reader->relro.vaddr, reader->relro.memsz, &elf->relro_start, &elf->relro_end);
    cut_to_span(elf, reader->tls.vaddr, vt_min(reader->tls.filesz, reader->tls.memsz),
                &elf->tls_start, &elf->tls_end);
    if (reader->phdr.memsz > 0 && reader->phdr.vaddr >= elf->load_start &&
        reader->phdr.vaddr < elf->load_end)
        elf->phdr_vaddr = reader->phdr.vaddr;
    else
        elf->phdr_vaddr =
            address_of(elf, header->e_phoff, (uint64_t)header->e_phnum * header->e_phentsize);
}

/* ---- the dynamic section: the soname and DF_1_PIE ---- */

/* Where the file keeps what lies at vaddr, and how many bytes of that segment follow it. */
static bool find_in_file(const struct vt_elf *elf, vt_addr vaddr, uint64_t *offset,
                         uint64_t *length)
{
    for (size_t i = 0; i < elf->segment_count; i++) {
        const struct vt_elf_segment *segment = &elf->segments[i];

        if (vaddr >= segment->vaddr && vaddr - segment->vaddr < segment->filesz) {
            *offset = segment->offset + (vaddr - segment->vaddr);
            *length = segment->filesz - (vaddr - segment->vaddr);
            return true;
        }
    }
    return false;
}

/* The soname at `index` of the string table; one without an end in the table is left out. */
static int read_soname(struct reader *reader, vt_addr strings, uint64_t strings_size,
                       uint64_t index)
{
    char name[SONAME_MAX];
    uint64_t offset, length;
    ssize_t n;

    if (index >= strings_size || !find_in_file(reader->elf, strings, &offset, &length) ||
        index >= length)
        return 0;
    length = vt_min(vt_min(strings_size, length) - index, sizeof(name));
    n = vt_elf_file_bytes(&reader->file, offset + index, name, length);
    if (n < 0)
        return (int)n;
    if (n == 0 || name[0] == '\0' || !memchr(name, '\0', (size_t)n))
        return 0;
    reader->elf->soname = strdup(name);
    return reader->elf->soname ? 0 : -ENOMEM;
}

static int read_dynamic(struct reader *reader)
{
    size_t size = vt_elf_file_dyn_size(&reader->file);
    uint64_t total = vt_min(reader->dynamic.filesz / size, DYNAMIC_MAX);
    /* The entries of use; a second one of the same tag wins, as in dynamic loaders. */
    uint64_t strings = 0, strings_size = 0, soname = 0, flags_1 = 0;
    bool has_soname = false, ended = false;
    GElf_Dyn dyns[VT_ELF_FILE_CHUNK];

    for (uint64_t i = 0; i < total && !ended; i += VT_ELF_FILE_CHUNK) {
        size_t count = vt_min(total - i, VT_ELF_FILE_CHUNK);
        uint64_t offset = reader->dynamic.offset + i * size;
        int r;

        if (offset < reader->dynamic.offset)
            break;
        r = vt_elf_file_dyns(&reader->file, offset, count, dyns);
        if (r < 0)
            return r;
        if (r > 0)
            break; /* cut short: what was found so far stands */
        for (size_t k = 0; k < count && !ended; k++) {
            uint64_t value = dyns[k].d_un.d_val;

            switch (dyns[k].d_tag) {
            case DT_NULL:
                ended = true;
                break;
            case DT_STRTAB:
                strings = value;
                break;
            case DT_STRSZ:
                strings_size = value;
                break;
            case DT_SONAME:
                soname = value;
                has_soname = true;
                break;
            case DT_FLAGS_1:
                flags_1 = value;
                break;
            default:
                break;
            }
        }
    }
    reader->marked_pie = flags_1 & DF_1_PIE;
    return has_soname ? read_soname(reader, strings, strings_size, soname) : 0;
}

/* ---- notes: the build ID ---- */

/* Look through one PT_NOTE: records of (name size, description size, type), name, description. */
static int read_note(struct reader *reader, const struct extent *extent)
{
    struct vt_elf *elf = reader->elf;
    unsigned char bytes[NOTE_BYTES_MAX];
    uint64_t align = extent->align == 8 ? 8 : 4;
    ssize_t n = vt_elf_file_bytes(&reader->file, extent->offset, bytes,
                                  vt_min(extent->filesz, sizeof(bytes)));

    if (n < 0)
        return (int)n;
    /* Sizes are 32 bits and `at` is small: sums of them in 64 bits do not wrap. */
    for (uint64_t at = 0, end = (uint64_t)n; at + 12 <= end;) {
        uint64_t name_size = vt_elf_file_word(&reader->file, bytes + at);
        uint64_t desc_size = vt_elf_file_word(&reader->file, bytes + at + 4);
        uint32_t type = vt_elf_file_word(&reader->file, bytes + at + 8);
        uint64_t name = at + 12;
        uint64_t desc = vt_round_up(name + name_size, align);

        if (desc + desc_size > end)
            break;
        if (type == NT_GNU_BUILD_ID && name_size == sizeof("GNU") &&
            memcmp(bytes + name, "GNU", sizeof("GNU")) == 0 && desc_size > 0 &&
            desc_size <= sizeof(elf->build_id.bytes)) {
            memcpy(elf->build_id.bytes, bytes + desc, desc_size);
            elf->build_id.length = desc_size;
            break;
        }
        at = vt_round_up(desc + desc_size, align);
    }
    return 0;
}

/* ---- all of it ---- */

/*
 * A shared object and a PIE differ in nothing that the kernel looks at.
 * DF_1_PIE decides where the linker wrote it; before that flag existed, an
 * interpreter without a soname does (libc.so.6 can be run and has both).
 */
static enum vt_program_type program_type(const struct reader *reader)
{
    const struct vt_elf *elf = reader->elf;

    if (elf->type == ET_EXEC)
        return elf->has_interpreter ? VT_PROGRAM_DYNAMIC : VT_PROGRAM_STATIC;
    if (reader->marked_pie)
        return elf->has_interpreter ? VT_PROGRAM_PIE : VT_PROGRAM_STATIC_PIE;
    return elf->has_interpreter && !elf->soname ? VT_PROGRAM_PIE : VT_PROGRAM_UNKNOWN;
}

static int read_facts(struct reader *reader)
{
    struct vt_elf *elf = reader->elf;
    int r;

    elf->class_bits = reader->file.wide ? 64 : 32;
    elf->type = reader->file.header.e_type;
    elf->machine = reader->file.header.e_machine;
    elf->entry = reader->file.header.e_entry;

    r = read_phdrs(reader);
    if (r != 0)
        return r;
    sort_segments(elf);
    if (elf->segment_count == 0)
        return 1;
    place_extents(reader);
    r = read_dynamic(reader);
    for (size_t i = 0; r == 0 && i < reader->note_count && elf->build_id.length == 0; i++)
        r = read_note(reader, &reader->notes[i]);
    if (r < 0)
        return r;
    elf->program_type = program_type(reader);
    return vt_elf_make_parts(elf, &reader->file);
}

int vt_elf_read(int fd, struct vt_elf **elf, struct vt_error *err)
{
    struct reader reader = {0};
    int r = vt_elf_file_init(&reader.file, fd, err);

    *elf = NULL;
    if (r != 0)
        return r;
    reader.elf = calloc(1, sizeof(*reader.elf));
    r = reader.elf ? read_facts(&reader) : -ENOMEM;
    if (r != 0) {
        vt_elf_destroy(reader.elf);
        if (r == -ENOMEM)
            return vt_error_errno(err, ENOMEM, "cannot store the facts of an ELF file");
        return r < 0 ? vt_error_errno(err, -r, "cannot read the headers of an ELF file") : r;
    }
    *elf = reader.elf;
    return 0;
}

void vt_elf_destroy(struct vt_elf *elf)
{
    if (!elf)
        return;
    free(elf->segments);
    free(elf->parts);
    free(elf->soname);
    free(elf);
}
