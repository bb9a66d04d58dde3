#include "feed/metrics.h"

#include <stddef.h>

#include "base/clock.h"

bool metrics_open(struct metrics *metrics, const char *path, const struct counters *counters,
                  int64_t interval_us, struct error *error)
{
    metrics->path = path;
    metrics->interval_us = interval_us;
    metrics->due_us = path != NULL ? 0 : CLOCK_NEVER;
    return path == NULL || counters_write(counters, path, error);
}

void metrics_step(struct metrics *metrics, const struct counters *counters, int64_t now_us)
{
    struct error error;

    if (now_us < metrics->due_us) {
        return;
    }
    metrics->due_us = clock_after(now_us, metrics->interval_us);
    if (counters_write(counters, metrics->path, &error)) {
        metrics->failed = false;
    } else if (!metrics->failed) {
        metrics->failed = true;
        log_report(metrics->log, LOG_WARNING, &error);
    }
}

void metrics_hurry(struct metrics *metrics, int64_t now_us)
{
    if (metrics->path != NULL) {
        metrics->due_us = now_us;
    }
}
