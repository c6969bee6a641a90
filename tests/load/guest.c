/* SPDX-License-Identifier: MIT */
#include "guest.h"

#include "clock.h"
#include "print.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* 127.0.1.1, 127.0.1.2, ...: 250 in each of the third octets. */
#define SOURCE_BASE 0x7F000101u
#define SOURCE_ROW  250u

#define REASON_SIZE 320

/* Before it tries again to come back. */
#define AWAY_MS 20

void guest_init(struct guest *guest, struct party *party, uint32_t number, const char *nick,
                const uint8_t seed[static PROSA_SEED_SIZE])
{
    *guest = (struct guest){.party = party, .number = number, .is_gone = true};
    snprintf(guest->nick, sizeof guest->nick, "%s", nick);
    guest->source = (struct loop_source){.kind = GUEST_SOURCE, .owner = guest, .fd = -1};
    guest->config = (struct prosa_client_config){.nick = prosa_bytes_of_string(guest->nick),
                                                 .target = party->target,
                                                 .features = PROSA_FEATURE_LIVENESS | PROSA_FEATURE_RESUME |
                                                             (party->returns ? PROSA_FEATURE_AUDIT : 0)};
    prosa_keypair_from_seed(&guest->config.keypair, seed);
}

static void close_down(struct guest *guest)
{
    const int fd = guest->source.fd;
    if (guest->is_away) {
        guest->is_away = false;
        loop_remove(&guest->party->loop, &guest->source);
    }
    if (guest->is_gone) {
        return;
    }
    guest->is_gone = true;
    loop_remove(&guest->party->loop, &guest->source);
    close(fd);
    prosa_client_session_fini(&guest->session);
}

void guest_fini(struct guest *guest)
{
    close_down(guest);
    prosa_keypair_wipe(&guest->config.keypair);
    free(guest->speech.flights);
}

static void fail(struct guest *guest, const char *how, const char *reason)
{
    guest->party->has_failed = true;
    print_lost(guest, how, reason);
}

/* --- errands --- */

static void begin(struct guest *guest, enum errand errand)
{
    guest->errand = errand;
    guest->began_ns = clock_now_ns();
    guest->party->owed++;
}

static void count_time(struct guest *guest, uint64_t began_ns)
{
    if (!tally_add(&guest->party->tally, clock_now_ns() - began_ns)) {
        fail(guest, "error", "no memory for one more time");
    }
}

/* Takes the guest off the list of those that are owed; a speech has counted its messages itself. */
static void finish(struct guest *guest, enum errand errand)
{
    if (guest->errand != errand) {
        return;
    }
    if (errand != ERRAND_SAY) {
        count_time(guest, guest->began_ns);
    }
    if (errand == ERRAND_ARRIVE) {
        guest->party->arriving--;
    }
    guest->errand = ERRAND_NONE;
    guest->party->owed--;
}

static struct prosa_bytes room_name(const struct guest *guest)
{
    return prosa_bytes_of_string(guest->room);
}

static bool is_in(const struct guest *guest, const char *room)
{
    return guest->kept.was_joined && strcmp(guest->room, room) == 0;
}

static bool is_its_room(const struct guest *guest, const struct prosa_client_room *room)
{
    return prosa_bytes_equal(prosa_bytes(room->name, room->name_size), room_name(guest));
}

/* --- what it says --- */

/* "NICK COUNTER", filled up with dots. */
static struct prosa_bytes write_text(const struct guest *guest, uint64_t counter, char text[GUEST_TEXT_MAX])
{
    const size_t size = guest->speech.size;
    char words[GUEST_NICK_SIZE + 24];
    const int written = snprintf(words, sizeof words, "%s %llu", guest->nick, (unsigned long long)counter);
    const size_t length = (size_t)written > size ? (size_t)written : size;
    memset(text, '.', length);
    memcpy(text, words, (size_t)written);
    return prosa_bytes(text, length);
}

static bool has_sent(struct guest *guest, const struct flight *flight)
{
    const enum prosa_status status = prosa_client_session_send(&guest->session, room_name(guest),
                                                               prosa_bytes(flight->octets, flight->size));
    if (status != PROSA_OK) {
        fail(guest, "error", prosa_status_text(status));
    }
    return status == PROSA_OK;
}

static bool say_next(struct guest *guest, const struct prosa_client_room *room)
{
    struct speech *speech = &guest->speech;
    char text[GUEST_TEXT_MAX];
    const uint64_t counter = room->sent_counter + 1;
    struct flight *flight = &speech->flights[counter % speech->window];
    const struct prosa_client_text words = {
        .counter = counter, .sent_at = clock_unix_ms(), .text = write_text(guest, counter, text)};
    const enum prosa_status status = prosa_client_session_compose(
        &guest->session, room_name(guest), &words, flight->octets, sizeof flight->octets, &flight->size);
    if (status != PROSA_OK) {
        fail(guest, "error", prosa_status_text(status));
        return false;
    }
    flight->counter = counter;
    flight->sent_ns = clock_now_ns();
    flight->room_seq = 0;
    if (!has_sent(guest, flight)) {
        return false;
    }
    guest->kept.composed_counter = counter;
    if (guest->party->events != NULL) {
        print_said(guest, words.text);
    }
    speech->unseen++;
    speech->left--;
    speech->due--;
    return true;
}

/* What its time and the limit allow [FLOW-20]. */
static void speak(struct guest *guest)
{
    struct speech *speech = &guest->speech;
    const struct prosa_client_room *room = prosa_client_session_room(&guest->session, room_name(guest));
    if (guest->errand != ERRAND_SAY || room == NULL) {
        return;
    }
    while (room->sent_counter < guest->kept.composed_counter && room->sent_counter < room->limit_counter) {
        if (!has_sent(guest, &speech->flights[(room->sent_counter + 1) % speech->window])) {
            return; /* octets as they were [RES-08] */
        }
    }
    if (speech->next_ms <= guest->party->loop.now_ms && speech->due < speech->left) {
        speech->due = speech->left - speech->due < speech->burst ? speech->left : speech->due + speech->burst;
        speech->next_ms = guest->party->loop.now_ms + speech->every_ms;
    }
    while (speech->due > 0 && room->sent_counter < room->limit_counter) {
        if (!say_next(guest, room)) {
            return;
        }
    }
    if (speech->left == 0 && speech->unseen == 0 && room->acked_counter >= guest->kept.composed_counter) {
        finish(guest, ERRAND_SAY);
    }
}

/* --- what it is told --- */

static void meet(struct guest *guest, uint64_t now_ms)
{
    struct party *party = guest->party;
    const uint8_t *key = prosa_client_session_server_key(&guest->session);
    if (!party->has_server_key) {
        memcpy(party->server_key, key, PROSA_KEY_SIZE);
        party->has_server_key = true;
    }
    if (memcmp(party->server_key, key, PROSA_KEY_SIZE) == 0) {
        prosa_client_session_trust(&guest->session, now_ms);
    } else {
        prosa_client_session_fail(&guest->session, PROSA_ERR_PIN_MISMATCH, now_ms);
    }
}

/* An ACK and a DELIVER must say the same of where an own message is, whichever comes first. */
static void place(struct guest *guest, uint64_t counter, uint64_t seq)
{
    struct speech *speech = &guest->speech;
    struct flight *flight = speech->flights != NULL ? &speech->flights[counter % speech->window] : NULL;
    if (flight == NULL || flight->counter != counter) {
        return; /* acknowledged, and its place was taken by a later one, before it was shown */
    }
    if (flight->room_seq != 0 && flight->room_seq != seq) {
        char reason[REASON_SIZE];
        snprintf(reason, sizeof reason, "own message %llu is at %llu, another frame said %llu",
                 (unsigned long long)counter, (unsigned long long)seq, (unsigned long long)flight->room_seq);
        fail(guest, "error", reason);
    }
    flight->room_seq = seq;
}

static void take_acked(struct guest *guest, const struct prosa_client_event *event)
{
    const uint64_t counter = event->acked_counter;
    guest->reported_counter = counter;
    if (!is_its_room(guest, event->room) || counter <= guest->kept.acked_counter) {
        return;
    }
    guest->kept.acked_counter = counter;
    if (event->acked_seq != 0) {
        place(guest, counter, event->acked_seq);
    }
}

/* Its own messages come one by one, and everybody's are shown to all in one order. */
static void judge(struct guest *guest, const struct prosa_client_event *event)
{
    struct kept *kept = &guest->kept;
    const struct prosa_deliver *deliver = &event->deliver;
    char reason[REASON_SIZE];
    if (event->own && deliver->counter != kept->shown_counter + 1) {
        snprintf(reason, sizeof reason, "was shown its message %llu, %llu was due",
                 (unsigned long long)deliver->counter, (unsigned long long)kept->shown_counter + 1);
        fail(guest, "error", reason);
    }
    if (!shown_agrees(&guest->party->shown, guest->room, deliver->room_seq, event->id)) {
        snprintf(reason, sizeof reason,
                 "%s %llu: another guest was shown another message there, or is too far ahead to tell",
                 guest->room, (unsigned long long)deliver->room_seq);
        fail(guest, "error", reason);
    }
    kept->shown_counter = event->own ? deliver->counter : kept->shown_counter;
    kept->seen_seq = deliver->room_seq;
}

static void take_message(struct guest *guest, const struct prosa_client_event *event)
{
    struct speech *speech = &guest->speech;
    if (!is_its_room(guest, event->room)) {
        return;
    }
    judge(guest, event);
    if (guest->errand == ERRAND_SAY && event->own && speech->unseen > 0) {
        count_time(guest, speech->flights[event->deliver.counter % speech->window].sent_ns);
        place(guest, event->deliver.counter, event->deliver.room_seq);
        speech->unseen--;
    }
    if (guest->errand == ERRAND_SEE && event->deliver.room_seq >= guest->until_seq) {
        finish(guest, ERRAND_SEE);
    }
}

static void refuse(struct guest *guest, const struct prosa_error *error)
{
    char reason[REASON_SIZE];
    const char *name = prosa_code_name(error->code);
    snprintf(reason, sizeof reason, "%s: %.*s", name != NULL ? name : "unknown code", (int)error->reason.size,
             (const char *)error->reason.at);
    fail(guest, "error", reason);
}

static void join(struct guest *guest)
{
    const struct kept *kept = &guest->kept;
    const struct prosa_client_join join = {.room = room_name(guest),
                                           .send_window = guest->party->send_window,
                                           .recv_window = guest->party->recv_window,
                                           .has_after_seq = kept->was_joined,
                                           .after_seq = kept->seen_seq,
                                           .epoch = kept->was_joined ? kept->epoch : NULL,
                                           .chain = kept->has_chain ? kept->chain : NULL};
    if (prosa_client_session_join(&guest->session, &join) != PROSA_OK) {
        fail(guest, "error",
             "it cannot join: it is not READY, is there already, or the room has no such name");
    }
}

/* It has lost nothing that it was told is there, and goes on where it was. */
static void take_joined(struct guest *guest, const struct prosa_client_event *event)
{
    struct kept *kept = &guest->kept;
    const struct prosa_client_room *room = event->room;
    char reason[REASON_SIZE];
    guest->reported_counter = room->acked_counter;
    if (!kept->was_joined) {
        kept->was_joined = true;
        kept->seen_seq = room->start_seq - 1;
        kept->composed_counter = kept->shown_counter = kept->acked_counter = room->acked_counter;
        memcpy(kept->epoch, room->epoch, PROSA_EPOCH_SIZE);
    } else if (event->lost_history || !event->same_epoch || room->start_seq != kept->seen_seq + 1) {
        snprintf(reason, sizeof reason, "%s goes on at %llu, %llu was due", guest->room,
                 (unsigned long long)room->start_seq, (unsigned long long)kept->seen_seq + 1);
        fail(guest, "error", reason);
    } else if (room->acked_counter < kept->acked_counter || room->acked_counter > kept->composed_counter) {
        snprintf(reason, sizeof reason, "%s has %llu of its messages, %llu were acknowledged and %llu sent",
                 guest->room, (unsigned long long)room->acked_counter,
                 (unsigned long long)kept->acked_counter, (unsigned long long)kept->composed_counter);
        fail(guest, "error", reason);
    }
    kept->acked_counter = room->acked_counter;
    finish(guest, ERRAND_JOIN);
}

/* Until its deadline passes, and it tries again. */
static void wait_away(struct guest *guest)
{
    struct loop *loop = &guest->party->loop;
    const int problem = loop_add(loop, &guest->source, -1, 0);
    if (problem != 0) {
        fail(guest, "error", strerror(-problem));
        return;
    }
    guest->is_away = true;
    loop_set_deadline(loop, &guest->source, loop->now_ms + AWAY_MS);
}

static void go_away(struct guest *guest)
{
    const struct prosa_client_room *room = prosa_client_session_room(&guest->session, room_name(guest));
    if (room != NULL && guest->kept.was_joined) {
        guest->kept.has_chain = room->chain_known && room->seen_seq == guest->kept.seen_seq;
        memcpy(guest->kept.chain, room->chain, PROSA_HASH_SIZE);
    }
    close_down(guest);
    wait_away(guest);
}

static bool is_connection_lost(const struct prosa_ended *ended)
{
    return ended->how == PROSA_ENDING_EOF || ended->how == PROSA_ENDING_RESET ||
           ended->how == PROSA_ENDING_SILENCE;
}

static const char *how_name(enum prosa_ending how)
{
    static const char *const names[] = {
        [PROSA_ENDING_GOODBYE] = "goodbye", [PROSA_ENDING_ERROR] = "error",
        [PROSA_ENDING_EOF] = "eof",         [PROSA_ENDING_RESET] = "reset",
        [PROSA_ENDING_SILENCE] = "silence", [PROSA_ENDING_QUIET] = "error",
    };
    return names[how];
}

static void take_end(struct guest *guest, const struct prosa_ended *ended)
{
    const char *name = prosa_code_name(ended->code);
    char reason[REASON_SIZE];
    snprintf(reason, sizeof reason, "%s%s: %.*s", ended->from_peer ? "the server said " : "",
             name != NULL ? name : "nothing", (int)ended->reason.size, (const char *)ended->reason.at);
    const bool is_expected = guest->errand == ERRAND_LEAVE && ended->how == PROSA_ENDING_GOODBYE;
    if (is_expected) {
        finish(guest, ERRAND_LEAVE);
    } else if (guest->party->returns && is_connection_lost(ended) && guest->errand != ERRAND_LEAVE) {
        go_away(guest);
        return;
    } else {
        fail(guest, how_name(ended->how), reason);
    }
    close_down(guest);
}

static void take(struct guest *guest, const struct prosa_client_event *event, uint64_t now_ms)
{
    if (guest->party->events != NULL) {
        print_event(guest, event);
    }
    switch (event->kind) {
    case PROSA_CLIENT_KEY:
        meet(guest, now_ms);
        break;
    case PROSA_CLIENT_READY:
        finish(guest, ERRAND_ARRIVE);
        if (guest->party->returns && guest->room[0] != '\0') {
            join(guest);
        }
        break;
    case PROSA_CLIENT_JOINED:
        take_joined(guest, event);
        break;
    case PROSA_CLIENT_MESSAGE:
        take_message(guest, event);
        break;
    case PROSA_CLIENT_ACKED:
        take_acked(guest, event);
        break;
    case PROSA_CLIENT_PONG:
        finish(guest, ERRAND_PING);
        break;
    case PROSA_CLIENT_REFUSED:
    case PROSA_CLIENT_ERROR:
        refuse(guest, &event->error);
        break;
    case PROSA_CLIENT_CONFLICT:
        fail(guest, "error", "a CHECKPOINT contradicts what was shown");
        break;
    case PROSA_CLIENT_UNSHOWN:
        fail(guest, "error", prosa_status_text(event->status));
        break;
    case PROSA_CLIENT_SHUT:
        shutdown(guest->source.fd, SHUT_WR);
        break;
    case PROSA_CLIENT_ENDED:
        take_end(guest, &event->ended);
        break;
    case PROSA_CLIENT_LEFT:
    case PROSA_CLIENT_MEMBER:
    case PROSA_CLIENT_COVERED:
        break; /* no guest leaves a room; who else is there does not matter, and a good CHECKPOINT neither */
    }
}

/* --- octets --- */

static void receive(struct guest *guest, uint64_t now_ms)
{
    uint8_t *at = NULL;
    const size_t cap = prosa_client_session_recv_space(&guest->session, &at);
    if (cap == 0) {
        return;
    }
    const ssize_t n = recv(guest->source.fd, at, cap, 0);
    if (n > 0) {
        prosa_client_session_recv_commit(&guest->session, (size_t)n, now_ms);
    } else if (n == 0) {
        prosa_client_session_recv_eof(&guest->session, now_ms);
    } else if (errno != EAGAIN && errno != EINTR) {
        prosa_client_session_recv_reset(&guest->session, now_ms);
    }
}

/* True when octets went out. */
static bool send_some(struct guest *guest, uint64_t now_ms)
{
    const struct prosa_bytes octets = prosa_client_session_send_peek(&guest->session);
    if (octets.size == 0 || guest->is_broken) {
        return false;
    }
    const ssize_t n = send(guest->source.fd, octets.at, octets.size, MSG_NOSIGNAL);
    if (n > 0) {
        prosa_client_session_send_consume(&guest->session, (size_t)n, now_ms);
    } else if (errno != EAGAIN && errno != EINTR) {
        guest->is_broken = true; /* the server's last words may wait to be read */
    }
    return n > 0;
}

static void set_waits(struct guest *guest)
{
    struct loop *loop = &guest->party->loop;
    uint8_t *unused;
    const bool wants_in = prosa_client_session_recv_space(&guest->session, &unused) > 0;
    const bool wants_out = !guest->is_broken && prosa_client_session_send_peek(&guest->session).size > 0;
    uint64_t deadline_ms = prosa_client_session_deadline_ms(&guest->session);
    if (guest->errand == ERRAND_SAY && guest->speech.due < guest->speech.left &&
        guest->speech.next_ms < deadline_ms &&
        prosa_client_session_room(&guest->session, room_name(guest)) != NULL) {
        deadline_ms = guest->speech.next_ms;
    }
    loop_set_interest(loop, &guest->source, (wants_in ? LOOP_READ : 0) | (wants_out ? LOOP_WRITE : 0));
    loop_set_deadline(loop, &guest->source, deadline_ms);
}

/* Everything that can be done without waiting. */
static void pump(struct guest *guest)
{
    struct prosa_client_event event;
    const uint64_t now_ms = guest->party->loop.now_ms;
    do {
        while (!guest->is_gone && prosa_client_session_next(&guest->session, &event, now_ms) == PROSA_OK) {
            take(guest, &event, now_ms);
        }
        if (guest->is_gone) {
            return;
        }
        speak(guest);
    } while (send_some(guest, now_ms));
    set_waits(guest);
}

/* --- arriving --- */

/* The connected or connecting socket, or -errno. */
static int reach(const struct party *party, uint32_t number)
{
    const int on = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) {
        return -errno;
    }
    bool is_good = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
    if (is_good && party->sources > 0) {
        const uint32_t place = number % party->sources;
        const uint32_t address = SOURCE_BASE + (place / SOURCE_ROW << 8) + place % SOURCE_ROW;
        const struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
        is_good = setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) == 0 &&
                  bind(fd, (const struct sockaddr *)&source, sizeof source) == 0;
    }
    if (is_good && (connect(fd, (const struct sockaddr *)&party->server, sizeof party->server) == 0 ||
                    errno == EINPROGRESS)) {
        return fd;
    }
    const int problem = errno;
    close(fd);
    return -problem;
}

/* The TCP connection stands: from here on it is the session's. */
static void greet(struct guest *guest)
{
    int problem = 0;
    socklen_t size = sizeof problem;
    guest->is_connecting = false;
    if (getsockopt(guest->source.fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0 || problem != 0) {
        if (guest->party->returns) {
            go_away(guest);
            return;
        }
        fail(guest, "refused", strerror(problem));
        return;
    }
    pump(guest);
}

static void connect_to(struct guest *guest)
{
    uint8_t nonce[PROSA_NONCE_SIZE];
    const int fd = reach(guest->party, guest->number);
    if (fd < 0 && guest->party->returns) {
        wait_away(guest);
        return;
    }
    if (fd < 0) {
        fail(guest, "refused", strerror(-fd));
        return;
    }
    entropy_fill(nonce, sizeof nonce);
    if (prosa_client_session_init(&guest->session, &guest->config, nonce, clock_now_ms()) != PROSA_OK) {
        fail(guest, "error", "its nick or the target is no good");
        close(fd);
        return;
    }
    guest->is_connecting = true;
    guest->is_gone = guest->is_broken = false;
    const int problem = loop_add(&guest->party->loop, &guest->source, fd, LOOP_WRITE);
    if (problem != 0) {
        fail(guest, "error", strerror(-problem));
    }
}

void guest_arrive(struct guest *guest)
{
    begin(guest, ERRAND_ARRIVE);
    guest->party->arriving++;
    connect_to(guest);
}

void guest_wake(struct guest *guest, unsigned ready)
{
    if (guest->is_away) {
        close_down(guest);
        connect_to(guest);
        return;
    }
    if (guest->is_connecting) {
        greet(guest);
        return;
    }
    if ((ready & LOOP_READ) != 0) {
        receive(guest, guest->party->loop.now_ms);
    }
    prosa_client_session_tick(&guest->session, guest->party->loop.now_ms);
    pump(guest);
}

/* --- errands --- */

/* Not on its way back. */
static bool is_here(const struct guest *guest)
{
    return !guest->is_gone && !guest->is_connecting && prosa_client_session_ready(&guest->session);
}

void guest_join(struct guest *guest, const char *room)
{
    begin(guest, ERRAND_JOIN);
    snprintf(guest->room, sizeof guest->room, "%s", room);
    guest->kept = (struct kept){0};
    if (is_here(guest)) {
        join(guest);
        pump(guest);
    }
}

void guest_say(struct guest *guest, const char *room, const struct speech *speech)
{
    begin(guest, ERRAND_SAY);
    const uint32_t window = guest->party->send_window;
    if (!is_in(guest, room)) {
        fail(guest, "error", "it is not in that room");
        return;
    }
    struct flight *flights = realloc(guest->speech.flights, window * sizeof *flights);
    if (flights == NULL) {
        fail(guest, "error", "no memory");
        return;
    }
    guest->speech = *speech;
    guest->speech.flights = flights;
    guest->speech.window = window;
    if (is_here(guest)) {
        pump(guest);
    }
}

void guest_ping(struct guest *guest)
{
    begin(guest, ERRAND_PING);
    if (prosa_client_session_ping(&guest->session, prosa_bytes("crowd", 5)) != PROSA_OK) {
        fail(guest, "error", "it cannot send a PING");
        return;
    }
    pump(guest);
}

void guest_see(struct guest *guest, const char *room, uint64_t room_seq)
{
    begin(guest, ERRAND_SEE);
    guest->until_seq = room_seq;
    if (!is_in(guest, room)) {
        fail(guest, "error", "it is not in that room");
    } else if (guest->kept.seen_seq >= room_seq) {
        finish(guest, ERRAND_SEE);
    }
}

void guest_leave(struct guest *guest)
{
    begin(guest, ERRAND_LEAVE);
    prosa_client_session_bye(&guest->session, guest->party->loop.now_ms);
    pump(guest);
}
