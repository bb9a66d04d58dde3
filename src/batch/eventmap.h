/* Which event of a window a payload has: a hash table by the name's address. */
#ifndef PGNUDGE_BATCH_EVENTMAP_H
#define PGNUDGE_BATCH_EVENTMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name;

#define EVENT_NONE ((size_t)-1)

/*
 * 1. A slot of another generation is free, so that clearing costs nothing.
 * 2. At most half of the slots are taken.
 */
struct event_map {
    struct event_slot {
        const struct name *name;
        uint32_t generation;
        uint32_t index;
    } * slots;
    size_t cap; /* a power of two, or 0 */
    size_t len;
    uint32_t generation; /* never 0 once there are slots */
};

/* The event's index, or EVENT_NONE. */
size_t event_map_find(const struct event_map *map, const struct name *name);

/* Adds one that is not there. False: out of memory. */
bool event_map_add(struct event_map *map, const struct name *name, size_t index);

void event_map_clear(struct event_map *map);
void event_map_free(struct event_map *map);

#endif
