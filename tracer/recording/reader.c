/*
 * reader.c - a recording as the public header has it: opened, and what of it is
 * in memory (tables.c) handed out.
 */
#include "recording/reader.h"

#include <errno.h>
#include <stdlib.h>

int vt_recording_open(const char *path, struct vt_recording **recording, struct vt_error *err)
{
    struct vt_recording *r = calloc(1, sizeof(*r));
    *recording = NULL;
    if (!r)
        return vt_error_errno(err, ENOMEM, "cannot read \"%s\"", path);
    int rc = vt_source_open(&r->source, path, &r->info.schema, err);
    if (!rc)
        rc = vt_reader_load(r, err);
    if (rc)
        vt_recording_close(r);
    else
        *recording = r;
    return rc;
}

void vt_recording_close(struct vt_recording *r)
{
    if (!r)
        return;
    vt_reader_unload(r);
    vt_source_close(&r->source);
    free(r);
}

void vt_recording_watch(struct vt_recording *r, vt_recording_watch_fn *watch, void *context)
{
    r->source.watch = watch;
    r->source.watch_context = context;
}

/* ---- what is in memory ----------------------------------------------------------------- */

const struct vt_recording_info *vt_recording_info(const struct vt_recording *r)
{
    return &r->info;
}

const struct vt_recorded_process *vt_recording_processes(const struct vt_recording *r,
                                                         size_t *count)
{
    *count = r->process_count;
    return r->processes;
}

int vt_recording_process(const struct vt_recording *r, pid_t pid,
                         const struct vt_recorded_process **process, struct vt_error *err)
{
    *process = NULL;
    for (size_t i = 0; i < r->process_count; i++) {
        const struct vt_recorded_process *p = &r->processes[i];
        if (pid ? p->pid == pid : p->root && !*process)
            *process = p;
    }
    if (!*process && !pid && r->process_count)
        *process = &r->processes[0]; /* the launched one, where its end is not recorded */
    if (*process)
        return 0;
    if (!r->process_count)
        return vt_error_set(err, ESRCH, "\"%s\" holds no process%s", r->source.name,
                            r->info.complete ? "" : ": it was cut short before the first event");
    struct vt_buf pids = {0};
    for (size_t i = 0; i < r->process_count && i < 16; i++)
        vt_buf_printf(&pids, "%s%d", i ? ", " : "", (int)r->processes[i].pid);
    if (r->process_count > 16)
        vt_buf_printf(&pids, " and %zu more", r->process_count - 16);
    vt_error_set(err, ESRCH, "\"%s\" holds no process %d; it holds %s", r->source.name, (int)pid,
                 vt_buf_cstr(&pids));
    vt_buf_deinit(&pids);
    return -ESRCH;
}
