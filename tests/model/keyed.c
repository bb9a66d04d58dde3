/*
 * The same for --keys: the follower keeps a row for each key, and refetches single ones. What it keeps
 * is in tables of its own (schema c, unlogged, so that pgnudge hears nothing of it), what it does with
 * a line in a function there.
 *
 * m.k: an ordinary table, of which DDL makes another column the key; m.kp: partitioned, its leaves with
 * other orders of columns; m.ke: a key of two columns, one an enum.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

/* A row for certain: DDL itself is not reported. */
#define ONE_MORE                                                                                   \
    "INSERT INTO m.k (id, u, v) SELECT 1000000 + r, 1000000000 + r, 1"                             \
    " FROM (SELECT (random() * 100000000)::int) x(r)"

static const char tables[] =
    "CREATE TYPE m.mood AS ENUM ('a', 'b', 'c');"
    "CREATE TABLE m.k (pad text, id int CONSTRAINT k_key PRIMARY KEY,"
    " u int NOT NULL CONSTRAINT k_other UNIQUE, v int);"
    "CREATE TABLE m.kp (id int, v int, pad text, CONSTRAINT kp_key PRIMARY KEY (id))"
    " PARTITION BY RANGE (id);"
    "CREATE TABLE m.kp_0 PARTITION OF m.kp FOR VALUES FROM (0) TO (1000);"
    "CREATE TABLE m.kp_1 (pad text, gone int, v int, id int NOT NULL);"
    "ALTER TABLE m.kp_1 DROP gone;"
    "ALTER TABLE m.kp ATTACH PARTITION m.kp_1 FOR VALUES FROM (1000) TO (2000);"
    "CREATE TABLE m.kp_2 (v int, id int NOT NULL PRIMARY KEY, pad text);"
    "ALTER TABLE m.kp ATTACH PARTITION m.kp_2 FOR VALUES FROM (2000) TO (3000);"
    "CREATE TABLE m.ke (n int, m m.mood, v int, CONSTRAINT ke_key PRIMARY KEY (m, n))";

static const char functions[] =
    "DROP SCHEMA IF EXISTS c CASCADE; CREATE SCHEMA c;"
    "CREATE UNLOGGED TABLE c.kept (tab text, key text, row text, PRIMARY KEY (tab, key));"
    /* The columns of a table's key, as JSON. */
    "CREATE FUNCTION c.columns(tab text) RETURNS jsonb LANGUAGE sql AS $$"
    " SELECT jsonb_agg(a.attname ORDER BY u.o) FROM pg_index i"
    " CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY u(n, o)"
    " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.n"
    " WHERE i.indrelid = to_regclass(tab) AND i.indisprimary $$;"
    /* A row's key as text, for a query over the table t. */
    "CREATE FUNCTION c.expression(columns jsonb) RETURNS text LANGUAGE sql AS $$"
    " SELECT 'jsonb_build_array(' || string_agg(format('t.%I::text', n), ', ' ORDER BY o) || "
    "')::text'"
    " FROM jsonb_array_elements_text(columns) WITH ORDINALITY x(n, o) $$;"
    "CREATE FUNCTION c.reload(name text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN"
    " DELETE FROM c.kept WHERE tab = name;"
    " EXECUTE format('INSERT INTO c.kept SELECT %L, %s, t::text FROM %s t', name,"
    " coalesce(c.expression(c.columns(name)), '''all'''), name);"
    " EXCEPTION WHEN undefined_column OR undefined_table OR unique_violation THEN"
    " PERFORM c.reload(name); END $$;"
    /* Single rows: what is there is kept, what isn't is dropped. By columns that are the key no longer:
     * what they were is dropped, and whatever else it means has to come by itself. */
    "CREATE FUNCTION c.refetch(name text, columns jsonb, keys jsonb) RETURNS void LANGUAGE plpgsql "
    "AS $$"
    " DECLARE told text[] := ARRAY(SELECT k::text FROM jsonb_array_elements(keys) k); BEGIN"
    " IF columns IS DISTINCT FROM c.columns(name) THEN RETURN; END IF;"
    " DELETE FROM c.kept WHERE tab = name AND key = ANY (told);"
    " EXECUTE format('INSERT INTO c.kept SELECT %L, %s, t::text FROM %s t WHERE %2$s = ANY ($1)', "
    "name,"
    " c.expression(columns), name) USING told;"
    " EXCEPTION WHEN undefined_column OR undefined_table OR unique_violation THEN"
    " PERFORM c.refetch(name, columns, keys); END $$;"
    "CREATE FUNCTION c.take(line jsonb) RETURNS int LANGUAGE plpgsql AS $$ DECLARE e jsonb; keyed "
    "int := 0;"
    " BEGIN IF line->>'type' = 'resync' THEN"
    " PERFORM c.reload(n) FROM unnest('{m.k,m.kp,m.ke}'::text[]) n; RETURN 0; END IF;"
    " FOR e IN SELECT * FROM jsonb_array_elements(line->'events') LOOP"
    " IF e ? 'keys' THEN keyed := keyed + 1; PERFORM c.refetch(e->>'payload', e->'key', e->'keys');"
    " ELSIF e->>'payload' <> 'm.j' THEN PERFORM c.reload(e->>'payload'); END IF; END LOOP;"
    " RETURN keyed; END $$;"
    /* The first difference, or nothing. */
    "CREATE FUNCTION c.wrong() RETURNS text LANGUAGE plpgsql AS $$ DECLARE n text; r text; BEGIN"
    " FOREACH n IN ARRAY '{m.k,m.kp,m.ke}'::text[] LOOP"
    " EXECUTE format('SELECT %L || x::text FROM ((SELECT ''missing '', %s, t::text FROM %s t EXCEPT"
    " SELECT ''missing '', key, row FROM c.kept WHERE tab = %1$L) UNION ALL (SELECT ''kept '', "
    "key, row"
    " FROM c.kept WHERE tab = %1$L EXCEPT SELECT ''kept '', %2$s, t::text FROM %3$s t)) x LIMIT "
    "1', n,"
    " c.expression(c.columns(n)), n) INTO r; IF r IS NOT NULL THEN RETURN r; END IF;"
    " END LOOP; RETURN NULL; END $$";

void make_keyed_tables(PGconn *conn)
{
    PQclear(PQexec(conn, tables));
    PQclear(PQexec(conn, functions));
    if (PQtransactionStatus(conn) != PQTRANS_IDLE) {
        fail("%s", PQerrorMessage(conn));
    }
}

void keyed_dml(struct random *random, char *sql, size_t size)
{
    static const char *const names[] = {"m.k", "m.kp", "m.ke", "m.k", "m.kp", "m.unrelated"};
    const char *name = names[random_below(random, 6)];
    unsigned v = random_below(random, 3000) / 10 * 10, part = random_below(random, 7);

    if (strcmp(name, "m.unrelated") == 0) {
        snprintf(sql, size, "INSERT INTO m.unrelated VALUES (%u)", v);
    } else if (random_one_in(random, 3)) {
        if (strcmp(name, "m.ke") == 0) {
            snprintf(sql, size,
                     "INSERT INTO m.ke SELECT i, (enum_range(NULL::m.mood))[1 + i %% 3], %u"
                     " FROM generate_series(%u, %u) i ON CONFLICT DO NOTHING",
                     part, v, v + part);
        } else {
            snprintf(sql, size,
                     "INSERT INTO %s (id, v%s) SELECT i, %u%s FROM generate_series(%u, %u) i"
                     " WHERE i < 3000 ON CONFLICT DO NOTHING",
                     name, name[3] == '\0' ? ", u" : "", part, name[3] == '\0' ? ", 10000 + i" : "",
                     v, v + part);
        }
    } else if (random_one_in(random, 3)) { /* the key changes, or the partition */
        snprintf(sql, size, "UPDATE %s SET %s WHERE %s %% 7 = %u AND v > 0", name,
                 strcmp(name, "m.ke") == 0   ? "m = 'b', n = n + 5000"
                 : strcmp(name, "m.kp") == 0 ? "id = (id + 1007) % 3000"
                                             : "id = id + 20000, u = u + 1000000",
                 strcmp(name, "m.ke") == 0 ? "n" : "id", part);
    } else if (random_one_in(random, 4)) {
        snprintf(sql, size, random_one_in(random, 5) ? "TRUNCATE %s" : "DELETE FROM %s WHERE v < 3",
                 name);
    } else {
        snprintf(sql, size, "UPDATE %s SET v = v + 1 WHERE %s %% 7 = %u", name,
                 strcmp(name, "m.ke") == 0 ? "n" : "id", part);
    }
}

void keyed_ddl(struct random *random, char *sql, size_t size)
{
    unsigned v = random_below(random, 3000) / 10 * 10, part = random_below(random, 7);

    switch (random_below(random, 10)) {
    case 0: /* a key changes without a trace in the stream */
        snprintf(sql, size,
                 "ALTER TABLE m.k REPLICA IDENTITY NOTHING; UPDATE m.k SET id = id + 40000,"
                 " u = u + 2000000 WHERE id %% 7 = %u; ALTER TABLE m.k REPLICA IDENTITY DEFAULT",
                 part);
        break;
    case 1: /* another key */
    case 2:
        snprintf(
            sql, size,
            "ALTER TABLE m.k DROP CONSTRAINT k_key, DROP CONSTRAINT k_other,"
            " ADD CONSTRAINT k_key PRIMARY KEY (%s), ADD CONSTRAINT k_other UNIQUE (%s);" ONE_MORE,
            v % 20 == 0 ? "u" : "id", v % 20 == 0 ? "id" : "u");
        break;
    case 3: /* the columns change names */
        snprintf(
            sql, size,
            "ALTER TABLE m.k RENAME id TO x; ALTER TABLE m.k RENAME u TO id;"
            "ALTER TABLE m.k RENAME x TO u; UPDATE m.k SET v = v + 1 WHERE id %% 7 = %u; " ONE_MORE,
            part);
        break;
    case 4:
        snprintf(
            sql, size,
            "ALTER TABLE m.k REPLICA IDENTITY %s; UPDATE m.k SET id = id + 50000, u = u + 3000000"
            " WHERE id %% 7 = %u; ALTER TABLE m.k REPLICA IDENTITY DEFAULT",
            v % 20 == 0 ? "FULL" : "USING INDEX k_other", part);
        break;
    case 5: /* the texts of keys change */
        snprintf(sql, size,
                 "ALTER TYPE m.mood RENAME VALUE 'a' TO 'x'; DELETE FROM m.ke WHERE n %% 7 = %u;"
                 "ALTER TYPE m.mood RENAME VALUE 'x' TO 'a'",
                 part);
        break;
    case 6:
        snprintf(sql, size,
                 "ALTER TABLE m.kp_1 REPLICA IDENTITY %s; UPDATE m.kp SET id = (id + 1) %% 3000"
                 " WHERE id %% 10 = %u; ALTER TABLE m.kp_1 REPLICA IDENTITY DEFAULT",
                 v % 20 == 0 ? "FULL" : "NOTHING", part);
        break;
    case 7:
        snprintf(
            sql, size,
            "ALTER TABLE m.k ADD x int; UPDATE m.k SET v = 1 WHERE id %% 7 = %u; ALTER TABLE m.k"
            " DROP x; " ONE_MORE,
            part);
        break;
    case 8: /* the tables change names */
        snprintf(
            sql, size,
            "ALTER TABLE m.k RENAME TO k_old; CREATE TABLE m.k (pad text, id int, u int NOT NULL,"
            " v int); INSERT INTO m.k SELECT * FROM m.k_old WHERE id %% 2 = 0; DROP TABLE m.k_old;"
            "ALTER TABLE m.k ADD CONSTRAINT k_key PRIMARY KEY (id), ADD CONSTRAINT k_other UNIQUE "
            "(u); " ONE_MORE);
        break;
    default:
        snprintf(sql, size, "GRANT SELECT ON m.k, m.kp TO PUBLIC");
        break;
    }
}

/* How many of its events had keys. */
static unsigned keyed_events;

void keyed_take(PGconn *conn, const char *line)
{
    char *literal = PQescapeLiteral(conn, line, strlen(line));
    size_t size = strlen(literal) + 40;
    char keyed[32], *sql = malloc(size);

    if (sql == NULL) {
        fail("no memory");
    }
    snprintf(sql, size, "SELECT c.take(%s)", literal);
    while (!ask_text(conn, keyed, sizeof(keyed), sql)) {
        /* It looks at several tables, and DDL locks them in other orders: either may be ended. */
        if (strstr(PQerrorMessage(conn), "deadlock detected") == NULL) {
            fail("the follower could not take a line: %s", PQerrorMessage(conn));
        }
    }
    keyed_events += (unsigned)atoi(keyed);
    PQfreemem(literal);
    free(sql);
}

unsigned keyed_so_far(void)
{
    return keyed_events;
}

bool keyed_is_right(PGconn *conn, char wrong[TEXT_MAX])
{
    return ask_text(conn, wrong, TEXT_MAX, "SELECT c.wrong()") && wrong[0] == '\0';
}
