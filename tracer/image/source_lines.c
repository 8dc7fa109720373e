/*
 * source_lines.c - hides libdw's entries: which unit has an address, which of its functions, and
 * which others were inlined there.
 *
 * The entries of a unit are looked through once, for where its functions are; those of a function
 * once an address.
 *
 * Invariants: the units that were asked for ascend by offset, and are loaded; ranges are sorted
 * once nothing is added any more.
 */
#include "image/source_lines.h"

#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "image/debug_info.h"
#include "image/demangle.h"

enum {
    INLINED_MAX = 64,
    ENTRIES_NESTED_MAX = 256, /* of debug information; compilers' have some dozens */
};

/* Code, and the entry of what it belongs to. */
struct range {
    vt_addr start;
    vt_addr end;
    Dwarf_Off entry;
};

struct ranges {
    struct range *items;
    size_t count;
    size_t capacity;
};

/* A compilation unit. */
struct unit {
    Dwarf_Off entry;
    struct ranges functions;
    struct vt_line_rows rows;
    Dwarf_Files *files; /* that rows count; libdw's; null: no rows */
};

struct vt_source_lines {
    struct vt_debug_info *info;
    Dwarf *dwarf;
    bool code_read;
    struct ranges code; /* of the units, where libdw does not know it */
    struct unit *units;
    size_t unit_count;
    size_t unit_capacity;
};

/* ---- ranges --------------------------------------------------------------------------- */

/* Those of the entry; what there is no memory for is left out. */
static void add_ranges(struct ranges *ranges, Dwarf_Die *die)
{
    Dwarf_Addr base, start, end;
    ptrdiff_t at = 0;

    while ((at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
        if (start >= end || vt_reserve((void **)&ranges->items, &ranges->capacity,
                                       ranges->count + 1, sizeof(*ranges->items)))
            continue;
        ranges->items[ranges->count++] = (struct range){start, end, dwarf_dieoffset(die)};
    }
}

/* Of several that are alike the first entry is found, which has to be the last one for that. */
static int compare_ranges(const void *a, const void *b)
{
    const struct range *x = a, *y = b;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->entry > y->entry ? -1 : x->entry < y->entry;
}

static void sort_ranges(struct ranges *ranges)
{
    if (ranges->count)
        qsort(ranges->items, ranges->count, sizeof(*ranges->items), compare_ranges);
}

/* The entry with the code at the address; null if there is none. */
static const struct range *range_at(const struct ranges *ranges, vt_addr at)
{
    size_t low = 0;

    for (size_t high = ranges->count; low < high;) { /* the first that starts above */
        size_t middle = low + (high - low) / 2;
        if (ranges->items[middle].start > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low && ranges->items[low - 1].end > at ? &ranges->items[low - 1] : NULL;
}

/* ---- units ---------------------------------------------------------------------------- */

/* Where each unit's code is. Not all compilers write the table that libdw has for it. */
static void read_code(struct vt_source_lines *lines)
{
    Dwarf_Off at = 0, next;
    size_t head;

    lines->code_read = true;
    for (; dwarf_nextcu(lines->dwarf, at, &next, &head, NULL, NULL, NULL) == 0; at = next) {
        Dwarf_Die die;
        if (!dwarf_offdie(lines->dwarf, at + head, &die))
            continue;
        vt_debug_info_load_first(lines->info, &die);
        add_ranges(&lines->code, &die);
    }
    sort_ranges(&lines->code);
}

/* The first entry of the unit with the code at the address; false if there is none. */
static bool unit_at(struct vt_source_lines *lines, vt_addr at, Dwarf_Die *die)
{
    if (dwarf_addrdie(lines->dwarf, at, die))
        return true;
    if (!lines->code_read)
        read_code(lines);
    const struct range *range = range_at(&lines->code, at);
    return range && dwarf_offdie(lines->dwarf, range->entry, die);
}

/*
 * Add the functions among what is nested in an entry. The entries are looked through here, since
 * libdw's way takes as much stack as a file nests, and no end where an entry's next one lies in
 * front of it.
 */
static void add_functions(struct ranges *functions, Dwarf_Die *parent, unsigned depth)
{
    Dwarf_Die die, next;

    if (depth == ENTRIES_NESTED_MAX || dwarf_child(parent, &die) != 0)
        return;
    for (;; die = next) {
        int tag = dwarf_tag(&die);
        if (tag == DW_TAG_subprogram &&
            (dwarf_hasattr(&die, DW_AT_low_pc) || dwarf_hasattr(&die, DW_AT_ranges)))
            add_ranges(functions, &die);
        else if (tag == DW_TAG_namespace || tag == DW_TAG_module)
            add_functions(functions, &die, depth + 1);
        if (dwarf_siblingof(&die, &next) != 0 || next.addr <= die.addr)
            return;
    }
}

/* The unit with this first entry, loaded. Null when out of memory. */
static struct unit *find_unit(struct vt_source_lines *lines, Dwarf_Die *die)
{
    Dwarf_Off entry = dwarf_dieoffset(die);
    size_t low = 0;

    for (size_t high = lines->unit_count; low < high;) { /* the first that is not in front of it */
        size_t middle = low + (high - low) / 2;
        if (lines->units[middle].entry < entry)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < lines->unit_count && lines->units[low].entry == entry)
        return &lines->units[low];
    if (vt_reserve((void **)&lines->units, &lines->unit_capacity, lines->unit_count + 1,
                   sizeof(*lines->units)))
        return NULL;
    struct unit *unit = &lines->units[low];
    memmove(unit + 1, unit, (lines->unit_count++ - low) * sizeof(*unit));
    *unit = (struct unit){.entry = entry};
    vt_debug_info_load(lines->info, die);
    if (!vt_debug_info_lines(lines->info, die, &unit->rows, &unit->files))
        unit->files = NULL;
    if (!vt_debug_info_is_split(die)) {
        add_functions(&unit->functions, die, 0);
        sort_ranges(&unit->functions);
    }
    return unit;
}

/* ---- an address ------------------------------------------------------------------------- */

/* A source file's name, from the directory of compilation where it is relative. */
static char *full_path(const char *directory, const char *name)
{
    char *path;

    if (name[0] == '/' || !directory)
        return strdup(name);
    return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

static char *linkage_name(Dwarf_Die *die)
{
    static const unsigned int names[] = {DW_AT_linkage_name, DW_AT_MIPS_linkage_name};
    Dwarf_Attribute attribute;

    for (size_t i = 0; i < VT_COUNTOF(names); i++) {
        const char *mangled = dwarf_formstring(dwarf_attr_integrate(die, names[i], &attribute));
        char *text = mangled ? vt_demangle(mangled) : NULL;
        if (text)
            return text;
    }
    const char *name = dwarf_diename(die);
    return strdup(name ? name : "?");
}

static const char *directory_of(Dwarf_Die *unit)
{
    Dwarf_Attribute attribute;

    return dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
}

/* Where an inlined function was called. */
static void call_site(Dwarf_Die *unit, Dwarf_Die *die, char **file, unsigned *line)
{
    Dwarf_Attribute attribute;
    Dwarf_Word number;
    Dwarf_Files *files;
    size_t count;

    *file = NULL;
    *line = 0;
    if (dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attribute), &number) == 0 &&
        dwarf_getsrcfiles(unit, &files, &count) == 0 && number < count) {
        const char *name = dwarf_filesrc(files, (size_t)number, NULL, NULL);
        if (name)
            *file = full_path(directory_of(unit), name);
    }
    if (dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attribute), &number) == 0 &&
        number <= INT32_MAX)
        *line = (unsigned)number;
}

/* Functions at an address, the outermost first. */
struct chain {
    Dwarf_Die functions[INLINED_MAX + 1];
    size_t count;
};

/* Find those that were inlined into the last one of the chain. */
static void find_nested(Dwarf_Die *parent, Dwarf_Addr at, unsigned depth, struct chain *chain)
{
    Dwarf_Die die, next;

    if (depth == ENTRIES_NESTED_MAX || dwarf_child(parent, &die) != 0)
        return;
    for (;; die = next) {
        int tag = dwarf_tag(&die);
        bool function = tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
        bool block = tag == DW_TAG_lexical_block || tag == DW_TAG_try_block ||
                     tag == DW_TAG_catch_block || tag == DW_TAG_with_stmt;
        if ((function || block) && dwarf_haspc(&die, at) > 0) {
            if (function && chain->count < VT_COUNTOF(chain->functions))
                chain->functions[chain->count++] = die;
            find_nested(&die, at, depth + 1, chain);
            return;
        }
        if (dwarf_siblingof(&die, &next) != 0 || next.addr <= die.addr)
            return;
    }
}

/* The functions that were inlined at the address, and where the one that is left was. */
static int find_inlined(struct vt_source_lines *lines, const struct unit *unit, Dwarf_Die *first,
                        Dwarf_Addr at, struct vt_frame *frame)
{
    const struct range *range = range_at(&unit->functions, at);
    struct vt_inlined found[INLINED_MAX];
    struct chain chain = {.count = 1};
    size_t count = 0;

    if (!range || !dwarf_offdie(lines->dwarf, range->entry, &chain.functions[0]))
        return 0;
    find_nested(&chain.functions[0], at, 0, &chain);
    for (size_t i = chain.count; i-- > 0 && count < INLINED_MAX;) {
        Dwarf_Die *function = &chain.functions[i];
        if (dwarf_tag(function) == DW_TAG_subprogram) {
            if (!frame->function)
                frame->function = linkage_name(function);
            break;
        }
        char *file;
        found[count++] = (struct vt_inlined){linkage_name(function), frame->file, frame->line};
        call_site(first, function, &file, &frame->line);
        frame->file = file;
    }
    if (!count)
        return 0;
    struct vt_inlined *inlined = malloc(count * sizeof(*inlined));
    if (!inlined) {
        for (size_t i = 0; i < count; i++) {
            free((char *)found[i].function);
            free((char *)found[i].file);
        }
        return -ENOMEM;
    }
    memcpy(inlined, found, count * sizeof(*inlined));
    frame->inlined = inlined;
    frame->inlined_count = count;
    return 0;
}

static void find_line(const struct unit *unit, Dwarf_Die *first, vt_addr at, struct vt_frame *frame)
{
    const struct vt_line_row *row = unit->files ? vt_line_rows_at(&unit->rows, at) : NULL;
    const char *name = row ? dwarf_filesrc(unit->files, row->file, NULL, NULL) : NULL;

    if (!name)
        return;
    frame->file = full_path(directory_of(first), name);
    if (row->line <= INT32_MAX)
        frame->line = row->line;
}

int vt_source_lines_find(struct vt_source_lines *lines, vt_addr at, struct vt_frame *frame)
{
    Dwarf_Die first;

    if (!unit_at(lines, at, &first))
        return 0;
    const struct unit *unit = find_unit(lines, &first);
    if (!unit)
        return -ENOMEM;
    find_line(unit, &first, at, frame);
    return find_inlined(lines, unit, &first, at, frame);
}

/* ---- begin and end ------------------------------------------------------------------------ */

struct vt_source_lines *vt_source_lines_read(int fd, const char *directory)
{
    struct vt_source_lines *lines = calloc(1, sizeof(*lines));

    if (!lines)
        return NULL;
    lines->info = vt_debug_info_read(fd, directory);
    if (!lines->info) {
        free(lines);
        return NULL;
    }
    lines->dwarf = vt_debug_info_dwarf(lines->info);
    return lines;
}

void vt_source_lines_destroy(struct vt_source_lines *lines)
{
    if (!lines)
        return;
    vt_debug_info_destroy(lines->info);
    for (size_t i = 0; i < lines->unit_count; i++) {
        free(lines->units[i].functions.items);
        vt_line_rows_deinit(&lines->units[i].rows);
    }
    free(lines->units);
    free(lines->code.items);
    free(lines);
}
