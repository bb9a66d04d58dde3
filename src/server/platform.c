#include "server/platform.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

static const struct {
    const char *name;
    const char *replication_role; /* that gives REPLICATION; NULL: ALTER ROLE does */
} platforms[PLATFORMS] = {
    [PLATFORM_PLAIN] = {.name = "no managed service detected"},
    [PLATFORM_AURORA] = {"Amazon Aurora", "rds_replication"},
    [PLATFORM_RDS] = {"Amazon RDS", "rds_replication"},
    [PLATFORM_AZURE] = {.name = "Azure Database for PostgreSQL"},
    [PLATFORM_CLOUD_SQL] = {.name = "Google Cloud SQL"},
    [PLATFORM_SUPABASE] = {.name = "Supabase"},
    [PLATFORM_NEON] = {.name = "Neon"},
    [PLATFORM_CLOUDNATIVEPG] = {.name = "CloudNativePG"},
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

void platform_fix(enum platform platform, const char *name, const char *value, struct buffer *out)
{
    if (platform == PLATFORM_PLAIN) {
        buffer_format(out, "ALTER SYSTEM SET %s = %s; -- then restart the server", name, value);
    } else {
        buffer_format(out, "Set %s = %s as pgnudge-setup(7) says for %s, and restart the server.",
                      name, value, platforms[platform].name);
    }
}

const char *platform_replication_role(enum platform platform)
{
    return platforms[platform].replication_role;
}
