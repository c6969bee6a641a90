/* SPDX-License-Identifier: MIT */
/*
 * store: the durable log of all rooms: one SQLite file in WAL mode, one thread that writes, any number of
 * records a transaction (group commit). Records are put in by the loop's thread, in order, and never wait
 * for the disk; outcomes come back in the same order. Reading is for the loop's thread, and sees what is
 * committed.
 * It refuses to know sessions, sockets and the order of a room: it keeps what it is given, all of it or,
 * when the disk refuses, none of it.
 */
#ifndef REF_SERVER_STORE_H
#define REF_SERVER_STORE_H

#include <prosa/bytes.h>
#include <prosa/registry.h>

#include <sys/types.h>

struct store;

/* A room as the log has it. */
struct store_room {
    int64_t number; /* in this log, from 1 */
    uint8_t epoch[PROSA_EPOCH_SIZE];
    uint8_t name[33];
    uint8_t name_size;
    uint8_t client_key[PROSA_KEY_SIZE]; /* of "@host" alone; else zero */
    uint8_t room_id[PROSA_HASH_SIZE];
    uint64_t head_seq, oldest_seq;         /* as in struct prosa_room */
    uint64_t server_time;                  /* of the last entry, ms since 1970; 0 when there never was one */
    uint8_t chain[PROSA_HASH_SIZE];        /* h_head [AUD-01] */
    uint8_t pruned_chain[PROSA_HASH_SIZE]; /* h_(oldest_seq - 1) [AUD-07] */
};

/* Opens FOLDER/log.db, made at need, and locks the folder against another process [RES-14]. `restored`: the
 * operator says that the log was lost, or that the file is a copy of an older one: every room that is in it
 * is put aside, and gets a new epoch when it is made again [MSG-24]. NULL: `why` has a sentence for people:
 * another process has the folder; the file is no log, of another version, of another server's key, torn or
 * corrupted (which table, which room, and what to do); it is missing or older than what was committed here,
 * and nobody has said so. A log that is refused stays as it is. */
PROSA_NODISCARD struct store *store_open(const char *folder, const uint8_t server_key[static PROSA_KEY_SIZE],
                                         bool restored, char *why, size_t why_size);

/* Commits what was put in, ends the thread, unlocks. `store` may be NULL. */
void store_close(struct store *store);

/* Readable when there are outcomes; the store's own. */
int store_fd(const struct store *store);

/* --- Writing. Each returns a ticket, 1, 2, 3, ...; 0: no memory, and nothing was put in. --- */

/* A new, empty room. Its number is given here, at once: room->number is set. Epoch, name, client_key and
 * room_id are read, the rest is not. */
PROSA_NODISCARD uint64_t store_put_room(struct store *store, struct store_room *room);

/* What is kept of a message beside its octets, for queries. */
struct store_message {
    int64_t room;
    uint64_t room_seq, counter, sent_at, server_time;
    const uint8_t *author_key, *id; /* copied */
    struct prosa_bytes nick, text;  /* within `deliver` */
    struct prosa_bytes deliver;     /* the whole frame; lent until the outcome of this ticket is taken */
};
PROSA_NODISCARD uint64_t store_put_message(struct store *store, const struct store_message *message);

/* Entries below `oldest_seq` are dropped [AUD-07]; `chain` is h_(oldest_seq - 1). The ids of the last
 * STORE_IDS messages of each author are kept [FLOW-23]. */
PROSA_NODISCARD uint64_t store_put_pruned(struct store *store, int64_t room, uint64_t oldest_seq,
                                          const uint8_t chain[static PROSA_HASH_SIZE]);

/* A binding of a nick and a key, or a change of it; without `bound` it is forgotten (but not a ban). */
PROSA_NODISCARD uint64_t store_put_name(struct store *store, struct prosa_bytes nick,
                                        const uint8_t key[static PROSA_KEY_SIZE], bool bound);
PROSA_NODISCARD uint64_t store_put_ban(struct store *store, const uint8_t key[static PROSA_KEY_SIZE],
                                       bool banned);

/* --- Outcomes --- */

struct store_outcome {
    uint64_t upto;  /* this ticket and all before it that were not told of yet */
    bool good;      /* committed, and on the disk; or not one of them, nor ever will be */
    size_t records; /* so many */
    char why[400];  /* when not good, or good but not all is well: a sentence for people */
};

/* The next outcome; false when there is none now. After one that is not good the caller has taken back all
 * that it had put in: records put in before it heard of the failure have failed too (they are within
 * `upto`), the next ones are tried as if nothing had been. */
PROSA_NODISCARD bool store_next(struct store *store, struct store_outcome *outcome);

/* Records without an outcome. */
size_t store_waiting(const struct store *store);

/* --- Reading; what is committed --- */

enum store_found { STORE_FOUND, STORE_NONE, STORE_FAILED };

/* The room of this name, for "@host" of this client. */
PROSA_NODISCARD enum store_found store_find_room(struct store *store, struct prosa_bytes name,
                                                 const uint8_t *client_key, struct store_room *room);

#define STORE_IDS 256

struct store_author {
    uint64_t counter, room_seq; /* of the last message */
    size_t id_count;            /* at most STORE_IDS: ids of the last messages, ascending, without a gap */
    uint8_t ids[STORE_IDS][PROSA_HASH_SIZE];
};
/* STORE_NONE: the key has written nothing here. */
PROSA_NODISCARD enum store_found store_find_author(struct store *store, int64_t room,
                                                   const uint8_t key[static PROSA_KEY_SIZE],
                                                   struct store_author *author);

/* One octet run for `count` DELIVERs from `from_seq` on, or for those that there are, and for no more than
 * fit STORE_READ_OCTETS, but for one at least: the entries stand one after the other in *octets, which is the
 * caller's to free; ends[i] is where entry from_seq + i ends. STORE_NONE: entry from_seq is not there. */
#define STORE_READ_OCTETS 65536
PROSA_NODISCARD enum store_found store_read(struct store *store, int64_t room, uint64_t from_seq,
                                            size_t count, uint8_t **octets, size_t ends[], size_t *found);

/* room_seq of the oldest entry with server_time >= `server_time`; STORE_NONE: all are older. */
PROSA_NODISCARD enum store_found store_find_time(struct store *store, int64_t room, uint64_t server_time,
                                                 uint64_t *room_seq);

/* The next room whose oldest entry has a server_time below this one; begin with *place 0. STORE_NONE: that
 * was the last. */
PROSA_NODISCARD enum store_found store_next_old(struct store *store, int64_t *place, uint64_t server_time,
                                                struct store_room *room);

/* All bindings and bans, one by one, in any order; begin with *place 0. STORE_NONE: that was the last. */
struct store_name {
    uint8_t key[PROSA_KEY_SIZE];
    bool bound, banned;
    uint8_t nick[32];
    uint8_t nick_size; /* 0 unless bound */
};
PROSA_NODISCARD enum store_found store_next_name(struct store *store, int64_t *place,
                                                 struct store_name *name);

#endif
