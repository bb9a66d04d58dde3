#include "tables/lineage.h"

/* The place of an OID; `len` where it has none. */
static size_t place_of(const struct lineage *lineage, uint32_t oid)
{
    size_t i = 0;

    while (i < lineage->len && lineage->oid[i] != oid) {
        i++;
    }
    return i;
}

/* Places the parent of a child that has a place. Whether that changed anything. */
static bool take_edge(struct lineage *lineage, const struct edge *edge)
{
    size_t child = place_of(lineage, edge->child);
    size_t parent = place_of(lineage, edge->parent);
    uint64_t before;

    if (child == lineage->len) {
        return false;
    }
    if (parent == LINEAGE_MAX) {
        lineage->truncated = true;
        return false;
    }
    if (parent == lineage->len) {
        lineage->at[parent] = edge->name;
        lineage->oid[parent] = edge->parent;
        lineage->above[parent] = 0;
        lineage->len++;
    }
    before = lineage->above[child];
    lineage->above[child] |= UINT64_C(1) << parent;
    return lineage->above[child] != before;
}

/* From "parents" to "all above": what stands above my parent stands above me. */
static void close_upwards(struct lineage *lineage)
{
    bool changed = true;

    while (changed) {
        changed = false;
        for (size_t i = 0; i < lineage->len; i++) {
            uint64_t all = lineage->above[i];

            for (size_t j = 0; j < lineage->len; j++) {
                all |= (lineage->above[i] >> j & 1) != 0 ? lineage->above[j] : 0;
            }
            changed |= all != lineage->above[i];
            lineage->above[i] = all;
        }
    }
}

void lineage_build(struct lineage *lineage, const struct relation *table, uint32_t oid,
                   const struct edge *edges, size_t count)
{
    bool changed = true;

    lineage->len = 1;
    lineage->truncated = false;
    lineage->at[0] = *table;
    lineage->oid[0] = oid;
    lineage->above[0] = 0;
    while (changed) {
        changed = false;
        for (size_t i = 0; i < count; i++) {
            changed |= take_edge(lineage, &edges[i]);
        }
    }
    close_upwards(lineage);
}
