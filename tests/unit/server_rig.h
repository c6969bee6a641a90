/* SPDX-License-Identifier: MIT */
/* server_rig: one server session with a small server around it (two rooms with logs) and a peer that
 * says exactly what a test makes it say. The clock stands until the test moves it. */
#ifndef SERVER_RIG_H
#define SERVER_RIG_H

#include <prosa/server_session.h>

enum { RIG_ENTRIES = 160, RIG_FRAME = 16384 };

struct rig_log {
    struct prosa_room room;
    struct prosa_bytes entries[RIG_ENTRIES]; /* DELIVERs; entry n stands at n - 1 */
    uint8_t *memory[RIG_ENTRIES];            /* where they are */
    uint8_t chain[RIG_ENTRIES + 1][PROSA_HASH_SIZE];
};

struct rig {
    struct prosa_server_config config;
    struct prosa_keypair client;
    struct prosa_server_session session;
    struct rig_log host, group; /* "@host", "general" */
    uint64_t now;
    const char *nick;
    uint32_t features;    /* that the peer offers */
    uint32_t window;      /* that JOIN is granted at most */
    size_t write_at_most; /* octets that the socket takes in one writev; 0: it is full */

    /* What the server around the session does. */
    bool hold_hello, hold_auth, hold_join, hold_publish; /* leave the event without an answer */
    uint8_t ids[4][PROSA_HASH_SIZE];                     /* for prosa_join_answer */
    size_t id_count;
    uint64_t last_counter, last_seq;

    /* What came out. */
    unsigned seen[PROSA_SERVER_ENDED + 1]; /* events of each kind */
    uint64_t publish_counter;              /* of the last PUBLISH event */
    struct prosa_room *left;               /* of the last LEAVE event */
    uint64_t checkpoint_seq;               /* of the last CHECKPOINT event */
    struct prosa_ended ended;
    uint8_t out[1 << 18];
    size_t out_size, out_read;

    /* The frame that take() found. */
    uint8_t frame_octets[RIG_FRAME];
    struct prosa_frame frame;
    struct prosa_message message;
};

/* A session in NEW, of a server with the reference's limits. */
void rig_init(struct rig *rig);
/* The same after the test changed rig->config. */
void rig_restart(struct rig *rig);
void rig_fini(struct rig *rig);

/* The peer sends; then the server's turn runs to its end. */
void rig_feed(struct rig *rig, struct prosa_bytes octets);
void rig_say(struct rig *rig, const struct prosa_message *message);
void rig_turn(struct rig *rig);
void rig_advance(struct rig *rig, uint64_t ms);

/* The next frame that the session sent, decoded into rig->message; its type, or 0. */
uint8_t rig_take(struct rig *rig);
/* Forgets what was sent so far. */
void rig_skip(struct rig *rig);
/* True: the next frame is an ERROR with this code and clause (NULL: any). */
bool rig_took_error(struct rig *rig, uint16_t code, const char *clause);
bool rig_took_bye(struct rig *rig, uint16_t code);
bool rig_took_ack(struct rig *rig, uint64_t acked, uint64_t limit, uint64_t seq);
bool rig_took_deliver(struct rig *rig, uint64_t seq);
/* True: ENDED came, in this way. */
bool rig_ended(const struct rig *rig, enum prosa_ending how, uint16_t code);

/* Steps that many tests begin with. */
void rig_hello(struct rig *rig);
void rig_auth(struct rig *rig);
void rig_ready(struct rig *rig); /* both, and WELCOME */
void rig_join(struct rig *rig, const char *room, uint32_t send_window, uint32_t recv_window);
void rig_publish(struct rig *rig, const struct rig_log *log, uint64_t counter, const char *text);
void rig_ack(struct rig *rig, const struct rig_log *log, uint64_t seen_seq, uint64_t limit_seq);
void rig_ping(struct rig *rig, const char *opaque);
void rig_leave(struct rig *rig, const struct rig_log *log);
void rig_bye(struct rig *rig);

/* A signed PUBLISH of the peer. */
struct prosa_bytes rig_publish_octets(struct rig *rig, const struct rig_log *log, uint64_t counter,
                                      const char *text, uint8_t out[static 8192]);
/* Commits an entry; `by_host`: the server speaks, else the client says `counter`. */
uint64_t rig_commit(struct rig *rig, struct rig_log *log, struct prosa_bytes publish);
uint64_t rig_host_says(struct rig *rig, struct rig_log *log, uint64_t counter, const char *text);
/* Gives a CHECKPOINT for entry `seq`. */
void rig_checkpoint(struct rig *rig, struct rig_log *log, uint64_t seq);

#endif
