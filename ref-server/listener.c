/* SPDX-License-Identifier: MIT */
#include "listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* How long a socket rests when descriptors or memory have run out. */
#define REST_MS 100u

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_storage room;
};

/* IPv4 and IPv6 sockets on one name each keep to their family; `::` alone takes both. */
static int set_options(int fd, const union address *address)
{
    const int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) { /* [END-18] */
        return -errno;
    }
    if (address->any.sa_family == AF_INET6) {
        const int only = !IN6_IS_ADDR_UNSPECIFIED(&address->in6.sin6_addr);
        return setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0 ? -errno : 0;
    }
    return 0;
}

/* A listening socket, or -errno. */
static int socket_listen(const struct addrinfo *address, uint16_t port)
{
    union address own = {0};
    memcpy(&own, address->ai_addr, address->ai_addrlen);
    *(own.any.sa_family == AF_INET6 ? &own.in6.sin6_port : &own.in.sin_port) = htons(port);

    const int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int problem = set_options(fd, &own);
    if (problem == 0 && bind(fd, &own.any, address->ai_addrlen) != 0) {
        problem = -errno;
    }
    if (problem == 0 && listen(fd, SOMAXCONN) != 0) {
        problem = -errno;
    }
    if (problem != 0) {
        close(fd);
        return problem;
    }
    return fd;
}

/* Notes the name of the first socket; returns its port. */
static uint16_t note_address(struct listener *listener, int fd)
{
    union address own = {0};
    socklen_t size = sizeof own;
    if (getsockname(fd, &own.any, &size) != 0) {
        return 0;
    }
    const struct endpoint endpoint = endpoint_of(&own.any);
    endpoint_format(&endpoint, listener->address);
    return endpoint.port;
}

/* Takes over a socket that listens. */
static int watch(struct listener *listener, struct loop *loop, int kind, int fd)
{
    struct loop_source *source = &listener->sources[listener->count];
    source->kind = kind;
    source->owner = listener;
    const int problem = loop_add(loop, source, fd, LOOP_READ);
    if (problem != 0) {
        close(fd);
        return problem;
    }
    listener->count++;
    return 0;
}

static int listen_on(struct listener *listener, struct loop *loop, int kind, const struct addrinfo *address,
                     uint16_t port)
{
    const int fd = socket_listen(address, port);
    return fd < 0 ? fd : watch(listener, loop, kind, fd);
}

static const char *advice(int problem)
{
    switch (problem) {
    case -EADDRINUSE:
        return "; another program has this port: stop it, or choose another port";
    case -EACCES:
    case -EPERM:
        return "; ports below 1024 need privileges: choose a higher one";
    case -EADDRNOTAVAIL:
        return "; it is no address of this machine";
    default:
        return "";
    }
}

/* A hosts file may name one address twice. */
static bool came_before(const struct addrinfo *addresses, const struct addrinfo *at)
{
    for (; addresses != at; addresses = addresses->ai_next) {
        if (addresses->ai_addrlen == at->ai_addrlen &&
            memcmp(addresses->ai_addr, at->ai_addr, at->ai_addrlen) == 0) {
            return true;
        }
    }
    return false;
}

/* Every address of the list that this machine has; the first problem when it has none of them. A
 * port that another program holds on one of them is a problem at once: its clients would find it. */
static int listen_on_all(struct listener *listener, struct loop *loop, int kind,
                         const struct addrinfo *addresses, uint16_t port)
{
    int first_problem = 0;
    for (const struct addrinfo *at = addresses; at != NULL && listener->count < LISTENER_MAX;
         at = at->ai_next) {
        if (came_before(addresses, at)) {
            continue;
        }
        const int problem = listen_on(listener, loop, kind, at, port);
        if (problem == -EADDRINUSE) {
            return problem;
        }
        if (problem != 0 && first_problem == 0) {
            first_problem = problem;
        }
        if (problem == 0 && listener->count == 1) {
            port = note_address(listener, listener->sources[0].fd);
        }
    }
    return listener->count > 0 ? 0 : first_problem;
}

bool listener_init(struct listener *listener, struct loop *loop, int kind, const char *host, uint16_t port,
                   char *why, size_t why_size)
{
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;

    *listener = (struct listener){0};
    const int unresolved = getaddrinfo(host, NULL, &hints, &addresses);
    if (unresolved != 0) {
        snprintf(why, why_size, "cannot listen: the name %s does not resolve: %s", host,
                 unresolved == EAI_SYSTEM ? strerror(errno) : gai_strerror(unresolved));
        return false;
    }
    const int problem = listen_on_all(listener, loop, kind, addresses, port);
    freeaddrinfo(addresses);
    if (problem != 0) {
        listener_fini(listener, loop);
        snprintf(why, why_size, "cannot listen on %s port %u: %s%s", host, port, strerror(-problem),
                 advice(problem));
    }
    return problem == 0;
}

bool listener_adopt(struct listener *listener, struct loop *loop, int kind, const int *fds, size_t count,
                    char *why, size_t why_size)
{
    int problem = 0;
    *listener = (struct listener){0};
    for (size_t i = 0; i < count; i++) {
        const int result = problem == 0 ? watch(listener, loop, kind, fds[i]) : close(fds[i]);
        problem = problem != 0 ? problem : result;
    }
    if (problem != 0) {
        listener_fini(listener, loop);
        snprintf(why, why_size, "cannot listen on the sockets of the service manager: %s",
                 strerror(-problem));
        return false;
    }
    note_address(listener, fds[0]);
    return true;
}

void listener_fini(struct listener *listener, struct loop *loop)
{
    for (size_t i = 0; i < listener->count; i++) {
        loop_remove(loop, &listener->sources[i]);
        close(listener->sources[i].fd);
    }
    listener->count = 0;
}

int listener_accept(struct loop *loop, struct loop_source *source, struct newcomer *newcomer)
{
    union address peer = {0};
    socklen_t size = sizeof peer;
    const int on = 1;

    newcomer->fd = accept4(source->fd, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (newcomer->fd >= 0) {
        newcomer->from = endpoint_of(&peer.any);
        if (setsockopt(newcomer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0) {
            return 0;
        }
        close(newcomer->fd); /* it has gone already */
        return -EAGAIN;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        loop_set_interest(loop, source, 0);
        loop_set_deadline(loop, source, loop->now_ms + REST_MS);
        return -EMFILE;
    }
    return -EAGAIN; /* nobody, or one that gave up while it waited */
}

void listener_resume(struct loop *loop, struct loop_source *source)
{
    loop_set_interest(loop, source, LOOP_READ);
}
