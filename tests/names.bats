#!/usr/bin/env bats
#
# A name is not the relation: what a change's name meant is looked up later, when the table may have
# been renamed and its name given to another. And what stays quiet.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# fresh SQL...: a new schema t with these.
fresh() {
    sql 'SET client_min_messages = warning' 'DROP SCHEMA IF EXISTS t CASCADE' 'CREATE SCHEMA t' "$@"
}

partitioned() {
    fresh 'CREATE TABLE t.ev (id int) PARTITION BY RANGE (id)' \
        'CREATE TABLE t.ev_1 PARTITION OF t.ev FOR VALUES FROM (0) TO (100)' \
        'CREATE TABLE t.stage (id int)' 'CREATE TABLE t.parent (id int)' \
        'CREATE TABLE t.child () INHERITS (t.parent)'
}

# covered PAYLOAD LSN: a batch names it, or a resync came, for what was written after that.
covered() {
    saw "any(.[]; (.lsn | split(\"/\") | map(ascii_upcase)
                   | .[0] + (\"00000000\" + .[1])[-8:]) as \$l
             | \$l > \"$(lsn_key "$2")\" and (.type == \"resync\"
                   or any(.events[]; .payload == \"$1\")))"
}

lsn_key() {
    printf '%s%08s' "${1%/*}" "${1#*/}" | tr ' ' 0
}

here() {
    sql 'SELECT pg_current_wal_insert_lsn()'
}

# nudges PAYLOAD SQL...: whoever refetches as told sees what these do.
nudges() {
    local payload=$1 before
    before=$(here)
    shift
    sql "$@"
    wait_for covered "$payload" "$before"
}

# --- the name of a partition is reused ---

first_change() {
    partitioned
    listen --plugin "$plugin" --tables t.ev,t.parent "$@"
    nudges t.ev 'BEGIN; INSERT INTO t.ev VALUES (1); ALTER TABLE t.ev_1 RENAME TO ev_1_old;
                 CREATE TABLE t.ev_1 (id int); COMMIT'
    stop
    partitioned
    listen --plugin "$plugin" --tables t.ev,t.parent "$@"
    nudges t.ev 'BEGIN; INSERT INTO t.ev VALUES (1); COMMIT' \
        'BEGIN; ALTER TABLE t.ev_1 RENAME TO ev_1_old; CREATE TABLE t.ev_1 (id int); COMMIT'
    stop
    partitioned
    listen --plugin "$plugin" --tables t.ev,t.parent "$@"
    nudges t.parent 'BEGIN; INSERT INTO t.child VALUES (1); ALTER TABLE t.child RENAME TO child_old;
                     CREATE TABLE t.child (id int); COMMIT'
    stop
    partitioned
    listen --plugin "$plugin" --tables t.ev,t.parent "$@"
    sql 'CREATE TABLE t.ev_9 PARTITION OF t.ev FOR VALUES FROM (900) TO (999)'
    nudges t.ev 'BEGIN; INSERT INTO t.ev VALUES (900); ALTER TABLE t.ev_9 RENAME TO old;
                 CREATE TABLE t.ev_9 (id int); COMMIT'
    stop
}

@test "a partition's first change, and then its name is another table's" {
    each_plugin first_change
    each_plugin first_change --no-visibility-check
}

first_change_away() {
    partitioned
    listen --plugin "$plugin" --tables t.ev
    sql 'ALTER ROLE pgnudge CONNECTION LIMIT 0' "SELECT pg_terminate_backend(pid) FROM $visibility" \
        >/dev/null
    wait_for is_true "count(*) = 0 FROM $visibility"
    before=$(here)
    sql 'INSERT INTO t.ev VALUES (1)'
    all_read
    sql 'BEGIN; ALTER TABLE t.ev_1 RENAME TO ev_1_old; CREATE TABLE t.ev_1 (id int); COMMIT'
    all_read
    sql 'ALTER ROLE pgnudge CONNECTION LIMIT -1'
    wait_for covered t.ev "$before"
    stop
}

@test "… while the visibility connection is away" {
    each_plugin first_change_away
}

known_table() {
    partitioned
    listen --plugin "$plugin" --tables t.ev "$@"
    nudges t.ev 'INSERT INTO t.stage VALUES (150)' 'INSERT INTO t.ev VALUES (1)'
    nudges t.ev 'BEGIN; ALTER TABLE t.ev ATTACH PARTITION t.stage FOR VALUES FROM (100) TO (200);
                 INSERT INTO t.ev VALUES (160); ALTER TABLE t.stage RENAME TO ev_3; COMMIT'
    sql 'CREATE TABLE t.stage (id int)' 'INSERT INTO t.stage VALUES (1)' 'INSERT INTO t.ev VALUES (1)'
    all_read
    nudges t.ev 'BEGIN; DROP TABLE t.stage;
                 CREATE TABLE t.stage PARTITION OF t.ev FOR VALUES FROM (200) TO (300);
                 INSERT INTO t.ev VALUES (260); ALTER TABLE t.stage RENAME TO ev_4; COMMIT'
    stop
}

@test "a table that is known becomes a partition, is written and renamed" {
    each_plugin known_table
    each_plugin known_table --no-visibility-check
}

# --- rebuilt under another name ---

rebuild='BEGIN; CREATE TABLE t.a_new (n int); INSERT INTO t.a_new VALUES (1);
         DROP TABLE t.a; ALTER TABLE t.a_new RENAME TO a; COMMIT'

rebuilt() {
    fresh 'CREATE TABLE t.a (n int)'
    listen --plugin "$plugin" "$@"
    nudges t.a "$rebuild"
    nudges t.a 'INSERT INTO t.a VALUES (1)'
    # a_new has been looked up before.
    sql 'CREATE TABLE t.a_new (n int)' 'INSERT INTO t.a_new VALUES (1)' 'DROP TABLE t.a_new'
    nudges t.a 'INSERT INTO t.a VALUES (1)'
    nudges t.a "$rebuild"
    nudges t.a 'BEGIN; CREATE SCHEMA aside; CREATE TABLE aside.a (n int);
                INSERT INTO aside.a VALUES (1); DROP TABLE t.a;
                ALTER TABLE aside.a SET SCHEMA t; DROP SCHEMA aside; COMMIT'
    nudges t.a 'BEGIN; ALTER TABLE t.a RENAME TO b; INSERT INTO t.b VALUES (1);
                ALTER TABLE t.b RENAME TO a; COMMIT'
    stop
}

@test "a table that is rebuilt under another name" {
    each_plugin rebuilt --tables t.a
    each_plugin rebuilt --tables 't.*' --exclude t.a_new,t.b
    each_plugin rebuilt --tables t.a --no-visibility-check
    each_plugin rebuilt --partitions leaf
}

swapped() {
    fresh 'CREATE TABLE t.a (n int)' 'CREATE TABLE t.b (n int)'
    listen --plugin "$plugin" "$@"
    # The row is a's.
    nudges t.a 'BEGIN; ALTER TABLE t.a RENAME TO c; ALTER TABLE t.b RENAME TO a;
                ALTER TABLE t.c RENAME TO b; INSERT INTO t.b VALUES (1);
                ALTER TABLE t.b RENAME TO c; ALTER TABLE t.a RENAME TO b;
                ALTER TABLE t.c RENAME TO a; COMMIT'
    nudges t.a 'INSERT INTO t.b VALUES (1)' 'INSERT INTO t.a VALUES (1)'
    nudges t.a 'BEGIN; ALTER TABLE t.a RENAME TO c; ALTER TABLE t.b RENAME TO a;
                ALTER TABLE t.c RENAME TO b; COMMIT' \
        'INSERT INTO t.b VALUES (1)' \
        'BEGIN; ALTER TABLE t.b RENAME TO c; ALTER TABLE t.a RENAME TO b;
                ALTER TABLE t.c RENAME TO a; COMMIT'
    stop
}

@test "two tables that swap names, are written, and swap back" {
    each_plugin swapped --tables t.a
    each_plugin swapped
    each_plugin swapped --tables t.a --no-visibility-check
}

# --- and what stays quiet ---

quiet() {
    fresh 'CREATE TABLE t.a (n int)'
    listen --plugin "$plugin" "$@"
    sql 'INSERT INTO t.a VALUES (1), (2)' 'GRANT SELECT ON t.a TO pgnudge' 'INSERT INTO t.a VALUES (3)' \
        'TRUNCATE t.a' 'BEGIN; TRUNCATE t.a; INSERT INTO t.a VALUES (1); COMMIT' \
        'ALTER TABLE t.a ADD COLUMN m int' 'INSERT INTO t.a VALUES (4)' \
        'ALTER TABLE t.a ALTER n TYPE bigint' 'INSERT INTO t.a VALUES (5)' \
        'CREATE INDEX ON t.a (n)' 'VACUUM FULL t.a' 'ANALYZE t.a' 'INSERT INTO t.a VALUES (6)'
    wait_for saw 'count("t.a") == 9'
    totals '{"t.a": 9}'
    saw 'reasons == ["connected"]'
    stop
}

@test "TRUNCATE, GRANT and ALTER of a watched table give exact counts and no resync" {
    each_plugin quiet --tables t.a,marker
    each_plugin quiet
    each_plugin quiet --tables t.a,marker --no-visibility-check
}

created() {
    fresh
    listen --plugin "$plugin" --tables 't.*,marker' "$@"
    sql 'CREATE TABLE t.a AS SELECT generate_series(1, 5) n' 'CREATE TABLE t.b (id serial PRIMARY KEY)' \
        'INSERT INTO t.b DEFAULT VALUES' 'BEGIN; CREATE TABLE t.c (n int PRIMARY KEY);
         INSERT INTO t.c VALUES (1); SAVEPOINT s; CREATE TABLE t.d (n int); INSERT INTO t.d VALUES (1);
         COMMIT'
    wait_for saw 'count("t.d") == 1'
    totals '{"t.a": 5, "t.b": 1, "t.c": 1, "t.d": 1}'
    saw 'reasons == ["connected"]'
    stop
}

@test "tables that are made and filled at once give exact counts and no resync" {
    each_plugin created
    each_plugin created --no-visibility-check
}

unrelated() {
    local i
    fresh
    listen --plugin "$plugin" --tables orders,marker "$@"
    for i in {1..20}; do
        echo "CREATE TABLE t.u$i (n int); INSERT INTO t.u$i VALUES (1); CREATE TABLE t.v$i AS SELECT 1 n;
              INSERT INTO orders (n) VALUES ($i);"
    done | sql
    wait_for saw 'count("public.orders") == 20'
    totals '{"public.orders": 20}'
    saw 'reasons == ["connected"]'
    stop
}

@test "new tables that nobody watches give nothing" {
    each_plugin unrelated
    each_plugin unrelated --no-visibility-check
}

# --- and what it costs ---

# scans: how often the catalogs were read whole; counted when the backends are gone.
scans() {
    wait_for is_true "NOT EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'pgnudge')"
    sql "SELECT string_agg(relname || ' ' || seq_scan, ', ' ORDER BY relname) FROM pg_stat_sys_tables
         WHERE relname IN ('pg_class', 'pg_inherits', 'pg_type', 'pg_attribute')"
}

many_partitions() {
    local before
    fresh 'CREATE TABLE t.ev (id int) PARTITION BY LIST (id)' \
        "DO \$\$ BEGIN FOR i IN 1..1500 LOOP
             EXECUTE format('CREATE TABLE t.ev_%s PARTITION OF t.ev FOR VALUES IN (%s)', i, i);
             IF i % 200 = 0 THEN COMMIT; END IF; END LOOP; END \$\$"
    before=$(scans)
    listen --plugin "$plugin" --tables t.ev,marker
    sql "DO \$\$ BEGIN FOR i IN 1..1500 LOOP
             INSERT INTO t.ev VALUES (i); COMMIT; END LOOP; END \$\$" 'INSERT INTO t.ev VALUES (7)'
    wait_for saw 'count("t.ev") == 1501'
    totals '{"t.ev": 1501}'
    saw 'reasons == ["connected"]'
    stop
    echo "before: $before; after: $(scans)"
    [[ $(scans) == "$before" ]]
}

@test "the catalog is read by its indexes, whatever its size" {
    configure autovacuum off
    each_plugin many_partitions
}
