/* SPDX-License-Identifier: MIT */
/*
 * clients: all connections, and what is done about each event of a session: who may come in, which
 * room is joined, what is appended to it, who is asked for an answer. Every connection that something
 * happened to has one turn before the loop sleeps; a turn is the only place where one is freed.
 * It refuses to wait, and to know what the operator types.
 */
#ifndef REF_SERVER_CLIENTS_H
#define REF_SERVER_CLIENTS_H

#include "answerer.h"
#include "conn.h"

struct clients {
    struct loop *loop;
    const struct prosa_server_config *config;
    struct answerer *answerer;
    int kind;
    struct list strangers; /* not READY, the oldest first */
    struct list members;
    struct list dirty;
    size_t stranger_count;
    uint64_t sessions; /* so far */
};

/* Sources of `kind` will be connections; everything is borrowed. */
void clients_init(struct clients *clients, struct loop *loop, int kind,
                  const struct prosa_server_config *config, struct answerer *answerer);
/* Closes all without a word. */
void clients_fini(struct clients *clients);

/* A listening socket is readable: takes in a bounded number of newcomers. */
void clients_accept(struct clients *clients, struct loop_source *listening);

/* An event of a connection. */
void clients_pump(struct clients *clients, const struct loop_event *event);

/* Gives a turn to all that are due, and hands out the answers that have come. Before the loop sleeps. */
void clients_settle(struct clients *clients);

/* Something that the server says by itself to the newest client of this nick that has joined `@host`. */
enum clients_told {
    CLIENTS_TOLD,
    CLIENTS_NOBODY, /* there is no such client */
    CLIENTS_FULL    /* it has not taken what was said before, or there is no memory */
};
PROSA_NODISCARD enum clients_told clients_tell(struct clients *clients, struct prosa_bytes nick,
                                               struct prosa_bytes text);

/* BYE with `code` to all. */
void clients_goodbye(struct clients *clients, uint16_t code);

/* True when nobody is left. */
PROSA_NODISCARD bool clients_are_gone(const struct clients *clients);

#endif
