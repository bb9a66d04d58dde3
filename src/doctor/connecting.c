#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "doctor/state.h"
#include "server/hints.h"

#define VERIFY_FIX                                                                                 \
    "sslmode=verify-full sslrootcert=FILE, where FILE has the certificate of the server's CA"

static bool is_loopback(const struct address *address)
{
    const struct sockaddr *at = (const struct sockaddr *)&address->storage;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;

    return (at->sa_family == AF_INET && ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET) ||
           (at->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr));
}

static void report_plain(struct checks *checks, const struct address *address)
{
    if (address_is_unix(address)) {
        report_check(checks->report, CHECK_OK, "tls", "not needed on a Unix-domain socket");
    } else if (is_loopback(address)) {
        report_check(checks->report, CHECK_OK, "tls", "none, on an address of this machine");
    } else {
        report_check(checks->report, CHECK_WARN, "tls",
                     "none: anyone in between can read and change the traffic");
        report_fix(checks->report, VERIFY_FIX);
    }
}

static void report_tls(struct checks *checks, const struct conn *conn)
{
    const struct tls *tls = conn_tls(conn);
    const char *version;

    if (tls == NULL) {
        report_plain(checks, conn_address(conn));
        return;
    }
    version = tls_version(tls);
    if (!tls_verified(tls)) {
        report_check(checks->report, CHECK_WARN, "tls",
                     "%s, server not verified: anyone in between can impersonate it", version);
        report_fix(checks->report, VERIFY_FIX);
    } else if (checks->config->info.sslmode != SSLMODE_VERIFY_FULL) {
        report_check(checks->report, CHECK_WARN, "tls",
                     "%s, server certificate verified, but not its name: anyone with a certificate "
                     "of the same CA can impersonate it",
                     version);
        report_fix(checks->report, "sslmode=verify-full");
    } else {
        report_check(checks->report, CHECK_OK, "tls", "%s, server certificate and name verified",
                     version);
    }
}

void connecting_report(struct checks *checks, enum side side, int64_t took_us)
{
    const struct conninfo *info = &checks->config->info;
    const struct conn *conn = checks_conn(checks, side);

    report_check(checks->report, CHECK_OK, "reachability", "%s, logged in after %.1f ms",
                 conn_address(conn)->text, (double)took_us / (double)CLOCK_MS);
    report_tls(checks, conn);
    report_check(checks->report, CHECK_OK, "login",
                 "user \"%s\", database \"%s\", authentication: %s", conninfo_text(info, CONN_USER),
                 conninfo_text(info, CONN_DBNAME), login_method(checks->login[side]));
}

void connecting_report_failure(struct checks *checks)
{
    struct error *error = &checks->login_error;

    hint_login(error, &checks->config->info);
    switch (checks->failed_at) {
    case LOGIN_REACHING:
        report_error(checks->report, CHECK_FAIL, "reachability", error,
                     "Check host and port, that the server runs and listens there "
                     "(listen_addresses), and the firewalls in between.");
        return;
    case LOGIN_ENCRYPTING:
        report_check(checks->report, CHECK_OK, "reachability", "the server is reachable");
        report_error(checks->report, CHECK_FAIL, "tls", error,
                     "Check sslmode and sslrootcert, and the server's ssl and ssl_cert_file.");
        return;
    case LOGIN_ANSWERED:
        report_check(checks->report, CHECK_OK, "reachability", "the server answers");
        report_error(checks->report, CHECK_FAIL, "login", error,
                     "Check user, password and database, and the server log.");
        return;
    }
}

static bool walsenders_are_full(const struct checks *checks)
{
    return strcmp(checks->login_error.sqlstate, "53300") == 0 &&
           facts_number(&checks->facts, FACT_SENDERS) >=
               facts_number(&checks->facts, FACT_MAX_SENDERS);
}

/* The same role was let in to the same database: only REPLICATION can be lacking. */
static void hint_replication(struct checks *checks)
{
    const char *role = platform_replication_role(checks->platform);
    struct buffer user = {0};

    sql_identifier(&user, slice_of(conninfo_text(&checks->config->info, CONN_USER)));
    buffer_byte(&user, '\0');
    if (user.failed) {
        error_memory(&checks->fatal);
    } else if (role != NULL) {
        error_hint(&checks->login_error, "GRANT %s TO %s;", role, user.data);
    } else {
        error_hint(&checks->login_error, "ALTER ROLE %s REPLICATION;", user.data);
    }
    buffer_free(&user);
}

void connecting_report_sender(struct checks *checks)
{
    struct error *error = &checks->login_error;

    if (error->kind == ERROR_NONE) {
        report_check(checks->report, CHECK_OK, "replication", "the server starts a walsender");
        return;
    }
    if (walsenders_are_full(checks)) {
        return; /* the check of the walsenders says it */
    }
    if (strcmp(error->sqlstate, "42501") == 0) {
        hint_replication(checks);
    } else {
        hint_login(error, &checks->config->info);
    }
    report_error(checks->report, CHECK_FAIL, "replication", error,
                 "Connect to the server itself, and check the server log.");
}

void connecting_report_visconn_failure(struct checks *checks, const struct error *error)
{
    struct error hinted = *error;

    hint_login(&hinted, &checks->config->info);
    report_error(checks->report, checks->config->visibility_check ? CHECK_FAIL : CHECK_WARN,
                 "visibility connection", &hinted,
                 "pgnudge needs an ordinary connection besides the stream: raise the role's "
                 "CONNECTION LIMIT "
                 "to at least 2, and max_connections.");
}

void connecting_report_visconn(struct checks *checks)
{
    const char *identity = checks->facts.text[FACT_IDENTITY];

    if (checks->login[SIDE_SENDER] == NULL || checks->login[SIDE_ORDINARY] == NULL ||
        !checks->facts.known[FACT_IDENTITY] || checks->identity[0] == '\0') {
        return;
    }
    if (strcmp(checks->identity, identity) == 0) {
        report_check(checks->report, CHECK_OK, "visibility connection",
                     "an ordinary connection reaches the same server");
    } else {
        report_check(checks->report, CHECK_FAIL, "visibility connection",
                     "an ordinary connection reaches another server");
        report_fix(checks->report, "Connect past the load balancer, to one server.");
    }
}

/* ---- replicas ---- */

void connecting_report_replica_failure(struct checks *checks, const struct error *error)
{
    struct error hinted = *error;

    hint_login(&hinted, &checks->config->visible_on[checks->replica]);
    report_error(checks->report, CHECK_FAIL, "visible-on", &hinted,
                 "Check host and port of --visible-on: items wait for this server.");
}

void connecting_report_replica(struct checks *checks)
{
    const char *where = conn_address(checks_conn(checks, SIDE_REPLICA))->text;

    if (strcmp(checks->replica_facts[0], checks->facts.text[FACT_SYSTEM_ID]) != 0) {
        report_check(checks->report, CHECK_FAIL, "visible-on", "%s belongs to another cluster",
                     where);
        report_fix(checks->report, "Name a physical replica of the main server with --visible-on.");
    } else if (strcmp(checks->replica_facts[1], "true") != 0) {
        report_check(checks->report, CHECK_WARN, "visible-on", "%s is no replica (any more)",
                     where);
        report_fix(checks->report, "Leave out --visible-on, or name a replica that is read from.");
    } else {
        report_check(checks->report, CHECK_OK, "visible-on", "%s is a replica of the main server",
                     where);
    }
}
