/* Items on their way out, with an out that does as it is told. */
#include "feed/delivery.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "batch/name.h"

#include "arrive.h"
#include "check.h"

struct fake_out {
    struct out out;
    bool can_take;
    bool busy;
    enum out_event next; /* what step says of the item that has begun */
    struct buffer lines; /* all that has begun */
};

static struct fake_out *fake(struct out *out)
{
    return (struct fake_out *)out;
}

static bool can_take(struct out *out)
{
    return fake(out)->can_take && !fake(out)->busy;
}

static void begin(struct out *out, const struct item *item)
{
    fake(out)->busy = true;
    item_write(&fake(out)->lines, item, STYLE(ITEM_JSON));
}

static bool busy(const struct out *out)
{
    return ((const struct fake_out *)out)->busy;
}

static enum out_event step(struct out *out, short revents, int64_t now_us, struct error *error)
{
    (void)revents;
    (void)now_us;
    (void)error;
    if (!fake(out)->busy) {
        return OUT_NOTHING;
    }
    fake(out)->busy = fake(out)->next == OUT_NOTHING;
    return fake(out)->next;
}

struct fixture {
    struct fake_out out;
    struct unseen unseen;
    struct window window;
    struct visible visible;
    struct log log;
    struct counters counters;
    struct delivery delivery;
    struct name *names[2];
};

static bool set_up(struct fixture *fixture)
{
    static const struct out_ops ops = {
        .can_take = can_take, .begin = begin, .busy = busy, .step = step};
    static const struct window_limits limits = {
        .debounce_us = 50, .max_wait_us = 1000, .max_pending = 100};
    static const char *const json[] = {"\"payload\":\"s.a\"", "\"payload\":\"s.b\""};

    *fixture =
        (struct fixture){.out = {.out = {&ops}, .can_take = true}, .log = {.level = LOG_ERROR}};
    unseen_init(&fixture->unseen, UNSEEN_MAX);
    window_init(&fixture->window, &limits, &fixture->unseen);
    fixture->visible.unseen = &fixture->unseen;
    fixture->delivery = (struct delivery){.log = &fixture->log,
                                          .window = &fixture->window,
                                          .visible = &fixture->visible,
                                          .counters = &fixture->counters,
                                          .out = &fixture->out.out};
    for (size_t i = 0; i < COUNT_OF(json); i++) {
        fixture->names[i] = calloc(1, sizeof(struct name) + strlen(json[i]) + 1);
        if (fixture->names[i] == NULL) {
            return false;
        }
        fixture->names[i]->json_len = strlen(json[i]);
        memcpy(fixture->names[i]->json, json[i], strlen(json[i]));
    }
    return true;
}

static void tear_down(struct fixture *fixture)
{
    delivery_drop(&fixture->delivery);
    window_clear(&fixture->window);
    window_free(&fixture->window);
    item_free(&fixture->delivery.closed);
    unseen_free(&fixture->unseen);
    buffer_free(&fixture->out.lines);
    for (size_t i = 0; i < COUNT_OF(fixture->names); i++) {
        CHECK_INT(fixture->names[i]->refs, 0);
        free(fixture->names[i]);
    }
}

static void change(struct fixture *fixture, size_t name, uint32_t xid, uint64_t lsn, int64_t now_us)
{
    window_begin(&fixture->window, xid);
    CHECK(window_change(&fixture->window, fixture->names[name], INSERT_AT(now_us, now_us)));
    CHECK(window_commit(&fixture->window, lsn));
}

static enum out_event turn(struct fixture *fixture, int64_t now_us)
{
    struct error error;

    return delivery_step(&fixture->delivery, 0, true, now_us, &error);
}

static void in_one_turn(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture));
    change(&fixture, 0, 100, 1, 0);
    fixture.out.next = OUT_DONE;
    CHECK_INT(turn(&fixture, 40), OUT_NOTHING); /* it is not due yet */
    CHECK_INT(turn(&fixture, 50), OUT_DONE);
    CHECK(!fixture.delivery.has_closed);
    CHECK_INT(fixture.delivery.items, 1);
    CHECK_BUFFER(fixture.out.lines,
                 "{\"type\":\"batch\",\"lsn\":\"0/1\",\"events\":[{\"payload\":\"s.a\","
                 "\"first_seen\":0.000000,\"count\":1}]}\n");
    tear_down(&fixture);
}

/* While the out has the item, what comes merges in the window. */
static void one_at_a_time(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture));
    change(&fixture, 0, 100, 1, 0);
    CHECK_INT(turn(&fixture, 50), OUT_NOTHING);
    CHECK(fixture.delivery.is_with_out);
    change(&fixture, 1, 101, 2, 60);
    CHECK(!delivery_due(&fixture.delivery, true, 200));
    CHECK_INT(turn(&fixture, 200), OUT_NOTHING);
    delivery_drop(&fixture.delivery); /* the out's item is not to be dropped */
    CHECK(fixture.delivery.has_closed);
    fixture.out.next = OUT_DONE;
    CHECK_INT(turn(&fixture, 210), OUT_DONE);
    CHECK_INT(turn(&fixture, 220), OUT_DONE);
    CHECK_INT(fixture.delivery.items, 2);
    tear_down(&fixture);
}

/* An item that failed is due again, with what has come since. */
static void failed_and_merged(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture));
    change(&fixture, 0, 100, 1, 0);
    CHECK_INT(turn(&fixture, 50), OUT_NOTHING);
    change(&fixture, 1, 101, 2, 60);
    change(&fixture, 0, 102, 3, 70);
    fixture.out.next = OUT_FAILED;
    CHECK_INT(turn(&fixture, 80), OUT_FAILED);
    CHECK_INT(fixture.delivery.items, 0);
    buffer_clear(&fixture.out.lines);
    fixture.out.next = OUT_DONE;
    CHECK_INT(turn(&fixture, 80), OUT_DONE);
    CHECK_BUFFER(fixture.out.lines,
                 "{\"type\":\"batch\",\"lsn\":\"0/3\",\"events\":[{\"payload\":\"s.a\","
                 "\"first_seen\":0.000000,\"count\":2},{\"payload\":\"s.b\","
                 "\"first_seen\":0.000060,\"count\":1}]}\n");
    CHECK_INT(fixture.delivery.items, 1);
    tear_down(&fixture);
}

/* So is a resync, with its own reason. */
static void failed_resync(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture));
    window_resync(&fixture.window, RESYNC_REQUESTED, 0);
    CHECK_INT(turn(&fixture, 0), OUT_NOTHING);
    change(&fixture, 1, 101, 2, 60);
    fixture.out.next = OUT_FAILED;
    CHECK_INT(turn(&fixture, 80), OUT_FAILED);
    buffer_clear(&fixture.out.lines);
    fixture.out.next = OUT_DONE;
    CHECK_INT(turn(&fixture, 80), OUT_DONE);
    CHECK_BUFFER(fixture.out.lines,
                 "{\"type\":\"resync\",\"reason\":\"requested\",\"lsn\":\"0/2\"}\n");
    tear_down(&fixture);
}

static const struct check_test tests[] = {
    {"an item that is due goes out in one turn", in_one_turn},
    {"one at a time", one_at_a_time},
    {"one that failed is due again, merged", failed_and_merged},
    {"so is a resync", failed_resync},
};

CHECK_MAIN(tests)
