#!/usr/bin/env bats
#
# Some of the allocations fail, each in a run of its own against a real server: `scripts/oom` does all.

bats_require_minimum_version 1.5.0

# shellcheck source=scripts/lib/server.sh
. "${BATS_TEST_DIRNAME:?}/../scripts/lib/server.sh"

@test "forty allocations that fail, by chance" {
    local repo=$BATS_TEST_DIRNAME/..
    server_has_wal2json || skip 'the server has no wal2json'
    make -s -C "$repo" oom
    env -u SERVER_ROOT PGNUDGE_OOM="$repo/build/oom/pgnudge" "$repo/scripts/oom" 40
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

# What it prints is whole, and no lost allocation is a lost table: a line that can't be read is a resync.
@test "… and all of those of a reader of lines" {
    local repo number status rest
    repo=$(realpath "$BATS_TEST_DIRNAME/..")
    cd "$BATS_TEST_TMPDIR"
    export ASAN_OPTIONS=exitcode=86 LSAN_OPTIONS=exitcode=86 UBSAN_OPTIONS=exitcode=86 PGNUDGE_ALLOCATIONS=$BATS_TEST_TMPDIR/count
    place='"lsn":"0/1","session":"a","seq"'
    printf '%s\n' "{\"type\":\"resync\",\"reason\":\"connected\",$place:1,\"interval\":1.5,\"partitions\":\"leaf\",\"tables\":[\"s.*\"],\"exclude\":[]}" \
        "{\"type\":\"batch\",$place:2,\"events\":[{\"schema\":\"s\",\"table\":\"a\",\"count\":1,\"ancestors\":[[\"s\",\"b\"]]},
          {\"schema\":\"s\",\"table\":\"c\",\"count\":1,\"key\":[\"id\"],\"keys\":[[\"1\"],[\"2\"]]}]}" | paste -sd '\0' - |
        sed 's/}{"type":"batch"/}\n{"type":"batch"/' >lines
    for ((number = 1; number <= 400; number++)); do
        status=0
        : >out
        : >err
        # Once the first line is out, the second one comes, and the end after what it brings.
        { head -n 1 lines && wait_for_out 1 && tail -n 1 lines && wait_for_out 2; } |
            PGNUDGE_FAIL_AT=$number "$repo/build/oom/pgnudge" --from-stdin --keys --tables 's.*' --debounce 0 >out 2>err || status=$?
        echo "allocation $number: status $status" && cat out err
        ((status == 1))
        [[ ! -s out ]] || jq -e . out >/dev/null
        if ! grep -q 'out of memory' err; then
            rest=$(tail -n +2 out)
            [[ $rest == *resync* || $rest == *'"s.b"'*'"s.c"'* || $(<err) == *'is no item'* ]]
        fi
        (($(tail -n 1 "$PGNUDGE_ALLOCATIONS") >= number)) || return 0
    done
    false
}

# wait_for_out LINES: or until it is said why they don't come.
wait_for_out() {
    local end=$((SECONDS + 20))
    until (($(wc -l <out) >= $1)) || grep -q 'error:\|is no item' err || ((SECONDS >= end)); do
        sleep 0.02
    done
}
