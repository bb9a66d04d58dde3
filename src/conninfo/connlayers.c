#include "conninfo/connlayers.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/home.h"
#include "conninfo/conncheck.h"
#include "conninfo/servicefile.h"

static bool fill_one(struct conninfo *info, const struct conninfo *other, enum conn_param param,
                     struct error *error)
{
    if (info->value[param] != NULL || other->value[param] == NULL) {
        return true;
    }
    if (param == CONN_CONNECT_TIMEOUT) {
        info->connect_timeout_us = other->connect_timeout_us;
    }
    return conninfo_set(info, param, other->value[param], error);
}

bool conninfo_fill(struct conninfo *info, const struct conninfo *other, struct error *error)
{
    for (int i = 0; i < CONN_PARAMS; i++) {
        if (!fill_one(info, other, (enum conn_param)i, error)) {
            return false;
        }
    }
    return true;
}

/* The parameter's text, else its variable's, else "". */
static const char *given_or_variable(const struct conninfo *info, enum conn_param param)
{
    const char *text = conninfo_text(info, param);
    const char *variable = getenv(conninfo_variable(param));

    return text[0] == '\0' && variable != NULL ? variable : text;
}

/* In a service file the first of several lines with one keyword counts. */
static bool take_service_line(void *context, const char *keyword, const char *value,
                              struct error *error)
{
    struct conninfo *service = context;
    enum conn_param param = conninfo_param(keyword);

    if (param == CONN_PARAMS) {
        return error_set(error, ERROR_PERMANENT, "unknown connection parameter");
    }
    return service->value[param] != NULL || conninfo_set(service, param, value, error);
}

static enum servicefile read_service(const char *name, const char *path, bool must_exist,
                                     struct conninfo *service, struct error *error)
{
    if (!must_exist && access(path, F_OK) != 0) {
        return SERVICEFILE_NOT_FOUND;
    }
    return servicefile_read(path, name, take_service_line, service, error);
}

/* The user's file, or the one that is named instead of it, and then the system's. */
static enum servicefile find_service(const char *name, const char *named_path,
                                     struct conninfo *service, struct error *error)
{
    const char *sysconf = getenv("PGSYSCONFDIR");
    enum servicefile found = SERVICEFILE_NOT_FOUND;
    char path[PATH_MAX];

    if (named_path[0] != '\0') {
        found = read_service(name, named_path, true, service, error);
    } else if (home_path(".pg_service.conf", path, sizeof(path))) {
        found = read_service(name, path, false, service, error);
    }
    if (found == SERVICEFILE_NOT_FOUND) {
        snprintf(path, sizeof(path), "%s/pg_service.conf",
                 sysconf != NULL ? sysconf : DEFAULT_SYSCONF_DIR);
        found = read_service(name, path, false, service, error);
    }
    if (found == SERVICEFILE_NOT_FOUND) {
        error_set(error, ERROR_PERMANENT, "definition of service \"%s\" not found", name);
    }
    return found;
}

bool conninfo_from_service(struct conninfo *info, struct error *error)
{
    const char *name = given_or_variable(info, CONN_SERVICE);
    const char *path = given_or_variable(info, CONN_SERVICEFILE);
    struct conninfo service;
    bool ok;

    if (name[0] == '\0') {
        return true;
    }
    conninfo_init(&service);
    ok = find_service(name, path, &service, error) == SERVICEFILE_FOUND &&
         conninfo_fill(info, &service, error);
    conninfo_free(&service);
    return ok;
}

static bool set_from_variable(struct conninfo *info, enum conn_param param, struct error *error)
{
    const char *value = conninfo_variable(param) != NULL ? getenv(conninfo_variable(param)) : NULL;

    return value == NULL || value[0] == '\0' || info->value[param] != NULL ||
           conninfo_set(info, param, value, error);
}

bool conninfo_from_environment(struct conninfo *info, struct error *error)
{
    const char *requiressl = getenv("PGREQUIRESSL"); /* what PGSSLMODE was before libpq 8 */
    char *password = getenv(conninfo_variable(CONN_PASSWORD));

    for (int i = 0; i < CONN_PARAMS; i++) {
        if (!set_from_variable(info, (enum conn_param)i, error)) {
            return false;
        }
    }
    if (password != NULL) {
        OPENSSL_cleanse(password, strlen(password)); /* /proc/PID/environ shows this memory */
        unsetenv(conninfo_variable(CONN_PASSWORD));
    }
    return requiressl == NULL || requiressl[0] != '1' || info->value[CONN_SSLMODE] != NULL ||
           conninfo_set(info, CONN_SSLMODE, "require", error);
}

bool conninfo_complete(struct conninfo *info, struct error *error)
{
    return conninfo_from_service(info, error) && conninfo_from_environment(info, error) &&
           conninfo_finish(info, error);
}

/* What `out` doesn't say is libpq's default, whatever `base` says. */
static bool keep_own(struct conninfo *out, enum conn_param param, struct error *error)
{
    return out->value[param] != NULL || conninfo_set(out, param, "", error);
}

/*
 * Where it is, is said by the string, its service or the variables, never by
 * `base`; and which of its hosts will do, by no variable either: those speak of
 * the main connection.
 */
static bool fill_from_base(struct conninfo *out, const struct conninfo *base, struct error *error)
{
    static const enum conn_param own[] = {CONN_HOST, CONN_HOSTADDR, CONN_PORT};

    out->typed = base->typed;
    if (out->value[CONN_SERVICE] != NULL && !conninfo_from_service(out, error)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (!set_from_variable(out, own[i], error) || !keep_own(out, own[i], error)) {
            return false;
        }
    }
    return keep_own(out, CONN_TARGET_SESSION_ATTRS, error) &&
           keep_own(out, CONN_LOAD_BALANCE_HOSTS, error) && conninfo_fill(out, base, error);
}

bool conninfo_derive(struct conninfo *out, const struct conninfo *base, const char *text,
                     struct error *error)
{
    conninfo_init(out);
    if (conninfo_set_dbname(out, text, error) && fill_from_base(out, base, error) &&
        conninfo_finish(out, error)) {
        return true;
    }
    conninfo_free(out);
    return false;
}
