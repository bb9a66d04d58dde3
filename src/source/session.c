#include "source/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "catalog/pushdown.h"
#include "catalog/wanted.h"
#include "conninfo/conncheck.h"
#include "decode/plugins.h"
#include "pq/login.h"
#include "pq/query.h"
#include "repl/command.h"
#include "server/facts.h"
#include "server/hints.h"
#include "server/serversql.h"
#include "wal/format.h"
#include "wire/lsn.h"
#include "wire/servererror.h"

#define SLOT_WAIT_REPORTED_US (1 * CLOCK_S) /* after which the wait for the slot is said */

/* The steps from login to live, in this order, as far as they apply. */
enum session_step_id {
    SESSION_SETTINGS,
    SESSION_CHECK,
    SESSION_FACTS,
    SESSION_TIMELINE,
    SESSION_HISTORY,
    SESSION_TABLES,
    SESSION_NEAREST,
    SESSION_PUBLICATIONS,
    SESSION_FILTERS,
    SESSION_ARM,
    SESSION_FLUSHED,
    SESSION_SLOT,
    SESSION_START,
    SESSION_STEPS
};

enum session_state { SESSION_LOGIN, SESSION_STEPPING, SESSION_LIVE };

/*
 * 1. In STEPPING the command of `at` is under way; in LIVE `at` is SESSION_STEPS.
 * 2. `wait_reported` is about the present slot.
 */
struct session {
    struct session_setup setup;
    enum session_state state;
    enum session_step_id at;
    struct login *login; /* owns the connection too */
    struct query query;
    enum plugin plugin;           /* the one being tried */
    char refusal[ERROR_TEXT_MAX]; /* why the one before was not taken */
    struct pushdown pushdown;
    struct publications publications;
    char slot[SLOT_NAME_MAX];
    int64_t entered_us; /* the state, or the step */
    bool wait_reported;
    struct facts said; /* FACTS: as it came */
    struct session_facts facts;
    struct encoding *encoding;
    struct wanted wanted;
    size_t filters; /* names filtered in the server */
};

struct session *session_start(const struct session_setup *setup, int64_t now_us,
                              struct error *error)
{
    struct session *session = calloc(1, sizeof(*session));

    if (session == NULL) {
        error_memory(error);
        return NULL;
    }
    session->setup = *setup;
    session->facts.wal_sender_timeout_us = CLOCK_NEVER;
    session->plugin = setup->plugin != PLUGINS ? setup->plugin : (enum plugin)0;
    session->pushdown.tables = setup->tables;
    session->pushdown.exclude = setup->exclude;
    session->publications = (struct publications){.names = setup->publications,
                                                  .len = setup->publication_count,
                                                  .tables = setup->tables,
                                                  .keys = setup->keys};
    session->entered_us = now_us;
    conninfo_say(setup->info, setup->log);
    session->login = login_start(setup->info, NULL, true, now_us, error);
    if (session->login == NULL) {
        session_free(session);
        return NULL;
    }
    return session;
}

/* The server, for people. */
static const char *where(const struct session *session)
{
    return conn_address(login_conn(session->login))->text;
}

/* IDENTIFY_SYSTEM's row: the system identifier, the timeline, … */
static bool on_timeline(void *context, struct query_row *row)
{
    struct timeline *timeline = &((struct session *)context)->facts.timeline;
    struct slice id, number;
    uint64_t value;

    if (!query_row_next(row, &id) || !query_row_next(row, &number) ||
        !slice_number(number, &value) || value > UINT32_MAX) {
        return false;
    }
    return timeline_read(timeline, (uint32_t)value, (struct slice){"", 0});
}

/* TIMELINE_HISTORY's: the file's name, its content. */
static bool on_history(void *context, struct query_row *row)
{
    struct timeline *timeline = &((struct session *)context)->facts.timeline;
    struct slice name, content;

    return query_row_next(row, &name) && query_row_next(row, &content) &&
           timeline_read(timeline, timeline->id, content);
}

/* IDENTIFY_SYSTEM's: …, up to where WAL has been flushed, … */
static bool on_flushed(void *context, struct query_row *row)
{
    struct session_facts *facts = &((struct session *)context)->facts;
    struct slice id, timeline, lsn;

    return query_row_next(row, &id) && query_row_next(row, &timeline) &&
           query_row_next(row, &lsn) && lsn_read(lsn, &facts->consistent_lsn);
}

/* CREATE_REPLICATION_SLOT's row: the slot's name, its consistent point, … */
static bool on_slot(void *context, struct query_row *row)
{
    struct session_facts *facts = &((struct session *)context)->facts;
    struct slice name, lsn;

    return query_row_next(row, &name) && query_row_next(row, &lsn) &&
           lsn_read(lsn, &facts->consistent_lsn);
}

/* ---- commands ---- */

static void facts_command(struct session *session, struct buffer *sql)
{
    (void)session;
    facts_query(sql);
}

static void timeline_command(struct session *session, struct buffer *sql)
{
    (void)session;
    buffer_text(sql, "IDENTIFY_SYSTEM");
}

static void history_command(struct session *session, struct buffer *sql)
{
    buffer_format(sql, "TIMELINE_HISTORY %" PRIu32, session->facts.timeline.id);
}

static void tables_command(struct session *session, struct buffer *sql)
{
    wanted_query(&session->wanted, sql);
}

static void nearest_command(struct session *session, struct buffer *sql)
{
    wanted_nearest_query(&session->wanted, sql);
}

static void publications_command(struct session *session, struct buffer *sql)
{
    publications_query(&session->publications, sql);
}

static void filters_command(struct session *session, struct buffer *sql)
{
    pushdown_query(&session->pushdown, sql);
}

static void slot_command(struct session *session, struct buffer *sql)
{
    command_create_slot(sql, session->slot, plugins[session->plugin].name);
}

static void append_filters(struct session *session, struct buffer *options)
{
    session->filters = pushdown_options(&session->pushdown, options);
    if (session->filters > 0) {
        log_say(session->setup.log, LOG_INFO, "wal2json filters by %zu names in the server",
                session->filters);
    }
}

static void start_command(struct session *session, struct buffer *sql)
{
    struct buffer options = {0};

    if (session->setup.physical) {
        command_start_physical(sql, session->facts.consistent_lsn -
                                        session->facts.consistent_lsn % WAL_PAGE);
        return;
    }
    buffer_text(&options, plugins[session->plugin].options);
    if (plugins[session->plugin].filters) {
        append_filters(session, &options);
    }
    if (plugins[session->plugin].publications) {
        publications_option(&session->publications, &options);
    }
    command_start(sql, session->slot, (struct slice){options.data, options.len});
    sql->failed |= options.failed;
    buffer_free(&options);
}

/* ---- rows ---- */

static bool on_fact(void *context, struct query_row *row)
{
    return facts_row(&((struct session *)context)->said, row);
}

static bool on_table(void *context, struct query_row *row)
{
    return wanted_row(&((struct session *)context)->wanted, row);
}

static bool on_near(void *context, struct query_row *row)
{
    return wanted_offer(&((struct session *)context)->wanted, row);
}

static bool on_publication(void *context, struct query_row *row)
{
    return publications_row(&((struct session *)context)->publications, row);
}

static bool on_filter(void *context, struct query_row *row)
{
    return pushdown_row(&((struct session *)context)->pushdown, row);
}

/* ---- what applies ---- */

static bool wants_timeline(struct session *session)
{
    return session->setup.wants_timeline;
}

static bool has_history(struct session *session)
{
    return session->setup.wants_timeline && session->facts.timeline.id > 1; /* the first has none */
}

/* The tables that the user named are looked for once. */
static bool wants_tables(struct session *session)
{
    return session->setup.first && wanted_any(&session->wanted);
}

static bool misses_tables(struct session *session)
{
    return session->setup.first && !session->setup.allow_missing && wanted_misses(&session->wanted);
}

static bool has_publications(struct session *session)
{
    return session->publications.len > 0;
}

static bool is_physical(struct session *session)
{
    return session->setup.physical;
}

static bool wants_slot(struct session *session)
{
    return !session->setup.physical;
}

static bool can_filter(struct session *session)
{
    return !session->setup.physical && plugins[session->plugin].filters &&
           pushdown_possible(&session->pushdown);
}

/* ---- what follows ---- */

static bool facts_done(struct session *session, struct error *error)
{
    const struct facts *said = &session->said;
    struct session_facts *facts = &session->facts;
    uint64_t timeout_ms = facts_number(said, FACT_SENDER_TIMEOUT);

    if (!said->known[FACT_IDENTITY] || !said->known[FACT_SYSTEM_ID] ||
        !said->known[FACT_OLDEST_XID] || timeout_ms > INT32_MAX) {
        return error_set(error, ERROR_TRANSIENT, "the server did not report its identity");
    }
    facts->wal_sender_timeout_us = timeout_ms > 0 ? (int64_t)timeout_ms * CLOCK_MS : CLOCK_NEVER;
    snprintf(facts->synchronous_standby_names, sizeof(facts->synchronous_standby_names), "%.*s",
             (int)sizeof(facts->synchronous_standby_names) - 1, said->text[FACT_SYNC_NAMES]);
    snprintf(facts->system_id, sizeof(facts->system_id), "%.*s", SYSTEM_ID_MAX - 1,
             said->text[FACT_SYSTEM_ID]);
    snprintf(facts->identity, sizeof(facts->identity), "%.*s", IDENTITY_MAX - 1,
             said->text[FACT_IDENTITY]);
    facts->database = (uint32_t)facts_number(said, FACT_DATABASE);
    facts->segment_size = (uint32_t)facts_number(said, FACT_SEGMENT_SIZE);
    facts->in_recovery = facts_in_recovery(said);
    facts->oldest_xid = (uint32_t)facts_number(said, FACT_OLDEST_XID);
    return !session->setup.physical || facts_number(said, FACT_BLOCK_SIZE) == WAL_PAGE ||
           wal_unsupported(error, "its blocks have %s bytes", said->text[FACT_BLOCK_SIZE]);
}

static bool tables_done(struct session *session, struct error *error)
{
    (void)error;
    wanted_warn(&session->wanted, session->setup.log, session->setup.allow_missing);
    return true;
}

static bool nearest_done(struct session *session, struct error *error)
{
    return wanted_error(&session->wanted, error);
}

static bool publications_done(struct session *session, struct error *error)
{
    return publications_check(&session->publications, error);
}

static bool start_done(struct session *session, struct error *error)
{
    (void)error;
    if (session->setup.physical) {
        log_say(session->setup.log, LOG_INFO, "streaming WAL from " LSN_FORMAT,
                LSN_HALVES(session->facts.consistent_lsn));
        return true;
    }
    log_say(session->setup.log, LOG_INFO, "streaming from slot \"%s\" with %s", session->slot,
            plugins[session->plugin].name);
    return true;
}

/* ---- the table ---- */

/* Another sequence is another table. */
static const struct {
    const char *sql; /* NULL: the next makes it */
    void (*command)(struct session *session, struct buffer *sql);
    query_row_fn *on_row;                                       /* its context is the session */
    bool (*applies)(struct session *session);                   /* NULL: always */
    bool (*done)(struct session *session, struct error *error); /* NULL: nothing is to be done */
    bool optional;                                              /* a refusal is no failure */
} steps[SESSION_STEPS] = {
    [SESSION_SETTINGS] = {.sql = SQL_SETTINGS},
    [SESSION_CHECK] = {.sql = SQL_DEATH_CHECK, .optional = true},
    [SESSION_FACTS] = {.command = facts_command, .on_row = on_fact, .done = facts_done},
    [SESSION_TIMELINE] = {.command = timeline_command,
                          .on_row = on_timeline,
                          .applies = wants_timeline},
    [SESSION_HISTORY] = {.command = history_command, .on_row = on_history, .applies = has_history},
    [SESSION_TABLES] = {.command = tables_command,
                        .on_row = on_table,
                        .applies = wants_tables,
                        .done = tables_done},
    [SESSION_NEAREST] = {.command = nearest_command,
                         .on_row = on_near,
                         .applies = misses_tables,
                         .done = nearest_done},
    [SESSION_PUBLICATIONS] = {.command = publications_command,
                              .on_row = on_publication,
                              .applies = has_publications,
                              .done = publications_done},
    [SESSION_FILTERS] = {.command = filters_command,
                         .on_row = on_filter,
                         .applies = can_filter,
                         .optional = true},
    [SESSION_ARM] = {.sql = SQL_ARM},
    [SESSION_FLUSHED] = {.sql = "IDENTIFY_SYSTEM", .on_row = on_flushed, .applies = is_physical},
    [SESSION_SLOT] = {.command = slot_command, .on_row = on_slot, .applies = wants_slot},
    [SESSION_START] = {.command = start_command, .done = start_done},
};

/* Sends the command of the first step from `at` on that applies; behind the last one it is live. */
static bool enter(struct session *session, enum session_step_id at, int64_t now_us,
                  struct error *error)
{
    struct buffer sql = {0};
    bool ok;

    while (at < SESSION_STEPS && steps[at].applies != NULL && !steps[at].applies(session)) {
        at++;
    }
    session->at = at;
    session->state = at < SESSION_STEPS ? SESSION_STEPPING : SESSION_LIVE;
    session->entered_us = now_us;
    if (at == SESSION_STEPS) {
        return true;
    }
    if (at == SESSION_SLOT && !slot_name(session->slot)) {
        return error_set(error, ERROR_FATAL,
                         "could not generate a slot name: no source of randomness");
    }
    if (steps[at].sql != NULL) {
        buffer_text(&sql, steps[at].sql);
    } else {
        steps[at].command(session, &sql);
    }
    buffer_byte(&sql, '\0');
    ok = !sql.failed || error_memory(error);
    if (ok) {
        query_start(&session->query, session_conn(session), sql.data, steps[at].on_row, session);
    }
    buffer_free(&sql);
    return ok;
}

static bool logged_in(struct session *session, struct error *error)
{
    const char *version = conn_server_version(session_conn(session));

    log_say(session->setup.log, LOG_INFO, "logged in to %s, PostgreSQL %s, %s, authentication: %s",
            where(session), version[0] != '\0' ? version : "?",
            conn_tls(session_conn(session)) != NULL ? tls_version(conn_tls(session_conn(session)))
                                                    : "without TLS",
            login_method(session->login));
    if (version[0] != '\0' && conn_server_major(session_conn(session)) < SERVER_VERSION_MIN) {
        return error_set(error, ERROR_PERMANENT, "%s runs PostgreSQL %s, pgnudge needs %d",
                         where(session), version, SERVER_VERSION_MIN);
    }
    if (session->setup.physical && version[0] != '\0' &&
        !wal_format_known(conn_server_major(session_conn(session)))) {
        return wal_unsupported(error, "%s runs PostgreSQL %s", where(session), version);
    }
    session->encoding = encoding_open(conn_server_encoding(session_conn(session)));
    session->pushdown.encoding = session->said.encoding = session->encoding;
    session->publications.encoding = session->encoding;
    session->publications.major = conn_server_major(session_conn(session));
    if (session->encoding == NULL ||
        (session->setup.first && !wanted_init(&session->wanted, session->setup.tables,
                                              session->setup.exclude, session->encoding))) {
        return error_memory(error);
    }
    return true;
}

/* The login, or a step's command, has succeeded. */
static bool follow(struct session *session, int64_t now_us, struct error *error)
{
    enum session_step_id at = session->at;

    if (session->state == SESSION_LOGIN) {
        return logged_in(session, error) && enter(session, SESSION_SETTINGS, now_us, error);
    }
    return (steps[at].done == NULL || steps[at].done(session, error)) &&
           enter(session, (enum session_step_id)(at + 1), now_us, error);
}

/* ---- failures ---- */

static bool is_at(const struct session *session, enum session_step_id at)
{
    return session->state == SESSION_STEPPING && session->at == at;
}

/* What pgnudge can do without. */
static bool is_optional(const struct session *session)
{
    return session->state == SESSION_STEPPING && steps[session->at].optional &&
           session->query.ready;
}

static bool go_on_without(struct session *session, int64_t now_us, struct error *error)
{
    log_report(session->setup.log, LOG_INFO, error);
    error_clear(error);
    return enter(session, (enum session_step_id)(session->at + 1), now_us, error);
}

/* A refused plugin leads to the next one; true if there is one. */
static bool try_next_plugin(struct session *session, int64_t now_us, struct error *error)
{
    if (!is_at(session, SESSION_SLOT) || !session->query.ready ||
        !server_error_refused_plugin(error) || session->setup.plugin != PLUGINS ||
        session->plugin + 1 == PLUGINS_AUTO) {
        return false;
    }
    log_say(session->setup.log, LOG_INFO, "trying the next plugin, the server refuses %s: %s",
            plugins[session->plugin].name, error->message);
    memcpy(session->refusal, error->message, sizeof(session->refusal));
    session->plugin++;
    error_clear(error);
    return enter(session, SESSION_FILTERS, now_us, error);
}

static void describe_slot(const struct session *session, struct error *error)
{
    hint_slot(error, session->setup.info, session->plugin);
    error_prefix(error, "could not create a replication slot with %s on %s",
                 plugins[session->plugin].name, where(session));
    if (session->refusal[0] != '\0') {
        error_detail(error, "%s was refused too: %s", plugins[session->plugin - 1].name,
                     session->refusal);
    }
}

static void describe(const struct session *session, struct error *error)
{
    if (session->state == SESSION_LOGIN) {
        hint_login(error, session->setup.info); /* it names the address already */
    } else if (is_at(session, SESSION_SLOT)) {
        describe_slot(session, error);
    } else if (is_at(session, SESSION_START) && session->setup.physical) {
        error_prefix(error, "could not stream WAL from %s", where(session));
        /* A segment that was removed meanwhile: the next try begins at a later one. */
        error->kind = strcmp(error->sqlstate, "58P01") == 0 ? ERROR_TRANSIENT : error->kind;
    } else if (is_at(session, SESSION_START)) {
        error_prefix(error, "could not start the replication with %s on %s",
                     plugins[session->plugin].name, where(session));
    } else if (!is_at(session, SESSION_TABLES) && !is_at(session, SESSION_NEAREST) &&
               !is_at(session, SESSION_PUBLICATIONS)) {
        error_prefix(error, "could not prepare the connection to %s", where(session));
    }
}

static void warn_of_wait(const struct session *session)
{
    const struct log *log = session->setup.log;

    log_say(log, LOG_WARNING, "still waiting for the server to create the replication slot");
    if (session->facts.in_recovery) {
        log_detail(log, LOG_WARNING,
                   "A standby waits for its primary's next list of running "
                   "transactions.");
        log_hint(log, LOG_WARNING,
                 "SELECT pg_log_standby_snapshot() on the primary, or a "
                 "checkpoint there, makes one.");
    } else {
        log_detail(log, LOG_WARNING,
                   "It waits for every open transaction that has written, in "
                   "any database, prepared ones too.");
    }
}

/* Silence: an error in any step but the slot's, which waits for transactions to end. */
static bool may_be_silent(struct session *session, int64_t now_us, struct error *error)
{
    if (is_at(session, SESSION_SLOT)) {
        if (!session->wait_reported && now_us >= session->entered_us + SLOT_WAIT_REPORTED_US) {
            session->wait_reported = true;
            warn_of_wait(session);
        }
        return true;
    }
    if (session->state == SESSION_LOGIN ||
        now_us < clock_after(session->entered_us, session->setup.response_timeout_us)) {
        return true;
    }
    return error_set(error, ERROR_TRANSIENT, "the server does not answer");
}

enum step session_step(struct session *session, int64_t now_us, struct error *error)
{
    enum step step = STEP_DONE;

    error_clear(error);
    while (step == STEP_DONE && session->state != SESSION_LIVE) {
        step = session->state == SESSION_LOGIN ? login_step(session->login, now_us, error)
                                               : query_step(&session->query, error);
        if ((step == STEP_WAIT && !may_be_silent(session, now_us, error)) ||
            (step == STEP_DONE && !follow(session, now_us, error))) {
            step = STEP_FAILED;
        } else if (step == STEP_FAILED && is_optional(session)) {
            step = go_on_without(session, now_us, error) ? STEP_DONE : STEP_FAILED;
        } else if (step == STEP_FAILED && try_next_plugin(session, now_us, error)) {
            step = STEP_DONE;
        }
    }
    if (step == STEP_FAILED && error->kind != ERROR_FATAL) {
        describe(session, error);
    }
    return step;
}

struct pollfd session_pollfd(const struct session *session)
{
    return session->state == SESSION_LOGIN ? login_pollfd(session->login)
                                           : conn_pollfd(login_conn(session->login));
}

int64_t session_deadline(const struct session *session)
{
    if (session->state == SESSION_LOGIN) {
        return login_deadline(session->login);
    }
    if (is_at(session, SESSION_SLOT)) {
        return session->wait_reported ? CLOCK_NEVER : session->entered_us + SLOT_WAIT_REPORTED_US;
    }
    return session->state == SESSION_LIVE
               ? CLOCK_NEVER
               : clock_after(session->entered_us, session->setup.response_timeout_us);
}

int64_t session_slot_since(const struct session *session)
{
    return is_at(session, SESSION_SLOT) ? session->entered_us : CLOCK_NEVER;
}

bool session_makes_slot(const struct session *session)
{
    return is_at(session, SESSION_SLOT);
}

bool session_is_prepared(const struct session *session)
{
    return session->state != SESSION_LOGIN && session->at > SESSION_HISTORY;
}

struct conn *session_conn(struct session *session)
{
    return login_conn(session->login);
}

enum plugin session_plugin(const struct session *session)
{
    return session->plugin;
}

const struct pushdown *session_filters(const struct session *session)
{
    return session->filters > 0 ? &session->pushdown : NULL;
}

const struct publications *session_publications(const struct session *session)
{
    return session->publications.len > 0 ? &session->publications : NULL;
}

struct encoding *session_encoding(const struct session *session)
{
    return session->encoding;
}

const struct session_facts *session_facts(const struct session *session)
{
    return &session->facts;
}

void session_free(struct session *session)
{
    if (session != NULL) {
        login_free(session->login);
        encoding_close(session->encoding);
        wanted_free(&session->wanted);
        free(session);
    }
}
