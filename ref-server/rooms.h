/* SPDX-License-Identifier: MIT */
/*
 * rooms: the order of what was said. A room is a log of entries, each one a DELIVER that is encoded
 * once and lent to whoever is owed it. An entry is appended, then committed; what the log refused is
 * taken back. The latest entries stand in memory; older ones are the store's, or gone.
 * It refuses to know sessions, sockets, clocks and disks: times, ids and outcomes come in.
 */
#ifndef REF_SERVER_ROOMS_H
#define REF_SERVER_ROOMS_H

#include "members.h"
#include "sizes.h"
#include "strip.h"

#include <prosa/server_session.h>

/* Ids that a room keeps of each author, and so the largest window that is granted [FLOW-23]. */
#define ROOM_IDS 256u

struct room_entry {
    uint8_t *octets;
    size_t size;
};

/* Whoever has written in a room, or may. */
struct room_author {
    uint8_t key[PROSA_KEY_SIZE];
    uint64_t counter;                          /* of its last entry that is appended */
    uint64_t committed_counter, committed_seq; /* of its last entry that is committed */
    uint8_t (*ids)[PROSA_HASH_SIZE];           /* id of message c at c % id_cap; NULL: none is kept */
    size_t id_cap;
};

struct room {
    struct prosa_room shared;           /* what sessions see; first, so that one is found from the other */
    uint8_t client_key[PROSA_KEY_SIZE]; /* of "@host"; else zero */
    int64_t number;                     /* in the store; 0: it is not there (yet) */
    bool in_log;                        /* and committed there */
    struct list place;                  /* among all rooms in memory */
    struct list due;                    /* among the rooms whose number of members is to be announced */
    struct list grown;    /* among the rooms that have got entries since retention was looked at */
    bool durable;         /* a store keeps the entries that leave the memory */
    bool audit;           /* entries carry prev_hash [AUD-02] */
    unsigned uses;        /* sessions that have it joined, members, and what waits for the log */
    uint64_t server_time; /* of the last entry, ms since 1970; never goes back [MSG-13] */
    uint64_t last_seq;    /* last entry that is appended; committed up to shared.head_seq */
    uint64_t kept_seq;    /* first entry in memory; last_seq + 1: there is none */
    struct room_entry *entries;
    struct strip strip;                    /* their octets, in this order */
    size_t entry_cap;                      /* a power of two, or 0; entry n stands at n % entry_cap */
    size_t octets;                         /* of the entries in memory */
    uint8_t chain[PROSA_HASH_SIZE];        /* h_last_seq [AUD-01] */
    uint8_t head_chain[PROSA_HASH_SIZE];   /* h_head_seq */
    uint8_t pruned_chain[PROSA_HASH_SIZE]; /* h_(oldest_seq - 1) [AUD-07] */
    void *authors;                         /* a tree of struct room_author */
    struct roster roster;                  /* of a named room [MEM-06] */
    uint8_t *checkpoint;                   /* the whole frame that was signed last, or NULL */
    uint64_t checkpoint_seq;
};

/* A new, empty room. `client_key` is that of "@host", and NULL for named rooms. NULL: no memory. */
PROSA_NODISCARD struct room *room_new(const uint8_t server_key[static PROSA_KEY_SIZE],
                                      const uint8_t epoch[static PROSA_EPOCH_SIZE], struct prosa_bytes name,
                                      const uint8_t *client_key, bool audit);
/* `room` may be NULL. */
void room_free(struct room *room);

static inline struct room *room_of(struct prosa_room *shared)
{
    return (struct room *)(void *)shared;
}

static inline struct prosa_bytes room_name(const struct room *room)
{
    return prosa_bytes(room->shared.name, room->shared.name_size);
}

/* True for "@host". */
static inline bool room_is_private(const struct room *room)
{
    return room->shared.name[0] == '@';
}

/* What a log knows of a room. */
struct room_state {
    int64_t number;
    uint64_t head_seq, oldest_seq, server_time;
    const uint8_t *chain, *pruned_chain; /* h_head and h_(oldest_seq - 1) */
};

/* Goes on where a stored log ends: nothing of it is in memory. */
void room_restore(struct room *room, const struct room_state *state);

/* The author of this key, made at need with nothing written; NULL: no memory. It lives as long as the
 * room, or until it is forgotten. */
PROSA_NODISCARD struct room_author *room_author(struct room *room, const uint8_t key[static PROSA_KEY_SIZE]);

/* The author has left, and nothing of it is on its way: it goes, unless the room alone knows what it wrote.
 */
void room_forget_author(struct room *room, const uint8_t key[static PROSA_KEY_SIZE]);

/* What a store knows of an author that room_author() has just made. */
void room_author_restore(struct room_author *author, uint64_t counter, uint64_t room_seq);

/* Copies the ids of the author's last messages, ascending, to `ids`; how many there are. */
size_t room_author_ids(const struct room_author *author, uint8_t ids[static ROOM_IDS][PROSA_HASH_SIZE]);

/* Appends the PUBLISH whose decoded body is `publish`, verified, with the author's next counter; its place
 * is room->last_seq then. PROSA_ERR_NO_SPACE: no memory, and nothing has changed. */
PROSA_NODISCARD enum prosa_status room_append(struct room *room, struct room_author *author,
                                              struct prosa_bytes publish,
                                              const uint8_t id[static PROSA_HASH_SIZE], uint64_t unix_ms);

/* Appends a message of the server itself [MSG-20]; `reply_to` is the id of what it answers, or NULL.
 * `text` has 1 to TEXT_SIZE octets of UTF-8. Likewise. */
PROSA_NODISCARD enum prosa_status room_append_own(struct room *room, struct room_author *host,
                                                  const struct prosa_keypair *server, struct prosa_bytes text,
                                                  const uint8_t *reply_to, uint64_t unix_ms);

/* The next entry is committed, and is this author's; `chain` is the one that room->chain was when it had been
 * appended. */
void room_commit(struct room *room, struct room_author *author, const uint8_t chain[static PROSA_HASH_SIZE]);

/* What was appended after `last_seq` will never be committed: it is taken back; `chain` is h_last_seq. The
 * counters of its authors are the caller's. */
void room_take_back(struct room *room, uint64_t last_seq, const uint8_t chain[static PROSA_HASH_SIZE]);

/* The DELIVER of an entry that is in memory; empty: it is not. */
struct prosa_bytes room_entry(const struct room *room, uint64_t room_seq);

/* Drops committed entries from the memory until at most `count` of them with at most `octets` stand in it.
 * Of a room without store they are gone then: oldest_seq moves. */
void room_trim(struct room *room, size_t count, size_t octets);

/* Entries before `oldest_seq`, which is committed or the next one, are gone. `chain` is h_(oldest_seq - 1).
 */
void room_prune(struct room *room, uint64_t oldest_seq, const uint8_t chain[static PROSA_HASH_SIZE]);

/* A CHECKPOINT of `room_seq`, the head or the boundary, signed at need and kept for the next one who asks
 * for the same; valid until the next call. Empty: no memory. */
PROSA_NODISCARD struct prosa_bytes room_checkpoint(struct room *room, const struct prosa_keypair *server,
                                                   uint64_t room_seq, uint64_t unix_ms);

/* All rooms in memory: named ones, and "@host" of each client. */
struct rooms {
    void *named, *private; /* trees of struct room */
    struct list all;       /* of struct room */
    size_t count, named_count;
};

void rooms_init(struct rooms *rooms);
void rooms_fini(struct rooms *rooms);
/* NULL: not in memory. `client_key` is that of "@host", and NULL for named rooms. */
struct room *rooms_find(const struct rooms *rooms, struct prosa_bytes name, const uint8_t *client_key);
/* False: no memory; the room is still the caller's. */
PROSA_NODISCARD bool rooms_add(struct rooms *rooms, struct room *room);
/* Takes it out and frees it. */
void rooms_remove(struct rooms *rooms, struct room *room);

#endif
