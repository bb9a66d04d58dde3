#include "base/encoding.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define NO_ICONV    ((iconv_t)-1)
#define INEXACT     "EUC_JIS_2004" /* see below */

/* How a text falls into characters. */
enum form {
    FORM_UTF8,
    FORM_ANY,    /* SQL_ASCII */
    FORM_SINGLE, /* a byte each */
    FORM_EUC,    /* see character_length */
    FORM_EUC_TW
};

struct encoding_entry {
    const char *name;     /* PostgreSQL's */
    const char *iconv[2]; /* iconv's, the first that it knows; NULL for none */
    enum form form;
};

struct encoding {
    enum form form;
    iconv_t to_utf8; /* NO_ICONV: only ASCII is known */
    iconv_t from_utf8;
    bool inexact; /* iconv has some letters otherwise than PostgreSQL */
};

/*
 * PostgreSQL's EUC_JP has Microsoft's letters too. Every letter of every
 * encoding was compared with PostgreSQL 15: with glibc, all are the same but
 * two signs of EUC_JIS_2004, overline and yen, which glibc has as full width.
 */
static const struct encoding_entry entries[] = {
    {"UTF8", {NULL}, FORM_UTF8},
    {"SQL_ASCII", {NULL}, FORM_ANY},
    {"LATIN1", {"ISO-8859-1"}, FORM_SINGLE},
    {"LATIN2", {"ISO-8859-2"}, FORM_SINGLE},
    {"LATIN3", {"ISO-8859-3"}, FORM_SINGLE},
    {"LATIN4", {"ISO-8859-4"}, FORM_SINGLE},
    {"LATIN5", {"ISO-8859-9"}, FORM_SINGLE},
    {"LATIN6", {"ISO-8859-10"}, FORM_SINGLE},
    {"LATIN7", {"ISO-8859-13"}, FORM_SINGLE},
    {"LATIN8", {"ISO-8859-14"}, FORM_SINGLE},
    {"LATIN9", {"ISO-8859-15"}, FORM_SINGLE},
    {"LATIN10", {"ISO-8859-16"}, FORM_SINGLE},
    {"ISO_8859_5", {"ISO-8859-5"}, FORM_SINGLE},
    {"ISO_8859_6", {"ISO-8859-6"}, FORM_SINGLE},
    {"ISO_8859_7", {"ISO-8859-7"}, FORM_SINGLE},
    {"ISO_8859_8", {"ISO-8859-8"}, FORM_SINGLE},
    {"WIN866", {"CP866"}, FORM_SINGLE},
    {"WIN874", {"WINDOWS-874", "CP874"}, FORM_SINGLE},
    {"WIN1250", {"CP1250"}, FORM_SINGLE},
    {"WIN1251", {"CP1251"}, FORM_SINGLE},
    {"WIN1252", {"CP1252"}, FORM_SINGLE},
    {"WIN1253", {"CP1253"}, FORM_SINGLE},
    {"WIN1254", {"CP1254"}, FORM_SINGLE},
    {"WIN1255", {"CP1255"}, FORM_SINGLE},
    {"WIN1256", {"CP1256"}, FORM_SINGLE},
    {"WIN1257", {"CP1257"}, FORM_SINGLE},
    {"WIN1258", {"CP1258"}, FORM_SINGLE},
    {"KOI8R", {"KOI8-R"}, FORM_SINGLE},
    {"KOI8U", {"KOI8-U"}, FORM_SINGLE},
    {"EUC_JP", {"EUC-JP-MS", "EUC-JP"}, FORM_EUC},
    {"EUC_JIS_2004", {"EUC-JIS-2004", "EUC-JISX0213"}, FORM_EUC},
    {"EUC_CN", {"EUC-CN", "GB2312"}, FORM_EUC},
    {"EUC_KR", {"EUC-KR"}, FORM_EUC},
    {"EUC_TW", {"EUC-TW"}, FORM_EUC_TW},
};

/* Unknown encodings are taken for single bytes that iconv lacks. */
static const struct encoding_entry *find_entry(const char *name)
{
    static const struct encoding_entry unknown = {"", {NULL}, FORM_SINGLE};

    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        if (strcmp(entries[i].name, name) == 0) {
            return &entries[i];
        }
    }
    return &unknown;
}

struct encoding *encoding_open(const char *name)
{
    const struct encoding_entry *entry = find_entry(name);
    struct encoding *encoding = malloc(sizeof(*encoding));

    if (encoding == NULL) {
        return NULL;
    }
    *encoding =
        (struct encoding){entry->form, NO_ICONV, NO_ICONV, strcmp(entry->name, INEXACT) == 0};
    for (size_t i = 0; i < 2 && encoding->to_utf8 == NO_ICONV && entry->iconv[i] != NULL; i++) {
        encoding->to_utf8 = iconv_open("UTF-8", entry->iconv[i]);
        if (encoding->to_utf8 != NO_ICONV) {
            encoding->from_utf8 = iconv_open(entry->iconv[i], "UTF-8");
        }
    }
    return encoding;
}

static bool passes(const struct encoding *encoding)
{
    return encoding->form == FORM_UTF8 || encoding->form == FORM_ANY;
}

bool encoding_is_known(const struct encoding *encoding)
{
    return passes(encoding) || encoding->to_utf8 != NO_ICONV;
}

/* Appends all of `s`, or nothing: false where it doesn't convert. */
static bool convert(iconv_t conversion, struct slice s, struct buffer *out)
{
    size_t before = out->len;
    char *in = (char *)s.data;
    size_t in_left = s.len;
    bool done = false, ok = true;

    iconv(conversion, NULL, NULL, NULL, NULL);
    while (ok && !done) {
        char piece[256];
        char *end = piece;
        size_t room = sizeof(piece);
        size_t result;

        done = in_left == 0; /* a last call, for what composes characters and holds one back */
        /* Systems differ in the const of the second parameter: void * suits both. */
        result = iconv(conversion, done ? NULL : (void *)&in, done ? NULL : &in_left, &end, &room);
        ok = result == 0 || (result == (size_t)-1 && errno == E2BIG && end > piece);
        buffer_append(out, piece, (size_t)(end - piece));
    }
    if (!ok) {
        out->len = before;
    }
    return ok;
}

/* What may follow the first byte of an EUC character. */
static bool is_trail(char byte)
{
    return (unsigned char)byte > 0xa0 && (unsigned char)byte < 0xff;
}

/*
 * The length of the character at the start of `s`, or 0 if there is none. In
 * EUC all bytes of one have the high bit; 0x8f is the first of 3, 0x8e of 2 (4
 * in EUC_TW), any other of 2.
 */
static size_t character_length(const struct encoding *encoding, struct slice s)
{
    unsigned char first = (unsigned char)s.data[0];
    size_t len = 2;

    if (first < 0x80 || encoding->form == FORM_SINGLE) {
        return 1;
    }
    if (first == 0x8e && encoding->form == FORM_EUC_TW) {
        len = 4;
    } else if (first == 0x8f) {
        len = 3;
    } else if (first != 0x8e && !is_trail(s.data[0])) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if (i >= s.len || !is_trail(s.data[i])) {
            return 0;
        }
    }
    return len;
}

/*
 * One character at a time: one that isn't known then can't take its neighbours
 * along, and none is composed with the one before it, which PostgreSQL doesn't
 * do either (glibc does in CP1255 and CP1258).
 */
void encoding_to_utf8(struct encoding *encoding, struct slice s, struct buffer *out)
{
    if (passes(encoding)) {
        utf8_append(out, s);
        return;
    }
    while (s.len > 0) {
        size_t len = character_length(encoding, s);
        struct slice character = {s.data, len};

        if (len == 1 && (unsigned char)s.data[0] < 0x80) {
            buffer_byte(out, s.data[0]);
        } else if (len == 0 || encoding->to_utf8 == NO_ICONV ||
                   !convert(encoding->to_utf8, character, out)) {
            buffer_text(out, REPLACEMENT);
        }
        len = len > 0 ? len : 1;
        s.data += len;
        s.len -= len;
    }
}

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

static bool is_utf8(struct slice s)
{
    while (s.len > 0) {
        size_t len = utf8_sequence(s);

        if (len == 0) {
            return false;
        }
        s.data += len;
        s.len -= len;
    }
    return true;
}

/*
 * Converts there and back: some systems' iconv writes a star or a question mark
 * for what the encoding lacks, and some letters have two ways to be written.
 */
static bool convert_back(struct encoding *encoding, struct slice s, struct buffer *out)
{
    struct buffer bytes = {0}, again = {0};
    bool ok = false;

    if (convert(encoding->from_utf8, s, &bytes)) {
        encoding_to_utf8(encoding, (struct slice){bytes.data, bytes.len}, &again);
        ok = slice_equal((struct slice){again.data, again.len}, s);
    }
    if (bytes.failed || again.failed) {
        out->failed = true;
        ok = false;
    }
    if (ok) {
        buffer_append(out, bytes.data, bytes.len);
        ok = !out->failed;
    }
    buffer_free(&bytes);
    buffer_free(&again);
    return ok;
}

bool encoding_from_utf8(struct encoding *encoding, struct slice s, struct buffer *out)
{
    bool as_is = encoding->form == FORM_ANY || is_ascii(s);

    if (!as_is && !is_utf8(s)) {
        return false;
    }
    if (!as_is && encoding->form != FORM_UTF8) {
        return encoding->from_utf8 != NO_ICONV && convert_back(encoding, s, out);
    }
    buffer_append(out, s.data, s.len);
    return !out->failed;
}

static bool has_replacement(struct slice s)
{
    size_t len = strlen(REPLACEMENT);

    for (size_t i = 0; i + len <= s.len; i++) {
        if (memcmp(s.data + i, REPLACEMENT, len) == 0) {
            return true;
        }
    }
    return false;
}

bool encoding_exact_utf8(struct encoding *encoding, struct slice s, struct buffer *memory,
                         struct slice *result)
{
    *result = s;
    if (is_ascii(s)) {
        return true;
    }
    if (passes(encoding)) {
        return is_utf8(s);
    }
    encoding_to_utf8(encoding, s, memory);
    *result = (struct slice){memory->data, memory->len};
    return !encoding->inexact && !memory->failed && !has_replacement(*result);
}

void encoding_close(struct encoding *encoding)
{
    if (encoding == NULL) {
        return;
    }
    if (encoding->to_utf8 != NO_ICONV) {
        iconv_close(encoding->to_utf8);
    }
    if (encoding->from_utf8 != NO_ICONV) {
        iconv_close(encoding->from_utf8);
    }
    free(encoding);
}
