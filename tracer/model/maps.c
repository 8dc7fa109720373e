/*
 * maps.c - hides the format of /proc/PID/maps (proc_pid_maps(5)).
 *
 * Invariant: what vt_maps_parse() returns ascends and does not overlap,
 * whatever the text was.
 */
#include "model/maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

void vt_regions_deinit(struct vt_regions *regions)
{
    free(regions->items);
    *regions = (struct vt_regions){0};
}

int vt_regions_add(struct vt_regions *regions, const struct vt_region *region)
{
    int rc = vt_reserve((void **)&regions->items, &regions->capacity, regions->count + 1,
                        sizeof(*region));
    if (!rc)
        regions->items[regions->count++] = *region;
    return rc;
}

int vt_maps_object(struct vt_objects *objects, const char *name, uint32_t dev_major,
                   uint32_t dev_minor, uint64_t inode, uint64_t page_size,
                   const struct vt_object **object)
{
    *object = NULL;
    bool file = inode || dev_major || dev_minor;
    if (!file && (!*name || !strcmp(name, "[heap]") || !strncmp(name, "[stack", 6)))
        return 0;
    struct vt_object like = {
        .type = file ? VT_OBJECT_FILE : VT_OBJECT_SPECIAL,
        .dev_major = dev_major,
        .dev_minor = dev_minor,
        .inode = inode,
        .page_size = page_size,
        .name = name,
    };
    *object = vt_objects_intern(objects, &like);
    return *object ? 0 : -ENOMEM;
}

/* A cursor over one line; every reader returns false at the first surprise. */
struct cursor {
    const char *at;
    const char *end;
};

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static bool read_number(struct cursor *c, unsigned base, uint64_t *value)
{
    const char *start = c->at;
    uint64_t v = 0;
    for (int d; c->at < c->end && (d = digit_of(*c->at)) >= 0 && (unsigned)d < base; c->at++) {
        if (v > (UINT64_MAX - (unsigned)d) / base)
            return false;
        v = v * base + (unsigned)d;
    }
    *value = v;
    return c->at > start;
}

static bool read_char(struct cursor *c, char wanted)
{
    if (c->at >= c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static bool read_flag(struct cursor *c, char set, char clear, uint8_t bit, uint8_t *bits)
{
    if (read_char(c, set)) {
        *bits |= bit;
        return true;
    }
    return read_char(c, clear);
}

/* The kernel writes a newline in a name as \012 and nothing else so (seq_path with esc "\n"). */
static void unescape(const char *from, size_t length, char *to)
{
    for (size_t i = 0; i < length; i++) {
        if (length - i >= 4 && !memcmp(from + i, "\\012", 4)) {
            *to++ = '\n';
            i += 3;
        } else {
            *to++ = from[i];
        }
    }
    *to = '\0';
}

static bool read_bounds(struct cursor *c, struct vt_region *region)
{
    return read_number(c, 16, &region->start) && read_char(c, '-') &&
           read_number(c, 16, &region->end) && read_char(c, ' ');
}

bool vt_maps_bounds(const char *line, struct vt_region *region)
{
    struct cursor c = {line, line + strlen(line)};
    *region = (struct vt_region){0};
    return read_bounds(&c, region);
}

static int parse_line(struct cursor c, struct vt_objects *objects, char *name,
                      struct vt_region *region)
{
    uint64_t major, minor, inode;
    *region = (struct vt_region){0};
    if (!read_bounds(&c, region) || !read_flag(&c, 'r', '-', VT_PROT_READ, &region->prot) ||
        !read_flag(&c, 'w', '-', VT_PROT_WRITE, &region->prot) ||
        !read_flag(&c, 'x', '-', VT_PROT_EXEC, &region->prot) ||
        !read_flag(&c, 's', 'p', VT_REGION_SHARED, &region->flags) || !read_char(&c, ' ') ||
        !read_number(&c, 16, &region->offset) || !read_char(&c, ' ') ||
        !read_number(&c, 16, &major) || !read_char(&c, ':') || !read_number(&c, 16, &minor) ||
        !read_char(&c, ' ') || !read_number(&c, 10, &inode))
        return -EINVAL;
    while (read_char(&c, ' '))
        ;
    if (region->start >= region->end || major > UINT32_MAX || minor > UINT32_MAX)
        return -EINVAL;
    unescape(c.at, (size_t)(c.end - c.at), name);
    return vt_maps_object(objects, name, (uint32_t)major, (uint32_t)minor, inode, 0,
                          &region->object);
}

int vt_maps_parse(const char *text, size_t length, struct vt_objects *objects,
                  struct vt_regions *regions, struct vt_error *err)
{
    char *name = NULL;
    size_t name_capacity = 0;
    size_t line = 0;
    int rc = 0;

    regions->count = 0;
    while (length && !rc) {
        const char *newline = memchr(text, '\n', length);
        const char *stop = newline ? newline : text + length;
        line++;
        struct vt_region region;
        rc = vt_reserve((void **)&name, &name_capacity, (size_t)(stop - text) + 1, 1);
        if (!rc)
            rc = parse_line((struct cursor){text, stop}, objects, name, &region);
        if (!rc && regions->count && regions->items[regions->count - 1].end > region.start)
            rc = -EINVAL;
        if (!rc)
            rc = vt_regions_add(regions, &region);
        length -= (size_t)(stop - text) + (newline != NULL);
        text = newline ? stop + 1 : stop;
    }
    free(name);
    if (rc == -EINVAL)
        return vt_error_set(err, EINVAL,
                            "line %zu of a maps file is not what proc_pid_maps(5) says", line);
    if (rc)
        return vt_error_errno(err, -rc, "cannot store a memory map of %zu regions", regions->count);
    return 0;
}
