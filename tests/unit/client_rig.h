/* SPDX-License-Identifier: MIT */
/* client_rig: one client session, a server that says exactly what a test makes it say, and the last
 * event of each kind. The clock stands until the test moves it. */
#ifndef CLIENT_RIG_H
#define CLIENT_RIG_H

#include <prosa/client_session.h>

enum { CLIENT_RIG_OUT = 1 << 16, CLIENT_RIG_FRAME = 16384 };

struct client_rig {
    struct prosa_client_config config;
    struct prosa_keypair server;
    struct prosa_client_session session;
    struct prosa_challenge challenge; /* what the server will announce */
    uint64_t now;
    bool hold_trust;                  /* leave the event KEY without an answer */
    uint8_t room_id[PROSA_HASH_SIZE]; /* of "general", epoch 2 */
    uint8_t chain[PROSA_HASH_SIZE];   /* of the entries that deliver() made */
    uint8_t author_seed;              /* of deliver(): 1 server, 2 the client itself */
    bool keeps;                       /* feed() keeps the octets, for one read of all */
    uint8_t kept[CLIENT_RIG_FRAME];
    size_t kept_size;

    /* What came out. */
    unsigned seen[PROSA_CLIENT_ENDED + 1];
    struct prosa_client_event last[PROSA_CLIENT_ENDED + 1]; /* its views are stale: numbers only */
    char text[256];                                         /* of the last MESSAGE */
    uint8_t out[CLIENT_RIG_OUT];
    size_t out_size, out_read;

    /* The frame that take() found. */
    uint8_t frame_octets[CLIENT_RIG_FRAME];
    struct prosa_frame frame;
    struct prosa_message message;
};

/* A session in HELLO_SENT that knows no pin. */
void client_rig_init(struct client_rig *rig);
/* The same after the test changed rig->config. */
void client_rig_restart(struct client_rig *rig);
void client_rig_fini(struct client_rig *rig);

void client_rig_feed(struct client_rig *rig, struct prosa_bytes octets);
void client_rig_say(struct client_rig *rig, const struct prosa_message *message);
void client_rig_turn(struct client_rig *rig);
void client_rig_advance(struct client_rig *rig, uint64_t ms);

/* The next frame that the session sent, decoded into rig->message; its type, or 0. */
uint8_t client_rig_take(struct client_rig *rig);
void client_rig_skip(struct client_rig *rig);
bool client_rig_took_error(struct client_rig *rig, uint16_t code, const char *clause);
bool client_rig_ended(const struct client_rig *rig, enum prosa_ending how, uint16_t code, bool retry);

/* The server's side. */
void client_rig_challenge(struct client_rig *rig);
void client_rig_welcome(struct client_rig *rig);
void client_rig_ready(struct client_rig *rig);
enum prosa_status client_rig_join(struct client_rig *rig, uint32_t recv_window, const uint64_t *after_seq);
/* JOINED of "general" with window 2; `last`: last_counter. */
void client_rig_joined(struct client_rig *rig, uint64_t last, uint64_t head_seq, uint64_t start_seq);
/* READY, JOIN with recv_window 8, JOINED of an empty room; what was sent is forgotten. */
void client_rig_in_room(struct client_rig *rig);
/* The DELIVER of a message; `fault`: bit 0 breaks its signature, bit 1 adds an unknown even tag. */
void client_rig_deliver(struct client_rig *rig, uint64_t room_seq, const char *text, unsigned fault);
void client_rig_ack(struct client_rig *rig, uint64_t acked, uint64_t limit, uint64_t seq);
void client_rig_checkpoint(struct client_rig *rig, uint64_t seq, const uint8_t *chain);
void client_rig_member(struct client_rig *rig, uint8_t event, const uint8_t *key);
void client_rig_error(struct client_rig *rig, uint16_t code, const char *room);
void client_rig_bye(struct client_rig *rig, uint16_t code);
void client_rig_ping(struct client_rig *rig, uint8_t type, const char *opaque);

#endif
