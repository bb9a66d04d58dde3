#!/usr/bin/env bats
#
# Databases in other encodings than UTF-8: lines are UTF-8, with the right letters. Each holds with
# both plugins.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# database ENCODING: made, and the one to use from here on.
database() {
    local name=in_${1,,}_$BATS_TEST_NUMBER
    PGDATABASE=postgres sql "CREATE DATABASE $name TEMPLATE template0 ENCODING '$1' LOCALE 'C'"
    export PGDATABASE=$name
    sql 'CREATE TABLE marker (n int)'
}

# In UTF-8, whatever the database has.
usql() {
    PGCLIENTENCODING=UTF8 sql "$@"
}

all_lines_are_json() {
    [[ -s $out ]]
    while IFS= read -r line; do
        jq -e . <<<"$line" >/dev/null
        iconv -f UTF-8 -t UTF-8 <<<"$line" >/dev/null
    done <"$out"
}

# letters SCHEMA TABLE OTHER: as they are, filtered, from warnings, and in messages.
letters() {
    local s=$1 t=$2 other=$3
    usql 'SET client_min_messages = error' "DROP SCHEMA IF EXISTS \"$s\" CASCADE" \
        "CREATE SCHEMA \"$s\"" "CREATE TABLE \"$s\".\"$t\" (\"$t\" int)" \
        "CREATE TABLE \"$s\".\"$other\" (n int)" \
        "CREATE TABLE \"$s\".\"below $t\" () INHERITS (\"$s\".\"$t\")"
    echo "all"
    listen --plugin "$plugin"
    usql "INSERT INTO \"$s\".\"$t\" VALUES (1)" "INSERT INTO \"$s\".\"$other\" VALUES (1), (2)" \
        "UPDATE \"$s\".\"$other\" SET n = 3" "DELETE FROM \"$s\".\"$other\"" \
        "INSERT INTO \"$s\".\"below $t\" VALUES (1)" \
        "TRUNCATE \"$s\".\"$other\", \"$s\".\"below $t\"" \
        "SELECT pg_logical_emit_message(true, 'pgnudge', '\"$s\".\"$t\"')" >/dev/null
    totals "$(jq -cn --arg t "$s.$t" --arg other "$s.$other" '{($t): 4, ($other): 7}')"
    all_lines_are_json
    stop
    echo "filtered"
    listen --plugin "$plugin" --tables "\"$s\".\"$t\",marker"
    usql "INSERT INTO \"$s\".\"$t\" VALUES (1)" "INSERT INTO \"$s\".\"$other\" VALUES (1)" \
        "INSERT INTO \"$s\".\"below $t\" VALUES (1)" "UPDATE \"$s\".\"$t\" SET \"$t\" = 5"
    totals "$(jq -cn --arg t "$s.$t" '{($t): 5}')"
    stop
    echo "in the server"
    listen --plugin "$plugin" --tables "\"$s\".\"$other\",public.marker" -v
    usql "INSERT INTO \"$s\".\"$t\" VALUES (1)" "INSERT INTO \"$s\".\"$other\" VALUES (1)" \
        "UPDATE \"$s\".\"$other\" SET n = 3"
    totals "$(jq -cn --arg other "$s.$other" '{($other): 3}')"
    if [[ $plugin == wal2json ]]; then said '(filter|server).*2'; fi
    stop
    listen --plugin "$plugin" --exclude "\"$s\".\"$other\""
    usql "INSERT INTO \"$s\".\"$t\" VALUES (1)" "INSERT INTO \"$s\".\"$other\" VALUES (1)"
    totals "$(jq -cn --arg t "$s.$t" '{($t): 1}')"
    stop
    echo "missing"
    refused 'no table matches' --plugin "$plugin" --tables "\"$s\".\"${t}x\""
    said "did you mean .*$t"
}

@test "LATIN1" {
    database LATIN1
    each_plugin letters 'straße' 'tränenÿ «»' 'ñ, ø: é'
}

@test "EUC_JP" {
    database EUC_JP
    each_plugin letters '日本' '表、注文' 'カタカナ.ァ'
}

@test "WIN1252" {
    database WIN1252
    each_plugin letters '€uro' '“smart” – œ™' 'žlutá'
}

@test "LATIN9, KOI8R, WIN1251, EUC_KR" {
    database LATIN9
    each_plugin letters '€uro' 'Œuvre' 'Ÿ'
    database KOI8R
    each_plugin letters 'заказы' 'товары' 'ё'
    database WIN1251
    each_plugin letters 'заказы' '№ «товары»' 'ґ'
    database EUC_KR
    each_plugin letters '한국' '주문' '가격'
}

@test "SQL_ASCII with names in UTF-8" {
    database SQL_ASCII
    each_plugin letters 'straße' '日本 🐘' 'ñ, ø: é'
}

broken() {
    sql $'TRUNCATE "caf\xe9", "\xff\xfe\x80".t, "\xe6\x97"'
    listen --plugin "$plugin" "$@"
    sql $'INSERT INTO "caf\xe9" VALUES (1), (2)' $'INSERT INTO "\xff\xfe\x80".t VALUES (1)' \
        $'UPDATE "caf\xe9" SET n = 3' $'INSERT INTO "\xe6\x97" VALUES (1)'
    totals $'{"public.caf\ufffd": 4, "\ufffd\ufffd\ufffd.t": 1, "public.\ufffd\ufffd": 1}'
    all_lines_are_json
    saw 'reasons == ["connected"]'
    stop
}

@test "SQL_ASCII with bytes that are no UTF-8 gives U+FFFD" {
    database SQL_ASCII
    sql $'CREATE TABLE "caf\xe9" (n int)' $'CREATE SCHEMA "\xff\xfe\x80"' \
        $'CREATE TABLE "\xff\xfe\x80".t (n int)' $'CREATE TABLE "\xe6\x97" (n int)'
    each_plugin broken --partitions leaf
    each_plugin broken
    each_plugin broken --exclude nowhere.t
}

broken_below() {
    listen --plugin "$plugin" --tables root,marker
    sql $'INSERT INTO root VALUES (1)' $'INSERT INTO "ch\xe9" VALUES (2)'
    totals '{"public.root": 2}'
    saw 'reasons == ["connected"]'
    stop
}

@test "SQL_ASCII: tables with such names below a watched one" {
    database SQL_ASCII
    sql 'CREATE TABLE root (n int) PARTITION BY LIST (n)' \
        $'CREATE TABLE "p\xe9" PARTITION OF root FOR VALUES IN (1)' \
        $'CREATE TABLE "ch\xe9" PARTITION OF root FOR VALUES IN (2)'
    each_plugin broken_below
}

odd_rows() {
    sql 'TRUNCATE t'
    listen --plugin "$plugin" -vv
    usql "INSERT INTO t VALUES ('tränen', 'ß')" 'UPDATE t SET a = b'
    totals '{"public.t": 2}'
    iconv -f UTF-8 -t UTF-8 "$err" >/dev/null
    stop
}

@test "what stands in the rows may be of any letters" {
    database LATIN1
    usql 'CREATE TABLE t (a text, b text)'
    each_plugin odd_rows
}

message_text() {
    listen --plugin "$plugin"
    usql "SELECT pg_logical_emit_message(true, 'pgnudge', 'tränen, die keine sind')" >/dev/null
    wait_for saw 'reasons == ["connected", "requested"]'
    said 'tränen'
    stop
}

@test "a message that names no table is quoted in UTF-8" {
    database LATIN1
    each_plugin message_text
}
