/* SPDX-License-Identifier: MIT */
/*
 * operator: what the lines typed at the console mean [END-19]: an answer to the oldest question, words
 * for one client, a command, or the end of the conversation.
 * It refuses to do anything for a line that it does not understand, and says so.
 */
#ifndef REF_SERVER_OPERATOR_H
#define REF_SERVER_OPERATOR_H

#include "console.h"
#include "moderation.h"

struct operator_desk {
    struct console console;
    struct loop_source source; /* of stdin, watched while `watched` */
    bool watched;
    bool commands; /* a line that begins with `/` is one */
    struct hub *hub;
    struct answerer *answerer;
};

/* Watches stdin with a source of `kind`. 0 or -errno. */
PROSA_NODISCARD int operator_init(struct operator_desk *desk, struct loop *loop, int kind, struct hub *hub,
                                  struct answerer *answerer, bool commands);

/* Reads once and obeys whole lines. False: the operator has said `exit` [END-08]. */
PROSA_NODISCARD bool operator_pump(struct operator_desk *desk, struct loop *loop);

/* The console is not read any more. */
void operator_leave(struct operator_desk *desk, struct loop *loop);

#endif
