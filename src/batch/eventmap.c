#include "batch/eventmap.h"

#include <stdlib.h>
#include <string.h>

#define CAP_MIN 64

/* The slot that has the name, or the free one where it would be. */
static struct event_slot *slot_of(const struct event_map *map, const struct name *name)
{
    uint64_t hash = ((uint64_t)(uintptr_t)name >> 4) * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)(hash >> 32) & (map->cap - 1);

    while (map->slots[i].generation == map->generation && map->slots[i].name != name) {
        i = (i + 1) & (map->cap - 1);
    }
    return &map->slots[i];
}

size_t event_map_find(const struct event_map *map, const struct name *name)
{
    const struct event_slot *slot;

    if (map->len == 0) {
        return EVENT_NONE;
    }
    slot = slot_of(map, name);
    return slot->generation == map->generation ? slot->index : EVENT_NONE;
}

static bool grow(struct event_map *map)
{
    struct event_map bigger = {.cap = map->cap > 0 ? map->cap * 2 : CAP_MIN, .generation = 1};

    bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
    if (bigger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < map->cap; i++) {
        if (map->slots[i].generation == map->generation) {
            struct event_slot *slot = slot_of(&bigger, map->slots[i].name);

            *slot = (struct event_slot){map->slots[i].name, 1, map->slots[i].index};
        }
    }
    bigger.len = map->len;
    free(map->slots);
    *map = bigger;
    return true;
}

bool event_map_add(struct event_map *map, const struct name *name, size_t index)
{
    if ((map->len + 1) * 2 > map->cap && !grow(map)) {
        return false;
    }
    *slot_of(map, name) = (struct event_slot){name, map->generation, (uint32_t)index};
    map->len++;
    return true;
}

void event_map_clear(struct event_map *map)
{
    map->len = 0;
    if (map->cap > 0 && ++map->generation == 0) { /* all slots are of generations gone by */
        memset(map->slots, 0, map->cap * sizeof(*map->slots));
        map->generation = 1;
    }
}

void event_map_free(struct event_map *map)
{
    free(map->slots);
    *map = (struct event_map){0};
}
