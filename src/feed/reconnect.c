#include "feed/reconnect.h"

#include <openssl/rand.h>

#include "base/clock.h"

#define LOUD_FAILURES 5U /* in a row; then at each doubling */

static bool is_loud(unsigned failures)
{
    while (failures > LOUD_FAILURES && failures % 2 == 0) {
        failures /= 2;
    }
    return failures == LOUD_FAILURES;
}

void reconnect_failed(struct reconnect *reconnect, struct error *error, const struct log *log,
                      int64_t now_us)
{
    enum log_level level = LOG_INFO;
    uint32_t random = 0;
    int64_t delay_us;

    RAND_bytes((unsigned char *)&random, sizeof(random)); /* without it there is no jitter */
    delay_us = backoff_failed(&reconnect->backoff, random);
    if (reconnect->backoff.failures == 1) {
        level = LOG_WARNING;
        reconnect->since_us = now_us;
    } else if (is_loud(reconnect->backoff.failures)) {
        level = LOG_ERROR;
        error_prefix(error, "%u attempts in a row failed, still trying",
                     reconnect->backoff.failures);
    }
    log_report(log, level, error);
    log_say(log, LOG_INFO, "reconnecting in %.2f s", (double)delay_us / (double)CLOCK_S);
    reconnect->at_us = clock_after(now_us, delay_us);
}

void reconnect_worked(struct reconnect *reconnect, const struct log *log, int64_t now_us)
{
    if (reconnect->backoff.failures > 0) {
        log_say(log, LOG_WARNING, "connected, after %.3g s without a connection",
                (double)(now_us - reconnect->since_us) / (double)CLOCK_S);
    }
    backoff_reset(&reconnect->backoff);
}
