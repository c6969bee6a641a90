/* SPDX-License-Identifier: MIT */
/*
 * rooms: what a person is in, or wants to be in, whether there is a connection or not: the lines that wait
 * for each room, who is there, and what is to be stored about it.
 * It refuses to talk to anybody: chat carries out what is wished here.
 */
#ifndef REF_CLIENT_ROOMS_H
#define REF_CLIENT_ROOMS_H

#include "members.h"
#include "outbox.h"
#include "settings.h"
#include "spool.h"

/* Octets of the longest CHECKPOINT that is stored; a usual one has about 220. */
#define ROOM_CHECKPOINT_SIZE 1024u

enum room_state {
    ROOM_WANTED,  /* to be joined as soon as there is a session */
    ROOM_JOINING, /* JOIN is sent */
    ROOM_IN,
    ROOM_LEAVING /* LEAVE is sent */
};

struct room {
    struct room *next;
    struct outbox outbox; /* lines without a counter */
    struct members members;
    char name[SETTINGS_ROOM_SIZE];
    enum room_state state;
    bool is_typed;    /* a person asked for it by a command */
    bool is_new;      /* this is the first visit */
    bool wants_leave; /* when what was sent has come back */
    bool has_from;    /* the next JOIN begins behind `from`, not where the spool says */
    bool is_dirty;    /* the spool is behind */
    bool is_forced;   /* ... and its position may go back */
    bool is_covered;  /* a good CHECKPOINT came, the last one for `covered_seq` */

    /* History: `rewind` messages are to be shown again, by LEAVE and JOIN. */
    uint64_t rewind;
    uint64_t from;
    uint8_t from_epoch[PROSA_EPOCH_SIZE];

    /* What is stored, or to be stored. */
    int64_t place; /* in the spool; 0: not known yet */
    struct spool_position position;
    size_t checkpoint_size; /* 0: there is none that is not stored */
    uint8_t checkpoint[ROOM_CHECKPOINT_SIZE];

    /* Of this JOIN. */
    uint8_t room_id[PROSA_HASH_SIZE];
    uint64_t head_seq, oldest_seq, last_counter; /* as JOINED said */
    uint64_t stored_counter;                     /* messages up to it are in the spool */
    uint64_t acked_counter;                      /* ... and up to it acknowledged */
    uint64_t delivered_counter;                  /* own messages that came back */
    uint64_t covered_counter;                    /* ... and that a CHECKPOINT covers [AUD-06] */
    uint64_t covered_seq;
};

struct rooms {
    struct room *first;
    struct room *current; /* plain lines go there; NULL: none is left */
};

void rooms_fini(struct rooms *rooms);

/* NULL when there is none of this name. */
struct room *rooms_find(const struct rooms *rooms, struct prosa_bytes name);

/* Adds a room that is wanted, behind the others, and makes it the current one. NULL: no memory. */
PROSA_NODISCARD struct room *rooms_add(struct rooms *rooms, const char *name);

/* Forgets a room with its lines; another one becomes current. */
void rooms_remove(struct rooms *rooms, struct room *room);

size_t rooms_count(const struct rooms *rooms);

/* Lines that have no counter yet, and messages without an ACK. */
size_t rooms_unsent(const struct rooms *rooms);
size_t rooms_unacked(const struct rooms *rooms);

/* The session is gone: all are wanted again. */
void rooms_disconnect(struct rooms *rooms);

#endif
