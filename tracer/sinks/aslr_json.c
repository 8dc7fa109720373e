/*
 * aslr_json.c - the launches as one JSON document, described by
 * contrib/schema/aslr.schema.json: the raw addresses, and all that was judged.
 */
#include <math.h>
#include <string.h>

#include "base/escape.h"
#include "sinks/aslr.h"
#include "sinks/json.h"

enum { VERSION = 1 };

/* A number, or null where there is none. */
static void number(struct vt_buf *out, double value)
{
    if (isfinite(value))
        vt_buf_printf(out, "%.6g", value);
    else
        vt_buf_str(out, "null");
}

static void setting(struct vt_buf *out, const char *name, long value)
{
    if (value < 0)
        vt_buf_printf(out, "\"%s\":null,", name);
    else
        vt_buf_printf(out, "\"%s\":%ld,", name, value);
}

static const char *flag(bool value)
{
    return value ? "true" : "false";
}

static void head(struct vt_buf *out, const struct vt_aslr_analysis *a)
{
    const struct vt_aslr *aslr = a->aslr;
    const struct vt_aslr_settings *s = &aslr->settings;
    vt_buf_printf(out, "{\"format\":\"vastrace-aslr\",\"version\":%d,\n\"command\":[", VERSION);
    for (size_t i = 0; aslr->command[i]; i++) {
        vt_buf_str(out, i ? "," : "");
        vt_escape_json(out, aslr->command[i], strlen(aslr->command[i]));
    }
    vt_buf_str(out, "],\n\"program\":{\"path\":");
    vt_json_text(out, aslr->path);
    vt_buf_str(out, ",\"interpreter\":");
    vt_json_text(out, aslr->interpreter);
    vt_buf_printf(out, ",\"type\":\"%s\",\"class_bits\":", vt_program_type_name(aslr->type));
    if (aslr->class_bits)
        vt_buf_dec(out, aslr->class_bits);
    else
        vt_buf_str(out, "null");
    vt_buf_printf(out, "},\n\"page_size\":%llu,\n", (unsigned long long)aslr->page_size);
    vt_buf_printf(out, "\"launches\":{\"asked\":%zu,\"made\":%zu,\"duration_ns\":%lld,",
                  aslr->asked, aslr->made, (long long)aslr->duration_ns);
    vt_buf_str(out, "\"interrupted\":");
    vt_json_text(out, aslr->interrupted);
    vt_buf_str(out, "},\n\"settings\":{");
    setting(out, "randomize_va_space", s->randomize_va_space);
    setting(out, "mmap_rnd_bits", s->mmap_rnd_bits);
    setting(out, "mmap_rnd_compat_bits", s->mmap_rnd_compat_bits);
    setting(out, "legacy_va_layout", s->legacy_va_layout);
    setting(out, "personality", s->personality);
    setting(out, "promised_mmap_bits", a->promised);
    vt_buf_printf(out, "\"stack_unlimited\":%s,", flag(s->stack_unlimited));
    vt_buf_printf(out, "\"no_aslr\":%s,\"off\":%s},\n", flag(aslr->no_aslr),
                  flag(vt_aslr_is_off(aslr)));
}

static void interval(struct vt_buf *out, const char *name, const struct vt_entropy_interval *i)
{
    vt_buf_printf(out, "\"%s\":{\"bits\":", name);
    number(out, i->estimate);
    vt_buf_str(out, ",\"low\":");
    number(out, i->low);
    vt_buf_str(out, ",\"high\":");
    number(out, i->high);
    vt_buf_char(out, '}');
}

/* What parts and distances have in common. */
static void judged(struct vt_buf *out, const struct vt_entropy *e)
{
    vt_buf_printf(out, "\"distinct\":%zu,\"most_often\":%zu,\"step\":%llu,\"method\":\"%s\",",
                  e->distinct, e->most_often, (unsigned long long)e->step,
                  vt_entropy_method_name(e->method));
    interval(out, "entropy", &e->bits);
    vt_buf_char(out, ',');
    interval(out, "range", &e->range);
    vt_buf_char(out, ',');
    interval(out, "collisions", &e->collisions);
    vt_buf_printf(out, ",\"pairs\":%llu,\"equal_pairs\":%llu,", (unsigned long long)e->pairs,
                  (unsigned long long)e->equal_pairs);
    vt_buf_str(out, "\"guess\":{\"bits_at_least\":");
    number(out, e->guess);
    vt_buf_str(out, ",\"chance_at_most\":");
    number(out, e->guess_chance);
    vt_buf_printf(out, "},\"even\":{\"verdict\":%s,\"p_spread\":", flag(e->even));
    number(out, e->even_spread);
    vt_buf_str(out, ",\"p_collisions\":");
    number(out, e->even_collisions);
    vt_buf_str(out, ",\"p_bits\":");
    number(out, e->even_bits);
    vt_buf_char(out, '}');
}

static void part(struct vt_buf *out, const struct vt_aslr_analysis *a, enum vt_aslr_part which)
{
    const struct vt_entropy *e = &a->parts[which];
    vt_buf_printf(out, "{\"name\":\"%s\",\"what\":\"%s\",\"lowest\":", vt_aslr_part_name(which),
                  vt_aslr_part_words(which));
    vt_json_hex(out, e->lowest);
    vt_buf_str(out, ",\"highest\":");
    vt_json_hex(out, e->highest);
    vt_buf_printf(out,
                  ",\"moves_with\":\"%s\",\"moved_mask\":", vt_aslr_part_name(a->leader[which]));
    vt_json_hex(out, e->moved);
    vt_buf_str(out, ",\"moved_bits\":[");
    for (unsigned bit = 0, any = 0; bit < 64; bit++)
        if (e->moved >> bit & 1)
            vt_buf_printf(out, "%s{\"bit\":%u,\"set\":%zu,\"odd\":%s}", any++ ? "," : "", bit,
                          e->set[bit], flag(e->odd_bits >> bit & 1));
    vt_buf_str(out, "],\n ");
    judged(out, e);
    vt_buf_str(out, ",\n \"addresses\":[");
    for (size_t i = 0; i < a->aslr->made; i++) {
        vt_buf_str(out, i ? "," : "");
        vt_json_hex(out, a->aslr->addresses[which][i]);
    }
    vt_buf_str(out, "]}");
}

static void fixed_distances(struct vt_buf *out, const struct vt_aslr_analysis *a)
{
    bool any = false;
    vt_buf_str(out, "],\n\"fixed_distances\":[");
    for (int which = 0; which < VT_ASLR_PART_COUNT; which++) {
        enum vt_aslr_part leader = a->leader[which];
        if (!a->present[which] || (int)leader == which)
            continue;
        vt_buf_printf(out, "%s\n {\"from\":\"%s\",\"to\":\"%s\",\"bytes\":%lld}", any ? "," : "",
                      vt_aslr_part_name(leader), vt_aslr_part_name((enum vt_aslr_part)which),
                      (long long)(a->aslr->addresses[which][0] - a->aslr->addresses[leader][0]));
        any = true;
    }
}

void vt_aslr_render_json(const struct vt_aslr_input *input, struct vt_buf *out)
{
    const struct vt_aslr_analysis *a = input->analysis;
    bool any = false;
    head(out, a);
    vt_buf_printf(out, "\"confidence\":%g,\n\"parts\":[", VT_ENTROPY_CONFIDENCE);
    for (int which = 0; which < VT_ASLR_PART_COUNT; which++) {
        if (!a->present[which])
            continue;
        vt_buf_str(out, any ? ",\n " : "\n ");
        part(out, a, (enum vt_aslr_part)which);
        any = true;
    }
    fixed_distances(out, a);
    vt_buf_str(out, "],\n\"distances\":[");
    for (size_t i = 0; i < a->distance_count; i++) {
        const struct vt_aslr_distance *d = &a->distances[i];
        vt_buf_printf(out, "%s\n {\"from\":\"%s\",\"to\":\"%s\",\"lowest\":%lld,\"highest\":%lld,",
                      i ? "," : "", vt_aslr_part_name(d->from), vt_aslr_part_name(d->to),
                      (long long)d->lowest, (long long)d->highest);
        vt_buf_printf(out, "\"telling\":%s,", flag(vt_aslr_is_telling(a, d)));
        judged(out, &d->entropy);
        vt_buf_char(out, '}');
    }
    vt_buf_str(out, "]}\n");
}
