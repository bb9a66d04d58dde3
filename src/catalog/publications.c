#include "catalog/publications.h"

#include <stdio.h>
#include <string.h>

#include "repl/command.h"

#define COLUMNS         3
#define SCHEMAS_MAJOR   15 /* from this one on there is FOR TABLES IN SCHEMA */
#define UNCOVERED_LIMIT "100"

/*
 * Three columns: a letter, and two texts. 'f': the fingerprint; else the letter of a fault, and what
 * struct publications has of it. w: the names; p: the publications; v: the tables without a star; d:
 * these and all below them.
 */
#define HEAD_SQL "WITH RECURSIVE w(name) AS (VALUES "
#define PUBLICATIONS_SQL                                                                           \
    "), p AS (SELECT b.*, b.xmin AS version, b.oid AS id FROM w"                                   \
    " JOIN pg_catalog.pg_publication b ON b.pubname = w.name),"                                    \
    " v(schema, name) AS (VALUES (NULL::name, NULL::name)"
#define TABLES_SQL                                                                                 \
    "), d(oid) AS (SELECT c.oid FROM v JOIN pg_catalog.pg_namespace n ON n.nspname = v.schema"     \
    " JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = v.name"                 \
    " UNION SELECT i.inhrelid FROM d JOIN pg_catalog.pg_inherits i ON i.inhparent = d.oid)"        \
    " SELECT 'f', pg_catalog.encode(pg_catalog.sha256(pg_catalog.string_agg(f.x, ' '"              \
    " ORDER BY f.x)::pg_catalog.bytea), 'hex'), NULL FROM ("                                       \
    "SELECT pg_catalog.format('p%s:%s', p.id, p.version) FROM p"                                   \
    " UNION ALL SELECT pg_catalog.format('r%s:%s', r.oid, r.xmin) FROM p"                          \
    " JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.id"
#define SCHEMAS_SQL                                                                                \
    " UNION ALL SELECT pg_catalog.format('s%s:%s', s.oid, s.xmin) FROM p"                          \
    " JOIN pg_catalog.pg_publication_namespace s ON s.pnpubid = p.id"
#define FAULTS_SQL                                                                                 \
    ") f(x) UNION ALL SELECT 'm', pg_catalog.quote_ident(w.name::text), NULL FROM w"               \
    " WHERE NOT EXISTS (SELECT FROM p WHERE p.pubname = w.name)"                                   \
    " UNION ALL SELECT 'a', pg_catalog.quote_ident(p.pubname::text), pg_catalog.concat_ws(', ',"   \
    " CASE WHEN NOT p.pubinsert THEN 'INSERT' END, CASE WHEN NOT p.pubupdate THEN 'UPDATE' END,"   \
    " CASE WHEN NOT p.pubdelete THEN 'DELETE' END, CASE WHEN NOT p.pubtruncate THEN 'TRUNCATE'"    \
    " END) FROM p WHERE NOT (p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate)"       \
    " UNION ALL SELECT 'r', pg_catalog.quote_ident(p.pubname::text), NULL FROM p"                  \
    " WHERE p.pubviaroot"                                                                          \
    " UNION ALL SELECT CASE WHEN j.row ->> 'prqual' IS NOT NULL THEN 'w' ELSE 'c' END,"            \
    " pg_catalog.quote_ident(p.pubname::text),"                                                    \
    " pg_catalog.format('%I.%I', n.nspname, c.relname) FROM p"                                     \
    " JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.id"                                    \
    " CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(r)) j(row)"                                   \
    " JOIN pg_catalog.pg_class c ON c.oid = r.prrelid"                                             \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                                    \
    " WHERE j.row ->> 'prqual' IS NOT NULL OR j.row ->> 'prattrs' IS NOT NULL AND EXISTS ("        \
    "SELECT FROM pg_catalog.pg_index i"                                                            \
    " CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY u(a, o)"   \
    " WHERE i.indrelid = c.oid AND i.indisprimary AND u.o <= i.indnkeyatts"                        \
    " AND (' ' || pg_catalog.translate(j.row ->> 'prattrs', '[],', '   ') || ' ')"                 \
    " NOT LIKE ('% ' || u.a::text || ' %'))"                                                       \
    " UNION ALL (SELECT 'u', pg_catalog.format('%I.%I', n.nspname, c.relname),"                    \
    " (SELECT pg_catalog.quote_ident(p.pubname::text) FROM p ORDER BY p.pubname LIMIT 1) FROM d"   \
    " JOIN pg_catalog.pg_class c ON c.oid = d.oid"                                                 \
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"                                    \
    " CROSS JOIN LATERAL (SELECT pg_catalog.array_agg(x.relid::pg_catalog.oid) || c.oid FROM"      \
    " pg_catalog.pg_partition_ancestors(c.oid) x(relid)) a(above)"                                 \
    " WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'"                                    \
    " AND NOT EXISTS (SELECT FROM p LEFT JOIN pg_catalog.pg_publication_rel r"                     \
    " ON r.prpubid = p.id AND r.prrelid = ANY (a.above) WHERE CASE"                                \
    " WHEN pg_catalog.to_jsonb(r) ->> 'prexcept' = 'true' THEN false"                              \
    " ELSE p.puballtables OR r.oid IS NOT NULL END)"
#define UNCOVERED_SCHEMAS_SQL                                                                      \
    " AND NOT EXISTS (SELECT FROM p JOIN pg_catalog.pg_publication_namespace s"                    \
    " ON s.pnpubid = p.id JOIN pg_catalog.pg_class b ON b.oid = ANY (a.above)"                     \
    " WHERE s.pnnspid = b.relnamespace)"
#define TAIL_SQL " ORDER BY 2 LIMIT " UNCOVERED_LIMIT ")"

/* The letters of the faults. */
static const char letters[PUBLICATION_FAULTS + 1] = "marwcu";

static void append_names(struct publications *publications, struct buffer *sql)
{
    for (size_t i = 0; i < publications->len; i++) {
        buffer_text(sql, i > 0 ? ", (" : "(");
        sql_name_literal(sql, publications->encoding, slice_of(publications->names[i]));
        buffer_text(sql, "::name)");
    }
}

static void append_tables(struct publications *publications, struct buffer *sql)
{
    for (size_t i = 0; i < publications->tables->len; i++) {
        const struct pattern *pattern = &publications->tables->patterns[i];

        if (pattern_is_name(pattern->schema) && pattern_is_name(pattern->table)) {
            buffer_text(sql, ", (");
            sql_name_literal(sql, publications->encoding, pattern->schema);
            buffer_text(sql, "::name, ");
            sql_name_literal(sql, publications->encoding, pattern->table);
            buffer_text(sql, "::name)");
        }
    }
}

void publications_query(struct publications *publications, struct buffer *sql)
{
    bool schemas = publications->major >= SCHEMAS_MAJOR;

    memset(publications->mark, 0, sizeof(publications->mark));
    publications->faults = 0;
    publications->fault = PUBLICATION_FAULTS;
    buffer_text(sql, HEAD_SQL);
    append_names(publications, sql);
    buffer_text(sql, PUBLICATIONS_SQL);
    append_tables(publications, sql);
    buffer_text(sql, TABLES_SQL);
    buffer_text(sql, schemas ? SCHEMAS_SQL : "");
    buffer_text(sql, FAULTS_SQL);
    buffer_text(sql, schemas ? UNCOVERED_SCHEMAS_SQL : "");
    buffer_text(sql, TAIL_SQL);
}

static void keep(const struct publications *publications, struct slice text,
                 char kept[PUBLICATION_TEXT_MAX])
{
    struct buffer utf8 = {0};

    encoding_to_utf8(publications->encoding, text, &utf8);
    snprintf(kept, PUBLICATION_TEXT_MAX, "%.*s", (int)utf8.len, utf8.len > 0 ? utf8.data : "");
    buffer_free(&utf8);
}

/* The worst one is kept; the first of these. */
static bool take_fault(struct publications *publications, const struct slice columns[COLUMNS])
{
    const char *letter = memchr(letters, columns[0].data[0], PUBLICATION_FAULTS);
    enum publication_fault fault;

    if (letter == NULL || columns[1].data == NULL) {
        return false;
    }
    fault = (enum publication_fault)(letter - letters);
    if (fault == PUBLICATION_COLUMNS && !publications->keys) {
        return true;
    }
    publications->faults++;
    if (fault < publications->fault) {
        publications->fault = fault;
        keep(publications, columns[1], publications->name);
        keep(publications, columns[2].data != NULL ? columns[2] : slice_of(""),
             publications->detail);
    }
    return true;
}

bool publications_row(void *context, struct query_row *row)
{
    struct publications *publications = context;
    struct slice columns[COLUMNS];

    for (int i = 0; i < COLUMNS; i++) {
        if (!query_row_next(row, &columns[i])) {
            return false;
        }
    }
    if (columns[0].data == NULL || columns[0].len != 1) {
        return false;
    }
    if (columns[0].data[0] != 'f') {
        return take_fault(publications, columns);
    }
    if (columns[1].data == NULL) { /* none of them is there */
        return true;
    }
    if (columns[1].len != PUBLICATIONS_MARK) {
        return false;
    }
    memcpy(publications->mark, columns[1].data, PUBLICATIONS_MARK);
    return true;
}

bool publications_are_same(const struct publications *a, const struct publications *b)
{
    return memcmp(a->mark, b->mark, PUBLICATIONS_MARK) == 0 && a->faults == b->faults;
}

void publications_option(const struct publications *publications, struct buffer *options)
{
    struct buffer list = {0};

    for (size_t i = 0; i < publications->len; i++) {
        struct buffer raw = {0};

        encoding_from_utf8(publications->encoding, slice_of(publications->names[i]), &raw);
        buffer_text(&list, i > 0 ? "," : "");
        sql_identifier(&list, (struct slice){raw.data, raw.len});
        list.failed |= raw.failed;
        buffer_free(&raw);
    }
    buffer_text(options, ", \"publication_names\" ");
    sql_literal(options, (struct slice){list.data, list.len});
    options->failed |= list.failed;
    buffer_free(&list);
    if (publications->major >= PUBLICATIONS_MESSAGES) {
        buffer_text(options, ", \"messages\" 'true'");
    }
}

bool publications_check(const struct publications *publications, struct error *error)
{
    const char *name = publications->name, *detail = publications->detail;

    switch (publications->fault) {
    case PUBLICATION_MISSING:
        error_set(error, ERROR_PERMANENT, "publication %s does not exist", name);
        error_hint(error, "CREATE PUBLICATION %s FOR TABLE …, or correct the name.", name);
        return false;
    case PUBLICATION_ACTIONS:
        error_set(error, ERROR_PERMANENT, "publication %s does not publish %s", name, detail);
        error_hint(error,
                   "ALTER PUBLICATION %s SET (publish = 'insert, update, delete, truncate').",
                   name);
        return false;
    case PUBLICATION_VIA_ROOT:
        error_set(error, ERROR_PERMANENT, "publication %s has publish_via_partition_root", name);
        error_detail(error, "TRUNCATE of a partition is not published then.");
        error_hint(error, "ALTER PUBLICATION %s SET (publish_via_partition_root = false).", name);
        return false;
    case PUBLICATION_FILTER:
        error_set(error, ERROR_PERMANENT, "publication %s has a row filter on table %s", name,
                  detail);
        error_hint(error, "ALTER PUBLICATION %s DROP TABLE %s, then ADD TABLE without WHERE.", name,
                   detail);
        return false;
    case PUBLICATION_COLUMNS:
        error_set(error, ERROR_PERMANENT,
                  "publication %s has a column list on table %s without its primary key", name,
                  detail);
        error_hint(error, "ALTER PUBLICATION %s DROP TABLE %s, then ADD TABLE with the key.", name,
                   detail);
        return false;
    case PUBLICATION_UNCOVERED:
        error_set(error, ERROR_PERMANENT, "table %s is not in publication %s%s", name, detail,
                  publications->len > 1 ? ", nor in the others" : "");
        error_hint(error, "ALTER PUBLICATION %s ADD TABLE %s.", detail, name);
        return false;
    case PUBLICATION_FAULTS:
        break;
    }
    return true;
}
