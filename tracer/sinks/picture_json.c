/*
 * picture_json.c - one address space as one JSON document; contrib/schema/layout.schema.json
 * describes it.
 */
#include <inttypes.h>

#include "sinks/json.h"
#include "sinks/picture_facts.h"

static void put_object(struct vt_buf *out, const struct vt_object *object)
{
    if (!object) {
        vt_buf_str(out, "null");
        return;
    }
    vt_buf_printf(out, "{\"type\":\"%s\",\"device\":\"%02x:%02x\",\"inode\":%" PRIu64,
                  object->type == VT_OBJECT_FILE ? "file" : "special", object->dev_major,
                  object->dev_minor, object->inode);
    VT_JSON_NAME(out, "name");
    vt_json_text(out, object->name);
    vt_buf_char(out, '}');
}

static void put_range(struct vt_buf *out, vt_addr start, vt_addr end)
{
    vt_buf_str(out, "{\"start\":");
    vt_json_hex(out, start);
    VT_JSON_NAME(out, "end");
    vt_json_hex(out, end);
}

static void put_region(const struct vt_picture_input *input, const struct vt_pic_facts *facts,
                       const struct vt_region *region, struct vt_buf *out)
{
    struct vt_detail detail;
    char perm[5];

    vt_pic_detail(input, region, &detail);
    put_range(out, region->start, region->end);
    VT_JSON_NAME(out, "size");
    vt_buf_dec(out, region->end - region->start);
    VT_JSON_NAME(out, "perm");
    vt_json_word(out, vt_prot_text(region->prot, region->flags, perm));
    VT_JSON_NAME(out, "kind");
    vt_json_word(out, vt_kind_name(region->kind));
    VT_JSON_NAME(out, "offset");
    vt_buf_dec(out, region->offset);
    VT_JSON_NAME(out, "object");
    put_object(out, region->object);
    VT_JSON_NAME(out, "mark");
    vt_json_text(out, vt_pic_is_heap(region, &facts->marks)    ? "heap"
                      : vt_pic_is_stack(region, &facts->marks) ? "stack"
                                                               : NULL);
    VT_JSON_NAME(out, "image");
    vt_json_text(out, detail.image ? detail.image->name : NULL);
    VT_JSON_NAME(out, "parts");
    vt_buf_char(out, '[');
    for (size_t i = 0; i < detail.part_count; i++) {
        if (i)
            vt_buf_char(out, ',');
        put_range(out, detail.parts[i].start + detail.bias, detail.parts[i].end + detail.bias);
        VT_JSON_NAME(out, "kind");
        vt_json_word(out, vt_kind_name(detail.parts[i].kind));
        vt_buf_char(out, '}');
    }
    vt_buf_str(out, "]}");
}

static void put_kernel(const struct vt_kernel_half *kernel, struct vt_buf *out)
{
    vt_buf_str(out, "{\"source\":");
    vt_json_text(out, kernel->source);
    VT_JSON_NAME(out, "ranges");
    vt_buf_char(out, '[');
    for (size_t i = 0; i < kernel->count; i++) {
        const struct vt_kernel_range *range = &kernel->ranges[i];
        vt_buf_str(out, i ? ",\n{\"start\":" : "\n{\"start\":");
        vt_json_hex(out, range->start);
        VT_JSON_NAME(out, "last");
        vt_json_hex(out, range->last);
        VT_JSON_NAME(out, "name");
        vt_json_text(out, vt_kernel_role_name(range->role));
        VT_JSON_NAME(out, "source");
        vt_json_text(out, range->source);
        vt_buf_char(out, '}');
    }
    vt_buf_str(out, "]}");
}

static void put_process(const struct vt_picture_input *input, struct vt_buf *out)
{
    vt_buf_str(out, "{\"pid\":");
    vt_json_int(out, input->pid);
    VT_JSON_NAME(out, "path");
    vt_json_text(out, input->path && input->path[0] ? input->path : NULL);
    VT_JSON_NAME(out, "type");
    vt_json_word(out, vt_program_type_name(input->type));
    VT_JSON_NAME(out, "class_bits");
    vt_buf_dec(out, input->class_bits == 32 ? 32 : 64);
    VT_JSON_NAME(out, "moment");
    vt_json_text(out, input->moment);
    VT_JSON_NAME(out, "sp");
    vt_json_hex_or_null(out, input->sp);
    VT_JSON_NAME(out, "aslr");
    if (input->aslr >= 0)
        vt_json_int(out, input->aslr);
    else
        vt_buf_str(out, "null");
    VT_JSON_NAME(out, "aslr_disabled");
    vt_json_bool(out, input->aslr_disabled);
    vt_buf_char(out, '}');
}

static void put_marks(const struct vt_layout_marks *marks, struct vt_buf *out)
{
    vt_buf_str(out, "{\"heap_start\":");
    vt_json_hex_or_null(out, marks->heap_start);
    VT_JSON_NAME(out, "heap_end");
    vt_json_hex_or_null(out, marks->heap_end);
    VT_JSON_NAME(out, "stack_start");
    vt_json_hex_or_null(out, marks->stack_start);
    vt_buf_char(out, '}');
}

static void put_totals(const struct vt_layout_sums *sums, struct vt_buf *out)
{
    const char *separator = "";

    vt_buf_printf(out, "{\"regions\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"kinds\":{",
                  sums->total_regions, sums->total_bytes);
    for (unsigned kind = 0; kind < VT_KIND_COUNT; kind++) {
        if (sums->regions[kind] == 0)
            continue;
        vt_buf_printf(out, "%s\"%s\":{\"regions\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", separator,
                      vt_kind_name((uint8_t)kind), sums->regions[kind], sums->bytes[kind]);
        separator = ",";
    }
    vt_buf_str(out, "}}");
}

/* The document's members, each on a line of its own. */
int vt_picture_render_json(const struct vt_picture_input *input, struct vt_buf *out,
                           struct vt_error *err)
{
    const char *separator = "\n";
    struct vt_pic_facts facts;

    vt_pic_find_facts(input, &facts);
    vt_buf_str(out, "{\"format\":\"vastrace-layout\",\"version\":1,\n\"process\":");
    put_process(input, out);
    vt_buf_str(out, ",\n\"marks\":");
    put_marks(&facts.marks, out);
    vt_buf_printf(out, ",\n\"space\":{\"page_size\":%" PRIu64 ",\"paging_levels\":%d",
                  facts.page_size, input->la57 ? 5 : 4);
    VT_JSON_NAME(out, "user_end");
    vt_json_hex(out, facts.user_end);
    VT_JSON_NAME(out, "mmap_min_addr");
    vt_json_hex(out, input->mmap_min_addr);
    vt_buf_str(out, "},\n\"totals\":");
    put_totals(vt_layout_sums(input->layout), out);
    vt_buf_str(out, ",\n\"regions\":[");
    vt_layout_for_each(region, input->layout) {
        vt_buf_str(out, separator);
        put_region(input, &facts, region, out);
        separator = ",\n";
    }
    vt_buf_str(out, "],\n\"kernel\":");
    if (input->kernel && !facts.compat)
        put_kernel(input->kernel, out);
    else
        vt_buf_str(out, "null");
    vt_buf_str(out, "}\n");
    return vt_pic_finish(out, err);
}
