/*
 * fuzz_cfi.c - call frame instructions and expressions: random programs, run on
 * a thread of each machine. They end, in a bounded number of reads, with one of
 * the outcomes there are.
 */
#include "fuzz.h"
#include "image/cfi.h"

static const struct vt_cfi_machine machines[] = {{4, 9, 4, 8}, {8, 17, 7, 16}};

struct thread {
    uint64_t seed;
    size_t reads;
};

static uint64_t own_register(void *context, unsigned number)
{
    const struct thread *t = context;
    return UINT64_C(0x7ffc00001000) + number * 8 + (t->seed & 0xff) * 4096;
}

static bool read_word(void *context, vt_addr address, uint64_t *word)
{
    struct thread *t = context;
    t->reads++;
    *word = (address ^ t->seed) * UINT64_C(0x9e3779b97f4a7c15);
    return address % 16 != 0 || t->seed % 3 != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes bytes = {data, size};
    uint64_t flags = fuzz_take(&bytes, 1);
    struct thread thread = {.seed = fuzz_take(&bytes, 2)};
    const struct vt_cfi_machine *machine = &machines[flags & 1];
    size_t common = fuzz_take(&bytes, 1), at = fuzz_take(&bytes, 1);
    if (common > bytes.left)
        common = bytes.left;
    const unsigned char *begin = bytes.at;
    struct vt_unwind_program program = {
        .common = {begin, begin + common, false},
        .own = {begin + common, begin + bytes.left, false},
        .start = 0x401000,
        .code_alignment = flags & 2 ? 4 : 1,
        .data_alignment = machine->word == 4 ? -4 : -8,
        .return_register = machine->ip,
        .encoding = (unsigned char)(flags >> 4),
        .address_size = machine->word,
        .bytes = begin,
        .bytes_at = 0x402000,
    };
    struct vt_cfi_source source = {machine, &thread, own_register, read_word};
    struct vt_cfi_frame frame;
    vt_cfi_begin(&frame);
    for (int step = 0; step < 4; step++) {
        thread.reads = 0;
        enum vt_cfi_outcome outcome = vt_cfi_step(&source, &program, 0x401000 + at, &frame);
        FUZZ_CHECK(outcome <= VT_CFI_UNREADABLE);
        FUZZ_CHECK(thread.reads < 100000);
        if (outcome != VT_CFI_CALLER)
            break;
        for (unsigned i = 0; i < machine->columns; i++) {
            uint64_t value;
            FUZZ_CHECK(frame.registers[i].where <= VT_CFI_VALUE);
            FUZZ_CHECK(frame.registers[i].where != VT_CFI_OWN ||
                       frame.registers[i].at < machine->columns);
            vt_cfi_value(&source, &frame, i, &value);
        }
    }
    return 0;
}
