/* SPDX-License-Identifier: MIT */
/*
 * clients: all connections. Newcomers are taken in, and each one that something happened to has a turn before
 * the loop sleeps: its session's events go to admission, joining and publishing, its octets to the socket. A
 * turn is the only place where a session ends. Then verdicts, outcomes of the log and answers are handed out.
 * It refuses to wait, and to know what the operator types.
 */
#ifndef REF_SERVER_CLIENTS_H
#define REF_SERVER_CLIENTS_H

#include "hub.h"

/* Kinds of the sources that clients_pump() and clients_alarm() take. */
struct clients_kinds {
    int client; /* a connection */
    int wakeup; /* another thread has something for the loop */
    int alarm;  /* a deadline of the hub */
};

/* Opens the log in `folder` (NULL: nothing is kept), reads it, starts the threads. Everything is borrowed;
 * `hub` begins zeroed. False: `why` has a sentence for people, and clients_fini() is not called. */
PROSA_NODISCARD bool clients_init(struct hub *hub, struct loop *loop, const struct clients_kinds *kinds,
                                  const struct settings *settings, const struct prosa_keypair *keypair,
                                  const char *folder, struct answerer *answerer, char *why, size_t why_size);
/* Closes all without a word; what is with the log is committed. */
void clients_fini(struct hub *hub);

/* A listening socket is readable: takes in a bounded number of newcomers, as sources of `kind`. */
void clients_accept(struct hub *hub, struct loop_source *listening);

/* An event of a connection; of another thread; of a deadline. */
void clients_pump(struct hub *hub, const struct loop_event *event);
void clients_wake(struct hub *hub, const struct loop_event *event);
void clients_alarm(struct hub *hub, const struct loop_event *event);

/* Gives a turn to all that are due, and hands out outcomes and answers. */
void clients_settle(struct hub *hub);

/* Nothing else is to be done: signatures are checked. True: there is more to do before the loop sleeps. */
PROSA_NODISCARD bool clients_work(struct hub *hub);

/* --- what is known ---------------------------------------------------------------------------- */

/* Sessions, the oldest first; `previous` NULL: the first. NULL: there is no next. */
const struct conn *clients_next(const struct hub *hub, const struct conn *previous);

/* What is counted, brought up to date. */
const struct stats *clients_stats(struct hub *hub);

/* New sessions go by these limits; those that are here keep theirs [AUTH-14]. False: no memory. */
PROSA_NODISCARD bool clients_set_limits(struct hub *hub, const struct prosa_limits *limits);

/* --- ending ----------------------------------------------------------------------------------- */

/* BYE with `code` to all. */
void clients_goodbye(struct hub *hub, uint16_t code);

/* True when nobody is left. */
PROSA_NODISCARD bool clients_are_gone(const struct hub *hub);

#endif
