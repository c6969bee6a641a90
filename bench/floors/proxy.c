/* SPDX-License-Identifier: MIT */
/*
 * proxy: ZeroMQ's own way of a room: what comes in at an XSUB socket goes out at an XPUB socket.
 *
 *   proxy SUBSCRIBERS_PORT PUBLISHERS_PORT     prints READY 127.0.0.1:SUBSCRIBERS_PORT; a signal ends it
 *
 * With the default marks it drops messages of readers that are healthy; MARK is high enough for all windows.
 */
#include "options.h"

#include <stdio.h>
#include <zmq.h>

#define MARK 200000 /* messages that wait for one peer */

static void *open_socket(void *context, int kind, uint64_t port)
{
    const int mark = MARK;
    char address[64];
    void *socket = zmq_socket(context, kind);
    snprintf(address, sizeof address, "tcp://127.0.0.1:%u", (unsigned)port);
    if (socket == NULL || zmq_setsockopt(socket, ZMQ_SNDHWM, &mark, sizeof mark) != 0 ||
        zmq_setsockopt(socket, ZMQ_RCVHWM, &mark, sizeof mark) != 0 || zmq_bind(socket, address) != 0) {
        fprintf(stderr, "proxy: port %u: %s\n", (unsigned)port, zmq_strerror(zmq_errno()));
        return NULL;
    }
    return socket;
}

int main(int argc, char **argv)
{
    uint64_t subscribers, publishers;
    if (argc != 3 || !number_parse(argv[1], 1, 65535, &subscribers) ||
        !number_parse(argv[2], 1, 65535, &publishers)) {
        fputs("usage: proxy SUBSCRIBERS_PORT PUBLISHERS_PORT\n", stderr);
        return 2;
    }
    void *context = zmq_ctx_new();
    void *out = open_socket(context, ZMQ_XPUB, subscribers);
    void *in = open_socket(context, ZMQ_XSUB, publishers);
    if (in == NULL || out == NULL) {
        return 3;
    }
    printf("READY 127.0.0.1:%u\n", (unsigned)subscribers);
    fflush(stdout);
    zmq_proxy(in, out, NULL);
    return 1;
}
