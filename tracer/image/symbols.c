/*
 * symbols.c - hides which file names come from, which of several symbols names an
 * address best, and libdwfl.
 *
 * Symbols are read by libdwfl, out of one file that was opened here: the one that is mapped,
 * or its debug file. It is given an Elf handle that reads: its own way maps the file, and
 * one that is cut short afterwards would end the tracer (SIGBUS). It is
 * not asked for debug information, and finds no file by itself. In its session the
 * file's own addresses are the addresses.
 *
 * Invariant: `names` ascends by start and then by rank, best first, once `read` is set.
 */
#include "image/symbols.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "image/debug_file.h"
#include "image/demangle.h"
#include "image/search.h"
#include "image/source_lines.h"

enum {
    NESTED_MAX = 8, /* symbols within symbols that are looked through */
};

/* No larger than this, since qsort(3) takes another, slower way with what is. */
struct name {
    vt_addr start;
    vt_addr end;      /* of the symbol; where its size is not told, of its section */
    const char *text; /* libdw's */
    unsigned rank;    /* smaller is better; UNSIZED is a bit of it */
};
_Static_assert(sizeof(struct name) <= 32, "sorted as it is");

#define UNSIZED (1u << 19) /* it ends where the next one begins */

struct vt_symbols {
    int fd;
    const struct vt_elf *elf;
    char *path;
    char *debug_directory;
    bool debug_files; /* as vt_symbols_create() has it */
    bool searched;    /* for the debug file */
    int debug_fd;     /* -1: there is none */
    int names_fd;     /* of these two the one with the symbols */
    Dwfl *dwfl;       /* holds the names' texts */
    bool read;
    bool lines_read;
    struct vt_source_lines *lines; /* null: there are none */
    struct name *names;
    size_t name_count;
    size_t name_capacity;
};

/* ---- the files ----------------------------------------------------------------------- */

/* The debug file, which is searched for when it is needed first; -1 if there is none. */
static int debug_file(struct vt_symbols *symbols)
{
    const struct vt_debug_search search = {symbols->elf, symbols->path, symbols->debug_directory};
    struct vt_elf_file file;

    if (symbols->searched)
        return symbols->debug_fd;
    symbols->searched = true;
    if (vt_elf_file_init(&file, symbols->fd, NULL) == 0)
        symbols->debug_fd = vt_debug_file_open(&file, &search);
    if (symbols->debug_fd < 0 && symbols->debug_files)
        symbols->debug_fd = vt_debug_file_ask(symbols->elf);
    return symbols->debug_fd;
}

static bool has_section(int fd, const char *name)
{
    struct vt_elf_file file;
    GElf_Shdr found;

    return vt_elf_file_init(&file, fd, NULL) == 0 && vt_elf_file_sections(&file, &name, 1, &found);
}

/*
 * The file itself if it has the section, else its debug file, if that has it and may be looked
 * into for it; else -1.
 */
static int file_with(struct vt_symbols *symbols, const char *section, bool apart)
{
    if (has_section(symbols->fd, section))
        return symbols->fd;
    return apart && debug_file(symbols) >= 0 && has_section(symbols->debug_fd, section)
               ? symbols->debug_fd
               : -1;
}

static struct vt_source_lines *source_lines(struct vt_symbols *symbols)
{
    if (!symbols->lines_read) {
        int fd = file_with(symbols, ".debug_info", symbols->debug_files);
        if (fd < 0)
            fd = file_with(symbols, ".zdebug_info", symbols->debug_files);
        symbols->lines = fd >= 0 ? vt_source_lines_read(fd, symbols->debug_directory) : NULL;
        symbols->lines_read = true;
    }
    return symbols->lines;
}

static int find_elf(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
                    char **file_name, Elf **elf)
{
    struct vt_symbols *symbols = *user;

    (void)module, (void)name, (void)base;
    int fd = fcntl(symbols->names_fd, F_DUPFD_CLOEXEC, 3);
    *elf = fd >= 0 ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
    if (!*elf && fd >= 0) {
        close(fd);
        fd = -1;
    }
    *file_name = strdup(symbols->path);
    return fd;
}

/* All that is searched for is found already. */
static int find_no_file(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
                        const char *file_name, const char *link, GElf_Word checksum, char **found)
{
    (void)module, (void)user, (void)name, (void)base, (void)file_name, (void)link;
    (void)checksum, (void)found;
    return -1;
}

/* libdwfl's view of the file with the symbols; null if there is none. */
static Dwfl_Module *open_module(struct vt_symbols *symbols)
{
    static const Dwfl_Callbacks callbacks = {.find_elf = find_elf, .find_debuginfo = find_no_file};
    void **user;

    symbols->names_fd = file_with(symbols, ".symtab", true);
    if (symbols->names_fd < 0)
        symbols->names_fd = symbols->fd; /* dynamic ones, and .gnu_debugdata */
    symbols->dwfl = dwfl_begin(&callbacks);
    if (!symbols->dwfl)
        return NULL;
    dwfl_report_begin(symbols->dwfl);
    Dwfl_Module *module = dwfl_report_module(symbols->dwfl, symbols->path, symbols->elf->load_start,
                                             symbols->elf->load_end);
    if (module) {
        dwfl_module_info(module, &user, NULL, NULL, NULL, NULL, NULL, NULL);
        *user = symbols;
    }
    dwfl_report_end(symbols->dwfl, NULL, NULL);
    return module;
}

/* ---- names ------------------------------------------------------------------------ */

/*
 * Several symbols may stand for one function: mmap, mmap64, __mmap. The one
 * that people would write comes first: known outside, no underscores, short.
 */
static unsigned rank_of(const GElf_Sym *sym, const char *text)
{
    static const unsigned char bindings[] = {[STB_LOCAL] = 2, [STB_GLOBAL] = 0, [STB_WEAK] = 0};
    unsigned binding = GELF_ST_BIND(sym->st_info);
    unsigned type = GELF_ST_TYPE(sym->st_info);
    size_t underscores = strspn(text, "_");

    return (type == STT_NOTYPE ? 1u << 20 : 0) | (sym->st_size ? 0 : UNSIZED) |
           (binding < VT_COUNTOF(bindings) ? bindings[binding] : 1u) << 16 |
           (unsigned)vt_min(text[underscores] == 'Z' || text[underscores] == 'R' ? 0 : underscores,
                            255)
               << 8 |
           (unsigned)vt_min(strlen(text), 255);
}

static int compare(const void *a, const void *b)
{
    const struct name *x = a, *y = b;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* The string tables of the symbol tables of one of the files that the symbols come from. */
struct strings {
    Elf *elf;
    size_t count;
    struct {
        const char *start;
        const char *end; /* behind the last NUL */
    } tables[4];
};

static void read_strings(struct strings *strings, Elf *elf)
{
    GElf_Shdr header;

    *strings = (struct strings){.elf = elf};
    for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
        if (strings->count == VT_COUNTOF(strings->tables))
            break;
        if (!gelf_getshdr(scn, &header) ||
            (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM))
            continue;
        Elf_Data *data = elf_getdata(elf_getscn(elf, header.sh_link), NULL);
        const char *nul = data && data->d_buf ? memrchr(data->d_buf, 0, data->d_size) : NULL;
        if (!nul)
            continue;
        strings->tables[strings->count].start = data->d_buf;
        strings->tables[strings->count++].end = nul + 1;
    }
}

/* libdw looks where a symbol's name begins, but not that it ends before its string table does. */
static bool is_ended(struct strings *strings, Elf *elf, const char *text)
{
    if (strings->elf != elf)
        read_strings(strings, elf);
    for (size_t i = 0; i < strings->count; i++)
        if ((uintptr_t)text >= (uintptr_t)strings->tables[i].start &&
            (uintptr_t)text < (uintptr_t)strings->tables[i].end)
            return true;
    return false;
}

/* A section of one of the files that the symbols come from. */
struct section {
    Elf *elf;
    GElf_Word index;
    bool code;
    vt_addr end;
};

/* Fill *section for this one, if it is not the one that it holds. */
static void look_at(struct section *section, Elf *elf, GElf_Word index)
{
    GElf_Shdr header;

    if (section->elf == elf && section->index == index)
        return;
    Elf_Scn *scn = elf_getscn(elf, index);
    *section = (struct section){.elf = elf, .index = index};
    if (scn && gelf_getshdr(scn, &header)) {
        section->code = header.sh_flags & SHF_EXECINSTR;
        section->end = header.sh_addr + header.sh_size;
    }
}

static int read_names(struct vt_symbols *symbols)
{
    Dwfl_Module *module = open_module(symbols);
    int count = module ? dwfl_module_getsymtab(module) : 0;
    struct strings strings = {0};
    struct section section = {0};

    symbols->read = true;
    for (int i = 1; i < count; i++) {
        GElf_Sym sym;
        GElf_Addr start;
        GElf_Word index;
        Elf *elf;
        Dwarf_Addr bias;
        const char *text = dwfl_module_getsym_info(module, i, &sym, &start, &index, &elf, &bias);
        unsigned type = GELF_ST_TYPE(sym.st_info);
        if (!text || index == SHN_UNDEF || index == SHN_ABS ||
            (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) ||
            !is_ended(&strings, elf, text) || !*text)
            continue;
        look_at(&section, elf, index);
        if (!section.code)
            continue;
        if (vt_reserve((void **)&symbols->names, &symbols->name_capacity, symbols->name_count + 1,
                       sizeof(*symbols->names)))
            return -ENOMEM;
        symbols->names[symbols->name_count++] = (struct name){
            .start = start,
            .end = sym.st_size ? start + sym.st_size : section.end + bias,
            .text = text,
            .rank = rank_of(&sym, text),
        };
    }
    if (symbols->name_count)
        qsort(symbols->names, symbols->name_count, sizeof(*symbols->names), compare);
    return 0;
}

/* The best symbol that holds the address, or null. */
static const struct name *name_at(const struct vt_symbols *symbols, vt_addr address)
{
    const struct name *names = symbols->names;
    size_t low = vt_begun_at(names, symbols->name_count, sizeof(*names), address);

    for (unsigned nested = 0; low > 0 && nested < NESTED_MAX; nested++) {
        const struct name *best = NULL;
        vt_addr start = names[low - 1].start;
        for (; low > 0 && names[low - 1].start == start; low--)
            if (address < names[low - 1].end && (!(names[low - 1].rank & UNSIZED) || nested == 0))
                best = &names[low - 1];
        if (best)
            return best;
    }
    return NULL;
}

/* Demangled, and without the version that a symbol table may append (memcpy@@GLIBC_2.14). */
static char *readable(const char *name)
{
    char *plain = strndup(name, strcspn(name, "@"));
    char *demangled = plain ? vt_demangle(plain) : NULL;

    if (!demangled)
        return plain;
    free(plain);
    return demangled;
}

/* ---- an address ------------------------------------------------------------------------- */

int vt_symbols_find(struct vt_symbols *symbols, struct vt_frame *frame)
{
    /* A return address may be the first of the next function. */
    vt_addr at = frame->interrupted ? frame->address : frame->address - 1;

    if (!symbols->read && read_names(symbols))
        return -ENOMEM;
    const struct name *name = name_at(symbols, at);
    if (name) {
        frame->function = readable(name->text);
        frame->offset = frame->address - name->start;
        if (!frame->function)
            return -ENOMEM;
    }
    struct vt_source_lines *lines = source_lines(symbols);
    return lines ? vt_source_lines_find(lines, at, frame) : 0;
}

void vt_frame_clear(struct vt_frame *frame)
{
    for (size_t i = 0; i < frame->inlined_count; i++) {
        free((char *)frame->inlined[i].function);
        free((char *)frame->inlined[i].file);
    }
    free((struct vt_inlined *)frame->inlined);
    free((char *)frame->function);
    free((char *)frame->file);
    frame->function = frame->file = NULL;
    frame->inlined = NULL;
    frame->inlined_count = 0;
}

struct vt_symbols *vt_symbols_create(int fd, const struct vt_elf *elf, const char *path,
                                     const char *debug_directory, bool debug_files)
{
    struct vt_symbols *symbols = calloc(1, sizeof(*symbols));

    if (!symbols)
        return NULL;
    symbols->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    symbols->path = strdup(path);
    symbols->debug_directory = strdup(debug_directory);
    symbols->elf = elf;
    symbols->debug_files = debug_files;
    symbols->debug_fd = -1;
    elf_version(EV_CURRENT);
    if (symbols->fd < 0 || !symbols->path || !symbols->debug_directory) {
        vt_symbols_destroy(symbols);
        return NULL;
    }
    return symbols;
}

void vt_symbols_destroy(struct vt_symbols *symbols)
{
    if (!symbols)
        return;
    if (symbols->dwfl)
        dwfl_end(symbols->dwfl);
    vt_source_lines_destroy(symbols->lines);
    if (symbols->debug_fd >= 0)
        close(symbols->debug_fd);
    if (symbols->fd >= 0)
        close(symbols->fd);
    free(symbols->names);
    free(symbols->path);
    free(symbols->debug_directory);
    free(symbols);
}
