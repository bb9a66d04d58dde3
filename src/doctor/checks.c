#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "doctor/state.h"
#include "server/hints.h"
#include "server/pooler.h"
#include "wire/servererror.h"

#define RESPONSE_TIMEOUT_US (10 * CLOCK_S) /* for an answer, and for a slot */
#define SECOND_TIMEOUT_US   (2 * CLOCK_S)  /* for the next slot, when one has taken too long */
#define CANCEL_GRACE_US     (2 * CLOCK_S)  /* for the server to give up making the slot */
#define LEAVE_TIMEOUT_US    (1 * CLOCK_S)  /* for a walsender to end */
#define CANCELS_MAX         3U             /* for one slot */
#define STRAYS_MAX          3U             /* signals of a cancel that hit a later command */

static bool has(const struct checks *checks, enum side side)
{
    return checks->login[side] != NULL;
}

static void close_cancel(struct checks *checks)
{
    cancel_free(checks->cancel);
    checks->cancel = NULL;
}

static void close_side(struct checks *checks, enum side side)
{
    if (side == SIDE_SENDER) { /* whose address it borrows */
        close_cancel(checks);
    }
    login_free(checks->login[side]);
    checks->login[side] = NULL;
}

static void close_all(struct checks *checks)
{
    for (int side = 0; side < SIDES; side++) {
        close_side(checks, (enum side)side);
    }
}

static void fail(struct checks *checks)
{
    error_memory(&checks->fatal);
}

/* ---- entering a state ---- */

static void login_failed(struct checks *checks, struct error *error, int64_t now_us);

static void start_query(struct checks *checks)
{
    if (!question_start(checks)) {
        fail(checks);
    }
}

static void start_login(struct checks *checks, int64_t now_us)
{
    enum side side = question_side(checks->state);
    const struct conninfo *info = side == SIDE_CHANNEL ? channel_info(checks)
                                  : side == SIDE_REPLICA
                                      ? &checks->config->visible_on[checks->replica]
                                      : &checks->config->info;
    const struct conn *sender = checks_conn(checks, SIDE_SENDER);
    struct error error;

    checks->login[side] =
        login_start(info, side == SIDE_ORDINARY && sender != NULL ? conn_address(sender) : NULL,
                    side == SIDE_SENDER, now_us, &error);
    if (checks->login[side] == NULL) {
        login_failed(checks, &error, now_us);
    }
}

/* The one transition: enters the first state from `state` on that applies, or just that one. */
static void enter(struct checks *checks, enum checks_state state, bool just, int64_t now_us)
{
    while (!just && !question_applies(checks, state)) {
        state = (enum checks_state)(state + 1);
    }
    checks->state = state;
    checks->entered_us = now_us;
    switch (state) {
    case CHECKS_SENDER_LEAVES:
        close_cancel(checks);
        checks->side = SIDE_SENDER;
        break;
    case CHECKS_WAL_LOGIN:
    case CHECKS_SENDER_LOGIN:
    case CHECKS_ORDINARY_LOGIN:
    case CHECKS_REPLICA_LOGIN:
    case CHECKS_CHANNEL_LOGIN:
        start_login(checks, now_us);
        break;
    case CHECKS_CANCEL: /* the query goes on */
        break;
    case CHECKS_OVER:
        if (checks->encoding != NULL && !checks->facts.known[FACT_IDENTITY] &&
            checks->config->listen == NULL) {
            connecting_report_sender(checks);
        }
        close_all(checks);
        break;
    case CHECKS_ROUND_TRIP:
        if (!round_trip_start(checks, now_us)) {
            fail(checks);
        }
        break;
    case CHECKS_SLOT:
    case CHECKS_ROUND_TRIP_SLOT:
        checks->cancels = 0;
        if (!slot_name(checks->slot)) {
            error_set(&checks->fatal, ERROR_FATAL,
                      "could not generate a slot name: no source of randomness");
        }
        start_query(checks);
        break;
    default:
        start_query(checks);
        break;
    }
}

static void follow(struct checks *checks, int64_t now_us)
{
    enter(checks, (enum checks_state)(checks->state + 1), false, now_us);
}

/* ---- logins ---- */

static void report_version(struct checks *checks, enum side side)
{
    const char *version = conn_server_version(checks_conn(checks, side));

    if (version[0] == '\0' || conn_server_major(checks_conn(checks, side)) >= SERVER_VERSION_MIN) {
        report_check(checks->report, CHECK_OK, "server", "PostgreSQL %s",
                     version[0] != '\0' ? version : "of an unknown version");
        return;
    }
    report_check(checks->report, CHECK_FAIL, "server", "PostgreSQL %s is too old", version);
    report_fix(checks->report, "Upgrade the server: pgnudge needs %d or newer.",
               SERVER_VERSION_MIN);
}

/* The first one to get in: what holds for both is said. */
static void first_login(struct checks *checks, enum side side, int64_t now_us)
{
    const char *encoding = conn_server_encoding(checks_conn(checks, side));

    connecting_report(checks, side, now_us - checks->entered_us);
    report_version(checks, side);
    checks->encoding = encoding_open(encoding);
    checks->facts.encoding = checks->encoding;
    if (checks->encoding == NULL ||
        !tables_init(&checks->tables, checks->config, checks->report, checks->encoding, encoding)) {
        fail(checks);
    }
    publication_init(checks);
}

static void logged_in(struct checks *checks, int64_t now_us)
{
    if (checks->state == CHECKS_REPLICA_LOGIN || checks->state == CHECKS_WAL_LOGIN) {
        enter(checks, (enum checks_state)(checks->state + 1), true, now_us);
        return;
    }
    checks->had_sender |= checks->state == CHECKS_SENDER_LOGIN;
    if (checks->encoding == NULL) {
        first_login(checks, question_side(checks->state), now_us);
    }
    if (report_count(checks->report, CHECK_FAIL) > 0) { /* too old */
        enter(checks, CHECKS_OVER, true, now_us);
    } else {
        follow(checks, now_us);
    }
}

static void next_replica(struct checks *checks, int64_t now_us)
{
    close_side(checks, SIDE_REPLICA);
    checks->replica++;
    enter(checks, CHECKS_REPLICA_LOGIN, false, now_us);
}

/* WAL is streamed, or is not, for this error: the connection has served. */
static void end_wal(struct checks *checks, const struct error *error, int64_t now_us)
{
    transport_report(checks, error);
    close_side(checks, SIDE_SENDER);
    enter(checks, CHECKS_REPLICA_LOGIN, false, now_us);
}

static void channel_failed(struct checks *checks, const struct error *error, int64_t now_us)
{
    channel_report_failure(checks, error);
    close_side(checks, SIDE_CHANNEL);
    enter(checks, CHECKS_OVER, true, now_us);
}

static void login_failed(struct checks *checks, struct error *error, int64_t now_us)
{
    struct login *login = checks->login[question_side(checks->state)];

    if (error->kind == ERROR_FATAL) {
        checks->fatal = *error;
        return;
    }
    switch (checks->state) {
    case CHECKS_SENDER_LOGIN:
        checks->login_error = *error;
        checks->failed_at = login != NULL ? login_failed_at(login) : LOGIN_REACHING;
        close_side(checks, SIDE_SENDER);
        if (!question_ordinary_has_prospect(checks)) {
            connecting_report_failure(checks);
        }
        break;
    case CHECKS_ORDINARY_LOGIN:
        close_side(checks, SIDE_ORDINARY);
        if (has(checks, SIDE_SENDER)) {
            connecting_report_visconn_failure(checks, error);
        } else {
            connecting_report_failure(checks);
        }
        break;
    case CHECKS_CHANNEL_LOGIN:
        channel_failed(checks, error, now_us);
        return;
    case CHECKS_WAL_LOGIN:
        end_wal(checks, error, now_us);
        return;
    default:
        connecting_report_replica_failure(checks, error);
        next_replica(checks, now_us);
        return;
    }
    follow(checks, now_us);
}

/* ---- answers ---- */

static void next_plugin(struct checks *checks, enum plugin_verdict verdict, int64_t now_us)
{
    checks->verdicts[checks->plugin] = verdict;
    checks->plugin = plugins_next(checks, checks->plugin);
    if (checks->plugin == PLUGINS) {
        plugins_report(checks);
    }
    enter(checks, CHECKS_ARM, false, now_us);
}

/* The slot could not be made, for a reason that holds for each. */
static void no_slot(struct checks *checks, struct error *error, int64_t now_us)
{
    enum plugin plugin = checks->plugin < PLUGINS ? checks->plugin : checks_chosen(checks);

    hint_slot(error, &checks->config->info, plugin);
    checks->slot_failed = true;
    report_error(checks->report, CHECK_FAIL, "slot", error, "Check the server log.");
    if (checks->plugin < PLUGINS) {
        plugins_report(checks);
    }
    enter(checks, CHECKS_SENDER_LEAVES, false, now_us);
}

/* The making of a slot has been cancelled. */
static void slot_waited(struct checks *checks, int64_t now_us)
{
    if (checks->plugin < PLUGINS) {
        next_plugin(checks, PLUGIN_WAITED, now_us);
        return;
    }
    round_trip_report_left_out(checks);
    enter(checks, CHECKS_SENDER_LEAVES, false, now_us);
}

static void take_facts(struct checks *checks)
{
    server_report_platform(checks);
    connecting_report_sender(checks);
    server_report(checks);
    connecting_report_visconn(checks);
}

/* The stream has done its work, and its slot goes with the connection. */
static void end_round_trip(struct checks *checks, const struct error *error, int64_t now_us)
{
    round_trip_report(checks, error, now_us - checks->entered_us);
    stream_free(checks->stream);
    checks->stream = NULL;
    enter(checks, CHECKS_SENDER_LEAVES, false, now_us);
}

/* The state's question has been answered. */
static void answered(struct checks *checks, int64_t now_us)
{
    struct error error;

    switch (checks->state) {
    case CHECKS_WAL_LOGIN:
    case CHECKS_SENDER_LOGIN:
    case CHECKS_ORDINARY_LOGIN:
    case CHECKS_REPLICA_LOGIN:
    case CHECKS_CHANNEL_LOGIN:
        logged_in(checks, now_us);
        return;
    case CHECKS_CHANNEL_POOLER:
        if (!pooler_absent(checks_conn(checks, SIDE_CHANNEL), checks->pid, &error)) {
            channel_failed(checks, &error, now_us);
            return;
        }
        break;
    case CHECKS_CHANNEL:
        channel_report(checks);
        break;
    case CHECKS_ORDINARY_POOLER:
        if (!pooler_absent(checks_conn(checks, SIDE_ORDINARY), checks->pid, &error)) {
            connecting_report_visconn_failure(checks, &error);
            close_side(checks, SIDE_ORDINARY);
        }
        break;
    case CHECKS_FACTS:
        take_facts(checks);
        break;
    case CHECKS_TABLES:
        if (tables_miss(&checks->tables)) {
            enter(checks, CHECKS_NAMES, true, now_us);
            return;
        }
        tables_report_missing(&checks->tables);
        break;
    case CHECKS_NAMES:
        tables_report_missing(&checks->tables);
        break;
    case CHECKS_PUBLICATIONS:
        publication_report(checks);
        enter(checks, CHECKS_PUBLISHED, true, now_us);
        return;
    case CHECKS_PUBLISHED:
        publication_keyless_report(checks);
        break;
    case CHECKS_KEY_TABLES:
        if (checks->keys.len > 0) {
            enter(checks, CHECKS_KEYS, true, now_us);
            return;
        }
        break;
    case CHECKS_KEYS:
        keys_report(checks);
        break;
    case CHECKS_BLOCKERS:
        blockers_report(checks);
        break;
    case CHECKS_SLOT:
    case CHECKS_CANCEL: /* it was made just before */
        enter(checks, checks->plugin < PLUGINS ? CHECKS_DROP : CHECKS_ROUND_TRIP_START, true,
              now_us);
        return;
    case CHECKS_DROP:
        next_plugin(checks, PLUGIN_USABLE, now_us);
        return;
    case CHECKS_ARM:
    case CHECKS_ROUND_TRIP_ARM:
    case CHECKS_ROUND_TRIP_SLOT:
    case CHECKS_ROUND_TRIP_START:
    case CHECKS_WAL_POSITION:
        enter(checks, (enum checks_state)(checks->state + 1), true, now_us);
        return;
    case CHECKS_ROUND_TRIP:
        end_round_trip(checks, NULL, now_us);
        return;
    case CHECKS_WAL_START:
        end_wal(checks, NULL, now_us);
        return;
    case CHECKS_SENDER_LEAVES:
        close_side(checks, SIDE_SENDER);
        break;
    case CHECKS_REPLICA_FACTS:
        connecting_report_replica(checks);
        next_replica(checks, now_us);
        return;
    default:
        break;
    }
    follow(checks, now_us);
}

/*
 * A server signals a cancelled process and its group, so a second signal may
 * hit the next command, before that has begun: it is sent again.
 */
static bool was_stray(struct checks *checks, const struct error *error)
{
    return checks->state != CHECKS_CANCEL && strcmp(error->sqlstate, "57014") == 0 &&
           checks->strays++ < STRAYS_MAX;
}

static void slot_refused(struct checks *checks, struct error *error, bool lives, int64_t now_us)
{
    if (lives && was_stray(checks, error)) {
        enter(checks, checks->plugin < PLUGINS ? CHECKS_ARM : CHECKS_ROUND_TRIP_ARM, true, now_us);
    } else if (lives && checks->state == CHECKS_CANCEL) {
        slot_waited(checks, now_us);
    } else if (lives && checks->state == CHECKS_SLOT && server_error_refused_plugin(error)) {
        checks->refusals[checks->plugin] = *error;
        next_plugin(checks, PLUGIN_REFUSED, now_us);
    } else {
        close_side(checks, SIDE_SENDER);
        no_slot(checks, error, now_us);
    }
}

/* The server said no, or the connection is lost: then all that rests on it is left out. */
static void refused(struct checks *checks, struct error *error, int64_t now_us)
{
    bool lives = checks->query.ready;

    switch (checks->state) {
    case CHECKS_WAL_LOGIN:
    case CHECKS_SENDER_LOGIN:
    case CHECKS_ORDINARY_LOGIN:
    case CHECKS_REPLICA_LOGIN:
    case CHECKS_CHANNEL_LOGIN:
        login_failed(checks, error, now_us);
        return;
    case CHECKS_ROUND_TRIP:
        end_round_trip(checks, error, now_us);
        return;
    case CHECKS_WAL_POSITION:
    case CHECKS_WAL_START:
        end_wal(checks, error, now_us);
        return;
    case CHECKS_SENDER_LEAVES: /* it takes its time */
        answered(checks, now_us);
        return;
    case CHECKS_REPLICA_FACTS:
        connecting_report_replica_failure(checks, error);
        next_replica(checks, now_us);
        return;
    case CHECKS_ARM:
    case CHECKS_SLOT:
    case CHECKS_ROUND_TRIP_ARM:
    case CHECKS_ROUND_TRIP_SLOT:
    case CHECKS_CANCEL:
        slot_refused(checks, error, lives, now_us);
        return;
    default:
        break;
    }
    if (!lives || !question_is_optional(checks->state)) {
        report_error(checks->report, CHECK_FAIL, question_check(checks->state), error,
                     "Check the server log.");
    }
    if (!lives) {
        close_side(checks, checks->side);
    }
    follow(checks, now_us);
}

/* ---- time ---- */

static bool is_login(const struct checks *checks)
{
    return checks->state == CHECKS_WAL_LOGIN || checks->state == CHECKS_SENDER_LOGIN ||
           checks->state == CHECKS_ORDINARY_LOGIN || checks->state == CHECKS_REPLICA_LOGIN ||
           checks->state == CHECKS_CHANNEL_LOGIN;
}

static bool makes_slot(const struct checks *checks)
{
    return checks->state == CHECKS_SLOT || checks->state == CHECKS_ROUND_TRIP_SLOT;
}

/* When the state has lasted too long. */
static int64_t response_due(const struct checks *checks)
{
    int64_t response_timeout_us = RESPONSE_TIMEOUT_US;

    if (is_login(checks)) {
        return CLOCK_NEVER; /* the login has its own */
    }
    if (checks->state == CHECKS_SENDER_LEAVES) {
        response_timeout_us = LEAVE_TIMEOUT_US;
    } else if (checks->state == CHECKS_CANCEL) {
        response_timeout_us = CANCEL_GRACE_US;
    } else if (makes_slot(checks)) {
        response_timeout_us = question_slots_wait(checks) ? SECOND_TIMEOUT_US : RESPONSE_TIMEOUT_US;
        response_timeout_us = clock_earlier(response_timeout_us, checks->config->slot_timeout_us);
    }
    return clock_after(checks->entered_us, response_timeout_us);
}

/* While the server makes the slot it doesn't read: closing would leave the slot until it is done. */
static bool start_cancel(struct checks *checks, int64_t now_us)
{
    struct conn *conn = checks_conn(checks, SIDE_SENDER);
    struct error error;

    if (conn_cancel_key(conn)->len == 0) {
        return false;
    }
    cancel_free(checks->cancel);
    checks->cancels++;
    checks->cancel = cancel_start(conn, &checks->config->info, &error);
    if (checks->cancel != NULL) {
        enter(checks, CHECKS_CANCEL, true, now_us);
    }
    return checks->cancel != NULL;
}

static void waited_too_long(struct checks *checks, int64_t now_us)
{
    struct error error;

    /* A request that was taken before the command had begun is lost. */
    bool lost = checks->state == CHECKS_CANCEL && checks->cancel == NULL;

    if ((makes_slot(checks) || lost) && checks->cancels < CANCELS_MAX &&
        start_cancel(checks, now_us)) {
        return;
    }
    if (checks->stopping) {
        checks->state = CHECKS_OVER;
        return;
    }
    error_set(&error, ERROR_TRANSIENT, "no answer from the server within %.3g s",
              (double)(now_us - checks->entered_us) / (double)CLOCK_S);
    checks->query.ready = false;
    refused(checks, &error, now_us);
}

void checks_stop(struct checks *checks, int64_t now_us)
{
    bool cancelled = checks->state == CHECKS_CANCEL ||
                     (makes_slot(checks) && !checks->stopping && start_cancel(checks, now_us));

    if (!cancelled || checks->stopping) {
        checks->state = CHECKS_OVER;
    }
    checks->stopping = true;
}

/* ---- the step ---- */

static enum step step_state(struct checks *checks, int64_t now_us, struct error *error)
{
    struct error ignored;

    if (is_login(checks)) {
        return login_step(checks->login[question_side(checks->state)], now_us, error);
    }
    if (checks->state == CHECKS_ROUND_TRIP) {
        return round_trip_step(checks, now_us, error);
    }
    if (checks->state == CHECKS_SENDER_LEAVES) {
        return conn_leave(checks_conn(checks, SIDE_SENDER));
    }
    if (checks->cancel != NULL && cancel_step(checks->cancel, &ignored) != STEP_WAIT) {
        close_cancel(checks);
    }
    return query_step(&checks->query, error);
}

void checks_step(struct checks *checks, int64_t now_us)
{
    enum step step = STEP_DONE;
    struct error error;

    while (step != STEP_WAIT && checks->state != CHECKS_OVER && checks->fatal.kind == ERROR_NONE) {
        error_clear(&error);
        step = step_state(checks, now_us, &error);
        if (step == STEP_WAIT && now_us >= response_due(checks)) {
            waited_too_long(checks, now_us);
        } else if (step != STEP_WAIT && checks->stopping) {
            checks->state = CHECKS_OVER; /* the slot is gone, or goes with the connection */
        } else if (step == STEP_DONE) {
            answered(checks, now_us);
        } else if (step == STEP_FAILED && error.kind == ERROR_FATAL) {
            checks->fatal = error;
        } else if (step == STEP_FAILED) {
            refused(checks, &error, now_us);
        }
    }
}

static struct pollfd side_fd(const struct checks *checks, enum side side)
{
    return has(checks, side) ? login_pollfd(checks->login[side]) : (struct pollfd){.fd = -1};
}

void checks_fds(const struct checks *checks, struct pollfd fds[CHECKS_FDS])
{
    for (int i = 0; i < CHECKS_FDS; i++) {
        fds[i] = (struct pollfd){.fd = -1};
    }
    if (checks->state == CHECKS_OVER) {
        return;
    }
    if (checks->state == CHECKS_ROUND_TRIP) {
        fds[1] = side_fd(checks, SIDE_SENDER);
    }
    if (checks->state != CHECKS_ROUND_TRIP || !checks->message_sent) {
        fds[0] = side_fd(checks, is_login(checks) ? question_side(checks->state) : checks->side);
    }
    if (checks->cancel != NULL) {
        fds[2] = cancel_pollfd(checks->cancel);
    }
}

int64_t checks_deadline(const struct checks *checks)
{
    int64_t deadline = response_due(checks);

    if (checks->state == CHECKS_OVER) {
        return CLOCK_NEVER;
    }
    if (checks->fatal.kind != ERROR_NONE) {
        return 0; /* there may be no login */
    }
    if (is_login(checks)) {
        return login_deadline(checks->login[question_side(checks->state)]);
    }
    if (checks->state == CHECKS_ROUND_TRIP) {
        deadline = clock_earlier(deadline, conn_pending(checks_conn(checks, SIDE_SENDER))
                                               ? 0
                                               : stream_deadline(checks->stream));
    }
    return deadline;
}

void checks_start(struct checks *checks, const struct feed_config *config, struct report *report,
                  int64_t now_us)
{
    *checks = (struct checks){.config = config, .report = report};
    checks->plugin = config->publication_count > 0 ? PLUGIN_PGOUTPUT : (enum plugin)0;
    enter(checks, config->listen != NULL ? CHECKS_CHANNEL_LOGIN : CHECKS_SENDER_LOGIN, true,
          now_us);
}

void checks_free(struct checks *checks)
{
    stream_free(checks->stream);
    close_all(checks);
    tables_free(&checks->tables);
    keys_free(&checks->keys);
    encoding_close(checks->encoding);
}
