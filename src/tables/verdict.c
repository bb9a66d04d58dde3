#include "tables/verdict.h"

/* Those in the lineage that a pattern names, as bits. */
static uint64_t matches(const struct pattern_set *set, const struct lineage *lineage)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < lineage->len; i++) {
        if (pattern_set_matches(set, lineage->at[i].schema, lineage->at[i].table)) {
            bits |= UINT64_C(1) << i;
        }
    }
    return bits;
}

uint64_t verdict(const struct verdict_rules *rules, const struct lineage *lineage)
{
    uint64_t all = lineage->len == 64 ? UINT64_MAX : (UINT64_C(1) << lineage->len) - 1;
    uint64_t matched = rules->tables->len == 0 ? all : matches(rules->tables, lineage);
    uint64_t top = 0;

    if (matched == 0 || matches(rules->exclude, lineage) != 0) {
        return 0;
    }
    if (rules->partitions == PARTITIONS_LEAF) {
        return 1;
    }
    for (size_t i = 0; i < lineage->len; i++) {
        if ((matched >> i & 1) != 0 && (lineage->above[i] & matched) == 0) {
            top |= UINT64_C(1) << i;
        }
    }
    return top;
}
