#include "feed/window.h"

#include <stdlib.h>

#include "base/clock.h"
#include "feed/names.h"

const char *resync_text(enum resync reason)
{
    static const char *const text[] = {
        [RESYNC_NONE] = "",
        [RESYNC_CONNECTED] = "connected",
        [RESYNC_RECONNECTED] = "reconnected",
        [RESYNC_OVERFLOW] = "overflow",
        [RESYNC_FAILSAFE] = "failsafe",
    };

    return text[reason];
}

void window_init(struct window *window, const struct window_limits *limits)
{
    *window = (struct window){.limits = *limits, .due_us = CLOCK_NEVER};
}

static void forget_events(struct window *window)
{
    for (size_t i = 0; i < window->len; i++) {
        window->events[i].name->pending = NAME_NOT_PENDING;
    }
    window->len = 0;
}

static bool add_event(struct window *window, struct name *name, int64_t wall_us)
{
    if (window->len == window->cap) {
        size_t cap = window->cap > 0 ? window->cap * 2 : 64;
        struct window_event *bigger = realloc(window->events, cap * sizeof(*bigger));

        if (bigger == NULL) {
            return false;
        }
        window->events = bigger;
        window->cap = cap;
    }
    name->pending = window->len;
    window->events[window->len++] = (struct window_event){name, wall_us, 1};
    return true;
}

/* The debounce rolls with each change, the cap stays. */
static void touch(struct window *window, int64_t now_us)
{
    if (window->due_us == CLOCK_NEVER) {
        window->first_us = now_us;
    }
    window->due_us = clock_earlier(clock_after(now_us, window->limits.debounce_us),
                                   clock_after(window->first_us, window->limits.max_wait_us));
}

bool window_change(struct window *window, struct name *name, int64_t now_us, int64_t wall_us)
{
    if (window->at_once) {
        return true; /* the resync stands for this change too */
    }
    touch(window, now_us);
    if (window->resync == RESYNC_OVERFLOW) {
        return true;
    }
    if (name->pending != NAME_NOT_PENDING) {
        window->events[name->pending].count++;
        return true;
    }
    if (window->len >= window->limits.max_pending) {
        forget_events(window);
        window->resync = RESYNC_OVERFLOW;
        return true;
    }
    return add_event(window, name, wall_us);
}

void window_begin(struct window *window)
{
    window->in_transaction = true;
}

void window_commit(struct window *window)
{
    window->in_transaction = false;
}

void window_resync(struct window *window, enum resync reason, int64_t now_us)
{
    forget_events(window);
    if (window->resync == RESYNC_NONE) {
        window->resync = reason;
    }
    window->at_once = true;
    window->due_us = now_us;
}

int64_t window_deadline(const struct window *window)
{
    return window->in_transaction ? CLOCK_NEVER : window->due_us;
}

void window_clear(struct window *window)
{
    forget_events(window);
    window->resync = RESYNC_NONE;
    window->at_once = false;
    window->due_us = CLOCK_NEVER;
}

void window_disconnected(struct window *window)
{
    if (window->in_transaction) {
        window_clear(window);
        window->in_transaction = false;
    }
}

void window_free(struct window *window)
{
    free(window->events);
    *window = (struct window){0};
}
