#!/usr/bin/env bats
#
# Nothing blocks the loop: not a resolver that never answers, not a server that asks for ten million
# iterations, not a stderr that nobody reads. Signals are answered at once, and so is the stream.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

setup_file() {
    start_server
    cc -shared -fPIC -o "$BATS_FILE_TMPDIR/stuck.so" "$repo/tests/tools/stuck_resolver.c"
}

setup() {
    common_setup
    # A sanitizer doesn't like to be preloaded in front of.
    PGNUDGE=$(realpath "${PGNUDGE_PLAIN:-$repo/build/pgnudge}")
}

# stuck COMMAND...: with a resolver that never answers for names that begin with "stuck".
stuck() {
    LD_PRELOAD=$BATS_FILE_TMPDIR/stuck.so "$@"
}

# children: of pgnudge, by their PIDs.
children() {
    pgrep -P "$pid"
}

# within MS COMMAND...: it takes no longer.
within() {
    local began=$EPOCHREALTIME
    "${@:2}"
    (((${EPOCHREALTIME/./} - ${began/./}) / 1000 < $1))
}

# --- names ---

@test "a name that is never resolved: signals end it at once" {
    local signal
    for signal in TERM INT HUP; do
        PGHOST=stuck stuck launch --connect-timeout 0
        wait_for children
        within 2000 stop "$signal" "$([[ $signal == TERM ]] && echo 0 || echo $((128 + $(kill -l $signal))))"
    done
}

@test "… the connect timeout ends the attempt, and leads to the next host" {
    PGHOST=stuck,127.0.0.1 PGPORT=$PGPORT,$PGPORT stuck launch --connect-timeout 300ms
    wait_for saw 'reasons == ["connected"]'
    [[ -z $(children) ]]
    mark
    stop
    PGHOST=stuck stuck launch --connect-timeout 300ms --no-reconnect
    ends_with 1
    said 'error: could not translate host name "stuck" to address: timeout expired'
}

@test "… nothing of it outlives a kill -9, neither a slot nor stdout's pipe" {
    local lookup
    mkfifo pipe
    # Its reader ends when nobody has the pipe open any more.
    cat pipe >copy 3>&- &
    pids+=("$!")
    reader=$!
    to=pipe stuck launch --visible-on 'host=stuck' --connect-timeout 0
    wait_for streaming
    wait_for children
    lookup=$(children)
    kill -KILL "$pid"
    wait_for ended "$reader"
    wait_for no_slot
    wait_for ended "$lookup"
}

@test "a replica's name that is never resolved: the stream is read and answered" {
    local end
    stuck launch --visible-on 'host=stuck' --connect-timeout 0 --status-interval 100ms
    wait_for streaming
    sql 'INSERT INTO orders (n) VALUES (1)'
    all_read
    end=$(sql 'SELECT pg_current_wal_flush_lsn()')
    wait_for is_true "confirmed_flush_lsn >= '$end' FROM pg_replication_slots WHERE temporary"
    within 2000 stop
}

@test "the doctor's lookup that never ends: SIGTERM ends it at once" {
    PGHOST=stuck stuck launch doctor --connect-timeout 0
    wait_for children
    kill -TERM "$pid"
    within 2000 ends_with 143
}

# --- SCRAM ---

@test "ten million iterations: signals end it at once, and so does the connect timeout" {
    local signal
    # shellcheck disable=SC2016 # perl's
    perl -MIO::Socket::INET -e '
        my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 5) or die;
        print $l->sockport, "\n"; STDOUT->flush;
        while (my $c = $l->accept) {
            next if fork;
            my $in; sysread $c, $in, 4096;                    # SSLRequest, or the startup packet
            if (length $in == 8) { syswrite $c, "N"; sysread $c, $in, 4096 }
            syswrite $c, pack("a N N a*", "R", 8 + 15, 10, "SCRAM-SHA-256\0\0");
            sysread $c, $in, 4096;
            my ($nonce) = $in =~ /r=(.*)/s;
            my $text = "r=${nonce}XYZ,s=c2FsdHNhbHQ=,i=10000000";
            syswrite $c, pack("a N N a*", "R", 8 + length $text, 11, $text);
            sysread $c, $in, 1; exit;
        }' >fake.port 3>&- &
    pids+=("$!")
    wait_for test -s fake.port
    for signal in TERM INT; do
        PGPASSWORD=secret PGPORT=$(<fake.port) launch --connect-timeout 0 -vv
        wait_for is_busy
        within 1000 stop "$signal" "$([[ $signal == TERM ]] && echo 0 || echo 130)"
    done
    PGPASSWORD=secret PGPORT=$(<fake.port) launch --connect-timeout 500ms --no-reconnect
    ends_with 1
    said 'timeout expired'
}

# It has used CPU for the iterations.
is_busy() {
    (($(awk '{print $14}' "/proc/$pid/stat") > 20))
}

# --- stderr ---

@test "a terminal as stderr that is stopped holds nothing up" {
    # Ctrl-S at once: all that is written to it waits.
    mkfifo keys
    script -qfc "exec \"$PGNUDGE\" -vv >\"$BATS_TEST_TMPDIR/lines\"" \
        /dev/null <keys >/dev/null 2>&1 3>&- &
    pids+=("$!")
    out=$BATS_TEST_TMPDIR/lines
    exec {typed}>keys
    wait_for test -f "$out"
    printf '\023' >&"$typed"
    wait_for saw 'length > 0'
    sql "DO \$\$ BEGIN FOR i IN 1..3000 LOOP INSERT INTO orders (n) VALUES (i); COMMIT; END LOOP; END \$\$"
    wait_for saw 'count("public.orders") == 3000'
    pkill -TERM -f "$PGNUDGE -vv"
    exec {typed}>&-
}

@test "a pipe as stderr that nobody reads holds nothing up" {
    mkfifo full
    exec {kept}<>full
    out=$BATS_TEST_TMPDIR/lines
    : >"$out"
    setpriv --pdeathsig KILL "$PGNUDGE" -vv >"$out" 2>full 3>&- &
    pid=$!
    pids+=("$pid")
    wait_for saw 'length > 0'
    sql "DO \$\$ BEGIN FOR i IN 1..3000 LOOP INSERT INTO orders (n) VALUES (i); COMMIT; END LOOP; END \$\$"
    wait_for saw 'count("public.orders") == 3000'
    within 2000 stop
    exec {kept}<&-
}
