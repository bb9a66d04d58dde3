/*
 * The tables with changes that a look at the catalog has to confirm: one that is
 * met for the first time before its changes can be named; one that is known
 * because ATTACH, DETACH and RENAME send no change.
 *
 * A reference is in one queue, or ASKED, or AT_REST.
 */
#ifndef PGNUDGE_CATALOG_TOUCHED_H
#define PGNUDGE_CATALOG_TOUCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch/window.h"
#include "tables/names.h"

enum touched_queue {
    TOUCHED_UNKNOWN, /* not looked up yet: the window waits for them */
    TOUCHED_HIDDEN,  /* looked up, and not there: its transaction can't be seen yet */
    TOUCHED_KNOWN,
    TOUCHED_QUEUES
};

struct touched {
    struct {
        struct table_ref *first;
        struct table_ref *last;
        size_t len;
    } queues[TOUCHED_QUEUES];
};

/* Adds a transaction, before which `commits` have come; all that another has. */
void part_extend(struct part *part, uint32_t xid, uint64_t commits);
void part_add(struct part *part, const struct part *more);

/*
 * Remembers changes of the transaction under way in the window, or of none; `commits` have come
 * before it.
 */
void touched_add(struct touched *touched, struct table_ref *ref, struct window *window,
                 const struct arriving *arriving, uint64_t commits);

/* Puts one that was asked back. */
void touched_put(struct touched *touched, enum touched_queue queue, struct table_ref *ref);

/* Takes up to `max` out of a queue, as ASKED, into `asked`. Returns how many. */
size_t touched_take(struct touched *touched, enum touched_queue queue, struct table_ref **asked,
                    size_t max);

/* All changes before the look have been confirmed; later ones wait for the next. */
void touched_confirm(struct touched *touched, struct table_ref *ref);

bool touched_any(const struct touched *touched, enum touched_queue queue);

/* Forgets all in the queues: a resync stands for them. */
void touched_drop(struct touched *touched);

/* Of one that is in no queue: it comes to rest. */
void touched_rest(struct table_ref *ref);

#endif
