/*
 * cast.c - hides how processes, threads and spaces are found again by ids that
 * the system uses again and again.
 *
 * Invariants: a thread is in its process's list and in its bucket; a space is
 * there as long as a process has it, or has just left it (see vt_cast_enter()).
 */
#include "recording/cast.h"

#include <stdlib.h>

#include "recording/rectangles.h"

void vt_cast_init(struct vt_cast *cast, struct vt_rows *rows)
{
    *cast = (struct vt_cast){.rows = rows};
}

/* ---- spaces ------------------------------------------------------------------------- */

static struct vt_cast_space **find_space(struct vt_cast *cast, uint32_t id)
{
    struct vt_cast_space **at = &cast->spaces[id % VT_CAST_BUCKETS];
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static struct vt_cast_space *add_space(struct vt_cast *cast, uint32_t id, uint64_t event)
{
    struct vt_cast_space *space = calloc(1, sizeof(*space)), **at = find_space(cast, id);
    if (!space) {
        vt_rows_no_memory(cast->rows);
        return NULL;
    }
    space->id = id;
    space->next = *at;
    *at = space;
    vt_tiles_init(&space->tiles);
    VT_ADD_ROW(cast->rows, VT_TABLE_SPACES, vt_cell_number(id), vt_cell_number(event));
    return space;
}

static void free_space(struct vt_cast_space *space)
{
    vt_tiles_deinit(&space->tiles);
    vt_catalog_images_deinit(&space->images);
    free(space);
}

void vt_cast_leave(struct vt_cast *cast, struct vt_cast_space *space)
{
    if (!space || --space->users)
        return;
    vt_rectangles_store(cast->rows, space->id, &space->tiles);
    *find_space(cast, space->id) = space->next;
    free_space(space);
}

/* The row of the process's stay in its space, up to an event (0: it goes on). */
static void store_tenure(struct vt_cast *cast, const struct vt_cast_process *process, uint64_t to)
{
    VT_ADD_ROW(cast->rows, VT_TABLE_PROCESS_SPACES, vt_cell_number(process->id),
               vt_cell_number(process->space->id), vt_cell_number(process->space_from),
               vt_cell_known(to, to));
}

struct vt_cast_space *vt_cast_enter(struct vt_cast *cast, struct vt_cast_process *process,
                                    const struct vt_event *event)
{
    struct vt_cast_space *had = process->space;
    uint32_t id = event->space;
    if (id == (had ? had->id : 0) || (event->exit && !id))
        return NULL;
    struct vt_cast_space *space = id ? *find_space(cast, id) : NULL;
    if (id && !space && !(space = add_space(cast, id, event->seq)))
        return NULL;
    if (had)
        store_tenure(cast, process, event->seq);
    process->space = space;
    process->space_from = event->seq;
    if (space) {
        space->users++;
        store_tenure(cast, process, 0);
    }
    return had;
}

void vt_cast_store(struct vt_cast *cast)
{
    for (size_t i = 0; i < VT_CAST_BUCKETS; i++)
        for (struct vt_cast_space *space = cast->spaces[i]; space; space = space->next)
            vt_rectangles_store(cast->rows, space->id, &space->tiles);
}

/* ---- rows of processes ------------------------------------------------------------------ */

/* What is known of a process at its end; before it, without an event, only that it is there. */
static void store_process(struct vt_cast *cast, const struct vt_cast_process *process,
                          const struct vt_event *event)
{
    static const struct vt_exit_info unknown;
    static const struct vt_process_totals none;
    const struct vt_exit_info *info = event ? event->exit : &unknown;
    const struct vt_process_totals *totals = info->totals ? info->totals : &none;
    const struct vt_exactness *exact = &info->exactness;
    bool over = event != NULL;
    VT_ADD_ROW(cast->rows, VT_TABLE_PROCESSES, vt_cell_number(process->id),
               vt_cell_number((uint64_t)process->pid), vt_cell_number(process->first_event),
               vt_cell_known(over, over ? event->seq : 0),
               vt_cell_word(over ? vt_cause_name(event->cause) : NULL),
               vt_cell_known(over, (uint64_t)info->wait_status),
               vt_cell_known(over, (uint64_t)info->lifetime_ns), vt_cell_name(info->name),
               vt_cell_known(over, info->root), vt_cell_known(info->totals, totals->bytes),
               vt_cell_known(over, totals->peak_bytes),
               vt_cell_known(over, totals->usable_peak_bytes), vt_cell_known(over, totals->events),
               vt_cell_known(over, totals->sp_first), vt_cell_known(over, totals->sp_lowest),
               vt_cell_known(over, totals->stack_low), vt_cell_known(over, totals->stack_high),
               vt_cell_known(over, exact->stops), vt_cell_known(over, exact->compared),
               vt_cell_known(over, exact->agreed), vt_cell_known(over, exact->resyncs),
               vt_cell_known(over, exact->uncertain), vt_cell_known(over, exact->lost));
}

static void store_kind_totals(struct vt_cast *cast, uint32_t process,
                              const struct vt_process_totals *totals)
{
    for (unsigned i = 0; i < VT_KIND_COUNT; i++) {
        const struct vt_kind_totals *k = &totals->kinds[i];
        if (!k->regions && !k->bytes && !k->made_count && !k->gone_count)
            continue;
        VT_ADD_ROW(cast->rows, VT_TABLE_KIND_TOTALS, vt_cell_number(process),
                   vt_cell_word(vt_kind_name((uint8_t)i)), vt_cell_number(k->regions),
                   vt_cell_number(k->bytes), vt_cell_number(k->peak_bytes),
                   vt_cell_number(k->made_count), vt_cell_number(k->made_bytes),
                   vt_cell_number(k->gone_count), vt_cell_number(k->gone_bytes));
    }
}

static void store_stack_uses(struct vt_cast *cast, uint32_t process,
                             const struct vt_exit_info *info)
{
    for (size_t i = 0; i < info->stack_count; i++) {
        const struct vt_stack_use *use = &info->stacks[i];
        VT_ADD_ROW(cast->rows, VT_TABLE_STACK_USES, vt_cell_number(process), vt_cell_number(i),
                   vt_cell_number((uint64_t)use->tid), vt_cell_number(use->main),
                   vt_cell_number(use->low), vt_cell_number(use->high), vt_cell_number(use->floor),
                   vt_cell_number(use->sp_lowest));
    }
}

/* ---- processes and threads -------------------------------------------------------------- */

static struct vt_cast_process **find_process(struct vt_cast *cast, pid_t pid)
{
    struct vt_cast_process **at = &cast->processes[(unsigned)pid % VT_CAST_BUCKETS];
    while (*at && (*at)->pid != pid)
        at = &(*at)->next;
    return at;
}

static struct vt_cast_thread **find_thread(struct vt_cast *cast, pid_t pid, pid_t tid)
{
    struct vt_cast_thread **at = &cast->threads[(unsigned)tid % VT_CAST_BUCKETS];
    while (*at && ((*at)->tid != tid || (*at)->process->pid != pid))
        at = &(*at)->next;
    return at;
}

static void forget_thread(struct vt_cast *cast, struct vt_cast_thread *thread)
{
    struct vt_cast_thread **at = &thread->process->threads;
    while (*at != thread)
        at = &(*at)->sibling;
    *at = thread->sibling;
    *find_thread(cast, thread->process->pid, thread->tid) = thread->next;
    if (cast->last == thread)
        cast->last = NULL;
    free(thread);
}

static struct vt_cast_process *add_process(struct vt_cast *cast, const struct vt_event *event)
{
    struct vt_cast_process *process = calloc(1, sizeof(*process));
    struct vt_cast_process **at = find_process(cast, event->pid);
    if (!process) {
        vt_rows_no_memory(cast->rows);
        return NULL;
    }
    *process = (struct vt_cast_process){.pid = event->pid,
                                        .id = vt_rows_number(cast->rows, VT_TABLE_PROCESSES),
                                        .first_event = event->seq,
                                        .next = *at};
    *at = process;
    store_process(cast, process, NULL);
    return process;
}

static struct vt_cast_thread *add_thread(struct vt_cast *cast, const struct vt_event *event)
{
    struct vt_cast_process *process = *find_process(cast, event->pid);
    struct vt_cast_thread *thread = calloc(1, sizeof(*thread));
    struct vt_cast_thread **at = find_thread(cast, event->pid, event->tid);
    if (!thread || (!process && !(process = add_process(cast, event)))) {
        free(thread);
        vt_rows_no_memory(cast->rows);
        return NULL;
    }
    *thread = (struct vt_cast_thread){.tid = event->tid,
                                      .id = vt_rows_number(cast->rows, VT_TABLE_THREADS),
                                      .process = process,
                                      .sibling = process->threads,
                                      .next = *at};
    process->threads = *at = thread;
    VT_ADD_ROW(cast->rows, VT_TABLE_THREADS, vt_cell_number(thread->id),
               vt_cell_number(process->id), vt_cell_number((uint64_t)event->tid),
               vt_cell_number(event->seq));
    return thread;
}

struct vt_cast_thread *vt_cast_thread(struct vt_cast *cast, const struct vt_event *event)
{
    struct vt_cast_thread *thread = cast->last;
    bool fresh = event->cause == VT_CAUSE_THREAD || event->cause == VT_CAUSE_FORK;
    if (fresh || !thread || thread->tid != event->tid || thread->process->pid != event->pid) {
        thread = *find_thread(cast, event->pid, event->tid);
        if (thread && fresh) { /* the one of before has ended unseen */
            forget_thread(cast, thread);
            thread = NULL;
        }
        if (!thread)
            thread = add_thread(cast, event);
        cast->last = thread;
    }
    return thread;
}

void vt_cast_end(struct vt_cast *cast, struct vt_cast_process *process,
                 const struct vt_event *event)
{
    const struct vt_exit_info *info = event->exit;
    store_process(cast, process, event);
    store_stack_uses(cast, process->id, info);
    if (info->totals)
        store_kind_totals(cast, process->id, info->totals);
    vt_cast_leave(cast, process->space);
    while (process->threads)
        forget_thread(cast, process->threads);
    *find_process(cast, process->pid) = process->next;
    free(process);
}

void vt_cast_deinit(struct vt_cast *cast)
{
    for (size_t i = 0; i < VT_CAST_BUCKETS; i++) {
        while (cast->processes[i]) {
            struct vt_cast_process *process = cast->processes[i];
            cast->processes[i] = process->next;
            free(process);
        }
        while (cast->threads[i]) {
            struct vt_cast_thread *thread = cast->threads[i];
            cast->threads[i] = thread->next;
            free(thread);
        }
        while (cast->spaces[i]) {
            struct vt_cast_space *space = cast->spaces[i];
            cast->spaces[i] = space->next;
            free_space(space);
        }
    }
}
