#include "server.h"

#include <stdlib.h>

#include "tool.h"

static PGconn *connect_to(const char *conninfo)
{
    PGconn *server = PQconnectdb(conninfo);

    if (PQstatus(server) != CONNECTION_OK) {
        fail("%s", PQerrorMessage(server));
    }
    return server;
}

PGconn *server_connect(void)
{
    const char *conninfo = getenv("BENCH_SERVER");

    if (conninfo == NULL) {
        fail("BENCH_SERVER is not set: scripts/bench runs this");
    }
    return connect_to(conninfo);
}

PGconn *server_connect_as_client(void)
{
    return connect_to("");
}

static PGresult *run(PGconn *server, const char *sql)
{
    PGresult *result = PQexec(server, sql);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fail("%s%s", PQerrorMessage(server), sql);
    }
    return result;
}

void server_run(PGconn *server, const char *sql)
{
    PQclear(run(server, sql));
}

long server_number(PGconn *server, const char *sql)
{
    PGresult *result = run(server, sql);
    long number = PQntuples(result) > 0 ? strtol(PQgetvalue(result, 0, 0), NULL, 10) : 0;

    PQclear(result);
    return number;
}
