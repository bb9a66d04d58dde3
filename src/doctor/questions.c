#include <stdio.h>
#include <string.h>

#include "decode/plugins.h"
#include "doctor/state.h"

#define IDENTITY_SQL "SELECT " SQL_IDENTITY
#define REPLICA_SQL  "SELECT " SQL_SYSTEM_ID ", pg_catalog.pg_is_in_recovery()::text"

/* What each state asks, and of whom; for people, which check it belongs to. */
static const struct {
    enum side side;
    const char *check;
    const char *sql; /* NULL: append_command makes it, or it is no query */
    bool optional;   /* a refusal is no failure */
} states[EXAM_OVER + 1] = {
    [EXAM_SENDER_LOGIN] = {.side = SIDE_SENDER},
    [EXAM_ORDINARY_LOGIN] = {.side = SIDE_ORDINARY},
    [EXAM_SENDER_SETTINGS] = {SIDE_SENDER, "replication", SQL_SETTINGS, false},
    [EXAM_SENDER_CHECK] = {SIDE_SENDER, "replication", SQL_DEATH_CHECK, true},
    [EXAM_SENDER_IDENTITY] = {SIDE_SENDER, "replication", IDENTITY_SQL, false},
    [EXAM_ORDINARY_SETTINGS] = {SIDE_ORDINARY, "gate", SQL_SETTINGS, false},
    [EXAM_ORDINARY_CHECK] = {SIDE_ORDINARY, "gate", SQL_DEATH_CHECK, true},
    [EXAM_FACTS] = {SIDE_ORDINARY, "server", NULL, false},
    [EXAM_TABLES] = {SIDE_ORDINARY, "tables", NULL, false},
    [EXAM_NAMES] = {SIDE_ORDINARY, "tables", NULL, false},
    [EXAM_BLOCKERS] = {SIDE_ORDINARY, "transactions", blockers_sql, false},
    [EXAM_ARM] = {SIDE_SENDER, "slot", SQL_ARM, false},
    [EXAM_SLOT] = {SIDE_SENDER, "slot", NULL, false},
    [EXAM_CANCEL] = {SIDE_SENDER, "slot", NULL, false},
    [EXAM_DROP] = {SIDE_SENDER, "slot", NULL, false},
    [EXAM_TRIP_ARM] = {SIDE_SENDER, "slot", SQL_ARM, false},
    [EXAM_TRIP_SLOT] = {SIDE_SENDER, "slot", NULL, false},
    [EXAM_TRIP_START] = {SIDE_SENDER, "round trip", NULL, false},
    [EXAM_TRIP] = {.side = SIDE_SENDER, .check = "round trip"},
    [EXAM_REPLICA_LOGIN] = {.side = SIDE_REPLICA},
    [EXAM_REPLICA_FACTS] = {SIDE_REPLICA, "visible-on", REPLICA_SQL, false},
};

enum side question_side(enum exam_state state)
{
    return states[state].side;
}

const char *question_check(enum exam_state state)
{
    return states[state].check;
}

bool question_is_optional(enum exam_state state)
{
    return states[state].optional;
}

/* ---- whether to ask ---- */

/* Whether an ordinary login may succeed where the walsender's has failed. */
bool question_ordinary_has_prospect(const struct exam *exam)
{
    const char *sqlstate = exam->login_error.sqlstate;

    return exam->login_error.kind == ERROR_NONE ||
           (sqlstate[0] != '\0' && strcmp(sqlstate, "28P01") != 0 &&
            strcmp(sqlstate, "28000") != 0 && strcmp(sqlstate, "3D000") != 0);
}

bool question_slots_wait(const struct exam *exam)
{
    return exam->verdicts[PLUGIN_TEST_DECODING] == PLUGIN_WAITED ||
           exam->verdicts[PLUGIN_WAL2JSON] == PLUGIN_WAITED;
}

static bool has_named_tables(const struct exam *exam)
{
    struct buffer sql = {0};
    bool any;

    tables_query(&exam->tables, &sql);
    any = sql.len > 0;
    buffer_free(&sql);
    return any;
}

/* Whether there is something to do in the state: what it rests on is there. */
bool question_applies(const struct exam *exam, enum exam_state state)
{
    bool known = exam->facts.known[FACT_IDENTITY];
    bool asked = exam->login[SIDE_ORDINARY] != NULL || exam->login[SIDE_SENDER] != NULL;

    switch (state) {
    case EXAM_ORDINARY_LOGIN:
        return question_ordinary_has_prospect(exam);
    case EXAM_SENDER_SETTINGS:
    case EXAM_SENDER_CHECK:
    case EXAM_SENDER_IDENTITY:
        return exam->login[SIDE_SENDER] != NULL;
    case EXAM_ORDINARY_SETTINGS:
    case EXAM_ORDINARY_CHECK:
        return exam->login[SIDE_ORDINARY] != NULL;
    case EXAM_FACTS:
        return asked;
    case EXAM_TABLES:
        return known && asked && has_named_tables(exam);
    case EXAM_NAMES:
        return false; /* only behind TABLES */
    case EXAM_BLOCKERS:
        return known && asked && !facts_in_recovery(&exam->facts);
    case EXAM_ARM:
        return exam->login[SIDE_SENDER] != NULL && server_takes_slots(exam) && !exam->slot_failed &&
               exam->plugin < PLUGINS;
    case EXAM_TRIP_ARM:
        return exam->login[SIDE_SENDER] != NULL && exam->login[SIDE_ORDINARY] != NULL &&
               exam_chosen(exam) < PLUGINS && !exam->slot_failed && !question_slots_wait(exam);
    case EXAM_REPLICA_LOGIN:
        return known && exam->replica < exam->config->visible_on_count;
    case EXAM_SENDER_LOGIN:
    case EXAM_OVER:
        return true;
    case EXAM_SLOT:
    case EXAM_CANCEL:
    case EXAM_DROP:
    case EXAM_TRIP_SLOT:
    case EXAM_TRIP_START:
    case EXAM_TRIP:
    case EXAM_REPLICA_FACTS:
        break;
    }
    return false; /* only where the state before leads there */
}

/* ---- asking ---- */

static void append_command(struct exam *exam, struct buffer *sql)
{
    struct conn *sender = exam_conn(exam, SIDE_SENDER);
    enum plugin plugin = exam->state == EXAM_SLOT ? exam->plugin : exam_chosen(exam);

    switch (exam->state) {
    case EXAM_FACTS:
        facts_query(sql);
        facts_counts(sql, sender != NULL ? conn_cancel_key(sender)->pid : 0);
        buffer_text(sql, " UNION ALL SELECT 'sign', sign FROM (" PLATFORM_SIGNS_SQL ") s");
        break;
    case EXAM_TABLES:
        tables_query(&exam->tables, sql);
        break;
    case EXAM_NAMES:
        wanted_nearest_query(&exam->tables.wanted, sql);
        break;
    case EXAM_SLOT:
    case EXAM_TRIP_SLOT:
        command_create_slot(sql, exam->slot, plugins[plugin].name);
        break;
    case EXAM_DROP:
        command_drop_slot(sql, exam->slot);
        break;
    case EXAM_TRIP_START:
        command_start(sql, exam->slot, slice_of(plugins[plugin].options));
        break;
    default:
        buffer_text(sql, states[exam->state].sql != NULL ? states[exam->state].sql : "");
        break;
    }
}

static bool take_identity(void *context, struct query_row *row)
{
    struct exam *exam = context;
    struct slice value;

    if (!query_row_next(row, &value)) {
        return false;
    }
    snprintf(exam->identity, sizeof(exam->identity), "%.*s", (int)value.len, value.data);
    return true;
}

static bool take_replica(void *context, struct query_row *row)
{
    struct exam *exam = context;
    struct slice value;

    for (int i = 0; i < 2; i++) {
        if (!query_row_next(row, &value)) {
            return false;
        }
        snprintf(exam->replica_facts[i], SYSTEM_ID_MAX, "%.*s", (int)value.len, value.data);
    }
    return true;
}

/* A fact, or a sign of a platform. */
static bool take_fact(void *context, struct query_row *row)
{
    struct exam *exam = context;
    struct slice name, value;
    char sign[FACT_MAX];

    if (!query_row_next(row, &name) || !query_row_next(row, &value)) {
        return false;
    }
    if (!slice_equal(name, slice_of("sign"))) {
        return facts_take(&exam->facts, name, value);
    }
    snprintf(sign, sizeof(sign), "%.*s", (int)value.len, value.data);
    exam->platform = platform_join(exam->platform, platform_of_sign(sign));
    return true;
}

static void *row_context(struct exam *exam, query_row_fn **on_row)
{
    switch (exam->state) {
    case EXAM_SENDER_IDENTITY:
        *on_row = take_identity;
        return exam;
    case EXAM_FACTS:
        *on_row = take_fact;
        return exam;
    case EXAM_TABLES:
        *on_row = tables_row;
        return &exam->tables;
    case EXAM_NAMES:
        *on_row = wanted_offer;
        return &exam->tables.wanted;
    case EXAM_BLOCKERS:
        *on_row = blockers_row;
        return exam;
    case EXAM_REPLICA_FACTS:
        *on_row = take_replica;
        return exam;
    default:
        *on_row = NULL;
        return NULL;
    }
}

bool question_start(struct exam *exam)
{
    struct buffer sql = {0};
    query_row_fn *on_row;
    void *context = row_context(exam, &on_row);
    bool ok;

    exam->side = states[exam->state].side;
    if (exam->side == SIDE_ORDINARY && exam->login[SIDE_ORDINARY] == NULL) {
        exam->side = SIDE_SENDER; /* which takes SQL too */
    }
    append_command(exam, &sql);
    buffer_byte(&sql, '\0');
    ok = !sql.failed;
    if (ok) {
        query_start(&exam->query, exam_conn(exam, exam->side), sql.data, on_row, context);
    }
    buffer_free(&sql);
    return ok;
}
