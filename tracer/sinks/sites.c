/*
 * sites.c - hides two hash tables, and how what every site had at the peak is
 * known without looking at every site at every peak.
 *
 * The peak: `epoch` counts the events after which more was mapped than ever
 * before. A site remembers what it had before its first change in an epoch;
 * a site that has not changed since then has it still. So each change costs
 * the same, however many sites there are.
 *
 * Invariants: live is the sum over the sites, and each site's that over the
 * tiles of its origin and kind; an origin has `users` sites, and is free
 * without any; at most half of the slots of a table are taken.
 */
#include "sinks/sites.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

static size_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a * 0x9e3779b97f4a7c15u) ^ (b + 0x9e3779b97f4a7c15u + (a << 6));
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return (size_t)(h ^ h >> 32);
}

uint64_t vt_site_bytes(const struct vt_sites *sites, const struct vt_site *site,
                       enum vt_measure measure)
{
    if (measure == VT_MEASURE_MADE)
        return site->made;
    if (measure == VT_MEASURE_LIVE || site->epoch != sites->epoch)
        return site->live;
    return site->at_peak;
}

/* ---- origins --------------------------------------------------------------------- */

static uint32_t *origin_slot(const struct vt_sites *sites, const struct vt_origin *like)
{
    size_t mask = sites->origin_slot_count - 1;
    size_t at = mix((uint64_t)like->pid << 32 | like->program,
                    (uint64_t)like->cause << 48 ^ (uintptr_t)like->stack) &
                mask;
    for (; sites->origin_slots[at]; at = (at + 1) & mask) {
        const struct vt_origin *o = &sites->origins[sites->origin_slots[at] - 1];
        if (o->pid == like->pid && o->program == like->program && o->cause == like->cause &&
            o->stack == like->stack)
            break;
    }
    return &sites->origin_slots[at];
}

/* Make the table anew, with as many slots, from the origins that have users. */
static int rehash_origins(struct vt_sites *sites, size_t slot_count)
{
    uint32_t *slots = calloc(slot_count, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    free(sites->origin_slots);
    sites->origin_slots = slots;
    sites->origin_slot_count = slot_count;
    for (size_t i = 0; i < sites->origin_count; i++)
        if (sites->origins[i].users)
            *origin_slot(sites, &sites->origins[i]) = (uint32_t)i + 1;
    return 0;
}

/* The index of the origin, which may be new and without users yet; UINT32_MAX: out of memory. */
static uint32_t want_origin(struct vt_sites *sites, const struct vt_mapped *space)
{
    if (!sites->cause &&
        !(sites->cause = vt_names_add(&sites->spaces.names, vt_event_cause_name(sites->event))))
        return UINT32_MAX;
    struct vt_origin like = {
        .pid = space->pid,
        .program = space->program,
        .cause = sites->cause,
        .stack = sites->event->stack,
    };
    if (sites->origins_used * 2 >= sites->origin_slot_count &&
        rehash_origins(sites, sites->origin_slot_count ? sites->origin_slot_count * 2 : 64))
        return UINT32_MAX;
    uint32_t *slot = origin_slot(sites, &like);
    if (*slot)
        return *slot - 1;
    uint32_t index = sites->free_origin;
    if (index) {
        index--;
        sites->free_origin = sites->origins[index].next_free;
    } else {
        if (vt_reserve((void **)&sites->origins, &sites->origin_capacity, sites->origin_count + 1,
                       sizeof(*sites->origins)))
            return UINT32_MAX;
        index = (uint32_t)sites->origin_count++;
    }
    sites->origins[index] = like;
    sites->origins_used++;
    *slot = index + 1;
    return index;
}

/* ---- sites ----------------------------------------------------------------------- */

static uint32_t *site_slot(const struct vt_sites *sites, uint32_t origin, uint32_t object,
                           uint8_t kind)
{
    size_t mask = sites->slot_count - 1;
    size_t at = mix((uint64_t)origin << 8 | kind, object) & mask;
    for (; sites->slots[at]; at = (at + 1) & mask) {
        const struct vt_site *s = &sites->sites[sites->slots[at] - 1];
        if (s->origin == origin && s->object == object && s->kind == kind)
            break;
    }
    return &sites->slots[at];
}

/* Forget the sites that no question will be about: nothing live, nothing at the peak. */
static int forget_dead(struct vt_sites *sites)
{
    size_t kept = 0;
    for (size_t i = 0; i < sites->count; i++) {
        struct vt_site *site = &sites->sites[i];
        /* NOLINTNEXTLINE(*NullDereference): what is counted is there */
        struct vt_origin *origin = &sites->origins[site->origin];
        if (site->live || vt_site_bytes(sites, site, VT_MEASURE_PEAK)) {
            sites->sites[kept++] = *site;
        } else if (!--origin->users) {
            origin->next_free = sites->free_origin;
            sites->free_origin = site->origin + 1;
            sites->origins_used--;
        }
    }
    sites->count = kept;
    return rehash_origins(sites, sites->origin_slot_count);
}

static int make_room(struct vt_sites *sites)
{
    size_t wanted = sites->slot_count ? sites->slot_count * 2 : 64;
    if (!sites->keep_all && sites->count) {
        if (forget_dead(sites))
            return -ENOMEM;
        if (sites->count * 4 <= sites->slot_count)
            wanted = sites->slot_count; /* enough became free to go on for long */
    }
    uint32_t *slots = calloc(wanted, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    free(sites->slots);
    sites->slots = slots;
    sites->slot_count = wanted;
    for (size_t i = 0; i < sites->count; i++) {
        const struct vt_site *site = &sites->sites[i];
        /* NOLINTNEXTLINE(*NullDereference): as above */
        *site_slot(sites, site->origin, site->object, site->kind) = (uint32_t)i + 1;
    }
    return 0;
}

/* The site of a tile; null if there is none. */
static struct vt_site *find_site(const struct vt_sites *sites, const struct vt_tile *tile)
{
    uint32_t origin = (uint32_t)tile->origin_event;
    uint32_t object = sites->origins[origin].stack ? 0 : tile->object;
    uint32_t slot = sites->slot_count ? *site_slot(sites, origin, object, tile->kind) : 0;
    return slot ? &sites->sites[slot - 1] : NULL;
}

/* The same, made if there is none; null when out of memory. */
static struct vt_site *want_site(struct vt_sites *sites, const struct vt_tile *tile)
{
    struct vt_site *site = find_site(sites, tile);
    if (site)
        return site;
    uint32_t origin = (uint32_t)tile->origin_event;
    uint32_t object = sites->origins[origin].stack ? 0 : tile->object;
    sites->origins[origin].users++; /* before what has no user is forgotten */
    if ((sites->count * 2 >= sites->slot_count && make_room(sites)) ||
        vt_reserve((void **)&sites->sites, &sites->capacity, sites->count + 1,
                   sizeof(*sites->sites)))
        return NULL;
    site = &sites->sites[sites->count++];
    *site = (struct vt_site){.origin = origin, .object = object, .kind = tile->kind};
    *site_slot(sites, origin, object, tile->kind) = (uint32_t)sites->count;
    return site;
}

/* About to change: what it has is what it had at the last peak, if this is the first change since. */
static void remember(struct vt_sites *sites, struct vt_site *site)
{
    if (site->epoch == sites->epoch)
        return;
    site->at_peak = site->live;
    site->epoch = sites->epoch;
}

static int take(void *context, struct vt_mapped *space, struct vt_tile *tile,
                enum vt_arrival arrival)
{
    struct vt_sites *sites = context;
    uint64_t bytes = tile->end - tile->start;
    if (arrival == VT_ARRIVED_NEW) {
        uint32_t origin = want_origin(sites, space);
        if (origin == UINT32_MAX)
            return -ENOMEM;
        tile->origin_event = origin;
    }
    struct vt_site *site = want_site(sites, tile);
    if (!site)
        return -ENOMEM;
    remember(sites, site);
    site->live += bytes;
    sites->live += bytes;
    if (arrival != VT_ARRIVED_KEPT)
        site->made += bytes;
    return 0;
}

static void drop(void *context, struct vt_mapped *space, const struct vt_tile *tile)
{
    struct vt_sites *sites = context;
    uint64_t bytes = tile->end - tile->start;
    (void)space;
    struct vt_site *site = find_site(sites, tile); /* is there: it has this tile live */
    remember(sites, site);
    site->live -= bytes;
    sites->live -= bytes;
}

void vt_sites_init(struct vt_sites *sites, bool keep_all)
{
    static const struct vt_watcher watcher = {.take = take, .drop = drop};
    *sites = (struct vt_sites){.keep_all = keep_all, .epoch = 1};
    sites->spaces.watcher = &watcher;
    sites->spaces.context = sites;
}

void vt_sites_deinit(struct vt_sites *sites)
{
    vt_spaces_deinit(&sites->spaces);
    free(sites->origins);
    free(sites->origin_slots);
    free(sites->sites);
    free(sites->slots);
}

int vt_sites_event(struct vt_sites *sites, const struct vt_event *event)
{
    sites->event = event;
    sites->cause = 0;
    int rc = vt_spaces_event(&sites->spaces, event);
    if (rc)
        return rc;
    if (sites->live > sites->peak) {
        sites->peak = sites->live;
        sites->peak_seq = event->seq;
        sites->peak_time_ns = event->time_ns;
        sites->epoch++;
    }
    return 0;
}
