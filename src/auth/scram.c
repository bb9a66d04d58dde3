#include "auth/scram.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONCE_BYTES  18   /* before base64; 24 characters */
#define SALT_MAX     1024 /* bytes; PostgreSQL's is 16 */
#define EXCHANGE_MAX 4096 /* bytes of one message; PostgreSQL's are below 200 */

enum scram_state { SCRAM_BEGUN, SCRAM_COMPUTING, SCRAM_PROVED, SCRAM_OVER };

struct scram {
    enum scram_state state;
    const EVP_MD *hash;
    const char *password;
    char gs2[64];
    struct buffer first_bare;              /* client-first-message-bare */
    struct buffer nonce;                   /* ours */
    struct buffer binding;                 /* cbind-input: gs2 header and binding data */
    struct buffer final;                   /* client-final-message-without-proof */
    struct buffer auth;                    /* AuthMessage */
    EVP_MAC_CTX *mac;                      /* COMPUTING: HMAC with the password as its key */
    uint64_t left;                         /* iterations still to do */
    unsigned char last[EVP_MAX_MD_SIZE];   /* U of the last iteration (RFC 5802, 2.2: Hi) */
    unsigned char salted[EVP_MAX_MD_SIZE]; /* the sum of all U; at the end the salted password */
    unsigned char server_signature[EVP_MAX_MD_SIZE];
};

static bool forged(struct error *error, const char *what)
{
    return error_set(error, ERROR_PERMANENT, "malformed SCRAM message: %s", what);
}

static void append_base64(struct buffer *out, const void *data, size_t len)
{
    unsigned char text[(EXCHANGE_MAX + 2) / 3 * 4 + 1];

    if (len > EXCHANGE_MAX) {
        out->failed = true;
        return;
    }
    buffer_append(out, text, (size_t)EVP_EncodeBlock(text, data, (int)len));
}

/* Decodes strictly; the length in bytes, or -1. */
static int decode_base64(struct slice text, unsigned char *data, size_t cap)
{
    int padding = 0;
    int len;

    if (text.len == 0 || text.len % 4 != 0 || text.len / 4 * 3 > cap) {
        return -1;
    }
    while (padding < 2 && text.data[text.len - 1 - (size_t)padding] == '=') {
        padding++;
    }
    for (size_t i = 0; i < text.len - (size_t)padding; i++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                   text.data[i]) == NULL ||
            text.data[i] == '\0') {
            return -1;
        }
    }
    len = EVP_DecodeBlock(data, (const unsigned char *)text.data, (int)text.len);
    return len < 0 ? -1 : len - padding;
}

static bool make_nonce(struct scram *scram, const char *given)
{
    unsigned char random[NONCE_BYTES];

    if (given != NULL) {
        buffer_text(&scram->nonce, given);
        return true;
    }
    if (RAND_bytes(random, sizeof(random)) != 1) {
        return false;
    }
    append_base64(&scram->nonce, random, sizeof(random));
    return true;
}

struct scram *scram_new(const struct scram_setup *setup, struct error *error)
{
    struct scram *scram = OPENSSL_zalloc(sizeof(*scram));

    if (scram == NULL) {
        error_memory(error);
        return NULL;
    }
    scram->hash = EVP_get_digestbyname(setup->hash);
    scram->password = setup->password;
    snprintf(scram->gs2, sizeof(scram->gs2), "%s", setup->gs2);
    if (scram->hash == NULL || !make_nonce(scram, setup->nonce)) {
        error_set(error, ERROR_FATAL, "could not set up SCRAM: OpenSSL has no %s or no randomness",
                  setup->hash);
        scram_free(scram);
        return NULL;
    }
    buffer_text(&scram->binding, setup->gs2);
    buffer_append(&scram->binding, setup->binding.data, setup->binding.len);
    buffer_format(&scram->first_bare, "n=%s,r=", setup->username);
    buffer_append(&scram->first_bare, scram->nonce.data, scram->nonce.len);
    if (scram->binding.failed || scram->first_bare.failed || scram->nonce.failed) {
        error_memory(error);
        scram_free(scram);
        return NULL;
    }
    return scram;
}

void scram_first(const struct scram *scram, struct buffer *out)
{
    buffer_text(out, scram->gs2);
    buffer_append(out, scram->first_bare.data, scram->first_bare.len);
}

/* Takes "NAME=value" off the front of a comma-separated message. */
static bool attribute(struct slice *message, char name, struct slice *value)
{
    const char *comma;

    if (message->len < 2 || message->data[0] != name || message->data[1] != '=') {
        return false;
    }
    comma = memchr(message->data, ',', message->len);
    value->data = message->data + 2;
    value->len = comma != NULL ? (size_t)(comma - value->data) : message->len - 2;
    message->data += value->len + 2;
    message->len -= value->len + 2;
    if (comma != NULL) {
        message->data++;
        message->len--;
    }
    return true;
}

static bool hmac(const struct scram *scram, const unsigned char *key, struct slice text,
                 unsigned char *out)
{
    return HMAC(scram->hash, key, EVP_MD_get_size(scram->hash), (const unsigned char *)text.data,
                text.len, out, NULL) != NULL;
}

/* RFC 5802, 3: from the salted password to the proof and the signature that the server owes us. */
static bool compute(struct scram *scram, const unsigned char *salted, struct slice auth_message,
                    unsigned char *proof)
{
    int size = EVP_MD_get_size(scram->hash);
    unsigned char client_key[EVP_MAX_MD_SIZE];
    unsigned char stored_key[EVP_MAX_MD_SIZE];
    unsigned char server_key[EVP_MAX_MD_SIZE];
    bool ok;

    ok = hmac(scram, salted, slice_of("Client Key"), client_key) &&
         EVP_Digest(client_key, (size_t)size, stored_key, NULL, scram->hash, NULL) == 1 &&
         hmac(scram, stored_key, auth_message, proof) &&
         hmac(scram, salted, slice_of("Server Key"), server_key) &&
         hmac(scram, server_key, auth_message, scram->server_signature);
    for (int i = 0; ok && i < size; i++) {
        proof[i] ^= client_key[i];
    }
    OPENSSL_cleanse(client_key, sizeof(client_key));
    OPENSSL_cleanse(stored_key, sizeof(stored_key));
    OPENSSL_cleanse(server_key, sizeof(server_key));
    return ok;
}

struct server_first {
    struct slice nonce;
    unsigned char salt[SALT_MAX];
    int salt_len;
    uint64_t iterations;
};

static bool read_server_first(const struct scram *scram, struct slice message,
                              struct server_first *first, struct error *error)
{
    struct slice salt, iterations;

    if (message.len > EXCHANGE_MAX || !attribute(&message, 'r', &first->nonce) ||
        !attribute(&message, 's', &salt) || !attribute(&message, 'i', &iterations)) {
        return forged(error, "the server's first one lacks a nonce, salt or iteration count");
    }
    if (first->nonce.len <= scram->nonce.len ||
        memcmp(first->nonce.data, scram->nonce.data, scram->nonce.len) != 0) {
        return forged(error, "the server's nonce doesn't begin with ours");
    }
    first->salt_len = decode_base64(salt, first->salt, sizeof(first->salt));
    if (first->salt_len < 0 || !slice_number(iterations, &first->iterations) ||
        first->iterations == 0) {
        return forged(error, "the salt or the iteration count is invalid");
    }
    if (first->iterations > SCRAM_ITERATIONS_MAX) {
        return error_set(error, ERROR_PERMANENT,
                         "the server asks for %llu SCRAM iterations, more than %d are refused",
                         (unsigned long long)first->iterations, SCRAM_ITERATIONS_MAX);
    }
    return true;
}

/* HMAC(password, text) into `last`. */
static bool mac_of(struct scram *scram, const void *text, size_t len, const void *more,
                   size_t more_len)
{
    size_t size = sizeof(scram->last);

    return EVP_MAC_init(scram->mac, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(scram->mac, text, len) == 1 &&
           (more_len == 0 || EVP_MAC_update(scram->mac, more, more_len) == 1) &&
           EVP_MAC_final(scram->mac, scram->last, &size, size) == 1;
}

/* The first iteration: HMAC(password, salt + INT(1)). */
static bool begin_hash(struct scram *scram, const struct server_first *first)
{
    static const unsigned char one[4] = {0, 0, 0, 1};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    char *digest = (char *)(uintptr_t)EVP_MD_get0_name(scram->hash);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    const unsigned char *key = (const unsigned char *)scram->password;
    bool ok;

    scram->mac = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac);
    ok = scram->mac != NULL &&
         EVP_MAC_init(scram->mac, key, strlen(scram->password), params) == 1 &&
         mac_of(scram, first->salt, (size_t)first->salt_len, one, sizeof(one));
    memcpy(scram->salted, scram->last, sizeof(scram->salted));
    scram->left = first->iterations - 1;
    return ok;
}

static bool iterate(struct scram *scram)
{
    size_t size = (size_t)EVP_MD_get_size(scram->hash);

    for (int i = 0; i < SCRAM_SLICE && scram->left > 0; i++, scram->left--) {
        if (!mac_of(scram, scram->last, size, NULL, 0)) {
            return false;
        }
        for (size_t byte = 0; byte < size; byte++) {
            scram->salted[byte] ^= scram->last[byte];
        }
    }
    return true;
}

bool scram_continue(struct scram *scram, struct slice server_first, struct error *error)
{
    struct server_first first = {0};

    if (scram->state != SCRAM_BEGUN) {
        return forged(error, "a second challenge");
    }
    if (!read_server_first(scram, server_first, &first, error)) {
        return false;
    }
    buffer_text(&scram->final, "c=");
    append_base64(&scram->final, scram->binding.data, scram->binding.len);
    buffer_text(&scram->final, ",r=");
    buffer_append(&scram->final, first.nonce.data, first.nonce.len);
    buffer_append(&scram->auth, scram->first_bare.data, scram->first_bare.len);
    buffer_byte(&scram->auth, ',');
    buffer_append(&scram->auth, server_first.data, server_first.len);
    buffer_byte(&scram->auth, ',');
    buffer_append(&scram->auth, scram->final.data, scram->final.len);
    if (scram->final.failed || scram->auth.failed || !begin_hash(scram, &first)) {
        return error_set(error, ERROR_FATAL, "could not compute the SCRAM proof");
    }
    scram->state = SCRAM_COMPUTING;
    return true;
}

enum scram_progress scram_work(struct scram *scram, struct buffer *out, struct error *error)
{
    unsigned char proof[EVP_MAX_MD_SIZE];
    bool ok = scram->state == SCRAM_COMPUTING && iterate(scram);

    if (ok && scram->left > 0) {
        return SCRAM_WORKING;
    }
    ok = ok &&
         compute(scram, scram->salted, (struct slice){scram->auth.data, scram->auth.len}, proof);
    if (ok) {
        buffer_append(out, scram->final.data, scram->final.len);
        buffer_text(out, ",p=");
        append_base64(out, proof, (size_t)EVP_MD_get_size(scram->hash));
        scram->state = SCRAM_PROVED;
    } else {
        error_set(error, ERROR_FATAL, "could not compute the SCRAM proof");
    }
    OPENSSL_cleanse(proof, sizeof(proof));
    OPENSSL_cleanse(scram->salted, sizeof(scram->salted));
    OPENSSL_cleanse(scram->last, sizeof(scram->last));
    EVP_MAC_CTX_free(scram->mac);
    scram->mac = NULL;
    return ok ? SCRAM_READY : SCRAM_FAILED;
}

bool scram_finish(struct scram *scram, struct slice server_final, struct error *error)
{
    unsigned char signature[EVP_MAX_MD_SIZE + 3];
    struct slice value;
    int size = EVP_MD_get_size(scram->hash);

    if (scram->state != SCRAM_PROVED) {
        return forged(error, "the server's last one came before its challenge");
    }
    scram->state = SCRAM_OVER;
    if (attribute(&server_final, 'e', &value)) {
        return error_set(error, ERROR_PERMANENT, "the server refused the SCRAM exchange: %.*s",
                         (int)(value.len < 200 ? value.len : 200), value.data);
    }
    if (!attribute(&server_final, 'v', &value)) {
        return forged(error, "the server's last one has no signature");
    }
    if (decode_base64(value, signature, sizeof(signature)) != size ||
        CRYPTO_memcmp(signature, scram->server_signature, (size_t)size) != 0) {
        error_set(error, ERROR_PERMANENT, "the server's SCRAM signature is wrong");
        error_hint(error, "It doesn't know the password: it may not be the server you meant.");
        return false;
    }
    return true;
}

void scram_free(struct scram *scram)
{
    if (scram != NULL) {
        buffer_free(&scram->first_bare);
        buffer_free(&scram->nonce);
        buffer_free(&scram->binding);
        buffer_free(&scram->final);
        buffer_free(&scram->auth);
        EVP_MAC_CTX_free(scram->mac);
        OPENSSL_clear_free(scram, sizeof(*scram));
    }
}
