/*
 * objects.c - hides how backing objects are interned: an open-addressing hash
 * table of pointers, keyed by all attributes but the page size.
 *
 * Invariants: an object never moves or changes once handed out (another thread
 * may be reading it); capacity is a power of two and at most
 * three quarters full.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include <vastrace/layout.h>

struct vt_objects {
    struct vt_object **slots;
    size_t capacity;
    size_t count;
};

struct vt_objects *vt_objects_create(void)
{
    return calloc(1, sizeof(struct vt_objects));
}

void vt_objects_destroy(struct vt_objects *objects)
{
    if (!objects)
        return;
    for (size_t i = 0; i < objects->capacity; i++)
        free(objects->slots[i]);
    free(objects->slots);
    free(objects);
}

static uint64_t hash_object(const struct vt_object *o)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a over the name, then the numbers mixed in */
    for (const char *p = o->name; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
    hash ^= o->inode * 0x9e3779b97f4a7c15u;
    hash ^= ((uint64_t)o->dev_major << 40) ^ ((uint64_t)o->dev_minor << 8) ^ o->type;
    return hash ^ (hash >> 29);
}

static bool equal_object(const struct vt_object *a, const struct vt_object *b)
{
    return a->type == b->type && a->inode == b->inode && a->dev_major == b->dev_major &&
           a->dev_minor == b->dev_minor && !strcmp(a->name, b->name);
}

static struct vt_object **find_slot(struct vt_object **slots, size_t capacity,
                                    const struct vt_object *like)
{
    size_t i = hash_object(like) & (capacity - 1);
    while (slots[i] && !equal_object(slots[i], like))
        i = (i + 1) & (capacity - 1);
    return &slots[i];
}

static bool grow(struct vt_objects *objects)
{
    size_t capacity = objects->capacity ? objects->capacity * 2 : 64;
    struct vt_object **slots = calloc(capacity, sizeof(*slots));
    if (!slots)
        return false;
    for (size_t i = 0; i < objects->capacity; i++)
        if (objects->slots[i])
            *find_slot(slots, capacity, objects->slots[i]) = objects->slots[i];
    free(objects->slots);
    objects->slots = slots;
    objects->capacity = capacity;
    return true;
}

const struct vt_object *vt_objects_intern(struct vt_objects *objects, const struct vt_object *like)
{
    if (objects->count * 4 >= objects->capacity * 3 && !grow(objects))
        return NULL;
    struct vt_object **slot = find_slot(objects->slots, objects->capacity, like);
    if (*slot)
        return *slot;
    size_t length = strlen(like->name) + 1;
    struct vt_object *object = malloc(sizeof(*object) + length);
    if (!object)
        return NULL;
    *object = *like;
    object->id = (uint32_t)++objects->count;
    object->name = memcpy(object + 1, like->name, length);
    *slot = object;
    return object;
}

bool vt_object_same(const struct vt_object *a, const struct vt_object *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->type != b->type)
        return false;
    if (a->type == VT_OBJECT_FILE)
        return a->inode == b->inode && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
    return !strcmp(a->name, b->name);
}
