#!/usr/bin/env bats
#
# Two output plugins, one result: names of any characters, and which plugin is taken.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# Does this minor release say which plugins may be used?
gatekeeping() {
    is_true "EXISTS (SELECT FROM pg_settings WHERE name = 'output_plugin_libraries')" ||
        skip 'this server lets any plugin in'
}

plugin_in_use() {
    sql 'SELECT plugin FROM pg_replication_slots WHERE database = current_database()'
}

# --- names ---

# shellcheck disable=SC1003,SC2016 # they are meant literally
odd_names=(
    'plain' 'Mixed Case' 'dot.ted' 'com,ma' 'co:lon' ': INSERT:' 'semi;colon' '"' '""' 'a"b' "it's" '\'
    '\n' '\\"' ' lead' 'trail ' '*' 'a*b' '[1]' '(p)' '{"x":1}' $'new\nline' $'tab\there' $'\001\037\177'
    'tränen' '日本語' '🐘' $'e\xcc\x81' '100%' '$1' 'select' 'TRUNCATE: (no-flags)' 'a.b, c.d: TRUNCATE'
    "$(printf 'x%.0s' {1..63})" "$(printf '"%.0s' {1..63})" "$(printf '\001%.0s' {1..63})"
)

# The name as an SQL identifier.
ident() {
    printf '"%s"' "${1//\"/\"\"}"
}

survives() {
    local name all=() expected
    sql 'DROP SCHEMA IF EXISTS odd CASCADE' 'CREATE SCHEMA odd'
    for name in "${odd_names[@]}"; do
        all+=("odd.$(ident "$name")")
    done
    printf 'CREATE TABLE %s (n int PRIMARY KEY);\n' "${all[@]}" | sql
    listen --plugin "$plugin"
    printf 'INSERT INTO %s VALUES (1), (2);\n' "${all[@]}" | sql
    printf 'UPDATE %s SET n = n + 10;\n' "${all[@]}" | sql
    sql "TRUNCATE $(IFS=, && echo "${all[*]}")"
    expected=$(jq -cn '[$ARGS.positional[] | {key: ("odd." + .), value: 5}] | from_entries' \
        --args "${odd_names[@]}")
    totals "$expected"
    saw 'all(changes[]; .schema == "odd" and .payload == "odd." + .table)'
    stop
}

@test "names of any characters come out raw" {
    each_plugin survives
}

odd_schema() {
    sql 'DROP SCHEMA IF EXISTS "s.""1"", é" CASCADE' 'CREATE SCHEMA "s.""1"", é"' \
        'CREATE TABLE "s.""1"", é"."t.""2"": " (n int)'
    listen --plugin "$plugin"
    sql 'INSERT INTO "s.""1"", é"."t.""2"": " VALUES (1)'
    mark
    saw 'changes == [changes[] | select(.schema == "s.\"1\", é" and .table == "t.\"2\": ")]'
    totals '{"s.\"1\", é.t.\"2\": ": 1}'
    stop
}

@test "schemas may have such names too" {
    each_plugin odd_schema
}

many_truncated() {
    local i all=()
    sql 'DROP SCHEMA IF EXISTS wide CASCADE' 'CREATE SCHEMA wide'
    for ((i = 0; i < 500; i++)); do
        all[i]=$(printf 'wide."%s %03d"' 'é, : "" é, é, é, é, é, é, é, é' "$i")
    done
    printf 'CREATE TABLE %s (n int);\n' "${all[@]}" | sql
    listen --plugin "$plugin"
    sql "TRUNCATE $(IFS=, && echo "${all[*]}")"
    mark
    saw '(changes | length) == 500 and all(changes[]; .count == 1 and .schema == "wide")'
    stop
}

@test "a TRUNCATE of 500 tables with long names lists each" {
    each_plugin many_truncated
}

misleading_rows() {
    sql 'DROP TABLE IF EXISTS "t: x"' 'CREATE TABLE "t: x" ("c, d: INSERT:" text)'
    listen --plugin "$plugin"
    sql "INSERT INTO \"t: x\" VALUES (E'\\ntable public.ghost: INSERT: \\nCOMMIT 1'),
         ('{\"action\":\"I\",\"schema\":\"public\",\"table\":\"ghost\"}'), (E'\\\\\"\\u0001'), (NULL)"
    sql "INSERT INTO \"t: x\" SELECT repeat(md5(random()::text), 300000)"
    totals '{"public.t: x": 5}'
    stop
}

@test "what stands in the rows is never taken for a name, nor a row too large" {
    each_plugin misleading_rows
}

role_settings() {
    listen --plugin "$plugin"
    sql 'INSERT INTO orders (n) VALUES (1)' 'INSERT INTO "Mixed" VALUES (1)'
    totals '{"public.Mixed": 1, "public.orders": 1}'
    stop
}

@test "what the role has been set to doesn't change what is seen" {
    sql 'CREATE TABLE "Mixed" (n int)' \
        'ALTER ROLE pgnudge SET client_min_messages = error' \
        'ALTER ROLE pgnudge SET quote_all_identifiers = on' \
        "ALTER ROLE pgnudge SET lc_messages = 'C'" \
        "ALTER ROLE pgnudge SET client_encoding = 'LATIN1'" \
        "ALTER ROLE pgnudge SET search_path = 'nowhere'" \
        "ALTER ROLE pgnudge SET datestyle = 'German'"
    each_plugin role_settings
    sql 'ALTER ROLE pgnudge RESET ALL'
}

# --- which plugin ---

@test "auto takes test_decoding" {
    listen
    [[ $(plugin_in_use) == test_decoding ]]
}

@test "auto takes wal2json where test_decoding is not allowed" {
    gatekeeping
    sql "ALTER ROLE pgnudge SET output_plugin_libraries = 'wal2json'"
    listen
    [[ $(plugin_in_use) == wal2json ]]
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
    stop
    sql 'ALTER ROLE pgnudge RESET ALL'
}

@test "auto takes wal2json where test_decoding is not installed" {
    mkdir -m 755 "$SERVER/plugins"
    cp "$("$SERVER_BIN/pg_config" --pkglibdir)/wal2json.so" "$SERVER/plugins"
    sql "ALTER ROLE pgnudge SET dynamic_library_path = '$SERVER/plugins'"
    listen -v
    [[ $(plugin_in_use) == wal2json ]]
    said wal2json
    sql 'ALTER ROLE pgnudge RESET ALL'
}

@test "auto ends with status 3 where neither is installed" {
    sql "ALTER ROLE pgnudge SET dynamic_library_path = '/nowhere'"
    refused 'could not access file'
    sql 'ALTER ROLE pgnudge RESET ALL'
}

@test "auto ends with status 3, and says what mends it, where neither is allowed" {
    gatekeeping
    sql "ALTER ROLE pgnudge SET output_plugin_libraries = 'pgoutput'"
    refused '^pgnudge: hint:.*output_plugin_libraries'
    sql 'ALTER ROLE pgnudge RESET ALL'
}

@test "a plugin that was asked for and not allowed ends with status 3 and what mends it" {
    local cure
    gatekeeping
    for plugin in wal2json test_decoding; do
        sql "ALTER ROLE pgnudge SET output_plugin_libraries = 'pgoutput'"
        refused '^pgnudge: error:.*may not be used' --plugin "$plugin"
        cure=$(grep -aoE 'ALTER ROLE .*' "$err" | head -n 1)
        echo "cure: $cure"
        [[ $cure == *"'$plugin'"* ]]
        sql "$(sed -E "s/^(ALTER ROLE [^;]*'[a-z0-9_]+')[^']*$/\1/" <<<"$cure")"
        listen --plugin "$plugin"
        stop
        sql 'ALTER ROLE pgnudge RESET ALL'
    done
}

@test "a plugin that was asked for and not installed ends with status 3" {
    sql "ALTER ROLE pgnudge SET dynamic_library_path = '/nowhere'"
    refused 'wal2json' --plugin wal2json
    refused 'test_decoding' --plugin test_decoding
    sql 'ALTER ROLE pgnudge RESET ALL'
}

@test "a plugin that goes away later is waited for" {
    gatekeeping
    listen --plugin wal2json --backoff 20ms,100ms
    sql "ALTER ROLE pgnudge SET output_plugin_libraries = 'pgoutput'" \
        "SELECT pg_terminate_backend($(walsender))" >/dev/null
    wait_for said 'may not be used'
    sql 'ALTER ROLE pgnudge RESET ALL'
    wait_for saw 'reasons == ["connected", "reconnected"]'
    stop
}
