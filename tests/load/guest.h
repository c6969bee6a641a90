/* SPDX-License-Identifier: MIT */
/*
 * guest: one of a crowd: a connection, its session, and the one errand that it is on. Many of them share a
 * loop, a tally of how long errands took, and a count of those that are not done.
 * A connection that ends without being told to ends the whole crowd, with a line that says why; unless the
 * party comes back: then each guest connects again, goes on where it was, sends again what was not accepted,
 * and what it is told is held against what it knows and what the others were shown. It refuses to excuse
 * anything but the loss of a connection.
 */
#ifndef LOAD_GUEST_H
#define LOAD_GUEST_H

#include "loop.h"
#include "shown.h"
#include "tally.h"

#include <prosa/client_session.h>

#include <netinet/in.h>
#include <stdio.h>

#define GUEST_NICK_SIZE 33
#define GUEST_ROOM_SIZE 34

/* Longest text of a message, in octets (field `text`). */
#define GUEST_TEXT_MAX 4096u

/* A PUBLISH of it. */
#define PUBLISH_SIZE PROSA_MAX_FRAME_FLOOR

enum { GUEST_SOURCE = 1 }; /* loop_source.kind */

/* What all guests have in common. */
struct party {
    struct loop loop;
    struct sockaddr_in server;
    struct prosa_bytes target; /* as the person typed it [ID-03] */
    uint32_t send_window, recv_window;
    uint32_t sources;   /* addresses 127.0.x.y that the guests come from; 0: the system's choice */
    bool returns;       /* a guest that loses its connection comes back to the one room that it joined */
    struct shown shown; /* what was shown where, when the party returns */
    FILE *events;       /* gets a line for all that a guest is told, in the words of 13.4; or NULL */
    uint8_t server_key[PROSA_KEY_SIZE];
    bool has_server_key; /* of whoever met the server first; the others take no other */
    struct tally tally;  /* of the errands that are under way now */
    size_t owed;         /* guests whose errand is not done */
    size_t arriving;     /* of them, those between connect() and READY */
    bool has_failed;     /* it was said why */
};

enum errand { ERRAND_NONE, ERRAND_ARRIVE, ERRAND_JOIN, ERRAND_SAY, ERRAND_PING, ERRAND_SEE, ERRAND_LEAVE };

/* One of its messages: sent, and not known to be over with. */
struct flight {
    uint64_t counter, sent_ns;
    uint64_t room_seq; /* 0: not yet told */
    size_t size;
    uint8_t octets[PUBLISH_SIZE];
};

/* What one guest is to say: `left` messages of `size` octets, `burst` of them every `every_ms`, as far as
 * credit allows; every_ms 0: all, as fast as it allows. */
struct speech {
    uint32_t left, burst, every_ms, size;
    uint32_t due;           /* of `left`, those whose time has come */
    uint64_t next_ms;       /* when the next burst is due */
    uint64_t unseen;        /* sent, and not come back yet */
    struct flight *flights; /* by counter modulo `window` */
    uint32_t window;
};

/* What a guest knows of its room over all of its connections. */
struct kept {
    bool was_joined, has_chain;
    uint8_t epoch[PROSA_EPOCH_SIZE];
    uint8_t chain[PROSA_HASH_SIZE]; /* h_seen_seq */
    uint64_t seen_seq;
    uint64_t composed_counter, shown_counter, acked_counter; /* of its own messages */
};

struct guest {
    struct loop_source source;
    struct party *party;
    uint32_t number;
    char nick[GUEST_NICK_SIZE];
    struct prosa_client_config config;
    struct prosa_client_session session;
    enum errand errand;
    uint64_t began_ns;
    char room[GUEST_ROOM_SIZE]; /* that it joined last; empty: none */
    uint64_t until_seq;         /* ERRAND_SEE */
    struct speech speech;
    struct kept kept;
    uint64_t reported_counter; /* of the last `acked` line */
    bool is_connecting, is_broken, is_gone;
    bool is_away; /* and comes back when its deadline passes */
};

/* `seed`: of the key. Nothing is connected yet. */
void guest_init(struct guest *guest, struct party *party, uint32_t number, const char *nick,
                const uint8_t seed[static PROSA_SEED_SIZE]);
void guest_fini(struct guest *guest);

/* Errands: each adds one to party->owed, and takes it off when it is done. One at a time; a guest that is
 * given another one before is the caller's mistake. */
void guest_arrive(struct guest *guest);
void guest_join(struct guest *guest, const char *room);
/* In the room that it joined last. */
void guest_say(struct guest *guest, const char *room, const struct speech *speech);
void guest_ping(struct guest *guest);
void guest_see(struct guest *guest, const char *room, uint64_t room_seq); /* or a later one */
void guest_leave(struct guest *guest);

/* What the loop had to tell about it. */
void guest_wake(struct guest *guest, unsigned ready);

#endif
