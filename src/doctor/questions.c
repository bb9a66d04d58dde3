#include <stdio.h>
#include <string.h>

#include "decode/plugins.h"
#include "doctor/state.h"
#include "server/pooler.h"
#include "wal/format.h"
#include "wire/lsn.h"

#define IDENTITY_SQL "SELECT " SQL_IDENTITY
#define REPLICA_SQL  "SELECT " SQL_SYSTEM_ID ", pg_catalog.pg_is_in_recovery()::text"

/* What each state asks, and of whom; for people, which check it belongs to. */
static const struct {
    enum side side;
    const char *check;
    const char *sql; /* NULL: append_command makes it, or it is no query */
    bool optional;   /* a refusal is no failure */
} states[CHECKS_OVER + 1] = {
    [CHECKS_SENDER_LOGIN] = {.side = SIDE_SENDER},
    [CHECKS_ORDINARY_LOGIN] = {.side = SIDE_ORDINARY},
    [CHECKS_SENDER_SETTINGS] = {SIDE_SENDER, "replication", SQL_SETTINGS, false},
    [CHECKS_SENDER_CHECK] = {SIDE_SENDER, "replication", SQL_DEATH_CHECK, true},
    [CHECKS_SENDER_IDENTITY] = {SIDE_SENDER, "replication", IDENTITY_SQL, false},
    [CHECKS_ORDINARY_POOLER] = {SIDE_ORDINARY, "visibility connection", POOLER_SQL, false},
    [CHECKS_ORDINARY_SETTINGS] = {SIDE_ORDINARY, "visibility connection", SQL_SETTINGS, false},
    [CHECKS_ORDINARY_CHECK] = {SIDE_ORDINARY, "visibility connection", SQL_DEATH_CHECK, true},
    [CHECKS_FACTS] = {SIDE_ORDINARY, "server", NULL, false},
    [CHECKS_TABLES] = {SIDE_ORDINARY, "tables", NULL, false},
    [CHECKS_NAMES] = {SIDE_ORDINARY, "tables", NULL, false},
    [CHECKS_PUBLICATIONS] = {SIDE_ORDINARY, "publication", NULL, false},
    [CHECKS_PUBLISHED] = {SIDE_ORDINARY, "publication", NULL, false},
    [CHECKS_KEY_TABLES] = {SIDE_ORDINARY, "keys", keys_tables_sql, false},
    [CHECKS_KEYS] = {SIDE_ORDINARY, "keys", NULL, false},
    [CHECKS_BLOCKERS] = {SIDE_ORDINARY, "transactions", blockers_sql, false},
    [CHECKS_ARM] = {SIDE_SENDER, "slot", SQL_ARM, false},
    [CHECKS_SLOT] = {SIDE_SENDER, "slot", NULL, false},
    [CHECKS_CANCEL] = {SIDE_SENDER, "slot", NULL, false},
    [CHECKS_DROP] = {SIDE_SENDER, "slot", NULL, false},
    [CHECKS_ROUND_TRIP_ARM] = {SIDE_SENDER, "slot", SQL_ARM, false},
    [CHECKS_ROUND_TRIP_SLOT] = {SIDE_SENDER, "slot", NULL, false},
    [CHECKS_ROUND_TRIP_START] = {SIDE_SENDER, "round trip", NULL, false},
    [CHECKS_ROUND_TRIP] = {.side = SIDE_SENDER, .check = "round trip"},
    [CHECKS_SENDER_LEAVES] = {.side = SIDE_SENDER},
    [CHECKS_WAL_LOGIN] = {.side = SIDE_SENDER},
    [CHECKS_WAL_POSITION] = {SIDE_SENDER, "physical WAL", "IDENTIFY_SYSTEM", false},
    [CHECKS_WAL_START] = {SIDE_SENDER, "physical WAL", NULL, false},
    [CHECKS_REPLICA_LOGIN] = {.side = SIDE_REPLICA},
    [CHECKS_CHANNEL_LOGIN] = {.side = SIDE_CHANNEL},
    [CHECKS_CHANNEL_POOLER] = {SIDE_CHANNEL, "channel", POOLER_SQL, false},
    [CHECKS_CHANNEL] = {SIDE_CHANNEL, "channel", NULL, false},
    [CHECKS_REPLICA_FACTS] = {SIDE_REPLICA, "visible-on", REPLICA_SQL, false},
};

enum side question_side(enum checks_state state)
{
    return states[state].side;
}

const char *question_check(enum checks_state state)
{
    return states[state].check;
}

bool question_is_optional(enum checks_state state)
{
    return states[state].optional;
}

/* ---- whether to ask ---- */

/* Whether an ordinary login may succeed where the walsender's has failed. */
bool question_ordinary_has_prospect(const struct checks *checks)
{
    const char *sqlstate = checks->login_error.sqlstate;

    return checks->login_error.kind == ERROR_NONE ||
           (sqlstate[0] != '\0' && strcmp(sqlstate, "28P01") != 0 &&
            strcmp(sqlstate, "28000") != 0 && strcmp(sqlstate, "3D000") != 0);
}

bool question_slots_wait(const struct checks *checks)
{
    return checks->verdicts[PLUGIN_TEST_DECODING] == PLUGIN_WAITED ||
           checks->verdicts[PLUGIN_WAL2JSON] == PLUGIN_WAITED ||
           checks->verdicts[PLUGIN_PGOUTPUT] == PLUGIN_WAITED;
}

static bool has_named_tables(const struct checks *checks)
{
    struct buffer sql = {0};
    bool any;

    tables_query(&checks->tables, &sql);
    any = sql.len > 0;
    buffer_free(&sql);
    return any;
}

/* Whether there is something to do in the state: what it rests on is there. */
bool question_applies(const struct checks *checks, enum checks_state state)
{
    bool known = checks->facts.known[FACT_IDENTITY];
    bool asked = checks->login[SIDE_ORDINARY] != NULL || checks->login[SIDE_SENDER] != NULL;

    switch (state) {
    case CHECKS_ORDINARY_LOGIN:
        return question_ordinary_has_prospect(checks);
    case CHECKS_SENDER_SETTINGS:
    case CHECKS_SENDER_CHECK:
    case CHECKS_SENDER_IDENTITY:
        return checks->login[SIDE_SENDER] != NULL;
    case CHECKS_ORDINARY_POOLER:
    case CHECKS_ORDINARY_SETTINGS:
    case CHECKS_ORDINARY_CHECK:
        return checks->login[SIDE_ORDINARY] != NULL;
    case CHECKS_FACTS:
        return asked;
    case CHECKS_TABLES:
        return known && asked && has_named_tables(checks);
    case CHECKS_NAMES:
        return false; /* only behind TABLES */
    case CHECKS_PUBLICATIONS:
        return known && asked && checks->config->publication_count > 0;
    case CHECKS_KEY_TABLES:
        return known && asked && checks->config->window.max_keys > 0;
    case CHECKS_BLOCKERS:
        return known && asked && !facts_in_recovery(&checks->facts);
    case CHECKS_SENDER_LEAVES:
        return checks->login[SIDE_SENDER] != NULL && transport_is_worth_trying(checks);
    case CHECKS_WAL_LOGIN:
        return transport_is_worth_trying(checks);
    case CHECKS_ARM:
        return !checks->config->physical && checks->login[SIDE_SENDER] != NULL &&
               server_takes_slots(checks) && !checks->slot_failed && checks->plugin < PLUGINS;
    case CHECKS_ROUND_TRIP_ARM:
        return checks->login[SIDE_SENDER] != NULL && checks->login[SIDE_ORDINARY] != NULL &&
               checks_chosen(checks) < PLUGINS && !checks->slot_failed &&
               !question_slots_wait(checks);
    case CHECKS_REPLICA_LOGIN:
        return known && checks->replica < checks->config->visible_on_count;
    case CHECKS_CHANNEL_LOGIN:
        return known && checks->config->notify != NULL;
    case CHECKS_SENDER_LOGIN:
    case CHECKS_OVER:
        return true;
    case CHECKS_CHANNEL_POOLER:
    case CHECKS_CHANNEL:
        return checks->login[SIDE_CHANNEL] != NULL;
    case CHECKS_PUBLISHED:
    case CHECKS_KEYS:
    case CHECKS_SLOT:
    case CHECKS_CANCEL:
    case CHECKS_DROP:
    case CHECKS_ROUND_TRIP_SLOT:
    case CHECKS_ROUND_TRIP_START:
    case CHECKS_ROUND_TRIP:
    case CHECKS_WAL_POSITION:
    case CHECKS_WAL_START:
    case CHECKS_REPLICA_FACTS:
        break;
    }
    return false; /* only where the state before leads there */
}

/* ---- asking ---- */

static void append_command(struct checks *checks, struct buffer *sql)
{
    struct conn *sender = checks_conn(checks, SIDE_SENDER);
    enum plugin plugin = checks->state == CHECKS_SLOT ? checks->plugin : checks_chosen(checks);
    struct buffer options = {0};

    switch (checks->state) {
    case CHECKS_FACTS:
        facts_query(sql);
        facts_counts(sql, sender != NULL ? conn_cancel_key(sender)->pid : 0, checks_major(checks));
        buffer_text(sql, " UNION ALL SELECT 'sign', sign FROM (" PLATFORM_SIGNS_SQL ") s");
        break;
    case CHECKS_TABLES:
        tables_query(&checks->tables, sql);
        break;
    case CHECKS_NAMES:
        wanted_nearest_query(&checks->tables.wanted, sql);
        break;
    case CHECKS_PUBLICATIONS:
        publication_query(checks, sql);
        break;
    case CHECKS_PUBLISHED:
        publication_keyless_query(checks, sql);
        break;
    case CHECKS_KEYS:
        keys_query(checks, sql);
        break;
    case CHECKS_SLOT:
    case CHECKS_ROUND_TRIP_SLOT:
        command_create_slot(sql, checks->slot, plugins[plugin].name);
        break;
    case CHECKS_WAL_START:
        command_start_physical(sql, checks->wal_position - checks->wal_position % WAL_PAGE);
        break;
    case CHECKS_CHANNEL:
        channel_look_sql(sql, channel_name(checks));
        break;
    case CHECKS_DROP:
        command_drop_slot(sql, checks->slot);
        break;
    case CHECKS_ROUND_TRIP_START:
        plugins_options(checks, plugin, &options);
        command_start(sql, checks->slot, (struct slice){options.data, options.len});
        sql->failed |= options.failed;
        buffer_free(&options);
        break;
    default:
        buffer_text(sql, states[checks->state].sql != NULL ? states[checks->state].sql : "");
        break;
    }
}

static bool on_identity(void *context, struct query_row *row)
{
    struct checks *checks = context;
    struct slice value;

    if (!query_row_next(row, &value)) {
        return false;
    }
    snprintf(checks->identity, sizeof(checks->identity), "%.*s", (int)value.len, value.data);
    return true;
}

/* IDENTIFY_SYSTEM's: the system identifier, the timeline, the position, … */
static bool on_position(void *context, struct query_row *row)
{
    struct checks *checks = context;
    struct slice id, timeline, position;

    return query_row_next(row, &id) && query_row_next(row, &timeline) &&
           query_row_next(row, &position) && lsn_read(position, &checks->wal_position);
}

static bool on_replica(void *context, struct query_row *row)
{
    struct checks *checks = context;
    struct slice value;

    for (int i = 0; i < 2; i++) {
        if (!query_row_next(row, &value)) {
            return false;
        }
        snprintf(checks->replica_facts[i], SYSTEM_ID_MAX, "%.*s", (int)value.len, value.data);
    }
    return true;
}

/* A fact, or a sign of a platform. */
static bool on_fact(void *context, struct query_row *row)
{
    struct checks *checks = context;
    struct slice name, value;
    char sign[FACT_MAX];

    if (!query_row_next(row, &name) || !query_row_next(row, &value)) {
        return false;
    }
    if (!slice_equal(name, slice_of("sign"))) {
        return facts_take(&checks->facts, name, value);
    }
    snprintf(sign, sizeof(sign), "%.*s", (int)value.len, value.data);
    checks->platform = platform_join(checks->platform, platform_of_sign(sign));
    return true;
}

static void *row_context(struct checks *checks, query_row_fn **on_row)
{
    switch (checks->state) {
    case CHECKS_SENDER_IDENTITY:
        *on_row = on_identity;
        return checks;
    case CHECKS_CHANNEL:
        *on_row = channel_lock_row;
        return &checks->channel;
    case CHECKS_ORDINARY_POOLER:
    case CHECKS_CHANNEL_POOLER:
        *on_row = pooler_row;
        return &checks->pid;
    case CHECKS_FACTS:
        *on_row = on_fact;
        return checks;
    case CHECKS_TABLES:
        *on_row = tables_row;
        return &checks->tables;
    case CHECKS_NAMES:
        *on_row = wanted_offer;
        return &checks->tables.wanted;
    case CHECKS_PUBLICATIONS:
        *on_row = publications_row;
        return &checks->publications;
    case CHECKS_PUBLISHED:
        *on_row = publication_keyless_row;
        return checks;
    case CHECKS_KEY_TABLES:
        *on_row = keys_table_row;
        return checks;
    case CHECKS_KEYS:
        *on_row = keys_row;
        return checks;
    case CHECKS_BLOCKERS:
        *on_row = blockers_row;
        return checks;
    case CHECKS_WAL_POSITION:
        *on_row = on_position;
        return checks;
    case CHECKS_REPLICA_FACTS:
        *on_row = on_replica;
        return checks;
    default:
        *on_row = NULL;
        return NULL;
    }
}

bool question_start(struct checks *checks)
{
    struct buffer sql = {0};
    query_row_fn *on_row;
    void *context = row_context(checks, &on_row);
    bool ok;

    checks->side = states[checks->state].side;
    if (checks->side == SIDE_ORDINARY && checks->login[SIDE_ORDINARY] == NULL) {
        checks->side = SIDE_SENDER; /* which takes SQL too */
    }
    append_command(checks, &sql);
    buffer_byte(&sql, '\0');
    ok = !sql.failed;
    if (ok) {
        query_start(&checks->query, checks_conn(checks, checks->side), sql.data, on_row, context);
    }
    buffer_free(&sql);
    return ok;
}
