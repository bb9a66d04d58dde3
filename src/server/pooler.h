/*
 * Whether a pooler stands between: it hands out connections of its own to the
 * server, so settings made on one would stay there, for others. The process that
 * answers is then not the one that BackendKeyData named at the login.
 */
#ifndef PGNUDGE_SERVER_POOLER_H
#define PGNUDGE_SERVER_POOLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "pq/conn.h"
#include "pq/query.h"

/* Asked before any setting is made. */
#define POOLER_SQL "SELECT pg_catalog.pg_backend_pid()::text"

/* Takes its row; `context` is a uint32_t. */
query_row_fn pooler_row;

/* False: one does, and `error` (ERROR_PERMANENT) says so. `pid`: the answer. */
bool pooler_absent(struct conn *conn, uint32_t pid, struct error *error);

#endif
