/* SPDX-License-Identifier: MIT */
/*
 * conn: one client's socket and session, and the octets between them: one bounded read a readiness,
 * one writev a batch, interest and deadline for the loop.
 * It refuses to answer the session: its events are the clients' room's.
 */
#ifndef REF_SERVER_CONN_H
#define REF_SERVER_CONN_H

#include "keyfile.h"
#include "list.h"
#include "listener.h"
#include "rooms.h"

struct conn {
    struct list place; /* among the strangers or the members */
    struct list dirty; /* among those that have a turn before the loop sleeps */
    struct loop_source source;
    struct prosa_server_session session;
    bool thirsty;      /* the session had no space: do not read */
    bool eof;          /* nothing more will be read */
    bool blocked;      /* the socket took less than it was given */
    bool failed;       /* it took nothing and never will; what it still holds is read first */
    struct room *host; /* its `@host`, or NULL */
    /* For people. */
    uint64_t number;
    char address[ADDRESS_TEXT_SIZE];
    char nick[NICK_SIZE];
    char key_suffix[KEY_SUFFIX_SIZE];
};

/* Takes over the socket `fd` and watches it with a source of `kind`; NULL: it was closed, there is no
 * memory. */
PROSA_NODISCARD struct conn *conn_new(struct loop *loop, int kind, int fd,
                                      const struct prosa_server_config *config);

/* Closes the socket, with a reset if `reset`, and frees all. It is in no list any more. */
void conn_free(struct conn *conn, struct loop *loop, bool reset);

/* LOOP_READ. */
void conn_receive(struct conn *conn, uint64_t now_ms);

/* Sends until the socket is full or nothing is left; true when octets went out, and the session may
 * have more to say. */
PROSA_NODISCARD bool conn_send(struct conn *conn, uint64_t now_ms);

/* The event SHUT. */
void conn_shut(struct conn *conn);

/* Tells the loop what to wake for, after a turn. */
void conn_rest(struct conn *conn, struct loop *loop);

#endif
