#!/usr/bin/env bats
#
# The examples that are installed, against the real programs: with a failure in the middle, a lost connection,
# and a resync.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

examples=$repo/scripts/dist/examples

setup_file() {
    start_server
    { echo 'host all refresher samehost trust' && cat "$SERVER/data/pg_hba.conf"; } >"$BATS_FILE_TMPDIR/hba"
    cat "$BATS_FILE_TMPDIR/hba" >"$SERVER/data/pg_hba.conf"
    PGPORT=$(server_port "$SERVER") PGDATABASE=postgres sql 'SELECT pg_reload_conf()' >/dev/null
}

setup() {
    common_setup
    groups=()
    mkdir bin
    ln -s "$PGNUDGE" bin/pgnudge
    export PATH=$BATS_TEST_TMPDIR/bin:$SERVER_BIN:$PATH
    : >items
    out=$BATS_TEST_TMPDIR/items
}

# cook EXAMPLE [OPTION]...: pgnudge, which runs it for each item.
cook() {
    to=/dev/null launch --exec "$examples/$1" "${@:2}"
}

# What the programs say is their own.
teardown() {
    local file
    for file in "$BATS_TEST_TMPDIR"/*.err; do
        [[ -n ${BATS_TEST_COMPLETED:-} && -f $file ]] && sed -i '/^pgnudge: /!d' "$file"
    done
    kill_groups
    common_teardown
}

resync() {
    sql "SELECT pg_logical_emit_message(true, 'pgnudge', '')" >/dev/null
}

lose_connection() {
    local was
    was=$(walsender)
    sql "SELECT pg_terminate_backend($was)" >/dev/null
    wait_for is_true "EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming' AND pid <> $was)"
}

# wrap PROGRAM OPTION...: in PATH, with these.
wrap() {
    local program
    program=$(command -v "$1")
    printf '#!/bin/sh\nexec %s %s "$@"\n' "$program" "${*:2}" >"bin/$1"
    chmod +x "bin/$1"
}

# --- Redis ---

redis() {
    redis-server --port 0 --unixsocket "$PWD/redis.sock" --save '' --dir "$PWD" >redis.log 2>&1 3>&- &
    redis=$!
    pids+=("$redis")
    wait_for redis-cli -e ping
}

fill_redis() {
    redis-cli -e mset cache:public.orders:1 a cache:public.orders:2 b cache:public.items:1 c other d >/dev/null
}

# keys N: of the cache.
keys() {
    (($(redis-cli -e --scan --pattern 'cache:*' | wc -l) == $1))
}

@test "drop-redis-keys" {
    command -v redis-server >/dev/null || skip 'Redis is not installed'
    wrap redis-cli -s "$PWD/redis.sock"
    redis
    fill_redis
    cook drop-redis-keys --tables public.orders,public.items
    wait_for keys 0
    fill_redis
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for keys 1
    redis-cli -e get cache:public.items:1 | grep -qx c
    # Redis is away.
    kill "$redis"
    wait_for ended "$redis"
    sql 'INSERT INTO items (n) VALUES (1)'
    wait_for said 'running it again'
    redis
    fill_redis
    wait_for keys 2
    lose_connection
    wait_for keys 0
    fill_redis
    resync
    wait_for keys 0
    redis-cli -e get other | grep -qx d
    stop
}

# entries [KEY]...: just these are left in the cache.
entries() {
    [[ $(redis-cli -e --scan --pattern 'cache:*' | sort) == "$(printf '%s\n' "$@")" ]]
}

@test "drop-redis-entries" {
    command -v redis-server >/dev/null || skip 'Redis is not installed'
    wrap redis-cli -s "$PWD/redis.sock"
    redis
    sql 'INSERT INTO orders (id) VALUES (1), (2), (3); CREATE TABLE pairs (a text, b text, PRIMARY KEY (a, b))'
    cook drop-redis-entries -v --keys --tables public.orders,public.items,public.pairs
    wait_for said 'rows of public.pairs are named'
    wait_for entries ''
    redis-cli -e mset cache:public.orders:1 a cache:public.orders:2 b cache:public.items:1 c \
        cache:public.pairs:x%3Ay:z d >/dev/null
    sql 'UPDATE orders SET n = 2 WHERE id = 2'
    wait_for entries cache:public.items:1 cache:public.orders:1 cache:public.pairs:x%3Ay:z
    sql "INSERT INTO pairs VALUES ('x:y', 'z')"
    wait_for entries cache:public.items:1 cache:public.orders:1
    # Redis is away.
    kill "$redis"
    wait_for ended "$redis"
    sql 'INSERT INTO items (n) VALUES (1)'
    wait_for said 'running it again'
    redis
    redis-cli -e mset cache:public.orders:1 a cache:public.items:1 c >/dev/null
    wait_for entries cache:public.orders:1
    redis-cli -e mset cache:public.items:1 c >/dev/null
    sql 'TRUNCATE orders' # without keys
    wait_for entries cache:public.items:1
    lose_connection
    wait_for entries ''
    redis-cli -e mset cache:public.items:1 c other d >/dev/null
    resync
    wait_for entries ''
    redis-cli -e get other | grep -qx d
    stop
}

# --- nginx ---

# page PATH TEXT: what a visitor gets.
page() {
    [[ $(curl -fsS "http://localhost$1") == "$2" ]]
}

@test "refresh-nginx" {
    command -v nginx >/dev/null || skip 'nginx is not installed'
    mkdir cache temp site pages
    chmod -R a+rwX . # its worker may be another user
    cat >nginx.conf <<EOF
daemon off; pid nginx.pid; error_log error.log;
events {}
http {
    access_log off;
    client_body_temp_path temp; proxy_temp_path temp/proxy; fastcgi_temp_path temp/f;
    uwsgi_temp_path temp/u; scgi_temp_path temp/s;
    proxy_cache_path cache keys_zone=pages:1m;
    server {
        listen unix:$PWD/web.sock;
        location / {
            proxy_pass http://unix:$PWD/app.sock;
            proxy_cache pages; proxy_cache_valid 200 1h; proxy_cache_bypass \$http_cache_refresh;
        }
    }
    server { listen unix:$PWD/app.sock; root $PWD/site; }
}
EOF
    nginx -p "$PWD" -c "$PWD/nginx.conf" -g 'master_process off;' >nginx.log 2>&1 3>&- &
    pids+=("$!")
    wait_for test -S web.sock
    wrap curl --unix-socket "$PWD/web.sock"
    echo /orders.html >pages/public.orders
    printf '%s\n' /items.html /orders.html >pages/public.items
    show() { echo "$1" | tee site/orders.html >site/items.html; }
    show one
    wait_for page /orders.html one
    page /items.html one
    show two
    page /orders.html one # as it was, for an hour
    cook refresh-nginx --tables public.orders,public.items
    wait_for page /items.html two
    wait_for page /orders.html two
    show three
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for page /orders.html three
    page /items.html two
    mv site/items.html site/away
    sql 'INSERT INTO items (n) VALUES (1)'
    wait_for said 'running it again'
    mv site/away site/items.html
    wait_for page /items.html three
    show four
    resync
    wait_for page /items.html four
    wait_for page /orders.html four
    stop
}

# --- make ---

built() {
    [[ -e $1.html && $(<"$1.html") == "$2" ]]
}

@test "build-site" {
    cat >Makefile <<'EOF'
all: orders.html items.html
orders.html: stamps/public.orders
	psql -XAtqc 'SELECT count(*) FROM orders' >$@.new && mv $@.new $@
items.html: stamps/public.items
	psql -XAtqc 'SELECT count(*) FROM items' >$@.new && mv $@.new $@ && echo >>items.runs
EOF
    sql 'GRANT SELECT ON orders, items TO pgnudge'
    mkdir stamps
    touch stamps/public.{orders,items}
    cook build-site --tables public.orders,public.items
    wait_for built orders 0
    wait_for built items 0
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for built orders 1
    (($(wc -l <items.runs) == 1)) # not built again
    sql 'REVOKE SELECT ON items FROM pgnudge' 'INSERT INTO items (n) VALUES (1)'
    wait_for said 'running it again'
    sql 'GRANT SELECT ON items TO pgnudge'
    wait_for built items 1
    sql 'INSERT INTO items (n) VALUES (1)'
    lose_connection
    wait_for built items 2
    stop
}

# --- a materialized view ---

@test "refresh-view" {
    sql 'CREATE MATERIALIZED VIEW sales AS SELECT 1 AS one, count(*) FROM orders' \
        'CREATE UNIQUE INDEX ON sales (one)' 'CREATE ROLE refresher LOGIN' \
        'GRANT SELECT ON orders TO refresher' 'GRANT CREATE ON SCHEMA public TO refresher' \
        'ALTER MATERIALIZED VIEW sales OWNER TO refresher' 'REVOKE CREATE ON SCHEMA public FROM refresher'
    cook refresh-view --tables public.orders --debounce 10ms
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for is_true 'count = 1 FROM sales'
    sql 'REVOKE SELECT ON orders FROM refresher' 'INSERT INTO orders (n) VALUES (1)'
    wait_for said 'running it again'
    sql 'GRANT SELECT ON orders TO refresher'
    wait_for is_true 'count = 2 FROM sales'
    sql 'INSERT INTO orders (n) VALUES (1)'
    lose_connection
    wait_for is_true 'count = 3 FROM sales'
    stop
    sql 'DROP OWNED BY refresher CASCADE' 'DROP ROLE refresher'
}

# --- full-text search ---

found() {
    [[ $(sql "SELECT string_agg(id::text, ' ' ORDER BY id) FROM search
              WHERE words @@ to_tsquery('simple', '$1')") == "$2" ]]
}

@test "refresh-search" {
    sql 'CREATE TABLE articles (id int PRIMARY KEY, title text, body text)' \
        'CREATE TABLE search (id int PRIMARY KEY, words tsvector)' \
        'GRANT SELECT ON articles TO pgnudge' 'GRANT ALL ON search TO pgnudge' \
        "INSERT INTO articles VALUES (1, 'one', 'red'), (2, 'two', 'blue')"
    cook refresh-search --tables public.articles
    wait_for found blue 2
    sql "UPDATE articles SET body = 'blue' WHERE id = 1" "INSERT INTO articles VALUES (3, 'three', 'red')" \
        'DELETE FROM articles WHERE id = 2'
    wait_for found blue 1
    found red 3
    sql 'ALTER TABLE search RENAME TO searched' "UPDATE articles SET body = 'green' WHERE id = 3"
    wait_for said 'running it again'
    sql 'ALTER TABLE searched RENAME TO search'
    wait_for found green 3
    sql 'TRUNCATE articles'
    lose_connection
    wait_for is_true 'count(*) = 0 FROM search'
    stop
}

# indexes_rows WORDS: the column's type has the expression in index-rows.
indexes_rows() {
    sql 'CREATE TABLE articles (id int PRIMARY KEY, title text, body text)' \
        "CREATE TABLE search (id int PRIMARY KEY, words $1, written timestamptz DEFAULT clock_timestamp())" \
        'GRANT SELECT ON articles TO pgnudge' 'GRANT ALL ON search TO pgnudge' \
        "INSERT INTO articles VALUES (1, 'one', 'red'), (2, 'two', 'blue'), (3, 'three', 'red')"
    sed "s/INSERT INTO search\$/INSERT INTO search (id, words)/; s/to_tsvector('simple', \(.*\)) FROM/$2(\1) FROM/" \
        "$examples/index-rows" >bin/index-rows
    chmod +x bin/index-rows
    launch -v --keys --tables public.articles --exec index-rows
    wait_for is_true 'count(*) = 3 FROM search'
    wait_for said 'rows of public.articles are named'
    sql "UPDATE articles SET body = 'green' WHERE id = 1" 'DELETE FROM articles WHERE id = 2' \
        "INSERT INTO articles VALUES (4, 'four', 'blue')" 'UPDATE articles SET id = 5 WHERE id = 3'
    wait_for is_right "$2"
    sql 'ALTER TABLE search RENAME TO searched' "UPDATE articles SET body = 'white' WHERE id = 4"
    wait_for said 'running it again'
    sql 'ALTER TABLE searched RENAME TO search'
    wait_for is_right "$2"
    sql 'TRUNCATE articles'
    wait_for is_right "$2"
    sql "INSERT INTO articles VALUES (1, 'one', 'red')"
    lose_connection
    wait_for is_right "$2"
    stop
}

is_right() {
    is_true "NOT EXISTS ((SELECT id, $1(title || ' ' || body)::text FROM articles
        EXCEPT SELECT id, words::text FROM search) UNION ALL (SELECT id, words::text FROM search
        EXCEPT SELECT id, $1(title || ' ' || body)::text FROM articles))"
}

@test "index-rows" {
    sql "CREATE FUNCTION words(text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS \$\$ SELECT to_tsvector('simple', \$1) \$\$"
    indexes_rows tsvector words
    # The statement of the example itself, too.
    bash -n "$examples/index-rows"
    grep -qF "to_tsvector('simple', title || ' ' || body) FROM" "$examples/index-rows"
}

@test "index-rows, with vectors" {
    sql 'CREATE EXTENSION vector' 2>/dev/null || skip 'pgvector is not installed'
    sql "CREATE FUNCTION embed(text) RETURNS vector LANGUAGE sql IMMUTABLE AS
        \$\$ SELECT ARRAY[length(\$1), ascii(\$1), ascii(reverse(\$1))]::vector \$\$"
    indexes_rows 'vector(3)' embed
}

@test "audit-rows" {
    launch -v --keys --operations --tables public.orders --exec "'$examples/audit-rows' audit.jsonl"
    wait_for grep -q '"resync":"connected"' audit.jsonl
    wait_for said 'rows of public.orders are named'
    sql 'INSERT INTO orders (n) VALUES (1), (2)'
    wait_for grep -q '"key":\["2"\]' audit.jsonl
    [[ $(jq -cs '[.[] | select(.table) | {key, operations}]' audit.jsonl) == \
        '[{"key":["1"],"operations":{"inserts":2}},{"key":["2"],"operations":{"inserts":2}}]' ]]
    chmod -w . && chmod -w audit.jsonl
    sql 'TRUNCATE orders'
    if ((EUID)); then wait_for said 'running it again'; fi
    chmod +w audit.jsonl . && wait_for grep -q '"key":null,"operations":{"truncates":1}' audit.jsonl
    lose_connection
    wait_for grep -q '"resync":"reconnected"' audit.jsonl
    stop
}

# --- server-sent events ---

# streamed REGEX
streamed() {
    grep -qE "$1" page
}

@test "serve-events" {
    command -v python3 >/dev/null || skip 'Python is not installed'
    command -v curl >/dev/null || skip 'curl is not installed'
    env --default-signal bash -c "set -o pipefail; pgnudge --tables public.orders --backoff 10ms,50ms |
        '$examples/serve-events' 0" >port 2>"$BATS_TEST_TMPDIR/sse.err" 3>&- &
    pid=$!
    pids+=("$pid")
    wait_for test -s port
    curl -sN "http://127.0.0.1:$(<port)/events" >page 3>&- &
    pids+=("$!")
    wait_for streamed '^data: \{"type":"resync"'
    wait_for streaming
    curl -sN --max-time 0.3 "http://127.0.0.1:$(<port)/" >left || true # one that leaves
    grep -q resync left
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for streamed '^data: \{"type":"batch",.*"public\.orders"'
    sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
    wait_for streamed '"reason":"reconnected"'
    resync
    wait_for streamed '"reason":"requested"'
    pkill -P "$pid" -x pgnudge
    ends_with 1
    grep -q 'pgnudge has ended' sse.err
}

# --- a replica ---

@test "after-replay" {
    allow_standbys
    start_standby
    REPLICA="host=$standby port=$(server_port "$standby") user=postgres dbname=$PGDATABASE"
    export REPLICA
    cook "after-replay psql -XAtqc 'SELECT count(*) FROM orders' -o seen '$REPLICA'" --tables public.orders
    wait_for test -s seen
    server_sql "$standby" 'SELECT pg_wal_replay_pause()'
    rm seen
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read
    [[ ! -e seen ]]
    server_sql "$standby" 'SELECT pg_wal_replay_resume()'
    wait_for test -s seen
    [[ $(<seen) == 1 ]]
    stop
}

@test "wait-once" {
    run -124 "$examples/wait-once" public.orders 300ms
    "$examples/wait-once" public.orders 30s 3>&- &
    pid=$!
    pids+=("$pid")
    write 'INSERT INTO orders (n) VALUES (1);' # the first may be in the resync
    ends_with 0
    no_writers
}

@test "every example is here" {
    local file
    for file in "$examples"/[a-z]*; do
        echo "${file##*/}"
        grep -qxF "@test \"${file##*/}\" {" "$BATS_TEST_FILENAME"
        grep -qF "[${file##*/}](${file##*/})" "$examples/README.md"
    done
}

# --- many readers, through a broker ---

# again COMMAND: in a shell, over and over, as a service manager would.
again() {
    setsid bash -c "while :; do $1; sleep 0.2; done" >/dev/null 2>>again.said 3>&- &
    pids+=("$!")
    groups+=("$!")
}

# The example between a publisher and two readers, each of which keeps the number of rows; what is in
# "victims" is killed meanwhile, the broker by its own command, which starts it anew.
through() {
    local example=$examples/$1 copy victim
    cat >fetch <<'END'
#!/bin/sh
psql -h "$SERVER" -U postgres -qAtc 'SELECT count(*) FROM orders' >"$1.new" && mv "$1.new" "$1"
END
    chmod +x fetch
    start_broker
    again "pgnudge --heartbeat 200ms --partitions leaf --debounce 1ms | '$example' publish nudges"
    for copy in one two; do
        again "'$example' subscribe nudges | pgnudge --from-stdin --debounce 1ms --exec './fetch $copy'"
    done
    for victim in publisher broker reader broker reader publisher broker; do
        sql 'INSERT INTO orders (n) VALUES (1)'
        for copy in one two; do wait_for copied "$copy"; done
        write 'INSERT INTO orders (n) VALUES (1);'
        case $victim in
        publisher) pkill -KILL -g "${groups[0]}" pgnudge ;;
        reader) pkill -KILL -g "${groups[1]}" "$subscriber" ;;
        broker)
            kill -KILL "$broker"
            wait "$broker" 2>/dev/null || true
            start_broker
            ;;
        esac
        no_writers
    done
    for copy in one two; do wait_for copied "$copy"; done
}

# Each with all that it has started.
kill_groups() {
    local group
    for group in "${groups[@]}"; do
        kill -KILL -- "-$group" 2>/dev/null || true
        wait "$group" 2>/dev/null || true
    done
}

copied() {
    [[ $(cat "$1") == "$(sql 'SELECT count(*) FROM orders')" ]]
}

@test "through-redis" {
    command -v redis-server >/dev/null || skip 'Redis is not installed'
    wrap redis-cli -s "$PWD/redis.sock"
    start_broker() { redis && broker=$redis; }
    subscriber='redis-cli'
    through through-redis
}

# Their ports lie below those that the kernel gives to clients.

@test "through-mqtt" {
    command -v mosquitto >/dev/null || skip 'Mosquitto is not installed'
    export MQTT_PORT=$((PGPORT - 10000)) MQTT_HOST=127.0.0.1
    printf '%s\n' "listener $MQTT_PORT 127.0.0.1" 'allow_anonymous true' >mosquitto.conf
    start_broker() {
        mosquitto -c mosquitto.conf >>mosquitto.log 2>&1 3>&- &
        broker=$!
        pids+=("$broker")
        wait_for mosquitto_pub -h 127.0.0.1 -p "$MQTT_PORT" -t up -m up
    }
    subscriber=mosquitto_sub
    through through-mqtt
}

@test "through-nats" {
    command -v nats-server >/dev/null || skip 'NATS is not installed'
    export NATS_PORT=$((PGPORT - 10000)) NATS_HOST=127.0.0.1
    start_broker() {
        nats-server -a 127.0.0.1 -p "$NATS_PORT" >>nats.log 2>&1 3>&- &
        broker=$!
        pids+=("$broker")
        wait_for bash -c "exec 5<>/dev/tcp/127.0.0.1/$NATS_PORT"
    }
    subscriber=through-nats
    through through-nats
}
