/* What keeps a server from creating a replication slot: transactions that hold an xid. */
#ifndef PGNUDGE_SERVER_SLOTWAIT_H
#define PGNUDGE_SERVER_SLOTWAIT_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/log.h"
#include "pq/query.h"

/* Appends the query for those that the walsender of this process ID waits for. */
void slotwait_query(struct buffer *sql, uint32_t pid);

/* Takes its rows, and warns of each. */
bool slotwait_row(const struct log *log, struct query_row *row);

#endif
