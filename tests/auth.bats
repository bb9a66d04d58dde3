#!/usr/bin/env bats
#
# Who pgnudge says it is, and what of a password crosses the wire.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"
# shellcheck source=tests/certs.bash
. "$BATS_TEST_DIRNAME/certs.bash"

setup_file() {
    start_server
    new_ca ours
    new_cert sha256 ours DNS:localhost
    new_cert sha384 ours DNS:localhost -sha384 -newkey rsa:2048
    new_cert ed25519 ours DNS:localhost -newkey ed25519
    printf '%s\n' 'local all postgres trust' 'local all clear password' \
        'local all all scram-sha-256' \
        'host all clear samehost password' 'host all md5_role,scram_by_md5 samehost md5' \
        'host all rejected samehost reject' 'host all pgnudge,plain samehost trust' \
        'host all scram,unicode,slow,nopassword samehost scram-sha-256' \
        >"$SERVER/data/pg_hba.conf"
    serve_cert sha256
    sql "CREATE ROLE scram LOGIN REPLICATION PASSWORD 'secret'" \
        "CREATE ROLE unicode LOGIN REPLICATION PASSWORD 'Pässwörd-日本-🐘'" \
        "CREATE ROLE clear LOGIN REPLICATION PASSWORD 'secret'" \
        "CREATE ROLE scram_by_md5 LOGIN REPLICATION PASSWORD 'secret'" \
        'CREATE ROLE nopassword LOGIN REPLICATION' 'CREATE ROLE rejected LOGIN REPLICATION' \
        'CREATE ROLE plain LOGIN' \
        "SET password_encryption = 'md5'" "CREATE ROLE md5_role LOGIN REPLICATION PASSWORD 'secret'"
}

setup() {
    common_setup
    export PGSSLMODE=disable PGPASSWORD=secret
}

# A login that works, over the link that SSLMODE gives.
works() { # SSLMODE [OPTION]...
    PGSSLMODE=$1 listen "${@:2}"
    mark
    stop
}

@test "SCRAM-SHA-256" {
    works disable -U scram
    PGHOST=$SERVER works disable -U scram
}

@test "SCRAM-SHA-256-PLUS over TLS, whatever hash the certificate is signed with" {
    works require -U scram -vv
    said 'SCRAM-SHA-256-PLUS'
    serve_cert sha384
    works require -U scram -vv
    said 'SCRAM-SHA-256-PLUS'
    serve_cert sha256
}

@test "SCRAM over TLS without the binding where the certificate has no hash to bind to" {
    serve_cert ed25519
    works require -U scram
    serve_cert sha256
}

@test "a password beyond ASCII" {
    PGPASSWORD='Pässwörd-日本-🐘' works disable -U unicode
    PGPASSWORD='Passwörd-日本-🐘' refused 'password authentication failed' -U unicode
}

@test "md5" {
    works disable -U md5_role
    works require -U md5_role
    PGPASSWORD=wrong refused 'password authentication failed' -U md5_role
}

@test "SCRAM where pg_hba.conf says md5" {
    works disable -U scram_by_md5
}

@test "a cleartext password goes over TLS and a Unix socket, never over TCP as it is" {
    works require -U clear
    PGHOST=$SERVER works disable -U clear
    refused 'clear' -U clear
    PGSSLMODE=require PGPASSWORD=wrong refused 'password authentication failed' -U clear
}

@test "channel_binding comes out as with psql, for every method" {
    local PGUSER PGSSLMODE PGCHANNELBINDING failures=0
    export PGUSER PGSSLMODE PGCHANNELBINDING
    for PGUSER in pgnudge scram md5_role clear; do
        for PGSSLMODE in disable require; do
            # What psql does here, pgnudge does not: it shows the password to the wire.
            [[ $PGUSER != clear || $PGSSLMODE != disable ]] || continue
            for PGCHANNELBINDING in disable prefer require; do
                as_psql "$PGUSER, $PGSSLMODE, $PGCHANNELBINDING" || failures=$((failures + 1))
            done
        done
    done
    ((failures == 0))
}

# required LIST ROLE...: with this require_auth, these roles get in, and the others don't.
required() {
    local outcome role
    for role in pgnudge clear md5_role scram; do
        outcome=$(PGREQUIREAUTH=$1 PGUSER=$role PGSSLMODE=require by_pgnudge)
        if [[ " ${*:2} " == *" $role "* ]]; then
            [[ $outcome == t ]]
        else
            [[ $outcome == refused ]] &&
                grep -q "require_auth is \"$1\", but the server wants" by_pgnudge
        fi || {
            echo "$1, $role: $outcome, $(<by_pgnudge)"
            return 1
        }
    done
}

@test "require_auth: the methods that are listed, or those that aren't ruled out" {
    required none pgnudge
    required password clear
    required md5 md5_role
    required scram-sha-256 scram
    required scram-sha-256,md5 scram md5_role
    required gss,sspi,oauth
    required none,password pgnudge clear
    required '!password' pgnudge md5_role scram
    required '!none' clear md5_role scram
    required '!md5,!none' clear scram
    required '!gss,!sspi,!oauth' pgnudge clear md5_role scram
}

@test "require_auth and channel_binding both count, and peer is none" {
    PGSSLMODE=require PGREQUIREAUTH=scram-sha-256 PGCHANNELBINDING=require listen -U scram
    stop
    PGSSLMODE=require PGREQUIREAUTH='!md5' PGCHANNELBINDING=require \
        refused 'channel_binding is "require", but the server wants a cleartext password' -U clear
    PGHOST=$SERVER PGREQUIREAUTH=scram-sha-256 refused 'the server wants no proof at all' \
        -U postgres
    PGHOST=$SERVER PGREQUIREAUTH=none works disable -U postgres
}

@test "a wrong password ends with status 3" {
    PGPASSWORD=wrong refused 'password authentication failed' -U scram
    PGSSLMODE=require PGPASSWORD=wrong refused 'password authentication failed' -U scram
}

@test "a password that is asked for and not known ends with status 3" {
    unset PGPASSWORD
    refused 'password' -U scram
    refused 'password' -U md5_role
    PGSSLMODE=require refused 'password' -U clear
}

@test "a role without a password ends with status 3" {
    refused 'password authentication failed' -U nopassword
}

@test "a role that isn't let in, or doesn't exist, ends with status 3" {
    refused 'pg_hba|reject' -U rejected
    refused 'pg_hba|does not exist' -U nobody_knows
}

@test "a role that may not replicate ends with status 3" {
    refused 'REPLICATION|replication' -U plain
}

@test "an iteration count beyond 10 000 000 is refused, not computed" {
    sql "CREATE ROLE slow LOGIN REPLICATION PASSWORD 'SCRAM-SHA-256\$10000001:$(
        printf %s salt-salt-salt-s | base64)\$$(head -c 32 /dev/zero | base64):$(
        head -c 32 /dev/zero | base64)'"
    refused 'iteration' -U slow
}

@test "a role that turned wrong later is waited for" {
    listen -U scram --backoff 10ms,50ms
    sql "ALTER ROLE scram PASSWORD 'other'" "SELECT pg_terminate_backend($(walsender))" >/dev/null
    wait_for said 'password authentication failed'
    sql "ALTER ROLE scram PASSWORD 'secret'"
    wait_for saw 'reasons == ["connected", "reconnected"]'
    stop
}

@test "no password is ever said, or shown by the process" {
    listen -U scram -vv
    run ! said 'secret'
    [[ $(tr '\0' '\n' <"/proc/$pid/environ") != *PGPASSWORD=secret* ]]
}

# kept USER [OPTION]...: in a login's memory nothing that a core dump has shows the password, which
# ends in "sesame".
kept() {
    local status=0
    listen -U "$@"
    ./memory_grep "$pid" "$(slot)" >places || status=$?
    ((status != 2)) || skip "another process's memory can't be read"
    ((status == 0)) # it does find what is there
    run ! ./memory_grep "$pid" sesame
    stop
}

@test "no core dump would show a password" {
    PGNUDGE=$(realpath "${PGNUDGE_PLAIN:-$repo/build/pgnudge}") # the sanitizer copies the environment
    local password # a long one, so that no later message overwrites it by chance
    password=$(printf %0500d 0)-sesame
    cc -o memory_grep "$repo/tests/tools/memory_grep.c"
    sql "ALTER ROLE scram PASSWORD '$password'" "ALTER ROLE clear PASSWORD '$password'" \
        "SET password_encryption = 'md5'" "ALTER ROLE md5_role PASSWORD '$password'"
    unset PGPASSWORD
    PGPASSWORD=$password kept scram
    PGPASSWORD=$password kept md5_role
    PGPASSWORD=$password PGSSLMODE=require kept clear
    PGPASSWORD=$password PGHOST=$SERVER kept clear
    kept scram "password=$password"
    kept scram "postgresql:///?password=$password" --visible-on "password='$password'"
    printf '%s\n' "*:*:*:*:$password" >.pgpass
    printf '%s\n' '[here]' "password=$password" >.pg_service.conf
    chmod 600 .pgpass
    kept scram
    rm .pgpass
    PGSERVICE=here kept scram
    sql "ALTER ROLE scram PASSWORD 'secret'" "ALTER ROLE clear PASSWORD 'secret'" \
        "SET password_encryption = 'md5'" "ALTER ROLE md5_role PASSWORD 'secret'"
}
