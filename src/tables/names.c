#include "tables/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hashmap.h"
#include "batch/definition.h"
#include "batch/name.h"
#include "batch/payload.h"

/* Of the key of a reference by parts; one of a plugin's has its number there. */
#define PARTS_PREFIX '='
#define SQL_PREFIX   '@'
#define OID_PREFIX   '#'

#define VISITS_MAX 64 /* slots, to find an entry that can be forgotten for a new one */

/* Entries up to a bound; beyond, what nobody uses is forgotten, one for each new one. */
struct shelf {
    struct hashmap map;
    size_t max;
    size_t hand; /* the slot where the search for such goes on */
};

/*
 * 1. A reference that isn't REF_AT_REST is never forgotten, nor is a name with refs > 0.
 * 2. A reference's follower is one that is still there only while followers_of is `forgotten`.
 * 3. What messages name, any SQL user can make up: it takes no room from the tables.
 */
struct names {
    struct verdict_rules rules;
    struct encoding *encoding;
    unsigned connection;    /* counts them */
    struct shelf tables;    /* key -> struct table_ref */
    struct shelf by_sql;    /* likewise */
    struct shelf watched;   /* json -> struct name; two references to one table share it */
    struct table_ref *last; /* of a change; NULL: not known */
    uint64_t forgotten;     /* references so far */
};

struct names *names_new(const struct verdict_rules *rules)
{
    struct names *names = calloc(1, sizeof(*names));

    if (names != NULL) {
        names->rules = *rules;
        names->tables.max = names->watched.max = NAMES_MAX;
        names->by_sql.max = SQL_NAMES_MAX;
    }
    return names;
}

void names_connected(struct names *names, struct encoding *encoding)
{
    names->encoding = encoding;
    names->connection++;
}

/* ---- forgetting ---- */

static void drop_targets(struct table_ref *ref)
{
    while (ref->target_count > 0) {
        ref->targets[--ref->target_count]->refs--;
    }
}

static void ref_free(struct table_ref *ref)
{
    if (ref != NULL) {
        drop_targets(ref);
        definition_release(ref->definition);
        free(ref->given);
        free(ref);
    }
}

static bool forget_ref(struct names *names, void *entry)
{
    struct table_ref *ref = entry;

    if (ref->state != REF_AT_REST) {
        return false;
    }
    if (names->last == ref) {
        names->last = NULL;
    }
    names->forgotten++;
    ref_free(ref);
    return true;
}

static bool forget_name(struct names *names, void *entry)
{
    struct name *name = entry;

    (void)names;
    if (name->refs > 0) {
        return false;
    }
    free(name);
    return true;
}

/* Whether there is room for one more; one that nobody uses is forgotten for it. */
static bool make_room(struct names *names, struct shelf *shelf,
                      bool (*forget)(struct names *names, void *entry))
{
    struct hashmap *map = &shelf->map;

    for (int visits = 0; visits < VISITS_MAX && map->len >= shelf->max; visits++) {
        size_t at = shelf->hand & (map->cap - 1);

        if (map->slots[at].value != NULL && forget(names, map->slots[at].value)) {
            hashmap_remove_at(map, at);
        }
        shelf->hand = at + 1;
    }
    return map->len < shelf->max;
}

/* ---- names ---- */

static struct slice json_of(const struct name *name)
{
    return (struct slice){name->json, name->json_len};
}

/* `text`: the JSON, and behind it the payload. */
static struct name *name_new(struct slice text, size_t json_len)
{
    struct name *name = malloc(sizeof(*name) + text.len);

    if (name != NULL) {
        name->refs = 0;
        name->json_len = json_len;
        name->text_len = text.len - json_len;
        memcpy(name->json, text.data, text.len);
    }
    return name;
}

/* The name of a watched table, new or known; with what stands above it, unless that is NULL. NULL:
 * out of memory. */
static struct name *name_of(struct names *names, const struct relation *table,
                            const struct lineage *lineage)
{
    struct buffer text = {0};
    struct name *name = NULL;
    size_t json_len;

    payload_json(&text, table->schema, table->table);
    if (lineage != NULL) {
        lineage_write(&text, lineage);
    }
    json_len = text.len;
    payload_text(&text, table->schema, table->table);
    if (!text.failed) {
        name = hashmap_get(&names->watched.map, (struct slice){text.data, json_len});
    }
    if (!text.failed && name == NULL) {
        make_room(names, &names->watched, forget_name); /* those in use need no room */
        name = name_new((struct slice){text.data, text.len}, json_len);
        if (name != NULL && !hashmap_add(&names->watched.map, json_of(name), name)) {
            free(name);
            name = NULL;
        }
    }
    buffer_free(&text);
    return name;
}

/* ---- verdicts ---- */

bool names_targets(struct names *names, const struct lineage *lineage, struct targets *targets)
{
    uint64_t bits = verdict(&names->rules, lineage);
    bool ok = true;

    targets->len = 0;
    for (size_t i = 0; ok && i < lineage->len && targets->len < TARGETS_MAX; i++) {
        if ((bits >> i & 1) != 0) {
            struct name *name =
                name_of(names, &lineage->at[i], names->rules.ancestors ? lineage : NULL);

            ok = name != NULL;
            if (ok) {
                name->refs++; /* the next one must not push it out */
                targets->oid[targets->len] = lineage->oid[i];
                targets->at[targets->len++] = name;
            }
        }
    }
    for (size_t i = 0; i < targets->len; i++) {
        targets->at[i]->refs--;
    }
    targets->truncated = lineage->truncated || targets->len == TARGETS_MAX;
    return ok;
}

bool names_judge(struct names *names, struct table_ref *ref, const struct lineage *lineage)
{
    struct targets targets;

    drop_targets(ref);
    if (!names_targets(names, lineage, &targets)) {
        return false;
    }
    for (size_t i = 0; i < targets.len; i++) {
        targets.at[i]->refs++;
        ref->targets[i] = targets.at[i];
    }
    ref->target_count = targets.len;
    ref->target_oid = targets.len > 0 ? targets.oid[0] : ref->target_oid;
    ref->truncated = targets.truncated;
    ref->alone = lineage->len == 1 && !lineage->truncated;
    return true;
}

/* ---- references ---- */

static void append_parts_key(struct buffer *key, char prefix, struct slice schema,
                             struct slice table)
{
    buffer_byte(key, prefix);
    buffer_append(key, schema.data, schema.len);
    buffer_byte(key, '\0');
    buffer_append(key, table.data, table.len);
}

/* Copies into `text`, which is moved on. */
static struct slice keep(char **text, struct slice from)
{
    struct slice kept = {*text, from.len};

    if (from.len > 0) {
        memcpy(*text, from.data, from.len);
    }
    *text += from.len;
    return kept;
}

static struct table_ref *ref_new(struct slice key, const struct relation *table,
                                 const struct relation *raw)
{
    struct table_ref *ref = calloc(1, sizeof(*ref) + key.len + table->schema.len +
                                          table->table.len + raw->schema.len + raw->table.len);
    char *text;

    if (ref == NULL) {
        return NULL;
    }
    text = ref->text;
    ref->key = keep(&text, key);
    ref->table.schema = keep(&text, table->schema);
    ref->table.table = keep(&text, table->table);
    ref->raw.schema = keep(&text, raw->schema);
    ref->raw.table = keep(&text, raw->table);
    ref->by_sql = key.data[0] == SQL_PREFIX;
    return ref;
}

/* What is known of the same table by its parts. */
static void adopt(const struct names *names, struct table_ref *ref)
{
    struct buffer key = {0};
    const struct table_ref *known;

    append_parts_key(&key, PARTS_PREFIX, ref->raw.schema, ref->raw.table);
    known = key.failed ? NULL : hashmap_get(&names->tables.map, (struct slice){key.data, key.len});
    if (known != NULL && known != ref && known->known && known->connection == names->connection) {
        for (size_t i = 0; i < known->target_count; i++) {
            ref->targets[i] = known->targets[i];
            ref->targets[i]->refs++;
        }
        ref->target_count = known->target_count;
        ref->target_oid = known->target_oid;
        ref->truncated = known->truncated;
        ref->alone = known->alone;
        ref->known = true;
        ref->identity = known->identity;
        ref->known_since = known->known_since;
        ref->definition = known->definition != NULL ? definition_hold(known->definition) : NULL;
    }
    buffer_free(&key);
}

/* Keeps a reference that is met for the first time. */
static enum names_result learn(struct names *names, struct slice key, const struct relation *raw,
                               struct table_ref **result)
{
    struct shelf *shelf = key.data[0] == SQL_PREFIX ? &names->by_sql : &names->tables;
    struct buffer schema = {0}, table = {0};
    struct table_ref *ref = NULL;

    if (!make_room(names, shelf, forget_ref)) {
        return NAMES_FULL;
    }
    encoding_to_utf8(names->encoding, raw->schema, &schema);
    encoding_to_utf8(names->encoding, raw->table, &table);
    if (!schema.failed && !table.failed) {
        ref = ref_new(key, &(struct relation){{schema.data, schema.len}, {table.data, table.len}},
                      raw);
    }
    buffer_free(&schema);
    buffer_free(&table);
    if (ref == NULL || !hashmap_add(&shelf->map, ref->key, ref)) {
        ref_free(ref);
        return NAMES_NO_MEMORY;
    }
    ref->connection = names->connection;
    if (!ref->by_sql && key.data[0] != OID_PREFIX) {
        adopt(names, ref);
    }
    *result = ref;
    return NAMES_FOUND;
}

/* What an earlier connection knew of it holds no longer. */
static void renew(const struct names *names, struct table_ref *ref)
{
    if (ref->connection != names->connection) {
        ref->connection = names->connection;
        ref->known = false;
        ref->identity = (struct identity){0};
        definition_release(ref->definition);
        ref->definition = NULL;
    }
}

static bool is_written(const struct table_ref *ref, char kind, struct slice raw)
{
    return ref != NULL && ref->key.len == raw.len + 1 && ref->key.data[0] == kind &&
           memcmp(ref->key.data + 1, raw.data, raw.len) == 0;
}

/*
 * A statement's rows name its table again and again, and transactions resemble each other: mostly
 * it is the last one, or what came behind that before. NULL: neither.
 */
static struct table_ref *expected(const struct names *names, char kind, struct slice raw)
{
    struct table_ref *last = names->last;

    if (last == NULL || is_written(last, kind, raw)) {
        return last;
    }
    return last->followers_of == names->forgotten && is_written(last->follower, kind, raw)
               ? last->follower
               : NULL;
}

static void remember(struct names *names, struct table_ref *ref)
{
    if (names->last != NULL && names->last != ref) {
        names->last->follower = ref;
        names->last->followers_of = names->forgotten;
    }
    names->last = ref;
}

/* One that is not expected. */
static enum names_result look_up(struct names *names, enum plugin plugin, struct slice key,
                                 struct table_ref **ref)
{
    struct slice raw = {key.data + 1, key.len - 1};
    struct buffer schema = {0}, table = {0};
    enum names_result result = NAMES_UNREADABLE;

    *ref = hashmap_get(&names->tables.map, key);
    if (*ref != NULL) {
        return NAMES_FOUND;
    }
    if (decoder_name(plugin, raw, &schema, &table)) {
        result = learn(names, key,
                       &(struct relation){{schema.data, schema.len}, {table.data, table.len}}, ref);
    }
    if (schema.failed || table.failed) {
        result = NAMES_NO_MEMORY;
    }
    buffer_free(&schema);
    buffer_free(&table);
    return result;
}

enum names_result names_find(struct names *names, enum plugin plugin, struct slice raw,
                             struct table_ref **ref)
{
    char kind = (char)('0' + plugin);
    char text[1 + RAW_NAME_MAX];
    enum names_result result = NAMES_FOUND;

    if (raw.len > RAW_NAME_MAX) {
        return NAMES_UNREADABLE;
    }
    *ref = expected(names, kind, raw);
    if (*ref == NULL) {
        text[0] = kind;
        memcpy(text + 1, raw.data, raw.len);
        result = look_up(names, plugin, (struct slice){text, raw.len + 1}, ref);
    }
    if (result == NAMES_FOUND) {
        remember(names, *ref);
        renew(names, *ref);
    }
    return result;
}

enum names_result names_find_parts(struct names *names, struct slice schema, struct slice table,
                                   bool by_sql, struct table_ref **ref)
{
    struct buffer key = {0};
    enum names_result result = NAMES_NO_MEMORY;

    append_parts_key(&key, by_sql ? SQL_PREFIX : PARTS_PREFIX, schema, table);
    if (!key.failed) {
        struct slice text = {key.data, key.len};

        *ref = hashmap_get(by_sql ? &names->by_sql.map : &names->tables.map, text);
        result =
            *ref != NULL ? NAMES_FOUND : learn(names, text, &(struct relation){schema, table}, ref);
    }
    if (result == NAMES_FOUND) {
        renew(names, *ref);
    }
    buffer_free(&key);
    return result;
}

/* The key of a relation by its OID. */
struct oid_key {
    char text[1 + sizeof(uint32_t)];
};

static struct oid_key oid_key(uint32_t oid)
{
    struct oid_key key = {{OID_PREFIX}};

    memcpy(key.text + 1, &oid, sizeof(oid));
    return key;
}

enum names_result names_find_oid(struct names *names, uint32_t oid, struct table_ref **ref)
{
    struct oid_key key = oid_key(oid);
    struct slice text = {key.text, sizeof(key.text)};
    enum names_result result = NAMES_FOUND;

    *ref = hashmap_get(&names->tables.map, text);
    if (*ref == NULL) {
        result = learn(names, text, &(struct relation){{"", 0}, {"", 0}}, ref);
    }
    if (result == NAMES_FOUND) {
        (*ref)->oid = oid;
        renew(names, *ref);
    }
    return result;
}

bool names_give(const struct names *names, struct table_ref *ref, struct slice schema,
                struct slice table)
{
    struct buffer all = {0};
    struct relation given;
    size_t utf8_schema, utf8_len;

    if (slice_equal(ref->raw.schema, schema) && slice_equal(ref->raw.table, table) &&
        ref->given != NULL) {
        return true;
    }
    encoding_to_utf8(names->encoding, schema, &all);
    utf8_schema = all.len;
    encoding_to_utf8(names->encoding, table, &all);
    utf8_len = all.len;
    buffer_append(&all, schema.data, schema.len);
    buffer_append(&all, table.data, table.len);
    buffer_byte(&all, '\0');
    if (all.failed) {
        buffer_free(&all);
        return false;
    }
    given = (struct relation){{all.data, utf8_schema},
                              {all.data + utf8_schema, utf8_len - utf8_schema}};
    free(ref->given);
    ref->given = all.data;
    ref->table = given;
    ref->raw.schema = (struct slice){all.data + utf8_len, schema.len};
    ref->raw.table = (struct slice){all.data + utf8_len + schema.len, table.len};
    ref->alone = false; /* it is judged anew by its new name */
    return true;
}

struct table_ref *names_doubt(struct names *names, uint32_t oid)
{
    struct oid_key key = oid_key(oid);
    struct table_ref *ref =
        hashmap_get(&names->tables.map, (struct slice){key.text, sizeof(key.text)});

    if (ref != NULL && ref->state == REF_AT_REST) {
        ref->known = false;
    }
    return ref;
}

static void free_refs(struct shelf *shelf)
{
    for (size_t i = 0; i < shelf->map.cap; i++) {
        ref_free(shelf->map.slots[i].value);
    }
    hashmap_free(&shelf->map);
}

void names_free(struct names *names)
{
    if (names == NULL) {
        return;
    }
    free_refs(&names->tables);
    free_refs(&names->by_sql);
    for (size_t i = 0; i < names->watched.map.cap; i++) {
        free(names->watched.map.slots[i].value);
    }
    hashmap_free(&names->watched.map);
    free(names);
}
