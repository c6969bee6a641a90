/* SPDX-License-Identifier: MIT */
/*
 * departures: which ZeroMQ connections of a ROUTER have ended [ZMQ-13]. They are known by their descriptors,
 * which the kernel gives out again: who takes a message first, and what is here after that, before he looks
 * at the message, never takes a newcomer for the one who had the descriptor before.
 * It refuses to know whose connections they are.
 */
#ifndef ZMQ_BRIDGE_DEPARTURES_H
#define ZMQ_BRIDGE_DEPARTURES_H

#include <prosa/bytes.h>

#include <czmq.h>

struct departures {
    zsock_t *monitor; /* readable when there is something to take */
    bool *are_gone;   /* by descriptor */
    size_t size;
};

enum departures_event {
    DEPARTURES_NONE,
    DEPARTURES_CAME, /* a new connection has the descriptor */
    DEPARTURES_WENT
};

/* Watches `router`, which is not bound yet. False: errno of ZeroMQ's tells why; there is nothing to free. */
PROSA_NODISCARD bool departures_init(struct departures *departures, zsock_t *router);
void departures_fini(struct departures *departures);

/* What happened next, to the connection *descriptor. */
enum departures_event departures_next(struct departures *departures, int *descriptor);

/* Whether the connection that had this descriptor has ended, and no other has it. */
bool departures_has_gone(const struct departures *departures, int descriptor);

#endif
