#!/usr/bin/env bats
#
# What the sanitizers don't see (memory that was never written, in what libraries are given, too): a plain
# build under valgrind.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"
# shellcheck source=tests/certs.bash
. "$BATS_TEST_DIRNAME/certs.bash"

streaming() {
    listen --backoff 10ms,100ms "$@"
    sql 'INSERT INTO orders (n) SELECT i FROM generate_series(1, 1000) i' 'UPDATE orders SET n = 3' \
        'DELETE FROM orders WHERE id > 10' 'TRUNCATE items, customers' 'ALTER TABLE items RENAME TO things' \
        'ALTER TABLE things RENAME TO items' "SELECT pg_logical_emit_message(true, 'pgnudge', '')" >/dev/null
    wait_for saw '.[-1].type == "resync" and length > 1'
    sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
    wait_for saw 'any(.[]; .reason == "reconnected")'
    wait_for changes_again # with wal2json another connection may be made, for the renamed table
    stop
}

changes_again() {
    sql 'INSERT INTO orders (n) VALUES (1)'
    saw '.[-1].type == "batch"'
}

@test "a run through TLS, with a change of tables and a lost connection, is clean" {
    new_ca ours
    new_cert good ours DNS:localhost "${ec[@]}"
    serve_cert good
    mkdir -p .postgresql
    cp "$SERVER/certs/ours.crt" .postgresql/root.crt
    sql "CREATE ROLE scram LOGIN REPLICATION PASSWORD 'secret'"
    { echo 'hostssl all scram all scram-sha-256' && cat "$SERVER/data/pg_hba.conf"; } >hba
    cat hba >"$SERVER/data/pg_hba.conf"
    sql 'SELECT pg_reload_conf()' >/dev/null
    printf '%s\n' '#!/bin/sh' "exec valgrind -q --log-file=valgrind.%p --error-exitcode=86 --leak-check=full \\" \
        "--child-silent-after-fork=yes '${PGNUDGE_PLAIN:-$repo/build/pgnudge}' \"\$@\"" >under_valgrind
    chmod +x under_valgrind
    export PGNUDGE=$PWD/under_valgrind PGHOST=localhost PGUSER=scram PGPASSWORD=secret PGSSLMODE=verify-full
    streaming
    [[ $plugins != *wal2json* ]] || streaming --plugin wal2json --tables public.orders,public.items
    tail -n +1 valgrind.*
    run ! grep -q "^==" valgrind.* # what else it says is about system calls that it does not know
}
