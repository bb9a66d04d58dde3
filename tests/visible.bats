#!/usr/bin/env bats
#
# --visible-on: an item waits until a replica, which its readers read from, shows it too.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

setup_file() {
    start_server
    allow_standbys
}

teardown() {
    sql 'SELECT gid FROM pg_prepared_xacts WHERE database = current_database()' |
        while IFS= read -r gid; do sql "ROLLBACK PREPARED '$gid'" </dev/null || true; done
    if [[ -n ${other:-} ]]; then
        server_stop "$other" immediate || true
        rm -rf "$other"
    fi
    common_teardown
}

# on DIR: the connection string. All else is the main connection's.
on() {
    echo "host=127.0.0.1 port=$(server_port "$1")"
}

# holds DIR CONDITION: there.
holds() {
    [[ $(server_sql "$1" "SELECT $2") == t ]]
}

pause() {
    server_sql "$1" 'SELECT pg_wal_replay_pause()' >/dev/null
    wait_for holds "$1" 'pg_is_wal_replay_paused()'
}

resume() {
    server_sql "$1" 'SELECT pg_wal_replay_resume()' >/dev/null
}

# waits_for DIR: what has been written so far is there, and pgnudge, which has read it, goes on
# asking until it is replayed.
waits_for() {
    local now
    all_read
    wait_for holds "$1" "pg_last_wal_receive_lsn() >= '$(sql 'SELECT pg_current_wal_flush_lsn()')'"
    now=$(sql 'SELECT clock_timestamp()')
    wait_for holds "$1" "query_start > timestamptz '$now' + interval '500 ms' FROM pg_stat_activity
                         WHERE usename = 'pgnudge'"
}

held_until_replayed() {
    sql 'TRUNCATE orders, items, customers'
    at=$standby follow --plugin "$plugin" --visible-on "$(on "$standby")"
    wait_for saw 'reasons == ["connected"]'
    pause "$standby"
    sql 'INSERT INTO orders (n) SELECT * FROM generate_series(1, 10)'
    waits_for "$standby"
    holds "$standby" 'NOT EXISTS (SELECT FROM orders)'
    [[ $(lines) == 1 ]]
    resume "$standby"
    wait_for saw 'count("public.orders") == 10'
    none_too_early
    totals '{"public.orders": 10}'
    stop
}

@test "a batch waits while the replay is paused, and comes when its rows can be seen there" {
    start_standby
    each_plugin held_until_replayed
}

@test "changes that come while it waits are merged into the next batch" {
    start_standby
    at=$standby follow --visible-on "$(on "$standby")"
    wait_for saw 'length == 1'
    pause "$standby"
    sql 'INSERT INTO orders (n) VALUES (1)'
    waits_for "$standby"
    for _ in {1..5}; do sql 'INSERT INTO items (n) VALUES (1)'; done
    sql 'INSERT INTO customers (n) VALUES (1)'
    waits_for "$standby"
    [[ $(lines) == 1 ]]
    resume "$standby"
    wait_for saw 'length == 3 and shop == [1, 5, 1]'
    none_too_early
    saw '.[1].events | map(.table) == ["orders"]'
}

@test "the server never waits for it: what is held is acknowledged" {
    local end
    start_standby
    listen --visible-on "$(on "$standby")" --status-interval 100ms
    pause "$standby"
    sql 'INSERT INTO orders (n) VALUES (1)'
    end=$(sql 'SELECT pg_current_wal_flush_lsn()')
    wait_for is_true "confirmed_flush_lsn >= '$end' FROM pg_replication_slots WHERE temporary"
    [[ $(lines) == 1 ]]
    resume "$standby"
    totals '{"public.orders": 1}'
}

@test "an idle primary on which a transaction is open holds nothing" {
    start_standby
    at=$standby follow --visible-on "$(on "$standby")"
    wait_for saw 'length == 1'
    session open
    ask open 'BEGIN; INSERT INTO items (n) VALUES (1)'
    pause "$standby"
    sql 'INSERT INTO orders (n) VALUES (1)'
    waits_for "$standby"
    [[ $(lines) == 1 ]]
    resume "$standby"
    wait_for saw 'count("public.orders") == 1'
    none_too_early
    ask open COMMIT
    wait_for saw 'count("public.items") == 1'
    none_too_early
    saw 'reasons == ["connected"]'
}

under_load() {
    sql 'TRUNCATE orders, items, customers'
    wait_for holds "$standby" 'NOT EXISTS (SELECT FROM orders)'
    at=$standby follow --debounce 1ms "$@"
    wait_for saw 'length > 0'
    write 'INSERT INTO orders (n) SELECT generate_series(1, 3);'
    write 'BEGIN; INSERT INTO items (n) VALUES (1); INSERT INTO customers (n) VALUES (1); COMMIT;'
    wait_for saw 'length > 20 and count("public.orders") > 100'
    no_writers
    wait_for exact
    saw 'reasons == ["connected"]'
}

@test "under load no batch comes before its rows can be seen on the replica" {
    start_standby "recovery_min_apply_delay = '20ms'"
    under_load --visible-on "$(on "$standby")"
    none_too_early
    stop
    under_load # what is tested here can fail
    run ! none_too_early
}

@test "the resync at the connect waits too, and so does one that is asked for" {
    start_standby
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'before'"
    pause "$standby"
    at=$standby follow --visible-on "$(on "$standby")"
    wait_for is_true 'EXISTS (SELECT FROM pg_replication_slots)'
    sql "COMMIT PREPARED 'before'"
    wait_for streaming
    waits_for "$standby"
    [[ $(lines) == 0 ]]
    resume "$standby"
    wait_for saw 'reasons == ["connected"]'
    [[ $(cat "$seen") == '[1, 0, 0]' ]]
    pause "$standby"
    sql 'INSERT INTO orders (n) VALUES (1)' "SELECT pg_logical_emit_message(true, 'pgnudge', '')" >/dev/null
    waits_for "$standby"
    [[ $(lines) == 1 ]]
    resume "$standby"
    wait_for saw 'reasons == ["connected", "requested"]'
    [[ $(tail -n 1 "$seen") == '[2, 0, 0]' ]]
}

promoted() {
    holds "$1" 'NOT pg_is_in_recovery()'
}

@test "a promoted one shows what it had till then, and none of what the server writes afterwards" {
    local now
    start_standby
    listen --visible-on "$(on "$standby")"
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    server_sql "$standby" 'SELECT pg_promote()' >/dev/null
    wait_for promoted "$standby"
    # What it writes by itself takes it ahead of the primary, which writes less.
    server_sql "$standby" 'CREATE TABLE ahead AS SELECT generate_series(1, 10000)'
    sql 'INSERT INTO items (n) VALUES (1)'
    all_read
    wait_for said 'it is on timeline 2, which left the server'
    now=$(sql 'SELECT clock_timestamp()')
    wait_for holds "$standby" "query_start > timestamptz '$now' + interval '500 ms'
        FROM pg_stat_activity WHERE usename = 'pgnudge'"
    saw 'count("public.items") == 0'
    saw 'reasons == ["connected"]'
    (($(grep -c 'it is on timeline' "$err") == 1))
}

# start_other [PORT]: a server with another system identifier.
start_other() {
    other=$SERVER_ROOT/other
    mkdir "$other"
    _server_run initdb -D "$SERVER_ROOT/other.data" -U postgres -A trust -E UTF8 --locale=C --no-sync \
        >/dev/null
    ((EUID)) || chown "$SERVER_USER" "$other"
    mv "$SERVER_ROOT/other.data" "$other/data"
    {
        echo "unix_socket_directories = '$other'"
        echo 'fsync = off'
        echo "log_statement = 'all'"
        echo "listen_addresses = '127.0.0.1'"
        [[ -z ${1:-} ]] || echo "port = $1"
    } >>"$other/data/postgresql.conf"
    [[ -z ${1:-} ]] || echo "$1" >"$other/port"
    server_start "$other"
    server_sql "$other" 'CREATE ROLE pgnudge LOGIN'
}

@test "a server of another system identifier is refused at the first connect" {
    PGDATABASE=postgres start_other
    refused 'error: --visible-on.*belongs to another cluster' --visible-on "$(on "$other") dbname=postgres"
    said 'detail: Its system identifier is [0-9]+, not [0-9]+'
    wait_for no_slot
}

@test "… and counts as away later" {
    local port
    start_standby
    port=$(server_port "$standby")
    listen --visible-on "$(on "$standby") dbname=postgres" --backoff 10ms,100ms
    server_stop "$standby" immediate
    wait_for said 'warning: --visible-on'
    PGDATABASE=postgres start_other "$port"
    wait_for grep -aq 'pg_control_system' "$other/log" # it has been asked who it is
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read
    [[ $(lines) == 1 ]]
    server_stop "$other" immediate
    server_start "$standby"
    totals '{"public.orders": 1}'
    saw 'reasons == ["connected"]'
}

@test "one that dies over a question is asked again when it is back" {
    local asked
    start_standby
    listen --debounce 0 --backoff 10ms,100ms --visible-on "$(on "$standby")"
    asked=$(server_sql "$standby" "SELECT pid FROM pg_stat_activity WHERE usename = 'pgnudge'")
    kill -STOP "$asked"
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read # and so asked
    [[ $(lines) == 1 ]]
    kill -KILL "$asked" # the standby starts anew
    totals '{"public.orders": 1}'
}

@test "a replica that is away holds items with one warning, and they come merged when it is back" {
    start_standby
    listen -v --backoff 10ms,100ms --visible-on "$(on "$standby")"
    server_stop "$standby"
    wait_for said 'warning: --visible-on'
    wait_for said 'detail: Items wait until it answers'
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read
    for _ in {1..5}; do sql 'INSERT INTO items (n) VALUES (1)'; done
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read
    [[ $(lines) == 1 ]]
    server_start "$standby"
    wait_for saw 'shop == [2, 5, 0]'
    saw 'length <= 3 and reasons == ["connected"]'
    [[ $(grep 'warning: --visible-on' "$err" | grep -vc 'it is back') == 1 ]]
    said 'warning: --visible-on.*: it is back'
}

@test "one that is away at the start holds the first resync" {
    start_standby
    server_stop "$standby"
    launch --backoff 10ms,100ms --visible-on "$(on "$standby")"
    wait_for said 'warning: --visible-on'
    wait_for streaming
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read
    [[ $(lines) == 0 ]]
    end=$(sql 'SELECT pg_current_wal_insert_lsn()')
    server_start "$standby"
    mark
    saw '.[0].reason == "connected" and reasons == ["connected"]'
    # The change is in a batch, or came before the resync was closed, which then covers it.
    saw 'shop == [1, 0, 0]' || is_true "'$(jq -r 'select(.type == "resync").lsn' "$out")' >= '$end'::pg_lsn"
}

@test "each of several replicas is waited for" {
    local first
    start_standby
    first=$standby
    start_standby
    listen --visible-on "$(on "$first")" --visible-on "$(on "$standby")"
    pause "$first"
    sql 'INSERT INTO orders (n) VALUES (1)'
    waits_for "$first"
    [[ $(lines) == 1 ]]
    resume "$first"
    wait_for saw 'count("public.orders") == 1'
    pause "$standby"
    sql 'INSERT INTO items (n) VALUES (1)'
    waits_for "$standby"
    [[ $(lines) == 2 ]]
    resume "$standby"
    totals '{"public.orders": 1, "public.items": 1}'
}

@test "at a reconnect what was held is in the resync, which waits as well" {
    start_standby
    listen --backoff 10ms,100ms --visible-on "$(on "$standby")"
    pause "$standby"
    sql 'INSERT INTO orders (n) VALUES (1)'
    waits_for "$standby"
    sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
    wait_for said 'connecting again|warning'
    wait_for streaming
    waits_for "$standby"
    [[ $(lines) == 1 ]]
    resume "$standby"
    wait_for saw 'reasons == ["connected", "reconnected"]'
    mark
    saw 'reasons == ["connected", "reconnected"]'
}

@test "SIGTERM ends it while something is held" {
    start_standby
    listen --visible-on "$(on "$standby")"
    pause "$standby"
    sql 'INSERT INTO orders (n) VALUES (1)'
    waits_for "$standby"
    stop
    [[ $(lines) == 1 ]]
}

# connected_as DIR USER DATABASE APPLICATION
connected_as() {
    holds "$1" "EXISTS (SELECT FROM pg_stat_activity WHERE usename = '$2' AND datname = '$3'
                        AND application_name = '$4')"
}

@test "what its connection string leaves out is the main connection's, host and port excepted" {
    start_standby
    sql 'CREATE ROLE reader LOGIN'
    echo 'host all reader samehost trust' >>"$standby/data/pg_hba.conf"
    server_sql "$standby" 'SELECT pg_reload_conf()' >/dev/null
    wait_for holds "$standby" "EXISTS (SELECT FROM pg_roles WHERE rolname = 'reader')"
    listen --visible-on "$(on "$standby")" "application_name=mine"
    wait_for connected_as "$standby" pgnudge "$PGDATABASE" mine
    stop
    listen --visible-on "$(on "$standby") user=reader dbname=postgres application_name=its" \
        "application_name=mine"
    wait_for connected_as "$standby" reader postgres its
    stop
    local port=$PGPORT
    PGHOST=$standby PGPORT=$(server_port "$standby") listen -h "$SERVER" -p "$port" \
        --visible-on application_name=its
    wait_for connected_as "$standby" pgnudge "$PGDATABASE" its
    stop
}

@test "a replica that refuses the login for good is status 3 at the first connect" {
    start_standby
    refused 'error: --visible-on.*does not exist' --visible-on "$(on "$standby") dbname=nowhere"
    refused 'error: --visible-on' --visible-on "$(on "$standby") user=nobody"
    wait_for no_slot
}

@test "… and is away, later" {
    start_standby
    listen --backoff 10ms,100ms --visible-on "$(on "$standby")"
    sed -i 's/^host all pgnudge/#&/' "$standby/data/pg_hba.conf"
    server_sql "$standby" 'SELECT pg_reload_conf()' >/dev/null
    server_sql "$standby" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                           WHERE usename = 'pgnudge'" >/dev/null
    wait_for said 'warning: --visible-on'
    wait_for grep -aq 'no pg_hba.conf entry for host' "$standby/log"
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read
    [[ $(lines) == 1 ]]
    sed -i 's/^#host all pgnudge/host all pgnudge/' "$standby/data/pg_hba.conf"
    server_sql "$standby" 'SELECT pg_reload_conf()' >/dev/null
    totals '{"public.orders": 1}'
}

@test "with --no-visibility-check it is an error, and so is a string that is none" {
    run -2 --separate-stderr pgnudge --no-visibility-check --visible-on 'host=127.0.0.1'
    # shellcheck disable=SC2154
    [[ $stderr == *'--visible-on and --no-visibility-check exclude each other'* && -z $output ]]
    run -2 --separate-stderr pgnudge --visible-on 'nonsense=1'
    [[ $stderr == *'--visible-on'*'nonsense'* && -z $output ]]
}

# --- timelines ---

# failed_over [OPTION]...: the standby "first" lags, "second", which is read from, is ahead; the
# server dies, and "first" is promoted.
failed_over() {
    local first second
    start_standby
    first=$standby
    start_standby
    second=$standby
    sql 'TRUNCATE orders, items'
    wait_for holds "$first" 'NOT EXISTS (SELECT FROM orders)'
    PGHOST=127.0.0.1,127.0.0.1 PGPORT=$PGPORT,$(server_port "$first") launch --backoff 50ms,200ms \
        -d 'target_session_attrs=primary' --visible-on "$(on "$second") $1"
    wait_for saw 'reasons == ["connected"]'
    server_sql "$first" "ALTER SYSTEM SET primary_conninfo = ''" 'SELECT pg_reload_conf()' >/dev/null
    wait_for holds "$first" 'NOT EXISTS (SELECT FROM pg_stat_wal_receiver)'
    # What only "second" gets reaches far beyond where the new timeline begins.
    sql 'INSERT INTO orders (n) SELECT generate_series(1, 300000)'
    wait_for saw 'count("public.orders") == 300000'
    server_stop "$SERVER" immediate
    server_sql "$first" 'SELECT pg_promote()' >/dev/null
    wait_for holds "$first" 'NOT pg_is_in_recovery()'
    wait_for holds "$first" "EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')"
    server_sql "$first" 'INSERT INTO items (n) VALUES (1)'
    asked_since "$second"
    saw 'reasons == ["connected"] and count("public.items") == 0'

    # It is made anew, from the new primary.
    server_stop "$second" immediate
    rm -rf "$second/data"
    _server_run pg_basebackup -D "$second/data" -R -c fast --no-sync -h "$first" \
        -p "$(server_port "$first")" -U postgres -d dbname=postgres
    printf '%s\n' "unix_socket_directories = '$second'" "port = $(server_port "$second")" \
        >>"$second/data/postgresql.conf"
    server_start "$second"
    wait_for saw 'reasons[1] == "reconnected"'
    holds "$second" 'EXISTS (SELECT FROM items) AND NOT EXISTS (SELECT FROM orders)'
    server_sql "$first" 'INSERT INTO items (n) VALUES (1)'
    wait_for saw 'count("public.items") >= 1'
    kill -TERM "$pid"
    ends_with 0
    server_stop "$first" immediate
    server_start "$SERVER"
}

# asked_since DIR: pgnudge goes on asking there, for a while.
asked_since() {
    local now
    now=$(server_sql "$1" 'SELECT clock_timestamp()')
    wait_for holds "$1" "bool_or(query_start > timestamptz '$now' + interval '700 ms')
                         FROM pg_stat_activity WHERE usename IN ('pgnudge', 'plain')"
}

@test "after a failover a replica that was ahead of the new primary shows nothing of it" {
    failed_over ''
}

@test "… nor where it tells its timeline to nobody" {
    sql 'CREATE ROLE plain LOGIN'
    echo 'host all plain samehost trust' >>"$SERVER/data/pg_hba.conf"
    sql 'SELECT pg_reload_conf()' >/dev/null
    failed_over 'user=plain'
    said 'warning: --visible-on .*(walsender|WAL sender)'
    said 'detail: .*timeline'
}
