/*
 * names.c - hides a hash table of strings.
 *
 * Invariant: at most half of the slots are taken, so that every probe ends.
 */
#include "sinks/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

void vt_names_deinit(struct vt_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->texts[i]);
    free(names->texts);
    free(names->slots);
    *names = (struct vt_names){0};
}

/* FNV-1a: names are short. */
static size_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return (size_t)(hash ^ hash >> 32);
}

/* The slot that holds the string, or the free one where it belongs. */
static uint32_t *slot_of(const struct vt_names *names, const char *text)
{
    size_t at = hash_of(text) & (names->slot_count - 1);
    while (names->slots[at] && strcmp(names->texts[names->slots[at] - 1], text) != 0)
        at = (at + 1) & (names->slot_count - 1);
    return &names->slots[at];
}

static int grow(struct vt_names *names)
{
    size_t wanted = names->slot_count ? names->slot_count * 2 : 64;
    uint32_t *slots = calloc(wanted, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    free(names->slots);
    names->slots = slots;
    names->slot_count = wanted;
    for (size_t i = 0; i < names->count; i++)
        *slot_of(names, names->texts[i]) = (uint32_t)i + 1;
    return 0;
}

uint32_t vt_names_add(struct vt_names *names, const char *text)
{
    if (names->count * 2 >= names->slot_count && grow(names))
        return 0;
    uint32_t *slot = slot_of(names, text);
    if (*slot)
        return *slot;
    if (vt_reserve((void **)&names->texts, &names->text_capacity, names->count + 1,
                   sizeof(*names->texts)))
        return 0;
    char *copy = strdup(text);
    if (!copy)
        return 0;
    names->texts[names->count++] = copy;
    return *slot = (uint32_t)names->count;
}
