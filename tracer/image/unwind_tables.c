/*
 * unwind_tables.c - hides the formats of call frame information, and where in
 * a file it is.
 *
 * .eh_frame is kept byte for byte, since its pointers count from where they
 * lie. .debug_frame has absolute addresses, which a loaded program's are not;
 * it is rewritten as .eh_frame at addresses behind the image, with pointers
 * that count from where they lie, so that whoever reads the tables needs to know one
 * format only. The index is made from the entries themselves: a file's own
 * .eh_frame_hdr would have to be checked against them anyway, and is used only
 * to find .eh_frame in a file without section headers.
 *
 * Invariant: index entries ascend by start, are not empty and do not overlap.
 */
#include "image/unwind_tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "image/cursor.h"
#include "image/decode.h"

/* A limit against files made to keep the tracer busy; real files stay far below. */
#define TABLE_BYTES_MAX (UINT64_C(256) << 20)

/* An entry of .eh_frame seldom has less bytes: length, pointer, address, size, and padding. */
#define ENTRY_LEAST 20

/* Pointer encodings of .eh_frame (DW_EH_PE_*), of which the low half is the format. */
enum {
    PE_ABSPTR = 0x00,
    PE_UDATA2 = 0x02,
    PE_UDATA4 = 0x03,
    PE_UDATA8 = 0x04,
    PE_SDATA2 = 0x0a,
    PE_SDATA4 = 0x0b,
    PE_SDATA8 = 0x0c,
    PE_FORMAT = 0x0f,
    PE_PCREL = 0x10,
    PE_RELATION = 0x70,
    PE_INDIRECT = 0x80,
    PE_OMIT = 0xff,
};

/* Bytes and the file address at which they stand. */
struct stretch {
    unsigned char *bytes;
    size_t length;
    vt_addr start;
    unsigned word; /* bytes of PE_ABSPTR */
};

struct vt_unwind_tables {
    struct stretch stretches[2]; /* .eh_frame; .debug_frame rewritten */
    size_t stretch_count;
    struct vt_unwind_entry *index;
    size_t count;
    size_t capacity;
};

/* ---- entries of either section ----------------------------------------------- */

/* The head of an entry: its contents, and the id or pointer word in front of them. */
struct entry {
    struct vt_cursor body;
    size_t offset;    /* of the entry */
    size_t id_offset; /* of the id word */
    uint64_t id;
    bool wide; /* 64-bit DWARF: the id word has 8 bytes */
};

/* The entry at *offset, which then is the next one's. False at the end or where it is malformed. */
static bool next_entry(const unsigned char *bytes, size_t length, size_t *offset, struct entry *e)
{
    struct vt_cursor c = {bytes + *offset, bytes + length, false};

    *e = (struct entry){.offset = *offset};
    size_t word;
    uint64_t size = vt_take_length(&c, &word);
    if (c.bad || size == 0 || size > (uint64_t)(c.end - c.at))
        return false;
    e->wide = word == 8;
    c.end = c.at + size;
    *offset = (size_t)(c.end - bytes);
    e->id_offset = (size_t)(c.at - bytes);
    e->id = vt_take(&c, word);
    e->body = c;
    return !c.bad;
}

/* Of the architectures here x86-64's is the highest. libunwind takes any for an index of its own. */
#define RETURN_COLUMN_MAX 16

/* What is needed of a common information entry. */
struct common {
    bool valid;
    bool augmented; /* "z": entries have augmentation data */
    bool signal_frame;
    unsigned char encoding; /* of the entries' addresses */
    unsigned address_size;  /* of PE_ABSPTR */
    uint64_t code_alignment;
    struct vt_cursor data_alignment; /* as it is written */
    uint64_t return_register;
    struct vt_cursor instructions;
};

static void parse_common(struct vt_cursor c, bool eh, unsigned word, struct common *common)
{
    *common = (struct common){.address_size = word};
    unsigned version = (unsigned)vt_take(&c, 1);
    if (version != 1 && version != 3 && (version != 4 || eh))
        return;
    const char *augmentation = vt_take_string(&c);
    if (version == 4) {
        common->address_size = (unsigned)vt_take(&c, 1);
        if (vt_take(&c, 1) != 0) /* segment selectors */
            return;
    }
    if (common->address_size != 4 && common->address_size != 8)
        return;
    common->code_alignment = vt_take_leb(&c);
    common->data_alignment.at = c.at;
    (void)vt_take_leb(&c);
    common->data_alignment.end = c.at;
    common->return_register = version == 1 ? vt_take(&c, 1) : vt_take_leb(&c);
    struct vt_cursor after = c;
    if (*augmentation == 'z') {
        uint64_t length = vt_take_leb(&c);
        after = c;
        vt_skip(&after, length);
        common->augmented = true;
        for (augmentation++; *augmentation; augmentation++) {
            unsigned encoding;
            switch (*augmentation) {
            case 'R':
                common->encoding = (unsigned char)vt_take(&c, 1);
                break;
            case 'P':
                encoding = (unsigned)vt_take(&c, 1);
                if (encoding != PE_OMIT)
                    vt_skip(&c, (encoding & 7) == PE_UDATA2   ? 2
                                : (encoding & 7) == PE_UDATA4 ? 4
                                : (encoding & 7) == PE_UDATA8 ? 8
                                                              : word);
                break;
            case 'L':
                vt_skip(&c, 1);
                break;
            case 'S':
                common->signal_frame = true;
                break;
            case 'B':
                break;
            default: /* what it stands for is not known, and nothing behind it */
                augmentation += strlen(augmentation) - 1;
                break;
            }
        }
    } else if (strcmp(augmentation, "S") == 0) {
        common->signal_frame = true; /* as assemblers write it to .debug_frame */
    } else if (*augmentation) {
        return; /* "eh" and the like: nothing of today */
    }
    common->instructions = after;
    common->valid = !c.bad && !after.bad && common->return_register <= RETURN_COLUMN_MAX;
}

static size_t encoded_size(unsigned char encoding, unsigned word)
{
    switch (encoding & PE_FORMAT) {
    case PE_ABSPTR:
        return word;
    case PE_UDATA2:
    case PE_SDATA2:
        return 2;
    case PE_UDATA4:
    case PE_SDATA4:
        return 4;
    case PE_UDATA8:
    case PE_SDATA8:
        return 8;
    default:
        return 0;
    }
}

/* An address as it is encoded at file address `here`; false if that is not supported. */
static bool take_address(struct vt_cursor *c, unsigned char encoding, unsigned word, vt_addr here,
                         vt_addr *address)
{
    size_t size = encoded_size(encoding, word);

    if (!size || encoding & PE_INDIRECT)
        return false;
    *address = encoding & 8 ? (uint64_t)vt_take_signed(c, size) : vt_take(c, size);
    switch (encoding & PE_RELATION) {
    case 0:
        break;
    case PE_PCREL:
        *address += here;
        break;
    default:
        return false;
    }
    if (word == 4)
        *address &= UINT32_MAX;
    return !c->bad;
}

/*
 * The head of an entry of .eh_frame: its code, and the cursor behind its augmentation data.
 * False if it is malformed.
 */
static bool take_head(struct entry *e, const struct common *common, vt_addr here, vt_addr *start,
                      uint64_t *length)
{
    if (!take_address(&e->body, common->encoding, common->address_size, here, start))
        return false;
    *length = vt_take(&e->body, encoded_size(common->encoding, common->address_size));
    if (common->augmented)
        vt_skip(&e->body, vt_take_leb(&e->body));
    return !e->body.bad;
}

static int add(struct vt_unwind_tables *tables, const struct vt_unwind_entry *entry)
{
    int r;

    if (entry->start >= entry->end)
        return 0;
    r = vt_reserve((void **)&tables->index, &tables->capacity, tables->count + 1,
                   sizeof(*tables->index));
    if (r == 0)
        tables->index[tables->count++] = *entry;
    return r;
}

/* The common entry that an entry of .eh_frame points to. */
static bool find_common(const struct stretch *stretch, const struct entry *e, struct common *common)
{
    struct entry c;
    size_t at = e->id_offset - (size_t)e->id;

    common->valid = false;
    if (next_entry(stretch->bytes, stretch->length, &at, &c) && c.id == 0)
        parse_common(c.body, true, stretch->word, common);
    return common->valid;
}

/* The file address of a place in a stretch. */
static vt_addr address_in(const struct stretch *stretch, const unsigned char *at)
{
    return stretch->start + (vt_addr)(at - stretch->bytes);
}

/* Put the entries of a stretch of .eh_frame into the index. */
static int index_eh_frame(struct vt_unwind_tables *tables, const struct stretch *stretch)
{
    struct common common = {0};
    size_t common_offset = SIZE_MAX;
    struct entry e;

    for (size_t offset = 0; next_entry(stretch->bytes, stretch->length, &offset, &e);) {
        if (e.id == 0 || e.id > e.id_offset)
            continue; /* a common entry, or one that points to nowhere */
        size_t its_common = e.id_offset - (size_t)e.id;
        if (its_common != common_offset)
            find_common(stretch, &e, &common);
        common_offset = its_common;
        struct vt_unwind_entry entry = {.at = stretch->start + e.offset,
                                        .signal_frame = common.signal_frame};
        uint64_t length;
        if (!common.valid ||
            !take_head(&e, &common, address_in(stretch, e.body.at), &entry.start, &length) ||
            length > UINT64_MAX - entry.start)
            continue;
        entry.end = entry.start + length;
        int r = add(tables, &entry);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- .debug_frame as .eh_frame ------------------------------------------------- */

static void put(struct vt_buf *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        vt_buf_char(out, (char)(value >> (8 * i)));
}

static void put_leb(struct vt_buf *out, uint64_t value)
{
    do {
        vt_buf_char(out, (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0)));
        value >>= 7;
    } while (value);
}

static void put_cursor(struct vt_buf *out, const struct vt_cursor *c)
{
    vt_buf_add(out, c->at, (size_t)(c->end - c->at));
}

/* Pad to 8 bytes with no-operations, and write the length in front. */
static void finish(struct vt_buf *out, size_t begin)
{
    while (out->length % 8)
        vt_buf_char(out, 0);
    if (out->failed)
        return;
    uint32_t length = (uint32_t)(out->length - begin - 4);
    for (size_t i = 0; i < 4; i++)
        out->data[begin + i] = (char)(length >> (8 * i));
}

static void put_common(struct vt_buf *out, const struct common *common)
{
    size_t begin = out->length;

    put(out, 0, 4); /* the length, later */
    put(out, 0, 4); /* a common entry */
    put(out, 3, 1); /* the version */
    vt_buf_add(out, common->signal_frame ? "zRS" : "zR", common->signal_frame ? 4 : 3);
    put_leb(out, common->code_alignment);
    put_cursor(out, &common->data_alignment);
    put_leb(out, common->return_register);
    put_leb(out, 1);
    put(out, PE_PCREL | PE_SDATA8, 1);
    put_cursor(out, &common->instructions);
    finish(out, begin);
}

/* Rewrite; `base` is where the result will stand. */
static void rewrite_debug_frame(const unsigned char *bytes, size_t length, unsigned word,
                                vt_addr base, struct vt_buf *out)
{
    struct common common = {0};
    uint64_t common_offset = UINT64_MAX;
    size_t common_at = 0;
    struct entry e;

    for (size_t offset = 0; next_entry(bytes, length, &offset, &e);) {
        if (e.wide ? e.id == UINT64_MAX : e.id == UINT32_MAX)
            continue;
        if (e.id != common_offset) {
            struct entry c;
            size_t at = (size_t)e.id;
            common.valid = false;
            if (e.id < length && next_entry(bytes, length, &at, &c) &&
                (c.wide ? c.id == UINT64_MAX : c.id == UINT32_MAX))
                parse_common(c.body, false, word, &common);
            common.valid = common.valid && !common.augmented;
            common_offset = e.id;
            common_at = out->length;
            if (common.valid)
                put_common(out, &common);
        }
        if (!common.valid)
            continue;
        vt_addr start = vt_take(&e.body, common.address_size);
        uint64_t size = vt_take(&e.body, common.address_size);
        if (e.body.bad)
            continue;
        size_t begin = out->length;
        put(out, 0, 4);
        put(out, out->length - common_at, 4);
        put(out, start - (base + out->length), 8);
        put(out, size, 8);
        put_leb(out, 0);
        put_cursor(out, &e.body);
        finish(out, begin);
    }
    put(out, 0, 4); /* the end */
}

/* ---- finding them in the file ---------------------------------------------------- */

struct found {
    GElf_Shdr eh_frame; /* sh_size 0: not found */
    GElf_Shdr debug_frame;
    GElf_Phdr header; /* PT_GNU_EH_FRAME; p_filesz 0: not found */
    vt_addr image_end;
    uint64_t code; /* bytes of the executable segments */
};

static void find_sections(const struct vt_elf_file *file, struct found *found)
{
    static const char *const names[] = {".eh_frame", ".debug_frame", ".zdebug_frame"};
    GElf_Shdr sections[3];

    vt_elf_file_sections(file, names, 3, sections);
    if (sections[0].sh_flags & SHF_ALLOC)
        found->eh_frame = sections[0];
    found->debug_frame = sections[1].sh_size ? sections[1] : sections[2];
}

static void find_segments(const struct vt_elf_file *file, struct found *found, GElf_Phdr *holder)
{
    size_t size = vt_elf_file_phdr_size(file);
    uint64_t page = 4096;

    /* Twice: which segment holds the header is known only when the header is. */
    for (int pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < file->header.e_phnum; i++) {
            GElf_Phdr p;
            if (vt_elf_file_phdrs(file, file->header.e_phoff + i * size, 1, &p) != 0)
                break;
            if (p.p_type == PT_GNU_EH_FRAME && p.p_filesz >= 8)
                found->header = p;
            if (p.p_type != PT_LOAD || p.p_vaddr > UINT64_MAX - p.p_memsz)
                continue;
            found->image_end = vt_max(found->image_end, vt_round_up(p.p_vaddr + p.p_memsz, page));
            if (pass && p.p_flags & PF_X)
                found->code += vt_min(p.p_memsz, p.p_filesz);
            if (pass && found->header.p_vaddr >= p.p_vaddr &&
                found->header.p_vaddr - p.p_vaddr < p.p_filesz)
                *holder = p;
        }
    }
}

/* Without section headers: .eh_frame begins where its header says, and ends with its segment. */
static void find_by_header(const struct vt_elf_file *file, struct found *found,
                           const GElf_Phdr *holder, unsigned word)
{
    unsigned char bytes[16];
    ssize_t n = vt_elf_file_bytes(file, found->header.p_offset, bytes, sizeof(bytes));
    vt_addr start;

    if (n < 8 || bytes[0] != 1)
        return;
    struct vt_cursor c = {bytes + 4, bytes + n, false};
    if (!take_address(&c, bytes[1], word, found->header.p_vaddr + 4, &start) ||
        start < holder->p_vaddr || start - holder->p_vaddr >= holder->p_filesz)
        return;
    uint64_t offset = holder->p_offset + (start - holder->p_vaddr);
    struct stat st;
    if (fstat(file->fd, &st) < 0 || st.st_size <= 0 || offset >= (uint64_t)st.st_size)
        return;
    found->eh_frame.sh_addr = start;
    found->eh_frame.sh_offset = offset;
    found->eh_frame.sh_size =
        vt_min(holder->p_filesz - (start - holder->p_vaddr), (uint64_t)st.st_size - offset);
}

/* Stable, by the upper half; `spare` is as large. Returns where they are then, one of both. */
static uint64_t *sort_keys(uint64_t *keys, uint64_t *spare, size_t count)
{
    enum { DIGIT = 11, DIGITS = 1 << DIGIT };

    for (unsigned shift = 32; shift < 64; shift += DIGIT) {
        size_t starts[DIGITS] = {0}, at = 0;
        for (size_t i = 0; i < count; i++)
            starts[keys[i] >> shift & (DIGITS - 1)]++;
        for (size_t d = 0; d < DIGITS; d++) {
            size_t n = starts[d];
            starts[d] = at;
            at += n;
        }
        for (size_t i = 0; i < count; i++)
            spare[starts[keys[i] >> shift & (DIGITS - 1)]++] = keys[i];
        uint64_t *sorted = spare;
        spare = keys;
        keys = sorted;
    }
    return keys;
}

/* Put to each place the entry that the lower half of its key names; the keys are used up. */
static void arrange(struct vt_unwind_entry *index, uint64_t *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct vt_unwind_entry first = index[i];
        size_t to = i, from;
        for (; (from = (uint32_t)keys[to]) != i; to = from) {
            index[to] = index[from];
            keys[to] = to;
        }
        index[to] = first;
        keys[to] = to;
    }
}

static int compare(const void *a, const void *b)
{
    const struct vt_unwind_entry *x = a, *y = b;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at; /* .eh_frame's first */
}

/*
 * Sort by start, and what has the same by where it lies, as it does already. A large program has
 * 100,000 entries in thousands of pieces, and it is stopped meanwhile: so by digits,
 * where all of it lies within 4 GiB.
 */
static void sort(struct vt_unwind_tables *tables)
{
    size_t n = tables->count;
    vt_addr low = UINT64_MAX, high = 0;
    bool sorted = true;

    for (size_t i = 0; i < n; i++) {
        sorted &= !i || compare(&tables->index[i - 1], &tables->index[i]) <= 0;
        low = vt_min(low, tables->index[i].start);
        high = vt_max(high, tables->index[i].start);
    }
    if (sorted)
        return;
    uint64_t *keys = malloc(2 * n * sizeof(*keys));
    if (keys && high - low <= UINT32_MAX && n <= UINT32_MAX) {
        for (size_t i = 0; i < n; i++)
            keys[i] = (tables->index[i].start - low) << 32 | i;
        arrange(tables->index, sort_keys(keys, keys + n, n), n);
    } else {
        qsort(tables->index, n, sizeof(*tables->index), compare);
    }
    free(keys);
}

/* Sort, and drop what is covered already. */
static void tidy(struct vt_unwind_tables *tables)
{
    size_t kept = 0;

    sort(tables);
    for (size_t i = 0; i < tables->count; i++) {
        struct vt_unwind_entry e = tables->index[i];
        if (kept && e.start < tables->index[kept - 1].end)
            e.start = tables->index[kept - 1].end;
        if (e.start < e.end)
            tables->index[kept++] = e;
    }
    tables->count = kept;
}

/* The frames of the file itself, or of the one that holds what was stripped from it. */
static int read_debug_frame(struct vt_unwind_tables *tables, const struct vt_elf_file *file,
                            const GElf_Shdr *section, vt_addr image_end)
{
    struct stretch *stretch = &tables->stretches[tables->stretch_count];
    struct vt_buf out = {0};
    size_t length;
    unsigned char *bytes;

    if (!section->sh_size || !(bytes = vt_section_load(file, section, TABLE_BYTES_MAX, &length)))
        return 0;
    stretch->start = image_end;
    rewrite_debug_frame(bytes, length, file->wide ? 8 : 4, stretch->start, &out);
    free(bytes);
    if (out.failed) {
        vt_buf_deinit(&out);
        return -ENOMEM;
    }
    stretch->bytes = (unsigned char *)out.data;
    stretch->length = out.length;
    stretch->word = 8;
    tables->stretch_count++;
    return index_eh_frame(tables, stretch);
}

/* Is nearly all of the code covered? The rest is padding, and what the linker adds. */
static bool is_whole(const struct vt_unwind_tables *tables, const struct found *found)
{
    uint64_t covered = 0;

    for (size_t i = 0; i < tables->count; i++)
        covered += vt_min(tables->index[i].end - tables->index[i].start, found->code);
    return covered >= found->code / 10 * 9;
}

static int read_separate(struct vt_unwind_tables *tables, const struct vt_elf_file *file,
                         const struct vt_debug_search *search, const struct found *found)
{
    struct vt_elf_file other;
    struct found there = {0};
    int r = 0, fd = vt_debug_file_open(file, search);

    if (fd < 0)
        return 0;
    if (vt_elf_file_init(&other, fd, NULL) == 0 && other.wide == file->wide &&
        other.encode == file->encode) {
        find_sections(&other, &there);
        r = read_debug_frame(tables, &other, &there.debug_frame, found->image_end);
    }
    close(fd);
    return r;
}

static int read_all(struct vt_unwind_tables *tables, const struct vt_elf_file *file,
                    const struct vt_debug_search *search)
{
    unsigned word = file->wide ? 8 : 4;
    struct found found = {0};
    GElf_Phdr holder = {0};
    struct stretch *eh = &tables->stretches[0];
    int r = 0;

    find_segments(file, &found, &holder);
    find_sections(file, &found);
    if (!found.eh_frame.sh_size && found.header.p_filesz)
        find_by_header(file, &found, &holder, word);
    if (found.eh_frame.sh_size &&
        (eh->bytes = vt_section_load(file, &found.eh_frame, TABLE_BYTES_MAX, &eh->length))) {
        eh->start = found.eh_frame.sh_addr;
        eh->word = word;
        tables->stretch_count = 1;
        /* More room than they need, of which what is not used costs nothing. */
        (void)vt_reserve((void **)&tables->index, &tables->capacity, eh->length / ENTRY_LEAST + 1,
                         sizeof(*tables->index));
        r = index_eh_frame(tables, eh);
    }
    if (!r && found.debug_frame.sh_size)
        r = read_debug_frame(tables, file, &found.debug_frame, found.image_end);
    else if (!r && search && !is_whole(tables, &found))
        r = read_separate(tables, file, search, &found);
    return r;
}

int vt_unwind_tables_read(int fd, const struct vt_debug_search *search,
                          struct vt_unwind_tables **tables_out, struct vt_error *err)
{
    struct vt_elf_file file;

    *tables_out = NULL;
    int r = vt_elf_file_init(&file, fd, err);
    if (r)
        return r;
    if (file.encode != ELFDATA2LSB)
        return 1;
    struct vt_unwind_tables *tables = calloc(1, sizeof(*tables));
    if (!tables)
        return vt_error_errno(err, ENOMEM, "cannot read the unwind tables of a mapped file");
    r = read_all(tables, &file, search);
    if (r || !tables->count) {
        vt_unwind_tables_destroy(tables);
        return r ? vt_error_errno(err, -r, "cannot read the unwind tables of a mapped file") : 1;
    }
    tidy(tables);
    *tables_out = tables;
    return 0;
}

void vt_unwind_tables_destroy(struct vt_unwind_tables *tables)
{
    if (!tables)
        return;
    for (size_t i = 0; i < VT_COUNTOF(tables->stretches); i++)
        free(tables->stretches[i].bytes);
    free(tables->index);
    free(tables);
}

const struct vt_unwind_entry *vt_unwind_tables_find(const struct vt_unwind_tables *tables,
                                                    vt_addr address)
{
    size_t low = 0, high = tables->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (tables->index[middle].end > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low < tables->count && tables->index[low].start <= address ? &tables->index[low] : NULL;
}

bool vt_unwind_tables_word(const struct vt_unwind_tables *tables, vt_addr address, uint64_t *word)
{
    for (size_t i = 0; i < tables->stretch_count; i++) {
        const struct stretch *s = &tables->stretches[i];
        if (address - vt_round_down(s->start, 8) >= vt_round_up(s->length + s->start % 8, 8))
            continue;
        *word = 0;
        if (address >= s->start && s->length >= 8 && address - s->start <= s->length - 8) {
            memcpy(word, s->bytes + (address - s->start), 8);
            return true;
        }
        for (unsigned b = 0; b < 8; b++) {
            vt_addr at = address + b;
            if (at >= s->start && at - s->start < s->length)
                *word |= (uint64_t)s->bytes[at - s->start] << (8 * b);
        }
        return true;
    }
    return false;
}

bool vt_unwind_tables_program(const struct vt_unwind_tables *tables,
                              const struct vt_unwind_entry *entry,
                              struct vt_unwind_program *program)
{
    const struct stretch *s = tables->stretches;
    struct common common;
    struct entry e;
    uint64_t length;

    while (entry->at - s->start >= s->length) /* entries come from the stretches */
        s++;
    size_t at = (size_t)(entry->at - s->start);
    if (!next_entry(s->bytes, s->length, &at, &e) || !find_common(s, &e, &common))
        return false;
    *program = (struct vt_unwind_program){
        .common = common.instructions,
        .code_alignment = common.code_alignment,
        .data_alignment = vt_take_signed_leb(&common.data_alignment),
        .return_register = common.return_register,
        .encoding = common.encoding,
        .address_size = common.address_size,
        .bytes = s->bytes,
        .bytes_at = s->start,
    };
    if (!take_head(&e, &common, address_in(s, e.body.at), &program->start, &length))
        return false;
    program->own = e.body;
    return true;
}

bool vt_unwind_program_address(const struct vt_unwind_program *program, struct vt_cursor *c,
                               vt_addr *address)
{
    return take_address(c, program->encoding, program->address_size,
                        program->bytes_at + (vt_addr)(c->at - program->bytes), address);
}

size_t vt_unwind_tables_count(const struct vt_unwind_tables *tables)
{
    return tables->count;
}
