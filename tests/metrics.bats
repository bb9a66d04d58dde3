#!/usr/bin/env bats
#
# Seen from outside: --metrics and SIGUSR1.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# metric NAME: its value now.
metric() {
    sed -n "s/^pgnudge_$1 //p" metrics.prom
}

# metric_is NAME VALUE
metric_is() {
    [[ $(metric "$1") == "$2" ]]
}

@test "--metrics has what happened, at each status interval, in Prometheus' format" {
    listen --metrics metrics.prom --status-interval 50ms
    wait_for metric_is up 1
    sql 'INSERT INTO orders (n) VALUES (1), (2)'
    wait_for saw 'count("public.orders") == 2'
    totals '{"public.orders": 2}'
    wait_for metric_is changes_total 3
    wait_for metric_is 'items_total{type="batch"}' 2
    metric_is 'items_total{type="resync"}' 1
    metric_is reconnects_total 0
    (($(metric received_bytes_total) > 100))
    (($(metric resident_memory_bytes) > 1000000))
    awk -v at="$(metric last_commit_timestamp_seconds)" -v now="$(date +%s)" \
        'BEGIN { exit !(at > now - 60 && at < now + 60) }'
    is_true "$(metric last_commit_lsn_bytes) <= pg_current_wal_lsn() - '0/0'"
    # A COMMIT of the server's own, like autovacuum's, may have followed.
    is_true "$(metric last_commit_lsn_bytes) >= '$(jq -r .lsn "$out" | tail -n 1)'::pg_lsn - '0/0'"
    metric_is oldest_waiting_seconds 0
    [[ ! -e metrics.prom.tmp && $(stat -c %a metrics.prom) == 644 ]]
    promtool check metrics <metrics.prom
    stop
    metric_is up 0
}

@test "… also while nothing is connected, and over reconnects" {
    proxy
    PGPORT=$proxy_port listen --metrics metrics.prom --status-interval 50ms --backoff 10ms,50ms
    wait_for metric_is up 1
    bytes=$(metric received_bytes_total)
    kill "$proxy"
    wait_for metric_is up 0
    rm metrics.prom
    wait_for test -s metrics.prom # a new one: who looks at its age sees pgnudge alive
    metric_is up 0
    (($(metric received_bytes_total) >= bytes))
    stop
    listen --metrics metrics.prom --status-interval 50ms
    sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
    wait_for metric_is reconnects_total 1
    stop
}

@test "what waits has an age" {
    launch --metrics metrics.prom --status-interval 50ms --exec 'test -e go'
    wait_for waits
    touch go
    wait_for metric_is oldest_waiting_seconds 0
    metric_is 'items_total{type="resync"}' 1
    stop
}

waits() {
    awk -v age="$(metric oldest_waiting_seconds)" 'BEGIN { exit !(age > 0.3 && age < 100) }'
}

@test "a file that can't be written ends it before anything else, or is said once" {
    run pgnudge --metrics /nowhere/metrics.prom
    [[ $status == 1 && $output == *'could not write metrics to "/nowhere/metrics.prom": No such file'* ]]
    run pgnudge --metrics ''
    [[ $status == 2 && $output == *'--metrics needs the name of a file'* ]]
    mkfifo fifo
    run pgnudge --metrics fifo
    [[ $status == 1 && $output == *'could not write metrics to "fifo"'* && -p fifo ]]
    mkdir there
    listen --metrics there/metrics.prom --status-interval 20ms
    mv there gone
    wait_for said 'warning: could not write metrics'
    mv gone there
    rm there/metrics.prom
    wait_for test -s there/metrics.prom
    (($(grep -c metrics "$err") == 1))
    stop
}

@test "SIGUSR1 has them said in one line, whatever is said otherwise" {
    listen -q
    sql 'INSERT INTO orders (n) VALUES (1), (2)'
    wait_for saw 'count("public.orders") == 2'
    totals '{"public.orders": 2}'
    kill -USR1 "$pid"
    wait_for said '^pgnudge: info: connected; 3 items, 2 of them batches; 3 changes, [0-9]+ bytes received; 0 reconnects; last commit [0-9A-F]+/[0-9A-F]+, received [0-9.]+; oldest waiting change 0\.000 s; memory [1-9][0-9]* KiB$'
    (($(wc -l <"$err") == 1))
    stop
    PGPORT=1 launch -q
    wait_for asked_in_vain
    stop
}

# It may not have its signals installed yet; but that kills nobody once it has.
asked_in_vain() {
    grep -q SigCgt /proc/"$pid"/status
    (((0x$(sed -n 's/^SigCgt:\t//p' "/proc/$pid/status") & 512) != 0)) || return 1
    kill -USR1 "$pid"
    said 'not connected; 0 items'
}
