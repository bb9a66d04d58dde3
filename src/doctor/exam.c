#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "doctor/state.h"
#include "server/hints.h"
#include "wire/servererror.h"

#define STEP_PATIENCE_US  (10 * CLOCK_S) /* for an answer, and for a slot */
#define AGAIN_PATIENCE_US (2 * CLOCK_S)  /* for the next slot, when one has taken too long */
#define CANCEL_GRACE_US   (2 * CLOCK_S)  /* for the server to give up making the slot */
#define CANCELS_MAX       3U             /* for one slot */
#define STRAYS_MAX        3U             /* signals of a cancel that hit a later command */

static bool has(const struct exam *exam, enum side side)
{
    return exam->login[side] != NULL;
}

static void close_side(struct exam *exam, enum side side)
{
    if (side == SIDE_SENDER) { /* whose address it borrows */
        cancel_free(exam->cancel);
        exam->cancel = NULL;
    }
    login_free(exam->login[side]);
    exam->login[side] = NULL;
}

static void close_all(struct exam *exam)
{
    for (int side = 0; side < SIDES; side++) {
        close_side(exam, (enum side)side);
    }
}

static void fail(struct exam *exam)
{
    error_memory(&exam->fatal);
}

/* ---- entering a state ---- */

static void login_failed(struct exam *exam, struct error *error, int64_t now_us);

static void start_query(struct exam *exam)
{
    if (!question_start(exam)) {
        fail(exam);
    }
}

static void start_login(struct exam *exam, int64_t now_us)
{
    enum side side = question_side(exam->state);
    const struct conninfo *info =
        side == SIDE_REPLICA ? &exam->config->visible_on[exam->replica] : &exam->config->info;
    const struct conn *sender = exam_conn(exam, SIDE_SENDER);
    struct error error;

    exam->login[side] =
        login_start(info, side == SIDE_ORDINARY && sender != NULL ? conn_address(sender) : NULL,
                    side == SIDE_SENDER, now_us, &error);
    if (exam->login[side] == NULL) {
        login_failed(exam, &error, now_us);
    }
}

/* The one transition: enters the first state from `state` on that applies, or just that one. */
static void enter(struct exam *exam, enum exam_state state, bool just, int64_t now_us)
{
    while (!just && !question_applies(exam, state)) {
        state = (enum exam_state)(state + 1);
    }
    exam->state = state;
    exam->entered_us = now_us;
    switch (state) {
    case EXAM_SENDER_LOGIN:
    case EXAM_ORDINARY_LOGIN:
    case EXAM_REPLICA_LOGIN:
        start_login(exam, now_us);
        break;
    case EXAM_CANCEL: /* the query goes on */
        break;
    case EXAM_OVER:
        if (exam->encoding != NULL && !exam->facts.known[FACT_IDENTITY]) {
            connecting_report_sender(exam);
        }
        close_all(exam);
        break;
    case EXAM_TRIP:
        if (!trip_start(exam, now_us)) {
            fail(exam);
        }
        break;
    case EXAM_SLOT:
    case EXAM_TRIP_SLOT:
        exam->cancels = 0;
        if (!slot_name(exam->slot)) {
            error_set(&exam->fatal, ERROR_FATAL, "could not make a slot name: no randomness");
        }
        start_query(exam);
        break;
    default:
        start_query(exam);
        break;
    }
}

static void follow(struct exam *exam, int64_t now_us)
{
    enter(exam, (enum exam_state)(exam->state + 1), false, now_us);
}

/* ---- logins ---- */

static void report_version(struct exam *exam, enum side side)
{
    const char *version = conn_server_version(exam_conn(exam, side));

    if (version[0] == '\0' || atoi(version) >= SERVER_VERSION_MIN) {
        report_check(exam->report, CHECK_OK, "server", "PostgreSQL %s",
                     version[0] != '\0' ? version : "of an unknown version");
        return;
    }
    report_check(exam->report, CHECK_FAIL, "server", "PostgreSQL %s is too old", version);
    report_cure(exam->report, "Upgrade the server: pgnudge needs %d or newer.", SERVER_VERSION_MIN);
}

/* The first one to get in: what holds for both is said. */
static void first_login(struct exam *exam, enum side side, int64_t now_us)
{
    const char *encoding = conn_server_encoding(exam_conn(exam, side));

    connecting_report(exam, side, now_us - exam->entered_us);
    report_version(exam, side);
    exam->encoding = encoding_open(encoding);
    exam->facts.encoding = exam->encoding;
    if (exam->encoding == NULL ||
        !tables_init(&exam->tables, exam->config, exam->report, exam->encoding, encoding)) {
        fail(exam);
    }
}

static void logged_in(struct exam *exam, int64_t now_us)
{
    if (exam->state == EXAM_REPLICA_LOGIN) {
        enter(exam, EXAM_REPLICA_FACTS, true, now_us);
        return;
    }
    if (exam->encoding == NULL) {
        first_login(exam, question_side(exam->state), now_us);
    }
    if (report_count(exam->report, CHECK_FAIL) > 0) { /* too old */
        enter(exam, EXAM_OVER, true, now_us);
    } else {
        follow(exam, now_us);
    }
}

static void next_replica(struct exam *exam, int64_t now_us)
{
    close_side(exam, SIDE_REPLICA);
    exam->replica++;
    enter(exam, EXAM_REPLICA_LOGIN, false, now_us);
}

static void login_failed(struct exam *exam, struct error *error, int64_t now_us)
{
    struct login *login = exam->login[question_side(exam->state)];

    if (error->kind == ERROR_FATAL) {
        exam->fatal = *error;
        return;
    }
    switch (exam->state) {
    case EXAM_SENDER_LOGIN:
        exam->login_error = *error;
        exam->failed_at = login != NULL ? login_failed_at(login) : LOGIN_REACHING;
        close_side(exam, SIDE_SENDER);
        if (!question_ordinary_has_prospect(exam)) {
            connecting_report_failure(exam);
        }
        break;
    case EXAM_ORDINARY_LOGIN:
        close_side(exam, SIDE_ORDINARY);
        if (has(exam, SIDE_SENDER)) {
            connecting_report_gate_failure(exam, error);
        } else {
            connecting_report_failure(exam);
        }
        break;
    default:
        connecting_report_replica_failure(exam, error);
        next_replica(exam, now_us);
        return;
    }
    follow(exam, now_us);
}

/* ---- answers ---- */

static void next_plugin(struct exam *exam, enum plugin_verdict verdict, int64_t now_us)
{
    exam->verdicts[exam->plugin] = verdict;
    exam->plugin = (enum plugin)(exam->plugin + 1);
    if (exam->plugin == PLUGINS) {
        plugins_report(exam);
    }
    enter(exam, EXAM_ARM, false, now_us);
}

/* The slot could not be made, for a reason that holds for each. */
static void no_slot(struct exam *exam, struct error *error, int64_t now_us)
{
    enum plugin plugin = exam->plugin < PLUGINS ? exam->plugin : exam_chosen(exam);

    hint_slot(error, &exam->config->info, plugin);
    exam->slot_failed = true;
    report_error(exam->report, CHECK_FAIL, "slot", error, "Look into the server's log.");
    if (exam->plugin < PLUGINS) {
        plugins_report(exam);
    }
    enter(exam, EXAM_REPLICA_LOGIN, false, now_us);
}

/* The making of a slot has been cancelled. */
static void slot_waited(struct exam *exam, int64_t now_us)
{
    if (exam->plugin < PLUGINS) {
        next_plugin(exam, PLUGIN_WAITED, now_us);
        return;
    }
    trip_report_left_out(exam);
    enter(exam, EXAM_REPLICA_LOGIN, false, now_us);
}

static void take_facts(struct exam *exam)
{
    server_report_platform(exam);
    connecting_report_sender(exam);
    server_report(exam);
    connecting_report_gate(exam);
}

/* The stream has done its work, and its slot goes with the connection. */
static void end_trip(struct exam *exam, const struct error *error, int64_t now_us)
{
    trip_report(exam, error, now_us - exam->entered_us);
    stream_free(exam->stream);
    exam->stream = NULL;
    close_side(exam, SIDE_SENDER);
    enter(exam, EXAM_REPLICA_LOGIN, false, now_us);
}

/* The state's question has been answered. */
static void answered(struct exam *exam, int64_t now_us)
{
    switch (exam->state) {
    case EXAM_SENDER_LOGIN:
    case EXAM_ORDINARY_LOGIN:
    case EXAM_REPLICA_LOGIN:
        logged_in(exam, now_us);
        return;
    case EXAM_FACTS:
        take_facts(exam);
        break;
    case EXAM_TABLES:
        if (tables_miss(&exam->tables)) {
            enter(exam, EXAM_NAMES, true, now_us);
            return;
        }
        tables_report_missing(&exam->tables);
        break;
    case EXAM_NAMES:
        tables_report_missing(&exam->tables);
        break;
    case EXAM_BLOCKERS:
        blockers_report(exam);
        break;
    case EXAM_SLOT:
    case EXAM_CANCEL: /* it was made just before */
        enter(exam, exam->plugin < PLUGINS ? EXAM_DROP : EXAM_TRIP_START, true, now_us);
        return;
    case EXAM_DROP:
        next_plugin(exam, PLUGIN_USABLE, now_us);
        return;
    case EXAM_ARM:
    case EXAM_TRIP_ARM:
    case EXAM_TRIP_SLOT:
    case EXAM_TRIP_START:
        enter(exam, (enum exam_state)(exam->state + 1), true, now_us);
        return;
    case EXAM_TRIP:
        end_trip(exam, NULL, now_us);
        return;
    case EXAM_REPLICA_FACTS:
        connecting_report_replica(exam);
        next_replica(exam, now_us);
        return;
    default:
        break;
    }
    follow(exam, now_us);
}

/*
 * A server signals a cancelled process and its group, so a second signal may
 * hit the next command, before that has begun: it is sent again.
 */
static bool was_stray(struct exam *exam, const struct error *error)
{
    return exam->state != EXAM_CANCEL && strcmp(error->sqlstate, "57014") == 0 &&
           exam->strays++ < STRAYS_MAX;
}

static void slot_refused(struct exam *exam, struct error *error, bool lives, int64_t now_us)
{
    if (lives && was_stray(exam, error)) {
        enter(exam, exam->plugin < PLUGINS ? EXAM_ARM : EXAM_TRIP_ARM, true, now_us);
    } else if (lives && exam->state == EXAM_CANCEL) {
        slot_waited(exam, now_us);
    } else if (lives && exam->state == EXAM_SLOT && server_error_refused_plugin(error)) {
        exam->refusals[exam->plugin] = *error;
        next_plugin(exam, PLUGIN_REFUSED, now_us);
    } else {
        close_side(exam, SIDE_SENDER);
        no_slot(exam, error, now_us);
    }
}

/* The server said no, or the connection is lost: then all that rests on it is left out. */
static void refused(struct exam *exam, struct error *error, int64_t now_us)
{
    bool lives = exam->query.ready;

    switch (exam->state) {
    case EXAM_SENDER_LOGIN:
    case EXAM_ORDINARY_LOGIN:
    case EXAM_REPLICA_LOGIN:
        login_failed(exam, error, now_us);
        return;
    case EXAM_TRIP:
        end_trip(exam, error, now_us);
        return;
    case EXAM_REPLICA_FACTS:
        connecting_report_replica_failure(exam, error);
        next_replica(exam, now_us);
        return;
    case EXAM_ARM:
    case EXAM_SLOT:
    case EXAM_TRIP_ARM:
    case EXAM_TRIP_SLOT:
    case EXAM_CANCEL:
        slot_refused(exam, error, lives, now_us);
        return;
    default:
        break;
    }
    if (!lives || !question_is_optional(exam->state)) {
        report_error(exam->report, CHECK_FAIL, question_check(exam->state), error,
                     "Look into the server's log.");
    }
    if (!lives) {
        close_side(exam, exam->side);
    }
    follow(exam, now_us);
}

/* ---- time ---- */

static bool is_login(const struct exam *exam)
{
    return exam->state == EXAM_SENDER_LOGIN || exam->state == EXAM_ORDINARY_LOGIN ||
           exam->state == EXAM_REPLICA_LOGIN;
}

static bool makes_slot(const struct exam *exam)
{
    return exam->state == EXAM_SLOT || exam->state == EXAM_TRIP_SLOT;
}

/* When the state has lasted too long. */
static int64_t patience_ends(const struct exam *exam)
{
    int64_t response_timeout_us = STEP_PATIENCE_US;

    if (is_login(exam)) {
        return CLOCK_NEVER; /* the login has its own */
    }
    if (exam->state == EXAM_CANCEL) {
        response_timeout_us = CANCEL_GRACE_US;
    } else if (makes_slot(exam)) {
        response_timeout_us = question_slots_wait(exam) ? AGAIN_PATIENCE_US : STEP_PATIENCE_US;
        response_timeout_us = clock_earlier(response_timeout_us, exam->config->slot_timeout_us);
    }
    return clock_after(exam->entered_us, response_timeout_us);
}

/* While the server makes the slot it doesn't read: closing would leave the slot until it is done. */
static bool start_cancel(struct exam *exam, int64_t now_us)
{
    struct conn *conn = exam_conn(exam, SIDE_SENDER);
    struct error error;

    if (conn_cancel_key(conn)->len == 0) {
        return false;
    }
    cancel_free(exam->cancel);
    exam->cancels++;
    exam->cancel = cancel_start(conn, &exam->config->info, &error);
    if (exam->cancel != NULL) {
        enter(exam, EXAM_CANCEL, true, now_us);
    }
    return exam->cancel != NULL;
}

static void waited_too_long(struct exam *exam, int64_t now_us)
{
    struct error error;

    /* A request that was taken before the command had begun is lost. */
    bool lost = exam->state == EXAM_CANCEL && exam->cancel == NULL;

    if ((makes_slot(exam) || lost) && exam->cancels < CANCELS_MAX && start_cancel(exam, now_us)) {
        return;
    }
    if (exam->stopping) {
        exam->state = EXAM_OVER;
        return;
    }
    error_set(&error, ERROR_TRANSIENT, "no answer from the server within %.3g s",
              (double)(now_us - exam->entered_us) / (double)CLOCK_S);
    exam->query.ready = false;
    refused(exam, &error, now_us);
}

void exam_stop(struct exam *exam, int64_t now_us)
{
    bool cancelled = exam->state == EXAM_CANCEL ||
                     (makes_slot(exam) && !exam->stopping && start_cancel(exam, now_us));

    if (!cancelled || exam->stopping) {
        exam->state = EXAM_OVER;
    }
    exam->stopping = true;
}

/* ---- the step ---- */

static enum step step_state(struct exam *exam, int64_t now_us, struct error *error)
{
    struct error ignored;

    if (is_login(exam)) {
        return login_step(exam->login[question_side(exam->state)], now_us, error);
    }
    if (exam->state == EXAM_TRIP) {
        return trip_step(exam, now_us, error);
    }
    if (exam->cancel != NULL && cancel_step(exam->cancel, &ignored) != STEP_WAIT) {
        cancel_free(exam->cancel);
        exam->cancel = NULL;
    }
    return query_step(&exam->query, error);
}

void exam_step(struct exam *exam, int64_t now_us)
{
    enum step step = STEP_DONE;
    struct error error;

    while (step != STEP_WAIT && exam->state != EXAM_OVER && exam->fatal.kind == ERROR_NONE) {
        error_clear(&error);
        step = step_state(exam, now_us, &error);
        if (step == STEP_WAIT && now_us >= patience_ends(exam)) {
            waited_too_long(exam, now_us);
        } else if (step != STEP_WAIT && exam->stopping) {
            exam->state = EXAM_OVER; /* the slot is gone, or goes with the connection */
        } else if (step == STEP_DONE) {
            answered(exam, now_us);
        } else if (step == STEP_FAILED && error.kind == ERROR_FATAL) {
            exam->fatal = error;
        } else if (step == STEP_FAILED) {
            refused(exam, &error, now_us);
        }
    }
}

static struct pollfd side_fd(const struct exam *exam, enum side side)
{
    return has(exam, side) ? login_pollfd(exam->login[side]) : (struct pollfd){.fd = -1};
}

void exam_fds(const struct exam *exam, struct pollfd fds[EXAM_FDS])
{
    for (int i = 0; i < EXAM_FDS; i++) {
        fds[i] = (struct pollfd){.fd = -1};
    }
    if (exam->state == EXAM_OVER) {
        return;
    }
    if (exam->state == EXAM_TRIP) {
        fds[1] = side_fd(exam, SIDE_SENDER);
    }
    if (exam->state != EXAM_TRIP || !exam->message_sent) {
        fds[0] = side_fd(exam, is_login(exam) ? question_side(exam->state) : exam->side);
    }
    if (exam->cancel != NULL) {
        fds[2] = cancel_pollfd(exam->cancel);
    }
}

int64_t exam_deadline(const struct exam *exam)
{
    int64_t deadline = patience_ends(exam);

    if (exam->state == EXAM_OVER) {
        return CLOCK_NEVER;
    }
    if (is_login(exam)) {
        return login_deadline(exam->login[question_side(exam->state)]);
    }
    if (exam->state == EXAM_TRIP) {
        deadline = clock_earlier(deadline, conn_pending(exam_conn(exam, SIDE_SENDER))
                                               ? 0
                                               : stream_deadline(exam->stream));
    }
    return deadline;
}

void exam_start(struct exam *exam, const struct feed_config *config, struct report *report,
                int64_t now_us)
{
    *exam = (struct exam){.config = config, .report = report};
    enter(exam, EXAM_SENDER_LOGIN, true, now_us);
}

void exam_free(struct exam *exam)
{
    stream_free(exam->stream);
    close_all(exam);
    tables_free(&exam->tables);
    encoding_close(exam->encoding);
}
