/* SPDX-License-Identifier: MIT */
#include "probe.h"

#include "clock.h"
#include "greet.h"

#include <czmq.h>
#include <netdb.h>

#define LINGER_MS 500 /* for the goodbye to leave */

/* False: nothing came in time. The greeting's outcome is set otherwise. */
static bool take_frame(struct greeting *greeting, zsock_t *dealer, uint64_t until_ms,
                       enum greet_outcome *outcome)
{
    const uint64_t now_ms = clock_now_ms();
    zsock_set_rcvtimeo(dealer, now_ms < until_ms ? (int)(until_ms - now_ms) : 0);
    zframe_t *frame = zframe_recv(dealer);
    if (frame == NULL) {
        return false;
    }
    *outcome = greet_take(greeting, prosa_bytes(zframe_data(frame), zframe_size(frame)));
    zframe_destroy(&frame);
    return true;
}

static bool send_frame(zsock_t *dealer, struct prosa_bytes octets)
{
    zframe_t *frame = octets.size > 0 ? zframe_new(octets.at, octets.size) : NULL;
    return frame != NULL && zframe_send(&frame, dealer, 0) == 0;
}

static enum greet_outcome greet(struct greeting *greeting, zsock_t *dealer, uint64_t until_ms)
{
    enum greet_outcome outcome = GREET_GOES_ON;
    zsock_set_linger(dealer, LINGER_MS);
    /* libzmq tries one address of a name, and a bridge listens on IPv4 unless it is told otherwise. */
    zsock_set_ipv6(dealer, strchr(greeting->target, '[') != NULL);
    if (zsock_connect(dealer, "tcp://%s", greeting->target) != 0 ||
        !send_frame(dealer, greet_hello(greeting))) {
        snprintf(greeting->why, sizeof greeting->why, "could not ask %s: %s", greeting->target,
                 zmq_strerror(zmq_errno()));
        return GREET_REFUSED;
    }
    while (outcome == GREET_GOES_ON) {
        if (!take_frame(greeting, dealer, until_ms, &outcome)) {
            snprintf(greeting->why, sizeof greeting->why, "no answer came through %s in time",
                     greeting->target);
            return GREET_SILENT;
        }
    }
    (void)send_frame(dealer, greet_farewell(greeting));
    return outcome;
}

int probe_run(const char *bridge)
{
    struct greeting greeting;
    char host[NI_MAXHOST];
    uint16_t port = 0;
    enum greet_outcome outcome = greet_begin(&greeting, bridge, NULL, host, sizeof host, &port);
    if (outcome == GREET_GOES_ON) {
        zsock_t *dealer = zsock_new(ZMQ_DEALER);
        outcome = GREET_PROTOCOL;
        if (dealer != NULL) {
            outcome = greet(&greeting, dealer, clock_now_ms() + (uint64_t)PROBE_SECONDS * 1000);
        } else {
            snprintf(greeting.why, sizeof greeting.why, "there is no socket: %s", zmq_strerror(zmq_errno()));
        }
        zsock_destroy(&dealer);
        greet_end(&greeting);
    }
    fprintf(outcome == GREET_GOOD ? stdout : stderr, "prosa-bridge: %s\n", greeting.why);
    return (int)outcome;
}
