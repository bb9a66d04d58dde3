#include "tls/tlsverify.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* --- text for people --- */

/* Moves what was printed to `bio` into `text`, cut where it must be. */
static void take_text(BIO *bio, char *text, size_t size)
{
    int len = bio != NULL ? BIO_read(bio, text, (int)size - 1) : 0;

    text[len > 0 ? len : 0] = '\0';
    BIO_free(bio);
}

/* RFC 2253, with UTF-8 as it is; control characters are escaped. */
static void name_text(const X509_NAME *name, char text[TLSVERIFY_NAME_MAX])
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio != NULL) {
        X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
    }
    take_text(bio, text, TLSVERIFY_NAME_MAX);
}

static void time_text(const ASN1_TIME *time, char *text, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio != NULL) {
        ASN1_TIME_print(bio, time);
    }
    take_text(bio, text, size);
}

/* --- the chain --- */

/* Called for each certificate; the first flaw ends the handshake. */
static int note_flaw(int fine, X509_STORE_CTX *context)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_flaw *flaw = SSL_get_app_data(ssl);
    X509 *cert = X509_STORE_CTX_get_current_cert(context);

    if (fine != 1) {
        *flaw = (struct tls_flaw){.verdict = X509_STORE_CTX_get_error(context),
                                  .depth = X509_STORE_CTX_get_error_depth(context)};
        if (cert != NULL) {
            name_text(X509_get_subject_name(cert), flaw->subject);
            name_text(X509_get_issuer_name(cert), flaw->issuer);
            time_text(X509_get0_notBefore(cert), flaw->from, sizeof(flaw->from));
            time_text(X509_get0_notAfter(cert), flaw->until, sizeof(flaw->until));
        }
    }
    return fine;
}

void tlsverify_chain(SSL *ssl, struct tls_flaw *flaw)
{
    flaw->verdict = X509_V_OK;
    SSL_set_app_data(ssl, flaw);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, note_flaw);
}

static void chain_hint(const struct tls_flaw *flaw, const struct conninfo *info,
                       struct error *error)
{
    const char *roots = conninfo_text(info, CONN_SSLROOTCERT);

    switch (flaw->verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        error_hint(error, "Renew the server certificate, unless this machine's clock is wrong.");
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        error_hint(error, "Check this machine's clock.");
        break;
    case X509_V_ERR_CERT_REVOKED:
        error_hint(error, "Renew the server certificate, and ask its CA why this one was revoked.");
        break;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        error_hint(error, "With sslcrl, sslcrldir or ~/.postgresql/root.crl there must be a "
                          "revocation list of each CA of the chain.");
        break;
    case X509_V_ERR_CRL_HAS_EXPIRED:
        error_hint(error, "Fetch a new revocation list of this issuer.");
        break;
    default:
        if (strcmp(roots, "system") == 0) {
            error_hint(error, "The system's CAs are trusted (sslrootcert=system); the server must "
                              "send the intermediate certificates.");
        } else {
            error_hint(error,
                       "Put the root CA's certificate in \"%s\" (sslrootcert); the server must "
                       "send the intermediate ones.",
                       roots);
        }
        break;
    }
}

void tlsverify_explain(const struct tls_flaw *flaw, const struct conninfo *info,
                       struct error *error)
{
    error_set(error, ERROR_PERMANENT, "server certificate is not trusted: %s",
              X509_verify_cert_error_string(flaw->verdict));
    error_detail(error,
                 "%s has the subject \"%s\" and the issuer \"%s\", and is valid from %s to %s.",
                 flaw->depth == 0 ? "The certificate" : "A CA certificate above it", flaw->subject,
                 flaw->issuer, flaw->from, flaw->until);
    chain_hint(flaw, info, error);
}

/*
 * --- the name ---
 *
 * By libpq's rules. X509_check_host has others: it takes no "*.local", and no
 * common name for an address beside a dNSName, so that what psql connects to
 * would be refused here.
 */

enum name_match { NAME_OTHER, NAME_SAME, NAME_MALFORMED };

/* What a certificate is for, and what is looked for in it. */
struct names {
    const char *host;
    unsigned char address[sizeof(struct in6_addr)]; /* the host, where it is one */
    size_t address_len;                             /* in bytes; 0: it is a name */
    char first[TLSVERIFY_NAME_MAX];                 /* of those that aren't it */
    int count;
};

static size_t parse_address(const char *text, unsigned char address[sizeof(struct in6_addr)])
{
    if (inet_pton(AF_INET, text, address) == 1) {
        return sizeof(struct in_addr);
    }
    return inet_pton(AF_INET6, text, address) == 1 ? sizeof(struct in6_addr) : 0;
}

bool tlsverify_is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    return parse_address(host, address) > 0;
}

static void note_name(struct names *names, struct slice text)
{
    if (names->count++ == 0) {
        snprintf(names->first, sizeof(names->first), "%.*s", (int)text.len, text.data);
    }
}

/* "*.example.com" is any "x.example.com", but not "x.y.example.com" (RFC 6125, 6.4.3). */
static bool fits_wildcard(const char *pattern, const char *host)
{
    const char *dot = strchr(host, '.');

    return pattern[0] == '*' && pattern[1] == '.' && pattern[2] != '\0' && dot != NULL &&
           dot != host && strcasecmp(pattern + 1, dot) == 0;
}

static enum name_match compare_name(struct names *names, const ASN1_STRING *string)
{
    struct slice text = {(const char *)ASN1_STRING_get0_data(string),
                         (size_t)ASN1_STRING_length(string)};
    char name[TLSVERIFY_NAME_MAX];

    /* CVE-2009-4034: with a NUL in it, a name for one host could pass for another. */
    if (memchr(text.data, '\0', text.len) != NULL) {
        return NAME_MALFORMED;
    }
    note_name(names, text);
    if (text.len >= sizeof(name)) {
        return NAME_OTHER; /* no host name is that long (RFC 1035, 2.3.4) */
    }
    memcpy(name, text.data, text.len);
    name[text.len] = '\0';
    if (strcasecmp(name, names->host) == 0 ||
        (names->address_len == 0 && fits_wildcard(name, names->host))) {
        return NAME_SAME;
    }
    return NAME_OTHER;
}

static enum name_match compare_address(struct names *names, const ASN1_OCTET_STRING *string)
{
    const unsigned char *data = ASN1_STRING_get0_data(string);
    size_t len = (size_t)ASN1_STRING_length(string);
    char text[INET6_ADDRSTRLEN] = "?";

    if (len != sizeof(struct in_addr) && len != sizeof(struct in6_addr)) {
        return NAME_MALFORMED;
    }
    inet_ntop(len == sizeof(struct in_addr) ? AF_INET : AF_INET6, data, text, sizeof(text));
    note_name(names, slice_of(text));
    return len == names->address_len && memcmp(data, names->address, len) == 0 ? NAME_SAME
                                                                               : NAME_OTHER;
}

/* *of_kind: there is a name of the host's kind, so that the common name doesn't count. */
static enum name_match search_alt_names(struct names *names, const GENERAL_NAMES *found,
                                        bool *of_kind)
{
    enum name_match match = NAME_OTHER;
    int kind = names->address_len > 0 ? GEN_IPADD : GEN_DNS;

    for (int i = 0; i < sk_GENERAL_NAME_num(found) && match == NAME_OTHER; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(found, i);

        *of_kind = *of_kind || name->type == kind;
        if (name->type == GEN_DNS) {
            match = compare_name(names, name->d.dNSName);
        } else if (name->type == GEN_IPADD) {
            match = compare_address(names, name->d.iPAddress);
        }
    }
    return match;
}

static enum name_match search_common_name(struct names *names, X509 *cert)
{
    const X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    return at < 0 ? NAME_OTHER
                  : compare_name(names, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

static enum name_match search_names(struct names *names, X509 *cert)
{
    int critical;
    GENERAL_NAMES *found = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);
    enum name_match match = NAME_OTHER;
    bool of_kind = false;

    if (found == NULL && critical != -1) {
        return NAME_MALFORMED; /* it is there, but can't be read */
    }
    if (found != NULL) {
        match = search_alt_names(names, found, &of_kind);
        GENERAL_NAMES_free(found);
    }
    return match == NAME_OTHER && !of_kind ? search_common_name(names, cert) : match;
}

static void explain_names(const struct names *names, X509 *cert, struct error *error)
{
    char subject[TLSVERIFY_NAME_MAX], more[48] = "";

    if (names->count > 1) {
        snprintf(more, sizeof(more), " (and %d other name%s)", names->count - 1,
                 names->count > 2 ? "s" : "");
    }
    if (names->count > 0) {
        error_set(error, ERROR_PERMANENT,
                  "server certificate for \"%s\"%s does not match host name \"%s\"", names->first,
                  more, names->host);
    } else {
        error_set(error, ERROR_PERMANENT,
                  "server certificate without a name does not match host name \"%s\"", names->host);
    }
    name_text(X509_get_subject_name(cert), subject);
    error_detail(error, "The certificate has the subject \"%s\".", subject);
    error_hint(error, "Connect by a name in the certificate.");
}

bool tlsverify_host(X509 *cert, const char *host, struct error *error)
{
    struct names names = {.host = host};

    names.address_len = parse_address(host, names.address);
    switch (search_names(&names, cert)) {
    case NAME_SAME:
        return true;
    case NAME_MALFORMED:
        error_set(error, ERROR_PERMANENT, "server certificate has a malformed name");
        error_detail(error, "It is an alternative name that can't be read, or a name with a NUL.");
        error_hint(error, "The server needs another certificate.");
        return false;
    case NAME_OTHER:
        break;
    }
    explain_names(&names, cert, error);
    return false;
}
