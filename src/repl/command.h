/* The text of replication commands ("Streaming Replication Protocol"). */
#ifndef PGNUDGE_REPL_COMMAND_H
#define PGNUDGE_REPL_COMMAND_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/encoding.h"
#include "base/text.h"

#define SLOT_NAME_MAX 64 /* bytes, NUL included: NAMEDATALEN */

/* Makes a slot name that no other connection uses. False: no randomness to be had. */
bool slot_name(char name[SLOT_NAME_MAX]);

/* Appends a string literal: 'it''s'. The replication grammar has no backslash escapes, and SQL
 * with standard_conforming_strings neither. */
void sql_literal(struct buffer *out, struct slice text);

/* Appends a quoted identifier: "a""b". */
void sql_identifier(struct buffer *out, struct slice name);

/*
 * Appends a string literal of a name in UTF-8, converted to the database's encoding. False:
 * that lacks a letter of it, and an empty literal stands there.
 */
bool sql_name_literal(struct buffer *out, struct encoding *encoding, struct slice name);

/*
 * Appends CREATE_REPLICATION_SLOT for a temporary logical slot without a
 * snapshot, in the form that 13 to 18 take.
 */
void command_create_slot(struct buffer *out, const char *slot, const char *plugin);

/* Appends DROP_REPLICATION_SLOT for a slot that this connection has made. */
void command_drop_slot(struct buffer *out, const char *slot);

/* Appends START_REPLICATION from the slot's consistent point; `options` is the text in
 * parentheses, already quoted. */
void command_start(struct buffer *out, const char *slot, struct slice options);

/* Appends START_REPLICATION of WAL as it is, without a slot, from `lsn` on. */
void command_start_physical(struct buffer *out, uint64_t lsn);

#endif
