/* SPDX-License-Identifier: MIT */
#include "dial.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <prosa/session.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESS_SIZE (NI_MAXHOST + 2)
#define WHY_SIZE     1400 /* a name of the longest kind and some addresses */

/* What the thread and the attempt share. Whoever lets go last frees it: a resolver cannot be called back. */
struct lookup {
    atomic_int owners;
    int done[2]; /* a pipe: the thread closes its end when the answer is there */
    char host[NI_MAXHOST];
    char service[8];
    int failed; /* of getaddrinfo */
    int problem;
    struct addrinfo *found;
};

struct dial {
    struct lookup *lookup;
    const struct addrinfo *at; /* is being tried; NULL while the name is looked up */
    int fd;
    uint64_t deadline_ms;
    char why[WHY_SIZE];
};

/* --- the name --------------------------------------------------------------------------------- */

static void lookup_release(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->owners, 1) > 1) {
        return;
    }
    if (lookup->found != NULL) {
        freeaddrinfo(lookup->found);
    }
    close(lookup->done[0]);
    free(lookup);
}

static bool lookup_find(struct lookup *lookup, int flags)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
    lookup->failed = getaddrinfo(lookup->host, lookup->service, &hints, &lookup->found);
    lookup->problem = errno;
    return lookup->failed == 0;
}

static void lookup_end(struct lookup *lookup)
{
    const int done = lookup->done[1];
    lookup_release(lookup);
    close(done);
}

static void *lookup_run(void *argument)
{
    struct lookup *lookup = argument;
    (void)lookup_find(lookup, 0);
    lookup_end(lookup);
    return NULL;
}

/* A name takes a thread, which inherits the signals that are held back: none is handled there. An address is
 * found at once. */
static bool lookup_start(struct lookup *lookup)
{
    pthread_attr_t attributes;
    pthread_t thread;
    if (lookup_find(lookup, AI_NUMERICHOST)) {
        lookup_end(lookup);
        return true;
    }
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    const bool good = pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0 &&
                      pthread_create(&thread, &attributes, lookup_run, lookup) == 0;
    pthread_attr_destroy(&attributes);
    return good;
}

static struct lookup *lookup_new(const char *host, uint16_t port)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL || pipe2(lookup->done, O_CLOEXEC) != 0) {
        free(lookup);
        return NULL;
    }
    atomic_init(&lookup->owners, 2);
    snprintf(lookup->host, sizeof lookup->host, "%s", host);
    snprintf(lookup->service, sizeof lookup->service, "%u", (unsigned)port);
    if (!lookup_start(lookup)) {
        close(lookup->done[1]);
        atomic_store(&lookup->owners, 1);
        lookup_release(lookup);
        return NULL;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): whoever found the address was one of two owners */
    return lookup;
}

struct dial *dial_new(const char *host, uint16_t port)
{
    struct dial *dial = calloc(1, sizeof *dial);
    struct lookup *lookup = dial != NULL ? lookup_new(host, port) : NULL;
    if (lookup == NULL) {
        free(dial);
        return NULL;
    }
    dial->lookup = lookup;
    dial->fd = -1;
    return dial;
}

void dial_free(struct dial *dial)
{
    if (dial == NULL) {
        return;
    }
    if (dial->fd >= 0) {
        close(dial->fd);
    }
    lookup_release(dial->lookup);
    free(dial);
}

/* --- its addresses ---------------------------------------------------------------------------- */

static void address_print(const struct addrinfo *address, char out[static ADDRESS_SIZE])
{
    char host[NI_MAXHOST];
    const int failed =
        getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    snprintf(out, ADDRESS_SIZE, address->ai_family == AF_INET6 ? "[%s]" : "%s", failed ? "?" : host);
}

/* Adds "ADDRESS: reason" to the words, as far as there is room. */
static void blame(struct dial *dial, int problem)
{
    char text[ADDRESS_SIZE];
    const size_t used = strlen(dial->why);
    address_print(dial->at, text);
    snprintf(dial->why + used, sizeof dial->why - used, "%s %s: %s",
             dial->at == dial->lookup->found ? ":" : ";", text, strerror(problem));
}

/* 0 when the connection is begun or stands, else the errno. */
static int begin_address(struct dial *dial, uint64_t now_ms)
{
    const struct addrinfo *address = dial->at;
    const int on = 1;
    dial->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (dial->fd < 0) {
        return errno;
    }
    dial->deadline_ms = now_ms + DIAL_CONNECT_MS;
    /* A frame is to go out when it is written: a person waits for the answer. */
    if (setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        return errno;
    }
    const bool begun = connect(dial->fd, address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS;
    return begun ? 0 : errno;
}

/* The address is no use: the next one is tried, and so on. */
static enum dial_outcome try_next(struct dial *dial, int problem, uint64_t now_ms)
{
    while (problem != 0) {
        blame(dial, problem);
        if (dial->fd >= 0) {
            close(dial->fd);
            dial->fd = -1;
        }
        dial->at = dial->at->ai_next;
        if (dial->at == NULL) {
            return DIAL_REFUSED;
        }
        problem = begin_address(dial, now_ms);
    }
    return DIAL_GOES_ON;
}

static enum dial_outcome take_addresses(struct dial *dial, uint64_t now_ms)
{
    const struct lookup *lookup = dial->lookup;
    if (lookup->failed != 0) {
        snprintf(dial->why, sizeof dial->why, "the name %s does not resolve: %s", lookup->host,
                 lookup->failed == EAI_SYSTEM ? strerror(lookup->problem) : gai_strerror(lookup->failed));
        return DIAL_UNRESOLVED;
    }
    snprintf(dial->why, sizeof dial->why, "could not connect to %s port %s", lookup->host, lookup->service);
    dial->at = lookup->found;
    return try_next(dial, begin_address(dial, now_ms), now_ms);
}

static bool is_writable(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    return poll(&ready, 1, 0) > 0;
}

enum dial_outcome dial_step(struct dial *dial, uint64_t now_ms)
{
    if (dial->at == NULL) { /* the thread lets go when its answer is there */
        return atomic_load(&dial->lookup->owners) == 1 ? take_addresses(dial, now_ms) : DIAL_GOES_ON;
    }
    if (!is_writable(dial->fd)) {
        return now_ms < dial->deadline_ms ? DIAL_GOES_ON : try_next(dial, ETIMEDOUT, now_ms);
    }
    int problem = 0;
    socklen_t size = sizeof problem;
    if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0) {
        problem = errno;
    }
    return problem == 0 ? DIAL_CONNECTED : try_next(dial, problem, now_ms);
}

struct pollfd dial_poll(const struct dial *dial)
{
    return dial->at == NULL ? (struct pollfd){.fd = dial->lookup->done[0], .events = POLLIN}
                            : (struct pollfd){.fd = dial->fd, .events = POLLOUT};
}

uint64_t dial_deadline_ms(const struct dial *dial)
{
    return dial->at == NULL ? PROSA_NEVER : dial->deadline_ms;
}

const char *dial_words(const struct dial *dial)
{
    return dial->at == NULL ? "looking the name up" : "connecting";
}

int dial_take_socket(struct dial *dial)
{
    const int fd = dial->fd;
    dial->fd = -1;
    return fd;
}

const char *dial_why(const struct dial *dial)
{
    return dial->why;
}
