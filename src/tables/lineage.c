#include "tables/lineage.h"

#include "batch/json.h"

/* The place of an OID; `len` where it has none. */
static size_t place_of(const struct lineage *lineage, uint32_t oid)
{
    size_t i = 0;

    while (i < lineage->len && lineage->oid[i] != oid) {
        i++;
    }
    return i;
}

/* Places the parent of the one at place `child`. */
static void take_edge(struct lineage *lineage, size_t child, const struct edge *edge)
{
    size_t parent = place_of(lineage, edge->parent);

    if (parent == LINEAGE_MAX) {
        lineage->truncated = true;
        return;
    }
    if (parent == lineage->len) {
        lineage->at[parent] = edge->name;
        lineage->oid[parent] = edge->parent;
        lineage->above[parent] = 0;
        lineage->len++;
    }
    lineage->above[child] |= UINT64_C(1) << parent;
}

/* From "parents" to "all above", by each place that a way up may go through (Warshall, 1962). */
static void close_upwards(struct lineage *lineage)
{
    for (size_t via = 0; via < lineage->len; via++) {
        for (size_t i = 0; i < lineage->len; i++) {
            if ((lineage->above[i] >> via & 1) != 0) {
                lineage->above[i] |= lineage->above[via];
            }
        }
    }
}

void lineage_build(struct lineage *lineage, const struct relation *table, uint32_t oid,
                   const struct edge *edges, size_t count)
{
    lineage->len = 1;
    lineage->truncated = false;
    lineage->at[0] = *table;
    lineage->oid[0] = oid;
    lineage->above[0] = 0;
    for (size_t child = 0; child < lineage->len; child++) {
        for (size_t i = 0; i < count; i++) {
            if (edges[i].child == lineage->oid[child]) {
                take_edge(lineage, child, &edges[i]);
            }
        }
    }
    close_upwards(lineage);
}

/* ---- as JSON ---- */

static void write_string(struct buffer *out, struct slice raw)
{
    struct buffer text = {0};

    utf8_append(&text, raw);
    json_string(out, (struct slice){text.data, text.len});
    out->failed |= text.failed;
    buffer_free(&text);
}

static void write_above(struct buffer *out, uint64_t above, size_t len)
{
    char before = '[';

    buffer_byte(out, ',');
    if (above == 0) {
        buffer_byte(out, '[');
    }
    for (size_t i = 1; i < len; i++) {
        if ((above >> i & 1) != 0) {
            buffer_byte(out, before);
            buffer_decimal(out, i, 1);
            before = ',';
        }
    }
    buffer_byte(out, ']');
}

void lineage_write(struct buffer *out, const struct lineage *lineage)
{
    for (size_t i = 1; i < lineage->len; i++) {
        uint64_t below = (UINT64_C(2) << i) - 1;
        uint64_t all = lineage->len == 64 ? UINT64_MAX : (UINT64_C(1) << lineage->len) - 1;

        buffer_text(out, i == 1 ? ",\"ancestors\":[[" : ",[");
        write_string(out, lineage->at[i].schema);
        buffer_byte(out, ',');
        write_string(out, lineage->at[i].table);
        if (lineage->above[i] != (all & ~below)) {
            write_above(out, lineage->above[i], lineage->len);
        }
        buffer_byte(out, ']');
    }
    buffer_text(out, lineage->len > 1 ? "]" : "");
}
