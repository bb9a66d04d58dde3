#include "tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void fail(const char *format, ...)
{
    va_list args;

    fputs("bench: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

void pause_ns(int64_t ns)
{
    struct timespec ts = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};

    nanosleep(&ts, NULL);
}

void tell(const char *metric, double value)
{
    printf("%s\t%.6f\n", metric, value);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* Of sorted times, by the nearest rank: rounded up. */
static double percentile_ms(const int64_t *times_ns, size_t count, size_t percent)
{
    return (double)times_ns[(count * percent + 99) / 100 - 1] / (double)NS_PER_MS;
}

void tell_times(int64_t *times_ns, size_t count)
{
    qsort(times_ns, count, sizeof(*times_ns), compare);
    tell("p50", percentile_ms(times_ns, count, 50));
    tell("p99", percentile_ms(times_ns, count, 99));
    tell("max", percentile_ms(times_ns, count, 100));
}

long read_count(const char *text)
{
    char *end;
    long count = strtol(text, &end, 10);

    if (end == text || *end != '\0' || count < 1) {
        fail("not a count: %s", text);
    }
    return count;
}
