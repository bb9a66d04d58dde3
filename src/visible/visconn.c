#include "visible/visconn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/probe.h"
#include "server/serversql.h"
#include "visible/pace.h"
#include "wire/lsn.h"

/*
 * VISIBILITY_COLUMNS; one row for each running xid, or one with NULL. Prepared once, since parsing
 * and planning take the server longer than the rest.
 */
#define PREPARE_SQL                                                                                \
    "PREPARE pgnudge_visibility AS SELECT pg_catalog.pg_is_in_recovery()::text,"                   \
    " CASE WHEN pg_catalog.pg_is_in_recovery()"                                                    \
    " THEN coalesce(pg_catalog.pg_last_wal_replay_lsn(), '0/0')"                                   \
    " ELSE pg_catalog.pg_current_wal_insert_lsn() END::text,"                                      \
    " pg_catalog.pg_snapshot_xmax(s.now)::text, x::text"                                           \
    " FROM (SELECT pg_catalog.pg_current_snapshot() AS now) s"                                     \
    " LEFT JOIN LATERAL pg_catalog.pg_snapshot_xip(s.now) x ON true"
#define VISIBILITY_SQL "EXECUTE pgnudge_visibility"

enum asking { ASK_NOTHING, ASK_IDENTITY, ASK_VISIBILITY, ASK_QUESTION };

/*
 * 1. `asking` is what the probe is asked; ASK_QUESTION is queue[0].
 * 2. `answered`: queue[0] has its answer, and visconn_complete takes it off; nothing is asked
 *    before that.
 * 3. Nothing but ASK_IDENTITY is asked of a connection that isn't `identified`.
 * 4. `visibility` is complete at any time; rows go into `coming`.
 */
struct visconn {
    struct visconn_setup setup;
    struct probe *probe;
    enum asking asking;
    struct buffer greeting; /* what is asked first, of each connection */
    char identity[IDENTITY_MAX];
    bool identified; /* since the probe came up */
    bool has_worked;
    bool down_reported;
    struct {
        struct question question;
        struct buffer sql;
    } queue[QUESTIONS_MAX]; /* the first is next, or under way, or answered */
    size_t queued;
    bool answered;     /* the first is */
    uint64_t position; /* what the stream has received so far */
    int64_t alive_us;
    struct pace pace;             /* of visibility_check */
    struct visibility visibility; /* complete */
    struct visibility coming;     /* its rows are still being taken */
};

struct visconn *visconn_new(const struct visconn_setup *setup, int64_t now_us)
{
    struct visconn *visconn = calloc(1, sizeof(*visconn));
    struct probe_setup probe = {
        .info = setup->info,
        .only = setup->address,
        .response_timeout_us = setup->response_timeout_us,
        .backoff = {.min_us = setup->backoff_min_us, .max_us = setup->backoff_max_us},
    };

    if (visconn == NULL) {
        return NULL;
    }
    visconn->setup = *setup;
    pace_init(&visconn->pace, setup->interval_us, now_us);
    buffer_text(&visconn->greeting, PREPARE_SQL "; ");
    if (setup->prepare != NULL) {
        buffer_text(&visconn->greeting, setup->prepare);
        buffer_text(&visconn->greeting, "; ");
    }
    buffer_append(&visconn->greeting, "SELECT " SQL_IDENTITY, sizeof("SELECT " SQL_IDENTITY));
    visconn->probe = visconn->greeting.failed ? NULL : probe_new(&probe, now_us);
    if (visconn->probe == NULL) {
        visconn_free(visconn);
        return NULL;
    }
    if (!setup->visibility_check) {
        probe_sleep(visconn->probe);
    }
    return visconn;
}

/* ---- rows ---- */

static bool on_identity(void *context, struct query_row *row)
{
    struct visconn *visconn = context;
    struct slice value;

    if (!query_row_next(row, &value)) {
        return false;
    }
    snprintf(visconn->identity, sizeof(visconn->identity), "%.*s", (int)value.len, value.data);
    return true;
}

static bool on_visibility(void *context, struct query_row *row)
{
    struct visibility *visibility = &((struct visconn *)context)->coming;
    struct slice recovery, lsn, xmax, running;
    uint32_t xid;

    if (!query_row_next(row, &recovery) || !query_row_next(row, &lsn) ||
        !query_row_next(row, &xmax) || !query_row_next(row, &running) ||
        !lsn_read(lsn, &visibility->lsn) || !xid_read(xmax, &visibility->snapshot.xmax)) {
        return false;
    }
    visibility->in_recovery = slice_equal(recovery, slice_of("true"));
    return running.data == NULL ||
           (xid_read(running, &xid) && snapshot_add(&visibility->snapshot, xid));
}

/* A question's, or the visibility's that was asked with it. */
static bool on_question(void *context, struct query_row *row)
{
    struct visconn *visconn = context;
    const struct question *question = &visconn->queue[0].question;

    return row->columns == VISIBILITY_COLUMNS ? on_visibility(visconn, row)
                                              : question->on_row(question->context, row);
}

/* ---- questions ---- */

static void begin_visibility(struct visconn *visconn, uint64_t position)
{
    pace_asked(&visconn->pace);
    visconn->coming.asked_at = position;
    snapshot_clear(&visconn->coming.snapshot);
}

static void ask(struct visconn *visconn, enum asking asking, uint64_t position, int64_t now_us)
{
    visconn->asking = asking;
    switch (asking) {
    case ASK_NOTHING:
        break;
    case ASK_IDENTITY:
        probe_ask(visconn->probe, visconn->greeting.data, on_identity, visconn, now_us);
        break;
    case ASK_VISIBILITY:
        begin_visibility(visconn, position);
        probe_ask(visconn->probe, VISIBILITY_SQL, on_visibility, visconn, now_us);
        break;
    case ASK_QUESTION:
        begin_visibility(visconn, position);
        probe_ask(visconn->probe, visconn->queue[0].sql.data, on_question, visconn, now_us);
        break;
    }
}

static void ask_what_is_due(struct visconn *visconn, uint64_t position, int64_t now_us)
{
    if (!probe_ready(visconn->probe) || visconn->asking != ASK_NOTHING) {
        return;
    }
    if (!visconn->identified) {
        ask(visconn, ASK_IDENTITY, position, now_us);
    } else if (visconn->queued > 0) {
        ask(visconn, ASK_QUESTION, position, now_us);
    } else if (visconn->setup.visibility_check && pace_due(&visconn->pace, now_us)) {
        ask(visconn, ASK_VISIBILITY, position, now_us);
    } else if (!visconn->setup.visibility_check) {
        probe_sleep(visconn->probe);
        visconn->identified = false;
    }
}

/* Takes the first question off the queue, and says what became of it. */
static bool end_question(struct visconn *visconn, enum answer answer, int64_t now_us,
                         struct error *error)
{
    struct question question = visconn->queue[0].question;
    struct buffer memory = visconn->queue[0].sql;

    visconn->answered = false;
    visconn->queued--;
    memmove(&visconn->queue[0], &visconn->queue[1], visconn->queued * sizeof(visconn->queue[0]));
    visconn->queue[visconn->queued].sql = memory; /* it serves again */
    return question.on_answer(question.context, answer, now_us, error);
}

static void drop_questions(struct visconn *visconn, int64_t now_us, struct error *error)
{
    while (visconn->queued > 0) {
        end_question(visconn, ANSWER_LOST, now_us, error);
    }
}

static enum visconn_event down(struct visconn *visconn, int64_t now_us, struct error *error)
{
    visconn->asking = ASK_NOTHING;
    drop_questions(visconn, now_us, error);
    visconn->identified = false;
    pace_by(&visconn->pace, 0); /* as soon as it is up again */
    error_prefix(error, "the visibility connection %s",
                 visconn->has_worked ? "was lost" : "could not be made");
    return VISCONN_FAILED;
}

static void end_visibility(struct visconn *visconn, int64_t now_us)
{
    struct visibility older = visconn->visibility;

    visconn->visibility = visconn->coming;
    visconn->visibility.known = true;
    visconn->coming = older; /* its memory serves again */
    snapshot_sort(&visconn->visibility.snapshot);
    pace_answered(&visconn->pace, now_us);
}

static enum visconn_event take_answer(struct visconn *visconn, int64_t now_us, struct error *error)
{
    enum asking answered = visconn->asking;

    visconn->asking = ASK_NOTHING;
    switch (answered) {
    case ASK_IDENTITY:
        if (strcmp(visconn->identity, visconn->setup.identity) != 0) {
            error_set(error, ERROR_TRANSIENT, "it reached another server than the stream");
            error_hint(error, "Is a load balancer in between?");
            probe_reject(visconn->probe, now_us);
            return down(visconn, now_us, error);
        }
        visconn->identified = visconn->has_worked = true;
        if (visconn->down_reported) {
            log_say(visconn->setup.log, LOG_WARNING, "the visibility connection is back");
        }
        visconn->down_reported = false;
        break;
    case ASK_VISIBILITY:
        end_visibility(visconn, now_us);
        return VISCONN_SAW;
    case ASK_QUESTION:
        end_visibility(visconn, now_us);
        visconn->answered = true;
        return VISCONN_SAW;
    case ASK_NOTHING:
        break;
    }
    return VISCONN_NOTHING;
}

enum visconn_event visconn_step(struct visconn *visconn, uint64_t position, int64_t now_us,
                                struct error *error)
{
    enum visconn_event event = VISCONN_NOTHING;

    visconn->position = position;
    switch (probe_step(visconn->probe, now_us, error)) {
    case PROBE_NOTHING:
    case PROBE_UP:
        break;
    case PROBE_ANSWERED:
        visconn->alive_us = now_us;
        event = take_answer(visconn, now_us, error);
        break;
    case PROBE_REFUSED:
        visconn->alive_us = now_us; /* a refusal, too, is an answer */
        if (visconn->asking == ASK_QUESTION && !visconn->queue[0].question.vital) {
            visconn->asking = ASK_NOTHING;
            end_question(visconn, ANSWER_REFUSED, now_us, error);
            break;
        }
        /* Ours are none that a server of 13 or later refuses for long. */
        probe_reject(visconn->probe, now_us);
        event = down(visconn, now_us, error);
        break;
    case PROBE_DOWN:
        visconn->alive_us = error->sqlstate[0] != '\0' ? now_us : visconn->alive_us;
        event = down(visconn, now_us, error);
        break;
    }
    if (!visconn->answered) {
        ask_what_is_due(visconn, position, now_us);
    }
    return event;
}

bool visconn_complete(struct visconn *visconn, int64_t now_us, struct error *error)
{
    if (!visconn->answered) {
        return true;
    }
    if (!end_question(visconn, ANSWER_COMPLETE, now_us, error)) {
        return false;
    }
    ask_what_is_due(visconn, visconn->position, now_us);
    return true;
}

int64_t visconn_alive_us(const struct visconn *visconn)
{
    return visconn->alive_us;
}

bool visconn_has_worked(const struct visconn *visconn)
{
    return visconn->has_worked;
}

void visconn_report_down(struct visconn *visconn, const struct error *error)
{
    struct error told = *error;

    if (visconn->down_reported) {
        return;
    }
    visconn->down_reported = true;
    error_detail(&told, "Items wait until it is back.");
    log_report(visconn->setup.log, LOG_WARNING, &told);
}

void visconn_hurry(struct visconn *visconn, int64_t now_us)
{
    pace_hurry(&visconn->pace, now_us);
}

void visconn_rest(struct visconn *visconn, int64_t now_us)
{
    pace_rest(&visconn->pace, now_us);
}

void visconn_ask_by(struct visconn *visconn, int64_t at_us)
{
    pace_by(&visconn->pace, at_us);
}

bool visconn_ask(struct visconn *visconn, const struct question *question, int64_t now_us)
{
    struct buffer *sql;

    if (visconn->queued == QUESTIONS_MAX) {
        return false;
    }
    sql = &visconn->queue[visconn->queued].sql;
    buffer_clear(sql);
    buffer_text(sql, VISIBILITY_SQL "; ");
    buffer_text(sql, question->sql);
    buffer_byte(sql, '\0');
    if (sql->failed) {
        return false;
    }
    visconn->queue[visconn->queued++].question = *question;
    probe_wake(visconn->probe, now_us);
    return true;
}

const struct visibility *visconn_visibility(const struct visconn *visconn)
{
    return &visconn->visibility;
}

struct pollfd visconn_pollfd(const struct visconn *visconn)
{
    return probe_pollfd(visconn->probe);
}

int64_t visconn_deadline(const struct visconn *visconn)
{
    int64_t deadline = probe_deadline(visconn->probe);

    if (!probe_ready(visconn->probe) || visconn->asking != ASK_NOTHING) {
        return deadline;
    }
    if (!visconn->identified || visconn->queued > 0 || !visconn->setup.visibility_check) {
        return 0;
    }
    return clock_earlier(deadline, visconn->pace.next_us);
}

void visconn_free(struct visconn *visconn)
{
    if (visconn != NULL) {
        probe_free(visconn->probe);
        buffer_free(&visconn->greeting);
        snapshot_free(&visconn->visibility.snapshot);
        snapshot_free(&visconn->coming.snapshot);
        for (size_t i = 0; i < QUESTIONS_MAX; i++) {
            buffer_free(&visconn->queue[i].sql);
        }
        free(visconn);
    }
}
