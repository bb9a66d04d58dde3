/* The keys of events: distinct, in order, bounded; and what is said where they are lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrive.h"
#include "base/clock.h"
#include "batch/definition.h"
#include "batch/keyset.h"
#include "batch/name.h"
#include "check.h"
#include "out/environment.h"

static struct name *new_name(const char *payload)
{
    struct name *name = calloc(1, sizeof(*name) + 2 * strlen(payload) + 20);

    if (name != NULL) {
        name->json_len = (size_t)sprintf(name->json, "\"payload\":\"%s\"", payload);
        name->text_len = strlen(payload);
        memcpy(name->json + name->json_len, payload, name->text_len);
    }
    return name;
}

static struct definition *new_definition(uint32_t oid, const char *json)
{
    struct definition *definition = definition_new(oid, oid, BYTES("s"), BYTES("t"));

    if (definition != NULL) {
        definition->state = DEFINITION_USABLE;
        definition->json = json;
    }
    return definition;
}

static struct row_keys one_key(const char *text)
{
    return (struct row_keys){1, {{text, strlen(text) + 1}}};
}

static void distinct(void)
{
    struct keyset_pool pool = {.bytes = 0};
    struct keyset *keys = keyset_new(&pool);
    struct slice key;
    char text[20];
    size_t at = 0, seen = 0;

    REQUIRE(keys != NULL);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            int len = sprintf(text, "%d", i * 7);

            CHECK_INT(keyset_add(keys, (struct slice){text, (size_t)len + 1}, 1000), KEYSET_TAKEN);
        }
    }
    CHECK_INT(keyset_add(keys, BYTES("one more\0"), 1000), KEYSET_FULL);
    CHECK_INT(keys->len, 1000);
    while (keyset_next(keys, &at, &key)) {
        sprintf(text, "%zu", seen++ * 7);
        CHECK_SLICE(key, ((struct slice){text, strlen(text) + 1}));
    }
    CHECK_INT(seen, 1000);
    CHECK_INT(pool.bytes, keyset_bytes(keys));
    keyset_free(keys);
    CHECK_INT(pool.bytes, 0);
}

struct fixture {
    struct unseen unseen;
    struct window window;
    struct item closed;
    struct name *names[3];
    struct definition *definition;
    struct definition *other; /* with another column */
};

static bool set_up(struct fixture *fixture, size_t max_keys)
{
    struct window_limits limits = {
        .debounce_us = 50, .max_wait_us = 1000, .max_pending = 100, .max_keys = max_keys};

    *fixture = (struct fixture){.definition = new_definition(1, "[\"id\"]"),
                                .other = new_definition(2, "[\"x\"]"),
                                .names = {new_name("s.a"), new_name("s.b"), new_name("s.c")}};
    unseen_init(&fixture->unseen, 4096);
    window_init(&fixture->window, &limits, &fixture->unseen);
    window_begin(&fixture->window, 7);
    return fixture->definition != NULL && fixture->other != NULL && fixture->names[0] != NULL &&
           fixture->names[1] != NULL && fixture->names[2] != NULL;
}

static void tear_down(struct fixture *fixture)
{
    item_free(&fixture->closed);
    window_clear(&fixture->window);
    CHECK_INT(fixture->window.keys.bytes, 0);
    window_free(&fixture->window);
    unseen_free(&fixture->unseen);
    CHECK_INT(fixture->definition->refs, 1);
    CHECK_INT(fixture->other->refs, 1);
    definition_release(fixture->definition);
    definition_release(fixture->other);
    for (size_t i = 0; i < COUNT_OF(fixture->names); i++) {
        CHECK_INT(fixture->names[i]->refs, 0);
        free(fixture->names[i]);
    }
}

static bool change(struct fixture *fixture, size_t name, bool keyed)
{
    struct arriving arriving = {.operation = OPERATION_INSERT, .count = 1, .keyed = keyed};

    return window_change(&fixture->window, fixture->names[name], &arriving);
}

static void keyed(struct fixture *fixture, size_t name, const char *key)
{
    struct row_keys keys = one_key(key);

    CHECK(change(fixture, name, true));
    window_keys(&fixture->window, fixture->names[name], fixture->definition, &keys);
}

/* The keys of all events, as JSON: [["1"],["2"]] | whole */
static void check_keys(const struct item *item, const char *expected)
{
    struct item_style style = {.format = ITEM_JSON};
    struct buffer out = {0};

    for (size_t i = 0; i < item->len; i++) {
        struct item one = {.events = &item->events[i], .len = 1};
        struct buffer line = {0};
        const char *at;

        item_write(&line, &one, &style);
        buffer_byte(&line, '\0');
        at = strstr(line.data, "\"keys\":");
        buffer_text(&out, i > 0 ? " | " : "");
        if (at != NULL) {
            buffer_append(&out, at + 7, strcspn(at + 7, "}"));
        } else {
            buffer_text(&out, "whole");
        }
        buffer_free(&line);
    }
    CHECK_BUFFER(out, expected);
    buffer_free(&out);
}

static void events(void)
{
    struct fixture fixture;
    struct row_keys two = {2, {LITERAL("1\0"), LITERAL("2\0")}}, none = {.len = 0};

    REQUIRE(set_up(&fixture, 3));
    CHECK(!window_wants_keys(&fixture.window, fixture.names[0]));
    CHECK(change(&fixture, 0, true));
    CHECK(window_wants_keys(&fixture.window, fixture.names[0]));
    window_keys(&fixture.window, fixture.names[0], fixture.definition, &two);
    check_keys(&fixture.window.item, "[[\"1\"],[\"2\"]]");
    keyed(&fixture, 0, "2");
    keyed(&fixture, 0, "3");
    check_keys(&fixture.window.item, "[[\"1\"],[\"2\"],[\"3\"]]");
    CHECK_INT(fixture.window.item.definition_len, 1);
    keyed(&fixture, 0, "4"); /* one too many */
    check_keys(&fixture.window.item, "whole");
    CHECK(!window_wants_keys(&fixture.window, fixture.names[0]));
    keyed(&fixture, 0, "1"); /* and so it stays */
    check_keys(&fixture.window.item, "whole");

    keyed(&fixture, 1, "1"); /* a change without */
    CHECK(change(&fixture, 1, false));
    check_keys(&fixture.window.item, "whole | whole");
    keyed(&fixture, 2, "1"); /* one whose key isn't known */
    CHECK(change(&fixture, 2, true));
    window_keys(&fixture.window, fixture.names[2], fixture.definition, &none);
    check_keys(&fixture.window.item, "whole | whole | whole");
    tear_down(&fixture);
}

static void other_columns(void)
{
    struct fixture fixture;
    struct row_keys key = one_key("1");

    REQUIRE(set_up(&fixture, 3));
    keyed(&fixture, 0, "1");
    CHECK(change(&fixture, 0, true));
    window_keys(&fixture.window, fixture.names[0], fixture.other, &key);
    check_keys(&fixture.window.item, "whole");
    tear_down(&fixture);
}

/* What goes back to the window brings its keys, and what they rest on. */
static void put_back(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, 10));
    keyed(&fixture, 0, "1");
    keyed(&fixture, 1, "1");
    keyed(&fixture, 2, "1");
    CHECK(window_commit(&fixture.window, 100));
    window_close(&fixture.window, &fixture.closed);
    CHECK_INT(fixture.closed.definition_len, 3);
    window_begin(&fixture.window, 8);
    keyed(&fixture, 0, "2");
    keyed(&fixture, 0, "1");
    CHECK(change(&fixture, 1, false));
    CHECK(window_commit(&fixture.window, 200));
    CHECK(window_put_back(&fixture.window, &fixture.closed, 1));
    check_keys(&fixture.window.item, "[[\"2\"],[\"1\"]] | whole | [[\"1\"]]");
    item_drop_keys_of(&fixture.window.item, fixture.names[0]);
    check_keys(&fixture.window.item, "whole | whole | [[\"1\"]]");
    item_drop_keys(&fixture.window.item);
    CHECK_INT(fixture.window.item.definition_len, 0);
    tear_down(&fixture);
}

/* Beyond the bound the largest lose theirs, and the others keep them. */
static void bytes(void)
{
    struct fixture fixture;
    char text[KEY_TEXT_MAX];
    size_t i;

    REQUIRE(set_up(&fixture, SIZE_MAX));
    keyed(&fixture, 1, "small");
    memset(text, 'k', sizeof(text));
    for (i = 0; i < 3 * KEYS_BYTES_MAX / sizeof(text); i++) {
        sprintf(text, "%08zu", i);
        text[8] = 'k';
        text[sizeof(text) - 1] = '\0';
        keyed(&fixture, 0, text);
        CHECK(fixture.window.keys.bytes <= KEYS_BYTES_MAX);
    }
    CHECK(fixture.window.item.events[0].keys != NULL);
    CHECK(fixture.window.item.events[1].keys == NULL);
    tear_down(&fixture);
}

static void resyncs(void)
{
    struct fixture fixture;

    REQUIRE(set_up(&fixture, 3));
    keyed(&fixture, 0, "1");
    window_resync(&fixture.window, RESYNC_REQUESTED, 1);
    CHECK_INT(fixture.window.keys.bytes, 0);
    CHECK_INT(fixture.window.item.definition_len, 0);
    keyed(&fixture, 0, "1"); /* which the resync stands for */
    CHECK_INT(fixture.window.item.len, 0);
    tear_down(&fixture);
}

/* Definitions beyond the bound cost an event its keys. */
static void many_definitions(void)
{
    static struct definition *many[CHECKED_MAX + 1];
    struct fixture fixture;
    struct row_keys key = one_key("1");

    REQUIRE(set_up(&fixture, 3));
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        many[i] = new_definition((uint32_t)i + 10, "[\"id\"]");
        REQUIRE(many[i] != NULL);
        CHECK(change(&fixture, 0, true));
        window_keys(&fixture.window, fixture.names[0], many[i], &key);
        CHECK_INT(fixture.window.item.events[0].keys != NULL, i < CHECKED_MAX);
    }
    window_clear(&fixture.window);
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        CHECK_INT(many[i]->refs, 1);
        definition_release(many[i]);
    }
    tear_down(&fixture);
}

/* A command's list loses its keys above the bound, and then is a star. */
static void environments(void)
{
    static const struct {
        size_t name_len;
        size_t keys;
        const char *begins;
        size_t len;
    } cases[] = {
        {10, 2, "nnnnnnnnnn:0\nnnnnnnnnnn:1", 25},
        {10, 10000, "nnnnnnnnnn", 10},
        {ENVIRONMENT_TABLES_MAX, 1, "*", 1},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *payload = calloc(1, cases[i].name_len + 1);
        struct environment environment;
        struct fixture fixture;
        const char *value = NULL;
        char text[32];

        CASE("%zu keys of a name of %zu bytes", cases[i].keys, cases[i].name_len);
        REQUIRE(payload != NULL && set_up(&fixture, SIZE_MAX));
        memset(payload, 'n', cases[i].name_len);
        free(fixture.names[0]);
        fixture.names[0] = new_name(payload);
        REQUIRE(fixture.names[0] != NULL);
        for (size_t n = 0; n < cases[i].keys; n++) {
            sprintf(text, "%zu", n);
            keyed(&fixture, 0, text);
        }
        REQUIRE(environment_make(&environment, &fixture.window.item, ITEM_KEYS_ON));
        for (size_t n = 0; environment.variables[n] != NULL; n++) {
            if (strncmp(environment.variables[n], "PGNUDGE_TABLES=", 15) == 0) {
                value = environment.variables[n] + 15;
            }
        }
        REQUIRE(value != NULL);
        CHECK(strncmp(value, cases[i].begins, strlen(cases[i].begins)) == 0);
        CHECK_INT(strlen(value), cases[i].len);
        environment_free(&environment);
        tear_down(&fixture);
        free(payload);
    }
}

static const struct check_test tests[] = {
    {"distinct keys in their order", distinct},
    {"keys of events", events},
    {"keys of other columns", other_columns},
    {"an item that is put back", put_back},
    {"too many bytes", bytes},
    {"resyncs", resyncs},
    {"too many definitions", many_definitions},
    {"a command's environment", environments},
};

CHECK_MAIN(tests)
