/*
 * tasks.c - hides how processes, threads and spaces are found and freed.
 *
 * Invariants: every thread has a process and, unless that is ignored, a space;
 * a space lives for as long as a thread holds it, also one whose process has
 * another space since an exec; lineages are kept to the end, since children
 * outlive their parents.
 */
#include "session/tasks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "engine/proc.h"
#include "session/stacks.h"

struct vt_lineage_node {
    struct vt_lineage line;
    struct vt_lineage_node *next;
};

static struct vt_process **bucket(struct vt_tasks *tasks, pid_t pid)
{
    return &tasks->processes[(unsigned)pid % VT_TASK_BUCKETS];
}

void vt_tasks_deinit(struct vt_tasks *tasks)
{
    for (size_t i = 0; i < VT_TASK_BUCKETS; i++) {
        while (tasks->processes[i]) {
            struct vt_process *process = tasks->processes[i];
            while (process->threads)
                vt_tasks_remove_thread(tasks, process->threads);
            vt_tasks_remove_process(tasks, process);
        }
    }
    while (tasks->lineages) {
        struct vt_lineage_node *node = tasks->lineages;
        tasks->lineages = node->next;
        free(node);
    }
}

/* ---- processes and threads ------------------------------------------------------ */

struct vt_process *vt_tasks_find(const struct vt_tasks *tasks, pid_t pid)
{
    struct vt_process *process = tasks->processes[(unsigned)pid % VT_TASK_BUCKETS];
    while (process && process->pid != pid)
        process = process->next;
    return process;
}

struct vt_process *vt_tasks_add_process(struct vt_tasks *tasks, pid_t pid, int64_t now_ns)
{
    struct vt_process *process = calloc(1, sizeof(*process));
    if (!process)
        return NULL;
    struct vt_process **at = bucket(tasks, pid);
    process->pid = pid;
    process->next = *at;
    process->since_ns = now_ns;
    *at = process;
    tasks->process_count++;
    return process;
}

void vt_tasks_remove_process(struct vt_tasks *tasks, struct vt_process *process)
{
    struct vt_process **at = bucket(tasks, process->pid);
    while (*at != process)
        at = &(*at)->next;
    *at = process->next;
    free(process);
}

void vt_tasks_name(struct vt_tasks *tasks, struct vt_process *process, pid_t tid)
{
    char path[4096];
    vt_world_note_unread(tasks->world, vt_proc_exe(tid, path, sizeof(path)));
    const char *slash = strrchr(path, '/');
    snprintf(process->name, sizeof(process->name), "%.*s", (int)sizeof(process->name) - 1,
             slash ? slash + 1 : path);
}

struct vt_thread *vt_tasks_add_thread(struct vt_tasks *tasks, struct vt_process *process,
                                      struct vt_tracee *tracee)
{
    struct vt_thread *thread = calloc(1, sizeof(*thread));
    if (!thread)
        return NULL;
    thread->tracee = tracee;
    thread->process = process;
    thread->turn.owner = thread;
    thread->next = process->threads;
    process->threads = thread;
    vt_tasks_read_persona(tasks, thread);
    tracee->user = thread;
    tasks->thread_count++;
    return thread;
}

void vt_tasks_remove_thread(struct vt_tasks *tasks, struct vt_thread *thread)
{
    struct vt_thread **at = &thread->process->threads;
    while (*at != thread)
        at = &(*at)->next;
    *at = thread->next;
    vt_tasks_release(tasks, thread->shared);
    free(thread);
}

void vt_tasks_read_persona(struct vt_tasks *tasks, struct vt_thread *thread)
{
    long persona = vt_proc_personality(thread->tracee->tid);
    vt_world_note_unread(tasks->world, persona);
    thread->persona = persona > 0 ? (unsigned long)persona : 0;
}

struct vt_thread *vt_tasks_living_thread(const struct vt_process *process)
{
    struct vt_thread *thread = process ? process->threads : NULL;
    while (thread && thread->dying)
        thread = thread->next;
    return thread;
}

/* ---- spaces ------------------------------------------------------------------------ */

struct vt_shared *vt_tasks_add_space(struct vt_tasks *tasks, const struct vt_shared *parent,
                                     uint64_t since)
{
    struct vt_shared *shared = calloc(1, sizeof(*shared));
    struct vt_lineage_node *node = calloc(1, sizeof(*node));
    if (shared)
        shared->space = vt_space_create(tasks->world, ++tasks->space_count);
    if (!shared || !shared->space || !node) {
        if (shared)
            vt_space_destroy(shared->space);
        free(shared);
        free(node);
        return NULL;
    }
    node->line = (struct vt_lineage){
        .space = shared->space->id,
        .parent = parent ? parent->lineage : NULL,
        .since = since,
    };
    node->next = tasks->lineages;
    tasks->lineages = node;
    shared->lineage = &node->line;
    vt_turns_init(&shared->turns);
    shared->next = tasks->spaces;
    tasks->spaces = shared;
    return shared;
}

void vt_tasks_hold(struct vt_thread *thread, struct vt_shared *shared)
{
    thread->shared = shared;
    if (shared)
        shared->space->crowd |= ++shared->threads > 1;
}

void vt_tasks_release(struct vt_tasks *tasks, struct vt_shared *shared)
{
    if (!shared || --shared->threads)
        return;
    struct vt_shared **at = &tasks->spaces;
    while (*at != shared)
        at = &(*at)->next;
    *at = shared->next;
    if (tasks->stacks)
        vt_stacks_forget(tasks->stacks, shared->space);
    vt_space_destroy(shared->space);
    free(shared);
}

int vt_tasks_find_space(const struct vt_tasks *tasks, pid_t tid, const struct vt_process *parent,
                        struct vt_shared **shared)
{
    const struct vt_thread *thread = vt_tasks_living_thread(parent);
    int rc = thread ? vt_engine_same_space(thread->tracee->tid, tid) : 0;
    *shared = rc == 1 ? thread->shared : NULL;
    if (rc == 1)
        return 0;
    /* CLONE_PARENT: its creator is not its parent. */
    vt_tasks_for_each(p, tasks) {
        if (*shared || p == parent || !(thread = vt_tasks_living_thread(p)) || !thread->shared ||
            thread->tracee->tid == tid) /* it is in the table itself, and like itself */
            continue;
        if (vt_engine_same_space(thread->tracee->tid, tid) == 1)
            *shared = thread->shared;
    }
    return rc == -ESRCH ? 0 : rc;
}

bool vt_tasks_drop_space(struct vt_tasks *tasks, struct vt_process *process)
{
    struct vt_shared *shared = process->shared;
    process->shared = NULL;
    if (!shared)
        return false;
    if (!--shared->processes)
        return true;
    if (shared->ledger != process)
        return false;
    shared->ledger = NULL;
    vt_tasks_for_each(p, tasks)
        if (p->shared == shared && !shared->ledger)
            shared->ledger = p;
    if (shared->ledger) {
        uint64_t events = shared->ledger->totals.events;
        shared->ledger->totals = process->totals;
        shared->ledger->totals.events = events;
    }
    return false;
}
