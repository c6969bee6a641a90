/* SPDX-License-Identifier: MIT */
/*
 * listener: the sockets that a server accepts on, one for each address of its host (`::` alone takes
 * both families), and the accepting of newcomers in bounded batches.
 * It refuses to know what a connection is for.
 */
#ifndef REF_SERVER_LISTENER_H
#define REF_SERVER_LISTENER_H

#include "endpoint.h"
#include "loop.h"

#define LISTENER_MAX 8

struct listener {
    struct loop_source sources[LISTENER_MAX];
    size_t count;
    char address[ADDRESS_TEXT_SIZE]; /* numeric, of the first socket, for READY [CON-05] */
};

/* Listens on every address of `host`, on `port` or, when that is 0, on one that is free; watches the
 * sockets with sources of `kind`. False: `why` has a sentence for people, nothing is left open. */
PROSA_NODISCARD bool listener_init(struct listener *listener, struct loop *loop, int kind, const char *host,
                                   uint16_t port, char *why, size_t why_size);
/* The same with `count` sockets that listen already, at most LISTENER_MAX; they are the listener's, also
 * when it fails. */
PROSA_NODISCARD bool listener_adopt(struct listener *listener, struct loop *loop, int kind, const int *fds,
                                    size_t count, char *why, size_t why_size);
void listener_fini(struct listener *listener, struct loop *loop);

struct newcomer {
    int fd; /* non-blocking, TCP_NODELAY, the caller's */
    struct endpoint from;
};

/* 0: *newcomer is set. -EAGAIN: there is none now. -EMFILE: no descriptor is left; the socket rests for a
 * moment, and newcomers wait in its queue. */
PROSA_NODISCARD int listener_accept(struct loop *loop, struct loop_source *source, struct newcomer *newcomer);

/* LOOP_TIMEOUT of a socket that rested: goes on. */
void listener_resume(struct loop *loop, struct loop_source *source);

#endif
