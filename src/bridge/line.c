#include "bridge/line.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "wire/lsn.h"

#define NUMBER_MAX     9007199254740992.0 /* 2^53: above, a double isn't exact */
#define PARTS_READ_MAX 65536

/* ---- members ---- */

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* NULL: it is no string. */
static const char *string_of(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(member(object, name));
}

/* Whether there is a whole number from 0 on. */
static bool number_of(const cJSON *object, const char *name, uint64_t *number)
{
    const cJSON *value = member(object, name);

    if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0) || value->valuedouble > NUMBER_MAX ||
        value->valuedouble != (double)(uint64_t)value->valuedouble) {
        return false;
    }
    *number = (uint64_t)value->valuedouble;
    return true;
}

/* Seconds, in microseconds; `none` where there are none that make sense. */
static int64_t seconds_of(const cJSON *object, const char *name, int64_t none)
{
    const cJSON *value = member(object, name);

    if (!cJSON_IsNumber(value) || !(value->valuedouble > 0) || value->valuedouble > 1e11) {
        return none;
    }
    return (int64_t)(value->valuedouble * (double)CLOCK_S + 0.5);
}

/* ---- the line ---- */

static bool is_utf8(struct slice text)
{
    while (text.len > 0) {
        size_t len = utf8_sequence(text);

        if (len == 0) {
            return false;
        }
        text.data += len;
        text.len -= len;
    }
    return true;
}

static bool read_type(struct line *line)
{
    static const char *const types[] = {
        [LINE_BATCH] = "batch", [LINE_RESYNC] = "resync", [LINE_HEARTBEAT] = "heartbeat"};
    const char *type = string_of(line->json, "type");

    for (size_t i = 0; type != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(type, types[i]) == 0) {
            line->type = (enum line_type)i;
            return true;
        }
    }
    return false;
}

/* One that is not known is a resync as well. */
static enum resync reason_of(const cJSON *json)
{
    const char *text = string_of(json, "reason");

    for (int i = RESYNC_CONNECTED; text != NULL && i < RESYNC_REASONS; i++) {
        if (strcmp(text, resync_text((enum resync)i)) == 0) {
            return (enum resync)i;
        }
    }
    return RESYNC_FAILSAFE;
}

/* False: it has no number. */
static bool read_place(struct line *line)
{
    struct line_place *place = &line->place;
    const char *session = string_of(line->json, "session");
    uint64_t part = 1, parts = 1;

    if (session == NULL || session[0] == '\0' || strlen(session) >= sizeof(place->session) ||
        !number_of(line->json, "seq", &place->seq) || place->seq == 0) {
        return false;
    }
    if (member(line->json, "part") != NULL &&
        (!number_of(line->json, "part", &part) || !number_of(line->json, "parts", &parts) ||
         part == 0 || part > parts || parts > PARTS_READ_MAX)) {
        return false;
    }
    memcpy(place->session, session, strlen(session) + 1);
    place->part = (uint32_t)part;
    place->parts = (uint32_t)parts;
    return true;
}

static bool read_lsn(struct line *line)
{
    const char *lsn = string_of(line->json, "lsn");

    return lsn != NULL && lsn_read(slice_of(lsn), &line->lsn);
}

enum line_result line_read(struct line *line, struct slice text)
{
    enum line_result result = LINE_UNREADABLE;

    *line = (struct line){.interval_us = CLOCK_NEVER};
    line->json = is_utf8(text) ? cJSON_ParseWithLength(text.data, text.len) : NULL;
    if (cJSON_IsObject(line->json) && read_type(line)) {
        result = read_place(line) ? LINE_READ : LINE_UNNUMBERED;
    }
    if (result == LINE_READ &&
        (!read_lsn(line) ||
         (line->type == LINE_BATCH && !cJSON_IsArray(member(line->json, "events"))))) {
        result = LINE_UNREADABLE;
    }
    if (result != LINE_READ) {
        line_free(line);
        return result;
    }
    line->reason = line->type == LINE_RESYNC ? reason_of(line->json) : RESYNC_NONE;
    line->interval_us = seconds_of(line->json, "interval", CLOCK_NEVER);
    return LINE_READ;
}

void line_free(struct line *line)
{
    cJSON_Delete(line->json);
    line->json = NULL;
}

/* ---- events ---- */

static bool relation_of(const char *schema, const char *table, struct relation *relation)
{
    if (schema == NULL || table == NULL || schema[0] == '\0' || table[0] == '\0') {
        return false;
    }
    *relation = (struct relation){slice_of(schema), slice_of(table)};
    return true;
}

/* Those above it, as bits; without a list all that come later. */
static bool read_above(const cJSON *list, size_t place, size_t count, uint64_t *above)
{
    const cJSON *number;

    *above = 0;
    for (size_t i = place + 1; list == NULL && i <= count; i++) {
        *above |= UINT64_C(1) << i;
    }
    if (list != NULL && !cJSON_IsArray(list)) {
        return false;
    }
    for (number = list != NULL ? list->child : NULL; number != NULL; number = number->next) {
        if (!cJSON_IsNumber(number) || !(number->valuedouble >= 1) ||
            number->valuedouble > (double)count) {
            return false;
        }
        *above |= UINT64_C(1) << (unsigned)number->valuedouble;
    }
    return true;
}

/* [["schema","table"],…], with the numbers of those above it in third place where these are not
 * all that follow. */
static bool read_ancestors(const cJSON *ancestors, struct lineage *lineage)
{
    size_t count = ancestors != NULL ? (size_t)cJSON_GetArraySize(ancestors) : 0;
    const cJSON *one = ancestors != NULL ? ancestors->child : NULL;

    if ((ancestors != NULL && !cJSON_IsArray(ancestors)) || count >= LINEAGE_MAX) {
        return false;
    }
    for (; one != NULL; one = one->next) {
        const cJSON *schema = cJSON_IsArray(one) ? one->child : NULL;
        const cJSON *table = schema != NULL ? schema->next : NULL;
        size_t place = lineage->len++;

        lineage->oid[place] = (uint32_t)place;
        if (table == NULL ||
            !relation_of(cJSON_GetStringValue(schema), cJSON_GetStringValue(table),
                         &lineage->at[place]) ||
            !read_above(table->next, place, count, &lineage->above[place])) {
            return false;
        }
        lineage->above[0] |= UINT64_C(1) << place;
    }
    return true;
}

static void read_operations(const cJSON *json, struct line_event *event)
{
    static const char *const names[OPERATIONS] = {[OPERATION_INSERT] = "inserts",
                                                  [OPERATION_UPDATE] = "updates",
                                                  [OPERATION_DELETE] = "deletes",
                                                  [OPERATION_TRUNCATE] = "truncates"};

    event->operations = true;
    for (int i = OPERATION_INSERT; i < OPERATIONS; i++) {
        event->operations &= number_of(json, names[i], &event->tally.operations[i]);
    }
}

static bool read_event(const cJSON *json, struct line_event *event)
{
    struct lineage *lineage = &event->lineage;

    *event = (struct line_event){.lineage = {.len = 1}};
    if (!relation_of(string_of(json, "schema"), string_of(json, "table"), &lineage->at[0]) ||
        !number_of(json, "count", &event->tally.count) || event->tally.count == 0 ||
        !read_ancestors(member(json, "ancestors"), lineage)) {
        return false;
    }
    event->tally.first_seen_us = seconds_of(json, "first_seen", 0);
    read_operations(json, event);
    event->key = member(json, "key");
    event->keys = member(json, "keys");
    if (!cJSON_IsArray(event->key) || !cJSON_IsArray(event->keys)) {
        event->key = event->keys = NULL;
    }
    event->tally.whole = event->keys == NULL;
    return true;
}

bool line_next_event(const struct line *line, const cJSON **at, struct line_event *event, bool *bad)
{
    const cJSON *next = *at != NULL ? (*at)->next : member(line->json, "events")->child;

    *bad = false;
    if (next == NULL) {
        return false;
    }
    *at = next;
    *bad = !read_event(next, event);
    return !*bad;
}

/* ---- its publisher ---- */

const cJSON *line_tables(const struct line *line)
{
    const cJSON *tables = member(line->json, "tables");

    return cJSON_IsArray(tables) ? tables : NULL;
}

const cJSON *line_exclude(const struct line *line)
{
    const cJSON *exclude = member(line->json, "exclude");

    return cJSON_IsArray(exclude) ? exclude : NULL;
}

bool line_names_leaves(const struct line *line)
{
    const char *partitions = string_of(line->json, "partitions");

    return partitions != NULL && strcmp(partitions, "leaf") == 0;
}
