/* libpq's defaults for connection parameters, and what the values must be. */
#ifndef PGNUDGE_CONNINFO_CONNCHECK_H
#define PGNUDGE_CONNINFO_CONNCHECK_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "conninfo/conninfo.h"

/*
 * Fills in libpq's defaults, reads the numbers and choices, and refuses what
 * pgnudge lacks and can't ignore safely. False: a value is wrong, said in
 * `error` (ERROR_PERMANENT), before anything was touched.
 */
bool conninfo_finish(struct conninfo *info, struct error *error);

const char *sslmode_name(enum sslmode mode);

/* Says where a connection is to be made: the values as used, but for the password. */
void conninfo_say(const struct conninfo *info, const struct log *log);

#endif
