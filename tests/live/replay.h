/*
 * replay.h - a naive model of address spaces, fed from a timeline.
 */
#ifndef LIVE_REPLAY_H
#define LIVE_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

/* A run of pages alike, with room for the name of what lies behind. */
struct replay_run {
    uint64_t start, end, offset, inode;
    char perm[5];
    char name[28]; /* of what has no file: [vdso] and its like; "" for anonymous memory */
};

struct replay_space {
    uint32_t id;
    struct replay_run *runs; /* ascending */
    size_t count, capacity;
};

struct replay {
    struct replay_space *spaces;
    size_t count;
};

/* Apply one event's changes; false if one does not fit, with the reason in text. */
bool replay_event(struct replay *replay, const struct json *event, char *text, size_t size);

/* Compare a space with the text of a /proc/PID/maps; false if they differ, with the reason. */
bool replay_agrees(const struct replay *replay, uint32_t space, const char *maps, size_t length,
                   char *text, size_t size);

void replay_deinit(struct replay *replay);

#endif
