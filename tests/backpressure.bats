#!/usr/bin/env bats
#
# Slow readers, readers that go away, and everything that stdout may be.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# 100 000 rows in 1000 transactions over three tables.
flood() {
    sql 'DO $$ BEGIN FOR i IN 1..1000 LOOP
             INSERT INTO orders (n) SELECT * FROM generate_series(1, 50);
             INSERT INTO items (n) SELECT * FROM generate_series(1, 30);
             INSERT INTO customers (n) SELECT * FROM generate_series(1, 20);
             COMMIT;
         END LOOP; END $$'
}

# What pgnudge leaves of a pipe: a page, where the system has a way to say so.
pipe_bytes=4096
[[ $PGNUDGE != */portable/* ]] || pipe_bytes=65536

nothing_lost() {
    wait_for saw 'shop == [50000, 30000, 20000]'
    saw 'reasons == ["connected"]'
}

# --- a pipe ---

stopped_pipe() {
    local walsender waiting
    mkfifo "fifo.$plugin"
    exec 5<>"fifo.$plugin"
    to=fifo.$plugin launch --plugin "$plugin" --debounce 0
    head -n 1 <&5 >first
    walsender=$(walsender)
    flood
    all_read
    # One read gives all that stands in the pipe.
    dd bs=1M count=1 <&5 >"$out" 2>/dev/null
    waiting=$(wc -c <"$out")
    echo "$waiting bytes waited"
    ((waiting <= pipe_bytes))
    cat <&5 >>"$out" 3>&- &
    pids+=($!)
    cat first >>"$out"
    wait_for saw 'shop == [50000, 30000, 20000]'
    saw 'reasons == ["connected"]'
    [[ $(walsender) == "$walsender" ]]
    stop
    exec 5<&-
}

@test "a pipe whose reader stops: 100 000 rows lose no count and no connection" {
    each_plugin stopped_pipe
}

@test "a busy reader finds merged batches, not hundreds of old ones" {
    mkfifo fifo
    exec 5<>fifo
    to=fifo launch --debounce 0
    head -n 1 <&5 >"$out"
    flood
    all_read
    cat <&5 >>"$out" 3>&- &
    pids+=($!)
    nothing_lost
    (($(wc -l <"$out") < pipe_bytes / 64))
    stop
    exec 5<&-
}

@test "a reader that stops and goes away ends it" {
    local reader
    mkfifo fifo
    tail -f /dev/null <fifo 3>&- &
    reader=$!
    to=fifo launch --debounce 0
    wait_for streaming
    flood
    all_read
    kill "$reader"
    ends_with 0
    wait_for no_slot
}

@test "SIGTERM ends it although its reader has stopped" {
    mkfifo fifo
    exec 5<>fifo
    to=fifo launch --debounce 0
    wait_for streaming
    flood
    all_read
    stop
    exec 5<&-
}

@test "head -n 1 ends it at once on a quiet database" {
    run bash -o pipefail -c 'timeout -s KILL 60 "$0" | head -n 1' "$PGNUDGE"
    [[ $status == 0 && ${#lines[@]} == 1 ]]
    jq -e '.reason == "connected"' <<<"$output"
    wait_for no_slot
}

@test "the pipe's own flags are left alone" {
    local before
    mkfifo fifo
    exec 5<>fifo
    before=$(grep flags "/proc/$BASHPID/fdinfo/5")
    env --default-signal setpriv --pdeathsig KILL "$PGNUDGE" >&5 2>pipe.err 3>&- &
    pids+=($!)
    head -n 1 <&5
    echo "before: $before"
    [[ $(grep flags "/proc/$BASHPID/fdinfo/5") == "$before" ]]
    exec 5<&-
}

# --- a terminal ---

# terminal [OPTION]...: pgnudge on a terminal of its own; what is written to descriptor 6 is typed.
terminal() {
    err=$BATS_TEST_TMPDIR/terminal.err out=$BATS_TEST_TMPDIR/terminal.out
    mkfifo keyboard
    exec 6<>keyboard
    : >"$out"
    SHELL=/bin/sh env --default-signal script -qefc \
        "exec setpriv --pdeathsig KILL '$PGNUDGE' $* 2>'$err'" /dev/null <&6 >"$out" 3>&- 6>&- &
    pid=$!
    pids+=("$pid")
    wait_for saw 'length > 0'
}

@test "a terminal" {
    terminal
    mark
    printf '\003' >&6
    ends_with 130
    wait_for no_slot
}

@test "a terminal that Ctrl-S has stopped: nothing is lost, and the connection stays" {
    local before walsender
    terminal --debounce 0
    walsender=$(walsender)
    printf '\023' >&6
    flood
    all_read
    before=$(wc -l <"$out")
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read
    [[ $(wc -l <"$out") == "$before" ]]
    printf '\021' >&6
    wait_for saw 'shop == [50001, 30000, 20000]'
    saw 'reasons == ["connected"]'
    [[ $(walsender) == "$walsender" ]]
    printf '\003' >&6
    ends_with 130
}

@test "a stopped terminal doesn't stop SIGTERM" {
    terminal --debounce 0
    printf '\023' >&6
    flood
    all_read
    kill "$(pgrep -P "$pid")"
    ends_with 0
    wait_for no_slot
}

# --- a socket ---

# socket [OPTION]...: pgnudge writes to a socket. The other end is copied to $out, after the first item once
# the file "go" is there, and closed once "leave" is.
socket() {
    err=$BATS_TEST_TMPDIR/socket.err out=$BATS_TEST_TMPDIR/socket.out
    : >"$out"
    # shellcheck disable=SC2016 # Perl's variables
    env --default-signal perl -MSocket -e '
        socketpair(my $ours, my $its, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
        my $pid = fork() // die;
        if (!$pid) { open(STDOUT, ">&", $its); close($ours); close($its); exec(@ARGV) or die }
        close($its);
        sysread($ours, my $first, 65536);
        syswrite(STDOUT, $first);
        select(undef, undef, undef, 0.03) until -e "go";
        while (sysread($ours, my $data, 65536)) { syswrite(STDOUT, $data); last if -e "leave" }
        close($ours);
        waitpid($pid, 0);
        exit($? >> 8)' setpriv --pdeathsig KILL "$PGNUDGE" "$@" >"$out" 2>"$err" 3>&- &
    pid=$!
    pids+=("$pid")
    wait_for saw 'length == 1'
}

@test "a socket whose reader stops: 100 000 rows lose no count and no connection" {
    local walsender
    socket --debounce 0
    walsender=$(walsender)
    flood
    all_read
    (($(lines) == 1))
    touch go
    nothing_lost
    [[ $(walsender) == "$walsender" ]]
    touch leave
    mark
    ends_with 0
    wait_for no_slot
}

# --- files, and what can't be written ---

@test "a file" {
    listen
    flood
    nothing_lost
    stop
}

@test "a file is appended to where the shell says so" {
    echo '{"type":"mine"}' >shared
    pgnudge --count 1 --failsafe 10ms >>shared
    [[ $(jq -r .type shared) == $'mine\nresync\nresync' ]]
}

@test "a full disk ends it with status 1" {
    to=/dev/full launch
    ends_with 1
    said '^pgnudge: error:.*no space left'
    wait_for no_slot
}

@test "a closed stdout is status 1, before anything is connected to" {
    PGPORT=1 run bash -c 'exec timeout -s KILL 60 "$0" --no-reconnect >&-' "$PGNUDGE"
    echo "status $status: $output"
    [[ $status == 1 && $output == 'pgnudge: error: '* && $output != *refused* ]]
}

@test "a stdout open for reading only is status 1" {
    run bash -c 'exec timeout -s KILL 60 "$0" 1</dev/null' "$PGNUDGE"
    echo "status $status: $output"
    [[ $status == 1 && $output == *'pgnudge: error: '* ]]
}

@test "stdin and stderr may be closed: no socket takes their place" {
    setpriv --pdeathsig KILL "$PGNUDGE" >closed.out <&- 2>&- 3>&- &
    pid=$! out=closed.out
    pids+=("$pid")
    wait_for saw 'length == 1'
    for fd in 0 2; do
        [[ $(readlink "/proc/$pid/fd/$fd") == /dev/null ]]
    done
    sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
    wait_for saw 'reasons == ["connected", "reconnected"]'
    mark
}

@test "memory stays where it is, whatever comes" {
    local before after
    PGNUDGE=${PGNUDGE_PLAIN:-$PGNUDGE}
    [[ $PGNUDGE != */asan/* ]] || skip 'sanitizers hold on to memory'
    listen
    flood
    nothing_lost
    before=$(awk '/VmHWM/ {print $2}' "/proc/$pid/status")
    sql 'INSERT INTO orders (n) SELECT * FROM generate_series(1, 300000)' \
        "CREATE TABLE fat AS SELECT repeat(md5(random()::text), 1000000) AS x"
    mark
    after=$(awk '/VmHWM/ {print $2}' "/proc/$pid/status")
    echo "$before kB, then $after kB"
    ((after - before < 1024))
}
