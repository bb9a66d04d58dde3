#!/usr/bin/env bats
#
# pgnudge on a standby, which decodes what it has replayed (PostgreSQL 16 and newer).

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

setup_file() {
    start_server
    allow_standbys
}

decodes() {
    is_true "current_setting('server_version_num')::int >= 160000"
}

setup() {
    common_setup
    decodes || [[ $BATS_TEST_DESCRIPTION == 'below 16'* ]] || skip 'a standby decodes from 16 on'
    start_standby 'hot_standby_feedback = on'
}

# on_standby FUNCTION [OPTION]...: launch, listen or follow there.
on_standby() {
    at=$standby "$1" -p "$(server_port "$standby")" "${@:2}"
}

# there CONDITION: on the standby.
there() {
    [[ $(server_sql "$standby" "SELECT $1") == t ]]
}

# What runs on the primary has to be known before a slot can be made: pgnudge waits for that.
announced() {
    sql 'SELECT pg_log_standby_snapshot()' >/dev/null
    "$@"
}

# begin [OPTION]...: on the standby, until it listens.
begin() {
    on_standby "${how:-launch}" "$@"
    wait_for announced saw 'reasons == ["connected"]'
}

standby_slot() {
    there "$1 (SELECT FROM pg_replication_slots)"
}

# end [SIGNAL [STATUS]]: and nothing is left there.
end() {
    kill -"${1:-TERM}" "$pid"
    ends_with "${2:-0}"
    wait_for standby_slot 'NOT EXISTS'
}

replayed() {
    there "pg_last_wal_replay_lsn() >= '$(sql 'SELECT pg_current_wal_flush_lsn()')'"
}

changes_come() {
    begin --plugin "$plugin"
    sql 'INSERT INTO orders (n) VALUES (1), (2)' 'UPDATE orders SET n = 3' 'DELETE FROM orders' \
        'TRUNCATE items, customers'
    totals '{"public.orders": 6, "public.items": 1, "public.customers": 1}'
    end
}

@test "changes on the primary come through its standby" {
    each_plugin changes_come
}

messages_come() {
    begin --plugin "$plugin"
    sql "SELECT pg_logical_emit_message(true, 'pgnudge', '')" \
        "SELECT pg_logical_emit_message(false, 'pgnudge', 'public.orders')" >/dev/null
    wait_for saw 'reasons == ["connected", "requested"]'
    end
}

@test "what is asked for by SQL on the primary comes too" {
    each_plugin messages_come
}

filtered() {
    begin --plugin "$plugin" --tables orders,marker
    sql 'INSERT INTO orders (n) VALUES (1)' 'INSERT INTO items (n) VALUES (1)'
    totals '{"public.orders": 1}'
    end
}

@test "filters hold there" {
    each_plugin filtered
}

seen_there() {
    sql 'TRUNCATE orders, items, customers'
    wait_for replayed
    how=follow begin --plugin "$plugin" --debounce 1ms
    write 'INSERT INTO orders (n) SELECT generate_series(1, 3);'
    write 'BEGIN; INSERT INTO items (n) VALUES (1); SAVEPOINT a; INSERT INTO customers (n) VALUES (1); COMMIT;'
    wait_for saw 'length > 20 and count("public.orders") > 100'
    no_writers
    wait_for exact
    none_too_early
    saw 'reasons == ["connected"]'
    end
}

@test "under load a batch's rows can be seen on the standby when it comes" {
    each_plugin seen_there
}

@test "while the replay is paused nothing comes, and it all comes afterwards" {
    local now
    how=follow begin
    server_sql "$standby" 'SELECT pg_wal_replay_pause()' >/dev/null
    wait_for there "pg_get_wal_replay_pause_state() = 'paused'"
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for there "pg_last_wal_receive_lsn() >= '$(sql 'SELECT pg_current_wal_flush_lsn()')'"
    now=$(sql 'SELECT clock_timestamp()')
    wait_for there "clock_timestamp() > timestamptz '$now' + interval '500 ms'"
    [[ $(lines) == 1 ]]
    server_sql "$standby" 'SELECT pg_wal_replay_resume()' >/dev/null
    wait_for saw 'count("public.orders") == 1'
    none_too_early
    totals '{"public.orders": 1}'
    end
}

promote() {
    server_sql "$standby" 'SELECT pg_promote()' >/dev/null
    wait_for there 'NOT pg_is_in_recovery()'
}

promoted_while_it_streams() {
    local old
    [[ -n ${standbys[*]} ]] || start_standby 'hot_standby_feedback = on'
    begin --plugin "$plugin" --debounce 1ms
    old=$(server_sql "$standby" 'SELECT active_pid FROM pg_replication_slots')
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
    promote
    server_sql "$standby" 'INSERT INTO items (n) VALUES (1)' \
        'BEGIN; INSERT INTO items (n) VALUES (1); SAVEPOINT a; INSERT INTO customers (n) VALUES (1); COMMIT' \
        'BEGIN; INSERT INTO customers (n) VALUES (1); ROLLBACK'
    wait_for saw 'shop == [1, 2, 1]'
    server_sql "$standby" 'INSERT INTO marker VALUES (1)'
    wait_for saw 'count("public.marker") == 1'
    saw 'shop == [1, 2, 1] and reasons == ["connected"]'
    there "active_pid = $old FROM pg_replication_slots"
    [[ ! -s $err ]]
    end
}

@test "the stream goes on at a promotion without a word: test_decoding" {
    plugin=test_decoding promoted_while_it_streams
}

@test "the stream goes on at a promotion without a word: wal2json" {
    plugin=wal2json promoted_while_it_streams
}

@test "promoted under load, it tells exactly what the new primary has" {
    begin --debounce 1ms
    write 'INSERT INTO orders (n) SELECT generate_series(1, 3);'
    wait_for saw 'count("public.orders") > 100'
    promote
    no_writers
    server_sql "$standby" 'INSERT INTO items (n) VALUES (1)'
    wait_for saw 'count("public.items") == 1'
    saw "count(\"public.orders\") == $(server_sql "$standby" 'SELECT count(*) FROM orders')"
    saw 'reasons == ["connected"]'
    end
}

@test "once promoted, a COMMIT that waits for a standby of its own holds the batch" {
    begin
    promote
    server_sql "$standby" "ALTER SYSTEM SET synchronous_standby_names = 'nobody'" 'SELECT pg_reload_conf()' >/dev/null
    wait_for there "current_setting('synchronous_standby_names') = 'nobody'"
    PGPORT=$(server_port "$standby") SERVER=$standby session writer
    stalls() {
        there "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'
                       AND clock_timestamp() - query_start > interval '500 ms')"
    }
    tell writer 'INSERT INTO orders (n) VALUES (1)'
    until stalls || saw 'count("public.orders") > 0 and false'; do
        if answered writer; then tell writer 'INSERT INTO items (n) VALUES (1)'; fi
    done
    there 'NOT EXISTS (SELECT FROM marker)'
    saw "shop == $(server_sql "$standby" 'SELECT json_build_array((SELECT count(*) FROM orders),
        (SELECT count(*) FROM items), (SELECT count(*) FROM customers))')"
    server_sql "$standby" 'SET synchronous_commit = local' 'ALTER SYSTEM RESET ALL' 'SELECT pg_reload_conf()' >/dev/null
    wait_for answered writer
    wait_for saw "shop == $(server_sql "$standby" 'SELECT json_build_array((SELECT count(*) FROM orders),
        (SELECT count(*) FROM items), (SELECT count(*) FROM customers))')"
    end
}

@test "SIGTERM while it waits for the primary's word cancels that on the standby" {
    on_standby launch
    wait_for standby_slot EXISTS
    [[ ! -s $out ]]
    end
    on_standby launch --timeout 1s
    ends_with 124
    wait_for standby_slot 'NOT EXISTS'
}

@test "what it waits for there is said after 1 s" {
    on_standby launch
    wait_for said "warning: .*replication slot"
    wait_for said 'pg_log_standby_snapshot'
    wait_for announced saw 'reasons == ["connected"]'
    end
}

@test "--slot-timeout frees the slot there, and tries again" {
    on_standby launch --slot-timeout 500ms --backoff 10ms,100ms
    wait_for said 'no replication slot within 0.5 s'
    wait_for announced saw 'reasons == ["connected"]'
    end
}

@test "a standby that restarts is connected to again" {
    begin --backoff 10ms,100ms
    server_restart "$standby"
    wait_for announced saw 'reasons == ["connected", "reconnected"]'
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    end
}

@test "--visible-on beside a standby: the primary, or another standby" {
    local first=$standby
    begin --visible-on "host=127.0.0.1 port=$PGPORT"
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    end
    start_standby
    standby=$first begin --visible-on "host=127.0.0.1 port=$(server_port "$standby")"
    server_sql "$standby" 'SELECT pg_wal_replay_pause()' >/dev/null
    wait_for there "pg_get_wal_replay_pause_state() = 'paused'"
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for there "query_start > backend_start + interval '1 s' FROM pg_stat_activity
                    WHERE usename = 'pgnudge'"
    [[ $(lines) == 1 ]]
    server_sql "$standby" 'SELECT pg_wal_replay_resume()' >/dev/null
    totals '{"public.orders": 1}'
    standby=$first end
}

@test "below 16 a standby is refused for good, with the reason" {
    ! decodes || skip 'for 15 and older'
    refused recovery -p "$(server_port "$standby")"
    wait_for no_slot
}
