#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "doctor/state.h"
#include "server/hints.h"

#define VERIFY_CURE                                                                                \
    "sslmode=verify-full sslrootcert=FILE, where FILE has the certificate of the server's CA"

static bool is_loopback(const struct address *address)
{
    const struct sockaddr *at = (const struct sockaddr *)&address->storage;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;

    return (at->sa_family == AF_INET && ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET) ||
           (at->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr));
}

static void report_plain(struct exam *exam, const struct address *address)
{
    if (address_is_unix(address)) {
        report_check(exam->report, CHECK_OK, "tls", "not needed on a Unix-domain socket");
    } else if (is_loopback(address)) {
        report_check(exam->report, CHECK_OK, "tls", "none, on an address of this machine");
    } else {
        report_check(exam->report, CHECK_WARN, "tls",
                     "none: whoever is in between can read and change all that is sent");
        report_cure(exam->report, VERIFY_CURE);
    }
}

static void report_tls(struct exam *exam, const struct conn *conn)
{
    const struct tls *tls = conn_tls(conn);
    const char *version;

    if (tls == NULL) {
        report_plain(exam, conn_address(conn));
        return;
    }
    version = tls_version(tls);
    if (!tls_verified(tls)) {
        report_check(exam->report, CHECK_WARN, "tls",
                     "%s, the server not verified: somebody in between could pose as it", version);
        report_cure(exam->report, VERIFY_CURE);
    } else if (exam->config->info.sslmode != SSLMODE_VERIFY_FULL) {
        report_check(exam->report, CHECK_WARN, "tls",
                     "%s, the server's certificate verified, but not its name: whoever has a "
                     "certificate of the same CA could pose as it",
                     version);
        report_cure(exam->report, "sslmode=verify-full");
    } else {
        report_check(exam->report, CHECK_OK, "tls",
                     "%s, the server's certificate and name verified", version);
    }
}

void connecting_report(struct exam *exam, enum side side, int64_t took_us)
{
    const struct conninfo *info = &exam->config->info;
    const struct conn *conn = exam_conn(exam, side);

    report_check(exam->report, CHECK_OK, "reachability", "%s, logged in after %.1f ms",
                 conn_address(conn)->text, (double)took_us / (double)CLOCK_MS);
    report_tls(exam, conn);
    report_check(exam->report, CHECK_OK, "login", "user \"%s\", database \"%s\", by %s",
                 conninfo_text(info, CONN_USER), conninfo_text(info, CONN_DBNAME),
                 login_method(exam->login[side]));
}

void connecting_report_failure(struct exam *exam)
{
    struct error *error = &exam->login_error;

    hint_login(error, &exam->config->info);
    switch (exam->failed_at) {
    case LOGIN_REACHING:
        report_error(exam->report, CHECK_FAIL, "reachability", error,
                     "Check host and port, that the server runs and listens there "
                     "(listen_addresses), and what filters the network in between.");
        return;
    case LOGIN_ENCRYPTING:
        report_check(exam->report, CHECK_OK, "reachability", "the server can be reached");
        report_error(exam->report, CHECK_FAIL, "tls", error,
                     "Check sslmode and sslrootcert, and the server's ssl and ssl_cert_file.");
        return;
    case LOGIN_ANSWERED:
        report_check(exam->report, CHECK_OK, "reachability", "the server answers");
        report_error(exam->report, CHECK_FAIL, "login", error,
                     "Check user, password and database, and the server's log.");
        return;
    }
}

static bool walsenders_are_full(const struct exam *exam)
{
    return strcmp(exam->login_error.sqlstate, "53300") == 0 &&
           facts_number(&exam->facts, FACT_SENDERS) >= facts_number(&exam->facts, FACT_MAX_SENDERS);
}

/* The same role was let in to the same database: only REPLICATION can be lacking. */
static void hint_replication(struct exam *exam)
{
    const char *role = platform_replication_role(exam->platform);
    struct buffer user = {0};

    sql_identifier(&user, slice_of(conninfo_text(&exam->config->info, CONN_USER)));
    buffer_byte(&user, '\0');
    if (user.failed) {
        error_memory(&exam->fatal);
    } else if (role != NULL) {
        error_hint(&exam->login_error, "GRANT %s TO %s;", role, user.data);
    } else {
        error_hint(&exam->login_error, "ALTER ROLE %s REPLICATION;", user.data);
    }
    buffer_free(&user);
}

void connecting_report_sender(struct exam *exam)
{
    struct error *error = &exam->login_error;

    if (error->kind == ERROR_NONE) {
        report_check(exam->report, CHECK_OK, "replication", "the server starts a walsender");
        return;
    }
    if (walsenders_are_full(exam)) {
        return; /* the check of the walsenders says it */
    }
    if (strcmp(error->sqlstate, "42501") == 0) {
        hint_replication(exam);
    } else {
        hint_login(error, &exam->config->info);
    }
    report_error(exam->report, CHECK_FAIL, "replication", error,
                 "Connect to the server itself, and check the server's log.");
}

void connecting_report_gate_failure(struct exam *exam, const struct error *error)
{
    struct error hinted = *error;

    hint_login(&hinted, &exam->config->info);
    report_error(exam->report, exam->config->visibility_check ? CHECK_FAIL : CHECK_WARN, "gate",
                 &hinted,
                 "pgnudge needs a second, ordinary connection: raise the role's CONNECTION LIMIT "
                 "to at least 2, and max_connections.");
}

void connecting_report_gate(struct exam *exam)
{
    const char *identity = exam->facts.text[FACT_IDENTITY];

    if (exam->login[SIDE_SENDER] == NULL || exam->login[SIDE_ORDINARY] == NULL ||
        !exam->facts.known[FACT_IDENTITY] || exam->identity[0] == '\0') {
        return;
    }
    if (strcmp(exam->identity, identity) == 0) {
        report_check(exam->report, CHECK_OK, "gate", "a second connection reaches the same server");
    } else {
        report_check(exam->report, CHECK_FAIL, "gate",
                     "the second connection reaches another server");
        report_cure(exam->report, "Connect past the load balancer, to one server.");
    }
}

/* ---- replicas ---- */

void connecting_report_replica_failure(struct exam *exam, const struct error *error)
{
    struct error hinted = *error;

    hint_login(&hinted, &exam->config->visible_on[exam->replica]);
    report_error(exam->report, CHECK_FAIL, "visible-on", &hinted,
                 "Check host and port of --visible-on: items wait for this server.");
}

void connecting_report_replica(struct exam *exam)
{
    const char *where = conn_address(exam_conn(exam, SIDE_REPLICA))->text;

    if (strcmp(exam->replica_facts[0], exam->facts.text[FACT_SYSTEM_ID]) != 0) {
        report_check(exam->report, CHECK_FAIL, "visible-on", "%s belongs to another cluster",
                     where);
        report_cure(exam->report, "Name a physical replica of the main server with --visible-on.");
    } else if (strcmp(exam->replica_facts[1], "true") != 0) {
        report_check(exam->report, CHECK_WARN, "visible-on", "%s is no replica (any more)", where);
        report_cure(exam->report, "Leave out --visible-on, or name a replica that is read from.");
    } else {
        report_check(exam->report, CHECK_OK, "visible-on", "%s is a replica of the main server",
                     where);
    }
}
