/* What OpenSSL says of a failure, in words that help. */
#ifndef PGNUDGE_TLS_TLSERROR_H
#define PGNUDGE_TLS_TLSERROR_H

#include "base/error.h"

/* OpenSSL's oldest queued reason, which empties the queue. Valid until the next call. */
const char *tlserror_reason(void);

/*
 * Makes an error of the queue after a handshake, read or write that failed,
 * and empties it. An alert by which the server refuses our certificate is
 * ERROR_PERMANENT, and so is one about versions; the rest is ERROR_TRANSIENT.
 * `cert`: the client's certificate file, "" where none was shown.
 */
void tlserror_explain(const char *cert, struct error *error);

#endif
