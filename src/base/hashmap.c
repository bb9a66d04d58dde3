#include "base/hashmap.h"

#include <stdint.h>
#include <stdlib.h>

/* FNV-1a. Keys are names from one catalog: its owner gains nothing by colliding them. */
static size_t hash_bytes(struct slice key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < key.len; i++) {
        hash = (hash ^ (unsigned char)key.data[i]) * UINT64_C(0x100000001b3);
    }
    return (size_t)(hash ^ (hash >> 32));
}

static struct hashmap_slot *find(const struct hashmap *map, struct slice key, size_t hash)
{
    size_t i = hash & (map->cap - 1);

    while (map->slots[i].value != NULL &&
           !(map->slots[i].hash == hash && slice_equal(map->slots[i].key, key))) {
        i = (i + 1) & (map->cap - 1);
    }
    return &map->slots[i];
}

void *hashmap_get(const struct hashmap *map, struct slice key)
{
    return map->cap == 0 ? NULL : find(map, key, hash_bytes(key))->value;
}

static bool grow(struct hashmap *map)
{
    struct hashmap bigger = {.cap = map->cap > 0 ? map->cap * 2 : 64, .len = map->len};

    bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
    if (bigger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < map->cap; i++) {
        if (map->slots[i].value != NULL) {
            *find(&bigger, map->slots[i].key, map->slots[i].hash) = map->slots[i];
        }
    }
    free(map->slots);
    *map = bigger;
    return true;
}

bool hashmap_add(struct hashmap *map, struct slice key, void *value)
{
    size_t hash = hash_bytes(key);

    /* At most three quarters full. */
    if (map->len + 1 > map->cap / 4 * 3 && !grow(map)) {
        return false;
    }
    *find(map, key, hash) = (struct hashmap_slot){key, hash, value};
    map->len++;
    return true;
}

void hashmap_free(struct hashmap *map)
{
    free(map->slots);
    *map = (struct hashmap){0};
}
