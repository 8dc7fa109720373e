/*
 * style.c - hides which colour each kind of memory has, in the timeline and in pictures alike.
 */
#include "sinks/style.h"

#include <vastrace/layout.h>

/* Executable green, data warm, what programs ask for at run time blue and magenta, heap and stack
 * strong, what cannot be used or never changes faint, files plain. Red is for what went wrong. */
/* clang-format off */
static const char *const styles[VT_KIND_COUNT] = {
    [VT_KIND_TEXT] = "32",
    [VT_KIND_RODATA] = "36",
    [VT_KIND_DATA] = "33",
    [VT_KIND_BSS] = "33",
    [VT_KIND_RELRO] = "36",
    [VT_KIND_TLS] = "33",
    [VT_KIND_HEAP] = "1;35",
    [VT_KIND_STACK] = "1;94",
    [VT_KIND_THREAD_STACK] = "94",
    [VT_KIND_ANON] = "35",
    [VT_KIND_FILE] = "",
    [VT_KIND_SHM] = "95",
    [VT_KIND_GUARD] = "2",
    [VT_KIND_RESERVE] = "2",
    [VT_KIND_VDSO] = "2",
    [VT_KIND_VVAR] = "2",
    [VT_KIND_VSYSCALL] = "2",
    [VT_KIND_OTHER] = "",
};
/* clang-format on */

const char *vt_kind_style(uint8_t kind)
{
    return kind < VT_KIND_COUNT ? styles[kind] : VT_STYLE_NONE;
}
