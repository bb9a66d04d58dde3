/*
 * Where connection parameters come from, a layer each: the string, the service
 * file, the environment, and what another connection has.
 */
#ifndef PGNUDGE_CONNINFO_CONNLAYERS_H
#define PGNUDGE_CONNINFO_CONNLAYERS_H

#include <stdbool.h>

#include "base/error.h"
#include "conninfo/conninfo.h"

/* Takes over from `other` what `info` doesn't say. */
bool conninfo_fill(struct conninfo *info, const struct conninfo *other, struct error *error);

/*
 * Sets what the service says that is named by `info` or PGSERVICE, where
 * `info` doesn't say it. False: no such service, or a malformed file.
 */
bool conninfo_from_service(struct conninfo *info, struct error *error);

/*
 * Sets what the PG* variables say and `info` doesn't. An empty variable counts
 * as none. PGPASSWORD is wiped from the environment in any case.
 */
bool conninfo_from_environment(struct conninfo *info, struct error *error);

/* The service file, the environment, and conninfo_finish. */
bool conninfo_complete(struct conninfo *info, struct error *error);

/*
 * Makes `out` of a connection string (or a database name) in which what it
 * leaves out is taken from `base`, which is complete; but host, hostaddr and
 * port, and the password file's word on them, are its own, or those of its
 * service, the PG* variables, libpq's defaults; and target_session_attrs and
 * load_balance_hosts, which choose among hosts, its own or its service's. On
 * failure `out` is empty.
 */
bool conninfo_derive(struct conninfo *out, const struct conninfo *base, const char *text,
                     struct error *error);

#endif
