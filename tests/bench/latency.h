/* How long after a commit, or after its start, something comes. */
#ifndef PGNUDGE_BENCH_LATENCY_H
#define PGNUDGE_BENCH_LATENCY_H

#include <stdint.h>

struct latency {
    const char *setup;   /* SQL that goes before, once; NULL: none */
    const char *work;    /* SQL that commits */
    const char *wanted;  /* a word in the line that follows each */
    const char *listens; /* a word in the line that says that the command listens; NULL: none */
    const char *channel; /* listen to this one, instead of running a command */
    long count;
    long pause_us; /* between two commits */
    char *const *command;
};

/*
 * Tells p50, p99 and max (ms) from the commit's acknowledgement, as its writer
 * gets it, to the line or notification. One commit at a time. What comes before
 * the acknowledgement counts as 0.
 */
void latency_run(const struct latency *latency);

/* The same for the query `work` on a connection like the clients': question to answer. */
void latency_round_trip(const struct latency *latency);

/* Tells `start` (ms): from fork and exec to the command's first line with `wanted`. */
void latency_start(const struct latency *latency);

#endif
