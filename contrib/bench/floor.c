/*
 * floor.c - what ptrace itself costs: a tracer that takes the same two stops
 * for each memory call as vastrace does, and does nothing at them.
 *
 *     floor PROGRAM [ARG...]
 *
 * The same filter as vastrace's would be too much of it: mmap, munmap, mprotect,
 * mremap and brk stop, all else runs. Threads and children are followed.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define JUMP_IF(number, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, skip, 0)

static void run_child(char **argv)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        JUMP_IF(SYS_mmap, 5),
        JUMP_IF(SYS_munmap, 4),
        JUMP_IF(SYS_mprotect, 3),
        JUMP_IF(SYS_mremap, 2),
        JUMP_IF(SYS_brk, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

    raise(SIGSTOP); /* until the tracer has seized us */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        _exit(126);
    execvp(argv[0], argv);
    _exit(127);
}

int main(int argc, char **argv)
{
    const unsigned long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD |
                                  PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                                  PTRACE_O_EXITKILL;
    int status, result = 1;
    pid_t child, tid;

    if (argc < 2) {
        fprintf(stderr, "usage: floor PROGRAM [ARG...]\n");
        return 125;
    }
    child = fork();
    if (child == 0)
        run_child(argv + 1);
    if (child < 0 || waitpid(child, &status, WUNTRACED) != child ||
        ptrace(PTRACE_SEIZE, child, 0L, options) || kill(child, SIGCONT)) {
        perror("floor");
        return 125;
    }
    while ((tid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
        int event = status >> 16, signal = WSTOPSIG(status);

        if (tid < 0)
            continue;
        if (!WIFSTOPPED(status)) {
            if (tid == child)
                result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        if (event == PTRACE_EVENT_SECCOMP)
            ptrace(PTRACE_SYSCALL, tid, 0L, 0L);
        else
            ptrace(PTRACE_CONT, tid, 0L, event || signal == (SIGTRAP | 0x80) ? 0L : (long)signal);
    }
    return result;
}
