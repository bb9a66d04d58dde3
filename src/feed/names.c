#include "feed/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hashmap.h"
#include "feed/name.h"
#include "feed/payload.h"

/* Of the key of a spelling by parts; one of a plugin's has its number there. */
#define PARTS_PREFIX '='
#define SQL_PREFIX   '@'
#define REPLACEMENT  "\xef\xbf\xbd" /* U+FFFD */

struct names {
    struct verdict_rules rules;
    struct encoding *encoding;
    struct tree *tree;
    unsigned generation;
    struct hashmap spellings;      /* key -> struct spelling */
    struct spelling *last;         /* of a change; NULL: not known */
    struct hashmap watched;        /* json -> struct name; two spellings of one table share it */
    struct spelling *touched;      /* in the order of their first change */
    struct spelling **touched_end; /* where the next one is linked */
    struct spelling *unknown;      /* the first of them that is; NULL: none */
    bool unknown_touched;
    bool unseen_touched;
    unsigned epoch; /* counts comparisons */
};

struct names *names_new(const struct verdict_rules *rules)
{
    struct names *names = calloc(1, sizeof(*names));

    if (names != NULL) {
        names->rules = *rules;
        names->touched_end = &names->touched;
    }
    return names;
}

void names_connected(struct names *names, struct encoding *encoding)
{
    names->encoding = encoding;
}

bool names_need_tree(const struct names *names)
{
    return names->rules.partitions == PARTITIONS_ROOT || names->rules.tables->len > 0 ||
           names->rules.exclude->len > 0;
}

/* ---- names ---- */

static struct slice json_of(const struct name *name)
{
    return (struct slice){name->json, name->json_len};
}

static struct name *name_new(struct slice json)
{
    struct name *name = malloc(sizeof(*name) + json.len);

    if (name != NULL) {
        name->pending = NAME_NOT_PENDING;
        name->holds = 0;
        name->json_len = json.len;
        memcpy(name->json, json.data, json.len);
    }
    return name;
}

/* The name of a watched table, new or known. NULL: out of memory. */
static struct name *name_of(struct names *names, const struct relation *table)
{
    struct buffer json = {0};
    struct name *name = NULL;

    payload_json(&json, table->schema, table->table);
    if (!json.failed) {
        name = hashmap_get(&names->watched, (struct slice){json.data, json.len});
    }
    if (!json.failed && name == NULL) {
        name = name_new((struct slice){json.data, json.len});
        if (name != NULL && !hashmap_add(&names->watched, json_of(name), name)) {
            free(name);
            name = NULL;
        }
    }
    buffer_free(&json);
    return name;
}

/* ---- verdicts ---- */

static void drop_targets(struct spelling *spelling)
{
    while (spelling->target_count > 0) {
        spelling->targets[--spelling->target_count]->holds--;
    }
}

static bool judge(struct names *names, struct spelling *spelling)
{
    struct lineage lineage;
    uint64_t bits;

    drop_targets(spelling);
    tree_lineage(names->tree, &spelling->table, &lineage);
    bits = verdict(&names->rules, &lineage);
    for (size_t i = 0; i < lineage.len && spelling->target_count < TARGETS_MAX; i++) {
        if ((bits >> i & 1) != 0) {
            struct name *name = name_of(names, &lineage.at[i]);

            if (name == NULL) {
                return false;
            }
            name->holds++;
            spelling->targets[spelling->target_count++] = name;
        }
    }
    spelling->cut = lineage.len == LINEAGE_MAX || (bits != 0 && spelling->target_count == 0) ||
                    spelling->target_count == TARGETS_MAX;
    spelling->generation = names->generation;
    return true;
}

/* ---- spellings ---- */

static void spelling_free(struct spelling *spelling)
{
    if (spelling != NULL) {
        drop_targets(spelling);
        xids_free(&spelling->xids);
        free(spelling);
    }
}

/* Frees what neither the window, an item nor the next comparison needs. */
static bool forget(struct names *names)
{
    struct hashmap spellings = {0}, watched = {0};
    bool ok = true;

    names->last = NULL;
    for (size_t i = 0; i < names->spellings.cap; i++) {
        struct spelling *spelling = names->spellings.slots[i].value;

        if (spelling != NULL && spelling->touched) {
            spelling->follower = NULL;
            ok = hashmap_add(&spellings, spelling->key, spelling) && ok;
        } else {
            spelling_free(spelling);
        }
    }
    for (size_t i = 0; i < names->watched.cap; i++) {
        struct name *name = names->watched.slots[i].value;

        if (name != NULL && name->holds > 0) {
            ok = hashmap_add(&watched, json_of(name), name) && ok;
        } else {
            free(name);
        }
    }
    hashmap_free(&names->spellings);
    hashmap_free(&names->watched);
    names->spellings = spellings;
    names->watched = watched;
    return ok;
}

static struct spelling *spelling_new(struct slice key, struct slice schema, struct slice table)
{
    struct spelling *spelling = calloc(1, sizeof(*spelling) + key.len + schema.len + table.len);
    char *text;

    if (spelling == NULL) {
        return NULL;
    }
    text = spelling->text;
    memcpy(text, key.data, key.len);
    spelling->key = (struct slice){text, key.len};
    text += key.len;
    memcpy(text, schema.data, schema.len);
    spelling->table.schema = (struct slice){text, schema.len};
    text += schema.len;
    memcpy(text, table.data, table.len);
    spelling->table.table = (struct slice){text, table.len};
    return spelling;
}

static bool has_replacement(struct slice text)
{
    for (size_t i = 0; i + 3 <= text.len; i++) {
        if (memcmp(text.data + i, REPLACEMENT, 3) == 0) {
            return true;
        }
    }
    return false;
}

/* Keeps a spelling that is met for the first time; names are UTF-8. */
static enum names_result learn(struct names *names, struct slice key, const struct buffer *schema,
                               const struct buffer *table, struct spelling **result)
{
    struct spelling *spelling;

    if (schema->failed || table->failed || (names->spellings.len >= NAMES_MAX && !forget(names))) {
        return NAMES_NO_MEMORY;
    }
    if (names->spellings.len >= NAMES_MAX) {
        return NAMES_UNREADABLE; /* all wait for a comparison: a resync stands for the change */
    }
    spelling = spelling_new(key, (struct slice){schema->data, schema->len},
                            (struct slice){table->data, table->len});
    if (spelling == NULL || !judge(names, spelling) ||
        !hashmap_add(&names->spellings, spelling->key, spelling)) {
        spelling_free(spelling);
        return NAMES_NO_MEMORY;
    }
    spelling->unknown = names_need_tree(names);
    spelling->by_sql = key.data[0] == SQL_PREFIX;
    spelling->lossy =
        has_replacement(spelling->table.schema) || has_replacement(spelling->table.table);
    *result = spelling;
    return NAMES_FOUND;
}

static void to_utf8(const struct names *names, struct buffer *text)
{
    struct buffer converted = {0};

    encoding_to_utf8(names->encoding, (struct slice){text->data, text->len}, &converted);
    converted.failed |= text->failed;
    buffer_free(text);
    *text = converted;
}

/* A known spelling, its verdict renewed if the tree has been replaced. */
static enum names_result renew(struct names *names, struct spelling *spelling)
{
    return spelling->generation == names->generation || spelling->touched || judge(names, spelling)
               ? NAMES_FOUND
               : NAMES_NO_MEMORY;
}

static bool is_written(const struct spelling *spelling, char kind, struct slice raw)
{
    return spelling != NULL && spelling->key.len == raw.len + 1 && spelling->key.data[0] == kind &&
           memcmp(spelling->key.data + 1, raw.data, raw.len) == 0;
}

/*
 * A statement's rows name its table again and again, and transactions resemble each other: mostly
 * it is the last one, or what came behind that before. NULL: neither.
 */
static struct spelling *expected(const struct names *names, char kind, struct slice raw)
{
    struct spelling *last = names->last;

    if (last == NULL || is_written(last, kind, raw)) {
        return last;
    }
    return is_written(last->follower, kind, raw) ? last->follower : NULL;
}

static void remember(struct names *names, struct spelling *spelling)
{
    if (names->last != NULL && names->last != spelling) {
        names->last->follower = spelling;
    }
    names->last = spelling;
}

/* One that is not expected. */
static enum names_result look_up(struct names *names, enum plugin plugin, struct slice key,
                                 struct spelling **spelling)
{
    struct slice raw = {key.data + 1, key.len - 1};
    struct buffer schema = {0}, table = {0};
    enum names_result result = NAMES_UNREADABLE;

    *spelling = hashmap_get(&names->spellings, key);
    if (*spelling != NULL) {
        return NAMES_FOUND;
    }
    if (decoder_name(plugin, raw, &schema, &table)) {
        to_utf8(names, &schema);
        to_utf8(names, &table);
        result = learn(names, key, &schema, &table, spelling);
    }
    buffer_free(&schema);
    buffer_free(&table);
    return result;
}

enum names_result names_find(struct names *names, enum plugin plugin, struct slice raw,
                             struct spelling **spelling)
{
    char kind = (char)('0' + plugin);
    char text[1 + RAW_NAME_MAX];
    enum names_result result = NAMES_FOUND;

    if (raw.len > RAW_NAME_MAX) {
        return NAMES_UNREADABLE;
    }
    *spelling = expected(names, kind, raw);
    if (*spelling == NULL) {
        text[0] = kind;
        memcpy(text + 1, raw.data, raw.len);
        result = look_up(names, plugin, (struct slice){text, raw.len + 1}, spelling);
    }
    if (result == NAMES_FOUND) {
        remember(names, *spelling);
        result = renew(names, *spelling);
    }
    return result;
}

enum names_result names_find_parts(struct names *names, struct slice schema, struct slice table,
                                   bool by_sql, struct spelling **spelling)
{
    struct buffer key = {0}, s = {0}, t = {0};
    enum names_result result;

    buffer_append(&s, schema.data, schema.len);
    buffer_append(&t, table.data, table.len);
    to_utf8(names, &s);
    to_utf8(names, &t);
    buffer_byte(&key, by_sql ? SQL_PREFIX : PARTS_PREFIX);
    buffer_append(&key, s.data, s.len);
    buffer_byte(&key, '\0');
    buffer_append(&key, t.data, t.len);
    *spelling =
        key.failed ? NULL : hashmap_get(&names->spellings, (struct slice){key.data, key.len});
    if (*spelling != NULL) {
        result = renew(names, *spelling);
    } else {
        result = key.failed ? NAMES_NO_MEMORY
                            : learn(names, (struct slice){key.data, key.len}, &s, &t, spelling);
    }
    buffer_free(&key);
    buffer_free(&s);
    buffer_free(&t);
    return result;
}

/* ---- since the last comparison ---- */

static void note_unknown(struct names *names, struct spelling *touched)
{
    if (names->unknown == NULL && touched->unknown) {
        names->unknown = touched;
    }
}

bool names_touch(struct names *names, struct spelling *spelling, uint32_t xid, int64_t wall_us)
{
    struct xids *xids = &spelling->xids;

    if (!spelling->touched) {
        spelling->touched = true;
        spelling->next_touched = NULL;
        *names->touched_end = spelling;
        names->touched_end = &spelling->next_touched;
        spelling->since = 0;
        spelling->unknown |= spelling->gone; /* it may have been made since */
        spelling->gone = spelling->unseen = false;
        note_unknown(names, spelling);
    }
    if (spelling->since++ == 0) {
        spelling->first_seen_us = wall_us;
    }
    if (xids->len >= TOUCH_XIDS_MAX) {
        xids_collapse(xids);
    }
    names->unknown_touched |= spelling->unknown && !spelling->unseen;
    spelling->epoch = names->epoch;
    return xid == 0 || (xids->len > 0 && xids->at[xids->len - 1] == xid) || xids_add(xids, xid);
}

struct spelling *names_touched(const struct names *names)
{
    return names->touched;
}

bool names_have_unknown(const struct names *names)
{
    return names->unknown_touched;
}

bool names_have_unseen(const struct names *names)
{
    return names->unseen_touched;
}

void names_utf8(const struct names *names, struct slice text, struct buffer *out)
{
    encoding_to_utf8(names->encoding, text, out);
}

size_t names_ask(struct names *names, struct spelling **asked, size_t max)
{
    size_t count = 0;

    names->epoch++;
    for (struct spelling *s = names->unknown; s != NULL && count < max; s = s->next_touched) {
        if (s->unknown) {
            s->asked = true;
            s->gone = false;
            asked[count++] = s;
        }
    }
    return count;
}

void names_not_compared(struct names *names)
{
    for (struct spelling *s = names->touched; s != NULL; s = s->next_touched) {
        s->asked = false;
    }
}

void names_disconnected(struct names *names)
{
    while (names->touched != NULL) {
        struct spelling *spelling = names->touched;

        spelling->touched = spelling->asked = false;
        xids_clear(&spelling->xids);
        names->touched = spelling->next_touched;
    }
    names->touched_end = &names->touched;
    names->unknown = NULL;
    names->unknown_touched = names->unseen_touched = false;
}

void names_set_tree(struct names *names, struct tree *tree)
{
    tree_free(names->tree);
    names->tree = tree;
    names->generation++;
}

/* Judges anew; what is now named so, and was not, is let into the window. */
static bool judge_anew(struct names *names, struct spelling *spelling, struct window *window,
                       int64_t now_us)
{
    struct name *before[TARGETS_MAX];
    size_t count = spelling->target_count;
    bool ok;

    memcpy(before, spelling->targets, sizeof(before));
    ok = judge(names, spelling);
    for (size_t i = 0; ok && i < spelling->target_count; i++) {
        size_t j = 0;

        /* An unknown one has not been named yet at all. */
        while (!spelling->unknown && j < count && before[j] != spelling->targets[i]) {
            j++;
        }
        if (spelling->unknown || j == count) {
            ok = window_late(window, spelling->targets[i], spelling->since, &spelling->xids,
                             spelling->first_seen_us, now_us);
        }
    }
    return ok;
}

/* Whether the verdict holds for good for the changes so far; forgets what `sight` sees. */
static bool is_over(const struct names *names, struct spelling *spelling,
                    const struct snapshot *sight)
{
    if (spelling->unknown || spelling->epoch == names->epoch) {
        return false; /* touched again while the question was under way */
    }
    if (sight == NULL) {
        xids_clear(&spelling->xids);
        return true;
    }
    return xids_strike(&spelling->xids, sight) && xids_empty(&spelling->xids);
}

/* Renamed or dropped since: what it stood below can't be told any more. */
static bool hides_something(const struct names *names, const struct spelling *spelling)
{
    bool filter = names->rules.tables->len > 0 || names->rules.exclude->len > 0;

    if (spelling->by_sql || spelling->lossy) {
        return false;
    }
    return spelling->target_count == 0 ? filter : names->rules.partitions == PARTITIONS_ROOT;
}

/* Whether `sight` sees all of the spelling's transactions. NULL: nobody asks. */
static bool is_seen(struct spelling *spelling, const struct snapshot *sight)
{
    return sight == NULL || (xids_strike(&spelling->xids, sight) && xids_empty(&spelling->xids));
}

/* One that was touched: takes the answer. */
static bool compared(struct names *names, struct spelling *spelling, const struct snapshot *sight,
                     struct window *window, int64_t now_us)
{
    if (spelling->unknown && !spelling->asked) {
        names->unknown_touched = true;
        return true;
    }
    spelling->unseen = spelling->unknown && spelling->gone && !is_seen(spelling, sight);
    if (spelling->unseen) { /* the transaction that made it can't be seen: neither can it */
        spelling->asked = spelling->gone = false;
        names->unseen_touched = true;
        return true;
    }
    if (!spelling->unknown && spelling->generation == names->generation) {
        return true;
    }
    if (!judge_anew(names, spelling, window, now_us)) {
        return false;
    }
    spelling->unknown = spelling->asked = false;
    return !spelling->gone || !hides_something(names, spelling) ||
           window_resync_late(window, RESYNC_FAILSAFE, &spelling->xids, now_us);
}

bool names_compared(struct names *names, const struct snapshot *sight, struct window *window,
                    int64_t now_us)
{
    struct spelling **link = &names->touched;
    bool ok = true;

    names->unknown = NULL;
    names->unknown_touched = names->unseen_touched = false;
    while (*link != NULL) {
        struct spelling *spelling = *link;

        ok = compared(names, spelling, sight, window, now_us) && ok;
        if (is_over(names, spelling, sight)) {
            spelling->touched = false;
            *link = spelling->next_touched;
        } else {
            note_unknown(names, spelling);
            link = &spelling->next_touched;
        }
    }
    names->touched_end = link;
    return ok;
}

void names_free(struct names *names)
{
    if (names == NULL) {
        return;
    }
    for (size_t i = 0; i < names->spellings.cap; i++) {
        spelling_free(names->spellings.slots[i].value);
    }
    for (size_t i = 0; i < names->watched.cap; i++) {
        free(names->watched.slots[i].value);
    }
    hashmap_free(&names->spellings);
    hashmap_free(&names->watched);
    tree_free(names->tree);
    free(names);
}
