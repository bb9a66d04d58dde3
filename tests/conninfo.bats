#!/usr/bin/env bats
#
# The words by which psql connects: connection strings, the service file, the password file, and
# which of them wins.

# shellcheck source=tests/helpers.bash
. "$BATS_TEST_DIRNAME/helpers.bash"
# shellcheck source=tests/certs.bash
. "$BATS_TEST_DIRNAME/certs.bash"

setup_file() {
    export TOOLS=$BATS_FILE_TMPDIR/build
    make -s -C "$repo" BUILD="$TOOLS" "$TOOLS/tests/show_conninfo"
    # shellcheck disable=SC2046
    cc -o "$TOOLS/libpq_conninfo" "$repo/tests/tools/libpq_conninfo.c" \
        $(pkg-config --cflags --libs libpq)
    start_server
    printf '%s\n' 'local all postgres trust' 'host all pgnudge samehost trust' \
        'host all secretive samehost scram-sha-256' 'host all md5_role samehost md5' \
        'hostssl all clear samehost password' >"$SERVER/data/pg_hba.conf"
    sql "CREATE ROLE secretive LOGIN REPLICATION PASSWORD 'se:cr\et'" \
        "CREATE ROLE clear LOGIN REPLICATION PASSWORD 'secret'" "SET password_encryption = 'md5'" \
        "CREATE ROLE md5_role LOGIN REPLICATION PASSWORD 'secret'"
    new_ca ours
    new_cert good ours DNS:localhost
    serve_cert good
}

setup() {
    common_setup
    stderr=
}

# --- parsing ---

# table NAME: the strings of a here-document, one a line, to the array.
table() {
    mapfile -t "$1"
}

# agrees STRING: both refuse it, or both read the same from it.
agrees() {
    local ours theirs ours_status=0 theirs_status=0
    ours=$("$TOOLS/tests/show_conninfo" "$1" 2>ours.said | sort; exit "${PIPESTATUS[0]}") ||
        ours_status=$?
    theirs=$("$TOOLS/libpq_conninfo" "$1" 2>theirs.said | sort; exit "${PIPESTATUS[0]}") ||
        theirs_status=$?
    [[ $ours == "$theirs" && $ours_status == "$theirs_status" ]] || {
        printf '%s\nours (%s): %s %s\nlibpq (%s): %s %s\n' "$1" "$ours_status" "$ours" \
            "$(<ours.said)" "$theirs_status" "$theirs" "$(<theirs.said)"
        return 1
    }
}

good_strings() {
    table good <<'EOF'
host=localhost
host=localhost port=5432 dbname=mydb connect_timeout=10
host = localhost
host= localhost   port =5432
  dbname=shop
dbname=shop  
dbname='my shop'
dbname = 'my shop' user = me
dbname=''
dbname=
dbname= 
host= port=5
dbname='it\'s'
dbname=it\'s
dbname=a\ b
dbname='a\\b'
dbname=a\\b
dbname=ab\
sslmode =
host='a'port=1
host='a' port='1'
dbname=a'b
dbname='a"b'
dbname=a=b
dbname="a
password='p w' user=u
password=a\'b\\c
host=a host=b
dbname=a dbname='' dbname=c
host=a,b,c port=1,2,3
host=a,,c port=,,
hostaddr=127.0.0.1,::1 host=a,b
host=/tmp
host=@abstract
options='-c geqo=off -c a.b=c'
options=-c\ geqo=off
application_name=a fallback_application_name=b
client_encoding=auto
keepalives=1 keepalives_idle=2 keepalives_interval=3 keepalives_count=4 tcp_user_timeout=5
sslmode=verify-full sslrootcert=/ca sslcert=/c sslkey=/k sslpassword=s sslcrl=/r sslsni=0
ssl_min_protocol_version=TLSv1.2 ssl_max_protocol_version=TLSv1.3
channel_binding=require target_session_attrs=read-write
passfile=/p service=s requirepeer=postgres gssencmode=prefer krbsrvname=postgres
sslcompression=0 replication=database
requiressl=1
requiressl=0
sslmode=nonsense port=nonsense
postgresql://
postgres://
postgresql://localhost
postgres://localhost
postgresql://localhost:5432
postgresql://localhost/mydb
postgresql://localhost:5432/mydb
postgresql://user@localhost
postgresql://user:secret@localhost
postgresql://user:secret@localhost:5432/mydb
postgresql://user:@localhost
postgresql://:secret@localhost
postgresql://:@localhost
postgresql://@localhost
postgresql://[z@b
postgresql://user@
postgresql://user:secret@/mydb
postgresql:///mydb
postgresql:///
postgresql://:5432
postgresql://:5432/mydb
postgresql://localhost:/mydb
postgresql://localhost/
postgresql://localhost/?
postgresql://localhost?
postgresql://?
postgresql://other@localhost/otherdb?connect_timeout=10&application_name=myapp
postgresql://host1:123,host2:456/somedb?target_session_attrs=any&application_name=myapp
postgresql://host1,host2
postgresql://host1,host2:5/
postgresql://host1:5,host2/
postgresql://,host2
postgresql://host1,
postgresql://,
postgresql://:1,:2
postgresql://[::1]
postgresql://[::1]:5433
postgresql://[::1]/mydb
postgresql://[::1]?user=me
postgresql://[::1],[::2]:5433/mydb
postgresql://[2001:db8::1234]:5432/database
postgresql://u:p@[::1]:1,127.0.0.1:2/d
postgresql://%2Fvar%2Flib%2Fpostgresql/dbname
postgresql://%2Ftmp:5433,%2frun/dbname
postgresql:///dbname?host=/tmp
postgresql:///dbname?host=/tmp&port=5433
postgresql:///mydb?host=localhost&port=5433
postgresql://localhost/a?dbname=b
postgresql://a?host=b&host=c
postgresql://%40abstract/db
postgresql://user%40home:se%3Acret%2F%25@localhost/my%20shop
postgresql://user:a?b#c@localhost/db
postgresql://user:a:b@localhost/db
postgresql://host/my/db
postgresql://host/db%3Fx
postgresql://%C3%A9t%c3%a9/db
postgresql://host:%35432/db
postgresql://host/db?options=-c%20geqo%3Doff
postgresql://host/db?options=-c+geqo
postgresql://host/db?application%5Fname=x
postgresql://host/db?user=
postgresql://host/db?sslmode=require&
postgresql://host?ssl=true
postgresql://host?requiressl=1
postgresql://host?replication=database
postgresql://host:5432?user=foo@bar
EOF
    good+=('' ' ' $'host=a\tport=1' $'host=a\nport=1\n' $'dbname=\'a\nb\'' $'host\f=\va')
}

bad_strings() {
    table bad <<'EOF'
=
=x
host
host port=1
host=a port
host=a nonsense
nonsense=1
Host=a
HOST=a
 host
host='a
host='a\'
host=a password='b
host='a'x
host=a =b
host='a''b'=
authtype=x
tty=
foo.bar=1
postgresql://[::1
postgresql://[]
postgresql://[]:5432
postgresql://[::1]x
postgresql://[::1]5432
postgresql://[::1],[::2
postgresql://a@[b
postgresql://%
postgresql://%1
postgresql://%zz
postgresql://%00
postgresql://user%@host
postgresql://user:%xy@host
postgresql://host/%
postgresql://host/a%00b
postgresql://host?x
postgresql://host?host
postgresql://host?host=a=b
postgresql://host?host=a&port
postgresql://host?&host=a
postgresql://host?=x
postgresql://host?=
postgresql://host?nonsense=1
postgresql://host?Host=a
postgresql://host?host=%0
postgresql://host?ho%0st=a
postgresql://host?ssl=false
postgresql://host?ssl=1
postgresql://host?host==
postgresql://host/db?sslmode=require&sslmode
EOF
}

@test "good strings: what libpq reads in them" {
    local good=() string failures=0
    good_strings
    ((${#good[@]} >= 80))
    for string in "${good[@]}"; do
        agrees "$string" || failures=$((failures + 1))
        [[ ! -s theirs.said ]] || { echo "libpq refuses: $string" && failures=$((failures + 1)); }
    done
    ((failures == 0))
}

@test "bad strings: libpq refuses them too, and pgnudge says where" {
    local bad=() string failures=0
    bad_strings
    for string in "${bad[@]}"; do
        agrees "$string" || failures=$((failures + 1))
        [[ -s theirs.said ]] || { echo "libpq takes: $string" && failures=$((failures + 1)); }
        grep -q 'at position [0-9]' ours.said || { cat ours.said && failures=$((failures + 1)); }
        [[ $string == *=* || $string == postgresql://* ]] || continue
        run --separate-stderr pgnudge --no-reconnect -d "$string"
        [[ $status == 2 && -z $output && $stderr == 'pgnudge: error: invalid connection string: '* ]] ||
            { echo "$string: $status $stderr" && failures=$((failures + 1)); }
    done
    ((failures == 0))
}

@test "stricter than libpq: what would show a password, or is no port" {
    local string
    for string in 'postgresql://me:op/en@host/db' 'postgresql://me:op/en@host:1/db' \
        'postgresql://me:op@en@host/db' 'postgresql://me:open' 'port=5432password=open' \
        'host=a;password=open;user=me' "host='a PASSWORD =open'" 'postgresql://h/db;password%3Dopen' \
        'postgresql://host:x' 'postgresql://host:-1'; do
        "$TOOLS/libpq_conninfo" "$string"
        wrong "$string"
    done
}

# wrong STRING: status 2, and no word of a secret, as -d and as the operand.
wrong() {
    local option
    for option in -d --; do
        run --separate-stderr pgnudge -vv --no-reconnect "$option" "$1"
        echo "$1: $status $stderr"
        [[ $status == 2 && -z $output && $stderr == 'pgnudge: error: '* ]]
        [[ $stderr != *op*en* && $stderr != *op* && $stderr != *sesame* ]]
    done
}

@test "an error about a string with a password doesn't repeat it" {
    local string
    for string in 'password=op en' "password='open" "password='open sesame" 'password=op nonsense=1' \
        "user='me password=open" 'sslpassword=op en host=a' 'password=open nonsense' \
        'password=open port=x' 'password=open sslkey=open:/sesame' 'host=a,PASSWORD =open' \
        'password=open host=a,b port=1,2,3' 'password = open = sesame' 'sslmode=prefer password=open sesame=1' \
        'postgresql://me:op%en@host' 'postgresql://me:open%@host' 'postgresql://me:op%00en@host' \
        'postgresql://me:op en@host' 'postgresql://me:open@[::1' 'postgresql://me:open@h?nonsense=1' \
        'postgresql://me:op?en@sesame@h' 'postgresql://h?password=op&en' \
        'postgresql://h?password=op=en' 'postgresql://h?%70assword=sesame&open' \
        'postgresql://h?password=open&port=x' 'postgresql://me:open@h?port=sesame/open' \
        'postgresql://op[en:sesame@[h' 'scram_client_key=open' 'oauth_client_secret=x open'; do
        wrong "$string"
    done
}

@test "a password in an argument is overwritten there" {
    listen "host=127.0.0.1 password='open\\' sesame' port=$PGPORT"
    [[ $(tr '\0' '\n' <"/proc/$pid/cmdline") != *open* ]]
    [[ $(tr '\0' '\n' <"/proc/$pid/cmdline") == *"password=** port=$PGPORT" ||
        $(tr '\0' '\n' <"/proc/$pid/cmdline") == *'password=*'*"* port=$PGPORT"* ]]
    stop
    listen -d "postgresql://pgnudge:open%20sesame@127.0.0.1:$PGPORT/$PGDATABASE"
    [[ $(tr '\0' '\n' <"/proc/$pid/cmdline") == *"pgnudge:*"*"*@127.0.0.1"* ]]
    stop
    listen --visible-on "password='open sesame' port=$PGPORT"
    [[ $(tr '\0' '\n' <"/proc/$pid/cmdline") == *"password=************* port=$PGPORT"* ]]
    stop
}

# --- keywords ---

@test "every keyword of libpq's is known, and another one an error" {
    local keyword
    for keyword in host port dbname user password passfile connect_timeout client_encoding options \
        application_name fallback_application_name keepalives keepalives_idle keepalives_interval \
        keepalives_count tcp_user_timeout sslmode sslrootcert sslcert sslkey sslpassword sslcrl \
        sslnegotiation sslcompression sslcertmode sslcrldir sslsni requirepeer require_auth \
        ssl_min_protocol_version ssl_max_protocol_version min_protocol_version \
        max_protocol_version gssencmode krbsrvname gsslib gssdelegation replication service \
        target_session_attrs load_balance_hosts scram_client_key scram_server_key channel_binding \
        oauth_issuer oauth_client_id oauth_client_secret oauth_scope sslkeylogfile hostaddr; do
        "$TOOLS/tests/show_conninfo" "$keyword=x" >shown
        [[ $(<shown) == "$keyword=x" ]]
    done
    run ! "$TOOLS/tests/show_conninfo" nonsense=x
    [[ $output == *'unknown parameter "nonsense" at position 1' ]]
}

# lacks WORD STRING: refused by that name.
lacks() {
    wrong "$2"
    [[ $stderr == *"$1"* ]]
}

@test "what can't be ignored safely is refused by name" {
    local keyword
    for keyword in scram_client_key scram_server_key; do
        lacks "error: $keyword is not supported" "$keyword=x"
    done
    lacks 'a key of an OpenSSL engine, which is not supported' sslkey=pkcs11:token
    lacks 'gssencmode=require is not supported' gssencmode=require
    lacks 'min_protocol_version=3.2 is not supported' min_protocol_version=3.2
    PGGSSENCMODE=require run --separate-stderr pgnudge
    [[ $status == 2 && $stderr == *'gssencmode=require is not supported'*'PGGSSENCMODE'* ]]
}

@test "values that are wrong" {
    local string
    for string in port=0 port=65536 port=x 'port=1 x=' connect_timeout=soon keepalives=yes \
        keepalives_idle=1s keepalives_count=99999999999 tcp_user_timeout=x sslmode=sometimes \
        sslmode= ssl_min_protocol_version=TLSv2 ssl_max_protocol_version=TLSv1.1 \
        'ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2' sslsni=yes \
        channel_binding=maybe target_session_attrs=any,any target_session_attrs=Primary \
        sslnegotiation=x load_balance_hosts=x hostaddr=localhost hostaddr=::x hostaddr=::1,x \
        'host=a,b port=1,x' 'host=a,b,c port=1,2' 'sslrootcert=system sslmode=require' gssencmode=x \
        sslcertmode=x sslnegotiation=direct 'sslnegotiation=direct sslmode=prefer' \
        require_auth=x require_auth=md5,md5 'require_auth=md5,!none' 'require_auth=!md5,none' \
        'require_auth=,' 'require_auth=md5,password=open'; do
        wrong "$string"
    done
    lacks 'weak sslmode "allow" may not be used' 'sslnegotiation=direct sslmode=allow'
    lacks '"none" cannot be mixed with negative methods' 'require_auth=!md5,none'
}

@test "what needs nothing of pgnudge is taken" {
    listen "host='' hostaddr=127.0.0.1 port=' $PGPORT ' sslcert='' require_auth='' \
        sslnegotiation=postgres target_session_attrs=any load_balance_hosts=random gssencmode=prefer \
        client_encoding=LATIN1 replication=true krbsrvname=x sslcompression=1 keepalives=1 \
        min_protocol_version=3.0 sslcertmode=allow sslkey='' sslcrl='' requirepeer='' \
        sslsni=1 channel_binding=prefer ssl_min_protocol_version=tlsv1.2"
    mark
    stop
}

# --- which of them wins ---

# chosen REGEX [OPTION]...: what it would connect to; it can't, there is no such socket.
chosen() {
    local status=0
    pgnudge -v --no-reconnect "${@:2}" >chosen.out 2>chosen.err || status=$?
    echo "$*: $status $(<chosen.err)"
    ((status == 1))
    grep -q "connecting to $1" chosen.err
}

@test "defaults, variables, the service, options, the string: later ones win" {
    unset PGHOST PGPORT PGUSER PGDATABASE
    printf '%s\n' '[other]' 'host=/other' '[shop]' '# comment' '' '  host=/service' 'port=1' \
        'user=service' 'port=2' 'dbname=service' '[last]' 'host=/last' >.pg_service.conf
    export PGSYSCONFDIR=$PWD
    chosen 'host=/var/run/postgresql port=1 .*user=root' -p 1 || [[ $(id -un) != root ]]
    PGHOST=/variable chosen 'host=/variable port=5432 dbname=me user=me' -U me
    export PGHOST=/variable PGPORT=3 PGUSER=variable PGDATABASE=variable
    chosen 'host=/variable port=3 dbname=variable user=variable'
    PGSERVICE=shop chosen 'host=/service port=1 dbname=service user=service'
    PGSERVICE=other chosen 'host=/other port=3 dbname=variable user=variable'
    PGSERVICE=shop chosen 'host=/option port=4 dbname=name user=me' -h /option -p 4 -U me -d name
    PGSERVICE=shop chosen 'host=/string port=4 dbname=string user=me' -d 'host=/string dbname=string' \
        -h /option -p 4 -U me
    chosen 'host=/string port=4 dbname=variable user=me' -h /option -p 4 -U me 'host=/string'
    chosen 'host=/option port=1 dbname=service user=service' -h /option service=shop
    PGSERVICE=other chosen 'host=/service' 'postgresql:///?service=shop'
    chosen 'host=/string port=3 dbname=shop user=variable' -d 'postgresql://%2Fstring' shop
    chosen 'host=/variable port=3 dbname=variable user=variable' -h '' -p '' -U '' -d '' ''
    # Given as empty: libpq's default, whatever the variable says.
    chosen 'host=/string port=5432 dbname=me user=me' "host=/string port='' user=me dbname=''"
    unset PGDATABASE # the test's own psql goes by it
}

@test "the service file: where it is, and what is wrong in it" {
    printf '[shop]\nhost=/home\n' >.pg_service.conf
    mkdir etc
    printf '[shop]\nhost=/system\n[system]\nhost=/system\n' >etc/pg_service.conf
    printf '[shop]\nhost=/named\n' >named
    export PGSYSCONFDIR=$PWD/etc
    chosen 'host=/home' service=shop
    chosen 'host=/system' service=system
    chosen 'host=/named' "service=shop servicefile=$PWD/named"
    PGSERVICEFILE=named chosen 'host=/named' service=shop
    PGSERVICEFILE=named chosen 'host=/system' service=system
    rm .pg_service.conf
    chosen 'host=/system' service=shop

    not_served() {
        run --separate-stderr pgnudge service=shop
        echo "$stderr"
        [[ $status == 2 && $stderr == *"$1"* && $stderr != *sesame* ]]
    }
    PGSERVICEFILE=nowhere not_served 'could not open service file "nowhere"'
    printf '[other]\nsesame\n' >named
    rm etc/pg_service.conf
    export PGSERVICEFILE=named
    not_served 'definition of service "shop" not found'
    printf '[shop]\n\nsesame\n' >named && not_served 'line 3: missing "="'
    printf '[shop]\nsesame=1\n' >named && not_served 'line 2: unknown connection parameter'
    printf '[shop]\nhost =sesame\n' >named && not_served 'line 2: unknown connection parameter'
    printf '[shop]\nservice=sesame\n' >named && not_served "line 2: a service can't name"
    printf '[shop]\nldap://sesame\n' >named && not_served 'line 2: services in LDAP'
    printf '[shop]\nhost=%2000d\n' 1 >named && not_served 'line 2: too long'
}

# --- what they do ---

@test "hostaddr: the address to connect to, whatever the host's name" {
    listen -v "host=db.invalid hostaddr=127.0.0.1"
    said 'connecting to host=db\.invalid hostaddr=127\.0\.0\.1 port='
    mark
    stop
    PGHOST='' PGHOSTADDR=127.0.0.1 listen
    stop
    PGHOST=/nowhere PGHOSTADDR=127.0.0.1 listen
    stop
}

application_is() {
    is_true "EXISTS (SELECT FROM pg_stat_replication WHERE application_name = '$1')"
}

@test "application_name, its fallback, options" {
    listen 'application_name=shop fallback_application_name=x'
    application_is shop
    stop
    listen 'fallback_application_name=fallback'
    application_is fallback
    stop
    listen "application_name='' fallback_application_name=''"
    application_is pgnudge
    stop
    listen --status-interval 10s "options='-c wal_sender_timeout=6s'"
    said 'warning: .*status'
    stop
    PGOPTIONS='-c wal_sender_timeout=6s' listen --status-interval 10s
    said 'warning: .*status'
    stop
    refused 'nonsense' "options='-c nonsense=1'"
}

@test "connect_timeout in a string wins over the option" {
    local status=0
    frozen=("$(head -n 1 "$SERVER/data/postmaster.pid")")
    kill -STOP "${frozen[@]}" # the kernel takes connections all the same
    pgnudge --no-reconnect --connect-timeout 1h "connect_timeout=1" 2>timeout.err || status=$?
    kill -CONT "${frozen[@]}"
    ((status == 1))
    grep -q 'timeout expired' timeout.err
}

@test "the password file" {
    local password='se\:cr\\et'
    unset PGPASSWORD
    refused 'none is known' -U secretive
    pass() {
        printf '%s\n' "$@" >.pgpass
        chmod 600 .pgpass
    }
    opens() {
        listen -U secretive "$@"
        stop
    }
    pass "127.0.0.1:$PGPORT:$PGDATABASE:secretive:$password"
    opens
    pass '# *:*:*:*:x' '' 'short' "*:1:*:*:x" "127.0.0.2:*:*:*:x" "*:*:other:*:x" "*:*:*:secret:x" \
        "*:*:*:secretive2:x" "*:*:*:secretive:$password:more" '*:*:*:*:late'
    opens
    printf '*:*:*:*:%9000d\n*:*:*:*:%s' 1 "$password" >.pgpass
    opens
    printf '*:*:*:*:%s\r\n' "$password" >.pgpass
    opens
    mv .pgpass elsewhere
    refused 'none is known' -U secretive
    PGPASSFILE=elsewhere opens
    PGPASSFILE=nowhere opens "passfile=elsewhere"
    listen "postgresql://secretive@127.0.0.1?passfile=$PWD/elsewhere"
    stop
    # By the name that was given, not the address.
    pass "db.invalid:*:*:*:$password" "*:*:*:*:wrong"
    opens "host=db.invalid hostaddr=127.0.0.1"
    pass "localhost:*:*:*:$password" "*:*:*:*:wrong"
    opens "host=/var/run/postgresql hostaddr=127.0.0.1"
    pass "127.0.0.1:*:*:*:$password" "*:*:*:*:wrong"
    PGHOST='' opens hostaddr=127.0.0.1
    # A password that was given wins.
    PGPASSWORD=wrong refused 'authentication failed' -U secretive
    refused 'authentication failed' -U secretive 'password=wrong'
    opens "password=''"
}

@test "systemd's credentials belong to root, and to the group by an ACL" {
    ((EUID == 0)) || skip 'only root has a file of root'
    unset PGPASSWORD
    local password='se\:cr\\et'
    mkdir credentials
    echo "*:*:*:*:$password" >credentials/pgpass
    chmod 440 credentials/pgpass
    export PGPASSFILE=$PWD/credentials/pgpass
    refused 'group or world access' -U secretive
    export CREDENTIALS_DIRECTORY=$PWD/credentials
    listen -U secretive
    stop
    chmod 444 credentials/pgpass
    refused 'group or world access' -U secretive
    chmod 460 credentials/pgpass
    refused 'group or world access' -U secretive
    chmod 440 credentials/pgpass
    chown 1 credentials/pgpass
    refused 'group or world access' -U secretive
    chown 0 credentials/pgpass
    CREDENTIALS_DIRECTORY=$PWD/credential refused 'group or world access' -U secretive
    PGPASSFILE=$PWD/credentials/../.pgpass
    echo "*:*:*:*:$password" >.pgpass
    chmod 440 .pgpass
    refused 'group or world access' -U secretive
}

@test "the password file: who may read it, and where a wrong password came from" {
    echo '*:*:*:*:open sesame' >.pgpass
    chmod 640 .pgpass
    refused 'none is known' -U secretive
    said 'detail: password file ".*/\.pgpass" has group or world access; permissions should be u=rw'
    chmod 604 .pgpass
    refused 'group or world access' -U secretive
    mkdir dir && mkfifo fifo
    PGPASSFILE=dir refused 'is not a plain file' -U secretive
    PGPASSFILE=fifo refused 'is not a plain file' -U secretive
    PGSERVICEFILE=fifo run -2 --separate-stderr "$PGNUDGE" service=x
    [[ $stderr == *'it is not a regular file'* ]]
    PGPASSFILE=/dev/null refused 'is not a plain file' -U secretive
    ln -s loop loop
    PGPASSFILE=loop refused 'detail: could not open password file "loop": Too many levels' -U secretive
    chmod 600 .pgpass
    refused 'detail: The password came from file ".*/\.pgpass"' -U secretive
    [[ $(cat ./*.err "$BATS_TEST_TMPDIR"/*.err) != *sesame* ]]
}

@test "the password file is read anew at each reconnect" {
    printf '*:*:*:*:%s\n' 'se\:cr\\et' >.pgpass
    chmod 600 .pgpass
    listen -U secretive
    sql "ALTER ROLE secretive PASSWORD 'new'"
    echo '*:*:*:*:new' >.pgpass
    sql 'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots'
    wait_for saw 'reasons == ["connected", "reconnected"]'
    stop
    sql "ALTER ROLE secretive PASSWORD 'se:cr\\et'"
}

# --- TLS ---

# tls STRING VERSION: listens, over that version of TLS.
tls() {
    listen "hostaddr=127.0.0.1 sslmode=require $1"
    is_true "(SELECT version = '$2' FROM pg_stat_ssl WHERE pid = $(walsender))"
    stop
}

@test "ssl_min_protocol_version, ssl_max_protocol_version" {
    tls '' TLSv1.3
    tls ssl_max_protocol_version=TLSv1.2 TLSv1.2
    tls ssl_max_protocol_version=tlsv1.2 TLSv1.2
    tls ssl_min_protocol_version=TLSv1.3 TLSv1.3
    tls "ssl_min_protocol_version='' ssl_max_protocol_version='' sslsni=0" TLSv1.3
    PGSSLMAXPROTOCOLVERSION=TLSv1.2 tls '' TLSv1.2
}

@test "sslrootcert=system: the system's authorities, and verify-full" {
    export SSL_CERT_FILE=$SERVER/certs/ours.crt
    listen -v 'host=localhost hostaddr=127.0.0.1 sslrootcert=system'
    said 'sslmode=verify-full'
    mark
    stop
    SSL_CERT_FILE=/dev/null SSL_CERT_DIR=/dev/null \
        refused 'not trusted' 'host=localhost hostaddr=127.0.0.1 sslrootcert=system'
    refused 'needs a host name' "host='' hostaddr=127.0.0.1 sslrootcert=system"
    refused 'does not match host name "db.example"' \
        'host=db.example hostaddr=127.0.0.1 sslrootcert=system'
}

@test "channel_binding: disable, prefer, require" {
    local binding
    export PGPASSWORD='se:cr\et' PGUSER=secretive
    for binding in disable prefer require; do
        listen "sslmode=require channel_binding=$binding"
        mark
        stop
    done
    refused 'channel_binding is "require", but' 'sslmode=disable channel_binding=require'
    PGCHANNELBINDING=require refused 'wants no proof at all' 'user=pgnudge'
    export PGPASSWORD=secret
    refused 'wants an MD5 password' 'user=md5_role channel_binding=require'
    refused 'wants a cleartext password' 'user=clear channel_binding=require'
}
