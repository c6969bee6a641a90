/* SPDX-License-Identifier: MIT */
/*
 * rooms: the order of what was said. A room is a log of entries, each one a DELIVER that is encoded
 * once and lent to whoever is owed it. At this level every room is a private `@host`.
 * It refuses to know sessions, sockets and clocks; times come in, and its latest entries alone are
 * kept: a member that stays behind further than that has lost its place [FLOW-40].
 */
#ifndef REF_SERVER_ROOMS_H
#define REF_SERVER_ROOMS_H

#include "sizes.h"

#include <prosa/server_session.h>

/* Entries kept. With a window of 1 a question and its answer make two. */
#define ROOM_ENTRIES 64

struct room_entry {
    uint8_t *octets;
    size_t size;
};

struct room {
    struct prosa_room shared; /* what sessions see; first, so that one is found from the other */
    uint64_t server_time;     /* of the last entry, ms since 1970; never goes back [MSG-13] */
    uint64_t host_counter;    /* the server's own last message [MSG-20] */
    struct room_entry entries[ROOM_ENTRIES];
};

/* A new, empty `@host` of a client, with an epoch of its own [MSG-26]; NULL: no memory. */
PROSA_NODISCARD struct room *room_new_host(const uint8_t server_key[static PROSA_KEY_SIZE],
                                           const uint8_t epoch[static PROSA_EPOCH_SIZE],
                                           const uint8_t client_key[static PROSA_KEY_SIZE]);
void room_free(struct room *room);

static inline struct room *room_of(struct prosa_room *shared)
{
    return (struct room *)(void *)shared;
}

/* Appends the PUBLISH whose decoded body is `publish`, verified; its place is room->shared.head_seq
 * then. PROSA_ERR_NO_SPACE: no memory, and nothing has changed. */
PROSA_NODISCARD enum prosa_status room_append(struct room *room, struct prosa_bytes publish,
                                              uint64_t unix_ms);

/* Appends a message of the server itself [MSG-20]; `reply_to` is the id of what it answers, or NULL.
 * `text` has 1 to TEXT_SIZE octets of UTF-8. Likewise. */
PROSA_NODISCARD enum prosa_status room_append_own(struct room *room, const struct prosa_keypair *server,
                                                  struct prosa_bytes text, const uint8_t *reply_to,
                                                  uint64_t unix_ms);

/* The DELIVER of an entry that is kept: oldest_seq <= room_seq <= head_seq. */
struct prosa_bytes room_entry(const struct room *room, uint64_t room_seq);

#endif
