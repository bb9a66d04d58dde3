#!/usr/bin/env bats
#
# Options, statuses, help.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# usage_error [OPTION]...: status 2 and an error, before anything is connected to.
usage_error() {
    local status=0
    echo "pgnudge $*"
    PGPORT=1 pgnudge --no-reconnect "$@" >usage.stdout 2>usage.err || status=$?
    cat usage.err
    ((status == 2))
    [[ $(head -n 1 usage.err) == 'pgnudge: error: '* && ! -s usage.stdout ]]
    [[ $(<usage.err) != *refused* ]]
}

# accepted [OPTION]...: as far as options go; port 1 refuses the connection.
accepted() {
    local status=0
    echo "pgnudge $*"
    PGPORT=1 pgnudge --no-reconnect "$@" >accepted.stdout 2>accepted.err || status=$?
    cat accepted.err
    ((status == 1))
    grep -q refused accepted.err
}

# --- help and version ---

@test "--help fits a screen, on stdout, with status 0" {
    local option
    for option in --help '-?'; do
        run --separate-stderr pgnudge "$option"
        [[ $status == 0 && -z $stderr && ${lines[0]} == *PostgreSQL* ]]
        ((${#lines[@]} <= 60))
        [[ -z $(awk 'length > 80' <<<"$output") ]]
    done
}

@test "--version says which" {
    for option in --version -V; do
        run --separate-stderr pgnudge "$option"
        [[ $status == 0 && -z $stderr && $output =~ ^pgnudge\ [^\ ]+$ ]]
    done
}

@test "--help, the manual page and the code know the same options" {
    local long='--[a-z][a-z-]*[a-z]' code help page
    code=$(sed -nE 's/^[[:space:]]*\{"([a-z-]+)",.*/--\1/p' "$repo/src/cli/options.c" | sort -u)
    help=$(pgnudge --help | grep -oE -- "$long" | sort -u)
    page=$(mandoc -T ascii -O width=1000 "$repo/man/pgnudge.1" | sed 's/.\x08//g' |
        grep -oE -- "$long" | sort -u)
    [[ -n $code ]]
    diff <(echo "$code") <(echo "$help")
    diff <(echo "$code") <(echo "$page")
}

@test "--help and the manual page know the same short options" {
    local short='(^|[ ,])-[A-Za-z0-9?]($|[ ,])' help page
    help=$(pgnudge --help | grep -oE -- "^ *$short" | grep -oE -- '-[^ ,]' | sort -u)
    page=$(mandoc -T ascii -O width=1000 "$repo/man/pgnudge.1" | sed 's/.\x08//g' |
        grep -oE -- "^ *-[A-Za-z0-9?]," | grep -oE -- '-[^ ,]' | sort -u)
    [[ -n $help ]]
    diff <(echo "$help") <(echo "$page")
}

# --- options ---

@test "an option that doesn't exist, or lacks its argument, or has one too many" {
    usage_error --nonsense
    usage_error -Z
    usage_error --debounce
    usage_error -t
    usage_error --no-reconnect=yes
    usage_error dbname another
}

@test "options: =, abbreviations, and options after the operand" {
    accepted --debounce=10ms --max-batch 1s
    accepted -h 127.0.0.1 -p 1 -U me -d mine
    accepted --host=127.0.0.1 --port=1 --username=me --dbname=mine
    accepted mine --debounce 10ms
    usage_error --max 1 # ambiguous
}

@test "durations: every unit, and fractions" {
    local duration
    for duration in 1 0.5 10us 1.5ms 2s 1m 1min 1h 1d; do
        accepted --failsafe "$duration"
    done
}

@test "durations: what is none" {
    local duration
    for duration in '' x ms -1 -1s 1w 1.2.3s '1 x' 1ss 1e999 nan inf 0x10 99999999999999999999h; do
        usage_error --failsafe "$duration"
    done
}

@test "durations: 0 only where it has a meaning" {
    local option
    for option in --debounce --liveness-timeout --connect-timeout; do
        accepted "$option" 0
    done
    for option in --max-batch-wait --failsafe --status-interval --timeout; do
        usage_error "$option" 0
    done
    usage_error --backoff 0,1s
}

@test "numbers" {
    accepted --max-pending 1 --count 1
    for option in --max-pending --count -n; do
        for number in 0 -1 1.5 x '' 99999999999999999999; do
            usage_error "$option" "$number"
        done
    done
    usage_error -p 0
    usage_error -p 65536
    usage_error -p x
}

@test "--backoff takes two durations, the smaller first" {
    accepted --backoff 10ms,1s
    accepted --backoff 1s,1s
    for backoff in 1s '' ',' '1s,' ',1s' 2s,1s 1s,2s,3s; do
        usage_error --backoff "$backoff"
    done
}

@test "--liveness-timeout below a given --status-interval" {
    accepted --liveness-timeout 1s
    usage_error --liveness-timeout 1s --status-interval 5s
}

@test "--plugin knows three" {
    for plugin in auto wal2json test_decoding; do
        accepted --plugin "$plugin"
    done
    usage_error --plugin pgoutput
    usage_error --plugin ''
}

@test "patterns: what is none" {
    local option pattern
    for option in --tables --exclude; do
        for pattern in '' ',' 'a,' ',a' 'a,,b' . a. .a a.b.c 'a*b.c.d' '"a' 'a"' \
            '"a"b' 'a."b' '""'; do
            usage_error "$option" "$pattern"
        done
    done
}

@test "patterns: what is one" {
    local pattern
    for pattern in a a.b '*' '*.*' 'a.*' '*.b' ' a , b ' '"a.b"."c,d"' '"*"' \
        '""""' 'Tränen' '"a b"'; do
        accepted --tables "$pattern" --exclude "$pattern"
    done
}

@test "a URI of another scheme is refused, and nothing of it is shown" {
    for uri in 'postgress://u:sesame@h/db?sslmode=require' 'mysql://u:sesame@h/db'; do
        run -2 --separate-stderr pgnudge "$uri"
        [[ $stderr == *'a URI begins with postgresql://'* && $stderr != *sesame* ]]
        run -2 --separate-stderr pgnudge -d "$uri"
        [[ $stderr != *sesame* ]]
        run -2 --separate-stderr pgnudge shop "$uri"
        [[ $stderr == *'too many arguments'* && $stderr != *sesame* ]]
    done
}

@test "connection settings that are wrong" {
    PGSSLMODE=sometimes usage_error
    PGCONNECT_TIMEOUT=soon usage_error
}

# --- statuses ---

@test "status 0: --count reached" {
    run --separate-stderr pgnudge -n 1 --failsafe 50ms
    [[ $status == 0 && ${#lines[@]} == 2 ]]
    wait_for no_slot
}

@test "status 1: no connection under --no-reconnect" {
    PGPORT=1 run --separate-stderr pgnudge --no-reconnect
    [[ $status == 1 && -z $output && $stderr == 'pgnudge: error: '* ]]
}

@test "status 3: no such database" {
    refused 'database "nowhere" does not exist' -d nowhere
}

# told COUNT END: so many payloads.
told() {
    (($(tr -cd "$2" <"$out" | wc -c) == $1))
}

@test "--format and --null" {
    sql 'CREATE TABLE "new
line" (n int)'
    launch --format names
    wait_for test -s "$out"
    sql 'INSERT INTO orders (n) VALUES (1); INSERT INTO "new
line" VALUES (1)'
    wait_for told 3 '\n'
    [[ $(<"$out") == $'*\npublic.orders\n*' ]]
    stop
    launch -f names -0
    wait_for test -s "$out"
    sql 'INSERT INTO orders (n) VALUES (1); INSERT INTO "new
line" VALUES (1)'
    wait_for told 3 '\0'
    printf '%s\0' '*' public.orders $'public.new\nline' | cmp - "$out"
    stop
    run pgnudge --format xml
    ((status == 2)) && [[ $output == *'expected json or names'* ]]
    run pgnudge -0
    ((status == 2)) && [[ $output == *'--null needs --format names'* ]]
}

@test "status 3: wal_level" {
    ! decodes_at_replica || skip 'this server decodes at replica'
    sql 'ALTER SYSTEM SET wal_level = replica'
    server_restart "$SERVER"
    refused 'wal_level'
    sql 'ALTER SYSTEM RESET wal_level'
    server_restart "$SERVER"
}

@test "status 3: a database name of libpq's -d, and the error says where it wanted to go" {
    refused 'nowhere' -h "$SERVER" -d nowhere
    refused 'role "nobody_knows" does not exist' -h "$SERVER" -U nobody_knows
}

@test "a server without a slot to spare is tried again" {
    sql 'ALTER SYSTEM SET max_replication_slots = 1'
    server_restart "$SERVER"
    sql "SELECT pg_create_physical_replication_slot('taken')" >/dev/null
    launch --backoff 10ms,50ms
    wait_for said 'all replication slots are in use'
    sql "SELECT pg_drop_replication_slot('taken')" >/dev/null
    wait_for saw 'reasons == ["connected"]'
    stop
    sql 'ALTER SYSTEM RESET max_replication_slots'
    server_restart "$SERVER"
}

@test "status 124: --timeout ran out, while it listens and before" {
    launch --timeout 1500ms
    ends_with 124
    [[ $(wc -l <"$out") == 1 ]]
    wait_for no_slot
    PGPORT=1 launch --timeout 100ms
    ends_with 124
    [[ ! -s $out ]]
}

@test "a signal that the caller ignores stays ignored, as under nohup" {
    env --ignore-signal=HUP setpriv --pdeathsig KILL "$PGNUDGE" >ignored.out 2>ignored.err 3>&- &
    pid=$! out=ignored.out err=ignored.err
    pids+=("$pid")
    wait_for saw 'length > 0'
    kill -HUP "$pid"
    mark
    stop
}

# --- what is said ---

@test "nothing is said when all is well, and -v says where it goes" {
    listen
    stop
    [[ ! -s $err ]]
    PGPASSWORD=secret listen -v
    said "^pgnudge: info: connecting to host=$PGHOST port=$PGPORT dbname=$PGDATABASE user=pgnudge"
    said ' sslmode=prefer'
    run ! said secret
    run ! said '^pgnudge: debug:'
    stop
    listen -vv
    mark
    said '^pgnudge: debug:'
    stop
}

@test "what a server says can't command the terminal" {
    PGDATABASE=$'\e[31mred\u009b' refused 'does not exist'
    [[ $(<"$err") != *$'\e'* ]]
    run ! grep -aP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$err"
}

@test "-q leaves errors only" {
    PGPORT=1 launch -q --backoff 1ms,1ms
    wait_for said '^pgnudge: error:'
    run ! said '^pgnudge: (warning|info|debug):'
    stop
}

@test "a status interval that is too long is lowered, with a warning" {
    listen --status-interval 1h
    said 'warning: status interval lowered to 10\.000 s, a third of the liveness timeout'
    stop
}

@test "PGAPPNAME, or pgnudge, is its name on the server" {
    listen
    is_true "application_name = 'pgnudge' FROM pg_stat_replication"
    stop
    PGAPPNAME='the shop' listen
    is_true "application_name = 'the shop' FROM pg_stat_replication"
    stop
}
