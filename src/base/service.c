#include "base/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

/* A path, or a name in the abstract namespace behind an "@". -1: none that we know. */
static int connect_to(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    int fd;

    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(address.sun_path)) {
        return -1;
    }
    memcpy(address.sun_path, name, len);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd >= 0 && (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
                    connect(fd, (const struct sockaddr *)&address, size) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Meant for us only if WATCHDOG_PID says so, or is not there. */
static int64_t watchdog_interval_us(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");
    long long interval = usec != NULL ? strtoll(usec, NULL, 10) : 0;

    if (interval < 2 || (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid())) {
        return CLOCK_NEVER;
    }
    return interval / 2;
}

void service_open(struct service *service)
{
    const char *name = getenv("NOTIFY_SOCKET");

    *service = (struct service){.fd = name != NULL ? connect_to(name) : -1,
                                .watchdog_us = CLOCK_NEVER,
                                .watchdog_at_us = CLOCK_NEVER};
    if (service->fd >= 0) {
        service->watchdog_us = watchdog_interval_us();
        service->watchdog_at_us = service->watchdog_us == CLOCK_NEVER ? CLOCK_NEVER : 0;
    }
}

static void tell(const struct service *service, const char *text)
{
    if (service->fd >= 0) {
        ssize_t sent = send(service->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);

        (void)sent; /* nobody is left to tell */
    }
}

void service_ready(struct service *service)
{
    if (!service->ready) {
        service->ready = true;
        tell(service, "READY=1");
    }
}

void service_stopping(struct service *service)
{
    tell(service, "STOPPING=1");
}

void service_status(struct service *service, const char *format, ...)
{
    char status[SERVICE_STATUS_MAX];
    char text[SERVICE_STATUS_MAX + sizeof("STATUS=")];
    va_list args;

    if (service->fd < 0) {
        return;
    }
    va_start(args, format);
    vsnprintf(status, sizeof(status), format, args);
    va_end(args);
    utf8_disarm(status);
    if (strcmp(status, service->status) != 0) {
        memcpy(service->status, status, sizeof(status));
        snprintf(text, sizeof(text), "STATUS=%s", status);
        tell(service, text);
    }
}

void service_watch(struct service *service, int64_t now_us)
{
    if (now_us >= service->watchdog_at_us) {
        tell(service, "WATCHDOG=1");
        service->watchdog_at_us = clock_after(now_us, service->watchdog_us);
    }
}

int64_t service_deadline(const struct service *service)
{
    return service->watchdog_at_us;
}

void service_close(struct service *service)
{
    if (service->fd >= 0) {
        close(service->fd);
    }
    service->fd = -1;
}
