/* SPDX-License-Identifier: MIT */
#include "chat.h"

#include "clock.h"
#include "farewell.h"
#include "keyfile.h"
#include "outbox.h"
#include "pins.h"
#include "signals.h"
#include "tell.h"

#include <prosa/text.h>

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Question and answer: one message under way, as level L1 has it [FLOW-27]. */
#define SEND_WINDOW 1u
#define RECV_WINDOW 64u

/* A PUBLISH of the longest text. */
#define PUBLISH_SIZE PROSA_MAX_FRAME_FLOOR

enum leaving {
    STAYING,
    LEAVING_NOW,     /* `exit`: what the limit allows is sent, then BYE [END-07] */
    LEAVING_ANSWERED /* end of file: everything is sent and answered, then BYE [END-13] */
};

struct chat {
    const struct settings *settings;
    const char *pins;
    struct ui *ui;
    struct prosa_client_config config;
    struct prosa_client_session session;
    struct outbox outbox;
    struct signals_seen seen;
    int fd;
    enum leaving leaving;
    bool is_joined;  /* JOINED came */
    bool is_drained; /* no line is left of what was read */
    bool is_broken;  /* sending failed: what can still be read is read */
    bool is_stopped; /* by a signal: BYE is said at once */
    bool is_over;
    uint64_t reported_counter; /* the last message that `acked` was told of */
    enum chat_exit exit;
};

static struct prosa_bytes room_name(const struct chat *chat)
{
    return prosa_bytes_of_string(chat->settings->room);
}

/* NULL unless it is joined. */
static const struct prosa_client_room *room_of(const struct chat *chat)
{
    return prosa_client_session_room(&chat->session, room_name(chat));
}

/* Messages sent and not acknowledged. */
static size_t under_way(const struct chat *chat)
{
    const struct prosa_client_room *room = room_of(chat);
    return room != NULL ? (size_t)(room->sent_counter - room->acked_counter) : 0;
}

/* The key has to be on the disk before anything is built on it [ID-02]. */
static void meet(struct chat *chat, uint64_t now_ms)
{
    const uint8_t *key = prosa_client_session_server_key(&chat->session);
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    char why[1024];

    if (!pins_add(chat->pins, chat->settings->target, key, why, sizeof why)) {
        ui_say(chat->ui, REPORT_ALARM, "%s", why);
        prosa_client_session_fail(&chat->session, PROSA_ERR_INTERNAL, now_ms);
        chat->exit = CHAT_SETTINGS;
        return;
    }
    fingerprint_format(key, fingerprint);
    ui_say(chat->ui, REPORT_ALARM,
           "first contact with %s: its key has the fingerprint %s; nobody but its operator can tell you "
           "whether that is right. From now on no other key is taken for it.",
           chat->settings->target, fingerprint);
    prosa_client_session_trust(&chat->session, now_ms);
}

static void enter(struct chat *chat)
{
    char suffix[KEY_SUFFIX_SIZE];
    const struct prosa_client_join join = {
        .room = room_name(chat), .send_window = SEND_WINDOW, .recv_window = RECV_WINDOW};

    key_suffix_format(chat->config.keypair.key, suffix);
    ui_say(chat->ui, REPORT_NOTE, "connected to %s as %s#%s", chat->settings->target, chat->settings->nick,
           suffix);
    if (prosa_client_session_join(&chat->session, &join) != PROSA_OK) {
        prosa_client_session_fail(&chat->session, PROSA_ERR_INTERNAL, clock_now_ms());
    }
}

/* The last two reports. */
static void close_down(struct chat *chat, const struct farewell *farewell, uint16_t code, size_t unacked)
{
    const struct report gone = {
        .kind = REPORT_DISCONNECTED, .how = farewell->how, .reason = prosa_bytes_of_string(farewell->reason)};
    const struct report closed = {.kind = REPORT_CLOSED,
                                  .exit = (int)chat->exit,
                                  .code = code,
                                  .reason = gone.reason,
                                  .unsent = chat->outbox.count,
                                  .unacked = unacked};
    if (farewell->how != NULL) {
        ui_report(chat->ui, &gone);
    }
    ui_report(chat->ui, &closed);
    chat->is_over = true;
}

static void end(struct chat *chat, const struct prosa_ended *ended)
{
    const struct prosa_limits *limits = prosa_client_session_limits(&chat->session);
    const struct farewell farewell = farewell_of(ended, limits->dead_after_ms);

    if (ended->how == PROSA_ENDING_ERROR) {
        tell_fatal(chat->ui, ended);
    }
    if (ended->code == PROSA_CODE_PIN_MISMATCH && !ended->from_peer) {
        tell_mismatch(chat->ui, chat->settings->target, chat->pins, chat->config.pinned_key,
                      prosa_client_session_server_key(&chat->session));
    }
    /* What has gone wrong already on this side outweighs how the connection ended. */
    if (chat->exit == CHAT_GOOD) {
        chat->exit = farewell.exit;
    }
    close_down(chat, &farewell, ended->code, under_way(chat));
}

static void handle(struct chat *chat, const struct prosa_client_event *event, uint64_t now_ms)
{
    const uint8_t *server_key = prosa_client_session_server_key(&chat->session);
    switch (event->kind) {
    case PROSA_CLIENT_KEY:
        meet(chat, now_ms);
        break;
    case PROSA_CLIENT_READY:
        enter(chat);
        break;
    case PROSA_CLIENT_JOINED:
        chat->is_joined = true;
        chat->reported_counter = event->room->acked_counter;
        tell_event(chat->ui, REPORT_JOINED, event, server_key);
        break;
    case PROSA_CLIENT_REFUSED: /* there is no other room: the end [CON-12] */
        tell_received(chat->ui, &event->error, room_name(chat));
        chat->exit = CHAT_PROTOCOL;
        prosa_client_session_bye(&chat->session, now_ms);
        break;
    case PROSA_CLIENT_MESSAGE:
        tell_event(chat->ui, REPORT_MESSAGE, event, server_key);
        break;
    case PROSA_CLIENT_UNSHOWN:
        tell_unshown(chat->ui, event);
        break;
    case PROSA_CLIENT_ACKED:
        tell_acked(chat->ui, event, chat->reported_counter);
        chat->reported_counter = event->acked_counter;
        break;
    case PROSA_CLIENT_MEMBER:
        tell_event(chat->ui, REPORT_MEMBER, event, server_key);
        break;
    case PROSA_CLIENT_ERROR:
        tell_received(chat->ui, &event->error,
                      event->room != NULL ? prosa_bytes(event->room->name, event->room->name_size)
                                          : prosa_bytes(NULL, 0));
        break;
    case PROSA_CLIENT_SHUT:
        shutdown(chat->fd, SHUT_WR);
        break;
    case PROSA_CLIENT_ENDED:
        end(chat, &event->ended);
        break;
    case PROSA_CLIENT_LEFT:
    case PROSA_CLIENT_COVERED:
    case PROSA_CLIENT_CONFLICT:
    case PROSA_CLIENT_PONG:
        break; /* this client leaves no room, offers no audit, and asks for no barrier */
    }
}

static void drain(struct chat *chat, uint64_t now_ms)
{
    struct prosa_client_event event;
    while (!chat->is_over && prosa_client_session_next(&chat->session, &event, now_ms) == PROSA_OK) {
        handle(chat, &event, now_ms);
    }
}

/* One line of the outbox becomes a PUBLISH; false when the limit or the session does not let it. */
static bool publish(struct chat *chat, const struct prosa_client_room *room, struct prosa_bytes line)
{
    uint8_t frame[PUBLISH_SIZE];
    size_t size = 0;
    const struct prosa_client_text text = {
        .counter = room->sent_counter + 1, .sent_at = clock_unix_ms(), .text = line};
    enum prosa_status status =
        prosa_client_session_compose(&chat->session, room_name(chat), &text, frame, sizeof frame, &size);
    if (status == PROSA_OK) {
        status = prosa_client_session_send(&chat->session, room_name(chat), prosa_bytes(frame, size));
    }
    if (status != PROSA_OK && status != PROSA_PARTIAL) {
        prosa_client_session_fail(&chat->session, PROSA_ERR_INTERNAL, clock_now_ms());
    }
    return status == PROSA_OK;
}

/* What the limit allows is sent [FLOW-20]; the rest waits [CON-08]. */
static void publish_waiting(struct chat *chat)
{
    struct prosa_bytes line;
    while (prosa_client_session_ready(&chat->session) && outbox_peek(&chat->outbox, &line)) {
        const struct prosa_client_room *room = room_of(chat);
        if (room == NULL || room->sent_counter >= room->limit_counter || !publish(chat, room, line)) {
            return;
        }
        outbox_drop(&chat->outbox);
    }
}

/* Nothing is pending: all lines are sent and acknowledged, in sync also answered [END-13]. */
static bool is_answered(const struct chat *chat)
{
    const struct prosa_client_room *room = room_of(chat);
    return room != NULL && chat->outbox.count == 0 && room->acked_counter >= room->sent_counter &&
           room->limit_counter > room->sent_counter;
}

static void leave_if_due(struct chat *chat, uint64_t now_ms)
{
    const bool is_due = chat->leaving == LEAVING_NOW ? chat->is_joined || chat->outbox.count == 0
                                                     : chat->leaving == LEAVING_ANSWERED && is_answered(chat);
    if (is_due && !chat->is_over) {
        prosa_client_session_bye(&chat->session, now_ms);
    }
}

static void take_line(struct chat *chat, struct prosa_bytes line)
{
    if (line.size == 0) {
        return;
    }
    if (prosa_bytes_equal(line, prosa_bytes_of_string("exit"))) {
        chat->leaving = LEAVING_NOW;
    } else if (!prosa_text_is_valid(line)) {
        tell_own_error(chat->ui, PROSA_CODE_BAD_TEXT, "a line that is not UTF-8 text is not sent");
    } else if (!outbox_put(&chat->outbox, line)) {
        tell_own_error(chat->ui, PROSA_CODE_INTERNAL, "there is no memory: a line is not sent");
    }
}

/* Turns what was read into lines, as far as the outbox has room: the rest waits where it is. */
static void take_lines(struct chat *chat)
{
    struct prosa_bytes line;
    chat->is_drained = false;
    while (chat->leaving == STAYING && outbox_has_room(&chat->outbox) && !chat->is_drained) {
        switch (ui_next(chat->ui, &line)) {
        case LINES_LINE:
            take_line(chat, line);
            break;
        case LINES_TOO_LONG:
            tell_own_error(chat->ui, PROSA_CODE_TOO_LARGE, "a line of more than 4096 octets is not sent");
            break;
        case LINES_NONE:
            chat->is_drained = true;
            break;
        }
    }
    if (chat->is_drained && ui_has_ended(chat->ui)) {
        chat->leaving = LEAVING_ANSWERED;
    }
}

static void receive(struct chat *chat, uint64_t now_ms)
{
    uint8_t *at = NULL;
    const size_t cap = prosa_client_session_recv_space(&chat->session, &at);
    if (cap == 0) {
        return; /* reading nothing would look like end of file */
    }
    const ssize_t n = net_receive(chat->fd, at, cap);
    if (n > 0) {
        prosa_client_session_recv_commit(&chat->session, (size_t)n, now_ms);
    } else if (n == 0 && !chat->is_broken) {
        prosa_client_session_recv_eof(&chat->session, now_ms);
    } else if (n != -EAGAIN && n != -EINTR) {
        prosa_client_session_recv_reset(&chat->session, now_ms);
    }
}

/* True when octets went out. A failure is not the end: the server's last words may wait to be read. */
static bool send_some(struct chat *chat, uint64_t now_ms)
{
    const struct prosa_bytes octets = prosa_client_session_send_peek(&chat->session);
    if (octets.size == 0 || chat->is_broken || chat->is_over) {
        return false;
    }
    const ssize_t n = net_send(chat->fd, octets);
    if (n > 0) {
        prosa_client_session_send_consume(&chat->session, (size_t)n, now_ms);
    } else if (n != -EAGAIN && n != -EINTR) {
        chat->is_broken = true;
    }
    return n > 0;
}

/* Nobody hears what is told any more: that counts as a signal to stop. */
static bool has_lost_ui(const struct chat *chat)
{
    return ui_is_gone() && !chat->is_stopped;
}

static void heed_signals(struct chat *chat, uint64_t now_ms)
{
    const struct signals_seen seen = signals_seen();
    const bool is_stopped = seen.stops != chat->seen.stops || has_lost_ui(chat);
    if (seen.resizes != chat->seen.resizes) {
        ui_resize(chat->ui);
    }
    if (seen.resumes != chat->seen.resumes) {
        ui_resume(chat->ui);
    }
    if (is_stopped && chat->is_stopped) {
        prosa_client_session_recv_eof(&chat->session, now_ms); /* no longer waits for the server's BYE */
    } else if (is_stopped) {
        chat->is_stopped = true;
        chat->leaving = LEAVING_NOW;
        prosa_client_session_bye(&chat->session, now_ms);
    }
    chat->seen = seen;
}

/* Everything that can be done without waiting. */
static void pump(struct chat *chat, uint64_t now_ms)
{
    do {
        drain(chat, now_ms);
        if (!chat->is_over) {
            publish_waiting(chat);
            take_lines(chat);
            publish_waiting(chat);
            leave_if_due(chat, now_ms);
            drain(chat, now_ms);
        }
    } while (send_some(chat, now_ms));
    ui_set_waiting(chat->ui, chat->outbox.count + under_way(chat));
}

/* Milliseconds until the session wants to be asked; UINT64_MAX for never. */
static uint64_t time_left(const struct chat *chat, uint64_t now_ms)
{
    const uint64_t deadline_ms = prosa_client_session_deadline_ms(&chat->session);
    if (has_lost_ui(chat) || deadline_ms <= now_ms) {
        return 0;
    }
    return deadline_ms == PROSA_NEVER ? UINT64_MAX : deadline_ms - now_ms;
}

static void wait_once(struct chat *chat)
{
    uint8_t *unused;
    const bool wants_in = prosa_client_session_recv_space(&chat->session, &unused) > 0;
    const bool wants_out = !chat->is_broken && prosa_client_session_send_peek(&chat->session).size > 0;
    if (!wants_in && chat->is_broken) { /* nothing goes either way any more */
        prosa_client_session_recv_reset(&chat->session, clock_now_ms());
        return;
    }
    /* A full outbox stops the reading: what is typed waits outside. */
    const bool wants_lines = chat->leaving == STAYING && chat->is_drained;
    struct pollfd fds[] = {
        /* A hang-up is reported whatever one asks for: who asks for nothing does not look. */
        {.fd = wants_in || wants_out ? chat->fd : -1,
         .events = (short)((wants_in ? POLLIN : 0) | (wants_out ? POLLOUT : 0))},
        {.fd = wants_lines ? chat->ui->input : -1, .events = POLLIN},
    };
    const uint64_t timeout_ms = time_left(chat, clock_now_ms());
    const int ready = signals_poll(fds, sizeof fds / sizeof fds[0], timeout_ms);
    const uint64_t now_ms = clock_now_ms();
    heed_signals(chat, now_ms);
    if (ready > 0 && (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        receive(chat, now_ms);
    }
    if (ready > 0 && fds[1].revents != 0) {
        ui_read(chat->ui);
    }
    prosa_client_session_tick(&chat->session, now_ms);
}

static void talk(struct chat *chat)
{
    uint8_t nonce[PROSA_NONCE_SIZE];
    entropy_fill(nonce, sizeof nonce);
    if (prosa_client_session_init(&chat->session, &chat->config, nonce, clock_now_ms()) != PROSA_OK) {
        const struct farewell farewell = {.how = "error", .reason = "the session cannot begin"};
        chat->exit = CHAT_PROTOCOL;
        close_down(chat, &farewell, 0, 0);
        return;
    }
    ui_begin_input(chat->ui);
    /* A server of one client lets the next one wait until its turn comes [LIM-01]. */
    ui_say(chat->ui, REPORT_NOTE, "reached %s, waiting for its answer", chat->settings->target);
    pump(chat, clock_now_ms());
    while (!chat->is_over) {
        wait_once(chat);
        pump(chat, clock_now_ms());
    }
    prosa_client_session_fini(&chat->session);
}

static void fail_to_connect(struct chat *chat, enum net_outcome outcome, const char *why)
{
    struct farewell farewell = {.exit = CHAT_NO_CONNECTION};
    if (outcome == NET_STOPPED) {
        farewell.exit = CHAT_GOOD;
    } else {
        farewell.how = outcome == NET_UNRESOLVED ? "unresolved" : "refused";
    }
    snprintf(farewell.reason, sizeof farewell.reason, "%s", why);
    chat->exit = farewell.exit;
    close_down(chat, &farewell, 0, 0);
}

enum chat_exit chat_run(const struct settings *settings, const struct prosa_keypair *keypair,
                        const uint8_t *pinned_key, const char *pins, struct ui *ui)
{
    char why[FAREWELL_SIZE];
    struct chat chat = {
        .settings = settings,
        .pins = pins,
        .ui = ui,
        .config = {.keypair = *keypair,
                   .nick = prosa_bytes_of_string(settings->nick),
                   .target = prosa_bytes_of_string(settings->target),
                   .pinned_key = pinned_key,
                   .features = PROSA_FEATURE_LIVENESS,
                   .grease = true},
        .fd = -1,
    };
    outbox_init(&chat.outbox);
    const enum net_outcome outcome = net_connect(settings->host, settings->port, &chat.fd, why, sizeof why);
    if (outcome == NET_CONNECTED) {
        chat.seen = signals_seen();
        talk(&chat);
        close(chat.fd);
    } else {
        fail_to_connect(&chat, outcome, why);
    }
    outbox_fini(&chat.outbox);
    prosa_keypair_wipe(&chat.config.keypair);
    return chat.exit;
}
