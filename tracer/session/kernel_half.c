/*
 * Hides: how Linux on x86-64 divides the upper half of the address space, and which files
 * of /proc give away where the parts of this very kernel lie.
 *
 * Two layers of knowledge, kept apart in every range's `source`: the documented split, a const
 * table for each depth of page tables, and what the machine tells, laid over it. Ranges stay
 * ascending and never overlap: laying one over another cuts the lower one.
 *
 * Everything read is bounded and may be absent, cut short or nonsense; then it tells nothing.
 */
#include "session/kernel_half.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

const struct vt_kernel_files vt_kernel_proc_files = {
    .kcore = "/proc/kcore",
    .kallsyms = "/proc/kallsyms",
    .iomem = "/proc/iomem",
    .modules = "/proc/modules",
};

struct documented {
    vt_addr start;
    vt_addr last;
    enum vt_kernel_role role;
};

/* Documentation/arch/x86/x86_64/mm.rst of the kernel; its "unused holes" are the holes here. */
static const struct documented four_levels[] = {
    {0xffff800000000000, 0xffff87ffffffffff, VT_KERNEL_GUARD},
    {0xffff880000000000, 0xffff887fffffffff, VT_KERNEL_LDT},
    {0xffff888000000000, 0xffffc87fffffffff, VT_KERNEL_DIRECT},
    {0xffffc90000000000, 0xffffe8ffffffffff, VT_KERNEL_VMALLOC},
    {0xffffea0000000000, 0xffffeaffffffffff, VT_KERNEL_VMEMMAP},
    {0xffffec0000000000, 0xfffffbffffffffff, VT_KERNEL_KASAN},
};

static const struct documented five_levels[] = {
    {0xff00000000000000, 0xff0fffffffffffff, VT_KERNEL_GUARD},
    {0xff10000000000000, 0xff10ffffffffffff, VT_KERNEL_LDT},
    {0xff11000000000000, 0xff90ffffffffffff, VT_KERNEL_DIRECT},
    {0xffa0000000000000, 0xffd1ffffffffffff, VT_KERNEL_VMALLOC},
    {0xffd4000000000000, 0xffd5ffffffffffff, VT_KERNEL_VMEMMAP},
    {0xffdf000000000000, 0xfffffbffffffffff, VT_KERNEL_KASAN},
};

/* The top 4 TiB, alike in both. The fixmap's true start depends on the kernel's configuration. */
static const struct documented any_levels[] = {
    {0xfffffe0000000000, 0xfffffe7fffffffff, VT_KERNEL_CPU_ENTRY_AREA},
    {0xffffff0000000000, 0xffffff7fffffffff, VT_KERNEL_ESPFIX},
    {0xffffffef00000000, 0xfffffffeffffffff, VT_KERNEL_EFI},
    {0xffffffff80000000, 0xffffffff9fffffff, VT_KERNEL_TEXT_MAPPING},
    {0xffffffffa0000000, 0xfffffffffeffffff, VT_KERNEL_MODULES},
    {0xffffffffff000000, 0xffffffffff5fffff, VT_KERNEL_FIXMAP},
    {0xffffffffff600000, 0xffffffffff600fff, VT_KERNEL_VSYSCALL},
};

#define TEXT_MAPPING_START 0xffffffff80000000
#define MODULES_LIMIT      0xffffffffff000000 /* modules end below it */
#define VSYSCALL_START     0xffffffffff600000

static void insert_at(struct vt_kernel_half *half, size_t index,
                      const struct vt_kernel_range *range)
{
    if (half->count == VT_KERNEL_RANGES)
        return;
    memmove(&half->ranges[index + 1], &half->ranges[index],
            (half->count - index) * sizeof(half->ranges[0]));
    half->ranges[index] = *range;
    half->count++;
}

static void remove_at(struct vt_kernel_half *half, size_t index)
{
    half->count--;
    memmove(&half->ranges[index], &half->ranges[index + 1],
            (half->count - index) * sizeof(half->ranges[0]));
}

/* Put a range in its place; what lay there before is cut back to what it leaves free. */
static void lay_over(struct vt_kernel_half *half, vt_addr start, vt_addr last,
                     enum vt_kernel_role role, const char *source)
{
    if (start > last || half->count + 2 > VT_KERNEL_RANGES)
        return;
    size_t i = 0;
    while (i < half->count && half->ranges[i].last < start)
        i++;
    while (i < half->count && half->ranges[i].start <= last) {
        struct vt_kernel_range old = half->ranges[i];
        remove_at(half, i);
        if (old.start < start) {
            struct vt_kernel_range below = old;
            below.last = start - 1;
            insert_at(half, i++, &below);
        }
        if (old.last > last) {
            struct vt_kernel_range above = old;
            above.start = last + 1;
            insert_at(half, i, &above);
            break;
        }
    }
    struct vt_kernel_range range = {start, last, (uint8_t)role, source};
    insert_at(half, i, &range);
}

/* As lay_over, and the documented place of the same role no longer counts. */
static void replace(struct vt_kernel_half *half, vt_addr start, vt_addr last,
                    enum vt_kernel_role role, const char *source)
{
    if (start > last)
        return;
    for (size_t i = half->count; i-- > 0;) {
        if (half->ranges[i].role == role && !half->ranges[i].source)
            remove_at(half, i);
    }
    lay_over(half, start, last, role, source);
}

/* A growing hull; empty while start > last. */
struct hull {
    vt_addr start;
    vt_addr last;
};

static const struct hull empty_hull = {UINT64_MAX, 0};

static void hull_add(struct hull *hull, vt_addr start, vt_addr last)
{
    hull->start = start < hull->start ? start : hull->start;
    hull->last = last > hull->last ? last : hull->last;
}

/* What /proc/kcore's program headers say. */
struct core_facts {
    struct hull direct;
    struct hull vmalloc;
    struct hull vmemmap;
    struct hull image;
    struct hull modules;
    bool vsyscall;
};

/*
 * Segments have no names. Physical addresses tell RAM and the image; the vmalloc area is
 * known by its size, which is fixed for each depth of page tables; the rest by place.
 */
static void read_segment(const Elf64_Phdr *phdr, bool la57, struct core_facts *facts)
{
    vt_addr start = phdr->p_vaddr;
    vt_addr last = start + phdr->p_memsz - 1;
    bool physical = phdr->p_paddr != UINT64_MAX;
    uint64_t vmalloc_size = (uint64_t)(la57 ? 12800 : 32) << 40;

    if (phdr->p_type != PT_LOAD || phdr->p_memsz == 0 || last < start ||
        start < (la57 ? 0xff00000000000000 : 0xffff800000000000))
        return;
    if (start == VSYSCALL_START) {
        facts->vsyscall = true;
    } else if (start >= TEXT_MAPPING_START) {
        hull_add(physical ? &facts->image : &facts->modules, start, last);
    } else if (phdr->p_memsz == vmalloc_size || phdr->p_memsz == vmalloc_size - 1) {
        hull_add(&facts->vmalloc, start, last);
    } else if (physical) {
        /* The map of physical address 0 is the area's true start, and 1 GiB-aligned. */
        vt_addr base = start - phdr->p_paddr;
        if (base % (1u << 30) == 0)
            hull_add(&facts->direct, base, last);
    } else {
        hull_add(&facts->vmemmap, start, last);
    }
}

static bool read_kcore(const char *path, bool la57, struct core_facts *facts)
{
    Elf64_Ehdr header;
    bool found = false;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return false;
    if (pread(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
        memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
        header.e_phentsize == sizeof(Elf64_Phdr) && header.e_phoff < (1u << 20)) {
        for (size_t i = 0; i < header.e_phnum; i++) {
            Elf64_Phdr phdr;
            off_t at = (off_t)(header.e_phoff + i * sizeof(phdr));
            if (pread(fd, &phdr, sizeof(phdr), at) != (ssize_t)sizeof(phdr))
                break;
            read_segment(&phdr, la57, facts);
            found = true;
        }
    }
    close(fd);
    return found;
}

/* Symbols that bound the kernel image; 0 where not told. */
struct symbol_facts {
    vt_addr text;
    vt_addr etext;
    vt_addr end;
};

static bool read_kallsyms(const char *path, struct symbol_facts *facts)
{
    const struct {
        const char *name;
        vt_addr *value;
    } wanted[] = {{"_text", &facts->text}, {"_etext", &facts->etext}, {"_end", &facts->end}};
    char line[1024];
    FILE *file = path ? fopen(path, "re") : NULL;

    if (!file)
        return false;
    while (fgets(line, sizeof(line), file)) {
        char *rest;
        uint64_t address = strtoull(line, &rest, 16);
        /* "ADDRESS TYPE NAME[\t[MODULE]]"; only the image's own symbols have no module. */
        if (rest == line || strlen(rest) < 4 || strchr(rest, '\t'))
            continue;
        if (address == 0 && !facts->text)
            continue; /* hidden from this user; per-CPU offsets look the same and do no harm */
        char *name = rest + 3;
        name[strcspn(name, "\n")] = '\0';
        for (size_t i = 0; i < VT_COUNTOF(wanted); i++) {
            if (strcmp(name, wanted[i].name) == 0 && address >= TEXT_MAPPING_START)
                *wanted[i].value = address;
        }
    }
    fclose(file);
    return facts->text != 0;
}

/* Physical ranges of the image's parts; start > last where not told. */
struct iomem_facts {
    struct hull code, rodata, data, bss;
};

static bool read_iomem(const char *path, struct iomem_facts *facts)
{
    const struct {
        const char *name;
        struct hull *hull;
    } wanted[] = {{"Kernel code", &facts->code},
                  {"Kernel rodata", &facts->rodata},
                  {"Kernel data", &facts->data},
                  {"Kernel bss", &facts->bss}};
    char line[512];
    FILE *file = path ? fopen(path, "re") : NULL;

    if (!file)
        return false;
    while (fgets(line, sizeof(line), file)) {
        /* "  START-LAST : NAME", indented by nesting */
        char *rest, *name = strstr(line, " : ");
        uint64_t start = strtoull(line, &rest, 16);
        if (!name || *rest != '-')
            continue;
        uint64_t last = strtoull(rest + 1, &rest, 16);
        if (rest != name)
            continue;
        name += strlen(" : ");
        name[strcspn(name, "\n")] = '\0';
        for (size_t i = 0; i < VT_COUNTOF(wanted); i++) {
            if (strcmp(name, wanted[i].name) == 0 && start < last)
                hull_add(wanted[i].hull, start, last);
        }
    }
    fclose(file);
    return facts->code.start <= facts->code.last;
}

static bool read_modules(const char *path, struct hull *hull)
{
    char line[4096];
    FILE *file = path ? fopen(path, "re") : NULL;

    if (!file)
        return false;
    while (fgets(line, sizeof(line), file)) {
        /* "NAME SIZE REFS USERS STATE ADDRESS [TAINT]" */
        char *fields[6] = {0}, *save;
        for (size_t i = 0; i < VT_COUNTOF(fields); i++)
            fields[i] = strtok_r(i ? NULL : line, " \n", &save);
        uint64_t size = fields[1] ? strtoull(fields[1], NULL, 10) : 0;
        uint64_t address = fields[5] ? strtoull(fields[5], NULL, 16) : 0;
        if (size > 0 && address >= TEXT_MAPPING_START && address < MODULES_LIMIT &&
            size < MODULES_LIMIT - address)
            hull_add(hull, address, address + size - 1);
    }
    fclose(file);
    return hull->start <= hull->last;
}

/* The image: its parts by iomem, else as one by its end symbol or kcore, else only its code. */
static void lay_image(struct vt_kernel_half *half, const struct symbol_facts *symbols,
                      bool has_iomem, const struct iomem_facts *iomem,
                      const struct core_facts *core)
{
    vt_addr text = symbols->text;

    if (text && has_iomem) {
        static const enum vt_kernel_role roles[] = {VT_KERNEL_TEXT, VT_KERNEL_RODATA,
                                                    VT_KERNEL_DATA, VT_KERNEL_BSS};
        const struct hull *parts[] = {&iomem->code, &iomem->rodata, &iomem->data, &iomem->bss};
        for (size_t i = 0; i < VT_COUNTOF(parts); i++) {
            /* The image is mapped in one piece: distances are those of physical memory. */
            vt_addr start = text + (parts[i]->start - iomem->code.start);
            vt_addr last = text + (parts[i]->last - iomem->code.start);
            if (parts[i]->start <= parts[i]->last && parts[i]->start >= iomem->code.start &&
                start >= text && last >= start && last < MODULES_LIMIT)
                lay_over(half, start, last, roles[i], i ? "iomem" : "kallsyms");
        }
    } else if (text && symbols->end > text) {
        lay_over(half, text, symbols->end - 1, VT_KERNEL_IMAGE, "kallsyms");
    } else if (core->image.start <= core->image.last) {
        lay_over(half, core->image.start, core->image.last, VT_KERNEL_IMAGE, "kcore");
    } else if (text && symbols->etext > text) {
        lay_over(half, text, symbols->etext - 1, VT_KERNEL_TEXT, "kallsyms");
    }
}

static void describe_source(struct vt_kernel_half *half)
{
    char told[96] = "";
    bool areas_told = false;
    static const char *const files[] = {"kcore", "kallsyms", "iomem", "modules"};

    for (size_t f = 0; f < VT_COUNTOF(files); f++) {
        for (size_t i = 0; i < half->count; i++) {
            const struct vt_kernel_range *range = &half->ranges[i];
            if (!range->source || strcmp(range->source, files[f]) != 0)
                continue;
            areas_told = areas_told || range->role == VT_KERNEL_DIRECT ||
                         range->role == VT_KERNEL_VMALLOC;
            snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s%s", told[0] ? ", " : "",
                     files[f]);
            break;
        }
    }
    if (!told[0])
        snprintf(half->source, sizeof(half->source),
                 "documented split; this kernel does not tell its own");
    else
        snprintf(half->source, sizeof(half->source), "this kernel's %s; the rest as documented%s",
                 told,
                 areas_told ? "" : " (KASLR may have moved the direct map, vmalloc and vmemmap)");
}

void vt_kernel_half_read(const struct vt_kernel_files *files, bool la57,
                         struct vt_kernel_half *half)
{
    struct core_facts core = {empty_hull, empty_hull, empty_hull, empty_hull, empty_hull, false};
    struct symbol_facts symbols = {0};
    struct iomem_facts iomem = {empty_hull, empty_hull, empty_hull, empty_hull};
    struct hull modules = empty_hull;
    const struct documented *low = la57 ? five_levels : four_levels;

    memset(half, 0, sizeof(*half));
    for (size_t i = 0; i < VT_COUNTOF(four_levels); i++)
        lay_over(half, low[i].start, low[i].last, low[i].role, NULL);
    for (size_t i = 0; i < VT_COUNTOF(any_levels); i++)
        lay_over(half, any_levels[i].start, any_levels[i].last, any_levels[i].role, NULL);

    if (read_kcore(files->kcore, la57, &core)) {
        if (core.modules.start <= core.modules.last) {
            /* With a random base the image's place reaches up to the modules. */
            replace(half, TEXT_MAPPING_START, core.modules.start - 1, VT_KERNEL_TEXT_MAPPING, NULL);
            replace(half, core.modules.start, core.modules.last, VT_KERNEL_MODULES, "kcore");
        }
        replace(half, core.direct.start, core.direct.last, VT_KERNEL_DIRECT, "kcore");
        replace(half, core.vmalloc.start, core.vmalloc.last, VT_KERNEL_VMALLOC, "kcore");
        replace(half, core.vmemmap.start, core.vmemmap.last, VT_KERNEL_VMEMMAP, "kcore");
        if (core.vsyscall)
            replace(half, VSYSCALL_START, VSYSCALL_START + 4095, VT_KERNEL_VSYSCALL, "kcore");
    }
    read_kallsyms(files->kallsyms, &symbols);
    lay_image(half, &symbols, read_iomem(files->iomem, &iomem), &iomem, &core);
    if (read_modules(files->modules, &modules))
        lay_over(half, modules.start, modules.last, VT_KERNEL_LOADED_MODULES, "modules");
    describe_source(half);
}

static uint64_t read_number(const char *path)
{
    char text[32] = "";
    FILE *file = fopen(path, "re");

    if (!file)
        return 0;
    if (!fgets(text, sizeof(text), file))
        text[0] = '\0';
    fclose(file);
    return strtoull(text, NULL, 10);
}

/* The flag is there only while the kernel uses it, not merely where the CPU could. */
static bool cpu_uses_la57(void)
{
    char line[8192];
    bool found = false;
    FILE *file = fopen("/proc/cpuinfo", "re");

    if (!file)
        return false;
    while (!found && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "flags", 5) != 0)
            continue;
        for (char *save, *word = strtok_r(line, " \t\n", &save); word && !found;
             word = strtok_r(NULL, " \t\n", &save))
            found = strcmp(word, "la57") == 0;
        break; /* all CPUs have the same page tables */
    }
    fclose(file);
    return found;
}

void vt_machine_read(struct vt_machine *machine)
{
    machine->la57 = cpu_uses_la57();
    machine->mmap_min_addr = read_number("/proc/sys/vm/mmap_min_addr");
    machine->mmap_rnd_bits = (unsigned)read_number("/proc/sys/vm/mmap_rnd_bits");
    machine->mmap_rnd_compat_bits = (unsigned)read_number("/proc/sys/vm/mmap_rnd_compat_bits");
}
