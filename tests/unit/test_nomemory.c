/* OpenSSL without memory: each of its allocations fails once, which is an error and no crash. */
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/scram.h"
#include "check.h"
#include "loopback.h"
#include "tls/tls.h"

static unsigned long made, fail_at;

static bool fails(void)
{
    return fail_at > 0 && ++made == fail_at;
}

static void *take(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails() ? NULL : malloc(size);
}

static void *take_again(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails() ? NULL : realloc(old, size);
}

static void give(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

/* The exchange of RFC 7677. Whether it came to its end. */
static bool exchange(struct error *error)
{
    static const struct scram_setup setup = {"SHA256", "user",   "pencil", "rOprNGfwEbeRWgbNEkqO",
                                             "n,,",    {NULL, 0}};
    struct buffer out = {0};
    struct scram *scram = scram_new(&setup, error);
    enum scram_progress progress = SCRAM_FAILED;
    bool ok = false;

    if (scram != NULL &&
        scram_continue(scram,
                       slice_of("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
                       error)) {
        do {
            progress = scram_work(scram, &out, error);
        } while (progress == SCRAM_WORKING);
        ok = progress == SCRAM_READY &&
             scram_finish(scram, slice_of("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="), error);
    }
    buffer_free(&out);
    scram_free(scram);
    return ok;
}

/* A handshake's first step, to somebody who doesn't answer. */
static bool hello(struct error *error)
{
    struct loopback loopback;
    struct tls *tls;
    bool ok = false;

    if (!loopback_open(&loopback, error)) {
        return false;
    }
    loopback.info.sslmode = SSLMODE_REQUIRE;
    tls = tls_new(conn_pollfd(loopback.conn).fd, &loopback.info, "localhost", error);
    if (tls != NULL) {
        ok = tls_handshake(tls, error) == IO_AGAIN;
    }
    tls_free(tls);
    loopback_close(&loopback);
    return ok;
}

static void each_fails(bool (*scenario)(struct error *error))
{
    struct error error;
    unsigned long failed = 0;
    bool over = false;

    fail_at = 0;
    CHECK(scenario(&error)); /* what is set up once is there now */
    for (unsigned long number = 1; !over && number < 100000; number++) {
        bool ok;

        CASE("allocation %lu", number);
        error_clear(&error);
        made = 0;
        fail_at = number;
        ok = scenario(&error);
        over = made < number;
        fail_at = 0;
        if (!ok) {
            failed++;
            CHECK(error.kind == ERROR_FATAL || error.kind == ERROR_TRANSIENT ||
                  error.kind == ERROR_PERMANENT);
            CHECK(error.message[0] != '\0');
        }
    }
    CHECK(over);
    CHECK(failed > 3);
    CHECK(scenario(&error)); /* and it goes on */
}

static void scram(void)
{
    each_fails(exchange);
}

static void tls(void)
{
    each_fails(hello);
}

static const struct check_test tests[] = {
    {"SCRAM", scram},
    {"a TLS handshake", tls},
};

int main(void)
{
    struct error error;

    if (CRYPTO_set_mem_functions(take, take_again, give) != 1 || !tls_init(&error)) {
        return 1;
    }
    return check_run(tests, COUNT_OF(tests));
}
