/*
 * The throwaway server. $BENCH_SERVER is the connection string of its
 * superuser; PG* are those of the clients.
 */
#ifndef PGNUDGE_BENCH_SERVER_H
#define PGNUDGE_BENCH_SERVER_H

#include <libpq-fe.h>
#include <stdbool.h>

PGconn *server_connect(void);

/* Connects as the clients do. */
PGconn *server_connect_as_client(void);

/* Runs SQL, or fails. */
void server_run(PGconn *server, const char *sql);

/* The number that a query gives, 0 for none. */
long server_number(PGconn *server, const char *sql);

#endif
