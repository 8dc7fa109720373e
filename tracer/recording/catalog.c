/*
 * catalog.c - hides what has a row already.
 *
 * Invariant: numbers are given in the order of first need, without holes, but
 * for objects, stacks and frames, which bring their own.
 */
#include "recording/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"

struct vt_catalog_call {
    const char *name; /* static */
    uint64_t number;
    enum vt_abi abi;
    unsigned arg_count;
    uint32_t id;
    struct vt_catalog_call *next;
};

struct vt_catalog_image {
    uint32_t id;
    uint32_t object;
    uint64_t bias;
};

void vt_catalog_init(struct vt_catalog *catalog, struct vt_rows *rows)
{
    *catalog = (struct vt_catalog){.rows = rows};
}

void vt_catalog_deinit(struct vt_catalog *catalog)
{
    for (size_t i = 0; i < VT_COUNTOF(catalog->calls); i++) {
        while (catalog->calls[i]) {
            struct vt_catalog_call *call = catalog->calls[i];
            catalog->calls[i] = call->next;
            free(call);
        }
    }
    free(catalog->objects);
}

void vt_catalog_images_deinit(struct vt_catalog_images *images)
{
    free(images->items);
    *images = (struct vt_catalog_images){0};
}

/* ---- objects ------------------------------------------------------------------------ */

static void add_object(struct vt_catalog *catalog, const struct vt_object *object)
{
    size_t had = catalog->object_capacity;
    if (vt_reserve((void **)&catalog->objects, &catalog->object_capacity, (size_t)object->id + 1,
                   sizeof(*catalog->objects))) {
        vt_rows_no_memory(catalog->rows);
        return;
    }
    memset(catalog->objects + had, 0, catalog->object_capacity - had);
    catalog->objects[object->id] = true;
    VT_ADD_ROW(catalog->rows, VT_TABLE_OBJECTS, vt_cell_number(object->id),
               vt_cell_word(object->type == VT_OBJECT_FILE ? "file" : "special"),
               vt_cell_number(object->dev_major), vt_cell_number(object->dev_minor),
               vt_cell_number(object->inode), vt_cell_number(object->page_size),
               vt_cell_name(object->name));
}

uint32_t vt_catalog_object(struct vt_catalog *catalog, const struct vt_object *object)
{
    if (!object)
        return 0;
    if (object->id >= catalog->object_capacity || !catalog->objects[object->id])
        add_object(catalog, object);
    return object->id;
}

/* ---- calls ---------------------------------------------------------------------------- */

static const char *arg_name(const struct vt_call *call, unsigned i)
{
    return call->arg_names && i < call->arg_count ? call->arg_names[i] : NULL;
}

static struct vt_catalog_call *add_call(struct vt_catalog *catalog, const struct vt_call *call)
{
    struct vt_catalog_call *made = malloc(sizeof(*made));
    struct vt_catalog_call **at = &catalog->calls[call->number % VT_COUNTOF(catalog->calls)];
    if (!made) {
        vt_rows_no_memory(catalog->rows);
        return NULL;
    }
    *made = (struct vt_catalog_call){.name = call->name,
                                     .number = call->number,
                                     .abi = call->abi,
                                     .arg_count = call->arg_count,
                                     .id = vt_rows_number(catalog->rows, VT_TABLE_CALLS),
                                     .next = *at};
    *at = made;
    VT_ADD_ROW(catalog->rows, VT_TABLE_CALLS, vt_cell_number(made->id), vt_cell_word(call->name),
               vt_cell_word(vt_abi_name(call->abi)), vt_cell_number(call->number),
               vt_cell_number(call->arg_count), vt_cell_word(arg_name(call, 0)),
               vt_cell_word(arg_name(call, 1)), vt_cell_word(arg_name(call, 2)),
               vt_cell_word(arg_name(call, 3)), vt_cell_word(arg_name(call, 4)),
               vt_cell_word(arg_name(call, 5)));
    return made;
}

uint32_t vt_catalog_call(struct vt_catalog *catalog, const struct vt_call *call)
{
    if (!call)
        return 0;
    const struct vt_catalog_call *row = catalog->calls[call->number % VT_COUNTOF(catalog->calls)];
    while (row && (row->number != call->number || row->abi != call->abi ||
                   row->arg_count != call->arg_count ||
                   (row->name != call->name && strcmp(row->name, call->name) != 0)))
        row = row->next;
    if (!row)
        row = add_call(catalog, call);
    return row ? row->id : 0;
}

/* ---- images ------------------------------------------------------------------------------ */

uint32_t vt_catalog_image(struct vt_catalog *catalog, struct vt_catalog_images *images,
                          uint32_t space, const struct vt_detail *detail, uint64_t event)
{
    struct vt_rows *rows = catalog->rows;
    if (!detail->image)
        return 0;
    uint32_t object = vt_catalog_object(catalog, detail->image);
    for (size_t i = 0; i < detail->part_count; i++)
        VT_ADD_ROW(rows, VT_TABLE_PARTS, vt_cell_number(object),
                   vt_cell_number(detail->parts[i].start), vt_cell_number(detail->parts[i].end),
                   vt_cell_word(vt_kind_name(detail->parts[i].kind)));
    for (size_t i = images->count; i-- > 0;)
        if (images->items[i].object == object && images->items[i].bias == detail->bias)
            return images->items[i].id;
    if (vt_reserve((void **)&images->items, &images->capacity, images->count + 1,
                   sizeof(*images->items))) {
        vt_rows_no_memory(rows);
        return 0;
    }
    uint32_t id = vt_rows_number(rows, VT_TABLE_IMAGES);
    images->items[images->count++] = (struct vt_catalog_image){id, object, detail->bias};
    VT_ADD_ROW(rows, VT_TABLE_IMAGES, vt_cell_number(id), vt_cell_number(space),
               vt_cell_number(object), vt_cell_number(detail->bias), vt_cell_number(event));
    return id;
}

/* ---- call stacks -------------------------------------------------------------------------- */

static void add_frame(struct vt_catalog *catalog, const struct vt_frame *frame)
{
    struct vt_rows *rows = catalog->rows;
    uint32_t object = vt_catalog_object(catalog, frame->object);
    catalog->last_frame = frame->id;
    VT_ADD_ROW(rows, VT_TABLE_FRAMES, vt_cell_number(frame->id), vt_cell_known(object, object),
               vt_cell_number(frame->address), vt_cell_number(frame->interrupted),
               vt_cell_name(frame->function), vt_cell_number(frame->offset),
               vt_cell_name(frame->file), vt_cell_number(frame->line));
    if (object && frame->build_id)
        VT_ADD_ROW(rows, VT_TABLE_BUILD_IDS, vt_cell_number(object),
                   vt_cell_blob(frame->build_id->bytes, frame->build_id->length));
    for (size_t i = 0; i < frame->inlined_count; i++)
        VT_ADD_ROW(rows, VT_TABLE_INLINED, vt_cell_number(frame->id), vt_cell_number(i),
                   vt_cell_name(frame->inlined[i].function), vt_cell_name(frame->inlined[i].file),
                   vt_cell_number(frame->inlined[i].line));
}

uint64_t vt_catalog_stack(struct vt_catalog *catalog, const struct vt_stack *stack)
{
    if (!stack || stack->id <= catalog->last_stack)
        return stack ? stack->id : 0;
    catalog->last_stack = stack->id;
    VT_ADD_ROW(catalog->rows, VT_TABLE_STACKS, vt_cell_number(stack->id),
               vt_cell_word(vt_stack_end_name(stack->end)));
    for (size_t i = 0; i < stack->frame_count; i++) {
        if (stack->frames[i]->id > catalog->last_frame)
            add_frame(catalog, stack->frames[i]);
        VT_ADD_ROW(catalog->rows, VT_TABLE_STACK_FRAMES, vt_cell_number(stack->id),
                   vt_cell_number(i), vt_cell_number(stack->frames[i]->id));
    }
    return stack->id;
}
