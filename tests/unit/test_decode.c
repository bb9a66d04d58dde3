/* Both decoders: what comes out of every message, whole, cut, quoted or broken. */
#include "decode/decoder.h"

#include <stdlib.h>

#include "check.h"
#include "decode/plugins.h"

/*
 * Names that a decoder could stumble over; any of them is a legal identifier
 * (the one that isn't UTF-8 in a SQL_ASCII database).
 */
static const char *const awkward[] = {
    "orders",
    "Orders",
    "a b",
    " ",
    ".",
    "a.b",
    ",",
    ", ",
    ":",
    ": INSERT: ",
    "\"",
    "\"\"",
    "\", \"",
    "\".\"",
    "\":",
    "a\"b",
    "\"quoted\"",
    "'",
    "\\",
    "\\\"",
    "\\n",
    "\\u0041",
    "\n",
    "a\nb\tc\rd",
    "\001\037\177",
    "table",
    "TRUNCATE",
    "BEGIN 1",
    "{\"action\":\"C\"}",
    "\",\"table\":\"",
    "\\\",\\\"table\\\":\\\"",
    "}",
    "Tr\xc3\xa4nen",
    "\xe6\x97\xa5\xe6\x9c\xac",
    "\xf0\x9f\x90\x98",
    "\xff\xfe",
    "0",
    "1e5",
    "*",
    "$",
    "/",
    "sixty-three bytes are the most that a server's own build allows"};

/* As quote_identifier does it, but always with quotes; a name that needs none may come without. */
static void put_quoted(struct buffer *out, const char *name)
{
    buffer_byte(out, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"') {
            buffer_byte(out, '"');
        }
        buffer_byte(out, *name);
    }
    buffer_byte(out, '"');
}

/* As PostgreSQL's escape_json does it. */
static void put_json(struct buffer *out, const char *name)
{
    static const char from[] = "\b\f\n\r\t\"\\";
    static const char to[] = "bfnrt\"\\";

    buffer_byte(out, '"');
    for (; *name != '\0'; name++) {
        const char *special = strchr(from, *name);

        if (special != NULL) {
            buffer_byte(out, '\\');
            buffer_byte(out, to[special - from]);
        } else if ((unsigned char)*name < ' ') {
            buffer_format(out, "\\u%04x", (unsigned)*name);
        } else {
            buffer_byte(out, *name);
        }
    }
    buffer_byte(out, '"');
}

/* Appends what a change says in one line: "BEGIN 7", "[schema][table]", "ignored", … */
static void note(struct buffer *log, enum plugin plugin, const struct change *change)
{
    struct buffer schema = {0}, table = {0};

    switch (change->kind) {
    case CHANGE_BEGIN:
        buffer_format(log, "BEGIN %u\n", change->xid);
        break;
    case CHANGE_COMMIT:
        buffer_format(log, "COMMIT %u\n", change->xid);
        break;
    case CHANGE_TABLE:
        if (decoder_name(plugin, change->name, &schema, &table)) {
            buffer_byte(log, '[');
            buffer_append(log, schema.data, schema.len);
            buffer_text(log, "][");
            buffer_append(log, table.data, table.len);
            buffer_text(log, "]\n");
        } else {
            buffer_text(log, "malformed name\n");
        }
        break;
    case CHANGE_KEYS:
        buffer_text(log, "keys\n"); /* nobody asks for them here: see test_rows.c */
        break;
    case CHANGE_MESSAGE:
        if (change->truncated) {
            buffer_text(log, "message, cut\n");
        } else if (decoder_content(plugin, change->content, &schema)) {
            buffer_text(log, "message [");
            buffer_append(log, schema.data, schema.len);
            buffer_text(log, "]\n");
        } else {
            buffer_text(log, "malformed message\n");
        }
        break;
    case CHANGE_IGNORED:
        buffer_text(log, "ignored\n");
        break;
    case CHANGE_UNREADABLE:
        buffer_text(log, "unreadable\n");
        break;
    }
    buffer_free(&schema);
    buffer_free(&table);
}

static void drain(struct decoder *decoder, struct buffer *log)
{
    struct change change;

    while (decoder_next(decoder, &change)) {
        note(log, decoder->plugin, &change);
    }
}

/*
 * Decodes `text` in pieces that end at each of `cuts`. Every piece is a copy of its exact size that
 * is gone before the next one, so that the sanitizer sees whoever reads beyond it or keeps it.
 */
static void decode_cut(enum plugin plugin, struct slice text, const size_t *cuts, size_t cut_count,
                       struct buffer *log)
{
    struct decoder decoder;
    size_t start = 0;

    decoder_init(&decoder, plugin);
    for (size_t i = 0; i <= cut_count; i++) {
        size_t end = i < cut_count ? cuts[i] : text.len;
        char *piece = malloc(end > start ? end - start : 1);

        REQUIRE(piece != NULL);
        memcpy(piece, text.data + start, end - start);
        if (i == 0) {
            decoder_begin(&decoder, (struct slice){piece, end - start}, i < cut_count);
        } else {
            decoder_more(&decoder, (struct slice){piece, end - start}, i < cut_count);
        }
        drain(&decoder, log);
        free(piece);
        start = end;
    }
    decoder_free(&decoder);
}

static void decode(enum plugin plugin, struct slice text, struct buffer *log)
{
    decode_cut(plugin, text, NULL, 0, log);
}

struct decode_case {
    const char *text;
    const char *changes;
};

static void run_cases(enum plugin plugin, const struct decode_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buffer log = {0};

        CASE("%.150s", cases[i].text);
        decode(plugin, slice_of(cases[i].text), &log);
        CHECK_BUFFER(log, cases[i].changes);
        buffer_free(&log);
    }
}

/* --- test_decoding --- */

static void test_decoding_messages(void)
{
    static const struct decode_case cases[] = {
        {"BEGIN 734", "BEGIN 734\n"},
        {"COMMIT 734", "COMMIT 734\n"},
        {"COMMIT 4294967295", "COMMIT 4294967295\n"},
        {"COMMIT 734 (at 2026-11-20 10:00:00.123456+00)", "COMMIT 734\n"},
        {"BEGIN", "BEGIN 0\n"},
        {"COMMIT", "COMMIT 0\n"},
        {"table public.orders: INSERT: id[integer]:1 n[integer]:2", "[public][orders]\n"},
        {"table public.orders: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2",
         "[public][orders]\n"},
        {"table public.orders: DELETE: (no-tuple-data)", "[public][orders]\n"},
        {"table public.orders: TRUNCATE: (no-flags)", "[public][orders]\n"},
        {"table public.a, public.b, x.c: TRUNCATE: restart_seqs cascade",
         "[public][a]\n[public][b]\n[x][c]\n"},
        {"table public.a: INSERT: t[text]:'table x.y: INSERT: , z.w: '", "[public][a]\n"},
        {"table public.\"a, b: c\", \"d.e\".f: TRUNCATE: (no-flags)",
         "[public][a, b: c]\n[d.e][f]\n"},
        {"message: transactional: 1 prefix: p, sz: 3 content:abc", "ignored\n"},
        {"message: transactional: 0 prefix: table a.b: INSERT, sz: 0 content:", "ignored\n"},
        {"message: transactional: 1 prefix: pgnudge, sz: 0 content:", "message []\n"},
        {"message: transactional: 0 prefix: pgnudge, sz: 3 content:abc", "message [abc]\n"},
        {"message: transactional: 1 prefix: pgnudge, sz: 23 content:a, sz: 3 content:\"x\": \\",
         "message [a, sz: 3 content:\"x\": \\]\n"},
        {"message: transactional: 1 prefix: pgnudge2, sz: 0 content:", "ignored\n"},
        {"message: transactional: 1 prefix: pgnudg, sz: 0 content:", "ignored\n"},
        {"message: transactional: 1 prefix: PGNUDGE, sz: 0 content:", "ignored\n"},
        {"message: transactional: 1 prefix: , sz: 0 content:", "ignored\n"},
        {"message: transactional: 0 prefix: x prefix: pgnudge, sz: 0 content:", "ignored\n"},
    };

    run_cases(PLUGIN_TEST_DECODING, cases, COUNT_OF(cases));
}

static void test_decoding_unreadable(void)
{
    static const struct decode_case cases[] = {
        {"", "unreadable\n"},
        {"nonsense", "unreadable\n"},
        {"begin 7", "unreadable\n"},
        {"table", "unreadable\n"},
        {"tables public.a: INSERT:", "unreadable\n"},
        {"table ", "unreadable\n"},
        {"table public.a", "unreadable\n"},
        {"table public.\"a: INSERT: id[integer]:1", "unreadable\n"},
        {"table public.a, public.b", "[public][a]\nunreadable\n"},
        {"table : INSERT:", "malformed name\n"},
        {"table public: INSERT:", "malformed name\n"},
        {"table public.: INSERT:", "malformed name\n"},
        {"table .a: INSERT:", "malformed name\n"},
        {"table a.b.c: INSERT:", "malformed name\n"},
        {"table \"\".a: INSERT:", "malformed name\n"},
        {"table a.\"\": INSERT:", "malformed name\n"},
        {"table \"a\"b.c: INSERT:", "malformed name\n"},
        {"{\"action\":\"B\"}", "unreadable\n"}, /* the other plugin's */
        {"PREPARE TRANSACTION 'x', txid 5", "unreadable\n"},
    };

    run_cases(PLUGIN_TEST_DECODING, cases, COUNT_OF(cases));
}

/* A message with every awkward name as schema and as table, in a list and alone. */
static void test_decoding_names(void)
{
    struct buffer list = {0}, one = {0}, log = {0}, expected = {0};

    buffer_text(&list, "table ");
    for (size_t i = 0; i < COUNT_OF(awkward); i++) {
        const char *other = awkward[COUNT_OF(awkward) - 1 - i];

        buffer_clear(&one);
        buffer_clear(&log);
        buffer_clear(&expected);
        put_quoted(&one, awkward[i]);
        buffer_byte(&one, '.');
        put_quoted(&one, other);
        if (i > 0) {
            buffer_text(&list, ", ");
        }
        buffer_append(&list, one.data, one.len);
        buffer_format(&expected, "[%s][%s]\n", awkward[i], other);
        CASE("%s", awkward[i]);
        {
            struct buffer message = {0};

            buffer_text(&message, "table ");
            buffer_append(&message, one.data, one.len);
            buffer_text(&message, ": INSERT: t[text]:'\", a.b: '");
            decode(PLUGIN_TEST_DECODING, check_content(&message), &log);
            buffer_free(&message);
        }
        CHECK_SLICE(check_content(&log), check_content(&expected));
    }
    buffer_clear(&log);
    buffer_clear(&expected);
    buffer_text(&list, ": TRUNCATE: (no-flags)");
    decode(PLUGIN_TEST_DECODING, check_content(&list), &log);
    for (size_t i = 0; i < COUNT_OF(awkward); i++) {
        buffer_format(&expected, "[%s][%s]\n", awkward[i], awkward[COUNT_OF(awkward) - 1 - i]);
    }
    CASE("the list");
    CHECK_SLICE(check_content(&log), check_content(&expected));

    /* The first piece is never as short as "table ", so cuts begin behind that. */
    for (size_t cut = 6; cut <= list.len; cut++) {
        CASE("cut at %zu", cut);
        buffer_clear(&log);
        decode_cut(PLUGIN_TEST_DECODING, check_content(&list), &cut, 1, &log);
        CHECK_SLICE(check_content(&log), check_content(&expected));
    }
    for (size_t step = 1; step <= 40; step++) {
        size_t *cuts = malloc((list.len / step + 1) * sizeof(*cuts));
        size_t count = 0;

        REQUIRE(cuts != NULL);
        for (size_t at = 6; at < list.len; at += step) {
            cuts[count++] = at;
        }
        CASE("pieces of %zu", step);
        buffer_clear(&log);
        decode_cut(PLUGIN_TEST_DECODING, check_content(&list), cuts, count, &log);
        CHECK_SLICE(check_content(&log), check_content(&expected));
        free(cuts);
    }
    buffer_free(&list);
    buffer_free(&one);
    buffer_free(&log);
    buffer_free(&expected);
}

/* A piece that is cut off for good must not pass for the end of the list. */
static void test_decoding_list_without_end(void)
{
    struct slice text = slice_of("table public.a, public.b, public.c");
    struct buffer log = {0};
    size_t cut = 20;

    decode_cut(PLUGIN_TEST_DECODING, text, &cut, 1, &log);
    CHECK_BUFFER(log, "[public][a]\n[public][b]\nunreadable\n");
    buffer_free(&log);
}

static void test_decoding_thousands(void)
{
    enum { TABLES = 5000 };
    struct buffer list = {0}, log = {0}, expected = {0};
    size_t cuts[100];
    size_t count = 0;

    buffer_text(&list, "table ");
    for (int i = 0; i < TABLES; i++) {
        buffer_format(&list, "%spublic.\"table, no. %d\"", i > 0 ? ", " : "", i);
        buffer_format(&expected, "[public][table, no. %d]\n", i);
    }
    buffer_text(&list, ": TRUNCATE: (no-flags)");
    for (size_t at = 16 * 1024 - 25; at < list.len; at += 4093) { /* as frames would come */
        cuts[count++] = at;
    }
    CHECK(count > 20 && count < COUNT_OF(cuts));
    decode_cut(PLUGIN_TEST_DECODING, check_content(&list), cuts, count, &log);
    CHECK_SLICE(check_content(&log), check_content(&expected));
    buffer_free(&list);
    buffer_free(&log);
    buffer_free(&expected);
}

/* A name longer than any server's: what is cut and carried must not outgrow its place. */
static void test_decoding_name_without_end(void)
{
    struct buffer text = {0}, log = {0};
    size_t cuts[3] = {RAW_NAME_MAX / 2, RAW_NAME_MAX, RAW_NAME_MAX + 500};

    buffer_text(&text, "table public.");
    while (text.len < (size_t)4 * RAW_NAME_MAX) {
        buffer_byte(&text, 'x');
    }
    buffer_text(&text, ": INSERT:");
    decode_cut(PLUGIN_TEST_DECODING, check_content(&text), cuts, COUNT_OF(cuts), &log);
    CHECK_BUFFER(log, "unreadable\n");
    buffer_free(&text);
    buffer_free(&log);
}

/* --- wal2json --- */

static void wal2json_messages(void)
{
    static const struct decode_case cases[] = {
        {"{\"action\":\"B\",\"xid\":734}", "BEGIN 734\n"},
        {"{\"action\":\"C\",\"xid\":4294967295}", "COMMIT 4294967295\n"},
        {"{\"action\":\"B\"}", "BEGIN 0\n"},
        {"{\"action\":\"I\",\"xid\":734,\"schema\":\"public\",\"table\":\"orders\",\"columns\":["
         "{\"name\":\"schema\",\"value\":1}]}",
         "[public][orders]\n"},
        {"{\"action\":\"U\",\"schema\":\"public\",\"table\":\"orders\",\"columns\":[],"
         "\"identity\":[]}",
         "[public][orders]\n"},
        {"{\"action\":\"D\",\"xid\":1,\"schema\":\"public\",\"table\":\"orders\",\"identity\":[]}",
         "[public][orders]\n"},
        {"{\"action\":\"T\",\"xid\":1,\"schema\":\"public\",\"table\":\"orders\"}",
         "[public][orders]\n"},
        {"{\"action\":\"M\",\"xid\":1,\"transactional\":true,\"prefix\":\"p\",\"content\":\"c\"}",
         "ignored\n"},
        {"{\"action\":\"M\",\"xid\":null,\"transactional\":false,\"prefix\":\"p\","
         "\"content\":\"\"}",
         "ignored\n"},
        {"{\"action\":\"M\",\"xid\":1,\"transactional\":true,\"prefix\":\"pgnudge\","
         "\"content\":\"\"}",
         "message []\n"},
        {"{\"action\":\"M\",\"xid\":null,\"transactional\":false,\"prefix\":\"pgnudge\","
         "\"content\":\"public.\\\"a\\\\b\\n\\\"\"}",
         "message [public.\"a\\b\n\"]\n"},
        {"{\"action\":\"M\",\"transactional\":true,\"prefix\":\"pgnudge\",\"content\":\"a.b\"}",
         "message [a.b]\n"},
        {"{\"action\":\"M\",\"xid\":1,\"transactional\":true,\"prefix\":\"pgnudge\","
         "\"content\":\"\\u00e4\"}",
         "message [\xc3\xa4]\n"},
        {"{\"action\":\"M\",\"prefix\":\"pgnudge\",\"content\":\"\\x\"}", "malformed message\n"},
        {"{\"action\":\"M\",\"prefix\":\"pgnudge2\",\"content\":\"\"}", "ignored\n"},
        {"{\"action\":\"M\",\"prefix\":\"\",\"content\":\"pgnudge\"}", "ignored\n"},
        {"{\"action\":\"M\",\"prefix\":\"a\\\"pgnudge\",\"content\":\"\"}", "ignored\n"},
        /* members that options put in front of the names */
        {"{\"action\":\"B\",\"xid\":5,\"timestamp\":\"2026-11-20 10:00:00+00\","
         "\"origin\":0,\"lsn\":\"0/16B3748\",\"nextlsn\":\"0/16B3790\"}",
         "BEGIN 5\n"},
        {"{\"action\":\"I\",\"xid\":5,\"timestamp\":\"2026-11-20 10:00:00+00\",\"origin\":3,"
         "\"lsn\":\"0/16B3748\",\"schema\":\"s\",\"table\":\"t\"}",
         "[s][t]\n"},
        {"{\"action\":\"I\",\"new\":\"\\\"schema\\\":\\\"x\\\"\",\"schema\":\"s\",\"table\":\"t\"}",
         "[s][t]\n"},
        {"{\"action\":\"I\",\"new\":-1.5e3,\"other\":null,\"schema\":\"s\",\"table\":\"t\"}",
         "[s][t]\n"},
        /* escapes in names */
        {"{\"action\":\"I\",\"schema\":\"a\\\"b\",\"table\":\"c\\\\d\\ne\\u0001f\"}",
         "[a\"b][c\\d\ne\001f]\n"},
        {"{\"action\":\"I\",\"schema\":\"\\u00e4\",\"table\":\"\\ud83d\\udc18\"}",
         "[\xc3\xa4][\xf0\x9f\x90\x98]\n"},
    };

    run_cases(PLUGIN_WAL2JSON, cases, COUNT_OF(cases));
}

static void wal2json_unreadable(void)
{
    static const struct decode_case cases[] = {
        {"", "unreadable\n"},
        {"{", "unreadable\n"},
        {"{}", "unreadable\n"},
        {"[]", "unreadable\n"},
        {"null", "unreadable\n"},
        {"{\"change\":[]}", "unreadable\n"}, /* format-version 1 */
        {"{\"action\":\"X\"}", "unreadable\n"},
        {"{\"action\":\"\"}", "unreadable\n"},
        {"{\"action\":\"II\",\"schema\":\"s\",\"table\":\"t\"}", "unreadable\n"},
        {"{\"action\":\"I\"}", "unreadable\n"},
        {"{\"action\":\"I\",\"table\":\"t\"}", "unreadable\n"},
        {"{\"action\":\"I\",\"schema\":\"s\"}", "unreadable\n"},
        {"{\"action\":\"M\"}", "unreadable\n"},
        {"{\"action\":\"M\",\"prefix\":\"pgnudge\"}", "unreadable\n"},
        {"{\"action\":\"M\",\"prefix\":\"pgnudge\",\"content\":\"a", "unreadable\n"},
        {"{\"action\":\"I\",\"table\":\"t\",\"schema\":\"s\"}", "unreadable\n"},
        {"{\"action\":\"I\",\"schema\":\"s\",\"x\":1,\"table\":\"t\"}", "unreadable\n"},
        {"{\"action\":\"I\",\"schema\":\"s\",\"table\":5}", "unreadable\n"},
        {"{\"action\":\"I\",\"schema\":\"s\",\"table\":null}", "unreadable\n"},
        {"{\"action\":\"I\",\"columns\":[],\"schema\":\"s\",\"table\":\"t\"}", "unreadable\n"},
        {"{\"action\":\"I\",\"schema\":5,\"table\":\"t\"}", "malformed name\n"},
        {"{\"action\":\"I\",\"schema\":\"\",\"table\":\"t\"}", "malformed name\n"},
        {"{\"action\":\"I\",\"schema\":\"s\",\"table\":\"\"}", "malformed name\n"},
        {"{\"action\":\"I\",\"schema\":\"s\",\"table\":\"\\x\"}", "malformed name\n"},
        {"{\"action\":\"I\",\"schema\":\"\\ud800\",\"table\":\"t\"}", "malformed name\n"},
        {"BEGIN 7", "unreadable\n"}, /* the other plugin's */
    };

    run_cases(PLUGIN_WAL2JSON, cases, COUNT_OF(cases));
}

static void wal2json_names(void)
{
    for (size_t i = 0; i < COUNT_OF(awkward); i++) {
        const char *other = awkward[COUNT_OF(awkward) - 1 - i];
        struct buffer text = {0}, log = {0}, expected = {0};

        CASE("%s", awkward[i]);
        buffer_text(&text, "{\"action\":\"I\",\"xid\":7,\"schema\":");
        put_json(&text, awkward[i]);
        buffer_text(&text, ",\"table\":");
        put_json(&text, other);
        buffer_text(&text, ",\"columns\":[{\"name\":\"a\",\"value\":\"\\\",\\\"table\\\":\"}]}");
        buffer_format(&expected, "[%s][%s]\n", awkward[i], other);
        decode(PLUGIN_WAL2JSON, check_content(&text), &log);
        CHECK_SLICE(check_content(&log), check_content(&expected));
        buffer_free(&text);
        buffer_free(&log);
        buffer_free(&expected);
    }
}

/* A row is named by its first piece; the rest, however long, says nothing. */
static void wal2json_long_rows(void)
{
    struct slice text = slice_of("{\"action\":\"I\",\"schema\":\"s\",\"table\":\"t\",\"columns\":["
                                 "{\"name\":\"a\",\"value\":\"{\\\"action\\\":\\\"C\\\"}\"}]}");
    struct buffer log = {0};

    for (size_t cut = 41; cut < text.len; cut++) {
        CASE("cut at %zu", cut);
        buffer_clear(&log);
        decode_cut(PLUGIN_WAL2JSON, text, &cut, 1, &log);
        CHECK_BUFFER(log, "[s][t]\n");
    }
    buffer_free(&log);
}

/* Cut off for good, it names the right table or none. */
static void wal2json_truncated(void)
{
    struct slice text = slice_of("{\"action\":\"I\",\"xid\":7,\"schema\":\"s\\\"1\",\"table\":"
                                 "\"t\\\\2\",\"columns\":[]}");
    size_t whole = (size_t)(strstr(text.data, ",\"columns\"") - text.data);

    for (size_t len = 0; len <= text.len; len++) {
        struct buffer log = {0};

        CASE("%zu bytes", len);
        decode(PLUGIN_WAL2JSON, (struct slice){text.data, len}, &log);
        CHECK_BUFFER(log, len < whole ? "unreadable\n" : "[s\"1][t\\2]\n");
        buffer_free(&log);
    }
}

/* --- both --- */

static void names_alone(void)
{
    static const struct {
        enum plugin plugin;
        const char *name;
        const char *schema; /* NULL: malformed */
        const char *table;
    } cases[] = {
        {PLUGIN_TEST_DECODING, "a.b", "a", "b"},
        {PLUGIN_TEST_DECODING, "\"a.b\".\"c\"\"d\"", "a.b", "c\"d"},
        {PLUGIN_TEST_DECODING, "a.\"b\"", "a", "b"},
        {PLUGIN_TEST_DECODING, "\"a\".b", "a", "b"},
        {PLUGIN_TEST_DECODING, "\"\"\"\".\"\"\"\"\"\"", "\"", "\"\""},
        {PLUGIN_TEST_DECODING, "", NULL, NULL},
        {PLUGIN_TEST_DECODING, "a", NULL, NULL},
        {PLUGIN_TEST_DECODING, ".", NULL, NULL},
        {PLUGIN_TEST_DECODING, "a.", NULL, NULL},
        {PLUGIN_TEST_DECODING, ".b", NULL, NULL},
        {PLUGIN_TEST_DECODING, "a.b.c", NULL, NULL},
        {PLUGIN_TEST_DECODING, "\"a.b", NULL, NULL},
        {PLUGIN_TEST_DECODING, "a.\"b", NULL, NULL},
        {PLUGIN_TEST_DECODING, "a.\"b\"c", NULL, NULL},
        {PLUGIN_TEST_DECODING, "a.\"b\"\"", NULL, NULL},
        {PLUGIN_WAL2JSON, "a\",\"table\":\"b", "a", "b"},
        {PLUGIN_WAL2JSON, "a\\\"\",\"table\":\"b\\n", "a\"", "b\n"},
        {PLUGIN_WAL2JSON, "", NULL, NULL},
        {PLUGIN_WAL2JSON, "a", NULL, NULL},
        {PLUGIN_WAL2JSON, "a\"", NULL, NULL},
        {PLUGIN_WAL2JSON, "a\",\"table\":\"", NULL, NULL},
        {PLUGIN_WAL2JSON, "\",\"table\":\"b", NULL, NULL},
        {PLUGIN_WAL2JSON, "a\", \"table\":\"b", NULL, NULL},
        {PLUGIN_WAL2JSON, "a\\", NULL, NULL},
        {PLUGIN_WAL2JSON, "a\",\"table\":\"b\\", NULL, NULL},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer schema = {0}, table = {0};

        CASE("%s: %s", plugins[cases[i].plugin].name, cases[i].name);
        CHECK_INT(decoder_name(cases[i].plugin, slice_of(cases[i].name), &schema, &table),
                  cases[i].schema != NULL);
        if (cases[i].schema != NULL) {
            CHECK_BUFFER(schema, cases[i].schema);
            CHECK_BUFFER(table, cases[i].table);
        }
        buffer_free(&schema);
        buffer_free(&table);
    }
}

static void one_after_the_other(void)
{
    static const char *const messages[] = {"BEGIN 1", "table a.\"b",
                                           "table c.d: INSERT: ", "COMMIT 1"};
    struct decoder decoder;
    struct change change;
    struct buffer log = {0};

    decoder_init(&decoder, PLUGIN_TEST_DECODING);
    CHECK(!decoder_next(&decoder, &change));
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        /* The second is never finished: the third must not suffer from it. */
        decoder_begin(&decoder, slice_of(messages[i]), i == 1);
        drain(&decoder, &log);
        CHECK(!decoder_next(&decoder, &change));
    }
    CHECK_BUFFER(log, "BEGIN 1\n[c][d]\nCOMMIT 1\n");
    buffer_free(&log);
}

static void plugin_texts(void)
{
    CHECK_TEXT(plugins[PLUGIN_TEST_DECODING].name, "test_decoding");
    CHECK_TEXT(plugins[PLUGIN_WAL2JSON].name, "wal2json");
    CHECK(strstr(plugins[PLUGIN_TEST_DECODING].options, "\"include-xids\" 'on'") != NULL);
    /* Messages would lose their xid and their end. */
    CHECK(strstr(plugins[PLUGIN_TEST_DECODING].options, "skip-empty-xacts") == NULL);
    CHECK(strstr(plugins[PLUGIN_WAL2JSON].options, "\"format-version\" '2'") != NULL);
    CHECK(strstr(plugins[PLUGIN_WAL2JSON].options, "\"include-transaction\" 'true'") != NULL);
}

/* Changes a few bytes, or repeats, drops or swaps some. */
static void mutate(struct buffer *text, uint64_t *seed)
{
    static const char likely[] = "\"\\,:.{}[] \n\0\377u0tT";
    uint32_t times = 1 + check_random(seed) % 4;

    while (times-- > 0 && text->len > 0) {
        size_t at = check_random(seed) % text->len;

        switch (check_random(seed) % 4) {
        case 0:
            text->data[at] = (char)check_random(seed);
            break;
        case 1:
            text->data[at] = likely[check_random(seed) % (sizeof(likely) - 1)];
            break;
        case 2:
            text->len = at;
            break;
        default:
            memmove(text->data + at, text->data + at + 1, text->len - at - 1);
            text->len--;
            break;
        }
    }
}

/* A message longer than its first piece: what it says isn't waited for. */
static void long_messages(void)
{
    static const struct {
        enum plugin plugin;
        const char *text;
        const char *changes;
    } cases[] = {
        {PLUGIN_TEST_DECODING,
         "message: transactional: 1 prefix: pgnudge, sz: 9000 content:", "message, cut\n"},
        {PLUGIN_TEST_DECODING,
         "message: transactional: 1 prefix: other, sz: 9000 content:", "ignored\n"},
        {PLUGIN_WAL2JSON, "{\"action\":\"M\",\"xid\":1,\"prefix\":\"pgnudge\",\"content\":\"",
         "message, cut\n"},
        {PLUGIN_WAL2JSON, "{\"action\":\"M\",\"xid\":1,\"prefix\":\"other\",\"content\":\"",
         "ignored\n"},
    };
    static const size_t cuts[] = {8192, 8500, 8501};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer text = {0}, log = {0};

        CASE("%s", cases[i].text);
        buffer_text(&text, cases[i].text);
        for (int j = 0; j < 9000; j++) {
            buffer_byte(&text, j % 100 == 0 ? '\\' : 'x');
        }
        decode_cut(cases[i].plugin, check_content(&text), cuts, COUNT_OF(cuts), &log);
        CHECK_BUFFER(log, cases[i].changes);
        buffer_free(&text);
        buffer_free(&log);
    }
}

/* --- wal2json's warnings --- */

static void warnings(void)
{
    static const struct {
        const char *text;
        enum warning warning;
        const char *schema;
        const char *table;
    } cases[] = {
        {"no tuple identifier for UPDATE in table \"public\".\"orders\"", WARNING_ROW, "public",
         "orders"},
        {"no tuple identifier for DELETE in table \"s\".\"t\"", WARNING_ROW, "s", "t"},
        {"no tuple identifier for UPDATE in table \"a.b\".\"c, d: \"", WARNING_ROW, "a.b",
         "c, d: "},
        {"no tuple data for UPDATE in table \"s\".\"t\"", WARNING_ROW, "s", "t"},
        {"no tuple identifier for UPDATE in table \"\"\".\"\"\"", WARNING_ROW, "\"", "\""},
        {"no tuple identifier for UPDATE in table \"a\"b\".\"c\".d\"", WARNING_ROW, "a\"b",
         "c\".d"},
        {"no tuple identifier for UPDATE in table \"x\".\" in table \"\"", WARNING_ROW, "x",
         " in table \""},
        {"no tuple identifier for UPDATE in table \"tr\xe4nen\".\"\xff\"", WARNING_ROW, "tr\xe4nen",
         "\xff"},
        /* which dot? */
        {"no tuple identifier for UPDATE in table \"a\".\"b\".\"c\"", WARNING_UNREADABLE, "", ""},
        {"no tuple identifier for UPDATE in table \"a\".\".\"c\"", WARNING_UNREADABLE, "", ""},
        {"no tuple identifier for UPDATE in table \"a\".\"\".\"\"", WARNING_UNREADABLE, "", ""},
        /* cut, or in other words */
        {"no tuple identifier for UPDATE in table \"public\".\"ord", WARNING_UNREADABLE, "", ""},
        {"no tuple identifier for UPDATE in table \"public\"", WARNING_UNREADABLE, "", ""},
        {"no tuple identifier for UPDATE in table \"\"", WARNING_UNREADABLE, "", ""},
        {"no tuple identifier for UPDATE in table \"", WARNING_UNREADABLE, "", ""},
        {"no tuple identifier for UPDATE in table ", WARNING_UNREADABLE, "", ""},
        {"no tuple identifier for UPDATE", WARNING_UNREADABLE, "", ""},
        {"no tuple ", WARNING_UNREADABLE, "", ""},
        {"no tuple", WARNING_OTHER, "", ""},
        {"", WARNING_OTHER, "", ""},
        {"\"", WARNING_OTHER, "", ""},
        {"there is no transaction in progress", WARNING_OTHER, "", ""},
        {"table \"public\".\"orders\": no tuple identifier", WARNING_OTHER, "", ""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t len = strlen(cases[i].text);
        char *exact = malloc(len + 1); /* for the sanitizer: no byte more, but for "" */
        struct slice schema = {"", 0}, table = {"", 0};
        enum operation operation;
        enum warning warning;

        CASE("%s", cases[i].text);
        REQUIRE(exact != NULL);
        memcpy(exact + 1, cases[i].text, len);
        exact[0] = 'x';
        warning = decoder_warning((struct slice){exact + 1, len}, &schema, &table, &operation);
        CHECK_INT(warning, cases[i].warning);
        if (warning == WARNING_ROW) {
            CHECK_SLICE(schema, slice_of(cases[i].schema));
            CHECK_SLICE(table, slice_of(cases[i].table));
            CHECK_INT(operation, strstr(cases[i].text, " for DELETE ") != NULL ? OPERATION_DELETE
                                 : strstr(cases[i].text, " for INSERT ") != NULL
                                     ? OPERATION_INSERT
                                     : OPERATION_UPDATE);
        }
        free(exact);
    }
}

/* Nothing to expect of the result but that it is one; the sanitizers watch. */
static void mutations(void)
{
    static const struct {
        enum plugin plugin;
        const char *text;
    } seeds[] = {
        {PLUGIN_TEST_DECODING, "BEGIN 734"},
        {PLUGIN_TEST_DECODING, "table public.orders: INSERT: id[integer]:1 t[text]:'x'"},
        {PLUGIN_TEST_DECODING, "table public.\"a, \"\"b: c\", \"d.e\".f, x.y: TRUNCATE: cascade"},
        {PLUGIN_TEST_DECODING, "message: transactional: 1 prefix: p, sz: 3 content:abc"},
        {PLUGIN_TEST_DECODING, "message: transactional: 0 prefix: pgnudge, sz: 3 content:a.b"},
        {PLUGIN_WAL2JSON, "{\"action\":\"B\",\"xid\":734,\"lsn\":\"0/16B3748\"}"},
        {PLUGIN_WAL2JSON, "{\"action\":\"I\",\"xid\":7,\"schema\":\"a\\\"\\u0001\\n\",\"table\":"
                          "\"\\ud83d\\udc18\\\\\",\"columns\":[{\"name\":\"a\",\"value\":1}]}"},
        {PLUGIN_WAL2JSON, "{\"action\":\"M\",\"xid\":null,\"prefix\":\"p\",\"content\":\"c\"}"},
        {PLUGIN_WAL2JSON,
         "{\"action\":\"M\",\"xid\":1,\"prefix\":\"pgnudge\",\"content\":\"\\u00e4\"}"},
    };
    struct buffer text = {0}, log = {0};
    uint64_t seed = 20261120;

    for (int i = 0; i < 300000; i++) {
        enum plugin plugin = seeds[(size_t)i % COUNT_OF(seeds)].plugin;
        struct slice exact;
        size_t cut;

        buffer_clear(&text);
        buffer_clear(&log);
        buffer_text(&text, seeds[(size_t)i % COUNT_OF(seeds)].text);
        mutate(&text, &seed);
        exact = check_content(&text);
        cut = exact.len > 0 ? check_random(&seed) % exact.len : 0;
        decode_cut(plugin, exact, &cut, exact.len > 6 ? 1 : 0, &log);
        if (!CHECK(!log.failed)) {
            break;
        }
    }
    buffer_free(&text);
    buffer_free(&log);
}

static const struct check_test tests[] = {
    {"test_decoding: every kind of message", test_decoding_messages},
    {"test_decoding: what is none may have been a change", test_decoding_unreadable},
    {"test_decoding: any names, whole and cut at every byte", test_decoding_names},
    {"test_decoding: a list that ends too early", test_decoding_list_without_end},
    {"test_decoding: a list of 5000 tables", test_decoding_thousands},
    {"test_decoding: a name that never ends", test_decoding_name_without_end},
    {"wal2json: every kind of message", wal2json_messages},
    {"wal2json: what is none may have been a change", wal2json_unreadable},
    {"wal2json: any names", wal2json_names},
    {"wal2json: rows longer than their first piece", wal2json_long_rows},
    {"wal2json: cut off anywhere", wal2json_truncated},
    {"messages longer than their first piece", long_messages},
    {"wal2json's warnings: of which table, or not to be told", warnings},
    {"a name is unquoted, or malformed", names_alone},
    {"one message after the other, the one before unfinished", one_after_the_other},
    {"the plugins' names and options", plugin_texts},
    {"300 000 mutations of valid messages crash nothing", mutations},
};

CHECK_MAIN(tests)
