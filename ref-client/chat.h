/* SPDX-License-Identifier: MIT */
/*
 * chat: one connection from its first octet to its last. It carries octets between the socket and the
 * session, events to the rooms, and what is wanted of the rooms to the session.
 * It refuses to know octets (that is the session's affair), screens (the ui's), and what comes after the
 * end (the journey's).
 */
#ifndef REF_CLIENT_CHAT_H
#define REF_CLIENT_CHAT_H

#include "client.h"

#include <poll.h>

struct chat {
    struct client *client;
    struct prosa_client_session session;
    struct prosa_ended ended;
    int fd;
    bool is_broken;  /* sending failed: what can still be read is read */
    bool is_over;    /* `ended` says how */
    bool has_joined; /* a room */
    bool has_resume; /* the session has been READY with `resume` */
};

/* The connection stands; `fd` is the chat's from now on. False: the session cannot begin, and there is
 * nothing to end. */
PROSA_NODISCARD bool chat_begin(struct chat *chat, struct client *client, int fd, uint64_t now_ms);
void chat_end(struct chat *chat);

/* Everything that can be done without waiting. */
void chat_pump(struct chat *chat, uint64_t now_ms);

/* What to wait for and until when; then chat_wake, `is_ready` when the socket is. */
struct pollfd chat_poll(struct chat *chat);
uint64_t chat_deadline_ms(const struct chat *chat);
void chat_wake(struct chat *chat, bool is_ready, uint64_t now_ms);

/* A person stops the program: the first time a goodbye is said, after that nothing is waited for. */
void chat_stop(struct chat *chat, bool is_first, uint64_t now_ms);

#endif
