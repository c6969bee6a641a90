/* SPDX-License-Identifier: MIT */
/*
 * store_parts: what the files of the store share. The writer belongs to the store's thread, the reader to
 * the loop's; each has a connection of its own, and they meet in the queue of records alone.
 */
#ifndef REF_SERVER_STORE_PARTS_H
#define REF_SERVER_STORE_PARTS_H

#include "database.h"
#include "store.h"

/* One thing to write, in the order in which it was put in. Octets of a message are lent. */
struct record {
    struct record *next;
    enum { RECORD_ROOM, RECORD_MESSAGE, RECORD_PRUNED, RECORD_NAME, RECORD_BAN } kind;
    union {
        struct store_room room;
        struct {
            struct store_message message; /* its pointers to key and id are not used */
            uint8_t author_key[PROSA_KEY_SIZE], id[PROSA_HASH_SIZE];
        } message;
        struct {
            int64_t room;
            uint64_t oldest_seq;
            uint8_t chain[PROSA_HASH_SIZE];
        } pruned;
        struct {
            uint8_t key[PROSA_KEY_SIZE];
            uint8_t nick[32];
            uint8_t nick_size; /* 0: not bound any more */
        } name;
        struct {
            uint8_t key[PROSA_KEY_SIZE];
            bool banned;
        } ban;
    };
};

/* --- The writer: store_write.c --- */

/* What the transaction in hand has done to a room, written down when it goes on to another one. */
struct writer_room {
    int64_t number; /* 0: no room is in hand */
    uint64_t head_seq, server_time;
    uint8_t chain[PROSA_HASH_SIZE];
};

struct writer_author {
    uint8_t key[PROSA_KEY_SIZE];
    int64_t number; /* 0: empty */
};

#define WRITER_STATEMENTS 19
#define WRITER_AUTHORS    256

struct writer {
    sqlite3 *db;
    sqlite3_stmt *statements[WRITER_STATEMENTS];
    struct writer_room room;
    struct writer_author authors[WRITER_AUTHORS]; /* by the first octet of the key */
    uint64_t entries;                             /* committed in this log, ever */
    int frames;                                   /* in -wal */
    bool sweep;                                   /* there may be entries that are pruned and not deleted */
};

/* False: a statement cannot be prepared. The connection is the writer's from then on, also when it fails. */
PROSA_NODISCARD bool writer_init(struct writer *writer, sqlite3 *db);
void writer_fini(struct writer *writer);

/* All records from `first` on in one transaction, and on the disk; or none of them. SQLITE_OK, or what
 * SQLite says. */
PROSA_NODISCARD int writer_commit(struct writer *writer, const struct record *first);

/* Brings what has gathered in -wal into the file, when that is enough to be worth it; what cannot be brought
 * stays there, and nothing is lost. SQLITE_OK, or what SQLite says. */
PROSA_NODISCARD int writer_checkpoint(struct writer *writer);

/* Deletes a bounded number of pruned entries in a transaction of its own; writer->sweep tells whether there
 * may be more. A failure is no loss: it is tried again later. */
void writer_sweep(struct writer *writer);

/* Puts all rooms aside [MSG-24]. Likewise. */
PROSA_NODISCARD int writer_retire(struct writer *writer);

/* --- The reader: store_read.c --- */

struct reader {
    sqlite3 *db;
    sqlite3_stmt *find_room, *find_author, *read, *time_of, *bounds, *next_old, *next_name;
};

PROSA_NODISCARD bool reader_init(struct reader *reader, sqlite3 *db);
void reader_fini(struct reader *reader);

/* The reader of a store: store.c. */
struct reader *store_reader(struct store *store);

#endif
