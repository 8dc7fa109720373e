/*
 * moment.c - hides how a moment is found and the address space as it lay then
 * is put together from rectangles.
 */
#include "recording/walk.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

static const struct {
    const char *word;
    enum vt_when_type type;
} when_words[] = {{"start", VT_WHEN_START}, {"end", VT_WHEN_END}, {"peak", VT_WHEN_PEAK}};

const char *vt_when_word(size_t index)
{
    return index < VT_COUNTOF(when_words) ? when_words[index].word : NULL;
}

bool vt_when_parse(const char *text, struct vt_when *when)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"", 1e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
    char *end;

    *when = (struct vt_when){0};
    for (size_t i = 0; i < VT_COUNTOF(when_words); i++) {
        if (!strcmp(text, when_words[i].word)) {
            when->type = when_words[i].type;
            return true;
        }
    }
    errno = 0;
    if (*text == '#') {
        when->type = VT_WHEN_EVENT;
        when->value = strtoull(text + 1, &end, 10);
        return text[1] >= '0' && text[1] <= '9' && !*end && !errno;
    }
    if (!strchr("0123456789.", *text) || !*text)
        return false;
    double number = strtod(text, &end);
    for (size_t i = 0; i < VT_COUNTOF(units) && end != text; i++) {
        double ns = number * units[i].ns;
        if (!strcmp(end, units[i].unit) && ns >= 0 && ns < 9e18) {
            when->type = VT_WHEN_TIME;
            when->value = (uint64_t)llround(ns);
            return true;
        }
    }
    return false;
}

/* One event that a query names by its number and time. 0 if there is none. */
static int find_event(struct vt_recording *r, const char *sql, uint64_t a, uint64_t b,
                      uint64_t *event, int64_t *time_ns, struct vt_error *err)
{
    sqlite3_stmt *s;
    int rc = vt_source_query(&r->source, sql, &s, err);
    if (rc)
        return rc;
    vt_db_bind(s, 1, a);
    vt_db_bind(s, 2, b);
    rc = vt_source_step(&r->source, s, err);
    struct vt_row row = {.text = &r->source.text, .statement = s};
    if (rc > 0 && !vt_row_null(&row, 0)) {
        *event = vt_row_uint(&row, 0, INT64_MAX);
        *time_ns = vt_row_int(&row, 1, 0, VT_TIME_MOST);
        if (row.bad)
            rc = vt_source_damaged(&r->source, "table events", err);
    } else if (rc > 0) {
        rc = 0;
    }
    sqlite3_finalize(s);
    return rc;
}

/* The last event at which the process is there as it was: the one before its end. */
static uint64_t last_event(const struct vt_recorded_process *p)
{
    return !p->end_event ? UINT64_MAX >> 1 : p->detached ? p->end_event : p->end_event - 1;
}

static int find(struct vt_recording *r, const struct vt_recorded_process *p,
                const struct vt_when *when, struct vt_moment *moment, struct vt_error *err)
{
    uint64_t last = last_event(p);
    switch (when->type) {
    case VT_WHEN_START:
        return find_event(r, "SELECT seq, time FROM events WHERE seq = ?1", p->first_event, 0,
                          &moment->event, &moment->time_ns, err);
    case VT_WHEN_END:
        return find_event(r,
                          "SELECT seq, time FROM events WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1",
                          last, 0, &moment->event, &moment->time_ns, err);
    case VT_WHEN_PEAK:
        return find_event(r,
                          "SELECT seq, time FROM events WHERE process = ?1 AND seq <= ?2 "
                          "ORDER BY mapped DESC, seq LIMIT 1",
                          p->id, last, &moment->event, &moment->time_ns, err);
    case VT_WHEN_TIME:
        /* Times ascend with few exceptions (events of two threads): the last one not later. */
        return find_event(r, "SELECT max(seq), max(time) FROM events WHERE time <= ?1", when->value,
                          0, &moment->event, &moment->time_ns, err);
    case VT_WHEN_EVENT:
        return find_event(r,
                          "SELECT seq, time FROM events WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1",
                          vt_min(when->value, INT64_MAX), 0, &moment->event, &moment->time_ns, err);
    }
    return 0;
}

void vt_reader_describe(const struct vt_when *when, struct vt_moment *moment)
{
    static const char *const words[] = {
        [VT_WHEN_START] = "at the start", [VT_WHEN_END] = "at the end",
        [VT_WHEN_PEAK] = "at the peak",   [VT_WHEN_TIME] = "at",
        [VT_WHEN_EVENT] = "after",
    };
    double seconds = (double)moment->time_ns / 1e9;
    const char *word = words[when->type];
    unsigned long long event = (unsigned long long)moment->event;
    if (when->type == VT_WHEN_EVENT)
        snprintf(moment->text, sizeof(moment->text), "%s #%llu (%.6f s)", word, event, seconds);
    else if (when->type == VT_WHEN_TIME)
        snprintf(moment->text, sizeof(moment->text), "%s %.6f s (#%llu)", word, seconds, event);
    else
        snprintf(moment->text, sizeof(moment->text), "%s (%.6f s, #%llu)", word, seconds, event);
}

int vt_recording_moment(struct vt_recording *r, const struct vt_recorded_process *process,
                        const struct vt_when *when, struct vt_moment *moment, struct vt_error *err)
{
    *moment = (struct vt_moment){.process = process};
    int rc = find(r, process, when, moment, err);
    if (rc < 0)
        return rc;
    moment->space = rc ? vt_reader_space_at(r, process->id, moment->event) : 0;
    if (when->type == VT_WHEN_TIME)
        moment->time_ns = (int64_t)when->value;
    vt_reader_describe(when, moment);
    bool over = moment->event > last_event(process);
    if (moment->space && !over)
        return 0;
    if (!rc || moment->event < process->first_event)
        return vt_error_set(err, ERANGE, "process %d is not there yet %s: its first event is #%llu",
                            (int)process->pid, moment->text,
                            (unsigned long long)process->first_event);
    if (over)
        return vt_error_set(err, ERANGE,
                            "process %d is not there any more %s: it ended with #%llu; its last "
                            "moment is `end`",
                            (int)process->pid, moment->text,
                            (unsigned long long)process->end_event);
    return vt_error_set(err, ERANGE, "process %d has no known address space %s", (int)process->pid,
                        moment->text);
}

int vt_recording_sp(struct vt_recording *r, const struct vt_moment *moment, vt_addr *sp,
                    struct vt_error *err)
{
    sqlite3_stmt *s;
    *sp = 0;
    int rc = vt_source_query(&r->source,
                             "SELECT sp FROM events WHERE process = ?1 AND seq <= ?2 AND "
                             "space = ?3 AND sp IS NOT NULL AND thread IN "
                             "(SELECT id FROM threads WHERE process = ?1 AND tid = ?4) "
                             "ORDER BY seq DESC LIMIT 1",
                             &s, err);
    if (rc)
        return rc;
    vt_db_bind(s, 1, moment->process->id);
    vt_db_bind(s, 2, moment->event);
    vt_db_bind(s, 3, moment->space);
    vt_db_bind(s, 4, (uint64_t)moment->process->pid);
    rc = vt_source_step(&r->source, s, err);
    if (rc > 0)
        *sp = (vt_addr)sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return rc < 0 ? rc : 0;
}

/* ---- layouts -------------------------------------------------------------------------- */

/* An image as it lay: what of it was mapped. */
struct placed {
    vt_addr start;
    vt_addr end;
    const struct vt_object *object;
    uint64_t bias;
};

struct vt_recorded_layout {
    const struct vt_recording *recording;
    struct vt_layout *layout;
    uint8_t kind;          /* of the region that is being put in */
    struct placed *images; /* by images.id - 1; start == end: not mapped */
};

static vt_addr known_kind(void *context, const struct vt_region *region, uint8_t *kind)
{
    const struct vt_recorded_layout *layout = context;
    *kind = layout->kind;
    return region->end;
}

static int put_rectangle(void *context, const struct vt_rectangle *rectangle)
{
    struct vt_recorded_layout *layout = context;
    const struct vt_recording *r = layout->recording;
    layout->kind = rectangle->region.kind;
    int rc = vt_layout_map(layout->layout, &rectangle->region, NULL);
    if (rc || !rectangle->image)
        return rc;
    const struct vt_image_row *image = &r->images[rectangle->image - 1];
    struct placed *placed = &layout->images[rectangle->image - 1];
    bool bad = false;
    if (placed->start == placed->end)
        *placed = (struct placed){rectangle->region.start, rectangle->region.end,
                                  vt_reader_object(r, image->object, &bad), image->bias};
    placed->start = vt_min(placed->start, rectangle->region.start);
    placed->end = vt_max(placed->end, rectangle->region.end);
    return 0;
}

/*
 * The bounds that [heap] and [stack] are named by are not recorded; the regions
 * of these kinds tell them to the page.
 */
static void set_marks(struct vt_layout *layout)
{
    struct vt_layout_marks marks = {0};
    vt_layout_for_each(r, layout) {
        if (r->kind == VT_KIND_STACK)
            marks.stack_start = r->end - 1;
        if (r->kind != VT_KIND_HEAP || (r->flags & VT_REGION_ARENA))
            continue;
        if (!marks.heap_start)
            marks.heap_start = r->start;
        marks.heap_end = r->end;
    }
    vt_layout_set_marks(layout, &marks);
}

int vt_recording_layout(struct vt_recording *r, const struct vt_moment *moment,
                        struct vt_recorded_layout **ret, struct vt_error *err)
{
    *ret = NULL;
    struct vt_recorded_layout *layout = calloc(1, sizeof(*layout));
    if (layout) {
        layout->recording = r;
        layout->layout = vt_layout_create(known_kind, layout);
        layout->images = calloc(r->image_count + 1, sizeof(*layout->images));
    }
    if (!layout || !layout->layout || !layout->images) {
        vt_recorded_layout_destroy(layout);
        return vt_source_no_memory(&r->source, err);
    }
    int rc = vt_walk_live(r, moment, put_rectangle, layout, err);
    if (rc == -ENOMEM)
        vt_source_no_memory(&r->source, err);
    if (rc) {
        vt_recorded_layout_destroy(layout);
        return rc;
    }
    set_marks(layout->layout);
    *ret = layout;
    return 0;
}

void vt_recorded_layout_destroy(struct vt_recorded_layout *layout)
{
    if (!layout)
        return;
    vt_layout_destroy(layout->layout);
    free(layout->images);
    free(layout);
}

const struct vt_layout *vt_recorded_layout_map(const struct vt_recorded_layout *layout)
{
    return layout->layout;
}

void vt_recorded_layout_detail(const struct vt_recorded_layout *layout,
                               const struct vt_region *region, struct vt_detail *detail)
{
    const struct vt_recording *r = layout->recording;
    bool file = region->object && region->object->type == VT_OBJECT_FILE;
    *detail = (struct vt_detail){0};
    if ((region->object && !file) || (region->flags & VT_REGION_SHARED))
        return;
    for (size_t i = 0; i < r->image_count; i++) {
        const struct placed *placed = &layout->images[i];
        if (region->start < placed->start || region->start >= placed->end ||
            (file && !vt_object_same(region->object, placed->object)))
            continue;
        detail->image = placed->object;
        detail->bias = placed->bias;
        vt_reader_parts(r, r->images[i].object, region->start - placed->bias,
                        region->end - placed->bias, &detail->parts, &detail->part_count);
    }
}
