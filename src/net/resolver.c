#include "net/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"

/* What the child writes: the list, or why there is none. */
struct answer {
    bool ok;
    struct address_list list;
    struct error error;
};

/* 1. `child` is there until its answer is complete, or the resolver is freed: it is always reaped. */
struct resolver {
    const struct host *host;
    pid_t child;
    int fd;
    size_t len; /* bytes of the answer so far */
    struct answer answer;
};

static void reset_signals(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT, SIGPIPE};
    sigset_t none;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        signal(numbers[i], SIG_DFL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The child's whole life. It touches nothing of ours: it only looks up, and answers. */
static void look_up(const struct host *host, int pipe_end, pid_t parent)
{
    struct answer answer;
    const char *at = (const char *)&answer;
    size_t left = sizeof(answer);

    os_close_all_but(pipe_end);
    reset_signals();
    if (!os_die_with(parent)) {
        _exit(1);
    }
    memset(&answer, 0, sizeof(answer));
    answer.ok = address_resolve(host, &answer.list, &answer.error);
    while (left > 0) {
        ssize_t written = write(pipe_end, at, left);

        if (written <= 0) {
            break;
        }
        at += written;
        left -= (size_t)written;
    }
    _exit(0);
}

static bool start_child(struct resolver *resolver)
{
    pid_t parent = getpid();
    int ends[2];

    if (pipe(ends) != 0) {
        return false;
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    resolver->fd = ends[0];
    resolver->child = fork();
    if (resolver->child == 0) {
        look_up(resolver->host, ends[1], parent);
    }
    close(ends[1]);
    return resolver->child > 0;
}

struct resolver *resolver_start(const struct host *host, struct error *error)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));

    if (resolver == NULL) {
        error_memory(error);
        return NULL;
    }
    resolver->host = host;
    resolver->fd = resolver->child = -1;
    if (!start_child(resolver)) {
        error_set(error, ERROR_TRANSIENT, "could not look up host name \"%s\": %s",
                  host_label(host), strerror(errno));
        resolver_free(resolver);
        return NULL;
    }
    return resolver;
}

/* The child is no stranger, but what it wrote is checked all the same. */
static enum step take_answer(struct resolver *resolver, struct address_list *list,
                             struct error *error)
{
    const struct answer *answer = &resolver->answer;
    bool ok = answer->ok && answer->list.count > 0 && answer->list.count <= ADDRESSES_MAX;

    if (!ok) {
        *error = answer->error;
        return STEP_FAILED;
    }
    *list = answer->list;
    for (size_t i = 0; i < list->count; i++) {
        list->at[i].host = resolver->host;
        list->at[i].text[ADDRESS_TEXT_MAX - 1] = '\0';
    }
    return STEP_DONE;
}

enum step resolver_step(struct resolver *resolver, struct address_list *list, struct error *error)
{
    char *answer = (char *)&resolver->answer;

    while (resolver->len < sizeof(resolver->answer)) {
        ssize_t len =
            read(resolver->fd, answer + resolver->len, sizeof(resolver->answer) - resolver->len);

        if (len < 0 && (errno == EAGAIN || errno == EINTR)) {
            return STEP_WAIT;
        }
        if (len <= 0) {
            error_set(error, ERROR_TRANSIENT, "the lookup of host name \"%s\" ended unexpectedly",
                      host_label(resolver->host));
            return STEP_FAILED;
        }
        resolver->len += (size_t)len;
    }
    return take_answer(resolver, list, error);
}

struct pollfd resolver_pollfd(const struct resolver *resolver)
{
    return (struct pollfd){.fd = resolver->fd, .events = POLLIN};
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    if (resolver->child > 0) {
        kill(resolver->child, SIGKILL);
        while (waitpid(resolver->child, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    if (resolver->fd >= 0) {
        close(resolver->fd);
    }
    free(resolver);
}
