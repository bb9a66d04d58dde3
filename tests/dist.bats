#!/usr/bin/env bats
#
# What is installed beside the program: completions, the service unit.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"

setup_file() { :; }

teardown_file() { :; }

dist=$repo/scripts/dist

long_options() {
    sed -nE 's/^[[:space:]]*\{"([a-z-]+)", (no|required|optional)_argument.*/--\1/p' "$repo/src/cli/options.c" | sort -u
}

# What an option's value may be, as --help has it.
choices() {
    printf '%s\n' "root leaf" "json names" "retry warn exit" "auto test_decoding wal2json"
}

@test "completions know the options that there are" {
    (($(long_options | wc -l) > 30))
    diff <(long_options) <(grep -oE -- '--[a-z][a-z-]+[a-z]' "$dist/_pgnudge" | sort -u)
    diff <(long_options) <(grep -oE -- ' -l [a-z-]+' "$dist/pgnudge.fish" | sed 's/ -l /--/' | sort -u)
    # shellcheck source=/dev/null
    . "$dist/pgnudge.bash"
    diff <(long_options) <(completed pgnudge -- | sort -u)
}

@test "… the short ones and the values too" {
    local short words
    short=$(sed -nE 's/^static const char short_options\[\] = ":(.*)";/\1/p' "$repo/src/cli/options.c" |
        tr -d : | fold -w 1 | sort)
    diff <(echo "$short") <(grep -oE -- ' -s [A-Za-z0-9]' "$dist/pgnudge.fish" | sed 's/ -s //' | sort)
    diff <(echo "$short") <(grep -oE -- '\{-[A-Za-z0-9]' "$dist/_pgnudge" | sed 's/{-//' | sort)
    while read -r words; do
        echo "$words"
        grep -qF "($words)" "$dist/_pgnudge"
        grep -qF "'$words'" "$dist/pgnudge.fish"
        grep -qF "'$words'" "$dist/pgnudge.bash"
    done < <(choices)
}

# completed WORD...: what bash offers for the last one.
completed() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _pgnudge pgnudge "${*: -1}" "${*: -2:1}"
    printf '%s\n' "${COMPREPLY[@]}"
}

@test "bash completes" {
    # shellcheck source=/dev/null
    . "$dist/pgnudge.bash"
    complete -p pgnudge | grep -q _pgnudge
    [[ $(completed pgnudge --visible) == --visible-on ]]
    [[ $(completed pgnudge --plugin wal) == wal2json ]]
    [[ $(completed pgnudge --plugin = test) == test_decoding ]]
    [[ $(completed pgnudge --plugin =) == auto$'\n'test_decoding$'\n'wal2json ]]
    [[ $(completed pgnudge d) == doctor ]]
    [[ -z $(completed pgnudge --tables '') ]]
    completed pgnudge --exec tru | grep -qx true
}

@test "zsh and fish take theirs" {
    local tried=''
    if command -v zsh >/dev/null; then
        zsh -n "$dist/_pgnudge"
        tried+=zsh
    fi
    if command -v fish >/dev/null; then
        fish --no-execute "$dist/pgnudge.fish"
        [[ $(fish -c "source '$dist/pgnudge.fish'; complete -C 'pgnudge --exec-fail '" | cut -f 1 | sort) == $'exit\nretry\nwarn' ]]
        tried+=fish
    fi
    [[ -n $tried ]] || skip 'neither is installed'
}

@test "installing, and removing it all" {
    local root=$BATS_TEST_TMPDIR/root
    make -s -C "$repo" install PREFIX=/usr DESTDIR="$root" BUILD="${PGNUDGE%/*}"
    "$root/usr/bin/pgnudge" --version
    # shellcheck disable=SC2016 # systemd's own
    grep -qx 'ExecStart=/usr/bin/pgnudge --tables=${TABLES} --exec=${COMMAND}' \
        "$root/usr/lib/systemd/system/pgnudge@.service"
    bash -n "$root/usr/share/bash-completion/completions/pgnudge"
    (($(find "$root" -type f | wc -l) >= 7))
    make -s -C "$repo" uninstall PREFIX=/usr DESTDIR="$root"
    [[ -z $(find "$root" -type f) ]]
}

@test "the unit is one that systemd takes, and hardened" {
    local exposure
    command -v systemd-analyze >/dev/null || skip 'systemd is not installed'
    sed "s|/usr/local/bin/pgnudge|$PGNUDGE|; /^Documentation/d" "$dist/pgnudge@.service" >pgnudge@test.service
    run -0 systemd-analyze verify ./pgnudge@test.service
    [[ $output != *pgnudge@test* ]]
    exposure=$(systemd-analyze security --offline=true --no-pager ./pgnudge@test.service |
        sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')
    echo "exposure $exposure"
    awk -v exposure="$exposure" 'BEGIN { exit !(exposure > 0 && exposure <= 2.0) }'
}

@test "… and waits, restarts and stops as pgnudge wants it" {
    local unit=$dist/pgnudge@.service line
    for line in Type=notify TimeoutStartSec=infinity WatchdogSec=30s Restart=always \
        'RestartPreventExitStatus=2 3' EnvironmentFile=/etc/pgnudge/%i.conf \
        LoadCredential=pgpass:/etc/pgnudge/%i.pgpass Environment=PGPASSFILE=%d/pgpass; do
        echo "$line"
        grep -qxF "$line" "$unit"
    done
}
