/*
 * open.c - hides how the file behind a mapping is found again without letting
 * a tracee choose what the tracer opens.
 *
 * Every way to a file is walked with O_PATH first: such a descriptor has no
 * effect on what it names (no FIFO waits, no device acts, no lease breaks).
 * Only once it is known to be the mapped regular file is it opened for
 * reading, through /proc/self/fd, so that nothing can be swapped in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/base.h"
#include "image/cache.h"

#ifndef BCACHEFS_SUPER_MAGIC
#define BCACHEFS_SUPER_MAGIC 0xca451a4e
#endif

/* File systems whose files show another device in /proc/PID/maps than stat(2) tells. */
static const unsigned long two_device_systems[] = {
    BTRFS_SUPER_MAGIC,
    OVERLAYFS_SUPER_MAGIC,
    BCACHEFS_SUPER_MAGIC,
};

static bool may_show_two_devices(int fd)
{
    struct statfs about;

    if (fstatfs(fd, &about) < 0)
        return false;
    for (size_t i = 0; i < VT_COUNTOF(two_device_systems); i++)
        if ((unsigned long)about.f_type == two_device_systems[i])
            return true;
    return false;
}

/* 0 if the O_PATH descriptor names the mapped regular file, else -errno. */
static int check_identity(int fd, const struct vt_object *object)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_ino != object->inode)
        return -ESTALE;
    if ((major(st.st_dev) != object->dev_major || minor(st.st_dev) != object->dev_minor) &&
        !may_show_two_devices(fd))
        return -ESTALE;
    return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

/*
 * Open for reading what the O_PATH descriptor names, unless `failure` says why not; takes that
 * one. Returns one or -errno.
 */
static int open_checked(int path_fd, int failure)
{
    char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
    int fd = failure;

    if (!failure) {
        snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
        /* O_NONBLOCK: a lease on a regular file would otherwise be waited for. */
        fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0)
            fd = -errno;
    }
    close(path_fd);
    return fd;
}

/* ---- the ways to a file; each returns an O_PATH descriptor or -errno ---- */

struct wanted {
    pid_t pid;
    const struct vt_region *region;
};

/* The kernel's own link to the mapped file: finds deleted and renamed ones too. */
static int way_map_files(const struct wanted *wanted)
{
    char path[96];
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)wanted->pid,
             (unsigned long long)wanted->region->start, (unsigned long long)wanted->region->end);
    fd = open(path, O_PATH | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static bool is_path(const char *name)
{
    static const char deleted[] = " (deleted)";
    size_t length = strlen(name);

    if (name[0] != '/')
        return false;
    return length < sizeof(deleted) - 1 ||
           strcmp(name + length - (sizeof(deleted) - 1), deleted) != 0;
}

/* As openat(2) of an absolute path below `root`, whose symbolic links cannot lead out of it. */
static int open_in_root(int root, const char *name)
{
    struct open_how how = {
        .flags = O_PATH | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, root, name, &how, sizeof(how));

    /*
     * Before Linux 5.6, in a sandbox that forbids the call, or while renames are
     * under way (EAGAIN): the identity check has to do alone.
     */
    if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN)) {
        while (*name == '/')
            name++;
        fd = openat(root, name, O_PATH | O_CLOEXEC);
    }
    return fd < 0 ? -errno : (int)fd;
}

/* The name as the process itself would look it up: right in containers. */
static int way_process_root(const struct wanted *wanted)
{
    char path[64];
    int root, fd;

    if (!is_path(wanted->region->object->name))
        return -ENOENT;
    snprintf(path, sizeof(path), "/proc/%d/root", (int)wanted->pid);
    root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -errno;
    fd = open_in_root(root, wanted->region->object->name);
    close(root);
    return fd;
}

/* The kernel writes maps for its reader: a chrooted process's names as the tracer sees them. */
static int way_own_root(const struct wanted *wanted)
{
    int fd;

    if (!is_path(wanted->region->object->name))
        return -ENOENT;
    fd = open(wanted->region->object->name, O_PATH | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int (*const ways[])(const struct wanted *wanted) = {
    way_map_files,
    way_process_root,
    way_own_root,
};

static bool is_gone(pid_t pid)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    return access(path, F_OK) < 0 && errno == ENOENT;
}

/* Of two failures the one that says more: another file by that name most, none at all least. */
static int telling_failure(int first, int second)
{
    return first == 0 || first == -ENOENT || second == -ESTALE ? second : first;
}

static const char *advice(int errnum)
{
    switch (errnum) {
    case ESTALE:
        return "another file bears that name by now: its memory is shown without its sections";
    case EPERM:
    case EACCES:
        return "run vastrace as the file's owner or with CAP_CHECKPOINT_RESTORE and "
               "CAP_DAC_READ_SEARCH";
    case ESRCH:
        return "the process has ended";
    case EINVAL:
        return "it is no regular file";
    default:
        return "its memory is shown without its sections";
    }
}

int vt_image_open(pid_t pid, const struct vt_region *region, struct vt_error *err)
{
    struct wanted wanted = {pid, region};
    int failure = 0;

    if (!region->object || region->object->type != VT_OBJECT_FILE)
        return vt_error_set(err, EINVAL, "cannot open a mapping that is not of a file");
    for (size_t i = 0; i < VT_COUNTOF(ways); i++) {
        int fd = ways[i](&wanted);

        if (fd >= 0) {
            fd = open_checked(fd, check_identity(fd, region->object));
            if (fd >= 0)
                return fd;
            if (fd == -EINVAL) {
                failure = fd; /* it is the right one: another way leads to the same */
                break;
            }
        }
        failure = telling_failure(failure, fd);
    }
    if (is_gone(pid))
        failure = -ESRCH;
    return vt_error_set(err, -failure, "cannot open \"%.400s\", mapped by process %d: %s; %s",
                        region->object->name, (int)pid, strerror(-failure), advice(-failure));
}

int vt_image_open_path(const char *path)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int failure = fstat(fd, &st) < 0 ? -errno : 0;
    if (!failure && (!S_ISREG(st.st_mode) || !st.st_size))
        failure = -EINVAL;
    return open_checked(fd, failure);
}
