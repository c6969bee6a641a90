/* SPDX-License-Identifier: MIT */
#include "chat.h"

#include "clock.h"
#include "hear.h"
#include "keep.h"
#include "net.h"
#include "publish.h"
#include "wishes.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* The spool failed: nothing more can be kept, so that nothing more is sent or taken. */
static void fail(struct chat *chat, uint64_t now_ms)
{
    struct client *client = chat->client;
    if (client->exit != EXIT_SETTINGS) {
        ui_say(client->ui, REPORT_ALARM, "what has to outlive a crash cannot be kept: %s",
               spool_why(client->spool));
        client->exit = EXIT_SETTINGS;
    }
    prosa_client_session_fail(&chat->session, PROSA_ERR_INTERNAL, now_ms);
}

static void take(struct chat *chat, const struct prosa_client_event *event, uint64_t now_ms)
{
    switch (event->kind) {
    case PROSA_CLIENT_SHUT:
        shutdown(chat->fd, SHUT_WR);
        return;
    case PROSA_CLIENT_ENDED:
        chat->ended = event->ended;
        chat->is_over = true;
        return;
    case PROSA_CLIENT_READY:
        chat->has_resume = (prosa_client_session_features(&chat->session) & PROSA_FEATURE_RESUME) != 0;
        break;
    case PROSA_CLIENT_JOINED:
        chat->has_joined = true;
        break;
    default:
        break;
    }
    if (!hear(chat->client, &chat->session, event, now_ms)) {
        fail(chat, now_ms);
    }
}

static void drain(struct chat *chat, uint64_t now_ms)
{
    struct prosa_client_event event;
    while (!chat->is_over && prosa_client_session_next(&chat->session, &event, now_ms) == PROSA_OK) {
        take(chat, &event, now_ms);
    }
}

/* `exit` waits for rooms that lines wait for; end of file for everything [END-07] [END-13]. */
static bool is_leaving_due(const struct chat *chat)
{
    const struct client *client = chat->client;
    if (client->leaving == STAYING) {
        return false;
    }
    for (const struct room *room = client->rooms.first; room != NULL; room = room->next) {
        if (client->leaving == LEAVING_NOW ? room->state != ROOM_IN && room->outbox.count > 0
                                           : !publish_is_done(&chat->session, room)) {
            return false;
        }
    }
    return true;
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

/* Nothing goes either way any more. */
static bool is_stuck(struct chat *chat)
{
    uint8_t *unused;
    return chat->is_broken && !chat->is_over && prosa_client_session_recv_space(&chat->session, &unused) == 0;
}

void chat_pump(struct chat *chat, uint64_t now_ms)
{
    do {
        drain(chat, now_ms);
        if (!chat->is_over) {
            if (!wishes_tend(chat->client, &chat->session)) {
                fail(chat, now_ms);
            }
            if (is_leaving_due(chat)) {
                prosa_client_session_bye(&chat->session, now_ms);
            }
            drain(chat, now_ms);
        }
    } while (send_some(chat, now_ms));
    if (is_stuck(chat)) {
        prosa_client_session_recv_reset(&chat->session, now_ms);
        drain(chat, now_ms);
    }
    if (!keep_rooms(chat->client)) {
        fail(chat, now_ms);
        drain(chat, now_ms);
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

struct pollfd chat_poll(struct chat *chat)
{
    uint8_t *unused;
    const bool wants_in = prosa_client_session_recv_space(&chat->session, &unused) > 0;
    const bool wants_out = !chat->is_broken && prosa_client_session_send_peek(&chat->session).size > 0;
    /* A hang-up is reported whatever one asks for: who asks for nothing does not look. */
    return (struct pollfd){.fd = wants_in || wants_out ? chat->fd : -1,
                           .events = (short)((wants_in ? POLLIN : 0) | (wants_out ? POLLOUT : 0))};
}

uint64_t chat_deadline_ms(const struct chat *chat)
{
    return prosa_client_session_deadline_ms(&chat->session);
}

void chat_wake(struct chat *chat, bool is_ready, uint64_t now_ms)
{
    /* Before silence is judged, too: we may have been late, and it has come [LIVE-06]. */
    if (is_ready || chat_deadline_ms(chat) <= now_ms) {
        receive(chat, now_ms);
        drain(chat, now_ms);
    }
    prosa_client_session_tick(&chat->session, now_ms);
}

void chat_stop(struct chat *chat, bool is_first, uint64_t now_ms)
{
    if (is_first) {
        prosa_client_session_bye(&chat->session, now_ms);
    } else {
        prosa_client_session_recv_eof(&chat->session, now_ms); /* no longer waits for the server's BYE */
    }
}

bool chat_begin(struct chat *chat, struct client *client, int fd, uint64_t now_ms)
{
    uint8_t nonce[PROSA_NONCE_SIZE];
    *chat = (struct chat){.client = client, .fd = fd};
    entropy_fill(nonce, sizeof nonce);
    if (prosa_client_session_init(&chat->session, &client->config, nonce, now_ms) != PROSA_OK) {
        close(fd);
        return false;
    }
    return true;
}

void chat_end(struct chat *chat)
{
    close(chat->fd);
    prosa_client_session_fini(&chat->session);
    chat->client->features = 0;
    rooms_disconnect(&chat->client->rooms);
}
