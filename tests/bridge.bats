#!/usr/bin/env bats
#
# --notify and --listen: a publisher and its readers, on a real server's channel.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# From 17 on the queue of notifications can be made small enough to fill.
setup_file() {
    local queue=()
    if has_small_queue; then queue=('max_notify_queue_pages = 256'); fi
    start_server 'max_connections = 100' "${queue[@]}"
}

has_small_queue() {
    (($("$(server_bindir)/postgres" --version | sed -E 's/[^0-9]*([0-9]+).*/\1/') >= 17))
}

setup() {
    common_setup
    published=() readers=()
}

# publish [OPTION]...: as $publisher, with its messages in $publisher_err, until it publishes.
publish() {
    publish_later "$@"
    wait_for publishes
}

publish_later() {
    launch --notify nudges -v "$@"
    publisher=$pid publisher_err=$err
    published+=("$pid")
}

publishes() {
    grep -aq 'info: resync: ' "$publisher_err"
}

# reader [OPTION]...: as $pid; with its lines in $out.
reader() {
    launch --listen nudges "$@"
    readers+=("$pid")
}

# live: the reader has printed its first line.
live() {
    wait_for saw '.[0].reason == "connected"'
}

# holder: the process that holds the lock.
holder() {
    sql "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database =
         (SELECT oid FROM pg_database WHERE datname = current_database())"
}

# The lock's key, as SQL's bigint.
lock_key() {
    local hash
    hash=$(printf 'pgnudge channel %s' nudges | sha256sum)
    sql "SELECT ('x' || '${hash:0:16}')::bit(64)::bigint"
}

@test "a reader prints what a publisher's stream would" {
    publish
    reader
    live
    sql 'INSERT INTO orders (n) VALUES (1), (2)' 'UPDATE orders SET n = 3' 'DELETE FROM orders'
    wait_for saw 'count("public.orders") == 6'
    saw 'all(has("session") or has("seq") or has("part") | not)'
    saw '[.[].events[]?] | all(has("ancestors") | not)'
    sql 'BEGIN; INSERT INTO items (n) VALUES (1); ROLLBACK'
    totals '{"public.orders": 6}'
    ! grep -v ' info: ' "$publisher_err" || false
}

@test "the reader needs no replication, and the publisher prints nothing" {
    echo 'host all plain 127.0.0.1/32 trust' >>"$SERVER/data/pg_hba.conf"
    sql 'CREATE ROLE plain LOGIN' 'SELECT pg_reload_conf()'
    publish
    publisher_out=$out
    reader -U plain
    live
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
    [[ ! -s $publisher_out ]]
}

@test "each reader has its own tables, partitions, debounce and form" {
    sql 'CREATE TABLE part (id int, n int) PARTITION BY LIST (id)' \
        'CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1)' \
        'CREATE TABLE part2 PARTITION OF part FOR VALUES IN (2)' \
        'CREATE TABLE a (n int)' 'CREATE TABLE b (n int)' 'CREATE TABLE ab (n int) INHERITS (a, b)'
    publish
    reader --tables public.part,marker --exclude public.part2
    live
    first=$out
    reader --partitions leaf
    live
    second=$out
    reader --format names
    wait_for grep -qx '\*' "$out"
    third=$out
    # shellcheck disable=SC2016
    launch --listen nudges --tables orders --exec 'echo "$PGNUDGE_TABLES" >>ran'
    wait_for test -s ran
    sql 'INSERT INTO part VALUES (1), (2)' 'INSERT INTO orders (n) VALUES (1)' 'INSERT INTO ab VALUES (1)'
    out=$first
    totals '{"public.part": 1}'
    out=$second
    wait_for saw 'count("public.marker") == 1'
    saw '[changes[] | .payload] | sort | unique == ["public.ab", "public.orders", "public.part1", "public.part2"]'
    for table in public.part public.orders public.a public.b; do wait_for grep -qx "$table" "$third"; done
    (($(grep -c 'part1\|part2\|public\.ab' "$third") == 0))
    wait_for grep -qx public.orders ran
    (($(grep -c part ran) == 0))
}

@test "a reader of tables that the publisher doesn't watch ends with status 3" {
    publish --tables public.orders --heartbeat 200ms
    reader --tables public.orders,public.items
    ends_with 3
    said "the publisher doesn't watch public.items"
}

@test "what is attached later is named by its root, too" {
    sql 'CREATE TABLE part (id int) PARTITION BY LIST (id)' 'CREATE TABLE one (id int)'
    publish
    reader --tables public.part,marker
    live
    sql 'INSERT INTO one VALUES (1)'
    mark
    sql 'ALTER TABLE part ATTACH PARTITION one FOR VALUES IN (1)' 'INSERT INTO part VALUES (1)'
    wait_for saw 'count("public.part") >= 1'
}

@test "no line comes before it can be seen" {
    publish
    follow --listen nudges --debounce 1ms
    live
    write 'INSERT INTO orders (n) VALUES (1); BEGIN; INSERT INTO items (n) VALUES (1); COMMIT;'
    wait_for saw 'count("public.items") > 50'
    no_writers
    mark
    none_too_early
    exact
}

@test "any name fits into its notification" {
    long=$(printf '\360\237\230\200%.0s' {1..15}) # four bytes each, whatever the locale
    odd=$'"it\'s \\ ""new""\nline"'
    sql "CREATE TABLE \"$long\" (n int)" "CREATE TABLE $odd (n int)"
    publish
    reader
    live
    sql "INSERT INTO \"$long\" VALUES (1)" "INSERT INTO $odd VALUES (1)"
    wait_for saw "count(\"public.$long\") == 1"
    wait_for saw 'count("public.it'"'"'s \\ \"new\"\nline") == 1'
}

@test "many tables go in parts, which stay together; more than 64 are an overflow" {
    sql "DO \$\$ BEGIN FOR i IN 1..3000 LOOP
            EXECUTE format('CREATE TABLE %I (n int)', repeat('x', 50) || lpad(i::text, 8, '0'));
        END LOOP; END \$\$"
    publish
    reader --debounce 1ms
    live
    sql "DO \$\$ BEGIN FOR i IN 1..300 LOOP
            EXECUTE format('INSERT INTO %I VALUES (1)', repeat('x', 50) || lpad(i::text, 8, '0'));
        END LOOP; END \$\$"
    wait_for saw '[.[].events[]?] | length == 300'
    saw 'map(select(.type == "batch")) | length == 1'
    saw 'reasons == ["connected"]'
    sql "DO \$\$ BEGIN FOR i IN 1..3000 LOOP
            EXECUTE format('INSERT INTO %I VALUES (1)', repeat('x', 50) || lpad(i::text, 8, '0'));
        END LOOP; END \$\$"
    wait_for saw 'reasons == ["connected", "overflow"]'
    totals '{}' || saw 'reasons == ["connected", "overflow"]'
}

@test "a second publisher waits, and takes over when the first one is killed" {
    publish --heartbeat 200ms
    reader
    live
    first=$out
    publish_later
    out=$first
    wait_for grep -q 'publishes on channel "nudges": waiting for its end' "$publisher_err"
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
    kill -KILL "${published[0]}"
    wait_for publishes
    wait_for saw 'reasons == ["connected", "missed"]'
    sql 'INSERT INTO items (n) VALUES (1)'
    wait_for saw 'count("public.items") == 1'
}

@test "a publisher that loses either connection is back with a resync" {
    publish --backoff 50ms,100ms
    reader --backoff 50ms,100ms
    live
    sql "SELECT pg_terminate_backend($(holder))"
    wait_for saw 'reasons == ["connected", "missed"]'
    wait_for grep -q -- '--notify: publishing again' "$publisher_err"
    sql 'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database()'
    wait_for saw 'reasons == ["connected", "missed", "reconnected"]'
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
}

@test "a reader that loses its connection is back with a resync" {
    publish
    reader --backoff 50ms,100ms
    live
    sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'pg_locks' AND application_name = 'pgnudge'
         AND datname = current_database() AND pid <> $(holder)"
    wait_for saw 'reasons == ["connected", "reconnected"]'
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
}

@test "without a publisher a reader waits and says so" {
    reader
    wait_for said 'nobody publishes on channel "nudges"'
    wait_for said 'hint: Start one: pgnudge --notify nudges'
    [[ ! -s $out ]]
    reader_out=$out
    publish
    out=$reader_out
    live
}

@test "what others notify is ignored, with one warning" {
    publish
    reader --debounce 1ms
    live
    for i in {1..20}; do
        sql "SELECT pg_notify('nudges', format('{\"type\":\"resync\",\"reason\":\"connected\",\"lsn\":\"0/1\",\"session\":\"x\",\"seq\":%s}', $i))" >/dev/null
    done
    mark
    saw 'reasons == ["connected"]'
    (($(grep -c 'without being its publisher' "$err") == 1))
    sql "SELECT pg_notify('nudges', repeat('x', 7000) || i) FROM generate_series(1, 30) i" >/dev/null
    wait_for saw 'reasons | length >= 2'
    mark
}

@test "whoever takes the lock keeps the publisher waiting, which is a warning with his process" {
    session squatter
    ask squatter "SELECT pg_advisory_lock($(lock_key))"
    publish_later
    wait_for grep -q "process $(holder) of role \"postgres\" holds the lock of channel \"nudges\"" "$publisher_err"
    publisher_messages=$publisher_err
    reader --debounce 1ms
    live
    # What he says is nonsense, and lies, with a session of his own.
    ask squatter "NOTIFY nudges, '{\"type\":\"batch\",\"lsn\":\"0/1\",\"events\":[]}'"
    ask squatter "NOTIFY nudges, 'nonsense'"
    ask squatter "NOTIFY nudges, '{\"type\":\"batch\",\"lsn\":\"0/1\",\"session\":\"lie\",\"seq\":7,\"events\":[]}'"
    ask squatter 'SELECT pg_advisory_unlock_all()'
    publisher_err=$publisher_messages
    wait_for publishes
    wait_for saw 'reasons[-1] == "missed"'
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
}

@test "a former holder can't spoil the session of the next" {
    session squatter
    ask squatter "SELECT pg_advisory_lock($(lock_key))"
    publish_later
    reader --debounce 1ms
    live
    ask squatter 'LISTEN nudges'
    ask squatter 'SELECT pg_advisory_unlock_all()'
    heard() { ask squatter 'SELECT 1' && grep -q '"session"' squatter.said; }
    wait_for heard
    name=$(grep -o '"session":"[0-9a-f]*"' squatter.said | head -n 1)
    ask squatter "NOTIFY nudges, '{\"type\":\"heartbeat\",\"lsn\":\"0/1\",$name,\"seq\":100000}'"
    for i in 1 2 3; do
        sql "INSERT INTO orders (n) VALUES ($i)"
        wait_for saw "count(\"public.orders\") == $i"
    done
}

@test "a role that takes the lock later can't end the readers" {
    publish
    reader --tables public.orders --debounce 1ms --backoff 50ms,100ms
    live
    kill -KILL "$publisher"
    session squatter
    took() { ask squatter "SELECT 'got ' || pg_try_advisory_lock($(lock_key))" && grep -q 'got true' squatter.said; }
    wait_for took
    for line in '"type":"resync","reason":"connected","lsn":"0/1","session":"lie","seq":1,"tables":["x.y"],"exclude":[]' \
        '"type":"batch","lsn":"0/1","events":[]' '"type":"heartbeat","lsn":"0/1","session":"lie","seq":2'; do
        ask squatter "NOTIFY nudges, '{$line}'"
    done
    reader_out=$out reader_err=$err reader_pid=$pid
    wait_for said 'of role "postgres" publishes on channel "nudges" of .*, no longer role "pgnudge"'
    ask squatter 'SELECT pg_advisory_unlock_all()'
    publish
    out=$reader_out err=$reader_err
    kill -0 "$reader_pid"
    got() { sql 'INSERT INTO orders (n) VALUES (1)' && saw 'count("public.orders") > 0'; }
    wait_for got
}

@test "a slow reader merges, and reads on" {
    publish --debounce 1ms
    mkfifo slow
    exec {slow}<>slow
    to=slow launch --listen nudges --debounce 1ms
    reader_pid=$pid
    head -n 1 <&"$slow" >got
    reader --debounce 1ms
    live
    for i in {1..40}; do sql "INSERT INTO orders (n) SELECT 1 FROM generate_series(1, 10)"; done
    wait_for saw 'count("public.orders") == 400'
    wait_for is_true 'pg_notification_queue_usage() = 0'
    cat <&"$slow" >>got 3>&- &
    pids+=("$!")
    out=got
    wait_for saw 'count("public.orders") == 400'
    kill -0 "$reader_pid"
}

@test "keys go there only with --notify-keys" {
    run -2 pgnudge --notify nudges --keys
    [[ $output == *'--keys and --notify-keys need each other'* ]]
    run -2 pgnudge --notify nudges --notify-keys
    publish --keys --notify-keys --operations --debounce 1ms
    reader --keys --operations --debounce 1ms
    live
    keys() { sql 'INSERT INTO orders (n) VALUES (1)' && saw 'last.events[0]? | .key == ["id"] and .inserts == 1'; }
    wait_for keys
    reader --debounce 1ms
    live
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
    saw '[.[].events[]?] | all(has("keys") | not)'
}

@test "a standby and a pooler are refused" {
    allow_standbys
    start_standby
    launch --listen nudges -h "$standby" -p "$(server_port "$standby")" -U postgres
    ends_with 3
    said 'is a standby, which has no LISTEN'
    launch --notify nudges --notify-to "host=$standby port=$(server_port "$standby") user=postgres"
    ends_with 3
    said 'is a standby, which has no NOTIFY'
}

@test "an application's stalled COMMIT with NOTIFY holds the publisher up, and is survived" {
    publish --debounce 1ms --backoff 50ms,100ms
    reader --debounce 1ms
    live
    configure synchronous_standby_names nobody
    session stalled
    tell stalled "SET synchronous_commit = on; BEGIN; INSERT INTO items (n) VALUES (1); NOTIFY other, 'x'; COMMIT"
    wait_for is_true "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')"
    sql 'SET synchronous_commit = local; INSERT INTO orders (n) VALUES (1)'
    wait_for grep -q -- '--notify: .*lock timeout' "$publisher_err"
    configure synchronous_standby_names ''
    wait_for saw 'reasons == ["connected", "missed"]'
    mark
}

@test "a queue that fills up slows the publisher down, and stops it before it is full" {
    has_small_queue || skip 'the queue can be made small from 17 on'
    publish --debounce 1ms
    reader --debounce 1ms
    live
    session pin
    ask pin 'LISTEN other'
    ask pin 'BEGIN'
    ask pin 'SELECT 1'
    fill() { sql "SELECT pg_notify('other', repeat('x', 7000) || i) FROM generate_series(1, $1) i" >/dev/null; }
    fill 50
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
    wait_for grep -q "queue of notifications is [0-9]*% full" "$publisher_err"
    fill 120
    is_true 'pg_notification_queue_usage() > 0.5'
    sql 'INSERT INTO items (n) VALUES (1)'
    # It looks again, and still leaves the queue alone.
    wait_for is_true "query ~ '^SELECT pg_catalog.pg_notification_queue_usage' FROM pg_stat_activity
                      WHERE pid = $(holder)"
    saw 'count("public.items") == 0'
    ask pin 'COMMIT'
    wait_for saw 'count("public.items") == 1'
    saw 'reasons == ["connected"]'
}

@test "what makes no sense together is refused" {
    # refuses REGEX OPTION...
    refuses() {
        run -2 pgnudge "${@:2}"
        [[ $output == *"$1"* ]]
    }
    for relay in --listen=x --from-stdin; do
        refuses "exclude each other" --notify x "$relay"
        refuses "exclude each other" "$relay" --visible-on host=x
        refuses "exclude each other" "$relay" --no-visibility-check
    done
    refuses 'exclude each other' --listen x --from-stdin
    refuses 'exclude each other' --notify x --exec true
    refuses 'exclude each other' --notify x --format names
    refuses 'exclude each other' --notify x --no-visibility-check
    refuses 'A publisher names leaves' --notify x --partitions leaf
    refuses '--notify-to needs --notify' --notify-to host=x
    refuses 'needs the name of a channel' --notify ''
    refuses '63 bytes at most' --listen "$(printf 'x%.0s' {1..64})"
}

@test "--notify-to names another database" {
    sql "CREATE DATABASE other_$BATS_TEST_NUMBER"
    publish --notify-to "dbname=other_$BATS_TEST_NUMBER"
    reader -d "other_$BATS_TEST_NUMBER"
    live
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
}

# --- the doctor ---

@test "the doctor with --listen looks at the channel, and asks for nothing else" {
    run -0 pgnudge doctor --listen nudges
    [[ $output == *'warn  channel: nobody publishes on "nudges"'*'pgnudge --notify nudges'* ]]
    [[ $output == *'ok    notification queue: 0.0% full'*'result: ready'* ]]
    [[ $output != *walsender* ]]
    publish
    run -0 pgnudge doctor --listen nudges --json
    jq -e "any(.checks[]; .check == \"channel\" and .status == \"ok\" and
           (.text | test(\"process $(holder) of role .pgnudge. publishes\"))) and .ready" <<<"$output"
}

@test "the doctor with --notify says who would be in the way" {
    run -0 pgnudge doctor --notify nudges
    [[ $output == *'ok    channel: "nudges" is free'* ]]
    publish
    run -0 pgnudge doctor --notify nudges
    [[ $output == *'publishes on "nudges", and this one would wait'* ]]
    kill "$publisher"
    wait_for ended "$publisher"
    session squatter
    ask squatter "SELECT pg_advisory_lock($(lock_key))"
    run -0 pgnudge doctor --notify nudges
    [[ $output == *"warn  channel: process $(holder) of role \"postgres\" holds the lock"* ]]
    run -3 pgnudge doctor --notify nudges --notify-to dbname=nowhere
    [[ $output == *'FAIL  channel: '*'"nowhere" does not exist'* ]]
}

@test "the doctor finds a standby and a pooler in front of the channel" {
    allow_standbys
    start_standby
    run -3 pgnudge doctor --listen nudges -h "$standby" -p "$(server_port "$standby")" -U postgres
    [[ $output == *'FAIL  channel: the server is a standby'* ]]
    bounce
    run -3 pgnudge doctor --listen nudges -p "$port"
    [[ $output == *'FAIL  channel: a connection pooler is between'* ]]
    launch --listen nudges -p "$port"
    ends_with 3
    said 'a connection pooler is between'
    launch --notify nudges --notify-to "port=$port"
    ends_with 3
    said 'a connection pooler is between'
    run -2 pgnudge doctor --from-stdin
}
