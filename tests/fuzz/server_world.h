/* SPDX-License-Identifier: MIT */
/*
 * server_world: one server session between the program around it (server_world.c: rooms with logs, answers
 * that come at once, later or not at all) and its peer (server_peer.c: makes frames true, hears what comes
 * out, and judges it). Time and the socket are in the hand of the script. What is broken ends the program.
 */
#ifndef SERVER_WORLD_H
#define SERVER_WORLD_H

#include "script.h"

#include <prosa/server_session.h>

enum { ROOMS = 3, ENTRIES = 64, WIRE = 1 << 18, PINGS = 4096 };

/* A room, as the server has it and as the peer knows it. */
struct book {
    struct prosa_room room;
    struct prosa_bytes entries[ENTRIES]; /* DELIVERs, owned; entry n stands at n - 1 */

    /* The peer's messages, from counter 1 on. */
    uint64_t given;     /* highest counter of a PUBLISH event */
    uint64_t committed; /* highest that was accepted */
    uint64_t seqs[ENTRIES];
    uint8_t ids[ENTRIES][PROSA_HASH_SIZE];

    bool member_owed, checkpoint_asked;
    uint64_t member_seq, member_count, checkpoint_seq;

    /* Heard. */
    bool in;              /* between JOINED and LEFT; in "@host" for ever */
    uint64_t said;        /* highest counter that the peer has put on the wire */
    uint32_t recv_window; /* largest that was asked for */
    uint64_t next_seq, allowed_seq;
    uint64_t acked, limit_counter, granted;
};

struct held_publish {
    struct book *book;
    uint64_t counter;
    enum prosa_status status;  /* of its signature */
    struct prosa_bytes octets; /* owned */
    uint8_t id[PROSA_HASH_SIZE];
};

/* Bits of a policy: what is left without an answer for now, and what is refused. */
enum {
    HOLD_HELLO = 1 << 0,
    HOLD_AUTH = 1 << 1,
    HOLD_JOIN = 1 << 2,
    HOLD_PUBLISH = 1 << 3,
    HOLD_CHECKPOINT = 1 << 4,
    REFUSE_AUTH = 1 << 5,
    REFUSE_JOIN = 1 << 6,
    REFUSE_PUBLISH = 1 << 7
};

struct world {
    struct prosa_server_config config;
    struct prosa_server_session session;
    struct prosa_keypair client;
    struct book books[ROOMS];
    uint64_t now;

    /* The program around the session. */
    uint8_t policy;
    uint32_t window;
    bool hello_held, auth_held, join_held, dropping, credit_was_held;
    enum prosa_status auth_status;
    struct book *join_book; /* NULL: there is no such room */
    struct held_publish held[ENTRIES * ROOMS];
    size_t held_count;
    unsigned seen[PROSA_SERVER_ENDED + 1];
    struct prosa_ended ended;

    /* The socket. */
    size_t wire_start, wire_end, parsed;
    size_t takes; /* octets that go out before it is full; SIZE_MAX: it never is */
    bool eof_due, eof_given;

    /* The peer. */
    bool has_hello;
    struct prosa_sha256 hello;
    uint8_t th2[PROSA_HASH_SIZE];
    uint8_t nick[32];
    size_t nick_size;
    bool has_challenge, is_welcome, is_lost; /* is_lost: what was sent is no run of frames */
    size_t ping_count, pong_count;
    uint16_t farewell; /* code of BYE or of a fatal ERROR; 0: none yet */

    /* From here on only what numbers say has a value. */
    uint8_t wire[WIRE]; /* on its way to the session */
    struct frames_heard heard;
    uint8_t opaque[PINGS][17]; /* of the PINGs that were sent: size, octets */
};

/* --- server_world.c --- */

void world_init(struct world *world, const uint8_t settings[static SCRIPT_HEAD]);
void world_fini(struct world *world);
/* Reads, tells and writes until nothing moves. */
void world_turn(struct world *world);
/* The answer that waited longest for its turn, of the kind that `which` chooses. */
void world_answer(struct world *world, uint8_t which, bool refuse);
void world_answer_all(struct world *world);
/* Somebody else says something of `size` octets. False: the log is full. */
bool world_say(struct world *world, struct book *book, size_t size);
void world_member(struct world *world, struct book *book, uint64_t count);

static inline bool world_over(const struct world *world)
{
    return world->seen[PROSA_SERVER_ENDED] > 0;
}

/* --- server_peer.c --- */

/* Makes a frame of the script true, as `how` asks for, and puts it on the wire. */
void peer_send(struct world *world, const struct script_step *step);
/* The session has taken octets off the wire. */
void peer_was_read(struct world *world);
/* Octets come out of the session. */
void peer_hear(struct world *world, struct prosa_bytes octets);
struct book *peer_book(struct world *world, const uint8_t *room_id);

#endif
