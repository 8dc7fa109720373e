/*
 * procmap.c - hides how the kernel is asked about a map, and which way it can be.
 */
#include "engine/procmap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/base.h"

/*
 * The interface of Linux 6.11 (include/uapi/linux/fs.h), under our own names
 * because the headers of older systems do not have it.
 */
struct query {
    uint64_t size;
    uint64_t flags;
    uint64_t addr;
    uint64_t vma_start;
    uint64_t vma_end;
    uint64_t vma_flags;
    uint64_t page_size;
    uint64_t offset;
    uint64_t inode;
    uint32_t dev_major;
    uint32_t dev_minor;
    uint32_t name_size;
    uint32_t build_id_size;
    uint64_t name;
    uint64_t build_id;
};
#define QUERY _IOWR('f', 17, struct query)
enum { VMA_READABLE = 1, VMA_WRITABLE = 2, VMA_EXECUTABLE = 4, VMA_SHARED = 8, OR_NEXT = 16 };

#define NAME_SIZE (PATH_MAX + 64)

void vt_procmap_init(struct vt_procmap *map)
{
    *map = (struct vt_procmap){.fd = -1};
}

void vt_procmap_deinit(struct vt_procmap *map)
{
    if (map->fd >= 0)
        close(map->fd);
    vt_buf_deinit(&map->text);
    free(map->name);
    vt_procmap_init(map);
}

int vt_procmap_open(struct vt_procmap *map, pid_t tid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    if (map->fd >= 0)
        close(map->fd);
    map->fd = fd;
    map->tid = tid;
    return 0;
}

/* The kernel reads a map for as long as the thread lives that it was opened of. */
static bool reopen(struct vt_procmap *map)
{
    return map->standby && map->standby != map->tid && !vt_procmap_open(map, map->standby);
}

/* Without the query: look it up in the whole file. */
static int query_by_reading(struct vt_procmap *map, struct vt_objects *objects, vt_addr addr,
                            bool or_next, struct vt_told *told)
{
    struct vt_regions regions = {0};
    int rc = vt_procmap_read(map, objects, &regions, NULL);
    size_t i = 0;
    while (!rc && i < regions.count && regions.items[i].end <= addr)
        i++;
    if (!rc && (i == regions.count || (regions.items[i].start > addr && !or_next) ||
                (regions.items[i].object && !strcmp(regions.items[i].object->name, "[vsyscall]"))))
        rc = 1;
    if (!rc)
        *told = (struct vt_told){.vma = regions.items[i]};
    vt_regions_deinit(&regions);
    return rc;
}

int vt_procmap_query(struct vt_procmap *map, struct vt_objects *objects, vt_addr addr, bool or_next,
                     struct vt_told *told)
{
    if (map->fd < 0)
        return -ESRCH;
    if (!map->name && !(map->name = malloc(NAME_SIZE)))
        return -ENOMEM;
    if (map->no_query)
        return query_by_reading(map, objects, addr, or_next, told);
    struct query q = {
        .size = sizeof(q),
        .flags = or_next ? OR_NEXT : 0,
        .addr = addr,
        .name = (uintptr_t)map->name,
        .name_size = NAME_SIZE,
    };
    if (ioctl(map->fd, QUERY, &q)) {
        if (errno == ENOENT)
            return 1;
        if (errno == ENAMETOOLONG) { /* the file tells it, if cut */
            return query_by_reading(map, objects, addr, or_next, told);
        }
        if (errno == ENOTTY || errno == EINVAL) {
            map->no_query = true;
            return query_by_reading(map, objects, addr, or_next, told);
        }
        return -errno;
    }
    *told = (struct vt_told){
        .vma = {.start = q.vma_start, .end = q.vma_end},
        .page_size = q.page_size,
    };
    told->vma.prot = (q.vma_flags & VMA_READABLE ? VT_PROT_READ : 0) |
                     (q.vma_flags & VMA_WRITABLE ? VT_PROT_WRITE : 0) |
                     (q.vma_flags & VMA_EXECUTABLE ? VT_PROT_EXEC : 0);
    told->vma.flags = q.vma_flags & VMA_SHARED ? VT_REGION_SHARED : 0;
    if (!q.name_size)
        map->name[0] = '\0';
    int rc = vt_maps_object(objects, map->name, q.dev_major, q.dev_minor, q.inode, q.page_size,
                            &told->vma.object);
    if (told->vma.object && told->vma.object->type == VT_OBJECT_FILE)
        told->vma.offset = q.offset;
    return rc;
}

/*
 * Has the process still a map? One that ends while its map is read, page by page, ends the text
 * as if that were all.
 */
static bool is_alive(struct vt_procmap *map)
{
    struct query q = {.size = sizeof(q), .flags = OR_NEXT};
    char byte;
    if (!map->no_query && !ioctl(map->fd, QUERY, &q))
        return true;
    if (!map->no_query && errno == ESRCH)
        return false;
    return pread(map->fd, &byte, 1, 0) == 1;
}

/* The whole text. 0 or -errno; -ESRCH if the process has no map any more. */
static int read_text(struct vt_procmap *map)
{
    const size_t chunk = 64 * 1024;
    if (map->fd < 0)
        return -ESRCH;
    if (lseek(map->fd, 0, SEEK_SET) < 0)
        return -errno;
    vt_buf_clear(&map->text);
    for (;;) {
        char *room = vt_buf_room(&map->text, chunk);
        if (!room)
            return -ENOMEM;
        ssize_t n = read(map->fd, room, chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (!n)
            return is_alive(map) ? 0 : -ESRCH;
        map->text.length += (size_t)n;
    }
}

int vt_procmap_read(struct vt_procmap *map, struct vt_objects *objects, struct vt_regions *regions,
                    struct vt_error *err)
{
    int rc = read_text(map);
    if (rc == -ESRCH && reopen(map))
        rc = read_text(map);
    if (rc)
        return vt_error_errno(err, -rc, "cannot read the memory map of a process");
    return vt_maps_parse(map->text.data, map->text.length, objects, regions, err);
}

int vt_procmap_range(struct vt_procmap *map, struct vt_objects *objects, vt_addr start, vt_addr end,
                     struct vt_regions *regions, struct vt_error *err)
{
    struct vt_told told;
    int rc = 0;
    if (map->no_query || (start == 0 && end == UINT64_MAX))
        return vt_procmap_read(map, objects, regions, err);
    regions->count = 0;
    for (vt_addr at = start; at < end && !rc; at = told.vma.end) {
        rc = vt_procmap_query(map, objects, at, true, &told);
        if (map->no_query)
            return vt_procmap_read(map, objects, regions, err);
        /* NOLINTNEXTLINE(*UndefinedBinaryOperatorResult): 0 says that it was told */
        if (rc || told.vma.start >= end)
            break;
        rc = vt_regions_add(regions, &told.vma);
    }
    if (rc < 0)
        return vt_error_errno(err, -rc, "cannot ask the kernel about a memory map");
    return 0;
}

/* Is this the line of flags of a VMA that grows downwards (mnemonics of two letters)? */
static bool tells_growing(const char *line)
{
    const char name[] = "VmFlags:";
    return !strncmp(line, name, sizeof(name) - 1) && strstr(line, " gd");
}

int vt_procmap_growing(const struct vt_procmap *map, struct vt_regions *growing)
{
    char path[64], *line = NULL;
    size_t size = 0;
    struct vt_region vma = {0}, next;
    int rc = 0;

    growing->count = 0;
    snprintf(path, sizeof(path), "/proc/%d/smaps", (int)map->tid);
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    while (!rc && getline(&line, &size, file) > 0) {
        if (vt_maps_bounds(line, &next))
            vma = next;
        else if (tells_growing(line))
            rc = vt_regions_add(growing, &vma);
    }
    if (!rc && ferror(file))
        rc = -errno;
    free(line);
    fclose(file);
    return rc;
}
