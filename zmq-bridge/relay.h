/* SPDX-License-Identifier: MIT */
/*
 * relay: the ROUTER that ZeroMQ clients talk to, and who has talked to it. One loop, one thread.
 * It refuses to speak PROSA/1 itself but for a few words about what a relay cannot do; what comes and goes
 * over TCP is dealer's.
 */
#ifndef ZMQ_BRIDGE_RELAY_H
#define ZMQ_BRIDGE_RELAY_H

#include "departures.h"

struct relay_settings {
    const char *endpoint; /* where the ROUTER listens, as libzmq writes it: "tcp://127.0.0.1:65433" */
    const char *host;     /* of the server */
    uint16_t port;
    size_t max_clients;   /* TCP connections at once */
    int high_water_mark;  /* messages of one client that wait for the relay: a fuse [ZMQ-09] */
    zcert_t *certificate; /* CURVE, or NULL; borrowed */
};

struct relay {
    const struct relay_settings *settings;
    zloop_t *loop;
    zsock_t *router;
    struct departures departures;
    zhashx_t *dealers; /* struct dealer by routing id; owned */
    size_t connected;  /* dealers that have a TCP connection, or are about to */
    int retry_timer;   /* runs while a dealer takes nothing, or has left; -1: it does not */
};

/* Binds the ROUTER. False: `why` has a sentence for people; there is nothing to free. */
PROSA_NODISCARD bool relay_init(struct relay *relay, const struct relay_settings *settings, zloop_t *loop,
                                char *why, size_t why_size);
/* Says BYE GATEWAY_LOST to all who are in a session, and closes everything. */
void relay_fini(struct relay *relay);

/* Gives one frame to a ZeroMQ client. 0; EAGAIN: it takes nothing now; EHOSTUNREACH: it has gone. */
PROSA_NODISCARD int relay_send(struct relay *relay, zframe_t *identity, struct prosa_bytes frame);

/* A dealer takes nothing, or has left: all such are looked at again soon. */
void relay_retry(struct relay *relay);

#endif
