/*
 * picture.c - the formats of one address space at one moment, and how a picture is made in three
 * steps, each with its own data:
 *   cells   one a region or a hole between two, ascending (picture_cells.c);
 *   boxes   one or more rows each, top-down: what belongs together and what is folded, with the
 *           words beside it (picture_boxes.c and the files it names, into picture_sketch.c);
 *   lines   a box's upper border and its rows, in columns (picture_paint.c).
 *
 * Invariant: every name from outside is escaped before it is measured.
 */
#include "sinks/picture.h"

#include <string.h>

#include "sinks/picture_boxes.h"
#include "sinks/picture_paint.h"

/* From this many columns beside the boxes on, notes are sentences. */
#define WIDE_NOTE 40

int vt_picture_render(const struct vt_picture_input *input, struct vt_buf *out,
                      struct vt_error *err)
{
    struct vt_pic_columns columns = vt_pic_columns(input);
    struct vt_pic_cells cells;
    struct vt_pic_sketch sketch = {
        .cells = &cells,
        .utf8 = input->utf8,
        .wide = columns.note >= WIDE_NOTE,
        .note_width = columns.note,
        .name_width = columns.name,
    };

    bool failed = vt_pic_cells_init(&cells, input) < 0;
    if (!failed)
        vt_pic_build(&sketch);
    failed = failed || sketch.failed || sketch.texts.failed;
    if (!failed)
        vt_pic_paint(&sketch, &columns, out);
    out->failed |= failed;
    vt_pic_sketch_deinit(&sketch);
    vt_pic_cells_deinit(&cells);
    return vt_pic_finish(out, err);
}

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
