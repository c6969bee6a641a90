/* SPDX-License-Identifier: MIT */
/*
 * feed: a session of the bridge's own, that joins rooms and publishes what is said there on a PUB socket:
 * two parts, room_id and the DELIVER as it came [ZMQ-11]. Comes back by itself when the server goes.
 * It refuses @host [ZMQ-12], and keeps nothing: what is said while it is away is not in the feed.
 */
#ifndef ZMQ_BRIDGE_FEED_H
#define ZMQ_BRIDGE_FEED_H

#include <prosa/client_session.h>

#include <czmq.h>

struct feed_settings {
    const char *endpoint; /* where the PUB socket listens */
    const char *host;     /* of the server */
    uint16_t port;
    int high_water_mark; /* messages that wait for one subscriber; what comes beyond is lost to it */
    const char *rooms;   /* names with commas between; none is private */
    const char *nick;
    const char *data;     /* folder of key and pins; NULL: as the client's */
    zcert_t *certificate; /* CURVE, or NULL; borrowed */
};

struct feed;

/* Begins to connect. NULL: `why` has a sentence for people. */
struct feed *feed_new(const struct feed_settings *settings, zloop_t *loop, char *why, size_t why_size);
/* Says goodbye, as far as that goes out at once. `feed` may be NULL. */
void feed_free(struct feed *feed);

#endif
