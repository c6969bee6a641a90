/* SPDX-License-Identifier: MIT */
#include "dealer.h"

#include "clock.h"
#include "dial.h"
#include "net.h"
#include "part.h"

#include <prosa/session.h>

/* What may wait for the server: far more than credit allows; a client beyond it has left its credit [ZMQ-10].
 */
#define WAITING_MAX ((size_t)16 << 20)

/* Octets that are read from the server at once: each dealer has its turn. */
#define READ_SIZE 65536u

/* What the kernel keeps of what the server sends while the client takes nothing [ZMQ-07]. */
#define KERNEL_OCTETS 131072

/* How long the routing id of an ended session is known: what was on its way then is no news [ZMQ-05]. */
#define REMEMBERED_MS 30000u

enum state {
    STATE_NEW,
    STATE_DIALING,
    STATE_OPEN,
    STATE_CLOSED, /* the server has gone; what it said last waits for the client */
    STATE_OVER
};

/* Octets in order. */
struct queue {
    uint8_t *at;
    size_t start, end, cap;
};

struct dealer {
    struct relay *relay;
    zframe_t *identity;
    enum state state;
    struct dial *dial;
    int fd;
    short watched; /* events that the loop looks for */
    int watched_fd;
    struct queue to_server, to_client;
    int source;      /* descriptor of the ZeroMQ connection that its last message came by */
    bool has_left;   /* which has ended */
    bool has_ended;  /* the server has said BYE or a fatal ERROR [ZMQ-06] */
    bool is_stalled; /* the client takes nothing */
    uint64_t over_ms;
};

/* --- queues ----------------------------------------------------------------------------------- */

static struct prosa_bytes queue_peek(const struct queue *queue)
{
    return prosa_bytes(queue->at + queue->start, queue->end - queue->start);
}

/* Room for `size` more octets; NULL: there is no memory. */
static uint8_t *queue_space(struct queue *queue, size_t size)
{
    const size_t used = queue->end - queue->start;
    if (queue->cap - queue->end >= size) {
        return queue->at + queue->end;
    }
    if (queue->start > 0) {
        memmove(queue->at, queue->at + queue->start, used);
        queue->start = 0;
        queue->end = used;
    }
    if (queue->cap - used < size) {
        const size_t cap = 2 * (used + size);
        uint8_t *at = realloc(queue->at, cap);
        if (at == NULL) {
            return NULL;
        }
        queue->at = at;
        queue->cap = cap;
    }
    return queue->at + queue->end;
}

static bool queue_put(struct queue *queue, struct prosa_bytes octets)
{
    uint8_t *at = queue_space(queue, octets.size);
    if (at == NULL) {
        return false;
    }
    memcpy(at, octets.at, octets.size);
    queue->end += octets.size;
    return true;
}

/* An empty queue holds no memory. */
static void queue_drop(struct queue *queue, size_t size)
{
    queue->start += size;
    if (queue->start == queue->end) {
        free(queue->at);
        *queue = (struct queue){0};
    }
}

/* --- the loop --------------------------------------------------------------------------------- */

static int ready(zloop_t *loop, zmq_pollitem_t *item, void *argument);

static void watch(struct dealer *dealer)
{
    int fd = dealer->fd;
    short events = 0;
    if (dealer->state == STATE_DIALING) {
        const struct pollfd wanted = dial_poll(dealer->dial);
        fd = wanted.fd;
        events =
            (short)((wanted.events & POLLIN ? ZMQ_POLLIN : 0) | (wanted.events & POLLOUT ? ZMQ_POLLOUT : 0));
    } else if (dealer->state == STATE_OPEN) {
        events = (short)((dealer->is_stalled ? 0 : ZMQ_POLLIN) |
                         (queue_peek(&dealer->to_server).size > 0 ? ZMQ_POLLOUT : 0));
    }
    if (events == dealer->watched && fd == dealer->watched_fd) {
        return;
    }
    if (dealer->watched != 0) {
        zmq_pollitem_t old = {.fd = dealer->watched_fd};
        zloop_poller_end(dealer->relay->loop, &old);
    }
    dealer->watched = events;
    dealer->watched_fd = fd;
    if (events != 0) {
        zmq_pollitem_t item = {.fd = fd, .events = events};
        zloop_poller(dealer->relay->loop, &item, ready, dealer);
        zloop_poller_set_tolerant(dealer->relay->loop, &item);
    }
}

/* --- the end ---------------------------------------------------------------------------------- */

static bool is_connected(const struct dealer *dealer)
{
    return dealer->state == STATE_DIALING || dealer->state == STATE_OPEN;
}

/* The TCP side is gone. The descriptor leaves the loop before it is closed. */
static void hang_up(struct dealer *dealer, enum state state)
{
    dealer->relay->connected -= is_connected(dealer);
    dealer->state = state;
    watch(dealer);
    if (dealer->fd >= 0) {
        close(dealer->fd);
        dealer->fd = -1;
    }
    dial_free(dealer->dial);
    dealer->dial = NULL;
    queue_drop(&dealer->to_server, queue_peek(&dealer->to_server).size);
}

static void be_over(struct dealer *dealer)
{
    hang_up(dealer, STATE_OVER);
    queue_drop(&dealer->to_client, queue_peek(&dealer->to_client).size);
    dealer->is_stalled = false;
    dealer->over_ms = clock_now_ms();
}

/* Frames to the client, as many as it takes. */
static void pump(struct dealer *dealer)
{
    dealer->is_stalled = false;
    for (;;) {
        const struct prosa_bytes waiting = queue_peek(&dealer->to_client);
        const size_t size = part_first(waiting);
        if (size == 0 || size == SIZE_MAX) {
            break;
        }
        const struct prosa_bytes frame = prosa_bytes(waiting.at, size);
        switch (relay_send(dealer->relay, dealer->identity, frame)) {
        case 0:
            dealer->has_ended |= part_is_last(frame);
            queue_drop(&dealer->to_client, size);
            break;
        case EAGAIN:
            dealer->is_stalled = true;
            relay_retry(dealer->relay);
            return;
        default: /* the client has gone, and the server sees a client vanish */
            be_over(dealer);
            return;
        }
    }
    if (dealer->state == STATE_CLOSED) {
        be_over(dealer);
    }
}

/* The beginning of a frame that never comes is dropped; what is whole waits. */
static void drop_torn_frame(struct dealer *dealer)
{
    const struct prosa_bytes waiting = queue_peek(&dealer->to_client);
    size_t whole = 0;
    for (;;) {
        const struct prosa_bytes rest = prosa_bytes(waiting.at + whole, waiting.size - whole);
        const size_t size = part_first(rest);
        if (size == 0 || size == SIZE_MAX) {
            break;
        }
        dealer->has_ended |= part_is_last(prosa_bytes(rest.at, size));
        whole += size;
    }
    dealer->to_client.end = dealer->to_client.start + whole;
    queue_drop(&dealer->to_client, 0);
}

/* The server is no more: the client hears so, after all that the server said before [ZMQ-06]. */
static void lose_server(struct dealer *dealer, const char *reason)
{
    uint8_t goodbye[PART_OWN_SIZE];
    hang_up(dealer, STATE_CLOSED);
    drop_torn_frame(dealer);
    if (!dealer->has_ended) {
        const struct prosa_bytes frame = prosa_bytes(goodbye, part_make_goodbye(reason, goodbye));
        if (!queue_put(&dealer->to_client, frame)) {
            be_over(dealer);
            return;
        }
    }
    pump(dealer);
}

/* Words of the relay's own, which are the last. */
static void refuse(struct dealer *dealer, enum prosa_status status, const char *reason)
{
    uint8_t error[PART_OWN_SIZE];
    const size_t size = part_make_error(status, reason, error);
    if (relay_send(dealer->relay, dealer->identity, prosa_bytes(error, size)) != 0) {
        zsys_debug("a client that is refused takes no answer");
    }
    be_over(dealer);
}

/* --- the server's side ------------------------------------------------------------------------ */

static void flush(struct dealer *dealer)
{
    for (;;) {
        const struct prosa_bytes waiting = queue_peek(&dealer->to_server);
        if (waiting.size == 0) {
            return;
        }
        const ssize_t sent = net_send(dealer->fd, waiting);
        if (sent < 0) {
            return; /* not ready; or broken, and then reading tells */
        }
        queue_drop(&dealer->to_server, (size_t)sent);
    }
}

static void receive(struct dealer *dealer)
{
    uint8_t *at = queue_space(&dealer->to_client, READ_SIZE);
    const ssize_t size = at != NULL ? net_receive(dealer->fd, at, READ_SIZE) : -ENOMEM;
    if (size == -EAGAIN || size == -EINTR) {
        queue_drop(&dealer->to_client, 0);
        return;
    }
    if (size <= 0) {
        lose_server(dealer, "the connection to the server is lost");
        return;
    }
    dealer->to_client.end += (size_t)size;
    if (part_first(queue_peek(&dealer->to_client)) == SIZE_MAX) {
        lose_server(dealer, "what the server sends is no PROSA/1");
        return;
    }
    pump(dealer);
}

static int take_socket(struct dial *dial)
{
    const int octets = KERNEL_OCTETS;
    const int fd = dial_take_socket(dial);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets) != 0) {
        zsys_debug("the kernel keeps as much as it likes of what a server sends");
    }
    return fd;
}

static void go_on_dialing(struct dealer *dealer)
{
    switch (dial_step(dealer->dial, clock_now_ms())) {
    case DIAL_GOES_ON:
        break;
    case DIAL_CONNECTED:
        dealer->fd = take_socket(dealer->dial);
        dealer->state = STATE_OPEN;
        flush(dealer);
        break;
    case DIAL_UNRESOLVED:
    case DIAL_REFUSED:
        zsys_warning("%s", dial_why(dealer->dial));
        lose_server(dealer, "the server cannot be reached");
        break;
    }
}

static int ready(zloop_t *loop, zmq_pollitem_t *item, void *argument)
{
    struct dealer *dealer = argument;
    (void)loop;
    if (dealer->state == STATE_DIALING) {
        go_on_dialing(dealer);
    } else if (dealer->state == STATE_OPEN) {
        if (item->revents & ZMQ_POLLOUT) {
            flush(dealer);
        }
        if (item->revents & (ZMQ_POLLIN | ZMQ_POLLERR)) {
            receive(dealer);
        }
    }
    watch(dealer);
    return 0;
}

/* --- the client's side ------------------------------------------------------------------------ */

static void begin(struct dealer *dealer, struct prosa_bytes hello)
{
    struct relay *relay = dealer->relay;
    if (relay->connected >= relay->settings->max_clients) {
        refuse(dealer, PROSA_ERR_BUSY, "the relay has no place for one client more");
        return;
    }
    dealer->dial = dial_new(relay->settings->host, relay->settings->port);
    if (dealer->dial == NULL || !queue_put(&dealer->to_server, hello)) {
        refuse(dealer, PROSA_ERR_INTERNAL, "the relay cannot open one connection more");
        return;
    }
    relay->connected++;
    dealer->state = STATE_DIALING;
    dealer->has_ended = false;
}

static void pass_on(struct dealer *dealer, struct prosa_bytes frame)
{
    if (queue_peek(&dealer->to_server).size + frame.size > WAITING_MAX) {
        refuse(dealer, PROSA_ERR_FLOW_VIOLATION, "more waits for the server than credit allows");
        return;
    }
    if (!queue_put(&dealer->to_server, frame)) {
        refuse(dealer, PROSA_ERR_INTERNAL, "the relay has no memory");
        return;
    }
    if (dealer->state == STATE_OPEN) {
        flush(dealer);
    }
}

void dealer_take(struct dealer *dealer, struct prosa_bytes part, bool alone)
{
    const bool is_frame = alone && part_is_frame(part);
    if (dealer->has_ended && is_connected(dealer) && is_frame && part_is_hello(part)) {
        be_over(dealer); /* the client has heard the last word, and the server has not closed yet */
    }
    switch (dealer->state) {
    case STATE_NEW:
        if (is_frame && part_is_hello(part)) {
            begin(dealer, part);
        } else if (is_frame) {
            refuse(dealer, PROSA_ERR_BAD_STATE, "the relay does not know this client: HELLO is first");
        } else {
            refuse(dealer, PROSA_ERR_BAD_FRAME, "one message is one part, and that is one frame");
        }
        break;
    case STATE_DIALING:
    case STATE_OPEN:
        if (is_frame) {
            pass_on(dealer, part);
        } else {
            refuse(dealer, PROSA_ERR_BAD_FRAME, "one message is one part, and that is one frame");
        }
        break;
    case STATE_CLOSED:
        break;       /* nobody is there to hear it; the goodbye is on its way */
    case STATE_OVER: /* what was sent before the end was heard is dropped */
        if (is_frame && part_is_hello(part)) {
            begin(dealer, part);
        }
        break;
    }
    watch(dealer);
}

void dealer_see_left(struct dealer *dealer, int source)
{
    if (dealer->source == source) {
        dealer->has_left = true;
        relay_retry(dealer->relay);
    }
}

void dealer_see_taken(struct dealer *dealer, int source)
{
    if (dealer->has_left && dealer->source == source) {
        dealer->source = -1;
    }
}

bool dealer_is_from(struct dealer *dealer, int source)
{
    if (dealer->has_left && source != dealer->source) {
        return false;
    }
    dealer->source = source;
    return true;
}

bool dealer_has_gone(const struct dealer *dealer)
{
    return dealer->has_left && (!is_connected(dealer) || queue_peek(&dealer->to_server).size == 0);
}

bool dealer_retry(struct dealer *dealer)
{
    if (dealer->is_stalled) {
        pump(dealer);
        watch(dealer);
    }
    return dealer->is_stalled || dealer->has_left;
}

bool dealer_tick(struct dealer *dealer, uint64_t now_ms)
{
    if (dealer->state == STATE_DIALING && now_ms >= dial_deadline_ms(dealer->dial)) {
        go_on_dialing(dealer);
        watch(dealer);
    }
    return dealer->state == STATE_OVER && now_ms - dealer->over_ms >= REMEMBERED_MS;
}

void dealer_goodbye(struct dealer *dealer, const char *reason)
{
    if (is_connected(dealer)) {
        lose_server(dealer, reason);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

struct dealer *dealer_new(struct relay *relay, zframe_t *identity, int source)
{
    struct dealer *dealer = calloc(1, sizeof *dealer);
    if (dealer != NULL) {
        dealer->relay = relay;
        dealer->identity = zframe_dup(identity);
        dealer->source = source;
        dealer->fd = dealer->watched_fd = -1;
    }
    return dealer;
}

void dealer_destroy(struct dealer **at)
{
    struct dealer *dealer = *at;
    be_over(dealer);
    zframe_destroy(&dealer->identity);
    free(dealer);
    *at = NULL;
}
