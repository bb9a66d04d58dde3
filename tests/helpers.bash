# shellcheck shell=bash
#
# What the end-to-end tests share. Each file has a server of its own, each test a database with the
# tables orders, items, customers and marker. A test waits for conditions, never for time to pass;
# that something is silent shows by a later change to "marker", with nothing in front of it.

bats_require_minimum_version 1.5.0

repo=$(realpath "${BATS_TEST_DIRNAME:?}/..")
PGNUDGE=$(realpath "${PGNUDGE:-$repo/build/pgnudge}")
[[ -x $PGNUDGE ]] || {
    echo "there is no $PGNUDGE: make it, or name another in the variable PGNUDGE" >&2
    exit 1
}

# shellcheck source=scripts/lib/server.sh
. "$repo/scripts/lib/server.sh"

# For pgbouncer and tc, which an ordinary user's PATH may lack.
PATH=$PATH:/usr/sbin

# A sanitizer's complaint must not look like one of pgnudge's own statuses.
export ASAN_OPTIONS=exitcode=86 LSAN_OPTIONS=exitcode=86 UBSAN_OPTIONS=exitcode=86:print_stacktrace=1
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-120}

# --- around each file and each test ---

# start_server [CONF-LINE]...
start_server() {
    local name
    name=$(basename "$BATS_TEST_FILENAME" .bats)
    if [[ -z ${SERVER_ROOT:-} ]]; then
        server_setup
        export OWN_ROOT=1
    fi
    export SERVER=$SERVER_ROOT/$name
    export plugins=test_decoding
    if server_has_wal2json; then plugins+=' wal2json'; fi
    server_start "$SERVER" "$@"
    # Where CREATE DATABASE takes them from.
    PGDATABASE=template1 sql '
        CREATE TABLE orders (id serial PRIMARY KEY, n int);
        CREATE TABLE items (id serial PRIMARY KEY, n int);
        CREATE TABLE customers (id serial PRIMARY KEY, n int);
        CREATE TABLE marker (n int)'
}

stop_server() {
    server_stop "$SERVER" immediate
    if [[ -n ${OWN_ROOT:-} ]]; then server_cleanup; fi
}

setup_file() {
    start_server
}

teardown_file() {
    stop_server
}

setup() {
    common_setup
}

common_setup() {
    pids=() frozen=() marks=0 pid='' out='' err=''
    declare -gA inputs=() asked=()
    sessions=0 writers=() seen='' standby='' standbys=()
    cd "$BATS_TEST_TMPDIR" || return 1
    export HOME=$BATS_TEST_TMPDIR
    [[ -n ${SERVER:-} ]] || return 0
    if [[ ${plugins:-wal2json} != *wal2json* && $(declare -f "$BATS_TEST_NAME") == *wal2json* ]]; then
        skip 'the server has no wal2json'
    fi
    PGPORT=$(server_port "$SERVER")
    sql "CREATE DATABASE test_$BATS_TEST_NUMBER"
    export PGHOST=127.0.0.1 PGPORT PGUSER=pgnudge PGDATABASE=test_$BATS_TEST_NUMBER
}

teardown() {
    common_teardown
}

common_teardown() {
    local file failure=0
    if ((${#frozen[@]})); then kill -CONT "${frozen[@]}" 2>/dev/null || true; fi
    if ((${#pids[@]})); then
        kill -KILL "${pids[@]}" 2>/dev/null || true
        wait "${pids[@]}" 2>/dev/null || true
    fi
    if ((${#standbys[@]})); then
        for standby in "${standbys[@]}"; do server_stop "$standby" immediate || true; done
        rm -rf "${standbys[@]}"
    fi
    # All that is said is in the style of PostgreSQL's clients; a sanitizer's report isn't.
    for file in "$BATS_TEST_TMPDIR"/*.err; do
        if [[ -f $file ]] &&
            grep -avE '^(<[3467]>)?pgnudge: (error|warning|info|debug|detail|hint): ' "$file"; then
            failure=1
        fi
    done
    if [[ -n ${BATS_TEST_COMPLETED:-}${BATS_TEST_SKIPPED:-} ]]; then
        [[ -z ${SERVER:-} ]] || wait_for no_slot
    else
        for file in "$BATS_TEST_TMPDIR"/*.{out,err}; do
            [[ ! -f $file ]] || { echo "--- ${file##*/}" && tail -n 20 "$file" | cut -c -300; }
        done
        fresh_server
    fi
    return "$failure"
}

# A test that failed may have left the server in any state.
fresh_server() {
    [[ -n ${SERVER:-} ]] || return 0
    server_stop "$SERVER" immediate || true
    rm -rf "$SERVER"
    unset PGDATABASE
    setup_file
}

# --- waiting ---

# wait_for COMMAND...: until it succeeds. (It is tried often: the machine may have stood still.)
wait_for() {
    local end=$((SECONDS + 20)) tries=0
    until "$@" 2>/dev/null; do
        if ((SECONDS >= end && ++tries > 50)); then
            echo "waited in vain for: $*"
            "$@" # with what it says
            return $?
        fi
        sleep 0.03
    done
}

# --- the server ---

sql() {
    server_sql "$SERVER" "$@"
}

# is_true SQL-CONDITION
is_true() {
    [[ $(sql "SELECT $1") == t ]]
}

# From 19 on the first logical slot raises what is decoded from.
decodes_at_replica() {
    is_true "current_setting('server_version_num')::int >= 190000"
}

no_slot() {
    is_true 'NOT EXISTS (SELECT FROM pg_replication_slots)'
}

slot() {
    sql 'SELECT slot_name FROM pg_replication_slots WHERE database = current_database()'
}

walsender() {
    sql 'SELECT active_pid FROM pg_replication_slots WHERE database = current_database()'
}

# The visibility connection's.
# shellcheck disable=SC2034 # for the tests
visibility="pg_stat_activity WHERE usename = 'pgnudge' AND backend_type = 'client backend'
      AND datname = current_database()"

# freeze_visibility: its backend does nothing, until thaw_visibility.
freeze_visibility() {
    frozen=("$(sql "SELECT pid FROM $visibility")")
    kill -STOP "${frozen[@]}"
}

thaw_visibility() {
    kill -CONT "${frozen[@]}"
    frozen=()
}

# streaming: for where stdout is not at hand.
streaming() {
    is_true "EXISTS (SELECT FROM pg_stat_replication
                     WHERE state = 'streaming' AND application_name NOT LIKE 'standby%')"
}

# Everything written so far has reached pgnudge, which has said so.
all_read() {
    local end
    end=$(sql 'SELECT pg_current_wal_flush_lsn()')
    wait_for is_true "bool_and(write_lsn >= '$end') FROM pg_stat_replication
                      WHERE application_name NOT LIKE 'standby%'"
}

# configure NAME VALUE: for the whole server.
configure() {
    sql "ALTER SYSTEM SET $1 = '$2'" 'SELECT pg_reload_conf()' >/dev/null
    wait_for is_true "current_setting('$1') = '$2'"
}

# Now the server lets start_standby in, and keeps the WAL that one may still want when the next is made.
allow_standbys() {
    echo 'local replication postgres trust' >>"$SERVER/data/pg_hba.conf"
    sql "ALTER SYSTEM SET wal_keep_size = '256MB'" 'SELECT pg_reload_conf()' >/dev/null
}

# start_standby [CONF-LINE]...: a real one, as $standby; the first is named "standby", the others
# "standby2" and on.
start_standby() {
    local name=standby number=$((${#standbys[@]} + 1))
    ((number == 1)) || name=standby$number
    standby=$SERVER-$name
    standbys+=("$standby")
    mkdir "$standby"
    ((EUID)) || chown "$SERVER_USER" "$standby"
    _server_run pg_basebackup -D "$standby/data" -R -c fast --no-sync -h "$SERVER" -p "$PGPORT" \
        -U postgres -d dbname=postgres
    printf '%s\n' "unix_socket_directories = '$standby'" "cluster_name = '$name'" \
        'wal_receiver_status_interval = 1s' "$@" >>"$standby/data/postgresql.conf"
    server_start "$standby"
    wait_for is_true "state = 'streaming' FROM pg_stat_replication WHERE application_name = '$name'"
}

# --- sessions ---

# session NAME
session() {
    local fd fifo=$1.$((++sessions))
    mkfifo "$fifo"
    "$SERVER_BIN/psql" -XAtq -h "$SERVER" -p "$PGPORT" -U postgres "$PGDATABASE" \
        <"$fifo" >"$1.said" 2>&1 3>&- &
    pids+=("$!")
    exec {fd}>"$fifo"
    inputs[$1]=$fd asked[$1]=0
}

# tell NAME SQL: doesn't wait for an answer.
tell() {
    printf '%s;\n\\echo answer %d\n' "$2" $((++asked[$1])) >&"${inputs[$1]}"
}

answered() {
    grep -qx "answer ${asked[$1]}" "$1.said"
}

# ask NAME SQL
ask() {
    tell "$@"
    wait_for answered "$1"
}

# xid NAME: of the transaction that the session is in.
xid() {
    ask "$1" "SELECT 'xid ' || pg_current_xact_id()::xid"
    sed -n 's/^xid //p' "$1.said" | tail -n 1
}

# write SQL: again and again, until no_writers.
write() {
    yes "$1" 3>&- | "$SERVER_BIN/psql" -XAtq -h "$SERVER" -p "$PGPORT" -U postgres "$PGDATABASE" \
        >/dev/null 2>&1 3>&- &
    pids+=("$!")
    writers+=("$!")
}

no_writers() {
    kill -KILL "${writers[@]}"
    wait "${writers[@]}" 2>/dev/null || true
    writers=()
    # What they were about to do is still done, a PREPARE TRANSACTION too.
    wait_for is_true "NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
        AND state <> 'idle' AND backend_type = 'client backend' AND pid <> pg_backend_pid())"
    sql "SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts
         WHERE database = current_database()" | sql
}

# --- pgnudge ---

# In the foreground, for "run". 137: it didn't end. Without a terminal, on which it could ask.
pgnudge() {
    timeout --foreground -s KILL 60 env --default-signal setsid -w "$PGNUDGE" "$@" 3>&-
}

# launch [OPTION]...: in the background, as $pid, with its lines in $out (or, "to=FILE launch",
# there) and its messages in $err; "from=FILE launch" reads that. Signals are as a terminal would have them, not as bash leaves
# them to what it puts there; but there is no terminal.
launch() {
    marks=0
    out=$BATS_TEST_TMPDIR/${#pids[@]}.out err=$BATS_TEST_TMPDIR/${#pids[@]}.err
    : >"$out"
    env --default-signal setsid setpriv --pdeathsig KILL "$PGNUDGE" "$@" <"${from:-/dev/null}" >"${to:-$out}" 2>"$err" 3>&- &
    pid=$!
    pids+=("$pid")
}

# listen [OPTION]...: launch, until it listens.
listen() {
    launch "$@"
    wait_for saw 'length > 0'
    saw '.[0].type == "resync" and .[0].reason == "connected"'
}

# saw FILTER: what jq says of the array of all lines so far.
saw() {
    jq -es 'def changes: [.[].events[]? | select(.table != "marker")];
            def count(p): [.[].events[]? | select(.payload == p) | .count] | add // 0;
            def shop: [count("public.orders"), count("public.items"), count("public.customers")];
            def reasons: [.[] | select(.type == "resync") | .reason];
            '"$1" "$out" >/dev/null 2>&1
}

# said REGEX: in a message.
said() {
    grep -aqiE -- "$1" "$err"
}

# A change to public.marker, and what came before it has been printed.
mark() {
    sql 'INSERT INTO marker VALUES (1)'
    marks=$((marks + 1))
    wait_for saw "count(\"public.marker\") == $marks"
}

# totals JSON: after a mark, exactly these counts by payload.
totals() {
    local got
    mark
    got=$(jq -cS -s 'reduce (.[].events[]? | select(.table != "marker")) as $e ({};
        .[$e.payload] += $e.count)' "$out")
    echo "got $got, expected $1"
    [[ $got == "$(jq -cS . <<<"$1")" ]]
}

lines() {
    wc -l <"$out"
}

# --- readers that look ---

# follow [OPTION]...: launch; who reads the lines looks at the tables at once, on $SERVER or, with
# "at=DIR follow", there. For each line of $out, $seen has the number of rows of orders, items and
# customers.
follow() {
    local fifo=follow.${#pids[@]}
    mkfifo "$fifo"
    seen=$BATS_TEST_TMPDIR/$fifo.seen
    : >"$seen"
    to=$fifo launch "$@"
    follower "$fifo" 3>&- &
}

follower() {
    local line rows at=${at:-$SERVER}
    coproc LOOK {
        "$SERVER_BIN/psql" -XAtq -h "$at" -p "$(server_port "$at")" -U postgres "$PGDATABASE" 2>&1
    }
    while IFS= read -r line; do
        echo 'SELECT json_build_array((SELECT count(*) FROM orders), (SELECT count(*) FROM items),
                  (SELECT count(*) FROM customers));' >&"${LOOK[1]}"
        IFS= read -r rows <&"${LOOK[0]}"
        printf '%s\n' "$rows" >>"$seen"
        printf '%s\n' "$line" >>"$out"
    done <"$1"
}

# At each line the tables, empty at the connect, had all rows that had been counted by then.
none_too_early() {
    jq -es --slurpfile seen "$seen" '
        def rows(t): [.events[]? | select(.table == t) | .count] | add // 0;
        [foreach .[] as $item ([0, 0, 0]; [.[0] + ($item | rows("orders")),
            .[1] + ($item | rows("items")), .[2] + ($item | rows("customers"))])] as $told
        | [range(length) | select($told[.] as $t | $seen[.] as $s | any(range(3); $t[.] > $s[.]))]
        | if . == [] then true else ("too early: \(.[0:10])" | halt_error(1)) end' "$out"
}

# Just what is there has been counted.
exact() {
    saw "shop == $(sql 'SELECT json_build_array((SELECT count(*) FROM orders),
        (SELECT count(*) FROM items), (SELECT count(*) FROM customers))')"
}

ended() {
    ! kill -0 "$1" 2>/dev/null
}

# ends_with STATUS
ends_with() {
    local status=0
    wait_for ended "$pid"
    wait "$pid" || status=$?
    echo "status $status, expected $1"
    ((status == $1))
}

# stop [SIGNAL [STATUS]]: and nothing is left on the server.
stop() {
    kill -"${1:-TERM}" "$pid"
    ends_with "${2:-0}"
    wait_for no_slot
}

# each_plugin COMMAND...: with $plugin
each_plugin() {
    for plugin in $plugins; do
        echo "with $plugin:"
        "$@"
    done
}

# proxy [OPTION]...: tests/tools/proxy in front of the server, as $proxy, on the port $proxy_port.
proxy() {
    local program=$BATS_FILE_TMPDIR/proxy
    [[ -x $program ]] || cc -D_POSIX_C_SOURCE=200809L -o "$program" "$repo/tests/tools/proxy.c"
    : >proxy.port
    "$program" "$(server_port "$SERVER")" "$@" >proxy.port 2>/dev/null 3>&- &
    proxy=$!
    pids+=("$proxy")
    wait_for test -s proxy.port
    # shellcheck disable=SC2034 # for the tests
    proxy_port=$(<proxy.port)
}

# refused REGEX [OPTION]...: ends with status 3 and such a message, before a line is printed.
refused() {
    launch "${@:2}"
    ends_with 3
    said "$1"
    [[ ! -s $out ]]
}

# --- a pooler ---

# bounce [LINE]...: PgBouncer, on $port.
bounce() {
    local as=()
    if ((EUID == 0)); then
        as=(setpriv --reuid="$SERVER_USER" --regid="$(id -g "$SERVER_USER")" --clear-groups)
    fi
    port=$((20000 + RANDOM % 10000))
    echo '"pgnudge" ""' >"$SERVER/users"
    printf '%s\n' '[databases]' "* = host=127.0.0.1 port=$PGPORT" '[pgbouncer]' \
        'listen_addr = 127.0.0.1' "listen_port = $port" 'unix_socket_dir =' 'auth_type = trust' \
        "auth_file = $SERVER/users" "$@" >"$SERVER/pgbouncer.ini"
    "${as[@]}" setpriv --pdeathsig KILL pgbouncer -q "$SERVER/pgbouncer.ini" 2>bounce.log 3>&- &
    pids+=("$!")
    wait_for accepts
}

accepts() {
    (exec 9<>"/dev/tcp/127.0.0.1/$port")
}
