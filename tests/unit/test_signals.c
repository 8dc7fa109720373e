/*
 * test_signals.c - a signal that comes when nobody waits interrupts the next wait, whatever alarm is
 * set in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* after what it needs */

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "base/base.h"
#include "engine/signals.h"

/* As the engine's wait: it ends by a signal, or the test has failed. */
static bool is_interrupted(void)
{
    const struct timespec long_enough = {.tv_sec = 20};
    return nanosleep(&long_enough, NULL) && errno == EINTR;
}

static void test_no_alarm_hides_a_signal(void **state)
{
    (void)state;
    static const int64_t hour = INT64_C(3600) * 1000000000;
    const int64_t alarms[] = {0, vt_clock_ns() + hour, 0, vt_clock_ns() + 2 * hour};
    bool from_user;

    assert_int_equal(vt_signals_begin(), 0);
    for (size_t i = 0; i < VT_COUNTOF(alarms); i++) {
        vt_signals_alarm(vt_clock_ns() + 3 * hour); /* another one than comes next */
        raise(SIGHUP);
        vt_signals_alarm(alarms[i]);
        assert_true(is_interrupted());
        assert_true(vt_signals_pending());
        assert_int_equal(vt_signals_take(&from_user), SIGHUP);
        assert_true(from_user);
        assert_int_equal(vt_signals_take(&from_user), 0);
        assert_false(vt_signals_pending());
    }
    vt_signals_end();
}

static void test_alarm(void **state)
{
    (void)state;
    bool from_user;

    assert_int_equal(vt_signals_begin(), 0);
    vt_signals_alarm(vt_clock_ns() + 1000000);
    assert_true(is_interrupted());
    assert_true(is_interrupted()); /* and again */
    assert_int_equal(vt_signals_take(&from_user), 0);
    vt_signals_end();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_alarm_hides_a_signal),
        cmocka_unit_test(test_alarm),
    };
    return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
