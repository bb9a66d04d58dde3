#!/usr/bin/env bats
#
# Filters that match nothing: a slip in a name would watch nothing, silently.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

setup_file() {
    start_server
    PGDATABASE=template1 sql '
        CREATE SCHEMA shop; CREATE TABLE shop.prices (n int);
        CREATE TABLE "Users" (n int); CREATE TABLE "dot.ted" (n int);
        CREATE VIEW a_view AS SELECT 1 AS n;
        CREATE MATERIALIZED VIEW a_matview AS SELECT 1 AS n;
        CREATE UNLOGGED TABLE an_unlogged (n int);
        CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
        CREATE FOREIGN TABLE a_foreign (n int) SERVER nowhere;
        CREATE TABLE root (n int) PARTITION BY LIST (n);
        CREATE TABLE part PARTITION OF root FOR VALUES IN (1);
        CREATE SEQUENCE a_sequence; CREATE INDEX an_index ON orders (n);
        CREATE TYPE a_type AS (n int)'
}

missed() { # HINT [OPTION]...
    refused '^pgnudge: error:.*no table matches --tables' --plugin "$plugin" "${@:2}"
    cat "$err"
    said "^pgnudge: hint: $1"
}

@test "a table that isn't there ends with status 3 and the nearest name" {
    each_plugin missed 'did you mean public\.orders\?$' --tables public.ordres
    each_plugin missed 'did you mean public\.orders\?$' --tables public.order
    each_plugin missed 'did you mean shop\.prices\?' --tables public.prices
    each_plugin missed 'did you mean public\.orders\?$' --tables ordres
    each_plugin missed 'did you mean public\.orders\?$' --no-visibility-check --tables publc.orders,items
}

@test "one that is near to nothing is told how to wait" {
    each_plugin missed '.*--allow-missing' --tables public.xyzzy
}

@test "one of another case is told that names are case-sensitive" {
    each_plugin missed 'did you mean public\.Users\?.*case-sensitive' --tables public.users
    each_plugin missed 'did you mean public\.orders\?.*case-sensitive' --tables PUBLIC.ORDERS
    grep -aq 'public.orders' "$err"
}

@test "one with a dot in it is told how to quote" {
    each_plugin missed 'did you mean public\."dot\.ted"\?.*quotes' --tables dot.ted
    each_plugin missed 'did you mean public\.orders\?.*quotes' --tables '"public.orders"'
}

@test "the error names the first one that is missing, and says how many more" {
    refused 'no table matches --tables "public.nope1"' -t orders,public.nope1,*.nope2,items,nope3
    said '^pgnudge: detail:.* 3 '
}

@test "what is none of the kinds with rows isn't found" {
    for name in a_sequence an_index a_type orders_pkey; do
        refused 'no table matches' --tables "public.$name"
    done
    refused 'no table matches' --tables 'pg_class.*,nowhere.orders'
}

@test "a star is never missing" {
    listen --tables 'nowhere.*,*.*'
    [[ ! -s $err ]]
}

@test "a table in any schema, a partition, a root are found" {
    listen --tables prices,*.part,public.root,shop.prices
    [[ ! -s $err ]]
}

@test "--allow-missing only warns, and the others are watched" {
    listen --allow-missing --tables public.ordres,public.items,public.marker
    said '^pgnudge: warning: no table matches --tables "public.ordres"'
    sql 'INSERT INTO items (n) VALUES (1)' 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.items": 1}'
}

@test "--exclude that matches nothing only warns" {
    listen --exclude public.ordres,shop.prices
    said '^pgnudge: warning: no table matches --exclude "public.ordres"'
    run ! said 'prices'
    sql 'INSERT INTO orders (n) VALUES (1)'
    totals '{"public.orders": 1}'
}

@test "what only messages can nudge is a warning" {
    local name
    for name in a_view a_matview a_foreign an_unlogged; do
        echo "$name"
        listen --tables "public.$name,public.marker"
        said "^pgnudge: warning: \"public.$name\""
        sql "SELECT pg_logical_emit_message(true, 'pgnudge', 'public.$name')" >/dev/null
        totals "{\"public.$name\": 1}"
        stop
    done
}

@test "--quiet says none of the warnings, but the error" {
    listen --quiet --allow-missing --tables nope,a_view --exclude nope2
    [[ ! -s $err ]]
    stop
    refused 'no table matches' --quiet --tables nope
}

@test "only the first connect looks for them" {
    listen --backoff 20ms,100ms --tables public.items,public.marker
    sql 'DROP TABLE items' "SELECT pg_terminate_backend($(walsender))" >/dev/null
    wait_for saw 'reasons == ["connected", "reconnected"]'
    run ! said 'no table matches'
    sql 'CREATE TABLE items (n int)' 'INSERT INTO items VALUES (1)'
    totals '{"public.items": 1}'
}

@test "many that are missing are not told one by one" {
    listen --allow-missing --tables "$(printf 'public.nope%d,' {1..300})public.marker"
    (($(grep -ac warning "$err") <= 11))
}

@test "names that the database's encoding lacks are missing" {
    PGDATABASE=postgres sql "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
    export PGDATABASE=latin
    sql 'CREATE TABLE marker (n int)'
    refused 'no table matches --tables "public.日本"' --tables public.日本,public.marker
    listen --allow-missing --tables public.日本,public.marker --exclude 'x.🐘'
    totals '{}'
}
