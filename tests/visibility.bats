#!/usr/bin/env bats
#
# Nothing is printed before it can be seen, and the server never waits for pgnudge nor counts on it.
# A COMMIT that waits for a synchronous standby is flushed, so the stream has it, and can't be seen.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

setup_file() {
    start_server
    allow_standbys
}

teardown() {
    # First: a COMMIT that waits doesn't notice that its client is gone.
    sql 'SET synchronous_commit = local' 'ALTER SYSTEM RESET ALL' 'ALTER ROLE pgnudge RESET ALL' \
        'ALTER ROLE pgnudge CONNECTION LIMIT -1' 'SELECT pg_reload_conf()' >/dev/null || true
    sql 'SELECT gid FROM pg_prepared_xacts WHERE database = current_database()' |
        while IFS= read -r gid; do sql "ROLLBACK PREPARED '$gid'" </dev/null || true; done
    common_teardown
}

# --- COMMITs that wait ---

# stalled NUMBER: so many COMMITs wait for a standby.
stalled() {
    is_true "count(*) = $1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
}

# stalled_for INTERVAL: one does, for that long.
stalled_for() {
    is_true "EXISTS (SELECT FROM pg_stat_activity
                     WHERE wait_event = 'SyncRep' AND clock_timestamp() - query_start > '$1')"
}

answered_or_stalled() {
    answered "$1" || stalled 1
}

# stall [NAMES]: from now on a COMMIT waits. (The checkpointer turns that on, a little later.)
stall() {
    configure synchronous_standby_names "${1:-nobody}"
    session probe
    while
        tell probe "SELECT pg_logical_emit_message(true, 'probe', '')"
        wait_for answered_or_stalled probe
        answered probe
    do :; done
    sql "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'" >/dev/null
    wait_for stalled 0
}

release() {
    sql 'ALTER SYSTEM RESET synchronous_standby_names' 'SELECT pg_reload_conf()' >/dev/null
    wait_for stalled 0
}

# commit NAME SQL: in a session of that name, until it waits.
commit() {
    session "$1"
    tell "$1" "$2"
    wait_for stalled "${3:-1}"
}

# --- the visibility connection ---

gate="pg_stat_activity WHERE usename = 'pgnudge' AND backend_type = 'client backend'"

# It is lost, and can't be made: the stream's connection, which is there, is not concerned.
shut_gate() {
    sql 'SET synchronous_commit = local' 'ALTER ROLE pgnudge CONNECTION LIMIT 0' \
        "SELECT pg_terminate_backend(pid) FROM $gate" >/dev/null
    wait_for is_true "count(*) = 0 FROM $gate"
    wait_for said 'warning: the visibility connection was lost: '
}

open_gate() {
    sql 'SET synchronous_commit = local' 'ALTER ROLE pgnudge CONNECTION LIMIT -1'
    wait_for is_true "count(*) = 1 FROM $gate"
}

# Only the stream's connection can be made. Not every release counts a walsender.
only_a_stream() {
    sql 'ALTER ROLE pgnudge CONNECTION LIMIT 0'
    "$SERVER_BIN/psql" -XAtq "host=127.0.0.1 port=$PGPORT user=pgnudge replication=database" \
        -c IDENTIFY_SYSTEM >/dev/null 2>&1 || sql 'ALTER ROLE pgnudge CONNECTION LIMIT 1'
}

# --- batches ---

waits_until_it_can_be_seen() {
    sql 'TRUNCATE orders'
    listen --plugin "$plugin"
    stall
    commit writer 'INSERT INTO orders (n) VALUES (1)'
    all_read # acknowledged meanwhile
    wait_for stalled_for '500 ms'
    is_true 'NOT EXISTS (SELECT FROM orders)'
    [[ $(lines) == 1 ]]
    release
    wait_for saw 'count("public.orders") == 1'
    totals '{"public.orders": 1}'
    saw 'reasons == ["connected"]'
    stop
}

@test "a batch waits until its rows can be seen" {
    each_plugin waits_until_it_can_be_seen
}

comes_too_early() {
    sql 'TRUNCATE orders'
    listen --plugin "$plugin" --no-visibility-check
    stall
    commit writer 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
    stalled 1
    is_true 'NOT EXISTS (SELECT FROM orders)'
    release
    stop
}

@test "--no-visibility-check prints it at once, and keeps no visibility connection" {
    each_plugin comes_too_early
    listen --no-visibility-check
    is_true "count(*) = 0 FROM $gate"
}

@test "what was sealed waits alone: later changes are merged into the next batch" {
    listen
    stall
    commit writer 'INSERT INTO orders (n) VALUES (1)'
    all_read
    wait_for stalled_for '200 ms' # its window has closed
    for _ in {1..5}; do
        sql 'SET synchronous_commit = local' 'INSERT INTO items (n) VALUES (1)'
    done
    commit other 'INSERT INTO customers (n) VALUES (1)' 2
    all_read
    wait_for stalled_for '1 s'
    [[ $(lines) == 1 ]]
    release
    totals '{"public.customers": 1, "public.items": 5, "public.orders": 1}'
    saw '[.[] | select(.events) | [.events[] | select(.table != "marker") | [.table, .count]]
          | select(. != [])] == [[["orders", 1]], [["items", 5], ["customers", 1]]]'
}

@test "while two windows wait the server is asked now and then, not all the time" {
    sql "ALTER ROLE pgnudge SET log_statement = 'all'"
    listen
    stall
    commit writer 'INSERT INTO orders (n) VALUES (1)'
    all_read
    wait_for stalled_for '200 ms'
    commit other 'INSERT INTO items (n) VALUES (1)' 2
    wait_for stalled_for '2 s'
    run -0 grep -c pg_current_snapshot "$SERVER/log"
    echo "asked $output times"
    ((output < 60)) # a busy loop asks thousands of times
    release
    totals '{"public.items": 1, "public.orders": 1}'
}

subtransactions_wait() {
    sql 'TRUNCATE orders, items'
    listen --plugin "$plugin"
    stall
    commit writer 'BEGIN; SAVEPOINT a; INSERT INTO orders (n) VALUES (1); SAVEPOINT b;
        INSERT INTO orders (n) VALUES (2); ROLLBACK TO b; INSERT INTO items (n) VALUES (1);
        RELEASE a; COMMIT'
    sql 'BEGIN; INSERT INTO orders (n) VALUES (1); SAVEPOINT a; INSERT INTO orders (n) VALUES (1); ROLLBACK'
    all_read
    wait_for stalled_for '500 ms'
    [[ $(lines) == 1 ]]
    release
    totals '{"public.items": 1, "public.orders": 1}'
    stop
}

@test "a transaction with subtransactions waits likewise" {
    each_plugin subtransactions_wait
}

commit_prepared_waits() {
    sql 'TRUNCATE orders'
    listen --plugin "$plugin"
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'later'"
    stall
    commit writer "COMMIT PREPARED 'later'"
    all_read
    wait_for stalled_for '500 ms'
    is_true 'NOT EXISTS (SELECT FROM orders)'
    [[ $(lines) == 1 ]]
    release
    totals '{"public.orders": 1}'
    stop
}

@test "a prepared transaction waits from its COMMIT PREPARED on" {
    each_plugin commit_prepared_waits
}

@test "a resync that stands for changes waits for them" {
    listen --max-pending 1
    stall
    commit writer 'BEGIN; INSERT INTO orders (n) VALUES (1); INSERT INTO items (n) VALUES (1); COMMIT'
    all_read
    wait_for stalled_for '500 ms'
    [[ $(lines) == 1 ]]
    release
    wait_for saw 'reasons == ["connected", "overflow"]'
}

@test "more transactions than are kept one by one wait, and are counted exactly" {
    listen --backoff 10ms,100ms
    stall
    commit writer 'INSERT INTO items (n) VALUES (1)'
    shut_gate
    sql 'SET synchronous_commit = local' \
        'DO $$ BEGIN FOR i IN 1..70000 LOOP INSERT INTO orders (n) VALUES (i); COMMIT; END LOOP; END $$'
    all_read
    [[ $(lines) == 1 ]]
    open_gate
    wait_for is_true "now() - backend_start > interval '500 ms' FROM $gate"
    [[ $(lines) == 1 ]]
    release
    totals '{"public.items": 1, "public.orders": 70000}'
    saw 'reasons == ["connected"]'
}

seen_when_named() {
    sql 'TRUNCATE orders, items, customers'
    follow --plugin "$plugin" --debounce 1ms
    wait_for saw 'length > 0'
    write 'INSERT INTO orders (n) SELECT generate_series(1, 3);'
    write "BEGIN; INSERT INTO items (n) VALUES (1); SAVEPOINT a; INSERT INTO items (n) VALUES (2);
           ROLLBACK TO a; SAVEPOINT b; INSERT INTO customers (n) VALUES (1); RELEASE b; COMMIT;
           BEGIN; INSERT INTO customers (n) VALUES (1); PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p';
           BEGIN; INSERT INTO customers (n) VALUES (1); ROLLBACK;"
    sql 'INSERT INTO orders (n) SELECT * FROM generate_series(1, 100000)'
    wait_for saw 'count("public.orders") > 100000 and length > 30'
    no_writers
    wait_for exact
    none_too_early
    saw 'reasons == ["connected"]'
    stop
}

@test "under load, whatever the transactions, a batch's rows can be seen when it comes" {
    each_plugin seen_when_named
}

# --- the resync at the connect ---

waits_for() {
    is_true "EXISTS (SELECT FROM pg_locks WHERE NOT granted AND transactionid::text = '$1')"
}

# slot_begins [OPTION]...: what begins after this and ends before slot_is_made is in no stream.
slot_begins() {
    session first
    session second
    ask first 'BEGIN; INSERT INTO items (n) VALUES (1)'
    "${how:-launch}" "$@"
    wait_for waits_for "$(xid first)"
    ask second 'BEGIN; INSERT INTO items (n) VALUES (1)'
    ask first ROLLBACK
    wait_for waits_for "$(xid second)"
}

slot_is_made() {
    ask second ROLLBACK
    wait_for streaming
}

# A reader that reloads at each resync, and reads again what a batch names, has the row at the end.
view_is_right() {
    [[ $(tail -n 1 "$seen") == '[1, 0, 0]' ]]
}

missed_by_stream_and_reload() {
    sql 'TRUNCATE orders, items'
    stall
    how=follow slot_begins --plugin "$plugin"
    commit late 'INSERT INTO orders (n) VALUES (1)'
    slot_is_made
    if [[ $1 == long ]]; then
        wait_for saw 'length == 1'
        stalled 1
    fi
    release
    wait_for view_is_right
    saw '.[0].reason == "connected"'
    mark
    saw 'count("public.orders") == 0 and (reasons | length) <= 2'
    stop
}

@test "a COMMIT that waits while the stream begins is in the resync, or in one more" {
    each_plugin missed_by_stream_and_reload short
    each_plugin missed_by_stream_and_reload long
}

@test "likewise at a reconnect" {
    local old
    sql 'TRUNCATE orders, items'
    stall
    session first
    session second
    follow --backoff 10ms,100ms
    wait_for saw 'length == 1'
    old=$(walsender)
    ask first 'BEGIN; INSERT INTO items (n) VALUES (1)'
    sql "SELECT pg_terminate_backend($old)" >/dev/null
    wait_for waits_for "$(xid first)"
    ask second 'BEGIN; INSERT INTO items (n) VALUES (1)'
    ask first ROLLBACK
    wait_for waits_for "$(xid second)"
    commit late 'INSERT INTO orders (n) VALUES (1)'
    slot_is_made
    release
    wait_for view_is_right
    saw 'reasons[0:2] == ["connected", "reconnected"]'
    mark
    saw 'count("public.orders") == 0 and (reasons | length) <= 3'
}

@test "a transaction that runs on holds the resync for a while only, and its batch comes later" {
    slot_begins
    session long
    ask long 'BEGIN; INSERT INTO orders (n) VALUES (1)'
    slot_is_made
    wait_for saw 'reasons == ["connected"]'
    sql 'INSERT INTO items (n) VALUES (1)'
    totals '{"public.items": 1}'
    ask long COMMIT
    totals '{"public.items": 1, "public.orders": 1}'
    saw '(reasons | length) <= 2'
}

@test "… and its rollback gives one more resync" {
    slot_begins
    session long
    ask long 'BEGIN; SAVEPOINT a; INSERT INTO orders (n) VALUES (1); SAVEPOINT b;
              INSERT INTO orders (n) VALUES (1)'
    slot_is_made
    wait_for saw 'reasons == ["connected"]'
    ask long ROLLBACK
    wait_for saw 'reasons == ["connected", "reconnected"]'
    totals '{}'
    saw '(reasons | length) == 2'
}

@test "a transaction that was prepared before the connect is in the resync" {
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'before'"
    stall
    follow
    wait_for is_true 'EXISTS (SELECT FROM pg_replication_slots)'
    commit late "COMMIT PREPARED 'before'"
    release
    wait_for view_is_right
    mark
    saw 'count("public.orders") == 0'
}

# --- the visibility connection ---

@test "the visibility connection is lost: items wait, and it comes back by itself" {
    local old
    listen --backoff 10ms,100ms
    old=$(walsender)
    shut_gate
    said 'detail: items wait until it is back'
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read
    wait_for grep -aq 'too many connections for role' "$SERVER/log"
    [[ $(lines) == 1 ]]
    open_gate
    totals '{"public.orders": 1}'
    for _ in 1 2 3; do
        sql "SELECT pg_terminate_backend(pid) FROM $gate" 'INSERT INTO orders (n) VALUES (1)' >/dev/null
    done
    totals '{"public.orders": 4}'
    saw 'reasons == ["connected"]'
    [[ $(walsender) == "$old" ]]
}

# The visibility connection has been let in there.
identified_by_other() {
    local seen="SELECT count(*) FROM pg_stat_database
        WHERE datname = '$PGDATABASE' AND xact_commit > 0"
    PGDATABASE=postgres server_sql "$1" "$seen" | grep -qx 1
}

@test "another server at the stream's own address is found out, and its word doesn't count" {
    local other=$SERVER_ROOT/elsewhere port socket create="CREATE DATABASE $PGDATABASE"
    port=$(server_port "$SERVER")
    socket=$PWD/.s.PGSQL.$port
    server_start "$other"
    PGDATABASE=postgres server_sql "$other" "$create"
    ln -s "$SERVER/.s.PGSQL.$port" "$socket"
    PGHOST=$PWD listen --backoff 10ms,100ms
    ln -sf "$other/.s.PGSQL.$(server_port "$other")" "$socket"
    sql "SELECT pg_terminate_backend(pid) FROM $gate" >/dev/null
    wait_for identified_by_other "$other"
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read
    [[ $(lines) == 1 ]]
    ln -sf "$SERVER/.s.PGSQL.$port" "$socket"
    totals '{"public.orders": 1}'
    saw 'reasons == ["connected"]'
    server_stop "$other" immediate
}

@test "the first visibility connection can't be made: all is tried again, or ended if so asked" {
    only_a_stream
    launch --no-reconnect
    ends_with 1
    [[ ! -s $out ]]
    said 'error: the visibility connection .* too many connections'
    [[ $(grep -c 'too many connections' "$err") == 1 ]]
    wait_for no_slot
    launch --backoff 10ms,100ms
    wait_for said 'visibility connection'
    [[ ! -s $out ]]
    sql 'ALTER ROLE pgnudge CONNECTION LIMIT -1'
    wait_for saw 'reasons == ["connected"]'
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
}

# --- standbys ---

# Neither "sync", "potential" nor "quorum".
uncounted() {
    is_true "count(*) = 1 AND bool_and(sync_state = 'async') FROM pg_stat_replication
             WHERE application_name = 'pgnudge'"
}

# positions_move: the slot's do.
positions_move() {
    local end
    end=$(sql "SET synchronous_commit = local; SELECT pg_logical_emit_message(true, 'move', '')")
    wait_for is_true "confirmed_flush_lsn >= '$end' FROM pg_replication_slots WHERE temporary"
}

# waits_on: a COMMIT does, and status updates don't let it go.
waits_on() {
    stalled_for '1500 ms' && stalled "$1" && uncounted
}

never_a_standby() {
    sql 'TRUNCATE orders'
    listen --plugin "$plugin" --status-interval 100ms "$@"
    stall '*'
    positions_move
    commit one 'INSERT INTO orders (n) VALUES (1)'
    wait_for waits_on 1
    PGDATABASE=postgres commit two "SELECT pg_logical_emit_message(true, 'x', '')" 2
    sql 'BEGIN; SELECT pg_current_xact_id(); ROLLBACK' >/dev/null
    commit three 'INSERT INTO items (n) VALUES (1)' 3
    wait_for waits_on 3
    [[ $(lines) == 1 ]]
    release
    wait_for saw 'count("public.orders") == 1'
    positions_move
    stop
}

@test "it is never counted as a synchronous standby: a COMMIT waits for a real one" {
    each_plugin never_a_standby
    each_plugin never_a_standby --tables orders
}

@test "beside a real synchronous standby it is asynchronous, and the slot's positions move" {
    start_standby
    listen --status-interval 300ms
    configure synchronous_standby_names '*'
    wait_for is_true "sync_state = 'sync' FROM pg_stat_replication WHERE application_name = 'standby'"
    for i in {1..20}; do
        sql 'INSERT INTO orders (n) VALUES (1)'
        wait_for uncounted # between the two status updates of one write it may be seen otherwise
        is_true "sync_state = 'sync' FROM pg_stat_replication WHERE application_name = 'standby'"
    done
    positions_move
    wait_for saw 'count("public.orders") == 20'
    server_stop "$standby"
    commit writer 'INSERT INTO items (n) VALUES (1)'
    wait_for waits_on 1
    saw 'count("public.items") == 0'
    server_start "$standby"
    wait_for stalled 0
    wait_for saw 'count("public.items") == 1'
    totals '{"public.items": 1, "public.orders": 20}'
    positions_move
}

under_a_late_standby() {
    sql 'TRUNCATE orders, items, customers'
    follow --plugin "$plugin" --debounce 0 "$@"
    wait_for saw 'length > 0'
    write 'INSERT INTO orders (n) VALUES (1);'
    write 'BEGIN; INSERT INTO items (n) VALUES (1); INSERT INTO customers (n) VALUES (1); COMMIT;'
    wait_for saw 'length > 40 and count("public.items") > 40 and count("public.orders") > 40'
    no_writers
    wait_for exact
    saw 'reasons == ["connected"]'
}

late_standby() {
    under_a_late_standby
    none_too_early
    stop
    under_a_late_standby --no-visibility-check # what is tested here can fail
    run ! none_too_early
    stop
}

@test "under a standby that is always late batches keep coming, and none before its rows" {
    start_standby "recovery_min_apply_delay = '10ms'"
    configure synchronous_commit remote_apply
    configure synchronous_standby_names standby
    each_plugin late_standby
    release
}

warned_and_counted() {
    stall '*'
    listen --plugin "$plugin" --no-visibility-check --status-interval 1h "$@"
    said 'warning: the server may count pgnudge as a synchronous standby'
    session writer
    for table in orders items; do
        ask writer "INSERT INTO $table (n) VALUES (1)" # answered: it did not wait for long
    done
    PGDATABASE=postgres session elsewhere
    ask elsewhere "SELECT pg_logical_emit_message(true, 'x', '')"
    release
    stop
}

@test "--no-visibility-check: it may be counted, says so, and no COMMIT waits for a status interval" {
    configure wal_sender_timeout 0
    each_plugin warned_and_counted
    each_plugin warned_and_counted --tables orders
}

acknowledged() {
    listen --plugin "$plugin" --status-interval 1h "$@"
    for table in orders items; do
        sql "INSERT INTO $table (n) VALUES (1)"
        all_read
    done
    PGDATABASE=postgres sql "SELECT pg_logical_emit_message(true, 'x', '')" >/dev/null
    all_read
    stop
}

@test "a filtered, idle feed lets the slot move on while another database writes" {
    local end
    listen --tables orders --status-interval 200ms
    PGDATABASE=postgres sql 'CREATE TABLE written AS SELECT 1'
    end=$(sql 'SELECT pg_current_wal_flush_lsn()')
    wait_for is_true "confirmed_flush_lsn >= '$end' FROM pg_replication_slots
        WHERE database = current_database()"
    [[ $(lines) == 1 ]]
}

@test "what is read is acknowledged at once, whatever the status interval" {
    configure wal_sender_timeout 0
    each_plugin acknowledged
    each_plugin acknowledged --tables orders
}

# --- the server's timeouts ---

server_is_down() {
    [[ ! -e $SERVER/data/postmaster.pid ]]
}

shuts_down() {
    listen --plugin "$plugin" --backoff 10ms,100ms
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read
    server_stop "$SERVER" 3>&- &
    wait_for server_is_down # long before wal_sender_timeout
    wait $!
    server_start "$SERVER"
    wait_for saw 'reasons == ["connected", "reconnected"]'
    stop
}

@test "pg_ctl stop -m fast isn't held up" {
    each_plugin shuts_down
    each_plugin shuts_down
}

# reply_after SECONDS: the server has heard of it since then.
reply_after() {
    is_true "extract(epoch FROM reply_time) > $1 FROM pg_stat_replication"
}

@test "a wal_sender_timeout of 3 s is respected without any option" {
    local old began
    configure wal_sender_timeout 3s
    listen
    old=$(walsender)
    began=$(date +%s)
    wait_for reply_after $((began + 4))
    wait_for reply_after $((began + 8))
    [[ $(walsender) == "$old" ]]
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    saw 'reasons == ["connected"]'
    said 'warning|error' && return 1
    stop
}

# --- lsn ---

lsn_of_items() {
    local before after lsn
    listen --plugin "$plugin" --status-interval 1h
    lsn=$(jq -r .lsn "$out")
    is_true "confirmed_flush_lsn = '$lsn' FROM pg_replication_slots" # the consistent point
    before=$(sql 'SELECT pg_current_wal_insert_lsn()')
    after=$(sql 'BEGIN; INSERT INTO orders (n) VALUES (1); INSERT INTO items (n) VALUES (1); COMMIT' \
        'SELECT pg_current_wal_insert_lsn()')
    wait_for saw 'count("public.orders") == 1'
    lsn=$(tail -n 1 "$out" | jq -r .lsn)
    echo "$before < $lsn <= $after"
    is_true "'$before'::pg_lsn < '$lsn' AND '$lsn' <= '$after'::pg_lsn"
    sql 'TRUNCATE orders' # a later COMMIT is a later one
    wait_for saw 'count("public.orders") == 2'
    is_true "'$(tail -n 1 "$out" | jq -r .lsn)' > '$lsn'::pg_lsn"
    stop
}

@test "lsn is the end of the newest COMMIT, or where the stream begins" {
    each_plugin lsn_of_items
}

@test "a resync's lsn is the newest COMMIT where there is one" {
    local lsn=()
    listen --max-pending 1
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'length == 2'
    sql 'BEGIN; INSERT INTO orders (n) VALUES (1); INSERT INTO items (n) VALUES (1); COMMIT'
    wait_for saw 'reasons == ["connected", "overflow"]'
    for i in 0 1 2; do
        lsn[i]=$(jq -rs ".[$i].lsn" "$out")
    done
    is_true "'${lsn[0]}'::pg_lsn < '${lsn[1]}' AND '${lsn[1]}'::pg_lsn < '${lsn[2]}'"
    is_true "'${lsn[2]}' <= pg_current_wal_insert_lsn()"
}
