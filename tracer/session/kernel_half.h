/*
 * kernel_half.h - what this machine tells about the half of the address space that is the
 * kernel's, and the few facts of the machine that a picture of the other half needs.
 */
#ifndef SESSION_KERNEL_HALF_H
#define SESSION_KERNEL_HALF_H

#include "sinks/picture.h"

/* Where to read; a null member is not read. Tests pass files of their own. */
struct vt_kernel_files {
    const char *kcore;    /* ELF core header: direct map, vmalloc, vmemmap, text, modules */
    const char *kallsyms; /* _text, _end and others; addresses are 0 without privilege */
    const char *iomem;    /* sizes of the image's code, rodata, data and bss; also privileged */
    const char *modules;  /* addresses of loaded modules; also privileged */
};

/* The files of a running Linux, in /proc. */
extern const struct vt_kernel_files vt_kernel_proc_files;

/*
 * Fill *half: the split that the kernel's documentation gives for 4-level or
 * (la57) 5-level paging on x86-64, overruled by what `files` tell. A file that
 * is missing, unreadable, empty of addresses or malformed just tells nothing;
 * so this cannot fail.
 */
void vt_kernel_half_read(const struct vt_kernel_files *files, bool la57,
                         struct vt_kernel_half *half);

/* Facts of the machine for struct vt_picture_input; members of the same names and meanings. */
struct vt_machine {
    bool la57;
    vt_addr mmap_min_addr;
    unsigned mmap_rnd_bits;        /* of 64-bit programs */
    unsigned mmap_rnd_compat_bits; /* of 32-bit programs */
};

/* Read them from /proc; what cannot be read is zero. */
void vt_machine_read(struct vt_machine *machine);

#endif
