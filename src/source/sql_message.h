/* What is asked for by pg_logical_emit_message: a resync, or that a name be reported as changed. */
#ifndef PGNUDGE_SOURCE_SQL_MESSAGE_H
#define PGNUDGE_SOURCE_SQL_MESSAGE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/encoding.h"
#include "base/log.h"
#include "source/sink.h"

/*
 * Takes a message's content, in the database's encoding, and ends it with a NUL; `readable`: it is
 * whole. One that names a table is a change of that, an empty one asks for a resync, any other is
 * taken for one, with a warning. False: out of memory.
 */
bool sql_message_take(const struct log *log, const struct sink *sink, struct encoding *encoding,
                      struct buffer *content, bool readable);

#endif
