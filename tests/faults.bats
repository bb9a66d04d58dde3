#!/usr/bin/env bats
#
# What befalls servers, networks and machines, for real. After each fault the feed is right.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"
# shellcheck source=tests/certs.bash
. "$BATS_TEST_DIRNAME/certs.bash"

setup_file() {
    # The second address is that of a machine which only some tests have.
    start_server "listen_addresses = '127.0.0.1, 10.86.0.1'" 'log_checkpoints = off'
    echo 'host all pgnudge 10.86.0.2/32 trust' >>"$SERVER/data/pg_hba.conf"
    allow_standbys
}

quick=(--backoff "10ms,100ms")

# right_again [FILTER]: it has reconnected (such that FILTER holds), and tells exactly what is written then.
right_again() {
    wait_for saw "${1:-(reasons | length) > 1}"
    saw 'reasons | .[0] == "connected" and all(.[1:][]; . == "reconnected")'
    sql 'INSERT INTO orders (n) VALUES (1), (2), (3)' 'INSERT INTO marker VALUES (1)'
    wait_for saw '.[-1].type == "batch" and any(.[-1].events[]; .payload == "public.marker")'
    saw '.[(map(.type == "resync") | rindex(true)):] | shop[0] == 3'
}

lose_stream() {
    sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
}

# It recovers by itself, or has to be started.
is_up() {
    sql 'SELECT' 2>/dev/null || server_start "$SERVER"
}

# --- the server ---

@test "the server is killed, and recovers" {
    listen "${quick[@]}"
    write "INSERT INTO items (n) VALUES (1);"
    wait_for saw 'count("public.items") > 100'
    kill -KILL "$(head -n 1 "$SERVER/data/postmaster.pid")"
    wait_for is_up
    writers=()
    right_again
    stop
}

@test "the walsender is killed, with which the whole server starts anew" {
    listen "${quick[@]}"
    kill -KILL "$(walsender)"
    wait_for saw '(reasons | length) > 1'
    right_again
    stop
}

# A machine for the server and one for pgnudge, joined by a cable: 10.86.0.1 and 10.86.0.2. The server's
# files are everywhere, so that SQL comes in through the socket.
machines() {
    local new=(unshare -m -n) inside=(nsenter -m -n) as
    ((EUID == 0)) || new=(unshare -r -m -n) inside=(nsenter --preserve-credentials -U -m -n)
    "${new[@]}" true 2>/dev/null || skip 'namespaces are not to be had'
    "${new[@]}" sleep infinity 3>&- &
    pids+=("$!")
    far=("${inside[@]}" -t "$!")
    wait_for apart_from self "$!"
    "${far[@]}" unshare -n sleep infinity 3>&- &
    pids+=("$!")
    near=("${inside[@]}" -t "$!")
    wait_for apart_from self "$!"
    wait_for apart_from "${far[-1]}" "$!"
    "${far[@]}" ip link add cable type veth peer name cable netns "$!"
    plug_in "${far[*]}" 10.86.0.1
    plug_in "${near[*]}" 10.86.0.2
    server_stop "$SERVER"
    as_before=${SERVER_AS:-} as=$(server_as)
    ((EUID == 0)) || as="unshare -U --map-user=$(id -u) --map-group=$(id -g)"
    export SERVER_AS="${far[*]} $as"
}

# apart_from PID PID: in another network.
apart_from() {
    [[ $(readlink "/proc/$1/ns/net") != "$(readlink "/proc/$2/ns/net")" ]]
}

# plug_in MACHINE ADDRESS
plug_in() {
    local command
    for command in 'link set lo up' "address add $2/24 dev cable" 'link set cable up'; do
        # shellcheck disable=SC2086 # words
        $1 ip $command
    done
}

# apart COMMAND...: pgnudge is started on its machine.
apart() {
    printf '%s\n' '#!/bin/sh' "exec ${near[*]} '$PGNUDGE' \"\$@\"" >apart
    chmod +x apart
    PGNUDGE=$PWD/apart PGHOST=10.86.0.1 "$@"
}

teardown() {
    if [[ -n ${far:-} ]]; then
        server_stop "$SERVER" immediate || true
        export SERVER_AS=$as_before
        server_start "$SERVER"
    fi
    common_teardown
}

@test "the cable is cut: silence is found, and what was written meanwhile is in the resync" {
    machines
    server_start "$SERVER"
    apart listen "${quick[@]}" --liveness-timeout 1s --status-interval 200ms --connect-timeout 1s
    "${far[@]}" ip link set cable down
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for said 'warning: .*the server has been silent for'
    wait_for said 'error: .*(timeout expired|No route)' # nor is there a way to connect
    saw 'length == 1'
    "${far[@]}" ip link set cable up
    right_again
    stop
}

@test "a slow link: a flood comes late, exact, and on one connection" {
    machines
    server_start "$SERVER"
    "${far[@]}" tc qdisc add dev cable root tbf rate 4mbit burst 8kb latency 100ms 2>/dev/null ||
        skip 'tc has no tbf here'
    apart listen --liveness-timeout 2s --status-interval 500ms
    sql "INSERT INTO items (n) SELECT i FROM generate_series(1, 20000) i"
    totals '{"public.items": 20000}'
    saw 'reasons == ["connected"]'
    stop
}

@test "its disk for WAL is full: it stops, and the feed goes on when there is room again" {
    local wal=$SERVER/data/pg_wal disk=$PWD/disk
    machines
    mkdir "$disk"
    "${far[@]}" mount -t tmpfs -o size=96m none "$disk"
    "${far[@]}" sh -c "cp -a '$wal/.' '$disk' && dd if=/dev/zero 'of=$disk/ballast' bs=1M count=24 2>/dev/null &&
        mount --bind '$disk' '$wal'"
    server_start "$SERVER"
    is_true "(pg_stat_file('pg_wal/ballast', true)).size > 0" || skip 'the server sees another disk'
    sql "SELECT pg_create_physical_replication_slot('keeps', true)" >/dev/null
    apart listen "${quick[@]}"
    for _ in {1..20}; do
        sql 'INSERT INTO items (n) SELECT i FROM generate_series(1, 100000) i' 2>filled || break
    done
    wait_for grep -q 'No space left on device' "$SERVER/log"
    wait_for said 'warning: '
    "${far[@]}" rm "$disk/ballast"
    wait_for is_up
    sql "SELECT pg_drop_replication_slot('keeps')" >/dev/null
    right_again
    stop
    sql CHECKPOINT
    server_stop "$SERVER"
    "${far[@]}" sh -c "umount '$wal' && rm -rf '$wal'/* && cp -a '$disk/.' '$wal'"
}

@test "everything comes late" {
    proxy late 150
    PGPORT=$proxy_port listen --debounce 1ms
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    saw 'reasons == ["connected"]'
    stop
}

# ends_early PROXY-OPTION: in every phase, further and further on.
ends_early() {
    proxy "$1" 61
    PGPORT=$proxy_port launch --backoff 1ms,5ms
    wait_for saw 'reasons == ["connected"]'
    write 'INSERT INTO items (n) VALUES (1); SELECT pg_sleep(0.005);' # time for a resync in between
    wait_for saw '(reasons | length) > 3'
    said 'closed the connection unexpectedly'
    kill -USR1 "$proxy"
    no_writers
    wait_for streaming
    all_read
    right_again
    stop
}

@test "connections are reset in every phase" {
    ends_early reset
}

@test "connections are closed in every phase of TLS, inside records" {
    new_ca any
    new_cert any-server any DNS:localhost "${ec[@]}"
    serve_cert any-server
    PGSSLMODE=require ends_early cut
    sql 'ALTER SYSTEM RESET ssl' 'SELECT pg_reload_conf()' >/dev/null
}

# --- what the server refuses later on ---

# refused_later REGEX [OPTION]...: the stream is lost while something stands against the next one, by
# the functions that stands_against has named.
refused_later() {
    local before
    listen --backoff 200ms,200ms "${@:2}"
    "$stands"
    wait_for said "(5 attempts in a row failed, still trying|visibility connection could not be made): .*$1"
    run ! ended "$pid"
    before=$(lines)
    "$leaves"
    right_again "(reasons | length) > $before"
    stop
}

# stands_against MAKE UNMAKE: these two, or SQL of the superuser in another database.
stands_against() {
    stands=$1 leaves=$2
    [[ $1 != *' '* ]] || against=$1 stands=by_sql
    [[ $2 != *' '* ]] || away=$2 leaves=away_by_sql
}

elsewhere() {
    PGDATABASE=postgres sql "$1" >/dev/null
}

# Some of it can be done before the stream is lost, some only then.
by_sql() {
    elsewhere "$against" 2>/dev/null || true
    wait_for lost_by_sql
}

lost_by_sql() {
    lose_stream || true # there may be none
    elsewhere "$against"
}

away_by_sql() {
    elsewhere "$away"
}

# Somebody else has the one walsender.
take_walsender() {
    mkfifo idle
    exec {idle}<>idle
    (until "$SERVER_BIN/psql" -Xq "host=$SERVER user=postgres replication=true" <idle; do :; done) \
        2>/dev/null 3>&- &
    pids+=("$!")
    lose_stream
    wait_for is_true "EXISTS (SELECT FROM pg_stat_activity
                      WHERE backend_type = 'walsender' AND usename = 'postgres')"
}

give_back_walsender() {
    echo '\q' >&"$idle"
}

@test "walsenders, slots and connections are used up" {
    sql 'ALTER SYSTEM SET max_wal_senders = 1' 'ALTER SYSTEM SET max_replication_slots = 1'
    server_restart "$SERVER"
    stands_against take_walsender give_back_walsender
    refused_later 'number of requested standby connections exceeds'
    stands_against "SELECT pg_create_physical_replication_slot('taken')" \
        "SELECT pg_drop_replication_slot('taken')"
    refused_later 'all replication slots are in use'
    stands_against 'ALTER ROLE pgnudge CONNECTION LIMIT 0' 'ALTER ROLE pgnudge CONNECTION LIMIT -1'
    refused_later 'too many connections for role'
    sql 'ALTER SYSTEM RESET ALL' "ALTER SYSTEM SET wal_keep_size = '256MB'"
    server_restart "$SERVER"
}

@test "the database is dropped, and made again" {
    stands_against "DROP DATABASE $PGDATABASE WITH (FORCE)" "CREATE DATABASE $PGDATABASE"
    refused_later 'database .* does not exist'
}

@test "the role loses REPLICATION, or may not log in" {
    stands_against 'ALTER ROLE pgnudge NOREPLICATION' 'ALTER ROLE pgnudge REPLICATION'
    refused_later 'REPLICATION|replication'
    stands_against 'ALTER ROLE pgnudge NOLOGIN' 'ALTER ROLE pgnudge LOGIN'
    refused_later 'not permitted to log in'
}

@test "the role's password is changed" {
    sql "CREATE ROLE changes LOGIN REPLICATION PASSWORD 'one'"
    { echo 'host all changes 127.0.0.1/32 scram-sha-256' && cat "$SERVER/data/pg_hba.conf"; } >hba
    cat hba >"$SERVER/data/pg_hba.conf"
    sql 'SELECT pg_reload_conf()' >/dev/null
    stands_against "ALTER ROLE changes PASSWORD 'two'" "ALTER ROLE changes PASSWORD 'one'"
    PGPASSWORD=one refused_later 'password authentication failed' -U changes
}

@test "the plugin is withdrawn" {
    stands_against "ALTER ROLE pgnudge SET dynamic_library_path = '/nowhere'" \
        'ALTER ROLE pgnudge RESET dynamic_library_path'
    refused_later 'could not access file' --plugin wal2json
}

certificate_of_another() {
    serve_cert second-server
    lose_stream
}

trust_another() {
    cp "$SERVER/certs/second.crt" .postgresql/root.crt
}

@test "certificates are replaced, the signer's too" {
    mkdir -p .postgresql
    new_ca first
    new_ca second
    new_cert first-server first DNS:localhost "${ec[@]}"
    new_cert second-server second DNS:localhost "${ec[@]}"
    serve_cert first-server
    cp "$SERVER/certs/first.crt" .postgresql/root.crt
    stands_against certificate_of_another trust_another
    PGHOST=localhost PGSSLMODE=verify-full refused_later 'certificate'
    sql 'ALTER SYSTEM RESET ssl' 'SELECT pg_reload_conf()' >/dev/null
}

# --- its slot ---

@test "the slot is invalidated: max_slot_wal_keep_size" {
    local before
    listen "${quick[@]}"
    before=$(walsender)
    configure max_slot_wal_keep_size 1MB
    configure wal_keep_size 0
    frozen=("$pid")
    kill -STOP "$pid"
    for _ in 1 2 3 4; do
        sql "SELECT pg_logical_emit_message(false, 'other', '')" 'SELECT pg_switch_wal()' CHECKPOINT >/dev/null
    done
    wait_for is_true "NOT EXISTS (SELECT FROM pg_replication_slots WHERE active_pid = $before)"
    kill -CONT "$pid"
    frozen=()
    right_again
    stop
    configure max_slot_wal_keep_size -1
    configure wal_keep_size 256MB
}

@test "the slot is invalidated: a recovery conflict on a standby" {
    is_true "current_setting('server_version_num')::int >= 160000" || skip 'a standby decodes from 16 on'
    start_standby 'hot_standby_feedback = off'
    launch "${quick[@]}" -p "$(server_port "$standby")"
    wait_for sends_snapshot saw 'reasons == ["connected"]'
    sql 'CREATE TABLE of_the_catalog (n int)' 'DROP TABLE of_the_catalog' 'VACUUM pg_class' 'VACUUM pg_attribute' \
        'VACUUM pg_type'
    wait_for sends_snapshot saw 'reasons == ["connected", "reconnected"]'
    grep -q 'conflict' "$standby/log"
    sql 'INSERT INTO orders (n) VALUES (1)' 'INSERT INTO marker VALUES (1)'
    wait_for saw 'count("public.marker") == 1'
    saw 'count("public.orders") == 1'
    stop
}

sends_snapshot() {
    sql 'SELECT pg_log_standby_snapshot()' >/dev/null
    "$@"
}

# --- pgnudge's own machine ---

@test "stopped for longer than wal_sender_timeout" {
    local before
    sql "ALTER ROLE pgnudge SET wal_sender_timeout = '500ms'"
    listen "${quick[@]}"
    before=$(walsender)
    frozen=("$pid")
    kill -STOP "$pid"
    wait_for is_true "NOT EXISTS (SELECT FROM pg_replication_slots WHERE active_pid = $before)"
    sql 'INSERT INTO orders (n) VALUES (1)'
    kill -CONT "$pid"
    frozen=()
    right_again
    stop
    sql 'ALTER ROLE pgnudge RESET wal_sender_timeout'
}

@test "its descriptors are used up" {
    listen "${quick[@]}"
    prlimit --pid "$pid" --nofile=3:1024
    lose_stream
    wait_for said 'error: 5 attempts .*Too many open files'
    saw 'length == 1'
    prlimit --pid "$pid" --nofile=1024
    right_again
    stop
}

@test "the clock is set back, and forward" {
    local library
    library=$(compgen -G '/usr/lib/*/faketime/libfaketime.so.1') || true
    [[ -n $library ]] || skip 'libfaketime is not installed'
    echo '+0' >clock
    printf '%s\n' '#!/bin/sh' "FAKETIME_TIMESTAMP_FILE='$PWD/clock' FAKETIME_NO_CACHE=1 \\" \
        "FAKETIME_DONT_FAKE_MONOTONIC=1 \\" \
        "LD_PRELOAD='$library' exec '${PGNUDGE_PLAIN:-$repo/build/pgnudge}' \"\$@\"" >by_the_clock
    chmod +x by_the_clock
    PGNUDGE=$PWD/by_the_clock listen "${quick[@]}" --liveness-timeout 2s --status-interval 300ms --debounce 50ms
    for clock in -3600 +86400 -86400 +0; do
        echo "$clock" >clock
        sql 'INSERT INTO orders (n) VALUES (1)'
        mark
    done
    saw 'reasons == ["connected"] and count("public.orders") == 4'
    echo '-86400' >clock
    lose_stream
    right_again
    stop
}
