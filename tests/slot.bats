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
