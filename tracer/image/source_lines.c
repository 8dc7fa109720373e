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
#include "image/search.h"

enum {
    INLINED_MAX = 64,
    ENTRIES_NESTED_MAX = 256, /* of debug information; compilers' have some dozens */
    /*
     * Limits against files made to use up memory: any number of entries may name one list of
     * ranges, and compressed programs make rows without measure. Of what is kept of a file, all
     * units together; the largest ones have some hundred thousand.
     */
    RANGES_MAX = 1 << 22,
    ROWS_MAX = 1 << 24,
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
    bool nested; /* those within others are among them */
    struct vt_line_rows rows;
    Dwarf_Files *files; /* that rows count; libdw's; null: no rows */
};

struct vt_source_lines {
    struct vt_debug_info *info;
    Dwarf *dwarf;
    bool table_read;
    struct ranges table; /* code of units, as .debug_aranges has it */
    bool code_read;
    struct ranges code; /* the same, as units have it; not all compilers write that table */
    size_t range_count; /* in all of these and of units */
    size_t row_count;
    struct unit *units;
    size_t unit_count;
    size_t unit_capacity;
};

/* ---- ranges --------------------------------------------------------------------------- */

/* False if there is no room for more. What is of nothing, as a linker left it out, begins at 0. */
static bool add_range(struct vt_source_lines *lines, struct ranges *ranges, struct range range)
{
    if (!range.start || range.start >= range.end)
        return true;
    if (lines->range_count == RANGES_MAX ||
        vt_reserve((void **)&ranges->items, &ranges->capacity, ranges->count + 1, sizeof(range)))
        return false;
    ranges->items[ranges->count++] = range;
    lines->range_count++;
    return true;
}

/* Those of the entry; what there is no room for is left out. */
static void add_ranges(struct vt_source_lines *lines, struct ranges *ranges, Dwarf_Die *die)
{
    Dwarf_Addr base, start, end;
    ptrdiff_t at = 0;

    while ((at = dwarf_ranges(die, at, &base, &start, &end)) > 0)
        if (!add_range(lines, ranges, (struct range){start, end, dwarf_dieoffset(die)}))
            return;
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
    size_t begun = vt_begun_at(ranges->items, ranges->count, sizeof(*ranges->items), at);

    return begun && ranges->items[begun - 1].end > at ? &ranges->items[begun - 1] : NULL;
}

/* ---- units ---------------------------------------------------------------------------- */

/* libdw's own way to look into it finds the wrong one where several units begin at 0. */
static void read_table(struct vt_source_lines *lines)
{
    Dwarf_Aranges *all;
    size_t count;

    lines->table_read = true;
    if (dwarf_getaranges(lines->dwarf, &all, &count) != 0)
        return;
    for (size_t i = 0; i < count; i++) {
        struct range range;
        Dwarf_Word length;
        if (dwarf_getarangeinfo(dwarf_onearange(all, i), &range.start, &length, &range.entry) != 0)
            continue;
        range.end = range.start + length;
        add_range(lines, &lines->table, range);
    }
    sort_ranges(&lines->table);
}

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
        add_ranges(lines, &lines->code, &die);
    }
    sort_ranges(&lines->code);
}

/* The first entry of the unit with the code at the address; false if there is none. */
static bool unit_at(struct vt_source_lines *lines, vt_addr at, Dwarf_Die *die)
{
    if (!lines->table_read)
        read_table(lines);
    const struct range *range = range_at(&lines->table, at);
    if (!range && !lines->code_read)
        read_code(lines);
    if (!range)
        range = range_at(&lines->code, at);
    return range && dwarf_offdie(lines->dwarf, range->entry, die);
}

/* May such an entry have functions within that are not within the code of its own? */
static bool may_hold(int tag, bool nested)
{
    switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_module:
        return true;
    case DW_TAG_subprogram: /* of nested functions, and of local classes' */
    case DW_TAG_lexical_block:
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
        return nested;
    default:
        return false;
    }
}

/*
 * Add the functions among what is nested in an entry. The entries are looked through here, since
 * libdw's way takes as much stack as a file nests, and no end where an entry's next one lies in
 * front of it.
 */
static void add_functions(struct vt_source_lines *lines, struct unit *unit, Dwarf_Die *parent,
                          unsigned depth)
{
    Dwarf_Die die, next;

    if (depth == ENTRIES_NESTED_MAX || dwarf_child(parent, &die) != 0)
        return;
    for (;; die = next) {
        int tag = dwarf_tag(&die);
        if (tag == DW_TAG_subprogram &&
            (dwarf_hasattr(&die, DW_AT_low_pc) || dwarf_hasattr(&die, DW_AT_ranges)))
            add_ranges(lines, &unit->functions, &die);
        if (may_hold(tag, unit->nested))
            add_functions(lines, unit, &die, depth + 1);
        if (dwarf_siblingof(&die, &next) != 0 || next.addr <= die.addr)
            return;
    }
}

static void find_functions(struct vt_source_lines *lines, struct unit *unit, Dwarf_Die *first)
{
    lines->range_count -= unit->functions.count;
    unit->functions.count = 0;
    add_functions(lines, unit, first, 0);
    sort_ranges(&unit->functions);
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
    if (!vt_debug_info_lines(lines->info, die, &unit->rows, ROWS_MAX - lines->row_count,
                             &unit->files)) {
        vt_line_rows_deinit(&unit->rows);
        unit->files = NULL;
    }
    lines->row_count += unit->rows.count;
    if (!vt_debug_info_is_split(die))
        find_functions(lines, unit, die);
    return unit;
}

/* The function with the code at the address; null if none is known. */
static const struct range *function_at(struct vt_source_lines *lines, struct unit *unit,
                                       Dwarf_Die *first, vt_addr at)
{
    const struct range *range = range_at(&unit->functions, at);

    /* Few units have functions within others, and all their entries are to be looked at for it. */
    if (range || unit->nested || vt_debug_info_is_split(first))
        return range;
    unit->nested = true;
    find_functions(lines, unit, first);
    return range_at(&unit->functions, at);
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
static int find_inlined(struct vt_source_lines *lines, struct unit *unit, Dwarf_Die *first,
                        Dwarf_Addr at, struct vt_frame *frame)
{
    const struct range *range = function_at(lines, unit, first, at);
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
    struct unit *unit = find_unit(lines, &first);
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
    free(lines->table.items);
    free(lines->code.items);
    free(lines);
}
