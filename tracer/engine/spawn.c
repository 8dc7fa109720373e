/*
 * spawn.c - hides how a program is started so that it is traced from its first
 * instruction: fork, wait to be seized, seccomp filter, execve.
 *
 * The child has the signal mask, the dispositions and the file limit that the
 * tracer was started with, and no descriptor of the tracer's.
 */
#include "engine/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "engine/signals.h"

/* What the child says before it gives up. */
struct failure {
    int error;
    enum { STEP_ASLR, STEP_FILTER, STEP_EXEC } step;
};

/* A file of this name in one folder; the errno of why it cannot be run, or 0. */
static int candidate(const char *folder, size_t length, const char *name, char **path)
{
    struct stat st;
    *path = malloc(length + strlen(name) + 2);
    if (!*path)
        return ENOMEM;
    memcpy(*path, folder, length);
    strcpy(*path + length, length ? "/" : "");
    strcat(*path, name);
    if (stat(*path, &st))
        return errno;
    if (S_ISDIR(st.st_mode))
        return EISDIR;
    return access(*path, X_OK) ? errno : 0;
}

/* As execvp(3): the first one that can be run; else the most telling failure. */
static int find_program(const char *name, char **path)
{
    if (strchr(name, '/'))
        return candidate("", 0, name, path);
    const char *folders = getenv("PATH");
    if (!folders)
        folders = "/bin:/usr/bin";
    int error = ENOENT;
    for (const char *at = folders;; at++) {
        size_t length = strcspn(at, ":");
        int why = *name ? candidate(length ? at : ".", length ? length : 1, name, path) : ENOENT;
        if (!why || why == ENOMEM)
            return why;
        free(*path);
        *path = NULL;
        if (why == EACCES)
            error = EACCES;
        at += length;
        if (!*at)
            return error;
    }
}

static int program_error(const char *name, int error, struct vt_error *err)
{
    switch (error) {
    case ENOENT:
        if (strchr(name, '/'))
            return vt_error_set(err, ENOENT, "cannot run %s: there is no such file", name);
        return vt_error_set(err, ENOENT,
                            "cannot run %s: no such program in PATH (for a file here, type ./%s)",
                            name, name);
    case EISDIR:
        return vt_error_set(err, EISDIR, "cannot run %s: it is a directory, name a program", name);
    case EACCES:
        return vt_error_set(err, EACCES,
                            "cannot run %s: permission denied (is it executable? chmod +x)", name);
    default:
        return vt_error_errno(err, error, "cannot run %s", name);
    }
}

static int failure_error(const struct vt_spawn *spawn, const struct failure *failure,
                         struct vt_error *err)
{
    const char *path = spawn->path;
    switch (failure->step) {
    case STEP_ASLR:
        return vt_error_errno(err, failure->error,
                              "cannot switch address randomisation off "
                              "(personality is refused here; leave --no-aslr out)");
    case STEP_FILTER:
        return vt_error_errno(err, failure->error,
                              "cannot install the seccomp filter (try --all-syscalls)");
    case STEP_EXEC:
        break;
    }
    switch (failure->error) {
    case ENOENT: /* the file itself was there a moment ago */
        return vt_error_set(err, ENOENT,
                            "cannot run %s: the interpreter that it names (its #! line "
                            "or PT_INTERP) does not exist, install that",
                            path);
    case ENOEXEC:
        return vt_error_set(err, ENOEXEC,
                            "cannot run %s: neither a complete ELF program for this "
                            "machine nor a script with a #! line (for a shell script "
                            "without one: vastrace sh %s)",
                            path, path);
    case ELIBBAD:
        return vt_error_set(err, ELIBBAD, "cannot run %s: its ELF interpreter is malformed", path);
    default:
        return program_error(path, failure->error, err);
    }
}

/* ---- in the child ----------------------------------------------------------- */

static void give_up(int fd, int error, int step)
{
    struct failure failure = {.error = error, .step = step};
    ssize_t ignored = write(fd, &failure, sizeof(failure));
    (void)ignored;
    _exit(127);
}

static int install_filter(void)
{
    struct sock_filter code[VT_FILTER_MAX];
    size_t length = vt_arch_filter(code);
    struct sock_fprog program = {(unsigned short)length, code};
    if (length > VT_FILTER_MAX)
        return E2BIG;
    /* With privilege first: NO_NEW_PRIVS would take set-user-ID from what the program runs. */
    if (!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
        return 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return errno;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) ? errno : 0;
}

static void run_child(const char *path, const struct vt_launch *launch, int go, int failure)
{
    extern char **environ;
    char byte;
    ssize_t told;
    if (launch->no_aslr) {
        int persona = personality(0xffffffff);
        if (persona < 0 || personality((unsigned long)persona | ADDR_NO_RANDOMIZE) < 0)
            give_up(failure, errno, STEP_ASLR);
    }
    vt_signals_restore();
    setrlimit(RLIMIT_NOFILE, &launch->files);
    do
        told = read(go, &byte, 1);
    while (told < 0 && errno == EINTR);
    if (told != 1) /* the tracer is dead, and the program must not run without it */
        _exit(127);
    if (launch->filter) {
        int error = install_filter();
        if (error)
            give_up(failure, error, STEP_FILTER);
    }
    execve(path, launch->argv, environ);
    give_up(failure, errno, STEP_EXEC);
}

/* ---- in the tracer ------------------------------------------------------------ */

int vt_spawn_begin(struct vt_spawn *spawn, const struct vt_launch *launch, struct vt_error *err)
{
    int go[2] = {-1, -1}, failure[2] = {-1, -1};
    *spawn = (struct vt_spawn){.pid = -1, .name = launch->argv[0]};
    int error = find_program(spawn->name, &spawn->path);
    if (error) {
        free(spawn->path);
        return program_error(spawn->name, error, err);
    }
    if (pipe2(go, O_CLOEXEC) || pipe2(failure, O_CLOEXEC) || (spawn->pid = fork()) < 0) {
        error = errno;
        int fds[] = {go[0], go[1], failure[0], failure[1]};
        for (size_t i = 0; i < VT_COUNTOF(fds); i++)
            if (fds[i] >= 0)
                close(fds[i]);
        free(spawn->path);
        return vt_error_errno(err, error, "cannot start a process for %s", spawn->name);
    }
    if (!spawn->pid) {
        close(go[1]); /* so that it sees the end if the tracer dies here */
        run_child(spawn->path, launch, go[0], failure[1]);
    }
    close(go[0]);
    close(failure[1]);
    spawn->go = go[1];
    spawn->failure = failure[0];
    return 0;
}

int vt_spawn_release(struct vt_spawn *spawn, struct vt_error *err)
{
    while (write(spawn->go, "", 1) < 0) {
        if (errno == EPIPE) /* it is dead: the wait for it will say so */
            break;
        if (errno != EINTR)
            return vt_error_errno(err, errno, "cannot start %s", spawn->name);
    }
    return 0;
}

void vt_spawn_done(struct vt_spawn *spawn)
{
    close(spawn->go);
    close(spawn->failure);
    free(spawn->path);
}

int vt_spawn_failure(struct vt_spawn *spawn, int wait_status, struct vt_error *err)
{
    struct failure failure;
    int rc;
    if (read(spawn->failure, &failure, sizeof(failure)) == (ssize_t)sizeof(failure))
        rc = failure_error(spawn, &failure, err);
    else if (WIFSIGNALED(wait_status)) /* beyond the point where execve can return */
        rc = vt_error_set(err, ENOEXEC,
                          "cannot run %s: ended by SIG%s before its first instruction (is the file "
                          "malformed?)",
                          spawn->path, sigabbrev_np(WTERMSIG(wait_status)));
    else
        rc = vt_error_set(err, ENOEXEC, "cannot run %s: it ended before its first instruction",
                          spawn->path);
    vt_spawn_done(spawn);
    return rc;
}

void vt_spawn_abort(struct vt_spawn *spawn)
{
    kill(spawn->pid, SIGKILL);
    while (waitpid(spawn->pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    vt_spawn_done(spawn);
}
