/* SPDX-License-Identifier: MIT */
/* rig: a server without sockets for tests of its log: rooms that are written to, signed messages, and a
 * folder that is gone afterwards. What goes wrong here ends the program. */
#ifndef RIG_H
#define RIG_H

#include "store.h"

#include <prosa/sign.h>

#define RIG_WAITING 4096 /* messages without an outcome, at most */

struct rig_room {
    struct store_room stored; /* as the store gave it, moved on by what was said */
    uint64_t server_counter;
};

struct rig {
    char folder[1024];
    struct store *store;
    struct prosa_keypair server, ada, bob;
    bool audit;  /* entries carry prev_hash */
    bool hollow; /* signatures are not made: only octets count */
    bool scarce; /* the store may have no memory: then nothing has been made or said, and that is told */
    struct {
        uint64_t ticket;
        uint8_t *octets;
    } lent[RIG_WAITING]; /* in the order of their tickets */
    size_t lent_count;
};

/* Without a store yet; `folder` NULL: a new one in $TMPDIR or /tmp, which rig_fini() deletes. */
void rig_init(struct rig *rig, const char *folder);
void rig_fini(struct rig *rig);

/* Opens the store, or ends the program with its sentence. */
void rig_open(struct rig *rig);
void rig_close(struct rig *rig);

/* A new room with a fixed epoch made of `number`; "@host" is that of Ada. Not waited for. Number 0: scarce.
 */
struct rig_room rig_make_room(struct rig *rig, const char *name, uint8_t number);

/* Says something as the next message of `author`, whose counter it is; its ticket. Not waited for. 0: scarce.
 */
uint64_t rig_say(struct rig *rig, struct rig_room *room, const struct prosa_keypair *author, uint64_t counter,
                 const char *text);

/* The id of what was said last. */
const uint8_t *rig_last_id(const struct rig *rig);

/* Waits for the next outcome, with a deadline. */
struct store_outcome rig_outcome(struct rig *rig);
/* Waits until nothing is without an outcome; all must be good. */
void rig_settle(struct rig *rig);

/* Says what went wrong, and ends the program. */
_Noreturn void rig_fail(const char *what);

static inline void rig_need(bool good, const char *what)
{
    if (!good) {
        rig_fail(what);
    }
}

#endif
