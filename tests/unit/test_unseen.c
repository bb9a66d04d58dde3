/* What has come through the stream and can't be seen yet, beside a model that remembers all. */
#include "snapshot/unseen.h"

#include <stdlib.h>

#include "check.h"

#define TOP UINT32_MAX

static void see(struct unseen *unseen, uint32_t xmax, const uint32_t *running, size_t count)
{
    struct snapshot snapshot = {.xmax = xmax};

    for (size_t i = 0; i < count; i++) {
        CHECK(snapshot_add(&snapshot, running[i]));
    }
    snapshot_sort(&snapshot);
    CHECK(unseen_see(unseen, &snapshot));
    snapshot_free(&snapshot);
}

#define SEE(unseen, xmax, ...)                                                                     \
    see((unseen), (xmax), (const uint32_t[]){__VA_ARGS__},                                         \
        sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void add(struct unseen *unseen, uint32_t xid, unsigned marks)
{
    CHECK(unseen_add(unseen, xid, marks | UNSEEN_STREAMED));
}

/* A stranger runs throughout: nothing waits for it. */
static void strangers(void)
{
    struct unseen unseen;

    unseen_init(&unseen, 4096);
    SEE(&unseen, 100, 50);
    for (uint32_t xid = 100; xid < 1100; xid++) {
        add(&unseen, xid, UNSEEN_OPEN);
    }
    CHECK(unseen_any(&unseen, UNSEEN_OPEN));
    SEE(&unseen, 1101, 50, 1100); /* 1100 is another */
    CHECK(!unseen_any(&unseen, UNSEEN_OPEN));
    CHECK(!unseen_any_to(&unseen, 2000));
    unseen_free(&unseen);
}

/* It is in its COMMIT: listed as running, until it isn't. */
static void listed(void)
{
    struct unseen unseen;

    unseen_init(&unseen, 4096);
    SEE(&unseen, 100, 50, 60);
    add(&unseen, 60, UNSEEN_OPEN);
    add(&unseen, 70, UNSEEN_OPEN); /* the snapshot has seen it already */
    add(&unseen, 100, UNSEEN_OPEN);
    CHECK_INT(unseen.count[0], 2);
    CHECK(unseen_any_to(&unseen, 60) && !unseen_any_to(&unseen, 59));
    SEE(&unseen, 101, 50, 60, 100);
    CHECK_INT(unseen.count[0], 2);
    SEE(&unseen, 200, 50, 60);
    CHECK_INT(unseen.count[0], 1);
    SEE(&unseen, 200, 50);
    CHECK(!unseen_any(&unseen, UNSEEN_OPEN));
    unseen_free(&unseen);
}

/* Before the first snapshot they are held in any order. */
static void no_snapshot_yet(void)
{
    struct unseen unseen;

    unseen_init(&unseen, 4096);
    add(&unseen, 1000, UNSEEN_OPEN);
    add(&unseen, 900, UNSEEN_OPEN);
    add(&unseen, 2000, UNSEEN_OPEN);
    CHECK_INT(unseen.count[0], 3);
    SEE(&unseen, 2001, 900);
    CHECK_INT(unseen.count[0], 1);
    unseen_free(&unseen);
}

static void around_the_wrap(void)
{
    struct unseen unseen;

    unseen_init(&unseen, 4096);
    SEE(&unseen, TOP - 5, TOP - 10);
    add(&unseen, TOP - 10, UNSEEN_OPEN);
    add(&unseen, TOP, UNSEEN_OPEN);
    add(&unseen, 3, UNSEEN_OPEN);
    add(&unseen, 4, UNSEEN_CLOSED);
    CHECK(unseen_any_to(&unseen, TOP) && unseen_any_to(&unseen, TOP - 10));
    SEE(&unseen, 4, TOP);
    CHECK_INT(unseen.count[0], 2);
    CHECK(unseen_any_to(&unseen, 3)); /* TOP */
    SEE(&unseen, 10, 8);
    CHECK_INT(unseen.count[0], 0);
    unseen_free(&unseen);
}

static void marks(void)
{
    struct unseen unseen;

    unseen_init(&unseen, 4096);
    SEE(&unseen, 100, 50);
    add(&unseen, 50, UNSEEN_UNKNOWN);
    add(&unseen, 101, UNSEEN_UNKNOWN);
    add(&unseen, 102, UNSEEN_OPEN);
    add(&unseen, 103, UNSEEN_UNKNOWN);
    unseen_mark_to(&unseen, 101, UNSEEN_UNKNOWN, UNSEEN_OPEN);
    CHECK_INT(unseen.count[2], 3);
    unseen_move(&unseen, UNSEEN_UNKNOWN, 0);
    CHECK(!unseen_any(&unseen, UNSEEN_UNKNOWN));
    CHECK(unseen_any(&unseen, UNSEEN_OPEN | UNSEEN_UNKNOWN));
    unseen_move(&unseen, UNSEEN_OPEN, UNSEEN_CLOSED);
    CHECK(!unseen_any(&unseen, UNSEEN_OPEN));
    CHECK_INT(unseen.count[3], 3);
    CHECK_INT(unseen.count[0], 4);
    unseen_move(&unseen, UNSEEN_CLOSED, 0);
    CHECK_INT(unseen.count[0], 4); /* they are still streamed and unseen */
    unseen_mark_to(&unseen, unseen_highest(&unseen), UNSEEN_STREAMED, UNSEEN_OPEN);
    CHECK_INT(unseen.count[2], 4);
    unseen_free(&unseen);
}

static void overflows(void)
{
    struct unseen unseen;

    unseen_init(&unseen, 4096);
    SEE(&unseen, 100, 50);
    add(&unseen, 100 + 4095, UNSEEN_OPEN);
    CHECK(!unseen.overflowed && unseen_is_large(&unseen));
    add(&unseen, 100 + 4096, UNSEEN_OPEN);
    CHECK(unseen.overflowed);
    CHECK(!unseen_any(&unseen, UNSEEN_OPEN));
    CHECK(unseen_any_to(&unseen, 1)); /* nobody knows */
    add(&unseen, 101, UNSEEN_OPEN);
    SEE(&unseen, 200, 101);
    CHECK(!unseen_any(&unseen, UNSEEN_OPEN));
    unseen_reset(&unseen);
    CHECK(!unseen.overflowed);
    add(&unseen, 9000, UNSEEN_OPEN);
    CHECK(unseen_any(&unseen, UNSEEN_OPEN));
    SEE(&unseen, 9001, 50);
    CHECK(!unseen_any(&unseen, UNSEEN_OPEN));
    unseen_free(&unseen);
}

/* ---- the model: a server's transactions, each in one state ---- */

enum { NOT_YET, RUNS, STREAMED, SEEN };

#define MODEL_XIDS 5000

struct model {
    unsigned char state[MODEL_XIDS];
    unsigned char marks[MODEL_XIDS];
    uint32_t first; /* xid of state[0] */
    size_t next;    /* the first that has not begun */
};

/* What the next snapshot lists: all that have begun and can't be seen. */
static void model_sees(struct model *model, struct unseen *unseen)
{
    struct snapshot snapshot = {.xmax = model->first + (uint32_t)model->next};

    for (size_t i = 0; i < model->next; i++) {
        if (model->state[i] != SEEN) {
            CHECK(snapshot_add(&snapshot, model->first + (uint32_t)i));
        }
    }
    snapshot_sort(&snapshot);
    CHECK(unseen_see(unseen, &snapshot));
    for (size_t i = 0; i < model->next; i++) {
        model->marks[i] = model->state[i] == SEEN ? 0 : model->marks[i];
    }
    snapshot_free(&snapshot);
}

static bool agrees(const struct model *model, const struct unseen *unseen)
{
    size_t count[UNSEEN_MARKS] = {0};
    bool ok = true;

    for (size_t i = 0; i < model->next; i++) {
        for (size_t bit = 0; bit < UNSEEN_MARKS; bit++) {
            count[bit] += model->marks[i] >> bit & 1;
        }
    }
    for (size_t bit = 0; bit < UNSEEN_MARKS; bit++) {
        ok = CHECK_INT(unseen->count[bit], count[bit]) && ok;
    }
    return ok;
}

static void one_run(uint64_t seed, uint32_t first)
{
    struct model *model = calloc(1, sizeof(*model));
    struct unseen unseen;

    REQUIRE(model != NULL);
    model->first = first;
    unseen_init(&unseen, 8192);
    while (model->next < MODEL_XIDS) {
        size_t i = model->next > 0 ? check_random(&seed) % model->next : 0;

        i = check_random(&seed) % 8 > 0 && model->next > 20 ? model->next - 1 - i % 20 : i;
        switch (check_random(&seed) % 6) {
        case 0:
        case 1:
            model->state[model->next++] = RUNS;
            break;
        case 2:
        case 3: /* its COMMIT is flushed */
            if (model->state[i] == RUNS) {
                model->state[i] = STREAMED;
                model->marks[i] =
                    (unsigned char)(check_random(&seed) % 2 == 0 ? UNSEEN_STREAMED
                                                                 : UNSEEN_STREAMED | UNSEEN_OPEN);
                CHECK(unseen_add(&unseen, model->first + (uint32_t)i, model->marks[i]));
            }
            break;
        case 4: /* it can be seen, or was rolled back */
            if (model->state[i] == STREAMED || check_random(&seed) % 4 == 0) {
                model->state[i] = i < model->next ? SEEN : model->state[i];
            }
            break;
        default:
            if (check_random(&seed) % 10 == 0) {
                model_sees(model, &unseen);
            } else if (check_random(&seed) % 50 == 0) {
                unseen_move(&unseen, UNSEEN_OPEN, UNSEEN_CLOSED);
                for (size_t j = 0; j < model->next; j++) {
                    if ((model->marks[j] & UNSEEN_OPEN) != 0) {
                        model->marks[j] = UNSEEN_STREAMED | UNSEEN_CLOSED;
                    }
                }
            }
            break;
        }
    }
    agrees(model, &unseen);
    model_sees(model, &unseen);
    agrees(model, &unseen);
    unseen_free(&unseen);
    free(model);
}

static void as_a_model_says(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        CASE("seed %" PRIu64, seed);
        one_run(seed * 7919, seed % 2 == 0 ? 1000 : TOP - 2000);
    }
}

static const struct check_test tests[] = {
    {"strangers that run are not waited for", strangers},
    {"one in its COMMIT is, until a snapshot doesn't list it", listed},
    {"before the first snapshot any order will do", no_snapshot_yet},
    {"xids wrap", around_the_wrap},
    {"marks move", marks},
    {"too far above the snapshot it overflows, until it is reset", overflows},
    {"at random it is what a model says", as_a_model_says},
};

CHECK_MAIN(tests)
