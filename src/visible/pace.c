#include "visible/pace.h"

#include "base/clock.h"

#define AGAIN_MIN_US (CLOCK_MS / 4) /* a commit without a standby is seen by then */
#define AGAIN_MAX_US (250 * CLOCK_MS)

void pace_init(struct pace *pace, int64_t interval_us, int64_t now_us)
{
    *pace = (struct pace){.next_us = now_us, .interval_us = interval_us, .again_us = AGAIN_MIN_US};
}

void pace_hurry(struct pace *pace, int64_t now_us)
{
    pace->hurrying = true;
    pace->again_us = AGAIN_MIN_US;
    pace->next_us = now_us;
}

void pace_rest(struct pace *pace, int64_t now_us)
{
    if (pace->hurrying) {
        pace->hurrying = false;
        pace->next_us = clock_after(now_us, pace->interval_us);
    }
}

void pace_by(struct pace *pace, int64_t at_us)
{
    pace->next_us = clock_earlier(pace->next_us, at_us);
}

bool pace_due(const struct pace *pace, int64_t now_us)
{
    return now_us >= pace->next_us;
}

void pace_asked(struct pace *pace)
{
    pace->next_us = CLOCK_NEVER;
}

void pace_answered(struct pace *pace, int64_t now_us)
{
    if (pace->next_us == CLOCK_NEVER) { /* nobody has asked for more meanwhile */
        pace->next_us = clock_after(now_us, pace->hurrying ? pace->again_us : pace->interval_us);
    }
    if (pace->hurrying && pace->again_us < AGAIN_MAX_US) {
        pace->again_us *= 2;
    }
}
