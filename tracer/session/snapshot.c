/*
 * snapshot.c - the map of a live process as it stands, without tracing it.
 * A space seeded once; the process goes on meanwhile, so it is as consistent
 * as one reading of /proc/PID/maps.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <unistd.h>

#include "base/base.h"
#include "engine/proc.h"
#include "session/space.h"
#include <vastrace/session.h>

struct vt_snapshot {
    struct vt_world world;
    struct vt_space *space;
    struct vt_snapshot_info info;
    char path[4096];
};

void vt_snapshot_destroy(struct vt_snapshot *snapshot)
{
    if (!snapshot)
        return;
    vt_space_destroy(snapshot->space);
    vt_image_cache_destroy(snapshot->world.images);
    vt_objects_destroy(snapshot->world.objects);
    free(snapshot);
}

static int read_error(pid_t pid, int error, struct vt_error *err)
{
    if (error == ESRCH)
        return vt_error_set(
            err, ESRCH, "cannot read the map of process %d: there is no such process", (int)pid);
    if (error == EACCES || error == EPERM)
        return vt_error_set(err, error,
                            "cannot read the map of process %d: permission denied; run as "
                            "its user or as root",
                            (int)pid);
    return vt_error_errno(err, error, "cannot read the map of process %d", (int)pid);
}

static void describe(struct vt_snapshot *snapshot, pid_t pid)
{
    struct vt_snapshot_info *info = &snapshot->info;
    uint64_t phdr = 0;
    long persona = vt_proc_personality(pid);
    vt_proc_exe(pid, snapshot->path, sizeof(snapshot->path));
    *info = (struct vt_snapshot_info){
        .pid = pid,
        .path = snapshot->path,
        .sp = vt_proc_sp(pid),
        .aslr = (int)vt_proc_number("/proc/sys/kernel/randomize_va_space"),
        .aslr_disabled = persona > 0 && (persona & ADDR_NO_RANDOMIZE),
    };
    if (vt_proc_auxv(pid, AT_PHDR, 8, &phdr) == 1)
        vt_proc_auxv(pid, AT_PHDR, 4, &phdr);
    const struct vt_placed *image = vt_space_image_at(snapshot->space, phdr);
    if (image) {
        info->type = image->elf->program_type;
        info->class_bits = image->elf->class_bits;
    }
}

int vt_snapshot_take(pid_t pid, struct vt_snapshot **ret, struct vt_error *err)
{
    struct vt_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    *ret = NULL;
    if (!snapshot)
        return read_error(pid, ENOMEM, err);
    snapshot->world.objects = vt_objects_create();
    snapshot->world.images = vt_image_cache_create();
    snapshot->world.page = (uint64_t)sysconf(_SC_PAGESIZE);
    snapshot->space = vt_space_create(&snapshot->world, 1);
    int rc = -ENOMEM;
    if (snapshot->world.objects && snapshot->world.images && snapshot->space)
        rc = vt_space_seed(snapshot->space, pid, false, NULL, NULL);
    if (rc) {
        vt_snapshot_destroy(snapshot);
        return read_error(pid, rc == 1 ? ESRCH : -rc, err);
    }
    describe(snapshot, pid);
    *ret = snapshot;
    return 0;
}

const struct vt_layout *vt_snapshot_layout(const struct vt_snapshot *snapshot)
{
    return snapshot->space->layout;
}

const struct vt_snapshot_info *vt_snapshot_info(const struct vt_snapshot *snapshot)
{
    return &snapshot->info;
}

void vt_snapshot_detail(const struct vt_snapshot *snapshot, const struct vt_region *region,
                        struct vt_detail *detail)
{
    struct vt_change change = {
        .op = VT_CHANGE_MADE, .start = region->start, .end = region->end, .after = *region};
    vt_space_details(snapshot->space, &change, 1, detail);
}
