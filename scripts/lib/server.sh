# shellcheck shell=bash
#
# Throwaway PostgreSQL servers, for the demo, the tests and the benchmark.
#
#   server_setup                     make $SERVER_ROOT, the directory of this run
#   server_start DIR [CONF-LINE]...  make the server DIR (a path below $SERVER_ROOT) and start it;
#                                    one that was stopped is started again, as it was
#   server_stop DIR [MODE]           MODE as for pg_ctl: fast (the default), immediate, smart
#   server_restart DIR [MODE]        on the same port
#   server_sql DIR [SQL]...          run each, or standard input, as the superuser in the database
#                                    $PGDATABASE (postgres); bare values on standard output
#   server_has_wal2json              whether it is installed
#   server_port DIR                  its port on 127.0.0.1; its Unix socket is in DIR
#   server_cleanup                   stop every server of this run, remove $SERVER_ROOT
#
# Whoever calls server_setup has server_cleanup run on EXIT. The role "pgnudge" (LOGIN REPLICATION)
# connects without a password. The superuser "postgres" comes in through the socket only, in a
# directory that is closed to others: a superuser can run programs as the server's user. The
# system's own clusters are not touched. SERVER_BIN may name another PostgreSQL's bin directory, and
# SERVER_AS what runs its programs as the server's user.

# The caller's connection settings are none of our business. PGNUDGE* are ours.
for _name in "${!PG@}"; do
    [[ $_name == PGNUDGE* ]] || unset "$_name"
done
unset _name

# Print the directory of the newest PostgreSQL server that is installed.
server_bindir() {
    local dir newest=
    if [[ -n ${SERVER_BIN:-} ]]; then
        echo "$SERVER_BIN"
        return 0
    fi
    for dir in /usr/lib/postgresql/*/bin; do
        [[ -x $dir/postgres && -x $dir/initdb ]] && newest+=$dir$'\n'
    done
    if [[ -n $newest ]]; then
        sort -V <<<"${newest%$'\n'}" | tail -n 1
    elif dir=$(command -v initdb); then
        dirname "$(realpath "$dir")"
    else
        return 1
    fi
}

server_has_wal2json() {
    [[ -f $("$(server_bindir)/pg_config" --pkglibdir)/wal2json.so ]]
}

# Below, each "return" says what: without that, in a trap, it would be the status before the trap.

# What runs a program as the server's user, in words: PostgreSQL refuses to run as root.
server_as() {
    if [[ -n ${SERVER_AS:-} ]]; then
        echo "$SERVER_AS"
    elif ((EUID == 0)); then
        echo "setpriv --reuid=$SERVER_USER --regid=$(id -g "$SERVER_USER") --clear-groups"
    fi
}

# Run a program of the server's. Bats waits until its
# descriptors 3 and 4 are closed everywhere.
_server_run() {
    local program=$1 as
    shift
    read -ra as <<<"$(server_as)"
    (
        cd "$SERVER_ROOT" || exit
        exec "${as[@]}" "$SERVER_BIN/$program" "$@" 3>&- 4>&-
    )
}

server_setup() {
    [[ -n ${SERVER_ROOT:-} ]] && return 0
    SERVER_BIN=$(server_bindir) || {
        echo "no PostgreSQL server is installed" >&2
        return 1
    }
    SERVER_USER=$(id -un)
    if ((EUID == 0)); then
        SERVER_USER=postgres
        id postgres >/dev/null 2>&1 || SERVER_USER=nobody
    fi
    # Not $TMPDIR: a socket's path holds 107 bytes, and the server's user must get there.
    SERVER_ROOT=$(mktemp -d /tmp/pgnudge.XXXXXX)
    ((EUID)) || chown "$SERVER_USER" "$SERVER_ROOT"
    export SERVER_BIN SERVER_USER SERVER_ROOT
    _server_template # now, and not by two at once
}

# One initdb a run: it takes seconds, a copy does not.
_server_template() {
    local template=$SERVER_ROOT/template new=$SERVER_ROOT/template.new log=$SERVER_ROOT/template.log
    [[ -d $template ]] && return 0
    {
        _server_run initdb -D "$new" -U postgres -A trust -E UTF8 --locale=C --no-sync &&
            echo 'CREATE ROLE pgnudge LOGIN REPLICATION' |
            _server_run postgres --single -D "$new" postgres
    } >"$log" 2>&1 || {
        cat "$log" >&2
        return 1
    }
    printf '%s\n' 'local all all trust' 'host all pgnudge samehost trust' >"$new/pg_hba.conf"
    printf '%s\n' >>"$new/postgresql.conf" "listen_addresses = '127.0.0.1'" \
        'wal_level = logical' 'fsync = off' 'max_wal_senders = 20' \
        'max_replication_slots = 20' 'max_prepared_transactions = 10' \
        "password_encryption = 'scram-sha-256'"
    # Minor releases since August 2026 refuse wal2json until it is named.
    if [[ $("$SERVER_BIN/postgres" --describe-config) == *output_plugin_libraries* ]]; then
        echo "output_plugin_libraries = 'pgoutput, test_decoding, wal2json'"
    fi >>"$new/postgresql.conf"
    mv "$new" "$template"
}

server_start() {
    local dir=$1 port
    shift
    if [[ ! -d $dir/data ]]; then
        _server_template || return 1
        mkdir -p "$dir"
        cp -a --reflink=auto "$SERVER_ROOT/template" "$dir/data"
        printf '%s\n' "unix_socket_directories = '$dir'" "$@" >>"$dir/data/postgresql.conf"
        ((EUID)) || chown "$SERVER_USER" "$dir"
    fi
    if [[ -f $dir/port ]]; then
        _server_pg_ctl "$dir" start
        return $?
    fi
    # Below the range that the kernel gives to clients; who binds it first has it.
    for _ in {1..20}; do
        port=$((20000 + RANDOM % 10000))
        echo "port = $port" >>"$dir/data/postgresql.conf"
        if _server_pg_ctl "$dir" start 2>/dev/null; then
            echo "$port" >"$dir/port"
            return 0
        fi
        grep -q 'Address already in use' "$dir/log" || break
    done
    cat "$dir/log" >&2
    return 1
}

_server_pg_ctl() {
    local dir=$1
    shift
    _server_run pg_ctl -s -w -t 60 -D "$dir/data" -l "$dir/log" "$@" >/dev/null
}

server_stop() {
    _server_pg_ctl "$1" stop -m "${2:-fast}"
}

server_restart() {
    _server_pg_ctl "$1" restart -m "${2:-fast}"
}

server_sql() {
    local dir=$1 sql commands=()
    shift
    for sql; do
        commands+=(-c "$sql")
    done
    "$SERVER_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "${commands[@]}" \
        -h "$dir" -p "$(server_port "$dir")" -U postgres "${PGDATABASE:-postgres}"
}

server_port() {
    cat "$1/port"
}

server_cleanup() {
    local pidfile pid
    [[ -n ${SERVER_ROOT:-} && -d $SERVER_ROOT ]] || return 0
    for pidfile in "$SERVER_ROOT"/*/data/postmaster.pid; do
        [[ -f $pidfile ]] || continue
        pid=$(head -n 1 "$pidfile")
        server_stop "$(dirname "${pidfile%/*}")" immediate 2>/dev/null || kill -KILL "$pid"
    done
    rm -rf "$SERVER_ROOT"
    unset SERVER_ROOT
}
