#!/usr/bin/env bats
#
# Some of the allocations fail, each in a run of its own against a real server: `scripts/oom` does all.

bats_require_minimum_version 1.5.0

# shellcheck source=scripts/lib/server.sh
. "${BATS_TEST_DIRNAME:?}/../scripts/lib/server.sh"

@test "thirty allocations that fail, by chance" {
    local repo=$BATS_TEST_DIRNAME/..
    server_has_wal2json || skip 'the server has no wal2json'
    make -s -C "$repo" oom
    env -u SERVER_ROOT PGNUDGE_OOM="$repo/build/oom/pgnudge" "$repo/scripts/oom" 30
}

@test "… and all of those of the command line and of the doctor" {
    local repo number status
    repo=$(realpath "$BATS_TEST_DIRNAME/..")
    cd "$BATS_TEST_TMPDIR"
    export ASAN_OPTIONS=exitcode=86 LSAN_OPTIONS=exitcode=86 UBSAN_OPTIONS=exitcode=86 PGNUDGE_ALLOCATIONS=$BATS_TEST_TMPDIR/count
    for ((number = 1; number <= 200; number++)); do
        status=0
        PGNUDGE_FAIL_AT=$number "$repo/build/oom/pgnudge" doctor -t 'a.b,"C d".*' -x e \
            'postgresql://u@127.0.0.1:1/db?sslmode=disable' >out 2>err || status=$?
        echo "allocation $number: status $status" && cat err
        if (($(tail -n 1 "$PGNUDGE_ALLOCATIONS") < number)); then
            ((status == 3)) # none has failed, and nothing listens there
            return
        fi
        ((status == 1))
    done
    false
}
