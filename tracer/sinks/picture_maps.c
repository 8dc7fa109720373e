/*
 * picture_maps.c - one address space as the lines of /proc/PID/maps.
 */
#include <inttypes.h>

#include "sinks/picture_facts.h"

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

    const char *name = vt_pic_is_heap(region, marks)    ? "[heap]"
                       : vt_pic_is_stack(region, marks) ? "[stack]"
                       : object                         ? object->name
                                                        : NULL;
    if (name && name[0]) {
        do
            vt_buf_char(out, ' ');
        while (!out->failed && out->length - line < MAPS_NAME_COLUMN);
        put_maps_name(out, name);
    }
    vt_buf_char(out, '\n');
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
    return vt_pic_finish(out, err);
}
