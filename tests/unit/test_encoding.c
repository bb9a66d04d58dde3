/* Server encodings: names as PostgreSQL 15 writes them, there and back. */
#include "base/encoding.h"

#include "check.h"

#define UNKNOWN "\xef\xbf\xbd" /* U+FFFD */

struct sample {
    const char *encoding;
    const char *bytes; /* what convert_to(text, encoding) gives */
    const char *text;
};

static const struct sample samples[] = {
    {"LATIN1", "Gr\xf6\xdf_\xf1", "Größ_ñ"},
    {"LATIN2", "\xaf\xf3\xb3\xe6", "Żółć"},
    {"LATIN3", "\xc6\xb6\xfd\xb1", "Ĉĥŭħ"},
    {"LATIN4", "\xc0\xbe\xbb\xf2", "Āžģō"},
    {"LATIN5", "\xde\xfd\xf0", "Şığ"},
    {"LATIN6", "\xaf\xb9\xbb", "Ŋđŧ"},
    {"LATIN7", "\xc0\xe8\xe6\xfe", "Ąčęž"},
    {"LATIN8", "\xd0\xfe\xba", "Ŵŷẃ"},
    {"LATIN9", "\xbcuvre\xa4", "Œuvre€"},
    {"LATIN10", "\xde\xe3r\xa4", "Țăr€"},
    {"ISO_8859_5", "\xb7\xd0\xda\xd0\xd7\xeb", "Заказы"},
    {"ISO_8859_6", "\xcc\xcf\xe8\xe4", "جدول"},
    {"ISO_8859_7", "\xd0\xdf\xed\xe1\xea\xe1\xf2", "Πίνακας"},
    {"ISO_8859_8", "\xe8\xe1\xec\xe4", "טבלה"},
    {"WIN866", "\x87\xa0\xaa\xa0\xa7\xeb", "Заказы"},
    {"WIN874", "\xb5\xd2\xc3\xd2\xa7\x80", "ตาราง€"},
    {"WIN1250", "\x8elu\x9dou\xe8k\xfd", "Žluťoučký"},
    {"WIN1251", "\xc7\xe0\xec\xee\xe2\xeb\xe5\xed\xed\xff_\xbf", "Замовлення_ї"},
    {"WIN1252", "\x8cuvre_\x80_\xfc", "Œuvre_€_ü"},
    {"WIN1253", "\xd0\xdf\xed\xe1\xea\xe1\xf2\x80", "Πίνακας€"},
    {"WIN1254", "\xde\xfd\xf0\x80", "Şığ€"},
    {"WIN1255", "\xe8\xe1\xec\xe4\xc8", "טבלה\u05b8"},
    {"WIN1256", "\xcc\xcf\xe6\xe1\x81", "جدولپ"},
    {"WIN1257", "\xc0\xe8\xe6\xfe\x80", "Ąčęž€"},
    {"WIN1258", "Ba\xd2ng_\xe2\xec\xf0", "Ba\u0309ng_â\u0301đ"},
    {"KOI8R", "\xfa\xc1\xcb\xc1\xda\xd9", "Заказы"},
    {"KOI8U", "\xb7\xd6\xc1\xcb", "Їжак"},
    {"EUC_JP", "\xc3\xed\xca\xb8_\x8e\xb1\xad\xa1\xa1\xc1\x8f\xf4\xfb\x8f\xb0\xa1",
     "注文_ｱ①～髙丂"},
    {"EUC_JIS_2004", "\xc3\xed\xca\xb8_\x8e\xb1\xa4\xf7\xae\xa1", "注文_ｱか\u309a俱"},
    {"EUC_CN", "\xb6\xa9\xb5\xa5", "订单"},
    {"EUC_KR", "\xc1\xd6\xb9\xae_\xa2\xe8", "주문_㉾"},
    {"EUC_TW", "\xd3\xd4\xde\xcc_\x8e\xa2\xa1\xa1", "訂單_乂"},
    {"UTF8", "Gr\xc3\xb6\xc3\x9f_\xe6\xb3\xa8\xe6\x96\x87_\xf0\x9f\x98\x80", "Größ_注文_😀"},
    {"SQL_ASCII", "Gr\xc3\xb6\xc3\x9f", "Größ"},
};

/* Opens it; false where this system's iconv lacks it, and then says so. */
static bool opened(struct encoding **encoding, const char *name)
{
    *encoding = encoding_open(name);
    if (!CHECK(*encoding != NULL)) {
        return false;
    }
    if (!encoding_is_known(*encoding)) {
        printf("# not tested, iconv lacks it: %s\n", name);
        encoding_close(*encoding);
        return false;
    }
    return true;
}

static void check_to(struct encoding *encoding, struct slice bytes, const char *text)
{
    struct buffer out = {0};

    encoding_to_utf8(encoding, bytes, &out);
    CHECK_BUFFER(out, text);
    buffer_free(&out);
}

static void check_from(struct encoding *encoding, const char *text, struct slice bytes)
{
    struct buffer out = {0};

    CHECK(encoding_from_utf8(encoding, slice_of(text), &out));
    CHECK_SLICE(check_content(&out), bytes);
    buffer_free(&out);
}

/* Must leave what is there. */
static void check_lacks(struct encoding *encoding, const char *text)
{
    struct buffer out = {0};

    buffer_text(&out, "before");
    CHECK(!encoding_from_utf8(encoding, slice_of(text), &out));
    CHECK_BUFFER(out, "before");
    CHECK(!out.failed);
    buffer_free(&out);
}

static void letters(void)
{
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        const struct sample *sample = &samples[i];
        struct encoding *encoding;

        CASE("%s", sample->encoding);
        if (opened(&encoding, sample->encoding)) {
            check_to(encoding, slice_of(sample->bytes), sample->text);
            check_from(encoding, sample->text, slice_of(sample->bytes));
            encoding_close(encoding);
        }
    }
}

static void ascii_is_ascii(void)
{
    static const char *const others[] = {"MULE_INTERNAL", "SJIS", "NONESUCH", ""};
    static char ascii[128];

    for (size_t i = 0; i < sizeof(ascii); i++) {
        ascii[i] = (char)((i + 1) % sizeof(ascii)); /* the NUL last */
    }
    for (size_t i = 0; i < COUNT_OF(samples) + COUNT_OF(others); i++) {
        const char *name =
            i < COUNT_OF(samples) ? samples[i].encoding : others[i - COUNT_OF(samples)];
        struct encoding *encoding = encoding_open(name);

        CASE("%s", name);
        REQUIRE(encoding != NULL);
        check_to(encoding, (struct slice){ascii, 127}, ascii);
        check_from(encoding, ascii, (struct slice){ascii, 127});
        check_to(encoding, (struct slice){"", 0}, "");
        check_from(encoding, "", (struct slice){"", 0});
        encoding_close(encoding);
    }
}

/* Every string of up to 3 bytes from the interesting ones gives valid UTF-8. */
static void any_bytes_give_utf8(void)
{
    static const char some[] = "a\x7f\x80\x8e\x8f\xa0\xa1\xb0\xc3\xd2\xe2\xec\xf4\xfe\xff";
    size_t n = sizeof(some) - 1;

    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        struct encoding *encoding = encoding_open(samples[i].encoding);

        CASE("%s", samples[i].encoding);
        REQUIRE(encoding != NULL);
        for (size_t j = 0; j < n * n * n; j++) {
            char bytes[] = {some[j % n], some[j / n % n], some[j / n / n]};
            struct buffer out = {0}, same = {0};

            encoding_to_utf8(encoding, (struct slice){bytes, j % 3 + 1}, &out);
            CHECK(out.len > 0 && !out.failed);
            utf8_append(&same, check_content(&out));
            CHECK_SLICE(check_content(&out), check_content(&same));
            buffer_free(&out);
            buffer_free(&same);
        }
        encoding_close(encoding);
    }
}

static void what_is_not_valid(void)
{
    static const struct {
        const char *encoding;
        const char *bytes;
        const char *text;
    } cases[] = {
        {"UTF8", "a\xff\xc3z", "a" UNKNOWN UNKNOWN "z"},
        {"SQL_ASCII", "\xc3\xa9t\xe9", "ét" UNKNOWN},
        {"MULE_INTERNAL", "a\x81\xe9z", "a" UNKNOWN UNKNOWN "z"},
        {"MULE_INTERNAL", "\xc3\xa9", UNKNOWN UNKNOWN}, /* not for its bytes' sake an é */
        {"NONESUCH", "a\xe9z", "a" UNKNOWN "z"},
        {"WIN1252", "a\x81\xe9", "a" UNKNOWN "é"},
        {"LATIN3", "\xa5\xf6", UNKNOWN "ö"},
        {"EUC_JP", "\xc3", UNKNOWN},
        {"EUC_JP", "\xc3z\xc3\xed", UNKNOWN "z注"},
        {"EUC_JP", "\x8e", UNKNOWN},
        {"EUC_JP", "\x8f\xb0", UNKNOWN UNKNOWN},
        {"EUC_JP", "\xff\xc3\xed", UNKNOWN "注"},
        {"EUC_JP", "\x80\xc3\xed", UNKNOWN "注"},
        {"EUC_KR", "\xad\xa1\xc1\xd6", UNKNOWN "주"}, /* unknown, and the next one not misread */
        {"EUC_CN", "\xfe\xfe\xb6\xa9", UNKNOWN "订"},
        {"EUC_TW", "\x8e\xa2\xa1", UNKNOWN "㊣"}, /* a2a1 is a letter by itself */
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct encoding *encoding = encoding_open(cases[i].encoding);

        CASE("%s, %zu", cases[i].encoding, i);
        REQUIRE(encoding != NULL);
        check_to(encoding, slice_of(cases[i].bytes), cases[i].text);
        encoding_close(encoding);
    }
}

static void what_is_lacking(void)
{
    static const struct {
        const char *encoding;
        const char *text;
        const char *why;
    } cases[] = {
        {"LATIN1", "注文", "no such letters"},
        {"LATIN1", "a€", "nor this one"},
        {"LATIN9", "¤", "the euro has its place"},
        {"WIN1252", "\xc2\x81", "an unused byte"},
        {"KOI8R", "ї", "in KOI8U only"},
        {"EUC_JP", "주문", "another country's"},
        {"EUC_KR", "é", "no accents"},
        {"EUC_CN", "訂", "a traditional form"},
        {"MULE_INTERNAL", "é", "only ASCII is known"},
        {"NONESUCH", "é", "only ASCII is known"},
        {"LATIN1", "\xe9", "not UTF-8"},
        {"UTF8", "\xe9", "not UTF-8"},
        {"EUC_JP", "\xc3\xed", "not UTF-8"},
        {"WIN1258", "ầ", "has its parts, which are another name"},
        {"WIN1255", "\ufb2a", "has its parts, which are another name"},
        {"EUC_JP", "〜", "0xa1c1 is the full-width tilde"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct encoding *encoding = encoding_open(cases[i].encoding);

        CASE("%s, %s", cases[i].encoding, cases[i].why);
        REQUIRE(encoding != NULL);
        check_lacks(encoding, cases[i].text);
        encoding_close(encoding);
    }
}

static void sql_ascii_takes_any_bytes(void)
{
    struct encoding *encoding = encoding_open("SQL_ASCII");

    REQUIRE(encoding != NULL);
    check_from(encoding, "Gr\xf6\xdf", slice_of("Gr\xf6\xdf"));
    encoding_close(encoding);
}

static void what_is_known(void)
{
    static const char *const names[] = {"UTF8", "SQL_ASCII", "LATIN1"};
    static const char *const others[] = {"MULE_INTERNAL", "GBK", "utf8", "UTF-8", ""};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct encoding *encoding = encoding_open(names[i]);

        CASE("%s", names[i]);
        CHECK(encoding != NULL && encoding_is_known(encoding));
        encoding_close(encoding);
    }
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct encoding *encoding = encoding_open(others[i]);

        CASE("%s", others[i]);
        CHECK(encoding != NULL && !encoding_is_known(encoding));
        encoding_close(encoding);
    }
    encoding_close(NULL);
}

/* Longer than any buffer inside. */
static void long_texts(void)
{
    struct encoding *encoding;
    struct buffer bytes = {0}, text = {0}, out = {0};

    if (!opened(&encoding, "EUC_JP")) {
        return;
    }
    for (int i = 0; i < 10000; i++) {
        buffer_text(&bytes, "\xc3\xed\x8f\xb0\xa1x");
        buffer_text(&text, "注丂x");
    }
    encoding_to_utf8(encoding, check_content(&bytes), &out);
    CHECK(slice_equal(check_content(&out), check_content(&text)));
    buffer_clear(&out);
    CHECK(encoding_from_utf8(encoding, check_content(&text), &out));
    CHECK(slice_equal(check_content(&out), check_content(&bytes)));
    buffer_free(&bytes);
    buffer_free(&text);
    buffer_free(&out);
    encoding_close(encoding);
}

static void full_buffers(void)
{
    struct encoding *encoding = encoding_open("LATIN1");
    struct buffer out = {.limit = 3};

    REQUIRE(encoding != NULL);
    encoding_to_utf8(encoding, slice_of("\xe9\xe9"), &out);
    CHECK(out.failed);
    buffer_clear(&out);
    CHECK(!encoding_from_utf8(encoding, slice_of("éééé"), &out));
    CHECK(out.failed);
    buffer_free(&out);
    encoding_close(encoding);
}

static const struct check_test tests[] = {
    {"letters of every server encoding, there and back", letters},
    {"ASCII is ASCII in all of them", ascii_is_ascii},
    {"any bytes give valid UTF-8", any_bytes_give_utf8},
    {"what isn't valid or known becomes U+FFFD, its neighbours don't", what_is_not_valid},
    {"what an encoding lacks is refused", what_is_lacking},
    {"to SQL_ASCII any bytes pass", sql_ascii_takes_any_bytes},
    {"encodings are known by the server's names only", what_is_known},
    {"long texts", long_texts},
    {"a full buffer says so", full_buffers},
};

CHECK_MAIN(tests)
