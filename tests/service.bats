#!/usr/bin/env bats
#
# As a service: what a service manager is told, and what the journal gets. The manager is a socket here.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

# manager NAME: listens as NOTIFY_SOCKET does; each datagram is a line of the file "told".
manager() {
    : >told
    # shellcheck disable=SC2016 # Perl's own
    perl -MSocket -e '
        $name = shift; $name =~ s/^@/\0/; $| = 1;
        socket(S, PF_UNIX, SOCK_DGRAM, 0) && bind(S, sockaddr_un($name)) or die;
        print "bound\n";
        while (defined recv(S, $text, 9999, 0)) { print "$text\n" }' "$1" >told 3>&- &
    pids+=("$!")
    wait_for told bound
    export NOTIFY_SOCKET=$1
}

# told LINE
told() {
    grep -qxF -- "$1" told
}

# told_like REGEX
told_like() {
    grep -qE -- "$1" told
}

line_of() {
    grep -nxF -- "$1" told | head -n 1 | cut -d : -f 1
}

@test "a service manager is told of the first item, of the state in words, and of the end" {
    manager "$PWD/notify"
    sql "BEGIN; INSERT INTO orders (n) VALUES (1); PREPARE TRANSACTION 'blocker'"
    launch
    wait_for told 'STATUS=waiting for the replication slot'
    told 'STATUS=connecting'
    if told READY=1; then false; fi
    sql "COMMIT PREPARED 'blocker'"
    wait_for told READY=1
    saw 'reasons == ["connected"]'
    told_like '^STATUS=streaming from .*127\.0\.0\.1'
    sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
    wait_for told_like '^STATUS=not connected: .*terminating'
    wait_for saw 'reasons == ["connected", "reconnected"]'
    mark
    stop
    wait_for told STOPPING=1
    (($(grep -cx READY=1 told) == 1 && $(line_of READY=1) < $(line_of STOPPING=1)))
    if told_like WATCHDOG; then false; fi
}

@test "… when the first run of a command has succeeded" {
    manager "@pgnudge-test-$$"
    launch --exec 'test -e go'
    wait_for said 'running it again'
    if told READY=1; then false; fi
    touch go
    wait_for told READY=1
    stop
}

@test "the watchdog hears as often as it wants, also while nothing is connected" {
    manager "$PWD/notify"
    WATCHDOG_USEC=100000 PGPORT=1 launch
    wait_for enough_beats
    told_like '^STATUS=not connected: .*refused'
    stop
    manager "$PWD/notify2"
    WATCHDOG_USEC=100000 WATCHDOG_PID=1 listen # another's
    mark
    stop
    if told WATCHDOG=1; then false; fi
}

enough_beats() {
    (($(grep -cx WATCHDOG=1 told) >= 5))
}

@test "a manager that doesn't read, or isn't there, changes nothing" {
    manager "$PWD/notify"
    kill -STOP "${pids[-1]}"
    frozen+=("${pids[-1]}")
    WATCHDOG_USEC=2000 listen
    totals '{}'
    stop
    NOTIFY_SOCKET=$PWD/nobody listen
    stop
    NOTIFY_SOCKET=nonsense listen
    stop
}

# as_journal [OPTION]...: launch with a standard error that the manager calls the journal's.
as_journal() {
    err=$BATS_TEST_TMPDIR/${#pids[@]}.err
    : >"$err"
    JOURNAL_STREAM=$(stat -c %d:%i "$err") launch "$@"
}

@test "lines for the journal have their priority in front, others not" {
    PGPORT=1 as_journal -vv
    wait_for said '^<6>pgnudge: info: connecting to '
    wait_for said '^<4>pgnudge: warning: .*refused'
    wait_for said '^<4>pgnudge: hint: '
    wait_for said '^<3>pgnudge: error: 5 attempts in a row failed'
    stop
    if said '^pgnudge'; then false; fi
    JOURNAL_STREAM=1:2 PGPORT=1 launch
    wait_for said '^pgnudge: warning: .*refused'
    stop
}

@test "the end of an outage is said like its beginning" {
    listen
    sql "SELECT pg_terminate_backend($(walsender))" >/dev/null
    wait_for said '^pgnudge: warning: .*terminating'
    wait_for said '^pgnudge: warning: connected, after [0-9.]+ s without a connection$'
    sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND usename = 'pgnudge' AND backend_type = 'client backend'" >/dev/null
    wait_for said '^pgnudge: detail: Items wait until it is back'
    wait_for said '^pgnudge: warning: the visibility connection is back$'
    mark
    stop
}
