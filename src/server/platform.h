/* Who runs the server, as far as that shows: it decides where a setting is changed. */
#ifndef PGNUDGE_SERVER_PLATFORM_H
#define PGNUDGE_SERVER_PLATFORM_H

#include "base/buffer.h"

enum platform {
    PLATFORM_PLAIN,
    PLATFORM_AURORA,
    PLATFORM_RDS,
    PLATFORM_AZURE,
    PLATFORM_CLOUD_SQL,
    PLATFORM_SUPABASE,
    PLATFORM_NEON,
    PLATFORM_CLOUDNATIVEPG,
    PLATFORMS
};

/*
 * A query for the signs, one a row: "role rds_superuser", "setting rds.extensions", "function
 * aurora_version", "archive /controller/manager …".
 */
#define PLATFORM_SIGNS_SQL                                                                         \
    "SELECT 'role ' || rolname AS sign FROM pg_catalog.pg_roles WHERE rolname IN"                  \
    " ('rds_superuser', 'azure_pg_admin', 'cloudsqlsuperuser', 'supabase_admin',"                  \
    " 'neon_superuser')"                                                                           \
    " UNION ALL SELECT 'setting ' || name FROM pg_catalog.pg_settings"                             \
    " WHERE name ~ '^(rds|azure|cloudsql|neon)[.]'"                                                \
    " UNION ALL SELECT 'archive ' || setting FROM pg_catalog.pg_settings"                          \
    " WHERE name = 'archive_command'"                                                              \
    " UNION ALL SELECT 'function ' || proname FROM pg_catalog.pg_proc"                             \
    " WHERE proname = 'aurora_version'"

/* What one sign says; PLATFORM_PLAIN: nothing. */
enum platform platform_of_sign(const char *sign);

/* What the host's name says. */
enum platform platform_of_host(const char *host);

/* Of two that signs speak for, the more special one. */
enum platform platform_join(enum platform a, enum platform b);

/* For people. */
const char *platform_name(enum platform platform);

/* Appends how a setting is changed there that takes a restart. */
void platform_fix(enum platform platform, const char *name, const char *value, struct buffer *out);

/* The role to be granted for REPLICATION there; NULL: it is ALTER ROLE, as everywhere. */
const char *platform_replication_role(enum platform platform);

#endif
