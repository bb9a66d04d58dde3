/* SIGTERM, SIGINT, SIGHUP and SIGUSR1 as flags that only os_poll and signals_let_in set. */
#ifndef PGNUDGE_BASE_SIGNALS_H
#define PGNUDGE_BASE_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define SIGNALS_EVERY_US (50 * CLOCK_MS)

/*
 * Blocks the four and notes them when they come; what the parent ignores
 * (nohup, a shell's background job) stays ignored, SIGPIPE is. SIGCHLD ends a
 * wait. `waiting` is the mask for os_poll. Call once.
 */
void signals_install(sigset_t *waiting);

/*
 * Lets in those that wait, if that hasn't been done for SIGNALS_EVERY_US; `last_us` is when it was.
 * Where a descriptor is ready, os_poll returns without them, again and again under a flood.
 */
void signals_let_in(const sigset_t *waiting, int64_t *last_us, int64_t now_us);

/* The last one that came since the last call, or 0. */
int signals_take(void);

/* Whether SIGUSR1 has come since the last call: somebody wants to see the counters. */
bool signals_take_report(void);

/*
 * Notes SIGTSTP (Ctrl-Z) and SIGCONT as well, for as long as the process must
 * not be stopped without a word. What the parent ignores stays ignored.
 */
void signals_hold_job_control(bool held);

/* The last of these two that came since the last call, or 0. */
int signals_take_job_control(void);

/* Ends the process by `number`, so that its parent sees it. */
void signals_die(int number);

#endif
