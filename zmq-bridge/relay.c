/* SPDX-License-Identifier: MIT */
#include "relay.h"

#include "clock.h"
#include "dealer.h"
#include "part.h"

#define TICK_MS          1000
#define RETRY_MS         10
#define HANDSHAKE_IVL_MS 5000
#define LINGER_MS        1000

static int tick(zloop_t *loop, int timer, void *argument)
{
    struct relay *relay = argument;
    const uint64_t now_ms = clock_now_ms();
    zlistx_t *ids = zhashx_keys(relay->dealers);
    (void)loop;
    (void)timer;
    for (const char *id = zlistx_first(ids); id != NULL; id = zlistx_next(ids)) {
        if (dealer_tick(zhashx_lookup(relay->dealers, id), now_ms)) {
            zhashx_delete(relay->dealers, id);
        }
    }
    zlistx_destroy(&ids);
    return 0;
}

static int retry(zloop_t *loop, int timer, void *argument)
{
    struct relay *relay = argument;
    bool is_any_stalled = false;
    for (struct dealer *dealer = zhashx_first(relay->dealers); dealer != NULL;
         dealer = zhashx_next(relay->dealers)) {
        is_any_stalled |= dealer_retry(dealer);
    }
    if (!is_any_stalled) {
        zloop_timer_end(loop, timer);
        relay->retry_timer = -1;
    }
    return 0;
}

void relay_retry(struct relay *relay)
{
    if (relay->retry_timer < 0) {
        relay->retry_timer = zloop_timer(relay->loop, RETRY_MS, 0, retry, relay);
    }
}

/* Who sent it; made at the first message. NULL: there is no memory. */
static struct dealer *find(struct relay *relay, zframe_t *identity)
{
    char *id = zframe_strhex(identity);
    struct dealer *dealer = id != NULL ? zhashx_lookup(relay->dealers, id) : NULL;
    if (id != NULL && dealer == NULL) {
        dealer = dealer_new(relay, identity);
        if (dealer != NULL) {
            zhashx_insert(relay->dealers, id, dealer);
        }
    }
    zstr_free(&id);
    return dealer;
}

/* One message a turn: the ROUTER takes them from its clients in turn, and TCP is not forgotten. */
static int readable(zloop_t *loop, zsock_t *router, void *argument)
{
    struct relay *relay = argument;
    zmsg_t *message = zmsg_recv(router);
    (void)loop;
    if (message == NULL) {
        return -1; /* interrupted */
    }
    zframe_t *identity = zmsg_first(message);
    zframe_t *part = zmsg_next(message);
    struct dealer *dealer = find(relay, identity);
    if (dealer != NULL) {
        const struct prosa_bytes octets =
            part != NULL ? prosa_bytes(zframe_data(part), zframe_size(part)) : prosa_bytes(NULL, 0);
        dealer_take(dealer, octets, zmsg_size(message) == 2);
    }
    zmsg_destroy(&message);
    return 0;
}

int relay_send(struct relay *relay, zframe_t *identity, struct prosa_bytes frame)
{
    if (zframe_send(&identity, relay->router, ZFRAME_MORE | ZFRAME_REUSE | ZFRAME_DONTWAIT) != 0) {
        return zmq_errno();
    }
    zframe_t *part = zframe_new(frame.at, frame.size);
    return zframe_send(&part, relay->router, ZFRAME_DONTWAIT) == 0 ? 0 : zmq_errno();
}

/* [ZMQ-08] */
static void set_options(zsock_t *router, const struct relay_settings *settings)
{
    zsock_set_router_mandatory(router, 1);
    zsock_set_router_handover(router, 0);
    zsock_set_immediate(router, 1);
    zsock_set_maxmsgsize(router, PART_SIZE_MAX);
    zsock_set_handshake_ivl(router, HANDSHAKE_IVL_MS);
    zsock_set_linger(router, LINGER_MS);
    zsock_set_sndhwm(router, settings->high_water_mark);
    zsock_set_rcvhwm(router, settings->high_water_mark);
    zsock_set_ipv6(router, 1);
    if (settings->certificate != NULL) {
        zcert_apply(settings->certificate, router);
        zsock_set_curve_server(router, 1);
    }
}

bool relay_init(struct relay *relay, const struct relay_settings *settings, zloop_t *loop, char *why,
                size_t why_size)
{
    *relay = (struct relay){.settings = settings, .loop = loop, .retry_timer = -1};
    relay->router = zsock_new(ZMQ_ROUTER);
    relay->dealers = zhashx_new();
    if (relay->router == NULL || relay->dealers == NULL) {
        snprintf(why, why_size, "there is no socket: %s", zmq_strerror(zmq_errno()));
        goto out;
    }
    zhashx_set_destructor(relay->dealers, (zhashx_destructor_fn *)dealer_destroy);
    set_options(relay->router, settings);
    if (zsock_bind(relay->router, "%s", settings->endpoint) < 0) {
        snprintf(why, why_size, "cannot listen on %s: %s", settings->endpoint, zmq_strerror(zmq_errno()));
        goto out;
    }
    if (zloop_reader(loop, relay->router, readable, relay) != 0 ||
        zloop_timer(loop, TICK_MS, 0, tick, relay) < 0) {
        snprintf(why, why_size, "there is no memory for a loop");
        goto out;
    }
    zloop_reader_set_tolerant(loop, relay->router);
    return true;
out:
    zhashx_destroy(&relay->dealers);
    zsock_destroy(&relay->router);
    return false;
}

void relay_fini(struct relay *relay)
{
    for (struct dealer *dealer = zhashx_first(relay->dealers); dealer != NULL;
         dealer = zhashx_next(relay->dealers)) {
        dealer_goodbye(dealer, "the relay ends");
    }
    zloop_reader_end(relay->loop, relay->router);
    zhashx_destroy(&relay->dealers);
    zsock_destroy(&relay->router);
}
