#!/usr/bin/env bats
#
# --publication: the same items from pgoutput; what is no longer published is found.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

@test "rows, messages and TRUNCATE, with names that have to be quoted" {
    sql 'CREATE SCHEMA "S ""x"; CREATE TABLE "S ""x"."t, y" (id int PRIMARY KEY)' \
        "CREATE PUBLICATION \"p \"\"q\" FOR TABLE \"S \"\"x\".\"t, y\", orders, marker" \
        'CREATE PUBLICATION "p,r" FOR TABLE items'
    listen --publication 'p "q' --publication p,r
    sql 'INSERT INTO "S ""x"."t, y" VALUES (1), (2); UPDATE "S ""x"."t, y" SET id = 3 WHERE id = 1;
         DELETE FROM "S ""x"."t, y"; INSERT INTO items (n) VALUES (1); INSERT INTO customers (n) VALUES (1)'
    totals '{"S \"x.t, y": 5, "public.items": 1}'
    sql 'TRUNCATE "S ""x"."t, y", orders'
    totals '{"S \"x.t, y": 6, "public.items": 1, "public.orders": 1}'
    if is_true "current_setting('server_version_num')::int >= 140000"; then
        sql "SELECT pg_logical_emit_message(true, 'pgnudge', 'public.customers')" \
            "SELECT pg_logical_emit_message(false, 'other', 'public.customers')"
        totals '{"S \"x.t, y": 6, "public.items": 1, "public.orders": 1, "public.customers": 1}'
        sql "SELECT pg_logical_emit_message(true, 'pgnudge', '')"
        wait_for saw 'reasons == ["connected", "requested"]'
    fi
    stop
}

@test "rolled back, savepoints, two-phase, many rows, many columns" {
    sql "DO \$\$ BEGIN EXECUTE 'CREATE TABLE wide (' || (SELECT string_agg(format('%I int',
            repeat('c', 55) || i), ', ') FROM generate_series(1, 1500) i) || ', id int PRIMARY KEY)'; END \$\$" \
        'CREATE PUBLICATION p FOR ALL TABLES'
    listen --publication p
    sql 'INSERT INTO wide (id) VALUES (1), (2); UPDATE wide SET id = id + 10' \
        'BEGIN; INSERT INTO orders (n) VALUES (1); ROLLBACK' \
        'BEGIN; INSERT INTO orders (n) VALUES (1); SAVEPOINT s; INSERT INTO items (n) VALUES (1);
         ROLLBACK TO s; COMMIT' \
        "BEGIN; INSERT INTO customers (n) SELECT 1 FROM generate_series(1, 1000); PREPARE TRANSACTION 'p'" \
        "COMMIT PREPARED 'p'"
    totals '{"public.wide": 4, "public.orders": 1, "public.customers": 1000}'
    stop
}

# uncovered SQL: which the next look at the publication finds. Nothing is printed before it is undone.
uncovered() {
    local before
    before=$(failures)
    sql "$1"
    wait_for said "$2"
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for more_failures "$before"
    saw "reasons == $3"
}

failures() {
    grep -c '5 attempts in a row failed' "$err" || true
}

more_failures() {
    (($(failures) > $1))
}

@test "a publication that loses a table, an action or itself: nothing is printed until it is right again" {
    sql 'CREATE PUBLICATION p FOR TABLE orders, marker'
    listen --publication p --tables public.orders,public.marker --status-interval 200ms --backoff 20ms,50ms
    uncovered 'ALTER PUBLICATION p DROP TABLE orders' 'table public.orders is not in publication p' '["connected"]'
    sql 'ALTER PUBLICATION p ADD TABLE orders'
    wait_for saw 'reasons == ["connected", "reconnected"]'
    mark
    uncovered "ALTER PUBLICATION p SET (publish = 'insert')" 'does not publish UPDATE' \
        '["connected", "reconnected"]'
    sql "ALTER PUBLICATION p SET (publish = 'insert, update, delete, truncate')"
    wait_for saw 'reasons == ["connected", "reconnected", "reconnected"]'
    mark
    uncovered 'DROP PUBLICATION p' 'publication p does not exist' '["connected", "reconnected", "reconnected"]'
    sql 'CREATE PUBLICATION p FOR TABLE orders, marker'
    wait_for saw 'reasons == ["connected", "reconnected", "reconnected", "reconnected"]'
    mark
    stop
}

@test "a change of the publication that takes nothing away is a reconnect too" {
    sql 'CREATE PUBLICATION p FOR TABLE orders, marker'
    listen --publication p --status-interval 200ms --backoff 20ms,50ms
    sql 'ALTER PUBLICATION p ADD TABLE items'
    wait_for saw 'reasons == ["connected", "reconnected"]'
    sql 'INSERT INTO items (n) VALUES (1)'
    totals '{"public.items": 1}'
    stop
}

@test "partitions and children that come later" {
    sql 'CREATE TABLE root (id int PRIMARY KEY) PARTITION BY RANGE (id)' 'CREATE TABLE par (id int PRIMARY KEY)' \
        'CREATE PUBLICATION p FOR TABLE root, par, marker'
    listen --publication p --tables public.root,public.par,public.marker --status-interval 200ms --backoff 20ms,50ms
    sql 'CREATE TABLE leaf PARTITION OF root FOR VALUES FROM (0) TO (10); INSERT INTO root VALUES (1)'
    totals '{"public.root": 1}' # a partition is published with its root
    sql 'CREATE TABLE kid () INHERITS (par)'
    wait_for said 'table public.kid is not in publication p' # a child is not
    sql 'INSERT INTO kid VALUES (1)' 'ALTER PUBLICATION p ADD TABLE kid'
    wait_for saw 'reasons == ["connected", "reconnected"]'
    stop
}

@test "schemas and all tables publish what is in them" {
    sql 'CREATE PUBLICATION everything FOR ALL TABLES'
    listen --publication everything --tables public.orders,public.items
    stop
    is_true "current_setting('server_version_num')::int >= 150000" || return 0
    sql 'CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY)' 'CREATE PUBLICATION p FOR TABLES IN SCHEMA s'
    listen --publication p --tables s.t
    stop
    refused 'table public.orders is not in publication p' --publication p --tables s.t,public.orders
}

@test "what can't be combined, and is given too often" {
    run -2 --separate-stderr pgnudge --publication p --plugin wal2json
    # shellcheck disable=SC2154 # set by "run"
    [[ $stderr == *'not the one of --plugin'* ]]
    run -2 --separate-stderr pgnudge --publication ''
    run -2 --separate-stderr pgnudge --plugin pgoutput
    run -2 --separate-stderr pgnudge --keys --no-visibility-check
    run -2 --separate-stderr pgnudge --keys=0
    run -2 --separate-stderr pgnudge --keys=many
    # shellcheck disable=SC2046 # words
    run -2 --separate-stderr pgnudge $(printf -- '--publication p%d ' {1..17})
    [[ $stderr == *'16 times at most'* ]]
}

@test "the doctor: a publication that suffices, that doesn't, and tables that can't be written" {
    sql 'CREATE PUBLICATION p FOR TABLE orders, marker'
    run pgnudge doctor --publication p --tables public.orders --keys
    [[ $status == 0 && $output == *'ok    publication: 1, with all that is watched'* ]]
    [[ $output == *'warn  publication: table public.marker has no usable replica identity'* ]]
    [[ $output == *'ALTER TABLE public.marker REPLICA IDENTITY FULL'* ]]
    [[ $output == *'ok    keys: the rows of all 1 watched tables have one'* ]]
    [[ $output == *'use   pgoutput: '* ]]
    run pgnudge doctor --publication p --tables public.items
    [[ $status != 0 && $output == *'FAIL  publication: table public.items is not in publication p'* ]]
    [[ $output == *'ALTER PUBLICATION p ADD TABLE public.items.'* && $output != *'FOR ALL TABLES'* ]]
    run pgnudge doctor --publication q
    [[ $status != 0 && $output == *'FAIL  publication: publication q does not exist'* ]]
    run pgnudge doctor
    [[ $status == 0 && $output != *pgoutput* ]]
}

@test "the doctor: which watched table has no keys, and why" {
    sql 'CREATE TABLE a (id int PRIMARY KEY DEFERRABLE)' 'CREATE TABLE b (id regtype PRIMARY KEY)' \
        'CREATE TABLE c (id int PRIMARY KEY) PARTITION BY RANGE (id)' 'CREATE TABLE c1 PARTITION OF c FOR VALUES FROM (0) TO (9)' \
        'ALTER TABLE c1 REPLICA IDENTITY NOTHING'
    run pgnudge doctor --keys --exclude public.marker
    [[ $output == *'warn  table public.a: no keys: its replica identity does not hold the key'* ]]
    [[ $output == *'warn  table public.b: no keys: the key has names in it'* ]]
    [[ $output == *'warn  table public.c1: no keys: its replica identity does not hold the key'* ]]
    [[ $output != *'public.orders: no keys'* && $output != *'public.marker: no keys'* ]]
    run pgnudge doctor --keys --tables public.marker
    [[ $output == *'warn  table public.marker: no keys: it has no primary key'* ]]
}
