/* Lines that a reader takes from anywhere. What is read of them is within bounds. */
#include <cjson/cJSON.h>

#include "bridge/follower.h"
#include "bridge/line.h"
#include "fuzz/fuzz.h"

static void read_events(const struct line *line)
{
    const cJSON *at = NULL;
    struct line_event event;
    bool bad;

    while (line_next_event(line, &at, &event, &bad)) {
        MUST(event.lineage.len >= 1 && event.lineage.len <= LINEAGE_MAX);
        MUST(event.tally.count > 0);
        for (size_t i = 0; i < event.lineage.len; i++) {
            MUST(event.lineage.at[i].schema.len > 0 && event.lineage.at[i].table.len > 0);
            MUST(event.lineage.len == 64 || event.lineage.above[i] >> event.lineage.len == 0);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct follower follower = {0};
    struct line line;

    if (line_read(&line, fuzz_slice(data, size)) != LINE_READ) {
        return 0;
    }
    MUST(line.place.seq > 0 && line.place.part >= 1 && line.place.part <= line.place.parts);
    MUST(strlen(line.place.session) < sizeof(line.place.session));
    MUST(follower_take(&follower, &line.place) == FOLLOW_FIRST);
    MUST(follower_take(&follower, &line.place) == FOLLOW_REPEATED);
    if (line.type == LINE_BATCH) {
        read_events(&line);
    }
    line_tables(&line);
    line_exclude(&line);
    line_names_leaves(&line);
    line_free(&line);
    return 0;
}
