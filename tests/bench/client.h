/*
 * A replication client under measurement, pgnudge or another, and the
 * walsender that serves it.
 */
#ifndef PGNUDGE_BENCH_CLIENT_H
#define PGNUDGE_BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "server.h"

struct client {
    PGconn *server;
    pid_t pid;
    pid_t sender; /* the walsender */
};

/* Names what is started from now on, so that its walsender can be told from others. */
void client_name(void);

/* Starts it with `out` as its stdout, and returns once its stream has begun. */
void client_start(struct client *client, PGconn *server, char *const *argv, int out);

/* Ends it, and returns once its walsender is gone. */
void client_stop(struct client *client);

/* Whether the last bytes of a file hold `word`, in lines that are complete. */
bool file_ends_with(int file, const char *word);

#endif
