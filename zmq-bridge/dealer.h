/* SPDX-License-Identifier: MIT */
/*
 * dealer: one ZeroMQ client and its TCP connection to the server [ZMQ-04]. What the client sends waits
 * here until the server reads it, up to a bound; while the client takes nothing, nothing is read from
 * the server [ZMQ-07].
 */
#ifndef ZMQ_BRIDGE_DEALER_H
#define ZMQ_BRIDGE_DEALER_H

#include "relay.h"

struct dealer;

/* Copies `identity`, the routing id; `source` is the descriptor of its ZeroMQ connection. NULL: there is no
 * memory. */
struct dealer *dealer_new(struct relay *relay, zframe_t *identity, int source);
/* A zhashx destructor. */
void dealer_destroy(struct dealer **dealer);

/* One message part of the client's; `alone`: it was the only one after the routing id [ZMQ-02]. */
void dealer_take(struct dealer *dealer, struct prosa_bytes part, bool alone);

/* The ZeroMQ connection `source` has ended: perhaps this client's. */
void dealer_see_left(struct dealer *dealer, int source);

/* Another connection has the descriptor `source` now. */
void dealer_see_taken(struct dealer *dealer, int source);

/* False: its connection has ended, and what comes by `source` under its routing id is somebody new's. */
bool dealer_is_from(struct dealer *dealer, int source);

/* It has left, and the server has been given all that came from it: the TCP connection may end [ZMQ-13]. */
bool dealer_has_gone(const struct dealer *dealer);

/* What waited for the client is tried again; true: look again soon. */
bool dealer_retry(struct dealer *dealer);

/* Once a second. True: nothing is left of it that anybody needs. */
bool dealer_tick(struct dealer *dealer, uint64_t now_ms);

/* The relay ends: a client in a session is told. */
void dealer_goodbye(struct dealer *dealer, const char *reason);

#endif
