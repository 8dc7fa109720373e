/*
 * html.c - the timeline as one page for a browser: the page itself (sinks/page/, embedded at
 * build time) and behind it the events, packed, which the page unpacks and draws.
 *
 * Hides the packed form, whose reader is page/data.js: what one writes the other reads, field by
 * field in the same order. Numbers are LEB128, those that can be negative zigzag; what names
 * something (a thread, a state of memory, a call, a file) is told once and is a number from then
 * on; addresses are told as distances from the last one, since changes lie close together.
 *
 * The bytes go out as base64 in elements of limited size, as they come: nothing of the tracee can
 * mean markup, memory does not grow with the number of events, and a file that ends early (the
 * tracer was killed) is a page of what had happened until then.
 *
 * Invariants: records are whole in `bytes`; what is encoded is a multiple of three bytes (a record
 * of type PAD fills up), so that the elements' contents together are one base64 text.
 */
#include "sinks/sink.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/base.h"
#include "base/escape.h"
#include "sinks/fault.h"
#include "sinks/json.h"
#include "sinks/words.h"

static const unsigned char page[] = {
#include "html_page.inc"
};

/* The unit of ranges: no architecture that is traced has smaller pages. */
#define UNIT_SHIFT 12

/* Told when this much is packed, and an element ends when it holds this much base64. */
#define PACKED_MOST  ((size_t)24 * 1024)
#define ELEMENT_MOST ((size_t)512 * 1024)

#define ELEMENT_START "<script type=\"text/plain\" class=\"trace\">"
#define ELEMENT_END   "</script>\n"

/* What a record is: its first byte. */
enum record {
    RECORD_PAD,
    RECORD_RUN,
    RECORD_OBJECT,
    RECORD_STATE,
    RECORD_THREAD,
    RECORD_CALL,
    RECORD_FRAME,
    RECORD_STACK,
    RECORD_EVENT,
    RECORD_END,
};

/* What an event has besides the usual. Two more bits above: enum vt_sp_place. */
enum has {
    HAS_SP = 1,
    HAS_STACK = 2,
    HAS_HEAP = 4,  /* the break is not where it was in this space */
    HAS_TOTAL = 8, /* the bytes mapped are not what the changes told so far make */
    HAS_GAP = 16,  /* sequence numbers were left out before it */
    HAS_NOTE = 32,
    HAS_EXTRA = 64,  /* a JSON object: what an exec, an exit, a fault ... has to say */
    HAS_DOUBT = 128, /* uncertain */
    PLACE_SHIFT = 8,
};

/* The two low bits of a change say what it is. */
enum change_bits { IS_MADE, IS_GONE, IS_ALTERED, IS_MOVED, BIT_STAYS = 4, BIT_IMAGE = 8 };

/* Causes are below, calls from here on. */
#define FIRST_CALL 16
_Static_assert((int)VT_CAUSE_COUNT <= FIRST_CALL, "causes and calls share a number space");

/* ---- numbers for what is told once ----------------------------------------------- */

struct key {
    uint64_t a;
    uint64_t b;
};

/* Keys to numbers 0, 1, ... in order of arrival; open addressing, at most half full. */
struct numbers {
    struct key *keys; /* by number */
    size_t count;
    size_t capacity;
    uint32_t *slots; /* number + 1; 0: empty */
    size_t slot_count;
};

static void numbers_deinit(struct numbers *numbers)
{
    free(numbers->keys);
    free(numbers->slots);
}

static size_t slot_of(const struct numbers *numbers, struct key key)
{
    uint64_t hash = (key.a ^ (key.b << 32 | key.b >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (hash ^ hash >> 32) & (numbers->slot_count - 1);

    while (numbers->slots[i]) {
        const struct key *there = &numbers->keys[numbers->slots[i] - 1];
        if (there->a == key.a && there->b == key.b)
            break;
        i = (i + 1) & (numbers->slot_count - 1);
    }
    return i;
}

static bool numbers_grow(struct numbers *numbers)
{
    size_t wanted = numbers->slot_count ? numbers->slot_count * 2 : 64;
    uint32_t *slots = calloc(wanted, sizeof(*slots));

    if (!slots)
        return false;
    free(numbers->slots);
    numbers->slots = slots;
    numbers->slot_count = wanted;
    for (size_t i = 0; i < numbers->count; i++)
        slots[slot_of(numbers, numbers->keys[i])] = (uint32_t)i + 1;
    return true;
}

/* The key's number; *fresh: it had none. Out of memory fails the output. */
static uint32_t number_of(struct vt_sink *sink, struct numbers *numbers, struct key key,
                          bool *fresh)
{
    *fresh = false;
    if ((numbers->count + 1) * 2 > numbers->slot_count && !numbers_grow(numbers))
        goto no_memory;
    size_t slot = slot_of(numbers, key);
    if (numbers->slots[slot])
        return numbers->slots[slot] - 1;
    if (vt_reserve((void **)&numbers->keys, &numbers->capacity, numbers->count + 1,
                   sizeof(*numbers->keys)))
        goto no_memory;
    numbers->keys[numbers->count] = key;
    numbers->slots[slot] = (uint32_t)++numbers->count;
    *fresh = true;
    return (uint32_t)numbers->count - 1;

no_memory:
    sink->out.failed = true;
    return 0;
}

/* ---- the state --------------------------------------------------------------------- */

/* What was last told of a space, in units. */
struct space {
    uint64_t mapped;
    uint64_t heap;
};

struct html {
    struct vt_buf bytes;  /* packed, not yet encoded */
    struct vt_buf record; /* a record or a text in the making */
    size_t element;       /* base64 characters in the open element; 0: none is open */
    struct numbers objects;
    struct numbers states; /* permissions, flags, kind and object */
    struct numbers threads;
    struct numbers calls;
    struct numbers space_ids;
    vt_addr *sps; /* by thread */
    size_t sp_capacity;
    struct space *spaces;
    size_t space_capacity;
    uint64_t stacks; /* the last that were told: ids ascend in the order of telling */
    uint64_t frames;
    uint64_t seq;
    int64_t time_ns;
    vt_addr last; /* the address from which the next is measured */
};

/* Small for what is near zero on either side. */
static void put_signed(struct vt_buf *out, uint64_t value)
{
    vt_buf_varint(out, value << 1 ^ (value >> 63 ? UINT64_MAX : 0));
}

static void put_bytes(struct vt_buf *out, const struct vt_buf *text)
{
    vt_buf_varint(out, text->length);
    vt_buf_add(out, text->data, text->length);
}

/* A name of the tracee's, made safe for eyes; a page knows no other form of it. */
static void put_name(struct html *html, const char *name)
{
    struct vt_buf safe = {0};

    vt_escape_terminal(&safe, name ? name : "", name ? strlen(name) : 0);
    html->bytes.failed |= safe.failed;
    put_bytes(&html->bytes, &safe);
    vt_buf_deinit(&safe);
}

/* ---- JSON, for what is rare ---------------------------------------------------------- */

/* Made safe for eyes, as all names. */
static void json_text(struct vt_buf *out, const char *bytes)
{
    struct vt_buf safe = {0};

    if (!bytes) {
        vt_buf_str(out, "null");
        return;
    }
    vt_escape_terminal(&safe, bytes, strlen(bytes));
    vt_escape_json(out, safe.data, safe.length);
    out->failed |= safe.failed;
    vt_buf_deinit(&safe);
}

/* Without 0x: as the page shows it. */
static void json_hex(struct vt_buf *out, uint64_t value)
{
    vt_buf_char(out, '"');
    vt_buf_hex(out, value, 0);
    vt_buf_char(out, '"');
}

static void json_run(struct vt_buf *out, const struct vt_run *run)
{
    VT_JSON_FIRST(out, "version");
    json_text(out, run->version);
    VT_JSON_NAME(out, "command");
    if (run->command) {
        vt_buf_char(out, '[');
        for (char *const *arg = run->command; *arg; arg++) {
            if (arg != run->command)
                vt_buf_char(out, ',');
            json_text(out, *arg);
        }
        vt_buf_char(out, ']');
    } else {
        vt_buf_str(out, "null");
    }
    VT_JSON_NAME(out, "kernel");
    json_text(out, run->kernel);
    VT_JSON_NAME(out, "machine");
    json_text(out, run->machine);
    VT_JSON_NAME(out, "aslr");
    vt_json_int(out, run->aslr);
    VT_JSON_NAME(out, "aslrDisabled");
    vt_json_bool(out, run->aslr_disabled);
    VT_JSON_NAME(out, "startMs");
    vt_json_int(out, run->start_unix_ns / 1000000);
    VT_JSON_NAME(out, "verify");
    vt_json_bool(out, run->verify);
    VT_JSON_NAME(out, "kinds");
    for (unsigned i = 0; i < VT_KIND_COUNT; i++) {
        vt_buf_char(out, i ? ',' : '[');
        json_text(out, vt_kind_name((uint8_t)i));
    }
    vt_buf_char(out, ']');
    VT_JSON_NAME(out, "causes");
    for (unsigned i = 0; i < VT_CAUSE_COUNT; i++) {
        vt_buf_char(out, i ? ',' : '[');
        json_text(out, vt_cause_name((enum vt_cause)i));
    }
    vt_buf_char(out, ']');
    VT_JSON_NAME(out, "words");
    vt_add_words_json(out);
    vt_buf_char(out, '}');
}

static void json_exec(struct vt_buf *out, const struct vt_exec_info *exec)
{
    VT_JSON_FIRST(out, "path");
    json_text(out, exec->path);
    VT_JSON_NAME(out, "program");
    json_text(out, vt_program_type_text(exec->type));
    VT_JSON_NAME(out, "bits");
    vt_buf_dec(out, exec->class_bits);
    VT_JSON_NAME(out, "left");
    vt_buf_dec(out, exec->left_space);
    vt_buf_char(out, '}');
}

static void json_exit(struct vt_buf *out, const struct vt_exit_info *info, bool detached)
{
    struct vt_buf how = {0};

    if (detached)
        vt_buf_str(&how, "left running");
    else if (WIFSIGNALED(info->wait_status))
        vt_buf_str(&how, "killed by "), vt_add_signal(&how, WTERMSIG(info->wait_status));
    else
        vt_buf_printf(&how, "exited %d", WEXITSTATUS(info->wait_status));
    VT_JSON_FIRST(out, "how");
    json_text(out, vt_buf_cstr(&how));
    out->failed |= how.failed;
    vt_buf_deinit(&how);
    VT_JSON_NAME(out, "name");
    json_text(out, info->name);
    VT_JSON_NAME(out, "root");
    vt_json_bool(out, info->root);
    VT_JSON_NAME(out, "lifetime");
    vt_json_int(out, info->lifetime_ns);
    VT_JSON_NAME(out, "exactness");
    vt_json_exactness(out, &info->exactness);
    vt_buf_char(out, '}');
}

static void json_fault(struct vt_buf *out, const struct vt_event *event)
{
    struct vt_buf text = {0};

    vt_add_fault(&text, event);
    VT_JSON_FIRST(out, "text"); /* its names are escaped as it is made */
    vt_escape_json(out, text.data, text.length);
    out->failed |= text.failed;
    vt_buf_deinit(&text);
    if (event->fault->has_addr) {
        VT_JSON_NAME(out, "addr");
        json_hex(out, event->fault->addr);
    }
    vt_buf_char(out, '}');
}

/* What the event has to say beyond its changes; nothing for most. */
static void json_extra(struct vt_buf *out, const struct vt_event *event)
{
    if (event->exec) {
        json_exec(out, event->exec);
    } else if (event->exit) {
        json_exit(out, event->exit, event->cause == VT_CAUSE_DETACH);
    } else if (event->fault) {
        json_fault(out, event);
    } else if (event->cause == VT_CAUSE_FORK || event->cause == VT_CAUSE_THREAD) {
        VT_JSON_FIRST(out, "parent");
        vt_json_int(out, event->parent);
        VT_JSON_NAME(out, "shares");
        vt_json_bool(out, event->shares_space);
        vt_buf_char(out, '}');
    }
}

/* ---- encoding -------------------------------------------------------------------------- */

static void open_element(struct vt_sink *sink, struct html *html)
{
    if (!html->element)
        vt_buf_str(&sink->out, ELEMENT_START);
}

/* All of `bytes` goes to the output, filled up to a multiple of three. */
static void encode(struct vt_sink *sink)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct html *html = sink->state;

    while (html->bytes.length % 3 && !html->bytes.failed)
        vt_buf_char(&html->bytes, RECORD_PAD);
    if (html->bytes.failed || html->record.failed)
        sink->out.failed = true;
    if (!html->bytes.length || sink->out.failed)
        return;
    open_element(sink, html);
    size_t length = html->bytes.length / 3 * 4;
    char *to = vt_buf_room(&sink->out, length);
    if (!to)
        return;
    const unsigned char *from = (const unsigned char *)html->bytes.data;
    for (size_t i = 0; i < html->bytes.length; i += 3, from += 3) {
        *to++ = digits[from[0] >> 2];
        *to++ = digits[(from[0] & 3) << 4 | from[1] >> 4];
        *to++ = digits[(from[1] & 15) << 2 | from[2] >> 6];
        *to++ = digits[from[2] & 63];
    }
    sink->out.length += length;
    html->element += length;
    vt_buf_clear(&html->bytes);
    if (html->element >= ELEMENT_MOST) {
        vt_buf_str(&sink->out, ELEMENT_END);
        html->element = 0;
    }
}

/* A record that is one JSON text, which stands in html->record. */
static void put_json(struct html *html, enum record type)
{
    vt_buf_char(&html->bytes, (char)type);
    put_bytes(&html->bytes, &html->record);
    html->bytes.failed |= html->record.failed;
    vt_buf_clear(&html->record);
}

/* ---- what is told once ------------------------------------------------------------------ */

/* 0: none, else its number + 1. */
static uint32_t tell_object(struct vt_sink *sink, const struct vt_object *object)
{
    struct html *html = sink->state;
    bool fresh;

    if (!object)
        return 0;
    uint32_t number = number_of(sink, &html->objects, (struct key){object->id, 0}, &fresh);
    if (fresh) {
        vt_buf_char(&html->bytes, RECORD_OBJECT);
        vt_buf_char(&html->bytes, object->type == VT_OBJECT_FILE);
        vt_buf_varint(&html->bytes, object->dev_major);
        vt_buf_varint(&html->bytes, object->dev_minor);
        vt_buf_varint(&html->bytes, object->inode);
        put_name(html, object->name);
    }
    return number + 1;
}

static uint32_t tell_state(struct vt_sink *sink, const struct vt_region *region)
{
    struct html *html = sink->state;
    uint32_t object = tell_object(sink, region->object);
    struct key key = {object,
                      (uint64_t)region->kind << 16 | (uint64_t)region->flags << 8 | region->prot};
    bool fresh;
    uint32_t number = number_of(sink, &html->states, key, &fresh);

    if (fresh) {
        vt_buf_char(&html->bytes, RECORD_STATE);
        vt_buf_char(&html->bytes, (char)region->prot);
        vt_buf_char(&html->bytes, (char)region->flags);
        vt_buf_char(&html->bytes, (char)region->kind);
        vt_buf_varint(&html->bytes, object);
    }
    return number;
}

static uint32_t tell_thread(struct vt_sink *sink, const struct vt_event *event)
{
    struct html *html = sink->state;
    struct key key = {(uint64_t)(uint32_t)event->pid << 32 | (uint32_t)event->tid, event->space};
    bool fresh;
    uint32_t number = number_of(sink, &html->threads, key, &fresh);

    if (!fresh)
        return number;
    if (vt_reserve((void **)&html->sps, &html->sp_capacity, html->threads.count,
                   sizeof(*html->sps))) {
        sink->out.failed = true;
        return number;
    }
    html->sps[number] = 0;
    vt_buf_char(&html->bytes, RECORD_THREAD);
    vt_buf_varint(&html->bytes, (uint32_t)event->pid);
    vt_buf_varint(&html->bytes, (uint32_t)event->tid);
    vt_buf_varint(&html->bytes, event->space);
    return number;
}

static struct space *space_of(struct vt_sink *sink, uint32_t space)
{
    struct html *html = sink->state;
    bool fresh;
    uint32_t number = number_of(sink, &html->space_ids, (struct key){space, 0}, &fresh);

    if (fresh) {
        if (vt_reserve((void **)&html->spaces, &html->space_capacity, html->space_ids.count,
                       sizeof(*html->spaces)))
            sink->out.failed = true;
        else
            html->spaces[number] = (struct space){0};
    }
    return sink->out.failed ? NULL : &html->spaces[number];
}

static uint32_t tell_call(struct vt_sink *sink, const struct vt_call *call)
{
    struct html *html = sink->state;
    bool fresh;
    uint32_t number = number_of(sink, &html->calls, (struct key){call->number, call->abi}, &fresh);

    if (fresh) {
        vt_buf_char(&html->bytes, RECORD_CALL);
        put_name(html, call->name);
        put_name(html, vt_abi_name(call->abi));
        vt_buf_varint(&html->bytes, call->arg_count);
        for (unsigned i = 0; i < call->arg_count; i++)
            put_name(html, call->arg_names ? call->arg_names[i] : "");
    }
    return number;
}

static void json_source(struct vt_buf *out, const char *file, unsigned line)
{
    if (!file)
        return;
    VT_JSON_NAME(out, "file");
    json_text(out, file);
    if (line) {
        VT_JSON_NAME(out, "line");
        vt_buf_dec(out, line);
    }
}

static void tell_frame(struct vt_sink *sink, const struct vt_frame *frame)
{
    struct html *html = sink->state;
    struct vt_buf *out = &html->record;

    uint32_t object = tell_object(sink, frame->object);
    VT_JSON_FIRST(out, "id");
    vt_buf_dec(out, frame->id);
    VT_JSON_NAME(out, "object");
    vt_buf_dec(out, object);
    VT_JSON_NAME(out, "address");
    json_hex(out, frame->address);
    VT_JSON_NAME(out, "name");
    json_text(out, frame->function);
    VT_JSON_NAME(out, "offset");
    json_hex(out, frame->offset);
    json_source(out, frame->file, frame->line);
    if (frame->inlined_count) {
        VT_JSON_NAME(out, "inlined");
        for (size_t i = 0; i < frame->inlined_count; i++) {
            vt_buf_str(out, i ? ",{\"name\":" : "[{\"name\":");
            json_text(out, frame->inlined[i].function);
            json_source(out, frame->inlined[i].file, frame->inlined[i].line);
            vt_buf_char(out, '}');
        }
        vt_buf_char(out, ']');
    }
    vt_buf_char(out, '}');
    put_json(html, RECORD_FRAME);
}

static void tell_stack(struct vt_sink *sink, const struct vt_stack *stack)
{
    struct html *html = sink->state;

    if (stack->id <= html->stacks)
        return;
    html->stacks = stack->id;
    for (size_t i = 0; i < stack->frame_count; i++) {
        if (stack->frames[i]->id <= html->frames)
            continue;
        html->frames = stack->frames[i]->id;
        tell_frame(sink, stack->frames[i]);
    }
    vt_buf_char(&html->bytes, RECORD_STACK);
    vt_buf_varint(&html->bytes, stack->id);
    vt_buf_varint(&html->bytes, stack->frame_count);
    for (size_t i = 0; i < stack->frame_count; i++)
        vt_buf_varint(&html->bytes, stack->frames[i]->id);
    const char *end = vt_stack_end_text(stack->end);
    put_name(html, end);
}

/* ---- events -------------------------------------------------------------------------------- */

static void put_address(struct html *html, struct vt_buf *out, vt_addr address)
{
    /* The difference of two units fits in 53 bits, which JavaScript has. */
    int64_t from = (int64_t)(html->last >> UNIT_SHIFT), to = (int64_t)(address >> UNIT_SHIFT);

    put_signed(out, (uint64_t)(to - from));
    html->last = (vt_addr)to << UNIT_SHIFT;
}

static uint64_t units(uint64_t bytes)
{
    return bytes >> UNIT_SHIFT;
}

/* The image's parts that lie in the change, by distance from where it starts. */
static void put_parts(struct vt_buf *out, const struct vt_change *change,
                      const struct vt_detail *detail)
{
    size_t count = 0;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < detail->part_count; i++) {
            const struct vt_part *part = &detail->parts[i];
            vt_addr start = vt_max(part->start + detail->bias, change->start);
            vt_addr end = vt_min(part->end + detail->bias, change->end);
            if (start >= end)
                continue;
            if (!pass) {
                count++;
                continue;
            }
            vt_buf_char(out, (char)part->kind);
            vt_buf_varint(out, start - change->start);
            vt_buf_varint(out, end - start);
        }
        if (!pass)
            vt_buf_varint(out, count);
    }
}

static void put_change(struct vt_sink *sink, struct vt_buf *out, const struct vt_change *change,
                       const struct vt_detail *detail)
{
    struct html *html = sink->state;
    const struct vt_region *region = change->op == VT_CHANGE_GONE ? &change->before
                                                                  : &change->after;
    unsigned bits = (change->source_stays ? BIT_STAYS : 0) | (detail->image ? BIT_IMAGE : 0);

    switch (change->op) {
    case VT_CHANGE_MADE:
        bits |= IS_MADE;
        break;
    case VT_CHANGE_GONE:
        bits |= IS_GONE;
        break;
    case VT_CHANGE_ALTERED:
        bits |= IS_ALTERED;
        break;
    case VT_CHANGE_MOVED:
        bits |= IS_MOVED;
        break;
    }
    vt_buf_char(out, (char)bits);
    put_address(html, out, change->start);
    vt_buf_varint(out, units(change->end - change->start));
    if (change->op == VT_CHANGE_MOVED)
        put_signed(
            out, (uint64_t)((int64_t)units(change->before.start) - (int64_t)units(change->start)));
    if (change->op != VT_CHANGE_MADE)
        vt_buf_varint(out, tell_state(sink, &change->before));
    if (change->op != VT_CHANGE_GONE)
        vt_buf_varint(out, tell_state(sink, &change->after));
    if (region->object && region->object->type == VT_OBJECT_FILE)
        vt_buf_varint(out, region->offset);
    if (detail->image) {
        vt_buf_varint(out, tell_object(sink, detail->image));
        put_parts(out, change, detail);
    }
}

/* Arguments and result, each as it is or by its distance from the last address told. */
static void put_call(struct html *html, struct vt_buf *out, const struct vt_call *call)
{
    uint64_t values[VT_COUNTOF(call->args) + 1];
    unsigned count = call->arg_count < VT_COUNTOF(call->args) ? call->arg_count
                                                              : (unsigned)VT_COUNTOF(call->args);
    unsigned near = 0;

    memcpy(values, call->args, count * sizeof(values[0]));
    values[count] = call->failed ? (uint64_t)call->error : (uint64_t)call->result;
    for (unsigned i = 0; i <= count; i++) {
        uint64_t distance = values[i] - html->last;
        if (distance + (UINT64_C(1) << 34) < UINT64_C(1) << 35 && values[i] >> 40) {
            values[i] = distance;
            near |= 1U << i;
        }
    }
    vt_buf_char(out, (char)(near | (call->failed ? 0x80 : 0)));
    for (unsigned i = 0; i <= count; i++)
        put_signed(out, values[i]);
}

/* How many units the event's changes add to its space. */
static uint64_t growth(const struct vt_event *event)
{
    uint64_t sum = 0;
    /* What an exec leaves was another space's; its GONE come first. */
    bool leaves = event->exec && event->exec->left_space;

    for (size_t i = 0; i < event->change_count; i++) {
        const struct vt_change *change = &event->changes[i];
        uint64_t size = units(change->end - change->start);
        leaves &= change->op == VT_CHANGE_GONE;
        if (change->op == VT_CHANGE_MADE || (change->op == VT_CHANGE_MOVED && change->source_stays))
            sum += size;
        else if (change->op == VT_CHANGE_GONE && !leaves)
            sum -= size;
    }
    return sum;
}

static int html_event(struct vt_sink *sink, const struct vt_event *event, struct vt_error *err)
{
    static const struct vt_detail no_detail;
    struct html *html = sink->state;
    struct vt_buf *out = &html->record;

    (void)err;
    if (event->stack)
        tell_stack(sink, event->stack);
    uint32_t thread = tell_thread(sink, event);
    uint32_t call = event->call ? tell_call(sink, event->call) : 0;
    struct space *space = space_of(sink, event->space);
    if (!space)
        return 0; /* out of memory, which sink.c reports */

    uint64_t mapped = space->mapped + growth(event);
    unsigned has = (event->sp ? HAS_SP : 0) | (event->stack ? HAS_STACK : 0) |
                   (units(event->heap_bytes) != space->heap ? HAS_HEAP : 0) |
                   (units(event->mapped_bytes) != mapped ? HAS_TOTAL : 0) |
                   (event->seq != html->seq + 1 ? HAS_GAP : 0) | (event->note ? HAS_NOTE : 0) |
                   (event->uncertain ? HAS_DOUBT : 0);
    has |= (unsigned)(event->sp_place & 3) << PLACE_SHIFT;
    struct vt_buf extra = {0};
    json_extra(&extra, event);
    has |= extra.length ? HAS_EXTRA : 0;

    /* Made apart: what is told once has to stand before the event that needs it. */
    vt_buf_varint(out, has);
    put_signed(out, (uint64_t)(event->time_ns - html->time_ns));
    vt_buf_varint(out, thread);
    vt_buf_varint(out,
                  event->cause == VT_CAUSE_CALL && event->call ? FIRST_CALL + call : event->cause);
    vt_buf_varint(out, event->change_count);
    for (size_t i = 0; i < event->change_count; i++)
        put_change(sink, out, &event->changes[i], event->details ? &event->details[i] : &no_detail);
    if (event->cause == VT_CAUSE_CALL && event->call)
        put_call(html, out, event->call);
    if (has & HAS_SP) {
        put_signed(out, event->sp - html->sps[thread]);
        html->sps[thread] = event->sp;
    }
    if (event->stack)
        vt_buf_varint(out, event->stack->id);
    if (has & HAS_HEAP)
        vt_buf_varint(out, units(event->heap_bytes));
    if (has & HAS_TOTAL)
        put_signed(out, units(event->mapped_bytes) - mapped);
    if (has & HAS_GAP)
        vt_buf_varint(out, event->seq);
    vt_buf_char(&html->bytes, RECORD_EVENT);
    vt_buf_add(&html->bytes, out->data, out->length);
    html->bytes.failed |= out->failed || extra.failed;
    vt_buf_clear(out);
    if (has & HAS_NOTE)
        put_name(html, event->note);
    if (has & HAS_EXTRA)
        put_bytes(&html->bytes, &extra);
    vt_buf_deinit(&extra);

    space->mapped = units(event->mapped_bytes);
    space->heap = units(event->heap_bytes);
    html->seq = event->seq;
    html->time_ns = event->time_ns;
    if (html->bytes.length >= PACKED_MOST)
        encode(sink);
    return 0;
}

static int html_begin(struct vt_sink *sink, const struct vt_run *run, struct vt_error *err)
{
    struct html *html = sink->state;

    (void)err;
    vt_buf_add(&sink->out, page, sizeof(page));
    json_run(&html->record, run);
    put_json(html, RECORD_RUN);
    return 0;
}

static int html_end(struct vt_sink *sink, const struct vt_summary *summary, struct vt_error *err)
{
    struct html *html = sink->state;
    struct vt_buf *out = &html->record;

    (void)err;
    VT_JSON_FIRST(out, "duration");
    vt_json_int(out, summary->duration_ns);
    VT_JSON_NAME(out, "events");
    vt_buf_dec(out, summary->events);
    VT_JSON_NAME(out, "processes");
    vt_buf_dec(out, summary->processes);
    VT_JSON_NAME(out, "threads");
    vt_buf_dec(out, summary->threads);
    VT_JSON_NAME(out, "exactness");
    vt_json_exactness(out, &summary->exactness);
    VT_JSON_NAME(out, "interrupted");
    json_text(out, summary->interrupted);
    vt_buf_char(out, '}');
    put_json(html, RECORD_END);
    encode(sink);
    if (html->element)
        vt_buf_str(&sink->out, ELEMENT_END);
    vt_buf_str(&sink->out, "</body>\n</html>\n");
    return 0;
}

static void html_destroy(struct vt_sink *sink)
{
    struct html *html = sink->state;

    vt_buf_deinit(&html->bytes);
    vt_buf_deinit(&html->record);
    numbers_deinit(&html->objects);
    numbers_deinit(&html->states);
    numbers_deinit(&html->threads);
    numbers_deinit(&html->calls);
    numbers_deinit(&html->space_ids);
    free(html->sps);
    free(html->spaces);
}

const struct vt_sink_ops vt_html_ops = {
    .endings = (const char *const[]){".html", ".htm", NULL},
    .state_size = sizeof(struct html),
    .begin = html_begin,
    .event = html_event,
    /* No flush: where the page is cut must not depend on how fast it came. */
    .end = html_end,
    .destroy = html_destroy,
};
