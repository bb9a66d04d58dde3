#!/usr/bin/env bats
#
# Several hosts: which are tried, in which order, and which of them will do.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"
# shellcheck source=tests/certs.bash
. "$BATS_TEST_DIRNAME/certs.bash"

setup_file() {
    start_server
    allow_standbys
    printf '%s\n' 'host all pgnudge samehost trust' \
        'host all secretive samehost scram-sha-256' >>"$SERVER/data/pg_hba.conf"
    new_ca ours
    new_cert good ours DNS:localhost
    serve_cert good
    sql "CREATE ROLE secretive LOGIN REPLICATION PASSWORD 'secret'"
}

# --- the lists, compared with libpq's reading of them ---

# tried: the places that an error names, one a line, in the order in which they were tried.
tried() {
    grep -oE 'server (at "[^"]*"( \([^)]*\))?, port [0-9]+|on socket "[^"]*")' "$1"
}

# in_vain STRING: pgnudge and psql, which reach nobody, try the same places in the same order.
in_vain() {
    local status=0
    "$SERVER_BIN/psql" -Xw "$1" -c '' 2>theirs.said || true
    pgnudge --no-reconnect -d "$1" 2>ours.said || status=$?
    tried theirs.said >theirs
    # The last one is in the message, those before it in the detail.
    { grep 'detail: ' ours.said || true; grep 'error: ' ours.said; } >ours.turned
    tried ours.turned >ours
    echo "$1: $status"
    cat ours.said theirs.said
    ((status == 1)) && [[ -s ours ]] && diff ours theirs
}

@test "which places are tried, in which order: as psql does" {
    local string
    unset PGHOST PGPORT
    for string in 'port=1' 'host=/a' 'host=/a,/b' 'host=/a,/b port=1' 'host=/a,/b,/c port=1,2,3' \
        'host=/a,,/c port=1,2,3' 'host=/a,/b port=,7' 'host=/a,/b port=" 7 ,8"' \
        'host=/a, port=1' 'host=,/b port=1,2' 'host=, port=1,2' 'hostaddr=127.0.0.1,127.0.0.2 port=1' \
        'host=a.invalid,b.invalid hostaddr=127.0.0.1,127.0.0.2 port=1,2' \
        'host=127.0.0.1,/b hostaddr=,127.0.0.2 port=1' 'host=/x,/y hostaddr=127.0.0.1,::1 port=1' \
        'postgresql://%2Fa,%2Fb:2,:3/db' 'postgresql://%2Fa:1,%2Fb:2/db' \
        'postgresql://127.0.0.1:1,[::1]:2/' 'postgresql://:1,:2/' 'postgresql:///?host=/a,/b&port=1' \
        'host=/a,/b port=1 target_session_attrs=read-write' \
        'host=127.0.0.1,127.0.0.2 port=1 sslmode=require' \
        'host=/a,nobody.invalid,/c port=1'; do
        string=${string//\"/\'}
        in_vain "$string dbname=x" || { [[ $string == *://* ]] && in_vain "$string"; }
    done
}

# mismatched STRING: status 2, in libpq's words.
mismatched() {
    local status=0
    "$SERVER_BIN/psql" -Xw "$1" -c '' 2>theirs.said || true
    pgnudge "$1" 2>ours.said || status=$?
    cat ours.said theirs.said
    ((status == 2)) && [[ $(<ours.said) == "pgnudge: error: could not match "* ]]
    grep -qF "$(sed 's/^pgnudge: error: //' ours.said)" theirs.said
}

@test "counts that don't match: status 2, in libpq's words" {
    unset PGHOST PGPORT
    mismatched 'host=a,b port=1,2,3'
    mismatched 'host=a,b,c port=1,2'
    mismatched 'port=1,2'
    mismatched 'host=a hostaddr=::1,::2'
    mismatched 'host=a,b,c hostaddr=::1,::2'
    PGPORT=1,2 mismatched 'host=a'
    mismatched 'postgresql://a,b/?port=1,2,3'
    launch --visible-on 'host=a port=1,2'
    ends_with 2
    said '^pgnudge: error: --visible-on: could not match 2 port numbers to 1 hosts$'
}

# --- in order ---

@test "a host that refuses is passed over, and the log says which one it is" {
    listen -v "host=127.0.0.1,nobody.invalid,/nowhere,127.0.0.1 port=1,2,3,$PGPORT"
    said "connecting to host=127\.0\.0\.1,nobody\.invalid,/nowhere,127\.0\.0\.1 port=1,2,3,$PGPORT "
    said "logged in to server at \"127\.0\.0\.1\", port $PGPORT, "
    mark
    stop
    PGHOST=/nowhere,127.0.0.1 PGPORT=1,$PGPORT listen
    stop
    listen -h /nowhere,127.0.0.1 -p "$PGPORT" --visible-on "host=/nowhere,127.0.0.1 port=$PGPORT"
    mark
    stop
    listen "postgresql://nobody.invalid,127.0.0.1:$PGPORT,%2Fnowhere/?load_balance_hosts=random"
    mark
    stop
}

# with_hosts LINES COMMAND...: in a mount namespace of its own, where /etc/hosts has these lines.
with_hosts() {
    printf '%s\n' "$1" >hosts
    # shellcheck disable=SC2016 # expands in the inner shell
    unshare -m sh -c 'mount --bind hosts /etc/hosts && exec "$@"' sh "${@:2}"
}

@test "every address of a name is tried, by chance with load_balance_hosts" {
    local many=$'127.0.0.2 many\n127.0.0.3 many' string='host=many port=1 dbname=x'
    with_hosts "$many" true 2>/dev/null || skip 'mount namespaces are not to be had'
    with_hosts "$many" "$SERVER_BIN/psql" -Xw "$string" -c '' 2>theirs.said || true
    tried theirs.said >theirs
    in_turn() {
        with_hosts "$many" "$PGNUDGE" --no-reconnect "$1" 2>ours.said || true
        { grep 'detail: ' ours.said && grep 'error: ' ours.said; } >ours.turned
        tried ours.turned >ours
    }
    in_turn "$string"
    diff ours theirs
    (($(wc -l <ours) == 2))
    in_another_order() {
        in_turn "$string load_balance_hosts=random"
        diff <(sort ours) <(sort theirs) && ! diff ours theirs
    }
    wait_for in_another_order
    # The first one refuses, the second one takes it.
    with_hosts "${many/.3/.1}" timeout 60 "$PGNUDGE" --failsafe 10ms -n 1 host=many
}

@test "after a lost connection the list is gone through from its start" {
    local other=$SERVER-other database=$PGDATABASE
    standbys+=("$other")
    server_start "$other"
    PGDATABASE=postgres server_sql "$other" "CREATE DATABASE $database"
    server_stop "$other"
    listen -v "host=127.0.0.1,127.0.0.1 port=$(server_port "$other"),$PGPORT"
    server_start "$other"
    sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
    wait_for said "logged in to server at \"127\.0\.0\.1\", port $(server_port "$other"), "
    wait_for saw 'reasons == ["connected", "reconnected"]'
    # It is frozen: each address has the time of connect_timeout.
    frozen=("$(head -n 1 "$other/data/postmaster.pid")")
    kill -STOP "${frozen[@]}"
    stop
    listen "host=127.0.0.1,127.0.0.1 port=$(server_port "$other"),$PGPORT connect_timeout=1"
    mark
    stop
}

@test "a server that takes no connections yet leads on to the next host" {
    start_standby 'hot_standby = off'
    listen "host=127.0.0.1,127.0.0.1 port=$(server_port "$standby"),$PGPORT"
    stop
    launch --no-reconnect "host=127.0.0.1,/nowhere port=$(server_port "$standby")"
    ends_with 1
    said 'error: connection to server on socket "/nowhere/.* failed: '
    said "detail: Before that, connection to server at \"127\.0\.0\.1\", port .* failed: FATAL: "
}

@test "a refused login is the end of it" {
    printf '%s\n' 'a.invalid:*:*:*:wrong' 'b.invalid:*:*:*:secret' >.pgpass
    chmod 600 .pgpass
    refused 'failed: FATAL:  password authentication failed' -U secretive \
        'host=/nowhere,a.invalid,b.invalid hostaddr=,127.0.0.1,127.0.0.1'
    said 'detail: The password came from file '
    said 'detail: Before that, connection to server on socket'
    run ! said 'detail: Before that, with TLS'
}

@test "the password file is asked for each host, by its name and port" {
    printf '%s\n' "a.invalid:*:*:*:wrong" "*:1:*:*:wrong" "b.invalid:$PGPORT:*:*:secret" \
        '*:*:*:*:wrong' >.pgpass
    chmod 600 .pgpass
    listen -U secretive "host=a.invalid,b.invalid,b.invalid port=1,1,$PGPORT \
        hostaddr=127.0.0.1,127.0.0.1,127.0.0.1"
    mark
    stop
}

@test "TLS verifies the name of the host in use" {
    local string="hostaddr=127.0.0.1,127.0.0.1 port=1,$PGPORT sslmode=verify-full
        sslrootcert=$SERVER/certs/ours.crt"
    listen "host=a.invalid,localhost $string"
    mark
    stop
    refused 'does not match host name "a.invalid"' "host=localhost,a.invalid $string"
}

# --- which of them will do ---

# chooses PORT STRING: it logs in there.
chooses() {
    launch -v --no-reconnect "$2"
    wait_for said "logged in to .*port $1, "
    # A standby below 16 then has no slot for it.
    kill "$pid" 2>/dev/null || true
    wait_for ended "$pid"
    wait "$pid" || true
    said "logged in to .*port $1, "
    [[ $(grep -c 'logged in to' "$err") == 1 ]]
}

@test "target_session_attrs" {
    local both attrs there here=$PGPORT
    start_standby
    there=$(server_port "$standby")
    for both in "port=$there,$here" "port=$here,$there"; do
        both="host=127.0.0.1,127.0.0.1 $both"
        for attrs in read-write primary; do
            chooses "$here" "$both target_session_attrs=$attrs"
        done
        for attrs in read-only standby prefer-standby; do
            chooses "$there" "$both target_session_attrs=$attrs"
        done
    done
    chooses "$there" "host=127.0.0.1,127.0.0.1 port=$there,$here target_session_attrs=any"
    chooses "$here" "host=127.0.0.1,127.0.0.1 port=1,$here target_session_attrs=prefer-standby"
    PGTARGETSESSIONATTRS=standby chooses "$there" \
        "host=127.0.0.1,127.0.0.1 port=$here,$there load_balance_hosts=random"
    # --visible-on doesn't inherit it.
    PGTARGETSESSIONATTRS=primary PGLOADBALANCEHOSTS=random listen \
        --visible-on "host=127.0.0.1 port=$there"
    mark
    stop
    listen 'target_session_attrs=read-write' --visible-on "host=127.0.0.1 port=$there"
    mark
    stop
}

@test "target_session_attrs goes by the session, where it is about reading and writing" {
    local attrs
    sql "ALTER DATABASE $PGDATABASE SET default_transaction_read_only = on"
    listen target_session_attrs=read-only
    stop
    listen target_session_attrs=primary
    stop
    launch --no-reconnect target_session_attrs=read-write
    ends_with 1
    said 'error: connection to server at "127\.0\.0\.1", port .* failed: session is read-only'
    said 'hint: target_session_attrs=read-write asks for another server'
    sql 'SET default_transaction_read_only = off' \
        "ALTER DATABASE $PGDATABASE SET default_transaction_read_only = off"
    for attrs in standby read-only; do
        launch --no-reconnect "target_session_attrs=$attrs"
        ends_with 1
        said 'failed: (server is not in hot standby mode|session is not read-only)'
    done
    # One that doesn't fit is waited for, at the first connect too.
    launch --backoff 10ms,50ms target_session_attrs=read-only
    wait_for said 'warning: .*session is not read-only'
    sql "ALTER DATABASE $PGDATABASE SET default_transaction_read_only = on"
    wait_for saw 'reasons == ["connected"]'
    stop
}

on_new_primary() {
    server_sql "$standby" "$@"
}

@test "after a failover the new primary is found; before its promotion it is waited for" {
    start_standby
    listen --backoff 10ms,50ms -v "host=127.0.0.1,127.0.0.1 port=$PGPORT,$(server_port "$standby") \
        target_session_attrs=read-write"
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    server_stop "$SERVER" immediate
    # Nobody suits: the standby says that it is one, the old primary is down.
    wait_for said 'failed: session is read-only'
    wait_for said 'detail: Before that, connection to server at "127\.0\.0\.1", port .* failed: .*refused'
    wait_for said 'error: [0-9]+ attempts in a row failed, still trying: .*session is read-only'
    saw 'reasons == ["connected"]'
    on_new_primary 'SELECT pg_promote()' >/dev/null
    wait_for saw 'reasons == ["connected", "reconnected"]'
    on_new_primary 'INSERT INTO items (n) VALUES (1)'
    wait_for saw 'count("public.items") == 1'
    saw 'reasons == ["connected", "reconnected"]'
    kill "$pid"
    ends_with 0
    server_start "$SERVER"
}
