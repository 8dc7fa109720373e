/*
 * picture_kernel.c - hides what the parts of the kernel half are called, and that its image is one
 * row unless all is shown.
 */
#include "sinks/picture_kernel.h"

#include <string.h>

static const char *const role_names[VT_KERNEL_ROLE_COUNT] = {
    [VT_KERNEL_GUARD] = "guard hole, hypervisor",
    [VT_KERNEL_LDT] = "LDT remap for PTI",
    [VT_KERNEL_DIRECT] = "direct map of RAM",
    [VT_KERNEL_VMALLOC] = "vmalloc, ioremap",
    [VT_KERNEL_VMEMMAP] = "vmemmap",
    [VT_KERNEL_KASAN] = "KASAN shadow",
    [VT_KERNEL_CPU_ENTRY_AREA] = "cpu_entry_area",
    [VT_KERNEL_ESPFIX] = "%esp fixup stacks",
    [VT_KERNEL_EFI] = "EFI runtime services",
    [VT_KERNEL_TEXT_MAPPING] = "kernel text mapping",
    [VT_KERNEL_TEXT] = "kernel text",
    [VT_KERNEL_RODATA] = "kernel rodata",
    [VT_KERNEL_DATA] = "kernel data",
    [VT_KERNEL_BSS] = "kernel bss",
    [VT_KERNEL_IMAGE] = "kernel image",
    [VT_KERNEL_MODULES] = "modules",
    [VT_KERNEL_LOADED_MODULES] = "loaded modules",
    [VT_KERNEL_FIXMAP] = "fixmap",
    [VT_KERNEL_VSYSCALL] = "vsyscall",
};

const char *vt_kernel_role_name(enum vt_kernel_role role)
{
    return (unsigned)role < VT_KERNEL_ROLE_COUNT ? role_names[role] : "?";
}

static bool is_image_role(uint8_t role)
{
    return role >= VT_KERNEL_TEXT && role <= VT_KERNEL_IMAGE;
}

/* The lowest range that, with those up to `top`, is the kernel's image in pieces. */
static size_t image_bottom(const struct vt_kernel_half *kernel, size_t top)
{
    size_t bottom = top;

    for (size_t i = top; i-- > 0;) {
        if (is_image_role(kernel->ranges[i].role))
            bottom = i;
        else if (kernel->ranges[i].role != VT_KERNEL_TEXT_MAPPING)
            break;
    }
    return bottom;
}

/* "text 18.0M, rodata 10.0M, ..." of ranges [bottom, top]. */
static vt_pic_text image_note(struct vt_pic_sketch *s, const struct vt_kernel_half *kernel,
                              size_t bottom, size_t top)
{
    vt_pic_text start = s->texts.length;

    if (!s->wide) {
        vt_buf_str(&s->texts, "told by this kernel");
        return vt_pic_text_end(s, start);
    }
    vt_buf_printf(&s->texts, "told by %s", kernel->ranges[bottom].source);
    if (strcmp(kernel->ranges[bottom].source, kernel->ranges[top].source) != 0)
        vt_buf_printf(&s->texts, " and %s", kernel->ranges[top].source);
    for (size_t i = bottom; i <= top; i++) {
        const struct vt_kernel_range *range = &kernel->ranges[i];
        if (!is_image_role(range->role))
            continue;
        vt_buf_printf(&s->texts, "%s%s %s", i == bottom ? ": " : ", ",
                      vt_kernel_role_name(range->role) + strlen("kernel "),
                      vt_pic_size_text(range->last - range->start + 1).text);
    }
    return vt_pic_text_end(s, start);
}

static void add_unused_row(struct vt_pic_sketch *s, vt_addr start, vt_addr end)
{
    vt_pic_text name = vt_pic_format(s, "unused");
    struct vt_pic_row *row = vt_pic_add_row(s, start, end - start);
    row->name = name;
    row->hole = true;
}

void vt_pic_add_kernel_box(struct vt_pic_sketch *s)
{
    const struct vt_kernel_half *kernel = s->cells->input->kernel;
    struct vt_pic_box *box = vt_pic_add_box(s, s->cells->facts.kernel_start);
    vt_addr position = 0; /* the end of what is still to be drawn; 0 is 2^64 */

    box->title = vt_pic_format(s, "kernel half");
    box->title_size =
        vt_pic_format(s, "%s", vt_pic_size_text(0 - s->cells->facts.kernel_start).text);
    box->title_note = vt_pic_format(s, s->wide ? "the same in all processes, closed to programs"
                                               : "closed to programs");
    for (size_t i = kernel ? kernel->count : 0; i-- > 0;) {
        size_t top = i;
        if (is_image_role(kernel->ranges[i].role) && !s->cells->input->all)
            i = image_bottom(kernel, top);
        const struct vt_kernel_range *range = &kernel->ranges[i];
        vt_addr end = kernel->ranges[top].last + 1;
        if (range->start < s->cells->facts.kernel_start)
            break;
        if (end != position)
            add_unused_row(s, end, position);
        const struct vt_region *region = vt_layout_find(s->cells->input->layout, range->start);
        vt_pic_text name =
            vt_pic_format(s, "%s", top != i ? "kernel image" : vt_kernel_role_name(range->role));
        vt_pic_text note = is_image_role(range->role) ? image_note(s, kernel, i, top)
                           : range->source ? vt_pic_format(s, "told by %s", range->source)
                           : range->role == VT_KERNEL_VSYSCALL && !region
                               ? vt_pic_format(s, "not mapped")
                               : 0;
        struct vt_pic_row *row = vt_pic_add_row(s, range->start, end - range->start);
        row->kind = range->role == VT_KERNEL_VSYSCALL ? VT_KIND_VSYSCALL : VT_KIND_OTHER;
        row->name = name;
        row->note = note;
        if (region)
            vt_pic_set_region(row, region);
        position = range->start;
    }
    if (!kernel || kernel->count == 0) {
        vt_pic_text name = vt_pic_format(s, "kernel");
        struct vt_pic_row *row =
            vt_pic_add_row(s, s->cells->facts.kernel_start, 0 - s->cells->facts.kernel_start);
        row->kind = VT_KIND_OTHER;
        row->name = name;
    } else if (position != s->cells->facts.kernel_start) {
        add_unused_row(s, s->cells->facts.kernel_start, position);
    }
    vt_pic_close_box(s, box, 0);
}
