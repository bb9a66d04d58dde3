#include "conninfo/connstring.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BLANKS    " \t\n\v\f\r" /* C's isspace, by which libpq goes */
#define QUOTE_MAX 40            /* bytes of the string that an error repeats */
#define SHOWN_MAX 64            /* bytes of a value that an error repeats */

struct parser {
    const char *text; /* the whole string; every slice below is a part of it */
    bool uri;
    char *keyword; /* scratch in the secure heap, each with room for all of text */
    char *value;
    connstring_take *take;
    void *context;
    struct error *error;
};

/* --- errors --- */

/* The byte of `text` at which the first `word` ends, in any case; NULL: none before `end`. */
static const char *find_word(const char *text, const char *end, const char *word)
{
    size_t len = strlen(word);

    for (const char *c = text; c + len <= end; c++) {
        if (strncasecmp(c, word, len) == 0) {
            return c + len;
        }
    }
    return NULL;
}

/*
 * Whether `place` can't be a part of a secret: in a malformed string what
 * stands behind a password may belong to it, and in a URI what stands before
 * an "@", and what percent-encoding hides.
 */
static bool quotable(const struct parser *parser, struct slice place)
{
    static const char *const marks[] = {"pass", "secret", "_key"};
    const char *end = place.data + place.len;

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (find_word(parser->text, end, marks[i]) != NULL) {
            return false;
        }
    }
    return !parser->uri || (strchr(place.data, '@') == NULL &&
                            memchr(parser->text, '%', (size_t)(end - parser->text)) == NULL);
}

static size_t position(const struct parser *parser, struct slice place)
{
    return (size_t)(place.data - parser->text) + 1;
}

/* Says what is wrong at `place`, and repeats that if it may be shown. An empty place isn't. */
static bool fail(const struct parser *parser, struct slice place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(const struct parser *parser, struct slice place, const char *format, ...)
{
    char what[200];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    if (place.len > 0 && quotable(parser, place)) {
        return error_set(parser->error, ERROR_PERMANENT,
                         "invalid connection string: %s at position %zu, in \"%.*s\"", what,
                         position(parser, place),
                         (int)(place.len < QUOTE_MAX ? place.len : QUOTE_MAX), place.data);
    }
    return error_set(parser->error, ERROR_PERMANENT,
                     "invalid connection string: %s at position %zu", what,
                     position(parser, place));
}

/* A place that is named but not repeated. */
static struct slice at(const char *c)
{
    return (struct slice){c, 0};
}

/* --- parameters --- */

bool connstring_is_secret(const char *keyword)
{
    static const char *const secrets[] = {"password", "sslpassword", "scram_client_key",
                                          "scram_server_key", "oauth_client_secret"};

    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (strcmp(keyword, secrets[i]) == 0) {
            return true;
        }
    }
    return false;
}

const char *connstring_shown(const char *value)
{
    return strlen(value) <= SHOWN_MAX && strpbrk(value, "=@/") == NULL ? value : "…";
}

/*
 * "port=5432password=x", "host=h;password=x": libpq takes the password for a
 * part of the value, and messages and the server's log would show it.
 */
static bool holds_password(const char *value)
{
    const char *end = value + strlen(value);
    const char *next = value;

    while ((next = find_word(next, end, "password")) != NULL) {
        if (next[strspn(next, BLANKS)] == '=') {
            return true;
        }
    }
    return false;
}

/* Hands on what `parser` holds in its scratch; `place` is the parameter as written. */
static bool emit(const struct parser *parser, struct slice place, struct slice written)
{
    struct connstring_item item = {.keyword = parser->keyword,
                                   .value = parser->value,
                                   .written = written,
                                   .position = position(parser, place),
                                   .quotable = quotable(parser, place)};

    if (!connstring_is_secret(item.keyword) && strcmp(item.keyword, "options") != 0 &&
        holds_password(item.value)) {
        fail(parser, at(place.data), "a \"password=\" inside the value of another parameter");
        error_hint(parser->error, "Parameters are separated by blanks, and by \"&\" in a URI.");
        return false;
    }
    if (strcmp(item.keyword, "requiressl") == 0) { /* what libpq still takes for old strings */
        item.keyword = "sslmode";
        item.value = item.value[0] == '1' ? "require" : "prefer";
    }
    return parser->take(parser->context, &item, parser->error);
}

static void copy(char *out, struct slice from)
{
    memcpy(out, from.data, from.len);
    out[from.len] = '\0';
}

/* --- keyword = value --- */

static const char *skip_blanks(const char *c)
{
    return c + strspn(c, BLANKS);
}

/* A backslash protects the next byte; at the end it stands for nothing. */
static const char *take_byte(const char *c, char **out)
{
    if (*c == '\\') {
        c++;
    }
    if (*c != '\0') {
        *(*out)++ = *c++;
    }
    return c;
}

/* Takes a value into the scratch. Returns its end, or NULL where a quote isn't closed. */
static const char *take_value(const struct parser *parser, const char *c)
{
    bool quoted = *c == '\'';
    char *out = parser->value;

    c += quoted ? 1 : 0;
    while (*c != '\0' && (quoted ? *c != '\'' : strchr(BLANKS, *c) == NULL)) {
        c = take_byte(c, &out);
    }
    *out = '\0';
    if (quoted && *c == '\0') {
        return NULL;
    }
    return c + (quoted ? 1 : 0);
}

static bool parse_pairs(const struct parser *parser)
{
    const char *c = skip_blanks(parser->text);

    while (*c != '\0') {
        struct slice keyword = {c, strcspn(c, "=" BLANKS)};
        const char *value;

        c = skip_blanks(c + keyword.len);
        if (*c != '=') {
            return fail(parser, keyword, "missing \"=\" after a parameter's name");
        }
        value = skip_blanks(c + 1);
        c = take_value(parser, value);
        if (c == NULL) {
            return fail(parser, slice_of(value), "unterminated quoted value");
        }
        copy(parser->keyword, keyword);
        if (!emit(parser, keyword, (struct slice){value, (size_t)(c - value)})) {
            return false;
        }
        c = skip_blanks(c);
    }
    return true;
}

/* --- URIs --- */

static const char *uri_rest(const char *text)
{
    static const char *const prefixes[] = {"postgresql://", "postgres://"};

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (strncmp(text, prefixes[i], strlen(prefixes[i])) == 0) {
            return text + strlen(prefixes[i]);
        }
    }
    return NULL;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;

    return found != NULL ? (int)((found - digits) % 16) : -1;
}

static struct slice trim_spaces(struct slice part)
{
    while (part.len > 0 && part.data[0] == ' ') {
        part.data++;
        part.len--;
    }
    while (part.len > 0 && part.data[part.len - 1] == ' ') {
        part.len--;
    }
    return part;
}

/* Spaces around `part` are dropped, and one inside is an error, as from libpq 17 on. */
static bool decode(const struct parser *parser, struct slice part, char *out)
{
    const char *c, *end;

    part = trim_spaces(part);
    end = part.data + part.len;
    for (c = part.data; c < end; c++) {
        int high, low;

        if (*c == ' ') {
            return fail(parser, at(c), "unexpected space, which is written %%20 in a URI,");
        }
        if (*c != '%') {
            *out++ = *c;
            continue;
        }
        high = end - c > 2 ? hex_digit(c[1]) : -1;
        low = end - c > 2 ? hex_digit(c[2]) : -1;
        if (high < 0 || low < 0) {
            fail(parser, at(c), "\"%%\" without two hexadecimal digits after it");
            error_hint(parser->error, "In a URI, write \"%%\" itself as %%25.");
            return false;
        }
        if (high == 0 && low == 0) {
            return fail(parser, at(c), "forbidden value %%00");
        }
        *out++ = (char)(high * 16 + low);
        c += 2;
    }
    *out = '\0';
    return true;
}

/* Into one of the parser's buffers: the URI, which is longer than these words, fits. */
static void set_text(char *buffer, const char *word)
{
    memcpy(buffer, word, strlen(word) + 1);
}

/* A part of the URI that stands for one parameter; an empty one isn't given. */
static bool take_part(const struct parser *parser, const char *keyword, struct slice part)
{
    if (part.len == 0) {
        return true;
    }
    set_text(parser->keyword, keyword);
    return decode(parser, part, parser->value) && emit(parser, part, part);
}

/* user[:password]@ */
static bool parse_userinfo(const struct parser *parser, struct slice info)
{
    size_t user = strcspn(info.data, ":@");
    struct slice password = {info.data + info.len, 0};

    if (user < info.len) {
        password = (struct slice){info.data + user + 1, info.len - user - 1};
    }
    return take_part(parser, "user", (struct slice){info.data, user}) &&
           take_part(parser, "password", password);
}

static bool fail_unencoded(const struct parser *parser, const char *c, const char *what)
{
    fail(parser, at(c), "%s", what);
    error_hint(parser->error,
               "In a URI, write \"@\" as %%40, \"/\" as %%2F and \":\" as %%3A where "
               "they belong to a name or a password.");
    return false;
}

/* [IPv6 address], without the brackets in `host`. */
static bool parse_bracketed(const struct parser *parser, const char **rest, struct slice *host)
{
    const char *c = *rest + 1;
    size_t len = strcspn(c, "]");

    *host = (struct slice){c, len};
    c += len;
    if (*c == '\0') {
        return fail(parser, slice_of(*rest), "missing \"]\" after an IPv6 address");
    }
    if (len == 0) {
        return fail(parser, (struct slice){*rest, 2}, "empty IPv6 address");
    }
    *rest = ++c;
    if (*c != '\0' && strchr(":/?,", *c) == NULL) {
        return fail(parser, (struct slice){c, 1}, "unexpected character after an IPv6 address");
    }
    return true;
}

/* One [host][:port]; both may be empty. */
static bool parse_host(const struct parser *parser, const char **rest, struct slice *host,
                       struct slice *port)
{
    const char *sign;

    if (**rest == '[') {
        if (!parse_bracketed(parser, rest, host)) {
            return false;
        }
    } else {
        *host = (struct slice){*rest, strcspn(*rest, ":/?,")};
        *rest += host->len;
    }
    sign = host->len > 0 ? memchr(host->data + 1, '@', host->len - 1) : NULL;
    if (sign != NULL) {
        return fail_unencoded(parser, sign, "a second \"@\"");
    }
    *port = at(*rest);
    if (**rest == ':') {
        port->data++;
        port->len = strcspn(port->data, "/?,");
        *rest += 1 + port->len;
    }
    return true;
}

/* Adds `part`, decoded, to the list in `out`, behind a comma where it isn't the first. */
static bool add_decoded(const struct parser *parser, bool first, struct slice part, char **out)
{
    if (!first) {
        *(*out)++ = ',';
    }
    if (!decode(parser, part, *out)) {
        return false;
    }
    *out += strlen(*out);
    return true;
}

static bool is_port(const char *text)
{
    return text[strspn(text, "0123456789,")] == '\0';
}

/*
 * host:port,… becomes two lists, the ports in the room of the keyword until
 * the hosts are handed on. They come before any database or parameter, so the
 * last one in the string still wins.
 */
static bool parse_hosts(const struct parser *parser, const char **rest)
{
    struct slice begin = at(*rest);
    char *hosts = parser->value;
    char *ports = parser->keyword + sizeof("host");
    char *ports_begin = ports;

    for (bool first = true; first || **rest == ','; first = false) {
        struct slice host, port;

        *rest += first ? 0 : 1;
        if (!parse_host(parser, rest, &host, &port) || !add_decoded(parser, first, host, &hosts)) {
            return false;
        }
        if (!add_decoded(parser, first, port, &ports)) {
            return false;
        }
        if (!is_port(ports_begin)) {
            return fail_unencoded(parser, port.data, "what should be a port and is no number");
        }
    }
    set_text(parser->keyword, "host");
    if (parser->value[0] != '\0' && !emit(parser, begin, at(*rest))) {
        return false;
    }
    memmove(parser->value, ports_begin, strlen(ports_begin) + 1);
    set_text(parser->keyword, "port");
    return parser->value[0] == '\0' || emit(parser, begin, at(*rest));
}

/* keyword=value of a URI's query */
static bool parse_query_item(const struct parser *parser, struct slice item)
{
    const char *equals = memchr(item.data, '=', item.len);
    struct slice keyword = item, value;

    if (equals == NULL) {
        return fail(parser, item, "missing \"=\" in a parameter");
    }
    keyword.len = (size_t)(equals - item.data);
    value = (struct slice){equals + 1, item.len - keyword.len - 1};
    if (memchr(value.data, '=', value.len) != NULL) {
        fail(parser, item, "a second \"=\" in a parameter");
        error_hint(parser->error, "In a URI, write \"=\" as %%3D inside a value.");
        return false;
    }
    if (!decode(parser, keyword, parser->keyword) || !decode(parser, value, parser->value)) {
        return false;
    }
    if (strcmp(parser->keyword, "ssl") == 0 && strcmp(parser->value, "true") == 0) {
        set_text(parser->keyword, "sslmode"); /* JDBC's, which libpq takes as well */
        set_text(parser->value, "require");
    }
    return emit(parser, keyword, value);
}

static bool parse_query(const struct parser *parser, const char *rest)
{
    while (*rest != '\0') {
        struct slice item = {rest, strcspn(rest, "&")};

        if (!parse_query_item(parser, item)) {
            return false;
        }
        rest += item.len;
        rest += *rest == '&' ? 1 : 0;
    }
    return true;
}

static bool parse_uri(const struct parser *parser, const char *rest)
{
    struct slice userinfo = {rest, strcspn(rest, "@/")};
    struct slice dbname;

    if (rest[userinfo.len] == '@') {
        if (!parse_userinfo(parser, userinfo)) {
            return false;
        }
        rest += userinfo.len + 1;
    }
    if (!parse_hosts(parser, &rest)) {
        return false;
    }
    if (*rest == '/') {
        dbname = (struct slice){rest + 1, strcspn(rest + 1, "?")};
        if (!take_part(parser, "dbname", dbname)) {
            return false;
        }
        rest += 1 + dbname.len;
    }
    return *rest == '\0' || parse_query(parser, rest + 1);
}

/* --- both --- */

/* A URI of another scheme than libpq's, most likely a slip: what follows may hold a password. */
static const char *foreign_rest(const char *text)
{
    const char *colon = strstr(text, "://");
    const char *equals = strchr(text, '=');

    return uri_rest(text) == NULL && colon != NULL && (equals == NULL || colon < equals)
               ? colon + strlen("://")
               : NULL;
}

bool connstring_recognize(const char *text)
{
    return uri_rest(text) != NULL || foreign_rest(text) != NULL || strchr(text, '=') != NULL;
}

bool connstring_parse(const char *text, connstring_take *take, void *context, struct error *error)
{
    size_t room = strlen(text) + sizeof("requiressl") + sizeof("password");
    const char *rest = uri_rest(text);
    struct parser parser = {
        .text = text, .uri = rest != NULL, .take = take, .context = context, .error = error};
    char *scratch;
    bool ok;

    if (foreign_rest(text) != NULL) {
        return error_set(error, ERROR_PERMANENT,
                         "invalid connection string: a URI begins with postgresql:// or "
                         "postgres://");
    }
    if (strlen(text) > CONNSTRING_MAX) {
        return error_set(error, ERROR_PERMANENT, "invalid connection string: longer than %zu bytes",
                         CONNSTRING_MAX);
    }
    scratch = OPENSSL_secure_zalloc(2 * room);
    if (scratch == NULL) {
        return error_memory(error);
    }
    parser.keyword = scratch;
    parser.value = scratch + room;
    ok = rest != NULL ? parse_uri(&parser, rest) : parse_pairs(&parser);
    OPENSSL_secure_clear_free(scratch, 2 * room);
    return ok;
}

static bool hide(void *context, const struct connstring_item *item, struct error *error)
{
    char *text = context;

    (void)error;
    if (connstring_is_secret(item->keyword) && item->written.len > 0) {
        memset(text + (item->written.data - text), '*', item->written.len);
    }
    return true;
}

void connstring_hide_secrets(char *text)
{
    struct error ignored;
    const char *foreign = foreign_rest(text);

    if (foreign != NULL) {
        memset(text + (foreign - text), '*', strlen(foreign));
    } else {
        connstring_parse(text, hide, text, &ignored);
    }
}
