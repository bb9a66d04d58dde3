/*
 * Lines from processes of which it isn't known yet whether they publish: they
 * wait for the answer to the next question for the lock's holder.
 */
#ifndef PGNUDGE_SOURCE_HELD_LINES_H
#define PGNUDGE_SOURCE_HELD_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/text.h"

#define HELD_LINES_MAX ((size_t)64 * 1024) /* bytes */

/* All zero at first. */
struct held_lines {
    struct buffer text; /* of each: its process, its length, its text */
    size_t asked;       /* bytes of those that came before the question under way */
};

bool held_lines_any(const struct held_lines *held);

/* Keeps one. False: they would be too many, or memory is out, and all are gone. */
bool held_lines_add(struct held_lines *held, uint32_t pid, struct slice line);

/* A question begins. */
void held_lines_asked(struct held_lines *held);

/*
 * Takes the next one that the question was about: its text is borrowed until the next call. False:
 * there are no more.
 */
bool held_lines_next(struct held_lines *held, size_t *at, uint32_t *pid, struct slice *line);

/* Those that the question was about are gone. */
void held_lines_answered(struct held_lines *held);

void held_lines_free(struct held_lines *held);

#endif
