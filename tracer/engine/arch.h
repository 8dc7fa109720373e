/*
 * arch.h - everything that depends on the processor architecture: which call
 * numbers can change a map, what their arguments mean, and the seccomp filter
 * made from the same table. One arch_*.c an architecture holds the tables.
 */
#ifndef ENGINE_ARCH_H
#define ENGINE_ARCH_H

#include <linux/filter.h>

#include "model/memop.h"
#include "model/registers.h"
#include <vastrace/event.h>

/* When a call that can change the map is worth a stop, by one of its arguments. */
struct vt_arg_test {
    enum { VT_TEST_NONE, VT_TEST_ONE_OF, VT_TEST_NOT, VT_TEST_ANY_BIT } type;
    uint8_t arg;
    uint32_t mask;      /* ONE_OF, NOT: applied first */
    uint32_t values[8]; /* ONE_OF: up to the first 0; NOT, ANY_BIT: the first */
};

enum vt_syscall_quirk {
    VT_QUIRK_OFFSET_4096 = 1,    /* the last argument counts in 4096 bytes (mmap2) */
    VT_QUIRK_ARGS_IN_MEMORY = 2, /* the first argument points to arg_count words (old_mmap) */
    VT_QUIRK_IPC = 4,            /* the i386 multiplexer; shmat stores its result in memory */
    VT_QUIRK_RESULT_POINTER = 8, /* the result is an address (for printing) */
};

/* A system call that can change a map. */
struct vt_syscall {
    const char *name;
    enum vt_memop_type type;
    int numbers[VT_ABI_COUNT]; /* -1: not in that ABI */
    uint8_t arg_count;
    uint8_t quirks;
    const char *arg_names[6];
    struct vt_arg_test test;
};

/* The ABI of a stop, from PTRACE_GET_SYSCALL_INFO's arch and the number; -1 for a foreign one. */
int vt_arch_abi(uint32_t audit_arch, uint64_t number);

/* The row of a call that can change a map, or null. */
const struct vt_syscall *vt_arch_syscall(enum vt_abi abi, uint64_t number);

/* All these rows, by index from 0; null behind the last. */
const struct vt_syscall *vt_arch_syscall_row(size_t index);

/* The name of any call of the ABI, or null where this build does not know it. */
const char *vt_arch_syscall_name(enum vt_abi abi, uint64_t number);

/* Is there a call of this name in the ABI? */
bool vt_arch_knows_name(enum vt_abi abi, const char *name);

/* What the call asks for. Pure; args are as they were at entry (fetched if ARGS_IN_MEMORY). */
void vt_arch_decode(const struct vt_syscall *call, const uint64_t args[6], struct vt_memop *op);

/* The bytes of one machine word in this ABI (4 or 8). */
unsigned vt_arch_word_size(enum vt_abi abi);

/* Does the argument test say that this call, with these arguments, is worth a stop? */
bool vt_arch_wanted(const struct vt_syscall *call, const uint64_t args[6]);

/* Where the register of the first argument lies in struct user (PTRACE_POKEUSER). */
size_t vt_arch_first_arg_offset(enum vt_abi abi);

/* Where the number of a call lies that is about to begin; -1 there skips it, and it fails with ENOSYS. */
size_t vt_arch_number_offset(void);

/* From the kernel's register set (NT_PRSTATUS), whose length tells the machine; false if unknown. */
bool vt_arch_registers(const void *set, size_t length, struct vt_registers *registers);

/*
 * The seccomp filter: RET_TRACE for the table's calls and for architectures it
 * does not know, RET_ALLOW for all else. Returns its length in instructions. Its RET_TRACE bears a
 * mark, by which its stops are told from those that a filter of the program's own asks for.
 */
#define VT_FILTER_MAX  1024
#define VT_FILTER_MARK 0x7674
size_t vt_arch_filter(struct sock_filter filter[VT_FILTER_MAX]);

#endif
