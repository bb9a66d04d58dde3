/*
 * libpq's connection strings ("Connection Strings" in its documentation):
 * `keyword = value …` and postgresql:// URIs, to keywords and values. No I/O,
 * and no knowledge of the keywords but that some are secret.
 */
#ifndef PGNUDGE_CONNINFO_CONNSTRING_H
#define PGNUDGE_CONNINFO_CONNSTRING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bounds.h"
#include "base/error.h"
#include "base/text.h"

/* One parameter of a string, decoded. Valid until the callback returns. */
struct connstring_item {
    const char *keyword;
    const char *value;
    struct slice written; /* the value as it stands in the string; empty for a list of hosts */
    size_t position;      /* of the parameter in the string, from 1 */
    bool quotable;        /* an error may repeat the keyword: it is no part of a secret */
};

/* Takes one parameter; false, with `error` set, ends the parsing. */
typedef bool connstring_take(void *context, const struct connstring_item *item,
                             struct error *error);

/* Whether libpq takes a database name for a connection string. */
bool connstring_recognize(const char *text);

/*
 * Hands each parameter of `text` to `take`, in order: of repeated ones the
 * last counts. Several hosts come as one comma-separated list, their ports
 * too, as `host` and `port` take them. False: `error` (ERROR_PERMANENT) says
 * what is wrong and where; it quotes nothing that may belong to a secret.
 */
bool connstring_parse(const char *text, connstring_take *take, void *context, struct error *error);

/* Overwrites the secrets of `text`, a command-line argument, which other processes can read. */
void connstring_hide_secrets(char *text);

/* Whether the parameter's value must never be shown: a password or a key. */
bool connstring_is_secret(const char *keyword);

/* A value for an error, or "…" where it may be more than that: "5432 password=x" is no port. */
const char *connstring_shown(const char *value);

#endif
