/*
 * registers.h - what unwinding needs of a thread's registers: passed from the
 * engine, which can read them, to the image layer, which knows what they mean.
 */
#ifndef MODEL_REGISTERS_H
#define MODEL_REGISTERS_H

#include <stdint.h>

/* Which machine's registers they are. */
enum vt_machine_kind { VT_MACHINE_X86_64, VT_MACHINE_I386 };

/* As many as DWARF numbers in any of them, up to the return address. */
#define VT_REGISTERS_MAX 17

/*
 * By DWARF register number (System V ABI supplements): x86-64 rax 0, rdx 1,
 * rcx 2, rbx 3, rsi 4, rdi 5, rbp 6, rsp 7, r8..r15 8..15, rip 16;
 * i386 eax 0, ecx 1, edx 2, ebx 3, esp 4, ebp 5, esi 6, edi 7, eip 8.
 */
struct vt_registers {
    enum vt_machine_kind machine;
    uint64_t values[VT_REGISTERS_MAX];
};

#endif
