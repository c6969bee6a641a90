/* SPDX-License-Identifier: MIT */
/*
 * members: who is in a named room, and who has been told of it: a list of members, a bounded ring of MEMBER
 * frames, and a cursor a member [MEM-01 to MEM-09]. Who falls off the ring is shown the list anew.
 * It refuses to know sessions and sockets: it says what a member is to be told next, and hears that it was.
 */
#ifndef REF_SERVER_MEMBERS_H
#define REF_SERVER_MEMBERS_H

#include "list.h"

#include <prosa/server_session.h>

/* Events that are kept for those who have not been told. */
#define ROSTER_EVENTS 64u

/* Octets of the longest MEMBER, and of the longest list with its resync: member_limit is 400 at most. */
#define ROSTER_FRAME   160u
#define ROSTER_SCRATCH ((size_t)(400 + 2) * ROSTER_FRAME)

struct room;

struct roster_event {
    uint8_t *octets; /* a whole MEMBER frame, or NULL */
    size_t size;
    uint64_t at_seq;
};

struct roster {
    const struct prosa_room *room;
    struct list members; /* in the order in which they came */
    size_t count;
    struct roster_event *events; /* of ROSTER_EVENTS, made at the first one */
    uint64_t last_event;         /* so many there were; event n stands at n % ROSTER_EVENTS */
    bool counted;                /* above the limit: numbers instead of names [MEM-05] */
    bool count_due;              /* the number changed and was not announced */
};

/* Somebody's place in a room. The owner keeps it while it is in the roster. */
struct member {
    struct list place; /* in the roster */
    void *owner;
    struct member *next_of_owner; /* the owner's, like `owner` and `room` */
    struct room *room;
    uint64_t told;      /* the last event that it knows of */
    bool present;       /* false: it stands for a session that was replaced, and has not joined [MEM-09] */
    bool list_due;      /* it is to be shown who is here */
    bool resync_due;    /* and told that what it knew is void [MEM-04] */
    const uint8_t *key; /* borrowed, PROSA_KEY_SIZE octets */
    struct prosa_bytes nick; /* borrowed */
};

void roster_init(struct roster *roster, const struct prosa_room *room);
void roster_fini(struct roster *roster);

/* The member comes in, and everybody else is to be told; it has place, owner, key and nick. */
void roster_enter(struct roster *roster, struct member *member, uint32_t member_limit);

/* The member is here again after its session was replaced: nobody is told [MEM-09]. */
void roster_return(struct member *member);

/* The member goes, and the others are to be told. */
void roster_leave(struct roster *roster, struct member *member, uint32_t member_limit);

/* What this member is to be told next: whole MEMBER frames, in `scratch` or in the roster, valid until the
 * roster changes, and their at_seq. Empty: nothing. */
PROSA_NODISCARD struct prosa_bytes roster_next(struct roster *roster, const struct member *member,
                                               uint8_t scratch[static ROSTER_SCRATCH], uint64_t *at_seq);

/* That has been said. */
void roster_told(struct roster *roster, struct member *member);

/* Announces a number that has changed: all members are to be told. */
void roster_announce(struct roster *roster);

#endif
