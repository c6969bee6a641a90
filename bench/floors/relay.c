/* SPDX-License-Identifier: MIT */
/*
 * relay: the least that a server of a chat can do, to measure others by. Each frame of a client goes to all
 * clients: one shared buffer, a place in it for each client, one write a client and turn. It knows no rooms,
 * no names and no log. With --verify it checks the signature of every PUBLISH, on its only thread.
 *
 *   relay PORT [--verify]     prints READY 127.0.0.1:PORT; SIGTERM ends it
 *
 * It refuses to wait for anybody: a client that is a whole buffer behind is closed.
 */
#include "loop.h"
#include "net.h"
#include "options.h"

#include <prosa/message.h>
#include <prosa/sign.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE   262144u
#define FRAME_MAX   65536u
#define SHARED_SIZE 8388608u /* octets of the shared buffer; a power of two */
#define TURN_SIZE   2097152u /* octets that are shared at most before they are written */

struct client {
    struct loop_source source;
    uint64_t at; /* octets of the shared stream that it has been sent */
    uint8_t *rest;
    size_t rest_size;
    struct client *next, **link;
};

struct relay {
    struct loop loop;
    struct loop_source listener;
    struct client *clients;
    uint8_t *shared;  /* a ring */
    uint64_t end;     /* octets of the shared stream */
    uint64_t flushed; /* of it, that all have been sent or wait for */
    uint8_t *buffer;
    bool verifies;
};

static void drop(struct relay *relay, struct client *client)
{
    loop_remove(&relay->loop, &client->source);
    close(client->source.fd);
    *client->link = client->next;
    if (client->next != NULL) {
        client->next->link = client->link;
    }
    free(client->rest);
    free(client);
}

/* A PONG says that it is there. */
static bool greet(int fd)
{
    static const uint8_t opaque[1];
    const struct prosa_message message = {.type = PROSA_FRAME_PONG,
                                          .pong = {.opaque = prosa_bytes(opaque, sizeof opaque)}};
    uint8_t frame[64];
    size_t size;
    return prosa_message_encode(&message, prosa_bytes(NULL, 0), frame, sizeof frame, &size) == PROSA_OK &&
           net_send(fd, prosa_bytes(frame, size)) == (ssize_t)size;
}

static void admit(struct relay *relay)
{
    const int on = 1;
    const int fd = accept4(relay->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct client *client = fd >= 0 ? calloc(1, sizeof *client) : NULL;
    if (client == NULL || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 || !greet(fd) ||
        loop_add(&relay->loop, &client->source, fd, LOOP_READ) != 0) {
        free(client);
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    client->source.owner = client;
    client->at = relay->end;
    client->next = relay->clients;
    client->link = &relay->clients;
    if (client->next != NULL) {
        client->next->link = &client->next;
    }
    relay->clients = client;
}

static void share(struct relay *relay, struct prosa_bytes octets)
{
    const size_t at = (size_t)(relay->end % SHARED_SIZE);
    const size_t first = octets.size < SHARED_SIZE - at ? octets.size : SHARED_SIZE - at;
    memcpy(relay->shared + at, octets.at, first);
    memcpy(relay->shared, octets.at + first, octets.size - first);
    relay->end += octets.size;
}

static bool is_good(const struct relay *relay, const struct prosa_frame *frame)
{
    struct prosa_message message;
    if (!relay->verifies) {
        return true;
    }
    return frame->type == PROSA_FRAME_PUBLISH &&
           prosa_message_decode(frame, PROSA_FROM_CLIENT, &message) == PROSA_OK &&
           prosa_author_verify(message.publish.author_key, frame->body, message.publish.author_sig) ==
               PROSA_OK;
}

/* The octets of whole frames; SIZE_MAX: one of them is no good. */
static size_t take(struct relay *relay, struct prosa_bytes octets)
{
    struct prosa_frame frame;
    size_t done = 0;
    for (;;) {
        const struct prosa_bytes rest = prosa_bytes(octets.at + done, octets.size - done);
        const enum prosa_status status = prosa_frame_parse(rest, FRAME_MAX, &frame);
        if (status == PROSA_PARTIAL) {
            break;
        }
        if (status != PROSA_OK || !is_good(relay, &frame)) {
            return SIZE_MAX;
        }
        done += frame.octets.size;
    }
    share(relay, prosa_bytes(octets.at, done));
    return done;
}

static bool keep(struct client *client, struct prosa_bytes octets)
{
    if (octets.size > 0 && client->rest == NULL) {
        client->rest = malloc(FRAME_MAX + PROSA_HEADER_SIZE);
    }
    if (octets.size > 0 && client->rest == NULL) {
        return false;
    }
    if (octets.size > 0) {
        memcpy(client->rest, octets.at, octets.size);
    }
    client->rest_size = octets.size;
    return true;
}

static void receive(struct relay *relay, struct client *client)
{
    uint8_t *buffer = relay->buffer;
    const size_t kept = client->rest_size;
    if (kept > 0) {
        memcpy(buffer, client->rest, kept);
    }
    const ssize_t n = net_receive(client->source.fd, buffer + kept, READ_SIZE);
    if (n == -EAGAIN || n == -EINTR) {
        return;
    }
    const size_t size = kept + (n > 0 ? (size_t)n : 0);
    const size_t done = n > 0 ? take(relay, prosa_bytes(buffer, size)) : SIZE_MAX;
    if (done == SIZE_MAX || !keep(client, prosa_bytes(buffer + done, size - done))) {
        drop(relay, client);
    }
}

/* What the client has not been sent, as far as the socket takes it. */
static void flush(struct relay *relay, struct client *client)
{
    while (client->at < relay->end) {
        const size_t at = (size_t)(client->at % SHARED_SIZE);
        const uint64_t left = relay->end - client->at;
        const size_t size = left < SHARED_SIZE - at ? (size_t)left : SHARED_SIZE - at;
        const ssize_t n = net_send(client->source.fd, prosa_bytes(relay->shared + at, size));
        client->at += n > 0 ? (uint64_t)n : 0;
        if (n < (ssize_t)size) {
            break;
        }
    }
    loop_set_interest(&relay->loop, &client->source, LOOP_READ | (client->at < relay->end ? LOOP_WRITE : 0u));
}

/* One write a client; who waits for its socket is only looked at. */
static void flush_all(struct relay *relay)
{
    for (struct client *client = relay->clients, *next; client != NULL; client = next) {
        next = client->next;
        if (relay->end - client->at > SHARED_SIZE - TURN_SIZE - READ_SIZE - FRAME_MAX) {
            drop(relay, client);
        } else if ((client->source.interest & LOOP_WRITE) == 0) {
            flush(relay, client);
        }
    }
    relay->flushed = relay->end;
}

static void wake(struct relay *relay, const struct loop_event *event)
{
    struct client *client = event->source->owner;
    if (client == NULL) {
        admit(relay);
        return;
    }
    if ((event->ready & LOOP_WRITE) != 0) {
        flush(relay, client);
    }
    if ((event->ready & LOOP_READ) != 0) {
        receive(relay, client);
    }
}

static bool serve(struct relay *relay)
{
    struct loop_event event;
    if (loop_wait(&relay->loop, false) != 0) {
        return false;
    }
    while (loop_next(&relay->loop, &event)) {
        wake(relay, &event);
        if (relay->end - relay->flushed > TURN_SIZE) {
            flush_all(relay);
        }
    }
    if (relay->end > relay->flushed) {
        flush_all(relay);
    }
    return true;
}

static int listen_on(uint16_t port)
{
    const int on = 1;
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, SOMAXCONN) != 0) {
        return -errno;
    }
    return fd;
}

int main(int argc, char **argv)
{
    static struct relay relay;
    uint64_t port = 0;
    relay.verifies = argc == 3 && strcmp(argv[2], "--verify") == 0;
    if (argc < 2 || !number_parse(argv[1], 1, 65535, &port) || (argc > 2 && !relay.verifies)) {
        fputs("usage: relay PORT [--verify]\n", stderr);
        return 2;
    }
    const int fd = listen_on((uint16_t)port);
    relay.shared = malloc(SHARED_SIZE);
    relay.buffer = malloc(READ_SIZE + FRAME_MAX + PROSA_HEADER_SIZE);
    if (fd < 0 || relay.shared == NULL || relay.buffer == NULL || prosa_sign_init() != PROSA_OK ||
        loop_init(&relay.loop) != 0 || loop_add(&relay.loop, &relay.listener, fd, LOOP_READ) != 0) {
        fprintf(stderr, "relay: port %u: %s\n", (unsigned)port, fd < 0 ? strerror(-fd) : "it cannot begin");
        return 3;
    }
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    printf("READY 127.0.0.1:%u\n", (unsigned)port);
    fflush(stdout);
    while (serve(&relay)) {
    }
    return 1;
}
