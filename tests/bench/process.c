#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define STATUS_NOT_RUN 127            /* as a shell says it */
#define END_NS         (2 * NS_PER_S) /* for a program to end when it is asked to */

_Noreturn static void become(char *const *argv, int out, bool errors_too, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && dup2(out, STDOUT_FILENO) >= 0 &&
        (!errors_too || dup2(out, STDERR_FILENO) >= 0)) {
        execvp(argv[0], argv);
    }
    _exit(STATUS_NOT_RUN);
}

pid_t process_start(char *const *argv, int out, bool errors_too)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid < 0) {
        fail("could not fork: %s", strerror(errno));
    }
    if (pid == 0) {
        become(argv, out, errors_too, parent);
    }
    return pid;
}

void process_check(pid_t pid)
{
    int status;

    if (waitpid(pid, &status, WNOHANG) == pid) {
        fail("the client ended by itself (%s %d)", WIFEXITED(status) ? "status" : "signal",
             WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    }
}

void process_kill(pid_t pid)
{
    int64_t end = now_ns() + END_NS;

    kill(pid, SIGTERM);
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (now_ns() > end) {
            kill(pid, SIGKILL);
        }
        pause_ns(NS_PER_MS);
    }
}

int64_t process_cpu_ns(pid_t pid)
{
    struct timespec ts;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ts) != 0) {
        fail("could not read the CPU time of process %ld", (long)pid);
    }
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t process_status(pid_t pid, const char *field)
{
    char path[64], line[256];
    size_t len = strlen(field);
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, field, len) == 0 && line[len] == ':') {
            fclose(file);
            return strtoll(line + len + 1, NULL, 10);
        }
    }
    fail("could not read %s of process %ld", field, (long)pid);
}
