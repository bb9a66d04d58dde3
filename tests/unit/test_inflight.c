/* What the transactions that were open at the start had locked. */
#include "snapshot/inflight.h"

#include "check.h"

static size_t count_of(const struct inflight *inflight, uint32_t xid)
{
    size_t count;

    inflight_find(inflight, xid, &count);
    return count;
}

static void test_pairs(void)
{
    struct inflight inflight = {0};
    const struct inflight_pair *pairs;
    size_t count;

    CHECK(inflight_find(&inflight, 700, &count) == NULL && count == 0);
    inflight_drop(&inflight, 700);
    CHECK(inflight_add(&inflight, 900, 20000) && inflight_add(&inflight, 900, 20001));
    CHECK(inflight_add(&inflight, UINT32_MAX, 0) && inflight_add(&inflight, 5, 20000));
    inflight_sort(&inflight);
    pairs = inflight_find(&inflight, 900, &count);
    CHECK(pairs != NULL && count == 2 && pairs[0].oid + pairs[1].oid == 40001);
    pairs = inflight_find(&inflight, UINT32_MAX, &count);
    CHECK(pairs != NULL && count == 1 && pairs->oid == 0);
    inflight_drop(&inflight, 900);
    CHECK_INT(count_of(&inflight, 900), 0);
    CHECK_INT(count_of(&inflight, 5), 1);
    CHECK_INT(count_of(&inflight, UINT32_MAX), 1);
    inflight_drop(&inflight, 899);
    CHECK_INT(inflight.len, 2);
    inflight_clear(&inflight);
    CHECK(inflight_find(&inflight, 5, &count) == NULL);
}

/* Behind the bound it is known of each that it is open, not what it has locked. */
static void test_bound(void)
{
    struct inflight inflight = {0};
    const struct inflight_pair *pair;
    bool has_unknown = false;
    size_t count;

    for (size_t i = 0; i < INFLIGHT_MAX + 10; i++) {
        CHECK(inflight_add(&inflight, 700, 20000 + (uint32_t)i));
    }
    for (uint32_t xid = 701; xid < 711; xid++) {
        CHECK(inflight_add(&inflight, xid, 20000) && inflight_add(&inflight, xid, 20001));
    }
    CHECK_INT(inflight.len, INFLIGHT_MAX + 10);
    inflight_sort(&inflight);
    pair = inflight_find(&inflight, 700, &count);
    for (size_t i = 0; i < count; i++) {
        has_unknown |= pair[i].oid == 0;
    }
    CHECK(has_unknown);
    for (uint32_t xid = 701; xid < 711; xid++) {
        pair = inflight_find(&inflight, xid, &count);
        CHECK(pair != NULL && count == 1 && pair->oid == 0);
    }
    inflight_clear(&inflight);
}

static const struct check_test tests[] = {
    {"pairs of transactions and relations", test_pairs},
    {"more than are kept", test_bound},
};

CHECK_MAIN(tests)
