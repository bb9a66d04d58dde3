/* SCRAM, against the vectors of RFC 5802 (5) and RFC 7677 (3), and against forgers. */
#include "auth/scram.h"

#include <stdlib.h>

#include "check.h"

struct exchange {
    struct scram_setup setup;
    const char *client_first;
    const char *server_first;
    const char *client_final;
    const char *server_final;
};

static const struct exchange rfc5802 = {
    .setup = {"SHA1", "user", "pencil", "fyko+d2lbbFgONRv9qkxdawL", "n,,", {NULL, 0}},
    .client_first = "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    .server_first = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    .client_final = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
                    "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    .server_final = "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
};

static const struct exchange rfc7677 = {
    .setup = {"SHA256", "user", "pencil", "rOprNGfwEbeRWgbNEkqO", "n,,", {NULL, 0}},
    .client_first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    .server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    .client_final = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    .server_final = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

/* As PostgreSQL has it: no user name, channel binding. Computed with Python's hashlib. */
static const struct exchange bound = {
    .setup = {"SHA256", "", "p\xc3\xa4ssw\xc3\xb6rd", "abc", "p=tls-server-end-point,,",
              LITERAL("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17"
                      "\20\21\22\23\24\25\26\27\30\31\32\33\34\35\36\37")},
    .client_first = "p=tls-server-end-point,,n=,r=abc",
    .server_first = "r=abcXYZ,s=c2FsdHNhbHRzYWx0c2FsdA==,i=1",
    .client_final = "c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
                    ",r=abcXYZ,p=doioFpN3oIUbykOF4FxoWH7eoGe/lC7hdCn9edcg7/o=",
    .server_final = "v=9lOLjtYVdUmFlj+DYyZEXV4Pg7gQZ1ac2tSQHiPVCsQ=",
};

/* Takes the server-first-message, and works until the answer is there. */
static bool respond(struct scram *scram, struct slice server_first, struct buffer *out,
                    struct error *error)
{
    enum scram_progress progress;

    if (!scram_continue(scram, server_first, error)) {
        return false;
    }
    while ((progress = scram_work(scram, out, error)) == SCRAM_WORKING) {
        CHECK_INT(out->len, 0);
    }
    return progress == SCRAM_READY;
}

static void run_exchange(const struct exchange *exchange)
{
    struct buffer first = {0}, final = {0};
    struct error error;
    struct scram *scram = scram_new(&exchange->setup, &error);

    REQUIRE(scram != NULL);
    scram_first(scram, &first);
    CHECK_BUFFER(first, exchange->client_first);
    CHECK(respond(scram, slice_of(exchange->server_first), &final, &error));
    CHECK_BUFFER(final, exchange->client_final);
    CHECK(scram_finish(scram, slice_of(exchange->server_final), &error));
    buffer_free(&first);
    buffer_free(&final);
    scram_free(scram);
}

static void vectors(void)
{
    run_exchange(&rfc5802);
    run_exchange(&rfc7677);
}

static void channel_binding(void)
{
    run_exchange(&bound);
}

static void server_first_refused(void)
{
    static const struct {
        const char *message;
        const char *why; /* part of the error's message */
    } cases[] = {
        {"", "lacks"},
        {"r=abcXYZ", "lacks"},
        {"r=abcXYZ,s=c2FsdA==", "lacks"},
        {"s=c2FsdA==,r=abcXYZ,i=4096", "lacks"},
        {"m=ext,r=abcXYZ,s=c2FsdA==,i=4096", "lacks"}, /* an extension that must be understood */
        {"e=other-error", "lacks"},
        {"r=abc,s=c2FsdA==,i=4096", "nonce"}, /* the server added nothing */
        {"r=abX,s=c2FsdA==,i=4096", "nonce"},
        {"r=abdXYZ,s=c2FsdA==,i=4096", "nonce"},
        {"r=XYZabc,s=c2FsdA==,i=4096", "nonce"},
        {"r=,s=c2FsdA==,i=4096", "nonce"},
        {"r=abcXYZ,s=,i=4096", "salt"},
        {"r=abcXYZ,s=c2Fsd,i=4096", "salt"},
        {"r=abcXYZ,s=c2Fs====,i=4096", "salt"},
        {"r=abcXYZ,s=c=FsdA==,i=4096", "salt"},
        {"r=abcXYZ,s=c2F dA==,i=4096", "salt"},
        {"r=abcXYZ,s=c2FsdA==\n,i=4096", "salt"},
        {"r=abcXYZ,s=c2Fs-_==,i=4096", "salt"},
        {"r=abcXYZ,s=c2FsdA==,i=", "iteration"},
        {"r=abcXYZ,s=c2FsdA==,i=0", "iteration"},
        {"r=abcXYZ,s=c2FsdA==,i=-1", "iteration"},
        {"r=abcXYZ,s=c2FsdA==,i=+1", "iteration"},
        {"r=abcXYZ,s=c2FsdA==,i= 1", "iteration"},
        {"r=abcXYZ,s=c2FsdA==,i=4096x", "iteration"},
        {"r=abcXYZ,s=c2FsdA==,i=many", "iteration"},
        {"r=abcXYZ,s=c2FsdA==,i=10000001", "iterations"},
        {"r=abcXYZ,s=c2FsdA==,i=999999999999999999", "iterations"},
        {"r=abcXYZ,s=c2FsdA==,i=18446744073709551617", "iteration"}, /* 1, were it to wrap */
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scram_setup setup = {"SHA256", "", "secret", "abc", "n,,", {NULL, 0}};
        struct error error = {0};
        struct buffer out = {0};
        struct scram *scram = scram_new(&setup, &error);

        REQUIRE(scram != NULL);
        CASE("%s", cases[i].message);
        CHECK(!respond(scram, slice_of(cases[i].message), &out, &error));
        CHECK_INT(error.kind, ERROR_PERMANENT);
        CHECK(strstr(error.message, cases[i].why) != NULL);
        CHECK_INT(out.len, 0); /* no proof for a forger to work on */
        buffer_free(&out);
        scram_free(scram);
    }
}

/* Without a NUL behind it, and with one inside. */
static void server_first_is_bytes(void)
{
    static const struct slice cases[] = {
        LITERAL("r=abc\0XYZ"),
        LITERAL("r=abcXYZ,s=c2Fs\0A==,i=4096"),
        LITERAL("r=abcXYZ,s=c2FsdA==,i=40\09"),
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct scram_setup setup = {"SHA256", "", "secret", "abc", "n,,", {NULL, 0}};
        struct error error;
        struct buffer out = {0};
        struct scram *scram = scram_new(&setup, &error);
        char *exact = malloc(cases[i].len);

        REQUIRE(scram != NULL && exact != NULL);
        memcpy(exact, cases[i].data, cases[i].len);
        CASE("case %zu", i);
        CHECK(!respond(scram, (struct slice){exact, cases[i].len}, &out, &error));
        free(exact);
        buffer_free(&out);
        scram_free(scram);
    }
}

static void long_messages_refused(void)
{
    struct scram_setup setup = {"SHA256", "", "secret", "abc", "n,,", {NULL, 0}};
    struct error error;
    struct buffer message = {0}, out = {0};
    struct scram *scram = scram_new(&setup, &error);

    REQUIRE(scram != NULL);
    buffer_text(&message, "r=abcXYZ,s=");
    for (int i = 0; i < 400; i++) {
        buffer_text(&message, "AAAA"); /* 1200 bytes of salt, which would still fit a message */
    }
    buffer_text(&message, ",i=1");
    CHECK(!respond(scram, check_content(&message), &out, &error));
    buffer_clear(&message);
    buffer_text(&message, "r=abc");
    for (int i = 0; i < 5000; i++) {
        buffer_byte(&message, 'X');
    }
    buffer_text(&message, ",s=c2FsdA==,i=1");
    CHECK(!respond(scram, check_content(&message), &out, &error));
    buffer_free(&message);
    buffer_free(&out);
    scram_free(scram);
}

static void server_final_refused(void)
{
    static const struct {
        const char *message;
        const char *why;
    } cases[] = {
        {"", "no signature"},
        {"v=", "signature is wrong"},
        {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95H4=", "signature is wrong"},
        {"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "signature is wrong"},
        {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl9", "signature is wrong"},     /* too short */
        {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4A", "signature is wrong"}, /* too long */
        {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4", "signature is wrong"},
        {"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "signature is wrong"},
        {"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "signature is wrong"}, /* SHA-1's */
        {"x=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "no signature"},
        {"e=invalid-proof", "invalid-proof"},
        {"e=other,v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "other"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error error = {0};
        struct buffer out = {0};
        struct scram *scram = scram_new(&rfc7677.setup, &error);

        REQUIRE(scram != NULL);
        CASE("%s", cases[i].message);
        CHECK(respond(scram, slice_of(rfc7677.server_first), &out, &error));
        CHECK(!scram_finish(scram, slice_of(cases[i].message), &error));
        CHECK_INT(error.kind, ERROR_PERMANENT);
        CHECK(strstr(error.message, cases[i].why) != NULL);
        /* Nor does the right one help after it. */
        CHECK(!scram_finish(scram, slice_of(rfc7677.server_final), &error));
        buffer_free(&out);
        scram_free(scram);
    }
}

static void out_of_turn(void)
{
    struct error error;
    struct buffer out = {0};
    struct scram *scram = scram_new(&rfc7677.setup, &error);
    size_t len;

    REQUIRE(scram != NULL);
    /* Before the challenge the signature that we expect is all zero: it must not count. */
    CHECK(!scram_finish(scram, slice_of("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), &error));
    CHECK(respond(scram, slice_of(rfc7677.server_first), &out, &error));
    len = out.len;
    CHECK(!respond(scram, slice_of(rfc7677.server_first), &out, &error));
    CHECK_INT(out.len, len);
    CHECK(scram_finish(scram, slice_of(rfc7677.server_final), &error));
    CHECK(!scram_finish(scram, slice_of(rfc7677.server_final), &error));
    CHECK(!respond(scram, slice_of(rfc7677.server_first), &out, &error));
    buffer_free(&out);
    scram_free(scram);
}

/* OpenSSL's own PBKDF2 gives the same, over more than one slice. */
static void in_slices(void)
{
    static const struct exchange long_one = {
        .setup = {"SHA256", "", "pencil", "abc", "n,,", {NULL, 0}},
    };
    struct error error;
    struct buffer out = {0};
    struct scram *scram = scram_new(&long_one.setup, &error);
    int calls = 1;

    REQUIRE(scram != NULL);
    CHECK(scram_continue(scram, slice_of("r=abcXYZ,s=c2FsdA==,i=20000"), &error));
    CHECK(!scram_finish(scram, slice_of("v=AAAA"), &error)); /* the proof isn't there yet */
    while (scram_work(scram, &out, &error) == SCRAM_WORKING) {
        calls++;
    }
    CHECK_INT(calls, (20000 - 1 + SCRAM_SLICE - 1) / SCRAM_SLICE);
    CHECK_BUFFER(out, "c=biws,r=abcXYZ,p=7DOwtlbo8D5WjdfpgbGfhcl5pEVqo+Z6A0oVdZMjoug=");
    buffer_free(&out);
    scram_free(scram);
}

static void random_nonces(void)
{
    struct scram_setup setup = {"SHA256", "", "secret", NULL, "n,,", {NULL, 0}};
    struct buffer first[2] = {{0}, {0}};
    struct error error;

    for (size_t i = 0; i < 2; i++) {
        struct scram *scram = scram_new(&setup, &error);

        REQUIRE(scram != NULL);
        scram_first(scram, &first[i]);
        scram_free(scram);
        CHECK(slice_starts(check_content(&first[i]), "n,,n=,r="));
        CHECK_INT(first[i].len, 8 + 24);
        CHECK(memchr(first[i].data + 8, ',', 24) == NULL);
    }
    CHECK(!slice_equal(check_content(&first[0]), check_content(&first[1])));
    buffer_free(&first[0]);
    buffer_free(&first[1]);
}

static void unknown_hash(void)
{
    struct scram_setup setup = {"SHA-NONE", "", "secret", "abc", "n,,", {NULL, 0}};
    struct error error = {0};

    CHECK(scram_new(&setup, &error) == NULL);
    CHECK_INT(error.kind, ERROR_FATAL);
    scram_free(NULL);
}

static const struct check_test tests[] = {
    {"the vectors of RFC 5802 and RFC 7677", vectors},
    {"channel binding input is the header and the data", channel_binding},
    {"a server's first message that is malformed, replayed or too expensive is refused",
     server_first_refused},
    {"… and one with NULs inside", server_first_is_bytes},
    {"… and one that is too long", long_messages_refused},
    {"a server that doesn't prove itself is refused, for good", server_final_refused},
    {"messages out of turn are refused", out_of_turn},
    {"without a given nonce it is random", random_nonces},
    {"a hash that OpenSSL lacks", unknown_hash},
    {"many iterations are done in slices", in_slices},
};

CHECK_MAIN(tests)
