/*
 * picture_words.c - hides how regions, files and placement are worded, in little room or much.
 */
#include "sinks/picture_words.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "sinks/words.h"

static const char *aslr_note(const struct vt_pic_sketch *s, enum vt_pic_section section)
{
    const struct vt_picture_input *input = s->cells->input;

    if (input->aslr < 0 && !input->aslr_disabled)
        return "";
    if (section == VT_PIC_PROGRAM &&
        (input->type == VT_PROGRAM_STATIC || input->type == VT_PROGRAM_DYNAMIC))
        return "fixed by the linker";
    if (section == VT_PIC_PROGRAM && input->type == VT_PROGRAM_UNKNOWN)
        return "";
    if (input->aslr == 0 || input->aslr_disabled)
        return "not random: ASLR off";
    if (section == VT_PIC_HEAP && input->aslr == 1)
        return "not random: follows";
    return "placed at random";
}

vt_pic_text vt_pic_aslr_note(struct vt_pic_sketch *s, enum vt_pic_section section)
{
    const char *note = aslr_note(s, section);

    if (note[0] && strcmp(note, "placed at random") == 0 && s->cells->input->mmap_rnd_bits &&
        section != VT_PIC_STACK && section != VT_PIC_HEAP && s->wide)
        return vt_pic_format(s, "%s by ASLR: %u bits of the page number", note,
                             s->cells->input->mmap_rnd_bits);
    return vt_pic_format(s, "%s", note);
}

static bool is_path(const struct vt_object *object)
{
    return object && object->name[0] == '/';
}

vt_pic_text vt_pic_region_name(struct vt_pic_sketch *s, const struct vt_region *region)
{
    const struct vt_object *object = region->object;

    if (object && object->name[0])
        return vt_pic_escaped(s, "", is_path(object) ? vt_file_name(object->name) : object->name);
    return vt_pic_format(s, "%s", vt_kind_name(region->kind));
}

vt_pic_text vt_pic_region_note(struct vt_pic_sketch *s, const struct vt_region *region)
{
    const struct vt_object *object = region->object;
    bool huge = object && object->page_size > s->cells->facts.page_size;

    if (huge)
        return vt_pic_format(s, "%s, pages of %s", vt_kind_name(region->kind),
                             vt_pic_size_text(object->page_size).text);
    if (region->kind == VT_KIND_HEAP && (region->flags & VT_REGION_ARENA))
        return vt_pic_format(s, s->wide ? "malloc arena (inferred)" : "arena (inferred)");
    if (!object || !object->name[0])
        return 0;
    if (!s->wide || !is_path(object))
        return object->name[0] == '[' ? 0 : vt_pic_format(s, "%s", vt_kind_name(region->kind));
    char prefix[64];
    snprintf(prefix, sizeof(prefix), "%s, offset %" PRIx64 " of ", vt_kind_name(region->kind),
             region->offset);
    return vt_pic_escaped(s, prefix, object->name);
}

/* What some cells hold, by count. */
struct counts {
    uint64_t images, holes;
    uint64_t kinds[VT_KIND_COUNT];
};

static struct counts count(const struct vt_pic_sketch *s, size_t low, size_t high)
{
    struct counts counts = {0};
    const struct vt_object *last = NULL; /* the image of the region before */

    for (size_t i = low; i < high; i++) {
        const struct vt_pic_cell *cell = &s->cells->items[i];
        if (cell->section == VT_PIC_FREE) {
            counts.holes++;
            continue;
        }
        if (cell->detail.image)
            counts.images += !last || !vt_object_same(last, cell->detail.image);
        else if (cell->region.kind < VT_KIND_COUNT)
            counts.kinds[cell->region.kind]++;
        last = cell->detail.image;
    }
    if (counts.images != 1)
        return counts;
    counts.images = 0; /* of one its kinds say more */
    for (size_t i = low; i < high; i++)
        if (s->cells->items[i].detail.image && s->cells->items[i].region.kind < VT_KIND_COUNT)
            counts.kinds[s->cells->items[i].region.kind]++;
    return counts;
}

/* The next of them as text, the most frequent first: "12 anon". False when there is no other. */
static bool next_count(struct counts *counts, char text[32])
{
    unsigned best = 0;

    if (counts->images) {
        snprintf(text, 32, "%" PRIu64 " images", counts->images);
        counts->images = 0;
        return true;
    }
    for (unsigned kind = 1; kind < VT_KIND_COUNT; kind++)
        if (counts->kinds[kind] > counts->kinds[best])
            best = kind;
    if (counts->kinds[best]) {
        snprintf(text, 32, "%" PRIu64 " %s", counts->kinds[best], vt_kind_name((uint8_t)best));
        counts->kinds[best] = 0;
        return true;
    }
    if (!counts->holes)
        return false;
    snprintf(text, 32, "%" PRIu64 " hole%s", counts->holes, counts->holes == 1 ? "" : "s");
    counts->holes = 0;
    return true;
}

vt_pic_text vt_pic_counts(struct vt_pic_sketch *s, size_t low, size_t high, unsigned room)
{
    struct counts counts = count(s, low, high);
    vt_pic_text start = s->texts.length;
    char text[32], next[32];
    bool more = next_count(&counts, text);

    while (more) {
        size_t used = s->texts.length - start;
        more = next_count(&counts, next);
        if (used && used + 2 + strlen(text) + (more ? 3 : 0) > room) {
            vt_buf_str(&s->texts, s->utf8 ? ", …" : ", ~");
            break;
        }
        vt_buf_str(&s->texts, used ? ", " : "");
        vt_buf_str(&s->texts, text);
        if (more)
            memcpy(text, next, sizeof(text));
    }
    return vt_pic_text_end(s, start);
}

vt_pic_text vt_pic_all_counts(struct vt_pic_sketch *s, size_t low, size_t high, bool same_perm)
{
    vt_pic_text start = s->texts.length;
    vt_pic_text text = vt_pic_counts(s, low, high, UINT_MAX);

    if (strlen(vt_pic_text_at(s, text)) <= s->name_width + (same_perm ? 0 : VT_PIC_PERM_WIDTH))
        return text;
    s->texts.length = start;
    return 0;
}

vt_pic_text vt_pic_files(struct vt_pic_sketch *s, size_t low, size_t high)
{
    vt_pic_text start = s->texts.length;
    const struct vt_object *last = NULL;

    for (size_t i = high; i-- > low && s->texts.length - start < s->note_width;) {
        const struct vt_object *object = s->cells->items[i].region.object;
        if (s->cells->items[i].section == VT_PIC_FREE)
            continue;
        if (!is_path(object)) {
            s->texts.length = start;
            return 0;
        }
        if (last && vt_object_same(last, object))
            continue;
        vt_buf_str(&s->texts, last ? ", " : "");
        vt_pic_add_escaped(&s->texts, vt_base_name(object->name), s->utf8);
        last = object;
    }
    return vt_pic_text_end(s, start);
}
