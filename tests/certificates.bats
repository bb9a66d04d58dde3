#!/usr/bin/env bats
#
# Who the server is and who we are, by certificates, as libpq does it.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"
# shellcheck source=tests/certs.bash
. "$BATS_TEST_DIRNAME/certs.bash"

setup_file() {
    start_server
    server_certs
    client_certs
    printf '%s\n' 'local all all trust' 'hostssl all certified all cert' \
        'hostssl all pinned all scram-sha-256 clientcert=verify-full' \
        'host all pgnudge all trust' >"$SERVER/data/pg_hba.conf"
    cat "$SERVER"/certs/{clients,between}.crl >"$SERVER/certs/for_clients.crl"
    serve_cert good
    sql 'CREATE ROLE certified LOGIN REPLICATION' \
        "CREATE ROLE pinned LOGIN REPLICATION PASSWORD 'secret'" \
        "ALTER SYSTEM SET ssl_crl_file = '$SERVER/certs/for_clients.crl'" \
        "ALTER SYSTEM SET ssl_ca_file = '$SERVER/certs/clients.crt'"
    serve_cert good
    export TOOLS=$BATS_FILE_TMPDIR/tools
    mkdir -p "$TOOLS"
    # shellcheck disable=SC2046
    cc -o "$TOOLS/tls_front" "$repo/tests/tools/tls_front.c" $(pkg-config --cflags --libs openssl)
}

# What the server shows.
server_certs() {
    new_ca ours
    new_intermediate middle ours
    new_cert good ours DNS:localhost "${ec[@]}"
    new_cert taken_back ours DNS:localhost "${ec[@]}"
    new_cert below middle DNS:localhost "${ec[@]}"
    with_chain below below middle
    new_expired too_old ours DNS:localhost
    new_crl ours ours taken_back
    new_crl middle middle
}

# What pgnudge shows.
client_certs() {
    new_ca clients
    new_ca theirs
    new_intermediate between clients
    new_cert certified clients DNS:certified
    new_cert pinned clients DNS:pinned "${ec[@]}"
    new_cert below_between between DNS:certified "${ec[@]}"
    with_chain below_between below_between between
    new_cert stranger theirs DNS:certified "${ec[@]}"
    new_cert revoked clients DNS:certified "${ec[@]}"
    new_expired expired clients DNS:certified
    new_crl clients clients revoked
    new_crl between between
}

setup() {
    common_setup
    certs=$SERVER/certs
    export PGHOST=localhost PGSSLMODE=verify-full PGSSLROOTCERT=$certs/ours.crt
}

# opens [OPTION]...
opens() {
    listen "$@"
    mark
    stop
}

# shows NAME: this certificate, from now on.
shows() {
    export PGSSLCERT=$certs/$1.crt PGSSLKEY=$certs/$1.key
}

# --- who we are ---

@test "a client certificate logs in" {
    shows certified
    opens -U certified
    shows below_between-chain
    opens -U certified
    shows pinned
    PGPASSWORD=secret opens -U pinned
    PGPASSWORD=wrong refused 'password authentication failed' -U pinned
    refused 'certificate authentication failed' -U certified
    shows certified
    PGPASSWORD=secret refused 'authentication failed for user "pinned"' -U pinned
    unset PGSSLCERT PGSSLKEY
    opens "user=certified sslcert=$certs/certified.crt sslkey=$certs/certified.key"
}

@test "the certificate and the key come from the home directory by default" {
    mkdir .postgresql
    opens # without one
    refused 'requires a valid client certificate' -U certified
    cp "$certs/certified.crt" .postgresql/postgresql.crt
    refused 'private key file ".*/\.postgresql/postgresql\.key"' -U certified
    cp "$certs/certified.key" .postgresql/postgresql.key
    opens -U certified
    # The key goes with either.
    PGSSLCERT=$certs/certified.crt opens -U certified
}

@test "a certificate file that isn't there is none, and a refusal says so" {
    PGSSLCERT=$PWD/nowhere.crt opens
    PGSSLCERT=$PWD/nowhere.crt refused 'requires a valid client certificate' -U certified
    said 'detail: No client certificate was sent: file ".*/nowhere\.crt" does not exist'
    echo nonsense >nonsense.crt
    PGSSLCERT=$PWD/nonsense.crt refused 'could not read certificate file ".*/nonsense\.crt"'
}

@test "every client certificate, role, mode and version comes out as with psql" {
    local PGUSER PGSSLMODE PGSSLMAXPROTOCOLVERSION cert failures=0
    export PGUSER PGSSLMODE PGSSLMAXPROTOCOLVERSION
    cp "$certs/pinned.crt" mismatched.crt
    for cert in none certified below_between below_between-chain pinned stranger expired revoked \
        mismatched; do
        shows "$cert"
        [[ $cert != mismatched ]] ||
            export PGSSLCERT=$certs/pinned.crt PGSSLKEY=$certs/certified.key
        for PGUSER in certified pgnudge; do
            for PGSSLMODE in prefer verify-full; do
                for PGSSLMAXPROTOCOLVERSION in TLSv1.2 TLSv1.3; do
                    as_psql "$cert, $PGUSER, $PGSSLMODE, $PGSSLMAXPROTOCOLVERSION" ||
                        failures=$((failures + 1))
                done
            done
        done
    done
    ((failures == 0))
}

# With TLS 1.3 the server's word comes only after the handshake.
@test "a client certificate that the server refuses: it says why" {
    local PGSSLMAXPROTOCOLVERSION
    export PGSSLMAXPROTOCOLVERSION
    for PGSSLMAXPROTOCOLVERSION in TLSv1.2 TLSv1.3; do
        shows expired
        refused 'server refused the client certificate: it has expired'
        said 'detail: .*expired\.crt'
        shows revoked
        refused 'server refused the client certificate: it has been revoked'
        shows stranger
        refused 'server refused the client certificate: its CA is unknown'
        said 'hint: .*ssl_ca_file'
    done
}

# key_refused REGEX: with ./key, which comes to nobody's eyes.
key_refused() {
    PGSSLKEY=$PWD/key refused "$1" -U certified
    run ! said 'BEGIN|MII|sesame'
}

@test "the key: who may read it" {
    export PGSSLCERT=$certs/certified.crt
    cp "$certs/certified.key" key
    chmod 604 key
    key_refused 'private key file ".*/key" has group or world access'
    said "hint: chmod 0600 $PWD/key"
    ((EUID)) || chown nobody key
    chmod 640 key
    key_refused 'group or world access'
    chmod 600 key
    PGSSLKEY=$PWD/key opens -U certified
    chmod 400 key
    PGSSLKEY=$PWD/key opens -U certified
    ((EUID)) || {
        chown 0 key
        chmod 640 key
        PGSSLKEY=$PWD/key opens -U certified
        chmod 660 key
        key_refused 'group or world access'
    }
}

@test "the key: what is wrong with it" {
    export PGSSLCERT=$certs/certified.crt
    key_refused 'could not open private key file ".*/key": No such file'
    said 'sslcertmode=disable'
    mkdir key
    key_refused 'is not a regular file'
    rmdir key && mkfifo -m 600 key
    key_refused 'is not a regular file'
    rm key && install -m 600 /dev/null key
    key_refused 'could not load private key file'
    head -c 40000 /dev/zero >key
    key_refused 'above 32768 bytes'
    cp "$certs/pinned.key" key
    key_refused 'certificate file ".*/certified.crt" does not match private key file ".*/key"'
    openssl pkey -in "$certs/certified.key" -outform DER -out key
    PGSSLKEY=$PWD/key opens -U certified
    PGSSLKEY=pkcs11:token run --separate-stderr pgnudge
    ((status == 2))
    # shellcheck disable=SC2154
    [[ $stderr == *'engine'* ]]
}

@test "an encrypted key, and sslpassword" {
    local form
    export PGSSLCERT=$certs/certified.crt
    openssl pkcs8 -topk8 -in "$certs/certified.key" -passout 'pass:open sesame' -out pkcs8
    openssl rsa -aes256 -traditional -in "$certs/certified.key" -passout 'pass:open sesame' \
        -out traditional 2>/dev/null
    for form in pkcs8 traditional; do
        install -m 600 "$form" key
        PGSSLKEY=$PWD/key opens -U certified "sslpassword='open sesame'"
        key_refused 'private key file ".*/key" is encrypted'
        said 'hint: .*sslpassword'
        PGSSLKEY=$PWD/key refused "sslpassword doesn't decrypt private key file" -U certified \
            "sslpassword='open'"
        PGSSLKEY=$PWD/key refused "sslpassword doesn't decrypt private key file" -U certified \
            "sslpassword='$(printf %02000d 1)'"
        # As libpq, which has it too.
        PGUSER=certified PGSSLKEY=$PWD/key PGDATABASE="dbname=$PGDATABASE sslpassword='open sesame'" \
            as_psql "$form"
    done
}

@test "OpenSSL never asks for a passphrase on the terminal" {
    export PGSSLCERT=$certs/certified.crt PGSSLKEY=$PWD/key PGUSER=certified
    openssl pkcs8 -topk8 -in "$certs/certified.key" -passout 'pass:open sesame' -out key
    chmod 600 key
    timeout -s KILL 30 script -qec "'$PGNUDGE'" said </dev/null >/dev/null || true
    grep -q 'key" is encrypted' said
    run ! grep -qi 'enter\|phrase:' said
}

@test "sslcertmode: disable, allow, require" {
    shows certified
    PGSSLCERTMODE=disable refused 'requires a valid client certificate' -U certified
    PGSSLCERTMODE=disable PGSSLKEY=$PWD/nowhere opens
    opens -U certified sslcertmode=allow
    opens -U certified sslcertmode=require
    PGSSLCERT=$PWD/nowhere.crt refused 'sslcertmode is "require", but .*nowhere\.crt" does not exist' \
        sslcertmode=require
    PGSSLMODE=disable refused 'sslcertmode is "require", but .*did not ask for' sslcertmode=require
    sql 'ALTER SYSTEM RESET ssl_ca_file'
    serve_cert good
    opens sslcertmode=allow
    refused 'sslcertmode is "require", but the server did not ask for' sslcertmode=require
    sql "ALTER SYSTEM SET ssl_ca_file = '$certs/clients.crt'"
    serve_cert good
}

# --- who the server is ---

@test "the server must send the intermediate certificates" {
    serve_cert below
    refused 'server certificate is not trusted: unable to get local issuer certificate'
    said 'detail: .*subject "CN=localhost" and the issuer "CN=middle"'
    said 'hint: .*ours\.crt.*intermediate'
    cat "$certs/ours.crt" "$certs/middle.crt" >roots.crt
    PGSSLROOTCERT=$PWD/roots.crt opens
    PGSSLROOTCERT=$certs/middle.crt refused 'not trusted: unable to get issuer certificate'
    serve_cert below-chain
    opens
    PGSSLROOTCERT=$certs/theirs.crt refused 'not trusted'
    serve_cert good
}

@test "a server certificate that has expired" {
    serve_cert too_old
    refused 'server certificate is not trusted: certificate has expired'
    said 'detail: .*subject "CN=localhost" and the issuer "CN=ours", and is valid from .* to .* GMT'
    said "hint: .*clock"
    PGSSLMODE=verify-ca refused 'expired'
    PGSSLMODE=require PGSSLROOTCERT=$PWD/nowhere opens
    serve_cert good
}

@test "a server certificate that was revoked" {
    export PGSSLCRL=$certs/ours.crl
    opens
    serve_cert taken_back
    refused 'server certificate is not trusted: certificate revoked'
    said 'detail: .*subject "CN=localhost"'
    PGSSLCRL='' opens
    PGSSLCRL=$PWD/nowhere.crl opens # as libpq: "if it exists"
    # In a directory, under the names that OpenSSL looks for.
    mkdir crls .postgresql
    cp "$certs/ours.crl" crls
    openssl rehash crls
    PGSSLCRL='' PGSSLCRLDIR=$PWD/crls refused 'certificate revoked'
    cp "$certs/ours.crl" .postgresql/root.crl
    PGSSLCRL='' refused 'certificate revoked'
    refused 'certificate revoked' sslcrl=
    # A named one stands in for the one in the home directory.
    PGSSLCRL=$certs/theirs.crl opens
    serve_cert good
}

@test "revocation lists: every CA of the chain needs one, and the file must be one" {
    export PGSSLCRL=$certs/ours.crl
    serve_cert below-chain
    refused 'not trusted: unable to get certificate CRL'
    said 'hint: .*revocation list of each CA'
    PGSSLCRL=$certs/middle.crl refused 'not trusted: unable to get certificate CRL'
    cat "$certs"/{ours,middle}.crl >both.crl
    PGSSLCRL=$PWD/both.crl opens
    serve_cert good
    PGSSLCRL=$certs/middle.crl refused 'unable to get certificate CRL'
    PGSSLCRL=$certs/ours.crt refused 'could not read certificate revocation list file ".*ours\.crt"'
    PGSSLCRLDIR=$PWD/nowhere PGSSLCRL='' refused 'unable to get certificate CRL'
    # The system's CAs have none, but one that is asked for counts.
    export SSL_CERT_FILE=$certs/ours.crt
    opens sslrootcert=system
    PGSSLCRL=$certs/middle.crl refused 'unable to get certificate CRL' sslrootcert=system
    mkdir .postgresql
    cp "$certs/middle.crl" .postgresql/root.crl
    PGSSLCRL='' opens sslrootcert=system
}

@test "every name in a certificate comes out as with psql" {
    local PGHOST cert failures=0
    export PGHOST
    new_cert names ours 'DNS:db.example.com,DNS:localhost' "${ec[@]}"
    new_cert upper ours 'DNS:LOCALHOST' "${ec[@]}"
    new_cert wildcard ours 'DNS:*.example.com' "${ec[@]}"
    new_cert short_wildcard ours 'DNS:*.local' "${ec[@]}"
    new_cert partial_wildcard ours 'DNS:d*.example.com' "${ec[@]}"
    new_cert v4 ours IP:127.0.0.1 "${ec[@]}"
    new_cert v6 ours 'IP:::1' "${ec[@]}"
    new_cert both ours 'IP:192.0.2.1,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1,DNS:localhost' "${ec[@]}"
    new_cert text_v4 ours DNS:127.0.0.1 "${ec[@]}"
    cn=localhost new_cert common_name ours '' "${ec[@]}"
    cn=127.0.0.1 new_cert common_v4 ours '' "${ec[@]}"
    cn=localhost new_cert common_and_name ours DNS:db.example.com "${ec[@]}"
    cn=localhost new_cert common_and_address ours IP:192.0.2.1 "${ec[@]}"
    cn=127.0.0.1 new_cert v4_and_name ours DNS:db.example.com "${ec[@]}"
    cn=127.0.0.1 new_cert v4_and_address ours IP:192.0.2.1 "${ec[@]}"
    cn=localhost new_cert email ours email:me@example.com "${ec[@]}"
    for cert in names upper wildcard short_wildcard partial_wildcard v4 v6 both text_v4 \
        common_name common_v4 common_and_name common_and_address v4_and_name v4_and_address email
    do
        serve_cert "$cert"
        for PGHOST in localhost db.example.com a.db.example.com db.local 127.0.0.1 ::1; do
            PGHOSTADDR=127.0.0.1 as_psql "$cert, $PGHOST" || failures=$((failures + 1))
        done
    done
    serve_cert good
    ((failures == 0))
}

@test "a certificate for others: it says whose it is" {
    new_cert many ours 'DNS:db.example.com,IP:192.0.2.1,DNS:x.example.com' "${ec[@]}"
    serve_cert many
    refused 'server certificate for "db\.example\.com" \(and 2 other names\) does not match host name "localhost"'
    said 'detail: .*subject "CN='
    serve_cert good
}

@test "versions of TLS that the server hasn't" {
    configure ssl_max_protocol_version TLSv1.2
    serve_cert good
    opens
    refused 'TLS error: .*(version|protocol)' ssl_min_protocol_version=TLSv1.3
    said 'hint: .*ssl_min_protocol_version'
    configure ssl_max_protocol_version TLSv1.3
    configure ssl_min_protocol_version TLSv1.3
    serve_cert good
    opens
    refused 'TLS error: .*(version|protocol)' ssl_max_protocol_version=TLSv1.2
    configure ssl_min_protocol_version TLSv1.2
    serve_cert good
}

# --- the handshake first ---

# front CERT ALPN: tls_front, as $front_port.
front() {
    "$TOOLS/tls_front" "$certs/$1.crt" "$certs/$1.key" "$2" "$(server_port "$SERVER")" \
        >front.port 2>/dev/null 3>&- &
    pids+=("$!")
    wait_for test -s front.port
    front_port=$(<front.port)
}

@test "sslnegotiation=direct: the handshake comes first, with ALPN" {
    front good postgresql
    export PGPORT=$front_port
    opens sslnegotiation=direct
    PGSSLNEGOTIATION=direct opens
    # Whatever else is verified is verified here too.
    refused 'does not match host name "127\.0\.0\.1"' 'host=127.0.0.1 sslnegotiation=direct'
    PGSSLROOTCERT=$certs/theirs.crt refused 'not trusted' sslnegotiation=direct
}

@test "sslnegotiation=direct: CancelRequest goes the same way" {
    front good postgresql
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'blocker'"
    PGPORT=$front_port launch sslnegotiation=direct
    wait_for is_true 'EXISTS (SELECT FROM pg_replication_slots)'
    stop
    sql "ROLLBACK PREPARED 'blocker'"
}

@test "sslnegotiation=direct: a server that selects no ALPN, or that waits for an SSLRequest" {
    front good ''
    PGPORT=$front_port refused 'without the ALPN protocol "postgresql"' sslnegotiation=direct
    said 'hint: .*PostgreSQL 17'
    launch --no-reconnect "host=localhost sslnegotiation=postgres port=$front_port"
    ends_with 1 # an SSLRequest is no handshake
    (($(sql 'SHOW server_version_num') < 170000)) || return 0
    launch --no-reconnect sslnegotiation=direct
    ends_with 1
    said 'hint: .*PostgreSQL 17'
}

@test "sslnegotiation=direct with PostgreSQL 17" {
    (($(sql 'SHOW server_version_num') >= 170000)) || skip 'the server is older'
    opens sslnegotiation=direct
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'blocker'"
    launch sslnegotiation=direct
    wait_for is_true 'EXISTS (SELECT FROM pg_replication_slots)'
    stop
    sql "ROLLBACK PREPARED 'blocker'"
}

# --- the other end of a Unix socket ---

@test "requirepeer: the user whom the server runs as, on a Unix socket only" {
    export PGHOST=$SERVER
    opens "requirepeer=$SERVER_USER"
    PGREQUIREPEER=$SERVER_USER opens
    refused "requirepeer specifies \"somebody\", but the server runs as user \"$SERVER_USER\"" \
        requirepeer=somebody
    PGHOST=localhost opens requirepeer=somebody
}
