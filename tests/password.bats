#!/usr/bin/env bats
#
# The password that is typed: when it is asked for, what it is used for, and what the terminal
# shows.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

setup_file() {
    start_server 'authentication_timeout = 1s'
    printf '%s\n' 'local all postgres trust' 'local all all scram-sha-256' \
        'host all scram samehost scram-sha-256' 'host all pgnudge samehost trust' \
        >"$SERVER/data/pg_hba.conf"
    sql "CREATE ROLE scram LOGIN REPLICATION PASSWORD 'sesame'" 'SELECT pg_reload_conf()' >/dev/null
}

setup() {
    common_setup
    export PGUSER=scram PGSSLMODE=disable
    unset PGPASSWORD
}

# terminal [OPTION]...: pgnudge on a terminal of its own, whose output is in $screen, and on which
# what is written to descriptor 6 is typed. When it has ended, "stty -a" shows how it left that.
terminal() {
    err=$BATS_TEST_TMPDIR/terminal.err out=$BATS_TEST_TMPDIR/terminal.out
    screen=$BATS_TEST_TMPDIR/terminal.screen marks=0
    # shellcheck disable=SC2016 # expands in the inner shell
    run_there 'sh -c "echo \$\$ >pgnudge.pid; exec \"\$@\" 2>\"$err\"" pgnudge "$@" >"$out"
        status=$?; stty -a; exit $status' "$@"
}

# run_there SCRIPT [OPTION]...: a shell on a terminal of its own; "$@" there is pgnudge's command.
run_there() {
    local script=$1
    shift
    : >"$out"
    mkfifo keyboard
    exec 6<>keyboard
    printf '%q ' set -- "$PGNUDGE" "$@" >there.sh
    printf '\ntrap : INT\n%s\n' "$script" >>there.sh
    out=$out err=$err SHELL=/bin/sh env --default-signal setpriv --pdeathsig KILL \
        script -qefc 'exec sh there.sh' /dev/null <&6 >"$screen" 3>&- 6>&- &
    pid=$!
    pids+=("$pid")
}

# asked [NUMBER]: so often, once by default.
asked() {
    [[ $(grep -ao "Password for user $PGUSER: " "$screen" | wc -l) == "${1:-1}" ]]
}

# enter TEXT: when it is asked for.
enter() {
    wait_for asked
    printf '%s\n' "$1" >&6
}

# tidy: the terminal has its echo again, and never showed the password.
tidy() {
    grep -aqE '(^| )echo( |;|$)' "$screen"
    grep -aq 'quit = ^.;' "$screen"
    [[ $(cat "$screen" "$err" "$out") != *sesame* ]]
}

# over [STATUS]: pgnudge ends by itself, or by the signal that it has been sent.
over() {
    ends_with "${1:-0}"
    tidy
}

pgnudge_pid() {
    cat pgnudge.pid
}

@test "it is asked for when the server wants one: once, without echo, for every connection" {
    terminal -vv --visible-on "host=127.0.0.1 port=$PGPORT" --backoff 10ms,50ms
    enter sesame
    wait_for saw 'reasons == ["connected"]'
    mark
    sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'scram'" >/dev/null
    wait_for saw 'reasons == ["connected", "reconnected"]'
    mark
    [[ $(tr '\0' '\n' <"/proc/$(pgnudge_pid)/environ") != *sesame* ]]
    kill "$(pgnudge_pid)"
    over
    asked
}

@test "the doctor asks, too, once" {
    terminal doctor
    enter sesame
    over
    asked
    grep -q '^ok    login: scram-sha-256' "$out" || cat "$out"
    grep -q '^ok    round trip' "$out"
}

@test "a wrong one ends with status 3" {
    terminal
    enter wrong
    over 3
    said 'password authentication failed'
    asked
    run ! said 'password came from'
}

@test "an empty one is none" {
    terminal
    enter ''
    over 3
    said 'none is known'
    asked
}

@test "one that is too long is none" {
    terminal
    enter "$(printf %05000d 0)"
    over 3
    said 'none is known'
}

@test "the end of input is none" {
    terminal
    wait_for asked
    printf '\004' >&6
    over 3
    said 'none is known'
}

@test "the line can be edited" {
    terminal
    wait_for asked
    printf 'ses\025sesame1\177\n' >&6 # Ctrl-U, backspace
    wait_for saw 'length > 0'
    kill "$(pgnudge_pid)"
    over
}

@test "nobody is asked: -w, no terminal, or nothing is wanted" {
    terminal -w
    over 3
    said 'none is known'
    asked 0
    rm keyboard
    terminal -W --no-password
    over 3
    asked 0
    launch
    ends_with 3
    said 'none is known'
    PGSSLMODE=allow launch
    ends_with 3
    said 'error: .* none is known$'
    launch -W
    ends_with 3
    said 'none is known'
    rm keyboard
    PGPASSWORD=sesame terminal
    wait_for saw 'length > 0'
    kill "$(pgnudge_pid)"
    over
    asked 0
}

@test "a job in the background has no terminal" {
    screen=$BATS_TEST_TMPDIR/terminal.screen
    err=$BATS_TEST_TMPDIR/terminal.err out=$BATS_TEST_TMPDIR/terminal.out
    # shellcheck disable=SC2016 # expands in the inner shell
    run_there 'set -m; "$@" >"$out" 2>"$err" & wait "$!"; status=$?; stty -a; exit $status'
    over 3
    said 'none is known'
    asked 0
}

@test "stopped by Ctrl-Z and sent to the background, it has none either" {
    screen=$BATS_TEST_TMPDIR/terminal.screen
    err=$BATS_TEST_TMPDIR/terminal.err out=$BATS_TEST_TMPDIR/terminal.out
    # shellcheck disable=SC2016 # expands in the inner shell
    run_there 'set -m; "$@" >"$out" 2>"$err"; bg; wait; stty -a; exit 3'
    wait_for asked
    printf '\032' >&6
    over 3
    said 'none is known'
    asked
}

@test "-W asks before connecting, and what is typed counts" {
    echo '*:*:*:*:wrong' >.pgpass
    chmod 600 .pgpass
    PGPASSWORD=wrong terminal -W -v --visible-on "host=127.0.0.1 port=$PGPORT" \
        "password=wrong host=127.0.0.1"
    wait_for asked
    is_true "NOT EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'scram')"
    enter sesame
    wait_for saw 'length > 0'
    mark
    kill "$(pgnudge_pid)"
    over
    rm keyboard
    PGUSER=pgnudge terminal --password
    PGUSER=pgnudge enter nonsense
    wait_for saw 'length > 0'
    kill "$(pgnudge_pid)"
    over
}

@test "without -W the password file comes first" {
    echo '*:*:*:*:sesame' >.pgpass
    chmod 600 .pgpass
    terminal
    wait_for saw 'length > 0'
    kill "$(pgnudge_pid)"
    over
    asked 0
    echo '*:*:*:*:wrong' >.pgpass
    rm keyboard
    terminal
    over 3
    said 'The password came from file'
    asked 0
}

@test "why the password file is ignored stands above the question" {
    echo '*:*:*:*:sesame' >.pgpass
    chmod 640 .pgpass
    terminal
    wait_for asked
    grep -aq '^password file ".*/\.pgpass" has group or world access; permissions should be' "$screen"
    enter sesame
    wait_for saw 'length > 0'
    kill "$(pgnudge_pid)"
    over
    asked
}

@test "neither connect_timeout nor the server's patience limits the time for typing" {
    local now
    terminal 'connect_timeout=1'
    wait_for asked
    now=$(sql 'SELECT clock_timestamp()')
    wait_for is_true "clock_timestamp() > timestamptz '$now' + interval '1500 ms'"
    kill -TSTP "$(pgnudge_pid)" # which stops nobody here, but wakes it
    wait_for asked 2
    printf 'sesame\n' >&6
    wait_for saw 'length > 0'
    [[ ! -s $err ]]
    kill "$(pgnudge_pid)"
    over
}

@test "each way out gives the terminal back" {
    terminal
    wait_for asked
    printf 'ses\003' >&6
    over 130
    rm keyboard
    terminal
    wait_for asked
    kill "$(pgnudge_pid)"
    over
    rm keyboard
    terminal --timeout 500ms
    wait_for asked
    over 124
    rm keyboard
    terminal
    wait_for asked
    printf '\034\025' >&6 # Ctrl-\, Ctrl-U
    enter sesame
    wait_for saw 'length > 0'
    kill "$(pgnudge_pid)"
    over
    rm keyboard
    terminal
    wait_for asked
    kill -HUP "$(pgnudge_pid)"
    over 129
}

@test "Ctrl-Z gives it back too, and it is asked again afterwards" {
    err=$BATS_TEST_TMPDIR/terminal.err out=$BATS_TEST_TMPDIR/terminal.out
    screen=$BATS_TEST_TMPDIR/terminal.screen marks=0
    # shellcheck disable=SC2016 # expands in the inner shell
    run_there 'set -m; "$@" >"$out" 2>"$err"; stty -a >stopped; fg; status=$?; stty -a; exit $status'
    wait_for asked
    printf 'ses\032' >&6
    wait_for grep -qE '(^| )echo( |;|$)' stopped
    wait_for asked 2
    printf 'sesame\n' >&6
    wait_for saw 'length > 0'
    printf '\003' >&6
    over 130
}

# stopped_there SCRIPT: pgnudge on a terminal of its own, stopped while it asks by what it can't
# foresee; the shell has its own modes back, and goes on with SCRIPT.
stopped_there() {
    err=$BATS_TEST_TMPDIR/terminal.err out=$BATS_TEST_TMPDIR/terminal.out
    screen=$BATS_TEST_TMPDIR/terminal.screen marks=0
    # shellcheck disable=SC2016 # expands in the inner shell
    run_there 'set -m; modes=$(stty -g)
        sh -c "echo \$\$ >pgnudge.pid; exec \"\$@\"" pgnudge "$@" >"$out" 2>"$err"; stty "$modes"
        '"$1; "'status=$?; stty -a; exit $status'
    wait_for asked
    kill -STOP "$(pgnudge_pid)"
}

@test "when it goes on after SIGSTOP it is asked again, without echo" {
    stopped_there fg
    wait_for asked 2
    printf 'sesame\n' >&6
    wait_for saw 'length > 0'
    printf '\003' >&6
    over 130
}

@test "another job's terminal is left alone" {
    # shellcheck disable=SC2016 # expands in the inner shell
    stopped_there 'kill -TERM "$(cat pgnudge.pid)"; bg; wait %1'
    over
    asked
    run ! grep -a 'stopped jobs' "$screen" # the shell would say so
}
