#include "doctor/platform.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static const struct {
    const char *name;
    const char *before; /* what says to set "name = value" there */
    const char *after;
    const char *wal_level_cure; /* where that is set by another name */
    const char *replication_role;
} platforms[PLATFORMS] = {
    [PLATFORM_PLAIN] = {.name = "nothing tells of a managed one",
                        .before = "ALTER SYSTEM SET ",
                        .after = "; -- then restart the server"},
    [PLATFORM_AURORA] = {.name = "Amazon Aurora",
                         .before = "Set ",
                         .after = " in the DB cluster parameter group, and reboot the writer.",
                         .wal_level_cure = "Set rds.logical_replication = 1 in the DB cluster "
                                           "parameter group, and reboot the writer.",
                         .replication_role = "rds_replication"},
    [PLATFORM_RDS] = {.name = "Amazon RDS",
                      .before = "Set ",
                      .after = " in the DB parameter group, and reboot the instance.",
                      .wal_level_cure = "Set rds.logical_replication = 1 in the DB parameter "
                                        "group, and reboot the instance.",
                      .replication_role = "rds_replication"},
    [PLATFORM_AZURE] = {.name = "Azure Database for PostgreSQL",
                        .before = "Set ",
                        .after = " under Server parameters, and restart the server."},
    [PLATFORM_CLOUD_SQL] = {.name = "Google Cloud SQL",
                            .before = "Set the flag ",
                            .after = "; the instance restarts.",
                            .wal_level_cure = "Set the flag cloudsql.logical_decoding = on; the "
                                              "instance restarts."},
    [PLATFORM_SUPABASE] = {.name = "Supabase",
                           .before = "Set ",
                           .after = " with the Supabase CLI (postgres-config), and restart the "
                                    "database."},
    [PLATFORM_NEON] = {.name = "Neon",
                       .before = "Ask Neon's support to set ",
                       .after = ".",
                       .wal_level_cure = "Turn on logical replication in the project's settings."},
    [PLATFORM_CLOUDNATIVEPG] = {.name = "CloudNativePG",
                                .before = "Set ",
                                .after = " under spec.postgresql.parameters of the Cluster."},
};

/* Beginnings of signs. */
static const struct {
    const char *sign;
    enum platform platform;
} signs[] = {
    {"function aurora_version", PLATFORM_AURORA},
    {"role rds_superuser", PLATFORM_RDS},
    {"setting rds.", PLATFORM_RDS},
    {"role azure_pg_admin", PLATFORM_AZURE},
    {"setting azure.", PLATFORM_AZURE},
    {"role cloudsqlsuperuser", PLATFORM_CLOUD_SQL},
    {"setting cloudsql.", PLATFORM_CLOUD_SQL},
    {"role supabase_admin", PLATFORM_SUPABASE},
    {"role neon_superuser", PLATFORM_NEON},
    {"setting neon.", PLATFORM_NEON},
    {"archive /controller/manager", PLATFORM_CLOUDNATIVEPG},
};

/* Ends of host names. */
static const struct {
    const char *domain;
    enum platform platform;
} domains[] = {
    {".rds.amazonaws.com", PLATFORM_RDS}, {".postgres.database.azure.com", PLATFORM_AZURE},
    {".supabase.co", PLATFORM_SUPABASE},  {".supabase.com", PLATFORM_SUPABASE},
    {".neon.tech", PLATFORM_NEON},
};

enum platform platform_of_sign(const char *sign)
{
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (strncmp(sign, signs[i].sign, strlen(signs[i].sign)) == 0) {
            return signs[i].platform;
        }
    }
    return PLATFORM_PLAIN;
}

enum platform platform_of_host(const char *host)
{
    size_t len = strlen(host);

    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
        size_t end = strlen(domains[i].domain);

        if (len > end && strcasecmp(host + len - end, domains[i].domain) == 0) {
            return domains[i].platform;
        }
    }
    return PLATFORM_PLAIN;
}

enum platform platform_join(enum platform a, enum platform b)
{
    if (a == PLATFORM_PLAIN || b == PLATFORM_PLAIN) {
        return a == PLATFORM_PLAIN ? b : a;
    }
    return a < b ? a : b; /* Aurora has RDS's signs too */
}

const char *platform_name(enum platform platform)
{
    return platforms[platform].name;
}

void platform_cure(enum platform platform, const char *name, const char *value, struct buffer *out)
{
    const char *other = platforms[platform].wal_level_cure;

    if (other != NULL && strcmp(name, "wal_level") == 0) {
        buffer_text(out, other);
    } else {
        buffer_format(out, "%s%s = %s%s", platforms[platform].before, name, value,
                      platforms[platform].after);
    }
}

const char *platform_replication_role(enum platform platform)
{
    return platforms[platform].replication_role;
}
