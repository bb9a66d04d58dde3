/*
 * What to do next, for refusals that have a usual fix. It is chosen by the
 * SQLSTATE, the command, and the names of settings, files and attributes in
 * what notice from the server: it says the rest in a language of its own.
 *
 * A hint is added as a line of its own to the server's, if that has one, and
 * only once, whoever asks. It is there to be copied: names in it are quoted.
 * README.md has a table of all.
 */
#ifndef PGNUDGE_SERVER_HINTS_H
#define PGNUDGE_SERVER_HINTS_H

#include "base/error.h"
#include "conninfo/conninfo.h"
#include "decode/plugins.h"

/* For a login that failed, as a walsender or an ordinary one. */
void hint_login(struct error *error, const struct conninfo *info);

/* For a slot that could not be made with `plugin`; before the error gets a prefix. */
void hint_slot(struct error *error, const struct conninfo *info, enum plugin plugin);

#endif
