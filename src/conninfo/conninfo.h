/*
 * Where and how to connect: the parameters of libpq's "Database Connection
 * Control Functions", under libpq's keywords and with its defaults.
 *
 * Values are given in the order of their rank: connection strings first, then
 * options, and then conninfo_complete adds what the service file, the PG*
 * variables and libpq's defaults say of the rest.
 */
#ifndef PGNUDGE_CONNINFO_CONNINFO_H
#define PGNUDGE_CONNINFO_CONNINFO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "conninfo/hosts.h"
#include "conninfo/requireauth.h"
#include "conninfo/target.h"

/* Where the system's pg_service.conf is, unless PGSYSCONFDIR names another directory. */
#ifndef DEFAULT_SYSCONF_DIR
#define DEFAULT_SYSCONF_DIR "/etc/postgresql-common"
#endif

enum sslmode {
    SSLMODE_DISABLE,
    SSLMODE_ALLOW,
    SSLMODE_PREFER,
    SSLMODE_REQUIRE,
    SSLMODE_VERIFY_CA,
    SSLMODE_VERIFY_FULL
};

/* Whether to show a client certificate; REQUIRE: and the server must have asked for it. */
enum sslcertmode { SSLCERTMODE_DISABLE, SSLCERTMODE_ALLOW, SSLCERTMODE_REQUIRE };

enum channel_binding { CHANNEL_BINDING_DISABLE, CHANNEL_BINDING_PREFER, CHANNEL_BINDING_REQUIRE };

enum tls_bound { TLS_UNBOUND, TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 };

/* Every keyword that libpq has; conninfo.c says which of them are only taken for its sake. */
enum conn_param {
    CONN_SERVICE,
    CONN_SERVICEFILE,
    CONN_HOST,     /* names, addresses, and socket directories that begin with '/' or '@' */
    CONN_HOSTADDR, /* connect there, whatever the hosts' names resolve to */
    CONN_PORT,     /* these three are lists: see `hosts` */
    CONN_USER,
    CONN_DBNAME,
    CONN_PASSWORD, /* "": none is known */
    CONN_PASSFILE,
    CONN_APPLICATION_NAME,
    CONN_FALLBACK_APPLICATION_NAME,
    CONN_OPTIONS,
    CONN_CLIENT_ENCODING,
    CONN_CONNECT_TIMEOUT, /* seconds, a whole number as in libpq; "": connect_timeout_us stands */
    CONN_KEEPALIVES,
    CONN_KEEPALIVES_IDLE,
    CONN_KEEPALIVES_INTERVAL,
    CONN_KEEPALIVES_COUNT,
    CONN_TCP_USER_TIMEOUT,
    CONN_SSLMODE,
    CONN_SSLNEGOTIATION,
    CONN_SSLROOTCERT, /* a file, or "system" */
    CONN_SSLCERT,     /* this and the next, "": in the home directory, where libpq looks */
    CONN_SSLKEY,
    CONN_SSLPASSWORD,
    CONN_SSLCERTMODE,
    CONN_SSLCRL,
    CONN_SSLCRLDIR,
    CONN_SSLSNI,
    CONN_SSL_MIN_PROTOCOL_VERSION,
    CONN_SSL_MAX_PROTOCOL_VERSION,
    CONN_SSLCOMPRESSION,
    CONN_SSLKEYLOGFILE,
    CONN_CHANNEL_BINDING,
    CONN_REQUIRE_AUTH,
    CONN_REQUIREPEER,
    CONN_TARGET_SESSION_ATTRS,
    CONN_LOAD_BALANCE_HOSTS,
    CONN_GSSENCMODE,
    CONN_GSSLIB,
    CONN_GSSDELEGATION,
    CONN_KRBSRVNAME,
    CONN_REPLICATION,
    CONN_MIN_PROTOCOL_VERSION,
    CONN_MAX_PROTOCOL_VERSION,
    CONN_SCRAM_CLIENT_KEY,
    CONN_SCRAM_SERVER_KEY,
    CONN_OAUTH_ISSUER,
    CONN_OAUTH_CLIENT_ID,
    CONN_OAUTH_CLIENT_SECRET,
    CONN_OAUTH_SCOPE,
    CONN_OAUTH_CA_FILE,
    CONN_PARAMS
};

struct password;

struct conninfo {
    /* Owned, in memory that is kept out of core dumps. NULL: not given, which "" is. */
    char *value[CONN_PARAMS];

    /* Stands in for one that isn't given; borrowed, NULL: nobody is asked. */
    struct password *typed;

    /* From here on: what conninfo_finish reads from them. */
    struct host_list hosts; /* owned; at least one */
    enum target target;
    bool load_balance; /* hosts, and addresses of each, by chance and not in order */
    enum sslmode sslmode;
    enum tls_bound tls_min, tls_max;
    bool sni;
    bool direct_tls; /* the handshake comes first, without an SSLRequest */
    enum sslcertmode sslcertmode;
    unsigned auth_allowed; /* 1 << enum auth_method, for each that require_auth allows */
    enum channel_binding channel_binding;
    int64_t connect_timeout_us;               /* for each address; CLOCK_NEVER: no limit */
    bool keepalives;                          /* the rest: 0 or less leaves the system's default */
    int keepalives_idle, keepalives_interval; /* seconds */
    int keepalives_count;
    int tcp_user_timeout; /* milliseconds */
};

/*
 * Keeps what OpenSSL calls its secure heap for values, passwords among them.
 * Call once, before the first conninfo.
 */
void conninfo_secure_memory(void);

/* All parameters unset. */
void conninfo_init(struct conninfo *info);

/* Sets one parameter, a later one winning. Empty stands for the default, as in libpq. */
bool conninfo_set(struct conninfo *info, enum conn_param param, const char *value,
                  struct error *error);

/*
 * Sets what a connection string says. False: `error` (ERROR_PERMANENT) says
 * what is wrong and where, and repeats no password.
 */
bool conninfo_set_string(struct conninfo *info, const char *text, struct error *error);

/* Sets the database; a text that libpq takes for a connection string is one. */
bool conninfo_set_dbname(struct conninfo *info, const char *text, struct error *error);

/* The parameter's text, or "" where it is unset. Borrowed. */
const char *conninfo_text(const struct conninfo *info, enum conn_param param);

/* libpq's name for it. */
const char *conninfo_keyword(enum conn_param param);

/* The PG* variable that libpq reads for it, or NULL. */
const char *conninfo_variable(enum conn_param param);

/* The parameter of that name, or CONN_PARAMS where there is none. */
enum conn_param conninfo_param(const char *keyword);

/* Wipes and frees the values. */
void conninfo_free(struct conninfo *info);

#endif
