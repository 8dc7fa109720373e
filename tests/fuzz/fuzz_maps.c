/*
 * fuzz_maps.c - the text of /proc/PID/maps, whose names come from the tracee.
 * What is accepted ascends, can be a layout, and is the same after it has been
 * written as such a text again.
 */
#include <string.h>

#include "fuzz.h"
#include "model/maps.h"
#include "sinks/picture.h"

static bool is_page(vt_addr address)
{
    return address % 4096 == 0;
}

/* The layout of a maps text; null if that is refused. */
static struct vt_layout *layout_of(const char *text, size_t length, struct vt_objects *objects)
{
    struct vt_regions regions = {0};
    struct vt_error err = {0};
    struct vt_layout *layout = NULL;
    int rc = vt_maps_parse(text, length, objects, &regions, &err);
    if (rc)
        fuzz_check_failure(rc, &err);
    bool paged = true;
    for (size_t i = 0; !rc && i < regions.count; i++) {
        const struct vt_region *r = &regions.items[i];
        FUZZ_CHECK(r->start < r->end);
        FUZZ_CHECK(!i || regions.items[i - 1].end <= r->start);
        paged &= is_page(r->start) && is_page(r->end);
    }
    if (!rc && paged) {
        layout = vt_layout_create(NULL, NULL);
        FUZZ_CHECK(layout);
        FUZZ_CHECK(!vt_layout_assign(layout, 0, UINT64_MAX, regions.items, regions.count, NULL));
    }
    vt_regions_deinit(&regions);
    return layout;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_objects *objects = vt_objects_create();
    struct vt_buf text = {0}, again = {0};
    struct vt_error err = {0};
    FUZZ_CHECK(objects);
    struct vt_layout *layout = layout_of((const char *)data, size, objects);
    if (layout) {
        struct vt_picture_input input = {.layout = layout};
        FUZZ_CHECK(!vt_picture_render_maps(&input, &text, &err));
        struct vt_layout *second = layout_of(text.data, text.length, objects);
        FUZZ_CHECK(second);
        input.layout = second;
        FUZZ_CHECK(!vt_picture_render_maps(&input, &again, &err));
        FUZZ_CHECK(text.length == again.length &&
                   !memcmp(vt_buf_cstr(&text), vt_buf_cstr(&again), text.length));
        vt_layout_destroy(second);
    }
    vt_layout_destroy(layout);
    vt_buf_deinit(&text);
    vt_buf_deinit(&again);
    vt_objects_destroy(objects);
    return 0;
}
