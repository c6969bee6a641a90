/* SPDX-License-Identifier: MIT */
#include "net.h"

#include "clock.h"
#include "signals.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESS_SIZE (NI_MAXHOST + 2)

bool net_target_format(const char *host, uint16_t port, char out[static NET_TARGET_SIZE], char *why,
                       size_t why_size)
{
    const bool is_ipv6 = strchr(host, ':') != NULL;
    const char *alphabet = is_ipv6 ? "0123456789abcdef:." : "abcdefghijklmnopqrstuvwxyz0123456789._-";
    char name[NET_TARGET_SIZE];
    /* The zone of a link-local address ("%eth0") is this host's own affair: the wire has no sign for it. */
    size_t size = is_ipv6 ? strcspn(host, "%") : strlen(host);

    if (size > 0 && host[size - 1] == '.' && !is_ipv6) {
        size--;
    }
    if (size == 0 || size > 253) {
        snprintf(why, why_size, "\"%s\" is no name of a host: it has %zu characters", host, size);
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        name[i] = (char)tolower((unsigned char)host[i]);
    }
    name[size] = '\0';
    if (strspn(name, alphabet) != size) {
        snprintf(why, why_size,
                 "\"%s\" is no name of a host: letters, digits, '.', '-' and '_' can stand in one; "
                 "an international name has to be typed in its form that begins with xn--",
                 host);
        return false;
    }
    snprintf(out, NET_TARGET_SIZE, is_ipv6 ? "[%s]:%u" : "%s:%u", name, (unsigned)port);
    return true;
}

static void address_print(const struct addrinfo *address, char out[static ADDRESS_SIZE])
{
    char host[NI_MAXHOST];
    const int failed =
        getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    snprintf(out, ADDRESS_SIZE, address->ai_family == AF_INET6 ? "[%s]" : "%s", failed ? "?" : host);
}

/* 0 when the connection stands, else -errno; -EINTR after a stop. */
static int await(int fd)
{
    const uint64_t deadline_ms = clock_now_ms() + NET_CONNECT_MS;
    const unsigned stops = signals_seen().stops;
    for (;;) {
        const uint64_t now_ms = clock_now_ms();
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        const int count = signals_poll(&ready, 1, now_ms < deadline_ms ? deadline_ms - now_ms : 0);
        if (count < 0) {
            return count;
        }
        if (signals_seen().stops != stops) {
            return -EINTR;
        }
        if (count > 0) {
            int problem = 0;
            socklen_t size = sizeof problem;
            return getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) == 0 ? -problem : -errno;
        }
        if (now_ms >= deadline_ms) {
            return -ETIMEDOUT;
        }
    }
}

/* The connected socket, or -errno. */
static int connect_one(const struct addrinfo *address)
{
    const int on = 1;
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) {
        return -errno;
    }
    /* A frame is to go out when it is written: a person waits for the answer. */
    int problem = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 ? 0 : -errno;
    if (problem == 0 && connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        problem = errno == EINPROGRESS ? await(fd) : -errno;
    }
    if (problem == 0) {
        return fd;
    }
    close(fd);
    return problem;
}

/* Adds "ADDRESS: reason" to the words, as far as there is room. */
static void blame(const struct addrinfo *address, bool is_first, int problem, char *why, size_t why_size)
{
    char text[ADDRESS_SIZE];
    const size_t used = strlen(why);
    address_print(address, text);
    snprintf(why + used, why_size - used, "%s %s: %s", is_first ? ":" : ";", text, strerror(problem));
}

enum net_outcome net_connect(const char *host, uint16_t port, int *fd, char *why, size_t why_size)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    enum net_outcome outcome = NET_REFUSED;
    char service[8];

    snprintf(service, sizeof service, "%u", (unsigned)port);
    const int failed = getaddrinfo(host, service, &hints, &found);
    if (failed != 0) {
        snprintf(why, why_size, "the name %s does not resolve: %s", host,
                 failed == EAI_SYSTEM ? strerror(errno) : gai_strerror(failed));
        return NET_UNRESOLVED;
    }
    snprintf(why, why_size, "could not connect to %s port %u", host, (unsigned)port);
    for (const struct addrinfo *at = found; at != NULL && outcome == NET_REFUSED; at = at->ai_next) {
        const int result = connect_one(at);
        if (result >= 0) {
            *fd = result;
            outcome = NET_CONNECTED;
        } else if (result == -EINTR) {
            snprintf(why, why_size, "stopped while connecting");
            outcome = NET_STOPPED;
        } else {
            blame(at, at == found, -result, why, why_size);
        }
    }
    freeaddrinfo(found);
    return outcome;
}

ssize_t net_receive(int fd, uint8_t *at, size_t cap)
{
    const ssize_t n = recv(fd, at, cap, 0);
    return n < 0 ? -errno : n;
}

ssize_t net_send(int fd, struct prosa_bytes octets)
{
    const ssize_t n = send(fd, octets.at, octets.size, MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}
