/*
 * aslr.h - what many launches tell of address space randomisation: the analysis,
 * and the formats of `vastrace aslr`. Pure functions from gathered addresses to bytes.
 */
#ifndef SINKS_ASLR_H
#define SINKS_ASLR_H

#include <vastrace/aslr.h>

#include "base/buf.h"
#include "model/entropy.h"

/* Bits of personality(2) that matter here, in the kernel's numbers. */
enum { VT_ASLR_OFF = 0x0040000, VT_ASLR_COMPAT_LAYOUT = 0x0200000 };

/* How two parts lie to each other. */
struct vt_aslr_distance {
    enum vt_aslr_part from; /* the distance is the address of `to` minus that of `from` */
    enum vt_aslr_part to;
    int64_t lowest;
    int64_t highest;
    struct vt_entropy entropy; /* of the distance; its addresses are shifted by 2^63 */
};

struct vt_aslr_analysis {
    const struct vt_aslr *aslr;
    bool present[VT_ASLR_PART_COUNT];
    struct vt_entropy parts[VT_ASLR_PART_COUNT]; /* of those present */

    /*
     * The first part that lies at the same distance in every launch, itself if
     * there is none: parts with the same leader move as one. With a single
     * launch nothing can be said, and each is its own leader.
     */
    enum vt_aslr_part leader[VT_ASLR_PART_COUNT];

    /* Between any two leaders, ordered by part. */
    struct vt_aslr_distance distances[VT_ASLR_PART_COUNT * (VT_ASLR_PART_COUNT - 1) / 2];
    size_t distance_count;

    /* What the settings promise to the mmap area, in random bits of a page number; -1 not known */
    int promised;
};

/* 0 or -ENOMEM. Owns nothing. */
int vt_aslr_analyse(const struct vt_aslr *aslr, struct vt_aslr_analysis *analysis,
                    struct vt_error *err);

/*
 * True if the distance tells more than its parts do alone: both move, and it
 * moves by clearly fewer bits than either.
 */
bool vt_aslr_is_telling(const struct vt_aslr_analysis *analysis,
                        const struct vt_aslr_distance *distance);

/* Is randomisation off for the launched program, by the kernel's setting or its personality? */
bool vt_aslr_is_off(const struct vt_aslr *aslr);

struct vt_aslr_input {
    const struct vt_aslr_analysis *analysis;
    unsigned width; /* columns, for `text`; 0: 80 */
    bool color;     /* SGR colours */
};

/* A renderer appends to `out`, whose failure to grow the caller checks. */
typedef void vt_aslr_render_fn(const struct vt_aslr_input *input, struct vt_buf *out);

vt_aslr_render_fn vt_aslr_render_text; /* aslr_text.c: for eyes */
vt_aslr_render_fn vt_aslr_render_json; /* aslr_json.c: contrib/schema/aslr.schema.json */

/* The renderer of this name, or null. */
vt_aslr_render_fn *vt_aslr_render_find(const char *name);

#endif
