#!/usr/bin/env bats
#
# Each sslmode means what it means to libpq.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"
# shellcheck source=tests/certs.bash
. "$BATS_TEST_DIRNAME/certs.bash"

setup_file() {
    start_server
    new_ca ours
    new_ca theirs
    new_cert good ours DNS:localhost
    new_cert address ours IP:127.0.0.1
    new_cert elsewhere ours DNS:db.example.com
    new_cert wildcard ours 'DNS:*.example.com'
    new_cert untrusted theirs DNS:localhost
    printf '%s\n' 'local all all trust' 'hostssl all only_tls samehost trust' \
        'hostnossl all only_clear samehost trust' 'host all pgnudge samehost trust' \
        >"$SERVER/data/pg_hba.conf"
    serve_cert good
    sql 'CREATE ROLE only_tls LOGIN REPLICATION' 'CREATE ROLE only_clear LOGIN REPLICATION'
}

# mode SSLMODE ENCRYPTED [OPTION]...: listens, and is encrypted or not.
mode() {
    PGSSLMODE=$1 listen "${@:3}"
    [[ $(encrypted) == "$2" ]]
    mark
    stop
}

# verified SSLMODE CA [OPTION]...
verified() {
    PGSSLROOTCERT=$SERVER/certs/$2.crt mode "$1" t "${@:3}"
}

# distrusted REGEX SSLMODE CA [OPTION]...
distrusted() {
    PGSSLMODE=$2 PGSSLROOTCERT=$SERVER/certs/$3.crt refused "$1" "${@:4}"
}

@test "disable: in clear, and no TLS where the server insists on it" {
    mode disable f
    PGSSLMODE=disable refused 'pg_hba' -U only_tls
}

@test "allow: in clear, with TLS where the server insists on it" {
    mode allow f
    mode allow t -U only_tls
}

@test "prefer, the default: TLS, in clear where the server insists on it" {
    mode prefer t
    mode '' t
    mode prefer f -U only_clear
}

@test "require: TLS, whoever signed it" {
    mode require t
    serve_cert untrusted
    mode require t
    serve_cert good
    PGSSLMODE=require refused 'pg_hba' -U only_clear
}

@test "without TLS on the server, prefer goes on in clear, and require does not" {
    sql 'ALTER SYSTEM SET ssl = off' 'SELECT pg_reload_conf()' >/dev/null
    wait_for is_true "current_setting('ssl') = 'off'"
    mode prefer f
    mode allow f
    PGSSLMODE=require refused 'TLS|SSL'
    serve_cert good
}

@test "verify-ca: whatever the host, but signed by the right one" {
    verified verify-ca ours
    verified verify-ca ours -h localhost
    distrusted 'certificate' verify-ca theirs
}

@test "verify-full: the right host as well" {
    verified verify-full ours -h localhost
    distrusted 'certificate.*127\.0\.0\.1' verify-full ours -h 127.0.0.1
    distrusted 'certificate' verify-full theirs -h localhost
}

@test "verify-full: a certificate for an address" {
    serve_cert address
    verified verify-full ours -h 127.0.0.1
    distrusted 'certificate.*localhost' verify-full ours -h localhost
    serve_cert good
}

@test "verify-full: a certificate for another host, and an untrusted one" {
    serve_cert elsewhere
    distrusted 'certificate.*localhost' verify-full ours -h localhost
    verified verify-ca ours -h localhost
    serve_cert wildcard
    distrusted 'certificate.*localhost' verify-full ours -h localhost
    serve_cert untrusted
    distrusted 'certificate' verify-full ours -h localhost
    distrusted 'certificate' verify-ca ours -h localhost
    verified verify-full theirs -h localhost
    serve_cert good
}

@test "the root certificate comes from the home directory by default" {
    PGSSLMODE=verify-full refused 'root certificate.*root\.crt' -h localhost
    mkdir .postgresql
    cp "$SERVER/certs/ours.crt" .postgresql/root.crt
    mode verify-full t -h localhost
    cp "$SERVER/certs/theirs.crt" .postgresql/root.crt
    PGSSLMODE=verify-full refused 'certificate' -h localhost
}

@test "require verifies the signer where there is a root certificate, as libpq does" {
    mkdir .postgresql
    cp "$SERVER/certs/ours.crt" .postgresql/root.crt
    mode require t
    cp "$SERVER/certs/theirs.crt" .postgresql/root.crt
    PGSSLMODE=require refused 'certificate'
}

@test "every mode, certificate, root and role comes out as with psql" {
    local PGUSER PGSSLMODE cert root failures=0
    export PGUSER PGSSLMODE PGHOST=localhost
    mkdir .postgresql
    for cert in good elsewhere untrusted; do
        serve_cert "$cert"
        for root in none ours theirs; do
            rm -f .postgresql/root.crt
            [[ $root == none ]] || cp "$SERVER/certs/$root.crt" .postgresql/root.crt
            for PGUSER in pgnudge only_tls only_clear; do
                for PGSSLMODE in disable allow prefer require verify-ca verify-full; do
                    as_psql "$cert, root $root, $PGUSER, $PGSSLMODE" || failures=$((failures + 1))
                done
            done
        done
    done
    serve_cert good
    ((failures == 0))
}

@test "a root certificate file that is no certificate, or isn't there" {
    echo nonsense >root.crt
    PGSSLMODE=verify-ca PGSSLROOTCERT=$PWD/root.crt refused 'root\.crt'
    PGSSLMODE=verify-ca PGSSLROOTCERT=$PWD/nowhere.crt refused 'nowhere\.crt'
}

@test "a Unix socket has no use for TLS" {
    PGHOST=$SERVER mode verify-full f
}

@test "a flood goes through TLS as it does without" {
    listen
    [[ $(encrypted) == t ]]
    sql 'INSERT INTO orders (n) SELECT * FROM generate_series(1, 100000)' \
        "CREATE TABLE fat AS SELECT repeat(md5(random()::text), 500000) AS x"
    totals '{"public.fat": 1, "public.orders": 100000}'
    stop
}

@test "SIGTERM cancels the making of a slot over TLS too" {
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'blocker'"
    PGSSLMODE=verify-full PGSSLROOTCERT=$SERVER/certs/ours.crt launch -h localhost -U only_tls
    wait_for is_true 'EXISTS (SELECT FROM pg_replication_slots)'
    stop
    sql "ROLLBACK PREPARED 'blocker'"
}

# Its connections: the stream's, the gate's, and while it cancels a third.
connections() {
    local fd count=0
    for fd in "/proc/$pid/fd"/*; do
        [[ $(readlink "$fd") != socket:* ]] || count=$((count + 1))
    done
    ((count == $1))
}

@test "SIGTERM waits for the cancelling that --slot-timeout has begun" {
    local cancelled
    cancelled=$(grep -c 'canceling statement due to user request' "$SERVER/log" || true)
    frozen=("$(head -n 1 "$SERVER/data/postmaster.pid")")
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'blocker'"
    PGSSLMODE=require launch --slot-timeout 1s
    wait_for is_true 'EXISTS (SELECT FROM pg_replication_slots)'
    wait_for connections 2
    kill -STOP "${frozen[0]}"
    wait_for connections 3
    kill -TERM "$pid"
    kill -CONT "${frozen[0]}"
    ends_with 0
    frozen=()
    wait_for no_slot
    (($(grep -c 'canceling statement due to user request' "$SERVER/log") == cancelled + 1))
    sql "ROLLBACK PREPARED 'blocker'"
}

@test "the end of the server is seen through TLS" {
    PGSSLMODE=require listen --backoff 10ms,100ms
    server_restart "$SERVER" fast
    wait_for saw 'reasons == ["connected", "reconnected"]'
    server_restart "$SERVER" immediate
    wait_for saw 'reasons == ["connected", "reconnected", "reconnected"]'
    stop
}
