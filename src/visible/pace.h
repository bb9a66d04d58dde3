/* When to ask next: rarely, or, while something waits for the answer, in a hurry that wears off. */
#ifndef PGNUDGE_VISIBLE_PACE_H
#define PGNUDGE_VISIBLE_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
    int64_t next_us;     /* CLOCK_NEVER while a question is under way and none is due behind it */
    int64_t interval_us; /* at rest */
    int64_t again_us;    /* in a hurry: the next delay; doubles */
    bool hurrying;
};

void pace_init(struct pace *pace, int64_t interval_us, int64_t now_us);

/* Ask now, and go on so until pace_rest. */
void pace_hurry(struct pace *pace, int64_t now_us);
void pace_rest(struct pace *pace, int64_t now_us);

/* Ask at `at_us`, if not before. */
void pace_by(struct pace *pace, int64_t at_us);

bool pace_due(const struct pace *pace, int64_t now_us);
void pace_asked(struct pace *pace);
void pace_answered(struct pace *pace, int64_t now_us);

#endif
