#include "tls/tlsfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/home.h"
#include "tls/tlserror.h"

#define KEY_FILE_MAX ((size_t)32 * 1024) /* RSA of 16384 bits takes 13 KB */

/* The file that the parameter names, or its default in the home directory; "" where there is none. */
static void find_path(const struct conninfo *info, enum conn_param param, const char *name,
                      char path[TLSFILES_PATH_MAX])
{
    const char *text = conninfo_text(info, param);
    int len = 0;

    if (text[0] != '\0') {
        len = snprintf(path, TLSFILES_PATH_MAX, "%s", text);
    } else if (!home_path(name, path, TLSFILES_PATH_MAX)) {
        len = -1;
    }
    if (len < 0 || len >= TLSFILES_PATH_MAX) {
        path[0] = '\0';
    }
}

/* --- what the server is verified against --- */

static bool load_crl_file(X509_STORE *store, const char *path, struct error *error)
{
    X509_LOOKUP *lookup;

    if (access(path, F_OK) != 0) {
        return true; /* as libpq: "if it exists" */
    }
    lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup == NULL || X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) == 0) {
        return error_set(error, ERROR_PERMANENT,
                         "could not read certificate revocation list file \"%s\": %s", path,
                         tlserror_reason());
    }
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return true;
}

/* OpenSSL looks into it when it needs a list, by the names that "openssl rehash" gives. */
static bool load_crl_dir(X509_STORE *store, const char *path, struct error *error)
{
    if (X509_STORE_load_path(store, path) != 1) {
        return error_set(error, ERROR_PERMANENT,
                         "could not use certificate revocation list directory \"%s\": %s", path,
                         tlserror_reason());
    }
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return true;
}

/* The default file stands in where neither parameter is given, but not for the system's CAs. */
static bool load_crls(SSL_CTX *ctx, const struct conninfo *info, bool system, struct error *error)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    const char *dir = conninfo_text(info, CONN_SSLCRLDIR);
    char path[TLSFILES_PATH_MAX] = "";

    if (conninfo_text(info, CONN_SSLCRL)[0] != '\0' || (dir[0] == '\0' && !system)) {
        find_path(info, CONN_SSLCRL, ".postgresql/root.crl", path);
    }
    return (path[0] == '\0' || load_crl_file(store, path, error)) &&
           (dir[0] == '\0' || load_crl_dir(store, dir, error));
}

static bool no_roots(const struct conninfo *info, const char *path, struct error *error)
{
    if (info->sslmode < SSLMODE_VERIFY_CA) {
        return true; /* as libpq: no roots, no verification */
    }
    if (path[0] != '\0') {
        error_set(error, ERROR_PERMANENT, "root certificate file \"%s\" does not exist", path);
    } else {
        error_set(error, ERROR_PERMANENT, "there is no home directory with a root certificate");
    }
    error_hint(error, "Put the certificate of the server's CA there, name it with sslrootcert "
                      "(PGSSLROOTCERT), use the system's CAs with sslrootcert=system, or change "
                      "sslmode to turn verification off.");
    return false;
}

bool tlsfiles_load_roots(SSL_CTX *ctx, const struct conninfo *info, bool *found,
                         struct error *error)
{
    const char *path = conninfo_text(info, CONN_SSLROOTCERT);
    bool system = strcmp(path, "system") == 0;

    *found = system || (path[0] != '\0' && access(path, F_OK) == 0);
    if (!*found) {
        return no_roots(info, path, error);
    }
    if (system && SSL_CTX_set_default_verify_paths(ctx) != 1) {
        return error_set(error, ERROR_PERMANENT,
                         "could not load the system's root certificates: %s", tlserror_reason());
    }
    if (!system && SSL_CTX_load_verify_locations(ctx, path, NULL) != 1) {
        return error_set(error, ERROR_PERMANENT, "could not read root certificate file \"%s\": %s",
                         path, tlserror_reason());
    }
    return load_crls(ctx, info, system, error);
}

/* --- the client's certificate --- */

struct passphrase {
    const char *text; /* "": none is known */
    bool wanted;      /* the key is encrypted */
};

static int give_passphrase(char *space, int size, int writing, void *context)
{
    struct passphrase *passphrase = context;
    size_t len = strlen(passphrase->text);

    (void)writing;
    passphrase->wanted = true;
    if (len == 0 || len > (size_t)size) {
        return -1;
    }
    memcpy(space, passphrase->text, len);
    return (int)len;
}

/* Certificates have none, but a file that claims so must not make OpenSSL ask on the terminal. */
static int refuse_passphrase(char *space, int size, int writing, void *context)
{
    (void)space, (void)size, (void)writing, (void)context;
    return -1;
}

/* Whether the open file is one that a key may be in: libpq's rules. */
static bool may_hold_key(int fd, const char *path, struct error *error)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return error_set(error, ERROR_PERMANENT, "private key file \"%s\" is not a regular file",
                         path);
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO) & ~(status.st_uid == 0 ? S_IRGRP : 0U)) != 0) {
        error_set(error, ERROR_PERMANENT, "private key file \"%s\" has group or world access",
                  path);
        error_detail(error, "It must have permissions u=rw (0600) or less, or u=rw,g=r (0640) or "
                            "less if root owns it.");
        error_hint(error, "chmod 0600 %s", path);
        return false;
    }
    if (status.st_size > (off_t)KEY_FILE_MAX) {
        return error_set(error, ERROR_PERMANENT, "private key file \"%s\" is above %zu bytes", path,
                         KEY_FILE_MAX);
    }
    return true;
}

/* Reads up to KEY_FILE_MAX bytes. */
static bool read_file(int fd, char *data, size_t *len)
{
    ssize_t got = 1;

    for (*len = 0; *len < KEY_FILE_MAX && got > 0; *len += got > 0 ? (size_t)got : 0) {
        got = read(fd, data + *len, KEY_FILE_MAX - *len);
    }
    return got >= 0;
}

/* PEM, or else DER; where both fail, what is said of PEM counts. */
static EVP_PKEY *parse_key(const char *data, size_t len, struct passphrase *passphrase)
{
    BIO *bio = BIO_new_mem_buf(data, (int)len); /* no copy */
    EVP_PKEY *key = NULL;

    if (bio != NULL) {
        key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, passphrase);
    }
    if (bio != NULL && key == NULL && !passphrase->wanted) {
        ERR_set_mark();
        BIO_reset(bio);
        key = d2i_PrivateKey_bio(bio, NULL);
        ERR_pop_to_mark();
    }
    BIO_free(bio);
    return key;
}

static void explain_key(const struct passphrase *passphrase, const char *path, struct error *error)
{
    if (!passphrase->wanted) {
        error_set(error, ERROR_PERMANENT, "could not load private key file \"%s\": %s", path,
                  tlserror_reason());
    } else if (passphrase->text[0] == '\0') {
        error_set(error, ERROR_PERMANENT, "private key file \"%s\" is encrypted", path);
        error_hint(error, "Give its passphrase as sslpassword, best in the service file.");
    } else {
        error_set(error, ERROR_PERMANENT, "sslpassword doesn't decrypt private key file \"%s\": %s",
                  path, tlserror_reason());
    }
    ERR_clear_error();
}

/* What was read is never in plain memory, except in OpenSSL's own hands. NULL: see `error`. */
static EVP_PKEY *read_key(int fd, const char *path, const char *sslpassword, struct error *error)
{
    struct passphrase passphrase = {.text = sslpassword};
    EVP_PKEY *key = NULL;
    char *data;
    size_t len;

    if (!may_hold_key(fd, path, error)) {
        return NULL;
    }
    data = OPENSSL_secure_malloc(KEY_FILE_MAX);
    if (data == NULL) {
        error_memory(error);
    } else if (!read_file(fd, data, &len)) {
        error_set(error, ERROR_PERMANENT, "could not read private key file \"%s\": %s", path,
                  strerror(errno));
    } else {
        key = parse_key(data, len, &passphrase);
        if (key == NULL) {
            explain_key(&passphrase, path, error);
        }
    }
    OPENSSL_secure_clear_free(data, KEY_FILE_MAX);
    return key;
}

static bool load_key(SSL_CTX *ctx, const struct conninfo *info, const char *cert,
                     struct error *error)
{
    char path[TLSFILES_PATH_MAX];
    EVP_PKEY *key;
    bool ok;
    int fd;

    find_path(info, CONN_SSLKEY, ".postgresql/postgresql.key", path);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a FIFO must not hang it */
    if (fd < 0) {
        error_set(error, ERROR_PERMANENT, "could not open private key file \"%s\": %s", path,
                  strerror(errno));
        error_detail(error, "It belongs to certificate file \"%s\".", cert);
        error_hint(
            error,
            "Name it with sslkey (PGSSLKEY), or set sslcertmode=disable to send no certificate.");
        return false;
    }
    key = read_key(fd, path, conninfo_text(info, CONN_SSLPASSWORD), error);
    close(fd);
    if (key == NULL) {
        return false;
    }
    ok = (SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1) ||
         error_set(error, ERROR_PERMANENT,
                   "certificate file \"%s\" does not match private key file \"%s\": %s", cert, path,
                   tlserror_reason());
    EVP_PKEY_free(key);
    return ok;
}

/* There is no certificate to show, which may be fine. */
static bool no_cert(const struct conninfo *info, char *path, int why, struct error *error)
{
    if (why != ENOENT && why != ENOTDIR) {
        error_set(error, ERROR_PERMANENT, "could not open certificate file \"%s\": %s", path,
                  strerror(why));
        error_hint(error, "To send none, set sslcertmode=disable.");
        return false;
    }
    if (info->sslcertmode == SSLCERTMODE_REQUIRE) {
        error_set(error, ERROR_PERMANENT,
                  "sslcertmode is \"require\", but certificate file \"%s\" does not exist", path);
        error_hint(error, "Name it with sslcert (PGSSLCERT).");
        return false;
    }
    path[0] = '\0';
    return true;
}

bool tlsfiles_load_client(SSL_CTX *ctx, const struct conninfo *info, char path[TLSFILES_PATH_MAX],
                          struct error *error)
{
    path[0] = '\0';
    if (info->sslcertmode == SSLCERTMODE_DISABLE) {
        return true;
    }
    find_path(info, CONN_SSLCERT, ".postgresql/postgresql.crt", path);
    if (access(path, F_OK) != 0) {
        return no_cert(info, path, errno, error);
    }
    SSL_CTX_set_default_passwd_cb(ctx, refuse_passphrase);
    if (SSL_CTX_use_certificate_chain_file(ctx, path) != 1) {
        return error_set(error, ERROR_PERMANENT, "could not read certificate file \"%s\": %s", path,
                         tlserror_reason());
    }
    return load_key(ctx, info, path, error);
}
