/*
 * tasks.h - who lives: processes, their threads, and the address spaces that they
 * hold.
 */
#ifndef SESSION_TASKS_H
#define SESSION_TASKS_H

#include "engine/engine.h"
#include "session/memcall.h"
#include "session/own_stack.h"
#include "session/fault.h"
#include "session/space.h"
#include "session/turns.h"

struct vt_stacks;

/* An address space, which threads, vfork children and what was cloned with CLONE_VM share. */
struct vt_shared {
    struct vt_space *space;
    struct vt_shared *next;
    struct vt_lineage *lineage; /* whose history its addresses have */
    size_t threads;             /* that hold it; 0: freed */
    size_t processes;           /* whose space it is at present */
    struct vt_process *ledger;  /* whose account its changes go to */
    struct vt_turns turns;      /* of the memory calls in it */
    const char *suspect; /* why something may have happened behind our back; null: nothing has */
    pid_t attached;      /* the process by which it was attached to; 0: it was not */
};

struct vt_process {
    pid_t pid;
    struct vt_process *next;
    struct vt_shared *shared; /* null: ignored */
    struct vt_thread *threads;
    bool root;   /* launched, or named to be attached to */
    bool silent; /* its events are not shown (--no-follow) */
    int64_t since_ns;
    int wait_status;
    char name[VT_PROGRAM_NAME];
    struct vt_process_totals totals;
    struct vt_exactness exactness;
    struct vt_stack_use stacks[VT_STACK_USES]; /* of threads that ended, deepest first */
    size_t stack_count;
};

struct vt_thread {
    struct vt_tracee *tracee;
    struct vt_process *process;
    struct vt_thread *next;   /* of its process */
    struct vt_shared *shared; /* its own word: an exec gives its process another one */
    struct vt_turn turn;      /* the owner is this thread */
    struct vt_memcall call;   /* under way, or waiting for its turn */
    bool dying;
    bool stack_kept;   /* what is known of its stack is in its process */
    bool leaving_exec; /* its space is gone; it only waits for its end */
    unsigned long persona;
    struct vt_own_stack stack;
    vt_addr sp;                /* at its last stop; 0 not known */
    enum vt_sp_place sp_place; /* likewise */
};

#define VT_TASK_BUCKETS 1024

struct vt_tasks {
    struct vt_world *world;
    struct vt_stacks *stacks; /* told of spaces that end; may be null */
    struct vt_process *processes[VT_TASK_BUCKETS];
    struct vt_shared *spaces;
    struct vt_lineage_node *lineages;
    uint32_t space_count; /* ever, as the next two */
    uint64_t process_count;
    uint64_t thread_count;
};

/* Each process, in no order; none may go meanwhile. */
#define vt_tasks_for_each(process, tasks)                                                          \
    for (size_t i_ = 0; i_ < VT_TASK_BUCKETS; i_++)                                                \
        for (struct vt_process *process = (tasks)->processes[i_]; process; process = process->next)

void vt_tasks_deinit(struct vt_tasks *tasks);

/* Null if there is none. */
struct vt_process *vt_tasks_find(const struct vt_tasks *tasks, pid_t pid);

/* One that is not there yet. Null when out of memory. */
struct vt_process *vt_tasks_add_process(struct vt_tasks *tasks, pid_t pid, int64_t now_ns);
void vt_tasks_remove_process(struct vt_tasks *tasks, struct vt_process *process);

/* Name it by its program, as one of its threads tells: a leader that has ended tells nothing. */
void vt_tasks_name(struct vt_tasks *tasks, struct vt_process *process, pid_t tid);

/* It becomes the tracee's `user`, and holds no space yet. Null when out of memory. */
struct vt_thread *vt_tasks_add_thread(struct vt_tasks *tasks, struct vt_process *process,
                                      struct vt_tracee *tracee);

/* It exists no longer, waits for no turn and has no call under way. Its space is released. */
void vt_tasks_remove_thread(struct vt_tasks *tasks, struct vt_thread *thread);

/* What a thread's personality(2) is may have changed: ask. */
void vt_tasks_read_persona(struct vt_tasks *tasks, struct vt_thread *thread);

/* One that can stand for the process's address space; null if there is none. */
struct vt_thread *vt_tasks_living_thread(const struct vt_process *process);

/*
 * A new, empty space, which goes on with the history of `parent` (null: with none) since event
 * number `since`. Null when out of memory. It goes with the last thread that holds it.
 */
struct vt_shared *vt_tasks_add_space(struct vt_tasks *tasks, const struct vt_shared *parent,
                                     uint64_t since);
void vt_tasks_hold(struct vt_thread *thread, struct vt_shared *shared); /* may be null */
void vt_tasks_release(struct vt_tasks *tasks, struct vt_shared *shared);

/*
 * The space that thread tid of a new process shares with another one, most likely its parent; null
 * if it has its own. Negative if the kernel does not tell; then it is taken to have its own.
 */
int vt_tasks_find_space(const struct vt_tasks *tasks, pid_t tid, const struct vt_process *parent,
                        struct vt_shared **shared);

/*
 * The process lets go of its space; the account goes on with another one that shares it. Returns
 * true if there is none, so that the space has ended.
 */
bool vt_tasks_drop_space(struct vt_tasks *tasks, struct vt_process *process);

#endif
