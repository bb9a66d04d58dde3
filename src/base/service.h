/*
 * What a service manager is told, by the protocol of sd_notify(3): datagrams to the socket that
 * NOTIFY_SOCKET names. Without one nothing is sent; what the socket can't take at once is dropped.
 */
#ifndef PGNUDGE_BASE_SERVICE_H
#define PGNUDGE_BASE_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#define SERVICE_STATUS_MAX 256 /* bytes; a longer status is cut */

struct service {
    int fd; /* -1: there is no manager */
    bool ready;
    int64_t watchdog_us; /* how often it wants to hear from us, halved; CLOCK_NEVER: not at all */
    int64_t watchdog_at_us;
    char status[SERVICE_STATUS_MAX];
};

/* By NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. */
void service_open(struct service *service);

/* The work that it was started for is being done. Only the first call is told. */
void service_ready(struct service *service);

void service_stopping(struct service *service);

/* In words; the same again is not told. */
void service_status(struct service *service, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Shows that the loop turns, as often as is wanted. */
void service_watch(struct service *service, int64_t now_us);

/* When service_watch is to be called again. */
int64_t service_deadline(const struct service *service);

void service_close(struct service *service);

#endif
