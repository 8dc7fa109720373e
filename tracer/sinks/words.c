/*
 * words.c - hides how errors, signals, durations and the arguments of system
 * calls are put into words.
 *
 * Invariant: what is not known by name is given as its number, never left out.
 */
#include "sinks/words.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/base.h"

/* Results that never reach a program: a signal came first and the call starts again, or not. */
static const struct {
    int error;
    const char *name;
    const char *meaning;
} kernel_errors[] = {
    {512, "ERESTARTSYS", "interrupted by a signal, may start again"},
    {513, "ERESTARTNOINTR", "interrupted by a signal, will start again"},
    {514, "ERESTARTNOHAND", "interrupted by a signal, starts again without a handler"},
    {516, "ERESTART_RESTARTBLOCK", "interrupted by a signal, goes on by restart_syscall"},
};

const char *vt_errno_name(int error)
{
    for (size_t i = 0; i < VT_COUNTOF(kernel_errors); i++)
        if (kernel_errors[i].error == error)
            return kernel_errors[i].name;
    return strerrorname_np(error);
}

const char *vt_errno_meaning(int error)
{
    for (size_t i = 0; i < VT_COUNTOF(kernel_errors); i++)
        if (kernel_errors[i].error == error)
            return kernel_errors[i].meaning;
    return strerrordesc_np(error);
}

void vt_add_errno(struct vt_buf *out, int error)
{
    const char *name = vt_errno_name(error);

    if (name)
        vt_buf_str(out, name);
    else
        vt_buf_printf(out, "E%d", error);
}

const char *vt_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

const char *vt_file_name(const char *path)
{
    static const char memfd[] = "/memfd:";

    if (strncmp(path, memfd, sizeof(memfd) - 1) == 0)
        return path + 1; /* the name behind it is the program's and may hold slashes */
    return strncmp(path, "/dev/", 5) == 0 ? path : vt_base_name(path);
}

void vt_add_signal(struct vt_buf *out, int number)
{
    const char *name = sigabbrev_np(number);

    if (name)
        vt_buf_printf(out, "SIG%s", name);
    else if (number >= SIGRTMIN && number <= SIGRTMAX)
        vt_buf_printf(out, "SIGRTMIN+%d", number - SIGRTMIN);
    else
        vt_buf_printf(out, "signal %d", number);
}

void vt_add_duration(struct vt_buf *out, int64_t ns)
{
    if (ns < 0)
        ns = 0;
    /* The bounds are where rounding would give the next unit's first number. */
    if (ns < 999500)
        vt_buf_printf(out, "%.0f us", (double)ns / 1e3);
    else if (ns < 999950000)
        vt_buf_printf(out, "%.1f ms", (double)ns / 1e6);
    else if (ns < INT64_C(59995) * 1000000)
        vt_buf_printf(out, "%.2f s", (double)ns / 1e9);
    else {
        int64_t seconds = (ns + 500000000) / 1000000000;
        if (seconds < 3600)
            vt_buf_printf(out, "%d min %d s", (int)(seconds / 60), (int)(seconds % 60));
        else
            vt_buf_printf(out, "%lld h %d min", (long long)(seconds / 3600),
                          (int)(seconds % 3600 / 60));
    }
}

struct bit {
    uint64_t value;
    const char *name;
};

/* The sharing type is a number in the lowest bits, not a bit: see add_mmap_flags(). */
static const struct bit map_types[] = {
    {MAP_SHARED, "MAP_SHARED"},
    {MAP_PRIVATE, "MAP_PRIVATE"},
    {MAP_SHARED_VALIDATE, "MAP_SHARED_VALIDATE"},
};

static const struct bit mmap_bits[] = {
    {MAP_FIXED, "MAP_FIXED"},
    {MAP_ANONYMOUS, "MAP_ANONYMOUS"},
    {MAP_GROWSDOWN, "MAP_GROWSDOWN"},
    {MAP_DENYWRITE, "MAP_DENYWRITE"},
    {MAP_LOCKED, "MAP_LOCKED"},
    {MAP_NORESERVE, "MAP_NORESERVE"},
    {MAP_POPULATE, "MAP_POPULATE"},
    {MAP_NONBLOCK, "MAP_NONBLOCK"},
    {MAP_STACK, "MAP_STACK"},
    {MAP_HUGETLB, "MAP_HUGETLB"},
    {MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE"},
};

static const struct bit mremap_bits[] = {
    {MREMAP_MAYMOVE, "MREMAP_MAYMOVE"},
    {MREMAP_FIXED, "MREMAP_FIXED"},
    {4, "MREMAP_DONTUNMAP"},
};

static const struct bit advice_values[] = {
    {MADV_NORMAL, "MADV_NORMAL"},
    {MADV_RANDOM, "MADV_RANDOM"},
    {MADV_SEQUENTIAL, "MADV_SEQUENTIAL"},
    {MADV_WILLNEED, "MADV_WILLNEED"},
    {MADV_DONTNEED, "MADV_DONTNEED"},
    {MADV_FREE, "MADV_FREE"},
    {MADV_REMOVE, "MADV_REMOVE"},
    {MADV_DONTFORK, "MADV_DONTFORK"},
    {MADV_DOFORK, "MADV_DOFORK"},
    {MADV_MERGEABLE, "MADV_MERGEABLE"},
    {MADV_UNMERGEABLE, "MADV_UNMERGEABLE"},
    {MADV_HUGEPAGE, "MADV_HUGEPAGE"},
    {MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE"},
    {MADV_DONTDUMP, "MADV_DONTDUMP"},
    {MADV_DODUMP, "MADV_DODUMP"},
    {MADV_WIPEONFORK, "MADV_WIPEONFORK"},
    {MADV_KEEPONFORK, "MADV_KEEPONFORK"},
    {MADV_COLD, "MADV_COLD"},
    {MADV_PAGEOUT, "MADV_PAGEOUT"},
    {22, "MADV_POPULATE_READ"},
    {23, "MADV_POPULATE_WRITE"},
    {24, "MADV_DONTNEED_LOCKED"},
    {25, "MADV_COLLAPSE"},
    {102, "MADV_GUARD_INSTALL"},
    {103, "MADV_GUARD_REMOVE"},
};

static const struct bit prctl_values[] = {
    {PR_SET_MM, "PR_SET_MM"},
    {0x53564d41, "PR_SET_VMA"},
};

static void add_number(struct vt_buf *out, uint64_t value)
{
    if (value > 9)
        vt_buf_str(out, "0x");
    vt_buf_hex(out, value, 0);
}

static void add_address(struct vt_buf *out, uint64_t value)
{
    vt_buf_hex(out, value, 0);
}

/* In the largest unit that says it exactly: 16K, 1536K, 4097. */
static void add_size(struct vt_buf *out, uint64_t value)
{
    unsigned unit = 0;

    while (value && unit < 6 && value % 1024 == 0) {
        value /= 1024;
        unit++;
    }
    vt_buf_dec(out, value);
    if (unit)
        vt_buf_char(out, " KMGTPE"[unit]);
}

/* Descriptors are C ints: -1 arrives as 2^32 - 1 or 2^64 - 1. */
static void add_descriptor(struct vt_buf *out, uint64_t value)
{
    vt_buf_printf(out, "%d", (int)(uint32_t)value);
}

static void add_prot(struct vt_buf *out, uint64_t value)
{
    char text[5];

    vt_prot_text((uint8_t)(value & 7), 0, text);
    vt_buf_add(out, text, 3); /* the fourth says how a region is shared */
    if (value & ~UINT64_C(7)) {
        vt_buf_char(out, '|');
        add_number(out, value & ~UINT64_C(7));
    }
}

/* Names of the bits that are set, then the rest as one number; `separator` precedes the first. */
static void add_bits(struct vt_buf *out, uint64_t value, const struct bit *bits, size_t count,
                     const char *separator)
{
    for (size_t i = 0; i < count; i++) {
        if (!(value & bits[i].value))
            continue;
        vt_buf_str(out, separator);
        vt_buf_str(out, bits[i].name);
        separator = "|";
        value &= ~bits[i].value;
    }
    if (value || !*separator) {
        vt_buf_str(out, separator);
        add_number(out, value);
    }
}

static void add_value(struct vt_buf *out, uint64_t value, const struct bit *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (values[i].value == value) {
            vt_buf_str(out, values[i].name);
            return;
        }
    }
    add_number(out, value);
}

static void add_mmap_flags(struct vt_buf *out, uint64_t value)
{
    add_value(out, value & 0xf, map_types, VT_COUNTOF(map_types));
    add_bits(out, value & ~UINT64_C(0xf), mmap_bits, VT_COUNTOF(mmap_bits), "|");
}

static void add_mremap_flags(struct vt_buf *out, uint64_t value)
{
    add_bits(out, value, mremap_bits, VT_COUNTOF(mremap_bits), "");
}

static void add_advice(struct vt_buf *out, uint64_t value)
{
    add_value(out, (uint32_t)value, advice_values, VT_COUNTOF(advice_values));
}

static void add_prctl(struct vt_buf *out, uint64_t value)
{
    add_value(out, (uint32_t)value, prctl_values, VT_COUNTOF(prctl_values));
}

/* How an argument is read: by its name and, where that is not enough, the call's. First match. */
/* clang-format off */
static const struct {
    const char *argument; /* a part of the name */
    const char *call;     /* a part of the call's name; null: any */
    void (*add)(struct vt_buf *out, uint64_t value);
} styles[] = {
    {"addr", NULL, add_address},
    {"start", NULL, add_address},
    {"brk", NULL, add_address},
    {"len", NULL, add_size},
    {"size", NULL, add_size},
    {"prot", NULL, add_prot},
    {"flags", "mmap", add_mmap_flags},
    {"flags", "mremap", add_mremap_flags},
    {"advice", NULL, add_advice},
    {"behavior", NULL, add_advice},
    {"option", "prctl", add_prctl},
    {"fd", NULL, add_descriptor},
};
/* clang-format on */

static void add_argument(struct vt_buf *out, const struct vt_call *call, unsigned index)
{
    const char *name = call->arg_names ? call->arg_names[index] : NULL;

    if (!name) {
        add_number(out, call->args[index]);
        return;
    }
    vt_buf_str(out, name);
    vt_buf_char(out, '=');
    for (size_t i = 0; i < VT_COUNTOF(styles); i++) {
        if (!strstr(name, styles[i].argument))
            continue;
        if (styles[i].call && !strstr(call->name, styles[i].call))
            continue;
        styles[i].add(out, call->args[index]);
        return;
    }
    add_number(out, call->args[index]);
}

void vt_add_call(struct vt_buf *out, const struct vt_call *call)
{
    vt_buf_str(out, call->name);
    vt_buf_char(out, '(');
    for (unsigned i = 0; i < call->arg_count && i < VT_COUNTOF(call->args); i++) {
        if (i)
            vt_buf_str(out, ", ");
        add_argument(out, call, i);
    }
    vt_buf_char(out, ')');
}

void vt_add_result(struct vt_buf *out, int64_t result)
{
    if (result >= 0 && result < 0x10000) { /* vm.mmap_min_addr's usual value: no address */
        vt_buf_dec(out, (uint64_t)result);
    } else {
        vt_buf_str(out, "0x");
        vt_buf_hex(out, (uint64_t)result, 0);
    }
}

static void add_table(struct vt_buf *out, const char *name, const struct bit *bits, size_t count)
{
    vt_buf_printf(out, "\"%s\":{", name);
    for (size_t i = 0; i < count; i++)
        vt_buf_printf(out, "%s\"%llu\":\"%s\"", i ? "," : "", (unsigned long long)bits[i].value,
                      bits[i].name);
    vt_buf_str(out, "},");
}

void vt_add_words_json(struct vt_buf *out)
{
    enum { ERRORS_END = 520 }; /* beyond the kernel's own */
    const char *separator = "";

    vt_buf_char(out, '{');
    add_table(out, "mapType", map_types, VT_COUNTOF(map_types));
    add_table(out, "mmap", mmap_bits, VT_COUNTOF(mmap_bits));
    add_table(out, "mremap", mremap_bits, VT_COUNTOF(mremap_bits));
    add_table(out, "advice", advice_values, VT_COUNTOF(advice_values));
    add_table(out, "prctl", prctl_values, VT_COUNTOF(prctl_values));
    vt_buf_str(out, "\"errors\":{");
    for (int error = 1; error < ERRORS_END; error++) {
        if (!vt_errno_name(error))
            continue;
        vt_buf_printf(out, "%s\"%d\":\"%s\"", separator, error, vt_errno_name(error));
        separator = ",";
    }
    vt_buf_str(out, "}}");
}
