#!/usr/bin/env bats
#
# A transaction that has written to some other table and stays open holds nothing back: only what has
# come through the stream and can't be seen yet is waited for.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# The sanitizer's program is built without it; this one keeps fewer xids apart.
PGNUDGE_TINY=$repo/build/tiny/pgnudge

# fresh_tables: first-seen for a pgnudge that starts now.
fresh_tables() {
    # shellcheck disable=SC2016 # SQL's own quotes
    sql 'SET client_min_messages = warning' 'DROP TABLE IF EXISTS burst, unrelated' 'CREATE TABLE burst (n int)' \
        'CREATE TABLE unrelated (n int)' \
        'CREATE OR REPLACE PROCEDURE burst(many int) LANGUAGE plpgsql AS
         $$BEGIN FOR i IN 1..many LOOP INSERT INTO burst VALUES (i); COMMIT; END LOOP; END$$'
}

# The stranger's transaction begins, and stays open.
stranger() {
    session stranger
    ask stranger 'BEGIN; INSERT INTO unrelated VALUES (1)'
}

# Its transaction is still open; now it ends.
stranger_leaves() {
    is_true "EXISTS (SELECT FROM pg_stat_activity WHERE state = 'idle in transaction')"
    ask stranger 'ROLLBACK'
}

# A walsender sends only what has been flushed: the last commit sees to it that all_read means the whole burst.
burst() {
    sql 'SET synchronous_commit = off' "CALL burst($1)" \
        'SET synchronous_commit = on' "SELECT pg_logical_emit_message(true, 'burst', 'over')" >/dev/null
}

bursts() {
    local many
    for many in 100 500 5000; do
        fresh_tables
        listen --plugin "$plugin" "$@"
        stranger
        burst "$many"
        wait_for saw "count(\"public.burst\") == $many"
        saw 'reasons == ["connected"]'
        stranger_leaves
        stop
    done
}

@test "a burst on a table that is met for the first time doesn't wait for a stranger" {
    each_plugin bursts
    each_plugin bursts --tables public.burst
}

@test "200 000 transactions in one window don't wait for a stranger" {
    fresh_tables
    listen --debounce 10 --max-batch-wait 20 --tables burst
    stranger
    burst 200000
    all_read
    wait_for saw 'count("public.burst") == 200000'
    saw 'reasons == ["connected"] and (map(select(.type == "batch")) | length == 1)'
    stranger_leaves
    stop
}

frozen_visibility() {
    fresh_tables
    listen --plugin "$plugin" --liveness-timeout 0
    stranger
    freeze_visibility
    burst 100000
    all_read
    thaw_visibility
    wait_for saw 'count("public.burst") == 100000'
    saw 'reasons == ["connected"]'
    stranger_leaves
    stop
}

@test "100 000 transactions while the visibility backend is stopped don't wait for a stranger" {
    each_plugin frozen_visibility
}

far_away() {
    local many
    for many in 100 5000; do
        fresh_tables
        proxy delay 100
        PGPORT=$proxy_port listen --plugin "$plugin"
        stranger
        burst "$many"
        wait_for saw "count(\"public.burst\") == $many"
        saw 'reasons == ["connected"]'
        stranger_leaves
        stop
        kill "$proxy"
    done
}

@test "a visibility connection 100 ms away makes nothing wait for a stranger" {
    each_plugin far_away
}

# What waits can't be told apart any more: a resync stands for it, behind the barrier of a connect.
overflow() {
    local before
    fresh_tables
    listen --plugin "$plugin" --liveness-timeout 0
    stranger
    freeze_visibility
    burst 10000
    all_read
    before=$(lines)
    [[ $before == 1 ]]
    thaw_visibility
    wait_for saw 'reasons == ["connected", "overflow"]'
    burst 10
    wait_for saw 'count("public.burst") == 10'
    stranger_leaves # it ends without having come through: a rollback
    wait_for saw 'reasons == ["connected", "overflow", "overflow"]'
    stop
}

@test "more than it can tell apart becomes a resync that doesn't wait for a stranger" {
    PGNUDGE=$PGNUDGE_TINY
    each_plugin overflow
}

# --- the resyncs of a connect ---

# slot_waits_for NAME: for its transaction, before the slot is there.
slot_waits_for() {
    is_true "EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted
                     AND transactionid = '$1')"
}

# Those that begin late enough while the slot is being made don't hold it up, and are open when the
# stream goes live.
late_resyncs() {
    local i before xid
    fresh_tables
    session first
    ask first 'BEGIN; INSERT INTO unrelated VALUES (0)'
    xid=$(xid first)
    launch --plugin "$plugin" --tables burst
    wait_for slot_waits_for "$xid"
    session second
    ask second 'BEGIN; INSERT INTO unrelated VALUES (0)'
    xid=$(xid second)
    ask first COMMIT
    wait_for slot_waits_for "$xid"
    for i in a b c; do
        session "$i"
        ask "$i" "BEGIN; INSERT INTO unrelated VALUES (1)"
    done
    ask second COMMIT
    wait_for saw 'reasons == ["connected"]' # after a second, though all three are open
    ask a ROLLBACK
    wait_for saw 'reasons == ["connected", "reconnected"]'
    ask b COMMIT # comes through the stream
    before=$(lines)
    burst 1
    wait_for saw 'count("public.burst") == 1'
    [[ $(lines) == $((before + 1)) ]]
    ask c ROLLBACK
    wait_for saw 'reasons == ["connected", "reconnected", "reconnected"]'
    stop
}

@test "after a connect's resync one more comes for each open transaction that ends unseen" {
    each_plugin late_resyncs
}
