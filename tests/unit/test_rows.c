/* The keys of rows, out of what the plugins write; cut anywhere. */
#include "decode/decoder.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

/* One key column "id", two, "b" in front of "a", and names that have to be quoted. */
static const struct key_column id_at[] = {{LITERAL("id"), COLUMN_OTHER}};
static const struct key_column two_at[] = {{LITERAL("b"), COLUMN_OTHER},
                                           {LITERAL("a"), COLUMN_BYTEA}};
static const struct key_column odd_at[] = {{LITERAL("old-key"), COLUMN_OTHER},
                                           {LITERAL("q\"[x]: y"), COLUMN_OTHER}};
static const struct key_columns id = {1, id_at}, two = {2, two_at}, odd = {2, odd_at};

struct row_case {
    const char *text;
    const struct key_columns *columns;
    const char *keys; /* each in parentheses, its parts each with a bar behind; "" for not known */
};

static void note(struct buffer *out, const struct row_keys *keys)
{
    for (size_t i = 0; i < keys->len; i++) {
        buffer_byte(out, '(');
        for (size_t at = 0; at < keys->at[i].len; at++) {
            buffer_byte(out, keys->at[i].data[at] == '\0' ? '|' : keys->at[i].data[at]);
        }
        buffer_byte(out, ')');
    }
}

/* Every piece is a copy that is gone before the next one. */
static bool feed(struct decoder *decoder, struct slice piece, bool first, bool more,
                 const struct key_columns *columns, struct buffer *out)
{
    char *copy = malloc(piece.len > 0 ? piece.len : 1);
    struct change change;
    bool found = false;

    if (copy == NULL) {
        abort();
    }
    memcpy(copy, piece.data, piece.len);
    if (first) {
        decoder_begin(decoder, (struct slice){copy, piece.len}, more);
    } else {
        decoder_more(decoder, (struct slice){copy, piece.len}, more);
    }
    while (decoder_next(decoder, &change)) {
        if (change.kind == CHANGE_TABLE && change.operation != OPERATION_TRUNCATE) {
            decoder_want_keys(decoder, columns);
        } else if (change.kind == CHANGE_KEYS) {
            found = true;
            note(out, change.keys);
        }
    }
    free(copy);
    return found;
}

/* How long the part is that comes in one piece: up to behind the operation. */
static size_t head_of(enum plugin plugin, const char *text)
{
    const char *end =
        plugin == PLUGIN_WAL2JSON ? strstr(text, "\"table\":\"t\"") : strstr(text, ": ");

    return (size_t)(end - text) + (plugin == PLUGIN_WAL2JSON ? 11 : 9);
}

static void read_case(enum plugin plugin, const struct row_case *row)
{
    struct slice text = slice_of(row->text);
    struct decoder decoder;

    for (size_t cut = head_of(plugin, row->text); cut <= text.len; cut++) {
        struct buffer out = {0};
        bool found;

        CASE("%s, cut at %zu", row->text, cut);
        decoder_init(&decoder, plugin);
        found = feed(&decoder, (struct slice){text.data, cut}, true, cut < text.len, row->columns,
                     &out);
        if (cut < text.len) {
            found |= feed(&decoder, (struct slice){text.data + cut, text.len - cut}, false, false,
                          row->columns, &out);
        }
        CHECK(found);
        CHECK_BUFFER(out, row->keys);
        buffer_free(&out);
    }
}

static void test_decoding(void)
{
    static const struct row_case cases[] = {
        {"table s.t: INSERT: id[integer]:1", &id, "(1|)"},
        {"table s.t: INSERT: id[integer]:1 x[text]:'y'", &id, "(1|)"},
        {"table s.t: INSERT: x[text]:'id[integer]:2' id[integer]:-15", &id, "(-15|)"},
        {"table s.t: INSERT: x[text]:'it''s ''' id[text]:'a''b''''c'", &id, "(a'b''c|)"},
        {"table s.t: INSERT: x[text]:null y[int]:null id[text]:'null'", &id, "(null|)"},
        {"table s.t: INSERT: id[text]:''", &id, "(|)"},
        {"table s.t: INSERT: id[text]:null", &id, ""},
        {"table s.t: INSERT: x[integer]:1", &id, ""},
        {"table s.t: INSERT: id[bit varying]:B'0101' x[bit]:B'1'", &id, "(0101|)"},
        {"table s.t: INSERT: x[integer[]]:'{1,2}' id[tf.\"we]ird: t\"]:'v'", &id, "(v|)"},
        {"table s.t: INSERT: id[boolean]:true", &id, "(true|)"},
        {"table s.t: INSERT: id[double precision]:NaN", &id, "(NaN|)"},
        {"table s.t: INSERT: a[bytea]:'\\x00ff' b[integer]:7", &two, "(7|\\x00ff|)"},
        {"table s.t: INSERT: \"old-key\"[text]:'o' \"q\"\"[x]: y\"[text]:'p'", &odd, "(o|p|)"},
        {"table s.t: UPDATE: id[integer]:1 x[text]:'y'", &id, "(1|)"},
        {"table s.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 x[text]:'y'", &id,
         "(1|)(2|)"},
        {"table s.t: UPDATE: old-key: id[text]:'k' new-tuple: x[int]:1 "
         "id[text]:unchanged-toast-datum",
         &id, "(k|)"},
        {"table s.t: UPDATE: x[int]:1 id[text]:unchanged-toast-datum", &id, ""},
        {"table s.t: UPDATE: x[int]:1 id[text]:'unchanged-toast-datum'", &id,
         "(unchanged-toast-datum|)"},
        {"table s.t: UPDATE: old-key: x[int]:1 new-tuple: id[integer]:2 x[int]:1", &id, ""},
        {"table s.t: DELETE: id[integer]:1", &id, "(1|)"},
        {"table s.t: DELETE: x[int]:1", &id, ""},
        {"table s.t: DELETE: (no-tuple-data)", &id, ""},
        {"table s.t: DELETE: b[integer]:1 a[text]:'x'", &two, "(1|x|)"},
        {"table s.t: INSERT: id[integer", &id, ""},
        {"table s.t: INSERT: id[text]:'x", &id, ""},
        {"table s.t: INSERT: id[text]:'x'y", &id, ""},
        {"table s.t: INSERT: id[text]'x'", &id, ""},
        {"table s.t: INSERT:  id[text]:'x'", &id, ""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        read_case(PLUGIN_TEST_DECODING, &cases[i]);
    }
}

#define HEAD(action)      "{\"action\":\"" action "\",\"xid\":7,\"schema\":\"s\",\"table\":\"t\","
#define COLUMN(name, ...) "{\"name\":\"" name "\",\"value\":" __VA_ARGS__ "}"
#define COLUMNS(...)      "\"columns\":[" __VA_ARGS__ "]"
#define IDENTITY(...)     "\"identity\":[" __VA_ARGS__ "]"

static void wal2json(void)
{
    static const struct row_case cases[] = {
        {HEAD("I") COLUMNS(COLUMN("id", "1")) "}", &id, "(1|)"},
        {HEAD("I") COLUMNS(COLUMN("x", "\"a\"") "," COLUMN("id", "\"b\"")) "}", &id, "(b|)"},
        {HEAD("I") COLUMNS(COLUMN("x", "\"\\\"},{\\\\\"") "," COLUMN("id", "-2.50")) "}", &id,
         "(-2.50|)"},
        {HEAD("I") COLUMNS(COLUMN("id", "\"a\\\"\\\\\\n\\t\\u001f\\/\"")) "}", &id,
         "(a\"\\\n\t\x1f/|)"},
        {HEAD("I") COLUMNS(COLUMN("id", "\"\\u0000\"")) "}", &id, ""},
        {HEAD("I") COLUMNS(COLUMN("id", "\"\\u00e4\"")) "}", &id, ""},
        {HEAD("I") COLUMNS(COLUMN("id", "\"\\x\"")) "}", &id, ""},
        {HEAD("I") COLUMNS(COLUMN("id", "null")) "}", &id, ""},
        {HEAD("I") COLUMNS(COLUMN("id", "\"null\"")) "}", &id, "(null|)"},
        {HEAD("I") COLUMNS(COLUMN("id", "true")) "}", &id, "(true|)"},
        {HEAD("I") COLUMNS(COLUMN("a", "\"00ff\"") "," COLUMN("b", "7")) "}", &two, "(7|\\x00ff|)"},
        {HEAD("I") COLUMNS(COLUMN("a", "\"\"") "," COLUMN("b", "\"\"")) "}", &two, "(|\\x|)"},
        {HEAD("I") COLUMNS(COLUMN("q\\\"[x]: y", "1") "," COLUMN("old-key", "2")) "}", &odd,
         "(2|1|)"},
        {HEAD("U") COLUMNS(COLUMN("id", "2")) "," IDENTITY(COLUMN("id", "1")) "}", &id, "(1|)(2|)"},
        {HEAD("U")
             COLUMNS(COLUMN("x", "2")) "," IDENTITY(COLUMN("x", "2") "," COLUMN("id", "1")) "}",
         &id, "(1|)"},
        {HEAD("U") COLUMNS(COLUMN("id", "null")) "," IDENTITY(COLUMN("id", "1")) "}", &id, ""},
        {HEAD("U") COLUMNS(COLUMN("id", "2")) "}", &id, ""},
        {HEAD("D") IDENTITY(COLUMN("id", "1")) "}", &id, "(1|)"},
        {HEAD("D") IDENTITY(COLUMN("x", "1")) "}", &id, ""},
        {HEAD("I") "\"columns\":[{\"name\":\"id\",\"type\":\"int\",\"value\":1}]}", &id, ""},
        {HEAD("I") "\"columns\":[{\"name\":\"id\",\"value\":1", &id, ""},
        {HEAD("I") "\"columns\":[{\"name\":\"id\",\"value\":\"1", &id, ""},
        {HEAD("I") "\"other\":[{\"name\":\"id\",\"value\":1}]}", &id, ""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        read_case(PLUGIN_WAL2JSON, &cases[i]);
    }
}

/* ---- pgoutput ---- */

#define BE16(n)         "\0" n
#define BE32(n)         "\0\0\0" n
#define RELATION(cols)  "R" BE32("\5") "s\0t\0d" BE16(cols)
#define COL(name, type) "\1" name "\0" BE32(type) "\xff\xff\xff\xff"
#define TEXT(len, text) "t" BE32(len) text

struct binary_case {
    struct slice relation;
    struct slice text;
    const struct key_columns *columns;
    const char *keys;
};

/* Each message whole, or in two pieces; the first has the heads of both. */
static void read_binary(const struct binary_case *row)
{
    for (size_t cut = 6; cut <= row->text.len; cut++) {
        size_t head = cut < row->relation.len && cut > 12 ? cut : row->relation.len;
        struct buffer out = {0};
        struct decoder decoder;
        bool found = false;

        CASE("relation cut at %zu, row at %zu of %zu", head, cut, row->text.len);
        decoder_init(&decoder, PLUGIN_PGOUTPUT);
        feed(&decoder, (struct slice){row->relation.data, head}, true, head < row->relation.len,
             &id, &out);
        if (head < row->relation.len) {
            feed(&decoder, (struct slice){row->relation.data + head, row->relation.len - head},
                 false, false, &id, &out);
        }
        found = feed(&decoder, (struct slice){row->text.data, cut}, true, cut < row->text.len,
                     row->columns, &out);
        if (cut < row->text.len) {
            found |= feed(&decoder, (struct slice){row->text.data + cut, row->text.len - cut},
                          false, false, row->columns, &out);
        }
        CHECK(found);
        CHECK_BUFFER(out, row->keys);
        buffer_free(&out);
        decoder_free(&decoder);
    }
}

#define ID_X BYTES_OF(RELATION("\2") COL("id", "\x17") COL("x", "\x19"))
#define X_ID BYTES_OF(RELATION("\2") COL("x", "\x19") COL("id", "\x10"))
#define A_B  BYTES_OF(RELATION("\2") COL("a", "\x11") COL("b", "\x17"))
#define BYTES_OF(literal)                                                                          \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static void pgoutput(void)
{
    static const struct binary_case cases[] = {
        {ID_X, BYTES_OF("I" BE32("\5") "N" BE16("\2") TEXT("\1", "7") "n"), &id, "(7|)"},
        {X_ID, BYTES_OF("I" BE32("\5") "N" BE16("\2") TEXT("\3", "abc") TEXT("\1", "t")), &id,
         "(true|)"},
        {X_ID, BYTES_OF("I" BE32("\5") "N" BE16("\2") "n" TEXT("\1", "f")), &id, "(false|)"},
        {ID_X, BYTES_OF("I" BE32("\5") "N" BE16("\2") TEXT("\0", "") "n"), &id, "(|)"},
        {ID_X,
         BYTES_OF("I" BE32("\5") "N" BE16("\2") "n"
                                                "n"),
         &id, ""},
        {ID_X, BYTES_OF("U" BE32("\5") "N" BE16("\2") TEXT("\1", "7") "u"), &id, "(7|)"},
        {ID_X, BYTES_OF("U" BE32("\5") "N" BE16("\2") "u" TEXT("\1", "7")), &id, ""},
        {ID_X,
         BYTES_OF("U" BE32("\5") "K" BE16("\2") TEXT("\1", "6") "n"
                                                                "N" BE16("\2") TEXT("\1", "7") "n"),
         &id, "(6|)(7|)"},
        {ID_X,
         BYTES_OF("U" BE32("\5") "O" BE16("\2") TEXT("\1", "6")
                      TEXT("\2", "xy") "N" BE16("\2") "u"
                                                      "u"),
         &id, "(6|)"},
        {ID_X, BYTES_OF("D" BE32("\5") "K" BE16("\2") TEXT("\1", "6") "n"), &id, "(6|)"},
        {ID_X,
         BYTES_OF("D" BE32("\5") "K" BE16("\2") "n"
                                                "n"),
         &id, ""},
        {A_B, BYTES_OF("D" BE32("\5") "K" BE16("\2") TEXT("\4", "\\x00") TEXT("\1", "6")), &two,
         "(6|\\x00|)"},
        {ID_X, BYTES_OF("D" BE32("\5") "K" BE16("\2") TEXT("\1", "6") "n"), &two, ""},
        {ID_X,
         BYTES_OF("I" BE32("\5") "N" BE16("\3") "n"
                                                "n" TEXT("\1", "6")),
         &id, ""},
        {ID_X, BYTES_OF("I" BE32("\5") "N" BE16("\2") TEXT("\2", "6")), &id, ""},
        {ID_X, BYTES_OF("I" BE32("\5") "X" BE16("\2") TEXT("\1", "6") "n"), &id, ""},
        {ID_X,
         BYTES_OF("I" BE32("\5") "N" BE16("\2") "b" BE32("\1") "6"
                                                               "n"),
         &id, ""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        read_binary(&cases[i]);
    }
}

/* A relation that wasn't described, described anew, with too many columns; a cut list of them. */
static void relations(void)
{
    static const struct slice row = BYTES_OF("I" BE32("\5") "N" BE16("\1") TEXT("\1", "7"));
    static const struct slice renamed =
        BYTES_OF("R" BE32("\5") "s\0u\0d" BE16("\1") COL("id", "\x17"));
    struct slice truncate = BYTES_OF("T" BE32("\2") "\0" BE32("\5") BE32("\5"));
    struct buffer wide = {0}, out = {0};
    struct decoder decoder;
    struct change change;

    decoder_init(&decoder, PLUGIN_PGOUTPUT);
    decoder_begin(&decoder, row, false);
    CHECK(decoder_next(&decoder, &change) && change.kind == CHANGE_UNREADABLE);
    CHECK(!feed(&decoder, (struct slice)X_ID, true, false, &id, &out));
    CHECK(!feed(&decoder, renamed, true, false, &id, &out));
    decoder_begin(&decoder, row, false);
    CHECK(decoder_next(&decoder, &change) && change.kind == CHANGE_TABLE);
    CHECK_SLICE(change.name, BYTES("s\0u"));
    for (size_t cut = 7; cut <= truncate.len; cut++) {
        int count = 0;

        CASE("list cut at %zu", cut);
        decoder_begin(&decoder, (struct slice){truncate.data, cut}, cut < truncate.len);
        while (decoder_next(&decoder, &change)) {
            CHECK(change.kind == CHANGE_TABLE && change.operation == OPERATION_TRUNCATE);
            count++;
        }
        if (cut < truncate.len) {
            decoder_more(&decoder, (struct slice){truncate.data + cut, truncate.len - cut}, false);
            while (decoder_next(&decoder, &change)) {
                count++;
            }
        }
        CHECK_INT(count, 2);
    }
    buffer_append(&wide, "R" BE32("\5") "s\0t\0d\6\x40", 12);
    for (int i = 0; i < 0x640; i++) {
        buffer_append(&wide, COL("a long name of a column", "\x17"), 33);
    }
    CHECK(!feed(&decoder, (struct slice){wide.data, wide.len}, true, false, &id, &out));
    CHECK(feed(&decoder, row, true, false, &id, &out)); /* its key isn't known, but it is */
    CHECK_BUFFER(out, "");
    buffer_free(&wide);
    decoder_free(&decoder);
}

/* A key of KEY_TEXT_MAX bytes is known, one byte more isn't; nor is what is longer kept. */
static void long_keys(void)
{
    static const size_t lengths[] = {KEY_TEXT_MAX, KEY_TEXT_MAX + 1, 100000};

    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        struct buffer text[PLUGINS] = {{0}}, value = {0};

        CASE("%zu bytes", lengths[i]);
        for (size_t n = 0; n < lengths[i]; n++) {
            buffer_byte(&value, 'k');
        }
        buffer_byte(&value, '\0');
        buffer_format(&text[PLUGIN_TEST_DECODING], "table s.t: INSERT: x[text]:'%s' id[text]:'%s'",
                      value.data, value.data);
        buffer_format(&text[PLUGIN_WAL2JSON],
                      HEAD("I") "\"columns\":[{\"name\":\"id\",\"value\":\"%s\"}]}", value.data);
        for (int plugin = 0; plugin <= PLUGIN_WAL2JSON; plugin++) {
            struct buffer out = {0};
            struct decoder decoder;

            decoder_init(&decoder, (enum plugin)plugin);
            CHECK(feed(&decoder, (struct slice){text[plugin].data, text[plugin].len}, true, false,
                       &id, &out));
            CHECK_INT(out.len, lengths[i] > KEY_TEXT_MAX ? 0 : lengths[i] + 3);
            buffer_free(&out);
            buffer_free(&text[plugin]);
        }
        buffer_free(&value);
    }
}

static const struct check_test tests[] = {
    {"rows of test_decoding", test_decoding},
    {"rows of wal2json", wal2json},
    {"rows of pgoutput", pgoutput},
    {"relations of pgoutput", relations},
    {"long keys", long_keys},
};

CHECK_MAIN(tests)
