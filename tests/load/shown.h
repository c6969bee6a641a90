/* SPDX-License-Identifier: MIT */
/*
 * shown: which message stands at which place of a room, as the first who was shown it says; everybody else
 * must be shown the same.
 * It refuses to remember for ever: of each room it knows the newest places.
 */
#ifndef LOAD_SHOWN_H
#define LOAD_SHOWN_H

#include <prosa/sign.h>

#define SHOWN_ROOMS  8u
#define SHOWN_PLACES 65536u

struct shown_place {
    uint64_t seq; /* 0: none */
    uint8_t id[PROSA_HASH_SIZE];
};

struct shown {
    struct {
        char name[34];
        struct shown_place *places; /* by room_seq modulo SHOWN_PLACES */
    } rooms[SHOWN_ROOMS];
};

/* False: another message was shown there, so many have been shown since that nobody knows any more, or there
 * is no memory. Places begin at 1. */
bool shown_agrees(struct shown *shown, const char *room, uint64_t seq,
                  const uint8_t id[static PROSA_HASH_SIZE]);
void shown_fini(struct shown *shown);

#endif
