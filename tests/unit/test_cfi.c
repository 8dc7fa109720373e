/*
 * test_cfi.c - steps up a stack by call frame information: each instruction
 * and operation by itself, all that compilers wrote for whole files against
 * libdw's reading of the same, and random bytes.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h> /* after what it needs */

#include "base/base.h"
#include "image/cfi.h"
#include "image/elf.h"
#include "image/unwind.h"

static const struct vt_cfi_machine i386 = {4, 9, 4, 8}, x86_64 = {8, 17, 7, 16};

/* ---- a thread whose registers and memory are functions of their numbers ----------- */

struct thread {
    struct vt_cfi_source source;
    size_t reads;
    vt_addr unreadable; /* 8 bytes, of which a read fails */
};

static uint64_t own_register(void *context, unsigned number)
{
    const struct thread *t = context;

    return t->source.machine->word == 4 ? 0xbf001000 + 0x1000 * number
                                        : UINT64_C(0x7ffc00001000) + 0x1000 * number;
}

static uint64_t memory(const struct thread *t, vt_addr address)
{
    uint64_t word = (address ^ 0x5555) * UINT64_C(0x9e3779b97f4a7c15);

    return t->source.machine->word == 4 ? word >> 32 : word;
}

static bool read_word(void *context, vt_addr address, uint64_t *word)
{
    struct thread *t = context;

    t->reads++;
    if (address - t->unreadable < 8)
        return false;
    *word = memory(t, address);
    return true;
}

static void begin(struct thread *t, const struct vt_cfi_machine *machine)
{
    *t = (struct thread){.source = {machine, t, own_register, read_word}, .unreadable = 8};
}

/* ---- single instructions ------------------------------------------------------------- */

#define BYTES(...)                                                                                 \
    (const unsigned char[]){__VA_ARGS__}, sizeof((const unsigned char[]){__VA_ARGS__})

/* As GCC begins: CFA = esp + 4, eip at CFA - 4. */
#define COMMON BYTES(DW_CFA_def_cfa, 4, 4, DW_CFA_offset | 8, 1)

static struct vt_unwind_program program_of(const unsigned char *common, size_t common_length,
                                           const unsigned char *own, size_t own_length)
{
    return (struct vt_unwind_program){
        .common = {common, common + common_length, false},
        .own = {own, own + own_length, false},
        .start = 0x1000,
        .code_alignment = 1,
        .data_alignment = -4,
        .return_register = 8,
        .encoding = DW_EH_PE_absptr,
        .address_size = 4,
        .bytes = own,
        .bytes_at = 0x8000,
    };
}

#define OWN(number) (0xbf001000 + 0x1000 * (number))

static const struct instruction {
    const char *name;
    const unsigned char *bytes;
    size_t length;
    enum vt_cfi_outcome outcome;
    uint64_t sp;             /* of the caller, which is the CFA if nothing else is said */
    struct vt_cfi_place ebx; /* of the caller */
} instructions[] = {
    {"nothing", BYTES(DW_CFA_nop), VT_CFI_CALLER, OWN(4) + 4, {VT_CFI_OWN, 3}},
    {"no bytes", (const unsigned char *)"", 0, VT_CFI_CALLER, OWN(4) + 4, {VT_CFI_OWN, 3}},
    {"def_cfa", BYTES(DW_CFA_def_cfa, 5, 8), VT_CFI_CALLER, OWN(5) + 8, {VT_CFI_OWN, 3}},
    {"def_cfa_sf", BYTES(DW_CFA_def_cfa_sf, 5, 0x7e), VT_CFI_CALLER, OWN(5) + 8, {VT_CFI_OWN, 3}},
    {"def_cfa_register",
     BYTES(DW_CFA_def_cfa_register, 5),
     VT_CFI_CALLER,
     OWN(5) + 4,
     {VT_CFI_OWN, 3}},
    {"def_cfa_offset",
     BYTES(DW_CFA_def_cfa_offset, 0x90, 0x01),
     VT_CFI_CALLER,
     OWN(4) + 0x90,
     {VT_CFI_OWN, 3}},
    {"def_cfa_offset_sf",
     BYTES(DW_CFA_def_cfa_offset_sf, 0x7c),
     VT_CFI_CALLER,
     OWN(4) + 16,
     {VT_CFI_OWN, 3}},
    {"def_cfa_expression",
     BYTES(DW_CFA_def_cfa_expression, 3, DW_OP_breg0 + 5, 4, DW_OP_nop),
     VT_CFI_CALLER,
     OWN(5) + 4,
     {VT_CFI_OWN, 3}},
    {"offset", BYTES(DW_CFA_offset | 3, 2), VT_CFI_CALLER, OWN(4) + 4, {VT_CFI_MEMORY, OWN(4) - 4}},
    {"offset_extended",
     BYTES(DW_CFA_offset_extended, 3, 2),
     VT_CFI_CALLER,
     OWN(4) + 4,
     {VT_CFI_MEMORY, OWN(4) - 4}},
    {"offset_extended_sf",
     BYTES(DW_CFA_offset_extended_sf, 3, 0x7f),
     VT_CFI_CALLER,
     OWN(4) + 4,
     {VT_CFI_MEMORY, OWN(4) + 8}},
    {"negative_offset",
     BYTES(DW_CFA_GNU_negative_offset_extended, 3, 1),
     VT_CFI_CALLER,
     OWN(4) + 4,
     {VT_CFI_MEMORY, OWN(4) + 8}},
    {"val_offset",
     BYTES(DW_CFA_val_offset, 3, 2),
     VT_CFI_CALLER,
     OWN(4) + 4,
     {VT_CFI_VALUE, OWN(4) - 4}},
    {"val_offset_sf",
     BYTES(DW_CFA_val_offset_sf, 3, 0x7f),
     VT_CFI_CALLER,
     OWN(4) + 4,
     {VT_CFI_VALUE, OWN(4) + 8}},
    {"val_offset of esp", BYTES(DW_CFA_val_offset, 4, 1), VT_CFI_CALLER, OWN(4), {VT_CFI_OWN, 3}},
    {"register", BYTES(DW_CFA_register, 3, 6), VT_CFI_CALLER, OWN(4) + 4, {VT_CFI_OWN, 6}},
    {"register beyond", BYTES(DW_CFA_register, 3, 60), VT_CFI_CALLER, OWN(4) + 4, {VT_CFI_LOST, 0}},
    {"same_value",
     BYTES(DW_CFA_offset | 3, 2, DW_CFA_same_value, 3),
     VT_CFI_CALLER,
     OWN(4) + 4,
     {VT_CFI_OWN, 3}},
    {"undefined", BYTES(DW_CFA_undefined, 3), VT_CFI_CALLER, OWN(4) + 4, {VT_CFI_LOST, 0}},
    {"expression",
     BYTES(DW_CFA_expression, 3, 2, DW_OP_lit8, DW_OP_plus),
     VT_CFI_CALLER,
     OWN(4) + 4,
     {VT_CFI_MEMORY, OWN(4) + 12}},
    {"val_expression",
     BYTES(DW_CFA_val_expression, 3, 2, DW_OP_lit8, DW_OP_plus),
     VT_CFI_CALLER,
     OWN(4) + 4,
     {VT_CFI_VALUE, OWN(4) + 12}},
    {"restore",
     BYTES(DW_CFA_offset | 3, 2, DW_CFA_restore | 3),
     VT_CFI_CALLER,
     OWN(4) + 4,
     {VT_CFI_OWN, 3}},
    {"restore_extended",
     BYTES(DW_CFA_offset | 3, 2, DW_CFA_restore_extended, 3),
     VT_CFI_CALLER,
     OWN(4) + 4,
     {VT_CFI_OWN, 3}},
    {"state",
     BYTES(DW_CFA_remember_state, DW_CFA_offset | 3, 2, DW_CFA_def_cfa_offset, 64,
           DW_CFA_restore_state),
     VT_CFI_CALLER,
     OWN(4) + 4,
     {VT_CFI_OWN, 3}},
    {"args_size", BYTES(DW_CFA_GNU_args_size, 0x80, 1), VT_CFI_CALLER, OWN(4) + 4, {VT_CFI_OWN, 3}},
    {"others' registers",
     BYTES(DW_CFA_offset | 40, 2, DW_CFA_undefined, 0xff, 0xff, 3, DW_CFA_restore | 41),
     VT_CFI_CALLER,
     OWN(4) + 4,
     {VT_CFI_OWN, 3}},

    /* The place asked for is 0x10 in the code. */
    {"advance to it",
     BYTES(DW_CFA_advance_loc | 0x10, DW_CFA_def_cfa_offset, 8),
     VT_CFI_CALLER,
     OWN(4) + 8,
     {VT_CFI_OWN, 3}},
    {"advance past it",
     BYTES(DW_CFA_advance_loc | 0x11, DW_CFA_def_cfa_offset, 8),
     VT_CFI_CALLER,
     OWN(4) + 4,
     {VT_CFI_OWN, 3}},
    {"advance_loc1",
     BYTES(DW_CFA_advance_loc1, 0x10, DW_CFA_def_cfa_offset, 8, DW_CFA_advance_loc1, 1,
           DW_CFA_def_cfa_offset, 16),
     VT_CFI_CALLER,
     OWN(4) + 8,
     {VT_CFI_OWN, 3}},
    {"advance_loc2",
     BYTES(DW_CFA_advance_loc2, 0x10, 0, DW_CFA_def_cfa_offset, 8, DW_CFA_advance_loc2, 0, 1,
           DW_CFA_def_cfa_offset, 16),
     VT_CFI_CALLER,
     OWN(4) + 8,
     {VT_CFI_OWN, 3}},
    {"advance_loc4",
     BYTES(DW_CFA_advance_loc4, 0x10, 0, 0, 0, DW_CFA_def_cfa_offset, 8, DW_CFA_advance_loc4, 0, 0,
           0, 1, DW_CFA_def_cfa_offset, 16),
     VT_CFI_CALLER,
     OWN(4) + 8,
     {VT_CFI_OWN, 3}},
    {"set_loc",
     BYTES(DW_CFA_set_loc, 0x10, 0x10, 0, 0, DW_CFA_def_cfa_offset, 8, DW_CFA_set_loc, 0x11, 0x10,
           0, 0, DW_CFA_def_cfa_offset, 16),
     VT_CFI_CALLER,
     OWN(4) + 8,
     {VT_CFI_OWN, 3}},

    {"outermost", BYTES(DW_CFA_undefined, 8), VT_CFI_OUTERMOST, 0, {0, 0}},
    {"nothing of eip",
     BYTES(DW_CFA_register, 8, 8, DW_CFA_restore | 8, DW_CFA_def_cfa, 60, 0),
     VT_CFI_MALFORMED,
     0,
     {0, 0}},
    {"unknown", BYTES(0x3f), VT_CFI_MALFORMED, 0, {0, 0}},
    {"cut short", BYTES(DW_CFA_def_cfa, 4), VT_CFI_MALFORMED, 0, {0, 0}},
    {"cut short in a number", BYTES(DW_CFA_def_cfa_offset, 0x80), VT_CFI_MALFORMED, 0, {0, 0}},
    {"cut short in an expression",
     BYTES(DW_CFA_expression, 3, 9, DW_OP_lit0),
     VT_CFI_MALFORMED,
     0,
     {0, 0}},
    {"nothing remembered", BYTES(DW_CFA_restore_state), VT_CFI_MALFORMED, 0, {0, 0}},
    {"no register for the offset",
     BYTES(DW_CFA_def_cfa_expression, 1, DW_OP_lit1, DW_CFA_def_cfa_offset, 8),
     VT_CFI_MALFORMED,
     0,
     {0, 0}},
    {"back in the code", BYTES(DW_CFA_set_loc, 0, 0, 0, 0), VT_CFI_MALFORMED, 0, {0, 0}},
    {"lost CFA", BYTES(DW_CFA_def_cfa, 8, 0), VT_CFI_CALLER, OWN(8), {VT_CFI_OWN, 3}},
    {"unreadable CFA",
     BYTES(DW_CFA_def_cfa_expression, 2, DW_OP_lit8, DW_OP_deref),
     VT_CFI_UNREADABLE,
     0,
     {0, 0}},
};

static void test_instructions(void **state)
{
    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(instructions); i++) {
        const struct instruction *row = &instructions[i];
        struct vt_unwind_program program = program_of(COMMON, row->bytes, row->length);
        struct vt_cfi_frame frame;
        struct thread t;
        uint64_t value;
        begin(&t, &i386);
        vt_cfi_begin(&frame);
        enum vt_cfi_outcome outcome = vt_cfi_step(&t.source, &program, 0x1010, &frame);
        if (outcome != row->outcome)
            fail_msg("%s: outcome %d", row->name, outcome);
        if (outcome != VT_CFI_CALLER)
            continue;
        const struct vt_cfi_place *ebx = &frame.registers[3];
        if (ebx->where != row->ebx.where || (ebx->where && ebx->at != row->ebx.at))
            fail_msg("%s: ebx in %d, %llx", row->name, ebx->where, (unsigned long long)ebx->at);
        assert_int_equal(t.reads, 0); /* nothing is read before it is asked for */
        assert_true(vt_cfi_value(&t.source, &frame, 4, &value));
        if (value != row->sp)
            fail_msg("%s: esp %llx", row->name, (unsigned long long)value);
        assert_true(vt_cfi_value(&t.source, &frame, 8, &value));
        assert_int_equal(vt_cfi_value(&t.source, &frame, 3, &value), ebx->where != VT_CFI_LOST);
        assert_false(vt_cfi_value(&t.source, &frame, 9, &value));
    }
}

/* Bounds: on the instructions of a function, and on what is remembered. */
static void test_bounds(void **state)
{
    static unsigned char many[1 << 20]; /* DW_CFA_nop */
    unsigned char nested[64];
    struct vt_cfi_frame frame;
    struct thread t;

    (void)state;
    begin(&t, &i386);
    vt_cfi_begin(&frame);
    struct vt_unwind_program program = program_of(COMMON, many, sizeof(many));
    assert_int_equal(vt_cfi_step(&t.source, &program, 0x1010, &frame), VT_CFI_MALFORMED);
    memset(nested, DW_CFA_remember_state, sizeof(nested));
    program = program_of(COMMON, nested, 2);
    assert_int_equal(vt_cfi_step(&t.source, &program, 0x1010, &frame), VT_CFI_CALLER);
    program = program_of(COMMON, nested, sizeof(nested));
    assert_int_equal(vt_cfi_step(&t.source, &program, 0x1010, &frame), VT_CFI_MALFORMED);
    program = program_of(COMMON, many, 1);
    program.return_register = 9;
    assert_int_equal(vt_cfi_step(&t.source, &program, 0x1010, &frame), VT_CFI_MALFORMED);
}

/* ---- expressions ------------------------------------------------------------------------ */

#define BAD UINT64_C(0xbadbadbadbad) /* no value */

/* The CFA, 0xbf005004, is on the stack already. */
static const struct expression {
    const unsigned char *bytes;
    size_t length;
    uint64_t narrow; /* the value in a 32-bit program; BAD */
    uint64_t wide;   /* in a 64-bit one; 0: the same */
} expressions[] = {
    {BYTES(DW_OP_lit0), 0, 0},
    {BYTES(DW_OP_lit31), 31, 0},
    {BYTES(DW_OP_const1u, 0xff), 0xff, 0},
    {BYTES(DW_OP_const1s, 0xff), 0xffffffff, UINT64_MAX},
    {BYTES(DW_OP_const2u, 0xfe, 0xff), 0xfffe, 0},
    {BYTES(DW_OP_const2s, 0xfe, 0xff), 0xfffffffe, UINT64_MAX - 1},
    {BYTES(DW_OP_const4u, 1, 2, 3, 0x84), 0x84030201, 0},
    {BYTES(DW_OP_const4s, 1, 2, 3, 0x84), 0x84030201, UINT64_C(0xffffffff84030201)},
    {BYTES(DW_OP_const8u, 1, 0, 0, 0, 2, 0, 0, 0), 1, UINT64_C(0x200000001)},
    {BYTES(DW_OP_const8s, 1, 0, 0, 0, 2, 0, 0, 0), 1, UINT64_C(0x200000001)},
    {BYTES(DW_OP_constu, 0x80, 1), 0x80, 0},
    {BYTES(DW_OP_consts, 0x7f), 0xffffffff, UINT64_MAX},
    {BYTES(DW_OP_bregx, 3, 0x7f), 0xbf003fff, UINT64_C(0x7ffc00003fff)},
    {BYTES(DW_OP_breg3, 1), 0xbf004001, UINT64_C(0x7ffc00004001)},
    {BYTES(DW_OP_breg31, 0), BAD, BAD},
    {BYTES(DW_OP_lit1, DW_OP_lit2, DW_OP_dup, DW_OP_plus), 4, 0},
    {BYTES(DW_OP_lit1, DW_OP_lit2, DW_OP_drop), 1, 0},
    {BYTES(DW_OP_lit7, DW_OP_lit2, DW_OP_over), 7, 0},
    {BYTES(DW_OP_lit7, DW_OP_lit2, DW_OP_lit3, DW_OP_pick, 2), 7, 0},
    {BYTES(DW_OP_lit7, DW_OP_pick, 2), BAD, BAD},
    {BYTES(DW_OP_lit7, DW_OP_lit2, DW_OP_swap), 7, 0},
    {BYTES(DW_OP_lit7, DW_OP_lit2, DW_OP_swap, DW_OP_minus), 0xfffffffb, UINT64_MAX - 4},
    {BYTES(DW_OP_lit1, DW_OP_lit2, DW_OP_lit3, DW_OP_rot), 2, 0},
    {BYTES(DW_OP_lit1, DW_OP_lit2, DW_OP_lit3, DW_OP_rot, DW_OP_drop), 1, 0},
    {BYTES(DW_OP_lit1, DW_OP_lit2, DW_OP_lit3, DW_OP_rot, DW_OP_drop, DW_OP_drop), 3, 0},
    {BYTES(DW_OP_lit12, DW_OP_lit10, DW_OP_and), 8, 0},
    {BYTES(DW_OP_lit12, DW_OP_lit10, DW_OP_or), 14, 0},
    {BYTES(DW_OP_lit12, DW_OP_lit10, DW_OP_xor), 6, 0},
    {BYTES(DW_OP_lit12, DW_OP_lit10, DW_OP_plus), 22, 0},
    {BYTES(DW_OP_lit12, DW_OP_lit10, DW_OP_minus), 2, 0},
    {BYTES(DW_OP_lit12, DW_OP_lit10, DW_OP_mul), 120, 0},
    {BYTES(DW_OP_lit13, DW_OP_lit5, DW_OP_div), 2, 0},
    {BYTES(DW_OP_const1s, 0xf3, DW_OP_lit5, DW_OP_div), 0xfffffffe, UINT64_MAX - 1},
    {BYTES(DW_OP_lit13, DW_OP_lit0, DW_OP_div), BAD, BAD},
    {BYTES(DW_OP_const4u, 0, 0, 0, 0x80, DW_OP_const1s, 0xff, DW_OP_div), 0x80000000,
     UINT64_C(0xffffffff80000000)},
    {BYTES(DW_OP_const8u, 0, 0, 0, 0, 0, 0, 0, 0x80, DW_OP_const1s, 0xff, DW_OP_div), 0,
     UINT64_C(0x8000000000000000)},
    {BYTES(DW_OP_lit13, DW_OP_lit5, DW_OP_mod), 3, 0},
    {BYTES(DW_OP_lit13, DW_OP_lit0, DW_OP_mod), BAD, BAD},
    {BYTES(DW_OP_lit3, DW_OP_lit2, DW_OP_shl), 12, 0},
    {BYTES(DW_OP_lit3, DW_OP_const1u, 32, DW_OP_shl), 0, UINT64_C(0x300000000)},
    {BYTES(DW_OP_lit3, DW_OP_const1u, 64, DW_OP_shl), 0, 0},
    {BYTES(DW_OP_const1s, 0xf0, DW_OP_lit2, DW_OP_shr), 0x3ffffffc, UINT64_C(0x3ffffffffffffffc)},
    {BYTES(DW_OP_const1s, 0xf0, DW_OP_const1u, 64, DW_OP_shr), 0, 0},
    {BYTES(DW_OP_const1s, 0xf0, DW_OP_lit2, DW_OP_shra), 0xfffffffc, UINT64_MAX - 3},
    {BYTES(DW_OP_const1s, 0xf0, DW_OP_const1u, 200, DW_OP_shra), 0xffffffff, UINT64_MAX},
    {BYTES(DW_OP_lit5, DW_OP_neg), 0xfffffffb, UINT64_MAX - 4},
    {BYTES(DW_OP_lit5, DW_OP_not), 0xfffffffa, UINT64_MAX - 5},
    {BYTES(DW_OP_lit5, DW_OP_neg, DW_OP_abs), 5, 0},
    {BYTES(DW_OP_lit5, DW_OP_abs), 5, 0},
    {BYTES(DW_OP_lit5, DW_OP_plus_uconst, 0x80, 1), 0x85, 0},
    {BYTES(DW_OP_const1s, 0xff, DW_OP_lit0, DW_OP_lt), 1, 0},
    {BYTES(DW_OP_const1s, 0xff, DW_OP_lit0, DW_OP_ge), 0, 0},
    {BYTES(DW_OP_lit3, DW_OP_lit3, DW_OP_le), 1, 0},
    {BYTES(DW_OP_lit3, DW_OP_lit3, DW_OP_gt), 0, 0},
    {BYTES(DW_OP_lit3, DW_OP_lit3, DW_OP_eq), 1, 0},
    {BYTES(DW_OP_lit3, DW_OP_lit3, DW_OP_ne), 0, 0},
    {BYTES(DW_OP_skip, 1, 0, DW_OP_lit1, DW_OP_lit2), 2, 0},
    {BYTES(DW_OP_lit9, DW_OP_lit0, DW_OP_bra, 1, 0, DW_OP_lit1), 1, 0},
    {BYTES(DW_OP_lit9, DW_OP_lit1, DW_OP_bra, 1, 0, DW_OP_lit1), 9, 0},
    /* 5 + 4 + 3 + 2 + 1 */
    {BYTES(DW_OP_lit0, DW_OP_lit5, DW_OP_dup, DW_OP_rot, DW_OP_plus, DW_OP_swap, DW_OP_lit1,
           DW_OP_minus, DW_OP_dup, DW_OP_bra, 0xf6, 0xff, DW_OP_drop),
     15, 0},
    {BYTES(DW_OP_skip, 0xfd, 0xff), BAD, BAD}, /* for ever */
    {BYTES(DW_OP_dup, DW_OP_skip, 0xfc, 0xff), BAD, BAD},
    {BYTES(DW_OP_skip, 0xfc, 0xff), BAD, BAD}, /* to in front of it */
    {BYTES(DW_OP_skip, 1, 0), BAD, BAD},
    {BYTES(DW_OP_skip, 0, 0x80), BAD, BAD},
    {BYTES(DW_OP_drop, DW_OP_drop), BAD, BAD},
    {BYTES(DW_OP_drop), BAD, BAD}, /* nothing is left */
    {BYTES(DW_OP_const4u, 1, 2), BAD, BAD},
    {BYTES(DW_OP_lit8, DW_OP_deref), BAD, BAD},
    {BYTES(DW_OP_lit16, DW_OP_deref_size, 9), BAD, BAD},
    {BYTES(DW_OP_lit16, DW_OP_deref_size, 0), BAD, BAD},
    {BYTES(DW_OP_addr, 0, 0, 0, 0, 0, 0, 0, 0), BAD, BAD},
    {BYTES(DW_OP_reg0), BAD, BAD},
    {BYTES(DW_OP_call_frame_cfa), BAD, BAD},
    {BYTES(0xff), BAD, BAD},
};

/* The value of an expression that a rule has; false if it has none. */
static bool value_of(const struct vt_cfi_machine *machine, const unsigned char *bytes,
                     size_t length, uint64_t *value, struct thread *t)
{
    unsigned char own[256] = {DW_CFA_def_cfa,
                              (unsigned char)machine->sp,
                              4,
                              DW_CFA_offset | (unsigned char)machine->ip,
                              1,
                              DW_CFA_val_expression,
                              0,
                              (unsigned char)length};
    struct vt_cfi_frame frame;

    memcpy(own + 8, bytes, length);
    struct vt_unwind_program program = program_of(own, 0, own, 8 + length);
    program.return_register = machine->ip;
    begin(t, machine);
    vt_cfi_begin(&frame);
    return vt_cfi_step(&t->source, &program, 0x1000, &frame) == VT_CFI_CALLER &&
           vt_cfi_value(&t->source, &frame, 0, value);
}

static void test_expressions(void **state)
{
    struct thread t;
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(expressions); i++) {
        const struct expression *row = &expressions[i];
        const uint64_t wanted[] = {row->narrow, row->wide ? row->wide : row->narrow};
        const struct vt_cfi_machine *const machines[] = {&i386, &x86_64};
        for (size_t m = 0; m < 2; m++) {
            value = BAD;
            bool has = value_of(machines[m], row->bytes, row->length, &value, &t);
            if (has != (wanted[m] != BAD) || value != wanted[m])
                fail_msg("expression %zu (%02x ...), %u-bit: %llx", i, row->bytes[0],
                         8 * machines[m]->word, (unsigned long long)value);
        }
    }
    /* Memory, of all sizes. */
    for (unsigned char size = 1; size <= 8; size++) {
        const unsigned char bytes[] = {DW_OP_const2u, 0, 1, DW_OP_deref_size, size};
        assert_int_equal(value_of(&i386, bytes, 5, &value, &t), size <= 4);
        if (size <= 4)
            assert_true(value == (memory(&t, 0x100) & UINT64_MAX >> (64 - 8 * size)));
        assert_true(value_of(&x86_64, bytes, 5, &value, &t));
        assert_true(value == (memory(&t, 0x100) & UINT64_MAX >> (64 - 8 * size)));
    }
    const unsigned char deref[] = {DW_OP_deref};
    assert_true(value_of(&i386, deref, 1, &value, &t));
    assert_true(value == memory(&t, OWN(4) + 4));
    assert_int_equal(t.reads, 1);
}

/* ---- as libdw sees it ---------------------------------------------------------------------- */

/* What libdw answers with, for the operations that compilers, linkers and C libraries use. */
static bool oracle(struct thread *t, const Dwarf_Op *ops, size_t count, uint64_t cfa,
                   struct vt_cfi_place *place)
{
    const struct vt_cfi_machine *machine = t->source.machine;
    uint64_t mask = machine->word == 4 ? UINT32_MAX : UINT64_MAX, stack[16] = {0}, word;
    size_t depth = 1; /* stack[0] is in nobody's way */

    place->where = VT_CFI_MEMORY;
    for (size_t i = 0; i < count; i++) {
        unsigned atom = ops[i].atom;
        if (depth < 1 || depth > 14)
            return false;
        if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31) {
            stack[depth++] = own_register(t, atom - DW_OP_breg0) + ops[i].number;
        } else if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31) {
            stack[depth++] = atom - DW_OP_lit0;
        } else if ((atom >= DW_OP_reg0 && atom <= DW_OP_reg31) || atom == DW_OP_regx) {
            uint64_t number = atom == DW_OP_regx ? ops[i].number : atom - DW_OP_reg0;
            *place = (struct vt_cfi_place){VT_CFI_OWN, number};
            return count == 1;
        } else {
            switch (atom) {
            case DW_OP_call_frame_cfa:
                stack[depth++] = cfa;
                break;
            case DW_OP_bregx:
                stack[depth++] = own_register(t, (unsigned)ops[i].number) + ops[i].number2;
                break;
            case DW_OP_const1u:
            case DW_OP_const2u:
            case DW_OP_const4u:
            case DW_OP_constu:
            case DW_OP_const1s:
            case DW_OP_const2s:
            case DW_OP_const4s:
            case DW_OP_consts:
                stack[depth++] = ops[i].number;
                break;
            case DW_OP_plus_uconst:
                stack[depth - 1] += ops[i].number;
                break;
            case DW_OP_deref:
                if (!read_word(t, stack[depth - 1] & mask, &word))
                    return false;
                stack[depth - 1] = word;
                break;
            case DW_OP_and:
                depth--;
                stack[depth - 1] &= stack[depth];
                break;
            case DW_OP_plus:
                depth--;
                stack[depth - 1] += stack[depth];
                break;
            case DW_OP_shl:
                depth--;
                stack[depth - 1] <<= stack[depth];
                break;
            case DW_OP_ge: /* small numbers only */
                depth--;
                stack[depth - 1] = stack[depth - 1] >= stack[depth];
                break;
            case DW_OP_stack_value:
                place->where = VT_CFI_VALUE;
                break;
            default:
                return false;
            }
        }
    }
    place->at = stack[depth - 1] & mask;
    return true;
}

struct compared {
    size_t steps, registers, outermost, signals, unjudged;
};

/* One place in the code, as both see it. */
static void compare_at(Dwarf_CFI *cfi, const struct vt_unwind_tables *tables,
                       const struct vt_unwind_entry *entry, vt_addr at, struct thread *t,
                       struct compared *compared)
{
    const struct vt_cfi_machine *machine = t->source.machine;
    struct vt_unwind_program program;
    struct vt_cfi_frame frame;
    Dwarf_Frame *theirs;
    struct vt_cfi_place cfa, wanted;
    Dwarf_Op *ops, room[3];
    size_t count;
    bool signal;

    if (dwarf_cfi_addrframe(cfi, at, &theirs) != 0)
        fail_msg("%llx: libdw says %s", (unsigned long long)at, dwarf_errmsg(-1));
    assert_int_equal(dwarf_frame_info(theirs, NULL, NULL, &signal), (int)machine->ip);
    assert_int_equal(signal, entry->signal_frame);
    compared->signals += signal;
    vt_cfi_begin(&frame);
    assert_true(vt_unwind_tables_program(tables, entry, &program));
    enum vt_cfi_outcome outcome = vt_cfi_step(&t->source, &program, at, &frame);
    assert_int_equal(dwarf_frame_register(theirs, (int)machine->ip, room, &ops, &count), 0);
    if (outcome == VT_CFI_OUTERMOST) {
        assert_true(count == 0 && ops == room);
        compared->outermost++;
        free(theirs);
        return;
    }
    if (outcome != VT_CFI_CALLER)
        fail_msg("%llx: outcome %d", (unsigned long long)at, outcome);
    compared->steps++;
    assert_int_equal(dwarf_frame_cfa(theirs, &ops, &count), 0);
    if (!oracle(t, ops, count, 0, &cfa)) {
        compared->unjudged++;
        free(theirs);
        return;
    }
    for (unsigned i = 0; i < machine->columns; i++) {
        const struct vt_cfi_place *ours = &frame.registers[i];
        assert_int_equal(dwarf_frame_register(theirs, (int)i, room, &ops, &count), 0);
        if (count == 0 && ops == room &&
            ((ours->where == VT_CFI_OWN && ours->at == i) ||
             (ours->where == VT_CFI_VALUE && ours->at == own_register(t, i))))
            continue; /* a register that calls need not keep: nothing was said of it */
        if (count == 0)
            wanted = ops ? (struct vt_cfi_place){VT_CFI_LOST, 0}
                         : (struct vt_cfi_place){VT_CFI_OWN, i};
        else if (!oracle(t, ops, count, cfa.at, &wanted)) {
            compared->unjudged++;
            continue;
        }
        uint64_t value;
        if (ours->where == VT_CFI_VALUE && wanted.where == VT_CFI_OWN && /* it was asked for */
            (value = own_register(t, (unsigned)wanted.at)) == ours->at)
            wanted = *ours;
        if (ours->where != wanted.where || (ours->where && ours->at != wanted.at))
            fail_msg("%llx: register %u: %d, %llx; libdw: %d, %llx", (unsigned long long)at, i,
                     ours->where, (unsigned long long)ours->at, wanted.where,
                     (unsigned long long)wanted.at);
        compared->registers++;
    }
    free(theirs);
}

/* Does libdw know of the code at all? Of .debug_frame or of .eh_frame it knows, not of both. */
static bool knows(Dwarf_CFI *cfi, vt_addr at)
{
    Dwarf_Frame *frame;

    if (dwarf_cfi_addrframe(cfi, at, &frame) != 0)
        return false;
    free(frame);
    return true;
}

static void compare_file(const char *path, bool debug_frame)
{
    struct vt_unwind_tables *tables = NULL;
    struct compared compared = {0};
    struct vt_elf *facts = NULL;
    struct thread t;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    assert_int_equal(vt_elf_read(fd, &facts, NULL), 0);
    assert_int_equal(vt_unwind_tables_read(fd, NULL, &tables, NULL), 0);
    begin(&t, facts->class_bits == 64 ? &x86_64 : &i386);
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    Dwarf *dwarf = debug_frame ? dwarf_begin_elf(elf, DWARF_C_READ, NULL) : NULL;
    Dwarf_CFI *cfi = debug_frame ? dwarf_getcfi(dwarf) : dwarf_getcfi_elf(elf);
    assert_non_null(cfi);
    for (size_t i = 0; i < facts->segment_count; i++) {
        const struct vt_elf_segment *segment = &facts->segments[i];
        vt_addr end = segment->vaddr + segment->memsz;
        /* Each function's first and last place, and some between. */
        for (vt_addr at = segment->vaddr; segment->prot & VT_PROT_EXEC && at < end;) {
            const struct vt_unwind_entry *entry = vt_unwind_tables_find(tables, at);
            if (entry && knows(cfi, at))
                compare_at(cfi, tables, entry, at, &t, &compared);
            if (!entry || at == entry->end - 1)
                at++;
            else
                at = vt_min(at + 7, entry->end - 1);
        }
    }
    print_message("%s: %zu steps with %zu registers, %zu in signals' code, %zu outermost, "
                  "%zu not judged\n",
                  path, compared.steps, compared.registers, compared.signals, compared.outermost,
                  compared.unjudged);
    assert_true(compared.steps > 100 && compared.registers >= 3 * compared.steps);
    assert_int_equal(compared.unjudged, 0);
    if (debug_frame)
        dwarf_end(dwarf);
    else
        dwarf_cfi_end(cfi);
    elf_end(elf);
    vt_unwind_tables_destroy(tables);
    vt_elf_destroy(facts);
    close(fd);
}

static void test_files(void **state)
{
    static const struct {
        const char *path;
        bool debug_frame;
    } files[] = {
        {FIXTURE_DIR "/stacks-m32", false},
        {FIXTURE_DIR "/stacks-m32-static", false},
        {FIXTURE_DIR "/stacks-m32-debug-frame", true},
        {FIXTURE_DIR "/stacks-debug-frame", true},
        {"/lib32/libc.so.6", false},
        {"/lib32/libstdc++.so.6", false},
        {"/lib/i386-linux-gnu/libc.so.6", false},
        {"/lib/x86_64-linux-gnu/libc.so.6", false},
        {"/proc/self/exe", false},
    };

    (void)state;
    for (size_t i = 0; i < VT_COUNTOF(files); i++)
        compare_file(files[i].path, files[i].debug_frame);
}

/* ---- whatever bytes ---------------------------------------------------------------------- */

static unsigned seed = 1;

static unsigned random_below(unsigned bound)
{
    return (unsigned)rand_r(&seed) % bound;
}

/* Operations that have operands, mostly; how many bytes. */
static size_t random_expression(unsigned char *out)
{
    static const unsigned char operations[] = {DW_OP_deref, DW_OP_dup,  DW_OP_plus, DW_OP_swap,
                                               DW_OP_minus, DW_OP_over, DW_OP_drop, DW_OP_div,
                                               DW_OP_rot,   DW_OP_shl,  DW_OP_ge,   DW_OP_abs};
    size_t n = 0, count = 1 + random_below(6);

    for (size_t i = 0; i < count; i++) {
        switch (random_below(5)) {
        case 0:
            out[n++] = (unsigned char)(DW_OP_lit0 + random_below(32));
            break;
        case 1:
            out[n++] = (unsigned char)(DW_OP_breg0 + random_below(random_below(4) ? 9 : 32));
            out[n++] = (unsigned char)random_below(128);
            break;
        case 2:
            if (random_below(3))
                continue;
            out[n++] = random_below(2) ? DW_OP_skip : DW_OP_bra;
            out[n] = (unsigned char)(random_below(8) - 5);
            out[n + 1] = out[n] & 0x80 ? 0xff : 0;
            n += 2;
            break;
        default:
            out[n++] = operations[random_below(sizeof(operations))];
            break;
        }
    }
    return n;
}

static size_t random_instruction(unsigned char *out)
{
    static const unsigned char of_number[] = {DW_CFA_def_cfa_offset, DW_CFA_def_cfa_register,
                                              DW_CFA_GNU_args_size, DW_CFA_undefined,
                                              DW_CFA_same_value};
    unsigned char reg = (unsigned char)random_below(random_below(8) ? 9 : 64);
    size_t length;

    switch (random_below(8)) {
    case 0:
        out[0] = random_below(2) ? DW_CFA_def_cfa : DW_CFA_register;
        out[1] = reg;
        out[2] = (unsigned char)random_below(9);
        return 3;
    case 1:
        out[0] = DW_CFA_offset | reg;
        out[1] = (unsigned char)random_below(32);
        return 2;
    case 2:
        out[0] = DW_CFA_def_cfa_expression;
        length = random_expression(out + 2);
        out[1] = (unsigned char)length;
        return 2 + length;
    case 3:
        out[0] = random_below(2) ? DW_CFA_expression : DW_CFA_val_expression;
        out[1] = reg;
        length = random_expression(out + 3);
        out[2] = (unsigned char)length;
        return 3 + length;
    case 4:
        out[0] = DW_CFA_remember_state;
        length = 1 + random_instruction(out + 1);
        out[length] = DW_CFA_restore_state;
        return length + 1;
    case 5:
        out[0] = (unsigned char)(DW_CFA_advance_loc | random_below(16));
        return 1;
    case 6:
        out[0] = DW_CFA_restore | reg;
        return 1;
    default:
        out[0] = of_number[random_below(sizeof(of_number))];
        out[1] = reg;
        return 2;
    }
}

/* Programs of which most make sense, and some of their bytes none: each step's work is bounded. */
static void test_random_programs(void **state)
{
    size_t outcomes[4] = {0};

    (void)state;
    for (int round = 0; round < 100000; round++) {
        unsigned char bytes[512], *heap;
        size_t length = 0;
        struct vt_cfi_frame frame;
        struct thread t;
        uint64_t value;
        for (unsigned i = random_below(8); i > 0 && length < 300; i--)
            length += random_instruction(bytes + length);
        for (unsigned i = random_below(4); i > 1 && length; i--)
            bytes[random_below((unsigned)length)] = (unsigned char)random_below(256);
        /* On the heap and no larger, so that a sanitizer sees what is read beyond. */
        heap = malloc(length + 1);
        assert_non_null(heap);
        memcpy(heap, bytes, length);
        struct vt_unwind_program program = program_of(COMMON, heap, length);
        if (!random_below(8))
            program.common = program.own;
        begin(&t, random_below(2) ? &i386 : &x86_64);
        program.return_register = random_below(8) ? 8 : random_below(80);
        program.encoding = (unsigned char)(random_below(2) ? 0 : random_below(256));
        vt_cfi_begin(&frame);
        for (int step = 0; step < 4; step++) {
            enum vt_cfi_outcome outcome =
                vt_cfi_step(&t.source, &program, 0x1000 + random_below(64), &frame);
            outcomes[outcome]++;
            if (outcome != VT_CFI_CALLER)
                break;
            for (unsigned i = 0; i < t.source.machine->columns; i++)
                if (vt_cfi_value(&t.source, &frame, i, &value) && t.source.machine->word == 4)
                    assert_true(value <= UINT32_MAX);
        }
        assert_true(t.reads < 5000);
        free(heap);
    }
    print_message("%zu callers, %zu outermost, %zu malformed, %zu unreadable\n",
                  outcomes[VT_CFI_CALLER], outcomes[VT_CFI_OUTERMOST], outcomes[VT_CFI_MALFORMED],
                  outcomes[VT_CFI_UNREADABLE]);
    for (size_t i = 0; i < VT_COUNTOF(outcomes); i++)
        assert_true(outcomes[i] > 100);
}

/* A thread of a program whose file is damaged, with a stack of numbers that often are code. */
struct damaged {
    struct vt_unwind_tables *tables;
    vt_addr code_start, code_end;
    size_t reads;
    size_t bytes;
};

static size_t read_damaged(void *context, vt_addr addr, void *to, size_t length)
{
    struct damaged *d = context;
    unsigned char *out = to;

    d->reads++;
    if (addr < 0xff000000 || addr >= 0xff800000)
        return 0;
    length = (size_t)vt_min(length, 0xff800000 - addr);
    d->bytes += length;
    for (size_t i = 0; i < length; i++) {
        uint32_t hash = (uint32_t)((addr + i) / 4) * UINT32_C(2654435761);
        uint32_t word =
            hash & 7 ? (uint32_t)(d->code_start + (hash >> 1) % (d->code_end - d->code_start))
                     : 0xff000000 + (hash >> 8) % 0x100000;
        out[i] = (unsigned char)(word >> (8 * ((addr + i) % 4)));
    }
    return length;
}

static enum vt_code find_damaged(void *context, vt_addr ip, struct vt_code_place *place)
{
    struct damaged *d = context;

    *place = (struct vt_code_place){.tables = d->tables};
    return ip >= d->code_start && ip < d->code_end ? VT_CODE_IMAGE : VT_CODE_NOWHERE;
}

static void test_damaged_files(void **state)
{
    static const char *const paths[] = {FIXTURE_DIR "/stacks-m32-static",
                                        FIXTURE_DIR "/stacks-m32-debug-frame"};
    struct vt_unwinder *unwinder = vt_unwinder_create(VT_STACK_MAX);
    size_t frames = 0, walks = 0;

    (void)state;
    assert_non_null(unwinder);
    for (size_t p = 0; p < VT_COUNTOF(paths); p++) {
        struct stat st;
        struct vt_elf *facts;
        int in = open(paths[p], O_RDONLY | O_CLOEXEC);
        if (in < 0)
            continue;
        assert_int_equal(vt_elf_read(in, &facts, NULL), 0);
        assert_int_equal(fstat(in, &st), 0);
        unsigned char *bytes = malloc((size_t)st.st_size);
        assert_non_null(bytes);
        assert_int_equal(read(in, bytes, (size_t)st.st_size), st.st_size);
        close(in);
        for (int round = 0; round < 60; round++) {
            struct damaged d = {.code_start = UINT64_MAX};
            for (size_t i = 0; i < facts->segment_count; i++) {
                const struct vt_elf_segment *s = &facts->segments[i];
                if (!(s->prot & VT_PROT_EXEC))
                    continue;
                d.code_start = s->vaddr;
                d.code_end = s->vaddr + s->memsz;
            }
            int fd = memfd_create("damaged", MFD_CLOEXEC);
            assert_int_equal(write(fd, bytes, (size_t)st.st_size), st.st_size);
            for (int i = 0; round && i < 1 << round % 16; i++) {
                unsigned char byte = (unsigned char)random_below(256);
                off_t at = random_below((unsigned)st.st_size);
                assert_int_equal(pwrite(fd, &byte, 1, at), 1);
            }
            if (vt_unwind_tables_read(fd, NULL, &d.tables, NULL) == 0) {
                const struct vt_unwind_source source = {&d, read_damaged, find_damaged, 0};
                for (int i = 0; i < 200; i++) {
                    struct vt_registers registers = {.machine = VT_MACHINE_I386};
                    struct vt_unwound unwound;
                    for (size_t r = 0; r < 8; r++)
                        registers.values[r] = 0xff000000 + random_below(0x100000);
                    registers.values[8] = d.code_start +
                                          random_below((unsigned)(d.code_end - d.code_start));
                    d.reads = 0;
                    vt_unwind(unwinder, &source, &registers, &unwound);
                    assert_in_range(unwound.count, 1, VT_STACK_MAX);
                    assert_true(d.reads < 100000);
                    frames += unwound.count;
                    walks++;
                }
                vt_unwinder_code_changed(unwinder, true);
                vt_unwind_tables_destroy(d.tables);
            }
            close(fd);
        }
        free(bytes);
        vt_elf_destroy(facts);
    }
    vt_unwinder_destroy(unwinder);
    if (!walks)
        skip(); /* this compiler makes no programs for 32 bits */
    print_message("%zu stacks, %zu frames\n", walks, frames);
    assert_true(frames > walks + walks / 4); /* not all of it was for nothing */
}

/* ---- functions without tables --------------------------------------------------------- */

enum {
    FRAMED = 0x10000, /* a page of functions that keep a frame pointer */
    CALLER = 0x20000, /* a page of code of which nothing is known */
    DATA = 0x30000,   /* no code */
    STACK = 0x7f000000,
    STACK_WORDS = 600,
};

/* Where a call ends in CALLER's page, and where none does. */
static const struct {
    const char *bytes;
    size_t length;
    bool call;
} before_return[] = {
    {"\xe8\x01\x02\x03\x04", 5, true},         /* call */
    {"\xff\xd0", 2, true},                     /* call *%eax */
    {"\xff\x14\x24", 3, true},                 /* call *(%esp) */
    {"\xff\x50\x08", 3, true},                 /* call *8(%eax) */
    {"\xff\x54\x24\x08", 4, true},             /* call *8(%esp) */
    {"\xff\x90\x01\x02\x03\x04", 6, true},     /* call *disp(%eax) */
    {"\xff\x94\x24\x01\x02\x03\x04", 7, true}, /* call *disp(%esp) */
    {"\x65\xff\x15\x10\x00\x00\x00", 7, true}, /* call *%gs:16 */
    {"\xff\xe0", 2, false},                    /* jmp *%eax */
    {"\xe9\x01\x02\x03\x04", 5, false},        /* jmp */
    {"\xc3", 1, false},                        /* ret */
    {"\xff\x35\x01\x02\x03\x04", 6, false},    /* push */
};
#define RETURN(i) (CALLER + 64 * ((i) + 1))

/* What glibc's makecontext(3) makes a function return to, behind a ret. */
#define CONTEXT_END (CALLER + 2048)

struct framed {
    unsigned char caller[4096];
    uint32_t stack[STACK_WORDS];
};

static size_t read_framed(void *context, vt_addr addr, void *to, size_t length)
{
    const struct framed *f = context;
    const struct {
        vt_addr start;
        size_t length;
        const void *bytes;
    } areas[] = {{CALLER, sizeof(f->caller), f->caller}, {STACK, sizeof(f->stack), f->stack}};

    for (size_t i = 0; i < VT_COUNTOF(areas); i++) {
        if (addr < areas[i].start || addr - areas[i].start >= areas[i].length)
            continue;
        size_t at = (size_t)(addr - areas[i].start);
        length = (size_t)vt_min(length, areas[i].length - at);
        memcpy(to, (const char *)areas[i].bytes + at, length);
        return length;
    }
    return 0;
}

static enum vt_code find_framed(void *context, vt_addr ip, struct vt_code_place *place)
{
    vt_addr page = vt_round_down(ip, 4096);

    (void)context;
    *place = (struct vt_code_place){.framed = page == FRAMED};
    return page == FRAMED || page == CALLER ? VT_CODE_BARE : VT_CODE_NOWHERE;
}

/* A stack is unwound by a frame pointer only where this is certainly the function's own. */
static void test_framed(void **state)
{
    enum { RA = RETURN(0), JUMP = RETURN(8), LOCAL = 0x1234, ELSEWHERE = 1 << 20 };
    static const struct {
        const char *what;
        uint32_t words[8]; /* from the stack pointer on */
        int base;          /* the frame pointer, in words from there; or ELSEWHERE */
        size_t count;      /* of frames */
    } rows[] = {
        {"in the function", {LOCAL, DATA, 7, STACK, RA}, 3, 2},
        {"without variables", {STACK, RA}, 0, 2},
        {"with an address of code", {JUMP, RETURN(10), CALLER + 9, STACK, RA}, 3, 2},
        {"with a return address that is old", {LOCAL, RA, 7, STACK, RA}, 3, 1},
        {"at its first instruction", {RA, LOCAL, LOCAL, STACK, RETURN(1)}, 3, 1},
        {"at its second", {STACK + 12, RA, LOCAL, STACK, RETURN(1)}, 3, 1},
        {"at its first, called by one without frame pointer", {RA}, ELSEWHERE, 1},
        {"at its first, with a frame pointer below", {RA, LOCAL, LOCAL}, -1, 1},
        {"where nothing called", {LOCAL, STACK, JUMP}, 1, 1},
        {"where no code is", {LOCAL, STACK, DATA}, 1, 1},
        {"with a frame that is too large", {LOCAL}, 300, 1},
        {"behind the end of the stack", {LOCAL}, STACK_WORDS - 101, 1},
        {"called by nothing, as contexts are", {LOCAL, STACK, CONTEXT_END}, 1, 1},
    };
    struct vt_unwinder *unwinder = vt_unwinder_create(16);
    struct vt_unwound unwound;
    struct framed f = {0};
    const struct vt_unwind_source source = {&f, read_framed, find_framed, 0};

    (void)state;
    assert_non_null(unwinder);
    for (size_t i = 0; i < VT_COUNTOF(before_return); i++)
        memcpy(f.caller + (RETURN(i) - CALLER) - before_return[i].length, before_return[i].bytes,
               before_return[i].length);
    memcpy(f.caller + (CONTEXT_END - CALLER) - 1, "\xc3\x8d\x24\x9c\x83\x3c\x24\x00", 8);
    for (size_t i = 0; i < VT_COUNTOF(rows); i++) {
        struct vt_registers registers = {.machine = VT_MACHINE_I386};
        vt_addr sp = STACK + 400;
        memset(f.stack, 0, sizeof(f.stack));
        memcpy(f.stack + 100, rows[i].words, sizeof(rows[i].words));
        registers.values[4] = sp;
        registers.values[5] = rows[i].base == ELSEWHERE ? LOCAL : sp + 4 * (vt_addr)rows[i].base;
        registers.values[8] = FRAMED + 100;
        vt_unwind(unwinder, &source, &registers, &unwound);
        if (unwound.count != rows[i].count || unwound.end != VT_STACK_NO_TABLES)
            fail_msg("%s: %zu frames, end %d", rows[i].what, unwound.count, unwound.end);
        if (unwound.count == 2)
            assert_int_equal(unwound.frames[1].ip, RA);
    }
    for (size_t i = 0; i < VT_COUNTOF(before_return); i++) {
        struct vt_registers registers = {.machine = VT_MACHINE_I386};
        memset(f.stack, 0, sizeof(f.stack));
        f.stack[102] = (uint32_t)RETURN(i);
        registers.values[4] = STACK + 400;
        registers.values[5] = STACK + 404;
        registers.values[8] = FRAMED + 100;
        vt_unwind(unwinder, &source, &registers, &unwound);
        assert_int_equal(unwound.count, before_return[i].call ? 2 : 1);
    }

    /* There a stack ends that makecontext(3) began. */
    struct vt_registers registers = {.machine = VT_MACHINE_I386};
    registers.values[4] = STACK + 400;
    registers.values[8] = CONTEXT_END;
    vt_unwind(unwinder, &source, &registers, &unwound);
    assert_int_equal(unwound.count, 1);
    assert_int_equal(unwound.end, VT_STACK_COMPLETE);
    vt_unwinder_destroy(unwinder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instructions),    cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_expressions),     cmocka_unit_test(test_files),
        cmocka_unit_test(test_random_programs), cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_framed),
    };

    /* Other random bytes than each time, for whoever wants to look further. */
    if (getenv("VASTRACE_TEST_SEED"))
        seed = (unsigned)strtoul(getenv("VASTRACE_TEST_SEED"), NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
