#include "base/hashmap.h"

#include <stdlib.h>

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

static const struct check_test tests[] = {
    {"an empty one has nothing", empty},
    {"keys are any bytes, and each leads to its own value", any_bytes},
    {"100 000 keys are found again after all the growing", many},
};

CHECK_MAIN(tests)
