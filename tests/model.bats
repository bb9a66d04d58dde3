#!/usr/bin/env bats
#
# The model of the promise, for some seconds: a follower that reloads and refetches as told, under
# random writes, DDL and faults, ends with the database's state. `scripts/model` runs it for longer.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

setup_file() {
    start_server 'max_connections = 120' 'autovacuum = off'
}

teardown() {
    if [[ -f $BATS_TEST_TMPDIR/redis/redis.pid ]]; then kill "$(<"$BATS_TEST_TMPDIR/redis/redis.pid")" || true; fi
    common_teardown
}

# model SECONDS [OPTION]...
model() {
    local program
    program=$(dirname "$(realpath "${PGNUDGE_PLAIN:-$repo/build/pgnudge}")")/model/model
    "$program" "$PGNUDGE" "host=$SERVER port=$PGPORT user=postgres dbname=$PGDATABASE" "$1" \
        "$RANDOM$RANDOM" "${@:2}" 2>messages
}

@test "the model, with test_decoding" {
    model 7 --tables=m.j,m.a,m.b,m.ev,m.par --plugin=test_decoding
}

@test "the model, with wal2json" {
    model 7 --tables=m.j,m.a,m.b,m.ev,m.par --plugin=wal2json
}

@test "the model, with names that wal2json filters in the server" {
    model 6 --tables=m.j,m.a,m.b --plugin=wal2json
}

@test "the model, with WAL itself" {
    model 7 --tables=m.j,m.a,m.b,m.ev,m.par --transport=physical
}

# About 20 s: $MODEL_FAULT knows what may happen to the broker, and restarts the server.
@test "the model, with a bridge, many readers, a forger and a broker" {
    command -v redis-server >/dev/null || skip 'Redis is not installed'
    mkdir redis
    "$repo/tests/model/broker" "$PWD/redis" start 3>&-
    export MODEL_TO_BROKER="$repo/tests/model/broker $PWD/redis to" MODEL_SERVER=$SERVER
    export MODEL_FROM_BROKER="$repo/tests/model/broker $PWD/redis from" SERVER_ROOT SERVER_BIN SERVER_USER
    MODEL_FAULT="$repo/tests/model/broker $PWD/redis fault" model 10 fanout --tables=m.j,m.a,m.b,m.ev,m.par 3>&-
}

@test "the model, with a copy by key, with test_decoding" {
    model 3 --tables=m.j,m.k,m.kp,m.ke --keys --plugin=test_decoding
}

@test "the model, with a copy by key, with wal2json" {
    model 3 --tables=m.j,m.k,m.kp,m.ke --keys --plugin=wal2json
}

@test "the model, with a copy by key, with pgoutput" {
    model 3 --tables=m.j,m.k,m.kp,m.ke --keys --publication=everything
}
