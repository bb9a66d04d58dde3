#define _GNU_SOURCE /* memmem */
#include "fake/peer.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake/wal_stream.h"
#include "wire/message.h"

#define SALT         "0123456789abcdef"
#define SERVER_NONCE "fakefakefakefakefakefake"
#define HASH_BYTES   32
#define SSL_REQUEST  80877103
#define CANCEL       80877102
#define FIRST_XID    800
#define FIRST_LSN    UINT64_C(0x1000000)
#define MANY         2000
#define MEGABYTES    ((size_t)4 << 20)

#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number
#define SYSTEM           TEXT_OF(WAL_STREAM_SYSTEM)
#define IDENTITY         "1700000000.5/" SYSTEM

const char *const fault_names[FAULTS] = {
    "none",
    "drop",
    "cut",
    "close",
    "silence",
    "huge",
    "negative",
    "short",
    "longer",
    "shorter",
    "type",
    "empty",
    "half",
    "nul",
    "ones",
    "letters",
    "megabytes",
    "junk",
    "http",
    "double",
    "swap",
    "authenticated",
    "asked",
    "ready",
    "fatal",
    "error-escapes",
    "error-endless",
    "negotiate",
    "copy-both",
    "copy-done",
    "key",
    "notices",
    "parameters",
    "rows",
    "rows-like-it",
    "stream",
    "endless",
    "endless-rows",
    "endless-notices",
    "endless-errors",
    "endless-parameters",
    "endless-bytes",
    "body",
    "raw",
    "removed",
};

enum peer_state { PEER_STARTUP, PEER_SASL, PEER_PROOF, PEER_QUERIES, PEER_STREAMING };

struct peer {
    struct peer_setup setup;
    enum peer_state state;
    bool replication;
    struct buffer in;
    struct buffer out;
    struct buffer held; /* FAULT_SWAP: behind the next one */
    bool closed;
    bool silent;
    struct buffer endless; /* what comes again and again */
    unsigned said;
    struct buffer first_bare; /* SCRAM: the client's */
    struct buffer server_first;
    unsigned char salted[HASH_BYTES];
    uint32_t xid;
    uint64_t lsn;
    unsigned streamed;
    struct wal_stream *wal; /* NULL: it decodes */
};

struct peer *peer_new(const struct peer_setup *setup)
{
    struct peer *peer = calloc(1, sizeof(*peer));

    if (peer != NULL) {
        peer->setup = *setup;
        peer->xid = FIRST_XID;
        peer->lsn = FIRST_LSN;
    }
    return peer;
}

/* ---- messages ---- */

static void raw(struct peer *peer, const void *data, size_t len)
{
    if (!peer->silent && !peer->closed) {
        buffer_append(&peer->out, data, len);
    }
}

static void frame(struct buffer *out, char type, const void *body, size_t len)
{
    size_t mark = message_begin(out, type);

    buffer_append(out, body, len);
    message_end(out, mark);
}

static void plain(struct peer *peer, char type, const void *body, size_t len)
{
    struct buffer message = {0};

    frame(&message, type, body, len);
    raw(peer, message.data, message.len);
    buffer_free(&message);
}

static void with_length(struct peer *peer, char type, struct slice body, uint32_t length)
{
    struct buffer message = {0};

    buffer_byte(&message, type);
    buffer_be32(&message, length);
    buffer_append(&message, body.data, body.len);
    raw(peer, message.data, message.len);
    buffer_free(&message);
}

static void filled(struct peer *peer, char type, size_t len, int byte)
{
    char *body = malloc(len + 1);

    if (body != NULL) {
        memset(body, byte, len);
        plain(peer, type, body, len);
    }
    free(body);
}

static void many(struct peer *peer, char type, struct slice body)
{
    for (int i = 0; i < MANY; i++) {
        plain(peer, type, body.data, body.len);
    }
}

/* An XLogData of the stream. */
static void stream_text(struct buffer *body, uint64_t lsn, const char *text)
{
    buffer_clear(body);
    buffer_byte(body, 'w');
    buffer_be64(body, lsn);
    buffer_be64(body, lsn);
    buffer_be64(body, 0);
    buffer_text(body, text);
}

static void lawless_stream(struct peer *peer)
{
    static const struct {
        uint64_t lsn;
        const char *text;
    } messages[] = {
        {UINT64_MAX, "COMMIT 1"},
        {0, "table public.\"x: INSERT: n[integer]:1"},
        {5, "table public.lawless: INSERT: n[integer]:1"},
        {4, "BEGIN 4294967295"},
        {3, "BEGIN 2"},
        {2, "COMMIT 99999999999999"},
        {1, "table a.b, c.d, \"\".\"\": TRUNCATE: (no-flags)"},
        {1, "{\"action\":\"I\",\"schema\":\"\\u0000\",\"table\":\"\\ud800\"}"},
        {1, "{\"action\":\"B\",\"xid\":-1}"},
        {1, "message: transactional: 9 prefix: pgnudge, sz: 99999 content:x"},
    };
    struct buffer body = {0};

    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        stream_text(&body, messages[i].lsn, messages[i].text);
        plain(peer, 'd', body.data, body.len);
    }
    buffer_free(&body);
}

/* Some 64 kB of it at a time. */
static void repeat(struct peer *peer, char type, struct slice body)
{
    while (peer->endless.len < 65536 && !peer->endless.failed) {
        frame(&peer->endless, type, body.data, body.len);
    }
}

#define BODY(text)   text, sizeof(text) - 1
#define ROW          BODY("\0\4\0\0\0\5false\0\0\0\0030/1\0\0\0\003999\0\0\0\003800")
#define PARAMETER    BODY("server_encoding\0\x1b[31m\0")
#define REMOVED      BODY("SERROR\0C58P01\0Mthe requested WAL has been removed\0\0")
#define ERROR_FIELDS BODY("SFATAL\0C57P01\0Mterminating connection\0\0")
#define NOTICE                                                                                     \
    BODY("SWARNING\0C01000\0Mno tuple identifier for UPDATE in table \"public\".\"\x1b[31m\"\0\0")

/* False: the message itself is not to be said any more. */
static bool misbehave(struct peer *peer, char type, struct slice body)
{
    struct slice half = {body.data, body.len / 2};
    uint32_t length = (uint32_t)body.len + 4;
    struct buffer whole = {0};

    switch (peer->setup.fault) {
    case FAULT_NONE:
    case FAULT_REMOVED:
    case FAULTS:
        return true;
    case FAULT_DROP:
        return false;
    case FAULT_CUT:
        with_length(peer, type, half, length);
        peer->closed = true;
        return false;
    case FAULT_CLOSE:
        peer->closed = true;
        return false;
    case FAULT_SILENCE:
        peer->silent = true;
        return false;
    case FAULT_HUGE:
        with_length(peer, type, body, 0x7fffffff);
        return false;
    case FAULT_NEGATIVE:
        with_length(peer, type, body, UINT32_MAX);
        return false;
    case FAULT_SHORT:
        with_length(peer, type, body, 3);
        return false;
    case FAULT_LONGER:
        with_length(peer, type, body, length + 1);
        return false;
    case FAULT_SHORTER:
        with_length(peer, type, body, length - (body.len > 0));
        return false;
    case FAULT_TYPE:
        plain(peer, '?', body.data, body.len);
        return false;
    case FAULT_EMPTY:
        plain(peer, type, "", 0);
        return false;
    case FAULT_HALF:
        plain(peer, type, half.data, half.len);
        return false;
    case FAULT_NUL:
        filled(peer, type, body.len, 0);
        return false;
    case FAULT_ONES:
        filled(peer, type, body.len, 0xff);
        return false;
    case FAULT_LETTERS:
        filled(peer, type, body.len, 'A');
        return false;
    case FAULT_MEGABYTES:
        buffer_append(&whole, body.data, body.len);
        for (size_t i = 0; i < MEGABYTES / strlen(SALT); i++) {
            buffer_text(&whole, SALT);
        }
        plain(peer, type, whole.data, whole.len);
        buffer_free(&whole);
        return false;
    case FAULT_JUNK:
        raw(peer, BODY("\x13\x37\xff\x00\x80 junk \x7f\x1b[31m"));
        return false;
    case FAULT_HTTP:
        raw(peer, BODY("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"));
        return false;
    case FAULT_DOUBLE:
        plain(peer, type, body.data, body.len);
        return true;
    case FAULT_SWAP:
        frame(&peer->held, type, body.data, body.len);
        return false;
    case FAULT_AUTHENTICATED:
        plain(peer, 'R', BODY("\0\0\0\0"));
        return true;
    case FAULT_ASKED:
        plain(peer, 'R', BODY("\0\0\0\3"));
        return true;
    case FAULT_READY:
        plain(peer, 'Z', BODY("I"));
        return true;
    case FAULT_FATAL:
        plain(peer, 'E', ERROR_FIELDS);
        return true;
    case FAULT_ERROR_ESCAPES:
        plain(peer, 'E',
              BODY("S\x1b]0;x\x07\0CXX000\0M\x1b[31mred\r\n\xc2\x9b"
                   "31m\x7f\0D\x1b[2J\0H\x1b[H\0\0"));
        return true;
    case FAULT_ERROR_ENDLESS:
        filled(peer, 'E', 2000000, 'M');
        return true;
    case FAULT_NEGOTIATE:
        plain(peer, 'v', BODY("\0\0\0\0\0\0\0\1_pq_.x\0"));
        return true;
    case FAULT_COPY_BOTH:
        plain(peer, 'W', BODY("\0\0\0"));
        return true;
    case FAULT_COPY_DONE:
        plain(peer, 'c', "", 0);
        return true;
    case FAULT_KEY:
        filled(peer, 'K', 3, 1);
        return true;
    case FAULT_NOTICES:
        many(peer, 'N', (struct slice){NOTICE});
        return true;
    case FAULT_PARAMETERS:
        many(peer, 'S', (struct slice){PARAMETER});
        return true;
    case FAULT_ROWS:
        many(peer, 'D', (struct slice){ROW});
        return true;
    case FAULT_ROWS_LIKE_IT:
        many(peer, type, body);
        return true;
    case FAULT_STREAM:
        lawless_stream(peer);
        return true;
    case FAULT_ENDLESS:
        repeat(peer, type, body);
        return true;
    case FAULT_ENDLESS_ROWS:
        repeat(peer, 'D', (struct slice){ROW});
        return true;
    case FAULT_ENDLESS_NOTICES:
        repeat(peer, 'N', (struct slice){NOTICE});
        return true;
    case FAULT_ENDLESS_ERRORS:
        repeat(peer, 'E', (struct slice){ERROR_FIELDS});
        return true;
    case FAULT_ENDLESS_PARAMETERS:
        repeat(peer, 'S', (struct slice){PARAMETER});
        return true;
    case FAULT_ENDLESS_BYTES:
        repeat(peer, 'A', body);
        with_length(peer, type, body, 0x7fffffff);
        return false;
    case FAULT_BODY:
        plain(peer, type, peer->setup.body, peer->setup.body_len);
        return false;
    case FAULT_RAW:
        raw(peer, peer->setup.body, peer->setup.body_len);
        return false;
    }
    return true;
}

static void say(struct peer *peer, char type, const void *data, size_t len)
{
    struct buffer held = peer->held;

    peer->held = (struct buffer){0};
    if (peer->said++ != peer->setup.at || misbehave(peer, type, (struct slice){data, len})) {
        plain(peer, type, data, len);
    }
    raw(peer, held.data, held.len);
    buffer_free(&held);
}

static void say_text(struct peer *peer, char type, const char *text)
{
    say(peer, type, text, strlen(text) + 1);
}

/* ---- answers ---- */

/* Columns by tabs; "\N" is NULL. */
static void say_row(struct peer *peer, const char *text)
{
    struct buffer body = {0};
    uint16_t columns = 1;

    for (const char *c = text; *c != '\0'; c++) {
        columns = (uint16_t)(columns + (*c == '\t'));
    }
    buffer_byte(&body, (char)(columns >> 8));
    buffer_byte(&body, (char)(columns & 0xff));
    for (const char *at = text; columns > 0; columns--) {
        size_t len = strcspn(at, "\t");

        if (len == 2 && memcmp(at, "\\N", 2) == 0) {
            buffer_be32(&body, UINT32_MAX);
        } else {
            buffer_be32(&body, (uint32_t)len);
            buffer_append(&body, at, len);
        }
        at += len + 1;
    }
    say(peer, 'D', body.data, body.len);
    buffer_free(&body);
}

static void say_description(struct peer *peer)
{
    say(peer, 'T', "\0\1x\0\0\0\0\0\0\0\0\0\0\31\xff\xff\xff\xff\xff\xff\0\0", 22);
}

static void say_done(struct peer *peer, const char *tag)
{
    say_text(peer, 'C', tag);
}

static void answer(struct peer *peer, const char *const *rows)
{
    say_description(peer);
    for (; *rows != NULL; rows++) {
        say_row(peer, *rows);
    }
    say_done(peer, "SELECT 1");
}

#define ANSWER(...) answer(peer, (const char *const[]){__VA_ARGS__, NULL})

static void answer_visibility(struct peer *peer)
{
    char row[100];

    snprintf(row, sizeof(row), "false\t%X/%X\t%u\t\\N", (unsigned)(peer->lsn >> 32),
             (unsigned)peer->lsn, FIRST_XID + 1000000000);
    ANSWER(row);
}

/* All tables that it is asked about are there; the first one has a parent. */
static void answer_lookup(struct peer *peer, const char *sql)
{
    unsigned number = 0;
    char row[100];

    say_description(peer);
    say_row(peer, "\\N\t2000\t\\N\t\\N\t\\N\t\\N");
    for (const char *at = sql; (at = strstr(at, "::oid)")) != NULL; at++) {
        snprintf(row, sizeof(row), "%u\t%u\t600\t500\tfalse\t\\N", number, 16384 + number);
        say_row(peer, row);
        number++;
    }
    say_row(peer, "0\t16384\t17000\t\\N\tpublic\tparent");
    say_done(peer, "SELECT 1");
}

/* The same by their OIDs, each with its own name. */
static void answer_lookup_by_oid(struct peer *peer)
{
    say_description(peer);
    say_row(peer, "\\N\t2000\t\\N\t\\N\t\\N\t\\N");
    for (unsigned number = 0; number < 2; number++) {
        unsigned oid = number == 0 ? WAL_STREAM_ORDERS : WAL_STREAM_ITEMS;
        char row[100];

        snprintf(row, sizeof(row), "%u\t%u\t600\t500\tfalse\t\\N", number, oid);
        say_row(peer, row);
        snprintf(row, sizeof(row), "%u\t%u\t%u\t\\N\tpublic\tt%u", number, oid, oid, oid);
        say_row(peer, row);
    }
    say_done(peer, "SELECT 5");
}

#define FILE_OF(file, oid) "1663\t" TEXT_OF(file) "\t" TEXT_OF(oid) "\ttrue\t0/1000000"

static void answer_files(struct peer *peer)
{
    ANSWER(FILE_OF(WAL_STREAM_ORDERS_FILE, WAL_STREAM_ORDERS),
           FILE_OF(WAL_STREAM_ITEMS_FILE, WAL_STREAM_ITEMS),
           FILE_OF(WAL_STREAM_ITEMS_NEXT, WAL_STREAM_ITEMS));
}

static void answer_definitions(struct peer *peer)
{
    ANSWER("0\t-77\t\\N\t\\N\t\\N\t\\N",
           TEXT_OF(WAL_STREAM_ORDERS) "\t78\t\\N\t\\N\tpublic\torders",
           TEXT_OF(WAL_STREAM_ITEMS) "\t79\t\\N\t\\N\tpublic\titems");
}

static void start_stream(struct peer *peer, bool physical)
{
    if (peer->setup.fault == FAULT_REMOVED) {
        say(peer, 'E', REMOVED);
        say(peer, 'Z', "I", 1);
        return;
    }
    say(peer, 'W', "\0\0\0", 3);
    peer->state = PEER_STREAMING;
    if (physical) {
        peer->wal = wal_stream_new(FIRST_LSN);
        peer->closed |= peer->wal == NULL;
    }
}

/* A statement of a query, without a ReadyForQuery. */
static void answer_statement(struct peer *peer, const char *sql)
{
    if (strstr(sql, "NULL::name, NULL::name, ") != NULL) {
        answer_lookup_by_oid(peer);
    } else if (strstr(sql, "WITH RECURSIVE v") != NULL) {
        answer_lookup(peer, sql);
    } else if (strstr(sql, "WITH RECURSIVE f") != NULL) {
        answer_definitions(peer);
    } else if (strstr(sql, "SELECT coalesce(nullif(c.reltablespace") != NULL ||
               strstr(sql, "SELECT NULL, NULL, NULL, NULL, NULL WHERE false") != NULL) {
        answer_files(peer);
    } else if (strstr(sql, "set_config(name") != NULL) {
        ANSWER("1s");
    } else if (strstr(sql, "set_config") != NULL) {
        ANSWER("0", "0", "warning");
    } else if (strstr(sql, "SELECT name, setting") != NULL) {
        ANSWER("wal_level\tlogical", "max_replication_slots\t10", "max_wal_senders\t10",
               "wal_sender_timeout\t60000", "synchronous_standby_names\t", "recovery\tfalse",
               "identity\t" IDENTITY, "system_id\t" SYSTEM, "oldest_xid\t700",
               "database\t" TEXT_OF(WAL_STREAM_DATABASE),
               "wal_block_size\t" TEXT_OF(WAL_STREAM_BLOCK),
               "wal_segment_size\t" TEXT_OF(WAL_STREAM_SEGMENT));
    } else if (strstr(sql, "PREPARE ") != NULL) {
        say_done(peer, "PREPARE");
    } else if (strstr(sql, "system_identifier") != NULL) {
        ANSWER(IDENTITY);
    } else if (strstr(sql, "pg_backend_pid") != NULL) {
        ANSWER("4242");
    } else if (strstr(sql, "EXECUTE pgnudge_visibility") != NULL) {
        answer_visibility(peer);
    } else if (strstr(sql, "l.relation::text") != NULL) {
        ANSWER("750\t" TEXT_OF(WAL_STREAM_ORDERS), "751\t\\N");
    } else if (strstr(sql, "pg_locks") != NULL) {
        ANSWER("750", "751");
    } else if (strstr(sql, "IDENTIFY_SYSTEM") != NULL) {
        ANSWER(SYSTEM "\t1\t0/1000000\tdb");
    } else if (strstr(sql, "CREATE_REPLICATION_SLOT") != NULL) {
        ANSWER("slot\t0/1000000\t\\N\ttest_decoding");
    } else if (strcmp(sql, "SELECT 1") == 0) {
        ANSWER("1");
    } else {
        say_description(peer);
        say_done(peer, "SELECT 0");
    }
}

static void take_query(struct peer *peer, char *sql)
{
    if (strstr(sql, "START_REPLICATION") != NULL) {
        start_stream(peer, strstr(sql, " PHYSICAL ") != NULL);
        return;
    }
    for (char *next = sql; next != NULL;) {
        char *statement = next;

        next = strstr(statement, "; ");
        if (next != NULL) {
            *next = '\0';
            next += 2;
        }
        answer_statement(peer, statement);
    }
    say(peer, 'Z', "I", 1);
}

/* ---- login ---- */

static void append_base64(struct buffer *out, const unsigned char *data, int len)
{
    unsigned char text[100];

    buffer_append(out, text, (size_t)EVP_EncodeBlock(text, data, len));
}

/* RFC 5802, 3. */
static void hash_by(const unsigned char *key, struct slice text, unsigned char out[HASH_BYTES])
{
    HMAC(EVP_sha256(), key, HASH_BYTES, (const unsigned char *)text.data, text.len, out, NULL);
}

static void challenge(struct peer *peer, struct slice first)
{
    const char *bare = memmem(first.data, first.len, "n=", 2);
    const char *nonce = memmem(first.data, first.len, "r=", 2);
    struct buffer body = {0};
    const char *end = first.data + first.len;

    if (bare == NULL || nonce == NULL) {
        peer->closed = true;
        return;
    }
    PKCS5_PBKDF2_HMAC(PEER_PASSWORD, -1, (const unsigned char *)SALT, (int)strlen(SALT),
                      (int)peer->setup.iterations, EVP_sha256(), HASH_BYTES, peer->salted);
    buffer_append(&peer->first_bare, bare, (size_t)(end - bare));
    buffer_append(&peer->server_first, nonce, (size_t)(end - nonce));
    buffer_text(&peer->server_first, SERVER_NONCE ",s=");
    append_base64(&peer->server_first, (const unsigned char *)SALT, (int)strlen(SALT));
    buffer_format(&peer->server_first, ",i=%u", peer->setup.iterations);
    buffer_be32(&body, 11);
    buffer_append(&body, peer->server_first.data, peer->server_first.len);
    say(peer, 'R', body.data, body.len);
    buffer_free(&body);
    peer->state = PEER_PROOF;
}

static void say_parameter(struct peer *peer, const char *name, const char *value)
{
    struct buffer body = {0};

    buffer_append(&body, name, strlen(name) + 1);
    buffer_append(&body, value, strlen(value) + 1);
    say(peer, 'S', body.data, body.len);
    buffer_free(&body);
}

static void welcome(struct peer *peer)
{
    say(peer, 'R', "\0\0\0\0", 4);
    say_parameter(peer, "server_version", "15.18");
    say_parameter(peer, "server_encoding", "UTF8");
    say_parameter(peer, "in_hot_standby", "off");
    say(peer, 'K', "\0\0\x10\x92secr", 8);
    say(peer, 'Z', "I", 1);
    peer->state = PEER_QUERIES;
}

static void take_proof(struct peer *peer, struct slice final)
{
    const char *proof = memmem(final.data, final.len, ",p=", 3);
    unsigned char key[HASH_BYTES], signature[HASH_BYTES];
    struct buffer text = {0}, body = {0};

    if (proof == NULL) {
        peer->closed = true;
        return;
    }
    buffer_append(&text, peer->first_bare.data, peer->first_bare.len);
    buffer_byte(&text, ',');
    buffer_append(&text, peer->server_first.data, peer->server_first.len);
    buffer_byte(&text, ',');
    buffer_append(&text, final.data, (size_t)(proof - final.data));
    hash_by(peer->salted, slice_of("Server Key"), key);
    hash_by(key, (struct slice){text.data, text.len}, signature);
    buffer_be32(&body, 12);
    buffer_text(&body, "v=");
    append_base64(&body, signature, HASH_BYTES);
    say(peer, 'R', body.data, body.len);
    buffer_free(&text);
    buffer_free(&body);
    welcome(peer);
}

static void take_startup(struct peer *peer, struct slice packet)
{
    static const char mechanisms[] = "\0\0\0\12SCRAM-SHA-256\0";

    peer->replication = memmem(packet.data, packet.len, "replication", 11) != NULL;
    say(peer, 'R', mechanisms, sizeof(mechanisms));
    peer->state = PEER_SASL;
}

/* ---- what the client sends ---- */

static void keepalive(struct peer *peer)
{
    struct buffer body = {0};

    buffer_byte(&body, 'k');
    buffer_be64(&body, peer->lsn);
    buffer_be64(&body, 0);
    buffer_byte(&body, (char)(peer->said % 2)); /* whether it asks for an answer */
    say(peer, 'd', body.data, body.len);
    buffer_free(&body);
}

static void take_message(struct peer *peer, char type, struct slice body)
{
    struct buffer sql = {0};
    const char *first;

    switch (peer->state) {
    case PEER_STARTUP:
        break;
    case PEER_SASL:
        first = type == 'p' && body.len > 18 ? body.data + 18 : NULL; /* mechanism, length */
        if (first == NULL) {
            peer->closed = true;
        } else {
            challenge(peer, (struct slice){first, body.len - 18});
        }
        break;
    case PEER_PROOF:
        take_proof(peer, body);
        break;
    case PEER_QUERIES:
        if (type == 'Q') {
            buffer_append(&sql, body.data, body.len);
            buffer_byte(&sql, '\0');
            if (!sql.failed) {
                take_query(peer, sql.data);
            }
            buffer_free(&sql);
        }
        break;
    case PEER_STREAMING:
        if (type == 'd' && body.len > 0 && body.data[body.len - 1] != 0) { /* it asks for a reply */
            keepalive(peer);
        }
        if (type == 'c') {
            say(peer, 'c', "", 0);
            say_done(peer, "COPY 0");
            say(peer, 'Z', "I", 1);
            peer->state = PEER_QUERIES;
        }
        break;
    }
    if (type == 'X') {
        peer->closed = true;
    }
}

static uint32_t be32(const char *data)
{
    const unsigned char *p = (const unsigned char *)data;

    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The packets of the beginning have no type. False: not all of it is there. */
static bool take_first(struct peer *peer)
{
    size_t len = peer->in.len >= 8 ? be32(peer->in.data) : 0;

    if (len < 8 || peer->in.len < len) {
        return false;
    }
    switch (be32(peer->in.data + 4)) {
    case SSL_REQUEST:
        raw(peer, "N", 1);
        break;
    case CANCEL:
        peer->closed = true;
        break;
    default:
        take_startup(peer, (struct slice){peer->in.data, len});
        break;
    }
    buffer_consume(&peer->in, len);
    return true;
}

static bool take_next(struct peer *peer)
{
    size_t len = peer->in.len >= 5 ? (size_t)be32(peer->in.data + 1) + 1 : 0;

    if (len < 5 || peer->in.len < len) {
        return false;
    }
    take_message(peer, peer->in.data[0], (struct slice){peer->in.data + 5, len - 5});
    buffer_consume(&peer->in, len);
    return true;
}

void peer_take(struct peer *peer, const char *data, size_t len)
{
    bool more = true;

    buffer_append(&peer->in, data, len);
    while (more && !peer->closed) {
        more = peer->state == PEER_STARTUP ? take_first(peer) : take_next(peer);
    }
}

/* ---- the stream ---- */

static void stream(struct peer *peer, const char *text)
{
    struct buffer body = {0};

    peer->lsn += 100;
    stream_text(&body, peer->lsn, text);
    say(peer, 'd', body.data, body.len);
    buffer_free(&body);
}

/* A BEGIN or a COMMIT. */
static void stream_mark(struct peer *peer, const char *word)
{
    char text[40];

    snprintf(text, sizeof(text), "%s %u", word, peer->xid);
    stream(peer, text);
}

static void stream_wal(struct peer *peer)
{
    struct buffer body = {0};
    uint64_t lsn;
    struct slice wal = wal_stream_next(peer->wal, peer->xid, &lsn);

    for (size_t at = 0; at < wal.len; at += wal.len / 2 + 1) { /* in two messages */
        size_t len = wal.len - at < wal.len / 2 + 1 ? wal.len - at : wal.len / 2 + 1;

        buffer_clear(&body);
        buffer_byte(&body, 'w');
        buffer_be64(&body, lsn + at);
        buffer_be64(&body, lsn + wal.len);
        buffer_be64(&body, 0);
        buffer_append(&body, wal.data + at, len);
        say(peer, 'd', body.data, body.len);
    }
    peer->lsn = lsn + wal.len;
    buffer_free(&body);
}

static void stream_changes(struct peer *peer)
{
    stream_mark(peer, "BEGIN");
    stream(peer, "table public.orders: INSERT: id[integer]:1 n[integer]:2");
    stream(peer, peer->xid % 2 == 0 ? "table public.\"t 1\": UPDATE: n[integer]:1"
                                    : "table a.b, c.d: TRUNCATE: (no-flags)");
    stream(peer, "message: transactional: 1 prefix: pgnudge, sz: 12 content:public.items");
    stream_mark(peer, "COMMIT");
}

bool peer_tick(struct peer *peer)
{
    if (peer->state != PEER_STREAMING || peer->streamed >= peer->setup.transactions) {
        return false;
    }
    peer->streamed++;
    if (peer->wal != NULL) {
        stream_wal(peer);
    } else {
        stream_changes(peer);
    }
    peer->xid++;
    keepalive(peer);
    return true;
}

/* ---- the rest ---- */

void peer_more(struct peer *peer)
{
    if (peer->out.len == 0 && !peer->closed) {
        buffer_append(&peer->out, peer->endless.data, peer->endless.len);
    }
}

struct buffer *peer_out(struct peer *peer)
{
    return &peer->out;
}

bool peer_closed(const struct peer *peer)
{
    return peer->closed;
}

unsigned peer_said(const struct peer *peer)
{
    return peer->said;
}

bool peer_streams(const struct peer *peer)
{
    return peer->replication;
}

void peer_free(struct peer *peer)
{
    if (peer != NULL) {
        buffer_free(&peer->in);
        buffer_free(&peer->out);
        buffer_free(&peer->held);
        buffer_free(&peer->endless);
        buffer_free(&peer->first_bare);
        buffer_free(&peer->server_first);
        wal_stream_free(peer->wal);
        free(peer);
    }
}
