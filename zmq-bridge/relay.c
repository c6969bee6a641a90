/* SPDX-License-Identifier: MIT */
#include "relay.h"

#include "clock.h"
#include "dealer.h"
#include "part.h"

#define TICK_MS          1000
#define RETRY_MS         2
#define HANDSHAKE_IVL_MS 5000
#define LINGER_MS        1000

/* What ZeroMQ and the kernel keep for a client that takes nothing: so much, and reading stops [ZMQ-07]. */
#define SEND_MESSAGES 48
#define SEND_OCTETS   131072

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

/* Nothing is left to be read of what a client said before it left. */
static bool is_quiet(const struct relay *relay)
{
    return (zsock_events(relay->router) & ZMQ_POLLIN) == 0;
}

static int retry(zloop_t *loop, int timer, void *argument)
{
    struct relay *relay = argument;
    bool is_any_waiting = false;
    const bool may_go = is_quiet(relay);
    zlistx_t *ids = zhashx_keys(relay->dealers);
    for (const char *id = zlistx_first(ids); id != NULL; id = zlistx_next(ids)) {
        struct dealer *dealer = zhashx_lookup(relay->dealers, id);
        if (may_go && dealer_has_gone(dealer)) {
            zhashx_delete(relay->dealers, id);
        } else {
            is_any_waiting |= dealer_retry(dealer);
        }
    }
    zlistx_destroy(&ids);
    if (!is_any_waiting) {
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

static void take_departures(struct relay *relay)
{
    enum departures_event event;
    int descriptor = -1;
    while ((event = departures_next(&relay->departures, &descriptor)) != DEPARTURES_NONE) {
        for (struct dealer *dealer = zhashx_first(relay->dealers); dealer != NULL;
             dealer = zhashx_next(relay->dealers)) {
            if (event == DEPARTURES_WENT) {
                dealer_see_left(dealer, descriptor);
            } else {
                dealer_see_taken(dealer, descriptor);
            }
        }
    }
}

static int departed(zloop_t *loop, zsock_t *monitor, void *argument)
{
    (void)loop;
    (void)monitor;
    take_departures(argument);
    return 0;
}

/* Who sent it, over the connection `source`; made at the first message. NULL: there is no memory. A routing
 * id that comes back over another connection after its own has ended is somebody new. */
static struct dealer *find(struct relay *relay, zframe_t *identity, int source)
{
    char *id = zframe_strhex(identity);
    struct dealer *dealer = id != NULL ? zhashx_lookup(relay->dealers, id) : NULL;
    if (dealer != NULL && !dealer_is_from(dealer, source)) {
        zhashx_delete(relay->dealers, id);
        dealer = NULL;
    }
    if (id != NULL && dealer == NULL) {
        dealer = dealer_new(relay, identity, source);
        if (dealer != NULL) {
            zhashx_insert(relay->dealers, id, dealer);
        }
    }
    zstr_free(&id);
    return dealer;
}

/* One part of a message; *source is the descriptor of the connection that it came by. NULL: interrupted. */
static zframe_t *receive_part(void *socket, int *source)
{
    zmq_msg_t part;
    zframe_t *frame = NULL;
    zmq_msg_init(&part);
    if (zmq_msg_recv(&part, socket, 0) >= 0) {
        *source = zmq_msg_get(&part, ZMQ_SRCFD);
        frame = zframe_new(zmq_msg_data(&part), zmq_msg_size(&part));
    }
    zmq_msg_close(&part);
    return frame;
}

/* One message a turn: the ROUTER takes them from its clients in turn, and TCP is not forgotten. What has
 * ended is looked at before the message is taken: the kernel may have given its descriptor to the sender of
 * this one. */
static int readable(zloop_t *loop, zsock_t *router, void *argument)
{
    struct relay *relay = argument;
    void *socket = zsock_resolve(router);
    int source = -1;
    size_t parts = 0;
    (void)loop;
    zframe_t *identity = receive_part(socket, &source);
    if (identity == NULL) {
        return -1; /* interrupted */
    }
    zframe_t *first = NULL;
    while (zsock_rcvmore(router)) {
        zframe_t *part = receive_part(socket, &source);
        if (parts++ == 0) {
            first = part;
        } else {
            zframe_destroy(&part);
        }
    }
    take_departures(relay);
    struct dealer *dealer = find(relay, identity, source);
    if (dealer != NULL) {
        const struct prosa_bytes octets =
            first != NULL ? prosa_bytes(zframe_data(first), zframe_size(first)) : prosa_bytes(NULL, 0);
        if (departures_has_gone(&relay->departures, source)) {
            dealer_see_left(dealer, source);
        }
        dealer_take(dealer, octets, parts == 1);
    }
    zframe_destroy(&first);
    zframe_destroy(&identity);
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
    zsock_set_sndhwm(router, SEND_MESSAGES);
    zsock_set_sndbuf(router, SEND_OCTETS);
    zsock_set_rcvhwm(router, settings->high_water_mark);
    zsock_set_ipv6(router, 1);
    if (settings->certificate != NULL) {
        zcert_apply(settings->certificate, router);
        zsock_set_curve_server(router, 1);
    }
}

static void drop(struct relay *relay)
{
    zhashx_destroy(&relay->dealers);
    departures_fini(&relay->departures);
    zsock_destroy(&relay->router);
}

bool relay_init(struct relay *relay, const struct relay_settings *settings, zloop_t *loop, char *why,
                size_t why_size)
{
    *relay = (struct relay){.settings = settings, .loop = loop, .retry_timer = -1};
    relay->router = zsock_new(ZMQ_ROUTER);
    relay->dealers = zhashx_new();
    if (relay->router == NULL || relay->dealers == NULL) {
        snprintf(why, why_size, "there is no socket: %s", zmq_strerror(zmq_errno()));
        drop(relay);
        return false;
    }
    zhashx_set_destructor(relay->dealers, (zhashx_destructor_fn *)dealer_destroy);
    set_options(relay->router, settings);
    if (!departures_init(&relay->departures, relay->router)) {
        snprintf(why, why_size, "the socket cannot be watched: %s", zmq_strerror(zmq_errno()));
    } else if (zsock_bind(relay->router, "%s", settings->endpoint) < 0) {
        snprintf(why, why_size, "cannot listen on %s: %s", settings->endpoint, zmq_strerror(zmq_errno()));
    } else if (zloop_reader(loop, relay->router, readable, relay) != 0 ||
               zloop_reader(loop, relay->departures.monitor, departed, relay) != 0 ||
               zloop_timer(loop, TICK_MS, 0, tick, relay) < 0) {
        snprintf(why, why_size, "there is no memory for a loop");
    } else {
        zloop_reader_set_tolerant(loop, relay->router);
        return true;
    }
    drop(relay);
    return false;
}

void relay_fini(struct relay *relay)
{
    for (struct dealer *dealer = zhashx_first(relay->dealers); dealer != NULL;
         dealer = zhashx_next(relay->dealers)) {
        dealer_goodbye(dealer, "the relay ends");
    }
    zloop_reader_end(relay->loop, relay->router);
    zloop_reader_end(relay->loop, relay->departures.monitor);
    drop(relay);
}
