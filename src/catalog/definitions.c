#include "catalog/definitions.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "batch/json.h"
#include "snapshot/xids.h"

#define NONE_US   (5 * CLOCK_S)    /* before one that can't be used is read again */
#define SERVED_US (3600 * CLOCK_S) /* before one that doesn't serve a transaction is */
#define FAILED_US (1 * CLOCK_S)
#define COLUMNS   7

/*
 * Of the pairs of leaf and root, numbered from 1 on. A row for each that is there: its number, NULL,
 * the fingerprint, NULL or why there can be no keys, the next xid to be given out, schema and name of
 * the leaf. Behind it one for each part of the key: the number, the part's, the column's name, its
 * type's letter, and NULLs.
 *
 * k: the key's columns; t: their types, and the types that these are made of; f: all rows of the
 * catalog that a key's meaning rests on, by OID and xmin, which is another one after any change.
 */
const char definitions_prepare_sql[] =
    "PREPARE pgnudge_definitions(oid[], oid[]) AS"
    " WITH RECURSIVE v AS (SELECT * FROM ROWS FROM (pg_catalog.unnest($1),"
    " pg_catalog.unnest($2)) WITH ORDINALITY v(leaf, root, number)),"
    " k AS (SELECT v.number, v.leaf, v.root, u.part, r.attname, r.attnum AS in_root,"
    " l.attnum AS in_leaf,"
    " r.atttypid AS root_type, l.atttypid AS leaf_type"
    " FROM v JOIN pg_catalog.pg_index i ON i.indrelid = v.root AND i.indisprimary"
    " CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS"
    " u(attnum, part)"
    " JOIN pg_catalog.pg_attribute r ON r.attrelid = v.root AND r.attnum = u.attnum"
    " LEFT JOIN pg_catalog.pg_attribute l ON l.attrelid = v.leaf AND l.attname = r.attname"
    " AND l.attnum > 0 AND NOT l.attisdropped"
    " WHERE u.part <= i.indnkeyatts),"
    " t(number, type) AS (SELECT k.number, x.type FROM k"
    " CROSS JOIN LATERAL (VALUES (k.root_type), (k.leaf_type)) x(type) WHERE x.type IS NOT"
    " NULL"
    " UNION SELECT t.number, n.type FROM t JOIN pg_catalog.pg_type p ON p.oid = t.type"
    " CROSS JOIN LATERAL ("
    " SELECT p.typbasetype WHERE p.typtype = 'd'"
    " UNION ALL SELECT p.typelem WHERE p.typelem <> 0"
    " UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE p.typtype = 'r' AND"
    " r.rngtypid = p.oid"
    " UNION ALL SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE p.typtype = 'm'"
    " AND pg_catalog.to_jsonb(r) ->> 'rngmultitypid' = p.oid::text"
    " UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a WHERE p.typtype = 'c'"
    " AND a.attrelid = p.typrelid AND a.attnum > 0 AND NOT a.attisdropped) n(type)),"
    " f(number, x, reason, schema, name) AS ("
    " SELECT v.number, pg_catalog.format('c%s:%s n%s:%s', c.oid, c.xmin, n.oid, n.xmin),"
    " NULL,"
    " CASE WHEN c.oid = v.leaf THEN n.nspname::text END, CASE WHEN c.oid = v.leaf THEN"
    " c.relname::text END FROM v"
    " JOIN pg_catalog.pg_class c ON c.oid = ANY (ARRAY[v.leaf, v.root])"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " UNION ALL SELECT v.number, pg_catalog.format('i%s:%s', i.indexrelid, i.xmin), NULL,"
    " NULL, NULL FROM v"
    " JOIN pg_catalog.pg_index i ON i.indrelid = ANY (ARRAY[v.leaf, v.root])"
    " WHERE i.indisprimary OR i.indisreplident"
    " UNION ALL SELECT k.number, pg_catalog.format('a%s.%s:%s', a.attrelid, a.attnum,"
    " a.xmin), NULL, NULL, NULL FROM k"
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = k.root AND a.attnum = k.in_root"
    " OR a.attrelid = k.leaf AND a.attnum = k.in_leaf"
    " UNION ALL SELECT k.number, NULL, CASE WHEN k.in_leaf IS NULL THEN 'column' ELSE"
    " 'identity' END, NULL, NULL FROM k"
    " WHERE k.in_leaf IS NULL OR NOT CASE (SELECT c.relreplident FROM pg_catalog.pg_class"
    " c WHERE c.oid = k.leaf)"
    " WHEN 'f' THEN true WHEN 'n' THEN false ELSE EXISTS (SELECT FROM pg_catalog.pg_index i"
    " JOIN pg_catalog.pg_class c ON c.oid = i.indrelid"
    " CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS"
    " u(attnum, part)"
    " WHERE i.indrelid = k.leaf AND i.indimmediate AND i.indisvalid AND u.part <="
    " i.indnkeyatts"
    " AND u.attnum = k.in_leaf AND CASE c.relreplident WHEN 'd' THEN i.indisprimary ELSE"
    " i.indisreplident END) END"
    " UNION ALL SELECT t.number, pg_catalog.format('t%s:%s', p.oid, p.xmin),"
    " CASE WHEN p.typname ~ '^_?reg' AND p.typnamespace ="
    " 'pg_catalog'::pg_catalog.regnamespace THEN 'type' END, NULL, NULL"
    " FROM t JOIN pg_catalog.pg_type p ON p.oid = t.type"
    " UNION ALL SELECT t.number, pg_catalog.format('e%s:%s', e.oid, e.xmin), NULL, NULL, NULL"
    " FROM t JOIN pg_catalog.pg_enum e ON e.enumtypid = t.type WHERE t.type >= 16384"
    " UNION ALL SELECT t.number, pg_catalog.format('m%s.%s:%s', a.attrelid, a.attnum,"
    " a.xmin), NULL, NULL, NULL FROM t"
    " JOIN pg_catalog.pg_type p ON p.oid = t.type JOIN pg_catalog.pg_attribute a ON"
    " a.attrelid = p.typrelid"
    " WHERE p.typtype = 'c' AND a.attnum > 0)"
    " SELECT number, NULL::int8 AS part,"
    " pg_catalog.encode(pg_catalog.sha256(pg_catalog.string_agg(x, ' '"
    " ORDER BY x)::pg_catalog.bytea), 'hex'), pg_catalog.min(reason),"
    " ((pg_catalog.age('3'::pg_catalog.xid)::int8 + 4294967299) % 4294967296),"
    " pg_catalog.max(schema), pg_catalog.max(name)"
    " FROM f GROUP BY number"
    " UNION ALL SELECT number, part, attname::text,"
    " CASE leaf_type WHEN 16 THEN 'b' WHEN 17 THEN 'x' ELSE '' END, NULL, NULL, NULL FROM"
    " k ORDER BY 1, 2 NULLS FIRST";

#define EXECUTE_SQL "EXECUTE pgnudge_definitions('{"

void definitions_start(struct definitions *definitions, struct encoding *encoding)
{
    definitions_stop(definitions);
    definitions->encoding = encoding;
    definitions->ask_us = 0;
}

/* ---- the queue ---- */

static bool may_be_read_again(const struct definition *definition, int64_t now_us)
{
    switch (definition->state) {
    case DEFINITION_NONE:
        return now_us >= clock_after(definition->read_us, NONE_US);
    case DEFINITION_USABLE: /* the transaction is an old one; or xids have come full circle */
        return now_us >= clock_after(definition->read_us, SERVED_US);
    case DEFINITION_UNREAD:
    case DEFINITION_CHANGED:
        break;
    }
    return true;
}

/* One that items may rest on stays as it is. */
static struct definition *successor_of(struct definition *definition)
{
    struct definition *successor =
        definition_new(definition->leaf, definition->root, definition->schema, definition->table);

    if (successor == NULL) {
        return NULL;
    }
    definition->successor = definition_hold(successor);
    definition_release(definition);
    return successor;
}

struct definition *definitions_want(struct definitions *definitions, struct definition *definition,
                                    int64_t now_us)
{
    while (definition->successor != NULL) {
        struct definition *successor = definition_hold(definition->successor);

        definition_release(definition);
        definition = successor;
    }
    if (!definitions->wanted || definition->queued || definitions->len == DEFINITIONS_QUEUED_MAX ||
        !may_be_read_again(definition, now_us)) {
        return definition;
    }
    if (definition->state == DEFINITION_USABLE || definition->state == DEFINITION_CHANGED) {
        struct definition *successor = successor_of(definition);

        if (successor == NULL) {
            return definition;
        }
        definition = successor;
    }
    definition->queued = true;
    definitions->queue[definitions->len++] = definition_hold(definition);
    return definition;
}

int64_t definitions_due(const struct definitions *definitions)
{
    return definitions->len > 0 ? definitions->ask_us : CLOCK_NEVER;
}

/* Takes the first ones off, which have been read. */
static void take_off(struct definitions *definitions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        definitions->queue[i]->queued = false;
        definition_release(definitions->queue[i]);
    }
    definitions->len -= count;
    memmove(definitions->queue, definitions->queue + count,
            definitions->len * sizeof(struct definition *));
    definitions->asked = 0;
}

/* ---- the question ---- */

void definitions_query(struct buffer *sql, const struct definition *(*at)(void *context, size_t n),
                       void *context, size_t count)
{
    buffer_text(sql, EXECUTE_SQL);
    for (size_t i = 0; i < count; i++) {
        buffer_text(sql, i > 0 ? "," : "");
        buffer_decimal(sql, at(context, i)->leaf, 1);
    }
    buffer_text(sql, "}', '{");
    for (size_t i = 0; i < count; i++) {
        buffer_text(sql, i > 0 ? "," : "");
        buffer_decimal(sql, at(context, i)->root, 1);
    }
    buffer_text(sql, "}')");
}

static const struct definition *queued_at(void *context, size_t n)
{
    return ((struct definitions *)context)->queue[n];
}

void definitions_question(struct definitions *definitions, struct buffer *sql)
{
    definitions->asked = definitions->len;
    definitions->taking = NULL;
    definitions_query(sql, queued_at, definitions, definitions->asked);
}

/* ---- rows ---- */

static bool read_columns(struct query_row *row, struct slice columns[COLUMNS], size_t *number)
{
    uint64_t value;

    for (int i = 0; i < COLUMNS; i++) {
        if (!query_row_next(row, &columns[i])) {
            return false;
        }
    }
    if (columns[0].data == NULL || !slice_number(columns[0], &value) || value == 0) {
        return false;
    }
    *number = (size_t)value - 1;
    return true;
}

bool definitions_read(struct query_row *row, size_t *number, struct slice *fingerprint)
{
    struct slice columns[COLUMNS];

    if (!read_columns(row, columns, number)) {
        return false;
    }
    *fingerprint = columns[1].data == NULL ? columns[2] : (struct slice){NULL, 0};
    return true;
}

bool definitions_read_reason(struct query_row *row, size_t *number, bool *is_part,
                             struct slice *reason)
{
    struct slice columns[COLUMNS];

    if (!read_columns(row, columns, number)) {
        return false;
    }
    *is_part = columns[1].data != NULL;
    *reason = *is_part ? (struct slice){NULL, 0} : columns[3];
    return true;
}

/*
 * Its columns and their names as JSON, in one piece of memory, which the caller owns. NULL: out of
 * memory.
 */
static void *keep_columns(const struct definitions *definitions, struct key_columns *kept,
                          const char **kept_json)
{
    size_t columns_len = definitions->parts * sizeof(struct key_column);
    struct buffer json = {0};
    struct key_column *columns;
    char *text;
    size_t at = 0;

    if (definitions->names.failed) {
        return NULL;
    }
    for (size_t i = 0; i < definitions->parts; i++) {
        struct slice name = {definitions->names.data + at, definitions->part[i].len};
        struct buffer utf8 = {0};

        encoding_to_utf8(definitions->encoding, name, &utf8);
        buffer_byte(&json, i > 0 ? ',' : '[');
        json_string(&json, (struct slice){utf8.data, utf8.len});
        json.failed |= utf8.failed;
        buffer_free(&utf8);
        at += name.len;
    }
    buffer_append(&json, "]", sizeof("]"));
    columns = json.failed ? NULL : malloc(columns_len + definitions->names.len + json.len);
    if (columns != NULL) {
        text = (char *)columns + columns_len;
        memcpy(text, definitions->names.data, definitions->names.len);
        memcpy(text + definitions->names.len, json.data, json.len);
        for (size_t i = 0; i < definitions->parts; i++) {
            columns[i].name = (struct slice){text, definitions->part[i].len};
            columns[i].type = definitions->part[i].type;
            text += definitions->part[i].len;
        }
        *kept = (struct key_columns){definitions->parts, columns};
        *kept_json = text;
    }
    buffer_free(&json);
    return columns;
}

/* All its rows are there. */
static void end_one(struct definitions *definitions)
{
    struct definition *definition = definitions->taking;
    struct key_columns columns;
    const char *json;
    void *memory;

    definitions->taking = NULL;
    if (definition == NULL || definitions->parts == 0) {
        return;
    }
    memory = keep_columns(definitions, &columns, &json);
    if (memory != NULL) {
        definition_use(definition, columns, json, memory);
    }
}

const char *definitions_reason(struct slice reason)
{
    static const struct {
        const char *reason;
        const char *words;
    } reasons[] = {
        {"column", "it lacks a column of the key of the table above it"},
        {"identity", "its replica identity does not hold the key"},
        {"type", "the key has names in it (a type like regclass), which can change"},
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (slice_equal(reason, slice_of(reasons[i].reason))) {
            return reasons[i].words;
        }
    }
    return "it has no primary key";
}

/* Number, NULL, fingerprint, reason, next xid, schema, name. */
static bool on_head(struct definitions *definitions, struct definition *definition,
                    const struct slice columns[COLUMNS])
{
    bool is_named =
        slice_equal(columns[5], definition->schema) && slice_equal(columns[6], definition->table);

    if (columns[2].data == NULL || columns[2].len != FINGERPRINT_LEN || columns[4].data == NULL ||
        !xid_read(columns[4], &definition->from_xid)) {
        return false;
    }
    memcpy(definition->fingerprint, columns[2].data, FINGERPRINT_LEN);
    definitions->parts = 0;
    buffer_clear(&definitions->names);
    /* By another name the changes may be another table's. */
    definition->reason = !is_named                 ? "it has been renamed"
                         : columns[3].data != NULL ? definitions_reason(columns[3])
                                                   : definitions_reason(slice_of(""));
    definitions->taking = columns[3].data == NULL && is_named ? definition : NULL;
    return true;
}

/* Number, part, name, type. */
static bool on_part(struct definitions *definitions, const struct slice columns[COLUMNS])
{
    size_t part = definitions->parts;

    if (definitions->taking == NULL) {
        return true;
    }
    if (part == KEY_PARTS_MAX || columns[2].data == NULL || columns[3].data == NULL ||
        columns[2].len > UINT16_MAX) {
        return false;
    }
    definitions->part[part].len = (uint16_t)columns[2].len;
    definitions->part[part].type = slice_equal(columns[3], slice_of("b"))   ? COLUMN_BOOLEAN
                                   : slice_equal(columns[3], slice_of("x")) ? COLUMN_BYTEA
                                                                            : COLUMN_OTHER;
    buffer_append(&definitions->names, columns[2].data, columns[2].len);
    definitions->parts++;
    return true;
}

bool definitions_row(void *context, struct query_row *row)
{
    struct definitions *definitions = context;
    struct slice columns[COLUMNS];
    size_t number;

    if (!read_columns(row, columns, &number) || number >= definitions->asked) {
        return definitions->asked == 0; /* they have been dropped meanwhile */
    }
    if (columns[1].data != NULL) {
        return on_part(definitions, columns);
    }
    end_one(definitions);
    return on_head(definitions, definitions->queue[number], columns);
}

static void say(const struct definitions *definitions, const struct definition *definition)
{
    struct buffer name = {0};

    if (!log_wants(definitions->log, LOG_INFO)) {
        return;
    }
    encoding_to_utf8(definitions->encoding, definition->schema, &name);
    buffer_byte(&name, '.');
    encoding_to_utf8(definitions->encoding, definition->table, &name);
    if (definition->state == DEFINITION_USABLE) {
        log_say(definitions->log, LOG_INFO, "rows of %.*s are named by %s", (int)name.len,
                name.data, definition->json);
    } else {
        log_say(definitions->log, LOG_INFO, "rows of %.*s can't be named: %s", (int)name.len,
                name.data, definition->reason != NULL ? definition->reason : "it is gone");
    }
    buffer_free(&name);
}

void definitions_answered(struct definitions *definitions, int64_t now_us)
{
    end_one(definitions);
    for (size_t i = 0; i < definitions->asked; i++) {
        struct definition *definition = definitions->queue[i];

        definition->read_us = now_us;
        if (definition->state == DEFINITION_UNREAD) {
            definition->state = DEFINITION_NONE;
        }
        say(definitions, definition);
    }
    take_off(definitions, definitions->asked);
}

/* ---- ends ---- */

void definitions_not_answered(struct definitions *definitions, int64_t now_us)
{
    definitions->asked = 0;
    definitions->taking = NULL;
    definitions->ask_us = clock_after(now_us, FAILED_US);
}

void definitions_stop(struct definitions *definitions)
{
    take_off(definitions, definitions->len);
    definitions->taking = NULL;
}

void definitions_free(struct definitions *definitions)
{
    definitions_stop(definitions);
    buffer_free(&definitions->names);
}
