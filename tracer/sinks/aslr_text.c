/*
 * aslr_text.c - the launches for eyes: what the kernel was told, a table of parts,
 * the bits that moved, what moves together, and how the numbers are meant.
 *
 * Invariants: ASCII alone, so that every terminal shows it; no line of ours is
 * wider than 80 columns but where the terminal is (a long path may be, and a table
 * of addresses above 2^48, which 5-level paging has for those who ask). For less
 * than 80 columns all lines are folded.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/escape.h"
#include "sinks/aslr.h"
#include "sinks/columns.h"
#include "sinks/style.h"
#include "sinks/words.h"

enum { NARROW = 80, WIDE = 118, WORDS_MOST = 100, LABEL = 13 };

struct page {
    const struct vt_aslr_input *input;
    const struct vt_aslr_analysis *a;
    const struct vt_aslr *aslr;
    struct vt_buf *out;
    unsigned width;
};

/* ---- words ----------------------------------------------------------------- */

static void painted(struct page *p, const char *style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void painted(struct page *p, const char *style, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    bool color = p->input->color && *style;
    if (color)
        vt_buf_printf(p->out, "\033[%sm", style);
    vt_buf_str(p->out, text);
    if (color)
        vt_buf_str(p->out, "\033[0m");
}

/* A paragraph, folded; a label stands in a margin of its own. */
static void paragraph(struct page *p, const char *label, const char *text)
{
    size_t start = p->out->length;

    painted(p, VT_STYLE_STRONG, "%-*s", LABEL, label);
    vt_buf_str(p->out, text);
    vt_fold_line(p->out, start, p->width < WORDS_MOST ? p->width : WORDS_MOST, LABEL);
    vt_buf_char(p->out, '\n');
}

static void title(struct page *p, const char *text)
{
    vt_buf_char(p->out, '\n');
    painted(p, VT_STYLE_STRONG, "%s", text);
    vt_buf_char(p->out, '\n');
}

/* Bits with two decimals, or fewer where the sample does not tell as much. */
static void bits_text(char text[16], double bits)
{
    if (isinf(bits) || isnan(bits))
        snprintf(text, 16, "?");
    else
        snprintf(text, 16, "%.2f", bits);
}

static void interval_text(char text[32], const struct vt_entropy *e)
{
    if (e->method == VT_ENTROPY_NONE)
        snprintf(text, 32, "-");
    else if (e->method == VT_ENTROPY_FIXED)
        snprintf(text, 32, "never moved");
    else if (isinf(e->bits.high))
        snprintf(text, 32, "%.2f or more", e->bits.low);
    else
        snprintf(text, 32, "%.2f-%.2f", e->bits.low, e->bits.high);
}

static bool is_uneven(const struct vt_entropy *e)
{
    return e->method == VT_ENTROPY_COLLISIONS || e->method == VT_ENTROPY_BOUNDS;
}

/* ---- the head: what was done, what the kernel was told -------------------------- */

static void label(struct page *p, const char *text)
{
    painted(p, VT_STYLE_FAINT, "%-24s", text);
}

static void name(struct page *p, const char *raw)
{
    vt_escape_terminal(p->out, raw, strlen(raw));
}

static void head(struct page *p)
{
    const struct vt_aslr *aslr = p->aslr;
    label(p, "program");
    name(p, aslr->path && *aslr->path ? aslr->path : aslr->command[0]);
    vt_buf_char(p->out, '\n');
    label(p, "");
    vt_buf_str(p->out, vt_program_type_text(aslr->type));
    if (aslr->class_bits)
        vt_buf_printf(p->out, ", %u-bit", aslr->class_bits);
    bool fixed = aslr->type == VT_PROGRAM_STATIC || aslr->type == VT_PROGRAM_DYNAMIC;
    bool pie = aslr->type == VT_PROGRAM_PIE || aslr->type == VT_PROGRAM_STATIC_PIE;
    vt_buf_str(p->out, fixed ? ": its file says where it lies (no PIE)\n"
                       : pie ? " (PIE)\n"
                             : "\n");
    if (aslr->interpreter) {
        label(p, "interpreter");
        name(p, aslr->interpreter);
        vt_buf_char(p->out, '\n');
    }
    label(p, "launches");
    vt_buf_printf(p->out, "%zu in ", aslr->made);
    vt_add_duration(p->out, aslr->duration_ns);
    vt_buf_str(p->out, ", each ended before its first instruction\n");
    if (aslr->interrupted) {
        label(p, "");
        painted(p, VT_STYLE_DOUBT, "%s: %zu of %zu launches", aslr->interrupted, aslr->made,
                aslr->asked);
        vt_buf_char(p->out, '\n');
    }
}

static void setting(struct page *p, const char *key, int value, const char *meaning)
{
    label(p, key);
    if (value < 0)
        vt_buf_str(p->out, " ?  not readable here\n");
    else
        vt_buf_printf(p->out, "%2d  %s\n", value, meaning);
}

static void settings(struct page *p)
{
    static const char *const levels[] = {
        "nothing is randomised",
        "stack, mmap area, vdso and PIE; not the heap",
        "stack, mmap area, vdso, PIE and heap",
    };
    const struct vt_aslr_settings *s = &p->aslr->settings;
    bool is32 = p->aslr->class_bits == 32;
    int level = s->randomize_va_space;
    setting(p, "randomize_va_space", level, levels[level < 0 ? 0 : level > 2 ? 2 : level]);
    setting(p, "mmap_rnd_bits", s->mmap_rnd_bits,
            is32 ? "for 64-bit programs; this one is not" : "random bits of a page number");
    setting(p, "mmap_rnd_compat_bits", s->mmap_rnd_compat_bits,
            is32 ? "random bits of a page number" : "for 32-bit programs; this one is not");
    if (s->legacy_va_layout > 0)
        setting(p, "legacy_va_layout", s->legacy_va_layout, "mmap goes upwards");
    if (s->stack_unlimited) {
        label(p, "stack limit");
        vt_buf_str(p->out, "unlimited: mmap goes upwards\n");
    }
    label(p, "personality");
    if (s->personality < 0)
        vt_buf_str(p->out, "not readable here");
    else if (s->personality & VT_ASLR_OFF)
        painted(p, VT_STYLE_DOUBT, "ADDR_NO_RANDOMIZE: nothing is randomised (%s)",
                p->aslr->no_aslr ? "--no-aslr" : "inherited");
    else
        vt_buf_str(p->out, "leaves randomisation on");
    vt_buf_char(p->out, '\n');
    if (s->personality >= 0 && (s->personality & VT_ASLR_COMPAT_LAYOUT)) {
        label(p, "");
        vt_buf_str(p->out, "ADDR_COMPAT_LAYOUT: mmap goes upwards\n");
    }
}

/* ---- the parts -------------------------------------------------------------------- */

static void size_at(struct page *p, unsigned columns, uint64_t bytes)
{
    struct vt_buf text = {0};
    vt_human_size(&text, bytes);
    vt_buf_printf(p->out, "%*s", (int)columns, vt_buf_cstr(&text));
    p->out->failed |= text.failed;
    vt_buf_deinit(&text);
}

/* What is measured: step, bits, interval, and what is proven. */
static void measures(struct page *p, const struct vt_entropy *e)
{
    char bits[16], interval[32];
    bits_text(bits, e->bits.estimate);
    interval_text(interval, e);
    if (e->step)
        size_at(p, 7, e->step);
    else
        vt_buf_printf(p->out, "%7s", "-");
    painted(p,
            is_uneven(e) ? VT_STYLE_DOUBT
            : e->moved   ? VT_STYLE_GOOD
                         : "",
            "%7s%s", bits, is_uneven(e) ? "~" : " ");
    vt_buf_printf(p->out, "%11s", interval);
    if (e->moved)
        vt_buf_printf(p->out, "%8.1f", e->guess);
    else
        vt_buf_printf(p->out, "%8s", "-");
}

static void parts(struct page *p)
{
    bool wide = p->width >= WIDE;
    vt_buf_char(p->out, '\n');
    painted(p, VT_STYLE_FAINT, "%-12s%13s%13s%8s%7s%7s %11s%8s%s", "part", "lowest", "highest",
            "span", "step", "bits", "95%", "proven", wide ? "  what" : "");
    vt_buf_char(p->out, '\n');
    for (int part = 0; part < VT_ASLR_PART_COUNT; part++) {
        const struct vt_entropy *e = &p->a->parts[part];
        if (!p->a->present[part])
            continue;
        vt_buf_printf(p->out, "%-12s %12llx %12llx", vt_aslr_part_name((enum vt_aslr_part)part),
                      (unsigned long long)e->lowest, (unsigned long long)e->highest);
        size_at(p, 8, e->highest - e->lowest);
        measures(p, e);
        if (wide)
            painted(p, VT_STYLE_FAINT, "  %s", vt_aslr_part_words((enum vt_aslr_part)part));
        vt_buf_char(p->out, '\n');
    }
}

/* Does what was measured agree with what mmap_rnd_bits promises? */
static void promise(struct page *p)
{
    bool pie = p->aslr->type == VT_PROGRAM_PIE;
    const enum vt_aslr_part candidates[] = {VT_ASLR_INTERPRETER, VT_ASLR_VDSO, VT_ASLR_PROGRAM};
    char text[256];
    size_t used = 0;
    bool agree = true;
    if (p->a->promised <= 0 || p->aslr->made < 2)
        return;
    for (size_t i = 0; i < VT_COUNTOF(candidates); i++) {
        const struct vt_entropy *e = &p->a->parts[candidates[i]];
        if (!p->a->present[candidates[i]] || (candidates[i] == VT_ASLR_PROGRAM && !pie) ||
            (candidates[i] == VT_ASLR_VDSO && used)) /* only where there is no interpreter */
            continue;
        agree &= e->bits.low - 0.1 <= p->a->promised && p->a->promised <= e->bits.high + 0.1;
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used ? " and " : "",
                                 vt_aslr_part_name(candidates[i]));
    }
    if (!used)
        return;
    vt_buf_char(p->out, '\n');
    size_t start = p->out->length;
    painted(p, agree ? VT_STYLE_GOOD : VT_STYLE_DOUBT,
            "%s promises %d bits to %s; what was measured %s.",
            p->aslr->class_bits == 32 ? "mmap_rnd_compat_bits" : "mmap_rnd_bits", p->a->promised,
            text, agree ? "agrees" : "differs");
    vt_fold_line(p->out, start, p->width, 0);
    vt_buf_char(p->out, '\n');
}

/* ---- the bits --------------------------------------------------------------------- */

/* One digit a bit: how many tenths of the launches had it set. */
static void bit(struct page *p, const struct vt_entropy *e, unsigned number)
{
    if (!(e->moved >> number & 1)) {
        painted(p, VT_STYLE_FAINT, ".");
        return;
    }
    size_t tenths = (20 * e->set[number] + e->count) / (2 * e->count);
    painted(p, e->odd_bits >> number & 1 ? VT_STYLE_DOUBT : VT_STYLE_GOOD, "%zu",
            tenths > 9 ? 9 : tenths);
}

static void bits(struct page *p)
{
    uint64_t all = 0, moved = 0;
    unsigned top = 64;
    for (int part = 0; part < VT_ASLR_PART_COUNT; part++) {
        all |= p->a->parts[part].highest; /* 0 where not present */
        moved |= p->a->parts[part].moved;
    }
    if (!moved)
        return;
    while (top > 32 && !(all >> (top - 8)))
        top -= 8;
    title(p, "Bits that moved");
    painted(p, VT_STYLE_FAINT, "%-*s", LABEL, "bit");
    for (unsigned i = top; i > 0; i -= 8)
        painted(p, VT_STYLE_FAINT, i > 8 ? "%-9u" : "%u", i - 1);
    vt_buf_char(p->out, '\n');
    for (int part = 0; part < VT_ASLR_PART_COUNT; part++) {
        if (!p->a->present[part])
            continue;
        vt_buf_printf(p->out, "%-*s", LABEL, vt_aslr_part_name((enum vt_aslr_part)part));
        for (unsigned i = top; i-- > 0;) {
            bit(p, &p->a->parts[part], i);
            if (i % 8 == 0 && i)
                vt_buf_char(p->out, ' ');
        }
        vt_buf_char(p->out, '\n');
    }
    vt_buf_str(p->out, "A digit is the tenths of launches that had the bit set: 5 is a fair coin.");
    vt_buf_str(p->out, "\nA dot is a bit that never moved.\n");
}

/* ---- distances -------------------------------------------------------------------- */

static void signed_hex(struct page *p, uint64_t distance)
{
    bool below = (int64_t)distance < 0;
    vt_buf_printf(p->out, " %c ", below ? '-' : '+');
    vt_buf_printf(p->out, "%llx", (unsigned long long)(below ? -distance : distance));
}

/* "stack = vdso + 3000 = vvar + 9000"; nothing for a part that moves alone, or not at all. */
static bool moves_together(struct page *p, enum vt_aslr_part leader)
{
    const struct vt_aslr *aslr = p->aslr;
    bool any = false;
    for (int part = (int)leader + 1; part < VT_ASLR_PART_COUNT; part++) {
        if (!p->a->present[part] || p->a->leader[part] != leader || !p->a->parts[part].moved)
            continue;
        if (!any)
            vt_buf_printf(p->out, "  %s", vt_aslr_part_name(leader));
        vt_buf_printf(p->out, " = %s", vt_aslr_part_name((enum vt_aslr_part)part));
        signed_hex(p, aslr->addresses[leader][0] - aslr->addresses[part][0]);
        any = true;
    }
    if (any)
        vt_buf_char(p->out, '\n');
    return any;
}

static void fixed(struct page *p)
{
    bool any = false;
    title(p, "Distances that stay fixed: who learns one address knows the others");
    for (int part = 0; part < VT_ASLR_PART_COUNT; part++)
        if (p->a->present[part] && (int)p->a->leader[part] == part)
            any |= moves_together(p, (enum vt_aslr_part)part);
    size_t still = 0, all = 0;
    for (int part = 0; part < VT_ASLR_PART_COUNT; part++) {
        all += p->a->present[part];
        still += p->a->present[part] && !p->a->parts[part].moved;
    }
    if (still == all) {
        vt_buf_str(p->out, "  all: nothing ever moved\n");
        return;
    }
    const char *before = "  never moved: ";
    for (int part = 0; part < VT_ASLR_PART_COUNT; part++) {
        if (!p->a->present[part] || p->a->parts[part].moved)
            continue;
        vt_buf_printf(p->out, "%s%s", before, vt_aslr_part_name((enum vt_aslr_part)part));
        before = ", ";
    }
    vt_buf_str(p->out, still ? "\n" : any ? "" : "  none\n");
}

static void telling(struct page *p)
{
    bool any = false;
    for (size_t i = 0; i < p->a->distance_count; i++) {
        const struct vt_aslr_distance *d = &p->a->distances[i];
        char between[64], number[32];
        if (!vt_aslr_is_telling(p->a, d))
            continue;
        if (!any) {
            title(p, "Distances that move less than the two parts do");
            painted(p, VT_STYLE_FAINT, "%-24s%14s%8s%7s%7s %11s%8s", "distance", "least", "span",
                    "step", "bits", "95%", "proven");
            vt_buf_char(p->out, '\n');
        }
        any = true;
        /* Written the way round that makes it positive. */
        bool below = d->highest <= 0;
        snprintf(between, sizeof(between), "%s - %s", vt_aslr_part_name(below ? d->from : d->to),
                 vt_aslr_part_name(below ? d->to : d->from));
        int64_t least = below ? -d->highest : d->lowest;
        snprintf(number, sizeof(number), "%s%llx", least < 0 ? "-" : "",
                 (unsigned long long)(least < 0 ? -least : least));
        vt_buf_printf(p->out, "%-24s%14s", between, number);
        size_at(p, 8, (uint64_t)d->highest - (uint64_t)d->lowest);
        measures(p, &d->entropy);
        vt_buf_char(p->out, '\n');
    }
}

/* ---- how it is meant -------------------------------------------------------------- */

static void notes(struct page *p)
{
    char text[640];
    bool moved = false, uneven = false;
    double proven = 0;
    for (int part = 0; part < VT_ASLR_PART_COUNT; part++) {
        if (!p->a->present[part])
            continue;
        moved |= p->a->parts[part].moved != 0;
        uneven |= is_uneven(&p->a->parts[part]);
        proven = fmax(proven, p->a->parts[part].guess);
    }
    vt_buf_char(p->out, '\n');
    for (size_t i = 0; i < p->a->distance_count; i++)
        uneven |= vt_aslr_is_telling(p->a, &p->a->distances[i]) &&
                  is_uneven(&p->a->distances[i].entropy);
    if (p->aslr->made < 2) {
        paragraph(p, "one launch", "shows where the parts lie, but not whether they move.");
        return;
    }
    if (!moved) {
        /* Rule of three: none of n moved, so with 95 % confidence at most 1 - 0.05^(1/n) do. */
        snprintf(text, sizeof(text),
                 "in %zu launches. Were there launches in which something moves, they would be "
                 "fewer than %.2g %% of all (95 %% confidence).",
                 p->aslr->made, 100 * (1 - pow(0.05, 1 / (double)p->aslr->made)));
        paragraph(p, "never moved", text);
        return;
    }
    paragraph(p, "bits",
              "b bits are 2^b places, a step (the lowest bit that moved) apart, each as likely "
              "as the others. The estimate is the median of what the lowest and the highest "
              "address allow; the 95 % interval "
              "misses the true number in at most 1 of 20 such experiments, if the places are "
              "equally likely. Whether they look so was tested (how evenly the addresses are "
              "spread, how often two are alike, whether the low bits are fair coins).");
    if (p->aslr->made < 10)
        paragraph(p, "step",
                  "of so few launches is a guess: a bit that moves stays alike in n launches with "
                  "a chance of 1 in 2^(n-1). The 95 % does not reckon with that.");
    if (uneven)
        paragraph(p, "~",
                  "looks uneven (p < 0.001). Its bits are the collision entropy, from how often "
                  "two launches agree: b bits if one pair in 2^b does; ? where none did. This "
                  "interval holds for any distribution.");
    snprintf(text, sizeof(text),
             "holds whatever the distribution, if launches are independent: with 95 %% confidence "
             "the likeliest place has a chance of at most 1 in 2^proven (min-entropy). So many "
             "bits the best single guess has against it, at least. It is low because %zu launches "
             "cannot prove more than %.1f bits, not because there are no more: each doubling of "
             "-n can prove one more.",
             p->aslr->made, fmax(proven, log2((double)p->aslr->made / 4.74)));
    paragraph(p, "proven", text);
}

/* The lines from `start` on, none wider than this but for the words in it. */
static void fold(struct vt_buf *out, size_t start, unsigned width)
{
    char *all = out->failed ? NULL : strdup(vt_buf_cstr(out) + start);

    out->failed |= !all;
    if (!all)
        return;
    out->length = start;
    for (char *line = all, *end; (end = strchr(line, '\n')); line = end + 1) {
        size_t line_start = out->length;
        vt_buf_add(out, line, (size_t)(end - line));
        vt_fold_line(out, line_start, width, LABEL);
        vt_buf_char(out, '\n');
    }
    free(all);
}

void vt_aslr_render_text(const struct vt_aslr_input *input, struct vt_buf *out)
{
    struct page p = {
        .input = input,
        .a = input->analysis,
        .aslr = input->analysis->aslr,
        .out = out,
        .width = input->width ? input->width : NARROW,
    };
    size_t start = out->length;
    head(&p);
    settings(&p);
    parts(&p);
    promise(&p);
    if (p.aslr->made > 1) {
        bits(&p);
        fixed(&p);
        telling(&p);
    }
    notes(&p);
    if (p.width < NARROW)
        fold(out, start, p.width);
}
