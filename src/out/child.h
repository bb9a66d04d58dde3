/* A shell command under way, in a process group of its own, with a pipe to its standard input. */
#ifndef PGNUDGE_OUT_CHILD_H
#define PGNUDGE_OUT_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buffer.h"

struct child {
    pid_t pid; /* its process group's too; 0: none */
    int input; /* the pipe, which doesn't block; -1: closed */
};

/*
 * Runs `command` by /bin/sh -c, with default signals, our stdout and stderr, and none of our other
 * descriptors. False, with errno: it could not be started.
 */
bool child_start(struct child *child, const char *command, char *const *variables);

/*
 * Writes some of `text`, from `*sent` on, and closes the pipe behind the last byte, or when the
 * command has closed it, which is its affair.
 */
void child_write(struct child *child, const struct buffer *text, size_t *sent);

/* Whether it has ended, with waitpid's `status`; its group may live on. Never waits. */
bool child_ended(struct child *child, int *status);

/* Whether a process of the group is left. */
bool child_group_lives(pid_t group);

/* Ends the whole group at once, and reaps the command. */
void child_kill(struct child *child);

#endif
