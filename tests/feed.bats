#!/usr/bin/env bats
#
# What is printed for what happens in the database.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

only_what_came_after_the_connect() {
    sql 'INSERT INTO orders (n) VALUES (1)'
    listen --plugin "$plugin"
    sql 'INSERT INTO items (n) VALUES (1)'
    totals '{"public.items": 1}'
    saw '[reasons, (.[0] | has("events"))] == [["connected"], false]'
    stop
}

@test "the first line is a resync, and what was written before the connect never shows" {
    each_plugin only_what_came_after_the_connect
}

every_kind_of_change() {
    sql 'TRUNCATE orders, items, customers' \
        'INSERT INTO orders (n) SELECT 1 FROM generate_series(1, 10)' \
        'INSERT INTO items (n) SELECT 1 FROM generate_series(1, 10)'
    listen --plugin "$plugin"
    sql 'INSERT INTO customers (n) VALUES (1), (2)' \
        'UPDATE orders SET n = n + 1' 'DELETE FROM items'
    totals '{"public.customers": 2, "public.items": 10, "public.orders": 10}'
    sql 'TRUNCATE orders, customers'
    totals '{"public.customers": 3, "public.items": 10, "public.orders": 11}'
    stop
}

@test "INSERT, UPDATE, DELETE and TRUNCATE are counted by table" {
    each_plugin every_kind_of_change
}

# wal2json says nothing of these; the manual page warns.
@test "tables without a usable replica identity are named all the same" {
    sql 'CREATE TABLE keyless (n int)' \
        'CREATE TABLE nothing (n int PRIMARY KEY)' \
        'ALTER TABLE nothing REPLICA IDENTITY NOTHING' \
        'CREATE TABLE "deferrable" (n int PRIMARY KEY DEFERRABLE)' \
        'CREATE TABLE "full" (n int)' \
        'ALTER TABLE "full" REPLICA IDENTITY FULL'
    for table in keyless nothing deferrable full; do
        sql "INSERT INTO \"$table\" SELECT * FROM generate_series(1, 5)"
    done
    listen
    for table in keyless nothing deferrable full; do
        sql "UPDATE \"$table\" SET n = n + 10" "DELETE FROM \"$table\""
    done
    totals '{"public.deferrable": 10, "public.full": 10, "public.keyless": 10,
        "public.nothing": 10}'
}

one_event() {
    listen --plugin "$plugin"
    sql 'INSERT INTO orders (n) SELECT * FROM generate_series(1, 500)'
    mark
    saw '[changes[] | [.payload, .schema, .table, .count]]
         == [["public.orders", "public", "orders", 500]]'
    stop
}

@test "500 rows in one transaction are one event with count 500" {
    each_plugin one_event
}

silent_rollback() {
    listen --plugin "$plugin"
    sql 'BEGIN; INSERT INTO orders (n) VALUES (1); ROLLBACK' \
        'BEGIN; INSERT INTO items (n) VALUES (1);
         SAVEPOINT s; INSERT INTO items (n) VALUES (2); INSERT INTO customers (n) VALUES (1);
         ROLLBACK TO s; COMMIT'
    totals '{"public.items": 1}'
    stop
}

@test "a rollback is silent, and so is what a savepoint took back" {
    each_plugin silent_rollback
}

@test "a two-phase transaction shows when it is committed, not when prepared" {
    listen --tables 'orders, items, marker'
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'one'" \
        "BEGIN; INSERT INTO items (n) VALUES (1); PREPARE TRANSACTION 'two'" \
        "ROLLBACK PREPARED 'two'"
    totals '{}'
    sql "COMMIT PREPARED 'one'"
    totals '{"public.orders": 1}'
    stop
}

@test "a line has exactly the fields of the contract, compactly" {
    local before after
    listen
    before=$(date +%s.%N)
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
    after=$(date +%s.%N)
    saw "(.[0] | keys - [\"lsn\"]) == [\"reason\", \"type\"]
         and (.[1] | keys - [\"lsn\"]) == [\"events\", \"type\"]
         and (.[1].events[0] | keys)
             == [\"count\", \"first_seen\", \"payload\", \"schema\", \"table\"]
         and (.[1].events[0].first_seen | $before <= . + 0.001 and . <= $after)"
    grep -qE '"first_seen":[0-9]{10}\.[0-9]{6}[,}]' "$out"
    [[ $(tr -cd ' ' <"$out" | wc -c) == 0 ]]
    [[ $(wc -l <"$out") == 2 ]]
}

@test "events of one batch stand in the order of their first arrival" {
    listen
    sql 'BEGIN; INSERT INTO items (n) VALUES (1); INSERT INTO orders (n) VALUES (1);
         INSERT INTO customers (n) VALUES (1); INSERT INTO items (n) VALUES (2); COMMIT'
    mark
    saw '[changes[].payload] == ["public.items", "public.orders", "public.customers"]
         and (changes | map(.first_seen) | . == sort)'
}

@test "a transaction is in one batch, however large, whatever the window" {
    listen --debounce 1us --max-batch-wait 1us
    sql 'BEGIN; INSERT INTO orders (n) SELECT * FROM generate_series(1, 20000);
         INSERT INTO items (n) SELECT * FROM generate_series(1, 20000);
         INSERT INTO orders (n) SELECT * FROM generate_series(1, 20000); COMMIT'
    mark
    saw '[changes[] | [.payload, .count]] == [["public.orders", 40000], ["public.items", 20000]]
         and (.[1].events | length) >= 2'
}

@test "a window stays open while changes keep coming within the debounce" {
    listen --debounce 2s --max-batch-wait 1h
    sql 'DO $$ BEGIN FOR i IN 1..20 LOOP
             INSERT INTO orders (n) VALUES (i); COMMIT; PERFORM pg_sleep(0.15);
         END LOOP; END $$'
    wait_for saw 'length == 2'
    saw 'count("public.orders") == 20'
}

@test "the cap closes a window that the debounce would keep open" {
    listen --debounce 1h --max-batch-wait 300ms
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
    sql 'INSERT INTO items (n) VALUES (1)'
    wait_for saw 'count("public.items") == 1 and length == 3'
}

@test "without a debounce each change that is waited for is a batch of its own" {
    listen --debounce 0
    for i in 1 2 3; do
        sql "INSERT INTO orders (n) VALUES ($i)"
        wait_for saw "count(\"public.orders\") == $i"
    done
    saw '[changes[].count] == [1, 1, 1]'
}

@test "failsafe resyncs come again and again" {
    listen --failsafe 200ms
    wait_for saw 'reasons[0:3] == ["connected", "failsafe", "failsafe"]'
}

@test "more tables than --max-pending become one resync, and the next window is a batch again" {
    listen --max-pending 2
    sql 'BEGIN; INSERT INTO orders (n) VALUES (1); INSERT INTO items (n) VALUES (1);
         INSERT INTO customers (n) VALUES (1); COMMIT'
    wait_for saw 'reasons == ["connected", "overflow"]'
    saw 'changes == []'
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    sql 'BEGIN; INSERT INTO items (n) VALUES (1); INSERT INTO customers (n) VALUES (1); COMMIT'
    wait_for saw 'count("public.items") == 1'
    totals '{"public.customers": 1, "public.items": 1, "public.orders": 1}'
    saw '(reasons | length) == 2'
}

@test "--count ends with status 0 after so many items, the first connected aside" {
    launch --count 2 --debounce 0
    wait_for saw 'length == 1'
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'length == 2'
    sql 'INSERT INTO orders (n) VALUES (1)'
    ends_with 0
    saw 'length == 3 and count("public.orders") == 2'
    wait_for no_slot
}

@test "--count takes a later resync for an item" {
    launch --count 1 --failsafe 100ms
    ends_with 0
    saw 'reasons == ["connected", "failsafe"]'
}

@test "one temporary slot while it listens, and what was read is acknowledged" {
    listen
    is_true "array_agg((temporary, active, database)::text) =
             ARRAY[(true, true, current_database())::text] FROM pg_replication_slots"
    sql 'INSERT INTO orders (n) SELECT * FROM generate_series(1, 1000)'
    all_read
    stop
}

@test "a transaction of another database, or without a watched change, is acknowledged too" {
    listen --tables orders
    PGDATABASE=postgres sql 'CREATE TABLE elsewhere AS SELECT 1'
    sql 'INSERT INTO items (n) VALUES (1)' 'CREATE TABLE ddl (n int)'
    all_read
    [[ $(wc -l <"$out") == 1 ]]
}
