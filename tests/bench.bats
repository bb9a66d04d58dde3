#!/usr/bin/env bats
#
# scripts/bench, with sizes that say nothing: that it measures all that it names, not how fast.

bats_require_minimum_version 1.5.0

export ASAN_OPTIONS=exitcode=86 LSAN_OPTIONS=exitcode=86 UBSAN_OPTIONS=exitcode=86:print_stacktrace=1
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-240}

repo=$(realpath "${BATS_TEST_DIRNAME:?}/..")
# shellcheck source=scripts/lib/server.sh
. "$repo/scripts/lib/server.sh"

setup() {
    server_has_wal2json || skip 'the server has no wal2json'
    PGNUDGE=$(realpath "${PGNUDGE:-$repo/build/pgnudge}")
    cd "$BATS_TEST_TMPDIR" || return 1
}

# bench PGNUDGE PART...: with a server root of its own, which it removes at the end.
bench() {
    env -u SERVER_ROOT PGNUDGE="${1:?}" ROUNDS="${rounds:-1}" \
        BENCH_ROWS=2000 BENCH_TRANSACTIONS=100 BENCH_COMMITS=4 BENCH_IDLE=1 \
        BENCH_TABLES=20 BENCH_NAMES=30 BENCH_WIDE=1 BENCH_CHANGES=20 BENCH_FLOOD=6000 \
        BENCH_BUSY=3 BENCH_FANOUT=1 BENCH_READERS='1 2' BENCH_SLOTS=1 \
        "$repo/scripts/bench" "${@:2}" 2>said 3>&-
}

# Each line of the table that tells something: its columns behind the label.
figures() {
    sed -n '/^[A-Z]*:\|^[A-Z]*,/,/^bounds/p' table | sed '/^bounds/d; /  unit /d; /^$/d' |
        cut -c 64-
}

@test "a part has a line for each figure, with what stands beside and the ratio" {
    rounds=2 bench "$PGNUDGE" small >table || { cat said && false; }
    cat table
    grep -q '^PostgreSQL .*, fsync off, medians of 2 rounds$' table
    grep -q '^SMALL: 100 transactions .* unit  *pgnudge  *beside  *ratio  in rounds$' table
    for plugin in test_decoding wal2json; do
        for figure in 'client CPU' 'all sent and read' 'all written' 'walsender CPU' \
            'waits of the client' 'peak memory'; do
            grep -qE "^$figure, $plugin .* [0-9.]+ +[0-9.]+ +[0-9.]+  [0-9.]+ to [0-9.]+$" table
        done
    done
    (($(figures | wc -l) == 12))
    # The last line comes after the debounce: what is timed does end with it.
    [[ $(grep '^all written' table | cut -c 64- | awk '$2 >= 0.05' | wc -l) == 2 ]]
    (($(grep -cE '^small: .* [0-9.]+ +(0\.500|1\.10|8\.00)  (by half|yes|NO)$' table) == 8))
}

@test "every other part fills its lines" {
    bench "$PGNUDGE" big latency start idle memory catalog tls keys decode physical >table || { cat said && false; }
    cat table
    local both='([0-9.]+ +[0-9.-]+|- +[0-9.]+)' range='(-|[0-9.]+ to [0-9.]+)'
    run -1 grep -vE "^[A-Za-z0-9/]+ +$both +[0-9.-]+  $range\$" <(figures)
    # LISTEN three times, and the visibility query
    (($(figures | grep -cE '^ms +- ') == 4 && $(figures | grep -cE '^[^ ]+ +- ') == 4))
    for part in BIG LATENCY START IDLE MEMORY CATALOG TLS DECODE PHYSICAL; do
        grep -q "^${part}[:,]" table
    done
    for part in big latency memory catalog tls keys decode; do
        grep -qE "^$part: .* (by half|yes|NO)$" table
    done
}

@test "many readers, which are measured only when asked for" {
    [[ -x $(server_bindir)/pgbench ]] || skip 'there is no pgbench'
    bench "$PGNUDGE" fanout >table || { cat said && false; }
    cat table
    (($(grep -c '^FANOUT: ' table) == 3))
    for readers in 1 2; do
        (($(grep -cE "^p99, $readers readers +ms +[0-9.]+ " table) == (readers == 1 ? 3 : 2)))
        (($(grep -cE "^transactions of pgbench, $readers readers +/s +[0-9.]+ +[0-9.]+ " table) > 1))
    done
}

@test "medians, ratios and bounds" {
    BENCH_KEPT=$BATS_TEST_TMPDIR/kept
    mkdir kept
    # shellcheck source=scripts/lib/bench.sh
    . "$repo/scripts/lib/bench.sh"
    for value in 30 1 2; do record ours printf 'cpu\t%s\nother\t7\n' "$value"; done
    for value in 4 10 8 20; do record theirs printf 'cpu\t%s\n' "$value"; done
    [[ $(median ours cpu) == 2 ]]
    [[ $(median theirs cpu) == 9 ]]
    [[ -z $(median theirs other) ]]
    [[ $(over ours other theirs cpu) == 0.777778 ]]
    [[ -z $(over ours other theirs) ]]

    row 'A TITLE'
    row 'a figure' us ours cpu theirs cpu
    row 'one alone' us ours other '' ''
    print_table >table
    cat table
    diff <(sed 's/  */ /g' table) - <<'END'
A TITLE unit pgnudge beside ratio in rounds
a figure us 2.00 9.00 0.222 0.100 to 7.50
one alone us 7.00 - - -
END

    bound 'half' 2 4
    bound 'just' 3 3
    bound 'over' 3.01 3
    bound 'not measured' '' 3
    print_bounds >bounds
    cat bounds
    diff <(sed 's/  */ /g' bounds) - <<'END'
bounds reached at most holds
half 2.00 4.00 by half
just 3.00 3.00 yes
over 3.01 3.00 NO
END
}

@test "a client that ends by itself ends the run" {
    mkdir elsewhere
    ln -s "$(dirname "$PGNUDGE")/bench" elsewhere/bench
    printf '#!/bin/sh\nexit 7\n' >elsewhere/pgnudge
    chmod +x elsewhere/pgnudge
    run -1 bench "$BATS_TEST_TMPDIR/elsewhere/pgnudge" small
    [[ -z $output ]]
    grep -qx 'bench: the client ended by itself (status 7)' said
    grep -qx 'bench: failed, nothing is printed: warming up' said
}

# The directory of the run that the session $1 makes, once two clients are being looked at.
idle_root() {
    local pids
    mapfile -t pids < <(pgrep -x -s "$1" measure)
    ((${#pids[@]} == 2)) || return 1
    tr '\0' '\n' <"/proc/${pids[0]}/environ" | sed -n 's/^SERVER_ROOT=//p'
}

@test "^C ends it, and leaves no process and no directory behind" {
    local end=$((SECONDS + 60)) root='' status=0
    env -u SERVER_ROOT --default-signal PGNUDGE="$PGNUDGE" BENCH_IDLE=600 \
        setsid "$repo/scripts/bench" idle >table 2>said 3>&- &
    until root=$(idle_root "$!") && [[ -d $root ]]; do
        if ((SECONDS >= end)); then
            cat said
            return 1
        fi
        sleep 0.1
    done
    kill -INT -- "-$!"
    wait "$!" || status=$?
    cat said
    ((status == 130))
    [[ ! -e $root && ! -s table ]]
    run -1 pgrep -f "$root/"
    run -1 grep -E 'Killed|failed' said
}

@test "an unknown part is refused, and named are those there are" {
    run -2 bench "$PGNUDGE" small tiny
    grep -q '^usage: scripts/bench .*small.*decode' said
}
