#include "feed/relay.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "base/clock.h"
#include "batch/definition.h"
#include "batch/json.h"
#include "bridge/scope.h"

#define SILENT_HEARTBEATS 3

/* ---- resyncs ---- */

void relay_start(struct relay *relay, uint64_t lsn)
{
    relay->started = true;
    relay->heard_us = relay->now_us;
    window_connected(relay->window, lsn);
    window_resync(relay->window,
                  relay->delivery->resync_printed ? RESYNC_RECONNECTED : RESYNC_CONNECTED,
                  relay->now_us);
}

static void resync(struct relay *relay, enum resync reason)
{
    if (relay->started) {
        window_resync_from(relay->window, reason, relay->now_us);
    }
}

static void missed(void *context)
{
    resync(context, RESYNC_MISSED);
}

/* Whatever the last one has said of its place. */
static void another(void *context, bool foreign)
{
    struct relay *relay = context;

    relay->foreign = foreign;
    relay->follower = (struct follower){0};
    missed(context);
}

void relay_stop(struct relay *relay)
{
    relay->started = false;
    relay->foreign = false;
    relay->interval_us = CLOCK_NEVER;
    relay->follower = (struct follower){0};
}

/* ---- silence ---- */

int64_t relay_deadline(const struct relay *relay)
{
    int64_t silence_us = relay->interval_us <= CLOCK_NEVER / SILENT_HEARTBEATS
                             ? relay->interval_us * SILENT_HEARTBEATS
                             : CLOCK_NEVER;

    return relay->started && !relay->silence_said ? clock_after(relay->heard_us, silence_us)
                                                  : CLOCK_NEVER;
}

void relay_tick(struct relay *relay, int64_t now_us)
{
    if (now_us >= relay_deadline(relay)) {
        relay->silence_said = true;
        log_say(relay->log, LOG_WARNING, "nothing has come from the publisher for %.3g s",
                (double)(now_us - relay->heard_us) / (double)CLOCK_S);
        log_hint(relay->log, LOG_WARNING,
                 "Changes since then come as a resync when it is back. Is it running?");
    }
}

static void heard(struct relay *relay, const struct line *line)
{
    relay->heard_us = relay->now_us;
    if (line->interval_us != CLOCK_NEVER) {
        relay->interval_us = line->interval_us;
    }
    if (relay->silence_said) {
        relay->silence_said = false;
        log_say(relay->log, LOG_WARNING, "the publisher is back");
    }
}

/* ---- keys ---- */

/* A definition that only says which columns they are. NULL: none, or out of memory. */
static struct definition *definition_of(const cJSON *columns)
{
    struct buffer json = {0};
    struct definition *definition = NULL;
    char before = '[';

    for (const cJSON *column = columns->child; column != NULL; column = column->next) {
        const char *name = cJSON_GetStringValue(column);

        json.failed |= name == NULL;
        buffer_byte(&json, before);
        json_string(&json, slice_of(name != NULL ? name : ""));
        before = ',';
    }
    buffer_text(&json, "]");
    buffer_byte(&json, '\0');
    if (!json.failed && before == ',') {
        definition = definition_new(0, 0, slice_of(""), slice_of(""));
    }
    if (definition == NULL) {
        buffer_free(&json);
        return NULL;
    }
    definition_use(definition, (struct key_columns){0}, json.data, json.data);
    return definition;
}

/* One key's parts, each with a NUL behind it. False: it is none. */
static bool key_text(const cJSON *key, struct buffer *text)
{
    size_t parts = 0;

    buffer_clear(text);
    for (const cJSON *part = cJSON_IsArray(key) ? key->child : NULL; part != NULL;
         part = part->next) {
        const char *value = cJSON_GetStringValue(part);

        if (value == NULL || ++parts > KEY_PARTS_MAX) {
            return false;
        }
        buffer_text(text, value);
        buffer_byte(text, '\0');
    }
    return parts > 0 && !text->failed && text->len - parts <= KEY_TEXT_MAX;
}

static void take_keys(struct relay *relay, struct name *name, const struct line_event *event)
{
    struct definition *definition = definition_of(event->key);
    struct buffer text = {0};
    struct row_keys keys = {.len = 1};
    const cJSON *key = event->keys->child;
    bool ok = definition != NULL && key != NULL;

    for (; ok && key != NULL; key = key->next) {
        ok = key_text(key, &text);
        keys.at[0] = (struct slice){text.data, text.len};
        if (ok) {
            window_keys(relay->window, name, definition, &keys);
        }
    }
    if (!ok) {
        window_whole(relay->window, name);
    }
    definition_release(definition);
    buffer_free(&text);
}

/* ---- events ---- */

static void say_operations(struct relay *relay)
{
    if (!relay->operations_said) {
        relay->operations_said = true;
        log_say(relay->log, LOG_WARNING,
                "the publisher doesn't count operations apart; start it with --operations");
    }
}

static bool take_event(struct relay *relay, const struct line_event *event, struct error *error)
{
    struct targets targets;
    struct tally tally = event->tally;

    relay->counters->changes += tally.count;
    if (!names_targets(relay->names, &event->lineage, &targets)) {
        return error_memory(error);
    }
    if (targets.truncated) {
        resync(relay, RESYNC_FAILSAFE);
    }
    if (relay->operations && !event->operations && targets.len > 0) {
        say_operations(relay);
    }
    if (tally.first_seen_us == 0) {
        tally.first_seen_us = relay->wall_us;
    }
    for (size_t i = 0; i < targets.len; i++) {
        /* The keys are those of the table itself. */
        tally.whole = event->keys == NULL || targets.oid[i] != 0;
        if (!window_event(relay->window, targets.at[i], &tally, relay->now_us)) {
            return error_memory(error);
        }
        if (!tally.whole && window_wants_keys(relay->window, targets.at[i])) {
            take_keys(relay, targets.at[i], event);
        }
    }
    return true;
}

static bool take_batch(struct relay *relay, const struct line *line, struct error *error)
{
    const cJSON *at = NULL;
    struct line_event event;
    bool bad;

    while (line_next_event(line, &at, &event, &bad)) {
        if (!take_event(relay, &event, error)) {
            return false;
        }
    }
    if (bad) {
        resync(relay, RESYNC_MISSED);
    }
    return true;
}

/* ---- lines ---- */

static bool add_patterns(struct pattern_set *set, const cJSON *texts, struct error *error)
{
    for (const cJSON *text = texts != NULL ? texts->child : NULL; text != NULL; text = text->next) {
        const char *pattern = cJSON_GetStringValue(text);

        error_clear(error);
        if (pattern == NULL || !pattern_set_add(set, pattern, error)) {
            return error->kind != ERROR_FATAL &&
                   error_set(error, ERROR_PERMANENT,
                             "can't read which tables the publisher watches");
        }
    }
    return true;
}

/* Whether the publisher reports all that is watched here. */
static bool check_scope(const struct relay *relay, const struct line *line, struct error *error)
{
    struct pattern_set tables = {0}, exclude = {0};
    struct verdict_rules theirs = {.tables = &tables,
                                   .exclude = &exclude,
                                   .partitions =
                                       line_names_leaves(line) ? PARTITIONS_LEAF : PARTITIONS_ROOT};
    bool ok = line_tables(line) == NULL || (add_patterns(&tables, line_tables(line), error) &&
                                            add_patterns(&exclude, line_exclude(line), error) &&
                                            scope_covers(&theirs, relay->rules, error));

    pattern_set_free(&tables);
    pattern_set_free(&exclude);
    return ok;
}

static bool take_item(struct relay *relay, const struct line *line, struct error *error)
{
    switch (line->type) {
    case LINE_BATCH:
        return take_batch(relay, line, error);
    case LINE_RESYNC:
        resync(relay, line->reason == RESYNC_CONNECTED ? RESYNC_RECONNECTED : line->reason);
        break;
    case LINE_HEARTBEAT:
        break;
    }
    return true;
}

static bool take_followed(struct relay *relay, const struct line *line, enum follow follow,
                          struct error *error)
{
    switch (follow) {
    case FOLLOW_REPEATED:
        break;
    case FOLLOW_FIRST:
    case FOLLOW_NEXT:
        return take_item(relay, line, error);
    case FOLLOW_SESSION:
        window_connected(relay->window, line->lsn);
        resync(relay, RESYNC_MISSED);
        break;
    case FOLLOW_MISSED:
        resync(relay, RESYNC_MISSED);
        break;
    }
    return true;
}

static bool take_line(struct relay *relay, const struct line *line, struct error *error)
{
    enum follow follow = follower_take(&relay->follower, &line->place);

    heard(relay, line);
    if (!check_scope(relay, line, error)) {
        relay->refused = !relay->foreign;
        return relay->foreign && error->kind != ERROR_FATAL;
    }
    if (!relay->started) {
        relay_start(relay, line->lsn);
        return true;
    }
    window_hold(relay->window, false);
    if (!take_followed(relay, line, follow, error)) {
        return false;
    }
    if (!window_commit(relay->window, line->lsn)) {
        return error_memory(error);
    }
    window_hold(relay->window, relay->follower.at.part < relay->follower.at.parts);
    return true;
}

static void unreadable(struct relay *relay)
{
    if (!relay->unreadable_said) {
        relay->unreadable_said = true;
        log_say(relay->log, LOG_WARNING, "a line is no item of pgnudge; a resync stands for it");
    }
    resync(relay, RESYNC_MISSED);
}

static bool take_text(void *context, struct slice text, struct error *error)
{
    struct relay *relay = context;
    struct line line;
    bool ok = true;

    switch (line_read(&line, text)) {
    case LINE_READ:
        ok = take_line(relay, &line, error);
        line_free(&line);
        break;
    case LINE_UNREADABLE:
        unreadable(relay);
        break;
    case LINE_UNNUMBERED:
        if (relay->anybody) {
            unreadable(relay);
            break;
        }
        ok = error_set(error, ERROR_FATAL,
                       "an item has no session and no number: a lost one would "
                       "go unnoticed");
        error_hint(error, "Start the pgnudge that prints it with --sequence.");
        break;
    }
    return ok;
}

struct line_sink relay_sink(struct relay *relay)
{
    return (struct line_sink){relay, take_text, missed, another};
}
