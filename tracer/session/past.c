/*
 * past.c - hides a ring of changes, searched backwards: notes come with every
 * event and must cost nothing, questions come with a crash.
 */
#include "session/past.h"

#include <stdlib.h>

/* Enough for the recent past of a busy program, in a few MiB. */
#define NOTES 65536

struct note {
    uint32_t space;
    struct vt_past past;
};

struct vt_memory {
    uint64_t count;     /* ever noted; the next one goes to count % NOTES */
    uint64_t forgotten; /* the latest event of which a note had to go; 0: none had to */
    struct note notes[NOTES];
};

struct vt_memory *vt_memory_create(void)
{
    struct vt_memory *memory = malloc(sizeof(*memory)); /* touched only as far as it is used */
    if (memory)
        memory->count = memory->forgotten = 0;
    return memory;
}

void vt_memory_destroy(struct vt_memory *memory)
{
    free(memory);
}

static bool takes(const struct vt_change *change)
{
    switch (change->op) {
    case VT_CHANGE_GONE:
        return true;
    case VT_CHANGE_MOVED:
        return !change->source_stays;
    case VT_CHANGE_ALTERED:
        return change->before.prot & ~change->after.prot;
    case VT_CHANGE_MADE:
        break;
    }
    return false;
}

void vt_memory_note(struct vt_memory *memory, const struct vt_event *event,
                    const struct vt_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!takes(&changes[i]))
            continue;
        struct note *note = &memory->notes[memory->count % NOTES];
        if (memory->count++ >= NOTES)
            memory->forgotten = note->past.seq;
        note->space = event->space;
        note->past = (struct vt_past){
            .seq = event->seq,
            .time_ns = event->time_ns,
            .pid = event->pid,
            .tid = event->tid,
            .cause = vt_event_cause_name(event),
            .op = changes[i].op,
            .before = changes[i].before,
            .prot_after = changes[i].after.prot,
        };
    }
}

bool vt_memory_find(const struct vt_memory *memory, uint32_t space, vt_addr addr, uint64_t until,
                    bool permission, struct vt_past *past)
{
    uint64_t oldest = memory->count > NOTES ? memory->count - NOTES : 0;
    for (uint64_t i = memory->count; i-- > oldest;) {
        const struct note *note = &memory->notes[i % NOTES];
        if (note->space == space && note->past.seq <= until &&
            (note->past.op == VT_CHANGE_ALTERED) == permission && note->past.before.start <= addr &&
            addr < note->past.before.end) {
            *past = note->past;
            return true;
        }
    }
    return false;
}

uint64_t vt_memory_forgotten(const struct vt_memory *memory, uint64_t since)
{
    return memory->forgotten > since ? memory->count - NOTES : 0;
}
