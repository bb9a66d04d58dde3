/* Where items go, one at a time. */
#ifndef PGNUDGE_OUT_OUT_H
#define PGNUDGE_OUT_OUT_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "batch/item.h"

enum out_event {
    OUT_NOTHING,
    OUT_DONE,    /* the item is out */
    OUT_FAILED,  /* it is not: it is due again, merged with what has come since */
    OUT_MISSED,  /* it is not, and it isn't known what readers have seen: a resync is due */
    OUT_SPARE,   /* nothing can go out: another pgnudge does that, and this one waits for its end */
    OUT_RESTART, /* readers know nothing yet: a resync must be the next item */
    OUT_GONE,    /* nobody takes items any more */
    OUT_BROKEN   /* no item can go out any more: the error says why */
};

struct out;

struct out_ops {
    /* Whether an item can begin; it may ask the system. */
    bool (*can_take)(struct out *out);

    /* Begins one, which is borrowed for the call; a failure shows at the next step. */
    void (*begin)(struct out *out, const struct item *item);

    /* Whether one has begun and is not done. */
    bool (*busy)(const struct out *out);

    /* Goes on, with what poll reported. */
    enum out_event (*step)(struct out *out, short revents, int64_t now_us, struct error *error);

    /* `wanted`, here and below: an item waits until it can begin. */
    struct pollfd (*pollfd)(const struct out *out, bool wanted);

    /* When `step` must be called whatever poll reports. */
    int64_t (*deadline)(const struct out *out, bool wanted, int64_t now_us);

    /* No item begins any more. How long the one that has begun may take, in microseconds. */
    int64_t (*stop)(struct out *out);

    void (*free)(struct out *out);
};

/* The first member of each kind of out. */
struct out {
    const struct out_ops *ops;
};

#endif
