/* Processes that are measured: our own children, and the server's. Linux's /proc. */
#ifndef PGNUDGE_BENCH_PROCESS_H
#define PGNUDGE_BENCH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Starts a program with `out` as its stdout and, if `errors_too`, as its
 * stderr. It is killed when this program ends, however that comes about.
 */
pid_t process_start(char *const *argv, int out, bool errors_too);

/* Fails if the child has ended. */
void process_check(pid_t pid);

/* Asks the child to end, kills it if it doesn't, and waits until it is gone. */
void process_kill(pid_t pid);

/* User and system time of all its threads so far, in nanoseconds. */
int64_t process_cpu_ns(pid_t pid);

/* A number in /proc/PID/status, such as VmHWM (kB) or voluntary_ctxt_switches. */
int64_t process_status(pid_t pid, const char *field);

#endif
