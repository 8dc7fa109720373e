/*
 * Hides: how an address space becomes a textbook's drawing of it: which regions form a box,
 * what is folded when there are too many, how wide things are in which terminal. Also the two
 * plain formats of the same facts, `maps` and `json`.
 *
 * The drawing is made in three steps, each with its own data:
 *   cells  one a region or a hole between two, ascending, covering the whole user half;
 *   boxes  one or more rows each, top-down: what belongs together and what is folded;
 *   lines  a box's upper border and its rows, in columns.
 *
 * Invariants: boxes tile the address space, so each border has exactly one address, the end of
 * the box below it and the start of the one above; rows tile their box likewise. Every name
 * from outside is escaped before it is measured.
 */
#include "sinks/picture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/escape.h"

/* ---- facts that follow from the input ---- */

#define COMPAT_USER_END  0xffffe000u       /* IA32_PAGE_OFFSET of a 64-bit kernel */
#define USER_END_47      0x7ffffffff000u   /* TASK_SIZE with 4-level page tables */
#define USER_END_56      0xfffffffffff000u /* with 5-level page tables, for who asks */
#define CANONICAL_END_47 0x800000000000u   /* end of the lower canonical half */
#define CANONICAL_END_56 0x100000000000000u
#define KERNEL_START_47  0xffff800000000000u
#define KERNEL_START_56  0xff00000000000000u

struct facts {
    bool compat; /* a 32-bit program */
    uint64_t page_size;
    vt_addr user_end;      /* what the process may map lies below */
    vt_addr canonical_end; /* end of the lower half; 32-bit: of its 4 GiB */
    vt_addr kernel_start;  /* of the upper half; 0 for a 32-bit program */
    struct vt_layout_marks marks;
};

static void find_facts(const struct vt_picture_input *input, struct facts *facts)
{
    *facts = (struct facts){.compat = input->class_bits == 32};
    facts->page_size = input->page_size ? input->page_size : 4096;
    facts->marks = *vt_layout_marks(input->layout);
    if (facts->compat) {
        facts->user_end = COMPAT_USER_END;
        facts->canonical_end = UINT64_C(1) << 32;
    } else {
        facts->user_end = input->la57 ? USER_END_56 : USER_END_47;
        facts->canonical_end = input->la57 ? CANONICAL_END_56 : CANONICAL_END_47;
        facts->kernel_start = input->la57 ? KERNEL_START_56 : KERNEL_START_47;
    }
    if (input->user_end)
        facts->user_end = input->user_end;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* True if the kernel would name this region [heap] or [stack] (see vt_layout_marks). */
static bool is_named_by_marks(const struct vt_region *region)
{
    return !region->object || (region->object->type == VT_OBJECT_SPECIAL &&
                               strncmp(region->object->name, "[anon:", 6) == 0);
}

static bool is_heap(const struct vt_region *region, const struct vt_layout_marks *marks)
{
    return is_named_by_marks(region) && marks->heap_end > 0 && region->start < marks->heap_end &&
           region->end > marks->heap_start;
}

/* The kernel takes the end as inside: a stack pointer at the very top belongs to it. */
static bool is_stack(const struct vt_region *region, const struct vt_layout_marks *marks)
{
    return is_named_by_marks(region) && marks->stack_start > 0 &&
           region->start <= marks->stack_start && region->end >= marks->stack_start;
}

/* ---- format `maps` ---- */

#define MAPS_NAME_COLUMN 73 /* counted from 0, where the kernel pads the name to */

static void put_maps_name(struct vt_buf *out, const char *name)
{
    for (; *name; name++) {
        if (*name == '\n')
            vt_buf_str(out, "\\012");
        else
            vt_buf_char(out, *name);
    }
}

static void put_maps_line(struct vt_buf *out, const struct vt_region *region,
                          const struct vt_layout_marks *marks)
{
    const struct vt_object *object = region->object;
    size_t line = out->length;
    char perm[5];

    vt_buf_hex(out, region->start, 8);
    vt_buf_char(out, '-');
    vt_buf_hex(out, region->end, 8);
    vt_buf_printf(out, " %s ", vt_prot_text(region->prot, region->flags, perm));
    vt_buf_hex(out, region->offset, 8);
    vt_buf_char(out, ' ');
    vt_buf_hex(out, object ? object->dev_major : 0, 2);
    vt_buf_char(out, ':');
    vt_buf_hex(out, object ? object->dev_minor : 0, 2);
    vt_buf_printf(out, " %" PRIu64 " ", object ? object->inode : 0);

    const char *name = is_heap(region, marks)    ? "[heap]"
                       : is_stack(region, marks) ? "[stack]"
                       : object                  ? object->name
                                                 : NULL;
    if (name && name[0]) {
        do
            vt_buf_char(out, ' ');
        while (!out->failed && out->length - line < MAPS_NAME_COLUMN);
        put_maps_name(out, name);
    }
    vt_buf_char(out, '\n');
}

/* Ends a renderer: a buffer that could not grow is its only failure. */
static int finish(const struct vt_buf *out, struct vt_error *err)
{
    return out->failed ? vt_error_set(err, ENOMEM, "cannot draw the layout: out of memory") : 0;
}

int vt_picture_render_maps(const struct vt_picture_input *input, struct vt_buf *out,
                           struct vt_error *err)
{
    const struct vt_layout_marks *marks = vt_layout_marks(input->layout);
    struct vt_region merged = {0};

    /* The layout keeps kinds apart (data and bss of one file mapping); the kernel does not. */
    vt_layout_for_each(region, input->layout) {
        if (merged.end && vt_layout_same_cover(&merged, region)) {
            merged.end = region->end;
            continue;
        }
        if (merged.end)
            put_maps_line(out, &merged, marks);
        merged = *region;
    }
    if (merged.end)
        put_maps_line(out, &merged, marks);
    return finish(out, err);
}

/* ---- format `json` ---- */

static void put_json_addr(struct vt_buf *out, const char *key, vt_addr addr)
{
    vt_buf_printf(out, "\"%s\":\"0x%" PRIx64 "\"", key, addr);
}

/* As put_json_addr; 0, which stands for "not known", becomes null. */
static void put_json_mark(struct vt_buf *out, const char *key, vt_addr addr)
{
    if (addr)
        put_json_addr(out, key, addr);
    else
        vt_buf_printf(out, "\"%s\":null", key);
}

static void put_json_text(struct vt_buf *out, const char *key, const char *text)
{
    vt_buf_printf(out, "\"%s\":", key);
    if (text)
        vt_escape_json(out, text, strlen(text));
    else
        vt_buf_str(out, "null");
}

static void get_detail(const struct vt_picture_input *input, const struct vt_region *region,
                       struct vt_detail *detail)
{
    *detail = (struct vt_detail){0};
    if (input->detail)
        input->detail(input->detail_context, region, detail);
    if (!detail->parts)
        detail->part_count = 0;
}

static void put_json_region(const struct vt_picture_input *input, const struct facts *facts,
                            const struct vt_region *region, struct vt_buf *out)
{
    const struct vt_object *object = region->object;
    struct vt_detail detail;
    char perm[5];

    get_detail(input, region, &detail);
    vt_buf_char(out, '{');
    put_json_addr(out, "start", region->start);
    vt_buf_char(out, ',');
    put_json_addr(out, "end", region->end);
    vt_buf_printf(out, ",\"size\":%" PRIu64 ",\"perm\":\"%s\",\"kind\":\"%s\"",
                  region->end - region->start, vt_prot_text(region->prot, region->flags, perm),
                  vt_kind_name(region->kind));
    vt_buf_printf(out, ",\"offset\":%" PRIu64 ",", region->offset);
    if (object) {
        vt_buf_printf(out,
                      "\"object\":{\"type\":\"%s\",\"device\":\"%02x:%02x\","
                      "\"inode\":%" PRIu64 ",",
                      object->type == VT_OBJECT_FILE ? "file" : "special", object->dev_major,
                      object->dev_minor, object->inode);
        put_json_text(out, "name", object->name);
        vt_buf_str(out, "},");
    } else {
        vt_buf_str(out, "\"object\":null,");
    }
    put_json_text(out, "mark",
                  is_heap(region, &facts->marks)    ? "heap"
                  : is_stack(region, &facts->marks) ? "stack"
                                                    : NULL);
    vt_buf_char(out, ',');
    put_json_text(out, "image", detail.image ? detail.image->name : NULL);
    vt_buf_str(out, ",\"parts\":[");
    for (size_t i = 0; i < detail.part_count; i++) {
        vt_buf_str(out, i ? ",{" : "{");
        put_json_addr(out, "start", detail.parts[i].start + detail.bias);
        vt_buf_char(out, ',');
        put_json_addr(out, "end", detail.parts[i].end + detail.bias);
        vt_buf_printf(out, ",\"kind\":\"%s\"}", vt_kind_name(detail.parts[i].kind));
    }
    vt_buf_str(out, "]}");
}

/* How the program was linked, as a word for programs; the text for eyes has blanks. */
static const char *const program_words[] = {
    [VT_PROGRAM_UNKNOWN] = "unknown",
    [VT_PROGRAM_STATIC] = "static",
    [VT_PROGRAM_STATIC_PIE] = "static-pie",
    [VT_PROGRAM_DYNAMIC] = "dynamic",
    [VT_PROGRAM_PIE] = "pie",
};

static void put_json_kernel(const struct vt_kernel_half *kernel, struct vt_buf *out)
{
    vt_buf_char(out, '{');
    put_json_text(out, "source", kernel->source);
    vt_buf_str(out, ",\"ranges\":[");
    for (size_t i = 0; i < kernel->count; i++) {
        const struct vt_kernel_range *range = &kernel->ranges[i];
        vt_buf_str(out, i ? ",\n{" : "\n{");
        put_json_addr(out, "start", range->start);
        vt_buf_char(out, ',');
        put_json_addr(out, "last", range->last);
        vt_buf_char(out, ',');
        put_json_text(out, "name", vt_kernel_role_name(range->role));
        vt_buf_char(out, ',');
        put_json_text(out, "source", range->source);
        vt_buf_char(out, '}');
    }
    vt_buf_str(out, "]}");
}

int vt_picture_render_json(const struct vt_picture_input *input, struct vt_buf *out,
                           struct vt_error *err)
{
    const struct vt_layout_sums *sums = vt_layout_sums(input->layout);
    const char *separator = "";
    struct facts facts;

    find_facts(input, &facts);
    vt_buf_str(out, "{\"format\":\"vastrace-layout\",\"version\":1,\n\"process\":{");
    vt_buf_printf(out, "\"pid\":%ld,", (long)input->pid);
    put_json_text(out, "path", input->path && input->path[0] ? input->path : NULL);
    vt_buf_printf(out, ",\"type\":\"%s\",\"class_bits\":%u,",
                  (unsigned)input->type < VT_COUNTOF(program_words) ? program_words[input->type]
                                                                    : "unknown",
                  facts.compat ? 32u : 64u);
    put_json_text(out, "moment", input->moment);
    vt_buf_char(out, ',');
    put_json_mark(out, "sp", input->sp);
    if (input->aslr >= 0)
        vt_buf_printf(out, ",\"aslr\":%d", input->aslr);
    else
        vt_buf_str(out, ",\"aslr\":null");
    vt_buf_printf(out, ",\"aslr_disabled\":%s},\n\"marks\":{",
                  input->aslr_disabled ? "true" : "false");
    put_json_mark(out, "heap_start", facts.marks.heap_start);
    vt_buf_char(out, ',');
    put_json_mark(out, "heap_end", facts.marks.heap_end);
    vt_buf_char(out, ',');
    put_json_mark(out, "stack_start", facts.marks.stack_start);
    vt_buf_printf(out, "},\n\"space\":{\"page_size\":%" PRIu64 ",\"paging_levels\":%d,",
                  facts.page_size, input->la57 ? 5 : 4);
    put_json_addr(out, "user_end", facts.user_end);
    vt_buf_char(out, ',');
    put_json_addr(out, "mmap_min_addr", input->mmap_min_addr);
    vt_buf_printf(out, "},\n\"totals\":{\"regions\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"kinds\":{",
                  sums->total_regions, sums->total_bytes);
    for (unsigned kind = 0; kind < VT_KIND_COUNT; kind++) {
        if (sums->regions[kind] == 0)
            continue;
        vt_buf_printf(out, "%s\"%s\":{\"regions\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", separator,
                      vt_kind_name((uint8_t)kind), sums->regions[kind], sums->bytes[kind]);
        separator = ",";
    }
    vt_buf_str(out, "}},\n\"regions\":[");
    separator = "\n";
    vt_layout_for_each(region, input->layout) {
        vt_buf_str(out, separator);
        put_json_region(input, &facts, region, out);
        separator = ",\n";
    }
    vt_buf_str(out, "],\n\"kernel\":");
    if (input->kernel && !facts.compat)
        put_json_kernel(input->kernel, out);
    else
        vt_buf_str(out, "null");
    vt_buf_str(out, "}\n");
    return finish(out, err);
}

/* ---- format `picture`: the alphabet ---- */

/* Everything that is drawn and is not text, in both alphabets. Each is one column wide. */
struct glyphs {
    const char *horizontal, *dashed, *vertical, *free_vertical, *fold;
    const char *top_left, *top_right, *left, *right, *bottom_left, *bottom_right;
    const char *up, *down, *pointer, *ellipsis;
    const char *fill[4]; /* the strip beside a row: no access, read, write, execute */
};

static const struct glyphs unicode_glyphs = {
    "─", "╌", "│", "┊", "≈", "┌", "┐", "├", "┤", "└", "┘", "▲", "▼", "►", "…", {" ", "░", "▒", "▓"},
};

static const struct glyphs ascii_glyphs = {
    "-", ".", "|", ":", "~", "+", "+", "+", "+", "+", "+", "^", "v", ">", "~", {" ", ".", "=", "#"},
};

/* SGR parameters. Eight colours and attributes only, so that any palette stays readable. */
static const char *const kind_colors[VT_KIND_COUNT] = {
    [VT_KIND_TEXT] = "32",   [VT_KIND_RODATA] = "36",   [VT_KIND_DATA] = "33",
    [VT_KIND_BSS] = "33",    [VT_KIND_RELRO] = "36",    [VT_KIND_TLS] = "33",
    [VT_KIND_HEAP] = "1;35", [VT_KIND_STACK] = "1;34",  [VT_KIND_THREAD_STACK] = "34",
    [VT_KIND_ANON] = "35",   [VT_KIND_FILE] = "0",      [VT_KIND_SHM] = "31",
    [VT_KIND_GUARD] = "2",   [VT_KIND_RESERVE] = "2",   [VT_KIND_VDSO] = "32",
    [VT_KIND_VVAR] = "36",   [VT_KIND_VSYSCALL] = "32", [VT_KIND_OTHER] = "0",
};
#define COLOR_DIM    "2"
#define COLOR_STRONG "1"
#define COLOR_NONE   ""

/* Columns that a code point takes on a terminal. Controls do not occur: they are escaped. */
static unsigned point_columns(uint32_t point)
{
    static const struct {
        uint32_t first, last;
        unsigned columns;
    } ranges[] = {
        {0x0300, 0x036f, 0},   {0x1100, 0x115f, 2},   {0x20d0, 0x20ff, 0}, {0x2e80, 0x303e, 2},
        {0x3041, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2}, {0xfe00, 0xfe0f, 0},
        {0xfe20, 0xfe2f, 0},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2}, {0xffe0, 0xffe6, 2},
        {0x1f300, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
    };

    for (size_t i = 0; i < VT_COUNTOF(ranges); i++) {
        if (point >= ranges[i].first && point <= ranges[i].last)
            return ranges[i].columns;
    }
    return 1;
}

/* The code point at valid UTF-8, and its length in bytes. */
static size_t next_point(const char *text, uint32_t *point)
{
    unsigned char c = (unsigned char)text[0];
    size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    *point = length == 1 ? c : c & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80) /* not reached for escaped text */
            return i;
        *point = *point << 6 | ((unsigned char)text[i] & 0x3f);
    }
    return length;
}

static unsigned columns_of(const char *text)
{
    unsigned columns = 0;
    uint32_t point;

    while (*text) {
        text += next_point(text, &point);
        columns += point_columns(point);
    }
    return columns;
}

/* ---- format `picture`: cells, boxes, rows ---- */

enum section { SECTION_FREE, SECTION_MAPPED, SECTION_PROGRAM, SECTION_HEAP, SECTION_STACK };

/* A region or a hole of the user half. */
struct cell {
    struct vt_region region; /* of a hole only start and end */
    struct vt_detail detail;
    enum section section;
};

/* Text in the painter's arena; offset 0 is the empty string. */
typedef size_t text_ref;

/* One stretch of a box. It begins at `start` and ends where the row above it begins. */
struct row {
    vt_addr start;
    uint64_t size; /* what the size column says: bytes mapped, of a hole its length */
    uint8_t kind;  /* for the colour; VT_KIND_COUNT: dim */
    bool hole;
    char perm[5]; /* empty: none, or several */
    text_ref name;
    text_ref note; /* beside the box, where there is room */
    bool pointer;  /* no stretch but a mark at this address: name and note alone */
};

struct box {
    vt_addr start; /* its end is the start of the box above */
    size_t first_row;
    size_t row_count;
    unsigned height;     /* lines for rows, at least row_count */
    bool hole;           /* drawn with open sides */
    bool inner;          /* belongs with what is above it: its border is dashed */
    text_ref title;      /* in the upper border */
    text_ref title_size; /* at the right end of the upper border */
    text_ref title_note;
    text_ref above; /* first line inside, centred: what grows down into it */
    text_ref below; /* last line inside: what grows up into it */
};

struct painter {
    const struct vt_picture_input *input;
    struct facts facts;
    const struct glyphs *glyphs;
    struct vt_buf *out;
    bool no_memory;

    struct cell *cells;
    size_t cell_count, cell_capacity;
    struct row *rows;
    size_t row_count, row_capacity;
    struct box *boxes;
    size_t box_count, box_capacity;
    struct vt_buf texts;  /* NUL-terminated strings; see text_ref */
    struct row spare_row; /* written to once memory has run out; never drawn */
    struct box spare_box;

    /* Columns. */
    unsigned width, addr_width, box_width, note_width, fill_width;

    /* Of the mapped area, for its title and the arrows beside it. */
    vt_addr area_start, area_end;
    uint64_t area_regions, area_bytes;
    bool bottom_up; /* the legacy layout: new mappings go upwards */
};

static const char *text_at(const struct painter *p, text_ref ref)
{
    return p->texts.data && ref < p->texts.length ? p->texts.data + ref : "";
}

static text_ref text_end(struct painter *p, text_ref start)
{
    vt_buf_char(&p->texts, '\0');
    return p->texts.failed ? 0 : start;
}

static text_ref text_format(struct painter *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The text must hold nothing that needs escaping. */
static text_ref text_format(struct painter *p, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    text_ref start = p->texts.length;
    vt_buf_str(&p->texts, text);
    return text_end(p, start);
}

/* Outside characters a picture in ASCII cannot show are escaped as the terminal's controls are. */
static void add_escaped(struct painter *p, struct vt_buf *to, const char *bytes)
{
    struct vt_buf escaped = {0};
    uint32_t point;

    vt_escape_terminal(&escaped, bytes, strlen(bytes));
    for (const char *c = vt_buf_cstr(&escaped); *c;) {
        size_t length = next_point(c, &point);
        if (point >= 0x80 && !p->input->utf8)
            vt_buf_printf(to, "\\u{%04" PRIx32 "}", point);
        else
            vt_buf_add(to, c, length);
        c += length;
    }
    to->failed = to->failed || escaped.failed;
    vt_buf_deinit(&escaped);
}

/* `prefix`, then hostile bytes made safe, then `suffix`. */
static text_ref text_escaped(struct painter *p, const char *prefix, const char *bytes,
                             const char *suffix)
{
    text_ref start = p->texts.length;

    vt_buf_str(&p->texts, prefix);
    add_escaped(p, &p->texts, bytes);
    vt_buf_str(&p->texts, suffix);
    return text_end(p, start);
}

/* "4.0K" */
struct size_text {
    char text[16];
};

static struct size_text size_text(uint64_t bytes)
{
    struct vt_buf buf = {0};
    struct size_text size;

    vt_human_size(&buf, bytes);
    snprintf(size.text, sizeof(size.text), "%s", vt_buf_cstr(&buf));
    vt_buf_deinit(&buf);
    return size;
}

static struct row *add_row(struct painter *p, vt_addr start, uint64_t size)
{
    if (vt_reserve((void **)&p->rows, &p->row_capacity, p->row_count + 1, sizeof(*p->rows)) < 0) {
        p->no_memory = true;
        return &p->spare_row;
    }
    struct row *row = &p->rows[p->row_count++];
    *row = (struct row){.start = start, .size = size, .kind = VT_KIND_COUNT};
    return row;
}

static struct box *add_box(struct painter *p, vt_addr start)
{
    if (vt_reserve((void **)&p->boxes, &p->box_capacity, p->box_count + 1, sizeof(*p->boxes)) < 0) {
        p->no_memory = true;
        return &p->spare_box;
    }
    struct box *box = &p->boxes[p->box_count++];
    *box = (struct box){.start = start, .first_row = p->row_count};
    return box;
}

/* ---- cells: the user half as regions and holes ---- */

static void add_cell(struct painter *p, const struct cell *cell)
{
    if (vt_reserve((void **)&p->cells, &p->cell_capacity, p->cell_count + 1, sizeof(*p->cells)) < 0)
        p->no_memory = true;
    else
        p->cells[p->cell_count++] = *cell;
}

/* A hole, cut where an address has a meaning of its own. */
static void add_hole(struct painter *p, vt_addr start, vt_addr end)
{
    const vt_addr cuts[] = {p->input->mmap_min_addr, p->facts.compat ? 0 : USER_END_47};

    for (size_t i = 0; i < VT_COUNTOF(cuts); i++) {
        if (start < cuts[i] && cuts[i] < end) {
            add_hole(p, start, cuts[i]);
            start = cuts[i];
        }
    }
    struct cell cell = {.region = {.start = start, .end = end}, .section = SECTION_FREE};
    add_cell(p, &cell);
}

/* Sections that would fill the picture with boxes are drawn as rows, as the mapped area is. */
static void demote_long_sections(struct painter *p)
{
    static const size_t limits[] = {
        [SECTION_PROGRAM] = 14, [SECTION_HEAP] = 6, [SECTION_STACK] = 4};
    size_t counts[VT_COUNTOF(limits)] = {0};

    for (size_t i = 0; i < p->cell_count; i++)
        counts[p->cells[i].section]++;
    for (size_t i = 0; i < p->cell_count; i++) {
        enum section section = p->cells[i].section;
        if (section >= SECTION_PROGRAM && counts[section] > limits[section])
            p->cells[i].section = SECTION_MAPPED;
    }
}

/* The object whose image is the program: the one of its name, else the lowest image there is. */
static const struct vt_object *find_program(const struct painter *p)
{
    const struct vt_object *lowest = NULL;

    for (size_t i = 0; i < p->cell_count; i++) {
        const struct vt_object *image = p->cells[i].detail.image;
        if (!image)
            continue;
        if (p->input->path && strcmp(image->name, p->input->path) == 0)
            return image;
        if (!lowest)
            lowest = image;
    }
    return lowest;
}

/* The largest run of mapped cells that no stack, heap or program interrupts. */
static void find_mapped_area(struct painter *p)
{
    vt_addr start = 0, end = 0;
    uint64_t regions = 0, bytes = 0;

    for (size_t i = 0; i <= p->cell_count; i++) {
        const struct cell *cell = i < p->cell_count ? &p->cells[i] : NULL;
        if (cell && cell->section == SECTION_MAPPED) {
            start = regions ? start : cell->region.start;
            end = cell->region.end;
            regions++;
            bytes += cell->region.end - cell->region.start;
        } else if (!cell || cell->section != SECTION_FREE) {
            if (regions > p->area_regions) {
                p->area_start = start;
                p->area_end = end;
                p->area_regions = regions;
                p->area_bytes = bytes;
            }
            regions = bytes = 0;
        }
    }
    vt_addr top = p->facts.compat ? p->facts.user_end : vt_min(p->facts.user_end, USER_END_47);
    p->bottom_up = p->area_end < top / 2;
}

static void collect_cells(struct painter *p)
{
    vt_addr position = 0;

    vt_layout_for_each(region, p->input->layout) {
        if (region->start >= p->facts.canonical_end)
            break; /* the vsyscall page: part of the kernel half */
        if (region->start > position)
            add_hole(p, position, region->start);
        struct cell cell = {.region = *region, .section = SECTION_MAPPED};
        get_detail(p->input, region, &cell.detail);
        add_cell(p, &cell);
        position = region->end;
    }
    if (position < p->facts.user_end)
        add_hole(p, position, p->facts.user_end);
    else
        p->facts.user_end = position;

    const struct vt_object *program = find_program(p);
    for (size_t i = 0; i < p->cell_count; i++) {
        struct cell *cell = &p->cells[i];
        if (cell->section == SECTION_FREE)
            continue;
        if (cell->region.kind == VT_KIND_STACK || is_stack(&cell->region, &p->facts.marks))
            cell->section = SECTION_STACK;
        else if (cell->region.kind == VT_KIND_HEAP)
            cell->section = SECTION_HEAP;
        else if (program && cell->detail.image && vt_object_same(cell->detail.image, program))
            cell->section = SECTION_PROGRAM;
    }
    demote_long_sections(p);
    find_mapped_area(p);
}

/* ---- boxes ---- */

/*
 * Lines for so many bytes: one below 64K, two below 32M, and one more for each further factor of
 * 512, up to five. So a page, some code, a large heap and an empty half are told apart, and fit.
 */
static unsigned height_of(uint64_t size)
{
    unsigned log = 0;

    while (log < 63 && size >> (log + 1))
        log++;
    return log < 16 ? 1 : (unsigned)vt_min(2 + (log - 16) / 9, 5);
}

static void close_box(struct painter *p, struct box *box, uint64_t size)
{
    unsigned lines = 1;

    box->row_count = p->row_count - box->first_row;
    if (box->row_count == 1 || box->hole)
        lines = height_of(size);
    box->height =
        (unsigned)vt_max(lines, box->row_count + (box->above ? 1u : 0u) + (box->below ? 1u : 0u));
}

static const char *aslr_note(const struct painter *p, enum section section)
{
    const struct vt_picture_input *input = p->input;

    if (input->aslr < 0 && !input->aslr_disabled)
        return "";
    if (section == SECTION_PROGRAM &&
        (input->type == VT_PROGRAM_STATIC || input->type == VT_PROGRAM_DYNAMIC))
        return "fixed by the linker";
    if (section == SECTION_PROGRAM && input->type == VT_PROGRAM_UNKNOWN)
        return "";
    if (input->aslr == 0 || input->aslr_disabled)
        return "not random: ASLR off";
    if (section == SECTION_HEAP && input->aslr == 1)
        return "not random: follows";
    return "placed at random";
}

static text_ref aslr_text(struct painter *p, enum section section)
{
    const char *note = aslr_note(p, section);

    if (note[0] && strcmp(note, "placed at random") == 0 && p->input->mmap_rnd_bits &&
        section != SECTION_STACK && section != SECTION_HEAP && p->note_width >= 40)
        return text_format(p, "%s by ASLR: %u bits of the page number", note,
                           p->input->mmap_rnd_bits);
    return text_format(p, "%s", note);
}

static bool is_wide(const struct painter *p)
{
    return p->note_width >= 40;
}

/* A mark inside a stretch: where a pointer of the process points to. */
static void add_pointer(struct painter *p, vt_addr at, const struct row *inside, text_ref name)
{
    struct row copy = *inside; /* adding may move the rows */
    struct row *row = add_row(p, at, 0);

    *row = copy;
    row->start = at;
    row->pointer = true;
    row->perm[0] = copy.perm[0];
    row->name = name;
    row->note = 0;
}

static void add_stack_pointer(struct painter *p, vt_addr start, vt_addr end,
                              const struct row *inside)
{
    if (p->input->sp && p->input->sp >= start && p->input->sp < end)
        add_pointer(p, p->input->sp, inside, text_format(p, "stack pointer"));
}

static void set_region(struct row *row, const struct vt_region *region)
{
    row->kind = region->kind;
    vt_prot_text(region->prot, region->flags, row->perm);
}

static bool is_path(const struct vt_object *object)
{
    return object && object->name[0] == '/';
}

/* What a region alone is called: the last part of its file's name, else its kind. */
static text_ref region_name(struct painter *p, const struct vt_region *region)
{
    const struct vt_object *object = region->object;

    if (object && object->name[0])
        return text_escaped(p, "", is_path(object) ? base_name(object->name) : object->name, "");
    return text_format(p, "%s", vt_kind_name(region->kind));
}

/* What stands beside such a row. */
static text_ref region_note(struct painter *p, const struct vt_region *region)
{
    const struct vt_object *object = region->object;
    bool huge = object && object->page_size > p->facts.page_size;

    if (huge)
        return text_format(p, "%s, pages of %s", vt_kind_name(region->kind),
                           size_text(object->page_size).text);
    if (!object || !object->name[0])
        return 0;
    if (!is_wide(p) || !is_path(object))
        return object->name[0] == '[' ? 0 : text_format(p, "%s", vt_kind_name(region->kind));
    char prefix[64];
    snprintf(prefix, sizeof(prefix), "%s, offset %" PRIx64 " of ", vt_kind_name(region->kind),
             region->offset);
    return text_escaped(p, prefix, object->name, "");
}

/* ---- boxes: parts of an ELF image in one region ---- */

#define MAX_STRETCHES 6

/* Where a region changes from one kind of data to another, by the image's sections. */
struct stretch {
    vt_addr start;
    uint8_t kind;
};

/*
 * Divide a region of writable data by its image's parts: ascending stretches that tile it.
 * Returns their number; one where there is nothing to tell apart. Only data is divided: what
 * shares a page with code or constants is padding, and the loader's doing.
 */
static size_t divide(const struct cell *cell, struct stretch stretches[MAX_STRETCHES])
{
    const struct vt_region *region = &cell->region;
    const uint32_t data_kinds = 1u << VT_KIND_DATA | 1u << VT_KIND_BSS | 1u << VT_KIND_RELRO |
                                1u << VT_KIND_TLS;
    size_t count = 0;

    stretches[0] = (struct stretch){region->start, region->kind};
    if (!(data_kinds >> region->kind & 1))
        return 1;
    for (size_t i = 0; i < cell->detail.part_count; i++) {
        const struct vt_part *part = &cell->detail.parts[i];
        vt_addr start = part->start + cell->detail.bias;
        vt_addr end = part->end + cell->detail.bias;
        if (end <= region->start || start >= region->end || end <= start ||
            !(data_kinds >> part->kind & 1))
            continue;
        if (count && stretches[count - 1].kind == part->kind)
            continue;
        if (count == MAX_STRETCHES) {
            count = 0;
            break;
        }
        if (count && start <= stretches[count - 1].start) {
            count = 0;
            break; /* parts out of order: say less rather than draw nonsense */
        }
        /* What lies below the first part is padding, and counts with it. */
        stretches[count] = (struct stretch){count ? start : region->start, part->kind};
        count++;
    }
    if (count < 2) {
        stretches[0] = (struct stretch){region->start, region->kind};
        return 1;
    }
    return count;
}

/* Rows of one region of an image, top-down: one, or one a stretch. */
static void add_image_rows(struct painter *p, const struct cell *cell)
{
    const struct vt_region *region = &cell->region;
    struct stretch stretches[MAX_STRETCHES];
    size_t count = divide(cell, stretches);
    vt_addr end = region->end;

    for (size_t i = count; i-- > 0; end = stretches[i].start) {
        text_ref name = text_format(p, "%s", vt_kind_name(stretches[i].kind));
        text_ref note = 0;
        if (i == 0 && is_wide(p)) {
            if (region->object && region->object->type == VT_OBJECT_FILE)
                note = text_format(p, "file offset %" PRIx64, region->offset);
            else
                note = text_format(p, "anonymous: beyond the file's data");
        }
        struct row *row = add_row(p, stretches[i].start, end - stretches[i].start);
        set_region(row, region);
        row->kind = stretches[i].kind;
        row->name = name;
        row->note = note;
        struct row inside = *row;
        add_stack_pointer(p, stretches[i].start, end, &inside);
    }
}

/* ---- boxes: holes ---- */

static bool is_hole(const struct painter *p, size_t i)
{
    return i < p->cell_count && p->cells[i].section == SECTION_FREE;
}

/* Large for its address space: a hole gets a box of its own, a region is not folded with others. */
static bool is_big(const struct painter *p, const struct cell *cell)
{
    uint64_t size = cell->region.end - cell->region.start;
    return size >= (p->facts.compat ? UINT64_C(64) << 20 : UINT64_C(4) << 30);
}

static void add_hole_box(struct painter *p, size_t index)
{
    const struct vt_region *hole = &p->cells[index].region;
    const struct vt_layout_marks *marks = &p->facts.marks;
    const struct cell *above = index + 1 < p->cell_count ? &p->cells[index + 1] : NULL;
    const struct cell *below = index > 0 ? &p->cells[index - 1] : NULL;
    struct box *box = add_box(p, hole->start);
    const char *name = "free";
    text_ref note = 0;

    box->hole = true;
    if (hole->start == 0 && hole->end <= p->input->mmap_min_addr) {
        name = "null pointers fault here";
        note = text_format(p, is_wide(p) ? "never mapped: below vm.mmap_min_addr"
                                         : "vm.mmap_min_addr");
    } else if (hole->start >= USER_END_47) {
        note = text_format(p, is_wide(p) ? "for mmap with an address hint beyond 47 bits"
                                         : "only on request");
    }
    if (above && above->section == SECTION_STACK)
        box->above = text_format(p, "%s stack grows down", p->glyphs->down);
    else if (above && above->region.start == p->area_start && !p->bottom_up)
        box->above = text_format(p, "%s new mappings", p->glyphs->down);

    bool break_here = marks->heap_start && marks->heap_end <= marks->heap_start &&
                      marks->heap_start >= hole->start && marks->heap_start < hole->end;
    if (break_here || (below && below->section == SECTION_HEAP))
        box->below = text_format(p, "%s heap grows up", p->glyphs->up);
    else if (below && below->region.end == p->area_end && p->bottom_up)
        box->below = text_format(p, "%s new mappings", p->glyphs->up);

    text_ref name_ref = text_format(p, "%s", name);
    struct row *row = add_row(p, hole->start, hole->end - hole->start);
    row->name = name_ref;
    row->note = note;
    row->hole = true;
    close_box(p, box, hole->end - hole->start);
    if (break_here) {
        struct row inside = *row;
        add_pointer(p, marks->heap_start, &inside,
                    text_format(p, "program break: the heap is empty"));
        box->row_count++;
        box->height++;
    }
}

/* ---- boxes: the program, its heap and its stack, one a region ---- */

static void add_section_box(struct painter *p, size_t index, bool first)
{
    const struct cell *cell = &p->cells[index];
    const struct vt_region *region = &cell->region;
    const struct vt_layout_marks *marks = &p->facts.marks;
    struct box *box = add_box(p, region->start);
    uint64_t size = region->end - region->start;
    struct row row = {.start = region->start, .size = size};
    bool has_break = cell->section == SECTION_HEAP && marks->heap_end > region->start &&
                     marks->heap_end <= region->end;

    if (first)
        box->title_note = aslr_text(p, cell->section);
    if (first && cell->section == SECTION_PROGRAM)
        box->title = text_escaped(p, "program ", base_name(cell->detail.image->name), "");
    if (has_break && marks->heap_end == region->end)
        box->title = text_format(p, "program break");

    if (cell->section == SECTION_PROGRAM) {
        add_image_rows(p, cell);
        close_box(p, box, size);
        return;
    }
    set_region(&row, region);
    row.name = text_format(p, "%s", cell->section == SECTION_HEAP ? "heap" : "stack");
    if (has_break && marks->heap_end != region->end)
        add_pointer(p, marks->heap_end, &row, text_format(p, "program break"));
    if (cell->section == SECTION_STACK && p->input->stack_limit)
        row.note = p->input->stack_limit == UINT64_MAX
                       ? text_format(p, "may grow, no limit")
                       : text_format(p, "may grow to %s", size_text(p->input->stack_limit).text);
    *add_row(p, row.start, row.size) = row;
    if (cell->section == SECTION_STACK && marks->stack_start >= region->start &&
        marks->stack_start < region->end && marks->stack_start != p->input->sp)
        add_pointer(p, marks->stack_start, &row, text_format(p, "argc; above: argv, envp, auxv"));
    add_stack_pointer(p, region->start, region->end, &row);
    if (cell->section == SECTION_HEAP && marks->heap_start > region->start &&
        marks->heap_start < region->end)
        add_pointer(p, marks->heap_start, &row, text_format(p, "start of the heap"));
    close_box(p, box, size);
    box->height = (unsigned)vt_max(box->height, vt_min(box->row_count + height_of(size) - 1, 7));
}

/* ---- boxes: the mapped area ---- */

/* How much is folded: each level when the one before leaves too many lines. */
enum folding {
    FOLD_NOTHING, /* a box an image, a row a region */
    FOLD_RUNS,    /* a box an image, a row a run of regions of one kind */
    FOLD_IMAGES,  /* a row an image, too */
    FOLD_MIXED,   /* a row a run of regions between images, of whatever kinds */
    FOLD_SMALL,   /* a row a run of whatever is smaller than a threshold, images too */
};

struct fold {
    enum folding level;
    uint64_t threshold; /* FOLD_SMALL: bytes */
};

/* Cells [low, high) as one unit: an image's regions, a run of one kind, or a single cell. */
struct unit {
    size_t low, high;
    bool image;
};

static uint8_t kind_class(uint8_t kind)
{
    return kind == VT_KIND_GUARD ? VT_KIND_THREAD_STACK : kind; /* they come in pairs */
}

/* Two regions with no other between them: are they of one unit? */
static bool belongs_to(const struct painter *p, const struct cell *top, const struct cell *cell,
                       enum folding level)
{
    if (top->detail.image || cell->detail.image)
        return top->detail.image && cell->detail.image &&
               vt_object_same(top->detail.image, cell->detail.image);
    if (level == FOLD_MIXED)
        return !is_big(p, top) && !is_big(p, cell);
    return kind_class(top->region.kind) == kind_class(cell->region.kind);
}

/* The unit whose topmost cell is high - 1, not reaching below `low`. */
static struct unit unit_below(const struct painter *p, size_t low, size_t high, enum folding level)
{
    const struct cell *top = &p->cells[high - 1];
    struct unit unit = {high - 1, high, top->detail.image != NULL};
    size_t regions = 1;

    if (top->section == SECTION_FREE || (!unit.image && level == FOLD_NOTHING))
        return unit;
    for (size_t i = high - 1; i-- > low;) {
        const struct cell *cell = &p->cells[i];
        if (cell->section == SECTION_FREE) {
            if (is_big(p, cell))
                break;
            continue; /* joins if what follows does */
        }
        if (!belongs_to(p, top, cell, level))
            break;
        unit.low = i;
        regions++;
    }
    if (!unit.image && regions < (level == FOLD_MIXED ? 2 : 4))
        unit.low = high - 1;
    return unit;
}

/* "3 images, 12 anon, 4 file": what a folded run holds, by count. */
static text_ref summarise(struct painter *p, size_t low, size_t high)
{
    uint64_t counts[VT_KIND_COUNT] = {0};
    uint64_t holes = 0, images = 0;
    const struct vt_object *last = NULL; /* the image of the region before */
    const char *separator = "";
    unsigned most = is_wide(p) ? 6 : 2;
    text_ref start = p->texts.length;

    for (size_t i = low; i < high; i++) {
        const struct cell *cell = &p->cells[i];
        if (cell->section == SECTION_FREE) {
            holes++;
            continue;
        }
        if (cell->detail.image)
            images += !last || !vt_object_same(last, cell->detail.image);
        else if (cell->region.kind < VT_KIND_COUNT)
            counts[cell->region.kind]++;
        last = cell->detail.image;
    }
    if (images > 1) {
        vt_buf_printf(&p->texts, "%" PRIu64 " images", images);
        separator = ", ";
        most--;
    } else if (images == 1) { /* its kinds say more */
        for (size_t i = low; i < high; i++) {
            if (p->cells[i].detail.image && p->cells[i].region.kind < VT_KIND_COUNT)
                counts[p->cells[i].region.kind]++;
        }
    }
    while (most-- > 0) {
        unsigned best = 0;
        for (unsigned kind = 1; kind < VT_KIND_COUNT; kind++) {
            if (counts[kind] > counts[best])
                best = kind;
        }
        if (!counts[best])
            break;
        vt_buf_printf(&p->texts, "%s%" PRIu64 " %s", separator, counts[best],
                      vt_kind_name((uint8_t)best));
        counts[best] = 0;
        separator = ", ";
    }
    if (holes && is_wide(p))
        vt_buf_printf(&p->texts, "%s%" PRIu64 " hole%s", separator, holes, holes == 1 ? "" : "s");
    return text_end(p, start);
}

/* "LC_CTYPE, LC_NUMERIC, ...": the files of a folded run, top-down; empty if some have none. */
static text_ref list_names(struct painter *p, size_t low, size_t high)
{
    text_ref start = p->texts.length;
    const struct vt_object *last = NULL;

    for (size_t i = high; i-- > low && p->texts.length - start < p->note_width;) {
        const struct vt_object *object = p->cells[i].region.object;
        if (p->cells[i].section == SECTION_FREE)
            continue;
        if (!is_path(object)) {
            p->texts.length = start;
            return 0;
        }
        if (last && vt_object_same(last, object))
            continue;
        vt_buf_str(&p->texts, last ? ", " : "");
        add_escaped(p, &p->texts, base_name(object->name));
        last = object;
    }
    return text_end(p, start);
}

/* One row for cells [low, high), of which the lowest and the highest are regions. */
static void add_folded_row(struct painter *p, size_t low, size_t high, bool image)
{
    const struct cell *first = &p->cells[low];
    uint64_t bytes = 0, regions = 0;
    bool same_perm = true, same_kind = true;
    char perm[5], other[5];

    vt_prot_text(first->region.prot, first->region.flags, perm);
    for (size_t i = low; i < high; i++) {
        if (p->cells[i].section == SECTION_FREE)
            continue;
        bytes += p->cells[i].region.end - p->cells[i].region.start;
        regions++;
        vt_prot_text(p->cells[i].region.prot, p->cells[i].region.flags, other);
        same_perm = same_perm && strcmp(perm, other) == 0;
        same_kind = same_kind && p->cells[i].region.kind == first->region.kind;
    }
    text_ref name = image ? text_escaped(p, "", base_name(first->detail.image->name), "")
                          : text_format(p, "%" PRIu64 " %s%sregions", regions,
                                        same_kind ? vt_kind_name(first->region.kind) : "",
                                        same_kind ? " " : "");
    text_ref note = 0;
    if (image && !is_wide(p))
        note = text_format(p, "%" PRIu64 " regions", regions);
    else if (!same_kind || image)
        note = summarise(p, low, high);
    else if (is_wide(p))
        note = list_names(p, low, high);
    struct row *row = add_row(p, first->region.start, bytes);
    row->kind = image ? VT_KIND_TEXT : first->region.kind;
    if (same_perm)
        memcpy(row->perm, perm, sizeof(perm));
    row->name = name;
    row->note = note;
    struct row inside = *row;
    add_stack_pointer(p, first->region.start, p->cells[high - 1].region.end, &inside);
}

/* One row for one region or hole. */
static void add_cell_row(struct painter *p, const struct cell *cell)
{
    const struct vt_region *region = &cell->region;
    bool hole = cell->section == SECTION_FREE;
    text_ref name = hole ? text_format(p, "free") : region_name(p, region);
    text_ref note = hole ? 0 : region_note(p, region);
    struct row *row = add_row(p, region->start, region->end - region->start);

    row->name = name;
    row->note = note;
    row->hole = hole;
    if (hole)
        return;
    set_region(row, region);
    struct row inside = *row;
    add_stack_pointer(p, region->start, region->end, &inside);
}

static void add_unit_row(struct painter *p, const struct unit *unit)
{
    if (unit->high - unit->low == 1)
        add_cell_row(p, &p->cells[unit->low]);
    else
        add_folded_row(p, unit->low, unit->high, unit->image);
}

static uint64_t unit_size(const struct painter *p, const struct unit *unit)
{
    return p->cells[unit->high - 1].region.end - p->cells[unit->low].region.start;
}

/*
 * Rows of cells [low, high) with what is small folded into runs. A run never begins or ends
 * with a hole: that is a row of its own, so that bounds stay those of something mapped.
 */
static void add_small_folded(struct painter *p, size_t low, size_t high, uint64_t threshold)
{
    size_t run_low = 0, run_high = 0; /* cells of the run so far; equal: none */
    size_t units = 0;

    for (size_t i = high; i > low;) {
        struct unit unit = unit_below(p, low, i, FOLD_SMALL);
        bool hole = p->cells[unit.low].section == SECTION_FREE;
        bool is_small = unit_size(p, &unit) < threshold;
        if (is_small && !hole) {
            run_high = units++ ? run_high : unit.high;
            run_low = unit.low;
        }
        bool at_end = unit.low == low;
        if ((!is_small || at_end) && units) {
            struct unit run = {run_low, run_high, false};
            if (units == 1)
                run = unit_below(p, run_low, run_high, FOLD_SMALL);
            add_unit_row(p, &run);
            /* Holes between the run and what ended it. */
            for (size_t h = run_low; h-- > (is_small ? unit.low : unit.high);)
                add_cell_row(p, &p->cells[h]);
            units = 0;
        } else if (is_small && hole && !units) {
            add_cell_row(p, &p->cells[unit.low]);
        }
        if (!is_small)
            add_unit_row(p, &unit);
        i = unit.low;
    }
}

/*
 * The title of the mapped area. It comes before the area's highest box, as a box without rows;
 * so that box can have a border and a title of its own.
 */
static void add_area_title(struct painter *p)
{
    struct box *box = add_box(p, p->area_end);

    box->title = text_format(p, "mapped area");
    box->title_size = text_format(p, "%s", size_text(p->area_bytes).text);
    box->title_note = aslr_text(p, SECTION_MAPPED);
}

/* An image's box: its name in the border, a row a region (or a stretch of it). */
static void add_image_box(struct painter *p, const struct unit *unit)
{
    const struct vt_object *image = p->cells[unit->low].detail.image;
    struct box *box = add_box(p, p->cells[unit->low].region.start);
    uint64_t bytes = 0;

    for (size_t i = unit->high; i-- > unit->low;) {
        if (p->cells[i].section == SECTION_FREE) {
            add_cell_row(p, &p->cells[i]);
            continue;
        }
        bytes += p->cells[i].region.end - p->cells[i].region.start;
        add_image_rows(p, &p->cells[i]);
    }
    box->title = text_escaped(p, "", base_name(image->name), "");
    box->title_size = text_format(p, "%s", size_text(bytes).text);
    if (is_wide(p))
        box->title_note = text_escaped(p, "", image->name, "");
    box->inner = true;
    close_box(p, box, 0);
}

/* A box of rows that may still grow downwards. */
static struct box *open_rows(struct painter *p)
{
    struct box *box = add_box(p, 0);

    box->inner = true;
    return box;
}

/* Boxes of cells [low, high): mapped ones, with the holes between them. */
static void add_area(struct painter *p, size_t low, size_t high, const struct fold *fold)
{
    struct box *open = NULL;

    if (p->area_regions && p->cells[high - 1].region.end == p->area_end)
        add_area_title(p);
    if (fold->level == FOLD_SMALL) {
        open = open_rows(p);
        open->start = p->cells[low].region.start;
        add_small_folded(p, low, high, fold->threshold);
        close_box(p, open, 0);
        return;
    }
    for (size_t i = high; i > low;) {
        struct unit unit = unit_below(p, low, i, fold->level);
        bool hole = p->cells[unit.low].section == SECTION_FREE;
        bool own_box = hole ? is_big(p, &p->cells[unit.low])
                            : unit.image && fold->level < FOLD_IMAGES && unit.high - unit.low > 1;
        if (own_box && open) {
            close_box(p, open, 0);
            open = NULL;
        }
        if (own_box && hole) {
            add_hole_box(p, unit.low);
        } else if (own_box) {
            add_image_box(p, &unit);
        } else {
            open = open ? open : open_rows(p);
            open->start = p->cells[unit.low].region.start;
            add_unit_row(p, &unit);
        }
        i = unit.low;
    }
    if (open)
        close_box(p, open, 0);
}

/* ---- boxes: what lies above the user half ---- */

static const char *const role_names[VT_KERNEL_ROLE_COUNT] = {
    [VT_KERNEL_GUARD] = "guard hole, hypervisor",
    [VT_KERNEL_LDT] = "LDT remap for PTI",
    [VT_KERNEL_DIRECT] = "direct map of RAM",
    [VT_KERNEL_VMALLOC] = "vmalloc, ioremap",
    [VT_KERNEL_VMEMMAP] = "vmemmap",
    [VT_KERNEL_KASAN] = "KASAN shadow",
    [VT_KERNEL_CPU_ENTRY_AREA] = "cpu_entry_area",
    [VT_KERNEL_ESPFIX] = "%esp fixup stacks",
    [VT_KERNEL_EFI] = "EFI runtime services",
    [VT_KERNEL_TEXT_MAPPING] = "kernel text mapping",
    [VT_KERNEL_TEXT] = "kernel text",
    [VT_KERNEL_RODATA] = "kernel rodata",
    [VT_KERNEL_DATA] = "kernel data",
    [VT_KERNEL_BSS] = "kernel bss",
    [VT_KERNEL_IMAGE] = "kernel image",
    [VT_KERNEL_MODULES] = "modules",
    [VT_KERNEL_LOADED_MODULES] = "loaded modules",
    [VT_KERNEL_FIXMAP] = "fixmap",
    [VT_KERNEL_VSYSCALL] = "vsyscall",
};

const char *vt_kernel_role_name(enum vt_kernel_role role)
{
    return (unsigned)role < VT_KERNEL_ROLE_COUNT ? role_names[role] : "?";
}

static bool is_image_role(uint8_t role)
{
    return role >= VT_KERNEL_TEXT && role <= VT_KERNEL_IMAGE;
}

/* The lowest range that, with those up to `top`, is the kernel's image in pieces. */
static size_t image_bottom(const struct vt_kernel_half *kernel, size_t top)
{
    size_t bottom = top;

    for (size_t i = top; i-- > 0;) {
        if (is_image_role(kernel->ranges[i].role))
            bottom = i;
        else if (kernel->ranges[i].role != VT_KERNEL_TEXT_MAPPING)
            break;
    }
    return bottom;
}

/* "text 18.0M, rodata 10.0M, ..." of ranges [bottom, top]. */
static text_ref image_note(struct painter *p, const struct vt_kernel_half *kernel, size_t bottom,
                           size_t top)
{
    text_ref start = p->texts.length;

    if (!is_wide(p)) {
        vt_buf_str(&p->texts, "told by this kernel");
        return text_end(p, start);
    }
    vt_buf_printf(&p->texts, "told by %s", kernel->ranges[bottom].source);
    if (strcmp(kernel->ranges[bottom].source, kernel->ranges[top].source) != 0)
        vt_buf_printf(&p->texts, " and %s", kernel->ranges[top].source);
    for (size_t i = bottom; i <= top; i++) {
        const struct vt_kernel_range *range = &kernel->ranges[i];
        if (!is_image_role(range->role))
            continue;
        vt_buf_printf(&p->texts, "%s%s %s", i == bottom ? ": " : ", ",
                      vt_kernel_role_name(range->role) + strlen("kernel "),
                      size_text(range->last - range->start + 1).text);
    }
    return text_end(p, start);
}

static void add_unused_row(struct painter *p, vt_addr start, vt_addr end)
{
    text_ref name = text_format(p, "unused");
    struct row *row = add_row(p, start, end - start);
    row->name = name;
    row->hole = true;
}

static void add_kernel_box(struct painter *p)
{
    const struct vt_kernel_half *kernel = p->input->kernel;
    struct box *box = add_box(p, p->facts.kernel_start);
    vt_addr position = 0; /* the end of what is still to be drawn; 0 is 2^64 */

    box->title = text_format(p, "kernel half");
    box->title_size = text_format(p, "%s", size_text(0 - p->facts.kernel_start).text);
    box->title_note = text_format(p, is_wide(p) ? "the same in all processes, closed to programs"
                                                : "closed to programs");
    for (size_t i = kernel ? kernel->count : 0; i-- > 0;) {
        size_t top = i;
        if (is_image_role(kernel->ranges[i].role) && !p->input->all)
            i = image_bottom(kernel, top);
        const struct vt_kernel_range *range = &kernel->ranges[i];
        vt_addr end = kernel->ranges[top].last + 1;
        if (range->start < p->facts.kernel_start)
            break;
        if (end != position)
            add_unused_row(p, end, position);
        const struct vt_region *region = vt_layout_find(p->input->layout, range->start);
        text_ref name =
            text_format(p, "%s", top != i ? "kernel image" : vt_kernel_role_name(range->role));
        text_ref note = is_image_role(range->role) ? image_note(p, kernel, i, top)
                        : range->source            ? text_format(p, "told by %s", range->source)
                        : range->role == VT_KERNEL_VSYSCALL && !region
                            ? text_format(p, "not mapped")
                            : 0;
        struct row *row = add_row(p, range->start, end - range->start);
        row->kind = range->role == VT_KERNEL_VSYSCALL ? VT_KIND_VSYSCALL : VT_KIND_OTHER;
        row->name = name;
        row->note = note;
        if (region)
            set_region(row, region);
        position = range->start;
    }
    if (!kernel || kernel->count == 0) {
        text_ref name = text_format(p, "kernel");
        struct row *row = add_row(p, p->facts.kernel_start, 0 - p->facts.kernel_start);
        row->kind = VT_KIND_OTHER;
        row->name = name;
    } else if (position != p->facts.kernel_start) {
        add_unused_row(p, p->facts.kernel_start, position);
    }
    close_box(p, box, 0);
}

/* A box with open sides and one row that says all. */
static struct box *add_plain_hole(struct painter *p, vt_addr start, uint64_t size, const char *name,
                                  const char *note)
{
    struct box *box = add_box(p, start);
    text_ref name_ref = text_format(p, "%s", name);
    text_ref note_ref = text_format(p, "%s", note);
    struct row *row = add_row(p, start, size);

    row->name = name_ref;
    row->note = note_ref;
    row->hole = true;
    box->hole = true;
    close_box(p, box, size);
    return box;
}

static void add_upper_boxes(struct painter *p)
{
    const struct facts *f = &p->facts;
    uint64_t rest = f->canonical_end - f->user_end;

    if (!f->compat) {
        add_kernel_box(p);
        add_plain_hole(
            p, f->canonical_end, f->kernel_start - f->canonical_end, "non-canonical addresses",
            is_wide(p) ? p->input->la57 ? "bits 63 to 56 are not all alike: any use faults"
                                        : "bits 63 to 47 are not all alike: any use faults"
                       : "any use faults");
    }
    if (f->user_end >= f->canonical_end)
        return;
    if (f->compat)
        add_plain_hole(p, f->user_end, rest, "never mapped",
                       rest > (1u << 20) ? "limited to 3 GiB" : "end of 32 bits");
    else
        add_plain_hole(p, f->user_end, rest, rest == f->page_size ? "guard page" : "never mapped",
                       "never mapped");
}

/* ---- boxes: all of them ---- */

static void build(struct painter *p, const struct fold *fold)
{
    enum section last = SECTION_FREE; /* the section drawn last, for titles */

    p->box_count = p->row_count = 0;
    vt_buf_clear(&p->texts);
    vt_buf_char(&p->texts, '\0'); /* text_ref 0 */
    add_upper_boxes(p);
    size_t upper = p->box_count;
    for (size_t i = p->cell_count; i > 0;) {
        enum section section = p->cells[i - 1].section;
        if (section == SECTION_MAPPED) {
            size_t low = i - 1;
            for (size_t k = low; k-- > 0 && (is_hole(p, k) || p->cells[k].section == section);) {
                if (p->cells[k].section == section)
                    low = k;
            }
            add_area(p, low, i, fold);
            i = low;
        } else if (section == SECTION_FREE) {
            add_hole_box(p, --i);
        } else {
            add_section_box(p, --i, section != last);
        }
        if (section != SECTION_FREE)
            last = section;
    }
    /* The user half begins with its guard page, where there is one. */
    if (!p->facts.compat && p->box_count > 0 && !p->no_memory) {
        struct box *box = &p->boxes[upper > 2 ? 2 : upper < p->box_count ? upper : 0];
        text_ref size = text_format(p, "%s", size_text(p->facts.canonical_end).text);
        if (!box->title) {
            box->title = text_format(p, "user half");
            box->title_size = size;
        }
    }
}

static uint64_t count_lines(const struct painter *p)
{
    uint64_t lines = 0;

    for (size_t i = 0; i < p->box_count; i++)
        lines += 1 + p->boxes[i].height;
    return lines;
}

/* Build with as little folding as the line limit allows. */
static void build_folded(struct painter *p)
{
    uint64_t limit = p->input->lines ? p->input->lines : 125;
    struct fold fold = {FOLD_NOTHING, 0};
    unsigned low = 13, high = 63; /* powers of two to try as threshold */

    for (; fold.level < FOLD_SMALL; fold.level++) {
        build(p, &fold);
        if (p->input->all || count_lines(p) <= limit)
            return;
    }
    while (low < high) {
        unsigned middle = (low + high) / 2;
        fold.threshold = UINT64_C(1) << middle;
        build(p, &fold);
        if (count_lines(p) <= limit)
            high = middle;
        else
            low = middle + 1;
    }
    fold.threshold = UINT64_C(1) << low;
    build(p, &fold);
}

/* ---- lines ---- */

static void put(struct painter *p, const char *color, const char *text)
{
    bool painted = p->input->color && color && color[0] && text[strspn(text, " ")];

    if (painted)
        vt_buf_printf(p->out, "\033[%sm", color);
    vt_buf_str(p->out, text);
    if (painted)
        vt_buf_str(p->out, "\033[0m");
}

static void put_times(struct painter *p, const char *color, const char *text, unsigned times)
{
    struct vt_buf many = {0};

    while (times-- > 0)
        vt_buf_str(&many, text);
    put(p, color, vt_buf_cstr(&many));
    vt_buf_deinit(&many);
}

/*
 * Text in exactly (or, without `pad`, at most) so many columns. What does not fit is cut with
 * an ellipsis: the end of a name, the beginning of what ends in a path.
 */
static void put_fitted(struct painter *p, const char *color, const char *text, unsigned columns,
                       bool pad, bool keep_end)
{
    struct vt_buf fitted = {0};
    unsigned width = columns_of(text), used = 0;
    uint32_t point;

    if (width <= columns) {
        vt_buf_str(&fitted, text);
        used = width;
    } else if (columns > 0 && keep_end) {
        while (width > columns - 1) {
            text += next_point(text, &point);
            width -= point_columns(point);
        }
        vt_buf_str(&fitted, p->glyphs->ellipsis);
        vt_buf_str(&fitted, text);
        used = width + 1;
    } else if (columns > 0) {
        for (;;) {
            size_t length = next_point(text, &point);
            if (used + point_columns(point) > columns - 1)
                break;
            vt_buf_add(&fitted, text, length);
            used += point_columns(point);
            text += length;
        }
        vt_buf_str(&fitted, p->glyphs->ellipsis);
        used++;
    }
    put(p, color, vt_buf_cstr(&fitted));
    if (pad)
        put_times(p, COLOR_NONE, " ", columns - used);
    vt_buf_deinit(&fitted);
}

static void put_note(struct painter *p, const char *note)
{
    if (note[0] && p->note_width >= 8) {
        vt_buf_char(p->out, ' ');
        put_fitted(p, COLOR_DIM, note, p->note_width, false, strchr(note, '/') != NULL);
    }
    vt_buf_char(p->out, '\n');
}

/* The address column: hexadecimal as in maps, without leading zeros; 2^64 by name. */
static void put_addr(struct painter *p, const char *color, vt_addr addr, bool top)
{
    char text[24];

    if (top && addr == 0)
        snprintf(text, sizeof(text), "2^64");
    else
        snprintf(text, sizeof(text), "%" PRIx64, addr);
    vt_buf_printf(p->out, "%*s", (int)(p->addr_width - vt_min(strlen(text), p->addr_width)), "");
    put(p, color, text);
}

/* How the border above a box is drawn. */
enum border { BORDER_TOP, BORDER_FULL, BORDER_DASHED, BORDER_BOTTOM };

/* A border without `box` has no texts. With `named` it shows its address. */
static void put_border(struct painter *p, enum border border, vt_addr addr, bool named,
                       const struct box *box)
{
    const struct glyphs *g = p->glyphs;
    const struct {
        const char *left, *line, *right;
    } styles[] =
        {
            [BORDER_TOP] = {g->top_left, g->horizontal, g->top_right},
            [BORDER_FULL] = {g->left, g->horizontal, g->right},
            [BORDER_DASHED] = {g->left, g->dashed, g->right},
            [BORDER_BOTTOM] = {g->bottom_left, g->horizontal, g->bottom_right},
        },
      *style = &styles[border];
    const char *title = box ? text_at(p, box->title) : "";
    const char *size = box ? text_at(p, box->title_size) : "";
    unsigned inner = p->box_width - 2;

    if (named)
        put_addr(p, COLOR_NONE, addr, border == BORDER_TOP);
    else
        put_times(p, COLOR_NONE, " ", p->addr_width);
    vt_buf_char(p->out, ' ');
    put(p, COLOR_DIM, style->left);
    if (title[0]) {
        unsigned room = inner - (size[0] ? (unsigned)strlen(size) + 6 : 3);
        unsigned used = (unsigned)vt_min(columns_of(title), room);
        put(p, COLOR_DIM, style->line);
        vt_buf_char(p->out, ' ');
        put_fitted(p, COLOR_STRONG, title, used, true, false);
        vt_buf_char(p->out, ' ');
        inner -= used + 3;
    }
    if (size[0]) {
        unsigned used = (unsigned)strlen(size) + 3;
        put_times(p, COLOR_DIM, style->line, inner - used);
        vt_buf_printf(p->out, " %s ", size);
        inner = 1;
    }
    put_times(p, COLOR_DIM, style->line, inner);
    put(p, COLOR_DIM, style->right);
    put_note(p, box ? text_at(p, box->title_note) : "");
}

static const char *fill_of(const struct painter *p, const struct row *row)
{
    unsigned index = row->perm[2] == 'x' ? 3 : row->perm[1] == 'w' ? 2 : row->perm[0] == 'r';
    return p->glyphs->fill[index];
}

static const char *color_of(const struct row *row)
{
    return row->hole || row->kind >= VT_KIND_COUNT ? COLOR_DIM : kind_colors[row->kind];
}

/* Columns behind a row's name: blank, perm, two blanks, size, blank. */
#define FIXED_COLUMNS (1 + 4 + 2 + 6 + 1)

/* The inside of a box, from its left side to its right. `text` may be empty: a row of air. */
static void put_inside(struct painter *p, const struct box *box, const struct row *row, bool air)
{
    bool folded = box->hole && !air && !row->pointer && row->size >= (UINT64_C(1) << 30);
    const char *side = folded      ? p->glyphs->fold
                       : box->hole ? p->glyphs->free_vertical
                                   : p->glyphs->vertical;
    unsigned inner = p->box_width - 2;

    put(p, COLOR_DIM, side);
    put_times(p, color_of(row), fill_of(p, row), p->fill_width);
    vt_buf_char(p->out, ' ');
    inner -= p->fill_width + 1;
    if (air) {
        put_times(p, COLOR_NONE, " ", inner);
    } else if (row->pointer) {
        put_fitted(p, COLOR_STRONG, text_at(p, row->name), inner, true, false);
    } else {
        put_fitted(p, color_of(row), text_at(p, row->name), inner - FIXED_COLUMNS, true, false);
        vt_buf_printf(p->out, " %-4s  %6s ", row->perm, size_text(row->size).text);
    }
    put(p, COLOR_DIM, side);
}

static void put_blanks(struct painter *p, unsigned count)
{
    put_times(p, COLOR_NONE, " ", count);
}

/* A line of a box without an address or a note: air, or an arrow in the middle. */
static void put_air(struct painter *p, const struct box *box, const struct row *row,
                    const char *text)
{
    put_blanks(p, p->addr_width + 1);
    if (!text[0]) {
        put_inside(p, box, row, true);
    } else {
        unsigned inner = p->box_width - 2;
        unsigned used = (unsigned)vt_min(columns_of(text), inner);
        const char *side = box->hole ? p->glyphs->free_vertical : p->glyphs->vertical;
        put(p, COLOR_DIM, side);
        put_blanks(p, (inner - used) / 2);
        put_fitted(p, COLOR_STRONG, text, used, true, false);
        put_blanks(p, inner - used - (inner - used) / 2);
        put(p, COLOR_DIM, side);
    }
    vt_buf_char(p->out, '\n');
}

static void put_row(struct painter *p, const struct box *box, const struct row *row, bool lowest)
{
    /* The lowest row begins where the box does: the border says so. */
    if (row->pointer || !lowest)
        put_addr(p, row->pointer ? COLOR_STRONG : COLOR_DIM, row->start, false);
    else
        put_blanks(p, p->addr_width);
    put(p, COLOR_STRONG, row->pointer ? p->glyphs->pointer : " ");
    put_inside(p, box, row, false);
    put_note(p, text_at(p, row->note));
}

static void put_box(struct painter *p, const struct box *box)
{
    const struct row *rows = &p->rows[box->first_row];
    unsigned lines = (box->above ? 1u : 0u) + (box->below ? 1u : 0u) + (unsigned)box->row_count;
    unsigned air = box->height > lines ? box->height - lines : 0;
    /* A row alone stands in the middle; before pointers there is no air, so that they stay near. */
    unsigned before = box->row_count == 1 || box->hole ? air / 2 : 0;
    size_t lowest = box->row_count - 1;

    while (lowest > 0 && rows[lowest].pointer)
        lowest--;
    if (box->above)
        put_air(p, box, &rows[0], text_at(p, box->above));
    for (unsigned i = 0; i < before; i++)
        put_air(p, box, &rows[0], "");
    for (size_t i = 0; i < box->row_count; i++) {
        if (box->hole && i > 0) { /* the break in a hole: its arrow first */
            for (; before < air; before++)
                put_air(p, box, &rows[0], "");
            put_air(p, box, &rows[0], text_at(p, box->below));
        }
        put_row(p, box, &rows[i], i == lowest);
    }
    for (; before < air; before++)
        put_air(p, box, &rows[lowest], "");
    if (box->below && box->row_count == 1)
        put_air(p, box, &rows[0], text_at(p, box->below));
}

static void put_boxes(struct painter *p)
{
    vt_addr end = p->facts.compat ? vt_max(p->facts.canonical_end, p->facts.user_end) : 0;
    const struct box *above = NULL;

    for (size_t i = 0; i < p->box_count; i++) {
        const struct box *box = &p->boxes[i];
        bool dashed = above && box->inner && !above->hole;
        /* Right below a mere title the same address would stand twice. */
        bool twice = above && above->row_count == 0;
        if (!twice || box->title)
            put_border(p,
                       !above   ? BORDER_TOP
                       : dashed ? BORDER_DASHED
                                : BORDER_FULL,
                       end, !twice, box);
        if (box->row_count)
            put_box(p, box);
        end = box->start;
        above = box;
    }
    put_border(p, BORDER_BOTTOM, end, true, NULL);
}

/* ---- what stands above and below the drawing ---- */

/* Words into lines of the picture's width. */
static void put_wrapped(struct painter *p, const char *color, const char *text, unsigned indent)
{
    unsigned used = 0;

    while (*text) {
        size_t length = strcspn(text, " ");
        char *word = strndup(text, length);
        if (!word) {
            p->no_memory = true;
            return;
        }
        unsigned width = columns_of(word);
        if (used && used + 1 + width > p->width) {
            vt_buf_char(p->out, '\n');
            put_blanks(p, indent);
            used = indent;
        } else if (used) {
            vt_buf_char(p->out, ' ');
            used++;
        }
        put_fitted(p, color, word, p->width > indent ? p->width - indent : 1, false, false);
        used += width;
        free(word);
        text += length;
        text += strspn(text, " ");
    }
    vt_buf_char(p->out, '\n');
}

static void put_header(struct painter *p)
{
    const struct vt_picture_input *input = p->input;
    const struct vt_layout_sums *sums = vt_layout_sums(input->layout);
    uint64_t unusable = sums->bytes[VT_KIND_GUARD] + sums->bytes[VT_KIND_RESERVE];
    struct vt_buf text = {0};

    if (input->path && input->path[0])
        add_escaped(p, &text, base_name(input->path));
    else
        vt_buf_str(&text, "program of unknown name");
    if (input->pid)
        vt_buf_printf(&text, ", process %ld", (long)input->pid);
    vt_buf_printf(&text, ", %s", p->facts.compat ? "32-bit" : "64-bit");
    if (input->type != VT_PROGRAM_UNKNOWN)
        vt_buf_printf(&text, " %s", vt_program_type_text(input->type));
    if (input->moment) {
        vt_buf_str(&text, ", ");
        add_escaped(p, &text, input->moment);
    }
    put_wrapped(p, COLOR_STRONG, vt_buf_cstr(&text), 2);

    vt_buf_clear(&text);
    vt_buf_printf(&text, "%" PRIu64 " region%s, %s mapped", sums->total_regions,
                  sums->total_regions == 1 ? "" : "s", size_text(sums->total_bytes).text);
    if (unusable)
        vt_buf_printf(&text, " (of which PROT_NONE: %s)", size_text(unusable).text);
    if (!p->facts.compat)
        vt_buf_printf(&text, "; %s",
                      input->la57 ? "5-level page tables, 57-bit addresses"
                                  : "4-level page tables, 48-bit addresses");
    put_wrapped(p, COLOR_NONE, vt_buf_cstr(&text), 2);
    vt_buf_clear(&text);
    vt_buf_str(&text, "ASLR ");
    if (input->aslr_disabled)
        vt_buf_str(&text, "off for this process (personality)");
    else if (input->aslr < 0)
        vt_buf_str(&text, "not known");
    else
        vt_buf_printf(&text, "%s (randomize_va_space %d)",
                      input->aslr == 0   ? "off"
                      : input->aslr == 1 ? "on, but for the heap"
                                         : "on",
                      input->aslr);
    put_wrapped(p, COLOR_NONE, vt_buf_cstr(&text), 2);
    vt_buf_char(p->out, '\n');
    p->no_memory = p->no_memory || text.failed;
    vt_buf_deinit(&text);
}

static void put_footer(struct painter *p)
{
    const struct glyphs *g = p->glyphs;
    struct vt_buf text = {0};

    vt_buf_char(p->out, '\n');
    put_wrapped(p, COLOR_DIM,
                "An address at a line is the end of what is below and the start of what is above; "
                "one beside a row is the row's start. Heights follow the logarithm of sizes.",
                0);
    vt_buf_printf(&text, "%s executable  %s writable  %s read-only  %s shortened", g->fill[3],
                  g->fill[2], g->fill[1], g->fold);
    put_wrapped(p, COLOR_DIM, vt_buf_cstr(&text), 0);
    if (p->facts.compat)
        put_wrapped(p, COLOR_DIM,
                    "The kernel lies above 4 GiB, where 32-bit pointers do not reach.", 0);
    if (p->input->kernel && !p->facts.compat) {
        vt_buf_clear(&text);
        vt_buf_printf(&text, "Kernel half: %s.", p->input->kernel->source);
        put_wrapped(p, COLOR_DIM, vt_buf_cstr(&text), 0);
    }
    p->no_memory = p->no_memory || text.failed;
    vt_buf_deinit(&text);
}

int vt_picture_render(const struct vt_picture_input *input, struct vt_buf *out,
                      struct vt_error *err)
{
    struct painter p = {.input = input, .out = out};

    find_facts(input, &p.facts);
    p.glyphs = input->utf8 ? &unicode_glyphs : &ascii_glyphs;
    p.width = (unsigned)vt_max(input->width ? input->width : 80, 60);
    p.addr_width = p.facts.compat ? 9 : 16;
    p.box_width = (unsigned)vt_min(42 + (p.width > 80 ? (p.width - 80) * 3 / 10 : 0), 66);
    p.fill_width = p.box_width >= 54 ? 3 : 1;
    p.note_width = p.width - p.addr_width - p.box_width - 2;

    collect_cells(&p);
    build_folded(&p);
    if (!p.no_memory && !p.texts.failed) {
        put_header(&p);
        put_boxes(&p);
        put_footer(&p);
    }
    bool failed = p.no_memory || p.texts.failed;
    free(p.cells);
    free(p.rows);
    free(p.boxes);
    vt_buf_deinit(&p.texts);
    return failed ? vt_error_set(err, ENOMEM, "cannot draw the layout: out of memory")
                  : finish(out, err);
}

/* ---- the formats ---- */

static const struct vt_picture_format formats[] = {
    {"picture", "the address space drawn to scale, high addresses on top", vt_picture_render},
    {"maps", "merged regions in the line format of /proc/PID/maps", vt_picture_render_maps},
    {"json", "one JSON document", vt_picture_render_json},
    {NULL, NULL, NULL},
};

const struct vt_picture_format *vt_picture_formats(void)
{
    return formats;
}

const struct vt_picture_format *vt_picture_format_find(const char *name)
{
    for (const struct vt_picture_format *format = formats; format->name; format++) {
        if (strcmp(format->name, name) == 0)
            return format;
    }
    return NULL;
}
