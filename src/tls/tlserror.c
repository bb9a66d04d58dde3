#include "tls/tlserror.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

/* OpenSSL's numbers of what a peer reports are those of the alert (RFC 8446, 6), plus an offset. */
#define ALERT(number) (SSL_AD_REASON_OFFSET + (number))

const char *tlserror_reason(void)
{
    unsigned long code = ERR_get_error();
    const char *text = code == 0                ? NULL
                       : ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
                                                : ERR_reason_error_string(code);

    ERR_clear_error();
    return text != NULL ? text : "no reason given";
}

/* Alerts about the client's certificate, as why a server ends the connection. NULL: another one. */
static const char *certificate_alert(int reason)
{
    switch (reason) {
    case ALERT(SSL_AD_BAD_CERTIFICATE):
        return "it is corrupt, or its signature is wrong";
    case ALERT(SSL_AD_UNSUPPORTED_CERTIFICATE):
        return "it is of an unsupported type";
    case ALERT(SSL_AD_CERTIFICATE_REVOKED):
        return "it has been revoked";
    case ALERT(SSL_AD_CERTIFICATE_EXPIRED):
        return "it has expired, or isn't valid yet";
    case ALERT(SSL_AD_CERTIFICATE_UNKNOWN):
        return "it could not be verified";
    case ALERT(SSL_AD_UNKNOWN_CA):
        return "its CA is unknown there";
    default:
        return NULL;
    }
}

static void explain_certificate(const char *why, const char *cert, struct error *error)
{
    if (cert[0] == '\0') {
        error_set(error, ERROR_PERMANENT, "the server refused the TLS connection: %s",
                  tlserror_reason());
        return;
    }
    error_set(error, ERROR_PERMANENT, "the server refused the client certificate: %s", why);
    error_detail(error, "It was read from \"%s\".", cert);
    error_hint(error, "The server trusts the CAs in its ssl_ca_file, and looks into its "
                      "ssl_crl_file; intermediate certificates go behind your own in its file.");
}

/* Both sides have no version of TLS in common, or what answers doesn't speak TLS. */
static bool is_about_versions(int reason)
{
    return reason == ALERT(SSL_AD_PROTOCOL_VERSION) || reason == SSL_R_UNSUPPORTED_PROTOCOL ||
           reason == SSL_R_NO_PROTOCOLS_AVAILABLE || reason == SSL_R_WRONG_VERSION_NUMBER ||
           reason == SSL_R_WRONG_SSL_VERSION || reason == SSL_R_VERSION_TOO_LOW ||
           reason == SSL_R_VERSION_TOO_HIGH;
}

void tlserror_explain(const char *cert, struct error *error)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    const char *why = certificate_alert(reason);

    if (why != NULL) {
        explain_certificate(why, cert, error);
    } else if (reason == ALERT(SSL_AD_CERTIFICATE_REQUIRED)) {
        error_set(error, ERROR_PERMANENT, "the server wants a client certificate");
        error_hint(error, "Name its files with sslcert and sslkey.");
    } else if (is_about_versions(reason)) {
        error_set(error, ERROR_PERMANENT, "TLS error: %s", tlserror_reason());
        error_hint(error, "The server may support none of the versions from "
                          "ssl_min_protocol_version (TLSv1.2 by default) to "
                          "ssl_max_protocol_version.");
    } else {
        error_set(error, ERROR_TRANSIENT, "TLS error: %s", tlserror_reason());
    }
    ERR_clear_error();
}
