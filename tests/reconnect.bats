#!/usr/bin/env bats
#
# Connections that are lost, refused or frozen, and what stays on the server: nothing.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# It listens again, on a slot of its own, and hears.
back_again() { # OLD-SLOT RECONNECTS
    wait_for saw "(reasons | length) > $2 and all(reasons[1:][]; . == \"reconnected\")"
    wait_for is_true "EXISTS (SELECT FROM pg_replication_slots WHERE active
                      AND database = current_database() AND slot_name <> '$1')"
    mark
}

@test "a walsender that is terminated gives reconnected on a fresh slot" {
    local old
    for plugin in $plugins; do
        listen --plugin "$plugin" --backoff 10ms,100ms
        old=$(slot)
        sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
        back_again "$old" 1
        sql 'INSERT INTO orders (n) VALUES (1)'
        totals '{"public.orders": 1}'
        saw 'reasons == ["connected", "reconnected"]'
        stop
    done
}

@test "a server restart (fast) gives reconnected, and does not wait for pgnudge" {
    local old
    listen --backoff 10ms,100ms
    old=$(slot)
    server_restart "$SERVER" fast
    back_again "$old" 1
    stop
}

@test "a server restart (immediate) gives reconnected" {
    local old
    listen --backoff 10ms,100ms
    old=$(slot)
    server_restart "$SERVER" immediate
    back_again "$old" 1
    stop
}

@test "lost again and again, it comes back each time" {
    local old i
    listen --backoff 1ms,10ms
    for i in 1 2 3 4 5; do
        old=$(slot)
        sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
        back_again "$old" "$i"
    done
    saw 'reasons == ["connected"] + [range(5) | "reconnected"]'
    stop
}

@test "a server that isn't up yet is waited for, and the first line is still connected" {
    server_stop "$SERVER"
    launch --backoff 10ms,50ms
    wait_for said 'refused'
    [[ ! -s $out ]]
    server_start "$SERVER"
    wait_for saw 'reasons == ["connected"]'
    mark
    stop
}

@test "SIGTERM ends it while it waits for the next try" {
    server_stop "$SERVER"
    launch --backoff 1h,1h
    wait_for said 'refused'
    kill "$pid"
    ends_with 0
    server_start "$SERVER"
}

@test "after five failures in a row it says so louder" {
    server_stop "$SERVER"
    launch -q --backoff 1ms,2ms
    wait_for said '^pgnudge: error:'
    kill "$pid"
    ends_with 0
    server_start "$SERVER"
}

@test "--no-reconnect ends with status 1 when the connection is refused" {
    server_stop "$SERVER"
    launch --no-reconnect
    ends_with 1
    said '^pgnudge: error:.*refused'
    [[ ! -s $out ]]
    server_start "$SERVER"
}

@test "--no-reconnect ends with status 1 when the connection is lost" {
    listen --no-reconnect
    sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
    ends_with 1
    said '^pgnudge: error:'
    [[ $(wc -l <"$out") == 1 ]]
    wait_for no_slot
}

@test "--no-reconnect ends with status 1 when the server is shut down" {
    listen --no-reconnect
    server_restart "$SERVER" fast
    ends_with 1
    wait_for no_slot
}

@test "a frozen walsender is given up, and the feed goes on" {
    local old
    listen --liveness-timeout 1s --status-interval 300ms --backoff 10ms,100ms
    old=$(slot)
    frozen=("$(walsender)")
    kill -STOP "${frozen[0]}"
    back_again "$old" 1
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    kill -CONT "${frozen[0]}"
    stop
}

@test "a server that stops answering during the login is given up" {
    local postmaster
    postmaster=$(head -n 1 "$SERVER/data/postmaster.pid")
    frozen=("$postmaster")
    kill -STOP "$postmaster"
    launch --connect-timeout 300ms --no-reconnect
    ends_with 1
    said 'timeout'
    kill -CONT "$postmaster"
}

@test "it lives on where the server's patience is short" {
    sql "ALTER ROLE pgnudge SET wal_sender_timeout = '600ms'"
    listen
    frozen=()
    local old
    old=$(walsender)
    wait_for is_true "now() - backend_start > interval '3 s' FROM pg_stat_activity WHERE pid = $old"
    sql 'ALTER ROLE pgnudge RESET ALL'
    [[ $(walsender) == "$old" ]]
    saw 'reasons == ["connected"]'
    stop
}

@test "IPv6, and every address of a name in turn" {
    local address
    # A name with two addresses, of which the server listens on one.
    printf '%s\n' '127.0.0.1 twofold' '::1 twofold' >hosts
    printf '%s\n' '#!/bin/sh' "exec unshare -rm sh -c 'mount --bind hosts /etc/hosts &&
        exec \"$PGNUDGE\" \"\$@\"' pgnudge \"\$@\"" >pgnudge
    chmod +x pgnudge
    unshare -rm mount --bind hosts /etc/hosts || skip 'no name can be made up here'
    for address in 127.0.0.1 ::1; do
        server_stop "$SERVER"
        echo "listen_addresses = '$address'" >>"$SERVER/data/postgresql.conf"
        server_start "$SERVER"
        PGHOST=$address listen
        stop
        PGNUDGE=$PWD/pgnudge PGHOST=twofold listen -v
        stop
    done
    server_stop "$SERVER"
    sed -i '/^listen_addresses/d' "$SERVER/data/postgresql.conf"
    server_start "$SERVER"
}

@test "a Unix socket" {
    PGHOST=$SERVER listen
    mark
    stop
}

# --- nothing stays ---

@test "SIGTERM: status 0, and no slot" {
    listen
    stop TERM 0
}

@test "SIGINT and SIGHUP: it dies by the signal, so that a shell's loop stops, and leaves no slot" {
    listen
    stop INT 130
    listen
    stop HUP 129
}

@test "kill -9 leaves no slot" {
    listen
    stop KILL 137
}

@test "a signal in the middle of a flood leaves no slot" {
    local signal writer
    for signal in TERM INT KILL; do
        listen --debounce 0
        sql 'INSERT INTO orders (n) SELECT * FROM generate_series(1, 100000)' 3>&- &
        writer=$!
        kill -"$signal" "$pid"
        wait_for ended "$pid"
        wait_for no_slot
        wait "$writer"
    done
}

@test "what waits in a window is dropped at SIGTERM" {
    listen --debounce 1h --max-batch-wait 1h
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read
    stop
    [[ $(wc -l <"$out") == 1 ]]
}
