#include "catalog/ddl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define EVERY_US     (100 * CLOCK_MS) /* between two questions */
#define ALL_EVERY_US (1 * CLOCK_S)    /* the same, for all */
#define AGAIN_MAX_US (1 * CLOCK_S)    /* for what isn't visible yet; doubles from EVERY_US */

/*
 * Six columns. Of the schemas: 0, a hash of their names, NULLs. Of a relation: its OID, a hash of its definition, NULL, NULL, schema and name; then,
 * of each edge above it: the relation's OID, NULL, child, parent, schema and name of the parent.
 */
#define DDL_HEAD                                                                                   \
    "WITH RECURSIVE f AS (SELECT c.oid, n.nspname, c.relname,"                                     \
    " pg_catalog.hashtextextended(pg_catalog.concat_ws('|', n.nspname, c.relname, c.relkind,"      \
    " (SELECT coalesce(pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attname, a.atttypid,"     \
    " a.atttypmod), ',' ORDER BY a.attnum), '') FROM pg_catalog.pg_attribute a"                    \
    " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),"                          \
    " (SELECT coalesce(pg_catalog.string_agg(i.inhparent::text, ',' ORDER BY i.inhseqno), '')"     \
    " FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid),"                                    \
    " (SELECT x.indkey::text FROM pg_catalog.pg_index x"                                           \
    " WHERE x.indrelid = c.oid AND x.indisprimary)), 0) AS print"                                  \
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"         \
    " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'"                    \
    " AND c.oid >= 16384"
#define DDL_TAIL                                                                                   \
    "), up(oid, child, parent) AS (SELECT f.oid, i.inhrelid, i.inhparent"                          \
    " FROM f JOIN pg_catalog.pg_inherits i ON i.inhrelid = f.oid"                                  \
    " UNION SELECT up.oid, i.inhrelid, i.inhparent"                                                \
    " FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.parent)"                            \
    " SELECT '0', coalesce(pg_catalog.hashtextextended(pg_catalog.string_agg(oid || ' '"           \
    " || nspname, ',' ORDER BY oid), 0), 0)::text, NULL, NULL, NULL, NULL"                         \
    " FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_'"                                        \
    " UNION ALL SELECT oid::text, print::text, NULL, NULL, nspname, relname FROM f"                \
    " UNION ALL SELECT up.oid::text, NULL, up.child::text, up.parent::text, n.nspname, c.relname"  \
    " FROM up JOIN pg_catalog.pg_class c ON c.oid = up.parent"                                     \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2"

/* ---- the map ---- */

static struct slice key_of(const uint32_t *oid)
{
    return (struct slice){(const char *)oid, sizeof(*oid)};
}

static struct ddl_entry *entry_of(const struct ddl *ddl, uint32_t oid)
{
    return hashmap_get(&ddl->map, key_of(&oid));
}

static void forget(struct ddl *ddl, uint32_t oid)
{
    free(hashmap_remove(&ddl->map, key_of(&oid)));
}

/* What a watched table is now. False: out of memory. */
static bool remember(struct ddl *ddl, uint32_t oid, uint64_t print)
{
    struct ddl_entry *entry = entry_of(ddl, oid);

    if (entry == NULL) {
        entry = calloc(1, sizeof(*entry));
        if (entry == NULL) {
            return false;
        }
        entry->oid = oid;
        if (!hashmap_add(&ddl->map, key_of(&entry->oid), entry)) {
            free(entry);
            return false;
        }
        ddl->changed = true;
    }
    ddl->changed |= entry->print != print;
    entry->print = print;
    entry->round = ddl->round;
    return true;
}

/* ---- what is to be read ---- */

void ddl_touch(struct ddl *ddl, uint32_t oid, uint32_t xid)
{
    if (!ddl->wanted) {
        return;
    }
    ddl_touch_catalog(ddl, xid);
    if (ddl->pending == NULL) {
        ddl->pending = malloc(DDL_PENDING_MAX * sizeof(*ddl->pending));
    }
    if (oid == 0 || ddl->pending == NULL || ddl->len == DDL_PENDING_MAX) {
        ddl->all = true;
    } else if (!ddl->all) {
        ddl->pending[ddl->len++] = oid;
    }
}

void ddl_touch_catalog(struct ddl *ddl, uint32_t xid)
{
    if (ddl->wanted) {
        part_extend(&ddl->since, xid, 0);
        ddl->look = true;
    }
}

int64_t ddl_due(const struct ddl *ddl)
{
    return ddl->wanted && !ddl->asked && (ddl->all || ddl->look) ? ddl->next_us : CLOCK_NEVER;
}

void ddl_question(struct ddl *ddl, struct buffer *sql)
{
    ddl->asked = true;
    ddl->asked_all = ddl->all;
    ddl->asked_len = ddl->len;
    ddl->all = ddl->look = false;
    part_add(&ddl->asked_part, &ddl->since);
    ddl->since = (struct part){0};
    ddl->changed = ddl->schemas_changed = false;
    ddl->round++;
    ddl->oid = 0;
    buffer_text(sql, DDL_HEAD);
    if (!ddl->asked_all) {
        buffer_text(sql, " AND c.oid = ANY ('{");
        for (size_t i = 0; i < ddl->len; i++) {
            buffer_text(sql, i > 0 ? "," : "");
            buffer_decimal(sql, ddl->pending[i], 1);
        }
        buffer_text(sql, "}')");
    }
    buffer_text(sql, DDL_TAIL);
}

/* ---- rows ---- */

/* The name whose parts stand at `*at`, which is moved on. */
static struct relation name_at(const char **at, const size_t lengths[2])
{
    struct relation name = {{*at, lengths[0]}, {*at + lengths[0], lengths[1]}};

    *at += lengths[0] + lengths[1];
    return name;
}

/* Builds the relation whose rows are there, and judges it. False: out of memory. */
static bool finish_relation(struct ddl *ddl)
{
    struct lineage lineage;
    const char *at = ddl->text.data;
    struct relation own;

    if (ddl->oid == 0) {
        return true;
    }
    own = name_at(&at, ddl->lengths[0]);
    for (size_t i = 0; i < ddl->edge_count; i++) {
        ddl->edges[i].name = name_at(&at, ddl->lengths[i + 1]);
    }
    lineage_build(&lineage, &own, ddl->oid, ddl->edges, ddl->edge_count);
    if (ddl->truncated || lineage.truncated || verdict(ddl->rules, &lineage) != 0) {
        return remember(ddl, ddl->oid, ddl->print);
    }
    ddl->changed |= entry_of(ddl, ddl->oid) != NULL;
    forget(ddl, ddl->oid);
    return true;
}

/* Takes the names of a row: of the relation, or of a parent. False: out of memory. */
static bool take_names(struct ddl *ddl, size_t place, struct slice schema, struct slice table)
{
    size_t before = ddl->text.len;

    encoding_to_utf8(ddl->encoding, schema, &ddl->text);
    ddl->lengths[place][0] = ddl->text.len - before;
    before = ddl->text.len;
    encoding_to_utf8(ddl->encoding, table, &ddl->text);
    ddl->lengths[place][1] = ddl->text.len - before;
    return !ddl->text.failed;
}

/* A bigint. */
static bool read_print(struct slice text, uint64_t *print)
{
    bool negative = slice_starts(text, "-");
    bool ok = slice_number((struct slice){text.data + negative, text.len - negative}, print);

    *print = negative ? 0 - *print : *print;
    return ok;
}

static bool begin_relation(struct ddl *ddl, uint32_t oid, struct slice print)
{
    ddl->oid = oid;
    ddl->edge_count = 0;
    ddl->truncated = false;
    buffer_clear(&ddl->text);
    return read_print(print, &ddl->print);
}

static bool take_schemas(struct ddl *ddl, struct slice text)
{
    uint64_t print;

    if (!read_print(text, &print)) {
        return false;
    }
    ddl->schemas_changed = print != ddl->schemas;
    ddl->schemas = print;
    return true;
}

static bool take_edge(struct ddl *ddl, const struct slice columns[6])
{
    struct edge *edge = &ddl->edges[ddl->edge_count];

    if (ddl->edge_count == EDGES_MAX) {
        ddl->truncated = true;
        return true;
    }
    ddl->edge_count++;
    return slice_u32(columns[2], &edge->child) && slice_u32(columns[3], &edge->parent) &&
           take_names(ddl, ddl->edge_count, columns[4], columns[5]);
}

bool ddl_row(void *context, struct query_row *row)
{
    struct ddl *ddl = context;
    struct slice columns[6];
    uint32_t oid;

    for (int i = 0; i < 6; i++) {
        if (!query_row_next(row, &columns[i])) {
            return false;
        }
    }
    if (!slice_u32(columns[0], &oid)) {
        return false;
    }
    if (oid == 0) {
        return columns[1].data != NULL && take_schemas(ddl, columns[1]);
    }
    if (columns[1].data != NULL) {
        return finish_relation(ddl) && begin_relation(ddl, oid, columns[1]) &&
               take_names(ddl, 0, columns[4], columns[5]);
    }
    return oid == ddl->oid && take_edge(ddl, columns);
}

/* ---- answers ---- */

/* What was asked for and not found is gone. */
static void drop_missing(struct ddl *ddl)
{
    for (size_t i = 0; !ddl->asked_all && i < ddl->asked_len; i++) {
        const struct ddl_entry *entry = entry_of(ddl, ddl->pending[i]);

        if (entry != NULL && entry->round != ddl->round) {
            ddl->changed = true;
            forget(ddl, ddl->pending[i]);
        }
    }
    for (size_t i = 0; ddl->asked_all && i < ddl->map.cap;) {
        struct ddl_entry *entry = ddl->map.slots[i].value;

        if (entry != NULL && entry->round != ddl->round) {
            ddl->changed = true;
            hashmap_remove_at(&ddl->map, i); /* another may be there now */
            free(entry);
        } else {
            i++;
        }
    }
}

bool ddl_answered(struct ddl *ddl)
{
    bool was_ready = ddl->ready;

    if (!finish_relation(ddl)) {
        ddl->all = true;
        ddl->changed = false;
        return false;
    }
    ddl->oid = 0;
    ddl->all |= ddl->schemas_changed && !ddl->asked_all;
    drop_missing(ddl);
    ddl->ready = true;
    return was_ready && ddl->changed;
}

void ddl_confirm(struct ddl *ddl, bool all_seen, int64_t now_us)
{
    ddl->asked = false;
    if (all_seen) {
        ddl->look |= ddl->len > ddl->asked_len;
        ddl->len -= ddl->asked_len;
        if (ddl->len > 0) {
            memmove(ddl->pending, ddl->pending + ddl->asked_len, ddl->len * sizeof(*ddl->pending));
        }
        ddl->asked_part = (struct part){0};
        ddl->again_us = EVERY_US;
    } else {
        ddl->all |= ddl->asked_all;
        ddl->look = true;
        ddl->again_us = clock_earlier(ddl->again_us * 2, AGAIN_MAX_US);
    }
    ddl->next_us = clock_after(now_us, ddl->asked_all ? ALL_EVERY_US : ddl->again_us);
    ddl->asked_len = 0;
}

void ddl_not_answered(struct ddl *ddl)
{
    ddl->all |= ddl->asked_all;
    ddl->look = true;
    ddl->asked = false;
    ddl->asked_len = 0;
}

/* ---- beginnings and ends ---- */

void ddl_start(struct ddl *ddl, struct encoding *encoding, int64_t now_us)
{
    bool wanted = ddl->wanted;
    const struct verdict_rules *rules = ddl->rules;

    ddl_free(ddl);
    ddl->wanted = wanted;
    ddl->rules = rules;
    ddl->encoding = encoding;
    ddl->all = wanted;
    ddl->next_us = now_us;
    ddl->again_us = EVERY_US;
}

void ddl_free(struct ddl *ddl)
{
    for (size_t i = 0; i < ddl->map.cap; i++) {
        free(ddl->map.slots[i].value);
    }
    hashmap_free(&ddl->map);
    free(ddl->pending);
    buffer_free(&ddl->text);
    *ddl = (struct ddl){.wanted = false};
}
