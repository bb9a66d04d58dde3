#!/usr/bin/env bats
#
# What pgnudge-errors(7) says is what comes out, each message and its hints provoked for real.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"
# shellcheck source=tests/certs.bash
. "$BATS_TEST_DIRNAME/certs.bash"

# The entries of the manual page, a line each: | `message`, `message` | `hint` `hint` |
rows() {
    sed 's/\\(dq/"/g; s/\\e/\\/g' "$repo/man/pgnudge-errors.7" | awk '
        function flush() {
            if (messages != "") print "|" messages " |" hints " |"
            messages = hints = ""
        }
        /^\.It Li "/ {
            if (hints != "") flush()
            messages = messages (messages != "" ? "," : "") " `" substr($0, 9, length($0) - 9) "`"
        }
        /^\.Dl "/ { hints = hints " `" substr($0, 6, length($0) - 6) "`" }
        /^[A-Z].*\.$/ { if (messages != "" && hints == "") hints = " " $0 }
        /^\.El/ { flush() }'
}

# codes: what stands between backticks, a line each.
codes() {
    # shellcheck disable=SC2016 # backticks of Markdown
    grep -oE '`[^`]*`' | tr -d '`'
}

# matches TEXT: one that may be read on standard input; "…" in it stands for anything. Quotes don't
# count: newer servers put them around the names of settings.
matches() {
    # shellcheck disable=SC2016 # a regular expression
    tr -d '"' | grep -aqE -- "$(sed 's/[][\.*^$(){}?+|/]/\\&/g; s/…/.*/g; s/"//g' <<<"$1")$2"
}

# cured MESSAGE: it was said, and after it the hints of its row.
cured() {
    local row hint hints
    row=$(rows | grep -F -- "\`$1\`")
    matches "$1" <"$err"
    mapfile -t hints < <(cut -d '|' -f 3 <<<"$row" | codes)
    for hint in "${hints[@]}"; do
        echo "hint: $hint"
        matches "pgnudge: hint: $hint" '$' <"$err"
    done
    [[ ! -s $out ]]
}

# teaches STATUS MESSAGE [OPTION]...
teaches() {
    local options=("${@:3}")
    if (($1 == 1)); then options+=(--no-reconnect); fi
    launch "${options[@]}"
    ends_with "$1"
    [[ $(grep -cvE '^pgnudge: (detail|hint): ' "$err") == 1 ]]
    cured "$2"
}

# The statement in the last hint that was printed.
statement() {
    sed -nE 's/^pgnudge: hint: ([^;]*;).*/\1/p' "$err" | tail -n 1
}

# hba LINE...: above all others.
hba() {
    { printf '%s\n' "$@" && cat "$SERVER/data/pg_hba.conf"; } >hba
    cp "$SERVER/data/pg_hba.conf" hba.before
    cat hba >"$SERVER/data/pg_hba.conf"
    reload
}

no_hba() {
    cat hba.before >"$SERVER/data/pg_hba.conf"
    reload
}

reload() {
    local before
    before=$(sql 'SELECT pg_conf_load_time()')
    sql 'SELECT pg_reload_conf()' >/dev/null
    wait_for is_true "pg_conf_load_time() > '$before'"
}

# restart_with SETTING...: those of ALTER SYSTEM.
restart_with() {
    local setting
    sql 'ALTER SYSTEM RESET ALL'
    for setting; do sql "ALTER SYSTEM SET $setting"; done
    server_restart "$SERVER"
}

# listener PERL: something else than a server, on $port.
listener() {
    rm -f port
    perl -MSocket -MIO::Handle -e '
        my $s;
        socket($s, PF_INET, SOCK_STREAM, 0) && bind($s, sockaddr_in(0, INADDR_LOOPBACK)) or die;
        '"$1"'
        my ($number) = sockaddr_in(getsockname($s));
        open(my $f, ">", "port.new"); print $f $number; close($f);
        rename("port.new", "port");
        sleep while 1' 3>&- &
    pids+=("$!")
    wait_for test -s port
    port=$(<port)
}

# answers BYTES: to whoever connects.
answers() {
    # shellcheck disable=SC2016 # Perl's variables
    listener 'listen($s, 9); if (!fork) {
        while (accept(my $c, $s)) { sysread($c, my $x, 9); syswrite($c, "'"$1"'"); sleep 1 if fork == 0 }
    }'
}

# --- the way there ---

@test "a name that doesn't resolve" {
    teaches 1 'could not translate host name "…" to address: …' -h nowhere.invalid
}

@test "a socket that isn't there" {
    teaches 1 'server on socket "…" failed: …' -h "$PWD"
}

@test "nothing listens" {
    teaches 1 'failed: Connection refused' -p 1
}

@test "no way there" {
    unshare -rn true 2>/dev/null || skip 'the network cannot be taken away here'
    printf '%s\n' '#!/bin/sh' "exec unshare -rn '$PGNUDGE' \"\$@\"" >offline
    chmod +x offline
    PGNUDGE=$PWD/offline
    teaches 1 'failed: Network is unreachable'
}

@test "nothing answers" {
    # A queue of connections that is full takes no more.
    # shellcheck disable=SC2016 # Perl's variables
    listener 'listen($s, 0); my @c = map {
        my $c; socket($c, PF_INET, SOCK_STREAM, 0); $c->blocking(0); connect($c, getsockname($s)); $c
    } 1 .. 8;'
    teaches 1 'failed: timeout expired' -p "$port" --connect-timeout 300ms
}

@test "something else listens" {
    # shellcheck disable=SC2016 # Perl's variables
    listener 'listen($s, 9);'
    teaches 1 'timeout expired before the login was complete' -p "$port" --connect-timeout 300ms
    answers 'HTTP/1.1 400 Bad Request\r\n\r\n'
    PGSSLMODE=disable teaches 3 "invalid response from the server (is this PostgreSQL?)" -p "$port"
    PGSSLMODE=require teaches 1 'received an invalid answer to the TLS request' -p "$port"
}

@test "a server without TLS" {
    PGSSLMODE=require teaches 3 'the server does not support TLS, but sslmode is "…"'
}

@test "a certificate that is not to be trusted" {
    export PGSSLMODE=verify-full PGSSLROOTCERT=$SERVER/certs/theirs.crt
    new_ca ours
    new_ca theirs
    new_cert elsewhere ours DNS:elsewhere.example
    serve_cert elsewhere
    teaches 3 'server certificate is not trusted: …'
    PGSSLROOTCERT=$SERVER/certs/ours.crt \
        teaches 3 'server certificate …does not match host name "…"'
    PGSSLROOTCERT=nowhere.crt teaches 3 'root certificate file "…" does not exist'
    new_expired too_old ours DNS:localhost
    serve_cert too_old
    PGSSLROOTCERT=$SERVER/certs/ours.crt \
        teaches 3 'server certificate is not trusted: certificate has expired'
    sql 'ALTER SYSTEM RESET ALL'
    reload
}

@test "a client certificate that the server doesn't trust, and keys that won't do" {
    export PGSSLMODE=require
    new_ca ours
    new_ca theirs
    new_cert good ours DNS:localhost
    new_cert client theirs DNS:pgnudge
    sql "ALTER SYSTEM SET ssl_ca_file = '$SERVER/certs/ours.crt'"
    serve_cert good
    cp "$SERVER/certs/client.key" key
    export PGSSLCERT=$SERVER/certs/client.crt PGSSLKEY=key
    chmod 600 key
    teaches 3 'the server refused the client certificate: …'
    chmod 644 key
    teaches 3 'private key file "…" has group or world access'
    openssl pkcs8 -topk8 -in "$SERVER/certs/client.key" -passout pass:x -out key
    chmod 600 key
    teaches 3 'private key file "…" is encrypted'
    sql 'ALTER SYSTEM RESET ALL'
    reload
}

@test "other flaws of the server's certificate" {
    local certs=$SERVER/certs
    export PGSSLMODE=verify-full PGSSLROOTCERT=$certs/ours.crt PGHOST=localhost
    new_ca ours
    new_cert good ours DNS:localhost "${ec[@]}"
    serve_cert good
    PGSSLROOTCERT=system teaches 3 \
        'server certificate is not trusted: unable to get local issuer certificate'
    PGHOST='' PGHOSTADDR=127.0.0.1 teaches 3 'sslmode verify-full needs a host name to verify'
    new_crl all ours good
    PGSSLCRL=$certs/all.crl teaches 3 'server certificate is not trusted: certificate revoked'
    new_ca theirs
    new_crl theirs theirs
    PGSSLCRL=$certs/theirs.crl teaches 3 \
        'server certificate is not trusted: unable to get certificate CRL'
    openssl ca -config "$certs/all.ca" -cert "$certs/ours.crt" -keyfile "$certs/ours.key" \
        -gencrl -crl_lastupdate 200101000000Z -crl_nextupdate 200102000000Z -out old.crl 2>/dev/null
    PGSSLCRL=old.crl teaches 3 'server certificate is not trusted: CRL has expired'
    new_early early ours DNS:localhost
    serve_cert early
    teaches 3 'server certificate is not trusted: certificate is not yet valid'
    new_cert five_bytes ours DER:30:07:87:05:7f:00:00:01:02 "${ec[@]}" # of an address
    serve_cert five_bytes
    teaches 3 'server certificate has a malformed name'
    sql 'ALTER SYSTEM RESET ALL'
    reload
}

# handshakes [OPTION]...: OpenSSL's server, on $port.
handshakes() {
    port=$((20000 + RANDOM % 10000))
    [[ -p no_input ]] || mkfifo no_input
    setpriv --pdeathsig KILL openssl s_server -quiet -accept "127.0.0.1:$port" \
        -cert "$SERVER/certs/good.crt" -key "$SERVER/certs/good.key" "$@" \
        <>no_input >s_server.log 2>&1 3>&- &
    pids+=("$!")
    wait_for accepts
}

@test "TLS that the server speaks otherwise" {
    export PGSSLMODE=require
    new_ca ours
    new_cert good ours DNS:localhost "${ec[@]}"
    sql "ALTER SYSTEM SET ssl_max_protocol_version = 'TLSv1.2'"
    serve_cert good
    PGSSLMINPROTOCOLVERSION=TLSv1.3 teaches 3 'TLS error: …'
    sql 'ALTER SYSTEM RESET ALL'
    reload
    export PGSSLNEGOTIATION=direct
    handshakes
    teaches 3 \
        'the direct TLS connection was established without the ALPN protocol "postgresql"' -p "$port"
    handshakes -alpn postgresql -Verify 1
    teaches 3 'the server wants a client certificate' -p "$port"
}

@test "a client certificate that isn't there, or that nobody asks for" {
    export PGSSLMODE=require PGSSLCERT=$PWD/client.crt PGSSLKEY=$PWD/client.key
    new_ca ours
    new_cert good ours DNS:localhost "${ec[@]}"
    serve_cert good
    PGSSLCERTMODE=require teaches 3 \
        'sslcertmode is "require", but certificate file "…" does not exist'
    ln -s client.crt client.crt
    teaches 3 'could not open certificate file "…": …'
    cp --remove-destination "$SERVER/certs/good.crt" client.crt
    teaches 3 'could not open private key file "…": …'
    install -m 600 "$SERVER/certs/good.key" client.key
    PGSSLCERTMODE=require teaches 3 'sslcertmode is "require", but the server did not …'
    sql 'ALTER SYSTEM RESET ALL'
    reload
}

@test "a server that asks for less than is required, or for what isn't there" {
    PGREQUIREAUTH=scram-sha-256 teaches 3 'require_auth is "…", but the server wants …'
    PGCHANNELBINDING=require teaches 3 'channel_binding is "require", but the server wants …'
    answers 'R\0\0\0\10\0\0\0\7'
    PGSSLMODE=disable teaches 3 \
        'the server requests authentication method …, which is not supported' -p "$port"
}

@test "a server that target_session_attrs doesn't want" {
    teaches 1 'server is not in hot standby mode' target_session_attrs=standby
    teaches 1 'session is not read-only' target_session_attrs=read-only
    sql "ALTER DATABASE $PGDATABASE SET default_transaction_read_only = on"
    teaches 1 'session is read-only' target_session_attrs=read-write
    allow_standbys
    start_standby
    teaches 1 'server is in hot standby mode' -p "$(server_port "$standby")" \
        target_session_attrs=primary
}

@test "a server that is too old" {
    answers 'R\0\0\0\10\0\0\0\0S\0\0\0\31server_version\00012.22\0K\0\0\0\14\0\0\0\1\0\0\0\1Z\0\0\0\5I'
    PGSSLMODE=disable teaches 3 'server at … runs PostgreSQL …, pgnudge needs 13' -p "$port"
}

@test "a server whose WAL is unknown" {
    answers 'R\0\0\0\10\0\0\0\0S\0\0\0\30server_version\00099.2\0K\0\0\0\14\0\0\0\1\0\0\0\1Z\0\0\0\5I'
    PGSSLMODE=disable teaches 3 'unsupported WAL: …' -p "$port" --transport physical
}

# --- the login ---

# Its line for pg_hba.conf, with "trust" as the method, lets pgnudge in.
hba_line_works() {
    hba "$(sed -nE 's/^pgnudge: hint: In .* refuse: (.*) scram-sha-256$/\1 trust/p' "$err")" \
        "$(head -n 1 "$SERVER/data/pg_hba.conf")"
    listen "$@"
    stop
    no_hba
}

@test "no line in pg_hba.conf, and one that rejects: the hint has the line" {
    sql 'CREATE ROLE "odd "" role" LOGIN REPLICATION' 'CREATE ROLE out LOGIN REPLICATION'
    teaches 3 'no pg_hba.conf entry for …' -U out
    hba_line_works -U out
    hba 'host all out samehost reject'
    teaches 3 'pg_hba.conf rejects …' -U out
    hba_line_works -U out
    no_hba
    hba 'local all out reject'
    launch -U out -h "$SERVER"
    ends_with 3
    said "refuse: local \"test_[0-9]+\" \"out\" scram-sha-256$"
    hba_line_works -U out -h "$SERVER"
    no_hba
    launch -U 'odd " role'
    ends_with 3
    said 'refuse: host "test_[0-9]+" "odd "" role" 127\.0\.0\.1/32 scram-sha-256$'
    sql 'DROP ROLE out, "odd "" role"'
}

@test "a role that isn't there, may not log in, or is another system user" {
    new_ca ours
    new_cert good ours DNS:localhost "${ec[@]}"
    sql "ALTER SYSTEM SET ssl_ca_file = '$SERVER/certs/ours.crt'"
    serve_cert good
    hba 'host all nobody_knows,shut samehost trust' 'local all other peer' \
        'hostssl all other samehost cert'
    sql 'CREATE ROLE shut REPLICATION' 'CREATE ROLE other LOGIN REPLICATION'
    teaches 3 'role "…" does not exist' -U nobody_knows
    teaches 3 'role "…" is not permitted to log in' -U shut
    sql "$(sed -nE 's/.*\((ALTER ROLE [^;]*;).*/\1/p' "$err")"
    listen -U shut
    stop
    teaches 3 'Peer authentication failed for user "…"' -U other -h "$SERVER"
    PGSSLMODE=require teaches 3 'connection requires a valid client certificate' -U other
    sql 'DROP ROLE shut, other' 'ALTER SYSTEM RESET ALL'
    no_hba
}

@test "a wrong password, none, and one that would go in clear" {
    hba 'host all secretive samehost scram-sha-256'
    sql "CREATE ROLE secretive LOGIN REPLICATION PASSWORD 'right'"
    PGPASSWORD=wrong teaches 3 'password authentication failed for user "…"' -U secretive
    teaches 3 'the server requests a password, but none is known' -U secretive -w
    no_hba
    hba 'host all secretive samehost password'
    PGPASSWORD=right teaches 3 \
        'the server requests a cleartext password over an unencrypted connection' -U secretive
    sql 'DROP ROLE secretive'
    no_hba
}

@test "a database that isn't there, or may not be connected to" {
    teaches 3 'database "…" does not exist' -d nowhere
    teaches 3 'database "doctor" does not exist' -d doctor
    local set_aside
    sql "REVOKE CONNECT ON DATABASE $PGDATABASE FROM public"
    teaches 3 'permission denied for database "…"'
    sql "$(statement)"
    listen
    stop
    set_aside="ALTER DATABASE $PGDATABASE ALLOW_CONNECTIONS false"
    PGDATABASE=postgres sql "$set_aside"
    teaches 3 'database "…" is not currently accepting connections'
    PGDATABASE=postgres sql "$(statement)"
    listen
    stop
}

@test "a role without REPLICATION" {
    hba 'host all "pl""ain",plain samehost trust'
    sql 'CREATE ROLE plain LOGIN'
    if is_true "current_setting('server_version_num')::int >= 160000"; then
        teaches 3 'permission denied to start WAL sender' -U plain
    else
        teaches 3 'must be superuser or replication role to start walsender' -U plain
    fi
    sql "$(statement)"
    listen -U plain
    stop
    sql 'DROP ROLE plain'
    no_hba
}

@test "the hint is chosen in any language" {
    localedef -i de_DE -f UTF-8 "$SERVER/de_DE.UTF-8" || skip 'no locale can be made here'
    export LOCPATH=$SERVER
    server_restart "$SERVER"
    sql "ALTER SYSTEM SET lc_messages = 'de_DE.UTF-8'" 'CREATE ROLE plain LOGIN'
    reload
    launch -U plain
    ends_with 3
    said FATAL: || {
        sql 'ALTER SYSTEM RESET ALL' 'DROP ROLE plain'
        unset LOCPATH
        server_restart "$SERVER"
        skip 'this server speaks English only'
    }
    grep -aq 'pg_hba.conf-Eintrag' "$err"
    said 'refuse: host "test_[0-9]+" "plain" 127\.0\.0\.1/32 scram-sha-256$'
    hba 'host all plain samehost trust'
    launch -U plain
    ends_with 3
    said 'hint: ALTER ROLE "plain" REPLICATION;'
    sql "REVOKE CONNECT ON DATABASE $PGDATABASE FROM public"
    launch
    ends_with 3
    grep -aq 'keine Berechtigung' "$err"
    said 'hint: GRANT CONNECT'
    sql "GRANT CONNECT ON DATABASE $PGDATABASE TO public" 'ALTER SYSTEM SET wal_level = replica'
    if ! decodes_at_replica; then
        server_restart "$SERVER"
        launch
        ends_with 3
        said 'hint: ALTER SYSTEM SET wal_level'
    fi
    sql 'ALTER SYSTEM RESET ALL' 'DROP ROLE plain'
    no_hba
    unset LOCPATH
    server_restart "$SERVER"
}

# --- what is used up, or turned off ---

@test "no walsender, no slot, no connection left" {
    restart_with 'max_wal_senders = 1' 'max_replication_slots = 1'
    listen
    teaches 1 'number of requested standby connections exceeds max_wal_senders …'
    kill "${pids[0]}"
    wait_for no_slot
    sql "SELECT pg_create_physical_replication_slot('taken')" >/dev/null
    wait_for is_true 'NOT EXISTS (SELECT FROM pg_stat_replication)'
    teaches 1 'all replication slots are in use'
    said 'hint: Free one or increase' # the server's own, too
    sql "SELECT pg_drop_replication_slot('taken')" 'ALTER ROLE pgnudge CONNECTION LIMIT 0'
    teaches 1 'too many connections for role "…"'
    sql "$(sed -nE 's/.*\((ALTER ROLE [^;]*;).*/\1/p' "$err")" \
        "ALTER DATABASE $PGDATABASE CONNECTION LIMIT 0"
    teaches 1 'too many connections for database "…"'
    sql "ALTER DATABASE $PGDATABASE CONNECTION LIMIT -1"
    restart_with
}

@test "no room for the visibility connection: the hint comes with its warning" {
    sql 'ALTER ROLE pgnudge CONNECTION LIMIT 0'
    "$SERVER_BIN/psql" -XAtq 'replication=database' -c IDENTIFY_SYSTEM >/dev/null 2>&1 ||
        sql 'ALTER ROLE pgnudge CONNECTION LIMIT 1' # where a walsender counts
    launch
    wait_for said 'warning: the visibility connection .* too many connections for role'
    wait_for said 'hint: pgnudge needs two connections'
    sql 'ALTER ROLE pgnudge CONNECTION LIMIT -1'
    wait_for saw 'length == 1'
    stop
}

@test "max_connections reached" {
    local i
    restart_with 'max_connections = 6' 'superuser_reserved_connections = 3' 'max_wal_senders = 3'
    for i in 1 2 3; do
        session "busy$i"
        ask "busy$i" 'SELECT 1'
    done
    teaches 1 'remaining connection slots are reserved …'
    for i in 4 5 6; do
        session "busy$i"
        tell "busy$i" 'SELECT 1'
    done
    wait_for answered busy6
    teaches 1 'sorry, too many clients already'
    kill "${pids[@]:0:6}" 2>/dev/null || true
    wait_for sql 'ALTER SYSTEM RESET ALL'
    server_restart "$SERVER"
}

# A pooler that passes replication on: settings made through it would stay in its connections.
@test "a pooler between is refused before anything is set" {
    local settings
    sql "ALTER ROLE pgnudge SET log_statement = 'all'"
    settings=$(grep -c 'statement: .*set_config' "$SERVER/log") || true
    proxy pid 1
    PGPORT=$proxy_port refused 'error: the visibility connection could not be made: a connection pooler is between'
    cured 'a connection pooler is between pgnudge and …'
    # The walsender's own two, and none on the other connection.
    run grep -c 'statement: .*set_config' "$SERVER/log"
    ((output == settings + 2))
    PGPORT=$proxy_port run -3 "$PGNUDGE" doctor
    grep -q 'FAIL  visibility connection: a connection pooler is between' <<<"$output"
    sql 'ALTER ROLE pgnudge RESET ALL'
}

@test "a visibility connection that reaches another server" {
    local other=$SERVER_ROOT/errors-other socket create="CREATE DATABASE $PGDATABASE"
    socket=$PWD/.s.PGSQL.$PGPORT
    server_start "$other"
    PGDATABASE=postgres server_sql "$other" "$create"
    ln -s "$SERVER/.s.PGSQL.$PGPORT" "$socket"
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'blocker'"
    PGHOST=$PWD launch --backoff 10ms,100ms
    wait_for said 'prepared transaction [0-9]+, "blocker"'
    ln -sf "$other/.s.PGSQL.$(server_port "$other")" "$socket"
    sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'pgnudge' AND backend_type = 'client backend'" >/dev/null
    wait_for cured 'the visibility connection … it reached another server than the stream'
    sql "ROLLBACK PREPARED 'blocker'"
    stop
    server_stop "$other" immediate
}

@test "wal_level, max_replication_slots: the hints' statements mend it" {
    restart_with 'wal_level = replica'
    if ! decodes_at_replica; then
        teaches 3 'logical decoding requires wal_level >= logical'
        sql "$(statement)"
        server_restart "$SERVER"
    fi
    listen
    stop
    restart_with 'max_replication_slots = 0'
    teaches 3 'replication slots can only be used if max_replication_slots > 0'
    sql "$(statement)"
    server_restart "$SERVER"
    listen
    stop
    restart_with
}

@test "a server that lets nobody in yet, and a standby below 16" {
    allow_standbys
    start_standby
    if ! is_true "current_setting('server_version_num')::int >= 160000"; then
        teaches 3 'logical decoding cannot be used while in recovery' -p "$(server_port "$standby")"
    fi
    echo 'hot_standby = off' >>"$standby/data/postgresql.conf"
    server_stop "$standby"
    server_start "$standby"
    teaches 1 'the database system is …' -p "$(server_port "$standby")"
}

# --- tables ---

@test "a table that isn't there" {
    teaches 3 'no table matches --tables "…"' -t public.nothing_of_the_kind
    launch -t public.ordres
    ends_with 3
    said '^pgnudge: hint: Did you mean public\.orders\?$'
}

# --- plugins ---

@test "a plugin that isn't installed" {
    sql "ALTER ROLE pgnudge SET dynamic_library_path = '/nowhere'"
    teaches 3 'could not access file "wal2json": …' --plugin wal2json
    teaches 3 'could not access file "test_decoding": …' --plugin test_decoding
    sql 'ALTER ROLE pgnudge RESET ALL'
}

@test "a plugin that isn't allowed" {
    is_true "EXISTS (SELECT FROM pg_settings WHERE name = 'output_plugin_libraries')" ||
        skip 'this server lets any plugin in'
    sql "ALTER ROLE pgnudge SET output_plugin_libraries = 'pgoutput'"
    teaches 3 'library "…" may not be used as an output plugin' --plugin wal2json
    sql "$(statement)"
    listen --plugin wal2json
    stop
    sql 'ALTER ROLE pgnudge RESET ALL'
}

# --- a pooler ---

@test "PgBouncer, which passes replication on or doesn't" {
    command -v pgbouncer >/dev/null || skip 'PgBouncer is not installed'
    bounce
    launch -p "$port"
    ends_with 3
    [[ ! -s $out ]]
    if ! said 'unsupported startup parameter'; then # 1.23 and newer
        cured 'a connection pooler is between pgnudge and …'
        return
    fi
    cured 'unsupported startup parameter: replication'
    bounce 'ignore_startup_parameters = replication'
    teaches 3 'syntax error …' -p "$port" --no-visibility-check
}

# --- publications ---

@test "publications" {
    sql 'CREATE TABLE parts (id int PRIMARY KEY, v int) PARTITION BY RANGE (id)' \
        'CREATE PUBLICATION part FOR TABLE items' \
        "CREATE PUBLICATION rooted FOR TABLE orders WITH (publish_via_partition_root)" \
        "CREATE PUBLICATION inserts FOR TABLE orders WITH (publish = 'insert, delete')"
    teaches 3 'publication … does not exist' --publication missing
    teaches 3 'publication … does not publish …' --publication inserts
    said 'does not publish UPDATE, TRUNCATE'
    sql "$(sed -nE 's/^pgnudge: hint: (ALTER .*)\.$/\1/p' "$err")"
    listen --publication inserts
    stop
    teaches 3 'publication … has publish_via_partition_root' --publication rooted
    sql "$(sed -nE 's/^pgnudge: hint: (ALTER .*)\.$/\1/p' "$err")"
    listen --publication rooted
    stop
    teaches 3 'table … is not in publication …' --publication part --tables public.items,public.orders
    said 'table public.orders is not in publication part'
    sql "$(sed -nE 's/^pgnudge: hint: (ALTER .*)\.$/\1/p' "$err")"
    listen --publication part --tables public.items,public.orders
    stop
}

@test "publications with row filters and column lists" {
    is_true "current_setting('server_version_num')::int >= 150000" || skip 'from 15 on'
    sql 'CREATE PUBLICATION filtered FOR TABLE orders WHERE (id > 5)' \
        'CREATE PUBLICATION narrow FOR TABLE orders (n)' \
        'CREATE PUBLICATION fitting FOR TABLE orders (id)'
    teaches 3 'publication … has a row filter on table …' --publication filtered
    teaches 3 'publication … has a column list on table … without its primary key' --publication narrow --keys
    listen --publication narrow
    stop
    listen --publication fitting --keys
    stop
}

# --- publishers and readers ---

@test "a standby has no channel" {
    allow_standbys
    start_standby
    local port
    port=$(server_port "$standby")
    teaches 3 '… is a standby, which has no LISTEN' --listen x -h "$standby" -p "$port" -U postgres
    launch --notify x --notify-to "host=$standby port=$port user=postgres"
    ends_with 3
    cured '--notify: … is a standby, which has no NOTIFY'
}

# publisher MEMBERS: a resync of one with these, in the file "lines".
publisher() {
    echo '{"type":"resync","reason":"connected","lsn":"0/1","session":"x","seq":1,'"$1}" >lines
}

@test "publishers that don't watch what a reader does" {
    echo '{"type":"batch","lsn":"0/1","events":[]}' >lines
    from=lines teaches 1 'an item has no session and no number: …' --from-stdin
    publisher '"partitions":"leaf","tables":[],"exclude":["*.x"]'
    from=lines teaches 3 'the publisher excludes …' --from-stdin
    publisher '"partitions":"leaf","tables":["*.x"],"exclude":[]'
    from=lines teaches 3 "the publisher doesn't watch …" --from-stdin --tables y
    from=lines teaches 3 "the publisher doesn't watch all tables" --from-stdin
    publisher '"partitions":"root","tables":[],"exclude":[]'
    from=lines teaches 3 'the publisher reports partitioned tables, …' --from-stdin --tables y
}

# --- the table ---

@test "every message of the table is provoked here" {
    local message source
    source=$(sed -z 's/ \\\n */ /g' "$BATS_TEST_FILENAME")
    while IFS= read -r message; do
        echo "$message"
        case $message in
            'failed: No route to host') ;; # as if the network were unreachable
            "the server's SCRAM signature is wrong") ;; # in tests/unit/test_scram.c
            *) grep -qF -e "teaches 1 '$message'" -e "teaches 3 '$message'" \
                -e "teaches 3 \"$message\"" -e "cured '$message'" <<<"$source" ;;
        esac
    done < <(rows | cut -d '|' -f 2 | codes)
}

# All hints but those about how a string or an option is written (status 2).
@test "every hint of the code is in the table" {
    local hint table hints
    table=$(rows | cut -d '|' -f 3 | codes)
    # shellcheck disable=SC2016 # Perl's variables
    mapfile -t hints < <(cd "$repo/src" && perl -0777 -ne '
        next if $ARGV =~ m{/(conncheck|connstring|requireauth)\.c$};
        s{/\*.*?\*/}{}gs; s{\x27"\x27}{}g; s{" ALPN "}{postgresql}g; s{"\s*\\?\n\s*"}{}g;
        my $is_table = $ARGV =~ /hints/;
        while (/(error_hint\([^,"]+,\s*|#define \w+_HINT[\s\\]+)?"((?:[^"\\\n]|\\.)*)"/g) {
            my ($is_hint, $text) = ($1, $2);
            next unless $is_hint || ($is_table && length($text) >= 24 && $text =~ / /);
            $text =~ s/\$hba/host "…" "…" …\/32 scram-sha-256/;
            $text =~ s/\$(role|database)/"…"/g;
            $text =~ s/%(\.\*)?s/…/g;
            $text =~ s/\\n/\n/g; $text =~ s/\\(.)/$1/g;
            print "$text\n" unless $text eq "…";
        }' {wire,conninfo,tls,net,auth,pq,repl,server,tables,bridge,catalog,visible,source,out,feed}/*.c)
    ((${#hints[@]} > 50))
    for hint in "${hints[@]}"; do
        echo "$hint"
        grep -qxF -- "$hint" <<<"$table"
    done
}
