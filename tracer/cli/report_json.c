/*
 * report_json.c - an account as one JSON document.
 */
#include <string.h>

#include "base/base.h"
#include "base/escape.h"
#include "cli/report.h"

typedef unsigned long long ull;

/* Members come one after the other, each begun by its name; values are what follows. */
struct json {
    struct cli_page *page;
    struct vt_buf *out; /* the page's */
    bool comma;
};

static void key(struct json *j, const char *name)
{
    if (j->comma)
        vt_buf_char(j->out, ',');
    vt_escape_json(j->out, name, strlen(name));
    vt_buf_char(j->out, ':');
    j->comma = true;
}

static void open_json(struct json *j, const char *name, char bracket)
{
    if (name)
        key(j, name);
    else if (j->comma)
        vt_buf_char(j->out, ',');
    vt_buf_char(j->out, bracket);
    j->comma = false;
}

static void close_json(struct json *j, char bracket)
{
    vt_buf_char(j->out, bracket);
    j->comma = true;
}

static void number(struct json *j, const char *name, uint64_t value)
{
    key(j, name);
    vt_buf_dec(j->out, value);
}

static void boolean(struct json *j, const char *name, bool value)
{
    key(j, name);
    vt_buf_str(j->out, value ? "true" : "false");
}

static void hex(struct json *j, const char *name, uint64_t value)
{
    key(j, name);
    vt_buf_str(j->out, "\"0x");
    vt_buf_hex(j->out, value, 0);
    vt_buf_char(j->out, '"');
}

static void string(struct json *j, const char *name, const char *value)
{
    key(j, name);
    if (value)
        vt_escape_json(j->out, value, strlen(value));
    else
        vt_buf_str(j->out, "null");
}

static void region_json(struct json *j, const struct vt_region *r)
{
    char perm[5];
    hex(j, "start", r->start);
    hex(j, "end", r->end);
    string(j, "perm", vt_prot_text(r->prot, r->flags, perm));
    string(j, "kind", vt_kind_name(r->kind));
    string(j, "name", r->object ? r->object->name : NULL);
}

static void source_json(struct json *j, const char *file, unsigned line)
{
    if (!file)
        return;
    string(j, "file", file);
    number(j, "line", line);
}

static void stack_json(struct json *j, const struct vt_stack *stack)
{
    if (!stack)
        return;
    open_json(j, "stack", '[');
    for (size_t i = 0; i < stack->frame_count; i++) {
        const struct vt_frame f = cli_frame(j->page, stack->frames[i]);
        open_json(j, NULL, '{');
        string(j, "function", f.function);
        string(j, "object", f.object ? f.object->name : NULL);
        hex(j, "address", f.address);
        source_json(j, f.file, f.line);
        if (f.inlined_count) {
            open_json(j, "inlined", '[');
            for (size_t k = 0; k < f.inlined_count; k++) {
                open_json(j, NULL, '{');
                string(j, "function", f.inlined[k].function);
                source_json(j, f.inlined[k].file, f.inlined[k].line);
                close_json(j, '}');
            }
            close_json(j, ']');
        }
        close_json(j, '}');
    }
    close_json(j, ']');
}

static void moment_json(struct json *j, const char *name, const struct vt_moment *m)
{
    open_json(j, name, '{');
    number(j, "event", m->event);
    number(j, "t", (uint64_t)m->time_ns);
    close_json(j, '}');
}

static void ledger_json(struct json *j, const struct vt_report *r)
{
    open_json(j, "kinds", '{');
    for (unsigned kind = 0; kind < VT_KIND_COUNT; kind++) {
        const struct vt_ledger *k = &r->kinds[kind];
        if (!k->opening_bytes && !k->made_count && !k->gone_count && !k->closing_bytes)
            continue;
        open_json(j, vt_kind_name((uint8_t)kind), '{');
        number(j, "opening_bytes", k->opening_bytes);
        number(j, "made_count", k->made_count);
        number(j, "made_bytes", k->made_bytes);
        number(j, "gone_count", k->gone_count);
        number(j, "gone_bytes", k->gone_bytes);
        number(j, "closing_bytes", k->closing_bytes);
        number(j, "closing_regions", k->closing_regions);
        number(j, "peak_bytes", k->peak_bytes);
        number(j, "at_peak_bytes", k->at_peak_bytes);
        close_json(j, '}');
    }
    close_json(j, '}');
    boolean(j, "balanced", r->balanced);
}

static void sites_json(struct json *j, const struct vt_report *r)
{
    open_json(j, "sites", '[');
    for (size_t i = 0; i < r->site_count; i++) {
        const struct vt_site *s = &r->sites[i];
        open_json(j, NULL, '{');
        string(j, "cause", s->cause);
        stack_json(j, s->stack);
        number(j, "events", s->events);
        number(j, "made_count", s->made_count);
        number(j, "made_bytes", s->made_bytes);
        number(j, "live_count", s->live_count);
        number(j, "live_bytes", s->live_bytes);
        number(j, "first_event", s->first_event);
        number(j, "last_event", s->last_event);
        key(j, "region_change");
        vt_buf_printf(j->out, "%lld", (long long)s->region_change);
        close_json(j, '}');
    }
    close_json(j, ']');
}

static void lists_json(struct json *j, const struct vt_report *r)
{
    open_json(j, "lifetimes", '[');
    for (size_t i = 0; i < VT_LIFETIMES; i++) {
        open_json(j, NULL, '{');
        key(j, "below");
        if (i + 1 < VT_LIFETIMES)
            vt_buf_dec(j->out, (uint64_t)r->lifetimes[i].limit_ns);
        else
            vt_buf_str(j->out, "null");
        number(j, "count", r->lifetimes[i].count);
        number(j, "bytes", r->lifetimes[i].bytes);
        close_json(j, '}');
    }
    close_json(j, ']');
    open_json(j, "remaining", '{');
    number(j, "count", r->remaining_total);
    number(j, "bytes", r->remaining_bytes);
    open_json(j, "largest", '[');
    for (size_t i = 0; i < r->remaining_count; i++) {
        open_json(j, NULL, '{');
        region_json(j, &r->remaining[i].region);
        number(j, "origin_event", r->remaining[i].origin_event);
        number(j, "made_event", r->remaining[i].made_event);
        close_json(j, '}');
    }
    close_json(j, ']');
    close_json(j, '}');
    open_json(j, "stacks", '[');
    for (size_t i = 0; i < r->process->stack_count; i++) {
        const struct vt_stack_use *use = &r->process->stacks[i];
        open_json(j, NULL, '{');
        number(j, "tid", (uint64_t)use->tid);
        boolean(j, "main", use->main);
        hex(j, "low", use->low);
        hex(j, "high", use->high);
        hex(j, "floor", use->floor);
        hex(j, "sp_lowest", use->sp_lowest);
        close_json(j, '}');
    }
    close_json(j, ']');
}

static void findings_json(struct json *j, const struct vt_report *r)
{
    open_json(j, "findings", '[');
    for (size_t i = 0; i < r->finding_count; i++) {
        const struct vt_finding *f = &r->findings[i];
        open_json(j, NULL, '{');
        string(j, "type", vt_finding_name(f->type));
        string(j, "cause", f->cause);
        stack_json(j, f->stack);
        number(j, "count", f->count);
        number(j, "bytes", f->bytes);
        number(j, "event", f->event);
        if (f->origin_event)
            number(j, "origin_event", f->origin_event);
        number(j, "last_event", f->last_event);
        if (f->region.start < f->region.end)
            region_json(j, &f->region);
        if (f->type == VT_FINDING_GROWTH) {
            open_json(j, "live_by_eighth", '[');
            for (size_t k = 0; k < VT_COUNTOF(f->slices); k++)
                vt_buf_printf(j->out, "%s%llu", k ? "," : "", (ull)f->slices[k]);
            close_json(j, ']');
        }
        close_json(j, '}');
    }
    close_json(j, ']');
    open_json(j, "finding_totals", '{'); /* the largest of each type are above */
    for (int type = 0; type < VT_FINDING_COUNT; type++)
        number(j, vt_finding_name((enum vt_finding_type)type), r->finding_totals[type]);
    close_json(j, '}');
}

void cli_report_json(struct cli_page *p, const struct vt_recording *recording,
                     const struct vt_report *r)
{
    const struct vt_recording_info *info = vt_recording_info(recording);
    struct json j = {p, &p->out, false};
    open_json(&j, NULL, '{');
    string(&j, "type", "report");
    number(&j, "schema", 1);
    number(&j, "pid", (uint64_t)r->process->pid);
    string(&j, "name", r->process->name);
    string(&j, "path", r->process->path);
    boolean(&j, "complete", info->complete);
    boolean(&j, "partial", info->partial);
    number(&j, "events", r->events);
    moment_json(&j, "start", &r->start);
    moment_json(&j, "peak", &r->peak);
    moment_json(&j, "end", &r->end);
    number(&j, "peak_bytes", r->peak_bytes);
    number(&j, "usable_peak_bytes", r->usable_peak_bytes);
    ledger_json(&j, r);
    sites_json(&j, r);
    lists_json(&j, r);
    open_json(&j, "free", '{');
    hex(&j, "low", r->low);
    hex(&j, "high", r->high);
    number(&j, "bytes", r->free_bytes);
    number(&j, "gaps", r->gaps);
    hex(&j, "largest_start", r->largest_gap_start);
    hex(&j, "largest_end", r->largest_gap_end);
    close_json(&j, '}');
    open_json(&j, "regions", '{');
    number(&j, "end", r->regions_end);
    number(&j, "peak", r->regions_peak);
    number(&j, "peak_event", r->regions_peak_event);
    key(&j, "max_map_count");
    if (info->max_map_count >= 0)
        vt_buf_dec(j.out, (uint64_t)info->max_map_count);
    else
        vt_buf_str(j.out, "null");
    close_json(&j, '}');
    findings_json(&j, r);
    close_json(&j, '}');
    vt_buf_char(&p->out, '\n');
}
