/* What every measuring program needs: a clock, an end, a way to say a figure. */
#ifndef PGNUDGE_BENCH_TOOL_H
#define PGNUDGE_BENCH_TOOL_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

#define PATIENCE_NS (120 * NS_PER_S) /* for anything that must happen */

/* Says what went wrong on stderr and ends the program; its clients end with it. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Nanoseconds of the monotonic clock. */
int64_t now_ns(void);

void pause_ns(int64_t ns);

/* A line `metric<TAB>value` on stdout. */
void tell(const char *metric, double value);

/* The same for p50, p99 and max of `count` times, in milliseconds; sorts them. */
void tell_times(int64_t *times_ns, size_t count);

/* Reads a number of at least 1, or fails. */
long read_count(const char *text);

#endif
