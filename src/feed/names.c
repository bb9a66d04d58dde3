#include "feed/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hashmap.h"
#include "feed/payload.h"

/*
 * Two spellings of one table (quote_all_identifiers; the plugins' own ways)
 * must merge in a window, so spellings and names are kept apart.
 */
struct spelling {
    struct name *name;
    size_t len;
    char text[]; /* the plugin's number, then its bytes */
};

struct names {
    const struct pattern_set *tables;
    const struct pattern_set *exclude;
    struct hashmap spellings; /* spelling text -> struct spelling */
    struct hashmap watched;   /* json -> struct name */
    struct name *unwatched;   /* the one that all others share */
};

static struct name *name_new(struct slice json, bool watched)
{
    struct name *name = malloc(sizeof(*name) + json.len);

    if (name != NULL) {
        name->watched = watched;
        name->pending = NAME_NOT_PENDING;
        name->json_len = json.len;
        memcpy(name->json, json.data, json.len);
    }
    return name;
}

struct names *names_new(const struct pattern_set *tables, const struct pattern_set *exclude)
{
    struct names *names = calloc(1, sizeof(*names));

    if (names == NULL) {
        return NULL;
    }
    names->tables = tables;
    names->exclude = exclude;
    names->unwatched = name_new((struct slice){"", 0}, false);
    if (names->unwatched == NULL) {
        free(names);
        return NULL;
    }
    return names;
}

static struct slice json_of(const struct name *name)
{
    return (struct slice){name->json, name->json_len};
}

/* Frees all spellings, and the names but for those in the window. */
static bool forget(struct names *names)
{
    struct hashmap kept = {0};
    bool ok = true;

    for (size_t i = 0; i < names->spellings.cap; i++) {
        free(names->spellings.slots[i].value);
    }
    hashmap_free(&names->spellings);
    for (size_t i = 0; i < names->watched.cap; i++) {
        struct name *name = names->watched.slots[i].value;

        if (name != NULL && name->pending != NAME_NOT_PENDING) {
            ok = hashmap_add(&kept, json_of(name), name) && ok;
        } else {
            free(name);
        }
    }
    hashmap_free(&names->watched);
    names->watched = kept;
    return ok;
}

static bool is_watched(const struct names *names, struct slice schema, struct slice table)
{
    return (names->tables->len == 0 || pattern_set_matches(names->tables, schema, table)) &&
           !pattern_set_matches(names->exclude, schema, table);
}

/* The name of a watched table, new or known. NULL: out of memory. */
static struct name *watched_name(struct names *names, struct slice schema, struct slice table)
{
    struct buffer json = {0};
    struct name *name = NULL;

    payload_json(&json, schema, table);
    if (!json.failed) {
        name = hashmap_get(&names->watched, (struct slice){json.data, json.len});
    }
    if (!json.failed && name == NULL) {
        name = name_new((struct slice){json.data, json.len}, true);
        if (name != NULL && !hashmap_add(&names->watched, json_of(name), name)) {
            free(name);
            name = NULL;
        }
    }
    buffer_free(&json);
    return name;
}

static bool add_spelling(struct names *names, struct slice key, struct name *name)
{
    struct spelling *spelling = malloc(sizeof(*spelling) + key.len);

    if (spelling == NULL) {
        return false;
    }
    spelling->name = name;
    spelling->len = key.len;
    memcpy(spelling->text, key.data, key.len);
    if (!hashmap_add(&names->spellings, (struct slice){spelling->text, key.len}, spelling)) {
        free(spelling);
        return false;
    }
    return true;
}

/* Sees a spelling for the first time. */
static enum names_result learn(struct names *names, enum plugin plugin, struct slice key,
                               struct name **name)
{
    struct buffer schema = {0}, table = {0};
    struct slice raw = {key.data + 1, key.len - 1};
    enum names_result result = NAMES_UNREADABLE;

    if (names->spellings.len >= NAMES_MAX && !forget(names)) {
        return NAMES_NO_MEMORY;
    }
    if (decoder_name(plugin, raw, &schema, &table)) {
        struct slice s = {schema.data, schema.len}, t = {table.data, table.len};

        *name = is_watched(names, s, t) ? watched_name(names, s, t) : names->unwatched;
        result = *name != NULL && add_spelling(names, key, *name) ? NAMES_FOUND : NAMES_NO_MEMORY;
    }
    if (schema.failed || table.failed) {
        result = NAMES_NO_MEMORY;
    }
    buffer_free(&schema);
    buffer_free(&table);
    return result;
}

enum names_result names_find(struct names *names, enum plugin plugin, struct slice raw,
                             struct name **name)
{
    char text[1 + RAW_NAME_MAX];
    struct slice key = {text, raw.len + 1};
    const struct spelling *spelling;

    if (raw.len > RAW_NAME_MAX) {
        return NAMES_UNREADABLE;
    }
    text[0] = (char)('0' + plugin);
    memcpy(text + 1, raw.data, raw.len);
    spelling = hashmap_get(&names->spellings, key);
    if (spelling == NULL) {
        return learn(names, plugin, key, name);
    }
    *name = spelling->name;
    return NAMES_FOUND;
}

void names_free(struct names *names)
{
    if (names == NULL) {
        return;
    }
    for (size_t i = 0; i < names->watched.cap; i++) {
        struct name *name = names->watched.slots[i].value;

        if (name != NULL) {
            name->pending = NAME_NOT_PENDING;
        }
    }
    forget(names);
    free(names->unwatched);
    free(names);
}
