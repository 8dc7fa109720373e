/*
 * lines.c - hides which file a recorded frame's code is in now, how it is
 * proven to be the one that ran, and who owns what was found in it.
 *
 * Names and build IDs come from a recording, which may be hostile: a name is
 * opened if it leads to a regular file, and nothing of that is told unless it
 * has the build ID that stands in the recording.
 *
 * Invariant: each object and each place in one is looked at once, also where that failed.
 */
#include "session/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "image/cache.h"
#include "image/debug_file.h"
#include "image/symbols.h"
#include "recording/pairs.h"
#include "sinks/words.h"

#define NAMES_TOLD 4   /* of files in which nothing was looked up */
#define NAME_TOLD  255 /* bytes of each */

/* A file with code. */
struct file {
    const struct vt_object *object;
    struct vt_elf *elf;
    struct vt_symbols *symbols; /* null: nothing can be looked up in it */
    enum vt_lines_miss missed;  /* why; meaningful then */
};

struct vt_lines {
    struct vt_pairs numbers; /* objects' ids (and 0) to places in `files`, counted from 1 */
    struct file *files;
    size_t count;
    size_t capacity;
    struct vt_pairs places; /* frames' places in code to those in `found`, counted from 1 */
    struct vt_frame *found; /* their strings are ours */
    size_t found_count;
    size_t found_capacity;
};

/* ---- files ----------------------------------------------------------------------- */

/* Is the open file the one of this build ID? Then *elf is set. */
static bool is_the_one(int fd, const struct vt_build_id *id, struct vt_elf **elf)
{
    if (vt_elf_read(fd, elf, NULL) != 0)
        return false;
    if (vt_build_id_same(&(*elf)->build_id, id))
        return true;
    vt_elf_destroy(*elf);
    *elf = NULL;
    return false;
}

static void open_file(struct file *file, const struct vt_build_id *id)
{
    const char *path = file->object->name;

    file->missed = id ? VT_LINES_OTHER : VT_LINES_UNPROVEN;
    int fd = id && path[0] == '/' ? vt_image_open_path(path) : -1;
    if (fd < 0)
        return;
    if (is_the_one(fd, id, &file->elf))
        file->symbols = vt_symbols_create(fd, file->elf, path, VT_DEBUG_DIRECTORY, true);
    close(fd);
}

/* The file that the frame is in, opened now if it was not yet. Null when out of memory. */
static struct file *file_of(struct vt_lines *lines, const struct vt_frame *frame)
{
    uint32_t *number = vt_pairs_want(&lines->numbers, frame->object->id, 0);

    if (!number || *number)
        return number ? &lines->files[*number - 1] : NULL;
    if (vt_reserve((void **)&lines->files, &lines->capacity, lines->count + 1,
                   sizeof(*lines->files)))
        return NULL;
    struct file *file = &lines->files[lines->count];
    *number = (uint32_t)++lines->count;
    *file = (struct file){.object = frame->object};
    open_file(file, frame->build_id);
    return file;
}

/* ---- frames ---------------------------------------------------------------------- */

/* What the recording tells stays. */
static void fill(struct vt_frame *frame, const struct vt_frame *found)
{
    if (!frame->function) {
        frame->function = found->function;
        frame->offset = found->offset;
    }
    if (found->file) {
        frame->file = found->file;
        frame->line = found->line;
    }
    if (found->inlined_count) {
        frame->inlined = found->inlined;
        frame->inlined_count = found->inlined_count;
    }
}

/* What the file tells of the frame's place. Null when out of memory. */
static const struct vt_frame *find_place(struct vt_lines *lines, struct file *file,
                                         const struct vt_frame *frame)
{
    uint64_t which = (uint64_t)frame->object->id << 1 | frame->interrupted;
    uint32_t *number = vt_pairs_want(&lines->places, which, frame->address);

    if (!number || *number)
        return number ? &lines->found[*number - 1] : NULL;
    if (vt_reserve((void **)&lines->found, &lines->found_capacity, lines->found_count + 1,
                   sizeof(*lines->found)))
        return NULL;
    struct vt_frame *found = &lines->found[lines->found_count++];
    *number = (uint32_t)lines->found_count;
    *found = (struct vt_frame){.address = frame->address, .interrupted = frame->interrupted};
    return vt_symbols_find(file->symbols, found) ? NULL : found;
}

int vt_lines_find(struct vt_lines *lines, struct vt_frame *frame)
{
    if (frame->file || !frame->object || frame->object->type != VT_OBJECT_FILE)
        return 0;
    struct file *file = file_of(lines, frame);
    if (!file)
        return -ENOMEM;
    if (!file->symbols)
        return 0;
    const struct vt_frame *found = find_place(lines, file, frame);
    if (!found)
        return -ENOMEM;
    fill(frame, found);
    return 0;
}

/* ---- what was missed -------------------------------------------------------------- */

size_t vt_lines_missed(const struct vt_lines *lines, enum vt_lines_miss why, struct vt_buf *names)
{
    size_t count = 0;

    for (size_t i = 0; i < lines->count; i++) {
        const struct file *file = &lines->files[i];
        if (file->symbols || file->missed != why || count++ >= NAMES_TOLD)
            continue;
        const char *name = vt_base_name(file->object->name);
        vt_buf_str(names, count > 1 ? ", " : "");
        vt_buf_add(names, name, strnlen(name, NAME_TOLD));
    }
    if (count > NAMES_TOLD)
        vt_buf_printf(names, " and %zu other%s", count - NAMES_TOLD,
                      count == NAMES_TOLD + 1 ? "" : "s");
    return count;
}

/* ---- begin and end ----------------------------------------------------------------- */

struct vt_lines *vt_lines_create(void)
{
    vt_raise_file_limit(NULL);
    return calloc(1, sizeof(struct vt_lines));
}

void vt_lines_destroy(struct vt_lines *lines)
{
    if (!lines)
        return;
    for (size_t i = 0; i < lines->found_count; i++)
        vt_frame_clear(&lines->found[i]);
    free(lines->found);
    vt_pairs_deinit(&lines->places);
    for (size_t i = 0; i < lines->count; i++) {
        vt_symbols_destroy(lines->files[i].symbols);
        vt_elf_destroy(lines->files[i].elf);
    }
    free(lines->files);
    vt_pairs_deinit(&lines->numbers);
    free(lines);
}
