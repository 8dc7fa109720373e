/*
 * proc.h - facts about a process from /proc, beside its map. Where an errno is
 * told, ESRCH is a process that has ended: nothing was missed.
 */
#ifndef ENGINE_PROC_H
#define ENGINE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <vastrace/error.h>
#include <vastrace/layout.h>

/*
 * Is /proc there, and does it tell of processes by the ids that this one knows them by? 0 or a
 * negative error.
 */
int vt_proc_check(struct vt_error *err);

/* The thread ids of a process, ascending as the kernel lists them; free(*tids). 0 or -errno. */
int vt_proc_threads(pid_t pid, pid_t **tids, size_t *count);

/* As vt_proc_threads(), of all processes. */
int vt_proc_processes(pid_t **pids, size_t *count);

pid_t vt_proc_thread_group(pid_t tid); /* Tgid, or -errno */
pid_t vt_proc_parent(pid_t tid);       /* PPid; 0 if it cannot be read */

pid_t vt_proc_tracer(pid_t tid); /* TracerPid; 0 none, or it cannot be read */

/* The state letter of proc_pid_stat(5): R, S, D, T, t, Z, ...; 0 if it cannot be read. */
char vt_proc_state(pid_t tid);

/* Why ptrace refused, in words that say what to do; error is its errno. */
void vt_proc_why_not(pid_t pid, int error, char *text, size_t size);

/* start_brk and start_stack of /proc/PID/stat (0 without the privilege to see them). */
int vt_proc_marks(pid_t pid, vt_addr *start_brk, vt_addr *start_stack);

/* Bits of personality(2), or -errno. */
long vt_proc_personality(pid_t pid);

/* The target of /proc/PID/exe, NUL-terminated, or "". Returns its length, or -errno. */
ssize_t vt_proc_exe(pid_t pid, char *path, size_t size);

/* A value of the auxiliary vector (getauxval(3)). 0; 1 if it is not there; or -errno. */
int vt_proc_auxv(pid_t pid, uint64_t type, unsigned word_size, uint64_t *value);

/* The stack pointer of a thread that is not running (/proc/PID/syscall); 0 if not to be had. */
vt_addr vt_proc_sp(pid_t tid);

/* One whole number from a file such as /proc/sys/kernel/randomize_va_space; -1 if unreadable. */
long vt_proc_number(const char *path);

#endif
