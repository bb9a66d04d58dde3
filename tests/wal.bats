#!/usr/bin/env bats
#
# What is read of WAL, beside what the server itself makes of it: pg_waldump of each file and
# transaction, test_decoding of each table and transaction.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

setup_file() {
    start_server 'wal_keep_size = 1GB' 'max_wal_size = 1GB'
}

setup() {
    common_setup
    walread=$(dirname "$PGNUDGE")/tests/walread
}

# load SEED: four sessions at once.
load() {
    local i
    for i in 1 2 3 4; do
        "$repo/tests/wal/load" "$1$i" "${transactions:-70}" |
            "$SERVER_BIN/psql" -XAtq -h "$SERVER" -p "$PGPORT" -U postgres "$PGDATABASE" \
                >/dev/null 2>&1 3>&- &
        loaders[i]=$!
    done
    wait "${loaders[@]}" || true
}

number() { # LSN
    sql "SELECT '$1'::pg_lsn - '0/0'::pg_lsn"
}

# Run a load; then its WAL is in the file "wal", from the page $page on, of the LSNs $first to $last.
record() {
    local name
    "$repo/tests/wal/load" setup | sql >/dev/null
    first=$(sql 'SELECT pg_current_wal_insert_lsn()')
    "$@"
    sql 'SELECT pg_switch_wal()' 'SELECT txid_current()' >/dev/null
    load "$RANDOM"
    last=$(sql 'SELECT pg_current_wal_flush_lsn()')
    segment=$(sql "SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'")
    page=$(($(number "$first") / segment * segment))
    name=$(sql "SELECT pg_walfile_name('$first')")
    for file in "$SERVER"/data/pg_wal/0000*[0-9A-F]; do
        [[ $(basename "$file") < $name ]] || cat "$file"
    done | head -c $(($(number "$last") - page)) >wal
    database=$(sql 'SELECT oid FROM pg_database WHERE datname = current_database()')
}

# ours [FIRST-PAGE [PIECE]]: what walread makes of it, in "ours".
ours() {
    local from=${1:-$page}
    tail -c +$((from - page + 1)) wal | "$walread" "$database" "$from" "$segment" "${2:-65536}" >ours
}

# The changes in "ours" as pg_waldump's are.
by_file() {
    awk '$1 == "commit" { for (i = 4; i <= NF; i++) if ($i ~ /^[0-9]+\/[0-9]+:/) {
        split($i, part, ":"); print $2, part[1], part[2] } }' ours | sort
}

same_as_waldump() {
    local piece
    "$SERVER_BIN/pg_waldump" -p "$SERVER/data/pg_wal" -s "$first" -e "$last" 2>/dev/null |
        awk -v db="$database" -f "$repo/tests/wal/waldump.awk" | sort >theirs
    echo "$(wc -l <theirs) files"
    (($(wc -l <theirs) > 100))
    for piece in 65536 4096 13 1; do
        ours "$page" "$piece"
        # What ended before the load isn't asked of pg_waldump.
        by_file | awk 'NR == FNR { theirs[$0]; next } { split($0, part, " ") }
            $0 in theirs || part[1] >= '"$oldest" theirs - >mine
        diff mine theirs
    done
}

note_oldest() {
    oldest=$(sql 'SELECT pg_current_xact_id()::xid')
}

@test "each file of each transaction is as pg_waldump says, at wal_level = logical" {
    record note_oldest
    same_as_waldump
}

@test "likewise at wal_level = replica, with compressed page images" {
    echo "wal_level = replica" >>"$SERVER/data/postgresql.conf"
    server_restart "$SERVER"
    configure wal_compression "$(sql "SELECT CASE WHEN 'pglz' = ANY (enumvals) THEN 'pglz' ELSE 'on' END
        FROM pg_settings WHERE name = 'wal_compression'")"
    record note_oldest
    same_as_waldump
    for method in lz4 zstd; do
        is_true "'$method' = ANY (enumvals) FROM pg_settings WHERE name = 'wal_compression'" || continue
        configure wal_compression "$method"
        sql 'DROP SCHEMA public CASCADE' 'CREATE SCHEMA public' >/dev/null 2>&1
        transactions=40 record note_oldest
        same_as_waldump
    done
    sql 'ALTER SYSTEM RESET wal_compression' 'SELECT pg_reload_conf()' >/dev/null
    sed -i '/^wal_level = replica/d' "$SERVER/data/postgresql.conf"
    server_restart "$SERVER"
}

make_slot() {
    note_oldest
    sql "SELECT pg_create_logical_replication_slot('oracle', 'test_decoding')" >/dev/null
}

# "xid table" of each, by test_decoding, in "decoded".
decode() {
    sql "SELECT DISTINCT xid::text || ' ' || (regexp_matches(part, '(?:^table |^)public\.([a-z0-9]+)'))[1]
         FROM pg_logical_slot_get_changes('oracle', NULL, NULL) c,
              LATERAL regexp_split_to_table(CASE WHEN c.data ~ ': TRUNCATE:' THEN split_part(c.data, ': ', 1)
                  ELSE split_part(c.data, ':', 1) END, ', ') part
         WHERE c.data ~ '^table ' AND c.data !~ 'public\.(nodes|parted)'" | sort >decoded
    sql "SELECT pg_drop_replication_slot('oracle')" >/dev/null
}

# The same by WAL, in "named"; and in "rewritten" the pairs of files that were dropped.
name_all() {
    sql 'SELECT DISTINCT node || $$ $$ || name FROM nodes' >names
    awk 'NR == FNR { name[$1] = $2; next }
        $1 == "commit" { for (i = 4; i <= NF; i++) {
            if ($i ~ /^-?[0-9]+\/[0-9]+(:|$)/) {
                split($i, part, /[\/:]/)
                if (part[2] in name) print ($i ~ /^-/ ? "dropped" : "changed"), $2, name[part[2]] } } }' \
        names ours | sort -u >pairs
    sed -n 's/^[a-z]* //p' pairs | sort -u >named
    sed -n 's/^dropped //p' pairs | sort -u >rewritten
}

@test "each table of each transaction is as test_decoding says, and what only WAL shows" {
    record make_slot
    decode
    ours
    name_all
    echo "$(wc -l <decoded) pairs, missed:"
    (($(wc -l <decoded) > 150))
    comm -23 decoded named | tee missed
    [[ ! -s missed ]]
    # More is reported only where a file was dropped: rewrites, REFRESH.
    echo 'too many:'
    comm -13 decoded named | comm -23 - rewritten | awk -v oldest="$oldest" '$1 >= oldest' | tee extra
    [[ ! -s extra ]]
    grep -q ' mv$' rewritten
}

@test "a stream that begins anywhere misses nothing of the transactions that begin behind" {
    record note_oldest
    ours
    cp ours all
    for _ in {1..10}; do
        # In the segments behind the switch, where there are pages all through.
        from=$((page + segment + (RANDOM * 32768 + RANDOM) % (($(stat -c %s wal) - segment) / 8192) * 8192))
        ours "$from"
        # The xids of those that begin behind are above all that are in WAL before.
        newest=$(head -c $((from - page)) wal | "$walread" "$database" "$page" "$segment" 2>/dev/null |
            awk '/^(commit|abort)/ && $2 > max { max = $2 } END { print max + 200 }')
        awk -v newest="$newest" '$1 == "commit" && $2 > newest' all >expected
        awk -v newest="$newest" '$1 == "commit" && $2 > newest' ours | diff - expected
    done
}
