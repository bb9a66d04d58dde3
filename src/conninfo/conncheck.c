#include "conninfo/conncheck.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/home.h"
#include "conninfo/connstring.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *const sslmodes[] = {
    [SSLMODE_DISABLE] = "disable",     [SSLMODE_ALLOW] = "allow",
    [SSLMODE_PREFER] = "prefer",       [SSLMODE_REQUIRE] = "require",
    [SSLMODE_VERIFY_CA] = "verify-ca", [SSLMODE_VERIFY_FULL] = "verify-full",
};

static const char *const channel_bindings[] = {
    [CHANNEL_BINDING_DISABLE] = "disable",
    [CHANNEL_BINDING_PREFER] = "prefer",
    [CHANNEL_BINDING_REQUIRE] = "require",
};

static const char *const sslcertmodes[] = {
    [SSLCERTMODE_DISABLE] = "disable",
    [SSLCERTMODE_ALLOW] = "allow",
    [SSLCERTMODE_REQUIRE] = "require",
};

static const char *const tls_bounds[] = {
    [TLS_UNBOUND] = "",    [TLS_1_0] = "TLSv1",   [TLS_1_1] = "TLSv1.1",
    [TLS_1_2] = "TLSv1.2", [TLS_1_3] = "TLSv1.3",
};

const char *sslmode_name(enum sslmode mode)
{
    return sslmodes[mode];
}

/* --- defaults --- */

static bool set_default(struct conninfo *info, enum conn_param param, const char *value,
                        struct error *error)
{
    return conninfo_text(info, param)[0] != '\0' || conninfo_set(info, param, value, error);
}

/* libpq asks the password database by user ID, not $USER. */
static bool default_user(struct conninfo *info, struct error *error)
{
    const struct passwd *entry;

    if (conninfo_text(info, CONN_USER)[0] != '\0') {
        return true;
    }
    entry = getpwuid(geteuid());
    if (entry == NULL) {
        error_set(error, ERROR_PERMANENT, "could not look up local user ID %ld: no such user",
                  (long)geteuid());
        error_hint(error, "Name the database user with -U.");
        return false;
    }
    return conninfo_set(info, CONN_USER, entry->pw_name, error);
}

static bool default_file(struct conninfo *info, enum conn_param param, const char *name,
                         struct error *error)
{
    char path[PATH_MAX];

    return !home_path(name, path, sizeof(path)) || set_default(info, param, path, error);
}

static bool set_defaults(struct conninfo *info, struct error *error)
{
    const char *fallback = conninfo_text(info, CONN_FALLBACK_APPLICATION_NAME);

    if (conninfo_text(info, CONN_HOSTADDR)[0] == '\0' &&
        !set_default(info, CONN_HOST, DEFAULT_SOCKET_DIR, error)) {
        return false;
    }
    return set_default(info, CONN_PORT, DEFAULT_PORT, error) && default_user(info, error) &&
           set_default(info, CONN_DBNAME, conninfo_text(info, CONN_USER), error) &&
           set_default(info, CONN_APPLICATION_NAME, fallback[0] != '\0' ? fallback : "pgnudge",
                       error) &&
           default_file(info, CONN_PASSFILE, ".pgpass", error) &&
           default_file(info, CONN_SSLROOTCERT, ".postgresql/root.crt", error);
}

/* --- errors --- */

static bool invalid(const struct conninfo *info, enum conn_param param, const char *expected,
                    struct error *error)
{
    return error_set(error, ERROR_PERMANENT, "invalid %s \"%s\": expected %s",
                     conninfo_keyword(param), connstring_shown(conninfo_text(info, param)),
                     expected);
}

/* `what` is safe to show. */
static bool unsupported(enum conn_param param, const char *what, struct error *error)
{
    error_set(error, ERROR_PERMANENT, "%s%s%s is not supported", conninfo_keyword(param),
              what[0] != '\0' ? "=" : "", what);
    if (conninfo_variable(param) != NULL) {
        error_hint(error, "It comes from a connection string, the service file or %s.",
                   conninfo_variable(param));
    }
    return false;
}

/* --- numbers --- */

/* As libpq takes them: blanks around it are fine. An empty one leaves `number`. */
static bool read_number(const struct conninfo *info, enum conn_param param, int *number,
                        struct error *error)
{
    const char *text = conninfo_text(info, param);
    long value;
    char *end;
    bool ok;

    if (text[0] == '\0') {
        return true;
    }
    errno = 0;
    value = strtol(text, &end, 10);
    ok = end != text && errno == 0 && value >= INT_MIN && value <= INT_MAX;
    while (isspace((unsigned char)*end)) {
        end++;
    }
    if (!ok || *end != '\0') {
        return invalid(info, param, "a whole number", error);
    }
    *number = (int)value;
    return true;
}

static bool read_numbers(struct conninfo *info, struct error *error)
{
    int timeout = 0, keepalives = info->keepalives ? 1 : 0;
    struct {
        enum conn_param param;
        int *number;
    } whole[] = {
        {CONN_CONNECT_TIMEOUT, &timeout},
        {CONN_KEEPALIVES, &keepalives},
        {CONN_KEEPALIVES_IDLE, &info->keepalives_idle},
        {CONN_KEEPALIVES_INTERVAL, &info->keepalives_interval},
        {CONN_KEEPALIVES_COUNT, &info->keepalives_count},
        {CONN_TCP_USER_TIMEOUT, &info->tcp_user_timeout},
    };

    for (size_t i = 0; i < COUNT_OF(whole); i++) {
        if (!read_number(info, whole[i].param, whole[i].number, error)) {
            return false;
        }
    }
    info->keepalives = keepalives != 0;
    if (conninfo_text(info, CONN_CONNECT_TIMEOUT)[0] != '\0') {
        info->connect_timeout_us = timeout > 0 ? timeout * CLOCK_S : CLOCK_NEVER;
    }
    return true;
}

/* --- choices --- */

/* The index of the parameter's text in `names`, or -1. */
static int find_name(const struct conninfo *info, enum conn_param param, const char *const *names,
                     size_t count)
{
    const char *text = conninfo_text(info, param);

    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(text, names[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static bool read_sslmode(struct conninfo *info, struct error *error)
{
    const char *text = conninfo_text(info, CONN_SSLMODE);
    bool system = strcmp(conninfo_text(info, CONN_SSLROOTCERT), "system") == 0;

    info->sslmode = system ? SSLMODE_VERIFY_FULL : SSLMODE_PREFER;
    if (info->value[CONN_SSLMODE] != NULL) {
        int mode = find_name(info, CONN_SSLMODE, sslmodes, COUNT_OF(sslmodes));

        if (mode < 0 || strcmp(text, sslmodes[mode]) != 0) {
            error_set(error, ERROR_PERMANENT, "invalid sslmode \"%s\"", connstring_shown(text));
            error_hint(error, "It is one of disable, allow, prefer, require, verify-ca and "
                              "verify-full.");
            return false;
        }
        info->sslmode = (enum sslmode)mode;
    }
    if (system && info->sslmode != SSLMODE_VERIFY_FULL) {
        error_set(error, ERROR_PERMANENT, "sslrootcert=system needs sslmode=verify-full, not %s",
                  sslmodes[info->sslmode]);
        error_hint(error, "The system's authorities certify anyone for the name that is theirs.");
        return false;
    }
    return true;
}

static bool read_tls_bound(const struct conninfo *info, enum conn_param param,
                           enum tls_bound *bound, struct error *error)
{
    int found = find_name(info, param, tls_bounds, COUNT_OF(tls_bounds));

    if (info->value[param] == NULL) {
        return true;
    }
    if (found < 0) {
        return invalid(info, param, "TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3", error);
    }
    *bound = (enum tls_bound)found;
    return true;
}

static bool read_tls_range(struct conninfo *info, struct error *error)
{
    if (!read_tls_bound(info, CONN_SSL_MIN_PROTOCOL_VERSION, &info->tls_min, error) ||
        !read_tls_bound(info, CONN_SSL_MAX_PROTOCOL_VERSION, &info->tls_max, error)) {
        return false;
    }
    if (info->tls_max != TLS_UNBOUND && info->tls_min > info->tls_max) {
        return error_set(error, ERROR_PERMANENT,
                         "ssl_min_protocol_version %s is above ssl_max_protocol_version %s",
                         tls_bounds[info->tls_min], tls_bounds[info->tls_max]);
    }
    return true;
}

static bool read_channel_binding(struct conninfo *info, struct error *error)
{
    int found = find_name(info, CONN_CHANNEL_BINDING, channel_bindings, COUNT_OF(channel_bindings));

    if (conninfo_text(info, CONN_CHANNEL_BINDING)[0] == '\0') {
        return true;
    }
    if (found < 0) {
        return invalid(info, CONN_CHANNEL_BINDING, "disable, prefer or require", error);
    }
    info->channel_binding = (enum channel_binding)found;
    return true;
}

static bool read_sni(struct conninfo *info, struct error *error)
{
    const char *text = conninfo_text(info, CONN_SSLSNI);

    if (text[0] != '\0' && strcmp(text, "0") != 0 && strcmp(text, "1") != 0) {
        return invalid(info, CONN_SSLSNI, "0 or 1", error);
    }
    info->sni = text[0] != '0';
    return true;
}

static bool read_sslnegotiation(struct conninfo *info, struct error *error)
{
    const char *text = conninfo_text(info, CONN_SSLNEGOTIATION);

    info->direct_tls = strcmp(text, "direct") == 0;
    if (text[0] != '\0' && !info->direct_tls && strcmp(text, "postgres") != 0) {
        return invalid(info, CONN_SSLNEGOTIATION, "postgres or direct", error);
    }
    if (info->direct_tls && info->sslmode < SSLMODE_REQUIRE) {
        error_set(error, ERROR_PERMANENT,
                  "weak sslmode \"%s\" may not be used with "
                  "sslnegotiation=direct",
                  sslmodes[info->sslmode]);
        error_hint(error, "Use require, verify-ca or verify-full.");
        return false;
    }
    return true;
}

static bool read_client_cert(struct conninfo *info, struct error *error)
{
    const char *key = conninfo_text(info, CONN_SSLKEY);
    int mode = find_name(info, CONN_SSLCERTMODE, sslcertmodes, COUNT_OF(sslcertmodes));

    if (key[strcspn(key, ":/")] == ':') {
        error_set(error, ERROR_PERMANENT,
                  "sslkey names a key of an OpenSSL engine, which is not supported");
        error_hint(error, "Name a file; one with a colon in its name by its absolute path.");
        return false;
    }
    if (mode >= 0) {
        info->sslcertmode = (enum sslcertmode)mode;
    }
    return mode >= 0 || conninfo_text(info, CONN_SSLCERTMODE)[0] == '\0' ||
           invalid(info, CONN_SSLCERTMODE, "disable, allow or require", error);
}

/* --- what isn't there --- */

static bool is_listed(const char *word, const char *list)
{
    size_t len = strlen(word);

    for (const char *c = list; *c != '\0'; c += *c == ',' ? 1 : 0) {
        size_t next = strcspn(c, ",");

        if (next == len && memcmp(c, word, len) == 0) {
            return true;
        }
        c += next;
    }
    return false;
}

/* Parameters of which pgnudge takes only the values that ask for nothing that it lacks. */
static bool check_choices(const struct conninfo *info, struct error *error)
{
    static const struct {
        enum conn_param param;
        const char *fine;
        const char *lacking;
    } choices[] = {
        {CONN_LOAD_BALANCE_HOSTS, "disable,random", ""},
        {CONN_GSSENCMODE, "disable,prefer", "require"},
        {CONN_MIN_PROTOCOL_VERSION, "3.0", "3.2,latest"},
        {CONN_MAX_PROTOCOL_VERSION, "3.0,3.2,latest", ""},
    };

    for (size_t i = 0; i < COUNT_OF(choices); i++) {
        const char *text = conninfo_text(info, choices[i].param);

        if (text[0] == '\0' || is_listed(text, choices[i].fine)) {
            continue;
        }
        if (is_listed(text, choices[i].lacking)) {
            return unsupported(choices[i].param, text, error);
        }
        error_set(error, ERROR_PERMANENT, "invalid %s \"%s\"", conninfo_keyword(choices[i].param),
                  connstring_shown(text));
        error_hint(error, "Supported: %s.", choices[i].fine);
        return false;
    }
    return true;
}

/* Parameters that pgnudge lacks and that whoever gave them relies on. */
static bool check_lacking(const struct conninfo *info, struct error *error)
{
    static const enum conn_param lacking[] = {CONN_SCRAM_CLIENT_KEY, CONN_SCRAM_SERVER_KEY};

    for (size_t i = 0; i < COUNT_OF(lacking); i++) {
        if (conninfo_text(info, lacking[i])[0] != '\0') {
            return unsupported(lacking[i], "", error);
        }
    }
    return true;
}

/* --- hosts --- */

static bool read_hosts(struct conninfo *info, struct error *error)
{
    hosts_free(&info->hosts);
    return hosts_make(&info->hosts, conninfo_text(info, CONN_HOST),
                      conninfo_text(info, CONN_HOSTADDR), conninfo_text(info, CONN_PORT), error);
}

static bool read_target(struct conninfo *info, struct error *error)
{
    const char *text = conninfo_text(info, CONN_TARGET_SESSION_ATTRS);

    info->load_balance = strcmp(conninfo_text(info, CONN_LOAD_BALANCE_HOSTS), "random") == 0;
    if (text[0] == '\0' || target_parse(text, &info->target)) {
        return true;
    }
    return invalid(info, CONN_TARGET_SESSION_ATTRS,
                   "any, read-write, read-only, primary, standby or prefer-standby", error);
}

bool conninfo_finish(struct conninfo *info, struct error *error)
{
    return set_defaults(info, error) && check_lacking(info, error) && read_hosts(info, error) &&
           read_numbers(info, error) && read_sslmode(info, error) && read_tls_range(info, error) &&
           read_sslnegotiation(info, error) && read_client_cert(info, error) &&
           read_channel_binding(info, error) && read_sni(info, error) && read_target(info, error) &&
           requireauth_read(conninfo_text(info, CONN_REQUIRE_AUTH), &info->auth_allowed, error) &&
           check_choices(info, error);
}

void conninfo_say(const struct conninfo *info, const struct log *log)
{
    const char *hostaddr = conninfo_text(info, CONN_HOSTADDR);

    log_say(log, LOG_INFO, "connecting to host=%s%s%s port=%s dbname=%s user=%s sslmode=%s",
            conninfo_text(info, CONN_HOST), hostaddr[0] != '\0' ? " hostaddr=" : "", hostaddr,
            conninfo_text(info, CONN_PORT), conninfo_text(info, CONN_DBNAME),
            conninfo_text(info, CONN_USER), sslmode_name(info->sslmode));
}
