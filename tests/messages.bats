#!/usr/bin/env bats
#
# Asked for by SQL: pg_logical_emit_message with the prefix "pgnudge". Each holds with both plugins.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# emit TRANSACTIONAL CONTENT [PREFIX]
emit() {
    sql "SELECT pg_logical_emit_message($1, '${3:-pgnudge}', '${2//\'/\'\'}')" >/dev/null
}

# requested N: so many resyncs have been asked for.
requested() {
    saw "[reasons[] | select(. == \"requested\")] | length == $1"
}

empty() {
    listen --plugin "$plugin" "$@"
    emit true ''
    wait_for requested 1
    emit false ''
    wait_for requested 2
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    saw 'reasons == ["connected", "requested", "requested"]'
    saw 'all(.[]; .lsn | test("^[0-9A-F]+/[0-9A-F]+$"))'
    run ! said warning
    stop
}

@test "an empty message asks for a resync" {
    each_plugin empty
    each_plugin empty --tables public.orders,public.marker # wal2json has these filtered in the server
    each_plugin empty --no-visibility-check
}

naming() {
    listen --plugin "$plugin" "$@"
    emit true public.orders
    emit false public.items
    emit true ' "public" . customers '
    emit true 'odd."A.b ""c"", *"'
    totals '{"public.orders": 1, "public.items": 1, "public.customers": 1,
        "odd.A.b \"c\", *": 1}'
    saw 'reasons == ["connected"]'
    saw 'any(changes[]; .schema == "odd" and .table == "A.b \"c\", *")'
    stop
}

@test "a message that names a table nudges it" {
    sql 'CREATE SCHEMA odd' 'CREATE TABLE odd."A.b ""c"", *" (n int)'
    each_plugin naming
    each_plugin naming --no-visibility-check
}

report() {
    listen --plugin "$plugin" "$@"
    sql 'REFRESH MATERIALIZED VIEW report' \
        "SELECT pg_logical_emit_message(true, 'pgnudge', 'public.report')" >/dev/null
    totals '{"public.report": 1}'
    stop
}

@test "a materialized view can be nudged after its REFRESH" {
    sql 'CREATE MATERIALIZED VIEW report AS SELECT 1'
    each_plugin report
    each_plugin report --tables public.report,public.marker
}

nowhere() {
    listen --plugin "$plugin" "$@"
    emit true 'cache.Prices'
    totals '{"cache.Prices": 1}'
    saw 'reasons == ["connected"]'
    stop
}

@test "the name need not be one of a table" {
    each_plugin nowhere
    each_plugin nowhere --partitions leaf
    each_plugin nowhere --tables 'cache.*,marker'
}

filtered() {
    listen --plugin "$plugin" --tables 'public.*' --exclude items
    emit true public.orders
    emit true public.items
    emit false public.items
    emit true elsewhere.orders
    emit true public.orders
    totals '{"public.orders": 2}'
    stop
    listen --plugin "$plugin" --tables public.orders,public.marker
    emit true public.items
    emit true public.orders
    emit true PUBLIC.orders
    totals '{"public.orders": 1}'
    stop
}

@test "filters apply to the names in messages" {
    sql 'CREATE SCHEMA elsewhere' 'CREATE TABLE elsewhere.orders (n int)' \
        'CREATE SCHEMA "PUBLIC"' 'CREATE TABLE "PUBLIC".orders (n int)'
    each_plugin filtered
}

below() {
    listen --plugin "$plugin" --tables public.root,public.marker
    emit true public.part
    emit true public.root
    totals '{"public.root": 2}'
    stop
}

@test "a partition that a message names is named by the watched table above it" {
    sql 'CREATE TABLE root (n int) PARTITION BY LIST (n)' \
        'CREATE TABLE part PARTITION OF root FOR VALUES IN (1)'
    each_plugin below
}

rolled_back() {
    listen --plugin "$plugin"
    sql "BEGIN; SELECT pg_logical_emit_message(true, 'pgnudge', '');
        SELECT pg_logical_emit_message(true, 'pgnudge', 'public.orders'); ROLLBACK" >/dev/null
    sql "BEGIN; SAVEPOINT a; SELECT pg_logical_emit_message(true, 'pgnudge', 'public.orders');
        ROLLBACK TO a; SELECT pg_logical_emit_message(true, 'pgnudge', 'public.items'); COMMIT" >/dev/null
    totals '{"public.items": 1}'
    saw 'reasons == ["connected"]'
    # One that isn't transactional is out at once.
    sql "BEGIN; SELECT pg_logical_emit_message(false, 'pgnudge', 'public.orders'); ROLLBACK" >/dev/null
    totals '{"public.items": 1, "public.orders": 1}'
    stop
}

@test "a message that is rolled back asks for nothing" {
    each_plugin rolled_back
}

other_content() {
    local content n=0
    listen --plugin "$plugin"
    for content in orders public. '*' 'public.*' a.b.c 'public."orders' 'public.orders,public.items' \
        ' ' '{"a": "b\n"}' $'\ttwo\nlines' 'tränen'; do
        echo "content: $content"
        emit "$( ((n % 2)) && echo true || echo false)" "$content"
        n=$((n + 1))
        wait_for requested "$n"
    done
    said 'warning: .*names no table: "orders"'
    said 'detail: .*resync'
    totals '{}'
    stop
}

@test "any other content is a resync, with a warning" {
    each_plugin other_content
}

other_prefix() {
    local prefix
    listen --plugin "$plugin"
    for prefix in pgnudge2 PGNUDGE ' pgnudge' pgnudg p '"pgnudge"'; do
        emit true '' "$prefix"
        emit false public.orders "$prefix"
    done
    sql "SELECT pg_logical_emit_message(true, '', '')" >/dev/null
    totals '{}'
    saw 'reasons == ["connected"]'
    [[ ! -s $err ]]
    stop
}

@test "messages with other prefixes are ignored" {
    each_plugin other_prefix
}

lookalike() {
    listen --plugin "$plugin"
    emit true '' 'pgnudge, sz: 0 content:'
    emit false public.orders 'pgnudge, sz: 13 content:public.items'
    totals '{}'
    saw 'reasons == ["connected"]'
    stop
}

@test "… those too that look like a message" {
    each_plugin lookalike
}

long_content() {
    listen --plugin "$plugin"
    sql "SELECT pg_logical_emit_message(true, 'pgnudge', repeat('public.orders', 80000))" >/dev/null
    wait_for requested 1
    sql "SELECT pg_logical_emit_message(false, 'pgnudge', repeat(E'\\n\"', 500000))" >/dev/null
    wait_for requested 2
    sql "SELECT pg_logical_emit_message(true, 'pgnudge', 'public.' || repeat('x', 1000000))" >/dev/null
    wait_for requested 3
    # Not pgnudge's: passed over.
    sql "SELECT pg_logical_emit_message(true, 'other', repeat(E'\\n\"', 500000))" >/dev/null
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    (($(wc -c <"$err") < 10000))
    stop
}

@test "a message of 1 MB is a resync" {
    each_plugin long_content
}

beside_changes() {
    listen --plugin "$plugin" "$@"
    sql "BEGIN; INSERT INTO orders (n) VALUES (1);
        SELECT pg_logical_emit_message(true, 'pgnudge', 'public.items');
        INSERT INTO orders (n) VALUES (2);
        SELECT pg_logical_emit_message(true, 'pgnudge', 'public.orders'); COMMIT" >/dev/null
    totals '{"public.orders": 3, "public.items": 1}'
    saw 'any(.[]; [.events[]? | select(.table != "marker") | .payload]
        == ["public.orders", "public.items"])'
    sql "BEGIN; INSERT INTO orders (n) VALUES (1);
        SELECT pg_logical_emit_message(true, 'pgnudge', ''); INSERT INTO items (n) VALUES (1);
        COMMIT" >/dev/null
    wait_for requested 1
    totals '{"public.orders": 3, "public.items": 1}' # the resync stands for the rest
    stop
}

@test "a message and changes in one transaction are one item" {
    each_plugin beside_changes
    each_plugin beside_changes --tables public.orders,public.items,public.marker
}

binary() {
    listen --plugin "$plugin"
    sql "SELECT pg_logical_emit_message(true, 'pgnudge', '\\xff00fe'::bytea)" >/dev/null
    wait_for requested 1
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    stop
}

@test "a content that is no text is a resync too" {
    each_plugin binary
}

# made_up NUMBER: by a role that may do nothing but log in, so many names of tables that aren't there
made_up() {
    sql 'SET ROLE anyone' "DO \$\$ BEGIN FOR n IN 1 .. $1 LOOP
        PERFORM pg_logical_emit_message(n % 2 = 0, 'pgnudge', 'public.made_up' || n);
        IF n % 100 = 0 THEN COMMIT; END IF; END LOOP; END \$\$"
}

flooded() {
    listen --plugin "$plugin"
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    made_up 60000
    wait_for saw 'any(reasons[]; . == "overflow")'
    sql 'INSERT INTO items (n) VALUES (1)'
    wait_for saw 'any(.[2:][]; .type == "resync" or any(.events[]; .table == "items"))'
    made_up 1000000 3>&- &
    wait_for is_true "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'DO%' AND state = 'active')"
    stop # within its time, in the middle of it
    sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO%'" >/dev/null
    wait "$!" || true
}

@test "a role that may only log in floods it with names: resyncs, and no signal waits" {
    sql 'CREATE ROLE anyone LOGIN'
    each_plugin flooded
}
