/* Builds the messages that a client sends ("Frontend/Backend Protocol", Message Formats). */
#ifndef PGNUDGE_WIRE_MESSAGE_H
#define PGNUDGE_WIRE_MESSAGE_H

#include "base/buffer.h"

/* Begins a message: `type`, or 0 for those of before the login, which have none.
 * Returns the mark for message_end; fields go in between with the buffer's writers. */
size_t message_begin(struct buffer *out, char type);

/* Fills in the length. A failure is latched in the buffer, as by its writers. */
void message_end(struct buffer *out, size_t mark);

/* A NUL-terminated string field. */
void message_string(struct buffer *out, const char *text);

/* A whole Query message. */
void message_query(struct buffer *out, const char *sql);

/* Terminate: the server need not log that the client just went. */
void message_terminate(struct buffer *out);

#endif
