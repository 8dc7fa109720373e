/*
 * memcall.c - hides which calls pass arguments or results in memory, and how
 * such words are laid out in 32-bit programs.
 *
 * Invariant: memory that cannot be read is no failure here, since the call fails
 * with EFAULT by itself.
 */
#include "session/memcall.h"

#include <signal.h>
#include <string.h>

static bool is_32bit(const struct vt_memcall *call)
{
    return vt_arch_word_size((enum vt_abi)call->abi) == 4;
}

void vt_memcall_enter(struct vt_memcall *call, const struct vt_stop *stop)
{
    call->abi = stop->abi;
    call->number = stop->number;
    memcpy(call->args, stop->args, sizeof(call->args));
    call->op.type = VT_MEMOP_NONE;
    call->row = vt_arch_syscall((enum vt_abi)stop->abi, stop->number);
    if (call->row && !vt_arch_wanted(call->row, stop->args))
        call->row = NULL;
}

/* i386's old mmap: all arguments in memory. */
static void fetch_args(struct vt_memcall *call, const struct vt_tracee *tracee)
{
    uint32_t words[6];
    size_t count = call->row->arg_count;
    if (vt_engine_read(tracee, call->args[0], words, count * sizeof(words[0])))
        return;
    for (size_t i = 0; i < count; i++)
        call->args[i] = words[i];
}

/* sigaltstack(2): which stack is asked for; none if it is to be switched off. */
static void fetch_sigstack(struct vt_memcall *call, const struct vt_tracee *tracee)
{
    call->op.addr = call->op.length = 0;
    if (!call->args[0]) { /* a mere question */
        call->op.type = VT_MEMOP_NONE;
    } else if (is_32bit(call)) {
        uint32_t narrow[3];
        if (vt_engine_read(tracee, call->args[0], narrow, sizeof(narrow)) ||
            (narrow[1] & SS_DISABLE))
            return;
        call->op.addr = narrow[0];
        call->op.length = narrow[2];
    } else {
        struct {
            uint64_t sp;
            int32_t flags;
            uint64_t size;
        } wide;
        if (vt_engine_read(tracee, call->args[0], &wide, sizeof(wide)) || (wide.flags & SS_DISABLE))
            return;
        call->op.addr = wide.sp;
        call->op.length = wide.size;
    }
}

void vt_memcall_decode(struct vt_memcall *call, const struct vt_tracee *tracee)
{
    if (call->row->quirks & VT_QUIRK_ARGS_IN_MEMORY)
        fetch_args(call, tracee);
    vt_arch_decode(call->row, call->args, &call->op);
    if (call->op.type == VT_MEMOP_SIGSTACK)
        fetch_sigstack(call, tracee);
}

struct vt_outcome vt_memcall_outcome(const struct vt_memcall *call, const struct vt_stop *stop)
{
    struct vt_outcome outcome = {.failed = stop->failed, .result = (uint64_t)stop->result};
    uint32_t address;
    if (stop->failed)
        return outcome;
    if (is_32bit(call))
        outcome.result &= 0xffffffff;
    /* i386's ipc(SHMAT) stores the address in memory. */
    if ((call->row->quirks & VT_QUIRK_IPC) && call->op.type == VT_MEMOP_SHM_ATTACH &&
        !vt_engine_read(stop->tracee, call->op.new_addr, &address, sizeof(address)))
        outcome.result = address;
    return outcome;
}

struct vt_call vt_memcall_describe(const struct vt_memcall *call, const struct vt_stop *stop)
{
    const char *name = call->row ? call->row->name
                                 : vt_arch_syscall_name((enum vt_abi)call->abi, call->number);
    struct vt_call told = {
        .name = name ? name : "unknown",
        .number = call->number,
        .abi = (enum vt_abi)call->abi,
        .arg_count = call->row ? call->row->arg_count : 0,
        .arg_names = call->row ? call->row->arg_names : NULL,
        .result = stop->failed ? -1 : stop->result,
        .error = stop->failed ? (int)-stop->result : 0,
        .failed = stop->failed,
    };
    memcpy(told.args, call->args, sizeof(told.args));
    return told;
}

bool vt_memcall_refused(const struct vt_memcall *call, const struct vt_stop *stop)
{
    return call->op.type == VT_MEMOP_BRK && call->op.addr &&
           call->op.addr != (uint64_t)stop->result;
}
