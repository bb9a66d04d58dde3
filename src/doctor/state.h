/*
 * What the doctor's parts share: doctor.c has the loop and the end, exam.c the
 * order of the questions, the others judge the answers.
 */
#ifndef PGNUDGE_DOCTOR_STATE_H
#define PGNUDGE_DOCTOR_STATE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "doctor/platform.h"
#include "doctor/report.h"
#include "doctor/tables.h"
#include "feed/feed.h"
#include "pq/cancel.h"
#include "pq/login.h"
#include "pq/query.h"
#include "repl/command.h"
#include "repl/stream.h"
#include "server/facts.h"
#include "server/serversql.h"

/* In this order, but for what doesn't apply, and ARM to DROP once for each plugin. */
enum exam_state {
    EXAM_SENDER_LOGIN,
    EXAM_ORDINARY_LOGIN,
    EXAM_SENDER_SETTINGS,
    EXAM_SENDER_CHECK,
    EXAM_SENDER_IDENTITY,
    EXAM_ORDINARY_SETTINGS,
    EXAM_ORDINARY_CHECK,
    EXAM_FACTS,
    EXAM_TABLES,
    EXAM_NAMES,
    EXAM_BLOCKERS,
    EXAM_ARM, /* see SQL_DEATH_CHECK: an error, and a second of nothing, disarm it */
    EXAM_SLOT,
    EXAM_CANCEL,
    EXAM_DROP,
    EXAM_TRIP_ARM,
    EXAM_TRIP_SLOT,
    EXAM_TRIP_START,
    EXAM_TRIP,
    EXAM_REPLICA_LOGIN,
    EXAM_REPLICA_FACTS,
    EXAM_OVER
};

/* The connections: the walsender's, the ordinary one like the visibility connection's, one to a replica. */
enum side { SIDE_SENDER, SIDE_ORDINARY, SIDE_REPLICA, SIDES };

enum plugin_verdict {
    PLUGIN_UNTRIED,
    PLUGIN_USABLE,
    PLUGIN_WAITED, /* taken, but the server kept the slot waiting */
    PLUGIN_REFUSED
};

struct exam {
    const struct feed_config *config; /* borrowed, as is the next */
    struct report *report;
    enum exam_state state;
    int64_t entered_us;         /* the state */
    struct login *login[SIDES]; /* they own the connections too */
    struct error login_error;   /* of the walsender's login */
    enum login_stage failed_at; /* … and how far it got */
    struct query query;
    enum side side;              /* of the query */
    char identity[IDENTITY_MAX]; /* the walsender's */
    struct encoding *encoding;
    struct facts facts;
    enum platform platform;
    struct tables tables;
    unsigned blockers;
    enum plugin plugin; /* being tried; PLUGINS: all have been */
    enum plugin_verdict verdicts[PLUGINS];
    struct error refusals[PLUGINS];
    char slot[SLOT_NAME_MAX];
    bool slot_failed; /* for a reason that is no plugin's */
    struct cancel *cancel;
    unsigned cancels;                     /* begun for this slot */
    unsigned strays;                      /* … and their signals that came late */
    struct stream *stream;                /* TRIP */
    bool message_sent;                    /* TRIP: the ordinary connection is through */
    bool came_back;                       /* TRIP */
    size_t replica;                       /* of --visible-on, being looked at */
    char replica_facts[2][SYSTEM_ID_MAX]; /* its system identifier, whether it is one */
    bool stopping;
    struct error fatal; /* memory and the like; ERROR_NONE: all is well */
};

/* ---- exam.c ---- */

/* Begins; a failure is in `fatal`. */
void exam_start(struct exam *exam, const struct feed_config *config, struct report *report,
                int64_t now_us);

/* Goes on as far as it can without waiting; EXAM_OVER says when it is through. */
void exam_step(struct exam *exam, int64_t now_us);

/* Ends it: at once, or, where the server makes a slot, when that has been cancelled. */
void exam_stop(struct exam *exam, int64_t now_us);

#define EXAM_FDS 3

/* What to poll, -1 where there is nothing. */
void exam_fds(const struct exam *exam, struct pollfd fds[EXAM_FDS]);

/* When exam_step must be called whatever poll reports. */
int64_t exam_deadline(const struct exam *exam);

void exam_free(struct exam *exam);

/* The connection of a side, or NULL. */
static inline struct conn *exam_conn(const struct exam *exam, enum side side)
{
    return exam->login[side] != NULL ? login_conn(exam->login[side]) : NULL;
}

/* The plugin that a feed would take; PLUGINS: none. */
enum plugin exam_chosen(const struct exam *exam);

/* ---- questions.c: what each state asks ---- */

/* Whether there is something to do in the state: what it rests on is there. */
bool question_applies(const struct exam *exam, enum exam_state state);

/* Whether an ordinary login may succeed, for all that the walsender's has shown. */
bool question_ordinary_has_prospect(const struct exam *exam);

/* Whether the server has kept a slot waiting. */
bool question_slots_wait(const struct exam *exam);

/* Sends the state's query, on the connection that is there for it. False: out of memory. */
bool question_start(struct exam *exam);

/* Of which connection. */
enum side question_side(enum exam_state state);

/* The check that fails with it. */
const char *question_check(enum exam_state state);

/* Whether a refusal is no failure. */
bool question_is_optional(enum exam_state state);

/* ---- connecting.c: reaching, TLS, login, REPLICATION, the visibility connection ---- */

/* The first login that the server took. */
void connecting_report(struct exam *exam, enum side side, int64_t took_us);

/* The walsender's login failed, and nothing else will say more. */
void connecting_report_failure(struct exam *exam);

/* Whether the walsender was let in. Once, when the facts are known, or won't be. */
void connecting_report_sender(struct exam *exam);

/* The ordinary connection failed, for this error. */
void connecting_report_gate_failure(struct exam *exam, const struct error *error);

/* Whether both connections reached the same server. */
void connecting_report_gate(struct exam *exam);

/* A server of --visible-on: why it can't be asked, or what it said. */
void connecting_report_replica_failure(struct exam *exam, const struct error *error);
void connecting_report_replica(struct exam *exam);

/* ---- server.c: what the facts say ---- */

/* First, since cures depend on it. */
void server_report_platform(struct exam *exam);

void server_report(struct exam *exam);

/* Whether making a slot has a prospect: settings and room. */
bool server_takes_slots(const struct exam *exam);

/* ---- blockers.c: transactions that a slot would wait for ---- */

#define BLOCKERS_MAX 10 /* shown */

extern const char blockers_sql[];
query_row_fn blockers_row; /* `context` is the struct exam */
void blockers_report(struct exam *exam);

/* ---- plugins.c ---- */

/* What makes the server finish a slot that it keeps waiting. */
const char *plugins_waiting_cure(const struct exam *exam);

/* All have been tried. */
void plugins_report(struct exam *exam);

/* The plugin that a feed would take, and options. */
void plugins_recommend(struct exam *exam);

/* ---- trip.c: a message of our own, there and back ---- */

/* The stream has begun: sends it, on the ordinary connection. */
bool trip_start(struct exam *exam, int64_t now_us);

/* Goes on. STEP_DONE: it came back, or (a standby) the stream has answered. */
enum step trip_step(struct exam *exam, int64_t now_us, struct error *error);

/* No slot could be had for it. */
void trip_report_left_out(struct exam *exam);

/* It is over; `error` is NULL where it came back. */
void trip_report(struct exam *exam, const struct error *error, int64_t took_us);

#endif
