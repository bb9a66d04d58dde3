#!/usr/bin/env bats
#
# --exec: a command for each item. What it takes goes to the file "items", which is $out here.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# watch COMMAND [OPTION]...: pgnudge in the background, which runs it.
watch() {
    : >items
    to=/dev/null launch --exec "$1" "${@:2}"
    out=$BATS_TEST_TMPDIR/items
}

# none_has GREP-ARGUMENT...: no line of the file matches.
none_has() {
    (($(grep -c "$@") == 0))
}

runs() {
    (($(lines) == $1))
}

# A command that takes its item, begins, and ends once there is the file "go".
# shellcheck disable=SC2016 # the command's own
slow='cat >>items; echo >>begun; until [ -e go ]; do sleep 0.02; done; echo >>done'

@test "each item is on the command's standard input, and in its environment" {
    watch 'env | grep "^PGNUDGE_[A-Z]*=" | sort >>env; echo >>env; cat >>items'
    wait_for saw 'reasons == ["connected"]'
    sql 'INSERT INTO orders (n) VALUES (1), (2)'
    wait_for saw 'count("public.orders") == 2'
    stop
    lsn=$(jq -r 'select(.type == "batch").lsn' "$out")
    sed -n 2p env | grep -x 'PGNUDGE_REASON=connected'
    sed -n 3p env | grep -x 'PGNUDGE_TYPE=resync'
    [[ $(sed -n '5,$p' env) == "PGNUDGE_LSN=$lsn
PGNUDGE_TABLES=public.orders
PGNUDGE_TYPE=batch" ]]
}

@test "PGNUDGE_TABLES has a line for each, and is left out where lines can't tell" {
    sql 'CREATE TABLE "new
line" (n int)' "DO \$\$ BEGIN FOR i IN 1..700 LOOP
        EXECUTE format('CREATE TABLE %I (n int)', repeat('x', 50) || lpad(i::text, 8, '0'));
    END LOOP; END \$\$"
    # shellcheck disable=SC2016
    watch 'printf "<%s>\n" "${PGNUDGE_TABLES-none}" >>tables; cat >>items' --debounce 200ms
    wait_for saw 'length == 1'
    sql 'BEGIN; INSERT INTO orders (n) VALUES (1); INSERT INTO items (n) VALUES (1); COMMIT'
    wait_for saw 'length == 2'
    sql 'INSERT INTO "new
line" VALUES (1)'
    wait_for saw 'length == 3'
    sql "DO \$\$ BEGIN FOR i IN 1..1000 LOOP
        EXECUTE format('INSERT INTO %I VALUES (1)', repeat('x', 50) || lpad((i % 700 + 1)::text, 8, '0'));
    END LOOP; END \$\$"
    wait_for saw 'length == 4'
    saw '.[3].events | length == 700'
    stop
    [[ $(<tables) == $'<none>\n<public.orders\npublic.items>\n<none>\n<public.'*'>' ]]
}

@test "formats are for the command, too" {
    watch 'xargs -0 -n1 >>items' -f names -0
    wait_for runs 1
    sql 'BEGIN; INSERT INTO orders (n) VALUES (1); INSERT INTO items (n) VALUES (1); COMMIT'
    wait_for runs 3
    stop
    [[ $(<"$out") == $'*\npublic.orders\npublic.items' ]]
}

@test "one at a time, and what comes meanwhile is in the next" {
    watch "$slow" --debounce 0
    wait_for test -e begun
    for _ in 1 2 3 4 5 6 7 8; do sql 'INSERT INTO orders (n) VALUES (1)' 'INSERT INTO items (n) VALUES (1)'; done
    all_read
    runs 1
    touch go
    wait_for saw 'count("public.orders") == 8 and count("public.items") == 8'
    saw 'length == 2 or length == 3' # the resync may have been followed by the first of them
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 9'
    stop
}

@test "never two at once, under load" {
    watch 'mkdir alone || exit 9; cat >>items; rmdir alone' --debounce 0
    wait_for saw 'length == 1'
    write 'INSERT INTO orders (n) VALUES (1);'
    wait_for saw 'length > 100'
    no_writers
    wait_for exact
    none_has warning "$err"
    stop
}

@test "one that fails is told again, merged with what has come since" {
    watch 'echo >>begun; [ -e go ] || exit 3; cat >>items'
    wait_for said 'warning: --exec: the command failed with status 3; running it again in 1 s'
    wait_for said 'again in 2 s'
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read
    touch go
    wait_for saw 'length > 0'
    saw 'length == 1 and reasons == ["connected"]'
    rm go
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for said 'again in 1 s.*' # anew from the start
    sql 'INSERT INTO items (n) VALUES (1)' 'INSERT INTO orders (n) VALUES (1)'
    all_read
    touch go
    wait_for saw 'count("public.orders") == 2 and count("public.items") == 1'
    saw 'length == 2'
    stop
}

@test "… also when the connection is lost meanwhile" {
    watch '[ -e go ] || exit 3; cat >>items' --backoff 10ms,50ms
    wait_for said 'status 3'
    sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
    wait_for said 'connection'
    wait_for streaming
    touch go
    wait_for saw 'length > 0'
    saw 'reasons == ["connected"]' # none had been taken before
    totals '{}'
    rm go
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for no_run_succeeds
    sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
    wait_for streaming
    touch go
    wait_for saw 'reasons == ["connected", "reconnected"] or count("public.orders") == 1'
    wait_for saw 'reasons == ["connected", "reconnected"]'
    stop
}

# It has failed once more since "go" went.
no_run_succeeds() {
    (($(grep -c 'status 3' "$err") > 1))
}

views_are_right() {
    local table
    for table in orders items customers; do
        [[ $(cat "view.public.$table") == "$(sql "SELECT count(*) FROM $table")" ]]
    done
}

@test "who refetches as told, by a command that fails now and then, ends with what is there" {
    local round psql="$SERVER_BIN/psql -XAtq -h $SERVER -p $PGPORT -U postgres -d $PGDATABASE"
    # shellcheck disable=SC2016
    watch 'for table in ${PGNUDGE_TABLES-public.orders public.items public.customers}; do
               echo >>steps; [ $(($(wc -l <steps) % 4)) -ne 0 ] || exit 1
               '"$psql"' -c "SELECT count(*) FROM $table" >view.$table
           done' --debounce 0 --backoff 10ms,50ms
    wait_for views_are_right
    for round in 1 2 3 4; do
        write 'INSERT INTO orders (n) VALUES (1);'
        write "BEGIN; INSERT INTO items (n) VALUES (1); INSERT INTO customers (n) VALUES (1); COMMIT;"
        wait_for is_true "count(*) > $round * 200 FROM items"
        sql "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
             WHERE database = current_database()" >/dev/null
        sql 'DELETE FROM customers WHERE id % 3 = 0'
        no_writers
    done
    said 'running it again'
    wait_for views_are_right
    stop
}

@test "one that a signal ends is a failure, and says which" {
    watch 'kill -9 $$'
    wait_for said 'the command was ended by signal 9: Killed'
    stop
}

@test "--exec-fail warn forgets it" {
    watch 'cat >>items; exit 4' --exec-fail warn
    wait_for saw 'length == 1'
    wait_for said 'warning: --exec: the command failed with status 4$'
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for saw 'count("public.orders") == 1'
    totals '{"public.orders": 1}'
    saw 'reasons == ["connected"]'
    stop
}

@test "--exec-fail exit ends pgnudge with status 1, and names the command's" {
    watch 'exit 7' --exec-fail exit
    ends_with 1
    said 'error: --exec: the command failed with status 7$'
}

@test "--count counts runs that succeeded, or all with warn" {
    watch 'cat >>items; [ -e go ]' -n 1 --exec-fail warn
    wait_for saw 'length == 1'
    sql 'INSERT INTO orders (n) VALUES (1)'
    ends_with 0
    # shellcheck disable=SC2016
    watch '[ "$PGNUDGE_TYPE" = resync ] || [ -e go ] || { echo >>failed; exit 1; }; cat >>items' -n 1
    wait_for saw 'length == 1'
    sql 'INSERT INTO orders (n) VALUES (1)'
    wait_for test -e failed
    touch go
    ends_with 0
    saw 'count("public.orders") == 1'
}

@test "a command that closes its standard input, or never reads it, hasn't failed" {
    many
    # shellcheck disable=SC2016
    watch 'head -c 20 >>first; echo "{\"type\": \"$PGNUDGE_TYPE\"}" >>items'
    wait_for saw 'length == 1'
    fill
    wait_for saw 'length == 2'
    stop
    # shellcheck disable=SC2016
    watch 'echo "{\"type\": \"$PGNUDGE_TYPE\"}" >>items'
    wait_for saw 'length == 1'
    fill
    wait_for saw 'length == 2'
    none_has warning "$err"
    stop
}

many() {
    sql "DO \$\$ BEGIN FOR i IN 1..2000 LOOP
        EXECUTE format('CREATE TABLE many_%s (n int)', i);
    END LOOP; END \$\$"
}

# One transaction whose item is larger than a pipe.
fill() {
    sql "DO \$\$ BEGIN FOR i IN 1..2000 LOOP
        EXECUTE format('INSERT INTO many_%s VALUES (1)', i);
    END LOOP; END \$\$"
}

@test "an item larger than a pipe is read whole, however slowly" {
    many
    watch 'dd bs=1000 2>/dev/null >>items'
    wait_for saw 'length == 1'
    fill
    wait_for saw '.[1].events | length == 2000'
    stop
}

@test "it has default signals, a group of its own, none of our descriptors, no password" {
    # shellcheck disable=SC2016
    PGPASSWORD=geheim NOTIFY_SOCKET=/nowhere WATCHDOG_USEC=1 WATCHDOG_PID=1 PGNUDGE_TABLES=odd \
        watch 'grep "^Sig[BI]" /proc/self/status >signals; ps -o pgid= $$ >group; echo $$ >>group
               ls -l /proc/self/fd >descriptors; env >env; cat >>items'
    wait_for saw 'length == 1'
    none_has -vE '0000000[01]80000000$|0000000000000000$' signals # 32 and 33 are libc's own
    cat descriptors
    [[ $(head -n 1 group | tr -d ' ') == "$(tail -n 1 group)" ]]
    grep -q pipe descriptors
    none_has socket descriptors
    # What else it has is the test's own; 3 is the folder itself.
    while read -r fd; do
        ((fd == 3)) || [[ -e /proc/$BASHPID/fd/$fd ]]
    done < <(sed -n 's/.* \([0-9]*\) -> .*/\1/p' descriptors)
    none_has -E '^(PGPASSWORD|NOTIFY_SOCKET|WATCHDOG_|PGNUDGE_TABLES)' env
    stop
}

@test "stopping passes SIGTERM on to the whole group, and waits for its end" {
    watch 'trap "sleep 0.3; echo >>ended; exit" TERM; echo >>begun; sleep 1000 & wait'
    wait_for test -e begun
    stop
    [[ -e ended ]]
}

@test "… and SIGKILL, after 5 s, to who doesn't listen" {
    # shellcheck disable=SC2016
    watch 'trap "" TERM; echo $$ >group; echo >>begun; while :; do sleep 0.1; done'
    wait_for test -e begun
    began=$SECONDS
    stop
    ((SECONDS - began >= 4))
    wait_for none_left
}

none_left() {
    ! pgrep -g "$(<group)"
}

@test "… at once where one asks twice" {
    watch 'trap "" TERM; echo >>begun; while :; do sleep 0.1; done'
    wait_for test -e begun
    began=$SECONDS
    kill -TERM "$pid"
    wait_for no_slot # the first has come
    stop INT
    ((SECONDS - began < 4))
}

@test "the stream goes on while a command runs: keepalives are answered, SIGTERM too" {
    configure wal_sender_timeout 1s
    watch "$slow"
    wait_for test -e begun
    write 'INSERT INTO orders (n) VALUES (1);'
    was=$(walsender)
    sleep 2.5 # longer than the server's timeout: the thing itself
    [[ $(walsender) == "$was" ]]
    no_writers
    touch go
    wait_for exact
    stop
    configure wal_sender_timeout 1min
}

@test "what can't be is said before anything is touched" {
    run pgnudge --exec ' '
    [[ $status == 2 && $output == *'--exec needs a command'* ]]
    run pgnudge --exec-fail warn
    [[ $status == 2 && $output == *'--exec-fail needs --exec'* ]]
    run pgnudge --exec true --exec-fail never
    [[ $status == 2 && $output == *'expected retry, warn or exit'* ]]
}
