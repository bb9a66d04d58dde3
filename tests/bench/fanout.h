/* Many readers at once, from one commit after the other, beside other work. */
#ifndef PGNUDGE_BENCH_FANOUT_H
#define PGNUDGE_BENCH_FANOUT_H

/*
 * Starts `count` of the command, or so many connections that listen, and waits until each has
 * printed `listens`. Then commits `sql` four times a second for `seconds`, and waits each time until
 * every reader has printed a line with `wanted`, or been notified of it. Tells
 *   p50, p99, max   from the commit's acknowledgement until a reader had it, in milliseconds
 *   server          CPU of all the server's processes, in percent of one core
 *   readers         CPU of all readers, likewise
 */
struct fanout {
    long count;
    long seconds;
    const char *sql;
    const char *wanted;
    const char *listens;
    const char *channel; /* NULL: the command */
    char *const *command;
};

void fanout_run(const struct fanout *fanout);

#endif
