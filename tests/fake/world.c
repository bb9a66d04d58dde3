#include "fake/world.h"

#include <getopt.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/os.h"
#include "base/signals.h"
#include "cli/options.h"
#include "doctor/doctor.h"
#include "net/transport.h"
#include "out/line_out.h"
#include "tls/tls.h"

#define OPTIONS_MAX 32
#define FD_BASE     100000
#define POLLS_MAX   20000          /* of a run: more is a busy loop */
#define LATE_US     (15 * CLOCK_S) /* behind its --timeout: stopping has a grace */
#define HEAP_LIMIT  ((size_t)64 << 20)
#define LOG_LIMIT   ((size_t)1 << 20)
#define TICK_US     (2 * CLOCK_MS) /* between two transactions */

struct transport {
    int number;
    struct peer *peer;
    size_t junk_at;
    size_t read;     /* bytes */
    int64_t next_us; /* when it may be read again */
    bool faulty;
};

static struct world {
    const struct world_setup *setup;
    struct world_result result;
    int64_t now_us;
    uint64_t random;
    struct transport *open[CONNECTIONS_MAX];
    struct buffer lines;
    struct buffer log;
    FILE *log_file; /* for stderr */
    FILE *out_file; /* for the doctor's stdout */
    size_t heap_before;
    sigset_t waiting;
} world;

/* ---- base/clock.h ---- */

int64_t clock_now_us(void)
{
    return world.now_us;
}

int64_t clock_wall_us(void)
{
    return world.now_us + 1700000000 * CLOCK_S;
}

/* ---- randomness ---- */

int __wrap_RAND_bytes(unsigned char *bytes, int len);

int __wrap_RAND_bytes(unsigned char *bytes, int len)
{
    for (int i = 0; i < len; i++) {
        world.random = world.random * UINT64_C(6364136223846793005) + 1442695040888963407;
        bytes[i] = (unsigned char)(world.random >> 56);
    }
    return 1;
}

/* ---- net/transport.h ---- */

static void wrong(const char *what)
{
    if (world.result.wrong == NULL) {
        world.result.wrong = what;
    }
}

struct transport *transport_open(const struct address *address, const struct conninfo *info,
                                 struct error *error)
{
    const struct world_setup *setup = world.setup;
    struct transport *transport = calloc(1, sizeof(*transport));
    struct peer_setup peer = setup->peer;

    (void)address;
    (void)info;
    if (transport == NULL || world.result.connections == CONNECTIONS_MAX) {
        free(transport);
        error_set(error, ERROR_TRANSIENT, "Connection refused");
        return NULL;
    }
    transport->number = (int)world.result.connections++;
    transport->faulty = (unsigned)transport->number == setup->connection;
    if (!transport->faulty) {
        peer.fault = FAULT_NONE;
    }
    transport->peer = peer_new(&peer);
    world.open[transport->number] = transport;
    return transport;
}

enum io transport_connect(struct transport *transport, struct error *error)
{
    (void)transport;
    (void)error;
    return IO_DONE;
}

bool transport_start_tls(struct transport *transport, const struct conninfo *info, const char *host,
                         struct error *error)
{
    (void)transport;
    (void)info;
    (void)host;
    return error_set(error, ERROR_TRANSIENT, "TLS isn't there");
}

enum io transport_handshake(struct transport *transport, struct error *error)
{
    (void)transport;
    error_set(error, ERROR_TRANSIENT, "TLS isn't there");
    return IO_ERROR;
}

static bool says_junk(const struct transport *transport)
{
    return transport->faulty && world.setup->junk != NULL;
}

/* Bytes that can be read now. */
static size_t readable(const struct transport *transport)
{
    size_t len;

    peer_more(transport->peer);
    len = peer_out(transport->peer)->len;
    if (world.now_us < transport->next_us) {
        return 0;
    }
    if (says_junk(transport)) {
        return world.setup->junk_len - transport->junk_at;
    }
    if (transport->faulty && world.setup->cut_at - transport->read < len) {
        return world.setup->cut_at - transport->read;
    }
    return len;
}

static bool is_over(const struct transport *transport)
{
    if (says_junk(transport)) {
        return true;
    }
    return peer_closed(transport->peer) ||
           (transport->faulty && transport->read >= world.setup->cut_at);
}

static void flip(const struct transport *transport, char *data, size_t len)
{
    size_t byte = world.setup->flip_at / 8;

    if (transport->faulty && byte >= transport->read && byte < transport->read + len) {
        data[byte - transport->read] =
            (char)(data[byte - transport->read] ^ 1 << world.setup->flip_at % 8);
    }
}

enum io transport_read(struct transport *transport, void *data, size_t cap, size_t *len,
                       struct error *error)
{
    struct buffer *out = peer_out(transport->peer);

    (void)error;
    *len = readable(transport);
    *len = *len < cap ? *len : cap;
    if (transport->faulty && world.setup->chunk > 0 && *len > world.setup->chunk) {
        *len = world.setup->chunk;
    }
    if (*len == 0) {
        return is_over(transport) ? IO_EOF : IO_AGAIN;
    }
    if (says_junk(transport)) {
        memcpy(data, world.setup->junk + transport->junk_at, *len);
        transport->junk_at += *len;
    } else {
        memcpy(data, out->data, *len);
        buffer_consume(out, *len);
    }
    flip(transport, data, *len);
    transport->read += *len;
    transport->next_us = transport->faulty ? world.now_us + world.setup->pace_us : 0;
    return IO_DONE;
}

enum io transport_write(struct transport *transport, const void *data, size_t len, size_t *done,
                        struct error *error)
{
    (void)error;
    *done = len;
    if (peer_closed(transport->peer)) {
        return IO_EOF;
    }
    peer_take(transport->peer, data, len);
    return IO_DONE;
}

int transport_fd(const struct transport *transport)
{
    return FD_BASE + transport->number;
}

struct pollfd transport_pollfd(const struct transport *transport, bool writes)
{
    return (struct pollfd){.fd = transport_fd(transport),
                           .events = (short)(POLLIN | (writes ? POLLOUT : 0))};
}

bool transport_pending(const struct transport *transport)
{
    (void)transport;
    return false;
}

void transport_read_ahead(struct transport *transport)
{
    (void)transport;
}

bool transport_low_water(struct transport *transport, size_t bytes)
{
    (void)transport;
    (void)bytes;
    return false;
}

const struct tls *transport_tls(const struct transport *transport)
{
    (void)transport;
    return NULL;
}

static void note_end(const struct transport *transport)
{
    if (transport->number < 2) {
        world.result.said[transport->number] = peer_said(transport->peer);
        world.result.bytes[transport->number] = transport->read + peer_out(transport->peer)->len;
    }
}

void transport_close(struct transport *transport)
{
    if (transport != NULL) {
        note_end(transport);
        world.open[transport->number] = NULL;
        peer_free(transport->peer);
        free(transport);
    }
}

/* ---- poll ---- */

/* Debian's gcc has the function, not its header. Without it nothing is measured. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t heap(void)
{
    if (__sanitizer_get_current_allocated_bytes == NULL) {
        return 0;
    }
    return __sanitizer_get_current_allocated_bytes();
}

static short events_of(const struct pollfd *entry)
{
    const struct transport *transport;
    short events = 0;

    if (entry->fd >= 0 && entry->fd < FD_BASE) {
        return (short)(entry->events & POLLOUT); /* stdout */
    }
    if (entry->fd < FD_BASE || entry->fd >= FD_BASE + CONNECTIONS_MAX) {
        return 0;
    }
    transport = world.open[entry->fd - FD_BASE];
    if (transport == NULL) {
        return POLLNVAL;
    }
    if (readable(transport) > 0 || is_over(transport)) {
        events |= POLLIN;
    }
    return (short)((events | POLLOUT) & entry->events);
}

static int look(struct pollfd *fds, nfds_t count)
{
    int ready = 0;

    for (nfds_t i = 0; i < count; i++) {
        fds[i].revents = events_of(&fds[i]);
        ready += fds[i].revents != 0;
        if ((fds[i].revents & POLLNVAL) != 0) {
            wrong("it polls a connection that is closed");
        }
    }
    return ready;
}

/* One more transaction of those that stream. */
static bool tick(void)
{
    bool any = false;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        any |= world.open[i] != NULL && peer_tick(world.open[i]->peer);
    }
    return any;
}

/* The loop has them blocked, but for its poll. */
static void stop(const char *what)
{
    sigset_t blocked;

    wrong(what);
    sigprocmask(SIG_SETMASK, &world.waiting, &blocked);
    raise(SIGTERM);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

static void check_run(void)
{
    size_t now = heap() - world.heap_before;

    world.result.heap_max = now > world.result.heap_max ? now : world.result.heap_max;
    if (++world.result.polls == POLLS_MAX) {
        stop("it polls without an end: a busy loop");
    }
    if (world.result.polls > POLLS_MAX + 1000) {
        fprintf(stderr, "it can't even be stopped\n");
        abort();
    }
}

int __wrap_os_poll(struct pollfd *fds, nfds_t count, int64_t timeout_us, const sigset_t *mask);

int __wrap_os_poll(struct pollfd *fds, nfds_t count, int64_t timeout_us, const sigset_t *mask)
{
    int ready = look(fds, count);
    int64_t before_us = world.now_us;

    (void)mask;
    check_run();
    if (ready > 0) {
        world.now_us += world.setup->turn_us;
        return ready;
    }
    if (timeout_us > TICK_US && tick()) {
        world.now_us += TICK_US;
        return look(fds, count);
    }
    if (timeout_us == CLOCK_NEVER) {
        stop("it waits for ever");
        return 0;
    }
    if (world.setup->pace_us > 0 && timeout_us > world.setup->pace_us) {
        timeout_us = world.setup->pace_us; /* then there may be more to read */
    }
    world.now_us += timeout_us > 0 ? timeout_us : 1;
    return world.now_us > before_us ? look(fds, count) : 0;
}

/* ---- out/line_out.h ---- */

static bool can_take(struct out *out)
{
    (void)out;
    return true;
}

static bool has_begun;

static void begin(struct out *out, const struct item *item)
{
    (void)out;
    has_begun = true;
    world.result.items++;
    item_write(&world.lines, item, &(struct item_style){.format = ITEM_JSON});
}

static bool busy(const struct out *out)
{
    (void)out;
    return has_begun;
}

static enum out_event step(struct out *out, short revents, int64_t now_us, struct error *error)
{
    bool done = has_begun;

    (void)out;
    (void)revents;
    (void)now_us;
    (void)error;
    has_begun = false;
    return done ? OUT_DONE : OUT_NOTHING;
}

static struct pollfd no_pollfd(const struct out *out, bool wanted)
{
    (void)out;
    (void)wanted;
    return (struct pollfd){.fd = -1};
}

static int64_t deadline(const struct out *out, bool wanted, int64_t now_us)
{
    (void)out;
    (void)wanted;
    return has_begun ? now_us : CLOCK_NEVER;
}

static int64_t stop_out(struct out *out)
{
    (void)out;
    return 0;
}

static void free_out(struct out *out)
{
    (void)out;
}

struct out *__wrap_line_out_new(const struct item_style *style, enum output_result *result,
                                struct error *error);

struct out *__wrap_line_out_new(const struct item_style *style, enum output_result *result,
                                struct error *error)
{
    static const struct out_ops ops = {can_take,  begin,    busy,     step,
                                       no_pollfd, deadline, stop_out, free_out};
    static struct out out = {&ops};

    (void)style;
    (void)error;
    *result = OUTPUT_OK;
    has_begun = false;
    return &out;
}

/* ---- a run ---- */

/* All memory at once, so that what a run leaves behind shows. */
static void reserve(struct buffer *text)
{
    for (size_t i = 0; i < LOG_LIMIT; i++) {
        buffer_byte(text, 0);
    }
    buffer_clear(text);
}

void world_start(void)
{
    struct error error;

    reserve(&world.lines);
    reserve(&world.log);
    signals_install(&world.waiting);
    tls_init(&error);
    world.log_file = tmpfile();
    world.out_file = tmpfile();
}

/* Takes all that is in the file, and empties it. */
static void take_file(FILE *file, struct buffer *text)
{
    char piece[4096];
    ssize_t len;

    buffer_clear(text);
    lseek(fileno(file), 0, SEEK_SET);
    while ((len = read(fileno(file), piece, sizeof(piece))) > 0) {
        buffer_append(text, piece, (size_t)len);
    }
    if (ftruncate(fileno(file), 0) == 0) {
        lseek(fileno(file), 0, SEEK_SET);
    }
}

static struct feed_outcome run_doctor(const struct feed_config *config)
{
    struct feed_outcome outcome = {FEED_ERROR, 0};
    int saved;

    fflush(stdout);
    saved = dup(STDOUT_FILENO);
    if (saved >= 0 && dup2(fileno(world.out_file), STDOUT_FILENO) >= 0) {
        outcome = doctor_run(config, false, &world.waiting);
        dup2(saved, STDOUT_FILENO);
    }
    close(saved);
    take_file(world.out_file, &world.lines);
    return outcome;
}

/* What a terminal takes for more than text. */
static bool has_controls(const struct buffer *text)
{
    for (size_t i = 0; i < text->len; i++) {
        unsigned char c = (unsigned char)text->data[i];

        if ((c < 0x20 && c != '\n') || c == 0x7f ||
            (c == 0xc2 && i + 1 < text->len && (unsigned char)text->data[i + 1] < 0xa0)) {
            return true;
        }
    }
    return false;
}

static bool holds(const struct buffer *text, const char *part)
{
    size_t len = strlen(part);

    for (size_t i = 0; i + len <= text->len; i++) {
        if (memcmp(text->data + i, part, len) == 0) {
            return true;
        }
    }
    return false;
}

static void check_result(int64_t timeout_us)
{
    const struct world_result *result = &world.result;

    if (has_controls(&world.lines)) {
        wrong("a line has control characters");
    }
    if (has_controls(&world.log)) {
        wrong("a message has control characters");
    }
    if (holds(&world.log, PEER_PASSWORD) || holds(&world.lines, PEER_PASSWORD)) {
        wrong("the password is shown");
    }
    if (world.log.len > LOG_LIMIT) {
        wrong("it says too much");
    }
    if (result->heap_max > HEAP_LIMIT) {
        wrong("it takes too much memory");
    }
    if (result->elapsed_us > timeout_us + LATE_US) {
        wrong("it ends too late");
    }
    if (result->outcome.status != FEED_ERROR && result->outcome.status != FEED_REFUSED &&
        result->outcome.status != FEED_TIMEOUT &&
        !(world.setup->doctor && result->outcome.status == FEED_STOPPED)) {
        wrong("its status");
    }
}

/* Reading the arguments may wipe what is secret in them. */
static bool parse(struct feed_config *config, const char *const *options)
{
    struct doctor_options doctor;
    struct error error;
    char texts[OPTIONS_MAX][64] = {"pgnudge"};
    char *argv[OPTIONS_MAX] = {texts[0]};
    int argc = 1;

    for (; options[argc - 1] != NULL && argc < OPTIONS_MAX - 1; argc++) {
        snprintf(texts[argc], sizeof(texts[argc]), "%s", options[argc - 1]);
        argv[argc] = texts[argc];
    }
    setenv("PGPASSWORD", PEER_PASSWORD, 1); /* it is wiped, once read */
    optind = 0;                             /* getopt starts anew */
    options_init(config);
    config->log.fd = fileno(world.log_file);
    if (options_parse(config, &doctor, argc, argv, &error) != OPTIONS_RUN) {
        fprintf(stderr, "options: %s\n", error.message);
        return false;
    }
    return true;
}

struct world_result world_run(const struct world_setup *setup)
{
    struct feed_config config;

    world.result = (struct world_result){0};
    world.setup = setup;
    world.now_us = 1000 * CLOCK_S;
    world.random = 1;
    buffer_clear(&world.lines);
    if (!parse(&config, setup->options)) {
        wrong("its options");
        return world.result;
    }
    world.heap_before = heap();
    world.result.outcome = setup->doctor ? run_doctor(&config) : feed_run(&config, &world.waiting);
    world.result.elapsed_us = world.now_us - 1000 * CLOCK_S;
    signals_take();
    take_file(world.log_file, &world.log);
    check_result(config.timeout_us);
    options_free(&config);
    return world.result;
}

const struct buffer *world_lines(void)
{
    return &world.lines;
}

const struct buffer *world_log(void)
{
    return &world.log;
}
