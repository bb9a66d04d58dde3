/*
 * A proxy in front of a PostgreSQL server that makes a bad network of a good one:
 *
 *   proxy PORT [delay MS] [late MS] [silent TEXT] [pid N] [reset N] [cut N] [on PORT]
 *
 * takes connections on a port of 127.0.0.1 (any, or "on"), which it prints, and relays them to
 * 127.0.0.1:PORT. "delay": each byte of a connection whose startup packet doesn't ask for replication
 * is MS milliseconds late, in both directions; "late": each byte of every connection. "silent": once a
 * client has sent TEXT, which is passed on, nothing is relayed any more on any connection, new ones
 * included, though all stay open; SIGUSR1 ends that, for good, and closes those that were silent.
 * "pid": a login that doesn't ask for replication is told another process ID, by N, as a pooler does.
 * "reset": the Kth connection is reset once the server has sent K times N bytes, until SIGUSR1;
 * "cut": it is closed as if all were well.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAIRS_MAX 64
#define CHUNK     65536

/* What has been read and not yet been written, with the time when it may be. */
struct chunk {
    struct chunk *next;
    long long due_ms;
    size_t len;
    char data[];
};

struct pair {
    int fds[2]; /* the client, the server */
    struct chunk *first[2];
    struct chunk **end[2];
    bool started; /* its startup packet has come */
    bool plain;
    bool keyed;  /* its BackendKeyData has come */
    size_t left; /* bytes from the server until it is reset; 0: it isn't */
    bool over;   /* it is to be reset once these are relayed */
};

static struct pair pairs[PAIRS_MAX];
static size_t pair_count;
static volatile sig_atomic_t woken;
static int pid_more, late_ms;
static bool cuts;
static size_t reset_step, taken;

static void wake(int number)
{
    (void)number;
    woken = 1;
}

static long long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static struct sockaddr_in at_port(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static bool contains(const char *data, size_t len, const char *text)
{
    size_t wanted = strlen(text);

    for (size_t i = 0; i + wanted <= len; i++) {
        if (memcmp(data + i, text, wanted) == 0) {
            return true;
        }
    }
    return false;
}

static void drop(size_t i)
{
    for (int side = 0; side < 2; side++) {
        close(pairs[i].fds[side]);
        while (pairs[i].first[side] != NULL) {
            struct chunk *chunk = pairs[i].first[side];

            pairs[i].first[side] = chunk->next;
            free(chunk);
        }
    }
    pairs[i] = pairs[--pair_count];
    for (int side = 0; side < 2; side++) { /* the moved one's list ends elsewhere now */
        struct chunk **end = &pairs[i].first[side];

        while (*end != NULL) {
            end = &(*end)->next;
        }
        pairs[i].end[side] = end;
    }
}

/* Closed with data that nobody will read: an RST goes out, no FIN. */
static void reset(size_t i)
{
    struct linger at_once = {.l_onoff = 1};

    for (int side = 0; side < 2 && !cuts; side++) {
        setsockopt(pairs[i].fds[side], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    drop(i);
}

static void take(int listener, int port)
{
    struct sockaddr_in target = at_port(port);
    int client = accept(listener, NULL, NULL), server = socket(AF_INET, SOCK_STREAM, 0);

    if (client < 0 || server < 0 || pair_count == PAIRS_MAX ||
        connect(server, (struct sockaddr *)&target, sizeof(target)) != 0) {
        close(client);
        close(server);
        return;
    }
    pairs[pair_count] = (struct pair){.fds = {client, server}, .left = ++taken * reset_step};
    for (int side = 0; side < 2; side++) {
        pairs[pair_count].end[side] = &pairs[pair_count].first[side];
    }
    pair_count++;
}

/* BackendKeyData: 'K', a length of 12, the process ID. */
static void change_pid(struct pair *pair, char *data, size_t len)
{
    for (size_t i = 0; i + 9 <= len && !pair->keyed; i++) {
        if (memcmp(data + i, "K\0\0\0\x0c", 5) == 0) {
            data[i + 8] = (char)(data[i + 8] + pid_more);
            pair->keyed = true;
        }
    }
}

/* Reads what one side has sent. False: it has closed. */
static bool receive(struct pair *pair, int side, int delay_ms, const char *silent_after,
                    bool *silent)
{
    struct chunk *chunk = malloc(sizeof(*chunk) + CHUNK);
    size_t room = side == 1 && pair->left > 0 && pair->left < CHUNK ? pair->left : CHUNK;
    ssize_t len = chunk != NULL ? recv(pair->fds[side], chunk->data, room, 0) : 0;

    if (len <= 0) {
        free(chunk);
        return false;
    }
    chunk->len = (size_t)len;
    chunk->next = NULL;
    if (side == 0 && !pair->started && contains(chunk->data, chunk->len, "user")) {
        pair->started = true;
        pair->plain = !contains(chunk->data, chunk->len, "replication");
    }
    if (side == 1 && pair->plain && pid_more != 0) {
        change_pid(pair, chunk->data, chunk->len);
    }
    *silent |= silent_after != NULL && side == 0 && contains(chunk->data, chunk->len, silent_after);
    chunk->due_ms = now_ms() + (pair->plain ? delay_ms : late_ms);
    *pair->end[side] = chunk;
    pair->end[side] = &chunk->next;
    if (side == 1 && pair->left > 0) {
        pair->left -= (size_t)len;
        pair->over = pair->left == 0;
    }
    return true;
}

/* Writes to the other side what is due. False: that has closed. */
static bool relay(struct pair *pair, int side, long long now)
{
    while (pair->first[side] != NULL && pair->first[side]->due_ms <= now) {
        struct chunk *chunk = pair->first[side];

        if (send(pair->fds[1 - side], chunk->data, chunk->len, MSG_NOSIGNAL) !=
            (ssize_t)chunk->len) {
            return false;
        }
        pair->first[side] = chunk->next;
        pair->end[side] = chunk->next == NULL ? &pair->first[side] : pair->end[side];
        free(chunk);
    }
    return true;
}

static int next_timeout(void)
{
    long long timeout = 1000, now = now_ms();

    for (size_t i = 0; i < pair_count; i++) {
        for (int side = 0; side < 2; side++) {
            const struct chunk *chunk = pairs[i].first[side];

            if (chunk != NULL && chunk->due_ms - now < timeout) {
                timeout = chunk->due_ms > now ? chunk->due_ms - now : 0;
            }
        }
    }
    return (int)timeout;
}

static void serve(int listener, int port, int delay_ms, const char *silent_after)
{
    struct pollfd fds[1 + 2 * PAIRS_MAX];
    bool silent = false, was_silent = false;

    for (;;) {
        size_t polled = pair_count;

        fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
        for (size_t i = 0; i < polled; i++) {
            for (int side = 0; side < 2; side++) {
                fds[1 + 2 * i + (size_t)side] =
                    (struct pollfd){.fd = silent ? -1 : pairs[i].fds[side], .events = POLLIN};
            }
        }
        if (poll(fds, (nfds_t)(1 + 2 * polled), silent ? 1000 : next_timeout()) < 0 &&
            errno != EINTR) {
            return;
        }
        if (woken && reset_step > 0) {
            reset_step = 0;
            for (size_t i = 0; i < pair_count; i++) {
                pairs[i].left = 0;
            }
        }
        if (woken && silent) {
            silent = false;
            silent_after = NULL;
            while (pair_count > 0) {
                drop(0);
            }
            continue;
        }
        if ((fds[0].revents & POLLIN) != 0) {
            take(listener, port);
        }
        for (size_t i = polled; i-- > 0 && !was_silent;) {
            bool ok = true;

            for (int side = 0; side < 2 && ok; side++) {
                ok = fds[1 + 2 * i + (size_t)side].revents == 0 ||
                     receive(&pairs[i], side, delay_ms, silent_after, &silent);
                ok = ok && relay(&pairs[i], side, now_ms());
            }
            if (ok && pairs[i].over && pairs[i].first[1] == NULL) {
                reset(i);
            } else if (!ok) {
                drop(i);
            }
        }
        was_silent = silent;
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = at_port(0);
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), delay_ms = 0, yes = 1;
    const char *silent_after = NULL;

    if (argc < 2 || argc % 2 != 0) {
        fputs("usage: proxy PORT [delay MS] [late MS] [silent TEXT] [pid N] [reset N] [cut N]"
              " [on PORT]\n",
              stderr);
        return 2;
    }
    for (int i = 2; i < argc; i += 2) {
        if (strcmp(argv[i], "delay") == 0) {
            delay_ms = atoi(argv[i + 1]);
        } else if (strcmp(argv[i], "late") == 0) {
            delay_ms = late_ms = atoi(argv[i + 1]);
        } else if (strcmp(argv[i], "on") == 0) {
            address = at_port(atoi(argv[i + 1]));
        } else if (strcmp(argv[i], "reset") == 0 || strcmp(argv[i], "cut") == 0) {
            cuts = argv[i][0] == 'c';
            reset_step = (size_t)atoi(argv[i + 1]);
        } else if (strcmp(argv[i], "pid") == 0) {
            pid_more = atoi(argv[i + 1]);
        } else {
            silent_after = argv[i + 1];
        }
    }
    signal(SIGUSR1, wake);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, 16) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) != 0) {
        perror("proxy");
        return 1;
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    serve(listener, atoi(argv[1]), delay_ms, silent_after);
    return 1;
}
