/* SPDX-License-Identifier: MIT */
/*
 * farewell: how a session ended, in words and as the numbers of chapter 13.4. A goodbye, an end without
 * one, and silence are three different things, and a person is told which it was [END-15] [END-16].
 */
#ifndef REF_CLIENT_FAREWELL_H
#define REF_CLIENT_FAREWELL_H

#include <prosa/session.h>

#define FAREWELL_SIZE 512

/* Exit codes of chapter 13.4. */
enum exit_code {
    EXIT_GOOD = 0,
    EXIT_PROTOCOL = 1,
    EXIT_SETTINGS = 2,
    EXIT_NO_CONNECTION = 3,
    EXIT_AUTHENTICATION = 4,
    EXIT_VANISHED = 5,
    EXIT_WENT_AWAY = 6,
    EXIT_NO_LEVEL = 89,
};

struct farewell {
    enum exit_code exit; /* [CON-12] [ERR-09] */
    const char *how;     /* the event `disconnected` has this */
    char reason[FAREWELL_SIZE];
};

/* The reason has the peer's words as they came over the wire. */
struct farewell farewell_of(const struct prosa_ended *ended);

#endif
