/*
 * Whose a certificate is, beside OpenSSL's own X509_check_host: what that
 * refuses as a name, pgnudge refuses. For a star it takes libpq's rule, which
 * minds neither letters nor the number of labels; that one is simple. The input:
 * a host, a newline, a name of the certificate.
 */
#include <openssl/x509v3.h>
#include <strings.h>

#include "fuzz/fuzz.h"
#include "tls/tlsverify.h"

static X509 *certificate(const uint8_t *name, size_t len)
{
    X509 *cert = X509_new();
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *entry = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();

    MUST(cert != NULL && names != NULL && entry != NULL && text != NULL);
    MUST(ASN1_STRING_set(text, name, (int)len) == 1);
    GENERAL_NAME_set0_value(entry, GEN_DNS, text);
    MUST(sk_GENERAL_NAME_push(names, entry) > 0);
    MUST(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1);
    GENERAL_NAMES_free(names);
    return cert;
}

/* "*.rest" is for "label.rest", whatever the label, which isn't empty. */
static bool is_starred(const char *host, const char *name)
{
    const char *dot = strchr(host, '.');

    return name[0] == '*' && name[1] == '.' && dot != NULL && dot > host &&
           strcasecmp(dot, name + 1) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size > 0 && size < 1000 ? memchr(data, '\n', size) : NULL;
    unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    struct error error;
    X509 *cert;
    char *host, *name;

    if (newline == NULL || newline == data) {
        return 0;
    }
    host = fuzz_text(data, (size_t)(newline - data));
    name = fuzz_text(newline + 1, size - (size_t)(newline - data) - 1);
    cert = certificate(newline + 1, size - (size_t)(newline - data) - 1);
    if (host[0] != '\0' && tlsverify_host(cert, host, &error) && !tlsverify_is_address(host)) {
        MUST(is_starred(host, name) || X509_check_host(cert, host, 0, flags, NULL) == 1);
    }
    free(name);
    X509_free(cert);
    free(host);
    return 0;
}
