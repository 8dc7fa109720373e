/*
 * picture.h - one address space at one moment, drawn: the formats of `vastrace layout`.
 *
 * A renderer is a pure function from plain data to bytes: it reads no file,
 * asks no terminal and knows neither sessions nor recordings. Whoever calls
 * it fills a struct vt_picture_input from a live process, from a recording or
 * (in tests) by hand.
 */
#ifndef SINKS_PICTURE_H
#define SINKS_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <vastrace/error.h>
#include <vastrace/event.h>
#include <vastrace/layout.h>

#include "base/buf.h"

/* What a part of the kernel half is; also the index of its name in vt_kernel_role_name(). */
enum vt_kernel_role {
    VT_KERNEL_GUARD,          /* guard hole, also reserved for a hypervisor */
    VT_KERNEL_LDT,            /* LDT remap for page-table isolation */
    VT_KERNEL_DIRECT,         /* direct map of all physical memory */
    VT_KERNEL_VMALLOC,        /* vmalloc and ioremap */
    VT_KERNEL_VMEMMAP,        /* the array of struct page */
    VT_KERNEL_KASAN,          /* KASAN's shadow */
    VT_KERNEL_CPU_ENTRY_AREA, /* entry stacks and tables of each CPU */
    VT_KERNEL_ESPFIX,         /* %esp fixup stacks */
    VT_KERNEL_EFI,            /* EFI runtime services */
    VT_KERNEL_TEXT_MAPPING,   /* where the kernel image may lie */
    VT_KERNEL_TEXT,           /* the image's code ... */
    VT_KERNEL_RODATA,
    VT_KERNEL_DATA,
    VT_KERNEL_BSS,            /* ... to its bss */
    VT_KERNEL_IMAGE,          /* the image as one, where its inner bounds are not told */
    VT_KERNEL_MODULES,        /* where modules are loaded */
    VT_KERNEL_LOADED_MODULES, /* from the first to the last module there is */
    VT_KERNEL_FIXMAP,         /* fixed addresses for the kernel's own use */
    VT_KERNEL_VSYSCALL,       /* the one page here that programs may call */
    VT_KERNEL_ROLE_COUNT
};

/* "vmalloc, ioremap", "direct map of RAM", ... ; static, never null. */
const char *vt_kernel_role_name(enum vt_kernel_role role);

/* One named part of the kernel half. */
struct vt_kernel_range {
    vt_addr start;
    vt_addr last;       /* its last byte, since 2^64 has no vt_addr */
    uint8_t role;       /* enum vt_kernel_role */
    const char *source; /* static: the file of this machine that told; null: from documentation */
};

/* The most parts that there can be: the documented ones, each split once by what the machine tells. */
#define VT_KERNEL_RANGES 48

/* The upper half of the address space. Filled by vt_kernel_half_read() (session/kernel_half.h). */
struct vt_kernel_half {
    struct vt_kernel_range ranges[VT_KERNEL_RANGES]; /* ascending, not overlapping; holes between */
    size_t count;
    char source[192]; /* for eyes: where the facts are from, and what is not known */
};

/*
 * What to draw. All pointers are borrowed for the call. Zero means unknown
 * wherever that is said, so that a zero-initialised struct with a layout is
 * a valid input.
 */
struct vt_picture_input {
    const struct vt_layout *layout;

    /*
     * Finds the ELF image of a region; may be null. What it stores in *detail must
     * stay valid until the renderer returns.
     */
    void (*detail)(void *context, const struct vt_region *region, struct vt_detail *detail);
    void *detail_context;

    /* The process. */
    pid_t pid;        /* 0: not shown */
    const char *path; /* the program's, raw bytes; names its image. May be null */
    enum vt_program_type type;
    unsigned class_bits;  /* 32 or 64; 0 is taken as 64 */
    vt_addr sp;           /* the main thread's stack pointer; 0 unknown */
    uint64_t stack_limit; /* RLIMIT_STACK's soft limit; 0 unknown, UINT64_MAX unlimited */
    int aslr;             /* randomize_va_space; -1 unknown */
    bool aslr_disabled;   /* personality ADDR_NO_RANDOMIZE */
    const char *moment;   /* "at 1.25 s", ...; null: the present */

    /* The machine. */
    uint64_t page_size;     /* 0: 4096 */
    vt_addr mmap_min_addr;  /* vm.mmap_min_addr; 0: none, or unknown */
    unsigned mmap_rnd_bits; /* vm.mmap_rnd_bits (or _compat_bits for 32-bit); 0 unknown */
    bool la57;              /* the kernel uses 5-level page tables */
    vt_addr user_end;       /* TASK_SIZE of this process; 0: by class_bits and la57 */
    const struct vt_kernel_half *kernel; /* null: not shown in parts */

    /* The terminal; for `picture` alone. */
    unsigned width; /* columns; 0: 80. Below 60 it is drawn as for 60 */
    bool color;     /* SGR colours */
    bool utf8;      /* box-drawing characters, else ASCII */
    bool all;       /* fold nothing */
    unsigned lines; /* fold until about this many; 0: 140 */
};

/*
 * A renderer appends to `out`. Returns 0 or -ENOMEM. On failure what was
 * appended is unfinished.
 */
typedef int vt_picture_render_fn(const struct vt_picture_input *input, struct vt_buf *out,
                                 struct vt_error *err);

/* The textbook's drawing: high addresses on top, every byte of the address space in some box. */
vt_picture_render_fn vt_picture_render;

/* Merged regions as the lines of /proc/PID/maps. */
vt_picture_render_fn vt_picture_render_maps;

/* One JSON document; contrib/schema/layout.schema.json describes it. */
vt_picture_render_fn vt_picture_render_json;

/* The formats by name, for an option's parser and its list of choices. */
struct vt_picture_format {
    const char *name;    /* "picture", "maps", "json" */
    const char *summary; /* one clause for --help */
    vt_picture_render_fn *render;
};

/* All formats, ended by one with a null name; the first is the default. */
const struct vt_picture_format *vt_picture_formats(void);

/* The format of this name, or null. */
const struct vt_picture_format *vt_picture_format_find(const char *name);

#endif
