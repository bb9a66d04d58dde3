#!/usr/bin/env bats
#
# --tables and --exclude. Each holds with both plugins, in pgnudge and pushed down to the server.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

setup_file() {
    start_server
    PGDATABASE=template1 sql '
        CREATE SCHEMA shop; CREATE TABLE shop.orders (n int); CREATE TABLE shop.prices (n int);
        CREATE TABLE "Orders" (n int);
        CREATE TABLE "a,b.c *" (n int);
        CREATE SCHEMA "Ser.ver"; CREATE TABLE "Ser.ver"." 100%\ ""é"" " (n int)'
}

# Change every table once, under OPTIONs; what remains is EXPECTED.
filtered() { # EXPECTED [OPTION]...
    local table statements=()
    for table in orders items customers '"Orders"' '"a,b.c *"' shop.orders shop.prices \
        '"Ser.ver"." 100%\ ""é"" "'; do
        statements+=("INSERT INTO $table (n) VALUES (1)")
    done
    listen --plugin "$plugin" "${@:2}"
    sql "${statements[@]}"
    totals "$1"
    stop
}

@test "without a filter every table is watched" {
    each_plugin filtered '{"public.orders": 1, "public.items": 1, "public.customers": 1,
        "public.Orders": 1, "public.a,b.c *": 1, "shop.orders": 1, "shop.prices": 1,
        "Ser.ver. 100%\\ \"é\" ": 1}'
}

@test "schema.table watches that table alone" {
    each_plugin filtered '{"public.orders": 1}' --tables public.orders,public.marker
}

@test "a bare name watches it in every schema" {
    each_plugin filtered '{"public.orders": 1, "shop.orders": 1}' --tables orders,marker
}

@test "lists may have blanks, and the option may repeat" {
    each_plugin filtered '{"public.customers": 1, "public.items": 1, "public.orders": 1}' \
        -t ' public.orders ,  public.items' -t public.customers --tables=public.marker
}

@test "a star stands for a whole part" {
    each_plugin filtered '{"shop.orders": 1, "shop.prices": 1}' --tables 'shop.*,*.marker'
    each_plugin filtered '{"public.orders": 1, "shop.orders": 1}' --tables '*.orders,marker'
    each_plugin filtered '{"shop.prices": 1, "shop.orders": 1}' --tables '*' \
        --exclude 'public.orders,items,customers,"Orders","a,b.c *","Ser.ver".*'
}

@test "… or for some characters of it" {
    each_plugin filtered '{"public.orders": 1, "shop.orders": 1, "shop.prices": 1}' \
        --tables '*.or*rs,s*p.p*,*.mark*'
    each_plugin filtered '{"shop.prices": 1, "shop.orders": 1}' --tables '*' \
        --exclude 'pub*.orders,it*,cust*,"Orders",public.a*,Ser*.*'
    each_plugin filtered '{}' --tables 'public.no*,marker'
}

@test "names are case-sensitive" {
    each_plugin filtered '{"public.Orders": 1}' --tables public.Orders,public.marker
    each_plugin filtered '{}' --tables PUBLIC.orders,public.marker --allow-missing
}

@test "double quotes protect dots, commas, stars, blanks and quotes" {
    each_plugin filtered '{"Ser.ver. 100%\\ \"é\" ": 1, "public.a,b.c *": 1}' \
        --tables '"a,b.c *", "Ser.ver"." 100%\ ""é"" ", "public"."marker"'
    each_plugin filtered '{"public.a,b.c *": 1}' \
        --tables 'public."a,b.c *","Ser.ver"." 100%\ ""é"" ",public.marker' --exclude '"Ser.ver".*'
}

@test "--exclude leaves out, and wins over --tables" {
    each_plugin filtered '{"public.orders": 1, "public.items": 1, "public.customers": 1}' \
        -x 'shop.*, "Orders", "a,b.c *", *." 100%\ ""é"" "'
    each_plugin filtered '{"public.items": 1}' --tables orders,items,marker -x orders
}

@test "a name that is nowhere to be found excludes nothing" {
    each_plugin filtered '{"public.orders": 1}' --tables public.orders,marker -x public.nowhere
}

@test "more names than the server is asked to filter by" {
    each_plugin filtered '{"public.orders": 1}' \
        --tables "$(printf 'public.t%d,' {1..300})public.orders,public.marker" --allow-missing
}

made_later() {
    sql 'DROP TABLE IF EXISTS later, renamed'
    listen --plugin "$plugin" --tables public.later,public.marker --allow-missing
    sql 'CREATE TABLE later (n int)' 'INSERT INTO later VALUES (1)'
    totals '{"public.later": 1}'
    sql 'ALTER TABLE items RENAME TO renamed' 'ALTER TABLE later RENAME TO items' \
        'ALTER TABLE renamed RENAME TO later' 'INSERT INTO later (n) VALUES (1)' \
        'INSERT INTO items (n) VALUES (1)'
    totals '{"public.later": 2}'
    sql 'ALTER TABLE items RENAME TO renamed' 'ALTER TABLE later RENAME TO items'
    stop
}

@test "a watched table may be made, and renamed, later" {
    each_plugin made_later
}

@test "tables without a key are filtered like the others" {
    sql 'CREATE TABLE watched AS SELECT n FROM generate_series(1, 5) n' \
        'CREATE TABLE unwatched AS SELECT n FROM generate_series(1, 5) n'
    listen --tables public.watched,public.marker
    sql 'UPDATE unwatched SET n = 0' 'DELETE FROM unwatched' 'UPDATE watched SET n = 0'
    totals '{"public.watched": 5}'
}

truncated_together() {
    listen --plugin "$plugin" --tables orders,shop.prices,marker --exclude shop.orders
    sql 'TRUNCATE "a,b.c *", shop.prices, items, orders, shop.orders'
    totals '{"public.orders": 1, "shop.prices": 1}'
    stop
}

@test "of a TRUNCATE of several tables the watched ones are named" {
    each_plugin truncated_together
}
