#include <stdio.h>
#include <stdlib.h>

#include "model.h"

/* pgnudge's backend of that type; 0: there is none. */
static pid_t backend(PGconn *conn, const char *type)
{
    char pid[32];

    return ask(conn, pid, sizeof(pid),
               "SELECT pid FROM pg_stat_activity WHERE usename = 'pgnudge' AND backend_type = '%s'"
               " AND datname = current_database() LIMIT 1",
               type)
               ? (pid_t)atoi(pid)
               : 0;
}

void freeze(pid_t pid, unsigned ms)
{
    if (pid > 0 && kill(pid, SIGSTOP) == 0) {
        pause_ms(ms);
        kill(pid, SIGCONT);
    }
}

static void terminate(PGconn *conn, pid_t pid)
{
    char done[8];

    if (pid > 0) {
        ask(conn, done, sizeof(done), "SELECT pg_terminate_backend(%d)", (int)pid);
    }
}

/* COMMITs wait for a standby that nobody is. */
void stall(PGconn *conn, unsigned ms)
{
    char done[8];

    ask(conn, done, sizeof(done), "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    ask(conn, done, sizeof(done), "SELECT pg_reload_conf()");
    pause_ms(ms);
    ask(conn, done, sizeof(done), "ALTER SYSTEM RESET synchronous_standby_names");
    ask(conn, done, sizeof(done), "SELECT pg_reload_conf()");
}

PGconn *stranger_begins(const char *conninfo)
{
    PGconn *conn = connect_to(conninfo);

    PQclear(PQexec(conn, "BEGIN; INSERT INTO m.unrelated VALUES (1)"));
    return conn;
}

/* One that the program knows; it is over when that ends. */
static void call(const char *program, uint32_t number, pid_t pgnudge)
{
    char command[1000];

    snprintf(command, sizeof(command), "%s %u %d", program, number, (int)pgnudge);
    if (system(command) != 0) {
        fail("%s", command);
    }
}

void fault_until_stopped(struct shared *shared, const char *conninfo, uint64_t seed)
{
    struct random random = {seed};
    PGconn *conn = connect_to(conninfo), *stranger = NULL;
    const char *program = getenv("MODEL_FAULT");
    char done[8];

    ask(conn, done, sizeof(done), "SET synchronous_commit = local");
    while (shared->faults) {
        unsigned ms = 50 + random_below(&random, 1200);
        uint32_t which = random_below(&random, program != NULL ? 10 : 7);

        pause_ms(200 + random_below(&random, 900));
        note(shared, "fault %u for %u ms", which, ms);
        shared->faulted++;
        switch (which) {
        case 0:
            terminate(conn, backend(conn, "client backend"));
            break;
        case 1:
            terminate(conn, backend(conn, "walsender"));
            break;
        case 2:
            freeze(backend(conn, "client backend"), ms);
            break;
        case 3:
            freeze(backend(conn, "walsender"), ms);
            break;
        case 4:
            freeze(shared->pgnudge, ms);
            break;
        case 5:
            stall(conn, ms);
            break;
        case 6: /* a slot that is being made waits for it, so it doesn't stay for long */
            stranger = stranger_begins(conninfo);
            pause_ms(ms);
            PQfinish(stranger);
            break;
        default:
            call(program, random_next(&random) % 1000, shared->pgnudge);
            break;
        }
    }
    PQfinish(conn);
}
