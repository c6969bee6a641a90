/* SPDX-License-Identifier: MIT */
/*
 * farewell: how a session ended, in words and as the numbers of chapter 13.4. A goodbye, an end without
 * one, and silence are three different things, and a person is told which it was [END-15] [END-16].
 */
#ifndef REF_CLIENT_FAREWELL_H
#define REF_CLIENT_FAREWELL_H

#include "chat.h"

#define FAREWELL_SIZE 512

struct farewell {
    enum chat_exit exit; /* [CON-12] [ERR-09] */
    const char *how;     /* the event `disconnected` has this */
    char reason[FAREWELL_SIZE];
};

/* `dead_after_ms`: of the session, for the words about silence. The reason has the peer's words as they
 * came over the wire. */
struct farewell farewell_of(const struct prosa_ended *ended, uint32_t dead_after_ms);

#endif
