/*
 * writer.c - hides how a recording comes about, event by event: which rows an
 * event is spread over, and when others get to see them.
 *
 * All is done in the caller's thread, which is not the one that traces (see
 * session/emit.c): neither a stop nor a slow disk waits for SQLite.
 *
 * Invariant: what is committed is whole: with an event all rows that it refers
 * to, and all rectangles that are open after it.
 */
#include "recording/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "recording/cast.h"
#include "recording/catalog.h"
#include "recording/pack.h"
#include "recording/rectangles.h"
#include "recording/rows.h"
#include "recording/words.h"

/* Rows that are worth a commit, however little time has passed. */
#define COMMIT_ROWS 8192

struct vt_recorder {
    char *path; /* absolute: the tracer may change its folder, and SQLite opens files later on */
    char *name; /* the path as it was given, for messages */
    struct vt_rows *rows;
    struct vt_catalog catalog;
    struct vt_cast cast;
    struct vt_buf changes; /* of the event at hand, packed */
    uint64_t last_seq;
    uint64_t left_out;
    bool partial;
};

/* ---- what few events have --------------------------------------------------------------- */

static void store_program(struct vt_recorder *r, const struct vt_event *event, uint32_t process)
{
    const struct vt_exec_info *info = event->exec;
    VT_ADD_ROW(r->rows, VT_TABLE_PROGRAMS, vt_cell_number(event->seq), vt_cell_number(process),
               vt_cell_name(info->path), vt_cell_word(vt_program_type_name(info->type)),
               vt_cell_number(info->class_bits), vt_cell_number(info->images),
               vt_cell_number(info->regions), vt_cell_number(info->left_space));
}

static void store_fault_region(struct vt_recorder *r, uint64_t event, const char *role,
                               const struct vt_region *region)
{
    if (region->start >= region->end)
        return;
    uint32_t object = vt_catalog_object(&r->catalog, region->object);
    VT_ADD_ROW(r->rows, VT_TABLE_FAULT_REGIONS, vt_cell_number(event), vt_cell_word(role),
               vt_cell_number(region->start), vt_cell_number(region->end),
               vt_cell_word(vt_word_perm(region->prot, region->flags)),
               vt_cell_word(vt_kind_name(region->kind)),
               vt_cell_number(region->flags & ~(unsigned)VT_REGION_SHARED),
               vt_cell_known(object, object), vt_cell_number(region->offset));
}

static void store_fault(struct vt_recorder *r, const struct vt_event *event)
{
    const struct vt_fault_info *fault = event->fault;
    const struct vt_past *past = &fault->past;
    bool known = fault->has_past;
    VT_ADD_ROW(
        r->rows, VT_TABLE_FAULTS, vt_cell_number(event->seq),
        vt_cell_number((uint64_t)fault->signal), vt_cell_number((uint64_t)fault->code),
        vt_cell_number((uint64_t)fault->sender), vt_cell_known(fault->has_addr, fault->addr),
        vt_cell_word(vt_fault_verdict_name(fault->verdict)), vt_cell_number(fault->from_start),
        vt_cell_number(fault->stack_limit), vt_cell_number(fault->file_size),
        vt_cell_known(known, past->seq), vt_cell_known(known, (uint64_t)past->time_ns),
        vt_cell_known(known, (uint64_t)past->pid), vt_cell_known(known, (uint64_t)past->tid),
        vt_cell_word(known ? past->cause : NULL), vt_cell_word(known ? vt_word_op(past->op) : NULL),
        vt_cell_known(known, past->prot_after));
    store_fault_region(r, event->seq, "here", &fault->here);
    store_fault_region(r, event->seq, "below", &fault->below);
    store_fault_region(r, event->seq, "above", &fault->above);
    if (known)
        store_fault_region(r, event->seq, "past", &past->before);
}

/* ---- events ----------------------------------------------------------------------------- */

/* Let a change have its way with the rectangles, and pack it. */
static void take_change(struct vt_recorder *r, const struct vt_event *event, size_t i,
                        struct vt_cast_space *space)
{
    const struct vt_change *change = &event->changes[i];
    const struct vt_detail *detail = event->details ? &event->details[i] : NULL;
    uint32_t image = 0;
    if (change->op != VT_CHANGE_MADE)
        vt_catalog_object(&r->catalog, change->before.object);
    if (change->op != VT_CHANGE_GONE)
        vt_catalog_object(&r->catalog, change->after.object);
    if (detail && space)
        image = vt_catalog_image(&r->catalog, &space->images, space->id, detail, event->seq);
    else if (detail)
        vt_catalog_object(&r->catalog, detail->image);
    if (change->start >= change->end)
        return;
    vt_pack(&r->changes, change, detail);
    if (space)
        vt_rectangles_apply(r->rows, space->id, &space->tiles, change, image, event->seq);
}

static struct vt_cell argument(const struct vt_call *call, unsigned i)
{
    return call && i < call->arg_count ? vt_cell_number(call->args[i]) : vt_cell_null();
}

static void store_event(struct vt_recorder *r, const struct vt_event *event,
                        const struct vt_cast_thread *thread, uint32_t call_id)
{
    const struct vt_cast_space *space = thread->process->space;
    const struct vt_call *call = event->call;
    uint64_t stack = vt_catalog_stack(&r->catalog, event->stack);
    bool failed = call && call->failed, returned = call && !failed;
    VT_ADD_ROW(
        r->rows, VT_TABLE_EVENTS, vt_cell_number(event->seq),
        vt_cell_number((uint64_t)event->time_ns), vt_cell_number(thread->process->id),
        vt_cell_number(event->space), vt_cell_word(vt_event_cause_name(event)),
        vt_cell_known(space, space ? space->tiles.count - space->tiles.joints : 0),
        vt_cell_known(stack, stack),
        r->changes.length ? vt_cell_blob(r->changes.data, r->changes.length) : vt_cell_null(),
        vt_cell_number(thread->id), vt_cell_number(event->uncertain), vt_cell_known(call, call_id),
        argument(call, 0), argument(call, 1), argument(call, 2), argument(call, 3),
        argument(call, 4), argument(call, 5),
        vt_cell_known(returned, returned ? (uint64_t)call->result : 0),
        vt_cell_known(failed, failed ? (uint64_t)call->error : 0),
        vt_cell_known(event->sp, event->sp), vt_cell_number(event->sp_place),
        vt_cell_known(event->ip, event->ip), vt_cell_number(event->mapped_bytes),
        vt_cell_number(event->heap_bytes), vt_cell_known(event->parent, (uint64_t)event->parent),
        vt_cell_number(event->shares_space), vt_cell_name(event->note));
}

static void commit(struct vt_recorder *r)
{
    vt_cast_store(&r->cast);
    vt_rows_commit(r->rows);
}

int vt_recorder_event(struct vt_recorder *r, const struct vt_event *event, struct vt_error *err)
{
    struct vt_cast_thread *thread = vt_cast_thread(&r->cast, event);
    if (!thread)
        return vt_rows_failure(r->rows, err);
    struct vt_cast_process *process = thread->process;
    if (event->seq > r->last_seq + 1)
        r->left_out += event->seq - r->last_seq - 1;
    r->last_seq = event->seq;

    struct vt_cast_space *left = vt_cast_enter(&r->cast, process, event), *space = process->space;
    struct vt_cast_space *old_space = event->cause == VT_CAUSE_EXEC && left ? left : space;
    uint32_t call = vt_catalog_call(&r->catalog, event->call);
    vt_buf_clear(&r->changes);
    for (size_t i = 0; i < event->change_count; i++)
        take_change(r, event, i, event->changes[i].op == VT_CHANGE_GONE ? old_space : space);
    if (r->changes.failed)
        vt_rows_no_memory(r->rows);
    store_event(r, event, thread, call);
    if (event->exec)
        store_program(r, event, process->id);
    if (event->fault)
        store_fault(r, event);
    if (space && space->tiles.bytes != event->mapped_bytes && !r->partial) {
        r->partial = true;
        vt_rows_update(r->rows, "UPDATE run SET partial = 1", NULL, 0);
    }
    vt_cast_leave(&r->cast, left);
    if (event->exit)
        vt_cast_end(&r->cast, process, event);
    if (vt_rows_pending(r->rows) >= COMMIT_ROWS)
        commit(r);
    return vt_rows_failure(r->rows, err);
}

int vt_recorder_flush(struct vt_recorder *r, struct vt_error *err)
{
    commit(r);
    return vt_rows_failure(r->rows, err);
}

/* ---- begin and end ------------------------------------------------------------------------ */

static int64_t read_max_map_count(void)
{
    long value = -1;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file) {
        if (fscanf(file, "%ld", &value) != 1) /* NOLINT(cert-err34-c): the kernel wrote it */
            value = -1;
        fclose(file);
    }
    return value;
}

int vt_recorder_begin(struct vt_recorder *r, const struct vt_run *run, struct vt_error *err)
{
    int64_t most = read_max_map_count();
    struct vt_cell later = vt_cell_null(), no = vt_cell_number(0);
    VT_ADD_ROW(r->rows, VT_TABLE_RUN, vt_cell_number(1),
               vt_cell_name(run->version ? run->version : ""),
               vt_cell_name(run->kernel ? run->kernel : ""),
               vt_cell_name(run->machine ? run->machine : ""), vt_cell_number(run->page_size),
               vt_cell_known(run->aslr >= 0, (uint64_t)run->aslr),
               vt_cell_number(run->aslr_disabled), vt_cell_known(most >= 0, (uint64_t)most),
               vt_cell_number((uint64_t)run->start_unix_ns), vt_cell_number(run->command != NULL),
               vt_cell_number(run->verify), vt_cell_number(run->multiple), no, no, later, later,
               later, later, later, later, later, later, later, later, later, later);
    for (size_t i = 0; run->command && run->command[i]; i++)
        VT_ADD_ROW(r->rows, VT_TABLE_COMMAND, vt_cell_number(i), vt_cell_name(run->command[i]));
    for (unsigned i = 0; i < VT_KIND_COUNT; i++)
        VT_ADD_ROW(r->rows, VT_TABLE_KINDS, vt_cell_number(i),
                   vt_cell_word(vt_kind_name((uint8_t)i)));
    commit(r); /* from here on it is a recording */
    return vt_rows_failure(r->rows, err);
}

int vt_recorder_end(struct vt_recorder *r, const struct vt_summary *summary, struct vt_error *err)
{
    const struct vt_exactness *exact = &summary->exactness;
    uint64_t unseen = summary->events > r->last_seq ? summary->events - r->last_seq : 0;
    const struct vt_cell cells[] = {
        vt_cell_number((uint64_t)summary->duration_ns),
        vt_cell_number(summary->events),
        vt_cell_number(r->left_out + unseen),
        vt_cell_number(summary->processes),
        vt_cell_number(summary->threads),
        vt_cell_number(exact->stops),
        vt_cell_number(exact->compared),
        vt_cell_number(exact->agreed),
        vt_cell_number(exact->resyncs),
        vt_cell_number(exact->uncertain),
        vt_cell_number(exact->lost),
        vt_cell_name(summary->interrupted),
    };
    commit(r);
    vt_rows_update(r->rows,
                   "UPDATE run SET complete = 1, duration = ?, events = ?, left_out = ?, "
                   "processes = ?, threads = ?, stops = ?, compared = ?, agreed = ?, resyncs = ?, "
                   "uncertain = ?, lost = ?, interrupted = ?",
                   cells, VT_COUNTOF(cells));
    vt_rows_close(r->rows);
    return vt_rows_failure(r->rows, err);
}

/* Make sure that there is an empty regular file, and nothing left of an older recording. */
static int make_file(const char *path, struct vt_error *err)
{
    static const char *const tails[] = {"-wal", "-shm", "-journal"};
    struct stat info;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    if (fd < 0)
        return vt_error_errno(err, errno, "cannot open \"%s\" for writing", path);
    bool regular = !fstat(fd, &info) && S_ISREG(info.st_mode);
    int failed;
    do
        failed = regular && ftruncate(fd, 0) ? errno : 0;
    while (failed == EINTR);
    close(fd);
    if (failed)
        return vt_error_errno(err, failed, "cannot empty \"%s\"", path);
    if (!regular)
        return vt_error_set(err, EINVAL,
                            "cannot record to \"%s\": a recording needs a regular file", path);
    for (size_t i = 0; i < VT_COUNTOF(tails); i++) {
        char *name;
        if (asprintf(&name, "%s%s", path, tails[i]) < 0)
            return vt_error_errno(err, ENOMEM, "cannot record to \"%s\"", path);
        unlink(name);
        free(name);
    }
    return 0;
}

int vt_recorder_create(const char *path, struct vt_recorder **recorder, struct vt_error *err)
{
    *recorder = NULL;
    int rc = make_file(path, err);
    if (rc)
        return rc;
    struct vt_recorder *r = calloc(1, sizeof(*r));
    if (!r)
        return vt_error_errno(err, ENOMEM, "cannot record to \"%s\"", path);
    r->path = realpath(path, NULL);
    r->name = strdup(path);
    if (!r->path || !r->name)
        rc = vt_error_errno(err, ENOMEM, "cannot record to \"%s\"", path);
    else
        rc = vt_rows_create(r->path, r->name, &r->rows, err);
    vt_catalog_init(&r->catalog, r->rows);
    vt_cast_init(&r->cast, r->rows);
    if (rc) {
        vt_recorder_destroy(r);
        return rc;
    }
    *recorder = r;
    return 0;
}

void vt_recorder_destroy(struct vt_recorder *r)
{
    if (!r)
        return;
    vt_cast_deinit(&r->cast);
    vt_catalog_deinit(&r->catalog);
    vt_rows_destroy(r->rows);
    vt_buf_deinit(&r->changes);
    free(r->path);
    free(r->name);
    free(r);
}
