/*
 * proc.c - hides the formats of the small files in /proc (proc(5)).
 */
#include "engine/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

/* Read a small file whole, NUL-terminated; the length, or -errno. */
static ssize_t slurp(const char *path, char *text, size_t size)
{
    size_t length = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (length < size - 1) {
        ssize_t n = read(fd, text + length, size - 1 - length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int error = errno;
            close(fd);
            return -error;
        }
        if (!n)
            break;
        length += (size_t)n;
    }
    close(fd);
    text[length] = '\0';
    return (ssize_t)length;
}

static ssize_t slurp_of(pid_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    ssize_t n = slurp(path, text, size);
    return n == -ENOENT ? -ESRCH : n;
}

int vt_proc_check(struct vt_error *err)
{
    char self[32] = "";
    if (readlink("/proc/self", self, sizeof(self) - 1) < 0)
        return vt_error_set(err, EPERM,
                            "cannot trace without /proc, which tells what processes have mapped "
                            "(mount -t proc proc /proc)");
    if (strtol(self, NULL, 10) != getpid())
        return vt_error_set(err, EPERM,
                            "cannot trace: /proc is that of another PID namespace, so it tells of "
                            "other processes (mount one of this: unshare --mount-proc does)");
    return 0;
}

/* The entries of a directory that are ids. */
static int list_ids(const char *path, pid_t **tids, size_t *count)
{
    size_t capacity = 0;
    int rc = 0;
    *tids = NULL;
    *count = 0;
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? -ESRCH : -errno;
    while (!rc) {
        errno = 0; /* readdir(3) tells its failure in no other way */
        struct dirent *entry = readdir(dir);
        if (!entry) {
            rc = -errno;
            break;
        }
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (tid <= 0)
            continue;
        rc = vt_reserve((void **)tids, &capacity, *count + 1, sizeof(**tids));
        if (!rc)
            (*tids)[(*count)++] = tid;
    }
    closedir(dir);
    if (rc) {
        free(*tids);
        *tids = NULL;
    }
    return rc;
}

/* A number from /proc/TID/status, by its key with colon; -errno if it is not there. */
static long status_number(pid_t tid, const char *key)
{
    char text[8192];
    ssize_t n = slurp_of(tid, "status", text, sizeof(text));
    if (n <= 0)
        return n ? n : -ESRCH;
    size_t length = strlen(key);
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, key, length))
            return strtol(line + length, NULL, 10);
    }
    return -ESRCH;
}

int vt_proc_threads(pid_t pid, pid_t **tids, size_t *count)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    return list_ids(path, tids, count);
}

int vt_proc_processes(pid_t **pids, size_t *count)
{
    return list_ids("/proc", pids, count);
}

pid_t vt_proc_thread_group(pid_t tid)
{
    return (pid_t)status_number(tid, "Tgid:");
}

pid_t vt_proc_parent(pid_t tid)
{
    long value = status_number(tid, "PPid:");
    return value > 0 ? (pid_t)value : 0;
}

pid_t vt_proc_tracer(pid_t tid)
{
    long value = status_number(tid, "TracerPid:");
    return value > 0 ? (pid_t)value : 0;
}

char vt_proc_state(pid_t tid)
{
    char text[2048];
    if (slurp_of(tid, "stat", text, sizeof(text)) <= 0)
        return 0;
    const char *name_end = strrchr(text, ')'); /* the name may hold brackets */
    return name_end && name_end[1] == ' ' ? name_end[2] : 0;
}

void vt_proc_why_not(pid_t pid, int error, char *text, size_t size)
{
    char comm[64] = "";
    struct stat st;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d", (int)pid);
    if (vt_proc_state(pid) == 'Z') {
        snprintf(text, size, "it has ended (process %d has yet to ask how)",
                 (int)vt_proc_parent(pid));
        return;
    }
    if (error == ESRCH || stat(path, &st)) {
        snprintf(text, size, "there is no such process");
        return;
    }
    if (error != EPERM && error != EACCES) {
        snprintf(text, size, "%s", strerror(error));
        return;
    }
    long tracer = status_number(pid, "TracerPid:");
    if (tracer > 0) {
        ssize_t n = slurp_of((pid_t)tracer, "comm", comm, sizeof(comm));
        if (n > 0 && comm[n - 1] == '\n')
            comm[n - 1] = '\0';
        snprintf(text, size,
                 "process %ld (%s) traces it already, and a process can have one tracer; "
                 "end that first",
                 tracer, *comm ? comm : "?");
        return;
    }
    if (pid == getpid()) {
        snprintf(text, size, "that is this very process");
        return;
    }
    if (geteuid() && st.st_uid != geteuid()) {
        snprintf(text, size, "it belongs to user %u; run as that user or as root",
                 (unsigned)st.st_uid);
        return;
    }
    long yama = vt_proc_number("/proc/sys/kernel/yama/ptrace_scope");
    if (yama == 3) {
        snprintf(text, size,
                 "kernel.yama.ptrace_scope is 3, which forbids all tracing until the next boot");
        return;
    }
    if (yama > 0 && geteuid()) {
        snprintf(text, size,
                 "kernel.yama.ptrace_scope is %ld, which forbids to trace a process that "
                 "is not a child; run as root, or start the program with vastrace",
                 yama);
        return;
    }
    snprintf(text, size,
             "the kernel refuses (a set-user-ID program or one that may not be dumped needs "
             "CAP_SYS_PTRACE, in the process's user namespace)");
}

/* Field number `field` (1-based, proc_pid_stat(5)) of /proc/PID/stat, which may be above 2. */
static uint64_t stat_field(const char *text, int field)
{
    const char *at = strrchr(text, ')'); /* the name may hold spaces and brackets */
    if (!at)
        return 0;
    at++;
    for (int i = 3; i <= field; i++) {
        at += strspn(at, " ");
        if (i == field)
            return strtoull(at, NULL, 10);
        at += strcspn(at, " ");
    }
    return 0;
}

int vt_proc_marks(pid_t pid, vt_addr *start_brk, vt_addr *start_stack)
{
    char text[2048];
    ssize_t n = slurp_of(pid, "stat", text, sizeof(text));
    *start_brk = *start_stack = 0;
    if (n <= 0)
        return n ? (int)n : -ESRCH;
    *start_stack = stat_field(text, 28);
    *start_brk = stat_field(text, 47);
    if (*start_stack == 1) /* what the kernel shows to those without the privilege */
        *start_stack = 0;
    return 0;
}

long vt_proc_personality(pid_t pid)
{
    char text[64];
    ssize_t n = slurp_of(pid, "personality", text, sizeof(text));
    return n <= 0 ? (n ? n : -ESRCH) : (long)(strtoul(text, NULL, 16) & 0xffffffff);
}

ssize_t vt_proc_exe(pid_t pid, char *path, size_t size)
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
    ssize_t n = readlink(link, path, size - 1);
    path[n < 0 ? 0 : n] = '\0';
    if (n < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    return n;
}

int vt_proc_auxv(pid_t pid, uint64_t type, unsigned word_size, uint64_t *value)
{
    char text[2048];
    ssize_t n = slurp_of(pid, "auxv", text, sizeof(text));
    for (ssize_t at = 0; at + 2 * (ssize_t)word_size <= n; at += 2 * (ssize_t)word_size) {
        uint64_t pair[2] = {0, 0};
        memcpy(&pair[0], text + at, word_size); /* little-endian: the low bytes */
        memcpy(&pair[1], text + at + word_size, word_size);
        if (pair[0] == type) {
            *value = pair[1];
            return 0;
        }
        if (!pair[0])
            break;
    }
    return n < 0 ? (int)n : 1;
}

vt_addr vt_proc_sp(pid_t tid)
{
    char text[512];
    if (slurp_of(tid, "syscall", text, sizeof(text)) <= 0)
        return 0;
    char *last = strrchr(text, ' '); /* "... SP PC", or "running" */
    if (!last)
        return 0;
    *last = '\0';
    char *sp = strrchr(text, ' ');
    return sp ? strtoull(sp, NULL, 16) : 0;
}

long vt_proc_number(const char *path)
{
    char text[64], *end;
    if (slurp(path, text, sizeof(text)) <= 0)
        return -1;
    long value = strtol(text, &end, 10);
    return end == text ? -1 : value;
}
