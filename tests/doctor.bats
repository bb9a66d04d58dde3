#!/usr/bin/env bats
#
# "pgnudge doctor": what it finds, what mends it, and that nothing of it stays.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"
# shellcheck source=tests/certs.bash
. "$BATS_TEST_DIRNAME/certs.bash"

report=report.txt

# examine STATUS [OPTION]...: the doctor ends with it, and its document says the same as its lines.
examine() {
    local status=0
    pgnudge doctor "${@:2}" >"$report" 2>doctor.err || status=$?
    cat "$report" doctor.err
    [[ ! -s doctor.err ]]
    echo "status $status, expected $1"
    ((status == $1))
    agrees "$@"
}

# agrees STATUS [OPTION]...
agrees() {
    local status=0
    # What the first one had may be there for a moment longer.
    [[ -z ${walsenders:-} ]] || wait_for is_true "count(*) = $walsenders FROM pg_stat_replication"
    pgnudge doctor --json "${@:2}" >"$report.json" || status=$?
    ((status == $1))
    jq -er --arg status "$1" '
        def sign: if . == "fail" then "FAIL" else . end;
        select(.ready == ($status == "0"))
        | (.checks[] | ((.status | sign) + "      ")[0:6] + .check
                           + (if .object then " " + .object else "" end) + ": " + .text,
                       (.fixes[] | "      " + .)),
          (.plugin | "use   \(.use // "no plugin"): \(.text)"),
          (.options[] | "use   \(.use): \(.text)")' \
        "$report.json" >"$report.lines"
    diff <(without_chance "$report.lines") <(grep -v '^result: ' "$report" | without_chance)
}

# What differs from run to run.
without_chance() {
    sed -E 's/[0-9.]+ ms/T ms/; s/open for [0-9]+ s/open for N s/; s/[0-9]+ s ago/N s ago/
        s/(slots|walsenders): [0-9]+ of/\1: N of/' "$@"
}

# line STATUS REGEX: such a line, once.
line() {
    echo "looking for: $1 $2"
    (($(grep -cE "^$1 +$2" "$report") == 1))
}

no_line() {
    ! grep -qE "^(ok|warn|FAIL) +$1" "$report"
}

# fix REGEX: below some line.
fix() {
    echo "looking for the fix: $1"
    grep -qE "^      $1" "$report"
}

# fixes WORD: those that begin with it, as they are.
fixes() {
    grep -E "^      $1" "$report"
}

no_session() {
    is_true "NOT EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'pgnudge')"
}

teardown() {
    sql 'SET synchronous_commit = local' 'ALTER ROLE pgnudge RESET ALL' \
        'ALTER ROLE pgnudge REPLICATION CONNECTION LIMIT -1'
    sql "SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts" | sql
    common_teardown
}

# --- a server that is all right ---

@test "all is ok, and a feed works" {
    examine 0
    run ! grep -E '^(warn|FAIL)' "$report"
    line ok 'reachability: server at "127.0.0.1", port [0-9]+, .* ms'
    line ok 'tls: '
    line ok "login: user \"pgnudge\", database \"$PGDATABASE\""
    line ok 'server: PostgreSQL [0-9]'
    line ok 'platform: '
    line ok 'wal_level: logical'
    line ok 'replication: '
    line ok 'slots: 20 of 20 free'
    line ok 'walsenders: 20 of 20 free'
    line ok 'output_plugin_libraries: '
    line ok 'wal_sender_timeout: 60 s'
    line ok 'synchronous_standby_names: none'
    line ok 'encoding: UTF8'
    line ok 'tables: all, at present 4, '
    line ok 'visibility connection: '
    line ok 'transactions: none'
    line ok 'plugin test_decoding: '
    line ok 'plugin wal2json: '
    line ok 'round trip: a message came back through test_decoding after [0-9.]+ ms'
    line use 'test_decoding: '
    [[ $(tail -n 1 "$report") == 'result: ready' ]]
    wait_for no_slot
    wait_for no_session
}

@test "each plugin brings the message back" {
    for plugin in $plugins; do
        examine 0 --plugin "$plugin"
        line ok "round trip: a message came back through $plugin after"
        line use "$plugin: "
    done
}

@test "a Unix-domain socket" {
    PGHOST=$SERVER PGUSER=postgres examine 0
    line ok 'reachability: server on socket'
    line ok 'tls: not needed'
}

@test "running feeds take no notice, and the doctor none of them" {
    local first
    listen
    first=$out
    listen --plugin wal2json
    examine 0
    line ok 'slots: 18 of 20 free'
    line ok 'walsenders: 18 of 20 free'
    totals '{}'
    saw 'reasons == ["connected"]'
    out=$first wait_for saw 'count("public.marker") == 1'
    out=$first saw 'length == 2 and reasons == ["connected"]'
}

@test "the role may set what it likes" {
    sql 'ALTER ROLE pgnudge SET client_min_messages = error' \
        'ALTER ROLE pgnudge SET default_transaction_read_only = on' \
        "ALTER ROLE pgnudge SET search_path = 'nowhere'" \
        "ALTER ROLE pgnudge SET statement_timeout = '1min'"
    examine 0
    line ok 'round trip: '
}

@test "a role that may not send messages has a feed all the same" {
    sql "SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC;', oid::regprocedure)
         FROM pg_proc WHERE proname = 'pg_logical_emit_message'" | sql
    examine 0
    line warn 'round trip: .*permission denied for function pg_logical_emit_message'
}

# --- what ends with status 3 ---

# fails NAME [OPTION]...: just this check.
fails() {
    examine 3 "${@:2}"
    line FAIL "$1: "
    (($(grep -c '^FAIL' "$report") == 1))
    [[ $(tail -n 1 "$report") == 'result: NOT READY, 1 check failed' ]]
    line use 'no plugin: ' || line use 'test_decoding: ' || line use 'wal2json: '
}

@test "nobody listens" {
    PGPORT=1 fails reachability
    fix '.*listen_addresses'
    no_line login
    PGHOST=/nowhere fails reachability
    PGHOST=no-such-host.invalid fails reachability
}

@test "pg_hba.conf lets the role not in" {
    sql 'CREATE ROLE stranger LOGIN REPLICATION'
    PGUSER=stranger fails login
    line FAIL 'login: .*pg_hba.conf'
    fix '.*pg_hba.conf'
    line ok reachability
    no_line replication
    sql 'DROP ROLE stranger'
}

@test "a database that doesn't exist, and a wrong password" {
    PGDATABASE=nowhere fails login
    sql "SET password_encryption = 'scram-sha-256'; CREATE ROLE locked LOGIN REPLICATION PASSWORD 'right'"
    echo 'host all locked samehost scram-sha-256' >>"$SERVER/data/pg_hba.conf"
    sql 'SELECT pg_reload_conf()'
    wait_for is_true "EXISTS (SELECT FROM pg_hba_file_rules WHERE user_name = '{locked}')"
    PGUSER=locked PGPASSWORD=wrong fails login
    fix '.*password'
    run ! grep -q wrong "$report" "$report.json"
    PGUSER=locked PGPASSWORD=right examine 0
    line ok 'login: .* authentication: SCRAM-SHA-256'
    sql 'DROP ROLE locked'
}

@test "a role without REPLICATION, of which the rest is still told" {
    sql 'ALTER ROLE pgnudge NOREPLICATION'
    fails replication --tables public.orders
    fix 'ALTER ROLE "pgnudge" REPLICATION;'
    line ok 'server: '
    line ok 'wal_level: logical'
    line ok 'table public.orders: '
    no_line plugin
    no_line 'visibility connection'
    sql "$(grep -oE 'ALTER ROLE .*;' "$report")"
    examine 0
}

@test "the platform shows by its signs, and has fixes of its own" {
    sql 'CREATE ROLE rds_superuser' 'ALTER ROLE pgnudge NOREPLICATION'
    fails replication
    line ok 'platform: Amazon RDS'
    fix 'GRANT rds_replication TO "pgnudge";'
    sql 'DROP ROLE rds_superuser' 'CREATE ROLE azure_pg_admin' 'ALTER ROLE pgnudge REPLICATION'
    examine 0
    line ok 'platform: Azure'
    sql 'DROP ROLE azure_pg_admin'
}

@test "the visibility connection is refused" {
    sql 'ALTER ROLE pgnudge CONNECTION LIMIT 0' # not every release counts a walsender
    "$SERVER_BIN/psql" -XAtq "host=127.0.0.1 port=$PGPORT user=pgnudge replication=database" \
        -c IDENTIFY_SYSTEM >/dev/null 2>&1 || sql 'ALTER ROLE pgnudge CONNECTION LIMIT 1'
    fails 'visibility connection'
    line ok 'replication: '
    line ok 'wal_level: '
    line ok 'plugin test_decoding: '
    no_line 'round trip'
    examine 0 --no-visibility-check
    line warn 'visibility connection: '
}

@test "every slot is in use" {
    sql "SELECT pg_create_physical_replication_slot('s' || n) FROM generate_series(1, 20) n" >/dev/null
    examine 0
    line warn 'slots: none free: all 20 are in use; pgnudge waits for one'
    [[ $(tail -n 1 "$report") == 'result: ready, with '* ]]
    fix 'ALTER SYSTEM SET max_replication_slots = 40;'
    no_line plugin
    sql 'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots' >/dev/null
}

@test "on a terminal failures come again at the end" {
    PGPORT=1 script -qec "$PGNUDGE doctor" /dev/null >screen || true
    (($(grep -c '^FAIL  reachability' screen) == 2))
    [[ $(tail -n 3 screen | head -n 1) == 'FAIL  reachability'* ]]
}

@test "a word doctor that is not the first gets a hint" {
    refused 'database "doctor" does not exist' -v doctor
    said 'hint: To run the doctor, put the word first: pgnudge doctor '
    run pgnudge shop doctor
    [[ $status == 2 && $output == *'hint: To run the doctor, put the word first'* ]]
    run pgnudge shop other
    [[ $status == 2 && $output != *'To run the doctor'* ]]
}

@test "wal_level and walsenders" {
    PGDATABASE=postgres sql 'ALTER SYSTEM SET wal_level = replica'
    server_restart "$SERVER"
    if is_true "current_setting('server_version_num')::int < 190000"; then
        fails wal_level
        line FAIL 'wal_level: replica'
        fix 'ALTER SYSTEM SET wal_level = logical;'
        no_line plugin
        sql 'CREATE ROLE rds_superuser'
        fails wal_level
        fix 'Set wal_level = logical as pgnudge-setup\(7\) says for Amazon RDS'
        sql 'DROP ROLE rds_superuser'
    fi
    PGDATABASE=postgres sql 'ALTER SYSTEM RESET wal_level' 'ALTER SYSTEM SET max_wal_senders = 1'
    server_restart "$SERVER"
    walsenders=0
    examine 0
    line ok 'physical WAL: the server streams it'
    listen
    walsenders=1
    examine 0
    line warn 'walsenders: none free: all 1 are in use; pgnudge waits for one'
    line use 'no plugin: none was tried, as there is no room for it'
    [[ $(tail -n 1 "$report") == 'result: ready, with '* ]]
    fix 'ALTER SYSTEM SET max_wal_senders = 10;'
    line ok 'wal_level: logical'
    no_line plugin
    stop
    PGDATABASE=postgres sql 'ALTER SYSTEM RESET max_wal_senders'
    server_restart "$SERVER"
}

gatekeeping() {
    is_true "EXISTS (SELECT FROM pg_settings WHERE name = 'output_plugin_libraries')" ||
        skip 'this server lets any plugin in'
}

@test "a plugin that isn't allowed: a warning, or in need of it, a failure" {
    gatekeeping
    sql "ALTER ROLE pgnudge SET output_plugin_libraries = 'pgoutput', 'test_decoding'"
    examine 0
    line warn 'plugin wal2json: .*not needed'
    line ok 'output_plugin_libraries: .*(wal2json is not in it|it does not list wal2json)'
    line ok 'round trip: .*test_decoding'
    fails 'plugin wal2json' --plugin wal2json
    fix 'ALTER ROLE "pgnudge" SET output_plugin_libraries = '
    no_line 'round trip'
    line use 'no plugin: '
    sql "$(grep -oE -m 1 "ALTER ROLE .*'wal2json'" "$report")"
    examine 0 --plugin wal2json

    sql "ALTER ROLE pgnudge SET output_plugin_libraries = 'wal2json'"
    examine 0
    line warn 'plugin test_decoding: '
    line ok 'round trip: .*wal2json'
    line use 'wal2json: '
    sql "ALTER ROLE pgnudge SET output_plugin_libraries = 'pgoutput'"
    examine 3
    line FAIL 'plugin test_decoding: '
    line FAIL 'plugin wal2json: '
    PGUSER=postgres PGHOST=$SERVER examine 0
    line ok 'output_plugin_libraries: .*pgoutput'
}

@test "plugins that aren't installed" {
    sql "ALTER ROLE pgnudge SET dynamic_library_path = '/nowhere'"
    examine 3
    line FAIL 'plugin test_decoding: .*could not access file'
    line FAIL 'plugin wal2json: .*could not access file'
    fix '.*postgresql-NN-wal2json'
}

# --- TLS ---

@test "TLS: verified, half verified, not verified, refused" {
    new_ca ours
    new_ca theirs
    new_cert good ours DNS:localhost
    serve_cert good
    export PGHOST=localhost
    examine 0
    line warn 'tls: TLSv1.[23], server not verified'
    fix 'sslmode=verify-full'
    PGSSLROOTCERT=$SERVER/certs/ours.crt PGSSLMODE=verify-ca examine 0
    line warn 'tls: TLSv1.[23], .* but not its name'
    PGSSLROOTCERT=$SERVER/certs/ours.crt PGSSLMODE=verify-full examine 0
    line ok 'tls: TLSv1.[23], server certificate and name verified'
    PGSSLROOTCERT=$SERVER/certs/theirs.crt PGSSLMODE=verify-full fails tls
    line ok 'reachability: '
    PGSSLMODE=disable examine 0
    line ok 'tls: none'
    sql 'ALTER SYSTEM RESET ssl' 'SELECT pg_reload_conf()' >/dev/null
    wait_for is_true "current_setting('ssl') = 'off'"
    PGSSLMODE=require fails tls
}

# --- tables ---

@test "tables that aren't there, with the nearest names" {
    examine 3 --tables public.ordres,items,nothing.like_it
    line FAIL 'table public.ordres: .*UTF8'
    fix 'Did you mean public.orders\?'
    line FAIL 'table nothing.like_it: '
    fix '.*--allow-missing'
    line ok 'table public.items: an ordinary table'
    [[ $(tail -n 1 "$report") == *'2 checks failed' ]]
    examine 0 --allow-missing --tables public.ordres --exclude public.itms
    line warn 'table public.ordres: '
    line warn 'exclude public.itms: '
}

@test "tables of every kind" {
    sql 'CREATE UNLOGGED TABLE an_unlogged (n int)' 'CREATE VIEW a_view AS SELECT 1 AS n' \
        'CREATE TABLE root (n int) PARTITION BY LIST (n)' \
        'CREATE TABLE part PARTITION OF root FOR VALUES IN (1)' \
        'CREATE TABLE tree (n int PRIMARY KEY) PARTITION BY LIST (n)' \
        'CREATE TABLE leaf PARTITION OF tree FOR VALUES IN (1)' \
        'CREATE TABLE deferred (n int PRIMARY KEY DEFERRABLE)' \
        'CREATE TABLE named (n int PRIMARY KEY)' 'ALTER TABLE named REPLICA IDENTITY NOTHING' \
        'CREATE TABLE whole (n int)' 'ALTER TABLE whole REPLICA IDENTITY FULL'
    examine 0 --tables root,tree,named,orders
    run ! grep -E '^(warn|FAIL)' "$report"
    line ok 'table public.root: a partitioned table with 1 below it, without a .* only wal2json needs'
    line ok 'table public.named: an ordinary table, without a .* only wal2json needs'
    line ok 'table public.tree: a partitioned table with 1 below it'
    examine 0 --plugin wal2json \
        --tables an_unlogged,a_view,root,tree,deferred,named,whole,orders,marker,public.*
    line warn 'table public.an_unlogged: an unlogged table'
    fix 'ALTER TABLE "public"."an_unlogged" SET LOGGED;'
    line warn 'table public.a_view: a view'
    fix "SELECT pg_logical_emit_message\(true, 'pgnudge', '\"public\".\"a_view\"'\);"
    line warn 'table public.root: a partitioned table.*replica identity'
    line ok 'table public.tree: a partitioned table with 1 below it'
    for name in deferred named marker; do
        line warn "table public.$name: an ordinary table without a usable replica identity"
        fix "ALTER TABLE \"public\".\"$name\" REPLICA IDENTITY FULL;"
    done
    line ok 'table public.whole: '
    line ok 'table public.orders: '
    fixes ALTER | sql
    examine 0 --plugin wal2json --tables deferred,named,orders,marker
    run ! grep -E '^(warn|FAIL)' "$report"
    examine 0 --tables an_unlogged,marker
    run ! grep -E '^(warn|FAIL)' "$report"
    sql 'DROP TABLE root, tree, an_unlogged, deferred, named, whole' 'DROP VIEW a_view'
}

@test "a message nudges a view by its name, whatever that is" {
    local name='public."it'"''"'s ""a.b"""'
    sql "CREATE VIEW ${name//\'\'/\'} AS SELECT 1 AS n"
    examine 0 --tables "${name//\'\'/\'}"
    listen
    fixes SELECT | sql >/dev/null
    wait_for saw '[.[].events[]?.table] == ["it'"'"'s \"a.b\""]'
}

@test "a table's name can't do anything to a terminal, nor to the fixes" {
    sql $'CREATE TABLE "a\033[1m""b\nc" (n int)'
    examine 0 --plugin wal2json --tables $'"a\033[1m""b\nc"'
    line warn 'table public.a\?\[1m"b c: '
    fix 'ALTER TABLE "public"."a\?\[1m""b c" REPLICA'
    run ! grep -q $'\033' "$report" "$report.json"
}

@test "names in another encoding" {
    PGDATABASE=postgres sql "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
    export PGDATABASE=latin
    PGCLIENTENCODING=UTF8 sql 'CREATE TABLE "tränen" (n int PRIMARY KEY)'
    examine 3 --tables public.tränen,public.日本
    line ok 'encoding: LATIN1'
    line ok 'table public.tränen: '
    line FAIL 'table public.日本: .*LATIN1'
}

@test "wal2json is spoken of where it could filter in the server" {
    examine 0 --tables public.orders,public.items
    line use 'test_decoding: .*--plugin wal2json would filter'
    examine 0 --plugin wal2json --tables public.orders
    line use 'wal2json: it filters'
    examine 0 --tables orders,public.marker
    line use 'test_decoding: .*has no advantage'
}

# --- warnings ---

# The doctor runs against open transactions.
keeps_waiting() {
    local status=0
    pgnudge doctor --slot-timeout 300ms >"$report" || status=$?
    cat "$report"
    ((status == 0))
}

@test "who would keep a slot waiting" {
    local blocker
    session open
    ask open 'BEGIN; SELECT pg_current_xact_id()'
    blocker=$(sql "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'")
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'it''s one'"
    keeps_waiting
    line warn "transactions: a slot waits for transaction $(xid open) of process $blocker, user \"postgres\", application \"psql\""
    fix "SELECT pg_terminate_backend\($blocker\);"
    line warn "transactions: a slot waits for the prepared transaction [0-9]+, \"it's one\""
    fix "ROLLBACK PREPARED 'it''s one'; -- or COMMIT PREPARED; in database \"$PGDATABASE\""
    line warn 'plugin test_decoding: the server accepts it, but '
    line warn 'plugin wal2json: the server accepts it, but '
    line use 'test_decoding: '
    line use 'no --slot-timeout: '
    no_line 'round trip'
    wait_for no_slot # though the blockers are there

    sql 'GRANT pg_read_all_stats TO pgnudge'
    wait_for is_true "now() - xact_start > '1 s' FROM pg_stat_activity WHERE pid = $blocker"
    keeps_waiting
    line warn "transactions: .* process $blocker, .*idle in transaction, open for [1-9][0-9]* s"
    sql 'REVOKE pg_read_all_stats FROM pgnudge'
    ask open ROLLBACK
    sql "ROLLBACK PREPARED 'it''s one'"
    examine 0
    line ok 'transactions: '
}

@test "transactions that end soon are nobody's business" {
    write 'BEGIN; INSERT INTO items (n) VALUES (1); SELECT pg_sleep(0.1); COMMIT;'
    wait_for is_true 'EXISTS (SELECT FROM items)'
    examine 0
    line ok 'transactions: none'
    no_writers
}

@test "synchronous_standby_names" {
    configure synchronous_standby_names 'pgnudge2, "my pgnudge"'
    examine 0
    line ok 'synchronous_standby_names: pgnudge2, "my pgnudge"'
    configure synchronous_standby_names 'FIRST 1 (other, PGNudge)'
    examine 0
    line warn 'synchronous_standby_names: .*not counted'
    line ok 'round trip: ' # its COMMIT doesn't wait
    examine 0 --no-visibility-check
    line warn 'synchronous_standby_names: .*--no-visibility-check'
    line use 'no --no-visibility-check: '
    PGAPPNAME=other2 examine 0
    line ok 'synchronous_standby_names: '
    wait_for no_session
    configure synchronous_standby_names ''
}

@test "wal_sender_timeout" {
    configure wal_sender_timeout 0
    examine 0
    line warn 'wal_sender_timeout: off'
    fix 'options=.* in the connection string'
    examine 0 "$(sed -n "s/^ *\(options=.*\) in the connection string/\1/p" "$report")"
    line ok 'wal_sender_timeout: 60 s'
    configure wal_sender_timeout 500ms
    examine 0
    line warn 'wal_sender_timeout: 0.5 s'
    sql 'ALTER SYSTEM RESET wal_sender_timeout' 'SELECT pg_reload_conf()' >/dev/null
}

# --- replicas ---

@test "a server of --visible-on" {
    allow_standbys
    start_standby
    examine 0 --visible-on "host=127.0.0.1 port=$(server_port "$standby")"
    line ok 'visible-on: server at .* is a replica'
    examine 0
    line use '--visible-on host=REPLICA: '
    examine 0 --visible-on "host=127.0.0.1 port=$PGPORT"
    line warn 'visible-on: .*no replica'
    fails visible-on --visible-on 'host=127.0.0.1 port=1'
}

@test "a standby" {
    is_true "current_setting('server_version_num')::int >= 160000" ||
        skip 'standbys decode from 16 on'
    allow_standbys
    start_standby
    PGPORT=$(server_port "$standby") launch doctor
    while ! ended "$pid"; do sql 'SELECT pg_log_standby_snapshot()' >/dev/null; done
    ends_with 0
    cp "$out" "$report"
    line ok 'standby: '
    line ok 'plugin test_decoding: '
    line ok 'stream: live'
    no_line 'round trip'
}

@test "a standby before 16" {
    is_true "current_setting('server_version_num')::int < 160000" || skip 'this one decodes'
    allow_standbys
    start_standby
    PGPORT=$(server_port "$standby") fails slot
    line ok 'standby: '
}

# --- how it ends ---

# stuck [OPTION]...: the server makes a slot for the doctor, which can't be finished.
stuck() {
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'blocker'"
    launch doctor "$@"
    wait_for is_true 'EXISTS (SELECT FROM pg_replication_slots)'
}

cancels() {
    grep -c 'canceling statement due to user request' "$SERVER/log" || true
}

# … or waits for an answer to a question.
waits_for_lock() {
    is_true "EXISTS (SELECT FROM pg_stat_activity
        WHERE usename = 'pgnudge' AND wait_event_type = 'Lock')"
}

unstick() {
    wait_for no_slot
    wait_for no_session
    sql "ROLLBACK PREPARED 'blocker'"
}

@test "a signal while the server makes a slot leaves none" {
    local how cancelled
    for how in 'TERM 143' 'INT 130' 'HUP 129'; do
        stuck
        cancelled=$(cancels)
        # shellcheck disable=SC2086 # two words
        stop $how
        (($(cancels) == cancelled + 1)) # it didn't just lose the connection
        run ! grep -q '^result' "$out"
        unstick
    done
}

@test "kill -9 while the server makes a slot leaves none (14 and newer)" {
    is_true "current_setting('server_version_num')::int >= 140000" ||
        skip '13 keeps it until the blocker ends'
    stuck
    stop KILL 137
    unstick
    # The second plugin's, after an error.
    stuck --slot-timeout 2s
    wait_for is_true "EXISTS (SELECT FROM pg_replication_slots WHERE plugin = 'wal2json')"
    stop KILL 137
    unstick
}

@test "a signal while it waits for an answer" {
    local how
    session locker
    for how in 'TERM 143' 'INT 130' 'KILL 137'; do
        ask locker 'BEGIN; LOCK TABLE pg_inherits IN ACCESS EXCLUSIVE MODE'
        launch doctor --tables public.orders
        wait_for waits_for_lock
        # shellcheck disable=SC2086 # two words
        stop $how
        if is_true "current_setting('server_version_num')::int >= 140000"; then
            wait_for no_session
        fi
        ask locker ROLLBACK
    done
}

@test "a signal during the login" {
    local how
    frozen=("$(head -n 1 "$SERVER/data/postmaster.pid")")
    kill -STOP "${frozen[@]}" # the kernel takes connections all the same
    for how in 'TERM 143' 'INT 130' 'KILL 137'; do
        launch doctor --connect-timeout 0
        wait_for is_asking
        # shellcheck disable=SC2086 # two words
        kill -${how% *} "$pid"
        ends_with "${how#* }"
        [[ ! -s $out ]]
    done
    kill -CONT "${frozen[@]}"
    frozen=()
    wait_for no_session
}

# Of the descriptors of a doctor that is logging in, one is a socket.
is_asking() {
    [[ $(readlink "/proc/$pid/fd/"*) == *socket:* ]]
}

# The message of the round trip takes its time.
slow_message() {
    sql "SET allow_system_table_mods = on;
        UPDATE pg_proc SET proname = 'renamed' WHERE proname = 'pg_logical_emit_message';
        CREATE FUNCTION pg_catalog.pg_logical_emit_message(boolean, text, text)
        RETURNS pg_lsn LANGUAGE sql AS 'SELECT pg_sleep(100); SELECT pg_current_wal_lsn()'"
}

@test "a signal during the round trip" {
    local how
    slow_message
    for how in 'TERM 143' 'INT 130' 'KILL 137'; do
        launch doctor
        wait_for is_true "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')"
        # shellcheck disable=SC2086 # two words
        stop $how
        run ! grep -q '^result' "$out"
        sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'" >/dev/null
        wait_for no_session
    done
}

@test "--timeout" {
    stuck --timeout 3s
    ends_with 124
    run ! grep -q '^result' "$out"
    launch doctor --timeout 500ms --json # it looks at the blocker for longer
    ends_with 124
    [[ ! -s $out ]]
    unstick
}

@test "a connection that is lost" {
    stuck
    sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
    ends_with 3
    cp "$out" "$report"
    line FAIL 'slot: '
    no_line 'round trip'
    unstick
}

@test "stdout that is closed, full or not read" {
    local status=0
    pgnudge doctor >&- 2>doctor.err || status=$?
    ((status == 1))
    status=0
    pgnudge doctor >/dev/full 2>doctor.err || status=$?
    ((status == 1))
    grep -q 'error: could not write to standard output' doctor.err
    mkfifo fifo
    true <fifo &
    status=0
    pgnudge doctor >fifo 2>doctor.err || status=$?
    ((status == 1))
    wait_for no_slot
}

@test "a reader that goes away while the server makes a slot" {
    local reader cancelled
    mkfifo fifo
    cat fifo >/dev/null 3>&- &
    reader=$!
    to=fifo stuck
    cancelled=$(cancels)
    kill "$reader"
    ends_with 1
    (($(cancels) == cancelled + 1)) # for that, and not when it had waited for each plugin
    said 'error: could not write to standard output'
    unstick
}

@test "a reader that takes its time" {
    mkfifo fifo
    exec {reader}<>fifo
    to=fifo launch doctor --tables "$(printf 'nothing_like_%d,' {1..300})orders"
    read -r -t 20 -N 1 -u "$reader" # it has logged in
    wait_for no_session # it is through, and now waits for the reader
    stop INT 130
    exec {reader}>&-
}

# --- the command line ---

@test "usage errors" {
    local option status
    for option in --nonsense --json=yes '--debounce x' '-p 0' '--tables a.b.c' 'one two'; do
        status=0
        # shellcheck disable=SC2086 # words
        PGPORT=1 pgnudge doctor $option >usage.out 2>usage.err || status=$?
        echo "$option: $status"
        ((status == 2))
        [[ ! -s usage.out && $(head -n 1 usage.err) == 'pgnudge: error: '* ]]
    done
    status=0
    pgnudge --json >usage.out 2>usage.err || status=$?
    ((status == 2))
    grep -q 'doctor' usage.err
}

@test "it takes all options of the feed, and a database may be called doctor" {
    examine 0 --debounce 10ms --max-batch-wait 1s --failsafe 1s --count 3 --partitions leaf \
        --max-pending 1 --status-interval 1s --liveness-timeout 5s --backoff 1s,2s --no-reconnect \
        -v -q "$PGDATABASE"
    sql 'CREATE DATABASE doctor'
    PGDATABASE=postgres listen -d doctor
    stop
    PGDATABASE=postgres examine 0 doctor
    line ok 'login: .*database "doctor"'
}
