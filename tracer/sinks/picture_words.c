/*
 * picture_words.c - hides how regions, files and placement are worded, in little room or much.
 */
#include "sinks/picture_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
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
        return vt_pic_escaped(s, "", is_path(object) ? vt_base_name(object->name) : object->name);
    return vt_pic_format(s, "%s", vt_kind_name(region->kind));
}

vt_pic_text vt_pic_region_note(struct vt_pic_sketch *s, const struct vt_region *region)
{
    const struct vt_object *object = region->object;
    bool huge = object && object->page_size > s->cells->facts.page_size;

    if (huge)
        return vt_pic_format(s, "%s, pages of %s", vt_kind_name(region->kind),
                             vt_pic_size_text(object->page_size).text);
    if (!object || !object->name[0])
        return 0;
    if (!s->wide || !is_path(object))
        return object->name[0] == '[' ? 0 : vt_pic_format(s, "%s", vt_kind_name(region->kind));
    char prefix[64];
    snprintf(prefix, sizeof(prefix), "%s, offset %" PRIx64 " of ", vt_kind_name(region->kind),
             region->offset);
    return vt_pic_escaped(s, prefix, object->name);
}

vt_pic_text vt_pic_counts(struct vt_pic_sketch *s, size_t low, size_t high)
{
    uint64_t counts[VT_KIND_COUNT] = {0};
    uint64_t holes = 0, images = 0;
    const struct vt_object *last = NULL; /* the image of the region before */
    const char *separator = "";
    unsigned most = s->wide ? 6 : 2;
    vt_pic_text start = s->texts.length;

    for (size_t i = low; i < high; i++) {
        const struct vt_pic_cell *cell = &s->cells->items[i];
        if (cell->section == VT_PIC_FREE) {
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
        vt_buf_printf(&s->texts, "%" PRIu64 " images", images);
        separator = ", ";
        most--;
    } else if (images == 1) { /* its kinds say more */
        for (size_t i = low; i < high; i++) {
            if (s->cells->items[i].detail.image && s->cells->items[i].region.kind < VT_KIND_COUNT)
                counts[s->cells->items[i].region.kind]++;
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
        vt_buf_printf(&s->texts, "%s%" PRIu64 " %s", separator, counts[best],
                      vt_kind_name((uint8_t)best));
        counts[best] = 0;
        separator = ", ";
    }
    if (holes && s->wide)
        vt_buf_printf(&s->texts, "%s%" PRIu64 " hole%s", separator, holes, holes == 1 ? "" : "s");
    return vt_pic_text_end(s, start);
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
