/*
 * aslr.c - hides how a program is launched up to its first instruction, and how
 * its parts are told from each other in what the kernel has laid out.
 *
 * Invariants: one process at a time, and it is reaped before the next is made,
 * however the function is left; no process is ever resumed from its EXEC stop
 * but by the SIGKILL that ends it; a part counts only if every launch had it.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/base.h"
#include "engine/engine.h"
#include "engine/proc.h"
#include "engine/procmap.h"
#include "engine/signals.h"
#include <vastrace/aslr.h>
#include <vastrace/session.h>

struct gather {
    const struct vt_aslr_config *config;
    struct vt_aslr *aslr;
    struct vt_engine *engine;
    struct vt_objects *objects;
    struct vt_procmap map;
    struct vt_regions regions;
    bool missing[VT_ASLR_PART_COUNT]; /* in at least one launch */
};

/* ---- one process, at its first instruction -------------------------------------- */

static bool holds(const struct vt_region *region, vt_addr addr)
{
    return region->start <= addr && addr < region->end;
}

static bool is_named(const struct vt_region *region, const char *name)
{
    return region->object && region->object->type == VT_OBJECT_SPECIAL &&
           !strcmp(region->object->name, name);
}

static const struct vt_region *region_at(const struct vt_regions *regions, vt_addr addr)
{
    for (size_t i = 0; i < regions->count; i++)
        if (holds(&regions->items[i], addr))
            return &regions->items[i];
    return NULL;
}

/* Sort out the map: 0 for what is not there. The lowest region of each kind comes first. */
static void find_parts(const struct vt_regions *regions, vt_addr phdr, vt_addr at[])
{
    const struct vt_region *program = phdr ? region_at(regions, phdr) : NULL;
    const struct vt_region *stack = at[VT_ASLR_SP] ? region_at(regions, at[VT_ASLR_SP]) : NULL;
    for (size_t i = 0; i < regions->count; i++) {
        const struct vt_region *r = &regions->items[i];
        if (!at[VT_ASLR_LOWEST])
            at[VT_ASLR_LOWEST] = r->start;
        if (!at[VT_ASLR_PROGRAM] && program && program->object &&
            vt_object_same(r->object, program->object))
            at[VT_ASLR_PROGRAM] = r->start;
        if (!at[VT_ASLR_VDSO] && is_named(r, "[vdso]"))
            at[VT_ASLR_VDSO] = r->start;
        if (!at[VT_ASLR_VVAR] && is_named(r, "[vvar]"))
            at[VT_ASLR_VVAR] = r->start;
        /* What lies below the heap's start is the program, without anything from mmap. */
        if (stack && r->end <= stack->start && r->start >= at[VT_ASLR_HEAP])
            at[VT_ASLR_MMAP] = r->end;
    }
    at[VT_ASLR_STACK] = stack ? stack->end : 0;
}

static int look(struct gather *g, const struct vt_stop *stop, struct vt_error *err)
{
    struct vt_aslr *aslr = g->aslr;
    pid_t pid = stop->tracee->pid;
    unsigned word = aslr->class_bits == 32 ? 4 : 8;
    vt_addr at[VT_ASLR_PART_COUNT] = {0}, start_stack = 0, phdr = 0;

    int rc = vt_procmap_open(&g->map, pid);
    if (rc)
        return vt_error_errno(err, -rc, "cannot open the memory map of process %d", (int)pid);
    rc = vt_procmap_read(&g->map, g->objects, &g->regions, err);
    if (rc)
        return rc;
    vt_proc_marks(pid, &at[VT_ASLR_HEAP], &start_stack);
    vt_proc_auxv(pid, AT_BASE, word, &at[VT_ASLR_INTERPRETER]);
    vt_proc_auxv(pid, AT_PHDR, word, &phdr);
    at[VT_ASLR_SP] = stop->sp ? stop->sp : start_stack;
    find_parts(&g->regions, phdr, at);
    for (int part = 0; part < VT_ASLR_PART_COUNT; part++) {
        aslr->addresses[part][aslr->made] = at[part];
        g->missing[part] |= !at[part];
    }
    return 0;
}

/* What is the same in all launches, from the first. */
static int describe(struct gather *g, const struct vt_stop *stop, struct vt_error *err)
{
    struct vt_aslr *aslr = g->aslr;
    struct vt_snapshot *snapshot;
    pid_t pid = stop->tracee->pid;
    vt_addr base = 0;
    int rc = vt_snapshot_take(pid, &snapshot, err);
    if (rc)
        return rc;
    const struct vt_snapshot_info *info = vt_snapshot_info(snapshot);
    aslr->type = info->type;
    aslr->class_bits = info->class_bits;
    aslr->path = strdup(info->path);
    aslr->settings.personality = vt_proc_personality(pid);
    vt_proc_auxv(pid, AT_BASE, aslr->class_bits == 32 ? 4 : 8, &base);
    const struct vt_region *r = base ? vt_layout_find(vt_snapshot_layout(snapshot), base) : NULL;
    bool named = r && r->object && r->object->type == VT_OBJECT_FILE;
    if (named)
        aslr->interpreter = strdup(r->object->name);
    vt_snapshot_destroy(snapshot);
    if (!aslr->path || (named && !aslr->interpreter))
        return vt_error_errno(err, ENOMEM, "cannot describe %s", g->config->command[0]);
    return 0;
}

/* ---- a launch ------------------------------------------------------------------- */

/* From its EXEC stop to its end, by SIGKILL alone. */
static void end(struct gather *g, pid_t pid)
{
    struct vt_stop stop;
    int rc;
    kill(pid, SIGKILL);
    while ((rc = vt_engine_wait(g->engine, false, &stop, NULL)) >= 0 && rc != 2) {
        if (rc == 0 && stop.type == VT_STOP_GONE)
            return;
        if (rc == 0) /* on its way out */
            vt_engine_resume(g->engine, stop.tracee, VT_RESUME_RUN);
    }
}

static int launch(struct gather *g, struct vt_error *err)
{
    struct vt_launch how = {.argv = g->config->command, .no_aslr = g->config->no_aslr};
    struct vt_stop stop;
    pid_t pid;
    int status; /* a program that dies while it is loaded cannot be looked at: the error says so */
    getrlimit(RLIMIT_NOFILE, &how.files);
    int rc = vt_engine_launch(g->engine, &how, &pid, &status, err);
    if (rc)
        return rc;
    do
        rc = vt_engine_wait(g->engine, false, &stop, err);
    while (rc == 1);                          /* a signal of ours: looked at between launches */
    if (rc == 0 && stop.type == VT_STOP_GONE) /* killed by somebody else */
        return vt_error_set(err, EINTR, "%s was ended before it ran", how.argv[0]);
    if (rc == 0 && !g->aslr->made)
        rc = describe(g, &stop, err);
    if (rc == 0)
        rc = look(g, &stop, err);
    end(g, pid);
    g->aslr->made += rc == 0;
    return rc;
}

/* Has anyone asked us to stop? Being suspended from the terminal is not that. */
static bool told_to_end(struct vt_aslr *aslr)
{
    bool from_user;
    for (int signal; (signal = vt_signals_take(&from_user));) {
        if (signal == SIGTSTP || signal == SIGTTIN)
            kill(getpid(), SIGSTOP);
        else
            aslr->interrupted = signal == SIGINT ? "interrupted" : "told to end by a signal";
    }
    return aslr->interrupted;
}

static int launch_all(struct gather *g, struct vt_error *err)
{
    struct vt_aslr *aslr = g->aslr;
    int64_t start = vt_clock_ns();
    int rc = 0;
    while (aslr->made < aslr->asked) {
        rc = launch(g, err);
        if (told_to_end(aslr)) { /* what failed then failed for that */
            rc = 0;
            break;
        }
        if (rc)
            break;
        if (g->config->progress)
            g->config->progress(g->config->context, aslr->made, aslr->asked);
    }
    aslr->duration_ns = vt_clock_ns() - start;
    return rc;
}

/* ---- begin and end -------------------------------------------------------------- */

static void read_settings(struct vt_aslr_settings *settings)
{
    struct rlimit stack;
    *settings = (struct vt_aslr_settings){
        .randomize_va_space = (int)vt_proc_number("/proc/sys/kernel/randomize_va_space"),
        .mmap_rnd_bits = (int)vt_proc_number("/proc/sys/vm/mmap_rnd_bits"),
        .mmap_rnd_compat_bits = (int)vt_proc_number("/proc/sys/vm/mmap_rnd_compat_bits"),
        .legacy_va_layout = (int)vt_proc_number("/proc/sys/vm/legacy_va_layout"),
        .personality = -1,
        .stack_unlimited = !getrlimit(RLIMIT_STACK, &stack) && stack.rlim_cur == RLIM_INFINITY,
    };
}

void vt_aslr_destroy(struct vt_aslr *aslr)
{
    if (!aslr)
        return;
    for (int part = 0; part < VT_ASLR_PART_COUNT; part++)
        free(aslr->addresses[part]);
    free(aslr->path);
    free(aslr->interpreter);
    free(aslr);
}

static struct vt_aslr *create(const struct vt_aslr_config *config)
{
    struct vt_aslr *aslr = calloc(1, sizeof(*aslr));
    bool whole = aslr;
    for (int part = 0; part < VT_ASLR_PART_COUNT && whole; part++) {
        aslr->addresses[part] = calloc(config->runs, sizeof(uint64_t));
        whole = aslr->addresses[part];
    }
    if (!whole) {
        vt_aslr_destroy(aslr);
        return NULL;
    }
    aslr->command = config->command;
    aslr->asked = config->runs;
    aslr->no_aslr = config->no_aslr;
    aslr->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    read_settings(&aslr->settings);
    return aslr;
}

int vt_aslr_gather(const struct vt_aslr_config *config, struct vt_aslr **aslr, struct vt_error *err)
{
    struct gather g = {.config = config, .aslr = create(config)};
    int rc = -ENOMEM;

    *aslr = NULL;
    g.engine = vt_engine_create();
    g.objects = vt_objects_create();
    vt_procmap_init(&g.map);
    if (g.aslr && g.engine && g.objects) {
        rc = vt_signals_begin();
        rc = rc ? vt_error_errno(err, -rc, "cannot set a timer") : launch_all(&g, err);
        vt_signals_end();
    } else {
        vt_error_errno(err, ENOMEM, "cannot remember %zu launches", config->runs);
    }
    for (int part = 0; part < VT_ASLR_PART_COUNT && !rc; part++) {
        if (g.missing[part] || !g.aslr->made) {
            free(g.aslr->addresses[part]);
            g.aslr->addresses[part] = NULL;
        }
    }
    vt_procmap_deinit(&g.map);
    vt_regions_deinit(&g.regions);
    vt_objects_destroy(g.objects);
    vt_engine_destroy(g.engine);
    if (rc)
        vt_aslr_destroy(g.aslr);
    else
        *aslr = g.aslr;
    return rc;
}
