/*
 * event.h - what a session tells: events in the order of their sequence
 * numbers, each with the changes of one address space that it caused.
 *
 * Everything here is borrowed for the duration of one emit: a sink that wants
 * to keep something copies it. Strings from the tracee are raw bytes: escape
 * them wherever they are printed ("base/escape.h").
 */
#ifndef VASTRACE_EVENT_H
#define VASTRACE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <vastrace/layout.h>
#include <vastrace/stack.h>

/* Why a map changed, or what else is worth telling. Names: vt_cause_name(). */
enum vt_cause {
    VT_CAUSE_CALL,   /* a system call; the event's name is the call's */
    VT_CAUSE_EXEC,   /* execve replaced the address space (the old one's regions are GONE, first) */
    VT_CAUSE_ATTACH, /* the map as it stood when the tracer came: of unknown origin */
    VT_CAUSE_FORK,   /* a new process got a copy of its parent's space */
    VT_CAUSE_THREAD, /* a new thread, or a process that shares its parent's space (vfork) */
    VT_CAUSE_FAULT,  /* growth that no call asked for: a stack extended by page faults */
    VT_CAUSE_EXIT,   /* a process ended */
    VT_CAUSE_DETACH, /* the tracer left a process that goes on */
    VT_CAUSE_RESYNC, /* the model differed from the kernel and was set right */
    VT_CAUSE_SIGNAL, /* SIGSEGV or SIGBUS is about to be delivered */
    VT_CAUSE_COUNT
};

/* Calling conventions of a system call. */
enum vt_abi { VT_ABI_X86_64, VT_ABI_I386, VT_ABI_X32, VT_ABI_COUNT };

/* One finished system call. */
struct vt_call {
    const char *name; /* "mmap", static storage */
    uint64_t number;  /* as the kernel counts it in this ABI */
    enum vt_abi abi;
    unsigned arg_count; /* how many of args the call takes, 0..6 */
    uint64_t args[6];
    const char *const *arg_names; /* arg_count static strings: "addr", "length", ... */
    int64_t result;               /* the return value where !failed */
    int error;                    /* the errno where it failed (positive), else 0 */
    bool failed;
};

/* A range of an ELF image by section bounds, in bytes (not page-aligned). */
struct vt_part {
    vt_addr start; /* virtual address as in the file; add the image's bias */
    vt_addr end;
    uint8_t kind; /* enum vt_kind */
};

/*
 * What an ELF image has to say to one change: its parts that overlap the
 * change's range. One for each change of the event, same index.
 */
struct vt_detail {
    const struct vt_part *parts; /* part_count, ascending; null when no image lies there */
    size_t part_count;
    uint64_t bias; /* load bias: run-time address minus the file's address */
    const struct vt_object
        *image; /* the image's file; set also for its anonymous bss; may be null */
};

/* glibc's HEAP_MAX_SIZE: a heap of an arena begins at a multiple of it (64-bit and 32-bit programs). */
#define VT_ARENA_HEAP    (UINT64_C(64) << 20)
#define VT_ARENA_HEAP_32 (UINT64_C(1) << 20)

/* How a program was linked, as its ELF header and program headers tell. */
enum vt_program_type {
    VT_PROGRAM_UNKNOWN,
    VT_PROGRAM_STATIC,     /* ET_EXEC without an interpreter */
    VT_PROGRAM_STATIC_PIE, /* ET_DYN without an interpreter */
    VT_PROGRAM_DYNAMIC,    /* ET_EXEC with an interpreter ("non-PIE") */
    VT_PROGRAM_PIE,        /* ET_DYN with an interpreter */
};
const char *vt_program_type_name(enum vt_program_type type); /* for programs: "pie", ... */
const char *vt_program_type_text(enum vt_program_type type); /* "position-independent", ... */

/* More about an EXEC or ATTACH event. */
struct vt_exec_info {
    const char *path; /* /proc/PID/exe's target, raw bytes */
    enum vt_program_type type;
    unsigned class_bits; /* 32 or 64; 0 not known */
    size_t images;       /* ELF images mapped (vdso not counted) */
    size_t regions;      /* regions of the new map */
    uint32_t left_space; /* EXEC: the space before it, whose regions are the GONE ones; 0: there
                            was none, or others live on in it and nothing of it is gone */
};

/* Bytes and counts of one kind, over the life of one process's spaces. */
struct vt_kind_totals {
    uint64_t regions;    /* regions now (at an end: just before it) */
    uint64_t bytes;      /* mapped now (at an end: just before it) */
    uint64_t peak_bytes; /* the most ever mapped at one moment */
    uint64_t made_count; /* changes that made such memory; the opening layout counts too */
    uint64_t made_bytes;
    uint64_t gone_count; /* changes that removed it; the end of the process does not count */
    uint64_t gone_bytes;
};

/* What is known of a process when it ends or is left. made - gone = bytes, per kind. */
struct vt_process_totals {
    struct vt_kind_totals kinds[VT_KIND_COUNT];
    uint64_t bytes; /* mapped, all kinds */
    uint64_t peak_bytes;
    uint64_t usable_peak_bytes; /* as peak_bytes, PROT_NONE (guard, reserve) not counted */
    uint64_t events;
    vt_addr sp_first;   /* the main thread's first stack pointer of this program, 0 unknown */
    vt_addr sp_lowest;  /* the lowest seen at a stop; the true depth may be larger */
    vt_addr stack_low;  /* lowest address of the main stack's region */
    vt_addr stack_high; /* its end */
};

/* How exact the trace was. */
struct vt_exactness {
    uint64_t stops;     /* stops at which the model could be compared */
    uint64_t compared;  /* of these, compared with /proc/PID/maps (--verify) */
    uint64_t agreed;    /* of these, alike */
    uint64_t resyncs;   /* times the model was set right from the kernel's map */
    uint64_t uncertain; /* events whose order the kernel does not tell */
    uint64_t lost;      /* things that should have been read and could not be */
};

/* Which stack a stack pointer is on. */
enum vt_sp_place {
    VT_SP_UNKNOWN,
    VT_SP_OWN,       /* the thread's own */
    VT_SP_ALTERNATE, /* its alternate signal stack (sigaltstack(2)) */
    VT_SP_OTHER,     /* another one that the program switched to (makecontext(3), coroutines) */
};

#define VT_STACK_USES 16

/* One thread's own stack and how far it was seen to be used. */
struct vt_stack_use {
    pid_t tid;
    bool main;   /* the kernel's own stack, which grows */
    vt_addr low; /* its region; for the main stack as far as it has grown */
    vt_addr high;
    vt_addr floor;     /* the lowest address it may reach: low, or by RLIMIT_STACK; 0 no limit */
    vt_addr sp_lowest; /* the lowest stack pointer seen at a stop; the true depth may be larger */
};

/* Room for a program's name: a file's may have 255 bytes, and be deleted. */
#define VT_PROGRAM_NAME (255 + sizeof(" (deleted)"))

/* More about an EXIT or DETACH event. */
struct vt_exit_info {
    int wait_status;     /* as of wait(2); for DETACH 0 */
    int64_t lifetime_ns; /* since the process was first seen */
    const char *name;    /* the program's file name, without directories, raw bytes */
    const struct vt_process_totals *totals;
    struct vt_exactness exactness;     /* of this process */
    const struct vt_stack_use *stacks; /* the deepest of its threads' stacks, deepest first */
    size_t stack_count;                /* VT_STACK_USES: there may have been more */
    bool root;                         /* the launched program, or one named by -p */
};

/* What was at a bad address, as far as the map and its history tell. */
enum vt_fault_verdict {
    VT_FAULT_UNKNOWN,         /* the kernel gave no address, or the map forbids nothing there */
    VT_FAULT_SENT,            /* not a fault: sent by kill(2) or the like */
    VT_FAULT_NULL,            /* in the lowest pages: a null pointer and an offset */
    VT_FAULT_NON_CANONICAL,   /* no address that the processor can translate */
    VT_FAULT_KERNEL_HALF,     /* the kernel's half */
    VT_FAULT_NEVER_MAPPED,    /* nothing was ever mapped there */
    VT_FAULT_NOT_MAPPED,      /* nothing is mapped there; whether something was is not known */
    VT_FAULT_UNMAPPED,        /* something was, and went: see `past` */
    VT_FAULT_STACK_LIMIT,     /* below the main stack, which may not grow that far */
    VT_FAULT_STACK_BELOW,     /* below the main stack, which did not grow to there */
    VT_FAULT_GUARD,           /* in a stack's guard */
    VT_FAULT_RESERVE,         /* in memory reserved with PROT_NONE */
    VT_FAULT_BEYOND_FILE,     /* beyond the end of the mapped file */
    VT_FAULT_PERMISSION_LOST, /* a permission that a call took away: see `past` */
    VT_FAULT_PERMISSION,      /* a permission that it never had */
    VT_FAULT_ALIGNMENT,       /* an address that the instruction wants aligned */
    VT_FAULT_COUNT
};
const char *vt_fault_verdict_name(enum vt_fault_verdict verdict); /* "never-mapped", ... */

/* The last change at an address, from the session's memory of them. */
struct vt_past {
    uint64_t seq; /* of the event */
    int64_t time_ns;
    pid_t pid;
    pid_t tid;
    const char *cause; /* vt_event_cause_name(), static */
    enum vt_change_op op;
    struct vt_region before; /* its object stays valid; what the change took, whole */
    uint8_t prot_after;      /* ALTERED */
};

/* More about a SIGNAL event. Regions are copies; start == end where there is none. */
struct vt_fault_info {
    int signal;
    int code;     /* si_code of sigaction(2) */
    pid_t sender; /* SENT: the sender, 0 unknown */
    bool has_addr;
    vt_addr addr; /* si_addr */
    enum vt_fault_verdict verdict;
    struct vt_region here;  /* that holds the address */
    struct vt_region below; /* the nearest neighbours */
    struct vt_region above;
    bool has_past;
    struct vt_past past;
    bool from_start;      /* all that ever lay there would be remembered */
    uint64_t stack_limit; /* RLIMIT_STACK's soft limit, 0 unknown */
    uint64_t file_size;   /* BEYOND_FILE */
};

struct vt_event {
    uint64_t seq;    /* 1, 2, ... without gaps before filtering */
    int64_t time_ns; /* since the session's start, CLOCK_MONOTONIC */
    pid_t pid;       /* thread group, in the tracer's PID namespace */
    pid_t tid;
    uint32_t space; /* which address space, 1, 2, ...; threads and vfork children share */
    enum vt_cause cause;
    bool uncertain;             /* other memory calls were under way: the attribution is a guess */
    const struct vt_call *call; /* for CALL (and EXEC where it is known), else null */
    vt_addr sp;                 /* the thread's stack pointer at the stop; 0 not known */
    enum vt_sp_place sp_place;
    vt_addr ip; /* its instruction pointer; 0 not known */
    /*
     * Who did it; null: not taken (without --stacks, or nothing changed). In a
     * FAULT event what was active when the growth was noticed, which is later.
     * Valid until the session ends.
     */
    const struct vt_stack *stack;
    const struct vt_change *changes;
    const struct vt_detail *details; /* change_count of them */
    size_t change_count;
    uint64_t mapped_bytes; /* of the space, after the event */
    uint64_t heap_bytes;   /* from start_brk to the break, whole pages, after the event */
    pid_t parent;          /* FORK, THREAD: the creator's tid; 0 not known */
    bool shares_space;     /* THREAD: a process of its own, sharing the space */
    const char *note;      /* one clause for eyes ("refused by a mapping at ..."), or null */
    const struct vt_exec_info *exec;   /* EXEC, ATTACH; else null */
    const struct vt_exit_info *exit;   /* EXIT, DETACH; else null */
    const struct vt_fault_info *fault; /* SIGNAL; else null */
};

/* "exec", "fault", ...; for CALL events the call's name. Never null. */
const char *vt_event_cause_name(const struct vt_event *event);
const char *vt_cause_name(enum vt_cause cause); /* "call" for VT_CAUSE_CALL */

/* "x86_64", "i386", "x32" */
const char *vt_abi_name(enum vt_abi abi);

/* What a session says before its first event. */
struct vt_run {
    const char *version;  /* of vastrace */
    char *const *command; /* null-terminated argv of the launched program; null when attached */
    const char *kernel;   /* uname's release */
    const char *machine;  /* uname's machine */
    uint64_t page_size;
    int aslr;              /* /proc/sys/kernel/randomize_va_space; -1 not known */
    bool aslr_disabled;    /* --no-aslr */
    int64_t start_unix_ns; /* wall-clock time of time_ns 0 */
    bool verify;           /* --verify */
    bool multiple;         /* more than one process is certain (several -p) */
};

/* What a session says after its last event. */
struct vt_summary {
    int64_t duration_ns;
    uint64_t events;    /* emitted, before filtering */
    uint64_t processes; /* ever traced */
    uint64_t threads;
    struct vt_exactness exactness;
    const char *interrupted; /* why the trace ended before the program did, or null */
};

#endif
