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
#include "server/hints.h"
#include "server/serversql.h"
#include "wire/lsn.h"
#include "wire/servererror.h"

#define SLOT_WAIT_TOLD_US (1 * CLOCK_S) /* after which the wait for the slot is said */

#define FACTS_SQL                                                                                  \
    "SELECT (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'), "      \
    "pg_catalog.current_setting('synchronous_standby_names'), " SQL_IDENTITY ", " SQL_SYSTEM_ID    \
    ", pg_catalog.pg_is_in_recovery()::text,"                                                      \
    " pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text"

enum session_state {
    SESSION_LOGIN,
    SESSION_SETTINGS,
    SESSION_CHECK,
    SESSION_FACTS,
    SESSION_TIMELINE,
    SESSION_HISTORY,
    SESSION_TABLES,
    SESSION_NEAREST,
    SESSION_FILTERS,
    SESSION_ARM,
    SESSION_SLOT,
    SESSION_START,
    SESSION_LIVE
};

struct session {
    struct session_setup setup;
    enum session_state state;
    struct login *login; /* owns the connection too */
    struct query query;
    enum plugin plugin;           /* the one being tried */
    char refusal[ERROR_TEXT_MAX]; /* why the one before was not taken */
    struct pushdown pushdown;
    char slot[SLOT_NAME_MAX];
    int64_t entered_us; /* the state */
    bool wait_reported;
    struct session_facts facts;
    struct encoding *encoding;
    struct wanted wanted;
    size_t filters; /* names filtered in the server */
};

/* The values as used, but for the password. */
static void say_connecting(const struct session_setup *setup)
{
    const char *hostaddr = conninfo_text(setup->info, CONN_HOSTADDR);

    log_say(setup->log, LOG_INFO, "connecting to host=%s%s%s port=%s dbname=%s user=%s sslmode=%s",
            conninfo_text(setup->info, CONN_HOST), hostaddr[0] != '\0' ? " hostaddr=" : "",
            hostaddr, conninfo_text(setup->info, CONN_PORT),
            conninfo_text(setup->info, CONN_DBNAME), conninfo_text(setup->info, CONN_USER),
            sslmode_name(setup->info->sslmode));
}

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
    session->entered_us = now_us;
    say_connecting(setup);
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

static bool take_facts(void *context, struct query_row *row)
{
    struct session_facts *facts = &((struct session *)context)->facts;
    struct slice timeout, standbys, identity, system_id, recovery, oldest;
    uint64_t ms, xid;

    if (!query_row_next(row, &timeout) || !slice_number(timeout, &ms) || ms > INT32_MAX ||
        !query_row_next(row, &standbys) || !query_row_next(row, &identity) ||
        !query_row_next(row, &system_id) || !query_row_next(row, &recovery) ||
        !query_row_next(row, &oldest) || !slice_number(oldest, &xid)) {
        return false;
    }
    facts->wal_sender_timeout_us = ms > 0 ? (int64_t)ms * CLOCK_MS : CLOCK_NEVER;
    snprintf(facts->synchronous_standby_names, sizeof(facts->synchronous_standby_names), "%.*s",
             (int)standbys.len, standbys.data);
    facts->oldest_xid = (uint32_t)xid;
    facts->in_recovery = slice_equal(recovery, slice_of("true"));
    snprintf(facts->system_id, sizeof(facts->system_id), "%.*s", (int)system_id.len,
             system_id.data);
    snprintf(facts->identity, sizeof(facts->identity), "%.*s", (int)identity.len, identity.data);
    return true;
}

/* IDENTIFY_SYSTEM's row: the system identifier, the timeline, … */
static bool take_timeline(void *context, struct query_row *row)
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
static bool take_history(void *context, struct query_row *row)
{
    struct timeline *timeline = &((struct session *)context)->facts.timeline;
    struct slice name, content;

    return query_row_next(row, &name) && query_row_next(row, &content) &&
           timeline_read(timeline, timeline->id, content);
}

/* CREATE_REPLICATION_SLOT's row: the slot's name, its consistent point, … */
static bool take_slot(void *context, struct query_row *row)
{
    struct session_facts *facts = &((struct session *)context)->facts;
    struct slice name, lsn;

    return query_row_next(row, &name) && query_row_next(row, &lsn) &&
           lsn_read(lsn, &facts->consistent_lsn);
}

static void append_filters(struct session *session, struct buffer *options)
{
    session->filters = pushdown_options(&session->pushdown, options);
    if (session->filters > 0) {
        log_say(session->setup.log, LOG_INFO, "wal2json filters by %zu names in the server",
                session->filters);
    }
}

/* The SQL or replication command of a state. */
static void append_command(struct session *session, struct buffer *sql)
{
    struct buffer options = {0};

    switch (session->state) {
    case SESSION_SETTINGS:
        buffer_text(sql, SQL_SETTINGS);
        break;
    case SESSION_CHECK:
        buffer_text(sql, SQL_DEATH_CHECK);
        break;
    case SESSION_FACTS:
        buffer_text(sql, FACTS_SQL);
        break;
    case SESSION_TIMELINE:
        buffer_text(sql, "IDENTIFY_SYSTEM");
        break;
    case SESSION_HISTORY:
        buffer_format(sql, "TIMELINE_HISTORY %" PRIu32, session->facts.timeline.id);
        break;
    case SESSION_TABLES:
        wanted_query(&session->wanted, sql);
        break;
    case SESSION_NEAREST:
        wanted_nearest_query(&session->wanted, sql);
        break;
    case SESSION_FILTERS:
        pushdown_query(&session->pushdown, sql);
        break;
    case SESSION_ARM:
        buffer_text(sql, SQL_ARM);
        break;
    case SESSION_SLOT:
        command_create_slot(sql, session->slot, plugins[session->plugin].name);
        break;
    case SESSION_START:
        buffer_text(&options, plugins[session->plugin].options);
        if (plugins[session->plugin].filters) {
            append_filters(session, &options);
        }
        command_start(sql, session->slot, (struct slice){options.data, options.len});
        sql->failed |= options.failed;
        break;
    case SESSION_LOGIN:
    case SESSION_LIVE:
        break;
    }
    buffer_free(&options);
}

/* Who takes the rows of a state's command, and with what. */
static void *row_context(struct session *session, enum session_state state, query_row_fn **on_row)
{
    switch (state) {
    case SESSION_FACTS:
        *on_row = take_facts;
        return session;
    case SESSION_TIMELINE:
        *on_row = take_timeline;
        return session;
    case SESSION_HISTORY:
        *on_row = take_history;
        return session;
    case SESSION_TABLES:
        *on_row = wanted_row;
        return &session->wanted;
    case SESSION_NEAREST:
        *on_row = wanted_offer;
        return &session->wanted;
    case SESSION_FILTERS:
        *on_row = pushdown_row;
        return &session->pushdown;
    case SESSION_SLOT:
        *on_row = take_slot;
        return session;
    case SESSION_LOGIN:
    case SESSION_SETTINGS:
    case SESSION_CHECK:
    case SESSION_ARM:
    case SESSION_START:
    case SESSION_LIVE:
        break;
    }
    *on_row = NULL;
    return NULL;
}

/* The one transition: enters a state and sends its command, if it has one. */
static bool enter(struct session *session, enum session_state state, int64_t now_us,
                  struct error *error)
{
    struct buffer sql = {0};
    query_row_fn *on_row;
    void *context = row_context(session, state, &on_row);
    bool ok;

    session->state = state;
    session->entered_us = now_us;
    if (state == SESSION_SLOT && !slot_name(session->slot)) {
        return error_set(error, ERROR_FATAL, "could not make a slot name: no randomness");
    }
    append_command(session, &sql);
    buffer_byte(&sql, '\0');
    ok = !sql.failed || error_memory(error);
    if (ok && sql.len > 1) {
        query_start(&session->query, session_conn(session), sql.data, on_row, context);
    }
    buffer_free(&sql);
    return ok;
}

static enum session_state slot_state(const struct session *session)
{
    return plugins[session->plugin].filters && pushdown_possible(&session->pushdown)
               ? SESSION_FILTERS
               : SESSION_ARM;
}

static bool logged_in(struct session *session, int64_t now_us, struct error *error)
{
    const char *version = conn_server_version(session_conn(session));

    log_say(session->setup.log, LOG_INFO, "logged in to %s, PostgreSQL %s, %s, with %s",
            where(session), version[0] != '\0' ? version : "?",
            conn_tls(session_conn(session)) != NULL ? tls_version(conn_tls(session_conn(session)))
                                                    : "without TLS",
            login_method(session->login));
    if (version[0] != '\0' && atoi(version) < SERVER_VERSION_MIN) {
        return error_set(error, ERROR_PERMANENT, "%s runs PostgreSQL %s, pgnudge needs %d",
                         where(session), version, SERVER_VERSION_MIN);
    }
    session->encoding = encoding_open(conn_server_encoding(session_conn(session)));
    session->pushdown.encoding = session->encoding;
    if (session->encoding == NULL) {
        return error_memory(error);
    }
    return enter(session, SESSION_SETTINGS, now_us, error);
}

/* Looks for the tables that the user named, once and if there are any. */
static bool begin_tables(struct session *session, int64_t now_us, struct error *error)
{
    if (!session->setup.first) {
        return enter(session, slot_state(session), now_us, error);
    }
    if (!wanted_init(&session->wanted, session->setup.tables, session->setup.exclude,
                     session->encoding)) {
        return error_memory(error);
    }
    return enter(session, wanted_any(&session->wanted) ? SESSION_TABLES : slot_state(session),
                 now_us, error);
}

static bool take_tables(struct session *session, int64_t now_us, struct error *error)
{
    bool missing = wanted_misses(&session->wanted);

    wanted_warn(&session->wanted, session->setup.log, session->setup.allow_missing);
    if (missing && !session->setup.allow_missing) {
        return enter(session, SESSION_NEAREST, now_us, error);
    }
    return enter(session, slot_state(session), now_us, error);
}

/* What follows a state's command that succeeded. */
static bool next_state(struct session *session, int64_t now_us, struct error *error)
{
    switch (session->state) {
    case SESSION_LOGIN:
        return logged_in(session, now_us, error);
    case SESSION_SETTINGS:
        return enter(session, SESSION_CHECK, now_us, error);
    case SESSION_CHECK:
        return enter(session, SESSION_FACTS, now_us, error);
    case SESSION_FACTS:
        return session->setup.wants_timeline ? enter(session, SESSION_TIMELINE, now_us, error)
                                             : begin_tables(session, now_us, error);
    case SESSION_TIMELINE:
        if (session->facts.timeline.id > 1) { /* the first one has no history */
            return enter(session, SESSION_HISTORY, now_us, error);
        }
        return begin_tables(session, now_us, error);
    case SESSION_HISTORY:
        return begin_tables(session, now_us, error);
    case SESSION_TABLES:
        return take_tables(session, now_us, error);
    case SESSION_NEAREST:
        return wanted_error(&session->wanted, error);
    case SESSION_FILTERS:
        return enter(session, SESSION_ARM, now_us, error);
    case SESSION_ARM:
        return enter(session, SESSION_SLOT, now_us, error);
    case SESSION_SLOT:
        return enter(session, SESSION_START, now_us, error);
    case SESSION_START:
        log_say(session->setup.log, LOG_INFO, "streaming from slot \"%s\" with %s", session->slot,
                plugins[session->plugin].name);
        return enter(session, SESSION_LIVE, now_us, error);
    case SESSION_LIVE:
        break;
    }
    return true;
}

/* What pgnudge can do without. */
static bool is_optional(const struct session *session)
{
    return (session->state == SESSION_CHECK || session->state == SESSION_FILTERS) &&
           session->query.ready;
}

static bool go_on_without(struct session *session, int64_t now_us, struct error *error)
{
    log_report(session->setup.log, LOG_INFO, error);
    error_clear(error);
    return next_state(session, now_us, error);
}

/* A refused plugin leads to the next one; true if there is one. */
static bool try_next_plugin(struct session *session, int64_t now_us, struct error *error)
{
    if (session->state != SESSION_SLOT || !session->query.ready ||
        !server_error_refused_plugin(error) || session->setup.plugin != PLUGINS ||
        session->plugin + 1 == PLUGINS) {
        return false;
    }
    log_say(session->setup.log, LOG_INFO, "trying the next plugin, the server refuses %s: %s",
            plugins[session->plugin].name, error->message);
    memcpy(session->refusal, error->message, sizeof(session->refusal));
    session->plugin++;
    error_clear(error);
    return enter(session, slot_state(session), now_us, error);
}

static void describe(const struct session *session, struct error *error)
{
    switch (session->state) {
    case SESSION_LOGIN:
        hint_login(error, session->setup.info);
        return; /* it names the address already */
    case SESSION_TABLES:
    case SESSION_NEAREST:
        return;
    case SESSION_SLOT:
        hint_slot(error, session->setup.info, session->plugin);
        error_prefix(error, "could not create a replication slot with %s on %s",
                     plugins[session->plugin].name, where(session));
        if (session->refusal[0] != '\0' && error->detail[0] == '\0') {
            error_detail(error, "Nor with %s: %s", plugins[session->plugin - 1].name,
                         session->refusal);
        }
        return;
    case SESSION_START:
        error_prefix(error, "could not start the replication with %s on %s",
                     plugins[session->plugin].name, where(session));
        return;
    case SESSION_SETTINGS:
    case SESSION_CHECK:
    case SESSION_FACTS:
    case SESSION_TIMELINE:
    case SESSION_HISTORY:
    case SESSION_FILTERS:
    case SESSION_ARM:
    case SESSION_LIVE:
        error_prefix(error, "could not prepare the connection to %s", where(session));
        return;
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

/* Silence: an error in any state but the slot's, which waits for transactions to end. */
static bool is_patient(struct session *session, int64_t now_us, struct error *error)
{
    if (session->state == SESSION_SLOT) {
        if (!session->wait_reported && now_us >= session->entered_us + SLOT_WAIT_TOLD_US) {
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
        if (step == STEP_WAIT && !is_patient(session, now_us, error)) {
            step = STEP_FAILED;
        } else if (step == STEP_DONE && !next_state(session, now_us, error)) {
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
    switch (session->state) {
    case SESSION_LOGIN:
        return login_deadline(session->login);
    case SESSION_SLOT:
        return session->wait_reported ? CLOCK_NEVER : session->entered_us + SLOT_WAIT_TOLD_US;
    case SESSION_SETTINGS:
    case SESSION_CHECK:
    case SESSION_FACTS:
    case SESSION_TIMELINE:
    case SESSION_HISTORY:
    case SESSION_TABLES:
    case SESSION_NEAREST:
    case SESSION_FILTERS:
    case SESSION_ARM:
    case SESSION_START:
        return clock_after(session->entered_us, session->setup.response_timeout_us);
    case SESSION_LIVE:
        break;
    }
    return CLOCK_NEVER;
}

int64_t session_slot_since(const struct session *session)
{
    return session->state == SESSION_SLOT ? session->entered_us : CLOCK_NEVER;
}

bool session_makes_slot(const struct session *session)
{
    return session->state == SESSION_SLOT;
}

bool session_is_prepared(const struct session *session)
{
    return session->state > SESSION_HISTORY;
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
