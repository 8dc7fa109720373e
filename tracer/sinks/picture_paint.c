/*
 * picture_paint.c - hides the alphabets and colours of a picture and the columns it stands in.
 *
 * Invariant: no line is wider than the terminal.
 */
#include "sinks/picture_paint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "sinks/columns.h"
#include "sinks/style.h"
#include "sinks/words.h"

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

struct painter {
    const struct vt_pic_sketch *sketch;
    const struct vt_picture_input *input;
    const struct vt_pic_facts *facts;
    const struct glyphs *glyphs;
    struct vt_pic_columns at;
    struct vt_buf *out;
};

/* Columns behind a row's name and permissions: blank, size, blank. */
#define SIZE_COLUMNS 8

struct vt_pic_columns vt_pic_columns(const struct vt_picture_input *input)
{
    struct vt_pic_columns at = {.width = (unsigned)vt_max(input->width ? input->width : 80, 60)};

    at.addr = input->class_bits == 32 ? 9 : 16;
    at.box = (unsigned)vt_min(42 + (at.width > 80 ? (at.width - 80) * 3 / 10 : 0), 66);
    at.fill = at.box >= 54 ? 3 : 1;
    at.note = at.width - at.addr - at.box - 2;
    at.name = at.box - 2 - at.fill - 1 - SIZE_COLUMNS - VT_PIC_PERM_WIDTH;
    return at;
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
    p->out->failed |= many.failed;
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
    unsigned used = vt_add_fitted(&fitted, text, columns, keep_end, p->glyphs->ellipsis);

    put(p, color, vt_buf_cstr(&fitted));
    if (pad)
        put_times(p, VT_STYLE_NONE, " ", columns - used);
    p->out->failed |= fitted.failed;
    vt_buf_deinit(&fitted);
}

static void put_note(struct painter *p, const char *note)
{
    if (note[0] && p->at.note >= 8) {
        vt_buf_char(p->out, ' ');
        put_fitted(p, VT_STYLE_FAINT, note, p->at.note, false, strchr(note, '/') != NULL);
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
    vt_buf_printf(p->out, "%*s", (int)(p->at.addr - vt_min(strlen(text), p->at.addr)), "");
    put(p, color, text);
}

/* How the border above a box is drawn. */
enum border { BORDER_TOP, BORDER_FULL, BORDER_DASHED, BORDER_BOTTOM };

/* A border without `box` has no texts. With `named` it shows its address. */
static void put_border(struct painter *p, enum border border, vt_addr addr, bool named,
                       const struct vt_pic_box *box)
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
    const char *title = box ? vt_pic_text_at(p->sketch, box->title) : "";
    const char *size = box ? vt_pic_text_at(p->sketch, box->title_size) : "";
    unsigned inner = p->at.box - 2;

    if (named)
        put_addr(p, VT_STYLE_NONE, addr, border == BORDER_TOP);
    else
        put_times(p, VT_STYLE_NONE, " ", p->at.addr);
    vt_buf_char(p->out, ' ');
    put(p, VT_STYLE_FAINT, style->left);
    if (title[0]) {
        unsigned room = inner - (size[0] ? (unsigned)strlen(size) + 6 : 3);
        unsigned used = (unsigned)vt_min(vt_columns(title), room);
        put(p, VT_STYLE_FAINT, style->line);
        vt_buf_char(p->out, ' ');
        put_fitted(p, VT_STYLE_STRONG, title, used, true, false);
        vt_buf_char(p->out, ' ');
        inner -= used + 3;
    }
    if (size[0]) {
        unsigned used = (unsigned)strlen(size) + 3;
        put_times(p, VT_STYLE_FAINT, style->line, inner - used);
        vt_buf_printf(p->out, " %s ", size);
        inner = 1;
    }
    put_times(p, VT_STYLE_FAINT, style->line, inner);
    put(p, VT_STYLE_FAINT, style->right);
    put_note(p, box ? vt_pic_text_at(p->sketch, box->title_note) : "");
}

static const char *fill_of(const struct painter *p, const struct vt_pic_row *row)
{
    unsigned index = row->perm[2] == 'x' ? 3 : row->perm[1] == 'w' ? 2 : row->perm[0] == 'r';
    return p->glyphs->fill[index];
}

static const char *color_of(const struct vt_pic_row *row)
{
    return row->hole || row->kind >= VT_KIND_COUNT ? VT_STYLE_FAINT : vt_kind_style(row->kind);
}

/* From the left side of a box to its right; what is free has open sides. `air`: no texts. */
static void put_inside(struct painter *p, const struct vt_pic_row *row, bool air)
{
    bool folded = row->hole && !air && !row->pointer && row->size >= (UINT64_C(1) << 30);
    const char *side = folded      ? p->glyphs->fold
                       : row->hole ? p->glyphs->free_vertical
                                   : p->glyphs->vertical;
    unsigned inner = p->at.box - 2;

    put(p, VT_STYLE_FAINT, side);
    put_times(p, color_of(row), fill_of(p, row), p->at.fill);
    vt_buf_char(p->out, ' ');
    inner -= p->at.fill + 1;
    if (air) {
        put_times(p, VT_STYLE_NONE, " ", inner);
    } else if (row->pointer) {
        put_fitted(p, VT_STYLE_STRONG, vt_pic_text_at(p->sketch, row->name), inner, true, false);
    } else {
        unsigned name = p->at.name + (row->perm[0] ? 0 : VT_PIC_PERM_WIDTH);
        put_fitted(p, color_of(row), vt_pic_text_at(p->sketch, row->name), name, true, false);
        if (row->perm[0])
            vt_buf_printf(p->out, " %s ", row->perm);
        vt_buf_printf(p->out, " %6s ", vt_pic_size_text(row->size).text);
    }
    put(p, VT_STYLE_FAINT, side);
}

static void put_blanks(struct painter *p, unsigned count)
{
    put_times(p, VT_STYLE_NONE, " ", count);
}

/* A line of a box without an address, text or note. */
static void put_air(struct painter *p, const struct vt_pic_row *row)
{
    put_blanks(p, p->at.addr + 1);
    put_inside(p, row, true);
    vt_buf_char(p->out, '\n');
}

/* A line inside a hole: an arrow and what grows along it, in the middle. */
static void put_arrow(struct painter *p, const char *arrow, const char *text)
{
    struct vt_buf both = {0};
    unsigned inner = p->at.box - 2;

    vt_buf_printf(&both, "%s %s", arrow, text);
    unsigned used = (unsigned)vt_min(vt_columns(vt_buf_cstr(&both)), inner);
    put_blanks(p, p->at.addr + 1);
    put(p, VT_STYLE_FAINT, p->glyphs->free_vertical);
    put_blanks(p, (inner - used) / 2);
    put_fitted(p, VT_STYLE_STRONG, vt_buf_cstr(&both), used, true, false);
    put_blanks(p, inner - used - (inner - used) / 2);
    put(p, VT_STYLE_FAINT, p->glyphs->free_vertical);
    vt_buf_char(p->out, '\n');
    p->out->failed |= both.failed;
    vt_buf_deinit(&both);
}

static void put_row(struct painter *p, const struct vt_pic_row *row, bool lowest)
{
    /* The lowest row begins where the box does: the border says so. */
    if (row->pointer || !lowest)
        put_addr(p, row->pointer ? VT_STYLE_STRONG : VT_STYLE_FAINT, row->start, false);
    else
        put_blanks(p, p->at.addr);
    put(p, VT_STYLE_STRONG, row->pointer ? p->glyphs->pointer : " ");
    put_inside(p, row, false);
    put_note(p, vt_pic_text_at(p->sketch, row->note));
}

static void put_box(struct painter *p, const struct vt_pic_box *box)
{
    const struct vt_pic_row *rows = &p->sketch->rows[box->first_row];
    unsigned lines = (box->above ? 1u : 0u) + (box->below ? 1u : 0u) + (unsigned)box->row_count;
    unsigned air = box->height > lines ? box->height - lines : 0;
    /* A row alone stands in the middle; before pointers there is no air, so that they stay near. */
    unsigned before = box->row_count == 1 || box->hole ? air / 2 : 0;
    size_t lowest = box->row_count - 1;

    while (lowest > 0 && rows[lowest].pointer)
        lowest--;
    if (box->above)
        put_arrow(p, p->glyphs->down, vt_pic_text_at(p->sketch, box->above));
    for (unsigned i = 0; i < before; i++)
        put_air(p, &rows[0]);
    for (size_t i = 0; i < box->row_count; i++) {
        if (box->hole && i > 0) { /* the break in a hole: its arrow first */
            for (; before < air; before++)
                put_air(p, &rows[0]);
            put_arrow(p, p->glyphs->up, vt_pic_text_at(p->sketch, box->below));
        }
        put_row(p, &rows[i], i == lowest);
    }
    for (; before < air; before++)
        put_air(p, &rows[lowest]);
    if (box->below && box->row_count == 1)
        put_arrow(p, p->glyphs->up, vt_pic_text_at(p->sketch, box->below));
}

static void put_boxes(struct painter *p)
{
    vt_addr end = p->facts->compat ? vt_max(p->facts->canonical_end, p->facts->user_end) : 0;
    const struct vt_pic_box *above = NULL;

    for (size_t i = 0; i < p->sketch->box_count; i++) {
        const struct vt_pic_box *box = &p->sketch->boxes[i];
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

/* A paragraph in lines of the picture's width. */
static void put_wrapped(struct painter *p, const char *color, struct vt_buf *text, unsigned indent)
{
    size_t start = p->out->length;

    put(p, color, vt_buf_cstr(text));
    vt_fold_line(p->out, start, p->at.width, indent);
    vt_buf_char(p->out, '\n');
    p->out->failed |= text->failed;
    vt_buf_clear(text);
}

/* "118 regions, 232.2M mapped (43.7M usable)": what is not usable is PROT_NONE. */
static void add_sums(struct vt_buf *text, const struct vt_layout_sums *sums)
{
    uint64_t unusable = sums->bytes[VT_KIND_GUARD] + sums->bytes[VT_KIND_RESERVE];

    vt_buf_printf(text, "%" PRIu64 " region%s, %s mapped", sums->total_regions,
                  sums->total_regions == 1 ? "" : "s", vt_pic_size_text(sums->total_bytes).text);
    if (unusable)
        vt_buf_printf(text, " (%s usable)", vt_pic_size_text(sums->total_bytes - unusable).text);
}

static void add_aslr(struct vt_buf *text, const struct vt_picture_input *input)
{
    vt_buf_str(text, "ASLR ");
    if (input->aslr_disabled)
        vt_buf_str(text, "off for this process (personality)");
    else if (input->aslr < 0)
        vt_buf_str(text, "not known");
    else
        vt_buf_printf(text, "%s (randomize_va_space %d)",
                      input->aslr == 0   ? "off"
                      : input->aslr == 1 ? "on, but for the heap"
                                         : "on",
                      input->aslr);
}

/* Three lines, as a rule: what, when and how much, and how the machine lays it out. */
static void put_header(struct painter *p)
{
    const struct vt_picture_input *input = p->input;
    struct vt_buf text = {0};

    if (input->path && input->path[0])
        vt_pic_add_escaped(&text, vt_base_name(input->path), input->utf8);
    else
        vt_buf_str(&text, "program of unknown name");
    if (input->pid)
        vt_buf_printf(&text, ", process %ld", (long)input->pid);
    vt_buf_printf(&text, ", %s", p->facts->compat ? "32-bit" : "64-bit");
    if (input->type != VT_PROGRAM_UNKNOWN)
        vt_buf_printf(&text, " %s", vt_program_type_text(input->type));
    put_wrapped(p, VT_STYLE_STRONG, &text, 2);

    if (input->moment) {
        vt_pic_add_escaped(&text, input->moment, input->utf8);
        vt_buf_str(&text, ": ");
    }
    add_sums(&text, vt_layout_sums(input->layout));
    put_wrapped(p, VT_STYLE_NONE, &text, 2);

    if (!p->facts->compat)
        vt_buf_str(&text, input->la57 ? "5-level page tables, 57-bit addresses; "
                                      : "4-level page tables, 48-bit addresses; ");
    add_aslr(&text, input);
    put_wrapped(p, VT_STYLE_NONE, &text, 2);
    vt_buf_char(p->out, '\n');
    vt_buf_deinit(&text);
}

static void put_footer(struct painter *p)
{
    const struct glyphs *g = p->glyphs;
    struct vt_buf text = {0};

    vt_buf_char(p->out, '\n');
    vt_buf_str(&text,
               "An address at a line ends what is below and starts what is above; one beside a "
               "row starts that. Boxes of one row grow with the logarithm of their size.");
    put_wrapped(p, VT_STYLE_FAINT, &text, 0);
    vt_buf_printf(&text, "%s executable %s writable %s read-only %s shortened", g->fill[3],
                  g->fill[2], g->fill[1], g->fold);
    put_wrapped(p, VT_STYLE_FAINT, &text, 0);
    if (p->facts->compat) {
        vt_buf_str(&text, "The kernel lies above 4 GiB, where 32-bit pointers do not reach.");
        put_wrapped(p, VT_STYLE_FAINT, &text, 0);
    } else if (p->input->kernel) {
        vt_buf_printf(&text, "Kernel half: %s.", p->input->kernel->source);
        put_wrapped(p, VT_STYLE_FAINT, &text, 0);
    }
    vt_buf_deinit(&text);
}

void vt_pic_paint(const struct vt_pic_sketch *s, const struct vt_pic_columns *columns,
                  struct vt_buf *out)
{
    struct painter p = {
        .sketch = s,
        .input = s->cells->input,
        .facts = &s->cells->facts,
        .glyphs = s->utf8 ? &unicode_glyphs : &ascii_glyphs,
        .at = *columns,
        .out = out,
    };

    put_header(&p);
    put_boxes(&p);
    put_footer(&p);
}
