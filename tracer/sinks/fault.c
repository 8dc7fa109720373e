/*
 * fault.c - hides the words for each verdict: one row a verdict. Names are raw
 * here; who prints the sentence escapes it.
 */
#include "sinks/fault.h"

#include <string.h>

#include "base/base.h"
#include "base/escape.h"
#include "sinks/words.h"

static void add_prot(struct vt_buf *out, uint8_t prot)
{
    char text[5];
    vt_prot_text(prot, 0, text);
    vt_buf_add(out, text, 3);
}

/* "libc.so.6", or nothing for anonymous memory. */
static const char *name_of(const struct vt_region *r)
{
    return r->object ? vt_file_name(r->object->name) : NULL;
}

/* "rodata of libc.so.6", "anon" */
static void add_what(struct vt_buf *out, const struct vt_region *r)
{
    const char *name = name_of(r);
    vt_buf_str(out, vt_kind_name(r->kind));
    if (name)
        vt_buf_printf(out, " of %s", name);
}

/* "1.2 ms before, by munmap in thread 42 (event 812)" */
static void add_past(struct vt_buf *out, const struct vt_event *event)
{
    const struct vt_past *past = &event->fault->past;
    vt_add_duration(out, event->time_ns - past->time_ns);
    vt_buf_printf(out, " before, by %s in thread %d (event %llu)", past->cause, (int)past->tid,
                  (unsigned long long)past->seq);
}

static void say_unknown(struct vt_buf *out, const struct vt_event *event)
{
    (void)event;
    vt_buf_str(out, "the map permits every access there (a protection key, or an I/O error?)");
}

static void say_sent(struct vt_buf *out, const struct vt_event *event)
{
    vt_buf_str(out, "no fault: sent");
    if (event->fault->sender)
        vt_buf_printf(out, " by process %d", (int)event->fault->sender);
}

static void say_null(struct vt_buf *out, const struct vt_event *event)
{
    vt_buf_str(out, "a null pointer");
    if (event->fault->addr)
        vt_buf_printf(out, ", and %llu bytes behind it", (unsigned long long)event->fault->addr);
}

static void say_non_canonical(struct vt_buf *out, const struct vt_event *event)
{
    (void)event;
    vt_buf_str(out, "a non-canonical address, a misaligned vector or a privileged instruction "
                    "(the processor does not tell which address)");
}

static void say_kernel_half(struct vt_buf *out, const struct vt_event *event)
{
    (void)event;
    vt_buf_str(out, "in the kernel's half of the address space");
}

static void say_never_mapped(struct vt_buf *out, const struct vt_event *event)
{
    (void)event;
    vt_buf_str(out, "nothing was ever mapped there");
}

static void say_not_mapped(struct vt_buf *out, const struct vt_event *event)
{
    (void)event;
    vt_buf_str(out, "nothing is mapped there; whether something was, before the trace remembers, "
                    "is not known");
}

static void say_unmapped(struct vt_buf *out, const struct vt_event *event)
{
    const struct vt_past *past = &event->fault->past;
    vt_buf_str(out, past->op == VT_CHANGE_MOVED ? "moved away " : "unmapped ");
    add_past(out, event);
    vt_buf_str(out, "; it was ");
    add_what(out, &past->before);
    vt_buf_char(out, ' ');
    add_prot(out, past->before.prot);
}

static void say_stack_limit(struct vt_buf *out, const struct vt_event *event)
{
    const struct vt_fault_info *f = event->fault;
    vt_buf_str(out, "the stack is full: ");
    vt_human_size(out, f->above.start - f->addr);
    vt_buf_str(out, " below its low end, beyond its limit of ");
    vt_human_size(out, f->stack_limit);
    vt_buf_str(out, " (ulimit -s)");
}

static void say_stack_below(struct vt_buf *out, const struct vt_event *event)
{
    const struct vt_fault_info *f = event->fault;
    vt_human_size(out, f->above.start - f->addr);
    vt_buf_str(out, " below the stack, which could not grow there (a mapping is too near)");
}

static void say_guard(struct vt_buf *out, const struct vt_event *event)
{
    const struct vt_fault_info *f = event->fault;
    bool above = f->above.start == f->here.end &&
                 (f->above.kind == VT_KIND_THREAD_STACK || f->above.kind == VT_KIND_STACK);
    if (!above) {
        vt_buf_str(out, "in a stack's guard");
        return;
    }
    vt_buf_str(out, "a stack overflow: in the guard, ");
    vt_human_size(out, f->above.start - f->addr);
    vt_buf_str(out, " below the stack at ");
    vt_buf_hex(out, f->above.start, 0);
    vt_buf_char(out, '-');
    vt_buf_hex(out, f->above.end, 0);
}

static void say_reserve(struct vt_buf *out, const struct vt_event *event)
{
    (void)event;
    vt_buf_str(out, "in memory that is reserved only (PROT_NONE)");
}

static void say_beyond_file(struct vt_buf *out, const struct vt_event *event)
{
    const struct vt_fault_info *f = event->fault;
    const char *name = name_of(&f->here);
    vt_buf_printf(out, "beyond the end of %s: byte %llu of ", name ? name : "the file",
                  (unsigned long long)(f->here.offset + (f->addr - f->here.start)));
    if (f->file_size)
        vt_buf_printf(out, "%llu", (unsigned long long)f->file_size);
    else
        vt_buf_str(out, "fewer");
}

static void say_permission_lost(struct vt_buf *out, const struct vt_event *event)
{
    const struct vt_past *past = &event->fault->past;
    vt_buf_str(out, "made ");
    add_prot(out, past->prot_after);
    vt_buf_str(out, " from ");
    add_prot(out, past->before.prot);
    vt_buf_char(out, ' ');
    add_past(out, event);
}

static void say_permission(struct vt_buf *out, const struct vt_event *event)
{
    add_what(out, &event->fault->here);
    vt_buf_str(out, " is ");
    add_prot(out, event->fault->here.prot);
    vt_buf_str(out, ", which does not permit the access");
}

static void say_alignment(struct vt_buf *out, const struct vt_event *event)
{
    (void)event;
    vt_buf_str(out, "not aligned as the instruction wants it");
}

static void (*const words[VT_FAULT_COUNT])(struct vt_buf *, const struct vt_event *) = {
    [VT_FAULT_UNKNOWN] = say_unknown,
    [VT_FAULT_SENT] = say_sent,
    [VT_FAULT_NULL] = say_null,
    [VT_FAULT_NON_CANONICAL] = say_non_canonical,
    [VT_FAULT_KERNEL_HALF] = say_kernel_half,
    [VT_FAULT_NEVER_MAPPED] = say_never_mapped,
    [VT_FAULT_NOT_MAPPED] = say_not_mapped,
    [VT_FAULT_UNMAPPED] = say_unmapped,
    [VT_FAULT_STACK_LIMIT] = say_stack_limit,
    [VT_FAULT_STACK_BELOW] = say_stack_below,
    [VT_FAULT_GUARD] = say_guard,
    [VT_FAULT_RESERVE] = say_reserve,
    [VT_FAULT_BEYOND_FILE] = say_beyond_file,
    [VT_FAULT_PERMISSION_LOST] = say_permission_lost,
    [VT_FAULT_PERMISSION] = say_permission,
    [VT_FAULT_ALIGNMENT] = say_alignment,
};

void vt_add_fault(struct vt_buf *out, const struct vt_event *event)
{
    const struct vt_fault_info *fault = event->fault;
    vt_add_signal(out, fault->signal);
    if (fault->has_addr) {
        vt_buf_str(out, " at ");
        vt_buf_hex(out, fault->addr, 0);
    }
    vt_buf_str(out, ": ");
    if (fault->verdict < VT_FAULT_COUNT)
        words[fault->verdict](out, event);
}
