/* SPDX-License-Identifier: MIT */
#include "listener.h"

#include "clock.h"
#include "datafolder.h"
#include "events.h"
#include "keyfile.h"
#include "net.h"
#include "part.h"
#include "pins.h"

#include <prosa/sign.h>

#include <inttypes.h>
#include <limits.h>

#define LINGER_MS      1000
#define SEND_WINDOW    1 /* it says nothing */
#define RECEIVE_WINDOW 1024
#define ENDPOINT_SIZE  (NET_TARGET_SIZE + 16)

enum exit_code { EXIT_GOOD = 0, EXIT_PROTOCOL = 1, EXIT_SETTINGS = 2, EXIT_AUTHENTICATION = 4 };

struct listener {
    const struct listener_settings *settings;
    zloop_t *loop;
    zsock_t *feed;
    zsock_t *dealer; /* of the session; NULL: there is none, and the feed is in step or all waits */
    struct prosa_client_config config;
    struct prosa_client_session session; /* while there is a dealer */
    bool is_check;                       /* it only asks whether anything is missing */
    bool has_joined;                     /* once, at least: what follows is known */
    int timer;                           /* of the loop; -1: none */
    unsigned attempt;
    uint64_t silent_since_ms;
    uint64_t again_ms; /* when a session that failed is tried again; PROSA_NEVER: none has */
    uint8_t room_id[PROSA_HASH_SIZE];
    uint8_t epoch[PROSA_EPOCH_SIZE];
    uint64_t next_seq; /* the room_seq that is told next */
    enum exit_code exit;
    char target[NET_TARGET_SIZE];
    char endpoint[ENDPOINT_SIZE];
    char pins[PATH_MAX + 8];
    uint8_t server_key[PROSA_KEY_SIZE];
};

static void go_on(struct listener *listener);
static int answered(zloop_t *loop, zsock_t *dealer, void *argument);

/* --- what is told ----------------------------------------------------------------------------- */

static struct prosa_bytes room_name(const struct listener *listener)
{
    return prosa_bytes_of_string(listener->settings->room);
}

static void tell_error(const struct listener *listener, bool from_server, uint16_t code, const char *reason)
{
    events_write(&(struct report){.kind = REPORT_ERROR,
                                  .from_server = from_server,
                                  .code = code,
                                  .room = room_name(listener),
                                  .reason = prosa_bytes_of_string(reason)});
}

/* Beside the events of a client: the entries that the feed has lost, which are asked for now. */
static void tell_gap(const struct listener *listener, uint64_t seq)
{
    printf("{\"event\":\"gap\",\"room\":\"%s\",\"from\":\"%" PRIu64 "\",\"to\":\"%" PRIu64 "\"}\n",
           listener->settings->room, listener->next_seq, seq - 1);
    fflush(stdout);
}

static void tell_message(struct listener *listener, const struct prosa_client_event *event)
{
    events_write(&(struct report){.kind = REPORT_MESSAGE, .event = event, .room = room_name(listener)});
    listener->next_seq = event->deliver.room_seq + 1;
}

static void tell_unshown(struct listener *listener, enum prosa_status status, uint64_t seq)
{
    tell_error(listener, false, prosa_status_code(status), "a message is not shown");
    listener->next_seq = seq + 1;
}

/* --- the feed --------------------------------------------------------------------------------- */

/* The DELIVER of a message of the feed, if it is one of this room and its author's. */
static enum prosa_status decode(const struct listener *listener, const zmsg_t *parts, zframe_t *octets,
                                struct prosa_message *message)
{
    struct prosa_frame frame;
    const struct prosa_bytes part = prosa_bytes(zframe_data(octets), zframe_size(octets));
    if (zmsg_size((zmsg_t *)parts) != 2 || !part_is_frame(part) ||
        prosa_frame_parse(part, PROSA_LIMIT_MAX_FRAME_MAX, &frame) != PROSA_OK ||
        frame.type != PROSA_FRAME_DELIVER) {
        return PROSA_ERR_BAD_FRAME;
    }
    const enum prosa_status status = prosa_message_decode(&frame, PROSA_FROM_SERVER, message);
    if (status != PROSA_OK) {
        return status;
    }
    if (memcmp(message->deliver.room_id, listener->room_id, PROSA_HASH_SIZE) != 0) {
        return PROSA_ERR_NO_ROOM;
    }
    return prosa_author_verify(message->deliver.author_key, message->body, message->deliver.author_sig);
}

/* Says goodbye to the bridge, when there is a session: the feed is in step. */
static void leave(struct listener *listener)
{
    if (listener->dealer != NULL && prosa_client_session_ready(&listener->session)) {
        prosa_client_session_bye(&listener->session, clock_now_ms());
    }
}

static void begin_session(struct listener *listener, bool is_check);

static void take_from_feed(struct listener *listener, const struct prosa_message *message)
{
    uint8_t id[PROSA_HASH_SIZE];
    const uint64_t seq = message->deliver.room_seq;
    if (seq == listener->next_seq) {
        prosa_message_id(message->body, id);
        tell_message(listener, &(struct prosa_client_event){
                                   .kind = PROSA_CLIENT_MESSAGE, .deliver = message->deliver, .id = id});
    }
    if (seq < listener->next_seq) {
        leave(listener);
    } else if (listener->dealer == NULL && listener->again_ms == PROSA_NEVER) {
        tell_gap(listener, seq);
        begin_session(listener, false);
    } else {
        listener->is_check = false; /* the session stays until the feed is in step */
    }
}

static int heard(zloop_t *loop, zsock_t *feed, void *argument)
{
    struct listener *listener = argument;
    struct prosa_message message;
    zmsg_t *parts = zmsg_recv(feed);
    (void)loop;
    if (parts == NULL) {
        return -1; /* interrupted */
    }
    listener->silent_since_ms = clock_now_ms();
    const enum prosa_status status = decode(listener, parts, zmsg_last(parts), &message);
    if (status == PROSA_OK) {
        take_from_feed(listener, &message);
    } else if (status != PROSA_ERR_NO_ROOM) {
        tell_error(listener, false, prosa_status_code(status), "what came over the feed is not the room's");
    }
    zmsg_destroy(&parts);
    go_on(listener);
    return listener->exit == EXIT_GOOD ? 0 : -1;
}

static void subscribe(struct listener *listener, const uint8_t room_id[static PROSA_HASH_SIZE])
{
    void *socket = zsock_resolve(listener->feed);
    if (listener->has_joined) {
        zmq_setsockopt(socket, ZMQ_UNSUBSCRIBE, listener->room_id, PROSA_HASH_SIZE);
    }
    memcpy(listener->room_id, room_id, PROSA_HASH_SIZE);
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, listener->room_id, PROSA_HASH_SIZE);
}

/* --- time ------------------------------------------------------------------------------------- */

static int timer_rang(zloop_t *loop, int timer, void *argument)
{
    struct listener *listener = argument;
    (void)loop;
    (void)timer;
    listener->timer = -1;
    if (listener->dealer == NULL) {
        begin_session(listener, listener->has_joined && listener->again_ms == PROSA_NEVER);
    }
    go_on(listener);
    return listener->exit == EXIT_GOOD ? 0 : -1;
}

/* At most one timer: the next moment at which something has to be done. */
static void wake_at(struct listener *listener, uint64_t at_ms)
{
    const uint64_t now_ms = clock_now_ms();
    if (listener->timer >= 0) {
        zloop_timer_end(listener->loop, listener->timer);
        listener->timer = -1;
    }
    if (at_ms != PROSA_NEVER) {
        const uint64_t wait_ms = at_ms > now_ms ? at_ms - now_ms : 1;
        listener->timer = zloop_timer(listener->loop, (size_t)wait_ms, 1, timer_rang, listener);
    }
}

/* --- the session ------------------------------------------------------------------------------ */

static void end_session(struct listener *listener)
{
    if (listener->dealer != NULL) {
        zloop_reader_end(listener->loop, listener->dealer);
        prosa_client_session_fini(&listener->session);
        zsock_destroy(&listener->dealer);
    }
}

static void begin_session(struct listener *listener, bool is_check)
{
    uint8_t nonce[PROSA_NONCE_SIZE];
    entropy_fill(nonce, sizeof nonce);
    listener->again_ms = PROSA_NEVER;
    listener->is_check = is_check;
    listener->dealer = zsock_new(ZMQ_DEALER);
    if (listener->dealer == NULL ||
        prosa_client_session_init(&listener->session, &listener->config, nonce, clock_now_ms()) != PROSA_OK) {
        zsock_destroy(&listener->dealer);
        listener->exit = EXIT_PROTOCOL;
        return;
    }
    zsock_set_linger(listener->dealer, LINGER_MS);
    zsock_set_ipv6(listener->dealer, 1);
    zsock_connect(listener->dealer, "%s", listener->endpoint);
    zloop_reader(listener->loop, listener->dealer, answered, listener);
}

/* First contact: the key is written down, and no other is taken from then on [ID-02]. */
static void pin(struct listener *listener)
{
    char why[PATH_MAX + 256];
    const uint8_t *key = prosa_client_session_server_key(&listener->session);
    if (!pins_add(listener->pins, listener->target, key, why, sizeof why)) {
        zsys_error("%s", why);
        prosa_client_session_fail(&listener->session, PROSA_ERR_PIN_MISMATCH, clock_now_ms());
        return;
    }
    memcpy(listener->server_key, key, sizeof listener->server_key);
    listener->config.pinned_key = listener->server_key;
    prosa_client_session_trust(&listener->session, clock_now_ms());
}

static void join(struct listener *listener)
{
    const bool has_log = (prosa_client_session_features(&listener->session) & PROSA_FEATURE_RESUME) != 0;
    const struct prosa_client_join wish = {.room = room_name(listener),
                                           .send_window = SEND_WINDOW,
                                           .recv_window = RECEIVE_WINDOW,
                                           .has_after_seq = listener->has_joined && has_log,
                                           .after_seq = listener->next_seq - 1,
                                           .epoch = listener->epoch};
    if (prosa_client_session_join(&listener->session, &wish) != PROSA_OK) {
        prosa_client_session_fail(&listener->session, PROSA_ERR_INTERNAL, clock_now_ms());
    }
}

static void take_joined(struct listener *listener, const struct prosa_client_event *event)
{
    const bool is_same = listener->has_joined && event->same_epoch;
    if (!is_same) {
        subscribe(listener, event->joined.room_id);
        memcpy(listener->epoch, event->joined.epoch, PROSA_EPOCH_SIZE);
    }
    listener->attempt = 0;
    listener->has_joined = true;
    listener->next_seq = event->joined.start_seq;
    if (!is_same || event->lost_history) {
        events_write(&(struct report){.kind = REPORT_JOINED,
                                      .event = event,
                                      .server_key = prosa_client_session_server_key(&listener->session),
                                      .room = room_name(listener)});
    }
    if (listener->is_check &&
        prosa_client_session_ping(&listener->session, prosa_bytes_of_string("all?")) != PROSA_OK) {
        zsys_debug("a session that is ending answers nothing");
    }
}

/* The session is over: by our goodbye, or it is tried again later, or it makes no sense to. */
static void take_end(struct listener *listener, const struct prosa_ended *ended)
{
    const unsigned class = ended->code >> 8;
    const bool is_ours = ended->code == PROSA_CODE_NORMAL;
    uint32_t random;
    entropy_fill(&random, sizeof random);
    end_session(listener);
    listener->silent_since_ms = clock_now_ms();
    if (is_ours) {
        return;
    }
    const bool is_hopeless = class >= 1 && class <= 3 && ended->code != PROSA_CODE_TIMEOUT;
    const char *name = prosa_code_name(ended->code);
    events_write(
        &(struct report){.kind = REPORT_DISCONNECTED,
                         .how = ended->how == PROSA_ENDING_GOODBYE ? "goodbye"
                                : ended->how == PROSA_ENDING_ERROR ? "error"
                                                                   : "silence",
                         .again = !is_hopeless,
                         .reason = prosa_bytes_of_string(name != NULL ? name : "the server fell silent")});
    if (is_hopeless) {
        listener->exit = class == 2 ? EXIT_AUTHENTICATION : EXIT_PROTOCOL;
        return;
    }
    listener->again_ms = clock_now_ms() + prosa_backoff_ms(listener->attempt++, random, ended->after_ms);
}

/* False: the session is over. */
static bool take_event(struct listener *listener, const struct prosa_client_event *event)
{
    switch (event->kind) {
    case PROSA_CLIENT_KEY:
        pin(listener);
        break;
    case PROSA_CLIENT_READY:
        join(listener);
        break;
    case PROSA_CLIENT_JOINED:
        take_joined(listener, event);
        break;
    case PROSA_CLIENT_REFUSED:
        tell_error(listener, true, event->error.code, "the room is refused");
        listener->exit = EXIT_PROTOCOL;
        break;
    case PROSA_CLIENT_MESSAGE:
        if (event->deliver.room_seq >= listener->next_seq) { /* else the feed has told it already */
            tell_message(listener, event);
        }
        break;
    case PROSA_CLIENT_UNSHOWN:
        if (event->deliver.room_seq >= listener->next_seq) {
            tell_unshown(listener, event->status, event->deliver.room_seq);
        }
        break;
    case PROSA_CLIENT_PONG:
        if (listener->is_check) {
            leave(listener);
        }
        break;
    case PROSA_CLIENT_ENDED:
        take_end(listener, &event->ended);
        return false;
    default:
        break;
    }
    return true;
}

/* Whole frames to the bridge, a part each [ZMQ-01]. */
static void give(struct listener *listener)
{
    struct prosa_bytes waiting;
    while ((waiting = prosa_client_session_send_peek(&listener->session)).size > 0) {
        const size_t size = part_first(waiting);
        assert(size > 0 && size <= waiting.size);
        zframe_t *part = zframe_new(waiting.at, size);
        if (zframe_send(&part, listener->dealer, ZFRAME_DONTWAIT) != 0) {
            zframe_destroy(&part);
            return; /* the bridge takes nothing: the session's own timers decide */
        }
        prosa_client_session_send_consume(&listener->session, size, clock_now_ms());
    }
}

/* Events and frames until nothing moves, and then when to look again. */
static void go_on(struct listener *listener)
{
    struct prosa_client_event event;
    if (listener->dealer != NULL) {
        prosa_client_session_tick(&listener->session, clock_now_ms());
    }
    while (listener->dealer != NULL &&
           prosa_client_session_next(&listener->session, &event, clock_now_ms()) == PROSA_OK &&
           take_event(listener, &event)) {
        give(listener);
    }
    if (listener->dealer != NULL) {
        give(listener);
        wake_at(listener, prosa_client_session_deadline_ms(&listener->session));
    } else {
        const uint64_t check_ms = listener->silent_since_ms + listener->settings->silence_ms;
        wake_at(listener, listener->again_ms != PROSA_NEVER ? listener->again_ms : check_ms);
    }
}

/* A message of the bridge's: one part, one frame; the session judges what is in it. */
static int answered(zloop_t *loop, zsock_t *dealer, void *argument)
{
    struct listener *listener = argument;
    zframe_t *part = zframe_recv(dealer);
    (void)loop;
    if (part == NULL) {
        return -1; /* interrupted */
    }
    struct prosa_bytes left = prosa_bytes(zframe_data(part), zframe_size(part));
    while (left.size > 0 && listener->dealer != NULL) {
        uint8_t *at;
        size_t size = prosa_client_session_recv_space(&listener->session, &at);
        size = size < left.size ? size : left.size;
        if (size == 0) {
            break; /* it has ended, and takes nothing more */
        }
        memcpy(at, left.at, size);
        prosa_client_session_recv_commit(&listener->session, size, clock_now_ms());
        left = prosa_bytes(left.at + size, left.size - size);
        go_on(listener);
    }
    zframe_destroy(&part);
    return listener->exit == EXIT_GOOD ? 0 : -1;
}

/* --- life ------------------------------------------------------------------------------------- */

static bool remember(struct listener *listener, char *why, size_t why_size)
{
    const struct listener_settings *settings = listener->settings;
    char folder[PATH_MAX];
    char key[PATH_MAX + 16];
    bool is_pinned = false;
    bool is_made = false;
    if (!net_target_format(settings->host, settings->port, listener->target, why, why_size) ||
        !datafolder_open(settings->data, folder, sizeof folder, why, why_size)) {
        return false;
    }
    snprintf(listener->endpoint, sizeof listener->endpoint, "tcp://%s", listener->target);
    snprintf(listener->pins, sizeof listener->pins, "%s/pins", folder);
    snprintf(key, sizeof key, "%s/client.key", folder);
    if (!pins_find(listener->pins, listener->target, &is_pinned, listener->server_key, why, why_size) ||
        !keyfile_open(key, &listener->config.keypair, &is_made, why, why_size)) {
        return false;
    }
    listener->config.pinned_key = is_pinned ? listener->server_key : NULL;
    listener->config.nick = prosa_bytes_of_string(settings->nick);
    listener->config.target = prosa_bytes_of_string(listener->target);
    listener->config.features = PROSA_FEATURE_LIVENESS | PROSA_FEATURE_RESUME;
    listener->config.grease = true;
    return true;
}

static bool connect_feed(struct listener *listener, char *why, size_t why_size)
{
    listener->feed = zsock_new(ZMQ_SUB);
    if (listener->feed == NULL) {
        snprintf(why, why_size, "there is no socket: %s", zmq_strerror(zmq_errno()));
        return false;
    }
    zsock_set_rcvhwm(listener->feed, listener->settings->high_water_mark);
    zsock_set_ipv6(listener->feed, 1);
    if (zsock_connect(listener->feed, "%s", listener->settings->feed) != 0) {
        snprintf(why, why_size, "feed \"%s\": it is no endpoint: %s", listener->settings->feed,
                 zmq_strerror(zmq_errno()));
        return false;
    }
    return zloop_reader(listener->loop, listener->feed, heard, listener) == 0;
}

int listener_run(const struct listener_settings *settings)
{
    struct listener listener = {
        .settings = settings, .timer = -1, .loop = zloop_new(), .again_ms = PROSA_NEVER, .next_seq = 1};
    char why[PATH_MAX + 256] = "there is no memory";
    if (listener.loop == NULL || !remember(&listener, why, sizeof why) ||
        !connect_feed(&listener, why, sizeof why)) {
        fprintf(stderr, "prosa-listen: %s\n", why);
        listener.exit = EXIT_SETTINGS;
    } else {
        listener.silent_since_ms = clock_now_ms();
        begin_session(&listener, false);
        go_on(&listener);
        zloop_start(listener.loop);
        leave(&listener);
        if (listener.dealer != NULL) {
            give(&listener);
        }
        events_write(&(struct report){.kind = REPORT_CLOSED, .exit = (int)listener.exit});
    }
    end_session(&listener);
    zsock_destroy(&listener.feed);
    zloop_destroy(&listener.loop);
    prosa_keypair_wipe(&listener.config.keypair);
    return (int)listener.exit;
}
