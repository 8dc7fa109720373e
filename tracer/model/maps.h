/*
 * maps.h - the text of /proc/PID/maps as regions. Pure: who reads the file is
 * engine/procmap.c.
 */
#ifndef MODEL_MAPS_H
#define MODEL_MAPS_H

#include <vastrace/error.h>
#include <vastrace/layout.h>

/* A growable list of regions; zero-initialised is empty. */
struct vt_regions {
    struct vt_region *items;
    size_t count;
    size_t capacity;
};
void vt_regions_deinit(struct vt_regions *regions);
int vt_regions_add(struct vt_regions *regions, const struct vt_region *region); /* 0 or -ENOMEM */

/*
 * The backing object of a mapping that the kernel describes with this name,
 * device and inode. The derived names [heap], [stack] and [stack:TID] and the
 * empty name give no object: *object is null. Returns 0 or -ENOMEM.
 */
int vt_maps_object(struct vt_objects *objects, const char *name, uint32_t dev_major,
                   uint32_t dev_minor, uint64_t inode, uint64_t page_size,
                   const struct vt_object **object);

/*
 * The bounds alone of the region that a line, NUL-terminated, tells; false if it is no such line, as
 * those of smaps are that say more of a region: they begin with a capital. All else in *region is 0.
 */
bool vt_maps_bounds(const char *line, struct vt_region *region);

/*
 * Parse the text of a maps file; regions is emptied first. Lines must ascend
 * and not overlap, as the kernel's do. The kinds are not set.
 * Returns 0, -ENOMEM, or -EINVAL with the number of the bad line.
 */
int vt_maps_parse(const char *text, size_t length, struct vt_objects *objects,
                  struct vt_regions *regions, struct vt_error *err);

#endif
