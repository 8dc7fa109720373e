/*
 * catalog.h - what many rows refer to by number and is a row of its own once:
 * objects, calls, images, call stacks. For the writing half.
 *
 * Each function adds what is not there yet. Failures are remembered by the rows.
 */
#ifndef RECORDING_CATALOG_H
#define RECORDING_CATALOG_H

#include <vastrace/event.h>

#include "recording/rows.h"

struct vt_catalog {
    struct vt_rows *rows;
    bool *objects; /* by id: it has its row */
    size_t object_capacity;
    struct vt_catalog_call *calls[64]; /* by number */
    uint64_t last_stack;               /* ids of stacks and frames ascend: what is above is new */
    uint64_t last_frame;
};

/* The images of one address space; zero-initialised is none. */
struct vt_catalog_images {
    struct vt_catalog_image *items;
    size_t count;
    size_t capacity;
};

void vt_catalog_init(struct vt_catalog *catalog, struct vt_rows *rows);
void vt_catalog_deinit(struct vt_catalog *catalog);
void vt_catalog_images_deinit(struct vt_catalog_images *images);

/* Null is allowed in all of these, and is number 0. */
uint32_t vt_catalog_object(struct vt_catalog *catalog, const struct vt_object *object);
uint32_t vt_catalog_call(struct vt_catalog *catalog, const struct vt_call *call);
uint64_t vt_catalog_stack(struct vt_catalog *catalog, const struct vt_stack *stack);

/* The image that a region belongs to, with the parts of its file; 0 if it is none. */
uint32_t vt_catalog_image(struct vt_catalog *catalog, struct vt_catalog_images *images,
                          uint32_t space, const struct vt_detail *detail, uint64_t event);

#endif
