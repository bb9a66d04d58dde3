#include "out/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHELL "/bin/sh"

static void close_input(struct child *child)
{
    if (child->input >= 0) {
        close(child->input);
    }
    child->input = -1;
}

/* posix_spawn's results are error numbers. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    sigset_t all;
    sigset_t none;
    int result;

    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    sigemptyset(&none);
    result = posix_spawnattr_setflags(attributes, flags);
    result = result != 0 ? result : posix_spawnattr_setpgroup(attributes, 0);
    result = result != 0 ? result : posix_spawnattr_setsigdefault(attributes, &all);
    return result != 0 ? result : posix_spawnattr_setsigmask(attributes, &none);
}

static int spawn(pid_t *pid, const char *command, char *const *variables, int input)
{
    const char *const arguments[] = {"sh", "-c", "--", command, NULL}; /* not written to */
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int result = posix_spawn_file_actions_init(&actions);

    if (result != 0) {
        return result;
    }
    result = posix_spawnattr_init(&attributes);
    if (result == 0) {
        result = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
        result = result != 0 ? result : set_attributes(&attributes);
        result = result != 0 ? result
                             : posix_spawn(pid, SHELL, &actions, &attributes,
                                           (char *const *)arguments, variables);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return result;
}

bool child_start(struct child *child, const char *command, char *const *variables)
{
    int ends[2];
    int result;

    *child = (struct child){.input = -1};
    if (pipe(ends) != 0) {
        return false;
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    result = spawn(&child->pid, command, variables, ends[0]);
    close(ends[0]);
    child->input = ends[1];
    if (result != 0) {
        close_input(child);
        child->pid = 0;
        errno = result;
    }
    return result == 0;
}

void child_write(struct child *child, const struct buffer *text, size_t *sent)
{
    ssize_t written;

    if (child->input < 0) {
        return;
    }
    written = write(child->input, text->data + *sent, text->len - *sent);
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    *sent += written > 0 ? (size_t)written : 0;
    if (written < 0 || *sent == text->len) {
        close_input(child);
    }
}

bool child_ended(struct child *child, int *status)
{
    if (child->pid == 0 || waitpid(child->pid, status, WNOHANG) != child->pid) {
        return false;
    }
    child->pid = 0;
    close_input(child);
    return true;
}

bool child_group_lives(pid_t group)
{
    return kill(-group, 0) == 0;
}

void child_kill(struct child *child)
{
    close_input(child);
    if (child->pid > 0) {
        kill(-child->pid, SIGKILL);
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    child->pid = 0;
}
