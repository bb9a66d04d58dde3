#include "pq/conninfo.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* Debian's libpq looks here, and so does its server; upstream's own default is /tmp. */
#ifndef DEFAULT_SOCKET_DIR
#define DEFAULT_SOCKET_DIR "/var/run/postgresql"
#endif

#define DEFAULT_CONNECT_TIMEOUT_US (10 * CLOCK_S)
#define SECURE_HEAP_BYTES          ((size_t)64 * 1024)

static const struct {
    const char *keyword;
    const char *variable;
} params[CONN_PARAMS] = {
    [CONN_HOST] = {"host", "PGHOST"},
    [CONN_PORT] = {"port", "PGPORT"},
    [CONN_USER] = {"user", "PGUSER"},
    [CONN_DBNAME] = {"dbname", "PGDATABASE"},
    [CONN_PASSWORD] = {"password", "PGPASSWORD"},
    [CONN_APPLICATION_NAME] = {"application_name", "PGAPPNAME"},
    [CONN_CONNECT_TIMEOUT] = {"connect_timeout", "PGCONNECT_TIMEOUT"},
    [CONN_SSLMODE] = {"sslmode", "PGSSLMODE"},
    [CONN_SSLROOTCERT] = {"sslrootcert", "PGSSLROOTCERT"},
};

static const char *const sslmodes[] = {
    [SSLMODE_DISABLE] = "disable",     [SSLMODE_ALLOW] = "allow",
    [SSLMODE_PREFER] = "prefer",       [SSLMODE_REQUIRE] = "require",
    [SSLMODE_VERIFY_CA] = "verify-ca", [SSLMODE_VERIFY_FULL] = "verify-full",
};

void conninfo_secure_memory(void)
{
    /* Where it can't be had (RLIMIT_MEMLOCK), OpenSSL falls back to plain memory. */
    CRYPTO_secure_malloc_init(SECURE_HEAP_BYTES, 16);
}

void conninfo_init(struct conninfo *info)
{
    *info = (struct conninfo){.sslmode = SSLMODE_PREFER,
                              .connect_timeout_us = DEFAULT_CONNECT_TIMEOUT_US};
}

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

    unset(info, param);
    if (value[0] == '\0') {
        return true;
    }
    info->value[param] = OPENSSL_secure_malloc(size);
    if (info->value[param] == NULL) {
        return error_memory(error);
    }
    memcpy(info->value[param], value, size);
    return true;
}

bool conninfo_from_environment(struct conninfo *info, struct error *error)
{
    for (int i = 0; i < CONN_PARAMS; i++) {
        char *value = getenv(params[i].variable);

        if (value != NULL && !conninfo_set(info, (enum conn_param)i, value, error)) {
            return false;
        }
        if (value != NULL && i == CONN_PASSWORD) {
            OPENSSL_cleanse(value, strlen(value)); /* /proc/PID/environ shows this memory */
            unsetenv(params[i].variable);
        }
    }
    return true;
}

const char *conninfo_text(const struct conninfo *info, enum conn_param param)
{
    return info->value[param] != NULL ? info->value[param] : "";
}

bool conninfo_is_unix(const struct conninfo *info)
{
    char first = conninfo_text(info, CONN_HOST)[0];

    return first == '/' || first == '@';
}

const char *sslmode_name(enum sslmode mode)
{
    return sslmodes[mode];
}

static bool set_default(struct conninfo *info, enum conn_param param, const char *value,
                        struct error *error)
{
    return info->value[param] != NULL || conninfo_set(info, param, value, error);
}

/* libpq asks the password database by user ID, not $USER. */
static bool default_user(struct conninfo *info, struct error *error)
{
    const struct passwd *entry;

    if (info->value[CONN_USER] != NULL) {
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

static bool default_rootcert(struct conninfo *info, struct error *error)
{
    const char *home = getenv("HOME");
    const struct passwd *entry;
    char path[PATH_MAX];

    if (home == NULL || home[0] == '\0') {
        entry = getpwuid(geteuid());
        home = entry != NULL ? entry->pw_dir : "";
    }
    snprintf(path, sizeof(path), "%s/.postgresql/root.crt", home);
    return set_default(info, CONN_SSLROOTCERT, path, error);
}

static bool read_number(const struct conninfo *info, enum conn_param param, long min, long max,
                        long *number, struct error *error)
{
    const char *text = conninfo_text(info, param);
    char *end;

    *number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || *number < min || *number > max) {
        return error_set(error, ERROR_PERMANENT, "invalid %s \"%s\": not a whole number%s",
                         params[param].keyword, text, param == CONN_PORT ? " from 1 to 65535" : "");
    }
    return true;
}

static bool read_sslmode(struct conninfo *info, struct error *error)
{
    const char *text = conninfo_text(info, CONN_SSLMODE);

    for (size_t i = 0; i < sizeof(sslmodes) / sizeof(sslmodes[0]); i++) {
        if (strcmp(text, sslmodes[i]) == 0) {
            info->sslmode = (enum sslmode)i;
            return true;
        }
    }
    error_set(error, ERROR_PERMANENT, "invalid sslmode \"%s\"", text);
    error_hint(error, "It is one of disable, allow, prefer, require, verify-ca and verify-full.");
    return false;
}

bool conninfo_finish(struct conninfo *info, struct error *error)
{
    long number;

    if (!set_default(info, CONN_HOST, DEFAULT_SOCKET_DIR, error) ||
        !set_default(info, CONN_PORT, "5432", error) || !default_user(info, error) ||
        !set_default(info, CONN_DBNAME, conninfo_text(info, CONN_USER), error) ||
        !set_default(info, CONN_APPLICATION_NAME, "pgnudge", error) ||
        !set_default(info, CONN_SSLMODE, "prefer", error) || !default_rootcert(info, error) ||
        !read_sslmode(info, error) || !read_number(info, CONN_PORT, 1, 65535, &number, error)) {
        return false;
    }
    if (info->value[CONN_CONNECT_TIMEOUT] != NULL) {
        if (!read_number(info, CONN_CONNECT_TIMEOUT, INT_MIN, INT_MAX, &number, error)) {
            return false;
        }
        info->connect_timeout_us = number > 0 ? number * CLOCK_S : CLOCK_NEVER;
    }
    return true;
}

void conninfo_free(struct conninfo *info)
{
    for (int i = 0; i < CONN_PARAMS; i++) {
        unset(info, (enum conn_param)i);
    }
}
