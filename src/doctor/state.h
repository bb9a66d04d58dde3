/*
 * What the doctor's parts share: doctor.c has the loop and the end, checks.c the
 * order of the questions, the others judge the answers.
 */
#ifndef PGNUDGE_DOCTOR_STATE_H
#define PGNUDGE_DOCTOR_STATE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "batch/definition.h"
#include "bridge/channel.h"
#include "catalog/publications.h"
#include "doctor/report.h"
#include "doctor/tables.h"
#include "feed/feed.h"
#include "pq/cancel.h"
#include "pq/login.h"
#include "pq/query.h"
#include "repl/command.h"
#include "repl/stream.h"
#include "server/facts.h"
#include "server/platform.h"
#include "server/serversql.h"

/* In this order, but for what doesn't apply, and ARM to DROP once for each plugin. */
enum checks_state {
    CHECKS_SENDER_LOGIN,
    CHECKS_ORDINARY_LOGIN,
    CHECKS_SENDER_SETTINGS,
    CHECKS_SENDER_CHECK,
    CHECKS_SENDER_IDENTITY,
    CHECKS_ORDINARY_POOLER,
    CHECKS_ORDINARY_SETTINGS,
    CHECKS_ORDINARY_CHECK,
    CHECKS_FACTS,
    CHECKS_TABLES,
    CHECKS_NAMES,
    CHECKS_PUBLICATIONS,
    CHECKS_PUBLISHED,
    CHECKS_KEY_TABLES,
    CHECKS_KEYS,
    CHECKS_BLOCKERS,
    CHECKS_ARM, /* see SQL_DEATH_CHECK: an error, and a second of nothing, disarm it */
    CHECKS_SLOT,
    CHECKS_CANCEL,
    CHECKS_DROP,
    CHECKS_ROUND_TRIP_ARM,
    CHECKS_ROUND_TRIP_SLOT,
    CHECKS_ROUND_TRIP_START,
    CHECKS_ROUND_TRIP,
    CHECKS_SENDER_LEAVES, /* the next one may need its place */
    CHECKS_WAL_LOGIN,     /* the walsender's connection anew */
    CHECKS_WAL_POSITION,
    CHECKS_WAL_START,
    CHECKS_REPLICA_LOGIN,
    CHECKS_REPLICA_FACTS,
    CHECKS_CHANNEL_LOGIN, /* with --listen the first state */
    CHECKS_CHANNEL_POOLER,
    CHECKS_CHANNEL,
    CHECKS_OVER
};

/* The connections: the walsender's, the ordinary one like the visibility connection's, one to a
 * replica, and one to where --notify and --listen have their channel. */
enum side { SIDE_SENDER, SIDE_ORDINARY, SIDE_REPLICA, SIDE_CHANNEL, SIDES };

enum plugin_verdict {
    PLUGIN_UNTRIED,
    PLUGIN_USABLE,
    PLUGIN_WAITED, /* taken, but the server kept the slot waiting */
    PLUGIN_REFUSED
};

/* With --keys: the watched tables, and what their keys are made of. */
struct keys {
    struct definition **tables; /* held */
    size_t len;
};

/*
 * 1. `query` is under way on login[side] in all states but logins, ROUND_TRIP, SENDER_LEAVES and
 *    OVER.
 * 2. `stream` is there in ROUND_TRIP alone; `cancel` in CANCEL alone, until the server has taken it.
 * 3. A state is entered by enter() alone, which skips those that rest on what isn't there.
 */
struct checks {
    const struct feed_config *config; /* borrowed, as is the next */
    struct report *report;
    enum checks_state state;
    int64_t entered_us;         /* the state */
    struct login *login[SIDES]; /* they own the connections too */
    struct error login_error;   /* of the walsender's login */
    enum login_stage failed_at; /* how far that login got */
    struct query query;
    enum side side;              /* of the query */
    uint32_t pid;                /* who answers on the ordinary connection */
    char identity[IDENTITY_MAX]; /* the walsender's */
    struct encoding *encoding;
    struct facts facts;
    enum platform platform;
    struct tables tables;
    struct publications publications;
    size_t keyless; /* published tables without a replica identity */
    struct keys keys;
    unsigned blockers;
    enum plugin plugin; /* being tried; PLUGINS: all have been */
    enum plugin_verdict verdicts[PLUGINS];
    struct error refusals[PLUGINS];
    char slot[SLOT_NAME_MAX];
    bool had_sender;       /* a walsender's login has succeeded */
    bool has_physical;     /* WAL can be streamed, and read */
    uint64_t wal_position; /* up to where it is flushed */
    bool slot_failed;      /* for a reason that is no plugin's */
    struct cancel *cancel;
    unsigned cancels;                     /* begun for this slot */
    unsigned strays;                      /* cancel signals that came late */
    struct stream *stream;                /* ROUND_TRIP */
    bool message_sent;                    /* ROUND_TRIP: the ordinary connection is through */
    bool came_back;                       /* ROUND_TRIP */
    size_t replica;                       /* of --visible-on, being looked at */
    char replica_facts[2][SYSTEM_ID_MAX]; /* its system identifier, whether it is one */
    struct channel_lock channel;
    bool stopping;
    struct error fatal; /* memory and the like; ERROR_NONE: all is well */
};

/* ---- checks.c ---- */

/* Begins; a failure is in `fatal`. */
void checks_start(struct checks *checks, const struct feed_config *config, struct report *report,
                  int64_t now_us);

/* Goes on as far as it can without waiting; CHECKS_OVER says when it is through. */
void checks_step(struct checks *checks, int64_t now_us);

/* Ends it: at once, or, where the server makes a slot, when that has been cancelled. */
void checks_stop(struct checks *checks, int64_t now_us);

#define CHECKS_FDS 3

/* What to poll, -1 where there is nothing. */
void checks_fds(const struct checks *checks, struct pollfd fds[CHECKS_FDS]);

/* When checks_step must be called whatever poll reports. */
int64_t checks_deadline(const struct checks *checks);

void checks_free(struct checks *checks);

/* The connection of a side, or NULL. */
static inline struct conn *checks_conn(const struct checks *checks, enum side side)
{
    return checks->login[side] != NULL ? login_conn(checks->login[side]) : NULL;
}

/* The plugin that a feed would take; PLUGINS: none. */
enum plugin checks_chosen(const struct checks *checks);

/* ---- questions.c: what each state asks ---- */

/* Whether there is something to do in the state: what it rests on is there. */
bool question_applies(const struct checks *checks, enum checks_state state);

/* Whether an ordinary login may succeed, for all that the walsender's has shown. */
bool question_ordinary_has_prospect(const struct checks *checks);

/* Whether the server has kept a slot waiting. */
bool question_slots_wait(const struct checks *checks);

/* Sends the state's query, on the connection that is there for it. False: out of memory. */
bool question_start(struct checks *checks);

/* Of which connection. */
enum side question_side(enum checks_state state);

/* The check that fails with it. */
const char *question_check(enum checks_state state);

/* Whether a refusal is no failure. */
bool question_is_optional(enum checks_state state);

/* ---- connecting.c: reaching, TLS, login, REPLICATION, the visibility connection ---- */

/* The first login that the server took. */
void connecting_report(struct checks *checks, enum side side, int64_t took_us);

/* The walsender's login failed, and nothing else will say more. */
void connecting_report_failure(struct checks *checks);

/* Whether the walsender was let in. Once, when the facts are known, or won't be. */
void connecting_report_sender(struct checks *checks);

/* The ordinary connection failed, for this error. */
void connecting_report_visconn_failure(struct checks *checks, const struct error *error);

/* Whether both connections reached the same server. */
void connecting_report_visconn(struct checks *checks);

/* A server of --visible-on: why it can't be asked, or what it said. */
void connecting_report_replica_failure(struct checks *checks, const struct error *error);
void connecting_report_replica(struct checks *checks);

/* ---- server.c: what the facts say ---- */

/* First, since fixes depend on it. */
void server_report_platform(struct checks *checks);

void server_report(struct checks *checks);

/* The server's version; 0: not known. */
int checks_major(const struct checks *checks);

/* Whether making a slot has a prospect: settings and room. */
bool server_takes_slots(const struct checks *checks);

/* ---- transport.c: WAL without decoding ---- */

bool transport_is_worth_trying(const struct checks *checks);

/* The server streams WAL, or doesn't, for this error. */
void transport_report(struct checks *checks, const struct error *error);

/* Which transport is better here, and why; after the plugins. */
void transport_recommend(struct checks *checks);

/* ---- channel.c: --notify and --listen ---- */

const char *channel_name(const struct checks *checks);

/* Where it is. Borrowed. */
const struct conninfo *channel_info(const struct checks *checks);

/* Its connection failed, for this error. */
void channel_report_failure(struct checks *checks, const struct error *error);
void channel_report(struct checks *checks);

/* ---- blockers.c: transactions that a slot would wait for ---- */

#define BLOCKERS_MAX 10 /* shown */

extern const char blockers_sql[];
query_row_fn blockers_row; /* `context` is the struct checks */
void blockers_report(struct checks *checks);

/* ---- publication.c: --publication ---- */

void publication_init(struct checks *checks);
void publication_query(struct checks *checks, struct buffer *sql);
void publication_report(struct checks *checks);

/* Published tables on which the server refuses UPDATE and DELETE. */
void publication_keyless_query(struct checks *checks, struct buffer *sql);
query_row_fn publication_keyless_row; /* `context` is the struct checks, as below */
void publication_keyless_report(struct checks *checks);

/* ---- keys.c: --keys ---- */

extern const char keys_tables_sql[];
query_row_fn keys_table_row;
void keys_query(struct checks *checks, struct buffer *sql);
query_row_fn keys_row;
void keys_report(struct checks *checks);
void keys_free(struct keys *keys);

/* ---- plugins.c ---- */

/* The one behind it that is to be tried; PLUGINS: none. */
enum plugin plugins_next(const struct checks *checks, enum plugin plugin);

/* Appends the options of START_REPLICATION. */
void plugins_options(const struct checks *checks, enum plugin plugin, struct buffer *options);

/* Whether it brings logical decoding messages. */
bool plugins_have_messages(const struct checks *checks, enum plugin plugin);

/* What makes the server finish a slot that it keeps waiting. */
const char *plugins_waiting_fix(const struct checks *checks);

/* All have been tried. */
void plugins_report(struct checks *checks);

/* The plugin that a feed would take, and options. */
void plugins_recommend(struct checks *checks);

/* ---- round_trip.c: a message of our own, there and back ---- */

/* The stream has begun: sends it, on the ordinary connection. */
bool round_trip_start(struct checks *checks, int64_t now_us);

/* Goes on. STEP_DONE: it came back, or (a standby) the stream has answered. */
enum step round_trip_step(struct checks *checks, int64_t now_us, struct error *error);

/* No slot could be had for it. */
void round_trip_report_left_out(struct checks *checks);

/* It is over; `error` is NULL where it came back. */
void round_trip_report(struct checks *checks, const struct error *error, int64_t took_us);

#endif
