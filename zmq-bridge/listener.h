/* SPDX-License-Identifier: MIT */
/*
 * listener: hears a room by the feed of a bridge, and over a DEALER what the feed has lost. Each message has
 * to verify, whichever way it came, and each is told once, in the order of the room.
 * It refuses to trust the feed: what does not follow what came before is asked for again [ZMQ-11].
 */
#ifndef ZMQ_BRIDGE_LISTENER_H
#define ZMQ_BRIDGE_LISTENER_H

#include <prosa/client_session.h>

#include <czmq.h>

struct listener_settings {
    const char *host; /* of the bridge's ROUTER */
    uint16_t port;
    const char *feed;    /* the PUB socket's endpoint, as libzmq writes it */
    const char *room;    /* its name */
    const char *nick;    /* while it asks */
    const char *data;    /* folder of key and pins; NULL: as the client's */
    uint64_t silence_ms; /* of the feed, after which it asks whether that is all */
    int high_water_mark; /* messages of the feed that wait for it */
};

/* Listens until a signal comes, and tells what it hears on stdout, as a client does [CON-09]. Returns the
 * exit code [CON-12]. */
int listener_run(const struct listener_settings *settings);

#endif
