/* SPDX-License-Identifier: MIT */
#include "feed.h"

#include "clock.h"
#include "datafolder.h"
#include "dial.h"
#include "keyfile.h"
#include "net.h"
#include "pins.h"

#include <limits.h>

#define LINGER_MS      1000
#define SEND_WINDOW    1 /* it says nothing */
#define RECEIVE_WINDOW 256

struct feed {
    struct feed_settings settings;
    zloop_t *loop;
    zsock_t *publisher;
    struct prosa_client_config config;
    struct prosa_client_session session; /* while fd >= 0 */
    struct dial *dial;
    int fd;
    int timer; /* of the loop; -1: none */
    unsigned attempt;
    short watched;
    int watched_fd;
    char target[NET_TARGET_SIZE];
    char pins[PATH_MAX + 8];
    uint8_t server_key[PROSA_KEY_SIZE];
};

static void go_on(struct feed *feed);

/* --- the loop --------------------------------------------------------------------------------- */

static int ready(zloop_t *loop, zmq_pollitem_t *item, void *argument);

static void watch(struct feed *feed, int fd, short events)
{
    if (events == feed->watched && fd == feed->watched_fd) {
        return;
    }
    if (feed->watched != 0) {
        zmq_pollitem_t old = {.fd = feed->watched_fd};
        zloop_poller_end(feed->loop, &old);
    }
    feed->watched = events;
    feed->watched_fd = fd;
    if (events != 0) {
        zmq_pollitem_t item = {.fd = fd, .events = events};
        zloop_poller(feed->loop, &item, ready, feed);
        zloop_poller_set_tolerant(feed->loop, &item);
    }
}

static int timer_rang(zloop_t *loop, int timer, void *argument)
{
    struct feed *feed = argument;
    (void)loop;
    (void)timer;
    feed->timer = -1;
    go_on(feed);
    return 0;
}

/* At most one timer: the next moment at which something has to be done. */
static void wake_at(struct feed *feed, uint64_t at_ms)
{
    const uint64_t now_ms = clock_now_ms();
    if (feed->timer >= 0) {
        zloop_timer_end(feed->loop, feed->timer);
        feed->timer = -1;
    }
    if (at_ms != PROSA_NEVER) {
        const uint64_t wait_ms = at_ms > now_ms ? at_ms - now_ms : 1;
        feed->timer = zloop_timer(feed->loop, (size_t)wait_ms, 1, timer_rang, feed);
    }
}

/* --- connecting ------------------------------------------------------------------------------- */

static void hang_up(struct feed *feed)
{
    watch(feed, -1, 0);
    if (feed->fd >= 0) {
        prosa_client_session_fini(&feed->session);
        close(feed->fd);
        feed->fd = -1;
    }
    dial_free(feed->dial);
    feed->dial = NULL;
}

static void try_again(struct feed *feed, uint32_t after_ms)
{
    uint32_t random;
    entropy_fill(&random, sizeof random);
    hang_up(feed);
    wake_at(feed, clock_now_ms() + prosa_backoff_ms(feed->attempt++, random, after_ms));
}

static void begin_session(struct feed *feed)
{
    uint8_t nonce[PROSA_NONCE_SIZE];
    feed->fd = dial_take_socket(feed->dial);
    dial_free(feed->dial);
    feed->dial = NULL;
    entropy_fill(nonce, sizeof nonce);
    if (prosa_client_session_init(&feed->session, &feed->config, nonce, clock_now_ms()) != PROSA_OK) {
        zsys_error("feed: there is no memory for a session");
        close(feed->fd);
        feed->fd = -1;
        try_again(feed, 0);
    }
}

static void step_dial(struct feed *feed)
{
    switch (dial_step(feed->dial, clock_now_ms())) {
    case DIAL_GOES_ON:
        break;
    case DIAL_CONNECTED:
        begin_session(feed);
        break;
    case DIAL_UNRESOLVED:
    case DIAL_REFUSED:
        zsys_warning("feed: %s", dial_why(feed->dial));
        try_again(feed, 0);
        break;
    }
}

/* --- the session ------------------------------------------------------------------------------ */

/* First contact: the key is written down, and no other is taken from then on [ID-02]. */
static void pin(struct feed *feed)
{
    char why[PATH_MAX + 256];
    const uint8_t *key = prosa_client_session_server_key(&feed->session);
    if (!pins_add(feed->pins, feed->target, key, why, sizeof why)) {
        zsys_error("feed: %s", why);
        prosa_client_session_fail(&feed->session, PROSA_ERR_PIN_MISMATCH, clock_now_ms());
        return;
    }
    memcpy(feed->server_key, key, sizeof feed->server_key);
    feed->config.pinned_key = feed->server_key;
    prosa_client_session_trust(&feed->session, clock_now_ms());
}

static void join_all(struct feed *feed)
{
    const char *name = feed->settings.rooms;
    while (*name != '\0') {
        const size_t size = strcspn(name, ",");
        const struct prosa_client_join join = {
            .room = prosa_bytes(name, size), .send_window = SEND_WINDOW, .recv_window = RECEIVE_WINDOW};
        if (prosa_client_session_join(&feed->session, &join) != PROSA_OK) {
            zsys_error("feed: the room %.*s cannot be joined", (int)size, name);
        }
        name += size + (name[size] == ',');
    }
}

static void publish(struct feed *feed, const struct prosa_client_event *event)
{
    zframe_t *room = zframe_new(event->room->room_id, PROSA_HASH_SIZE);
    zframe_t *frame = zframe_new(event->octets.at, event->octets.size);
    if (zframe_send(&room, feed->publisher, ZFRAME_MORE) != 0 ||
        zframe_send(&frame, feed->publisher, 0) != 0) {
        zsys_error("feed: a message could not be published: %s", zmq_strerror(zmq_errno()));
    }
}

static void take_event(struct feed *feed, const struct prosa_client_event *event)
{
    switch (event->kind) {
    case PROSA_CLIENT_KEY:
        pin(feed);
        break;
    case PROSA_CLIENT_READY:
        join_all(feed);
        break;
    case PROSA_CLIENT_JOINED:
        feed->attempt = 0;
        zsys_info("feed: joined %.*s", event->room->name_size, (const char *)event->room->name);
        break;
    case PROSA_CLIENT_REFUSED:
        zsys_error("feed: a room is refused: %s", prosa_code_name(event->error.code));
        break;
    case PROSA_CLIENT_MESSAGE:
        publish(feed, event);
        break;
    case PROSA_CLIENT_UNSHOWN:
        if (event->status == PROSA_ERR_UNSUPPORTED) { /* good, if not for every eye [MSG-14] */
            publish(feed, event);
        }
        break;
    case PROSA_CLIENT_SHUT:
        shutdown(feed->fd, SHUT_WR);
        break;
    default:
        break;
    }
}

/* Events and octets in turn until nothing moves; false: the session has ended. */
static bool turn(struct feed *feed)
{
    const uint64_t now_ms = clock_now_ms();
    ssize_t sent = 0;
    do {
        struct prosa_client_event event;
        while (prosa_client_session_next(&feed->session, &event, now_ms) == PROSA_OK) {
            if (event.kind == PROSA_CLIENT_ENDED) {
                const uint32_t after_ms = event.ended.after_ms;
                zsys_warning("feed: the session ended: %s", prosa_code_name(event.ended.code) != NULL
                                                                ? prosa_code_name(event.ended.code)
                                                                : "the server vanished");
                try_again(feed, after_ms);
                return false;
            }
            take_event(feed, &event);
        }
        const struct prosa_bytes waiting = prosa_client_session_send_peek(&feed->session);
        sent = waiting.size > 0 ? net_send(feed->fd, waiting) : 0;
        if (sent > 0) {
            prosa_client_session_send_consume(&feed->session, (size_t)sent, now_ms);
        }
    } while (sent > 0);
    return true;
}

static void receive(struct feed *feed)
{
    uint8_t *at;
    const size_t space = prosa_client_session_recv_space(&feed->session, &at);
    const ssize_t size = space > 0 ? net_receive(feed->fd, at, space) : -EAGAIN;
    const uint64_t now_ms = clock_now_ms();
    if (size > 0) {
        prosa_client_session_recv_commit(&feed->session, (size_t)size, now_ms);
    } else if (size == 0) {
        prosa_client_session_recv_eof(&feed->session, now_ms);
    } else if (size != -EAGAIN && size != -EINTR) {
        prosa_client_session_recv_reset(&feed->session, now_ms);
    }
}

/* What the state asks for: a new attempt, the next step of one, or the session's turn. */
static void go_on(struct feed *feed)
{
    if (feed->fd < 0 && feed->dial == NULL) {
        feed->dial = dial_new(feed->settings.host, feed->settings.port);
        if (feed->dial == NULL) {
            try_again(feed, 0);
            return;
        }
    }
    if (feed->dial != NULL) {
        step_dial(feed);
    }
    if (feed->dial != NULL) {
        const struct pollfd wanted = dial_poll(feed->dial);
        watch(feed, wanted.fd, wanted.events & POLLIN ? ZMQ_POLLIN : ZMQ_POLLOUT);
        wake_at(feed, dial_deadline_ms(feed->dial));
        return;
    }
    if (feed->fd < 0) {
        return; /* a timer runs */
    }
    if (prosa_client_session_deadline_ms(&feed->session) <= clock_now_ms()) {
        receive(feed); /* before silence is judged: we may have been late, and it has come [LIVE-06] */
    }
    prosa_client_session_tick(&feed->session, clock_now_ms());
    if (turn(feed)) {
        const bool is_full = prosa_client_session_send_peek(&feed->session).size > 0;
        watch(feed, feed->fd, (short)(ZMQ_POLLIN | (is_full ? ZMQ_POLLOUT : 0)));
        wake_at(feed, prosa_client_session_deadline_ms(&feed->session));
    }
}

static int ready(zloop_t *loop, zmq_pollitem_t *item, void *argument)
{
    struct feed *feed = argument;
    (void)loop;
    if (feed->fd >= 0 && (item->revents & (ZMQ_POLLIN | ZMQ_POLLERR))) {
        receive(feed);
    }
    go_on(feed);
    return 0;
}

/* --- life ------------------------------------------------------------------------------------- */

static bool remember(struct feed *feed, char *why, size_t why_size)
{
    char folder[PATH_MAX];
    char key[PATH_MAX + 16];
    bool is_pinned = false;
    bool is_made = false;
    if (!net_target_format(feed->settings.host, feed->settings.port, feed->target, why, why_size) ||
        !datafolder_open(feed->settings.data, folder, sizeof folder, why, why_size)) {
        return false;
    }
    snprintf(feed->pins, sizeof feed->pins, "%s/pins", folder);
    snprintf(key, sizeof key, "%s/client.key", folder);
    if (!pins_find(feed->pins, feed->target, &is_pinned, feed->server_key, why, why_size) ||
        !keyfile_open(key, &feed->config.keypair, &is_made, why, why_size)) {
        return false;
    }
    feed->config.pinned_key = is_pinned ? feed->server_key : NULL;
    feed->config.nick = prosa_bytes_of_string(feed->settings.nick);
    feed->config.target = prosa_bytes_of_string(feed->target);
    feed->config.features = PROSA_FEATURE_LIVENESS;
    feed->config.grease = true;
    return true;
}

static bool bind_publisher(struct feed *feed, char *why, size_t why_size)
{
    feed->publisher = zsock_new(ZMQ_PUB);
    if (feed->publisher == NULL) {
        snprintf(why, why_size, "there is no socket: %s", zmq_strerror(zmq_errno()));
        return false;
    }
    zsock_set_sndhwm(feed->publisher, feed->settings.high_water_mark);
    zsock_set_linger(feed->publisher, LINGER_MS);
    zsock_set_ipv6(feed->publisher, 1);
    if (feed->settings.certificate != NULL) {
        zcert_apply(feed->settings.certificate, feed->publisher);
        zsock_set_curve_server(feed->publisher, 1);
    }
    if (zsock_bind(feed->publisher, "%s", feed->settings.endpoint) < 0) {
        snprintf(why, why_size, "cannot listen on %s: %s", feed->settings.endpoint,
                 zmq_strerror(zmq_errno()));
        return false;
    }
    return true;
}

struct feed *feed_new(const struct feed_settings *settings, zloop_t *loop, char *why, size_t why_size)
{
    struct feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL) {
        snprintf(why, why_size, "there is no memory for a feed");
        return NULL;
    }
    feed->settings = *settings;
    feed->loop = loop;
    feed->fd = feed->timer = feed->watched_fd = -1;
    if (!remember(feed, why, why_size) || !bind_publisher(feed, why, why_size)) {
        feed_free(feed);
        return NULL;
    }
    go_on(feed);
    return feed;
}

void feed_free(struct feed *feed)
{
    if (feed == NULL) {
        return;
    }
    if (feed->fd >= 0) {
        prosa_client_session_bye(&feed->session, clock_now_ms());
        (void)turn(feed);
    }
    wake_at(feed, PROSA_NEVER);
    hang_up(feed);
    zsock_destroy(&feed->publisher);
    prosa_keypair_wipe(&feed->config.keypair);
    free(feed);
}
