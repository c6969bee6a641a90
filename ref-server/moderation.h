/* SPDX-License-Identifier: MIT */
/*
 * moderation: what an operator does to clients: speaks to them, ends their sessions, bans their keys, frees
 * their nicks.
 * It refuses to know how that is typed, and to print.
 */
#ifndef REF_SERVER_MODERATION_H
#define REF_SERVER_MODERATION_H

#include "hub.h"

/* Something that the server says by itself: to the newest client of this nick that has joined "@host", or to
 * everybody in a named room. */
enum moderation_told {
    MODERATION_TOLD,
    MODERATION_NOBODY, /* there is no such client, or no such room */
    MODERATION_FULL    /* it has not taken what was said before, or there is no memory */
};
PROSA_NODISCARD enum moderation_told moderation_tell(struct hub *hub, struct prosa_bytes nick,
                                                     struct prosa_bytes text);
PROSA_NODISCARD enum moderation_told moderation_say(struct hub *hub, struct prosa_bytes room,
                                                    struct prosa_bytes text);

/* BYE KICKED to every session of this nick; how many there were. */
size_t moderation_kick(struct hub *hub, struct prosa_bytes nick);

/* The key that the nick is bound to, or that of its session, may not come in any more, and is kicked; or may
 * again [ID-08]. False: nobody is known by this nick, or there is no memory. */
PROSA_NODISCARD bool moderation_ban(struct hub *hub, struct prosa_bytes nick, bool banned);

/* Nick and key are free again [ID-11]. False: the nick is not bound, or there is no memory. */
PROSA_NODISCARD bool moderation_unbind(struct hub *hub, struct prosa_bytes nick);

#endif
