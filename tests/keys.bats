#!/usr/bin/env bats
#
# --keys and --operations: which rows an event names, by each plugin; never a key that is wrong, never
# one that is missing.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# each_source COMMAND...: with each plugin, pgoutput too; ${source[@]} are the options.
each_source() {
    local plugin
    for plugin in $plugins pgoutput; do
        use "$plugin"
        "$@"
        stop
        [[ $plugin != pgoutput ]] || sql 'DROP PUBLICATION everything'
    done
}

# at_least MAJOR
at_least() {
    is_true "current_setting('server_version_num')::int >= $1 * 10000"
}

# use PLUGIN
use() {
    echo "with $1:"
    source=(--plugin "$1")
    if [[ $1 == pgoutput ]]; then
        source=(--publication everything)
        sql 'CREATE PUBLICATION everything FOR ALL TABLES'
    fi
}

# watch LIST [OPTION]...: all the tables are known, and what their keys are made of has been read.
watch() {
    listen -v "${source[@]}" --keys --debounce 10ms --tables "$1,public.marker" "${@:2}"
    wait_for known
}

known() {
    said 'rows of public.marker can.t be named'
}

# told SQL EXPECTED: after the statements (one transaction each line), the keys of all events of
# other tables than marker since the last call, as jq prints them; "whole" where an event has none.
told() {
    local before got
    before=$(lines)
    sql "$1"
    mark
    got=$(tail -n +$((before + 1)) "$out" | jq -cs '[.[].events[]? | select(.table != "marker")
        | if .keys then .keys[] else "whole" end] | unique' | sed 's/^\[//; s/\]$//')
    echo "told $got, expected $2, by: $1"
    [[ $got == "$2" ]]
}

simple_rows() {
    sql 'DROP TABLE IF EXISTS t; CREATE TABLE t (v text, id int PRIMARY KEY, w int)'
    watch public.t
    told "INSERT INTO t VALUES ('a', 1, 1), ('b', 2, 2)" '["1"],["2"]'
    told "UPDATE t SET v = 'c' WHERE id = 1" '["1"]'
    told "UPDATE t SET id = 3 WHERE id = 2" '["2"],["3"]'
    told "DELETE FROM t WHERE id = 3" '["3"]'
    told "BEGIN; INSERT INTO t VALUES ('x', 7, 0); SAVEPOINT s; INSERT INTO t VALUES ('x', 8, 0);
          ROLLBACK TO s; INSERT INTO t VALUES ('x', 9, 0); COMMIT" '["7"],["9"]'
    saw '[.[].events[]? | select(.keys) | .key] | unique == [["id"]]'
}

@test "INSERT and DELETE name one key, UPDATE of the key two" {
    each_source simple_rows
}

quoted_rows() {
    sql 'DROP TABLE IF EXISTS "T ""x"; CREATE TABLE "T ""x" ("a[]: b" text, "old-key" int,
         n numeric, "ü" text, PRIMARY KEY ("ü", "a[]: b", n))'
    watch '"public"."T ""x"'
    told "INSERT INTO \"T \"\"x\" VALUES (E'it''s \\\\ \"q\"\\n\\t]: x', 1, 1.50, 'grün €')" \
        '["grün €","it'"'"'s \\ \"q\"\n\t]: x","1.50"]'
    told "UPDATE \"T \"\"x\" SET n = 1.5" \
        '["grün €","it'"'"'s \\ \"q\"\n\t]: x","1.5"],["grün €","it'"'"'s \\ \"q\"\n\t]: x","1.50"]'
    told "UPDATE \"T \"\"x\" SET \"old-key\" = 2" '["grün €","it'"'"'s \\ \"q\"\n\t]: x","1.5"]'
    told "DELETE FROM \"T \"\"x\"" '["grün €","it'"'"'s \\ \"q\"\n\t]: x","1.5"]'
    saw '[.[].events[]? | select(.keys) | .key] | unique == [["ü", "a[]: b", "n"]]'
}

@test "composite keys, with names and values that have to be quoted" {
    each_source quoted_rows
}

fallbacks() {
    sql 'DROP TABLE IF EXISTS a, b, c, d, e, f, g CASCADE;
         CREATE TABLE a (id int, v int); ALTER TABLE a REPLICA IDENTITY FULL;
         CREATE TABLE b (id int PRIMARY KEY DEFERRABLE, v int); ALTER TABLE b REPLICA IDENTITY FULL;
         CREATE TABLE c (id int PRIMARY KEY, v int NOT NULL UNIQUE);
         ALTER TABLE c REPLICA IDENTITY USING INDEX c_v_key;
         CREATE TABLE d (id int PRIMARY KEY, v int NOT NULL, UNIQUE (v, id));
         ALTER TABLE d REPLICA IDENTITY USING INDEX d_v_id_key;
         CREATE TABLE e (id regclass PRIMARY KEY, v int);
         CREATE TABLE f (v int, id int, x int, PRIMARY KEY (id) INCLUDE (x));
         CREATE TABLE g (id int PRIMARY KEY, v int); ALTER TABLE g REPLICA IDENTITY NOTHING'
    watch public.a,public.b,public.c,public.d,public.e,public.f,public.g
    told 'INSERT INTO a VALUES (1, 1)' '"whole"' # no key
    told 'INSERT INTO b VALUES (1, 1)' '["1"]'   # FULL holds it
    told 'UPDATE b SET id = 2' '["1"],["2"]'
    told 'INSERT INTO c VALUES (1, 1)' '"whole"' # another index
    told 'INSERT INTO d VALUES (1, 1)' '["1"]'   # an index that holds the key too
    told 'UPDATE d SET id = 2' '["1"],["2"]'
    told 'DELETE FROM d' '["2"]'
    told "INSERT INTO e VALUES ('pg_class', 1)" '"whole"' # a name, which can change
    told 'INSERT INTO f VALUES (1, 2, 3)' '["2"]'         # INCLUDE is no part of it
    told 'UPDATE f SET x = 4' '["2"]'
    told 'INSERT INTO g VALUES (1, 1)' '"whole"' # NOTHING
    told 'BEGIN; TRUNCATE f; INSERT INTO f VALUES (1, 2, 3); COMMIT' '"whole"'
    if [[ ${source[1]} != everything ]] || at_least 14; then # before, pgoutput has no messages
        told "SELECT pg_logical_emit_message(true, 'pgnudge', 'public.d')" '"whole"'
    fi
}

@test "the whole table is meant where a row's key can't be known for sure" {
    each_source fallbacks
}

@test "wal2json's row that is only a warning, and its null for NaN, mean the whole table" {
    source=(--plugin wal2json)
    sql 'CREATE TABLE t (id float8 PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)'
    watch public.t,public.u
    told "INSERT INTO t VALUES (1.5)" '["1.5"]'
    told "INSERT INTO t VALUES ('NaN')" '"whole"'
    told "UPDATE t SET id = 'Infinity' WHERE id = 1.5" '"whole"'
    sql 'ALTER TABLE u REPLICA IDENTITY NOTHING; INSERT INTO u VALUES (1)'
    told 'UPDATE u SET id = 2' '"whole"'
}

# Each of these would give a wrong key, or leave one out, where only the key's columns were compared.
changed_definitions() {
    sql 'DROP TABLE IF EXISTS t, u, e, f, g; DROP TYPE IF EXISTS mood, spot' \
        'CREATE TYPE spot AS (x int); CREATE TABLE f (s spot PRIMARY KEY, v int); INSERT INTO f VALUES (ROW(1), 1), (ROW(2), 2)' \
        'CREATE TABLE g (id numeric PRIMARY KEY, v int); INSERT INTO g VALUES (1.50, 1), (2.50, 2)' \
        "CREATE TYPE mood AS ENUM ('a', 'b')" 'CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL UNIQUE, w int);
         INSERT INTO t SELECT i, 100 + i FROM generate_series(1, 9) i;
         CREATE TABLE u (id int NOT NULL, v int NOT NULL, CONSTRAINT k1 PRIMARY KEY (id));
         INSERT INTO u SELECT i, 100 + i FROM generate_series(1, 9) i;
         CREATE TABLE e (m mood PRIMARY KEY, v int)' "INSERT INTO e VALUES ('a', 1), ('b', 2)"
    watch public.t,public.u,public.e,public.f,public.g
    told 'UPDATE t SET w = 1 WHERE id = 1' '["1"]'
    if [[ ${source[1]} != everything ]]; then # where the server would refuse the UPDATE
        told 'BEGIN; ALTER TABLE t REPLICA IDENTITY NOTHING; UPDATE t SET id = 11 WHERE id = 1;
              ALTER TABLE t REPLICA IDENTITY DEFAULT; COMMIT' '"whole"'
    else
        told 'BEGIN; ALTER TABLE t REPLICA IDENTITY FULL; UPDATE t SET id = 11 WHERE id = 1;
              ALTER TABLE t REPLICA IDENTITY DEFAULT; COMMIT' '"whole"'
    fi
    told 'UPDATE t SET w = 2 WHERE id = 2' '"whole"' # the first one after it
    again 'UPDATE t SET w = 2 WHERE id = 2' '["2"]'
    told 'BEGIN; ALTER TABLE u DROP CONSTRAINT k1, ADD CONSTRAINT k1 PRIMARY KEY (v);
          UPDATE u SET id = 50 WHERE id = 1; COMMIT' '"whole"'
    again 'UPDATE u SET id = id WHERE v = 102' '["102"]'
    told 'BEGIN; ALTER TABLE u RENAME id TO x; ALTER TABLE u RENAME v TO id; ALTER TABLE u RENAME x TO v;
          UPDATE u SET v = 60 WHERE id = 103; COMMIT' '"whole"'
    if [[ ${source[1]} != wal2json ]] || at_least 14; then # before, its identity has the names of the index
        again 'UPDATE u SET v = v WHERE id = 104' '["104"]'
    fi
    again "UPDATE e SET v = 5 WHERE m = 'a'" '["a"]'
    told "BEGIN; ALTER TYPE mood RENAME VALUE 'a' TO 'z'; DELETE FROM e WHERE v = 5; COMMIT" '"whole"'
    told 'UPDATE f SET v = 5 WHERE v = 1' '["(1)"]'
    told 'BEGIN; ALTER TYPE spot ADD ATTRIBUTE y int; DELETE FROM f WHERE v = 5; COMMIT' '"whole"'
    again 'UPDATE f SET v = 6 WHERE v = 2 OR v = 6' '["(2,)"]'
    told 'UPDATE g SET v = 5 WHERE v = 1' '["1.50"]'
    told 'BEGIN; ALTER TABLE g ALTER id TYPE int; DELETE FROM g WHERE v = 5; COMMIT' '"whole"'
    again 'UPDATE g SET v = 6 WHERE v = 2 OR v = 6' '["3"]'
}

# again SQL EXPECTED: as told, once what the keys are made of has been read anew.
again() {
    local before
    for _ in {1..80}; do # a table that could not be named is looked at again after 5 s
        before=$(lines)
        sql "$1"
        mark
        if tail -n +$((before + 1)) "$out" | jq -es 'any(.[].events[]?; .keys and .table != "marker")' >/dev/null; then
            told "$1" "$2"
            return
        fi
    done
    return 1
}

@test "DDL in the transaction, a swap of keys, swapped names of columns, a renamed value" {
    each_source changed_definitions
}

named_again() {
    sql "INSERT INTO t VALUES (1, 'y') ON CONFLICT (x) DO UPDATE SET v = t.v + 1"
    saw 'any(changes[]; .key == ["x"] and .keys == [["y"]])'
}

@test "another table takes the name: it is named by its own key" {
    source=(--plugin test_decoding)
    sql 'CREATE TABLE t (id int PRIMARY KEY)'
    watch public.t
    told 'INSERT INTO t VALUES (1)' '["1"]'
    sql 'DROP TABLE t; CREATE TABLE t (v int, x text PRIMARY KEY)'
    wait_for named_again
}

@test "a stream that lags behind DDL which the catalog has shown already" {
    local before
    source=(--plugin test_decoding)
    sql 'CREATE TABLE t (id int, v int, CONSTRAINT k PRIMARY KEY (id)); INSERT INTO t VALUES (1, 101), (2, 102)'
    watch public.t
    told 'UPDATE t SET id = 3 WHERE id = 1' '["1"],["3"]'
    kill -STOP "$(walsender)"
    frozen+=("$(walsender)")
    before=$(lines)
    sql 'UPDATE t SET v = 200 WHERE id = 2' \
        'ALTER TABLE t DROP CONSTRAINT k; ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (v)' \
        'UPDATE t SET id = 7 WHERE id = 3'
    kill -CONT "$(walsender)"
    frozen=()
    mark
    [[ $(tail -n +$((before + 1)) "$out" | jq -c '.events[]? | select(.table == "t") | .keys' | sort -u) == null ]]
}

partitions() {
    sql 'DROP TABLE IF EXISTS p, par CASCADE;
         CREATE TABLE p (id int, x text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
         CREATE TABLE p1 (x text, gone int, id int NOT NULL); ALTER TABLE p1 DROP COLUMN gone;
         ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10);
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
         CREATE TABLE par (id int PRIMARY KEY, v int);
         CREATE TABLE kid (PRIMARY KEY (v)) INHERITS (par)'
    watch public.p,public.par
    told "INSERT INTO p VALUES (1, 'x'), (11, 'y')" '"whole"' # met for the first time
    again "UPDATE p SET x = 'z' WHERE id = 11" '["11"]'
    again "UPDATE p SET x = 'z' WHERE id = 1" '["1"]'
    told 'UPDATE p SET id = 2 WHERE id = 11' '["11"],["2"]'
    told 'INSERT INTO par VALUES (1, 1)' '["1"]'
    told 'INSERT INTO kid VALUES (2, 2)' '"whole"'
    told 'UPDATE kid SET id = 3' '"whole"' # its own key is another one
    saw '[.[].events[]? | select(.table != "marker") | .payload] | unique == ["public.p", "public.par"]'
}

@test "partitions are named by their root's key, found by name; a child without it is not" {
    each_source partitions
}

@test "more keys than N, a key of more than 1 KiB, and one of 1 KiB" {
    sql 'CREATE TABLE t (id text PRIMARY KEY)'
    source=(--plugin test_decoding)
    watch public.t --keys=3
    told 'INSERT INTO t SELECT i FROM generate_series(1, 3) i' '["1"],["2"],["3"]'
    told "INSERT INTO t SELECT 'b' || i FROM generate_series(1, 4) i" '"whole"'
    told "INSERT INTO t VALUES ('x')" '["x"]'
    told "INSERT INTO t VALUES (repeat('y', 1024))" "[\"$(printf 'y%.0s' {1..1024})\"]"
    told "INSERT INTO t VALUES (repeat('y', 1025))" '"whole"'
}

@test "a row of 50 MB with its key behind is named in the memory of any other" {
    local peak
    local plugin
    sql "CREATE TABLE t (big text, id int PRIMARY KEY)" 'ALTER TABLE t ALTER big SET STORAGE EXTERNAL'
    for plugin in $plugins pgoutput; do
        use "$plugin"
        sql 'TRUNCATE t'
        watch public.t
        told 'INSERT INTO t VALUES (NULL, 1)' '["1"]'
        told "INSERT INTO t SELECT string_agg(md5(i::text), '') , 2 FROM generate_series(1, 1500000) i" '["2"]'
        if [[ $PGNUDGE == */build/pgnudge ]]; then
            peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status")
            echo "$plugin: $peak KiB"
            ((peak < 13 * 1024))
        fi
        stop
    done
}

# Each type with a btree operator class: what is told is what psql prints (booleans apart).
every_type() {
    local settings='-c datestyle=ISO -c timezone=UTC -c intervalstyle=postgres -c bytea_output=hex'
    watch "$watched"
    PGOPTIONS="$settings -c extra_float_digits=1" sql "$select" |
        jq -cRs 'split("|\u0001\n")[:-1]' >wanted
    sql "$update"
    mark
    jq -cs '[.[].events[]? | select(.table != "marker")] | sort_by(.table | ltrimstr("type_") | tonumber)
        | map(if .key == ["id"] and (.keys | length) == 1 then .keys[0][0] else "none" end)' "$out" >got
    diff <(jq '.[]' got) <(jq '.[]' wanted)
}

@test "every type: the text is what psql prints" {
    local i=0 type value create='' update='' select='' watched='' untried
    cat >types <<'TYPES'
smallint|-32768
integer|2147483647
bigint|-9223372036854775808
numeric|123456789012345678901234567890.000100
real|1.1
double precision|0.1
money|12.50
text|it''s "so": [a]
varchar(20)|ü, \x € %
char(10)|ab
name|a name
"char"|c
bytea|\x00ff27
date|2024-02-29
time|12:34:56.789
timetz|12:34:56.789+05:30
timestamp|2024-02-29 12:34:56.789
timestamptz|2024-02-29 12:34:56.789+02
interval|1 year 2 mons 3 days 04:05:06.7
boolean|true
uuid|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11
inet|192.168.0.1/32
cidr|10.0.0.0/8
macaddr|08:00:2b:01:02:03
macaddr8|08:00:2b:01:02:03:04:05
bit(4)|1010
bit varying(8)|10101
oid|4294967295
xid8|18446744073709551615
tid|(0,1)
pg_lsn|16/B374D848
oidvector|1 2 3
tsvector|'a':1 'b c':2
tsquery|'a' & !'b'
jsonb|{"a": [1, "x"], "b": null}
integer[]|{1,NULL,3}
text[]|{a,"b \"c\"",NULL}
boolean[]|{t,f}
int4range|[1,10)
numrange|(1.5,)
tstzrange|["2024-01-01 00:00:00+02",)
short|7
flag|true
shade|dark blue
spot|(1,"a b")
spot[]|{"(1,a)"}
TYPES
    sql "CREATE DOMAIN short AS smallint CHECK (value > 0); CREATE DOMAIN flag AS boolean;
         CREATE TYPE shade AS ENUM ('light', 'dark blue'); CREATE TYPE spot AS (x int, y text)" \
        'ALTER ROLE pgnudge SET datestyle = german' 'ALTER ROLE pgnudge SET timezone = "Asia/Tokyo"' \
        'ALTER ROLE pgnudge SET intervalstyle = iso_8601' 'ALTER ROLE pgnudge SET bytea_output = escape' \
        'ALTER ROLE pgnudge SET extra_float_digits = -5'
    if at_least 14; then
        echo 'int4multirange|{[1,3),[7,9)}' >>types
    fi
    if is_true "to_regtype('oid8') IS NOT NULL"; then echo 'oid8|18446744073709551615' >>types; fi # from 19 on
    if sql 'CREATE EXTENSION citext' 2>/dev/null; then echo 'citext|CiText' >>types; fi
    while IFS='|' read -r type value; do
        i=$((i + 1))
        create+="CREATE TABLE type_$i (id $type PRIMARY KEY, v int); INSERT INTO type_$i VALUES (\$v\$$value\$v\$, 1);"
        update+="UPDATE type_$i SET v = v + 1;"
        if [[ $type == boolean ]]; then # the one that psql shortens
            select+="SELECT id::text, E'\\x01' FROM type_$i;"
        else
            select+="SELECT id, E'\\x01' FROM type_$i;"
        fi
        watched+=${watched:+,}public.type_$i
    done <types
    # All types that the server has a btree operator class for are among them.
    untried=$(sql "SELECT format_type(c.opcintype, NULL) FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod
        JOIN pg_type t ON t.oid = c.opcintype WHERE m.amname = 'btree' AND c.opcdefault AND t.typtype <> 'p'
        AND c.oid < 16384 AND c.opcintype <> ALL (ARRAY[$(cut -d '|' -f 1 types | sed "s/.*/to_regtype('&')::oid/" |
            paste -sd ,)])")
    echo "not tried: $untried"
    [[ -z $untried ]]
    sql "$create"
    each_source every_type
    sql 'ALTER ROLE pgnudge RESET ALL'
}

@test "the encoding is converted; what isn't valid in it means the whole table" {
    local plugin
    sql "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0" \
        "CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0"
    for PGDATABASE in latin bytes; do
        sql 'CREATE TABLE t (id text PRIMARY KEY); CREATE TABLE marker (n int)'
        for plugin in $plugins; do
            source=(--plugin "$plugin")
            watch public.t
            if [[ $PGDATABASE == latin ]]; then
                told "INSERT INTO t VALUES (U&'gr\\00fcn')" '["grün"]'
            else
                told "INSERT INTO t VALUES (E'gr\\xc3\\xbcn')" '["grün"]'
                told "INSERT INTO t VALUES (E'gr\\xfcn')" '"whole"'
            fi
            stop
            sql 'TRUNCATE t'
        done
    done
}

@test "names, with keys: the parts are escaped, and a table without keys ends in no colon" {
    sql 'CREATE TABLE t (a text, b text, PRIMARY KEY (a, b)); CREATE TABLE "odd: t,%" (id int PRIMARY KEY)'
    launch -v --keys -f names --tables 'public.t,public."odd: t,%",public.marker'
    wait_for grep -qx '\*' "$out"
    wait_for said 'rows of public.marker can.t be named'
    sql "INSERT INTO t VALUES (E'a:b,c%d\\te f', 'ü'), ('', '')" 'INSERT INTO "odd: t,%" VALUES (5)'
    wait_for grep -q '^public.t::$' "$out"
    sql 'TRUNCATE t' 'INSERT INTO marker VALUES (1)'
    wait_for grep -qx public.marker "$out"
    sort -u "$out" >got
    printf '%s\n' '*' public.marker public.t 'public.t:a%3Ab%2Cc%25d%09e%20f:ü' public.t:: 'public.odd%3A%20t%2C%25:5' |
        sort -u >wanted
    diff got wanted
}

@test "a command gets the keys: in its item, and in PGNUDGE_TABLES" {
    sql 'CREATE TABLE t (id int PRIMARY KEY, w text)'
    # shellcheck disable=SC2016 # for the command
    launch -v --keys=100000 --tables public.t,public.marker --exec 'jq -c "[.events[]?.keys | length]"; echo "$PGNUDGE_TABLES" | head -c 80 | head -n 2; echo "$PGNUDGE_TABLES" | wc -l'
    wait_for said 'rows of public.marker can.t be named'
    sql 'INSERT INTO t VALUES (1), (2)'
    wait_for grep -qx 'public.t:1' "$out"
    sql "INSERT INTO t SELECT i FROM generate_series(10, 9000) i"
    wait_for grep -qx '\[8991\]' "$out"
    wait_for grep -qx 'public.t' "$out" # above 64 KiB
}

@test "--operations: what was done, and what was counted for a message" {
    local plugin total
    for plugin in $plugins pgoutput; do
        use "$plugin"
        sql 'DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, v int)'
        listen "${source[@]}" --operations --tables public.t,marker
        sql 'INSERT INTO t SELECT i FROM generate_series(1, 5) i; UPDATE t SET v = 1 WHERE id < 4;
             DELETE FROM t WHERE id = 1; TRUNCATE t'
        total=10
        if [[ $plugin != pgoutput ]] || at_least 14; then
            sql "SELECT pg_logical_emit_message(true, 'pgnudge', 'public.t')" >/dev/null
            total=11
        fi
        mark
        saw 'def sum(f): [changes[] | f] | add;
             [sum(.inserts), sum(.updates), sum(.deletes), sum(.truncates), sum(.count)] == [5, 3, 1, 1, '$total']
             and all(changes[]; has("keys") | not)'
        stop
    done
}

@test "without the options an event is as it was" {
    listen --tables public.orders
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'changes | length > 0'
    saw '(changes[0] | keys) == ["count", "first_seen", "payload", "schema", "table"]'
}

@test "a role's search_path, a lost visibility connection and a reconnect leave no wrong key" {
    sql 'CREATE TABLE t (id int PRIMARY KEY)' 'ALTER ROLE pgnudge SET search_path = nowhere'
    source=(--plugin test_decoding)
    watch public.t
    told 'INSERT INTO t VALUES (1)' '["1"]'
    sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pgnudge'
         AND backend_type = 'client backend'" >/dev/null
    told 'INSERT INTO t VALUES (2)' '["2"]'
    sql 'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots' >/dev/null
    wait_for saw 'reasons == ["connected", "reconnected"]'
    again 'INSERT INTO t SELECT max(id) + 1 FROM t' '["4"]' || again 'UPDATE t SET id = id WHERE id = 2' '["2"]'
    sql 'ALTER ROLE pgnudge RESET ALL'
}
