#include "base/hashmap.h"

#include <openssl/rand.h>
#include <stdlib.h>

#include "base/siphash.h"

static struct hashmap_slot *find(const struct hashmap *map, struct slice key, uint64_t hash)
{
    size_t i = (size_t)hash & (map->cap - 1);

    while (map->slots[i].value != NULL &&
           !(map->slots[i].hash == hash && slice_equal(map->slots[i].key, key))) {
        i = (i + 1) & (map->cap - 1);
    }
    return &map->slots[i];
}

void *hashmap_get(const struct hashmap *map, struct slice key)
{
    return map->cap == 0 ? NULL : find(map, key, siphash(map->key, key))->value;
}

static bool grow(struct hashmap *map)
{
    struct hashmap bigger = *map;

    if (map->cap == 0 && RAND_bytes((unsigned char *)bigger.key, sizeof(bigger.key)) != 1) {
        return false;
    }
    bigger.cap = map->cap > 0 ? map->cap * 2 : 64;
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
    map->slots = bigger.slots;
    map->cap = bigger.cap;
    memcpy(map->key, bigger.key, sizeof(map->key));
    return true;
}

bool hashmap_add(struct hashmap *map, struct slice key, void *value)
{
    uint64_t hash;

    /* At most three quarters full. */
    if (map->len + 1 > map->cap / 4 * 3 && !grow(map)) {
        return false;
    }
    hash = siphash(map->key, key);
    *find(map, key, hash) = (struct hashmap_slot){key, hash, value};
    map->len++;
    return true;
}

void *hashmap_remove(struct hashmap *map, struct slice key)
{
    struct hashmap_slot *slot = map->cap > 0 ? find(map, key, siphash(map->key, key)) : NULL;
    void *value = slot != NULL ? slot->value : NULL;

    if (value != NULL) {
        hashmap_remove_at(map, (size_t)(slot - map->slots));
    }
    return value;
}

void hashmap_remove_at(struct hashmap *map, size_t i)
{
    size_t mask = map->cap - 1;
    size_t j = i;

    map->slots[i].value = NULL;
    map->len--;
    while (map->slots[j = (j + 1) & mask].value != NULL) {
        size_t home = (size_t)map->slots[j].hash & mask;

        /* Unless it stands between its home and the gap's other side, a search would end at the gap. */
        if (((j - home) & mask) >= ((j - i) & mask)) {
            map->slots[i] = map->slots[j];
            map->slots[j].value = NULL;
            i = j;
        }
    }
}

void hashmap_free(struct hashmap *map)
{
    free(map->slots);
    *map = (struct hashmap){0};
}
