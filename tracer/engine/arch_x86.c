/*
 * arch_x86.c - x86-64 with its three calling conventions: native, i386 (also
 * by int 0x80 from 64-bit code) and x32. Numbers: arch/x86/entry/syscalls of
 * the kernel. A new memory call is a new row here and nothing else.
 */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/user.h>

#include "base/base.h"
#include "engine/arch.h"

#define X32_BIT 0x40000000u

/* clang-format off */
static const struct vt_syscall calls[] = {
    {"mmap", VT_MEMOP_MAP, {9, -1, 9}, 6, VT_QUIRK_RESULT_POINTER,
     {"addr", "length", "prot", "flags", "fd", "offset"}, {0}},
    {"old_mmap", VT_MEMOP_MAP, {-1, 90, -1}, 6, VT_QUIRK_RESULT_POINTER | VT_QUIRK_ARGS_IN_MEMORY,
     {"addr", "length", "prot", "flags", "fd", "offset"}, {0}},
    {"mmap2", VT_MEMOP_MAP, {-1, 192, -1}, 6, VT_QUIRK_RESULT_POINTER | VT_QUIRK_OFFSET_4096,
     {"addr", "length", "prot", "flags", "fd", "pgoffset"}, {0}},
    {"munmap", VT_MEMOP_UNMAP, {11, 91, 11}, 2, 0, {"addr", "length"}, {0}},
    {"mprotect", VT_MEMOP_PROTECT, {10, 125, 10}, 3, 0, {"addr", "length", "prot"}, {0}},
    {"pkey_mprotect", VT_MEMOP_PROTECT, {329, 380, 329}, 4, 0,
     {"addr", "length", "prot", "pkey"}, {0}},
    {"mremap", VT_MEMOP_REMAP, {25, 163, 25}, 5, VT_QUIRK_RESULT_POINTER,
     {"old_address", "old_size", "new_size", "flags", "new_address"}, {0}},
    {"brk", VT_MEMOP_BRK, {12, 45, 12}, 1, VT_QUIRK_RESULT_POINTER, {"addr"}, {0}},
    {"shmat", VT_MEMOP_SHM_ATTACH, {30, 397, 30}, 3, VT_QUIRK_RESULT_POINTER,
     {"shmid", "shmaddr", "shmflg"}, {0}},
    {"shmdt", VT_MEMOP_SHM_DETACH, {67, 398, 67}, 1, 0, {"shmaddr"}, {0}},
    /* SHMAT, SHMDT */
    {"ipc", VT_MEMOP_NONE, {-1, 117, -1}, 6, VT_QUIRK_IPC,
     {"call", "first", "second", "third", "ptr", "fifth"}, {VT_TEST_ONE_OF, 0, 0xffff, {21, 22}}},
    {"remap_file_pages", VT_MEMOP_RANGE, {216, 257, 216}, 5, 0,
     {"addr", "size", "prot", "pgoff", "flags"}, {0}},
    /* MADV_DONTFORK, _DOFORK, _WIPEONFORK, _KEEPONFORK, _GUARD_INSTALL, _GUARD_REMOVE: it outlasts the call */
    {"madvise", VT_MEMOP_ADVISE, {28, 219, 28}, 3, 0,
     {"addr", "length", "advice"}, {VT_TEST_ONE_OF, 2, UINT32_MAX, {10, 11, 18, 19, 102, 103}}},
    {"process_madvise", VT_MEMOP_ADVISE, {440, 440, 440}, 5, 0,
     {"pidfd", "vec", "n", "advice", "flags"},
     {VT_TEST_ONE_OF, 3, UINT32_MAX, {10, 11, 18, 19, 102, 103}}},
    {"mseal", VT_MEMOP_ADVISE, {462, 462, 462}, 3, 0, {"addr", "length", "flags"}, {0}},
    {"io_setup", VT_MEMOP_ANYWHERE, {206, 245, 543}, 2, 0, {"nr_events", "ctx_idp"}, {0}},
    {"io_destroy", VT_MEMOP_ANYWHERE, {207, 246, 207}, 1, 0, {"ctx_id"}, {0}},
    {"io_uring_register", VT_MEMOP_ANYWHERE, {427, 427, 427}, 4, 0,
     {"fd", "opcode", "arg", "nr_args"}, {0}},
    {"map_shadow_stack", VT_MEMOP_ANYWHERE, {453, 453, 453}, 3, VT_QUIRK_RESULT_POINTER,
     {"addr", "size", "flags"}, {0}},
    /* ARCH_MAP_VDSO_X32, _32, _64, ARCH_SHSTK_ENABLE, ARCH_SHSTK_DISABLE */
    {"arch_prctl", VT_MEMOP_ANYWHERE, {158, 384, 158}, 2, 0,
     {"code", "addr"}, {VT_TEST_ONE_OF, 0, UINT32_MAX, {0x2001, 0x2002, 0x2003, 0x5001, 0x5002}}},
    /* PR_SET_MM, PR_SET_VMA */
    {"prctl", VT_MEMOP_ANYWHERE, {157, 172, 157}, 5, 0,
     {"option", "arg2", "arg3", "arg4", "arg5"}, {VT_TEST_ONE_OF, 0, UINT32_MAX, {35, 0x53564d41}}},
    /*
     * KVM_CREATE_VCPU and KVM_SET_TSS_ADDR, by which the kernel maps a page for the guest's use into
     * the caller (kvm/x86.c, __x86_set_memory_region), and DRM_IOCTL_I915_GEM_MMAP, of either size
     */
    {"ioctl", VT_MEMOP_ANYWHERE, {16, 54, 514}, 3, 0,
     {"fd", "request", "arg"}, {VT_TEST_ONE_OF, 1, UINT32_MAX, {0xae41, 0xae47, 0xc020645e, 0xc028645e}}},
    {"uselib", VT_MEMOP_ANYWHERE, {134, 86, -1}, 1, 0, {"library"}, {0}},
    {"personality", VT_MEMOP_PERSONALITY, {135, 136, 135}, 1, 0,
     {"persona"}, {VT_TEST_NOT, 0, UINT32_MAX, {0xffffffff}}},
    /* Changes no map; without it a signal handler's stack would pass for the thread's own. */
    {"sigaltstack", VT_MEMOP_SIGSTACK, {131, 186, 525}, 2, 0, {"ss", "old_ss"}, {0}},
    {"execve", VT_MEMOP_EXEC, {59, 11, 520}, 3, 0, {"pathname", "argv", "envp"}, {0}},
    {"execveat", VT_MEMOP_EXEC, {322, 358, 545}, 5, 0,
     {"dirfd", "pathname", "argv", "envp", "flags"}, {0}},
    {"clone", VT_MEMOP_CLONE, {56, 120, 56}, 5, 0,
     {"flags", "stack", "parent_tid", "child_tid", "tls"},
     {VT_TEST_ANY_BIT, 0, 0, {CLONE_UNTRACED}}},
    {"clone3", VT_MEMOP_CLONE, {435, 435, 435}, 2, 0, {"cl_args", "size"}, {0}},
    {"seccomp", VT_MEMOP_LISTEN, {317, 354, 317}, 3, 0,
     {"operation", "flags", "args"}, {VT_TEST_ANY_BIT, 1, 0, {SECCOMP_FILTER_FLAG_NEW_LISTENER}}},
};
/* clang-format on */

/* Number to name, made at build time from the kernel's own headers. */
static const char *const names_x86_64[] = {
#include "syscall_names_64.inc"
};
static const char *const names_i386[] = {
#include "syscall_names_32.inc"
};
static const char *const names_x32[] = {
#include "syscall_names_x32.inc"
};

static const struct {
    const char *const *names;
    size_t count;
    unsigned word_size;
    uint32_t audit_arch;
    uint32_t number_bit; /* set in every number of the ABI */
    size_t first_arg;
} abis[VT_ABI_COUNT] = {
    [VT_ABI_X86_64] = {names_x86_64, VT_COUNTOF(names_x86_64), 8, AUDIT_ARCH_X86_64, 0,
                       offsetof(struct user, regs.rdi)},
    [VT_ABI_I386] = {names_i386, VT_COUNTOF(names_i386), 4, AUDIT_ARCH_I386, 0,
                     offsetof(struct user, regs.rbx)},
    [VT_ABI_X32] = {names_x32, VT_COUNTOF(names_x32), 4, AUDIT_ARCH_X86_64, X32_BIT,
                    offsetof(struct user, regs.rdi)},
};

int vt_arch_abi(uint32_t audit_arch, uint64_t number)
{
    for (int abi = 0; abi < VT_ABI_COUNT; abi++)
        if (abis[abi].audit_arch == audit_arch && (number & X32_BIT) == abis[abi].number_bit)
            return abi;
    return -1;
}

const struct vt_syscall *vt_arch_syscall(enum vt_abi abi, uint64_t number)
{
    uint64_t plain = number & ~(uint64_t)abis[abi].number_bit;
    for (size_t i = 0; i < VT_COUNTOF(calls); i++)
        if (calls[i].numbers[abi] >= 0 && (uint64_t)calls[i].numbers[abi] == plain)
            return &calls[i];
    return NULL;
}

const struct vt_syscall *vt_arch_syscall_row(size_t index)
{
    return index < VT_COUNTOF(calls) ? &calls[index] : NULL;
}

const char *vt_arch_syscall_name(enum vt_abi abi, uint64_t number)
{
    uint64_t plain = number & ~(uint64_t)abis[abi].number_bit;
    const char *name = plain < abis[abi].count ? abis[abi].names[plain] : NULL;
    const struct vt_syscall *call = name ? NULL : vt_arch_syscall(abi, number);
    return call ? call->name : name;
}

/* DWARF number to place in the kernel's set, in words of that set. */
static const uint8_t set_64[] = {
#define AT(member) (offsetof(struct user_regs_struct, member) / 8)
    AT(rax), AT(rdx), AT(rcx), AT(rbx), AT(rsi), AT(rdi), AT(rbp), AT(rsp), AT(r8),
    AT(r9),  AT(r10), AT(r11), AT(r12), AT(r13), AT(r14), AT(r15), AT(rip),
#undef AT
};
/* struct user_regs_struct32 is not in the headers: ebx ecx edx esi edi ebp eax ... eip at 12 */
static const uint8_t set_32[] = {6, 1, 2, 0, 15, 5, 3, 4, 12};

bool vt_arch_registers(const void *set, size_t length, struct vt_registers *registers)
{
    *registers = (struct vt_registers){0};
    if (length == sizeof(struct user_regs_struct)) {
        registers->machine = VT_MACHINE_X86_64;
        for (size_t i = 0; i < VT_COUNTOF(set_64); i++)
            registers->values[i] = ((const uint64_t *)set)[set_64[i]];
    } else if (length == 17 * sizeof(uint32_t)) {
        registers->machine = VT_MACHINE_I386;
        for (size_t i = 0; i < VT_COUNTOF(set_32); i++)
            registers->values[i] = ((const uint32_t *)set)[set_32[i]];
    } else {
        return false;
    }
    return true;
}

size_t vt_arch_first_arg_offset(enum vt_abi abi)
{
    return abis[abi].first_arg;
}

size_t vt_arch_number_offset(void)
{
    return offsetof(struct user, regs.orig_rax);
}

bool vt_arch_knows_name(enum vt_abi abi, const char *name)
{
    for (size_t i = 0; i < abis[abi].count; i++)
        if (abis[abi].names[i] && !strcmp(abis[abi].names[i], name))
            return true;
    /* The headers may be older than the table; and old_mmap is mmap to them. */
    for (size_t i = 0; i < VT_COUNTOF(calls); i++)
        if (calls[i].numbers[abi] >= 0 && !strcmp(calls[i].name, name))
            return true;
    return false;
}

unsigned vt_arch_word_size(enum vt_abi abi)
{
    return abis[abi].word_size;
}

static void decode_ipc(const uint64_t args[6], struct vt_memop *op)
{
    switch (args[0] & 0xffff) {
    case 21: /* SHMAT: the address is stored at `third` */
        op->type = VT_MEMOP_SHM_ATTACH;
        op->fd = (int32_t)args[1];
        op->flags = (uint32_t)args[2];
        op->new_addr = args[3];
        op->addr = args[4];
        break;
    case 22: /* SHMDT */
        op->type = VT_MEMOP_SHM_DETACH;
        op->addr = args[4];
        break;
    }
}

void vt_arch_decode(const struct vt_syscall *call, const uint64_t args[6], struct vt_memop *op)
{
    *op = (struct vt_memop){.type = call->type, .addr = args[0], .length = args[1], .fd = -1};
    if (call->quirks & VT_QUIRK_IPC) {
        decode_ipc(args, op);
        return;
    }
    switch (call->type) {
    case VT_MEMOP_MAP:
        op->prot = (uint32_t)args[2];
        op->flags = (uint32_t)args[3];
        op->fd = (int32_t)args[4];
        op->offset = call->quirks & VT_QUIRK_OFFSET_4096 ? args[5] * 4096 : args[5];
        break;
    case VT_MEMOP_PROTECT:
        op->prot = (uint32_t)args[2];
        break;
    case VT_MEMOP_REMAP:
        op->new_length = args[2];
        op->flags = (uint32_t)args[3];
        op->new_addr = args[4];
        break;
    case VT_MEMOP_SHM_ATTACH:
        op->fd = (int32_t)args[0];
        op->addr = args[1];
        op->flags = (uint32_t)args[2];
        break;
    case VT_MEMOP_PERSONALITY:
        op->fd = (int64_t)(uint32_t)args[0];
        break;
    default:
        break;
    }
}

bool vt_arch_wanted(const struct vt_syscall *call, const uint64_t args[6])
{
    const struct vt_arg_test *test = &call->test;
    uint32_t value = (uint32_t)args[test->arg];
    switch (test->type) {
    case VT_TEST_NONE:
        return true;
    case VT_TEST_NOT:
        return (value & test->mask) != test->values[0];
    case VT_TEST_ANY_BIT:
        return value & test->values[0];
    case VT_TEST_ONE_OF:
        for (size_t i = 0; i < VT_COUNTOF(test->values) && test->values[i]; i++)
            if ((value & test->mask) == test->values[i])
                return true;
        return false;
    }
    return true;
}

/* ---- the filter --------------------------------------------------------- */

#define RET_OURS (SECCOMP_RET_TRACE | VT_FILTER_MARK)

struct program {
    struct sock_filter *code;
    size_t length;
};

static void put(struct program *p, struct sock_filter instruction)
{
    if (p->length < VT_FILTER_MAX)
        p->code[p->length] = instruction;
    p->length++;
}

static void put_return(struct program *p, uint32_t action)
{
    put(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void put_load(struct program *p, size_t offset)
{
    put(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* The decision on one call, by its test; ends in a return on every path. */
static void put_decision(struct program *p, const struct vt_arg_test *test)
{
    if (test->type == VT_TEST_NONE) {
        put_return(p, RET_OURS);
        return;
    }
    /* The low half of the argument: every value tested fits in 32 bits. */
    put_load(p, offsetof(struct seccomp_data, args) + test->arg * sizeof(uint64_t));
    if (test->type == VT_TEST_ANY_BIT) {
        put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, test->values[0], 1, 0));
    } else {
        put(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, test->mask));
        uint8_t count = 0;
        while (count < VT_COUNTOF(test->values) && test->values[count])
            count++;
        for (uint8_t i = 0; i < count; i++) {
            uint8_t to_last = (uint8_t)(count - i); /* over the other tests and the first return */
            if (test->type == VT_TEST_NOT)
                put(p,
                    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, test->values[i], 0, 1));
            else
                put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, test->values[i],
                                                    to_last, 0));
        }
    }
    put_return(p, SECCOMP_RET_ALLOW);
    put_return(p, RET_OURS);
}

static void put_abi(struct program *p, enum vt_abi abi)
{
    for (size_t i = 0; i < VT_COUNTOF(calls); i++) {
        if (calls[i].numbers[abi] < 0)
            continue;
        uint32_t number = (uint32_t)calls[i].numbers[abi] | abis[abi].number_bit;
        size_t at = p->length;
        put(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 0));
        put_decision(p, &calls[i].test);
        if (at < VT_FILTER_MAX)
            p->code[at].jf = (uint8_t)(p->length - at - 1);
    }
}

size_t vt_arch_filter(struct sock_filter filter[VT_FILTER_MAX])
{
    struct program p = {filter, 0};
    /* x32 shares x86-64's arch value, and its numbers differ: both stand in one block. */
    static const enum vt_abi blocks[][3] = {
        {VT_ABI_X86_64, VT_ABI_X32, VT_ABI_COUNT},
        {VT_ABI_I386, VT_ABI_COUNT, VT_ABI_COUNT},
    };
    for (size_t b = 0; b < VT_COUNTOF(blocks); b++) {
        put_load(&p, offsetof(struct seccomp_data, arch));
        put(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                             abis[blocks[b][0]].audit_arch, 1, 0));
        size_t at = p.length;
        put(&p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
        put_load(&p, offsetof(struct seccomp_data, nr));
        for (size_t i = 0; blocks[b][i] != VT_ABI_COUNT; i++)
            put_abi(&p, blocks[b][i]);
        put_return(&p, SECCOMP_RET_ALLOW);
        if (at < VT_FILTER_MAX)
            filter[at].k = (uint32_t)(p.length - at - 1);
    }
    put_return(&p, RET_OURS); /* an architecture we do not know */
    return p.length;
}
