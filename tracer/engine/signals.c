/*
 * signals.c - hides the one thing that a signal handler can work on: file-scope
 * variables. Nothing else in the program has any. Handlers note the signal and
 * set the timer going, so that a wait that was about to begin is interrupted,
 * too (wait4 has no way to unblock signals atomically).
 */
#include "engine/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/base.h"

static const int caught[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGTTIN, SIGALRM};
/*
 * What else is not as it was found. Of a stop the tracer learns by waiting; a SIGCHLD with each one
 * would only cost time in the traced program's way into it.
 */
static const struct {
    int signal;
    void (*disposition)(int);
    int flags;
} others[] = {
    {SIGPIPE, SIG_IGN, 0},
    {SIGTTOU, SIG_IGN, 0},
    {SIGXFSZ, SIG_IGN, 0},
    {SIGCHLD, SIG_DFL, SA_NOCLDSTOP},
};

static struct {
    bool active;
    bool have_timer;
    timer_t timer;
    int64_t alarm;
    volatile sig_atomic_t forced; /* a handler set the timer, not vt_signals_alarm() */
    struct sigaction before_caught[VT_COUNTOF(caught)];
    struct sigaction before_others[VT_COUNTOF(others)];
    sigset_t mask;
    volatile sig_atomic_t
        pending[VT_COUNTOF(caught)]; /* 0, 1 by a terminal or kernel, 2 by a user */
} state;

static void set_timer(int64_t time_ns)
{
    struct itimerspec when = {{0, 0}, {0, 0}};
    if (time_ns) {
        when.it_value.tv_sec = time_ns / 1000000000;
        when.it_value.tv_nsec = time_ns % 1000000000;
        when.it_interval.tv_nsec = 10 * 1000 * 1000;
    }
    if (state.have_timer)
        timer_settime(state.timer, TIMER_ABSTIME, &when, NULL);
}

static void handle(int signal, siginfo_t *info, void *context)
{
    (void)context;
    for (size_t i = 0; i < VT_COUNTOF(caught); i++)
        if (caught[i] == signal && signal != SIGALRM)
            state.pending[i] = info->si_code <= 0 ? 2 : 1;
    if (signal != SIGALRM) {
        state.forced = 1;
        set_timer(1);
    }
}

int vt_signals_begin(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
    sigset_t unblock;
    memset(&state, 0, sizeof(state));
    sigfillset(&action.sa_mask);
    sigemptyset(&unblock);
    if (timer_create(CLOCK_MONOTONIC, NULL, &state.timer))
        return -errno;
    state.have_timer = true;
    for (size_t i = 0; i < VT_COUNTOF(caught); i++) {
        sigaction(caught[i], &action, &state.before_caught[i]);
        sigaddset(&unblock, caught[i]);
    }
    for (size_t i = 0; i < VT_COUNTOF(others); i++) {
        struct sigaction other = {.sa_handler = others[i].disposition, .sa_flags = others[i].flags};
        sigaction(others[i].signal, &other, &state.before_others[i]);
    }
    sigprocmask(SIG_UNBLOCK, &unblock, &state.mask);
    state.active = true;
    return 0;
}

void vt_signals_restore(void)
{
    if (!state.active)
        return;
    for (size_t i = 0; i < VT_COUNTOF(caught); i++)
        sigaction(caught[i], &state.before_caught[i], NULL);
    for (size_t i = 0; i < VT_COUNTOF(others); i++)
        sigaction(others[i].signal, &state.before_others[i], NULL);
    sigprocmask(SIG_SETMASK, &state.mask, NULL);
}

void vt_signals_end(void)
{
    if (state.have_timer)
        timer_delete(state.timer);
    vt_signals_restore();
    state.active = state.have_timer = false;
}

bool vt_signals_pending(void)
{
    return state.forced;
}

int vt_signals_take(bool *from_user)
{
    bool forced = state.forced;
    state.forced = 0; /* before looking: what comes from here on sets it again */
    for (size_t i = 0; i < VT_COUNTOF(caught); i++) {
        if (state.pending[i]) {
            *from_user = state.pending[i] == 2;
            state.pending[i] = 0;
            state.forced = 1; /* there may be more */
            return caught[i];
        }
    }
    if (forced)
        set_timer(state.alarm);
    if (forced && state.forced) /* one came in between */
        set_timer(1);
    return 0;
}

void vt_signals_stop(int signal)
{
    struct sigaction standard = {.sa_handler = SIG_DFL}, ours;
    sigaction(signal, &standard, &ours);
    raise(signal);
    sigaction(signal, &ours, NULL);
}

void vt_signals_alarm(int64_t time_ns)
{
    if (time_ns == state.alarm)
        return;
    state.alarm = time_ns;
    set_timer(time_ns);
    if (state.forced) /* a handler had set it going: that wait is still to be interrupted */
        set_timer(1);
}
