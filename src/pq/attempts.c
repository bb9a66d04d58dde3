#include "pq/attempts.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/resolver.h"

/*
 * 1. `resolver` and `addresses` are never there together.
 * 2. `second_try` is false at each new address.
 */
struct attempts {
    const struct conninfo *info;
    size_t *order; /* indices of the hosts; NULL: just the one address */
    size_t hosts;
    size_t host;      /* whose turn it is: an index of `order` */
    bool second_pass; /* prefer-standby found none: any will do */
    unsigned lookups;
    struct resolver *resolver; /* of the host whose turn it is; NULL: its addresses are there */
    struct address_list addresses;
    size_t address;
    enum encryption encryption;
    bool second_try;              /* allow's and prefer's other way, same address */
    struct error first_try;       /* why the first way failed */
    char earlier[ERROR_TEXT_MAX]; /* why those before this one failed; cut if longer */
};

/* A number below `count`, by chance; the last one without randomness. */
static size_t below(size_t count)
{
    uint32_t random = (uint32_t)count - 1;

    RAND_bytes((unsigned char *)&random, sizeof(random));
    return random % count;
}

struct attempts *attempts_new(const struct conninfo *info, const struct address *only)
{
    struct attempts *attempts = calloc(1, sizeof(*attempts));

    if (attempts == NULL) {
        return NULL;
    }
    attempts->info = info;
    if (only != NULL) {
        attempts->addresses.at[0] = *only;
        attempts->addresses.count = 1;
        return attempts;
    }
    attempts->hosts = info->hosts.count;
    attempts->order = calloc(attempts->hosts, sizeof(*attempts->order));
    if (attempts->order == NULL) {
        attempts_free(attempts);
        return NULL;
    }
    for (size_t i = 0; i < attempts->hosts; i++) { /* each to a place among those before it */
        size_t place = info->load_balance ? below(i + 1) : i;

        attempts->order[i] = attempts->order[place];
        attempts->order[place] = i;
    }
    return attempts;
}

static void shuffle(struct address_list *list)
{
    for (size_t i = list->count; i > 1; i--) {
        size_t other = below(i);
        struct address swap = list->at[i - 1];

        list->at[i - 1] = list->at[other];
        list->at[other] = swap;
    }
}

static enum encryption first_way(const struct attempts *attempts)
{
    if (address_is_unix(attempts_address(attempts))) {
        return ENCRYPT_NO;
    }
    switch (attempts->info->sslmode) {
    case SSLMODE_DISABLE:
    case SSLMODE_ALLOW:
        return ENCRYPT_NO;
    case SSLMODE_PREFER:
        return ENCRYPT_IF_OFFERED;
    case SSLMODE_REQUIRE:
    case SSLMODE_VERIFY_CA:
    case SSLMODE_VERIFY_FULL:
        break;
    }
    return ENCRYPT_YES;
}

static enum attempts_next enter_address(struct attempts *attempts, size_t address)
{
    attempts->address = address;
    attempts->second_try = false;
    attempts->encryption = first_way(attempts);
    return ATTEMPTS_ADDRESS;
}

/* The addresses of the host whose turn it is are there. */
static enum attempts_next enter_addresses(struct attempts *attempts)
{
    if (attempts->info->load_balance) {
        shuffle(&attempts->addresses);
    }
    return enter_address(attempts, 0);
}

/* The host whose turn it is. ATTEMPTS_OVER: it has no address. */
static enum attempts_next enter_host(struct attempts *attempts, struct error *error)
{
    const struct host *host;

    if (attempts->order == NULL) {
        return enter_addresses(attempts);
    }
    host = &attempts->info->hosts.at[attempts->order[attempts->host]];
    if (address_is_given(host)) {
        return address_resolve(host, &attempts->addresses, error) ? enter_addresses(attempts)
                                                                  : ATTEMPTS_OVER;
    }
    attempts->lookups++;
    attempts->resolver = resolver_start(host, error);
    return attempts->resolver != NULL ? ATTEMPTS_LOOKUP : ATTEMPTS_OVER;
}

/* --- errors --- */

static void remember(struct attempts *attempts, const struct error *error)
{
    size_t len = strlen(attempts->earlier);

    snprintf(attempts->earlier + len, sizeof(attempts->earlier) - len, "%s%s", len > 0 ? "; " : "",
             error->message);
}

/* Says where, and what the first way of encryption came to. */
static void describe(const struct attempts *attempts, struct error *error)
{
    bool another = strcmp(attempts->first_try.message, error->message) != 0;

    error_prefix(error, "connection to %s failed", attempts_address(attempts)->text);
    if (attempts->second_try && another) {
        error_detail(error, "Before that, %s TLS: %s",
                     attempts->info->sslmode == SSLMODE_ALLOW ? "without" : "with",
                     attempts->first_try.message);
    }
}

static enum attempts_next give_up(const struct attempts *attempts, struct error *error)
{
    if (attempts->earlier[0] != '\0') {
        error_detail(error, "Before that, %s", attempts->earlier);
    }
    return ATTEMPTS_OVER;
}

/* --- what comes next --- */

static bool advance_host(struct attempts *attempts)
{
    if (attempts->host + 1 < attempts->hosts) {
        attempts->host++;
        return true;
    }
    if (attempts->info->target != TARGET_PREFER_STANDBY || attempts->second_pass ||
        attempts->order == NULL) {
        return false;
    }
    attempts->second_pass = true;
    attempts->host = 0;
    return true;
}

/* `error` is why the host before it failed. One that has no address leads on in any case. */
static enum attempts_next next_host(struct attempts *attempts, struct error *error)
{
    while (error->kind != ERROR_FATAL && advance_host(attempts)) {
        enum attempts_next next;

        remember(attempts, error);
        if (attempts->second_pass && attempts->host == 0) {
            attempts->earlier[0] = '\0'; /* each has its turn again */
        }
        next = enter_host(attempts, error);
        if (next != ATTEMPTS_OVER) {
            return next;
        }
    }
    return give_up(attempts, error);
}

/* The lookup is over, in any way. */
static void end_lookup(struct attempts *attempts)
{
    resolver_free(attempts->resolver);
    attempts->resolver = NULL;
}

enum attempts_next attempts_look_up(struct attempts *attempts, bool late, struct error *error)
{
    enum step step = resolver_step(attempts->resolver, &attempts->addresses, error);

    if (step == STEP_WAIT && !late) {
        return ATTEMPTS_LOOKUP;
    }
    if (step == STEP_WAIT) {
        error_set(error, ERROR_TRANSIENT, "could not translate host name \"%s\" to address: %s",
                  host_label(&attempts->info->hosts.at[attempts->order[attempts->host]]),
                  "timeout expired");
        error_hint(error, "Check the name given as host (-h, PGHOST), and this machine's DNS.");
    }
    end_lookup(attempts);
    return step == STEP_DONE ? enter_addresses(attempts) : next_host(attempts, error);
}

struct pollfd attempts_pollfd(const struct attempts *attempts)
{
    return resolver_pollfd(attempts->resolver);
}

unsigned attempts_lookups(const struct attempts *attempts)
{
    return attempts->lookups;
}

enum attempts_next attempts_start(struct attempts *attempts, struct error *error)
{
    enum attempts_next next;

    end_lookup(attempts);
    attempts->host = 0;
    attempts->second_pass = false;
    attempts->earlier[0] = '\0';
    next = enter_host(attempts, error);
    return next != ATTEMPTS_OVER ? next : next_host(attempts, error);
}

/*
 * Whether what failed may work with the other encryption, as libpq decides it.
 * What we refuse after TLS (a forged SCRAM signature, …) is never tried in
 * clear; nor does TLS help where a password is lacking.
 */
static bool has_other_way(const struct attempts *attempts, const struct attempt_failure *failure,
                          const struct error *error)
{
    if (attempts->second_try || failure->late || failure->let_in || !failure->reached ||
        address_is_unix(attempts_address(attempts))) {
        return false;
    }
    return (attempts->info->sslmode == SSLMODE_ALLOW && !failure->tls && !failure->no_password) ||
           (attempts->info->sslmode == SSLMODE_PREFER && failure->tls &&
            (!failure->talked || error->sqlstate[0] != '\0'));
}

/* The server is there, and starting up or shutting down: another address of it is no better. */
static bool is_closed(const struct error *error)
{
    return strncmp(error->sqlstate, "57P0", 4) == 0;
}

enum attempts_next attempts_failed(struct attempts *attempts, const struct attempt_failure *failure,
                                   struct error *error)
{
    bool host_failed = failure->unfit || is_closed(error);

    if (error->kind == ERROR_FATAL) {
        return ATTEMPTS_OVER;
    }
    if (!host_failed && has_other_way(attempts, failure, error)) {
        attempts->first_try = *error;
        attempts->second_try = true;
        attempts->encryption = attempts->info->sslmode == SSLMODE_ALLOW ? ENCRYPT_YES : ENCRYPT_NO;
        return ATTEMPTS_AGAIN;
    }
    describe(attempts, error);
    if (error->kind != ERROR_TRANSIENT) {
        return give_up(attempts, error);
    }
    if (!host_failed && attempts->address + 1 < attempts->addresses.count) {
        remember(attempts, error);
        return enter_address(attempts, attempts->address + 1);
    }
    return next_host(attempts, error);
}

const struct address *attempts_address(const struct attempts *attempts)
{
    return &attempts->addresses.at[attempts->address];
}

enum encryption attempts_encryption(const struct attempts *attempts)
{
    return attempts->encryption;
}

enum target attempts_target(const struct attempts *attempts)
{
    bool free_choice = attempts->order == NULL || attempts->second_pass;

    return free_choice ? TARGET_ANY : attempts->info->target;
}

void attempts_free(struct attempts *attempts)
{
    if (attempts != NULL) {
        end_lookup(attempts);
        free(attempts->order);
        free(attempts);
    }
}
