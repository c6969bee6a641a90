/* SPDX-License-Identifier: MIT */
/*
 * journal: what waits for the log, in order: messages that are to be shown, rooms that are to be joined,
 * sessions that are to be welcome. Each is decided when the log has committed or refused its records;
 * without a log at once. So nobody sees what a crash could take back [FLOW-26].
 * It refuses to decide: what follows is done by whoever takes an item out.
 */
#ifndef REF_SERVER_JOURNAL_H
#define REF_SERVER_JOURNAL_H

#include "hub.h"

enum journal_kind {
    JOURNAL_MESSAGE, /* a PUBLISH of `conn` */
    JOURNAL_OWN,     /* a message of the server: an answer to `conn`, or to nobody */
    JOURNAL_JOIN,    /* `conn` waits for `room`, which is new */
    JOURNAL_ROOM,    /* `room` stays in memory until the log, too, has it, or has forgotten what is old */
    JOURNAL_WELCOME  /* `conn` waits for all that came before it [END-14] */
};

struct journal_item {
    struct list place;
    enum journal_kind kind;
    bool has_record; /* of its own in the log: fails with it, and does not just wait for it */
    bool is_first;   /* MESSAGE, OWN: the room itself is put into the log with it */
    bool failed;
    uint64_t ticket;
    struct conn *conn; /* NULL: nobody waits */
    struct room *room;
    struct room_author *author;     /* MESSAGE, OWN */
    uint64_t room_seq;              /* likewise */
    uint64_t counter;               /* MESSAGE: its own. OWN: of the question, 0 for none */
    size_t size;                    /* MESSAGE: octets that are undecided until then */
    uint8_t chain[PROSA_HASH_SIZE]; /* h_room_seq */
};

/* A new item; it holds on to its connection and room. `ticket` 0: it waits for what waits already. NULL: no
 * memory. */
PROSA_NODISCARD struct journal_item *journal_add(struct hub *hub, enum journal_kind kind, struct conn *conn,
                                                 struct room *room, uint64_t ticket);

/* The item waits for its own record. 0: there is no log. */
void journal_set_ticket(struct hub *hub, struct journal_item *item, uint64_t ticket);

/* An item that was added last is taken out again; it may be NULL. */
void journal_drop(struct hub *hub, struct journal_item *item);

/* The oldest item that is decided, *good tells how; NULL: there is none now. It is out of the journal, and
 * the caller's to give to journal_done(). What the log refused has been taken back: rooms and names are as
 * they were. */
PROSA_NODISCARD struct journal_item *journal_next(struct hub *hub, bool *good);

/* Lets connection and room go. */
void journal_done(struct hub *hub, struct journal_item *item);

#endif
