/*
 * ask.c - everything that a recording can be asked. Answers may be failures,
 * which say why, or, of a recording that lies, wrong; never inconsistent.
 */
#include <string.h>

#include "fuzz.h"
#include "session/replay.h"
#include "sinks/picture.h"

static void check(int rc, const struct vt_error *err)
{
    if (rc)
        fuzz_check_failure(rc, err);
}

static void detail_of(void *context, const struct vt_region *region, struct vt_detail *detail)
{
    vt_recorded_layout_detail(context, region, detail);
}

static void draw(struct vt_recorded_layout *layout, const struct vt_moment *moment, vt_addr sp)
{
    const struct vt_layout *map = vt_recorded_layout_map(layout);
    vt_addr past = 0;
    vt_layout_for_each(r, map) {
        FUZZ_CHECK(r->start < r->end && past <= r->start && r->kind < VT_KIND_COUNT);
        past = r->end;
    }
    for (const struct vt_picture_format *f = vt_picture_formats(); f->name; f++) {
        struct vt_picture_input input = {.layout = map,
                                         .detail = detail_of,
                                         .detail_context = layout,
                                         .pid = moment->process->pid,
                                         .path = moment->process->path,
                                         .type = moment->process->type,
                                         .class_bits = moment->process->class_bits,
                                         .moment = moment->text,
                                         .sp = sp,
                                         .utf8 = true};
        struct vt_buf out = {0};
        struct vt_error err = {0};
        check(f->render(&input, &out, &err), &err);
        vt_buf_deinit(&out);
    }
}

/* One process at one moment. */
static bool ask_moment(struct vt_recording *recording, const struct vt_recorded_process *process,
                       const char *text, struct vt_moment *moment)
{
    struct vt_recorded_layout *layout;
    struct vt_error err = {0};
    struct vt_when when;
    vt_addr sp = 0;
    FUZZ_CHECK(vt_when_parse(text, &when));
    int rc = vt_recording_moment(recording, process, &when, moment, &err);
    check(rc, &err);
    if (rc)
        return false;
    FUZZ_CHECK(memchr(moment->text, 0, sizeof(moment->text)));
    check(vt_recording_sp(recording, moment, &sp, &err), &err);
    rc = vt_recording_layout(recording, moment, &layout, &err);
    check(rc, &err);
    if (!rc) {
        struct vt_differences differences = {0};
        draw(layout, moment, sp);
        rc = vt_recording_diff_runs(layout, layout, &differences, &err);
        check(rc, &err);
        vt_differences_deinit(&differences);
        vt_recorded_layout_destroy(layout);
    }
    return true;
}

static void ask_process(struct vt_recording *recording, const struct vt_recorded_process *process)
{
    static const char *const moments[] = {"start", "peak", "1ms", "#3", "end"};
    struct vt_moment first = {0}, last = {0};
    struct vt_history history = {0};
    struct vt_report report = {0};
    struct vt_error err = {0};
    bool whole = true;

    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++)
        whole &= ask_moment(recording, process, moments[i], i ? &last : &first) || (i && i < 4);
    if (whole) {
        struct vt_differences differences = {0};
        check(vt_recording_diff(recording, &first, &last, &differences, &err), &err);
        vt_differences_deinit(&differences);
    }
    check(vt_recording_history(recording, process, 0, UINT64_MAX, 1000, &history, &err), &err);
    vt_history_deinit(&history);
    check(vt_recording_report(recording, process, &report, &err), &err);
    vt_report_deinit(&report);
}

void fuzz_ask_recording(const char *path)
{
    struct vt_recording *recording;
    struct vt_error err = {0};
    size_t count;
    int rc = vt_recording_open(path, &recording, &err);
    check(rc, &err);
    if (rc)
        return;
    const struct vt_recorded_process *processes = vt_recording_processes(recording, &count);
    for (size_t i = 0; i < count && i < 3; i++)
        ask_process(recording, &processes[i]);
    for (const char *const *format = vt_sink_format_names(); *format; format++) {
        struct vt_sink_config config = {.path = "/dev/null", .format = *format};
        struct vt_sink *sink;
        if (!strcmp(*format, "vas"))
            continue; /* wants a file; and is a recording already */
        FUZZ_CHECK(!vt_sink_create(&config, &sink, &err));
        check(vt_session_replay(recording, NULL, sink, &err), &err);
        vt_sink_destroy(sink);
    }
    vt_recording_close(recording);
}
