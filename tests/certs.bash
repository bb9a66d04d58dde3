# shellcheck shell=bash
#
# Certificates for the tests, in $SERVER/certs. NAME.crt and NAME.key, each good for a day.

# new_ca NAME
new_ca() {
    mkdir -p "$SERVER/certs"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 \
        -subj "/CN=$1" -keyout "$SERVER/certs/$1.key" -out "$SERVER/certs/$1.crt" 2>/dev/null
}

# new_cert NAME CA SUBJECT-ALT-NAME [REQ-OPTION]...
new_cert() {
    local certs=$SERVER/certs
    local key=(-newkey rsa:2048)
    (($# == 3)) || key=("${@:4}")
    openssl req -x509 -CA "$certs/$2.crt" -CAkey "$certs/$2.key" "${key[@]}" -nodes -days 1 \
        -subj "/CN=${3#*:}" -addext "subjectAltName=$3" -addext basicConstraints=critical,CA:FALSE \
        -keyout "$certs/$1.key" -out "$certs/$1.crt" 2>/dev/null
    chmod 600 "$certs/$1.key"
    if ((EUID == 0)); then chown "$SERVER_USER" "$certs/$1.key"; fi
}

# serve_cert NAME: what the server shows from now on.
serve_cert() {
    local before
    before=$(sql 'SELECT pg_conf_load_time()')
    sql "ALTER SYSTEM SET ssl_cert_file = '$SERVER/certs/$1.crt'" \
        "ALTER SYSTEM SET ssl_key_file = '$SERVER/certs/$1.key'" \
        'ALTER SYSTEM SET ssl = on' 'SELECT pg_reload_conf()' >/dev/null
    wait_for is_true "pg_conf_load_time() > '$before'"
}

# The encryption of pgnudge's connection: t or f.
encrypted() {
    sql "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_replication USING (pid)"
}

# The outcome of a login as psql, and as pgnudge, has it: "t", "f" (TLS or not) or "refused".
by_psql() {
    "$SERVER_BIN/psql" -XAtqw 2>/dev/null \
        -c 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()' ||
        echo refused
}

by_pgnudge() {
    local status=0
    pgnudge -v -n 1 --failsafe 1ms --no-reconnect >/dev/null 2>by_pgnudge || status=$?
    case $status in
        0) grep -q 'TLSv1' by_pgnudge && echo t || echo f ;;
        3) echo refused ;;
        *) echo "status $status" ;;
    esac
}

# as_psql DESCRIPTION: by the PG* variables as they are.
as_psql() {
    local psql
    psql=$(by_psql)
    [[ $(by_pgnudge) == "$psql" ]] || {
        echo "$1: psql: $psql, pgnudge: $(by_pgnudge)"
        return 1
    }
}
