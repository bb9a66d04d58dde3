#include "base/hashmap.h"

#include <stdlib.h>

#include "base/siphash.h"
#include "check.h"

#define MANY ((size_t)100000)

static void empty(void)
{
    struct hashmap map = {0};

    CHECK(hashmap_get(&map, slice_of("a")) == NULL);
    CHECK(hashmap_get(&map, slice_of("")) == NULL);
    hashmap_free(&map);
}

/* Keys are byte strings: a NUL, or nothing at all, is as good as any. */
static void any_bytes(void)
{
    static int values[5];
    static const struct slice keys[] = {LITERAL("a"), LITERAL("a\0"), LITERAL("a\0b"), LITERAL(""),
                                        LITERAL("\xff")};
    struct hashmap map = {0};

    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        CHECK(hashmap_get(&map, keys[i]) == NULL);
        CHECK(hashmap_add(&map, keys[i], &values[i]));
    }
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        CASE("key %zu", i);
        CHECK(hashmap_get(&map, keys[i]) == &values[i]);
    }
    CHECK_INT(map.len, COUNT_OF(keys));
    CHECK(hashmap_get(&map, BYTES("b")) == NULL);
    hashmap_free(&map);
    CHECK(hashmap_get(&map, BYTES("a")) == NULL);
}

static void many(void)
{
    struct hashmap map = {0};
    char(*keys)[16] = malloc(MANY * sizeof(*keys));

    REQUIRE(keys != NULL);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(keys[i], sizeof(keys[i]), "s.t%zu", i);
        if (!CHECK(hashmap_add(&map, slice_of(keys[i]), keys[i]))) {
            break;
        }
    }
    CHECK_INT(map.len, MANY);
    CHECK(map.cap > map.len); /* a look-up in vain needs a free slot to end at */
    for (size_t i = 0; i < MANY; i++) {
        if (!CHECK(hashmap_get(&map, slice_of(keys[i])) == keys[i])) {
            break;
        }
    }
    CHECK(hashmap_get(&map, slice_of("s.t")) == NULL);
    CHECK(hashmap_get(&map, slice_of("s.t100000")) == NULL);
    hashmap_free(&map);
    free(keys);
}

/* Entries come and go; those that are there are found, the others aren't. */
static void come_and_go(void)
{
    enum { KEYS = 300, STEPS = 20000 };
    static char keys[KEYS][8];
    struct hashmap map = {0};
    bool there[KEYS] = {false};
    unsigned random = 1;

    for (size_t i = 0; i < KEYS; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%zu", i);
    }
    for (int step = 0; step < STEPS; step++) {
        size_t i = (random = random * 1103515245 + 12345) / 65536 % KEYS;

        if (!there[i]) {
            CHECK(hashmap_add(&map, slice_of(keys[i]), keys[i]));
        } else {
            size_t at = 0;

            while (map.slots[at].value != keys[i]) {
                at++;
            }
            hashmap_remove_at(&map, at);
        }
        there[i] = !there[i];
        for (i = 0; i < KEYS; i++) {
            if (!CHECK(hashmap_get(&map, slice_of(keys[i])) == (there[i] ? keys[i] : NULL))) {
                step = STEPS;
                break;
            }
        }
    }
    hashmap_free(&map);
}

/* The authors' test vectors: key 00 01 … 0f, message 00 01 …, so many bytes. */
static void siphash_vectors(void)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } vectors[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},
        {1, UINT64_C(0x74f839c593dc67fd)},
        {8, UINT64_C(0x93f5f5799a932462)},
        {15, UINT64_C(0xa129ca6149be45e5)},
    };
    static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    char message[16];

    for (size_t i = 0; i < sizeof(message); i++) {
        message[i] = (char)i;
    }
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        CASE("%zu bytes", vectors[i].len);
        CHECK(siphash(key, (struct slice){message, vectors[i].len}) == vectors[i].hash);
    }
}

/* What collides in one table, or run of the program, doesn't in another. */
static void keyed(void)
{
    struct hashmap one = {0}, other = {0};

    CHECK(hashmap_add(&one, slice_of("a"), &one) && hashmap_add(&other, slice_of("a"), &other));
    CHECK(one.key[0] != other.key[0] && one.key[1] != other.key[1]);
    hashmap_free(&one);
    hashmap_free(&other);
}

static const struct check_test tests[] = {
    {"an empty one has nothing", empty},
    {"keys are any bytes, and each leads to its own value", any_bytes},
    {"100 000 keys are found again after all the growing", many},
    {"entries that are taken out leave the others to be found", come_and_go},
    {"SipHash-2-4", siphash_vectors},
    {"each has a key of its own", keyed},
};

CHECK_MAIN(tests)
