/*
 * kind.c - what a region is for, as far as its own attributes and the heap's
 * bounds tell. Regions of ELF images are the session's to name; see
 * session/space.c.
 */
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include <vastrace/layout.h>

/* Names the kernel gives, by how they begin; the first match decides. */
static const struct name_rule {
    const char *prefix;
    uint8_t private_kind; /* VT_KIND_COUNT: as if there were no object */
    uint8_t shared_kind;
} name_rules[] = {
    {"[vdso]", VT_KIND_VDSO, VT_KIND_VDSO},
    {"[vvar", VT_KIND_VVAR, VT_KIND_VVAR},
    {"[vsyscall]", VT_KIND_VSYSCALL, VT_KIND_VSYSCALL},
    {"[anon:", VT_KIND_COUNT, VT_KIND_SHM},
    {"[anon_shmem:", VT_KIND_SHM, VT_KIND_SHM},
    {"[", VT_KIND_OTHER, VT_KIND_OTHER},
    {"/dev/zero", VT_KIND_COUNT, VT_KIND_SHM},
    {"/anon_hugepage", VT_KIND_COUNT, VT_KIND_SHM},
    {"/memfd:", VT_KIND_SHM, VT_KIND_SHM},
    {"/secretmem", VT_KIND_SHM, VT_KIND_SHM},
    {"/SYSV", VT_KIND_SHM, VT_KIND_SHM},
    {"/dev/shm/", VT_KIND_FILE, VT_KIND_SHM},
    {"/dev/", VT_KIND_OTHER, VT_KIND_OTHER},
    {"/[aio]", VT_KIND_OTHER, VT_KIND_OTHER},
    {"anon_inode:", VT_KIND_OTHER, VT_KIND_OTHER},
    {"", VT_KIND_FILE, VT_KIND_FILE},
};

static uint8_t kind_of_object(const struct vt_region *region)
{
    const struct name_rule *rule = name_rules;
    while (strncmp(region->object->name, rule->prefix, strlen(rule->prefix)))
        rule++;
    return region->flags & VT_REGION_SHARED ? rule->shared_kind : rule->private_kind;
}

uint8_t vt_kind_plain(const struct vt_layout_marks *marks, const struct vt_region *region,
                      vt_addr *end)
{
    *end = region->end;
    if (region->object) {
        uint8_t kind = kind_of_object(region);
        if (kind != VT_KIND_COUNT)
            return kind;
    }
    if (region->flags & (VT_REGION_STACK | VT_REGION_GROWSDOWN)) {
        if (region->prot == VT_PROT_NONE)
            return VT_KIND_GUARD;
        return region->flags & VT_REGION_STACK ? VT_KIND_THREAD_STACK : VT_KIND_STACK;
    }
    if (region->flags & VT_REGION_ARENA)
        return region->prot == VT_PROT_NONE ? VT_KIND_RESERVE : VT_KIND_HEAP;
    if (!region->object && marks->heap_start && marks->heap_end > marks->heap_start) {
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        vt_addr low = vt_round_down(marks->heap_start, page);
        vt_addr high = vt_round_up(marks->heap_end, page);
        if (region->start >= low && region->start < high) {
            *end = vt_min(region->end, high);
            return VT_KIND_HEAP;
        }
        if (region->start < low && region->end > low)
            *end = low;
    }
    return region->prot == VT_PROT_NONE ? VT_KIND_RESERVE : VT_KIND_ANON;
}
