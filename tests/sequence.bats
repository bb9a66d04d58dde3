#!/usr/bin/env bats
#
# --sequence, --heartbeat and --from-stdin: what a transport loses, a reader finds out.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# read_from [OPTION]...: pgnudge --from-stdin, which reads what "put" writes.
read_from() {
    local input
    : >feed
    exec {input}< <(exec tail -n +1 -s 0.05 -f feed 2>&1 3>&-)
    feeder=$!
    pids+=("$feeder")
    from=/dev/fd/$input launch --from-stdin "$@"
    exec {input}<&-
}

put() {
    printf '%s\n' "$@" >>feed
}

no_more() {
    kill "$feeder"
}

# resync SEQ [MEMBERS]; batch SEQ TABLE [MEMBERS [MEMBERS-OF-EVENT]]: lines of the session "one".
resync() {
    put '{"type":"resync","reason":"connected","lsn":"0/1","session":"'"${session:-one}"'","seq":'"$1${2:-}}"
}

batch() {
    put '{"type":"batch","lsn":"0/2","session":"'"${session:-one}"'","seq":'"$1${3:-}"',"events":[{"payload":"public.'"$2"'","schema":"public","table":"'"$2"'","first_seen":1.5,"count":1'"${4:-}}]}"
}

numbers() {
    jq -cs 'map(.seq)' "$out"
}

@test "items have a session and a number, and resyncs what is watched" {
    listen --sequence --tables orders,items --exclude 'x*.y'
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
    saw 'map(.seq) == [1, 2] and (map(.session) | unique | length) == 1'
    saw '.[0] | .tables == ["*.orders", "*.items"] and .exclude == ["x*.y"] and .partitions == "root"'
    saw '.[1] | has("tables") | not'
    stop
    listen --sequence --partitions leaf
    saw '.[0] | .tables == [] and .partitions == "leaf" and .seq == 1'
}

@test "without --sequence nothing of it is printed" {
    listen
    saw '.[0] | keys == ["lsn", "reason", "type"]'
}

@test "a heartbeat comes after a time without another item, and isn't counted" {
    listen --heartbeat 300ms --tables orders --count 2
    saw '.[0].interval == 0.3'
    wait_for saw 'map(select(.type == "heartbeat")) | length >= 3'
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
    saw 'map(.seq) == [range(1; length + 1)]'
    # shellcheck disable=SC2016 # jq's variable
    saw '(map(select(.type == "heartbeat"))[0]) as $h | $h.interval == 0.3 and $h.lsn == .[0].lsn'
    lsn=$(jq -r 'select(.type == "batch").lsn' "$out")
    wait_for saw "last.type == \"heartbeat\" and last.lsn == \"$lsn\""
    sql 'INSERT INTO orders (n) VALUES (2)'
    ends_with 0
}

@test "there is no heartbeat while the stream is down" {
    proxy
    listen --heartbeat 200ms --backoff 50ms,100ms -h 127.0.0.1 -p "$proxy_port"
    wait_for saw 'any(.type == "heartbeat")'
    kill -STOP "$proxy"
    frozen+=("$proxy")
    sql 'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots'
    kill "$proxy"
    kill -CONT "$proxy"
    wait_for said 'reconnecting|closed the connection|refused'
    before=$(lines)
    wait_for said '5 attempts in a row failed'
    (($(lines) <= before + 1))
}

@test "each attempt of --exec has a new number" {
    : >items
    # shellcheck disable=SC2016
    to=/dev/null launch --sequence --exec 'cat >>items; [ "$(wc -l <items)" != 2 ]'
    out=$BATS_TEST_TMPDIR/items
    wait_for saw 'length == 1'
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'length == 3'
    [[ $(numbers) == '[1,2,3]' ]]
    saw 'count("public.orders") == 2'
}

@test "a heartbeat is given to --exec" {
    # shellcheck disable=SC2016
    to=/dev/null launch --heartbeat 200ms --exec 'echo "$PGNUDGE_TYPE" >>types; cat >>items'
    wait_for grep -qx heartbeat types
    [[ $(sed -n 1p types) == resync ]]
}

@test "names have no number" {
    run -2 pgnudge --sequence --format names
    run -2 pgnudge --heartbeat 1s --format names
    [[ $output == *'need --format json'* ]]
}

@test "too many tables for a numbered resync are refused" {
    tables=$(for i in {1..500}; do printf 'public.table_%s,' "$i"; done)
    run -2 pgnudge --sequence --tables "${tables%,}"
    [[ $output == *'longer than a numbered item can say'* ]]
}

@test "lines become items again, debounced, and what is no line of JSON is skipped" {
    read_from
    put hello '' '[1]'
    resync 1
    wait_for saw 'reasons == ["connected"]'
    batch 2 orders
    batch 3 orders
    wait_for saw 'count("public.orders") == 2'
    saw '.[0].lsn == "0/1" and last.lsn == "0/2" and last.events[0].first_seen == 1.5'
    saw 'all(has("seq") | not)'
    no_more
    ends_with 1
    said 'standard input has ended'
}

@test "the first line, whatever it is, is the connected one" {
    read_from
    batch 17 orders
    wait_for saw 'length == 1'
    batch 18 orders
    wait_for saw 'length == 2'
    saw 'reasons == ["connected"] and count("public.orders") == 1'
}

@test "a gap, another session and what can't be read are a resync" {
    read_from --debounce 1ms
    resync 1
    wait_for saw 'length == 1'
    batch 3 orders
    wait_for saw 'reasons == ["connected", "missed"]'
    session=two batch 4 orders
    wait_for saw '(reasons | length) == 3'
    session=two put '{"type":"batch","seq":5' # cut
    wait_for saw '(reasons | length) == 4'
    said 'is no item of pgnudge'
    session=two batch 5 orders
    wait_for saw 'count("public.orders") == 1'
    saw 'reasons == ["connected", "missed", "missed", "missed"]'
}

@test "a repetition is dropped" {
    read_from --debounce 1ms
    resync 1
    wait_for saw 'length == 1'
    batch 2 orders
    batch 2 orders
    resync 1
    batch 3 items
    wait_for saw 'count("public.items") == 1'
    saw 'reasons == ["connected"] and count("public.orders") == 1'
}

@test "parts of an item stay together, and a lost one is a resync" {
    read_from --debounce 1ms
    resync 1
    wait_for saw 'length == 1'
    batch 2 orders ',"part":1,"parts":2'
    batch 2 items ',"part":2,"parts":2'
    wait_for saw 'length == 2'
    saw 'last.events | map(.table) == ["orders", "items"]'
    batch 3 orders ',"part":1,"parts":3'
    batch 3 items ',"part":3,"parts":3'
    wait_for saw 'reasons == ["connected", "missed"]'
    batch 4 customers ',"part":2,"parts":2'
    wait_for saw '(reasons | length) == 3'
    batch 5 orders
    wait_for saw 'count("public.orders") == 2'
}

@test "an item without a number ends it" {
    read_from
    put '{"type":"batch","lsn":"0/1","events":[]}'
    ends_with 1
    said 'no session and no number'
    said 'hint: Start the pgnudge that prints it with --sequence'
}

@test "an event that can't be read is a resync" {
    read_from --debounce 1ms
    resync 1
    wait_for saw 'length == 1'
    for event in '{}' '7' '{"schema":"public","table":"orders","count":-1}' \
        '{"schema":"public","table":"orders","count":1,"ancestors":[["a"]]}' \
        '{"schema":"public","table":"orders","count":1,"ancestors":[["a","b",[7]]]}'; do
        before=$(lines)
        put '{"type":"batch","lsn":"0/2","session":"one","seq":'"$((before + 1))"',"events":['"$event"']}'
        wait_for runs_past "$before"
    done
    saw 'reasons == ["connected", "missed", "missed", "missed", "missed", "missed"]'
}

runs_past() {
    (($(lines) > $1))
}

@test "a line that is too long is a resync" {
    read_from --debounce 1ms
    resync 1
    wait_for saw 'length == 1'
    head -c 3000000 /dev/zero | tr '\0' '{' >>feed
    wait_for saw 'reasons == ["connected", "missed"]'
    put ''
    batch 2 orders
    wait_for saw 'count("public.orders") == 1'
}

@test "three heartbeats' silence is a warning, once" {
    read_from
    resync 1 ',"interval":0.2'
    wait_for said 'nothing has come from the publisher for 0\.6'
    batch 2 orders
    wait_for said 'the publisher is back'
    saw 'reasons == ["connected"]'
    (($(sed '/is back/q' "$err" | grep -c 'nothing has come') == 1))
}

@test "a reader's own heartbeats end with its publisher's" {
    read_from --heartbeat 100ms
    reader=$out
    resync 1 ',"interval":0.2'
    wait_for said 'nothing has come from the publisher'
    before=$(lines)
    saw 'any(.type == "heartbeat")'
    launch --heartbeat 100ms
    wait_for saw 'map(select(.type == "heartbeat")) | length >= 5'
    (($(wc -l <"$reader") <= before + 1))
}

@test "--tables and --partitions choose among leaves by what stands above them" {
    read_from --debounce 1ms --tables public.all --exclude public.old
    resync 1 ',"partitions":"leaf","tables":[],"exclude":[]'
    wait_for saw 'length == 1'
    batch 2 leaf '' ',"ancestors":[["public","middle"],["public","all"],["public","most"]]'
    batch 3 leaf2 '' ',"ancestors":[["public","old",[2]],["public","all"]]'
    batch 4 other
    batch 5 all
    wait_for saw 'count("public.all") == 2'
    saw '[changes[].table] | unique == ["all"]'
    saw 'reasons == ["connected"]'
}

@test "tables that the publisher doesn't watch end it with status 3" {
    # refuses MEMBERS REGEX [OPTION]...
    refuses() {
        read_from "${@:3}"
        resync 1 "$1"
        ends_with 3
        said "$2"
    }
    all=',"partitions":"leaf","tables":[],"exclude":[]'
    refuses ',"partitions":"leaf","tables":["public.a*"],"exclude":[]' "doesn't watch public.b" --tables 'public.ab,public.b'
    refuses ',"partitions":"leaf","tables":["public.a"],"exclude":[]' "doesn't watch all" --quiet
    refuses ',"partitions":"leaf","tables":[],"exclude":["*.x"]' 'excludes \*\.x' --tables public.y
    refuses "${all/leaf/root}" 'reports partitioned tables' --tables public.y
    read_from --tables public.ab,a1 --exclude '*.x'
    resync 1 ',"partitions":"leaf","tables":["public.a*","*.a*"],"exclude":["x.x"]'
    wait_for saw 'reasons == ["connected"]'
}

@test "keys and operations pass" {
    read_from --debounce 1ms --keys=2 --operations
    resync 1
    wait_for saw 'length == 1'
    counts=',"inserts":1,"updates":0,"deletes":0,"truncates":0'
    batch 2 orders '' "$counts"',"key":["id"],"keys":[["1"],["a\"b"]]'
    wait_for saw 'last.events[0] | .key == ["id"] and .keys == [["1"], ["a\"b"]] and .inserts == 1'
    batch 3 orders '' "$counts"',"key":["id"],"keys":[["1"],["2"],["3"]]'
    wait_for saw 'length == 3'
    saw 'last.events[0] | has("keys") | not'
    batch 4 orders '' "$counts"',"key":["id"],"keys":[["1"],[2]]'
    wait_for saw 'length == 4'
    saw 'last.events[0] | has("keys") | not'
    batch 5 items
    wait_for said "doesn't count operations"
}

@test "what makes no sense with --from-stdin is refused" {
    for option in --plugin=auto --publication=p --slot-timeout=1s --allow-missing --visible-on=host=x \
        --no-visibility-check; do
        run -2 pgnudge --from-stdin "$option"
        [[ $output == *"--from-stdin and ${option%%=*} exclude each other"* ]]
    done
    run -2 pgnudge --from-stdin -h x
    run -2 pgnudge --from-stdin dbname=x
    [[ $output == *'connects to no server'* ]]
}

@test "a publisher that is killed, and lines that get lost, end in a resync each" {
    read_from --debounce 1ms
    reader=$out
    for round in 1 2 3; do
        to=lines launch --sequence --heartbeat 100ms --debounce 1ms
        out=lines
        wait_for saw 'length > 0'
        tail -n +1 -s 0.05 -f lines 3>&- | sed -u '0~4d' >>feed 3>&- &
        pids+=("$!")
        for i in {1..10}; do sql "INSERT INTO orders (n) VALUES ($round$i)"; done
        wait_for saw 'count("public.orders") == 10 and length > 13'
        kill -KILL "$pid"
        out=$reader
        wait_for saw "(reasons | length) >= 3 * $round"
        rm lines
    done
    saw 'reasons[0] == "connected" and (reasons[1:] | all(. == "missed"))'
}
