/* SPDX-License-Identifier: MIT */
/*
 * hub: what the parts of the server share: connections, rooms, names, the threads, and what waits for the
 * log. Everything in it belongs to the loop's thread. It refuses to do anything but to note that a connection
 * has something to do.
 */
#ifndef REF_SERVER_HUB_H
#define REF_SERVER_HUB_H

#include "age.h"
#include "answerer.h"
#include "conn.h"
#include "names.h"
#include "pages.h"
#include "settings.h"
#include "stats.h"
#include "store.h"
#include "verifier.h"

/* The numbers that sessions go by: those that began under them [AUTH-14]. */
struct terms {
    struct prosa_server_config config; /* of the sessions */
    size_t users;                      /* connections, and the hub itself while they are the latest */
};

struct hub {
    struct loop *loop;
    const struct settings *settings;
    struct terms *terms; /* of the next session */
    struct answerer *answerer;
    int client_kind;                       /* of the sources of connections */
    struct loop_source verdicts, outcomes; /* the eventfds of verifier and store */
    struct store *store;                   /* NULL: nothing is kept on a disk */
    struct pages *pages;                   /* likewise */
    struct verifier verifier;
    struct names names;
    struct rooms rooms;
    struct list strangers;        /* connections that are not READY, the oldest first */
    struct list clients;          /* those that are */
    struct list parted;           /* those whose session is over while something of theirs is on its way */
    struct list dirty;            /* those that have a turn before the loop sleeps */
    struct list resting;          /* lanes that have become empty */
    struct list journal;          /* what waits for the log, in order: see journal.h */
    struct list counted;          /* rooms whose number of members is to be announced */
    struct list grown;            /* rooms that have got entries since retention was looked at */
    struct loop_source announcer; /* whose deadline that is */
    struct loop_source keeper;    /* whose deadline is the next look for what is too old to be kept */
    struct table by_key;          /* the newest READY connection of each key */
    struct age age;               /* what time it is then */
    uint64_t last_ticket, decided_ticket;
    struct stats stats;
    uint64_t turns_ns; /* how long it took to hand out the last verdicts */
    unsigned patience; /* how many times that verdicts wait for more */
    bool credit_held;  /* too much is undecided: limits do not rise [FLOW-35] */
};

static inline bool hub_has(const struct hub *hub, uint32_t feature)
{
    return (hub->terms->config.features & feature) != 0;
}

/* What the connection goes by. */
static inline struct terms *hub_terms_of(const struct conn *conn)
{
    return LIST_OF(prosa_server_session_config(&conn->session), struct terms, config);
}

/* The connection has a turn before the loop sleeps. */
void hub_mark(struct hub *hub, struct conn *conn);

/* All sessions of a room have something to say or to send. */
void hub_mark_room(struct hub *hub, struct room *room);

/* BYE with `code` to one, whose questions are forgotten. */
void hub_say_goodbye(struct hub *hub, struct conn *conn, uint16_t code);

/* One who used the room does so no more: it may leave the memory. */
void hub_release_room(struct hub *hub, struct room *room);

/* When nothing waits for its turn, it does not matter who had the last one: lanes that are empty go. */
void hub_drop_lanes(struct hub *hub);

#endif
