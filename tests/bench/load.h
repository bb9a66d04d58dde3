/* A client under load, and one that has nothing to do. */
#ifndef PGNUDGE_BENCH_LOAD_H
#define PGNUDGE_BENCH_LOAD_H

#define LOAD_STATEMENTS_MAX 4

struct load {
    const char *output;                    /* the client's stdout: a file */
    const char *prepare;                   /* SQL before the client starts; NULL: none */
    const char *listens;                   /* the word in its output that says so; NULL: none */
    const char *warm;                      /* SQL that the client reads before the measuring… */
    const char *warmed;                    /* … and the word in its output that says so */
    const char *work[LOAD_STATEMENTS_MAX]; /* SQL, one message each */
    int work_count;
    const char *worked; /* the word in the output that ends it */
    long units;         /* rows or transactions: what CPU time is told by */
    long idle_s;        /* instead of work: how long to look */
    char *const *command;
};

/*
 * Tells, of the work: `cpu` and `sender_cpu`, the client's and the walsender's
 * CPU time by unit (us); from its start, in seconds: `read`, until the client
 * has acknowledged or written all of it, whichever shows first, and `written`;
 * `waits` of the client by 1000 units; `peak`, its memory (MiB).
 */
void load_run(const struct load *load);

/* Tells, of an idle client, by second: `cpu` and `sender_cpu` (us) and `waits`. */
void load_idle(const struct load *load);

#endif
