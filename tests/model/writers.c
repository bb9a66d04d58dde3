#include <stdio.h>
#include <string.h>

#include "model.h"

/*
 * What is watched: m.ev (partitioned), m.par (an inheritance parent), m.a and m.b (ordinary), m.j.
 * What DDL alone does to what a watched name shows is not reported, so where such DDL is without a
 * change of rows that is, a message asks for a resync, as at the end of a migration.
 */

/* DDL makes resyncs of batches: it comes for a third of the time, so that batches come as well. */
#define DDL_SPELL_MS 700

static const char tables[] =
    "DROP SCHEMA IF EXISTS m CASCADE; DROP SCHEMA IF EXISTS m2 CASCADE;"
    "CREATE SCHEMA m; CREATE SCHEMA m2;"
    "CREATE TABLE m.ev (id int, v int) PARTITION BY RANGE (id);"
    "CREATE TABLE m.par (id int, v int); CREATE TABLE m.kid () INHERITS (m.par);"
    "CREATE TABLE m.a (id int, v int); CREATE TABLE m.b (id int, v int);"
    "CREATE TABLE m.j (writer int, n int); CREATE TABLE m.unrelated (n int)";

void make_tables(PGconn *conn)
{
    char text[200];

    PQclear(PQexec(conn, "SET client_min_messages = error"));
    PQclear(PQexec(conn, tables));
    for (int i = 0; i < SLOTS / 2; i++) {
        snprintf(text, sizeof(text),
                 "CREATE TABLE m.ev_%d PARTITION OF m.ev FOR VALUES FROM (%d) TO (%d)", i, i * 1000,
                 (i + 1) * 1000);
        PQclear(PQexec(conn, text));
    }
    for (int i = SLOTS / 2; i < SLOTS; i++) {
        snprintf(text, sizeof(text), "CREATE TABLE m.stage_%d (id int, v int)", i);
        PQclear(PQexec(conn, text));
    }
}

/* One transaction's statements; %d of each: where needed, the slot and numbers in it. */
static void dml(struct random *random, char *sql, size_t size)
{
    static const char *const names[] = {"m.ev", "m.par",     "m.kid",     "m.a",    "m.b",
                                        "m.a",  "m.stage_3", "m.stage_4", "m.ev_1", "m.unrelated"};
    const char *name = names[random_below(random, 10)];
    int slot = (int)random_below(random, SLOTS), v = (int)random_below(random, 1000);

    if (strcmp(name, "m.unrelated") == 0) {
        snprintf(sql, size, "INSERT INTO m.unrelated VALUES (%d)", v);
        return;
    }
    switch (random_below(random, 6)) {
    case 0:
        snprintf(sql, size, "UPDATE %s SET v = v + 1 WHERE id %% 7 = %d", name, v % 7);
        break;
    case 1:
        snprintf(sql, size, "DELETE FROM %s WHERE id %% 5 = %d", name, v % 5);
        break;
    case 2:
        snprintf(sql, size, random_one_in(random, 4) ? "TRUNCATE %s" : "DELETE FROM %s", name);
        break;
    default:
        if (strcmp(name, "m.ev_1") == 0) {
            slot = 1;
        }
        snprintf(sql, size, "INSERT INTO %s SELECT %d + i, %d FROM generate_series(0, %u) i", name,
                 slot * 1000 + v, v, random_below(random, 5));
        break;
    }
}

/* DDL, such that a change of rows that is to be reported goes with it, or a message. */
static void ddl(struct random *random, char *sql, size_t size)
{
    int slot = (int)random_below(random, SLOTS), from = slot * 1000, to = from + 1000;

    switch (random_below(random, 17)) {
    case 0: /* a partition is written, and its name given to another table */
        snprintf(sql, size,
                 "INSERT INTO m.ev VALUES (%d, 1); ALTER TABLE m.ev_%d RENAME TO old_%d;"
                 "CREATE TABLE m.ev_%d (id int, v int)",
                 from + 1, slot, slot, slot);
        break;
    case 1: /* … and back */
        snprintf(sql, size,
                 "DROP TABLE m.ev_%d; INSERT INTO m.ev VALUES (%d, 2);"
                 "ALTER TABLE m.old_%d RENAME TO ev_%d",
                 slot, from + 2, slot, slot);
        break;
    case 2:
        snprintf(sql, size,
                 "DROP TABLE m.ev_%d; ALTER TABLE m.old_%d RENAME TO ev_%d;"
                 "INSERT INTO m.ev VALUES (%d, 2)",
                 slot, slot, slot, from + 2);
        break;
    case 3: /* rebuilt under another name */
        snprintf(sql, size,
                 "CREATE TABLE m.a_new (id int, v int); INSERT INTO m.a_new SELECT i, %d"
                 " FROM generate_series(1, 3) i; DROP TABLE m.a; ALTER TABLE m.a_new RENAME TO a",
                 slot);
        break;
    case 4:
        snprintf(sql, size,
                 "CREATE TABLE m2.a (id int, v int); INSERT INTO m2.a VALUES (%d, 9);"
                 "DROP TABLE m.a; ALTER TABLE m2.a SET SCHEMA m",
                 slot);
        break;
    case 5: /* written under another name */
        snprintf(sql, size,
                 "ALTER TABLE m.a RENAME TO c; INSERT INTO m.c VALUES (%d, 3);"
                 "ALTER TABLE m.c RENAME TO a",
                 slot);
        break;
    case 6: /* swapped, written, swapped back */
        snprintf(sql, size,
                 "ALTER TABLE m.a RENAME TO c; ALTER TABLE m.b RENAME TO a;"
                 "ALTER TABLE m.c RENAME TO b; INSERT INTO m.%s VALUES (%d, 4);"
                 "ALTER TABLE m.b RENAME TO c; ALTER TABLE m.a RENAME TO b;"
                 "ALTER TABLE m.c RENAME TO a",
                 random_one_in(random, 2) ? "a" : "b", slot);
        break;
    case 7: /* swapped, and both written */
        snprintf(sql, size,
                 "ALTER TABLE m.a RENAME TO c; ALTER TABLE m.b RENAME TO a;"
                 "ALTER TABLE m.c RENAME TO b; INSERT INTO m.a VALUES (%d, 5);"
                 "INSERT INTO m.b VALUES (%d, 6)",
                 slot, slot);
        break;
    case 8: /* attached, and written through the root */
        snprintf(sql, size,
                 "ALTER TABLE m.ev ATTACH PARTITION m.stage_%d FOR VALUES FROM (%d) TO (%d);"
                 "INSERT INTO m.ev VALUES (%d, 7)",
                 slot, from, to, from + 7);
        break;
    case 9:
        snprintf(sql, size,
                 "ALTER TABLE m.ev ATTACH PARTITION m.stage_%d FOR VALUES FROM (%d) TO (%d);"
                 "INSERT INTO m.ev VALUES (%d, 8); ALTER TABLE m.stage_%d RENAME TO ev_%d",
                 slot, from, to, from + 8, slot, slot);
        break;
    case 10:
        snprintf(sql, size,
                 "DROP TABLE m.stage_%d; CREATE TABLE m.stage_%d PARTITION OF m.ev"
                 " FOR VALUES FROM (%d) TO (%d); INSERT INTO m.ev VALUES (%d, 9);"
                 "ALTER TABLE m.stage_%d RENAME TO ev_%d",
                 slot, slot, from, to, from + 9, slot, slot);
        break;
    case 11: /* detached: DDL alone takes its rows away */
        snprintf(sql, size,
                 "ALTER TABLE m.ev DETACH PARTITION m.ev_%d; DROP TABLE IF EXISTS m.stage_%d;"
                 "ALTER TABLE m.ev_%d RENAME TO stage_%d; " MESSAGE,
                 slot, slot, slot, slot);
        break;
    case 12:
        snprintf(sql, size, "DROP TABLE m.ev_%d; CREATE TABLE m.stage_%d (id int, v int); " MESSAGE,
                 slot, slot);
        break;
    case 13: /* a child more */
        snprintf(sql, size,
                 "CREATE TABLE m.kid_%d (id int, v int); ALTER TABLE m.kid_%d INHERIT m.par;"
                 "INSERT INTO m.kid_%d VALUES (%d, 1)",
                 slot, slot, slot, slot);
        break;
    case 14:
        snprintf(sql, size,
                 "INSERT INTO m.kid_%d VALUES (%d, 1); ALTER TABLE m.kid_%d RENAME TO kid_x%d;"
                 "CREATE TABLE m.kid_%d (id int, v int)",
                 slot, slot, slot, slot, slot);
        break;
    case 15:
        snprintf(sql, size,
                 "DROP TABLE m.kid_%d; ALTER TABLE IF EXISTS m.kid_x%d NO INHERIT m.par;"
                 "DROP TABLE IF EXISTS m.kid_x%d; " MESSAGE,
                 slot, slot, slot);
        break;
    default: /* what is neither renamed nor moved */
        snprintf(sql, size,
                 "ALTER TABLE m.a ADD COLUMN x%d int; INSERT INTO m.a (id, v) VALUES (%d, 1);"
                 "ALTER TABLE m.a DROP COLUMN x%d",
                 slot, slot, slot);
        break;
    }
}

static bool run(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    bool ok =
        PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK;

    PQclear(result);
    return ok;
}

/* Ends the transaction: mostly by COMMIT. */
static void end(PGconn *conn, struct random *random, int number, unsigned n)
{
    char text[200];

    if (random_one_in(random, 12)) {
        run(conn, "ROLLBACK");
    } else if (random_one_in(random, 6)) {
        snprintf(text, sizeof(text), "PREPARE TRANSACTION 'w%d_%u'", number, n);
        if (run(conn, text)) {
            pause_ms(random_below(random, 60));
            snprintf(text, sizeof(text), "%s PREPARED 'w%d_%u'",
                     random_one_in(random, 5) ? "ROLLBACK" : "COMMIT", number, n);
            run(conn, text);
        } else {
            run(conn, "ROLLBACK");
        }
    } else {
        run(conn, "COMMIT");
    }
}

/* A transaction of one to three parts, some in savepoints that may be rolled back. */
static void transact(struct shared *shared, PGconn *conn, struct random *random, int number,
                     unsigned n)
{
    char sql[TEXT_MAX], all[3 * TEXT_MAX];
    unsigned parts = 1 + random_below(random, 3);
    bool spell = now_ms() / DDL_SPELL_MS % 3 == 0;
    bool ok;

    snprintf(all, sizeof(all), "INSERT INTO m.j VALUES (%d, %u)", number, n);
    ok = run(conn, "BEGIN") && run(conn, all);
    for (unsigned i = 0; ok && i < parts; i++) {
        bool savepoint = random_one_in(random, 4);

        if (spell && random_one_in(random, 6)) {
            (shared->keyed ? keyed_ddl : ddl)(random, sql, sizeof(sql));
        } else {
            (shared->keyed ? keyed_dml : dml)(random, sql, sizeof(sql));
        }
        snprintf(all + strlen(all), sizeof(all) - strlen(all), " | %s%.400s", savepoint ? "S " : "",
                 sql);
        if (savepoint) {
            ok = run(conn, "SAVEPOINT s");
            if (!run(conn, sql) || random_one_in(random, 3)) {
                ok = run(conn, "ROLLBACK TO s");
            }
        } else {
            ok = run(conn, sql);
        }
    }
    if (ok) {
        note(shared, "writer %d: %.580s", number, all);
        shared->done++;
        end(conn, random, number, n);
    } else {
        run(conn, "ROLLBACK");
    }
}

static void settle_in(PGconn *conn, int number)
{
    char prepared[100], text[200];

    run(conn, "SET client_min_messages = error");
    run(conn, "SET lock_timeout = '700ms'");
    while (ask(conn, prepared, sizeof(prepared),
               "SELECT gid FROM pg_prepared_xacts WHERE gid LIKE 'w%d\\_%%' LIMIT 1", number) &&
           prepared[0] != '\0') {
        snprintf(text, sizeof(text), "ROLLBACK PREPARED '%s'", prepared);
        run(conn, text);
    }
}

void write_until_stopped(struct shared *shared, const char *conninfo, int number, uint64_t seed)
{
    struct random random = {seed};
    PGconn *conn = connect_to(conninfo);

    for (unsigned n = 1; shared->writing; n++) {
        if (n == 1 || PQstatus(conn) != CONNECTION_OK) {
            settle_in(conn, number);
        }
        run(conn, random_one_in(&random, 3) ? "SET synchronous_commit = local"
                                            : "SET synchronous_commit = on");
        transact(shared, conn, &random, number, n);
        if (random_one_in(&random, 3)) {
            pause_ms(random_below(&random, 40));
        }
    }
    settle_in(conn, number);
    PQfinish(conn);
}
