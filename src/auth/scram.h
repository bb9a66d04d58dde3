/*
 * The client's side of SCRAM (RFC 5802) with any hash, PostgreSQL's being
 * SHA-256 (RFC 7677). No I/O: each call takes the server's message or makes
 * the next one, and none can be left out.
 *
 * The password is used as it is, which is what SASLprep makes of text in its
 * usual composed form; RFC 4013's mapping of the rest is not done.
 */
#ifndef PGNUDGE_AUTH_SCRAM_H
#define PGNUDGE_AUTH_SCRAM_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"

#define SCRAM_ITERATIONS_MAX 10000000 /* seconds of CPU; more is refused */
#define SCRAM_SLICE          8192     /* iterations in one call: some milliseconds */

struct scram;

struct scram_setup {
    const char *hash;     /* OpenSSL's name of it: "SHA256" */
    const char *username; /* PostgreSQL takes the startup packet's and wants "" here */
    const char *password; /* borrowed until scram_free */
    const char *nonce;    /* printable, without commas; NULL: a random one */
    const char *gs2;      /* channel binding flag (RFC 5802, 7): "n,,", "y,," or "p=TYPE,," */
    struct slice binding; /* the channel binding data for "p"; copied */
};

/* NULL: `error` says why. */
struct scram *scram_new(const struct scram_setup *setup, struct error *error);

/* Appends the client-first-message. */
void scram_first(const struct scram *scram, struct buffer *out);

/* Takes the server-first-message; the answer is the work of scram_work. */
bool scram_continue(struct scram *scram, struct slice server_first, struct error *error);

enum scram_progress {
    SCRAM_WORKING, /* call it again */
    SCRAM_READY,   /* the client-final-message has been appended */
    SCRAM_FAILED   /* the error says why */
};

/* Goes on with the iterations that the server asks for, SCRAM_SLICE at most. */
enum scram_progress scram_work(struct scram *scram, struct buffer *out, struct error *error);

/* Takes the server-final-message. True: the server has proved that it knows the password. */
bool scram_finish(struct scram *scram, struct slice server_final, struct error *error);

/* Wipes and frees. NULL is fine. */
void scram_free(struct scram *scram);

#endif
