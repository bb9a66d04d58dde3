#!/usr/bin/env bats
#
# Under load the counts add up to exactly the rows committed, and none is told before it can be seen.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# Four writers at once. Each makes ROUNDS transactions of each kind, with 1 to 20 rows: plain ones,
# and ones with savepoints, of which some are rolled back as a whole.
load() {
    local jobs=()
    for _ in 1 2; do
        sql "DO \$\$
            BEGIN
                FOR i IN 1..$1 LOOP
                    INSERT INTO orders (n) SELECT * FROM generate_series(0, i % 20);
                    IF i % 5 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
                END LOOP;
            END \$\$" 3>&- &
        jobs+=("$!")
        sql "DO \$\$
            BEGIN
                FOR i IN 1..$1 LOOP
                    INSERT INTO items (n) VALUES (i);
                    BEGIN
                        INSERT INTO customers (n) SELECT * FROM generate_series(0, i % 3);
                        IF i % 4 = 0 THEN RAISE division_by_zero; END IF;
                    EXCEPTION WHEN division_by_zero THEN
                        INSERT INTO orders (n) VALUES (i);
                    END;
                    IF i % 7 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
                END LOOP;
            END \$\$" 3>&- &
        jobs+=("$!")
    done
    pids+=("${jobs[@]}")
    sql 'INSERT INTO orders (n) SELECT * FROM generate_series(1, 50000)' # in the midst of it all
    wait "${jobs[@]}"
    sql "BEGIN; INSERT INTO customers (n) VALUES (1); PREPARE TRANSACTION 'last'" \
        "COMMIT PREPARED 'last'"
}

looked_at_each_line() {
    sql 'TRUNCATE orders, items, customers'
    follow --plugin "$plugin" "$@"
    wait_for saw 'length > 0'
    load 12000
    wait_for exact
    none_too_early
    mark
    exact
    saw 'reasons == ["connected"]'
    stop
}

@test "the counts are exact, and a look at the server after each line sees what they say" {
    each_plugin looked_at_each_line --debounce 1ms
    (($(lines) > 20))
}

@test "… with a filter" {
    each_plugin looked_at_each_line --debounce 0 --tables 'orders,items,public.customers,marker'
}

# One that takes its time for each line.
slow_reader() {
    local line
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$out"
        sleep 0.3
    done
}

read_slowly() {
    local fifo=slow.${#pids[@]}
    sql 'TRUNCATE orders, items, customers'
    mkfifo "$fifo"
    to=$fifo launch --plugin "$plugin" --debounce 1ms
    slow_reader <"$fifo" 3>&- &
    wait_for saw 'length > 0'
    load 12000
    wait_for exact
    mark
    exact
    saw 'reasons == ["connected"]'
    stop
}

@test "the counts are exact through a slow reader" {
    each_plugin read_slowly
}

@test "the counts are exact after the reader was stopped, with all of it in one batch or two" {
    local reader
    mkfifo fifo
    cat fifo >caught 3>&- &
    reader=$!
    to=fifo launch --debounce 1ms
    out=$BATS_TEST_TMPDIR/caught
    wait_for saw 'length > 0'
    kill -STOP "$reader"
    frozen+=("$reader")
    load 3000
    all_read
    kill -CONT "$reader"
    wait_for exact
    mark
    exact
    saw 'reasons == ["connected"]'
}
