/*
 * cache.h - the ELF files of a session, each read once, found by device and inode.
 *
 * Opening a file that a tracee mapped must not become a way to make the tracer
 * open something else: see vt_image_open().
 */
#ifndef IMAGE_CACHE_H
#define IMAGE_CACHE_H

#include <sys/types.h>

#include "image/elf.h"

struct vt_image_cache;
struct vt_image_cache *vt_image_cache_create(void); /* null when out of memory */
void vt_image_cache_destroy(struct vt_image_cache *cache);

/*
 * Open for reading the very file that `region` (file-backed) of process `pid`
 * maps. First /proc/PID/map_files/START-END (needs CAP_CHECKPOINT_RESTORE, and
 * the region must be a VMA's exact bounds), then the object's name below
 * /proc/PID/root, then the name as it is (the kernel writes the names of a
 * chrooted process as the tracer would spell them). Each is opened with O_PATH
 * first and accepted only if it is a regular file with the object's inode and
 * device (that may differ on btrfs, overlayfs and bcachefs). Never blocks on a
 * FIFO or a device, never becomes a controlling terminal. A name that ends in
 * " (deleted)" is tried through map_files only. Returns the descriptor
 * (close-on-exec) or -errno: -ESTALE if only another file bears that name,
 * -EINVAL if it is no regular file, -ESRCH if the process has ended.
 */
int vt_image_open(pid_t pid, const struct vt_region *region, struct vt_error *err);

/*
 * Open for reading what a path leads to, whoever chose it: as above without blocking or acting
 * on what is no regular file, and no empty one either: reading some of those in /proc takes away
 * what they tell. That it is the right one is the caller's to find out. Returns the descriptor
 * (close-on-exec) or -errno: -EINVAL if it is none such.
 */
int vt_image_open_path(const char *path);

/*
 * The ELF facts of the file that `region` of `pid` maps, from the cache or read
 * now. Null if it is no loadable ELF file or cannot be read; that answer is
 * cached as well, and counted in *unreadable the first time if the regular file
 * could not be opened or read (unreadable may be null). Only the failure for a
 * process that has ended is not remembered: another that maps the same may ask.
 * The cache keys on device, inode, and the file's size and mtime as of reading,
 * and owns what it returns until it is destroyed. Hits need no system call: an
 * object that was looked up keeps its answer, so the objects must outlive the
 * cache's use.
 */
const struct vt_elf *vt_image_cache_get(struct vt_image_cache *cache, pid_t pid,
                                        const struct vt_region *region, uint64_t *unreadable);

#endif
