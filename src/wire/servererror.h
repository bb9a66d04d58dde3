/* ErrorResponse and NoticeResponse ("Error and Notice Message Fields"). */
#ifndef PGNUDGE_WIRE_SERVERERROR_H
#define PGNUDGE_WIRE_SERVERERROR_H

#include "base/error.h"
#include "base/text.h"

/*
 * Fills `error` from a message's body: "SEVERITY:  text", the server's DETAIL
 * and HINT, and a kind after the SQLSTATE: ERROR_PERMANENT for what no retry
 * mends. A body that was cut gives the fields that are whole.
 */
void server_error_read(struct slice body, struct error *error);

/* One field of the body, by its letter ('M': the message). False: it isn't there. */
bool server_error_field(struct slice body, char letter, struct slice *text);

/* Whether the server refused to load the output plugin named in the command: not installed
 * (58P01), or not allowed by output_plugin_libraries (42501 with that name in the HINT). */
bool server_error_refused_plugin(const struct error *error);

#endif
