/*
 * fuzz_unwind.c - the unwind tables of a hostile ELF file, and stacks that are
 * unwound by them: each of its functions is left, on a stack whose words are
 * made of the input.
 */
#include <string.h>

#include "fuzz.h"
#include "image/unwind.h"

#define STACK    UINT64_C(0x7ffc00000000)
#define STACK_OF (64 * 1024)

struct thread {
    const struct vt_unwind_tables *tables;
    const uint8_t *data;
    size_t size;
    vt_addr code; /* the first function's, to which return addresses lead */
};

static size_t read_memory(void *context, vt_addr addr, void *to, size_t length)
{
    const struct thread *t = context;
    unsigned char *out = to;
    if (addr < STACK || addr >= STACK + STACK_OF)
        return 0;
    if (length > STACK + STACK_OF - addr)
        length = STACK + STACK_OF - addr;
    for (size_t i = 0; i < length; i++) {
        uint64_t word = (addr + i) / 8 * 8;
        /* Some words point into the code, some into the stack, the others are the input's. */
        uint64_t value = word % 24 == 0   ? t->code + word % 64
                         : word % 24 == 8 ? STACK + (word * 7 + 8) % STACK_OF / 8 * 8
                                          : t->data[word / 8 % t->size];
        out[i] = (unsigned char)(value >> (addr + i) % 8 * 8);
    }
    return length;
}

static enum vt_code find(void *context, vt_addr ip, struct vt_code_place *place)
{
    const struct thread *t = context;
    *place = (struct vt_code_place){.tables = t->tables};
    return vt_unwind_tables_find(t->tables, ip) ? VT_CODE_IMAGE : VT_CODE_NOWHERE;
}

static void leave(struct thread *thread, enum vt_machine_kind machine, vt_addr ip)
{
    struct vt_unwind_source source = {.context = thread, .read = read_memory, .find = find};
    struct vt_registers registers = {.machine = machine};
    struct vt_unwound unwound;
    unsigned sp_number = machine == VT_MACHINE_I386 ? 4 : 7;
    unsigned ip_number = machine == VT_MACHINE_I386 ? 8 : 16;
    for (unsigned i = 0; i < VT_REGISTERS_MAX; i++)
        registers.values[i] = STACK + 64 * i;
    registers.values[sp_number] = STACK + 1024;
    registers.values[ip_number] = ip;

    struct vt_unwinder *unwinder = vt_unwinder_create(64);
    FUZZ_CHECK(unwinder);
    thread->code = ip;
    for (int again = 0; again < 2; again++) { /* the second time it may be answered from memory */
        vt_unwind(unwinder, &source, &registers, &unwound);
        FUZZ_CHECK(unwound.count >= 1 && unwound.count <= 64);
        FUZZ_CHECK(unwound.frames[0].ip == ip);
    }
    vt_unwinder_destroy(unwinder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_unwind_tables *tables;
    struct vt_error err = {0};
    if (!size)
        return 0;
    int rc = vt_unwind_tables_read(fuzz_fd(data, size), NULL, &tables, &err);
    FUZZ_CHECK(!tables == (rc != 0));
    if (rc < 0)
        fuzz_check_failure(rc, &err);
    if (rc)
        return 0;

    struct thread thread = {tables, data, size, 0};
    vt_addr from = 0;
    size_t found = 0;
    /* Entries are found by address only: try where the file has numbers that are some. */
    for (size_t at = 0; at + 8 <= size && found < 24; at += 4) {
        uint64_t address = 0;
        memcpy(&address, data + at, 8);
        const vt_addr tries[] = {address, address & UINT32_MAX, from + at};
        for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
            const struct vt_unwind_entry *entry = vt_unwind_tables_find(tables, tries[i]);
            uint64_t word;
            if (!entry)
                continue;
            FUZZ_CHECK(entry->start <= tries[i] && tries[i] < entry->end);
            vt_unwind_tables_word(tables, entry->at / 8 * 8, &word);
            if (found++ < 24)
                leave(&thread, at % 8 ? VT_MACHINE_I386 : VT_MACHINE_X86_64, tries[i]);
        }
    }
    vt_unwind_tables_destroy(tables);
    return 0;
}
