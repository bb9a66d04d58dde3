#!/usr/bin/env bats
#
# The C programs of tests/unit/ and tests/fake/, one test each, as built beside the pgnudge under test.

bats_require_minimum_version 1.5.0

export ASAN_OPTIONS=exitcode=86 LSAN_OPTIONS=exitcode=86 UBSAN_OPTIONS=exitcode=86:print_stacktrace=1

setup() {
    repo=$BATS_TEST_DIRNAME/..
    programs=$(dirname "$(realpath "${PGNUDGE:-$repo/build/pgnudge}")")/tests
}

# unit NAME: it passes, and has got to the end of its plan.
unit() {
    local output status=0 planned
    output=$("$programs/test_$1" 2>&1) || status=$?
    echo "$output"
    ((status == 0))
    planned=$(sed -n 's/^1\.\.//p' <<<"$output")
    ((planned > 0 && $(grep -c '^ok ' <<<"$output") == planned))
}

@test "allocations" { unit allocations; }
@test "attempts: what a login tries, in which order" { unit attempts; }
@test "authentication" { unit auth; }
@test "backoff" { unit backoff; }
@test "the barrier before a resync" { unit barrier; }
@test "WAL: pages, records, transactions" { unit wal; }
@test "which relation a file belongs to" { unit relfiles; }
@test "buffer" { unit buffer; }
@test "the catalog" { unit catalog; }
@test "connection parameters" { unit conninfo; }
@test "connection strings" { unit connstring; }
@test "connection parameters, from where they come" { unit connlayers; }
@test "decoders" { unit decode; }
@test "delivery" { unit delivery; }
@test "dialling" { unit dial; }
@test "the doctor's platforms and report" { unit doctor; }
@test "durations" { unit duration; }
@test "encodings" { unit encoding; }
@test "errors" { unit error; }
@test "a command for each item" { unit exec_out; }
@test "framing" { unit frame; }
@test "reading in gulps" { unit read_batching; }
@test "hash table" { unit hashmap; }
@test "hints" { unit hints; }
@test "hostile servers, a whole feed and the doctor against each" { unit hostile; }
@test "hosts" { unit hosts; }
@test "transactions that were open at the start" { unit inflight; }
@test "items" { unit item; }
@test "bridges: lines, places, parts" { unit bridge; }
@test "keys of events" { unit keys; }
@test "what stands above what" { unit lineage; }
@test "LSNs" { unit lsn; }
@test "names" { unit names; }
@test "nearest names" { unit nearest; }
@test "when to ask" { unit pace; }
@test "row versions from before" { unit past; }
@test "OpenSSL without memory" { unit nomemory; }
@test "patterns" { unit pattern; }
@test "required authentication" { unit requireauth; }
@test "rows, their keys" { unit rows; }
@test "SCRAM" { unit scram; }
@test "signals" { unit signals; }
@test "what is settled" { unit flush_horizon; }
@test "the stream: what is told when, and silence" { unit stream; }
@test "target_session_attrs" { unit target; }
@test "TCP options, TLS to a server" { unit transport; }
@test "synchronous_standby_names" { unit syncnames; }
@test "text" { unit text; }
@test "timelines" { unit timeline; }
@test "whose certificate" { unit tlsverify; }
@test "what has come and can't be seen yet" { unit unseen; }
@test "messages of the stream" { unit walmessage; }
@test "window" { unit window; }
@test "xids" { unit xids; }

@test "every program has a test here" {
    diff <(sed -nE 's/^@test .* \{ unit ([a-z0-9_]+); \}$/\1/p' "$BATS_TEST_FILENAME" | sort) \
        <(printf '%s\n' "$repo"/tests/unit/test_*.c x/test_hostile.c | sed 's|.*/test_||; s|\.c$||' | sort)
}
