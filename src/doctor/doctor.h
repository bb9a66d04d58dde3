/*
 * `pgnudge doctor`: connects as the feed would, looks at all that the feed
 * needs, says what is in order, what isn't and what mends it. Changes nothing:
 * its slots are temporary, and there is one at a time.
 */
#ifndef PGNUDGE_DOCTOR_DOCTOR_H
#define PGNUDGE_DOCTOR_DOCTOR_H

#include <signal.h>
#include <stdbool.h>

#include "feed/feed.h"

/*
 * Runs until all has been looked at and the report printed, or something ends
 * it. FEED_STOPPED: ready; FEED_REFUSED: it would not. `config` is borrowed; `waiting`
 * is signals_install's mask.
 */
struct feed_outcome doctor_run(const struct feed_config *config, bool json,
                               const sigset_t *waiting);

#endif
