/* The password file ("The Password File" in libpq's documentation). */
#ifndef PGNUDGE_CONNINFO_PASSFILE_H
#define PGNUDGE_CONNINFO_PASSFILE_H

#include <stdbool.h>

#include "base/error.h"
#include "conninfo/conninfo.h"

#define PASSFILE_LINE_MAX 8192 /* bytes; longer lines count as comments */

/*
 * Looks up the password for the host, and the database and user of `info`, which
 * is complete. Returns it, to be freed by passfile_free, or NULL where the
 * file has none. A file that can't be read, or is ignored because others may
 * read it, is no failure: `why` then says so (else it is cleared), for whoever
 * misses the password.
 */
char *passfile_lookup(const struct conninfo *info, const struct host *host, struct error *why);

/* Wipes and frees. NULL is fine. */
void passfile_free(char *password);

#endif
