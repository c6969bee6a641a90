/* SPDX-License-Identifier: MIT */
/*
 * logcheck: reads a whole log and judges it: nothing missing, doubled, changed or out of order; with
 * signatures also nothing forged. A server does it when it starts, prosa-audit at any time.
 * It refuses to write, and to repair.
 */
#ifndef REF_SERVER_LOGCHECK_H
#define REF_SERVER_LOGCHECK_H

#include <prosa/bytes.h>
#include <prosa/registry.h>

#include <sqlite3.h>

/* "room 12 (@host)" */
#define LOGCHECK_ROOM_SIZE 64

struct logcheck_seen; /* private: how far an author has counted */

struct logcheck {
    /* The room in hand, or the last one. */
    int64_t room;
    char name[LOGCHECK_ROOM_SIZE];
    bool retired;
    uint64_t oldest_seq, head_seq;
    uint64_t entries; /* of the room, checked so far */
    uint64_t total;   /* of all rooms, likewise */
    bool unread; /* LOGCHECK_BROKEN, but not by the log: the disk does not give it back, or memory lacks */

    /* Private. */
    sqlite3 *db;
    bool signatures, in_room;
    uint8_t server_key[PROSA_KEY_SIZE], room_id[PROSA_HASH_SIZE];
    uint8_t chain[PROSA_HASH_SIZE], head_chain[PROSA_HASH_SIZE];
    uint64_t seq, server_time, head_time, rows, faults;
    sqlite3_stmt *rooms, *read, *counted;
    struct logcheck_seen *authors;
    size_t author_count;
    char why[400];
};

enum logcheck_step {
    LOGCHECK_MORE,   /* go on */
    LOGCHECK_ROOM,   /* the room in hand is good to its end */
    LOGCHECK_FAULT,  /* `why` has a sentence for people; the next step goes on with the next room */
    LOGCHECK_BROKEN, /* likewise, and there is no going on */
    LOGCHECK_END
};

/* `db` is borrowed. What it reads is one state of the log, also while a server writes. */
void logcheck_init(struct logcheck *check, sqlite3 *db, const uint8_t server_key[static PROSA_KEY_SIZE],
                   bool signatures);
void logcheck_fini(struct logcheck *check);

/* The first step looks at the structure of the file, each other one at a bounded number of entries. */
PROSA_NODISCARD enum logcheck_step logcheck_next(struct logcheck *check);

#endif
