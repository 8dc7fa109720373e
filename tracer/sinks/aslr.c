/*
 * aslr.c - hides how gathered addresses become facts: each part judged by
 * itself, parts that move as one put together, and distances between the rest.
 *
 * Invariants: leaders lead themselves; a distance joins two different leaders;
 * the gathered addresses are never reordered (judging sorts, so copies are judged).
 */
#include "sinks/aslr.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

static const struct {
    const char *name;
    const char *words;
} parts[] = {
    [VT_ASLR_STACK] = {"stack", "end of the stack's mapping"},
    [VT_ASLR_SP] = {"sp", "stack pointer at the start"},
    [VT_ASLR_MMAP] = {"mmap top", "end of the mappings below the stack"},
    [VT_ASLR_INTERPRETER] = {"interpreter", "the dynamic linker"},
    [VT_ASLR_VDSO] = {"vdso", "the kernel's code for programs"},
    [VT_ASLR_VVAR] = {"vvar", "the data of that code"},
    [VT_ASLR_HEAP] = {"heap", "where brk begins"},
    [VT_ASLR_PROGRAM] = {"program", "the program's own file"},
    [VT_ASLR_LOWEST] = {"lowest", "the first mapping of all"},
};

const char *vt_aslr_part_name(enum vt_aslr_part part)
{
    return parts[part].name;
}

const char *vt_aslr_part_words(enum vt_aslr_part part)
{
    return parts[part].words;
}

static const struct {
    const char *name;
    vt_aslr_render_fn *render;
} formats[] = {{"text", vt_aslr_render_text}, {"json", vt_aslr_render_json}};

vt_aslr_render_fn *vt_aslr_render_find(const char *name)
{
    for (size_t i = 0; i < VT_COUNTOF(formats); i++)
        if (!strcmp(name, formats[i].name))
            return formats[i].render;
    return NULL;
}

bool vt_aslr_is_off(const struct vt_aslr *aslr)
{
    const struct vt_aslr_settings *s = &aslr->settings;
    return !s->randomize_va_space || (s->personality >= 0 && (s->personality & VT_ASLR_OFF));
}

static bool together(const struct vt_aslr *aslr, enum vt_aslr_part a, enum vt_aslr_part b)
{
    const uint64_t *x = aslr->addresses[a], *y = aslr->addresses[b];
    for (size_t i = 1; i < aslr->made; i++)
        if (x[i] - y[i] != x[0] - y[0])
            return false;
    return aslr->made > 1;
}

static void find_leaders(struct vt_aslr_analysis *a)
{
    for (int part = 0; part < VT_ASLR_PART_COUNT; part++) {
        a->leader[part] = (enum vt_aslr_part)part;
        for (int first = 0; first < part && a->present[part]; first++) {
            if (a->present[first] &&
                together(a->aslr, (enum vt_aslr_part)first, (enum vt_aslr_part)part)) {
                a->leader[part] = (enum vt_aslr_part)first;
                break;
            }
        }
    }
}

static void judge_distance(struct vt_aslr_analysis *a, int from, int to, uint64_t *scratch)
{
    const uint64_t sign = UINT64_C(1) << 63; /* flipped, unsigned order is that of signed numbers */
    struct vt_aslr_distance *d = &a->distances[a->distance_count++];
    for (size_t i = 0; i < a->aslr->made; i++)
        scratch[i] = (a->aslr->addresses[to][i] - a->aslr->addresses[from][i]) ^ sign;
    vt_entropy_judge(scratch, a->aslr->made, &d->entropy);
    d->from = (enum vt_aslr_part)from;
    d->to = (enum vt_aslr_part)to;
    d->lowest = (int64_t)(d->entropy.lowest ^ sign);
    d->highest = (int64_t)(d->entropy.highest ^ sign);
}

int vt_aslr_analyse(const struct vt_aslr *aslr, struct vt_aslr_analysis *a, struct vt_error *err)
{
    uint64_t *scratch = malloc((aslr->made + 1) * sizeof(*scratch));
    *a = (struct vt_aslr_analysis){.aslr = aslr};
    if (!scratch)
        return vt_error_errno(err, ENOMEM, "cannot judge %zu launches", aslr->made);
    for (int part = 0; part < VT_ASLR_PART_COUNT; part++) {
        a->present[part] = aslr->addresses[part];
        if (!a->present[part])
            continue;
        if (aslr->made)
            memcpy(scratch, aslr->addresses[part], aslr->made * sizeof(*scratch));
        vt_entropy_judge(scratch, aslr->made, &a->parts[part]);
    }
    find_leaders(a);
    for (int from = 0; from < VT_ASLR_PART_COUNT; from++)
        for (int to = from + 1; to < VT_ASLR_PART_COUNT; to++)
            if (a->present[from] && a->present[to] && (int)a->leader[from] == from &&
                (int)a->leader[to] == to)
                judge_distance(a, from, to, scratch);
    free(scratch);
    a->promised = vt_aslr_is_off(aslr)     ? 0
                  : aslr->class_bits == 32 ? aslr->settings.mmap_rnd_compat_bits
                                           : aslr->settings.mmap_rnd_bits;
    return 0;
}

/* The best that is known of how much it moves: an upper bound where there is no estimate. */
static double bits_of(const struct vt_entropy *entropy)
{
    return isnan(entropy->bits.estimate) ? entropy->bits.high : entropy->bits.estimate;
}

bool vt_aslr_is_telling(const struct vt_aslr_analysis *a, const struct vt_aslr_distance *d)
{
    const struct vt_entropy *from = &a->parts[d->from], *to = &a->parts[d->to];
    return from->moved && to->moved && bits_of(&d->entropy) + 1 < fmin(bits_of(from), bits_of(to));
}
