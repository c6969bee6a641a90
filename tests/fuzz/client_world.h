/* SPDX-License-Identifier: MIT */
/*
 * client_world: one client session between the program around it (client_world.c: wishes, messages, trust)
 * and a server (client_server.c: makes frames true, hears what comes out, and judges it). Time and the
 * socket are in the hand of the script. What is broken ends the program.
 */
#ifndef CLIENT_WORLD_H
#define CLIENT_WORLD_H

#include "script.h"

#include <prosa/client_session.h>

enum { ROOMS = 3, WIRE = 1 << 18, PINGS = 4096 };

struct book {
    const char *name;
    uint8_t epoch[PROSA_EPOCH_SIZE], room_id[PROSA_HASH_SIZE];

    /* As the client's program knows it. */
    enum { ROOM_OUT, ROOM_WISHED, ROOM_IN, ROOM_LEAVING } state;
    uint64_t seen, acked, limit, recv_window;
    uint8_t stored[8192]; /* the PUBLISH that was composed last */
    size_t stored_size;

    /* Heard by the server. */
    uint64_t said;           /* counter of the last PUBLISH */
    uint64_t heard_seen_seq; /* of the last ACK */
};

struct world {
    struct prosa_client_config config;
    struct prosa_client_session session;
    struct prosa_keypair server;
    struct book books[ROOMS];
    uint64_t now;

    /* The program around the session. */
    bool holds_trust, was_trusted, in_conflict;
    unsigned seen[PROSA_CLIENT_ENDED + 1];
    struct prosa_ended ended;

    /* The socket. */
    size_t wire_start, wire_end, parsed, takes;
    bool eof_due, eof_given;

    /* The server. */
    bool has_hello, has_auth, is_lost;
    struct prosa_sha256 hello;
    size_t ping_count, pong_count;
    uint16_t farewell; /* code of BYE or of a fatal ERROR; 0: none yet */

    /* From here on only what numbers say has a value. */
    uint8_t wire[WIRE]; /* on its way to the session */
    struct frames_heard heard;
    uint8_t opaque[PINGS][17]; /* of the PINGs that were sent: size, octets */
};

/* --- client_world.c --- */

void world_init(struct world *world, const uint8_t settings[static SCRIPT_HEAD]);
/* Reads, tells and writes until nothing moves. */
void world_turn(struct world *world);
void world_join(struct world *world, struct book *book, uint8_t how, uint16_t number);
void world_leave(struct world *world, struct book *book);
/* Says something of `size` octets, once it may be said; `spoilt`: that is no text. */
void world_send(struct world *world, struct book *book, uint16_t size, bool spoilt);
void world_send_again(struct world *world, struct book *book);
void world_ping(struct world *world, uint8_t size);

static inline bool world_over(const struct world *world)
{
    return world->seen[PROSA_CLIENT_ENDED] > 0;
}

/* --- client_server.c --- */

void server_send(struct world *world, const struct script_step *step);
void server_was_read(struct world *world);
void server_hear(struct world *world, struct prosa_bytes octets);
struct book *server_book(struct world *world, const uint8_t *room_id);

#endif
