/*
 * aslr.h - where the kernel puts the parts of a program, over many launches.
 *
 * Each launch goes as far as the completed execve and no further: not one
 * instruction of the program (or of its interpreter) runs.
 */
#ifndef VASTRACE_ASLR_H
#define VASTRACE_ASLR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vastrace/error.h>
#include <vastrace/event.h>

/* What has an address of its own, from high to low as it usually lies. Names: vt_aslr_part_name(). */
enum vt_aslr_part {
    VT_ASLR_STACK,       /* the end of the stack's mapping: its highest address and one */
    VT_ASLR_SP,          /* the stack pointer at the first instruction */
    VT_ASLR_MMAP,        /* the end of the highest mapping below the stack: the mmap area's top */
    VT_ASLR_INTERPRETER, /* the dynamic linker's first byte; not of static programs */
    VT_ASLR_VDSO,        /* the first byte of [vdso] */
    VT_ASLR_VVAR,        /* the first byte of [vvar] */
    VT_ASLR_HEAP,        /* start_brk: where the heap will begin */
    VT_ASLR_PROGRAM,     /* the first byte that is mapped of the program's file */
    VT_ASLR_LOWEST,      /* the first mapping of all */
    VT_ASLR_PART_COUNT
};
const char *vt_aslr_part_name(enum vt_aslr_part part);  /* "stack", "sp", "mmap top", ... */
const char *vt_aslr_part_words(enum vt_aslr_part part); /* what it is, in a few words */

/* What the kernel was told about randomisation. Numbers are -1 where not known. */
struct vt_aslr_settings {
    int randomize_va_space;   /* 0 off, 1 all but the heap, 2 all */
    int mmap_rnd_bits;        /* vm.mmap_rnd_bits: random bits of a page number, 64-bit programs */
    int mmap_rnd_compat_bits; /* the same for 32-bit programs */
    int legacy_va_layout;     /* vm.legacy_va_layout: 1 if mmap goes upwards for all programs */
    long personality;         /* of the launched program, as personality(2) has it */
    bool stack_unlimited;     /* RLIMIT_STACK is: mmap goes upwards for this program */
};

/* What was gathered. */
struct vt_aslr {
    char *const *command; /* borrowed from the configuration */
    char *path;           /* of the program that would have run: of a script, its interpreter */
    char *interpreter;    /* of the dynamic linker's file, or null */
    enum vt_program_type type;
    unsigned class_bits; /* 32 or 64; 0 not known */
    uint64_t page_size;
    bool no_aslr; /* asked for: personality(ADDR_NO_RANDOMIZE) */
    struct vt_aslr_settings settings;
    size_t asked; /* launches that were asked for */
    size_t made;  /* and those that count */
    int64_t duration_ns;
    const char *interrupted; /* why there are fewer, or null */

    /* `made` addresses each, in the order of the launches; null where the program has no such part */
    uint64_t *addresses[VT_ASLR_PART_COUNT];
};

/* What to launch and how. Borrowed for the call. */
struct vt_aslr_config {
    char *const *command; /* null-terminated argv */
    size_t runs;          /* at least 1 */
    bool no_aslr;
    void (*progress)(void *context, size_t made, size_t asked); /* after each launch; may be null */
    void *context;
};

/*
 * Launch and look. SIGINT, SIGTERM, SIGHUP and SIGQUIT end it early and are no
 * failure: what was gathered until then is returned, and `interrupted` is set.
 *
 * Fails with the errno of execve(2) if the program cannot be run, of ptrace(2)
 * if it cannot be traced; *aslr is null then.
 */
int vt_aslr_gather(const struct vt_aslr_config *config, struct vt_aslr **aslr,
                   struct vt_error *err);
void vt_aslr_destroy(struct vt_aslr *aslr); /* null is allowed */

#endif
