/*
 * fuzz_symbols.c - names for addresses in a hostile ELF file: its symbols and
 * debug information, which libdw reads for us; and demangling.
 */
#include <string.h>

#include "fuzz.h"
#include "image/demangle.h"
#include "image/symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vt_elf *elf;
    struct vt_error err = {0};
    char name[256];
    size_t length = size < sizeof(name) - 1 ? size : sizeof(name) - 1;
    memcpy(name, data, length);
    name[length] = '\0';
    free(vt_demangle(name));

    int fd = fuzz_fd(data, size);
    if (vt_elf_read(fd, &elf, &err))
        return 0;
    struct vt_symbols *symbols =
        vt_symbols_create(fd, elf, "/nonexistent/program", "/nonexistent", true);
    FUZZ_CHECK(symbols);
    for (size_t i = 0; i < elf->segment_count && i < 4; i++) {
        const struct vt_elf_segment *s = &elf->segments[i];
        for (uint64_t at = 0; at < 8; at++) {
            struct vt_frame frame = {.address = s->vaddr + s->filesz / 8 * at,
                                     .interrupted = at % 2};
            vt_symbols_find(symbols, &frame);
            vt_frame_clear(&frame);
        }
    }
    vt_symbols_destroy(symbols);
    vt_elf_destroy(elf);
    return 0;
}
