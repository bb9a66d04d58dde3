#include "decode/plugins.h"
#include <stdio.h>
#include <string.h>

#include "decode/plugins.h"
#include "doctor/state.h"

#include "decode/plugins.h"
#define IDENTITY_SQL "SELECT " SQL_IDENTITY
#include "decode/plugins.h"
#define REPLICA_SQL "SELECT " SQL_SYSTEM_ID ", pg_catalog.pg_is_in_recovery()::text"
#include "decode/plugins.h"

#include "decode/plugins.h"
/* What each state asks, and of whom; for people, which check it belongs to. */
#include "decode/plugins.h"
static const struct {
#include "decode/plugins.h"
    enum side side;
#include "decode/plugins.h"
    const char *check;
#include "decode/plugins.h"
    const char *sql; /* NULL: append_command makes it, or it is no query */
#include "decode/plugins.h"
    bool optional; /* a refusal is no failure */
#include "decode/plugins.h"
} states[EXAM_OVER + 1] = {
#include "decode/plugins.h"
    [EXAM_SENDER_LOGIN] = {.side = SIDE_SENDER},
#include "decode/plugins.h"
    [EXAM_ORDINARY_LOGIN] = {.side = SIDE_ORDINARY},
#include "decode/plugins.h"
    [EXAM_SENDER_SETTINGS] = {SIDE_SENDER, "replication", SQL_SETTINGS, false},
#include "decode/plugins.h"
    [EXAM_SENDER_CHECK] = {SIDE_SENDER, "replication", SQL_DEATH_CHECK, true},
#include "decode/plugins.h"
    [EXAM_SENDER_IDENTITY] = {SIDE_SENDER, "replication", IDENTITY_SQL, false},
#include "decode/plugins.h"
    [EXAM_ORDINARY_SETTINGS] = {SIDE_ORDINARY, "gate", SQL_SETTINGS, false},
#include "decode/plugins.h"
    [EXAM_ORDINARY_CHECK] = {SIDE_ORDINARY, "gate", SQL_DEATH_CHECK, true},
#include "decode/plugins.h"
    [EXAM_FACTS] = {SIDE_ORDINARY, "server", NULL, false},
#include "decode/plugins.h"
    [EXAM_TABLES] = {SIDE_ORDINARY, "tables", NULL, false},
#include "decode/plugins.h"
    [EXAM_NAMES] = {SIDE_ORDINARY, "tables", WANTED_NAMES_SQL, false},
#include "decode/plugins.h"
    [EXAM_BLOCKERS] = {SIDE_ORDINARY, "transactions", blockers_sql, false},
#include "decode/plugins.h"
    [EXAM_ARM] = {SIDE_SENDER, "slot", SQL_ARM, false},
#include "decode/plugins.h"
    [EXAM_SLOT] = {SIDE_SENDER, "slot", NULL, false},
#include "decode/plugins.h"
    [EXAM_CANCEL] = {SIDE_SENDER, "slot", NULL, false},
#include "decode/plugins.h"
    [EXAM_DROP] = {SIDE_SENDER, "slot", NULL, false},
#include "decode/plugins.h"
    [EXAM_TRIP_ARM] = {SIDE_SENDER, "slot", SQL_ARM, false},
#include "decode/plugins.h"
    [EXAM_TRIP_SLOT] = {SIDE_SENDER, "slot", NULL, false},
#include "decode/plugins.h"
    [EXAM_TRIP_START] = {SIDE_SENDER, "round trip", NULL, false},
#include "decode/plugins.h"
    [EXAM_TRIP] = {.side = SIDE_SENDER, .check = "round trip"},
#include "decode/plugins.h"
    [EXAM_REPLICA_LOGIN] = {.side = SIDE_REPLICA},
#include "decode/plugins.h"
    [EXAM_REPLICA_FACTS] = {SIDE_REPLICA, "visible-on", REPLICA_SQL, false},
#include "decode/plugins.h"
};
#include "decode/plugins.h"

#include "decode/plugins.h"
enum side question_side(enum exam_state state)
#include "decode/plugins.h"
{
#include "decode/plugins.h"
    return states[state].side;
#include "decode/plugins.h"
}
#include "decode/plugins.h"

#include "decode/plugins.h"
const char *question_check(enum exam_state state)
#include "decode/plugins.h"
{
#include "decode/plugins.h"
    return states[state].check;
#include "decode/plugins.h"
}
#include "decode/plugins.h"

#include "decode/plugins.h"
bool question_is_optional(enum exam_state state)
#include "decode/plugins.h"
{
#include "decode/plugins.h"
    return states[state].optional;
#include "decode/plugins.h"
}
#include "decode/plugins.h"

#include "decode/plugins.h"
/* ---- whether to ask ---- */
#include "decode/plugins.h"

#include "decode/plugins.h"
/* Whether an ordinary login may succeed where the walsender's has failed. */
#include "decode/plugins.h"
bool question_ordinary_has_prospect(const struct exam *exam)
#include "decode/plugins.h"
{
#include "decode/plugins.h"
    const char *sqlstate = exam->login_error.sqlstate;
#include "decode/plugins.h"

#include "decode/plugins.h"
    return exam->login_error.kind == ERROR_NONE ||
#include "decode/plugins.h"
           (sqlstate[0] != '\0' && strcmp(sqlstate, "28P01") != 0 &&
#include "decode/plugins.h"
            strcmp(sqlstate, "28000") != 0 && strcmp(sqlstate, "3D000") != 0);
#include "decode/plugins.h"
}
#include "decode/plugins.h"

#include "decode/plugins.h"
bool question_slots_wait(const struct exam *exam)
#include "decode/plugins.h"
{
#include "decode/plugins.h"
    return exam->verdicts[PLUGIN_TEST_DECODING] == PLUGIN_WAITED ||
#include "decode/plugins.h"
           exam->verdicts[PLUGIN_WAL2JSON] == PLUGIN_WAITED;
#include "decode/plugins.h"
}
#include "decode/plugins.h"

#include "decode/plugins.h"
static bool has_named_tables(const struct exam *exam)
#include "decode/plugins.h"
{
#include "decode/plugins.h"
    struct buffer sql = {0};
#include "decode/plugins.h"
    bool any;
#include "decode/plugins.h"

#include "decode/plugins.h"
    tables_query(&exam->tables, &sql);
#include "decode/plugins.h"
    any = sql.len > 0;
#include "decode/plugins.h"
    buffer_free(&sql);
#include "decode/plugins.h"
    return any;
#include "decode/plugins.h"
}
#include "decode/plugins.h"

#include "decode/plugins.h"
/* Whether there is something to do in the state: what it rests on is there. */
#include "decode/plugins.h"
bool question_applies(const struct exam *exam, enum exam_state state)
#include "decode/plugins.h"
{
#include "decode/plugins.h"
    bool known = exam->facts.known[FACT_IDENTITY];
#include "decode/plugins.h"
    bool asked = exam->login[SIDE_ORDINARY] != NULL || exam->login[SIDE_SENDER] != NULL;
#include "decode/plugins.h"

#include "decode/plugins.h"
    switch (state) {
#include "decode/plugins.h"
    case EXAM_ORDINARY_LOGIN:
#include "decode/plugins.h"
        return question_ordinary_has_prospect(exam);
#include "decode/plugins.h"
    case EXAM_SENDER_SETTINGS:
#include "decode/plugins.h"
    case EXAM_SENDER_CHECK:
#include "decode/plugins.h"
    case EXAM_SENDER_IDENTITY:
#include "decode/plugins.h"
        return exam->login[SIDE_SENDER] != NULL;
#include "decode/plugins.h"
    case EXAM_ORDINARY_SETTINGS:
#include "decode/plugins.h"
    case EXAM_ORDINARY_CHECK:
#include "decode/plugins.h"
        return exam->login[SIDE_ORDINARY] != NULL;
#include "decode/plugins.h"
    case EXAM_FACTS:
#include "decode/plugins.h"
        return asked;
#include "decode/plugins.h"
    case EXAM_TABLES:
#include "decode/plugins.h"
        return known && asked && has_named_tables(exam);
#include "decode/plugins.h"
    case EXAM_NAMES:
#include "decode/plugins.h"
        return false; /* only behind TABLES */
#include "decode/plugins.h"
    case EXAM_BLOCKERS:
#include "decode/plugins.h"
        return known && asked && !facts_in_recovery(&exam->facts);
#include "decode/plugins.h"
    case EXAM_ARM:
#include "decode/plugins.h"
        return exam->login[SIDE_SENDER] != NULL && server_takes_slots(exam) && !exam->slot_failed &&
#include "decode/plugins.h"
               exam->plugin < PLUGINS;
#include "decode/plugins.h"
    case EXAM_TRIP_ARM:
#include "decode/plugins.h"
        return exam->login[SIDE_SENDER] != NULL && exam->login[SIDE_ORDINARY] != NULL &&
#include "decode/plugins.h"
               exam_chosen(exam) < PLUGINS && !exam->slot_failed && !question_slots_wait(exam);
#include "decode/plugins.h"
    case EXAM_REPLICA_LOGIN:
#include "decode/plugins.h"
        return known && exam->replica < exam->config->visible_on_count;
#include "decode/plugins.h"
    case EXAM_SENDER_LOGIN:
#include "decode/plugins.h"
    case EXAM_OVER:
#include "decode/plugins.h"
        return true;
#include "decode/plugins.h"
    case EXAM_SLOT:
#include "decode/plugins.h"
    case EXAM_CANCEL:
#include "decode/plugins.h"
    case EXAM_DROP:
#include "decode/plugins.h"
    case EXAM_TRIP_SLOT:
#include "decode/plugins.h"
    case EXAM_TRIP_START:
#include "decode/plugins.h"
    case EXAM_TRIP:
#include "decode/plugins.h"
    case EXAM_REPLICA_FACTS:
#include "decode/plugins.h"
        break;
#include "decode/plugins.h"
    }
#include "decode/plugins.h"
    return false; /* only where the state before leads there */
#include "decode/plugins.h"
}
#include "decode/plugins.h"

#include "decode/plugins.h"
/* ---- asking ---- */
#include "decode/plugins.h"

#include "decode/plugins.h"
static void append_command(struct exam *exam, struct buffer *sql)
#include "decode/plugins.h"
{
#include "decode/plugins.h"
    struct conn *sender = exam_conn(exam, SIDE_SENDER);
#include "decode/plugins.h"
    enum plugin plugin = exam->state == EXAM_SLOT ? exam->plugin : exam_chosen(exam);
#include "decode/plugins.h"

#include "decode/plugins.h"
    switch (exam->state) {
#include "decode/plugins.h"
    case EXAM_FACTS:
#include "decode/plugins.h"
        facts_query(sql, sender != NULL ? conn_cancel_key(sender)->pid : 0);
#include "decode/plugins.h"
        break;
#include "decode/plugins.h"
    case EXAM_TABLES:
#include "decode/plugins.h"
        tables_query(&exam->tables, sql);
#include "decode/plugins.h"
        break;
#include "decode/plugins.h"
    case EXAM_SLOT:
#include "decode/plugins.h"
    case EXAM_TRIP_SLOT:
#include "decode/plugins.h"
        command_create_slot(sql, exam->slot, plugins[plugin].name);
#include "decode/plugins.h"
        break;
#include "decode/plugins.h"
    case EXAM_DROP:
#include "decode/plugins.h"
        command_drop_slot(sql, exam->slot);
#include "decode/plugins.h"
        break;
#include "decode/plugins.h"
    case EXAM_TRIP_START:
#include "decode/plugins.h"
        command_start(sql, exam->slot, slice_of(plugins[plugin].options));
#include "decode/plugins.h"
        break;
#include "decode/plugins.h"
    default:
#include "decode/plugins.h"
        buffer_text(sql, states[exam->state].sql != NULL ? states[exam->state].sql : "");
#include "decode/plugins.h"
        break;
#include "decode/plugins.h"
    }
#include "decode/plugins.h"
}
#include "decode/plugins.h"

#include "decode/plugins.h"
static bool take_identity(void *context, struct query_row *row)
#include "decode/plugins.h"
{
#include "decode/plugins.h"
    struct exam *exam = context;
#include "decode/plugins.h"
    struct slice value;
#include "decode/plugins.h"

#include "decode/plugins.h"
    if (!query_row_next(row, &value)) {
#include "decode/plugins.h"
        return false;
#include "decode/plugins.h"
    }
#include "decode/plugins.h"
    snprintf(exam->identity, sizeof(exam->identity), "%.*s", (int)value.len, value.data);
#include "decode/plugins.h"
    return true;
#include "decode/plugins.h"
}
#include "decode/plugins.h"

#include "decode/plugins.h"
static bool take_replica(void *context, struct query_row *row)
#include "decode/plugins.h"
{
#include "decode/plugins.h"
    struct exam *exam = context;
#include "decode/plugins.h"
    struct slice value;
#include "decode/plugins.h"

#include "decode/plugins.h"
    for (int i = 0; i < 2; i++) {
#include "decode/plugins.h"
        if (!query_row_next(row, &value)) {
#include "decode/plugins.h"
            return false;
#include "decode/plugins.h"
        }
#include "decode/plugins.h"
        snprintf(exam->replica_facts[i], SYSTEM_ID_MAX, "%.*s", (int)value.len, value.data);
#include "decode/plugins.h"
    }
#include "decode/plugins.h"
    return true;
#include "decode/plugins.h"
}
#include "decode/plugins.h"

#include "decode/plugins.h"
static void *row_context(struct exam *exam, query_row_fn **on_row)
#include "decode/plugins.h"
{
#include "decode/plugins.h"
    switch (exam->state) {
#include "decode/plugins.h"
    case EXAM_SENDER_IDENTITY:
#include "decode/plugins.h"
        *on_row = take_identity;
#include "decode/plugins.h"
        return exam;
#include "decode/plugins.h"
    case EXAM_FACTS:
#include "decode/plugins.h"
        *on_row = facts_row;
#include "decode/plugins.h"
        return &exam->facts;
#include "decode/plugins.h"
    case EXAM_TABLES:
#include "decode/plugins.h"
        *on_row = tables_row;
#include "decode/plugins.h"
        return &exam->tables;
#include "decode/plugins.h"
    case EXAM_NAMES:
#include "decode/plugins.h"
        *on_row = tables_name;
#include "decode/plugins.h"
        return &exam->tables;
#include "decode/plugins.h"
    case EXAM_BLOCKERS:
#include "decode/plugins.h"
        *on_row = blockers_row;
#include "decode/plugins.h"
        return exam;
#include "decode/plugins.h"
    case EXAM_REPLICA_FACTS:
#include "decode/plugins.h"
        *on_row = take_replica;
#include "decode/plugins.h"
        return exam;
#include "decode/plugins.h"
    default:
#include "decode/plugins.h"
        *on_row = NULL;
#include "decode/plugins.h"
        return NULL;
#include "decode/plugins.h"
    }
#include "decode/plugins.h"
}
#include "decode/plugins.h"

#include "decode/plugins.h"
bool question_start(struct exam *exam)
#include "decode/plugins.h"
{
#include "decode/plugins.h"
    struct buffer sql = {0};
#include "decode/plugins.h"
    query_row_fn *on_row;
#include "decode/plugins.h"
    void *context = row_context(exam, &on_row);
#include "decode/plugins.h"
    bool ok;
#include "decode/plugins.h"

#include "decode/plugins.h"
    exam->side = states[exam->state].side;
#include "decode/plugins.h"
    if (exam->side == SIDE_ORDINARY && exam->login[SIDE_ORDINARY] == NULL) {
#include "decode/plugins.h"
        exam->side = SIDE_SENDER; /* which takes SQL too */
#include "decode/plugins.h"
    }
#include "decode/plugins.h"
    append_command(exam, &sql);
#include "decode/plugins.h"
    buffer_byte(&sql, '\0');
#include "decode/plugins.h"
    ok = !sql.failed;
#include "decode/plugins.h"
    if (ok) {
#include "decode/plugins.h"
        query_start(&exam->query, exam_conn(exam, exam->side), sql.data, on_row, context);
#include "decode/plugins.h"
    }
#include "decode/plugins.h"
    buffer_free(&sql);
#include "decode/plugins.h"
    return ok;
#include "decode/plugins.h"
}
