#include "batch/keyset.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"

#define CAP_MIN    16
#define LENGTH_LEN sizeof(uint16_t)

static bool has_hash_key(struct keyset_pool *pool)
{
    if (!pool->has_hash_key) {
        pool->has_hash_key =
            RAND_bytes((unsigned char *)pool->hash_key, sizeof(pool->hash_key)) == 1;
    }
    return pool->has_hash_key;
}

struct keyset *keyset_new(struct keyset_pool *pool)
{
    struct keyset *keys = has_hash_key(pool) ? calloc(1, sizeof(*keys)) : NULL;

    if (keys != NULL) {
        keys->pool = pool;
        pool->bytes += keyset_bytes(keys);
    }
    return keys;
}

size_t keyset_bytes(const struct keyset *keys)
{
    return sizeof(*keys) + keys->text.cap + keys->cap * sizeof(*keys->slots);
}

static struct slice key_at(const struct keyset *keys, size_t at)
{
    uint16_t len;

    memcpy(&len, keys->text.data + at, LENGTH_LEN);
    return (struct slice){keys->text.data + at + LENGTH_LEN, len};
}

/* The slot that has the key, or the free one where it would be. */
static struct keyset_slot *slot_of(const struct keyset *keys, struct slice key, uint32_t hash)
{
    size_t i = hash & (keys->cap - 1);

    while (keys->slots[i].place != 0 &&
           !(keys->slots[i].hash == hash &&
             slice_equal(key_at(keys, keys->slots[i].place - 1), key))) {
        i = (i + 1) & (keys->cap - 1);
    }
    return &keys->slots[i];
}

/* At most half of the slots are taken. */
static bool grow(struct keyset *keys)
{
    struct keyset_slot *before = keys->slots;
    size_t cap = keys->cap > 0 ? keys->cap * 2 : CAP_MIN;
    struct keyset_slot *slots = calloc(cap, sizeof(*slots));

    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < keys->cap; i++) {
        size_t at = before[i].hash & (cap - 1);

        while (before[i].place != 0 && slots[at].place != 0) {
            at = (at + 1) & (cap - 1);
        }
        if (before[i].place != 0) {
            slots[at] = before[i];
        }
    }
    keys->slots = slots;
    keys->cap = cap;
    free(before);
    return true;
}

static enum keyset_result add(struct keyset *keys, struct slice key, size_t max)
{
    uint32_t hash = (uint32_t)siphash(keys->pool->hash_key, key);
    uint16_t len = (uint16_t)key.len;
    struct keyset_slot *slot;

    if ((keys->len + 1) * 2 > keys->cap && !grow(keys)) {
        return KEYSET_NO_MEMORY;
    }
    slot = slot_of(keys, key, hash);
    if (slot->place != 0) {
        keys->newest = slot->place - 1;
        return KEYSET_TAKEN;
    }
    if (keys->len == max) {
        return KEYSET_FULL;
    }
    keys->newest = keys->text.len;
    buffer_append(&keys->text, &len, LENGTH_LEN);
    buffer_append(&keys->text, key.data, key.len);
    if (keys->text.failed) {
        return KEYSET_NO_MEMORY;
    }
    *slot = (struct keyset_slot){hash, (uint32_t)keys->newest + 1};
    keys->len++;
    return KEYSET_TAKEN;
}

enum keyset_result keyset_add(struct keyset *keys, struct slice key, size_t max)
{
    size_t before = keyset_bytes(keys);
    enum keyset_result result;

    if (keys->len > 0 && slice_equal(key_at(keys, keys->newest), key)) {
        return KEYSET_TAKEN;
    }
    result = add(keys, key, max);
    keys->pool->bytes += keyset_bytes(keys) - before;
    return result;
}

bool keyset_next(const struct keyset *keys, size_t *at, struct slice *key)
{
    if (*at >= keys->text.len) {
        return false;
    }
    *key = key_at(keys, *at);
    *at += LENGTH_LEN + key->len;
    return true;
}

void keyset_free(struct keyset *keys)
{
    if (keys != NULL) {
        keys->pool->bytes -= keyset_bytes(keys);
        buffer_free(&keys->text);
        free(keys->slots);
        free(keys);
    }
}
