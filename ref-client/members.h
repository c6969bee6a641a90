/* SPDX-License-Identifier: MIT */
/*
 * members: who is in a room, as MEMBER tells, and which message of each author came last.
 * It refuses to grow with what a server sends: beyond its limits it keeps a count, and forgets the
 * authors that it has known longest.
 */
#ifndef REF_CLIENT_MEMBERS_H
#define REF_CLIENT_MEMBERS_H

#include <prosa/message.h>

#define MEMBERS_LIMIT 1024u /* more than any snapshot that a server sends */
#define AUTHORS_LIMIT 512u

struct member {
    uint8_t key[PROSA_KEY_SIZE];
    char nick[33];
};

struct author {
    uint8_t key[PROSA_KEY_SIZE];
    uint64_t counter; /* of the last message */
};

struct members {
    struct member *list; /* in the order in which they came */
    size_t listed;
    uint64_t count; /* all that are here; those that are not listed have no name */
    struct author *authors;
    size_t known, oldest;
};

/* Storage that is zero is empty. */
void members_clear(struct members *members);

/* Applies a MEMBER [MEM-01] to [MEM-05]. */
void members_take(struct members *members, const struct prosa_member *member);

/* The member of this name, or NULL. */
const struct member *members_find(const struct members *members, struct prosa_bytes nick);

/* Notes a message; returns the counter that was due in this JOIN, 0 when none of this author came yet. */
uint64_t members_heard(struct members *members, const uint8_t key[static PROSA_KEY_SIZE], uint64_t counter);

#endif
