/*
 * names.c - the words for kinds, causes and permissions: one table each, used
 * by every output and every option that takes such a word.
 */
#include <string.h>

#include "base/base.h"
#include <vastrace/event.h>
#include <vastrace/layout.h>

static const char *const kind_names[VT_KIND_COUNT] = {
    [VT_KIND_TEXT] = "text",
    [VT_KIND_RODATA] = "rodata",
    [VT_KIND_DATA] = "data",
    [VT_KIND_BSS] = "bss",
    [VT_KIND_RELRO] = "relro",
    [VT_KIND_TLS] = "tls",
    [VT_KIND_HEAP] = "heap",
    [VT_KIND_STACK] = "stack",
    [VT_KIND_THREAD_STACK] = "thread-stack",
    [VT_KIND_ANON] = "anon",
    [VT_KIND_FILE] = "file",
    [VT_KIND_SHM] = "shm",
    [VT_KIND_GUARD] = "guard",
    [VT_KIND_RESERVE] = "reserve",
    [VT_KIND_VDSO] = "vdso",
    [VT_KIND_VVAR] = "vvar",
    [VT_KIND_VSYSCALL] = "vsyscall",
    [VT_KIND_OTHER] = "other",
};

static const char *const cause_names[VT_CAUSE_COUNT] = {
    [VT_CAUSE_CALL] = "call",     [VT_CAUSE_EXEC] = "exec",     [VT_CAUSE_ATTACH] = "attach",
    [VT_CAUSE_FORK] = "fork",     [VT_CAUSE_THREAD] = "thread", [VT_CAUSE_FAULT] = "fault",
    [VT_CAUSE_EXIT] = "exit",     [VT_CAUSE_DETACH] = "detach", [VT_CAUSE_RESYNC] = "resync",
    [VT_CAUSE_SIGNAL] = "signal",
};

static const char *const fault_names[VT_FAULT_COUNT] = {
    [VT_FAULT_UNKNOWN] = "unknown",
    [VT_FAULT_SENT] = "sent",
    [VT_FAULT_NULL] = "null",
    [VT_FAULT_NON_CANONICAL] = "non-canonical",
    [VT_FAULT_KERNEL_HALF] = "kernel-half",
    [VT_FAULT_NEVER_MAPPED] = "never-mapped",
    [VT_FAULT_NOT_MAPPED] = "not-mapped",
    [VT_FAULT_UNMAPPED] = "unmapped",
    [VT_FAULT_STACK_LIMIT] = "stack-limit",
    [VT_FAULT_STACK_BELOW] = "stack-below",
    [VT_FAULT_GUARD] = "guard",
    [VT_FAULT_RESERVE] = "reserve",
    [VT_FAULT_BEYOND_FILE] = "beyond-file",
    [VT_FAULT_PERMISSION_LOST] = "permission-lost",
    [VT_FAULT_PERMISSION] = "permission",
    [VT_FAULT_ALIGNMENT] = "alignment",
};

static const struct {
    const char *name; /* in schemas, and so for good */
    const char *text; /* for eyes */
} program_types[] = {
    [VT_PROGRAM_UNKNOWN] = {"unknown", "unknown type"},
    [VT_PROGRAM_STATIC] = {"static", "static"},
    [VT_PROGRAM_STATIC_PIE] = {"static-pie", "static, position-independent"},
    [VT_PROGRAM_DYNAMIC] = {"dynamic", "position-dependent"},
    [VT_PROGRAM_PIE] = {"pie", "position-independent"},
};

static const char *const abi_names[VT_ABI_COUNT] = {
    [VT_ABI_X86_64] = "x86_64",
    [VT_ABI_I386] = "i386",
    [VT_ABI_X32] = "x32",
};

const char *vt_kind_name(uint8_t kind)
{
    return kind < VT_KIND_COUNT ? kind_names[kind] : "?";
}

int vt_kind_parse(const char *name, size_t length)
{
    for (int kind = 0; kind < VT_KIND_COUNT; kind++)
        if (strlen(kind_names[kind]) == length && !memcmp(kind_names[kind], name, length))
            return kind;
    return -1;
}

const char *vt_cause_name(enum vt_cause cause)
{
    return (unsigned)cause < VT_CAUSE_COUNT ? cause_names[cause] : "?";
}

const char *vt_fault_verdict_name(enum vt_fault_verdict verdict)
{
    return (unsigned)verdict < VT_FAULT_COUNT ? fault_names[verdict] : "?";
}

const char *vt_event_cause_name(const struct vt_event *event)
{
    if (event->cause == VT_CAUSE_CALL && event->call)
        return event->call->name;
    return vt_cause_name(event->cause);
}

const char *vt_abi_name(enum vt_abi abi)
{
    return (unsigned)abi < VT_ABI_COUNT ? abi_names[abi] : "?";
}

static size_t program_type(enum vt_program_type type)
{
    return (size_t)type < VT_COUNTOF(program_types) ? (size_t)type : VT_PROGRAM_UNKNOWN;
}

const char *vt_program_type_name(enum vt_program_type type)
{
    return program_types[program_type(type)].name;
}

const char *vt_program_type_text(enum vt_program_type type)
{
    return program_types[program_type(type)].text;
}

const char *vt_prot_text(uint8_t prot, uint8_t flags, char text[5])
{
    text[0] = prot & VT_PROT_READ ? 'r' : '-';
    text[1] = prot & VT_PROT_WRITE ? 'w' : '-';
    text[2] = prot & VT_PROT_EXEC ? 'x' : '-';
    text[3] = flags & VT_REGION_SHARED ? 's' : 'p';
    text[4] = '\0';
    return text;
}
