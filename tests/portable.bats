#!/usr/bin/env bats
#
# What os.c does on systems other than Linux, by a pgnudge that is built so: the tests of slow readers and of
# signals hold with it.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

setup_file() {
    export portable=$repo/build/portable/pgnudge
    [[ -x $portable ]] || skip 'there is none: make portable'
    server_setup
}

teardown_file() {
    :
}

# hold REGEX FILE...: the tests of these that it matches, run by a bats of their own.
hold() {
    local regex=$1
    shift
    env -i PATH="${PATH#"$BATS_LIBEXEC:"}" PGNUDGE="$portable" PGNUDGE_PLAIN="${PGNUDGE_PLAIN:-}" TMPDIR="$BATS_TEST_TMPDIR" \
        SERVER_BIN="${SERVER_BIN:-}" SERVER_AS="${SERVER_AS:-}" \
        bats --tap -f "$regex" "${@/#/$BATS_TEST_DIRNAME/}" >tap 2>&1 3>&- </dev/null || { cat tap && false; }
    cat tap
    (($(grep -c '^ok' tap) > 3))
}

@test "slow readers" {
    hold . backpressure.bats
}

@test "signals" {
    hold 'SIG|signal' reconnect.bats slot.bats blocking.bats unit.bats
}
