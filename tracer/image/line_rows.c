/*
 * line_rows.c - hides the machine that makes the rows.
 *
 * Instructions are not trusted: each advances in the program, and no more rows are made than were
 * asked for. Sequences of code that the linker has left out are left out: their addresses, counted
 * from where there is none, would lie among those of code that is there. Addresses ascend within a
 * sequence, and sequences are put in order at the end.
 */
#include "image/line_rows.h"

#include <dwarf.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/base.h"
#include "image/cursor.h"
#include "image/search.h"

/* What the program's head tells. */
struct head {
    unsigned address_unit;          /* bytes by which addresses advance at least */
    int line_base;                  /* special instructions: the least that lines advance, */
    unsigned line_range;            /* and how many values there are */
    unsigned opcode_base;           /* the first special instruction */
    const unsigned char *arguments; /* of the others, how many each has, from 1 on */
};

struct machine {
    struct vt_line_rows *rows;
    const struct head *head;
    struct vt_line_row row;
    size_t most;     /* rows */
    size_t sequence; /* where the first row of this sequence is */
    bool gone;       /* the linker left this sequence's code out */
    bool sorted;
    bool failed;
};

/* ---- the head ------------------------------------------------------------------------ */

/* Leaves the cursor at the first instruction, and to end with the last one. */
static bool read_head(struct vt_cursor *c, struct head *head)
{
    size_t word;
    uint64_t length = vt_take_length(c, &word);

    *c = vt_take_part(c, length);
    uint64_t version = vt_take(c, 2);
    if (c->bad || version < 2 || version > 5)
        return false;
    if (version >= 5)
        vt_skip(c, 2); /* the sizes of an address and of a segment's selector */
    uint64_t rest = vt_take(c, word);
    struct vt_cursor h = vt_take_part(c, rest);
    head->address_unit = (unsigned)vt_take(&h, 1);
    unsigned operations = version >= 4 ? (unsigned)vt_take(&h, 1) : 1;
    vt_skip(&h, 1); /* whether rows are beginnings of statements */
    head->line_base = (int)vt_take_signed(&h, 1);
    head->line_range = (unsigned)vt_take(&h, 1);
    head->opcode_base = (unsigned)vt_take(&h, 1);
    head->arguments = h.at - 1;
    vt_skip(&h, head->opcode_base ? head->opcode_base - 1 : 0);
    /* Several operations in an instruction: no machine that we trace has that. */
    return !h.bad && !c->bad && head->line_range && head->opcode_base && operations == 1;
}

/* ---- rows ------------------------------------------------------------------------------- */

static void advance(struct machine *m, uint64_t by)
{
    m->row.address += by * m->head->address_unit;
}

static void add_row(struct machine *m)
{
    struct vt_line_rows *rows = m->rows;
    struct vt_line_row *last = rows->count ? &rows->items[rows->count - 1] : NULL;
    bool within = last && rows->count > m->sequence;

    if (m->gone)
        return;
    if (last && last->address > m->row.address)
        m->sorted = false;
    if (within && last->address == m->row.address) {
        *last = m->row; /* the last word on an address counts */
        return;
    }
    if (within && last->file == m->row.file && last->line == m->row.line)
        return;
    if (rows->count == m->most ||
        vt_reserve((void **)&rows->items, &rows->capacity, rows->count + 1, sizeof(*rows->items))) {
        m->failed = true;
        return;
    }
    rows->items[rows->count++] = m->row;
}

static void begin_sequence(struct machine *m)
{
    m->sequence = m->rows->count;
    m->gone = false;
    m->row = (struct vt_line_row){.file = 1, .line = 1};
}

static void end_sequence(struct machine *m)
{
    m->row.file = VT_LINE_NONE;
    m->row.line = 0;
    if (m->rows->count > m->sequence)
        add_row(m);
    begin_sequence(m);
}

/*
 * What linkers write where the address would be of code that they left out: 0, or the largest
 * (ld.lld), or the one before that (in version 4 and older, of some).
 */
static bool is_of_nothing(uint64_t address, size_t size)
{
    return !address || (size && address >= (UINT64_MAX >> (64 - 8 * size)) - 1);
}

static void run_extended(struct machine *m, struct vt_cursor *c)
{
    struct vt_cursor own = vt_take_part(c, vt_take_leb(c));
    uint64_t code = vt_take(&own, 1);

    if (code == DW_LNE_end_sequence)
        end_sequence(m);
    if (code == DW_LNE_set_address) {
        size_t length = (size_t)vt_min((uint64_t)(own.end - own.at), 8);
        m->row.address = vt_take(&own, length);
        m->gone = is_of_nothing(m->row.address, length);
    }
}

static void run_special(struct machine *m, unsigned code)
{
    unsigned both = code - m->head->opcode_base;

    advance(m, both / m->head->line_range);
    m->row.line += (uint32_t)(m->head->line_base + (int)(both % m->head->line_range));
    add_row(m);
}

static void run_standard(struct machine *m, struct vt_cursor *c, unsigned code)
{
    switch (code) {
    case DW_LNS_copy:
        add_row(m);
        break;
    case DW_LNS_advance_pc:
        advance(m, vt_take_leb(c));
        break;
    case DW_LNS_advance_line:
        m->row.line += (uint32_t)vt_take_signed_leb(c);
        break;
    case DW_LNS_set_file:
        m->row.file = (uint32_t)vt_take_leb(c);
        break;
    case DW_LNS_const_add_pc:
        advance(m, (255 - m->head->opcode_base) / m->head->line_range);
        break;
    case DW_LNS_fixed_advance_pc:
        m->row.address += vt_take(c, 2);
        break;
    default: /* nothing that rows are looked up by */
        for (unsigned i = 0; i < m->head->arguments[code]; i++)
            vt_take_leb(c);
    }
}

static int compare_rows(const void *a, const void *b)
{
    const struct vt_line_row *x = a, *y = b;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    /* Where a sequence ends, another one may begin. */
    return (y->file == VT_LINE_NONE) - (x->file == VT_LINE_NONE);
}

size_t vt_line_rows_read(struct vt_line_rows *rows, const unsigned char *program, size_t size,
                         size_t most)
{
    struct vt_cursor c = {program, program + size, false};
    struct head head;
    struct machine m = {.rows = rows, .head = &head, .most = most, .sorted = true};

    if (!read_head(&c, &head))
        return 0;
    size_t length = (size_t)(c.at - program);
    begin_sequence(&m);
    while (c.at < c.end && !c.bad && !m.failed) {
        unsigned code = (unsigned)vt_take(&c, 1);
        if (code >= head.opcode_base)
            run_special(&m, code);
        else if (code)
            run_standard(&m, &c, code);
        else
            run_extended(&m, &c);
    }
    end_sequence(&m); /* if it was not */
    if (!m.sorted)
        qsort(rows->items, rows->count, sizeof(*rows->items), compare_rows);
    return c.bad || m.failed ? 0 : length;
}

const struct vt_line_row *vt_line_rows_at(const struct vt_line_rows *rows, vt_addr address)
{
    size_t begun = vt_begun_at(rows->items, rows->count, sizeof(*rows->items), address);

    return begun && rows->items[begun - 1].file != VT_LINE_NONE ? &rows->items[begun - 1] : NULL;
}

void vt_line_rows_deinit(struct vt_line_rows *rows)
{
    free(rows->items);
    *rows = (struct vt_line_rows){0};
}
