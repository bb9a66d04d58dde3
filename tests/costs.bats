#!/usr/bin/env bats
#
# What watching costs, in counts: system calls, wake-ups, memory. No times.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"
# shellcheck source=tests/certs.bash
. "$BATS_TEST_DIRNAME/certs.bash"

# Sanitizers hold on to memory, and don't let themselves be traced.
PGNUDGE=${PGNUDGE_PLAIN:-$PGNUDGE}
untraced=$PGNUDGE

setup_file() {
    start_server
    new_ca ours
    new_cert good ours DNS:localhost
    serve_cert good
}

setup() {
    [[ $PGNUDGE != */asan/* ]] || skip 'an ordinary build is needed'
    common_setup
    export PGSSLMODE=disable
}

# traced STRACE-OPTION...: from now on under strace, which writes to the file "calls".
traced() {
    printf '#!/bin/sh\nexec strace -D -o "%s" %s "%s" "$@"\n' \
        "$BATS_TEST_TMPDIR/calls" "$*" "$untraced" >traced
    chmod +x traced
    PGNUDGE=$BATS_TEST_TMPDIR/traced
}

counted() {
    grep -q ' total$' calls
}

# at_most CALLS SQL [OPTION]...: pgnudge, start and end included.
at_most() {
    local calls
    traced -c
    listen "${@:3}"
    sql "$2"
    mark
    stop
    wait_for counted
    calls=$(awk '$NF == "total" { print $(NF > 5 ? 4 : 3) }' calls)
    echo "$calls system calls, at most $1 expected"
    ((calls <= $1))
}

rows='INSERT INTO orders (n) SELECT * FROM generate_series(1, 100000)'

@test "a flood is read in gulps" {
    at_most 8000 "$rows"
}

@test "… by wal2json too" {
    at_most 8000 "$rows" --plugin wal2json
}

@test "… also where nobody watches it" {
    at_most 8000 "$rows" --tables marker
}

@test "… and without a debounce" {
    at_most 8000 "$rows" --debounce 0
}

@test "… through TLS" {
    PGSSLMODE=require at_most 10000 "$rows"
}

@test "… through a Unix socket, which holds less" {
    at_most 25000 "$rows" --host "$SERVER"
}

@test "small transactions are read in gulps" {
    at_most 8000 'DO $$ BEGIN FOR i IN 1..10000 LOOP
        INSERT INTO orders (n) VALUES (i); COMMIT; END LOOP; END $$'
}

# So that whoever reads as it comes has the time to: on a busy machine a flood outruns pgnudge.
@test "… also where they leave the time to read each by itself" {
    at_most 7000 'DO $$ BEGIN FOR i IN 1..4000 LOOP
        INSERT INTO orders (n) VALUES (i); COMMIT; PERFORM pg_sleep(0.0005); END LOOP; END $$'
}

# wakes_at_most TIMES SQL [OPTION]...: not traced, which would slow pgnudge down until it finds much
# at once whatever it does.
wakes_at_most() {
    local before times
    listen "${@:3}"
    before=$(wakes)
    sql "$2"
    mark
    times=$(($(wakes) - before))
    echo "woken $times times, at most $1 expected"
    ((times <= $1))
    stop
}

wakes() {
    awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "/proc/$pid/status"
}

@test "a flood wakes it seldom" {
    wakes_at_most 2000 "$rows"
    wakes_at_most 2000 "$rows" --plugin wal2json
    wakes_at_most 2000 "$rows" --tables marker
    PGSSLMODE=require wakes_at_most 2000 "$rows"
}

# What the stream brought after a wait that poll ended (when told), and after one that ran out.
traced_reads() {
    traced -e trace=ppoll,recvfrom,setsockopt
}

# told_of PART: in more than so many of 100 bytes poll said that they were there.
told_of() {
    awk -v part="$1" '
        /SO_RCVLOWAT/ { fd = $1; sub(/.*\(/, "", fd) }
        $1 ~ /^ppoll/ { late = /= 0 \(Timeout\)$/ }
        fd != "" && $1 == "recvfrom(" fd && $NF ~ /^[0-9]+$/ { bytes[late] += $NF }
        END {
            print bytes[0] + 0 " bytes that were told, " bytes[1] + 0 " when a wait was over"
            exit !(bytes[0] * 100 > (bytes[0] + bytes[1]) * part)
        }' calls
}

@test "a buffer that is filling up ends a pause" {
    fat_table
    traced_reads
    listen
    long_row
    stop
    told_of 50
}

@test "what comes on a quiet stream is read at once: a first change, keepalives in a window" {
    traced_reads
    listen --debounce 0
    for _ in {1..20}; do mark; done
    stop
    told_of 80
    traced_reads
    listen --debounce 1h --max-batch-wait 1h
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read
    for _ in {1..20}; do
        PGDATABASE=postgres sql 'SELECT pg_current_xact_id()' >/dev/null
        all_read
    done
    stop
    told_of 80
}

# answered OPTION...: 20 commits, after each of which the server has been told.
answered() {
    traced -e trace=ppoll,write,sendto
    listen --no-visibility-check "$@"
    for _ in {1..20}; do
        mark
        all_read
    done
    stop
}

# What a turn that prints does next, and the waits that last a millisecond at most.
@test "the server is told behind the line where that is at once, else without a turn of its own" {
    answered --debounce 0
    awk '
        line && $1 ~ /^sendto/ { both++ }
        { line = $1 ~ /^write/ && /type/; lines += line }
        END {
            print lines " lines, " both + 0 " with the server told in the same turn"
            exit !(lines >= 20 && both <= 2)
        }' calls
    answered
    awk '
        /^ppoll.*tv_sec=0, tv_nsec=/ { sub(/.*tv_nsec=/, ""); short += $0 + 0 <= 1000000 }
        END {
            print short + 0 " short waits"
            exit short > 10
        }' calls
}

# Asleep, in a wait that was to last as long as the regular expression says.
asleep() {
    tail -n 1 calls | grep -qE "^ppoll\(.*\], [0-9]+, $1, "
}

# nothing_wakes_it [OPTION]...: but the server itself, now and then.
nothing_wakes_it() {
    local before woken
    traced -e trace=ppoll
    listen --liveness-timeout 0 --status-interval 1h "$@"
    mark
    wait_for asleep '\{tv_sec=3[0-9]{3}, .*'
    before=$(wc -l <calls)
    for _ in {1..10}; do sql 'SELECT 1' >/dev/null; done
    woken=$(($(wc -l <calls) - before))
    echo "woken $woken times"
    ((woken <= 10))
    stop
}

@test "idle means idle" {
    # What else would wake it: the server's patience.
    export PGOPTIONS='-c wal_sender_timeout=0'
    nothing_wakes_it
    nothing_wakes_it --no-visibility-check
    nothing_wakes_it --plugin wal2json --tables marker
    nothing_wakes_it --visible-on "host=$SERVER"
    PGSSLMODE=require nothing_wakes_it
}

peak() {
    awk '/VmHWM/ { print $2 }' "/proc/$pid/status"
}

# within MIB
within() {
    echo "$(peak) kB, at most $1 MiB expected"
    (($(peak) <= $1 * 1024))
}

long_row() {
    sql "INSERT INTO fat SELECT string_agg(md5(i::text), '') FROM generate_series(1, 3300000) i"
    mark
    saw 'count("public.fat") == 1'
}

fat_table() {
    sql 'CREATE TABLE fat (x text)' 'ALTER TABLE fat ALTER x SET STORAGE EXTERNAL'
}

fits() {
    listen --plugin "$plugin"
    sql "$rows"
    mark
    long_row
    within "$1"
    stop
}

@test "memory: a flood and a row of 100 MB" {
    fat_table
    each_plugin fits 8
}

@test "memory: the same through TLS" {
    fat_table
    PGSSLMODE=require each_plugin fits 12
}

@test "memory: 10 000 tables in a window, and 20 000 names to watch" {
    local names=() i
    sql 'DO $$ BEGIN FOR i IN 1..10000 LOOP
             EXECUTE format('\''CREATE TABLE many_%s (n int)'\'', i);
             IF i % 500 = 0 THEN COMMIT; END IF;
         END LOOP; END $$'
    for ((i = 1; i <= 20000; i++)); do names+=("--tables=many_$i"); done
    listen --max-pending 20000 --allow-missing --quiet --tables marker "${names[@]}"
    within 13 # OpenSSL 3.5 takes more than 3.0
    sql 'DO $$ BEGIN FOR i IN 1..10000 LOOP
             EXECUTE format('\''INSERT INTO many_%s VALUES (1)'\'', i);
         END LOOP; END $$'
    mark
    saw 'changes | length == 10000'
    within 24
}
