# shellcheck shell=bash
#
# Certificates for the tests, in $SERVER/certs. NAME.crt and NAME.key, each good for a day.

# new_ca NAME
new_ca() {
    mkdir -p "$SERVER/certs"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 \
        -subj "/CN=$1" -keyout "$SERVER/certs/$1.key" -out "$SERVER/certs/$1.crt" 2>/dev/null
}

# What makes quicker keys, as a REQ-OPTION.
ec=(-newkey ec -pkeyopt ec_paramgen_curve:P-256)

# new_intermediate NAME CA
new_intermediate() {
    local certs=$SERVER/certs
    openssl req -x509 -CA "$certs/$2.crt" -CAkey "$certs/$2.key" "${ec[@]}" -nodes -days 1 \
        -subj "/CN=$1" -keyout "$certs/$1.key" -out "$certs/$1.crt" 2>/dev/null
}

# new_cert NAME CA SUBJECT-ALT-NAME [REQ-OPTION]...: with the name for a common name too, unless
# "cn=NAME new_cert"; "": none.
new_cert() {
    local certs=$SERVER/certs
    local key=(-newkey rsa:2048) names=()
    (($# == 3)) || key=("${@:4}")
    [[ -z $3 ]] || names=(-addext "subjectAltName=$3")
    openssl req -x509 -CA "$certs/$2.crt" -CAkey "$certs/$2.key" "${key[@]}" -nodes -days 1 \
        -subj "/CN=${cn-${3#*:}}" "${names[@]}" -addext basicConstraints=critical,CA:FALSE \
        -keyout "$certs/$1.key" -out "$certs/$1.crt" 2>/dev/null
    own_key "$1"
}

# new_expired NAME CA SUBJECT-ALT-NAME: it was good.
new_expired() {
    new_dated "$@" 20200101000000Z 20210101000000Z
}

# new_early NAME CA SUBJECT-ALT-NAME: it will be good.
new_early() {
    new_dated "$@" 20480101000000Z 20490101000000Z
}

# new_dated NAME CA SUBJECT-ALT-NAME FROM TO: by "openssl ca", as "openssl x509" of 3.5 and newer
# refuses an end in the past.
new_dated() {
    local certs=$SERVER/certs
    openssl req "${ec[@]}" -nodes -subj "/CN=${3#*:}" -addext "subjectAltName=$3" \
        -keyout "$certs/$1.key" -out "$certs/$1.csr" 2>/dev/null
    printf '%s\n' '[ca]' 'default_ca=x' '[x]' "database=$certs/$1.index" 'default_md=sha256' \
        'rand_serial=yes' 'policy=p' 'copy_extensions=copy' "new_certs_dir=$certs" \
        '[p]' 'commonName=supplied' >"$certs/$1.ca"
    : >"$certs/$1.index"
    openssl ca -batch -notext -config "$certs/$1.ca" -cert "$certs/$2.crt" \
        -keyfile "$certs/$2.key" -startdate "$4" -enddate "$5" \
        -in "$certs/$1.csr" -out "$certs/$1.crt" 2>/dev/null
    own_key "$1"
}

# with_chain NAME CA...: NAME-chain, with the CAs' certificates behind its own.
with_chain() {
    local certs=$SERVER/certs file
    cp -p "$certs/$1.key" "$certs/$1-chain.key"
    for file; do cat "$certs/$file.crt"; done >"$certs/$1-chain.crt"
}

# new_crl NAME CA [CERT]...: $SERVER/certs/NAME.crl, which revokes these.
new_crl() {
    local certs=$SERVER/certs cert
    local sign=(openssl ca -config "$certs/$1.ca" -cert "$certs/$2.crt" -keyfile "$certs/$2.key")
    printf '%s\n' '[ca]' 'default_ca=x' '[x]' "database=$certs/$1.index" 'default_md=sha256' \
        'default_crl_days=1' >"$certs/$1.ca"
    : >"$certs/$1.index"
    for cert in "${@:3}"; do
        "${sign[@]}" -revoke "$certs/$cert.crt" 2>/dev/null
    done
    "${sign[@]}" -gencrl -out "$certs/$1.crl" 2>/dev/null
}

own_key() {
    chmod 600 "$SERVER/certs/$1.key"
    if ((EUID == 0)); then chown "$SERVER_USER" "$SERVER/certs/$1.key"; fi
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
