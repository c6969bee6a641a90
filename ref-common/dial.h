/* SPDX-License-Identifier: MIT */
/*
 * dial: one attempt to reach a server: the name is looked up anew, then every address that it has is tried
 * in turn [RES-12]. Nothing blocks: a thread asks the resolver, and whoever waits can do other things.
 * It refuses to try again: that is the journey's.
 */
#ifndef REF_COMMON_DIAL_H
#define REF_COMMON_DIAL_H

#include <prosa/bytes.h>

#include <poll.h>

/* Longest time that one address is tried. */
#define DIAL_CONNECT_MS 10000u

enum dial_outcome {
    DIAL_GOES_ON,
    DIAL_CONNECTED,
    DIAL_UNRESOLVED, /* the name has no address */
    DIAL_REFUSED     /* no address took the connection: refused, unreachable, or no answer in time */
};

struct dial;

/* Begins to look `host` up. NULL: there is no memory, or no thread. */
PROSA_NODISCARD struct dial *dial_new(const char *host, uint16_t port);

/* Gives the attempt up if it is not at its end; `dial` may be NULL. */
void dial_free(struct dial *dial);

/* What to wait for, and until when; then dial_step. */
struct pollfd dial_poll(const struct dial *dial);
uint64_t dial_deadline_ms(const struct dial *dial);

enum dial_outcome dial_step(struct dial *dial, uint64_t now_ms);

/* "looking the name up" or "connecting". */
const char *dial_words(const struct dial *dial);

/* After CONNECTED: the socket, which is the caller's from now on. It never blocks. */
int dial_take_socket(struct dial *dial);

/* After UNRESOLVED or REFUSED: a sentence for people, with each address and its reason as far as there is
 * room. */
const char *dial_why(const struct dial *dial);

#endif
