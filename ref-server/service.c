/* SPDX-License-Identifier: MIT */
#include "service.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* How often the number of clients is told, when it is another one, in ms. */
#define STATUS_MS 10000u

/* One descriptor of the manager. The pipe that is our console comes as stdin, too. */
static int keep(int fd, int fds[static LISTENER_MAX], int count, char *why, size_t why_size)
{
    if (sd_is_fifo(fd, NULL) > 0) {
        close(fd);
        return count;
    }
    if (sd_is_socket(fd, AF_INET, SOCK_STREAM, 1) <= 0 && sd_is_socket(fd, AF_INET6, SOCK_STREAM, 1) <= 0) {
        snprintf(why, why_size, "descriptor %d of the service manager is no listening TCP socket", fd);
        return -ENOTSOCK;
    }
    if (count == LISTENER_MAX) {
        snprintf(why, why_size, "the service manager passes more than %d sockets", LISTENER_MAX);
        return -E2BIG;
    }
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        snprintf(why, why_size, "descriptor %d of the service manager: %s", fd, strerror(errno));
        return -EIO;
    }
    fds[count] = fd;
    return count + 1;
}

int service_sockets(int fds[static LISTENER_MAX], char *why, size_t why_size)
{
    int count = 0;
    const int given = sd_listen_fds(1); /* sets FD_CLOEXEC */
    if (given < 0) {
        snprintf(why, why_size, "the variables LISTEN_FDS and LISTEN_PID: %s", strerror(-given));
        return given;
    }
    for (int i = 0; i < given && count >= 0; i++) {
        count = keep(SD_LISTEN_FDS_START + i, fds, count, why, why_size);
    }
    return count;
}

static void rest(struct service *service, struct loop *loop)
{
    loop_set_deadline(loop, &service->beat, loop->now_ms + service->every_ms);
}

int service_init(struct service *service, struct loop *loop, int kind)
{
    uint64_t watchdog_us = 0;
    *service = (struct service){.beat = {.kind = kind}};
    const int problem = loop_add(loop, &service->beat, -1, 0);
    if (problem == 0 && getenv("NOTIFY_SOCKET") != NULL) {
        service->every_ms = STATUS_MS;
    }
    /* Twice as often as is asked for. */
    if (problem == 0 && sd_watchdog_enabled(0, &watchdog_us) > 0 && watchdog_us / 2000 < STATUS_MS) {
        service->every_ms = watchdog_us > 2000 ? watchdog_us / 2000 : 1;
    }
    return problem;
}

void service_fini(struct service *service, struct loop *loop)
{
    loop_remove(loop, &service->beat);
}

void service_tell_ready(struct service *service, struct loop *loop, const char *address)
{
    sd_notifyf(0, "READY=1\nSTATUS=listening on %s", address);
    if (service->every_ms > 0) {
        rest(service, loop);
    }
}

void service_beat(struct service *service, struct loop *loop, size_t clients)
{
    sd_notify(0, "WATCHDOG=1");
    if (clients != service->clients) {
        sd_notifyf(0, "STATUS=%zu clients", clients);
        service->clients = clients;
    }
    rest(service, loop);
}

void service_tell_reloading(void)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_now_ms() * 1000);
}

void service_tell_reloaded(void)
{
    sd_notify(0, "READY=1");
}

void service_tell_stopping(void)
{
    sd_notify(0, "STOPPING=1\nSTATUS=saying goodbye");
}
