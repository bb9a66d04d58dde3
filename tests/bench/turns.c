/*
 * The turns of pgnudge's loop: linked into a pgnudge of its own, in place of the
 * os_poll that the loop calls, it notes how much CPU time passes from one poll
 * to the next, and writes the longest to descriptor 9, a file: `longest`, in ms.
 * Time on the clock would count what else the machine does.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"

#define TURNS_FD 9

int __real_os_poll(struct pollfd *fds, nfds_t count, int64_t timeout_us, const sigset_t *mask);
int __wrap_os_poll(struct pollfd *fds, nfds_t count, int64_t timeout_us, const sigset_t *mask);

static int64_t since_us = INT64_MAX; /* the last poll's return; the first turn is the start */
static int64_t longest_us;

static int64_t spent_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Over what was written before: the program may be killed at any time. */
static void tell(void)
{
    char line[40];
    int len = snprintf(line, sizeof(line), "longest\t%8.3f\n", (double)longest_us / 1000);

    if (pwrite(TURNS_FD, line, (size_t)len, 0) != len) {
        perror("turns");
    }
}

int __wrap_os_poll(struct pollfd *fds, nfds_t count, int64_t timeout_us, const sigset_t *mask)
{
    int64_t now_us = spent_us();
    int result;

    if (now_us - since_us > longest_us) {
        longest_us = now_us - since_us;
        tell();
    }
    result = __real_os_poll(fds, count, timeout_us, mask);
    since_us = spent_us();
    return result;
}
