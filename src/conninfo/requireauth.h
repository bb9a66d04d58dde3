/* require_auth: the methods that the user lets a server authenticate by. */
#ifndef PGNUDGE_CONNINFO_REQUIREAUTH_H
#define PGNUDGE_CONNINFO_REQUIREAUTH_H

#include <stdbool.h>

#include "base/error.h"

/* libpq's names for them; GSSAPI, SSPI and OAuth pgnudge knows by name only. */
enum auth_method {
    AUTH_METHOD_NONE, /* no exchange at all: trust, peer, cert */
    AUTH_METHOD_PASSWORD,
    AUTH_METHOD_MD5,
    AUTH_METHOD_GSS,
    AUTH_METHOD_SSPI,
    AUTH_METHOD_SCRAM,
    AUTH_METHOD_OAUTH,
    AUTH_METHODS
};

#define AUTH_ANY_METHOD ((1U << AUTH_METHODS) - 1)

/*
 * Reads a comma-separated list of methods, or of methods that "!" rules out,
 * to one bit (1 << method) for each that is allowed. "" allows all. False:
 * `error` (ERROR_PERMANENT) says which word is wrong.
 */
bool requireauth_read(const char *text, unsigned *allowed, struct error *error);

#endif
