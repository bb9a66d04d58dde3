/* What to do next, for refusals that have a usual cure; chosen by SQLSTATE and the command. */
#ifndef PGNUDGE_FEED_HINTS_H
#define PGNUDGE_FEED_HINTS_H

#include "base/error.h"
#include "decode/decoder.h"
#include "pq/conninfo.h"

/* For a login that failed. The server's own hint stays. */
void hint_login(struct error *error, const struct conninfo *info);

/* For a slot that could not be made with `plugin`. */
void hint_slot(struct error *error, const struct conninfo *info, enum plugin plugin);

#endif
