/* SPDX-License-Identifier: MIT
 *
 * room: one life of a client's @host room, and what waits in it to be delivered.
 */
#ifndef ROOM_H
#define ROOM_H

#include "wire.h"

/* A DELIVER that waits for credit. */
struct owed {
    struct owed *next;
    bool is_answer;
    size_t size;
    uint8_t fields[];
};

/* One life of a client's @host room: both sides' numbers. */
struct room {
    uint8_t id[PROSA_HASH_SIZE], epoch[PROSA_EPOCH_SIZE];
    uint64_t limit_seq;               /* the highest room_seq that may be delivered (FLOW-07, FLOW-18) */
    uint64_t last, last_seq;          /* the client's last accepted counter, and its place */
    uint8_t last_id[PROSA_HASH_SIZE]; /* the id of that message: the question, while one is pending */
    uint64_t limit;                   /* the highest counter that the client may send */
    uint64_t asked;                   /* when the pending question came, as a number; 0: none is pending */
    uint64_t answers, head, time, delivered;
    struct owed *owed;
};

/* A place in the room for the author's octets, and the server's two fields (MSG-11 to MSG-13). */
void append(struct room *room, struct prosa_bytes authored, bool is_answer);
/* The body of the next DELIVER that waits, and whether it is an answer; it waits no longer. */
bool take_owed(struct room *room, struct body *body);
/* Forgets the room, and what waits in it. */
void clear(struct room *room);

#endif
