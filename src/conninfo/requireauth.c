#include "conninfo/requireauth.h"

#include <string.h>

#include "base/text.h"

#define WORD_MAX   32 /* bytes; no method is that long */
#define WORD_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-!"

static const char *const methods[AUTH_METHODS] = {
    [AUTH_METHOD_NONE] = "none",   [AUTH_METHOD_PASSWORD] = "password",
    [AUTH_METHOD_MD5] = "md5",     [AUTH_METHOD_GSS] = "gss",
    [AUTH_METHOD_SSPI] = "sspi",   [AUTH_METHOD_SCRAM] = "scram-sha-256",
    [AUTH_METHOD_OAUTH] = "oauth",
};

/* The word is repeated only if it looks like one: "md5 password=x" is more than that. */
static bool refuse(struct slice word, const char *why, struct error *error)
{
    bool plain = word.len <= WORD_MAX && strspn(word.data, WORD_CHARS) >= word.len;

    word = plain ? word : slice_of("…");
    error_set(error, ERROR_PERMANENT, "require_auth method \"%.*s\" %s", (int)word.len, word.data,
              why);
    error_hint(error, "It is a list, separated by commas and without blanks, of password, md5, "
                      "gss, sspi, scram-sha-256, oauth and none; or all of them with a \"!\" in "
                      "front, for what is not allowed.");
    return false;
}

/* `listed` holds the methods named so far. */
static bool read_word(struct slice word, bool negated, unsigned *listed, struct error *error)
{
    struct slice name = word;
    unsigned method = 0;

    if (slice_starts(word, "!") != negated) {
        return refuse(word,
                      negated ? "cannot be mixed with negative methods"
                              : "cannot be mixed with methods that are allowed",
                      error);
    }
    if (negated) {
        name = (struct slice){word.data + 1, word.len - 1};
    }
    while (method < AUTH_METHODS && !slice_equal(name, slice_of(methods[method]))) {
        method++;
    }
    if (method == AUTH_METHODS) {
        return refuse(word, "is unknown", error);
    }
    if ((*listed & 1U << method) != 0) {
        return refuse(word, "is specified more than once", error);
    }
    *listed |= 1U << method;
    return true;
}

bool requireauth_read(const char *text, unsigned *allowed, struct error *error)
{
    bool negated = text[0] == '!';
    unsigned listed = 0;
    size_t len;

    *allowed = AUTH_ANY_METHOD;
    if (text[0] == '\0') {
        return true;
    }
    for (;; text += len + 1) {
        len = strcspn(text, ",");
        if (!read_word((struct slice){text, len}, negated, &listed, error)) {
            return false;
        }
        if (text[len] == '\0') {
            break;
        }
    }
    *allowed = negated ? AUTH_ANY_METHOD & ~listed : listed;
    return true;
}
