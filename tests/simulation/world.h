/* SPDX-License-Identifier: MIT */
/*
 * world: the server's own rooms, from its connections to its order, and clients made of client sessions, in
 * one process with one clock and one generator of random numbers: a seed is a schedule. What stands around
 * them is made up: cables that cut octets anywhere and break, a disk that commits late and can be full,
 * signatures that are checked late, kills of the server and of clients, history that gets too old.
 * The invariants of the protocol (8.3) are checked while it runs and when it has come to rest.
 */
#ifndef WORLD_H
#define WORLD_H

#include "clients.h"

#include <prosa/client_session.h>

enum {
    CLIENTS = 4,
    ROOMS = 2,
    MESSAGES = 4,            /* that a client has to say in a room, at most */
    COUNTERS = 3 * MESSAGES, /* with those that a wrong client says twice */
    LINKS = 24,              /* TCP connections at once, dead ones that nobody has noticed included */
    ENTRIES = 64,            /* of a room's log */
    RECORDS = 256,           /* that wait for the disk */
    PIPE = 1500,             /* octets that a cable holds in each direction */
    FRAME = 1024,            /* octets of the largest frame here */
    MANY_STEPS = 100000
};

/* Deliberately wrong worlds: the invariants have to notice each of them. */
enum variant {
    VARIANT_GOOD,
    VARIANT_EARLY_OUTCOME,  /* the disk says that it has committed, and a kill takes it back [FLOW-09] */
    VARIANT_LOST_COUNTERS,  /* the log knows less of an author than it has committed [RES-09] */
    VARIANT_LOST_ENTRY,     /* a kill takes the last entry, and the epoch stays [MSG-24] */
    VARIANT_ROTTEN_ENTRY,   /* the disk gives back other octets than it was given [MSG-11] */
    VARIANT_FORGED_ENTRY,   /* it gives back another message that is signed as well [FLOW-43] [AUD-01] */
    VARIANT_UNTOLD_PRUNING, /* JOINED knows nothing of pruned entries [RES-03] */
    VARIANT_SIGNED_AGAIN,   /* a client without a spool signs what has no ACK once more [RES-07] [RES-08] */
    VARIANT_MISCOUNTED,     /* a client loses its place in the log, and is shown an entry twice [RES-10] */
    VARIANT_COUNT
};

/* What has happened, so that nobody takes a peaceful world for a proof. */
enum happening {
    SERVER_KILLED,
    SERVER_STOPPED,
    CLIENT_KILLED,
    CABLE_CUT,
    REPLACED,
    SLOW_EVICTED,
    FELL_SILENT,
    COMMIT_FAILED,
    PRUNED,
    HISTORY_LOST,
    ROOM_LEFT,
    COVERED,
    COUNTED,
    READ_FROM_DISK,
    HAPPENINGS
};

struct pipe {
    uint8_t octets[PIPE];
    size_t size;
};

/* One TCP connection. */
struct link {
    bool used;
    bool waiting;                                  /* the server has not accepted it yet */
    bool cut;                                      /* no octet passes, and nobody is told */
    bool orphan;                                   /* the client's program is frozen, and will be killed */
    bool client_closed, client_shut, client_reset; /* a reset comes instead of an end of file */
    bool hub_closed, hub_shut, hub_reset;
    unsigned number; /* tells lives of one place apart */
    struct pipe up, down;
    struct loop_source *source; /* the server's, or NULL */
};

/* A client in a room. */
struct place {
    /* What it keeps on its disk. */
    bool wants; /* to be in the room */
    uint64_t to_say;
    uint8_t outbox[COUNTERS][FRAME];
    size_t outbox_size[COUNTERS];
    uint64_t composed, acked; /* counters */
    uint64_t again;           /* how many of them say a line that an earlier one says, too */
    uint8_t log[ENTRIES][PROSA_HASH_SIZE];
    bool has[ENTRIES];
    uint64_t seen, covered;
    bool has_epoch, has_chain;
    uint8_t epoch[PROSA_EPOCH_SIZE], chain[PROSA_HASH_SIZE];
    /* What it knows in a session. */
    bool asked, joined, leaving;
    uint64_t head_at_join;
    bool here[CLIENTS]; /* members */
    bool counts;        /* their number alone is known */
    uint32_t count;
};

struct client {
    struct prosa_client_config config;
    struct prosa_client_session session;
    struct place places[ROOMS];
    bool connected, leaves;
    uint64_t stalled_until; /* it does nothing before that time */
    size_t link;
    unsigned link_number;
};

/* The log as it is on the disk. */
struct disk_room {
    struct store_room record;
    uint8_t entries[ENTRIES][FRAME];
    size_t sizes[ENTRIES];
    uint64_t times[ENTRIES];
    struct store_author authors[CLIENTS];
};

enum record_kind { RECORD_ROOM, RECORD_MESSAGE, RECORD_PRUNED, RECORD_NAME };

struct record {
    enum record_kind kind;
    struct store_room room;
    struct store_message message;
    uint8_t author_key[PROSA_KEY_SIZE], id[PROSA_HASH_SIZE];
    bool copied; /* of a disk that lies: `deliver` is no longer lent */
    uint8_t octets[FRAME];
    uint64_t oldest_seq;
    uint8_t chain[PROSA_HASH_SIZE];
    struct store_name name;
};

struct disk {
    struct disk_room rooms[ROOMS];
    size_t room_count;
    struct store_name names[CLIENTS];
    size_t name_count;
    struct record records[RECORDS];
    size_t record_count;
    int64_t next_room;
    uint64_t ticket, committed, told; /* given, on the disk, and known to the hub */
    uint64_t slow_until;              /* nothing is committed before that time */
    bool failing;                     /* what is put in is lost until the hub has heard of it */
};

/* What nobody in the protocol knows: all that was ever committed to a room, also what is pruned. */
struct history {
    bool made;
    uint8_t name[33];
    uint8_t name_size;
    uint8_t epoch[PROSA_EPOCH_SIZE];
    uint64_t count, last_time;
    uint8_t ids[ENTRIES][PROSA_HASH_SIZE];
    uint64_t counters[CLIENTS];
    bool said[CLIENTS][MESSAGES + 1];
};

struct world {
    enum variant variant;
    uint64_t random;
    uint64_t now;
    int64_t skew;         /* of the server's idea of the date */
    bool calm;            /* nothing goes wrong any more */
    bool failed_commits;  /* so the server may have failed in words */
    const char *violated; /* the first invariant that did not hold, or NULL */
    uint64_t *happened;   /* HAPPENINGS of them, or NULL */
    struct settings settings;
    struct prosa_keypair keypair;
    struct loop loop;
    struct loop_source listening;
    struct answerer answerer;
    struct hub hub;
    struct link links[LINKS];
    unsigned link_numbers;
    struct disk disk;
    struct history histories[ROOMS];
    struct client clients[CLIENTS];
};

extern const char *const room_names[ROOMS];
extern const char *const nicks[CLIENTS];

/* Runs one schedule to its rest; counts in `happened` what happened in it. Returns what was violated, or
 * NULL. */
const char *world_run(struct world *world, enum variant variant, uint64_t seed,
                      uint64_t happened[static HAPPENINGS]);

/* world.c, for the other sources */
uint64_t world_random(struct world *world, uint64_t below);
/* One time in `many`, while things go wrong. */
bool world_chance(struct world *world, uint64_t many);
void world_violated(struct world *world, const char *what);
void world_happened(struct world *world, enum happening what);
void world_random_octets(struct world *world, uint8_t *at, size_t size);

/* What the server's rooms call has no world among its parameters: there is one machine, one cable works, one
 * disk, and they belong to the world given last. */

/* machine.c */
void machine_init(struct world *world);
/* A signature or two are checked. */
void machine_verify(struct world *world);

/* server.c */
void server_start(struct world *world);
/* Sources that are ready are served, or some of them. */
void server_turn(struct world *world);
/* kill -9, and a new start. */
void server_kill(struct world *world);
/* SIGTERM, as far as it gets, and a new start. */
void server_stop(struct world *world);
void server_fini(struct world *world);

/* cable.c: file descriptor CABLE + n is the server's end of link n. */
#define CABLE 10000
void cable_init(struct world *world);
/* The number of a new link; LINKS when there is no place. */
size_t cable_connect(struct world *world);
/* LOOP_READ and LOOP_WRITE of the server's end. */
unsigned cable_ready(const struct link *link);
/* Frozen programs are killed: all, or those that the server has given up. */
void cable_bury(struct world *world, bool all);
/* The client's end is closed; what is on its way to the server may be lost, all or in part. */
void cable_close(struct world *world, struct link *link);

/* disk.c */
void disk_init(struct world *world);
/* Some of what waits is committed, or all of it is refused. */
void disk_commit(struct world *world);
/* The machine is killed. */
void disk_kill(struct world *world);
struct disk_room *disk_find(struct world *world, const uint8_t *name, size_t size);

/* history.c */
/* An entry is on the disk from now on. */
void history_add(struct world *world, const struct disk_room *room, const struct record *record);
struct history *history_find(struct world *world, struct prosa_bytes name);

/* peer.c */
void client_init(struct world *world, size_t client);
void client_connect(struct world *world, size_t client);
void client_turn(struct world *world, size_t client);
/* It is killed: its disk stays. */
void client_kill(struct world *world, size_t client);
/* NULL: the client's link is gone. */
struct link *client_link(struct world *world, const struct client *client);

#endif
