#!/usr/bin/env bats
#
# What stands below a watched table: partitions and inheritance children, at any depth, whenever
# they were made. Each holds with both plugins.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# fresh [STATEMENT]...: the schema t, with nothing else in it.
fresh() {
    sql 'SET client_min_messages = error' 'DROP SCHEMA IF EXISTS t, chunks CASCADE' \
        'CREATE SCHEMA t' "$@"
}

# A partitioned table: root > low > (low1, low2 > low2a), high; one with children: parent > child >
# grandchild.
family() {
    fresh 'CREATE TABLE t.root (n int) PARTITION BY RANGE (n)' \
        'CREATE TABLE t.low PARTITION OF t.root FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (n)' \
        'CREATE TABLE t.low1 PARTITION OF t.low FOR VALUES FROM (0) TO (10)' \
        'CREATE TABLE t.low2 PARTITION OF t.low FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (n)' \
        'CREATE TABLE t.low2a PARTITION OF t.low2 FOR VALUES FROM (10) TO (20)' \
        'CREATE TABLE t.high PARTITION OF t.root FOR VALUES FROM (100) TO (200)' \
        'CREATE TABLE t.parent (n int)' 'CREATE TABLE t.child () INHERITS (t.parent)' \
        'CREATE TABLE t.grandchild () INHERITS (t.child)' 'CREATE TABLE t.other (n int)'
}

change_family() {
    sql 'INSERT INTO t.root VALUES (1), (15), (150)' 'INSERT INTO t.parent VALUES (1)' \
        'INSERT INTO t.child VALUES (2)' 'INSERT INTO t.grandchild VALUES (3)' \
        'INSERT INTO t.other VALUES (1)'
}

# counted JSON: so far, exactly these counts by payload.
counted() {
    [[ $(jq -cS -s 'reduce (.[].events[]? | select(.table != "marker")) as $e ({};
        .[$e.payload] += $e.count)' "$out") == "$(jq -cS . <<<"$1")" ]]
}

# comes JSON: soon, exactly these counts, and no more. A change that is named late, since the
# catalog is asked first, may come behind a later one of the marker.
comes() {
    wait_for counted "$1" || true
    totals "$1"
}

# Change the family under OPTIONs; what is named is EXPECTED.
named() { # EXPECTED [OPTION]...
    family
    listen --plugin "$plugin" "${@:2}"
    change_family
    comes "$1"
    stop
}

# --- as they are at the connect ---

@test "partitions and children at any depth are named by the watched table" {
    each_plugin named '{"t.root": 3, "t.parent": 3}' --tables t.root,t.parent,marker
}

@test "a table in the middle may be the one that is watched" {
    each_plugin named '{"t.low": 2, "t.child": 2}' --tables t.low,t.child,marker
}

@test "of several watched tables the topmost one names the change" {
    each_plugin named '{"t.root": 3, "t.parent": 3}' --tables 't.*,marker' --exclude t.other
    each_plugin named '{"t.low": 2, "t.high": 1, "t.child": 2}' \
        --tables t.low2,t.low,low1,t.high,t.grandchild,t.child,marker
}

@test "without --tables the topmost table names the change" {
    each_plugin named '{"t.root": 3, "t.parent": 3, "t.other": 1}'
}

@test "--exclude of a table leaves out what stands below it" {
    each_plugin named '{"t.parent": 3, "t.other": 1}' --exclude t.root
    each_plugin named '{"t.root": 1, "t.parent": 1, "t.other": 1}' --exclude t.low,child
    each_plugin named '{"t.root": 1}' --tables t.root,marker --exclude t.low
    each_plugin named '{"t.root": 2, "t.parent": 3}' --tables t.root,t.parent,marker --exclude t.low2a
}

@test "--partitions leaf names a change by the table itself" {
    each_plugin named '{"t.low1": 1, "t.low2a": 1, "t.high": 1, "t.parent": 1, "t.child": 1,
        "t.grandchild": 1}' --partitions leaf --tables t.root,t.parent,marker
    each_plugin named '{"t.low1": 1, "t.low2a": 1, "t.high": 1, "t.parent": 1, "t.child": 1,
        "t.grandchild": 1, "t.other": 1}' --partitions leaf
    each_plugin named '{"t.high": 1, "t.parent": 1}' --partitions leaf \
        --tables t.root,t.parent,marker --exclude t.low,t.child
}

@test "without the visibility check they are named so too" {
    each_plugin named '{"t.root": 3, "t.parent": 3}' --no-visibility-check --tables t.root,t.parent,marker
    each_plugin named '{"t.root": 3, "t.parent": 3, "t.other": 1}' --no-visibility-check
}

rows_without_key() {
    family
    change_family
    listen --plugin "$plugin" --tables t.root,t.parent,marker
    sql 'UPDATE t.root SET n = n' 'UPDATE t.root SET n = 16 WHERE n = 1' 'DELETE FROM t.root' \
        'UPDATE t.parent SET n = n' 'DELETE FROM t.parent'
    comes '{"t.root": 8, "t.parent": 6}' # a row that moves is a DELETE and an INSERT
    stop
}

@test "updates and deletes without a key are named by the watched table" {
    each_plugin rows_without_key
}

truncated() {
    family
    listen --plugin "$plugin" --tables t.root,t.parent,marker
    sql 'TRUNCATE t.root' 'TRUNCATE t.parent' 'TRUNCATE t.other'
    comes '{"t.root": 6, "t.parent": 3}'
    sql 'TRUNCATE ONLY t.parent' 'TRUNCATE t.low2'
    comes '{"t.root": 8, "t.parent": 4}'
    stop
}

@test "a TRUNCATE counts each table that the server lists" {
    each_plugin truncated
}

two_parents() {
    fresh 'CREATE TABLE t.a (n int)' 'CREATE TABLE t.b (n int)' 'CREATE TABLE t.top (n int)' \
        'ALTER TABLE t.b INHERIT t.top' 'CREATE TABLE t.both () INHERITS (t.a, t.b)'
    listen --plugin "$plugin" "${@:2}"
    sql 'INSERT INTO t.both VALUES (1)' 'INSERT INTO t.both VALUES (2)'
    comes "$1"
    stop
}

@test "a child of two tables is named by both" {
    each_plugin two_parents '{"t.a": 2, "t.top": 2}'
    each_plugin two_parents '{"t.a": 2, "t.b": 2}' --tables t.a,t.b,marker
    each_plugin two_parents '{"t.b": 2}' --tables t.b,marker
    each_plugin two_parents '{"t.both": 2}' --tables t.both,marker
    each_plugin two_parents '{}' --tables t.a,t.b,marker --exclude t.top
    each_plugin two_parents '{"t.both": 2}' --tables t.a,t.b,marker --partitions leaf
}

odd_names() {
    local name='p "x", y: z.é \ {' ident='"p ""x"", y: z.é \ {"'
    fresh "CREATE TABLE t.$ident (n int) PARTITION BY LIST (n)" \
        'CREATE SCHEMA chunks' \
        "CREATE TABLE chunks.$ident PARTITION OF t.$ident FOR VALUES IN (1)" \
        "CREATE TABLE chunks.\": INSERT:\" PARTITION OF t.$ident FOR VALUES IN (2)" \
        "CREATE TABLE chunks.\"table\"\",\"\"x\" PARTITION OF t.$ident FOR VALUES IN (3)"
    listen --plugin "$plugin" --tables "t.$ident,marker"
    sql "INSERT INTO t.$ident VALUES (1), (2), (3)" "UPDATE t.$ident SET n = n"
    comes "$(jq -cn --arg name "t.$name" '{($name): 6}')"
    sql "CREATE TABLE chunks.\"x, '\"\"' \\\" PARTITION OF t.$ident FOR VALUES IN (4)" \
        "INSERT INTO t.$ident VALUES (4)"
    comes "$(jq -cn --arg name "t.$name" '{($name): 7}')"
    stop
}

@test "names with odd characters stand below one another like others" {
    each_plugin odd_names
}

# --- changed after the connect ---

made_later() {
    family
    listen --plugin "$plugin" --tables t.root,t.parent,marker
    sql 'CREATE TABLE t.more PARTITION OF t.root FOR VALUES FROM (200) TO (300)' \
        'INSERT INTO t.root VALUES (200)' \
        'CREATE TABLE t.more2 () INHERITS (t.grandchild)' 'INSERT INTO t.more2 VALUES (1), (2)'
    comes '{"t.root": 1, "t.parent": 2}'
    stop
}

@test "what is made below a watched table later is watched" {
    each_plugin made_later
}

in_one_transaction() {
    family
    listen --plugin "$plugin" --tables t.root,marker
    sql 'BEGIN; CREATE TABLE t.more (n int); ALTER TABLE t.root ATTACH PARTITION t.more
            FOR VALUES FROM (200) TO (300); INSERT INTO t.root VALUES (200), (201); COMMIT'
    comes '{"t.root": 2}'
    sql 'BEGIN; CREATE TABLE t.more2 (n int); INSERT INTO t.more2 VALUES (300);
            ALTER TABLE t.root ATTACH PARTITION t.more2 FOR VALUES FROM (300) TO (400); COMMIT'
    comes '{"t.root": 3}'
    stop
}

@test "made, attached and filled in one transaction it is watched" {
    each_plugin in_one_transaction
}

unseen() {
    local before
    family
    sql "ALTER ROLE pgnudge SET log_statement = 'all'"
    listen --plugin "$plugin" --tables t.root,marker
    configure synchronous_standby_names nowhere
    session "$plugin"
    before=$(catalog_questions)
    tell "$plugin" 'BEGIN; CREATE TABLE t.more PARTITION OF t.root FOR VALUES FROM (200) TO (300);
        INSERT INTO t.root VALUES (200), (201); COMMIT'
    wait_for asked_since "$before" # and t.more isn't there for anybody
    configure synchronous_standby_names ''
    comes '{"t.root": 2}'
    saw 'reasons == ["connected"]'
    stop
    sql 'ALTER ROLE pgnudge RESET ALL'
}

@test "… also where the catalog is asked before it shows it" {
    each_plugin unseen
}

attached() {
    family
    sql 'CREATE TABLE t.late (n int)' 'CREATE TABLE t.orphan (n int)'
    listen --plugin "$plugin" --tables t.root,t.parent,marker
    # Known by now, as not watched.
    sql 'INSERT INTO t.late VALUES (200)' 'INSERT INTO t.orphan VALUES (1)'
    comes '{}'
    sql 'ALTER TABLE t.root ATTACH PARTITION t.late FOR VALUES FROM (200) TO (300)' \
        'INSERT INTO t.late VALUES (201), (202)'
    wait_for saw 'count("t.root") >= 2' # and, perhaps, the one before
    sql 'ALTER TABLE t.orphan INHERIT t.parent' 'INSERT INTO t.orphan VALUES (2), (3)'
    wait_for saw 'count("t.parent") >= 2'
    sql 'INSERT INTO t.late VALUES (203)'
    saw 'reasons == ["connected"]'
    stop
}

@test "what is attached and changed at once is named" {
    each_plugin attached
}

attached_many_times() {
    local i
    fresh 'CREATE TABLE t.root (n int) PARTITION BY LIST (n)'
    for ((i = 0; i < 10; i++)); do
        sql "CREATE TABLE t.p$i (n int)"
    done
    listen --plugin "$plugin" --tables t.root,marker
    for ((i = 0; i < 10; i++)); do
        sql "INSERT INTO t.p$i VALUES ($i)"
    done
    comes '{}'
    for ((i = 0; i < 10; i++)); do
        sql "ALTER TABLE t.root ATTACH PARTITION t.p$i FOR VALUES IN ($i)" \
            "INSERT INTO t.root VALUES ($i)"
    done
    wait_for saw 'count("t.root") >= 10'
    stop
}

@test "ten of them, one after the other" {
    each_plugin attached_many_times
}

# no_longer TABLE PAYLOAD VALUE: its changes have ceased to come as PAYLOAD.
no_longer() {
    local before
    before=$(jq -s --arg name "$2" '[.[].events[]? | select(.payload == $name) | .count] | add // 0' "$out")
    sql "INSERT INTO $1 VALUES ($3)"
    mark
    saw "count(\"$2\") == $before"
}

detached() {
    family
    listen --plugin "$plugin" --tables t.root,t.parent,marker
    change_family
    comes '{"t.root": 3, "t.parent": 3}'
    sql 'ALTER TABLE t.root DETACH PARTITION t.high' 'ALTER TABLE t.child NO INHERIT t.parent'
    wait_for no_longer t.high t.root 150
    wait_for no_longer t.grandchild t.parent 1
    sql 'INSERT INTO t.root VALUES (1)' 'INSERT INTO t.parent VALUES (1)'
    wait_for no_longer t.child t.parent 1
    stop
}

@test "what has been detached is no longer named so" {
    each_plugin detached
}

root_renamed() {
    family
    listen --plugin "$plugin" --tables t.root,marker
    change_family
    comes '{"t.root": 3}'
    sql 'ALTER TABLE t.root RENAME TO away'
    wait_for no_longer t.away t.root 1
    sql 'ALTER TABLE t.away RENAME TO root' 'INSERT INTO t.root VALUES (1), (150)'
    wait_for saw 'count("t.root") >= 5'
    # Another table takes its place.
    sql 'CREATE TABLE t.second (n int) PARTITION BY LIST (n)' \
        'CREATE TABLE t.second1 PARTITION OF t.second FOR VALUES IN (1)' \
        'INSERT INTO t.second VALUES (1)'
    mark
    sql 'ALTER TABLE t.root RENAME TO away' 'ALTER TABLE t.second RENAME TO root' \
        'INSERT INTO t.root VALUES (1)'
    wait_for saw '[.[].events[]? | select(.payload == "t.root") | .count] | add >= 6'
    stop
}

@test "a watched root may be renamed, and its place taken" {
    each_plugin root_renamed
}

part_renamed() {
    family
    listen --plugin "$plugin" --tables t.root,t.parent,marker --exclude t.other
    change_family
    comes '{"t.root": 3, "t.parent": 3}'
    sql 'ALTER TABLE t.low1 RENAME TO first' 'ALTER TABLE t.grandchild RENAME TO "Last One"' \
        'INSERT INTO t.root VALUES (2)' 'INSERT INTO t."Last One" VALUES (1)'
    comes '{"t.root": 4, "t.parent": 4}'
    sql 'ALTER TABLE t.low RENAME TO middle' 'INSERT INTO t.root VALUES (3), (15)'
    comes '{"t.root": 6, "t.parent": 4}'
    stop
}

@test "what stands below a watched table may be renamed" {
    each_plugin part_renamed
}

chunks() {
    fresh 'CREATE SCHEMA chunks' 'CREATE TABLE t.metrics (n int)'
    listen --plugin "$plugin" --tables t.metrics,public.marker
    sql 'CREATE TABLE chunks._hyper_1_1_chunk () INHERITS (t.metrics)' \
        'INSERT INTO chunks._hyper_1_1_chunk VALUES (1), (2)'
    if [[ $plugin == wal2json ]]; then
        # The server left its rows out until it was found to be there.
        wait_for saw 'reasons == ["connected", "reconnected"]'
        marks=$(jq -s '[.[].events[]? | select(.table == "marker") | .count] | add // 0' "$out")
    else
        comes '{"t.metrics": 2}'
    fi
    sql 'INSERT INTO chunks._hyper_1_1_chunk VALUES (3)'
    wait_for saw "count(\"t.metrics\") >= $([[ $plugin == wal2json ]] && echo 1 || echo 3)"
    sql 'BEGIN; CREATE TABLE chunks._hyper_1_2_chunk () INHERITS (t.metrics);
         INSERT INTO chunks._hyper_1_2_chunk VALUES (1), (2), (3); COMMIT'
    wait_for saw "count(\"t.metrics\") >= $([[ $plugin == wal2json ]] && echo 4 || echo 6)"
    saw 'all(changes[]; .payload == "t.metrics")'
    stop
}

@test "chunks in another schema, as TimescaleDB makes them, are named by their table" {
    each_plugin chunks
}

# --- what is filtered in the server ---

# covered LSN NAME: a batch names it, or a later resync stands for it.
covered() {
    jq -es --arg lsn "$1" --arg name "$2" '
        def position: ascii_downcase | split("/") | map(explode
            | reduce .[] as $c (0; . * 16 + $c - (if $c >= 97 then 87 else 48 end)))
            | .[0] * 4294967296 + .[1];
        any(.[]; (.lsn | position) >= ($lsn | position)
            and (.type == "resync" or any(.events[]; .payload == $name)))' "$out" >/dev/null
}

current_lsn() {
    sql 'SELECT pg_current_wal_insert_lsn()'
}

replaced() {
    local before
    fresh 'CREATE TABLE t.plain (n int)'
    listen --plugin "$plugin" --tables t.plain,public.marker "$@"
    sql 'INSERT INTO t.plain VALUES (0)'
    comes '{"t.plain": 1}'
    before=$(current_lsn)
    sql 'BEGIN; ALTER TABLE t.plain RENAME TO plain_old;
         CREATE TABLE t.plain (n int) PARTITION BY RANGE (n);
         CREATE TABLE t.plain_1 PARTITION OF t.plain FOR VALUES FROM (0) TO (10); COMMIT' \
        'INSERT INTO t.plain VALUES (1)'
    wait_for covered "$before" t.plain
    if [[ $plugin == wal2json ]]; then
        wait_for saw 'reasons == ["connected", "reconnected"]'
    else
        saw 'reasons == ["connected"]'
    fi
    before=$(current_lsn)
    sql 'INSERT INTO t.plain VALUES (2)'
    wait_for covered "$before" t.plain
    wait_for saw 'count("t.plain") >= 2'
    stop
}

@test "a watched table may be replaced by a partitioned one of the same name" {
    each_plugin replaced
    each_plugin replaced --no-visibility-check
}

replaced_with_others() {
    local before
    fresh 'CREATE TABLE t.plain (n int)' 'CREATE TABLE t.second (n int)'
    listen --plugin "$plugin" --tables t.plain,t.second,public.marker
    sql 'INSERT INTO t.plain VALUES (0)' 'INSERT INTO t.second VALUES (0)'
    comes '{"t.plain": 1, "t.second": 1}'
    before=$(current_lsn)
    # No transaction here is without a change that the filter lets through.
    sql 'BEGIN; CREATE TABLE t.below () INHERITS (t.plain); INSERT INTO t.below VALUES (1);
         INSERT INTO t.second VALUES (1); COMMIT'
    wait_for covered "$before" t.plain
    stop
}

@test "… also in a transaction that changes another watched table" {
    each_plugin replaced_with_others
}

# --- what the catalog doesn't have ---

gone() {
    family
    listen --plugin "$plugin" --tables t.root,marker
    sql 'BEGIN; CREATE TABLE t.gone (n int); INSERT INTO t.gone VALUES (1); DROP TABLE t.gone; COMMIT'
    wait_for saw 'reasons == ["connected", "failsafe"]'
    sql 'INSERT INTO t.root VALUES (1)'
    comes '{"t.root": 1}'
    stop
}

@test "a table that the catalog no longer knows gives a resync where a filter is set" {
    each_plugin gone
}

gone_unfiltered() {
    fresh
    listen --plugin "$plugin" --partitions leaf
    sql 'BEGIN; CREATE TABLE t.gone (n int); INSERT INTO t.gone VALUES (1); DROP TABLE t.gone; COMMIT'
    wait_for saw 'reasons == ["connected", "failsafe"]'
    stop
}

@test "… and where every table is watched by its own name" {
    each_plugin gone_unfiltered
}

awaited() {
    fresh
    listen --plugin "$plugin" --allow-missing --tables t.later,t.parts,marker
    sql 'CREATE TABLE t.later (n int)' 'INSERT INTO t.later VALUES (1), (2)' \
        'CREATE TABLE t.parts (n int) PARTITION BY LIST (n)' \
        'CREATE TABLE t.part1 PARTITION OF t.parts FOR VALUES IN (1)' \
        'INSERT INTO t.parts VALUES (1)'
    comes '{"t.later": 2, "t.parts": 1}'
    sql 'CREATE TABLE t.below () INHERITS (t.later)' 'INSERT INTO t.below VALUES (1)'
    comes '{"t.later": 3, "t.parts": 1}'
    stop
}

@test "a table that --allow-missing waits for is watched once it is made" {
    each_plugin awaited
}

# --- the cost ---

catalog_questions() {
    grep -ac 'pg_inherits' "$SERVER/log" || true
}

# asked_since COUNT: more of them by now.
asked_since() {
    (($(catalog_questions) > $1))
}

few_questions() {
    local before start=$SECONDS asked
    family
    listen --plugin "$plugin" "$@"
    sql 'INSERT INTO t.root VALUES (1)'
    wait_for saw 'count("t.root") == 1'
    before=$(catalog_questions)
    sql 'DO $$ BEGIN FOR i IN 1..500 LOOP INSERT INTO t.root SELECT 1 FROM generate_series(1, 10);
         COMMIT; END LOOP; END $$'
    comes '{"t.root": 5001}'
    asked=$(($(catalog_questions) - before))
    echo "$asked questions in $((SECONDS - start)) s"
    ((asked <= 3 + 2 * (SECONDS - start)))
    stop
}

@test "500 transactions cost a few questions to the catalog" {
    sql "ALTER ROLE pgnudge SET log_statement = 'all'"
    each_plugin few_questions --tables t.root,marker
    each_plugin few_questions --no-visibility-check --tables t.root,marker
    sql 'ALTER ROLE pgnudge RESET ALL'
}

# Of one transaction all is in one batch, those too that the catalog was asked about.
at_once() {
    local i lsns
    family
    listen --plugin "$plugin" --tables t.root,t.parent,marker --debounce 0 "$@"
    change_family
    comes '{"t.root": 3, "t.parent": 3}'
    for ((i = 1; i <= 10; i++)); do
        sql "BEGIN; INSERT INTO t.root VALUES (1); CREATE TABLE t.new$i () INHERITS (t.parent);
             INSERT INTO t.new$i VALUES (1); COMMIT"
    done
    comes '{"t.root": 13, "t.parent": 13}'
    saw 'reasons == ["connected"]'
    lsns=$(jq -s '[.[] | .lsn] | length - (unique | length)' "$out")
    ((lsns == 0)) # no two items end with the same COMMIT
    stop
}

in_order() {
    fresh 'CREATE TABLE t.a (n int)' 'CREATE TABLE t.b (n int)' 'CREATE TABLE t.c (n int)' \
        'CREATE TABLE t.d () INHERITS (t.b)'
    listen --plugin "$plugin" "$@"
    sql 'BEGIN; INSERT INTO t.c VALUES (1); INSERT INTO t.d VALUES (1); INSERT INTO t.a VALUES (1);
         INSERT INTO t.b VALUES (1); INSERT INTO t.c VALUES (1); COMMIT'
    comes '{"t.a": 1, "t.b": 2, "t.c": 2}'
    saw '[changes[].payload] == ["t.c", "t.b", "t.a"]'
    saw '[changes[].first_seen] | . == sort'
    stop
}

@test "tables that are met for the first time stand in the order of their first change" {
    each_plugin in_order
    each_plugin in_order --tables 't.*,marker'
}

@test "one transaction is in one batch, whatever it takes to name it" {
    each_plugin at_once
    each_plugin at_once --no-visibility-check
}
