/*
 * cache.c - hides which files were read, and which could not be.
 *
 * Two tables: `files` by what identifies a file's contents (device, inode,
 * size, mtime) owns the facts; `objects` by an object's pointer is the fast
 * way to the same answers. A null answer is an answer.
 *
 * Invariant: every non-null value in `objects` is owned by `files`.
 */
#include "image/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

/* What one entry is found by; unused words are 0. */
struct key {
    uint64_t words[4];
};

struct slot {
    struct key key;
    bool used;
    struct vt_elf *answer; /* null: nothing to tell */
};

/* Open addressing, linear probing; the size is a power of two, at most half of it used. */
struct table {
    struct slot *slots;
    size_t size;
    size_t used;
};

struct vt_image_cache {
    struct table files;
    struct table objects;
};

static size_t hash_key(const struct key *key)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < VT_COUNTOF(key->words); i++) {
        hash = (hash ^ key->words[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return (size_t)hash;
}

/* The slot that holds key, or the free one where it belongs. The table has a free slot. */
static struct slot *find_slot(const struct table *table, const struct key *key)
{
    size_t i = hash_key(key) & (table->size - 1);

    while (table->slots[i].used && memcmp(&table->slots[i].key, key, sizeof(*key)) != 0)
        i = (i + 1) & (table->size - 1);
    return &table->slots[i];
}

static int grow(struct table *table)
{
    struct table larger = {.size = table->size > 0 ? table->size * 2 : 64, .used = table->used};

    larger.slots = calloc(larger.size, sizeof(*larger.slots));
    if (!larger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < table->size; i++)
        if (table->slots[i].used)
            *find_slot(&larger, &table->slots[i].key) = table->slots[i];
    free(table->slots);
    *table = larger;
    return 0;
}

static bool look_up(const struct table *table, const struct key *key, struct vt_elf **answer)
{
    const struct slot *slot;

    if (table->size == 0)
        return false;
    slot = find_slot(table, key);
    *answer = slot->answer;
    return slot->used;
}

/* Add an entry that is not there. 0 or -ENOMEM. */
static int add(struct table *table, const struct key *key, struct vt_elf *answer)
{
    if (2 * (table->used + 1) > table->size) {
        int r = grow(table);

        if (r < 0)
            return r;
    }
    *find_slot(table, key) = (struct slot){.key = *key, .used = true, .answer = answer};
    table->used++;
    return 0;
}

struct vt_image_cache *vt_image_cache_create(void)
{
    return calloc(1, sizeof(struct vt_image_cache));
}

void vt_image_cache_destroy(struct vt_image_cache *cache)
{
    if (!cache)
        return;
    for (size_t i = 0; i < cache->files.size; i++)
        vt_elf_destroy(cache->files.slots[i].answer);
    free(cache->files.slots);
    free(cache->objects.slots);
    free(cache);
}

/* The facts of an open file, read now if its contents are new. 0, or a failure: not read. */
static int answer_of_file(struct vt_image_cache *cache, int fd, struct vt_elf **answer)
{
    struct stat st;
    struct key key;
    int r;

    *answer = NULL;
    if (fstat(fd, &st) < 0)
        return -errno;
    key = (struct key){{
        (uint64_t)st.st_dev,
        (uint64_t)st.st_ino,
        (uint64_t)st.st_size,
        (uint64_t)st.st_mtim.tv_sec * UINT64_C(1000000000) + (uint64_t)st.st_mtim.tv_nsec,
    }};
    if (look_up(&cache->files, &key, answer))
        return 0;
    r = vt_elf_read(fd, answer, NULL);
    if (r < 0)
        return r;
    r = add(&cache->files, &key, *answer);
    if (r < 0) {
        vt_elf_destroy(*answer);
        *answer = NULL;
    }
    return r;
}

const struct vt_elf *vt_image_cache_get(struct vt_image_cache *cache, pid_t pid,
                                        const struct vt_region *region, uint64_t *unreadable)
{
    struct key key = {{(uint64_t)(uintptr_t)region->object}};
    struct vt_elf *answer = NULL;
    int fd, r;

    if (!region->object || region->object->type != VT_OBJECT_FILE)
        return NULL;
    if (look_up(&cache->objects, &key, &answer))
        return answer;

    fd = vt_image_open(pid, region, NULL);
    r = fd < 0 ? fd : answer_of_file(cache, fd, &answer);
    if (fd >= 0)
        close(fd);
    /* What is no regular file (a device) is no loss: no ELF file was missed. */
    if (r < 0 && r != -EINVAL && unreadable)
        ++*unreadable;
    /*
     * A process that ended tells nothing about its files: another one may ask.
     * Without memory to remember the answer it is sought again next time.
     */
    if (r != -ESRCH)
        (void)add(&cache->objects, &key, answer);
    return answer;
}
