#!/usr/bin/env bats
#
# Making a slot waits for every transaction that holds an xid. A prepared one stands for all.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# launch, until the server makes its slot, which can't be finished.
block() {
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'blocker'"
    launch "$@"
    wait_for is_true 'EXISTS (SELECT FROM pg_replication_slots)'
    [[ ! -s $out ]]
}

unblock() {
    sql "ROLLBACK PREPARED 'blocker'"
}

teardown() {
    sql 'REVOKE pg_read_all_stats FROM pgnudge' 'ALTER ROLE pgnudge RESET ALL'
    sql 'SELECT gid FROM pg_prepared_xacts' |
        while IFS= read -r gid; do sql "ROLLBACK PREPARED '$gid'" </dev/null || true; done
    common_teardown
}

@test "it waits as long as it takes, which is no dead link, and then listens" {
    local old
    block --liveness-timeout 500ms --status-interval 100ms
    old=$(walsender)
    wait_for is_true "now() - backend_start > interval '2 s' FROM pg_stat_activity WHERE pid = $old"
    [[ ! -s $out ]]
    unblock
    wait_for saw 'reasons == ["connected"]'
    [[ $(walsender) == "$old" ]]
    mark
    stop
}

@test "… nor without the visibility check" {
    local old
    block --no-visibility-check --liveness-timeout 500ms --status-interval 100ms
    old=$(walsender)
    wait_for is_true "now() - backend_start > interval '2 s' FROM pg_stat_activity WHERE pid = $old"
    unblock
    wait_for saw 'reasons == ["connected"]'
    [[ $(walsender) == "$old" ]]
    stop
}

# The host dies while it makes the slot: its connections stay open, and nothing comes. A proxy
# acknowledges at TCP's level all the same.
dies() {
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'blocker'"
    proxy silent CREATE_REPLICATION_SLOT
    PGPORT=$proxy_port launch --liveness-timeout 1s --backoff 50ms,100ms "$@"
    wait_for said "$said"
    wait_for saw 'length == 0'
    sql "ROLLBACK PREPARED 'blocker'"
    kill -USR1 "$proxy"
    wait_for saw 'reasons == ["connected"]'
    mark
    stop
    kill "$proxy"
}

@test "a server that dies meanwhile is found by the liveness timeout" {
    said='warning: no answer from .* for 1 s while it creates the replication slot'
    dies
    dies --no-visibility-check
}

@test "… also while --slot-timeout cancels it" {
    said='warning: no replication slot within 0.2 s \(--slot-timeout\)'
    dies --slot-timeout 200ms
    dies --slot-timeout 200ms --no-visibility-check
}

@test "… and is status 1 under --no-reconnect" {
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'blocker'"
    proxy silent CREATE_REPLICATION_SLOT
    PGPORT=$proxy_port launch --liveness-timeout 500ms --no-reconnect --no-visibility-check
    ends_with 1
    said 'error: no answer from .* while it creates the replication slot'
    unblock
    kill "$proxy"
}

@test "a change that commits while the slot is made never gets lost" {
    block
    sql "COMMIT PREPARED 'blocker'"
    wait_for saw 'reasons == ["connected"]'
    totals '{}'
}

@test "SIGTERM cancels it on the server" {
    block
    stop TERM 0
    [[ ! -s $out ]]
    unblock
}

@test "SIGINT and SIGHUP cancel it on the server" {
    block
    stop INT 130
    unblock
    block
    stop HUP 129
    unblock
}

@test "--timeout cancels it on the server" {
    block --timeout 1s
    ends_with 124
    wait_for no_slot
    unblock
}

@test "a reader that goes away cancels it on the server" {
    local reader
    mkfifo fifo
    cat fifo 3>&- &
    reader=$!
    to=fifo block
    kill "$reader"
    ends_with 0
    wait_for no_slot
    unblock
}

@test "kill -9 leaves no slot while the blocker is still there (14 and newer)" {
    is_true "current_setting('server_version_num')::int >= 140000" ||
        skip '13 keeps it until the blocker ends'
    block
    stop KILL 137
    unblock
}

@test "… nor the slot that is made with the other plugin, after a refusal" {
    is_true "EXISTS (SELECT FROM pg_settings WHERE name = 'output_plugin_libraries')" ||
        skip 'this server lets everyone use every plugin'
    sql "ALTER ROLE pgnudge SET output_plugin_libraries = 'wal2json'"
    block
    is_true "EXISTS (SELECT FROM pg_replication_slots WHERE plugin = 'wal2json')"
    stop KILL 137
    unblock
}

@test "a lost connection is no end: it waits anew" {
    local old
    block --backoff 10ms,100ms
    old=$(walsender)
    sql "SELECT pg_terminate_backend($old)" >/dev/null
    wait_for is_true "EXISTS (SELECT FROM pg_replication_slots WHERE active_pid <> $old)"
    unblock
    wait_for saw 'reasons == ["connected"]'
    stop
}

# --- what it waits for ---

# named REGEX: so, once, and nothing else.
named() {
    wait_for said "warning: the replication slot waits for $1"
    [[ $(grep -c 'the replication slot waits' "$err") == 1 ]]
}

prepared_is_named() {
    block "$@"
    named 'the prepared transaction [0-9]+, "blocker"$'
    wait_for said 'hint: .*ROLLBACK PREPARED'
    unblock
    wait_for saw 'reasons == ["connected"]'
    stop
}

@test "a prepared transaction that it waits for is named by its gid" {
    prepared_is_named
    prepared_is_named --no-visibility-check
}

# opens DATABASE: a transaction there that holds an xid, of process $blocker.
opens() {
    PGDATABASE=$1 session open
    ask open 'BEGIN; SELECT pg_current_xact_id()'
    blocker=$(sql "SELECT pid FROM pg_stat_activity
                   WHERE state = 'idle in transaction' AND datname = '$1'")
}

@test "an open transaction is named by its process and user" {
    opens "$PGDATABASE"
    launch
    named "transaction $(xid open) of process $blocker, user \"postgres\"$"
    ask open COMMIT
    wait_for saw 'reasons == ["connected"]'
}

@test "… and by its age, where that may be seen" {
    sql 'GRANT pg_read_all_stats TO pgnudge'
    opens "$PGDATABASE"
    launch
    named "transaction [0-9]+ of process $blocker, user \"postgres\", open for [1-9][0-9]* s$"
    ask open COMMIT
    wait_for saw 'reasons == ["connected"]'
}

@test "one in another database is named too" {
    opens postgres
    launch
    named "transaction [0-9]+ of process $blocker, user \"postgres\"$"
    ask open ROLLBACK
    wait_for saw 'reasons == ["connected"]'
}

@test "a wait of less than 1 s is nothing to speak of" {
    local began=$EPOCHREALTIME
    opens "$PGDATABASE"
    launch
    wait_for is_true 'EXISTS (SELECT FROM pg_replication_slots)'
    ask open ROLLBACK
    wait_for saw 'reasons == ["connected"]'
    ((${EPOCHREALTIME/./} - ${began/./} < 1000000)) || skip 'this machine is too slow for it'
    [[ ! -s $err ]]
}

# --- --slot-timeout ---

@test "--slot-timeout frees the slot, and tries again" {
    block --slot-timeout 500ms --backoff 3s,3s
    wait_for said 'warning: no replication slot within 0.5 s \(--slot-timeout\)'
    no_slot
    is_true "count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'walsender'"
    wait_for is_true 'EXISTS (SELECT FROM pg_replication_slots)' # again
    wait_for no_slot
    unblock
    wait_for saw 'reasons == ["connected"]'
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
}

@test "--slot-timeout ends it under --no-reconnect" {
    block --slot-timeout 500ms --no-reconnect
    ends_with 1
    said 'error: no replication slot within 0.5 s'
    no_slot
    unblock
}

@test "stopped between two tries, or in a later one, it leaves no slot" {
    block --slot-timeout 300ms --backoff 60s,60s
    wait_for said 'no replication slot within'
    stop TERM 0
    launch --slot-timeout 300ms --backoff 60s,60s
    wait_for said 'no replication slot within'
    stop KILL 137
    launch --slot-timeout 3s --backoff 10ms,10ms
    wait_for said 'no replication slot within'
    wait_for is_true 'EXISTS (SELECT FROM pg_replication_slots)'
    stop TERM 0
    unblock
}

@test "--slot-timeout is for making the slot alone: a stream goes on" {
    listen --slot-timeout 300ms -v
    wait_for is_true "now() - backend_start > interval '1 s' FROM pg_stat_activity
                      WHERE pid = $(walsender)"
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    saw 'reasons == ["connected"]'
}
