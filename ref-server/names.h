/* SPDX-License-Identifier: MIT */
/*
 * names: which nick belongs to which key, and who is banned [ID-06] [ID-08]. One nick, one key.
 * It refuses to know disks and sessions: whoever changes something here stores it, too.
 */
#ifndef REF_SERVER_NAMES_H
#define REF_SERVER_NAMES_H

#include "table.h"

#include <prosa/registry.h>

struct names {
    struct table by_key, by_nick; /* of struct name */
};

/* `nick_size` 0: nothing but a ban. */
struct name {
    uint8_t key[PROSA_KEY_SIZE];
    bool banned;
    uint8_t nick_size;
    uint8_t nick[];
};

void names_init(struct names *names, const uint8_t seed[static TABLE_SEED_SIZE]);
void names_fini(struct names *names);

/* Keys of which something is known. */
size_t names_count(const struct names *names);

/* NULL: unknown. */
const struct name *names_of_key(const struct names *names, const uint8_t key[static PROSA_KEY_SIZE]);
const struct name *names_of_nick(const struct names *names, struct prosa_bytes nick);

/* Nick and key are both free. False: no memory. */
PROSA_NODISCARD bool names_bind(struct names *names, struct prosa_bytes nick,
                                const uint8_t key[static PROSA_KEY_SIZE]);
void names_unbind(struct names *names, const uint8_t key[static PROSA_KEY_SIZE]);
/* False: no memory. */
PROSA_NODISCARD bool names_ban(struct names *names, const uint8_t key[static PROSA_KEY_SIZE], bool banned);

#endif
