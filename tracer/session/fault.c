/*
 * fault.c - hides how a verdict on a bad address is found: a table of
 * questions, asked in order, the first yes decides.
 *
 * The kernel does not say whether the access was a read, a write or an
 * execution; where that matters the verdict says only what is not permitted.
 */
#include "session/fault.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

/* What a question looks at. */
struct inquiry {
    const struct vt_space *space;
    pid_t tid;
    const struct vt_memory *memory;
    const struct vt_lineage *lineage;
    struct vt_fault_info *fault;
};

static bool is_there(const struct vt_region *r)
{
    return r->start < r->end;
}

static bool remembered(struct inquiry *q, bool permission)
{
    uint64_t until = UINT64_MAX;
    for (const struct vt_lineage *l = q->lineage; l && !q->fault->has_past; l = l->parent) {
        q->fault->has_past =
            vt_memory_find(q->memory, l->space, q->fault->addr, until, permission, &q->fault->past);
        until = l->since;
    }
    return q->fault->has_past;
}

static bool was_sent(struct inquiry *q)
{
    return q->fault->code <= 0;
}

/* A general protection fault: the processor gives no address. */
static bool is_non_canonical(struct inquiry *q)
{
    return q->fault->code == SI_KERNEL; /* SIGBUS if it was relative to the stack pointer */
}

static bool is_alignment(struct inquiry *q)
{
    return q->fault->signal == SIGBUS && q->fault->code == BUS_ADRALN;
}

/* Without an address the map has nothing to say. */
static bool has_no_address(struct inquiry *q)
{
    return !q->fault->has_addr;
}

static bool is_kernel_half(struct inquiry *q)
{
    return q->fault->addr >> 63 && !is_there(&q->fault->here);
}

static bool is_null(struct inquiry *q)
{
    return q->fault->addr < 65536 && !is_there(&q->fault->here);
}

static bool is_beyond_file(struct inquiry *q)
{
    struct vt_fault_info *f = q->fault;
    struct stat st;
    if (f->signal != SIGBUS || !is_there(&f->here) || !f->here.object ||
        f->here.object->type != VT_OBJECT_FILE)
        return false;
    int fd = vt_image_open(q->tid, &f->here, NULL);
    bool known = fd >= 0 && !fstat(fd, &st);
    if (fd >= 0)
        close(fd);
    f->file_size = known ? (uint64_t)st.st_size : 0;
    return !known || f->here.offset + (f->addr - f->here.start) >=
                         vt_round_up(f->file_size, q->space->world->page);
}

/* PROT_NONE right below a stack guards it, whatever it was made for. */
static bool is_guard(struct inquiry *q)
{
    const struct vt_fault_info *f = q->fault;
    bool below_stack = f->above.start == f->here.end &&
                       (f->above.kind == VT_KIND_THREAD_STACK || f->above.kind == VT_KIND_STACK);
    return is_there(&f->here) &&
           (f->here.kind == VT_KIND_GUARD || (f->here.kind == VT_KIND_RESERVE && below_stack &&
                                              f->here.end - f->here.start <= 1024 * 1024));
}

static bool lost_permission(struct inquiry *q)
{
    return is_there(&q->fault->here) && remembered(q, true);
}

static bool is_reserve(struct inquiry *q)
{
    return is_there(&q->fault->here) && q->fault->here.kind == VT_KIND_RESERVE;
}

static bool lacks_permission(struct inquiry *q)
{
    return is_there(&q->fault->here) && q->fault->code == SEGV_ACCERR;
}

/* Between the main stack's lowest address and the next mapping below. */
static bool is_below_stack(const struct inquiry *q)
{
    const struct vt_fault_info *f = q->fault;
    return !is_there(&f->here) && is_there(&f->above) && f->above.kind == VT_KIND_STACK &&
           f->above.start - f->addr < UINT64_C(1) << 30;
}

static bool is_stack_limit(struct inquiry *q)
{
    const struct vt_fault_info *f = q->fault;
    const struct vt_region *top =
        vt_layout_find(q->space->layout, vt_layout_marks(q->space->layout)->stack_start);
    return is_below_stack(q) && f->stack_limit && top && top->end - f->addr > f->stack_limit;
}

static bool is_stack_below(struct inquiry *q)
{
    return is_below_stack(q);
}

static bool was_unmapped(struct inquiry *q)
{
    return !is_there(&q->fault->here) && remembered(q, false);
}

static bool was_never_mapped(struct inquiry *q)
{
    return !is_there(&q->fault->here) && q->fault->from_start;
}

static bool is_not_mapped(struct inquiry *q)
{
    return !is_there(&q->fault->here);
}

static const struct {
    bool (*applies)(struct inquiry *);
    enum vt_fault_verdict verdict;
} questions[] = {
    {was_sent, VT_FAULT_SENT},
    {is_non_canonical, VT_FAULT_NON_CANONICAL},
    {is_alignment, VT_FAULT_ALIGNMENT},
    {has_no_address, VT_FAULT_UNKNOWN},
    {is_kernel_half, VT_FAULT_KERNEL_HALF},
    {is_beyond_file, VT_FAULT_BEYOND_FILE},
    {is_guard, VT_FAULT_GUARD},
    {lost_permission, VT_FAULT_PERMISSION_LOST},
    {is_reserve, VT_FAULT_RESERVE},
    {lacks_permission, VT_FAULT_PERMISSION},
    {is_null, VT_FAULT_NULL},
    {was_unmapped, VT_FAULT_UNMAPPED},
    {is_stack_limit, VT_FAULT_STACK_LIMIT},
    {is_stack_below, VT_FAULT_STACK_BELOW},
    {was_never_mapped, VT_FAULT_NEVER_MAPPED},
    {is_not_mapped, VT_FAULT_NOT_MAPPED},
};

/* The regions at and around the address. */
static void look_around(const struct vt_layout *layout, struct vt_fault_info *fault)
{
    const struct vt_region *r = vt_layout_find(layout, fault->addr);
    const struct vt_region *below = vt_layout_below(layout, r ? r->start : fault->addr);
    const struct vt_region *above = vt_layout_at_or_above(layout, r ? r->end : fault->addr);
    if (r)
        fault->here = *r;
    if (below)
        fault->below = *below;
    if (above)
        fault->above = *above;
}

/* Changes that an address of such a space may have had, and that are forgotten. */
static uint64_t forgotten(const struct vt_memory *memory, const struct vt_lineage *lineage)
{
    while (lineage->parent)
        lineage = lineage->parent;
    return vt_memory_forgotten(memory, lineage->since);
}

uint64_t vt_fault_explain(const struct vt_space *space, pid_t tid, const siginfo_t *signal,
                          const struct vt_memory *memory, const struct vt_lineage *lineage,
                          struct vt_fault_info *fault)
{
    uint64_t missing = forgotten(memory, lineage);
    struct inquiry q = {space, tid, memory, lineage, fault};
    struct rlimit limit;
    *fault = (struct vt_fault_info){
        .signal = signal->si_signo,
        .code = signal->si_code,
        .sender = signal->si_code <= 0 ? signal->si_pid : 0,
        .has_addr = signal->si_code > 0 && signal->si_code != SI_KERNEL &&
                    (signal->si_code != BUS_ADRALN || signal->si_signo != SIGBUS ||
                     signal->si_addr), /* x86 does not tell it */
        .from_start = space->from_start && !missing,
    };
    if (fault->has_addr) {
        fault->addr = (uintptr_t)signal->si_addr;
        look_around(space->layout, fault);
    }
    if (!prlimit(tid, RLIMIT_STACK, NULL, &limit) && limit.rlim_cur != RLIM_INFINITY)
        fault->stack_limit = limit.rlim_cur;
    for (size_t i = 0; i < VT_COUNTOF(questions); i++) {
        if (questions[i].applies(&q)) {
            fault->verdict = questions[i].verdict;
            break;
        }
    }
    return space->from_start && fault->verdict == VT_FAULT_NOT_MAPPED ? missing : 0;
}
