/*
 * signals.h - the tracer's own signals during a session: noted in handlers
 * that interrupt the engine's wait, read by the session's loop.
 */
#ifndef ENGINE_SIGNALS_H
#define ENGINE_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Take over SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGTTIN and SIGALRM, and ignore
 * SIGPIPE and SIGTTOU. 0; or -errno, without a timer to wake the tracer: then nothing is taken over.
 */
int vt_signals_begin(void);

/* Give every disposition and the mask back as vt_signals_begin() found them. */
void vt_signals_restore(void);

/* As restore, and free the timer. */
void vt_signals_end(void);

/* Is there anything to take? Costs nothing. */
bool vt_signals_pending(void);

/*
 * The next signal that came since the last call, or 0. *from_user: sent by
 * kill(2) or the like, so that a terminal's process group did not get it as well.
 */
int vt_signals_take(bool *from_user);

/* Stop this process by a job-control signal, as if it were not caught. Returns when continued. */
void vt_signals_stop(int signal);

/*
 * Interrupt waits at this time (CLOCK_MONOTONIC ns) and every 10 ms after it,
 * until set again; 0: never. So an interruption that comes just before the
 * wait begins is not lost. Cheap when the time is the same as before.
 */
void vt_signals_alarm(int64_t time_ns);

#endif
