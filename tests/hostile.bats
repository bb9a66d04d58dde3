#!/usr/bin/env bats
#
# What only real sockets, signals and memory show of a server that misbehaves; for the rest see
# tests/fake/hostile.c.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

fake=$(dirname "$PGNUDGE")/fake/server
# The sanitizer takes memory of its own, and has a copy of the environment.
PGNUDGE=$(realpath "${PGNUDGE_PLAIN:-$repo/build/pgnudge}")

setup_file() { :; }

teardown_file() { :; }

# faces [FAULT AT [CONNECTION]] -- [OPTION]...: a fake server, and a pgnudge on its way to it.
faces() {
    local options=()
    while [[ ${1:---} != -- ]]; do
        options+=("$1")
        shift
    done
    : >fake.port
    "$fake" "${options[@]}" >fake.port 2>fake.said 3>&- &
    pids+=("$!")
    wait_for test -s fake.port
    PGPASSWORD=correct-horse-battery launch -h 127.0.0.1 -p "$(<fake.port)" -U pgnudge \
        -d a-name-to-find "${@:2}"
}

# came CONNECTION MESSAGE
came() {
    grep -qx "connection $1, message $2" fake.said
}

# It has done all that it can do, and waits.
waits() {
    [[ $(sed 's/.*) //' "/proc/$pid/stat") == S* ]]
}

shows_no_secret() {
    local status=0
    wait_for waits
    ./memory_grep "$pid" a-name-to-find >places || status=$?
    ((status != 2)) || skip "another process's memory can't be read"
    ((status == 0)) # it does find what is there
    run ! ./memory_grep "$pid" correct-horse-battery
}

@test "at no step of a login would a core dump show the password" {
    cc -o memory_grep "$repo/tests/tools/memory_grep.c"
    for connection in 0 1; do
        for at in 0 1 2 3 4 8 12; do
            echo "connection $connection, message $at"
            faces silence "$at" "$connection" -- --connect-timeout 0
            wait_for came "$connection" "$at"
            shows_no_secret
            kill "$pid"
            ends_with 0
        done
    done
}

flooded() {
    local peak
    echo "$*"
    faces "$@" -- --no-reconnect -q
    wait_for came "${3:-0}" "$2"
    peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status" 2>/dev/null || true)
    kill "$pid" 2>/dev/null || true
    ended
    ((${peak:-0} < 40000))
}

# With what it would have had without a signal, too: it may have refused the server by then.
ended() {
    gone() { ! kill -0 "$pid" 2>/dev/null; }
    local status=0
    wait_for gone
    wait "$pid" || status=$?
    ((status == 0 || status == 1 || status == 3))
}

@test "no flood of a server holds up a signal" {
    for what in '' -rows -notices -errors -parameters -bytes; do
        for at in 0 3 8 30 50; do
            flooded "endless$what" "$at"
        done
        flooded "endless$what" 3 1
        flooded "endless$what" 20 1
    done
}

@test "the server that behaves is listened to" {
    faces -- --plugin test_decoding
    wait_for saw 'any(changes[]; .payload == "public.parent")'
    saw '.[0].reason == "connected"'
    kill "$pid"
    ends_with 0
}
