#include "conninfo/conninfo.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conninfo/connstring.h"

#define DEFAULT_CONNECT_TIMEOUT_US (10 * CLOCK_S)
#define SECURE_HEAP_BYTES          ((size_t)256 * 1024)

/*
 * libpq's keywords and variables. conncheck.c refuses what
 * pgnudge lacks. Not read at all is what it can do without: client_encoding
 * (it needs the database's own), sslcompression (as libpq, since 14), keys
 * logged for debugging, GSSAPI's and OAuth's details (it has neither method,
 * and says so when a server wants one), replication (always on), and the newest
 * protocol that may be spoken (it speaks the oldest).
 */
static const struct {
    const char *keyword;
    const char *variable; /* NULL: none */
} params[CONN_PARAMS] = {
    [CONN_SERVICE] = {"service", "PGSERVICE"},
    [CONN_SERVICEFILE] = {"servicefile", "PGSERVICEFILE"},
    [CONN_HOST] = {"host", "PGHOST"},
    [CONN_HOSTADDR] = {"hostaddr", "PGHOSTADDR"},
    [CONN_PORT] = {"port", "PGPORT"},
    [CONN_USER] = {"user", "PGUSER"},
    [CONN_DBNAME] = {"dbname", "PGDATABASE"},
    [CONN_PASSWORD] = {"password", "PGPASSWORD"},
    [CONN_PASSFILE] = {"passfile", "PGPASSFILE"},
    [CONN_APPLICATION_NAME] = {"application_name", "PGAPPNAME"},
    [CONN_FALLBACK_APPLICATION_NAME] = {"fallback_application_name", NULL},
    [CONN_OPTIONS] = {"options", "PGOPTIONS"},
    [CONN_CLIENT_ENCODING] = {"client_encoding", "PGCLIENTENCODING"},
    [CONN_CONNECT_TIMEOUT] = {"connect_timeout", "PGCONNECT_TIMEOUT"},
    [CONN_KEEPALIVES] = {"keepalives", NULL},
    [CONN_KEEPALIVES_IDLE] = {"keepalives_idle", NULL},
    [CONN_KEEPALIVES_INTERVAL] = {"keepalives_interval", NULL},
    [CONN_KEEPALIVES_COUNT] = {"keepalives_count", NULL},
    [CONN_TCP_USER_TIMEOUT] = {"tcp_user_timeout", NULL},
    [CONN_SSLMODE] = {"sslmode", "PGSSLMODE"},
    [CONN_SSLNEGOTIATION] = {"sslnegotiation", "PGSSLNEGOTIATION"},
    [CONN_SSLROOTCERT] = {"sslrootcert", "PGSSLROOTCERT"},
    [CONN_SSLCERT] = {"sslcert", "PGSSLCERT"},
    [CONN_SSLKEY] = {"sslkey", "PGSSLKEY"},
    [CONN_SSLPASSWORD] = {"sslpassword", NULL},
    [CONN_SSLCERTMODE] = {"sslcertmode", "PGSSLCERTMODE"},
    [CONN_SSLCRL] = {"sslcrl", "PGSSLCRL"},
    [CONN_SSLCRLDIR] = {"sslcrldir", "PGSSLCRLDIR"},
    [CONN_SSLSNI] = {"sslsni", "PGSSLSNI"},
    [CONN_SSL_MIN_PROTOCOL_VERSION] = {"ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"},
    [CONN_SSL_MAX_PROTOCOL_VERSION] = {"ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"},
    [CONN_SSLCOMPRESSION] = {"sslcompression", "PGSSLCOMPRESSION"},
    [CONN_SSLKEYLOGFILE] = {"sslkeylogfile", NULL},
    [CONN_CHANNEL_BINDING] = {"channel_binding", "PGCHANNELBINDING"},
    [CONN_REQUIRE_AUTH] = {"require_auth", "PGREQUIREAUTH"},
    [CONN_REQUIREPEER] = {"requirepeer", "PGREQUIREPEER"},
    [CONN_TARGET_SESSION_ATTRS] = {"target_session_attrs", "PGTARGETSESSIONATTRS"},
    [CONN_LOAD_BALANCE_HOSTS] = {"load_balance_hosts", "PGLOADBALANCEHOSTS"},
    [CONN_GSSENCMODE] = {"gssencmode", "PGGSSENCMODE"},
    [CONN_GSSLIB] = {"gsslib", "PGGSSLIB"},
    [CONN_GSSDELEGATION] = {"gssdelegation", "PGGSSDELEGATION"},
    [CONN_KRBSRVNAME] = {"krbsrvname", "PGKRBSRVNAME"},
    [CONN_REPLICATION] = {"replication", NULL},
    [CONN_MIN_PROTOCOL_VERSION] = {"min_protocol_version", "PGMINPROTOCOLVERSION"},
    [CONN_MAX_PROTOCOL_VERSION] = {"max_protocol_version", "PGMAXPROTOCOLVERSION"},
    [CONN_SCRAM_CLIENT_KEY] = {"scram_client_key", NULL},
    [CONN_SCRAM_SERVER_KEY] = {"scram_server_key", NULL},
    [CONN_OAUTH_ISSUER] = {"oauth_issuer", NULL},
    [CONN_OAUTH_CLIENT_ID] = {"oauth_client_id", NULL},
    [CONN_OAUTH_CLIENT_SECRET] = {"oauth_client_secret", NULL},
    [CONN_OAUTH_SCOPE] = {"oauth_scope", NULL},
    [CONN_OAUTH_CA_FILE] = {"oauth_ca_file", "PGOAUTHCAFILE"},
};

void conninfo_secure_memory(void)
{
    /* Where it can't be had (RLIMIT_MEMLOCK), OpenSSL falls back to plain memory. */
    CRYPTO_secure_malloc_init(SECURE_HEAP_BYTES, 16);
}

void conninfo_init(struct conninfo *info)
{
    *info = (struct conninfo){.sslmode = SSLMODE_PREFER,
                              .tls_min = TLS_1_2,
                              .sni = true,
                              .sslcertmode = SSLCERTMODE_ALLOW,
                              .auth_allowed = AUTH_ANY_METHOD,
                              .channel_binding = CHANNEL_BINDING_PREFER,
                              .keepalives = true,
                              .connect_timeout_us = DEFAULT_CONNECT_TIMEOUT_US};
}

const char *conninfo_keyword(enum conn_param param)
{
    return params[param].keyword;
}

const char *conninfo_variable(enum conn_param param)
{
    return params[param].variable;
}

enum conn_param conninfo_param(const char *keyword)
{
    int param = 0;

    while (param < CONN_PARAMS && strcmp(params[param].keyword, keyword) != 0) {
        param++;
    }
    return (enum conn_param)param;
}

/* --- values --- */

static void unset(struct conninfo *info, enum conn_param param)
{
    if (info->value[param] != NULL) {
        OPENSSL_secure_clear_free(info->value[param], strlen(info->value[param]) + 1);
        info->value[param] = NULL;
    }
}

bool conninfo_set(struct conninfo *info, enum conn_param param, const char *value,
                  struct error *error)
{
    size_t size = strlen(value) + 1;

    if (size > CONNSTRING_MAX) {
        return error_set(error, ERROR_PERMANENT, "the value of %s is longer than %zu bytes",
                         params[param].keyword, CONNSTRING_MAX);
    }
    unset(info, param);
    info->value[param] = OPENSSL_secure_malloc(size);
    if (info->value[param] == NULL) {
        return error_memory(error);
    }
    memcpy(info->value[param], value, size);
    return true;
}

const char *conninfo_text(const struct conninfo *info, enum conn_param param)
{
    return info->value[param] != NULL ? info->value[param] : "";
}

void conninfo_free(struct conninfo *info)
{
    for (int i = 0; i < CONN_PARAMS; i++) {
        unset(info, (enum conn_param)i);
    }
    hosts_free(&info->hosts);
}

/* --- where values come from --- */

static bool take_item(void *context, const struct connstring_item *item, struct error *error)
{
    enum conn_param param = conninfo_param(item->keyword);

    if (param < CONN_PARAMS) {
        return conninfo_set(context, param, item->value, error);
    }
    if (item->quotable) {
        return error_set(error, ERROR_PERMANENT,
                         "invalid connection string: unknown parameter \"%s\" at position %zu",
                         item->keyword, item->position);
    }
    return error_set(error, ERROR_PERMANENT,
                     "invalid connection string: unknown parameter at position %zu",
                     item->position);
}

bool conninfo_set_string(struct conninfo *info, const char *text, struct error *error)
{
    return connstring_parse(text, take_item, info, error);
}

bool conninfo_set_dbname(struct conninfo *info, const char *text, struct error *error)
{
    return connstring_recognize(text) ? conninfo_set_string(info, text, error)
                                      : conninfo_set(info, CONN_DBNAME, text, error);
}
