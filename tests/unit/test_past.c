/*
 * test_past.c - the session's memory of removals is bounded: what it has
 * forgotten is counted, and no verdict claims to know it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "session/fault.h"

enum { PAGE = 4096, NOTES = 65536 };

static const vt_addr place = 0x700000000000;

/* One event that takes `count` pages away, from `place` on. */
static void note(struct vt_memory *memory, uint32_t space, uint64_t seq, size_t count)
{
    const struct vt_event event = {
        .seq = seq, .pid = 1, .tid = 1, .space = space, .cause = VT_CAUSE_EXIT};

    for (size_t i = 0; i < count; i++) {
        vt_addr start = place + i * PAGE;
        struct vt_change change = {.op = VT_CHANGE_GONE, .start = start, .end = start + PAGE};
        change.before = (struct vt_region){.start = start, .end = start + PAGE};
        vt_memory_note(memory, &event, &change, 1);
    }
}

/* The verdict on an address of a space of this lineage, which was followed from its start. */
static enum vt_fault_verdict judge(const struct vt_memory *memory, const struct vt_lineage *lineage,
                                   vt_addr address, uint64_t *missing)
{
    struct vt_world world = {.page = PAGE};
    struct vt_space *space = vt_space_create(&world, lineage->space);
    struct vt_fault_info fault;
    siginfo_t signal = {.si_signo = SIGSEGV, .si_code = SEGV_MAPERR};

    assert_non_null(space);
    space->from_start = true;
    signal.si_addr = (void *)(uintptr_t)address;
    *missing = vt_fault_explain(space, getpid(), &signal, memory, lineage, &fault);
    assert_int_equal(fault.from_start, vt_memory_forgotten(memory, 10) == 0);
    vt_space_destroy(space);
    return fault.verdict;
}

static void test_forgotten(void **state)
{
    struct vt_memory *memory = vt_memory_create();
    struct vt_past past;

    (void)state;
    assert_non_null(memory);
    note(memory, 1, 5, 1000);
    note(memory, 2, 11, NOTES - 1000);
    assert_int_equal(vt_memory_forgotten(memory, 0), 0);
    assert_true(vt_memory_find(memory, 1, place, UINT64_MAX, false, &past));
    assert_int_equal(past.seq, 5);

    note(memory, 2, 12, 1);
    assert_int_equal(vt_memory_forgotten(memory, 0), 1);
    assert_int_equal(vt_memory_forgotten(memory, 5), 0);
    assert_false(vt_memory_find(memory, 1, place, UINT64_MAX, false, &past));
    assert_true(vt_memory_find(memory, 1, place + PAGE, UINT64_MAX, false, &past));

    note(memory, 2, 13, 1000); /* all of event 5, and one of event 11 */
    assert_int_equal(vt_memory_forgotten(memory, 5), 1001);
    assert_int_equal(vt_memory_forgotten(memory, 11), 0);
    vt_memory_destroy(memory);
}

/* Never mapped, not known, gone: a space that began later than what was forgotten knows all. */
static void test_verdicts(void **state)
{
    const struct vt_lineage parent = {.space = 2, .since = 10};
    const struct vt_lineage child = {.space = 3, .since = 20, .parent = &parent};
    struct vt_memory *memory = vt_memory_create();
    uint64_t missing;

    (void)state;
    assert_non_null(memory);
    note(memory, 1, 7, NOTES);
    note(memory, 2, 12, 100);
    assert_int_equal(judge(memory, &child, place - PAGE, &missing), VT_FAULT_NEVER_MAPPED);
    assert_int_equal(missing, 0);
    assert_int_equal(judge(memory, &child, place, &missing), VT_FAULT_UNMAPPED);
    assert_int_equal(missing, 0);

    note(memory, 1, 30, NOTES - 50); /* half of what the parent took away is forgotten */
    assert_int_equal(judge(memory, &child, place, &missing), VT_FAULT_NOT_MAPPED);
    assert_int_equal(missing, NOTES + 50);
    assert_int_equal(judge(memory, &child, place + 70 * PAGE, &missing), VT_FAULT_UNMAPPED);
    assert_int_equal(missing, 0);
    vt_memory_destroy(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
