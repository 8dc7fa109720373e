/*
 * procmap.h - the kernel's own word on an address space: /proc/PID/maps, whole
 * or, where Linux is 6.11 or later, by address through PROCMAP_QUERY.
 *
 * Bound to the address space that the process has when it is opened: after an
 * exec it reads empty and must be opened again.
 */
#ifndef ENGINE_PROCMAP_H
#define ENGINE_PROCMAP_H

#include <sys/types.h>

#include "base/buf.h"
#include "model/maps.h"
#include "model/memop.h"
#include <vastrace/error.h>

struct vt_procmap {
    int fd;             /* -1: not open */
    pid_t tid;          /* the thread it was opened of: it cannot be read after that one's end */
    pid_t standby;      /* the caller's: another one in this space, to open it again of; or 0 */
    bool no_query;      /* the kernel has no PROCMAP_QUERY */
    struct vt_buf text; /* scratch */
    char *name;         /* scratch, for the query */
};

void vt_procmap_init(struct vt_procmap *map);
void vt_procmap_deinit(struct vt_procmap *map);

/* Open (again) for this thread's address space. 0 or -errno. */
int vt_procmap_open(struct vt_procmap *map, pid_t tid);

/*
 * The VMA that holds addr, or with `or_next` the first one above it.
 * Returns 0, 1 if there is none, or -errno (-ESRCH: the space is gone).
 * [vsyscall] is not in a process's own tree and is never the answer.
 */
int vt_procmap_query(struct vt_procmap *map, struct vt_objects *objects, vt_addr addr, bool or_next,
                     struct vt_told *told);

/* The whole map. 0, -ESRCH if the space is gone, -errno. */
int vt_procmap_read(struct vt_procmap *map, struct vt_objects *objects, struct vt_regions *regions,
                    struct vt_error *err);

/* As read, of the VMAs that overlap [start, end) only. */
int vt_procmap_range(struct vt_procmap *map, struct vt_objects *objects, vt_addr start, vt_addr end,
                     struct vt_regions *regions, struct vt_error *err);

/*
 * The bounds of those VMAs that grow downwards (MAP_GROWSDOWN, and the main thread's stack), which
 * only /proc/PID/smaps tells; nothing else of them. It takes some 10 ms a resident GiB. 0, -ENOENT
 * if the kernel has no such file, -errno.
 */
int vt_procmap_growing(const struct vt_procmap *map, struct vt_regions *growing);

#endif
