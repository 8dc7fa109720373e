/*
 * floor.c - what ptrace itself costs: a tracer that takes the same stops as vastrace does, and does
 * nothing at them.
 *
 *     floor [-i] [-m] PROGRAM [ARG...]
 *
 * The filter is vastrace's own, and so are the options (tracer/engine/engine.c), so a stop of the
 * one is a stop of the other; anatomy.py counts them.
 *
 * Steps from the floor to what any tracer needs that follows a map: -i asks at each stop what the
 * call is (PTRACE_GET_SYSCALL_INFO), -m asks at each entry about one address (PROCMAP_QUERY).
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/arch.h"
#include "engine/procmap.h"

static void run_child(char **argv)
{
    struct sock_filter code[VT_FILTER_MAX];
    struct sock_fprog program = {(unsigned short)vt_arch_filter(code), code};

    raise(SIGSTOP); /* until the tracer has seized us */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) &&
        (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)))
        _exit(126);
    execvp(argv[0], argv);
    _exit(127);
}

int main(int argc, char **argv)
{
    const unsigned long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD |
                                  PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                                  PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL;
    struct __ptrace_syscall_info info;
    struct vt_procmap map;
    struct vt_told told;
    bool ask_call = false, ask_map = false;
    int status, option, result = 1;
    pid_t child, tid;

    while ((option = getopt(argc, argv, "+im")) != -1) {
        ask_call |= option == 'i';
        ask_map |= option == 'm';
        if (option == '?')
            optind = argc;
    }
    if (optind >= argc) {
        fprintf(stderr, "usage: floor [-i] [-m] PROGRAM [ARG...]\n");
        return 125;
    }
    vt_procmap_init(&map);
    child = fork();
    if (child == 0)
        run_child(argv + optind);
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
        if (ask_call && (event == PTRACE_EVENT_SECCOMP || signal == (SIGTRAP | 0x80)))
            ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info);
        if (ask_map && event == PTRACE_EVENT_EXEC)
            vt_procmap_open(&map, tid);
        if (event == PTRACE_EVENT_SECCOMP) /* on to the return; clone's and exec's come before it */
            ptrace(PTRACE_SYSCALL, tid, 0L, 0L);
        else
            ptrace(PTRACE_CONT, tid, 0L, event || signal == (SIGTRAP | 0x80) ? 0L : (long)signal);
        /* As vastrace does, after the thread was let go; nothing is mapped at 0. */
        if (ask_map && event == PTRACE_EVENT_SECCOMP)
            vt_procmap_query(&map, NULL, 0, false, &told);
    }
    vt_procmap_deinit(&map);
    return result;
}
