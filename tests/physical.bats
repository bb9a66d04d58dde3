#!/usr/bin/env bats
#
# --transport physical: WAL as it is, from a server as it comes out of the box.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

setup_file() {
    start_server 'wal_level = replica' 'autovacuum = off'
    allow_standbys
}

teardown() {
    sql 'SET synchronous_commit = local' 'ALTER SYSTEM RESET synchronous_standby_names' \
        'ALTER SYSTEM RESET max_slot_wal_keep_size' 'SELECT pg_reload_conf()' >/dev/null || true
    sql 'SELECT gid FROM pg_prepared_xacts WHERE database = current_database()' |
        while IFS= read -r gid; do sql "ROLLBACK PREPARED '$gid'" </dev/null || true; done
    common_teardown
}

# physical [OPTION]...
physical() {
    listen --transport physical "$@"
}

# rows SQL...: a transaction each; then exactly these counts come, the last argument.
gives() {
    sql "${@:1:$#-1}" >/dev/null
    totals "${*: -1}"
}

# --- what changes ---

@test "rows that change at wal_level = replica are counted, without a slot" {
    physical
    is_true "current_setting('wal_level') = 'replica'"
    is_true 'NOT EXISTS (SELECT FROM pg_replication_slots)'
    gives 'INSERT INTO orders SELECT i FROM generate_series(1, 100) i' \
        'UPDATE orders SET n = n + 1 WHERE id <= 10' 'DELETE FROM orders WHERE id <= 5' \
        'INSERT INTO items (n) VALUES (1)' '{"public.orders": 115, "public.items": 1}'
    stop
}

@test "a COPY of many rows, with a row as large as can be" {
    physical
    sql "INSERT INTO items (n) VALUES (1)" 'CREATE TABLE wide (t text)' >/dev/null
    seq 1000 | sql 'COPY orders (n) FROM STDIN' >/dev/null 2>&1 ||
        "$SERVER_BIN/psql" -XAtq -h "$SERVER" -p "$PGPORT" -U postgres "$PGDATABASE" \
            -c 'COPY orders (n) FROM STDIN' < <(seq 1000)
    sql "INSERT INTO wide SELECT repeat(md5('x'), 3000000)" 'ALTER TABLE wide ALTER t SET STORAGE EXTERNAL' \
        "INSERT INTO wide SELECT repeat(md5('x'), 3000000)" >/dev/null
    totals '{"public.items": 1, "public.orders": 1000, "public.wide": 2}'
    stop
}

@test "rollbacks, savepoints and prepared transactions" {
    physical
    sql 'BEGIN; INSERT INTO orders (n) VALUES (1); ROLLBACK' \
        'BEGIN; INSERT INTO items (n) VALUES (1); SAVEPOINT s; INSERT INTO orders (n) VALUES (1); ROLLBACK TO s; SAVEPOINT t; INSERT INTO items (n) VALUES (2); RELEASE t; COMMIT' \
        "BEGIN; SAVEPOINT s; INSERT INTO customers (n) VALUES (1); RELEASE s; INSERT INTO customers (n) VALUES (2); PREPARE TRANSACTION 'yes'" \
        "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'no'" >/dev/null
    totals '{"public.items": 2}'
    gives "COMMIT PREPARED 'yes'" "ROLLBACK PREPARED 'no'" '{"public.items": 2, "public.customers": 2}'
    saw 'reasons == ["connected"]'
    stop
}

@test "TRUNCATE, REFRESH and rewrites are reported" {
    sql 'INSERT INTO orders (n) VALUES (1)' 'CREATE MATERIALIZED VIEW report AS SELECT n FROM orders' \
        'CREATE UNLOGGED TABLE scratch (n int)' 'CREATE INDEX ON orders (n)' >/dev/null
    physical
    gives 'TRUNCATE orders, scratch' '{"public.orders": 1, "public.scratch": 1}'
    gives 'TRUNCATE orders RESTART IDENTITY' '{"public.orders": 2, "public.scratch": 1}'
    gives 'REFRESH MATERIALIZED VIEW report' \
        '{"public.orders": 2, "public.scratch": 1, "public.report": 1}'
    gives 'VACUUM FULL items' \
        '{"public.orders": 2, "public.scratch": 1, "public.report": 1, "public.items": 1}'
    gives 'BEGIN; TRUNCATE items; INSERT INTO items (n) VALUES (1); TRUNCATE items; COMMIT' \
        '{"public.orders": 2, "public.scratch": 1, "public.report": 1, "public.items": 3}'
    gives 'ALTER TABLE customers ALTER n TYPE bigint' '{"public.orders": 2, "public.scratch": 1,
        "public.report": 1, "public.items": 3, "public.customers": 1}'
    gives 'DROP TABLE scratch' '{"public.orders": 2, "public.scratch": 2,
        "public.report": 1, "public.items": 3, "public.customers": 1}'
    saw 'reasons == ["connected"]'
    stop
}

@test "a table that is truncated again before its new file is known" {
    physical
    truncations=()
    for _ in {1..30}; do truncations+=('TRUNCATE customers'); done
    sql "${truncations[@]}"
    totals '{"public.customers": 30}'
    stop
}

# Its rows can't be told from the TRUNCATE then; it is reported all the same.
@test "a new table that is written and truncated before its file is known" {
    physical --liveness-timeout 0
    freeze_visibility
    sql 'CREATE TABLE fresh (n int)' 'INSERT INTO fresh VALUES (1), (2)' 'TRUNCATE fresh'
    all_read
    thaw_visibility
    totals '{"public.fresh": 1}'
    saw 'reasons == ["connected"]'
    stop
}

@test "indexes, statistics, grants, other databases and temporary tables are not reported" {
    sql 'CREATE INDEX one ON orders (n)' 'INSERT INTO orders SELECT i FROM generate_series(1, 9) i' >/dev/null
    physical
    sql 'CREATE INDEX more ON orders (n)' 'REINDEX INDEX one' 'DROP INDEX more' 'ANALYZE orders' \
        'VACUUM orders' 'GRANT SELECT ON orders TO pgnudge' \
        'CREATE TEMP TABLE mine (n int); INSERT INTO mine VALUES (1); TRUNCATE mine; DROP TABLE mine' \
        'BEGIN; CREATE TABLE short (n int); INSERT INTO short VALUES (1); DROP TABLE short; COMMIT' >/dev/null
    PGDATABASE=postgres sql 'CREATE TABLE IF NOT EXISTS other (n int)' 'INSERT INTO other VALUES (1)' \
        'TRUNCATE other' 'DROP TABLE other' >/dev/null
    totals '{}'
    saw 'reasons == ["connected"]'
    stop
}

# A change of one that was detached may still be reported under its former root until that has been looked up.
low_is_apart() {
    sql 'INSERT INTO low VALUES (1)'
    mark
    saw '.[-1].events | map(.table) == ["marker"]'
}

@test "partitions and children are named by what is watched" {
    sql 'CREATE TABLE root (n int) PARTITION BY RANGE (n)' \
        'CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (10)' \
        'CREATE TABLE parent (n int)' 'CREATE TABLE child () INHERITS (parent)' >/dev/null
    physical --tables root,parent,marker
    gives 'INSERT INTO root VALUES (1)' 'INSERT INTO child VALUES (1)' 'INSERT INTO orders (n) VALUES (1)' \
        '{"public.root": 1, "public.parent": 1}'
    gives 'CREATE TABLE high PARTITION OF root FOR VALUES FROM (10) TO (20)' \
        'INSERT INTO root VALUES (11)' '{"public.root": 2, "public.parent": 1}'
    gives 'TRUNCATE root' '{"public.root": 4, "public.parent": 1}'
    sql 'ALTER TABLE root DETACH PARTITION low'
    wait_for low_is_apart
    saw 'reasons == ["connected"]'
    stop
}

@test "a table is known by what it is, not by its name" {
    physical --tables orders,marker
    gives 'INSERT INTO orders (n) VALUES (1)' '{"public.orders": 1}'
    # Another one gets the name.
    gives 'ALTER TABLE orders RENAME TO old; ALTER TABLE items RENAME TO orders' \
        'INSERT INTO old (n) VALUES (1)' 'INSERT INTO orders (n) VALUES (1), (2)' \
        '{"public.orders": 3}'
    gives 'BEGIN; INSERT INTO old (n) VALUES (1); ALTER TABLE orders RENAME TO items; ALTER TABLE old RENAME TO orders; COMMIT' \
        '{"public.orders": 4}'
    gives 'ALTER SCHEMA public RENAME TO elsewhere; CREATE SCHEMA public; CREATE TABLE public.marker (n int)' \
        '{"public.orders": 4}'
    stop
}

@test "what changes and is gone before it can be named is a resync" {
    physical --debounce 1s --max-batch-wait 1s
    sql 'CREATE TABLE short (n int)' 'INSERT INTO short VALUES (1)' 'TRUNCATE short' \
        'INSERT INTO short VALUES (1)' >/dev/null
    wait_for saw 'count("public.short") > 0'
    session other
    ask other 'BEGIN; CREATE TABLE gone (n int); INSERT INTO gone VALUES (1); COMMIT; DROP TABLE gone'
    mark || true
    saw 'reasons - ["connected"] | all(. == "failsafe")'
    stop
}

@test "logical decoding messages" {
    physical
    sql "BEGIN; SELECT pg_logical_emit_message(true, 'pgnudge', ''); ROLLBACK" \
        "BEGIN; SAVEPOINT s; SELECT pg_logical_emit_message(true, 'pgnudge', 'public.items'); RELEASE s; COMMIT" \
        "SELECT pg_logical_emit_message(true, 'other', 'public.orders')" \
        "SELECT pg_logical_emit_message(false, 'pgnudge', 'public.orders')" >/dev/null
    totals '{"public.items": 1, "public.orders": 1}'
    sql "SELECT pg_logical_emit_message(true, 'pgnudge', '')" >/dev/null
    wait_for saw 'reasons == ["connected", "requested"]'
    stop
}

# --- the start ---

@test "what a transaction had changed before the stream began is reported at its COMMIT" {
    session writer
    session idle
    session aborted
    ask writer 'BEGIN; INSERT INTO orders (n) VALUES (1); SAVEPOINT s; INSERT INTO items (n) VALUES (1); RELEASE s'
    ask aborted 'BEGIN; INSERT INTO customers (n) VALUES (1)'
    ask idle 'BEGIN; SELECT pg_current_xact_id()'
    PGDATABASE=postgres session elsewhere
    ask elsewhere 'BEGIN; CREATE TABLE elsewhere (n int); INSERT INTO elsewhere VALUES (1)'
    sql "BEGIN; INSERT INTO customers (n) VALUES (1); PREPARE TRANSACTION 'before'" >/dev/null
    physical
    mark
    ask writer 'COMMIT'
    ask aborted 'ROLLBACK'
    ask elsewhere 'COMMIT; DROP TABLE elsewhere'
    wait_for saw 'shop | .[0] > 0 and .[1] > 0 and .[2] == 0'
    sql "COMMIT PREPARED 'before'"
    wait_for saw 'shop[2] > 0'
    saw 'reasons == ["connected"]'
    # Nothing is known of what this one did.
    ask idle 'COMMIT'
    wait_for saw 'reasons == ["connected", "reconnected"]'
    stop
}

stalled() {
    is_true "count(*) = $1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
}

answered_or_stalled() {
    answered probe || stalled 1
}

# From now on a COMMIT waits. (The checkpointer turns that on, a little later.)
stall() {
    configure synchronous_standby_names nobody
    session probe
    while
        tell probe "SELECT pg_logical_emit_message(true, 'probe', '')"
        wait_for answered_or_stalled
        answered probe
    do :; done
    sql "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'" >/dev/null
    wait_for stalled 0
}

release() {
    sql 'SET synchronous_commit = local' 'ALTER SYSTEM RESET synchronous_standby_names' \
        'SELECT pg_reload_conf()' >/dev/null
    wait_for stalled 0
}

@test "a COMMIT that waited for a standby when the stream began is one more resync" {
    stall
    session writer
    tell writer 'INSERT INTO orders (n) VALUES (1)'
    wait_for stalled 1
    launch --transport physical
    wait_for saw 'reasons == ["connected"]'
    release
    wait_for saw 'reasons == ["connected", "reconnected"]'
    stop
}

@test "nothing is reported before it is visible, and it is never a synchronous standby" {
    physical
    stall
    session writer
    tell writer 'INSERT INTO orders (n) VALUES (1)'
    wait_for stalled 1
    all_read
    sql 'SET synchronous_commit = local; INSERT INTO items (n) VALUES (1)'
    all_read
    stalled 1
    saw 'shop == [0, 0, 0]'
    is_true "bool_and(sync_state = 'async' OR flush_lsn IS NULL OR flush_lsn = '0/0') FROM pg_stat_replication"
    configure synchronous_standby_names '*'
    sql 'SET synchronous_commit = local; SELECT 1' >/dev/null
    stalled 1
    release
    wait_for saw 'shop == [1, 1, 0]'
    stop
}

@test "readers never look too early, while several write" {
    follow --transport physical --debounce 5ms
    wait_for saw 'length > 0'
    write 'INSERT INTO orders (n) VALUES (1);'
    write 'BEGIN; INSERT INTO items (n) VALUES (1); SAVEPOINT s; INSERT INTO customers (n) VALUES (1); ROLLBACK TO s; COMMIT;'
    write "BEGIN; INSERT INTO customers (n) SELECT 1 FROM generate_series(1, 3); PREPARE TRANSACTION 'w'; COMMIT PREPARED 'w';"
    wait_for saw '[.[].events[]?] | length > 60'
    no_writers
    wait_for exact
    none_too_early
    stop
}

# --- what may happen ---

@test "a slow reader: changes merge, and reading goes on" {
    mkfifo slow
    to=slow launch --transport physical
    exec 7<slow
    read -r line <&7
    [[ $line == *'"connected"'* ]]
    sql 'INSERT INTO orders (n) VALUES (1)'
    for i in {1..40}; do
        sql "INSERT INTO items (n) SELECT $i FROM generate_series(1, 500)" 'TRUNCATE customers'
    done >/dev/null
    all_read
    cat <&7 >"$out" 3>&- &
    mark
    exec 7<&-
    wait_for saw 'count("public.items") == 20000 and count("public.customers") == 40'
    saw '[.[] | select(.type == "batch")] | length < 10'
    stop
}

@test "a walsender that is terminated gives reconnected" {
    physical --backoff 50ms,100ms
    sql "SELECT pg_terminate_backend(pid) FROM pg_stat_replication" >/dev/null
    wait_for saw 'reasons == ["connected", "reconnected"]'
    gives 'INSERT INTO orders (n) VALUES (1)' '{"public.orders": 1}'
    stop
}

@test "WAL that was removed meanwhile is a resync, not an end" {
    sql 'ALTER SYSTEM SET wal_keep_size = 0' 'SELECT pg_reload_conf()' >/dev/null
    physical --backoff 50ms,100ms
    kill -STOP "$pid"
    frozen+=("$pid")
    # More than sockets hold, in segments that are removed.
    for _ in 1 2 3; do
        sql "INSERT INTO orders (n) SELECT 1 FROM generate_series(1, 100000)" 'SELECT pg_switch_wal()' \
            CHECKPOINT >/dev/null
    done
    sql 'SELECT pg_switch_wal()' CHECKPOINT >/dev/null
    kill -CONT "$pid"
    wait_for said 'requested WAL segment .* has already been removed'
    wait_for saw 'reasons[-1] == "reconnected"'
    allow_standbys
    stop
}

@test "a restart of the server, which doesn't wait for it" {
    physical --backoff 50ms,100ms
    sql "BEGIN; INSERT INTO items (n) VALUES (1); PREPARE TRANSACTION 'over'" >/dev/null
    before=$SECONDS
    server_restart "$SERVER" fast
    ((SECONDS - before < 10))
    wait_for saw 'reasons == ["connected", "reconnected"]'
    sql "COMMIT PREPARED 'over'"
    wait_for saw 'count("public.items") > 0'
    server_restart "$SERVER" immediate
    wait_for saw 'reasons == ["connected", "reconnected", "reconnected"]'
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
    stop
}

@test "more open transactions than are kept are a resync" {
    physical --tables orders,items,marker
    session many
    ask many "BEGIN; DO \$\$ BEGIN FOR i IN 1..66000 LOOP BEGIN INSERT INTO items (n) VALUES (i); EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END \$\$"
    gives 'INSERT INTO orders (n) VALUES (1)' '{"public.orders": 1}'
    saw 'reasons == ["connected"]'
    ask many 'COMMIT'
    wait_for saw 'reasons == ["connected", "overflow"]'
    gives 'INSERT INTO orders (n) VALUES (1)' '{"public.orders": 2}'
    stop
}

@test "wal_level = minimal is refused" {
    server_stop "$SERVER"
    printf '%s\n' 'wal_level = minimal' 'max_wal_senders = 0' >>"$SERVER/data/postgresql.conf"
    server_start "$SERVER"
    run -1 pgnudge --transport physical --no-reconnect
    sed -i '/^wal_level = minimal/d; /^max_wal_senders = 0/d' "$SERVER/data/postgresql.conf"
    server_restart "$SERVER"
    [[ $output == *max_wal_senders* ]]
}

# --- a standby as the source ---

# on_standby FUNCTION [OPTION]...
on_standby() {
    at=$standby "$1" -p "$(server_port "$standby")" --transport physical "${@:2}"
}

replayed() {
    [[ $(server_sql "$standby" "SELECT pg_last_wal_replay_lsn() >= '$(sql 'SELECT pg_current_wal_flush_lsn()')'") == t ]]
}

@test "on a standby a transaction that was open when the stream began is a resync" {
    session writer
    ask writer 'BEGIN; INSERT INTO orders (n) VALUES (1)'
    sql CHECKPOINT
    start_standby
    wait_for replayed
    on_standby launch
    wait_for saw 'reasons == ["connected"]'
    ask writer COMMIT
    wait_for saw 'reasons == ["connected", "reconnected"]'
    # From the primary's next list on it is known which those are.
    sql CHECKPOINT 'SELECT 1' >/dev/null
    wait_for replayed
    sql 'INSERT INTO items (n) VALUES (1)'
    wait_for saw 'count("public.items") >= 1 or (reasons | length) > 2'
    sql CHECKPOINT 'INSERT INTO items (n) VALUES (1)'
    wait_for saw 'count("public.items") >= 1'
    stop
}

there() { # CONDITION: on the standby
    [[ $(server_sql "$standby" "SELECT $1") == t ]]
}

@test "on a standby the first resync waits for what it has received to be replayed" {
    start_standby
    wait_for replayed
    server_sql "$standby" 'SELECT pg_wal_replay_pause()' >/dev/null
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for there "pg_last_wal_receive_lsn() >= '$(sql 'SELECT pg_current_wal_flush_lsn()')'"
    on_standby launch -vv
    wait_for said 'streaming WAL from'
    wait_for there "EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming' AND write_lsn IS NOT NULL)"
    there 'pg_last_wal_replay_lsn() < pg_last_wal_receive_lsn()'
    [[ ! -s $out ]]
    server_sql "$standby" 'SELECT pg_wal_replay_resume()' >/dev/null
    wait_for saw 'reasons == ["connected"]'
    stop
}

@test "on a standby nothing is reported before it is replayed" {
    start_standby
    on_standby listen
    sql CHECKPOINT 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1 or (reasons | length) > 1'
    server_sql "$standby" 'SELECT pg_wal_replay_pause()' >/dev/null
    sql CHECKPOINT 'INSERT INTO items (n) VALUES (1)'
    wait_for is_true "bool_and(write_lsn >= pg_current_wal_flush_lsn()) FROM pg_stat_replication"
    saw 'count("public.items") == 0'
    server_sql "$standby" 'SELECT pg_wal_replay_resume()' >/dev/null
    wait_for saw 'count("public.items") == 1'
    stop
}

@test "a standby that is promoted" {
    start_standby
    on_standby listen --backoff 50ms,100ms
    server_sql "$standby" 'SELECT pg_promote()' >/dev/null
    wait_for saw 'reasons[-1] == "reconnected"'
    server_sql "$standby" 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
    stop
}

# --- definitions ---

@test "--ddl: a changed definition is a resync, and nothing else is" {
    sql 'CREATE TABLE root (n int) PARTITION BY RANGE (n)' \
        'CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (10)' \
        'CREATE TABLE high (n int)' 'CREATE SCHEMA s' 'CREATE TABLE s.far (n int)' >/dev/null
    physical --ddl --tables 'orders,root,s.far,marker'
    changes=0
    defined() {
        sql "$@" >/dev/null
        changes=$((changes + 1))
        wait_for saw "[reasons[] | select(. == \"schema\")] | length == $changes"
    }
    defined 'ALTER TABLE orders ADD x int'
    defined 'ALTER TABLE orders RENAME x TO y'
    defined 'ALTER TABLE orders ALTER y TYPE numeric(10, 2)'
    defined 'ALTER TABLE orders DROP y'
    defined 'ALTER TABLE orders DROP CONSTRAINT orders_pkey'
    defined 'ALTER TABLE orders RENAME TO bestellungen'
    defined 'ALTER TABLE bestellungen RENAME TO orders'
    defined 'ALTER TABLE root ATTACH PARTITION high FOR VALUES FROM (10) TO (20)'
    defined 'ALTER TABLE root DETACH PARTITION low'
    defined 'ALTER SCHEMA s RENAME TO t'
    defined 'ALTER SCHEMA t RENAME TO s'
    sql 'INSERT INTO s.far VALUES (1)'
    mark
    defined 'DROP TABLE s.far'
    defined 'CREATE TABLE s.far (n int)'
    # shellcheck disable=SC2016 # SQL's
    sql 'GRANT SELECT ON orders TO pgnudge' 'ANALYZE orders' 'CREATE INDEX other ON orders (n)' \
        'DROP INDEX other' 'CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$' \
        'CREATE TRIGGER tr BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f()' \
        'COMMENT ON TABLE orders IS $$x$$' 'ALTER TABLE items ADD x int' 'CREATE TABLE unwatched (n int)' \
        'VACUUM FULL orders' 'ALTER TABLE orders SET (fillfactor = 50)' >/dev/null
    mark
    sql CHECKPOINT 'ALTER TABLE orders ADD last int'
    changes=$((changes + 1))
    wait_for saw "[reasons[] | select(. == \"schema\")] | length == $changes"
    saw 'reasons | map(select(. != "schema")) == ["connected"]'
    stop
}

# --- the command line ---

@test "what needs decoding is refused with it" {
    for option in --keys --operations '--plugin=auto' '--publication=p' --no-visibility-check; do
        run -2 pgnudge --transport physical "$option"
        [[ $output == *"--transport physical and ${option%%=*} exclude each other"* ]]
    done
    run -2 pgnudge --ddl
    [[ $output == *'--ddl needs --transport physical'* ]]
    run -2 pgnudge --transport auto
    [[ $output == *'logical or physical'* ]]
    run -2 pgnudge --listen c --transport physical
    [[ $output == *'--transport'* ]]
}

@test "the doctor tries it, and reports which transport is better" {
    run -0 pgnudge doctor --transport physical --ddl
    [[ $output == *'ok    wal_level: replica, which is enough'* && $output != *'slots: '* ]]
    [[ $output == *'ok    physical WAL: the server streams it; wal_keep_size = '*' MB'* ]]
    [[ $output == *'use   no plugin: '* ]]
    if decodes_at_replica; then return; fi
    run -3 pgnudge doctor
    [[ $output == *'FAIL  wal_level: replica'* ]]
    [[ $output == *'use   --transport physical: it works here as it is: '* ]]
    run -3 pgnudge doctor --keys
    [[ $output == *'physical WAL: the server streams it'* && $output != *'use   --transport'* ]]
}

@test "the doctor, where other databases write more" {
    PGDATABASE=postgres sql 'CREATE TABLE IF NOT EXISTS busy (n int)' \
        'INSERT INTO busy SELECT generate_series(1, 300000)' >/dev/null
    elsewhere() {
        run -0 pgnudge doctor --transport physical
        [[ $output == *'use   --transport logical: other databases of this server write more than this one'* ]]
    }
    wait_for elsewhere
}
