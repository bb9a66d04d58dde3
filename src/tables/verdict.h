/* By which names a change is told, once the tables above its own are known. */
#ifndef PGNUDGE_TABLES_VERDICT_H
#define PGNUDGE_TABLES_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "tables/lineage.h"
#include "tables/pattern.h"

/* How to name a change below a watched table. */
enum partitions { PARTITIONS_ROOT, PARTITIONS_LEAF };

struct verdict_rules {
    const struct pattern_set *tables; /* borrowed; empty: all */
    const struct pattern_set *exclude;
    enum partitions partitions;
    bool ancestors; /* LEAF: an event says what stands above its table */
};

/* Which of the lineage to name a change by, as bits; 0: it is not watched. */
uint64_t verdict(const struct verdict_rules *rules, const struct lineage *lineage);

#endif
