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
#include "pages.h"
#include "rooms.h"
#include "verifier.h"

/* Most that one read takes beyond a partial frame, in octets. */
#define CONN_READ_SIZE 4096u

/* What many connections are asked for in a row stands side by side. */
struct conn {
    struct list place; /* among the strangers, the clients or the parted */
    uint64_t number;   /* of its session; 0 until it is READY */
    struct endpoint from;
    struct lane *lane;  /* its signatures that are being checked; NULL: there were none lately */
    unsigned in_flight; /* of its signatures and journal items */
    unsigned journaled; /* of its journal items alone */
    struct list dirty;  /* among those that have a turn before the loop sleeps */
    bool thirsty;       /* the session had no space: do not read */
    bool eof;           /* nothing more will be read */
    bool blocked;       /* there is more to send when the socket is writable, and others had their turn */
    bool failed;        /* it took nothing and never will; what it still holds is read first */
    bool unreadable;    /* an entry that it is owed cannot be read: the session was told to fail */
    bool parted;        /* the session is over, the socket closed: it stays while something is in flight */
    struct member *members; /* its places in rooms, linked by next_of_owner */
    struct loop_source source;
    struct prosa_server_session session;
};

/* What is shown of a connection. */
struct conn_words {
    char address[ADDRESS_TEXT_SIZE];
    char nick[NICK_SIZE]; /* "-" until it is known, as the suffix of its key */
    char key_suffix[KEY_SUFFIX_SIZE];
};

struct conn_words conn_describe(const struct conn *conn);

/* Takes over the socket of a newcomer and watches it with a source of `kind`; NULL: it was closed, there is
 * no memory. */
PROSA_NODISCARD struct conn *conn_new(struct loop *loop, int kind, const struct newcomer *newcomer,
                                      const struct prosa_server_config *config);

/* Closes the socket, with a reset if `reset`: the session hears and says nothing any more. */
void conn_part(struct conn *conn, struct loop *loop, bool reset);

/* Frees what has parted. Nothing of it is in flight, and it is in no list. */
void conn_free(struct conn *conn);

/* LOOP_READ; how many octets came. */
size_t conn_receive(struct conn *conn, uint64_t now_ms);

/* Sends until the socket is full, nothing is left, or others have to have their turn; how many octets went
 * out: if there are any and it is not blocked, the session may have more to say. Entries that are not in
 * memory are read from `pages`, which may be NULL. */
PROSA_NODISCARD size_t conn_send(struct conn *conn, struct pages *pages, uint64_t now_ms);

/* A task for the job of an event, to be put into conn->lane at once. NULL: no memory. */
PROSA_NODISCARD struct verify_task *conn_task(struct conn *conn, const struct prosa_server_event *event);
/* Nobody wants the verdicts that are still to come. */
void conn_drop_tasks(struct conn *conn, struct verifier *verifier);
/* There are none. */
void conn_drop_lane(struct conn *conn, struct verifier *verifier);
/* Whoever takes nothing any more while the session wants to read nothing is gone: waiting would not show it.
 * True: the session has just been told. */
PROSA_NODISCARD bool conn_give_up(struct conn *conn, uint64_t now_ms);

/* The event SHUT. */
void conn_shut(struct conn *conn);

/* Tells the loop what to wake for, after a turn. */
void conn_rest(struct conn *conn, struct loop *loop);

#endif
