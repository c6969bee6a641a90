/* SPDX-License-Identifier: MIT */
/*
 * world: a hub made of server sessions, clients made of client sessions, and the links between them,
 * all in one process with one clock and one generator of random numbers: a seed is a schedule.
 * Octets are cut anywhere, links break at any time, commits are late. The invariants of the protocol
 * are checked while it runs and when it has come to rest.
 */
#ifndef WORLD_H
#define WORLD_H

#include <prosa/client_session.h>
#include <prosa/server_session.h>

enum {
    CLIENTS = 3,
    MESSAGES = 4, /* that each client has to say */
    LINKS = 16,   /* TCP connections alive at once */
    ENTRIES = 64, /* of the room's log */
    PENDING = 64, /* PUBLISHes that are on their way to the store */
    PIPE = 700,   /* octets that a link holds in each direction */
    FRAME = 1024, /* octets of the largest frame here */
    MANY_STEPS = 20000
};

/* Deliberately wrong worlds: the invariants have to notice each of them. */
enum variant {
    VARIANT_GOOD,
    VARIANT_ACK_BEFORE_COMMIT, /* the store forgets what was pending when a link breaks */
    VARIANT_FORGETFUL_HUB,     /* JOINED names a counter that is too low, ids are not kept */
    VARIANT_LATE_COMMIT,       /* what an old session gave to the store is committed after WELCOME [END-14] */
    VARIANT_COUNT
};

struct pipe {
    uint8_t octets[PIPE];
    size_t size;
};

/* One TCP connection. */
struct link {
    bool used;        /* the hub has a session on it */
    bool client_gone; /* the client's end is closed; the hub may not know yet */
    bool hub_shut, client_shut;
    size_t client;   /* whose it is */
    unsigned number; /* tells lives of one place apart */
    struct pipe up, down;
    struct prosa_server_session session;
};

struct entry {
    uint8_t octets[FRAME];
    size_t size;
    uint8_t id[PROSA_HASH_SIZE];
    uint8_t chain[PROSA_HASH_SIZE];
    size_t author;
    uint64_t counter;
};

struct pending {
    unsigned link_number;
    size_t link, client;
    uint64_t counter;
    uint8_t octets[FRAME];
    size_t size;
};

struct hub {
    struct prosa_server_config config;
    struct prosa_room room;
    uint8_t chain[PROSA_HASH_SIZE];
    struct entry entries[ENTRIES];
    struct pending pending[PENDING];
    size_t pending_count;
    uint64_t last_counter[CLIENTS], last_seq[CLIENTS];
    struct link links[LINKS];
    unsigned link_numbers;
};

struct client {
    struct prosa_client_config config;
    struct prosa_client_session session;
    bool connected, joined, leaves;
    size_t link;
    unsigned link_number;

    /* What it keeps on its disk. */
    uint8_t outbox[MESSAGES][FRAME];
    size_t outbox_size[MESSAGES];
    uint64_t composed, acked;
    uint8_t log[ENTRIES][PROSA_HASH_SIZE];
    uint64_t seen;
    bool has_epoch;
    uint8_t epoch[PROSA_EPOCH_SIZE];
    uint8_t chain[PROSA_HASH_SIZE];
    uint64_t covered;
};

struct world {
    enum variant variant;
    uint64_t random;
    uint64_t now;
    bool calm;            /* nothing breaks any more */
    const char *violated; /* the first invariant that did not hold, or NULL */
    struct hub hub;
    struct client clients[CLIENTS];
};

/* Runs one schedule to its rest. Returns what was violated, or NULL. */
const char *world_run(struct world *world, enum variant variant, uint64_t seed);

/* world.c, for the other sources */
uint64_t world_random(struct world *world, uint64_t below);
void world_violated(struct world *world, const char *what);
void world_random_octets(struct world *world, uint8_t *at, size_t size);

/* hub.c */
void hub_init(struct world *world);
/* A client connects: the number of its link; LINKS when there is no place. */
size_t hub_accept(struct world *world, size_t client);
void hub_turn(struct world *world, size_t link);
/* The next PUBLISH that waits for the store is committed. */
void hub_commit(struct world *world);
void hub_fini(struct world *world);

/* peer.c */
void client_init(struct world *world, size_t client);
void client_connect(struct world *world, size_t client);
void client_turn(struct world *world, size_t client);
/* The cable is cut. */
void client_break(struct world *world, size_t client);
void client_fini(struct world *world, size_t client);

#endif
