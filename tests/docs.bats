#!/usr/bin/env bats
#
# README.md and the manual pages say what is so. Code blocks are run straight from README.md: a block is
# found by the comment "<!-- run: NAME -->" in front of it.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

readme=$repo/README.md
page=$repo/man/pgnudge.1
setup_page=$repo/man/pgnudge-setup.7

setup() {
    common_setup
    mkdir bin
    # pgnudge as its readers call it, in a shell of which nothing stays behind when a test fails.
    cat >bin/pgnudge <<EOF
#!/bin/sh
echo \$\$ >>'$BATS_TEST_TMPDIR/pgnudge.pid'
exec env --default-signal setpriv --pdeathsig KILL '$PGNUDGE' "\$@"
EOF
    chmod +x bin/pgnudge
    export PATH=$BATS_TEST_TMPDIR/bin:$SERVER_BIN:$PATH
    export PGHOST=$SERVER PGUSER=postgres # who may create tables
}

# block NAME: a code block of README.md.
block() {
    awk -v mark="<!-- run: $1 -->" '
        $0 == mark { wanted = 1; next }
        wanted && /^```/ { if (inside) exit; inside = 1; next }
        inside' "$readme" >"block.$1"
    [[ -s block.$1 ]] || {
        echo "README.md has no block $1"
        return 1
    }
    cat "block.$1"
}

# setup_block NAME: a display of pgnudge-setup.7, found by the comment ".\" run: NAME".
setup_block() {
    awk -v name="$1" '
        $1 == ".\\\"" && $2 == "run:" && $3 == name { wanted = 1 }
        wanted && /^\.Ed/ { exit }
        inside
        wanted && /^\.Bd/ { inside = 1 }' "$setup_page" >"setup.$1"
    [[ -s setup.$1 ]] || {
        echo "pgnudge-setup.7 has no block $1"
        return 1
    }
    cat "setup.$1"
}

# recipe NAME [SED-SCRIPT]: run it in the background, as $pid, with what it prints in $out, until it
# listens.
recipe() {
    out=$BATS_TEST_TMPDIR/recipe.out err=$BATS_TEST_TMPDIR/recipe.err
    block "$1" | sed "${2:-}" >recipe
    env --default-signal bash recipe >"$out" 2>"$err" 3>&- &
    pid=$!
    pids+=("$pid")
    wait_for is_true 'EXISTS (SELECT FROM pg_stat_replication)'
}

# End the recipe's pgnudge, and so the recipe.
end_recipe() {
    kill "$(tail -n 1 pgnudge.pid)"
    ends_with 0
    wait_for no_slot
}

# without_times FILE: lines without what differs each time.
without_times() {
    sed -E 's/("first_seen":)[0-9.]+/\1T/; s|("lsn":")[0-9A-F]+/[0-9A-F]+|\1L|' "$1"
}

# printed TEXT: exactly that, so far.
printed() {
    [[ $(<"$out") == "$1" ]]
}

# replayed LSN: what README.md's block says of it on the replica.
replayed() {
    block lsn | sed "s|0/[0-9A-F]*|$1|" | server_sql "$standby"
}

# cached TEXT: what "ls" shows.
cached() {
    [[ $(ls cache) == "$1" ]]
}

# missing_from FILE WORD...: those that it doesn't name.
missing_from() {
    local file=$1 word missing=()
    shift
    (($# > 0))
    for word; do
        grep -qwF -e "$word" "$file" || missing+=("$word")
    done
    echo "${file##*/} lacks: ${missing[*]}"
    ((${#missing[@]} == 0))
}

# --- README.md's blocks ---

@test "every block of README.md that could be run is run here" {
    local name
    run -1 grep -nE -B 1 '^```(sh|sql|ini)' <(awk '
        /^```[a-z]/ && last !~ /^<!-- run: / { print }
        { last = $0 }' "$readme")
    while IFS= read -r name; do
        echo "$name"
        grep -qE "^ .*(block|recipe) $name( |;|\$)" "$BATS_TEST_FILENAME"
    done < <(sed -n 's/^<!-- run: \(.*\) -->$/\1/p' "$readme")
}

@test "the first run prints what README.md shows" {
    local line number=0
    recipe watch
    wait_for saw 'length == 1'
    block watch-output >expected
    block change >changes
    while IFS= read -r line; do
        number=$((number + 1))
        bash -c "$line" >/dev/null 3>&-
        case $number in
            2) wait_for saw 'length == 2' ;;
            4) wait_for saw 'length == 3' ;;
        esac
    done <changes
    ((number == 4))
    diff <(without_times expected) <(without_times "$out")
    end_recipe
}

@test "a server that is set up as README.md says" {
    PGDATABASE=postgres sql 'CREATE DATABASE shop' 'ALTER SYSTEM SET wal_level = replica'
    server_restart "$SERVER"
    export PGHOST=127.0.0.1 PGUSER=nudge PGDATABASE=shop PGPASSWORD=secret
    refused 'pg_hba\.conf'

    # Before 14, md5 is how passwords are kept unless asked otherwise.
    { echo "SET password_encryption = 'scram-sha-256';" && block role; } | sql
    block hba | sed 's|192.0.2.17/32|samehost|' >>"$SERVER/data/pg_hba.conf"
    sql 'SELECT pg_reload_conf()'
    wait_for is_true "EXISTS (SELECT FROM pg_hba_file_rules WHERE user_name = '{nudge}')"
    decodes_at_replica || refused 'wal_level'

    server_restart "$SERVER"
    listen
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    stop
    PGPASSWORD=wrong refused 'password authentication failed'
    PGDATABASE=postgres refused 'pg_hba\.conf'
    sql 'DROP ROLE nudge'
}

@test "a role as pgnudge-setup(7) makes it, with no other privilege" {
    export PGDATABASE=shop
    PGDATABASE=postgres sql 'DROP DATABASE IF EXISTS shop' 'CREATE DATABASE shop' \
        'REVOKE ALL ON DATABASE shop FROM public' \
        'ALTER SYSTEM SET wal_level = replica'
    setup_block level | sql
    server_restart "$SERVER"
    { echo "SET password_encryption = 'scram-sha-256';" && setup_block role; } | sql
    setup_block hba >>"$SERVER/data/pg_hba.conf"
    sql 'SELECT pg_reload_conf()' 'REVOKE ALL ON SCHEMA public FROM public' \
        'CREATE TABLE parted (n int) PARTITION BY LIST (n)' \
        'CREATE TABLE part PARTITION OF parted DEFAULT'
    wait_for is_true "EXISTS (SELECT FROM pg_hba_file_rules WHERE user_name = '{nudge}')"
    export PGHOST=127.0.0.1 PGUSER=nudge PGPASSWORD=secret
    run ! "$SERVER_BIN/psql" -XAtqc 'SELECT FROM public.orders'
    [[ $output == *'permission denied'* ]]
    each_plugin with_least_privileges
    plugin=test_decoding with_least_privileges --no-visibility-check
    plugin=test_decoding with_least_privileges --visible-on "port=$PGPORT"
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'blocker'"
    launch
    wait_for said 'prepared transaction [0-9]+, "blocker"'
    sql "ROLLBACK PREPARED 'blocker'"
    wait_for saw 'length == 1'
    stop
    run ! said 'permission denied'
    PGDATABASE=postgres sql 'DROP DATABASE shop' 'DROP ROLE nudge'
}

with_least_privileges() {
    listen --plugin "$plugin" --tables public.orders,public.parted,marker "$@"
    sql 'INSERT INTO orders (n) VALUES (1)' 'INSERT INTO parted VALUES (1), (2)'
    totals '{"public.orders": 1, "public.parted": 2}'
    stop
    [[ ! -s $err ]]
}

@test "what the code asks the server for is in pgnudge-setup(7)" {
    local words
    mapfile -t words < <(cat "$repo"/src/*/*.[ch] | grep -oE 'pg_catalog\.[a-z_]+' |
        sed 's/pg_catalog\.//' | grep -vxE 'int[248]?|text|name|bool_or|oid|xid|bytea|regnamespace' | sort -u)
    echo "${words[*]}"
    ((${#words[@]} > 15))
    missing_from "$setup_page" "${words[@]}"
}

@test "wal2json, allowed as README.md and pgnudge-setup(7) say" {
    is_true "EXISTS (SELECT FROM pg_settings WHERE name = 'output_plugin_libraries')" ||
        skip 'this server lets any plugin in'
    sql 'CREATE ROLE nudge LOGIN REPLICATION SUPERUSER' \
        "ALTER ROLE nudge SET output_plugin_libraries = 'pgoutput'"
    PGUSER=nudge refused 'output_plugin_libraries' --plugin wal2json
    block plugins | sql
    PGUSER=nudge listen --plugin wal2json
    stop
    sql "ALTER ROLE nudge SET output_plugin_libraries = 'pgoutput'"
    setup_block plugins | sql
    PGUSER=nudge listen --plugin wal2json
    stop
    sql 'DROP ROLE nudge'
}

# without_server FILE: the doctor's lines without what differs each time.
without_server() {
    sed -E 's/port [0-9]+/port N/; s/[0-9.]+ ms/T ms/; s/(PostgreSQL).*/\1 V/
        s/^use   --transport [a-z]+: .*/use   --transport T/
        s/[0-9]+ of [0-9]+ free/N free/; s/(user|database) "[^"]*"/\1 "N"/g' "$1"
}

@test "the doctor finds what pgnudge-setup(7) shows" {
    local status=0
    [[ $plugins == *wal2json* ]] || skip 'it shows wal2json'
    export PGHOST=127.0.0.1 PGUSER=pgnudge
    setup_block doctor-output >expected
    grep -qx '\.Dl pgnudge doctor --tables public.ordres' "$setup_page"
    echo 'pgnudge doctor --tables public.ordres' >recipe
    bash recipe >doctor.out 3>&- || status=$?
    ((status == 3))
    diff <(without_server expected) <(without_server doctor.out)
}

@test "recipe: a command for each table" {
    { block refresh-script && echo "echo \"\$#: \$1\""; } >refresh
    chmod +x refresh
    mkdir -p cache/public.{orders,items}
    recipe xargs
    wait_for printed '1: *'
    cached ''
    mkdir -p cache/public.{orders,items}
    sql 'INSERT INTO customers (n) VALUES (1)' 'INSERT INTO orders (n) VALUES (1)'
    wait_for printed $'1: *\n1: public.orders'
    cached public.items
    end_recipe
}

@test "recipe: a command for each row" {
    { block drop-script && echo "echo \"\$#: \$1\""; } >drop
    chmod +x drop
    mkdir -p cache
    recipe keys 's/--keys/-v --keys/'
    wait_for printed '1: *'
    wait_for said 'rows of public\.orders are named'
    touch cache/public.{orders:{1,2},items:1}
    sql 'INSERT INTO orders (id) VALUES (2)'
    wait_for test ! -e cache/public.orders:2
    [[ -e cache/public.orders:1 && -e cache/public.items:1 ]]
    sql 'TRUNCATE orders'
    wait_for test ! -e cache/public.orders:1
    [[ -e cache/public.items:1 ]]
    end_recipe
}

@test "recipe: a summary that follows its tables" {
    sql 'CREATE MATERIALIZED VIEW sales AS SELECT 1 AS one, count(*) FROM orders' \
        'CREATE UNIQUE INDEX ON sales (one)' 'INSERT INTO orders (n) VALUES (1)'
    recipe view 's/debounce 2s/debounce 50ms/'
    wait_for is_true 'count = 1 FROM sales'
    sql 'INSERT INTO orders (n) VALUES (2), (3)'
    wait_for is_true 'count = 3 FROM sales'
    # What fails is tried again.
    sql 'ALTER MATERIALIZED VIEW sales RENAME TO sold' 'INSERT INTO orders (n) VALUES (4)'
    wait_for said '"sales" does not exist'
    wait_for said 'warning: --exec: the command failed with status 1; running it again in 1 s'
    sql 'ALTER MATERIALIZED VIEW sold RENAME TO sales'
    wait_for is_true 'count = 4 FROM sales'
    end_recipe
    rm "$err" # psql's messages are not ours
}

@test "recipe: a service" {
    block service | sed "s|/etc/pgnudge|$PWD|; s/^systemctl/: systemctl/" >recipe
    run -0 bash recipe
    while IFS='=' read -r name value; do
        [[ $name =~ ^(PG[A-Z]+|TABLES|COMMAND)$ && -n $value ]]
    done <sales.conf
    (($(wc -l <sales.conf) == 7))
    # As the unit runs it.
    (
        set -a
        # shellcheck source=/dev/null
        . ./sales.conf
        export PGHOST=127.0.0.1 PGSSLMODE=disable PGSSLROOTCERT='' PGUSER=pgnudge PGDATABASE=test_$BATS_TEST_NUMBER
        # shellcheck disable=SC2016 # the command's own
        COMMAND='echo "$PGNUDGE_TYPE"'
        launch --tables="$TABLES" --exec="$COMMAND"
        wait_for printed resync
        sql 'INSERT INTO orders (n) VALUES (1)'
        wait_for printed $'resync\nbatch'
        stop
    )
}

@test "the recording in README.md is made from a real run" {
    grep -qF '(man/recording.svg)' "$readme"
    env -u SERVER_ROOT -u OWN_ROOT PGDATABASE=postgres "$repo/scripts/record" "$PWD/now.svg" >record.log 2>&1 || { cat record.log && false; }
    python3 -c 'import sys, xml.dom.minidom as m; [m.parse(f) for f in sys.argv[1:]]' now.svg "$repo/man/recording.svg"
    # The same lines, but for times and positions.
    diff <(texts now.svg) <(texts "$repo/man/recording.svg")
    run ! grep -qE '<script|href' now.svg
}

texts() {
    sed -nE 's/.*class="([a-z]+)".*>(.*)<\/text>/\1 \2/p' "$1" | tr -d '\n' |
        sed -E 's/(first_seen":)[0-9.]+/\1T/g; s|("lsn":")[0-9A-F]+/[0-9A-F]+|\1L|g; s/item //g'
}

@test "monitoring on the server, as pgnudge-setup(7) has it" {
    local row
    [[ -z $(setup_block monitoring | sql) ]]
    listen
    mark
    row=$(setup_block monitoring | sql)
    echo "$row"
    [[ $row =~ ^pgnudge\|[^|]*\|streaming\|[0-9]+\|[0-9]+$ ]]
    stop
}

@test "many readers, spread as pgnudge-setup(7) has it" {
    # shellcheck disable=SC2016 # the script's own
    printf '%s\n' '#!/bin/sh' 'echo "$PGNUDGE_TYPE"' >refresh
    chmod +x refresh
    out=$BATS_TEST_TMPDIR/recipe.out err=$BATS_TEST_TMPDIR/recipe.err
    : >"$out"
    setup_block spread | sed 's/30 \* rand/0.5 * rand/' >recipe
    env --default-signal bash recipe >"$out" 2>"$err" 3>&- &
    pid=$!
    pids+=("$pid")
    wait_for printed resync
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for printed $'resync\nbatch'
    end_recipe
}

@test "recipe: many readers" {
    # shellcheck disable=SC2016 # the script's own
    printf '%s\n' '#!/bin/sh' 'cat >>told' >refresh
    chmod +x refresh
    block publish >publish.sh
    env --default-signal bash publish.sh >/dev/null 2>publish.err 3>&- &
    pids+=("$!")
    out=$BATS_TEST_TMPDIR/told
    : >"$out"
    block listen >listen.sh
    env --default-signal bash listen.sh >/dev/null 2>listen.err 3>&- &
    pids+=("$!")
    wait_for saw 'length > 0'
    wait_for is_true "EXISTS (SELECT FROM pg_replication_slots WHERE database = current_database() AND active)"
    insert() { sql 'INSERT INTO orders (n) VALUES (1)' && saw 'count("public.orders") > 0'; }
    wait_for insert
}

@test "recipe: lines through ssh" {
    # shellcheck disable=SC2016 # the script's own
    printf '%s\n' '#!/bin/sh' 'shift; exec "$@"' >bin/ssh
    chmod +x bin/ssh
    out=$BATS_TEST_TMPDIR/recipe.out err=$BATS_TEST_TMPDIR/recipe.err
    block ssh >recipe
    PATH=$PWD/bin:$PATH env --default-signal bash recipe >"$out" 2>"$err" 3>&- &
    pid=$!
    pids+=("$pid")
    wait_for saw 'reasons == ["connected"]'
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
    kill "$(head -n 1 pgnudge.pid)" # whichever of the two: the other one ends with it
    wait_for ended "$pid"
}

@test "recipe: without decoding" {
    recipe physical
    wait_for saw 'reasons == ["connected"]'
    sql 'TRUNCATE orders'
    wait_for saw 'count("public.orders") == 1'
    sql 'ALTER TABLE orders ADD x int'
    wait_for saw 'reasons == ["connected", "schema"]'
    end_recipe
}

@test "recipe: after a migration" {
    listen
    block migration | sql >/dev/null
    wait_for saw 'reasons == ["connected", "requested"]'
    totals '{}'
    # … and it takes no privilege.
    sql 'SET ROLE pg_monitor' "SELECT pg_logical_emit_message(true, 'pgnudge', '')" >/dev/null
    wait_for saw 'reasons == ["connected", "requested", "requested"]'
    stop
}

@test "recipe: nudging by name" {
    sql 'CREATE MATERIALIZED VIEW sales AS SELECT count(*) FROM orders' \
        'INSERT INTO orders (n) VALUES (1)'
    listen --tables public.sales,public.marker
    sql 'REFRESH MATERIALIZED VIEW sales'
    totals '{}'
    block refresh | sql >/dev/null
    is_true 'count = 1 FROM sales'
    totals '{"public.sales": 1}'
    stop
}

@test "recipe: reading from a replica" {
    local at clock clock_pid lsn
    allow_standbys
    start_standby
    at="host=$standby port=$(server_port "$standby")"
    listen # when this one has printed, the recipe's would have too
    clock=$out clock_pid=$pid
    recipe replica "s|--visible-on host=replica\.example|--visible-on '$at'|
        s|-h replica\.example|-d '$at'|"
    wait_for printed 0
    server_sql "$standby" 'SELECT pg_wal_replay_pause()'
    sql 'INSERT INTO orders (n) VALUES (1)'
    out=$clock wait_for saw 'count("public.orders") == 1'
    lsn=$(tail -n 1 "$clock" | jq -r .lsn)
    printed 0
    [[ $(replayed "$lsn") == f ]]
    server_sql "$standby" 'SELECT pg_wal_replay_resume()'
    wait_for printed $'0\n1'
    [[ $(replayed "$lsn") == t ]]
    kill "$clock_pid"
    end_recipe
}

@test "recipe: waiting once" {
    recipe once
    write 'INSERT INTO orders (n) VALUES (1);' # the first may be in the resync
    ends_with 0
    no_writers
    printed 'orders have changed'
    block once | sed 's/30s/10ms/' >recipe
    run -0 bash recipe
    [[ $output == 'not within 30 seconds' ]]
}

@test "building and installing" {
    { echo "set -e; cd '$repo'; sudo() { \"\$@\"; }" && block install; } >recipe
    export BUILD=$repo/build/docs DESTDIR=$BATS_TEST_TMPDIR/root
    run -0 bash recipe
    run -0 root/usr/local/bin/pgnudge --version
    diff "$page" root/usr/local/share/man/man1/pgnudge.1
    diff "$setup_page" root/usr/local/share/man/man7/pgnudge-setup.7
    run -0 make -C "$repo" uninstall PREFIX=/usr/local
    [[ -z $(find root -type f) ]]
}

# --- words ---

@test "the manual page has the metrics that there are" {
    diff <(grep -ohE 'pgnudge_[a-z_]+' "$page" | sort -u) \
        <(sed -nE 's/.*(gauge|count|describe)\(out, "([a-z_]+)".*/pgnudge_\2/p' "$repo/src/feed/counters.c" | sort -u)
}

@test "reasons and statuses are in the manual page" {
    local words
    mapfile -t words < <(sed -nE 's/.*\[RESYNC_.*= "([a-z]+)",/\1/p' "$repo/src/batch/item.c"
        sed -nE 's/^ *FEED_[A-Z]+ = ([0-9]+),?$/\1/p' "$repo/src/feed/outcome.h")
    echo "${words[*]}"
    ((${#words[@]} >= 10))
    missing_from "$page" "${words[@]}"
}

@test "connection parameters, variables and files are in the manual page" {
    local words
    mapfile -t words < <(sed -nE 's/.*\[CONN_.*= \{"([a-z_]+)", .*/\1/p' "$repo/src/conninfo/conninfo.c"
        grep -oE '"PG[A-Z_]+"' -h "$repo"/src/conninfo/conn{info,layers}.c | tr -d '"'
        grep -ohE '"\.(pg|postgresql/)[a-z_.]+"' "$repo"/src/{conninfo,auth,tls}/*.c | sed 's|"\(.*\)"|~/\1|')
    echo "${words[*]}"
    ((${#words[@]} >= 80))
    missing_from "$page" "${words[@]}"
}

@test "what the manual pages and README.md call a variable or a parameter is one" {
    local word words
    mapfile -t words < <(grep -ohE '\bPG[A-Z_]+' "$page" "$setup_page" "$readme" |
        grep -vE '^PGNUDGE|^PGBIN_$' | sort -u)
    ((${#words[@]} >= 30))
    for word in "${words[@]}"; do
        echo "$word"
        grep -qF "\"$word\"" "$repo"/src/*/*.c
    done
    [[ $(grep -oE '\bPGNUDGE_[A-Z]+' "$page" | sort -u) == \
        "$(grep -oE '"PGNUDGE_[A-Z]+=' "$repo/src/out/environment.c" | tr -d '"=' | sort -u)" ]]
    mapfile -t words < <(sed -n '/^\.Sh CONNECTION STRINGS/,/^\.Sh SEVERAL HOSTS/p' "$page" |
        sed -nE 's/^\.(It )?Cm //p' | sed 's/ Ns .*//' | tr -d ',.;' | tr -s ' ' '\n' | sort -u)
    ((${#words[@]} >= 50))
    for word in "${words[@]}"; do
        echo "$word"
        grep -qF "{\"$word\", " "$repo/src/conninfo/conninfo.c"
    done
}

# refused_by FILE: the parameters that it says are refused.
refused_by() {
    grep -v '^\.\\"' "$1" | tr '\n' ' ' | grep -oiE '(rejected with an error|refused by name).{20,340}OpenSSL engine' |
        grep -oE '[a-z]+(_[a-z]+)+|gssencmode|sslkey' | sort -u
}

@test "the manual page names the parameters that the code refuses" {
    local refused
    refused=$({
        sed -nE 's/^ *\{(CONN_[A-Z_]+), "[^"]*", "[^"]+"\},$/\1/p' "$repo/src/conninfo/conncheck.c"
        grep -oE 'lacking\[\] = \{[^}]*' "$repo/src/conninfo/conncheck.c" | grep -oE 'CONN_[A-Z_]+'
        grep -q 'sslkey names a key of an OpenSSL engine' "$repo/src/conninfo/conncheck.c" &&
            echo CONN_SSLKEY
    } | sed -E 's/^CONN_(.*)/\L\1/' | sort)
    echo "$refused"
    (($(wc -l <<<"$refused") >= 5))
    diff <(echo "$refused") <(refused_by "$page")
}

@test "what README.md names in the source is there" {
    local path
    for path in $(grep -oE '(src|tests|scripts|man)/[a-z0-9_./-]*|\(LICENSE\)' "$readme" | tr -d '()'); do
        echo "$path"
        [[ -e $repo/${path%.} ]]
    done
    for path in "$repo"/src/*/; do
        path=src/$(basename "$path")/
        echo "$path"
        grep -qF "| \`$path\` |" "$repo/src/README.md"
    done
}

@test "the links within README.md lead somewhere" {
    local anchor
    while IFS= read -r anchor; do
        echo "$anchor"
        grep -E '^#+ ' "$readme" | sed 's/^#* //' | tr 'A-Z ' 'a-z-' | grep -qxF -- "$anchor"
    done < <(grep -oE '\]\(#[^)]*' "$readme" | sed 's/.*#//')
}

@test "the manual page's examples have the options and the JSON that there are" {
    local lines
    mapfile -t lines < <(mandoc -T ascii -O width=1000 "$page" | sed 's/.\x08//g' |
        sed -n '/^EXAMPLES/,/^SEE ALSO/p' | grep -oE 'pgnudge .*' | sed -E 's/ *(\|.*)?$//')
    ((${#lines[@]} == 7))
    for line in "${lines[@]}"; do
        echo "$line"
        PGPORT=1 run bash -c "$line --no-reconnect"
        [[ $status == 1 && $output == *'No such file'* || $output == *refused* ]]
    done
}
